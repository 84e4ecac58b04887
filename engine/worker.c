/*
 * The walk of one event (docs/design.md, 8). engine_worker_step is the loop's body; read on from
 * there downward:
 *
 *   work         one poll, one batch, one transaction
 *     make       decide everything that was read, then what is due (engine/intake.c,
 *                engine/timers.c)
 *     write      records, events and positions, at once (engine/batch.c)
 */
#include <string.h>

#include "base/assert.h"
#include "engine/intake.h"
#include "engine/takeover.h"
#include "engine/worker_state.h"

#define BATCH_FULL                                                                                 \
    ((size_t)32 * 1024 *                                                                           \
     1024) /* of the batch's memory: then it is committed, and the rest follows */
#define REDO_MAX 4096
#define WAIT_MS_MAX 500 /* the group wants to hear of us */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- making a batch ---- */

static engine_holding *holding_of(const engine_worker *worker, const schema_record *record)
{
    const engine_context *context = &worker->context;
    const int32_t number = record->partition % context->partition_count;
    engine_holding *holding = worker->holdings[number];
    return holding != NULL && holding->phase == ENGINE_HOLDING_ACTIVE ? holding : NULL;
}

static base_status take_record(engine_worker *worker, size_t index, base_error *error)
{
    const schema_record *record = &worker->records[index];
    engine_holding *holding = holding_of(worker, record);
    if (holding == NULL || base_slice_equal(record->topic, worker->context.topics.definitions)) {
        return base_ok();
    }
    engine_partition *fold = &holding->fold;
    const size_t source = engine_partition_source(fold, record->topic, record->partition);
    if (record->offset < fold->sources[source].offset || !fold->sources[source].assigned) {
        return base_ok(); /* read before, or left over from before the partition was taken away */
    }
    worker->batch.item = index;
    return engine_intake(&worker->batch, &worker->context, fold, source, record, error);
}

static base_status take_timers(engine_worker *worker, engine_holding *holding, base_error *error)
{
    int64_t until_ms = -1;
    bool waiting = false;
    BASE_TRY(engine_timers_look(&worker->context, &holding->fold, &holding->barrier, worker->reader,
                                worker->batch.now_ms, &until_ms, &waiting, error));
    worker->waiting = worker->waiting || waiting;
    if (until_ms < 0) {
        return base_ok();
    }
    return engine_timers_fire(&worker->batch, &worker->context, &holding->fold, until_ms,
                              (size_t)worker->context.config->batch_max, error);
}

/* Sources that were read on without an entry. */
static base_status add_positions(engine_worker *worker, engine_holding *holding, base_error *error)
{
    engine_partition *fold = &holding->fold;
    schema_position *positions =
        BASE_ARENA_ARRAY(&worker->batch.arena, schema_position, fold->source_count);
    if (positions == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY,
                              "a batch needs more memory than its bound");
    }
    schema_journal journal = {
        .kind = SCHEMA_JOURNAL_POSITION, .epoch = fold->epoch, .positions = positions};
    for (size_t i = 0; i < fold->source_count; i++) {
        const engine_source *source = &fold->sources[i];
        if (source->offset > source->recorded) {
            positions[journal.position_count++] =
                (schema_position){source->topic, source->partition, source->offset};
        }
    }
    worker->batch.item = ENGINE_ITEM_NONE;
    return journal.position_count == 0
               ? base_ok()
               : engine_batch_journal(&worker->batch, &worker->context, fold, &journal, error);
}

/* Decides what was read, as far as it fits, and then what is due. */
static base_status make_once(engine_worker *worker, base_error *error)
{
    engine_batch *batch = &worker->batch;
    worker->waiting = false;
    worker->record_end = worker->record_next;
    while (worker->record_end < worker->record_count && batch->arena.used_size < BATCH_FULL) {
        BASE_TRY(take_record(worker, worker->record_end, error));
        worker->record_end++;
    }
    const bool all_read = worker->record_end == worker->record_count;
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        engine_holding *holding = worker->holdings[i];
        if (holding == NULL || holding->phase != ENGINE_HOLDING_ACTIVE) {
            continue;
        }
        if (all_read) {
            BASE_TRY(take_timers(worker, holding, error));
        }
        BASE_TRY(add_positions(worker, holding, error));
        BASE_TRY(engine_checkpoint_add(&holding->checkpoint, batch, &worker->context,
                                       &holding->fold, error));
    }
    return base_ok();
}

