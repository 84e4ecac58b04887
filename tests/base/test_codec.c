#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/codec.h"

typedef struct desk {
    base_arena arena;
    base_writer writer;
} desk;

static void desk_begin(desk *d)
{
    base_arena_init(&d->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_writer_begin(&d->writer, &d->arena);
}

static base_slice desk_bytes(desk *d)
{
    base_slice bytes = {NULL, 0};
    assert_int_equal(base_writer_end(&d->writer, &bytes).code, BASE_OK);
    assert_non_null(bytes.data);
    return bytes;
}

static void desk_end(desk *d)
{
    base_arena_deinit(&d->arena);
}

static base_value number(const char *text)
{
    base_value value = {0};
    assert_int_equal(base_number_parse(base_slice_of(text), &value).code, BASE_OK);
    return value;
}

/* Avro 1.11, "Binary encoding": the examples of its table, and the ends of the range. */
static void test_codec__longs_are_zig_zag_varints(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *bytes;
        size_t size;
    } rows[] = {
        {0, "\x00", 1},
        {-1, "\x01", 1},
        {1, "\x02", 1},
        {-2, "\x03", 1},
        {2, "\x04", 1},
        {-64, "\x7f", 1},
        {64, "\x80\x01", 2},
        {-65, "\x81\x01", 2},
        {8192, "\x80\x80\x01", 3},
        {INT64_MAX, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
        {INT64_MIN, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
    };
    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        desk d;
        desk_begin(&d);
        base_write_long(&d.writer, rows[index].number);
        const base_slice bytes = desk_bytes(&d);
        assert_true(base_slice_equal(bytes, base_slice_make(rows[index].bytes, rows[index].size)));
        base_reader reader;
        base_reader_begin(&reader, bytes);
        assert_true(base_read_long(&reader) == rows[index].number);
        assert_int_equal(base_reader_status(&reader, true).code, BASE_OK);
        for (size_t cut = 0; cut < bytes.size; cut++) {
            base_reader_begin(&reader, base_slice_make(bytes.data, cut));
            assert_int_equal(base_read_long(&reader), 0);
            assert_int_equal(base_reader_status(&reader, false).code, BASE_CORRUPT);
        }
        desk_end(&d);
    }
}

static void test_codec__strings_bytes_and_booleans(void **state)
{
    (void)state;
    desk d;
    desk_begin(&d);
    base_write_bytes(&d.writer, base_slice_of("foo")); /* the specification's example */
    base_write_bool(&d.writer, true);
    base_write_bool(&d.writer, false);
    base_write_bytes(&d.writer, base_slice_make(NULL, 0));
    base_write_raw(&d.writer, base_slice_of("!"));
    base_write_raw(&d.writer, base_slice_make(NULL, 0));
    const base_slice bytes = desk_bytes(&d);
    assert_true(base_slice_equal(bytes, base_slice_make("\x06"
                                                        "foo\x01\x00\x00!",
                                                        8)));
    base_reader reader;
    base_reader_begin(&reader, bytes);
    const base_slice foo = base_read_string(&reader);
    assert_true(base_slice_is(foo, "foo"));
    assert_ptr_equal(foo.data, bytes.data + 1); /* borrowed */
    assert_true(base_read_bool(&reader));
    assert_false(base_read_bool(&reader));
    assert_int_equal(base_read_bytes(&reader).size, 0);
    assert_int_equal(base_reader_status(&reader, false).code, BASE_OK);
    assert_int_equal(base_reader_status(&reader, true).code, BASE_CORRUPT); /* "!" is left */
    desk_end(&d);
}

static void test_codec__nothing_written_is_no_bytes(void **state)
{
    (void)state;
    desk d;
    desk_begin(&d);
    assert_int_equal(desk_bytes(&d).size, 0);
    desk_end(&d);
}

static base_code read_fails(const char *data, size_t size, int what)
{
    base_reader reader;
    base_reader_begin(&reader, base_slice_make(data, size));
    if (what == 'l') {
        assert_int_equal(base_read_long(&reader), 0);
    } else if (what == 'b') {
        assert_int_equal(base_read_bytes(&reader).size, 0);
    } else if (what == 's') {
        assert_int_equal(base_read_string(&reader).size, 0);
    } else if (what == '?') {
        assert_false(base_read_bool(&reader));
    } else {
        int64_t left = 0;
        assert_false(base_read_array_next(&reader, &left));
    }
    return base_reader_status(&reader, false).code;
}

static void test_codec__bad_bytes_are_corrupt(void **state)
{
    (void)state;
    assert_int_equal(read_fails("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, 'l'),
                     BASE_CORRUPT);
    assert_int_equal(read_fails("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, 'l'), BASE_CORRUPT);
    assert_int_equal(read_fails("", 0, 'l'), BASE_CORRUPT);
    assert_int_equal(read_fails("\x06"
                                "fo",
                                3, 'b'),
                     BASE_CORRUPT);
    assert_int_equal(read_fails("\x01"
                                "foo",
                                4, 'b'),
                     BASE_CORRUPT); /* length -1 */
    assert_int_equal(read_fails("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, 'b'), BASE_CORRUPT);
    assert_int_equal(read_fails("\x02\xff", 2, 's'), BASE_CORRUPT);
    assert_int_equal(read_fails("\x02", 1, '?'), BASE_CORRUPT);
    assert_int_equal(read_fails("", 0, '?'), BASE_CORRUPT);
    assert_int_equal(read_fails("\x06zz", 3, 'a'), BASE_CORRUPT);     /* 3 items in 2 bytes */
    assert_int_equal(read_fails("\x05\x10zz", 4, 'a'), BASE_CORRUPT); /* block size past the end */
    assert_int_equal(read_fails("\x05\x03zz", 4, 'a'), BASE_CORRUPT); /* negative block size */
    assert_int_equal(read_fails("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 11, 'a'),
                     BASE_CORRUPT);
}

static void test_codec__after_a_failure_there_are_only_zeros(void **state)
{
    (void)state;
    base_reader reader;
    base_reader_begin(&reader, base_slice_make("\x02\x02\x02", 3));
    assert_int_equal(base_read_long(&reader), 1);
    base_reader_fail(&reader);
    int64_t left = 0;
    assert_int_equal(base_read_long(&reader), 0);
    assert_int_equal(base_read_long_in(&reader, 5, 9), 5);
    assert_false(base_read_bool(&reader));
    assert_int_equal(base_read_bytes(&reader).size, 0);
    assert_false(base_read_array_next(&reader, &left));
    left = 5;
    assert_false(base_read_array_next(&reader, &left));
    assert_int_equal(base_reader_status(&reader, false).code, BASE_CORRUPT);
}

static void test_codec__a_long_in_a_range(void **state)
{
    (void)state;
    base_reader reader;
    base_reader_begin(&reader, base_slice_make("\x06\x06\x06", 3));
    assert_int_equal(base_read_long_in(&reader, 3, 4), 3);
    assert_int_equal(base_read_long_in(&reader, 2, 3), 3);
    assert_int_equal(base_read_long_in(&reader, 4, 9), 4);
    assert_int_equal(base_reader_status(&reader, false).code, BASE_CORRUPT);
}

static void test_codec__arrays_are_written_in_one_block(void **state)
{
    (void)state;
    desk d;
    desk_begin(&d);
    base_write_array(&d.writer, 2); /* the specification's example: 3 and 27 */
    base_write_long(&d.writer, 3);
    base_write_long(&d.writer, 27);
    base_write_array_end(&d.writer, 2);
    base_write_array(&d.writer, 0);
    base_write_array_end(&d.writer, 0);
    const base_slice bytes = desk_bytes(&d);
    assert_true(base_slice_equal(bytes, base_slice_make("\x04\x06\x36\x00\x00", 5)));
    desk_end(&d);
}

static void test_codec__arrays_are_read_as_any_writer_makes_them(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"\x06\x02\x04\x06\x00", 5},         /* one block of 3 */
        {"\x04\x02\x04\x02\x06\x00", 6},     /* 2 and 1 */
        {"\x05\x06\x02\x04\x06\x00", 6},     /* -3, 3 bytes */
        {"\x02\x02\x03\x04\x04\x06\x00", 7}, /* 1, then -2 with 2 bytes */
    };
    for (size_t index = 0; index < 4; index++) {
        base_reader reader;
        base_reader_begin(&reader, base_slice_make(rows[index].bytes, rows[index].size));
        int64_t left = 0;
        int64_t expected = 1;
        while (base_read_array_next(&reader, &left)) {
            assert_int_equal(base_read_long(&reader), expected);
            expected++;
        }
        assert_int_equal(expected, 4);
        assert_int_equal(base_reader_status(&reader, true).code, BASE_OK);
    }
}

/* ---- values ---- */

static base_value sample(base_arena *arena)
{
    base_list_builder list;
    base_list_begin(&list, arena);
    const base_value items[] = {
        base_value_null(),
        base_value_bool(true),
        base_value_bool(false),
        base_value_integer(INT64_MIN),
        number("12.5"),
        number("-1e-36"),
        number("1.5e30"),
        number("1e400"),
        base_value_text("caf\xC3\xA9"),
        base_value_bytes(base_slice_make("\x00\xFF", 2)),
        base_value_list(NULL, 0),
        base_value_map(NULL, 0),
    };
    for (size_t index = 0; index < sizeof(items) / sizeof(items[0]); index++) {
        assert_int_equal(base_list_push(&list, &items[index]).code, BASE_OK);
    }
    base_map_builder map;
    base_map_begin(&map, arena);
    for (size_t index = 0; index < 20; index++) {
        const base_slice key = base_arena_print(arena, "key%zu", 19 - index);
        assert_int_equal(base_map_put(&map, key, &items[index % 12]).code, BASE_OK);
    }
    const base_value inner = base_map_end(&map);
    assert_int_equal(base_list_push(&list, &inner).code, BASE_OK);
    const base_value all = base_list_end(&list);
    base_map_begin(&map, arena);
    assert_int_equal(base_map_put_text(&map, "b", &all).code, BASE_OK);
    assert_int_equal(base_map_put_text(&map, "a", &inner).code, BASE_OK);
    return base_map_end(&map);
}

static void test_codec__a_value_comes_back_as_it_was(void **state)
{
    (void)state;
    desk d;
    desk_begin(&d);
    const base_value value = sample(&d.arena);
    base_write_value(&d.writer, &value);
    const base_slice bytes = desk_bytes(&d);
    base_reader reader;
    base_reader_begin(&reader, bytes);
    base_value back = base_value_null();
    base_read_value(&reader, &d.arena, &back);
    assert_int_equal(base_reader_status(&reader, true).code, BASE_OK);
    assert_true(base_value_equal(&value, &back));
    base_writer_begin(&d.writer, &d.arena);
    base_write_value(&d.writer, &back); /* order and all: the same bytes */
    assert_true(base_slice_equal(desk_bytes(&d), bytes));
    desk_end(&d);
}

static void test_codec__the_bytes_of_a_value_are_fixed(void **state)
{
    (void)state;
    const base_value items[] = {base_value_null(),
                                base_value_bool(true),
                                base_value_integer(-3),
                                number("2.5"),
                                number("1e99"),
                                base_value_text("x"),
                                base_value_bytes(base_slice_of("y"))};
    const base_member members[] = {{.key = base_slice_of("k"), .value = base_value_list(items, 7)}};
    const base_value value = base_value_map(members, 1);
    desk d;
    desk_begin(&d);
    base_write_value(&d.writer, &value);
    static const char expected[] = "\x10\x02\x02k" /* map, 1 member, its key */
                                   "\x0e\x0e"      /* list of 7 */
                                   "\x00"          /* null */
                                   "\x02\x01"      /* true */
                                   "\x04\x05"      /* -3 */
                                   "\x06\x32\x01"  /* 25 * 10^-1 */
                                   "\x08\x08"
                                   "1e99"      /* big number */
                                   "\x0a\x02x" /* string */
                                   "\x0c\x02y" /* bytes */
                                   "\x00\x00"; /* ends of list and map */
    assert_true(base_slice_equal(desk_bytes(&d), base_slice_make(expected, sizeof(expected) - 1)));
    desk_end(&d);
}

static base_code value_fails(const char *data, size_t size)
{
    base_arena arena;
    base_arena_init(&arena, 1 << 20);
    base_reader reader;
    base_reader_begin(&reader, base_slice_make(data, size));
    base_value value = base_value_bool(true);
    base_read_value(&reader, &arena, &value);
    assert_int_equal(value.kind, BASE_NULL);
    base_arena_deinit(&arena);
    return base_reader_status(&reader, false).code;
}

#define VALUE_FAILS(text) assert_int_equal(value_fails((text), sizeof(text) - 1), BASE_CORRUPT)

static void test_codec__a_value_in_another_form_is_corrupt(void **state)
{
    (void)state;
    VALUE_FAILS("");
    VALUE_FAILS("\x12");             /* no such branch */
    VALUE_FAILS("\x01");             /* branch -1 */
    VALUE_FAILS("\x06\x14\x01");     /* 10 * 10^-1 is 1 */
    VALUE_FAILS("\x06\x00\x01");     /* 0 */
    VALUE_FAILS("\x06\x02\x00");     /* exponent 0 */
    VALUE_FAILS("\x06\x02\x02");     /* 10, an integer */
    VALUE_FAILS("\x06\x02\x49");     /* exponent -37 */
    VALUE_FAILS("\x06\x02\x48");     /* exponent 36 */
    VALUE_FAILS("\x06\x02\x80\x04"); /* exponent 256: not to be cut to 8 bits */
    VALUE_FAILS("\x06\x82\x80\xa0\xf6\xf4\xac\xdb\xe0\x1b\x01"); /* coefficient over 18 digits */
    VALUE_FAILS("\x08\x02"
                "7"); /* a big number that is a small one */
    VALUE_FAILS("\x08\x04"
                "1x");                             /* no number */
    VALUE_FAILS("\x08\x00");                       /* no number */
    VALUE_FAILS("\x0a\x02\xff");                   /* not UTF-8 */
    VALUE_FAILS("\x0e\x02");                       /* list of 1, cut */
    VALUE_FAILS("\x0e\x02\x00");                   /* its end is missing */
    VALUE_FAILS("\x10\x02\x02k");                  /* member without value */
    VALUE_FAILS("\x10\x04\x02k\x00\x02k\x00\x00"); /* a key twice */
    VALUE_FAILS("\x10\x02\x02\xff\x00\x00");       /* key not UTF-8 */
}

static void test_codec__every_cut_and_many_a_flip_are_survived(void **state)
{
    (void)state;
    const char *seed_text = getenv("TEST_SEED");
    uint64_t seed = seed_text != NULL ? strtoull(seed_text, NULL, 10) : (uint64_t)time(NULL);
    print_message("TEST_SEED=%" PRIu64 "\n", seed);
    desk d;
    desk_begin(&d);
    const base_value value = sample(&d.arena);
    base_write_value(&d.writer, &value);
    const base_slice bytes = desk_bytes(&d);
    assert_true(bytes.size > 0);
    const base_arena_mark mark = base_arena_mark_get(&d.arena);
    for (size_t round = 0; round < bytes.size + 20000; round++) {
        base_arena_rewind(&d.arena, mark);
        const size_t size = round < bytes.size ? round : bytes.size;
        char *copy = malloc(size + 1); /* so that a read past the end is found */
        assert_non_null(copy);
        memcpy(copy, bytes.data, size);
        if (round >= bytes.size) {
            for (int flip = 0; flip < 2; flip++) {
                seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                copy[(seed >> 33) % size] ^= (char)(1U << (seed >> 29 & 7));
            }
        }
        base_reader reader;
        base_reader_begin(&reader, base_slice_make(copy, size));
        base_value back = base_value_null();
        base_read_value(&reader, &d.arena, &back);
        const base_status status = base_reader_status(&reader, true);
        if (round < bytes.size) {
            assert_int_equal(status.code, BASE_CORRUPT);
        } else if (!base_failed(status)) {
            base_slice again = {NULL, 0};
            base_writer_begin(&d.writer, &d.arena);
            base_write_value(&d.writer, &back);
            assert_int_equal(base_writer_end(&d.writer, &again).code, BASE_OK);
        }
        free(copy);
    }
    desk_end(&d);
}

static void test_codec__nesting_has_a_bound(void **state)
{
    (void)state;
    static base_value lists[BASE_VALUE_DEPTH_MAX + 1];
    for (size_t index = 0; index <= BASE_VALUE_DEPTH_MAX; index++) {
        lists[index] = base_value_list(index == 0 ? NULL : &lists[index - 1], index == 0 ? 0 : 1);
    }
    desk d;
    desk_begin(&d);
    base_write_value(&d.writer, &lists[BASE_VALUE_DEPTH_MAX - 1]);
    const base_slice bytes = desk_bytes(&d);
    base_reader reader;
    base_value back = base_value_null();
    base_reader_begin(&reader, bytes);
    base_read_value(&reader, &d.arena, &back);
    assert_int_equal(base_reader_status(&reader, true).code, BASE_OK);
    assert_true(base_value_equal(&back, &lists[BASE_VALUE_DEPTH_MAX - 1]));

    base_slice none = {NULL, 0};
    base_writer_begin(&d.writer, &d.arena);
    base_write_value(&d.writer, &lists[BASE_VALUE_DEPTH_MAX]);
    assert_int_equal(base_writer_end(&d.writer, &none).code, BASE_TOO_LARGE);
    assert_null(none.data);

    char deep[3 * BASE_VALUE_DEPTH_MAX];
    for (size_t index = 0; index < sizeof(deep) / 2; index++) {
        memcpy(deep + 2 * index, "\x0e\x02", 2);
    }
    assert_int_equal(value_fails(deep, sizeof(deep)), BASE_TOO_LARGE);
    desk_end(&d);
}

static void test_codec__without_memory_there_is_a_status(void **state)
{
    (void)state;
    desk d;
    desk_begin(&d);
    const base_value value = sample(&d.arena);
    base_write_value(&d.writer, &value);
    const base_slice bytes = desk_bytes(&d);
    for (int reading = 0; reading < 2; reading++) {
        base_code code = BASE_OUT_OF_MEMORY;
        size_t failures = 0;
        for (size_t size_max = 0; code != BASE_OK; size_max += 16) {
            base_arena arena;
            base_arena_init(&arena, size_max);
            base_value back = base_value_null();
            if (reading == 1) {
                base_reader reader;
                base_reader_begin(&reader, bytes);
                base_read_value(&reader, &arena, &back);
                code = base_reader_status(&reader, true).code;
                assert_int_equal(back.kind, code == BASE_OK ? BASE_MAP : BASE_NULL);
            } else {
                base_writer writer;
                base_slice written = {NULL, 0};
                base_writer_begin(&writer, &arena);
                base_write_value(&writer, &value);
                code = base_writer_end(&writer, &written).code;
                assert_true((code == BASE_OK) == (written.data != NULL));
            }
            assert_true(code == BASE_OK || code == BASE_OUT_OF_MEMORY);
            failures += code == BASE_OK ? 0 : 1;
            base_arena_deinit(&arena);
        }
        assert_true(failures > 10);
    }
    desk_end(&d);
}

/* The same with the system out of memory: the 1st, 2nd, ... chunk cannot be had. */
static void test_codec__without_chunks_there_is_a_status(void **state)
{
    (void)state;
    char text[20000];
    memset(text, 'x', sizeof(text));
    const base_value items[] = {base_value_string(base_slice_make(text, sizeof(text))),
                                base_value_string(base_slice_make(text, sizeof(text)))};
    const base_value list = base_value_list(items, 2);
    base_code code = BASE_OUT_OF_MEMORY;
    size_t failures = 0;
    while (code != BASE_OK) {
        base_arena arena;
        base_arena_init(&arena, 1 << 20);
        base_arena_fail_at(failures + 1, true);
        base_value copy = base_value_null();
        base_slice json = {NULL, 0};
        code = base_value_copy(&list, &arena, &copy).code;
        if (code == BASE_OK) {
            code = base_value_json(&copy, true, &arena, &json).code;
        }
        base_arena_fail_at(0, false);
        assert_true(code == BASE_OK || code == BASE_OUT_OF_MEMORY);
        failures += code == BASE_OK ? 0 : 1;
        base_arena_deinit(&arena);
    }
    assert_true(failures >= 3);
}

static void test_codec__a_writer_that_failed_stays_failed(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, 300);
    base_writer writer;
    base_slice bytes = {NULL, 0};
    base_writer_begin(&writer, &arena);
    char text[400] = "";
    base_write_bytes(&writer, base_slice_make(text, sizeof(text)));
    base_write_long(&writer, 1);
    base_write_bool(&writer, true);
    assert_int_equal(base_writer_end(&writer, &bytes).code, BASE_OUT_OF_MEMORY);
    assert_null(bytes.data);
    base_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec__longs_are_zig_zag_varints),
        cmocka_unit_test(test_codec__strings_bytes_and_booleans),
        cmocka_unit_test(test_codec__nothing_written_is_no_bytes),
        cmocka_unit_test(test_codec__bad_bytes_are_corrupt),
        cmocka_unit_test(test_codec__after_a_failure_there_are_only_zeros),
        cmocka_unit_test(test_codec__a_long_in_a_range),
        cmocka_unit_test(test_codec__arrays_are_written_in_one_block),
        cmocka_unit_test(test_codec__arrays_are_read_as_any_writer_makes_them),
        cmocka_unit_test(test_codec__a_value_comes_back_as_it_was),
        cmocka_unit_test(test_codec__the_bytes_of_a_value_are_fixed),
        cmocka_unit_test(test_codec__a_value_in_another_form_is_corrupt),
        cmocka_unit_test(test_codec__every_cut_and_many_a_flip_are_survived),
        cmocka_unit_test(test_codec__nesting_has_a_bound),
        cmocka_unit_test(test_codec__without_memory_there_is_a_status),
        cmocka_unit_test(test_codec__without_chunks_there_is_a_status),
        cmocka_unit_test(test_codec__a_writer_that_failed_stays_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
