/*
 * The event log: one interface, three backends.
 *
 *   memory:NAME     the model, inside this process; true abort and fencing; for tests and the
 *                   simulator
 *   local:DIR       SQLite in DIR (WAL, synchronous=FULL): one machine, durable, several processes
 *   kafka://HOST:PORT[,HOST:PORT...]   librdkafka
 *
 * A log has topics; a topic has partitions; a partition is an ordered list of records with
 * ascending offsets (gaps are allowed: never assume offset + 1). Four kinds of object stand on an
 * open store:
 *
 *   log_store    the log itself: topics, ranges. Any thread.
 *   log_member   membership of a consumer group: which partitions are mine. It does not read. One
 *                thread at a time.
 *   log_reader   reads the partitions and offsets it is told to, and only what is committed. One
 *                thread at a time.
 *   log_writer   appends in transactions, positions of a group included. One thread at a time.
 *
 * Nothing above this header knows which backend it is (docs/design.md, 6). The backends' vtables
 * are in connectors/log_backend.h; one conformance suite (tests/conformance/) runs against all of
 * them.
 *
 * Ownership: borrow by default. What a reader hands out lives until the reader's next poll. Errors:
 * see each function; base_error may be NULL everywhere. Blocking is said where it happens.
 */
#ifndef CONNECTORS_LOG_H
#define CONNECTORS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "schemas/record.h"

#define LOG_TOPIC_SIZE_MAX 249          /* Kafka's bound */
#define LOG_RECORD_SIZE_DEFAULT 1048576 /* bytes of key, value and headers; configurable */

typedef struct log_store log_store;
typedef struct log_member log_member;
typedef struct log_reader log_reader;
typedef struct log_writer log_writer;

/* One setting handed through, as {"kafka.security.protocol", "SSL"}. */
typedef struct log_setting {
    base_slice name;
    base_slice value;
} log_setting;

typedef struct log_open_options {
    const log_setting *settings; /* "kafka.*" goes to librdkafka; "local.*", see
                                    connectors/README.md. Unknown: BAD_INPUT */
    size_t setting_count;
    base_slice client; /* who opens it, for the broker's and our logs, as "troupe engine" */
    bool read_only;    /* only readers will be opened (local: the files are opened read-only) */
    /* Told of what happens beside the calls (a broker is down, librdkafka's warnings): one line,
     * level as in syslog (3 error .. 7 debug). May be called from any thread. May be NULL. */
    void (*report)(void *context, int level, const char *text);
    void *report_context;
} log_open_options;

/* Opens. options may be NULL. Settings may also stand in the URL (percent-encoded), as
 * "local:./data?local.poll_ms=100". Settings of another backend ("kafka.*" with a local URL) are
 * ignored. BAD_INPUT: the URL or a setting is wrong. UNREACHABLE: nobody answers within timeout_ms
 * (Kafka: metadata). CORRUPT, IO, DISK_FULL: the local directory. The caller closes. Blocks. */
base_status log_open(base_slice url, const log_open_options *options, int32_t timeout_ms,
                     log_store **store_out, base_error *error) BASE_MUST_USE;
/* Closes; members, readers and writers must be closed before. NULL is fine. */
void log_close(log_store *store);

/* ---- topics ---- */
typedef enum log_cleanup { LOG_CLEANUP_DELETE, LOG_CLEANUP_COMPACT } log_cleanup;

typedef struct log_topic_options {
    base_slice name;
    int32_t partition_count;
    int16_t replication; /* Kafka; 0: the broker's default */
    log_cleanup cleanup;
    int64_t retention_ms;   /* -1: for ever */
    int64_t retention_size; /* bytes a partition; -1: no bound */
} log_topic_options;

/* Creates the topics that are missing; those that exist are left as they are. REFUSED: not allowed
 * to create (the error names the topic and says what to create by hand). Blocks. */
base_status log_topics_ensure(log_store *store, const log_topic_options *topics, size_t count,
                              int32_t timeout_ms, base_error *error) BASE_MUST_USE;
/* Partitions of a topic; NOT_FOUND if there is no such topic. Blocks. */
base_status log_topic_partitions(log_store *store, base_slice topic, int32_t *count_out,
                                 base_error *error) BASE_MUST_USE;
