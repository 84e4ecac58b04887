/* troupe_emit and what it refuses. */
#include <pthread.h>
#include <stdatomic.h>

#include "connectors/log_memory.h"
#include "tests/client/world.h"

static world_kind kind;

static int setup(void **state)
{
    world *w = malloc(sizeof(*w));
    world_open(w, kind);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

static void test_emit__an_event_is_on_the_log_when_it_returns(void **state)
{
    world *w = *state;
    troupe *handle = world_client(w, &(troupe_options){.type_prefix = "com.acme."});
    const troupe_attribute attributes[] = {{"region", "eu"}, {"correlationid", "c1"}};
    const troupe_message message = {
        .type = "order.placed",
        .data = "{\"orderId\":\"o1\",\"total\":10.50}",
        .key = "o1",
        .id = "e1",
        .subject = "orders/o1",
        .time_ms = 1700000000000,
        .attributes = attributes,
        .attribute_count = 2,
    };
    troupe_error error = {0};
    if (troupe_emit(handle, &message, 5000, &error) != TROUPE_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(world_read(w, "payments.events"), 1);
    const saga_event *event = &w->events[0];
    assert_slice(event->type, "com.acme.order.placed");
    assert_slice(event->id, "e1");
    assert_slice(event->source, "payments");
    assert_slice(event->subject, "orders/o1");
    assert_int_equal(event->time_ms, 1700000000000);
    assert_slice(event->partition_key, "o1");
    assert_slice(event->correlation_id, "c1");
    assert_slice(event->others[0].name, "region");
    assert_slice(event->others[0].value, "eu");
    assert_slice(w->records[0].key, "o1");
    troupe_close(handle);
}

static void test_emit__makes_a_topic_that_is_missing_and_ids_of_its_own(void **state)
{
    world *w = *state;
    troupe *handle = world_client(w, &(troupe_options){0});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            troupe_emit(handle,
                        &(troupe_message){.type = "x", .key = "k", .topic = world_name(w, "new")},
                        5000, NULL),
            TROUPE_OK);
    }
    troupe_close(handle);
    assert_int_equal(world_read(w, "new"), 3);
    assert_int_equal(w->events[0].id.size, 32);
    assert_false(base_slice_equal(w->events[0].id, w->events[1].id));
    assert_slice(w->records[0].value, "null"); /* no tombstone */
}

static void test_emit__refuses_a_missing_topic_where_none_may_be_made(void **state)
{
    world *w = *state;
    troupe_error error = {0};
    troupe *handle = world_client(w, &(troupe_options){.partition_count = -1});
    assert_int_equal(
        troupe_emit(handle, &(troupe_message){.type = "x", .topic = "nowhere"}, 5000, &error),
        TROUPE_REFUSED);
    assert_non_null(strstr(error.text, "nowhere"));
    assert_int_equal(
        troupe_emit(handle,
                    &(troupe_message){.type = "x", .topic = world_name(w, "payments.events")}, 5000,
                    NULL),
        TROUPE_OK);
    troupe_close(handle);
}

