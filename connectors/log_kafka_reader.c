/*
 * Reading: a consumer that belongs to no group and reads exactly the partitions and offsets that
 * it is told to.
 *
 *   partition 0 --+                          +--> records, until the next poll
 *   partition 1 --+--> one queue --> sort ---+--> end of partition: the position moves over gaps
 *   partition 2 --+     |  eventfd           +--> error: kept, told by the next poll
 *                       v
 *              ppoll <--+-- wake (an eventfd of its own)
 *
 * librdkafka's simple consumer does this: no group, hence no coordinator, no rights on a group,
 * no rebalance that could go wrong, and a stop that has taken effect when it returns. The batch
 * call is safe here, unlike beside a rebalance: one thread reads, stops and starts. What was
 * fetched for an assignment that has changed since is dropped by librdkafka (versions), and what
 * slips through by us (an offset below the position).
 *
 * Positions are ours: behind the last record handed out, and at the end of a partition where
 * librdkafka says that its fetch stands, which is behind the markers of transactions. log.h asks
 * for a wake from a signal handler, so waiting is done in ppoll on eventfds, not on the queue's
 * condition variable.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "connectors/log_kafka.h"

#define BATCH_MAX 4096   /* records handed out by one poll, whatever is asked for */
#define DOWN_LOOK_MS 500 /* how long we look whether a broker answers again */
#define RANGE_UNKNOWN (-1)

typedef struct reader_topic {
    char *name;
    rd_kafka_topic_t *handle; /* its opaque is this struct */
    int32_t *slots;           /* partition -> index of its slot, -1: never assigned */
    int32_t slot_count;
} reader_topic;

typedef struct reader_slot {
    reader_topic *topic;
    int32_t partition;
    int64_t position;
    bool assigned;
    bool paused;
    bool stopped;              /* librdkafka gave up on it; a new start is needed to go on */
    rd_kafka_resp_err_t error; /* to be told by the next poll */
    char *error_text;
} reader_slot;

typedef struct log_kafka_reader {
    log_reader reader;
    log_kafka_client client;
    rd_kafka_queue_t *queue;
    int queue_fd; /* written when the queue is no longer empty */
    int wake_fd;
    reader_topic **topics;
    size_t topic_count;
    reader_slot *slots;
    size_t slot_count;
    size_t error_count; /* slots with an error to be told */
    rd_kafka_message_t **messages;
    size_t message_count; /* handed out */
    schema_record *records;
    size_t record_capacity;
    schema_header *headers;
    size_t header_capacity;
} log_kafka_reader;

static log_kafka_reader *kafka_reader(log_reader *reader)
{
    return (log_kafka_reader *)(void *)reader;
}

/* ---- opening and closing ---- */

static void messages_release(log_kafka_reader *reader)
{
    for (size_t i = 0; i < reader->message_count; i++) {
        rd_kafka_message_destroy(reader->messages[i]);
    }
    reader->message_count = 0;
}

static void slot_error_clear(log_kafka_reader *reader, reader_slot *slot)
{
    if (slot->error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        reader->error_count--;
    }
    slot->error = RD_KAFKA_RESP_ERR_NO_ERROR;
    free(slot->error_text);
    slot->error_text = NULL;
}

static void slot_stop(log_kafka_reader *reader, reader_slot *slot)
{
    if (slot->assigned) {
        (void)rd_kafka_consume_stop(slot->topic->handle, slot->partition);
    }
    slot->assigned = false;
    slot->stopped = false;
    slot_error_clear(reader, slot);
}

static void reader_free(log_kafka_reader *reader)
{
    messages_release(reader);
    for (size_t i = 0; i < reader->slot_count; i++) {
        slot_stop(reader, &reader->slots[i]);
    }
    for (size_t i = 0; i < reader->topic_count; i++) {
        if (reader->topics[i]->handle != NULL) {
            rd_kafka_topic_destroy(reader->topics[i]->handle);
        }
    }
    if (reader->queue != NULL) {
        rd_kafka_queue_io_event_enable(reader->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(reader->queue);
    }
    if (reader->client.rk != NULL) {
        rd_kafka_destroy(reader->client.rk);
    }
    for (size_t i = 0; i < reader->topic_count; i++) {
        free(reader->topics[i]->slots);
        free(reader->topics[i]->name);
        free(reader->topics[i]);
    }
    if (reader->queue_fd >= 0) {
        close(reader->queue_fd);
    }
    if (reader->wake_fd >= 0) {
        close(reader->wake_fd);
    }
    free(reader->topics);
    free(reader->slots);
    free(reader->messages);
    free(reader->records);
    free(reader->headers);
    free(reader);
}

static base_status reader_start(log_kafka_reader *reader, base_error *error)
{
    reader->messages = calloc(BATCH_MAX, sizeof(rd_kafka_message_t *));
    reader->queue_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    reader->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (reader->messages == NULL || reader->queue_fd < 0 || reader->wake_fd < 0) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory or no descriptor for a reader");
    }
    rd_kafka_conf_t *conf = NULL;
    BASE_TRY(log_kafka_conf_new(&reader->client, RD_KAFKA_CONSUMER, &conf, error));
    BASE_TRY(log_kafka_client_open(&reader->client, RD_KAFKA_CONSUMER, conf, error));
    reader->queue = rd_kafka_queue_new(reader->client.rk);
    if (reader->queue == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a reader");
    }
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(reader->queue, reader->queue_fd, &one, sizeof(one));
    return base_ok();
}

