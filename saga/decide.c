/*
 * decide: one input of one instance to one entry.
 *
 *   working copy of the state
 *     -> what the input does to its step            (10 to 17, 23 to 31, 38, 47)
 *     -> settle: turning back, debts, undos, early events, conditions, new steps; again until
 *     nothing changes (21, 59)
 *     -> ends                                       (48, 49)
 *   entry = input + changes + effects
 *
 * Each round of settle moves some half of some step forward in a finite order, so it ends (21).
 */
#include "saga/decide.h"

#include "base/assert.h"
#include "saga/work.h"

/* ---- the working copy ---- */

static void *copy_of(work *w, const void *items, size_t size)
{
    void *copy = base_arena_alloc(w->arena, size);
    if (copy == NULL)
        w->failure = BASE_OUT_OF_MEMORY;
    else if (size > 0)
        memcpy(copy, items, size);
    return copy;
}

/* What changes are applied to is copied; documents and payloads are shared. The dedupe ring is only
 * read. */
static void copy_state(work *w, const saga_state *before)
{
    saga_state *state = &w->state;
    *state = *before;
    state->steps = (saga_step_state *)copy_of(w, before->steps,
                                              (size_t)before->step_count * sizeof(saga_step_state));
    state->timers =
        (saga_timer *)copy_of(w, before->timers, (size_t)before->timer_count * sizeof(saga_timer));
    state->timer_capacity = before->timer_count;
    state->early = (saga_early_event *)copy_of(
        w, before->early, (size_t)before->early_count * sizeof(saga_early_event));
    state->early_capacity = before->early_count;
    state->events = (const base_value **)copy_of(
        w, before->events, (size_t)before->event_count * sizeof(const base_value *));
    state->occurred = (uint8_t *)copy_of(w, before->occurred, (size_t)before->event_count);
}

/* ---- inputs ---- */

static bool starts(const work *w)
{
    return w->event_index != SAGA_NONE && w->plan->events[w->event_index].start != SAGA_NONE;
}

/* There is no instance, or only its tombstone, or one that ended and may begin again on another
 * plan. */
static void input_for_none(work *w, base_slice key)
{
    if (w->input->kind != SAGA_INPUT_EVENT) {
        work_note(w, SAGA_NONE, "no_instance");
        return;
    }
    if (receive_seen(w)) {
        work_note(w, SAGA_NONE, "duplicate");
        return;
    }
    if (!starts(w)) {
        work_dead_letter(w, "no_instance", (base_slice){0});
        return;
    }
    const saga_again again = w->plan->starts[w->plan->events[w->event_index].start].again;
    if (w->before->phase == SAGA_PHASE_NONE || again == SAGA_AGAIN_AFTER_END)
        receive_begin(w, key);
    else if (again == SAGA_AGAIN_REJECT)
        work_dead_letter(w, "instance_exists", (base_slice){0});
    else
        work_note(w, SAGA_NONE, "instance_exists");
}

static void input_timer(work *w)
{
    const saga_timer *timer = &w->input->timer;
    if (saga_timer_find(&w->state, timer->kind, timer->step, timer->number) == NULL) {
        work_note(w, timer->step, "stale_timer");
        return;
    }
    if (timer->kind == SAGA_TIMER_EARLY) {
        receive_forgotten(w, timer->number);
        return;
    }
    work_change(w, (saga_change){SAGA_CHANGE_TIMER_STOPPED,
                                 timer->step,
                                 timer->kind,
                                 (int64_t)timer->number,
                                 {0},
                                 NULL});
    if (timer->step == SAGA_NONE) {
        turn_request(w, (work_cause){"deadline", SAGA_NONE, {0}, {0}});
        return;
    }
    switch (timer->kind) {
    case SAGA_TIMER_TRY:
        step_input(w, timer->step, SAGA_F_ON_TRY_TIMER, 0);
        return;
    case SAGA_TIMER_BACKOFF:
        step_input(w, timer->step, SAGA_F_ON_BACKOFF_TIMER, 0);
        return;
    case SAGA_TIMER_DEADLINE:
        step_input(w, timer->step, SAGA_F_ON_DEADLINE, 0);
        return;
    case SAGA_TIMER_STUCK:
        step_input(w, timer->step, SAGA_F_ON_STUCK_TIMER, 0);
        return;
    case SAGA_TIMER_UNDO:
        undo_input(w, timer->step, SAGA_U_ON_TRY_TIMER);
        return;
    case SAGA_TIMER_UNDO_BACKOFF:
        undo_input(w, timer->step, SAGA_U_ON_BACKOFF);
        return;
    case SAGA_TIMER_UNDO_STUCK:
        undo_input(w, timer->step, SAGA_U_ON_STUCK);
        return;
    case SAGA_TIMER_EARLY:
    case SAGA_TIMER_COUNT:
    default:
        BASE_ASSERT(false);
    }
}

