/*
 * From a definition to a plan, in passes over its tree:
 *
 *   services -> declared events -> start, abort, ends -> steps -> conditions -> graph -> tables
 *
 * Events get their numbers as they are met: first the declared ones, then those that steps and ends
 * name. A step's outcomes are produced by its service, asks go to it; what nobody produces is
 * caught when conditions are resolved.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "saga/compile.h"

#define EARLY_FOR_DEFAULT_MS ((int64_t)3600 * 1000)
#define STUCK_AFTER_DEFAULT_MS ((int64_t)30 * 60 * 1000)
#define RETAIN_DEFAULT_MS ((int64_t)90 * 24 * 3600 * 1000)

/* ---- services ---- */

static base_slice topic_of(compile *c, const base_value *tree, const char *key, base_slice service,
                           const char *suffix)
{
    const base_slice given = compile_text(c, tree, key);
    if (given.size != 0)
        return given;
    const base_slice made = base_arena_print(c->arena, "%.*s.%s", BASE_SLICE_ARG(service), suffix);
    if (made.data == NULL)
        c->failure = BASE_OUT_OF_MEMORY;
    return made;
}

static void compile_services(compile *c)
{
    const base_value *tree = compile_get(&c->definition->tree, "services");
    const size_t count = tree != NULL && tree->kind == BASE_MAP ? tree->size : 0;
    if (count > SAGA_SERVICE_MAX) {
        (void)compile_error(c, "E101", tree->place, "%zu services; at most %d", count,
                            SAGA_SERVICE_MAX);
        return;
    }
    c->services = BASE_ARENA_ARRAY(c->arena, saga_service, count + 1);
    if (c->services == NULL) {
        c->failure = BASE_OUT_OF_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const base_member *member = &tree->members[i];
        saga_service *service = &c->services[i];
        service->name = base_arena_copy(c->arena, member->key);
        service->asks = topic_of(c, &member->value, "asks", service->name, "asks");
        service->events = topic_of(c, &member->value, "events", service->name, "events");
        service->echo = compile_bool(c, &member->value, "echo", true);
        service->sticky = compile_bool(c, &member->value, "sticky", false);
    }
    c->plan->services = c->services;
    c->plan->service_count = (int32_t)count;
}

int32_t compile_service(compile *c, const base_value *name)
{
    if (name == NULL || name->kind != BASE_STRING)
        return SAGA_NONE;
    const base_slice wanted = base_value_slice(name);
    if (base_slice_is(wanted, "external"))
        return SAGA_NONE;
    base_slice *names = BASE_ARENA_ARRAY(c->arena, base_slice, (size_t)c->plan->service_count);
    if (names == NULL) {
        c->failure = BASE_OUT_OF_MEMORY;
        return SAGA_NONE;
    }
    for (int32_t i = 0; i < c->plan->service_count; i++) {
        if (base_slice_equal(c->services[i].name, wanted))
            return i;
        names[i] = c->services[i].name;
    }
    base_error *error = compile_error(c, "E102", name->place, "no service is called \"%.*s\"",
                                      BASE_SLICE_ARG(wanted));
    const base_slice near = base_error_nearest(wanted, names, (size_t)c->plan->service_count);
    if (near.size != 0)
        base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(near));
    else
        base_error_hint(error, "add it under services: %.*s: {}", BASE_SLICE_ARG(wanted));
    return SAGA_NONE;
}

/* ---- events ---- */

static int32_t event_find(const compile *c, base_slice name)
{
    for (int32_t i = 0; i < c->plan->event_count; i++) {
        if (base_slice_equal(c->events[i].name, name))
            return i;
    }
    return SAGA_NONE;
}

