/*
 * The world: services that keep the promises C1 to C7 over a network that delays, reorders, repeats
 * and loses, customers who start and cancel, strangers, humans.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "engine/command.h"
#include "engine/wire.h"
#include "saga/route.h"
#include "schemas/envelope.h"
#include "schemas/json.h"
#include "tests/sim/sim.h"

#define SERVE_MAX 500
#define SLOW_MS 180000

/* ---- the network: a heap by time and order ---- */

static bool before(const sim_message *a, const sim_message *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(sim_message *a, sim_message *b)
{
    const sim_message c = *a;
    *a = *b;
    *b = c;
}

static void heap_push(sim *s, const sim_message *message)
{
    if (s->message_count == s->message_capacity) {
        s->message_capacity = s->message_capacity == 0 ? 256 : s->message_capacity * 2;
        s->messages =
            (sim_message *)realloc(s->messages, s->message_capacity * sizeof(sim_message));
        BASE_ASSERT(s->messages != NULL);
    }
    size_t i = s->message_count++;
    s->messages[i] = *message;
    while (i > 0 && before(&s->messages[i], &s->messages[(i - 1) / 2])) {
        swap(&s->messages[i], &s->messages[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static void heap_pop(sim *s)
{
    s->messages[0] = s->messages[--s->message_count];
    size_t i = 0;
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++) {
            if (child < s->message_count && before(&s->messages[child], &s->messages[least])) {
                least = child;
            }
        }
        if (least == i) {
            return;
        }
        swap(&s->messages[i], &s->messages[least]);
        i = least;
    }
}

static base_slice keep(sim *s, base_slice bytes)
{
    return bytes.data == NULL ? bytes : base_arena_copy(&s->arena, bytes);
}

/* The record is copied. */
static void send_record(sim *s, const schema_record *record, int64_t delay_ms, sim_instance *starts,
                        bool poison)
{
    sim_message message = {.at_ms = s->now_ms + delay_ms,
                           .order = ++s->message_order,
                           .record = *record,
                           .starts = starts,
                           .poison = poison};
    schema_header *headers = BASE_ARENA_ARRAY(&s->arena, schema_header, record->header_count + 1);
    BASE_ASSERT(headers != NULL);
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i] =
            (schema_header){keep(s, record->headers[i].name), keep(s, record->headers[i].value)};
    }
    message.record.topic = keep(s, record->topic);
    message.record.key = keep(s, record->key);
    message.record.value = keep(s, record->value);
    message.record.headers = headers;
    heap_push(s, &message);
}

static int64_t delay_ms(sim *s)
{
    return (int64_t)sim_below(s, sim_percent(s, 20) ? 3000 : 50);
}

void sim_send_event(sim *s, const saga_event *event, base_slice topic, base_slice record_key,
                    int64_t delay, sim_instance *starts)
{
    schema_record record;
    memset(&record, 0, sizeof(record));
    sim_need(s, schema_envelope_write(event, &s->arena, &record, NULL), NULL, "an event");
    record.topic = topic;
    record.partition = SCHEMA_PARTITION_BY_KEY;
    record.time_ms = 0;
    record.key = record_key;
    send_record(s, &record, delay, starts, false);
    if (sim_strikes(s, SIM_DUPLICATE_RECORD)) {
        send_record(s, &record, delay + delay_ms(s), starts, false);
    }
}

int64_t sim_world_next_ms(const sim *s)
{
    return s->message_count == 0 ? INT64_MAX : s->messages[0].at_ms;
}

static void delivered(sim *s, const sim_message *message)
{
    if (message->starts != NULL) {
        message->starts->started = true;
    }
    if (message->poison) {
        if (s->letter_count == s->letter_capacity) {
            s->letter_capacity = s->letter_capacity == 0 ? 16 : s->letter_capacity * 2;
            s->letters = (sim_letter *)realloc(s->letters, s->letter_capacity * sizeof(sim_letter));
            BASE_ASSERT(s->letters != NULL);
        }
        s->letters[s->letter_count++] = (sim_letter){message->record.value, false};
    }
}

bool sim_world_deliver(sim *s)
{
    if (s->down || sim_world_next_ms(s) > s->now_ms) {
        return false;
    }
    while (sim_world_next_ms(s) <= s->now_ms) {
        const sim_message message = s->messages[0];
        base_error error;
        base_error_clear(&error);
        size_t refused = 0;
        sim_need(s, log_writer_append(s->writer, &message.record, &error), &error, "an append");
        sim_need(s, log_writer_commit(s->writer, NULL, NULL, 0, NULL, &refused, &error), &error,
                 "a commit of the world");
        heap_pop(s);
        delivered(s, &message);
        sim_tell(s, "event %.*s on %.*s key %.*s",
                 BASE_SLICE_ARG(engine_wire_header(&message.record, "ce_type")),
                 BASE_SLICE_ARG(message.record.topic), BASE_SLICE_ARG(message.record.key));
    }
    return true;
}

/* ---- instances ---- */

static const sim_saga *saga_of(const sim *s, base_slice name)
{
    for (int32_t i = 0; i < s->saga_count; i++) {
        if (base_slice_equal(s->sagas[i].plan->saga, name)) {
            return &s->sagas[i];
        }
    }
    return NULL;
}

sim_instance *sim_instance_of(sim *s, base_slice saga, base_slice key, int32_t incarnation)
{
    for (int32_t i = 0; i < s->instance_count; i++) {
        sim_instance *instance = &s->instances[i];
        if (base_slice_is(key, instance->key) && instance->incarnation == incarnation &&
            base_slice_equal(instance->saga->plan->saga, saga)) {
            return instance;
        }
    }
    BASE_ASSERT(s->instance_count < SIM_INSTANCE_MAX);
    sim_instance *instance = &s->instances[s->instance_count++];
    instance->saga = saga_of(s, saga);
    BASE_ASSERT(instance->saga != NULL);
    (void)snprintf(instance->key, sizeof(instance->key), "%.*s", BASE_SLICE_ARG(key));
    instance->incarnation = incarnation;
    instance->effects =
        BASE_ARENA_ARRAY(&s->arena, sim_effect, (size_t)instance->saga->plan->step_count);
    BASE_ASSERT(instance->effects != NULL);
    return instance;
}

/* Data that every saga finds its key and fields in. */
static base_value data_of(sim *s, const char *key, size_t padding)
{
    char *pad = (char *)base_arena_alloc(&s->arena, padding + 1);
    BASE_ASSERT(pad != NULL);
    memset(pad, 'x', padding);
    /* Drawn one by one: the order of arguments is the compiler's. */
    const uint32_t n = 1 + sim_below(s, 9);
    const uint32_t amount = 1 + sim_below(s, 9);
    const uint32_t grade = 1 + sim_below(s, 9);
    const bool c = sim_percent(s, 50);
    const base_slice text = base_arena_print(
        &s->arena,
        "{\"k\":\"%s\",\"orderId\":\"%s\",\"userId\":\"%s\",\"n\":%u,\"total\":12.50,\"amount\":%u,"
        "\"grade\":%u,\"c\":%s,\"really\":true,\"id\":\"i1\",\"authId\":\"a1\",\"warehouse\":"
        "\"w1\","
        "\"ship_to\":\"x\",\"customer\":{\"id\":\"c1\"},\"card\":{\"token\":\"t1\"},"
        "\"lines\":[{\"sku\":\"s1\",\"qty\":2}],\"pad\":\"%.*s\"}",
        key, key, key, n, amount, grade, c ? "true" : "false", (int)padding, pad);
    const schema_json_options options = {.path = {NULL, 0}};
    base_value value;
    sim_need(s, schema_json_read(text, &options, &s->arena, &value, NULL), NULL, "JSON");
    return value;
}

/* A new event of the plan's, its id drawn. */
static saga_event event_new(sim *s, const saga_plan *plan, int32_t index, const char *key)
{
    saga_event event;
    memset(&event, 0, sizeof(event));
    event.id = base_arena_print(&s->arena, "e%llu", (unsigned long long)++s->event_number);
    event.source = base_slice_of("/sim");
    event.type = plan->events[index].type;
    event.time_ms = s->now_ms;
    event.content_type = base_slice_of("application/json");
    event.data = data_of(s, key, 0);
    return event;
}

/* Most producers key their records by the main key; some do not, and then events are forwarded. */
static base_slice record_key(sim *s, const char *key)
{
    return sim_percent(s, 80) ? base_slice_of(key)
                              : base_arena_print(&s->arena, "other-%u", sim_below(s, 9));
}

/* ---- services ---- */

static bool step_has_outcome(const saga_plan *plan, int32_t step, saga_role role, uint32_t pick,
                             int32_t *event_out)
{
    uint32_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        uint32_t seen = 0;
        for (int32_t e = 0; e < plan->event_count; e++) {
            const saga_plan_event *event = &plan->events[e];
            for (int32_t r = 0; r < event->role_count; r++) {
                const saga_event_role *known = &plan->roles[event->role_first + r];
                if (known->step != step || known->role != role) {
                    continue;
                }
                if (pass == 1 && seen == pick % count) {
                    *event_out = e;
                    return true;
                }
                seen++;
            }
        }
        count = seen;
        if (count == 0) {
            return false;
        }
    }
    return false;
}

