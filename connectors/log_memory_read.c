/* The memory log's readers. What is handed out is a copy in the reader's arena, so the log may cut
 * and compact. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "connectors/log_memory_model.h"
#include "connectors/log_shared.h"

#define READER_ARENA_SIZE_MAX ((size_t)4 * 1024 * 1024 * 1024)

base_status memory_reader_open(log_store *store, log_reader **reader_out, base_error *error)
{
    memory_log *log = memory_log_of(store);
    memory_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL) {
        return memory_exhausted(error);
    }
    reader->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (reader->event < 0) {
        const base_status status =
            base_error_set(error, BASE_IO, "no descriptor for a reader: %s", strerror(errno));
        free(reader);
        return status;
    }
    reader->log = log;
    atomic_init(&reader->woken, false);
    base_arena_init(&reader->arena, READER_ARENA_SIZE_MAX);
    memory_lock(log);
    reader->next = log->readers;
    log->readers = reader;
    memory_unlock(log);
    *reader_out = &reader->reader;
    return base_ok();
}

void memory_reader_close(log_reader *handle)
{
    memory_reader *reader = (memory_reader *)handle;
    memory_lock(reader->log);
    memory_reader **place = &reader->log->readers;
    while (*place != reader) {
        place = &(*place)->next;
    }
    *place = reader->next;
    memory_unlock(reader->log);
    (void)close(reader->event);
    base_arena_deinit(&reader->arena);
    free(reader->assignments);
    free(reader->records);
    free(reader);
}

static memory_assignment *assignment_find(const memory_reader *reader, base_slice topic,
                                          int32_t partition)
{
    for (size_t i = 0; i < reader->assignment_count; i++) {
        memory_assignment *assignment = &reader->assignments[i];
        if (assignment->partition->number == partition &&
            base_slice_equal(assignment->partition->topic->options.name, topic)) {
            return assignment;
        }
    }
    return NULL;
}

base_status memory_reader_assign(log_reader *handle, base_slice topic, int32_t partition,
                                 int64_t offset, base_error *error)
{
    memory_reader *reader = (memory_reader *)handle;
    memory_log *log = reader->log;
    memory_partition *found = NULL;
    memory_lock(log);
    base_status status = log->down ? memory_unreachable(log, error)
                                   : memory_partition_find(log, topic, partition, &found, error);
    if (base_failed(status)) {
        goto out;
    }
    memory_assignment *assignment = assignment_find(reader, topic, partition);
    if (assignment == NULL) {
        if (!memory_grow((void **)&reader->assignments, reader->assignment_count,
                         &reader->assignment_capacity, sizeof(memory_assignment))) {
            status = memory_exhausted(error);
            goto out;
        }
        assignment = &reader->assignments[reader->assignment_count++];
    }
    *assignment = (memory_assignment){.partition = found, .position = offset};
    if (offset == LOG_OFFSET_BEGIN) {
        assignment->from_begin = true;
        assignment->position = found->base;
    } else if (offset == LOG_OFFSET_END) {
        memory_transactions_sweep(log);
        assignment->position = memory_partition_stable(log, found);
    }
out:
    memory_unlock(log);
    return status;
}

base_status memory_reader_unassign(log_reader *handle, base_slice topic, int32_t partition,
                                   base_error *error)
{
    (void)error;
    memory_reader *reader = (memory_reader *)handle;
    memory_assignment *assignment = assignment_find(reader, topic, partition);
    if (assignment != NULL) {
        *assignment = reader->assignments[--reader->assignment_count];
    }
    return base_ok();
}

base_status memory_reader_pause(log_reader *handle, base_slice topic, int32_t partition,
                                bool paused, base_error *error)
{
    const memory_reader *reader = (const memory_reader *)handle;
    memory_assignment *assignment = assignment_find(reader, topic, partition);
    if (assignment == NULL) {
        return base_error_set(error, BASE_NOT_FOUND,
                              "partition %d of topic \"%.*s\" is not assigned", (int)partition,
                              BASE_SLICE_ARG(topic));
    }
    assignment->paused = paused;
    return base_ok();
}

base_status memory_reader_position(const log_reader *handle, base_slice topic, int32_t partition,
                                   int64_t *offset_out)
{
    const memory_assignment *assignment =
        assignment_find((const memory_reader *)handle, topic, partition);
    if (assignment == NULL) {
        return base_status_of(BASE_NOT_FOUND);
    }
    *offset_out = assignment->position;
    return base_ok();
}

void memory_reader_wake(log_reader *handle)
{
    memory_reader *reader = (memory_reader *)handle;
    const int saved = errno;
    atomic_store(&reader->woken, true);
    memory_signal(reader->event);
    errno = saved;
}

/* Is the position of each partition that is read in the log still? One that is not is paused and
 * reported. */
