/*
 * The local log's readers. A poll is one short read transaction: one pass over the partition table
 * says where there is something new, then those records are copied into the reader's arena. Nothing
 * is kept open between polls, so a slow reader holds up no checkpoint.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "connectors/log_local_model.h"
#include "connectors/log_shared.h"

#define READER_ARENA_SIZE_MAX ((size_t)2 * 1024 * 1024 * 1024)

typedef struct local_assignment {
    int64_t partition_id; /* the assignments are in its order */
    base_slice topic;     /* in the reader's topics */
    int32_t partition;
    int64_t position;
    bool from_begin; /* nothing has been looked at yet: begin may still move */
    bool paused;
    int64_t begin; /* of the log, as the last look saw it */
    int64_t end;
} local_assignment;

typedef struct local_reader {
    log_reader reader;
    local_store *store;
    local_db *db;
    local_topics topics;
    local_waiter waiter;
    atomic_bool woken; /* by log_reader_wake */
    local_assignment *assignments;
    size_t assignment_count;
    size_t assignment_capacity;
    size_t turn; /* which assignment the next poll begins with */
    base_arena arena;
    schema_record *records;
    size_t record_count;
    size_t record_capacity;
    size_t record_max;
    size_t size; /* bytes handed out by this poll */
} local_reader;

base_status local_reader_open(log_store *handle, log_reader **reader_out, base_error *error)
{
    local_store *store = local_store_of(handle);
    local_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL) {
        return local_exhausted(error);
    }
    reader->store = store;
    atomic_init(&reader->woken, false);
    local_topics_init(&reader->topics);
    base_arena_init(&reader->arena, READER_ARENA_SIZE_MAX);
    base_status status =
        local_waiter_open(&reader->waiter, &store->wake, LOCAL_WAKE_READERS, error);
    if (!base_failed(status)) {
        status = local_db_open(&store->db_options, &reader->db, error);
    }
    if (base_failed(status)) {
        local_reader_close(&reader->reader);
        return status;
    }
    *reader_out = &reader->reader;
    return status;
}

void local_reader_close(log_reader *handle)
{
    local_reader *reader = (local_reader *)handle;
    local_db_close(reader->db);
    local_waiter_close(&reader->waiter);
    local_topics_deinit(&reader->topics);
    base_arena_deinit(&reader->arena);
    free(reader->assignments);
    free(reader->records);
    free(reader);
}

static local_assignment *assignment_find(const local_reader *reader, base_slice topic,
                                         int32_t partition)
{
    for (size_t i = 0; i < reader->assignment_count; i++) {
        local_assignment *assignment = &reader->assignments[i];
        if (assignment->partition == partition && base_slice_equal(assignment->topic, topic)) {
            return assignment;
        }
    }
    return NULL;
}

/* Makes room in the order of partition ids. NULL: no memory. */
static local_assignment *assignment_insert(local_reader *reader, int64_t partition_id)
{
    if (!local_grow((void **)&reader->assignments, reader->assignment_count,
                    &reader->assignment_capacity, sizeof(local_assignment))) {
        return NULL;
    }
    size_t place = reader->assignment_count;
    while (place > 0 && reader->assignments[place - 1].partition_id > partition_id) {
        place--;
    }
    memmove(&reader->assignments[place + 1], &reader->assignments[place],
            (reader->assignment_count - place) * sizeof(local_assignment));
    reader->assignment_count++;
    return &reader->assignments[place];
}

static base_status partition_ends(local_reader *reader, int64_t partition_id, int64_t *begin_out,
                                  int64_t *end_out, base_error *error)
{
    bool row = false;
    local_bind_integer(reader->db, LOCAL_PARTITION_GET, 1, partition_id);
    BASE_TRY(local_step(reader->db, LOCAL_PARTITION_GET, &row, error));
    if (!row) {
        return local_corrupt(reader->db, error, "partition %lld is missing",
                             (long long)partition_id);
    }
    *begin_out = local_column_integer(reader->db, LOCAL_PARTITION_GET, 0);
    *end_out = local_column_integer(reader->db, LOCAL_PARTITION_GET, 1);
    local_reset(reader->db, LOCAL_PARTITION_GET);
    return base_ok();
}

base_status local_reader_assign(log_reader *handle, base_slice topic, int32_t partition,
                                int64_t offset, base_error *error)
{
    local_reader *reader = (local_reader *)handle;
    int64_t partition_id = 0;
    int64_t begin = 0;
    int64_t end = 0;
    BASE_TRY(
        local_partition_find(reader->db, &reader->topics, topic, partition, &partition_id, error));
    BASE_TRY(partition_ends(reader, partition_id, &begin, &end, error));
    local_topic *known = NULL;
    BASE_TRY(local_topic_find(reader->db, &reader->topics, topic, &known, error));
    local_assignment *assignment = assignment_find(reader, topic, partition);
    if (assignment == NULL) {
        assignment = assignment_insert(reader, partition_id);
    }
    if (assignment == NULL) {
        return local_exhausted(error);
    }
    *assignment = (local_assignment){.partition_id = partition_id,
                                     .topic = known->name,
                                     .partition = partition,
                                     .position = offset,
                                     .begin = begin,
                                     .end = end};
    if (offset == LOG_OFFSET_BEGIN) {
        assignment->from_begin = true;
        assignment->position = begin;
    } else if (offset == LOG_OFFSET_END) {
        assignment->position = end;
    }
    return base_ok();
}

