/* saga/expr.h: any text compiles or is refused with a message, and what compiles ends within its
 * bounds. */
#include "saga/expr.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    const base_slice names[] = {BASE_SLICE_LITERAL("event"), BASE_SLICE_LITERAL("now")};
    const base_value items[] = {base_value_integer(7), base_value_text("a"), base_value_null(),
                                base_value_bool(true)};
    const base_value list = base_value_list(items, sizeof items / sizeof *items);
    const base_member members[] = {
        {.key = BASE_SLICE_LITERAL("a"), .value = list},
        {.key = BASE_SLICE_LITERAL("b"), .value = base_value_integer(-3)}};
    const base_value input = base_value_map(members, 2);
    const base_value *values[] = {&input, &items[0]};
    const saga_expr_limits limits = {.steps = 20000, .memory = (size_t)1024 * 1024};

    const saga_expr *expr = NULL;
    base_error error = {0};
    if (base_failed(
            saga_expr_compile(base_slice_make(data, size), names, 2, &arena, &expr, &error))) {
        FUZZ_MUST(error.text[0] != '\0');
    } else {
        base_value output = base_value_null();
        base_slice json = {NULL, 0};
        if (!base_failed(saga_expr_eval(expr, &input, values, limits, &arena, &output, &error))) {
            FUZZ_MUST(!base_failed(base_value_json(&output, true, &arena, &json)));
        } else {
            FUZZ_MUST(error.text[0] != '\0');
        }
    }
    base_arena_deinit(&arena);
    return 0;
}