/* The topic's names, each once, sorted, written one by one to `each`. Blocks. */
base_status log_topics_list(log_store *store,
                            void (*each)(void *context, base_slice topic, int32_t partitions),
                            void *context, base_error *error) BASE_MUST_USE;
/* First offset that can be read, and the offset behind the last committed record, as they are now.
 * An end that a reader's position has reached means that all that was committed when this was
 * called has been read. Blocks. */
base_status log_range(log_store *store, base_slice topic, int32_t partition, int64_t *begin_out,
                      int64_t *end_out, base_error *error) BASE_MUST_USE;
/* The offset of the first record whose time is at or after time_ms (the end if there is none).
 * Blocks. */
base_status log_offset_at(log_store *store, base_slice topic, int32_t partition, int64_t time_ms,
                          int64_t *offset_out, base_error *error) BASE_MUST_USE;

/* Claims the log for one engine, until the store is closed: one engine a directory (local) or a
 * name (memory); Kafka always grants it, there the journal's claims and fencing do this work.
 * purpose ("engine 0.1") is told to whoever comes second. BUSY: somebody has it; the error says who
 * (process id and purpose). */
base_status log_claim_exclusive(log_store *store, base_slice purpose,
                                base_error *error) BASE_MUST_USE;
/* One bounded step (milliseconds) of what keeps the log small: retention by age and size,
 * compaction. Stores do it by themselves beside commits (local: at most once a second); this is for
 * tests and for those who do not write. *more_out (may be NULL): there was more to do than fitted
 * into the step. Kafka: nothing to do. Blocks. */
base_status log_housekeep(log_store *store, bool *more_out, base_error *error) BASE_MUST_USE;

/* ---- membership ---- */
typedef struct log_partition {
    base_slice topic;
    int32_t partition;
} log_partition;

typedef struct log_member_options {
    base_slice group;
    const base_slice
        *topics; /* what the group divides; range assignment, so equal counts go together */
    size_t topic_count;
    base_slice identity; /* static membership (group.instance.id): the same after a restart; empty:
                            dynamic */
    int32_t session_timeout_ms; /* 0: 10000 */
} log_member_options;

typedef enum log_member_event_kind {
    LOG_MEMBER_NOTHING,
    LOG_MEMBER_ASSIGNED, /* `partitions` are mine now; no other member of the group has them */
    LOG_MEMBER_REVOKED,  /* `partitions` are to be given back: finish (commit), then call
                            log_member_release */
    LOG_MEMBER_LOST      /* `partitions` are gone already: abort what was begun, then call
                            log_member_release */
} log_member_event_kind;

typedef struct log_member_event {
    log_member_event_kind kind;
    const log_partition *partitions; /* until the next poll */
    size_t partition_count;
} log_member_event;

/* Joins. Does not wait for an assignment. */
base_status log_member_open(log_store *store, const log_member_options *options,
                            log_member **member_out, base_error *error) BASE_MUST_USE;
/* Leaves (a static member leaves nothing: it is expected back within the session timeout, unless
 * leave is true). */
void log_member_close(log_member *member, bool leave);
/* The next change, waiting up to timeout_ms. To be called at least once a second: it also says that
 * we live. FENCED: another process joined with our identity. Of class RETRY (BUSY: the local log's
 * file; UNREACHABLE): nothing has changed, poll again. */
base_status log_member_poll(log_member *member, int32_t timeout_ms, log_member_event *event_out,
                            base_error *error) BASE_MUST_USE;
/* The revoked or lost partitions of the last event are let go. */
base_status log_member_release(log_member *member, base_error *error) BASE_MUST_USE;
/* The group's committed position in a partition (the next record to read); NOT_FOUND: none yet.
 * Blocks. */
base_status log_member_position(log_member *member, base_slice topic, int32_t partition,
                                int64_t *offset_out, base_error *error) BASE_MUST_USE;

/* ---- reading ---- */
#define LOG_OFFSET_BEGIN ((int64_t)-2) /* the first that is there */
#define LOG_OFFSET_END ((int64_t)-1)   /* what is written from now on */

