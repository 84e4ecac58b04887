/*
 * Doing a step, and what comes after it was given up (B.4, B.5): one function an action of the
 * machine's F table.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "saga/edit.h"
#include "saga/work.h"

/* ---- small questions ---- */

bool step_in_flight(const saga_step_state *step)
{
    return step->f == SAGA_F_OPEN || step->f == SAGA_F_BACKOFF ||
           (step->f == SAGA_F_DUE && step->tries > 0);
}

static bool asked(const work *w, int32_t step)
{
    return w->plan->steps[step].ask != SAGA_NONE;
}

static bool forever(const saga_step *step)
{
    return step->pivot || step->retry.max == SAGA_FOREVER;
}

/* Are there tries left in this series? Nobody who turns back or lost tries again (39, 28). */
static bool may_retry(const work *w, int32_t index)
{
    const saga_step_state *step = &w->state.steps[index];
    const saga_retry *retry = &w->plan->steps[index].retry;
    if ((step->flags & SAGA_STEP_REST) != 0 || w->state.phase != SAGA_PHASE_RUNNING)
        return false;
    return retry->max == SAGA_FOREVER || step->tries - step->series <= retry->max;
}

/* Has some try before `before` no verdict? (24) Tries past 64 are not remembered and count as
 * unanswered. */
static bool has_unanswered(const saga_step_state *step, int32_t before)
{
    for (int32_t k = 1; k < before; k++) {
        if (k > 64 || ((step->verdicts >> (k - 1)) & 1) == 0)
            return true;
    }
    return false;
}

/* min(cap, first x factor^(count-1)) x (1 +/- jitter x hash(instance, path, count)) (25). */
int64_t step_delay(work *w, int32_t index, const saga_retry *retry, int32_t count,
                   const char *direction)
{
    int64_t delay = retry->first_ms;
    for (int32_t k = 1; k < count && delay < retry->cap_ms && retry->factor_permille > 1000; k++) {
        if (delay > INT64_MAX / retry->factor_permille)
            break;
        delay = delay * retry->factor_permille / 1000;
    }
    for (int32_t k = 1; k < count && delay > 0 && retry->factor_permille < 1000; k++)
        delay = delay * retry->factor_permille / 1000;
    if (delay > retry->cap_ms)
        delay = retry->cap_ms;
    const base_slice name =
        base_arena_print(w->arena, "%.*s/%.*s/%s/%d", BASE_SLICE_ARG(w->state.id),
                         BASE_SLICE_ARG(w->plan->steps[index].name), direction, (int)count);
    if (name.data == NULL) {
        w->failure = BASE_OUT_OF_MEMORY;
        return delay;
    }
    const int64_t spread = (int64_t)(base_hash64(name, 0) % 2001) - 1000; /* -1000 .. 1000 */
    /* delay <= SAGA_DURATION_MAX_MS and the factors at most 10^3 each: far inside 64 bits. */
    return delay + delay * retry->jitter_permille / 1000 * spread / 1000;
}

void step_stop_timers(work *w, int32_t step)
{
    work_timer_stop(w, SAGA_TIMER_TRY, step);
    work_timer_stop(w, SAGA_TIMER_BACKOFF, step);
    work_timer_stop(w, SAGA_TIMER_DEADLINE, step);
    work_timer_stop(w, SAGA_TIMER_STUCK, step);
}

static void verdict(work *w, int32_t step, int32_t try_number)
{
    if (try_number >= 1)
        work_change(w, (saga_change){SAGA_CHANGE_VERDICT, step, try_number, 0, {0}, NULL});
}

/* The event that is being received becomes the step's end and out. */
static void record_out(work *w, int32_t step, base_slice end, const base_value *out)
{
    work_change(w, (saga_change){SAGA_CHANGE_OUT, step, 0, 0, end, out});
}

static const base_value *received_data(const work *w)
{
    return w->event == NULL ? NULL : &w->event->data;
}

static base_slice received_name(const work *w)
{
    return w->event_index == SAGA_NONE ? (base_slice){0} : w->plan->events[w->event_index].name;
}

