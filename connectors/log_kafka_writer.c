/*
 * Writing: a producer, with transactions where it has an identity. This file makes it and gives
 * it records; log_kafka_commit.c has the life of a transaction.
 *
 * Each record has a place in `results`, where its delivery report puts offset or error. The
 * opaque of a message is transaction number and index, so that a late report of an aborted
 * transaction does not count. A delivery callback must be set: without one, flush sleeps up to 10
 * ms in each commit.
 *
 * What can be refused before a record is sent is refused here, so that the transaction stands:
 * the topic, the partition, the broker's bound on a batch, a missing key on a compacted topic.
 * What the broker refuses later is found by the commit, which names the record.
 */
#include "connectors/log_kafka_writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TRANSACTION_TIMEOUT_MS_DEFAULT 15000
#define OPEN_MS 30000
#define CLOSE_MS 2000
#define BATCH_SIZE 1000000     /* librdkafka's batch.size */
#define BATCH_OVERHEAD 61      /* of a record batch, format 2 */
#define RECORD_OVERHEAD_MAX 36 /* lengths, attributes, time and offset of a record */
#define HEADER_OVERHEAD_MAX 10

/* librdkafka takes what it only reads as void *. */
static void *unconst(const void *data)
{
    return (void *)(uintptr_t)data;
}

/* ---- opening and closing ---- */

/* Runs in the caller's thread, inside poll, flush, commit or abort. */
static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    log_kafka_client *client = opaque;
    log_kafka_writer *writer =
        (log_kafka_writer *)(void *)((char *)client - offsetof(log_kafka_writer, client));
    const uintptr_t tag = (uintptr_t)message->_private;
    const size_t index = (size_t)(tag & UINT32_MAX);
    if ((uint32_t)(tag >> 32) != writer->number || index >= writer->result_count) {
        return;
    }
    log_kafka_writer_result *result = &writer->results[index];
    result->err = message->err;
    result->offset = message->offset;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        writer->failed_count++;
    }
}

