#include "engine/perform.h"

#include <string.h>

#include "engine/wire.h"
#include "saga/decide.h"

static base_status no_memory(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "a batch needs more memory than its bound");
}

/* An entry for what is no instance, and does not make one, is not kept: nobody would ever take it
 * away again. */
static bool is_kept(const engine_working *working, const saga_entry *entry)
{
    return working->has_state ||
           (entry->change_count > 0 && entry->changes[0].kind == SAGA_CHANGE_CREATED);
}

static base_status append_entry(engine_batch *batch, const engine_context *context,
                                const engine_performance *performance, const saga_entry *entry,
                                base_error *error)
{
    const schema_journal journal = {.kind = SCHEMA_JOURNAL_ENTRY,
                                    .epoch = performance->partition->epoch,
                                    .cause = performance->cause,
                                    .positions = performance->position,
                                    .position_count = performance->position == NULL ? 0 : 1,
                                    .entry = *entry};
    BASE_TRY(engine_batch_journal(batch, context, performance->partition, &journal, error));
    batch->counted.entries++;
    if (entry->input.kind == SAGA_INPUT_TIMER) {
        batch->counted.timers++;
    }
    return base_ok();
}

static void publish(engine_batch *batch, const saga_entry *entry, const saga_effect *effect,
                    const schema_record *record)
{
    engine_out *out = engine_batch_add(batch, ENGINE_OUT_EVENT, record);
    memcpy(out->effect_id, effect->id, sizeof(out->effect_id));
    out->saga = entry->saga;
    if (effect->kind == SAGA_EFFECT_ALERT) {
        out->alert = effect->name;
    }
    batch->counted.published++;
}

static bool is_refused(const engine_batch *batch, const saga_effect *effect)
{
    return effect->id[0] != '\0' ? engine_batch_is_refused(batch, effect->id)
                                 : batch->events_refused;
}

static base_status effect_perform(engine_batch *batch, const engine_context *context,
                                  const engine_performance *performance, const saga_entry *entry,
                                  int32_t index, base_error *error)
{
    const saga_effect *effect = &entry->effects[index];
    if (effect->kind == SAGA_EFFECT_DEAD_LETTER) {
        const base_slice reason = base_arena_copy(&batch->arena, effect->name);
        base_error why;
        base_error_clear(&why);
        if (reason.data == NULL) {
            return no_memory(error);
        }
        if (performance->origin == NULL) {
            return base_ok();
        }
        if (effect->text.size > 0) {
            (void)base_error_set(&why, BASE_BAD_INPUT, "%.*s", BASE_SLICE_ARG(effect->text));
        }
        return engine_batch_letter(batch, context, performance->origin, reason.data, entry->saga,
                                   &why, error);
    }
    if (is_refused(batch, effect)) {
        batch->counted.refused++;
        return base_ok();
    }
    bool publishes = false;
    schema_record record;
    base_error why;
    base_error_clear(&why);
    const base_status status =
        engine_wire_event(performance->plan->plan, entry, index, &context->topics, &batch->arena,
                          &publishes, &record, &why);
    if (base_failed(status)) {
        return base_error_set(error, status.code, "event of \"%.*s\": %s",
                              BASE_SLICE_ARG(entry->key), why.text);
    }
    if (publishes) {
        publish(batch, entry, effect, &record);
    }
    return base_ok();
}

/* Tells the steps whose events were refused, each by an entry of its own. */
static base_status tell_refused(engine_batch *batch, const engine_context *context,
                                const engine_performance *performance, const saga_entry *entry,
                                base_error *error)
{
    for (int32_t i = 0; i < entry->effect_count; i++) {
        const saga_effect *effect = &entry->effects[i];
        if (effect->id[0] == '\0' || !engine_batch_is_refused(batch, effect->id)) {
            continue;
        }
        const saga_plan *plan = performance->plan->plan;
        base_slice path = effect->step == SAGA_NONE ? effect->name : plan->steps[effect->step].name;
        if (effect->kind == SAGA_EFFECT_UNDO) {
            path = base_arena_print(&batch->arena, "%.*s/undo", BASE_SLICE_ARG(path));
        }
        const base_slice id = base_arena_copy(&batch->arena, base_slice_of(effect->id));
        if (path.data == NULL || id.data == NULL) {
            return no_memory(error);
        }
        const saga_input input = {.kind = SAGA_INPUT_COMMAND,
                                  .now_ms = batch->now_ms,
                                  .event_index = SAGA_NONE,
                                  .command = {.kind = SAGA_COMMAND_EMIT_REFUSED,
                                              .who = base_slice_of("engine"),
                                              .reason = base_slice_of("the log refused the event"),
                                              .step = path,
                                              .id = id,
                                              .data = base_value_null()}};
        saga_entry *told = BASE_ARENA_NEW(&batch->arena, saga_entry);
        if (told == NULL) {
            return no_memory(error);
        }
        engine_performance telling = *performance;
        telling.cause = (schema_cause){.kind = SCHEMA_CAUSE_COMMAND};
        telling.position = NULL;
        telling.origin = NULL;
        BASE_TRY(saga_decide(plan, &performance->working->state, performance->key, &input,
                             &batch->arena, told, error));
        BASE_TRY(append_entry(batch, context, &telling, told, error));
        for (int32_t k = 0; k < told->effect_count; k++) {
            BASE_TRY(effect_perform(batch, context, &telling, told, k, error));
        }
    }
    return base_ok();
}

base_status engine_perform(engine_batch *batch, const engine_context *context,
                           const engine_performance *performance, base_error *error)
{
    saga_entry *entry = BASE_ARENA_NEW(&batch->arena, saga_entry);
    if (entry == NULL) {
        return no_memory(error);
    }
    BASE_TRY(saga_decide(performance->plan->plan, &performance->working->state, performance->key,
                         performance->input, &batch->arena, entry, error));
    if (is_kept(performance->working, entry)) {
        BASE_TRY(append_entry(batch, context, performance, entry, error));
    }
    for (int32_t i = 0; i < entry->effect_count; i++) {
        BASE_TRY(effect_perform(batch, context, performance, entry, i, error));
    }
    return batch->refused_count == 0 ? base_ok()
                                     : tell_refused(batch, context, performance, entry, error);
}