static int32_t event_add(compile *c, base_slice name, base_place place)
{
    int32_t place_capacity = c->event_capacity;
    if (c->plan->event_count >= SAGA_EVENT_MAX) {
        (void)compile_error(c, "E101", place, "more than %d events", SAGA_EVENT_MAX);
        return SAGA_NONE;
    }
    if (!compile_reserve(c, (void **)&c->event_places, c->plan->event_count, &place_capacity,
                         sizeof(base_place)) ||
        !compile_reserve(c, (void **)&c->events, c->plan->event_count, &c->event_capacity,
                         sizeof(saga_plan_event)))
        return SAGA_NONE;
    const int32_t index = c->plan->event_count++;
    saga_plan_event *event = &c->events[index];
    *event = (saga_plan_event){.name = base_arena_copy(c->arena, name),
                               .service = SAGA_NONE,
                               .early_for_ms = EARLY_FOR_DEFAULT_MS,
                               .start = SAGA_NONE,
                               .abort = SAGA_NONE};
    event->type = c->plan->space.size == 0
                      ? event->name
                      : base_arena_print(c->arena, "%.*s.%.*s", BASE_SLICE_ARG(c->plan->space),
                                         BASE_SLICE_ARG(name));
    if (event->name.data == NULL || event->type.data == NULL)
        c->failure = BASE_OUT_OF_MEMORY;
    c->event_places[index] = place;
    c->plan->events = c->events;
    return index;
}

int32_t compile_event(compile *c, const base_value *name, int32_t service, compile_use use)
{
    if (name == NULL || c->failure != BASE_OK)
        return SAGA_NONE;
    if (name->kind != BASE_STRING || base_value_slice(name).size == 0) {
        (void)compile_error(c, "E101", name->place, "an event's name must be a text, not %s",
                            base_kind_name((base_kind)name->kind));
        return SAGA_NONE;
    }
    int32_t index = event_find(c, base_value_slice(name));
    if (index == SAGA_NONE)
        index = event_add(c, base_value_slice(name), name->place);
    if (index == SAGA_NONE || service == SAGA_NONE)
        return index;
    saga_plan_event *event = &c->events[index];
    if (use == COMPILE_USE_ASK && event->topic.size == 0)
        event->topic = c->services[service].asks;
    if (use == COMPILE_USE_OUTCOME) {
        if (event->service == SAGA_NONE)
            event->service = service;
        if (event->topic.size == 0)
            event->topic = c->services[service].events;
        else if (event->service != service &&
                 !base_slice_equal(event->topic, c->services[service].events) &&
                 event->match == NULL &&
                 base_slice_equal(event->topic, c->services[event->service].events)) {
            base_error *error = compile_error(
                c, "E704", name->place, "\"%.*s\" is emitted by service \"%.*s\" and by \"%.*s\"",
                BASE_SLICE_ARG(event->name), BASE_SLICE_ARG(c->services[event->service].name),
                BASE_SLICE_ARG(c->services[service].name));
            base_error_hint(
                error, "a listener cannot know which: rename one, or give the event one topic");
        }
    }
    return index;
}

/* `key: {order: .data.orderId}`: the main key's expression. */
static void compile_event_key(compile *c, saga_plan_event *event, const base_value *key)
{
    if (key == NULL)
        return;
    if (key->kind != BASE_MAP) {
        base_error *error =
            compile_error(c, "E101", key->place, "\"key\" must name a key: { %.*s: <jq> }",
                          BASE_SLICE_ARG(c->plan->key_name));
        base_error_hint(error, "write key: { %.*s: .data.%.*s }", BASE_SLICE_ARG(c->plan->key_name),
                        BASE_SLICE_ARG(c->plan->key_name));
        return;
    }
    for (size_t i = 0; i < key->size; i++) {
        if (base_slice_equal(key->members[i].key, c->plan->key_name)) {
            event->key = compile_expr_value(c, &key->members[i].value, "key");
            continue;
        }
        base_error *error = compile_error(c, "E101", key->members[i].key_place,
                                          "\"%.*s\" is not the saga's main key",
                                          BASE_SLICE_ARG(key->members[i].key));
        base_error_hint(error, "the main key is \"%.*s\"; aliases are not built yet",
                        BASE_SLICE_ARG(c->plan->key_name));
    }
}

