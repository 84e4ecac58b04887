/* What expressions and people see of a state (A.1): values made from it. Private to the core and
 * its readers. */
#ifndef SAGA_VIEW_H
#define SAGA_VIEW_H

#include "base/arena.h"
#include "saga/plan.h"
#include "saga/state.h"

/* $steps: {name: {state, out, end, tries}}. */
base_status saga_view_steps(const saga_plan *plan, const saga_state *state, base_arena *arena,
                            base_value *value_out) BASE_MUST_USE;
/* $events: {name: event} of the events that the plan remembers. */
base_status saga_view_events(const saga_plan *plan, const saga_state *state, base_arena *arena,
                             base_value *value_out) BASE_MUST_USE;
/* $saga: {id, key, name, version, started, cause, round}. */
base_status saga_view_saga(const saga_plan *plan, const saga_state *state, base_arena *arena,
                           base_value *value_out) BASE_MUST_USE;

#endif
