#include <avro.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/aside.h"

static const schema_header headers[] = {{BASE_SLICE_LITERAL("ce_id"), BASE_SLICE_LITERAL("1")},
                                        {BASE_SLICE_LITERAL("empty"), {NULL, 0}}};

static schema_parked parked_of(int64_t offset)
{
    return (schema_parked){.cause = {.kind = SCHEMA_CAUSE_INBOX,
                                     .topic = base_slice_of("troupe.inbox"),
                                     .partition = 2,
                                     .offset = offset},
                           .record = {.topic = base_slice_of("orders"),
                                      .partition = 7,
                                      .offset = offset + 1,
                                      .time_ms = 1700000000000,
                                      .key = {NULL, 0},
                                      .value = base_slice_of("{}"),
                                      .headers = headers,
                                      .header_count = 2},
                           .until_ms = 1700000003000};
}

static void check_parked(const schema_parked *a, const schema_parked *b)
{
    assert_int_equal(a->cause.kind, b->cause.kind);
    assert_int_equal(a->cause.offset, b->cause.offset);
    assert_int_equal(a->until_ms, b->until_ms);
    assert_int_equal(a->record.offset, b->record.offset);
    assert_null(a->record.key.data);
    assert_true(base_slice_equal(a->record.value, b->record.value));
    assert_int_equal(a->record.header_count, 2);
    assert_true(base_slice_is(a->record.headers[0].value, "1"));
    assert_null(a->record.headers[1].value.data);
}

static base_slice written(base_arena *arena, schema_aside_kind kind)
{
    const schema_position position = {base_slice_of("orders"), 7, 12};
    const schema_aside aside = {.kind = kind,
                                .epoch = 3,
                                .saga = base_slice_of("order"),
                                .key = base_slice_of("o1"),
                                .parked = parked_of(11),
                                .cause = parked_of(11).cause,
                                .positions = &position,
                                .position_count = 1};
    base_slice bytes = {NULL, 0};
    assert_false(base_failed(schema_aside_write(&aside, arena, &bytes, NULL)));
    return bytes;
}

static void test_aside__what_is_written_is_read(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    for (int kind = 0; kind < SCHEMA_ASIDE_COUNT; kind++) {
        schema_aside read;
        assert_false(base_failed(
            schema_aside_read(written(&arena, (schema_aside_kind)kind), &arena, &read, NULL)));
        assert_int_equal(read.kind, kind);
        assert_int_equal(read.epoch, 3);
        assert_true(base_slice_is(read.saga, "order"));
        assert_true(base_slice_is(read.key, "o1"));
        assert_int_equal(read.position_count, 1);
        assert_int_equal(read.positions[0].offset, 12);
        if (kind == SCHEMA_ASIDE_PARK) {
            const schema_parked expected = parked_of(11);
            check_parked(&read.parked, &expected);
        }
        if (kind == SCHEMA_ASIDE_DROP) {
            assert_int_equal(read.cause.offset, 11);
        }
    }
    base_arena_deinit(&arena);
}

static void test_aside__a_list_keeps_its_order(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    const schema_parked items[] = {parked_of(1), parked_of(5), parked_of(9)};
    base_slice bytes = {NULL, 0};
    assert_false(base_failed(schema_parked_write(items, 3, &arena, &bytes, NULL)));
    schema_parked *read = NULL;
    size_t count = 0;
    assert_false(base_failed(schema_parked_read(bytes, &arena, &read, &count, NULL)));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) {
        check_parked(&read[i], &items[i]);
    }
    base_arena_deinit(&arena);
}

/* Every cut and every changed byte is a status or another record, never a crash. */
static void test_aside__broken_bytes_are_a_status(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    const base_slice bytes = written(&arena, SCHEMA_ASIDE_PARK);
    char *copy = (char *)malloc(bytes.size);
    assert_non_null(copy);
    for (size_t size = 0; size < bytes.size; size++) {
        char *cut = (char *)malloc(size + 1);
        schema_aside read;
        assert_non_null(cut);
        memcpy(cut, bytes.data, size);
        assert_true(
            base_failed(schema_aside_read(base_slice_make(cut, size), &arena, &read, NULL)));
        free(cut);
    }
    for (size_t at = 0; at < bytes.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            base_arena scratch;
            schema_aside read;
            base_arena_init(&scratch, BASE_ARENA_SIZE_DEFAULT_MAX);
            memcpy(copy, bytes.data, bytes.size);
            copy[at] = (char)(copy[at] ^ (1 << bit));
            const base_status status =
                schema_aside_read(base_slice_make(copy, bytes.size), &scratch, &read, NULL);
            assert_true(at >= 10 || base_failed(status));
            base_arena_deinit(&scratch);
        }
    }
    free(copy);
    base_arena_deinit(&arena);
}

/* avro-c reads what we write by the schema that is documented. */
static void test_aside__any_avro_reader_reads_it(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    static char text[16384];
    FILE *file = fopen(TEST_ROOT_DIR "/schemas/troupe.aside.avsc", "rb");
    assert_non_null(file);
    const size_t size = fread(text, 1, sizeof(text), file);
    (void)fclose(file);
    avro_schema_t schema = NULL;
    assert_int_equal(avro_schema_from_json_length(text, size, &schema), 0);
    avro_value_iface_t *interface = avro_generic_class_from_schema(schema);
    const base_slice bytes = written(&arena, SCHEMA_ASIDE_PARK);
    avro_reader_t reader = avro_reader_memory(bytes.data + 10, (int64_t)bytes.size - 10);
    avro_value_t value;
    avro_value_t field;
    const char *key = NULL;
    size_t key_size = 0;
    assert_int_equal(avro_generic_value_new(interface, &value), 0);
    assert_int_equal(avro_value_read(reader, &value), 0);
    assert_int_equal(avro_value_get_by_name(&value, "key", &field, NULL), 0);
    assert_int_equal(avro_value_get_string(&field, &key, &key_size), 0);
    assert_string_equal(key, "o1");
    avro_value_decref(&value);
    avro_reader_free(reader);
    avro_value_iface_decref(interface);
    avro_schema_decref(schema);
    base_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aside__what_is_written_is_read),
        cmocka_unit_test(test_aside__a_list_keeps_its_order),
        cmocka_unit_test(test_aside__broken_bytes_are_a_status),
        cmocka_unit_test(test_aside__any_avro_reader_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
