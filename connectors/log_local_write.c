/*
 * The local log's writers. Appended records wait in the writer's arena; commit writes them in one
 * SQLite transaction:
 *
 *   begin immediate
 *     is my epoch still the identity's?                     no: FENCED
 *     may the member commit these positions? write them     no: REVOKED, FENCED
 *     insert the records, move the ends of their partitions
 *   commit (one fsync of the write-ahead log), wake the readers
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "connectors/log_local_model.h"
#include "connectors/log_shared.h"

#define WRITER_ARENA_SIZE_MAX ((size_t)2 * 1024 * 1024 * 1024)

/* A partition as this commit sees it. */
typedef struct local_target {
    bool loaded;
    bool compact;
    int64_t id;
    int64_t end;
    int64_t size;
    int64_t time_ms_max;
    int64_t mark_offset;
} local_target;

typedef struct local_append {
    local_target *target;
    base_slice key;
    base_slice value;
    base_slice headers; /* as stored */
    int64_t time_ms;
} local_append;

typedef struct local_writer {
    log_writer writer;
    local_store *store;
    local_db *db;
    local_topics topics; /* user: their local_target array, in its arena */
    char *identity;      /* NULL: no transactions */
    int64_t epoch;
    uint32_t turn; /* for records without a key */
    base_arena arena;
    local_append *appends;
    size_t append_count;
    size_t append_capacity;
    local_target **touched; /* loaded by this commit */
    size_t touched_count;
    size_t touched_capacity;
} local_writer;

/* ---- opening ---- */

static base_status epoch_read(local_writer *writer, int64_t *epoch_out, base_error *error)
{
    bool row = false;
    local_bind_text(writer->db, LOCAL_WRITER_EPOCH, 1, base_slice_of(writer->identity));
    BASE_TRY(local_step(writer->db, LOCAL_WRITER_EPOCH, &row, error));
    *epoch_out = row ? local_column_integer(writer->db, LOCAL_WRITER_EPOCH, 0) : 0;
    local_reset(writer->db, LOCAL_WRITER_EPOCH);
    return base_ok();
}

static base_status epoch_take(local_writer *writer, base_error *error)
{
    BASE_TRY(local_db_begin_write(writer->db, error));
    local_bind_text(writer->db, LOCAL_WRITER_BUMP, 1, base_slice_of(writer->identity));
    base_status status = local_run(writer->db, LOCAL_WRITER_BUMP, error);
    if (!base_failed(status)) {
        status = epoch_read(writer, &writer->epoch, error);
    }
    if (!base_failed(status)) {
        status = local_db_commit(writer->db, error);
    }
    local_db_end(writer->db);
    return status;
}

base_status local_writer_open(log_store *handle, const log_writer_options *options,
                              log_writer **writer_out, base_error *error)
{
    local_store *store = local_store_of(handle);
    local_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL) {
        return local_exhausted(error);
    }
    writer->store = store;
    local_topics_init(&writer->topics);
    base_arena_init(&writer->arena, WRITER_ARENA_SIZE_MAX);
    base_status status = local_db_open(&store->db_options, &writer->db, error);
    if (!base_failed(status) && options->identity.size > 0) {
        writer->identity = strndup(options->identity.data, options->identity.size);
        status = writer->identity != NULL ? epoch_take(writer, error) : local_exhausted(error);
    }
    if (base_failed(status)) {
        local_writer_close(&writer->writer);
        return status;
    }
    *writer_out = &writer->writer;
    return status;
}

void local_writer_close(log_writer *handle)
{
    local_writer *writer = (local_writer *)handle;
    local_db_close(writer->db);
    local_topics_deinit(&writer->topics);
    base_arena_deinit(&writer->arena);
    free(writer->identity);
    free(writer->appends);
    free((void *)writer->touched);
    free(writer);
}

/* ---- append ---- */

/* Avro binary: count, then name, is-null, value of each. No headers: NULL. */
static base_status headers_write(local_writer *writer, const schema_record *record,
                                 base_slice *bytes_out)
{
    if (record->header_count == 0) {
        *bytes_out = (base_slice){NULL, 0};
        return base_ok();
    }
    base_writer out;
    base_writer_begin(&out, &writer->arena);
    base_write_long(&out, (int64_t)record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        base_write_bytes(&out, record->headers[i].name);
        base_write_bool(&out, record->headers[i].value.data == NULL);
        base_write_bytes(&out, record->headers[i].value);
    }
    return base_writer_end(&out, bytes_out);
}

