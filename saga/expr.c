/* Expressions: compiling, what an expression looks at, evaluating. The parts are named in
 * expr_node.h. */
#include "saga/expr.h"

#include "saga/expr_code.h"

#define PICTURE_WIDTH 76 /* characters of the source line that an error shows */

bool saga_truthy(const base_value *value)
{
    return saga_is_true(value);
}

/* ---- the place of an error ---- */
static bool is_lead(char byte)
{
    return ((uint8_t)byte & 0xc0) != 0x80;
}

/* The source line, or as much of it as fits around the place, with a caret below. */
static void add_picture(base_error *error, base_slice line, size_t at)
{
    size_t start = at > PICTURE_WIDTH * 3 / 4 ? at - PICTURE_WIDTH * 3 / 4 : 0;
    while (start > 0 && !is_lead(line.data[start])) {
        start--;
    }
    size_t end = start + PICTURE_WIDTH < line.size ? start + PICTURE_WIDTH : line.size;
    while (end > start && end < line.size && !is_lead(line.data[end])) {
        end--;
    }
    size_t caret = 0;
    for (size_t i = start; i < at; i++) {
        caret += is_lead(line.data[i]);
    }
    size_t used = strlen(error->text);
    const size_t wanted = 1 + (end - start) + 1 + caret + 1;
    if (wanted >= sizeof error->text) {
        return;
    }
    if (used + wanted >= sizeof error->text) {
        used = sizeof error->text - wanted - 1;
        while (used > 0 && !is_lead(error->text[used])) {
            used--;
        }
    }
    char *out = error->text + used;
    *out++ = '\n';
    for (size_t i = start; i < end; i++) {
        *out++ = line.data[i] == '\t' || line.data[i] == '\r' ? ' ' : line.data[i];
    }
    *out++ = '\n';
    memset(out, ' ', caret);
    out += caret;
    *out++ = '^';
    *out = '\0';
}

void saga_expr_place(base_error *error, base_slice text, uint32_t offset)
{
    if (error == NULL || error->code == BASE_OK) {
        return;
    }
    const size_t at = offset < text.size ? offset : text.size;
    size_t start = 0;
    uint32_t line = 1;
    for (size_t i = 0; i < at; i++) {
        if (text.data[i] == '\n') {
            start = i + 1;
            line++;
        }
    }
    uint32_t column = 1;
    for (size_t i = start; i < at; i++) {
        column += is_lead(text.data[i]);
    }
    size_t end = at;
    while (end < text.size && text.data[end] != '\n') {
        end++;
    }
    base_error_place(error, line, column);
    add_picture(error, base_slice_make(text.data + start, end - start), at - start);
}

/* ---- compiling ---- */
base_status saga_expr_compile(base_slice text, const base_slice *variables, size_t variable_count,
                              base_arena *arena, const saga_expr **expr_out, base_error *error)
{
    if (text.size > SAGA_EXPR_SIZE_MAX) {
        (void)base_error_set(error, BASE_TOO_LARGE, "expression of %zu bytes, the limit is %d",
                             text.size, SAGA_EXPR_SIZE_MAX);
        base_error_check(error, "E106");
        return base_status_of(BASE_TOO_LARGE);
    }
    if (!base_utf8_valid(text)) {
        (void)base_error_set(error, BASE_BAD_INPUT, "expression is not UTF-8");
        base_error_check(error, "E106");
        return base_status_of(BASE_BAD_INPUT);
    }
    saga_expr *expr = BASE_ARENA_NEW(arena, saga_expr);
    const base_slice source = base_arena_copy(arena, text);
    if (expr == NULL || source.data == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "out of memory");
    }
    expr->source = source;
    saga_tree tree;
    BASE_TRY(saga_expr_parse(source, variables, variable_count, arena, &tree, error));
    BASE_TRY(saga_expr_generate(&tree, variable_count, arena, expr, error));
    *expr_out = expr;
    return base_ok();
}

bool saga_expr_uses_input(const saga_expr *expr)
{
    return expr->uses_input;
}

bool saga_expr_uses_variable(const saga_expr *expr, size_t index)
{
    return index < expr->variable_count && expr->uses[index].used;
}

bool saga_expr_variable_members(const saga_expr *expr, size_t index, base_arena *arena,
                                const base_slice **names_out, size_t *count_out)
{
    if (index >= expr->variable_count || expr->uses[index].whole) {
        return false;
    }
    const saga_variable_use *use = &expr->uses[index];
    base_slice *names = BASE_ARENA_ARRAY(arena, base_slice, use->count);
    if (names == NULL) {
        return false; /* as good as "any": the caller then has everything at hand */
    }
    for (size_t i = 0; i < use->count; i++) {
        names[i] = use->names[i];
    }
    *names_out = names;
    *count_out = use->count;
    return true;
}

