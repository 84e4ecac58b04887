/* The local log's directory: what it keeps, who may use it, what housekeeping leaves. */
#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "connectors/log_local_db.h"
#include "tests/connectors/local.h"

static int64_t steady_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* Runs SQL on the file from outside. */
static void sql_run(const local_test *test, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(test->database, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t sql_integer(const local_test *test, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(test->database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const int64_t result = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return result;
}

/* ---- the directory ---- */

static void test_log_local__everything_is_there_after_closing_and_opening(void **state)
{
    local_test *test = *state;
    char text[128];
    const base_slice orders = base_slice_of("orders");
    const log_position position = {orders, 0, 2};
    const log_member_options options = {
        .group = base_slice_of("group"), .topics = &orders, .topic_count = 1};
    log_member *member = NULL;
    log_member_event event;
    int64_t offset = 0;
    log_store *store = local_open_with(test, "");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    assert_int_equal(log_member_open(store, &options, &member, NULL).code, BASE_OK);
    assert_int_equal(log_member_poll(member, 1000, &event, NULL).code, BASE_OK);
    log_writer *writer = local_writer_of(store, "engine");
    assert_int_equal(local_put(writer, "orders", 0, "k", "a").code, BASE_OK);
    assert_int_equal(local_put(writer, "orders", 0, "k", "b").code, BASE_OK);
    assert_int_equal(log_writer_commit(writer, member, &position, 1, NULL, NULL, NULL).code,
                     BASE_OK);
    assert_int_equal(local_put(writer, "orders", 0, "k", "not committed").code, BASE_OK);
    log_writer_close(writer);
    log_member_close(member, true);
    log_close(store);
    store = local_open_with(test, "");
    assert_string_equal(local_seen(store, "orders", text, sizeof(text)), "a b");
    assert_int_equal(log_member_open(store, &options, &member, NULL).code, BASE_OK);
    assert_int_equal(log_member_position(member, orders, 0, &offset, NULL).code, BASE_OK);
    assert_int_equal(offset, 2);
    log_member_close(member, true);
    log_close(store);
}

static void test_log_local__the_directory_is_made_for_its_owner_alone(void **state)
{
    local_test *test = *state;
    struct stat entry;
    assert_int_equal(rmdir(test->directory), 0);
    log_store *store = local_open_with(test, "");
    assert_int_equal(stat(test->directory, &entry), 0);
    assert_int_equal(entry.st_mode & 0777, 0700);
    assert_int_equal(stat(test->database, &entry), 0);
    assert_int_equal(entry.st_mode & 0777, 0600);
    log_close(store);
}

static void test_log_local__a_missing_parent_or_a_file_in_the_way_is_said(void **state)
{
    local_test *test = *state;
    log_store *store = NULL;
    char url[256];
    (void)snprintf(url, sizeof(url), "local:%s/a/b", test->directory);
    assert_int_equal(log_open(base_slice_of(url), NULL, 0, &store, &test->error).code,
                     BASE_NOT_FOUND);
    assert_non_null(strstr(test->error.hint, "directory above"));
    (void)snprintf(url, sizeof(url), "local:/dev/null");
    base_error_clear(&test->error);
    assert_int_equal(log_open(base_slice_of(url), NULL, 0, &store, &test->error).code,
                     BASE_BAD_INPUT);
    assert_non_null(strstr(test->error.text, "not a directory"));
}

static void test_log_local__reading_alone_makes_nothing_and_reads_beside_a_writer(void **state)
{
    local_test *test = *state;
    char text[128];
    log_store *reading = NULL;
    assert_int_equal(local_try(test, "", true, &reading).code, BASE_NOT_FOUND);
    assert_int_not_equal(access(test->database, F_OK), 0);
    log_store *store = local_open_with(test, "");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    assert_int_equal(local_try(test, "", true, &reading).code, BASE_OK);
    log_writer *writer = local_writer_of(store, "engine");
    assert_int_equal(local_put(writer, "orders", 0, "k", "a").code, BASE_OK);
    assert_int_equal(local_commit(writer), BASE_OK);
    assert_string_equal(local_seen(reading, "orders", text, sizeof(text)), "a");
    log_close(reading);
    log_writer_close(writer);
    log_close(store);
    assert_int_equal(local_try(test, "", true, &reading).code,
                     BASE_OK); /* nobody else has it open */
    assert_string_equal(local_seen(reading, "orders", text, sizeof(text)), "a");
    log_close(reading);
}

static void test_log_local__another_format_or_program_is_refused_by_name(void **state)
{
    local_test *test = *state;
    log_store *store = NULL;
    log_close(local_open_with(test, ""));
    sql_run(test, "PRAGMA user_version = 2");
    assert_int_equal(local_try(test, "", false, &store).code, BASE_UNSUPPORTED);
    assert_non_null(strstr(test->error.text, "format 2"));
    assert_non_null(strstr(test->error.path, "log.db"));
    assert_non_null(strstr(test->error.hint, "newer program"));
    sql_run(test, "PRAGMA user_version = 1; PRAGMA application_id = 7");
    assert_int_equal(local_try(test, "", false, &store).code, BASE_UNSUPPORTED);
    assert_non_null(strstr(test->error.text, "not one of ours"));
}

static void test_log_local__one_engine_claims_it_and_the_next_is_told_who(void **state)
{
    local_test *test = *state;
    log_store *first = local_open_with(test, "");
    log_store *second = local_open_with(test, "");
    char pid[64];
    (void)snprintf(pid, sizeof(pid), "process %ld (engine 0.1)", (long)getpid());
    assert_int_equal(log_claim_exclusive(first, base_slice_of("engine 0.1"), NULL).code, BASE_OK);
    assert_int_equal(log_claim_exclusive(first, base_slice_of("engine 0.1"), NULL).code, BASE_OK);
    base_error_clear(&test->error);
    assert_int_equal(log_claim_exclusive(second, base_slice_of("two"), &test->error).code,
                     BASE_BUSY);
    assert_non_null(strstr(test->error.text, pid));
    log_close(first);
    assert_int_equal(log_claim_exclusive(second, base_slice_of("two"), NULL).code, BASE_OK);
    log_close(second);
}

static void test_log_local__a_file_that_stays_busy_is_busy_and_can_be_tried_again(void **state)
{
    local_test *test = *state;
    char text[128];
    log_store *store = local_open_with(test, "local.busy_timeout_ms=100");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_writer *writer = local_writer_of(store, "engine");
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(test->database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(local_put(writer, "orders", 0, "k", "a").code, BASE_OK);
    const int64_t begin_ms = steady_ms();
    assert_int_equal(local_commit(writer), BASE_BUSY);
    assert_in_range(steady_ms() - begin_ms, 90, 2000);
    assert_string_equal(local_seen(store, "orders", text, sizeof(text)), ""); /* reading goes on */
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(local_put(writer, "orders", 0, "k", "b").code, BASE_OK);
    assert_int_equal(local_commit(writer), BASE_OK);
    assert_string_equal(local_seen(store, "orders", text, sizeof(text)), "b");
    log_writer_close(writer);
    log_close(store);
}

static void test_log_local__the_bound_on_a_record_is_a_setting(void **state)
{
    local_test *test = *state;
    log_store *store = local_open_with(test, "local.record_size_max=10");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_writer *writer = local_writer_of(store, "");
    assert_int_equal(local_put(writer, "orders", 0, "k", "123456789").code, BASE_OK);
    assert_int_equal(local_put(writer, "orders", 0, "k", "1234567890").code, BASE_TOO_LARGE);
    log_writer_close(writer);
    log_close(store);
}

static void test_log_local__the_file_is_readable_by_people(void **state)
{
    local_test *test = *state;
    log_store *store = local_open_with(test, "");
    local_topic(store, "orders", 3, LOG_CLEANUP_DELETE, -1, -1);
    log_writer *writer = local_writer_of(store, "engine");
    assert_int_equal(local_put(writer, "orders", 2, "k", "a").code, BASE_OK);
    assert_int_equal(local_put(writer, "orders", 2, "k", "b").code, BASE_OK);
    assert_int_equal(local_commit(writer), BASE_OK);
    assert_int_equal(sql_integer(test,
                                 "SELECT count(*) FROM records WHERE topic = 'orders' AND"
                                 " partition = 2 AND offset = 1 AND CAST(value AS TEXT) = 'b'"),
                     1);
    assert_int_equal(sql_integer(test, "PRAGMA user_version"), LOCAL_FORMAT_VERSION);
    assert_int_equal(
        sql_integer(test, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"),
        1);
    log_writer_close(writer);
    log_close(store);
}

/* ---- wake-ups ---- */

typedef struct waking {
    log_store *store;
    int64_t committed_ms;
} waking;

static void *commit_soon(void *context)
{
    waking *wake = context;
    log_writer *writer = local_writer_of(wake->store, "engine");
    pause_ms(100);
    assert_int_equal(local_put(writer, "orders", 0, "k", "a").code, BASE_OK);
    assert_int_equal(local_commit(writer), BASE_OK);
    wake->committed_ms = steady_ms();
    log_writer_close(writer);
    return NULL;
}

/* A slow poll of a minute: only the socket can have woken the reader. */
static void reader_is_woken(local_test *test)
{
    waking wake = {.store = local_open_with(test, "local.poll_ms=60000")};
    log_store *other = local_open_with(test, "local.poll_ms=60000");
    const schema_record *found = NULL;
    size_t count = 0;
    pthread_t thread;
    local_topic(wake.store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_reader *reader = local_reader_of(other, "orders", 0);
    assert_int_equal(pthread_create(&thread, NULL, commit_soon, &wake), 0);
    assert_int_equal(log_reader_poll(reader, 20000, 10, &found, &count, NULL).code, BASE_OK);
    const int64_t read_ms = steady_ms();
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(count, 1);
    assert_true(read_ms - wake.committed_ms < 1000);
    log_reader_close(reader);
    log_close(wake.store);
    log_close(other);
}

static void test_log_local__a_commit_wakes_readers_long_before_the_slow_poll(void **state)
{
    reader_is_woken(*state);
}

static void test_log_local__a_directory_with_a_long_name_wakes_too(void **state)
{
    local_test *test = *state;
    local_test deep = {.error = {.code = BASE_OK}};
    const int size =
        snprintf(deep.directory, sizeof(deep.directory), "%s/%080d", test->directory, 7);
    assert_in_range(size, 100, sizeof(deep.directory) - 1); /* a socket's path has 108 at most */
    reader_is_woken(&deep);
}

static size_t socket_count(const local_test *test)
{
    char path[256];
    size_t count = 0;
    (void)snprintf(path, sizeof(path), "%s/wake", test->directory);
    DIR *listing = opendir(path);
    assert_non_null(listing);
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    (void)closedir(listing);
    return count;
}

static void test_log_local__sockets_of_the_dead_are_removed_by_the_next_commit(void **state)
{
    local_test *test = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    log_store *store = local_open_with(test, "");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_reader *reader = local_reader_of(store, "orders", 0);
    /* A socket that nobody has open, as kill -9 leaves it. */
    const int dead = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(dead >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/wake/r-1-dead",
                   test->directory);
    assert_int_equal(bind(dead, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(close(dead), 0);
    assert_int_equal(socket_count(test), 2);
    log_writer *writer = local_writer_of(store, "engine");
    assert_int_equal(local_put(writer, "orders", 0, "k", "a").code, BASE_OK);
    assert_int_equal(local_commit(writer), BASE_OK);
    assert_int_equal(socket_count(test), 1);
    log_writer_close(writer);
    log_reader_close(reader);
    assert_int_equal(socket_count(test), 0);
    log_close(store);
}

/* ---- groups after a restart of the machine ---- */

static void
test_log_local__after_a_reboot_dynamic_members_are_gone_and_static_ones_expected(void **state)
{
    local_test *test = *state;
    const base_slice orders = base_slice_of("orders");
    log_member_options options = {
        .group = base_slice_of("group"), .topics = &orders, .topic_count = 1};
    log_member *dynamic = NULL;
    log_member *fixed = NULL;
    log_store *store = local_open_with(test, "");
    local_topic(store, "orders", 2, LOG_CLEANUP_DELETE, -1, -1);
    assert_int_equal(log_member_open(store, &options, &dynamic, NULL).code, BASE_OK);
    options.identity = base_slice_of("engine-1");
    assert_int_equal(log_member_open(store, &options, &fixed, NULL).code, BASE_OK);
    sql_run(test,
            "UPDATE boot SET id = 'another'; UPDATE member SET deadline_ms = 9000000000000000");
    log_store *after = local_open_with(test, "");
    assert_int_equal(sql_integer(test, "SELECT count(*) FROM member"), 1);
    assert_int_equal(sql_integer(test, "SELECT count(*) FROM member WHERE identity = 'engine-1'"
                                       " AND deadline_ms < 9000000000000000"),
                     1);
    assert_int_equal(sql_integer(test, "SELECT count(DISTINCT target_id) FROM share"), 1);
    log_member_close(dynamic, true);
    log_member_close(fixed, true);
    log_close(after);
    log_close(store);
}

/* ---- housekeeping ---- */

static void put_aged(log_writer *writer, const char *topic, const char *key, const char *value,
                     int64_t age_ms)
{
    const schema_record record = {.topic = base_slice_of(topic),
                                  .time_ms = (int64_t)time(NULL) * 1000 - age_ms,
                                  .key = base_slice_of(key),
                                  .value = base_slice_of(value)};
    assert_int_equal(log_writer_append(writer, &record, NULL).code, BASE_OK);
}

static void housekeep_all(log_store *store)
{
    bool more = true;
    for (int i = 0; more && i < 100; i++) {
        assert_int_equal(log_housekeep(store, &more, NULL).code, BASE_OK);
    }
    assert_false(more);
}

static void
test_log_local__retention_cuts_by_age_and_size_and_positions_are_lost_with_it(void **state)
{
    local_test *test = *state;
    char text[128];
    log_store *store = local_open_with(test, "local.housekeep_ms=0");
    local_topic(store, "young", 1, LOG_CLEANUP_DELETE, 5000000, -1);
    local_topic(store, "small", 1, LOG_CLEANUP_DELETE, -1, 25);
    log_writer *writer = local_writer_of(store, "engine");
    for (int i = 0; i < 5; i++) {
        const char c = (char)('a' + i);
        const char value[10] = {c, c, c, c, c, c, c, c, c, '\0'};
        put_aged(writer, "young", "k", value, (int64_t)(6 - i) * 2000000);
        put_aged(writer, "small", "k", value, 0);
    }
    assert_int_equal(local_commit(writer), BASE_OK);
    log_reader *reader = local_reader_of(store, "small", 0); /* from the begin: wherever that is */
    log_reader *lost = local_reader_of(store, "small", 0);
    assert_int_equal(log_reader_assign(lost, base_slice_of("small"), 0, 1, NULL).code, BASE_OK);
    housekeep_all(store);
    assert_string_equal(local_seen(store, "young", text, sizeof(text)), "eeeeeeee");
    assert_string_equal(local_seen(store, "small", text, sizeof(text)), "dddddddd eeeeeeee");
    const schema_record *found = NULL;
    size_t count = 0;
    base_error_clear(&test->error);
    assert_int_equal(log_reader_poll(lost, 0, 10, &found, &count, &test->error).code,
                     BASE_POSITION_LOST);
    assert_non_null(strstr(test->error.text, "position 1 of partition 0 of topic \"small\""));
    assert_int_equal(log_reader_poll(reader, 0, 10, &found, &count, NULL).code, BASE_OK);
    assert_int_equal(count, 2);
    assert_int_equal(sql_integer(test, "SELECT size FROM partition WHERE id = 2"), 20);
    log_reader_close(reader);
    log_reader_close(lost);
    log_writer_close(writer);
    log_close(store);
}

static void test_log_local__a_large_backlog_is_cut_in_steps(void **state)
{
    local_test *test = *state;
    bool more = false;
    int64_t begin = 0;
    int64_t end = 0;
    log_store *store = local_open_with(test, "local.housekeep_ms=0");
    local_topic(store, "small", 1, LOG_CLEANUP_DELETE, -1, 0);
    log_writer *writer = local_writer_of(store, "engine");
    for (int i = 0; i < 2500; i++) {
        assert_int_equal(local_put(writer, "small", 0, "k", "v").code, BASE_OK);
    }
    assert_int_equal(local_commit(writer), BASE_OK);
    assert_int_equal(log_housekeep(store, &more, NULL).code, BASE_OK);
    assert_true(more);
    assert_int_equal(log_range(store, base_slice_of("small"), 0, &begin, &end, NULL).code, BASE_OK);
    assert_int_equal(begin, 1000);
    housekeep_all(store);
    assert_int_equal(log_range(store, base_slice_of("small"), 0, &begin, &end, NULL).code, BASE_OK);
    assert_int_equal(begin, 2500);
    assert_int_equal(end, 2500);
    assert_int_equal(sql_integer(test, "SELECT count(*) FROM record"), 0);
    log_writer_close(writer);
    log_close(store);
}

static void
test_log_local__compaction_keeps_the_newest_of_a_key_and_drops_old_tombstones(void **state)
{
    local_test *test = *state;
    char text[128];
    log_store *store = local_open_with(test, "local.housekeep_ms=0&local.tombstone_ms=60000");
    local_topic(store, "snapshots", 1, LOG_CLEANUP_COMPACT, -1, -1);
    log_writer *writer = local_writer_of(store, "engine");
    put_aged(writer, "snapshots", "a", "a1", 0);
    put_aged(writer, "snapshots", "b", "b1", 0);
    put_aged(writer, "snapshots", "a", "a2", 0);
    put_aged(writer, "snapshots", "c", "c1", 0);
    put_aged(writer, "snapshots", "b", NULL, 0);       /* young: readers may meet it still */
    put_aged(writer, "snapshots", "c", NULL, 1000000); /* old */
    assert_int_equal(local_commit(writer), BASE_OK);
    housekeep_all(store);
    assert_string_equal(local_seen(store, "snapshots", text, sizeof(text)), "a2 -");
    put_aged(writer, "snapshots", "c", "c2", 0);
    put_aged(writer, "snapshots", "a", "a3", 0);
    assert_int_equal(local_commit(writer), BASE_OK);
    housekeep_all(store);
    assert_string_equal(local_seen(store, "snapshots", text, sizeof(text)), "- c2 a3");
    assert_int_equal(sql_integer(test, "SELECT count(*) FROM latest"), 3);
    /* What stood last is gone: a reader gets to the end all the same. */
    put_aged(writer, "snapshots", "c", NULL, 1000000);
    assert_int_equal(local_commit(writer), BASE_OK);
    housekeep_all(store);
    assert_string_equal(local_seen(store, "snapshots", text, sizeof(text)), "- a3");
    log_reader *reader = local_reader_of(store, "snapshots", 0);
    const schema_record *found = NULL;
    size_t count = 0;
    int64_t position = 0;
    assert_int_equal(log_reader_poll(reader, 0, 10, &found, &count, NULL).code, BASE_OK);
    assert_int_equal(log_reader_position(reader, base_slice_of("snapshots"), 0, &position).code,
                     BASE_OK);
    assert_int_equal(position, 9);
    log_reader_close(reader);
    assert_int_equal(sql_integer(test, "SELECT size FROM partition"), 1 + 3);
    log_writer_close(writer);
    log_close(store);
}

static void test_log_local__housekeeping_happens_beside_commits(void **state)
{
    local_test *test = *state;
    int64_t begin = 0;
    int64_t end = 0;
    log_store *store = local_open_with(test, "local.housekeep_ms=1");
    local_topic(store, "small", 1, LOG_CLEANUP_DELETE, -1, 10);
    log_writer *writer = local_writer_of(store, "engine");
    for (int i = 0; i < 20; i++) {
        assert_int_equal(local_put(writer, "small", 0, "k", "123456789").code, BASE_OK);
        assert_int_equal(local_commit(writer), BASE_OK);
        pause_ms(3);
    }
    assert_int_equal(log_range(store, base_slice_of("small"), 0, &begin, &end, NULL).code, BASE_OK);
    assert_true(begin >= 15);
    log_writer_close(writer);
    log_close(store);
}

/* ---- times ---- */

static void test_log_local__the_offset_at_a_time_agrees_with_a_naive_search(void **state)
{
    local_test *test = *state;
    static int64_t times[3000];
    const unsigned seed = (unsigned)time(NULL);
    unsigned random = seed;
    print_message("seed %u\n", seed);
    log_store *store = local_open_with(test, "");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_writer *writer = local_writer_of(store, "engine");
    for (int64_t i = 0; i < 3000; i++) { /* mostly growing, with records that come late */
        times[i] = 1000000 + i * 10 + (int64_t)(rand_r(&random) % 500);
        const schema_record record = {.topic = base_slice_of("orders"), .time_ms = times[i]};
        assert_int_equal(log_writer_append(writer, &record, NULL).code, BASE_OK);
        if (rand_r(&random) % 100 == 0) {
            assert_int_equal(local_commit(writer), BASE_OK);
        }
    }
    assert_int_equal(local_commit(writer), BASE_OK);
    for (int i = 0; i < 500; i++) {
        const int64_t time_ms = 999000 + (int64_t)(rand_r(&random) % 33000);
        int64_t expected = 0;
        int64_t offset = -1;
        while (expected < 3000 && times[expected] < time_ms) {
            expected++;
        }
        assert_int_equal(
            log_offset_at(store, base_slice_of("orders"), 0, time_ms, &offset, NULL).code, BASE_OK);
        assert_int_equal(offset, expected);
    }
    assert_true(sql_integer(test, "SELECT count(*) FROM time_mark") >= 10);
    log_writer_close(writer);
    log_close(store);
}

/* ---- threads (for tsan) ---- */

#define THREADS 4
#define COMMITS 60

static void *write_many(void *context)
{
    log_store *store = context;
    log_writer *writer = local_writer_of(store, "");
    for (int i = 0; i < COMMITS; i++) {
        assert_int_equal(local_put(writer, "orders", 0, "k", "v").code, BASE_OK);
        assert_int_equal(local_commit(writer), BASE_OK);
    }
    log_writer_close(writer);
    return NULL;
}

static void test_log_local__many_threads_write_and_one_reads_all(void **state)
{
    local_test *test = *state;
    pthread_t threads[THREADS];
    size_t total = 0;
    int64_t last = -1;
    log_store *store = local_open_with(test, "local.housekeep_ms=1");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_reader *reader = local_reader_of(store, "orders", 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, store), 0);
    }
    while (total < (size_t)THREADS * COMMITS) {
        const schema_record *found = NULL;
        size_t count = 0;
        assert_int_equal(log_reader_poll(reader, 20000, 100, &found, &count, NULL).code, BASE_OK);
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(found[i].offset, last + 1);
            last = found[i].offset;
        }
        total += count;
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    log_reader_close(reader);
    log_close(store);
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_log_local__##name, local_setup, local_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(everything_is_there_after_closing_and_opening),
        CASE(the_directory_is_made_for_its_owner_alone),
        CASE(a_missing_parent_or_a_file_in_the_way_is_said),
        CASE(reading_alone_makes_nothing_and_reads_beside_a_writer),
        CASE(another_format_or_program_is_refused_by_name),
        CASE(one_engine_claims_it_and_the_next_is_told_who),
        CASE(a_file_that_stays_busy_is_busy_and_can_be_tried_again),
        CASE(the_bound_on_a_record_is_a_setting),
        CASE(the_file_is_readable_by_people),
        CASE(a_commit_wakes_readers_long_before_the_slow_poll),
        CASE(a_directory_with_a_long_name_wakes_too),
        CASE(sockets_of_the_dead_are_removed_by_the_next_commit),
        CASE(after_a_reboot_dynamic_members_are_gone_and_static_ones_expected),
        CASE(retention_cuts_by_age_and_size_and_positions_are_lost_with_it),
        CASE(a_large_backlog_is_cut_in_steps),
        CASE(compaction_keeps_the_newest_of_a_key_and_drops_old_tombstones),
        CASE(housekeeping_happens_beside_commits),
        CASE(the_offset_at_a_time_agrees_with_a_naive_search),
        CASE(many_threads_write_and_one_reads_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
