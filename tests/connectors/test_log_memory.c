/* What the memory log has besides conformance: virtual time, faults, and what retention and
 * compaction leave. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "connectors/log_memory.h"

typedef struct fixture {
    log_store *store;
    int64_t now_ms;
    base_slice orders; /* two partitions */
    base_slice group;
    base_slice engine;
} fixture;

static int64_t virtual_now(void *context)
{
    return ((const fixture *)context)->now_ms;
}

static void topic_make(fixture *test, const char *name, int32_t partitions, log_cleanup cleanup,
                       int64_t retention_ms, int64_t retention_size)
{
    const log_topic_options options = {.name = base_slice_of(name),
                                       .partition_count = partitions,
                                       .cleanup = cleanup,
                                       .retention_ms = retention_ms,
                                       .retention_size = retention_size};
    assert_int_equal(log_topics_ensure(test->store, &options, 1, 0, NULL).code, BASE_OK);
}

static int setup(void **state)
{
    fixture *test = calloc(1, sizeof(*test));
    assert_non_null(test);
    test->now_ms = 1000000;
    test->orders = base_slice_of("orders");
    test->group = base_slice_of("group");
    test->engine = base_slice_of("engine");
    assert_int_equal(log_open(base_slice_of("memory:test"), NULL, 0, &test->store, NULL).code,
                     BASE_OK);
    log_memory_set_clock(test->store, virtual_now, test);
    topic_make(test, "orders", 2, LOG_CLEANUP_DELETE, -1, -1);
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    fixture *test = *state;
    log_close(test->store);
    free(test);
    return 0;
}

static log_writer *writer_open(fixture *test)
{
    const log_writer_options options = {.identity = test->engine};
    log_writer *writer = NULL;
    assert_int_equal(log_writer_open(test->store, &options, &writer, NULL).code, BASE_OK);
    return writer;
}

static log_member *member_open(fixture *test, const char *identity)
{
    const log_member_options options = {.group = test->group,
                                        .topics = &test->orders,
                                        .topic_count = 1,
                                        .identity = base_slice_of(identity),
                                        .session_timeout_ms = 1000};
    log_member *member = NULL;
    assert_int_equal(log_member_open(test->store, &options, &member, NULL).code, BASE_OK);
    return member;
}

static log_member_event poll(log_member *member)
{
    log_member_event event = {LOG_MEMBER_NOTHING, NULL, 0};
    assert_int_equal(log_member_poll(member, 1000, &event, NULL).code, BASE_OK);
    return event;
}

static base_status put_in(log_writer *writer, const char *topic, int32_t partition, const char *key,
                          const char *value)
{
    const schema_record record = {.topic = base_slice_of(topic),
                                  .partition = partition,
                                  .key = base_slice_of(key),
                                  .value = base_slice_of(value)};
    return log_writer_append(writer, &record, NULL);
}

static void put(log_writer *writer, int32_t partition, const char *value)
{
    assert_int_equal(put_in(writer, "orders", partition, "k", value).code, BASE_OK);
}

static base_code commit(log_writer *writer)
{
    return log_writer_commit(writer, NULL, NULL, 0, NULL, NULL, NULL).code;
}

/* All values that can be read now, as "0:a 0:b 1:c"; text is in a buffer of the caller. */
static const char *seen_in(fixture *test, const char *topic, int32_t partitions, char *text,
                           size_t text_size)
{
    log_reader *reader = NULL;
    const schema_record *found = NULL;
    size_t count = 0;
    size_t used = 0;
    text[0] = '\0';
    assert_int_equal(log_reader_open(test->store, &reader, NULL).code, BASE_OK);
    for (int32_t i = 0; i < partitions; i++) {
        assert_int_equal(
            log_reader_assign(reader, base_slice_of(topic), i, LOG_OFFSET_BEGIN, NULL).code,
            BASE_OK);
    }
    assert_int_equal(log_reader_poll(reader, 1000, 1000, &found, &count, NULL).code, BASE_OK);
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, text_size - used, "%s%d:%.*s", used > 0 ? " " : "",
                                 (int)found[i].partition, BASE_SLICE_ARG(found[i].value));
    }
    log_reader_close(reader);
    return text;
}

