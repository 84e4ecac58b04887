#include <unistd.h>

#include "samples.h"
#include "schemas/yaml.h"

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
    return schema_yaml_read(base_slice_make(text, size), base_slice_of("x.yaml"), &f->arena,
                            &f->value, &f->error)
        .code;
}

static void assert_reads(fixture *f, const char *text, const char *expected)
{
    base_slice json;
    if (read_size(f, text, strlen(text)) != BASE_OK) {
        fail_msg("%s: %s", text, f->error.text);
    }
    assert_int_equal(base_value_json(&f->value, false, &f->arena, &json).code, BASE_OK);
    const base_slice copy = base_arena_copy(&f->arena, json);
    assert_string_equal(copy.data, expected);
}

static void assert_refused(fixture *f, const char *text, uint32_t line, uint32_t column,
                           const char *message)
{
    assert_int_equal(read_size(f, text, strlen(text)), BASE_BAD_INPUT);
    assert_string_equal(f->error.text, message);
    assert_string_equal(f->error.path, "x.yaml");
    assert_int_equal(f->error.line, line);
    assert_int_equal(f->error.column, column);
}

static void test_yaml__resolves_plain_scalars_by_the_core_schema(void **state)
{
    assert_reads(*state, "[null, Null, NULL, ~, nUll]", "[null,null,null,null,\"nUll\"]");
    assert_reads(*state, "[true, True, TRUE, false, False, FALSE, tRue]",
                 "[true,true,true,false,false,false,\"tRue\"]");
    assert_reads(*state, "[no, off, on, yes, NO, y, n, Yes]",
                 "[\"no\",\"off\",\"on\",\"yes\",\"NO\",\"y\",\"n\",\"Yes\"]");
    assert_reads(*state, "[0777, 1_000, 0, 00, 08, -07]",
                 "[\"0777\",\"1_000\",0,\"00\",\"08\",\"-07\"]");
    assert_reads(*state, "[0o17, 0xFf, 0x, 0o8, -0x1]", "[15,255,\"0x\",\"0o8\",\"-0x1\"]");
    assert_reads(*state, "[1, +1, -1, -0, 9223372036854775807, 9223372036854775808]",
                 "[1,1,-1,0,9223372036854775807,9223372036854775808]");
    assert_reads(*state, "[1.5, .5, +.5, -.5, 1., 1e3, 1E+3, 1.5e-1, 0.10]",
                 "[1.5,0.5,0.5,-0.5,1,1000,1000,0.15,0.1]");
    assert_reads(*state, "[., +, -x, 1.2.3, 1e, e1, 1:30, 2001-01-01, 30s]",
                 "[\".\",\"+\",\"-x\",\"1.2.3\",\"1e\",\"e1\",\"1:30\",\"2001-01-01\",\"30s\"]");
    assert_reads(*state, "[0x7fffffffffffffff, 0o777777777777777777777]",
                 "[9223372036854775807,9223372036854775807]");
}

static void test_yaml__keeps_quoted_and_block_scalars_as_text(void **state)
{
    assert_reads(*state, "['1', \"true\", '', \"\\u00e9\\n\", 'it''s']",
                 "[\"1\",\"true\",\"\",\"\xC3\xA9\\n\",\"it's\"]");
    assert_reads(*state, "a: |\n  1\n   x\nb: >-\n  no\n  y\n",
                 "{\"a\":\"1\\n x\\n\",\"b\":\"no y\"}");
    assert_reads(*state, "a: b c\n  d\n", "{\"a\":\"b c d\"}");
}

static void test_yaml__reads_mappings_and_lists(void **state)
{
    assert_reads(*state, "# only a comment\n", "null");
    assert_reads(*state, "", "null");
    assert_reads(*state, "a:\nb: {c: , d: [1, {e: f}]}\n'g': \n- h\n",
                 "{\"a\":null,\"b\":{\"c\":null,\"d\":[1,{\"e\":\"f\"}]},\"g\":[\"h\"]}");
    assert_reads(*state, "when: { any: [fraud.cleared, review.approved] } # x\n",
                 "{\"when\":{\"any\":[\"fraud.cleared\",\"review.approved\"]}}");
    assert_reads(*state, "true: 1\non: 2\n1: 3\n", "{\"true\":1,\"on\":2,\"1\":3}");
    assert_reads(*state, "%YAML 1.1\n---\na: no\n...\n", "{\"a\":\"no\"}");
}

