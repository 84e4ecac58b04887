/*
 * Both modes end in one place: attributes as name and text. Binary mode has them in headers,
 * structured mode in the members of a JSON object; attribute_put sorts them into the slots of the
 * table below, or among the others, and event_make checks and converts what is in the slots.
 */
#include "schemas/envelope.h"

#include <stdio.h>

#include "schemas/json.h"
#include "schemas/time.h"

#define PREFIX "ce_"
#define STRUCTURED "application/cloudevents"

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

/* What a content type says of the data. */
typedef enum data_form { DATA_JSON, DATA_TEXT, DATA_BYTES } data_form;

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

/* ---- content types ---- */

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static bool same_but_case(base_slice a, base_slice b)
{
    for (size_t i = 0; a.size == b.size && i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return a.size == b.size;
}

static bool starts(base_slice text, const char *prefix)
{
    const base_slice wanted = base_slice_of(prefix);
    return text.size >= wanted.size &&
           same_but_case(base_slice_make(text.data, wanted.size), wanted);
}

static bool ends(base_slice text, const char *suffix)
{
    const base_slice wanted = base_slice_of(suffix);
    return text.size >= wanted.size &&
           same_but_case(base_slice_make(text.data + text.size - wanted.size, wanted.size), wanted);
}

/* "application/json; charset=utf-8" -> "application/json" */
static base_slice media_type(base_slice content_type)
{
    size_t start = 0;
    size_t end = 0;
    while (end < content_type.size && content_type.data[end] != ';') {
        end++;
    }
    while (start < end && (content_type.data[start] == ' ' || content_type.data[start] == '\t')) {
        start++;
    }
    while (end > start &&
           (content_type.data[end - 1] == ' ' || content_type.data[end - 1] == '\t')) {
        end--;
    }
    return base_slice_make(content_type.data == NULL ? "" : content_type.data + start, end - start);
}

static data_form form_of(base_slice content_type)
{
    const base_slice media = media_type(content_type);
    if (media.size == 0 || same_but_case(media, base_slice_of("application/json")) ||
        same_but_case(media, base_slice_of("text/json")) || ends(media, "+json")) {
        return DATA_JSON;
    }
    if (starts(media, "text/") || same_but_case(media, base_slice_of("application/xml")) ||
        ends(media, "+xml")) {
        return DATA_TEXT;
    }
    return DATA_BYTES;
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
    if (text.size == 0 || !base_failed(schema_time_parse(text, ms_out))) {
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
    const data_form form = form_of(content_type);
    if (bytes.data == NULL || (bytes.size == 0 && form == DATA_JSON)) {
        *data_out = base_value_null();
        return base_ok();
    }
    if (form == DATA_JSON) {
        return json_data(reader, bytes, data_out);
    }
    *data_out = form == DATA_TEXT && base_utf8_valid(bytes) ? base_value_string(bytes)
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
        is_lower = is_lower && lower(name.data[i]) == name.data[i];
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
        copy[i] = lower(name.data[i]);
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
    if (starts(header->name, PREFIX)) {
        return header_attribute(reader, header);
    }
    if (same_but_case(header->name, base_slice_of("content-type"))) {
        if (!base_utf8_valid(header->value)) {
            return base_error_set(reader->error, BASE_BAD_INPUT,
                                  "header \"content-type\" is not UTF-8");
        }
        return header->value.data == NULL
                   ? base_ok()
                   : attribute_put(reader, base_slice_of("datacontenttype"), header->value);
    }
    const bool utf8 = base_utf8_valid(header->value);
    if (utf8 && same_but_case(header->name, base_slice_of("traceparent"))) {
        reader->hop_parent = header->value;
    } else if (utf8 && same_but_case(header->name, base_slice_of("tracestate"))) {
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
        if (form_of(event->content_type) != DATA_JSON && event->data.kind != BASE_STRING &&
            event->data.kind != BASE_NULL) {
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
        if (!starts(header->name, PREFIX) &&
            !same_but_case(header->name, base_slice_of("content-type"))) {
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

static base_slice header_text(const schema_record *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++) {
        if (same_but_case(record->headers[i].name, base_slice_of(name))) {
            return record->headers[i].value;
        }
    }
    return base_slice_make(NULL, 0);
}

/* One of the attributes that every CloudEvent has. */
static bool claims_binary(const schema_record *record)
{
    return header_text(record, PREFIX "specversion").data != NULL ||
           header_text(record, PREFIX "id").data != NULL ||
           header_text(record, PREFIX "source").data != NULL ||
           header_text(record, PREFIX "type").data != NULL;
}

base_status schema_envelope_read(const schema_record *record, base_arena *arena,
                                 saga_event *event_out, base_error *error)
{
    envelope_reader reader = {.record = record, .arena = arena, .error = error};
    const base_slice media = media_type(header_text(record, "content-type"));
    saga_event event = {0};
    if (starts(media, STRUCTURED)) {
        if (!same_but_case(media, base_slice_of(STRUCTURED "+json")) &&
            !same_but_case(media, base_slice_of(STRUCTURED))) {
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

/* ---- writing ---- */

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
    char text[SCHEMA_TIME_SIZE];
    schema_time_format(ms, text);
    const base_slice kept = base_arena_copy(writer->arena, base_slice_of(text));
    writer->no_memory = writer->no_memory || kept.data == NULL;
    put(writer, name, kept);
}

static void put_others(header_writer *writer, const saga_event *event)
{
    for (size_t i = 0; i < event->other_count; i++) {
        const base_slice name =
            base_arena_print(writer->arena, PREFIX "%.*s", BASE_SLICE_ARG(event->others[i].name));
        writer->no_memory = writer->no_memory || name.data == NULL;
        writer->headers[writer->count++] = (schema_header){name, event->others[i].value};
    }
}

/* The order is fixed: the same event is the same bytes. */
static void put_all(header_writer *writer, const saga_event *event, base_slice content_type)
{
    put(writer, PREFIX "specversion", base_slice_of("1.0"));
    put(writer, PREFIX "id", event->id);
    put(writer, PREFIX "source", event->source);
    put(writer, PREFIX "type", event->type);
    put(writer, PREFIX "subject", event->subject);
    put_time(writer, PREFIX "time", event->time_ms);
    put(writer, PREFIX "dataschema", event->data_schema);
    put(writer, "content-type", content_type);
    put(writer, PREFIX "correlationid", event->correlation_id);
    put(writer, PREFIX "causationid", event->causation_id);
    put(writer, PREFIX "sagastep", event->saga_step);
    put(writer, PREFIX "sagakey", event->saga_key);
    if (event->saga_try > 0) {
        const base_slice text = base_arena_print(writer->arena, "%d", (int)event->saga_try);
        writer->no_memory = writer->no_memory || text.data == NULL;
        put(writer, PREFIX "sagatry", text);
    }
    put(writer, PREFIX "sagaundoes", event->saga_undoes);
    if (event->expiry_ms != 0) {
        put_time(writer, PREFIX "expirytime", event->expiry_ms);
    }
    put(writer, PREFIX "partitionkey", event->partition_key);
    put(writer, PREFIX "traceparent", event->trace_parent);
    put(writer, PREFIX "tracestate", event->trace_state);
    put_others(writer, event);
    put(writer, "traceparent", event->trace_parent);
    put(writer, "tracestate", event->trace_state);
}

/* The payload. JSON whenever the content type says so; else the data's own bytes. */
static base_status value_write(const saga_event *event, base_slice content_type, base_arena *arena,
                               base_slice *value_out, base_error *error)
{
    if (form_of(content_type) == DATA_JSON) {
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
    if (starts(media_type(content_type), STRUCTURED)) {
        return base_error_set(error, BASE_BAD_INPUT,
                              "an event's data cannot be a CloudEvent in binary mode: a reader "
                              "would take the content type for structured mode");
    }
    header_writer writer = {.arena = arena};
    writer.headers =
        BASE_ARENA_ARRAY(arena, schema_header, ATTRIBUTE_COUNT + 2 + event->other_count);
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

/* ---- plain records ---- */

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
    if (form_of(header_text(record, "content-type")) != DATA_JSON || bytes.size == 0) {
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
