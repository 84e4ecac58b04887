/* The ways in: topics with other partition counts and keys than ours, events that come too early,
 * what cannot be read or placed, two workers that share the work, new versions while old instances
 * run, positions that are lost. */
#include "base/hash.h"
#include "tests/engine/world.h"

static void test_worker_ways__other_counts_and_keys_take_the_inbox(void **state)
{
    (void)state;
    world w;
    world_open(&w, "counts", "3");
    world_topic(&w, "orders.events", 5);
    world_topic(&w, "payments.events", 1);
    world_topic(&w, "stock.events", 7);
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    char key[16];
    for (int i = 0; i < 20; i++) {
        char json[64];
        char other[16];
        (void)snprintf(key, sizeof(key), "o%d", i);
        (void)snprintf(other, sizeof(other), "customer-%d", i % 3);
        world_order_json(json, sizeof(json), key);
        world_emit_keyed(&w, "orders.events", "order.placed", json, other);
    }
    world_settle(&w);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof(key), "o%d", i);
        assert_string_equal(world_phase(&w, "order", key), "completed");
        assert_int_equal(world_ask_count(&w, "payment.capture", key), 1);
    }
    assert_true(engine_worker_counters(w.workers[0])->forwarded > 20);
    assert_int_equal(engine_worker_counters(w.workers[0])->dead_letters, 0);
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_ways__a_topic_like_ours_costs_no_hop(void **state)
{
    (void)state;
    world w;
    world_open(&w, "hopless", "3");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "o1");
    world_place(&w, "o2");
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o2"), "completed");
    assert_int_equal(engine_worker_counters(w.workers[0])->forwarded, 0);
    world_close(&w);
}

static void test_worker_ways__two_workers_share_and_take_over(void **state)
{
    (void)state;
    world w;
    world_open(&w, "two", "4");
    world_topic(&w, "payments.events", 3);
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    char key[16];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(key, sizeof(key), "o%d", i);
        world_place(&w, key);
        if (i == 10) {
            world_worker_open(&w, 1);
        }
        if (i == 20) {
            world_worker_close(&w, 0);
        }
        for (int k = 0; k < 2; k++) {
            if (w.workers[k] != NULL) {
                world_step(&w, k);
            }
        }
        (void)world_serve(&w);
        w.now_ms += 100;
    }
    world_advance(&w, 1000);
    world_advance(&w, 12000);
    for (int i = 0; i < 30; i++) {
        (void)snprintf(key, sizeof(key), "o%d", i);
        assert_string_equal(world_phase(&w, "order", key), "completed");
        assert_int_equal(world_ask_count(&w, "payment.capture", key), 1);
        assert_int_equal(world_ask_count(&w, "payment.authorise", key), 1);
    }
    size_t active = 0;
    size_t waiting = 0;
    engine_worker_partitions(w.workers[1], &active, &waiting);
    assert_int_equal(active, 4);
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_ways__a_paused_worker_that_wakes_counts_for_nothing(void **state)
{
    (void)state;
    world w;
    world_open(&w, "paused", "2");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "o1");
    world_step(&w, 0); /* read and decided by the first, who then is paused */
    assert_int_equal(log_memory_expel(w.store, base_slice_of("troupe"), base_slice_of("")), 1);
    engine_worker *paused = w.workers[0];
    w.workers[0] = NULL;
    world_worker_open(&w, 1);
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o1"), "completed");
    world_place(&w, "o2");
    w.workers[0] = paused; /* it wakes, with o2 waiting for whoever is first */
    for (int i = 0; i < 3; i++) {
        world_step(&w, 0);
    }
    world_settle(&w);
    world_advance(&w, 12000);
    assert_string_equal(world_phase(&w, "order", "o2"), "completed");
    assert_int_equal(world_ask_count(&w, "payment.authorise", "o1"), 1);
    assert_int_equal(world_ask_count(&w, "payment.authorise", "o2"), 1);
    world_check_rebuild(&w);
    world_close(&w);
}

/* ---- early events ---- */

