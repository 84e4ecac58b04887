#include "engine/wire.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "saga/route.h"
#include "schemas/envelope.h"

#define HEADER_EXTRA_MAX 12 /* headers that we add to a record */
#define ERROR_TEXT_MAX 300

static base_status no_memory(void)
{
    return base_status_of(BASE_OUT_OF_MEMORY);
}

/* ---- events ---- */

/* The id of one of the engine's own events: the same whenever it is made from this entry. */
static base_slice own_id(base_slice instance, const saga_entry *entry, int32_t effect_index,
                         base_arena *arena)
{
    uint8_t number[12];
    for (size_t i = 0; i < 8; i++) {
        number[i] = (uint8_t)(entry->seq >> (8 * i));
    }
    for (size_t i = 0; i < 4; i++) {
        number[8 + i] = (uint8_t)((uint32_t)effect_index >> (8 * i));
    }
    base_sha256 hash;
    base_sha256_init(&hash);
    base_sha256_field(&hash, base_slice_of("troupe.event"));
    base_sha256_field(&hash, instance);
    base_sha256_field(&hash, base_slice_make(number, sizeof(number)));
    uint8_t digest[32];
    base_sha256_final(&hash, digest);
    char text[33];
    base_hex(digest, 16, text);
    return base_arena_copy(arena, base_slice_make(text, 32));
}

/* The event that an entry's input was, or what stands for it. */
static base_slice cause_id(const saga_entry *entry)
{
    if (entry->input.kind == SAGA_INPUT_EVENT && entry->input.event != NULL) {
        return entry->input.event->id;
    }
    return entry->input.kind == SAGA_INPUT_COMMAND ? entry->input.command.id
                                                   : (base_slice){NULL, 0};
}

/* What is the same for all events of an entry. */
static base_status event_common(const saga_entry *entry, base_arena *arena, saga_event *event)
{
    memset(event, 0, sizeof(*event));
    BASE_TRY(saga_instance_id(entry->saga, entry->incarnation, entry->key, arena,
                              &event->correlation_id));
    event->source = base_arena_print(arena, "/troupe/%.*s", BASE_SLICE_ARG(entry->saga));
    if (event->source.data == NULL) {
        return no_memory();
    }
    event->time_ms = entry->at_ms;
    event->content_type = base_slice_of("application/json");
    event->causation_id = cause_id(entry);
    event->partition_key = entry->key;
    event->trace_parent = entry->trace_parent;
    if (entry->input.kind == SAGA_INPUT_EVENT && entry->input.event != NULL) {
        event->trace_state = entry->input.event->trace_state;
    }
    event->data = base_value_null();
    return base_ok();
}

static base_slice step_name(const saga_plan *plan, int32_t step)
{
    return step == SAGA_NONE ? (base_slice){NULL, 0} : plan->steps[step].name;
}

/* An ask or an undo: to the service that does the step. */
static base_status ask_event(const saga_plan *plan, const saga_effect *effect, saga_event *event,
                             base_slice *topic_out)
{
    const saga_step *step = &plan->steps[effect->step];
    BASE_ASSERT(step->service != SAGA_NONE && effect->event != SAGA_NONE);
    event->id = base_slice_of(effect->id);
    event->type = plan->events[effect->event].type;
    event->saga_step = step->name;
    event->saga_key = effect->saga_key;
    event->saga_try = effect->try_number;
    event->saga_undoes = effect->undoes;
    event->expiry_ms = effect->expiry_ms;
    if (effect->data != NULL) {
        event->data = *effect->data;
    }
    *topic_out = plan->services[step->service].asks;
    return base_ok();
}

static base_status put_text(base_map_builder *map, const char *name, base_slice text)
{
    if (text.size == 0) {
        return base_ok();
    }
    const base_value value = base_value_string(text);
    return base_map_put_text(map, name, &value);
}

