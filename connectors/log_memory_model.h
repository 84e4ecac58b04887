/*
 * The memory log's insides, shared by connectors/log_memory*.c only.
 *
 * It is a model of what a Kafka broker does, so that what works here works there:
 *
 *   partition 3 of "orders"            base = 40
 *   offset   40   41   42   43   44   45   46   47
 *          [data|data|gap |mark|data|data|mark|data]        mark: a transaction ended here (Kafka's
 * control record) c    c    a    -    c    T2   -    c           gap: aborted, or compacted away
 *                                     ^
 *                                     last stable offset while T2 is open: nobody reads 45 and
 * behind
 *
 * An append of a transaction takes its offsets at once. Commit makes its entries visible and writes
 * a mark behind them in each partition; abort turns them into gaps and writes a mark too. So
 * offsets have gaps wherever Kafka's have.
 *
 * One mutex guards all of a log. Readers and members that wait do so on an eventfd of their own,
 * outside the mutex.
 */
#ifndef CONNECTORS_LOG_MEMORY_MODEL_H
#define CONNECTORS_LOG_MEMORY_MODEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "connectors/log_backend.h"
#include "connectors/log_memory.h"

typedef struct memory_log memory_log;
typedef struct memory_topic memory_topic;
typedef struct memory_transaction memory_transaction;
typedef struct memory_group memory_group;

/* record NULL: a gap or a mark. transaction NULL: decided. */
typedef struct memory_entry {
    schema_record *record;
    memory_transaction *transaction;
} memory_entry;

typedef struct memory_partition {
    memory_topic *topic;
    int32_t number;
    int64_t base; /* offset of entries[0], the first that can be read */
    memory_entry *entries;
    size_t start; /* index of the entry at `base` in the block */
    size_t count;
    size_t capacity;
    size_t size;       /* bytes of the records that are there, for retention */
    size_t open_count; /* transactions open here */
} memory_partition;

struct memory_topic {
    memory_topic *next; /* sorted by name */
    char *name;
    log_topic_options options; /* name points to `name` */
    memory_partition *partitions;
};

typedef struct memory_place {
    memory_partition *partition;
    int64_t offset;
} memory_place;

/* Open from its first append until it is decided. */
struct memory_transaction {
    memory_transaction *next; /* of all that are open in the log */
    memory_place *places;     /* every record, in order of append */
    size_t place_count;
    size_t place_capacity;
    memory_place *touched; /* each partition once, with the offset of its first record */
    size_t touched_count;
    size_t touched_capacity;
    int64_t deadline_ms;
    memory_group *group; /* of the positions, of a late commit */
    log_position *positions;
    size_t position_count;
};

/* A transactional id. */
typedef struct memory_identity {
    struct memory_identity *next;
    char *name;
    uint64_t epoch;           /* the writer of this epoch is the one */
    memory_transaction *open; /* of the present writer */
    memory_transaction
        *undecided;         /* its commit came to nothing or is late; the successor aborts it */
    bool undecided_is_late; /* log_memory_deliver commits it */
} memory_identity;

/* Records that a fault keeps for log_memory_deliver. */
typedef struct memory_kept {
    struct memory_kept *next;
    memory_partition **partitions;
    schema_record **records;
    size_t count;
} memory_kept;

typedef struct memory_fault_due {
    struct memory_fault_due *next;
    char *identity; /* empty: any */
    log_memory_fault fault;
} memory_fault_due;

typedef struct memory_position {
    memory_partition *partition;
    int64_t offset;
} memory_position;

/* A member as the group knows it; the handle (memory_member) knows only the id. */
typedef struct memory_session {
    struct memory_session *next;
    uint64_t id;     /* another for each joining, never 0 */
    uint64_t joined; /* order of the first joining of this identity, or of this member */
    char *identity;  /* empty: dynamic */
    char **topics;
    size_t topic_count;
    int32_t timeout_ms;
    int64_t deadline_ms;
} memory_session;

/* A partition that the group divides. */
typedef struct memory_share {
    memory_partition *partition;
    uint64_t owner;  /* session id, 0: nobody */
    uint64_t target; /* who should have it */
    bool announced;  /* the owner has been told */
} memory_share;

struct memory_group {
    memory_group *next;
    char *name;
    uint64_t generation; /* one more with each change of members */
    memory_session *sessions;
    memory_share *shares;
    size_t share_count;
    size_t share_capacity;
    memory_position *positions;
    size_t position_count;
    size_t position_capacity;
};

typedef struct memory_reader memory_reader;
typedef struct memory_member memory_member;

