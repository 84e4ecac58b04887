/*
 * Writing: a producer, with transactions where it has an identity.
 *
 *          append            commit: positions, flush, EndTxn
 *   idle ---------> begun --------------------------------------> idle
 *     ^               |  error that asks for an abort, time-out before EndTxn
 *     |    abort      v
 *     +----------- aborting (kept, and finished by the next call, when the broker does not answer)
 *
 * librdkafka classes its errors, and each class has one answer:
 *   retriable   the same call again, until the time is up
 *   abortable   abort_transaction; nothing of the transaction will ever be seen
 *   fatal       _FENCED: a successor is at work. Others: the state of this producer is lost; open a
 * new writer A commit whose end we did not see has an unknown outcome: it says so and nothing else
 * is done with this producer, since librdkafka speaks the protocol before KIP-890, in which a late
 * EndTxn may finish a later transaction (KAFKA-17754). For the same reason a writer that saw
 * connections fail during a commit which then succeeded by a repeated request does not begin
 * another transaction.
 *
 * Each record has a place in `results`; its delivery report fills in offset or error. The opaque of
 * a message is transaction number and index, so that a late report of an aborted transaction does
 * not count. A delivery callback must be set: without one, flush sleeps up to 10 ms in each commit.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "connectors/log_kafka.h"

#define TRANSACTION_TIMEOUT_MS_DEFAULT 15000
#define BEYOND_TRANSACTION_MS                                                                      \
    5000 /* a commit is waited for longer than the transaction may last  \
                                    */
#define OPEN_MS 30000
#define ABORT_MS 10000
#define CLOSE_MS 2000
#define RETRY_PAUSE_MS 5
#define FAILURE_TOLD_AGAIN_MS 30000 /* librdkafka tells the same failure once in this time */
#define BATCH_SIZE 1000000          /* librdkafka's batch.size */
#define BATCH_OVERHEAD 61           /* of a record batch, format 2 */
#define RECORD_OVERHEAD_MAX                                                                        \
    36 /* lengths, attributes, time and offset of a record, at their longest */
#define HEADER_OVERHEAD_MAX 10

_Static_assert(sizeof(uintptr_t) >= 8,
               "a message's opaque holds a transaction number and an index");

typedef struct writer_topic {
    rd_kafka_topic_t *handle;
    log_kafka_topic_facts facts;
    int64_t known_at_ms;
    int64_t unflushed_size; /* only kept where the topic takes less than librdkafka's batches */
} writer_topic;

typedef struct writer_result {
    int64_t offset;
    rd_kafka_resp_err_t err; /* _IN_PROGRESS: no report yet */
    uint32_t topic;
    int32_t partition;
    uint32_t size;
} writer_result;

typedef struct log_kafka_writer {
    log_writer writer;
    log_kafka_client client;
    bool transactional;
    int32_t transaction_timeout_ms;
    bool begun;
    bool doomed;     /* the transaction has failed; commit says why and aborts */
    bool aborting;   /* an abort is to be finished before anything else */
    bool suspect;    /* an old request of this producer may still arrive at the broker */
    uint32_t number; /* of the transaction */
    uint32_t turn;
    writer_topic **topics;
    size_t topic_count;
    writer_result *results;
    size_t result_count;
    size_t result_capacity;
    size_t failed_count; /* reports with an error */
} log_kafka_writer;

static log_kafka_writer *kafka_writer(log_writer *writer)
{
    return (log_kafka_writer *)(void *)writer;
}

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
    writer_result *result = &writer->results[index];
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
        log_kafka_pause(RETRY_PAUSE_MS);
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

/* ---- the transaction's end ---- */

/* Forgets the records; what is appended next belongs to another transaction. */
static void results_reset(log_kafka_writer *writer)
{
    writer->number++;
    writer->result_count = 0;
    writer->failed_count = 0;
    writer->doomed = false;
    for (size_t i = 0; i < writer->topic_count; i++) {
        writer->topics[i]->unflushed_size = 0;
    }
}