static void assert_seen(fixture *test, const char *expected)
{
    char text[512];
    assert_string_equal(seen_in(test, "orders", 2, text, sizeof(text)), expected);
}

static void fault(fixture *test, log_memory_fault kind)
{
    assert_int_equal(log_memory_fail_commit(test->store, test->engine, kind).code, BASE_OK);
}

/* ---- faults ---- */

static void test_log_memory__an_aborted_commit_writes_nothing_and_the_writer_goes_on(void **state)
{
    fixture *test = *state;
    log_writer *writer = writer_open(test);
    fault(test, LOG_MEMORY_COMMIT_ABORTED);
    fault(test, LOG_MEMORY_COMMIT_UNREACHABLE);
    put(writer, 0, "a");
    assert_int_equal(commit(writer), BASE_ABORTED);
    put(writer, 0, "b");
    assert_int_equal(commit(writer), BASE_UNREACHABLE);
    put(writer, 0, "c");
    assert_int_equal(commit(writer), BASE_OK);
    assert_seen(test, "0:c");
    log_writer_close(writer);
}

static void test_log_memory__a_commit_of_unknown_outcome_may_have_been_applied(void **state)
{
    fixture *test = *state;
    log_writer *writer = writer_open(test);
    fault(test, LOG_MEMORY_COMMIT_UNKNOWN_APPLIED);
    put(writer, 0, "a");
    assert_int_equal(commit(writer), BASE_OUTCOME_UNKNOWN);
    assert_seen(test, "0:a");
    assert_int_equal(put_in(writer, "orders", 0, "k", "b").code, BASE_OUTCOME_UNKNOWN);
    assert_int_equal(commit(writer), BASE_OUTCOME_UNKNOWN);
    assert_int_equal(log_writer_abort(writer, NULL).code, BASE_OUTCOME_UNKNOWN);
    log_writer_close(writer);
}

static void
test_log_memory__a_commit_that_stays_open_holds_readers_up_until_the_successor(void **state)
{
    fixture *test = *state;
    const log_writer_options other = {.identity = base_slice_of("other")};
    log_writer *writer = writer_open(test);
    log_writer *neighbour = NULL;
    assert_int_equal(log_writer_open(test->store, &other, &neighbour, NULL).code, BASE_OK);
    fault(test, LOG_MEMORY_COMMIT_UNKNOWN_OPEN);
    put(writer, 0, "a");
    assert_int_equal(commit(writer), BASE_OUTCOME_UNKNOWN);
    put(neighbour, 0, "b");
    put(neighbour, 1, "c");
    assert_int_equal(commit(neighbour), BASE_OK);
    assert_seen(test, "1:c"); /* partition 0 is readable up to its first open transaction */
    assert_int_equal(log_memory_deliver(test->store), 0);
    log_writer *successor = writer_open(test);
    assert_seen(test, "0:b 1:c");
    log_writer_close(writer);
    log_writer_close(neighbour);
    log_writer_close(successor);
}

static void test_log_memory__a_late_commit_is_applied_unless_a_successor_came_first(void **state)
{
    fixture *test = *state;
    log_writer *writer = writer_open(test);
    fault(test, LOG_MEMORY_COMMIT_LATE);
    put(writer, 0, "a");
    assert_int_equal(commit(writer), BASE_OUTCOME_UNKNOWN);
    assert_seen(test, "");
    assert_int_equal(log_memory_deliver(test->store), 1);
    assert_seen(test, "0:a");
    log_writer_close(writer);
    writer = writer_open(test);
    fault(test, LOG_MEMORY_COMMIT_LATE);
    put(writer, 0, "b");
    assert_int_equal(commit(writer), BASE_OUTCOME_UNKNOWN);
    log_writer *successor = writer_open(test);
    assert_int_equal(log_memory_deliver(test->store), 0);
    assert_seen(test, "0:a");
    log_writer_close(writer);
    log_writer_close(successor);
}

