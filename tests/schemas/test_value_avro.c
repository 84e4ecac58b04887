/*
 * schemas/troupe.value.avsc against avro-c: what base_write_value writes is what any Avro reader
 * with that schema reads, and what an Avro writer writes is what base_read_value reads.
 */
#include <avro.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"

enum { NOTHING, BOOLEAN, LONG, DECIMAL, BIG_NUMBER, STRING, BYTES, ARRAY, MAP };

typedef struct desk {
    avro_schema_t schema;
    avro_value_iface_t *generic;
    base_arena arena;
} desk;

static int desk_begin(void **state)
{
    static char text[16384];
    FILE *file = fopen(TEST_ROOT_DIR "/schemas/troupe.value.avsc", "rb");
    assert_non_null(file);
    const size_t size = fread(text, 1, sizeof(text), file);
    assert_true(size > 0 && size < sizeof(text));
    (void)fclose(file);
    desk *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    if (avro_schema_from_json_length(text, size, &d->schema) != 0) {
        fail_msg("%s", avro_strerror());
    }
    d->generic = avro_generic_class_from_schema(d->schema);
    assert_non_null(d->generic);
    base_arena_init(&d->arena, 1 << 20);
    *state = d;
    return 0;
}

static int desk_end(void **state)
{
    desk *d = *state;
    avro_value_iface_decref(d->generic);
    avro_schema_decref(d->schema);
    base_arena_deinit(&d->arena);
    free(d);
    return 0;
}

static base_value number(const char *text)
{
    base_value value = {0};
    assert_int_equal(base_number_parse(base_slice_of(text), &value).code, BASE_OK);
    return value;
}

static const base_value *sample(base_arena *arena)
{
    const base_value scalars[] = {
        base_value_null(),
        base_value_bool(true),
        base_value_integer(INT64_MIN),
        number("-12.34"),
        number("1e400"),
        base_value_text("caf\xC3\xA9"),
        base_value_bytes(base_slice_make("\x00\xFF\x01", 3)),
    };
    base_value *items = BASE_ARENA_ARRAY(arena, base_value, 9);
    base_member *members = BASE_ARENA_ARRAY(arena, base_member, 2);
    base_value *value = BASE_ARENA_NEW(arena, base_value);
    assert_non_null(items);
    assert_non_null(members);
    assert_non_null(value);
    memcpy(items, scalars, sizeof(scalars));
    items[7] = base_value_list(NULL, 0);
    items[8] = base_value_map(NULL, 0);
    members[0] = (base_member){.key = base_slice_of("all"), .value = base_value_list(items, 9)};
    members[1] = (base_member){.key = base_slice_of(""), .value = base_value_integer(7)};
    *value = base_value_map(members, 2);
    return value;
}

static base_slice written(base_arena *arena, const base_value *value)
{
    base_writer writer;
    base_slice bytes = {NULL, 0};
    base_writer_begin(&writer, arena);
    base_write_value(&writer, value);
    assert_int_equal(base_writer_end(&writer, &bytes).code, BASE_OK);
    return bytes;
}

/* Decodes bytes that base_write_value wrote; all of them must be used. */
static avro_value_t decoded(desk *d, base_slice bytes)
{
    avro_value_t value = {NULL, NULL};
    assert_int_equal(avro_generic_value_new(d->generic, &value), 0);
    avro_reader_t reader = avro_reader_memory(bytes.data, (int64_t)bytes.size);
    if (avro_value_read(reader, &value) != 0) {
        fail_msg("%s", avro_strerror());
    }
    char more = 0;
    assert_int_not_equal(avro_read(reader, &more, 1), 0);
    avro_reader_free(reader);
    return value;
}

/* The branch of the union in a troupe.Value. */
static avro_value_t branch_of(const avro_value_t *value, int expected)
{
    avro_value_t field = {NULL, NULL};
    avro_value_t branch = {NULL, NULL};
    int which = -1;
    assert_int_equal(avro_value_get_by_name(value, "value", &field, NULL), 0);
    assert_int_equal(avro_value_get_discriminant(&field, &which), 0);
    assert_int_equal(which, expected);
    assert_int_equal(avro_value_get_current_branch(&field, &branch), 0);
    return branch;
}

static avro_value_t item_of(const avro_value_t *list, size_t index, int expected)
{
    avro_value_t item = {NULL, NULL};
    assert_int_equal(avro_value_get_by_index(list, index, &item, NULL), 0);
    return branch_of(&item, expected);
}

