/*
 * The Kafka backend's own header: what its files share. Nobody else includes it; librdkafka's types
 * end here.
 *
 *   log_kafka.c         the store: opening, what is known of topics, ranges
 *   log_kafka_topics.c  creating and listing topics
 *   log_kafka_client.c  one librdkafka handle: its settings, what it reports, errors in our words
 *   log_kafka_member.c  membership of a group (a consumer that never fetches)
 *   log_kafka_reader.c  reading (a consumer that never joins)
 *   log_kafka_writer.c  a producer, and records given to it
 *   log_kafka_commit.c  the life of a transaction
 *
 * Only what librdkafka 2.0.2 has is used, and cooperative-sticky, produceva with headers and
 * seek_partitions, which it has with faults, are not.
 */
#ifndef CONNECTORS_LOG_KAFKA_H
#define CONNECTORS_LOG_KAFKA_H

#define LIBRDKAFKA_TYPECHECKS                                                                      \
    0 /* they are statement expressions, which -Wpedantic does not take  \
                                 */
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "connectors/log.h"
#include "connectors/log_backend.h"

#define LOG_KAFKA_CALL_MS 10000 /* what a call without a timeout of its own waits for an answer */
#define LOG_KAFKA_TOPIC_FRESH_MS 60000 /* how long what we know of a topic is taken as true */
#define LOG_KAFKA_FAILURE_SIZE 256

typedef struct log_kafka_store log_kafka_store;

/* One librdkafka handle, and what it told us beside our calls. The fields behind rk are written by
 * the thread that polls the handle. */
typedef struct log_kafka_client {
    log_kafka_store *store;
    rd_kafka_t *rk;
    int64_t coordinator_failed_at_ms;     /* when the link to it last failed; 0: never */
    bool down;                            /* no broker could be reached when we last heard */
    char failure[LOG_KAFKA_FAILURE_SIZE]; /* the last thing that went wrong, for messages; may be
                                             empty */
    /* What librdkafka logged when the broker would not have a partition in a transaction: nothing
     * else names it. */
    char partition_refused[LOG_KAFKA_FAILURE_SIZE];
} log_kafka_client;

/* What we know of a topic. Never freed before the store is closed; guarded by the store's lock. */
typedef struct log_kafka_topic {
    char *name;
    int32_t partition_count;
    int64_t batch_size_max; /* the broker's bound on a record batch; 0: not known */
    bool compacted;
    int64_t known_at_ms;
    /* For each partition, the offset behind the last record that this store's writers have
     * committed, and when. The broker answers a commit before the last stable offset has moved; see
     * log_kafka_range. */
    int64_t *committed_ends;
    int64_t committed_at_ms;
} log_kafka_topic;

/* A copy of the part that writers look at. */
typedef struct log_kafka_topic_facts {
    log_kafka_topic *topic;
    int32_t partition_count;
    int64_t batch_size_max;
    bool compacted;
} log_kafka_topic_facts;

typedef struct log_kafka_setting {
    char *name; /* without "kafka." */
    char *value;
} log_kafka_setting;

struct log_kafka_store {
    log_store store;
    char *brokers;
    char *client_name;
    log_kafka_setting *settings;
    size_t setting_count;
    log_kafka_client client; /* for questions; a consumer that reads nothing */
    pthread_mutex_t
        lock; /* topics, and the clients' failure texts; held for moments, never across a request */
    int64_t admin_silent_until_ms; /* a question about a topic's configuration was not answered */
    log_kafka_topic **topics;
    size_t topic_count;
    size_t topic_capacity;
};

/* ---- log_kafka_client.c ---- */

/* BAD_INPUT: a setting that librdkafka does not know, does not accept, or that would break a
 * promise of ours. */
base_status log_kafka_settings_check(const log_open_options *options,
                                     base_error *error) BASE_MUST_USE;
/* A configuration with the store's addresses and the user's settings; type says which of them
 * apply. The caller hands it to log_kafka_client_open or destroys it. */
base_status log_kafka_conf_new(log_kafka_client *client, rd_kafka_type_t type,
                               rd_kafka_conf_t **conf_out, base_error *error) BASE_MUST_USE;
/* Sets what a setting of the user may not change. */
void log_kafka_conf_fix(rd_kafka_conf_t *conf, const char *name, const char *value);
void log_kafka_conf_fix_number(rd_kafka_conf_t *conf, const char *name, int64_t value);
/* Sets a default of ours, unless the user set it. */
void log_kafka_conf_default(const log_kafka_store *store, rd_kafka_conf_t *conf, const char *name,
                            const char *value);
void log_kafka_conf_default_number(const log_kafka_store *store, rd_kafka_conf_t *conf,
                                   const char *name, int64_t value);
/* Makes the handle; takes conf in every case. */
base_status log_kafka_client_open(log_kafka_client *client, rd_kafka_type_t type,
                                  rd_kafka_conf_t *conf, base_error *error) BASE_MUST_USE;
