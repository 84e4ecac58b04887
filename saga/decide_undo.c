/*
 * Undoing (B.8): one function an action of the machine's U table, and the question whose turn it is
 * (44).
 */
#include "base/assert.h"
#include "saga/work.h"

static bool has_handler(const saga_undo *undo)
{
    return undo->kind == SAGA_UNDO_ASKED || undo->kind == SAGA_UNDO_REACTIVE;
}

/* ---- what the undo will carry (67) ---- */

/* The view kept from the step's end, for an undo that reads $saga or $now when it is asked. */
static const base_value *view_keep(work *w, const base_value *data)
{
    const base_value nothing = base_value_null();
    const base_value *steps = work_steps_value(w);
    base_map_builder map;
    base_map_begin(&map, w->arena);
    if (base_failed(base_map_put_text(&map, "data", data == NULL ? &nothing : data)) ||
        base_failed(base_map_put_text(&map, "steps", steps)) ||
        base_failed(base_map_put_text(&map, "event", work_event_value(w))))
        w->failure = BASE_OUT_OF_MEMORY;
    return work_keep(w, base_map_end(&map));
}

/* Evaluates undo.if and undo.with over a view; the results become flags and data of the step. */
static void evaluate(work *w, int32_t index, const work_view *view)
{
    const saga_undo *undo = &w->plan->steps[index].undo;
    base_value value;
    base_slice text = {0};
    work_step_flag(w, index, SAGA_STEP_UNDO_VOID, false);
    work_step_flag(w, index, SAGA_STEP_UNDO_ERROR, false);
    if (undo->condition != NULL) {
        if (!work_eval(w, undo->condition, view, &value, &text)) {
            work_step_flag(w, index, SAGA_STEP_UNDO_ERROR, true);
            return;
        }
        if (!saga_truthy(&value)) {
            work_step_flag(w, index, SAGA_STEP_UNDO_VOID, true);
            return;
        }
    }
    work_step_flag(w, index, SAGA_STEP_UNDO_READY, true);
    if (undo->with == NULL)
        return;
    if (!work_eval(w, undo->with, view, &value, &text)) {
        work_step_flag(w, index, SAGA_STEP_UNDO_READY, false);
        work_step_flag(w, index, SAGA_STEP_UNDO_ERROR, true);
        return;
    }
    work_change(w, (saga_change){SAGA_CHANGE_UNDO_DATA, index, 0, 0, {0}, work_keep(w, value)});
}

/* The step has ended in a way that its undo may be for: keep what the undo needs, as things are
 * now. `data` is the document to look at; NULL: the present one. */
void undo_prepare(work *w, int32_t index, const base_value *data)
{
    const saga_undo *undo = &w->plan->steps[index].undo;
    if (data == NULL)
        data = w->state.data;
    if (!has_handler(undo) || (undo->with == NULL && undo->condition == NULL))
        return;
    if (undo->late_view) {
        work_step_flag(w, index, SAGA_STEP_UNDO_READY, false);
        work_change(w, (saga_change){SAGA_CHANGE_UNDO_DATA, index, 0, 0, {0}, view_keep(w, data)});
        return;
    }
    const work_view view = {.data = data};
    evaluate(w, index, &view);
}

/* Evaluates from the view that was kept, where that was put off. */
static void evaluate_late(work *w, int32_t index)
{
    const saga_step_state *step = work_step(w, index);
    if (!w->plan->steps[index].undo.late_view || (step->flags & SAGA_STEP_UNDO_READY) != 0 ||
        step->undo_data == NULL)
        return;
    const work_view view = {.data = base_map_get_text(step->undo_data, "data"),
                            .steps = base_map_get_text(step->undo_data, "steps"),
                            .event = base_map_get_text(step->undo_data, "event")};
    evaluate(w, index, &view);
}

/* ---- owing (28, 39, 66) ---- */

