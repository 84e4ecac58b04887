#include "engine/partition.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "engine/memory.h"
#include "engine/wire.h"
#include "saga/decide.h"
#include "saga/route.h"

#define WORKING_ARENA_SIZE_MAX ((size_t)512 * 1024 * 1024)
#define SCRATCH_ARENA_SIZE_MAX ((size_t)256 * 1024 * 1024)
#define FOLD_ARENA_FULL                                                                            \
    ((size_t)8 * 1024 * 1024) /* a fold writes its copies back when it used so much */

void engine_partition_init(engine_partition *partition, int32_t number, engine_catalog *catalog,
                           const engine_logger *logger)
{
    memset(partition, 0, sizeof(*partition));
    partition->number = number;
    partition->catalog = catalog;
    partition->logger = logger;
    engine_slots_init(&partition->slots);
    base_arena_init(&partition->arena, WORKING_ARENA_SIZE_MAX);
    base_arena_init(&partition->scratch, SCRATCH_ARENA_SIZE_MAX);
}

void engine_partition_deinit(engine_partition *partition)
{
    engine_slots_deinit(&partition->slots);
    for (size_t i = 0; i < partition->source_count; i++) {
        engine_memory_free(partition->sources[i].topic.data);
    }
    engine_memory_free(partition->sources);
    base_arena_deinit(&partition->arena);
    base_arena_deinit(&partition->scratch);
    memset(partition, 0, sizeof(*partition));
}

void engine_partition_forget(engine_partition *partition)
{
    engine_partition empty;
    engine_partition_init(&empty, partition->number, partition->catalog, partition->logger);
    empty.snapshot_epoch = partition->snapshot_epoch;
    size_t bucket = 0;
    for (const engine_slot *slot = engine_slots_next(&partition->slots, &bucket, NULL);
         slot != NULL; slot = engine_slots_next(&partition->slots, &bucket, slot)) {
        engine_slot *kept = engine_slots_put(&empty.slots, slot->saga, slot->key);
        kept->state_stored = slot->state_stored;
        kept->parked_stored = slot->parked_stored;
        kept->state_dirty = slot->state_stored;
        kept->parked_dirty = slot->parked_stored;
    }
    engine_partition_deinit(partition);
    *partition = empty;
}

static base_status no_memory(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "a batch needs more memory than its bound");
}

/* ---- sources ---- */

size_t engine_partition_source(engine_partition *partition, base_slice topic,
                               int32_t source_partition)
{
    for (size_t i = 0; i < partition->source_count; i++) {
        const engine_source *source = &partition->sources[i];
        if (source->partition == source_partition && base_slice_equal(source->topic, topic)) {
            return i;
        }
    }
    partition->sources =
        (engine_source *)engine_memory_reserve(partition->sources, &partition->source_capacity,
                                               partition->source_count + 1, sizeof(engine_source));
    partition->sources[partition->source_count] = (engine_source){
        .topic = engine_memory_copy(topic), .partition = source_partition, .barrier = -1};
    return partition->source_count++;
}

engine_source *engine_partition_source_of(engine_partition *partition, base_slice topic,
                                          int32_t source_partition)
{
    const size_t index = engine_partition_source(partition, topic, source_partition);
    return &partition->sources[index];
}

static void positions_apply(engine_partition *partition, const schema_position *positions,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        engine_source *source =
            engine_partition_source_of(partition, positions[i].topic, positions[i].partition);
        source->known = true;
        if (source->offset < positions[i].offset) {
            source->offset = positions[i].offset;
        }
        if (source->recorded < positions[i].offset) {
            source->recorded = positions[i].offset;
        }
    }
}

/* ---- working copies ---- */

static base_status working_fill(engine_partition *partition, engine_working *working,
                                base_error *error)
{
    const engine_slot *slot = working->slot;
    if (slot->state.data != NULL) {
        BASE_TRY(schema_snapshot_read(slot->state, &partition->arena, &working->state, error));
        working->has_state = true;
        working->plan = engine_catalog_plan(partition->catalog, working->state.plan_hash);
    } else {
        saga_state_init(&working->state);
    }
    if (slot->parked.data != NULL) {
        BASE_TRY(schema_parked_read(slot->parked, &partition->arena, &working->parked,
                                    &working->parked_count, error));
        working->parked_capacity = working->parked_count;
    }
    return base_ok();
}

