/* Maps large and small against a list that is looked through. TEST_SEED=n repeats a run. */
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

#include "base/map.h"
#include "base/value.h"

#define MEMBERS_MAX 700

static uint64_t random_state;

static uint32_t random_below(uint32_t end)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % end);
}

/* The keys in the order they were put first, with the value put last. */
typedef struct model {
    char keys[MEMBERS_MAX][24];
    int64_t values[MEMBERS_MAX];
    size_t count;
} model;

static size_t model_find(const model *m, const char *key)
{
    size_t index = 0;
    while (index < m->count && strcmp(m->keys[index], key) != 0) {
        index++;
    }
    return index;
}

static void model_put(model *m, const char *key, int64_t value)
{
    const size_t index = model_find(m, key);
    if (index == m->count) {
        (void)snprintf(m->keys[m->count++], sizeof(m->keys[0]), "%s", key);
    }
    m->values[index] = value;
}

static void random_key(uint32_t kinds, char *key)
{
    const uint32_t number = random_below(kinds);
    (void)snprintf(key, 24, random_below(2) == 0 ? "k%u" : "%06u", number);
}

static base_value build(base_arena *arena, const model *m)
{
    base_map_builder builder;
    base_map_begin(&builder, arena);
    for (size_t index = 0; index < m->count; index++) {
        const base_value value = base_value_integer(m->values[index]);
        assert_int_equal(base_map_put_text(&builder, m->keys[index], &value).code, BASE_OK);
    }
    return base_map_end(&builder);
}

static void assert_is_model(const base_value *map, const model *m)
{
    assert_int_equal(map->kind, BASE_MAP);
    assert_int_equal(map->size, m->count);
    for (size_t index = 0; index < m->count; index++) {
        assert_true(base_slice_is(map->members[index].key, m->keys[index]));
        assert_int_equal(map->members[index].value.integer, m->values[index]);
        assert_ptr_equal(base_map_get_text(map, m->keys[index]), &map->members[index].value);
    }
    assert_null(base_map_get_text(map, ""));
    assert_null(base_map_get_text(map, "k"));
    assert_null(base_map_get_text(map, "~"));
    assert_null(base_map_get_text(map, "000000x"));
    base_map_cursor cursor;
    base_map_cursor_begin(&cursor, map);
    for (int round = 0; round < 2; round++) {
        const base_member *last = NULL;
        for (size_t index = 0; index < map->size; index++) {
            const base_member *member = base_map_cursor_at(&cursor, index);
            assert_true(last == NULL || base_slice_compare(last->key, member->key) < 0);
            last = member;
        }
    }
}

static void test_map__a_builder_is_like_a_list_that_is_looked_through(void **state)
{
    (void)state;
    static model m;
    for (int round = 0; round < 400; round++) {
        base_arena arena;
        base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
        base_map_builder builder;
        base_map_begin(&builder, &arena);
        m.count = 0;
        const uint32_t puts = round < 100 ? (uint32_t)round : random_below(MEMBERS_MAX);
        const uint32_t kinds = 1 + random_below(1000);
        for (uint32_t put = 0; put < puts; put++) {
            char key[24];
            random_key(kinds, key);
            const base_slice kept = base_arena_copy(&arena, base_slice_of(key));
            const base_value value = base_value_integer((int64_t)put);
            model_put(&m, key, (int64_t)put);
            assert_int_equal(base_map_put(&builder, kept, &value).code, BASE_OK);
            assert_int_equal(builder.count, m.count);
        }
        const base_value map = base_map_end(&builder);
        assert_is_model(&map, &m);
        assert_int_equal(map.indexed, m.count > BASE_MAP_SMALL_MAX);
        base_value copy = base_value_null();
        assert_int_equal(base_value_copy(&map, &arena, &copy).code, BASE_OK);
        assert_is_model(&copy, &m);
        base_arena_deinit(&arena);
    }
}

static void test_map__order_and_index_take_no_part_in_comparison(void **state)
{
    (void)state;
    static model forward;
    static model backward;
    const size_t sizes[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200};
    for (size_t at = 0; at < sizeof(sizes) / sizeof(sizes[0]); at++) {
        forward.count = 0;
        backward.count = 0;
        for (size_t index = 0; index < sizes[at]; index++) {
            char key[24];
            (void)snprintf(key, sizeof(key), "k%zu", index);
            model_put(&forward, key, (int64_t)index);
            (void)snprintf(key, sizeof(key), "k%zu", sizes[at] - 1 - index);
            model_put(&backward, key, (int64_t)(sizes[at] - 1 - index));
        }
        base_arena arena;
        base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
        const base_value a = build(&arena, &forward);
        const base_value b = build(&arena, &backward);
        const base_value plain = base_value_map(b.members, b.size); /* without index */
        assert_true(base_value_equal(&a, &b));
        assert_true(base_value_equal(&a, &plain));
        assert_true(base_value_equal(&plain, &a));
        assert_is_model(&plain, &backward);
        base_slice a_json = {NULL, 0};
        base_slice plain_json = {NULL, 0};
        assert_int_equal(base_value_json(&a, true, &arena, &a_json).code, BASE_OK);
        assert_int_equal(base_value_json(&plain, true, &arena, &plain_json).code, BASE_OK);
        assert_true(base_slice_equal(a_json, plain_json));
        if (sizes[at] > 0) {
            forward.values[0]++;
            const base_value c = build(&arena, &forward);
            assert_true(base_value_compare(&c, &b) > 0);
            assert_true(base_value_compare(&plain, &c) < 0);
        }
        base_arena_deinit(&arena);
    }
}

/* A map made by hand may hold a key more than once; each member is visited, those of one key in
 * their order. */
