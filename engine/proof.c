#include "engine/proof.h"

#include <string.h>

#include "base/hash.h"
#include "engine/batch.h"
#include "engine/intake.h"
#include "engine/memory.h"
#include "engine/scan.h"
#include "engine/wire.h"
#include "schemas/journal.h"

#define ARENA_SIZE_MAX ((size_t)256 * 1024 * 1024)
/* How far before the entries' time their events are looked for: a broker may date them by a clock
 * of its own. */
#define LOOK_BACK_MS 5000
#define ID_HEADER "ce_id"

/* A record that should be there. */
typedef struct wanted_event {
    schema_record record; /* partition: where it belongs */
    base_slice id; /* an event's; empty for what is forwarded, which is known by its origin */
    bool found;
} wanted_event;

typedef struct wanted_list {
    base_arena arena;
    wanted_event *items;
    size_t count;
    size_t capacity;
} wanted_list;

/* ---- the last batch ---- */

static void entries_clear(engine_tail *tail)
{
    for (size_t i = 0; i < tail->count; i++) {
        engine_memory_free(tail->records[i].data);
    }
    tail->count = 0;
}

void engine_tail_deinit(engine_tail *tail)
{
    entries_clear(tail);
    engine_memory_free(tail->records);
    engine_memory_free(tail->before);
    *tail = (engine_tail){.count = 0};
}

static void batch_begins(engine_tail *tail, const schema_record *record, uint64_t epoch,
                         const engine_partition *partition)
{
    entries_clear(tail);
    tail->time_ms = record->time_ms;
    tail->epoch = epoch;
    tail->before = (engine_source *)engine_memory_reserve(
        tail->before, &tail->before_capacity, partition->source_count, sizeof(engine_source));
    for (size_t i = 0; i < partition->source_count; i++) {
        tail->before[i] = partition->sources[i];
    }
    tail->before_count = partition->source_count;
}

void engine_tail_add(engine_tail *tail, const schema_record *record,
                     const engine_partition *partition)
{
    schema_journal_kind kind = SCHEMA_JOURNAL_POSITION;
    uint64_t epoch =
        tail->epoch; /* where it cannot be told, as for what is set aside: its neighbours' */
    const base_status peeked = schema_journal_peek(record->value, &kind, &epoch, NULL);
    if (peeked.code == BASE_CORRUPT || kind == SCHEMA_JOURNAL_CLAIM || epoch < partition->epoch) {
        return;
    }
    if (record->time_ms != tail->time_ms || epoch != tail->epoch) {
        batch_begins(tail, record, epoch, partition);
    }
    if (kind == SCHEMA_JOURNAL_ENTRY && !base_failed(peeked)) {
        tail->records = (base_slice *)engine_memory_reserve(tail->records, &tail->capacity,
                                                            tail->count + 1, sizeof(base_slice));
        tail->records[tail->count++] = engine_memory_copy(record->value);
    }
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
    if (record->partition == SCHEMA_PARTITION_BY_KEY) {
        wanted->record.partition = base_partition_of(record->key, count);
    }
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

static bool same_header(const schema_record *a, const schema_record *b, const char *name)
{
    return base_slice_equal(engine_wire_header(a, name), engine_wire_header(b, name));
}

static bool is_wanted(const wanted_event *wanted, const schema_record *record)
{
    if (wanted->id.size > 0) {
        return base_slice_equal(wanted->id, engine_wire_header(record, ID_HEADER));
    }
    return base_slice_equal(wanted->record.key, record->key) &&
           same_header(&wanted->record, record, ENGINE_HEADER_OFFSET) &&
           same_header(&wanted->record, record, ENGINE_HEADER_PARTITION) &&
           same_header(&wanted->record, record, ENGINE_HEADER_TOPIC) &&
           same_header(&wanted->record, record, ENGINE_HEADER_SAGA);
}

static base_status each_record(void *context, const schema_record *record, base_error *error)
{
    (void)error;
    const proof_scan *scan = (const proof_scan *)context;
    for (size_t i = 0; i < scan->list->count; i++) {
        wanted_event *wanted = &scan->list->items[i];
        if (wanted->record.partition == scan->partition &&
            base_slice_equal(wanted->record.topic, scan->topic) && is_wanted(wanted, record)) {
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

/* ---- what should have been forwarded ---- */

typedef struct forward_scan {
    engine_context *context;
    engine_partition *partition;
    engine_batch *batch;
    size_t source;
    int64_t end;
} forward_scan;

static base_status each_source_record(void *context, const schema_record *record, base_error *error)
{
    const forward_scan *scan = (const forward_scan *)context;
    if (record->offset >= scan->end) {
        return base_ok();
    }
    return engine_intake_forwards(scan->batch, scan->context, scan->partition, scan->source, record,
                                  error);
}

static int64_t position_before(const engine_tail *tail, const engine_source *source)
{
    for (size_t i = 0; i < tail->before_count; i++) {
        if (tail->before[i].partition == source->partition &&
            base_slice_equal(tail->before[i].topic, source->topic)) {
            return tail->before[i].known ? tail->before[i].offset : source->offset;
        }
    }
    return source->offset; /* it was new then: nothing had been read */
}

/* The records that the last batch had read, on their way once more. The records of one scan live on
 * in the batch's arena, as far as they are forwarded. */
static base_status forwards_collect(engine_batch *batch, engine_context *context,
                                    engine_partition *partition, const engine_tail *tail,
                                    base_error *error)
{
    for (size_t i = 0; i < partition->source_count; i++) {
        const engine_source *source = &partition->sources[i];
        int64_t offset = position_before(tail, source);
        if (offset >= source->offset || base_slice_equal(source->topic, context->topics.inbox)) {
            continue;
        }
        int64_t begin = 0;
        int64_t end = 0;
        const base_status ranged =
            log_range(context->store, source->topic, source->partition, &begin, &end, error);
        if (ranged.code == BASE_NOT_FOUND) {
            base_error_clear(error);
            continue;
        }
        BASE_TRY(ranged);
        offset = offset < begin ? begin : offset;
        forward_scan scan = {.context = context,
                             .partition = partition,
                             .batch = batch,
                             .source = i,
                             .end = source->offset};
        BASE_TRY(engine_scan(context->store, source->topic, source->partition, &offset,
                             each_source_record, &scan, error));
    }
    return base_ok();
}

static base_status want_forwards(wanted_list *list, const engine_context *context,
                                 const engine_batch *batch, base_error *error)
{
    for (size_t i = 0; i < batch->out_count; i++) {
        if (batch->outs[i].kind == ENGINE_OUT_FORWARD) {
            BASE_TRY(want(list, context, &batch->outs[i].record, error));
            list->items[list->count - 1].id = (base_slice){NULL, 0};
        }
    }
    return base_ok();
}

/* ---- the whole ---- */

/* The last batch could not write it either: its input went to the dead letters then, or its step
 * was told. Who insisted on it could never take over. */
static void leave_out(const engine_context *context, wanted_event *wanted, const base_error *reason)
{
    wanted->found = true;
    ENGINE_LOG(&context->logger, ENGINE_LOG_WARN, "too large to be published again",
               ENGINE_TEXT("topic", wanted->record.topic), ENGINE_TEXT("key", wanted->record.key),
               ENGINE_WORD("error", reason->text));
}

static base_status append_missing(wanted_list *list, const engine_context *context,
                                  log_writer *writer, size_t *missing_out, base_error *error)
{
    *missing_out = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].found) {
            continue;
        }
        base_error reason;
        base_error_clear(&reason);
        const base_status status =
            engine_batch_append(context, &list->items[i].record, writer, &reason);
        if (status.code == BASE_TOO_LARGE) {
            leave_out(context, &list->items[i], &reason);
        } else if (base_failed(status)) {
            return base_error_set(error, status.code, "%s", reason.text);
        } else {
            (*missing_out)++;
        }
    }
    return base_ok();
}

static wanted_event *missing_at(const wanted_list *list, size_t index)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!list->items[i].found && index-- == 0) {
            return &list->items[i];
        }
    }
    return NULL;
}

