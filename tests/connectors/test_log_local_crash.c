/*
 * The local log when things go wrong: several processes, kill -9, a full disk, a damaged file.
 *
 * The disk is full in three ways here: the log's own bound (local.size_max), the process's bound on
 * a file (RLIMIT_FSIZE), and, where the test may mount one, a file system of two megabytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/connectors/local.h"

#define BATCH 7

static void pause_us(long us)
{
    const struct timespec pause = {us / 1000000, us % 1000000 * 1000};
    (void)nanosleep(&pause, NULL);
}

/* ---- several processes ---- */

/* In the child: commits of BATCH records to each of two topics, with the position; tells each
 * commit through the pipe. */
static void child_write(const char *url, int told, int64_t first)
{
    const base_slice topics[2] = {base_slice_of("orders"), base_slice_of("events")};
    const log_member_options member_options = {.group = base_slice_of("group"),
                                               .topics = topics,
                                               .topic_count = 1,
                                               .identity = base_slice_of("engine")};
    const log_writer_options writer_options = {.identity = base_slice_of("engine")};
    log_store *store = NULL;
    log_member *member = NULL;
    log_writer *writer = NULL;
    log_member_event event = {LOG_MEMBER_NOTHING, NULL, 0};
    base_status status = log_open(base_slice_of(url), NULL, 1000, &store, NULL);
    status = base_failed(status) ? status : log_member_open(store, &member_options, &member, NULL);
    status = base_failed(status) ? status : log_writer_open(store, &writer_options, &writer, NULL);
    while (!base_failed(status) && event.kind != LOG_MEMBER_ASSIGNED) {
        status = log_member_poll(member, 1000, &event, NULL);
    }
    for (int64_t commit = first; !base_failed(status); commit++) {
        for (int64_t i = 0; i < (int64_t)BATCH * 2 && !base_failed(status); i++) {
            char value[32];
            const long long number = commit * BATCH + i / 2;
            (void)snprintf(value, sizeof(value), "%lld", number);
            const schema_record record = {
                .topic = topics[i % 2], .key = base_slice_of("k"), .value = base_slice_of(value)};
            status = log_writer_append(writer, &record, NULL);
        }
        const log_position position = {topics[0], 0, (commit + 1) * BATCH};
        if (!base_failed(status)) {
            status = log_writer_commit(writer, member, &position, 1, NULL, NULL, NULL);
        }
        if (!base_failed(status) &&
            write(told, &commit, sizeof(commit)) != (ssize_t)sizeof(commit)) {
            break;
        }
    }
    _exit(base_failed(status) ? 10 + (int)status.code : 0);
}

static pid_t child_start(const local_test *test, int64_t first, int *told_out)
{
    int ends[2];
    char url[256];
    (void)snprintf(url, sizeof(url), "local:%s", test->directory);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        child_write(url, ends[1], first);
    }
    (void)close(ends[1]);
    *told_out = ends[0];
    return child;
}

/* The last commit that the child told of, -1 if there is none. Closes the pipe. */
static int64_t told_last(int told)
{
    int64_t last = -1;
    int64_t commit = 0;
    while (read(told, &commit, sizeof(commit)) == (ssize_t)sizeof(commit)) {
        last = commit;
    }
    (void)close(told);
    return last;
}

/* Both topics hold the numbers from 0 on, without a hole, whole batches, as many as the position
 * says. */
