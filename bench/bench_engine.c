/*
 * bench_engine [URL [ORDERS]]: what the engine does a second. Orders and their payments wait on two
 * topics; one worker reads them all: two entries an order, and an ask, an end and a phase event
 * beside them. Time runs from the first step to the last entry. Next to it the same log moves the
 * same number of records with nobody deciding anything: read a batch, write as many records of the
 * same size, commit (the limit).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/catalog.h"
#include "engine/worker.h"
#include "schemas/envelope.h"
#include "schemas/saga_file.h"

static const char saga[] =
    "saga: bench\n"
    "version: 1\n"
    "keys: { order: string }\n"
    "services: { orders: {}, payments: {} }\n"
    "events:\n"
    "  order.placed: { from: orders, key: { order: .data.orderId } }\n"
    "  payment.made: { from: payments, key: { order: .data.orderId } }\n"
    "start: { when: order.placed, if: '$event.data.total > 0' }\n"
    "steps:\n"
    "  pay: { service: payments, when: order.placed, ask: payment.ask, with: '{orderId, amount: "
    ".total}',\n"
    "         emits: payment.made, undo: none, timeout: 1h, set: '.paid = $event.data.amount' }\n"
    "ends: { completed: { emit: order.done, with: '{orderId}' } }\n";

typedef struct bench {
    engine_config config;
    engine_logger logger;
    log_store *store;
    engine_topics topics;
    base_arena arena;
    int orders;
} bench;

static void check(base_status status, const base_error *error)
{
    if (base_failed(status)) {
        (void)fprintf(stderr, "bench_engine: %s: %s\n", base_status_name(status), error->text);
        exit(1);
    }
}

static double seconds(void)
{
    const engine_clock clock = engine_clock_real();
    return (double)engine_steady_ms(&clock) / 1000.0;
}

static void put(bench *b, log_writer *writer, const char *topic, const char *type, int number)
{
    base_error error;
    base_error_clear(&error);
    char key[32];
    char id[64];
    (void)snprintf(key, sizeof(key), "order-%d", number);
    (void)snprintf(id, sizeof(id), "%s-%d", type, number);
    const base_value order_id = base_value_text(key);
    const base_value total = base_value_integer(100 + number % 900);
    base_map_builder map;
    base_map_begin(&map, &b->arena);
    check(base_map_put_text(&map, "orderId", &order_id), &error);
    check(base_map_put_text(&map, "total", &total), &error);
    check(base_map_put_text(&map, "amount", &total), &error);
    saga_event event;
    memset(&event, 0, sizeof(event));
    event.id = base_slice_of(id);
    event.source = base_slice_of("/bench");
    event.type = base_slice_of(type);
    event.time_ms = engine_now_ms(&b->logger.clock);
    event.content_type = base_slice_of("application/json");
    event.data = base_map_end(&map);
    schema_record record;
    memset(&record, 0, sizeof(record));
    check(schema_envelope_write(&event, &b->arena, &record, &error), &error);
    record.topic = base_slice_of(topic);
    record.partition = SCHEMA_PARTITION_BY_KEY;
    record.key = base_slice_of(key);
    check(log_writer_append(writer, &record, &error), &error);
}

static void commit(log_writer *writer)
{
    base_error error;
    base_error_clear(&error);
    size_t refused = 0;
    check(log_writer_commit(writer, NULL, NULL, 0, NULL, &refused, &error), &error);
}

static void fill(bench *b)
{
    base_error error;
    base_error_clear(&error);
    log_writer *writer = NULL;
    const log_writer_options options = {.identity = base_slice_of("bench-fill")};
    check(log_writer_open(b->store, &options, &writer, &error), &error);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < b->orders; i++) {
            put(b, writer, round == 0 ? "orders.events" : "payments.events",
                round == 0 ? "order.placed" : "payment.made", i);
            if (i % 1000 == 999 || i == b->orders - 1) {
                commit(writer);
                base_arena_reset(&b->arena);
            }
        }
    }
    log_writer_close(writer);
}

static void prepare(bench *b)
{
    base_error error;
    base_error_clear(&error);
    engine_catalog catalog;
    saga_findings findings;
    saga_definition definition;
    bool is_new = false;
    saga_findings_init(&findings, &b->arena);
    check(engine_topics_name(b->config.prefix, &b->arena, &b->topics), &error);
    check(engine_topics_ensure(b->store, &b->topics, (int32_t)b->config.partitions, 0, true, 30000,
                               &error),
          &error);
    engine_catalog_init(&catalog, b->store, &b->topics, &b->logger);
    check(schema_saga_parse(base_slice_of(saga), base_slice_of("bench.saga.yaml"), &b->arena,
                            &definition, &findings),
          &error);
    check(engine_catalog_deploy(&catalog, &definition, 1, &is_new, &findings, &error), &error);
    engine_catalog_deinit(&catalog);
    static const char *const names[] = {"orders.events", "payments.events", "payments.asks"};
    for (size_t i = 0; i < 3; i++) {
        const log_topic_options topic = {.name = base_slice_of(names[i]),
                                         .partition_count = (int32_t)b->config.partitions,
                                         .retention_ms = -1,
                                         .retention_size = -1};
        check(log_topics_ensure(b->store, &topic, 1, 30000, &error), &error);
    }
}

static void run(bench *b)
{
    base_error error;
    base_error_clear(&error);
    engine_worker *worker = NULL;
    const engine_worker_options options = {.config = &b->config,
                                           .store = b->store,
                                           .clock = b->logger.clock,
                                           .logger = b->logger,
                                           .name = base_slice_of("bench")};
    check(engine_worker_open(&options, &worker, &error), &error);
    size_t active = 0;
    size_t waiting = 0;
    while (active < (size_t)b->config.partitions) {
        check(engine_worker_step(worker, 10, &error), &error);
        engine_worker_partitions(worker, &active, &waiting);
    }
    const uint64_t wanted = 2 * (uint64_t)b->orders;
    const double begun = seconds();
    while (engine_worker_counters(worker)->entries < wanted) {
        check(engine_worker_step(worker, 100, &error), &error);
    }
    const double taken = seconds() - begun;
    const engine_counters *counters = engine_worker_counters(worker);
    printf("engine   %9.0f events/s  (%" PRIu64 " entries, %" PRIu64 " events out, %" PRIu64
           " batches, %.2f s)\n",
           (double)wanted / taken, counters->entries, counters->published, counters->batches,
           taken);
    engine_worker_close(worker, true);
}

/* Read as the engine reads, write as many records and bytes as it wrote to the journal and the
 * topics. */