static void test_log_memory__a_zombies_records_come_behind_its_successors(void **state)
{
    fixture *test = *state;
    log_writer *zombie = writer_open(test);
    fault(test, LOG_MEMORY_COMMIT_ZOMBIE);
    put(zombie, 0, "zombie");
    assert_int_equal(commit(zombie), BASE_OUTCOME_UNKNOWN);
    log_writer *successor = writer_open(test);
    put(successor, 0, "successor");
    assert_int_equal(commit(successor), BASE_OK);
    assert_int_equal(log_memory_deliver(test->store), 1);
    assert_seen(test, "0:successor 0:zombie");
    log_writer_close(zombie);
    log_writer_close(successor);
}

static void test_log_memory__a_commit_can_be_written_twice_or_torn(void **state)
{
    fixture *test = *state;
    log_writer *writer = writer_open(test);
    fault(test, LOG_MEMORY_COMMIT_TWICE);
    fault(test, LOG_MEMORY_COMMIT_TORN);
    put(writer, 0, "a");
    assert_int_equal(commit(writer), BASE_OK);
    assert_seen(test, "0:a");
    assert_int_equal(log_memory_deliver(test->store), 1);
    assert_seen(test, "0:a 0:a");
    put(writer, 1, "kept");
    put(writer, 0, "torn off");
    assert_int_equal(commit(writer), BASE_OUTCOME_UNKNOWN);
    assert_seen(test, "0:a 0:a 1:kept");
    log_writer_close(writer);
}

static void test_log_memory__a_fault_waits_for_its_identity(void **state)
{
    fixture *test = *state;
    const log_writer_options other = {.identity = base_slice_of("other")};
    log_writer *writer = writer_open(test);
    log_writer *neighbour = NULL;
    assert_int_equal(log_writer_open(test->store, &other, &neighbour, NULL).code, BASE_OK);
    fault(test, LOG_MEMORY_COMMIT_ABORTED);
    put(neighbour, 0, "b");
    assert_int_equal(commit(neighbour), BASE_OK);
    put(writer, 0, "a");
    assert_int_equal(commit(writer), BASE_ABORTED);
    log_writer_close(writer);
    log_writer_close(neighbour);
}

static void test_log_memory__an_unreachable_log_aborts_and_keeps_sessions(void **state)
{
    fixture *test = *state;
    log_writer *writer = writer_open(test);
    log_member *member = member_open(test, "");
    assert_int_equal(poll(member).kind, LOG_MEMBER_ASSIGNED);
    log_reader *reader = NULL;
    const schema_record *found = NULL;
    size_t count = 0;
    assert_int_equal(log_reader_open(test->store, &reader, NULL).code, BASE_OK);
    assert_int_equal(log_reader_assign(reader, test->orders, 0, 0, NULL).code, BASE_OK);
    put(writer, 0, "a");
    log_memory_set_down(test->store, true);
    assert_int_equal(log_reader_poll(reader, 10, 1, &found, &count, NULL).code, BASE_UNREACHABLE);
    assert_int_equal(commit(writer), BASE_UNREACHABLE);
    assert_int_equal(put_in(writer, "orders", 0, "k", "b").code, BASE_UNREACHABLE);
    test->now_ms += 100000;
    assert_int_equal(poll(member).kind, LOG_MEMBER_NOTHING);
    log_memory_set_down(test->store, false);
    assert_int_equal(poll(member).kind, LOG_MEMBER_NOTHING);
    assert_int_equal(commit(writer), BASE_ABORTED); /* the lost append: abort first */
    assert_int_equal(log_writer_abort(writer, NULL).code, BASE_OK);
    put(writer, 0, "c");
    assert_int_equal(commit(writer), BASE_OK);
    assert_seen(test, "0:c");
    log_reader_close(reader);
    log_member_close(member, true);
    log_writer_close(writer);
}

