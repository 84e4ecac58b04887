/* Avro schemas: reading, what is refused and where, canonical form and fingerprints against Apache
 * Avro's own vectors. */
#include "samples.h"
#include "schemas/avro_schema.h"

#define VECTORS TEST_SOURCE_DIR "/data/apache-avro/schema-tests.txt"

typedef struct fixture {
    base_arena arena;
    base_error error;
    const schema_avro *schema;
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

static base_code read_slice(fixture *f, base_slice text)
{
    base_error_clear(&f->error);
    f->schema = NULL;
    return schema_avro_read(text, base_slice_of("a.avsc"), &f->arena, &f->schema, &f->error).code;
}

static const schema_avro_node *reads(fixture *f, const char *text)
{
    if (read_slice(f, base_slice_of(text)) != BASE_OK) {
        fail_msg("%s: %s", text, f->error.text);
    }
    return f->schema->root;
}

static void refused(fixture *f, const char *text, uint32_t column, const char *message,
                    const char *hint)
{
    assert_int_equal(read_slice(f, base_slice_of(text)), BASE_BAD_INPUT);
    assert_string_equal(f->error.text, message);
    assert_string_equal(f->error.hint, hint);
    assert_string_equal(f->error.path, "a.avsc");
    assert_int_equal(f->error.line, 1);
    assert_int_equal(f->error.column, column);
}

static void assert_slice(base_slice slice, const char *text)
{
    if (!base_slice_is(slice, text)) {
        fail_msg("\"%.*s\" is not \"%s\"", BASE_SLICE_ARG(slice), text);
    }
}

static base_slice canonical(fixture *f)
{
    base_slice text;
    assert_int_equal(schema_avro_canonical(f->schema, &f->arena, &text).code, BASE_OK);
    return text;
}

/* The vectors' blocks: "<<name value" on a line, or "<<name", lines, "name". */
static bool block(char **at, const char *name, base_slice *value_out)
{
    char mark[32];
    snprintf(mark, sizeof(mark), "<<%s", name);
    char *start = strstr(*at, mark);
    char *next = strstr(*at + 1, "\n// "); /* within this case */
    if (start == NULL || (next != NULL && start > next && strcmp(name, "INPUT") != 0)) {
        return false;
    }
    start += strlen(mark);
    char *end = strchr(start, '\n');
    if (start == end) {
        snprintf(mark, sizeof(mark), "\n%s\n", name);
        end = strstr(start, mark);
    }
    *value_out = base_slice_make(start, (size_t)(end - start));
    while (value_out->size > 0 && (*value_out->data == ' ' || *value_out->data == '\n')) {
        *value_out = base_slice_make(value_out->data + 1, value_out->size - 1);
    }
    *at = end;
    return true;
}

static void test_avro_schema__apache_vectors_have_their_form_and_fingerprint(void **state)
{
    fixture *f = *state;
    char *text = file_text(VECTORS);
    char *at = strstr(text, "\n// 000");
    size_t count = 0;
    size_t fingerprints = 0;
    base_slice input;
    while (at != NULL) {
        /* One case has a commented input before its own. */
        char *commented = strstr(at, "// <<INPUT");
        char *real = strstr(at, "\n<<INPUT");
        if (real == NULL) {
            break;
        }
        at = commented != NULL && commented < real ? real : at;
        assert_true(block(&at, "INPUT", &input));
        base_slice form;
        base_slice number;
        if (read_slice(f, input) != BASE_OK) {
            fail_msg("%.*s: %s", BASE_SLICE_ARG(input), f->error.text);
        }
        assert_true(block(&at, "canonical", &form));
        const base_slice ours = canonical(f);
        if (!base_slice_equal(ours, form)) {
            fail_msg("%.*s is not %.*s", BASE_SLICE_ARG(ours), BASE_SLICE_ARG(form));
        }
        uint64_t crc;
        assert_int_equal(schema_avro_fingerprint(f->schema, &f->arena, &crc).code, BASE_OK);
        if (block(&at, "fingerprint", &number)) {
            assert_int_equal((int64_t)crc, strtoll(number.data, NULL, 10));
            fingerprints++;
        }
        count++;
    }
    assert_int_equal(count, 34);
    assert_int_equal(fingerprints, 26);
    free(text);
}

static void test_avro_schema__the_sha256_is_that_of_the_canonical_form(void **state)
{
    fixture *f = *state;
    uint8_t digest[32];
    reads(f, "{\"type\": \"int\"}"); /* sha256 of: "int" */
    assert_int_equal(schema_avro_sha256(f->schema, &f->arena, digest).code, BASE_OK);
    static const uint8_t EXPECTED[4] = {0x3f, 0x2b, 0x87, 0xa9};
    assert_memory_equal(digest, EXPECTED, 4);
}

static void test_avro_schema__names_resolve_in_their_namespace(void **state)
{
    fixture *f = *state;
    const schema_avro_node *node = reads(
        f,
        "{\"type\":\"record\",\"name\":\"A\",\"namespace\":\"x.y\",\"aliases\":[\"Old\",\"z.B\"],"
        "\"doc\":\"what\",\"fields\":["
        "{\"name\":\"a\",\"type\":{\"type\":\"enum\",\"name\":\"z.E\",\"symbols\":[\"P\",\"Q\"],"
        "\"default\":\"Q\"},\"aliases\":[\"old\"],\"order\":\"ignore\"},"
        "{\"name\":\"b\",\"type\":[\"null\",\"A\",\"z.E\"],\"default\":null,\"doc\":\"d\"},"
        "{\"name\":\"c\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"namespace\":\"\","
        "\"size\":4}}]}");
    assert_slice(node->name, "x.y.A");
    assert_slice(node->aliases[0], "x.y.Old");
    assert_slice(node->aliases[1], "z.B");
    assert_slice(node->doc, "what");
    assert_slice(node->fields[0].type->name, "z.E");
    assert_int_equal(node->fields[0].type->symbol_default, 1);
    assert_slice(node->fields[0].aliases[0], "old");
    assert_int_equal(node->fields[0].order, SCHEMA_AVRO_IGNORE);
    assert_ptr_equal(node->fields[1].type->branches[1], node); /* recursive */
    assert_ptr_equal(node->fields[1].type->branches[2], node->fields[0].type);
    assert_int_equal(node->fields[1].default_json->kind, BASE_NULL);
    assert_slice(node->fields[2].type->name, "F");
    assert_slice(canonical(f),
                 "{\"name\":\"x.y.A\",\"type\":\"record\",\"fields\":[{\"name\":\"a\",\"type\":"
                 "{\"name\":\"z.E\",\"type\":\"enum\",\"symbols\":[\"P\",\"Q\"]}},{\"name\":\"b\","
                 "\"type\":[\"null\",\"x.y.A\",\"z.E\"]},{\"name\":\"c\",\"type\":{\"name\":\"F\","
                 "\"type\":\"fixed\",\"size\":4}}]}");
}

static void test_avro_schema__logical_types_are_kept_where_they_fit(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *text;
        schema_avro_logical logical;
    } CASES[] = {
        {"{\"type\":\"string\",\"logicalType\":\"uuid\"}", SCHEMA_AVRO_UUID},
        {"{\"type\":\"int\",\"logicalType\":\"date\"}", SCHEMA_AVRO_DATE},
        {"{\"type\":\"int\",\"logicalType\":\"time-millis\"}", SCHEMA_AVRO_TIME_MILLIS},
        {"{\"type\":\"long\",\"logicalType\":\"time-micros\"}", SCHEMA_AVRO_TIME_MICROS},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", SCHEMA_AVRO_TIMESTAMP_MILLIS},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", SCHEMA_AVRO_TIMESTAMP_MICROS},
        {"{\"type\":\"long\",\"logicalType\":\"local-timestamp-millis\"}",
         SCHEMA_AVRO_LOCAL_TIMESTAMP_MILLIS},
        {"{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}",
         SCHEMA_AVRO_LOCAL_TIMESTAMP_MICROS},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}",
         SCHEMA_AVRO_DECIMAL},
        {"{\"type\":\"fixed\",\"name\":\"D\",\"size\":4,\"logicalType\":\"decimal\","
         "\"precision\":9}",
         SCHEMA_AVRO_DECIMAL},
        /* ignored */
        {"{\"type\":\"fixed\",\"name\":\"D\",\"size\":4,\"logicalType\":\"decimal\","
         "\"precision\":10}",
         SCHEMA_AVRO_PLAIN},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\"}", SCHEMA_AVRO_PLAIN},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":0}", SCHEMA_AVRO_PLAIN},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2,\"scale\":3}",
         SCHEMA_AVRO_PLAIN},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2,\"scale\":-1}",
         SCHEMA_AVRO_PLAIN},
        {"{\"type\":\"string\",\"logicalType\":\"date\"}", SCHEMA_AVRO_PLAIN},
        {"{\"type\":\"int\",\"logicalType\":\"timestamp-millis\"}", SCHEMA_AVRO_PLAIN},
        {"{\"type\":\"int\",\"logicalType\":\"fancy\"}", SCHEMA_AVRO_PLAIN},
        {"{\"type\":\"int\",\"logicalType\":7}", SCHEMA_AVRO_PLAIN},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_int_equal(reads(f, CASES[i].text)->logical, CASES[i].logical);
    }
    const schema_avro_node *node = reads(f, CASES[8].text);
    assert_int_equal(node->precision, 9);
    assert_int_equal(node->scale, 2);
}