static void limit(bench *b)
{
    base_error error;
    base_error_clear(&error);
    log_reader *reader = NULL;
    log_writer *writer = NULL;
    const log_writer_options options = {.identity = base_slice_of("bench-limit")};
    const log_topic_options topic = {.name = base_slice_of("bench.limit"),
                                     .partition_count = (int32_t)b->config.partitions,
                                     .retention_ms = -1,
                                     .retention_size = -1};
    static const char bytes[700];
    check(log_topics_ensure(b->store, &topic, 1, 30000, &error), &error);
    check(log_reader_open(b->store, &reader, &error), &error);
    check(log_writer_open(b->store, &options, &writer, &error), &error);
    for (int32_t p = 0; p < (int32_t)b->config.partitions; p++) {
        check(
            log_reader_assign(reader, base_slice_of("orders.events"), p, LOG_OFFSET_BEGIN, &error),
            &error);
        check(log_reader_assign(reader, base_slice_of("payments.events"), p, LOG_OFFSET_BEGIN,
                                &error),
              &error);
    }
    const double begun = seconds();
    uint64_t moved = 0;
    while (moved < 2 * (uint64_t)b->orders) {
        const schema_record *records = NULL;
        size_t count = 0;
        check(log_reader_poll(reader, 100, (size_t)b->config.batch_max, &records, &count, &error),
              &error);
        for (size_t i = 0; i < count; i++) {
            const schema_record entry = {.topic = base_slice_of("bench.limit"),
                                         .partition = records[i].partition,
                                         .key = records[i].key,
                                         .value = base_slice_make(bytes, sizeof(bytes))};
            const schema_record event = {.topic = base_slice_of("bench.limit"),
                                         .partition = records[i].partition,
                                         .key = records[i].key,
                                         .value = base_slice_make(bytes, 400)};
            check(log_writer_append(writer, &entry, &error), &error);
            check(log_writer_append(writer, &event, &error), &error);
        }
        commit(writer);
        moved += count;
    }
    const double taken = seconds() - begun;
    printf("the log  %9.0f events/s  (the limit: as many records and bytes, nothing decided, %.2f "
           "s)\n",
           (double)moved / taken, taken);
    log_reader_close(reader);
    log_writer_close(writer);
}

int main(int argc, char **argv)
{
    static bench b;
    base_error error;
    base_error_clear(&error);
    const char *url = argc > 1 ? argv[1] : "memory:bench";
    b.orders = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 20000;
    if (b.orders < 1) {
        (void)fprintf(stderr, "usage: bench_engine [URL [ORDERS]]\n");
        return 2;
    }
    base_arena_init(&b.arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    engine_config_init(&b.config);
    check(engine_config_set(&b.config, base_slice_of("log"), base_slice_of(url), &error), &error);
    check(engine_config_set(&b.config, base_slice_of("partitions"), base_slice_of("4"), &error),
          &error);
    check(engine_config_finish(&b.config, &error), &error);
    engine_logger_init(&b.logger, ENGINE_LOG_WARN, false, engine_clock_real());
    check(log_open(b.config.log, NULL, 15000, &b.store, &error), &error);
    prepare(&b);
    fill(&b);
    run(&b);
    limit(&b);
    log_close(b.store);
    engine_config_deinit(&b.config);
    base_arena_deinit(&b.arena);
    return 0;
}
