/* The local log on SQLite: opening, transactions, statements, errors. The format is in
 * log_local_schema.c. */
#include "connectors/log_local_db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "connectors/log_shared.h"

#define APPLICATION_ID 0x54525550 /* "TRUP" */
#define PATH_SIZE 4096

struct local_db {
    sqlite3 *handle;
    sqlite3_stmt *statements[LOCAL_SQL_COUNT];
    int failure; /* of a prepare or bind, told by the next step */
    int64_t busy_timeout_ms;
    int64_t busy_since_ms;
    char path[PATH_SIZE];
};

/* ---- errors ---- */

/* The errno behind SQLITE_IOERR, 0 where it is not known. SQLite keeps it with the file; the
 * connection is not always told, not in a commit. */
static int cause_of(const local_db *db)
{
    static const int files[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        sqlite3_file *file = NULL;
        int cause = 0;
        if (sqlite3_file_control(db->handle, "main", files[i], &file) == SQLITE_OK &&
            file != NULL && file->pMethods != NULL &&
            file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &cause) == SQLITE_OK &&
            cause != 0) {
            return cause;
        }
    }
    return sqlite3_system_errno(db->handle);
}

static bool disk_is_full(const local_db *db, int result)
{
    if ((result & 0xff) == SQLITE_FULL) {
        return true;
    }
    const int cause = cause_of(db);
    return (result & 0xff) == SQLITE_IOERR && result != SQLITE_IOERR_FSYNC &&
           (cause == ENOSPC || cause == EDQUOT || cause == EFBIG);
}

base_status local_corrupt(const local_db *db, base_error *error, const char *format, ...)
{
    char text[BASE_ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    const base_status status =
        base_error_set(error, BASE_CORRUPT, "the log's file is damaged: %s", text);
    base_error_path(error, base_slice_of(db->path));
    base_error_hint(
        error, "restore it from a backup, or save what can be read with: sqlite3 log.db .recover");
    return status;
}

/* SQLite's result in our words. */
static base_status failed(local_db *db, int result, base_error *error)
{
    const char *text = sqlite3_errmsg(db->handle);
    base_status status;
    if (disk_is_full(db, result)) {
        status = base_error_set(error, BASE_DISK_FULL, "the disk is full: nothing was written");
        base_error_hint(error, "make room, or raise local.size_max if it is set");
    } else if (result == SQLITE_IOERR_SHORT_READ || result == SQLITE_IOERR_CORRUPTFS ||
               (result & 0xff) == SQLITE_CORRUPT || (result & 0xff) == SQLITE_NOTADB) {
        return local_corrupt(db, error, "%s", text);
    } else if ((result & 0xff) == SQLITE_BUSY || (result & 0xff) == SQLITE_LOCKED) {
        status = base_error_set(error, BASE_BUSY,
                                "another process keeps the log busy for more than %lld ms",
                                (long long)db->busy_timeout_ms);
    } else if ((result & 0xff) == SQLITE_NOMEM) {
        status = base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the log");
    } else if ((result & 0xff) == SQLITE_TOOBIG) {
        status = base_error_set(error, BASE_TOO_LARGE, "a record is larger than SQLite takes");
    } else if ((result & 0xff) == SQLITE_READONLY || (result & 0xff) == SQLITE_PERM) {
        status = base_error_set(error, BASE_REFUSED, "the log cannot be written: %s", text);
        base_error_hint(error, "check the permissions of the directory and its files");
    } else if ((result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN) {
        const int cause = cause_of(db);
        status = base_error_set(error, BASE_IO, "%s%s%s", text, cause != 0 ? ": " : "",
                                cause != 0 ? strerror(cause) : "");
    } else {
        status = base_error_set(error, BASE_FATAL, "SQLite: %s (%d)", text, result);
    }
    base_error_path(error, base_slice_of(db->path));
    return status;
}

/* Somebody else writes: sleep a little, longer each time, until the time-out. */
static int busy(void *context, int count)
{
    local_db *db = context;
    if (count == 0) {
        db->busy_since_ms = log_steady_ms();
    }
    if (log_steady_ms() - db->busy_since_ms >= db->busy_timeout_ms) {
        return 0;
    }
    const int doublings = count < 6 ? count : 6;
    const long pause_ns = 30000L << doublings; /* 30 us .. 2 ms */
    const struct timespec pause = {0, pause_ns};
    (void)nanosleep(&pause, NULL);
    return 1;
}

/* ---- opening ---- */

static base_status execute(local_db *db, const char *sql, base_error *error)
{
    const int result = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? base_ok()
                               : failed(db, sqlite3_extended_errcode(db->handle), error);
}

/* The one number that a statement gives. */
static base_status query_integer(local_db *db, const char *sql, int64_t *out, base_error *error)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
    }
    if (result == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
    }
    const int code = sqlite3_extended_errcode(db->handle);
    (void)sqlite3_finalize(statement);
    return result == SQLITE_ROW ? base_ok() : failed(db, code, error);
}

