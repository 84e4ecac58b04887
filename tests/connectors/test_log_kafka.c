/*
 * The Kafka backend on a real broker: what only Kafka has. What every log must do is in
 * tests/conformance.
 *
 * KAFKA_BOOTSTRAP names the broker (scripts/with-kafka); without it the test is skipped. The broker
 * is to allow what no ACL forbids (tests/kafka/server.properties).
 */
#include <inttypes.h>
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

#include "base/hash.h"
#include "connectors/log.h"

#define TIMEOUT_MS 20000

typedef struct fixture {
    log_store *store;
    char topic[64];
    base_error error;
} fixture;

static const char *bootstrap(void)
{
    return getenv("KAFKA_BOOTSTRAP");
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A name that no other test and no earlier run has. */
static const char *fresh_name(const char *what, char name[64])
{
    static unsigned count;
    snprintf(name, 64, "%s.%ld.%lx.%u", what, (long)getpid(), (unsigned long)time(NULL), count++);
    return name;
}

static void fine(base_status status, const base_error *error, const char *what, int line)
{
    if (base_failed(status)) {
        fail_msg("line %d: %s: %s: %s", line, what, base_status_name(status), error->text);
    }
}

static void ends(base_code code, base_status status, base_error *error, const char *what, int line)
{
    if (status.code != code || error->code != code) {
        fail_msg("line %d: %s: %s: %s", line, what, base_status_name(status), error->text);
    }
}

/* The call succeeds / ends with the code and says why. */
#define FINE(call, error) fine((call), (error), #call, __LINE__)
#define ENDS(code, call, error)                                                                    \
    (base_error_clear(error), ends((code), (call), (error), #call, __LINE__))

static void report_print(void *context, int level, const char *text)
{
    (void)context;
    if (getenv("TEST_VERBOSE") != NULL) {
        fprintf(stderr, "[%d] %s\n", level, text);
    }
}

static log_store *store_open(const char *addresses, const log_setting *settings,
                             size_t setting_count)
{
    char url[512];
    snprintf(url, sizeof(url), "kafka://%s", addresses);
    const log_open_options options = {.settings = settings,
                                      .setting_count = setting_count,
                                      .client = base_slice_of("test kafka"),
                                      .report = report_print};
    log_store *store = NULL;
    base_error error = {0};
    FINE(log_open(base_slice_of(url), &options, TIMEOUT_MS, &store, &error), &error);
    return store;
}

static void topic_create(log_store *store, const char *name, int32_t partitions,
                         log_cleanup cleanup)
{
    const log_topic_options topic = {.name = base_slice_of(name),
                                     .partition_count = partitions,
                                     .cleanup = cleanup,
                                     .retention_ms = -1,
                                     .retention_size = -1};
    base_error error = {0};
    FINE(log_topics_ensure(store, &topic, 1, TIMEOUT_MS, &error), &error);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    *state = f;
    if (bootstrap() == NULL) {
        return 0;
    }
    f->store = store_open(bootstrap(), NULL, 0);
    topic_create(f->store, fresh_name("test", f->topic), 2, LOG_CLEANUP_DELETE);
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    log_close(f->store);
    free(f);
    return 0;
}

static schema_record record_of(const char *topic, int32_t partition, const char *key,
                               const char *value)
{
    return (schema_record){.topic = base_slice_of(topic),
                           .partition = partition,
                           .key = base_slice_of(key),
                           .value = base_slice_of(value)};
}

static log_writer *writer_open(fixture *f, const char *identity)
{
    const log_writer_options options = {.identity = base_slice_of(identity)};
    log_writer *writer = NULL;
    FINE(log_writer_open(f->store, &options, &writer, &f->error), &f->error);
    return writer;
}

static void write_one(fixture *f, log_writer *writer, int32_t partition, const char *value)
{
    const schema_record record = record_of(f->topic, partition, "key", value);
    FINE(log_writer_append(writer, &record, &f->error), &f->error);
    FINE(log_writer_commit(writer, NULL, NULL, 0, NULL, NULL, &f->error), &f->error);
}

/* Polls until a record comes; its value is compared. */
static void read_one(fixture *f, log_reader *reader, const char *value)
{
    const int64_t deadline = now_ms() + TIMEOUT_MS;
    const schema_record *records = NULL;
    size_t count = 0;
    while (count == 0 && now_ms() < deadline) {
        FINE(log_reader_poll(reader, 1000, 1, &records, &count, &f->error), &f->error);
    }
    assert_int_equal(count, 1);
    if (!base_slice_is(records[0].value, value)) {
        fail_msg("read \"%.*s\", expected \"%s\"", BASE_SLICE_ARG(records[0].value), value);
    }
}

/* ---- opening ---- */

static void test_log_kafka__tells_where_nobody_answers(void **state)
{
    (void)state;
    base_error error = {0};
    log_store *store = NULL;
    const int64_t start = now_ms();
    ENDS(BASE_UNREACHABLE,
         log_open(base_slice_of("kafka://127.0.0.1:1"), NULL, 700, &store, &error), &error);
    assert_non_null(strstr(error.text, "127.0.0.1:1"));
    assert_true(now_ms() - start < 5000);
    assert_null(store);
}

static void test_log_kafka__refuses_addresses_that_are_none(void **state)
{
    (void)state;
    static const char *const urls[] = {"kafka://",      "kafka://a:b",   "kafka://a,,b",
                                       "kafka://a:1/x", "kafka:a:1",     "kafka://:9092",
                                       "kafka://a:1,",  "kafka://a b:1", "kafka://a:123456"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        base_error error = {0};
        log_store *store = NULL;
        ENDS(BASE_BAD_INPUT, log_open(base_slice_of(urls[i]), NULL, 100, &store, &error), &error);
    }
}

static void setting_refused(const char *name, const char *value, const char *text, const char *hint)
{
    const log_setting setting = {base_slice_of(name), base_slice_of(value)};
    const log_open_options options = {.settings = &setting, .setting_count = 1};
    base_error error = {0};
    log_store *store = NULL;
    ENDS(BASE_BAD_INPUT,
         log_open(base_slice_of("kafka://127.0.0.1:1"), &options, 100, &store, &error), &error);
    if (strstr(error.text, text) == NULL || strstr(error.hint, hint) == NULL) {
        fail_msg("%s (%s)", error.text, error.hint);
    }
}

static void test_log_kafka__refuses_settings_that_would_break_promises(void **state)
{
    (void)state;
    setting_refused("kafka.isolation.level", "read_uncommitted", "kafka.isolation.level", "");
    setting_refused("kafka.enable.auto.commit", "true", "kafka.enable.auto.commit", "");
    setting_refused("kafka.acks", "1", "exactly-once", "");
    setting_refused("kafka.securty.protocol", "SSL", "securty", "kafka.security.protocol");
    setting_refused("kafka.security.protocol", "SLL", "kafka.security.protocol", "");
    setting_refused("kafka.message.max.bytes", "12", "kafka.message.max.bytes", "");
}

/* ---- topics ---- */

static void test_log_kafka__names_the_topic_that_cannot_be_created(void **state)
{
    fixture *f = *state;
    if (f->store == NULL) {
        skip();
    }
    char name[64];
    const log_topic_options topic = {.name = base_slice_of(fresh_name("toowide", name)),
                                     .partition_count = 1,
                                     .replication = 99,
                                     .retention_ms = -1,
                                     .retention_size = -1};
    ENDS(BASE_REFUSED, log_topics_ensure(f->store, &topic, 1, TIMEOUT_MS, &f->error), &f->error);
    assert_non_null(strstr(f->error.text, name));
    assert_non_null(strstr(f->error.hint, "--create --topic"));
}

/* ---- reading what was just written ---- */

static void test_log_kafka__the_end_is_behind_what_was_just_committed(void **state)
{
    fixture *f = *state;
    if (f->store == NULL) {
        skip();
    }
    char identity[64];
    log_writer *writer = writer_open(f, fresh_name("w", identity));
    log_reader *reader = NULL;
    FINE(log_reader_open(f->store, &reader, &f->error), &f->error);
    FINE(log_reader_assign(reader, base_slice_of(f->topic), 0, LOG_OFFSET_BEGIN, &f->error),
         &f->error);
    for (int i = 0; i < 50; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%d", i);
        const schema_record record = record_of(f->topic, 0, "k", value);
        int64_t offset = -1;
        FINE(log_writer_append(writer, &record, &f->error), &f->error);
        FINE(log_writer_commit(writer, NULL, NULL, 0, &offset, NULL, &f->error), &f->error);
        int64_t begin = -1;
        int64_t end = -1;
        FINE(log_range(f->store, base_slice_of(f->topic), 0, &begin, &end, &f->error), &f->error);
        assert_true(end > offset);
        /* And a reader that has reached the end has read it. */
        int64_t position = 0;
        bool seen = false;
        const int64_t deadline = now_ms() + TIMEOUT_MS;
        while (position < end && now_ms() < deadline) {
            const schema_record *records = NULL;
            size_t count = 0;
            FINE(log_reader_poll(reader, 1000, 100, &records, &count, &f->error), &f->error);
            for (size_t k = 0; k < count; k++) {
                seen = seen || records[k].offset == offset;
            }
            assert_false(
                base_failed(log_reader_position(reader, base_slice_of(f->topic), 0, &position)));
        }
        assert_true(seen);
    }
    log_reader_close(reader);
    log_writer_close(writer);
}

static void test_log_kafka__a_lost_position_is_told_with_the_range(void **state)
{
    fixture *f = *state;
    if (f->store == NULL) {
        skip();
    }
    char identity[64];
    log_writer *writer = writer_open(f, fresh_name("w", identity));
    write_one(f, writer, 0, "zero");
    write_one(f, writer, 1, "one");
    log_reader *reader = NULL;
    FINE(log_reader_open(f->store, &reader, &f->error), &f->error);
    FINE(log_reader_assign(reader, base_slice_of(f->topic), 0, 1000, &f->error), &f->error);
    const schema_record *records = NULL;
    size_t count = 0;
    base_status status = base_ok();
    const int64_t deadline = now_ms() + TIMEOUT_MS;
    while (!base_failed(status) && now_ms() < deadline) {
        status = log_reader_poll(reader, 500, 10, &records, &count, &f->error);
        assert_int_equal(count, 0);
    }
    assert_int_equal(status.code, BASE_POSITION_LOST);
    assert_non_null(strstr(f->error.text, "1000"));
    assert_non_null(strstr(f->error.text, f->topic));
    /* Others go on, and so does this one from a position that is there. */
    FINE(log_reader_assign(reader, base_slice_of(f->topic), 1, 0, &f->error), &f->error);
    read_one(f, reader, "one");
    FINE(log_reader_assign(reader, base_slice_of(f->topic), 0, 0, &f->error), &f->error);
    read_one(f, reader, "zero");
    log_reader_close(reader);
    log_writer_close(writer);
}

/* ---- refusals ---- */

/* Forbids everybody to write to a topic. */
static void forbid_writing(const char *topic)
{
    char text[512] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap(), text, sizeof(text));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(rk);
    /* A topic that has an ACL allows only what one allows. */
    rd_kafka_AclBinding_t *acls[2] = {
        rd_kafka_AclBinding_new(RD_KAFKA_RESOURCE_TOPIC, topic, RD_KAFKA_RESOURCE_PATTERN_LITERAL,
                                "User:*", "*", RD_KAFKA_ACL_OPERATION_ALL,
                                RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, text, sizeof(text)),
        rd_kafka_AclBinding_new(RD_KAFKA_RESOURCE_TOPIC, topic, RD_KAFKA_RESOURCE_PATTERN_LITERAL,
                                "User:*", "*", RD_KAFKA_ACL_OPERATION_WRITE,
                                RD_KAFKA_ACL_PERMISSION_TYPE_DENY, text, sizeof(text)),
    };
    assert_non_null(acls[0]);
    assert_non_null(acls[1]);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATEACLS);
    rd_kafka_CreateAcls(rk, acls, 2, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    assert_non_null(event);
    if (rd_kafka_event_error(event) != 0) {
        fail_msg("%s", rd_kafka_event_error_string(event));
    }
    size_t count = 0;
    const rd_kafka_acl_result_t **results =
        rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &count);
    assert_int_equal(count, 2);
    assert_null(rd_kafka_acl_result_error(results[0]));
    assert_null(rd_kafka_acl_result_error(results[1]));
    rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AclBinding_destroy(acls[0]);
    rd_kafka_AclBinding_destroy(acls[1]);
    rd_kafka_destroy(rk);
    usleep(200000); /* the broker's authorizer learns of it from the metadata log */
}

static void test_log_kafka__a_topic_we_may_not_write_is_refused_by_index(void **state)
{
    fixture *f = *state;
    if (f->store == NULL) {
        skip();
    }
    char forbidden[64];
    char identity[64];
    topic_create(f->store, fresh_name("forbidden", forbidden), 1, LOG_CLEANUP_DELETE);
    forbid_writing(forbidden);
    log_writer *writer = writer_open(f, fresh_name("w", identity));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5; i++) {
            const schema_record record = record_of(i == 3 ? forbidden : f->topic, 0, "k", "v");
            FINE(log_writer_append(writer, &record, &f->error), &f->error);
            usleep(round == 1 ? 20000 : 0); /* the refusal comes in the middle of the appends */
        }
        size_t refused = SIZE_MAX;
        ENDS(BASE_REFUSED, log_writer_commit(writer, NULL, NULL, 0, NULL, &refused, &f->error),
             &f->error);
        assert_int_equal(refused, 3);
        assert_non_null(strstr(f->error.text, forbidden));
    }
    /* The same without it. */
    write_one(f, writer, 0, "after");
    log_reader *reader = NULL;
    FINE(log_reader_open(f->store, &reader, &f->error), &f->error);
    FINE(log_reader_assign(reader, base_slice_of(f->topic), 0, LOG_OFFSET_BEGIN, &f->error),
         &f->error);
    read_one(f, reader, "after");
    log_reader_close(reader);
    log_writer_close(writer);
}

