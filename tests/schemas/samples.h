/* What the tests of the codecs write and read: random values, entries and states, by seed; and
 * bytes as Avro sees them. */
#ifndef TESTS_SCHEMAS_SAMPLES_H
#define TESTS_SCHEMAS_SAMPLES_H

#include <avro.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/value.h"

typedef struct sampler {
    uint64_t state;
    base_arena *arena;
} sampler;

static inline uint64_t sample(sampler *s)
{
    s->state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 */
    uint64_t mixed = s->state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

static inline size_t sample_below(sampler *s, size_t bound)
{
    return bound == 0 ? 0 : (size_t)(sample(s) % bound);
}

static inline bool sample_bool(sampler *s)
{
    return (sample(s) & 1) == 1;
}

static inline uint64_t sample_seed(void)
{
    const char *given = getenv("TROUPE_TEST_SEED");
    const uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("TROUPE_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Numbers of every size, and both signs. */
static inline int64_t sample_long(sampler *s)
{
    const int64_t number = (int64_t)(sample(s) >> sample_below(s, 64));
    return sample_bool(s) ? number : -1 - number;
}

static inline int64_t sample_time(sampler *s)
{
    return INT64_C(1700000000000) + (int64_t)sample_below(s, 100000000);
}

static inline base_slice sample_text(sampler *s)
{
    static const char *const texts[] = {
        "",        "a",    "o-1",   "order.placed",  "\xC3\xA9t\xC3\xA9",
        "reserve", "/src", "x y\n", "payments-7c9f", "\xF0\x9F\x98\x80"};
    const char *text = texts[sample_below(s, sizeof(texts) / sizeof(texts[0]))];
    return base_slice_of(text);
}

static inline base_value sample_scalar(sampler *s)
{
    base_value value = base_value_null();
    switch (sample_below(s, 7)) {
    case 0:
        return base_value_bool(sample_bool(s));
    case 1:
        return base_value_integer(sample_long(s));
    case 2:
        assert_int_equal(base_number_parse(base_slice_of("-12.345"), &value).code, BASE_OK);
        return value;
    case 3:
        assert_int_equal(
            base_number_parse(base_slice_of("1234567890123456789012345.5"), &value).code, BASE_OK);
        return value;
    case 4:
        return base_value_bytes(base_slice_make("\0\xFF\x80", 3));
    case 5:
        return base_value_string(sample_text(s));
    default:
        return value;
    }
}

/* Recursion, here and in the oracles, goes as deep as the test says. */
static inline base_value sample_value(sampler *s, int depth) /* NOLINT(misc-no-recursion) */
{
    const size_t count = sample_below(s, 4);
    const size_t kind = depth > 0 ? sample_below(s, 3) : 0;
    if (kind == 1) {
        base_list_builder list;
        base_list_begin(&list, s->arena);
        for (size_t i = 0; i < count; i++) {
            const base_value item = sample_value(s, depth - 1);
            assert_int_equal(base_list_push(&list, &item).code, BASE_OK);
        }
        return base_list_end(&list);
    }
    if (kind == 2) {
        base_map_builder map;
        base_map_begin(&map, s->arena);
        for (size_t i = 0; i < count; i++) {
            const base_value item = sample_value(s, depth - 1);
            const base_slice key = base_arena_print(s->arena, "k%zu", sample_below(s, 30));
            assert_int_equal(base_map_put(&map, key, &item).code, BASE_OK);
        }
        return base_map_end(&map);
    }
    return sample_scalar(s);
}

static inline const base_value *sample_pointer(sampler *s, int depth)
{
    base_value *value = BASE_ARENA_NEW(s->arena, base_value);
    assert_non_null(value);
    *value = sample_value(s, depth);
    return value;
}

static inline void sample_hex(sampler *s, char *hex, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        hex[i] = "0123456789abcdef"[sample_below(s, 16)];
    }
    hex[size] = '\0';
}

/* ---- comparing ---- */

static inline void assert_slice_equal(base_slice a, base_slice b)
{
    if (!base_slice_equal(a, b)) {
        fail_msg("\"%.*s\" is not \"%.*s\"", BASE_SLICE_ARG(a), BASE_SLICE_ARG(b));
    }
}

static inline void assert_value_equal(const base_value *a, const base_value *b)
{
    assert_int_equal(a == NULL, b == NULL);
    assert_true(a == NULL || base_value_equal(a, b));
}

/* ---- files and Avro ---- */

static inline char *file_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("cannot open %s", path);
    }
    char *text = calloc(1, 1 << 20);
    (void)fread(text, 1, (1 << 20) - 1, file);
    (void)fclose(file);
    return text;
}

/* The body as avro-c reads it by the schema, as JSON text of avro-c's (the caller frees it); fails
 * the test when it does not read all of it. */
static inline char *avro_json(const char *schema_path, base_slice bytes)
{
    char *text = file_text(schema_path);
    avro_schema_t schema = NULL;
    avro_value_t value;
    char *json = NULL;
    if (avro_schema_from_json_length(text, strlen(text), &schema) != 0) {
        fail_msg("%s: %s", schema_path, avro_strerror());
    }
    avro_value_iface_t *class = avro_generic_class_from_schema(schema);
    avro_generic_value_new(class, &value);
    avro_reader_t reader = avro_reader_memory(bytes.data + 10, (int64_t)bytes.size - 10);
    if (avro_value_read(reader, &value) != 0) {
        fail_msg("avro-c: %s", avro_strerror());
    }
    char rest = 0;
    assert_int_not_equal(avro_read(reader, &rest, 1), 0); /* nothing is left */
    assert_int_equal(avro_value_to_json(&value, 1, &json), 0);
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(class);
    avro_schema_decref(schema);
    free(text);
    return json;
}

#endif
