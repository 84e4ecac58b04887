/* Time, commands, ends: time waits for input; operators' commands are events; what has ended is
 * purged and forgotten; what the log refuses is told to the step; a log that is away is waited for.
 */
#include "engine/command.h"
#include "engine/view.h"
#include "tests/engine/world.h"

static void test_worker_time__answers_that_wait_beat_their_time_outs(void **state)
{
    (void)state;
    world w;
    world_open(&w, "beat", "2");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "silent");
    world_run(&w, 25000); /* the first try is over, the second is open: its time-out would turn the
                             order back */
    assert_int_equal(world_ask_count(&w, "payment.authorise", "silent"), 2);
    world_worker_close(&w, 0); /* the engine is off while the answer and the time-out both come */
    w.now_ms += 5000;
    world_answer(&w, world_ask_last(&w, "payment.authorise", "silent"), "payment.authorised",
                 "payments.events", "{}");
    w.now_ms += 3600000;
    world_worker_open(&w, 0);
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "silent"), "completed");
    assert_int_equal(world_ask_count(&w, "payment.authorise", "silent"), 2);
    assert_int_equal(world_ask_count(&w, "payment.void", "silent"), 0);
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_time__a_time_out_waits_for_a_source_that_was_not_read(void **state)
{
    (void)state;
    world w;
    world_open(&w, "barrier", "1");
    world_setting(&w, "batch_max", "1");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "silent");
    world_run(&w, 25000);
    assert_int_equal(world_ask_count(&w, "payment.authorise", "silent"), 2);
    for (int i = 0; i < 20; i++) { /* a heap of other records before the answer */
        world_emit(&w, "payments.events", "payment.noise", "x", "{}");
    }
    world_answer(&w, world_ask_last(&w, "payment.authorise", "silent"), "payment.authorised",
                 "payments.events", "{}");
    w.now_ms += 60000;
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "silent"), "completed");
    assert_int_equal(world_ask_count(&w, "payment.void", "silent"), 0);
    world_close(&w);
}

/* ---- commands ---- */

static void command(world *w, saga_command_kind kind, const char *key, const char *step,
                    saga_act act)
{
    engine_topics topics;
    FINE(engine_topics_name(w->config.prefix, &w->arena, &topics));
    char *id = (char *)base_arena_alloc(&w->arena, 32);
    (void)snprintf(id, 32, "command-%d", ++w->event_number);
    const engine_command sent = {.saga = base_slice_of("order"),
                                 .key = base_slice_of(key),
                                 .command = {.kind = kind,
                                             .who = base_slice_of("ada"),
                                             .reason = base_slice_of("because"),
                                             .step = base_slice_of(step),
                                             .act = act,
                                             .data = base_value_null(),
                                             .id = base_slice_of(id)}};
    schema_record record;
    FINE(engine_command_write(&sent, w->config.prefix, &topics, w->now_ms, &w->arena, &record,
                              error));
    size_t refused = 0;
    FINE(log_writer_append(w->writer, &record, error));
    FINE(log_writer_commit(w->writer, NULL, NULL, 0, NULL, &refused, error));
    world_settle(w);
}

static void test_worker_time__an_operator_turns_an_order_back(void **state)
{
    (void)state;
    world w;
    world_open(&w, "abort", "3");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "silent");
    world_settle(&w);
    command(&w, SAGA_COMMAND_ABORT, "silent", "", SAGA_ACT_RETRY);
    assert_string_equal(world_phase(&w, "order", "silent"), "compensating");
    world_run(&w, 120000);
    assert_string_equal(world_phase(&w, "order", "silent"), "compensated");
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_time__a_suspended_order_stands_still_until_it_is_resumed(void **state)
{
    (void)state;
    world w;
    world_open(&w, "suspend", "3");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "silent");
    world_settle(&w);
    command(&w, SAGA_COMMAND_SUSPEND, "silent", "", SAGA_ACT_RETRY);
    world_run(&w, 120000);
    assert_int_equal(world_ask_count(&w, "payment.authorise", "silent"), 1);
    assert_string_equal(world_phase(&w, "order", "silent"), "running");
    command(&w, SAGA_COMMAND_RESUME, "silent", "", SAGA_ACT_RETRY);
    world_run(&w, 120000);
    assert_string_equal(world_phase(&w, "order", "silent"), "compensated");
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_time__a_command_for_nobody_is_a_dead_letter(void **state)
{
    (void)state;
    world w;
    world_open(&w, "nobody", "3");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    command(&w, SAGA_COMMAND_ABORT, "nobody", "", SAGA_ACT_RETRY);
    assert_int_equal(world_letters(&w, "no_instance"), 1);
    world_check_rebuild(&w);
    world_close(&w);
}

/* ---- the end of the end ---- */

