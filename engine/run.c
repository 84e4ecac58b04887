#include "engine/run.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "engine/topics.h"

#define OPEN_TIMEOUT_MS 15000
#define STEP_WAIT_MS 500
#define NAME_SIZE 128
#define TOPICS_TIMEOUT_MS 30000

/* ---- signals: the handler only sets a flag and wakes the loop ---- */

static volatile sig_atomic_t stop_asked;
static engine_worker *volatile woken;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
    engine_worker *worker = woken;
    if (worker != NULL) {
        engine_worker_wake(worker);
    }
}

typedef struct signal_state {
    struct sigaction term;
    struct sigaction interrupt;
    struct sigaction pipe;
} signal_state;

static void signals_take(signal_state *before)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    (void)sigemptyset(&action.sa_mask);
    stop_asked = 0;
    (void)sigaction(SIGTERM, &action, &before->term);
    (void)sigaction(SIGINT, &action, &before->interrupt);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, &before->pipe);
}

static void signals_give_back(const signal_state *before)
{
    (void)sigaction(SIGTERM, &before->term, NULL);
    (void)sigaction(SIGINT, &before->interrupt, NULL);
    (void)sigaction(SIGPIPE, &before->pipe, NULL);
}

/* ---- names ---- */

/* Unlike any other worker's, and any earlier one's: host, process, and 64 random bits. */
static base_status name_make(char *text, size_t size, base_error *error)
{
    char host[64];
    uint64_t bits = 0;
    if (gethostname(host, sizeof(host)) != 0) {
        (void)snprintf(host, sizeof(host), "host");
    }
    host[sizeof(host) - 1] = '\0';
    for (char *c = host; *c != '\0'; c++) {
        const bool fine = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                          (*c >= '0' && *c <= '9') || *c == '-' || *c == '.';
        *c = fine ? *c : '-';
    }
    if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits)) {
        return base_error_set(error, BASE_IO, "the system gives no random number");
    }
    (void)snprintf(text, size, "%s-%d-%016" PRIx64, host, (int)getpid(), bits);
    return base_ok();
}

engine_logger engine_run_logger(const engine_config *config)
{
    engine_logger logger;
    engine_logger_init(&logger, (engine_log_level)config->log_level, config->log_format == 1,
                       engine_clock_real());
    return logger;
}

/* ---- the run ---- */

static base_status deploy(const engine_run_options *options, log_store *store,
                          const engine_logger *logger, base_error *error)
{
    const engine_config *config = options->config;
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    engine_topics topics;
    engine_catalog catalog;
    const engine_clock clock = engine_clock_real();
    engine_catalog_init(&catalog, store, &topics, logger);
    base_status status = engine_topics_name(config->prefix, &arena, &topics);
    if (!base_failed(status)) {
        status = engine_topics_ensure(store, &topics, (int32_t)config->partitions,
                                      (int16_t)config->replication, config->create_topics,
                                      TOPICS_TIMEOUT_MS, error);
    }
    if (!base_failed(status)) {
        status =
            engine_deploy(&catalog, &config->sagas, engine_now_ms(&clock), &options->report, error);
    }
    engine_catalog_deinit(&catalog);
    base_arena_deinit(&arena);
    return status;
}

static base_status loop(const engine_run_options *options, engine_worker *worker, base_error *error)
{
    base_status status = base_ok();
    bool stop = false;
    while (!base_failed(status) && !stop) {
        status = engine_worker_step(worker, STEP_WAIT_MS, error);
        stop = (options->handle_signals && stop_asked != 0) ||
               (options->tick != NULL && options->tick(options->context, worker));
    }
    return status;
}

static base_status run_worker(const engine_run_options *options, log_store *store,
                              const engine_logger *logger, base_error *error)
{
    char name[NAME_SIZE];
    BASE_TRY(name_make(name, sizeof(name), error));
    const engine_worker_options worker_options = {.config = options->config,
                                                  .store = store,
                                                  .clock = engine_clock_real(),
                                                  .logger = *logger,
                                                  .name = base_slice_of(name)};
    engine_worker *worker = NULL;
    BASE_TRY(engine_worker_open(&worker_options, &worker, error));
    ENGINE_LOG(logger, ENGINE_LOG_INFO, "engine runs", ENGINE_TEXT("log", options->config->log),
               ENGINE_TEXT("prefix", options->config->prefix), ENGINE_WORD("worker", name),
               ENGINE_NUMBER("partitions", options->config->partitions));
    woken = worker;
    const base_status status = loop(options, worker, error);
    woken = NULL;
    const engine_counters counters = *engine_worker_counters(worker);
    /* With an identity the group keeps our partitions for us, so that a restart moves nothing. */
    engine_worker_close(worker, false);
    ENGINE_LOG(
        logger, ENGINE_LOG_INFO, "engine stopped", ENGINE_NUMBER("records", counters.records),
        ENGINE_NUMBER("entries", counters.entries), ENGINE_NUMBER("published", counters.published),
        ENGINE_NUMBER("dead_letters", counters.dead_letters),
        ENGINE_NUMBER("batches", counters.batches));
    return status;
}

base_status engine_run(const engine_run_options *options, base_error *error)
{
    const engine_config *config = options->config;
    const engine_logger logger = engine_run_logger(config);
    const log_open_options open_options = engine_config_open_options(config, &logger);
    signal_state before;
    if (options->handle_signals) {
        signals_take(&before);
    }
    log_store *store = NULL;
    base_status status = log_open(config->log, &open_options, OPEN_TIMEOUT_MS, &store, error);
    if (!base_failed(status)) {
        status = log_claim_exclusive(store, base_slice_of("troupe engine"), error);
    }
    if (!base_failed(status) && config->sagas.count > 0) {
        status = deploy(options, store, &logger, error);
    }
    if (!base_failed(status)) {
        status = run_worker(options, store, &logger, error);
    }
    log_close(store);
    if (options->handle_signals) {
        signals_give_back(&before);
    }
    return status;
}