/* ---- time ---- */

static void test_log_memory__an_open_transaction_is_aborted_and_fenced_after_its_time(void **state)
{
    fixture *test = *state;
    log_writer *writer = writer_open(test);
    put(writer, 0, "a");
    test->now_ms += 15001;
    assert_int_equal(commit(writer), BASE_FENCED);
    assert_seen(test, "");
    log_writer_close(writer);
}

static void test_log_memory__virtual_time_decides_sessions_and_record_times(void **state)
{
    fixture *test = *state;
    log_member *a = member_open(test, "");
    log_member *b = member_open(test, "");
    assert_int_equal(poll(a).partition_count, 1);
    assert_int_equal(poll(b).partition_count, 1);
    test->now_ms += 700;
    assert_int_equal(poll(b).kind, LOG_MEMBER_NOTHING);
    test->now_ms += 700;
    assert_int_equal(poll(b).kind, LOG_MEMBER_ASSIGNED); /* a was silent for 1400 ms */
    const log_member_event lost = poll(a);
    assert_int_equal(lost.kind, LOG_MEMBER_LOST);
    assert_int_equal(lost.partition_count, 1);
    log_writer *writer = writer_open(test);
    put(writer, 0, "x");
    assert_int_equal(commit(writer), BASE_OK);
    int64_t offset = -1;
    assert_int_equal(log_offset_at(test->store, test->orders, 0, test->now_ms, &offset, NULL).code,
                     BASE_OK);
    assert_int_equal(offset, 0);
    log_writer_close(writer);
    log_member_close(a, true);
    log_member_close(b, true);
}

/* ---- hooks ---- */

static void test_log_memory__a_fenced_identity_and_an_expelled_member_commit_nothing(void **state)
{
    fixture *test = *state;
    const log_position position = {test->orders, 0, 9};
    log_writer *writer = writer_open(test);
    log_member *member = member_open(test, "a");
    assert_int_equal(poll(member).kind, LOG_MEMBER_ASSIGNED);
    assert_int_equal(log_memory_expel(test->store, test->group, base_slice_of("nobody")), 0);
    assert_int_equal(log_memory_expel(test->store, test->group, base_slice_of("a")), 1);
    put(writer, 0, "a");
    assert_int_equal(log_writer_commit(writer, member, &position, 1, NULL, NULL, NULL).code,
                     BASE_REVOKED);
    assert_false(log_memory_fence(test->store, base_slice_of("nobody")));
    assert_true(log_memory_fence(test->store, test->engine));
    assert_int_equal(put_in(writer, "orders", 0, "k", "b").code, BASE_FENCED);
    assert_seen(test, "");
    assert_int_equal(poll(member).kind, LOG_MEMBER_LOST);
    assert_int_equal(log_member_release(member, NULL).code, BASE_OK);
    assert_int_equal(poll(member).kind, LOG_MEMBER_NOTHING); /* joins again */
    assert_int_equal(poll(member).kind, LOG_MEMBER_ASSIGNED);
    log_writer_close(writer);
    log_member_close(member, true);
}