static void test_worker_time__what_ended_is_purged_then_forgotten(void **state)
{
    (void)state;
    world w;
    world_open(&w, "forget", "1");
    world_setting(&w, "snapshot_entries", "1");
    world_deploy(&w, ORDER_SAGA("1", "20s") "retain: 1h\n");
    world_services(&w, order_rules, sizeof(order_rules) / sizeof(order_rules[0]), order_ask_topics,
                   2);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "o1");
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o1"), "completed");
    world_advance(&w, 3600000 + ENGINE_PURGE_AFTER_MS + 1000);
    assert_true((world_state(&w, "order", "o1")->flags & SAGA_FLAG_PURGED) != 0);
    world_check_rebuild(&w);
    world_place(&w, "o1"); /* the tombstone knows that it was */
    world_settle(&w);
    assert_int_equal(world_ask_count(&w, "payment.authorise", "o1"), 1);
    world_advance(&w, 3600000 + 1000);
    assert_null(world_state(&w, "order", "o1"));
    world_check_rebuild(&w);
    world_worker_close(&w, 0);
    world_worker_open(&w, 0);
    world_settle(&w);
    assert_null(world_state(&w, "order", "o1"));
    world_place(&w, "o1"); /* a new order that happens to have the key */
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o1"), "completed");
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_time__a_start_from_before_memory_is_a_dead_letter(void **state)
{
    (void)state;
    world w;
    world_open(&w, "old", "1");
    world_deploy(&w, ORDER_SAGA("1", "20s") "retain: 1h\n");
    world_worker_open(&w, 0);
    world_settle(&w);
    w.now_ms -= 7200000;
    world_place(&w, "o1");
    w.now_ms += 7200000;
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o1"), "none");
    assert_int_equal(world_letters(&w, "too_old"), 1);
    world_close(&w);
}

/* ---- what the log refuses ---- */

static void test_worker_time__a_refused_ask_is_told_to_its_step(void **state)
{
    (void)state;
    world w;
    world_open(&w, "refused", "2");
    world_setting(&w, "create_source_topics", "false");
    world_topic(&w, "orders.events", 2);
    world_topic(&w, "payments.events", 2);
    world_topic(&w, "stock.events", 2);
    world_topic(&w, "payments.asks", 2);
    world_deploy(&w, order_saga); /* stock.asks is missing */
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "o1");
    world_place(&w, "o2");
    world_settle(&w);
    const saga_state *order = world_state(&w, "order", "o1");
    assert_non_null(order);
    assert_true(saga_state_stuck(order));
    assert_true((order->steps[1].flags & SAGA_STEP_EMIT_REFUSED) != 0);
    assert_int_equal(world_events(&w, "payments.asks", "payment.authorise", "o1"), 1);
    assert_int_equal(world_events(&w, "troupe.events", "saga.alert", "o2"), 1);
    world_check_rebuild(&w);
    world_topic(&w, "stock.asks", 2); /* somebody makes the topic, and a human says: again */
    command(&w, SAGA_COMMAND_RESOLVE, "o1", "reserve", SAGA_ACT_RETRY);
    assert_int_equal(world_events(&w, "stock.asks", "stock.reserve", "o1"), 1);
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_time__an_event_that_leads_to_too_large_a_record_is_set_aside(void **state)
{
    (void)state;
    world w;
    world_open(&w, "large", "1");
    world_setting(&w, "record_size_max", "4096");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    char json[8192];
    memset(json, 'x', sizeof(json));
    (void)memcpy(json, "{\"orderId\":\"big\",\"total\":1,\"text\":\"", 35);
    (void)memcpy(json + 6000, "\"}", 3);
    world_place(&w, "o1");
    world_emit(&w, "orders.events", "order.placed", "big", json);
    world_place(&w, "o2");
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o1"), "completed");
    assert_string_equal(world_phase(&w, "order", "o2"), "completed");
    assert_string_equal(world_phase(&w, "order", "big"), "none");
    assert_int_equal(world_letters(&w, "cannot_be_written"), 1);
    world_check_rebuild(&w);
    world_close(&w);
}

/* What was too large to be forwarded is too large when its partition is taken over, too. */
static void test_worker_time__too_large_to_be_forwarded_stops_no_take_over(void **state)
{
    (void)state;
    static const char *const record_keys[] = {"a", "b", "c", "d"};
    static const char *const orders[] = {"o1", "o2", "o3", "o4"};
    world w;
    world_open(&w, "large-forward", "2");
    world_setting(&w, "record_size_max", "4096");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    for (size_t i = 0; i < 4; i++) {
        world_emit_keyed(&w, "orders.events", "order.placed", "{\"orderId\":\"o0\"}",
                         record_keys[i]);
    }
    world_settle(&w);
    w.now_ms += 1000; /* another batch than the one before */
    char json[8192];
    memset(json, 'x', sizeof(json));
    (void)memcpy(json, "{\"orderId\":\"big\",\"total\":1,\"text\":\"", 35);
    (void)memcpy(json + 6000, "\"}", 3);
    for (size_t i = 0; i < 4; i++) {
        world_emit_keyed(&w, "orders.events", "order.placed", json, record_keys[i]);
    }
    world_settle(&w);
    assert_int_equal(world_letters(&w, "cannot_be_written"), 4);
    world_worker_close(&w, 0);
    world_worker_open(&w, 0);
    world_settle(&w);
    assert_int_equal(world_letters(&w, "cannot_be_written"), 4);
    for (size_t i = 0; i < 4; i++) {
        world_place(&w, orders[i]);
    }
    world_settle(&w);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(world_phase(&w, "order", orders[i]), "completed");
    }
    world_check_rebuild(&w);
    world_close(&w);
}