static base_status slot_load(engine_partition *partition, engine_slot *slot,
                             engine_working **working_out, base_error *error)
{
    if (slot->working == NULL) {
        engine_working *working = BASE_ARENA_NEW(&partition->arena, engine_working);
        if (working == NULL) {
            return no_memory(error);
        }
        working->slot = slot;
        working->timer_taken = ENGINE_NEVER;
        BASE_TRY(working_fill(partition, working, error));
        slot->working = working;
        if (partition->working_last == NULL) {
            partition->working_first = working;
        } else {
            partition->working_last->next = working;
        }
        partition->working_last = working;
    }
    *working_out = slot->working;
    return base_ok();
}

base_status engine_partition_load(engine_partition *partition, base_slice saga, base_slice key,
                                  engine_working **working_out, base_error *error)
{
    engine_slot *slot = engine_slots_put(&partition->slots, saga, key);
    const base_status status = slot_load(partition, slot, working_out, error);
    if (base_failed(status) && slot->state.data == NULL && slot->parked.data == NULL) {
        engine_slots_remove(&partition->slots, slot);
    }
    return status;
}

base_status engine_partition_peek(engine_partition *partition, base_slice saga, base_slice key,
                                  engine_working **working_out, base_error *error)
{
    engine_slot *slot = engine_slots_find(&partition->slots, saga, key);
    if (slot == NULL) {
        *working_out = NULL;
        return base_ok();
    }
    return slot_load(partition, slot, working_out, error);
}

/* ---- parked events ---- */

static bool same_cause(const schema_cause *a, const schema_cause *b)
{
    return a->offset == b->offset && a->partition == b->partition &&
           base_slice_equal(a->topic, b->topic);
}

static void parked_remove(engine_partition *partition, engine_working *working,
                          const schema_cause *cause)
{
    for (size_t i = 0; i < working->parked_count; i++) {
        if (same_cause(&working->parked[i].cause, cause)) {
            working->parked_count--;
            memmove(&working->parked[i], &working->parked[i + 1],
                    (working->parked_count - i) * sizeof(schema_parked));
            working->parked_changed = true;
            partition->parked_count--;
            return;
        }
    }
}

