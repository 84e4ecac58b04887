/* Who has which partition, and positions that commit with records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/conformance/conformance.h"

#define PARTITIONS 4
#define SESSION_MS 6000 /* the least that a broker takes */

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

/* Follows one member until it has count partitions. */
static void follow_until(const conformance *test, log_member *member, conformance_share *share,
                         size_t count)
{
    const int64_t until_ms = now_ms() + test->patience_ms;
    while (share->count != count) {
        conformance_follow(member, share, 100);
        if (now_ms() > until_ms) {
            fail_msg("the member has %zu partitions instead of %zu", share->count, count);
        }
    }
}

/* Follows two members, in turns, until they have so many; no partition is ever with both. */
static void follow_two(const conformance *test, log_member *a, conformance_share *share_a,
                       size_t count_a, log_member *b, conformance_share *share_b, size_t count_b)
{
    const int64_t until_ms = now_ms() + test->patience_ms;
    while (share_a->count != count_a || share_b->count != count_b) {
        conformance_follow(a, share_a, 50);
        conformance_follow(b, share_b, 50);
        for (size_t i = 0; i < PARTITIONS; i++) {
            assert_false(share_a->has[i] && share_b->has[i]);
        }
        if (now_ms() > until_ms) {
            fail_msg("the members have %zu and %zu partitions instead of %zu and %zu",
                     share_a->count, share_b->count, count_a, count_b);
        }
    }
}

static int64_t position_of(log_member *member, base_slice topic, int32_t partition)
{
    int64_t offset = -1;
    const base_status status = log_member_position(member, topic, partition, &offset, NULL);
    assert_true(!base_failed(status) || status.code == BASE_NOT_FOUND);
    return base_failed(status) ? -1 : offset;
}

static void test_conformance__one_member_gets_all_partitions(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", PARTITIONS);
    log_member *member =
        conformance_member(test, conformance_name(test, "group"), NULL, topic, SESSION_MS);
    conformance_share share = {.count = 0};
    follow_until(test, member, &share, PARTITIONS);
    log_member_close(member, true);
}

static void test_conformance__two_members_share_by_range_and_who_leaves_gives_back(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", PARTITIONS);
    const base_slice group = conformance_name(test, "group");
    conformance_share share_a = {.count = 0};
    conformance_share share_b = {.count = 0};
    log_member *a = conformance_member(test, group, "a", topic, SESSION_MS);
    follow_until(test, a, &share_a, PARTITIONS);
    log_member *b = conformance_member(test, group, "b", topic, SESSION_MS);
    follow_two(test, a, &share_a, 2, b, &share_b, 2);
    assert_true(share_a.has[0] == share_a.has[1]); /* ranges, not turns */
    assert_true(share_b.has[2] == share_b.has[3]);
    log_member_close(b, true);
    follow_until(test, a, &share_a, PARTITIONS);
    assert_false(share_a.lost);
    log_member_close(a, true);
}

static void test_conformance__topics_of_equal_counts_are_divided_alike(void **state)
{
    conformance *test = *state;
    const base_slice topics[2] = {conformance_topic(test, "orders", 3),
                                  conformance_topic(test, "events", 3)};
    const log_member_options options = {.group = conformance_name(test, "group"),
                                        .topics = topics,
                                        .topic_count = 2,
                                        .session_timeout_ms = SESSION_MS};
    log_member *members[2] = {NULL, NULL};
    bool has[2][2][3] = {{{false}}}; /* member, topic, partition */
    size_t count = 0;
    FINE(log_member_open(test->store, &options, &members[0], error));
    FINE(log_member_open(test->store, &options, &members[1], error));
    int64_t settled_ms = now_ms();
    const int64_t until_ms = now_ms() + test->patience_ms;
    while ((count < 6 || now_ms() - settled_ms < 1500) && now_ms() < until_ms) {
        for (size_t m = 0; m < 2; m++) {
            log_member_event event = {LOG_MEMBER_NOTHING, NULL, 0};
            FINE(log_member_poll(members[m], 50, &event, error));
            for (size_t i = 0; i < event.partition_count; i++) {
                const size_t t = base_slice_equal(event.partitions[i].topic, topics[0]) ? 0 : 1;
                has[m][t][event.partitions[i].partition] = event.kind == LOG_MEMBER_ASSIGNED;
                count += event.kind == LOG_MEMBER_ASSIGNED ? 1 : (size_t)-1;
                settled_ms = now_ms();
            }
            if (event.kind == LOG_MEMBER_REVOKED || event.kind == LOG_MEMBER_LOST) {
                FINE(log_member_release(members[m], error));
            }
        }
    }
    assert_int_equal(count, 6);
    for (size_t i = 0; i < 3; i++) {
        assert_true(has[0][0][i] != has[1][0][i]);
        assert_true(has[0][0][i] == has[0][1][i]);
    }
    log_member_close(members[0], true);
    log_member_close(members[1], true);
}

