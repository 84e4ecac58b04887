/*
 * The Kafka backend: the store. Opening, what is known of topics, and ranges; the rest is in
 * files of its own (connectors/log_kafka.h lists them).
 *
 *   log_store ---- client (a consumer that reads nothing): metadata, admin requests, offsets
 *      |
 *      +-- topics: partitions, the broker's bound on a batch, compacted or not; and how far we have
 *          committed
 *
 * Ends. A broker answers a commit when the decision is durable in its transaction log; the
 * markers that move a partition's last stable offset (LSO) follow some milliseconds later.
 * Whoever commits and then asks for the end must not be told that nothing is there. So the store
 * remembers where its own committed records end, and log_range answers with the later of that and
 * the LSO. A reader gets there as soon as the markers are written.
 */
#include "connectors/log_kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/assert.h"

#define VERSION_ADVISED 0x020601ff /* librdkafka 2.6.1 */
#define COMMITTED_TRUSTED_MS 60000 /* markers never take this long; topics are made anew */
#define ADMIN_ANSWER_MS 3000       /* for facts that we can do without */
#define ADMIN_SILENT_MS 600000
#define LOG_KAFKA_MESSAGE_MIN 1000 /* librdkafka's bounds of message.max.bytes */
#define LOG_KAFKA_MESSAGE_MAX 1000000000

static log_kafka_store *kafka_store(log_store *store)
{
    return (log_kafka_store *)(void *)store;
}

void log_kafka_lock(log_kafka_store *store)
{
    const int failed = pthread_mutex_lock(&store->lock);
    BASE_ASSERT(failed == 0);
}

void log_kafka_unlock(log_kafka_store *store)
{
    const int failed = pthread_mutex_unlock(&store->lock);
    BASE_ASSERT(failed == 0);
}

/* ---- opening ---- */

/* HOST:PORT[,HOST:PORT...], as librdkafka takes it; the port may be left out (9092), and IPv6
 * stands in brackets. */
static base_status brokers_check(base_slice brokers, base_error *error)
{
    size_t begin = 0;
    while (begin <= brokers.size) {
        const char *comma =
            begin < brokers.size ? memchr(brokers.data + begin, ',', brokers.size - begin) : NULL;
        const size_t end = comma != NULL ? (size_t)(comma - brokers.data) : brokers.size;
        const base_slice address = {brokers.data + begin, end - begin};
        size_t host_size = address.size;
        while (host_size > 0 && address.data[host_size - 1] >= '0' &&
               address.data[host_size - 1] <= '9') {
            host_size--;
        }
        const bool has_port = host_size > 0 && address.data[host_size - 1] == ':';
        const size_t digit_count = address.size - host_size;
        const size_t name_size = has_port ? host_size - 1 : address.size;
        bool fine = name_size > 0 && (!has_port || (digit_count >= 1 && digit_count <= 5));
        const bool bracketed = name_size > 0 && address.data[0] == '[';
        for (size_t i = 0; fine && i < name_size; i++) {
            const char c = address.data[i];
            fine =
                c > ' ' && c != '/' && c != '?' && c != '#' && c != '@' && (c != ':' || bracketed);
        }
        if (!fine) {
            const base_status status = base_error_set(
                error, BASE_BAD_INPUT, "\"%.*s\" is not an address of a Kafka broker",
                BASE_SLICE_ARG(address));
            base_error_hint(error, "write kafka://HOST:PORT[,HOST:PORT...]");
            return status;
        }
        begin = end + 1;
    }
    return base_ok();
}

