/*
 * The worker's life: joining, partitions that come and go, failures.
 *
 *   class of a failure     what is done
 *   RETRY                  pause and try the same again; said once, and once when it is over
 *   FENCED, UNKNOWN        let go of all partitions and of the writer; a new writer, new claims,
 * new folds INPUT, LIMIT, FATAL    given back: there is no going on
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "engine/memory.h"
#include "engine/takeover.h"
#include "engine/worker_state.h"

#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS 5000
#define TOPICS_TIMEOUT_MS 30000
#define TAKEOVER_WAIT_MS 20

/* ---- opening and closing ---- */

static base_status context_open(engine_context *context, const engine_worker_options *options,
                                base_error *error)
{
    context->config = options->config;
    context->store = options->store;
    context->clock = options->clock;
    context->logger = options->logger;
    context->partition_count = (int32_t)options->config->partitions;
    base_arena_init(&context->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    engine_catalog_init(&context->catalog, options->store, &context->topics, &context->logger);
    context->worker = base_arena_copy(&context->arena, options->name);
    context->command_prefix =
        base_arena_print(&context->arena, "%.*s.command.", BASE_SLICE_ARG(options->config->prefix));
    if (context->worker.data == NULL || context->command_prefix.data == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a worker");
    }
    BASE_TRY(engine_topics_name(options->config->prefix, &context->arena, &context->topics));
    BASE_TRY(engine_topics_ensure(context->store, &context->topics, context->partition_count,
                                  (int16_t)options->config->replication,
                                  options->config->create_topics, TOPICS_TIMEOUT_MS, error));
    return engine_catalog_read(&context->catalog, error);
}

static base_status join(engine_worker *worker, base_error *error)
{
    const engine_config *config = worker->context.config;
    const log_member_options options = {.group = config->group,
                                        .topics = &worker->context.topics.inbox,
                                        .topic_count = 1,
                                        .identity = config->identity,
                                        .session_timeout_ms = (int32_t)config->session_timeout_ms};
    BASE_TRY(log_reader_open(worker->context.store, &worker->reader, error));
    BASE_TRY(log_reader_open(worker->context.store, &worker->scanner, error));
    const int64_t next = worker->context.catalog.next_offset;
    BASE_TRY(log_reader_assign(worker->reader, worker->context.topics.definitions, 0, next, error));
    return log_member_open(worker->context.store, &options, &worker->member, error);
}

base_status engine_worker_open(const engine_worker_options *options, engine_worker **worker_out,
                               base_error *error)
{
    engine_worker *worker = (engine_worker *)engine_memory_new(1, sizeof(engine_worker));
    engine_batch_init(&worker->batch);
    engine_sources_init(&worker->sources);
    base_status status = context_open(&worker->context, options, error);
    if (!base_failed(status)) {
        worker->holdings = (engine_holding **)engine_memory_new(
            (size_t)worker->context.partition_count, sizeof(engine_holding *));
        status = join(worker, error);
    }
    if (base_failed(status)) {
        engine_worker_close(worker, true);
        return status;
    }
    *worker_out = worker;
    return status;
}

static void drop(engine_worker *worker, int32_t partition)
{
    engine_holding *holding = worker->holdings[partition];
    if (holding != NULL) {
        engine_takeover_stop(&worker->context, holding, worker->scanner);
        engine_sources_unassign(holding, worker->reader);
        engine_holding_free(holding);
        worker->holdings[partition] = NULL;
    }
}

void engine_worker_close(engine_worker *worker, bool leave)
{
    if (worker == NULL) {
        return;
    }
    if (worker->pending && worker->writer != NULL) {
        const base_status status = engine_worker_write(worker, NULL);
        (void)status; /* what is not written is read again by whoever comes next */
    }
    for (int32_t i = 0; worker->holdings != NULL && i < worker->context.partition_count; i++) {
        drop(worker, i);
    }
    log_writer_close(worker->writer);
    log_reader_close(worker->scanner);
    log_reader_close(worker->reader);
    log_member_close(worker->member, leave);
    engine_memory_free((const void *)worker->holdings);
    engine_batch_deinit(&worker->batch);
    engine_sources_deinit(&worker->sources);
    engine_catalog_deinit(&worker->context.catalog);
    base_arena_deinit(&worker->context.arena);
    engine_memory_free(worker);
}

/* ---- failures ---- */

void engine_worker_succeeded(engine_worker *worker)
{
    if (worker->retry_at_ms != 0) {
        ENGINE_LOG(&worker->context.logger, ENGINE_LOG_INFO, "going on",
                   ENGINE_WORD("reason", "what had failed works again"));
    }
    worker->retry_at_ms = 0;
    worker->retry_pause_ms = 0;
}

/* Reads again, from where the folds stand, what was read and is not committed. */
static void read_again(engine_worker *worker)
{
    worker->records = NULL;
    worker->record_count = 0;
    worker->record_next = 0;
    worker->record_end = 0;
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        const engine_holding *holding = worker->holdings[i];
        for (size_t k = 0; holding != NULL && k < holding->fold.source_count; k++) {
            engine_source *source = &holding->fold.sources[k];
            if (source->assigned && !source->stopped) {
                const base_status status = log_reader_assign(
                    worker->reader, source->topic, source->partition, source->committed, NULL);
                source->assigned = !base_failed(status);
                worker->sources.stale = true;
            }
        }
    }
}