base_status log_reader_open(log_store *store, log_reader **reader_out,
                            base_error *error) BASE_MUST_USE;
void log_reader_close(log_reader *reader);
/* Starts reading a partition at an offset; a partition that is read already goes on from there
 * instead. */
base_status log_reader_assign(log_reader *reader, base_slice topic, int32_t partition,
                              int64_t offset, base_error *error) BASE_MUST_USE;
base_status log_reader_unassign(log_reader *reader, base_slice topic, int32_t partition,
                                base_error *error) BASE_MUST_USE;
/* Stops / goes on delivering a partition without forgetting it (back-pressure). */
base_status log_reader_pause(log_reader *reader, base_slice topic, int32_t partition, bool paused,
                             base_error *error) BASE_MUST_USE;
/* Committed records, those of one partition in order, at most record_max; waits up to timeout_ms
 * for the first and then takes what is there. None is a success. They live until the next poll (or
 * close). POSITION_LOST: a partition's position is not in the log any more (error names topic,
 * partition, the position and the range); that partition is paused, all others go on: call again.
 * NOT_FOUND: its topic is gone, likewise. CORRUPT: the record at its position is damaged (local),
 * likewise. UNREACHABLE: nobody answers at present; positions are kept; call again. */
base_status log_reader_poll(log_reader *reader, int32_t timeout_ms, size_t record_max,
                            const schema_record **records_out, size_t *count_out,
                            base_error *error) BASE_MUST_USE;
/* The next offset that a poll would look at: behind all that was handed out and behind gaps found
 * at the end. */
base_status log_reader_position(const log_reader *reader, base_slice topic, int32_t partition,
                                int64_t *offset_out) BASE_MUST_USE;
/* Makes a poll that waits in another thread return soon. Any thread, and from a signal handler. */
void log_reader_wake(log_reader *reader);

/* ---- writing ---- */
typedef struct log_position {
    base_slice topic;
    int32_t partition;
    int64_t offset; /* the next record to read: last handled + 1 */
} log_position;

typedef struct log_writer_options {
    /* Transactional id: opening it fences whoever had it. Empty: no transactions, each commit only
     * makes sure that all appended is durable, and takes no positions. */
    base_slice identity;
    int32_t transaction_timeout_ms; /* 0: 15000 */
} log_writer_options;

/* Blocks until older transactions of the identity are decided. */
base_status log_writer_open(log_store *store, const log_writer_options *options,
                            log_writer **writer_out, base_error *error) BASE_MUST_USE;
void log_writer_close(log_writer *writer); /* aborts what is not committed */
/* Adds a record to the transaction, which begins by itself; the record is copied. TOO_LARGE: over
 * the log's bound. NOT_FOUND: no such topic or partition. REFUSED: not allowed. In these cases the
 * transaction stands as before the call. Others (FENCED, ABORTED, UNREACHABLE...): the transaction
 * is lost: abort it, open a new writer where the class says so. */
base_status log_writer_append(log_writer *writer, const schema_record *record,
                              base_error *error) BASE_MUST_USE;
/* Makes all that was appended since the last commit visible at once, together with positions of
 * member's group (member may be NULL with no positions). On success offsets_out (NULL, or one a
 * record in order of append) has the offsets where the backend knows them, else -1. ABORTED /
 * REVOKED: nothing was written, and never will be. REFUSED / TOO_LARGE: nothing was written;
 * *refused_out is the index of a record that the log would not take. FENCED: a successor is at
 * work. OUTCOME_UNKNOWN: it may be visible and may become so later: close this writer, open a new
 * one (which decides it), read again. UNREACHABLE, BUSY, DISK_FULL: nothing was written; may be
 * tried again from the first append. Whatever happened, the transaction is over: what is appended
 * next begins a new one. After FENCED and OUTCOME_UNKNOWN only close is left. With nothing appended
 * and no positions it does nothing. Blocks. */
base_status log_writer_commit(log_writer *writer, log_member *member, const log_position *positions,
                              size_t position_count, int64_t *offsets_out, size_t *refused_out,
                              base_error *error) BASE_MUST_USE;
/* Drops what was appended since the last commit. */
base_status log_writer_abort(log_writer *writer, base_error *error) BASE_MUST_USE;

#endif