/* One transaction; again without a record that the log finds too large only then. */
static base_status write_missing(wanted_list *list, const engine_context *context,
                                 log_writer *writer, size_t *missing_out, base_error *error)
{
    for (;;) {
        base_error reason;
        base_error_clear(&reason);
        base_status status = append_missing(list, context, writer, missing_out, error);
        if (base_failed(status)) {
            const base_status aborted = log_writer_abort(writer, NULL);
            return base_failed(aborted) ? aborted : status;
        }
        size_t refused = SIZE_MAX;
        status = log_writer_commit(writer, NULL, NULL, 0, NULL, &refused, &reason);
        wanted_event *wanted = status.code == BASE_TOO_LARGE ? missing_at(list, refused) : NULL;
        if (wanted == NULL) {
            return base_failed(status) ? base_error_set(error, status.code, "%s", reason.text)
                                       : status;
        }
        leave_out(context, wanted, &reason);
    }
}

base_status engine_proof(engine_context *context, engine_partition *partition,
                         const engine_tail *tail, log_writer *writer, size_t *missing_out,
                         base_error *error)
{
    wanted_list list = {.count = 0};
    engine_batch batch;
    base_arena_init(&list.arena, ARENA_SIZE_MAX);
    engine_batch_init(&batch);
    engine_batch_begin(&batch, engine_now_ms(&context->clock));
    base_status status = want_all(&list, context, partition, tail, error);
    if (!base_failed(status)) {
        status = forwards_collect(&batch, context, partition, tail, error);
    }
    if (!base_failed(status)) {
        status = want_forwards(&list, context, &batch, error);
    }
    if (!base_failed(status)) {
        status = look(&list, context, tail->time_ms - LOOK_BACK_MS, error);
    }
    if (!base_failed(status)) {
        status = write_missing(&list, context, writer, missing_out, error);
    }
    engine_memory_free(list.items);
    base_arena_deinit(&list.arena);
    engine_batch_deinit(&batch);
    return status;
}
