/*
 * Receiving an event (B.2): is it new, what is it to this saga, which step and try does it answer?
 */
#include "base/assert.h"
#include "base/hash.h"
#include "saga/route.h"
#include "saga/work.h"

/* What an event is to one step: found by causation, by path, or by its type alone (13). */
typedef struct target {
    int32_t step; /* SAGA_NONE: none */
    saga_role role;
    int32_t try_number; /* 0: none told (16) */
    int32_t gen;        /* of an undo; 0: none told, the present one */
} target;

static const target no_target = {.step = SAGA_NONE};

static bool is_undo(saga_role role)
{
    return role == SAGA_ROLE_UNDO_EMITS || role == SAGA_ROLE_UNDO_FAILS;
}

/* ---- duplicates (10) ---- */

static uint64_t event_hash(const saga_event *event)
{
    return base_hash64(event->id, base_hash64(event->source, 0));
}

bool receive_seen(const work *w)
{
    const uint64_t hash = event_hash(w->event);
    for (int32_t i = 0; w->event->id.size != 0 && i < w->state.seen_count; i++) {
        if (w->state.seen[i] == hash)
            return true;
    }
    return false;
}

static void remember_seen(work *w)
{
    const int64_t hash = (int64_t)event_hash(w->event);
    if (w->event->id.size != 0)
        work_change(w, (saga_change){SAGA_CHANGE_SEEN, SAGA_NONE, hash, 0, {0}, NULL});
}

static void remember(work *w, int32_t index, bool occurred)
{
    const saga_plan_event *event = &w->plan->events[index];
    const bool remembered = event->remembered || w->plan->remembers_all;
    if (!remembered && !occurred)
        return;
    const base_value *value = remembered ? work_event_value(w) : NULL;
    work_change(w, (saga_change){SAGA_CHANGE_EVENT, SAGA_NONE, index, occurred, {0}, value});
}

/* ---- beginning (9, 11) ---- */

static bool begin_allowed(work *w, const saga_start *start)
{
    base_value answer;
    base_slice text = {0};
    const base_value nothing = base_value_null();
    const work_view view = {.data = &nothing};
    if (start->guard == NULL)
        return true;
    if (!work_eval(w, start->guard, &view, &answer, &text)) {
        work_dead_letter(w, "expression_error", text);
        return false;
    }
    if (saga_truthy(&answer))
        return true;
    work_note(w, SAGA_NONE, "not_started");
    return false;
}

static void create(work *w, const base_value *data, base_slice key)
{
    base_slice id = {0};
    const int32_t incarnation = w->state.incarnation + 1;
    w->state.saga = w->plan->saga;
    w->state.key = key;
    memcpy(w->state.plan_hash, w->plan->hash, sizeof(w->state.plan_hash));
    if (base_failed(saga_instance_id(w->plan->saga, incarnation, key, w->arena, &id)))
        w->failure = BASE_OUT_OF_MEMORY;
    work_change(w, (saga_change){SAGA_CHANGE_CREATED, SAGA_NONE, incarnation, 0, id, data});
    work_change(w, (saga_change){SAGA_CHANGE_PHASE, SAGA_NONE, SAGA_PHASE_RUNNING, 0, {0}, NULL});
    work_phase_effect(w, SAGA_NONE, saga_phase_name(SAGA_PHASE_RUNNING));
}

static void receive_as_fact(work *w);

void receive_begin(work *w, base_slice key)
{
    const int32_t index = w->event_index;
    const saga_start *start = &w->plan->starts[w->plan->events[index].start];
    base_value made;
    base_slice text = {0};
    const base_value nothing = base_value_null();
    const work_view view = {.data = &nothing};
    const base_value *data = &w->event->data;
    if (!begin_allowed(w, start))
        return;
    if (start->data != NULL) {
        if (!work_eval(w, start->data, &view, &made, &text)) {
            work_dead_letter(w, "expression_error", text);
            return;
        }
        data = work_keep(w, made);
    }
    create(w, data, key);
    if (w->failure != BASE_OK)
        return;
    remember_seen(w);
    remember(w, index, true);
    receive_as_fact(w);
    if (w->plan->deadline_ms > 0)
        work_timer(w, SAGA_TIMER_DEADLINE, SAGA_NONE, w->now_ms + w->plan->deadline_ms);
}

/* A start event for an instance that is there (11). The others of several start events are facts
 * (A.5, 60). */
