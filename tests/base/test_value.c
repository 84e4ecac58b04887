#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/value.h"

static base_value number(const char *text)
{
    base_value value = {0};
    assert_int_equal(base_number_parse(base_slice_of(text), &value).code, BASE_OK);
    return value;
}

static void test_value__is_24_bytes(void **state)
{
    (void)state;
    assert_int_equal(sizeof(base_value), 24);
}

static void test_value__places_hold_line_and_column(void **state)
{
    (void)state;
    const base_place place = base_place_make(12, 7);
    assert_int_equal(base_place_line(place), 12);
    assert_int_equal(base_place_column(place), 7);
    assert_int_equal(base_place_make(0, 5), 0);
    const base_place far = base_place_make(SIZE_MAX, SIZE_MAX);
    assert_int_equal(base_place_line(far), 4194303);
    assert_int_equal(base_place_column(far), 1023);
    assert_int_equal(base_place_line(base_place_make(4194303, 1022)), 4194303);
    assert_int_equal(base_place_column(base_place_make(4194303, 1022)), 1022);
}

static void test_value__kinds_have_jq_names(void **state)
{
    (void)state;
    assert_string_equal(base_kind_name(BASE_NULL), "null");
    assert_string_equal(base_kind_name(BASE_BOOL), "boolean");
    assert_string_equal(base_kind_name(BASE_INTEGER), "number");
    assert_string_equal(base_kind_name(BASE_DECIMAL), "number");
    assert_string_equal(base_kind_name(BASE_NUMBER_TEXT), "number");
    assert_string_equal(base_kind_name(BASE_STRING), "string");
    assert_string_equal(base_kind_name(BASE_BYTES), "bytes");
    assert_string_equal(base_kind_name(BASE_LIST), "array");
    assert_string_equal(base_kind_name(BASE_MAP), "object");
}

static void test_value__slices_only_what_has_bytes(void **state)
{
    (void)state;
    const base_value text = base_value_text("abc");
    const base_value integer = base_value_integer(5);
    const base_value big = number("1e500");
    assert_true(base_slice_is(base_value_slice(&text), "abc"));
    assert_true(base_slice_is(base_value_slice(&big), "1e500"));
    assert_int_equal(base_value_slice(&integer).size, 0);
    assert_true(base_value_is_number(&integer));
    assert_true(base_value_is_number(&big));
    assert_false(base_value_is_number(&text));
}

/* Values in jq's order, each less than the next. */
typedef struct ladder {
    base_value items[40];
    base_value small[8];
    base_member members[16];
    size_t count;
} ladder;

static void ladder_make(ladder *l)
{
    *l = (ladder){0};
    base_value *small = l->small;
    base_member *members = l->members;
    small[0] = base_value_integer(1);
    small[1] = base_value_integer(2);
    small[2] = base_value_list(small, 1);
    const char *const keys[] = {"a", "b", "a", "c", "b", "a", "b"};
    for (size_t index = 0; index < 7; index++) {
        members[index].key = base_slice_of(keys[index]);
        members[index].value = base_value_integer((int64_t)index);
    }
    const base_value items[] = {
        base_value_null(),
        base_value_bool(false),
        base_value_bool(true),
        number("-1e400"),
        base_value_integer(-3),
        number("0.5"),
        base_value_integer(1),
        number("1e400"),
        base_value_text(""),
        base_value_text("a"),
        base_value_text("ab"),
        base_value_text("b"),
        base_value_text("\xC3\xA9"),
        base_value_bytes(base_slice_of("")),
        base_value_bytes(base_slice_of("a")),
        base_value_list(NULL, 0),
        base_value_list(small, 1),     /* [1] */
        base_value_list(small, 2),     /* [1,2] */
        base_value_list(small, 3),     /* [1,2,[1]] */
        base_value_list(small + 1, 1), /* [2] */
        base_value_list(small + 2, 1), /* [[1]] */
        base_value_map(NULL, 0),
        base_value_map(members, 1),     /* {a:0} */
        base_value_map(members + 2, 1), /* {a:2} */
        base_value_map(members, 2),     /* {a:0,b:1} */
        base_value_map(members + 4, 2), /* {b:4,a:5}: keys a, b; a is greater */
        base_value_map(members + 5, 2), /* {a:5,b:6} */
        base_value_map(members + 2, 2), /* {a:2,c:3}: keys before values */
        base_value_map(members + 1, 1), /* {b:1} */
        base_value_map(members + 6, 1), /* {b:6} */
    };
    l->count = sizeof(items) / sizeof(items[0]);
    memcpy(l->items, items, sizeof(items));
}