static bool fatal(const log_kafka_writer *writer)
{
    return rd_kafka_fatal_error(writer->client.rk, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The status of a fatal error: whether there is a successor, or only this producer is at its end.
 */
static base_status fatal_tell(const log_kafka_writer *writer, const char *doing, base_error *error)
{
    char text[256] = "";
    const rd_kafka_resp_err_t err = rd_kafka_fatal_error(writer->client.rk, text, sizeof(text));
    if (log_kafka_code(err) == BASE_FENCED) {
        return base_error_set(error, BASE_FENCED, "%s: a successor with our identity is at work",
                              doing);
    }
    if (log_kafka_code(err) == BASE_REFUSED) {
        return base_error_set(error, BASE_REFUSED, "%s: %s", doing, text);
    }
    return base_error_set(error, BASE_OUTCOME_UNKNOWN, "%s: %s", doing, text);
}

/* Aborts, for at most timeout_ms. UNREACHABLE: it could not be finished, and has to be before the
 * next transaction. */
static base_status abort_finish(log_kafka_writer *writer, int32_t timeout_ms, base_error *error)
{
    const int64_t deadline_ms = log_kafka_now_ms() + timeout_ms;
    results_reset(writer);
    if (!writer->begun) {
        return base_ok();
    }
    writer->aborting = true;
    for (;;) {
        rd_kafka_error_t *failure =
            rd_kafka_abort_transaction(writer->client.rk, log_kafka_left_ms(deadline_ms));
        if (failure == NULL) {
            writer->aborting = false;
            writer->begun = false;
            return base_ok();
        }
        const rd_kafka_resp_err_t err = rd_kafka_error_code(failure);
        const bool final = rd_kafka_error_is_fatal(failure) != 0;
        const bool again =
            rd_kafka_error_is_retriable(failure) != 0 && log_kafka_left_ms(deadline_ms) > 0;
        rd_kafka_error_destroy(failure);
        if (final) {
            return fatal_tell(writer, "aborting", error);
        }
        if (!again) {
            log_kafka_client_poll(&writer->client);
            const base_status status = log_kafka_fail(&writer->client, err, error, "aborting");
            return log_kafka_code(err) == BASE_FATAL ? base_status_of(BASE_OUTCOME_UNKNOWN)
                                                     : status;
        }
        log_kafka_pause(RETRY_PAUSE_MS);
    }
}

base_status log_kafka_writer_abort(log_writer *base, base_error *error)
{
    log_kafka_writer *writer = kafka_writer(base);
    if (!writer->transactional) {
        /* What was handed to librdkafka may be written already; what was not is dropped. */
        (void)rd_kafka_purge(writer->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        results_reset(writer);
        return base_ok();
    }
    return abort_finish(writer, ABORT_MS, error);
}

void log_kafka_writer_close(log_writer *base)
{
    log_kafka_writer *writer = kafka_writer(base);
    /* After a fatal error, or an outcome that is not known, an abort is not ours to make: the
     * successor decides. */
    if (writer->begun && base->failure != BASE_FENCED && base->failure != BASE_OUTCOME_UNKNOWN) {
        const base_status aborted = abort_finish(writer, CLOSE_MS, NULL);
        (void)aborted; /* the transaction's time-out does it then */
    }
    writer_free(writer);
}

/* ---- appending ---- */

static writer_topic *topic_find(const log_kafka_writer *writer, base_slice name,
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
                              writer_topic **topic_out, base_error *error)
{
    writer_topic **grown = realloc(writer->topics, (writer->topic_count + 1) * sizeof(*grown));
    if (grown != NULL) {
        writer->topics = grown;
    }
    writer_topic *topic = calloc(1, sizeof(*topic));
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
    writer_topic *topic = topic_find(writer, record->topic, index_out);
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
static base_status record_check(const writer_topic *topic, const schema_record *record,
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
    writer_result *grown =
        capacity <= UINT32_MAX ? realloc(writer->results, capacity * sizeof(*grown)) : NULL;
    if (grown == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY,
                              "no memory for a transaction of %zu records", writer->result_count);
    }
    writer->results = grown;
    writer->result_capacity = capacity;
    return base_ok();
}

static base_status begin(log_kafka_writer *writer, base_error *error)
{
    if (writer->suspect) {
        return base_error_set(
            error, BASE_OUTCOME_UNKNOWN,
            "the connection failed during the last commit, and an old request may still "
            "arrive: a new writer is needed");
    }
    if (writer->aborting) {
        BASE_TRY(abort_finish(writer, ABORT_MS, error));
    }
    if (writer->begun || !writer->transactional) {
        return base_ok();
    }
    rd_kafka_error_t *failure = rd_kafka_begin_transaction(writer->client.rk);
    if (failure == NULL) {
        writer->begun = true;
        return base_ok();
    }
    const base_status status =
        rd_kafka_error_is_fatal(failure)
            ? fatal_tell(writer, "beginning a transaction", error)
            : base_error_set(error, BASE_OUTCOME_UNKNOWN, "beginning a transaction: %s",
                             rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
    return status;
}

/* Where a topic takes smaller batches than librdkafka makes, what is on its way goes first:
 * librdkafka does not split a batch that the broker found too large. */
static base_status batch_bound(log_kafka_writer *writer, writer_topic *topic,
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
static rd_kafka_resp_err_t produce(log_kafka_writer *writer, const writer_topic *topic,
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
                                const writer_topic *topic, base_error *error)
{
    const char *name = topic->facts.topic->name;
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR__STATE:
        return fatal_tell(writer, "writing", error);
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
    log_kafka_writer *writer = kafka_writer(base);
    uint32_t topic_index = 0;
    BASE_TRY(topic_get(writer, record, &topic_index, error));
    writer_topic *topic = writer->topics[topic_index];
    int32_t partition = 0;
    BASE_TRY(
        log_partition_pick(record, topic->facts.partition_count, &writer->turn, &partition, error));
    BASE_TRY(record_check(topic, record, error));
    BASE_TRY(results_room(writer, error));
    BASE_TRY(begin(writer, error));
    BASE_TRY(batch_bound(writer, topic, record, error));
    writer->results[writer->result_count] = (writer_result){
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
        writer->doomed = err == RD_KAFKA_RESP_ERR__STATE && !fatal(writer);
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

/* ---- committing ---- */

/* Why a record was not written, as far as it is the record's or its topic's fault. */
static bool refusal(rd_kafka_resp_err_t err)
{
    const base_code code = log_kafka_code(err);
    return code == BASE_REFUSED || code == BASE_TOO_LARGE || code == BASE_NOT_FOUND;
}

/* The record at fault: of a batch that was too large the largest, else the first that was refused.
 * SIZE_MAX: none. */
static size_t refused_find(const log_kafka_writer *writer)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < writer->result_count && writer->failed_count > 0; i++) {
        const writer_result *result = &writer->results[i];
        if (!refusal(result->err)) {
            continue;
        }
        const bool larger = found != SIZE_MAX && log_kafka_code(result->err) == BASE_TOO_LARGE &&
                            result->size > writer->results[found].size;
        if (found == SIZE_MAX || larger) {
            found = i;
        }
    }
    return found;
}

/* The first record of a topic that the broker refused to have in the transaction. There are no
 * reports then; librdkafka names the topic in its log, as in: partition "orders" [0]. */
static size_t refused_named(const log_kafka_writer *writer, rd_kafka_resp_err_t err)
{
    char text[LOG_KAFKA_FAILURE_SIZE];
    log_kafka_lock(writer->client.store);
    memcpy(text, writer->client.partition_refused, sizeof(text));
    log_kafka_unlock(writer->client.store);
    for (size_t i = 0; i < writer->result_count && refusal(err); i++) {
        char quoted[LOG_TOPIC_SIZE_MAX + 3];
        snprintf(quoted, sizeof(quoted), "\"%s\"",
                 writer->topics[writer->results[i].topic]->facts.topic->name);
        if (strstr(text, quoted) != NULL) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Ends a transaction of which nothing will be seen: says why, then aborts. */
static base_status commit_give_up(log_kafka_writer *writer, rd_kafka_resp_err_t err,
                                  const char *text, size_t *refused_out, base_error *error)
{
    (void)rd_kafka_poll(writer->client.rk, 0);
    base_status status = base_status_of(log_kafka_code(err));
    size_t refused = refused_find(writer);
    if (refused == SIZE_MAX) {
        refused = refused_named(writer, err);
    } else {
        err = writer->results[refused].err;
        text = rd_kafka_err2str(err);
    }
    if (refused != SIZE_MAX) {
        writer_topic *topic = writer->topics[writer->results[refused].topic];
        topic->known_at_ms = 0;
        const base_code code =
            log_kafka_code(err) == BASE_TOO_LARGE ? BASE_TOO_LARGE : BASE_REFUSED;
        status =
            base_error_set(error, code, "topic \"%s\", partition %d: %s", topic->facts.topic->name,
                           (int)writer->results[refused].partition, text);
    } else if (status.code == BASE_UNREACHABLE || status.code == BASE_REVOKED ||
               status.code == BASE_REFUSED) {
        status = base_error_set(error, status.code, "committing: %s", text);
    } else {
        status = base_error_set(error, BASE_ABORTED, "committing: %s", text);
    }
    const base_status aborted = abort_finish(writer, ABORT_MS, NULL);
    if (aborted.code == BASE_FENCED || aborted.code == BASE_OUTCOME_UNKNOWN) {
        base_error_clear(
            error); /* there is no further transaction with this writer, and that counts more */
        return fatal_tell(writer, "aborting", error);
    }
    if (refused != SIZE_MAX) {
        *refused_out = refused;
    }
    return status;
}

/* Adds the positions to the transaction. */
static base_status positions_send(log_kafka_writer *writer, log_member *member,
                                  const log_position *positions, size_t count, int64_t deadline_ms,
                                  size_t *refused_out, base_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const base_status status = log_kafka_member_owns(member, &positions[i], error);
        if (base_failed(status)) {
            return commit_give_up(writer, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, "", refused_out,
                                  error);
        }
    }
    const rd_kafka_consumer_group_metadata_t *metadata = log_kafka_member_metadata(member);
    if (metadata == NULL) {
        return commit_give_up(writer, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
                              "the assignment is lost", refused_out, error);
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        char name[LOG_TOPIC_SIZE_MAX + 1];
        BASE_ASSERT(positions[i].topic.size <= LOG_TOPIC_SIZE_MAX);
        memcpy(name, positions[i].topic.data, positions[i].topic.size);
        name[positions[i].topic.size] = '\0';
        rd_kafka_topic_partition_list_add(list, name, positions[i].partition)->offset =
            positions[i].offset;
    }
    rd_kafka_error_t *failure = NULL;
    for (;;) {
        failure = rd_kafka_send_offsets_to_transaction(writer->client.rk, list, metadata,
                                                       log_kafka_left_ms(deadline_ms));
        if (failure == NULL || !rd_kafka_error_is_retriable(failure) ||
            log_kafka_left_ms(deadline_ms) == 0) {
            break;
        }
        rd_kafka_error_destroy(failure);
        log_kafka_pause(RETRY_PAUSE_MS);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (failure == NULL) {
        return base_ok();
    }
    const base_status status =
        rd_kafka_error_is_fatal(failure)
            ? fatal_tell(writer, "committing positions", error)
            : commit_give_up(writer, rd_kafka_error_code(failure), rd_kafka_error_string(failure),
                             refused_out, error);
    rd_kafka_error_destroy(failure);
    return status;
}

static bool all_delivered(const log_kafka_writer *writer)
{
    for (size_t i = 0; i < writer->result_count; i++) {
        if (writer->results[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return false;
        }
    }
    return true;
}

/* Flush and EndTxn. */
static base_status transaction_end(log_kafka_writer *writer, int64_t deadline_ms,
                                   size_t *refused_out, base_error *error)
{
    rd_kafka_error_t *failure = NULL;
    for (;;) {
        failure = rd_kafka_commit_transaction(writer->client.rk, log_kafka_left_ms(deadline_ms));
        if (failure == NULL) {
            writer->begun = false;
            return base_ok();
        }
        if (!rd_kafka_error_is_retriable(failure) || log_kafka_left_ms(deadline_ms) == 0) {
            break;
        }
        rd_kafka_error_destroy(failure);
        log_kafka_pause(RETRY_PAUSE_MS);
    }
    (void)rd_kafka_poll(writer->client.rk, 0);
    base_status status;
    if (rd_kafka_error_is_fatal(failure)) {
        status = fatal_tell(writer, "committing", error);
    } else if (rd_kafka_error_txn_requires_abort(failure) && !all_delivered(writer)) {
        /* EndTxn is sent only when all has been delivered: it was not. */
        status = commit_give_up(writer, rd_kafka_error_code(failure),
                                rd_kafka_error_string(failure), refused_out, error);
    } else {
        status = base_error_set(error, BASE_OUTCOME_UNKNOWN, "committing: %s",
                                rd_kafka_error_string(failure));
    }
    rd_kafka_error_destroy(failure);
    return status;
}

static base_status transaction_commit(log_kafka_writer *writer, log_member *member,
                                      const log_position *positions, size_t position_count,
                                      size_t *refused_out, base_error *error)
{
    BASE_TRY(begin(writer, error));
    const int64_t start_ms = log_kafka_now_ms();
    const int64_t deadline_ms = start_ms + writer->transaction_timeout_ms + BEYOND_TRANSACTION_MS;
    if (position_count > 0) {
        BASE_TRY(positions_send(writer, member, positions, position_count, deadline_ms, refused_out,
                                error));
    }
    BASE_TRY(transaction_end(writer, deadline_ms, refused_out, error));
    log_kafka_client_poll(&writer->client);
    writer->suspect = writer->client.coordinator_failed_at_ms != 0 &&
                      writer->client.coordinator_failed_at_ms > start_ms - FAILURE_TOLD_AGAIN_MS;
    return base_ok();
}

/* Without transactions: all that was appended is durable when this succeeds; what was not refused
 * may be so when it does not. */
static base_status plain_commit(log_kafka_writer *writer, size_t *refused_out, base_error *error)
{
    const rd_kafka_resp_err_t err =
        rd_kafka_flush(writer->client.rk, writer->transaction_timeout_ms + BEYOND_TRANSACTION_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && all_delivered(writer)) {
        return base_ok();
    }
    (void)rd_kafka_purge(writer->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    const size_t refused = refused_find(writer);
    if (refused != SIZE_MAX) {
        const writer_result *result = &writer->results[refused];
        *refused_out = refused;
        return base_error_set(
            error, log_kafka_code(result->err) == BASE_TOO_LARGE ? BASE_TOO_LARGE : BASE_REFUSED,
            "topic \"%s\", partition %d: %s", writer->topics[result->topic]->facts.topic->name,
            (int)result->partition, rd_kafka_err2str(result->err));
    }
    if (fatal(writer)) {
        return fatal_tell(writer, "writing", error);
    }
    return base_error_set(error, BASE_OUTCOME_UNKNOWN,
                          "writing: not all records were acknowledged in time%s%s",
                          writer->client.failure[0] != '\0' ? ": " : "", writer->client.failure);
}

/* Tells the store where our records end, and the caller which offsets they got. */
static void committed(log_kafka_writer *writer, int64_t *offsets_out)
{
    for (size_t i = 0; i < writer->result_count; i++) {
        const writer_result *result = &writer->results[i];
        if (offsets_out != NULL) {
            offsets_out[i] = result->offset;
        }
        const bool last_of_run = i + 1 == writer->result_count ||
                                 writer->results[i + 1].topic != result->topic ||
                                 writer->results[i + 1].partition != result->partition;
        if (last_of_run && result->offset >= 0) {
            log_kafka_committed(writer->client.store, writer->topics[result->topic]->facts.topic,
                                result->partition, result->offset + 1);
        }
    }
}

base_status log_kafka_writer_commit(log_writer *base, log_member *member,
                                    const log_position *positions, size_t position_count,
                                    int64_t *offsets_out, size_t *refused_out, base_error *error)
{
    log_kafka_writer *writer = kafka_writer(base);
    const base_status status =
        writer->transactional
            ? transaction_commit(writer, member, positions, position_count, refused_out, error)
            : plain_commit(writer, refused_out, error);
    if (!base_failed(status)) {
        committed(writer, offsets_out);
    }
    results_reset(writer);
    return status;
}