static int64_t check_whole(log_store *store)
{
    const char *const topics[] = {"orders", "events"};
    const base_slice orders = base_slice_of("orders");
    int64_t counts[2] = {0, 0};
    int64_t position = 0;
    for (size_t i = 0; i < 2; i++) {
        log_reader *reader = local_reader_of(store, topics[i], 0);
        size_t count = 1;
        while (count > 0) {
            const schema_record *found = NULL;
            assert_int_equal(log_reader_poll(reader, 0, 1000, &found, &count, NULL).code, BASE_OK);
            for (size_t k = 0; k < count; k++) {
                char value[32];
                (void)snprintf(value, sizeof(value), "%lld", (long long)counts[i]);
                assert_true(base_slice_is(found[k].value, value));
                assert_int_equal(found[k].offset, counts[i]);
                counts[i]++;
            }
        }
        log_reader_close(reader);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_int_equal(counts[0] % BATCH, 0);
    const log_member_options options = {
        .group = base_slice_of("group"), .topics = &orders, .topic_count = 1};
    log_member *member = NULL;
    assert_int_equal(log_member_open(store, &options, &member, NULL).code, BASE_OK);
    const base_status status = log_member_position(member, orders, 0, &position, NULL);
    assert_int_equal(base_failed(status) ? 0 : position, counts[0]);
    log_member_close(member, true);
    return counts[0] / BATCH;
}

static void topics_make(local_test *test)
{
    log_store *store = local_open_with(test, "");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    local_topic(store, "events", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_close(store);
}

static void test_log_local_crash__one_process_reads_what_another_writes(void **state)
{
    local_test *test = *state;
    int told = -1;
    int end = 0;
    size_t total = 0;
    topics_make(test);
    const pid_t child = child_start(test, 0, &told);
    log_store *store = local_open_with(test, "local.poll_ms=60000");
    log_reader *reader = local_reader_of(store, "orders", 0);
    while (total < (size_t)100 * BATCH) {
        const schema_record *found = NULL;
        size_t count = 0;
        assert_int_equal(log_reader_poll(reader, 20000, 1000, &found, &count, NULL).code, BASE_OK);
        assert_true(count > 0 && count % BATCH == 0); /* whole commits only */
        total += count;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &end, 0), child);
    (void)told_last(told);
    log_reader_close(reader);
    (void)check_whole(store);
    log_close(store);
}

static void test_log_local_crash__kill_9_leaves_whole_commits_and_all_that_were_told(void **state)
{
    local_test *test = *state;
    const unsigned seed = (unsigned)time(NULL);
    unsigned random = seed;
    int64_t commits = 0;
    print_message("seed %u\n", seed);
    topics_make(test);
    for (int round = 0; round < 15; round++) {
        int told = -1;
        int end = 0;
        const pid_t child = child_start(test, commits, &told);
        pause_us(20000 + rand_r(&random) % 60000);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &end, 0), child);
        assert_true(WIFSIGNALED(end)); /* not by a failed call */
        const int64_t last = told_last(told);
        log_store *store = local_open_with(test, "");
        const int64_t whole = check_whole(store);
        log_close(store);
        assert_true(whole >= last + 1);
        assert_true(whole >= commits && whole <= (last >= 0 ? last + 2 : commits + 1));
        commits = whole;
    }
    assert_true(commits > 15);
}

static void test_log_local_crash__a_writer_of_another_process_fences_ours(void **state)
{
    local_test *test = *state;
    int told = -1;
    int end = 0;
    int64_t commit = 0;
    topics_make(test);
    log_store *store = local_open_with(test, "");
    log_writer *zombie = local_writer_of(store, "engine");
    assert_int_equal(local_put(zombie, "orders", 0, "k", "zombie").code, BASE_OK);
    const pid_t child = child_start(test, 0, &told);
    assert_int_equal(read(told, &commit, sizeof(commit)), (ssize_t)sizeof(commit));
    assert_int_equal(local_commit(zombie), BASE_FENCED);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &end, 0), child);
    (void)told_last(told);
    (void)check_whole(store);
    log_writer_close(zombie);
    log_close(store);
}

static void test_log_local_crash__a_claim_ends_with_its_process(void **state)
{
    local_test *test = *state;
    int ends[2];
    int end = 0;
    char byte = 0;
    char text[64];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        log_store *store = NULL;
        base_status status = local_try(test, "", false, &store);
        status = base_failed(status) ? status
                                     : log_claim_exclusive(store, base_slice_of("the child"), NULL);
        (void)!write(ends[1], base_failed(status) ? "n" : "y", 1);
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    log_store *store = local_open_with(test, "");
    base_error_clear(&test->error);
    assert_int_equal(log_claim_exclusive(store, base_slice_of("we"), &test->error).code, BASE_BUSY);
    (void)snprintf(text, sizeof(text), "process %ld (the child)", (long)child);
    assert_non_null(strstr(test->error.text, text));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &end, 0), child);
    assert_int_equal(log_claim_exclusive(store, base_slice_of("we"), NULL).code, BASE_OK);
    log_close(store);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* ---- a full disk ---- */

/* Commits until the disk is full; every commit is whole or nothing, and reading goes on. Returns
 * the commits made, or -1 where something else came to pass (no cmocka in here: it also runs in a
 * child). */
static int fill(log_store *store, log_writer *writer)
{
    static char value[2000];
    memset(value, 'x', sizeof(value) - 1);
    for (int commits = 0; commits < 1000; commits++) {
        base_status status = base_ok();
        base_error error;
        base_error_clear(&error);
        for (int i = 0; !base_failed(status) && i < 10; i++) {
            status = local_put(writer, "orders", 0, "k", value);
        }
        if (!base_failed(status)) {
            status = log_writer_commit(writer, NULL, NULL, 0, NULL, NULL, &error);
        }
        if (base_failed(status)) {
            int64_t begin = 0;
            int64_t end = 0;
            const bool told = status.code == BASE_DISK_FULL &&
                              strstr(error.text, "disk is full") != NULL &&
                              strstr(error.path, "log.db") != NULL;
            status = log_range(store, base_slice_of("orders"), 0, &begin, &end, NULL);
            if (!told || base_failed(status) || end != (int64_t)commits * 10) {
                (void)fprintf(stderr, "%s: %s\n", base_status_name(base_status_of(error.code)),
                              error.text);
                return -1;
            }
            return commits;
        }
    }
    return 1000;
}