static void test_conformance__a_static_member_that_restarts_finds_what_it_had(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", PARTITIONS);
    const base_slice group = conformance_name(test, "group");
    conformance_share share_a = {.count = 0};
    conformance_share share_b = {.count = 0};
    log_member *a = conformance_member(test, group, "a", topic, 3 * SESSION_MS);
    log_member *b = conformance_member(test, group, "b", topic, 3 * SESSION_MS);
    follow_two(test, a, &share_a, 2, b, &share_b, 2);
    const conformance_share before = share_b;
    log_member_close(b, false);
    const int64_t until_ms = now_ms() + 1000;
    while (now_ms() < until_ms) {
        conformance_follow(a, &share_a, 50);
    }
    assert_int_equal(share_a.count, 2); /* nothing moved */
    b = conformance_member(test, group, "b", topic, 3 * SESSION_MS);
    share_b = (conformance_share){.count = 0};
    follow_two(test, a, &share_a, 2, b, &share_b, 2);
    assert_memory_equal(before.has, share_b.has, sizeof(before.has));
    log_member_close(a, true);
    log_member_close(b, true);
}

static void test_conformance__the_same_static_identity_fences_the_earlier_member(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", PARTITIONS);
    const base_slice group = conformance_name(test, "group");
    conformance_share share = {.count = 0};
    log_member *old = conformance_member(test, group, "a", topic, SESSION_MS);
    follow_until(test, old, &share, PARTITIONS);
    log_member *new = conformance_member(test, group, "a", topic, SESSION_MS);
    conformance_share share_new = {.count = 0};
    follow_until(test, new, &share_new, PARTITIONS);
    base_status status = base_ok();
    const int64_t until_ms = now_ms() + test->patience_ms;
    while (!base_failed(status) && now_ms() < until_ms) {
        log_member_event event;
        status = log_member_poll(old, 100, &event, NULL);
    }
    assert_int_equal(status.code, BASE_FENCED);
    log_member_close(old, false);
    log_member_close(new, true);
}

static void test_conformance__records_and_positions_commit_together(void **state)
{
    conformance *test = *state;
    const base_slice orders = conformance_topic(test, "orders", 1);
    const base_slice events = conformance_topic(test, "events", 1);
    log_member *member =
        conformance_member(test, conformance_name(test, "group"), NULL, orders, SESSION_MS);
    conformance_share share = {.count = 0};
    follow_until(test, member, &share, 1);
    log_writer *writer = conformance_writer(test, "writer");
    const log_position position = {orders, 0, 7};
    const log_position source = {events, 0, 3}; /* of a topic that the group does not divide */
    const log_position both[2] = {{orders, 0, 8}, source};
    int64_t offset = 0;
    ENDS(BASE_NOT_FOUND, log_member_position(member, orders, 0, &offset, error));
    conformance_put(writer, events, 0, "k", "with position 7");
    FINE(log_writer_commit(writer, member, &position, 1, NULL, NULL, error));
    assert_int_equal(position_of(member, orders, 0), 7);
    FINE(log_writer_commit(writer, member, both, 2, NULL, NULL, error)); /* positions alone */
    assert_int_equal(position_of(member, orders, 0), 8);
    assert_int_equal(position_of(member, events, 0), 3);
    log_reader *reader = conformance_reader_of(test, events, 1);
    conformance_read(test, reader, 1, &records);
    conformance_silent(test, reader);
    conformance_forget(&records);
    log_reader_close(reader);
    log_writer_close(writer);
    log_member_close(member, true);
}

static void test_conformance__a_fenced_writers_positions_are_not_written(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    log_member *member =
        conformance_member(test, conformance_name(test, "group"), NULL, topic, SESSION_MS);
    conformance_share share = {.count = 0};
    follow_until(test, member, &share, 1);
    log_writer *zombie = conformance_writer(test, "engine");
    log_writer *writer = conformance_writer(test, "engine");
    const log_position right = {topic, 0, 5};
    const log_position wrong = {topic, 0, 99};
    FINE(log_writer_commit(writer, member, &right, 1, NULL, NULL, error));
    ENDS(BASE_FENCED, log_writer_commit(zombie, member, &wrong, 1, NULL, NULL, error));
    assert_int_equal(position_of(member, topic, 0), 5);
    log_writer_close(zombie);
    log_writer_close(writer);
    log_member_close(member, true);
}

