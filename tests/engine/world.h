/*
 * A world for tests of the engine: a log in memory, a clock that stands until it is moved, workers
 * that are stepped, and services that answer by a table. One thread; the same calls give the same
 * run.
 */
#ifndef TESTS_ENGINE_WORLD_H
#define TESTS_ENGINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "connectors/log.h"
#include "connectors/log_memory.h"
#include "engine/catalog.h"
#include "engine/config.h"
#include "engine/rebuild.h"
#include "engine/scan.h"
#include "engine/wire.h"
#include "engine/worker.h"
#include "schemas/envelope.h"
#include "schemas/json.h"
#include "schemas/saga_file.h"

#define UNUSED_IN_SOME __attribute__((unused)) /* not every test uses every tool */
#define WORLD_START_MS INT64_C(1700000000000)
#define WORLD_WORKER_MAX 3
#define WORLD_ASK_MAX 4096
#define WORLD_STEP_MAX 400

/* What a service does with an ask of this type, for this key (NULL: any); the first that fits
 * counts. */
typedef struct world_rule {
    const char *ask;
    const char *key;
    const char *answer; /* NULL: keeps silent */
    const char *topic;  /* of the answer */
    int skip;           /* so many asks of the type and key get no answer first */
} world_rule;

typedef struct world_ask {
    char type[64];
    char key[64];
    char id[64];
    char saga_key[128];
    char correlation[128];
    char step[64];
    int32_t try_number;
    bool answered;
} world_ask;

typedef struct world {
    log_store *store;
    int64_t now_ms;
    base_arena arena;
    engine_config config;
    engine_logger logger;
    engine_worker *workers[WORLD_WORKER_MAX];
    int opened; /* workers so far: each has a name of its own */
    const world_rule *rules;
    size_t rule_count;
    const char *const *ask_topics;
    size_t ask_topic_count;
    log_reader *service_reader;
    world_ask *asks;
    size_t ask_count;
    log_writer *writer;
    int event_number;
    bool quiet;
    int anew; /* how often a worker began anew with all partitions */
    int republished;
    int untrusted; /* how often snapshots were not trusted */
} world;

UNUSED_IN_SOME static int64_t world_clock(void *context)
{
    return ((const world *)context)->now_ms;
}

UNUSED_IN_SOME static void world_write(void *context, const char *line, size_t size)
{
    world *w = (world *)context;
    if (memmem(line, size, "beginning anew", 14) != NULL) {
        w->anew++;
    }
    if (memmem(line, size, "republished=", 12) != NULL &&
        memmem(line, size, "republished=0", 13) == NULL) {
        w->republished++;
    }
    if (memmem(line, size, "cannot be trusted", 17) != NULL) {
        w->untrusted++;
    }
    if (!w->quiet && getenv("TROUPE_TEST_LOG") != NULL) {
        (void)fwrite(line, 1, size, stderr);
    }
}

UNUSED_IN_SOME static void world_fine_at(base_status status, const base_error *error,
                                         const char *file, int line)
{
    if (base_failed(status)) {
        print_error("%s:%d: %s: %s\n", file, line, base_status_name(status),
                    error == NULL ? "" : error->text);
        fail();
    }
}
#define FINE(call)                                                                                 \
    do {                                                                                           \
        base_error fine_error_;                                                                    \
        base_error *const error = &fine_error_;                                                    \
        base_error_clear(error);                                                                   \
        world_fine_at((call), error, __FILE__, __LINE__);                                          \
    } while (0)

UNUSED_IN_SOME static void world_setting(world *w, const char *key, const char *value)
{
    FINE(engine_config_set(&w->config, base_slice_of(key), base_slice_of(value), error));
}

/* On any log, with the machine's time in now_ms, which the caller moves. */
UNUSED_IN_SOME static void world_open_log(world *w, const char *url, const char *partitions)
{
    memset(w, 0, sizeof(*w));
    w->now_ms = WORLD_START_MS;
    base_arena_init(&w->arena, (size_t)512 * 1024 * 1024);
    engine_config_init(&w->config);
    world_setting(w, "log", url);
    world_setting(w, "partitions", partitions);
    FINE(engine_config_finish(&w->config, error));
    engine_logger_init(
        &w->logger, ENGINE_LOG_DEBUG, false,
        (engine_clock){.now_ms = world_clock, .steady_ms = world_clock, .context = w});
    w->logger.write = world_write;
    w->logger.context = w;
    FINE(log_open(w->config.log, NULL, 15000, &w->store, error));
    w->asks = (world_ask *)calloc(WORLD_ASK_MAX, sizeof(world_ask));
    const log_writer_options options = {.transaction_timeout_ms = 0};
    FINE(log_writer_open(w->store, &options, &w->writer, error));
}

