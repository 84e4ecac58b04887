/*
 * The worker on a real broker (KAFKA_BOOTSTRAP; scripts/with-kafka), in real time: what the log in
 * memory cannot prove.
 */
#include <time.h>
#include <unistd.h>

#include "engine/view.h"
#include "tests/engine/broker.h"
#include "tests/engine/kafka_proxy.h"
#include "tests/engine/world.h"

#define WAIT_MS 60000

static int rig_number;

typedef struct rig {
    world w;
    int64_t shift_ms; /* of what services date their answers with */
    char prefix[64];
    char topics[6][96]; /* of the users, each rig its own */
    char saga[4096];
    world_rule rules[7];
    const char *ask_topics[2];
} rig;

enum { ORDERS_EVENTS, PAYMENTS_EVENTS, STOCK_EVENTS, PAYMENTS_ASKS, STOCK_ASKS };

static int64_t real_now_ms(void)
{
    const engine_clock clock = engine_clock_real();
    return engine_now_ms(&clock);
}

/* The order saga on topics of its own: tests of one broker do not hear one another. */
static void rig_open(rig *r, const char *partitions, const char *authorise_timeout)
{
    char url[256];
    memset(r, 0, sizeof(*r));
    (void)snprintf(url, sizeof(url), "kafka://%s", getenv("KAFKA_BOOTSTRAP"));
    (void)snprintf(r->prefix, sizeof(r->prefix), "rig-%d-%d", (int)getpid(), ++rig_number);
    world_open_log(&r->w, url, partitions);
    world_setting(&r->w, "prefix", r->prefix);
    world_setting(&r->w, "group", r->prefix);
    world_setting(&r->w, "session_timeout_ms", "6000");
    r->w.logger.clock = engine_clock_real();
    r->w.now_ms = real_now_ms();
    static const char *const names[] = {"orders.events", "payments.events", "stock.events",
                                        "payments.asks", "stock.asks"};
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(r->topics[i], sizeof(r->topics[i]), "%s.%s", r->prefix, names[i]);
    }
    (void)snprintf(
        r->saga, sizeof(r->saga),
        "saga: order\nversion: 1\nkeys: { order: string }\n"
        "services: { orders: { events: %s }, payments: { sticky: true, asks: %s, events: %s },\n"
        "            stock: { asks: %s, events: %s } }\n"
        "events: { order.placed: { from: orders, key: { order: .data.orderId } } }\n"
        "start: { when: order.placed }\n"
        "steps:\n"
        "  authorise: { service: payments, when: order.placed, ask: payment.authorise,\n"
        "               with: '{orderId}', emits: payment.authorised, fails: payment.declined,\n"
        "               timeout: %s, undo: { ask: payment.void, emits: payment.voided } }\n"
        "  reserve: { service: stock, when: order.placed, ask: stock.reserve, with: '{orderId}',\n"
        "             emits: stock.reserved, fails: stock.refused, timeout: 60s,\n"
        "             undo: { ask: stock.release, emits: stock.released } }\n"
        "  capture: { service: payments, after: [authorise, reserve], ask: payment.capture,\n"
        "             with: '{orderId}', emits: payment.captured, fails: payment.capture_refused,\n"
        "             undo: never, pivot: true, timeout: 60s, retry: forever }\n",
        r->topics[ORDERS_EVENTS], r->topics[PAYMENTS_ASKS], r->topics[PAYMENTS_EVENTS],
        r->topics[STOCK_ASKS], r->topics[STOCK_EVENTS], authorise_timeout);
    memcpy(r->rules, order_rules, sizeof(r->rules));
    for (size_t i = 0; i < 7; i++) {
        const bool stock = strncmp(r->rules[i].ask, "stock", 5) == 0;
        r->rules[i].topic = r->topics[stock ? STOCK_EVENTS : PAYMENTS_EVENTS];
    }
    r->ask_topics[0] = r->topics[PAYMENTS_ASKS];
    r->ask_topics[1] = r->topics[STOCK_ASKS];
}

