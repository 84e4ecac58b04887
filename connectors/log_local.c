/* The local log: a directory, its topics, its one engine. The format is in log_local_schema.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "connectors/log_local_model.h"
#include "connectors/log_shared.h"

#define TOPICS_SIZE_MAX ((size_t)64 * 1024 * 1024)

local_store *local_store_of(log_store *store)
{
    BASE_ASSERT(store->backend == &log_local_backend);
    return (local_store *)store;
}

base_status local_exhausted(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the local log");
}

bool local_grow(void **items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity) {
        return true;
    }
    const size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = realloc(*items, wanted * item_size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *capacity = wanted;
    return true;
}

int64_t local_record_sum(int64_t id, int64_t time_ms, base_slice key, base_slice value,
                         base_slice headers)
{
    uint64_t sum = (uint64_t)id * 8 + (key.data == NULL ? 4 : 0) + (value.data == NULL ? 2 : 0) +
                   (headers.data == NULL ? 1 : 0);
    sum = base_hash64(key, sum);
    sum = base_hash64(value, sum);
    sum = base_hash64(headers, sum) ^ (uint64_t)time_ms;
    int64_t result;
    memcpy(&result, &sum, sizeof(result));
    return result;
}

/* ---- the topics that are known ---- */

void local_topics_init(local_topics *topics)
{
    *topics = (local_topics){0};
    base_arena_init(&topics->arena, TOPICS_SIZE_MAX);
}

void local_topics_deinit(local_topics *topics)
{
    base_arena_deinit(&topics->arena);
    free(topics->topics);
}

static local_topic *topics_look(local_topics *topics, base_slice name)
{
    if (topics->last < topics->count && base_slice_equal(topics->topics[topics->last].name, name)) {
        return &topics->topics[topics->last];
    }
    for (size_t i = 0; i < topics->count; i++) {
        if (base_slice_equal(topics->topics[i].name, name)) {
            topics->last = i;
            return &topics->topics[i];
        }
    }
    return NULL;
}

base_status local_topic_find(local_db *db, local_topics *topics, base_slice name,
                             local_topic **topic_out, base_error *error)
{
    local_topic *known = topics_look(topics, name);
    if (known != NULL) {
        *topic_out = known;
        return base_ok();
    }
    bool row = false;
    local_bind_text(db, LOCAL_TOPIC_FIND, 1, name);
    BASE_TRY(local_step(db, LOCAL_TOPIC_FIND, &row, error));
    if (!row) {
        return base_error_set(error, BASE_NOT_FOUND, "there is no topic \"%.*s\"",
                              BASE_SLICE_ARG(name));
    }
    const local_topic topic = {.name = base_arena_copy(&topics->arena, name),
                               .first_partition_id = local_column_integer(db, LOCAL_TOPIC_FIND, 0),
                               .partition_count =
                                   (int32_t)local_column_integer(db, LOCAL_TOPIC_FIND, 1),
                               .compact = local_column_integer(db, LOCAL_TOPIC_FIND, 2) != 0};
    local_reset(db, LOCAL_TOPIC_FIND);
    if (topic.name.data == NULL || !local_grow((void **)&topics->topics, topics->count,
                                               &topics->capacity, sizeof(local_topic))) {
        return local_exhausted(error);
    }
    topics->last = topics->count;
    topics->topics[topics->count++] = topic;
    *topic_out = &topics->topics[topics->last];
    return base_ok();
}

base_status local_partition_find(local_db *db, local_topics *topics, base_slice name,
                                 int32_t partition, int64_t *partition_id_out, base_error *error)
{
    local_topic *topic = NULL;
    BASE_TRY(local_topic_find(db, topics, name, &topic, error));
    if (partition >= topic->partition_count) {
        return base_error_set(error, BASE_NOT_FOUND,
                              "topic \"%.*s\" has no partition %d, it has %d", BASE_SLICE_ARG(name),
                              (int)partition, (int)topic->partition_count);
    }
    *partition_id_out = topic->first_partition_id + partition;
    return base_ok();
}

