/* Router: see route.h. */
#include "saga/route.h"

#include "base/assert.h"
#include "base/time.h"
#include "saga/decide.h"

/* ---- instance ids ---- */

base_status saga_instance_id(base_slice saga, int32_t incarnation, base_slice key,
                             base_arena *arena, base_slice *id_out)
{
    *id_out = base_arena_print(arena, "%.*s/%d/%.*s", BASE_SLICE_ARG(saga), (int)incarnation,
                               BASE_SLICE_ARG(key));
    return id_out->data == NULL ? base_status_of(BASE_OUT_OF_MEMORY) : base_ok();
}

bool saga_instance_id_parse(base_slice id, base_slice *saga_out, int32_t *incarnation_out,
                            base_slice *key_out)
{
    size_t at = 0;
    while (at < id.size && id.data[at] != '/')
        at++;
    if (at == 0 || at == id.size)
        return false;
    const size_t digits = at + 1;
    size_t end = digits;
    int32_t incarnation = 0;
    while (end < id.size && end - digits < 9 && id.data[end] >= '0' && id.data[end] <= '9')
        incarnation = incarnation * 10 + (id.data[end++] - '0');
    if (end == digits || end == id.size || id.data[end] != '/' || incarnation == 0 ||
        id.data[digits] == '0')
        return false;
    *saga_out = base_slice_make(id.data, at);
    *incarnation_out = incarnation;
    *key_out = base_slice_make(id.data + end + 1, id.size - end - 1);
    return key_out->size > 0;
}

/* ---- CloudEvents ---- */

static const base_value null_value = {.kind = BASE_NULL};

static base_status evaluate(const saga_expr *expr, const base_value *input, base_arena *arena,
                            base_value *value_out, base_error *error)
{
    const base_value *values[SAGA_VARIABLE_COUNT] = {&null_value, &null_value, &null_value,
                                                     &null_value, &null_value};
    return saga_expr_eval(expr, input, values, (saga_expr_limits){0}, arena, value_out, error);
}

/* A key's text: a string as it is, a number or boolean as JSON writes it. */
static base_status key_text(const base_value *value, base_arena *arena, base_slice *key_out,
                            base_error *error)
{
    if (value->kind == BASE_STRING && value->size > 0) {
        *key_out = base_value_slice(value);
        return base_ok();
    }
    if (base_value_is_number(value) || value->kind == BASE_BOOL)
        return base_value_json(value, true, arena, key_out);
    return base_error_set(error, BASE_BAD_INPUT, "the key is %s, not a text or a number",
                          value->kind == BASE_STRING ? "empty"
                                                     : base_kind_name((base_kind)value->kind));
}

static base_status route_by_key(const saga_plan_event *event, const saga_event *received,
                                base_arena *arena, saga_route *route, base_error *error)
{
    base_value input;
    base_value value;
    BASE_TRY(saga_event_to_value(received, arena, &input));
    base_status status = evaluate(event->key, &input, arena, &value, error);
    if (!base_failed(status))
        status = key_text(&value, arena, &route->key, error);
    if (status.code == BASE_OUT_OF_MEMORY)
        return status;
    if (base_failed(status))
        base_error_context(error, "key of event \"%.*s\"", BASE_SLICE_ARG(event->name));
    route->kind = base_failed(status) ? SAGA_ROUTE_BAD_KEY : SAGA_ROUTE_KEY;
    return base_ok();
}

base_status saga_route_event(const saga_plan *plan, const saga_event *event, base_arena *arena,
                             saga_route *route_out, base_error *error)
{
    saga_route route = {.kind = SAGA_ROUTE_NONE,
                        .event_index = saga_plan_event_typed(plan, event->type)};
    base_slice saga = {0};
    base_slice key = {0};
    int32_t incarnation = 0;
    if (route.event_index == SAGA_NONE) {
        *route_out = route;
        return base_ok();
    }
    const saga_plan_event *known = &plan->events[route.event_index];
    const bool means =
        known->role_count > 0 || known->abort != SAGA_NONE || known->end_early || known->remembered;
    route.starts = known->start != SAGA_NONE;
    const bool told = saga_instance_id_parse(event->correlation_id, &saga, &incarnation, &key);
    const bool foreign = told && !base_slice_equal(saga, plan->saga);
    if (told && !foreign) {
        route.kind = SAGA_ROUTE_KEY;
        route.key = key;
    } else if (known->key != NULL) {
        BASE_TRY(route_by_key(known, event, arena, &route, error));
    } else if ((!means && !route.starts) || foreign) {
        route.kind = SAGA_ROUTE_NONE; /* our own asks, coming by; answers to another saga's */
    } else if (event->partition_key.size > 0 && event->causation_id.size > 0) {
        route.kind = SAGA_ROUTE_KEY;
        route.key = event->partition_key;
    } else {
        route.kind = SAGA_ROUTE_NO_KEY;
    }
    *route_out = route;
    return base_ok();
}

