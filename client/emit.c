/*
 * troupe_emit: a queue in memory and one thread that sends what is in it, in order, many at once.
 *
 *   emit, emit_async --> [ . . . . ] --> sender: append, append, ... commit --> done, one by one
 *
 * A commit that failed is made again, with the same records (and so the same event ids), until each
 * record's time is up. Without transactions a record may therefore stand twice on the log; whoever
 * reads tells repeats by source and id (rule 10).
 */
#include <stdlib.h>
#include <time.h>

#include "client/client.h"

#define SEND_MAX 1000 /* records of one commit */
#define RETRY_MS 100
#define CLOSE_MS 5000

struct client_outgoing {
    client_outgoing *next;
    schema_record record; /* in the block behind this struct */
    int64_t deadline_ms;
    bool maybe_written;
    bool ensured; /* its topic was looked for */
    bool decided;
    bool waited_for; /* troupe_emit frees it; else whoever decides it */
    troupe_code code;
    troupe_error error;
    troupe_delivered *delivered;
    void *user;
    uint64_t number;
};

static void wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_ms)
{
    struct timespec until = {until_ms / 1000, (until_ms % 1000) * 1000000};
    (void)pthread_cond_timedwait(condition, lock, &until);
}

/* ---- the sender; send_lock is not held unless it says so ---- */

static void decide(client_outgoing *outgoing, base_status status, const base_error *error)
{
    outgoing->decided = true;
    outgoing->code = client_fail(&outgoing->error, status, error);
}

/* Those whose time is up are given up. */
static void expire(client_outgoing **items, size_t count, const base_error *error)
{
    const int64_t now_ms = client_now_ms();
    for (size_t i = 0; i < count; i++) {
        client_outgoing *item = items[i];
        if (!item->decided && item->deadline_ms <= now_ms) {
            decide(item, base_status_of(item->maybe_written ? BASE_TIMEOUT : BASE_UNREACHABLE),
                   error);
        }
    }
}

static base_status writer_ready(troupe *handle, base_error *error)
{
    if (handle->send_writer != NULL) {
        return base_ok();
    }
    return log_writer_open(handle->store, &(log_writer_options){0}, &handle->send_writer, error);
}

static void writer_drop(troupe *handle)
{
    log_writer_close(handle->send_writer);
    handle->send_writer = NULL;
}

static bool refuses_one(base_code code)
{
    return code == BASE_TOO_LARGE || code == BASE_NOT_FOUND || code == BASE_REFUSED ||
           code == BASE_BAD_INPUT || code == BASE_OUT_OF_MEMORY;
}

static base_status append_one(troupe *handle, client_outgoing *item, base_error *error)
{
    base_status status = log_writer_append(handle->send_writer, &item->record, error);
    if (status.code != BASE_NOT_FOUND || item->ensured) {
        return status;
    }
    item->ensured = true;
    base_error_clear(error);
    status = client_topic_ensure(handle, item->record.topic, error);
    return base_failed(status) ? status
                               : log_writer_append(handle->send_writer, &item->record, error);
}

/* Appends what is not decided; places[] names the items appended. */
static base_status append_all(troupe *handle, client_outgoing **items, size_t count, size_t *places,
                              size_t *place_count, base_error *error)
{
    *place_count = 0;
    for (size_t i = 0; i < count; i++) {
        base_error cause = {0};
        if (items[i]->decided) {
            continue;
        }
        const base_status status = append_one(handle, items[i], &cause);
        if (refuses_one(status.code)) {
            decide(items[i], status, &cause);
        } else if (base_failed(status)) {
            *error = cause;
            return status;
        } else {
            places[(*place_count)++] = i;
        }
    }
    return base_ok();
}

static base_status commit(troupe *handle, client_outgoing **items, const size_t *places,
                          size_t place_count, base_error *error)
{
    size_t refused = SIZE_MAX;
    const base_status status =
        log_writer_commit(handle->send_writer, NULL, NULL, 0, NULL, &refused, error);
    if (base_failed(status) && refused < place_count) {
        decide(items[places[refused]], status, error);
        return base_ok(); /* nothing was written; the others go again without it */
    }
    for (size_t i = 0; i < place_count; i++) {
        if (!base_failed(status)) {
            decide(items[places[i]], status, NULL);
        } else if (base_status_class(status) == BASE_CLASS_UNKNOWN) {
            items[places[i]]->maybe_written = true;
        }
    }
    return status;
}

static base_status send_once(troupe *handle, client_outgoing **items, size_t count,
                             base_error *error)
{
    size_t places[SEND_MAX];
    size_t place_count = 0;
    BASE_TRY(writer_ready(handle, error));
    base_status status = append_all(handle, items, count, places, &place_count, error);
    if (!base_failed(status) && place_count > 0) {
        status = commit(handle, items, places, place_count, error);
    }
    if (base_failed(status)) {
        const bool retry = base_status_class(status) == BASE_CLASS_RETRY;
        if (!retry || base_failed(log_writer_abort(handle->send_writer, NULL))) {
            writer_drop(handle);
        }
    }
    return status;
}

