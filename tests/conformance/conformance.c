#include "tests/conformance/conformance.h"

#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static conformance_kind kind_tested;
static char url_tested[256];
static unsigned test_count;

/* ---- fixture ---- */

static void report(void *context, int level, const char *text)
{
    (void)context;
    if (level <= 3) {
        print_message("log: %s\n", text);
    }
}

int conformance_setup(void **state)
{
    conformance *test = calloc(1, sizeof(*test));
    assert_non_null(test);
    test->kind = kind_tested;
    (void)snprintf(test->url, sizeof(test->url), "%s", url_tested);
    (void)snprintf(test->prefix, sizeof(test->prefix), "t%lx-%u",
                   (long)time(NULL) * 100000 + getpid(), test_count++);
    test->patience_ms = kind_tested == CONFORMANCE_KAFKA ? 30000 : 10000;
    test->silence_ms = kind_tested == CONFORMANCE_KAFKA ? 1000 : 150;
    const log_open_options options = {.client = base_slice_of("conformance"), .report = report};
    FINE(log_open(base_slice_of(test->url), &options, 10000, &test->store, error));
    *state = test;
    return 0;
}

int conformance_teardown(void **state)
{
    conformance *test = *state;
    log_close(test->store);
    free(test);
    return 0;
}

void conformance_fine(base_status status, const base_error *error, const char *what, int line)
{
    if (base_failed(status)) {
        char text[1024];
        (void)base_error_render(error, text, sizeof(text));
        fail_msg("line %d: %s: %s: %s", line, what, base_status_name(status), text);
    }
}

void conformance_ends(base_status status, const base_error *error, base_code code, const char *what,
                      int line)
{
    if (status.code != code) {
        char text[1024];
        (void)base_error_render(error, text, sizeof(text));
        fail_msg("line %d: %s: %s instead of %s: %s", line, what, base_status_name(status),
                 base_status_name(base_status_of(code)), text);
    }
    if (code != BASE_OK && (error->code != code || error->text[0] == '\0')) {
        fail_msg("line %d: %s: no error text", line, what);
    }
}

/* ---- what tests are made of ---- */

base_slice conformance_name(conformance *test, const char *name)
{
    assert_true(test->name_count < sizeof(test->names) / sizeof(test->names[0]));
    char *text = test->names[test->name_count++];
    (void)snprintf(text, sizeof(test->names[0]), "%s-%s", test->prefix, name);
    return base_slice_of(text);
}

base_slice conformance_topic(conformance *test, const char *name, int32_t partition_count)
{
    const log_topic_options options = {.name = conformance_name(test, name),
                                       .partition_count = partition_count,
                                       .retention_ms = -1,
                                       .retention_size = -1};
    FINE(log_topics_ensure(test->store, &options, 1, test->patience_ms, error));
    return options.name;
}

log_writer *conformance_writer(conformance *test, const char *identity)
{
    const log_writer_options options = {
        .identity = identity != NULL ? conformance_name(test, identity) : base_slice_of(NULL)};
    log_writer *writer = NULL;
    FINE(log_writer_open(test->store, &options, &writer, error));
    return writer;
}

log_reader *conformance_reader(conformance *test)
{
    log_reader *reader = NULL;
    FINE(log_reader_open(test->store, &reader, error));
    return reader;
}

log_reader *conformance_reader_of(conformance *test, base_slice topic, int32_t partition_count)
{
    log_reader *reader = conformance_reader(test);
    for (int32_t i = 0; i < partition_count; i++) {
        FINE(log_reader_assign(reader, topic, i, LOG_OFFSET_BEGIN, error));
    }
    return reader;
}

void conformance_put(log_writer *writer, base_slice topic, int32_t partition, const char *key,
                     const char *value)
{
    const schema_record record = {.topic = topic,
                                  .partition = partition,
                                  .key = base_slice_of(key),
                                  .value = base_slice_of(value)};
    FINE(log_writer_append(writer, &record, error));
}

void conformance_commit(log_writer *writer)
{
    FINE(log_writer_commit(writer, NULL, NULL, 0, NULL, NULL, error));
}

void conformance_write(conformance *test, base_slice topic, int32_t partition,
                       const char *const *values, size_t count)
{
    log_writer *writer = conformance_writer(test, "writer");
    for (size_t i = 0; i < count; i++) {
        conformance_put(writer, topic, partition, "k", values[i]);
    }
    conformance_commit(writer);
    log_writer_close(writer);
}

static base_slice keep_bytes(char **cursor, base_slice bytes)
{
    if (bytes.data == NULL) {
        return bytes;
    }
    const base_slice copy = {*cursor, bytes.size};
    memcpy(*cursor, bytes.data, bytes.size);
    *cursor += bytes.size + 1;
    return copy;
}