/* The data of the engine's own events: which instance, and what the effect says. */
static base_status own_data(const saga_plan *plan, const saga_entry *entry,
                            const saga_effect *effect, base_slice instance, base_arena *arena,
                            base_value *data_out)
{
    base_map_builder map;
    base_map_begin(&map, arena);
    BASE_TRY(put_text(&map, "saga", entry->saga));
    const base_value version = base_value_integer(plan->version);
    BASE_TRY(base_map_put_text(&map, "version", &version));
    BASE_TRY(put_text(&map, "key", entry->key));
    BASE_TRY(put_text(&map, "instance", instance));
    BASE_TRY(put_text(&map, effect->kind == SAGA_EFFECT_ALERT ? "alert" : "phase",
                      effect->kind == SAGA_EFFECT_EMIT ? (base_slice){NULL, 0} : effect->name));
    BASE_TRY(put_text(&map, "step", step_name(plan, effect->step)));
    BASE_TRY(put_text(&map, "text", effect->text));
    BASE_TRY(put_text(&map, "tell", effect->tell));
    if (effect->data != NULL) {
        BASE_TRY(base_map_put_text(&map, "data", effect->data));
    }
    *data_out = base_map_end(&map);
    return base_ok();
}

/* Of the phases, those that somebody outside would act on are told; `running` and the pivot's are
 * not news. */
static bool phase_is_told(base_slice phase)
{
    static const char *const told[] = {"compensating", "stuck", "completed", "compensated",
                                       "damaged"};
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        if (base_slice_is(phase, told[i])) {
            return true;
        }
    }
    return false;
}

static base_status own_event(const saga_plan *plan, const saga_entry *entry, int32_t effect_index,
                             base_arena *arena, saga_event *event)
{
    const saga_effect *effect = &entry->effects[effect_index];
    event->id = effect->id[0] != '\0' ? base_slice_of(effect->id)
                                      : own_id(event->correlation_id, entry, effect_index, arena);
    switch (effect->kind) {
    case SAGA_EFFECT_PHASE:
        event->type = base_arena_print(arena, "saga.%.*s", BASE_SLICE_ARG(effect->name));
        break;
    case SAGA_EFFECT_ALERT:
        event->type = base_slice_of("saga.alert");
        break;
    case SAGA_EFFECT_EMIT:
    case SAGA_EFFECT_ASK:
    case SAGA_EFFECT_UNDO:
    case SAGA_EFFECT_NOTE:
    case SAGA_EFFECT_DEAD_LETTER:
    case SAGA_EFFECT_COUNT:
        event->type = effect->name;
        break;
    }
    if (event->id.data == NULL || event->type.data == NULL) {
        return no_memory();
    }
    event->saga_step = step_name(plan, effect->step);
    return own_data(plan, entry, effect, event->correlation_id, arena, &event->data);
}

/* An event of `ends`, or one of the engine's own by name. */
static base_status emit_event(const saga_plan *plan, const saga_entry *entry, int32_t effect_index,
                              base_arena *arena, saga_event *event, base_slice *topic_out)
{
    const saga_effect *effect = &entry->effects[effect_index];
    if (effect->event == SAGA_NONE) {
        return own_event(plan, entry, effect_index, arena, event);
    }
    const saga_plan_event *declared = &plan->events[effect->event];
    event->id = base_slice_of(effect->id);
    event->type = declared->type;
    event->saga_key = effect->saga_key;
    if (effect->data != NULL) {
        event->data = *effect->data;
    }
    if (declared->topic.size > 0) {
        *topic_out = declared->topic;
    }
    return base_ok();
}