static void test_worker_ways__an_event_before_its_instance_waits_for_it(void **state)
{
    (void)state;
    world w;
    world_open(&w, "early", "2");
    world_setting(&w, "snapshot_entries", "1");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_emit(&w, "orders.events", "order.cancelled_by_user", "o1", "{\"orderId\":\"o1\"}");
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o1"), "none");
    assert_int_equal(engine_worker_counters(w.workers[0])->parked, 1);
    world_check_rebuild(&w);
    world_worker_close(&w, 0); /* it waits across a restart */
    world_worker_open(&w, 0);
    world_settle(&w);
    world_check_rebuild(&w);
    world_place(&w, "o1");
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o1"), "compensated");
    assert_int_equal(world_letters(&w, "no_instance"), 0);
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_ways__an_event_whose_instance_never_comes_is_a_dead_letter(void **state)
{
    (void)state;
    world w;
    world_open(&w, "never", "2");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_emit(&w, "orders.events", "order.cancelled_by_user", "o1", "{\"orderId\":\"o1\"}");
    world_settle(&w);
    world_advance(&w, 3599000);
    assert_int_equal(world_letters(&w, "no_instance"), 0);
    world_advance(&w, 2000);
    assert_int_equal(world_letters(&w, "no_instance"), 1);
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_ways__too_many_early_events_go_to_the_dead_letters(void **state)
{
    (void)state;
    world w;
    world_open(&w, "full", "1");
    world_setting(&w, "early_max", "2");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    for (int i = 0; i < 5; i++) {
        world_emit(&w, "orders.events", "order.cancelled_by_user", "o1", "{\"orderId\":\"o1\"}");
    }
    world_settle(&w);
    assert_int_equal(world_letters(&w, "early_full"), 3);
    world_check_rebuild(&w);
    world_close(&w);
}

/* ---- what cannot be read or placed ---- */

static void put_raw(world *w, const char *topic, const char *key, const char *value,
                    const schema_header *headers, size_t header_count)
{
    const schema_record record = {.topic = base_slice_of(topic),
                                  .partition = SCHEMA_PARTITION_BY_KEY,
                                  .key = base_slice_of(key),
                                  .value = base_slice_of(value),
                                  .headers = headers,
                                  .header_count = header_count,
                                  .time_ms = w->now_ms};
    size_t refused = 0;
    FINE(log_writer_append(w->writer, &record, error));
    FINE(log_writer_commit(w->writer, NULL, NULL, 0, NULL, &refused, error));
}

static void test_worker_ways__what_cannot_be_read_goes_to_the_dead_letters_unchanged(void **state)
{
    (void)state;
    world w;
    world_open(&w, "unreadable", "2");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    put_raw(&w, "orders.events", "x", "no event", NULL, 0);
    const schema_header headers[] = {
        {BASE_SLICE_LITERAL("ce_specversion"), BASE_SLICE_LITERAL("1.0")},
        {BASE_SLICE_LITERAL("ce_id"), BASE_SLICE_LITERAL("1")},
        {BASE_SLICE_LITERAL("ce_source"), BASE_SLICE_LITERAL("/x")},
        {BASE_SLICE_LITERAL("ce_type"), BASE_SLICE_LITERAL("order.placed")},
        {BASE_SLICE_LITERAL("content-type"), BASE_SLICE_LITERAL("application/json")}};
    put_raw(&w, "orders.events", "x", "{\"orderId\":", headers, 5);
    put_raw(&w, "orders.events", "x", "{\"orderId\":[]}", headers, 5);
    world_place(&w, "o1");
    world_settle(&w);
    assert_int_equal(world_letters(&w, "not_an_event"), 1);
    assert_int_equal(world_letters(&w, "unreadable"), 1);
    assert_int_equal(world_letters(&w, "bad_key"), 1);
    assert_string_equal(world_phase(&w, "order", "o1"), "completed");
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_ways__an_event_that_no_saga_knows_is_counted(void **state)
{
    (void)state;
    world w;
    world_open(&w, "unknown", "2");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_emit(&w, "orders.events", "order.looked_at", "o1", "{\"orderId\":\"o1\"}");
    world_settle(&w);
    assert_int_equal(engine_worker_counters(w.workers[0])->unmatched, 1);
    assert_int_equal(engine_worker_counters(w.workers[0])->dead_letters, 0);
    world_check_rebuild(&w); /* the position is in the journal all the same */
    world_close(&w);
}

static void test_worker_ways__a_lost_position_stops_its_source_only(void **state)
{
    (void)state;
    world w;
    world_open(&w, "lost", "1");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "o1");
    world_settle(&w);
    world_worker_close(&w, 0);
    world_emit(&w, "payments.events", "payment.noise", "o1", "{}");
    world_emit(&w, "payments.events", "payment.noise", "o1", "{}");
    FINE((error->code = BASE_OK,
          log_memory_truncate(w.store, base_slice_of("payments.events"), 0, 4, -1)));
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "o2");
    world_settle(&w);
    /* stock answers, payments cannot be heard: never skipped over, and the rest goes on */
    assert_int_equal(world_ask_count(&w, "stock.reserve", "o2"), 1);
    assert_int_equal(world_ask_count(&w, "payment.capture", "o2"), 0);
    const saga_state *order = world_state(&w, "order", "o2");
    assert_non_null(order);
    assert_int_equal(order->steps[1].f, SAGA_F_DONE);
    world_close(&w);
}

/* ---- versions ---- */

static void test_worker_ways__an_instance_ends_on_the_plan_it_began_with(void **state)
{
    (void)state;
    world w;
    world_open(&w, "versions", "2");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "silent");
    world_settle(&w);
    char hash[65];
    memcpy(hash, world_state(&w, "order", "silent")->plan_hash, sizeof(hash));
    world_deploy(&w, ORDER_SAGA("2", "25s"));
    world_settle(&w); /* found while running */
    world_place(&w, "o2");
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o2"), "completed");
    assert_string_not_equal(world_state(&w, "order", "o2")->plan_hash, hash);
    world_answer(&w, world_ask_last(&w, "payment.authorise", "silent"), "payment.authorised",
                 "payments.events", "{}");
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "silent"), "completed");
    assert_string_equal(world_state(&w, "order", "silent")->plan_hash, hash);
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_ways__a_version_cannot_change_its_text(void **state)
{
    (void)state;
    world w;
    base_error error;
    base_error_clear(&error);
    world_open(&w, "e901", "2");
    world_deploy(&w, order_saga);
    world_deploy(&w, order_saga);
    const base_status status = world_deploy_status(&w, ORDER_SAGA("1", "21s"), &error);
    assert_int_equal(status.code, BASE_CONFLICT);
    assert_string_equal(error.check, "E901");
    world_close(&w);
}

