/*
 * kill -9 at random points: an engine in a process of its own is killed and started again while
 * orders go through it, a third of them failing. In the end every order has ended, every effect was
 * asked once (services count by idempotency key), and live state, the rebuild from zero and the
 * rebuild from snapshots are the same bytes.
 *
 * The program runs itself as the engine: <program> --engine URL PREFIX PARTITIONS.
 */
#ifndef TESTS_ENGINE_CRASH_H
#define TESTS_ENGINE_CRASH_H

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/run.h"
#include "engine/view.h"
#include "tests/engine/world.h"

#define CRASH_LIMIT_MS 240000

typedef struct crash_run {
    world w;
    const char *url;
    const char *prefix;
    const char *partitions;
    pid_t engine;
    uint64_t random;
    int kills;
    int orders;
    int place_every_ms;
    char topics[5][96]; /* of this run alone: by crash_topic */
    char saga[4096];
    const char *ask_topics[2];
} crash_run;

enum crash_topic {
    CRASH_ORDERS,
    CRASH_PAYMENTS,
    CRASH_STOCK,
    CRASH_PAYMENTS_ASKS,
    CRASH_STOCK_ASKS
};

static int64_t crash_now_ms(void)
{
    const engine_clock clock = engine_clock_real();
    return engine_now_ms(&clock);
}

static void crash_settings(engine_config *config, const char *url, const char *prefix,
                           const char *partitions)
{
    const char *const values[][2] = {
        {"log", url},           {"prefix", prefix},         {"partitions", partitions},
        {"identity", "engine"}, {"snapshot_entries", "40"}, {"session_timeout_ms", "6000"},
        {"log_level", "warn"}};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        FINE(engine_config_set(config, base_slice_of(values[i][0]), base_slice_of(values[i][1]),
                               error));
    }
    FINE(engine_config_finish(config, error));
}

/* What the child does. */
static int crash_engine(char **arguments)
{
    engine_config config;
    base_error error;
    base_error_clear(&error);
    engine_config_init(&config);
    crash_settings(&config, arguments[0], arguments[1], arguments[2]);
    const engine_run_options options = {.config = &config, .handle_signals = true};
    const base_status status = engine_run(&options, &error);
    if (base_failed(status)) {
        (void)fprintf(stderr, "engine: %s: %s\n", base_status_name(status), error.text);
    }
    engine_config_deinit(&config);
    return base_failed(status) ? 1 : 0;
}

static void crash_start(crash_run *run)
{
    run->engine = fork();
    assert_true(run->engine >= 0);
    if (run->engine == 0) {
        char url[512];
        char prefix[64];
        char partitions[16];
        char flag[] = "--engine";
        char name[] = "engine";
        (void)snprintf(url, sizeof(url), "%s", run->url);
        (void)snprintf(prefix, sizeof(prefix), "%s", run->prefix);
        (void)snprintf(partitions, sizeof(partitions), "%s", run->partitions);
        char *arguments[] = {name, flag, url, prefix, partitions, NULL};
        (void)execv("/proc/self/exe", arguments);
        _exit(127);
    }
}

static int crash_stop(crash_run *run, int signal_number)
{
    int result = 0;
    assert_int_equal(kill(run->engine, signal_number), 0);
    pid_t ended = 0;
    do {
        ended = waitpid(run->engine, &result, 0);
    } while (ended < 0 && errno == EINTR);
    assert_int_equal(ended, run->engine);
    return result;
}

static uint64_t crash_random(crash_run *run)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return run->random;
}

/* "o12": fulfilled; "declined-12": given back; "slow-12": its first authorisation is not answered.
 */
static void crash_key(int i, char *out, size_t size)
{
    static const char *const kinds[] = {"o", "declined-", "slow-"};
    (void)snprintf(out, size, "%s%d", kinds[i % 3], i);
}