static base_status positions_check(memory_reader *reader, base_error *error)
{
    for (size_t i = 0; i < reader->assignment_count; i++) {
        memory_assignment *assignment = &reader->assignments[i];
        const memory_partition *partition = assignment->partition;
        const int64_t end = memory_partition_end(partition);
        if (assignment->paused) {
            continue;
        }
        if (assignment->from_begin) {
            assignment->position = partition->base;
            assignment->from_begin = false;
        }
        if (assignment->position < partition->base || assignment->position > end) {
            assignment->paused = true;
            return base_error_set(error, BASE_POSITION_LOST,
                                  "position %lld of partition %d of topic \"%s\" is not in the "
                                  "log, which has %lld to %lld",
                                  (long long)assignment->position, (int)partition->number,
                                  partition->topic->name, (long long)partition->base,
                                  (long long)end);
        }
    }
    return base_ok();
}

typedef struct gathering {
    size_t count;
    size_t count_max;
    size_t size; /* bytes so far */
} gathering;

/* Copies the records of one partition behind its position. false: no memory. */
static bool gather_partition(memory_reader *reader, memory_assignment *assignment,
                             gathering *gathered)
{
    const memory_partition *partition = assignment->partition;
    const int64_t stable = memory_partition_stable(reader->log, partition);
    while (assignment->position < stable && gathered->count < gathered->count_max &&
           gathered->size < LOG_POLL_SIZE_MAX) {
        const memory_entry *entry = memory_entry_at(partition, assignment->position);
        if (entry->record != NULL) {
            if (!memory_grow((void **)&reader->records, gathered->count, &reader->record_capacity,
                             sizeof(schema_record))) {
                return false;
            }
            const size_t size = log_record_pack_size(entry->record);
            void *block = base_arena_alloc(&reader->arena, size);
            if (block == NULL) {
                return false;
            }
            reader->records[gathered->count++] = *log_record_pack(entry->record, block);
            gathered->size += size;
        }
        assignment->position++;
    }
    return true;
}

static base_status gather(memory_reader *reader, size_t record_max, size_t *count_out,
                          base_error *error)
{
    gathering gathered = {.count_max = record_max};
    BASE_TRY(positions_check(reader, error));
    if (reader->assignment_count == 0) {
        *count_out = 0;
        return base_ok();
    }
    const size_t first = reader->turn++ % reader->assignment_count;
    bool fine = true;
    for (size_t i = 0; fine && i < reader->assignment_count; i++) {
        memory_assignment *assignment =
            &reader->assignments[(first + i) % reader->assignment_count];
        if (!assignment->paused) {
            fine = gather_partition(reader, assignment, &gathered);
        }
    }
    /* Without memory what fitted is handed out; the rest is for the next poll. */
    if (!fine && gathered.count == 0) {
        return memory_exhausted(error);
    }
    *count_out = gathered.count;
    return base_ok();
}

base_status memory_reader_poll(log_reader *handle, int32_t timeout_ms, size_t record_max,
                               const schema_record **records_out, size_t *count_out,
                               base_error *error)
{
    memory_reader *reader = (memory_reader *)handle;
    memory_log *log = reader->log;
    const int64_t until_ms = log_steady_ms() + timeout_ms;
    base_arena_reset(&reader->arena);
    for (;;) {
        size_t count = 0;
        memory_lock(log);
        memory_transactions_sweep(log);
        const bool down = log->down;
        const bool virtual_time = log->clock != NULL;
        const int64_t due_ms = memory_transactions_due_ms(log);
        const base_status status = down ? base_ok() : gather(reader, record_max, &count, error);
        memory_unlock(log);
        if (base_failed(status)) {
            return status;
        }
        const int64_t left_ms = virtual_time ? 0 : until_ms - log_steady_ms();
        if (count > 0 || atomic_exchange(&reader->woken, false) || left_ms <= 0) {
            if (down) {
                return memory_unreachable(log, error);
            }
            *records_out = reader->records;
            *count_out = count;
            return base_ok();
        }
        memory_wait(reader->event, (int32_t)(due_ms < left_ms ? due_ms + 1 : left_ms));
    }
}
