/* Compatibility of Avro schemas: the verdicts of Apache Avro's checker, reasons, paths and modes.
 * */
#include "samples.h"
#include "schemas/avro_compat.h"
#include "schemas/json.h"

#define VERDICTS TEST_SOURCE_DIR "/data/avro-compat-verdicts/verdicts.jsonl"

typedef struct fixture {
    base_arena arena;
    base_error error;
    schema_avro_verdict verdict;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    base_arena_init(&f->arena, 4 * BASE_ARENA_SIZE_DEFAULT_MAX);
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

static const schema_avro *schema_of(fixture *f, base_slice text)
{
    const schema_avro *schema = NULL;
    base_error_clear(&f->error);
    if (base_failed(
            schema_avro_read(text, base_slice_of("a.avsc"), &f->arena, &schema, &f->error))) {
        fail_msg("%.*s: %s", BASE_SLICE_ARG(text), f->error.text);
    }
    return schema;
}

static bool compatible(fixture *f, base_slice reader, base_slice writer)
{
    assert_int_equal(schema_avro_compat(schema_of(f, reader), schema_of(f, writer), &f->arena,
                                        &f->verdict, &f->error)
                         .code,
                     BASE_OK);
    assert_int_equal(f->verdict.compatible, f->verdict.reason_count == 0);
    return f->verdict.compatible;
}

static bool fits(fixture *f, const char *reader, const char *writer)
{
    return compatible(f, base_slice_of(reader), base_slice_of(writer));
}

static void assert_reason(fixture *f, size_t index, const char *path, const char *text)
{
    assert_true(index < f->verdict.reason_count);
    const schema_avro_reason *reason = &f->verdict.reasons[index];
    if (!base_slice_is(reason->path, path) || !base_slice_is(reason->text, text)) {
        fail_msg("reason %zu is %.*s at \"%.*s\"", index, BASE_SLICE_ARG(reason->text),
                 BASE_SLICE_ARG(reason->path));
    }
}

/* The schema of a verdict's line, as text. */
static base_slice text_of(fixture *f, const base_value *line, const char *key)
{
    base_slice json;
    assert_int_equal(base_value_json(base_map_get_text(line, key), false, &f->arena, &json).code,
                     BASE_OK);
    return json;
}

static void test_avro_compat__recorded_verdicts_and_their_kinds_hold(void **state)
{
    fixture *f = *state;
    char *text = file_text(VERDICTS);
    size_t count = 0;
    for (char *at = text, *end = NULL; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        base_value line;
        *end = '\0';
        base_error_clear(&f->error);
        assert_int_equal(
            schema_json_read(base_slice_of(at), NULL, &f->arena, &line, &f->error).code, BASE_OK);
        const bool expected = base_map_get_text(&line, "compatible")->truth;
        const base_value *kinds = base_map_get_text(&line, "incompatibilities");
        if (compatible(f, text_of(f, &line, "reader"), text_of(f, &line, "writer")) != expected) {
            fail_msg("verdict: %s", at);
        }
        assert_int_equal(f->verdict.reason_count, kinds->size);
        for (size_t i = 0; i < kinds->size; i++) {
            const char *kind = schema_avro_flaw_name(f->verdict.reasons[i].flaw);
            if (!base_slice_is(base_value_slice(&kinds->items[i]), kind)) {
                fail_msg("%s: %s", kind, at);
            }
        }
        count++;
    }
    assert_int_equal(count, 78);
    free(text);
}

static void test_avro_compat__reasons_say_what_and_where_in_order(void **state)
{
    fixture *f = *state;
    assert_false(fits(
        f,
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
        "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"int\"}},"
        "{\"name\":\"n\",\"type\":\"string\"},"
        "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"int\"]}},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}},"
        "{\"name\":\"d\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\","
        "\"precision\":9,\"scale\":3}}]}",
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
        "{\"name\":\"d\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\","
        "\"precision\":9,\"scale\":2}},"
        "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"
        "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"long\"}},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"B\",\"C\"]}}]"
        "}"));
    assert_int_equal(f->verdict.reason_count, 5);
    assert_reason(f, 0, "/fields/1",
                  "field \"n\" of record \"R\" is not written and has no default");
    assert_reason(f, 1, "/fields/4/type", "decimal(9,3) cannot read decimal(9,2)");
    assert_reason(f, 2, "/fields/0/type/items", "int cannot read string");
    assert_reason(f, 3, "/fields/2/type/values", "no branch of the union reads long");
    assert_reason(f, 4, "/fields/3/type",
                  "enum \"E\" lacks symbol \"B\" and others and has no default");
}

#define LIST(type, next)                                                                           \
    "{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"v\",\"type\":\"" type             \
    "\"},{\"name\":\"n\",\"type\":[\"null\"," next "]}]}"

static void test_avro_compat__recursive_schemas_are_compared(void **state)
{
    fixture *f = *state;
    assert_true(fits(f, LIST("long", "\"L\""), LIST("int", "\"L\"")));
    assert_false(fits(f, LIST("int", "\"L\""), LIST("long", "\"L\"")));
    assert_reason(f, 0, "/fields/0/type", "int cannot read long");
    /* unrolled once by the one, not by the other */
    const char *inner =
        "{\"type\":\"record\",\"name\":\"z.L\",\"fields\":[{\"name\":\"v\",\"type\":"
        "\"int\"},{\"name\":\"n\",\"type\":[\"null\",\"L\"]}]}";
    char text[512];
    snprintf(text, sizeof(text),
             "{\"type\":\"record\",\"name\":\"a.L\",\"fields\":[{\"name\":\"v\",\"type\":\"int\"},"
             "{\"name\":\"n\",\"type\":[\"null\",%s]}]}",
             inner);
    assert_true(fits(f, LIST("int", "\"L\""), text));
    assert_true(fits(f, text, LIST("int", "\"L\"")));
}

static void test_avro_compat__names_match_by_alias_and_last_part(void **state)
{
    fixture *f = *state;
#define NAMED(name, rest) "{\"type\":\"enum\",\"name\":\"" name "\"," rest "\"symbols\":[\"A\"]}"
    assert_true(fits(f, NAMED("a.E", ""), NAMED("b.E", "")));
    assert_false(fits(f, NAMED("a.E", ""), NAMED("a.F", "")));
    assert_reason(f, 0, "", "enum \"a.E\" cannot read enum \"a.F\"");
    assert_true(fits(f, NAMED("a.E", "\"aliases\":[\"F\"],"), NAMED("a.F", "")));
    assert_false(fits(f, NAMED("a.E", "\"aliases\":[\"F\"],"), NAMED("b.F", "")));
}

static void test_avro_compat__modes_look_both_ways_and_back(void **state)
{
    fixture *f = *state;
#define ONE "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}"
#define TWO                                                                                        \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"           \
    "{\"name\":\"b\",\"type\":\"int\",\"default\":0}]}"
#define THREE                                                                                      \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"           \
    "{\"name\":\"b\",\"type\":\"int\"}]}"
#define FOUR "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"long\"}]}"
    const schema_avro *const earlier[] = {schema_of(f, base_slice_of(ONE)),
                                          schema_of(f, base_slice_of(TWO))};
    static const struct {
        const char *newest;
        bool expected[SCHEMA_AVRO_MODE_COUNT];
    } CASES[] = {
        /*        none backward+ forward+ full+ */
        {ONE, {true, true, true, true, true, true, true}},
        {THREE, {true, true, false, true, true, true, false}},
        {FOUR, {true, true, true, false, false, false, false}},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const schema_avro *newest = schema_of(f, base_slice_of(CASES[i].newest));
        for (size_t mode = 0; mode < SCHEMA_AVRO_MODE_COUNT; mode++) {
            assert_int_equal(schema_avro_compat_mode((schema_avro_mode)mode, newest, earlier, 2,
                                                     &f->arena, &f->verdict, &f->error)
                                 .code,
                             BASE_OK);
            assert_int_equal(f->verdict.compatible, CASES[i].expected[mode]);
        }
        assert_int_equal(schema_avro_compat_mode(SCHEMA_AVRO_FULL_TRANSITIVE, newest, earlier, 0,
                                                 &f->arena, &f->verdict, &f->error)
                             .code,
                         BASE_OK);
        assert_true(f->verdict.compatible); /* the first of a subject */
    }
    const schema_avro *newest = schema_of(f, base_slice_of(THREE));
    assert_int_equal(schema_avro_compat_mode(SCHEMA_AVRO_FULL_TRANSITIVE, newest, earlier, 2,
                                             &f->arena, &f->verdict, &f->error)
                         .code,
                     BASE_OK);
    assert_int_equal(f->verdict.reasons[0].against, 0);
    assert_false(f->verdict.reasons[0].forward);
}

static void test_avro_compat__modes_have_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < SCHEMA_AVRO_MODE_COUNT; i++) {
        schema_avro_mode mode = SCHEMA_AVRO_MODE_COUNT;
        assert_true(schema_avro_mode_parse(
            base_slice_of(schema_avro_mode_name((schema_avro_mode)i)), &mode));
        assert_int_equal(mode, i);
    }
    schema_avro_mode mode = SCHEMA_AVRO_NONE;
    assert_true(schema_avro_mode_parse(base_slice_of("full_transitive"), &mode));
    assert_int_equal(mode, SCHEMA_AVRO_FULL_TRANSITIVE);
    assert_false(schema_avro_mode_parse(base_slice_of("full_"), &mode));
    assert_false(schema_avro_mode_parse(base_slice_of(""), &mode));
}

