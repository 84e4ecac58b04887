/* All or nothing, and never by two: transactions and fencing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/conformance/conformance.h"

static conformance_records records; /* too large for the stack */

static int setup(void **state)
{
    conformance_forget(&records); /* a test that failed left them */
    return conformance_setup(state);
}

static void test_conformance__nothing_is_visible_before_the_commit_and_all_of_it_after(void **state)
{
    conformance *test = *state;
    const base_slice orders = conformance_topic(test, "orders", 2);
    const base_slice events = conformance_topic(test, "events", 1);
    log_reader *reader = conformance_reader_of(test, orders, 2);
    FINE(log_reader_assign(reader, events, 0, LOG_OFFSET_BEGIN, error));
    log_writer *writer = conformance_writer(test, "writer");
    conformance_put(writer, orders, 0, "k", "a");
    conformance_put(writer, orders, 1, "k", "b");
    conformance_put(writer, events, 0, "k", "c");
    conformance_silent(test, reader);
    conformance_commit(writer);
    conformance_read(test, reader, 3, &records);
    conformance_silent(test, reader);
    conformance_forget(&records);
    log_writer_close(writer);
    log_reader_close(reader);
}

static void
test_conformance__what_is_aborted_is_never_seen_and_the_next_transaction_is(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    log_writer *writer = conformance_writer(test, "writer");
    conformance_put(writer, topic, 0, "k", "dropped");
    FINE(log_writer_abort(writer, error));
    FINE(log_writer_abort(writer, error)); /* of nothing */
    conformance_put(writer, topic, 0, "k", "kept");
    conformance_commit(writer);
    conformance_put(writer, topic, 0, "k", "dropped by close");
    log_writer_close(writer);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 1, &records);
    assert_true(base_slice_is(records.items[0].record.value, "kept"));
    conformance_silent(test, reader);
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__a_reader_gets_over_gaps_and_reaches_the_end(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    log_writer *writer = conformance_writer(test, "writer");
    for (int i = 0; i < 5; i++) {
        conformance_put(writer, topic, 0, "k", "dropped");
        FINE(log_writer_abort(writer, error));
        conformance_put(writer, topic, 0, "k", "kept");
        conformance_commit(writer);
    }
    conformance_put(writer, topic, 0, "k", "dropped");
    FINE(log_writer_abort(writer, error));
    int64_t begin = 0;
    int64_t end = 0;
    FINE(log_range(test->store, topic, 0, &begin, &end, error));
    assert_true(end - begin >= 5);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 5, &records);
    for (size_t i = 1; i < 5; i++) {
        assert_true(records.items[i].record.offset > records.items[i - 1].record.offset);
    }
    int64_t position = -1;
    for (int i = 0; position < end && i < 50; i++) {
        const schema_record *found = NULL;
        size_t count = 0;
        FINE(log_reader_poll(reader, 200, 10, &found, &count, error));
        assert_int_equal(count, 0);
        assert_false(base_failed(log_reader_position(reader, topic, 0, &position)));
    }
    assert_true(position >= end);
    conformance_forget(&records);
    log_writer_close(writer);
    log_reader_close(reader);
}

static void test_conformance__the_end_is_behind_all_that_was_committed(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    log_writer *writer = conformance_writer(test, "writer");
    log_reader *reader = conformance_reader_of(test, topic, 1);
    for (size_t i = 1; i <= 20; i++) {
        int64_t begin = 0;
        int64_t end = 0;
        int64_t position = 0;
        conformance_put(writer, topic, 0, "k", "v");
        conformance_commit(writer);
        FINE(log_range(test->store, topic, 0, &begin, &end, error));
        assert_true(end > 0);
        for (int k = 0; position < end && k < 100; k++) {
            const schema_record *found = NULL;
            size_t count = 0;
            FINE(log_reader_poll(reader, 100, 10, &found, &count, error));
            records.count += count;
            assert_false(base_failed(log_reader_position(reader, topic, 0, &position)));
        }
        assert_int_equal(records.count, i);
    }
    records.count = 0; /* only counted */
    log_writer_close(writer);
    log_reader_close(reader);
}

static void test_conformance__an_empty_commit_does_nothing(void **state)
{
    conformance *test = *state;
    log_writer *writer = conformance_writer(test, "writer");
    conformance_commit(writer);
    FINE(log_writer_abort(writer, error));
    conformance_commit(writer);
    log_writer_close(writer);
}