UNUSED_IN_SOME static void world_open(world *w, const char *name, const char *partitions)
{
    char url[64];
    (void)snprintf(url, sizeof(url), "memory:%s", name);
    world_open_log(w, url, partitions);
    log_memory_set_clock(w->store, world_clock, w);
}

UNUSED_IN_SOME static void world_close(world *w)
{
    for (int i = 0; i < WORLD_WORKER_MAX; i++) {
        engine_worker_close(w->workers[i], true);
    }
    log_reader_close(w->service_reader);
    log_writer_close(w->writer);
    log_close(w->store);
    engine_config_deinit(&w->config);
    base_arena_deinit(&w->arena);
    free(w->asks);
}

/* ---- sagas and topics ---- */

UNUSED_IN_SOME static void world_topic(world *w, const char *name, int32_t partitions)
{
    const log_topic_options options = {.name = base_slice_of(name),
                                       .partition_count = partitions,
                                       .retention_ms = -1,
                                       .retention_size = -1};
    FINE(log_topics_ensure(w->store, &options, 1, 1000, error));
}

UNUSED_IN_SOME static base_status world_deploy_status(world *w, const char *text, base_error *why)
{
    engine_topics topics;
    engine_catalog catalog;
    saga_findings findings;
    saga_definition definition;
    saga_findings_init(&findings, &w->arena);
    FINE(engine_topics_name(w->config.prefix, &w->arena, &topics));
    FINE(engine_topics_ensure(w->store, &topics, (int32_t)w->config.partitions, 0, true, 1000,
                              error));
    engine_catalog_init(&catalog, w->store, &topics, &w->logger);
    bool is_new = false;
    base_status status = schema_saga_parse(base_slice_of(text), base_slice_of("test.saga.yaml"),
                                           &w->arena, &definition, &findings);
    if (!base_failed(status)) {
        status = engine_catalog_deploy(&catalog, &definition, w->now_ms, &is_new, &findings, why);
    }
    for (size_t i = 0; base_failed(status) && i < findings.count; i++) {
        char line[1024];
        (void)base_error_render(&findings.items[i], line, sizeof(line));
        print_message("%s\n", line);
    }
    engine_catalog_deinit(&catalog);
    return status;
}

UNUSED_IN_SOME static void world_deploy(world *w, const char *text)
{
    FINE(world_deploy_status(w, text, error));
}

/* ---- workers ---- */

UNUSED_IN_SOME static void world_worker_open(world *w, int index)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "worker-%d-%d", index, w->opened++);
    const engine_worker_options options = {.config = &w->config,
                                           .store = w->store,
                                           .clock = w->logger.clock,
                                           .logger = w->logger,
                                           .name = base_slice_of(name)};
    FINE(engine_worker_open(&options, &w->workers[index], error));
}

UNUSED_IN_SOME static void world_worker_close(world *w, int index)
{
    engine_worker_close(w->workers[index], true);
    w->workers[index] = NULL;
}

UNUSED_IN_SOME static void world_step(world *w, int index)
{
    FINE(engine_worker_step(w->workers[index], 0, error));
}

/* ---- services ---- */

UNUSED_IN_SOME static void world_services(world *w, const world_rule *rules, size_t rule_count,
                                          const char *const *topics, size_t topic_count)
{
    w->rules = rules;
    w->rule_count = rule_count;
    w->ask_topics = topics;
    w->ask_topic_count = topic_count;
}