static base_status topic_create(local_db *db, const log_topic_options *options, base_error *error)
{
    bool row = false;
    int64_t last_id = 0;
    BASE_TRY(local_step(db, LOCAL_TOPIC_LAST_PARTITION, &row, error));
    if (row) {
        last_id = local_column_integer(db, LOCAL_TOPIC_LAST_PARTITION, 0);
        local_reset(db, LOCAL_TOPIC_LAST_PARTITION);
    }
    local_bind_text(db, LOCAL_TOPIC_INSERT, 1, options->name);
    local_bind_integer(db, LOCAL_TOPIC_INSERT, 2, options->partition_count);
    local_bind_integer(db, LOCAL_TOPIC_INSERT, 3, last_id + 1);
    local_bind_integer(db, LOCAL_TOPIC_INSERT, 4, options->cleanup == LOG_CLEANUP_COMPACT ? 1 : 0);
    local_bind_integer(db, LOCAL_TOPIC_INSERT, 5, options->retention_ms);
    local_bind_integer(db, LOCAL_TOPIC_INSERT, 6, options->retention_size);
    BASE_TRY(local_run(db, LOCAL_TOPIC_INSERT, error));
    const int64_t topic_id = local_last_id(db);
    for (int32_t i = 0; i < options->partition_count; i++) {
        local_bind_integer(db, LOCAL_PARTITION_INSERT, 1, last_id + 1 + i);
        local_bind_integer(db, LOCAL_PARTITION_INSERT, 2, topic_id);
        local_bind_integer(db, LOCAL_PARTITION_INSERT, 3, i);
        BASE_TRY(local_run(db, LOCAL_PARTITION_INSERT, error));
    }
    return base_ok();
}

/* In a write transaction. */
static base_status topics_create(local_store *store, const log_topic_options *topics, size_t count,
                                 base_error *error)
{
    bool created = false;
    for (size_t i = 0; i < count; i++) {
        bool row = false;
        local_bind_text(store->db, LOCAL_TOPIC_FIND, 1, topics[i].name);
        BASE_TRY(local_step(store->db, LOCAL_TOPIC_FIND, &row, error));
        local_reset(store->db, LOCAL_TOPIC_FIND);
        if (!row) {
            BASE_TRY(topic_create(store->db, &topics[i], error));
            created = true;
        }
    }
    if (!created) {
        return base_ok();
    }
    /* Not the store's cache: what it learned now would stay after a rollback. */
    local_topics fresh;
    local_topics_init(&fresh);
    const base_status status = local_groups_divide(store->db, &fresh, error);
    local_topics_deinit(&fresh);
    return status;
}

static bool topics_all_known(local_store *store, const log_topic_options *topics, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        local_topic *topic = NULL;
        if (base_failed(
                local_topic_find(store->db, &store->topics, topics[i].name, &topic, NULL))) {
            return false;
        }
    }
    return true;
}

static base_status local_topics_ensure(log_store *handle, const log_topic_options *topics,
                                       size_t count, int32_t timeout_ms, base_error *error)
{
    (void)timeout_ms; /* bounded by local.busy_timeout_ms */
    local_store *store = local_store_of(handle);
    base_status status = base_ok();
    (void)pthread_mutex_lock(&store->mutex);
    if (!topics_all_known(store, topics, count)) {
        status = local_db_begin_write(store->db, error);
        if (!base_failed(status)) {
            status = topics_create(store, topics, count, error);
        }
        if (!base_failed(status)) {
            status = local_db_commit(store->db, error);
        }
        local_db_end(store->db);
    }
    (void)pthread_mutex_unlock(&store->mutex);
    local_wake_all(&store->wake, LOCAL_WAKE_MEMBERS);
    return status;
}

