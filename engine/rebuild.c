#include "engine/rebuild.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "engine/memory.h"
#include "engine/scan.h"
#include "schemas/snapshot.h"

#define FOLD_ARENA_FULL                                                                            \
    ((size_t)8 * 1024 * 1024) /* a fold writes its copies back when it used so much */

/* ---- the journal ---- */

static void unreadable(engine_partition *partition, const schema_record *record, base_status status,
                       const base_error *error)
{
    partition->counters.unreadable++;
    ENGINE_LOG(partition->logger, ENGINE_LOG_ERROR, "record passed over, it cannot be read",
               ENGINE_TEXT("topic", record->topic), ENGINE_NUMBER("partition", record->partition),
               ENGINE_NUMBER("offset", record->offset),
               ENGINE_WORD("status", base_status_name(status)), ENGINE_WORD("error", error->text));
}

/* The plan of an entry may have been deployed after the definitions were read. */
static base_status plan_ensure(engine_partition *partition, const char *hash, base_error *error)
{
    if (partition->catalog->store == NULL ||
        engine_catalog_plan(partition->catalog, hash) != NULL) {
        return base_ok();
    }
    return engine_catalog_read(partition->catalog, error);
}

static base_status fold_journal(engine_partition *partition, const schema_record *record,
                                base_error *error)
{
    schema_journal journal;
    base_error reason;
    base_error_clear(&reason);
    const base_status read =
        schema_journal_read(record->value, &partition->scratch, &journal, &reason);
    if (read.code == BASE_OUT_OF_MEMORY) {
        return base_error_set(error, read.code,
                              "a journal record needs more memory than its bound");
    }
    if (base_failed(read)) {
        unreadable(partition, record, read, &reason);
        return base_ok();
    }
    if (journal.epoch < partition->epoch) {
        partition->counters.outdated++;
        return base_ok();
    }
    if (journal.kind == SCHEMA_JOURNAL_ENTRY) {
        BASE_TRY(plan_ensure(partition, journal.entry.plan_hash, error));
    }
    return engine_partition_apply(partition, &journal, error);
}

static base_status fold_aside(engine_partition *partition, const schema_record *record,
                              base_error *error)
{
    schema_aside aside;
    base_error reason;
    base_error_clear(&reason);
    const base_status read = schema_aside_read(record->value, &partition->scratch, &aside, &reason);
    if (base_failed(read)) {
        unreadable(partition, record, read, &reason);
        return base_ok();
    }
    if (aside.epoch < partition->epoch) {
        partition->counters.outdated++;
        return base_ok();
    }
    return engine_partition_apply_aside(partition, &aside, error);
}

base_status engine_rebuild_journal(engine_partition *partition, const schema_record *record,
                                   base_error *error)
{
    if (partition->arena.used_size > FOLD_ARENA_FULL) {
        BASE_TRY(engine_partition_commit(partition, error));
    }
    base_arena_reset(&partition->scratch);
    schema_journal_kind kind = SCHEMA_JOURNAL_ENTRY;
    uint64_t epoch = 0;
    const base_status peeked = schema_journal_peek(record->value, &kind, &epoch, NULL);
    if (peeked.code == BASE_UNSUPPORTED) {
        return fold_aside(partition, record, error);
    }
    return fold_journal(partition, record, error);
}

/* ---- snapshots ---- */

base_slice engine_snapshot_checkpoint_key(void)
{
    return base_slice_of("checkpoint");
}

base_slice engine_snapshot_claim_key(void)
{
    return base_slice_of("claim");
}

base_status engine_snapshot_key(bool parked, base_slice saga, base_slice key, base_arena *arena,
                                base_slice *key_out)
{
    *key_out = base_arena_print(arena, "%c/%.*s/%.*s", parked ? 'p' : 's', BASE_SLICE_ARG(saga),
                                BASE_SLICE_ARG(key));
    return key_out->data == NULL ? base_status_of(BASE_OUT_OF_MEMORY) : base_ok();
}