static base_status settings_copy(log_kafka_store *store, const log_open_options *options)
{
    const size_t prefix = sizeof("kafka.") - 1;
    store->settings = calloc(options->setting_count + 1, sizeof(log_kafka_setting));
    if (store->settings == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    for (size_t i = 0; i < options->setting_count; i++) {
        const base_slice name = options->settings[i].name;
        if (!base_slice_starts_with(name, base_slice_of("kafka."))) {
            continue;
        }
        log_kafka_setting *setting = &store->settings[store->setting_count++];
        setting->name = log_kafka_text(base_slice_make(name.data + prefix, name.size - prefix));
        setting->value = log_kafka_text(options->settings[i].value);
        if (setting->name == NULL || setting->value == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
    }
    return base_ok();
}

static void kafka_close(log_store *base)
{
    log_kafka_store *store = kafka_store(base);
    if (store->client.rk != NULL) {
        rd_kafka_destroy(store->client.rk);
    }
    for (size_t i = 0; i < store->topic_count; i++) {
        free(store->topics[i]->committed_ends);
        free(store->topics[i]->name);
        free(store->topics[i]);
    }
    free(store->topics);
    for (size_t i = 0; i < store->setting_count; i++) {
        free(store->settings[i].name);
        free(store->settings[i].value);
    }
    free(store->settings);
    free(store->brokers);
    free(store->client_name);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static log_kafka_store *store_new(base_slice location, const log_open_options *options)
{
    log_kafka_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&store->lock, NULL) != 0) {
        free(store);
        return NULL;
    }
    log_store_init(&store->store, &log_kafka_backend, options);
    store->client.store = store;
    store->brokers = log_kafka_text(location);
    base_slice name = options->client;
    if (name.size > 64) {
        name.size = 64; /* librdkafka before 2.5.0 crashes on long ones */
    }
    store->client_name = log_kafka_text(name);
    if (store->brokers == NULL || store->client_name == NULL ||
        base_failed(settings_copy(store, options))) {
        kafka_close(&store->store);
        return NULL;
    }
    for (char *c = store->client_name; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            *c = '-';
        }
    }
    return store;
}

/* Waits until a broker answers. */
static base_status store_reach(log_kafka_store *store, int32_t timeout_ms, base_error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t err =
        rd_kafka_metadata(store->client.rk, 0, NULL, &metadata, timeout_ms);
    log_kafka_client_poll(&store->client);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
        store->client.failure[0] = '\0';
        return base_ok();
    }
    const char *heard =
        store->client.failure[0] != '\0' ? store->client.failure : rd_kafka_err2str(err);
    const base_status status =
        base_error_set(error, BASE_UNREACHABLE, "no Kafka broker answers at %s within %d ms: %s",
                       store->brokers, (int)timeout_ms, heard);
    base_error_hint(error,
                    "is the broker running, and do address, port and security settings fit?");
    return status;
}

static base_status kafka_open(base_slice location, const log_open_options *options,
                              int32_t timeout_ms, log_store **store_out, base_error *error)
{
    BASE_TRY(brokers_check(location, error));
    BASE_TRY(log_kafka_settings_check(options, error));
    int64_t record_size_max = 0;
    BASE_TRY(log_setting_integer(options, "kafka.message.max.bytes", LOG_RECORD_SIZE_DEFAULT,
                                 LOG_KAFKA_MESSAGE_MIN, LOG_KAFKA_MESSAGE_MAX, &record_size_max,
                                 error));
    log_kafka_store *store = store_new(location, options);
    if (store == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a Kafka client");
    }
    store->store.record_size_max = (size_t)record_size_max;
    rd_kafka_conf_t *conf = NULL;
    base_status status = log_kafka_conf_new(&store->client, RD_KAFKA_CONSUMER, &conf, error);
    if (!base_failed(status)) {
        status = log_kafka_client_open(&store->client, RD_KAFKA_CONSUMER, conf, error);
    }
    if (!base_failed(status)) {
        status = store_reach(store, timeout_ms, error);
    }
    if (base_failed(status)) {
        kafka_close(&store->store);
        return status;
    }
    if (rd_kafka_version() < VERSION_ADVISED) {
        log_report(
            &store->store, LOG_NOTICE,
            "librdkafka %s is in use; 2.6.1 and later mend faults that show when brokers change",
            rd_kafka_version_str());
    }
    *store_out = &store->store;
    return base_ok();
}

/* ---- facts about topics ---- */

/* How many partitions a topic has, asked of the broker. NOT_FOUND; UNREACHABLE also while it has no
 * leaders yet. */
static base_status topic_count_ask(log_kafka_store *store, const char *name, int64_t deadline_ms,
                                   int32_t *count_out, base_error *error)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(store->client.rk, name, NULL);
    if (topic == NULL) {
        return base_error_set(error, BASE_BAD_INPUT, "\"%s\" cannot name a topic", name);
    }
    rd_kafka_resp_err_t err;
    int32_t count = 0;
    for (;;) {
        const struct rd_kafka_metadata *metadata = NULL;
        err = rd_kafka_metadata(store->client.rk, 0, topic, &metadata,
                                log_kafka_left_ms(deadline_ms));
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            BASE_ASSERT(metadata->topic_cnt == 1);
            err = metadata->topics[0].err;
            count = metadata->topics[0].partition_cnt;
            rd_kafka_metadata_destroy(metadata);
        }
        if (err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || log_kafka_left_ms(deadline_ms) == 0) {
            break;
        }
        log_kafka_pause(20);
    }
    rd_kafka_topic_destroy(topic);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && count <= 0) {
        err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (log_kafka_code(err) == BASE_NOT_FOUND) {
            return base_error_set(error, BASE_NOT_FOUND, "there is no topic \"%s\"", name);
        }
        return log_kafka_fail(&store->client, err, error, "topic \"%s\"", name);
    }
    *count_out = count;
    return base_ok();
}

