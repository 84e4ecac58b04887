#include <jansson.h>

#include "samples.h"
#include "schemas/json.h"

typedef struct fixture {
    base_arena arena;
    base_error error;
    base_value value;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    base_arena_init(&f->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    base_arena_deinit(&f->arena);
    free(f);
    return 0;
}

static base_code read_size(fixture *f, const char *text, size_t size)
{
    base_error_clear(&f->error);
    return schema_json_read(base_slice_make(text, size), NULL, &f->arena, &f->value, &f->error)
        .code;
}

static base_code read_text(fixture *f, const char *text)
{
    return read_size(f, text, strlen(text));
}

/* The text reads, and writes as `expected`. */
static void assert_reads(fixture *f, const char *text, const char *expected)
{
    base_slice json;
    if (read_text(f, text) != BASE_OK) {
        fail_msg("%s: %s", text, f->error.text);
    }
    assert_int_equal(base_value_json(&f->value, false, &f->arena, &json).code, BASE_OK);
    const base_slice copy = base_arena_copy(&f->arena, json);
    assert_string_equal(copy.data, expected);
}

static void assert_refused(fixture *f, const char *text, uint32_t line, uint32_t column,
                           const char *message)
{
    assert_int_equal(read_text(f, text), BASE_BAD_INPUT);
    assert_string_equal(f->error.text, message);
    assert_int_equal(f->error.line, line);
    assert_int_equal(f->error.column, column);
}

static void test_json__reads_every_kind_of_value(void **state)
{
    assert_reads(*state, "null", "null");
    assert_reads(*state, " [true, false ,null] ", "[true,false,null]");
    assert_reads(*state, "{}", "{}");
    assert_reads(*state, "[]", "[]");
    assert_reads(*state, "[[],{},[{}]]", "[[],{},[{}]]");
    assert_reads(*state, "{\"b\":1,\"a\":{\"c\":[1,2,{\"d\":\"e\"}]}}",
                 "{\"b\":1,\"a\":{\"c\":[1,2,{\"d\":\"e\"}]}}");
    assert_reads(*state, "\xEF\xBB\xBF 1", "1");
}

static void test_json__keeps_numbers_exact(void **state)
{
    fixture *f = *state;
    assert_reads(f, "9007199254740993", "9007199254740993");
    assert_reads(f, "-9223372036854775808", "-9223372036854775808");
    assert_reads(f, "0.1", "0.1");
    assert_reads(f, "100.50", "100.5");
    assert_reads(f, "1e2", "100");
    assert_reads(f, "-0", "0");
    assert_reads(f, "123456789012345678901234567890", "123456789012345678901234567890");
    assert_int_equal(f->value.kind, BASE_NUMBER_TEXT);
}

static void test_json__unescapes_strings(void **state)
{
    fixture *f = *state;
    assert_reads(f, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"",
                 "\"\\\"\\\\/\\b\\f\\n\\r\\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
    assert_int_equal(read_text(f, "\"a\\u0000b\""), BASE_OK);
    assert_int_equal(f->value.size, 3);
    assert_memory_equal(f->value.bytes, "a\0b", 3);
    assert_reads(f, "{\"a\\u0062\":1}", "{\"ab\":1}");
}

static void test_json__says_where_and_what_is_wrong(void **state)
{
    fixture *f = *state;
    assert_refused(f, "", 1, 1, "expected a value, found the end of the text");
    assert_refused(f, "{\"a\": 1,\n \"b\" 2}", 2, 6, "expected ':', found '2'");
    assert_refused(f, "[1,\n\n  2 3]", 3, 5, "expected ',' or ']', found '3'");
    assert_refused(f, "[1,]", 1, 4, "expected a value, found ']'");
    assert_refused(f, "{\"a\":1,}", 1, 8, "expected a key in quotes, found '}'");
    assert_refused(f, "{a:1}", 1, 2, "expected a key in quotes, found 'a'");
    assert_refused(f, "[1}", 1, 3, "expected ',' or ']', found '}'");
    assert_refused(f, "1 2", 1, 3, "expected the end of the text, found '2'");
    assert_refused(f, "tru", 1, 1, "expected a value, found 't'");
    assert_refused(f, "nullx", 1, 5, "expected the end of the text, found 'x'");
    assert_refused(f, "[01]", 1, 2, "\"01\" is no JSON number");
    assert_refused(f, "1.", 1, 1, "\"1.\" is no JSON number");
    assert_refused(f, "[\"\xC3\xA9\", +1]", 1, 7, "expected a value, found '+'");
    assert_refused(f, "\"abc", 1, 1, "the string does not end");
    assert_refused(f, "\"abc\\", 1, 1, "the string does not end");
    assert_refused(f, "\"a\tb\"", 1, 3, "a control character in a string");
    assert_refused(f, "\"\\x\"", 1, 2, "no such escape in a string");
    assert_refused(f, "\"\\ud83d\"", 1, 2, "half a surrogate pair in a string");
    assert_refused(f, "\"\\ude00\"", 1, 2, "half a surrogate pair in a string");
    assert_refused(f, "\"\\ud83d\\u0041\"", 1, 2, "half a surrogate pair in a string");
    assert_refused(f, "\"\\ud83d\\ud83d\"", 1, 2, "half a surrogate pair in a string");
    assert_refused(f, "\"\\ud83d\\ue000\"", 1, 2, "half a surrogate pair in a string");
    assert_refused(f, "\"\xFF\"", 1, 1, "the string is not UTF-8");
    assert_refused(f, "\"\xED\xA0\x80\"", 1, 1, "the string is not UTF-8");
    assert_refused(f, "\x80", 1, 1, "expected a value, found byte 0x80");
    assert_refused(f, "NaN", 1, 1, "expected a value, found 'N'");
}

static void test_json__refuses_a_key_that_stands_twice(void **state)
{
    assert_refused(*state, "{\"a\": 1,\n  \"b\": 2,\n  \"a\": 3}", 3, 3,
                   "the key \"a\" stands twice");
    assert_refused(*state, "{\"a\": 1, \"\\u0061\": 3}", 1, 10, "the key \"a\" stands twice");
}

static void test_json__bounds_depth_and_size(void **state)
{
    fixture *f = *state;
    char text[2 * BASE_VALUE_DEPTH_MAX + 3];
    memset(text, '[', BASE_VALUE_DEPTH_MAX);
    memset(text + BASE_VALUE_DEPTH_MAX, ']', BASE_VALUE_DEPTH_MAX);
    assert_int_equal(read_size(f, text, (size_t)2 * BASE_VALUE_DEPTH_MAX), BASE_OK);
    memset(text, '[', BASE_VALUE_DEPTH_MAX + 1);
    assert_int_equal(read_size(f, text, BASE_VALUE_DEPTH_MAX + 1), BASE_TOO_LARGE);
    const schema_json_options options = {
        .size_max = 4, .depth_max = 1, .path = base_slice_of("orders")};
    base_error_clear(&f->error);
    assert_int_equal(
        schema_json_read(base_slice_of("[  ]"), &options, &f->arena, &f->value, &f->error).code,
        BASE_OK);
    assert_int_equal(
        schema_json_read(base_slice_of("[   ]"), &options, &f->arena, &f->value, &f->error).code,
        BASE_TOO_LARGE);
    assert_string_equal(f->error.path, "orders");
    assert_int_equal(
        schema_json_read(base_slice_of("[[]]"), &options, &f->arena, &f->value, NULL).code,
        BASE_TOO_LARGE);
}

static void test_json__puts_places_where_asked(void **state)
{
    fixture *f = *state;
    const schema_json_options options = {.places = true};
    const char *text = "{ \"a\": [1,\n   2],\n  \"\xC3\xA9\": {}, \"c\": \"x\"}";
    assert_int_equal(
        schema_json_read(base_slice_of(text), &options, &f->arena, &f->value, NULL).code, BASE_OK);
    assert_int_equal(f->value.place, base_place_make(1, 1));
    assert_int_equal(f->value.members[0].key_place, base_place_make(1, 3));
    assert_int_equal(f->value.members[0].value.place, base_place_make(1, 8));
    assert_int_equal(f->value.members[0].value.items[1].place, base_place_make(2, 4));
    assert_int_equal(f->value.members[1].key_place, base_place_make(3, 3));
    assert_int_equal(f->value.members[1].value.place, base_place_make(3, 8));
    assert_int_equal(f->value.members[2].value.place, base_place_make(3, 17));
}

static void test_json__gives_out_of_memory_at_every_allocation(void **state)
{
    fixture *f = *state;
    (void)f;
    for (size_t size = 64; size < 20000; size += 64) {
        base_arena arena;
        base_value value;
        base_arena_init(&arena, size);
        const base_code code =
            schema_json_read(
                base_slice_of("{\"a\":[1,2,3,4,5,{\"b\\n\":\"c\\n\"}],\"d\":{\"e\":{}}}"), NULL,
                &arena, &value, NULL)
                .code;
        assert_true(code == BASE_OK || code == BASE_OUT_OF_MEMORY);
        base_arena_deinit(&arena);
    }
}

/* ---- jansson as the oracle: it must accept and refuse the same texts, and see the same tree ----
 */

/* NOLINTNEXTLINE(misc-no-recursion) */
static void assert_same(const base_value *ours, const json_t *theirs)
{
    switch (json_typeof(theirs)) {
    case JSON_NULL:
        assert_int_equal(ours->kind, BASE_NULL);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        assert_int_equal(ours->kind, BASE_BOOL);
        assert_int_equal(ours->truth, json_is_true(theirs));
        break;
    case JSON_INTEGER:
        assert_int_equal(ours->kind, BASE_INTEGER);
        assert_int_equal(ours->integer, json_integer_value(theirs));
        break;
    case JSON_REAL:
        assert_true(base_value_is_number(ours));
        break;
    case JSON_STRING:
        assert_int_equal(ours->kind, BASE_STRING);
        assert_int_equal(ours->size, json_string_length(theirs));
        assert_memory_equal(ours->bytes, json_string_value(theirs), ours->size);
        break;
    case JSON_ARRAY:
        assert_int_equal(ours->kind, BASE_LIST);
        assert_int_equal(ours->size, json_array_size(theirs));
        for (size_t i = 0; i < ours->size; i++) {
            assert_same(&ours->items[i], json_array_get(theirs, i));
        }
        break;
    case JSON_OBJECT:
        assert_int_equal(ours->kind, BASE_MAP);
        assert_int_equal(ours->size, json_object_size(theirs));
        for (size_t i = 0; i < ours->size; i++) {
            char key[256];
            (void)snprintf(key, sizeof(key), "%.*s", BASE_SLICE_ARG(ours->members[i].key));
            assert_non_null(json_object_get(theirs, key));
            assert_same(&ours->members[i].value, json_object_get(theirs, key));
        }
        break;
    }
}

/* A text near to JSON: pieces of it in a mostly right order, then a few bytes changed. */
static size_t random_text(sampler *s, char *text, size_t size_max)
{
    static const char *const pieces[] = {"{",           "}",      "[",
                                         "]",           ",",      ":",
                                         "\"a\"",       "\"b\":", "\"c\\u00e9\"",
                                         "1",           "-2.5",   "1e3",
                                         "true",        "false",  "null",
                                         " ",           "\n",     "\"\\ud83d\\ude00\"",
                                         "12345678901", "0",      "\"\"",
                                         "{\"x\":1}",   "[1,2]",  "{\"y\":[{}]}"};
    size_t size = 0;
    const size_t count = 1 + sample_below(s, 12);
    for (size_t i = 0; i < count; i++) {
        const char *piece = pieces[sample_below(s, sizeof(pieces) / sizeof(pieces[0]))];
        if (size + strlen(piece) + 1 < size_max) {
            size += (size_t)snprintf(text + size, size_max - size, "%s", piece);
        }
    }
    if (sample_below(s, 4) == 0) {
        text[sample_below(s, size)] = (char)(1 + sample_below(s, 255));
    }
    return size;
}

static void test_json__agrees_with_jansson(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    size_t accepted = 0;
    for (size_t i = 0; i < 60000; i++) {
        char text[512];
        const size_t size = random_text(&s, text, sizeof(text));
        base_arena_reset(&f->arena);
        const base_code ours = read_size(f, text, size);
        json_error_t said;
        json_t *theirs = json_loadb(
            text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &said);
        if (theirs == NULL && json_error_code(&said) == json_error_numeric_overflow) {
            continue; /* the reason why jansson is not what reads here */
        }
        if ((ours == BASE_OK) != (theirs != NULL)) {
            fail_msg("%.*s: we say %d, jansson %s", (int)size, text, (int)ours,
                     theirs != NULL ? "accepts" : "refuses");
        }
        if (theirs != NULL) {
            accepted++;
            assert_same(&f->value, theirs);
            json_decref(theirs);
        }
    }
    assert_true(accepted > 1000);
}

static void test_json__survives_random_bytes(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    for (size_t i = 0; i < 20000; i++) {
        const size_t size = sample_below(&s, 64);
        char *text =
            malloc(size + 1); /* exactly as long as said, so that a step past the end is seen */
        for (size_t k = 0; k < size; k++) {
            static const char often[] = "{}[]\",:\\u0e1-.d8";
            text[k] = sample_below(&s, 3) == 0 ? (char)sample_below(&s, 256)
                                               : often[sample_below(&s, sizeof(often) - 1)];
        }
        char *exact = realloc(text, size > 0 ? size : 1);
        base_arena_reset(&f->arena);
        const base_code code = read_size(f, exact, size);
        assert_true(code == BASE_OK || code == BASE_BAD_INPUT);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_json__reads_every_kind_of_value, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json__keeps_numbers_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json__unescapes_strings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json__says_where_and_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json__refuses_a_key_that_stands_twice, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_json__bounds_depth_and_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json__puts_places_where_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json__gives_out_of_memory_at_every_allocation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_json__agrees_with_jansson, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json__survives_random_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
