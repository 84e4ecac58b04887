/*
 * Both modes end in one place: attributes as name and text. Binary mode has them in headers,
 * structured mode in the members of a JSON object; attribute_put sorts them into the slots of the
 * table below, or among the others, and event_make checks and converts what is in the slots.
 */
#include "schemas/envelope.h"

#include <stdio.h>

#include "base/time.h"
#include "schemas/json.h"
#include "schemas/media.h"

#define PREFIX SCHEMA_CE_PREFIX
#define STRUCTURED SCHEMA_CE_STRUCTURED

typedef enum attribute_slot {
    ATTRIBUTE_SPECVERSION,
    ATTRIBUTE_ID,
    ATTRIBUTE_SOURCE,
    ATTRIBUTE_TYPE,
    ATTRIBUTE_SUBJECT,
    ATTRIBUTE_TIME,
    ATTRIBUTE_DATASCHEMA,
    ATTRIBUTE_DATACONTENTTYPE,
    ATTRIBUTE_CORRELATIONID,
    ATTRIBUTE_CAUSATIONID,
    ATTRIBUTE_SAGASTEP,
    ATTRIBUTE_SAGAKEY,
    ATTRIBUTE_SAGATRY,
    ATTRIBUTE_SAGAUNDOES,
    ATTRIBUTE_EXPIRYTIME,
    ATTRIBUTE_PARTITIONKEY,
    ATTRIBUTE_TRACEPARENT,
    ATTRIBUTE_TRACESTATE,
    ATTRIBUTE_COUNT
} attribute_slot;

static const char *const attribute_names[ATTRIBUTE_COUNT] = {
    [ATTRIBUTE_SPECVERSION] = "specversion",
    [ATTRIBUTE_ID] = "id",
    [ATTRIBUTE_SOURCE] = "source",
    [ATTRIBUTE_TYPE] = "type",
    [ATTRIBUTE_SUBJECT] = "subject",
    [ATTRIBUTE_TIME] = "time",
    [ATTRIBUTE_DATASCHEMA] = "dataschema",
    [ATTRIBUTE_DATACONTENTTYPE] = "datacontenttype",
    [ATTRIBUTE_CORRELATIONID] = "correlationid",
    [ATTRIBUTE_CAUSATIONID] = "causationid",
    [ATTRIBUTE_SAGASTEP] = "sagastep",
    [ATTRIBUTE_SAGAKEY] = "sagakey",
    [ATTRIBUTE_SAGATRY] = "sagatry",
    [ATTRIBUTE_SAGAUNDOES] = "sagaundoes",
    [ATTRIBUTE_EXPIRYTIME] = "expirytime",
    [ATTRIBUTE_PARTITIONKEY] = "partitionkey",
    [ATTRIBUTE_TRACEPARENT] = "traceparent",
    [ATTRIBUTE_TRACESTATE] = "tracestate",
};

typedef struct envelope_reader {
    const schema_record *record;
    base_arena *arena;
    base_error *error;
    base_slice texts[ATTRIBUTE_COUNT]; /* data NULL: absent */
    base_slice hop_parent;             /* plain headers */
    base_slice hop_state;
    saga_attribute *others;
    size_t other_count;
} envelope_reader;

static base_status no_memory(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for an event");
}

/* ---- attributes ---- */

static int32_t slot_of(base_slice name)
{
    for (int32_t slot = 0; slot < ATTRIBUTE_COUNT; slot++) {
        if (base_slice_is(name, attribute_names[slot])) {
            return slot;
        }
    }
    return -1;
}

static base_status twice(envelope_reader *reader, base_slice name)
{
    return base_error_set(reader->error, BASE_BAD_INPUT,
                          "attribute \"%.*s\" stands twice, with different values",
                          BASE_SLICE_ARG(name));
}