typedef struct topic_config {
    int64_t batch_size_max;
    bool compacted;
} topic_config;

static void config_take(const rd_kafka_ConfigResource_t *resource, topic_config *config)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (name == NULL || value == NULL) {
            continue;
        }
        if (strcmp(name, "max.message.bytes") == 0) {
            config->batch_size_max = strtoll(value, NULL, 10);
        } else if (strcmp(name, "cleanup.policy") == 0) {
            config->compacted = strstr(value, "compact") != NULL;
        }
    }
}

/* What the broker will take into a topic. Without the right to ask, or with a broker that does not
 * answer this, nothing is known, and the broker's refusal comes with the commit instead. */
static topic_config topic_config_ask(log_kafka_store *store, const char *name)
{
    topic_config config = {0, false};
    log_kafka_lock(store);
    const bool silent = log_kafka_now_ms() < store->admin_silent_until_ms;
    log_kafka_unlock(store);
    if (silent) {
        return config;
    }
    rd_kafka_t *rk = store->client.rk;
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    char text[256];
    (void)rd_kafka_AdminOptions_set_request_timeout(options, ADMIN_ANSWER_MS, text, sizeof(text));
    rd_kafka_DescribeConfigs(rk, &resource, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_ANSWER_MS + 1000);
    if (event == NULL || rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
        /* Not again for a while: it would cost this long for every topic. */
        log_kafka_lock(store);
        store->admin_silent_until_ms = log_kafka_now_ms() + ADMIN_SILENT_MS;
        log_kafka_unlock(store);
    }
    const rd_kafka_DescribeConfigs_result_t *result =
        event != NULL ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
    if (result != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t count = 0;
        const rd_kafka_ConfigResource_t **resources =
            rd_kafka_DescribeConfigs_result_resources(result, &count);
        if (count == 1 &&
            rd_kafka_ConfigResource_error(resources[0]) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            config_take(resources[0], &config);
        }
    }
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    return config;
}

static log_kafka_topic *topic_find(const log_kafka_store *store, base_slice name)
{
    for (size_t i = 0; i < store->topic_count; i++) {
        if (base_slice_is(name, store->topics[i]->name)) {
            return store->topics[i];
        }
    }
    return NULL;
}