static void roll_back(engine_worker *worker)
{
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        engine_holding *holding = worker->holdings[i];
        if (holding != NULL && holding->phase == ENGINE_HOLDING_ACTIVE) {
            engine_partition_rollback(&holding->fold);
            engine_checkpoint_rollback(&holding->checkpoint);
        }
    }
}

/* Makes the batch; an input that cannot be handled is left out (it goes to the dead letters), and
 * all is made again. */
static base_status make(engine_worker *worker, base_error *error)
{
    base_error reason;
    for (int i = 0; i < REDO_MAX; i++) {
        base_error_clear(&reason);
        const base_status status = make_once(worker, &reason);
        if (!base_failed(status)) {
            return status;
        }
        const base_class class = base_status_class(status);
        const bool is_of_input = class == BASE_CLASS_LIMIT || class == BASE_CLASS_INPUT;
        if (!is_of_input || !engine_batch_refuse_item(&worker->batch, status.code)) {
            roll_back(worker);
            engine_batch_again(&worker->batch);
            return base_error_set(error, status.code, "%s", reason.text);
        }
        engine_log_failure(&worker->context.logger, ENGINE_LOG_ERROR, "an input cannot be handled",
                           status, &reason);
        roll_back(worker);
        engine_batch_again(&worker->batch);
        worker->context.counters.redone++;
    }
    return base_error_set(error, BASE_FATAL, "a batch cannot be made in %d attempts", REDO_MAX);
}

/* ---- writing it ---- */

/* The group's positions, for fencing and for monitors of lag; nobody reads them back. */
static base_status group_positions(const engine_worker *worker, base_arena *arena,
                                   log_position **positions_out, size_t *count_out)
{
    size_t count = 0;
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        const engine_holding *holding = worker->holdings[i];
        count += holding == NULL ? 0 : holding->fold.source_count;
    }
    log_position *positions = BASE_ARENA_ARRAY(arena, log_position, count);
    if (positions == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    count = 0;
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        const engine_holding *holding = worker->holdings[i];
        if (holding == NULL || holding->phase != ENGINE_HOLDING_ACTIVE) {
            continue;
        }
        for (size_t k = 0; k < holding->fold.source_count; k++) {
            const engine_source *source = &holding->fold.sources[k];
            if (source->offset != source->committed) {
                positions[count++] =
                    (log_position){source->topic, source->partition, source->offset};
            }
        }
    }
    *positions_out = positions;
    *count_out = count;
    return base_ok();
}

/* What the batch changed is now what is. */
static base_status committed(engine_worker *worker, base_error *error)
{
    engine_batch_committed(&worker->batch, &worker->context); /* while what it points to is there */
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        engine_holding *holding = worker->holdings[i];
        if (holding != NULL && holding->phase == ENGINE_HOLDING_ACTIVE) {
            engine_checkpoint_committed(&holding->checkpoint, &worker->batch, &worker->context,
                                        &holding->fold);
            const base_status status = engine_partition_commit(&holding->fold, error);
            if (base_failed(status)) {
                return base_status_of(BASE_FATAL);
            }
        }
    }
    worker->record_next = worker->record_end;
    worker->pending = false;
    worker->committed_ms = engine_steady_ms(&worker->context.clock);
    engine_worker_succeeded(worker);
    return base_ok();
}

base_status engine_worker_write(engine_worker *worker, base_error *error)
{
    engine_batch *batch = &worker->batch;
    worker->pending = true;
    for (int i = 0; i < REDO_MAX; i++) {
        log_position *positions = NULL;
        size_t count = 0;
        base_error reason;
        base_error_clear(&reason);
        base_status status = group_positions(worker, &batch->arena, &positions, &count);
        if (!base_failed(status) && (batch->out_count > 0 || count > 0)) {
            status = engine_batch_write(batch, &worker->context, worker->writer, worker->member,
                                        positions, count, &reason);
        }
        if (!base_failed(status)) {
            return committed(worker, error);
        }
        if (status.code != BASE_BAD_INPUT) {
            return base_error_set(error, status.code, "%s", reason.text);
        }
        roll_back(worker);
        engine_batch_again(batch);
        worker->context.counters.redone++;
        status = make(worker, error);
        if (base_failed(status)) {
            worker->pending = false; /* the records are still there: made anew by the next step */
            return status;
        }
    }
    return base_error_set(error, BASE_FATAL, "a batch cannot be written in %d attempts", REDO_MAX);
}

/* ---- one turn ---- */

