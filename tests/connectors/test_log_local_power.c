/*
 * The local log when the power goes: a disk that keeps what was synced, and of the rest whatever it
 * likes.
 *
 * A layer under SQLite (a VFS) notes every write since the file's last sync. At random writes and
 * syncs it makes a copy of the directory as a power cut at this moment might leave it: all that was
 * synced, and of the noted writes each 512-byte sector or not, by chance. The copy is opened like
 * any log: every commit that was acknowledged is there, whole; nothing is torn; nothing is damaged.
 *
 *   log.db, log.db-wal  --write-->  noted  --sync-->  kept        cut: kept + some sectors of noted
 * -> copy
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/connectors/local.h"

#define SECTOR 512
#define FILES 8
#define COMMITS 150
#define BATCH 5

typedef struct noted_write {
    struct noted_write *next;
    int64_t offset; /* of a truncation: the new size */
    size_t size;
    bool truncates;
    char bytes[];
} noted_write;

/* One file of the directory. */
typedef struct disk_file {
    char name[64]; /* without the directory; empty: free */
    char *kept;
    size_t kept_size;
    size_t kept_capacity;
    noted_write *noted;
    noted_write **noted_end;
} disk_file;

typedef struct disk {
    sqlite3_vfs *below;
    char directory[128]; /* only files in here are noted */
    disk_file files[FILES];
    unsigned random;
    char copy[160]; /* where a cut leaves its copy; empty: no cut wanted */
    bool cut;       /* the copy is there */
    int cut_one_in; /* writes and syncs */
    int fail_sync;  /* this many syncs from now one fails; 0: none */
} disk;

typedef struct disk_handle {
    sqlite3_file file;
    disk_file *noted; /* NULL: passed on as it is */
    sqlite3_file *below;
} disk_handle;

static disk the_disk; /* a VFS has no other place to find it */

/* ---- what is kept ---- */

static void kept_resize(disk_file *file, size_t size)
{
    if (size > file->kept_capacity) {
        file->kept_capacity = size * 2;
        file->kept = realloc(file->kept, file->kept_capacity);
        assert_non_null(file->kept);
    }
    if (size > file->kept_size) {
        memset(file->kept + file->kept_size, 0, size - file->kept_size);
    }
    file->kept_size = size;
}

static void apply_bytes(disk_file *file, int64_t offset, const char *bytes, size_t size)
{
    const size_t end = (size_t)offset + size;
    if (end > file->kept_size) {
        kept_resize(file, end);
    }
    memcpy(file->kept + offset, bytes, size);
}

static void noted_clear(disk_file *file)
{
    while (file->noted != NULL) {
        noted_write *write = file->noted;
        file->noted = write->next;
        free(write);
    }
    file->noted_end = &file->noted;
}

static void note(disk_file *file, bool truncates, int64_t offset, const void *bytes, size_t size)
{
    noted_write *write = malloc(sizeof(*write) + size);
    assert_non_null(write);
    *write = (noted_write){.offset = offset, .size = size, .truncates = truncates};
    if (size > 0) {
        memcpy(write->bytes, bytes, size);
    }
    *file->noted_end = write;
    file->noted_end = &write->next;
}

static void keep_all(disk_file *file)
{
    for (const noted_write *write = file->noted; write != NULL; write = write->next) {
        if (write->truncates) {
            kept_resize(file, (size_t)write->offset);
        } else {
            apply_bytes(file, write->offset, write->bytes, write->size);
        }
    }
    noted_clear(file);
}

static bool coin(void)
{
    return rand_r(&the_disk.random) % 2 == 0;
}

/* Some sectors of what was noted, onto a copy of what is kept. */
static void keep_some(disk_file *copy, const noted_write *noted)
{
    const bool none = rand_r(&the_disk.random) % 4 == 0;
    for (const noted_write *write = noted; write != NULL && !none; write = write->next) {
        if (write->truncates) {
            if (coin()) {
                kept_resize(copy, (size_t)write->offset);
            }
            continue;
        }
        for (size_t done = 0; done < write->size; done += SECTOR) {
            const size_t left = write->size - done;
            if (coin()) {
                apply_bytes(copy, write->offset + (int64_t)done, write->bytes + done,
                            left < SECTOR ? left : SECTOR);
            }
        }
    }
}

