/*
 * The local log's insides, shared by connectors/log_local*.c only. The format of the files and what
 * always holds of them is described in connectors/log_local_schema.c.
 *
 *   writer  --one SQLite transaction a commit-->  DIR/log.db  <--snapshot reads--  reader
 *      \-----one byte to each socket in DIR/wake/------------------------------------^
 *
 * A writer keeps what is appended in memory until commit; so an abort costs nothing, fencing is
 * looked at in the very transaction that would write, and no transaction of ours is ever open while
 * somebody thinks.
 */
#ifndef CONNECTORS_LOG_LOCAL_MODEL_H
#define CONNECTORS_LOG_LOCAL_MODEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "connectors/log_backend.h"
#include "connectors/log_local_db.h"

#define LOCAL_OFFSET_BITS 40
#define LOCAL_OFFSET_MAX (((int64_t)1 << LOCAL_OFFSET_BITS) - 1)
#define LOCAL_MARK_INTERVAL 256 /* records between time marks */

/* Who waits for what: readers for records, members for a change of their group. */
typedef enum local_wake_kind { LOCAL_WAKE_READERS = 'r', LOCAL_WAKE_MEMBERS = 'g' } local_wake_kind;

/* DIR/wake, and a socket to send from. */
typedef struct local_wake {
    char path[4096];
    int directory; /* -1: not to be had, only the slow poll wakes */
    int sender;
} local_wake;

/* Where one reader or member waits. */
typedef struct local_waiter {
    int socket; /* -1: only the slow poll and wakes from this process */
    int event;  /* eventfd for wakes from this process */
    char name[64];
    const local_wake *wake;
} local_waiter;

/* A topic, once it is known: topics never change and never go. */
typedef struct local_topic {
    base_slice name; /* in the cache's arena */
    int64_t first_partition_id;
    int32_t partition_count;
    bool compact;
    void *user; /* the writer's partitions */
} local_topic;

/* The topics that an object has met. */
typedef struct local_topics {
    base_arena arena;
    local_topic *topics;
    size_t count;
    size_t capacity;
    size_t last; /* index of the last one found */
} local_topics;

typedef struct local_store {
    log_store store;
    char directory[4096];
    local_db_options db_options;
    int64_t poll_ms;      /* the slow poll */
    int64_t housekeep_ms; /* between housekeeping beside commits; 0: never */
    int64_t tombstone_ms;
    local_wake wake;
    int claim; /* engine.lock, or -1 */
    _Atomic int64_t housekept_ms;
    pthread_mutex_t mutex; /* guards what follows */
    local_db *db;
    local_topics topics;
    int64_t housekeep_partition_id; /* where retention goes on */
} local_store;

typedef struct local_member local_member;

/* ---- log_local.c ---- */
local_store *local_store_of(log_store *store);
base_status local_exhausted(base_error *error);
/* Makes room for one more item. false: no memory, nothing has changed. */
bool local_grow(void **items, size_t count, size_t *capacity, size_t item_size);
void local_topics_init(local_topics *topics);
void local_topics_deinit(local_topics *topics);
/* NOT_FOUND with a text. The pointer lives until the next call. */
base_status local_topic_find(local_db *db, local_topics *topics, base_slice name,
                             local_topic **topic_out, base_error *error);
/* NOT_FOUND with a text. */
base_status local_partition_find(local_db *db, local_topics *topics, base_slice name,
                                 int32_t partition, int64_t *partition_id_out, base_error *error);
/* The first offset whose record's time is at or after time_ms, `end` if there is none. Within a
 * transaction. */
base_status local_offset_at(local_db *db, int64_t partition_id, int64_t begin, int64_t end,
                            int64_t time_ms, int64_t *offset_out, base_error *error);
/* sum of a record as log_local_schema.c says. */
int64_t local_record_sum(int64_t id, int64_t time_ms, base_slice key, base_slice value,
                         base_slice headers);