/* Copies what a parked event points to. */
static base_status parked_keep(base_arena *arena, const schema_parked *parked, schema_parked *out)
{
    *out = *parked;
    out->cause.topic = base_arena_copy(arena, parked->cause.topic);
    if (out->cause.topic.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    return engine_wire_copy(&parked->record, arena, &out->record);
}

static base_status parked_add(engine_partition *partition, engine_working *working,
                              const schema_parked *parked, base_error *error)
{
    for (size_t i = 0; i < working->parked_count; i++) {
        if (same_cause(&working->parked[i].cause, &parked->cause)) {
            return base_ok(); /* the snapshot had it already */
        }
    }
    if (working->parked_count == working->parked_capacity) {
        const size_t capacity = working->parked_capacity == 0 ? 4 : working->parked_capacity * 2;
        void *grown = base_arena_grow(&partition->arena, working->parked,
                                      working->parked_capacity * sizeof(schema_parked),
                                      capacity * sizeof(schema_parked));
        if (grown == NULL) {
            return no_memory(error);
        }
        working->parked = (schema_parked *)grown;
        working->parked_capacity = capacity;
    }
    if (base_failed(
            parked_keep(&partition->arena, parked, &working->parked[working->parked_count]))) {
        return no_memory(error);
    }
    working->parked_count++;
    working->parked_changed = true;
    partition->parked_count++;
    return base_ok();
}

base_status engine_partition_apply_aside(engine_partition *partition, const schema_aside *aside,
                                         base_error *error)
{
    engine_working *working = NULL;
    BASE_TRY(engine_partition_load(partition, aside->saga, aside->key, &working, error));
    switch (aside->kind) {
    case SCHEMA_ASIDE_PARK:
        BASE_TRY(parked_add(partition, working, &aside->parked, error));
        break;
    case SCHEMA_ASIDE_DROP:
        parked_remove(partition, working, &aside->cause);
        break;
    case SCHEMA_ASIDE_FORGET:
        working->has_state = false;
        working->state_changed = true;
        working->plan = NULL;
        saga_state_init(&working->state);
        break;
    case SCHEMA_ASIDE_COUNT:
        break;
    }
    positions_apply(partition, aside->positions, aside->position_count);
    partition->changes++;
    return base_ok();
}

/* ---- entries ---- */

/* Sets the instance aside: it takes no more entries, and is shown as stuck. */
static base_status gap_mark(engine_partition *partition, engine_working *working,
                            const saga_entry *entry, base_error *error)
{
    saga_state *state = &working->state;
    if ((state->flags & SAGA_FLAG_JOURNAL_GAP) != 0) {
        return base_ok();
    }
    ENGINE_LOG(partition->logger, ENGINE_LOG_ERROR, "instance set aside, its journal has a gap",
               ENGINE_NUMBER("partition", partition->number), ENGINE_TEXT("saga", entry->saga),
               ENGINE_TEXT("key", entry->key), ENGINE_NUMBER("seq", state->seq),
               ENGINE_NUMBER("next_seq", entry->seq));
    partition->counters.gaps++;
    if (!working->has_state) {
        state->saga = base_arena_copy(&partition->arena, entry->saga);
        state->key = base_arena_copy(&partition->arena, entry->key);
        memcpy(state->plan_hash, entry->plan_hash, sizeof(state->plan_hash));
        state->incarnation = entry->incarnation;
        state->started_ms = entry->at_ms;
        state->at_ms = entry->at_ms;
        state->phase = SAGA_PHASE_RUNNING;
        const base_status named = saga_instance_id(entry->saga, entry->incarnation, entry->key,
                                                   &partition->arena, &state->id);
        if (state->saga.data == NULL || state->key.data == NULL || base_failed(named)) {
            return no_memory(error);
        }
        working->has_state = true;
        working->plan = engine_catalog_plan(partition->catalog, entry->plan_hash);
    }
    state->flags |= SAGA_FLAG_JOURNAL_GAP;
    working->state_changed = true;
    return base_ok();
}

static base_status entry_evolve(engine_partition *partition, engine_working *working,
                                const saga_entry *entry, base_error *error)
{
    if ((working->state.flags & SAGA_FLAG_JOURNAL_GAP) != 0 || working->slot->unplanned) {
        return base_ok();
    }
    const engine_plan *plan = engine_catalog_plan(partition->catalog, entry->plan_hash);
    if (plan == NULL) {
        if (!working->slot->unplanned) {
            ENGINE_LOG(
                partition->logger, ENGINE_LOG_ERROR, "instance set aside, its plan is not known",
                ENGINE_NUMBER("partition", partition->number), ENGINE_TEXT("saga", entry->saga),
                ENGINE_TEXT("key", entry->key), ENGINE_WORD("plan", entry->plan_hash));
        }
        working->slot->unplanned = true;
        partition->unplanned_count++;
        return base_ok();
    }
    const base_status status = saga_evolve(plan->plan, &working->state, entry, &partition->arena);
    if (status.code == BASE_EXISTS) {
        partition->counters.duplicates++;
        return base_ok();
    }
    if (status.code == BASE_CONFLICT || status.code == BASE_CORRUPT) {
        return gap_mark(partition, working, entry, error);
    }
    if (base_failed(status)) {
        return base_error_set(error, status.code, "an entry of \"%.*s\" cannot be folded",
                              BASE_SLICE_ARG(entry->key));
    }
    partition->counters.entries++;
    working->has_state = true;
    working->state_changed = true;
    working->plan = plan;
    return base_ok();
}

static base_status apply_entry(engine_partition *partition, const schema_journal *journal,
                               base_error *error)
{
    const saga_entry *entry = &journal->entry;
    engine_working *working = NULL;
    BASE_TRY(engine_partition_load(partition, entry->saga, entry->key, &working, error));
    if (working->parked_count > 0) {
        parked_remove(partition, working, &journal->cause);
    }
    return entry_evolve(partition, working, entry, error);
}

base_status engine_partition_apply(engine_partition *partition, const schema_journal *journal,
                                   base_error *error)
{
    switch (journal->kind) {
    case SCHEMA_JOURNAL_ENTRY:
        BASE_TRY(apply_entry(partition, journal, error));
        partition->changes++;
        break;
    case SCHEMA_JOURNAL_CLAIM:
        if (journal->epoch > partition->epoch) {
            partition->epoch = journal->epoch;
            (void)snprintf(partition->claimed_by, sizeof(partition->claimed_by), "%.*s",
                           BASE_SLICE_ARG(journal->claim.worker));
        }
        break;
    case SCHEMA_JOURNAL_POSITION:
        break;
    }
    positions_apply(partition, journal->positions, journal->position_count);
    return base_ok();
}

/* ---- commit and rollback ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool engine_partition_drop_void(engine_partition *partition, engine_slot *slot)
{
    if (slot->state.data != NULL || slot->parked.data != NULL || slot->state_stored ||
        slot->parked_stored || slot->unplanned || slot->queued || slot->working != NULL) {
        return false;
    }
    engine_slots_remove(&partition->slots, slot);
    return true;
}

int64_t engine_partition_end_ms(const engine_working *working)
{
    const saga_state *state = &working->state;
    if (!working->has_state || working->plan == NULL || !saga_state_ended(state) ||
        (state->flags & SAGA_FLAG_JOURNAL_GAP) != 0) {
        return ENGINE_NEVER;
    }
    const int64_t retain_ms = working->plan->plan->retain_ms;
    /* The tombstone is kept for `retain` again (10). */
    return (state->flags & SAGA_FLAG_PURGED) != 0
               ? state->at_ms + retain_ms
               : state->ended_ms + retain_ms + ENGINE_PURGE_AFTER_MS;
}