static void test_avro_schema__what_is_wrong_is_said_with_its_place(void **state)
{
    fixture *f = *state;
    refused(f, "\"strin\"", 1, "unknown type \"strin\"", "did you mean \"string\"?");
    refused(f, "[\"int\", {\"type\":\"enum\",\"name\":\"Colour\",\"symbols\":[]}, \"Color\"]", 55,
            "unknown type \"Color\"", "did you mean \"Colour\"?");
    refused(f, "[\"int\", \"int\"]", 1, "a union has \"int\" twice", "");
    refused(f, "[\"int\", [\"string\"]]", 9, "a union right inside a union", "");
    refused(f, "{\"type\":\"array\"}", 1, "array has no \"items\"", "");
    refused(f, "{\"name\":\"x\"}", 1, "a schema object has no \"type\"", "");
    refused(f, "7", 1, "a type must be a name, an object or an array, not number", "");
    refused(f, "{\"type\":\"record\",\"fields\":[]}", 1, "record has no name", "");
    refused(f, "{\"type\":\"record\",\"name\":\"a-b\",\"fields\":[]}", 25, "\"a-b\" is no name",
            "");
    refused(f, "{\"type\":\"record\",\"name\":\"int\",\"fields\":[]}", 25,
            "record \"int\" has the name of a primitive type", "");
    refused(f, "{\"type\":\"record\",\"name\":\"a\"}", 1, "record \"a\" has no array \"fields\"",
            "");
    refused(f,
            "{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"b\",\"type\":\"int\"},"
            "{\"name\":\"b\",\"type\":\"int\"}]}",
            73, "field \"b\" is there twice", "");
    refused(f, "{\"type\":\"enum\",\"name\":\"a\",\"symbols\":[\"A\",\"B\",\"A\"]}", 46,
            "symbol \"A\" is there twice", "");
    refused(f, "{\"type\":\"enum\",\"name\":\"a\",\"symbols\":[\"A\"],\"default\":\"B\"}", 53,
            "the default of enum \"a\" is none of its symbols", "");
    refused(f, "{\"type\":\"fixed\",\"name\":\"a\",\"size\":-1}", 1,
            "fixed \"a\" needs a size from 0 to 2147483647", "");
    refused(f,
            "[{\"type\":\"fixed\",\"name\":\"a\",\"size\":1},{\"type\":\"fixed\",\"name\":\"a\","
            "\"size\":1}]",
            62, "type \"a\" is defined twice",
            "it was defined at line 1; after that its name alone is enough");
}