base_status engine_wire_event(const saga_plan *plan, const saga_entry *entry, int32_t effect_index,
                              const engine_topics *topics, base_arena *arena, bool *publishes_out,
                              schema_record *record_out, base_error *error)
{
    const saga_effect *effect = &entry->effects[effect_index];
    saga_event event;
    base_slice topic = topics->events;
    *publishes_out = false;
    BASE_TRY(event_common(entry, arena, &event));
    switch (effect->kind) {
    case SAGA_EFFECT_ASK:
    case SAGA_EFFECT_UNDO:
        BASE_TRY(ask_event(plan, effect, &event, &topic));
        break;
    case SAGA_EFFECT_EMIT:
        BASE_TRY(emit_event(plan, entry, effect_index, arena, &event, &topic));
        break;
    case SAGA_EFFECT_PHASE:
        if (!phase_is_told(effect->name)) {
            return base_ok();
        }
        BASE_TRY(own_event(plan, entry, effect_index, arena, &event));
        break;
    case SAGA_EFFECT_ALERT:
        BASE_TRY(own_event(plan, entry, effect_index, arena, &event));
        break;
    case SAGA_EFFECT_NOTE:
    case SAGA_EFFECT_DEAD_LETTER:
    case SAGA_EFFECT_COUNT:
        return base_ok();
    }
    memset(record_out, 0, sizeof(*record_out));
    BASE_TRY(schema_envelope_write(&event, arena, record_out, error));
    record_out->topic = topic;
    record_out->partition = SCHEMA_PARTITION_BY_KEY;
    *publishes_out = true;
    return base_ok();
}

/* ---- headers ---- */

base_slice engine_wire_header(const schema_record *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++) {
        if (base_slice_is(record->headers[i].name, name)) {
            return record->headers[i].value;
        }
    }
    return (base_slice){NULL, 0};
}

static base_status keep(base_arena *arena, base_slice *slice)
{
    if (slice->data != NULL) {
        *slice = base_arena_copy(arena, *slice);
        return slice->data == NULL ? no_memory() : base_ok();
    }
    return base_ok();
}

base_status engine_wire_copy(const schema_record *record, base_arena *arena,
                             schema_record *record_out)
{
    schema_record copy = *record;
    schema_header *headers = BASE_ARENA_ARRAY(arena, schema_header, record->header_count);
    if (headers == NULL) {
        return no_memory();
    }
    BASE_TRY(keep(arena, &copy.topic));
    BASE_TRY(keep(arena, &copy.key));
    BASE_TRY(keep(arena, &copy.value));
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i] = record->headers[i];
        BASE_TRY(keep(arena, &headers[i].name));
        BASE_TRY(keep(arena, &headers[i].value));
    }
    copy.headers = headers;
    *record_out = copy;
    return base_ok();
}

typedef struct header_list {
    base_arena *arena;
    schema_header *items;
    size_t count;
    bool failed;
} header_list;

/* The record's headers less those of ours, with room for more. */
static header_list headers_begin(const schema_record *record, base_arena *arena)
{
    header_list list = {.arena = arena};
    list.items = BASE_ARENA_ARRAY(arena, schema_header, record->header_count + HEADER_EXTRA_MAX);
    list.failed = list.items == NULL;
    const base_slice ours = base_slice_of(ENGINE_HEADER_PREFIX);
    for (size_t i = 0; !list.failed && i < record->header_count; i++) {
        if (!base_slice_starts_with(record->headers[i].name, ours)) {
            list.items[list.count++] = record->headers[i];
        }
    }
    return list;
}

static void header_add(header_list *list, const char *name, base_slice value)
{
    if (!list->failed) {
        list->items[list->count++] = (schema_header){base_slice_of(name), value};
    }
}

static void header_add_number(header_list *list, const char *name, int64_t number)
{
    const base_slice text = base_arena_print(list->arena, "%" PRId64, number);
    list->failed = list->failed || text.data == NULL;
    header_add(list, name, text);
}

static void origin_add(header_list *list, const schema_record *record)
{
    header_add(list, ENGINE_HEADER_TOPIC, record->topic);
    header_add_number(list, ENGINE_HEADER_PARTITION, record->partition);
    header_add_number(list, ENGINE_HEADER_OFFSET, record->offset);
    header_add_number(list, ENGINE_HEADER_TIME, record->time_ms);
}

static bool header_number(const schema_record *record, const char *name, int64_t *out)
{
    base_value number;
    const base_slice text = engine_wire_header(record, name);
    if (text.data == NULL || base_failed(base_number_parse(text, &number)) ||
        number.kind != BASE_INTEGER) {
        return false;
    }
    *out = number.integer;
    return true;
}

/* ---- forwards ---- */

