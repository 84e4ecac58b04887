/* The working copy: see work.h. */
#include "saga/work.h"

#include "base/assert.h"
#include "base/hash.h"
#include "saga/view.h"

/* ---- growing lists ---- */

static void *grow(work *w, void *items, int32_t count, int32_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    const int32_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown =
        base_arena_grow(w->arena, items, (size_t)*capacity * item_size, (size_t)wanted * item_size);
    if (grown == NULL) {
        w->failure = BASE_OUT_OF_MEMORY;
        return NULL;
    }
    *capacity = wanted;
    return grown;
}

/* ---- changes ---- */

void work_change(work *w, saga_change change)
{
    if (w->failure != BASE_OK)
        return;
    saga_change *changes = (saga_change *)grow(w, w->changes, w->change_count, &w->change_capacity,
                                               sizeof(saga_change));
    if (changes == NULL)
        return;
    w->changes = changes;
    w->changes[w->change_count++] = change;
    const saga_applier applier = {
        .plan = w->plan, .state = &w->state, .arena = w->arena, .borrow = true};
    const base_status status = saga_apply(&applier, &change, w->now_ms);
    if (base_failed(status)) {
        BASE_ASSERT(status.code != BASE_CORRUPT);
        w->failure = status.code;
    }
    w->changed = true;
}

void work_flag(work *w, uint32_t flag, bool on)
{
    if (((w->state.flags & flag) != 0) != on)
        work_change(w, (saga_change){SAGA_CHANGE_FLAG, SAGA_NONE, (int64_t)flag, on, {0}, NULL});
}

void work_f(work *w, int32_t step, saga_f f, bool counts)
{
    work_change(w, (saga_change){SAGA_CHANGE_F, step, f, counts, {0}, NULL});
}

void work_u(work *w, int32_t step, saga_u u)
{
    work_change(w, (saga_change){SAGA_CHANGE_U, step, u, 0, {0}, NULL});
}

void work_step_flag(work *w, int32_t step, uint32_t flag, bool on)
{
    if (((work_step(w, step)->flags & flag) != 0) != on)
        work_change(w, (saga_change){SAGA_CHANGE_STEP_FLAG, step, (int64_t)flag, on, {0}, NULL});
}

void work_timer(work *w, saga_timer_kind kind, int32_t step, int64_t due_ms)
{
    work_change(w, (saga_change){SAGA_CHANGE_TIMER, step, kind, due_ms, {0}, NULL});
}

void work_timer_stop(work *w, saga_timer_kind kind, int32_t step)
{
    if (saga_timer_find(&w->state, kind, step, 0) != NULL)
        work_change(w, (saga_change){SAGA_CHANGE_TIMER_STOPPED, step, kind, 0, {0}, NULL});
}

/* ---- effects ---- */

saga_effect *work_effect(work *w, saga_effect_kind kind, int32_t step, base_slice name)
{
    saga_effect *effects = w->failure != BASE_OK
                               ? NULL
                               : (saga_effect *)grow(w, w->effects, w->effect_count,
                                                     &w->effect_capacity, sizeof(saga_effect));
    if (effects == NULL)
        return &w->nowhere;
    w->effects = effects;
    saga_effect *effect = &w->effects[w->effect_count++];
    *effect = (saga_effect){.kind = kind, .step = step, .event = SAGA_NONE, .name = name};
    return effect;
}

void work_note(work *w, int32_t step, const char *name)
{
    (void)work_effect(w, SAGA_EFFECT_NOTE, step, base_slice_of(name));
}

void work_alert(work *w, int32_t step, const char *name, base_slice text)
{
    saga_effect *effect = work_effect(w, SAGA_EFFECT_ALERT, step, base_slice_of(name));
    effect->text = text;
    effect->tell = step == SAGA_NONE ? w->plan->stuck_tell : w->plan->steps[step].stuck_tell;
}

void work_phase_effect(work *w, int32_t step, const char *name)
{
    (void)work_effect(w, SAGA_EFFECT_PHASE, step, base_slice_of(name));
}

void work_dead_letter(work *w, const char *reason, base_slice text)
{
    work_effect(w, SAGA_EFFECT_DEAD_LETTER, SAGA_NONE, base_slice_of(reason))->text = text;
}

void work_own_event(work *w, const char *name, int32_t step)
{
    saga_effect *effect = work_effect(w, SAGA_EFFECT_EMIT, step, base_slice_of(name));
    const base_slice path = step == SAGA_NONE ? (base_slice){0} : w->plan->steps[step].name;
    work_id(w->state.id, path, name, (int64_t)w->before->seq, w->effect_count, effect->id);
}

/* ---- names ---- */

