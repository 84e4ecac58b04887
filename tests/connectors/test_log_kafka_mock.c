/*
 * The Kafka backend against errors that a real broker gives only on bad days: librdkafka's mock
 * cluster answers as it is told. It keeps no transactions, so nothing here says anything about
 * atomicity or fencing; that is for the real broker (test_log_kafka.c, tests/conformance). What is
 * shown is which answer leads to which status, and that the writer can go on where log.h says that
 * it can.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LIBRDKAFKA_TYPECHECKS 0
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "connectors/log.h"

#define TIMEOUT_MS 20000

/* Kafka's numbers of requests. */
enum {
    REQUEST_PRODUCE = 0,
    REQUEST_HEARTBEAT = 12,
    REQUEST_INIT_PRODUCER_ID = 22,
    REQUEST_ADD_PARTITIONS = 24,
    REQUEST_ADD_OFFSETS = 25,
    REQUEST_END_TXN = 26,
    REQUEST_TXN_OFFSET_COMMIT = 28
};

typedef struct fixture {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *cluster;
    log_store *store;
    base_error error;
} fixture;

static const base_slice topic = BASE_SLICE_LITERAL("orders");

static void fine(base_status status, const base_error *error, const char *what, int line)
{
    if (base_failed(status)) {
        fail_msg("line %d: %s: %s: %s", line, what, base_status_name(status), error->text);
    }
}

static void ends(base_code code, base_status status, const base_error *error, const char *what,
                 int line)
{
    if (status.code != code || error->code != code) {
        fail_msg("line %d: %s: %s: %s", line, what, base_status_name(status), error->text);
    }
}

