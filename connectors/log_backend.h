/*
 * What a log backend provides, and what connectors/log.c and log_open.c do for it.
 *
 *   caller -> log_append() in log.c: checks arguments, sizes, the object's state ->
 * backend->writer_append()
 *
 * The public functions of connectors/log.h are the contract; a backend member does what the
 * function of the same name says there, and the comments below add only what the backend must know
 * besides. log.c has already made sure that
 *   - names of topics, groups and identities are well-formed (LOG_NAME rules below) and sizes
 * within bounds,
 *   - partition numbers are >= 0 (or SCHEMA_PARTITION_BY_KEY in a record), counts and timeouts are
 * in range,
 *   - out pointers are not NULL where log.h does not allow it,
 *   - records are at most store->record_size_max bytes,
 *   - a writer that was fenced, or whose last commit had an unknown outcome, is not used again; one
 * whose transaction was lost is aborted before it is used again (struct log_writer). Whether a
 * topic or partition exists is the backend's to say.
 *
 * Every object of a backend begins with the struct of log.h, which log.c knows:
 *
 *   typedef struct log_kafka_reader { log_reader reader; rd_kafka_t *consumer; ... }
 * log_kafka_reader;
 *
 * so a pointer to one is a pointer to the other. The backend allocates it with zeroes and frees it;
 * log.c fills in the public part right after a successful ..._open (the store's part is filled by
 * log_store_init, at the start of open).
 *
 * All members must be provided unless marked "may be NULL". `error` may be NULL. Out parameters are
 * written on success only. A backend does not log: it tells store->report (log_report) of what
 * happens beside the calls, once a change.
 */
#ifndef CONNECTORS_LOG_BACKEND_H
#define CONNECTORS_LOG_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "connectors/log.h"
#include "schemas/record.h"

#define LOG_NAME_SIZE_MAX                                                                          \
    249 /* topics, groups, identities: 1..249 of [A-Za-z0-9._-], not "." and ".." */
#define LOG_PARTITION_COUNT_MAX 10000 /* of one topic */
#define LOG_HEADER_COUNT_MAX 1000     /* of one record */
#define LOG_TIMEOUT_MS_MAX 600000     /* longer waits are cut to it */
#define LOG_POLL_RECORD_MAX 100000    /* log_reader_poll asks for no more at once */
#define LOG_SETTING_COUNT_MAX 256     /* of one log_open, those in the URL included */

typedef struct log_backend log_backend;

/* The public part of each object. */
struct log_store {
    const log_backend *backend;
    bool read_only;
    size_t record_size_max; /* set by the backend in open (default LOG_RECORD_SIZE_DEFAULT); 0: the
                               broker says */
    void (*report)(void *context, int level,
                   const char *text); /* never NULL after log_store_init */
    void *report_context;
};

struct log_member {
    log_store *store;
};

struct log_reader {
    log_store *store;
};

struct log_writer {
    log_store *store;
    bool transactional;  /* has an identity */
    size_t record_count; /* appended since the last commit or abort; offsets_out of commit has as
                            many */
    /* BASE_OK, or why the transaction cannot go on. FENCED and OUTCOME_UNKNOWN stay: only close is
     * left. Anything else is cleared by abort. Kept by log.c. */
    base_code failure;
};

/* The members are called by log.c only. "Thread" is as log.h says: stores any thread, others one
 * thread at a time. */
struct log_backend {
    /* The URL's scheme, as "kafka"; the URL is scheme ":" location. */
    const char *scheme;
    /* The location begins with "//" in the URL (it is cut off before open sees it). */
    bool location_has_authority;
    /* Names of the settings that open understands, as "local.busy_timeout_ms"; other settings that
     * begin with
     * "<scheme>." are refused by log.c with a did-you-mean. NULL: open takes every setting that
     * begins with "<scheme>." and refuses (BAD_INPUT) what it does not know. Settings of other
     * schemes are never passed on. */
    const base_slice *setting_names;
    size_t setting_name_count;

