/*
 * One librdkafka handle: how it is set up, what it tells, and its errors in our words.
 *
 * Settings: what the user gives as kafka.NAME goes to librdkafka as NAME, over defaults of ours;
 * then come the values on which the log's promises rest (isolation, acknowledgements, commits,
 * offsets). Those names are refused when they are given, so nobody believes to have changed them.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "base/assert.h"
#include "connectors/log_kafka.h"

typedef struct reserved_setting {
    const char *name;
    const char *reason;
} reserved_setting;

static const char by_url[] = "the addresses stand in the log's URL";
static const char by_members[] = "it is set by those who open a member of the group";
static const char by_writers[] = "it is set by those who open a writer";
static const char by_design[] = "exactly-once processing rests on its value";

static const reserved_setting reserved_settings[] = {
    {"bootstrap.servers", by_url},
    {"metadata.broker.list", by_url},
    {"group.id", by_members},
    {"group.instance.id", by_members},
    {"session.timeout.ms", by_members},
    {"heartbeat.interval.ms", by_members},
    {"partition.assignment.strategy", by_members},
    {"group.protocol.type", by_members},
    {"transactional.id", by_writers},
    {"transaction.timeout.ms", by_writers},
    {"enable.auto.commit", by_design},
    {"auto.commit.enable", by_design},
    {"auto.commit.interval.ms", by_design},
    {"enable.auto.offset.store", by_design},
    {"auto.offset.reset", by_design},
    {"offset.store.method", by_design},
    {"isolation.level", by_design},
    {"enable.partition.eof", by_design},
    {"enable.idempotence", by_design},
    {"enable.gapless.guarantee", by_design},
    {"acks", by_design},
    {"request.required.acks", by_design},
    {"partitioner", "records are placed by murmur2 of the key, as by Java clients"},
    {"allow.auto.create.topics", "topics are created on purpose, never by accident"},
    {"delivery.report.only.error", by_design},
    {"queuing.strategy", by_design},
    {"log_level", "what is worth telling is told to the program that opened the log"},
    {"test.mock.num.brokers", "a mock cluster has no transactions"},
};
#define RESERVED_SETTING_COUNT (sizeof(reserved_settings) / sizeof(reserved_settings[0]))

/* ---- small things ---- */

int64_t log_kafka_now_ms(void)
{
    struct timespec now;
    const int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    BASE_ASSERT(failed == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int log_kafka_left_ms(int64_t deadline_ms)
{
    const int64_t left = deadline_ms - log_kafka_now_ms();
    if (left < 0) {
        return 0;
    }
    return left < LOG_TIMEOUT_MS_MAX ? (int)left : LOG_TIMEOUT_MS_MAX;
}

bool log_kafka_pause(int32_t pause_ms)
{
    const struct timespec pause = {pause_ms / 1000, (pause_ms % 1000) * 1000000L};
    (void)nanosleep(&pause, NULL);
    return true;
}

char *log_kafka_text(base_slice text)
{
    char *copy = malloc(text.size + 1);
    if (copy == NULL) {
        return NULL;
    }
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    copy[text.size] = '\0';
    return copy;
}

/* ---- what the handle tells ---- */

static void client_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    /* One set of settings serves consumers and producers; that each ignores the other's is as it
     * should be. */
    if (strcmp(facility, "CONFWARN") == 0 && strstr(text, "will be ignored by this") != NULL) {
        return;
    }
    log_kafka_client *client = rd_kafka_opaque(rk);
    if (client != NULL) {
        if (strcmp(facility, "ADDPARTS") == 0) {
            log_kafka_lock(client->store);
            snprintf(client->partition_refused, sizeof(client->partition_refused), "%s", text);
            log_kafka_unlock(client->store);
        }
        log_report(&client->store->store, level < LOG_ERR ? LOG_ERR : level, "kafka %s: %s: %s",
                   rd_kafka_name(rk), facility, text);
    }
}

static void client_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    /* librdkafka's name of that connection; nothing but the text tells it from the others. */
    static const char coordinator[] = "TxnCoordinator";
    (void)rk;
    log_kafka_client *client = opaque;
    const char *text = reason != NULL ? reason : "";
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        client->down = true;
        return; /* says less than what came before it */
    }
    if (strncmp(text, coordinator, sizeof(coordinator) - 1) == 0) {
        client->coordinator_failed_at_ms = log_kafka_now_ms();
    }
    log_kafka_lock(client->store);
    snprintf(client->failure, sizeof(client->failure), "%s", text);
    log_kafka_unlock(client->store);
}

void log_kafka_client_poll(log_kafka_client *client)
{
    (void)rd_kafka_poll(client->rk, 0);
}

/* ---- settings ---- */