static int64_t working_timer(const engine_working *working)
{
    int64_t timer_ms = ENGINE_NEVER;
    for (size_t i = 0; i < working->parked_count; i++) {
        timer_ms = earlier(timer_ms, working->parked[i].until_ms);
    }
    if (!working->has_state || working->plan == NULL || working->slot->unplanned) {
        return timer_ms;
    }
    const saga_state *state = &working->state;
    const saga_timer *timer = saga_state_next_timer(state);
    if (timer != NULL) {
        timer_ms = earlier(timer_ms, timer->due_ms);
    }
    return earlier(timer_ms, engine_partition_end_ms(working));
}

static base_status working_commit(engine_partition *partition, engine_working *working,
                                  base_error *error)
{
    engine_slot *slot = working->slot;
    base_slice bytes = {NULL, 0};
    slot->working = NULL;
    if (working->state_changed) {
        if (working->has_state) {
            BASE_TRY(schema_snapshot_write(&working->state, &partition->scratch, &bytes, error));
        }
        engine_slot_bytes_set(&slot->state, bytes);
        slot->state_dirty = true;
    }
    if (working->parked_changed) {
        bytes = (base_slice){NULL, 0};
        if (working->parked_count > 0) {
            BASE_TRY(schema_parked_write(working->parked, working->parked_count,
                                         &partition->scratch, &bytes, error));
        }
        engine_slot_bytes_set(&slot->parked, bytes);
        slot->parked_dirty = true;
    }
    if (!engine_partition_drop_void(partition, slot)) {
        engine_slots_timer_set(&partition->slots, slot,
                               slot->stalled ? ENGINE_NEVER : working_timer(working));
    }
    base_arena_reset(&partition->scratch);
    return base_ok();
}

base_status engine_partition_commit(engine_partition *partition, base_error *error)
{
    base_arena_reset(&partition->scratch);
    for (engine_working *working = partition->working_first; working != NULL;
         working = working->next) {
        BASE_TRY(working_commit(partition, working, error));
    }
    partition->working_first = NULL;
    partition->working_last = NULL;
    base_arena_reset(&partition->arena);
    for (size_t i = 0; i < partition->source_count; i++) {
        engine_source *source = &partition->sources[i];
        source->committed = source->offset;
        source->known_committed = source->known;
    }
    partition->parked_committed = partition->parked_count;
    return base_ok();
}

void engine_partition_rollback(engine_partition *partition)
{
    for (engine_working *working = partition->working_first; working != NULL;
         working = working->next) {
        working->slot->working = NULL;
        if (working->timer_taken != ENGINE_NEVER && !working->slot->stalled) {
            engine_slots_timer_set(&partition->slots, working->slot, working->timer_taken);
        }
        (void)engine_partition_drop_void(partition, working->slot);
    }
    partition->working_first = NULL;
    partition->working_last = NULL;
    base_arena_reset(&partition->arena);
    for (size_t i = 0; i < partition->source_count; i++) {
        engine_source *source = &partition->sources[i];
        source->offset = source->committed;
        source->recorded = source->committed;
        source->known = source->known_committed;
    }
    partition->parked_count = partition->parked_committed;
}