static size_t undecided(client_outgoing **items, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        left += items[i]->decided ? 0 : 1;
    }
    return left;
}

static void decide_all(client_outgoing **items, size_t count, base_status status,
                       const base_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!items[i]->decided) {
            decide(items[i], status, error);
        }
    }
}

/* A pause before the next try; at the end there is none, and no next try either. */
static void pause_or_hurry(troupe *handle, client_outgoing **items, size_t count)
{
    const int64_t until_ms = client_now_ms() + RETRY_MS;
    (void)pthread_mutex_lock(&handle->send_lock);
    while (!handle->sender_hurries && client_now_ms() < until_ms) {
        wait_until(&handle->send_wanted, &handle->send_lock, until_ms);
    }
    for (size_t i = 0; handle->sender_hurries && i < count; i++) {
        items[i]->deadline_ms = 0;
    }
    (void)pthread_mutex_unlock(&handle->send_lock);
}

/* Until every one of them is decided. */
static void send_all(troupe *handle, client_outgoing **items, size_t count)
{
    base_error last = {0};
    expire(items, count, NULL);
    while (undecided(items, count) > 0) {
        base_error error = {0};
        const base_status status = send_once(handle, items, count, &error);
        if (!base_failed(status)) {
            continue;
        }
        const base_class class = base_status_class(status);
        if (class != BASE_CLASS_RETRY && class != BASE_CLASS_UNKNOWN &&
            class != BASE_CLASS_FENCED) {
            decide_all(items, count, status, &error);
            return;
        }
        last = error.code != BASE_OK ? error : last;
        expire(items, count, &last);
        if (undecided(items, count) > 0) {
            pause_or_hurry(handle, items, count);
        }
        expire(items, count, &last);
    }
}

static void finish(troupe *handle, client_outgoing *item)
{
    if (item->delivered != NULL) {
        item->delivered(item->user, item->code, item->code == TROUPE_OK ? NULL : &item->error);
    }
    (void)pthread_mutex_lock(&handle->send_lock);
    handle->decided_number = item->number;
    handle->send_count--;
    if (item->waited_for) {
        item->number = 0; /* for troupe_emit: done */
    } else {
        free(item);
    }
    (void)pthread_cond_broadcast(&handle->send_done);
    (void)pthread_mutex_unlock(&handle->send_lock);
}

static void *sender(void *user)
{
    troupe *handle = user;
    client_outgoing *items[SEND_MAX];
    (void)pthread_mutex_lock(&handle->send_lock);
    for (;;) {
        size_t count = 0;
        while (handle->send_first != NULL && count < SEND_MAX) {
            items[count++] = handle->send_first;
            handle->send_first = handle->send_first->next;
        }
        if (handle->send_first == NULL) {
            handle->send_last = NULL;
        }
        if (count == 0 && handle->sender_ends) {
            break;
        }
        if (count == 0) {
            (void)pthread_cond_wait(&handle->send_wanted, &handle->send_lock);
            continue;
        }
        (void)pthread_mutex_unlock(&handle->send_lock);
        send_all(handle, items, count);
        for (size_t i = 0; i < count; i++) {
            finish(handle, items[i]);
        }
        (void)pthread_mutex_lock(&handle->send_lock);
    }
    (void)pthread_mutex_unlock(&handle->send_lock);
    return NULL;
}

/* ---- callers ---- */

/* NULL: it cannot be made; *code_out says why. */
static client_outgoing *outgoing_make(troupe *handle, const troupe_message *message,
                                      int32_t timeout_ms, troupe_code *code_out,
                                      troupe_error *error)
{
    base_arena arena;
    base_error cause = {0};
    schema_record record;
    client_outgoing *outgoing = NULL;
    base_arena_init(&arena, CLIENT_ARENA_MAX);
    base_status status = client_message_write(handle, message, NULL, 0, &arena, &record, &cause);
    if (!base_failed(status)) {
        outgoing = malloc(sizeof(*outgoing) + client_record_size(&record));
        status = outgoing != NULL ? status : base_status_of(BASE_OUT_OF_MEMORY);
    }
    if (outgoing != NULL) {
        *outgoing = (client_outgoing){.deadline_ms = client_now_ms() + timeout_ms};
        client_record_place(&record, outgoing + 1, &outgoing->record);
    }
    base_arena_deinit(&arena);
    *code_out = client_fail(error, status, &cause);
    return outgoing;
}

