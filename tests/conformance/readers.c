/* Where a reader begins, what it gets, and when it comes back. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/conformance/conformance.h"

static conformance_records records; /* too large for the stack */

static int setup(void **state)
{
    conformance_forget(&records); /* a test that failed left them */
    return conformance_setup(state);
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static void test_conformance__a_reader_begins_at_the_begin_the_end_or_an_offset(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    const char *const first[] = {"a", "b", "c", "d"};
    const char *const later[] = {"e"};
    conformance_write(test, topic, 0, first, 4);
    log_reader *begin = conformance_reader_of(test, topic, 1);
    conformance_read(test, begin, 4, &records);
    const int64_t third = records.items[2].record.offset;
    conformance_forget(&records);
    log_reader *end = conformance_reader(test);
    FINE(log_reader_assign(end, topic, 0, LOG_OFFSET_END, error));
    log_reader *middle = conformance_reader(test);
    FINE(log_reader_assign(middle, topic, 0, third, error));
    conformance_write(test, topic, 0, later, 1);
    conformance_read(test, end, 1, &records);
    assert_true(base_slice_is(records.items[0].record.value, "e"));
    conformance_forget(&records);
    conformance_read(test, middle, 3, &records);
    assert_true(base_slice_is(records.items[0].record.value, "c"));
    assert_true(base_slice_is(records.items[2].record.value, "e"));
    conformance_forget(&records);
    log_reader_close(begin);
    log_reader_close(middle);
    log_reader_close(end);
}

static void test_conformance__an_assigned_partition_can_be_set_to_another_offset(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    const char *const values[] = {"a", "b", "c"};
    conformance_write(test, topic, 0, values, 3);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 3, &records);
    const int64_t second = records.items[1].record.offset;
    conformance_forget(&records);
    FINE(log_reader_assign(reader, topic, 0, second, error));
    conformance_read(test, reader, 2, &records);
    assert_true(base_slice_is(records.items[0].record.value, "b"));
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__a_poll_hands_out_no_more_than_asked_and_loses_nothing(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 2);
    log_writer *writer = conformance_writer(test, "writer");
    for (int i = 0; i < 40; i++) {
        conformance_put(writer, topic, i % 2, "k", "v");
    }
    conformance_commit(writer);
    log_writer_close(writer);
    log_reader *reader = conformance_reader_of(test, topic, 2);
    const int64_t until_ms = now_ms() + test->patience_ms;
    size_t total = 0;
    while (total < 40 && now_ms() < until_ms) {
        const schema_record *found = NULL;
        size_t count = 0;
        FINE(log_reader_poll(reader, 500, 3, &found, &count, error));
        assert_true(count <= 3);
        total += count;
    }
    assert_int_equal(total, 40);
    conformance_silent(test, reader);
    log_reader_close(reader);
}

static void test_conformance__the_position_is_behind_what_was_handed_out(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    const char *const values[] = {"a", "b", "c"};
    int64_t position = -1;
    conformance_write(test, topic, 0, values, 3);
    log_reader *reader = conformance_reader(test);
    assert_int_equal(log_reader_position(reader, topic, 0, &position).code, BASE_NOT_FOUND);
    FINE(log_reader_assign(reader, topic, 0, 0, error));
    assert_false(base_failed(log_reader_position(reader, topic, 0, &position)));
    assert_int_equal(position, 0);
    conformance_read(test, reader, 2, &records);
    assert_false(base_failed(log_reader_position(reader, topic, 0, &position)));
    assert_int_equal(position, records.items[1].record.offset + 1);
    conformance_forget(&records);
    conformance_read(test, reader, 1, &records);
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__a_position_beyond_the_log_is_lost_and_the_others_go_on(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 2);
    const char *const values[] = {"a"};
    conformance_write(test, topic, 0, values, 1);
    conformance_write(test, topic, 1, values, 1);
    log_reader *reader = conformance_reader(test);
    FINE(log_reader_assign(reader, topic, 0, 1000000, error));
    FINE(log_reader_assign(reader, topic, 1, LOG_OFFSET_BEGIN, error));
    int lost = 0;
    size_t total = 0;
    const int64_t until_ms = now_ms() + test->patience_ms;
    while ((lost == 0 || total == 0) && now_ms() < until_ms) {
        const schema_record *found = NULL;
        size_t count = 0;
        base_error error;
        base_error_clear(&error);
        const base_status status = log_reader_poll(reader, 200, 10, &found, &count, &error);
        if (base_failed(status)) {
            assert_int_equal(status.code, BASE_POSITION_LOST);
            assert_non_null(strstr(error.text, "1000000"));
            lost++;
        } else {
            total += count;
        }
    }
    assert_int_equal(lost, 1);
    assert_int_equal(total, 1);
    conformance_silent(test, reader); /* told once, not with every poll */
    FINE(log_reader_assign(reader, topic, 0, LOG_OFFSET_BEGIN, error));
    conformance_read(test, reader, 1, &records);
    assert_int_equal(records.items[0].record.partition, 0);
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__a_paused_partition_waits_and_loses_nothing(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 2);
    const char *const values[] = {"a", "b"};
    log_reader *reader = conformance_reader_of(test, topic, 2);
    FINE(log_reader_pause(reader, topic, 0, true, error));
    conformance_write(test, topic, 0, values, 2);
    conformance_write(test, topic, 1, values, 2);
    conformance_read(test, reader, 2, &records);
    assert_int_equal(records.items[0].record.partition, 1);
    assert_int_equal(records.items[1].record.partition, 1);
    conformance_silent(test, reader);
    conformance_forget(&records);
    FINE(log_reader_pause(reader, topic, 0, false, error));
    conformance_read(test, reader, 2, &records);
    assert_int_equal(records.items[0].record.partition, 0);
    assert_true(base_slice_is(records.items[0].record.value, "a"));
    assert_true(base_slice_is(records.items[1].record.value, "b"));
    conformance_forget(&records);
    ENDS(BASE_NOT_FOUND, log_reader_pause(reader, topic, 5, true, error));
    log_reader_close(reader);
}

