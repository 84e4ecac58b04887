/*
 * What goes wrong between the engine and its log, on purpose: restarts at every batch, every kind
 * of failing commit, transactions that break their promise, a paused worker that wakes after its
 * successor took over, a broker that is away. The orders end as if nothing had happened, every
 * effect is asked once, and every rebuild is the same bytes.
 */
#include "base/hash.h"
#include "engine/checkpoint.h"
#include "tests/engine/world.h"

static const char *const keys[] = {"a", "b", "declined", "c", "d"};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* exact: nothing is visible twice; else re-publications with the same id may be. */
static void check_ends(world *w, bool exact)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const bool declined = strcmp(keys[i], "declined") == 0;
        size_t (*const count)(const world *, const char *, const char *) =
            exact ? world_ask_count : world_ask_ids;
        const char *const end = declined ? "order.cancelled" : "order.fulfilled";
        assert_string_equal(world_phase(w, "order", keys[i]),
                            declined ? "compensated" : "completed");
        assert_int_equal(count(w, "payment.authorise", keys[i]), 1);
        assert_int_equal(count(w, "stock.reserve", keys[i]), 1);
        assert_int_equal(count(w, "payment.capture", keys[i]), declined ? 0 : 1);
        assert_int_equal(count(w, "stock.release", keys[i]), declined ? 1 : 0);
        assert_true(world_events(w, "troupe.events", end, keys[i]) >= 1);
        if (exact) {
            assert_int_equal(world_events(w, "troupe.events", end, keys[i]), 1);
        }
    }
    world_check_rebuild(w);
}

static void place_all(world *w)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        world_place(w, keys[i]);
    }
}

static void test_worker_faults__a_restart_at_every_step_changes_nothing(void **state)
{
    (void)state;
    for (int at = 1; at < 14; at++) {
        world w;
        world_open(&w, "restart", "2");
        world_setting(&w, "batch_max", "2");
        world_setting(&w, "snapshot_entries", "3");
        world_orders(&w);
        world_worker_open(&w, 0);
        world_settle(&w);
        place_all(&w);
        for (int i = 0; i < 40; i++) {
            if (i % at == at - 1) {
                world_worker_close(&w, 0);
                world_worker_open(&w, 0);
            }
            world_step(&w, 0);
            (void)world_serve(&w);
        }
        world_settle(&w);
        check_ends(&w, true);
        world_close(&w);
    }
}

/* Drops everything, takes the partitions anew, and looks whether all is as it was. */
static void restart(world *w)
{
    world_worker_close(w, 0);
    world_worker_open(w, 0);
    world_settle(w);
}

static void run_with_fault(log_memory_fault fault, int at, bool exact, int *anew, int *republished)
{
    world w;
    world_open(&w, "fault", "2");
    world_setting(&w, "batch_max", "2");
    world_setting(&w, "snapshot_entries", "4");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    place_all(&w);
    bool struck = false;
    int age = 0;
    for (int i = 0; i < 120; i++) {
        const uint64_t before = engine_worker_counters(w.workers[0])->batches;
        if (i == at) {
            FINE((error->code = BASE_OK,
                  log_memory_fail_commit(w.store, base_slice_of("troupe-worker-0-0"), fault)));
        }
        world_step(&w, 0);
        struck = struck || (i >= at && engine_worker_counters(w.workers[0])->batches == before);
        (void)world_serve(&w);
        w.now_ms += 20; /* pauses pass; time-outs are far away */
        age += struck ? 1 : 0;
        if (age == 6) {
            (void)log_memory_deliver(w.store);
        }
    }
    world_advance(&w, 6000);
    (void)log_memory_deliver(w.store);
    world_settle(&w);
    check_ends(&w, exact);
    *anew += w.anew;
    *republished += w.republished;
    restart(&w);
    check_ends(&w, exact);
    world_close(&w);
}

static int run_faults(const log_memory_fault *faults, size_t count, bool exact, int *republished)
{
    int anew = 0;
    for (size_t i = 0; i < count; i++) {
        for (int at = 0; at < 40; at++) {
            run_with_fault(faults[i], at, exact, &anew, republished);
        }
    }
    print_message("begun anew %d times, republished %d times\n", anew, *republished);
    return anew;
}

static void test_worker_faults__every_failing_commit_at_every_batch(void **state)
{
    (void)state;
    static const log_memory_fault faults[] = {
        LOG_MEMORY_COMMIT_ABORTED, LOG_MEMORY_COMMIT_UNREACHABLE, LOG_MEMORY_COMMIT_UNKNOWN_APPLIED,
        LOG_MEMORY_COMMIT_UNKNOWN_OPEN, LOG_MEMORY_COMMIT_LATE};
    int republished = 0;
    assert_true(run_faults(faults, sizeof(faults) / sizeof(faults[0]), true, &republished) >= 25);
    assert_int_equal(republished, 0);
}

