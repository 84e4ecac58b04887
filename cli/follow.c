/* See follow.h. */
#include "cli/follow.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/story.h"
#include "schemas/journal.h"

#define POLL_MS 500
#define LAST_POLL_MS 50
#define RECORD_MAX 200
#define LABEL_WIDTH 12

typedef struct follow_partition {
    int64_t from; /* where to begin */
    uint64_t epoch;
} follow_partition;

struct cli_follow {
    log_store *store;
    log_reader *reader;
    engine_logger logger;
    engine_topics topics; /* names are the session's */
    engine_catalog catalog;
    follow_partition *partitions;
    int32_t partition_count; /* 0: the journal was not there when this was opened */
    cli_paint paint;
    bool json;
    base_arena record; /* one record */
    base_arena text;   /* one entry's text */
    pthread_t thread;
    bool running;
    atomic_bool stop;
};

/* ---- telling ---- */

static const saga_plan *plan_of(cli_follow *follow, const char *hash)
{
    const engine_plan *plan = engine_catalog_plan(&follow->catalog, hash);
    if (plan == NULL && !base_failed(engine_catalog_read(&follow->catalog, NULL))) {
        plan = engine_catalog_plan(&follow->catalog, hash);
    }
    return plan == NULL ? NULL : plan->plan;
}

static void tell_entry(cli_follow *follow, const saga_entry *entry)
{
    const saga_plan *plan = plan_of(follow, entry->plan_hash);
    base_arena_reset(&follow->text);
    if (follow->json) {
        cli_object object;
        cli_object_begin(&object, &follow->text);
        cli_member(&object, "saga", entry->saga);
        cli_member(&object, "key", entry->key);
        cli_story_object(entry, plan, false, true, &follow->text, &object);
        (void)cli_object_write(&object);
    } else {
        char time[CLI_TIME_SIZE];
        cli_clock_short(entry->at_ms, time);
        const cli_story story = {.paint = follow->paint,
                                 .time = base_slice_of(time),
                                 .label = entry->key,
                                 .label_width = LABEL_WIDTH};
        cli_story_write(&story, entry, plan, &follow->text);
    }
    (void)fflush(stdout);
}

/* What an outdated writer wrote behind a claim counts for nothing (docs/design.md, 4). */
static void tell_record(cli_follow *follow, const schema_record *record)
{
    schema_journal journal;
    if (record->partition >= follow->partition_count) {
        return;
    }
    follow_partition *partition = &follow->partitions[record->partition];
    base_arena_reset(&follow->record);
    if (base_failed(schema_journal_read(record->value, &follow->record, &journal, NULL)) ||
        journal.epoch < partition->epoch) {
        return;
    }
    if (journal.kind == SCHEMA_JOURNAL_CLAIM) {
        partition->epoch = journal.epoch;
    } else if (journal.kind == SCHEMA_JOURNAL_ENTRY) {
        tell_entry(follow, &journal.entry);
    }
}

/* One poll; how many records it gave. */
static size_t tell_some(cli_follow *follow, int32_t timeout_ms)
{
    const schema_record *records = NULL;
    size_t count = 0;
    base_error error;
    base_error_clear(&error);
    if (base_failed(
            log_reader_poll(follow->reader, timeout_ms, RECORD_MAX, &records, &count, &error))) {
        engine_log_failure(&follow->logger, ENGINE_LOG_WARN, "the story cannot be read at present",
                           base_status_of(error.code), &error);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        tell_record(follow, &records[i]);
    }
    return count;
}

static void *follow_main(void *context)
{
    cli_follow *follow = (cli_follow *)context;
    while (!atomic_load(&follow->stop)) {
        (void)tell_some(follow, POLL_MS);
    }
    while (tell_some(follow, LAST_POLL_MS) > 0) {
    }
    return NULL;
}

/* ---- life ---- */

static base_status find_ends(cli_follow *follow, base_error *error)
{
    int32_t count = 0;
    const base_status found =
        log_topic_partitions(follow->store, follow->topics.journal, &count, NULL);
    if (found.code == BASE_NOT_FOUND) {
        return base_ok(); /* it will be made, and all of it is news */
    }
    follow->partitions = (follow_partition *)calloc((size_t)count, sizeof(follow_partition));
    if (follow->partitions == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the story");
    }
    follow->partition_count = count;
    for (int32_t i = 0; i < count; i++) {
        int64_t begin = 0;
        BASE_TRY(log_range(follow->store, follow->topics.journal, i, &begin,
                           &follow->partitions[i].from, error));
    }
    return base_ok();
}

cli_exit cli_follow_open(const cli_session *session, bool json, cli_follow **follow_out)
{
    base_error error;
    base_error_clear(&error);
    cli_follow *follow = (cli_follow *)calloc(1, sizeof(*follow));
    if (follow == NULL) {
        return cli_failure(base_status_of(BASE_OUT_OF_MEMORY), &error);
    }
    follow->logger = session->logger;
    follow->topics = session->topics;
    follow->paint = cli_paint_of_stdout();
    follow->json = json;
    atomic_init(&follow->stop, false);
    base_arena_init(&follow->record, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_arena_init(&follow->text, BASE_ARENA_SIZE_DEFAULT_MAX * 4);
    base_status status = cli_session_open_again(session, &follow->store, &error);
    engine_catalog_init(&follow->catalog, follow->store, &follow->topics, &follow->logger);
    if (!base_failed(status)) {
        status = find_ends(follow, &error);
    }
    if (base_failed(status)) {
        cli_follow_close(follow);
        return cli_failure(status, &error);
    }
    *follow_out = follow;
    return CLI_OK;
}

static base_status assign(cli_follow *follow, base_error *error)
{
    if (follow->partition_count == 0) {
        int32_t count = 0;
        BASE_TRY(log_topic_partitions(follow->store, follow->topics.journal, &count, error));
        follow->partitions = (follow_partition *)calloc((size_t)count, sizeof(follow_partition));
        if (follow->partitions == NULL) {
            return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the story");
        }
        follow->partition_count = count;
        for (int32_t i = 0; i < count; i++) {
            follow->partitions[i].from = LOG_OFFSET_BEGIN;
        }
    }
    BASE_TRY(log_reader_open(follow->store, &follow->reader, error));
    for (int32_t i = 0; i < follow->partition_count; i++) {
        BASE_TRY(log_reader_assign(follow->reader, follow->topics.journal, i,
                                   follow->partitions[i].from, error));
    }
    return base_ok();
}

cli_exit cli_follow_start(cli_follow *follow)
{
    base_error error;
    base_error_clear(&error);
    const base_status status = assign(follow, &error);
    if (base_failed(status)) {
        return cli_failure(status, &error);
    }
    if (pthread_create(&follow->thread, NULL, follow_main, follow) != 0) {
        return cli_failure(base_error_set(&error, BASE_FATAL, "no thread for the story"), &error);
    }
    follow->running = true;
    return CLI_OK;
}

void cli_follow_close(cli_follow *follow)
{
    if (follow == NULL) {
        return;
    }
    if (follow->running) {
        atomic_store(&follow->stop, true);
        log_reader_wake(follow->reader);
        (void)pthread_join(follow->thread, NULL);
    }
    if (follow->reader != NULL) {
        log_reader_close(follow->reader);
    }
    engine_catalog_deinit(&follow->catalog);
    log_close(follow->store);
    base_arena_deinit(&follow->record);
    base_arena_deinit(&follow->text);
    free(follow->partitions);
    free(follow);
}
