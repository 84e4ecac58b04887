#include "engine/takeover.h"

#include <string.h>

#include "engine/memory.h"
#include "engine/rebuild.h"

#define RECORD_MAX 2000
#define READBACK_MS_MAX 10000 /* then the claim is made again */

engine_holding *engine_takeover_new(engine_context *context, int32_t partition)
{
    engine_holding *holding = (engine_holding *)engine_memory_new(1, sizeof(engine_holding));
    engine_partition_init(&holding->fold, partition, &context->catalog, &context->logger);
    holding->begun_ms = engine_steady_ms(&context->clock);
    engine_checkpoint_init(&holding->checkpoint, holding->begun_ms);
    return holding;
}

void engine_holding_free(engine_holding *holding)
{
    if (holding != NULL) {
        engine_checkpoint_deinit(&holding->checkpoint);
        engine_tail_deinit(&holding->last);
        engine_partition_deinit(&holding->fold);
        engine_memory_free(holding);
    }
}

bool engine_takeover_waits(const engine_holding *holding)
{
    return holding != NULL && holding->phase != ENGINE_HOLDING_ACTIVE &&
           holding->phase != ENGINE_HOLDING_FAILED;
}

/* The topic that a holding reads in its phase; empty: none. */
static base_slice topic_read(const engine_context *context, engine_holding_phase phase)
{
    switch (phase) {
    case ENGINE_HOLDING_SNAPSHOTS:
        return context->topics.snapshots;
    case ENGINE_HOLDING_TAIL:
    case ENGINE_HOLDING_READBACK:
        return context->topics.journal;
    case ENGINE_HOLDING_NEW:
    case ENGINE_HOLDING_CLAIM:
    case ENGINE_HOLDING_PROOF:
    case ENGINE_HOLDING_ACTIVE:
    case ENGINE_HOLDING_FAILED:
        break;
    }
    return (base_slice){NULL, 0};
}

void engine_takeover_stop(const engine_context *context, const engine_holding *holding,
                          log_reader *reader)
{
    const base_slice topic = topic_read(context, holding->phase);
    if (topic.data != NULL && reader != NULL) {
        /* Not being assigned is what is wanted. */
        const base_status status = log_reader_unassign(reader, topic, holding->fold.number, NULL);
        (void)status;
    }
}

static base_status read_from(engine_context *context, engine_holding *holding,
                             engine_holding_phase phase, int64_t offset, log_reader *reader,
                             base_error *error)
{
    const base_slice topic = topic_read(context, phase);
    int64_t begin = 0;
    BASE_TRY(log_range(context->store, topic, holding->fold.number, &begin, &holding->end, error));
    if (offset == LOG_OFFSET_BEGIN) {
        offset = begin;
    } else if (offset < begin) {
        return base_error_set(
            error, BASE_POSITION_LOST,
            "partition %d of \"%.*s\" begins at %lld, the checkpoint needs it from %lld",
            (int)holding->fold.number, BASE_SLICE_ARG(topic), (long long)begin, (long long)offset);
    }
    BASE_TRY(log_reader_assign(reader, topic, holding->fold.number, offset, error));
    holding->phase = phase;
    return base_ok();
}

/* ---- reading ---- */

static base_status take_record(const engine_context *context, engine_holding *holding,
                               const schema_record *record, base_error *error)
{
    if (base_slice_equal(record->topic, context->topics.snapshots)) {
        return engine_rebuild_snapshot(&holding->fold, record, &holding->tail, error);
    }
    engine_tail_add(&holding->last, record, &holding->fold);
    return engine_rebuild_journal(&holding->fold, record, error);
}

static bool has_read_all(const engine_context *context, const engine_holding *holding,
                         const log_reader *reader)
{
    int64_t position = 0;
    const base_status status = log_reader_position(reader, topic_read(context, holding->phase),
                                                   holding->fold.number, &position);
    return !base_failed(status) && position >= holding->end;
}

static base_status snapshots_done(engine_context *context, engine_holding *holding,
                                  log_reader *reader, base_error *error)
{
    engine_partition *fold = &holding->fold;
    BASE_TRY(log_reader_unassign(reader, context->topics.snapshots, fold->number, error));
    if (fold->foreign_count > 0) {
        ENGINE_LOG(&context->logger, ENGINE_LOG_WARN,
                   "snapshots cannot be trusted, reading the whole journal",
                   ENGINE_NUMBER("partition", fold->number));
    }
    if (fold->foreign_count > 0 || holding->tail == LOG_OFFSET_BEGIN) {
        engine_partition_forget(fold);
        holding->tail = LOG_OFFSET_BEGIN;
    }
    BASE_TRY(engine_rebuild_timers(fold, error));
    return read_from(context, holding, ENGINE_HOLDING_TAIL, holding->tail, reader, error);
}

