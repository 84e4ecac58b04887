/*
 * The loop of a service: one thread, one step after the other.
 *
 *   step: join (once) -> changes of membership -> commit what is left over -> partitions whose
 *         back-off is over -> poll the reader, when its last list is used up -> call handlers for
 *         up to batch_max records or BATCH_MS -> commit
 *
 * Order within a partition is never given up: a record whose handler failed is read again before
 * those behind it (its partition is rewound and paused), and what is handed out twice, after a
 * change of membership, is told by its offset.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"

#define BATCH_MS 50
#define STEP_MS 500 /* a step waits no longer: the group wants to hear of us */
#define JOIN_MS 100

/* ---- handling ---- */

static base_status dead_letter(troupe *handle, const schema_record *record, const char *reason,
                               const char *text, int32_t attempts, base_error *error)
{
    client_report(handle, 4, "%.*s/%d offset %lld goes to the dead letters (%s): %s",
                  BASE_SLICE_ARG(record->topic), (int)record->partition, (long long)record->offset,
                  reason, text);
    if (base_failed(client_batch_add_dead(handle, record, reason, text, attempts))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a dead letter");
    }
    client_partition *partition = client_partition_find(handle, record->topic, record->partition);
    if (partition != NULL) {
        partition->next = record->offset + 1;
    }
    return base_ok();
}

base_status client_record_failed(troupe *handle, const schema_record *record, bool no_use,
                                 const char *reason, const char *text, base_error *error)
{
    client_partition *partition = client_partition_find(handle, record->topic, record->partition);
    if (partition == NULL) {
        return base_ok();
    }
    if (partition->failed_offset != record->offset) {
        partition->failed_offset = record->offset;
        partition->attempts = 0;
    }
    partition->attempts++;
    if (no_use || partition->attempts >= handle->options.attempt_max) {
        return dead_letter(handle, record, reason, text, partition->attempts, error);
    }
    int64_t wait = handle->options.backoff_first_ms;
    for (int32_t i = 1; i < partition->attempts && wait < handle->options.backoff_cap_ms; i++) {
        wait *= 2;
    }
    wait = wait < handle->options.backoff_cap_ms ? wait : handle->options.backoff_cap_ms;
    client_report(handle, 6, "%.*s/%d offset %lld is tried again in %lld ms (%s): %s",
                  BASE_SLICE_ARG(record->topic), (int)record->partition, (long long)record->offset,
                  (long long)wait, reason, text);
    return client_partition_rewind(handle, partition, record->offset, wait, error);
}

static void tell_unhandled(troupe *handle, const schema_record *record)
{
    base_slice type = {NULL, 0};
    if (!base_slice_equal(record->topic, handle->asks_topic)) {
        return;
    }
    for (size_t i = 0; i < record->header_count; i++) {
        if (base_slice_is(record->headers[i].name, "ce_type")) {
            type = record->headers[i].value;
        }
    }
    for (size_t i = 0; i < handle->told_count; i++) {
        if (base_slice_equal(handle->told[i], type)) {
            return;
        }
    }
    const base_slice copy = base_arena_copy(&handle->memory, type);
    if (handle->told_count < sizeof(handle->told) / sizeof(handle->told[0]) && copy.data != NULL) {
        handle->told[handle->told_count++] = copy;
        client_report(handle, 4, "asks of type \"%.*s\" have no handler and are passed over",
                      BASE_SLICE_ARG(type));
    }
}

/* Calls the handler without the lock, so that the keeper can do its work. */
static troupe_verdict handler_call(troupe *handle, const client_interest *interest,
                                   const schema_record *record, troupe_context *context,
                                   const troupe_event *event, bool *gave_up_out)
{
    handle->watch = (client_watch){context, record, client_now_ms(), false};
    if (handle->keeper_sleeps) {
        (void)pthread_cond_signal(&handle->busy);
    }
    (void)pthread_mutex_unlock(&handle->lock);
    const troupe_verdict verdict = interest->handler(context, event, interest->user);
    (void)pthread_mutex_lock(&handle->lock);
    *gave_up_out = handle->watch.gave_up;
    handle->watch.context = NULL;
    return verdict;
}

