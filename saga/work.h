/*
 * Private to decide: the working copy of an instance while one input is decided, and what comes of
 * it.
 *
 * Every change goes through work_change: it is written into the entry and applied to the working
 * copy at once, so the next rule sees it. Failures (memory) latch in work->failure; rules need not
 * look, the loops do.
 */
#ifndef SAGA_WORK_H
#define SAGA_WORK_H

#include "saga/apply.h"
#include "saga/decide.h"
#include "saga/machine.h"

/* Why a scope fails or an instance turns back (68). */
typedef struct work_cause {
    const char *
        kind; /* fails unknown check expression_error deadline abort operator; NULL: none pending */
    int32_t step;     /* or SAGA_NONE */
    base_slice event; /* name; may be empty */
    base_slice reason;
} work_cause;

typedef struct work {
    const saga_plan *plan;
    const saga_state *before;
    saga_state state; /* the working copy */
    const saga_input *input;
    int64_t now_ms; /* the entry's time (3) */
    base_arena *arena;
    base_code failure;
    bool changed;     /* since settle last looked */
    work_cause cause; /* a root failure that is still to be acted on (37) */

    const saga_event
        *event; /* what is being received: the input's, or an early one offered again */
    int32_t event_index;
    const base_value *event_value; /* the same as expressions see it; made when first needed */

    saga_change *changes;
    int32_t change_count;
    int32_t change_capacity;
    saga_effect *effects;
    int32_t effect_count;
    int32_t effect_capacity;
    saga_effect nowhere; /* takes what is written once a failure has latched; never read */
} work;

/* ---- changes ---- */
void work_change(work *w, saga_change change);
void work_flag(work *w, uint32_t flag, bool on);
void work_f(work *w, int32_t step, saga_f f, bool counts);
void work_u(work *w, int32_t step, saga_u u);
void work_step_flag(work *w, int32_t step, uint32_t flag, bool on);
void work_timer(work *w, saga_timer_kind kind, int32_t step, int64_t due_ms);
void work_timer_stop(work *w, saga_timer_kind kind, int32_t step);
static inline saga_step_state *work_step(work *w, int32_t step)
{
    return &w->state.steps[step];
}

/* ---- effects ---- */
saga_effect *work_effect(work *w, saga_effect_kind kind, int32_t step, base_slice name);
void work_note(work *w, int32_t step, const char *name);
void work_alert(work *w, int32_t step, const char *name, base_slice text);
void work_phase_effect(work *w, int32_t step, const char *name);
void work_dead_letter(work *w, const char *reason, base_slice text);
/* One of the engine's own events: saga.pivot, saga.cancel_refused. */
void work_own_event(work *w, const char *name, int32_t step);

/* ---- names ---- */
/* The id of a published event: a hash of instance, path, kind, generation and try (5), 32 hex
 * digits. */
void work_id(base_slice instance, base_slice path, const char *kind, int64_t gen,
             int64_t try_number, char id_out[33]);
/* The idempotency key of a step's asks. */
base_slice work_saga_key(work *w, int32_t step);

/* ---- expressions ---- */
typedef struct work_view {
    const base_value *data;  /* NULL: the present document */
    const base_value *event; /* NULL: the present event */
    const base_value *steps; /* NULL: the present steps */
} work_view;

/* Evaluates; on failure gives false, with the message in text_out (in the arena). */
bool work_eval(work *w, const saga_expr *expr, const work_view *view, base_value *value_out,
               base_slice *text_out);
/* The present event for expressions: null where the input is none. */
const base_value *work_event_value(work *w);
const base_value *work_steps_value(work *w);
/* A value that outlives the call, in the arena. NULL without memory (latched). */
const base_value *work_keep(work *w, base_value value);

/* ---- the rules, by file ---- */
/* decide_step.c: B.4, B.5 */
void step_input(work *w, int32_t step, saga_f_input input, int32_t try_number);
void step_start(work *w, int32_t step);
void step_stick(work *w, int32_t step);
void step_lost(work *w, int32_t step, const char *kind, base_slice reason);
void step_stop_timers(work *w, int32_t step);
bool step_in_flight(const saga_step_state *step);
int64_t step_delay(work *w, int32_t step, const saga_retry *retry, int32_t count,
                   const char *direction);
/* decide_undo.c: B.8 */
void undo_input(work *w, int32_t step, saga_u_input input);
void undo_prepare(work *w, int32_t step, const base_value *data);
bool undo_is_owed_for(const work *w, int32_t step);
bool undo_allowed(const work *w, int32_t step);
/* decide_turn.c: B.7, ends */
void turn_request(work *w, work_cause cause);
void turn_force(work *w, base_slice reason);
void turn_debts(work *w);
void turn_pivot_done(work *w, int32_t step);
void turn_end_early(work *w);
void turn_ends(work *w);
/* decide_receive.c: B.2 */
void receive_event(work *w);
bool receive_seen(const work *w);
void receive_forgotten(work *w, uint64_t order);
void receive_offered(work *w, const saga_early_event *early);
bool receive_wants_early(const work *w, const saga_early_event *early);
void receive_begin(work *w, base_slice key);
void receive_keep(work *w);
/* decide_command.c */
void command_input(work *w);
/* condition.c: B.3 */
typedef enum saga_truth { SAGA_UNDECIDED, SAGA_TRUE, SAGA_SKIP, SAGA_IMPOSSIBLE } saga_truth;
saga_truth condition_of_step(work *w, int32_t step);

#endif