static void crash_serve_record(crash_run *run, const schema_record *record)
{
    world *w = &run->w;
    saga_event event;
    FINE(schema_envelope_read(record, &w->arena, &event, error));
    assert_true(w->ask_count < WORLD_ASK_MAX);
    world_ask *ask = &w->asks[w->ask_count++];
    memset(ask, 0, sizeof(*ask));
    world_copy(ask->type, sizeof(ask->type), event.type);
    world_copy(ask->key, sizeof(ask->key), record->key);
    world_copy(ask->id, sizeof(ask->id), event.id);
    world_copy(ask->saga_key, sizeof(ask->saga_key), event.saga_key);
    world_copy(ask->correlation, sizeof(ask->correlation), event.correlation_id);
    world_copy(ask->step, sizeof(ask->step), event.saga_step);
    ask->try_number = event.saga_try;
    const bool declined = strncmp(ask->key, "declined-", 9) == 0;
    const bool slow = strncmp(ask->key, "slow-", 5) == 0;
    const char *const answers[][3] = {
        {"payment.authorise", "payment.authorised", run->topics[CRASH_PAYMENTS]},
        {"payment.capture", "payment.captured", run->topics[CRASH_PAYMENTS]},
        {"payment.void", "payment.voided", run->topics[CRASH_PAYMENTS]},
        {"stock.reserve", "stock.reserved", run->topics[CRASH_STOCK]},
        {"stock.release", "stock.released", run->topics[CRASH_STOCK]}};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (strcmp(answers[i][0], ask->type) != 0) {
            continue;
        }
        const bool is_authorise = i == 0;
        if (is_authorise && slow && ask->try_number == 1) {
            return;
        }
        world_answer(w, ask, is_authorise && declined ? "payment.declined" : answers[i][1],
                     answers[i][2], "{}");
        return;
    }
}

/* One round of the services. */
static void crash_serve(crash_run *run)
{
    world *w = &run->w;
    if (w->service_reader == NULL) {
        (void)world_serve(
            w); /* opens the reader; reads nothing the first time or serves by the empty rules */
    }
    const schema_record *records = NULL;
    size_t count = 0;
    FINE(log_reader_poll(w->service_reader, 5, 100, &records, &count, error));
    w->now_ms = crash_now_ms();
    for (size_t i = 0; i < count; i++) {
        crash_serve_record(run, &records[i]);
    }
}

typedef struct crash_ends {
    size_t ended;
    size_t wrong;
} crash_ends;

static base_status crash_each(void *context, const engine_instance *instance, base_error *error)
{
    (void)error;
    crash_ends *ends = (crash_ends *)context;
    const bool declined = base_slice_starts_with(instance->key, base_slice_of("declined-"));
    if (saga_state_ended(instance->state)) {
        ends->ended++;
        ends->wrong +=
            instance->state->phase != (declined ? SAGA_PHASE_COMPENSATED : SAGA_PHASE_COMPLETED);
    }
    return base_ok();
}

static crash_ends crash_look(crash_run *run)
{
    engine_view view;
    crash_ends ends = {.ended = 0};
    const engine_filter any = {.phases = 0};
    FINE(engine_view_open(&view, run->w.store, run->w.config.prefix, &run->w.logger, error));
    FINE(engine_view_list(&view, &any, crash_each, &ends, error));
    engine_view_close(&view);
    return ends;
}

/* Every effect was asked once: the asks of one idempotency key and try have one id, and visible
 * duplicates are none. */
static void crash_check_effects(crash_run *run)
{
    const world *w = &run->w;
    char key[32];
    for (int i = 0; i < run->orders; i++) {
        crash_key(i, key, sizeof(key));
        assert_int_equal(world_ask_count(w, "stock.reserve", key), 1);
        assert_int_equal(world_ask_count(w, "payment.capture", key), i % 3 == 1 ? 0 : 1);
        assert_int_equal(world_ask_count(w, "stock.release", key), i % 3 == 1 ? 1 : 0);
        assert_int_equal(world_ask_count(w, "payment.void", key), 0);
        const size_t tries = world_ask_count(w, "payment.authorise", key);
        assert_int_equal(tries, world_ask_ids(w, "payment.authorise", key));
        assert_true(tries >=
                    (i % 3 == 2 ? 2U : 1U)); /* its time-outs are short: it may be asked again */
    }
}

/* In this process: the live fold against the rebuilds. */
static void crash_check_folds(crash_run *run)
{
    world *w = &run->w;
    size_t active = 0;
    size_t waiting = 0;
    world_worker_open(w, 0);
    for (int i = 0; i < 400 && active < (size_t)w->config.partitions; i++) {
        w->now_ms = crash_now_ms();
        FINE(engine_worker_step(w->workers[0], 100, error));
        engine_worker_partitions(w->workers[0], &active, &waiting);
    }
    assert_int_equal(active, w->config.partitions);
    world_check_rebuild(w);
}