/* The commit of a member that is a member no more ends with REVOKED or FENCED and writes nothing.
 */
static void zombie_writes_nothing(conformance *test, log_writer *writer, log_member *zombie,
                                  log_member *judge, base_slice orders, base_slice events)
{
    const log_position wrong = {orders, 0, 99};
    conformance_put(writer, events, 0, "k", "zombie");
    const base_status status = log_writer_commit(writer, zombie, &wrong, 1, NULL, NULL, NULL);
    if (status.code != BASE_REVOKED && status.code != BASE_FENCED) {
        fail_msg("the zombie's commit ended with %s", base_status_name(status));
    }
    assert_int_equal(position_of(judge, orders, 0), -1);
    /* Nor with the position of a topic that the group does not divide. */
    const log_position source = {events, 0, 99};
    const base_status again = log_writer_commit(writer, zombie, &source, 1, NULL, NULL, NULL);
    assert_true(again.code == BASE_REVOKED || again.code == BASE_FENCED);
    assert_int_equal(position_of(judge, events, 0), -1);
    log_reader *reader = conformance_reader_of(test, events, 1);
    conformance_silent(test, reader);
    log_reader_close(reader);
}

static void test_conformance__a_replaced_member_commits_nothing(void **state)
{
    conformance *test = *state;
    const base_slice orders = conformance_topic(test, "orders", 1);
    const base_slice events = conformance_topic(test, "events", 1);
    const base_slice group = conformance_name(test, "group");
    conformance_share share = {.count = 0};
    log_member *old = conformance_member(test, group, "a", orders, SESSION_MS);
    follow_until(test, old, &share, 1);
    log_member *new = conformance_member(test, group, "a", orders, SESSION_MS);
    conformance_share share_new = {.count = 0};
    follow_until(test, new, &share_new, 1);
    log_writer *writer = conformance_writer(test, "engine");
    zombie_writes_nothing(test, writer, old, new, orders, events);
    log_writer_close(writer);
    log_member_close(old, false);
    log_member_close(new, true);
}

/* A library that keeps a session alive in the background cannot be made to miss it from here: such
 * a member is expelled in the backend's own tests. */
static void test_conformance__a_silent_member_loses_its_partitions_and_commits_nothing(void **state)
{
    conformance *test = *state;
    /* A broker takes no sessions as short as ours. */
    const int32_t session_ms = test->kind == CONFORMANCE_KAFKA ? 1000 : 300;
    const base_slice orders = conformance_topic(test, "orders", PARTITIONS);
    const base_slice events = conformance_topic(test, "events", 1);
    const base_slice group = conformance_name(test, "group");
    conformance_share share_a = {.count = 0};
    conformance_share share_b = {.count = 0};
    log_member *a = conformance_member(test, group, NULL, orders, session_ms);
    follow_until(test, a, &share_a, PARTITIONS);
    log_member *b = conformance_member(test, group, NULL, orders, session_ms);
    follow_until(test, b, &share_b, PARTITIONS); /* a says nothing any more */
    log_writer *writer = conformance_writer(test, "engine");
    zombie_writes_nothing(test, writer, a, b, orders, events);
    log_writer_close(writer);
    log_member_event event = {LOG_MEMBER_NOTHING, NULL, 0};
    FINE(log_member_poll(a, 100, &event, error));
    assert_int_equal(event.kind, LOG_MEMBER_LOST);
    assert_int_equal(event.partition_count, PARTITIONS);
    FINE(log_member_poll(a, 10, &event, error)); /* told once */
    assert_int_equal(event.kind, LOG_MEMBER_NOTHING);
    FINE(log_member_release(a, error));
    share_a = (conformance_share){.count = 0}; /* and it is back in */
    follow_two(test, a, &share_a, 2, b, &share_b, 2);
    log_member_close(a, true);
    log_member_close(b, true);
}