/* Puts an event on a topic. extra is merged into the event by the caller through `event`. */
UNUSED_IN_SOME static void world_put(world *w, const char *topic, const saga_event *event,
                                     const char *record_key)
{
    schema_record record;
    memset(&record, 0, sizeof(record));
    FINE(schema_envelope_write(event, &w->arena, &record, error));
    record.topic = base_slice_of(topic);
    record.partition = SCHEMA_PARTITION_BY_KEY;
    record.time_ms = w->now_ms;
    record.key = base_slice_of(record_key);
    size_t refused = 0;
    FINE(log_writer_append(w->writer, &record, error));
    FINE(log_writer_commit(w->writer, NULL, NULL, 0, NULL, &refused, error));
}

UNUSED_IN_SOME static base_value world_json(world *w, const char *text)
{
    base_value value;
    const schema_json_options options = {.path = {NULL, 0}};
    FINE(schema_json_read(base_slice_of(text), &options, &w->arena, &value, error));
    return value;
}

/* An event as a service would emit it; record_key: how the service keys its records. */
UNUSED_IN_SOME static void world_emit_keyed(world *w, const char *topic, const char *type,
                                            const char *json, const char *record_key)
{
    saga_event event;
    memset(&event, 0, sizeof(event));
    char id[32];
    (void)snprintf(id, sizeof(id), "event-%d", ++w->event_number);
    event.id = base_slice_of(id);
    event.source = base_slice_of("/test");
    event.type = base_slice_of(type);
    event.time_ms = w->now_ms;
    event.content_type = base_slice_of("application/json");
    event.data = world_json(w, json);
    world_put(w, topic, &event, record_key);
}

UNUSED_IN_SOME static void world_emit(world *w, const char *topic, const char *type,
                                      const char *key, const char *json)
{
    world_emit_keyed(w, topic, type, json, key);
}

UNUSED_IN_SOME static void world_copy(char *out, size_t size, base_slice text)
{
    (void)snprintf(out, size, "%.*s", BASE_SLICE_ARG(text));
}

/* Answers an ask as an echoing service does. */
UNUSED_IN_SOME static void world_answer_numbered(world *w, const world_ask *ask, const char *type,
                                                 const char *topic, const char *json, int number)
{
    saga_event event;
    memset(&event, 0, sizeof(event));
    char id[128];
    (void)snprintf(id, sizeof(id), "%s/%s/%d", ask->id, type, number);
    event.id = base_slice_of(id);
    event.source = base_slice_of("/service");
    event.type = base_slice_of(type);
    event.time_ms = w->now_ms;
    event.content_type = base_slice_of("application/json");
    event.correlation_id = base_slice_of(ask->correlation);
    event.causation_id = base_slice_of(ask->id);
    event.saga_step = base_slice_of(ask->step);
    event.saga_try = ask->try_number;
    event.partition_key = base_slice_of(ask->key);
    event.data = world_json(w, json);
    world_put(w, topic, &event, ask->key);
}

UNUSED_IN_SOME static void world_answer(world *w, const world_ask *ask, const char *type,
                                        const char *topic, const char *json)
{
    world_answer_numbered(w, ask, type, topic, json, 0);
}

UNUSED_IN_SOME static size_t world_ask_count(const world *w, const char *type, const char *key)
{
    size_t count = 0;
    for (size_t i = 0; i < w->ask_count; i++) {
        if (strcmp(w->asks[i].type, type) == 0 &&
            (key == NULL || strcmp(w->asks[i].key, key) == 0)) {
            count++;
        }
    }
    return count;
}

/* The same, but asks with one id count once: a re-publication is the same ask. */
UNUSED_IN_SOME static size_t world_ask_ids(const world *w, const char *type, const char *key)
{
    size_t count = 0;
    for (size_t i = 0; i < w->ask_count; i++) {
        const world_ask *ask = &w->asks[i];
        bool seen = strcmp(ask->type, type) != 0 || (key != NULL && strcmp(ask->key, key) != 0);
        for (size_t k = 0; k < i && !seen; k++) {
            seen = strcmp(w->asks[k].id, ask->id) == 0;
        }
        count += seen ? 0 : 1;
    }
    return count;
}

UNUSED_IN_SOME static world_ask *world_ask_last(world *w, const char *type, const char *key)
{
    for (size_t i = w->ask_count; i > 0; i--) {
        world_ask *ask = &w->asks[i - 1];
        if (strcmp(ask->type, type) == 0 && (key == NULL || strcmp(ask->key, key) == 0)) {
            return ask;
        }
    }
    return NULL;
}