static void topic_bound(const char *topic, const char *bytes)
{
    char text[512] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap(), text, sizeof(text));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(rk);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_ConfigResource_set_config(resource, "max.message.bytes", bytes);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_ALTERCONFIGS);
    rd_kafka_AlterConfigs(rk, &resource, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_destroy(rk);
    usleep(200000);
}

static void test_log_kafka__a_topic_s_own_bound_is_kept(void **state)
{
    fixture *f = *state;
    if (f->store == NULL) {
        skip();
    }
    char identity[64];
    topic_bound(f->topic, "20000");
    log_writer *writer = writer_open(f, fresh_name("w", identity));
    char *large = calloc(1, 30001);
    assert_non_null(large);
    uint64_t noise = 1; /* what does not compress */
    for (size_t i = 0; i < 30000; i++) {
        noise = noise * 6364136223846793005u + 1442695040888963407u;
        large[i] = (char)('!' + (noise >> 33) % 90);
    }
    const schema_record too_large = record_of(f->topic, 0, "k", large);
    ENDS(BASE_TOO_LARGE, log_writer_append(writer, &too_large, &f->error), &f->error);
    /* Many that fit, one batch of which would not. */
    large[9000] = '\0';
    for (int i = 0; i < 20; i++) {
        const schema_record fits = record_of(f->topic, 0, "k", large);
        FINE(log_writer_append(writer, &fits, &f->error), &f->error);
    }
    FINE(log_writer_commit(writer, NULL, NULL, 0, NULL, NULL, &f->error), &f->error);
    /* The bound is lowered behind our back: the broker refuses, and the index is told. */
    topic_bound(f->topic, "5000");
    const schema_record small = record_of(f->topic, 1, "k", "small");
    const schema_record fits_no_more = record_of(f->topic, 0, "k", large);
    FINE(log_writer_append(writer, &small, &f->error), &f->error);
    FINE(log_writer_append(writer, &fits_no_more, &f->error), &f->error);
    size_t refused = SIZE_MAX;
    ENDS(BASE_TOO_LARGE, log_writer_commit(writer, NULL, NULL, 0, NULL, &refused, &f->error),
         &f->error);
    assert_int_equal(refused, 1);
    /* And is known from then on. */
    ENDS(BASE_TOO_LARGE, log_writer_append(writer, &fits_no_more, &f->error), &f->error);
    FINE(log_writer_append(writer, &small, &f->error), &f->error);
    FINE(log_writer_commit(writer, NULL, NULL, 0, NULL, NULL, &f->error), &f->error);
    free(large);
    log_writer_close(writer);
}