static bool setting_ours(base_slice name, base_slice *rest_out)
{
    const base_slice prefix = BASE_SLICE_LITERAL("kafka.");
    if (!base_slice_starts_with(name, prefix)) {
        return false;
    }
    *rest_out = base_slice_make(name.data + prefix.size, name.size - prefix.size);
    return true;
}

/* Adds the librdkafka property nearest to name as a hint. */
static void setting_hint(const rd_kafka_conf_t *conf, base_slice name, base_error *error)
{
    size_t count = 0;
    rd_kafka_conf_t *copy = rd_kafka_conf_dup(conf);
    const char **dump = rd_kafka_conf_dump(copy, &count);
    base_slice *names = dump != NULL ? calloc(count / 2 + 1, sizeof(base_slice)) : NULL;
    if (names != NULL) {
        for (size_t i = 0; i < count / 2; i++) {
            names[i] = base_slice_of(dump[2 * i]);
        }
        const base_slice nearest = base_error_nearest(name, names, count / 2);
        if (nearest.size > 0) {
            base_error_hint(error, "did you mean \"kafka.%.*s\"?", BASE_SLICE_ARG(nearest));
        }
    }
    free(names);
    if (dump != NULL) {
        rd_kafka_conf_dump_free(dump, count);
    }
    rd_kafka_conf_destroy(copy);
}

static base_status setting_check(rd_kafka_conf_t *conf, base_slice name, base_slice value,
                                 base_error *error)
{
    for (size_t i = 0; i < RESERVED_SETTING_COUNT; i++) {
        if (base_slice_is(name, reserved_settings[i].name)) {
            return base_error_set(error, BASE_BAD_INPUT, "setting kafka.%s cannot be set: %s",
                                  reserved_settings[i].name, reserved_settings[i].reason);
        }
    }
    char *name_text = log_kafka_text(name);
    char *value_text = log_kafka_text(value);
    base_status status = base_ok();
    if (name_text == NULL || value_text == NULL) {
        status = base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for settings");
        goto out;
    }
    char text[256] = "";
    const rd_kafka_conf_res_t result =
        rd_kafka_conf_set(conf, name_text, value_text, text, sizeof(text));
    if (result == RD_KAFKA_CONF_UNKNOWN) {
        status =
            base_error_set(error, BASE_BAD_INPUT, "librdkafka has no setting \"%s\"", name_text);
        setting_hint(conf, name, error);
    } else if (result != RD_KAFKA_CONF_OK) {
        /* The value is not repeated by us: it may be a password. */
        status = base_error_set(error, BASE_BAD_INPUT, "setting kafka.%s: %s", name_text, text);
    }
out:
    free(name_text);
    free(value_text);
    return status;
}

base_status log_kafka_settings_check(const log_open_options *options, base_error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    base_status status = base_ok();
    for (size_t i = 0; i < options->setting_count && !base_failed(status); i++) {
        base_slice name;
        if (setting_ours(options->settings[i].name, &name)) {
            status = setting_check(conf, name, options->settings[i].value, error);
        }
    }
    rd_kafka_conf_destroy(conf);
    return status;
}

void log_kafka_conf_fix(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    const rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, text, sizeof(text));
    BASE_ASSERT(result == RD_KAFKA_CONF_OK);
}

void log_kafka_conf_fix_number(rd_kafka_conf_t *conf, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    log_kafka_conf_fix(conf, name, text);
}

void log_kafka_conf_default(const log_kafka_store *store, rd_kafka_conf_t *conf, const char *name,
                            const char *value)
{
    for (size_t i = 0; i < store->setting_count; i++) {
        if (strcmp(store->settings[i].name, name) == 0) {
            return;
        }
    }
    log_kafka_conf_fix(conf, name, value);
}

void log_kafka_conf_default_number(const log_kafka_store *store, rd_kafka_conf_t *conf,
                                   const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    log_kafka_conf_default(store, conf, name, text);
}

/* Defaults of ours, which a setting may change. */
static void conf_defaults(const log_kafka_store *store, rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    /* Nagle's algorithm costs 40 ms on a small request; librdkafka before 2.10 leaves it on. */
    log_kafka_conf_default(store, conf, "socket.nagle.disable", "true");
    log_kafka_conf_default(store, conf, "reconnect.backoff.ms", "50");
    log_kafka_conf_default(store, conf, "reconnect.backoff.max.ms", "2000");
    if (type == RD_KAFKA_CONSUMER) {
        /* A position behind the markers of transactions is learned by the fetch after the last
         * record, which the broker holds back this long. */
        log_kafka_conf_default(store, conf, "fetch.wait.max.ms", "50");
        log_kafka_conf_default(store, conf, "fetch.error.backoff.ms", "100");
        log_kafka_conf_default(store, conf, "queued.max.messages.kbytes", "32768");
    } else {
        log_kafka_conf_default(store, conf, "linger.ms", "1");
        /* The first requests of a transaction are refused while the markers of the one before are
         * being written. */
        log_kafka_conf_default(store, conf, "retry.backoff.ms", "10");
        log_kafka_conf_default(store, conf, "compression.codec", "lz4");
    }
}

