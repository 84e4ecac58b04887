/*
 * A message of the caller's becomes a record; what an answer takes over from its ask; tokens.
 *
 * A token is the origin as one line of JSON, so that it survives a restart in any store:
 *
 *   {"ask":true,"id":"9f..","key":"o1","correlationid":"orders/1/o1","sagastep":"authorise",
 *    "sagakey":"orders/1/o1/authorise","sagatry":1,"traceparent":"00-..","tracestate":""}
 */
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/hash.h"
#include "base/time.h"
#include "client/client.h"
#include "schemas/envelope.h"
#include "schemas/json.h"

#define ATTRIBUTE_NAME_SIZE_MAX 64

void client_random_text(char *text_out)
{
    uint8_t bytes[16] = {0};
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        /* Only when interrupted before the pool was ready: time and place will do for a name. */
        struct timespec now = {0, 0};
        (void)clock_gettime(CLOCK_REALTIME, &now);
        memcpy(bytes, &now.tv_nsec, sizeof(now.tv_nsec));
        const uintptr_t place = (uintptr_t)&now;
        memcpy(bytes + 8, &place, sizeof(place));
    }
    base_hex(bytes, sizeof(bytes), text_out);
}

base_slice client_type_full(const troupe *handle, const char *type, base_arena *arena)
{
    const base_slice given = base_slice_of(type);
    if (base_slice_starts_with(given, handle->type_prefix)) {
        return base_arena_copy(arena, given);
    }
    return base_arena_print(arena, "%.*s%s", BASE_SLICE_ARG(handle->type_prefix), type);
}

/* ---- attributes ---- */

static base_status time_read(base_slice value, int64_t *out, base_error *error)
{
    if (base_failed(base_time_parse(value, out))) {
        return base_error_set(error, BASE_BAD_INPUT, "expirytime \"%.*s\" is no RFC 3339 time",
                              BASE_SLICE_ARG(value));
    }
    return base_ok();
}

static base_status try_read(base_slice value, int32_t *out, base_error *error)
{
    base_value number;
    if (base_failed(base_number_parse(value, &number)) || number.kind != BASE_INTEGER ||
        number.integer < 1 || number.integer > INT32_MAX) {
        return base_error_set(error, BASE_BAD_INPUT, "sagatry \"%.*s\" is no number from 1",
                              BASE_SLICE_ARG(value));
    }
    *out = (int32_t)number.integer;
    return base_ok();
}

/* The extensions that have a field of their own; NULL: it has none. */
static base_slice *field_of(saga_event *event, base_slice name)
{
    const struct {
        const char *name;
        base_slice *field;
    } fields[] = {
        {"correlationid", &event->correlation_id}, {"causationid", &event->causation_id},
        {"sagastep", &event->saga_step},           {"sagakey", &event->saga_key},
        {"sagaundoes", &event->saga_undoes},       {"partitionkey", &event->partition_key},
        {"traceparent", &event->trace_parent},     {"tracestate", &event->trace_state},
        {"dataschema", &event->data_schema},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (base_slice_is(name, fields[i].name)) {
            return fields[i].field;
        }
    }
    return NULL;
}

static base_status name_check(base_slice name, base_error *error)
{
    bool fine = name.size > 0 && name.size <= ATTRIBUTE_NAME_SIZE_MAX;
    for (size_t i = 0; fine && i < name.size; i++) {
        const char c = name.data[i];
        fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    }
    static const char *const taken[] = {"specversion", "id",   "source",         "type",
                                        "subject",     "time", "datacontenttype"};
    for (size_t i = 0; fine && i < sizeof(taken) / sizeof(taken[0]); i++) {
        fine = !base_slice_is(name, taken[i]);
    }
    if (!fine) {
        const base_status status = base_error_set(
            error, BASE_BAD_INPUT, "\"%.*s\" is no name for an extension", BASE_SLICE_ARG(name));
        base_error_hint(error, "lower-case letters and digits, and no attribute of the core");
        return status;
    }
    return base_ok();
}

static base_status attributes_read(const troupe_message *message, base_arena *arena,
                                   saga_event *event, base_error *error)
{
    if (message->attribute_count > SCHEMA_ATTRIBUTE_MAX) {
        return base_error_set(error, BASE_TOO_LARGE, "%zu attributes, at most %d fit",
                              message->attribute_count, SCHEMA_ATTRIBUTE_MAX);
    }
    saga_attribute *others = BASE_ARENA_ARRAY(arena, saga_attribute, message->attribute_count);
    if (others == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the attributes");
    }
    event->others = others;
    for (size_t i = 0; i < message->attribute_count; i++) {
        const base_slice name = base_slice_of(message->attributes[i].name);
        const base_slice value = base_slice_of(message->attributes[i].value);
        BASE_TRY(name_check(name, error));
        base_slice *field = field_of(event, name);
        if (field != NULL) {
            *field = value;
        } else if (base_slice_is(name, "sagatry")) {
            BASE_TRY(try_read(value, &event->saga_try, error));
        } else if (base_slice_is(name, "expirytime")) {
            BASE_TRY(time_read(value, &event->expiry_ms, error));
        } else {
            others[event->other_count++] = (saga_attribute){name, value};
        }
    }
    return base_ok();
}

