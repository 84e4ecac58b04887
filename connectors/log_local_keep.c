/*
 * Keeping the local log small: retention by age and size, and compaction, in steps of a few
 * milliseconds.
 *
 * Retention cuts whole runs off the front of a partition. Compaction deletes what writers noted as
 * stale when they wrote: a record that its key's next record made old, or a tombstone whose time is
 * over. Neither ever looks through a partition.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "connectors/log_local_model.h"
#include "connectors/log_shared.h"

#define STEP_RECORD_MAX 1000

typedef struct retained_partition {
    int64_t id;
    int64_t begin;
    int64_t end;
    int64_t size;
    int64_t retention_ms;
    int64_t retention_size;
} retained_partition;

/* The partition behind `after` that has a bound and records. */
static base_status retained_next(local_db *db, int64_t after, bool *found_out,
                                 retained_partition *out, base_error *error)
{
    local_bind_integer(db, LOCAL_PARTITION_RETAINED, 1, after);
    BASE_TRY(local_step(db, LOCAL_PARTITION_RETAINED, found_out, error));
    if (*found_out) {
        *out = (retained_partition){
            .id = local_column_integer(db, LOCAL_PARTITION_RETAINED, 0),
            .begin = local_column_integer(db, LOCAL_PARTITION_RETAINED, 1),
            .end = local_column_integer(db, LOCAL_PARTITION_RETAINED, 2),
            .size = local_column_integer(db, LOCAL_PARTITION_RETAINED, 3),
            .retention_ms = local_column_integer(db, LOCAL_PARTITION_RETAINED, 4),
            .retention_size = local_column_integer(db, LOCAL_PARTITION_RETAINED, 5),
        };
        local_reset(db, LOCAL_PARTITION_RETAINED);
    }
    return base_ok();
}

/* Where the partition is to begin, at most STEP_RECORD_MAX further on, and the bytes that go. */
static base_status retain_measure(local_db *db, const retained_partition *partition, int64_t young,
                                  int64_t *begin_out, int64_t *size_out, base_error *error)
{
    const int64_t base = partition->id << LOCAL_OFFSET_BITS;
    int64_t begin = partition->begin;
    int64_t gone = 0;
    bool row = true;
    local_bind_integer(db, LOCAL_RECORD_SIZES, 1, base + partition->begin);
    local_bind_integer(db, LOCAL_RECORD_SIZES, 2, base + partition->end);
    for (int count = 0; count < STEP_RECORD_MAX; count++) {
        BASE_TRY(local_step(db, LOCAL_RECORD_SIZES, &row, error));
        if (!row) {
            break;
        }
        const int64_t offset = local_column_integer(db, LOCAL_RECORD_SIZES, 0) - base;
        const bool too_much =
            partition->retention_size >= 0 && partition->size - gone > partition->retention_size;
        if (offset >= young && !too_much) {
            break;
        }
        gone += local_column_integer(db, LOCAL_RECORD_SIZES, 1);
        begin = offset + 1;
    }
    local_reset(db, LOCAL_RECORD_SIZES);
    *begin_out = begin;
    *size_out = gone;
    return base_ok();
}

/* Cuts the front off. *cut_out: something went. */
static base_status retain(local_db *db, const retained_partition *partition, bool *cut_out,
                          base_error *error)
{
    int64_t young = partition->begin;
    int64_t begin = partition->begin;
    int64_t size = 0;
    if (partition->retention_ms >= 0) {
        BASE_TRY(local_offset_at(db, partition->id, partition->begin, partition->end,
                                 log_wall_ms() - partition->retention_ms, &young, error));
    }
    BASE_TRY(retain_measure(db, partition, young, &begin, &size, error));
    *cut_out = begin > partition->begin;
    if (!*cut_out) {
        return base_ok();
    }
    const int64_t base = partition->id << LOCAL_OFFSET_BITS;
    local_bind_integer(db, LOCAL_RECORD_DELETE_RANGE, 1, base + partition->begin);
    local_bind_integer(db, LOCAL_RECORD_DELETE_RANGE, 2, base + begin);
    BASE_TRY(local_run(db, LOCAL_RECORD_DELETE_RANGE, error));
    local_bind_integer(db, LOCAL_MARK_DELETE, 1, partition->id);
    local_bind_integer(db, LOCAL_MARK_DELETE, 2, begin);
    BASE_TRY(local_run(db, LOCAL_MARK_DELETE, error));
    local_bind_integer(db, LOCAL_PARTITION_CUT, 1, partition->id);
    local_bind_integer(db, LOCAL_PARTITION_CUT, 2, begin);
    local_bind_integer(db, LOCAL_PARTITION_CUT, 3, size);
    return local_run(db, LOCAL_PARTITION_CUT, error);
}

/* The first partition with something to cut, from where the last step ended. */
static base_status retain_step(local_store *store, bool *more_out, base_error *error)
{
    bool cut = false;
    bool found = true;
    while (found && !cut) {
        retained_partition partition = {0};
        BASE_TRY(
            retained_next(store->db, store->housekeep_partition_id, &found, &partition, error));
        if (found) {
            BASE_TRY(retain(store->db, &partition, &cut, error));
        }
        /* A partition that was cut is looked at again: there may be more. At the end begin anew. */
        if (!cut) {
            store->housekeep_partition_id = found ? partition.id : 0;
        }
    }
    *more_out = cut;
    return base_ok();
}

