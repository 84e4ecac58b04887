/*
 * Creating topics with Kafka's admin API: those that are missing, and nothing else. A topic is
 * ready when the cluster knows all its partitions and their leaders, since the first thing that
 * follows is reading and writing. And listing them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "connectors/log_kafka.h"

#define NUMBER_SIZE 24

static const char *topic_cleanup(const log_topic_options *topic)
{
    return topic->cleanup == LOG_CLEANUP_COMPACT ? "compact" : "delete";
}

/* What a person would type to make the topic. */
static void hint_by_hand(const log_topic_options *topic, base_error *error)
{
    char replication[64] = "";
    if (topic->replication > 0) {
        snprintf(replication, sizeof(replication), " --replication-factor %d",
                 (int)topic->replication);
    }
    base_error_hint(error,
                    "create it by hand: kafka-topics.sh --create --topic %.*s --partitions %d%s "
                    "--config cleanup.policy=%s --config retention.ms=%" PRId64,
                    BASE_SLICE_ARG(topic->name), (int)topic->partition_count, replication,
                    topic_cleanup(topic), topic->retention_ms);
}

static base_status refused(const log_topic_options *topic, rd_kafka_resp_err_t err,
                           const char *reason, base_error *error)
{
    base_code code = log_kafka_code(err);
    /* The broker answered, and what it says is no. */
    if (code == BASE_FATAL || code == BASE_BAD_INPUT || code == BASE_NOT_FOUND) {
        code = BASE_REFUSED;
    }
    const base_status status = base_error_set(
        error, code, "topic \"%.*s\" could not be created: %s", BASE_SLICE_ARG(topic->name),
        reason != NULL && reason[0] != '\0' ? reason : rd_kafka_err2str(err));
    if (code == BASE_REFUSED) {
        hint_by_hand(topic, error);
    }
    return status;
}

static bool number_set(rd_kafka_NewTopic_t *wanted, const char *name, int64_t number)
{
    char text[NUMBER_SIZE];
    snprintf(text, sizeof(text), "%" PRId64, number);
    return rd_kafka_NewTopic_set_config(wanted, name, text) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static base_status wanted_new(const log_topic_options *topic, rd_kafka_NewTopic_t **wanted_out,
                              base_error *error)
{
    char *name = log_kafka_text(topic->name);
    if (name == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a topic's name");
    }
    char text[256] = "";
    rd_kafka_NewTopic_t *wanted =
        rd_kafka_NewTopic_new(name, topic->partition_count,
                              topic->replication > 0 ? topic->replication : -1, text, sizeof(text));
    free(name);
    if (wanted == NULL) {
        return base_error_set(error, BASE_BAD_INPUT, "topic \"%.*s\": %s",
                              BASE_SLICE_ARG(topic->name), text);
    }
    const bool set = rd_kafka_NewTopic_set_config(wanted, "cleanup.policy", topic_cleanup(topic)) ==
                         RD_KAFKA_RESP_ERR_NO_ERROR &&
                     number_set(wanted, "retention.ms", topic->retention_ms) &&
                     number_set(wanted, "retention.bytes", topic->retention_size);
    BASE_ASSERT(set);
    *wanted_out = wanted;
    return base_ok();
}

/* Looks through the broker's answers, one a topic. */
static base_status answers_check(const log_topic_options *const *missing, size_t count,
                                 const rd_kafka_CreateTopics_result_t *result, base_error *error)
{
    size_t answer_count = 0;
    const rd_kafka_topic_result_t **answers =
        rd_kafka_CreateTopics_result_topics(result, &answer_count);
    for (size_t i = 0; i < answer_count; i++) {
        const rd_kafka_resp_err_t err = rd_kafka_topic_result_error(answers[i]);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            continue; /* somebody else was faster: as good */
        }
        for (size_t k = 0; k < count; k++) {
            if (base_slice_is(missing[k]->name, rd_kafka_topic_result_name(answers[i]))) {
                return refused(missing[k], err, rd_kafka_topic_result_error_string(answers[i]),
                               error);
            }
        }
    }
    return base_ok();
}

static base_status create(log_kafka_store *store, const log_topic_options *const *missing,
                          size_t count, int64_t deadline_ms, base_error *error)
{
    rd_kafka_t *rk = store->client.rk;
    rd_kafka_NewTopic_t **wanted = calloc(count, sizeof(*wanted));
    if (wanted == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for %zu topics", count);
    }
    base_status status = base_ok();
    size_t made = 0;
    while (made < count && !base_failed(status)) {
        status = wanted_new(missing[made], &wanted[made], error);
        made += base_failed(status) ? 0 : 1;
    }
    if (!base_failed(status)) {
        rd_kafka_AdminOptions_t *options =
            rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
        rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
        const int left_ms = log_kafka_left_ms(deadline_ms);
        char text[256];
        (void)rd_kafka_AdminOptions_set_request_timeout(options, left_ms > 0 ? left_ms : 1, text,
                                                        sizeof(text));
        (void)rd_kafka_AdminOptions_set_operation_timeout(options, left_ms, text, sizeof(text));
        rd_kafka_CreateTopics(rk, wanted, count, options, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, left_ms + 1000);
        const rd_kafka_resp_err_t err =
            event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            status = refused(missing[0], err,
                             event != NULL ? rd_kafka_event_error_string(event) : NULL, error);
        } else {
            status =
                answers_check(missing, count, rd_kafka_event_CreateTopics_result(event), error);
        }
        if (event != NULL) {
            rd_kafka_event_destroy(event);
        }
        rd_kafka_queue_destroy(queue);
        rd_kafka_AdminOptions_destroy(options);
    }
    rd_kafka_NewTopic_destroy_array(wanted, made);
    free(wanted);
    return status;
}