typedef struct sim_ask {
    sim_instance *instance;
    int32_t step;
    bool undo;
    const saga_event *event; /* NULL: the service reacts */
} sim_ask;

static void send_answer(sim *s, const sim_ask *ask, int32_t outcome, base_slice id)
{
    const saga_plan *plan = ask->instance->saga->plan;
    const saga_plan_event *known = &plan->events[outcome];
    const saga_step *step = &plan->steps[ask->step];
    saga_event event = event_new(s, plan, outcome, ask->instance->key);
    if (id.data != NULL) {
        event.id = id;
    }
    const bool can_be_untold = !ask->undo && known->key != NULL && !ask->instance->saga->again;
    if (ask->event != NULL && !(can_be_untold && sim_strikes(s, SIM_ANSWER_UNTOLD))) {
        event.correlation_id = ask->event->correlation_id;
        event.causation_id = ask->event->id;
        event.saga_step = ask->event->saga_step;
        event.saga_try = ask->event->saga_try;
        event.partition_key = ask->event->partition_key;
    } else if (known->key == NULL) {
        event.correlation_id =
            base_arena_print(&s->arena, "%.*s/%d/%s", BASE_SLICE_ARG(plan->saga),
                             (int)ask->instance->incarnation, ask->instance->key);
    }
    const bool has_clock = ask->undo || step->timeout_ms > 0 || step->deadline_ms > 0;
    if (has_clock && sim_strikes(s, SIM_ANSWER_LOST)) {
        return;
    }
    const int64_t delay =
        sim_strikes(s, SIM_ANSWER_SLOW) ? (int64_t)sim_below(s, SLOW_MS) : delay_ms(s);
    const base_slice key = record_key(s, ask->instance->key);
    sim_send_event(s, &event, known->topic, key, delay, NULL);
    int32_t other = SAGA_NONE;
    if (!ask->undo &&
        step_has_outcome(plan, ask->step,
                         ask->instance->effects[ask->step].success ? SAGA_ROLE_FAILS
                                                                   : SAGA_ROLE_EMITS,
                         0, &other) &&
        plan->events[other].topic.size == known->topic.size && sim_strikes(s, SIM_SAME_ID)) {
        event.type = plan->events[other].type; /* behind it, on the same way: a duplicate */
        sim_send_event(s, &event, known->topic, key, delay, NULL);
    }
}

