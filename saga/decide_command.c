/* Operators' commands (38, 43, 47, 58) and the engine's own report that the log refused an event.
 */
#include "base/assert.h"
#include "saga/work.h"

static void command_abort(work *w)
{
    const saga_command *command = &w->input->command;
    const bool past = (w->state.flags & SAGA_FLAG_PAST_PIVOT) != 0;
    if (past && command->force && w->state.phase == SAGA_PHASE_RUNNING) {
        if (command->reason.size == 0) {
            work_note(w, SAGA_NONE, "reason_needed");
            return;
        }
        turn_force(w, command->reason);
        return;
    }
    turn_request(w, (work_cause){"operator", SAGA_NONE, {0}, command->reason});
}

/* The step of a path, and whether its undo is meant. SAGA_NONE: there is none. */
static int32_t command_step(const work *w, base_slice path, bool *undo_out)
{
    static const base_slice suffix = BASE_SLICE_LITERAL("/undo");
    *undo_out = base_slice_ends_with(path, suffix);
    if (*undo_out)
        path.size -= suffix.size;
    return saga_plan_step(w->plan, path);
}

/* `complete`: the human's outcome stands for the service's. The first of `emits` where none is
 * named. */
static int32_t outcome(const work *w, int32_t step, base_slice name)
{
    for (int32_t i = 0; i < w->plan->event_count; i++) {
        const saga_plan_event *event = &w->plan->events[i];
        if (name.size != 0 && !base_slice_equal(event->name, name) &&
            !base_slice_equal(event->type, name))
            continue;
        for (int32_t k = 0; k < event->role_count; k++) {
            const saga_event_role *role = &w->plan->roles[event->role_first + k];
            if (role->step == step && role->role == SAGA_ROLE_EMITS)
                return i;
        }
    }
    return SAGA_NONE;
}

static void complete(work *w, int32_t step)
{
    const saga_command *command = &w->input->command;
    const int32_t index = outcome(w, step, command->event);
    if (index == SAGA_NONE) {
        work_note(w, step, "no_such_outcome");
        return;
    }
    saga_event *event = BASE_ARENA_NEW(w->arena, saga_event);
    if (event == NULL) {
        w->failure = BASE_OUT_OF_MEMORY;
        return;
    }
    *event = (saga_event){.id = command->id,
                          .source = base_slice_of("troupe:operator"),
                          .type = w->plan->events[index].type,
                          .time_ms = w->now_ms,
                          .data = command->data};
    w->event = event;
    w->event_index = index;
    step_input(w, step, SAGA_F_ON_COMPLETE, work_step(w, step)->tries);
}

static void resolve_step(work *w, int32_t step, saga_act act)
{
    switch (act) {
    case SAGA_ACT_RETRY:
        step_input(w, step, SAGA_F_ON_RETRY, 0);
        return;
    case SAGA_ACT_SKIP:
        step_input(w, step, SAGA_F_ON_SKIP, 0);
        return;
    case SAGA_ACT_COMPLETE:
        complete(w, step);
        return;
    case SAGA_ACT_FAIL:
        step_input(w, step, SAGA_F_ON_FAIL, 0);
        return;
    case SAGA_ACT_DONE_BY_HAND:
    case SAGA_ACT_GIVE_UP:
        work_note(w, step, "not_stuck");
        return;
    case SAGA_ACT_COUNT:
    default:
        BASE_ASSERT(false);
    }
}

static void resolve_undo(work *w, int32_t step, saga_act act)
{
    switch (act) {
    case SAGA_ACT_RETRY:
        undo_input(w, step, SAGA_U_ON_RETRY);
        return;
    case SAGA_ACT_DONE_BY_HAND:
        undo_input(w, step, SAGA_U_ON_DONE);
        return;
    case SAGA_ACT_GIVE_UP:
        undo_input(w, step, SAGA_U_ON_GIVE_UP);
        return;
    case SAGA_ACT_SKIP:
    case SAGA_ACT_COMPLETE:
    case SAGA_ACT_FAIL:
        work_note(w, step, "not_stuck");
        return;
    case SAGA_ACT_COUNT:
    default:
        BASE_ASSERT(false);
    }
}

static void command_resolve(work *w)
{
    const saga_command *command = &w->input->command;
    bool undo = false;
    const int32_t step = command_step(w, command->step, &undo);
    if (step == SAGA_NONE) {
        work_note(w, SAGA_NONE, "no_such_step");
        return;
    }
    const saga_step_state *state = work_step(w, step);
    const bool undo_stuck = state->u == SAGA_U_STUCK;
    const bool step_stuck = (state->flags & SAGA_STEP_STUCK) != 0;
    /* The path may leave out "/undo" where only the undo is stuck, or the act is one for undos. */
    if (undo || command->act == SAGA_ACT_DONE_BY_HAND || command->act == SAGA_ACT_GIVE_UP ||
        (undo_stuck && !step_stuck))
        resolve_undo(w, step, command->act);
    else if (step_stuck)
        resolve_step(w, step, command->act);
    else
        work_note(w, step, "not_stuck");
}

static void command_suspend(work *w, bool on)
{
    if (((w->state.flags & SAGA_FLAG_SUSPENDED) != 0) == on)
        work_note(w, SAGA_NONE, on ? "already_suspended" : "not_suspended");
    work_flag(w, SAGA_FLAG_SUSPENDED, on);
}

static void command_purge(work *w)
{
    if (!saga_state_ended(&w->state) || w->now_ms < w->state.ended_ms + w->plan->retain_ms) {
        work_note(w, SAGA_NONE, saga_state_ended(&w->state) ? "within_retain" : "not_ended");
        return;
    }
    work_flag(w, SAGA_FLAG_PURGED, true);
}

/* The log would not take the step's event: a human is called, nothing is asked again by itself
 * (design.md, 5). */
static void command_refused(work *w)
{
    const saga_command *command = &w->input->command;
    bool undo = false;
    const int32_t step = command_step(w, command->step, &undo);
    if (step == SAGA_NONE) {
        work_alert(w, SAGA_NONE, "emit_refused", command->reason);
        return;
    }
    work_step_flag(w, step, SAGA_STEP_EMIT_REFUSED, true);
    if (undo) {
        work_timer_stop(w, SAGA_TIMER_UNDO, step);
        work_timer_stop(w, SAGA_TIMER_UNDO_BACKOFF, step);
        work_timer_stop(w, SAGA_TIMER_UNDO_STUCK, step);
        work_u(w, step, SAGA_U_STUCK);
    } else {
        work_timer_stop(w, SAGA_TIMER_TRY, step);
        work_timer_stop(w, SAGA_TIMER_STUCK, step);
        work_step_flag(w, step, SAGA_STEP_STUCK, true);
    }
    work_phase_effect(w, step, "stuck");
    work_alert(w, step, undo ? "stuck_undo" : "stuck_step", command->reason);
}

void command_input(work *w)
{
    switch (w->input->command.kind) {
    case SAGA_COMMAND_ABORT:
        command_abort(w);
        return;
    case SAGA_COMMAND_RESOLVE:
        command_resolve(w);
        return;
    case SAGA_COMMAND_SUSPEND:
        command_suspend(w, true);
        return;
    case SAGA_COMMAND_RESUME:
        command_suspend(w, false);
        return;
    case SAGA_COMMAND_PURGE:
        command_purge(w);
        return;
    case SAGA_COMMAND_EMIT_REFUSED:
        command_refused(w);
        return;
    case SAGA_COMMAND_COUNT:
    default:
        BASE_ASSERT(false);
    }
}