static base_status local_topic_partitions(log_store *handle, base_slice topic, int32_t *count_out,
                                          base_error *error)
{
    local_store *store = local_store_of(handle);
    local_topic *found = NULL;
    (void)pthread_mutex_lock(&store->mutex);
    const base_status status = local_topic_find(store->db, &store->topics, topic, &found, error);
    if (!base_failed(status)) {
        *count_out = found->partition_count;
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return status;
}

/* Lists on a connection of its own, so that `each` may call the store. */
static base_status local_topics_list(log_store *handle,
                                     void (*each)(void *context, base_slice topic,
                                                  int32_t partitions),
                                     void *context, base_error *error)
{
    const local_store *store = local_store_of(handle);
    local_db *db = NULL;
    BASE_TRY(local_db_open(&store->db_options, &db, error));
    bool row = true;
    base_status status = base_ok();
    while (!base_failed(status) && row) {
        status = local_step(db, LOCAL_TOPIC_LIST, &row, error);
        if (!base_failed(status) && row) {
            each(context, local_column_bytes(db, LOCAL_TOPIC_LIST, 0),
                 (int32_t)local_column_integer(db, LOCAL_TOPIC_LIST, 1));
        }
    }
    local_db_close(db);
    return status;
}

static base_status partition_range(local_db *db, int64_t partition_id, int64_t *begin_out,
                                   int64_t *end_out, base_error *error)
{
    bool row = false;
    local_bind_integer(db, LOCAL_PARTITION_GET, 1, partition_id);
    BASE_TRY(local_step(db, LOCAL_PARTITION_GET, &row, error));
    if (!row) {
        return local_corrupt(db, error, "partition %lld is missing", (long long)partition_id);
    }
    *begin_out = local_column_integer(db, LOCAL_PARTITION_GET, 0);
    *end_out = local_column_integer(db, LOCAL_PARTITION_GET, 1);
    local_reset(db, LOCAL_PARTITION_GET);
    return base_ok();
}

static base_status local_range(log_store *handle, base_slice topic, int32_t partition,
                               int64_t *begin_out, int64_t *end_out, base_error *error)
{
    local_store *store = local_store_of(handle);
    int64_t partition_id = 0;
    (void)pthread_mutex_lock(&store->mutex);
    base_status status =
        local_partition_find(store->db, &store->topics, topic, partition, &partition_id, error);
    if (!base_failed(status)) {
        status = partition_range(store->db, partition_id, begin_out, end_out, error);
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return status;
}

base_status local_offset_at(local_db *db, int64_t partition_id, int64_t begin, int64_t end,
                            int64_t time_ms, int64_t *offset_out, base_error *error)
{
    bool row = false;
    int64_t from = begin;
    local_bind_integer(db, LOCAL_MARK_BEFORE, 1, partition_id);
    local_bind_integer(db, LOCAL_MARK_BEFORE, 2, time_ms);
    BASE_TRY(local_step(db, LOCAL_MARK_BEFORE, &row, error));
    if (row) { /* all records below the mark are older */
        const int64_t mark = local_column_integer(db, LOCAL_MARK_BEFORE, 0);
        local_reset(db, LOCAL_MARK_BEFORE);
        from = mark > begin ? mark : begin;
    }
    const int64_t base = partition_id << LOCAL_OFFSET_BITS;
    local_bind_integer(db, LOCAL_RECORD_AT_TIME, 1, base + from);
    local_bind_integer(db, LOCAL_RECORD_AT_TIME, 2, base + end);
    local_bind_integer(db, LOCAL_RECORD_AT_TIME, 3, time_ms);
    BASE_TRY(local_step(db, LOCAL_RECORD_AT_TIME, &row, error));
    *offset_out = end;
    if (row) {
        *offset_out = local_column_integer(db, LOCAL_RECORD_AT_TIME, 0) - base;
        local_reset(db, LOCAL_RECORD_AT_TIME);
    }
    return base_ok();
}

static base_status local_store_offset_at(log_store *handle, base_slice topic, int32_t partition,
                                         int64_t time_ms, int64_t *offset_out, base_error *error)
{
    local_store *store = local_store_of(handle);
    int64_t partition_id = 0;
    int64_t begin = 0;
    int64_t end = 0;
    (void)pthread_mutex_lock(&store->mutex);
    base_status status =
        local_partition_find(store->db, &store->topics, topic, partition, &partition_id, error);
    if (!base_failed(status)) {
        status = local_db_begin_read(store->db, error);
    }
    if (!base_failed(status)) {
        status = partition_range(store->db, partition_id, &begin, &end, error);
    }
    if (!base_failed(status)) {
        status = local_offset_at(store->db, partition_id, begin, end, time_ms, offset_out, error);
    }
    local_db_end(store->db);
    (void)pthread_mutex_unlock(&store->mutex);
    return status;
}

/* ---- one engine ---- */

static base_status claim_refused(const local_store *store, int descriptor, base_error *error)
{
    char holder[160] = "";
    const ssize_t size = pread(descriptor, holder, sizeof(holder) - 1, 0);
    holder[size > 0 ? size : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    const base_status status =
        base_error_set(error, BASE_BUSY, "log \"%s\" is in use by process %s", store->directory,
                       holder[0] != '\0' ? holder : "unknown");
    base_error_hint(error, "one engine runs on a directory; stop that one first");
    return status;
}

static base_status local_claim_exclusive(log_store *handle, base_slice purpose, base_error *error)
{
    local_store *store = local_store_of(handle);
    char path[sizeof(store->directory) + 16];
    if (store->claim >= 0) {
        return base_ok();
    }
    (void)snprintf(path, sizeof(path), "%s/engine.lock", store->directory);
    const int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return base_error_set(error, BASE_IO, "\"%s\" cannot be opened: %s", path, strerror(errno));
    }
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        const base_status status =
            errno == EWOULDBLOCK ? claim_refused(store, descriptor, error)
                                 : base_error_set(error, BASE_IO, "\"%s\" cannot be locked: %s",
                                                  path, strerror(errno));
        (void)close(descriptor);
        return status;
    }
    char text[160];
    const int size = snprintf(text, sizeof(text), "%ld (%.*s)\n", (long)getpid(),
                              (int)(purpose.size < 100 ? purpose.size : 100),
                              purpose.data != NULL ? purpose.data : "");
    /* The lock counts, not the text: on a full disk the next one is told less. */
    (void)!ftruncate(descriptor, 0);
    (void)!pwrite(descriptor, text, (size_t)size, 0);
    store->claim = descriptor;
    return base_ok();
}

/* ---- opening ---- */

/* Makes the directory, and its entry durable. Parents must be there. */
static base_status directory_make(base_slice location, const log_open_options *options,
                                  char *directory, size_t directory_size, base_error *error)
{
    char given[4096];
    if (location.size == 0 || location.size >= sizeof(given) ||
        memchr(location.data, '\0', location.size) != NULL) {
        const base_status status =
            base_error_set(error, BASE_BAD_INPUT, "\"local:%.*s\" names no directory",
                           (int)(location.size < 200 ? location.size : 200), location.data);
        base_error_hint(error, "write local:DIRECTORY, as local:./data");
        return status;
    }
    memcpy(given, location.data, location.size);
    given[location.size] = '\0';
    const bool made = !options->read_only && mkdir(given, 0700) == 0;
    char *resolved = realpath(given, NULL);
    struct stat entry;
    const bool usable = resolved != NULL && stat(resolved, &entry) == 0;
    base_status status = base_ok();
    if (!usable) {
        const bool missing = errno == ENOENT;
        status = base_error_set(error, missing ? BASE_NOT_FOUND : BASE_IO,
                                "directory \"%s\" cannot be %s: %s", given,
                                options->read_only ? "read" : "made", strerror(errno));
        if (missing) {
            base_error_hint(error, options->read_only ? "is it the right directory?"
                                                      : "make the directory above it first");
        }
    } else if (!S_ISDIR(entry.st_mode)) {
        status = base_error_set(error, BASE_BAD_INPUT, "\"%s\" is not a directory", given);
    } else if (strlen(resolved) + 16 >= directory_size) {
        status = base_error_set(error, BASE_BAD_INPUT, "the directory's name is too long");
    } else {
        (void)snprintf(directory, directory_size, "%s", resolved);
        char parent[4096];
        (void)snprintf(parent, sizeof(parent), "%s/..", resolved);
        const int descriptor = made ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (descriptor >= 0) {
            (void)fsync(descriptor);
            (void)close(descriptor);
        }
    }
    free(resolved);
    return status;
}

static base_status settings_read(local_store *store, const log_open_options *options,
                                 base_error *error)
{
    local_db_options *db = &store->db_options;
    int64_t record_size_max = 0;
    BASE_TRY(log_setting_integer(options, "local.record_size_max", LOG_RECORD_SIZE_DEFAULT, 1,
                                 (int64_t)256 * 1024 * 1024, &record_size_max, error));
    BASE_TRY(log_setting_integer(options, "local.busy_timeout_ms", 5000, 0, LOG_TIMEOUT_MS_MAX,
                                 &db->busy_timeout_ms, error));
    BASE_TRY(log_setting_integer(options, "local.size_max", 0, 0, INT64_MAX, &db->size_max, error));
    BASE_TRY(log_setting_integer(options, "local.checkpoint_pages", 2000, 1, 1000000,
                                 &db->checkpoint_pages, error));
    BASE_TRY(log_setting_integer(options, "local.poll_ms", 500, 1, LOG_TIMEOUT_MS_MAX,
                                 &store->poll_ms, error));
    BASE_TRY(log_setting_integer(options, "local.housekeep_ms", 1000, 0, LOG_TIMEOUT_MS_MAX,
                                 &store->housekeep_ms, error));
    BASE_TRY(log_setting_integer(options, "local.tombstone_ms", LOG_TOMBSTONE_MS_DEFAULT, 0,
                                 INT64_MAX / 4, &store->tombstone_ms, error));
    store->store.record_size_max = (size_t)record_size_max;
    return base_ok();
}

static void store_free(local_store *store)
{
    local_db_close(store->db);
    local_topics_deinit(&store->topics);
    local_wake_close(&store->wake);
    if (store->claim >= 0) {
        (void)close(store->claim);
    }
    (void)pthread_mutex_destroy(&store->mutex);
    free(store);
}

static base_status reboot_check(local_store *store, base_error *error)
{
    BASE_TRY(local_db_begin_write(store->db, error));
    base_status status = local_groups_reboot(store->db, error);
    if (!base_failed(status)) {
        status = local_db_commit(store->db, error);
    }
    local_db_end(store->db);
    return status;
}

static base_status local_open(base_slice location, const log_open_options *options,
                              int32_t timeout_ms, log_store **store_out, base_error *error)
{
    (void)timeout_ms; /* bounded by local.busy_timeout_ms */
    local_store *store = calloc(1, sizeof(*store));
    if (store == NULL || pthread_mutex_init(&store->mutex, NULL) != 0) {
        free(store);
        return local_exhausted(error);
    }
    log_store_init(&store->store, &log_local_backend, options);
    local_topics_init(&store->topics);
    store->claim = -1;
    store->wake.directory = -1;
    store->wake.sender = -1;
    base_status status = settings_read(store, options, error);
    if (!base_failed(status)) {
        status =
            directory_make(location, options, store->directory, sizeof(store->directory), error);
    }
    if (!base_failed(status)) {
        store->db_options.directory = store->directory;
        store->db_options.read_only = options->read_only;
        status = local_db_open(&store->db_options, &store->db, error);
    }
    if (!base_failed(status) && !options->read_only) {
        status = reboot_check(store, error);
    }
    if (base_failed(status)) {
        store_free(store);
        return status;
    }
    local_wake_open(&store->wake, store->directory, options->read_only);
    if (store->wake.directory < 0) {
        log_report(&store->store, 5,
                   "no sockets in %s/wake: others are noticed by polling every %lld ms",
                   store->directory, (long long)store->poll_ms);
    }
    *store_out = &store->store;
    return base_ok();
}

static void local_close(log_store *handle)
{
    store_free(local_store_of(handle));
}

static const base_slice setting_names[] = {
    BASE_SLICE_LITERAL("local.record_size_max"), BASE_SLICE_LITERAL("local.busy_timeout_ms"),
    BASE_SLICE_LITERAL("local.size_max"),        BASE_SLICE_LITERAL("local.checkpoint_pages"),
    BASE_SLICE_LITERAL("local.poll_ms"),         BASE_SLICE_LITERAL("local.housekeep_ms"),
    BASE_SLICE_LITERAL("local.tombstone_ms"),
};

const log_backend log_local_backend = {
    .scheme = "local",
    .location_has_authority = false,
    .setting_names = setting_names,
    .setting_name_count = sizeof(setting_names) / sizeof(setting_names[0]),
    .open = local_open,
    .close = local_close,
    .topics_ensure = local_topics_ensure,
    .topic_partitions = local_topic_partitions,
    .topics_list = local_topics_list,
    .range = local_range,
    .offset_at = local_store_offset_at,
    .claim_exclusive = local_claim_exclusive,
    .housekeep = local_housekeep,
    .member_open = local_member_open,
    .member_close = local_member_close,
    .member_poll = local_member_poll,
    .member_release = local_member_release,
    .member_position = local_member_position,
    .reader_open = local_reader_open,
    .reader_close = local_reader_close,
    .reader_assign = local_reader_assign,
    .reader_unassign = local_reader_unassign,
    .reader_pause = local_reader_pause,
    .reader_poll = local_reader_poll,
    .reader_position = local_reader_position,
    .reader_wake = local_reader_wake,
    .writer_open = local_writer_open,
    .writer_close = local_writer_close,
    .writer_append = local_writer_append,
    .writer_commit = local_writer_commit,
    .writer_abort = local_writer_abort,
};