/* Appends and commits as the fenced writer that does not know it yet; the outcome must be FENCED.
 */
static void zombie_is_fenced(log_writer *zombie, base_slice topic)
{
    const schema_record record = {
        .topic = topic, .key = base_slice_of("k"), .value = base_slice_of("zombie")};
    base_status status = log_writer_append(zombie, &record, NULL);
    if (!base_failed(status)) {
        status = log_writer_commit(zombie, NULL, NULL, 0, NULL, NULL, NULL);
    }
    assert_int_equal(status.code, BASE_FENCED);
    /* Only close is left. */
    assert_int_equal(log_writer_append(zombie, &record, NULL).code, BASE_FENCED);
    assert_int_equal(log_writer_commit(zombie, NULL, NULL, 0, NULL, NULL, NULL).code, BASE_FENCED);
    assert_int_equal(log_writer_abort(zombie, NULL).code, BASE_FENCED);
}

static void
test_conformance__a_second_writer_fences_the_first_in_the_middle_of_its_transaction(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    log_writer *zombie = conformance_writer(test, "engine-1");
    conformance_put(zombie, topic, 0, "k", "before");
    conformance_commit(zombie);
    conformance_put(zombie, topic, 0, "k", "zombie");
    log_writer *successor = conformance_writer(test, "engine-1");
    conformance_put(successor, topic, 0, "k", "successor");
    conformance_commit(successor);
    zombie_is_fenced(zombie, topic);
    conformance_put(successor, topic, 0, "k", "successor again");
    conformance_commit(successor);
    log_writer_close(zombie);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 3, &records);
    assert_true(base_slice_is(records.items[0].record.value, "before"));
    assert_true(base_slice_is(records.items[1].record.value, "successor"));
    assert_true(base_slice_is(records.items[2].record.value, "successor again"));
    conformance_silent(test, reader);
    conformance_forget(&records);
    log_writer_close(successor);
    log_reader_close(reader);
}

static void test_conformance__writers_of_other_identities_do_not_disturb_each_other(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    log_writer *one = conformance_writer(test, "engine-1");
    log_writer *two = conformance_writer(test, "engine-2");
    log_writer *plain = conformance_writer(test, NULL);
    conformance_put(one, topic, 0, "k", "one");
    conformance_put(two, topic, 0, "k", "two");
    conformance_put(plain, topic, 0, "k", "plain");
    conformance_commit(two);
    conformance_commit(plain);
    conformance_commit(one);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 3, &records);
    conformance_forget(&records);
    log_writer_close(one);
    log_writer_close(two);
    log_writer_close(plain);
    log_reader_close(reader);
}

static void test_conformance__a_writer_without_identity_makes_durable_at_commit(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    log_writer *writer = conformance_writer(test, NULL);
    for (int i = 0; i < 100; i++) {
        conformance_put(writer, topic, 0, "k", "v");
    }
    conformance_commit(writer);
    int64_t begin = 0;
    int64_t end = 0;
    FINE(log_range(test->store, topic, 0, &begin, &end, error));
    assert_int_equal(end - begin, 100);
    log_writer_close(writer);
}

static void test_conformance__positions_need_a_member_and_an_identity(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    const log_position position = {topic, 0, 1};
    log_writer *writer = conformance_writer(test, "writer");
    ENDS(BASE_BAD_INPUT, log_writer_commit(writer, NULL, &position, 1, NULL, NULL, error));
    log_writer_close(writer);
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_conformance__##name, setup, conformance_teardown)

int conformance_transactions_run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_visible_before_the_commit_and_all_of_it_after),
        CASE(what_is_aborted_is_never_seen_and_the_next_transaction_is),
        CASE(a_reader_gets_over_gaps_and_reaches_the_end),
        CASE(the_end_is_behind_all_that_was_committed),
        CASE(an_empty_commit_does_nothing),
        CASE(a_second_writer_fences_the_first_in_the_middle_of_its_transaction),
        CASE(writers_of_other_identities_do_not_disturb_each_other),
        CASE(a_writer_without_identity_makes_durable_at_commit),
        CASE(positions_need_a_member_and_an_identity),
    };
    return cmocka_run_group_tests_name("transactions", tests, NULL, NULL);
}