bool undo_is_owed_for(const work *w, int32_t index)
{
    const saga_step_state *step = &w->state.steps[index];
    const saga_undo *undo = &w->plan->steps[index].undo;
    const bool late = (step->flags & SAGA_STEP_LATE) != 0;
    if (!has_handler(undo))
        return false;
    switch ((saga_f)step->f) {
    case SAGA_F_DONE:
        if (late)
            return w->plan->steps[index].late != SAGA_LATE_IGNORE;
        return (undo->of & SAGA_OF_DONE) != 0;
    case SAGA_F_UNKNOWN:
        return (undo->of & SAGA_OF_UNKNOWN) != 0;
    case SAGA_F_FAILED:
        return (step->flags & SAGA_STEP_DOUBT) != 0
                   ? (undo->of & (SAGA_OF_UNKNOWN | SAGA_OF_FAILED)) != 0
                   : (undo->of & SAGA_OF_FAILED) != 0;
    case SAGA_F_WAITING:
    case SAGA_F_SKIPPED:
    case SAGA_F_DUE:
    case SAGA_F_OPEN:
    case SAGA_F_BACKOFF:
    case SAGA_F_CANCELLED:
        return false;
    case SAGA_F_COUNT:
    default:
        BASE_ASSERT(false);
        return false;
    }
}

static void owe(work *w, int32_t index, bool again)
{
    if (!has_handler(&w->plan->steps[index].undo))
        return;
    if (again)
        work_step_flag(w, index, SAGA_STEP_SURPLUS, true);
    evaluate_late(w, index);
    if ((work_step(w, index)->flags & SAGA_STEP_UNDO_VOID) != 0)
        return; /* undo.if: nothing to undo (67) */
    work_u(w, index, SAGA_U_OWED);
    if (again &&
        (w->state.phase == SAGA_PHASE_COMPENSATED || w->state.phase == SAGA_PHASE_DAMAGED)) {
        work_change(
            w, (saga_change){SAGA_CHANGE_PHASE, SAGA_NONE, SAGA_PHASE_COMPENSATING, 0, {0}, NULL});
        work_phase_effect(w, SAGA_NONE,
                          saga_phase_name(SAGA_PHASE_COMPENSATING)); /* reopened (29) */
    }
}

/* ---- whose turn it is (44) ---- */

static bool unsettled_or_open(const work *w, int32_t index, bool skip_stuck)
{
    const saga_step_state *step = &w->state.steps[index];
    if (step->f == SAGA_F_DUE || step->f == SAGA_F_OPEN || step->f == SAGA_F_BACKOFF)
        return true;
    if (skip_stuck && step->u == SAGA_U_STUCK && !w->plan->steps[index].undo.blocking)
        return false; /* undo.blocking: false lets predecessors go on (46) */
    return !saga_u_settled((saga_u)step->u);
}

static bool goes_before(const work *w, int32_t other, int32_t index)
{
    const saga_step *plan = &w->plan->steps[index];
    if (w->plan->undo_order == SAGA_ORDER_CAUSAL)
        return ((plan->causes[other / 64] >> (other % 64)) & 1) != 0;
    const saga_step_state *step = &w->state.steps[other];
    return !saga_f_over((saga_f)step->f) || step->ended_order > w->state.steps[index].ended_order;
}

bool undo_allowed(const work *w, int32_t index)
{
    const saga_step_state *step = &w->state.steps[index];
    if (step->f == SAGA_F_DUE || step->f == SAGA_F_OPEN || step->f == SAGA_F_BACKOFF)
        return false;
    if (w->plan->undo_order == SAGA_ORDER_PARALLEL || (step->flags & SAGA_STEP_SURPLUS) != 0)
        return true;
    for (int32_t other = 0; other < w->plan->step_count; other++) {
        if (other != index && goes_before(w, other, index) && unsettled_or_open(w, other, true))
            return false;
    }
    return true;
}

/* ---- asking (44, 46) ---- */