/* ---- messages ---- */

/* The same answer to the same event always has the same id. */
static base_slice answer_id(const troupe *handle, base_slice event_id, size_t place,
                            base_slice type, base_arena *arena)
{
    base_sha256 hash;
    uint8_t digest[32];
    char text[65];
    const uint64_t number = place;
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
    base_sha256_init(&hash);
    base_sha256_field(&hash, handle->service);
    base_sha256_field(&hash, event_id);
    base_sha256_field(&hash, base_slice_make(bytes, sizeof(bytes)));
    base_sha256_field(&hash, type);
    base_sha256_final(&hash, digest);
    base_hex(digest, 16, text);
    return base_arena_copy(arena, base_slice_of(text));
}

static void origin_apply(saga_event *event, const client_origin *origin)
{
    event->causation_id = origin->id;
    event->correlation_id = origin->correlation_id;
    event->trace_parent = origin->trace_parent;
    event->trace_state = origin->trace_state;
    event->partition_key = origin->key;
    if (origin->ask) {
        event->saga_step = origin->saga_step;
        event->saga_key = origin->saga_key;
        event->saga_try = origin->saga_try;
    }
}

static base_status data_read(const troupe_message *message, base_arena *arena, saga_event *event,
                             base_error *error)
{
    event->data = base_value_null();
    if (message->data == NULL) {
        return base_ok();
    }
    event->content_type = base_slice_of("application/json");
    const base_status status =
        schema_json_read(base_slice_of(message->data), NULL, arena, &event->data, error);
    if (base_failed(status)) {
        base_error_context(error, "data of \"%s\"", message->type);
    }
    return status;
}

size_t client_record_size(const schema_record *record)
{
    size_t size = record->header_count * sizeof(schema_header) + record->topic.size +
                  record->key.size + record->value.size;
    for (size_t i = 0; i < record->header_count; i++) {
        size += record->headers[i].name.size + record->headers[i].value.size;
    }
    return size + 1;
}

static base_slice slice_place(base_slice slice, char **at)
{
    if (slice.data == NULL) {
        return slice;
    }
    char *start = *at;
    if (slice.size > 0) {
        memcpy(start, slice.data, slice.size);
    }
    *at += slice.size;
    return base_slice_make(start, slice.size);
}

void client_record_place(const schema_record *record, void *block, schema_record *copy_out)
{
    schema_header *headers = block;
    char *at = (char *)block + record->header_count * sizeof(schema_header);
    schema_record copy = *record;
    copy.topic = slice_place(record->topic, &at);
    copy.key = slice_place(record->key, &at);
    copy.value = slice_place(record->value, &at);
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i].name = slice_place(record->headers[i].name, &at);
        headers[i].value = slice_place(record->headers[i].value, &at);
    }
    copy.headers = headers;
    *copy_out = copy;
}

