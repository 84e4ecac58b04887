/* The memory log's retention and compaction, and the hooks that act on the log as a whole. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "connectors/log_memory_model.h"
#include "connectors/log_shared.h"

/* Cuts what is too old or too much off the front. Gaps in front stay until a record behind them
 * goes. */
static void retain(memory_log *log, memory_partition *partition)
{
    const log_topic_options *options = &partition->topic->options;
    const int64_t stable = memory_partition_stable(log, partition);
    const int64_t oldest_ms = memory_wall_ms(log) - options->retention_ms;
    size_t size = partition->size;
    int64_t begin = partition->base;
    for (int64_t offset = partition->base; offset < stable; offset++) {
        const schema_record *record = memory_entry_at(partition, offset)->record;
        if (record == NULL) {
            continue;
        }
        const bool too_old = options->retention_ms >= 0 && record->time_ms < oldest_ms;
        const bool too_much =
            options->retention_size >= 0 && size > (size_t)options->retention_size;
        if (!too_old && !too_much) {
            break;
        }
        size -= log_record_size(record);
        begin = offset + 1;
    }
    memory_partition_cut(partition, begin);
}

/* A set of keys; open addressing, at most half full. */
typedef struct key_set {
    base_slice *slots;
    size_t slot_count;
} key_set;

/* Adds the key; false: it was there. */
static bool key_set_add(key_set *set, base_slice key)
{
    size_t slot = (size_t)base_hash64(key, 0) & (set->slot_count - 1);
    while (set->slots[slot].data != NULL) {
        if (base_slice_equal(set->slots[slot], key)) {
            return false;
        }
        slot = (slot + 1) & (set->slot_count - 1);
    }
    set->slots[slot] = key;
    return true;
}

/* From the newest to the oldest: the first of a key stays. false: no memory. */
static bool compact(memory_log *log, memory_partition *partition)
{
    const int64_t stable = memory_partition_stable(log, partition);
    const int64_t oldest_ms = memory_wall_ms(log) - LOG_TOMBSTONE_MS_DEFAULT;
    key_set set = {.slot_count = 16};
    while (set.slot_count < 2 * (size_t)(stable - partition->base)) {
        set.slot_count *= 2;
    }
    set.slots = calloc(set.slot_count, sizeof(base_slice));
    if (set.slots == NULL) {
        return false;
    }
    /* Entries are cleared in a second pass: the set borrows their keys. */
    bool *stale = calloc((size_t)(stable - partition->base) + 1, sizeof(bool));
    for (int64_t offset = stable; stale != NULL && offset > partition->base; offset--) {
        const schema_record *record = memory_entry_at(partition, offset - 1)->record;
        if (record != NULL) {
            const bool newest = key_set_add(&set, record->key);
            const bool dead = record->value.data == NULL && record->time_ms < oldest_ms;
            stale[offset - 1 - partition->base] = !newest || dead;
        }
    }
    for (int64_t offset = partition->base; stale != NULL && offset < stable; offset++) {
        if (stale[offset - partition->base]) {
            memory_entry_clear(partition, memory_entry_at(partition, offset));
        }
    }
    const bool fine = stale != NULL;
    free(stale);
    free(set.slots);
    return fine;
}

base_status memory_housekeep(log_store *store, bool *more_out, base_error *error)
{
    memory_log *log = memory_log_of(store);
    bool fine = true;
    memory_lock(log);
    for (memory_topic *topic = log->topics; topic != NULL; topic = topic->next) {
        for (int32_t i = 0; i < topic->options.partition_count; i++) {
            retain(log, &topic->partitions[i]);
            if (topic->options.cleanup == LOG_CLEANUP_COMPACT) {
                fine = compact(log, &topic->partitions[i]) && fine;
            }
        }
    }
    memory_unlock(log);
    *more_out = false;
    return fine ? base_ok() : memory_exhausted(error);
}

void log_memory_set_clock(log_store *store, int64_t (*now_ms)(void *context), void *context)
{
    memory_log *log = memory_log_of(store);
    memory_lock(log);
    log->clock = now_ms;
    log->clock_context = context;
    memory_unlock(log);
}

void log_memory_set_down(log_store *store, bool down)
{
    memory_log *log = memory_log_of(store);
    memory_lock(log);
    if (log->down && !down) {
        const int64_t now_ms = memory_steady_ms(log);
        for (memory_group *group = log->groups; group != NULL; group = group->next) {
            for (memory_session *it = group->sessions; it != NULL; it = it->next) {
                it->deadline_ms = now_ms + it->timeout_ms;
            }
        }
    }
    log->down = down;
    memory_wake_readers(log);
    memory_unlock(log);
}

base_status log_memory_truncate(log_store *store, base_slice topic, int32_t partition,
                                int64_t begin, int64_t end)
{
    memory_log *log = memory_log_of(store);
    memory_partition *found = NULL;
    memory_lock(log);
    const base_status status = memory_partition_find(log, topic, partition, &found, NULL);
    if (!base_failed(status)) {
        while (end >= 0 && found->count > 0 && memory_partition_end(found) > end) {
            memory_entry_clear(found, memory_entry_at(found, memory_partition_end(found) - 1));
            found->count--;
        }
        memory_partition_cut(found, begin);
    }
    memory_unlock(log);
    return status;
}