static void test_yaml__places_keys_and_values(void **state)
{
    fixture *f = *state;
    assert_reads(f, "a: 1\nsteps:\n  ship: { x:   y }\n  e: \n  - z\n",
                 "{\"a\":1,\"steps\":{\"ship\":{\"x\":\"y\"},\"e\":[\"z\"]}}");
    const base_value *steps = &f->value.members[1].value;
    const base_value *ship = &steps->members[0].value;
    assert_int_equal(f->value.members[0].value.place, base_place_make(1, 4));
    assert_int_equal(f->value.members[1].key_place, base_place_make(2, 1));
    assert_int_equal(steps->members[0].key_place, base_place_make(3, 3));
    assert_int_equal(ship->place, base_place_make(3, 9));
    assert_int_equal(ship->members[0].key_place, base_place_make(3, 11));
    assert_int_equal(ship->members[0].value.place, base_place_make(3, 16));
    assert_int_equal(steps->members[1].value.items[0].place, base_place_make(5, 5));
    assert_reads(f, "\n  b:\n", "{\"b\":null}");
    assert_int_equal(f->value.members[0].value.place, base_place_make(2, 3));
}

static void test_yaml__refuses_what_is_no_plain_tree(void **state)
{
    assert_refused(*state, "a: &x 1\nb: *x\n", 1, 4, "anchors (&name) are not supported");
    assert_refused(*state, "a: &x [1]\n", 1, 4, "anchors (&name) are not supported");
    assert_refused(*state, "a: 1\nb: *x\n", 2, 4, "aliases (*name) are not supported");
    assert_refused(*state, "a: !!str 1\n", 1, 4, "tags (!name) are not supported");
    assert_refused(*state, "a: !x {b: 1}\n", 1, 4, "tags (!name) are not supported");
    assert_refused(*state, "--- 1\n--- 2\n", 2, 1, "a second document (---) in one file");
    assert_refused(*state, "a: 1\nb: 2\na: 3\n", 3, 1, "the key \"a\" stands twice");
    assert_refused(*state, "a: {b: 1, b: 2}\n", 1, 11, "the key \"b\" stands twice");
    assert_refused(*state, "? [a]\n: b\n", 1, 3, "a key must be a text, not a list or a mapping");
    assert_refused(*state, "{{a: b}: c}\n", 1, 2, "a key must be a text, not a list or a mapping");
    assert_refused(*state, "a:\n  <<: 1\n", 2, 3, "merge keys (<<) are not supported");
    assert_refused(*state, "a: .inf\n", 1, 4, "infinity and NaN are no numbers here");
    assert_refused(*state, "a: -.INF\n", 1, 4, "infinity and NaN are no numbers here");
    assert_refused(*state, "a: .nan\n", 1, 4, "infinity and NaN are no numbers here");
    assert_refused(*state, "a: 0x8000000000000000\n", 1, 4, "the number is too large");
    assert_refused(*state, "{\"a\n b\": 1}\n", 1, 2, "a key must stand on one line");
    assert_refused(*state, "{: 1}\n", 1, 1, "a key is missing before ':'");
}

static void test_yaml__says_where_libfyaml_stopped(void **state)
{
    assert_refused(*state, "a: [1\n", 2, 1, "flow sequence without a closing bracket");
    assert_refused(*state, "a:\n  x: 1\n y: 2\n", 3, 2, "invalid indentation in mapping");
    assert_refused(*state, "a: \"x\\q\"\n", 1, 6, "invalid escape 'q' in double-quoted string");
    assert_refused(*state, "a: @x\n", 1, 4, "plain scalar cannot start with '@'");
    assert_refused(*state, "\ta: 1\n", 1, 1, "invalid tab as indendation in a mapping");
}