base_status client_record_copy(const schema_record *record, base_arena *arena,
                               schema_record *copy_out)
{
    void *block = base_arena_alloc(arena, client_record_size(record));
    if (block == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    client_record_place(record, block, copy_out);
    return base_ok();
}

/* id, source, type and the other attributes that every event has. */
static base_status identity_fill(troupe *handle, const troupe_message *message,
                                 const client_origin *origin, size_t place, base_arena *arena,
                                 saga_event *event, base_error *error)
{
    if (message->type == NULL || message->type[0] == '\0') {
        return base_error_set(error, BASE_BAD_INPUT, "the message has no type");
    }
    event->type = client_type_full(handle, message->type, arena);
    event->source = message->source != NULL ? base_slice_of(message->source) : handle->service;
    event->subject = base_slice_of(message->subject);
    event->time_ms = message->time_ms != 0 ? message->time_ms : client_wall_ms();
    if (message->id != NULL) {
        event->id = base_slice_of(message->id);
    } else if (origin != NULL && origin->id.size > 0) {
        event->id = answer_id(handle, origin->id, place, event->type, arena);
    } else {
        char text[33];
        client_random_text(text);
        event->id = base_arena_copy(arena, base_slice_of(text));
    }
    if (event->type.data == NULL || event->id.data == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the message");
    }
    return base_ok();
}

base_status client_message_write(troupe *handle, const troupe_message *message,
                                 const client_origin *origin, size_t place, base_arena *arena,
                                 schema_record *record_out, base_error *error)
{
    saga_event event = {0};
    BASE_TRY(identity_fill(handle, message, origin, place, arena, &event, error));
    client_origin answered = {0};
    if (message->answers != NULL) {
        BASE_TRY(client_token_read(message->answers, arena, &answered, error));
        origin_apply(&event, &answered);
    } else if (origin != NULL) {
        origin_apply(&event, origin);
    }
    if (message->key != NULL) {
        event.partition_key = base_slice_of(message->key);
    }
    BASE_TRY(attributes_read(message, arena, &event, error));
    BASE_TRY(data_read(message, arena, &event, error));
    schema_record record = {
        .topic = message->topic != NULL ? base_slice_of(message->topic) : handle->events_topic,
        .partition = SCHEMA_PARTITION_BY_KEY,
        .offset = -1,
    };
    BASE_TRY(schema_envelope_write(&event, arena, &record, error));
    record.time_ms = 0; /* the log's clock; the event's time is an attribute of its own */
    if (base_failed(client_record_copy(&record, arena, record_out))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the message");
    }
    return base_ok();
}

/* ---- tokens ---- */

base_status client_token_write(const client_origin *origin, base_arena *arena,
                               base_slice *token_out)
{
    const struct {
        const char *name;
        base_value value;
    } members[] = {
        {"ask", base_value_bool(origin->ask)},
        {"id", base_value_string(origin->id)},
        {"key", base_value_string(origin->key)},
        {"correlationid", base_value_string(origin->correlation_id)},
        {"sagastep", base_value_string(origin->saga_step)},
        {"sagakey", base_value_string(origin->saga_key)},
        {"sagatry", base_value_integer(origin->saga_try)},
        {"traceparent", base_value_string(origin->trace_parent)},
        {"tracestate", base_value_string(origin->trace_state)},
    };
    base_map_builder builder;
    base_map_begin(&builder, arena);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        BASE_TRY(base_map_put_text(&builder, members[i].name, &members[i].value));
    }
    const base_value map = base_map_end(&builder);
    base_slice json = {NULL, 0};
    BASE_TRY(base_value_json(&map, false, arena, &json));
    json = base_arena_copy(arena, json);
    if (json.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    *token_out = json;
    return base_ok();
}

base_status client_token_read(const char *token, base_arena *arena, client_origin *origin_out,
                              base_error *error)
{
    base_value map;
    base_error cause = {0};
    const base_status status = schema_json_read(base_slice_of(token), NULL, arena, &map, &cause);
    const base_value *ask = !base_failed(status) ? base_map_get_text(&map, "ask") : NULL;
    const base_value *id = ask != NULL ? base_map_get_text(&map, "id") : NULL;
    const base_value *number = id != NULL ? base_map_get_text(&map, "sagatry") : NULL;
    if (number == NULL || ask->kind != BASE_BOOL || number->kind != BASE_INTEGER) {
        return base_error_set(error, BASE_BAD_INPUT, "\"%.60s\" is no token of an ask", token);
    }
    const struct {
        const char *name;
        base_slice *field;
    } fields[] = {
        {"id", &origin_out->id},
        {"key", &origin_out->key},
        {"correlationid", &origin_out->correlation_id},
        {"sagastep", &origin_out->saga_step},
        {"sagakey", &origin_out->saga_key},
        {"traceparent", &origin_out->trace_parent},
        {"tracestate", &origin_out->trace_state},
    };
    *origin_out = (client_origin){.ask = ask->truth, .saga_try = (int32_t)number->integer};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const base_value *value = base_map_get_text(&map, fields[i].name);
        *fields[i].field = value != NULL && value->kind == BASE_STRING ? base_value_slice(value)
                                                                       : (base_slice){NULL, 0};
    }
    return base_ok();
}

/* ---- dead letters: in the form that the engine's have ---- */

static const base_slice own_prefix = BASE_SLICE_LITERAL("troupe-");

base_status client_dead_letter(const troupe *handle, const schema_record *record,
                               const char *reason, const char *text, int32_t attempts,
                               bool with_value, base_arena *arena, schema_record *record_out)
{
    const struct {
        const char *name;
        base_slice value;
    } added[] = {
        {"troupe-reason", base_slice_of(reason)},
        {"troupe-error", base_slice_of(text)},
        {"troupe-service", handle->service},
        {"troupe-topic", record->topic},
        {"troupe-partition", base_arena_print(arena, "%d", (int)record->partition)},
        {"troupe-offset", base_arena_print(arena, "%lld", (long long)record->offset)},
        {"troupe-time", base_arena_print(arena, "%lld", (long long)record->time_ms)},
        {"troupe-attempt", base_arena_print(arena, "%d", (int)attempts)},
    };
    const size_t added_count = sizeof(added) / sizeof(added[0]);
    schema_header *headers =
        BASE_ARENA_ARRAY(arena, schema_header, record->header_count + added_count);
    size_t count = 0;
    for (size_t i = 0; headers != NULL && with_value && i < record->header_count; i++) {
        if (!base_slice_starts_with(record->headers[i].name, own_prefix)) {
            headers[count++] = record->headers[i];
        }
    }
    for (size_t i = 0; headers != NULL && i < added_count; i++) {
        headers[count++] = (schema_header){base_slice_of(added[i].name), added[i].value};
        if (added[i].value.data == NULL) {
            headers = NULL;
        }
    }
    if (headers == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    *record_out = (schema_record){
        .topic = handle->dead_topic,
        .partition = SCHEMA_PARTITION_BY_KEY,
        .offset = -1,
        .key = record->key,
        .value = with_value ? record->value : (base_slice){NULL, 0},
        .headers = headers,
        .header_count = count,
    };
    return base_ok();
}
