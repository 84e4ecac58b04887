/* See player.h. */
#include "cli/player.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"

#define STATE_SIZE_MAX ((size_t)256 * 1024 * 1024)

/* An ask or undo that went out, so that it can be answered. */
typedef struct sent {
    int64_t line;
    size_t instance;
    int32_t step;
    bool undo;
    int32_t try_number;
    int32_t gen;
    char id[33];
    base_slice saga_key;    /* in the player's arena */
    base_slice instance_id; /* likewise: a later incarnation has another */
} sent;

typedef struct instance {
    const saga_plan *plan;
    saga_state state;
    base_arena arena; /* holds the state */
    uint64_t order;   /* timers up to this order are in the heap */
    uint64_t hash;
} instance;

/* An event that waits for its instance (9). */
typedef struct parked {
    const saga_plan *plan;
    int32_t event_index;
    base_slice key;
    const base_value *record;
    bool gone;
} parked;

/* A timer of an instance, or (parked >= 0) the end of a wait. */
typedef struct due {
    int64_t due_ms;
    uint64_t seq; /* of creation, over all instances */
    size_t instance;
    uint64_t order; /* the timer's, within its instance */
    int64_t parked;
} due;

struct player {
    const saga_plan *const *plans;
    size_t plan_count;
    player_options options;
    int64_t now_ms;
    int64_t line;
    uint64_t seq;
    uint64_t made_up; /* event ids */
    base_arena arena; /* asks and parked events */
    base_arena scratch;
    instance *instances;
    size_t instance_count, instance_capacity;
    size_t *table; /* open addressing over hash: index + 1 */
    size_t table_size;
    sent *asks;
    size_t ask_count, ask_capacity;
    parked *waiting;
    size_t waiting_count, waiting_capacity;
    due *heap;
    size_t heap_count, heap_capacity;
};

static base_status no_memory(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "out of memory");
}

static bool reserve(void **items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity) {
        return true;
    }
    const size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = realloc(*items, wanted * item_size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *capacity = wanted;
    return true;
}

player *player_new(const saga_plan *const *plans, size_t plan_count, const player_options *options)
{
    player *p = (player *)calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    p->plans = plans;
    p->plan_count = plan_count;
    p->options = *options;
    base_arena_init(&p->arena, SIZE_MAX / 2);
    base_arena_init(&p->scratch, STATE_SIZE_MAX);
    return p;
}

void player_free(player *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->instance_count; i++) {
        base_arena_deinit(&p->instances[i].arena);
    }
    base_arena_deinit(&p->arena);
    base_arena_deinit(&p->scratch);
    free(p->instances);
    free(p->table);
    free(p->asks);
    free(p->waiting);
    free(p->heap);
    free(p);
}

int64_t player_now(const player *p)
{
    return p->now_ms;
}

/* ---- what is due: a heap by (due, seq) ---- */

static bool sooner(const due *a, const due *b)
{
    return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->seq < b->seq);
}

static bool heap_push(player *p, due item)
{
    if (!reserve((void **)&p->heap, p->heap_count, &p->heap_capacity, sizeof(due))) {
        return false;
    }
    size_t at = p->heap_count++;
    while (at > 0 && sooner(&item, &p->heap[(at - 1) / 2])) {
        p->heap[at] = p->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    p->heap[at] = item;
    return true;
}

static due heap_pop(player *p)
{
    BASE_ASSERT(p->heap_count > 0);
    const due top = p->heap[0];
    const due last = p->heap[--p->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= p->heap_count) {
            break;
        }
        if (child + 1 < p->heap_count && sooner(&p->heap[child + 1], &p->heap[child])) {
            child++;
        }
        if (!sooner(&p->heap[child], &last)) {
            break;
        }
        p->heap[at] = p->heap[child];
        at = child;
    }
    if (p->heap_count > 0) {
        p->heap[at] = last;
    }
    return top;
}

