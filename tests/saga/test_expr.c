/* Expressions: what compiling says, what an expression looks at, exact values, bounds on steps,
 * memory and depth. What programs mean is in data/expr.test and data/jq.test (test_expr_jq.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "saga/expr.h"

#define NO_LIMITS ((saga_expr_limits){0})

static const base_slice NAMES[] = {BASE_SLICE_LITERAL("event"), BASE_SLICE_LITERAL("steps"),
                                   BASE_SLICE_LITERAL("now"), BASE_SLICE_LITERAL("item")};
#define NAME_COUNT (sizeof NAMES / sizeof NAMES[0])

typedef struct world {
    base_arena arena;
    base_error error;
} world;

static int set_up(void **state)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    base_arena_init(&w->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    world *w = *state;
    base_arena_fail_at(0, false);
    base_arena_deinit(&w->arena);
    free(w);
    return 0;
}

static base_status try_compile(world *w, const char *text, const saga_expr **expr)
{
    base_error_clear(&w->error);
    return saga_expr_compile(base_slice_of(text), NAMES, NAME_COUNT, &w->arena, expr, &w->error);
}

static const saga_expr *compile(world *w, const char *text)
{
    const saga_expr *expr = NULL;
    if (base_failed(try_compile(w, text, &expr))) {
        fail_msg("%s: %s", text, w->error.text);
    }
    return expr;
}

static base_value json(world *w, const char *text)
{
    const base_value string = base_value_text(text);
    base_value value;
    const saga_expr *expr = compile(w, "fromjson");
    assert_int_equal(
        saga_expr_eval(expr, &string, NULL, NO_LIMITS, &w->arena, &value, &w->error).code, BASE_OK);
    return value;
}

static const char *to_json(world *w, const base_value *value)
{
    base_slice text;
    assert_int_equal(base_value_json(value, false, &w->arena, &text).code, BASE_OK);
    return base_arena_copy(&w->arena, text).data;
}

static base_status eval_limited(world *w, const char *text, const char *input,
                                saga_expr_limits limits, base_value *value)
{
    const base_value in = json(w, input);
    const base_value *values[NAME_COUNT] = {&in, &in, &in, &in};
    const saga_expr *expr = compile(w, text);
    base_error_clear(&w->error);
    return saga_expr_eval(expr, &in, values, limits, &w->arena, value, &w->error);
}

static base_status eval(world *w, const char *text, const char *input, base_value *value)
{
    return eval_limited(w, text, input, NO_LIMITS, value);
}

static void assert_gives(world *w, const char *text, const char *input, const char *wanted)
{
    base_value value;
    if (base_failed(eval(w, text, input, &value))) {
        fail_msg("%s: %s", text, w->error.text);
    }
    assert_string_equal(to_json(w, &value), wanted);
}

static void assert_fails(world *w, const char *text, const char *input, base_code code,
                         const char *wanted)
{
    base_value value;
    assert_int_equal(eval(w, text, input, &value).code, code);
    assert_int_equal(w->error.code, code);
    assert_string_equal(w->error.text, wanted);
}

/* ---- what compiling says ---- */
static void test_expr__an_error_shows_the_line_and_a_caret(void **state)
{
    world *w = *state;
    const saga_expr *expr = NULL;
    assert_int_equal(try_compile(w, ".a |\n  .b + é + 1", &expr).code, BASE_BAD_INPUT);
    assert_string_equal(w->error.text, "unexpected character 0xc3\n  .b + é + 1\n       ^");
    assert_int_equal(w->error.line, 2);
    assert_int_equal(w->error.column, 8);
    assert_string_equal(w->error.check, "E106");

    assert_int_equal(try_compile(w, "\"é\" + ", &expr).code, BASE_BAD_INPUT);
    assert_string_equal(w->error.text,
                        "expression ends where a value is expected\n\"é\" + \n      ^");
    assert_int_equal(w->error.column, 7);
}

static void test_expr__a_long_line_is_shown_around_the_place(void **state)
{
    world *w = *state;
    const saga_expr *expr = NULL;
    char text[1000];
    memset(text, ' ', sizeof text);
    memcpy(text + 700, "nosuch | .", 10);
    text[999] = '\0';
    assert_int_equal(try_compile(w, text, &expr).code, BASE_BAD_INPUT);
    const char *caret = strrchr(w->error.text, '\n');
    const char *line = strchr(w->error.text, '\n');
    assert_non_null(line);
    assert_true(caret > line);
    assert_true(strlen(w->error.text) < 250);
    const size_t column = strcspn(caret + 1, "^");
    assert_memory_equal(line + 1 + column, "nosuch", 6);
    assert_int_equal(w->error.column, 701);
}

