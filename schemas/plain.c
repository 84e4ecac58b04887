/* Records that are no CloudEvents, as expressions see them: see envelope.h. */
#include "schemas/envelope.h"
#include "schemas/json.h"
#include "schemas/media.h"

static base_status no_memory(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for an event");
}

static base_value text_or_bytes(base_slice bytes)
{
    if (bytes.data == NULL) {
        return base_value_null();
    }
    return base_utf8_valid(bytes) ? base_value_string(bytes) : base_value_bytes(bytes);
}

static base_status plain_headers(const schema_record *record, base_arena *arena,
                                 base_value *headers_out, base_error *error)
{
    base_map_builder builder;
    base_map_begin(&builder, arena);
    for (size_t i = 0; i < record->header_count; i++) {
        if (!base_utf8_valid(record->headers[i].name)) {
            continue; /* no expression could name it */
        }
        const base_value value = text_or_bytes(record->headers[i].value);
        if (base_failed(base_map_put(&builder, record->headers[i].name, &value))) {
            return no_memory(error);
        }
    }
    *headers_out = base_map_end(&builder);
    return base_ok();
}

static base_status plain_value(const schema_record *record, base_arena *arena,
                               base_value *value_out, base_error *error)
{
    const base_slice bytes = record->value;
    if (schema_media_form(schema_header_text(record, "content-type")) != SCHEMA_MEDIA_JSON ||
        bytes.size == 0) {
        *value_out = text_or_bytes(bytes);
        return base_ok();
    }
    size_t at = 0;
    while (at < bytes.size && bytes.data[at] != '\0' && strchr(" \t\r\n", bytes.data[at]) != NULL) {
        at++;
    }
    const bool looks_json = at < bytes.size && (bytes.data[at] == '{' || bytes.data[at] == '[');
    const schema_json_options options = {.depth_max = SCHEMA_DATA_DEPTH_MAX};
    base_error ignored;
    base_error_clear(&ignored);
    const base_status status =
        schema_json_read(bytes, &options, arena, value_out, looks_json ? error : &ignored);
    if (base_failed(status) && (looks_json || status.code == BASE_OUT_OF_MEMORY)) {
        base_error_context(error, "the record's value is no JSON");
        return status;
    }
    if (base_failed(status)) {
        *value_out = text_or_bytes(bytes);
    }
    return base_ok();
}

base_status schema_plain_read(const schema_record *record, base_arena *arena,
                              saga_plain_record *plain_out, base_error *error)
{
    saga_plain_record plain = {.topic = record->topic,
                               .partition = record->partition,
                               .offset = record->offset,
                               .time_ms = record->time_ms,
                               .key = text_or_bytes(record->key)};
    BASE_TRY(plain_headers(record, arena, &plain.headers, error));
    BASE_TRY(plain_value(record, arena, &plain.value, error));
    *plain_out = plain;
    return base_ok();
}