/* Puts timers that are new since the last look into the heap, in the order of their creation. */
static bool heap_sync(player *p, size_t index)
{
    instance *in = &p->instances[index];
    for (;;) {
        const saga_timer *next = NULL;
        for (int32_t i = 0; i < in->state.timer_count; i++) {
            const saga_timer *timer = &in->state.timers[i];
            if (timer->order > in->order && (next == NULL || timer->order < next->order)) {
                next = timer;
            }
        }
        if (next == NULL) {
            return true;
        }
        in->order = next->order;
        if (!heap_push(p, (due){next->due_ms, ++p->seq, index, next->order, -1})) {
            return false;
        }
    }
}

/* ---- instances ---- */

static uint64_t instance_hash(const saga_plan *plan, base_slice key)
{
    return base_hash64(key, base_hash64(plan->saga, 0));
}

static size_t instance_find(const player *p, const saga_plan *plan, base_slice key)
{
    const uint64_t hash = instance_hash(plan, key);
    for (size_t slot = hash; p->table_size > 0; slot++) {
        const size_t found = p->table[slot & (p->table_size - 1)];
        if (found == 0) {
            return SIZE_MAX;
        }
        const instance *in = &p->instances[found - 1];
        if (in->hash == hash && in->plan == plan && base_slice_equal(in->state.key, key)) {
            return found - 1;
        }
    }
    return SIZE_MAX;
}

static bool table_grow(player *p)
{
    if (p->instance_count * 2 < p->table_size) {
        return true;
    }
    const size_t size = p->table_size == 0 ? 64 : p->table_size * 2;
    size_t *table = (size_t *)calloc(size, sizeof(*table));
    if (table == NULL) {
        return false;
    }
    for (size_t i = 0; i < p->instance_count; i++) {
        size_t slot = p->instances[i].hash & (size - 1);
        while (table[slot] != 0) {
            slot = (slot + 1) & (size - 1);
        }
        table[slot] = i + 1;
    }
    free(p->table);
    p->table = table;
    p->table_size = size;
    return true;
}

static size_t instance_add(player *p, const saga_plan *plan, base_slice key)
{
    if (!table_grow(p) || !reserve((void **)&p->instances, p->instance_count, &p->instance_capacity,
                                   sizeof(instance))) {
        return SIZE_MAX;
    }
    const size_t index = p->instance_count++;
    instance *in = &p->instances[index];
    *in = (instance){.plan = plan, .hash = instance_hash(plan, key)};
    base_arena_init(&in->arena, STATE_SIZE_MAX);
    saga_state_init(&in->state);
    size_t slot = in->hash & (p->table_size - 1);
    while (p->table[slot] != 0) {
        slot = (slot + 1) & (p->table_size - 1);
    }
    p->table[slot] = index + 1;
    return index;
}

/* ---- lines ---- */

typedef struct line_writer {
    player *p;
    base_map_builder map;
    bool failed;
} line_writer;

static void put(line_writer *w, const char *key, base_value value)
{
    if (base_failed(base_map_put_text(&w->map, key, &value))) {
        w->failed = true;
    }
}

static void put_text(line_writer *w, const char *key, base_slice text)
{
    put(w, key, base_value_string(text));
}

static line_writer line_begin(player *p, const saga_plan *plan, base_slice key)
{
    line_writer w = {.p = p};
    base_map_begin(&w.map, &p->scratch);
    put(&w, "n", base_value_integer(++p->line));
    put(&w, "at", base_value_integer(p->now_ms));
    if (key.size != 0) {
        put_text(&w, "key", key);
    }
    if (plan != NULL && p->plan_count > 1) {
        put_text(&w, "saga", plan->saga);
    }
    return w;
}

static base_status line_end(line_writer *w, base_error *error)
{
    if (w->failed) {
        return no_memory(error);
    }
    const base_value line = base_map_end(&w->map);
    w->p->options.output(w->p->options.context, &line);
    return base_ok();
}