static void test_worker_time__a_log_that_is_away_is_waited_for(void **state)
{
    (void)state;
    world w;
    world_open(&w, "away", "2");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "o1");
    world_step(&w, 0);
    log_memory_set_down(w.store, true);
    for (int i = 0; i < 100; i++) {
        w.now_ms += 100;
        world_step(&w, 0);
    }
    log_memory_set_down(w.store, false);
    for (int i = 0; i < 100; i++) {
        w.now_ms += 100;
        world_step(&w, 0);
    }
    world_settle(&w);
    assert_string_equal(world_phase(&w, "order", "o1"), "completed");
    assert_int_equal(world_ask_count(&w, "payment.authorise", "o1"), 1);
    world_check_rebuild(&w);
    world_close(&w);
}

/* ---- reading from outside ---- */

typedef struct seen {
    size_t count;
    char text[1024];
} seen;

static base_status each_instance(void *context, const engine_instance *instance, base_error *error)
{
    (void)error;
    seen *found = (seen *)context;
    const size_t used = strlen(found->text);
    (void)snprintf(found->text + used, sizeof(found->text) - used, "%.*s:%s ",
                   BASE_SLICE_ARG(instance->key),
                   saga_phase_name((saga_phase)instance->state->phase));
    found->count++;
    return base_ok();
}

static base_status each_moment(void *context, const engine_moment *moment, base_error *error)
{
    (void)error;
    seen *found = (seen *)context;
    assert_int_equal(moment->entry->seq, found->count + 1);
    assert_int_equal(moment->state->seq, moment->entry->seq);
    found->count++;
    return base_ok();
}

static void test_worker_time__a_view_shows_instances_and_their_history(void **state)
{
    (void)state;
    world w;
    world_open(&w, "view", "3");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    world_place(&w, "o1");
    world_place(&w, "declined");
    world_place(&w, "silent");
    world_settle(&w);
    engine_view view;
    FINE(engine_view_open(&view, w.store, w.config.prefix, &w.logger, error));
    seen all = {.count = 0};
    const engine_filter any = {.phases = 0};
    FINE(engine_view_list(&view, &any, each_instance, &all, error));
    assert_int_equal(all.count, 3);
    seen running = {.count = 0};
    const engine_filter only_running = {.phases = 1U << SAGA_PHASE_RUNNING};
    FINE(engine_view_list(&view, &only_running, each_instance, &running, error));
    assert_string_equal(running.text, "silent:running ");
    seen one = {.count = 0};
    const engine_filter by_key = {.key = base_slice_of("declined")};
    FINE(engine_view_list(&view, &by_key, each_instance, &one, error));
    assert_string_equal(one.text, "declined:compensated ");
    seen history = {.count = 0};
    FINE(engine_view_history(&view, base_slice_of("order"), base_slice_of("o1"), each_moment,
                             &history, error));
    assert_int_equal(history.count, world_state(&w, "order", "o1")->seq);
    for (int32_t p = 0; p < 3; p++) {
        bool same = false;
        FINE(engine_view_verify(&view, p, &same, error));
        assert_true(same);
    }
    engine_view_close(&view);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_time__answers_that_wait_beat_their_time_outs),
        cmocka_unit_test(test_worker_time__a_time_out_waits_for_a_source_that_was_not_read),
        cmocka_unit_test(test_worker_time__an_operator_turns_an_order_back),
        cmocka_unit_test(test_worker_time__a_suspended_order_stands_still_until_it_is_resumed),
        cmocka_unit_test(test_worker_time__a_command_for_nobody_is_a_dead_letter),
        cmocka_unit_test(test_worker_time__what_ended_is_purged_then_forgotten),
        cmocka_unit_test(test_worker_time__a_start_from_before_memory_is_a_dead_letter),
        cmocka_unit_test(test_worker_time__a_refused_ask_is_told_to_its_step),
        cmocka_unit_test(test_worker_time__an_event_that_leads_to_too_large_a_record_is_set_aside),
        cmocka_unit_test(test_worker_time__too_large_to_be_forwarded_stops_no_take_over),
        cmocka_unit_test(test_worker_time__a_log_that_is_away_is_waited_for),
        cmocka_unit_test(test_worker_time__a_view_shows_instances_and_their_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
