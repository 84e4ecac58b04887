#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/value.h"

static void assert_json(const base_value *value, bool sorted, const char *expected)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_slice json = {NULL, 0};
    assert_int_equal(base_value_json(value, sorted, &arena, &json).code, BASE_OK);
    if (json.size != strlen(expected) || memcmp(json.data, expected, json.size) != 0) {
        fail_msg("%.*s, not %s", BASE_SLICE_ARG(json), expected);
    }
    base_arena_deinit(&arena);
}

static base_value number(const char *text)
{
    base_value value = {0};
    assert_int_equal(base_number_parse(base_slice_of(text), &value).code, BASE_OK);
    return value;
}

static void test_value_json__scalars(void **state)
{
    (void)state;
    const base_value null = base_value_null();
    const base_value yes = base_value_bool(true);
    const base_value no = base_value_bool(false);
    const base_value integer = base_value_integer(INT64_MIN);
    const base_value decimal = number("1.50");
    const base_value big = number("1E400");
    assert_json(&null, true, "null");
    assert_json(&yes, true, "true");
    assert_json(&no, true, "false");
    assert_json(&integer, true, "-9223372036854775808");
    assert_json(&decimal, true, "1.5");
    assert_json(&big, true, "1E400");
}

static void test_value_json__strings_are_escaped_as_rfc_8785_says(void **state)
{
    (void)state;
    base_value value = base_value_text("");
    assert_json(&value, true, "\"\"");
    value = base_value_string(base_slice_make(NULL, 0));
    assert_json(&value, true, "\"\"");
    value = base_value_string(base_slice_make("\0\x01\x1f\x7f", 4));
    assert_json(&value, true, "\"\\u0000\\u0001\\u001f\x7f\"");
    value = base_value_text("a\"b\\c/d\b\t\n\f\r");
    assert_json(&value, true, "\"a\\\"b\\\\c/d\\b\\t\\n\\f\\r\"");
    /* RFC 8785, 3.2.2: the string of its example */
    value = base_value_text("\xE2\x82\xAC$\x0F\nA'B\"\\\\\"/");
    assert_json(&value, true, "\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
}

static void test_value_json__bytes_are_base64(void **state)
{
    (void)state;
    /* RFC 4648, 10 */
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xFB\xFF\xFE", "+//+"},
    };
    for (size_t index = 0; index < sizeof(pairs) / sizeof(pairs[0]); index++) {
        char expected[64];
        (void)snprintf(expected, sizeof(expected), "{\"$bytes\":\"%s\"}", pairs[index][1]);
        const base_value value = base_value_bytes(base_slice_of(pairs[index][0]));
        assert_json(&value, true, expected);
    }
}

static void test_value_json__keys_are_sorted_by_code_point_or_kept(void **state)
{
    (void)state;
    const base_member members[] = {
        {.key = base_slice_of("b"), .value = base_value_integer(1)},
        {.key = base_slice_of("\xF0\x9F\x8E\xAD"), .value = base_value_integer(2)}, /* U+1F3AD */
        {.key = base_slice_of("\xEF\xBF\xBD"), .value = base_value_integer(3)},     /* U+FFFD */
        {.key = base_slice_of("aa"), .value = base_value_integer(4)},
        {.key = base_slice_of(""), .value = base_value_integer(5)},
        {.key = base_slice_of("a"), .value = base_value_integer(6)},
    };
    const base_value map = base_value_map(members, 6);
    assert_json(&map, true,
                "{\"\":5,\"a\":6,\"aa\":4,\"b\":1,\"\xEF\xBF\xBD\":3,\"\xF0\x9F\x8E\xAD\":2}");
    assert_json(&map, false,
                "{\"b\":1,\"\xF0\x9F\x8E\xAD\":2,\"\xEF\xBF\xBD\":3,\"aa\":4,\"\":5,\"a\":6}");
}

static void test_value_json__lists_and_maps_nest(void **state)
{
    (void)state;
    const base_value empty_list = base_value_list(NULL, 0);
    const base_value empty_map = base_value_map(NULL, 0);
    assert_json(&empty_list, true, "[]");
    assert_json(&empty_map, true, "{}");
    const base_value inner[] = {base_value_integer(1), empty_list, empty_map, base_value_null()};
    const base_member members[] = {
        {.key = base_slice_of("z"), .value = base_value_list(inner, 4)},
        {.key = base_slice_of("a"), .value = base_value_bool(true)},
    };
    const base_value items[] = {base_value_map(members, 2), base_value_text("x")};
    const base_value list = base_value_list(items, 2);
    assert_json(&list, true, "[{\"a\":true,\"z\":[1,[],{},null]},\"x\"]");
    assert_json(&list, false, "[{\"z\":[1,[],{},null],\"a\":true},\"x\"]");
}

static void test_value_json__nesting_has_a_bound(void **state)
{
    (void)state;
    base_value levels[BASE_VALUE_DEPTH_MAX + 2];
    levels[0] = base_value_list(NULL, 0);
    for (size_t depth = 1; depth < BASE_VALUE_DEPTH_MAX + 2; depth++) {
        levels[depth] = base_value_list(&levels[depth - 1], 1);
    }
    base_arena arena;
    base_arena_init(&arena, 65536);
    base_slice json = {NULL, 0};
    assert_int_equal(base_value_json(&levels[BASE_VALUE_DEPTH_MAX], true, &arena, &json).code,
                     BASE_TOO_LARGE);
    assert_null(json.data);
    assert_int_equal(base_value_json(&levels[BASE_VALUE_DEPTH_MAX - 1], true, &arena, &json).code,
                     BASE_OK);
    assert_int_equal(json.size, 2 * BASE_VALUE_DEPTH_MAX);
    base_arena_deinit(&arena);
}

static void test_value_json__without_memory_there_is_a_status(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 't', sizeof(text));
    const base_value items[] = {base_value_string(base_slice_make(text, sizeof(text))),
                                base_value_string(base_slice_make(text, sizeof(text)))};
    const base_value list = base_value_list(items, 2);
    base_code code = BASE_OUT_OF_MEMORY;
    size_t failures = 0;
    for (size_t size_max = 0; code != BASE_OK; size_max += 64) {
        base_arena arena;
        base_arena_init(&arena, size_max);
        base_slice json = {NULL, 0};
        code = base_value_json(&list, true, &arena, &json).code;
        if (code != BASE_OK) {
            assert_int_equal(code, BASE_OUT_OF_MEMORY);
            assert_null(json.data);
            failures++;
        }
        base_arena_deinit(&arena);
    }
    assert_true(failures >= 2007 / 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_json__scalars),
        cmocka_unit_test(test_value_json__strings_are_escaped_as_rfc_8785_says),
        cmocka_unit_test(test_value_json__bytes_are_base64),
        cmocka_unit_test(test_value_json__keys_are_sorted_by_code_point_or_kept),
        cmocka_unit_test(test_value_json__lists_and_maps_nest),
        cmocka_unit_test(test_value_json__nesting_has_a_bound),
        cmocka_unit_test(test_value_json__without_memory_there_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