/* "s/saga/key": saga names have no slash. */
static bool key_parse(base_slice text, bool *parked_out, base_slice *saga_out, base_slice *key_out)
{
    if (text.size < 4 || (text.data[0] != 's' && text.data[0] != 'p') || text.data[1] != '/') {
        return false;
    }
    const char *slash = memchr(text.data + 2, '/', text.size - 2);
    if (slash == NULL) {
        return false;
    }
    *parked_out = text.data[0] == 'p';
    *saga_out = base_slice_make(text.data + 2, (size_t)(slash - text.data) - 2);
    *key_out = base_slice_make(slash + 1, text.size - (size_t)(slash - text.data) - 1);
    return true;
}

/* A number in a header; 0 where there is none. */
static uint64_t header_number(const schema_record *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++) {
        const schema_header *header = &record->headers[i];
        if (base_slice_is(header->name, name)) {
            base_value number;
            if (!base_failed(base_number_parse(header->value, &number)) &&
                number.kind == BASE_INTEGER && number.integer > 0) {
                return (uint64_t)number.integer;
            }
        }
    }
    return 0;
}

/* Does the record stand behind later ones of the same writer? Then the log has repeated it. */
static bool is_repeated(engine_partition *partition, const schema_record *record, uint64_t epoch)
{
    const uint64_t order = header_number(record, ENGINE_SNAPSHOT_ORDER_HEADER);
    if (order == 0) {
        return false;
    }
    if (epoch == partition->order_epoch && order < partition->snapshot_order) {
        return true;
    }
    partition->order_epoch = epoch;
    partition->snapshot_order = order;
    return false;
}

static base_status take_checkpoint(engine_partition *partition, const schema_record *record,
                                   int64_t *tail_out, base_error *error)
{
    schema_checkpoint checkpoint;
    BASE_TRY(schema_checkpoint_read(record->value, &partition->scratch, &checkpoint, error));
    if (checkpoint.partition != partition->number) {
        return base_error_set(error, BASE_CORRUPT,
                              "a checkpoint of partition %d stands in partition %d",
                              (int)checkpoint.partition, (int)partition->number);
    }
    for (size_t i = 0; i < checkpoint.position_count; i++) {
        const schema_position *position = &checkpoint.positions[i];
        engine_source *source =
            engine_partition_source_of(partition, position->topic, position->partition);
        source->known = true;
        source->known_committed = true;
        source->offset = position->offset;
        source->recorded = position->offset;
        source->committed = position->offset;
    }
    partition->epoch = checkpoint.epoch;
    *tail_out = checkpoint.journal_offset;
    return base_ok();
}

/* The slot that a record is about; NULL: its key says nothing. */
static engine_slot *slot_of(engine_partition *partition, const schema_record *record,
                            bool *parked_out)
{
    base_slice saga = {NULL, 0};
    base_slice key = {NULL, 0};
    return key_parse(record->key, parked_out, &saga, &key)
               ? engine_slots_put(&partition->slots, saga, key)
               : NULL;
}

/* Marks whether the newest record of the slot's state or waiting events is of no use. There is a
 * record of it, at any rate. */
static void foreign_set(engine_partition *partition, engine_slot *slot, bool parked, bool foreign)
{
    bool *mark = parked ? &slot->foreign_parked : &slot->foreign_state;
    if (*mark != foreign) {
        partition->foreign_count =
            foreign ? partition->foreign_count + 1 : partition->foreign_count - 1;
        *mark = foreign;
    }
    if (foreign && parked) {
        slot->parked_stored = true;
    } else if (foreign) {
        slot->state_stored = true;
    }
}

static base_status value_check(const schema_record *record, bool parked, base_arena *arena,
                               base_error *error)
{
    if (record->value.data == NULL) {
        return base_ok();
    }
    if (parked) {
        schema_parked *items = NULL;
        size_t count = 0;
        return schema_parked_read(record->value, arena, &items, &count, error);
    }
    saga_state state;
    return schema_snapshot_read(record->value, arena, &state, error);
}