/* The power goes now: the copy is what is found when it comes back. */
static void maybe_cut(void)
{
    if (the_disk.copy[0] == '\0' || the_disk.cut ||
        rand_r(&the_disk.random) % the_disk.cut_one_in != 0) {
        return;
    }
    the_disk.cut = true;
    for (size_t i = 0; i < FILES; i++) {
        const disk_file *file = &the_disk.files[i];
        if (file->name[0] == '\0') {
            continue;
        }
        disk_file copy = {.kept = NULL};
        char path[256];
        kept_resize(&copy, file->kept_size);
        if (file->kept_size > 0) {
            memcpy(copy.kept, file->kept, file->kept_size);
        }
        keep_some(&copy, file->noted);
        (void)snprintf(path, sizeof(path), "%s/%s", the_disk.copy, file->name);
        const int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(out >= 0);
        assert_int_equal(write(out, copy.kept, copy.kept_size), (ssize_t)copy.kept_size);
        (void)close(out);
        free(copy.kept);
    }
}

/* ---- the VFS ---- */

static sqlite3_file *below_of(sqlite3_file *file)
{
    return ((disk_handle *)file)->below;
}

static int disk_close(sqlite3_file *file)
{
    sqlite3_file *below = below_of(file);
    const int result = below->pMethods->xClose(below);
    sqlite3_free(below);
    return result;
}

static int disk_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset)
{
    return below_of(file)->pMethods->xRead(below_of(file), bytes, size, offset);
}

static int disk_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    disk_file *noted = ((disk_handle *)file)->noted;
    const int result = below_of(file)->pMethods->xWrite(below_of(file), bytes, size, offset);
    if (noted != NULL && result == SQLITE_OK) {
        note(noted, false, offset, bytes, (size_t)size);
        maybe_cut();
    }
    return result;
}

static int disk_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    disk_file *noted = ((disk_handle *)file)->noted;
    if (noted != NULL) {
        note(noted, true, size, NULL, 0);
        maybe_cut();
    }
    return below_of(file)->pMethods->xTruncate(below_of(file), size);
}

static int disk_sync(sqlite3_file *file, int flags)
{
    disk_file *noted = ((disk_handle *)file)->noted;
    (void)flags; /* the real disk need not sync: the kept copy is what counts here */
    if (noted != NULL) {
        maybe_cut();
        if (the_disk.fail_sync > 0 && --the_disk.fail_sync == 0) {
            return SQLITE_IOERR_FSYNC;
        }
        keep_all(noted);
        maybe_cut();
    }
    return SQLITE_OK;
}

static int disk_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return below_of(file)->pMethods->xFileSize(below_of(file), size);
}

static int disk_lock(sqlite3_file *file, int level)
{
    return below_of(file)->pMethods->xLock(below_of(file), level);
}

static int disk_unlock(sqlite3_file *file, int level)
{
    return below_of(file)->pMethods->xUnlock(below_of(file), level);
}

static int disk_check_lock(sqlite3_file *file, int *out)
{
    return below_of(file)->pMethods->xCheckReservedLock(below_of(file), out);
}

static int disk_control(sqlite3_file *file, int operation, void *argument)
{
    return below_of(file)->pMethods->xFileControl(below_of(file), operation, argument);
}

static int disk_sector_size(sqlite3_file *file)
{
    return below_of(file)->pMethods->xSectorSize(below_of(file));
}

static int disk_characteristics(sqlite3_file *file)
{
    return below_of(file)->pMethods->xDeviceCharacteristics(below_of(file));
}

static int disk_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return below_of(file)->pMethods->xShmMap(below_of(file), page, size, extend, out);
}

static int disk_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return below_of(file)->pMethods->xShmLock(below_of(file), offset, count, flags);
}

static void disk_shm_barrier(sqlite3_file *file)
{
    below_of(file)->pMethods->xShmBarrier(below_of(file));
}

static int disk_shm_unmap(sqlite3_file *file, int delete_flag)
{
    return below_of(file)->pMethods->xShmUnmap(below_of(file), delete_flag);
}

static const sqlite3_io_methods disk_methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_unlock,
    .xCheckReservedLock = disk_check_lock,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector_size,
    .xDeviceCharacteristics = disk_characteristics,
    .xShmMap = disk_shm_map,
    .xShmLock = disk_shm_lock,
    .xShmBarrier = disk_shm_barrier,
    .xShmUnmap = disk_shm_unmap,
};

