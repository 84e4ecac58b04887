/*
 * The limit on Kafka: the transactional loop of consume, produce, send positions, commit, written
 * directly on librdkafka with nothing of ours in it; and the same loop through connectors/log.h, so
 * that what the interface costs is seen in the same run on the same broker.
 *
 *   scripts/with-kafka build/release/bench/bench_kafka_limit [SECONDS]
 *
 * A topic of four partitions is filled with records of 1 KB; each loop reads a batch, writes as
 * many records of the same size to another topic, and commits records and positions together.
 * Columns: records a second and milliseconds a transaction, for batches of 1, 10, 100 and 1000, for
 * SECONDS (default 4) each.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIBRDKAFKA_TYPECHECKS 0
#include <librdkafka/rdkafka.h>

#include "connectors/log.h"

#define VALUE_SIZE 1024
#define PARTITION_COUNT 4
#define RECORD_COUNT 200000
#define BATCH_MAX 1000
#define ANSWER_MS 30000

static char value[VALUE_SIZE];
static char input[64];
static char output[64];

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench_kafka_limit: %s: %s\n", what, why);
    exit(1);
}

static void must(base_status status, const base_error *error, const char *what)
{
    if (base_failed(status)) {
        die(what, error->text);
    }
}

static void row(const char *what, size_t batch, int64_t records, int64_t transactions,
                double seconds)
{
    (void)printf("%-10s %6zu %12.0f %10.2f\n", what, batch, (double)records / seconds,
                 seconds * 1000 / (double)transactions);
    (void)fflush(stdout);
}

/* ---- the topics ---- */

static void topics_make(log_store *store)
{
    const unsigned long stamp = (unsigned long)time(NULL);
    (void)snprintf(input, sizeof(input), "bench.input.%lx.%ld", stamp, (long)getpid());
    (void)snprintf(output, sizeof(output), "bench.output.%lx.%ld", stamp, (long)getpid());
    base_error error = {0};
    const log_topic_options topics[2] = {{.name = base_slice_of(input),
                                          .partition_count = PARTITION_COUNT,
                                          .retention_ms = -1,
                                          .retention_size = -1},
                                         {.name = base_slice_of(output),
                                          .partition_count = PARTITION_COUNT,
                                          .retention_ms = -1,
                                          .retention_size = -1}};
    must(log_topics_ensure(store, topics, 2, ANSWER_MS, &error), &error, "topics");
}

static void input_fill(log_store *store)
{
    base_error error = {0};
    log_writer *writer = NULL;
    const log_writer_options options = {.identity = base_slice_of(NULL)};
    must(log_writer_open(store, &options, &writer, &error), &error, "writer");
    const double start = now_s();
    for (int64_t i = 0; i < RECORD_COUNT; i++) {
        char key[24];
        (void)snprintf(key, sizeof(key), "order-%" PRId64, i);
        const schema_record record = {.topic = base_slice_of(input),
                                      .partition = SCHEMA_PARTITION_BY_KEY,
                                      .key = base_slice_of(key),
                                      .value = base_slice_make(value, sizeof(value))};
        must(log_writer_append(writer, &record, &error), &error, "append");
        if (i % 10000 == 9999) {
            must(log_writer_commit(writer, NULL, NULL, 0, NULL, NULL, &error), &error, "commit");
        }
    }
    row("fill", 10000, RECORD_COUNT, RECORD_COUNT / 10000, now_s() - start);
    log_writer_close(writer);
}

/* ---- the bare loop ---- */

static int64_t failed_count;

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    failed_count += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void conf_put(rd_kafka_conf_t *conf, const char *name, const char *setting)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, setting, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        die(name, text);
    }
}

static rd_kafka_t *bare_consumer(const char *bootstrap, const char *group)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    conf_put(conf, "bootstrap.servers", bootstrap);
    conf_put(conf, "group.id", group);
    conf_put(conf, "isolation.level", "read_committed");
    conf_put(conf, "enable.auto.commit", "false");
    conf_put(conf, "enable.auto.offset.store", "false");
    conf_put(conf, "auto.offset.reset", "earliest");
    conf_put(conf, "partition.assignment.strategy", "range");
    conf_put(conf, "fetch.wait.max.ms", "50");
    conf_put(conf, "queued.max.messages.kbytes", "32768");
    conf_put(conf, "socket.nagle.disable", "true");
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (rk == NULL) {
        die("consumer", text);
    }
    (void)rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, input, RD_KAFKA_PARTITION_UA);
    if (rd_kafka_subscribe(rk, topics) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        die("subscribe", input);
    }
    rd_kafka_topic_partition_list_destroy(topics);
    return rk;
}