/* ---- membership ---- */

static void member_expect(fixture *f, log_member *member, log_member_event_kind kind, size_t count)
{
    log_member_event event = {0};
    const int64_t deadline = now_ms() + TIMEOUT_MS;
    while (event.kind == LOG_MEMBER_NOTHING && now_ms() < deadline) {
        FINE(log_member_poll(member, 200, &event, &f->error), &f->error);
    }
    assert_int_equal(event.kind, kind);
    assert_int_equal(event.partition_count, count);
}

static log_member *member_join(fixture *f, const char *group, const char *identity)
{
    const base_slice topic = base_slice_of(f->topic);
    const log_member_options options = {.group = base_slice_of(group),
                                        .topics = &topic,
                                        .topic_count = 1,
                                        .identity = base_slice_of(identity),
                                        .session_timeout_ms = 6000};
    log_member *member = NULL;
    FINE(log_member_open(f->store, &options, &member, &f->error), &f->error);
    return member;
}

static void test_log_kafka__a_static_member_that_leaves_is_not_waited_for(void **state)
{
    fixture *f = *state;
    if (f->store == NULL) {
        skip();
    }
    char group[64];
    fresh_name("g", group);
    log_member *first = member_join(f, group, "first");
    member_expect(f, first, LOG_MEMBER_ASSIGNED, 2);
    log_member_close(first, true);
    const int64_t start = now_ms();
    log_member *second = member_join(f, group, "second");
    member_expect(f, second, LOG_MEMBER_ASSIGNED, 2);
    assert_true(now_ms() - start < 4000);
    /* One that only stops is waited for: it comes back to what it had, and the other is not
     * disturbed. */
    log_member *third = member_join(f, group, "third");
    member_expect(f, second, LOG_MEMBER_REVOKED, 2);
    FINE(log_member_release(second, &f->error), &f->error);
    log_member_event a = {0};
    log_member_event b = {0};
    const int64_t deadline = now_ms() + TIMEOUT_MS;
    while ((a.kind == LOG_MEMBER_NOTHING || b.kind == LOG_MEMBER_NOTHING) && now_ms() < deadline) {
        if (a.kind == LOG_MEMBER_NOTHING) {
            FINE(log_member_poll(second, 50, &a, &f->error), &f->error);
        }
        if (b.kind == LOG_MEMBER_NOTHING) {
            FINE(log_member_poll(third, 50, &b, &f->error), &f->error);
        }
    }
    assert_int_equal(a.partition_count, 1);
    assert_int_equal(b.partition_count, 1);
    const int32_t kept = b.partitions[0].partition;
    log_member_close(third, false);
    third = member_join(f, group, "third");
    member_expect(f, third, LOG_MEMBER_ASSIGNED, 1);
    log_member_event quiet = {0};
    FINE(log_member_poll(second, 500, &quiet, &f->error), &f->error);
    assert_int_equal(quiet.kind, LOG_MEMBER_NOTHING);
    assert_true(kept == 0 || kept == 1);
    log_member_close(third, true);
    log_member_close(second, true);
}

