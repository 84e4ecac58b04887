#include "engine/batch.h"

#include <string.h>

#include "base/assert.h"
#include "engine/memory.h"
#include "engine/wire.h"

#define BATCH_ARENA_SIZE_MAX ((size_t)1024 * 1024 * 1024)

void engine_batch_init(engine_batch *batch)
{
    *batch = (engine_batch){.item = ENGINE_ITEM_NONE};
    base_arena_init(&batch->arena, BATCH_ARENA_SIZE_MAX);
}

void engine_batch_deinit(engine_batch *batch)
{
    base_arena_deinit(&batch->arena);
    engine_memory_free(batch->outs);
    engine_memory_free(batch->refused);
    engine_memory_free(batch->poisons);
    *batch = (engine_batch){.item = ENGINE_ITEM_NONE};
}

void engine_batch_again(engine_batch *batch)
{
    base_arena_reset(&batch->arena);
    batch->out_count = 0;
    batch->item = ENGINE_ITEM_NONE;
    batch->timer = NULL;
    batch->counted = (engine_counters){.records = 0};
}

void engine_batch_begin(engine_batch *batch, int64_t now_ms)
{
    engine_batch_again(batch);
    batch->now_ms = now_ms;
    batch->refused_count = 0;
    batch->poison_count = 0;
    batch->events_refused = false;
    batch->snapshots_refused = false;
}

/* ---- adding ---- */

engine_out *engine_batch_add(engine_batch *batch, engine_out_kind kind, const schema_record *record)
{
    batch->outs = (engine_out *)engine_memory_reserve(batch->outs, &batch->out_capacity,
                                                      batch->out_count + 1, sizeof(engine_out));
    engine_out *out = &batch->outs[batch->out_count++];
    *out =
        (engine_out){.record = *record, .kind = kind, .item = batch->item, .timer = batch->timer};
    if (out->record.time_ms == 0) {
        out->record.time_ms = batch->now_ms;
    }
    return out;
}

static void add_journal(engine_batch *batch, const engine_context *context,
                        const engine_partition *partition, base_slice key, base_slice bytes)
{
    const schema_record record = {.topic = context->topics.journal,
                                  .partition = partition->number,
                                  .key = key,
                                  .value = bytes};
    engine_batch_add(batch, ENGINE_OUT_JOURNAL, &record);
}

base_status engine_batch_journal(engine_batch *batch, const engine_context *context,
                                 engine_partition *partition, const schema_journal *journal,
                                 base_error *error)
{
    base_slice bytes = {NULL, 0};
    BASE_TRY(schema_journal_write(journal, &batch->arena, &bytes, error));
    const bool is_entry = journal->kind == SCHEMA_JOURNAL_ENTRY;
    add_journal(batch, context, partition, is_entry ? journal->entry.key : (base_slice){NULL, 0},
                bytes);
    return engine_partition_apply(partition, journal, error);
}

base_status engine_batch_aside(engine_batch *batch, const engine_context *context,
                               engine_partition *partition, const schema_aside *aside,
                               base_error *error)
{
    base_slice bytes = {NULL, 0};
    BASE_TRY(schema_aside_write(aside, &batch->arena, &bytes, error));
    add_journal(batch, context, partition, aside->key, bytes);
    return engine_partition_apply_aside(partition, aside, error);
}

base_status engine_batch_letter(engine_batch *batch, const engine_context *context,
                                const schema_record *origin, const char *reason, base_slice saga,
                                const base_error *why, base_error *error)
{
    const engine_poison *poison =
        batch->item == ENGINE_ITEM_NONE ? NULL : engine_batch_poison(batch, batch->item);
    const engine_letter letter = {.record = origin,
                                  .reason = reason,
                                  .saga = saga,
                                  .error = why == NULL ? (base_slice){NULL, 0}
                                                       : base_slice_of(why->text),
                                  .without_value = poison != NULL && poison->letter_refused};
    schema_record record;
    if (base_failed(engine_wire_dead_letter(&letter, context->topics.dead_letters, &batch->arena,
                                            &record))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY,
                              "a batch needs more memory than its bound");
    }
    engine_out *out = engine_batch_add(batch, ENGINE_OUT_LETTER, &record);
    out->reason = reason;
    out->saga = saga;
    batch->counted.dead_letters++;
    return base_ok();
}

/* ---- what the log would not take ---- */

bool engine_batch_is_refused(const engine_batch *batch, const char *effect_id)
{
    for (size_t i = 0; i < batch->refused_count; i++) {
        if (strcmp(batch->refused[i], effect_id) == 0) {
            return true;
        }
    }
    return false;
}

const engine_poison *engine_batch_poison(const engine_batch *batch, size_t item)
{
    for (size_t i = 0; i < batch->poison_count; i++) {
        if (batch->poisons[i].item == item) {
            return &batch->poisons[i];
        }
    }
    return NULL;
}

/* false: it was left out already as far as it can be. */
static bool poison_add(engine_batch *batch, size_t item, engine_slot *timer, base_code code)
{
    if (timer != NULL) {
        const bool first = !timer->stalled;
        timer->stalled = true;
        return first;
    }
    if (item == ENGINE_ITEM_NONE) {
        return false;
    }
    for (size_t i = 0; i < batch->poison_count; i++) {
        engine_poison *poison = &batch->poisons[i];
        if (poison->item == item) {
            const bool first = !poison->letter_refused;
            poison->letter_refused = true;
            return first;
        }
    }
    batch->poisons = (engine_poison *)engine_memory_reserve(
        batch->poisons, &batch->poison_capacity, batch->poison_count + 1, sizeof(engine_poison));
    batch->poisons[batch->poison_count++] = (engine_poison){.item = item, .code = code};
    return true;
}