/* The call succeeds / ends with the code and says why. */
#define FINE(call) (base_error_clear(&f->error), fine((call), &f->error, #call, __LINE__))
#define ENDS(code, call)                                                                           \
    (base_error_clear(&f->error), ends((code), (call), &f->error, #call, __LINE__))

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void report(void *context, int level, const char *text)
{
    (void)context;
    if (getenv("TEST_VERBOSE") != NULL) {
        fprintf(stderr, "[%d] %s\n", level, text);
    }
}

/* One cluster for all tests; what a test injects it uses up. */
static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", text, sizeof(text));
    f->owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(f->owner);
    f->cluster = rd_kafka_mock_cluster_new(f->owner, 1);
    assert_non_null(f->cluster);
    assert_int_equal(rd_kafka_mock_topic_create(f->cluster, topic.data, 2, 1), 0);
    char url[256];
    snprintf(url, sizeof(url), "kafka://%s", rd_kafka_mock_cluster_bootstraps(f->cluster));
    const log_open_options options = {.client = base_slice_of("mock"), .report = report};
    FINE(log_open(base_slice_of(url), &options, TIMEOUT_MS, &f->store, &f->error));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    log_close(f->store);
    rd_kafka_mock_cluster_destroy(f->cluster);
    rd_kafka_destroy(f->owner);
    free(f);
    return 0;
}

static log_writer *writer_open(fixture *f)
{
    const log_writer_options options = {.identity = base_slice_of("writer"),
                                        .transaction_timeout_ms = 3000};
    log_writer *writer = NULL;
    FINE(log_writer_open(f->store, &options, &writer, &f->error));
    return writer;
}

static base_status append(fixture *f, log_writer *writer)
{
    const schema_record record = {
        .topic = topic, .partition = 0, .key = base_slice_of("k"), .value = base_slice_of("v")};
    return log_writer_append(writer, &record, &f->error);
}

static base_status commit(fixture *f, log_writer *writer, size_t *refused_out)
{
    return log_writer_commit(writer, NULL, NULL, 0, NULL, refused_out, &f->error);
}

/* The writer takes and commits another transaction. */
static void writer_works(fixture *f, log_writer *writer)
{
    FINE(append(f, writer));
    FINE(commit(f, writer, NULL));
}

/* The same after a refused record: librdkafka gets a new epoch then, which may cost the transaction
 * that follows. */
static void writer_recovers(fixture *f, log_writer *writer)
{
    FINE(append(f, writer));
    base_error_clear(&f->error);
    const base_status status = commit(f, writer, NULL);
    if (base_failed(status)) {
        assert_int_equal(status.code, BASE_ABORTED);
    }
    writer_works(f, writer);
}

/* Only close is left of this writer, and a new one works. */
static void writer_dead(fixture *f, log_writer *writer, base_code code)
{
    ENDS(code, append(f, writer));
    ENDS(code, commit(f, writer, NULL));
    log_writer_close(writer);
    writer = writer_open(f);
    writer_works(f, writer);
    log_writer_close(writer);
}

#define INJECT(request, count, ...)                                                                \
    rd_kafka_mock_push_request_errors(f->cluster, (request), (count), __VA_ARGS__)

/* ---- the end of a transaction ---- */

static void test_log_kafka_mock__a_coordinator_that_loads_or_moves_is_asked_again(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    FINE(append(f, writer));
    INJECT(REQUEST_END_TXN, 4, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
           RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
           RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
    FINE(commit(f, writer, NULL));
    INJECT(REQUEST_ADD_PARTITIONS, 3, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
           RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    writer_works(f, writer);
    log_writer_close(writer);
}

static void test_log_kafka_mock__a_fenced_commit_is_fenced(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    FINE(append(f, writer));
    INJECT(REQUEST_END_TXN, 1, RD_KAFKA_RESP_ERR_PRODUCER_FENCED);
    ENDS(BASE_FENCED, commit(f, writer, NULL));
    writer_dead(f, writer, BASE_FENCED);
}

static void test_log_kafka_mock__a_commit_without_an_answer_has_an_unknown_outcome(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    FINE(append(f, writer));
    usleep(300000); /* the record is written; what is left of the commit is its end */
    rd_kafka_mock_broker_set_rtt(f->cluster, 1, 60000);
    const int64_t start = now_ms();
    ENDS(BASE_OUTCOME_UNKNOWN, commit(f, writer, NULL));
    assert_true(now_ms() - start < 15000);
    rd_kafka_mock_broker_set_rtt(f->cluster, 1, 0);
    writer_dead(f, writer, BASE_OUTCOME_UNKNOWN);
}

/* KAFKA-17754: the first EndTxn may still be on its way when the second has succeeded, and would
 * end the next transaction. */
static void
test_log_kafka_mock__a_writer_that_repeated_its_commit_begins_no_other_transaction(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    FINE(append(f, writer));
    INJECT(REQUEST_END_TXN, 1, RD_KAFKA_RESP_ERR__TRANSPORT);
    FINE(commit(f, writer, NULL));
    writer_dead(f, writer, BASE_OUTCOME_UNKNOWN);
}

static void
test_log_kafka_mock__an_unexpected_refusal_of_the_commit_has_an_unknown_outcome(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    FINE(append(f, writer));
    INJECT(REQUEST_END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    ENDS(BASE_OUTCOME_UNKNOWN, commit(f, writer, NULL));
    writer_dead(f, writer, BASE_OUTCOME_UNKNOWN);
}

/* ---- records ---- */

static void test_log_kafka_mock__a_record_that_the_broker_finds_too_large_is_named(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    FINE(append(f, writer));
    INJECT(REQUEST_PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    size_t refused = SIZE_MAX;
    ENDS(BASE_TOO_LARGE, commit(f, writer, &refused));
    assert_int_equal(refused, 0);
    writer_recovers(f, writer);
    log_writer_close(writer);
}

static void test_log_kafka_mock__a_partition_that_may_not_be_written_is_named(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    for (int round = 0; round < 2; round++) {
        FINE(append(f, writer));
        INJECT(round == 0 ? REQUEST_ADD_PARTITIONS : REQUEST_PRODUCE, 1,
               RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
        size_t refused = SIZE_MAX;
        ENDS(BASE_REFUSED, commit(f, writer, &refused));
        assert_int_equal(refused, 0);
        assert_non_null(strstr(f->error.text, "orders"));
        writer_recovers(f, writer);
    }
    log_writer_close(writer);
}

static void test_log_kafka_mock__a_leader_that_moved_is_looked_for(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    FINE(append(f, writer));
    INJECT(REQUEST_PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
           RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    FINE(commit(f, writer, NULL));
    log_writer_close(writer);
}

static void test_log_kafka_mock__a_lost_sequence_ends_the_writer(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    writer_works(f, writer);
    FINE(append(f, writer));
    INJECT(REQUEST_PRODUCE, 1, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    base_error_clear(&f->error);
    const base_status status = commit(f, writer, NULL);
    /* Which of the two it is depends on librdkafka's version. Neither is a success, and after
     * neither is it in doubt how to go on. */
    assert_true(status.code == BASE_OUTCOME_UNKNOWN || status.code == BASE_ABORTED);
    log_writer_close(writer);
    writer = writer_open(f);
    writer_works(f, writer);
    log_writer_close(writer);
}

static void test_log_kafka_mock__a_broker_that_is_gone_writes_nothing_and_comes_back(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    writer_works(f, writer);
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    FINE(append(f, writer));
    base_error_clear(&f->error);
    const int64_t start = now_ms();
    const base_status status = commit(f, writer, NULL);
    assert_true(status.code == BASE_UNREACHABLE || status.code == BASE_OUTCOME_UNKNOWN);
    assert_true(now_ms() - start < 30000);
    rd_kafka_mock_broker_set_up(f->cluster, 1);
    if (status.code == BASE_UNREACHABLE) {
        writer_works(f, writer);
    }
    log_writer_close(writer);
    writer = writer_open(f);
    writer_works(f, writer);
    log_writer_close(writer);
}

static void test_log_kafka_mock__an_identity_that_may_not_be_used_is_refused(void **state)
{
    fixture *f = *state;
    INJECT(REQUEST_INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    const log_writer_options options = {.identity = base_slice_of("writer")};
    log_writer *writer = NULL;
    ENDS(BASE_REFUSED, log_writer_open(f->store, &options, &writer, &f->error));
    assert_null(writer);
}

static void test_log_kafka_mock__a_transaction_that_is_being_decided_is_waited_for(void **state)
{
    fixture *f = *state;
    INJECT(REQUEST_INIT_PRODUCER_ID, 3, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
           RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
           RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    log_writer *writer = writer_open(f);
    writer_works(f, writer);
    log_writer_close(writer);
}

/* ---- members and positions ---- */

static log_member *member_join(fixture *f)
{
    const log_member_options options = {.group = base_slice_of("group"),
                                        .topics = &topic,
                                        .topic_count = 1,
                                        .session_timeout_ms = 3000};
    log_member *member = NULL;
    FINE(log_member_open(f->store, &options, &member, &f->error));
    return member;
}

static log_member_event member_event(fixture *f, log_member *member)
{
    log_member_event event = {0};
    const int64_t deadline = now_ms() + TIMEOUT_MS;
    while (event.kind == LOG_MEMBER_NOTHING && now_ms() < deadline) {
        FINE(log_member_poll(member, 100, &event, &f->error));
    }
    return event;
}

static void test_log_kafka_mock__positions_of_an_expelled_member_are_revoked(void **state)
{
    fixture *f = *state;
    static const rd_kafka_resp_err_t refusals[] = {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
                                                   RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
                                                   RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID};
    log_member *member = member_join(f);
    log_member_event event = member_event(f, member);
    assert_int_equal(event.kind, LOG_MEMBER_ASSIGNED);
    assert_int_equal(event.partition_count, 2);
    log_writer *writer = writer_open(f);
    const log_position position = {topic, 1, 7};
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        FINE(append(f, writer));
        INJECT(REQUEST_TXN_OFFSET_COMMIT, 1, refusals[i]);
        ENDS(BASE_REVOKED, log_writer_commit(writer, member, &position, 1, NULL, NULL, &f->error));
        FINE(append(f, writer));
        FINE(log_writer_commit(writer, member, &position, 1, NULL, NULL, &f->error));
    }
    INJECT(REQUEST_ADD_OFFSETS, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    ENDS(BASE_REFUSED, log_writer_commit(writer, member, &position, 1, NULL, NULL, &f->error));
    INJECT(REQUEST_TXN_OFFSET_COMMIT, 2, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
           RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    FINE(log_writer_commit(writer, member, &position, 1, NULL, NULL, &f->error));
    log_writer_close(writer);
    log_member_close(member, true);
}

static void
test_log_kafka_mock__a_member_that_the_group_forgot_has_lost_its_partitions(void **state)
{
    fixture *f = *state;
    log_member *member = member_join(f);
    log_member_event event = member_event(f, member);
    assert_int_equal(event.kind, LOG_MEMBER_ASSIGNED);
    INJECT(REQUEST_HEARTBEAT, 1, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    event = member_event(f, member);
    assert_int_equal(event.kind, LOG_MEMBER_LOST);
    assert_int_equal(event.partition_count, 2);
    /* What it had it can commit no more, released or not. */
    log_writer *writer = writer_open(f);
    const log_position position = {topic, 0, 1};
    ENDS(BASE_REVOKED, log_writer_commit(writer, member, &position, 1, NULL, NULL, &f->error));
    FINE(log_member_release(member, &f->error));
    ENDS(BASE_REVOKED, log_writer_commit(writer, member, &position, 1, NULL, NULL, &f->error));
    event = member_event(f, member);
    assert_int_equal(event.kind, LOG_MEMBER_ASSIGNED);
    FINE(log_writer_commit(writer, member, &position, 1, NULL, NULL, &f->error));
    log_writer_close(writer);
    log_member_close(member, true);
}

/* ---- reading ---- */

static void test_log_kafka_mock__a_reader_says_that_nobody_answers_and_goes_on(void **state)
{
    fixture *f = *state;
    log_writer *writer = writer_open(f);
    writer_works(f, writer);
    log_reader *reader = NULL;
    const schema_record *records = NULL;
    size_t count = 0;
    FINE(log_reader_open(f->store, &reader, &f->error));
    FINE(log_reader_assign(reader, topic, 0, LOG_OFFSET_BEGIN, &f->error));
    int64_t deadline = now_ms() + TIMEOUT_MS;
    while (count == 0 && now_ms() < deadline) {
        FINE(log_reader_poll(reader, 500, 10, &records, &count, &f->error));
    }
    assert_true(count >= 1); /* the mock cluster shows aborted and repeated records, too */
    int64_t before = -1;
    assert_false(base_failed(log_reader_position(reader, topic, 0, &before)));
    rd_kafka_mock_broker_set_down(f->cluster, 1);
    base_status status = base_ok();
    deadline = now_ms() + TIMEOUT_MS;
    while (!base_failed(status) && now_ms() < deadline) {
        base_error_clear(&f->error);
        status = log_reader_poll(reader, 200, 10, &records, &count, &f->error);
    }
    assert_int_equal(status.code, BASE_UNREACHABLE);
    int64_t after = -1;
    assert_false(base_failed(log_reader_position(reader, topic, 0, &after)));
    assert_int_equal(before, after);
    rd_kafka_mock_broker_set_up(f->cluster, 1);
    log_writer_close(writer);
    writer = writer_open(f);
    writer_works(f, writer);
    count = 0;
    deadline = now_ms() + TIMEOUT_MS;
    while (count == 0 && now_ms() < deadline) {
        base_error_clear(&f->error);
        status = log_reader_poll(reader, 500, 10, &records, &count, &f->error);
        assert_true(!base_failed(status) || status.code == BASE_UNREACHABLE);
    }
    assert_true(count >= 1); /* the mock cluster shows aborted and repeated records, too */
    log_reader_close(reader);
    log_writer_close(writer);
}

#define CASE(name) cmocka_unit_test(test_log_kafka_mock__##name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_reader_says_that_nobody_answers_and_goes_on),
        CASE(a_coordinator_that_loads_or_moves_is_asked_again),
        CASE(a_fenced_commit_is_fenced),
        CASE(a_commit_without_an_answer_has_an_unknown_outcome),
        CASE(a_writer_that_repeated_its_commit_begins_no_other_transaction),
        CASE(an_unexpected_refusal_of_the_commit_has_an_unknown_outcome),
        CASE(a_record_that_the_broker_finds_too_large_is_named),
        CASE(a_partition_that_may_not_be_written_is_named),
        CASE(a_leader_that_moved_is_looked_for),
        CASE(a_lost_sequence_ends_the_writer),
        CASE(a_broker_that_is_gone_writes_nothing_and_comes_back),
        CASE(an_identity_that_may_not_be_used_is_refused),
        CASE(a_transaction_that_is_being_decided_is_waited_for),
        CASE(positions_of_an_expelled_member_are_revoked),
        CASE(a_member_that_the_group_forgot_has_lost_its_partitions),
    };
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, setup, teardown);
}
