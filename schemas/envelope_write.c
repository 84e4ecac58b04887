/* Events in binary mode: see envelope.h. */
#include "base/time.h"
#include "schemas/envelope.h"
#include "schemas/media.h"

#define HEADER_MAX 24 /* besides the other extensions: one each of put_all */

static base_status no_memory(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for an event");
}

typedef struct header_writer {
    base_arena *arena;
    schema_header *headers;
    size_t count;
    bool no_memory;
} header_writer;

static void put(header_writer *writer, const char *name, base_slice value)
{
    if (value.size > 0) {
        writer->headers[writer->count++] = (schema_header){base_slice_of(name), value};
    }
}

static void put_time(header_writer *writer, const char *name, int64_t ms)
{
    char text[BASE_TIME_SIZE];
    base_time_format(ms, text);
    const base_slice kept = base_arena_copy(writer->arena, base_slice_of(text));
    writer->no_memory = writer->no_memory || kept.data == NULL;
    put(writer, name, kept);
}

static void put_others(header_writer *writer, const saga_event *event)
{
    for (size_t i = 0; i < event->other_count; i++) {
        const base_slice name = base_arena_print(writer->arena, SCHEMA_CE_PREFIX "%.*s",
                                                 BASE_SLICE_ARG(event->others[i].name));
        writer->no_memory = writer->no_memory || name.data == NULL;
        writer->headers[writer->count++] = (schema_header){name, event->others[i].value};
    }
}

/* The order is fixed: the same event is the same bytes. */
static void put_all(header_writer *writer, const saga_event *event, base_slice content_type)
{
    put(writer, SCHEMA_CE_PREFIX "specversion", base_slice_of("1.0"));
    put(writer, SCHEMA_CE_PREFIX "id", event->id);
    put(writer, SCHEMA_CE_PREFIX "source", event->source);
    put(writer, SCHEMA_CE_PREFIX "type", event->type);
    put(writer, SCHEMA_CE_PREFIX "subject", event->subject);
    put_time(writer, SCHEMA_CE_PREFIX "time", event->time_ms);
    put(writer, SCHEMA_CE_PREFIX "dataschema", event->data_schema);
    put(writer, "content-type", content_type);
    put(writer, SCHEMA_CE_PREFIX "correlationid", event->correlation_id);
    put(writer, SCHEMA_CE_PREFIX "causationid", event->causation_id);
    put(writer, SCHEMA_CE_PREFIX "sagastep", event->saga_step);
    put(writer, SCHEMA_CE_PREFIX "sagakey", event->saga_key);
    if (event->saga_try > 0) {
        const base_slice text = base_arena_print(writer->arena, "%d", (int)event->saga_try);
        writer->no_memory = writer->no_memory || text.data == NULL;
        put(writer, SCHEMA_CE_PREFIX "sagatry", text);
    }
    put(writer, SCHEMA_CE_PREFIX "sagaundoes", event->saga_undoes);
    if (event->expiry_ms != 0) {
        put_time(writer, SCHEMA_CE_PREFIX "expirytime", event->expiry_ms);
    }
    put(writer, SCHEMA_CE_PREFIX "partitionkey", event->partition_key);
    put(writer, SCHEMA_CE_PREFIX "traceparent", event->trace_parent);
    put(writer, SCHEMA_CE_PREFIX "tracestate", event->trace_state);
    put_others(writer, event);
    put(writer, "traceparent", event->trace_parent);
    put(writer, "tracestate", event->trace_state);
}

/* The payload. JSON whenever the content type says so; else the data's own bytes. */
static base_status value_write(const saga_event *event, base_slice content_type, base_arena *arena,
                               base_slice *value_out, base_error *error)
{
    if (schema_media_form(content_type) == SCHEMA_MEDIA_JSON) {
        const base_status status = base_value_json(&event->data, false, arena, value_out);
        return base_failed(status)
                   ? base_error_set(error, status.code,
                                    "the data of the event cannot be written as JSON")
                   : status;
    }
    if (event->data.kind == BASE_STRING || event->data.kind == BASE_BYTES) {
        const base_slice bytes = base_value_slice(&event->data);
        *value_out = base_slice_make(bytes.data == NULL ? "" : bytes.data, bytes.size);
        return base_ok();
    }
    if (event->data.kind == BASE_NULL) {
        *value_out = base_slice_make("", 0);
        return base_ok();
    }
    const int shown = content_type.size > 60 ? 60 : (int)content_type.size;
    return base_error_set(error, BASE_BAD_INPUT,
                          "data of content type %.*s must be a string or bytes, not %s", shown,
                          content_type.data, base_kind_name((base_kind)event->data.kind));
}

base_status schema_envelope_write(const saga_event *event, base_arena *arena,
                                  schema_record *record_inout, base_error *error)
{
    if (event->id.size == 0 || event->source.size == 0 || event->type.size == 0) {
        return base_error_set(error, BASE_BAD_INPUT, "an event needs id, source and type");
    }
    const bool is_bytes = event->data.kind == BASE_BYTES;
    const base_slice content_type =
        event->content_type.size > 0
            ? event->content_type
            : base_slice_of(is_bytes ? "application/octet-stream" : "application/json");
    if (schema_starts_but_case(schema_media_type(content_type), SCHEMA_CE_STRUCTURED)) {
        return base_error_set(error, BASE_BAD_INPUT,
                              "an event's data cannot be a CloudEvent in binary mode: a reader "
                              "would take the content type for structured mode");
    }
    header_writer writer = {.arena = arena};
    writer.headers = BASE_ARENA_ARRAY(arena, schema_header, HEADER_MAX + event->other_count);
    if (writer.headers == NULL) {
        return no_memory(error);
    }
    base_slice value = {0};
    BASE_TRY(value_write(event, content_type, arena, &value, error));
    put_all(&writer, event, content_type);
    if (writer.no_memory) {
        return no_memory(error);
    }
    record_inout->headers = writer.headers;
    record_inout->header_count = writer.count;
    record_inout->value = value;
    record_inout->time_ms = event->time_ms;
    if (event->partition_key.size > 0) {
        record_inout->key = event->partition_key;
    }
    return base_ok();
}