static bool topic_ready(const rd_kafka_metadata_topic_t *topic)
{
    if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR || topic->partition_cnt == 0) {
        return false;
    }
    for (int i = 0; i < topic->partition_cnt; i++) {
        if (topic->partitions[i].leader < 0) {
            return false;
        }
    }
    return true;
}

/* What the metadata says of one topic; NULL when it says nothing. */
static const rd_kafka_metadata_topic_t *metadata_find(const struct rd_kafka_metadata *metadata,
                                                      base_slice name)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (base_slice_is(name, metadata->topics[i].topic)) {
            return &metadata->topics[i];
        }
    }
    return NULL;
}

/* Which of the topics are not there; all of them in one question where the cluster allows it. */
static base_status missing_find(log_kafka_store *store, const log_topic_options *topics,
                                size_t count, int64_t deadline_ms,
                                const log_topic_options **missing, size_t *missing_count_out,
                                base_error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t err =
        rd_kafka_metadata(store->client.rk, 1, NULL, &metadata, log_kafka_left_ms(deadline_ms));
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return log_kafka_fail(&store->client, err, error, "looking for topics at %s",
                              store->brokers);
    }
    size_t missing_count = 0;
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_metadata_topic_t *found = metadata_find(metadata, topics[i].name);
        if (found == NULL || log_kafka_code(found->err) == BASE_NOT_FOUND) {
            missing[missing_count++] = &topics[i];
        }
    }
    rd_kafka_metadata_destroy(metadata);
    *missing_count_out = missing_count;
    return base_ok();
}

/* Waits until all partitions of the new topics have leaders. */
static base_status ready_wait(log_kafka_store *store, const log_topic_options *const *made,
                              size_t count, int64_t deadline_ms, base_error *error)
{
    for (;;) {
        const struct rd_kafka_metadata *metadata = NULL;
        const log_topic_options *waiting = NULL;
        const rd_kafka_resp_err_t err =
            rd_kafka_metadata(store->client.rk, 1, NULL, &metadata, log_kafka_left_ms(deadline_ms));
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return log_kafka_fail(&store->client, err, error, "waiting for new topics");
        }
        for (size_t i = 0; i < count && waiting == NULL; i++) {
            const rd_kafka_metadata_topic_t *found = metadata_find(metadata, made[i]->name);
            if (found == NULL || !topic_ready(found)) {
                waiting = made[i];
            }
        }
        rd_kafka_metadata_destroy(metadata);
        if (waiting == NULL) {
            return base_ok();
        }
        if (log_kafka_left_ms(deadline_ms) == 0) {
            return base_error_set(error, BASE_UNREACHABLE,
                                  "topic \"%.*s\" was created but has no leaders yet",
                                  BASE_SLICE_ARG(waiting->name));
        }
        log_kafka_pause(10);
    }
}

base_status log_kafka_topics_ensure(log_store *base, const log_topic_options *topics, size_t count,
                                    int32_t timeout_ms, base_error *error)
{
    log_kafka_store *store = (log_kafka_store *)(void *)base;
    const int64_t deadline_ms = log_kafka_now_ms() + timeout_ms;
    if (count == 0) {
        return base_ok();
    }
    const log_topic_options **missing = calloc(count, sizeof(*missing));
    if (missing == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for %zu topics", count);
    }
    size_t missing_count = 0;
    base_status status =
        missing_find(store, topics, count, deadline_ms, missing, &missing_count, error);
    if (!base_failed(status) && missing_count > 0) {
        status = create(store, missing, missing_count, deadline_ms, error);
        if (!base_failed(status)) {
            status = ready_wait(store, missing, missing_count, deadline_ms, error);
        }
    }
    free(missing);
    return status;
}

/* ---- listing ---- */

static int topic_order(const void *a, const void *b)
{
    const rd_kafka_metadata_topic_t *x = a;
    const rd_kafka_metadata_topic_t *y = b;
    return strcmp(x->topic, y->topic);
}

base_status log_kafka_topics_list(log_store *base,
                                  void (*each)(void *context, base_slice topic, int32_t partitions),
                                  void *context, base_error *error)
{
    log_kafka_store *store = (log_kafka_store *)(void *)base;
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t err =
        rd_kafka_metadata(store->client.rk, 1, NULL, &metadata, LOG_KAFKA_CALL_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return log_kafka_fail(&store->client, err, error, "listing the topics of %s",
                              store->brokers);
    }
    const size_t count = (size_t)metadata->topic_cnt;
    rd_kafka_metadata_topic_t *sorted = calloc(count + 1, sizeof(*sorted));
    if (sorted == NULL) {
        rd_kafka_metadata_destroy(metadata);
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for %zu topics", count);
    }
    if (count > 0) {
        memcpy(sorted, metadata->topics, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), topic_order);
    }
    for (size_t i = 0; i < count; i++) {
        /* Two underscores begin the names of Kafka's own topics. */
        if (sorted[i].err == RD_KAFKA_RESP_ERR_NO_ERROR && strncmp(sorted[i].topic, "__", 2) != 0) {
            each(context, base_slice_of(sorted[i].topic), sorted[i].partition_cnt);
        }
    }
    free(sorted);
    rd_kafka_metadata_destroy(metadata);
    return base_ok();
}
