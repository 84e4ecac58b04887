/*
 * Private to the core: one change applied to a state. decide uses it on its working copy, evolve on
 * the real thing; so what decide saw is what evolve makes.
 */
#ifndef SAGA_APPLY_H
#define SAGA_APPLY_H

#include "saga/entry.h"
#include "saga/state.h"

typedef struct saga_applier {
    const saga_plan *plan;
    saga_state *state;
    base_arena *arena; /* for what grows, and for copies */
    bool borrow;       /* values are not copied: the working copy lives no longer than they do */
} saga_applier;

/* CORRUPT when the change cannot be of this plan; OUT_OF_MEMORY. */
base_status saga_apply(const saga_applier *applier, const saga_change *change,
                       int64_t at_ms) BASE_MUST_USE;

/* The state's timer of this kind, or NULL. */
const saga_timer *saga_timer_find(const saga_state *state, saga_timer_kind kind, int32_t step,
                                  uint64_t number);

#endif