static base_status record_call(troupe *handle, client_partition *partition,
                               const schema_record *record, const client_interest *interest,
                               troupe_context *context, troupe_event *event, base_error *error)
{
    bool gave_up = false;
    const base_slice topic = partition->topic;
    event->attempt = partition->failed_offset == record->offset ? partition->attempts + 1 : 1;
    const troupe_verdict verdict = handler_call(handle, interest, record, context, event, &gave_up);
    /* The keeper may have committed, and polled the member, but partitions change in the loop. */
    partition = client_partition_find(handle, topic, record->partition);
    if (gave_up) {
        partition->next = record->offset + 1;
        return base_ok();
    }
    if (verdict == TROUPE_RETRY || verdict == TROUPE_REJECT) {
        const bool reject = verdict == TROUPE_REJECT;
        const char *text =
            base_arena_print(&handle->event_arena, "the handler of \"%s\" %s (id %s)", event->name,
                             reject ? "rejected it" : "failed", event->id)
                .data;
        return client_record_failed(handle, record, reject, reject ? "rejected" : "handler_failed",
                                    text != NULL ? text : "", error);
    }
    if (base_failed(client_batch_add(&handle->batch, record, context->outputs,
                                     context->output_count, false))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the answers");
    }
    partition->next = record->offset + 1;
    return base_ok();
}

/* *called_out: a handler was called. */
static base_status record_handle(troupe *handle, const schema_record *record, bool *called_out,
                                 base_error *error)
{
    client_partition *partition = client_partition_find(handle, record->topic, record->partition);
    if (partition == NULL || partition->skipped == handle->cursor.number ||
        record->offset < partition->next) {
        return base_ok();
    }
    const client_interest *interest = NULL;
    troupe_event event = {0};
    troupe_context context = {.handle = handle, .arena = &handle->event_arena};
    base_error cause = {0};
    base_arena_reset(&handle->event_arena);
    atomic_init(&context.closed, false);
    const base_status status = client_event_read(handle, record, &handle->event_arena, &interest,
                                                 &event, &context, &cause);
    if (base_failed(status) && interest != NULL) {
        *called_out = true;
        return dead_letter(handle, record, "unreadable", cause.text, 1, error);
    }
    if (interest == NULL) {
        tell_unhandled(handle, record);
        if (base_failed(client_batch_add(&handle->batch, record, NULL, 0, false))) {
            return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a batch");
        }
        partition->next = record->offset + 1;
        return base_ok();
    }
    *called_out = true;
    return record_call(handle, partition, record, interest, &context, &event, error);
}

static base_status records_handle(troupe *handle, int32_t *called_out, base_error *error)
{
    const int64_t until_ms = client_now_ms() + BATCH_MS;
    client_cursor *cursor = &handle->cursor;
    int32_t called = 0;
    while (cursor->index < cursor->count && called < handle->options.batch_max &&
           !atomic_load(&handle->stopped)) {
        bool was_called = false;
        const schema_record *record = &cursor->records[cursor->index++];
        BASE_TRY(record_handle(handle, record, &was_called, error));
        called += was_called ? 1 : 0;
        if (was_called && client_now_ms() >= until_ms) {
            break;
        }
    }
    *called_out = called;
    return base_ok();
}

/* ---- the step ---- */

static void unreachable_tell(troupe *handle, const base_error *error)
{
    if (!handle->unreachable_told) {
        handle->unreachable_told = true;
        client_report(handle, 4, "the log does not answer, waiting for it: %s", error->text);
    }
}

static bool may_wait(base_status status)
{
    const base_class class = base_status_class(status);
    return class == BASE_CLASS_RETRY || class == BASE_CLASS_UNKNOWN || status.code == BASE_REVOKED;
}