/* ---- log_local_wake.c ---- */
/* Never fails: without sockets the slow poll is left. */
void local_wake_open(local_wake *wake, const char *directory, bool read_only);
void local_wake_close(local_wake *wake);
/* Wakes all waiters of a kind in all processes; never blocks. */
void local_wake_all(const local_wake *wake, local_wake_kind kind);
base_status local_waiter_open(local_waiter *waiter, const local_wake *wake, local_wake_kind kind,
                              base_error *error);
void local_waiter_close(local_waiter *waiter);
/* Waits until somebody wakes it, at most timeout_ms. */
void local_waiter_wait(local_waiter *waiter, int64_t timeout_ms);
/* Wakes this one. Async-signal-safe. */
void local_waiter_signal(const local_waiter *waiter);

/* ---- log_local_read.c ---- */
base_status local_reader_open(log_store *store, log_reader **reader_out, base_error *error);
void local_reader_close(log_reader *reader);
base_status local_reader_assign(log_reader *reader, base_slice topic, int32_t partition,
                                int64_t offset, base_error *error);
base_status local_reader_unassign(log_reader *reader, base_slice topic, int32_t partition,
                                  base_error *error);
base_status local_reader_pause(log_reader *reader, base_slice topic, int32_t partition, bool paused,
                               base_error *error);
base_status local_reader_poll(log_reader *reader, int32_t timeout_ms, size_t record_max,
                              const schema_record **records_out, size_t *count_out,
                              base_error *error);
base_status local_reader_position(const log_reader *reader, base_slice topic, int32_t partition,
                                  int64_t *offset_out);
void local_reader_wake(log_reader *reader);

/* ---- log_local_write.c ---- */
base_status local_writer_open(log_store *store, const log_writer_options *options,
                              log_writer **writer_out, base_error *error);
void local_writer_close(log_writer *writer);
base_status local_writer_append(log_writer *writer, const schema_record *record, base_error *error);
base_status local_writer_commit(log_writer *writer, log_member *member,
                                const log_position *positions, size_t position_count,
                                int64_t *offsets_out, size_t *refused_out, base_error *error);
base_status local_writer_abort(log_writer *writer, base_error *error);

/* ---- log_local_group.c: within a write transaction ---- */
/* Says anew who should have what, frees what the gone had, and counts the generation on. */
base_status local_group_divide(local_db *db, local_topics *topics, int64_t group_id,
                               base_error *error);
/* Expels those of the group, but not member_id, whose deadline has passed; divides if there were
 * any. */
base_status local_group_sweep(local_db *db, local_topics *topics, int64_t group_id,
                              int64_t member_id, bool *changed_out, base_error *error);
/* All groups: topics were made. */
base_status local_groups_divide(local_db *db, local_topics *topics, base_error *error);
/* Deadlines of an earlier boot mean nothing: its dynamic members are gone, the static ones get
 * their time again. */
base_status local_groups_reboot(local_db *db, base_error *error);

/* ---- log_local_member.c ---- */
base_status local_member_open(log_store *store, const log_member_options *options,
                              log_member **member_out, base_error *error);
void local_member_close(log_member *member, bool leave);
base_status local_member_poll(log_member *member, int32_t timeout_ms, log_member_event *event_out,
                              base_error *error);
base_status local_member_release(log_member *member, base_error *error);
base_status local_member_position(log_member *member, base_slice topic, int32_t partition,
                                  int64_t *offset_out, base_error *error);
/* In the writer's transaction: may the member commit these positions? OK, REVOKED, FENCED or
 * NOT_FOUND. Writes them, and that the member lives. */
base_status local_member_commit(local_db *db, local_topics *topics, const log_member *member,
                                const log_position *positions, size_t position_count,
                                base_error *error);

/* ---- log_local_keep.c ---- */
base_status local_housekeep(log_store *store, bool *more_out, base_error *error);
/* A step, if it is time for one; failures are reported beside. */
void local_housekeep_beside(local_store *store);

#endif
