/* Values made from events and states: see view.h, and decide.h for the public ones. */
#include "saga/view.h"

#include "base/time.h"
#include "saga/decide.h"

static base_status put_text(base_map_builder *map, const char *key, base_slice text)
{
    if (text.size == 0)
        return base_ok();
    const base_value value = base_value_string(text);
    return base_map_put_text(map, key, &value);
}

static base_status put_integer(base_map_builder *map, const char *key, int64_t integer)
{
    const base_value value = base_value_integer(integer);
    return base_map_put_text(map, key, &value);
}

static base_status put_time(base_map_builder *map, const char *key, int64_t ms)
{
    if (ms == 0)
        return base_ok();
    char text[BASE_TIME_SIZE];
    base_time_format(ms, text);
    const base_slice copy = base_arena_copy(map->arena, base_slice_of(text));
    if (copy.data == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    return put_text(map, key, copy);
}

/* ---- events ---- */

/* The attributes that are texts, with where they stand in a saga_event. */
static const struct {
    const char *name;
    size_t offset;
} attributes[] = {
    {"id", offsetof(saga_event, id)},
    {"source", offsetof(saga_event, source)},
    {"type", offsetof(saga_event, type)},
    {"subject", offsetof(saga_event, subject)},
    {"dataschema", offsetof(saga_event, data_schema)},
    {"datacontenttype", offsetof(saga_event, content_type)},
    {"correlationid", offsetof(saga_event, correlation_id)},
    {"causationid", offsetof(saga_event, causation_id)},
    {"sagastep", offsetof(saga_event, saga_step)},
    {"sagakey", offsetof(saga_event, saga_key)},
    {"sagaundoes", offsetof(saga_event, saga_undoes)},
    {"partitionkey", offsetof(saga_event, partition_key)},
    {"traceparent", offsetof(saga_event, trace_parent)},
    {"tracestate", offsetof(saga_event, trace_state)},
};

#define ATTRIBUTE_COUNT (sizeof(attributes) / sizeof(attributes[0]))

base_status saga_event_to_value(const saga_event *event, base_arena *arena, base_value *value_out)
{
    base_map_builder map;
    base_map_begin(&map, arena);
    BASE_TRY(put_text(&map, "specversion", base_slice_of("1.0")));
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        base_slice text;
        memcpy(&text, (const char *)event + attributes[i].offset, sizeof(text));
        BASE_TRY(put_text(&map, attributes[i].name, text));
    }
    BASE_TRY(put_time(&map, "time", event->time_ms));
    BASE_TRY(put_time(&map, "expirytime", event->expiry_ms));
    if (event->saga_try > 0)
        BASE_TRY(put_integer(&map, "sagatry", event->saga_try));
    for (size_t i = 0; i < event->other_count; i++) {
        const base_value value = base_value_string(event->others[i].value);
        BASE_TRY(base_map_put(&map, event->others[i].name, &value));
    }
    BASE_TRY(base_map_put_text(&map, "data", &event->data));
    *value_out = base_map_end(&map);
    return base_ok();
}

/* Puts a text attribute where it belongs; false when the name is none of them. */
static bool take_attribute(saga_event *event, base_slice name, base_slice text)
{
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        if (base_slice_is(name, attributes[i].name)) {
            memcpy((char *)event + attributes[i].offset, &text, sizeof(text));
            return true;
        }
    }
    if (base_slice_is(name, "time"))
        return !base_failed(base_time_parse(text, &event->time_ms));
    if (base_slice_is(name, "expirytime"))
        return !base_failed(base_time_parse(text, &event->expiry_ms));
    return base_slice_is(name, "specversion");
}

