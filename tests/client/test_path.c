/* Paths into JSON data. */
#include "client/client.h"
#include "schemas/json.h"
#include "tests/client/world.h"

static const base_value *get(base_arena *arena, const char *json, const char *path)
{
    base_value *value = BASE_ARENA_NEW(arena, base_value);
    assert_false(base_failed(schema_json_read(base_slice_of(json), NULL, arena, value, NULL)));
    return client_path_get(value, path);
}

static void test_path__finds_members_items_and_odd_names(void **state)
{
    base_arena arena;
    (void)state;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    const char *json = "{\"a\":{\"b-c\":[1,{\"d\":2}]},\"x.y\":{\"z\":3},\"ü\":4,\"l\":[[5,6]]}";
    assert_int_equal(get(&arena, json, "a.b-c[0]")->integer, 1);
    assert_int_equal(get(&arena, json, "a.b-c[1].d")->integer, 2);
    assert_int_equal(get(&arena, json, "\"x.y\".z")->integer, 3);
    assert_int_equal(get(&arena, json, "ü")->integer, 4);
    assert_int_equal(get(&arena, json, "l[0][1]")->integer, 6);
    assert_int_equal(get(&arena, "[7]", "[0]")->integer, 7);
    assert_int_equal(get(&arena, json, "")->kind, BASE_MAP);
    base_arena_deinit(&arena);
}

static void test_path__finds_nothing_where_the_path_is_wrong(void **state)
{
    base_arena arena;
    (void)state;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    const char *json = "{\"a\":[1,2],\"b\":{\"c\":1}}";
    static const char *const wrong[] = {"x",
                                        ".a",
                                        "a.",
                                        "a[2]",
                                        "a[",
                                        "a[]",
                                        "a[1",
                                        "a]",
                                        "a[0]x",
                                        "b..c",
                                        "b[0]",
                                        "a.c",
                                        "\"b",
                                        "\"b\"c",
                                        "b\"",
                                        "a[-1]",
                                        "a[99999999999999999999]"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (get(&arena, json, wrong[i]) != NULL) {
            fail_msg("\"%s\" found something", wrong[i]);
        }
    }
    assert_null(client_path_get(NULL, "a"));
    base_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path__finds_members_items_and_odd_names),
        cmocka_unit_test(test_path__finds_nothing_where_the_path_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