static void clear_stuck(work *w, int32_t step)
{
    work_step_flag(w, step, SAGA_STEP_STUCK, false);
    work_step_flag(w, step, SAGA_STEP_EMIT_REFUSED, false);
}

/* ---- starting: due, open (20, 22) ---- */

static void expression_failed(work *w, int32_t step, base_slice text)
{
    work_alert(w, step, "expression_error", text);
    record_out(w, step, base_slice_of("saga.expression_error"), NULL);
    step_stop_timers(w, step);
    work_f(w, step, SAGA_F_FAILED, true);
    step_lost(w, step, "expression_error", text);
}

/* Evaluated once for all tries, so that every try carries the same (22). */
static bool make_ask(work *w, int32_t step)
{
    const saga_step *plan = &w->plan->steps[step];
    saga_change change = {.kind = SAGA_CHANGE_ASK_DATA, .step = step};
    base_value value;
    base_slice text = {0};
    if (plan->with != NULL) {
        if (!work_eval(w, plan->with, NULL, &value, &text)) {
            expression_failed(w, step, text);
            return false;
        }
        change.value = work_keep(w, value);
    }
    if (plan->key != NULL) {
        if (!work_eval(w, plan->key, NULL, &value, &text) || value.kind != BASE_STRING ||
            value.size == 0) {
            expression_failed(w, step,
                              text.size != 0 ? text : base_slice_of("key must give a text"));
            return false;
        }
        change.text = base_value_slice(&value);
    }
    if (change.value != NULL || change.text.size != 0)
        work_change(w, change);
    return w->failure == BASE_OK;
}

static void publish_ask(work *w, int32_t index)
{
    const saga_step *plan = &w->plan->steps[index];
    const saga_step_state *step = work_step(w, index);
    saga_effect *effect = work_effect(w, SAGA_EFFECT_ASK, index, w->plan->events[plan->ask].name);
    effect->event = plan->ask;
    effect->try_number = step->tries;
    effect->saga_key = work_saga_key(w, index);
    effect->expiry_ms = plan->timeout_ms > 0 ? w->now_ms + plan->timeout_ms : 0;
    effect->data = step->ask_data;
    work_id(w->state.id, plan->name, "ask", 0, step->tries, effect->id);
}

/* due -> open: the next try (22). `series`: it begins a new series of tries. */
static void open_try(work *w, int32_t index, bool series)
{
    const saga_step *plan = &w->plan->steps[index];
    const int32_t number = work_step(w, index)->tries + 1;
    work_change(w, (saga_change){SAGA_CHANGE_TRY, index, number, series, {0}, NULL});
    work_f(w, index, SAGA_F_OPEN, true);
    if (asked(w, index))
        publish_ask(w, index);
    if (plan->timeout_ms > 0)
        work_timer(w, SAGA_TIMER_TRY, index, w->now_ms + plan->timeout_ms);
    if (series && (asked(w, index) || plan->timeout_ms > 0) && forever(plan) &&
        (work_step(w, index)->flags & SAGA_STEP_STUCK) == 0)
        work_timer(w, SAGA_TIMER_STUCK, index, w->now_ms + plan->stuck_after_ms);
}

/* A due step of an instance that is not suspended (58) starts its try. */
void step_start(work *w, int32_t index)
{
    open_try(w, index, work_step(w, index)->tries == 0);
}

static void begin(work *w, int32_t index)
{
    const saga_step *plan = &w->plan->steps[index];
    base_value answer;
    base_slice text = {0};
    if (plan->guard != NULL) {
        if (!work_eval(w, plan->guard, NULL, &answer, &text)) {
            expression_failed(w, index, text);
            return;
        }
        if (!saga_truthy(&answer)) {
            work_f(w, index, SAGA_F_SKIPPED, true);
            return;
        }
    }
    work_f(w, index, SAGA_F_DUE, true);
    if (plan->deadline_ms > 0)
        work_timer(w, SAGA_TIMER_DEADLINE, index, w->now_ms + plan->deadline_ms);
    /* Now and not when it starts: a suspended instance starts it without the event (58). */
    if (asked(w, index))
        (void)make_ask(w, index);
}

/* ---- success (23) ---- */