static base_status take_slot(engine_partition *partition, const schema_record *record,
                             base_error *error)
{
    bool parked = false;
    engine_slot *slot = slot_of(partition, record, &parked);
    if (slot == NULL) {
        return base_error_set(error, BASE_CORRUPT, "the key says nothing");
    }
    const base_status checked = value_check(record, parked, &partition->scratch, error);
    if (base_failed(checked)) {
        foreign_set(partition, slot, parked, true); /* what it held is missing: the journal knows */
        return checked;
    }
    foreign_set(partition, slot, parked, false);
    engine_slot_bytes_set(parked ? &slot->parked : &slot->state, record->value);
    if (parked) {
        slot->parked_stored = record->value.data != NULL;
    } else {
        slot->state_stored = record->value.data != NULL;
    }
    (void)engine_partition_drop_void(partition, slot);
    return base_ok();
}

/* Of a writer that had been replaced when it wrote this, or repeated by the log. */
static void take_foreign(engine_partition *partition, const schema_record *record)
{
    bool parked = false;
    engine_slot *slot = slot_of(partition, record, &parked);
    if (slot != NULL) {
        foreign_set(partition, slot, parked, true);
    }
}

base_status engine_rebuild_snapshot(engine_partition *partition, const schema_record *record,
                                    int64_t *tail_out, base_error *error)
{
    base_arena_reset(&partition->scratch);
    const uint64_t epoch = header_number(record, ENGINE_SNAPSHOT_EPOCH_HEADER);
    const bool of_slot = !base_slice_equal(record->key, engine_snapshot_claim_key()) &&
                         !base_slice_equal(record->key, engine_snapshot_checkpoint_key());
    const bool repeated = is_repeated(partition, record, epoch);
    if (epoch < partition->snapshot_epoch || (repeated && of_slot)) {
        take_foreign(partition, record);
        return base_ok();
    }
    base_error reason;
    base_error_clear(&reason);
    base_status status = base_ok();
    if (base_slice_equal(record->key, engine_snapshot_claim_key())) {
        partition->snapshot_epoch = epoch;
    } else if (base_slice_equal(record->key, engine_snapshot_checkpoint_key())) {
        status = take_checkpoint(partition, record, tail_out, &reason);
    } else {
        status = take_slot(partition, record, &reason);
    }
    if (status.code == BASE_OUT_OF_MEMORY) {
        return base_error_set(error, status.code, "a snapshot needs more memory than its bound");
    }
    if (base_failed(status)) {
        unreadable(partition, record, status, &reason);
    }
    return base_ok();
}

base_status engine_rebuild_timers(engine_partition *partition, base_error *error)
{
    size_t bucket = 0;
    partition->parked_count = 0;
    for (engine_slot *slot = engine_slots_next(&partition->slots, &bucket, NULL); slot != NULL;
         slot = engine_slots_next(&partition->slots, &bucket, slot)) {
        engine_working *working = NULL;
        BASE_TRY(engine_partition_peek(partition, slot->saga, slot->key, &working, error));
        if (working == NULL) {
            continue;
        }
        partition->parked_count += working->parked_count;
        if (partition->arena.used_size > FOLD_ARENA_FULL) {
            BASE_TRY(engine_partition_commit(partition, error));
        }
    }
    return engine_partition_commit(partition, error);
}

/* ---- the whole, for readers ---- */

typedef struct rebuild_run {
    engine_partition *partition;
    int64_t tail;
    int64_t until;
} rebuild_run;

static base_status each_snapshot(void *context, const schema_record *record, base_error *error)
{
    rebuild_run *run = (rebuild_run *)context;
    return engine_rebuild_snapshot(run->partition, record, &run->tail, error);
}

static base_status each_entry(void *context, const schema_record *record, base_error *error)
{
    const rebuild_run *run = (const rebuild_run *)context;
    if (record->offset >= run->until) {
        return base_ok();
    }
    return engine_rebuild_journal(run->partition, record, error);
}

