#include "engine/checkpoint.h"

#include <inttypes.h>

#include "engine/memory.h"
#include "engine/rebuild.h"

#define SLOTS_A_BATCH 500
#define SIZE_A_BATCH ((size_t)4 * 1024 * 1024)

void engine_checkpoint_init(engine_checkpoint *checkpoint, int64_t steady_ms)
{
    *checkpoint = (engine_checkpoint){.last_ms = steady_ms};
}

void engine_checkpoint_deinit(engine_checkpoint *checkpoint)
{
    engine_memory_free((const void *)checkpoint->slots);
    engine_memory_free(checkpoint->bytes.data);
    *checkpoint = (engine_checkpoint){.running = false};
}

int64_t engine_checkpoint_due_in(const engine_checkpoint *checkpoint, const engine_context *context,
                                 const engine_partition *partition)
{
    if (checkpoint->running) {
        return 0;
    }
    if (partition->changes == 0 || checkpoint->disabled || partition->unplanned_count > 0) {
        return INT64_MAX;
    }
    if (partition->changes >= (uint64_t)context->config->snapshot_entries) {
        return 0;
    }
    const int64_t due_ms = checkpoint->last_ms + context->config->snapshot_interval_ms;
    const int64_t left_ms = due_ms - engine_steady_ms(&context->clock);
    return left_ms < 0 ? 0 : left_ms;
}

/* ---- beginning ---- */

static base_status positions_keep(engine_checkpoint *checkpoint, engine_batch *batch,
                                  const engine_partition *partition, int64_t journal_offset,
                                  base_error *error)
{
    schema_position *positions =
        BASE_ARENA_ARRAY(&batch->arena, schema_position, partition->source_count);
    if (positions == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a checkpoint");
    }
    schema_checkpoint record = {.partition = partition->number,
                                .journal_offset = journal_offset,
                                .epoch = partition->epoch,
                                .at_ms = batch->now_ms,
                                .positions = positions};
    for (size_t i = 0; i < partition->source_count; i++) {
        const engine_source *source = &partition->sources[i];
        if (source->known_committed) {
            positions[record.position_count++] =
                (schema_position){source->topic, source->partition, source->committed};
        }
    }
    base_slice bytes = {NULL, 0};
    BASE_TRY(schema_checkpoint_write(&record, &batch->arena, &bytes, error));
    engine_slot_bytes_set(&checkpoint->bytes, bytes);
    return base_ok();
}

/* Everything in the slots is committed and lies before the journal's end, for nobody else writes
 * there. */
static base_status begin(engine_checkpoint *checkpoint, engine_batch *batch,
                         const engine_context *context, engine_partition *partition,
                         base_error *error)
{
    int64_t first = 0;
    int64_t end = 0;
    BASE_TRY(
        log_range(context->store, context->topics.journal, partition->number, &first, &end, error));
    BASE_TRY(positions_keep(checkpoint, batch, partition, end, error));
    checkpoint->slot_count = 0;
    size_t bucket = 0;
    for (engine_slot *slot = engine_slots_next(&partition->slots, &bucket, NULL); slot != NULL;
         slot = engine_slots_next(&partition->slots, &bucket, slot)) {
        if (slot->state_dirty || slot->parked_dirty) {
            checkpoint->slots = (engine_slot **)engine_memory_reserve(
                (void *)checkpoint->slots, &checkpoint->slot_capacity, checkpoint->slot_count + 1,
                sizeof(engine_slot *));
            checkpoint->slots[checkpoint->slot_count++] = slot;
            slot->queued = true;
        }
    }
    checkpoint->running = true;
    checkpoint->next = 0;
    checkpoint->staged_next = 0;
    checkpoint->staged_end = false;
    checkpoint->changes = partition->changes;
    return base_ok();
}

/* ---- a batch's share ---- */