base_status log_kafka_reader_open(log_store *store, log_reader **reader_out, base_error *error)
{
    log_kafka_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a reader");
    }
    reader->queue_fd = -1;
    reader->wake_fd = -1;
    reader->client.store = (log_kafka_store *)(void *)store;
    const base_status status = reader_start(reader, error);
    if (base_failed(status)) {
        reader_free(reader);
        return status;
    }
    *reader_out = &reader->reader;
    return base_ok();
}

void log_kafka_reader_close(log_reader *reader)
{
    reader_free(kafka_reader(reader));
}

/* ---- topics and slots ---- */

static reader_topic *topic_find(const log_kafka_reader *reader, base_slice name)
{
    for (size_t i = 0; i < reader->topic_count; i++) {
        if (base_slice_is(name, reader->topics[i]->name)) {
            return reader->topics[i];
        }
    }
    return NULL;
}

static reader_slot *slot_find(const log_kafka_reader *reader, base_slice name, int32_t partition)
{
    const reader_topic *topic = topic_find(reader, name);
    if (topic == NULL || partition < 0 || partition >= topic->slot_count ||
        topic->slots[partition] < 0) {
        return NULL;
    }
    reader_slot *slot = &reader->slots[topic->slots[partition]];
    return slot->assigned ? slot : NULL;
}

static reader_topic *topic_make(log_kafka_reader *reader, base_slice name)
{
    reader_topic **grown = realloc(reader->topics, (reader->topic_count + 1) * sizeof(*grown));
    reader_topic *topic = calloc(1, sizeof(*topic));
    if (grown != NULL) {
        reader->topics = grown;
    }
    if (grown == NULL || topic == NULL || (topic->name = log_kafka_text(name)) == NULL) {
        free(topic);
        return NULL;
    }
    rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
    rd_kafka_topic_conf_set_opaque(conf, topic);
    /* A conf of its own does not inherit the client's topic properties. */
    (void)rd_kafka_topic_conf_set(conf, "auto.offset.reset", "error", NULL, 0);
    topic->handle = rd_kafka_topic_new(reader->client.rk, topic->name, conf);
    if (topic->handle == NULL) {
        free(topic->name);
        free(topic);
        return NULL;
    }
    /* Looks up the leaders now: a start whose leader is not known is tried again only after half a
     * second. Whether this succeeds is told by what follows. */
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(reader->client.rk, 0, topic->handle, &metadata, LOG_KAFKA_CALL_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
    }
    reader->topics[reader->topic_count++] = topic;
    return topic;
}