/* Takes an attribute. The array of others has room for one a header or member. */
static base_status attribute_put(envelope_reader *reader, base_slice name, base_slice text)
{
    const int32_t slot = slot_of(name);
    if (slot >= 0) {
        base_slice *known = &reader->texts[slot];
        if (known->data != NULL && !base_slice_equal(*known, text)) {
            return twice(reader, name);
        }
        *known = text.data == NULL ? base_slice_of("") : text;
        return base_ok();
    }
    for (size_t i = 0; i < reader->other_count; i++) {
        if (base_slice_equal(reader->others[i].name, name)) {
            return base_slice_equal(reader->others[i].value, text) ? base_ok()
                                                                   : twice(reader, name);
        }
    }
    if (reader->other_count == SCHEMA_ATTRIBUTE_MAX) {
        return base_error_set(reader->error, BASE_TOO_LARGE,
                              "an event with more than %d extensions", SCHEMA_ATTRIBUTE_MAX);
    }
    reader->others[reader->other_count++] = (saga_attribute){name, text};
    return base_ok();
}

static base_status time_of(envelope_reader *reader, attribute_slot slot, int64_t absent_ms,
                           int64_t *ms_out)
{
    const base_slice text = reader->texts[slot];
    *ms_out = absent_ms;
    if (text.size == 0 || !base_failed(base_time_parse(text, ms_out))) {
        return base_ok();
    }
    const int shown = text.size > 60 ? 60 : (int)text.size;
    const base_status status =
        base_error_set(reader->error, BASE_BAD_INPUT, "attribute \"%s\" is no time: \"%.*s\"",
                       attribute_names[slot], shown, text.data);
    base_error_hint(reader->error, "RFC 3339, as 2018-04-05T03:56:24Z");
    return status;
}

static base_status try_of(envelope_reader *reader, int32_t *try_out)
{
    const base_slice text = reader->texts[ATTRIBUTE_SAGATRY];
    base_value number = base_value_integer(0);
    *try_out = 0;
    if (text.size == 0) {
        return base_ok();
    }
    if (base_failed(base_number_parse(text, &number)) || number.kind != BASE_INTEGER ||
        number.integer < 1 || number.integer > INT32_MAX) {
        const int shown = text.size > 60 ? 60 : (int)text.size;
        return base_error_set(reader->error, BASE_BAD_INPUT,
                              "attribute \"sagatry\" is no try: \"%.*s\"", shown, text.data);
    }
    *try_out = (int32_t)number.integer;
    return base_ok();
}

static base_status required_check(envelope_reader *reader)
{
    static const attribute_slot required[] = {ATTRIBUTE_SPECVERSION, ATTRIBUTE_ID, ATTRIBUTE_SOURCE,
                                              ATTRIBUTE_TYPE};
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        const base_slice text = reader->texts[required[i]];
        if (text.size == 0) {
            return base_error_set(reader->error, BASE_BAD_INPUT, "the CloudEvent %s its \"%s\"",
                                  text.data == NULL ? "lacks" : "has nothing in",
                                  attribute_names[required[i]]);
        }
    }
    const base_slice version = reader->texts[ATTRIBUTE_SPECVERSION];
    if (!base_slice_is(version, "1.0")) {
        const int shown = version.size > 20 ? 20 : (int)version.size;
        return base_error_set(reader->error, BASE_UNSUPPORTED,
                              "CloudEvents version \"%.*s\"; only 1.0 is read", shown,
                              version.data);
    }
    return base_ok();
}

/* The event of the attributes; its data is the caller's. */
static base_status event_make(envelope_reader *reader, saga_event *event)
{
    const base_slice *texts = reader->texts;
    BASE_TRY(required_check(reader));
    *event = (saga_event){
        .id = texts[ATTRIBUTE_ID],
        .source = texts[ATTRIBUTE_SOURCE],
        .type = texts[ATTRIBUTE_TYPE],
        .subject = texts[ATTRIBUTE_SUBJECT],
        .data_schema = texts[ATTRIBUTE_DATASCHEMA],
        .content_type = texts[ATTRIBUTE_DATACONTENTTYPE],
        .correlation_id = texts[ATTRIBUTE_CORRELATIONID],
        .causation_id = texts[ATTRIBUTE_CAUSATIONID],
        .saga_step = texts[ATTRIBUTE_SAGASTEP],
        .saga_key = texts[ATTRIBUTE_SAGAKEY],
        .saga_undoes = texts[ATTRIBUTE_SAGAUNDOES],
        .partition_key = texts[ATTRIBUTE_PARTITIONKEY],
        .trace_parent = texts[ATTRIBUTE_TRACEPARENT],
        .trace_state = texts[ATTRIBUTE_TRACESTATE],
        .others = reader->others,
        .other_count = reader->other_count,
    };
    if (reader->hop_parent.size > 0) {
        event->trace_parent = reader->hop_parent;
        event->trace_state = reader->hop_state;
    }
    BASE_TRY(time_of(reader, ATTRIBUTE_TIME, reader->record->time_ms, &event->time_ms));
    BASE_TRY(time_of(reader, ATTRIBUTE_EXPIRYTIME, 0, &event->expiry_ms));
    return try_of(reader, &event->saga_try);
}