/* ---- plain records (A.3) ---- */

static base_status record_value(const saga_plain_record *record, base_arena *arena,
                                base_value *value_out)
{
    const base_value topic = base_value_string(record->topic);
    const base_value partition = base_value_integer(record->partition);
    const base_value offset = base_value_integer(record->offset);
    const base_value time = base_value_integer(record->time_ms);
    base_map_builder map;
    base_map_begin(&map, arena);
    BASE_TRY(base_map_put_text(&map, "topic", &topic));
    BASE_TRY(base_map_put_text(&map, "partition", &partition));
    BASE_TRY(base_map_put_text(&map, "offset", &offset));
    BASE_TRY(base_map_put_text(&map, "time", &time));
    BASE_TRY(base_map_put_text(&map, "headers", &record->headers));
    BASE_TRY(base_map_put_text(&map, "key", &record->key));
    BASE_TRY(base_map_put_text(&map, "value", &record->value));
    *value_out = base_map_end(&map);
    return base_ok();
}

/* Milliseconds, or an RFC 3339 text. */
static base_status time_of(const base_value *value, int64_t *ms_out, base_error *error)
{
    if (value->kind == BASE_INTEGER) {
        *ms_out = value->integer;
        return base_ok();
    }
    if (value->kind == BASE_STRING &&
        !base_failed(base_time_parse(base_value_slice(value), ms_out)))
        return base_ok();
    return base_error_set(error, BASE_BAD_INPUT,
                          "time gives neither milliseconds nor an RFC 3339 text");
}

static base_status plain_event(const saga_plan_event *plan, const saga_plain_record *record,
                               const base_value *input, base_arena *arena, saga_event *event_out,
                               base_error *error)
{
    saga_event event = {.type = plan->type, .time_ms = record->time_ms, .data = record->value};
    base_value value;
    event.source = base_arena_print(arena, "/topics/%.*s", BASE_SLICE_ARG(record->topic));
    if (plan->id != NULL) {
        BASE_TRY(evaluate(plan->id, input, arena, &value, error));
        BASE_TRY(key_text(&value, arena, &event.id, error));
    } else {
        event.id = base_arena_print(arena, "%.*s/%d/%lld", BASE_SLICE_ARG(record->topic),
                                    (int)record->partition, (long long)record->offset);
    }
    if (event.source.data == NULL || event.id.data == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    if (plan->time != NULL) {
        BASE_TRY(evaluate(plan->time, input, arena, &value, error));
        BASE_TRY(time_of(&value, &event.time_ms, error));
    }
    *event_out = event;
    return base_ok();
}

bool saga_route_takes_plain(const saga_plan *plan, base_slice topic)
{
    for (int32_t i = 0; i < plan->event_count; i++) {
        if (plan->events[i].match != NULL && base_slice_equal(plan->events[i].topic, topic))
            return true;
    }
    return false;
}

base_status saga_route_plain(const saga_plan *plan, const saga_plain_record *record,
                             base_arena *arena, bool *matched_out, saga_event *event_out,
                             base_error *error)
{
    base_value input;
    BASE_TRY(record_value(record, arena, &input));
    for (int32_t i = 0; i < plan->event_count; i++) {
        const saga_plan_event *event = &plan->events[i];
        base_value answer;
        if (event->match == NULL || !base_slice_equal(event->topic, record->topic))
            continue;
        const base_status status = evaluate(event->match, &input, arena, &answer, error);
        if (base_failed(status)) {
            base_error_context(error, "match of event \"%.*s\"", BASE_SLICE_ARG(event->name));
            return status;
        }
        if (!saga_truthy(&answer))
            continue;
        *matched_out = true;
        return plain_event(event, record, &input, arena, event_out, error);
    }
    *matched_out = false;
    return base_ok();
}