static void apply_set(work *w, const base_value *after)
{
    const base_value nothing = base_value_null();
    const saga_edit *edits = NULL;
    size_t count = 0;
    const base_value *before = w->state.data == NULL ? &nothing : w->state.data;
    const base_status status = saga_edit_diff(before, after, w->arena, &edits, &count);
    if (base_failed(status))
        w->failure = status.code;
    for (size_t i = 0; i < count; i++)
        work_change(w, (saga_change){SAGA_CHANGE_DATA, SAGA_NONE, edits[i].value == NULL, 0,
                                     edits[i].path, edits[i].value});
}

/* The outcome came, but it does not pass: the effect is there and must go (65). */
static void outcome_unusable(work *w, int32_t step, const char *kind, base_slice end,
                             base_slice text)
{
    record_out(w, step, end, received_data(w));
    work_step_flag(w, step, SAGA_STEP_DOUBT, true);
    work_f(w, step, SAGA_F_FAILED, true);
    undo_prepare(w, step, NULL);
    step_lost(w, step, kind, text);
}

static bool passes_check(work *w, int32_t index)
{
    const saga_step *plan = &w->plan->steps[index];
    base_value answer;
    base_slice text = {0};
    if (plan->check == NULL)
        return true;
    if (!work_eval(w, plan->check, NULL, &answer, &text)) {
        work_alert(w, index, "expression_error", text);
        outcome_unusable(w, index, "expression_error", base_slice_of("saga.expression_error"),
                         text);
        return false;
    }
    if (saga_truthy(&answer))
        return true;
    const base_slice end =
        base_arena_print(w->arena, "%.*s.check_failed", BASE_SLICE_ARG(plan->name));
    outcome_unusable(w, index, "check", end, (base_slice){0});
    return false;
}

static void succeed(work *w, int32_t index, int32_t try_number)
{
    const saga_step *plan = &w->plan->steps[index];
    const bool rest = (work_step(w, index)->flags & SAGA_STEP_REST) != 0;
    base_value after;
    base_slice text = {0};
    verdict(w, index, try_number);
    step_stop_timers(w, index);
    record_out(w, index, received_name(w), received_data(w));
    if (!passes_check(w, index))
        return;
    if (plan->set != NULL && !rest) {
        if (!work_eval(w, plan->set, NULL, &after, &text)) {
            work_alert(w, index, "expression_error", text);
            outcome_unusable(w, index, "expression_error", base_slice_of("saga.expression_error"),
                             text);
            return;
        }
        apply_set(w, work_keep(w, after));
    }
    work_f(w, index, SAGA_F_DONE, true);
    clear_stuck(w, index);
    undo_prepare(w, index, NULL);
    if (rest)
        undo_input(w, index, SAGA_U_ON_OWE);
    else if (plan->pivot)
        turn_pivot_done(w, index);
}

/* ---- failure (24) ---- */

static bool retry_accepts(work *w, int32_t index)
{
    const saga_step *plan = &w->plan->steps[index];
    base_value answer;
    base_slice text = {0};
    if (plan->retry.accept == NULL || plan->pivot || !may_retry(w, index))
        return false;
    if (!work_eval(w, plan->retry.accept, NULL, &answer, &text)) {
        work_alert(w, index, "expression_error", text);
        return false;
    }
    return saga_truthy(&answer);
}

static void back_off(work *w, int32_t index)
{
    const saga_step_state *step = work_step(w, index);
    const saga_retry *retry = &w->plan->steps[index].retry;
    const bool stuck = (step->flags & SAGA_STEP_STUCK) != 0;
    const int64_t delay =
        stuck ? retry->cap_ms
              : step_delay(w, index, retry, step->tries - step->series, "ask"); /* 70 */
    work_timer_stop(w, SAGA_TIMER_TRY, index);
    work_f(w, index, SAGA_F_BACKOFF, true);
    work_timer(w, SAGA_TIMER_BACKOFF, index, w->now_ms + delay);
}