static void crash_saga(crash_run *run)
{
    static const char *const names[] = {"orders.events", "payments.events", "stock.events",
                                        "payments.asks", "stock.asks"};
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(run->topics[i], sizeof(run->topics[i]), "%s.%s", run->prefix, names[i]);
    }
    run->ask_topics[0] = run->topics[CRASH_PAYMENTS_ASKS];
    run->ask_topics[1] = run->topics[CRASH_STOCK_ASKS];
    (void)snprintf(
        run->saga, sizeof(run->saga),
        "saga: order\nversion: 1\nkeys: { order: string }\n"
        "services: { orders: { events: %s }, payments: { sticky: true, asks: %s, events: %s },\n"
        "            stock: { asks: %s, events: %s } }\n"
        "events: { order.placed: { from: orders, key: { order: .data.orderId } } }\n"
        "start: { when: order.placed }\n"
        "steps:\n"
        "  authorise: { service: payments, when: order.placed, ask: payment.authorise,\n"
        "               with: '{orderId, amount: .total}', emits: payment.authorised,\n"
        "               fails: payment.declined, timeout: 2s,\n"
        "               retry: { max: 20, first: 100ms, jitter: 0 },\n"
        "               undo: { ask: payment.void, with: '{orderId}', emits: payment.voided } }\n"
        "  reserve: { service: stock, when: order.placed, ask: stock.reserve, with: '{orderId}',\n"
        "             emits: stock.reserved, fails: stock.refused, timeout: 60s, retry: 1,\n"
        "             undo: { ask: stock.release, with: '{orderId}', emits: stock.released,\n"
        "                     timeout: 60s } }\n"
        "  capture: { service: payments, after: [authorise, reserve], ask: payment.capture,\n"
        "             with: '{orderId}', emits: payment.captured, fails: payment.capture_refused,\n"
        "             undo: never, pivot: true, timeout: 60s, retry: forever }\n",
        run->topics[CRASH_ORDERS], run->topics[CRASH_PAYMENTS_ASKS], run->topics[CRASH_PAYMENTS],
        run->topics[CRASH_STOCK_ASKS], run->topics[CRASH_STOCK]);
}

static void crash_place(crash_run *run, const char *key)
{
    char json[128];
    world_order_json(json, sizeof(json), key);
    world_emit(&run->w, run->topics[CRASH_ORDERS], "order.placed", key, json);
}

static void crash_open(crash_run *run)
{
    world *w = &run->w;
    world_open_log(w, run->url, run->partitions);
    crash_settings(&w->config, run->url, run->prefix, run->partitions);
    w->now_ms = crash_now_ms();
    crash_saga(run);
    world_deploy(w, run->saga);
    for (size_t i = 0; i < 5; i++) { /* answers of payments take the inbox */
        world_topic(w, run->topics[i], i == CRASH_PAYMENTS ? 3 : (int32_t)w->config.partitions);
    }
    world_services(w, NULL, 0, run->ask_topics, 2);
    crash_serve(run);
}

static void crash_orders(crash_run *run, int orders, int kill_every_ms)
{
    world *w = &run->w;
    run->orders = orders;
    crash_start(run);
    const int64_t begun_ms = crash_now_ms();
    int64_t kill_ms = begun_ms + kill_every_ms;
    int64_t look_ms = begun_ms + 2000;
    int placed = 0;
    crash_ends ends = {.ended = 0};
    while (ends.ended < (size_t)orders) {
        const int64_t now_ms = crash_now_ms();
        w->now_ms = now_ms;
        assert_true(now_ms < begun_ms + CRASH_LIMIT_MS);
        /* Placed over some time, so that the engine dies in the middle of it again and again. */
        if (placed < orders && now_ms - begun_ms >= placed * (int64_t)run->place_every_ms) {
            char key[32];
            crash_key(placed++, key, sizeof(key));
            crash_place(run, key);
        }
        crash_serve(run);
        if (now_ms >= kill_ms && (placed < orders || run->kills < 10)) {
            (void)crash_stop(run, SIGKILL);
            run->kills++;
            crash_start(run);
            kill_ms = now_ms + (int64_t)(crash_random(run) % (uint64_t)(2 * kill_every_ms)) + 30;
        }
        if (placed == orders && now_ms >= look_ms) {
            ends = crash_look(run);
            look_ms = crash_now_ms() + 500;
        }
        base_arena_reset(&w->arena);
    }
    const int result = crash_stop(run, SIGTERM);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    print_message("%d orders, %d kills, %lld ms\n", orders, run->kills,
                  (long long)(crash_now_ms() - begun_ms));
    assert_int_equal(ends.wrong, 0);
    crash_serve(run);
    crash_check_effects(run);
    crash_check_folds(run);
}

static uint64_t crash_seed(void)
{
    const char *given = getenv("TROUPE_TEST_SEED");
    const uint64_t seed = given == NULL ? (uint64_t)crash_now_ms() : strtoull(given, NULL, 10);
    print_message("seed %llu\n", (unsigned long long)seed);
    return seed | 1;
}

#endif