static void publish_undo(work *w, int32_t index)
{
    const saga_step *plan = &w->plan->steps[index];
    const saga_step_state *step = work_step(w, index);
    if (plan->undo.kind == SAGA_UNDO_REACTIVE)
        return; /* the service undoes by itself (45a) */
    const base_slice key = work_saga_key(w, index);
    saga_effect *effect =
        work_effect(w, SAGA_EFFECT_UNDO, index, w->plan->events[plan->undo.ask].name);
    effect->event = plan->undo.ask;
    effect->gen = step->gen;
    effect->try_number = step->undo_tries;
    effect->saga_key =
        base_arena_print(w->arena, "%.*s/undo/%d", BASE_SLICE_ARG(key), (int)step->gen);
    if (effect->saga_key.data == NULL)
        w->failure = BASE_OUT_OF_MEMORY;
    if (step->f == SAGA_F_UNKNOWN)
        effect->undoes = key;
    effect->expiry_ms = w->now_ms + plan->undo.timeout_ms;
    effect->data = plan->undo.with == NULL ? NULL : step->undo_data;
    work_id(w->state.id, plan->name, "undo", step->gen, step->undo_tries, effect->id);
}

static void stop_timers(work *w, int32_t index)
{
    work_timer_stop(w, SAGA_TIMER_UNDO, index);
    work_timer_stop(w, SAGA_TIMER_UNDO_BACKOFF, index);
    work_timer_stop(w, SAGA_TIMER_UNDO_STUCK, index);
}

static void ask(work *w, int32_t index, bool series)
{
    const saga_step *plan = &w->plan->steps[index];
    const int32_t number = work_step(w, index)->undo_tries + 1;
    work_change(w, (saga_change){SAGA_CHANGE_UNDO_TRY, index, number, series, {0}, NULL});
    publish_undo(w, index);
    work_timer(w, SAGA_TIMER_UNDO, index, w->now_ms + plan->undo.timeout_ms);
    if (series)
        work_timer(w, SAGA_TIMER_UNDO_STUCK, index, w->now_ms + plan->stuck_after_ms);
}

/* Retries go on while the human is on the way only if they are for ever (70). */
static void stick(work *w, int32_t index, bool retries_go_on)
{
    if (!retries_go_on)
        stop_timers(w, index);
    else
        work_timer_stop(w, SAGA_TIMER_UNDO_STUCK, index);
    if (work_step(w, index)->u == SAGA_U_STUCK)
        return;
    work_u(w, index, SAGA_U_STUCK);
    work_phase_effect(w, index, "stuck");
    work_alert(w, index, "stuck_undo", (base_slice){0});
}

/* The next generation is asked for. */
static void begin_generation(work *w, int32_t index)
{
    evaluate_late(w, index);
    work_change(w,
                (saga_change){SAGA_CHANGE_GEN, index, work_step(w, index)->gen + 1, 0, {0}, NULL});
    if ((work_step(w, index)->flags & SAGA_STEP_UNDO_ERROR) != 0) {
        work_alert(w, index, "expression_error", (base_slice){0});
        stick(w, index, false);
        return;
    }
    work_u(w, index, SAGA_U_UNDOING);
    ask(w, index, true);
}

static void ask_again(work *w, int32_t index)
{
    if (work_step(w, index)->u != SAGA_U_STUCK)
        work_u(w, index, SAGA_U_UNDOING);
    ask(w, index, false);
}

static void retry_later(work *w, int32_t index)
{
    const saga_step_state *step = work_step(w, index);
    const saga_retry *retry = &w->plan->steps[index].undo.retry;
    const bool stuck = step->u == SAGA_U_STUCK;
    const int32_t made = step->undo_tries - step->undo_series;
    if (retry->max != SAGA_FOREVER && made > retry->max) {
        stick(w, index, false);
        return;
    }
    const int64_t delay =
        stuck ? retry->cap_ms : step_delay(w, index, retry, made, "undo"); /* 70 */
    work_timer_stop(w, SAGA_TIMER_UNDO, index);
    if (!stuck)
        work_u(w, index, SAGA_U_BACKOFF);
    work_timer(w, SAGA_TIMER_UNDO_BACKOFF, index, w->now_ms + delay);
}

/* ---- acknowledged (45, 45b) ---- */

static void settle(work *w, int32_t index)
{
    stop_timers(w, index);
    if ((work_step(w, index)->flags & SAGA_STEP_RECHECK) != 0) {
        work_step_flag(w, index, SAGA_STEP_RECHECK, false);
        work_u(w, index, SAGA_U_OWED);
        return;
    }
    work_step_flag(w, index, SAGA_STEP_SURPLUS, false);
    work_step_flag(w, index, SAGA_STEP_EMIT_REFUSED, false);
    work_u(w, index, SAGA_U_UNDONE);
}