/* The topic's entry, made if there is none; NULL without memory. */
static log_kafka_topic *topic_entry(log_kafka_store *store, base_slice name)
{
    log_kafka_topic *topic = topic_find(store, name);
    if (topic != NULL) {
        return topic;
    }
    if (store->topic_count == store->topic_capacity) {
        const size_t capacity = store->topic_capacity == 0 ? 16 : store->topic_capacity * 2;
        log_kafka_topic **grown = realloc(store->topics, capacity * sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        store->topics = grown;
        store->topic_capacity = capacity;
    }
    topic = calloc(1, sizeof(*topic));
    char *text = log_kafka_text(name);
    if (topic == NULL || text == NULL) {
        free(topic);
        free(text);
        return NULL;
    }
    topic->name = text;
    store->topics[store->topic_count++] = topic;
    return topic;
}

/* Room for the partitions' committed ends; those that are there are kept. */
static bool topic_ends_resize(log_kafka_topic *topic, int32_t count)
{
    if (topic->committed_ends != NULL && count <= topic->partition_count) {
        return true;
    }
    BASE_ASSERT(count > 0);
    int64_t *grown = realloc(topic->committed_ends, (size_t)count * sizeof(int64_t));
    if (grown == NULL) {
        return false;
    }
    for (int32_t i = topic->committed_ends != NULL ? topic->partition_count : 0; i < count; i++) {
        grown[i] = 0;
    }
    topic->committed_ends = grown;
    return true;
}

static void facts_copy(log_kafka_topic *topic, log_kafka_topic_facts *facts_out)
{
    *facts_out = (log_kafka_topic_facts){
        .topic = topic,
        .partition_count = topic->partition_count,
        .batch_size_max = topic->batch_size_max,
        .compacted = topic->compacted,
    };
}

base_status log_kafka_topic_get(log_kafka_store *store, base_slice name, bool refresh,
                                log_kafka_topic_facts *facts_out, base_error *error)
{
    const int64_t now_ms = log_kafka_now_ms();
    bool known = false;
    log_kafka_lock(store);
    log_kafka_topic *topic = topic_find(store, name);
    if (topic != NULL && topic->partition_count > 0 && !refresh &&
        now_ms - topic->known_at_ms < LOG_KAFKA_TOPIC_FRESH_MS) {
        facts_copy(topic, facts_out);
        known = true;
    }
    log_kafka_unlock(store);
    if (known) {
        return base_ok();
    }
    char *text = log_kafka_text(name);
    if (text == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a topic's name");
    }
    int32_t count = 0;
    topic_config config = {0, false};
    base_status status = topic_count_ask(store, text, now_ms + LOG_KAFKA_CALL_MS, &count, error);
    if (!base_failed(status)) {
        config = topic_config_ask(store, text);
    }
    free(text);
    log_kafka_client_poll(&store->client);
    log_kafka_lock(store);
    if (!base_failed(status)) {
        topic = topic_entry(store, name);
        if (topic != NULL && topic_ends_resize(topic, count)) {
            topic->partition_count = count;
            topic->batch_size_max = config.batch_size_max;
            topic->compacted = config.compacted;
            topic->known_at_ms = now_ms;
            facts_copy(topic, facts_out);
        } else {
            status = base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a topic");
        }
    } else if (topic != NULL) {
        topic->known_at_ms = now_ms - LOG_KAFKA_TOPIC_FRESH_MS;
        topic->committed_at_ms = 0;
    }
    log_kafka_unlock(store);
    return status;
}

static base_status kafka_topic_partitions(log_store *base, base_slice topic, int32_t *count_out,
                                          base_error *error)
{
    log_kafka_topic_facts facts;
    BASE_TRY(log_kafka_topic_get(kafka_store(base), topic, true, &facts, error));
    *count_out = facts.partition_count;
    return base_ok();
}

/* ---- ranges ---- */

/* Asks for one offset: of the first record at or after a time, or, with the special times, of begin
 * (-2) and end (-1). rd_kafka_query_watermark_offsets would do for the latter, but does not keep
 * its timeout before 2.3. */
static base_status offset_ask(log_kafka_store *store, base_slice name, int32_t partition,
                              int64_t time_ms, int64_t deadline_ms, int64_t *offset_out,
                              base_error *error)
{
    char text[LOG_TOPIC_SIZE_MAX + 1];
    BASE_ASSERT(name.size <= LOG_TOPIC_SIZE_MAX);
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *asked = rd_kafka_topic_partition_list_add(list, text, partition);
    rd_kafka_resp_err_t err;
    do {
        asked->offset = time_ms;
        asked->err = RD_KAFKA_RESP_ERR_NO_ERROR;
        err = rd_kafka_offsets_for_times(store->client.rk, list, log_kafka_left_ms(deadline_ms));
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            err = asked->err;
        }
        /* A leader that has just changed, or is being elected. */
    } while (log_kafka_code(err) == BASE_UNREACHABLE && log_kafka_left_ms(deadline_ms) > 0 &&
             log_kafka_pause(20));
    const int64_t offset = asked->offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (log_kafka_code(err) == BASE_NOT_FOUND) {
            return base_error_set(error, BASE_NOT_FOUND, "topic \"%s\" has no partition %d", text,
                                  (int)partition);
        }
        return log_kafka_fail(&store->client, err, error, "offsets of topic \"%s\", partition %d",
                              text, (int)partition);
    }
    *offset_out = offset;
    return base_ok();
}

/* That there is such a partition: librdkafka would wait for one to appear. */
base_status log_kafka_partition_get(log_kafka_store *store, base_slice name, int32_t partition,
                                    log_kafka_topic_facts *facts_out, base_error *error)
{
    BASE_TRY(log_kafka_topic_get(store, name, false, facts_out, error));
    if (partition >= facts_out->partition_count) {
        BASE_TRY(log_kafka_topic_get(store, name, true, facts_out, error));
    }
    if (partition >= facts_out->partition_count) {
        return base_error_set(error, BASE_NOT_FOUND,
                              "topic \"%.*s\" has no partition %d, it has %d", BASE_SLICE_ARG(name),
                              (int)partition, (int)facts_out->partition_count);
    }
    return base_ok();
}