static base_status target_find(local_writer *writer, const schema_record *record,
                               local_target **target_out, base_error *error)
{
    local_topic *topic = NULL;
    int32_t number = 0;
    BASE_TRY(local_topic_find(writer->db, &writer->topics, record->topic, &topic, error));
    if (topic->compact && record->key.data == NULL) {
        return base_error_set(error, BASE_REFUSED,
                              "compacted topic \"%.*s\" takes no record without a key",
                              BASE_SLICE_ARG(record->topic));
    }
    BASE_TRY(log_partition_pick(record, topic->partition_count, &writer->turn, &number, error));
    local_target *targets = topic->user;
    if (targets == NULL) {
        targets =
            BASE_ARENA_ARRAY(&writer->topics.arena, local_target, (size_t)topic->partition_count);
        if (targets == NULL) {
            return local_exhausted(error);
        }
        for (int32_t i = 0; i < topic->partition_count; i++) {
            targets[i].id = topic->first_partition_id + i;
            targets[i].compact = topic->compact;
        }
        topic->user = targets;
    }
    *target_out = &targets[number];
    return base_ok();
}

static bool copy_bytes(local_writer *writer, base_slice bytes, base_slice *copy_out)
{
    *copy_out = bytes.data != NULL ? base_arena_copy(&writer->arena, bytes) : bytes;
    return bytes.data == NULL || copy_out->data != NULL;
}

base_status local_writer_append(log_writer *handle, const schema_record *record, base_error *error)
{
    local_writer *writer = (local_writer *)handle;
    local_append append = {.time_ms = record->time_ms != 0 ? record->time_ms : log_wall_ms()};
    BASE_TRY(target_find(writer, record, &append.target, error));
    const base_arena_mark mark = base_arena_mark_get(&writer->arena);
    const bool fits = local_grow((void **)&writer->appends, writer->append_count,
                                 &writer->append_capacity, sizeof(local_append)) &&
                      copy_bytes(writer, record->key, &append.key) &&
                      copy_bytes(writer, record->value, &append.value);
    if (!fits || base_failed(headers_write(writer, record, &append.headers))) {
        base_arena_rewind(&writer->arena, mark);
        return local_exhausted(error);
    }
    writer->appends[writer->append_count++] = append;
    return base_ok();
}

static void writer_clear(local_writer *writer)
{
    for (size_t i = 0; i < writer->touched_count; i++) {
        writer->touched[i]->loaded = false;
    }
    writer->touched_count = 0;
    writer->append_count = 0;
    base_arena_reset(&writer->arena);
}

base_status local_writer_abort(log_writer *handle, base_error *error)
{
    (void)error;
    writer_clear((local_writer *)handle);
    return base_ok();
}

/* ---- commit ---- */

static base_status target_load(local_writer *writer, local_target *target, base_error *error)
{
    bool row = false;
    if (!local_grow((void **)&writer->touched, writer->touched_count, &writer->touched_capacity,
                    sizeof(local_target *))) {
        return local_exhausted(error);
    }
    local_bind_integer(writer->db, LOCAL_PARTITION_GET, 1, target->id);
    BASE_TRY(local_step(writer->db, LOCAL_PARTITION_GET, &row, error));
    if (!row) {
        return local_corrupt(writer->db, error, "partition %lld is missing", (long long)target->id);
    }
    target->end = local_column_integer(writer->db, LOCAL_PARTITION_GET, 1);
    target->size = local_column_integer(writer->db, LOCAL_PARTITION_GET, 2);
    target->time_ms_max = local_column_integer(writer->db, LOCAL_PARTITION_GET, 3);
    target->mark_offset = local_column_integer(writer->db, LOCAL_PARTITION_GET, 4);
    local_reset(writer->db, LOCAL_PARTITION_GET);
    target->loaded = true;
    writer->touched[writer->touched_count++] = target;
    return base_ok();
}

static base_status stale_put(local_db *db, int64_t due_ms, int64_t record_id, base_error *error)
{
    local_bind_integer(db, LOCAL_STALE_PUT, 1, due_ms);
    local_bind_integer(db, LOCAL_STALE_PUT, 2, record_id);
    return local_run(db, LOCAL_STALE_PUT, error);
}

/* On a compacted topic: the key's record so far is stale now, a tombstone will be. */
static base_status compact_note(local_writer *writer, const local_append *append, int64_t offset,
                                base_error *error)
{
    local_db *db = writer->db;
    const int64_t base = append->target->id << LOCAL_OFFSET_BITS;
    bool row = false;
    local_bind_integer(db, LOCAL_LATEST_GET, 1, append->target->id);
    local_bind_bytes(db, LOCAL_LATEST_GET, 2, append->key);
    BASE_TRY(local_step(db, LOCAL_LATEST_GET, &row, error));
    if (row) {
        const int64_t before = local_column_integer(db, LOCAL_LATEST_GET, 0);
        local_reset(db, LOCAL_LATEST_GET);
        BASE_TRY(stale_put(db, 0, base + before, error));
    }
    if (append->value.data == NULL) {
        BASE_TRY(
            stale_put(db, append->time_ms + writer->store->tombstone_ms, base + offset, error));
    }
    local_bind_integer(db, LOCAL_LATEST_PUT, 1, append->target->id);
    local_bind_bytes(db, LOCAL_LATEST_PUT, 2, append->key);
    local_bind_integer(db, LOCAL_LATEST_PUT, 3, offset);
    return local_run(db, LOCAL_LATEST_PUT, error);
}

