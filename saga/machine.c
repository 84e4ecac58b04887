/* The tables of machine.h. A row is a state, a column an input; every cell says what is done, and
 * nothing is left to a default. */
#include "saga/machine.h"

#include "base/assert.h"

/* clang-format off */
#define ON(input, action) [SAGA_F_ON_##input] = SAGA_F_DO_##action
static const uint8_t f_table[SAGA_ROW_COUNT][SAGA_F_INPUT_COUNT] = {
    [SAGA_ROW_WAITING] = {
        ON(SUCCESS, KEEP), ON(FAILURE, KEEP), ON(FAILURE_OLDER, KEEP), ON(BEAT, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF_TIMER, IGNORE), ON(DEADLINE, IGNORE), ON(STUCK_TIMER, IGNORE),
        ON(CONDITION, BEGIN), ON(VOID, PASS), ON(TURN, CANCEL),
        ON(RETRY, REJECT), ON(SKIP, REJECT), ON(COMPLETE, REJECT), ON(FAIL, REJECT),
    },
    [SAGA_ROW_DUE] = {
        ON(SUCCESS, SUCCEED), ON(FAILURE, FAIL), ON(FAILURE_OLDER, VERDICT), ON(BEAT, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF_TIMER, IGNORE), ON(DEADLINE, GIVE_UP), ON(STUCK_TIMER, STICK),
        ON(CONDITION, IGNORE), ON(VOID, IGNORE), ON(TURN, CANCEL),
        ON(RETRY, REJECT), ON(SKIP, REJECT), ON(COMPLETE, REJECT), ON(FAIL, REJECT),
    },
    [SAGA_ROW_OPEN] = {
        ON(SUCCESS, SUCCEED), ON(FAILURE, FAIL), ON(FAILURE_OLDER, VERDICT), ON(BEAT, RESTART),
        ON(TRY_TIMER, TRY_OVER), ON(BACKOFF_TIMER, IGNORE), ON(DEADLINE, GIVE_UP), ON(STUCK_TIMER, STICK),
        ON(CONDITION, IGNORE), ON(VOID, IGNORE), ON(TURN, DRAIN),
        ON(RETRY, HUMAN_RETRY), ON(SKIP, HUMAN_SKIP), ON(COMPLETE, SUCCEED), ON(FAIL, HUMAN_FAIL),
    },
    [SAGA_ROW_BACKOFF] = {
        ON(SUCCESS, SUCCEED), ON(FAILURE, FAIL), ON(FAILURE_OLDER, VERDICT), ON(BEAT, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF_TIMER, AGAIN), ON(DEADLINE, GIVE_UP), ON(STUCK_TIMER, STICK),
        ON(CONDITION, IGNORE), ON(VOID, IGNORE), ON(TURN, LOSE),
        ON(RETRY, HUMAN_RETRY), ON(SKIP, HUMAN_SKIP), ON(COMPLETE, SUCCEED), ON(FAIL, HUMAN_FAIL),
    },
    [SAGA_ROW_SKIPPED] = {
        ON(SUCCESS, LATE), ON(FAILURE, NOTE), ON(FAILURE_OLDER, NOTE), ON(BEAT, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF_TIMER, IGNORE), ON(DEADLINE, IGNORE), ON(STUCK_TIMER, IGNORE),
        ON(CONDITION, IGNORE), ON(VOID, IGNORE), ON(TURN, IGNORE),
        ON(RETRY, REJECT), ON(SKIP, REJECT), ON(COMPLETE, REJECT), ON(FAIL, REJECT),
    },
    [SAGA_ROW_DONE] = {
        ON(SUCCESS, SURPLUS), ON(FAILURE, NOTE), ON(FAILURE_OLDER, NOTE), ON(BEAT, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF_TIMER, IGNORE), ON(DEADLINE, IGNORE), ON(STUCK_TIMER, IGNORE),
        ON(CONDITION, IGNORE), ON(VOID, IGNORE), ON(TURN, IGNORE),
        ON(RETRY, REJECT), ON(SKIP, REJECT), ON(COMPLETE, REJECT), ON(FAIL, REJECT),
    },
    [SAGA_ROW_FAILED] = {
        ON(SUCCESS, LATE), ON(FAILURE, NOTE), ON(FAILURE_OLDER, NOTE), ON(BEAT, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF_TIMER, IGNORE), ON(DEADLINE, IGNORE), ON(STUCK_TIMER, IGNORE),
        ON(CONDITION, IGNORE), ON(VOID, IGNORE), ON(TURN, IGNORE),
        ON(RETRY, REJECT), ON(SKIP, REJECT), ON(COMPLETE, REJECT), ON(FAIL, REJECT),
    },
    [SAGA_ROW_UNKNOWN] = {
        ON(SUCCESS, LATE), ON(FAILURE, VERDICT_LATE), ON(FAILURE_OLDER, VERDICT_LATE), ON(BEAT, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF_TIMER, IGNORE), ON(DEADLINE, IGNORE), ON(STUCK_TIMER, IGNORE),
        ON(CONDITION, IGNORE), ON(VOID, IGNORE), ON(TURN, IGNORE),
        ON(RETRY, REJECT), ON(SKIP, REJECT), ON(COMPLETE, REJECT), ON(FAIL, REJECT),
    },
    [SAGA_ROW_CANCELLED] = {
        ON(SUCCESS, LATE), ON(FAILURE, NOTE), ON(FAILURE_OLDER, NOTE), ON(BEAT, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF_TIMER, IGNORE), ON(DEADLINE, IGNORE), ON(STUCK_TIMER, IGNORE),
        ON(CONDITION, IGNORE), ON(VOID, IGNORE), ON(TURN, IGNORE),
        ON(RETRY, REJECT), ON(SKIP, REJECT), ON(COMPLETE, REJECT), ON(FAIL, REJECT),
    },
    [SAGA_ROW_STUCK] = {
        ON(SUCCESS, SUCCEED), ON(FAILURE, VERDICT_LATE), ON(FAILURE_OLDER, VERDICT), ON(BEAT, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF_TIMER, IGNORE), ON(DEADLINE, IGNORE), ON(STUCK_TIMER, IGNORE),
        ON(CONDITION, IGNORE), ON(VOID, IGNORE), ON(TURN, IGNORE),
        ON(RETRY, HUMAN_RETRY), ON(SKIP, HUMAN_SKIP), ON(COMPLETE, SUCCEED), ON(FAIL, HUMAN_FAIL),
    },
};
#undef ON

