/* A record becomes the event that a handler sees; whose handler it is. */
#include <strings.h>

#include "client/client.h"
#include "schemas/envelope.h"
#include "schemas/json.h"

static const client_interest *interest_find(const troupe *handle, base_slice topic, base_slice type,
                                            bool ask)
{
    const client_interest *rest = NULL;
    for (size_t i = 0; i < handle->interest_count; i++) {
        const client_interest *interest = &handle->interests[i];
        if (interest->ask != ask || !base_slice_equal(interest->topic, topic)) {
            continue;
        }
        if (interest->type.size == 0) {
            rest = interest;
        } else if (base_slice_equal(interest->type, type)) {
            return interest;
        }
    }
    return rest;
}

/* A copy with a zero behind it; NULL for an absent slice (also when memory is out: *fine). */
static const char *text_of(base_arena *arena, base_slice slice, bool *fine)
{
    if (slice.size == 0) {
        return NULL;
    }
    const base_slice copy = base_arena_copy(arena, slice);
    *fine = *fine && copy.data != NULL;
    return copy.data;
}

static const char *text_or_empty(base_arena *arena, base_slice slice, bool *fine)
{
    const char *text = text_of(arena, slice, fine);
    return text != NULL ? text : "";
}

static bool is_json_type(base_slice type)
{
    static const base_slice plus = BASE_SLICE_LITERAL("+json");
    const char *end = type.size > 0 ? memchr(type.data, ';', type.size) : NULL;
    if (end != NULL) {
        type.size = (size_t)(end - type.data);
    }
    while (type.size > 0 && type.data[type.size - 1] == ' ') {
        type.size--;
    }
    if (type.size == 0) {
        return true;
    }
    if (type.size == 16 && strncasecmp(type.data, "application/json", 16) == 0) {
        return true;
    }
    return type.size > plus.size &&
           strncasecmp(type.data + type.size - plus.size, plus.data, plus.size) == 0;
}

static bool is_structured(const schema_record *record)
{
    for (size_t i = 0; i < record->header_count; i++) {
        const schema_header *header = &record->headers[i];
        if (header->name.size == 12 && strncasecmp(header->name.data, "content-type", 12) == 0 &&
            header->value.size >= 23 &&
            strncasecmp(header->value.data, "application/cloudevents", 23) == 0) {
            return true;
        }
    }
    return false;
}

