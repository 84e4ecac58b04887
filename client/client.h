/*
 * Inside of libtroupe: what stands behind include/troupe.h.
 *
 *   open.c     options, open, close, codes and errors
 *   message.c  a troupe_message becomes a record; correlation, tokens
 *   event.c    a record becomes a troupe_event
 *   context.c  what a handler may call; path.c: members of JSON data
 *   batch.c    what handlers answered and how far they got: one transaction
 *   member.c   handlers, membership, partitions
 *   run.c      the loop: reading, calling handlers
 *   keeper.c   the thread that minds a handler that takes long
 *   emit.c     troupe_emit: a queue and a thread that sends
 *
 * Three threads at the most: the caller's, the keeper, the sender. The sender shares the store
 * alone. Caller and keeper share the member, the batch and `watch`, all under `lock`, which the
 * loop lets go of only while a handler is at work.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/value.h"
#include "connectors/log.h"
#include "include/troupe.h"
#include "saga/event.h"
#include "schemas/record.h"

#define CLIENT_INTEREST_MAX 1000
#define CLIENT_QUEUE_MAX 10000
#define CLIENT_ANSWER_MAX 1000 /* of one handler call */
#define CLIENT_ARENA_MAX ((size_t)64 * 1024 * 1024)

typedef struct client_interest {
    base_slice topic;
    base_slice type; /* full; empty: what no other takes */
    bool ask;
    troupe_handler *handler;
    void *user;
} client_interest;

/* A partition that is ours. */
typedef struct client_partition {
    base_slice topic; /* an interest's, lives as long as the handle */
    int32_t partition;
    int64_t next;      /* the first offset that was not handled */
    int64_t committed; /* what the group has, or where it began (LOG_OFFSET_BEGIN): from there
                          everything is done again when a transaction is lost */
    uint64_t skipped;  /* number of the list whose rest is not to be handled (client_cursor) */
    bool blocked;      /* its reading is paused until retry_at_ms */
    int64_t retry_at_ms;
    int64_t failed_offset; /* where a handler failed last */
    int32_t attempts;      /* ... and how often */
} client_partition;

/* One record that was handled, and what is to be written because of it. */
typedef struct client_item {
    const schema_record *record;  /* the reader's: it is not polled while items wait */
    const schema_record *outputs; /* in the batch's arena */
    size_t output_count;
    bool dead;    /* the output is its dead letter */
    bool removed; /* takes no part any more */
} client_item;

/* All of one transaction. Everything is in memory until the log has taken it, so it can be put in
 * again without calling a handler again. */
typedef struct client_batch {
    base_arena arena;
    client_item *items; /* in arena */
    size_t count;
    size_t capacity;
    bool unknown; /* it may have been committed: look at the positions before trying again */
    int32_t failures;
    int32_t fenced; /* times in a row that the writer was fenced */
    int64_t retry_at_ms;
} client_batch;

/* What the last poll of the reader handed out, and how far we are. */
typedef struct client_cursor {
    const schema_record *records;
    size_t count;
    size_t index;
    uint64_t number; /* of the list, from 1 */
} client_cursor;

/* A change of membership, kept until the loop has time for it. */
typedef struct client_change {
    log_member_event_kind kind;
    log_partition *partitions; /* malloc, topics behind them */
    size_t partition_count;
} client_change;

#define CLIENT_CHANGE_MAX 64

/* The handler that is at work. */
typedef struct client_watch {
    troupe_context *context;     /* NULL: none */
    const schema_record *record; /* what it is called for */
    int64_t started_ms;
    bool gave_up; /* the keeper has put the record to the dead letters */
} client_watch;

typedef struct client_outgoing client_outgoing;

struct troupe {
    base_arena memory; /* options and names, as long as the handle */
    base_slice service;
    base_slice type_prefix;
    base_slice asks_topic;
    base_slice events_topic;
    base_slice dead_topic;
    base_slice group;
    base_slice identity;        /* of the member; may be empty */
    base_slice writer_identity; /* of transactions; never empty */
    troupe_options options;     /* numbers and functions, defaults filled in; no strings */
    log_store *store;

