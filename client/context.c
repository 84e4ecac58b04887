/* What a handler may call: answers, tokens, members of the data, text. */
#include <stdarg.h>
#include <stdio.h>

#include "client/client.h"

troupe_code troupe_publish(troupe_context *context, const troupe_message *message,
                           troupe_error *error)
{
    base_error cause = {0};
    schema_record record;
    if (atomic_load(&context->closed)) {
        return client_fail_text(error, TROUPE_CLOSED, "the event was given up, it took too long");
    }
    if (context->output_count == CLIENT_ANSWER_MAX) {
        return client_fail_text(error, TROUPE_TOO_LARGE, "more than %d answers to one event",
                                CLIENT_ANSWER_MAX);
    }
    base_status status =
        client_message_write(context->handle, message, &context->origin, context->output_count,
                             context->arena, &record, &cause);
    if (base_failed(status)) {
        return client_fail(error, status, &cause);
    }
    if (context->output_count == context->output_capacity) {
        const size_t capacity = context->output_capacity == 0 ? 4 : context->output_capacity * 2;
        schema_record *outputs = base_arena_grow(context->arena, context->outputs,
                                                 context->output_capacity * sizeof(schema_record),
                                                 capacity * sizeof(schema_record));
        if (outputs == NULL) {
            return client_fail_text(error, TROUPE_NO_MEMORY, "no memory for an answer");
        }
        context->outputs = outputs;
        context->output_capacity = capacity;
    }
    context->outputs[context->output_count++] = record;
    return TROUPE_OK;
}

troupe_code troupe_answer(troupe_context *context, const char *type, const char *data,
                          troupe_error *error)
{
    return troupe_publish(context, &(troupe_message){.type = type, .data = data}, error);
}

const char *troupe_token(troupe_context *context)
{
    base_slice token = {NULL, 0};
    const base_status status = client_token_write(&context->origin, context->arena, &token);
    return base_failed(status) ? NULL : token.data;
}

const char *troupe_get_text(troupe_context *context, const char *path, const char *fallback)
{
    const base_value *value = client_path_get(context->data, path);
    if (value == NULL || value->kind != BASE_STRING) {
        return fallback;
    }
    const base_slice copy = base_arena_copy(context->arena, base_value_slice(value));
    return copy.data != NULL ? copy.data : fallback;
}

bool troupe_get_integer(troupe_context *context, const char *path, int64_t *integer_out)
{
    const base_value *value = client_path_get(context->data, path);
    if (value == NULL || value->kind != BASE_INTEGER) {
        return false;
    }
    *integer_out = value->integer;
    return true;
}

bool troupe_get_bool(troupe_context *context, const char *path, bool fallback)
{
    const base_value *value = client_path_get(context->data, path);
    return value != NULL && value->kind == BASE_BOOL ? value->truth : fallback;
}

int64_t troupe_get_count(troupe_context *context, const char *path)
{
    const base_value *value = client_path_get(context->data, path);
    if (value == NULL || (value->kind != BASE_LIST && value->kind != BASE_MAP)) {
        return -1;
    }
    return (int64_t)value->size;
}

const char *troupe_get_json(troupe_context *context, const char *path)
{
    const base_value *value = client_path_get(context->data, path);
    base_slice json = {NULL, 0};
    if (value == NULL || base_failed(base_value_json(value, false, context->arena, &json))) {
        return "null";
    }
    json = base_arena_copy(context->arena, json);
    return json.data != NULL ? json.data : "null";
}

const char *troupe_print(troupe_context *context, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) {
        return NULL;
    }
    char *text = base_arena_alloc(context->arena, (size_t)size + 1);
    if (text == NULL) {
        return NULL;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return text;
}

const char *troupe_quote(troupe_context *context, const char *text)
{
    if (text == NULL) {
        return "null";
    }
    const base_value value = base_value_text(text);
    base_slice json = {NULL, 0};
    if (!base_utf8_valid(base_slice_of(text)) ||
        base_failed(base_value_json(&value, false, context->arena, &json))) {
        return NULL;
    }
    return base_arena_copy(context->arena, json).data;
}