/* A union of `count` enums, or records of each other, to make pairs by the square. */
static base_slice many(fixture *f, size_t count)
{
    char *text = malloc(count * 64 + 8);
    size_t size = 0;
    text[size++] = '[';
    for (size_t i = 0; i < count; i++) {
        size += (size_t)snprintf(text + size, 64,
                                 "%s{\"type\":\"enum\",\"name\":\"E%zu\",\"symbols\":[]}",
                                 i == 0 ? "" : ",", i);
    }
    text[size++] = ']';
    const base_slice kept = base_arena_copy(&f->arena, base_slice_make(text, size));
    free(text);
    return kept;
}

static void test_avro_compat__pairs_and_reasons_are_bounded(void **state)
{
    fixture *f = *state;
    assert_true(compatible(f, many(f, 200), many(f, 200)));
    assert_false(compatible(f, many(f, 10), many(f, 400)));
    assert_int_equal(f->verdict.reason_count, SCHEMA_AVRO_REASON_COUNT_MAX);
    assert_true(f->verdict.more);
    const schema_avro *large = schema_of(f, many(f, 600));
    assert_int_equal(schema_avro_compat(large, large, &f->arena, &f->verdict, &f->error).code,
                     BASE_TOO_LARGE);
}

static void test_avro_compat__without_memory_it_says_so(void **state)
{
    fixture *f = *state;
    const schema_avro *one = schema_of(f, base_slice_of(THREE));
    const schema_avro *two = schema_of(f, base_slice_of(ONE));
    base_arena small;
    for (size_t size_max = 0;; size_max += 256) {
        base_arena_init(&small, size_max);
        const base_code code = schema_avro_compat(one, two, &small, &f->verdict, &f->error).code;
        base_arena_deinit(&small);
        if (code == BASE_OK) {
            break;
        }
        assert_int_equal(code, BASE_OUT_OF_MEMORY);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_avro_compat__recorded_verdicts_and_their_kinds_hold),
        TEST(test_avro_compat__reasons_say_what_and_where_in_order),
        TEST(test_avro_compat__recursive_schemas_are_compared),
        TEST(test_avro_compat__names_match_by_alias_and_last_part),
        TEST(test_avro_compat__modes_look_both_ways_and_back),
        TEST(test_avro_compat__modes_have_names),
        TEST(test_avro_compat__pairs_and_reasons_are_bounded),
        TEST(test_avro_compat__without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