static base_status line_simple(player *p, const saga_plan *plan, base_slice key, const char *what,
                               const char *text, base_error *error)
{
    line_writer w = line_begin(p, plan, key);
    put_text(&w, what, base_slice_of(text));
    return line_end(&w, error);
}

static base_value data_of(const base_value *data)
{
    return data == NULL ? base_value_null() : *data;
}

static base_status remember_ask(player *p, size_t index, const saga_entry *entry,
                                const saga_effect *effect, base_error *error)
{
    if (!reserve((void **)&p->asks, p->ask_count, &p->ask_capacity, sizeof(sent))) {
        return no_memory(error);
    }
    sent *ask = &p->asks[p->ask_count];
    *ask = (sent){.line = p->line,
                  .instance = index,
                  .step = effect->step,
                  .undo = effect->kind == SAGA_EFFECT_UNDO,
                  .try_number = effect->try_number,
                  .gen = effect->gen,
                  .saga_key = base_arena_copy(&p->arena, effect->saga_key)};
    if (ask->saga_key.data == NULL ||
        base_failed(saga_instance_id(entry->saga, entry->incarnation, entry->key, &p->arena,
                                     &ask->instance_id))) {
        return no_memory(error);
    }
    memcpy(ask->id, effect->id, sizeof(ask->id));
    p->ask_count++;
    return base_ok();
}

static base_status line_effect(player *p, size_t index, const saga_plan *plan,
                               const saga_entry *entry, const saga_effect *effect,
                               base_error *error)
{
    static const char *const members[SAGA_EFFECT_COUNT] = {
        [SAGA_EFFECT_ASK] = "ask",
        [SAGA_EFFECT_UNDO] = "undo",
        [SAGA_EFFECT_EMIT] = "emit",
        [SAGA_EFFECT_PHASE] = "phase",
        [SAGA_EFFECT_ALERT] = "alert",
        [SAGA_EFFECT_NOTE] = "note",
        [SAGA_EFFECT_DEAD_LETTER] = "dead_letter",
    };
    const bool asks = effect->kind == SAGA_EFFECT_ASK || effect->kind == SAGA_EFFECT_UNDO;
    line_writer w = line_begin(p, plan, entry->key);
    put_text(&w, members[effect->kind], effect->name);
    if (effect->step != SAGA_NONE) {
        put_text(&w, "step", plan->steps[effect->step].name);
    }
    if (effect->kind == SAGA_EFFECT_UNDO) {
        put(&w, "gen", base_value_integer(effect->gen));
    }
    if (asks) {
        put(&w, "try", base_value_integer(effect->try_number));
        put_text(&w, "id", base_slice_of(effect->id));
        put_text(&w, "sagakey", effect->saga_key);
        if (effect->undoes.size != 0) {
            put_text(&w, "sagaundoes", effect->undoes);
        }
    }
    if (asks || effect->kind == SAGA_EFFECT_EMIT) {
        put(&w, "data", data_of(effect->data));
    }
    if (effect->text.size != 0) {
        put_text(&w, "text", effect->text);
    }
    if (asks) {
        BASE_TRY(remember_ask(p, index, entry, effect, error));
    }
    return line_end(&w, error);
}

static base_status line_timer(player *p, const saga_plan *plan, base_slice key,
                              const saga_change *change, base_error *error)
{
    const bool early = change->kind == SAGA_CHANGE_EARLY;
    const saga_timer_kind kind = early ? SAGA_TIMER_EARLY : (saga_timer_kind)change->number;
    const bool of_step = !early && change->step != SAGA_NONE;
    const base_slice path = of_step ? plan->steps[change->step].name : (base_slice){0};
    line_writer w = line_begin(p, plan, key);
    const base_slice name = base_arena_print(&p->scratch, "%.*s%s%s", BASE_SLICE_ARG(path),
                                             of_step ? "." : "", saga_timer_kind_name(kind));
    put_text(&w, "timer", name);
    put(&w, "due", base_value_integer(change->other));
    return line_end(&w, error);
}