static void answer(sim *s, const sim_ask *ask, int32_t outcome)
{
    send_answer(s, ask, outcome, (base_slice){NULL, 0});
    if (!ask->undo && sim_strikes(s, SIM_ANSWER_AGAIN)) {
        send_answer(s, ask, outcome, (base_slice){NULL, 0});
    }
}

static void serve_undo(sim *s, const sim_ask *ask)
{
    const saga_plan *plan = ask->instance->saga->plan;
    sim_effect *effect = &ask->instance->effects[ask->step];
    int32_t outcome = SAGA_NONE;
    if (step_has_outcome(plan, ask->step, SAGA_ROLE_UNDO_FAILS, 0, &outcome) &&
        sim_strikes(s, SIM_UNDO_FAILS)) {
        answer(s, ask, outcome);
        return;
    }
    effect->exists = false;
    effect->tombstone = true;
    if (step_has_outcome(plan, ask->step, SAGA_ROLE_UNDO_EMITS, 0, &outcome)) {
        answer(s, ask, outcome);
    }
}

static void serve_forward(sim *s, const sim_ask *ask)
{
    const saga_plan *plan = ask->instance->saga->plan;
    sim_effect *effect = &ask->instance->effects[ask->step];
    int32_t failure = SAGA_NONE;
    const bool can_fail =
        step_has_outcome(plan, ask->step, SAGA_ROLE_FAILS, sim_below(s, 8), &failure);
    if (effect->tombstone) {
        if (can_fail && sim_percent(s, 80)) {
            answer(s, ask, failure); /* C5: refused */
            return;
        }
        if (!can_fail && sim_percent(s, 80)) {
            return; /* it has no word for it */
        }
        effect->exists = true; /* or at least reported */
        effect->tombstone = false;
        effect->success = true;
        (void)step_has_outcome(plan, ask->step, SAGA_ROLE_EMITS, 0, &effect->verdict);
        answer(s, ask, effect->verdict);
        return;
    }
    if (!effect->verdict_given) {
        effect->verdict_given = true;
        effect->success = !can_fail || sim_percent(s, s->success_percent);
        effect->verdict = failure;
        if (effect->success) {
            (void)step_has_outcome(plan, ask->step, SAGA_ROLE_EMITS, sim_below(s, 8),
                                   &effect->verdict);
        }
    }
    effect->exists = effect->success;
    answer(s, ask, effect->verdict);
}