static void fail(work *w, int32_t index, int32_t try_number)
{
    const int32_t tries = work_step(w, index)->tries;
    verdict(w, index, try_number);
    if (retry_accepts(w, index)) {
        back_off(w, index);
        return;
    }
    step_stop_timers(w, index);
    record_out(w, index, received_name(w), received_data(w));
    if (has_unanswered(work_step(w, index), try_number >= 1 ? try_number : tries + 1))
        work_step_flag(w, index, SAGA_STEP_DOUBT, true);
    work_f(w, index, SAGA_F_FAILED, true);
    undo_prepare(w, index, NULL);
    step_lost(w, index, "fails", (base_slice){0});
}

/* Rule 28. */
void step_lost(work *w, int32_t index, const char *kind, base_slice reason)
{
    const saga_step *plan = &w->plan->steps[index];
    const bool counts = (work_step(w, index)->flags & SAGA_STEP_REST) == 0 && !plan->optional &&
                        w->state.phase == SAGA_PHASE_RUNNING;
    if (counts && (w->state.flags & SAGA_FLAG_PAST_PIVOT) != 0) {
        step_stick(w, index);
        return;
    }
    clear_stuck(w, index); /* it is over: nobody has to look at it any more */
    if (w->state.phase == SAGA_PHASE_COMPENSATING)
        return; /* turn_debts counts it */
    if (!counts) {
        if (undo_is_owed_for(w, index))
            undo_input(w, index, SAGA_U_ON_OWE);
        return;
    }
    if (w->cause.kind == NULL)
        w->cause = (work_cause){kind, index, work_step(w, index)->end, reason};
}

/* ---- timers (25 to 27, 69) ---- */

void step_stick(work *w, int32_t index)
{
    if ((work_step(w, index)->flags & SAGA_STEP_STUCK) != 0)
        return;
    work_timer_stop(w, SAGA_TIMER_STUCK, index);
    work_step_flag(w, index, SAGA_STEP_STUCK, true);
    work_phase_effect(w, index, "stuck");
    work_alert(w, index, "stuck_step", (base_slice){0});
}

static void give_up(work *w, int32_t index)
{
    const saga_step_state *step = work_step(w, index);
    const bool was_made = step->tries > 0;
    step_stop_timers(w, index);
    work_f(w, index, was_made ? SAGA_F_UNKNOWN : SAGA_F_FAILED, true);
    if (was_made)
        undo_prepare(w, index, NULL);
    step_lost(w, index, was_made ? "unknown" : "deadline", (base_slice){0});
}

static void try_over(work *w, int32_t index)
{
    const saga_step *plan = &w->plan->steps[index];
    if (may_retry(w, index)) {
        back_off(w, index);
        return;
    }
    if (!plan->pivot || w->state.phase != SAGA_PHASE_RUNNING) {
        give_up(w, index);
        return;
    }
    step_stick(w, index); /* retries used up (69); a pivot is asked again for ever (25) */
    back_off(w, index);
}

static void deadline(work *w, int32_t index)
{
    if (!w->plan->steps[index].pivot || w->state.phase != SAGA_PHASE_RUNNING) {
        give_up(w, index);
        return;
    }
    work_timer_stop(w, SAGA_TIMER_DEADLINE, index);
    step_stick(w, index);
}

/* ---- late, surplus, contradictory (29 to 31) ---- */

/* Was anything downstream decided on this step's absence? And was its undo asked for? Then the
 * success may be older than the undo, and the effect gone: it cannot count. */
static bool acceptable(const work *w, int32_t index)
{
    const saga_step *plan = &w->plan->steps[index];
    if (w->state.steps[index].gen > 0)
        return false;
    if (plan->late != SAGA_LATE_ACCEPT || w->state.phase != SAGA_PHASE_RUNNING ||
        w->cause.kind != NULL)
        return false;
    for (int32_t i = 0; i < w->plan->step_count; i++) {
        const bool fed = ((plan->feeds[i / 64] >> (i % 64)) & 1) != 0;
        if (fed && w->state.steps[i].f != SAGA_F_WAITING)
            return false;
    }
    return true;
}

/* The document that `set` would give; the flow's own is not changed (29). */
static const base_value *would_be_data(work *w, int32_t index)
{
    const saga_step *plan = &w->plan->steps[index];
    base_value after;
    base_slice text = {0};
    if (plan->set == NULL || !work_eval(w, plan->set, NULL, &after, &text))
        return w->state.data;
    return work_keep(w, after);
}