static base_status write_lines(player *p, size_t index, const saga_plan *plan,
                               const saga_entry *entry, base_error *error)
{
    for (int32_t i = 0; i < entry->effect_count; i++) {
        BASE_TRY(line_effect(p, index, plan, entry, &entry->effects[i], error));
    }
    for (int32_t i = 0; p->options.timers && i < entry->change_count; i++) {
        if (entry->changes[i].kind == SAGA_CHANGE_TIMER ||
            entry->changes[i].kind == SAGA_CHANGE_EARLY) {
            BASE_TRY(line_timer(p, plan, entry->key, &entry->changes[i], error));
        }
    }
    return base_ok();
}

static base_status write_state(player *p, const instance *in, base_error *error)
{
    base_value state;
    if (!p->options.states || in->state.phase == SAGA_PHASE_NONE) {
        return base_ok();
    }
    if (base_failed(saga_state_to_value(in->plan, &in->state, &p->scratch, &state))) {
        return no_memory(error);
    }
    line_writer w = line_begin(p, in->plan, in->state.key);
    put(&w, "state", state);
    return line_end(&w, error);
}

/* ---- one input of one instance ---- */

static base_status feed_one(player *p, const saga_plan *plan, base_slice key, saga_input *input,
                            base_error *error)
{
    static const base_slice no_key = {0};
    saga_state none;
    saga_entry entry;
    size_t index = instance_find(p, plan, key);
    saga_state_init(&none);
    input->now_ms = p->now_ms;
    const saga_state *state = index == SIZE_MAX ? &none : &p->instances[index].state;
    const bool was_there = index != SIZE_MAX;
    const bool was_suspended = (state->flags & SAGA_FLAG_SUSPENDED) != 0;
    BASE_TRY(saga_decide(plan, state, key, input, &p->scratch, &entry, error));
    if (!was_there && entry.change_count > 0) {
        index = instance_add(p, plan, key);
        if (index == SIZE_MAX) {
            return no_memory(error);
        }
    }
    if (key.size == 0) {
        entry.key = no_key;
    }
    BASE_TRY(write_lines(p, index, plan, &entry, error));
    if (index == SIZE_MAX) {
        return base_ok();
    }
    instance *in = &p->instances[index];
    const base_status status = saga_evolve(plan, &in->state, &entry, &in->arena);
    if (base_failed(status)) {
        return base_error_set(error, status.code, "the entry cannot be folded");
    }
    saga_state_check(&in->state);
    if (was_suspended && (in->state.flags & SAGA_FLAG_SUSPENDED) == 0) {
        in->order =
            0; /* timers that came due meanwhile were dropped from the heap: all go in again */
    }
    if (!heap_sync(p, index)) {
        return no_memory(error);
    }
    return write_state(p, in, error);
}

/* What waited for the instance comes in, in order (9). */
static base_status feed_parked(player *p, const saga_plan *plan, base_slice key, base_error *error)
{
    for (size_t i = 0; i < p->waiting_count; i++) {
        parked *item = &p->waiting[i];
        if (item->gone || item->plan != plan || !base_slice_equal(item->key, key)) {
            continue;
        }
        saga_event event;
        item->gone = true;
        if (base_failed(saga_event_of_value(item->record, &p->scratch, &event))) {
            return no_memory(error);
        }
        saga_input input = {
            .kind = SAGA_INPUT_EVENT, .event_index = item->event_index, .event = &event};
        BASE_TRY(feed_one(p, plan, key, &input, error));
    }
    return base_ok();
}

static base_status feed(player *p, const saga_plan *plan, base_slice key, saga_input *input,
                        base_error *error)
{
    const bool was_there = instance_find(p, plan, key) != SIZE_MAX;
    BASE_TRY(feed_one(p, plan, key, input, error));
    const bool created = !was_there && instance_find(p, plan, key) != SIZE_MAX;
    return created ? feed_parked(p, plan, key, error) : base_ok();
}