    /* Opens the store. `location` is the URL behind the scheme, without authority slashes and
     * without "?name=value&...", whose settings have been percent-decoded and stand in
     * options->settings behind the caller's own; both live during the call only. options is never
     * NULL. May be called from several threads at once. Blocks up to timeout_ms. */
    base_status (*open)(base_slice location, const log_open_options *options, int32_t timeout_ms,
                        log_store **store_out, base_error *error);
    /* Frees the store, which is not NULL. Whoever claimed exclusively gives up the claim. May block
     * (flush, leave). */
    void (*close)(log_store *store);

    /* Blocks up to timeout_ms. */
    base_status (*topics_ensure)(log_store *store, const log_topic_options *topics, size_t count,
                                 int32_t timeout_ms, base_error *error);
    /* Blocks. */
    base_status (*topic_partitions)(log_store *store, base_slice topic, int32_t *count_out,
                                    base_error *error);
    /* Calls `each` in sorted order, holding no lock that a call from within `each` would need.
     * Blocks. */
    base_status (*topics_list)(log_store *store,
                               void (*each)(void *context, base_slice topic, int32_t partitions),
                               void *context, base_error *error);
    /* The end is the first offset that a read-committed reader cannot reach now (Kafka: last stable
     * offset). NOT_FOUND: no such topic or partition. Blocks. */
    base_status (*range)(log_store *store, base_slice topic, int32_t partition, int64_t *begin_out,
                         int64_t *end_out, base_error *error);
    /* Blocks. */
    base_status (*offset_at)(log_store *store, base_slice topic, int32_t partition, int64_t time_ms,
                             int64_t *offset_out, base_error *error);
    /* log_claim_exclusive. May be NULL: always granted. Does not block. */
    base_status (*claim_exclusive)(log_store *store, base_slice purpose, base_error *error);
    /* log_housekeep. May be NULL: nothing to do, the broker does it. Blocks for milliseconds. */
    base_status (*housekeep)(log_store *store, bool *more_out, base_error *error);

    /* Does not wait for an assignment. options' slices live during the call only. */
    base_status (*member_open)(log_store *store, const log_member_options *options,
                               log_member **member_out, base_error *error);
    /* member is not NULL. What was assigned and not released is given up (dynamic, or leave) or
     * kept for the successor (static). May block for a second or two. */
    void (*member_close)(log_member *member, bool leave);
    /* Between REVOKED or LOST and release it reports only: a LOST for what was to be
     * revoked, FENCED, or nothing. The event's partitions are the member's own memory, kept until
     * the next poll. Blocks up to timeout_ms. */
    base_status (*member_poll)(log_member *member, int32_t timeout_ms, log_member_event *event_out,
                               base_error *error);
    /* Without a REVOKED or LOST that is open it does nothing. */
    base_status (*member_release)(log_member *member, base_error *error);
    /* Blocks. */
    base_status (*member_position)(log_member *member, base_slice topic, int32_t partition,
                                   int64_t *offset_out, base_error *error);

    base_status (*reader_open)(log_store *store, log_reader **reader_out, base_error *error);
    /* reader is not NULL. */
    void (*reader_close)(log_reader *reader);
    /* offset is >= 0, LOG_OFFSET_BEGIN or LOG_OFFSET_END; END means: what is committed after this
     * call returned, so it is resolved before. An assigned partition that is paused goes on.
     * NOT_FOUND may come here or from the next poll. */
    base_status (*reader_assign)(log_reader *reader, base_slice topic, int32_t partition,
                                 int64_t offset, base_error *error);
    /* Not assigned: nothing happens. What was handed out lives on; what was fetched and not handed
     * out is dropped. */
    base_status (*reader_unassign)(log_reader *reader, base_slice topic, int32_t partition,
                                   base_error *error);
    /* NOT_FOUND: not assigned. Nothing that was fetched before is lost or handed out while paused.
     */
    base_status (*reader_pause)(log_reader *reader, base_slice topic, int32_t partition,
                                bool paused, base_error *error);
    /* record_max is 1..LOG_POLL_RECORD_MAX. Fewer may be handed out to bound memory (at least one,
     * if there is one). No partition starves: the one to begin with changes from poll to poll.
     * *records_out may be NULL with *count_out 0. On failure nothing is handed out and no position
     * moves. Blocks up to timeout_ms. */
    base_status (*reader_poll)(log_reader *reader, int32_t timeout_ms, size_t record_max,
                               const schema_record **records_out, size_t *count_out,
                               base_error *error);
    /* NOT_FOUND: not assigned. An assignment by LOG_OFFSET_BEGIN that is not resolved yet: 0 <=
     * position <= begin. */
    base_status (*reader_position)(const log_reader *reader, base_slice topic, int32_t partition,
                                   int64_t *offset_out);
    /* Any thread, and from a signal handler: may only write to an eventfd or pipe, and keeps errno.
     * A wake with no poll waiting makes the next one return at once. */
    void (*reader_wake)(log_reader *reader);

