#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/slots.h"

#define KEY_COUNT 300

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Against a model that only has arrays: what is there, and who is due first. */
static void test_slots__do_what_a_plain_array_does(void **state)
{
    (void)state;
    const char *given = getenv("TROUPE_TEST_SEED");
    const uint64_t seed = given == NULL ? 20251121 : strtoull(given, NULL, 10);
    print_message("seed %llu\n", (unsigned long long)seed);
    uint64_t random = seed;
    engine_slots slots;
    engine_slots_init(&slots);
    engine_slot *model[KEY_COUNT] = {NULL};
    int64_t timers[KEY_COUNT];
    for (int i = 0; i < 50000; i++) {
        const size_t at = next_random(&random) % KEY_COUNT;
        char key[16];
        (void)snprintf(key, sizeof(key), "key%zu", at);
        const base_slice saga = base_slice_of(at % 2 == 0 ? "order" : "refund");
        assert_ptr_equal(engine_slots_find(&slots, saga, base_slice_of(key)), model[at]);
        switch (next_random(&random) % 3) {
        case 0:
            if (model[at] == NULL) {
                timers[at] = ENGINE_NEVER;
            }
            model[at] = engine_slots_put(&slots, saga, base_slice_of(key));
            break;
        case 1:
            if (model[at] != NULL) {
                timers[at] = next_random(&random) % 4 == 0 ? ENGINE_NEVER
                                                           : (int64_t)(next_random(&random) % 50);
                engine_slots_timer_set(&slots, model[at], timers[at]);
            }
            break;
        default:
            if (model[at] != NULL && next_random(&random) % 3 == 0) {
                engine_slots_remove(&slots, model[at]);
                model[at] = NULL;
            }
            break;
        }
        const engine_slot *first = NULL;
        for (size_t k = 0; k < KEY_COUNT; k++) {
            if (model[k] == NULL || timers[k] == ENGINE_NEVER) {
                continue;
            }
            const bool sooner =
                first == NULL || timers[k] < first->timer_ms ||
                (timers[k] == first->timer_ms && base_slice_compare(model[k]->key, first->key) < 0);
            first = sooner ? model[k] : first;
        }
        assert_ptr_equal(engine_slots_first(&slots), first);
    }
    engine_slots_deinit(&slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots__do_what_a_plain_array_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
