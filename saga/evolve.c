/*
 * evolve: the fold. Every change is a fact; applying it looks at nothing but the change and the
 * state. This file is all that ever writes to a state.
 */
#include "base/assert.h"
#include "saga/apply.h"
#include "saga/decide.h"
#include "saga/edit.h"

static base_status corrupt(void)
{
    return base_status_of(BASE_CORRUPT);
}

static base_status keep_value(const saga_applier *a, const base_value *value,
                              const base_value **kept_out)
{
    if (value == NULL || a->borrow) {
        *kept_out = value;
        return base_ok();
    }
    base_value *copy = BASE_ARENA_NEW(a->arena, base_value);
    if (copy == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    BASE_TRY(base_value_copy(value, a->arena, copy));
    *kept_out = copy;
    return base_ok();
}

static base_status keep_slice(const saga_applier *a, base_slice slice, base_slice *kept_out)
{
    if (a->borrow || slice.size == 0) {
        *kept_out = slice;
        return base_ok();
    }
    *kept_out = base_arena_copy(a->arena, slice);
    return kept_out->data == NULL ? base_status_of(BASE_OUT_OF_MEMORY) : base_ok();
}

/* Room for one more item; the array moves when it is full. */
static base_status reserve(base_arena *arena, void **items, int32_t count, int32_t *capacity,
                           size_t item_size)
{
    if (count < *capacity)
        return base_ok();
    const int32_t wanted = *capacity == 0 ? 4 : *capacity * 2;
    void *grown = base_arena_alloc(arena, (size_t)wanted * item_size);
    if (grown == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    if (count > 0)
        memcpy(grown, *items, (size_t)count * item_size);
    *items = grown;
    *capacity = wanted;
    return base_ok();
}

/* ---- timers: a list by (due, order) ---- */

static int32_t timer_index(const saga_state *state, saga_timer_kind kind, int32_t step,
                           uint64_t number)
{
    for (int32_t i = 0; i < state->timer_count; i++) {
        const saga_timer *timer = &state->timers[i];
        if (timer->kind == kind && timer->step == step && timer->number == number)
            return i;
    }
    return SAGA_NONE;
}

const saga_timer *saga_timer_find(const saga_state *state, saga_timer_kind kind, int32_t step,
                                  uint64_t number)
{
    const int32_t index = timer_index(state, kind, step, number);
    return index == SAGA_NONE ? NULL : &state->timers[index];
}

static void timer_stop(saga_state *state, saga_timer_kind kind, int32_t step, uint64_t number)
{
    const int32_t index = timer_index(state, kind, step, number);
    if (index == SAGA_NONE)
        return;
    state->timer_count--;
    memmove(&state->timers[index], &state->timers[index + 1],
            (size_t)(state->timer_count - index) * sizeof(saga_timer));
}

static base_status timer_start(const saga_applier *a, saga_timer timer)
{
    saga_state *state = a->state;
    timer_stop(state, timer.kind, timer.step, timer.number);
    BASE_TRY(reserve(a->arena, (void **)&state->timers, state->timer_count, &state->timer_capacity,
                     sizeof(saga_timer)));
    timer.order = ++state->order;
    int32_t at = state->timer_count;
    while (at > 0 && state->timers[at - 1].due_ms > timer.due_ms)
        at--;
    memmove(&state->timers[at + 1], &state->timers[at],
            (size_t)(state->timer_count - at) * sizeof(saga_timer));
    state->timers[at] = timer;
    state->timer_count++;
    return base_ok();
}

static base_status change_timer(const saga_applier *a, const saga_change *change)
{
    if (change->number < 0 || change->number >= SAGA_TIMER_COUNT)
        return corrupt();
    const saga_timer_kind kind = (saga_timer_kind)change->number;
    if (change->kind == SAGA_CHANGE_TIMER)
        return timer_start(
            a, (saga_timer){.kind = kind, .step = change->step, .due_ms = change->other});
    timer_stop(a->state, kind, change->step, (uint64_t)change->other);
    return base_ok();
}

/* ---- early events ---- */

static base_status change_early(const saga_applier *a, const saga_change *change)
{
    saga_state *state = a->state;
    if (change->number < 0 || change->number >= a->plan->event_count)
        return corrupt();
    BASE_TRY(reserve(a->arena, (void **)&state->early, state->early_count, &state->early_capacity,
                     sizeof(saga_early_event)));
    saga_early_event early = {.order = ++state->order, .event = (int32_t)change->number};
    BASE_TRY(keep_value(a, change->value, &early.record));
    state->early[state->early_count++] = early;
    return timer_start(a, (saga_timer){.kind = SAGA_TIMER_EARLY,
                                       .step = SAGA_NONE,
                                       .number = early.order,
                                       .due_ms = change->other});
}

static void early_taken(saga_state *state, uint64_t order)
{
    timer_stop(state, SAGA_TIMER_EARLY, SAGA_NONE, order);
    for (int32_t i = 0; i < state->early_count; i++) {
        if (state->early[i].order != order)
            continue;
        state->early_count--;
        memmove(&state->early[i], &state->early[i + 1],
                (size_t)(state->early_count - i) * sizeof(saga_early_event));
        return;
    }
}

/* ---- the header ---- */

static base_status change_created(const saga_applier *a, const saga_change *change, int64_t at_ms)
{
    saga_state *state = a->state;
    const saga_state old = *state;
    saga_state_init(state);
    state->saga = old.saga;
    state->key = old.key;
    memcpy(state->plan_hash, old.plan_hash, sizeof(state->plan_hash));
    state->seq = old.seq;
    state->at_ms = old.at_ms;
    state->order =
        old.order; /* goes on over incarnations: an order names one timer of a key, ever */
    /* So does the ring: the event that began an incarnation begins no other (10). */
    state->seen = old.seen;
    state->seen_count = old.seen_count;
    state->seen_capacity = old.seen_capacity;
    state->seen_next = old.seen_next;
    state->incarnation = (int32_t)change->number;
    state->started_ms = at_ms;
    state->step_count = a->plan->step_count;
    state->event_count = a->plan->event_count;
    state->steps = BASE_ARENA_ARRAY(a->arena, saga_step_state, (size_t)state->step_count);
    state->events = (const base_value **)base_arena_alloc_zero(a->arena, (size_t)state->event_count,
                                                               sizeof(const base_value *));
    state->occurred = BASE_ARENA_ARRAY(a->arena, uint8_t, (size_t)state->event_count);
    if (state->steps == NULL || state->events == NULL || state->occurred == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    BASE_TRY(keep_slice(a, change->text, &state->id));
    return keep_value(a, change->value, &state->data);
}

static void change_phase(saga_state *state, saga_phase phase, int64_t at_ms)
{
    state->phase = (uint8_t)phase;
    state->ended_ms = saga_state_ended(state) ? at_ms : 0;
}

static void change_flag(saga_state *state, uint32_t flag, bool on)
{
    if (on)
        state->flags |= flag;
    else
        state->flags &= ~flag;
    if (flag != SAGA_FLAG_PURGED || !on)
        return;
    /* Only the key, the phase and the numbers are kept: a tombstone (10). */
    state->data = NULL;
    state->cause = NULL;
    state->step_count = 0;
    state->timer_count = 0;
    state->early_count = 0;
    state->event_count = 0;
    state->seen_count = 0;
    state->seen_next = 0;
}

static base_status change_data(const saga_applier *a, const saga_change *change)
{
    saga_edit edit = {.path = change->text};
    BASE_TRY(keep_value(a, change->value, &edit.value));
    if (change->number == 1)
        edit.value = NULL;
    base_value *after = BASE_ARENA_NEW(a->arena, base_value);
    if (after == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    const base_value nothing = base_value_null();
    BASE_TRY(saga_edit_apply(a->state->data == NULL ? &nothing : a->state->data, &edit, a->arena,
                             after));
    a->state->data = after;
    return base_ok();
}

static base_status change_seen(const saga_applier *a, uint64_t hash)
{
    saga_state *state = a->state;
    if (a->borrow)
        return base_ok(); /* the ring is shared with the original, and nobody looks again within one
                             input */
    if (state->seen_count == SAGA_SEEN_MAX) {
        state->seen[state->seen_next] = hash;
        state->seen_next = (state->seen_next + 1) % SAGA_SEEN_MAX;
        return base_ok();
    }
    BASE_TRY(reserve(a->arena, (void **)&state->seen, state->seen_count, &state->seen_capacity,
                     sizeof(uint64_t)));
    state->seen[state->seen_count++] = hash;
    return base_ok();
}

static base_status change_event(const saga_applier *a, const saga_change *change)
{
    if (change->number < 0 || change->number >= a->state->event_count)
        return corrupt();
    if (change->other == 1)
        a->state->occurred[change->number] = 1;
    if (change->value == NULL)
        return base_ok();
    return keep_value(a, change->value, &a->state->events[change->number]);
}

/* ---- steps ---- */

static void step_f(saga_state *state, saga_step_state *step, saga_f f, bool counts, int64_t at_ms)
{
    if (step->f == SAGA_F_WAITING && f == SAGA_F_DUE)
        step->due_at = at_ms;
    step->f = (uint8_t)f;
    if (counts)
        step->counted = (uint8_t)f;
    if (!saga_f_over(f))
        return;
    step->ended_order = ++state->order;
    const bool may_be_retried =
        (f == SAGA_F_FAILED || f == SAGA_F_UNKNOWN) && (state->flags & SAGA_FLAG_PAST_PIVOT) != 0;
    if (!may_be_retried)
        step->ask_data = NULL;
}

static void step_try(saga_state *state, saga_step_state *step, const saga_change *change,
                     int64_t at_ms)
{
    step->tries = (int32_t)change->number;
    if (step->opened_order == 0)
        step->opened_order = ++state->order;
    if (change->other == 1) {
        step->series = step->tries - 1;
        step->first_at = at_ms;
    }
}

static base_status change_step(const saga_applier *a, const saga_change *change, int64_t at_ms)
{
    saga_state *state = a->state;
    if (change->step < 0 || change->step >= state->step_count)
        return corrupt();
    saga_step_state *step = &state->steps[change->step];
    switch ((int)change->kind) {
    case SAGA_CHANGE_F:
        if (change->number < 0 || change->number >= SAGA_F_COUNT)
            return corrupt();
        step_f(state, step, (saga_f)change->number, change->other == 1, at_ms);
        return base_ok();
    case SAGA_CHANGE_U:
        if (change->number < 0 || change->number >= SAGA_U_COUNT)
            return corrupt();
        step->u = (uint8_t)change->number;
        return base_ok();
    case SAGA_CHANGE_STEP_FLAG:
        step->flags = (uint16_t)(change->other == 1 ? step->flags | change->number
                                                    : step->flags & ~change->number);
        return base_ok();
    case SAGA_CHANGE_ASK_DATA:
        BASE_TRY(keep_slice(a, change->text, &step->ask_key));
        return keep_value(a, change->value, &step->ask_data);
    case SAGA_CHANGE_TRY:
        step_try(state, step, change, at_ms);
        return base_ok();
    case SAGA_CHANGE_VERDICT:
        if (change->number >= 1 && change->number <= 64)
            step->verdicts |= (uint64_t)1 << (change->number - 1);
        return base_ok();
    case SAGA_CHANGE_OUT:
        BASE_TRY(keep_slice(a, change->text, &step->end));
        return keep_value(a, change->value, &step->out);
    case SAGA_CHANGE_UNDO_DATA:
        return keep_value(a, change->value, &step->undo_data);
    case SAGA_CHANGE_GEN:
        step->gen = (int32_t)change->number;
        step->undo_tries = 0;
        step->undo_series = 0;
        return base_ok();
    case SAGA_CHANGE_UNDO_TRY:
        step->undo_tries = (int32_t)change->number;
        if (change->other == 1)
            step->undo_series = step->undo_tries - 1;
        return base_ok();
    default:
        return corrupt();
    }
}

base_status saga_apply(const saga_applier *a, const saga_change *change, int64_t at_ms)
{
    saga_state *state = a->state;
    switch (change->kind) {
    case SAGA_CHANGE_CREATED:
        return change_created(a, change, at_ms);
    case SAGA_CHANGE_PHASE:
        if (change->number < 0 || change->number >= SAGA_PHASE_COUNT)
            return corrupt();
        change_phase(state, (saga_phase)change->number, at_ms);
        return base_ok();
    case SAGA_CHANGE_FLAG:
        change_flag(state, (uint32_t)change->number, change->other == 1);
        return base_ok();
    case SAGA_CHANGE_CAUSE:
        return keep_value(a, change->value, &state->cause);
    case SAGA_CHANGE_DATA:
        return change_data(a, change);
    case SAGA_CHANGE_SEEN:
        return change_seen(a, (uint64_t)change->number);
    case SAGA_CHANGE_EVENT:
        return change_event(a, change);
    case SAGA_CHANGE_EARLY:
        return change_early(a, change);
    case SAGA_CHANGE_EARLY_TAKEN:
        early_taken(state, (uint64_t)change->number);
        return base_ok();
    case SAGA_CHANGE_TIMER:
    case SAGA_CHANGE_TIMER_STOPPED:
        return change_timer(a, change);
    case SAGA_CHANGE_F:
    case SAGA_CHANGE_U:
    case SAGA_CHANGE_STEP_FLAG:
    case SAGA_CHANGE_ASK_DATA:
    case SAGA_CHANGE_TRY:
    case SAGA_CHANGE_VERDICT:
    case SAGA_CHANGE_OUT:
    case SAGA_CHANGE_UNDO_DATA:
    case SAGA_CHANGE_GEN:
    case SAGA_CHANGE_UNDO_TRY:
        return change_step(a, change, at_ms);
    case SAGA_CHANGE_END:
        state->end_published = (uint8_t)change->number;
        state->end_count++;
        return base_ok();
    case SAGA_CHANGE_COUNT:
    default:
        return corrupt();
    }
}

base_status saga_evolve(const saga_plan *plan, saga_state *state, const saga_entry *entry,
                        base_arena *arena)
{
    if (entry->seq <= state->seq)
        return base_status_of(BASE_EXISTS);
    if (entry->seq != state->seq + 1)
        return base_status_of(BASE_CONFLICT);
    const saga_applier applier = {.plan = plan, .state = state, .arena = arena};
    if (entry->change_count > 0 && entry->changes[0].kind == SAGA_CHANGE_CREATED) {
        BASE_TRY(keep_slice(&applier, entry->saga, &state->saga));
        BASE_TRY(keep_slice(&applier, entry->key, &state->key));
        memcpy(state->plan_hash, entry->plan_hash, sizeof(state->plan_hash));
    }
    for (int32_t i = 0; i < entry->change_count; i++)
        BASE_TRY(saga_apply(&applier, &entry->changes[i], entry->at_ms));
    state->seq = entry->seq;
    state->at_ms = entry->at_ms;
    return base_ok();
}