/* ---- time ---- */

/* The instance's timer that the heap item stands for, if it is still there and not held. */
static const saga_timer *timer_of(const player *p, const due *item)
{
    const saga_state *state = &p->instances[item->instance].state;
    for (int32_t i = 0; i < state->timer_count; i++) {
        if (state->timers[i].order == item->order) {
            return (state->flags & SAGA_FLAG_SUSPENDED) != 0 ? NULL : &state->timers[i];
        }
    }
    return NULL;
}

static base_status fire(player *p, const due *item, base_error *error)
{
    base_arena_reset(&p->scratch);
    if (item->parked >= 0) {
        parked *wait = &p->waiting[item->parked];
        if (wait->gone) {
            return base_ok();
        }
        wait->gone = true;
        p->now_ms = item->due_ms > p->now_ms ? item->due_ms : p->now_ms;
        return line_simple(p, wait->plan, wait->key, "dead_letter", "no_instance", error);
    }
    const saga_timer *timer = timer_of(p, item);
    if (timer == NULL) {
        return base_ok();
    }
    p->now_ms = item->due_ms > p->now_ms ? item->due_ms : p->now_ms;
    const instance *in = &p->instances[item->instance];
    saga_input input = {.kind = SAGA_INPUT_TIMER, .event_index = SAGA_NONE, .timer = *timer};
    return feed(p, in->plan, in->state.key, &input, error);
}

base_status player_advance(player *p, int64_t at_ms, base_error *error)
{
    if (at_ms < p->now_ms) {
        return base_error_set(error, BASE_BAD_INPUT, "time goes back: %lld after %lld",
                              (long long)at_ms, (long long)p->now_ms);
    }
    while (p->heap_count > 0 && p->heap[0].due_ms <= at_ms) {
        const due item = heap_pop(p);
        BASE_TRY(fire(p, &item, error));
    }
    p->now_ms = at_ms;
    base_arena_reset(&p->scratch);
    return base_ok();
}

/* A try or retry of what already waits for a human. */
static bool is_stuck_retry(const player *p, const due *item)
{
    const saga_timer *timer = item->parked >= 0 ? NULL : timer_of(p, item);
    if (timer == NULL || timer->step == SAGA_NONE) {
        return false;
    }
    const saga_step_state *step = &p->instances[item->instance].state.steps[timer->step];
    if (timer->kind == SAGA_TIMER_UNDO || timer->kind == SAGA_TIMER_UNDO_BACKOFF) {
        return step->u == SAGA_U_STUCK;
    }
    return (timer->kind == SAGA_TIMER_TRY || timer->kind == SAGA_TIMER_BACKOFF) &&
           (step->flags & SAGA_STEP_STUCK) != 0;
}

base_status player_until_quiet(player *p, base_error *error)
{
    while (p->heap_count > 0) {
        const due item = heap_pop(p);
        if (!is_stuck_retry(p, &item)) {
            BASE_TRY(fire(p, &item, error));
        }
    }
    return base_ok();
}

/* ---- events ---- */

static base_status park(player *p, const saga_plan *plan, const saga_route *route,
                        const saga_event *event, base_error *error)
{
    const saga_plan_event *known = &plan->events[route->event_index];
    if (known->early == SAGA_EARLY_DROP) {
        return line_simple(p, plan, route->key, "dead_letter", "no_instance", error);
    }
    base_value value;
    parked item = {.plan = plan,
                   .event_index = route->event_index,
                   .key = base_arena_copy(&p->arena, route->key)};
    base_value *kept = BASE_ARENA_NEW(&p->arena, base_value);
    if (kept == NULL || item.key.data == NULL ||
        base_failed(saga_event_to_value(event, &p->scratch, &value)) ||
        base_failed(base_value_copy(&value, &p->arena, kept)) ||
        !reserve((void **)&p->waiting, p->waiting_count, &p->waiting_capacity, sizeof(parked))) {
        return no_memory(error);
    }
    item.record = kept;
    const int64_t index = (int64_t)p->waiting_count;
    p->waiting[p->waiting_count++] = item;
    if (!heap_push(p, (due){p->now_ms + known->early_for_ms, ++p->seq, 0, 0, index})) {
        return no_memory(error);
    }
    return line_simple(p, plan, route->key, "note", "parked", error);
}