static void hash_number(base_sha256 *hash, int64_t number)
{
    uint8_t bytes[8];
    for (int32_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> (8 * i));
    base_sha256_update(hash, bytes, sizeof(bytes));
}

void work_id(base_slice instance, base_slice path, const char *kind, int64_t gen,
             int64_t try_number, char id_out[33])
{
    base_sha256 hash;
    uint8_t digest[32];
    base_sha256_init(&hash);
    base_sha256_field(&hash, instance); /* the incarnation is part of it */
    base_sha256_field(&hash, path);
    base_sha256_field(&hash, base_slice_of(kind));
    hash_number(&hash, gen);
    hash_number(&hash, try_number);
    base_sha256_final(&hash, digest);
    base_hex(digest, 16, id_out);
}

base_slice work_saga_key(work *w, int32_t step)
{
    const base_slice own = work_step(w, step)->ask_key;
    if (own.size != 0)
        return own;
    const base_slice key = base_arena_print(w->arena, "%.*s/%.*s", BASE_SLICE_ARG(w->state.id),
                                            BASE_SLICE_ARG(w->plan->steps[step].name));
    if (key.data == NULL)
        w->failure = BASE_OUT_OF_MEMORY;
    return key;
}

/* ---- expressions ---- */

const base_value *work_keep(work *w, base_value value)
{
    base_value *kept = BASE_ARENA_NEW(w->arena, base_value);
    if (kept == NULL) {
        w->failure = BASE_OUT_OF_MEMORY;
        return NULL;
    }
    *kept = value;
    return kept;
}

static const base_value null_value = {.kind = BASE_NULL};

const base_value *work_event_value(work *w)
{
    if (w->event == NULL)
        return &null_value;
    if (w->event_value == NULL) {
        base_value value;
        const base_status status = saga_event_to_value(w->event, w->arena, &value);
        if (base_failed(status))
            w->failure = status.code;
        else
            w->event_value = work_keep(w, value);
    }
    return w->event_value == NULL ? &null_value : w->event_value;
}

const base_value *work_steps_value(work *w)
{
    base_value value;
    const base_status status = saga_view_steps(w->plan, &w->state, w->arena, &value);
    if (base_failed(status)) {
        w->failure = status.code;
        return &null_value;
    }
    return work_keep(w, value);
}

/* Makes what the expression reads, and nothing else. */
static void variables(work *w, const saga_expr *expr, const work_view *view,
                      const base_value *values[SAGA_VARIABLE_COUNT])
{
    base_value made;
    if (saga_expr_uses_variable(expr, SAGA_VARIABLE_EVENT))
        values[SAGA_VARIABLE_EVENT] = view->event != NULL ? view->event : work_event_value(w);
    if (saga_expr_uses_variable(expr, SAGA_VARIABLE_STEPS))
        values[SAGA_VARIABLE_STEPS] = view->steps != NULL ? view->steps : work_steps_value(w);
    if (saga_expr_uses_variable(expr, SAGA_VARIABLE_EVENTS)) {
        if (base_failed(saga_view_events(w->plan, &w->state, w->arena, &made)))
            w->failure = BASE_OUT_OF_MEMORY;
        else
            values[SAGA_VARIABLE_EVENTS] = work_keep(w, made);
    }
    if (saga_expr_uses_variable(expr, SAGA_VARIABLE_SAGA)) {
        if (base_failed(saga_view_saga(w->plan, &w->state, w->arena, &made)))
            w->failure = BASE_OUT_OF_MEMORY;
        else
            values[SAGA_VARIABLE_SAGA] = work_keep(w, made);
    }
    if (saga_expr_uses_variable(expr, SAGA_VARIABLE_NOW))
        values[SAGA_VARIABLE_NOW] = work_keep(w, base_value_integer(w->now_ms));
}

bool work_eval(work *w, const saga_expr *expr, const work_view *view, base_value *value_out,
               base_slice *text_out)
{
    const base_value *values[SAGA_VARIABLE_COUNT] = {0};
    const work_view present = {0};
    if (view == NULL)
        view = &present;
    variables(w, expr, view, values);
    if (w->failure != BASE_OK)
        return false;
    const base_value *input = view->data != NULL ? view->data : w->state.data;
    base_error error;
    base_error_clear(&error);
    const base_status status = saga_expr_eval(expr, input == NULL ? &null_value : input, values,
                                              (saga_expr_limits){0}, w->arena, value_out, &error);
    if (!base_failed(status))
        return true;
    if (status.code == BASE_OUT_OF_MEMORY)
        w->failure = BASE_OUT_OF_MEMORY;
    const base_slice text =
        error.text[0] != '\0' ? base_slice_of(error.text) : base_slice_of(base_status_text(status));
    *text_out = base_arena_copy(w->arena, text);
    return false;
}
