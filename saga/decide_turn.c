/*
 * Turning back, the pivot, and how an instance ends (B.7, 48, 49).
 */
#include "base/assert.h"
#include "saga/work.h"

/* ---- the cause (68) ---- */

static base_status put(base_map_builder *map, const char *key, base_slice text)
{
    const base_value value = text.size == 0 ? base_value_null() : base_value_string(text);
    return base_map_put_text(map, key, &value);
}

static void record_cause(work *w, const work_cause *cause)
{
    base_map_builder map;
    base_map_begin(&map, w->arena);
    if (base_failed(put(&map, "kind", base_slice_of(cause->kind))) ||
        base_failed(
            put(&map, "step",
                cause->step == SAGA_NONE ? (base_slice){0} : w->plan->steps[cause->step].name)) ||
        base_failed(put(&map, "event", cause->event)) ||
        base_failed(put(&map, "reason", cause->reason)))
        w->failure = BASE_OUT_OF_MEMORY;
    work_change(w, (saga_change){
                       SAGA_CHANGE_CAUSE, SAGA_NONE, 0, 0, {0}, work_keep(w, base_map_end(&map))});
}

static void enter(work *w, saga_phase phase)
{
    work_change(w, (saga_change){SAGA_CHANGE_PHASE, SAGA_NONE, phase, 0, {0}, NULL});
    work_phase_effect(w, SAGA_NONE, saga_phase_name(phase));
}

/* ---- abort requests (38, 39) ---- */

static bool pivot_in_flight(const work *w)
{
    for (int32_t i = 0; i < w->plan->step_count; i++) {
        if (w->plan->steps[i].pivot && step_in_flight(&w->state.steps[i]))
            return true;
    }
    return false;
}

static void turn_back(work *w)
{
    work_flag(w, SAGA_FLAG_ABORT_PENDING, false);
    work_timer_stop(w, SAGA_TIMER_DEADLINE, SAGA_NONE);
    enter(w, SAGA_PHASE_COMPENSATING);
    for (int32_t i = 0; i < w->plan->step_count && w->failure == BASE_OK; i++)
        step_input(w, i, SAGA_F_ON_TURN, 0);
}

void turn_request(work *w, work_cause cause)
{
    if (w->state.phase != SAGA_PHASE_RUNNING) {
        work_note(w, cause.step, "not_running");
        return;
    }
    if ((w->state.flags & SAGA_FLAG_PAST_PIVOT) != 0) {
        work_own_event(w, "saga.cancel_refused", cause.step);
        return;
    }
    if ((w->state.flags & SAGA_FLAG_ABORT_PENDING) == 0)
        record_cause(w, &cause);
    if (pivot_in_flight(w)) {
        work_flag(w, SAGA_FLAG_ABORT_PENDING, true);
        work_note(w, cause.step, "abort_pending");
        return;
    }
    turn_back(w);
}

/* Operator's abort --force past the pivot (43): all that can be undone is owed, the rest is listed
 * by the damage. */
void turn_force(work *w, base_slice reason)
{
    const work_cause cause = {"operator", SAGA_NONE, {0}, reason};
    record_cause(w, &cause);
    work_flag(w, SAGA_FLAG_DAMAGE, true);
    for (int32_t i = 0; i < w->plan->step_count; i++)
        work_step_flag(w, i, SAGA_STEP_STUCK, false);
    turn_back(w);
}

/* All debts are set before any undo is published; a step that ends while draining becomes owed then
 * (39, 59). */
void turn_debts(work *w)
{
    const bool past_pivot = (w->state.flags & SAGA_FLAG_PAST_PIVOT) != 0;
    for (int32_t i = 0; i < w->plan->step_count && w->failure == BASE_OK; i++) {
        const saga_step_state *step = work_step(w, i);
        const bool open_debt = step->u == SAGA_U_NO || step->u == SAGA_U_RELEASED;
        if (open_debt && (step->flags & SAGA_STEP_UNDO_VOID) == 0 && undo_is_owed_for(w, i))
            undo_input(w, i, SAGA_U_ON_OWE);
        /* Forced past the pivot (43): what stays for good is listed as waived (G3). */
        if (open_debt && past_pivot && step->f == SAGA_F_DONE &&
            w->plan->steps[i].undo.kind == SAGA_UNDO_NEVER)
            work_u(w, i, SAGA_U_WAIVED);
    }
}

/* ---- the pivot (41) ---- */

void turn_pivot_done(work *w, int32_t step)
{
    if (w->state.phase != SAGA_PHASE_RUNNING)
        return;
    const bool pending = (w->state.flags & SAGA_FLAG_ABORT_PENDING) != 0;
    work_flag(w, SAGA_FLAG_PAST_PIVOT, true);
    work_flag(w, SAGA_FLAG_ABORT_PENDING, false);
    work_timer_stop(w, SAGA_TIMER_DEADLINE, SAGA_NONE);
    work_phase_effect(w, step, "past_pivot");
    for (int32_t i = 0; i < w->plan->step_count; i++)
        undo_input(w, i, SAGA_U_ON_RELEASE);
    work_own_event(w, "saga.pivot", step);
    if (pending)
        work_own_event(w, "saga.cancel_refused", step);
}

/* ---- ends (48, 49) ---- */

