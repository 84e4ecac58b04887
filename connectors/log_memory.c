/* The memory log: the registry of logs by name, topics, and the entries of a partition
 * (log_memory_model.h). */
#include "connectors/log_memory.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "connectors/log_memory_model.h"
#include "connectors/log_shared.h"

/* The one mutable thing of this process that no handle leads to: "memory:NAME" means the same log
 * to all who open it, so there has to be a place where names meet. */
static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static memory_log *registry;

/* ---- small tools ---- */

memory_log *memory_log_of(log_store *store)
{
    BASE_ASSERT(store->backend == &log_memory_backend);
    return ((memory_store *)store)->log;
}

void memory_lock(memory_log *log)
{
    const int result = pthread_mutex_lock(&log->mutex);
    BASE_ASSERT(result == 0);
}

void memory_unlock(memory_log *log)
{
    const int result = pthread_mutex_unlock(&log->mutex);
    BASE_ASSERT(result == 0);
}

int64_t memory_steady_ms(const memory_log *log)
{
    return log->clock != NULL ? log->clock(log->clock_context) : log_steady_ms();
}

int64_t memory_wall_ms(const memory_log *log)
{
    return log->clock != NULL ? log->clock(log->clock_context) : log_wall_ms();
}

base_status memory_exhausted(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the log in memory");
}

base_status memory_unreachable(const memory_log *log, base_error *error)
{
    return base_error_set(error, BASE_UNREACHABLE, "log memory:%s cannot be reached", log->name);
}

char *memory_text(base_slice text)
{
    char *copy = malloc(text.size + 1);
    if (copy != NULL) {
        if (text.size > 0) {
            memcpy(copy, text.data, text.size);
        }
        copy[text.size] = '\0';
    }
    return copy;
}

bool memory_grow(void **items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity) {
        return true;
    }
    const size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = realloc(*items, wanted * item_size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *capacity = wanted;
    return true;
}