static void take_input(work *w, base_slice key)
{
    const saga_state *before = w->before;
    const bool other_plan =
        memcmp(before->plan_hash, w->plan->hash, sizeof(before->plan_hash)) != 0;
    if (before->phase == SAGA_PHASE_NONE || (before->flags & SAGA_FLAG_PURGED) != 0 || other_plan) {
        input_for_none(w, key);
        return;
    }
    switch (w->input->kind) {
    case SAGA_INPUT_EVENT:
        receive_event(w);
        return;
    case SAGA_INPUT_TIMER:
        input_timer(w);
        return;
    case SAGA_INPUT_COMMAND:
        command_input(w);
        return;
    default:
        BASE_ASSERT(false);
    }
}

/* ---- until nothing changes (21, 59) ---- */

static void settle_turn(work *w)
{
    if (w->cause.kind != NULL) {
        const work_cause cause = w->cause;
        w->cause = (work_cause){0};
        /* A pivot that failed lets a pending abort go on (38, 42). */
        turn_request(w, cause);
    }
    if (w->state.phase == SAGA_PHASE_COMPENSATING)
        turn_debts(w);
}

static void settle_undos(work *w)
{
    for (int32_t i = 0; i < w->plan->step_count && w->failure == BASE_OK; i++) {
        if (w->state.steps[i].u == SAGA_U_OWED && undo_allowed(w, i))
            undo_input(w, i, SAGA_U_ON_ALLOWED);
    }
}

static void settle_step(work *w, int32_t step)
{
    if (w->state.steps[step].f == SAGA_F_WAITING) {
        const saga_truth truth = condition_of_step(w, step);
        if (truth == SAGA_TRUE)
            step_input(w, step, SAGA_F_ON_CONDITION, 0);
        else if (truth != SAGA_UNDECIDED)
            step_input(w, step, SAGA_F_ON_VOID, 0);
    }
    if (w->state.steps[step].f == SAGA_F_DUE && (w->state.flags & SAGA_FLAG_SUSPENDED) == 0)
        step_start(w, step);
}

static void settle_conditions(work *w)
{
    for (int32_t i = 0; i < w->plan->step_count && w->failure == BASE_OK; i++) {
        if (w->state.phase != SAGA_PHASE_RUNNING || w->cause.kind != NULL)
            return;
        settle_step(w, i);
    }
}

/* Early events are offered again after every transition, in order (15): one, and then what follows
 * from it, so that conditions see the event that made them true. */
static void settle_early(work *w)
{
    for (int32_t i = 0; i < w->state.early_count && w->failure == BASE_OK; i++) {
        const saga_early_event early = w->state.early[i];
        if (!receive_wants_early(w, &early))
            continue;
        receive_offered(w, &early);
        return;
    }
}

static void settle(work *w)
{
    const bool suspended = (w->state.flags & SAGA_FLAG_SUSPENDED) != 0;
    do {
        w->changed = false;
        settle_turn(w);
        if (!suspended)
            settle_undos(w);
        settle_conditions(w);
        if (!w->changed)
            settle_early(w);
    } while (w->changed && w->failure == BASE_OK);
    if (w->failure == BASE_OK)
        turn_ends(w);
}

/* ---- the whole ---- */

base_status saga_decide(const saga_plan *plan, const saga_state *state, base_slice key,
                        const saga_input *input, base_arena *arena, saga_entry *entry_out,
                        base_error *error)
{
    work *w = BASE_ARENA_NEW(arena, work);
    if (w == NULL)
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory to decide an input");
    w->plan = plan;
    w->before = state;
    w->input = input;
    w->now_ms = input->now_ms > state->at_ms ? input->now_ms : state->at_ms;
    w->arena = arena;
    w->event_index = SAGA_NONE;
    if (input->kind == SAGA_INPUT_EVENT) {
        w->event = input->event;
        w->event_index = input->event_index;
    }
    copy_state(w, state);
    if (w->failure == BASE_OK)
        take_input(w, key);
    if (w->failure == BASE_OK && w->state.phase != SAGA_PHASE_NONE && w->change_count > 0 &&
        (w->state.flags & SAGA_FLAG_PURGED) == 0)
        settle(w);
    if (w->failure != BASE_OK)
        return base_error_set(error, w->failure,
                              "no memory to decide an input of instance \"%.*s\"",
                              BASE_SLICE_ARG(key));
    *entry_out = (saga_entry){.saga = plan->saga,
                              .key = state->phase == SAGA_PHASE_NONE ? key : state->key,
                              .incarnation = w->state.incarnation,
                              .seq = state->seq + 1,
                              .at_ms = w->now_ms,
                              .input = *input,
                              .trace_parent = input->event == NULL ? (base_slice){0}
                                                                   : input->event->trace_parent,
                              .changes = w->changes,
                              .change_count = w->change_count,
                              .effects = w->effects,
                              .effect_count = w->effect_count};
    memcpy(entry_out->plan_hash, plan->hash, sizeof(entry_out->plan_hash));
    return base_ok();
}