/* The partition's slot, made if there is none; NULL without memory. */
static reader_slot *slot_make(log_kafka_reader *reader, base_slice name, int32_t partition)
{
    reader_topic *topic = topic_find(reader, name);
    if (topic == NULL && (topic = topic_make(reader, name)) == NULL) {
        return NULL;
    }
    if (partition >= topic->slot_count) {
        int32_t *grown = realloc(topic->slots, ((size_t)partition + 1) * sizeof(int32_t));
        if (grown == NULL) {
            return NULL;
        }
        topic->slots = grown;
        while (topic->slot_count <= partition) {
            topic->slots[topic->slot_count++] = -1;
        }
    }
    if (topic->slots[partition] < 0) {
        reader_slot *grown = realloc(reader->slots, (reader->slot_count + 1) * sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        reader->slots = grown;
        topic->slots[partition] = (int32_t)reader->slot_count;
        reader->slots[reader->slot_count++] = (reader_slot){.topic = topic, .partition = partition};
    }
    return &reader->slots[topic->slots[partition]];
}

/* librdkafka keeps a partition's pause over stop and start. */
static void slot_pause(log_kafka_reader *reader, reader_slot *slot, bool paused)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, slot->topic->name, slot->partition);
    if (paused) {
        (void)rd_kafka_pause_partitions(reader->client.rk, list);
    } else {
        (void)rd_kafka_resume_partitions(reader->client.rk, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
    slot->paused = paused;
}

static base_status slot_start(log_kafka_reader *reader, reader_slot *slot, int64_t offset,
                              base_error *error)
{
    slot_stop(reader, slot);
    if (slot->paused) {
        slot_pause(reader, slot, false);
    }
    if (rd_kafka_consume_start_queue(slot->topic->handle, slot->partition, offset, reader->queue) !=
        0) {
        const rd_kafka_resp_err_t err = rd_kafka_last_error();
        return log_kafka_fail(&reader->client, err, error, "reading topic \"%s\", partition %d",
                              slot->topic->name, (int)slot->partition);
    }
    slot->assigned = true;
    slot->position = offset >= 0 ? offset : 0;
    return base_ok();
}

base_status log_kafka_reader_assign(log_reader *base, base_slice topic, int32_t partition,
                                    int64_t offset, base_error *error)
{
    log_kafka_reader *reader = kafka_reader(base);
    log_kafka_store *store = reader->client.store;
    int64_t start = offset;
    if (offset == LOG_OFFSET_END) {
        int64_t begin = 0;
        BASE_TRY(log_kafka_range(&store->store, topic, partition, &begin, &start, error));
    } else {
        log_kafka_topic_facts facts;
        BASE_TRY(log_kafka_partition_get(store, topic, partition, &facts, error));
    }
    reader_slot *slot = slot_make(reader, topic, partition);
    if (slot == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for reading topic \"%.*s\"",
                              BASE_SLICE_ARG(topic));
    }
    return slot_start(reader, slot, start == LOG_OFFSET_BEGIN ? RD_KAFKA_OFFSET_BEGINNING : start,
                      error);
}

base_status log_kafka_reader_unassign(log_reader *base, base_slice topic, int32_t partition,
                                      base_error *error)
{
    log_kafka_reader *reader = kafka_reader(base);
    (void)error;
    reader_slot *slot = slot_find(reader, topic, partition);
    if (slot != NULL) {
        slot_stop(reader, slot);
    }
    return base_ok();
}

base_status log_kafka_reader_pause(log_reader *base, base_slice topic, int32_t partition,
                                   bool paused, base_error *error)
{
    log_kafka_reader *reader = kafka_reader(base);
    reader_slot *slot = slot_find(reader, topic, partition);
    if (slot == NULL) {
        return base_error_set(error, BASE_NOT_FOUND,
                              "topic \"%.*s\", partition %d is not being read",
                              BASE_SLICE_ARG(topic), (int)partition);
    }
    if (!paused && slot->stopped) {
        return slot_start(reader, slot, slot->position, error);
    }
    if (slot->paused != paused) {
        slot_pause(reader, slot, paused);
    }
    return base_ok();
}

base_status log_kafka_reader_position(const log_reader *base, base_slice topic, int32_t partition,
                                      int64_t *offset_out)
{
    const reader_slot *slot =
        slot_find((const log_kafka_reader *)(const void *)base, topic, partition);
    if (slot == NULL) {
        return base_status_of(BASE_NOT_FOUND);
    }
    *offset_out = slot->position;
    return base_ok();
}

/* ---- polling ---- */

static reader_slot *message_slot(const log_kafka_reader *reader, const rd_kafka_message_t *message)
{
    if (message->rkt == NULL) {
        return NULL;
    }
    const reader_topic *topic = rd_kafka_topic_opaque(message->rkt);
    const int32_t partition = message->partition;
    if (topic == NULL || partition < 0 || partition >= topic->slot_count ||
        topic->slots[partition] < 0) {
        return NULL;
    }
    reader_slot *slot = &reader->slots[topic->slots[partition]];
    return slot->assigned ? slot : NULL;
}

/* An error of a partition; true: it ends the reading of it and is to be told. */
static bool error_lasting(rd_kafka_resp_err_t err)
{
    const base_code code = log_kafka_code(err);
    return code == BASE_POSITION_LOST || code == BASE_NOT_FOUND || code == BASE_REFUSED;
}

static void error_keep(log_kafka_reader *reader, reader_slot *slot,
                       const rd_kafka_message_t *message)
{
    slot_error_clear(reader, slot);
    slot->error = message->err;
    slot->error_text = log_kafka_text(base_slice_of(rd_kafka_message_errstr(message)));
    slot->stopped = true;
    reader->error_count++;
}