static void assert_in_order(const ladder *l, size_t i, size_t j)
{
    const int order = base_value_compare(&l->items[i], &l->items[j]);
    if ((order > 0) - (order < 0) != (i > j) - (i < j)) {
        fail_msg("items %zu and %zu: %d", i, j, order);
    }
    assert_int_equal(base_value_equal(&l->items[i], &l->items[j]), i == j);
}

static void test_value__the_order_is_jqs(void **state)
{
    (void)state;
    ladder l;
    ladder_make(&l);
    for (size_t i = 0; i < l.count; i++) {
        for (size_t j = 0; j < l.count; j++) {
            assert_in_order(&l, i, j);
        }
    }
}

static void test_value__places_take_no_part_in_comparison(void **state)
{
    (void)state;
    base_value a = base_value_text("x");
    const base_value b = base_value_text("x");
    a.place = base_place_make(3, 4);
    assert_true(base_value_equal(&a, &b));
}

static void test_value__a_copy_is_equal_and_shares_nothing(void **state)
{
    (void)state;
    base_arena source;
    base_arena target;
    base_arena_init(&source, 1 << 20);
    base_arena_init(&target, 1 << 20);
    ladder *l = BASE_ARENA_NEW(&source, ladder);
    ladder_make(l);
    l->members[0].key = base_arena_copy(&source, base_slice_of("a"));
    l->items[9] = base_value_string(base_arena_copy(&source, base_slice_of("a")));
    base_value list = base_value_list(l->items, l->count);
    list.place = base_place_make(1, 1);
    l->items[9].place = base_place_make(1, 2);
    base_value copy = base_value_null();
    assert_int_equal(base_value_copy(&list, &target, &copy).code, BASE_OK);
    assert_true(base_value_equal(&copy, &list));
    assert_int_equal(copy.place, 0);
    assert_int_equal(copy.items[9].place, 0);
    base_slice before = {NULL, 0};
    base_slice after = {NULL, 0};
    assert_int_equal(base_value_json(&list, false, &target, &before).code, BASE_OK);
    memset(l->members, 0x5A, sizeof(l->members));
    base_arena_deinit(&source); /* under AddressSanitizer a shared byte is found now */
    assert_int_equal(base_value_json(&copy, false, &target, &after).code, BASE_OK);
    assert_true(base_slice_equal(before, after));
    base_arena_deinit(&target);
}

static void test_value__a_copy_without_memory_is_a_status(void **state)
{
    (void)state;
    ladder l;
    ladder_make(&l);
    const base_value list = base_value_list(l.items, l.count);
    base_code code = BASE_OUT_OF_MEMORY;
    size_t failures = 0;
    for (size_t size_max = 0; code != BASE_OK; size_max += 16) {
        base_arena arena;
        base_arena_init(&arena, size_max);
        base_value copy = base_value_bool(true);
        code = base_value_copy(&list, &arena, &copy).code;
        if (code != BASE_OK) {
            assert_int_equal(code, BASE_OUT_OF_MEMORY);
            assert_int_equal(copy.kind, BASE_BOOL);
            failures++;
        }
        base_arena_deinit(&arena);
    }
    assert_true(failures > 50);
}

/* Two towers of lists (or maps) of this many levels over two leaves. */
typedef struct towers {
    base_value a[BASE_VALUE_DEPTH_MAX + 20];
    base_value b[BASE_VALUE_DEPTH_MAX + 20];
    base_member a_members[BASE_VALUE_DEPTH_MAX + 20];
    base_member b_members[BASE_VALUE_DEPTH_MAX + 20];
} towers;