static base_status stale_delete(local_db *db, int64_t due_ms, int64_t record_id, base_error *error)
{
    bool row = false;
    const int64_t partition_id = record_id >> LOCAL_OFFSET_BITS;
    const int64_t offset = record_id & LOCAL_OFFSET_MAX;
    local_bind_integer(db, LOCAL_RECORD_SIZE, 1, record_id);
    BASE_TRY(local_step(db, LOCAL_RECORD_SIZE, &row, error));
    if (row) {
        const int64_t size = local_column_integer(db, LOCAL_RECORD_SIZE, 0);
        base_status status = base_ok();
        if (local_column_integer(db, LOCAL_RECORD_SIZE, 2) !=
            0) { /* a tombstone: its key ends with it */
            local_bind_integer(db, LOCAL_LATEST_FORGET, 1, partition_id);
            local_bind_bytes(db, LOCAL_LATEST_FORGET, 2,
                             local_column_bytes(db, LOCAL_RECORD_SIZE, 1));
            local_bind_integer(db, LOCAL_LATEST_FORGET, 3, offset);
            status = local_run(db, LOCAL_LATEST_FORGET, error);
        }
        local_reset(db, LOCAL_RECORD_SIZE);
        BASE_TRY(status);
        local_bind_integer(db, LOCAL_RECORD_DELETE, 1, record_id);
        BASE_TRY(local_run(db, LOCAL_RECORD_DELETE, error));
        bool known = false;
        local_bind_integer(db, LOCAL_PARTITION_GET, 1, partition_id);
        BASE_TRY(local_step(db, LOCAL_PARTITION_GET, &known, error));
        const int64_t begin = known ? local_column_integer(db, LOCAL_PARTITION_GET, 0) : 0;
        local_reset(db, LOCAL_PARTITION_GET);
        local_bind_integer(db, LOCAL_PARTITION_CUT, 1, partition_id);
        local_bind_integer(db, LOCAL_PARTITION_CUT, 2, begin);
        local_bind_integer(db, LOCAL_PARTITION_CUT, 3, size);
        BASE_TRY(local_run(db, LOCAL_PARTITION_CUT, error));
    }
    local_bind_integer(db, LOCAL_STALE_DELETE, 1, due_ms);
    local_bind_integer(db, LOCAL_STALE_DELETE, 2, record_id);
    return local_run(db, LOCAL_STALE_DELETE, error);
}

static base_status stale_next(local_db *db, bool *found_out, int64_t *due_ms_out,
                              int64_t *record_id_out, base_error *error)
{
    local_bind_integer(db, LOCAL_STALE_DUE, 1, log_wall_ms());
    BASE_TRY(local_step(db, LOCAL_STALE_DUE, found_out, error));
    if (*found_out) {
        *due_ms_out = local_column_integer(db, LOCAL_STALE_DUE, 0);
        *record_id_out = local_column_integer(db, LOCAL_STALE_DUE, 1);
        local_reset(db, LOCAL_STALE_DUE);
    }
    return base_ok();
}

static base_status compact_step(local_db *db, bool *more_out, base_error *error)
{
    int64_t due_ms = 0;
    int64_t record_id = 0;
    bool found = true;
    for (int count = 0; found && count < STEP_RECORD_MAX; count++) {
        BASE_TRY(stale_next(db, &found, &due_ms, &record_id, error));
        if (found) {
            BASE_TRY(stale_delete(db, due_ms, record_id, error));
        }
    }
    *more_out = found;
    return base_ok();
}

/* Is there anything to do? Looks without writing. */
static base_status look(local_store *store, bool *work_out, base_error *error)
{
    int64_t due_ms = 0;
    int64_t record_id = 0;
    bool found = false;
    retained_partition partition;
    BASE_TRY(stale_next(store->db, &found, &due_ms, &record_id, error));
    if (!found) {
        BASE_TRY(retained_next(store->db, 0, &found, &partition, error));
    }
    *work_out = found;
    return base_ok();
}

base_status local_housekeep(log_store *handle, bool *more_out, base_error *error)
{
    local_store *store = local_store_of(handle);
    bool work = false;
    bool more_stale = false;
    bool more_old = false;
    (void)pthread_mutex_lock(&store->mutex);
    base_status status = look(store, &work, error);
    if (!base_failed(status) && work) {
        status = local_db_begin_write(store->db, error);
        if (!base_failed(status)) {
            status = compact_step(store->db, &more_stale, error);
        }
        if (!base_failed(status)) {
            status = retain_step(store, &more_old, error);
        }
        if (!base_failed(status)) {
            status = local_db_commit(store->db, error);
        }
        local_db_end(store->db);
    }
    (void)pthread_mutex_unlock(&store->mutex);
    if (!base_failed(status)) {
        *more_out = more_stale || more_old;
    }
    return status;
}

void local_housekeep_beside(local_store *store)
{
    const int64_t now_ms = log_steady_ms();
    int64_t last_ms = atomic_load(&store->housekept_ms);
    if (store->housekeep_ms == 0 || now_ms - last_ms < store->housekeep_ms ||
        !atomic_compare_exchange_strong(&store->housekept_ms, &last_ms, now_ms)) {
        return;
    }
    bool more = false;
    base_error error;
    base_error_clear(&error);
    const base_status status = local_housekeep(&store->store, &more, &error);
    if (base_failed(status)) {
        char text[BASE_ERROR_TEXT_SIZE];
        (void)base_error_render(&error, text, sizeof(text));
        log_report(&store->store, 4, "housekeeping failed: %s", text);
    } else if (more) {
        /* A backlog is worked off faster than once in the interval, a step with each commit. */
        atomic_store(&store->housekept_ms, 0);
    }
}