static void nap(int64_t ms)
{
    const struct timespec time = {ms / 1000, (ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

static int32_t poll_time(const troupe *handle, int64_t now_ms, int64_t until_ms)
{
    int64_t wait = until_ms - now_ms < STEP_MS ? until_ms - now_ms : STEP_MS;
    for (size_t i = 0; i < handle->partition_count; i++) {
        const client_partition *partition = &handle->partitions[i];
        if (partition->blocked && partition->retry_at_ms - now_ms < wait) {
            wait = partition->retry_at_ms - now_ms;
        }
    }
    return client_cut(wait);
}

/* Where the log no longer has what we would read next, we go on with the first that is there. */
static base_status lost_skip(troupe *handle, const base_error *cause, base_error *error)
{
    log_reader *reader = atomic_load(&handle->reader);
    for (size_t i = 0; i < handle->partition_count; i++) {
        client_partition *partition = &handle->partitions[i];
        int64_t position = 0;
        int64_t begin = 0;
        int64_t end = 0;
        BASE_TRY(log_reader_position(reader, partition->topic, partition->partition, &position));
        BASE_TRY(
            log_range(handle->store, partition->topic, partition->partition, &begin, &end, error));
        if (position < begin || position > end) {
            client_report(handle, 3, "events were lost before they were handled: %s", cause->text);
            BASE_TRY(client_partition_rewind(handle, partition, begin, 0, error));
        }
    }
    return base_ok();
}

/* The next list of records, when the last one is used up. */
static base_status list_next(troupe *handle, int64_t until_ms, base_error *error)
{
    client_cursor *cursor = &handle->cursor;
    const int64_t now_ms = client_now_ms();
    if (cursor->index < cursor->count) {
        return base_ok();
    }
    const uint64_t number = cursor->number + 1;
    *cursor = (client_cursor){NULL, 0, 0, number};
    if (handle->partition_count == 0) {
        return base_ok();
    }
    base_error cause = {0};
    const base_status status = log_reader_poll(
        atomic_load(&handle->reader), poll_time(handle, now_ms, until_ms),
        (size_t)handle->options.batch_max, &cursor->records, &cursor->count, &cause);
    if (status.code == BASE_POSITION_LOST && handle->options.skip_lost) {
        return lost_skip(handle, &cause, error);
    }
    if (base_failed(status)) {
        *error = cause;
    }
    return status;
}

/* One step; *handled_out counts. */
static base_status step(troupe *handle, int64_t until_ms, int32_t *handled_out, base_error *error)
{
    *handled_out = 0;
    if (handle->member == NULL) {
        BASE_TRY(client_join(handle, error));
    }
    const bool alone = handle->partition_count == 0 && handle->change_count == 0;
    const int64_t left_ms = until_ms - client_now_ms();
    BASE_TRY(client_member_poll(
        handle, alone ? client_cut(left_ms < JOIN_MS ? left_ms : JOIN_MS) : 0, error));
    BASE_TRY(client_changes_apply(handle, error));
    if (handle->batch.count > 0) {
        if (handle->batch.retry_at_ms > client_now_ms()) {
            nap(client_cut(left_ms < 20 ? left_ms : 20));
            return base_ok();
        }
        BASE_TRY(client_batch_commit(handle, error));
    }
    BASE_TRY(client_partitions_unblock(handle, client_now_ms(), error));
    BASE_TRY(list_next(handle, until_ms, error));
    int32_t called = 0;
    BASE_TRY(records_handle(handle, &called, error));
    BASE_TRY(client_batch_commit(handle, error));
    if (handle->unreachable_told) {
        handle->unreachable_told = false;
        client_report(handle, 6, "the log answers again");
    }
    *handled_out = called;
    return base_ok();
}

troupe_code troupe_poll(troupe *handle, int32_t timeout_ms, int32_t *handled_out,
                        troupe_error *error)
{
    const int64_t until_ms = client_now_ms() + (timeout_ms > 0 ? timeout_ms : 0);
    troupe_code code = TROUPE_OK;
    int32_t handled = 0;
    (void)pthread_mutex_lock(&handle->lock);
    do {
        base_error cause = {0};
        const base_status status = step(handle, until_ms, &handled, &cause);
        if (base_failed(status) && may_wait(status)) {
            const int64_t left_ms = until_ms - client_now_ms();
            if (status.code != BASE_REVOKED) {
                unreachable_tell(handle, &cause);
                nap(client_cut(left_ms < JOIN_MS ? left_ms : JOIN_MS));
            }
        } else if (base_failed(status)) {
            code = client_fail(error, status, &cause);
        }
    } while (code == TROUPE_OK && handled == 0 && client_now_ms() < until_ms &&
             !atomic_load(&handle->stopped));
    (void)pthread_mutex_unlock(&handle->lock);
    if (code == TROUPE_OK && handled_out != NULL) {
        *handled_out = handled;
    }
    return code;
}

troupe_code troupe_run(troupe *handle, troupe_error *error)
{
    troupe_code code = TROUPE_OK;
    while (code == TROUPE_OK && !atomic_load(&handle->stopped)) {
        code = troupe_poll(handle, STEP_MS, NULL, error);
    }
    return code;
}

void troupe_stop(troupe *handle)
{
    if (handle == NULL) {
        return;
    }
    atomic_store(&handle->stopped, true);
    log_reader *reader = atomic_load(&handle->reader);
    if (reader != NULL) {
        log_reader_wake(reader);
    }
}

void client_run_close(troupe *handle)
{
    client_keeper_end(handle);
    if (handle->member != NULL) {
        base_error error = {0};
        if (base_failed(client_batch_commit(handle, &error))) {
            client_report(handle, 6, "the last events handled will be handled again: %s",
                          error.text);
        }
    }
    log_writer_close(handle->writer);
    log_member_close(handle->member, base_slice_empty(handle->identity));
    log_reader_close(atomic_load(&handle->reader));
    for (size_t i = 0; i < handle->change_count; i++) {
        free(handle->changes[i].partitions);
    }
    free(handle->partitions);
}
