/*
 * The step's state machine as data: what an input does to a step's forward half (F) and to its
 * backward half (U). No cell is empty; a test visits every cell, and docs/state-machine.md is
 * generated from these tables.
 *
 * Numbers are rules of docs/saga-language.md.
 */
#ifndef SAGA_MACHINE_H
#define SAGA_MACHINE_H

#include "saga/state.h"

/* A step that is over and stuck (28) is a row of its own: it waits for a human, and an answer still
 * counts. */
typedef enum saga_f_row {
    SAGA_ROW_WAITING = SAGA_F_WAITING,
    SAGA_ROW_SKIPPED = SAGA_F_SKIPPED,
    SAGA_ROW_DUE = SAGA_F_DUE,
    SAGA_ROW_OPEN = SAGA_F_OPEN,
    SAGA_ROW_BACKOFF = SAGA_F_BACKOFF,
    SAGA_ROW_DONE = SAGA_F_DONE,
    SAGA_ROW_FAILED = SAGA_F_FAILED,
    SAGA_ROW_UNKNOWN = SAGA_F_UNKNOWN,
    SAGA_ROW_CANCELLED = SAGA_F_CANCELLED,
    SAGA_ROW_STUCK = SAGA_F_COUNT,
    SAGA_ROW_COUNT
} saga_f_row;

/*          input              what it is */
#define SAGA_F_INPUT_LIST(X)                                                                       \
    X(SUCCESS, "an outcome of `emits` came")                                                       \
    X(FAILURE, "an outcome of `fails` came for the newest try")                                    \
    X(FAILURE_OLDER, "an outcome of `fails` came for an older try")                                \
    X(BEAT, "a progress event came")                                                               \
    X(TRY_TIMER, "the try's timeout")                                                              \
    X(BACKOFF_TIMER, "the time to try again")                                                      \
    X(DEADLINE, "the step's deadline")                                                             \
    X(STUCK_TIMER, "stuck.after")                                                                  \
    X(CONDITION, "its condition is true")                                                          \
    X(VOID, "its condition cannot become true")                                                    \
    X(TURN, "the saga turns back")                                                                 \
    X(RETRY, "a human: try again")                                                                 \
    X(SKIP, "a human: go on without it")                                                           \
    X(COMPLETE, "a human: this is its outcome")                                                    \
    X(FAIL, "a human: it failed")

typedef enum saga_f_input {
#define X(name, text) SAGA_F_ON_##name,
    SAGA_F_INPUT_LIST(X)
#undef X
        SAGA_F_INPUT_COUNT
} saga_f_input;

/*          action         what it does */
#define SAGA_F_ACTION_LIST(X)                                                                      \
    X(IGNORE, "nothing (stale or not for this state)")                                             \
    X(NOTE, "note it")                                                                             \
    X(REJECT, "refuse the human's act")                                                            \
    X(KEEP, "keep it as early (15)")                                                               \
    X(SUCCEED, "done (23)")                                                                        \
    X(LATE, "a success nobody counts on any more (29)")                                            \
    X(SURPLUS, "a second success (30)")                                                            \
    X(FAIL, "backoff where retry.if says so, else failed (24)")                                    \
    X(VERDICT, "record the verdict only (24)")                                                     \
    X(VERDICT_LATE, "record the verdict; failed once every try has one (31)")                      \
    X(RESTART, "restart the try's timer (17)")                                                     \
    X(TRY_OVER, "backoff while tries are left, else unknown (25)")                                 \
    X(AGAIN, "due again (26)")                                                                     \
    X(GIVE_UP, "as the last try's timer (27)")                                                     \
    X(STICK, "call a human (69)")                                                                  \
    X(BEGIN, "due, or skipped by its guard (20)")                                                  \
    X(PASS, "skipped (20)")                                                                        \
    X(CANCEL, "cancelled (39)")                                                                    \
    X(LOSE, "unknown (39)")                                                                        \
    X(DRAIN, "stays open until its answer or its timer (39), or cancelled (61)")                   \
    X(HUMAN_RETRY, "due again, a new series of tries")                                             \
    X(HUMAN_SKIP, "skipped")                                                                       \
    X(HUMAN_FAIL, "failed by a human")

typedef enum saga_f_action {
    SAGA_F_DO_EMPTY, /* no cell has it */
#define X(name, text) SAGA_F_DO_##name,
    SAGA_F_ACTION_LIST(X)
#undef X
        SAGA_F_ACTION_COUNT
} saga_f_action;

#define SAGA_U_INPUT_LIST(X)                                                                       \
    X(OWE, "its effect must go (28, 39)")                                                          \
    X(OWE_AGAIN, "a late or surplus success (29, 30)")                                             \
    X(ALLOWED, "the order lets it be undone (44)")                                                 \
    X(ACK, "an acknowledgement of the present generation (45)")                                    \
    X(ACK_OLD, "an acknowledgement of an older generation (45)")                                   \
    X(NACK, "an outcome of undo.fails came (46)")                                                  \
    X(TRY_TIMER, "the undo's timeout (46)")                                                        \
    X(BACKOFF, "the time to ask again (46)")                                                       \
    X(STUCK, "stuck.after (46)")                                                                   \
    X(RELEASE, "the pivot is done (41)")                                                           \
    X(RETRY, "a human: ask again (47)")                                                            \
    X(DONE, "a human: done by hand (47)")                                                          \
    X(GIVE_UP, "a human: give up (47)")

typedef enum saga_u_input {
#define X(name, text) SAGA_U_ON_##name,
    SAGA_U_INPUT_LIST(X)
#undef X
        SAGA_U_INPUT_COUNT
} saga_u_input;

#define SAGA_U_ACTION_LIST(X)                                                                      \
    X(IGNORE, "nothing (stale or not for this state)")                                             \
    X(NOTE, "note it")                                                                             \
    X(REJECT, "refuse the human's act")                                                            \
    X(OWE, "owed")                                                                                 \
    X(RECHECK, "once more after the acknowledgement (29, 30)")                                     \
    X(ASK, "undoing: the next generation is asked for (44)")                                       \
    X(ASK_AGAIN, "undoing: the same generation is asked for again (46)")                           \
    X(SETTLE, "undone, or owed again where a recheck is due (45)")                                 \
    X(UNINVITED, "nobody asked: counts, or alerts (45b)")                                          \
    X(RETRY_LATER, "backoff while tries are left, else stuck (46)")                                \
    X(STICK, "stuck: call a human (46)")                                                           \
    X(RELEASE, "released if it is done (41)")                                                      \
    X(HUMAN_RETRY, "undoing: a new series of tries (47)")                                          \
    X(WAIVE, "waived: done by hand (47)")                                                          \
    X(GIVE_UP, "waived, with damage (47)")

typedef enum saga_u_action {
    SAGA_U_DO_EMPTY, /* no cell has it */
#define X(name, text) SAGA_U_DO_##name,
    SAGA_U_ACTION_LIST(X)
#undef X
        SAGA_U_ACTION_COUNT
} saga_u_action;

saga_f_row saga_machine_row(const saga_step_state *step);
saga_f_action saga_machine_f(saga_f_row row, saga_f_input input);
saga_u_action saga_machine_u(saga_u u, saga_u_input input);

const char *saga_machine_row_name(saga_f_row row);
const char *saga_f_input_text(saga_f_input input);
const char *saga_f_action_text(saga_f_action action);
const char *saga_u_input_text(saga_u_input input);
const char *saga_u_action_text(saga_u_action action);

#endif