static void start_again(work *w)
{
    const int32_t index = w->event_index;
    const saga_start *start = &w->plan->starts[w->plan->events[index].start];
    if (w->state.occurred[index] == 0 && !saga_state_ended(&w->state)) {
        remember(w, index, true);
        return;
    }
    if (start->again == SAGA_AGAIN_REJECT)
        work_dead_letter(w, "instance_exists", (base_slice){0});
    else if (start->again == SAGA_AGAIN_AFTER_END && saga_state_ended(&w->state))
        receive_begin(w, w->state.key);
    else
        work_note(w, SAGA_NONE, "instance_exists");
}

/* ---- finding the step (13, 16) ---- */

static bool id_is(const work *w, base_slice id, int32_t step, const char *kind, int64_t gen,
                  int64_t try_number)
{
    char wanted[33];
    work_id(w->state.id, w->plan->steps[step].name, kind, gen, try_number, wanted);
    return base_slice_is(id, wanted);
}

#define OLD_UNDO_TRY_MAX 32 /* tries of older generations that an answer is matched with, each */

/* Which ask of the step does the causation id name? The newest first: it is nearly always that. */
static target by_causation(const work *w, int32_t step, saga_role role, base_slice causation)
{
    const saga_step_state *state = &w->state.steps[step];
    if (!is_undo(role)) {
        for (int32_t k = state->tries; k >= 1; k--) {
            if (id_is(w, causation, step, "ask", 0, k))
                return (target){step, role, k, 0};
        }
        return no_target;
    }
    for (int32_t gen = state->gen; gen >= 1; gen--) {
        const int32_t tries = gen == state->gen ? state->undo_tries : OLD_UNDO_TRY_MAX;
        for (int32_t k = tries; k >= 1; k--) {
            if (id_is(w, causation, step, "undo", gen, k))
                return (target){step, role, k, gen};
        }
    }
    return no_target;
}

static target find_by_causation(const work *w, const saga_plan_event *event, base_slice causation)
{
    for (int32_t i = 0; causation.size != 0 && i < event->role_count; i++) {
        const saga_event_role *role = &w->plan->roles[event->role_first + i];
        const target found = by_causation(w, role->step, role->role, causation);
        if (found.step != SAGA_NONE)
            return found;
    }
    return no_target;
}

/* ".../undo/3" -> 3; 0 when the key does not say. */
static int32_t gen_of_key(base_slice key)
{
    static const base_slice marker = BASE_SLICE_LITERAL("/undo/");
    size_t digits = 0;
    int32_t gen = 0;
    while (digits < key.size && digits < 9 && key.data[key.size - digits - 1] >= '0' &&
           key.data[key.size - digits - 1] <= '9')
        digits++;
    if (digits == 0 || !base_slice_ends_with(base_slice_make(key.data, key.size - digits), marker))
        return 0;
    for (size_t i = key.size - digits; i < key.size; i++)
        gen = gen * 10 + (key.data[i] - '0');
    return gen;
}

/* The try that the event tells of itself, if the step made it; 1 if only one was made (16). */
static int32_t told_try(const work *w, int32_t step, const saga_event *event)
{
    const int32_t tries = w->state.steps[step].tries;
    if (event->saga_try >= 1 && event->saga_try <= tries)
        return event->saga_try;
    return tries == 1 ? 1 : 0;
}

static target told_target(const work *w, const saga_event_role *role, const saga_event *event)
{
    return (target){role->step, role->role,
                    is_undo(role->role) ? 0 : told_try(w, role->step, event),
                    is_undo(role->role) ? gen_of_key(event->saga_key) : 0};
}

/* sagastep: the path, with or without "/undo". */
static target find_by_path(const work *w, const saga_plan_event *event, const saga_event *received)
{
    static const base_slice suffix = BASE_SLICE_LITERAL("/undo");
    base_slice path = received->saga_step;
    if (base_slice_ends_with(path, suffix))
        path.size -= suffix.size;
    for (int32_t i = 0; path.size != 0 && i < event->role_count; i++) {
        const saga_event_role *role = &w->plan->roles[event->role_first + i];
        if (base_slice_equal(w->plan->steps[role->step].name, path))
            return told_target(w, role, received);
    }
    return no_target;
}

/* Which of several candidates is it meant for? The one that is open; of several the oldest (13).
 * Smaller is better. */