static void test_log_memory__a_truncated_partition_has_lost_positions_on_both_sides(void **state)
{
    fixture *test = *state;
    log_writer *writer = writer_open(test);
    for (int i = 0; i < 10; i++) {
        put(writer, 0, "v");
    }
    assert_int_equal(commit(writer), BASE_OK);
    assert_int_equal(log_memory_truncate(test->store, test->orders, 0, 3, 6).code, BASE_OK);
    assert_int_equal(log_memory_truncate(test->store, test->orders, 7, 0, 0).code, BASE_NOT_FOUND);
    const int64_t positions[] = {2, 7};
    for (size_t i = 0; i < 2; i++) {
        log_reader *reader = NULL;
        const schema_record *found = NULL;
        size_t count = 0;
        assert_int_equal(log_reader_open(test->store, &reader, NULL).code, BASE_OK);
        assert_int_equal(log_reader_assign(reader, test->orders, 0, positions[i], NULL).code,
                         BASE_OK);
        assert_int_equal(log_reader_poll(reader, 0, 10, &found, &count, NULL).code,
                         BASE_POSITION_LOST);
        assert_int_equal(log_reader_poll(reader, 0, 10, &found, &count, NULL).code, BASE_OK);
        assert_int_equal(log_reader_assign(reader, test->orders, 0, 3, NULL).code, BASE_OK);
        assert_int_equal(log_reader_poll(reader, 0, 10, &found, &count, NULL).code, BASE_OK);
        assert_int_equal(count, 3);
        log_reader_close(reader);
    }
    log_writer_close(writer);
}

/* ---- retention and compaction ---- */

static void test_log_memory__retention_cuts_by_age_and_by_size(void **state)
{
    fixture *test = *state;
    char text[512];
    topic_make(test, "young", 1, LOG_CLEANUP_DELETE, 5000, -1);
    topic_make(test, "small", 1, LOG_CLEANUP_DELETE, -1, 25);
    log_writer *writer = writer_open(test);
    for (int i = 0; i < 5; i++) {
        const char c = (char)('a' + i);
        const char value[11] = {c, c, c, c, c, c, c, c, c, '\0'};
        assert_int_equal(put_in(writer, "young", 0, "k", value).code, BASE_OK);
        assert_int_equal(put_in(writer, "small", 0, "k", value).code, BASE_OK);
        assert_int_equal(commit(writer), BASE_OK);
        test->now_ms += 2000;
    }
    bool more = true;
    assert_int_equal(log_housekeep(test->store, &more, NULL).code, BASE_OK);
    assert_false(more);
    assert_string_equal(seen_in(test, "young", 1, text, sizeof(text)), "0:ddddddddd 0:eeeeeeeee");
    assert_string_equal(seen_in(test, "small", 1, text, sizeof(text)), "0:ddddddddd 0:eeeeeeeee");
    log_writer_close(writer);
}

static void
test_log_memory__compaction_keeps_the_newest_of_a_key_and_drops_old_tombstones(void **state)
{
    fixture *test = *state;
    char text[512];
    topic_make(test, "snapshots", 1, LOG_CLEANUP_COMPACT, -1, -1);
    log_writer *writer = writer_open(test);
    const char *const puts[][2] = {{"a", "a1"}, {"b", "b1"}, {"a", "a2"}, {"c", "c1"}, {"b", NULL}};
    for (size_t i = 0; i < sizeof(puts) / sizeof(puts[0]); i++) {
        assert_int_equal(put_in(writer, "snapshots", 0, puts[i][0], puts[i][1]).code, BASE_OK);
        assert_int_equal(commit(writer), BASE_OK);
    }
    assert_int_equal(log_housekeep(test->store, NULL, NULL).code, BASE_OK);
    assert_string_equal(seen_in(test, "snapshots", 1, text, sizeof(text)), "0:a2 0:c1 0:");
    test->now_ms += INT64_C(25) * 3600 * 1000;
    assert_int_equal(log_housekeep(test->store, NULL, NULL).code, BASE_OK);
    assert_string_equal(seen_in(test, "snapshots", 1, text, sizeof(text)), "0:a2 0:c1");
    log_writer_close(writer);
}

static void test_log_memory__one_name_is_one_log_until_all_have_closed_it(void **state)
{
    fixture *test = *state;
    log_store *same = NULL;
    log_store *other = NULL;
    int32_t count = 0;
    assert_int_equal(log_open(base_slice_of("memory:test"), NULL, 0, &same, NULL).code, BASE_OK);
    assert_int_equal(log_open(base_slice_of("memory:other"), NULL, 0, &other, NULL).code, BASE_OK);
    assert_int_equal(log_topic_partitions(same, test->orders, &count, NULL).code, BASE_OK);
    assert_int_equal(log_topic_partitions(other, test->orders, &count, NULL).code, BASE_NOT_FOUND);
    log_close(same);
    log_close(other);
}