base_status engine_checkpoint_record(const engine_context *context, int32_t partition,
                                     uint64_t epoch, base_slice key, base_slice value,
                                     base_arena *arena, schema_record *record_out)
{
    schema_header *header = BASE_ARENA_NEW(arena, schema_header);
    const base_slice text = base_arena_print(arena, "%" PRIu64, epoch);
    if (header == NULL || text.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    *header = (schema_header){base_slice_of(ENGINE_SNAPSHOT_EPOCH_HEADER), text};
    *record_out = (schema_record){.topic = context->topics.snapshots,
                                  .partition = partition,
                                  .key = key,
                                  .value = value,
                                  .headers = header,
                                  .header_count = 1};
    return base_ok();
}

static base_status add(engine_batch *batch, const engine_context *context,
                       engine_partition *partition, base_slice key, base_slice value)
{
    schema_record record;
    BASE_TRY(engine_checkpoint_record(context, partition->number, partition->epoch, key, value,
                                      &batch->arena, &record));
    schema_header *headers = BASE_ARENA_ARRAY(&batch->arena, schema_header, 2);
    const base_slice order =
        base_arena_print(&batch->arena, "%" PRIu64, ++partition->snapshot_order);
    if (headers == NULL || order.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    headers[0] = record.headers[0];
    headers[1] = (schema_header){base_slice_of(ENGINE_SNAPSHOT_ORDER_HEADER), order};
    record.headers = headers;
    record.header_count = 2;
    engine_batch_add(batch, ENGINE_OUT_SNAPSHOT, &record);
    return base_ok();
}

/* The slot as the last commit made it. What was never there needs no tombstone. */
static base_status add_slot(engine_batch *batch, const engine_context *context,
                            engine_partition *partition, const engine_slot *slot)
{
    base_slice key = {NULL, 0};
    if (slot->state_dirty && (slot->state.data != NULL || slot->state_stored)) {
        BASE_TRY(engine_snapshot_key(false, slot->saga, slot->key, &batch->arena, &key));
        BASE_TRY(add(batch, context, partition, key, slot->state));
    }
    if (slot->parked_dirty && (slot->parked.data != NULL || slot->parked_stored)) {
        BASE_TRY(engine_snapshot_key(true, slot->saga, slot->key, &batch->arena, &key));
        BASE_TRY(add(batch, context, partition, key, slot->parked));
    }
    return base_ok();
}

base_status engine_checkpoint_add(engine_checkpoint *checkpoint, engine_batch *batch,
                                  const engine_context *context, engine_partition *partition,
                                  base_error *error)
{
    batch->item = ENGINE_ITEM_NONE;
    batch->timer = NULL;
    checkpoint->staged_next = checkpoint->next;
    checkpoint->staged_end = false;
    if (batch->snapshots_refused || engine_checkpoint_due_in(checkpoint, context, partition) > 0) {
        return base_ok();
    }
    if (!checkpoint->running) {
        BASE_TRY(begin(checkpoint, batch, context, partition, error));
    }
    base_status status = base_ok();
    size_t size = 0;
    while (!base_failed(status) && checkpoint->staged_next < checkpoint->slot_count &&
           size < SIZE_A_BATCH && checkpoint->staged_next - checkpoint->next < SLOTS_A_BATCH) {
        const engine_slot *slot = checkpoint->slots[checkpoint->staged_next];
        status = add_slot(batch, context, partition, slot);
        size += slot->state.size + slot->parked.size;
        checkpoint->staged_next++;
    }
    if (!base_failed(status) && checkpoint->staged_next == checkpoint->slot_count) {
        checkpoint->staged_end = true;
        status =
            add(batch, context, partition, engine_snapshot_checkpoint_key(), checkpoint->bytes);
    }
    if (base_failed(status)) {
        return base_error_set(error, status.code, "no memory for a checkpoint");
    }
    return base_ok();
}

void engine_checkpoint_rollback(engine_checkpoint *checkpoint)
{
    checkpoint->staged_next = checkpoint->next;
    checkpoint->staged_end = false;
}

static void stop(engine_checkpoint *checkpoint, engine_partition *partition)
{
    for (size_t i = checkpoint->next; i < checkpoint->slot_count; i++) {
        checkpoint->slots[i]->queued = false;
        (void)engine_partition_drop_void(partition, checkpoint->slots[i]);
    }
    checkpoint->running = false;
    checkpoint->slot_count = 0;
    checkpoint->next = 0;
    checkpoint->staged_next = 0;
}

void engine_checkpoint_committed(engine_checkpoint *checkpoint, engine_batch *batch,
                                 engine_context *context, engine_partition *partition)
{
    if (batch->snapshots_refused && checkpoint->running) {
        checkpoint->disabled = true;
        ENGINE_LOG(&context->logger, ENGINE_LOG_ERROR,
                   "no more checkpoints, the log refuses a snapshot",
                   ENGINE_NUMBER("partition", partition->number));
        stop(checkpoint, partition);
        return;
    }
    for (; checkpoint->next < checkpoint->staged_next; checkpoint->next++) {
        engine_slot *slot = checkpoint->slots[checkpoint->next];
        slot->queued = false;
        slot->state_stored = slot->state.data != NULL;
        slot->parked_stored = slot->parked.data != NULL;
        slot->state_dirty = false;
        slot->parked_dirty = false;
        (void)engine_partition_drop_void(partition, slot);
    }
    if (checkpoint->staged_end) {
        partition->changes -= checkpoint->changes;
        checkpoint->staged_end = false;
        checkpoint->last_ms = engine_steady_ms(&context->clock);
        context->counters.checkpoints++;
        stop(checkpoint, partition);
    }
}