    atomic_bool stopped;
    _Atomic(log_reader *) reader;

    client_interest *interests;
    size_t interest_count;
    size_t interest_capacity;

    pthread_mutex_t lock;
    pthread_cond_t busy; /* a handler may be at work: the keeper looks */
    pthread_t keeper;
    bool keeper_started;
    bool keeper_ends;
    bool keeper_sleeps; /* until `busy` is signalled */
    int64_t member_polled_ms;
    client_watch watch;
    client_change changes[CLIENT_CHANGE_MAX];
    size_t change_count;
    bool change_lost; /* there was no memory to keep one: this process must not go on */
    log_member *member;
    log_writer *writer;
    client_partition *partitions;
    size_t partition_count;
    size_t partition_capacity;
    client_batch batch;
    client_cursor cursor;
    base_arena event_arena; /* of the handler at work */
    base_slice told[16];    /* types of asks without handler that were reported */
    size_t told_count;
    bool unreachable_told;

    pthread_mutex_t send_lock;
    pthread_cond_t send_wanted; /* there is something to send, or the end */
    pthread_cond_t send_done;   /* something was decided */
    pthread_t sender;
    bool sender_started;
    bool sender_ends;
    bool sender_hurries; /* what cannot be sent at once is given up */
    client_outgoing *send_first;
    client_outgoing *send_last;
    size_t send_count;       /* waiting or being sent */
    uint64_t send_number;    /* of the last one queued */
    uint64_t decided_number; /* all up to it are decided, for troupe_flush */
    log_writer *send_writer; /* the sender's own */
};

/* What an answer takes over from what it answers. Slices are borrowed. */
typedef struct client_origin {
    bool ask;
    base_slice id;
    base_slice key; /* partitionkey, else the record's key */
    base_slice correlation_id;
    base_slice saga_step;
    base_slice saga_key;
    int32_t saga_try;
    base_slice trace_parent;
    base_slice trace_state;
} client_origin;

struct troupe_context {
    troupe *handle;
    base_arena *arena;
    client_origin origin;
    const base_value *data; /* NULL: no JSON */
    schema_record *outputs; /* in arena */
    size_t output_count;
    size_t output_capacity;
    atomic_bool closed; /* the keeper gave the event up */
};

