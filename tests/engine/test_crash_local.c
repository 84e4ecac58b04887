/* kill -9 on the embedded log. */
#include "tests/engine/crash.h"

static void test_crash_local__orders_survive_an_engine_that_is_killed_again_and_again(void **state)
{
    (void)state;
    char directory[] = "/tmp/troupe-crash-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char url[64];
    (void)snprintf(url, sizeof(url), "local:%s", directory);
    static crash_run run;
    run = (crash_run){.url = url,
                      .prefix = "troupe",
                      .partitions = "4",
                      .random = crash_seed(),
                      .place_every_ms = 25};
    crash_open(&run);
    crash_orders(&run, 200, 300);
    world_close(&run.w);
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    assert_int_equal(system(command), 0); /* NOLINT: the name is ours */
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--engine") == 0) {
        return crash_engine(argv + 2);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_local__orders_survive_an_engine_that_is_killed_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