static base_status route(player *p, const saga_plan *plan, const saga_event *event,
                         base_error *error)
{
    saga_route to;
    base_error why;
    base_error_clear(&why);
    BASE_TRY(saga_route_event(plan, event, &p->scratch, &to, &why));
    switch (to.kind) {
    case SAGA_ROUTE_NONE:
        return line_simple(p, plan, (base_slice){0}, "note", "ignored", error);
    case SAGA_ROUTE_NO_KEY:
        return line_simple(p, plan, (base_slice){0}, "dead_letter", "no_key", error);
    case SAGA_ROUTE_BAD_KEY: {
        line_writer w = line_begin(p, plan, (base_slice){0});
        put_text(&w, "dead_letter", base_slice_of("bad_key"));
        put_text(&w, "text", base_slice_of(why.text));
        return line_end(&w, error);
    }
    case SAGA_ROUTE_KEY:
    default:
        break;
    }
    if (!to.starts && instance_find(p, plan, to.key) == SIZE_MAX) {
        return park(p, plan, &to, event, error);
    }
    saga_input input = {.kind = SAGA_INPUT_EVENT, .event_index = to.event_index, .event = event};
    return feed(p, plan, to.key, &input, error);
}

static base_status complete_event(player *p, const saga_plan *plan, int32_t index,
                                  saga_event *event, base_error *error)
{
    event->type = plan->events[index].type;
    event->time_ms = p->now_ms;
    if (event->source.size == 0) {
        event->source = base_slice_of("troupe:play");
    }
    if (event->id.size == 0) {
        event->id = base_arena_print(&p->scratch, "play-%llu", (unsigned long long)++p->made_up);
    }
    return event->id.data == NULL ? no_memory(error) : base_ok();
}

base_status player_event(player *p, base_slice name, const saga_event *event, base_error *error)
{
    bool known = false;
    saga_event received = *event;
    /* An answer that tells only what caused it has at least its ask's record key. */
    for (size_t i = 0; i < p->ask_count && event->causation_id.size != 0; i++) {
        if (base_slice_is(event->causation_id, p->asks[i].id)) {
            received.partition_key = p->instances[p->asks[i].instance].state.key;
        }
    }
    for (size_t i = 0; i < p->plan_count; i++) {
        const int32_t index = saga_plan_event_named(p->plans[i], name);
        if (index == SAGA_NONE) {
            continue;
        }
        known = true;
        BASE_TRY(complete_event(p, p->plans[i], index, &received, error));
        BASE_TRY(route(p, p->plans[i], &received, error));
    }
    if (known) {
        return base_ok();
    }
    for (size_t i = 0; i < p->plan_count; i++) {
        if (p->plans[i]->strict) {
            return line_simple(p, p->plans[i], (base_slice){0}, "dead_letter", "unknown_event",
                               error); /* 14 */
        }
    }
    return line_simple(p, NULL, (base_slice){0}, "note", "ignored", error);
}

/* ---- answers ---- */

/* Which instance a line means: any of these may be empty. */
typedef struct aim {
    base_slice key;
    base_slice saga;
    base_slice step; /* one of its plan's */
} aim;

static bool fits(const instance *in, const aim *wanted)
{
    return (wanted->key.size == 0 || base_slice_equal(in->state.key, wanted->key)) &&
           (wanted->saga.size == 0 || base_slice_equal(in->plan->saga, wanted->saga)) &&
           (wanted->step.size == 0 || saga_plan_step(in->plan, wanted->step) != SAGA_NONE);
}