static void test_emit__refuses_what_is_no_event(void **state)
{
    world *w = *state;
    troupe *handle = world_client(w, &(troupe_options){0});
    const troupe_attribute upper[] = {{"Region", "eu"}};
    const troupe_attribute core[] = {{"type", "y"}};
    const troupe_attribute number[] = {{"sagatry", "x"}};
    const troupe_message wrong[] = {
        {.type = NULL},
        {.type = ""},
        {.type = "x", .data = "{\"a\":"},
        {.type = "x", .data = ""},
        {.type = "x", .data = "{} {}"},
        {.type = "x", .answers = "no token"},
        {.type = "x", .answers = "{\"id\":\"1\"}"},
        {.type = "x", .attributes = upper, .attribute_count = 1},
        {.type = "x", .attributes = core, .attribute_count = 1},
        {.type = "x", .attributes = number, .attribute_count = 1},
        {.type = "x", .topic = "no topic"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        troupe_error error = {0};
        if (troupe_emit(handle, &wrong[i], 5000, &error) != TROUPE_BAD_INPUT) {
            fail_msg("message %zu was taken", i);
        }
        assert_int_equal(error.code, TROUPE_BAD_INPUT);
        assert_true(strlen(error.text) > 0);
    }
    troupe_close(handle);
    assert_int_equal(world_read(w, "payments.events"), 0);
}

static void test_emit__one_that_is_too_large_does_not_cost_its_neighbours(void **state)
{
    world *w = *state;
    troupe *handle = world_client(w, &(troupe_options){0});
    static char huge[2 * 1024 * 1024];
    memset(huge, 'x', sizeof(huge) - 1);
    huge[0] = '"';
    huge[sizeof(huge) - 2] = '"';
    troupe_error error = {0};
    assert_int_equal(troupe_emit_async(handle, &(troupe_message){.type = "a", .key = "k"}, 5000,
                                       NULL, NULL, NULL),
                     TROUPE_OK);
    assert_int_equal(
        troupe_emit(handle, &(troupe_message){.type = "b", .key = "k", .data = huge}, 5000, &error),
        TROUPE_TOO_LARGE);
    assert_int_equal(troupe_emit_async(handle, &(troupe_message){.type = "c", .key = "k"}, 5000,
                                       NULL, NULL, NULL),
                     TROUPE_OK);
    assert_int_equal(troupe_flush(handle, 5000, &error), TROUPE_OK);
    troupe_close(handle);
    assert_int_equal(world_read(w, "payments.events"), 2);
}

typedef struct counted {
    atomic_int fine;
    atomic_int failed;
    atomic_int next;
    atomic_int out_of_order;
} counted;

static counted all_counted;

static void on_delivered(void *user, troupe_code code, const troupe_error *error)
{
    const int number = *(const int *)user;
    (void)atomic_fetch_add(code == TROUPE_OK ? &all_counted.fine : &all_counted.failed, 1);
    if (atomic_fetch_add(&all_counted.next, 1) != number ||
        (code == TROUPE_OK) != (error == NULL)) {
        (void)atomic_fetch_add(&all_counted.out_of_order, 1);
    }
}

static void test_emit__async_events_are_told_of_in_order_and_close_sends_what_is_left(void **state)
{
    world *w = *state;
    static int numbers[300];
    all_counted = (counted){0};
    troupe *handle = world_client(w, &(troupe_options){0});
    for (int i = 0; i < 300; i++) {
        char data[32];
        numbers[i] = i;
        (void)snprintf(data, sizeof(data), "{\"n\":%d}", i);
        assert_int_equal(troupe_emit_async(handle,
                                           &(troupe_message){.type = "x", .key = "k", .data = data},
                                           5000, on_delivered, &numbers[i], NULL),
                         TROUPE_OK);
    }
    troupe_close(handle);
    assert_int_equal(atomic_load(&all_counted.fine), 300);
    assert_int_equal(atomic_load(&all_counted.out_of_order), 0);
    assert_int_equal(world_read(w, "payments.events"), 300);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(base_map_get_text(&w->events[i].data, "n")->integer, (int64_t)i);
    }
}

static void *emit_some(void *user)
{
    for (int i = 0; i < 25; i++) {
        if (troupe_emit(user, &(troupe_message){.type = "x", .key = "k"}, 10000, NULL) !=
            TROUPE_OK) {
            return NULL;
        }
    }
    return user;
}

static void test_emit__many_threads_may_emit(void **state)
{
    world *w = *state;
    pthread_t threads[4];
    troupe *handle = world_client(w, &(troupe_options){0});
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, emit_some, handle), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    troupe_close(handle);
    assert_int_equal(world_read(w, "payments.events"), 100);
}