#define WITH_DEFAULT(type, value)                                                                  \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":" type               \
    ",\"default\":" value "}]}"
#define PAIR                                                                                       \
    "{\"type\":\"record\",\"name\":\"P\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"           \
    "{\"name\":\"b\",\"type\":\"int\",\"default\":2}]}"

static void test_avro_schema__defaults_must_be_of_their_type(void **state)
{
    fixture *f = *state;
    static const char *const GOOD[] = {
        WITH_DEFAULT("\"null\"", "null"),
        WITH_DEFAULT("\"int\"", "-2147483648"),
        WITH_DEFAULT("\"long\"", "9223372036854775807"),
        WITH_DEFAULT("\"double\"", "1"),
        WITH_DEFAULT("\"bytes\"", "\"\\u00ff\\u0000\""),
        WITH_DEFAULT("[\"null\",\"string\"]", "null"),
        WITH_DEFAULT("[\"null\",\"string\"]", "\"x\""), /* any branch, since 1.12 */
        WITH_DEFAULT("{\"type\":\"array\",\"items\":\"int\"}", "[1,2]"),
        WITH_DEFAULT("{\"type\":\"map\",\"values\":[\"int\",\"string\"]}", "{\"a\":1,\"b\":\"x\"}"),
        WITH_DEFAULT("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"\\u00ff0\""),
        WITH_DEFAULT("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\"A\""),
        WITH_DEFAULT(PAIR, "{\"a\":1}"),
        WITH_DEFAULT("\"R\"", "{}"), /* without end, but of its type: refused when it is built */
    };
    static const char *const BAD[] = {
        WITH_DEFAULT("\"null\"", "0"),
        WITH_DEFAULT("\"int\"", "2147483648"),
        WITH_DEFAULT("\"int\"", "\"1\""),
        WITH_DEFAULT("\"int\"", "1.5"),
        WITH_DEFAULT("\"long\"", "9223372036854775808"),
        WITH_DEFAULT("\"boolean\"", "0"),
        WITH_DEFAULT("\"bytes\"", "\"\\u0100\""),
        WITH_DEFAULT("[\"null\",\"string\"]", "1"),
        WITH_DEFAULT("{\"type\":\"array\",\"items\":\"int\"}", "[1,\"2\"]"),
        WITH_DEFAULT("{\"type\":\"map\",\"values\":\"int\"}", "{\"a\":null}"),
        WITH_DEFAULT("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"a\""),
        WITH_DEFAULT("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\"B\""),
        WITH_DEFAULT(PAIR, "{\"b\":1}"),
        WITH_DEFAULT(PAIR, "{\"a\":\"x\"}"),
    };
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        reads(f, GOOD[i]);
    }
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        if (read_slice(f, base_slice_of(BAD[i])) != BASE_BAD_INPUT) {
            fail_msg("%s passes", BAD[i]);
        }
        assert_non_null(strstr(f->error.text, "default of field \"f\": expected "));
        assert_int_equal(f->error.line, 1);
    }
}