base_status saga_event_of_value(const base_value *value, base_arena *arena, saga_event *event_out)
{
    if (value->kind != BASE_MAP)
        return base_status_of(BASE_CORRUPT);
    saga_event event = {.data = base_value_null()};
    saga_attribute *others = BASE_ARENA_ARRAY(arena, saga_attribute, value->size);
    if (others == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    for (size_t i = 0; i < value->size; i++) {
        const base_member *member = &value->members[i];
        if (base_slice_is(member->key, "data"))
            event.data = member->value;
        else if (base_slice_is(member->key, "sagatry") && member->value.kind == BASE_INTEGER)
            event.saga_try = (int32_t)member->value.integer;
        else if (member->value.kind == BASE_STRING &&
                 !take_attribute(&event, member->key, base_value_slice(&member->value)))
            others[event.other_count++] =
                (saga_attribute){member->key, base_value_slice(&member->value)};
    }
    event.others = others;
    *event_out = event;
    return base_ok();
}

/* ---- states ---- */

static base_status view_step(const saga_step_state *step, base_arena *arena, base_value *value_out)
{
    const base_value nothing = base_value_null();
    base_map_builder map;
    base_map_begin(&map, arena);
    BASE_TRY(put_text(&map, "state", base_slice_of(saga_f_name((saga_f)step->f))));
    BASE_TRY(base_map_put_text(&map, "out", step->out == NULL ? &nothing : step->out));
    const base_value end = step->end.size == 0 ? nothing : base_value_string(step->end);
    BASE_TRY(base_map_put_text(&map, "end", &end));
    BASE_TRY(put_integer(&map, "tries", step->tries));
    *value_out = base_map_end(&map);
    return base_ok();
}

base_status saga_view_steps(const saga_plan *plan, const saga_state *state, base_arena *arena,
                            base_value *value_out)
{
    base_map_builder map;
    base_map_begin(&map, arena);
    for (int32_t i = 0; i < state->step_count; i++) {
        base_value step;
        BASE_TRY(view_step(&state->steps[i], arena, &step));
        BASE_TRY(base_map_put(&map, plan->steps[i].name, &step));
    }
    *value_out = base_map_end(&map);
    return base_ok();
}

base_status saga_view_events(const saga_plan *plan, const saga_state *state, base_arena *arena,
                             base_value *value_out)
{
    base_map_builder map;
    base_map_begin(&map, arena);
    for (int32_t i = 0; i < state->event_count; i++) {
        if (state->events[i] != NULL)
            BASE_TRY(base_map_put(&map, plan->events[i].name, state->events[i]));
    }
    *value_out = base_map_end(&map);
    return base_ok();
}

base_status saga_view_saga(const saga_plan *plan, const saga_state *state, base_arena *arena,
                           base_value *value_out)
{
    const base_value nothing = base_value_null();
    const bool running = state->phase == SAGA_PHASE_RUNNING;
    base_map_builder map;
    base_map_begin(&map, arena);
    BASE_TRY(put_text(&map, "id", state->id));
    BASE_TRY(put_text(&map, "key", state->key));
    BASE_TRY(put_text(&map, "name", plan->saga));
    BASE_TRY(put_integer(&map, "version", plan->version));
    BASE_TRY(put_integer(&map, "started", state->started_ms));
    BASE_TRY(base_map_put_text(&map, "cause",
                               running || state->cause == NULL ? &nothing : state->cause));
    BASE_TRY(put_integer(&map, "round", 1));
    *value_out = base_map_end(&map);
    return base_ok();
}

static base_status view_halves(const saga_step_state *step, base_arena *arena,
                               base_value *value_out)
{
    base_map_builder map;
    base_map_begin(&map, arena);
    BASE_TRY(put_text(&map, "F", base_slice_of(saga_f_name((saga_f)step->f))));
    BASE_TRY(put_text(&map, "U", base_slice_of(saga_u_name((saga_u)step->u))));
    BASE_TRY(put_integer(&map, "tries", step->tries));
    BASE_TRY(put_integer(&map, "gen", step->gen));
    *value_out = base_map_end(&map);
    return base_ok();
}

base_status saga_state_to_value(const saga_plan *plan, const saga_state *state, base_arena *arena,
                                base_value *value_out)
{
    const base_value nothing = base_value_null();
    base_map_builder steps;
    base_map_begin(&steps, arena);
    for (int32_t i = 0; i < state->step_count; i++) {
        base_value step;
        BASE_TRY(view_halves(&state->steps[i], arena, &step));
        BASE_TRY(base_map_put(&steps, plan->steps[i].name, &step));
    }
    const base_value step_map = base_map_end(&steps);
    base_map_builder map;
    base_map_begin(&map, arena);
    BASE_TRY(put_text(&map, "phase", base_slice_of(saga_phase_name((saga_phase)state->phase))));
    BASE_TRY(base_map_put_text(&map, "data", state->data == NULL ? &nothing : state->data));
    BASE_TRY(base_map_put_text(&map, "steps", &step_map));
    *value_out = base_map_end(&map);
    return base_ok();
}