static void test_worker_faults__transactions_that_break_their_promise(void **state)
{
    (void)state;
    static const log_memory_fault faults[] = {LOG_MEMORY_COMMIT_ZOMBIE, LOG_MEMORY_COMMIT_TWICE,
                                              LOG_MEMORY_COMMIT_TORN};
    int republished = 0;
    assert_true(run_faults(faults, sizeof(faults) / sizeof(faults[0]), false, &republished) >= 15);
    assert_true(republished > 0);
}

/* A key whose instances live on the partition. */
static void key_on(int32_t partition, int32_t count, char *out, size_t size)
{
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(out, size, "key-%d", i);
        if (base_partition_of(base_slice_of(out), count) == partition) {
            return;
        }
    }
    fail();
}

/* Half a transaction is there: the entry that moved the source's position, but not the record that
 * was forwarded. */
static void test_worker_faults__a_forward_that_was_torn_off_is_forwarded_again(void **state)
{
    (void)state;
    world w;
    char here[16];
    char there[16];
    key_on(0, 2, here, sizeof(here));
    key_on(1, 2, there, sizeof(there));
    world_open(&w, "torn", "2");
    world_topic(&w, "orders.events", 1);
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    char json[64];
    world_order_json(json, sizeof(json), here);
    world_emit_keyed(&w, "orders.events", "order.placed", json, "x");
    world_order_json(json, sizeof(json), there);
    world_emit_keyed(&w, "orders.events", "order.placed", json, "x");
    FINE((error->code = BASE_OK, log_memory_fail_commit(w.store, base_slice_of("troupe-worker-0-0"),
                                                        LOG_MEMORY_COMMIT_TORN)));
    for (int i = 0; i < 50; i++) {
        w.now_ms += 50;
        world_step(&w, 0);
    }
    world_settle(&w);
    assert_int_equal(w.anew, 1);
    assert_int_equal(w.republished, 1);
    assert_string_equal(world_phase(&w, "order", here), "completed");
    assert_string_equal(world_phase(&w, "order", there), "completed");
    world_check_rebuild(&w);
    world_close(&w);
}

/* A writer that had been replaced writes a snapshot of what only it believed. */
static void forge_snapshot(world *w, const char *key, uint64_t epoch)
{
    engine_topics topics;
    FINE(engine_topics_name(w->config.prefix, &w->arena, &topics));
    const int32_t partition = base_partition_of(base_slice_of(key), (int32_t)w->config.partitions);
    saga_state *state = BASE_ARENA_NEW(&w->arena, saga_state);
    *state = *world_state(w, "order", key);
    state->phase = SAGA_PHASE_DAMAGED;
    state->seq += 100;
    base_slice bytes = {NULL, 0};
    base_slice record_key = {NULL, 0};
    FINE(schema_snapshot_write(state, &w->arena, &bytes, error));
    FINE((error->code = BASE_OK, engine_snapshot_key(false, base_slice_of("order"),
                                                     base_slice_of(key), &w->arena, &record_key)));
    const engine_context context = {.topics = topics};
    schema_record record;
    FINE((error->code = BASE_OK, engine_checkpoint_record(&context, partition, epoch, record_key,
                                                          bytes, &w->arena, &record)));
    record.time_ms = w->now_ms;
    size_t refused = 0;
    FINE(log_writer_append(w->writer, &record, error));
    FINE(log_writer_commit(w->writer, NULL, NULL, 0, NULL, &refused, error));
}

static void test_worker_faults__a_snapshot_of_a_replaced_writer_is_not_believed(void **state)
{
    (void)state;
    world w;
    world_open(&w, "forged", "1");
    world_setting(&w, "snapshot_entries", "1");
    world_orders(&w);
    world_worker_open(&w, 0);
    world_settle(&w);
    place_all(&w);
    world_settle(&w);
    restart(&w); /* epoch 2 */
    forge_snapshot(&w, "a", 1);
    world_check_rebuild(&w);
    restart(&w);
    assert_string_equal(world_phase(&w, "order", "a"), "completed");
    check_ends(&w, true);
    assert_int_equal(w.untrusted, 1);
    world_place(&w, "z"); /* one more entry: the next checkpoint writes all snapshots anew */
    world_settle(&w);
    restart(&w);
    check_ends(&w, true);
    assert_int_equal(w.untrusted, 1);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_faults__a_restart_at_every_step_changes_nothing),
        cmocka_unit_test(test_worker_faults__every_failing_commit_at_every_batch),
        cmocka_unit_test(test_worker_faults__transactions_that_break_their_promise),
        cmocka_unit_test(test_worker_faults__a_forward_that_was_torn_off_is_forwarded_again),
        cmocka_unit_test(test_worker_faults__a_snapshot_of_a_replaced_writer_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