struct memory_log {
    memory_log *next; /* in the registry */
    char *name;
    size_t open_count; /* stores; guarded by the registry */
    pthread_mutex_t mutex;
    int64_t (*clock)(void *context);
    void *clock_context;
    bool down;
    bool claimed;
    char claimed_by[128];
    memory_topic *topics;
    memory_identity *identities;
    memory_transaction *transactions;
    memory_group *groups;
    memory_kept *kept;
    memory_fault_due *faults;
    memory_reader *readers;
    memory_member *members;
    uint64_t session_count; /* ids given so far */
};

typedef struct memory_store {
    log_store store;
    memory_log *log;
    bool claims;
} memory_store;

typedef struct memory_assignment {
    memory_partition *partition;
    int64_t position;
    bool from_begin; /* nothing has been looked at yet: begin may still move */
    bool paused;
} memory_assignment;

struct memory_reader {
    log_reader reader;
    memory_reader *next;
    memory_log *log;
    int event;         /* eventfd: something was committed, or wake */
    atomic_bool woken; /* by log_reader_wake */
    memory_assignment *assignments;
    size_t assignment_count;
    size_t assignment_capacity;
    size_t turn; /* which assignment the next poll begins with */
    base_arena arena;
    schema_record *records;
    size_t record_capacity;
};

struct memory_member {
    log_member member;
    memory_member *next;
    memory_log *log;
    int event;
    memory_group *group;
    uint64_t session; /* id */
    char *identity;
    char **topics;
    size_t topic_count;
    int32_t timeout_ms;
    bool fenced;
    log_member_event_kind pending; /* REVOKED or LOST: not released yet */
    memory_partition **held;       /* what was assigned and is not released */
    size_t held_count;
    size_t held_capacity;
    log_partition *event_partitions; /* of the last event */
    size_t event_count;
    size_t event_capacity;
};

/* ---- log_memory.c ---- */
memory_log *memory_log_of(log_store *store);
void memory_lock(memory_log *log);
void memory_unlock(memory_log *log);
/* Session and transaction time; wall time for records. Both the injected clock, if there is one. */
int64_t memory_steady_ms(const memory_log *log);
int64_t memory_wall_ms(const memory_log *log);
memory_topic *memory_topic_find(const memory_log *log, base_slice name);
/* NOT_FOUND with a text. */
base_status memory_partition_find(const memory_log *log, base_slice topic, int32_t partition,
                                  memory_partition **partition_out, base_error *error);
base_status memory_unreachable(const memory_log *log, base_error *error);
base_status memory_exhausted(base_error *error);
/* A copy with a terminating zero; NULL: no memory. */
char *memory_text(base_slice text);
/* Makes room for one more item. false: no memory, nothing has changed. */
bool memory_grow(void **items, size_t count, size_t *capacity, size_t item_size);
/* An entry by its offset, which is there. */
memory_entry *memory_entry_at(const memory_partition *partition, int64_t offset);
/* Behind the last entry / the first offset that cannot be read yet. */
int64_t memory_partition_end(const memory_partition *partition);
int64_t memory_partition_stable(const memory_log *log, const memory_partition *partition);
/* Adds an entry, which takes the record over; record NULL is a mark. false: no memory. */
bool memory_partition_push(memory_partition *partition, schema_record *record,
                           memory_transaction *transaction);
/* Turns an entry into a gap. */
void memory_entry_clear(memory_partition *partition, memory_entry *entry);
/* Forgets entries below an offset. */
void memory_partition_cut(memory_partition *partition, int64_t begin);
/* Wakes an object that waits on the eventfd. */
void memory_signal(int event);
void memory_wake_readers(memory_log *log);
/* Waits for the eventfd, at most timeout_ms; takes the signal off. */
void memory_wait(int event, int32_t timeout_ms);

/* ---- log_memory_read.c ---- */
base_status memory_reader_open(log_store *store, log_reader **reader_out, base_error *error);
void memory_reader_close(log_reader *reader);
base_status memory_reader_assign(log_reader *reader, base_slice topic, int32_t partition,
                                 int64_t offset, base_error *error);
base_status memory_reader_unassign(log_reader *reader, base_slice topic, int32_t partition,
                                   base_error *error);
base_status memory_reader_pause(log_reader *reader, base_slice topic, int32_t partition,
                                bool paused, base_error *error);
base_status memory_reader_poll(log_reader *reader, int32_t timeout_ms, size_t record_max,
                               const schema_record **records_out, size_t *count_out,
                               base_error *error);
