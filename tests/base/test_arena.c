#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

#if BASE_ARENA_POISONS
#include <sanitizer/asan_interface.h>
#endif

#define MEGABYTE ((size_t)1024 * 1024)

static void test_arena__blocks_are_aligned_and_apart(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, 64 * MEGABYTE);
    unsigned char *blocks[600];
    size_t sizes[600];
    for (size_t index = 0; index < 600; index++) {
        sizes[index] = index * index % 977;
        blocks[index] = base_arena_alloc(&arena, sizes[index]);
        assert_non_null(blocks[index]);
        assert_int_equal((uintptr_t)blocks[index] % 16, 0);
        memset(blocks[index], (int)(index % 251), sizes[index]);
    }
    for (size_t index = 0; index < 600; index++) {
        for (size_t at = 0; at < sizes[index]; at++) {
            assert_int_equal(blocks[index][at], index % 251);
        }
    }
    base_arena_deinit(&arena);
}

static void test_arena__size_0_gives_pointers_that_differ(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, MEGABYTE);
    const void *a = base_arena_alloc(&arena, 0);
    const void *b = base_arena_alloc(&arena, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    base_arena_deinit(&arena);
}

static void test_arena__the_bound_holds_to_the_byte(void **state)
{
    (void)state;
    for (size_t size_max = 0; size_max < 200; size_max += 8) {
        base_arena arena;
        base_arena_init(&arena, size_max);
        size_t count = 0;
        while (base_arena_alloc(&arena, 16) != NULL) {
            count++;
            assert_true(arena.used_size <= size_max);
        }
        assert_int_equal(count, size_max / 16);
        base_arena_deinit(&arena);
    }
}

static void test_arena__the_bound_holds_over_many_chunks(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, 100000);
    size_t total = 0;
    while (base_arena_alloc(&arena, 1008) != NULL) {
        total += 1008;
    }
    assert_int_equal(total, 100000 / 1008 * 1008);
    assert_int_equal(arena.used_size, total);
    assert_null(base_arena_alloc(&arena, 1008));
    assert_non_null(base_arena_alloc(&arena, 100000 - total - 16));
    base_arena_deinit(&arena);
}

static void test_arena__absurd_sizes_give_null(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, SIZE_MAX);
    assert_null(base_arena_alloc(&arena, SIZE_MAX));
    assert_null(base_arena_alloc(&arena, SIZE_MAX - 15));
    assert_null(base_arena_alloc(&arena, SIZE_MAX - 31));
    assert_null(base_arena_alloc(&arena, (size_t)PTRDIFF_MAX));
    assert_null(base_arena_alloc_zero(&arena, SIZE_MAX / 2, 3));
    assert_null(base_arena_copy(&arena, base_slice_make("x", SIZE_MAX)).data);
    assert_non_null(base_arena_alloc(&arena, 1));
    base_arena_deinit(&arena);
}

static void test_arena__zeroed_memory_is_zero_after_reuse(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, MEGABYTE);
    for (int round = 0; round < 3; round++) {
        unsigned char *bytes = base_arena_alloc_zero(&arena, 100, 7);
        assert_non_null(bytes);
        for (size_t at = 0; at < 700; at++) {
            assert_int_equal(bytes[at], 0);
        }
        memset(bytes, 0xAA, 700);
        base_arena_reset(&arena);
        assert_int_equal(arena.used_size, 0);
    }
    base_arena_deinit(&arena);
}

static void test_arena__grow_stays_in_place_for_the_newest_block_only(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, MEGABYTE);
    char *block = base_arena_grow(&arena, NULL, 0, 10);
    memcpy(block, "0123456789", 10);
    assert_ptr_equal(base_arena_grow(&arena, block, 10, 12), block);
    assert_ptr_equal(base_arena_grow(&arena, block, 12, 500), block);
    assert_int_equal(arena.used_size, 512);
    (void)base_arena_alloc(&arena, 1);
    char *moved = base_arena_grow(&arena, block, 500, 600);
    assert_ptr_not_equal(moved, block);
    assert_memory_equal(moved, "0123456789", 10);
    char *larger = base_arena_grow(&arena, moved, 600, 100000); /* does not fit the chunk */
    assert_memory_equal(larger, "0123456789", 10);
    larger[99999] = 'x';
    assert_null(base_arena_grow(&arena, larger, 100000, 2 * MEGABYTE));
    assert_memory_equal(larger, "0123456789", 10); /* still there */
    base_arena_deinit(&arena);
}

static void test_arena__rewind_goes_back_over_chunks(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, 8 * MEGABYTE);
    const base_arena_mark empty = base_arena_mark_get(&arena);
    char *kept = base_arena_alloc(&arena, 6);
    memcpy(kept, "kept!", 6);
    const base_arena_mark mark = base_arena_mark_get(&arena);
    char *first = base_arena_alloc(&arena, 100);
    for (int round = 0; round < 50; round++) {
        assert_non_null(base_arena_alloc(&arena, 3000));
    }
    base_arena_rewind(&arena, mark);
    assert_int_equal(arena.used_size, 16);
    assert_ptr_equal(base_arena_alloc(&arena, 100), first);
    assert_string_equal(kept, "kept!");
    base_arena_rewind(&arena, empty);
    assert_int_equal(arena.used_size, 0);
    assert_non_null(base_arena_alloc(&arena, 8 * MEGABYTE - 16));
    base_arena_deinit(&arena);
}