static avro_value_t field_of(const avro_value_t *record, const char *name)
{
    avro_value_t field = {NULL, NULL};
    assert_int_equal(avro_value_get_by_name(record, name, &field, NULL), 0);
    return field;
}

static void assert_string(const avro_value_t *value, const char *expected)
{
    const char *text = NULL;
    size_t size = 0;
    assert_int_equal(avro_value_get_string(value, &text, &size), 0);
    assert_int_equal(size, strlen(expected) + 1); /* avro-c counts the terminating zero */
    assert_string_equal(text, expected);
}

static void assert_long(const avro_value_t *value, int64_t expected)
{
    int64_t got = 0;
    assert_int_equal(avro_value_get_long(value, &got), 0);
    assert_true(got == expected);
}

static void assert_scalars(const avro_value_t *list)
{
    int truth = 0;
    int exponent = 0;
    const void *bytes = NULL;
    size_t size = 0;
    (void)item_of(list, 0, NOTHING);
    avro_value_t item = item_of(list, 1, BOOLEAN);
    assert_int_equal(avro_value_get_boolean(&item, &truth), 0);
    assert_true(truth);
    item = item_of(list, 2, LONG);
    assert_long(&item, INT64_MIN);
    item = item_of(list, 3, DECIMAL);
    avro_value_t field = field_of(&item, "coefficient");
    assert_long(&field, -1234);
    field = field_of(&item, "exponent");
    assert_int_equal(avro_value_get_int(&field, &exponent), 0);
    assert_int_equal(exponent, -2);
    item = item_of(list, 4, BIG_NUMBER);
    field = field_of(&item, "text");
    assert_string(&field, "1e400");
    item = item_of(list, 5, STRING);
    assert_string(&item, "caf\xC3\xA9");
    item = item_of(list, 6, BYTES);
    assert_int_equal(avro_value_get_bytes(&item, &bytes, &size), 0);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "\x00\xFF\x01", 3);
}

static void test_value_avro__avro_c_reads_what_we_write(void **state)
{
    desk *d = *state;
    avro_value_t value = decoded(d, written(&d->arena, sample(&d->arena)));
    avro_value_t map = branch_of(&value, MAP);
    avro_value_t members = field_of(&map, "members");
    size_t count = 0;
    assert_int_equal(avro_value_get_size(&members, &count), 0);
    assert_int_equal(count, 2);

    avro_value_t member = {NULL, NULL};
    assert_int_equal(avro_value_get_by_index(&members, 0, &member, NULL), 0);
    avro_value_t key = field_of(&member, "key");
    assert_string(&key, "all");
    avro_value_t inner = field_of(&member, "value");
    avro_value_t list = branch_of(&inner, ARRAY);
    assert_int_equal(avro_value_get_size(&list, &count), 0);
    assert_int_equal(count, 9);
    assert_scalars(&list);
    avro_value_t empty = item_of(&list, 7, ARRAY);
    assert_int_equal(avro_value_get_size(&empty, &count), 0);
    assert_int_equal(count, 0);
    (void)item_of(&list, 8, MAP);

    assert_int_equal(avro_value_get_by_index(&members, 1, &member, NULL), 0);
    key = field_of(&member, "key");
    assert_string(&key, "");
    inner = field_of(&member, "value");
    avro_value_t seven = branch_of(&inner, LONG);
    assert_long(&seven, 7);
    avro_value_decref(&value);
}

static void test_value_avro__we_read_what_avro_c_writes(void **state)
{
    desk *d = *state;
    const base_value *source = sample(&d->arena);
    const base_slice ours = written(&d->arena, source);
    avro_value_t value = decoded(d, ours);
    char buffer[1024];
    avro_writer_t writer = avro_writer_memory(buffer, sizeof(buffer));
    assert_int_equal(avro_value_write(writer, &value), 0);
    const base_slice theirs = base_slice_make(buffer, (size_t)avro_writer_tell(writer));
    base_reader reader;
    base_reader_begin(&reader, theirs);
    base_value back = base_value_null();
    base_read_value(&reader, &d->arena, &back);
    assert_int_equal(base_reader_status(&reader, true).code, BASE_OK);
    assert_true(base_value_equal(&back, source));
    assert_true(base_slice_equal(written(&d->arena, &back), ours));
    avro_writer_free(writer);
    avro_value_decref(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_value_avro__avro_c_reads_what_we_write, desk_begin,
                                        desk_end),
        cmocka_unit_test_setup_teardown(test_value_avro__we_read_what_avro_c_writes, desk_begin,
                                        desk_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