void engine_worker_rewind(engine_worker *worker)
{
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        engine_holding *holding = worker->holdings[i];
        if (holding != NULL && holding->phase == ENGINE_HOLDING_ACTIVE) {
            engine_partition_rollback(&holding->fold);
            engine_checkpoint_rollback(&holding->checkpoint);
        }
    }
    engine_batch_again(&worker->batch);
    worker->pending = false;
    read_again(worker);
}

/* Nobody knows what is on the log: begin anew with all partitions, as if they had just been given.
 */
static void begin_anew(engine_worker *worker)
{
    log_writer_close(worker->writer);
    worker->writer = NULL;
    engine_worker_rewind(worker);
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        if (worker->holdings[i] != NULL) {
            drop(worker, i);
            worker->holdings[i] = engine_takeover_new(&worker->context, i);
        }
    }
}

static void pause(engine_worker *worker)
{
    worker->retry_pause_ms =
        worker->retry_pause_ms == 0 ? PAUSE_FIRST_MS : worker->retry_pause_ms * 2;
    if (worker->retry_pause_ms > PAUSE_MAX_MS) {
        worker->retry_pause_ms = PAUSE_MAX_MS;
    }
    worker->retry_at_ms = engine_steady_ms(&worker->context.clock) + worker->retry_pause_ms;
}

base_status engine_worker_failed(engine_worker *worker, const char *what, base_status status,
                                 base_error *error)
{
    const base_class class = base_status_class(status);
    const bool first = worker->retry_at_ms == 0;
    switch (class) {
    case BASE_CLASS_RETRY:
    case BASE_CLASS_CONFLICT:
        engine_log_failure(&worker->context.logger, first ? ENGINE_LOG_WARN : ENGINE_LOG_DEBUG,
                           what, status, error);
        pause(worker);
        break;
    case BASE_CLASS_FENCED:
    case BASE_CLASS_UNKNOWN:
        engine_log_failure(&worker->context.logger, first ? ENGINE_LOG_WARN : ENGINE_LOG_DEBUG,
                           "beginning anew with all partitions", status, error);
        begin_anew(worker);
        pause(worker);
        break;
    case BASE_CLASS_OK:
    case BASE_CLASS_INPUT:
    case BASE_CLASS_LIMIT:
    case BASE_CLASS_FATAL:
        engine_log_failure(&worker->context.logger, ENGINE_LOG_ERROR, what, status, error);
        return status;
    }
    base_error_clear(error);
    return base_ok();
}

/* ---- the group ---- */

static void assigned(engine_worker *worker, const log_member_event *event)
{
    for (size_t i = 0; i < event->partition_count; i++) {
        const int32_t partition = event->partitions[i].partition;
        if (partition >= 0 && partition < worker->context.partition_count &&
            worker->holdings[partition] == NULL) {
            worker->holdings[partition] = engine_takeover_new(&worker->context, partition);
        }
    }
    worker->sources.stale = true;
    ENGINE_LOG(&worker->context.logger, ENGINE_LOG_INFO, "partitions assigned",
               ENGINE_NUMBER("count", event->partition_count));
}

/* A batch that is made can still be written when the partitions are only to be given back; not when
 * they are lost. */
static void taken_away(engine_worker *worker, const log_member_event *event)
{
    if (event->kind == LOG_MEMBER_REVOKED && worker->pending && worker->writer != NULL) {
        const base_status status = engine_worker_write(worker, NULL);
        (void)status; /* what is not written is read again by whoever gets them */
    }
    engine_worker_rewind(worker);
    for (size_t i = 0; i < event->partition_count; i++) {
        const int32_t partition = event->partitions[i].partition;
        if (partition >= 0 && partition < worker->context.partition_count) {
            drop(worker, partition);
        }
    }
    ENGINE_LOG(&worker->context.logger, ENGINE_LOG_INFO,
               event->kind == LOG_MEMBER_REVOKED ? "partitions given back" : "partitions lost",
               ENGINE_NUMBER("count", event->partition_count));
}

base_status engine_worker_membership(engine_worker *worker, int32_t timeout_ms, base_error *error)
{
    log_member_event event = {.kind = LOG_MEMBER_NOTHING};
    base_error reason;
    base_error_clear(&reason);
    const base_status status = log_member_poll(worker->member, timeout_ms, &event, &reason);
    if (status.code == BASE_FENCED) {
        const base_status fenced =
            base_error_set(error, BASE_FENCED, "another worker runs with the identity \"%.*s\"",
                           BASE_SLICE_ARG(worker->context.config->identity));
        base_error_hint(error, "give each its own, or none");
        return fenced;
    }
    if (base_failed(status)) {
        return engine_worker_failed(worker, "the group does not answer", status, &reason);
    }
    switch (event.kind) {
    case LOG_MEMBER_NOTHING:
        break;
    case LOG_MEMBER_ASSIGNED:
        assigned(worker, &event);
        break;
    case LOG_MEMBER_REVOKED:
    case LOG_MEMBER_LOST:
        taken_away(worker, &event);
        return log_member_release(worker->member, error);
    }
    return base_ok();
}