base_status memory_reader_position(const log_reader *reader, base_slice topic, int32_t partition,
                                   int64_t *offset_out);
void memory_reader_wake(log_reader *reader);

/* ---- log_memory_write.c ---- */
base_status memory_writer_open(log_store *store, const log_writer_options *options,
                               log_writer **writer_out, base_error *error);
void memory_writer_close(log_writer *writer);
base_status memory_writer_append(log_writer *writer, const schema_record *record,
                                 base_error *error);
base_status memory_writer_commit(log_writer *writer, log_member *member,
                                 const log_position *positions, size_t position_count,
                                 int64_t *offsets_out, size_t *refused_out, base_error *error);
base_status memory_writer_abort(log_writer *writer, base_error *error);

/* ---- log_memory_transaction.c ---- */
/* A deep copy on the heap. NULL: no memory. */
schema_record *memory_record_copy(const schema_record *record);
void memory_kept_clear(memory_kept *kept);
void memory_kept_deinit(memory_kept *kept);
/* Adds all records to the ends of their partitions, decided. false: no memory, nothing is changed.
 */
bool memory_kept_write(memory_kept *kept, int64_t *offsets_out);
/* Is the partition among the first `touched_max` that the transaction wrote to? */
bool memory_touched_before(const memory_transaction *transaction, const memory_partition *partition,
                           size_t touched_max);
/* Both free the transaction and set the pointer to NULL; abort does nothing on NULL. */
void memory_transaction_abort(memory_log *log, memory_transaction **transaction);
void memory_transaction_commit(memory_log *log, memory_transaction **transaction);
/* Aborts transactions whose time-out has passed. */
void memory_transactions_sweep(memory_log *log);
/* Milliseconds until the next of them passes; INT32_MAX: none is open. */
int32_t memory_transactions_due_ms(const memory_log *log);
/* Finds or makes the identity. NULL: no memory. */
memory_identity *memory_identity_take(memory_log *log, base_slice name);
void memory_identity_fence(memory_log *log, memory_identity *identity);
void memory_identities_free(memory_log *log);
/* The next fault that is due for the identity, if there is one. */
bool memory_fault_take(memory_log *log, const char *identity, log_memory_fault *fault_out);
/* Does to the identity's open transaction what the fault says. */
base_status memory_commit_with_fault(memory_log *log, memory_identity *identity,
                                     log_memory_fault fault, base_error *error);

/* ---- log_memory_group.c ---- */
void memory_texts_free(char **texts, size_t count);
/* NULL: no memory. */
char **memory_texts_copy(char *const *texts, size_t count);
/* Finds or makes the group. NULL: no memory. */
memory_group *memory_group_take(memory_log *log, base_slice name);
/* NULL: there is none. */
memory_session *memory_session_find(const memory_group *group, uint64_t id);
memory_session *memory_session_of_identity(const memory_group *group, base_slice identity);
bool memory_session_wants(const memory_session *session, base_slice topic);
memory_share *memory_share_find(const memory_group *group, const memory_partition *partition);
/* Takes the session out and frees it; false: it is not of this group. Divide afterwards. */
bool memory_group_remove(memory_group *group, const memory_session *session);
/* Says anew who should have what, and wakes the members. */
void memory_group_divide(memory_log *log, memory_group *group);
/* The same for every group: topics were made. */
void memory_groups_divide(memory_log *log);
/* Expels members whose session has timed out. */
void memory_group_sweep(memory_log *log, memory_group *group);
/* Room for the positions, so that putting them cannot fail. false: no memory. */
bool memory_positions_reserve(memory_group *group, size_t count);
void memory_positions_put(memory_log *log, memory_group *group, const log_position *positions,
                          size_t position_count);
void memory_groups_free(memory_log *log);
base_status memory_member_position(log_member *member, base_slice topic, int32_t partition,
                                   int64_t *offset_out, base_error *error);

/* ---- log_memory_member.c ---- */
base_status memory_member_open(log_store *store, const log_member_options *options,
                               log_member **member_out, base_error *error);
void memory_member_close(log_member *member, bool leave);
base_status memory_member_poll(log_member *member, int32_t timeout_ms, log_member_event *event_out,
                               base_error *error);
base_status memory_member_release(log_member *member, base_error *error);
/* May this member commit these positions now? OK, REVOKED, FENCED or NOT_FOUND. Also says that it
 * lives. */
base_status memory_member_check(memory_member *member, const log_position *positions,
                                size_t position_count, base_error *error);

/* ---- log_memory_keep.c ---- */
base_status memory_housekeep(log_store *store, bool *more_out, base_error *error);

#endif