static void test_log_memory__one_claims_it_the_next_is_told_by_whom(void **state)
{
    fixture *test = *state;
    log_store *second = NULL;
    base_error error;
    base_error_clear(&error);
    assert_int_equal(log_open(base_slice_of("memory:test"), NULL, 0, &second, NULL).code, BASE_OK);
    assert_int_equal(log_claim_exclusive(test->store, base_slice_of("engine 1"), NULL).code,
                     BASE_OK);
    assert_int_equal(log_claim_exclusive(test->store, base_slice_of("engine 1"), NULL).code,
                     BASE_OK);
    assert_int_equal(log_claim_exclusive(second, base_slice_of("engine 2"), &error).code,
                     BASE_BUSY);
    assert_non_null(strstr(error.text, "engine 1"));
    log_close(second);
}

/* ---- threads (for tsan) ---- */

#define THREADS 4
#define COMMITS 200

static void *write_many(void *context)
{
    char identity[32];
    log_store *store = context;
    (void)snprintf(identity, sizeof(identity), "w%p", (void *)&identity);
    const log_writer_options options = {.identity = base_slice_of(identity)};
    log_writer *writer = NULL;
    assert_int_equal(log_writer_open(store, &options, &writer, NULL).code, BASE_OK);
    for (int i = 0; i < COMMITS; i++) {
        put(writer, i % 2, "v");
        assert_int_equal(commit(writer), BASE_OK);
    }
    log_writer_close(writer);
    return NULL;
}

static void test_log_memory__many_threads_write_and_one_reads_all(void **state)
{
    fixture *test = *state;
    pthread_t threads[THREADS];
    log_reader *reader = NULL;
    size_t total = 0;
    log_memory_set_clock(test->store, NULL, NULL);
    assert_int_equal(log_reader_open(test->store, &reader, NULL).code, BASE_OK);
    for (int32_t i = 0; i < 2; i++) {
        assert_int_equal(log_reader_assign(reader, test->orders, i, 0, NULL).code, BASE_OK);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, test->store), 0);
    }
    while (total < (size_t)THREADS * COMMITS) {
        const schema_record *found = NULL;
        size_t count = 0;
        assert_int_equal(log_reader_poll(reader, 10000, 100, &found, &count, NULL).code, BASE_OK);
        assert_true(count > 0);
        total += count;
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(total, THREADS * COMMITS);
    log_reader_close(reader);
}

#define CASE(name) cmocka_unit_test_setup_teardown(test_log_memory__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_aborted_commit_writes_nothing_and_the_writer_goes_on),
        CASE(a_commit_of_unknown_outcome_may_have_been_applied),
        CASE(a_commit_that_stays_open_holds_readers_up_until_the_successor),
        CASE(a_late_commit_is_applied_unless_a_successor_came_first),
        CASE(a_zombies_records_come_behind_its_successors),
        CASE(a_commit_can_be_written_twice_or_torn),
        CASE(a_fault_waits_for_its_identity),
        CASE(an_unreachable_log_aborts_and_keeps_sessions),
        CASE(an_open_transaction_is_aborted_and_fenced_after_its_time),
        CASE(virtual_time_decides_sessions_and_record_times),
        CASE(a_fenced_identity_and_an_expelled_member_commit_nothing),
        CASE(a_truncated_partition_has_lost_positions_on_both_sides),
        CASE(retention_cuts_by_age_and_by_size),
        CASE(compaction_keeps_the_newest_of_a_key_and_drops_old_tombstones),
        CASE(one_name_is_one_log_until_all_have_closed_it),
        CASE(one_claims_it_the_next_is_told_by_whom),
        CASE(many_threads_write_and_one_reads_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
