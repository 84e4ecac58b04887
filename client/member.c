/*
 * What a service listens to, and which partitions of it are ours.
 *
 *   interests --join--> member of the group --ASSIGNED--> partition: position of the group, read on
 *                                           --REVOKED---> commit, let go
 *                                           --LOST------> forget, let go
 */
#include <stdlib.h>

#include "client/client.h"

/* ---- interests ---- */

static troupe_code interest_add(troupe *handle, base_slice topic, const char *type, bool ask,
                                troupe_handler *handler, void *user, troupe_error *error)
{
    client_interest interest = {.topic = topic, .ask = ask, .handler = handler, .user = user};
    if (handler == NULL) {
        return client_fail_text(error, TROUPE_BAD_INPUT, "a handler is needed");
    }
    if (handle->member != NULL || handle->interest_count == CLIENT_INTEREST_MAX) {
        return client_fail_text(error, TROUPE_BAD_INPUT,
                                handle->member != NULL ? "handlers are given before the first run"
                                                       : "there are too many handlers");
    }
    if (type != NULL) {
        interest.type = client_type_full(handle, type, &handle->memory);
    }
    if (topic.data == NULL || (type != NULL && interest.type.data == NULL)) {
        return client_fail_text(error, TROUPE_NO_MEMORY, "no memory");
    }
    for (size_t i = 0; i < handle->interest_count; i++) {
        const client_interest *other = &handle->interests[i];
        if (other->ask == ask && base_slice_equal(other->topic, topic) &&
            base_slice_equal(other->type, interest.type)) {
            return client_fail_text(error, TROUPE_BAD_INPUT, "\"%s\" has a handler already",
                                    type != NULL ? type : "");
        }
    }
    if (handle->interest_count == handle->interest_capacity) {
        const size_t capacity = handle->interest_capacity * 2 + 8;
        client_interest *interests =
            realloc(handle->interests, capacity * sizeof(*handle->interests));
        if (interests == NULL) {
            return client_fail_text(error, TROUPE_NO_MEMORY, "no memory");
        }
        handle->interests = interests;
        handle->interest_capacity = capacity;
    }
    handle->interests[handle->interest_count++] = interest;
    return TROUPE_OK;
}

troupe_code troupe_on_ask(troupe *handle, const char *type, troupe_handler *handler, void *user,
                          troupe_error *error)
{
    return interest_add(handle, handle->asks_topic, type, true, handler, user, error);
}

troupe_code troupe_on_event(troupe *handle, const char *topic, const char *type,
                            troupe_handler *handler, void *user, troupe_error *error)
{
    if (topic == NULL) {
        return client_fail_text(error, TROUPE_BAD_INPUT, "a topic is needed");
    }
    return interest_add(handle, base_arena_copy(&handle->memory, base_slice_of(topic)), type, false,
                        handler, user, error);
}

/* ---- partitions ---- */

client_partition *client_partition_find(troupe *handle, base_slice topic, int32_t partition)
{
    for (size_t i = 0; i < handle->partition_count; i++) {
        client_partition *found = &handle->partitions[i];
        if (found->partition == partition && base_slice_equal(found->topic, topic)) {
            return found;
        }
    }
    return NULL;
}

base_status client_partition_rewind(troupe *handle, client_partition *partition, int64_t offset,
                                    int64_t blocked_ms, base_error *error)
{
    log_reader *reader = atomic_load(&handle->reader);
    BASE_TRY(log_reader_assign(reader, partition->topic, partition->partition, offset, error));
    partition->next = offset;
    partition->skipped = handle->cursor.number;
    partition->blocked = blocked_ms > 0;
    if (partition->blocked) {
        partition->retry_at_ms = client_now_ms() + blocked_ms;
        BASE_TRY(log_reader_pause(reader, partition->topic, partition->partition, true, error));
    }
    return base_ok();
}

/* Where a partition that is ours now is to be read from. */
static base_status position_find(troupe *handle, base_slice topic, int32_t partition,
                                 int64_t *offset_out, base_error *error)
{
    base_error cause = {0};
    const base_status status =
        log_member_position(handle->member, topic, partition, offset_out, &cause);
    if (status.code != BASE_NOT_FOUND) {
        if (base_failed(status) && error != NULL) {
            *error = cause;
        }
        return status;
    }
    *offset_out = LOG_OFFSET_BEGIN;
    if (handle->options.start == TROUPE_START_EARLIEST) {
        return base_ok();
    }
    /* The end, committed at once: were we to stop before the first event, the next start would take
     * a later end. */
    int64_t begin = 0;
    log_position position = {topic, partition, 0};
    BASE_TRY(log_range(handle->store, topic, partition, &begin, &position.offset, error));
    BASE_TRY(client_positions_commit(handle, &position, 1, error));
    *offset_out = position.offset;
    return base_ok();
}