/* Keeps the records among `count` messages, in place; takes note of ends and errors. True: a
 * position moved without a record, which whoever waits for it wants to know now. */
static bool messages_sort(log_kafka_reader *reader, size_t count)
{
    size_t kept = 0;
    bool moved = false;
    for (size_t i = 0; i < count; i++) {
        rd_kafka_message_t *message = reader->messages[i];
        reader_slot *slot = message_slot(reader, message);
        if (slot != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
            message->offset >= slot->position && !slot->stopped) {
            slot->position = message->offset + 1;
            reader->messages[kept++] = message;
            continue;
        }
        if (slot != NULL && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            if (message->offset > slot->position) {
                slot->position = message->offset;
                moved = true;
            }
        } else if (slot != NULL && error_lasting(message->err)) {
            error_keep(reader, slot, message);
        }
        rd_kafka_message_destroy(message);
    }
    reader->message_count = kept;
    if (count > 0) {
        reader->client.down = false;
    }
    return moved;
}

/* Takes what is in the queue, without waiting. */
static base_status queue_take(log_kafka_reader *reader, size_t record_max, size_t *count_out,
                              bool *moved_out, base_error *error)
{
    const size_t wanted = record_max < BATCH_MAX ? record_max : BATCH_MAX;
    const ssize_t count = rd_kafka_consume_batch_queue(reader->queue, 0, reader->messages, wanted);
    if (count < 0) {
        return log_kafka_fail(&reader->client, rd_kafka_last_error(), error, "reading");
    }
    *moved_out = messages_sort(reader, (size_t)count);
    *count_out = (size_t)count;
    return base_ok();
}