/* ---- data ---- */

static base_status json_data(envelope_reader *reader, base_slice bytes, base_value *data_out)
{
    const schema_json_options options = {.depth_max = SCHEMA_DATA_DEPTH_MAX};
    const base_status status =
        schema_json_read(bytes, &options, reader->arena, data_out, reader->error);
    if (base_failed(status)) {
        base_error_context(reader->error, "the data is not the JSON that its content type says");
    }
    return status;
}

/* Bytes of the content type that the event has, as a value. */
static base_status data_of_bytes(envelope_reader *reader, base_slice content_type, base_slice bytes,
                                 base_value *data_out)
{
    const schema_media form = schema_media_form(content_type);
    if (bytes.data == NULL || (bytes.size == 0 && form == SCHEMA_MEDIA_JSON)) {
        *data_out = base_value_null();
        return base_ok();
    }
    if (form == SCHEMA_MEDIA_JSON) {
        return json_data(reader, bytes, data_out);
    }
    *data_out = form == SCHEMA_MEDIA_TEXT && base_utf8_valid(bytes) ? base_value_string(bytes)
                                                                    : base_value_bytes(bytes);
    return base_ok();
}

/* ---- binary mode ---- */

/* An attribute's name as it is compared: in lower case, since headers have no case and a member in
 * capitals would come back as a header. CloudEvents allows a-z and 0-9; refused is only what could
 * not be written again. */
static base_status attribute_name(envelope_reader *reader, base_slice name, base_slice *name_out)
{
    bool is_lower = true;
    bool is_name = name.size > 0 && base_utf8_valid(name);
    for (size_t i = 0; is_name && i < name.size; i++) {
        is_lower = is_lower && schema_lower(name.data[i]) == name.data[i];
        is_name = (unsigned char)name.data[i] > ' ' && name.data[i] != '\x7F';
    }
    if (!is_name) {
        return base_error_set(
            reader->error, BASE_BAD_INPUT,
            "an attribute's name is empty or has blanks or bytes that are no text");
    }
    *name_out = name;
    if (is_lower) {
        return base_ok();
    }
    char *copy = base_arena_alloc(reader->arena, name.size);
    if (copy == NULL) {
        return no_memory(reader->error);
    }
    for (size_t i = 0; i < name.size; i++) {
        copy[i] = schema_lower(name.data[i]);
    }
    *name_out = base_slice_make(copy, name.size);
    return base_ok();
}

/* "CE_Id" -> "id" */
static base_status header_attribute(envelope_reader *reader, const schema_header *header)
{
    base_slice name =
        base_slice_make(header->name.data + strlen(PREFIX), header->name.size - strlen(PREFIX));
    BASE_TRY(attribute_name(reader, name, &name));
    if (!base_utf8_valid(header->value)) {
        const int shown = header->name.size > 60 ? 60 : (int)header->name.size;
        return base_error_set(reader->error, BASE_BAD_INPUT, "header \"%.*s\" is not UTF-8", shown,
                              header->name.data);
    }
    return header->value.data == NULL ? base_ok() : attribute_put(reader, name, header->value);
}

