/* What the tests of the local log share: a directory that goes away, short ways to write and read.
 */
#ifndef TESTS_CONNECTORS_LOCAL_H
#define TESTS_CONNECTORS_LOCAL_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "connectors/log.h"

typedef struct local_test {
    char directory[128];
    char database[160];
    base_error error;
} local_test;

static int local_setup(void **state)
{
    local_test *test = calloc(1, sizeof(*test));
    assert_non_null(test);
    (void)snprintf(test->directory, sizeof(test->directory), "/tmp/troupe-local-XXXXXX");
    assert_non_null(mkdtemp(test->directory));
    (void)snprintf(test->database, sizeof(test->database), "%s/log.db", test->directory);
    *state = test;
    return 0;
}

static inline int local_remove(const char *path, const struct stat *entry, int kind,
                               struct FTW *place)
{
    (void)entry;
    (void)kind;
    (void)place;
    return remove(path);
}

static int local_teardown(void **state)
{
    local_test *test = *state;
    (void)umount2(test->directory, MNT_DETACH); /* where a test mounted something and failed */
    assert_int_equal(nftw(test->directory, local_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(test);
    return 0;
}

/* settings as "local.size_max=1&..." or "". */
static inline base_status local_try(local_test *test, const char *settings, bool read_only,
                                    log_store **store_out)
{
    char url[512];
    const log_open_options options = {.read_only = read_only};
    (void)snprintf(url, sizeof(url), "local:%s?%s", test->directory, settings);
    base_error_clear(&test->error);
    return log_open(base_slice_of(url), &options, 1000, store_out, &test->error);
}

static inline log_store *local_open_with(local_test *test, const char *settings)
{
    log_store *store = NULL;
    const base_status status = local_try(test, settings, false, &store);
    if (base_failed(status)) {
        fail_msg("%s", test->error.text);
    }
    return store;
}

static inline void local_topic(log_store *store, const char *name, int32_t partitions,
                               log_cleanup cleanup, int64_t retention_ms, int64_t retention_size)
{
    const log_topic_options options = {.name = base_slice_of(name),
                                       .partition_count = partitions,
                                       .cleanup = cleanup,
                                       .retention_ms = retention_ms,
                                       .retention_size = retention_size};
    assert_int_equal(log_topics_ensure(store, &options, 1, 0, NULL).code, BASE_OK);
}

static inline log_writer *local_writer_of(log_store *store, const char *identity)
{
    const log_writer_options options = {.identity = base_slice_of(identity)};
    log_writer *writer = NULL;
    assert_int_equal(log_writer_open(store, &options, &writer, NULL).code, BASE_OK);
    return writer;
}

static inline base_status local_put(log_writer *writer, const char *topic, int32_t partition,
                                    const char *key, const char *value)
{
    const schema_record record = {.topic = base_slice_of(topic),
                                  .partition = partition,
                                  .key = base_slice_of(key),
                                  .value = base_slice_of(value)};
    return log_writer_append(writer, &record, NULL);
}

static inline base_code local_commit(log_writer *writer)
{
    return log_writer_commit(writer, NULL, NULL, 0, NULL, NULL, NULL).code;
}

static inline log_reader *local_reader_of(log_store *store, const char *topic, int32_t partition)
{
    log_reader *reader = NULL;
    assert_int_equal(log_reader_open(store, &reader, NULL).code, BASE_OK);
    assert_int_equal(
        log_reader_assign(reader, base_slice_of(topic), partition, LOG_OFFSET_BEGIN, NULL).code,
        BASE_OK);
    return reader;
}

/* The values of partition 0 that can be read now, as "a b c". */
static inline const char *local_seen(log_store *store, const char *topic, char *text,
                                     size_t text_size)
{
    log_reader *reader = local_reader_of(store, topic, 0);
    const schema_record *found = NULL;
    size_t count = 1;
    size_t used = 0;
    text[0] = '\0';
    while (count > 0) {
        assert_int_equal(log_reader_poll(reader, 0, 1000, &found, &count, NULL).code, BASE_OK);
        for (size_t i = 0; i < count; i++) {
            const bool none = found[i].value.data == NULL;
            const base_slice value = none ? base_slice_of("-") : found[i].value;
            used += (size_t)snprintf(text + used, text_size - used, "%s%.*s", used > 0 ? " " : "",
                                     (int)(value.size < 8 ? value.size : 8), value.data);
            assert_true(used < text_size);
        }
    }
    log_reader_close(reader);
    return text;
}

#endif
