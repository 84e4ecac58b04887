/*
 * The core's second call: what does this input lead to? (docs/design.md, 3; docs/saga-language.md,
 * B.)
 *
 * decide looks at the plan, the state and the input, and at nothing else; time is in the input. It
 * changes nothing: the entry says what is to change, saga_evolve does it.
 */
#ifndef SAGA_DECIDE_H
#define SAGA_DECIDE_H

#include "base/arena.h"
#include "base/error.h"
#include "saga/entry.h"
#include "saga/plan.h"
#include "saga/state.h"

/* Decides one input of one instance. `state` is the instance's (phase NONE: there is none yet; then
 * only a start event does anything: it needs `key`, the main key that the router computed; other
 * inputs give an entry with a dead letter `no_instance`). The entry always has at least one effect
 * or change; entry->changes may be empty (a note). It lives in arena and may point into the plan,
 * the state and the input. Errors: OUT_OF_MEMORY, and TOO_LARGE when a bound of the state (timers,
 * early events) would be passed; the state is as it was. An expression that fails is no error here:
 * it is a fact of the saga (A.1). */
base_status saga_decide(const saga_plan *plan, const saga_state *state, base_slice key,
                        const saga_input *input, base_arena *arena, saga_entry *entry_out,
                        base_error *error) BASE_MUST_USE;

/* Folds an entry that decide produced into the state; what it keeps is copied into arena (the
 * state's own). Ignores an entry whose seq the state already has (BASE_EXISTS) and refuses one that
 * leaves a gap (BASE_CONFLICT); cannot fail otherwise but for OUT_OF_MEMORY (the state is then as
 * before or unusable: drop it) and CORRUPT for an entry that decide cannot have made (indexes out
 * of the plan's range). */
base_status saga_evolve(const saga_plan *plan, saga_state *state, const saga_entry *entry,
                        base_arena *arena) BASE_MUST_USE;

/* A CloudEvent as expressions see it, and back: attributes at top level, payload in .data (A.1). */
base_status saga_event_to_value(const saga_event *event, base_arena *arena,
                                base_value *value_out) BASE_MUST_USE;
base_status saga_event_of_value(const base_value *value, base_arena *arena,
                                saga_event *event_out) BASE_MUST_USE;

/* The view that `troupe play --states`, show and replay print: {"phase", "data", "steps": {name:
 * {F, U, tries, gen}}}. */
base_status saga_state_to_value(const saga_plan *plan, const saga_state *state, base_arena *arena,
                                base_value *value_out) BASE_MUST_USE;

#endif