static void serve(sim *s, const sim_ask *ask)
{
    if (ask->undo) {
        serve_undo(s, ask);
    } else {
        serve_forward(s, ask);
    }
}

/* What an event on a topic asks a service to do; false: nothing. */
static bool ask_of(sim *s, const saga_event *event, sim_ask *ask_out)
{
    base_slice saga = {NULL, 0};
    base_slice key = {NULL, 0};
    int32_t incarnation = 0;
    if (event->saga_step.size == 0 ||
        !saga_instance_id_parse(event->correlation_id, &saga, &incarnation, &key)) {
        return false;
    }
    const sim_saga *known = saga_of(s, saga);
    if (known == NULL) {
        return false;
    }
    const int32_t step = saga_plan_step(known->plan, event->saga_step);
    if (step == SAGA_NONE || event->saga_key.size == 0) {
        return false;
    }
    const saga_step *plan = &known->plan->steps[step];
    const bool undo = plan->undo.kind == SAGA_UNDO_ASKED &&
                      base_slice_equal(event->type, known->plan->events[plan->undo.ask].type);
    *ask_out = (sim_ask){.instance = sim_instance_of(s, saga, key, incarnation),
                         .step = step,
                         .undo = undo,
                         .event = event};
    return true;
}

static void serve_record(sim *s, const schema_record *record)
{
    saga_event event;
    base_error error;
    base_error_clear(&error);
    const base_status status = schema_envelope_read(record, &s->arena, &event, &error);
    if (base_failed(status)) {
        sim_violate(s, SIM_CHECK_ONE_EFFECT, "what the engine wrote on %.*s is no event: %s",
                    BASE_SLICE_ARG(record->topic), error.text);
        return;
    }
    sim_observe_effect(s, record, &event);
    sim_ask ask;
    if (!ask_of(s, &event, &ask)) {
        return;
    }
    serve(s, &ask);
    if (sim_strikes(s, SIM_ASK_TWICE)) {
        serve(s, &ask);
    }
}

bool sim_world_serve(sim *s)
{
    const schema_record *records = NULL;
    size_t count = 0;
    const base_status status = log_reader_poll(s->service, 0, SERVE_MAX, &records, &count, NULL);
    if (status.code == BASE_UNREACHABLE) {
        return false;
    }
    sim_need(s, status, NULL, "a poll of the services");
    for (size_t i = 0; i < count; i++) {
        serve_record(s, &records[i]);
    }
    return count > 0;
}

