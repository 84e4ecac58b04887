/*
 * The keeper: a thread that minds what the loop cannot while a handler is at work.
 *
 *   handler takes > 500 ms      polls the member, so that the group knows that we live; what the
 *                               group says waits in `changes` until the handler has returned
 *   ... > handler_timeout_ms    the record goes to the dead letters, its position is passed, in one
 *                               transaction with what was handled before it; then `hang` or
 * abort(): a thread that hangs cannot be got back, its partition can
 *
 * It sleeps while no handler is at work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/client.h"

#define LOOK_MS 200
#define MEMBER_POLL_MS 500

static base_status change_keep(troupe *handle, const log_member_event *event)
{
    client_change *change = &handle->changes[handle->change_count];
    size_t size = 0;
    for (size_t i = 0; i < event->partition_count; i++) {
        size += event->partitions[i].topic.size;
    }
    char *block = malloc(event->partition_count * sizeof(log_partition) + size + 1);
    if (block == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    *change = (client_change){event->kind, (log_partition *)(void *)block, event->partition_count};
    char *at = block + event->partition_count * sizeof(log_partition);
    for (size_t i = 0; i < event->partition_count; i++) {
        const base_slice topic = event->partitions[i].topic;
        memcpy(at, topic.data, topic.size);
        change->partitions[i] =
            (log_partition){base_slice_make(at, topic.size), event->partitions[i].partition};
        at += topic.size;
    }
    handle->change_count++;
    return base_ok();
}

base_status client_member_poll(troupe *handle, int32_t timeout_ms, base_error *error)
{
    if (handle->change_count == CLIENT_CHANGE_MAX) {
        return base_ok();
    }
    log_member_event event = {LOG_MEMBER_NOTHING, NULL, 0};
    BASE_TRY(log_member_poll(handle->member, timeout_ms, &event, error));
    handle->member_polled_ms = client_now_ms();
    if (event.kind != LOG_MEMBER_NOTHING && base_failed(change_keep(handle, &event))) {
        handle->change_lost = true;
    }
    return handle->change_lost
               ? base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a change of membership")
               : base_ok();
}

static void wait_ms(troupe *handle, int64_t ms)
{
    struct timespec until = {0, 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (ms % 1000) * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&handle->busy, &handle->lock, &until);
}

/* The record of the hanging handler is settled without it. */
static void give_up(troupe *handle)
{
    const schema_record *record = handle->watch.record;
    char text[512];
    base_error error = {0};
    atomic_store(&handle->watch.context->closed, true);
    handle->watch.gave_up = true;
    (void)snprintf(text, sizeof(text),
                   "a handler hangs since %lld ms at %.*s/%d offset %lld, its event goes to the "
                   "dead letters",
                   (long long)(client_now_ms() - handle->watch.started_ms),
                   BASE_SLICE_ARG(record->topic), (int)record->partition,
                   (long long)record->offset);
    client_report(handle, 3, "%s", text);
    base_status status = client_batch_add_dead(handle, record, "handler_hangs", text, 1);
    while (!base_failed(status)) {
        status = client_batch_commit(handle, &error);
        const base_class class = base_status_class(status);
        if (class != BASE_CLASS_RETRY && class != BASE_CLASS_UNKNOWN) {
            break;
        }
        wait_ms(handle, LOOK_MS);
        if (handle->watch.context == NULL || !handle->watch.gave_up || handle->keeper_ends) {
            return; /* it came back after all; the loop commits */
        }
        status = base_ok();
    }
    if (base_failed(status)) {
        client_report(handle, 3, "the event of a hanging handler could not be given up: %s",
                      error.text);
    }
    if (handle->options.hang == NULL) {
        abort();
    }
    (void)pthread_mutex_unlock(&handle->lock);
    handle->options.hang(handle->options.report_user, text);
    (void)pthread_mutex_lock(&handle->lock);
}

static void look(troupe *handle)
{
    const int64_t now = client_now_ms();
    if (now - handle->member_polled_ms >= MEMBER_POLL_MS) {
        /* What it says when it fails, it says to the loop again. */
        (void)base_failed(client_member_poll(handle, 0, NULL));
    }
    if (handle->options.handler_timeout_ms > 0 && !handle->watch.gave_up &&
        now - handle->watch.started_ms >= handle->options.handler_timeout_ms) {
        give_up(handle);
    }
}

static void *keep(void *user)
{
    troupe *handle = user;
    (void)pthread_mutex_lock(&handle->lock);
    while (!handle->keeper_ends) {
        if (handle->watch.context == NULL) {
            handle->keeper_sleeps = true;
            (void)pthread_cond_wait(&handle->busy, &handle->lock);
            handle->keeper_sleeps = false;
            continue;
        }
        wait_ms(handle, LOOK_MS);
        if (handle->watch.context != NULL && !handle->keeper_ends) {
            look(handle);
        }
    }
    (void)pthread_mutex_unlock(&handle->lock);
    return NULL;
}

base_status client_keeper_start(troupe *handle, base_error *error)
{
    if (handle->keeper_started) {
        return base_ok();
    }
    if (pthread_create(&handle->keeper, NULL, keep, handle) != 0) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no thread can be started");
    }
    handle->keeper_started = true;
    return base_ok();
}

void client_keeper_end(troupe *handle)
{
    if (!handle->keeper_started) {
        return;
    }
    (void)pthread_mutex_lock(&handle->lock);
    handle->keeper_ends = true;
    (void)pthread_cond_signal(&handle->busy);
    (void)pthread_mutex_unlock(&handle->lock);
    (void)pthread_join(handle->keeper, NULL);
    handle->keeper_started = false;
}
