/*
 * What the tests of the client share: a log of its own for each test, asks put on it as the engine
 * would, and what came out of it.
 */
#ifndef TESTS_CLIENT_WORLD_H
#define TESTS_CLIENT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "connectors/log.h"
#include "include/troupe.h"
#include "saga/event.h"
#include "schemas/envelope.h"

#define WORLD_EVENT_MAX 400

typedef enum world_kind { WORLD_MEMORY, WORLD_LOCAL, WORLD_KAFKA } world_kind;

typedef struct world {
    char url[256];
    char mark[64];      /* before every name on a log that others use */
    char names[8][128]; /* what world_name gave last */
    unsigned name_turn;
    char folder[200]; /* of a local log; empty: memory */
    log_store *store;
    log_writer *writer;
    base_arena arena;
    saga_event events[WORLD_EVENT_MAX]; /* what world_read found */
    schema_record records[WORLD_EVENT_MAX];
    size_t count;
    char reported[4096]; /* what the client said */
} world;

/* An ask, as far as a test cares. */
typedef struct world_ask {
    const char *type;
    const char *key;
    const char *id;
    const char *saga_key; /* NULL: no ask, a plain event */
    const char *data;
    const char *topic; /* default "payments.asks" */
    int32_t saga_try;
} world_ask;

/* The name of a topic or group as it is on this log; good for the next few calls. */
static inline const char *world_name(world *w, const char *name)
{
    char *text = w->names[w->name_turn++ % 8];
    (void)snprintf(text, sizeof(w->names[0]), "%s%s", w->mark, name);
    return text;
}

static inline void world_topics(world *w, const char *const *names, size_t count,
                                int32_t partitions)
{
    for (size_t i = 0; i < count; i++) {
        const log_topic_options options = {.name = base_slice_of(world_name(w, names[i])),
                                           .partition_count = partitions,
                                           .retention_ms = -1,
                                           .retention_size = -1};
        assert_false(base_failed(log_topics_ensure(w->store, &options, 1, 5000, NULL)));
    }
}

static inline void world_open(world *w, world_kind kind)
{
    static unsigned number;
    base_error error = {0};
    memset(w, 0, sizeof(*w));
    base_arena_init(&w->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    if (kind == WORLD_LOCAL) {
        (void)snprintf(w->folder, sizeof(w->folder), "/tmp/troupe-client-XXXXXX");
        assert_non_null(mkdtemp(w->folder));
        (void)snprintf(w->url, sizeof(w->url), "local:%s", w->folder);
    } else if (kind == WORLD_KAFKA) {
        (void)snprintf(w->url, sizeof(w->url), "kafka://%s", getenv("KAFKA_BOOTSTRAP"));
        (void)snprintf(w->mark, sizeof(w->mark), "c%d-%lld-%u-", (int)getpid(),
                       (long long)time(NULL), ++number);
    } else {
        (void)snprintf(w->url, sizeof(w->url), "memory:client-%d-%u", (int)getpid(), ++number);
    }
    const base_status status = log_open(base_slice_of(w->url), NULL, 10000, &w->store, &error);
    if (base_failed(status)) {
        fail_msg("%s", error.text);
    }
    static const char *const names[] = {"payments.asks", "payments.events", "troupe.dead-letters"};
    world_topics(w, names, 3, 2);
    assert_false(
        base_failed(log_writer_open(w->store, &(log_writer_options){0}, &w->writer, &error)));
}

static inline void world_close(world *w)
{
    log_writer_close(w->writer);
    log_close(w->store);
    base_arena_deinit(&w->arena);
    if (w->folder[0] != '\0') {
        char command[256];
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", w->folder);
        assert_int_equal(system(command), 0);
    }
}

static inline void world_put_record(world *w, const schema_record *record)
{
    base_error error = {0};
    base_status status = log_writer_append(w->writer, record, &error);
    if (!base_failed(status)) {
        status = log_writer_commit(w->writer, NULL, NULL, 0, NULL, NULL, &error);
    }
    if (base_failed(status)) {
        fail_msg("%s", error.text);
    }
}

static inline void world_put(world *w, const world_ask *ask)
{
    base_error error = {0};
    schema_record record = {
        .topic = base_slice_of(world_name(w, ask->topic != NULL ? ask->topic : "payments.asks")),
        .partition = SCHEMA_PARTITION_BY_KEY};
    saga_event event = {
        .id = base_slice_of(ask->id),
        .source = base_slice_of("engine"),
        .type = base_slice_of(ask->type),
        .time_ms = 1700000000000,
        .partition_key = base_slice_of(ask->key),
        .content_type = base_slice_of("application/json"),
        .data = base_value_null(),
    };
    if (ask->saga_key != NULL) {
        event.correlation_id = base_slice_of("orders/1/o1");
        event.saga_step = base_slice_of("authorise");
        event.saga_key = base_slice_of(ask->saga_key);
        event.saga_try = ask->saga_try > 0 ? ask->saga_try : 1;
        event.trace_parent =
            base_slice_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    }
    assert_false(base_failed(schema_envelope_write(&event, &w->arena, &record, &error)));
    if (ask->data != NULL) {
        record.value = base_slice_of(ask->data);
    }
    record.time_ms = 0;
    world_put_record(w, &record);
}

/* All that stands on a topic, partition after partition, into w->events and w->records. */
static inline size_t world_read(world *w, const char *plain_topic)
{
    char topic[128];
    (void)snprintf(topic, sizeof(topic), "%s", world_name(w, plain_topic));
    base_error error = {0};
    log_reader *reader = NULL;
    int32_t partitions = 0;
    w->count = 0;
    assert_false(
        base_failed(log_topic_partitions(w->store, base_slice_of(topic), &partitions, &error)));
    assert_false(base_failed(log_reader_open(w->store, &reader, &error)));
    for (int32_t p = 0; p < partitions; p++) {
        int64_t begin = 0;
        int64_t end = 0;
        assert_false(
            base_failed(log_range(w->store, base_slice_of(topic), p, &begin, &end, &error)));
        assert_false(base_failed(
            log_reader_assign(reader, base_slice_of(topic), p, LOG_OFFSET_BEGIN, &error)));
        int64_t position = begin;
        while (position < end) {
            const schema_record *records = NULL;
            size_t count = 0;
            assert_false(base_failed(log_reader_poll(reader, 1000, 100, &records, &count, &error)));
            for (size_t i = 0; i < count; i++) {
                schema_record *copy = &w->records[w->count];
                schema_header *headers =
                    BASE_ARENA_ARRAY(&w->arena, schema_header, records[i].header_count);
                *copy = records[i];
                copy->key = base_arena_copy(&w->arena, records[i].key);
                copy->value = base_arena_copy(&w->arena, records[i].value);
                for (size_t h = 0; h < records[i].header_count; h++) {
                    headers[h].name = base_arena_copy(&w->arena, records[i].headers[h].name);
                    headers[h].value = base_arena_copy(&w->arena, records[i].headers[h].value);
                }
                copy->headers = headers;
                if (base_failed(
                        schema_envelope_read(copy, &w->arena, &w->events[w->count], NULL))) {
                    w->events[w->count] = (saga_event){0};
                }
                w->count++;
                assert_true(w->count < WORLD_EVENT_MAX);
            }
            assert_false(
                base_failed(log_reader_position(reader, base_slice_of(topic), p, &position)));
        }
        assert_false(base_failed(log_reader_unassign(reader, base_slice_of(topic), p, &error)));
    }
    log_reader_close(reader);
    return w->count;
}

static inline base_slice world_header(const schema_record *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++) {
        if (base_slice_is(record->headers[i].name, name)) {
            return record->headers[i].value;
        }
    }
    return (base_slice){NULL, 0};
}