static void descriptor_drain(int descriptor)
{
    uint64_t count;
    while (read(descriptor, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
}

/* Waits for the queue or a wake; true: somebody woke us. */
static bool reader_wait(const log_kafka_reader *reader, int timeout_ms)
{
    struct pollfd descriptors[2] = {{.fd = reader->queue_fd, .events = POLLIN},
                                    {.fd = reader->wake_fd, .events = POLLIN}};
    const struct timespec timeout = {timeout_ms / 1000, (timeout_ms % 1000) * 1000000L};
    const int ready = ppoll(descriptors, 2, &timeout, NULL);
    if (ready > 0 && (descriptors[1].revents & POLLIN) != 0) {
        descriptor_drain(reader->wake_fd);
        return true;
    }
    return false;
}

/* Tells the first error that is kept; where a position is lost, with what is left of the partition.
 */
static base_status error_tell(log_kafka_reader *reader, base_error *error)
{
    reader_slot *slot = reader->slots;
    while (slot->error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        slot++;
        BASE_ASSERT(slot < reader->slots + reader->slot_count);
    }
    base_status status = base_status_of(log_kafka_code(slot->error));
    const base_slice name = base_slice_of(slot->topic->name);
    if (status.code == BASE_POSITION_LOST) {
        int64_t begin = RANGE_UNKNOWN;
        int64_t end = RANGE_UNKNOWN;
        status = log_kafka_range(&reader->client.store->store, name, slot->partition, &begin, &end,
                                 error);
        if (!base_failed(status)) {
            status =
                base_error_set(error, BASE_POSITION_LOST,
                               "topic \"%s\", partition %d: position %" PRId64
                               " is not in the log, which holds %" PRId64 " to %" PRId64,
                               slot->topic->name, (int)slot->partition, slot->position, begin, end);
        } else if (base_status_class(status) == BASE_CLASS_RETRY) {
            return status; /* the error is kept, and told when the broker answers */
        }
    } else {
        status =
            base_error_set(error, status.code, "topic \"%s\", partition %d: %s", slot->topic->name,
                           (int)slot->partition, slot->error_text != NULL ? slot->error_text : "");
    }
    slot_error_clear(reader, slot);
    slot->paused = true;
    slot_pause(reader, slot, true);
    return status;
}

/* Nothing came, and all brokers were gone when we last heard: is that still so? */
static base_status down_check(log_kafka_reader *reader, base_error *error)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t err =
        rd_kafka_metadata(reader->client.rk, 0, NULL, &metadata, DOWN_LOOK_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
        reader->client.down = false;
        return base_ok();
    }
    return log_kafka_fail(&reader->client, err, error, "reading from %s",
                          reader->client.store->brokers);
}

static base_status records_room(log_kafka_reader *reader, size_t record_count, size_t header_count)
{
    if (record_count > reader->record_capacity) {
        schema_record *grown = realloc(reader->records, record_count * sizeof(*grown));
        if (grown == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
        reader->records = grown;
        reader->record_capacity = record_count;
    }
    if (header_count > reader->header_capacity) {
        const size_t capacity = header_count + header_count / 2;
        schema_header *grown = realloc(reader->headers, capacity * sizeof(*grown));
        if (grown == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
        reader->headers = grown;
        reader->header_capacity = capacity;
    }
    return base_ok();
}

static size_t headers_count(rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const rd_kafka_resp_err_t err = rd_kafka_message_headers(message, &headers);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_header_cnt(headers) : 0;
}

static size_t headers_fill(rd_kafka_message_t *message, schema_header *headers_out)
{
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    size_t count = 0;
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    while (rd_kafka_header_get_all(headers, count, &name, &value, &size) ==
           RD_KAFKA_RESP_ERR_NO_ERROR) {
        headers_out[count].name = base_slice_of(name);
        headers_out[count].value = base_slice_make(value, size);
        count++;
    }
    return count;
}

/* Makes our records of the messages that are kept. */
static base_status records_fill(log_kafka_reader *reader, base_error *error)
{
    size_t header_count = 0;
    for (size_t i = 0; i < reader->message_count; i++) {
        header_count += headers_count(reader->messages[i]);
    }
    if (base_failed(records_room(reader, reader->message_count, header_count))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for %zu records",
                              reader->message_count);
    }
    size_t header_used = 0;
    for (size_t i = 0; i < reader->message_count; i++) {
        rd_kafka_message_t *message = reader->messages[i];
        const reader_topic *topic = rd_kafka_topic_opaque(message->rkt);
        schema_header *headers = header_count > 0 ? reader->headers + header_used : NULL;
        const size_t count = header_count > 0 ? headers_fill(message, headers) : 0;
        rd_kafka_timestamp_type_t kind;
        reader->records[i] = (schema_record){
            .topic = base_slice_of(topic->name),
            .partition = message->partition,
            .offset = message->offset,
            .time_ms = rd_kafka_message_timestamp(message, &kind),
            .key = base_slice_make(message->key, message->key_len),
            .value = base_slice_make(message->payload, message->len),
            .headers = headers,
            .header_count = count,
        };
        header_used += count;
    }
    return base_ok();
}

/* Undoes the moves of positions of messages that cannot be handed out after all. */
static void positions_back(log_kafka_reader *reader)
{
    for (size_t i = reader->message_count; i > 0; i--) {
        reader_slot *slot = message_slot(reader, reader->messages[i - 1]);
        slot->position = reader->messages[i - 1]->offset;
        slot->stopped = true;
    }
    messages_release(reader);
    for (size_t i = 0; i < reader->slot_count; i++) {
        if (reader->slots[i].assigned && reader->slots[i].stopped && !reader->slots[i].paused) {
            const base_status started =
                slot_start(reader, &reader->slots[i], reader->slots[i].position, NULL);
            (void)started;
        }
    }
}

base_status log_kafka_reader_poll(log_reader *base, int32_t timeout_ms, size_t record_max,
                                  const schema_record **records_out, size_t *count_out,
                                  base_error *error)
{
    log_kafka_reader *reader = kafka_reader(base);
    const int64_t deadline_ms = log_kafka_now_ms() + timeout_ms;
    messages_release(reader);
    log_kafka_client_poll(&reader->client);
    bool woken = false;
    while (reader->error_count == 0) {
        descriptor_drain(reader->queue_fd);
        size_t taken = 0;
        bool moved = false;
        BASE_TRY(queue_take(reader, record_max, &taken, &moved, error));
        if (reader->message_count > 0 || moved) {
            break;
        }
        if (taken > 0) {
            continue;
        }
        const int left_ms = log_kafka_left_ms(deadline_ms);
        if (woken || left_ms == 0) {
            break;
        }
        woken = reader_wait(reader, left_ms);
        log_kafka_client_poll(&reader->client);
    }
    if (reader->message_count > 0) {
        const base_status status = records_fill(reader, error);
        if (base_failed(status)) {
            positions_back(reader);
            return status;
        }
        *records_out = reader->records;
        *count_out = reader->message_count;
        return base_ok();
    }
    if (reader->error_count > 0) {
        return error_tell(reader, error);
    }
    if (reader->client.down && !woken) {
        BASE_TRY(down_check(reader, error));
    }
    *records_out = NULL;
    *count_out = 0;
    return base_ok();
}

void log_kafka_reader_wake(log_reader *base)
{
    const int kept = errno;
    const uint64_t one = 1;
    const ssize_t written = write(kafka_reader(base)->wake_fd, &one, sizeof(one));
    (void)written; /* full: a wake is waiting already */
    errno = kept;
}