static void
test_log_local_crash__a_full_log_says_so_writes_nothing_and_goes_on_with_room(void **state)
{
    local_test *test = *state;
    log_store *store = local_open_with(test, "local.size_max=1000000&local.housekeep_ms=0");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, 100000);
    log_writer *writer = local_writer_of(store, "engine");
    assert_in_range(fill(store, writer), 10, 100);
    assert_int_equal(local_put(writer, "orders", 0, "k", "again").code, BASE_OK);
    bool more = true;
    while (more) { /* retention makes room */
        assert_int_equal(log_housekeep(store, &more, NULL).code, BASE_OK);
    }
    assert_int_equal(local_commit(writer), BASE_OK);
    log_writer_close(writer);
    log_close(store);
}

static void test_log_local_crash__a_bound_on_files_is_a_full_disk_too(void **state)
{
    local_test *test = *state;
    int end = 0;
    log_store *store = local_open_with(test, "");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_close(store);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit limit = {600000, 600000};
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        const log_writer_options options = {.identity = base_slice_of("engine")};
        log_writer *writer = NULL;
        if (base_failed(local_try(test, "", false, &store)) ||
            base_failed(log_writer_open(store, &options, &writer, NULL))) {
            _exit(2);
        }
        const int commits = fill(store, writer);
        log_writer_close(writer);
        log_close(store);
        _exit(commits > 5 && commits < 1000 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &end, 0), child);
    assert_true(WIFEXITED(end) && WEXITSTATUS(end) == 0);
    store = local_open_with(test, ""); /* and with room it goes on */
    log_writer *writer = local_writer_of(store, "engine");
    assert_int_equal(local_put(writer, "orders", 0, "k", "again").code, BASE_OK);
    assert_int_equal(local_commit(writer), BASE_OK);
    log_writer_close(writer);
    log_close(store);
}

static void test_log_local_crash__a_full_file_system_loses_nothing(void **state)
{
    local_test *test = *state;
    if (mount("tmpfs", test->directory, "tmpfs", 0, "size=2m") != 0) {
        print_message("skipped: no file system can be mounted here: %s\n", strerror(errno));
        skip();
    }
    log_store *store = local_open_with(test, "");
    local_topic(store, "orders", 1, LOG_CLEANUP_DELETE, -1, -1);
    log_writer *writer = local_writer_of(store, "engine");
    const int commits = fill(store, writer);
    log_writer_close(writer);
    log_close(store);
    /* With not a byte left outside the log: small things may fit still, a large one does not. */
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/filler", test->directory);
    const int filler = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (write(filler, path, 1) == 1) {
    }
    (void)close(filler);
    store = local_open_with(test, "");
    writer = local_writer_of(store, "engine");
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(local_put(writer, "orders", 0, path, path).code, BASE_OK);
    }
    assert_int_equal(local_commit(writer), BASE_DISK_FULL);
    log_writer_close(writer);
    log_close(store);
    char larger[] = "size=8m";
    assert_int_equal(mount("tmpfs", test->directory, "tmpfs", MS_REMOUNT, larger), 0);
    store = local_open_with(test, "");
    writer = local_writer_of(store, "engine");
    assert_int_equal(local_put(writer, "orders", 0, "k", "again").code, BASE_OK);
    assert_int_equal(local_commit(writer), BASE_OK);
    int64_t begin = 0;
    int64_t last = 0;
    assert_int_equal(log_range(store, base_slice_of("orders"), 0, &begin, &last, NULL).code,
                     BASE_OK);
    log_writer_close(writer);
    log_close(store);
    assert_int_equal(umount2(test->directory, MNT_DETACH), 0);
    assert_true(commits > 5 && commits < 1000);
    assert_int_equal(last, commits * 10 + 1);
}

/* ---- a damaged file ---- */

static void file_write(const char *path, int64_t offset, const void *bytes, size_t size)
{
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, bytes, size, (off_t)offset), (ssize_t)size);
    (void)close(file);
}

static void assert_corrupt(const local_test *test, base_status status)
{
    assert_int_equal(status.code, BASE_CORRUPT);
    assert_non_null(strstr(test->error.path, "log.db"));
    assert_non_null(strstr(test->error.text, "damaged"));
    assert_non_null(strstr(test->error.hint, "backup"));
}