static base_status header_read(envelope_reader *reader, const schema_header *header)
{
    if (schema_starts_but_case(header->name, PREFIX)) {
        return header_attribute(reader, header);
    }
    if (schema_same_but_case(header->name, base_slice_of("content-type"))) {
        if (!base_utf8_valid(header->value)) {
            return base_error_set(reader->error, BASE_BAD_INPUT,
                                  "header \"content-type\" is not UTF-8");
        }
        return header->value.data == NULL
                   ? base_ok()
                   : attribute_put(reader, base_slice_of("datacontenttype"), header->value);
    }
    const bool utf8 = base_utf8_valid(header->value);
    if (utf8 && schema_same_but_case(header->name, base_slice_of("traceparent"))) {
        reader->hop_parent = header->value;
    } else if (utf8 && schema_same_but_case(header->name, base_slice_of("tracestate"))) {
        reader->hop_state = header->value;
    }
    return base_ok();
}

static base_status headers_read(envelope_reader *reader)
{
    const size_t count = reader->record->header_count;
    const size_t room = count < SCHEMA_ATTRIBUTE_MAX ? count : SCHEMA_ATTRIBUTE_MAX;
    reader->others = BASE_ARENA_ARRAY(reader->arena, saga_attribute, room);
    if (reader->others == NULL) {
        return no_memory(reader->error);
    }
    for (size_t i = 0; i < count; i++) {
        BASE_TRY(header_read(reader, &reader->record->headers[i]));
    }
    return base_ok();
}

static base_status binary_read(envelope_reader *reader, saga_event *event)
{
    BASE_TRY(headers_read(reader));
    BASE_TRY(event_make(reader, event));
    return data_of_bytes(reader, event->content_type, reader->record->value, &event->data);
}

/* ---- structured mode ---- */

static int32_t base64_digit(char digit)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit);
    return found == NULL ? -1 : (int32_t)(found - digits);
}

static base_status base64_read(envelope_reader *reader, base_slice text, base_slice *bytes_out)
{
    size_t padding = 0;
    while (padding < 2 && padding < text.size && text.data[text.size - 1 - padding] == '=') {
        padding++;
    }
    char *bytes = base_arena_alloc(reader->arena, text.size / 4 * 3 + 1);
    if (bytes == NULL) {
        return no_memory(reader->error);
    }
    bool wrong = text.size % 4 != 0;
    size_t size = 0;
    uint32_t bits = 0;
    for (size_t i = 0; !wrong && i < text.size; i++) {
        const int32_t digit =
            i >= text.size - padding && text.data[i] == '=' ? 0 : base64_digit(text.data[i]);
        wrong = digit < 0;
        bits = bits << 6 | (uint32_t)(digit & 0x3F);
        if (i % 4 == 3) {
            bytes[size++] = (char)(bits >> 16 & 0xFF);
            bytes[size++] = (char)(bits >> 8 & 0xFF);
            bytes[size++] = (char)(bits & 0xFF);
            bits = 0;
        }
    }
    if (wrong) {
        return base_error_set(reader->error, BASE_BAD_INPUT, "\"data_base64\" is no base64");
    }
    *bytes_out = base_slice_make(bytes, size - padding);
    return base_ok();
}

/* A member of the JSON object as an attribute's text: strings, integers and booleans; null is
 * absent. */
static base_status member_attribute(envelope_reader *reader, const base_member *member)
{
    base_slice text = base_value_slice(&member->value);
    if (member->value.kind == BASE_NULL) {
        return base_ok();
    }
    if (member->value.kind == BASE_BOOL) {
        text = base_slice_of(member->value.truth ? "true" : "false");
    } else if (member->value.kind == BASE_INTEGER) {
        if (base_failed(base_number_text(&member->value, reader->arena, &text))) {
            return no_memory(reader->error);
        }
    } else if (member->value.kind != BASE_STRING) {
        const int shown = member->key.size > 60 ? 60 : (int)member->key.size;
        return base_error_set(
            reader->error, BASE_BAD_INPUT,
            "attribute \"%.*s\" must be a string, an integer or a boolean, not %s", shown,
            member->key.data, base_kind_name((base_kind)member->value.kind));
    }
    base_slice name = member->key;
    BASE_TRY(attribute_name(reader, name, &name));
    return attribute_put(reader, name, text);
}

