/*
 * What the two files of the Kafka writer share: the writer itself. Nobody else includes it.
 */
#ifndef CONNECTORS_LOG_KAFKA_WRITER_H
#define CONNECTORS_LOG_KAFKA_WRITER_H

#include "connectors/log_kafka.h"

_Static_assert(sizeof(uintptr_t) >= 8,
               "a message's opaque holds a transaction number and an index");

typedef struct log_kafka_writer_topic {
    rd_kafka_topic_t *handle;
    log_kafka_topic_facts facts;
    int64_t known_at_ms;
    int64_t unflushed_size; /* only kept where the topic takes less than librdkafka's batches */
} log_kafka_writer_topic;

typedef struct log_kafka_writer_result {
    int64_t offset;
    rd_kafka_resp_err_t err; /* _IN_PROGRESS: no report yet */
    uint32_t topic;
    int32_t partition;
    uint32_t size;
} log_kafka_writer_result;

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
    log_kafka_writer_topic **topics;
    size_t topic_count;
    log_kafka_writer_result *results;
    size_t result_count;
    size_t result_capacity;
    size_t failed_count; /* reports with an error */
} log_kafka_writer;

/* What a transaction is waited for beyond its own time-out, and how long aborting may take. */
#define LOG_KAFKA_ABORT_MS 10000
#define LOG_KAFKA_RETRY_PAUSE_MS 5

static inline log_kafka_writer *log_kafka_writer_of(log_writer *writer)
{
    return (log_kafka_writer *)(void *)writer;
}

/* ---- log_kafka_commit.c ---- */

/* Whether the producer is at its end. */
bool log_kafka_writer_fatal(const log_kafka_writer *writer);
/* The status of a fatal error: whether there is a successor, or only this producer is done for. */
base_status log_kafka_writer_fatal_tell(const log_kafka_writer *writer, const char *doing,
                                        base_error *error);
/* Begins a transaction, unless one is begun or the writer has none; finishes an abort before. */
base_status log_kafka_writer_begin(log_kafka_writer *writer, base_error *error) BASE_MUST_USE;
/* Forgets the records and aborts, for at most timeout_ms. UNREACHABLE: it could not be finished,
 * and has to be before the next transaction. */
base_status log_kafka_writer_abort_finish(log_kafka_writer *writer, int32_t timeout_ms,
                                          base_error *error) BASE_MUST_USE;

#endif