/* ---- bringing partitions up ---- */

static base_status writer_open(engine_worker *worker, base_error *error)
{
    const engine_config *config = worker->context.config;
    char identity[256];
    (void)snprintf(
        identity, sizeof(identity), "%.*s-%.*s", BASE_SLICE_ARG(config->prefix),
        BASE_SLICE_ARG(config->identity.size > 0 ? config->identity : worker->context.worker));
    const log_writer_options options = {.identity = base_slice_of(identity),
                                        .transaction_timeout_ms =
                                            (int32_t)config->transaction_timeout_ms};
    return log_writer_open(worker->context.store, &options, &worker->writer, error);
}

static bool any_in_takeover(const engine_worker *worker)
{
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        if (engine_takeover_waits(worker->holdings[i])) {
            return true;
        }
    }
    return false;
}

/* Records where new sources begin, in a transaction of its own, then reads them. */
static base_status sources_refresh(engine_worker *worker, base_error *error)
{
    engine_batch *batch = &worker->batch;
    bool any_new = false;
    BASE_TRY(engine_sources_look(&worker->sources, &worker->context, error));
    engine_batch_begin(batch, engine_now_ms(&worker->context.clock));
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        engine_holding *holding = worker->holdings[i];
        if (holding != NULL && holding->phase == ENGINE_HOLDING_ACTIVE) {
            bool is_new = false;
            const base_status status = engine_sources_record(&worker->sources, &worker->context,
                                                             batch, holding, &is_new, error);
            if (base_failed(status)) {
                engine_worker_rewind(worker);
                worker->sources.stale = true;
                return status;
            }
            any_new = any_new || is_new;
        }
    }
    worker->record_end = worker->record_next;
    if (any_new) {
        const base_status status = engine_worker_write(worker, error);
        if (base_failed(status)) {
            engine_worker_rewind(worker);
            worker->sources.stale = true;
            return status;
        }
    }
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        engine_holding *holding = worker->holdings[i];
        if (holding != NULL && holding->phase == ENGINE_HOLDING_ACTIVE) {
            BASE_TRY(engine_sources_assign(&worker->sources, &worker->context, holding,
                                           worker->reader, error));
        }
    }
    return base_ok();
}

base_status engine_worker_bring_up(engine_worker *worker, base_error *error)
{
    if (worker->writer == NULL) {
        BASE_TRY(writer_open(worker, error));
    }
    if (any_in_takeover(worker)) {
        size_t before = 0;
        size_t after = 0;
        size_t waiting = 0;
        engine_worker_partitions(worker, &before, &waiting);
        BASE_TRY(engine_takeover_step(&worker->context, worker->holdings,
                                      (size_t)worker->context.partition_count, worker->scanner,
                                      worker->writer, worker->member,
                                      before == 0 ? TAKEOVER_WAIT_MS : 0, error));
        engine_worker_partitions(worker, &after, &waiting);
        worker->fresh = after != before;
        worker->sources.stale = worker->sources.stale || worker->fresh;
    }
    if (worker->pending || !engine_sources_due(&worker->sources, &worker->context)) {
        return base_ok();
    }
    return sources_refresh(worker, error);
}

/* ---- looking ---- */

void engine_worker_wake(engine_worker *worker)
{
    log_reader_wake(worker->reader);
}

const engine_counters *engine_worker_counters(const engine_worker *worker)
{
    return &worker->context.counters;
}

void engine_worker_partitions(const engine_worker *worker, size_t *active_out, size_t *waiting_out)
{
    *active_out = 0;
    *waiting_out = 0;
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        const engine_holding *holding = worker->holdings[i];
        if (holding != NULL && holding->phase == ENGINE_HOLDING_ACTIVE) {
            (*active_out)++;
        } else if (engine_takeover_waits(holding)) {
            (*waiting_out)++;
        }
    }
}

engine_partition *engine_worker_partition(const engine_worker *worker, int32_t partition)
{
    engine_holding *holding = partition >= 0 && partition < worker->context.partition_count
                                  ? worker->holdings[partition]
                                  : NULL;
    return holding != NULL && holding->phase == ENGINE_HOLDING_ACTIVE ? &holding->fold : NULL;
}

bool engine_worker_idle(const engine_worker *worker)
{
    return worker->idle && !worker->pending && !any_in_takeover(worker);
}

int64_t engine_worker_next_timer_ms(const engine_worker *worker)
{
    int64_t next_ms = INT64_MAX;
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        const engine_holding *holding = worker->holdings[i];
        if (holding != NULL && holding->phase == ENGINE_HOLDING_ACTIVE &&
            engine_timers_next(&holding->fold) < next_ms) {
            next_ms = engine_timers_next(&holding->fold);
        }
    }
    return next_ms;
}