static void bare_check(rd_kafka_error_t *error, const char *what)
{
    if (error != NULL) {
        die(what, rd_kafka_error_string(error));
    }
}

static rd_kafka_t *bare_producer(const char *bootstrap, const char *identity)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    conf_put(conf, "bootstrap.servers", bootstrap);
    conf_put(conf, "transactional.id", identity);
    conf_put(conf, "transaction.timeout.ms", "15000");
    conf_put(conf, "partitioner", "murmur2_random");
    conf_put(conf, "linger.ms", "1");
    conf_put(conf, "compression.codec", "lz4");
    conf_put(conf, "socket.nagle.disable", "true");
    conf_put(conf, "retry.backoff.ms", "10");
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (rk == NULL) {
        die("producer", text);
    }
    bare_check(rd_kafka_init_transactions(rk, ANSWER_MS), "init_transactions");
    return rk;
}

/* One transaction: reads at least one and at most `batch` records, writes as many. Returns how
 * many. */
static size_t bare_transaction(rd_kafka_t *consumer, rd_kafka_t *producer, rd_kafka_topic_t *topic,
                               size_t batch, int64_t next[PARTITION_COUNT])
{
    bare_check(rd_kafka_begin_transaction(producer), "begin_transaction");
    size_t count = 0;
    while (count < batch) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, count == 0 ? 1000 : 0);
        if (message == NULL) {
            if (count > 0) {
                break;
            }
            continue;
        }
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            die("consume", rd_kafka_message_errstr(message));
        }
        const rd_kafka_resp_err_t err = rd_kafka_producev(
            producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(message->key, message->key_len),
            RD_KAFKA_V_VALUE(message->payload, message->len), RD_KAFKA_V_END);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            die("produce", rd_kafka_err2str(err));
        }
        next[message->partition] = message->offset + 1;
        rd_kafka_message_destroy(message);
        count++;
    }
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(PARTITION_COUNT);
    for (int32_t i = 0; i < PARTITION_COUNT; i++) {
        if (next[i] > 0) {
            rd_kafka_topic_partition_list_add(offsets, input, i)->offset = next[i];
        }
    }
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(consumer);
    bare_check(rd_kafka_send_offsets_to_transaction(producer, offsets, metadata, ANSWER_MS),
               "send_offsets");
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_destroy(offsets);
    bare_check(rd_kafka_commit_transaction(producer, ANSWER_MS), "commit_transaction");
    return count;
}

static void bare_run(const char *bootstrap, size_t batch, double seconds)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "bench.bare.%ld.%zu", (long)getpid(), batch);
    rd_kafka_t *consumer = bare_consumer(bootstrap, name);
    rd_kafka_t *producer = bare_producer(bootstrap, name);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, output, NULL);
    int64_t next[PARTITION_COUNT] = {0};
    (void)bare_transaction(consumer, producer, topic, batch, next); /* joins, connects */
    int64_t records = 0;
    int64_t transactions = 0;
    const double start = now_s();
    while (now_s() - start < seconds && records < RECORD_COUNT - 2 * BATCH_MAX) {
        records += (int64_t)bare_transaction(consumer, producer, topic, batch, next);
        transactions++;
    }
    row("librdkafka", batch, records, transactions, now_s() - start);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    if (failed_count > 0) {
        die("delivery", "records were not written");
    }
}

/* ---- the same through log.h ---- */

typedef struct log_loop {
    log_member *member;
    log_reader *reader;
    log_writer *writer;
    int64_t next[PARTITION_COUNT];
} log_loop;