static base_status record_insert(local_writer *writer, const local_append *append,
                                 int64_t *offset_out, base_error *error)
{
    local_db *db = writer->db;
    local_target *target = append->target;
    if (!target->loaded) {
        BASE_TRY(target_load(writer, target, error));
    }
    if (target->end > LOCAL_OFFSET_MAX - 1) {
        return base_error_set(error, BASE_REFUSED, "a partition is full: it has %lld records",
                              (long long)target->end);
    }
    const int64_t offset = target->end;
    const int64_t id = (target->id << LOCAL_OFFSET_BITS) + offset;
    if (offset - target->mark_offset >= LOCAL_MARK_INTERVAL) {
        local_bind_integer(db, LOCAL_MARK_INSERT, 1, target->id);
        local_bind_integer(db, LOCAL_MARK_INSERT, 2, offset);
        local_bind_integer(db, LOCAL_MARK_INSERT, 3, target->time_ms_max);
        BASE_TRY(local_run(db, LOCAL_MARK_INSERT, error));
        target->mark_offset = offset;
    }
    local_bind_integer(db, LOCAL_RECORD_INSERT, 1, id);
    local_bind_integer(db, LOCAL_RECORD_INSERT, 2, append->time_ms);
    local_bind_bytes(db, LOCAL_RECORD_INSERT, 3, append->key);
    local_bind_bytes(db, LOCAL_RECORD_INSERT, 4, append->value);
    local_bind_bytes(db, LOCAL_RECORD_INSERT, 5, append->headers);
    local_bind_integer(
        db, LOCAL_RECORD_INSERT, 6,
        local_record_sum(id, append->time_ms, append->key, append->value, append->headers));
    BASE_TRY(local_run(db, LOCAL_RECORD_INSERT, error));
    if (target->compact) {
        BASE_TRY(compact_note(writer, append, offset, error));
    }
    target->end = offset + 1;
    target->size += (int64_t)(append->key.size + append->value.size + append->headers.size);
    target->time_ms_max =
        append->time_ms > target->time_ms_max ? append->time_ms : target->time_ms_max;
    *offset_out = offset;
    return base_ok();
}

static base_status targets_store(local_writer *writer, base_error *error)
{
    for (size_t i = 0; i < writer->touched_count; i++) {
        const local_target *target = writer->touched[i];
        local_bind_integer(writer->db, LOCAL_PARTITION_GROW, 1, target->id);
        local_bind_integer(writer->db, LOCAL_PARTITION_GROW, 2, target->end);
        local_bind_integer(writer->db, LOCAL_PARTITION_GROW, 3, target->size);
        local_bind_integer(writer->db, LOCAL_PARTITION_GROW, 4, target->time_ms_max);
        local_bind_integer(writer->db, LOCAL_PARTITION_GROW, 5, target->mark_offset);
        BASE_TRY(local_run(writer->db, LOCAL_PARTITION_GROW, error));
    }
    return base_ok();
}

static base_status epoch_check(local_writer *writer, base_error *error)
{
    int64_t epoch = 0;
    if (writer->identity == NULL) {
        return base_ok();
    }
    BASE_TRY(epoch_read(writer, &epoch, error));
    if (epoch != writer->epoch) {
        return base_error_set(error, BASE_FENCED, "writer \"%s\" was fenced by a successor",
                              writer->identity);
    }
    return base_ok();
}

/* All of a commit between begin and commit. */
static base_status commit_write(local_writer *writer, const log_member *member,
                                const log_position *positions, size_t position_count,
                                int64_t *offsets_out, size_t *refused_out, base_error *error)
{
    BASE_TRY(epoch_check(writer, error));
    if (position_count > 0) {
        BASE_TRY(local_member_commit(writer->db, &writer->topics, member, positions, position_count,
                                     error));
    }
    for (size_t i = 0; i < writer->append_count; i++) {
        int64_t offset = 0;
        *refused_out = i;
        BASE_TRY(record_insert(writer, &writer->appends[i], &offset, error));
        if (offsets_out != NULL) {
            offsets_out[i] = offset;
        }
    }
    return targets_store(writer, error);
}

base_status local_writer_commit(log_writer *handle, log_member *member,
                                const log_position *positions, size_t position_count,
                                int64_t *offsets_out, size_t *refused_out, base_error *error)
{
    local_writer *writer = (local_writer *)handle;
    const bool has_records = writer->append_count > 0;
    base_status status = local_db_begin_write(writer->db, error);
    if (!base_failed(status)) {
        status = commit_write(writer, member, positions, position_count, offsets_out, refused_out,
                              error);
    }
    if (!base_failed(status)) {
        status = local_db_commit(writer->db, error);
    }
    local_db_end(writer->db);
    writer_clear(writer);
    if (!base_failed(status) && has_records) {
        local_wake_all(&writer->store->wake, LOCAL_WAKE_READERS);
        local_housekeep_beside(writer->store);
    }
    return status;
}