static uint64_t rank(const work *w, const saga_event_role *role)
{
    const uint64_t worst = (uint64_t)1 << 60;
    const saga_step_state *state = &w->state.steps[role->step];
    if (is_undo(role->role)) {
        if (state->u == SAGA_U_UNDOING || state->u == SAGA_U_BACKOFF || state->u == SAGA_U_STUCK)
            return 0;
        const bool stands = state->f == SAGA_F_DONE && state->u != SAGA_U_UNDONE;
        return stands ? 2 * worst : 3 * worst; /* uninvited: of a step that has an effect (45b) */
    }
    if (state->f == SAGA_F_OPEN)
        return state->opened_order;
    if (state->f == SAGA_F_BACKOFF || state->f == SAGA_F_DUE)
        return worst;
    return state->f == SAGA_F_WAITING ? 2 * worst : 3 * worst;
}

static target find_by_type(const work *w, const saga_plan_event *event, const saga_event *received)
{
    const saga_event_role *best = NULL;
    for (int32_t i = 0; i < event->role_count; i++) {
        const saga_event_role *role = &w->plan->roles[event->role_first + i];
        if (best == NULL || rank(w, role) < rank(w, best))
            best = role;
    }
    return best == NULL ? no_target : told_target(w, best, received);
}

/* It answers another saga's ask: here it is a fact found by its key, and its step, try and
 * generation are not ours. */
static bool is_foreign(const work *w, const saga_event *received)
{
    base_slice saga;
    base_slice key;
    int32_t incarnation = 0;
    return saga_instance_id_parse(received->correlation_id, &saga, &incarnation, &key) &&
           !base_slice_equal(saga, w->plan->saga);
}

static target find_target(const work *w, int32_t index, const saga_event *received)
{
    const saga_plan_event *event = &w->plan->events[index];
    if (is_foreign(w, received)) {
        saga_event bare = *received;
        bare.saga_try = 0;
        bare.saga_key = (base_slice){0};
        return find_by_type(w, event, &bare);
    }
    target found = find_by_causation(w, event, received->causation_id);
    if (found.step == SAGA_NONE)
        found = find_by_path(w, event, received);
    if (found.step == SAGA_NONE)
        found = find_by_type(w, event, received);
    return found;
}

/* ---- what it does to its step ---- */

static void undo_answer(work *w, target t)
{
    const saga_step_state *step = &w->state.steps[t.step];
    /* Owed again and not asked for yet: what comes now is for an undo that was counted before. */
    const bool old =
        (t.gen != 0 && t.gen != step->gen) || (step->u == SAGA_U_OWED && step->gen > 0);
    if (old)
        undo_input(w, t.step, SAGA_U_ON_ACK_OLD);
    else
        undo_input(w, t.step, t.role == SAGA_ROLE_UNDO_EMITS ? SAGA_U_ON_ACK : SAGA_U_ON_NACK);
}

static void deliver(work *w, target t)
{
    const int32_t tries = w->state.steps[t.step].tries;
    switch (t.role) {
    case SAGA_ROLE_EMITS:
        step_input(w, t.step, SAGA_F_ON_SUCCESS, t.try_number);
        return;
    case SAGA_ROLE_FAILS:
        step_input(w, t.step,
                   t.try_number == 0 || t.try_number == tries ? SAGA_F_ON_FAILURE
                                                              : SAGA_F_ON_FAILURE_OLDER,
                   t.try_number);
        return;
    case SAGA_ROLE_BEATS:
        if (t.try_number == 0 || t.try_number == tries)
            step_input(w, t.step, SAGA_F_ON_BEAT, 0);
        else
            work_note(w, t.step, "older_try");
        return;
    case SAGA_ROLE_UNDO_EMITS:
    case SAGA_ROLE_UNDO_FAILS:
        undo_answer(w, t);
        return;
    default:
        BASE_ASSERT(false);
    }
}

/* Whichever start event came first is a fact inside, as the others are (A.5): it is kept until its
 * step opens (15). */
static void receive_as_fact(work *w)
{
    const target t = find_target(w, w->event_index, w->event);
    if (t.step != SAGA_NONE)
        deliver(w, t);
}

/* ---- early events (15) ---- */

/* The step that what is being received is for still waits: keep it. */
void receive_keep(work *w)
{
    const saga_plan_event *event = &w->plan->events[w->event_index];
    if (event->early == SAGA_EARLY_DROP) {
        work_note(w, SAGA_NONE, "early_dropped");
        return;
    }
    if (w->state.early_count >= SAGA_EARLY_MAX) {
        work_dead_letter(w, "too_many_early", (base_slice){0});
        return;
    }
    work_change(w, (saga_change){SAGA_CHANGE_EARLY,
                                 SAGA_NONE,
                                 w->event_index,
                                 w->now_ms + event->early_for_ms,
                                 {0},
                                 work_event_value(w)});
    work_note(w, SAGA_NONE, "early");
}

