#include "engine/proof.h"

#include <string.h>

#include "base/hash.h"
#include "engine/memory.h"
#include "engine/scan.h"
#include "engine/wire.h"
#include "schemas/journal.h"

#define ARENA_SIZE_MAX ((size_t)256 * 1024 * 1024)
/* How far before the entries' time their events are looked for: a broker may date them by a clock
 * of its own. */
#define LOOK_BACK_MS 5000
#define ID_HEADER "ce_id"

/* An event that should be there. */
typedef struct wanted_event {
    schema_record record; /* partition: where it belongs */
    base_slice id;
    bool found;
} wanted_event;

typedef struct wanted_list {
    base_arena arena;
    wanted_event *items;
    size_t count;
    size_t capacity;
} wanted_list;

void engine_tail_deinit(engine_tail *tail)
{
    for (size_t i = 0; i < tail->count; i++) {
        engine_memory_free(tail->records[i].data);
    }
    engine_memory_free(tail->records);
    *tail = (engine_tail){.count = 0};
}

void engine_tail_add(engine_tail *tail, const schema_record *record, uint64_t claimed)
{
    schema_journal_kind kind = SCHEMA_JOURNAL_ENTRY;
    uint64_t epoch = 0;
    if (base_failed(schema_journal_peek(record->value, &kind, &epoch, NULL)) ||
        kind != SCHEMA_JOURNAL_ENTRY || epoch < claimed) {
        return;
    }
    if (record->time_ms != tail->time_ms || epoch != tail->epoch) {
        for (size_t i = 0; i < tail->count; i++) {
            engine_memory_free(tail->records[i].data);
        }
        tail->count = 0;
        tail->time_ms = record->time_ms;
        tail->epoch = epoch;
    }
    tail->records = (base_slice *)engine_memory_reserve(tail->records, &tail->capacity,
                                                        tail->count + 1, sizeof(base_slice));
    tail->records[tail->count++] = engine_memory_copy(record->value);
}

/* ---- what should be there ---- */

static base_status want(wanted_list *list, const engine_context *context,
                        const schema_record *record, base_error *error)
{
    int32_t count = 0;
    const base_status status = log_topic_partitions(context->store, record->topic, &count, error);
    if (base_failed(status)) {
        /* A topic that is not there took nothing: its step was told then. */
        return status.code == BASE_NOT_FOUND ? base_ok() : status;
    }
    list->items = (wanted_event *)engine_memory_reserve(list->items, &list->capacity,
                                                        list->count + 1, sizeof(wanted_event));
    wanted_event *wanted = &list->items[list->count++];
    *wanted = (wanted_event){.record = *record, .id = engine_wire_header(record, ID_HEADER)};
    wanted->record.partition = base_partition_of(record->key, count);
    return base_ok();
}

/* Was the step told that this event was refused? The entry that says so follows in the same batch.
 */
static bool was_refused(const saga_entry *entries, size_t count, const char *effect_id)
{
    for (size_t i = 0; i < count; i++) {
        const saga_input *input = &entries[i].input;
        if (input->kind == SAGA_INPUT_COMMAND && input->command.kind == SAGA_COMMAND_EMIT_REFUSED &&
            base_slice_is(input->command.id, effect_id)) {
            return true;
        }
    }
    return false;
}

static base_status want_all(wanted_list *list, const engine_context *context,
                            const engine_partition *partition, const engine_tail *tail,
                            base_error *error)
{
    saga_entry *entries = BASE_ARENA_ARRAY(&list->arena, saga_entry, tail->count);
    size_t count = 0;
    if (entries == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory to look at the last batch");
    }
    for (size_t i = 0; i < tail->count; i++) {
        schema_journal journal;
        if (!base_failed(schema_journal_read(tail->records[i], &list->arena, &journal, NULL))) {
            entries[count++] = journal.entry;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const engine_plan *plan = engine_catalog_plan(partition->catalog, entries[i].plan_hash);
        for (int32_t k = 0; plan != NULL && k < entries[i].effect_count; k++) {
            const saga_effect *effect = &entries[i].effects[k];
            bool publishes = false;
            schema_record record;
            if (effect->id[0] == '\0' || was_refused(entries, count, effect->id)) {
                continue; /* the engine's own tidings are not promised */
            }
            BASE_TRY(engine_wire_event(plan->plan, &entries[i], k, &context->topics, &list->arena,
                                       &publishes, &record, error));
            if (publishes) {
                BASE_TRY(want(list, context, &record, error));
            }
        }
    }
    return base_ok();
}

/* ---- what is there ---- */

typedef struct proof_scan {
    wanted_list *list;
    base_slice topic;
    int32_t partition;
} proof_scan;

static base_status each_record(void *context, const schema_record *record, base_error *error)
{
    (void)error;
    const proof_scan *scan = (const proof_scan *)context;
    const base_slice id = engine_wire_header(record, ID_HEADER);
    for (size_t i = 0; id.size > 0 && i < scan->list->count; i++) {
        wanted_event *wanted = &scan->list->items[i];
        if (base_slice_equal(wanted->id, id) &&
            base_slice_equal(wanted->record.topic, scan->topic)) {
            wanted->found = true;
        }
    }
    return base_ok();
}

/* Reads each partition that an event belongs to, once. */
static base_status look(wanted_list *list, const engine_context *context, int64_t from_ms,
                        base_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        const schema_record *record = &list->items[i].record;
        bool looked = false;
        for (size_t k = 0; k < i; k++) {
            const schema_record *other = &list->items[k].record;
            looked = looked || (other->partition == record->partition &&
                                base_slice_equal(other->topic, record->topic));
        }
        if (looked) {
            continue;
        }
        proof_scan scan = {.list = list, .topic = record->topic, .partition = record->partition};
        int64_t offset = 0;
        BASE_TRY(log_offset_at(context->store, record->topic, record->partition, from_ms, &offset,
                               error));
        BASE_TRY(engine_scan(context->store, record->topic, record->partition, &offset, each_record,
                             &scan, error));
    }
    return base_ok();
}

base_status engine_proof(const engine_context *context, const engine_partition *partition,
                         const engine_tail *tail, log_writer *writer, size_t *missing_out,
                         base_error *error)
{
    wanted_list list = {.count = 0};
    base_arena_init(&list.arena, ARENA_SIZE_MAX);
    size_t missing = 0;
    base_status status = want_all(&list, context, partition, tail, error);
    if (!base_failed(status)) {
        status = look(&list, context, tail->time_ms - LOOK_BACK_MS, error);
    }
    for (size_t i = 0; !base_failed(status) && i < list.count; i++) {
        if (!list.items[i].found) {
            status = log_writer_append(writer, &list.items[i].record, error);
            missing++;
        }
    }
    engine_memory_free(list.items);
    base_arena_deinit(&list.arena);
    if (!base_failed(status)) {
        *missing_out = missing;
    }
    return status;
}
