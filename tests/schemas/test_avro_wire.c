/* Avro bytes from outside: good ones pass, and hostile ones end in an error, soon. */
#include "samples.h"
#include "schemas/avro_wire.h"

#define VECTOR TEST_SOURCE_DIR "/data/apache-avro/messageV1/"

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

static void schema_is(fixture *f, const char *text)
{
    base_error_clear(&f->error);
    if (base_failed(schema_avro_read(base_slice_of(text), base_slice_of(""), &f->arena, &f->schema,
                                     &f->error))) {
        fail_msg("%s: %s", text, f->error.text);
    }
}

/* The bytes stand alone on the heap, so that a sanitizer sees a read past them. */
static base_code check(fixture *f, const void *bytes, size_t size)
{
    char *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, bytes, size);
    base_error_clear(&f->error);
    const base_code code =
        schema_avro_wire_check(f->schema, base_slice_make(copy, size), &f->error).code;
    free(copy);
    return code;
}

#define BYTES(text) (text), sizeof(text) - 1

static void refused(fixture *f, const char *schema, const void *bytes, size_t size,
                    const char *message)
{
    schema_is(f, schema);
    assert_int_equal(check(f, bytes, size), BASE_CORRUPT);
    assert_string_equal(f->error.text, message);
}

static void passes(fixture *f, const char *schema, const void *bytes, size_t size)
{
    schema_is(f, schema);
    if (check(f, bytes, size) != BASE_OK) {
        fail_msg("%s: %s", schema, f->error.text);
    }
}

#define ENUM "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}"
#define INTS "{\"type\":\"array\",\"items\":\"int\"}"