static void tell_once(work *w, int32_t index, uint32_t flag, const char *alert)
{
    if ((work_step(w, index)->flags & flag) != 0) {
        work_note(w, index, alert);
        return;
    }
    work_step_flag(w, index, flag, true);
    work_alert(w, index, alert, (base_slice){0});
}

static void uninvited(work *w, int32_t index)
{
    const saga_step_state *step = work_step(w, index);
    if (step->f != SAGA_F_DONE)
        tell_once(w, index, SAGA_STEP_TOLD_NO_EFFECT, "undo_without_effect");
    else if (w->state.phase == SAGA_PHASE_RUNNING)
        tell_once(w, index, SAGA_STEP_TOLD_UNINVITED, "uninvited_undo");
    else
        work_u(w, index, SAGA_U_UNDONE);
}

/* ---- a human (47) ---- */

static void human_retry(work *w, int32_t index)
{
    if ((w->state.flags & SAGA_FLAG_SUSPENDED) != 0) {
        work_note(w, index, "suspended");
        return;
    }
    stop_timers(w, index);
    work_step_flag(w, index, SAGA_STEP_EMIT_REFUSED, false);
    if ((work_step(w, index)->flags & SAGA_STEP_UNDO_ERROR) != 0)
        evaluate(w, index, NULL);
    if ((work_step(w, index)->flags & SAGA_STEP_UNDO_ERROR) != 0) {
        work_alert(w, index, "expression_error", (base_slice){0});
        return;
    }
    work_u(w, index, SAGA_U_UNDOING);
    ask(w, index, true);
}

static void waive(work *w, int32_t index, bool damage)
{
    stop_timers(w, index);
    work_step_flag(w, index, SAGA_STEP_EMIT_REFUSED, false);
    work_step_flag(w, index, SAGA_STEP_RECHECK, false);
    work_u(w, index, SAGA_U_WAIVED);
    if (damage)
        work_flag(w, SAGA_FLAG_DAMAGE, true);
}

/* ---- the table's actions ---- */

static void perform(work *w, int32_t step, saga_u_action action, saga_u_input input)
{
    switch (action) {
    case SAGA_U_DO_IGNORE:
        return;
    case SAGA_U_DO_NOTE:
        work_note(w, step, "no_change");
        return;
    case SAGA_U_DO_REJECT:
        work_note(w, step, "not_stuck");
        return;
    case SAGA_U_DO_OWE:
        owe(w, step, input == SAGA_U_ON_OWE_AGAIN);
        return;
    case SAGA_U_DO_RECHECK:
        work_step_flag(w, step, SAGA_STEP_RECHECK, true);
        return;
    case SAGA_U_DO_ASK:
        begin_generation(w, step);
        return;
    case SAGA_U_DO_ASK_AGAIN:
        ask_again(w, step);
        return;
    case SAGA_U_DO_SETTLE:
        settle(w, step);
        return;
    case SAGA_U_DO_UNINVITED:
        uninvited(w, step);
        return;
    case SAGA_U_DO_RETRY_LATER:
        retry_later(w, step);
        return;
    case SAGA_U_DO_STICK:
        stick(w, step, w->plan->steps[step].undo.retry.max == SAGA_FOREVER);
        return;
    case SAGA_U_DO_RELEASE:
        if (work_step(w, step)->f == SAGA_F_DONE)
            work_u(w, step, SAGA_U_RELEASED);
        return;
    case SAGA_U_DO_HUMAN_RETRY:
        human_retry(w, step);
        return;
    case SAGA_U_DO_WAIVE:
        waive(w, step, false);
        return;
    case SAGA_U_DO_GIVE_UP:
        waive(w, step, true);
        return;
    case SAGA_U_DO_EMPTY:
    case SAGA_U_ACTION_COUNT:
    default:
        BASE_ASSERT(false);
    }
}

void undo_input(work *w, int32_t step, saga_u_input input)
{
    perform(w, step, saga_machine_u((saga_u)work_step(w, step)->u, input), input);
}