static void test_expr__names_near_by_are_proposed(void **state)
{
    world *w = *state;
    const struct {
        const char *text;
        const char *message;
        const char *hint;
    } cases[] = {
        {"$evnt.data", "variable \"$evnt\" is not defined", "did you mean \"$event\"?"},
        {". as $total | $totl", "variable \"$totl\" is not defined", "did you mean \"$total\"?"},
        {"asci_downcase", "function \"asci_downcase/0\" is not defined",
         "did you mean \"ascii_downcase\"?"},
        {"selct(.a)", "function \"selct/1\" is not defined", "did you mean \"select\"?"},
        {"map", "function \"map/0\" is not defined", "\"map\" takes 1 argument"},
        {"setpath(1)", "function \"setpath/1\" is not defined", "\"setpath\" takes 2 arguments"},
        {"@bas64", "\"@bas64\" is not a format", "did you mean \"@base64\"?"},
        {"label $out | break $ot", "label \"$ot\" is not defined", "did you mean \"$out\"?"},
        {"{a: .b + 1}", "unexpected +, expected \",\" or \"}\"",
         "a value with operators stands in parentheses: {a: (.b + 1)}"},
        {".a.", "expression ends where a field name is expected",
         "try .[\"field\"] for unusually named fields"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const saga_expr *expr = NULL;
        assert_int_equal(try_compile(w, cases[i].text, &expr).code, BASE_BAD_INPUT);
        assert_memory_equal(w->error.text, cases[i].message, strlen(cases[i].message));
        assert_string_equal(w->error.hint, cases[i].hint);
        assert_string_equal(w->error.check, "E106");
    }
}

/* Language A.1: what is not in it, by name. */
static void test_expr__what_is_not_repeatable_or_may_not_end_is_E105(void **state)
{
    world *w = *state;
    static const char *const TEXTS[] = {"now",
                                        "env.HOME",
                                        "$ENV.HOME",
                                        "input",
                                        "inputs",
                                        "input_filename",
                                        "input_line_number",
                                        "debug",
                                        "debug(1)",
                                        "stderr",
                                        "halt",
                                        "halt_error",
                                        "localtime",
                                        "strflocaltime(\"%Y\")",
                                        "mktime",
                                        "import \"a\" as a; .",
                                        "include \"a\"; .",
                                        "modulemeta",
                                        "def f: 1; f",
                                        "1 | def f: 1; f",
                                        "repeat(.)",
                                        "while(true; .)",
                                        "until(true; .)",
                                        "recurse(.a)",
                                        "recurse(.a; true)",
                                        "infinite",
                                        "[.[] | now]",
                                        "map(while(true; .))"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        const saga_expr *expr = NULL;
        if (try_compile(w, TEXTS[i], &expr).code != BASE_BAD_INPUT ||
            strcmp(w->error.check, "E105") != 0) {
            fail_msg("%s: %s %s", TEXTS[i], w->error.check, w->error.text);
        }
    }
    const saga_expr *expr = NULL;
    assert_int_equal(try_compile(w, ".at < now", &expr).code, BASE_BAD_INPUT);
    assert_string_equal(w->error.text,
                        "expression uses \"now\": not repeatable\n.at < now\n      ^");
    assert_string_equal(w->error.hint, "use $now");
}

static void test_expr__what_is_not_covered_is_refused_by_name(void **state)
{
    world *w = *state;
    static const char *const TEXTS[] = {"test(\"a\")",
                                        "match(\"a\"; \"g\")",
                                        "capture(\"a\")",
                                        "scan(\"a\")",
                                        "split(\"a\"; null)",
                                        "splits(\"a\")",
                                        "sub(\"a\"; \"b\")",
                                        "gsub(\"a\"; \"b\")",
                                        "sqrt",
                                        "pow(2; 3)",
                                        "nan",
                                        "isnan",
                                        "walk(.)",
                                        "strftime(\"%Y\")",
                                        "tostream",
                                        "combinations",
                                        "bsearch(1)",
                                        "ascii",
                                        "getpath([]) | log"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        const saga_expr *expr = NULL;
        if (try_compile(w, TEXTS[i], &expr).code != BASE_UNSUPPORTED ||
            strcmp(w->error.check, "E106") != 0) {
            fail_msg("%s: %s %s", TEXTS[i], w->error.check, w->error.text);
        }
    }
    const saga_expr *expr = NULL;
    assert_int_equal(try_compile(w, "test(\"a\")", &expr).code, BASE_UNSUPPORTED);
    assert_string_equal(w->error.text,
                        "\"test\" is not covered: no regular expressions yet\ntest(\"a\")\n^");
}

static void test_expr__a_text_has_a_greatest_size_and_depth(void **state)
{
    world *w = *state;
    const saga_expr *expr = NULL;
    static char text[SAGA_EXPR_SIZE_MAX + 2];
    memset(text, ' ', sizeof text - 1);
    text[0] = '.';
    assert_int_equal(try_compile(w, text, &expr).code, BASE_TOO_LARGE);
    text[SAGA_EXPR_SIZE_MAX] = '\0';
    assert_int_equal(try_compile(w, text, &expr).code, BASE_OK);

    static const char *const OPENINGS[] = {
        "[",      "(",          "{a:(",     "-",  "1+(",       "if 1 then ", "try ",        "\"\\(",
        "first(", ". as $x | ", "null // ", ".[", "reduce .[", "{a:",        "label $f | ", "map("};
    for (size_t i = 0; i < sizeof OPENINGS / sizeof OPENINGS[0]; i++) {
        const size_t size = strlen(OPENINGS[i]);
        size_t used = 0;
        while (used + size < SAGA_EXPR_SIZE_MAX) {
            memcpy(text + used, OPENINGS[i], size);
            used += size;
        }
        text[used] = '\0';
        assert_int_equal(try_compile(w, text, &expr).code, BASE_BAD_INPUT);
        assert_memory_equal(w->error.text, "expression is nested deeper than 200 levels", 43);
        base_arena_reset(&w->arena);
    }
    /* What only goes on is not nested. */
    static const char *const CHAINS[] = {"1,", ".|", "1+", "1 and ", ".a|", "[]|", "1*"};
    for (size_t i = 0; i < sizeof CHAINS / sizeof CHAINS[0]; i++) {
        const size_t size = strlen(CHAINS[i]);
        size_t used = 0;
        while (used + size < SAGA_EXPR_SIZE_MAX) {
            memcpy(text + used, CHAINS[i], size);
            used += size;
        }
        memcpy(text + used, "1", 2);
        assert_int_equal(try_compile(w, text, &expr).code, BASE_OK);
        const base_value input = base_value_null();
        base_value value;
        assert_int_equal(
            saga_expr_eval(expr, &input, NULL, NO_LIMITS, &w->arena, &value, &w->error).code,
            BASE_OK);
        base_arena_reset(&w->arena);
    }
}

static void test_expr__a_text_must_be_utf8(void **state)
{
    world *w = *state;
    const saga_expr *expr = NULL;
    assert_int_equal(try_compile(w, "\"\xff\"", &expr).code, BASE_BAD_INPUT);
    assert_string_equal(w->error.text, "expression is not UTF-8");
    assert_int_equal(try_compile(w, "", &expr).code, BASE_BAD_INPUT);
}

/* ---- what an expression looks at ---- */
static void test_expr__tells_whether_it_uses_its_input(void **state)
{
    world *w = *state;
    static const char *const WITH[] = {".",
                                       ".a",
                                       "$event, (1 as $x | .)",
                                       "{a}",
                                       "if true then 1 end",
                                       "..",
                                       "[.[]]",
                                       "length",
                                       "path(.a)",
                                       "\"\\(.)\"",
                                       ".a = 1",
                                       "1 as $x | {a: $x, b: .}",
                                       "@json"};
    static const char *const WITHOUT[] = {"1",
                                          "$event",
                                          "$event.data.id",
                                          "{a: $event.x}",
                                          "[1, 2]",
                                          "$now / 1000 | todate",
                                          "$event | .a",
                                          "\"x\"",
                                          "null",
                                          "$event as $e | $e.a",
                                          "[$item | .[] | . + 1]",
                                          "reduce (1, 2) as $x (0; . + $x)",
                                          "range(3)",
                                          "$event | {a, b}"};
    for (size_t i = 0; i < sizeof WITH / sizeof WITH[0]; i++) {
        assert_true(saga_expr_uses_input(compile(w, WITH[i])));
    }
    for (size_t i = 0; i < sizeof WITHOUT / sizeof WITHOUT[0]; i++) {
        if (saga_expr_uses_input(compile(w, WITHOUT[i]))) {
            fail_msg("%s", WITHOUT[i]);
        }
    }
}

static void test_expr__tells_which_variables_and_members_it_uses(void **state)
{
    world *w = *state;
    const base_slice *names = NULL;
    size_t count = 0;
    const saga_expr *expr = compile(w, "{a: $steps.authorise.out.id, b: $steps[\"lines\"].x, c: "
                                       "$steps.authorise, d: $now, e: $event?}");
    assert_true(saga_expr_uses_variable(expr, 0));
    assert_true(saga_expr_uses_variable(expr, 1));
    assert_true(saga_expr_uses_variable(expr, 2));
    assert_false(saga_expr_uses_variable(expr, 3));
    assert_false(saga_expr_uses_variable(expr, 99));
    assert_true(saga_expr_variable_members(expr, 1, &w->arena, &names, &count));
    assert_int_equal(count, 2);
    assert_true(base_slice_is(names[0], "authorise"));
    assert_true(base_slice_is(names[1], "lines"));
    assert_false(saga_expr_variable_members(expr, 2, &w->arena, &names, &count));
    assert_true(saga_expr_variable_members(expr, 3, &w->arena, &names, &count));
    assert_int_equal(count, 0);
    assert_true(
        saga_expr_variable_members(compile(w, "$steps | .a"), 1, &w->arena, &names, &count));
    assert_int_equal(count, 1);

    static const char *const WHOLE[] = {"$steps",
                                        "$steps[.x]",

                                        "$steps[]",
                                        "[$steps]",
                                        "{$steps}",
                                        "$steps as $s | $s.a",
                                        "$steps.a, ($steps | keys)",
                                        "$steps[\"\\(1)\"]",
                                        "$steps as {a: $x} | $x",
                                        "first($steps)",
                                        "$steps == 1",
                                        "$steps[0]"};
    for (size_t i = 0; i < sizeof WHOLE / sizeof WHOLE[0]; i++) {
        if (saga_expr_variable_members(compile(w, WHOLE[i]), 1, &w->arena, &names, &count)) {
            fail_msg("%s", WHOLE[i]);
        }
    }
    assert_true(base_slice_is(saga_expr_source(expr),
                              "{a: $steps.authorise.out.id, b: $steps[\"lines\"].x, "
                              "c: $steps.authorise, d: $now, e: $event?}"));
}

static void test_expr__a_variable_that_is_not_used_needs_no_value(void **state)
{
    world *w = *state;
    const saga_expr *expr = compile(w, "$now + 1");
    const base_value now = base_value_integer(41);
    const base_value *values[NAME_COUNT] = {NULL, NULL, &now, NULL};
    base_value value;
    assert_int_equal(saga_expr_eval(expr, &now, values, NO_LIMITS, &w->arena, &value, NULL).code,
                     BASE_OK);
    assert_int_equal(value.integer, 42);
}

/* ---- values ---- */
static void test_expr__the_first_value_counts(void **state)
{
    world *w = *state;
    assert_gives(w, ".[]", "[7,8]", "7");
    assert_fails(w, "empty", "null", BASE_NOT_FOUND, "expression gives no value");
    assert_fails(w, ".[]", "[]", BASE_NOT_FOUND, "expression gives no value");
}

static void test_expr__errors_have_jqs_words(void **state)
{
    world *w = *state;
    assert_fails(w, ".a", "1", BASE_BAD_INPUT, "Cannot index number with string \"a\"");
    assert_fails(w, ".[]", "null", BASE_BAD_INPUT, "Cannot iterate over null (null)");
    assert_fails(w, "{} + 1", "null", BASE_BAD_INPUT, "object ({}) and number (1) cannot be added");
    assert_fails(w, "error({a:1})", "null", BASE_BAD_INPUT, "(not a string): {\"a\":1}");
    assert_fails(w, "error", "null", BASE_BAD_INPUT, "null (null) not a string");
    assert_fails(w, "error(\"mine\")", "null", BASE_BAD_INPUT, "mine");
    assert_fails(w, ". + 1", "9223372036854775807", BASE_OVERFLOW,
                 "number (92233720368...) and number (1) cannot be added because the result is out "
                 "of range");
    assert_fails(w, ".[0:\"a\"]", "[]", BASE_BAD_INPUT,
                 "Array/string slice indices must be integers");
}

static void test_expr__all_values_come_with_the_error_behind_them(void **state)
{
    world *w = *state;
    const base_value input = json(w, "[1,2,{}]");
    const base_value *outputs = NULL;
    size_t count = 0;
    const saga_expr *expr = compile(w, ".[] | . + 1");
    assert_int_equal(saga_expr_eval_all(expr, &input, NULL, NO_LIMITS, 10, &w->arena, &outputs,
                                        &count, &w->error)
                         .code,
                     BASE_BAD_INPUT);
    assert_int_equal(count, 2);
    assert_int_equal(outputs[1].integer, 3);
    expr = compile(w, "range(100)");
    base_error_clear(&w->error);
    assert_int_equal(saga_expr_eval_all(expr, &input, NULL, NO_LIMITS, 10, &w->arena, &outputs,
                                        &count, &w->error)
                         .code,
                     BASE_BUDGET);
    assert_int_equal(count, 10);
    assert_string_equal(w->error.text, "expression gives more than 10 values");
}

static void test_expr__bytes_pass_through(void **state)
{
    world *w = *state;
    const base_value bytes = base_value_bytes(base_slice_make("\x00\xff\x10", 3));
    const saga_expr *expr =
        compile(w, "{type, length, json: (.payload | tojson), payload} | .type = (.payload | type)"
                   " | .length = (.payload | length) | .same = (.payload == .payload)");
    const base_member members[] = {{.key = BASE_SLICE_LITERAL("payload"), .value = bytes}};
    const base_value input = base_value_map(members, 1);
    base_value value;
    assert_int_equal(
        saga_expr_eval(expr, &input, NULL, NO_LIMITS, &w->arena, &value, &w->error).code, BASE_OK);
    assert_string_equal(
        to_json(w, &value),
        "{\"type\":\"bytes\",\"length\":3,\"json\":\"{\\\"$bytes\\\":\\\"AP8Q\\\"}\","
        "\"payload\":{\"$bytes\":\"AP8Q\"},\"same\":true}");
}

static void test_expr__a_scalar_leaves_no_memory_behind(void **state)
{
    world *w = *state;
    const base_value input =
        json(w, "{\"a\":{\"b\":11},\"country\":\"DE\",\"lines\":[{\"q\":1},{\"q\":2}]}");
    const saga_expr *guard =
        compile(w, ".a.b > 10 and .country == \"DE\" and any(.lines[]; .q == 2)");
    const size_t used = w->arena.used_size;
    for (int i = 0; i < 100; i++) {
        base_value value;
        assert_int_equal(
            saga_expr_eval(guard, &input, NULL, NO_LIMITS, &w->arena, &value, NULL).code, BASE_OK);
        assert_true(saga_truthy(&value));
    }
    assert_int_equal(w->arena.used_size, used);
}

/* ---- bounds ---- */
static void test_expr__steps_are_bounded(void **state)
{
    world *w = *state;
    static const char *const TEXTS[] = {
        "[range(10000000)] | length",
        "last(range(1000000000))",
        "reduce range(100) as $i (1; [., .]) | . == (reduce range(100) as $i (1; [., .]))",
        "reduce range(100) as $i (1; [., .]) | tojson | length",
        "reduce range(100) as $i (1; [., .]) | flatten | length",
        "reduce range(100) as $i (1; [., .]) | [..] | length",
        "reduce range(100) as $i (1; [., .]) | contains(reduce range(100) as $i (2; [., .]))",
        "reduce range(60) as $i ({a: 1}; {a: ., b: .}) | tostring | length",
        "[limit(1000000; range(100000000))] | sort | length",
        "(\"a\" * 1000000) as $s | $s | contains((\"a\" * 500000) + \"b\")",
        "(\"a\" * 1000000) as $s | [range(1000) | $s] | sort | length",
        "(\"a\" * 1000000) as $s | [limit(100000; range(100000) | select($s < $s))]"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        base_value value;
        const base_status status = eval(w, TEXTS[i], "null", &value);
        if (status.code != BASE_BUDGET) {
            fail_msg("%s: %d %s", TEXTS[i], (int)status.code, w->error.text);
        }
        base_arena_reset(&w->arena);
    }
    base_value value;
    assert_int_equal(
        eval_limited(w, "[range(100)] | add", "null", (saga_expr_limits){.steps = 100}, &value)
            .code,
        BASE_BUDGET);
    assert_string_equal(w->error.text, "expression needs more steps than it may use");
    assert_int_equal(
        eval_limited(w, "[range(100)] | add", "null", (saga_expr_limits){.steps = 1000}, &value)
            .code,
        BASE_OK);
    assert_int_equal(value.integer, 4950);
    /* Spent budget is no error that an expression could catch. */
    assert_int_equal(eval_limited(w, "try last(range(1000000)) catch 1", "null",
                                  (saga_expr_limits){.steps = 1000}, &value)
                         .code,
                     BASE_BUDGET);
}

static void test_expr__memory_is_bounded(void **state)
{
    world *w = *state;
    base_value value;
    static const char *const TEXTS[] = {
        "reduce range(40) as $i (\"ab\"; . + .) | length",
        "\"abcdefgh\" * 100000000",
        ".[10000000] = 1",
        "reduce range(30) as $i ([1]; . + .) | length",
        "[range(900000)] | length",
        "\"x\" * 9000000 | explode | length",
        "\"x\" * 2000000 | split(\"\") | length",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        if (eval(w, TEXTS[i], "null", &value).code != BASE_BUDGET) {
            fail_msg("%s: %s", TEXTS[i], w->error.text);
        }
        base_arena_reset(&w->arena);
    }
    assert_int_equal(
        eval_limited(w, "\"ab\" * 1000", "null", (saga_expr_limits){.memory = 1000}, &value).code,
        BASE_BUDGET);
    assert_string_equal(w->error.text, "expression needs more memory than it may use");
    /* After a failure the arena is as before. */
    const size_t used = w->arena.used_size;
    const saga_expr *expr = compile(w, "\"ab\" * 100000000");
    const size_t compiled = w->arena.used_size;
    assert_true(compiled > used);
    const base_value null = base_value_null();
    assert_int_equal(saga_expr_eval(expr, &null, NULL, NO_LIMITS, &w->arena, &value, NULL).code,
                     BASE_BUDGET);
    assert_int_equal(w->arena.used_size, compiled);
}

/* Building in a loop costs what is added: these would need gigabytes if every turn copied. */
static void test_expr__building_in_a_loop_is_cheap(void **state)
{
    world *w = *state;
    assert_gives(w, "reduce range(20000) as $i ([]; . + [$i]) | length", "null", "20000");
    assert_gives(w, "reduce range(20000) as $i ([]; .[$i] = $i) | length", "null", "20000");
    assert_gives(w, "reduce range(20000) as $i (\"\"; . + \"ab\") | length", "null", "40000");
    assert_gives(w, "reduce range(3000) as $i ({}; .[\"k\\($i)\"] = $i) | length", "null", "3000");
    assert_gives(w, "[range(20000)] | .[] += 1 | .[19999]", "null", "20000");
    assert_gives(w, "{lines: [range(5000) | {q: .}]} | .lines[].q |= . + 1 | .lines[4999].q",
                 "null", "5000");
    assert_gives(w,
                 "[range(5000) | {key: \"k\\(.)\", value: .}] | from_entries | with_entries(.value "
                 "+= 1) | .k4999",
                 "null", "5000");
    assert_gives(w, "[range(2000) | {a: (. % 7), b: .}] | group_by(.a) | map(length) | add", "null",
                 "2000");
}

/* A large map that was built member by member is as good as any other when it leaves. */
static void test_expr__a_large_map_leaves_with_an_index(void **state)
{
    world *w = *state;
    base_value value;
    assert_int_equal(
        eval(w, "reduce range(500) as $i ({}; .[\"k\\($i)\"] = $i) | {m: .}", "null", &value).code,
        BASE_OK);
    const base_value *map = base_map_get_text(&value, "m");
    assert_non_null(map);
    assert_true(map->indexed);
    assert_int_equal(base_map_get_text(map, "k499")->integer, 499);
    base_value other;
    assert_int_equal(eval(w, "{m: ([range(500) | {\"k\\(.)\": .}] | add)}", "null", &other).code,
                     BASE_OK);
    assert_true(base_value_equal(&value, &other));
}

static void test_expr__a_value_is_no_deeper_than_others_are(void **state)
{
    world *w = *state;
    assert_gives(w, "reduce range(127) as $i (1; [.]) | [.] | length", "null", "1");
    base_value value;
    assert_int_equal(eval(w, "reduce range(128) as $i (1; [.])", "null", &value).code, BASE_OK);
    assert_fails(w, "reduce range(129) as $i (1; [.])", "null", BASE_BUDGET,
                 "expression's value is nested deeper than 128 levels");
    assert_gives(w, "reduce range(10000) as $i (1; [.]) | [.. | numbers]", "null", "[1]");
    assert_gives(
        w, "reduce range(5000) as $i (1; {a: .}) | . == (reduce range(5000) as $i (1; {a: .}))",
        "null", "true");
    assert_gives(w, "reduce range(5000) as $i (1; [.]) | flatten", "null", "[1]");
    assert_gives(w, "reduce range(5000) as $i ({}; {a: .}) * {a: {b: 1}} | .a.b", "null", "1");
    assert_gives(w, "setpath([range(3000) | 0]; 1) | getpath([range(3000) | 0])", "null", "1");
    assert_fails(w, "reduce range(150) as $i (\"1\"; \"[\\(.)]\") | fromjson | length", "null",
                 BASE_BAD_INPUT,
                 "Exceeds depth limit for parsing at character 130 (while parsing "
                 "'[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...')");
}

/* ---- memory that fails ---- */
static const char *const VARIED[] = {
    "1",
    "{orderId, total, customer: .customer.id, lines: [.lines[] | {sku, q: (.q * 2)}]}",
    ".lines |= map(select(.q > 1)) | .n = (.lines | length)",
    "[.lines[] | \"\\(.sku)-\\(.q)\"] | join(\",\") | split(\",\") | sort | unique",
    "reduce .lines[] as {sku: $s, q: $q} ({}; .[$s] += $q) | to_entries | map(select(.value > 1)) "
    "| from_entries",
    "try (.customer.id.x) catch ., (.. | numbers), [paths], del(.lines[0], .total), tojson, "
    "(tojson | fromjson)",
    ". as {a: $x} ?// [$x] ?// $x | [foreach .lines[] as $l (0; . + $l.q; [., $l])], [limit(1; "
    ".lines[])]",
    "(.lines[] | select(.sku == \"b\")).q += 5 | .lines | group_by(.sku) | map(add) | @json, @csv "
    "\"\\(map(1))\", @base64",
    ". * {customer: {x: 1}} | contains({customer: {x: 1}}), (.lines | flatten | transpose?), "
    "([.lines[].q] | add / 3)",
};
static const char *const VARIED_INPUT =
    "{\"orderId\":\"o1\",\"total\":12.5,\"customer\":{\"id\":\"c\"},\"lines\":[{\"sku\":\"a\","
    "\"q\":1},{\"sku\":\"b\",\"q\":2}]}";

static void test_expr__a_lack_of_memory_is_a_status(void **state)
{
    world *w = *state;
    for (size_t i = 0; i < sizeof VARIED / sizeof VARIED[0]; i++) {
        /* The bound of the arena is hit at every size there is between nothing and enough. */
        bool compiled = false;
        for (size_t size = 16; !compiled; size += 16) {
            base_arena arena;
            base_arena_init(&arena, size);
            const saga_expr *expr = NULL;
            base_error error = {0};
            const base_status status = saga_expr_compile(base_slice_of(VARIED[i]), NAMES,
                                                         NAME_COUNT, &arena, &expr, &error);
            compiled = status.code == BASE_OK;
            assert_true(compiled || status.code == BASE_OUT_OF_MEMORY);
            base_arena_deinit(&arena);
            assert_true(size < (size_t)1 << 20);
        }
        const base_value input = json(w, VARIED_INPUT);
        const saga_expr *expr = compile(w, VARIED[i]);
        bool done = false;
        for (size_t size = 16; !done; size += 16) {
            base_arena arena;
            base_arena_init(&arena, size);
            const base_value *outputs = NULL;
            size_t count = 0;
            base_error error = {0};
            const base_status status = saga_expr_eval_all(expr, &input, NULL, NO_LIMITS, 1000,
                                                          &arena, &outputs, &count, &error);
            done = status.code == BASE_OK;
            if (!done && status.code != BASE_OUT_OF_MEMORY) {
                fail_msg("%s with %zu bytes: %s", VARIED[i], size, error.text);
            }
            base_arena_deinit(&arena);
            assert_true(size < (size_t)1 << 20);
        }
    }
}

static void test_expr__a_chunk_that_cannot_be_had_is_a_status(void **state)
{
    world *w = *state;
    for (size_t i = 0; i < sizeof VARIED / sizeof VARIED[0]; i++) {
        const base_value input = json(w, VARIED_INPUT);
        const saga_expr *good = compile(w, VARIED[i]);
        for (size_t n = 1; n < 50; n++) {
            base_arena arena;
            base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
            base_arena_fail_at(n, true);
            const saga_expr *expr = NULL;
            const base_status compiled =
                saga_expr_compile(base_slice_of(VARIED[i]), NAMES, NAME_COUNT, &arena, &expr, NULL);
            const base_value *outputs = NULL;
            size_t count = 0;
            const base_status status = saga_expr_eval_all(good, &input, NULL, NO_LIMITS, 1000,
                                                          &arena, &outputs, &count, NULL);
            base_arena_fail_at(0, false);
            base_arena_deinit(&arena);
            assert_true(compiled.code == BASE_OK || compiled.code == BASE_OUT_OF_MEMORY);
            assert_true(status.code == BASE_OK || status.code == BASE_OUT_OF_MEMORY);
            if (compiled.code == BASE_OK && status.code == BASE_OK) {
                break;
            }
        }
    }
}

/* The same text gives the same bytes every time, also from an arena that was used before. */
static void test_expr__an_expression_can_be_used_again_and_again(void **state)
{
    world *w = *state;
    const base_value input = json(w, VARIED_INPUT);
    for (size_t i = 0; i < sizeof VARIED / sizeof VARIED[0]; i++) {
        const saga_expr *expr = compile(w, VARIED[i]);
        base_value first;
        assert_int_equal(
            saga_expr_eval(expr, &input, NULL, NO_LIMITS, &w->arena, &first, NULL).code, BASE_OK);
        const char *wanted = to_json(w, &first);
        base_arena arena;
        base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
        for (int turn = 0; turn < 20; turn++) {
            base_value value;
            base_slice text;
            assert_int_equal(
                saga_expr_eval(expr, &input, NULL, NO_LIMITS, &arena, &value, NULL).code, BASE_OK);
            assert_int_equal(base_value_json(&value, false, &arena, &text).code, BASE_OK);
            assert_true(base_slice_is(text, wanted));
            if (turn % 3 == 0) {
                base_arena_reset(&arena);
            }
        }
        base_arena_deinit(&arena);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_expr__##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_error_shows_the_line_and_a_caret),
        TEST(a_long_line_is_shown_around_the_place),
        TEST(names_near_by_are_proposed),
        TEST(what_is_not_repeatable_or_may_not_end_is_E105),
        TEST(what_is_not_covered_is_refused_by_name),
        TEST(a_text_has_a_greatest_size_and_depth),
        TEST(a_text_must_be_utf8),
        TEST(tells_whether_it_uses_its_input),
        TEST(tells_which_variables_and_members_it_uses),
        TEST(a_variable_that_is_not_used_needs_no_value),
        TEST(the_first_value_counts),
        TEST(errors_have_jqs_words),
        TEST(all_values_come_with_the_error_behind_them),
        TEST(bytes_pass_through),
        TEST(a_scalar_leaves_no_memory_behind),
        TEST(steps_are_bounded),
        TEST(memory_is_bounded),
        TEST(building_in_a_loop_is_cheap),
        TEST(a_large_map_leaves_with_an_index),
        TEST(a_value_is_no_deeper_than_others_are),
        TEST(a_lack_of_memory_is_a_status),
        TEST(a_chunk_that_cannot_be_had_is_a_status),
        TEST(an_expression_can_be_used_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