static base_status partition_add(troupe *handle, const log_partition *given, base_error *error)
{
    base_slice topic = {NULL, 0};
    for (size_t i = 0; i < handle->interest_count; i++) {
        if (base_slice_equal(handle->interests[i].topic, given->topic)) {
            topic = handle->interests[i].topic;
        }
    }
    if (topic.data == NULL ||
        client_partition_find(handle, given->topic, given->partition) != NULL) {
        return base_ok();
    }
    if (handle->partition_count == handle->partition_capacity) {
        const size_t capacity = handle->partition_capacity * 2 + 8;
        client_partition *partitions =
            realloc(handle->partitions, capacity * sizeof(*handle->partitions));
        if (partitions == NULL) {
            return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a partition");
        }
        handle->partitions = partitions;
        handle->partition_capacity = capacity;
    }
    int64_t offset = 0;
    BASE_TRY(position_find(handle, topic, given->partition, &offset, error));
    BASE_TRY(
        log_reader_assign(atomic_load(&handle->reader), topic, given->partition, offset, error));
    handle->partitions[handle->partition_count++] = (client_partition){
        .topic = topic,
        .partition = given->partition,
        .next = offset,
        .committed = offset,
        .skipped = handle->cursor.number,
        .failed_offset = -1,
    };
    return base_ok();
}

static base_status partition_remove(troupe *handle, const log_partition *given, base_error *error)
{
    client_partition *partition = client_partition_find(handle, given->topic, given->partition);
    if (partition == NULL) {
        return base_ok();
    }
    client_batch_drop(&handle->batch, given->topic, given->partition);
    const base_slice topic = partition->topic;
    *partition = handle->partitions[--handle->partition_count];
    return log_reader_unassign(atomic_load(&handle->reader), topic, given->partition, error);
}

static base_status change_apply(troupe *handle, const client_change *change, base_error *error)
{
    base_status status = base_ok();
    if (change->kind == LOG_MEMBER_REVOKED) {
        /* What was handled is ours until we let go. If it cannot be written now, it is somebody
         * else's to do again. */
        base_error cause = {0};
        if (base_failed(client_batch_commit(handle, &cause))) {
            client_report(handle, 6, "partitions were taken before a commit: %s", cause.text);
        }
    }
    for (size_t i = 0; !base_failed(status) && i < change->partition_count; i++) {
        status = change->kind == LOG_MEMBER_ASSIGNED
                     ? partition_add(handle, &change->partitions[i], error)
                     : partition_remove(handle, &change->partitions[i], error);
    }
    if (!base_failed(status) && change->kind != LOG_MEMBER_ASSIGNED) {
        status = log_member_release(handle->member, error);
    }
    return status;
}

base_status client_changes_apply(troupe *handle, base_error *error)
{
    while (handle->change_count > 0) {
        /* An assignment that cannot be read now is tried again; it must not be forgotten. */
        BASE_TRY(change_apply(handle, &handle->changes[0], error));
        free(handle->changes[0].partitions);
        handle->change_count--;
        for (size_t i = 0; i < handle->change_count; i++) {
            handle->changes[i] = handle->changes[i + 1];
        }
    }
    return base_ok();
}

base_status client_partitions_unblock(troupe *handle, int64_t now_ms, base_error *error)
{
    for (size_t i = 0; i < handle->partition_count; i++) {
        client_partition *partition = &handle->partitions[i];
        if (partition->blocked && partition->retry_at_ms <= now_ms) {
            BASE_TRY(log_reader_pause(atomic_load(&handle->reader), partition->topic,
                                      partition->partition, false, error));
            partition->blocked = false;
        }
    }
    return base_ok();
}

/* ---- joining ---- */

base_status client_join(troupe *handle, base_error *error)
{
    base_slice topics[CLIENT_INTEREST_MAX];
    size_t count = 0;
    if (handle->interest_count == 0) {
        return base_error_set(error, BASE_BAD_INPUT, "there is no handler to run");
    }
    for (size_t i = 0; i < handle->interest_count; i++) {
        const base_slice topic = handle->interests[i].topic;
        bool known = false;
        for (size_t k = 0; !known && k < count; k++) {
            known = base_slice_equal(topics[k], topic);
        }
        if (!known) {
            BASE_TRY(client_topic_ensure(handle, topic, error));
            topics[count++] = topic;
        }
    }
    BASE_TRY(client_topic_ensure(handle, handle->events_topic, error));
    BASE_TRY(client_topic_ensure(handle, handle->dead_topic, error));
    if (atomic_load(&handle->reader) == NULL) {
        log_reader *reader = NULL;
        BASE_TRY(log_reader_open(handle->store, &reader, error));
        atomic_store(&handle->reader, reader);
    }
    BASE_TRY(client_keeper_start(handle, error));
    const log_member_options options = {
        .group = handle->group,
        .topics = topics,
        .topic_count = count,
        .identity = handle->identity,
        .session_timeout_ms = handle->options.session_timeout_ms,
    };
    return log_member_open(handle->store, &options, &handle->member, error);
}