/* ---- open.c ---- */
int64_t client_now_ms(void);    /* monotonic */
int64_t client_wall_ms(void);   /* since 1970 */
int32_t client_cut(int64_t ms); /* into 0..INT32_MAX */
/* Puts error into the public one and returns the code. Both may be NULL. */
troupe_code client_fail(troupe_error *out, base_status status, const base_error *error);
troupe_code client_fail_text(troupe_error *out, troupe_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void client_report(troupe *handle, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes a topic that is missing, where partition_count allows it. */
base_status client_topic_ensure(troupe *handle, base_slice topic, base_error *error) BASE_MUST_USE;

/* ---- message.c ---- */
/* Checks a message and makes the record, in arena, borrowing nothing. origin may be NULL; place is
 * the answer's, from 0. */
base_status client_message_write(troupe *handle, const troupe_message *message,
                                 const client_origin *origin, size_t place, base_arena *arena,
                                 schema_record *record_out, base_error *error) BASE_MUST_USE;
base_status client_token_write(const client_origin *origin, base_arena *arena,
                               base_slice *token_out) BASE_MUST_USE;
base_status client_token_read(const char *token, base_arena *arena, client_origin *origin_out,
                              base_error *error) BASE_MUST_USE;
/* prefix + type; the type itself where it has the prefix already. */
base_slice client_type_full(const troupe *handle, const char *type, base_arena *arena);
/* 128 random bits in hex; text_out has room for 33. */
void client_random_text(char *text_out);
/* Bytes of a copy, its headers included; a copy into a block of so many, which it alone borrows
 * from; the same in an arena. */
size_t client_record_size(const schema_record *record);
void client_record_place(const schema_record *record, void *block, schema_record *copy_out);
base_status client_record_copy(const schema_record *record, base_arena *arena,
                               schema_record *copy_out) BASE_MUST_USE;
/* What goes to the dead letters for a record: its key, value and headers, and why. */
base_status client_dead_letter(const troupe *handle, const schema_record *record,
                               const char *reason, const char *text, int32_t attempts,
                               bool with_value, base_arena *arena,
                               schema_record *record_out) BASE_MUST_USE;

/* ---- event.c ---- */
/* The handler for a record and the event as it will see it; *interest_out NULL: nobody's. BAD_INPUT
 * and the like: it wants to be a CloudEvent and is none (interest set: whose topic it is). */
base_status client_event_read(troupe *handle, const schema_record *record, base_arena *arena,
                              const client_interest **interest_out, troupe_event *event_out,
                              troupe_context *context_out, base_error *error) BASE_MUST_USE;

/* ---- path.c ---- */
/* The member at a path, or NULL. */
const base_value *client_path_get(const base_value *value, const char *path);

/* ---- batch.c ---- */
/* Adds a handled record and what is to be written because of it (copied). */
base_status client_batch_add(client_batch *batch, const schema_record *record,
                             const schema_record *outputs, size_t output_count,
                             bool dead) BASE_MUST_USE;
/* Adds the record's dead letter; text and reason say why. */
base_status client_batch_add_dead(troupe *handle, const schema_record *record, const char *reason,
                                  const char *text, int32_t attempts) BASE_MUST_USE;
/* Forgets what was handled of a partition that is lost. */
void client_batch_drop(client_batch *batch, base_slice topic, int32_t partition);
/* Commits what is in the batch, with positions; `lock` is held. OK: all of it is on the log (or it
 * was empty), partitions' positions have moved, the batch is empty. RETRY and UNKNOWN class: the
 * batch is kept, to be committed again from retry_at_ms on. REVOKED: nothing of it was written, it
 * is empty, its partitions are read again from the last position. Others: likewise, and this
 * process cannot go on. */
base_status client_batch_commit(troupe *handle, base_error *error) BASE_MUST_USE;
/* Commits positions alone. The batch's writer must have nothing open. */
base_status client_positions_commit(troupe *handle, const log_position *positions, size_t count,
                                    base_error *error) BASE_MUST_USE;
void client_batch_deinit(client_batch *batch);

/* ---- member.c ---- */
/* Makes missing topics and joins the group. */
base_status client_join(troupe *handle, base_error *error) BASE_MUST_USE;
/* What `changes` holds becomes so. One that fails stays, to be tried again. */
base_status client_changes_apply(troupe *handle, base_error *error) BASE_MUST_USE;
/* Goes on with partitions whose back-off is over. */
base_status client_partitions_unblock(troupe *handle, int64_t now_ms,
                                      base_error *error) BASE_MUST_USE;
client_partition *client_partition_find(troupe *handle, base_slice topic, int32_t partition);
/* Goes back to an offset and waits there, or not (blocked_ms 0). */
base_status client_partition_rewind(troupe *handle, client_partition *partition, int64_t offset,
                                    int64_t blocked_ms, base_error *error) BASE_MUST_USE;

/* ---- run.c ---- */
/* A handler failed, or what it answered cannot be written: back-off, or (enough attempts, or no
 * use) the dead letters. */
base_status client_record_failed(troupe *handle, const schema_record *record, bool no_use,
                                 const char *reason, const char *text,
                                 base_error *error) BASE_MUST_USE;
void client_run_close(troupe *handle);

/* ---- keeper.c ---- */
base_status client_keeper_start(troupe *handle, base_error *error) BASE_MUST_USE;
void client_keeper_end(troupe *handle);
/* Polls the member and keeps what it says in `changes`. `lock` is held. */
base_status client_member_poll(troupe *handle, int32_t timeout_ms, base_error *error) BASE_MUST_USE;

/* ---- emit.c ---- */
void client_sender_end(troupe *handle);

#endif