static void compile_declared_event(compile *c, const base_member *member)
{
    base_value name = base_value_string(member->key);
    name.place = member->key_place;
    const base_value *tree = &member->value;
    const int32_t index = compile_event(c, &name, SAGA_NONE, COMPILE_USE_DECLARED);
    if (index == SAGA_NONE)
        return;
    const int32_t service = compile_service(c, compile_get(tree, "from"));
    saga_plan_event made =
        c->events[index]; /* compiling an expression may add events and move the array */
    const base_slice type = compile_text(c, tree, "type");
    if (type.size != 0)
        made.type = type;
    made.service = service;
    made.topic = compile_text(c, tree, "topic");
    if (made.topic.size == 0 && service != SAGA_NONE)
        made.topic = c->services[service].events;
    made.match = compile_expr(c, tree, "match");
    made.id = compile_expr(c, tree, "id");
    made.time = compile_expr(c, tree, "time");
    made.early =
        base_slice_is(compile_text(c, tree, "early"), "drop") ? SAGA_EARLY_DROP : SAGA_EARLY_KEEP;
    made.early_for_ms = compile_duration(c, tree, "early_for", EARLY_FOR_DEFAULT_MS);
    compile_event_key(c, &made, compile_get(tree, "key"));
    made.remembered = c->events[index].remembered;
    if (made.match != NULL && made.topic.size == 0) {
        base_error *error =
            compile_error(c, "E101", tree->place, "event \"%.*s\" has \"match\" but no \"topic\"",
                          BASE_SLICE_ARG(made.name));
        base_error_hint(error, "plain records are placed by their topic: add topic: NAME");
    }
    c->events[index] = made;
}

static void compile_events(compile *c)
{
    const base_value *tree = compile_get(&c->definition->tree, "events");
    for (size_t i = 0; tree != NULL && tree->kind == BASE_MAP && i < tree->size; i++)
        compile_declared_event(c, &tree->members[i]);
}

void compile_role(compile *c, int32_t event, int32_t step, saga_role role)
{
    if (event == SAGA_NONE || !compile_reserve(c, (void **)&c->roles, c->role_count,
                                               &c->role_capacity, sizeof(compile_roles)))
        return;
    c->roles[c->role_count++] = (compile_roles){{step, role}, event};
}

/* ---- start, abort, ends ---- */

static void compile_start(compile *c)
{
    size_t count = 0;
    const base_value *items = compile_items(compile_get(&c->definition->tree, "start"), &count);
    saga_start *starts = BASE_ARENA_ARRAY(c->arena, saga_start, count);
    if (starts == NULL) {
        c->failure = BASE_OUT_OF_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        starts[i].event =
            compile_event(c, compile_get(&items[i], "when"), SAGA_NONE, COMPILE_USE_FACT);
        starts[i].guard = compile_expr(c, &items[i], "if");
        starts[i].data = compile_expr(c, &items[i], "data");
        const base_slice again = compile_text(c, &items[i], "again");
        starts[i].again = base_slice_is(again, "reject")      ? SAGA_AGAIN_REJECT
                          : base_slice_is(again, "after_end") ? SAGA_AGAIN_AFTER_END
                                                              : SAGA_AGAIN_IGNORE;
        if (starts[i].event != SAGA_NONE)
            c->events[starts[i].event].start = (int32_t)i;
    }
    c->plan->starts = starts;
    c->plan->start_count = (int32_t)count;
}

static void compile_abort(compile *c)
{
    size_t count = 0;
    const base_value *items = compile_items(compile_get(&c->definition->tree, "abort"), &count);
    saga_abort *aborts = BASE_ARENA_ARRAY(c->arena, saga_abort, count);
    if (aborts == NULL) {
        c->failure = BASE_OUT_OF_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        aborts[i].event =
            compile_event(c, compile_get(&items[i], "when"), SAGA_NONE, COMPILE_USE_FACT);
        aborts[i].guard = compile_expr(c, &items[i], "if");
        aborts[i].reason = compile_text(c, &items[i], "reason");
        if (aborts[i].event != SAGA_NONE)
            c->events[aborts[i].event].abort = (int32_t)i;
    }
    c->plan->aborts = aborts;
    c->plan->abort_count = (int32_t)count;
}