static void late(work *w, int32_t index, int32_t try_number)
{
    const saga_step *plan = &w->plan->steps[index];
    const base_slice flow_end = work_step(w, index)->end;
    if (acceptable(w, index)) {
        work_u(w, index, SAGA_U_NO); /* it counts: nothing is owed yet */
        succeed(w, index, try_number);
        return;
    }
    verdict(w, index, try_number);
    work_step_flag(w, index, SAGA_STEP_LATE, true);
    record_out(w, index, flow_end.size != 0 ? flow_end : received_name(w), received_data(w));
    work_f(w, index, SAGA_F_DONE, false);
    if (plan->late == SAGA_LATE_IGNORE) {
        work_note(w, index, "late_ignored");
        return;
    }
    if (plan->undo.kind == SAGA_UNDO_NEVER) {
        work_alert(w, index, "uninvited_effect", (base_slice){0});
        return;
    }
    work_note(w, index, "late");
    undo_prepare(w, index, would_be_data(w, index));
    undo_input(w, index, SAGA_U_ON_OWE_AGAIN);
}

static void surplus(work *w, int32_t index, int32_t try_number)
{
    const saga_step_state *step = work_step(w, index);
    verdict(w, index, try_number);
    work_note(w, index, "surplus");
    /* Before its undo was asked for there is one effect to undo, once (30). */
    if (step->u == SAGA_U_NO || step->u == SAGA_U_OWED || step->u == SAGA_U_RELEASED)
        return;
    undo_input(w, index, SAGA_U_ON_OWE_AGAIN);
}

static void verdict_late(work *w, int32_t index, int32_t try_number)
{
    const saga_step_state *step = work_step(w, index);
    verdict(w, index, try_number);
    work_note(w, index, "late_failure");
    if (step->f != SAGA_F_UNKNOWN || has_unanswered(work_step(w, index), step->tries + 1))
        return;
    work_f(w, index, SAGA_F_FAILED, false);
    if (step->u == SAGA_U_OWED && (w->plan->steps[index].undo.of & SAGA_OF_FAILED) == 0)
        work_u(w, index, SAGA_U_WAIVED);
}

/* ---- turning back (39, 61) ---- */

static void drain(work *w, int32_t index)
{
    const saga_step *plan = &w->plan->steps[index];
    const bool undoable =
        plan->undo.kind == SAGA_UNDO_ASKED || plan->undo.kind == SAGA_UNDO_REACTIVE;
    if (!asked(w, index) && !undoable) {
        step_stop_timers(w, index);
        clear_stuck(w, index);
        work_f(w, index, SAGA_F_CANCELLED, true);
        return;
    }
    /* Nobody waits without a timer: where the step has none, a human is called. */
    if (saga_timer_find(&w->state, SAGA_TIMER_TRY, index, 0) == NULL &&
        saga_timer_find(&w->state, SAGA_TIMER_DEADLINE, index, 0) == NULL &&
        saga_timer_find(&w->state, SAGA_TIMER_STUCK, index, 0) == NULL)
        work_timer(w, SAGA_TIMER_STUCK, index, w->now_ms + plan->stuck_after_ms);
}

static void cancel_or_lose(work *w, int32_t index)
{
    step_stop_timers(w, index);
    clear_stuck(w, index);
    if (work_step(w, index)->tries == 0) {
        work_f(w, index, SAGA_F_CANCELLED, true);
        return;
    }
    work_f(w, index, SAGA_F_UNKNOWN, true);
    undo_prepare(w, index, NULL);
}

/* ---- a human (28, 47) ---- */

static void human_retry(work *w, int32_t index)
{
    const int64_t deadline_ms = w->plan->steps[index].deadline_ms;
    if ((w->state.flags & SAGA_FLAG_SUSPENDED) != 0) {
        work_note(w, index, "suspended");
        return;
    }
    step_stop_timers(w, index);
    work_f(w, index, SAGA_F_DUE, true);
    clear_stuck(w, index);
    if (deadline_ms > 0)
        work_timer(w, SAGA_TIMER_DEADLINE, index, w->now_ms + deadline_ms);
    if (work_step(w, index)->tries > 0)
        open_try(w, index, true);
    else if (asked(w, index))
        (void)make_ask(w, index); /* its payload could not be made before */
}