UNUSED_IN_SOME static void world_serve_one(world *w, const schema_record *record)
{
    saga_event event;
    FINE(schema_envelope_read(record, &w->arena, &event, error));
    assert_true(w->ask_count < WORLD_ASK_MAX);
    world_ask *ask = &w->asks[w->ask_count++];
    world_copy(ask->type, sizeof(ask->type), event.type);
    world_copy(ask->key, sizeof(ask->key), record->key);
    world_copy(ask->id, sizeof(ask->id), event.id);
    world_copy(ask->saga_key, sizeof(ask->saga_key), event.saga_key);
    world_copy(ask->correlation, sizeof(ask->correlation), event.correlation_id);
    world_copy(ask->step, sizeof(ask->step), event.saga_step);
    ask->try_number = event.saga_try;
    for (size_t i = 0; i < w->rule_count; i++) {
        const world_rule *rule = &w->rules[i];
        if (strcmp(rule->ask, ask->type) != 0 ||
            (rule->key != NULL && strcmp(rule->key, ask->key) != 0)) {
            continue;
        }
        if (rule->answer != NULL && world_ask_count(w, ask->type, ask->key) > (size_t)rule->skip) {
            world_answer(w, ask, rule->answer, rule->topic, "{\"ok\":true}");
            ask->answered = true;
        }
        return;
    }
}

/* Services read what they are asked. true: there was something. */
UNUSED_IN_SOME static bool world_serve(world *w)
{
    if (w->ask_topic_count == 0) {
        return false;
    }
    if (w->service_reader == NULL) {
        FINE(log_reader_open(w->store, &w->service_reader, error));
        for (size_t i = 0; i < w->ask_topic_count; i++) {
            int32_t count = 0;
            FINE(log_topic_partitions(w->store, base_slice_of(w->ask_topics[i]), &count, error));
            for (int32_t p = 0; p < count; p++) {
                FINE(log_reader_assign(w->service_reader, base_slice_of(w->ask_topics[i]), p,
                                       LOG_OFFSET_BEGIN, error));
            }
        }
    }
    const schema_record *records = NULL;
    size_t count = 0;
    const base_status status = log_reader_poll(w->service_reader, 0, 1000, &records, &count, NULL);
    if (status.code == BASE_UNREACHABLE) {
        return false; /* a test may have stopped its broker */
    }
    world_fine_at(status, NULL, __FILE__, __LINE__);
    for (size_t i = 0; i < count; i++) {
        world_serve_one(w, &records[i]);
    }
    return count > 0;
}

/* ---- letting it run ---- */

/* Steps all workers and services until nothing happens at this moment. */
UNUSED_IN_SOME static void world_settle(world *w)
{
    int calm = 0;
    for (int i = 0; i < WORLD_STEP_MAX && calm < 4; i++) {
        bool idle = true;
        for (int k = 0; k < WORLD_WORKER_MAX; k++) {
            if (w->workers[k] != NULL) {
                world_step(w, k);
                idle = idle && engine_worker_idle(w->workers[k]);
            }
        }
        idle = !world_serve(w) && idle;
        calm = idle ? calm + 1 : 0;
    }
    assert_true(calm >= 4);
}

UNUSED_IN_SOME static void world_advance(world *w, int64_t ms)
{
    w->now_ms += ms;
    world_settle(w);
}

/* Time goes from timer to timer, services answering, until nothing is due within `ms`. */
UNUSED_IN_SOME static void world_run(world *w, int64_t ms)
{
    const int64_t end_ms = w->now_ms + ms;
    world_settle(w);
    while (w->now_ms < end_ms) {
        int64_t next_ms = end_ms;
        for (int k = 0; k < WORLD_WORKER_MAX; k++) {
            if (w->workers[k] != NULL && engine_worker_next_timer_ms(w->workers[k]) < next_ms) {
                next_ms = engine_worker_next_timer_ms(w->workers[k]);
            }
        }
        w->now_ms = next_ms > w->now_ms ? next_ms : w->now_ms + 1;
        world_settle(w);
    }
}

/* ---- looking ---- */

typedef struct world_count {
    const char *type;
    const char *key;
    size_t count;
    base_arena *arena;
} world_count;

