/* The worker end to end, on the log in memory, with virtual time. */
#include "tests/engine/world.h"

static void test_worker__an_order_is_fulfilled(void **state)
{
    (void)state;
    world w;
    world_open(&w, "fulfilled", "3");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "o1");
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o1"), "completed");
    assert_int_equal(world_ask_count(&w, "payment.authorise", "o1"), 1);
    assert_int_equal(world_ask_count(&w, "stock.reserve", "o1"), 1);
    assert_int_equal(world_ask_count(&w, "payment.capture", "o1"), 1);
    assert_int_equal(world_events(&w, "troupe.events", "order.fulfilled", "o1"), 1);
    assert_int_equal(world_events(&w, "troupe.events", "saga.completed", "o1"), 1);
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker__a_declined_order_gives_back_what_was_reserved(void **state)
{
    (void)state;
    world w;
    world_open(&w, "declined", "3");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "declined");
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "declined"), "compensated");
    assert_int_equal(world_ask_count(&w, "stock.release", "declined"), 1);
    assert_int_equal(world_ask_count(&w, "payment.void", "declined"), 0);
    assert_int_equal(world_events(&w, "troupe.events", "order.cancelled", "declined"), 1);
    assert_int_equal(world_events(&w, "troupe.events", "saga.compensating", "declined"), 1);
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker__a_late_success_is_undone(void **state)
{
    (void)state;
    world w;
    world_open(&w, "late", "3");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "silent");
    world_run(&w, 120000);
    assert_string_equal(world_phase(&w, "order", "silent"), "compensated");
    assert_int_equal(world_ask_count(&w, "payment.authorise", "silent"), 2);
    assert_int_equal(world_ask_count(&w, "payment.void", "silent"), 1);
    world_answer(&w, world_ask_last(&w, "payment.authorise", "silent"), "payment.authorised",
                 "payments.events", "{}");
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "silent"), "compensated");
    assert_int_equal(world_ask_count(&w, "payment.void", "silent"), 2);
    world_check_rebuild(&w);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker__an_order_is_fulfilled),
        cmocka_unit_test(test_worker__a_declined_order_gives_back_what_was_reserved),
        cmocka_unit_test(test_worker__a_late_success_is_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