/* Values on which promises rest. */
static void conf_promises(const log_kafka_store *store, rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    log_kafka_conf_fix(conf, "bootstrap.servers", store->brokers);
    if (type == RD_KAFKA_CONSUMER) {
        log_kafka_conf_fix(conf, "isolation.level", "read_committed");
        log_kafka_conf_fix(conf, "enable.auto.commit", "false");
        log_kafka_conf_fix(conf, "enable.auto.offset.store", "false");
        log_kafka_conf_fix(conf, "auto.offset.reset", "error");
        log_kafka_conf_fix(conf, "enable.partition.eof", "true");
        log_kafka_conf_fix(conf, "allow.auto.create.topics", "false");
    } else {
        log_kafka_conf_fix(conf, "enable.idempotence", "true");
        log_kafka_conf_fix(conf, "acks", "all");
        log_kafka_conf_fix(conf, "partitioner", "murmur2_random");
    }
}

base_status log_kafka_conf_new(log_kafka_client *client, rd_kafka_type_t type,
                               rd_kafka_conf_t **conf_out, base_error *error)
{
    const log_kafka_store *store = client->store;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (conf == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a Kafka client");
    }
    if (store->client_name[0] != '\0') {
        log_kafka_conf_default(store, conf, "client.id", store->client_name);
    }
    conf_defaults(store, type, conf);
    for (size_t i = 0; i < store->setting_count; i++) {
        /* They were accepted when the store was opened (log_kafka_settings_check). */
        log_kafka_conf_fix(conf, store->settings[i].name, store->settings[i].value);
    }
    conf_promises(store, type, conf);
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, client_log);
    rd_kafka_conf_set_error_cb(conf, client_error);
    *conf_out = conf;
    return base_ok();
}

base_status log_kafka_client_open(log_kafka_client *client, rd_kafka_type_t type,
                                  rd_kafka_conf_t *conf, base_error *error)
{
    char text[256] = "";
    client->rk = rd_kafka_new(type, conf, text, sizeof(text));
    if (client->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return base_error_set(error, BASE_BAD_INPUT, "librdkafka does not accept the settings: %s",
                              text);
    }
    return base_ok();
}

/* ---- errors ---- */

typedef struct error_code {
    rd_kafka_resp_err_t err;
    base_code code;
} error_code;

static const error_code error_codes[] = {
    {RD_KAFKA_RESP_ERR__TRANSPORT, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR__RESOLVE, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR__WAIT_COORD, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR__WAIT_CACHE, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR__SSL, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_NOT_CONTROLLER, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, BASE_UNREACHABLE},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, BASE_BUSY},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, BASE_TOO_LARGE},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, BASE_TOO_LARGE},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_MSG, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, BASE_REFUSED},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, BASE_NOT_FOUND},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, BASE_NOT_FOUND},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, BASE_NOT_FOUND},
    {RD_KAFKA_RESP_ERR__FENCED, BASE_FENCED},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, BASE_FENCED},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, BASE_FENCED},
    {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, BASE_REVOKED},
    {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, BASE_REVOKED},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, BASE_REVOKED},
    {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, BASE_REVOKED},
    {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, BASE_POSITION_LOST},
    {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, BASE_POSITION_LOST},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, BASE_UNSUPPORTED},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, BASE_UNSUPPORTED},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, BASE_BAD_INPUT},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, BASE_BAD_INPUT},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, BASE_BAD_INPUT},
    {RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, BASE_BAD_INPUT},
    {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, BASE_BAD_INPUT},
    {RD_KAFKA_RESP_ERR__INVALID_ARG, BASE_BAD_INPUT},
};

base_code log_kafka_code(rd_kafka_resp_err_t err)
{
    for (size_t i = 0; i < sizeof(error_codes) / sizeof(error_codes[0]); i++) {
        if (error_codes[i].err == err) {
            return error_codes[i].code;
        }
    }
    return BASE_FATAL;
}

base_status log_kafka_fail(const log_kafka_client *client, rd_kafka_resp_err_t err,
                           base_error *error, const char *format, ...)
{
    char context[BASE_ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof(context), format, arguments);
    va_end(arguments);
    const base_code code = log_kafka_code(err);
    char heard[LOG_KAFKA_FAILURE_SIZE] = "";
    if (client != NULL && code == BASE_UNREACHABLE) {
        log_kafka_lock(client->store);
        memcpy(heard, client->failure, sizeof(heard));
        log_kafka_unlock(client->store);
    }
    return base_error_set(error, code, "%s: %s%s%s%s", context, rd_kafka_err2str(err),
                          heard[0] != '\0' ? " (" : "", heard, heard[0] != '\0' ? ")" : "");
}
