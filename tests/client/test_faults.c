/* What the log does to a service: commits that fail, whose outcome is unknown, members that are
 * expelled, handlers that hang. On the memory log, which can be told to. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "connectors/log_memory.h"
#include "tests/client/world.h"

static int setup(void **state)
{
    world *w = malloc(sizeof(*w));
    world_open(w, WORLD_MEMORY);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

static void nap(int ms)
{
    const struct timespec time = {ms / 1000, (ms % 1000) * 1000000L};
    (void)nanosleep(&time, NULL);
}

static troupe_verdict answer(troupe_context *context, const troupe_event *event, void *user)
{
    atomic_int *calls = user;
    (void)event;
    (void)atomic_fetch_add(calls, 1);
    return troupe_answer(context, "payment.authorised", "{}", NULL) == TROUPE_OK ? TROUPE_HANDLED
                                                                                 : TROUPE_RETRY;
}

static void put_asks(world *w, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "a%d", i);
        world_put(w, &(world_ask){"payment.authorise", id, id, id, NULL, NULL, 1});
    }
}

/* Every ask was answered exactly once, as a reader of committed records sees it. */
static void expect_each_once(world *w, int count)
{
    assert_int_equal(world_read(w, "payments.events"), count);
    for (size_t i = 0; i < w->count; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_false(base_slice_equal(w->events[i].causation_id, w->events[k].causation_id));
        }
    }
}

static const troupe_options named = {.identity = "p1"};

static troupe *client_of(world *w, const troupe_options *options, atomic_int *calls)
{
    troupe *handle = world_client(w, options);
    assert_int_equal(troupe_on_ask(handle, NULL, answer, calls, NULL), TROUPE_OK);
    return handle;
}

static void run_until_answered(world *w, troupe *handle, int count)
{
    for (int i = 0; i < 100 && world_read(w, "payments.events") < (size_t)count; i++) {
        (void)world_run(handle, 1, 100);
    }
    (void)world_run(handle, 1, 200);
}

static void with_fault(world *w, log_memory_fault fault, int calls_wanted)
{
    atomic_int calls = 0;
    put_asks(w, 0, 2);
    troupe *handle = client_of(w, &named, &calls);
    run_until_answered(w, handle, 2); /* the group has positions now */
    put_asks(w, 2, 3);
    assert_false(
        base_failed(log_memory_fail_commit(w->store, base_slice_of("payments-p1"), fault)));
    run_until_answered(w, handle, 5);
    troupe_close(handle);
    expect_each_once(w, 5);
    assert_int_equal(atomic_load(&calls), calls_wanted);
}

static void test_faults__an_aborted_commit_is_made_again_without_the_handlers(void **state)
{
    with_fault(*state, LOG_MEMORY_COMMIT_ABORTED, 5);
}

static void test_faults__an_unreachable_log_is_waited_for(void **state)
{
    with_fault(*state, LOG_MEMORY_COMMIT_UNREACHABLE, 5);
}

static void test_faults__an_unknown_outcome_that_was_written_is_not_written_again(void **state)
{
    with_fault(*state, LOG_MEMORY_COMMIT_UNKNOWN_APPLIED, 5);
}

static void test_faults__an_unknown_outcome_that_was_not_written_is_written_again(void **state)
{
    with_fault(*state, LOG_MEMORY_COMMIT_UNKNOWN_OPEN, 5);
}

static void test_faults__a_late_commit_comes_to_nothing_once_its_successor_is_at_work(void **state)
{
    world *w = *state;
    with_fault(w, LOG_MEMORY_COMMIT_LATE, 5);
    assert_int_equal(log_memory_deliver(w->store), 0);
    expect_each_once(w, 5);
}

static void test_faults__a_fenced_writer_is_replaced_and_the_events_are_handled_again(void **state)
{
    world *w = *state;
    atomic_int calls = 0;
    put_asks(w, 0, 2);
    troupe *handle = client_of(w, &named, &calls);
    run_until_answered(w, handle, 2);
    assert_true(log_memory_fence(w->store, base_slice_of("payments-p1")));
    put_asks(w, 2, 2);
    run_until_answered(w, handle, 4);
    troupe_close(handle);
    expect_each_once(w, 4);
    assert_true(atomic_load(&calls) > 4);
}

static void test_faults__an_expelled_member_comes_back_and_answers_nothing_twice(void **state)
{
    world *w = *state;
    atomic_int calls = 0;
    put_asks(w, 0, 3);
    troupe *handle = client_of(w, &(troupe_options){0}, &calls);
    run_until_answered(w, handle, 3);
    put_asks(w, 3, 3);
    assert_int_equal(log_memory_expel(w->store, base_slice_of("payments"), (base_slice){NULL, 0}),
                     1);
    run_until_answered(w, handle, 6);
    troupe_close(handle);
    expect_each_once(w, 6);
}

static void test_faults__a_log_that_is_down_is_reported_once_and_waited_for(void **state)
{
    world *w = *state;
    atomic_int calls = 0;
    put_asks(w, 0, 1);
    troupe *handle = client_of(w, &(troupe_options){0}, &calls);
    run_until_answered(w, handle, 1);
    log_memory_set_down(w->store, true);
    assert_int_equal(world_run(handle, 1, 500), 0);
    log_memory_set_down(w->store, false);
    put_asks(w, 1, 2);
    run_until_answered(w, handle, 3);
    troupe_close(handle);
    expect_each_once(w, 3);
    const char *first = strstr(w->reported, "does not answer");
    assert_non_null(first);
    assert_null(strstr(first + 1, "does not answer"));
}