/* The default of field f, as a value. */
static base_code built(fixture *f, const char *schema, const char *expected)
{
    const schema_avro_field *field = &reads(f, schema)->fields[0];
    base_value value;
    base_slice json;
    const base_code code =
        schema_avro_default(field->type, field->default_json, &f->arena, &value, &f->error).code;
    if (code == BASE_OK) {
        assert_int_equal(base_value_json(&value, true, &f->arena, &json).code, BASE_OK);
        assert_slice(json, expected);
    }
    return code;
}

static void test_avro_schema__defaults_become_values_of_their_type(void **state)
{
    fixture *f = *state;
    assert_int_equal(built(f, WITH_DEFAULT(PAIR, "{\"a\":1}"), "{\"a\":1,\"b\":2}"), BASE_OK);
    assert_int_equal(built(f, WITH_DEFAULT("\"bytes\"", "\"\\u00ff\""), "{\"$bytes\":\"/w==\"}"),
                     BASE_OK);
    assert_int_equal(built(f,
                           WITH_DEFAULT("{\"type\":\"bytes\",\"logicalType\":\"decimal\","
                                        "\"precision\":4,\"scale\":2}",
                                        "\"\\u00ff\\u0085\""),
                           "-1.23"),
                     BASE_OK);
    assert_int_equal(built(f, WITH_DEFAULT("\"R\"", "{}"), ""), BASE_TOO_LARGE);
}