static bool all_settled(const work *w)
{
    for (int32_t i = 0; i < w->plan->step_count; i++) {
        if (!saga_u_settled((saga_u)w->state.steps[i].u))
            return false;
    }
    return true;
}

static bool all_over(const work *w)
{
    for (int32_t i = 0; i < w->plan->step_count; i++) {
        const saga_step_state *step = &w->state.steps[i];
        const bool rest = (step->flags & SAGA_STEP_REST) != 0;
        if ((!saga_f_over((saga_f)step->f) && !rest) || (step->flags & SAGA_STEP_STUCK) != 0)
            return false;
    }
    return true;
}

static const saga_end *end_to_publish(work *w, saga_end_kind kind)
{
    for (int32_t i = 0; i < w->plan->end_counts[kind]; i++) {
        const saga_end *end = &w->plan->ends[kind][i];
        base_value answer;
        base_slice text = {0};
        if (end->guard == NULL)
            return end;
        if (!work_eval(w, end->guard, NULL, &answer, &text))
            work_alert(w, SAGA_NONE, "expression_error", text);
        else if (saga_truthy(&answer))
            return end;
    }
    return NULL;
}

static void publish_end(work *w, saga_end_kind kind)
{
    const saga_end *end = end_to_publish(w, kind);
    if (end == NULL || end->event == SAGA_NONE)
        return;
    base_value value;
    base_slice text = {0};
    const base_value *data = NULL;
    if (end->with != NULL) {
        if (work_eval(w, end->with, NULL, &value, &text))
            data = work_keep(w, value);
        else
            work_alert(w, SAGA_NONE, "expression_error", text);
    }
    saga_effect *effect =
        work_effect(w, SAGA_EFFECT_EMIT, SAGA_NONE, w->plan->events[end->event].name);
    effect->event = end->event;
    effect->gen = (int32_t)w->state.end_count;
    effect->data = data;
    work_id(w->state.id, effect->name, "end", w->state.end_count, 0, effect->id);
}

static void end_with(work *w, saga_phase phase)
{
    static const saga_end_kind kinds[SAGA_PHASE_COUNT] = {
        [SAGA_PHASE_COMPLETED] = SAGA_END_COMPLETED,
        [SAGA_PHASE_COMPENSATED] = SAGA_END_COMPENSATED,
        [SAGA_PHASE_DAMAGED] = SAGA_END_DAMAGED};
    const bool told = w->state.end_published == phase;
    enter(w, phase);
    work_timer_stop(w, SAGA_TIMER_DEADLINE, SAGA_NONE);
    if (told)
        return; /* published again only if it differs from the last one (48) */
    work_change(w, (saga_change){SAGA_CHANGE_END, SAGA_NONE, phase, 0, {0}, NULL});
    publish_end(w, kinds[phase]);
}

/* ---- ends.early (12): every step that is not over is cancelled; what is open is left to finish,
 * for its debt only ---- */

void turn_end_early(work *w)
{
    if (w->state.phase != SAGA_PHASE_RUNNING) {
        work_note(w, SAGA_NONE, "not_running");
        return;
    }
    for (int32_t i = 0; i < w->plan->step_count; i++) {
        const saga_step *plan = &w->plan->steps[i];
        const saga_step_state *step = work_step(w, i);
        const bool undoable =
            plan->undo.kind == SAGA_UNDO_ASKED || plan->undo.kind == SAGA_UNDO_REACTIVE;
        work_step_flag(w, i, SAGA_STEP_STUCK, false);
        if (saga_f_over((saga_f)step->f))
            continue;
        if (step_in_flight(step) && undoable) {
            work_step_flag(w, i, SAGA_STEP_REST, true);
            if (step->f == SAGA_F_OPEN)
                continue;
            step_stop_timers(w, i);
            work_f(w, i, SAGA_F_UNKNOWN, true);
            undo_prepare(w, i, NULL);
            undo_input(w, i, SAGA_U_ON_OWE);
            continue;
        }
        step_stop_timers(w, i);
        work_f(w, i, SAGA_F_CANCELLED, true);
    }
    work_flag(w, SAGA_FLAG_ABORT_PENDING, false);
    w->cause = (work_cause){0};
    end_with(w, SAGA_PHASE_COMPLETED);
}

void turn_ends(work *w)
{
    const bool damage = (w->state.flags & SAGA_FLAG_DAMAGE) != 0;
    const saga_phase phase = (saga_phase)w->state.phase;
    if (phase == SAGA_PHASE_COMPENSATING) {
        if (all_over(w) && all_settled(w))
            end_with(w, damage ? SAGA_PHASE_DAMAGED : SAGA_PHASE_COMPENSATED);
        return;
    }
    if (phase == SAGA_PHASE_RUNNING) {
        const bool pending = (w->state.flags & SAGA_FLAG_ABORT_PENDING) != 0;
        if (all_over(w) && all_settled(w) && !pending)
            end_with(w, damage ? SAGA_PHASE_DAMAGED : SAGA_PHASE_COMPLETED);
        return;
    }
    /* A late effect of a completed saga that was given up remains: that is damage (G1, G3). */
    if (phase == SAGA_PHASE_COMPLETED && damage && all_settled(w))
        end_with(w, SAGA_PHASE_DAMAGED);
}