static void test_log_kafka__a_second_process_with_our_identity_fences_us(void **state)
{
    fixture *f = *state;
    if (f->store == NULL) {
        skip();
    }
    char group[64];
    char identity[64];
    fresh_name("g", group);
    log_member *first = member_join(f, group, "same");
    member_expect(f, first, LOG_MEMBER_ASSIGNED, 2);
    log_writer *writer = writer_open(f, fresh_name("w", identity));
    log_member *second = member_join(f, group, "same");
    member_expect(f, second, LOG_MEMBER_ASSIGNED, 2);
    /* The first cannot commit positions any more, whether it has noticed or not. */
    const schema_record record = record_of(f->topic, 0, "k", "v");
    const log_position position = {base_slice_of(f->topic), 0, 1};
    FINE(log_writer_append(writer, &record, &f->error), &f->error);
    ENDS(BASE_REVOKED, log_writer_commit(writer, first, &position, 1, NULL, NULL, &f->error),
         &f->error);
    base_status status = base_ok();
    const int64_t deadline = now_ms() + TIMEOUT_MS;
    while (!base_failed(status) && now_ms() < deadline) {
        log_member_event event = {0};
        status = log_member_poll(first, 200, &event, &f->error);
    }
    assert_int_equal(status.code, BASE_FENCED);
    FINE(log_writer_append(writer, &record, &f->error), &f->error);
    FINE(log_writer_commit(writer, second, &position, 1, NULL, NULL, &f->error), &f->error);
    int64_t committed = 0;
    FINE(log_member_position(second, base_slice_of(f->topic), 0, &committed, &f->error), &f->error);
    assert_int_equal(committed, 1);
    log_member_close(first, false);
    log_member_close(second, true);
    log_writer_close(writer);
}