static void test_arena__a_loop_of_mark_and_rewind_takes_no_new_memory(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, MEGABYTE);
    assert_non_null(base_arena_alloc(&arena, 4000));
    const base_arena_mark mark = base_arena_mark_get(&arena);
    assert_non_null(base_arena_alloc(&arena, 4000));
    base_arena_rewind(&arena, mark);
    base_arena_fail_at(1, true);
    for (int round = 0; round < 100; round++) {
        assert_non_null(base_arena_alloc(&arena, 4000));
        base_arena_rewind(&arena, mark);
    }
    base_arena_fail_at(0, false);
    base_arena_deinit(&arena);
}

static void test_arena__reset_keeps_the_largest_chunk(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, 8 * MEGABYTE);
    assert_non_null(base_arena_alloc(&arena, 100));
    assert_non_null(base_arena_alloc(&arena, MEGABYTE));
    assert_non_null(base_arena_alloc(&arena, 100));
    base_arena_reset(&arena);
    base_arena_fail_at(1, true);
    assert_non_null(base_arena_alloc(&arena, MEGABYTE));
    base_arena_fail_at(0, false);
    base_arena_deinit(&arena);
}

static void test_arena__a_chunk_that_cannot_be_had_gives_null(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, MEGABYTE);
    base_arena_fail_at(2, false);
    assert_non_null(base_arena_alloc(&arena, 4000));
    assert_null(base_arena_alloc(&arena, 4000));
    assert_non_null(base_arena_alloc(&arena, 4000)); /* once only */
    base_arena_fail_at(1, true);
    assert_null(base_arena_alloc(&arena, 40000));
    assert_null(base_arena_alloc(&arena, 40000));
    base_arena_fail_at(0, false);
    assert_non_null(base_arena_alloc(&arena, 40000));
    base_arena_deinit(&arena);
}

static void test_arena__copies_and_prints_text(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, MEGABYTE);
    const base_slice copy = base_arena_copy(&arena, base_slice_make("a\0b", 3));
    assert_int_equal(copy.size, 3);
    assert_memory_equal(copy.data, "a\0b\0", 4);
    const base_slice empty = base_arena_copy(&arena, base_slice_make(NULL, 0));
    assert_non_null(empty.data);
    assert_int_equal(empty.size, 0);
    assert_string_equal(empty.data, "");
    const base_slice text = base_arena_print(&arena, "%s-%d", "step", 7);
    assert_int_equal(text.size, 6);
    assert_string_equal(text.data, "step-7");
    char wide[9000];
    memset(wide, 'w', sizeof(wide));
    wide[8999] = '\0';
    assert_int_equal(base_arena_print(&arena, "<%s>", wide).size, 9001);
    base_arena_deinit(&arena);

    base_arena_init(&arena, 16);
    assert_null(base_arena_print(&arena, "%s", "more than sixteen bytes").data);
    assert_null(base_arena_copy(&arena, base_slice_of("more than sixteen bytes")).data);
    base_arena_deinit(&arena);
}

static void test_arena__deinit_accepts_a_zeroed_arena_and_twice(void **state)
{
    (void)state;
    base_arena arena = {0};
    base_arena_deinit(&arena);
    base_arena_init(&arena, MEGABYTE);
    assert_non_null(base_arena_alloc(&arena, 10));
    base_arena_deinit(&arena);
    base_arena_deinit(&arena);
    assert_non_null(base_arena_alloc(&arena, 10)); /* may be used again */
    base_arena_deinit(&arena);
}

static void test_arena__unused_and_forgotten_bytes_are_poisoned(void **state)
{
    (void)state;
#if BASE_ARENA_POISONS
    base_arena arena;
    base_arena_init(&arena, MEGABYTE);
    const base_arena_mark mark = base_arena_mark_get(&arena);
    char *block = base_arena_alloc(&arena, 24);
    assert_null(__asan_region_is_poisoned(block, 24));
    assert_int_equal(__asan_address_is_poisoned(block + 24), 1);
    char *grown = base_arena_grow(&arena, block, 24, 30);
    assert_ptr_equal(grown, block);
    assert_null(__asan_region_is_poisoned(block, 30));
    assert_int_equal(__asan_address_is_poisoned(block + 30), 1);
    grown = base_arena_grow(&arena, block, 30, 300);
    assert_ptr_equal(grown, block);
    assert_null(__asan_region_is_poisoned(block, 300));
    assert_int_equal(__asan_address_is_poisoned(block + 300), 1);
    base_arena_rewind(&arena, mark);
    assert_int_equal(__asan_address_is_poisoned(block), 1);
    base_arena_deinit(&arena);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__blocks_are_aligned_and_apart),
        cmocka_unit_test(test_arena__size_0_gives_pointers_that_differ),
        cmocka_unit_test(test_arena__the_bound_holds_to_the_byte),
        cmocka_unit_test(test_arena__the_bound_holds_over_many_chunks),
        cmocka_unit_test(test_arena__absurd_sizes_give_null),
        cmocka_unit_test(test_arena__zeroed_memory_is_zero_after_reuse),
        cmocka_unit_test(test_arena__grow_stays_in_place_for_the_newest_block_only),
        cmocka_unit_test(test_arena__rewind_goes_back_over_chunks),
        cmocka_unit_test(test_arena__a_loop_of_mark_and_rewind_takes_no_new_memory),
        cmocka_unit_test(test_arena__reset_keeps_the_largest_chunk),
        cmocka_unit_test(test_arena__a_chunk_that_cannot_be_had_gives_null),
        cmocka_unit_test(test_arena__copies_and_prints_text),
        cmocka_unit_test(test_arena__deinit_accepts_a_zeroed_arena_and_twice),
        cmocka_unit_test(test_arena__unused_and_forgotten_bytes_are_poisoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