static void test_log_local_crash__a_file_that_is_no_database_is_corrupt(void **state)
{
    local_test *test = *state;
    char garbage[4096];
    log_store *store = NULL;
    memset(garbage, 'g', sizeof(garbage));
    file_write(test->database, 0, garbage, sizeof(garbage));
    assert_corrupt(test, local_try(test, "", false, &store));
    assert_corrupt(test, local_try(test, "", true, &store));
}

static void orders_fill(local_test *test)
{
    log_store *store = local_open_with(test, "");
    local_topic(store, "orders", 2, LOG_CLEANUP_DELETE, -1, -1);
    log_writer *writer = local_writer_of(store, "engine");
    for (int i = 0; i < 400; i++) {
        char value[400];
        (void)snprintf(value, sizeof(value), "value %0300d", i);
        assert_int_equal(local_put(writer, "orders", i % 2, "k", value).code, BASE_OK);
    }
    assert_int_equal(local_commit(writer), BASE_OK);
    log_writer_close(writer);
    log_close(store);
}

static void test_log_local_crash__a_file_cut_short_is_corrupt(void **state)
{
    local_test *test = *state;
    struct stat entry;
    orders_fill(test);
    assert_int_equal(stat(test->database, &entry), 0);
    assert_int_equal(truncate(test->database, entry.st_size / 2), 0);
    log_store *store = NULL;
    base_status status = local_try(test, "", false, &store);
    if (!base_failed(status)) { /* it opens: then reading finds it */
        log_reader *reader = local_reader_of(store, "orders", 0);
        const schema_record *found = NULL;
        size_t count = 1;
        while (!base_failed(status) && count > 0) {
            base_error_clear(&test->error);
            status = log_reader_poll(reader, 0, 1000, &found, &count, &test->error);
        }
        log_reader_close(reader);
        log_close(store);
    }
    assert_corrupt(test, status);
}

/* The place of a value in the file. */
static int64_t value_find(const local_test *test, const char *value)
{
    struct stat entry;
    assert_int_equal(stat(test->database, &entry), 0);
    char *bytes = malloc((size_t)entry.st_size);
    const int file = open(test->database, O_RDONLY | O_CLOEXEC);
    assert_non_null(bytes);
    assert_int_equal(read(file, bytes, (size_t)entry.st_size), entry.st_size);
    const char *place = memmem(bytes, (size_t)entry.st_size, value, strlen(value));
    assert_non_null(place);
    const int64_t offset = place - bytes;
    free(bytes);
    (void)close(file);
    return offset;
}

static void
test_log_local_crash__a_flipped_bit_is_found_and_the_other_partitions_go_on(void **state)
{
    local_test *test = *state;
    char value[400];
    size_t total[2] = {0, 0};
    int failures = 0;
    size_t count = 1;
    orders_fill(test);
    (void)snprintf(value, sizeof(value), "value %0300d", 200); /* partition 0, offset 100 */
    file_write(test->database, value_find(test, value) + 50, "1", 1);
    log_store *store = local_open_with(test, "");
    log_reader *reader = local_reader_of(store, "orders", 0);
    assert_int_equal(log_reader_assign(reader, base_slice_of("orders"), 1, 0, NULL).code, BASE_OK);
    for (int i = 0; i < 50; i++) {
        const schema_record *found = NULL;
        base_error_clear(&test->error);
        const base_status status = log_reader_poll(reader, 0, 30, &found, &count, &test->error);
        if (base_failed(status)) {
            assert_corrupt(test, status);
            assert_non_null(
                strstr(test->error.text, "offset 100 of partition 0 of topic \"orders\""));
            failures++;
            count = 0;
        }
        for (size_t k = 0; k < count; k++) {
            total[found[k].partition]++;
        }
    }
    assert_int_equal(failures, 1);
    assert_int_equal(total[0], 100); /* up to the damage */
    assert_int_equal(total[1], 200); /* all of the other */
    int64_t position = 0;
    assert_int_equal(log_reader_position(reader, base_slice_of("orders"), 0, &position).code,
                     BASE_OK);
    assert_int_equal(position, 100);
    log_reader_close(reader);
    log_close(store);
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_log_local_crash__##name, local_setup, local_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_process_reads_what_another_writes),
        CASE(kill_9_leaves_whole_commits_and_all_that_were_told),
        CASE(a_writer_of_another_process_fences_ours),
        CASE(a_claim_ends_with_its_process),
        CASE(a_full_log_says_so_writes_nothing_and_goes_on_with_room),
        CASE(a_bound_on_files_is_a_full_disk_too),
        CASE(a_full_file_system_loses_nothing),
        CASE(a_file_that_is_no_database_is_corrupt),
        CASE(a_file_cut_short_is_corrupt),
        CASE(a_flipped_bit_is_found_and_the_other_partitions_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