static disk_file *file_of(const char *path)
{
    const size_t size = strlen(the_disk.directory);
    if (path == NULL || size == 0 || strncmp(path, the_disk.directory, size) != 0 ||
        path[size] != '/') {
        return NULL;
    }
    const char *name = path + size + 1;
    disk_file *vacant = NULL;
    for (size_t i = 0; i < FILES; i++) {
        disk_file *file = &the_disk.files[i];
        if (strcmp(file->name, name) == 0) {
            return file;
        }
        if (file->name[0] == '\0') {
            vacant = file;
        }
    }
    if (vacant != NULL) {
        (void)snprintf(vacant->name, sizeof(vacant->name), "%s", name);
        vacant->noted_end = &vacant->noted;
        return vacant;
    }
    fail_msg("more files than expected: %s", path);
    return NULL;
}

static int disk_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags,
                     int *flags_out)
{
    (void)vfs;
    disk_handle *handle = (disk_handle *)file;
    sqlite3_file *below = sqlite3_malloc(the_disk.below->szOsFile);
    memset(handle, 0, sizeof(*handle));
    if (below == NULL) {
        return SQLITE_NOMEM;
    }
    const int result = the_disk.below->xOpen(the_disk.below, path, below, flags, flags_out);
    if (result != SQLITE_OK) {
        if (below->pMethods != NULL) {
            (void)below->pMethods->xClose(below);
        }
        sqlite3_free(below);
        return result;
    }
    handle->below = below;
    handle->noted = file_of(path);
    handle->file.pMethods = &disk_methods;
    return SQLITE_OK;
}

/* SQLite deletes only journals that it is done with, and then syncs the directory. */
static int disk_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
    (void)vfs;
    disk_file *file = file_of(path);
    if (file != NULL) {
        noted_clear(file);
        free(file->kept);
        *file = (disk_file){.kept = NULL};
    }
    return the_disk.below->xDelete(the_disk.below, path, sync_directory);
}

static void disk_install(const local_test *test)
{
    static sqlite3_vfs vfs;
    if (the_disk.below == NULL) {
        the_disk.below = sqlite3_vfs_find(NULL);
        vfs = *the_disk.below;
        vfs.zName = "disk";
        vfs.szOsFile = sizeof(disk_handle);
        vfs.xOpen = disk_open;
        vfs.xDelete = disk_delete;
        assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
    }
    (void)snprintf(the_disk.directory, sizeof(the_disk.directory), "%s", test->directory);
}

static void disk_forget(void)
{
    for (size_t i = 0; i < FILES; i++) {
        noted_clear(&the_disk.files[i]);
        free(the_disk.files[i].kept);
        the_disk.files[i] = (disk_file){.kept = NULL};
    }
    the_disk.directory[0] = '\0';
    the_disk.copy[0] = '\0';
}

/* ---- the tests ---- */