static void writer_free(log_kafka_writer *writer)
{
    for (size_t i = 0; i < writer->topic_count; i++) {
        rd_kafka_topic_destroy(writer->topics[i]->handle);
        free(writer->topics[i]);
    }
    if (writer->client.rk != NULL) {
        (void)rd_kafka_purge(writer->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(writer->client.rk);
    }
    free(writer->topics);
    free(writer->results);
    free(writer);
}

static base_status writer_init_transactions(log_kafka_writer *writer, const char *identity,
                                            base_error *error)
{
    const int64_t deadline_ms = log_kafka_now_ms() + OPEN_MS;
    for (;;) {
        rd_kafka_error_t *failure =
            rd_kafka_init_transactions(writer->client.rk, log_kafka_left_ms(deadline_ms));
        if (failure == NULL) {
            return base_ok();
        }
        const rd_kafka_resp_err_t err = rd_kafka_error_code(failure);
        const bool again =
            rd_kafka_error_is_retriable(failure) != 0 && log_kafka_left_ms(deadline_ms) > 0;
        rd_kafka_error_destroy(failure);
        log_kafka_client_poll(&writer->client);
        if (!again) {
            return log_kafka_fail(&writer->client, err, error, "writer \"%s\" at %s", identity,
                                  writer->client.store->brokers);
        }
        log_kafka_pause(LOG_KAFKA_RETRY_PAUSE_MS);
    }
}

static base_status writer_start(log_kafka_writer *writer, const char *identity, base_error *error)
{
    const log_kafka_store *store = writer->client.store;
    rd_kafka_conf_t *conf = NULL;
    BASE_TRY(log_kafka_conf_new(&writer->client, RD_KAFKA_PRODUCER, &conf, error));
    log_kafka_conf_default_number(store, conf, "message.max.bytes",
                                  (int64_t)store->store.record_size_max);
    log_kafka_conf_default_number(store, conf, "message.timeout.ms",
                                  writer->transaction_timeout_ms);
    if (writer->transactional) {
        log_kafka_conf_fix(conf, "transactional.id", identity);
        log_kafka_conf_fix_number(conf, "transaction.timeout.ms", writer->transaction_timeout_ms);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    BASE_TRY(log_kafka_client_open(&writer->client, RD_KAFKA_PRODUCER, conf, error));
    return writer->transactional ? writer_init_transactions(writer, identity, error) : base_ok();
}

base_status log_kafka_writer_open(log_store *store, const log_writer_options *options,
                                  log_writer **writer_out, base_error *error)
{
    log_kafka_writer *writer = calloc(1, sizeof(*writer));
    char *identity = log_kafka_text(options->identity);
    if (writer == NULL || identity == NULL) {
        free(writer);
        free(identity);
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a writer");
    }
    writer->client.store = (log_kafka_store *)(void *)store;
    writer->transactional = options->identity.size > 0;
    writer->transaction_timeout_ms = options->transaction_timeout_ms > 0
                                         ? options->transaction_timeout_ms
                                         : TRANSACTION_TIMEOUT_MS_DEFAULT;
    const base_status status = writer_start(writer, identity, error);
    free(identity);
    if (base_failed(status)) {
        writer_free(writer);
        return status;
    }
    *writer_out = &writer->writer;
    return base_ok();
}

void log_kafka_writer_close(log_writer *base)
{
    log_kafka_writer *writer = log_kafka_writer_of(base);
    /* After a fatal error, or an outcome that is not known, an abort is not ours to make: the
     * successor decides. */
    if (writer->begun && base->failure != BASE_FENCED && base->failure != BASE_OUTCOME_UNKNOWN) {
        const base_status aborted = log_kafka_writer_abort_finish(writer, CLOSE_MS, NULL);
        (void)aborted; /* the transaction's time-out does it then */
    }
    writer_free(writer);
}

/* ---- appending ---- */

static log_kafka_writer_topic *topic_find(const log_kafka_writer *writer, base_slice name,
                                          uint32_t *index_out)
{
    for (size_t i = 0; i < writer->topic_count; i++) {
        if (base_slice_is(name, writer->topics[i]->facts.topic->name)) {
            *index_out = (uint32_t)i;
            return writer->topics[i];
        }
    }
    return NULL;
}

/* Makes the topic known to the producer now, or its first record would wait for the next look at
 * the cluster. */
static base_status topic_warm(log_kafka_writer *writer, rd_kafka_topic_t *handle, base_error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t err =
        rd_kafka_metadata(writer->client.rk, 0, handle, &metadata, LOG_KAFKA_CALL_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return log_kafka_fail(&writer->client, err, error, "topic \"%s\"",
                              rd_kafka_topic_name(handle));
    }
    rd_kafka_metadata_destroy(metadata);
    return base_ok();
}

static base_status topic_make(log_kafka_writer *writer, const log_kafka_topic_facts *facts,
                              log_kafka_writer_topic **topic_out, base_error *error)
{
    log_kafka_writer_topic **grown =
        realloc(writer->topics, (writer->topic_count + 1) * sizeof(*grown));
    if (grown != NULL) {
        writer->topics = grown;
    }
    log_kafka_writer_topic *topic = calloc(1, sizeof(*topic));
    rd_kafka_topic_t *handle = grown != NULL && topic != NULL
                                   ? rd_kafka_topic_new(writer->client.rk, facts->topic->name, NULL)
                                   : NULL;
    if (handle == NULL) {
        free(topic);
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for topic \"%s\"",
                              facts->topic->name);
    }
    const base_status status = topic_warm(writer, handle, error);
    if (base_failed(status)) {
        rd_kafka_topic_destroy(handle);
        free(topic);
        return status;
    }
    topic->handle = handle;
    topic->facts = *facts;
    topic->known_at_ms = log_kafka_now_ms();
    writer->topics[writer->topic_count++] = topic;
    *topic_out = topic;
    return base_ok();
}

/* The record's topic, with facts that are fresh enough. */
static base_status topic_get(log_kafka_writer *writer, const schema_record *record,
                             uint32_t *index_out, base_error *error)
{
    log_kafka_writer_topic *topic = topic_find(writer, record->topic, index_out);
    const int64_t now_ms = log_kafka_now_ms();
    bool refresh = false;
    if (topic != NULL) {
        refresh = record->partition >= topic->facts.partition_count || topic->known_at_ms == 0;
        if (!refresh && now_ms - topic->known_at_ms < LOG_KAFKA_TOPIC_FRESH_MS) {
            return base_ok();
        }
    }
    log_kafka_topic_facts facts;
    BASE_TRY(log_kafka_topic_get(writer->client.store, record->topic, refresh, &facts, error));
    if (topic != NULL) {
        /* Also for librdkafka, which keeps refusing a topic that was once refused until it looks
         * again. */
        BASE_TRY(topic_warm(writer, topic->handle, error));
        topic->facts = facts;
        topic->known_at_ms = now_ms;
        return base_ok();
    }
    *index_out = (uint32_t)writer->topic_count;
    return topic_make(writer, &facts, &topic, error);
}

/* The size of a batch that holds the record alone, uncompressed, rounded up. */
static int64_t batch_size(const schema_record *record)
{
    return (int64_t)log_record_size(record) + BATCH_OVERHEAD + RECORD_OVERHEAD_MAX +
           HEADER_OVERHEAD_MAX * (int64_t)record->header_count;
}

/* What can be known of a refusal before the record is sent. */
static base_status record_check(const log_kafka_writer_topic *topic, const schema_record *record,
                                base_error *error)
{
    const char *name = topic->facts.topic->name;
    if (topic->facts.compacted && record->key.data == NULL) {
        return base_error_set(error, BASE_REFUSED,
                              "topic \"%s\" is compacted and takes no record without a key", name);
    }
    const int64_t size = batch_size(record);
    if (topic->facts.batch_size_max > 0 && size > topic->facts.batch_size_max) {
        const base_status status = base_error_set(
            error, BASE_TOO_LARGE,
            "a record of %" PRId64 " bytes is too large for topic \"%s\", which takes %" PRId64,
            size, name, topic->facts.batch_size_max);
        base_error_hint(error, "the topic's max.message.bytes is the bound");
        return status;
    }
    return base_ok();
}

static base_status results_room(log_kafka_writer *writer, base_error *error)
{
    if (writer->result_count < writer->result_capacity) {
        return base_ok();
    }
    const size_t capacity = writer->result_capacity == 0 ? 256 : writer->result_capacity * 2;
    log_kafka_writer_result *grown =
        capacity <= UINT32_MAX ? realloc(writer->results, capacity * sizeof(*grown)) : NULL;
    if (grown == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY,
                              "no memory for a transaction of %zu records", writer->result_count);
    }
    writer->results = grown;
    writer->result_capacity = capacity;
    return base_ok();
}