static base_status not_one(const aim *wanted, size_t count, base_error *error)
{
    if (count == 0) {
        return base_error_set(error, BASE_NOT_FOUND, "no instance%s%.*s%s",
                              wanted->key.size == 0 ? "" : " has key \"",
                              BASE_SLICE_ARG(wanted->key), wanted->key.size == 0 ? "" : "\"");
    }
    return base_error_set(error, BASE_BAD_INPUT, "%zu instances are meant; say which with \"%s\"",
                          count, wanted->key.size == 0 ? "key" : "saga");
}

/* The one that fits and is live, else the only one that fits; of several ended ones the one that
 * was asked last, where a step is meant. */
static base_status meant(const player *p, const aim *wanted, size_t *index_out, base_error *error)
{
    size_t live = SIZE_MAX;
    size_t any = SIZE_MAX;
    size_t live_count = 0;
    size_t count = 0;
    for (size_t i = 0; i < p->instance_count; i++) {
        if (!fits(&p->instances[i], wanted)) {
            continue;
        }
        any = i;
        count++;
        if (!saga_state_ended(&p->instances[i].state)) {
            live = i;
            live_count++;
        }
    }
    if (live_count > 1 || count == 0) {
        return not_one(wanted, live_count, error);
    }
    *index_out = live_count == 1 ? live : any;
    if (live_count == 1 || count == 1) {
        return base_ok();
    }
    for (size_t i = p->ask_count; i > 0 && wanted->step.size != 0; i--) {
        const sent *ask = &p->asks[i - 1];
        const instance *in = &p->instances[ask->instance];
        if (fits(in, wanted) && base_slice_equal(in->plan->steps[ask->step].name, wanted->step)) {
            *index_out = ask->instance;
            return base_ok();
        }
    }
    return not_one(wanted, count, error);
}

static const sent *find_ask(const player *p, const player_answer *answer, size_t index,
                            int32_t step, bool undo)
{
    for (size_t i = p->ask_count; i > 0; i--) {
        const sent *ask = &p->asks[i - 1];
        if (answer->to_line != 0) {
            if (ask->line == answer->to_line) {
                return ask;
            }
            continue;
        }
        if (ask->instance == index && ask->step == step && ask->undo == undo &&
            (answer->try_number == 0 || ask->try_number == answer->try_number) &&
            (answer->gen == 0 || ask->gen == answer->gen)) {
            return ask;
        }
    }
    return NULL;
}

static base_status find_path(const player *p, const player_answer *answer, size_t *index_out,
                             int32_t *step_out, bool *undo_out, base_error *error)
{
    static const base_slice suffix = BASE_SLICE_LITERAL("/undo");
    base_slice path = answer->to;
    *undo_out = base_slice_ends_with(path, suffix);
    if (*undo_out) {
        path.size -= suffix.size;
    }
    bool known = false;
    for (size_t i = 0; i < p->plan_count; i++) {
        known = known || saga_plan_step(p->plans[i], path) != SAGA_NONE;
    }
    if (!known) {
        return base_error_set(error, BASE_NOT_FOUND, "no step is called \"%.*s\"",
                              BASE_SLICE_ARG(path));
    }
    const aim wanted = {.key = answer->key, .saga = answer->saga, .step = path};
    BASE_TRY(meant(p, &wanted, index_out, error));
    *step_out = saga_plan_step(p->instances[*index_out].plan, path);
    return base_ok();
}