/* The claim was read back once the fold knows its epoch; it is ours if the fold says so, else
 * somebody claimed at the same time. A log shows what is committed a moment later, so the end is
 * looked at again. */
static base_status readback(engine_context *context, engine_holding *holding, log_reader *reader,
                            base_error *error)
{
    engine_partition *fold = &holding->fold;
    const bool late = engine_steady_ms(&context->clock) - holding->claimed_ms > READBACK_MS_MAX;
    if (fold->epoch < holding->claim_epoch && !late) {
        return base_ok();
    }
    BASE_TRY(engine_partition_commit(fold, error));
    BASE_TRY(log_reader_position(reader, context->topics.journal, fold->number, &holding->tail));
    BASE_TRY(log_reader_unassign(reader, context->topics.journal, fold->number, error));
    const bool ours =
        fold->epoch == holding->claim_epoch && base_slice_is(context->worker, fold->claimed_by);
    holding->phase = ours ? ENGINE_HOLDING_PROOF : ENGINE_HOLDING_CLAIM;
    return base_ok();
}

static base_status advance_reading(engine_context *context, engine_holding *holding,
                                   log_reader *reader, base_error *error)
{
    switch (holding->phase) {
    case ENGINE_HOLDING_NEW:
        holding->tail = LOG_OFFSET_BEGIN;
        return read_from(context, holding, ENGINE_HOLDING_SNAPSHOTS, LOG_OFFSET_BEGIN, reader,
                         error);
    case ENGINE_HOLDING_SNAPSHOTS:
        return has_read_all(context, holding, reader)
                   ? snapshots_done(context, holding, reader, error)
                   : base_ok();
    case ENGINE_HOLDING_TAIL:
        if (has_read_all(context, holding, reader)) {
            BASE_TRY(engine_partition_commit(&holding->fold, error));
            BASE_TRY(log_reader_position(reader, context->topics.journal, holding->fold.number,
                                         &holding->tail));
            BASE_TRY(
                log_reader_unassign(reader, context->topics.journal, holding->fold.number, error));
            holding->phase = ENGINE_HOLDING_CLAIM;
        }
        return base_ok();
    case ENGINE_HOLDING_READBACK:
        return readback(context, holding, reader, error);
    case ENGINE_HOLDING_CLAIM:
    case ENGINE_HOLDING_PROOF:
    case ENGINE_HOLDING_ACTIVE:
    case ENGINE_HOLDING_FAILED:
        break;
    }
    return base_ok();
}

/* What cannot be read stays so: this partition is left alone, the others go on. */
static base_status advance(engine_context *context, engine_holding *holding, log_reader *reader,
                           base_error *error)
{
    base_error reason;
    base_error_clear(&reason);
    const base_status status = advance_reading(context, holding, reader, &reason);
    if (base_status_class(status) != BASE_CLASS_INPUT) {
        return base_failed(status) ? base_error_set(error, status.code, "%s", reason.text) : status;
    }
    engine_takeover_stop(context, holding, reader);
    holding->phase = ENGINE_HOLDING_FAILED;
    engine_log_failure(&context->logger, ENGINE_LOG_ERROR, "a partition cannot be taken over",
                       status, &reason);
    return base_ok();
}

static base_status read_some(engine_context *context, engine_holding *const *holdings, size_t count,
                             log_reader *reader, int32_t timeout_ms, base_error *error)
{
    const schema_record *records = NULL;
    size_t record_count = 0;
    BASE_TRY(log_reader_poll(reader, timeout_ms, RECORD_MAX, &records, &record_count, error));
    for (size_t i = 0; i < record_count; i++) {
        const int32_t partition = records[i].partition;
        if (partition >= 0 && (size_t)partition < count &&
            engine_takeover_waits(holdings[partition])) {
            BASE_TRY(take_record(context, holdings[partition], &records[i], error));
        }
    }
    return base_ok();
}

/* ---- claiming ---- */

static base_status append_claim(engine_context *context, engine_holding *holding, base_arena *arena,
                                log_writer *writer, base_error *error)
{
    const uint64_t known = holding->fold.epoch > holding->fold.snapshot_epoch
                               ? holding->fold.epoch
                               : holding->fold.snapshot_epoch;
    const int64_t now_ms = engine_now_ms(&context->clock);
    holding->claim_epoch = known + 1;
    const schema_journal claim = {.kind = SCHEMA_JOURNAL_CLAIM,
                                  .epoch = holding->claim_epoch,
                                  .claim = {.worker = context->worker, .at_ms = now_ms}};
    base_slice bytes = {NULL, 0};
    BASE_TRY(schema_journal_write(&claim, arena, &bytes, error));
    schema_record record = {.topic = context->topics.journal,
                            .partition = holding->fold.number,
                            .time_ms = now_ms,
                            .value = bytes};
    BASE_TRY(log_writer_append(writer, &record, error));
    if (base_failed(engine_checkpoint_record(context, holding->fold.number, holding->claim_epoch,
                                             engine_snapshot_claim_key(), context->worker, arena,
                                             &record))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a claim");
    }
    record.time_ms = now_ms;
    return log_writer_append(writer, &record, error);
}