    /* options' slices live during the call only. Sets nothing in the public part. Blocks. */
    base_status (*writer_open)(log_store *store, const log_writer_options *options,
                               log_writer **writer_out, base_error *error);
    /* writer is not NULL. Aborts what is open; if that does not succeed, the transaction's time-out
     * or the next writer of the identity does. May block for a second or two. */
    void (*writer_close)(log_writer *writer);
    /* The record is copied. BUSY (a full queue) is not returned: it blocks until there is room.
     * TOO_LARGE, NOT_FOUND, REFUSED, BAD_INPUT and OUT_OF_MEMORY leave the transaction as it was;
     * everything else loses it. Partition SCHEMA_PARTITION_BY_KEY: log_partition_pick. A compacted
     * topic refuses a record without a key (REFUSED). */
    base_status (*writer_append)(log_writer *writer, const schema_record *record,
                                 base_error *error);
    /* Something was appended, or there are positions (log.c answers the empty commit). member is of
     * the same store. positions: only when transactional and member is not NULL; those of topics
     * which the group divides must be of partitions that the member owns (REVOKED else); those of
     * other topics are taken as they are; a member that was expelled or replaced gets REVOKED or
     * FENCED and nothing is written. offsets_out may be NULL, else has writer->record_count places;
     * refused_out is not NULL. After any failure the transaction is over (aborted, or, with
     * OUTCOME_UNKNOWN and FENCED, for the successor to decide): nothing of it is part of a later
     * commit. Blocks. */
    base_status (*writer_commit)(log_writer *writer, log_member *member,
                                 const log_position *positions, size_t position_count,
                                 int64_t *offsets_out, size_t *refused_out, base_error *error);
    /* Called also when the transaction was lost, or is empty. A failure means that this writer is
     * of no further use (FENCED, FATAL), or that the call may be repeated. May block. */
    base_status (*writer_abort)(log_writer *writer, base_error *error);
};

extern const log_backend log_memory_backend;
extern const log_backend log_local_backend;
extern const log_backend log_kafka_backend;

/* ---- for backends ---- */

/* Fills the public part of a store: to be called first thing in open. */
void log_store_init(log_store *store, const log_backend *backend, const log_open_options *options);
/* Tells store->report one line. level as in syslog. */
void log_report(log_store *store, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The record's partition: its own, or by key (murmur2), or, without a key, in turns (*turn counts).
 * NOT_FOUND: there is no such partition. */
base_status log_partition_pick(const schema_record *record, int32_t partition_count, uint32_t *turn,
                               int32_t *partition_out, base_error *error) BASE_MUST_USE;
/* A wait as the backends know it: 0..LOG_TIMEOUT_MS_MAX. */
int32_t log_timeout_cut(int32_t timeout_ms);
/* Bytes of key, value, header names and header values: what record_size_max bounds. */
size_t log_record_size(const schema_record *record);
/* The setting's value; an empty slice with data NULL: it is not set. The last one of a name counts.
 */
base_slice log_setting_get(const log_open_options *options, const char *name);
/* The same as a whole number within [minimum, maximum]; fallback when it is not set. BAD_INPUT
 * names the setting. */
base_status log_setting_integer(const log_open_options *options, const char *name, int64_t fallback,
                                int64_t minimum, int64_t maximum, int64_t *out,
                                base_error *error) BASE_MUST_USE;

#endif
