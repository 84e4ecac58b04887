/* State of an instance: reading it. What changes it is in evolve.c. */
#include "saga/state.h"

#include "base/assert.h"

void saga_state_init(saga_state *state)
{
    *state = (saga_state){.phase = SAGA_PHASE_NONE};
}

bool saga_f_over(saga_f f)
{
    return f == SAGA_F_SKIPPED || f == SAGA_F_DONE || f == SAGA_F_FAILED || f == SAGA_F_UNKNOWN ||
           f == SAGA_F_CANCELLED;
}

bool saga_u_settled(saga_u u)
{
    return u == SAGA_U_NO || u == SAGA_U_UNDONE || u == SAGA_U_WAIVED || u == SAGA_U_RELEASED;
}

bool saga_state_ended(const saga_state *state)
{
    return state->phase == SAGA_PHASE_COMPLETED || state->phase == SAGA_PHASE_COMPENSATED ||
           state->phase == SAGA_PHASE_DAMAGED;
}

bool saga_state_stuck(const saga_state *state)
{
    if ((state->flags & SAGA_FLAG_JOURNAL_GAP) != 0)
        return true;
    for (int32_t i = 0; i < state->step_count; i++) {
        if ((state->steps[i].flags & SAGA_STEP_STUCK) != 0 || state->steps[i].u == SAGA_U_STUCK)
            return true;
    }
    return false;
}

const saga_timer *saga_state_next_timer(const saga_state *state)
{
    const uint32_t held = SAGA_FLAG_SUSPENDED | SAGA_FLAG_JOURNAL_GAP | SAGA_FLAG_PURGED;
    if (state->timer_count == 0 || (state->flags & held) != 0)
        return NULL;
    return &state->timers[0];
}

static void step_check(const saga_step_state *step)
{
    BASE_ASSERT(step->f < SAGA_F_COUNT);
    BASE_ASSERT(step->counted < SAGA_F_COUNT);
    BASE_ASSERT(step->u < SAGA_U_COUNT);
    BASE_ASSERT(step->tries >= step->series);
    BASE_ASSERT(step->undo_tries >= step->undo_series);
    BASE_ASSERT(step->gen >= 0);
}

void saga_state_check(const saga_state *state)
{
    BASE_ASSERT(state->phase < SAGA_PHASE_COUNT);
    BASE_ASSERT(state->timer_count <= state->timer_capacity);
    BASE_ASSERT(state->early_count <= state->early_capacity);
    BASE_ASSERT(state->seen_count <= SAGA_SEEN_MAX);
    for (int32_t i = 0; i < state->step_count; i++)
        step_check(&state->steps[i]);
    for (int32_t i = 1; i < state->timer_count; i++) {
        const saga_timer *a = &state->timers[i - 1];
        const saga_timer *b = &state->timers[i];
        BASE_ASSERT(a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->order < b->order));
    }
}