static void compile_ends(compile *c)
{
    static const char *const names[3] = {[SAGA_END_COMPLETED] = "completed",
                                         [SAGA_END_COMPENSATED] = "compensated",
                                         [SAGA_END_DAMAGED] = "damaged"};
    const base_value *tree = compile_get(&c->definition->tree, "ends");
    for (int32_t kind = 0; kind < 3; kind++) {
        size_t count = 0;
        const base_value *items = compile_items(compile_get(tree, names[kind]), &count);
        saga_end *ends = BASE_ARENA_ARRAY(c->arena, saga_end, count);
        if (ends == NULL) {
            c->failure = BASE_OUT_OF_MEMORY;
            return;
        }
        for (size_t i = 0; i < count; i++) {
            ends[i].event =
                compile_event(c, compile_get(&items[i], "emit"), SAGA_NONE, COMPILE_USE_END);
            ends[i].guard = compile_expr(c, &items[i], "if");
            ends[i].with = compile_expr(c, &items[i], "with");
        }
        c->plan->ends[kind] = ends;
        c->plan->end_counts[kind] = (int32_t)count;
    }
    size_t count = 0;
    const base_value *early =
        compile_items(compile_get(compile_get(tree, "early"), "when"), &count);
    for (size_t i = 0; i < count; i++) {
        const int32_t event = compile_event(c, &early[i], SAGA_NONE, COMPILE_USE_FACT);
        if (event != SAGA_NONE)
            c->events[event].end_early = true;
    }
}

/* ---- tables ---- */

/* Groups the roles by event, in file order within one. */
static void compile_role_table(compile *c)
{
    saga_event_role *roles = BASE_ARENA_ARRAY(c->arena, saga_event_role, (size_t)c->role_count);
    if (roles == NULL) {
        c->failure = BASE_OUT_OF_MEMORY;
        return;
    }
    int32_t filled = 0;
    for (int32_t event = 0; event < c->plan->event_count; event++) {
        c->events[event].role_first = filled;
        for (int32_t i = 0; i < c->role_count; i++) {
            if (c->roles[i].event == event)
                roles[filled++] = c->roles[i].role;
        }
        c->events[event].role_count = filled - c->events[event].role_first;
    }
    c->plan->roles = roles;
}

static void compile_type_table(compile *c)
{
    uint32_t size = 8;
    while (size < (uint32_t)c->plan->event_count * 2)
        size *= 2;
    int32_t *table = BASE_ARENA_ARRAY(c->arena, int32_t, size);
    if (table == NULL) {
        c->failure = BASE_OUT_OF_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < size; i++)
        table[i] = SAGA_NONE;
    for (int32_t event = 0; event < c->plan->event_count; event++) {
        uint32_t slot = (uint32_t)base_hash64(c->events[event].type, 0) & (size - 1);
        while (table[slot] != SAGA_NONE &&
               !base_slice_equal(c->events[table[slot]].type, c->events[event].type))
            slot = (slot + 1) & (size - 1);
        if (table[slot] == SAGA_NONE) {
            table[slot] = event;
            continue;
        }
        (void)compile_error(c, "E704", c->event_places[event],
                            "events \"%.*s\" and \"%.*s\" have one type, \"%.*s\"",
                            BASE_SLICE_ARG(c->events[table[slot]].name),
                            BASE_SLICE_ARG(c->events[event].name),
                            BASE_SLICE_ARG(c->events[event].type));
    }
    c->plan->type_table = table;
    c->plan->type_mask = size - 1;
}

/* A fact that the log must bring needs a topic: declared, or of the service it comes from (E102,
 * E501). */
static void check_sources(compile *c)
{
    for (int32_t i = 0; i < c->plan->event_count; i++) {
        const saga_plan_event *event = &c->events[i];
        const bool fact = event->start != SAGA_NONE || event->abort != SAGA_NONE ||
                          event->end_early || event->role_count > 0;
        if (!fact)
            continue;
        if (event->topic.size == 0) {
            base_error *error =
                compile_error(c, "E102", c->event_places[i], "no topic is known for event \"%.*s\"",
                              BASE_SLICE_ARG(event->name));
            base_error_hint(error,
                            "declare it: events: { %.*s: { from: SERVICE, key: { %.*s: <jq> } } }",
                            BASE_SLICE_ARG(event->name), BASE_SLICE_ARG(c->plan->key_name));
        }
        const bool echoed = event->service != SAGA_NONE && c->services[event->service].echo;
        if (event->key == NULL && (event->start != SAGA_NONE || event->match != NULL)) {
            base_error *error =
                compile_error(c, "E501", c->event_places[i], "event \"%.*s\" has no key",
                              BASE_SLICE_ARG(event->name));
            base_error_hint(error, "declare events.%.*s.key: { %.*s: <jq> }",
                            BASE_SLICE_ARG(event->name), BASE_SLICE_ARG(c->plan->key_name));
        } else if (event->key == NULL && event->service != SAGA_NONE && !echoed) {
            base_error *error = compile_error(
                c, "E510", c->event_places[i],
                "service \"%.*s\" has echo: false; its event \"%.*s\" needs key",
                BASE_SLICE_ARG(c->services[event->service].name), BASE_SLICE_ARG(event->name));
            base_error_hint(error, "declare events.%.*s.key: { %.*s: <jq> }",
                            BASE_SLICE_ARG(event->name), BASE_SLICE_ARG(c->plan->key_name));
        }
    }
}

