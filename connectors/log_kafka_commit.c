/*
 * The life of a transaction:
 *
 *          append            commit: positions, flush, EndTxn
 *   idle ---------> begun --------------------------------------> idle
 *     ^               |  error that asks for an abort, time-out before EndTxn
 *     |    abort      v
 *     +----------- aborting (kept, and finished by the next call, when no broker answers)
 *
 * librdkafka classes its errors, and each class has one answer:
 *
 *   retriable   the same call again, until the time is up
 *   abortable   abort_transaction; nothing of the transaction will ever be seen
 *   fatal       _FENCED: a successor is at work. Others: this producer is done for, open another
 *
 * A commit whose end we did not see has an unknown outcome, and nothing else is done with this
 * producer: librdkafka speaks the protocol before KIP-890, in which a late EndTxn may finish a
 * later transaction (KAFKA-17754). For the same reason a writer whose connection to the
 * coordinator failed around a commit that then succeeded, perhaps by a second request, begins no
 * other transaction: the first request may still be on its way.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "connectors/log_kafka_writer.h"

#define BEYOND_TRANSACTION_MS 5000 /* a commit is waited for longer than the transaction may last */
#define GIVE_UP_ABORT_MS 3000      /* what is not aborted then is so before the next transaction */
#define FAILURE_TOLD_AGAIN_MS 30000 /* librdkafka tells the same failure once in this time */

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

bool log_kafka_writer_fatal(const log_kafka_writer *writer)
{
    return rd_kafka_fatal_error(writer->client.rk, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The status of a fatal error: whether there is a successor, or only this producer is at its end.
 */
base_status log_kafka_writer_fatal_tell(const log_kafka_writer *writer, const char *doing,
                                        base_error *error)
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
base_status log_kafka_writer_abort_finish(log_kafka_writer *writer, int32_t timeout_ms,
                                          base_error *error)
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
            return log_kafka_writer_fatal_tell(writer, "aborting", error);
        }
        if (!again) {
            log_kafka_client_poll(&writer->client);
            const base_status status = log_kafka_fail(&writer->client, err, error, "aborting");
            return log_kafka_code(err) == BASE_FATAL ? base_status_of(BASE_OUTCOME_UNKNOWN)
                                                     : status;
        }
        log_kafka_pause(LOG_KAFKA_RETRY_PAUSE_MS);
    }
}

base_status log_kafka_writer_abort(log_writer *base, base_error *error)
{
    log_kafka_writer *writer = log_kafka_writer_of(base);
    if (!writer->transactional) {
        /* What was handed to librdkafka may be written already; what was not is dropped. */
        (void)rd_kafka_purge(writer->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        results_reset(writer);
        return base_ok();
    }
    return log_kafka_writer_abort_finish(writer, LOG_KAFKA_ABORT_MS, error);
}

base_status log_kafka_writer_begin(log_kafka_writer *writer, base_error *error)
{
    if (writer->suspect) {
        return base_error_set(
            error, BASE_OUTCOME_UNKNOWN,
            "the connection failed during the last commit, and an old request may still "
            "arrive: a new writer is needed");
    }
    if (writer->aborting) {
        BASE_TRY(log_kafka_writer_abort_finish(writer, LOG_KAFKA_ABORT_MS, error));
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
            ? log_kafka_writer_fatal_tell(writer, "beginning a transaction", error)
            : base_error_set(error, BASE_OUTCOME_UNKNOWN, "beginning a transaction: %s",
                             rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
    return status;
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
        const log_kafka_writer_result *result = &writer->results[i];
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
        log_kafka_writer_topic *topic = writer->topics[writer->results[refused].topic];
        topic->known_at_ms = 0;
        const base_code code =
            log_kafka_code(err) == BASE_TOO_LARGE ? BASE_TOO_LARGE : BASE_REFUSED;
        status =
            base_error_set(error, code, "topic \"%s\", partition %d: %s", topic->facts.topic->name,
                           (int)writer->results[refused].partition, text);
    } else if (status.code == BASE_UNREACHABLE && writer->client.failure[0] != '\0') {
        status = base_error_set(error, BASE_UNREACHABLE, "committing: %s (%s)", text,
                                writer->client.failure);
    } else if (status.code == BASE_UNREACHABLE || status.code == BASE_REVOKED ||
               status.code == BASE_REFUSED) {
        status = base_error_set(error, status.code, "committing: %s", text);
    } else {
        status = base_error_set(error, BASE_ABORTED, "committing: %s", text);
    }
    const base_status aborted = log_kafka_writer_abort_finish(writer, GIVE_UP_ABORT_MS, NULL);
    if (aborted.code == BASE_FENCED || aborted.code == BASE_OUTCOME_UNKNOWN) {
        base_error_clear(
            error); /* there is no further transaction with this writer, and that counts more */
        return log_kafka_writer_fatal_tell(writer, "aborting", error);
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
        log_kafka_pause(LOG_KAFKA_RETRY_PAUSE_MS);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (failure == NULL) {
        return base_ok();
    }
    const base_status status =
        rd_kafka_error_is_fatal(failure)
            ? log_kafka_writer_fatal_tell(writer, "committing positions", error)
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
        log_kafka_pause(LOG_KAFKA_RETRY_PAUSE_MS);
    }
    (void)rd_kafka_poll(writer->client.rk, 0);
    base_status status;
    if (rd_kafka_error_is_fatal(failure)) {
        status = log_kafka_writer_fatal_tell(writer, "committing", error);
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
    BASE_TRY(log_kafka_writer_begin(writer, error));
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
        const log_kafka_writer_result *result = &writer->results[refused];
        *refused_out = refused;
        return base_error_set(
            error, log_kafka_code(result->err) == BASE_TOO_LARGE ? BASE_TOO_LARGE : BASE_REFUSED,
            "topic \"%s\", partition %d: %s", writer->topics[result->topic]->facts.topic->name,
            (int)result->partition, rd_kafka_err2str(result->err));
    }
    if (log_kafka_writer_fatal(writer)) {
        return log_kafka_writer_fatal_tell(writer, "writing", error);
    }
    return base_error_set(error, BASE_OUTCOME_UNKNOWN,
                          "writing: not all records were acknowledged in time%s%s",
                          writer->client.failure[0] != '\0' ? ": " : "", writer->client.failure);
}

/* Tells the store where our records end, and the caller which offsets they got. */
static void committed(log_kafka_writer *writer, int64_t *offsets_out)
{
    for (size_t i = 0; i < writer->result_count; i++) {
        const log_kafka_writer_result *result = &writer->results[i];
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
    log_kafka_writer *writer = log_kafka_writer_of(base);
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
