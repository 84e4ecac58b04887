/* kill -9 on a real broker (KAFKA_BOOTSTRAP; scripts/with-kafka). */
#include "tests/engine/crash.h"

static void test_crash_kafka__orders_survive_an_engine_that_is_killed_again_and_again(void **state)
{
    (void)state;
    char url[256];
    char prefix[64];
    (void)snprintf(url, sizeof(url), "kafka://%s", getenv("KAFKA_BOOTSTRAP"));
    (void)snprintf(prefix, sizeof(prefix), "crash-%d", (int)getpid());
    static crash_run run;
    run = (crash_run){.url = url,
                      .prefix = prefix,
                      .partitions = "4",
                      .random = crash_seed(),
                      .place_every_ms = 80};
    crash_open(&run);
    crash_orders(&run, 200, 1500);
    world_close(&run.w);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--engine") == 0) {
        return crash_engine(argv + 2);
    }
    if (getenv("KAFKA_BOOTSTRAP") == NULL) {
        (void)fprintf(stderr, "skipped: KAFKA_BOOTSTRAP is not set (scripts/with-kafka sets it)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_kafka__orders_survive_an_engine_that_is_killed_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