/* ---- time-outs ---- */

static void test_log_kafka__a_transaction_that_took_too_long_is_not_committed(void **state)
{
    fixture *f = *state;
    if (f->store == NULL) {
        skip();
    }
    char identity[64];
    const log_writer_options options = {.identity = base_slice_of(fresh_name("w", identity)),
                                        .transaction_timeout_ms = 1000};
    log_writer *writer = NULL;
    FINE(log_writer_open(f->store, &options, &writer, &f->error), &f->error);
    const schema_record record = record_of(f->topic, 0, "k", "late");
    FINE(log_writer_append(writer, &record, &f->error), &f->error);
    usleep(3000000); /* the coordinator gives it up */
    const base_status status = log_writer_commit(writer, NULL, NULL, 0, NULL, NULL, &f->error);
    assert_true(base_failed(status));
    log_writer_close(writer);
    writer = writer_open(f, identity);
    write_one(f, writer, 0, "in time");
    log_reader *reader = NULL;
    FINE(log_reader_open(f->store, &reader, &f->error), &f->error);
    FINE(log_reader_assign(reader, base_slice_of(f->topic), 0, LOG_OFFSET_BEGIN, &f->error),
         &f->error);
    read_one(f, reader, "in time");
    log_reader_close(reader);
    log_writer_close(writer);
}

int main(void)
{
    if (bootstrap() == NULL) {
        fprintf(stderr, "no Kafka: KAFKA_BOOTSTRAP is not set (scripts/with-kafka); skipped are "
                        "tests of the broker\n");
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_kafka__tells_where_nobody_answers),
        cmocka_unit_test(test_log_kafka__refuses_addresses_that_are_none),
        cmocka_unit_test(test_log_kafka__refuses_settings_that_would_break_promises),
        cmocka_unit_test_setup_teardown(test_log_kafka__names_the_topic_that_cannot_be_created,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_kafka__the_end_is_behind_what_was_just_committed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_kafka__a_lost_position_is_told_with_the_range,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log_kafka__a_topic_we_may_not_write_is_refused_by_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_kafka__a_topic_s_own_bound_is_kept, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_log_kafka__a_static_member_that_leaves_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log_kafka__a_second_process_with_our_identity_fences_us, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_log_kafka__a_transaction_that_took_too_long_is_not_committed, setup, teardown),
    };
    cmocka_set_test_filter(getenv("TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