base_slice saga_expr_source(const saga_expr *expr)
{
    return expr->source;
}

/* ---- evaluating ---- */
/* What went wrong, in words. An error value that is no string is shown as JSON, as jq does. */
static base_status describe(saga_machine *machine, base_status status, base_error *error)
{
    if (status.code == BASE_NOT_FOUND) {
        return base_error_set(error, BASE_NOT_FOUND, "expression gives no value");
    }
    if (status.code == BASE_BUDGET) {
        return base_error_set(error, BASE_BUDGET, "expression needs more %s than it may use",
                              machine->steps == 0 ? "steps" : "memory");
    }
    if (base_status_class(status) != BASE_CLASS_INPUT && status.code != BASE_OVERFLOW) {
        return base_error_set(error, status.code, "%s", base_status_text(status));
    }
    const base_code code = status.code == BASE_OVERFLOW ? BASE_OVERFLOW : BASE_BAD_INPUT;
    if (machine->error.kind == BASE_STRING) {
        return base_error_set(error, code, "%.*s",
                              BASE_SLICE_ARG(base_value_slice(&machine->error)));
    }
    if (machine->error.kind == BASE_NULL) {
        return base_error_set(error, code, "null (null) not a string");
    }
    base_slice brief;
    BASE_TRY(saga_value_brief(machine, &machine->error, BASE_ERROR_TEXT_SIZE / 2, &brief));
    return base_error_set(error, code, "(not a string): %.*s", BASE_SLICE_ARG(brief));
}

/* An output as the caller may have it: no deeper than other values are. */
static base_status check_output(saga_machine *machine, base_value *value, base_error *error)
{
    if (!machine->built || (value->kind != BASE_LIST && value->kind != BASE_MAP)) {
        return base_ok();
    }
    bool fits;
    const base_status status = saga_check_depth(machine, value, &fits);
    if (base_failed(status)) {
        return describe(machine, status, error);
    }
    if (!fits) {
        return base_error_set(error, BASE_BUDGET,
                              "expression's value is nested deeper than %d levels",
                              BASE_VALUE_DEPTH_MAX);
    }
    return base_ok();
}

base_status saga_expr_eval(const saga_expr *expr, const base_value *input,
                           const base_value *const *values, saga_expr_limits limits,
                           base_arena *arena, base_value *value_out, base_error *error)
{
    saga_machine machine;
    const base_arena_mark mark = base_arena_mark_get(arena);
    base_value value;
    base_status status = saga_machine_init(&machine, expr, input, values, limits, arena);
    if (!base_failed(status)) {
        status = saga_machine_next(&machine, false, &value);
    }
    if (base_failed(status)) {
        status = describe(&machine, status, error);
        base_arena_rewind(arena, mark);
        return status;
    }
    BASE_TRY(check_output(&machine, &value, error));
    /* A value without memory of its own leaves none behind. */
    if (value.kind <= BASE_DECIMAL) {
        base_arena_rewind(arena, mark);
    }
    *value_out = value;
    return base_ok();
}

base_status saga_expr_eval_all(const saga_expr *expr, const base_value *input,
                               const base_value *const *values, saga_expr_limits limits,
                               size_t output_max, base_arena *arena, const base_value **outputs_out,
                               size_t *count_out, base_error *error)
{
    saga_machine machine;
    base_list_builder builder;
    base_list_begin(&builder, arena);
    base_status status = saga_machine_init(&machine, expr, input, values, limits, arena);
    for (bool again = false; !base_failed(status); again = true) {
        base_value value;
        status = saga_machine_next(&machine, again, &value);
        if (base_failed(status)) {
            break;
        }
        if (builder.count == output_max) {
            status = base_status_of(BASE_TOO_LARGE);
            break;
        }
        status = check_output(&machine, &value, error);
        if (!base_failed(status)) {
            status = base_list_push(&builder, &value);
        }
    }
    const base_value outputs = base_list_end(&builder);
    *outputs_out = outputs.items;
    *count_out = outputs.size;
    if (status.code == BASE_NOT_FOUND) {
        return base_ok();
    }
    if (status.code == BASE_TOO_LARGE) {
        return base_error_set(error, BASE_BUDGET, "expression gives more than %zu values",
                              output_max);
    }
    return describe(&machine, status, error);
}