/* Both topics hold the numbers from 0 on, whole batches, the same; how many commits. */
static int64_t commits_whole(local_test *test, log_store *store)
{
    const char *const topics[] = {"orders", "events"};
    int64_t counts[2] = {0, 0};
    for (size_t i = 0; i < 2; i++) {
        log_reader *reader = local_reader_of(store, topics[i], 0);
        size_t count = 1;
        while (count > 0) {
            const schema_record *found = NULL;
            base_error_clear(&test->error);
            const base_status status =
                log_reader_poll(reader, 0, 1000, &found, &count, &test->error);
            if (base_failed(status)) {
                fail_msg("%s", test->error.text);
            }
            for (size_t k = 0; k < count; k++) {
                char number[32];
                (void)snprintf(number, sizeof(number), "%lld ", (long long)counts[i]++);
                assert_true(base_slice_starts_with(found[k].value, base_slice_of(number)));
            }
        }
        log_reader_close(reader);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_int_equal(counts[0] % BATCH, 0);
    return counts[0] / BATCH;
}

static base_code commit_numbers(log_writer *writer, int64_t commit)
{
    for (int64_t i = 0; i < (int64_t)BATCH * 2; i++) {
        char value[800];
        const long long number = commit * BATCH + i / 2;
        (void)snprintf(value, sizeof(value), "%lld %0*d", number, (int)(number * 37 % 700) + 1, 7);
        assert_int_equal(local_put(writer, i % 2 == 0 ? "orders" : "events", 0, "k", value).code,
                         BASE_OK);
    }
    return local_commit(writer);
}

static void copy_check(const char *path, int64_t acknowledged)
{
    local_test copy = {.error = {.code = BASE_OK}};
    (void)snprintf(copy.directory, sizeof(copy.directory), "%s", path);
    log_store *store = local_open_with(&copy, "");
    const int64_t whole = commits_whole(&copy, store);
    if (whole < acknowledged || whole > acknowledged + 1) {
        fail_msg("%lld commits after the cut, %lld were acknowledged", (long long)whole,
                 (long long)acknowledged);
    }
    log_writer *writer = local_writer_of(store, "engine"); /* and it goes on */
    assert_int_equal(commit_numbers(writer, whole), BASE_OK);
    log_writer_close(writer);
    log_close(store);
    assert_int_equal(nftw(path, local_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void
test_log_local_power__a_cut_leaves_whole_commits_and_all_that_were_acknowledged(void **state)
{
    local_test *test = *state;
    char copy[160];
    int cuts = 0;
    (void)snprintf(copy, sizeof(copy), "%s.cut", test->directory);
    disk_install(test);
    the_disk.random = (unsigned)time(NULL);
    the_disk.cut_one_in = 10;
    print_message("seed %u\n", the_disk.random);
    /* Checkpoints every few commits: the file itself is written under way too. */
    log_store *store = local_open_with(test, "local.checkpoint_pages=25&local.housekeep_ms=0");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    local_topic(store, "events", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_writer *writer = local_writer_of(store, "engine");
    for (int64_t commit = 0; commit < COMMITS; commit++) {
        assert_int_equal(mkdir(copy, 0700), 0);
        (void)snprintf(the_disk.copy, sizeof(the_disk.copy), "%s", copy);
        the_disk.cut = false;
        assert_int_equal(commit_numbers(writer, commit), BASE_OK);
        the_disk.copy[0] = '\0';
        if (the_disk.cut) {
            copy_check(copy, commit);
            cuts++;
        } else {
            assert_int_equal(rmdir(copy), 0);
        }
        /* Between two commits: all of them must be there. */
        if (commit % 10 == 9) {
            assert_int_equal(mkdir(copy, 0700), 0);
            (void)snprintf(the_disk.copy, sizeof(the_disk.copy), "%s", copy);
            const int one_in = the_disk.cut_one_in;
            the_disk.cut_one_in = 1;
            the_disk.cut = false;
            maybe_cut();
            the_disk.cut_one_in = one_in;
            the_disk.copy[0] = '\0';
            copy_check(copy, commit + 1);
        }
    }
    log_writer_close(writer);
    log_close(store);
    disk_forget();
    assert_true(cuts > COMMITS / 10);
}

static void
test_log_local_power__a_disk_that_fails_at_a_commit_leaves_its_outcome_unknown(void **state)
{
    local_test *test = *state;
    disk_install(test);
    the_disk.cut_one_in = 1;
    log_store *store = local_open_with(test, "local.housekeep_ms=0");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    local_topic(store, "events", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_writer *writer = local_writer_of(store, "engine");
    assert_int_equal(commit_numbers(writer, 0), BASE_OK);
    the_disk.fail_sync = 1;
    assert_int_equal(commit_numbers(writer, 1), BASE_OUTCOME_UNKNOWN);
    assert_int_equal(local_put(writer, "orders", 0, "k", "x").code, BASE_OUTCOME_UNKNOWN);
    log_writer_close(writer);
    writer = local_writer_of(store, "engine"); /* decides it */
    const int64_t whole = commits_whole(test, store);
    assert_in_range(whole, 1, 2);
    assert_int_equal(commit_numbers(writer, whole), BASE_OK);
    assert_int_equal(commits_whole(test, store), whole + 1);
    log_writer_close(writer);
    log_close(store);
    disk_forget();
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_log_local_power__##name, local_setup, local_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_cut_leaves_whole_commits_and_all_that_were_acknowledged),
        CASE(a_disk_that_fails_at_a_commit_leaves_its_outcome_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