static base_status structured_data(envelope_reader *reader, const base_value *object,
                                   saga_event *event)
{
    const base_value *data = base_map_get_text(object, "data");
    const base_value *base64 = base_map_get_text(object, "data_base64");
    if (base64 == NULL || base64->kind == BASE_NULL) {
        event->data = data == NULL ? base_value_null() : *data;
        if (schema_media_form(event->content_type) != SCHEMA_MEDIA_JSON &&
            event->data.kind != BASE_STRING && event->data.kind != BASE_NULL) {
            return base_error_set(
                reader->error, BASE_BAD_INPUT,
                "data that is no JSON by its content type must be a string, not %s",
                base_kind_name((base_kind)event->data.kind));
        }
        return base_ok();
    }
    if (data != NULL || base64->kind != BASE_STRING) {
        return base_error_set(reader->error, BASE_BAD_INPUT, "%s",
                              data != NULL ? "the event has both \"data\" and \"data_base64\""
                                           : "\"data_base64\" must be a string");
    }
    base_slice bytes = {0};
    BASE_TRY(base64_read(reader, base_value_slice(base64), &bytes));
    return data_of_bytes(reader, event->content_type, bytes, &event->data);
}

static base_status structured_read(envelope_reader *reader, saga_event *event)
{
    base_value object;
    const schema_json_options options = {.depth_max = SCHEMA_DATA_DEPTH_MAX + 1};
    const base_status status =
        schema_json_read(reader->record->value, &options, reader->arena, &object, reader->error);
    if (base_failed(status)) {
        base_error_context(reader->error, "the structured CloudEvent is no JSON");
        return status;
    }
    if (object.kind != BASE_MAP) {
        return base_error_set(reader->error, BASE_BAD_INPUT,
                              "the structured CloudEvent is no JSON object but %s",
                              base_kind_name((base_kind)object.kind));
    }
    for (size_t i = 0; i < reader->record->header_count; i++) {
        const schema_header *header = &reader->record->headers[i];
        if (!schema_starts_but_case(header->name, PREFIX) &&
            !schema_same_but_case(header->name, base_slice_of("content-type"))) {
            BASE_TRY(header_read(reader, header));
        }
    }
    const size_t room = object.size < SCHEMA_ATTRIBUTE_MAX ? object.size : SCHEMA_ATTRIBUTE_MAX;
    reader->others = BASE_ARENA_ARRAY(reader->arena, saga_attribute, room);
    if (reader->others == NULL) {
        return no_memory(reader->error);
    }
    for (size_t i = 0; i < object.size; i++) {
        const base_member *member = &object.members[i];
        if (!base_slice_is(member->key, "data") && !base_slice_is(member->key, "data_base64")) {
            BASE_TRY(member_attribute(reader, member));
        }
    }
    BASE_TRY(event_make(reader, event));
    return structured_data(reader, &object, event);
}

/* ---- reading ---- */

/* One of the attributes that every CloudEvent has. */
static bool claims_binary(const schema_record *record)
{
    return schema_header_text(record, PREFIX "specversion").data != NULL ||
           schema_header_text(record, PREFIX "id").data != NULL ||
           schema_header_text(record, PREFIX "source").data != NULL ||
           schema_header_text(record, PREFIX "type").data != NULL;
}

base_status schema_envelope_read(const schema_record *record, base_arena *arena,
                                 saga_event *event_out, base_error *error)
{
    envelope_reader reader = {.record = record, .arena = arena, .error = error};
    const base_slice media = schema_media_type(schema_header_text(record, "content-type"));
    saga_event event = {0};
    if (schema_starts_but_case(media, STRUCTURED)) {
        if (!schema_same_but_case(media, base_slice_of(STRUCTURED "+json")) &&
            !schema_same_but_case(media, base_slice_of(STRUCTURED))) {
            const int shown = media.size > 80 ? 80 : (int)media.size;
            return base_error_set(error, BASE_UNSUPPORTED, "a CloudEvent as %.*s is not read",
                                  shown, media.data);
        }
        BASE_TRY(structured_read(&reader, &event));
    } else if (claims_binary(record)) {
        BASE_TRY(binary_read(&reader, &event));
    } else {
        return base_error_set(error, BASE_NOT_FOUND, "the record is no CloudEvent");
    }
    *event_out = event;
    return base_ok();
}