base_status local_reader_unassign(log_reader *handle, base_slice topic, int32_t partition,
                                  base_error *error)
{
    (void)error;
    local_reader *reader = (local_reader *)handle;
    local_assignment *assignment = assignment_find(reader, topic, partition);
    if (assignment != NULL) {
        const size_t place = (size_t)(assignment - reader->assignments);
        reader->assignment_count--;
        memmove(assignment, assignment + 1,
                (reader->assignment_count - place) * sizeof(local_assignment));
    }
    return base_ok();
}

base_status local_reader_pause(log_reader *handle, base_slice topic, int32_t partition, bool paused,
                               base_error *error)
{
    local_assignment *assignment = assignment_find((const local_reader *)handle, topic, partition);
    if (assignment == NULL) {
        return base_error_set(error, BASE_NOT_FOUND,
                              "partition %d of topic \"%.*s\" is not assigned", (int)partition,
                              BASE_SLICE_ARG(topic));
    }
    assignment->paused = paused;
    return base_ok();
}

base_status local_reader_position(const log_reader *handle, base_slice topic, int32_t partition,
                                  int64_t *offset_out)
{
    const local_assignment *assignment =
        assignment_find((const local_reader *)handle, topic, partition);
    if (assignment == NULL) {
        return base_status_of(BASE_NOT_FOUND);
    }
    *offset_out = assignment->position;
    return base_ok();
}

void local_reader_wake(log_reader *handle)
{
    local_reader *reader = (local_reader *)handle;
    atomic_store(&reader->woken, true);
    local_waiter_signal(&reader->waiter);
}

/* ---- a poll ---- */

/* Notes the ranges of all that is assigned: one pass over the partitions, both in the order of ids.
 */
static base_status look(local_reader *reader, base_error *error)
{
    bool row = true;
    size_t next = 0;
    while (next < reader->assignment_count) {
        BASE_TRY(local_step(reader->db, LOCAL_PARTITION_ENDS, &row, error));
        if (!row) {
            return local_corrupt(reader->db, error, "partition %lld is missing",
                                 (long long)reader->assignments[next].partition_id);
        }
        local_assignment *assignment = &reader->assignments[next];
        if (local_column_integer(reader->db, LOCAL_PARTITION_ENDS, 0) == assignment->partition_id) {
            assignment->begin = local_column_integer(reader->db, LOCAL_PARTITION_ENDS, 1);
            assignment->end = local_column_integer(reader->db, LOCAL_PARTITION_ENDS, 2);
            next++;
        }
    }
    local_reset(reader->db, LOCAL_PARTITION_ENDS);
    return base_ok();
}

/* Is the position of each partition that is read in the log still? One that is not is paused and
 * reported. */
static base_status positions_check(local_reader *reader, base_error *error)
{
    for (size_t i = 0; i < reader->assignment_count; i++) {
        local_assignment *assignment = &reader->assignments[i];
        if (assignment->paused) {
            continue;
        }
        if (assignment->from_begin) {
            assignment->position = assignment->begin;
            assignment->from_begin = false;
        }
        if (assignment->position < assignment->begin || assignment->position > assignment->end) {
            assignment->paused = true;
            return base_error_set(error, BASE_POSITION_LOST,
                                  "position %lld of partition %d of topic \"%.*s\" is not in the "
                                  "log, which has %lld to %lld",
                                  (long long)assignment->position, (int)assignment->partition,
                                  BASE_SLICE_ARG(assignment->topic), (long long)assignment->begin,
                                  (long long)assignment->end);
        }
    }
    return base_ok();
}

/* The bytes in the arena. NULL stays NULL. */
static bool copy_bytes(local_reader *reader, base_slice bytes, base_slice *copy_out)
{
    *copy_out = bytes.data != NULL ? base_arena_copy(&reader->arena, bytes) : bytes;
    reader->size += bytes.size;
    return bytes.data == NULL || copy_out->data != NULL;
}

/* Takes the stored headers apart; they borrow from bytes. false: not what we write, or no memory.
 */
static bool headers_read(local_reader *reader, base_slice bytes, schema_record *record)
{
    if (bytes.data == NULL) {
        return true;
    }
    base_reader in;
    base_reader_begin(&in, bytes);
    const size_t count = (size_t)base_read_long_in(&in, 0, LOG_HEADER_COUNT_MAX);
    schema_header *headers = BASE_ARENA_ARRAY(&reader->arena, schema_header, count + 1);
    for (size_t i = 0; headers != NULL && i < count; i++) {
        headers[i].name = base_read_bytes(&in);
        const bool is_null = base_read_bool(&in);
        headers[i].value = base_read_bytes(&in);
        if (is_null) {
            headers[i].value = (base_slice){NULL, 0};
        }
    }
    record->headers = headers;
    record->header_count = count;
    return headers != NULL && !base_failed(base_reader_status(&in, true));
}