#ifndef TEST_ON_KAFKA
static void test_emit__a_log_that_is_down_is_unreachable_after_the_time_given(void **state)
{
    world *w = *state;
    troupe *handle = world_client(w, &(troupe_options){0});
    assert_int_equal(troupe_emit(handle, &(troupe_message){.type = "x"}, 5000, NULL), TROUPE_OK);
    log_memory_set_down(w->store, true);
    troupe_error error = {0};
    const troupe_code code = troupe_emit(handle, &(troupe_message){.type = "x"}, 300, &error);
    assert_true(code == TROUPE_UNREACHABLE || code == TROUPE_TIMEOUT);
    assert_int_equal(
        troupe_emit_async(handle, &(troupe_message){.type = "y"}, 5000, NULL, NULL, NULL),
        TROUPE_OK);
    assert_int_equal(troupe_flush(handle, 100, NULL), TROUPE_TIMEOUT);
    log_memory_set_down(w->store, false);
    assert_int_equal(troupe_flush(handle, 5000, NULL), TROUPE_OK);
    troupe_close(handle);
    assert_int_equal(world_read(w, "payments.events"), 2);
}

#endif

static void test_emit__open_says_what_is_wrong(void **state)
{
    world *w = *state;
    troupe *handle = NULL;
    troupe_error error = {0};
    assert_int_equal(troupe_open("nonsense", &(troupe_options){.service = "x"}, &handle, &error),
                     TROUPE_BAD_INPUT);
    assert_non_null(strstr(error.text, "nonsense"));
    assert_int_equal(troupe_open(w->url, &(troupe_options){0}, &handle, &error), TROUPE_BAD_INPUT);
    assert_int_equal(troupe_open(w->url, &(troupe_options){.service = "a b"}, &handle, &error),
                     TROUPE_BAD_INPUT);
    assert_non_null(strstr(error.text, "a b"));
    assert_int_equal(
        troupe_open(w->url, &(troupe_options){.service = "a", .batch_max = -1}, &handle, &error),
        TROUPE_BAD_INPUT);
    const troupe_setting settings[] = {{"kafkaa.x", "1"}};
    assert_int_equal(
        troupe_open(w->url,
                    &(troupe_options){.service = "a", .settings = settings, .setting_count = 1},
                    &handle, &error),
        TROUPE_BAD_INPUT);
    assert_null(handle);
    assert_int_equal(troupe_version(), TROUPE_VERSION);
    assert_string_equal(troupe_code_name(TROUPE_REFUSED), "refused");
}

#define EACH(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
#define EVERYWHERE                                                                                 \
    EACH(test_emit__an_event_is_on_the_log_when_it_returns),                                       \
        EACH(test_emit__makes_a_topic_that_is_missing_and_ids_of_its_own),                         \
        EACH(test_emit__refuses_a_missing_topic_where_none_may_be_made),                           \
        EACH(test_emit__refuses_what_is_no_event),                                                 \
        EACH(test_emit__one_that_is_too_large_does_not_cost_its_neighbours),                       \
        EACH(test_emit__async_events_are_told_of_in_order_and_close_sends_what_is_left),           \
        EACH(test_emit__many_threads_may_emit), EACH(test_emit__open_says_what_is_wrong)

int main(void)
{
    const struct CMUnitTest tests[] = {EVERYWHERE};
#ifdef TEST_ON_KAFKA
    kind = WORLD_KAFKA;
    return world_no_kafka() != 0 ? 77 : cmocka_run_group_tests_name("kafka", tests, NULL, NULL);
#else
    const struct CMUnitTest memory[] = {
        EACH(test_emit__a_log_that_is_down_is_unreachable_after_the_time_given),
    };
    int failed = cmocka_run_group_tests_name("memory", tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("memory alone", memory, NULL, NULL);
    kind = WORLD_LOCAL;
    return failed + cmocka_run_group_tests_name("local", tests, NULL, NULL);
#endif
}