/* Into the queue; send_lock is held. It waits while the queue is full. */
static troupe_code queue(troupe *handle, client_outgoing *outgoing, troupe_error *error)
{
    while (handle->send_count >= CLIENT_QUEUE_MAX && !handle->sender_ends) {
        if (client_now_ms() >= outgoing->deadline_ms) {
            return client_fail_text(error, TROUPE_UNREACHABLE, "%d events wait to be sent",
                                    CLIENT_QUEUE_MAX);
        }
        wait_until(&handle->send_done, &handle->send_lock, outgoing->deadline_ms);
    }
    if (handle->sender_ends) {
        return client_fail_text(error, TROUPE_CLOSED, "the log is being closed");
    }
    if (!handle->sender_started) {
        if (pthread_create(&handle->sender, NULL, sender, handle) != 0) {
            return client_fail_text(error, TROUPE_NO_MEMORY, "no thread can be started");
        }
        handle->sender_started = true;
    }
    outgoing->number = ++handle->send_number;
    handle->send_count++;
    if (handle->send_last != NULL) {
        handle->send_last->next = outgoing;
    } else {
        handle->send_first = outgoing;
    }
    handle->send_last = outgoing;
    (void)pthread_cond_signal(&handle->send_wanted);
    return TROUPE_OK;
}

troupe_code troupe_emit(troupe *handle, const troupe_message *message, int32_t timeout_ms,
                        troupe_error *error)
{
    troupe_code code = TROUPE_OK;
    client_outgoing *outgoing = outgoing_make(handle, message, timeout_ms, &code, error);
    if (outgoing == NULL) {
        return code;
    }
    const int64_t deadline_ms = outgoing->deadline_ms;
    outgoing->waited_for = true;
    (void)pthread_mutex_lock(&handle->send_lock);
    code = queue(handle, outgoing, error);
    if (code != TROUPE_OK) {
        (void)pthread_mutex_unlock(&handle->send_lock);
        free(outgoing);
        return code;
    }
    while (outgoing->number != 0 && client_now_ms() < deadline_ms) {
        wait_until(&handle->send_done, &handle->send_lock, deadline_ms);
    }
    if (outgoing->number != 0) {
        outgoing->waited_for = false; /* the sender is still in the middle of it, and frees it */
        (void)pthread_mutex_unlock(&handle->send_lock);
        return client_fail_text(error, TROUPE_TIMEOUT, "the log has not confirmed in %d ms",
                                (int)timeout_ms);
    }
    (void)pthread_mutex_unlock(&handle->send_lock);
    code = outgoing->code;
    if (code != TROUPE_OK && error != NULL) {
        *error = outgoing->error;
    }
    free(outgoing);
    return code;
}

troupe_code troupe_emit_async(troupe *handle, const troupe_message *message, int32_t timeout_ms,
                              troupe_delivered *delivered, void *user, troupe_error *error)
{
    troupe_code code = TROUPE_OK;
    client_outgoing *outgoing = outgoing_make(handle, message, timeout_ms, &code, error);
    if (outgoing == NULL) {
        return code;
    }
    outgoing->delivered = delivered;
    outgoing->user = user;
    (void)pthread_mutex_lock(&handle->send_lock);
    code = queue(handle, outgoing, error);
    (void)pthread_mutex_unlock(&handle->send_lock);
    if (code != TROUPE_OK) {
        free(outgoing);
    }
    return code;
}

troupe_code troupe_flush(troupe *handle, int32_t timeout_ms, troupe_error *error)
{
    const int64_t deadline_ms = client_now_ms() + timeout_ms;
    (void)pthread_mutex_lock(&handle->send_lock);
    const uint64_t number = handle->send_number;
    while (handle->decided_number < number && client_now_ms() < deadline_ms) {
        wait_until(&handle->send_done, &handle->send_lock, deadline_ms);
    }
    const bool done = handle->decided_number >= number;
    (void)pthread_mutex_unlock(&handle->send_lock);
    return done ? TROUPE_OK
                : client_fail_text(error, TROUPE_TIMEOUT, "events wait still after %d ms",
                                   (int)timeout_ms);
}

void client_sender_end(troupe *handle)
{
    if (!handle->sender_started) {
        return;
    }
    const int64_t until_ms = client_now_ms() + CLOSE_MS;
    (void)pthread_mutex_lock(&handle->send_lock);
    handle->sender_ends = true;
    (void)pthread_cond_broadcast(&handle->send_wanted);
    while (handle->send_count > 0 && client_now_ms() < until_ms) {
        wait_until(&handle->send_done, &handle->send_lock, until_ms);
    }
    handle->sender_hurries = true;
    (void)pthread_cond_broadcast(&handle->send_wanted);
    (void)pthread_mutex_unlock(&handle->send_lock);
    (void)pthread_join(handle->sender, NULL);
    writer_drop(handle);
    handle->sender_started = false;
}