static void test_avro_wire__values_of_each_type_pass(void **state)
{
    fixture *f = *state;
    passes(f, "\"null\"", BYTES(""));
    passes(f, "\"boolean\"", BYTES("\x01"));
    passes(f, "\"int\"", BYTES("\xff\xff\xff\xff\x0f"));
    passes(f, "\"long\"", BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    passes(f, "\"float\"", BYTES("\0\0\0\0"));
    passes(f, "\"double\"", BYTES("\0\0\0\0\0\0\0\0"));
    passes(f, "\"bytes\"", BYTES("\x02\xff"));
    passes(f, "\"string\"", BYTES("\x04\xc3\xa9"));
    passes(f, ENUM, BYTES("\x02"));
    passes(f, "{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", BYTES("ab"));
    passes(f, "[\"null\",\"int\"]", BYTES("\x02\x08"));
    passes(f, INTS, BYTES("\x02\x01\x04\x03\x05\0"));
    passes(f, INTS, BYTES("\x03\x04\x03\x05\0")); /* a block with its size */
    passes(f, "{\"type\":\"map\",\"values\":\"int\"}", BYTES("\x02\x02k\x08\0"));
    passes(f, "{\"type\":\"array\",\"items\":\"null\"}", BYTES("\xc8\x01\0"));
}

static void test_avro_wire__what_is_wrong_is_said_with_its_offset(void **state)
{
    fixture *f = *state;
    refused(f, "\"null\"", BYTES("\0"), "bytes behind the value at byte 0");
    refused(f, "\"boolean\"", BYTES("\x02"), "a boolean that is neither 0 nor 1 at byte 0");
    refused(f, "\"boolean\"", BYTES(""), "the bytes end before a boolean at byte 0");
    refused(f, "\"int\"", BYTES("\x80\x80\x80\x80\x10"), "an int of more than 32 bits at byte 5");
    refused(f, "\"long\"", BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
            "a number of more than 64 bits at byte 9");
    refused(f, "\"string\"", BYTES("\x02\xff"), "a string that is not UTF-8 at byte 1");
    refused(f, "\"string\"", BYTES("\x03"), "a length past the end at byte 1");
    refused(f, "\"bytes\"", BYTES("\x80\x80\x80\x80\x10"), "a length past the end at byte 5");
    refused(f, ENUM, BYTES("\x04"), "an index that the enum does not have at byte 1");
    refused(f, ENUM, BYTES("\x01"), "an index that the enum does not have at byte 1");
    refused(f, "[\"null\",\"int\"]", BYTES("\x04"),
            "an index that the union does not have at byte 1");
    refused(f, "[]", BYTES("\0"), "an index that the union does not have at byte 1");
    refused(f, INTS, BYTES("\x03\x06\x03\x05\0"), "a block that is not of its size at byte 4");
    refused(f, INTS, BYTES("\x03\x7e\x03\x05\0"), "a block past the end at byte 2");
    refused(f, INTS, BYTES("\x03\x01\x03\x05\0"), "a block past the end at byte 2");
    refused(f, "{\"type\":\"map\",\"values\":\"int\"}", BYTES("\x02\x02\xff\x08\0"),
            "a string that is not UTF-8 at byte 2");
}

#define TWO_TO_40 "\x80\x80\x80\x80\x80\x40"

static void test_avro_wire__counts_and_depth_are_bounded(void **state)
{
    fixture *f = *state;
    schema_is(f, "{\"type\":\"array\",\"items\":\"null\"}");
    assert_int_equal(check(f, BYTES(TWO_TO_40 "\0")), BASE_TOO_LARGE);
    assert_int_equal(check(f, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\0")),
                     BASE_TOO_LARGE); /* the least count there is */
    schema_is(f, INTS);
    assert_int_equal(check(f, BYTES(TWO_TO_40 "\0")), BASE_CORRUPT);
    schema_is(f, "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
                 "{\"name\":\"r\",\"type\":[\"null\",\"R\"]}]}");
    char *deep = malloc(500000);
    memset(deep, 2, 500000);
    deep[499999] = 0;
    assert_int_equal(check(f, deep, 500000), BASE_TOO_LARGE);
    deep[127] = 0;
    assert_int_equal(check(f, deep, 128), BASE_OK); /* 128 levels */
    deep[127] = 2;
    deep[128] = 0;
    assert_int_equal(check(f, deep, 129), BASE_TOO_LARGE);
    free(deep);
    schema_is(f,
              "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"r\",\"type\":\"R\"}]}");
    assert_int_equal(check(f, BYTES("")), BASE_TOO_LARGE); /* a value without end */
}

#define EVENT                                                                                      \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"s\",\"type\":\"string\"},"        \
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":[\"null\",\"R\"," ENUM "]}},"          \
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"double\"}}]}"

static void test_avro_wire__cut_and_bent_bytes_end_in_an_error_or_pass(void **state)
{
    fixture *f = *state;
    static const char WHOLE[] =
        "\x04no\x06\0\x04\x02\x02\x02x\0\0\0\x02\x02k\0\0\0\0\0\0\xf0\x3f\0";
    const size_t size = sizeof(WHOLE) - 1;
    sampler s = {.state = sample_seed()};
    schema_is(f, EVENT);
    if (check(f, WHOLE, size) != BASE_OK) {
        fail_msg("%s", f->error.text);
    }
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(check(f, WHOLE, i), BASE_CORRUPT);
    }
    for (size_t i = 0; i < 20000; i++) {
        char bent[sizeof(WHOLE)];
        memcpy(bent, WHOLE, sizeof(WHOLE));
        for (size_t n = 0; n < 1 + i % 4; n++) {
            bent[sample_below(&s, size)] = (char)sample(&s);
        }
        const base_code code = check(f, bent, size);
        assert_true(code == BASE_OK || code == BASE_CORRUPT || code == BASE_TOO_LARGE);
    }
}

static void test_avro_wire__apaches_message_is_read_with_its_head(void **state)
{
    fixture *f = *state;
    char *schema = file_text(VECTOR "test_schema.avsc");
    schema_is(f, schema);
    free(schema);
    FILE *file = fopen(VECTOR "test_message.bin", "rb");
    assert_non_null(file);
    char bytes[64];
    char head[SCHEMA_AVRO_SINGLE_HEAD_SIZE];
    const size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    uint64_t said = 0;
    uint64_t ours = 0;
    base_slice value;
    assert_true(schema_avro_single_read(base_slice_make(bytes, size), &said, &value));
    assert_int_equal(schema_avro_fingerprint(f->schema, &f->arena, &ours).code, BASE_OK);
    assert_int_equal(said, ours);
    assert_int_equal(check(f, value.data, value.size), BASE_OK);
    schema_avro_single_write(ours, head);
    assert_memory_equal(head, bytes, sizeof(head));
    assert_false(schema_avro_single_read(base_slice_make(bytes, 9), &said, &value));
}

static void test_avro_wire__confluents_head_has_the_id(void **state)
{
    (void)state;
    char bytes[SCHEMA_AVRO_CONFLUENT_HEAD_SIZE + 1] = "";
    uint32_t id = 0;
    base_slice value;
    schema_avro_confluent_write(0xFE000102, bytes);
    bytes[5] = 'x';
    assert_memory_equal(bytes, "\0\xFE\0\1\2x", 6);
    assert_true(schema_avro_confluent_read(base_slice_make(bytes, 6), &id, &value));
    assert_int_equal(id, 0xFE000102);
    assert_true(base_slice_is(value, "x"));
    assert_false(schema_avro_confluent_read(base_slice_make(bytes, 4), &id, &value));
    assert_false(schema_avro_confluent_read(base_slice_of("\x01"
                                                          "abcd"),
                                            &id, &value));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_avro_wire__values_of_each_type_pass),
        TEST(test_avro_wire__what_is_wrong_is_said_with_its_offset),
        TEST(test_avro_wire__counts_and_depth_are_bounded),
        TEST(test_avro_wire__cut_and_bent_bytes_end_in_an_error_or_pass),
        TEST(test_avro_wire__apaches_message_is_read_with_its_head),
        TEST(test_avro_wire__confluents_head_has_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