UNUSED_IN_SOME static base_status world_each_event(void *context, const schema_record *record,
                                                   base_error *error)
{
    (void)error;
    world_count *count = (world_count *)context;
    if (base_slice_is(engine_wire_header(record, "ce_type"), count->type) &&
        (count->key == NULL || base_slice_is(record->key, count->key))) {
        count->count++;
    }
    return base_ok();
}

/* Events of a type (and key, or NULL) on a topic. */
UNUSED_IN_SOME static size_t world_events(world *w, const char *topic, const char *type,
                                          const char *key)
{
    world_count count = {.type = type, .key = key, .arena = &w->arena};
    int32_t partitions = 0;
    FINE(log_topic_partitions(w->store, base_slice_of(topic), &partitions, error));
    for (int32_t p = 0; p < partitions; p++) {
        int64_t offset = LOG_OFFSET_BEGIN;
        FINE(engine_scan(w->store, base_slice_of(topic), p, &offset, world_each_event, &count,
                         error));
    }
    return count.count;
}

UNUSED_IN_SOME static base_status world_each_letter(void *context, const schema_record *record,
                                                    base_error *error)
{
    (void)error;
    world_count *count = (world_count *)context;
    if (base_slice_is(engine_wire_header(record, ENGINE_HEADER_REASON), count->type)) {
        count->count++;
    }
    return base_ok();
}

/* Dead letters with a reason. */
UNUSED_IN_SOME static size_t world_letters(world *w, const char *reason)
{
    world_count count = {.type = reason, .arena = &w->arena};
    int32_t partitions = 0;
    FINE(log_topic_partitions(w->store, base_slice_of("troupe.dead-letters"), &partitions, error));
    for (int32_t p = 0; p < partitions; p++) {
        int64_t offset = LOG_OFFSET_BEGIN;
        FINE(engine_scan(w->store, base_slice_of("troupe.dead-letters"), p, &offset,
                         world_each_letter, &count, error));
    }
    return count.count;
}

/* The state of an instance in whichever worker holds it, or NULL. Lives in the world's arena. */
UNUSED_IN_SOME static const saga_state *world_state(world *w, const char *saga, const char *key)
{
    for (int k = 0; k < WORLD_WORKER_MAX; k++) {
        for (int32_t p = 0; w->workers[k] != NULL && p < (int32_t)w->config.partitions; p++) {
            engine_partition *fold = engine_worker_partition(w->workers[k], p);
            const engine_slot *slot =
                fold == NULL
                    ? NULL
                    : engine_slots_find(&fold->slots, base_slice_of(saga), base_slice_of(key));
            if (slot != NULL && slot->state.data != NULL) {
                saga_state *state = BASE_ARENA_NEW(&w->arena, saga_state);
                const base_slice bytes = base_arena_copy(&w->arena, slot->state);
                FINE(schema_snapshot_read(bytes, &w->arena, state, error));
                return state;
            }
        }
    }
    return NULL;
}

UNUSED_IN_SOME static const char *world_phase(world *w, const char *saga, const char *key)
{
    const saga_state *state = world_state(w, saga, key);
    return state == NULL ? "none" : saga_phase_name((saga_phase)state->phase);
}

/* The image of a rebuild from the log. */
UNUSED_IN_SOME static base_slice world_rebuilt(world *w, int32_t number, bool use_snapshots)
{
    engine_topics topics;
    engine_catalog catalog;
    engine_partition fold;
    base_slice image = {NULL, 0};
    FINE(engine_topics_name(w->config.prefix, &w->arena, &topics));
    engine_catalog_init(&catalog, w->store, &topics, &w->logger);
    FINE(engine_catalog_read(&catalog, error));
    engine_partition_init(&fold, number, &catalog, &w->logger);
    FINE(engine_rebuild(&fold, w->store, use_snapshots, INT64_MAX, NULL, error));
    FINE(engine_rebuild_image(&fold, &w->arena, &image, error));
    engine_partition_deinit(&fold);
    engine_catalog_deinit(&catalog);
    return image;
}

/* Live state, the rebuild from zero and the rebuild from snapshots are the same bytes, on every
 * partition. */