/* Where a topic takes smaller batches than librdkafka makes, what is on its way goes first:
 * librdkafka does not split a batch that the broker found too large. */
static base_status batch_bound(log_kafka_writer *writer, log_kafka_writer_topic *topic,
                               const schema_record *record, base_error *error)
{
    const int64_t bound = topic->facts.batch_size_max;
    if (bound <= 0 || bound >= BATCH_SIZE) {
        return base_ok();
    }
    const int64_t size = batch_size(record);
    if (topic->unflushed_size + size > bound) {
        const rd_kafka_resp_err_t err =
            rd_kafka_flush(writer->client.rk, writer->transaction_timeout_ms);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return log_kafka_fail(&writer->client, err, error, "writing");
        }
        topic->unflushed_size = 0;
    }
    topic->unflushed_size += size;
    return base_ok();
}

static rd_kafka_headers_t *headers_make(const schema_record *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; headers != NULL && i < record->header_count; i++) {
        const schema_header *header = &record->headers[i];
        const char *name = header->name.data != NULL ? header->name.data : "";
        if (rd_kafka_header_add(headers, name, (ssize_t)header->name.size, header->value.data,
                                (ssize_t)header->value.size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_headers_destroy(headers);
            return NULL;
        }
    }
    return headers;
}

/* Gives the record to librdkafka; waits while its queue is full. */
static rd_kafka_resp_err_t produce(log_kafka_writer *writer, const log_kafka_writer_topic *topic,
                                   int32_t partition, const schema_record *record)
{
    rd_kafka_headers_t *headers = NULL;
    if (record->header_count > 0 && (headers = headers_make(record)) == NULL) {
        return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    }
    const uintptr_t tag = ((uintptr_t)writer->number << 32) | (uintptr_t)writer->result_count;
    const int64_t deadline_ms = log_kafka_now_ms() + writer->transaction_timeout_ms;
    rd_kafka_resp_err_t err;
    for (;;) {
        err = rd_kafka_producev(
            writer->client.rk, RD_KAFKA_V_RKT(topic->handle), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(unconst(record->key.data), record->key.size),
            RD_KAFKA_V_VALUE(unconst(record->value.data), record->value.size),
            RD_KAFKA_V_TIMESTAMP(record->time_ms), RD_KAFKA_V_OPAQUE(unconst((const void *)tag)),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL || log_kafka_left_ms(deadline_ms) == 0) {
            break;
        }
        (void)rd_kafka_poll(writer->client.rk, 10);
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && headers != NULL) {
        rd_kafka_headers_destroy(headers);
    }
    return err;
}