static void test_conformance__a_partition_is_not_given_on_before_it_is_released(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", PARTITIONS);
    const base_slice events = conformance_topic(test, "events", 1);
    const base_slice group = conformance_name(test, "group");
    conformance_share share_a = {.count = 0};
    conformance_share share_b = {.count = 0};
    log_member *a = conformance_member(test, group, NULL, topic, SESSION_MS);
    follow_until(test, a, &share_a, PARTITIONS);
    log_member *b = conformance_member(test, group, NULL, topic, SESSION_MS);
    log_member_event event = {LOG_MEMBER_NOTHING, NULL, 0};
    const int64_t until_ms = now_ms() + test->patience_ms;
    while (event.kind == LOG_MEMBER_NOTHING && now_ms() < until_ms) {
        FINE(log_member_poll(a, 50, &event, error));
        conformance_follow(b, &share_b, 10);
    }
    assert_int_equal(event.kind, LOG_MEMBER_REVOKED);
    assert_true(event.partition_count > 0);
    const log_position last = {topic, event.partitions[0].partition, 42};
    for (int i = 0; i < 5; i++) {
        log_member_event nothing;
        conformance_follow(b, &share_b, 50);
        FINE(log_member_poll(a, 10, &nothing, error));
        assert_int_equal(nothing.kind, LOG_MEMBER_NOTHING);
    }
    assert_int_equal(share_b.count, 0);
    /* What is being given back may be finished still. */
    log_writer *writer = conformance_writer(test, "engine");
    conformance_put(writer, events, 0, "k", "finished");
    FINE(log_writer_commit(writer, a, &last, 1, NULL, NULL, error));
    FINE(log_member_release(a, error));
    /* Kafka gives everything back and divides anew; others give back what moves. */
    share_a = (conformance_share){.count = 0};
    const int64_t settle_ms = now_ms() + test->patience_ms;
    while (share_b.count < 2 && now_ms() < settle_ms) {
        log_member_event ignored;
        FINE(log_member_poll(a, 20, &ignored, error));
        if (ignored.kind == LOG_MEMBER_REVOKED || ignored.kind == LOG_MEMBER_LOST) {
            FINE(log_member_release(a, error));
        }
        conformance_follow(b, &share_b, 20);
    }
    assert_true(share_b.count >= 2);
    assert_int_equal(position_of(b, topic, last.partition), 42);
    log_writer_close(writer);
    log_member_close(a, true);
    log_member_close(b, true);
}

static void test_conformance__a_member_commits_no_position_of_anothers_partition(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", PARTITIONS);
    const base_slice events = conformance_topic(test, "events", 1);
    const base_slice group = conformance_name(test, "group");
    conformance_share share_a = {.count = 0};
    conformance_share share_b = {.count = 0};
    log_member *a = conformance_member(test, group, "a", topic, SESSION_MS);
    log_member *b = conformance_member(test, group, "b", topic, SESSION_MS);
    follow_two(test, a, &share_a, 2, b, &share_b, 2);
    log_writer *writer = conformance_writer(test, "engine");
    const log_position theirs = {topic, share_b.has[0] ? 0 : 3, 9};
    conformance_put(writer, events, 0, "k", "not mine");
    ENDS(BASE_REVOKED, log_writer_commit(writer, a, &theirs, 1, NULL, NULL, error));
    assert_int_equal(position_of(b, topic, theirs.partition), -1);
    log_reader *reader = conformance_reader_of(test, events, 1);
    conformance_silent(test, reader);
    log_reader_close(reader);
    log_writer_close(writer);
    log_member_close(a, true);
    log_member_close(b, true);
}

static void test_conformance__positions_outlive_the_members(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    const base_slice group = conformance_name(test, "group");
    conformance_share share = {.count = 0};
    log_member *first = conformance_member(test, group, NULL, topic, SESSION_MS);
    follow_until(test, first, &share, 1);
    log_writer *writer = conformance_writer(test, "engine");
    const log_position position = {topic, 0, 5};
    FINE(log_writer_commit(writer, first, &position, 1, NULL, NULL, error));
    log_writer_close(writer);
    log_member_close(first, true);
    share = (conformance_share){.count = 0};
    log_member *second = conformance_member(test, group, NULL, topic, SESSION_MS);
    follow_until(test, second, &share, 1);
    assert_int_equal(position_of(second, topic, 0), 5);
    log_member_close(second, true);
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_conformance__##name, setup, conformance_teardown)

int conformance_groups_run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_member_gets_all_partitions),
        CASE(two_members_share_by_range_and_who_leaves_gives_back),
        CASE(topics_of_equal_counts_are_divided_alike),
        CASE(a_static_member_that_restarts_finds_what_it_had),
        CASE(the_same_static_identity_fences_the_earlier_member),
        CASE(records_and_positions_commit_together),
        CASE(a_fenced_writers_positions_are_not_written),
        CASE(a_replaced_member_commits_nothing),
        CASE(a_silent_member_loses_its_partitions_and_commits_nothing),
        CASE(a_partition_is_not_given_on_before_it_is_released),
        CASE(a_member_commits_no_position_of_anothers_partition),
        CASE(positions_outlive_the_members),
    };
    return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