static void test_map__a_cursor_visits_every_member_of_a_map_made_by_hand(void **state)
{
    (void)state;
    base_member members[100];
    for (size_t index = 0; index < 100; index++) {
        members[index] = (base_member){.key = base_slice_of(index % 3 == 0 ? "b" : "a"),
                                       .value = base_value_integer((int64_t)index)};
    }
    const base_value map = base_value_map(members, 100);
    base_map_cursor cursor;
    base_map_cursor_begin(&cursor, &map);
    for (int round = 0; round < 2; round++) {
        for (size_t position = 0; position < 100; position++) {
            const base_member *member = base_map_cursor_at(&cursor, position);
            const int64_t expected = position < 66 ? (int64_t)(position / 2 * 3 + position % 2 + 1)
                                                   : (int64_t)(position - 66) * 3;
            assert_int_equal(member->value.integer, expected);
        }
    }
}

static void test_map__a_large_map_is_built_and_found_in_quickly(void **state)
{
    (void)state;
    const size_t count = 100000;
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_map_builder builder;
    base_map_begin(&builder, &arena);
    const clock_t start = clock();
    for (size_t index = 0; index < count; index++) {
        const base_slice key = base_arena_print(&arena, "%zu", index * 7919 % count);
        const base_value value = base_value_integer((int64_t)index);
        assert_int_equal(base_map_put(&builder, key, &value).code, BASE_OK);
    }
    const base_value map = base_map_end(&builder);
    for (size_t index = 0; index < count; index++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "%zu", index * 7919 % count);
        const base_value *found = base_map_get_text(&map, key);
        assert_non_null(found);
        assert_int_equal(found->integer, index);
    }
    /* Some tenths of a second even under sanitizers; were it quadratic, minutes. */
    assert_true((double)(clock() - start) / (double)CLOCKS_PER_SEC < 20.0);
    base_arena_deinit(&arena);
}

static void test_map__keys_may_hold_any_bytes(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, 65536);
    base_map_builder builder;
    base_map_begin(&builder, &arena);
    const base_value one = base_value_integer(1);
    const base_value two = base_value_integer(2);
    assert_int_equal(base_map_put(&builder, base_slice_make(NULL, 0), &one).code, BASE_OK);
    assert_int_equal(base_map_put(&builder, base_slice_make("\0", 1), &two).code, BASE_OK);
    assert_int_equal(base_map_put_text(&builder, "", &two).code, BASE_OK);
    const base_value map = base_map_end(&builder);
    assert_int_equal(map.size, 2);
    assert_int_equal(base_map_get_text(&map, "")->integer, 2);
    assert_int_equal(base_map_get(&map, base_slice_make("\0", 1))->integer, 2);
    base_arena_deinit(&arena);
}

static void test_map__what_is_no_map_has_no_members(void **state)
{
    (void)state;
    const base_value text = base_value_text("charge");
    const base_value empty = base_value_map(NULL, 0);
    assert_null(base_map_get_text(NULL, "charge"));
    assert_null(base_map_get_text(&text, "charge"));
    assert_null(base_map_get_text(&empty, "charge"));
}

/* The value that is put may be one that lies in the builder itself, which moves when it grows. */
static void test_map__a_member_may_be_put_again_under_another_key(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_map_builder builder;
    base_map_begin(&builder, &arena);
    const base_value value = base_value_integer(42);
    assert_int_equal(base_map_put_text(&builder, "first", &value).code, BASE_OK);
    for (size_t index = 0; index < 100; index++) {
        assert_non_null(base_arena_alloc(&arena, 1)); /* keeps it from growing in place */
        const base_slice key = base_arena_print(&arena, "%zu", index);
        assert_int_equal(base_map_put(&builder, key, &builder.members[index].value).code, BASE_OK);
    }
    const base_value map = base_map_end(&builder);
    for (size_t index = 0; index < map.size; index++) {
        assert_int_equal(map.members[index].value.integer, 42);
    }
    base_arena_deinit(&arena);
}

static void test_map__a_builder_without_memory_keeps_what_it_has(void **state)
{
    (void)state;
    for (size_t size_max = 0; size_max < 20000; size_max += 16) {
        base_arena arena;
        base_arena_init(&arena, size_max);
        base_map_builder builder;
        base_map_begin(&builder, &arena);
        char keys[100][24];
        size_t put = 0;
        for (size_t index = 0; index < 100; index++) {
            (void)snprintf(keys[index], sizeof(keys[index]), "%zu", index);
            const base_value value = base_value_integer((int64_t)index);
            const base_status status = base_map_put_text(&builder, keys[index], &value);
            if (base_failed(status)) {
                assert_int_equal(status.code, BASE_OUT_OF_MEMORY);
                assert_int_equal(builder.count, put);
                break;
            }
            put++;
        }
        const base_value map = base_map_end(&builder);
        assert_int_equal(map.size, put);
        for (size_t index = 0; index < put; index++) {
            assert_int_equal(base_map_get_text(&map, keys[index])->integer, index);
        }
        base_arena_deinit(&arena);
    }
}

int main(void)
{
    const char *seed = getenv("TEST_SEED");
    random_state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    print_message("TEST_SEED=%" PRIu64 "\n", random_state);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map__a_builder_is_like_a_list_that_is_looked_through),
        cmocka_unit_test(test_map__order_and_index_take_no_part_in_comparison),
        cmocka_unit_test(test_map__a_cursor_visits_every_member_of_a_map_made_by_hand),
        cmocka_unit_test(test_map__a_large_map_is_built_and_found_in_quickly),
        cmocka_unit_test(test_map__keys_may_hold_any_bytes),
        cmocka_unit_test(test_map__what_is_no_map_has_no_members),
        cmocka_unit_test(test_map__a_member_may_be_put_again_under_another_key),
        cmocka_unit_test(test_map__a_builder_without_memory_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