/* The status of a record that librdkafka did not take. */
static base_status produce_tell(log_kafka_writer *writer, rd_kafka_resp_err_t err,
                                const log_kafka_writer_topic *topic, base_error *error)
{
    const char *name = topic->facts.topic->name;
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR__STATE:
        return log_kafka_writer_fatal_tell(writer, "writing", error);
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return base_error_set(error, BASE_UNREACHABLE,
                              "writing to topic \"%s\": no broker takes records: %s", name,
                              writer->client.failure);
    case RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE:
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a record");
    default:
        return log_kafka_fail(&writer->client, err, error, "writing to topic \"%s\"", name);
    }
}

base_status log_kafka_writer_append(log_writer *base, const schema_record *record,
                                    base_error *error)
{
    log_kafka_writer *writer = log_kafka_writer_of(base);
    uint32_t topic_index = 0;
    BASE_TRY(topic_get(writer, record, &topic_index, error));
    log_kafka_writer_topic *topic = writer->topics[topic_index];
    int32_t partition = 0;
    BASE_TRY(
        log_partition_pick(record, topic->facts.partition_count, &writer->turn, &partition, error));
    BASE_TRY(record_check(topic, record, error));
    BASE_TRY(results_room(writer, error));
    BASE_TRY(log_kafka_writer_begin(writer, error));
    BASE_TRY(batch_bound(writer, topic, record, error));
    writer->results[writer->result_count] = (log_kafka_writer_result){
        .offset = -1,
        .err = RD_KAFKA_RESP_ERR__IN_PROGRESS,
        .topic = topic_index,
        .partition = partition,
        .size = (uint32_t)log_record_size(record),
    };
    if (!writer->doomed) {
        const rd_kafka_resp_err_t err = produce(writer, topic, partition, record);
        /* A transaction that has failed refuses further records but does not say which of the
         * earlier ones is at fault; commit finds out. */
        writer->doomed = err == RD_KAFKA_RESP_ERR__STATE && !log_kafka_writer_fatal(writer);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR && !writer->doomed) {
            topic->known_at_ms = 0;
            return produce_tell(writer, err, topic, error);
        }
    }
    writer->result_count++;
    /* Serves delivery reports now and then; the commit waits for the rest. */
    if (writer->result_count % 64 == 0) {
        (void)rd_kafka_poll(writer->client.rk, 0);
    }
    return base_ok();
}