/* The group's position goes along, so that a worker that was expelled cannot claim. */
static log_position inbox_position(const engine_context *context, engine_partition *fold)
{
    const size_t index = engine_partition_source(fold, context->topics.inbox, fold->number);
    return (log_position){context->topics.inbox, fold->number, fold->sources[index].offset};
}

/* All that are ready claim in one transaction, then read on from where they stopped. */
static base_status claim(engine_context *context, engine_holding *const *holdings, size_t count,
                         log_reader *reader, log_writer *writer, log_member *member,
                         base_error *error)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    log_position *positions = (log_position *)engine_memory_new(count, sizeof(log_position));
    base_status status = base_ok();
    size_t claimed = 0;
    size_t refused = 0;
    for (size_t i = 0; i < count && !base_failed(status); i++) {
        if (holdings[i] != NULL && holdings[i]->phase == ENGINE_HOLDING_CLAIM) {
            status = append_claim(context, holdings[i], &arena, writer, error);
            positions[claimed++] = inbox_position(context, &holdings[i]->fold);
            holdings[i]->claimed_ms = engine_steady_ms(&context->clock);
        }
    }
    if (claimed > 0 && !base_failed(status)) {
        status = log_writer_commit(writer, member, positions, claimed, NULL, &refused, error);
    } else if (claimed > 0) {
        const base_status aborted = log_writer_abort(writer, NULL);
        status = base_failed(aborted) ? aborted : status;
    }
    base_arena_deinit(&arena);
    engine_memory_free(positions);
    if (base_failed(status) || claimed == 0) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        if (holdings[i] != NULL && holdings[i]->phase == ENGINE_HOLDING_CLAIM) {
            BASE_TRY(read_from(context, holdings[i], ENGINE_HOLDING_READBACK, holdings[i]->tail,
                               reader, error));
        }
    }
    return base_ok();
}

/* ---- proving ---- */

static base_status prove(engine_context *context, engine_holding *holding, log_writer *writer,
                         base_error *error)
{
    size_t missing = 0;
    BASE_TRY(engine_proof(context, &holding->fold, &holding->last, writer, &missing, error));
    engine_tail_deinit(&holding->last);
    holding->phase = ENGINE_HOLDING_ACTIVE;
    holding->checkpoint.last_ms = engine_steady_ms(&context->clock);
    context->counters.takeovers++;
    ENGINE_LOG(&context->logger, ENGINE_LOG_INFO, "partition taken over",
               ENGINE_NUMBER("partition", holding->fold.number),
               ENGINE_NUMBER("epoch", holding->fold.epoch),
               ENGINE_NUMBER("instances", holding->fold.slots.count),
               ENGINE_NUMBER("entries", holding->fold.counters.entries),
               ENGINE_NUMBER("outdated", holding->fold.counters.outdated),
               ENGINE_NUMBER("republished", missing),
               ENGINE_NUMBER("ms", engine_steady_ms(&context->clock) - holding->begun_ms));
    return base_ok();
}

base_status engine_takeover_step(engine_context *context, engine_holding *const *holdings,
                                 size_t count, log_reader *reader, log_writer *writer,
                                 log_member *member, int32_t timeout_ms, base_error *error)
{
    bool reading = false;
    for (size_t i = 0; i < count; i++) {
        if (engine_takeover_waits(holdings[i])) {
            BASE_TRY(advance(context, holdings[i], reader, error));
            reading = reading || topic_read(context, holdings[i]->phase).data != NULL;
        }
    }
    if (reading) {
        BASE_TRY(read_some(context, holdings, count, reader, timeout_ms, error));
        for (size_t i = 0; i < count; i++) {
            if (engine_takeover_waits(holdings[i])) {
                BASE_TRY(advance(context, holdings[i], reader, error));
            }
        }
    }
    BASE_TRY(claim(context, holdings, count, reader, writer, member, error));
    for (size_t i = 0; i < count; i++) {
        if (holdings[i] != NULL && holdings[i]->phase == ENGINE_HOLDING_PROOF) {
            BASE_TRY(prove(context, holdings[i], writer, error));
        }
    }
    return base_ok();
}