/* Services that nobody asks look at what there is. */
void sim_world_react(sim *s)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    for (int32_t i = 0; i < s->instance_count; i++) {
        sim_instance *instance = &s->instances[i];
        const saga_plan *plan = instance->saga->plan;
        base_arena_reset(&arena);
        const saga_state *state = sim_state(s, plan->saga, base_slice_of(instance->key), &arena);
        if (state == NULL || state->incarnation != instance->incarnation ||
            (state->flags & SAGA_FLAG_PURGED) != 0) {
            continue;
        }
        for (int32_t k = 0; k < plan->step_count; k++) {
            const saga_step *step = &plan->steps[k];
            sim_effect *effect = &instance->effects[k];
            const sim_ask ask = {.instance = instance, .step = k};
            if (step->ask == SAGA_NONE && state->steps[k].f == SAGA_F_OPEN &&
                !effect->verdict_given && (s->quiet || sim_percent(s, 50))) {
                serve(s, &ask);
            }
            if (step->undo.kind == SAGA_UNDO_REACTIVE && state->steps[k].u == SAGA_U_UNDOING &&
                effect->reacted_gen < state->steps[k].gen) {
                effect->reacted_gen = state->steps[k].gen;
                const sim_ask undo = {.instance = instance, .step = k, .undo = true};
                serve(s, &undo);
            }
        }
    }
    base_arena_deinit(&arena);
}

/* ---- customers and strangers ---- */

static void send_start(sim *s, sim_instance *instance, int64_t delay, size_t padding)
{
    const saga_plan *plan = instance->saga->plan;
    const int32_t index = saga_plan_event_named(plan, base_slice_of(instance->saga->start_event));
    saga_event event = event_new(s, plan, index, instance->key);
    event.time_ms = s->now_ms + delay;
    event.data = data_of(s, instance->key, padding);
    sim_send_event(s, &event, plan->events[index].topic, record_key(s, instance->key), delay,
                   instance);
    if (sim_percent(s, 10 * (s->rates[SIM_RESTART] > 0))) {
        sim_struck(s, SIM_RESTART);
        event.id = base_arena_print(&s->arena, "e%llu", (unsigned long long)++s->event_number);
        sim_send_event(s, &event, plan->events[index].topic, base_slice_of(instance->key),
                       delay + (int64_t)sim_below(s, 60000), NULL);
    }
}

static void send_cancel(sim *s, const sim_instance *instance, int64_t delay)
{
    const saga_plan *plan = instance->saga->plan;
    for (int32_t e = 0; e < plan->event_count; e++) {
        if (plan->events[e].abort != SAGA_NONE) {
            sim_struck(s, SIM_CANCEL);
            const saga_event event = event_new(s, plan, e, instance->key);
            sim_send_event(s, &event, plan->events[e].topic, record_key(s, instance->key), delay,
                           NULL);
            return;
        }
    }
}

/* A service that reacts is ahead of the engine: its answer is there before the start. */
static void send_early(sim *s, sim_instance *instance)
{
    const saga_plan *plan = instance->saga->plan;
    for (int32_t k = 0; k < plan->step_count; k++) {
        const saga_step *step = &plan->steps[k];
        if (step->ask == SAGA_NONE && !step->signal && step->when.count + step->after.count == 0 &&
            step->guard == NULL) {
            const sim_ask ask = {.instance = instance, .step = k};
            sim_struck(s, SIM_EARLY);
            serve(s, &ask);
            return;
        }
    }
}

static void send_poison(sim *s, int64_t delay)
{
    const saga_plan *plan = s->sagas[sim_below(s, (uint32_t)s->saga_count)].plan;
    const schema_header json[] = {
        {base_slice_of("ce_specversion"), base_slice_of("1.0")},
        {base_slice_of("ce_id"),
         base_arena_print(&s->arena, "x%llu", (unsigned long long)s->event_number)},
        {base_slice_of("ce_source"), base_slice_of("/sim")},
        {base_slice_of("ce_type"), plan->events[0].type},
        {base_slice_of("content-type"), base_slice_of("application/json")}};
    const uint32_t kind = sim_below(s, 3);
    const uint32_t service = sim_below(s, (uint32_t)plan->service_count);
    const schema_record record = {.topic = plan->services[service].events,
                                  .partition = SCHEMA_PARTITION_BY_KEY,
                                  .key = base_arena_print(&s->arena, "poison-%u", sim_below(s, 50)),
                                  .value = base_arena_print(&s->arena, "{\"poison\": %llu",
                                                            (unsigned long long)++s->event_number),
                                  .headers = json,
                                  .header_count = kind == 0   ? 5
                                                  : kind == 1 ? 1
                                                              : 0};
    /* A topic that no event stands on is not read at all. */
    if (engine_catalog_source(&s->catalog, record.topic) == NULL) {
        return;
    }
    sim_struck(s, SIM_POISON);
    send_record(s, &record, delay, NULL, true);
}

