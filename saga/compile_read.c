/* Reading the tree of a saga file while it is compiled: see compile.h. */
#include <stdarg.h>

#include "base/assert.h"
#include "saga/compile.h"

base_error *compile_error(compile *c, const char *check, base_place place, const char *format, ...)
{
    base_error text;
    base_error_clear(&text);
    va_list arguments;
    va_start(arguments, format);
    const base_status status = base_error_set_list(&text, BASE_BAD_INPUT, format, arguments);
    va_end(arguments);
    BASE_ASSERT(base_failed(status));
    return saga_findings_add(c->findings, check, c->definition->path, place, "%s", text.text);
}

const base_value *compile_get(const base_value *map, const char *key)
{
    return map != NULL && map->kind == BASE_MAP ? base_map_get_text(map, key) : NULL;
}

base_slice compile_text(compile *c, const base_value *map, const char *key)
{
    const base_value *value = compile_get(map, key);
    if (value == NULL)
        return (base_slice){0};
    if (value->kind != BASE_STRING) {
        (void)compile_error(c, "E101", value->place, "\"%s\" must be a text, not %s", key,
                            base_kind_name((base_kind)value->kind));
        return (base_slice){0};
    }
    return base_arena_copy(c->arena, base_value_slice(value));
}

bool compile_bool(compile *c, const base_value *map, const char *key, bool fallback)
{
    const base_value *value = compile_get(map, key);
    if (value == NULL)
        return fallback;
    if (value->kind != BASE_BOOL) {
        (void)compile_error(c, "E101", value->place, "\"%s\" must be true or false", key);
        return fallback;
    }
    return value->truth;
}

int64_t compile_duration(compile *c, const base_value *map, const char *key, int64_t fallback_ms)
{
    const base_value *value = compile_get(map, key);
    if (value == NULL)
        return fallback_ms;
    int64_t ms = 0;
    if (value->kind == BASE_STRING &&
        !base_failed(saga_duration_parse(base_value_slice(value), &ms)))
        return ms;
    base_error *error = NULL;
    if (value->kind == BASE_INTEGER) {
        error = compile_error(c, "E107", value->place, "durations need a unit: %s: %lld", key,
                              (long long)value->integer);
        base_error_hint(error, "write %llds", (long long)value->integer);
    } else {
        const base_slice text = base_value_slice(value);
        error = compile_error(c, "E107", value->place, "\"%s\" is no duration: \"%.*s\"", key,
                              BASE_SLICE_ARG(text));
        base_error_hint(error, "write 500ms, 30s, 5m, 2h, 7d or ISO 8601 as PT1H30M");
    }
    return fallback_ms;
}

int32_t compile_permille(compile *c, const base_value *map, const char *key, int32_t fallback)
{
    const base_value *value = compile_get(map, key);
    if (value == NULL)
        return fallback;
    base_value number = *value;
    int64_t scale = 1000;
    if (value->kind == BASE_STRING) {
        const base_slice text = base_value_slice(value);
        const bool percent = text.size > 1 && text.data[text.size - 1] == '%';
        if (!percent ||
            base_failed(base_number_parse(base_slice_make(text.data, text.size - 1), &number)))
            number = base_value_null();
        scale = 10;
    }
    const base_value factor = base_value_integer(scale);
    base_value product;
    base_value whole;
    if (base_value_is_number(&number) &&
        !base_failed(base_number_multiply(&number, &factor, &product)) &&
        !base_failed(base_number_round(&product, &whole)) && whole.kind == BASE_INTEGER &&
        whole.integer >= 0 && whole.integer <= 1000000)
        return (int32_t)whole.integer;
    (void)compile_error(c, "E101", value->place, "\"%s\" must be a number from 0 to 1000", key);
    return fallback;
}

const base_value *compile_items(const base_value *value, size_t *count_out)
{
    if (value == NULL) {
        *count_out = 0;
        return NULL;
    }
    if (value->kind == BASE_LIST) {
        *count_out = value->size;
        return value->items;
    }
    *count_out = 1;
    return value;
}

bool compile_reserve(compile *c, void **array, int32_t count, int32_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return true;
    const int32_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = base_arena_alloc_zero(c->arena, (size_t)wanted, item_size);
    if (grown == NULL) {
        c->failure = BASE_OUT_OF_MEMORY;
        return false;
    }
    if (count > 0)
        memcpy(grown, *array, (size_t)count * item_size);
    *array = grown;
    *capacity = wanted;
    return true;
}

/* ---- expressions ---- */

static const base_slice variable_names[SAGA_VARIABLE_COUNT] = {
    [SAGA_VARIABLE_EVENT] = BASE_SLICE_LITERAL("event"),
    [SAGA_VARIABLE_EVENTS] = BASE_SLICE_LITERAL("events"),
    [SAGA_VARIABLE_STEPS] = BASE_SLICE_LITERAL("steps"),
    [SAGA_VARIABLE_SAGA] = BASE_SLICE_LITERAL("saga"),
    [SAGA_VARIABLE_NOW] = BASE_SLICE_LITERAL("now"),
};

/* Remembers which events the instance must keep for $events["x"]. */
static void note_events(compile *c, const saga_expr *expr, base_place place)
{
    if (!saga_expr_uses_variable(expr, SAGA_VARIABLE_EVENTS))
        return;
    const base_slice *names = NULL;
    size_t count = 0;
    if (!saga_expr_variable_members(expr, SAGA_VARIABLE_EVENTS, c->arena, &names, &count)) {
        c->plan->remembers_all = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        base_value name = base_value_string(names[i]);
        name.place = place;
        const int32_t event = compile_event(c, &name, SAGA_NONE, COMPILE_USE_FACT);
        if (event != SAGA_NONE)
            c->events[event].remembered = true;
    }
}

const saga_expr *compile_expr_value(compile *c, const base_value *value, const char *key)
{
    if (value == NULL)
        return NULL;
    if (value->kind != BASE_STRING) {
        base_error *error =
            compile_error(c, "E106", value->place, "\"%s\" must be a jq program in a text, not %s",
                          key, base_kind_name((base_kind)value->kind));
        base_error_hint(error, "put it in quotes");
        return NULL;
    }
    const base_slice source = base_arena_copy(c->arena, base_value_slice(value));
    if (source.data == NULL) {
        c->failure = BASE_OUT_OF_MEMORY;
        return NULL;
    }
    const saga_expr *expr = NULL;
    base_error error;
    base_error_clear(&error);
    const base_status status =
        saga_expr_compile(source, variable_names, SAGA_VARIABLE_COUNT, c->arena, &expr, &error);
    if (base_failed(status)) {
        if (status.code == BASE_OUT_OF_MEMORY)
            c->failure = BASE_OUT_OF_MEMORY;
        base_error *finding = compile_error(c, error.check[0] != '\0' ? error.check : "E106",
                                            value->place, "%s: %s", key, error.text);
        if (error.hint[0] != '\0')
            base_error_hint(finding, "%s", error.hint);
        return NULL;
    }
    note_events(c, expr, value->place);
    return expr;
}

const saga_expr *compile_expr(compile *c, const base_value *map, const char *key)
{
    return compile_expr_value(c, compile_get(map, key), key);
}