static inline void world_report(void *user, int level, const char *text)
{
    world *w = user;
    const size_t used = strlen(w->reported);
    (void)snprintf(w->reported + used, sizeof(w->reported) - used, "%d %s\n", level, text);
}

static inline troupe *world_client(world *w, const troupe_options *given)
{
    troupe_options options = *given;
    troupe *handle = NULL;
    troupe_error error = {0};
    options.service = options.service != NULL ? options.service : "payments";
    options.report = world_report;
    options.report_user = w;
    options.partition_count = options.partition_count != 0 ? options.partition_count : 2;
    options.asks_topic = world_name(w, "payments.asks");
    options.events_topic = world_name(w, "payments.events");
    options.prefix = world_name(w, "troupe");
    options.group = world_name(w, "payments");
    options.session_timeout_ms =
        options.session_timeout_ms != 0 || w->mark[0] == '\0' ? options.session_timeout_ms : 6000;
    if (troupe_open(w->url, &options, &handle, &error) != TROUPE_OK) {
        fail_msg("%s", error.text);
    }
    return handle;
}

/* Runs the client until it has called handlers `wanted` times, at most for timeout_ms. */
static inline int32_t world_run(troupe *handle, int32_t wanted, int32_t timeout_ms)
{
    int32_t sum = 0;
    for (int32_t waited_ms = 0; sum < wanted && waited_ms < timeout_ms; waited_ms += 100) {
        int32_t handled = 0;
        troupe_error error = {0};
        if (troupe_poll(handle, 100, &handled, &error) != TROUPE_OK) {
            fail_msg("%s", error.text);
        }
        sum += handled;
    }
    return sum;
}

/* 77 where there is no broker to run against, which counts as skipped. */
static inline int world_no_kafka(void)
{
    if (getenv("KAFKA_BOOTSTRAP") != NULL) {
        return 0;
    }
    (void)puts("skipped: KAFKA_BOOTSTRAP names no broker");
    return 77;
}

#define assert_slice(slice, text)                                                                  \
    do {                                                                                           \
        const base_slice assert_slice_ = (slice);                                                  \
        if (!base_slice_is(assert_slice_, text)) {                                                 \
            fail_msg("\"%.*s\" is not \"%s\"", BASE_SLICE_ARG(assert_slice_), (text));             \
        }                                                                                          \
    } while (0)

#endif