static void test_yaml__refuses_bytes_that_are_no_text(void **state)
{
    fixture *f = *state;
    assert_refused(f, "a: \x01\n", 1, 4, "control character 0x01 in the text");
    assert_refused(f, "a: 1\nb: \xFF\n", 0, 0, "the text is not UTF-8");
    assert_int_equal(read_size(f, "a: \0", 4), BASE_BAD_INPUT);
    assert_refused(f, "? a: \t:", 0, 0, "explicit keys (?) and tabs in one text are not supported");
    assert_reads(f, "? a\n: what? yes\n", "{\"a\":\"what? yes\"}");
    assert_reads(f, "a: what?\t# c\n", "{\"a\":\"what?\"}");
    assert_int_equal(read_size(f, "", SCHEMA_YAML_SIZE_MAX + 1), BASE_TOO_LARGE);
}

static void test_yaml__bounds_depth(void **state)
{
    fixture *f = *state;
    char text[2 * BASE_VALUE_DEPTH_MAX + 3];
    for (size_t depth = 16; depth <= BASE_VALUE_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        const base_code code = read_size(f, text, 2 * depth);
        if (depth > BASE_VALUE_DEPTH_MAX) {
            assert_int_not_equal(code, BASE_OK);
        }
        if (depth <= 60) {
            assert_int_equal(code, BASE_OK);
        }
    }
}

/* Pieces of YAML in any order: nothing crashes, nothing is printed, every refusal has a message. */
static void test_yaml__survives_random_texts(void **state)
{
    static const char *const pieces[] = {"a: ",
                                         "b:\n",
                                         "  ",
                                         "- ",
                                         "\n",
                                         "[",
                                         "]",
                                         "{",
                                         "}",
                                         ",",
                                         "\"x\"",
                                         "'y'",
                                         "|\n",
                                         ">-\n",
                                         "# c\n",
                                         "&x ",
                                         "*x",
                                         "!!str ",
                                         "---\n",
                                         "...\n",
                                         "? ",
                                         ": ",
                                         "<<: ",
                                         "1.5",
                                         "0o17",
                                         "\t",
                                         "\\",
                                         "\"",
                                         "'",
                                         "%YAML 1.2\n",
                                         "\xC3\xA9",
                                         "~",
                                         "\r\n",
                                         "@",
                                         "`",
                                         "\xEF\xBB\xBF",
                                         "\xE2\x80\xA8",
                                         "\"\\x80\"",
                                         "\"\\ud800\""};
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    for (size_t i = 0; i < 20000; i++) {
        char text[256];
        size_t size = 0;
        const size_t count = sample_below(&s, 14);
        for (size_t k = 0; k < count; k++) {
            const char *piece = pieces[sample_below(&s, sizeof(pieces) / sizeof(pieces[0]))];
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s", piece);
        }
        if (size > 0 && sample_below(&s, 4) == 0) {
            text[sample_below(&s, size)] = (char)sample_below(&s, 256);
        }
        char *exact = malloc(size + 1);
        memcpy(exact, text, size);
        exact = realloc(exact, size > 0 ? size : 1);
        base_arena_reset(&f->arena);
        const base_code code = read_size(f, exact, size);
        if (code != BASE_OK && f->error.text[0] == '\0') {
            fail_msg("no message for %.*s", (int)size, text);
        }
        free(exact);
    }
}

static void test_yaml__prints_nothing(void **state)
{
    char name[] = "/tmp/troupe-yaml-XXXXXX";
    const int file = mkstemp(name);
    assert_true(file >= 0);
    (void)fflush(stderr);
    const int kept = dup(STDERR_FILENO);
    (void)dup2(file, STDERR_FILENO);
    (void)read_size(*state, "a: [1\nb: \"\\q\n", 13);
    (void)read_size(*state, "a: *x\n\tb", 8);
    (void)fflush(stderr);
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
    const off_t size = lseek(file, 0, SEEK_END);
    (void)close(file);
    (void)unlink(name);
    assert_int_equal(size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_yaml__resolves_plain_scalars_by_the_core_schema, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_yaml__keeps_quoted_and_block_scalars_as_text, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_yaml__reads_mappings_and_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yaml__places_keys_and_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yaml__refuses_what_is_no_plain_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yaml__says_where_libfyaml_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yaml__refuses_bytes_that_are_no_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yaml__bounds_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yaml__survives_random_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yaml__prints_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