static void test_faults__a_lost_position_ends_the_run_or_is_skipped_by_option(void **state)
{
    world *w = *state;
    atomic_int calls = 0;
    put_asks(w, 0, 8);
    troupe *handle = client_of(w, &(troupe_options){0}, &calls);
    run_until_answered(w, handle, 8);
    troupe_close(handle);
    put_asks(w, 8, 40);
    for (int32_t p = 0; p < 2; p++) {
        int64_t begin = 0;
        int64_t end = 0;
        assert_false(base_failed(
            log_range(w->store, base_slice_of("payments.asks"), p, &begin, &end, NULL)));
        assert_false(base_failed(
            log_memory_truncate(w->store, base_slice_of("payments.asks"), p, end - 2, -1)));
    }
    handle = client_of(w, &(troupe_options){0}, &calls);
    troupe_error error = {0};
    troupe_code code = TROUPE_OK;
    for (int i = 0; i < 20 && code == TROUPE_OK; i++) {
        code = troupe_poll(handle, 100, NULL, &error);
    }
    assert_int_equal(code, TROUPE_FAILED);
    assert_non_null(strstr(error.text, "payments.asks"));
    troupe_close(handle);
    handle = client_of(w, &(troupe_options){.skip_lost = true}, &calls);
    run_until_answered(w, handle, 12);
    troupe_close(handle);
    expect_each_once(w, 12);
    assert_non_null(strstr(w->reported, "were lost"));
}

/* ---- handlers that take their time ---- */

typedef struct slow {
    atomic_int calls;
    atomic_int hangs;
    int nap_ms;
    troupe_code late_code;
} slow;

static troupe_verdict sleepy(troupe_context *context, const troupe_event *event, void *user)
{
    slow *s = user;
    (void)atomic_fetch_add(&s->calls, 1);
    if (strcmp(event->id, "a0") == 0) {
        nap(s->nap_ms);
        s->late_code = troupe_answer(context, "payment.authorised", "{}", NULL);
        return TROUPE_HANDLED;
    }
    return troupe_answer(context, "payment.authorised", "{}", NULL) == TROUPE_OK ? TROUPE_HANDLED
                                                                                 : TROUPE_RETRY;
}

static void test_faults__a_slow_handler_keeps_its_membership(void **state)
{
    world *w = *state;
    slow s = {.nap_ms = 2500};
    put_asks(w, 0, 3);
    troupe *handle = world_client(w, &(troupe_options){.session_timeout_ms = 1000});
    assert_int_equal(troupe_on_ask(handle, NULL, sleepy, &s, NULL), TROUPE_OK);
    run_until_answered(w, handle, 3);
    troupe_close(handle);
    expect_each_once(w, 3);
    assert_int_equal(atomic_load(&s.calls), 3);
    assert_int_equal(s.late_code, TROUPE_OK);
}

static slow *hanging;

static void on_hang(void *user, const char *text)
{
    (void)user;
    assert_non_null(strstr(text, "hangs"));
    (void)atomic_fetch_add(&hanging->hangs, 1);
}

static void test_faults__a_hanging_handler_loses_its_event_and_not_its_partition(void **state)
{
    world *w = *state;
    slow s = {.nap_ms = 1500};
    hanging = &s;
    put_asks(w, 0, 3);
    troupe *handle = world_client(w, &(troupe_options){.handler_timeout_ms = 300, .hang = on_hang});
    assert_int_equal(troupe_on_ask(handle, NULL, sleepy, &s, NULL), TROUPE_OK);
    run_until_answered(w, handle, 2);
    (void)world_run(handle, 1, 300);
    troupe_close(handle);
    assert_int_equal(atomic_load(&s.hangs), 1);
    assert_int_equal(s.late_code, TROUPE_CLOSED);
    assert_int_equal(atomic_load(&s.calls), 3);
    expect_each_once(w, 2);
    assert_int_equal(world_read(w, "troupe.dead-letters"), 1);
    assert_slice(w->events[0].id, "a0");
    assert_slice(world_header(&w->records[0], "troupe-reason"), "handler_hangs");
}

static void test_faults__a_static_member_that_is_replaced_is_fenced(void **state)
{
    world *w = *state;
    atomic_int calls = 0;
    troupe *first = client_of(w, &named, &calls);
    (void)world_run(first, 1, 200);
    troupe *second = client_of(w, &named, &calls);
    troupe_code code = TROUPE_OK;
    for (int i = 0; i < 20 && code == TROUPE_OK; i++) {
        assert_int_equal(troupe_poll(second, 20, NULL, NULL), TROUPE_OK);
        code = troupe_poll(first, 20, NULL, NULL);
    }
    assert_int_equal(code, TROUPE_FENCED);
    put_asks(w, 0, 2);
    run_until_answered(w, second, 2);
    troupe_close(first);
    troupe_close(second);
    expect_each_once(w, 2);
}

#define EACH(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_faults__an_aborted_commit_is_made_again_without_the_handlers),
        EACH(test_faults__an_unreachable_log_is_waited_for),
        EACH(test_faults__an_unknown_outcome_that_was_written_is_not_written_again),
        EACH(test_faults__an_unknown_outcome_that_was_not_written_is_written_again),
        EACH(test_faults__a_late_commit_comes_to_nothing_once_its_successor_is_at_work),
        EACH(test_faults__a_fenced_writer_is_replaced_and_the_events_are_handled_again),
        EACH(test_faults__an_expelled_member_comes_back_and_answers_nothing_twice),
        EACH(test_faults__a_log_that_is_down_is_reported_once_and_waited_for),
        EACH(test_faults__a_lost_position_ends_the_run_or_is_skipped_by_option),
        EACH(test_faults__a_slow_handler_keeps_its_membership),
        EACH(test_faults__a_hanging_handler_loses_its_event_and_not_its_partition),
        EACH(test_faults__a_static_member_that_is_replaced_is_fenced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