#define ON(input, action) [SAGA_U_ON_##input] = SAGA_U_DO_##action
static const uint8_t u_table[SAGA_U_COUNT][SAGA_U_INPUT_COUNT] = {
    [SAGA_U_NO] = {
        ON(OWE, OWE), ON(OWE_AGAIN, OWE), ON(ALLOWED, IGNORE),
        ON(ACK, UNINVITED), ON(ACK_OLD, NOTE), ON(NACK, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF, IGNORE), ON(STUCK, IGNORE), ON(RELEASE, RELEASE),
        ON(RETRY, REJECT), ON(DONE, REJECT), ON(GIVE_UP, REJECT),
    },
    [SAGA_U_OWED] = {
        ON(OWE, IGNORE), ON(OWE_AGAIN, IGNORE), ON(ALLOWED, ASK),
        ON(ACK, UNINVITED), ON(ACK_OLD, NOTE), ON(NACK, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF, IGNORE), ON(STUCK, IGNORE), ON(RELEASE, IGNORE),
        ON(RETRY, REJECT), ON(DONE, REJECT), ON(GIVE_UP, REJECT),
    },
    [SAGA_U_UNDOING] = {
        ON(OWE, IGNORE), ON(OWE_AGAIN, RECHECK), ON(ALLOWED, IGNORE),
        ON(ACK, SETTLE), ON(ACK_OLD, NOTE), ON(NACK, RETRY_LATER),
        ON(TRY_TIMER, RETRY_LATER), ON(BACKOFF, IGNORE), ON(STUCK, STICK), ON(RELEASE, IGNORE),
        ON(RETRY, REJECT), ON(DONE, REJECT), ON(GIVE_UP, REJECT),
    },
    [SAGA_U_BACKOFF] = {
        ON(OWE, IGNORE), ON(OWE_AGAIN, RECHECK), ON(ALLOWED, IGNORE),
        ON(ACK, SETTLE), ON(ACK_OLD, NOTE), ON(NACK, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF, ASK_AGAIN), ON(STUCK, STICK), ON(RELEASE, IGNORE),
        ON(RETRY, REJECT), ON(DONE, REJECT), ON(GIVE_UP, REJECT),
    },
    [SAGA_U_UNDONE] = {
        ON(OWE, IGNORE), ON(OWE_AGAIN, OWE), ON(ALLOWED, IGNORE),
        ON(ACK, NOTE), ON(ACK_OLD, NOTE), ON(NACK, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF, IGNORE), ON(STUCK, IGNORE), ON(RELEASE, IGNORE),
        ON(RETRY, REJECT), ON(DONE, REJECT), ON(GIVE_UP, REJECT),
    },
    [SAGA_U_STUCK] = {
        ON(OWE, IGNORE), ON(OWE_AGAIN, RECHECK), ON(ALLOWED, IGNORE),
        ON(ACK, SETTLE), ON(ACK_OLD, NOTE), ON(NACK, RETRY_LATER),
        ON(TRY_TIMER, RETRY_LATER), ON(BACKOFF, ASK_AGAIN), ON(STUCK, IGNORE), ON(RELEASE, IGNORE),
        ON(RETRY, HUMAN_RETRY), ON(DONE, WAIVE), ON(GIVE_UP, GIVE_UP),
    },
    [SAGA_U_WAIVED] = {
        ON(OWE, IGNORE), ON(OWE_AGAIN, OWE), ON(ALLOWED, IGNORE),
        ON(ACK, NOTE), ON(ACK_OLD, NOTE), ON(NACK, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF, IGNORE), ON(STUCK, IGNORE), ON(RELEASE, IGNORE),
        ON(RETRY, REJECT), ON(DONE, REJECT), ON(GIVE_UP, REJECT),
    },
    [SAGA_U_RELEASED] = {
        ON(OWE, OWE), ON(OWE_AGAIN, OWE), ON(ALLOWED, IGNORE),
        ON(ACK, UNINVITED), ON(ACK_OLD, NOTE), ON(NACK, NOTE),
        ON(TRY_TIMER, IGNORE), ON(BACKOFF, IGNORE), ON(STUCK, IGNORE), ON(RELEASE, IGNORE),
        ON(RETRY, REJECT), ON(DONE, REJECT), ON(GIVE_UP, REJECT),
    },
};
#undef ON
/* clang-format on */