bool engine_batch_refuse_item(engine_batch *batch, base_code code)
{
    return poison_add(batch, batch->item, batch->timer, code);
}

static void refuse_effect(engine_batch *batch, const char *effect_id)
{
    batch->refused =
        (char(*)[33])engine_memory_reserve(batch->refused, &batch->refused_capacity,
                                           batch->refused_count + 1, sizeof(batch->refused[0]));
    memcpy(batch->refused[batch->refused_count++], effect_id, sizeof(batch->refused[0]));
}

/* false: the batch cannot be made without it. */
static bool refuse_out(engine_batch *batch, const engine_context *context, const engine_out *out,
                       base_code code, const base_error *error)
{
    ENGINE_LOG(&context->logger, ENGINE_LOG_ERROR, "the log refused a record",
               ENGINE_TEXT("topic", out->record.topic),
               ENGINE_WORD("status", base_status_name(base_status_of(code))),
               ENGINE_NUMBER("size", out->record.value.size), ENGINE_WORD("error", error->text));
    if (out->kind == ENGINE_OUT_EVENT && out->effect_id[0] != '\0') {
        refuse_effect(batch, out->effect_id);
        return true;
    }
    if (out->kind == ENGINE_OUT_EVENT) {
        const bool first = !batch->events_refused;
        batch->events_refused = true;
        return first;
    }
    if (out->kind == ENGINE_OUT_SNAPSHOT) {
        const bool first = !batch->snapshots_refused;
        batch->snapshots_refused = true;
        return first;
    }
    return poison_add(batch, out->item, out->timer, code);
}

/* ---- onto the log ---- */

static bool is_refusal(base_code code)
{
    return code == BASE_REFUSED || code == BASE_TOO_LARGE || code == BASE_NOT_FOUND ||
           code == BASE_BAD_INPUT;
}

base_status engine_batch_append(const engine_context *context, const schema_record *record,
                                log_writer *writer, base_error *error)
{
    size_t size = record->key.size + record->value.size;
    for (size_t k = 0; k < record->header_count; k++) {
        size += record->headers[k].name.size + record->headers[k].value.size;
    }
    if (size > (size_t)context->config->record_size_max) {
        return base_error_set(error, BASE_TOO_LARGE,
                              "a record of %zu bytes, record_size_max is %lld", size,
                              (long long)context->config->record_size_max);
    }
    return log_writer_append(writer, record, error);
}

static base_status append_all(engine_batch *batch, const engine_context *context,
                              log_writer *writer, size_t *refused_out, base_error *error)
{
    for (size_t i = 0; i < batch->out_count; i++) {
        const base_status status =
            engine_batch_append(context, &batch->outs[i].record, writer, error);
        if (base_failed(status)) {
            *refused_out = i;
            return status;
        }
    }
    return base_ok();
}

base_status engine_batch_write(engine_batch *batch, const engine_context *context,
                               log_writer *writer, log_member *member,
                               const log_position *positions, size_t position_count,
                               base_error *error)
{
    base_error reason;
    base_error_clear(&reason);
    size_t refused = batch->out_count;
    base_status status = append_all(batch, context, writer, &refused, &reason);
    const bool appended = !base_failed(status);
    if (appended) {
        status =
            log_writer_commit(writer, member, positions, position_count, NULL, &refused, &reason);
    }
    if (base_failed(status) && is_refusal(status.code) && refused < batch->out_count) {
        const bool again = refuse_out(batch, context, &batch->outs[refused], status.code, &reason);
        status = base_status_of(again ? BASE_BAD_INPUT : BASE_BUSY);
    }
    if (base_failed(status) && !appended) {
        const base_status aborted = log_writer_abort(writer, NULL);
        if (base_failed(aborted)) {
            status = aborted;
        }
    }
    if (base_failed(status) && error != NULL && error->code == BASE_OK) {
        *error = reason;
        error->code = status.code;
    }
    return status;
}

void engine_batch_committed(engine_batch *batch, engine_context *context)
{
    engine_counters *total = &context->counters;
    const engine_counters *counted = &batch->counted;
    for (size_t i = 0; i < batch->out_count; i++) {
        const engine_out *out = &batch->outs[i];
        if (out->kind == ENGINE_OUT_LETTER) {
            ENGINE_LOG(
                &context->logger, ENGINE_LOG_WARN, "dead letter",
                ENGINE_WORD("reason", out->reason), ENGINE_TEXT("saga", out->saga),
                ENGINE_TEXT("topic", engine_wire_header(&out->record, ENGINE_HEADER_TOPIC)),
                ENGINE_TEXT("offset", engine_wire_header(&out->record, ENGINE_HEADER_OFFSET)),
                ENGINE_TEXT("error", engine_wire_header(&out->record, ENGINE_HEADER_ERROR)));
        } else if (out->alert.size > 0) {
            ENGINE_LOG(&context->logger, ENGINE_LOG_WARN, "alert", ENGINE_TEXT("alert", out->alert),
                       ENGINE_TEXT("saga", out->saga), ENGINE_TEXT("key", out->record.key));
        }
    }
    total->records += counted->records;
    total->batches += batch->out_count > 0 ? 1 : 0;
    total->entries += counted->entries;
    total->timers += counted->timers;
    total->published += counted->published;
    total->forwarded += counted->forwarded;
    total->dead_letters += counted->dead_letters;
    total->parked += counted->parked;
    total->unmatched += counted->unmatched;
    total->refused += counted->refused;
}
