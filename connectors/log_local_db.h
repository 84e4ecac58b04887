/*
 * The local log's connection to its SQLite file: statements by name, transactions, and SQLite's
 * errors in our words. The one place that knows SQLite; the tables and all SQL text are in
 * connectors/log_local_schema.c.
 *
 * A connection belongs to one object (reader, writer, member) and one thread at a time. Statements
 * are prepared at first use and kept. Bytes that are bound are borrowed until the statement is
 * stepped to its end or reset; bytes of a column live until the next step or reset.
 */
#ifndef CONNECTORS_LOG_LOCAL_DB_H
#define CONNECTORS_LOG_LOCAL_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"

#define LOCAL_FORMAT_VERSION 1 /* PRAGMA user_version */

typedef struct local_db local_db;

typedef struct local_db_options {
    const char *directory; /* absolute */
    bool read_only;
    int64_t busy_timeout_ms;
    int64_t size_max;         /* bytes of the file; 0: no bound */
    int64_t checkpoint_pages; /* the write-ahead log is folded into the file past so many pages */
} local_db_options;

/* The statements; SQL in log_local_schema.c. */
typedef enum local_sql {
    LOCAL_TOPIC_INSERT,
    LOCAL_TOPIC_FIND,
    LOCAL_TOPIC_LIST,
    LOCAL_TOPIC_LAST_PARTITION,
    LOCAL_PARTITION_INSERT,
    LOCAL_PARTITION_GET,
    LOCAL_PARTITION_ENDS,
    LOCAL_PARTITION_GROW,
    LOCAL_PARTITION_CUT,
    LOCAL_PARTITION_RETAINED,
    LOCAL_RECORD_INSERT,
    LOCAL_RECORD_READ,
    LOCAL_RECORD_AT_TIME,
    LOCAL_RECORD_SIZES,
    LOCAL_RECORD_SIZE,
    LOCAL_RECORD_DELETE_RANGE,
    LOCAL_RECORD_DELETE,
    LOCAL_MARK_INSERT,
    LOCAL_MARK_BEFORE,
    LOCAL_MARK_DELETE,
    LOCAL_LATEST_GET,
    LOCAL_LATEST_PUT,
    LOCAL_LATEST_FORGET,
    LOCAL_STALE_PUT,
    LOCAL_STALE_DUE,
    LOCAL_STALE_DELETE,
    LOCAL_WRITER_EPOCH,
    LOCAL_WRITER_BUMP,
    LOCAL_GROUP_FIND,
    LOCAL_GROUP_INSERT,
    LOCAL_GROUP_LIST,
    LOCAL_GROUP_GENERATION,
    LOCAL_GROUP_BUMP,
    LOCAL_GROUP_GLANCE,
    LOCAL_MEMBER_INSERT,
    LOCAL_MEMBER_LIST,
    LOCAL_MEMBER_GET,
    LOCAL_MEMBER_OF_IDENTITY,
    LOCAL_MEMBER_BEAT,
    LOCAL_MEMBER_DELETE,
    LOCAL_MEMBER_EXPIRE,
    LOCAL_MEMBER_REBOOT_DELETE,
    LOCAL_MEMBER_REBOOT_GRACE,
    LOCAL_SHARE_TARGET,
    LOCAL_SHARE_UNTARGET,
    LOCAL_SHARE_ORPHANS,
    LOCAL_SHARE_INHERIT,
    LOCAL_SHARE_OWNER,
    LOCAL_SHARE_REVOKED,
    LOCAL_SHARE_ASSIGNABLE,
    LOCAL_SHARE_ASSIGN,
    LOCAL_SHARE_RELEASE,
    LOCAL_POSITION_GET,
    LOCAL_POSITION_PUT,
    LOCAL_BOOT_GET,
    LOCAL_BOOT_PUT,
    LOCAL_SQL_COUNT
} local_sql;

/* The tables, and each statement's SQL (log_local_schema.c). */
extern const char local_schema_sql[];
extern const char *const local_statement_sql[LOCAL_SQL_COUNT];

/* Opens directory/log.db; makes it where it is missing (not with read_only: NOT_FOUND).
 * UNSUPPORTED: it has another format version. CORRUPT, DISK_FULL, BUSY, IO. */
base_status local_db_open(const local_db_options *options, local_db **db_out,
                          base_error *error) BASE_MUST_USE;
/* NULL is fine. */
void local_db_close(local_db *db);

/* A read transaction: all reads until local_db_end see one state of the log. */
base_status local_db_begin_read(local_db *db, base_error *error) BASE_MUST_USE;
/* A write transaction; BUSY when another process does not let go within the busy time-out. */
base_status local_db_begin_write(local_db *db, base_error *error) BASE_MUST_USE;
/* On failure everything is rolled back, except OUTCOME_UNKNOWN: the disk failed while it was being
 * made durable. */
base_status local_db_commit(local_db *db, base_error *error) BASE_MUST_USE;
/* Ends a read transaction, or rolls a write transaction back, if one is open. */
void local_db_end(local_db *db);

void local_bind_integer(local_db *db, local_sql sql, int place, int64_t number);
/* data NULL binds NULL. */
void local_bind_bytes(local_db *db, local_sql sql, int place, base_slice bytes);
void local_bind_text(local_db *db, local_sql sql, int place, base_slice text);
/* The next row, or none: then the statement is reset. Also after a failure. */
base_status local_step(local_db *db, local_sql sql, bool *row_out, base_error *error) BASE_MUST_USE;
/* Steps to the end. */
base_status local_run(local_db *db, local_sql sql, base_error *error) BASE_MUST_USE;
/* To be called when a statement is left before its last row. */
void local_reset(local_db *db, local_sql sql);
/* Columns from 0. NULL gives 0 and data NULL. */
int64_t local_column_integer(local_db *db, local_sql sql, int column);
base_slice local_column_bytes(local_db *db, local_sql sql, int column);
/* Rows that the last statement changed. */
int64_t local_changes(local_db *db);
/* The id given by the last insert. */
int64_t local_last_id(local_db *db);

/* CORRUPT with the file's name and what to do; the text says what was found. */
base_status local_corrupt(const local_db *db, base_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