/* The data as it came: the record's value, or of a structured event its part. */
static base_status data_fill(const schema_record *record, const saga_event *read, base_arena *arena,
                             troupe_event *event, troupe_context *context)
{
    base_slice text = record->value;
    event->data_is_json = is_json_type(read->content_type) && read->data.kind != BASE_BYTES;
    if (is_structured(record)) {
        if (read->data.kind == BASE_BYTES) {
            text = base_value_slice(&read->data);
        } else {
            BASE_TRY(base_value_json(&read->data, false, arena, &text));
            event->data_is_json = true;
        }
    }
    if (text.data == NULL) {
        event->data_is_json = false;
        return base_ok();
    }
    text = base_arena_copy(arena, text);
    if (text.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    event->data = text.data;
    event->data_size = text.size;
    if (event->data_is_json) {
        base_value *data = BASE_ARENA_NEW(arena, base_value);
        if (data == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
        *data = read->data;
        context->data = data;
    }
    return base_ok();
}

/* What an undo's ask is to undo: said by sagaundoes, else its own key says it (rule 44: the key of
 * an undo is the key of its step, "/undo/" and the generation). */
static base_slice undoes_of(const saga_event *read)
{
    static const base_slice mark = BASE_SLICE_LITERAL("/undo/");
    if (read->saga_undoes.size > 0) {
        return read->saga_undoes;
    }
    const base_slice key = read->saga_key;
    size_t end = key.size;
    while (end > 0 && key.data[end - 1] >= '0' && key.data[end - 1] <= '9') {
        end--;
    }
    const base_slice stem = base_slice_make(key.data, end);
    if (end < key.size && end > mark.size && base_slice_ends_with(stem, mark)) {
        return base_slice_make(key.data, end - mark.size);
    }
    return (base_slice){NULL, 0};
}

static base_status attributes_fill(const saga_event *read, base_arena *arena, troupe_event *event)
{
    bool fine = true;
    troupe_attribute *attributes = BASE_ARENA_ARRAY(arena, troupe_attribute, read->other_count);
    if (attributes == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    for (size_t i = 0; i < read->other_count; i++) {
        attributes[i].name = text_or_empty(arena, read->others[i].name, &fine);
        attributes[i].value = text_or_empty(arena, read->others[i].value, &fine);
    }
    event->attributes = attributes;
    event->attribute_count = read->other_count;
    return fine ? base_ok() : base_status_of(BASE_OUT_OF_MEMORY);
}

static base_status event_fill(const troupe *handle, const schema_record *record,
                              const saga_event *read, base_arena *arena, troupe_event *event)
{
    bool fine = true;
    base_slice name = read->type;
    if (base_slice_starts_with(name, handle->type_prefix)) {
        name = base_slice_make(name.data + handle->type_prefix.size,
                               name.size - handle->type_prefix.size);
    }
    event->name = text_or_empty(arena, name, &fine);
    event->type = text_or_empty(arena, read->type, &fine);
    event->id = text_or_empty(arena, read->id, &fine);
    event->source = text_or_empty(arena, read->source, &fine);
    event->subject = text_of(arena, read->subject, &fine);
    event->time_ms = read->time_ms;
    event->content_type = text_of(arena, read->content_type, &fine);
    event->key = text_of(arena, record->key, &fine);
    event->topic = text_of(arena, record->topic, &fine);
    event->partition = record->partition;
    event->offset = record->offset;
    event->saga_key = text_of(arena, read->saga_key, &fine);
    event->undoes = event->ask ? text_of(arena, undoes_of(read), &fine) : NULL;
    event->saga_step = text_of(arena, read->saga_step, &fine);
    event->saga_try = read->saga_try;
    event->expiry_ms = read->expiry_ms;
    event->correlation_id = text_of(arena, read->correlation_id, &fine);
    event->causation_id = text_of(arena, read->causation_id, &fine);
    event->trace_parent = text_of(arena, read->trace_parent, &fine);
    BASE_TRY(attributes_fill(read, arena, event));
    return fine ? base_ok() : base_status_of(BASE_OUT_OF_MEMORY);
}

static client_origin origin_of(const schema_record *record, const saga_event *read, bool ask)
{
    const bool key_is_text = base_utf8_valid(record->key);
    return (client_origin){
        .ask = ask,
        .id = read->id,
        .key = read->partition_key.size > 0 ? read->partition_key
               : key_is_text                ? record->key
                                            : (base_slice){NULL, 0},
        .correlation_id = read->correlation_id,
        .saga_step = read->saga_step,
        .saga_key = read->saga_key,
        .saga_try = read->saga_try,
        .trace_parent = read->trace_parent,
        .trace_state = read->trace_state,
    };
}

/* A record that is no CloudEvent. An answer to it still needs an id of its own that is always the
 * same: place in the log. */
static base_status plain_fill(const schema_record *record, base_arena *arena, saga_event *read)
{
    saga_plain_record plain;
    *read = (saga_event){.time_ms = record->time_ms};
    if (base_failed(schema_plain_read(record, arena, &plain, NULL))) {
        read->data = base_value_bytes(record->value);
        return base_ok();
    }
    read->data = plain.value;
    return base_ok();
}

base_status client_event_read(troupe *handle, const schema_record *record, base_arena *arena,
                              const client_interest **interest_out, troupe_event *event_out,
                              troupe_context *context_out, base_error *error)
{
    saga_event read = {0};
    *interest_out = NULL;
    base_status status = schema_envelope_read(record, arena, &read, error);
    const bool plain = status.code == BASE_NOT_FOUND;
    const bool asks_topic = base_slice_equal(record->topic, handle->asks_topic);
    if (base_failed(status) && !plain) {
        /* Somebody wanted to say something: to the dead letters, where it was said to us. */
        for (size_t i = 0; i < handle->interest_count && *interest_out == NULL; i++) {
            const client_interest *interest = &handle->interests[i];
            if (base_slice_equal(interest->topic, record->topic) &&
                (asks_topic || interest->type.size == 0)) {
                *interest_out = interest;
            }
        }
        return status;
    }
    if (plain) {
        base_error_clear(error);
        BASE_TRY(plain_fill(record, arena, &read));
    }
    const bool ask = asks_topic && !plain && read.saga_key.size > 0;
    const client_interest *interest = interest_find(handle, record->topic, read.type, ask);
    if (interest == NULL) {
        return base_ok();
    }
    *event_out = (troupe_event){.ask = ask};
    status = event_fill(handle, record, &read, arena, event_out);
    if (!base_failed(status)) {
        status = data_fill(record, &read, arena, event_out, context_out);
    }
    if (base_failed(status)) {
        return base_error_set(error, status.code, "no memory for an event of %zu bytes",
                              record->value.size);
    }
    context_out->origin = origin_of(record, &read, ask);
    if (plain) {
        event_out->data_is_json = event_out->data != NULL && read.data.kind != BASE_STRING &&
                                  read.data.kind != BASE_BYTES;
        context_out->origin.id =
            base_arena_print(arena, "%.*s/%d/%lld", BASE_SLICE_ARG(record->topic),
                             (int)record->partition, (long long)record->offset);
    }
    *interest_out = interest;
    return base_ok();
}