/* How long there will be nothing to do, if nothing comes in. */
static int32_t wait_ms(const engine_worker *worker, int32_t timeout_ms)
{
    int64_t wait = earlier(timeout_ms, WAIT_MS_MAX);
    if (worker->record_next < worker->record_count || worker->fresh) {
        return 0;
    }
    const int64_t now_ms = engine_now_ms(&worker->context.clock);
    for (int32_t i = 0; i < worker->context.partition_count; i++) {
        const engine_holding *holding = worker->holdings[i];
        if (holding == NULL || holding->phase != ENGINE_HOLDING_ACTIVE) {
            wait = engine_takeover_waits(holding) ? 0 : wait;
            continue;
        }
        const int64_t next_ms = engine_timers_next(&holding->fold);
        if (next_ms != ENGINE_NEVER) {
            /* A timer that is due waits for input: that will come by the poll itself. */
            wait = earlier(wait, next_ms <= now_ms ? (worker->waiting ? 10 : 0) : next_ms - now_ms);
        }
        wait = earlier(
            wait, engine_checkpoint_due_in(&holding->checkpoint, &worker->context, &holding->fold));
    }
    return (int32_t)wait;
}

/* Definitions take effect before anything that was read with them. */
static void take_definitions(engine_worker *worker)
{
    engine_context *context = &worker->context;
    for (size_t i = 0; i < worker->record_count; i++) {
        const schema_record *record = &worker->records[i];
        if (base_slice_equal(record->topic, context->topics.definitions)) {
            bool changed = false;
            engine_catalog_add(&context->catalog, record, &changed);
            worker->sources.stale = worker->sources.stale || changed;
        }
    }
}

static base_status read_records(engine_worker *worker, int32_t timeout_ms, base_error *error)
{
    worker->records = NULL;
    worker->record_count = 0;
    worker->record_next = 0;
    worker->record_end = 0;
    const base_status status =
        log_reader_poll(worker->reader, timeout_ms, (size_t)worker->context.config->batch_max,
                        &worker->records, &worker->record_count, error);
    if (status.code == BASE_POSITION_LOST || status.code == BASE_NOT_FOUND) {
        worker->record_count = 0;
        base_error_clear(error);
        for (int32_t i = 0; i < worker->context.partition_count; i++) {
            engine_holding *holding = worker->holdings[i];
            if (holding != NULL && holding->phase == ENGINE_HOLDING_ACTIVE) {
                engine_sources_stop_lost(&worker->context, holding, worker->reader);
            }
        }
        return base_ok();
    }
    BASE_TRY(status);
    take_definitions(worker);
    return base_ok();
}

/* One poll, one batch, one transaction. */
static base_status work(engine_worker *worker, int32_t timeout_ms, base_error *error)
{
    const engine_context *context = &worker->context;
    if (worker->record_next == worker->record_count) {
        BASE_TRY(read_records(worker, wait_ms(worker, timeout_ms), error));
        worker->fresh = false;
    }
    engine_batch_begin(&worker->batch, engine_now_ms(&context->clock));
    BASE_TRY(make(worker, error));
    worker->idle = worker->batch.out_count == 0 && worker->record_count == 0 && !worker->waiting;
    return engine_worker_write(worker, error);
}

/* A pause that the configuration asks for between commits, so that batches grow. */
static int32_t pause_ms(const engine_worker *worker)
{
    const int64_t interval_ms = worker->context.config->commit_interval_ms;
    const int64_t since_ms = engine_steady_ms(&worker->context.clock) - worker->committed_ms;
    return since_ms < interval_ms ? (int32_t)(interval_ms - since_ms) : 0;
}

base_status engine_worker_step(engine_worker *worker, int32_t timeout_ms, base_error *error)
{
    base_error reason;
    base_error_clear(&reason);
    worker->idle = false;
    const int64_t steady_ms = engine_steady_ms(&worker->context.clock);
    if (worker->retry_at_ms > steady_ms) {
        const int64_t left_ms = worker->retry_at_ms - steady_ms;
        return engine_worker_membership(worker, (int32_t)earlier(left_ms, timeout_ms), error);
    }
    BASE_TRY(
        engine_worker_membership(worker, (int32_t)earlier(pause_ms(worker), timeout_ms), error));
    base_status status = engine_worker_bring_up(worker, &reason);
    if (base_failed(status)) {
        return engine_worker_failed(worker, "a partition cannot be taken over yet", status, error);
    }
    if (worker->writer == NULL) {
        return base_ok();
    }
    status =
        worker->pending ? engine_worker_write(worker, &reason) : work(worker, timeout_ms, &reason);
    if (base_failed(status)) {
        if (error != NULL) {
            *error = reason;
        }
        return engine_worker_failed(worker, "the log does not answer", status, error);
    }
    return status;
}