static void rig_ready(rig *r)
{
    world_topic(&r->w, r->topics[PAYMENTS_ASKS], 2);
    world_topic(&r->w, r->topics[STOCK_ASKS], 2);
    world_deploy(&r->w, r->saga);
    world_services(&r->w, r->rules, 7, r->ask_topics, 2);
}

static void rig_turn(rig *r)
{
    world *w = &r->w;
    w->now_ms = real_now_ms();
    for (int k = 0; k < WORLD_WORKER_MAX; k++) {
        if (w->workers[k] != NULL) {
            FINE(engine_worker_step(w->workers[k], 20, error));
        }
    }
    w->now_ms += r->shift_ms;
    (void)world_serve(w);
    w->now_ms -= r->shift_ms;
}

static size_t rig_active(const rig *r)
{
    size_t sum = 0;
    for (int k = 0; k < WORLD_WORKER_MAX; k++) {
        size_t active = 0;
        size_t waiting = 0;
        if (r->w.workers[k] != NULL) {
            engine_worker_partitions(r->w.workers[k], &active, &waiting);
            sum += active;
        }
    }
    return sum;
}

static void rig_wait_active(rig *r)
{
    const int64_t end_ms = real_now_ms() + WAIT_MS;
    while (rig_active(r) < (size_t)r->w.config.partitions && real_now_ms() < end_ms) {
        rig_turn(r);
    }
    assert_int_equal(rig_active(r), r->w.config.partitions);
}

static void rig_place(rig *r, const char *key, const char *record_key)
{
    char json[128];
    world_order_json(json, sizeof(json), key);
    world_emit_keyed(&r->w, r->topics[ORDERS_EVENTS], "order.placed", json, record_key);
}

static void rig_wait_phase(rig *r, const char *key, const char *phase)
{
    const int64_t end_ms = real_now_ms() + WAIT_MS;
    while (strcmp(world_phase(&r->w, "order", key), phase) != 0 && real_now_ms() < end_ms) {
        rig_turn(r);
    }
    assert_string_equal(world_phase(&r->w, "order", key), phase);
}

static void rig_check(rig *r)
{
    for (int i = 0; i < 20; i++) {
        rig_turn(r);
    }
    world_check_rebuild(&r->w);
}

static void test_worker_kafka__other_counts_and_keys_take_the_inbox(void **state)
{
    (void)state;
    static rig r;
    rig_open(&r, "3", "60s");
    world_topic(&r.w, r.topics[ORDERS_EVENTS], 5);
    world_topic(&r.w, r.topics[PAYMENTS_EVENTS], 1);
    world_topic(&r.w, r.topics[STOCK_EVENTS], 7);
    rig_ready(&r);
    world_worker_open(&r.w, 0);
    rig_wait_active(&r);
    char key[16];
    for (int i = 0; i < 10; i++) {
        (void)snprintf(key, sizeof(key), "o%d", i);
        rig_place(&r, key, i % 2 == 0 ? "customer-a" : "customer-b");
    }
    for (int i = 0; i < 10; i++) {
        (void)snprintf(key, sizeof(key), "o%d", i);
        rig_wait_phase(&r, key, "completed");
        assert_int_equal(world_ask_count(&r.w, "payment.capture", key), 1);
    }
    assert_true(engine_worker_counters(r.w.workers[0])->forwarded > 10);
    rig_check(&r);
    world_close(&r.w);
}