saga_f_row saga_machine_row(const saga_step_state *step)
{
    const bool stuck = (step->flags & SAGA_STEP_STUCK) != 0;
    return stuck && saga_f_over((saga_f)step->f) ? SAGA_ROW_STUCK : (saga_f_row)step->f;
}

saga_f_action saga_machine_f(saga_f_row row, saga_f_input input)
{
    BASE_ASSERT(row < SAGA_ROW_COUNT);
    BASE_ASSERT(input < SAGA_F_INPUT_COUNT);
    BASE_ASSERT(f_table[row][input] != SAGA_F_DO_EMPTY);
    return (saga_f_action)f_table[row][input];
}

saga_u_action saga_machine_u(saga_u u, saga_u_input input)
{
    BASE_ASSERT(u < SAGA_U_COUNT);
    BASE_ASSERT(input < SAGA_U_INPUT_COUNT);
    BASE_ASSERT(u_table[u][input] != SAGA_U_DO_EMPTY);
    return (saga_u_action)u_table[u][input];
}

const char *saga_machine_row_name(saga_f_row row)
{
    return row == SAGA_ROW_STUCK ? "stuck" : saga_f_name((saga_f)row);
}

#define X(name, text) text,
static const char *const f_input_texts[] = {SAGA_F_INPUT_LIST(X)};
static const char *const f_action_texts[] = {"", SAGA_F_ACTION_LIST(X)};
static const char *const u_input_texts[] = {SAGA_U_INPUT_LIST(X)};
static const char *const u_action_texts[] = {"", SAGA_U_ACTION_LIST(X)};
#undef X

const char *saga_f_input_text(saga_f_input input)
{
    BASE_ASSERT(input < SAGA_F_INPUT_COUNT);
    return f_input_texts[input];
}

const char *saga_f_action_text(saga_f_action action)
{
    BASE_ASSERT(action < SAGA_F_ACTION_COUNT);
    return f_action_texts[action];
}

const char *saga_u_input_text(saga_u_input input)
{
    BASE_ASSERT(input < SAGA_U_INPUT_COUNT);
    return u_input_texts[input];
}

const char *saga_u_action_text(saga_u_action action)
{
    BASE_ASSERT(action < SAGA_U_ACTION_COUNT);
    return u_action_texts[action];
}