static void human_end(work *w, int32_t index, saga_f f)
{
    step_stop_timers(w, index);
    work_f(w, index, f, true);
    clear_stuck(w, index);
    if (f == SAGA_F_FAILED)
        undo_prepare(w, index, NULL);
    if (f == SAGA_F_FAILED && w->state.phase == SAGA_PHASE_RUNNING &&
        (w->state.flags & SAGA_FLAG_PAST_PIVOT) == 0 && !w->plan->steps[index].optional &&
        w->cause.kind == NULL)
        w->cause = (work_cause){"operator", index, {0}, w->input->command.reason};
}

static void human_skip(work *w, int32_t index)
{
    if (w->plan->steps[index].pivot) {
        work_note(w, index, "pivot_cannot_be_skipped");
        return;
    }
    human_end(w, index, SAGA_F_SKIPPED);
}

static void human(work *w, int32_t index, saga_f_action action)
{
    if (action == SAGA_F_DO_HUMAN_RETRY)
        human_retry(w, index);
    else if (action == SAGA_F_DO_HUMAN_SKIP)
        human_skip(w, index);
    else
        human_end(w, index, SAGA_F_FAILED);
}

/* ---- the table's actions ---- */

static void perform(work *w, int32_t step, saga_f_action action, int32_t try_number)
{
    switch (action) {
    case SAGA_F_DO_IGNORE:
        return;
    case SAGA_F_DO_NOTE:
    case SAGA_F_DO_VERDICT:
        verdict(w, step, try_number);
        work_note(w, step, action == SAGA_F_DO_NOTE ? "no_change" : "older_try");
        return;
    case SAGA_F_DO_REJECT:
        work_note(w, step, "not_stuck");
        return;
    case SAGA_F_DO_KEEP:
        receive_keep(w);
        return;
    case SAGA_F_DO_SUCCEED:
        succeed(w, step, try_number);
        return;
    case SAGA_F_DO_LATE:
        late(w, step, try_number);
        return;
    case SAGA_F_DO_SURPLUS:
        surplus(w, step, try_number);
        return;
    case SAGA_F_DO_FAIL:
        fail(w, step, try_number);
        return;
    case SAGA_F_DO_VERDICT_LATE:
        verdict_late(w, step, try_number);
        return;
    case SAGA_F_DO_RESTART:
        if (w->plan->steps[step].timeout_ms > 0)
            work_timer(w, SAGA_TIMER_TRY, step, w->now_ms + w->plan->steps[step].timeout_ms);
        return;
    case SAGA_F_DO_TRY_OVER:
        try_over(w, step);
        return;
    case SAGA_F_DO_AGAIN:
        work_f(w, step, SAGA_F_DUE, true);
        return;
    case SAGA_F_DO_GIVE_UP:
        deadline(w, step);
        return;
    case SAGA_F_DO_STICK:
        step_stick(w, step);
        return;
    case SAGA_F_DO_BEGIN:
        begin(w, step);
        return;
    case SAGA_F_DO_PASS:
        work_f(w, step, SAGA_F_SKIPPED, true);
        return;
    case SAGA_F_DO_CANCEL:
    case SAGA_F_DO_LOSE:
        cancel_or_lose(w, step);
        return;
    case SAGA_F_DO_DRAIN:
        drain(w, step);
        return;
    case SAGA_F_DO_HUMAN_RETRY:
    case SAGA_F_DO_HUMAN_SKIP:
    case SAGA_F_DO_HUMAN_FAIL:
        human(w, step, action);
        return;
    case SAGA_F_DO_EMPTY:
    case SAGA_F_ACTION_COUNT:
    default:
        BASE_ASSERT(false);
    }
}

void step_input(work *w, int32_t step, saga_f_input input, int32_t try_number)
{
    perform(w, step, saga_machine_f(saga_machine_row(work_step(w, step)), input), try_number);
}