/* What an echoing service puts into its answer. */
static base_status echo(player *p, const player_answer *answer, const instance *in, int32_t step,
                        bool undo, const sent *ask, saga_event *event, base_error *error)
{
    event->saga_step = in->plan->steps[step].name;
    event->partition_key = in->state.key;
    if (ask != NULL) {
        event->correlation_id = ask->instance_id;
        event->causation_id = base_slice_of(ask->id);
        event->saga_key = ask->saga_key;
        event->saga_try = ask->try_number;
        return base_ok();
    }
    event->correlation_id = in->state.id;
    event->saga_try = answer->try_number;
    if (undo && answer->gen != 0) { /* one that was not asked, but seen (45a) */
        event->saga_key =
            base_arena_print(&p->scratch, "%.*s/%.*s/undo/%d", BASE_SLICE_ARG(in->state.id),
                             BASE_SLICE_ARG(event->saga_step), (int)answer->gen);
    }
    return undo && answer->gen != 0 && event->saga_key.data == NULL ? no_memory(error) : base_ok();
}

/* An answer is an event like any other: the other sagas see it, too, where its key leads them. */
static base_status offer_to_others(player *p, const saga_plan *asked, const saga_event *event,
                                   base_error *error)
{
    for (size_t i = 0; i < p->plan_count; i++) {
        saga_route to;
        base_error why;
        base_error_clear(&why);
        if (p->plans[i] == asked) {
            continue;
        }
        BASE_TRY(saga_route_event(p->plans[i], event, &p->scratch, &to, &why));
        if (to.kind == SAGA_ROUTE_KEY) {
            BASE_TRY(route(p, p->plans[i], event, error));
        }
    }
    return base_ok();
}

base_status player_answer_ask(player *p, const player_answer *answer, base_error *error)
{
    size_t index = 0;
    int32_t step = SAGA_NONE;
    bool undo = false;
    if (answer->to_line == 0) {
        BASE_TRY(find_path(p, answer, &index, &step, &undo, error));
    }
    /* Nothing was asked: then the service speaks uninvited (45b), or its step reacts. */
    const sent *ask = find_ask(p, answer, index, step, undo);
    if (ask == NULL && answer->to_line != 0) {
        return base_error_set(error, BASE_NOT_FOUND, "output line %lld is no ask",
                              (long long)answer->to_line);
    }
    if (ask != NULL) {
        index = ask->instance;
        step = ask->step;
    }
    const instance *in = &p->instances[index];
    const int32_t known = saga_plan_event_named(in->plan, answer->event);
    if (known == SAGA_NONE) {
        return line_simple(p, in->plan, in->state.key, "note", "ignored", error);
    }
    saga_event event = *answer->overrides;
    BASE_TRY(echo(p, answer, in, step, undo, ask, &event, error));
    const saga_plan *const plan = in->plan; /* instances may move with what follows */
    BASE_TRY(complete_event(p, plan, known, &event, error));
    BASE_TRY(route(p, plan, &event, error));
    return offer_to_others(p, plan, &event, error);
}

/* ---- commands ---- */

base_status player_command(player *p, base_slice key, base_slice saga, const saga_command *command,
                           base_error *error)
{
    const aim wanted = {.key = key, .saga = saga};
    size_t index = 0;
    base_error why;
    base_error_clear(&why);
    const base_status status = meant(p, &wanted, &index, &why);
    if (status.code == BASE_NOT_FOUND) {
        return line_simple(p, NULL, key, "note", "no_instance", error);
    }
    if (base_failed(status)) {
        return base_error_set(error, status.code, "%s", why.text);
    }
    const instance *in = &p->instances[index];
    saga_input input = {.kind = SAGA_INPUT_COMMAND, .event_index = SAGA_NONE, .command = *command};
    BASE_TRY(feed(p, in->plan, in->state.key, &input, error));
    /* What came due while it was suspended was held until now (58). */
    return command->kind == SAGA_COMMAND_RESUME ? player_advance(p, p->now_ms, error) : base_ok();
}

bool player_in_trouble(const player *p)
{
    for (size_t i = 0; i < p->instance_count; i++) {
        if (saga_state_stuck(&p->instances[i].state) ||
            p->instances[i].state.phase == SAGA_PHASE_DAMAGED) {
            return true;
        }
    }
    return false;
}