static void test_worker_kafka__two_workers_and_a_rebalance_in_the_middle(void **state)
{
    (void)state;
    static rig r;
    rig_open(&r, "4", "60s");
    rig_ready(&r);
    world_worker_open(&r.w, 0);
    rig_wait_active(&r);
    char key[16];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(key, sizeof(key), "o%d", i);
        rig_place(&r, key, key);
        if (i == 10) {
            world_worker_open(&r.w, 1);
        }
        rig_turn(&r);
    }
    rig_wait_active(&r);
    for (int i = 0; i < 400 && engine_worker_counters(r.w.workers[1])->takeovers == 0; i++) {
        rig_turn(&r);
    }
    assert_true(engine_worker_counters(r.w.workers[1])->takeovers > 0);
    world_worker_close(&r.w, 0);
    for (int i = 30; i < 40; i++) {
        (void)snprintf(key, sizeof(key), "o%d", i);
        rig_place(&r, key, key);
    }
    for (int i = 0; i < 40; i++) {
        (void)snprintf(key, sizeof(key), "o%d", i);
        rig_wait_phase(&r, key, "completed");
        assert_int_equal(world_ask_count(&r.w, "payment.authorise", key), 1);
        assert_int_equal(world_ask_count(&r.w, "payment.capture", key), 1);
    }
    rig_check(&r);
    world_close(&r.w);
}

static void test_worker_kafka__a_paused_worker_that_wakes_counts_for_nothing(void **state)
{
    (void)state;
    static rig r;
    rig_open(&r, "2", "60s");
    rig_ready(&r);
    world_worker_open(&r.w, 0);
    rig_wait_active(&r);
    rig_place(&r, "o1", "o1");
    rig_wait_phase(&r, "o1", "completed");
    engine_worker *paused =
        r.w.workers[0]; /* no step, no poll: the group gives it up after the session's time */
    r.w.workers[0] = NULL;
    world_worker_open(&r.w, 1);
    rig_place(&r, "o2", "o2");
    rig_wait_active(&r);
    rig_wait_phase(&r, "o2", "completed");
    rig_place(&r, "o3", "o3");
    r.w.workers[0] = paused;
    for (int i = 0; i < 3; i++) {
        FINE(engine_worker_step(paused, 20, error)); /* it wakes first */
    }
    rig_wait_phase(&r, "o3", "completed");
    rig_wait_active(&r);
    assert_int_equal(world_ask_count(&r.w, "payment.authorise", "o2"), 1);
    assert_int_equal(world_ask_count(&r.w, "payment.authorise", "o3"), 1);
    rig_check(&r);
    world_close(&r.w);
}

static void test_worker_kafka__answers_that_wait_beat_their_time_outs(void **state)
{
    (void)state;
    static rig r;
    rig_open(&r, "2", "1s");
    rig_ready(&r);
    world_worker_open(&r.w, 0);
    rig_wait_active(&r);
    rig_place(&r, "silent", "silent");
    const int64_t end_ms = real_now_ms() + WAIT_MS;
    while (world_ask_last(&r.w, "payment.authorise", "silent") == NULL && real_now_ms() < end_ms) {
        rig_turn(&r);
    }
    assert_non_null(world_ask_last(&r.w, "payment.authorise", "silent"));
    world_worker_close(&r.w, 0);
    world_answer(&r.w, world_ask_last(&r.w, "payment.authorise", "silent"), "payment.authorised",
                 r.topics[PAYMENTS_EVENTS], "{}");
    const struct timespec pause = {2, 0};
    (void)nanosleep(&pause, NULL); /* the time-out of 1s is long over when the engine comes back */
    world_worker_open(&r.w, 0);
    rig_wait_active(&r);
    rig_wait_phase(&r, "silent", "completed");
    rig_check(&r);
    world_close(&r.w);
}

/* Until the broker has removed all that a partition held. */
static int64_t rig_wait_removed(rig *r, const char *topic)
{
    int64_t begin = 0;
    int64_t end = 1;
    const int64_t end_ms = real_now_ms() + WAIT_MS;
    while (begin < end && real_now_ms() < end_ms) {
        if (r->w.workers[0] != NULL) {
            rig_turn(r);
        }
        FINE(log_range(r->w.store, base_slice_of(topic), 0, &begin, &end, error));
    }
    assert_int_equal(begin, end);
    return end;
}