/* The row of LOCAL_RECORD_READ as a record, checked against its sum. */
static base_status record_read(local_reader *reader, local_assignment *assignment,
                               base_error *error)
{
    local_db *db = reader->db;
    const int64_t id = local_column_integer(db, LOCAL_RECORD_READ, 0);
    base_slice headers = local_column_bytes(db, LOCAL_RECORD_READ, 4);
    schema_record record = {.topic = assignment->topic,
                            .partition = assignment->partition,
                            .offset = id & LOCAL_OFFSET_MAX,
                            .time_ms = local_column_integer(db, LOCAL_RECORD_READ, 1),
                            .key = local_column_bytes(db, LOCAL_RECORD_READ, 2),
                            .value = local_column_bytes(db, LOCAL_RECORD_READ, 3)};
    const bool sound = local_record_sum(id, record.time_ms, record.key, record.value, headers) ==
                       local_column_integer(db, LOCAL_RECORD_READ, 5);
    const bool copied = sound && copy_bytes(reader, record.key, &record.key) &&
                        copy_bytes(reader, record.value, &record.value) &&
                        copy_bytes(reader, headers, &headers);
    if (sound && !copied) {
        return local_exhausted(error);
    }
    if (!sound || !headers_read(reader, headers, &record)) {
        assignment->paused = true;
        return local_corrupt(
            db, error, "offset %lld of partition %d of topic \"%.*s\" is not what was written",
            (long long)record.offset, (int)assignment->partition,
            BASE_SLICE_ARG(assignment->topic));
    }
    if (!local_grow((void **)&reader->records, reader->record_count, &reader->record_capacity,
                    sizeof(schema_record))) {
        return local_exhausted(error);
    }
    reader->records[reader->record_count++] = record;
    return base_ok();
}

static bool poll_is_full(const local_reader *reader)
{
    return reader->record_count >= reader->record_max || reader->size >= LOG_POLL_SIZE_MAX;
}

static base_status gather_partition(local_reader *reader, local_assignment *assignment,
                                    base_error *error)
{
    if (assignment->paused || assignment->position >= assignment->end || poll_is_full(reader)) {
        return base_ok();
    }
    const int64_t base = assignment->partition_id << LOCAL_OFFSET_BITS;
    base_status status = base_ok();
    bool row = true;
    local_bind_integer(reader->db, LOCAL_RECORD_READ, 1, base + assignment->position);
    local_bind_integer(reader->db, LOCAL_RECORD_READ, 2, base + assignment->end);
    while (!poll_is_full(reader)) {
        status = local_step(reader->db, LOCAL_RECORD_READ, &row, error);
        if (base_failed(status) || !row) {
            break;
        }
        status = record_read(reader, assignment, error);
        if (base_failed(status)) {
            break;
        }
        assignment->position = reader->records[reader->record_count - 1].offset + 1;
    }
    local_reset(reader->db, LOCAL_RECORD_READ);
    if (!base_failed(status) && !row) {
        assignment->position = assignment->end; /* behind gaps that compaction left */
    }
    return status;
}

/* One look at everything; what was read before a failure is handed out, the failure comes with the
 * next poll. */
static base_status gather(local_reader *reader, base_error *error)
{
    BASE_TRY(look(reader, error));
    BASE_TRY(positions_check(reader, error));
    const size_t first = reader->turn++;
    for (size_t i = 0; i < reader->assignment_count; i++) {
        local_assignment *assignment = &reader->assignments[(first + i) % reader->assignment_count];
        base_error found;
        base_error_clear(&found);
        const base_status status = gather_partition(reader, assignment, &found);
        if (base_failed(status) && reader->record_count > 0) {
            assignment->paused = false;
            return base_ok();
        }
        if (base_failed(status)) {
            if (error != NULL && error->code == BASE_OK) {
                *error = found;
            }
            return status;
        }
    }
    return base_ok();
}

base_status local_reader_poll(log_reader *handle, int32_t timeout_ms, size_t record_max,
                              const schema_record **records_out, size_t *count_out,
                              base_error *error)
{
    local_reader *reader = (local_reader *)handle;
    const int64_t until_ms = log_steady_ms() + timeout_ms;
    base_arena_reset(&reader->arena);
    reader->record_count = 0;
    reader->record_max = record_max;
    reader->size = 0;
    for (;;) {
        if (reader->assignment_count > 0) {
            base_status status = local_db_begin_read(reader->db, error);
            if (!base_failed(status)) {
                status = gather(reader, error);
            }
            local_db_end(reader->db);
            if (base_failed(status)) {
                return status;
            }
        }
        const int64_t left_ms = until_ms - log_steady_ms();
        if (reader->record_count > 0 || atomic_exchange(&reader->woken, false) || left_ms <= 0) {
            *records_out = reader->records;
            *count_out = reader->record_count;
            return base_ok();
        }
        local_waiter_wait(&reader->waiter,
                          left_ms < reader->store->poll_ms ? left_ms : reader->store->poll_ms);
    }
}