static void send_stranger(sim *s, int64_t delay)
{
    const saga_plan *plan = s->sagas[sim_below(s, (uint32_t)s->saga_count)].plan;
    const int32_t index = (int32_t)sim_below(s, (uint32_t)plan->event_count);
    char key[40];
    (void)snprintf(key, sizeof(key), "nobody-%u", sim_below(s, 5));
    const saga_plan_event *known = &plan->events[index];
    if (known->start != SAGA_NONE || known->topic.size == 0 || known->role_count == 0) {
        return;
    }
    saga_event event = event_new(s, plan, index, key);
    event.correlation_id =
        base_arena_print(&s->arena, "%.*s/1/%s", BASE_SLICE_ARG(plan->saga), key);
    sim_struck(s, SIM_NOBODY);
    sim_send_event(s, &event, known->topic, base_slice_of(key), delay, NULL);
}

void sim_world_plan(sim *s)
{
    const uint32_t count = 1 + sim_below(s, 20);
    const uint32_t span_ms = 1 + sim_below(s, 60000);
    for (uint32_t i = 0; i < count; i++) {
        const sim_saga *saga = &s->sagas[sim_below(s, (uint32_t)s->saga_count)];
        char key[40];
        (void)snprintf(key, sizeof(key), "k%u", i + 1);
        sim_instance *instance = sim_instance_of(s, saga->plan->saga, base_slice_of(key), 1);
        const bool huge = saga->generated && s->rates[SIM_HUGE] > 0 && sim_percent(s, 10);
        const int64_t delay = (int64_t)sim_below(s, span_ms);
        if (huge) {
            sim_struck(s, SIM_HUGE);
            instance->huge = true;
        } else if (s->rates[SIM_EARLY] > 0 && sim_percent(s, 50)) {
            send_early(s, instance);
        }
        send_start(s, instance, delay,
                   huge ? LOG_RECORD_SIZE_DEFAULT / 64 - 1200 + sim_below(s, 800) : 0);
        if (s->rates[SIM_CANCEL] > 0 && sim_percent(s, 30)) {
            send_cancel(s, instance, delay + (int64_t)sim_below(s, 20000));
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (s->rates[SIM_POISON] > 0 && sim_percent(s, 30)) {
            send_poison(s, (int64_t)sim_below(s, span_ms));
        }
        if (s->rates[SIM_NOBODY] > 0 && sim_percent(s, 30)) {
            send_stranger(s, (int64_t)sim_below(s, span_ms));
        }
    }
}

/* ---- humans ---- */

static void command(sim *s, const sim_instance *instance, saga_command sent)
{
    schema_record record;
    base_error error;
    base_error_clear(&error);
    sent.who = base_slice_of("sim");
    sent.id = base_arena_print(&s->arena, "c%llu", (unsigned long long)++s->event_number);
    const engine_command full = {
        .saga = instance->saga->plan->saga, .key = base_slice_of(instance->key), .command = sent};
    sim_need(s,
             engine_command_write(&full, s->config.prefix, &s->topics, s->now_ms, &s->arena,
                                  &record, &error),
             &error, "a command");
    record.partition = base_partition_of(full.key, s->partitions);
    sim_tell(s, "human %s %.*s %s %s", saga_command_kind_name(sent.kind), BASE_SLICE_ARG(sent.step),
             sent.kind == SAGA_COMMAND_RESOLVE ? saga_act_name(sent.act) : "", instance->key);
    send_record(s, &record, 0, NULL, false);
}

static void resolve(sim *s, sim_instance *instance, int32_t step, bool undo, saga_act act)
{
    const base_slice name = instance->saga->plan->steps[step].name;
    sim_effect *effect = &instance->effects[step];
    if (undo && act == SAGA_ACT_DONE_BY_HAND) {
        effect->exists = false;
        effect->tombstone = true;
    }
    effect->given_up = effect->given_up || act == SAGA_ACT_GIVE_UP;
    const saga_command sent = {
        .kind = SAGA_COMMAND_RESOLVE,
        .reason = base_slice_of("because"),
        .step = base_arena_print(&s->arena, "%.*s%s", BASE_SLICE_ARG(name), undo ? "/undo" : ""),
        .act = act,
        .data = base_value_null()};
    command(s, instance, sent);
}

static bool help(sim *s, sim_instance *instance, const saga_state *state)
{
    static const saga_act undo_acts[] = {SAGA_ACT_RETRY, SAGA_ACT_DONE_BY_HAND, SAGA_ACT_GIVE_UP};
    for (int32_t i = 0; i < state->step_count; i++) {
        const saga_step_state *step = &state->steps[i];
        if (step->u == SAGA_U_STUCK) {
            resolve(s, instance, i, true, undo_acts[sim_below(s, 3)]);
            return true;
        }
        if ((step->flags & SAGA_STEP_STUCK) != 0) {
            /* The human finds out what is true, and says so. */
            const sim_effect *effect = &instance->effects[i];
            resolve(s, instance, i, false,
                    effect->exists          ? SAGA_ACT_COMPLETE
                    : effect->verdict_given ? SAGA_ACT_FAIL
                                            : SAGA_ACT_RETRY);
            return true;
        }
    }
    return false;
}

void sim_world_help(sim *s)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    for (int32_t i = 0; i < s->instance_count; i++) {
        sim_instance *instance = &s->instances[i];
        base_arena_reset(&arena);
        const saga_state *state =
            sim_state(s, instance->saga->plan->saga, base_slice_of(instance->key), &arena);
        if (state == NULL || state->incarnation != instance->incarnation ||
            state->seq == instance->resolved_seq || (state->flags & SAGA_FLAG_PURGED) != 0) {
            continue;
        }
        instance->resolved_seq = state->seq;
        if (help(s, instance, state)) {
            sim_struck(s, SIM_RESOLVE);
        } else if (sim_strikes(s, SIM_WRONG_RESOLVE)) {
            resolve(s, instance, (int32_t)sim_below(s, (uint32_t)state->step_count),
                    sim_percent(s, 50), SAGA_ACT_RETRY);
        }
    }
    base_arena_deinit(&arena);
}