/* Would the early event now find its step past waiting? */
bool receive_wants_early(const work *w, const saga_early_event *early)
{
    saga_event event;
    if (base_failed(saga_event_of_value(early->record, w->arena, &event)))
        return true;
    const target t = find_target(w, early->event, &event);
    return t.step != SAGA_NONE && w->state.steps[t.step].f != SAGA_F_WAITING;
}

void receive_offered(work *w, const saga_early_event *early)
{
    saga_event *event = BASE_ARENA_NEW(w->arena, saga_event);
    if (event == NULL || base_failed(saga_event_of_value(early->record, w->arena, event))) {
        w->failure = BASE_OUT_OF_MEMORY;
        return;
    }
    /* From here on it is what makes conditions true: $event of what follows from it (A.1). */
    w->event = event;
    w->event_value = early->record;
    w->event_index = early->event;
    work_change(
        w, (saga_change){SAGA_CHANGE_EARLY_TAKEN, SAGA_NONE, (int64_t)early->order, 0, {0}, NULL});
    deliver(w, find_target(w, w->event_index, event));
}

/* Nobody's step came to want it: say at least whose it was (15). */
void receive_forgotten(work *w, uint64_t order)
{
    int32_t step = SAGA_NONE;
    base_slice name = {0};
    for (int32_t i = 0; i < w->state.early_count; i++) {
        const saga_early_event *early = &w->state.early[i];
        saga_event event;
        if (early->order != order)
            continue;
        name = w->plan->events[early->event].name;
        if (!base_failed(saga_event_of_value(early->record, w->arena, &event)))
            step = find_target(w, early->event, &event).step;
    }
    work_change(w, (saga_change){SAGA_CHANGE_EARLY_TAKEN, SAGA_NONE, (int64_t)order, 0, {0}, NULL});
    work_alert(w, step, "outcome_without_cause", name);
}

/* ---- aborts (12, 38) ---- */

static void abort_asked(work *w)
{
    const saga_plan_event *event = &w->plan->events[w->event_index];
    const saga_abort *abort = &w->plan->aborts[event->abort];
    base_value answer;
    base_slice text = {0};
    if (abort->guard != NULL) {
        if (!work_eval(w, abort->guard, NULL, &answer, &text)) {
            work_alert(w, SAGA_NONE, "expression_error", text);
            return;
        }
        if (!saga_truthy(&answer)) {
            work_note(w, SAGA_NONE, "abort_not_wanted");
            return;
        }
    }
    turn_request(w, (work_cause){"abort", SAGA_NONE, event->name, abort->reason});
}

/* ---- the whole (9 to 17) ---- */

/* An answer to an ask of another incarnation of this key is not ours. */
static bool other_incarnation(const work *w)
{
    base_slice saga;
    base_slice key;
    int32_t incarnation = 0;
    return saga_instance_id_parse(w->event->correlation_id, &saga, &incarnation, &key) &&
           base_slice_equal(saga, w->plan->saga) && base_slice_equal(key, w->state.key) &&
           incarnation != w->state.incarnation;
}

static void receive_known(work *w)
{
    const saga_plan_event *event = &w->plan->events[w->event_index];
    const target t = find_target(w, w->event_index, w->event);
    remember(w, w->event_index, false);
    if (t.step != SAGA_NONE)
        deliver(w, t);
    if (event->abort != SAGA_NONE)
        abort_asked(w);
    if (event->end_early)
        turn_end_early(w);
    if (event->start != SAGA_NONE)
        start_again(w);
    else if (t.step == SAGA_NONE && event->abort == SAGA_NONE && !event->end_early)
        work_note(w, SAGA_NONE, "ignored");
}

void receive_event(work *w)
{
    if (receive_seen(w)) {
        work_note(w, SAGA_NONE, "duplicate");
        return;
    }
    remember_seen(w);
    if (w->event_index == SAGA_NONE) {
        if (w->plan->strict)
            work_dead_letter(w, "unknown_event", (base_slice){0});
        else
            work_note(w, SAGA_NONE, "ignored");
        return;
    }
    if (other_incarnation(w)) {
        work_dead_letter(w, "other_incarnation", (base_slice){0});
        return;
    }
    receive_known(w);
}