static void towers_make(towers *t, bool maps, int64_t a_leaf, int64_t b_leaf)
{
    t->a[0] = base_value_integer(a_leaf);
    t->b[0] = base_value_integer(b_leaf);
    for (size_t level = 1; level < BASE_VALUE_DEPTH_MAX + 20; level++) {
        if (maps) {
            t->a_members[level] =
                (base_member){.key = base_slice_of("k"), .value = t->a[level - 1]};
            t->b_members[level] =
                (base_member){.key = base_slice_of("k"), .value = t->b[level - 1]};
            t->a[level] = base_value_map(&t->a_members[level], 1);
            t->b[level] = base_value_map(&t->b_members[level], 1);
        } else {
            t->a[level] = base_value_list(&t->a[level - 1], 1);
            t->b[level] = base_value_list(&t->b[level - 1], 1);
        }
    }
}

static void test_value__deep_values_compare_and_copy_to_the_bound(void **state)
{
    (void)state;
    static towers t;
    const size_t deepest = BASE_VALUE_DEPTH_MAX;
    for (int maps = 0; maps < 2; maps++) {
        towers_make(&t, maps == 1, 1, 2);
        assert_true(base_value_compare(&t.a[deepest], &t.b[deepest]) < 0);
        assert_true(base_value_compare(&t.b[deepest], &t.a[deepest]) > 0);
        base_arena arena;
        base_arena_init(&arena, 1 << 20);
        base_value copy = base_value_null();
        assert_int_equal(base_value_copy(&t.a[deepest], &arena, &copy).code, BASE_OK);
        assert_true(base_value_equal(&copy, &t.a[deepest]));
        /* Past the bound: a status, and a comparison that ends and does not tell the leaves apart.
         */
        assert_int_equal(base_value_copy(&t.a[deepest + 1], &arena, &copy).code, BASE_TOO_LARGE);
        assert_int_equal(base_value_compare(&t.a[deepest + 1], &t.b[deepest + 1]), 0);
        assert_int_equal(base_value_compare(&t.a[deepest + 19], &t.b[deepest + 19]), 0);
        base_arena_deinit(&arena);
    }
}

static void test_value__a_list_grows(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, 1 << 20);
    base_list_builder builder;
    base_list_begin(&builder, &arena);
    base_value list = base_list_end(&builder);
    assert_int_equal(list.kind, BASE_LIST);
    assert_int_equal(list.size, 0);
    base_list_begin(&builder, &arena);
    for (int64_t index = 0; index < 1000; index++) {
        const base_value value = base_value_integer(index);
        assert_int_equal(base_list_push(&builder, &value).code, BASE_OK);
        if (index % 7 == 0) {
            assert_non_null(base_arena_alloc(&arena, 1));
        }
    }
    /* an item of the list itself, which moves */
    for (int64_t index = 0; index < 100; index++) {
        assert_non_null(base_arena_alloc(&arena, 1));
        assert_int_equal(base_list_push(&builder, &builder.items[index]).code, BASE_OK);
    }
    list = base_list_end(&builder);
    assert_int_equal(list.size, 1100);
    for (size_t index = 0; index < 1100; index++) {
        assert_int_equal(list.items[index].integer, index % 1000);
    }
    base_arena_deinit(&arena);
}

static void test_value__a_list_without_memory_keeps_what_it_has(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, 400);
    base_list_builder builder;
    base_list_begin(&builder, &arena);
    const base_value value = base_value_integer(7);
    size_t count = 0;
    base_status status = base_ok();
    while (!base_failed(status)) {
        status = base_list_push(&builder, &value);
        count += base_failed(status) ? 0 : 1;
    }
    assert_int_equal(status.code, BASE_OUT_OF_MEMORY);
    const base_value list = base_list_end(&builder);
    assert_int_equal(list.size, count);
    assert_true(count >= 8);
    base_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value__is_24_bytes),
        cmocka_unit_test(test_value__places_hold_line_and_column),
        cmocka_unit_test(test_value__kinds_have_jq_names),
        cmocka_unit_test(test_value__slices_only_what_has_bytes),
        cmocka_unit_test(test_value__the_order_is_jqs),
        cmocka_unit_test(test_value__places_take_no_part_in_comparison),
        cmocka_unit_test(test_value__a_copy_is_equal_and_shares_nothing),
        cmocka_unit_test(test_value__a_copy_without_memory_is_a_status),
        cmocka_unit_test(test_value__deep_values_compare_and_copy_to_the_bound),
        cmocka_unit_test(test_value__a_list_grows),
        cmocka_unit_test(test_value__a_list_without_memory_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