static log_loop loop_open(log_store *store, const char *name)
{
    base_error error = {0};
    log_loop loop = {0};
    const base_slice topic = base_slice_of(input);
    const log_member_options member = {
        .group = base_slice_of(name), .topics = &topic, .topic_count = 1};
    const log_writer_options writer = {.identity = base_slice_of(name)};
    must(log_member_open(store, &member, &loop.member, &error), &error, "member");
    must(log_reader_open(store, &loop.reader, &error), &error, "reader");
    must(log_writer_open(store, &writer, &loop.writer, &error), &error, "writer");
    log_member_event event = {0};
    while (event.kind != LOG_MEMBER_ASSIGNED) {
        must(log_member_poll(loop.member, 1000, &event, &error), &error, "join");
    }
    for (size_t i = 0; i < event.partition_count; i++) {
        must(log_reader_assign(loop.reader, event.partitions[i].topic,
                               event.partitions[i].partition, 0, &error),
             &error, "assign");
    }
    return loop;
}

static size_t loop_transaction(log_loop *loop, size_t batch)
{
    base_error error = {0};
    size_t count = 0;
    while (count < batch) {
        const schema_record *records = NULL;
        size_t got = 0;
        must(log_reader_poll(loop->reader, count == 0 ? 1000 : 0, batch - count, &records, &got,
                             &error),
             &error, "poll");
        if (got == 0 && count > 0) {
            break;
        }
        for (size_t i = 0; i < got; i++) {
            const schema_record record = {.topic = base_slice_of(output),
                                          .partition = SCHEMA_PARTITION_BY_KEY,
                                          .key = records[i].key,
                                          .value = records[i].value};
            must(log_writer_append(loop->writer, &record, &error), &error, "append");
            loop->next[records[i].partition] = records[i].offset + 1;
        }
        count += got;
    }
    log_position positions[PARTITION_COUNT];
    size_t position_count = 0;
    for (int32_t i = 0; i < PARTITION_COUNT; i++) {
        if (loop->next[i] > 0) {
            positions[position_count++] = (log_position){base_slice_of(input), i, loop->next[i]};
        }
    }
    must(log_writer_commit(loop->writer, loop->member, positions, position_count, NULL, NULL,
                           &error),
         &error, "commit");
    return count;
}

static void loop_run(log_store *store, size_t batch, double seconds)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "bench.log.%ld.%zu", (long)getpid(), batch);
    log_loop loop = loop_open(store, name);
    (void)loop_transaction(&loop, batch);
    int64_t records = 0;
    int64_t transactions = 0;
    double polled = now_s();
    const double start = polled;
    while (now_s() - start < seconds && records < RECORD_COUNT - 2 * BATCH_MAX) {
        records += (int64_t)loop_transaction(&loop, batch);
        transactions++;
        if (now_s() - polled > 0.5) {
            base_error error = {0};
            log_member_event event = {0};
            must(log_member_poll(loop.member, 0, &event, &error), &error, "member");
            polled = now_s();
        }
    }
    row("log.h", batch, records, transactions, now_s() - start);
    log_writer_close(loop.writer);
    log_reader_close(loop.reader);
    log_member_close(loop.member, true);
}

int main(int argc, char **argv)
{
    const char *bootstrap = getenv("KAFKA_BOOTSTRAP");
    if (bootstrap == NULL) {
        (void)fprintf(
            stderr, "bench_kafka_limit: KAFKA_BOOTSTRAP is not set (scripts/with-kafka sets it)\n");
        return 77;
    }
    const double seconds = argc > 1 ? strtod(argv[1], NULL) : 4;
    uint64_t noise = 1;
    for (size_t i = 0; i < sizeof(value); i++) {
        /* Half of it compresses, as events do. */
        noise = noise * 6364136223846793005U + 1442695040888963407U;
        value[i] = (char)(i % 2 == 0 ? 'a' : 'a' + (noise >> 33) % 26);
    }
    char url[512];
    (void)snprintf(url, sizeof(url), "kafka://%s", bootstrap);
    base_error error = {0};
    log_store *store = NULL;
    must(log_open(base_slice_of(url), NULL, ANSWER_MS, &store, &error), &error, "open");
    topics_make(store);
    (void)printf("%-10s %6s %12s %10s\n", "loop", "batch", "records/s", "ms/txn");
    input_fill(store);
    static const size_t batches[] = {1, 10, 100, 1000};
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        bare_run(bootstrap, batches[i], seconds);
        loop_run(store, batches[i], seconds);
    }
    log_close(store);
    return 0;
}