static void test_worker_kafka__a_position_that_the_broker_lost_stops_its_source(void **state)
{
    (void)state;
    static rig r;
    rig_open(&r, "1", "60s");
    const log_topic_options options = {.name = base_slice_of(r.topics[PAYMENTS_EVENTS]),
                                       .partition_count = 1,
                                       .retention_ms = 3600000,
                                       .retention_size = -1};
    FINE(log_topics_ensure(r.w.store, &options, 1, 15000, error));
    rig_ready(&r);
    world_worker_open(&r.w, 0);
    rig_wait_active(&r);
    r.shift_ms = -7200000; /* answers that are older than their topic keeps */
    rig_place(&r, "o1", "o1");
    rig_wait_phase(&r, "o1", "completed");
    const int64_t read_to = rig_wait_removed(&r, r.topics[PAYMENTS_EVENTS]);
    assert_true(read_to > 0);
    world_worker_close(&r.w, 0);
    r.w.now_ms = real_now_ms() + r.shift_ms;
    for (int i = 0; i < 3; i++) {
        world_emit(&r.w, r.topics[PAYMENTS_EVENTS], "payment.noise", "o1", "{}");
    }
    assert_true(rig_wait_removed(&r, r.topics[PAYMENTS_EVENTS]) > read_to);
    r.shift_ms = 0;
    world_worker_open(&r.w, 0);
    rig_wait_active(&r);
    rig_place(&r, "o2", "o2");
    const int64_t end_ms = real_now_ms() + 5000;
    while (real_now_ms() < end_ms) {
        rig_turn(&r);
    }
    /* Stock is heard, payments are not: nothing was skipped, and nothing else stands still. */
    const saga_state *order = world_state(&r.w, "order", "o2");
    assert_non_null(order);
    assert_int_equal(order->steps[1].f, SAGA_F_DONE);
    assert_int_equal(order->steps[0].f, SAGA_F_OPEN);
    assert_int_equal(world_ask_count(&r.w, "payment.capture", "o2"), 0);
    rig_check(&r);
    world_close(&r.w);
}

/* ---- a broker of its own, that dies in the middle of commits ---- */

static void check_orders(rig *r, int count)
{
    char key[16];
    for (int i = 0; i < count; i++) {
        (void)snprintf(key, sizeof(key), "o%d", i);
        rig_wait_phase(r, key, "completed");
        assert_int_equal(world_ask_count(&r->w, "payment.authorise", key), 1);
        assert_int_equal(world_ask_count(&r->w, "stock.reserve", key), 1);
    }
    print_message("begun anew %d times, republished %d times\n", r->w.anew, r->w.republished);
}

static void place_orders(rig *r, int first, int count)
{
    char key[16];
    for (int i = first; i < first + count; i++) {
        (void)snprintf(key, sizeof(key), "o%d", i);
        rig_place(r, key, key);
    }
}

static void test_worker_kafka__a_broker_that_dies_in_the_middle_of_commits(void **state)
{
    (void)state;
    static rig r;
    own_broker broker;
    broker_start(&broker);
    rig_open(&r, "3", "60s");
    rig_ready(&r);
    world_worker_open(&r.w, 0);
    rig_wait_active(&r);
    place_orders(&r, 0, 30);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            rig_turn(&r);
        }
        broker_do(&broker, "", "stop", "--kill >/dev/null 2>&1");
        broker_do(&broker, "(sleep 1; ", "start", ") >/dev/null 2>&1 &");
        const int64_t end_ms = real_now_ms() + 4000;
        while (real_now_ms() < end_ms) { /* the engine alone: services would only wait */
            FINE(engine_worker_step(r.w.workers[0], 100, error));
        }
    }
    check_orders(&r, 30);
    rig_check(&r);
    world_close(&r.w);
    broker_end(&broker);
}