static void keep(conformance_records *records, const schema_record *record)
{
    assert_true(records->count < sizeof(records->items) / sizeof(records->items[0]));
    conformance_record *item = &records->items[records->count++];
    size_t size = record->topic.size + record->key.size + record->value.size + 3;
    for (size_t i = 0; i < record->header_count; i++) {
        size += record->headers[i].name.size + record->headers[i].value.size + 2;
    }
    const size_t headers_size = record->header_count * sizeof(schema_header);
    item->bytes = calloc(1, headers_size + size);
    assert_non_null(item->bytes);
    schema_header *headers = (schema_header *)(void *)item->bytes;
    char *cursor = item->bytes + headers_size;
    item->record = *record;
    item->record.topic = keep_bytes(&cursor, record->topic);
    item->record.key = keep_bytes(&cursor, record->key);
    item->record.value = keep_bytes(&cursor, record->value);
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i].name = keep_bytes(&cursor, record->headers[i].name);
        headers[i].value = keep_bytes(&cursor, record->headers[i].value);
    }
    item->record.headers = headers;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void conformance_read(const conformance *test, log_reader *reader, size_t count,
                      conformance_records *records)
{
    const int64_t until_ms = now_ms() + test->patience_ms;
    while (records->count < count) {
        const schema_record *found = NULL;
        size_t found_count = 0;
        FINE(log_reader_poll(reader, 500, count - records->count, &found, &found_count, error));
        for (size_t i = 0; i < found_count; i++) {
            keep(records, &found[i]);
        }
        if (records->count < count && now_ms() > until_ms) {
            fail_msg("%zu of %zu records came", records->count, count);
        }
    }
    assert_int_equal(records->count, count);
}

void conformance_silent(const conformance *test, log_reader *reader)
{
    const int64_t until_ms = now_ms() + test->silence_ms;
    do {
        const schema_record *found = NULL;
        size_t found_count = 0;
        FINE(log_reader_poll(reader, 20, 1, &found, &found_count, error));
        if (found_count > 0) {
            fail_msg("a record came that must not: %.*s", BASE_SLICE_ARG(found[0].value));
        }
    } while (now_ms() < until_ms);
}

void conformance_forget(conformance_records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        free(records->items[i].bytes);
    }
    records->count = 0;
}

log_member *conformance_member(conformance *test, base_slice group, const char *identity,
                               base_slice topic, int32_t session_timeout_ms)
{
    const log_member_options options = {.group = group,
                                        .topics = &topic,
                                        .topic_count = 1,
                                        .identity = identity != NULL ? base_slice_of(identity)
                                                                     : base_slice_of(NULL),
                                        .session_timeout_ms = session_timeout_ms};
    log_member *member = NULL;
    FINE(log_member_open(test->store, &options, &member, error));
    return member;
}

void conformance_follow(log_member *member, conformance_share *share, int32_t timeout_ms)
{
    log_member_event event = {LOG_MEMBER_NOTHING, NULL, 0};
    FINE(log_member_poll(member, timeout_ms, &event, error));
    for (size_t i = 0; i < event.partition_count; i++) {
        const int32_t partition = event.partitions[i].partition;
        assert_in_range(partition, 0, 15);
        const bool assigned = event.kind == LOG_MEMBER_ASSIGNED;
        assert_true(share->has[partition] != assigned);
        share->has[partition] = assigned;
        share->count += assigned ? 1 : (size_t)-1;
    }
    if (event.kind == LOG_MEMBER_REVOKED || event.kind == LOG_MEMBER_LOST) {
        share->lost = share->lost || event.kind == LOG_MEMBER_LOST;
        FINE(log_member_release(member, error));
    }
}

/* ---- main ---- */

static int remove_entry(const char *path, const struct stat *entry, int kind, struct FTW *place)
{
    (void)entry;
    (void)kind;
    (void)place;
    return remove(path);
}

static int local_run(int (*run)(void))
{
    char directory[] = "/tmp/troupe-conformance-XXXXXX";
    if (mkdtemp(directory) == NULL) {
        perror("mkdtemp");
        return 1;
    }
    (void)snprintf(url_tested, sizeof(url_tested), "local:%s/log?local.housekeep_ms=0", directory);
    const int failed = run();
    return nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 ? failed : failed + 1;
}

static int all_run(void)
{
    return conformance_records_run() + conformance_transactions_run() + conformance_readers_run() +
           conformance_groups_run();
}

int main(int argc, char **argv)
{
    const char *kind = argc == 2 ? argv[1] : "";
    const char *bootstrap = getenv("KAFKA_BOOTSTRAP");
    if (strcmp(kind, "memory") == 0) {
        kind_tested = CONFORMANCE_MEMORY;
        (void)snprintf(url_tested, sizeof(url_tested), "memory:conformance");
        return all_run() == 0 ? 0 : 1;
    }
    if (strcmp(kind, "local") == 0) {
        kind_tested = CONFORMANCE_LOCAL;
        return local_run(all_run) == 0 ? 0 : 1;
    }
    if (strcmp(kind, "kafka") == 0) {
        if (bootstrap == NULL || bootstrap[0] == '\0') {
            (void)printf("skipped: KAFKA_BOOTSTRAP is not set\n");
            return 77;
        }
        kind_tested = CONFORMANCE_KAFKA;
        (void)snprintf(url_tested, sizeof(url_tested), "kafka://%s", bootstrap);
        return all_run() == 0 ? 0 : 1;
    }
    (void)fprintf(stderr, "usage: %s memory|local|kafka\n", argv[0]);
    return 2;
}