base_status engine_rebuild(engine_partition *partition, log_store *store, bool use_snapshots,
                           int64_t until, int64_t *end_out, base_error *error)
{
    const engine_topics *topics = partition->catalog->topics;
    rebuild_run run = {.partition = partition, .tail = LOG_OFFSET_BEGIN, .until = until};
    if (use_snapshots) {
        int64_t offset = LOG_OFFSET_BEGIN;
        BASE_TRY(engine_scan(store, topics->snapshots, partition->number, &offset, each_snapshot,
                             &run, error));
        if (partition->foreign_count > 0 || run.tail == LOG_OFFSET_BEGIN) {
            engine_partition_forget(partition);
            run.tail = LOG_OFFSET_BEGIN;
        }
        BASE_TRY(engine_rebuild_timers(partition, error));
    }
    BASE_TRY(
        engine_scan(store, topics->journal, partition->number, &run.tail, each_entry, &run, error));
    if (end_out != NULL) {
        *end_out = run.tail < until ? run.tail : until;
    }
    return engine_partition_commit(partition, error);
}

/* ---- comparing ---- */

static int by_saga_and_key(const void *a, const void *b)
{
    const engine_slot *one = *(const engine_slot *const *)a;
    const engine_slot *two = *(const engine_slot *const *)b;
    const int order = base_slice_compare(one->saga, two->saga);
    return order != 0 ? order : base_slice_compare(one->key, two->key);
}

static int by_topic_and_partition(const void *a, const void *b)
{
    const engine_source *one = *(const engine_source *const *)a;
    const engine_source *two = *(const engine_source *const *)b;
    const int order = base_slice_compare(one->topic, two->topic);
    return order != 0 ? order
                      : (one->partition > two->partition) - (one->partition < two->partition);
}

static void image_slots(const engine_partition *partition, base_writer *writer)
{
    const engine_slot **slots = (const engine_slot **)engine_memory_new(
        partition->slots.count, sizeof(const engine_slot *));
    size_t count = 0;
    size_t bucket = 0;
    for (const engine_slot *slot = engine_slots_next(&partition->slots, &bucket, NULL);
         slot != NULL; slot = engine_slots_next(&partition->slots, &bucket, slot)) {
        if (slot->state.data != NULL || slot->parked.data != NULL) {
            slots[count++] = slot;
        }
    }
    qsort((void *)slots, count, sizeof(const engine_slot *), by_saga_and_key);
    base_write_long(writer, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        base_write_bytes(writer, slots[i]->saga);
        base_write_bytes(writer, slots[i]->key);
        base_write_bytes(writer, slots[i]->state);
        base_write_bytes(writer, slots[i]->parked);
        base_write_long(writer, slots[i]->timer_ms);
    }
    engine_memory_free((const void *)slots);
}

static void image_sources(const engine_partition *partition, base_writer *writer)
{
    const engine_source **sources = (const engine_source **)engine_memory_new(
        partition->source_count, sizeof(const engine_source *));
    size_t count = 0;
    for (size_t i = 0; i < partition->source_count; i++) {
        if (partition->sources[i].known) {
            sources[count++] = &partition->sources[i];
        }
    }
    qsort((void *)sources, count, sizeof(const engine_source *), by_topic_and_partition);
    base_write_long(writer, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        base_write_bytes(writer, sources[i]->topic);
        base_write_long(writer, sources[i]->partition);
        base_write_long(writer, sources[i]->offset);
    }
    engine_memory_free((const void *)sources);
}

base_status engine_rebuild_image(engine_partition *partition, base_arena *arena,
                                 base_slice *bytes_out, base_error *error)
{
    BASE_ASSERT(partition->working_first == NULL);
    base_writer writer;
    base_writer_begin(&writer, arena);
    base_write_long(&writer, (int64_t)partition->epoch);
    base_write_long(&writer, (int64_t)partition->parked_count);
    image_sources(partition, &writer);
    image_slots(partition, &writer);
    const base_status status = base_writer_end(&writer, bytes_out);
    return base_failed(status)
               ? base_error_set(error, status.code, "the fold is too large to compare")
               : status;
}