base_status engine_wire_forward(const schema_record *record, base_slice saga, base_slice key,
                                base_slice inbox, base_arena *arena, schema_record *record_out)
{
    header_list list = headers_begin(record, arena);
    header_add(&list, ENGINE_HEADER_SAGA, saga);
    origin_add(&list, record);
    if (record->key.data != NULL) {
        header_add(&list, ENGINE_HEADER_KEY, record->key);
    }
    const base_slice attempt = engine_wire_header(record, ENGINE_HEADER_ATTEMPT);
    if (attempt.data != NULL) {
        header_add(&list, ENGINE_HEADER_ATTEMPT, attempt);
    }
    if (list.failed) {
        return no_memory();
    }
    *record_out = (schema_record){.topic = inbox,
                                  .partition = SCHEMA_PARTITION_BY_KEY,
                                  .key = key,
                                  .value = record->value,
                                  .headers = list.items,
                                  .header_count = list.count};
    return base_ok();
}

base_status engine_wire_origin(const schema_record *record, base_arena *arena, bool *forwarded_out,
                               base_slice *saga_out, schema_record *record_out, base_error *error)
{
    const base_slice saga = engine_wire_header(record, ENGINE_HEADER_SAGA);
    const base_slice topic = engine_wire_header(record, ENGINE_HEADER_TOPIC);
    *forwarded_out = saga.data != NULL && topic.data != NULL;
    *record_out = *record;
    if (!*forwarded_out) {
        return base_ok();
    }
    int64_t partition = 0;
    int64_t offset = 0;
    int64_t time_ms = 0;
    if (!header_number(record, ENGINE_HEADER_PARTITION, &partition) || partition < 0 ||
        partition > INT32_MAX || !header_number(record, ENGINE_HEADER_OFFSET, &offset) ||
        offset < 0 || !header_number(record, ENGINE_HEADER_TIME, &time_ms)) {
        return base_error_set(error, BASE_BAD_INPUT,
                              "the headers do not say where the record came from");
    }
    header_list list = headers_begin(record, arena);
    const base_slice attempt = engine_wire_header(record, ENGINE_HEADER_ATTEMPT);
    if (attempt.data != NULL) {
        header_add(&list, ENGINE_HEADER_ATTEMPT, attempt);
    }
    if (list.failed) {
        return no_memory();
    }
    *saga_out = saga;
    *record_out = (schema_record){.topic = topic,
                                  .partition = (int32_t)partition,
                                  .offset = offset,
                                  .time_ms = time_ms,
                                  .key = engine_wire_header(record, ENGINE_HEADER_KEY),
                                  .value = record->value,
                                  .headers = list.items,
                                  .header_count = list.count};
    return base_ok();
}

/* ---- dead letters ---- */

base_status engine_wire_dead_letter(const engine_letter *letter, base_slice topic,
                                    base_arena *arena, schema_record *record_out)
{
    const schema_record *record = letter->record;
    header_list list = headers_begin(record, arena);
    header_add(&list, ENGINE_HEADER_REASON, base_slice_of(letter->reason));
    if (letter->error.size > 0) {
        const size_t size =
            letter->error.size < ERROR_TEXT_MAX ? letter->error.size : ERROR_TEXT_MAX;
        header_add(&list, ENGINE_HEADER_ERROR,
                   base_arena_copy(arena, base_slice_make(letter->error.data, size)));
    }
    if (letter->saga.size > 0) {
        header_add(&list, ENGINE_HEADER_SAGA, letter->saga);
    }
    origin_add(&list, record);
    int64_t attempt = 0;
    if (!header_number(record, ENGINE_HEADER_ATTEMPT, &attempt) || attempt < 0 ||
        attempt > INT32_MAX) {
        attempt = 0;
    }
    header_add_number(&list, ENGINE_HEADER_ATTEMPT, attempt + 1);
    if (list.failed) {
        return no_memory();
    }
    *record_out =
        (schema_record){.topic = topic,
                        .partition = SCHEMA_PARTITION_BY_KEY,
                        .key = record->key,
                        .value = letter->without_value ? (base_slice){NULL, 0} : record->value,
                        .headers = list.items,
                        .header_count = list.count};
    return base_ok();
}