/* The broker tells its clients to come by the proxy. */
static void broker_behind(const own_broker *broker, kafka_proxy *proxy)
{
    char command[512];
    const char *colon = strrchr(broker->bootstrap, ':');
    assert_non_null(colon);
    proxy_start(proxy, (uint16_t)strtoul(colon + 1, NULL, 10));
    broker_do(broker, "", "stop", ">/dev/null 2>&1");
    (void)snprintf(
        command, sizeof(command),
        "sed -i 's/^advertised.listeners=.*/advertised.listeners=PLAINTEXT:\\/\\/127.0.0.1:%u/' "
        "'%s/b/broker-1/server.properties'",
        proxy->port, broker->directory);
    shell(command);
    broker_do(broker, "", "start", ">/dev/null 2>&1");
    char bootstrap[64];
    (void)snprintf(bootstrap, sizeof(bootstrap), "127.0.0.1:%u", proxy->port);
    assert_int_equal(setenv("KAFKA_BOOTSTRAP", bootstrap, 1), 0);
}

static void test_worker_kafka__a_commit_whose_outcome_is_unknown(void **state)
{
    (void)state;
    static rig r;
    static kafka_proxy proxy;
    static const proxy_mode modes[] = {PROXY_DELIVER_THEN_CUT, PROXY_CUT};
    own_broker broker;
    broker_start(&broker);
    broker_behind(&broker, &proxy);
    rig_open(&r, "2", "60s");
    world_setting(&r.w, "transaction_timeout_ms", "3000");
    rig_ready(&r);
    world_worker_open(&r.w, 0);
    rig_wait_active(&r);
    for (int round = 0; round < 2; round++) {
        place_orders(&r, round * 5, 5);
        const int struck = atomic_load(&proxy.struck);
        atomic_store(&proxy.mode, modes[round]);
        const int64_t end_ms = real_now_ms() + WAIT_MS;
        while (r.w.anew == round && real_now_ms() < end_ms) {
            FINE(engine_worker_step(r.w.workers[0], 100, error));
        }
        assert_int_equal(atomic_load(&proxy.struck), struck + 1);
        assert_int_equal(r.w.anew, round + 1);
        atomic_store(&proxy.mode, PROXY_OPEN);
        rig_wait_active(&r);
        check_orders(&r, (round + 1) * 5);
    }
    rig_check(&r);
    world_close(&r.w);
    proxy_stop(&proxy);
    broker_end(&broker);
}

static void test_worker_kafka__the_engines_log_says_what_it_was(void **state)
{
    (void)state;
    static rig r;
    rig_open(&r, "2", "60s");
    rig_ready(&r);
    world_worker_open(&r.w, 0);
    rig_wait_active(&r);
    rig_place(&r, "declined", "declined");
    rig_wait_phase(&r, "declined", "compensated");
    engine_view view;
    FINE(engine_view_open(&view, r.w.store, r.w.config.prefix, &r.w.logger, error));
    for (int32_t p = 0; p < 2; p++) {
        bool same = false;
        FINE(engine_view_verify(&view, p, &same, error));
        assert_true(same);
    }
    engine_view_close(&view);
    rig_check(&r);
    world_close(&r.w);
}

int main(void)
{
    if (getenv("KAFKA_BOOTSTRAP") == NULL) {
        (void)fprintf(stderr, "skipped: KAFKA_BOOTSTRAP is not set (scripts/with-kafka sets it)\n");
        return 77;
    }
    cmocka_set_test_filter(getenv("TROUPE_TEST_FILTER"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_kafka__other_counts_and_keys_take_the_inbox),
        cmocka_unit_test(test_worker_kafka__two_workers_and_a_rebalance_in_the_middle),
        cmocka_unit_test(test_worker_kafka__a_paused_worker_that_wakes_counts_for_nothing),
        cmocka_unit_test(test_worker_kafka__answers_that_wait_beat_their_time_outs),
        cmocka_unit_test(test_worker_kafka__a_position_that_the_broker_lost_stops_its_source),
        cmocka_unit_test(test_worker_kafka__a_broker_that_dies_in_the_middle_of_commits),
        cmocka_unit_test(test_worker_kafka__a_commit_whose_outcome_is_unknown),
        cmocka_unit_test(test_worker_kafka__the_engines_log_says_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