static void test_conformance__pausing_in_the_middle_goes_on_where_it_stopped(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    const char *const values[] = {"a", "b", "c", "d"};
    conformance_write(test, topic, 0, values, 4);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 2, &records);
    FINE(log_reader_pause(reader, topic, 0, true, error));
    conformance_silent(test, reader);
    FINE(log_reader_pause(reader, topic, 0, false, error));
    conformance_read(test, reader, 4, &records);
    assert_true(base_slice_is(records.items[2].record.value, "c"));
    assert_true(base_slice_is(records.items[3].record.value, "d"));
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__an_unassigned_partition_is_read_no_more(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 2);
    const char *const values[] = {"a"};
    log_reader *reader = conformance_reader_of(test, topic, 2);
    FINE(log_reader_unassign(reader, topic, 0, error));
    FINE(log_reader_unassign(reader, topic, 0, error)); /* nothing happens */
    conformance_write(test, topic, 0, values, 1);
    conformance_write(test, topic, 1, values, 1);
    conformance_read(test, reader, 1, &records);
    assert_int_equal(records.items[0].record.partition, 1);
    conformance_silent(test, reader);
    conformance_forget(&records);
    log_reader_close(reader);
}

static void *wake_soon(void *context)
{
    pause_ms(200);
    log_reader_wake(context);
    return NULL;
}

static void test_conformance__a_wake_from_another_thread_ends_a_poll_that_waits(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_silent(test, reader);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_soon, reader), 0);
    const schema_record *found = NULL;
    size_t count = 1;
    const int64_t begin_ms = now_ms();
    FINE(log_reader_poll(reader, 20000, 10, &found, &count, error));
    const int64_t taken_ms = now_ms() - begin_ms;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(count, 0);
    assert_in_range(taken_ms, 100, 5000);
    log_reader_wake(reader); /* before the poll: it returns at once */
    const int64_t again_ms = now_ms();
    FINE(log_reader_poll(reader, 20000, 10, &found, &count, error));
    assert_in_range(now_ms() - again_ms, 0, 5000);
    log_reader_close(reader);
}

typedef struct late_write {
    conformance *test;
    base_slice topic;
    int64_t committed_ms;
} late_write;

static void *write_soon(void *context)
{
    late_write *late = context;
    log_writer *writer = conformance_writer(late->test, "late");
    conformance_put(writer, late->topic, 0, "k", "late");
    pause_ms(200);
    conformance_commit(writer);
    late->committed_ms = now_ms();
    log_writer_close(writer);
    return NULL;
}

static void test_conformance__a_commit_wakes_a_reader_that_waits(void **state)
{
    conformance *test = *state;
    late_write late = {test, conformance_topic(test, "orders", 1), 0};
    log_reader *reader = conformance_reader_of(test, late.topic, 1);
    conformance_silent(test, reader);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_soon, &late), 0);
    conformance_read(test, reader, 1, &records);
    const int64_t read_ms = now_ms();
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (test->kind != CONFORMANCE_KAFKA) { /* well below the slow poll of 500 ms */
        assert_true(read_ms - late.committed_ms < 200);
    }
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__a_poll_without_waiting_returns_at_once(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    log_reader *idle = conformance_reader(test);
    const schema_record *found = NULL;
    size_t count = 1;
    const int64_t begin_ms = now_ms();
    FINE(log_reader_poll(reader, 0, 10, &found, &count, error));
    FINE(log_reader_poll(idle, 0, 10, &found, &count, error));
    assert_int_equal(count, 0);
    assert_true(now_ms() - begin_ms < 1000);
    log_reader_close(reader);
    log_reader_close(idle);
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_conformance__##name, setup, conformance_teardown)

int conformance_readers_run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_reader_begins_at_the_begin_the_end_or_an_offset),
        CASE(an_assigned_partition_can_be_set_to_another_offset),
        CASE(a_poll_hands_out_no_more_than_asked_and_loses_nothing),
        CASE(the_position_is_behind_what_was_handed_out),
        CASE(a_position_beyond_the_log_is_lost_and_the_others_go_on),
        CASE(a_paused_partition_waits_and_loses_nothing),
        CASE(pausing_in_the_middle_goes_on_where_it_stopped),
        CASE(an_unassigned_partition_is_read_no_more),
        CASE(a_wake_from_another_thread_ends_a_poll_that_waits),
        CASE(a_commit_wakes_a_reader_that_waits),
        CASE(a_poll_without_waiting_returns_at_once),
    };
    return cmocka_run_group_tests_name("readers", tests, NULL, NULL);
}
