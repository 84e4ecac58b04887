/*
 * Conditions (B.3): the value of a formula over facts, with four values. Facts only ever become
 * true, so a value that is decided stays (rules 18, 19, 60).
 */
#include "base/assert.h"
#include "saga/work.h"

#define OPERAND_MAX                                                                                \
    256 /* of the value stack; more would need a formula of that many open operands */

typedef struct tally {
    int32_t count[4]; /* by saga_truth */
} tally;

/* What a step that is over without the fact says: skipped, or impossible. A step that waits for a
 * human may still bring it (28). */
static saga_truth without(const work *w, int32_t step)
{
    const saga_step_state *state = &w->state.steps[step];
    if ((state->flags & SAGA_STEP_STUCK) != 0)
        return SAGA_UNDECIDED;
    switch ((saga_f)state->counted) {
    case SAGA_F_SKIPPED:
    case SAGA_F_CANCELLED:
        return SAGA_SKIP;
    case SAGA_F_FAILED:
    case SAGA_F_UNKNOWN:
        return w->plan->steps[step].optional ? SAGA_SKIP : SAGA_IMPOSSIBLE;
    case SAGA_F_DONE:
        return SAGA_IMPOSSIBLE;
    case SAGA_F_WAITING:
    case SAGA_F_DUE:
    case SAGA_F_OPEN:
    case SAGA_F_BACKOFF:
        return SAGA_UNDECIDED;
    case SAGA_F_COUNT:
    default:
        BASE_ASSERT(false);
        return SAGA_UNDECIDED;
    }
}

static saga_truth step_value(const work *w, int32_t step)
{
    return w->state.steps[step].counted == SAGA_F_DONE ? SAGA_TRUE : without(w, step);
}

/* Rule 18: true when a step ended with it; skipped when every producer was; impossible when every
 * one is over. */
static saga_truth event_value(const work *w, int32_t index)
{
    const saga_plan_event *event = &w->plan->events[index];
    tally found = {{0}};
    int32_t producers = 0;
    if (event->start != SAGA_NONE) {
        if (w->state.occurred[index] != 0)
            return SAGA_TRUE;
        found.count[SAGA_UNDECIDED]++;
        producers++;
    }
    for (int32_t i = 0; i < event->role_count; i++) {
        const saga_event_role *role = &w->plan->roles[event->role_first + i];
        const saga_step_state *state = &w->state.steps[role->step];
        if (role->role != SAGA_ROLE_EMITS && role->role != SAGA_ROLE_FAILS)
            continue;
        const saga_f ended = role->role == SAGA_ROLE_EMITS ? SAGA_F_DONE : SAGA_F_FAILED;
        if (state->counted == ended && base_slice_equal(state->end, event->name))
            return SAGA_TRUE;
        found.count[without(w, role->step)]++;
        producers++;
    }
    if (found.count[SAGA_UNDECIDED] > 0)
        return SAGA_UNDECIDED;
    return found.count[SAGA_SKIP] == producers ? SAGA_SKIP : SAGA_IMPOSSIBLE;
}

/* Rule 60. */
static saga_truth failed_value(const work *w, int32_t step)
{
    const saga_step_state *state = &w->state.steps[step];
    if ((state->flags & SAGA_STEP_STUCK) != 0)
        return SAGA_UNDECIDED;
    if (state->counted == SAGA_F_FAILED || state->counted == SAGA_F_UNKNOWN)
        return saga_u_settled((saga_u)state->u) ? SAGA_TRUE : SAGA_UNDECIDED;
    return saga_f_over((saga_f)state->counted) ? SAGA_SKIP : SAGA_UNDECIDED;
}

static saga_truth over_value(const work *w, int32_t step)
{
    const saga_step_state *state = &w->state.steps[step];
    return saga_f_over((saga_f)state->counted) && (state->flags & SAGA_STEP_STUCK) == 0
               ? SAGA_TRUE
               : SAGA_UNDECIDED;
}

/* Rule 19. `all` is decided only when every member is: a short cut on impossible would let a pivot
 * start beside an open member. */
static saga_truth combine(const saga_condition *condition, const tally *operands)
{
    const int32_t true_count = operands->count[SAGA_TRUE];
    const int32_t open_count = operands->count[SAGA_UNDECIDED];
    const int32_t impossible_count = operands->count[SAGA_IMPOSSIBLE];
    if (condition->kind == SAGA_CONDITION_ALL) {
        if (open_count > 0)
            return SAGA_UNDECIDED;
        if (impossible_count > 0)
            return SAGA_IMPOSSIBLE;
        return true_count > 0 ? SAGA_TRUE : SAGA_SKIP;
    }
    if (condition->kind == SAGA_CONDITION_ANY) {
        if (true_count > 0)
            return SAGA_TRUE;
        if (open_count > 0)
            return SAGA_UNDECIDED;
        return impossible_count > 0 ? SAGA_IMPOSSIBLE : SAGA_SKIP;
    }
    if (true_count >= condition->need)
        return SAGA_TRUE;
    if (true_count + open_count >= condition->need)
        return SAGA_UNDECIDED;
    return operands->count[SAGA_SKIP] == condition->operand_count ? SAGA_SKIP : SAGA_IMPOSSIBLE;
}

static saga_truth atom_value(const work *w, const saga_condition *condition)
{
    switch (condition->kind) {
    case SAGA_CONDITION_EVENT:
        return event_value(w, condition->index);
    case SAGA_CONDITION_STEP:
        return step_value(w, condition->index);
    case SAGA_CONDITION_FAILED:
        return failed_value(w, condition->index);
    case SAGA_CONDITION_OVER:
        return over_value(w, condition->index);
    case SAGA_CONDITION_ALL:
    case SAGA_CONDITION_ANY:
    case SAGA_CONDITION_NEED:
    default:
        BASE_ASSERT(false);
        return SAGA_UNDECIDED;
    }
}

static saga_truth formula_value(work *w, saga_formula formula)
{
    uint8_t small[OPERAND_MAX];
    uint8_t *stack = formula.count <= OPERAND_MAX
                         ? small
                         : (uint8_t *)base_arena_alloc(w->arena, (size_t)formula.count);
    int32_t depth = 0;
    if (stack == NULL) {
        w->failure = BASE_OUT_OF_MEMORY;
        return SAGA_UNDECIDED;
    }
    for (int32_t i = formula.first; i < formula.first + formula.count; i++) {
        const saga_condition *condition = &w->plan->conditions[i];
        if (condition->operand_count == 0) {
            stack[depth++] = (uint8_t)atom_value(w, condition);
            continue;
        }
        tally operands = {{0}};
        BASE_ASSERT(depth >= condition->operand_count);
        for (int32_t k = 0; k < condition->operand_count; k++)
            operands.count[stack[--depth]]++;
        stack[depth++] = (uint8_t)combine(condition, &operands);
    }
    BASE_ASSERT(depth == 1);
    return (saga_truth)stack[0];
}

/* Both `when` and `after` are needed where both are given; none given starts with its block (A.6).
 */
saga_truth condition_of_step(work *w, int32_t step)
{
    static const saga_condition both = {.kind = SAGA_CONDITION_ALL, .operand_count = 2};
    const saga_step *plan = &w->plan->steps[step];
    if (plan->when.count == 0 && plan->after.count == 0)
        return SAGA_TRUE;
    if (plan->after.count == 0)
        return formula_value(w, plan->when);
    if (plan->when.count == 0)
        return formula_value(w, plan->after);
    tally operands = {{0}};
    operands.count[formula_value(w, plan->when)]++;
    operands.count[formula_value(w, plan->after)]++;
    return combine(&both, &operands);
}