static sim_instance *any_instance(sim *s)
{
    sim_instance *instance = &s->instances[sim_below(s, (uint32_t)s->instance_count)];
    return instance->started ? instance : NULL;
}

void sim_world_suspend(sim *s)
{
    sim_instance *instance = any_instance(s);
    if (instance != NULL) {
        instance->suspended = !instance->suspended;
        command(
            s, instance,
            (saga_command){.kind = instance->suspended ? SAGA_COMMAND_SUSPEND : SAGA_COMMAND_RESUME,
                           .reason = base_slice_of("because"),
                           .data = base_value_null()});
    }
}

void sim_world_abort(sim *s)
{
    const sim_instance *instance = any_instance(s);
    if (instance != NULL) {
        command(s, instance,
                (saga_command){.kind = SAGA_COMMAND_ABORT,
                               .reason = base_slice_of("because"),
                               .data = base_value_null()});
    }
}

void sim_world_resume_all(sim *s)
{
    for (int32_t i = 0; i < s->instance_count; i++) {
        if (s->instances[i].suspended) {
            s->instances[i].suspended = false;
            command(s, &s->instances[i],
                    (saga_command){.kind = SAGA_COMMAND_RESUME,
                                   .reason = base_slice_of("because"),
                                   .data = base_value_null()});
        }
    }
}

/* ---- its connections ---- */

static void read_topic(sim *s, base_slice topic)
{
    int32_t count = 0;
    sim_need(s, log_topic_partitions(s->store, topic, &count, NULL), NULL, "a topic");
    for (int32_t p = 0; p < count; p++) {
        sim_need(s, log_reader_assign(s->service, topic, p, LOG_OFFSET_BEGIN, NULL), NULL,
                 "a reader of services");
    }
}

void sim_world_open(sim *s)
{
    const log_writer_options options = {.identity = base_slice_of("world")};
    sim_need(s, log_writer_open(s->store, &options, &s->writer, NULL), NULL, "a writer");
    sim_need(s, log_reader_open(s->store, &s->service, NULL), NULL, "a reader");
    for (int32_t i = 0; i < s->saga_count; i++) {
        for (int32_t k = 0; k < s->sagas[i].plan->service_count; k++) {
            read_topic(s, s->sagas[i].plan->services[k].asks);
        }
    }
    read_topic(s, s->topics.events);
}

void sim_world_close(sim *s)
{
    log_reader_close(s->service);
    log_writer_close(s->writer);
    free(s->messages);
    free(s->letters);
}