void log_kafka_committed(log_kafka_store *store, log_kafka_topic *topic, int32_t partition,
                         int64_t end)
{
    log_kafka_lock(store);
    if (partition < topic->partition_count && end > topic->committed_ends[partition]) {
        topic->committed_ends[partition] = end;
        topic->committed_at_ms = log_kafka_now_ms();
    }
    log_kafka_unlock(store);
}

/* Where our own committed records of a partition end, 0 when there are none of late. */
static int64_t committed_end(log_kafka_store *store, const log_kafka_topic *topic,
                             int32_t partition)
{
    int64_t end = 0;
    log_kafka_lock(store);
    if (partition < topic->partition_count && topic->committed_at_ms != 0 &&
        log_kafka_now_ms() - topic->committed_at_ms < COMMITTED_TRUSTED_MS) {
        end = topic->committed_ends[partition];
    }
    log_kafka_unlock(store);
    return end;
}

base_status log_kafka_range(log_store *base, base_slice topic, int32_t partition,
                            int64_t *begin_out, int64_t *end_out, base_error *error)
{
    log_kafka_store *store = kafka_store(base);
    const int64_t deadline_ms = log_kafka_now_ms() + LOG_KAFKA_CALL_MS;
    log_kafka_topic_facts facts;
    BASE_TRY(log_kafka_partition_get(store, topic, partition, &facts, error));
    const int64_t ours = committed_end(store, facts.topic, partition);
    int64_t begin = 0;
    int64_t end = 0;
    BASE_TRY(offset_ask(store, topic, partition, LOG_OFFSET_BEGIN, deadline_ms, &begin, error));
    BASE_TRY(offset_ask(store, topic, partition, LOG_OFFSET_END, deadline_ms, &end, error));
    *begin_out = begin;
    *end_out = end > ours ? end : ours;
    return base_ok();
}

static base_status kafka_offset_at(log_store *base, base_slice topic, int32_t partition,
                                   int64_t time_ms, int64_t *offset_out, base_error *error)
{
    log_kafka_store *store = kafka_store(base);
    const int64_t deadline_ms = log_kafka_now_ms() + LOG_KAFKA_CALL_MS;
    log_kafka_topic_facts facts;
    BASE_TRY(log_kafka_partition_get(store, topic, partition, &facts, error));
    int64_t offset = 0;
    /* Negative times are commands in Kafka's protocol; no record is older than 1970. */
    BASE_TRY(offset_ask(store, topic, partition, time_ms < 0 ? 0 : time_ms, deadline_ms, &offset,
                        error));
    if (offset < 0) {
        BASE_TRY(offset_ask(store, topic, partition, LOG_OFFSET_END, deadline_ms, &offset, error));
    }
    *offset_out = offset;
    return base_ok();
}

const log_backend log_kafka_backend = {
    .scheme = "kafka",
    .location_has_authority = true,
    .open = kafka_open,
    .close = kafka_close,
    .topics_ensure = log_kafka_topics_ensure,
    .topic_partitions = kafka_topic_partitions,
    .topics_list = log_kafka_topics_list,
    .range = log_kafka_range,
    .offset_at = kafka_offset_at,
    .member_open = log_kafka_member_open,
    .member_close = log_kafka_member_close,
    .member_poll = log_kafka_member_poll,
    .member_release = log_kafka_member_release,
    .member_position = log_kafka_member_position,
    .reader_open = log_kafka_reader_open,
    .reader_close = log_kafka_reader_close,
    .reader_assign = log_kafka_reader_assign,
    .reader_unassign = log_kafka_reader_unassign,
    .reader_pause = log_kafka_reader_pause,
    .reader_poll = log_kafka_reader_poll,
    .reader_position = log_kafka_reader_position,
    .reader_wake = log_kafka_reader_wake,
    .writer_open = log_kafka_writer_open,
    .writer_close = log_kafka_writer_close,
    .writer_append = log_kafka_writer_append,
    .writer_commit = log_kafka_writer_commit,
    .writer_abort = log_kafka_writer_abort,
};