static void test_avro_schema__hostile_schemas_end_in_an_error(void **state)
{
    fixture *f = *state;
    const size_t size = 400000;
    char *text = malloc(size);
    memset(text, '[', size);
    assert_int_equal(read_slice(f, base_slice_make(text, size)), BASE_TOO_LARGE);
    /* more types than are taken */
    memcpy(text, "[", 1);
    for (size_t i = 1; i + 5 <= size; i += 5) {
        memcpy(text + i, "\"int\"", 5);
    }
    for (size_t i = 0; i < 70000; i++) {
        memcpy(text + 1 + i * 5, "[  ],", 5);
    }
    memcpy(text + 1 + 70000 * 5, "7]", 2);
    assert_int_equal(read_slice(f, base_slice_make(text, 1 + 70000 * 5 + 2)), BASE_TOO_LARGE);
    free(text);
    /* cut at every byte, and with random bytes changed */
    static const char WHOLE[] = WITH_DEFAULT(PAIR, "{\"a\":1}");
    sampler s = {.state = sample_seed()};
    for (size_t i = 0; i < sizeof(WHOLE) - 1; i++) {
        base_arena_reset(&f->arena);
        assert_int_not_equal(read_slice(f, base_slice_make(WHOLE, i)), BASE_OK);
    }
    for (size_t i = 0; i < 2000; i++) {
        char bent[sizeof(WHOLE)];
        memcpy(bent, WHOLE, sizeof(WHOLE));
        for (size_t n = 0; n < 1 + i % 4; n++) {
            bent[sample_below(&s, sizeof(WHOLE) - 1)] = WHOLE[sample_below(&s, sizeof(WHOLE) - 1)];
        }
        base_arena_reset(&f->arena);
        if (read_slice(f, base_slice_make(bent, sizeof(WHOLE) - 1)) == BASE_OK) {
            (void)canonical(f);
        }
    }
}

static void test_avro_schema__without_memory_it_says_so(void **state)
{
    fixture *f = *state;
    for (size_t size_max = 0;; size_max += 512) {
        base_arena_deinit(&f->arena);
        base_arena_init(&f->arena, size_max);
        const base_code code = read_slice(f, base_slice_of(WITH_DEFAULT(PAIR, "{\"a\":1}")));
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
        TEST(test_avro_schema__apache_vectors_have_their_form_and_fingerprint),
        TEST(test_avro_schema__the_sha256_is_that_of_the_canonical_form),
        TEST(test_avro_schema__names_resolve_in_their_namespace),
        TEST(test_avro_schema__logical_types_are_kept_where_they_fit),
        TEST(test_avro_schema__what_is_wrong_is_said_with_its_place),
        TEST(test_avro_schema__defaults_must_be_of_their_type),
        TEST(test_avro_schema__defaults_become_values_of_their_type),
        TEST(test_avro_schema__hostile_schemas_end_in_an_error),
        TEST(test_avro_schema__without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