/* Serves what the handle has to tell (error_cb). Does not wait. */
void log_kafka_client_poll(log_kafka_client *client);

/* Our code for one of librdkafka's. */
base_code log_kafka_code(rd_kafka_resp_err_t err);
/* Sets error to "context: librdkafka's text (what the client heard last)". client may be NULL. */
base_status log_kafka_fail(const log_kafka_client *client, rd_kafka_resp_err_t err,
                           base_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

int64_t log_kafka_now_ms(void); /* monotonic */
/* What is left until deadline_ms, at least 0, for librdkafka's timeouts. */
int log_kafka_left_ms(int64_t deadline_ms);
/* Sleeps; always true, for use in conditions. */
bool log_kafka_pause(int32_t pause_ms);
/* A terminated copy; NULL without memory. */
char *log_kafka_text(base_slice text);

/* ---- log_kafka.c ---- */

void log_kafka_lock(log_kafka_store *store);
void log_kafka_unlock(log_kafka_store *store);
/* The topic's facts: from memory while fresh, else from the broker. NOT_FOUND: no such topic.
 * Blocks. */
base_status log_kafka_topic_get(log_kafka_store *store, base_slice topic, bool refresh,
                                log_kafka_topic_facts *facts_out, base_error *error) BASE_MUST_USE;
/* The same, where there is such a partition; NOT_FOUND else. librdkafka itself would wait for one
 * to appear. */
base_status log_kafka_partition_get(log_kafka_store *store, base_slice topic, int32_t partition,
                                    log_kafka_topic_facts *facts_out,
                                    base_error *error) BASE_MUST_USE;
/* Notes that records up to end (exclusive) of a partition were committed by us. */
void log_kafka_committed(log_kafka_store *store, log_kafka_topic *topic, int32_t partition,
                         int64_t end);
base_status log_kafka_range(log_store *store, base_slice topic, int32_t partition,
                            int64_t *begin_out, int64_t *end_out, base_error *error) BASE_MUST_USE;

/* ---- log_kafka_topics.c ---- */
base_status log_kafka_topics_ensure(log_store *store, const log_topic_options *topics, size_t count,
                                    int32_t timeout_ms, base_error *error);

base_status log_kafka_topics_list(log_store *store,
                                  void (*each)(void *context, base_slice topic, int32_t partitions),
                                  void *context, base_error *error);

/* ---- log_kafka_member.c ---- */
base_status log_kafka_member_open(log_store *store, const log_member_options *options,
                                  log_member **member_out, base_error *error);
void log_kafka_member_close(log_member *member, bool leave);
base_status log_kafka_member_poll(log_member *member, int32_t timeout_ms,
                                  log_member_event *event_out, base_error *error);
base_status log_kafka_member_release(log_member *member, base_error *error);
base_status log_kafka_member_position(log_member *member, base_slice topic, int32_t partition,
                                      int64_t *offset_out, base_error *error);
/* REVOKED: the group divides the topic and the partition is not the member's. */
base_status log_kafka_member_owns(const log_member *member, const log_position *position,
                                  base_error *error) BASE_MUST_USE;
/* The group metadata that fences a commit of positions: that of the generation in which the member
 * got what it owns. Lives until the next call or poll. NULL: the assignment is lost. */
const rd_kafka_consumer_group_metadata_t *log_kafka_member_metadata(log_member *member);

/* ---- log_kafka_reader.c ---- */
base_status log_kafka_reader_open(log_store *store, log_reader **reader_out, base_error *error);
void log_kafka_reader_close(log_reader *reader);
base_status log_kafka_reader_assign(log_reader *reader, base_slice topic, int32_t partition,
                                    int64_t offset, base_error *error);
base_status log_kafka_reader_unassign(log_reader *reader, base_slice topic, int32_t partition,
                                      base_error *error);
base_status log_kafka_reader_pause(log_reader *reader, base_slice topic, int32_t partition,
                                   bool paused, base_error *error);
base_status log_kafka_reader_poll(log_reader *reader, int32_t timeout_ms, size_t record_max,
                                  const schema_record **records_out, size_t *count_out,
                                  base_error *error);
base_status log_kafka_reader_position(const log_reader *reader, base_slice topic, int32_t partition,
                                      int64_t *offset_out);
void log_kafka_reader_wake(log_reader *reader);

/* ---- log_kafka_writer.c ---- */
base_status log_kafka_writer_open(log_store *store, const log_writer_options *options,
                                  log_writer **writer_out, base_error *error);
void log_kafka_writer_close(log_writer *writer);
base_status log_kafka_writer_append(log_writer *writer, const schema_record *record,
                                    base_error *error);
base_status log_kafka_writer_commit(log_writer *writer, log_member *member,
                                    const log_position *positions, size_t position_count,
                                    int64_t *offsets_out, size_t *refused_out, base_error *error);
base_status log_kafka_writer_abort(log_writer *writer, base_error *error);

#endif