static void test_worker_ways__another_number_of_partitions_stops_the_engine(void **state)
{
    (void)state;
    world w;
    base_error error;
    base_error_clear(&error);
    world_open(&w, "count", "2");
    world_orders(&w);
    world_setting(&w, "partitions", "3");
    const engine_worker_options options = {.config = &w.config,
                                           .store = w.store,
                                           .clock = w.logger.clock,
                                           .logger = w.logger,
                                           .name = base_slice_of("other")};
    engine_worker *worker = NULL;
    assert_int_equal(engine_worker_open(&options, &worker, &error).code, BASE_CONFLICT);
    assert_non_null(strstr(error.text, "has 2 partitions, 3 are configured"));
    world_setting(&w, "partitions", "2");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_ways__other_counts_and_keys_take_the_inbox),
        cmocka_unit_test(test_worker_ways__a_topic_like_ours_costs_no_hop),
        cmocka_unit_test(test_worker_ways__two_workers_share_and_take_over),
        cmocka_unit_test(test_worker_ways__a_paused_worker_that_wakes_counts_for_nothing),
        cmocka_unit_test(test_worker_ways__an_event_before_its_instance_waits_for_it),
        cmocka_unit_test(test_worker_ways__an_event_whose_instance_never_comes_is_a_dead_letter),
        cmocka_unit_test(test_worker_ways__too_many_early_events_go_to_the_dead_letters),
        cmocka_unit_test(test_worker_ways__what_cannot_be_read_goes_to_the_dead_letters_unchanged),
        cmocka_unit_test(test_worker_ways__an_event_that_no_saga_knows_is_counted),
        cmocka_unit_test(test_worker_ways__a_lost_position_stops_its_source_only),
        cmocka_unit_test(test_worker_ways__an_instance_ends_on_the_plan_it_began_with),
        cmocka_unit_test(test_worker_ways__a_version_cannot_change_its_text),
        cmocka_unit_test(test_worker_ways__another_number_of_partitions_stops_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