UNUSED_IN_SOME static void world_check_rebuild(world *w)
{
    for (int32_t p = 0; p < (int32_t)w->config.partitions; p++) {
        const base_slice zero = world_rebuilt(w, p, false);
        const base_slice snapshots = world_rebuilt(w, p, true);
        assert_int_equal(zero.size, snapshots.size);
        assert_memory_equal(zero.data, snapshots.data, zero.size);
        for (int k = 0; k < WORLD_WORKER_MAX; k++) {
            engine_partition *fold =
                w->workers[k] == NULL ? NULL : engine_worker_partition(w->workers[k], p);
            if (fold != NULL) {
                base_slice live = {NULL, 0};
                FINE(engine_rebuild_image(fold, &w->arena, &live, error));
                assert_int_equal(zero.size, live.size);
                assert_memory_equal(zero.data, live.data, zero.size);
            }
        }
    }
}

/* ---- the saga that most tests use ---- */

#define ORDER_SAGA(version, capture_timeout)                                                       \
    "saga: order\n"                                                                                \
    "version: " version "\n"                                                                       \
    "keys: { order: string }\n"                                                                    \
    "services: { orders: {}, payments: { sticky: true }, stock: {} }\n"                            \
    "events:\n"                                                                                    \
    "  order.placed: { from: orders, key: { order: .data.orderId } }\n"                            \
    "  order.cancelled_by_user: { from: orders, key: { order: .data.orderId } }\n"                 \
    "start: { when: order.placed }\n"                                                              \
    "steps:\n"                                                                                     \
    "  authorise: { service: payments, when: order.placed, ask: payment.authorise,\n"              \
    "               with: '{orderId, amount: .total}', emits: payment.authorised,\n"               \
    "               fails: payment.declined, timeout: 20s, retry: 1,\n"                            \
    "               undo: { ask: payment.void, with: '{orderId}', emits: payment.voided } }\n"     \
    "  reserve: { service: stock, when: order.placed, ask: stock.reserve, with: '{orderId}',\n"    \
    "             emits: stock.reserved, fails: stock.refused, timeout: 20s, retry: 1,\n"          \
    "             undo: { ask: stock.release, with: '{orderId}', emits: stock.released } }\n"      \
    "  capture: { service: payments, after: [authorise, reserve], ask: payment.capture,\n"         \
    "             with: '{orderId}', emits: payment.captured, fails: payment.capture_refused,\n"   \
    "             undo: never, pivot: true, timeout: " capture_timeout ", retry: forever }\n"      \
    "abort: [ { when: order.cancelled_by_user, reason: customer } ]\n"                             \
    "ends:\n"                                                                                      \
    "  completed: { emit: order.fulfilled, with: '{orderId}' }\n"                                  \
    "  compensated: { emit: order.cancelled, with: '{orderId, cause: $saga.cause}' }\n"

static const char order_saga[] UNUSED_IN_SOME = ORDER_SAGA("1", "20s");
static const char *const order_ask_topics[] UNUSED_IN_SOME = {"payments.asks", "stock.asks"};
static const world_rule order_rules[] UNUSED_IN_SOME = {
    {"payment.authorise", "declined", "payment.declined", "payments.events", 0},
    {"payment.authorise", "silent", NULL, NULL, 0},
    {"payment.authorise", NULL, "payment.authorised", "payments.events", 0},
    {"payment.capture", NULL, "payment.captured", "payments.events", 0},
    {"payment.void", NULL, "payment.voided", "payments.events", 0},
    {"stock.reserve", NULL, "stock.reserved", "stock.events", 0},
    {"stock.release", NULL, "stock.released", "stock.events", 0},
};

UNUSED_IN_SOME static void world_orders(world *w)
{
    world_deploy(w, order_saga);
    world_services(w, order_rules, sizeof(order_rules) / sizeof(order_rules[0]), order_ask_topics,
                   2);
}

UNUSED_IN_SOME static void world_order_json(char *out, size_t size, const char *key)
{
    (void)snprintf(out, size, "{\"orderId\":\"%s\",\"total\":12.50}", key);
}

UNUSED_IN_SOME static void world_place(world *w, const char *key)
{
    char json[128];
    world_order_json(json, sizeof(json), key);
    world_emit(w, "orders.events", "order.placed", key, json);
}

#endif