/* A new file gets its page size, its journal mode and its tables; two who come at once queue at the
 * directory's flock. */
static base_status create(local_db *db, base_error *error)
{
    BASE_TRY(execute(db, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL", error));
    BASE_TRY(execute(db, "BEGIN IMMEDIATE", error));
    base_status status = execute(db, local_schema_sql, error);
    if (!base_failed(status)) {
        status = execute(db, "COMMIT", error);
    }
    local_db_end(db);
    return status;
}

static base_status format_check(local_db *db, bool read_only, base_error *error)
{
    int64_t version = 0;
    int64_t application = 0;
    int64_t table_count = 0;
    BASE_TRY(query_integer(db, "PRAGMA user_version", &version, error));
    BASE_TRY(query_integer(db, "PRAGMA application_id", &application, error));
    BASE_TRY(query_integer(db, "SELECT count(*) FROM sqlite_schema", &table_count, error));
    base_status status = base_ok();
    if (version == 0 && application == 0 && table_count == 0) {
        status = read_only ? base_error_set(error, BASE_NOT_FOUND, "there is no log yet")
                           : create(db, error);
    } else if (application != APPLICATION_ID) {
        status = base_error_set(error, BASE_UNSUPPORTED, "this database is not one of ours");
        base_error_hint(error, "name another directory");
    } else if (version != LOCAL_FORMAT_VERSION) {
        status = base_error_set(error, BASE_UNSUPPORTED,
                                "the log has format %lld, this program reads and writes format %d",
                                (long long)version, LOCAL_FORMAT_VERSION);
        base_error_hint(error, version > LOCAL_FORMAT_VERSION
                                   ? "use the newer program that wrote it"
                                   : "export it with the program that wrote it, then import");
    }
    base_error_path(error, base_slice_of(db->path));
    return status;
}

static base_status configure(local_db *db, const local_db_options *options, base_error *error)
{
    char sql[256];
    (void)snprintf(
        sql, sizeof(sql),
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY;"
        "PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = %lld;"
        "PRAGMA journal_size_limit = 67108864",
        (long long)options->checkpoint_pages);
    BASE_TRY(execute(db, sql, error));
    if (options->size_max > 0) {
        int64_t page_size = 0;
        int64_t page_count = 0;
        BASE_TRY(query_integer(db, "PRAGMA page_size", &page_size, error));
        BASE_ASSERT(page_size > 0);
        const int64_t page_count_max = options->size_max / page_size + 1;
        (void)snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld", (long long)page_count_max);
        BASE_TRY(query_integer(db, sql, &page_count, error));
    }
    return base_ok();
}

/* Takes the directory's flock for the time of opening. -1: not to be had. */
static int directory_lock(const char *directory, int64_t timeout_ms)
{
    const int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int64_t until_ms = log_steady_ms() + timeout_ms;
    while (descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || log_steady_ms() >= until_ms) {
            (void)close(descriptor);
            return -1;
        }
        const struct timespec pause = {0, 1000000};
        (void)nanosleep(&pause, NULL);
    }
    return descriptor;
}

/* Opens the file. With read_only and no write access, where nobody has it open (no -wal), as it is.
 */
static int handle_open(local_db *db, bool read_only)
{
    const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
    if (!read_only) {
        /* For its owner alone, whatever the umask; -wal and -shm take after it. */
        const int made = open(db->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (made >= 0) {
            (void)close(made);
        }
        return sqlite3_open_v2(db->path, &db->handle,
                               flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    }
    int result = sqlite3_open_v2(db->path, &db->handle, flags | SQLITE_OPEN_READONLY, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_exec(db->handle, "PRAGMA user_version", NULL, NULL, NULL);
    }
    char wal[PATH_SIZE + 8];
    (void)snprintf(wal, sizeof(wal), "%s-wal", db->path);
    if ((result & 0xff) == SQLITE_CANTOPEN && access(db->path, R_OK) == 0 &&
        access(wal, F_OK) != 0) {
        (void)sqlite3_close(db->handle);
        db->handle = NULL;
        char uri[PATH_SIZE * 3 + 32];
        size_t used = (size_t)snprintf(uri, sizeof(uri), "file:");
        for (const char *c = db->path; *c != '\0'; c++) {
            const bool special = *c == '%' || *c == '?' || *c == '#';
            used += (size_t)snprintf(uri + used, sizeof(uri) - used, special ? "%%%02x" : "%c", *c);
        }
        (void)snprintf(uri + used, sizeof(uri) - used, "?immutable=1");
        result =
            sqlite3_open_v2(uri, &db->handle, flags | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    }
    return result;
}

base_status local_db_open(const local_db_options *options, local_db **db_out, base_error *error)
{
    local_db *db = calloc(1, sizeof(*db));
    if (db == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the log");
    }
    db->busy_timeout_ms = options->busy_timeout_ms;
    base_status status;
    int lock = -1;
    const int size = snprintf(db->path, sizeof(db->path), "%s/log.db", options->directory);
    if (size < 0 || (size_t)size >= sizeof(db->path)) {
        status = base_error_set(error, BASE_BAD_INPUT, "the directory's name is too long");
        goto out;
    }
    if (options->read_only && access(db->path, F_OK) != 0) {
        status =
            base_error_set(error, BASE_NOT_FOUND, "there is no log in \"%s\"", options->directory);
        goto out;
    }
    lock = options->read_only ? -1 : directory_lock(options->directory, options->busy_timeout_ms);
    if (lock < 0 && !options->read_only) {
        status = base_error_set(error, BASE_BUSY, "directory \"%s\" cannot be locked: %s",
                                options->directory, strerror(errno));
        goto out;
    }
    const int result = handle_open(db, options->read_only);
    if (db->handle == NULL) {
        status = base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the log");
        goto out;
    }
    (void)sqlite3_busy_handler(db->handle, busy, db);
    status = result == SQLITE_OK ? format_check(db, options->read_only, error)
                                 : failed(db, result, error);
    if (!base_failed(status)) {
        status = configure(db, options, error);
    }
out:
    if (lock >= 0) {
        (void)close(lock);
    }
    if (base_failed(status)) {
        local_db_close(db);
        return status;
    }
    *db_out = db;
    return status;
}

void local_db_close(local_db *db)
{
    if (db == NULL) {
        return;
    }
    for (size_t i = 0; i < LOCAL_SQL_COUNT; i++) {
        (void)sqlite3_finalize(db->statements[i]);
    }
    const int result = sqlite3_close(db->handle);
    BASE_ASSERT(result == SQLITE_OK);
    free(db);
}

/* ---- transactions ---- */

base_status local_db_begin_read(local_db *db, base_error *error)
{
    return execute(db, "BEGIN", error);
}

base_status local_db_begin_write(local_db *db, base_error *error)
{
    return execute(db, "BEGIN IMMEDIATE", error);
}

base_status local_db_commit(local_db *db, base_error *error)
{
    const int result = sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL);
    if (result == SQLITE_OK) {
        return base_ok();
    }
    const int code = sqlite3_extended_errcode(db->handle);
    base_status status;
    if ((code & 0xff) == SQLITE_IOERR && !disk_is_full(db, code)) {
        /* The frames may have reached the disk: a crash now could bring them back. The next write,
         * that of the writer who comes to decide, takes their place in the write-ahead log. */
        const int cause = cause_of(db);
        status = base_error_set(error, BASE_OUTCOME_UNKNOWN, "the disk failed during a commit: %s",
                                cause != 0 ? strerror(cause) : sqlite3_errmsg(db->handle));
        base_error_path(error, base_slice_of(db->path));
    } else {
        status = failed(db, code, error);
    }
    local_db_end(db);
    return status;
}

void local_db_end(local_db *db)
{
    if (sqlite3_get_autocommit(db->handle) == 0) {
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

/* ---- statements ---- */

static sqlite3_stmt *statement_of(local_db *db, local_sql sql)
{
    if (db->statements[sql] == NULL) {
        const int result =
            sqlite3_prepare_v3(db->handle, local_statement_sql[sql], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statements[sql], NULL);
        db->failure = result != SQLITE_OK ? result : db->failure;
    }
    return db->statements[sql];
}

static void note(local_db *db, int result)
{
    db->failure = result != SQLITE_OK ? result : db->failure;
}

void local_bind_integer(local_db *db, local_sql sql, int place, int64_t number)
{
    sqlite3_stmt *statement = statement_of(db, sql);
    if (statement != NULL) {
        note(db, sqlite3_bind_int64(statement, place, number));
    }
}

void local_bind_bytes(local_db *db, local_sql sql, int place, base_slice bytes)
{
    sqlite3_stmt *statement = statement_of(db, sql);
    if (statement != NULL && bytes.data == NULL) {
        note(db, sqlite3_bind_null(statement, place));
    } else if (statement != NULL) {
        note(db, sqlite3_bind_blob64(statement, place, bytes.data, bytes.size, SQLITE_STATIC));
    }
}

void local_bind_text(local_db *db, local_sql sql, int place, base_slice text)
{
    sqlite3_stmt *statement = statement_of(db, sql);
    if (statement != NULL) {
        note(db, sqlite3_bind_text64(statement, place, text.data != NULL ? text.data : "",
                                     text.size, SQLITE_STATIC, SQLITE_UTF8));
    }
}

base_status local_step(local_db *db, local_sql sql, bool *row_out, base_error *error)
{
    sqlite3_stmt *statement = statement_of(db, sql);
    const int noted = db->failure;
    db->failure = SQLITE_OK;
    const int result = noted == SQLITE_OK ? sqlite3_step(statement) : noted;
    if (result == SQLITE_ROW) {
        *row_out = true;
        return base_ok();
    }
    *row_out = false;
    const base_status status = result == SQLITE_DONE ? base_ok() : failed(db, result, error);
    local_reset(db, sql);
    return status;
}

base_status local_run(local_db *db, local_sql sql, base_error *error)
{
    bool row = true;
    while (row) {
        BASE_TRY(local_step(db, sql, &row, error));
    }
    return base_ok();
}

void local_reset(local_db *db, local_sql sql)
{
    if (db->statements[sql] != NULL) {
        (void)sqlite3_reset(db->statements[sql]);
    }
}

int64_t local_column_integer(local_db *db, local_sql sql, int column)
{
    return sqlite3_column_int64(db->statements[sql], column);
}

base_slice local_column_bytes(local_db *db, local_sql sql, int column)
{
    sqlite3_stmt *statement = db->statements[sql];
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
        return (base_slice){NULL, 0};
    }
    const void *data = sqlite3_column_blob(statement, column);
    const int size = sqlite3_column_bytes(statement, column);
    return data != NULL ? base_slice_make(data, (size_t)size) : base_slice_of("");
}

int64_t local_changes(local_db *db)
{
    return sqlite3_changes64(db->handle);
}

int64_t local_last_id(local_db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}