/* ---- the whole ---- */

static void compile_header(compile *c)
{
    const base_value *tree = &c->definition->tree;
    saga_plan *plan = c->plan;
    plan->saga = compile_text(c, tree, "saga");
    plan->space = compile_text(c, tree, "namespace");
    plan->path = base_arena_copy(c->arena, c->definition->path);
    plan->canonical = base_arena_copy(c->arena, c->definition->canonical);
    memcpy(plan->hash, c->definition->hash, sizeof(plan->hash));
    const base_value *version = compile_get(tree, "version");
    plan->version = version != NULL && version->kind == BASE_INTEGER ? version->integer : 0;
    const base_value *keys = compile_get(tree, "keys");
    if (keys != NULL && keys->kind == BASE_MAP && keys->size > 0)
        plan->key_name = base_arena_copy(c->arena, keys->members[0].key);
    plan->deadline_ms = compile_duration(c, tree, "deadline", 0);
    const base_slice order = compile_text(c, tree, "undo_order");
    plan->undo_order = base_slice_is(order, "reverse")    ? SAGA_ORDER_REVERSE
                       : base_slice_is(order, "parallel") ? SAGA_ORDER_PARALLEL
                                                          : SAGA_ORDER_CAUSAL;
    const base_value *stuck = compile_get(tree, "stuck");
    plan->stuck_after_ms = compile_duration(c, stuck, "after", STUCK_AFTER_DEFAULT_MS);
    plan->stuck_tell = compile_text(c, stuck, "tell");
    plan->retain_ms = compile_duration(c, tree, "retain", RETAIN_DEFAULT_MS);
    plan->strict = compile_bool(c, tree, "strict", false);
}

base_status saga_plan_compile(const saga_definition *definition, base_arena *arena,
                              const saga_plan **plan_out, saga_findings *findings)
{
    static void (*const passes[])(compile *) = {
        compile_header,     compile_services, compile_events,     compile_start,
        compile_abort,      compile_ends,     compile_steps,      compile_step_conditions,
        compile_role_table, compile_graph,    compile_type_table, check_sources};
    saga_plan *plan = BASE_ARENA_NEW(arena, saga_plan);
    if (plan == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    compile c = {.definition = definition, .arena = arena, .findings = findings, .plan = plan};
    const size_t errors_before = findings->error_count;
    for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
        passes[i](&c);
        if (c.failure != BASE_OK)
            return base_status_of(c.failure);
    }
    if (findings->error_count != errors_before)
        return base_status_of(BASE_BAD_INPUT);
    plan->events = c.events;
    plan->steps = c.steps;
    plan->conditions = c.conditions;
    *plan_out = plan;
    return base_ok();
}

/* ---- looking up ---- */

int32_t saga_plan_step(const saga_plan *plan, base_slice name)
{
    for (int32_t i = 0; i < plan->step_count; i++) {
        if (base_slice_equal(plan->steps[i].name, name))
            return i;
    }
    return SAGA_NONE;
}

int32_t saga_plan_event_typed(const saga_plan *plan, base_slice type)
{
    uint32_t slot = (uint32_t)base_hash64(type, 0) & plan->type_mask;
    while (plan->type_table[slot] != SAGA_NONE) {
        if (base_slice_equal(plan->events[plan->type_table[slot]].type, type))
            return plan->type_table[slot];
        slot = (slot + 1) & plan->type_mask;
    }
    return SAGA_NONE;
}

int32_t saga_plan_event_named(const saga_plan *plan, base_slice name)
{
    for (int32_t i = 0; i < plan->event_count; i++) {
        if (base_slice_equal(plan->events[i].name, name))
            return i;
    }
    return saga_plan_event_typed(plan, name);
}