void memory_signal(int event)
{
    const uint64_t one = 1;
    ssize_t written;
    do {
        written = write(event, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
}

void memory_wait(int event, int32_t timeout_ms)
{
    struct pollfd waiting = {.fd = event, .events = POLLIN};
    if (poll(&waiting, 1, timeout_ms) > 0) {
        uint64_t count = 0;
        const ssize_t got = read(event, &count, sizeof(count));
        BASE_ASSERT(got == (ssize_t)sizeof(count) || errno == EAGAIN || errno == EINTR);
    }
}

void memory_wake_readers(memory_log *log)
{
    for (const memory_reader *reader = log->readers; reader != NULL; reader = reader->next) {
        memory_signal(reader->event);
    }
}

/* ---- entries ---- */

int64_t memory_partition_end(const memory_partition *partition)
{
    return partition->base + (int64_t)partition->count;
}

memory_entry *memory_entry_at(const memory_partition *partition, int64_t offset)
{
    BASE_ASSERT(offset >= partition->base && offset < memory_partition_end(partition));
    return &partition->entries[partition->start + (size_t)(offset - partition->base)];
}

int64_t memory_partition_stable(const memory_log *log, const memory_partition *partition)
{
    int64_t stable = memory_partition_end(partition);
    if (partition->open_count == 0) {
        return stable;
    }
    for (const memory_transaction *open = log->transactions; open != NULL; open = open->next) {
        for (size_t i = 0; i < open->touched_count; i++) {
            if (open->touched[i].partition == partition && open->touched[i].offset < stable) {
                stable = open->touched[i].offset;
            }
        }
    }
    return stable > partition->base ? stable : partition->base;
}

bool memory_partition_push(memory_partition *partition, schema_record *record,
                           memory_transaction *transaction)
{
    if (partition->start + partition->count == partition->capacity) {
        /* Space that retention has left at the front is used again once it is half of the block. */
        if (partition->start > partition->capacity / 2) {
            memmove(partition->entries, partition->entries + partition->start,
                    partition->count * sizeof(memory_entry));
            partition->start = 0;
        } else if (!memory_grow((void **)&partition->entries, partition->capacity,
                                &partition->capacity, sizeof(memory_entry))) {
            return false;
        }
    }
    if (record != NULL) {
        record->partition = partition->number;
        record->offset = memory_partition_end(partition);
        partition->size += log_record_size(record);
    }
    partition->entries[partition->start + partition->count] = (memory_entry){record, transaction};
    partition->count++;
    return true;
}

void memory_entry_clear(memory_partition *partition, memory_entry *entry)
{
    if (entry->record != NULL) {
        partition->size -= log_record_size(entry->record);
        free(entry->record);
    }
    *entry = (memory_entry){NULL, NULL};
}

void memory_partition_cut(memory_partition *partition, int64_t begin)
{
    while (partition->base < begin && partition->count > 0) {
        memory_entry_clear(partition, &partition->entries[partition->start]);
        partition->start++;
        partition->count--;
        partition->base++;
    }
}

/* ---- topics ---- */

memory_topic *memory_topic_find(const memory_log *log, base_slice name)
{
    for (memory_topic *topic = log->topics; topic != NULL; topic = topic->next) {
        if (base_slice_equal(topic->options.name, name)) {
            return topic;
        }
    }
    return NULL;
}

static base_status topic_find(const memory_log *log, base_slice name, memory_topic **topic_out,
                              base_error *error)
{
    memory_topic *topic = memory_topic_find(log, name);
    if (topic == NULL) {
        return base_error_set(error, BASE_NOT_FOUND, "there is no topic \"%.*s\" in memory:%s",
                              BASE_SLICE_ARG(name), log->name);
    }
    *topic_out = topic;
    return base_ok();
}

base_status memory_partition_find(const memory_log *log, base_slice topic, int32_t partition,
                                  memory_partition **partition_out, base_error *error)
{
    memory_topic *found = NULL;
    BASE_TRY(topic_find(log, topic, &found, error));
    if (partition >= found->options.partition_count) {
        return base_error_set(
            error, BASE_NOT_FOUND, "topic \"%.*s\" has no partition %d, it has %d",
            BASE_SLICE_ARG(topic), (int)partition, (int)found->options.partition_count);
    }
    *partition_out = &found->partitions[partition];
    return base_ok();
}

static void topic_free(memory_topic *topic)
{
    for (int32_t i = 0; topic->partitions != NULL && i < topic->options.partition_count; i++) {
        memory_partition *partition = &topic->partitions[i];
        memory_partition_cut(partition, memory_partition_end(partition));
        free(partition->entries);
    }
    free(topic->partitions);
    free(topic->name);
    free(topic);
}

static memory_topic *topic_new(const log_topic_options *options)
{
    memory_topic *topic = calloc(1, sizeof(*topic));
    if (topic == NULL) {
        return NULL;
    }
    topic->options = *options;
    topic->name = memory_text(options->name);
    topic->partitions = calloc((size_t)options->partition_count, sizeof(memory_partition));
    if (topic->name == NULL || topic->partitions == NULL) {
        topic_free(topic);
        return NULL;
    }
    topic->options.name = base_slice_of(topic->name);
    for (int32_t i = 0; i < options->partition_count; i++) {
        topic->partitions[i].topic = topic;
        topic->partitions[i].number = i;
    }
    return topic;
}

static void topic_insert(memory_log *log, memory_topic *topic)
{
    memory_topic **place = &log->topics;
    while (*place != NULL && base_slice_compare((*place)->options.name, topic->options.name) < 0) {
        place = &(*place)->next;
    }
    topic->next = *place;
    *place = topic;
}

static base_status memory_topics_ensure(log_store *store, const log_topic_options *topics,
                                        size_t count, int32_t timeout_ms, base_error *error)
{
    (void)timeout_ms;
    memory_log *log = memory_log_of(store);
    base_status status = base_ok();
    memory_lock(log);
    if (log->down) {
        status = memory_unreachable(log, error);
    }
    for (size_t i = 0; !base_failed(status) && i < count; i++) {
        if (memory_topic_find(log, topics[i].name) != NULL) {
            continue;
        }
        memory_topic *topic = topic_new(&topics[i]);
        if (topic != NULL) {
            topic_insert(log, topic);
        } else {
            status = memory_exhausted(error);
        }
    }
    memory_groups_divide(log);
    memory_unlock(log);
    return status;
}

static base_status memory_topic_partitions(log_store *store, base_slice topic, int32_t *count_out,
                                           base_error *error)
{
    memory_log *log = memory_log_of(store);
    memory_topic *found = NULL;
    memory_lock(log);
    const base_status status =
        log->down ? memory_unreachable(log, error) : topic_find(log, topic, &found, error);
    if (!base_failed(status)) {
        *count_out = found->options.partition_count;
    }
    memory_unlock(log);
    return status;
}

/* Topics are never taken away, so the list can be walked with the mutex let go at each call. */
static base_status memory_topics_list(log_store *store,
                                      void (*each)(void *context, base_slice topic,
                                                   int32_t partitions),
                                      void *context, base_error *error)
{
    memory_log *log = memory_log_of(store);
    memory_lock(log);
    if (log->down) {
        const base_status status = memory_unreachable(log, error);
        memory_unlock(log);
        return status;
    }
    for (memory_topic *topic = log->topics; topic != NULL; topic = topic->next) {
        memory_unlock(log);
        each(context, topic->options.name, topic->options.partition_count);
        memory_lock(log);
    }
    memory_unlock(log);
    return base_ok();
}

static base_status memory_range(log_store *store, base_slice topic, int32_t partition,
                                int64_t *begin_out, int64_t *end_out, base_error *error)
{
    memory_log *log = memory_log_of(store);
    memory_partition *found = NULL;
    memory_lock(log);
    memory_transactions_sweep(log);
    const base_status status = log->down
                                   ? memory_unreachable(log, error)
                                   : memory_partition_find(log, topic, partition, &found, error);
    if (!base_failed(status)) {
        *begin_out = found->base;
        *end_out = memory_partition_stable(log, found);
    }
    memory_unlock(log);
    return status;
}

static base_status memory_offset_at(log_store *store, base_slice topic, int32_t partition,
                                    int64_t time_ms, int64_t *offset_out, base_error *error)
{
    memory_log *log = memory_log_of(store);
    memory_partition *found = NULL;
    memory_lock(log);
    const base_status status = log->down
                                   ? memory_unreachable(log, error)
                                   : memory_partition_find(log, topic, partition, &found, error);
    if (!base_failed(status)) {
        const int64_t stable = memory_partition_stable(log, found);
        int64_t offset = found->base;
        while (offset < stable) {
            const memory_entry *entry = memory_entry_at(found, offset);
            if (entry->record != NULL && entry->record->time_ms >= time_ms) {
                break;
            }
            offset++;
        }
        *offset_out = offset;
    }
    memory_unlock(log);
    return status;
}

/* ---- opening ---- */

static memory_log *log_new(base_slice name)
{
    memory_log *log = calloc(1, sizeof(*log));
    if (log == NULL) {
        return NULL;
    }
    log->name = memory_text(name);
    if (log->name == NULL || pthread_mutex_init(&log->mutex, NULL) != 0) {
        free(log->name);
        free(log);
        return NULL;
    }
    return log;
}

static void log_free(memory_log *log)
{
    BASE_ASSERT(log->readers == NULL);
    BASE_ASSERT(log->members == NULL);
    memory_identities_free(log);
    memory_groups_free(log);
    while (log->topics != NULL) {
        memory_topic *topic = log->topics;
        log->topics = topic->next;
        topic_free(topic);
    }
    (void)pthread_mutex_destroy(&log->mutex);
    free(log->name);
    free(log);
}

static memory_log *registry_take(base_slice name)
{
    (void)pthread_mutex_lock(&registry_mutex);
    memory_log *log = registry;
    while (log != NULL && !base_slice_is(name, log->name)) {
        log = log->next;
    }
    if (log == NULL) {
        log = log_new(name);
        if (log != NULL) {
            log->next = registry;
            registry = log;
        }
    }
    if (log != NULL) {
        log->open_count++;
    }
    (void)pthread_mutex_unlock(&registry_mutex);
    return log;
}

static void registry_give(memory_log *log)
{
    (void)pthread_mutex_lock(&registry_mutex);
    log->open_count--;
    if (log->open_count == 0) {
        memory_log **place = &registry;
        while (*place != log) {
            place = &(*place)->next;
        }
        *place = log->next;
        log_free(log);
    }
    (void)pthread_mutex_unlock(&registry_mutex);
}

static base_status memory_open(base_slice location, const log_open_options *options,
                               int32_t timeout_ms, log_store **store_out, base_error *error)
{
    (void)timeout_ms;
    memory_store *store = calloc(1, sizeof(*store));
    memory_log *log = store != NULL ? registry_take(location) : NULL;
    if (log == NULL) {
        free(store);
        return memory_exhausted(error);
    }
    log_store_init(&store->store, &log_memory_backend, options);
    store->log = log;
    int64_t record_size_max = 0;
    const base_status status =
        log_setting_integer(options, "memory.record_size_max", LOG_RECORD_SIZE_DEFAULT, 1,
                            (int64_t)1 << 30, &record_size_max, error);
    if (base_failed(status)) {
        registry_give(log);
        free(store);
        return status;
    }
    store->store.record_size_max = (size_t)record_size_max;
    *store_out = &store->store;
    return base_ok();
}

static void memory_close(log_store *store)
{
    memory_log *log = memory_log_of(store);
    memory_lock(log);
    if (((memory_store *)store)->claims) {
        log->claimed = false;
    }
    memory_unlock(log);
    registry_give(log);
    free(store);
}

static base_status memory_claim_exclusive(log_store *store, base_slice purpose, base_error *error)
{
    memory_store *mine = (memory_store *)store;
    memory_log *log = memory_log_of(store);
    base_status status = base_ok();
    memory_lock(log);
    if (log->claimed && !mine->claims) {
        status = base_error_set(error, BASE_BUSY, "log memory:%s is in use by process %ld (%s)",
                                log->name, (long)getpid(), log->claimed_by);
    } else {
        (void)snprintf(log->claimed_by, sizeof(log->claimed_by), "%.*s", BASE_SLICE_ARG(purpose));
        log->claimed = true;
        mine->claims = true;
    }
    memory_unlock(log);
    return status;
}

static const base_slice setting_names[] = {BASE_SLICE_LITERAL("memory.record_size_max")};

const log_backend log_memory_backend = {
    .scheme = "memory",
    .location_has_authority = false,
    .setting_names = setting_names,
    .setting_name_count = sizeof(setting_names) / sizeof(setting_names[0]),
    .open = memory_open,
    .close = memory_close,
    .topics_ensure = memory_topics_ensure,
    .topic_partitions = memory_topic_partitions,
    .topics_list = memory_topics_list,
    .range = memory_range,
    .offset_at = memory_offset_at,
    .claim_exclusive = memory_claim_exclusive,
    .housekeep = memory_housekeep,
    .member_open = memory_member_open,
    .member_close = memory_member_close,
    .member_poll = memory_member_poll,
    .member_release = memory_member_release,
    .member_position = memory_member_position,
    .reader_open = memory_reader_open,
    .reader_close = memory_reader_close,
    .reader_assign = memory_reader_assign,
    .reader_unassign = memory_reader_unassign,
    .reader_pause = memory_reader_pause,
    .reader_poll = memory_reader_poll,
    .reader_position = memory_reader_position,
    .reader_wake = memory_reader_wake,
    .writer_open = memory_writer_open,
    .writer_close = memory_writer_close,
    .writer_append = memory_writer_append,
    .writer_commit = memory_writer_commit,
    .writer_abort = memory_writer_abort,
};
