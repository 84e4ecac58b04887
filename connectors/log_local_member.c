/*
 * The local log's members: a lease row that the poll renews, and what it sees of its group
 * (log_local_group.c).
 *
 * A poll mostly reads one row: the generation, and the next deadline of another member. Only where
 * one of them says that there is something to do, or a third of the own lease has passed, does it
 * write.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "connectors/log_local_model.h"
#include "connectors/log_shared.h"

typedef struct member_partition {
    int64_t id;
    base_slice topic; /* in the member's topics */
    int32_t number;
} member_partition;

struct local_member {
    log_member member;
    local_store *store;
    local_db *db;
    local_topics topics;
    local_waiter waiter;
    char *group;
    int64_t group_id;
    char *identity;
    char *topic_names; /* separated by line feeds */
    int32_t timeout_ms;
    int64_t id;         /* of the member row */
    int64_t generation; /* seen at the last thorough look; -1: look */
    bool fenced;
    log_member_event_kind pending; /* REVOKED or LOST: not released yet */
    member_partition *held;        /* what was assigned and is not released */
    size_t held_count;
    size_t held_capacity;
    member_partition *event; /* of the last event */
    size_t event_count;
    size_t event_capacity;
    log_partition *event_partitions; /* the same for the caller */
};

/* ---- joining and leaving; within a write transaction ---- */

static base_status group_take(local_member *member, base_error *error)
{
    local_db *db = member->db;
    bool row = false;
    local_bind_text(db, LOCAL_GROUP_FIND, 1, base_slice_of(member->group));
    BASE_TRY(local_step(db, LOCAL_GROUP_FIND, &row, error));
    if (row) {
        member->group_id = local_column_integer(db, LOCAL_GROUP_FIND, 0);
        local_reset(db, LOCAL_GROUP_FIND);
        return base_ok();
    }
    local_bind_text(db, LOCAL_GROUP_INSERT, 1, base_slice_of(member->group));
    BASE_TRY(local_run(db, LOCAL_GROUP_INSERT, error));
    member->group_id = local_last_id(db);
    return base_ok();
}

/* The row of the member's identity; id 0: there is none. */
static base_status identity_find(local_member *member, local_db *db, int64_t *id_out,
                                 int64_t *joined_out, base_error *error)
{
    bool row = false;
    local_bind_integer(db, LOCAL_MEMBER_OF_IDENTITY, 1, member->group_id);
    local_bind_text(db, LOCAL_MEMBER_OF_IDENTITY, 2, base_slice_of(member->identity));
    BASE_TRY(local_step(db, LOCAL_MEMBER_OF_IDENTITY, &row, error));
    *id_out = row ? local_column_integer(db, LOCAL_MEMBER_OF_IDENTITY, 0) : 0;
    *joined_out = row ? local_column_integer(db, LOCAL_MEMBER_OF_IDENTITY, 1) : 0;
    local_reset(db, LOCAL_MEMBER_OF_IDENTITY);
    return base_ok();
}

static base_status member_delete(local_db *db, int64_t id, base_error *error)
{
    local_bind_integer(db, LOCAL_MEMBER_DELETE, 1, id);
    return local_run(db, LOCAL_MEMBER_DELETE, error);
}

/* A new row; one of the same identity is replaced, and what it had and keeps is inherited. */
static base_status member_join(local_member *member, base_error *error)
{
    local_db *db = member->db;
    int64_t before = 0;
    int64_t joined = 0;
    BASE_TRY(identity_find(member, db, &before, &joined, error));
    if (before != 0) {
        BASE_TRY(member_delete(db, before, error));
    }
    local_bind_integer(db, LOCAL_MEMBER_INSERT, 1, member->group_id);
    local_bind_text(db, LOCAL_MEMBER_INSERT, 2, base_slice_of(member->identity));
    local_bind_integer(db, LOCAL_MEMBER_INSERT, 3, before != 0 ? joined : log_wall_ms());
    local_bind_text(db, LOCAL_MEMBER_INSERT, 4, base_slice_of(member->topic_names));
    local_bind_integer(db, LOCAL_MEMBER_INSERT, 5, member->timeout_ms);
    local_bind_integer(db, LOCAL_MEMBER_INSERT, 6, log_steady_ms() + member->timeout_ms);
    local_bind_integer(db, LOCAL_MEMBER_INSERT, 7, getpid());
    BASE_TRY(local_run(db, LOCAL_MEMBER_INSERT, error));
    member->id = local_last_id(db);
    member->generation = -1;
    if (before != 0) {
        local_bind_integer(db, LOCAL_SHARE_INHERIT, 1, member->group_id);
        local_bind_integer(db, LOCAL_SHARE_INHERIT, 2, before);
        local_bind_integer(db, LOCAL_SHARE_INHERIT, 3, member->id);
        BASE_TRY(local_run(db, LOCAL_SHARE_INHERIT, error));
    }
    return local_group_divide(db, &member->topics, member->group_id, error);
}

/* Commits what a step of the group wrote, if it went well, and tells the other members. */
static base_status finish(local_member *member, base_status status, base_error *error)
{
    if (!base_failed(status)) {
        status = local_db_commit(member->db, error);
    }
    local_db_end(member->db);
    return status;
}

static void member_free(local_member *member)
{
    local_db_close(member->db);
    local_waiter_close(&member->waiter);
    local_topics_deinit(&member->topics);
    free(member->group);
    free(member->identity);
    free(member->topic_names);
    free(member->held);
    free(member->event);
    free(member->event_partitions);
    free(member);
}

static char *names_join(const base_slice *names, size_t count)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++) {
        size += names[i].size + 1;
    }
    char *text = malloc(size);
    size_t used = 0;
    for (size_t i = 0; text != NULL && i < count; i++) {
        memcpy(text + used, names[i].data, names[i].size);
        used += names[i].size;
        text[used++] = i + 1 < count ? '\n' : '\0';
    }
    return text;
}

static char *text_copy(base_slice text)
{
    return strndup(text.data != NULL ? text.data : "", text.size);
}

base_status local_member_open(log_store *handle, const log_member_options *options,
                              log_member **member_out, base_error *error)
{
    local_store *store = local_store_of(handle);
    local_member *member = calloc(1, sizeof(*member));
    if (member == NULL) {
        return local_exhausted(error);
    }
    member->store = store;
    member->timeout_ms = options->session_timeout_ms > 0 ? options->session_timeout_ms
                                                         : LOG_SESSION_TIMEOUT_MS_DEFAULT;
    local_topics_init(&member->topics);
    member->group = text_copy(options->group);
    member->identity = text_copy(options->identity);
    member->topic_names = names_join(options->topics, options->topic_count);
    base_status status =
        local_waiter_open(&member->waiter, &store->wake, LOCAL_WAKE_MEMBERS, error);
    if (!base_failed(status) &&
        (member->group == NULL || member->identity == NULL || member->topic_names == NULL)) {
        status = local_exhausted(error);
    }
    if (!base_failed(status)) {
        status = local_db_open(&store->db_options, &member->db, error);
    }
    if (!base_failed(status)) {
        status = local_db_begin_write(member->db, error);
    }
    if (!base_failed(status)) {
        bool changed = false;
        status = group_take(member, error);
        if (!base_failed(status)) {
            status = local_group_sweep(member->db, &member->topics, member->group_id, 0, &changed,
                                       error);
        }
        if (!base_failed(status)) {
            status = member_join(member, error);
        }
        status = finish(member, status, error);
    }
    if (base_failed(status)) {
        member_free(member);
        return status;
    }
    local_wake_all(&store->wake, LOCAL_WAKE_MEMBERS);
    *member_out = &member->member;
    return status;
}

void local_member_close(log_member *handle, bool leave)
{
    local_member *member = (local_member *)handle;
    if (leave || member->identity[0] == '\0') {
        /* Where this fails the lease runs out instead. */
        base_status status = local_db_begin_write(member->db, NULL);
        if (!base_failed(status)) {
            status = member_delete(member->db, member->id, NULL);
            if (!base_failed(status) && local_changes(member->db) > 0) {
                status = local_group_divide(member->db, &member->topics, member->group_id, NULL);
            }
            status = finish(member, status, NULL);
        }
        if (!base_failed(status)) {
            local_wake_all(&member->store->wake, LOCAL_WAKE_MEMBERS);
        }
    }
    member_free(member);
}

/* ---- events ---- */

static bool event_add(local_member *member, const member_partition *partition)
{
    if (!local_grow((void **)&member->event, member->event_count, &member->event_capacity,
                    sizeof(member_partition))) {
        return false;
    }
    member->event[member->event_count++] = *partition;
    return true;
}

/* Hands the event's partitions out. */
static base_status event_tell(local_member *member, log_member_event_kind kind,
                              log_member_event *event_out, base_error *error)
{
    log_partition *partitions =
        realloc(member->event_partitions, (member->event_count + 1) * sizeof(log_partition));
    if (partitions == NULL) {
        return local_exhausted(error);
    }
    member->event_partitions = partitions;
    for (size_t i = 0; i < member->event_count; i++) {
        partitions[i] = (log_partition){member->event[i].topic, member->event[i].number};
    }
    *event_out = (log_member_event){kind, partitions, member->event_count};
    return base_ok();
}

/* The rows of LOCAL_SHARE_REVOKED or LOCAL_SHARE_ASSIGNABLE as the event. */
static base_status event_load(local_member *member, local_sql sql, base_error *error)
{
    local_db *db = member->db;
    bool row = true;
    member->event_count = 0;
    local_bind_integer(db, sql, 1, member->group_id);
    local_bind_integer(db, sql, 2, member->id);
    for (;;) {
        BASE_TRY(local_step(db, sql, &row, error));
        if (!row) {
            return base_ok();
        }
        local_topic *topic = NULL;
        const base_status found =
            local_topic_find(db, &member->topics, local_column_bytes(db, sql, 0), &topic, error);
        if (base_failed(found)) {
            local_reset(db, sql);
            return found;
        }
        const member_partition partition = {.id = local_column_integer(db, sql, 2),
                                            .topic = topic->name,
                                            .number = (int32_t)local_column_integer(db, sql, 1)};
        if (!event_add(member, &partition)) {
            local_reset(db, sql);
            return local_exhausted(error);
        }
    }
}

static base_status fenced(local_member *member, base_error *error)
{
    member->fenced = true;
    return base_error_set(error, BASE_FENCED, "another process joined group \"%s\" as \"%s\"",
                          member->group, member->identity);
}

/* Our row is gone: replaced, or the lease ran out. What was held is lost; with nothing held we join
 * again. */
static base_status member_lost(local_member *member, log_member_event_kind *kind_out,
                               base_error *error)
{
    int64_t successor = 0;
    int64_t joined = 0;
    BASE_TRY(identity_find(member, member->db, &successor, &joined, error));
    if (successor != 0) {
        return fenced(member, error);
    }
    if (member->held_count == 0) {
        member->pending = LOG_MEMBER_NOTHING;
        return member_join(member, error);
    }
    member->event_count = 0;
    for (size_t i = 0; i < member->held_count; i++) {
        if (!event_add(member, &member->held[i])) {
            return local_exhausted(error);
        }
    }
    *kind_out = LOG_MEMBER_LOST;
    return base_ok();
}

/* Room for what an ASSIGNED adds to `held`, so that it cannot fail once it is committed. */
static bool held_reserve(local_member *member, size_t count)
{
    const size_t wanted = member->held_count + count;
    if (wanted <= member->held_capacity) {
        return true;
    }
    member_partition *grown = realloc(member->held, 2 * wanted * sizeof(member_partition));
    if (grown == NULL) {
        return false;
    }
    member->held = grown;
    member->held_capacity = 2 * wanted;
    return true;
}

static base_status member_assign(local_member *member, log_member_event_kind *kind_out,
                                 base_error *error)
{
    BASE_TRY(event_load(member, LOCAL_SHARE_ASSIGNABLE, error));
    if (member->event_count == 0) {
        return base_ok();
    }
    if (!held_reserve(member, member->event_count)) {
        return local_exhausted(error);
    }
    local_bind_integer(member->db, LOCAL_SHARE_ASSIGN, 1, member->group_id);
    local_bind_integer(member->db, LOCAL_SHARE_ASSIGN, 2, member->id);
    BASE_TRY(local_run(member->db, LOCAL_SHARE_ASSIGN, error));
    *kind_out = LOG_MEMBER_ASSIGNED;
    return base_ok();
}

/* In a write transaction: the lease, the others' leases, and what there is to tell. */
static base_status member_step(local_member *member, log_member_event_kind *kind_out,
                               bool *changed_out, base_error *error)
{
    local_db *db = member->db;
    bool row = false;
    BASE_TRY(
        local_group_sweep(db, &member->topics, member->group_id, member->id, changed_out, error));
    local_bind_integer(db, LOCAL_MEMBER_BEAT, 1, member->id);
    local_bind_integer(db, LOCAL_MEMBER_BEAT, 2, log_steady_ms() + member->timeout_ms);
    BASE_TRY(local_run(db, LOCAL_MEMBER_BEAT, error));
    if (local_changes(db) == 0) {
        *changed_out = true;
        return member_lost(member, kind_out, error);
    }
    if (member->pending == LOG_MEMBER_NOTHING) {
        BASE_TRY(event_load(member, LOCAL_SHARE_REVOKED, error));
        if (member->event_count > 0) {
            *kind_out = LOG_MEMBER_REVOKED;
        } else {
            BASE_TRY(member_assign(member, kind_out, error));
        }
    }
    local_bind_integer(db, LOCAL_GROUP_GENERATION, 1, member->group_id);
    BASE_TRY(local_step(db, LOCAL_GROUP_GENERATION, &row, error));
    member->generation = row ? local_column_integer(db, LOCAL_GROUP_GENERATION, 0) : -1;
    local_reset(db, LOCAL_GROUP_GENERATION);
    return base_ok();
}

/* Is there anything to write for? Also says how long nothing will be. */
static base_status member_glance(local_member *member, bool *due_out, int64_t *quiet_ms_out,
                                 base_error *error)
{
    local_db *db = member->db;
    bool row = false;
    local_bind_integer(db, LOCAL_GROUP_GLANCE, 1, member->group_id);
    local_bind_integer(db, LOCAL_GROUP_GLANCE, 2, member->id);
    BASE_TRY(local_step(db, LOCAL_GROUP_GLANCE, &row, error));
    if (!row) {
        return local_corrupt(db, error, "group \"%s\" is missing", member->group);
    }
    const int64_t generation = local_column_integer(db, LOCAL_GROUP_GLANCE, 0);
    const int64_t mine_ms = local_column_integer(db, LOCAL_GROUP_GLANCE, 1);
    const int64_t others_ms = local_column_integer(db, LOCAL_GROUP_GLANCE, 2);
    local_reset(db, LOCAL_GROUP_GLANCE);
    const int64_t now_ms = log_steady_ms();
    const int64_t beat_in_ms = mine_ms - now_ms - 2 * (int64_t)member->timeout_ms / 3;
    const int64_t expiry_in_ms = others_ms != 0 ? others_ms - now_ms + 1 : INT64_MAX;
    const int64_t quiet_ms = beat_in_ms < expiry_in_ms ? beat_in_ms : expiry_in_ms;
    *due_out = generation != member->generation || quiet_ms <= 0;
    *quiet_ms_out = quiet_ms > 1 ? quiet_ms : 1;
    return base_ok();
}

/* After the commit: the event becomes the member's state. */
static base_status member_took(local_member *member, log_member_event_kind kind,
                               log_member_event *event_out, base_error *error)
{
    if (kind == LOG_MEMBER_NOTHING) {
        return base_ok();
    }
    if (kind == LOG_MEMBER_ASSIGNED) {
        memcpy(&member->held[member->held_count], member->event,
               member->event_count * sizeof(member_partition));
        member->held_count += member->event_count;
    } else {
        member->pending = kind;
    }
    return event_tell(member, kind, event_out, error);
}

static base_status member_look(local_member *member, int64_t *quiet_ms_out,
                               log_member_event *event_out, base_error *error)
{
    bool due = false;
    bool changed = false;
    log_member_event_kind kind = LOG_MEMBER_NOTHING;
    if (member->fenced) {
        return fenced(member, error);
    }
    if (member->pending == LOG_MEMBER_LOST) { /* there is nothing to renew before the release */
        *quiet_ms_out = member->store->poll_ms;
        return base_ok();
    }
    BASE_TRY(member_glance(member, &due, quiet_ms_out, error));
    if (!due) {
        return base_ok();
    }
    BASE_TRY(local_db_begin_write(member->db, error));
    base_status status = member_step(member, &kind, &changed, error);
    status = finish(member, status, error);
    if (base_failed(status)) {
        member->generation = -1;
        return status;
    }
    if (changed) {
        local_wake_all(&member->store->wake, LOCAL_WAKE_MEMBERS);
    }
    return member_took(member, kind, event_out, error);
}

base_status local_member_poll(log_member *handle, int32_t timeout_ms, log_member_event *event_out,
                              base_error *error)
{
    local_member *member = (local_member *)handle;
    const int64_t until_ms = log_steady_ms() + timeout_ms;
    for (;;) {
        int64_t wait_ms = 0;
        log_member_event event = {LOG_MEMBER_NOTHING, NULL, 0};
        BASE_TRY(member_look(member, &wait_ms, &event, error));
        const int64_t left_ms = until_ms - log_steady_ms();
        if (event.kind != LOG_MEMBER_NOTHING || left_ms <= 0) {
            *event_out = event;
            return base_ok();
        }
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
        local_waiter_wait(&member->waiter,
                          wait_ms < member->store->poll_ms ? wait_ms : member->store->poll_ms);
    }
}

static void held_drop(local_member *member)
{
    for (size_t i = 0; i < member->event_count; i++) {
        for (size_t k = 0; k < member->held_count; k++) {
            if (member->held[k].id == member->event[i].id) {
                member->held[k] = member->held[--member->held_count];
                break;
            }
        }
    }
    member->event_count = 0;
    member->pending = LOG_MEMBER_NOTHING;
    member->generation = -1;
}

base_status local_member_release(log_member *handle, base_error *error)
{
    local_member *member = (local_member *)handle;
    if (member->pending == LOG_MEMBER_REVOKED) {
        base_status status = local_db_begin_write(member->db, error);
        for (size_t i = 0; !base_failed(status) && i < member->event_count; i++) {
            local_bind_integer(member->db, LOCAL_SHARE_RELEASE, 1, member->group_id);
            local_bind_integer(member->db, LOCAL_SHARE_RELEASE, 2, member->id);
            local_bind_integer(member->db, LOCAL_SHARE_RELEASE, 3, member->event[i].id);
            status = local_run(member->db, LOCAL_SHARE_RELEASE, error);
        }
        if (!base_failed(status)) {
            local_bind_integer(member->db, LOCAL_GROUP_BUMP, 1, member->group_id);
            status = local_run(member->db, LOCAL_GROUP_BUMP, error);
        }
        status = finish(member, status, error);
        if (base_failed(status)) {
            return status;
        }
        local_wake_all(&member->store->wake, LOCAL_WAKE_MEMBERS);
    }
    if (member->pending != LOG_MEMBER_NOTHING) {
        held_drop(member);
    }
    return base_ok();
}

/* ---- positions ---- */

base_status local_member_position(log_member *handle, base_slice topic, int32_t partition,
                                  int64_t *offset_out, base_error *error)
{
    local_member *member = (local_member *)handle;
    int64_t partition_id = 0;
    bool row = false;
    BASE_TRY(
        local_partition_find(member->db, &member->topics, topic, partition, &partition_id, error));
    local_bind_integer(member->db, LOCAL_POSITION_GET, 1, member->group_id);
    local_bind_integer(member->db, LOCAL_POSITION_GET, 2, partition_id);
    BASE_TRY(local_step(member->db, LOCAL_POSITION_GET, &row, error));
    if (!row) {
        return base_error_set(error, BASE_NOT_FOUND,
                              "group \"%s\" has no position in partition %d of topic \"%.*s\"",
                              member->group, (int)partition, BASE_SLICE_ARG(topic));
    }
    *offset_out = local_column_integer(member->db, LOCAL_POSITION_GET, 0);
    local_reset(member->db, LOCAL_POSITION_GET);
    return base_ok();
}

static bool member_wants(const local_member *member, base_slice topic)
{
    const char *rest = member->topic_names;
    while (rest != NULL) {
        const size_t size = strcspn(rest, "\n");
        if (size == topic.size && memcmp(rest, topic.data, size) == 0) {
            return true;
        }
        rest = rest[size] == '\n' ? rest + size + 1 : NULL;
    }
    return false;
}

/* Is the member alive still, for the writer that asks? Renews its lease. */
static base_status alive_check(local_db *db, const local_member *member, base_error *error)
{
    bool row = false;
    local_bind_integer(db, LOCAL_MEMBER_BEAT, 1, member->id);
    local_bind_integer(db, LOCAL_MEMBER_BEAT, 2, log_steady_ms() + member->timeout_ms);
    BASE_TRY(local_run(db, LOCAL_MEMBER_BEAT, error));
    if (local_changes(db) > 0) {
        return base_ok();
    }
    local_bind_integer(db, LOCAL_MEMBER_OF_IDENTITY, 1, member->group_id);
    local_bind_text(db, LOCAL_MEMBER_OF_IDENTITY, 2, base_slice_of(member->identity));
    BASE_TRY(local_step(db, LOCAL_MEMBER_OF_IDENTITY, &row, error));
    local_reset(db, LOCAL_MEMBER_OF_IDENTITY);
    return base_error_set(error, row ? BASE_FENCED : BASE_REVOKED,
                          "this process is not a member of group \"%s\" any more", member->group);
}

base_status local_member_commit(local_db *db, local_topics *topics, const log_member *handle,
                                const log_position *positions, size_t position_count,
                                base_error *error)
{
    const local_member *member = (const local_member *)handle;
    BASE_TRY(alive_check(db, member, error));
    for (size_t i = 0; i < position_count; i++) {
        const base_slice topic = positions[i].topic;
        int64_t partition_id = 0;
        BASE_TRY(
            local_partition_find(db, topics, topic, positions[i].partition, &partition_id, error));
        if (member_wants(member, topic)) {
            bool row = false;
            local_bind_integer(db, LOCAL_SHARE_OWNER, 1, member->group_id);
            local_bind_integer(db, LOCAL_SHARE_OWNER, 2, partition_id);
            BASE_TRY(local_step(db, LOCAL_SHARE_OWNER, &row, error));
            const bool mine = row && local_column_integer(db, LOCAL_SHARE_OWNER, 0) == member->id;
            local_reset(db, LOCAL_SHARE_OWNER);
            if (!mine) {
                return base_error_set(
                    error, BASE_REVOKED,
                    "partition %d of topic \"%.*s\" belongs to another member of \"%s\"",
                    (int)positions[i].partition, BASE_SLICE_ARG(topic), member->group);
            }
        }
        local_bind_integer(db, LOCAL_POSITION_PUT, 1, member->group_id);
        local_bind_integer(db, LOCAL_POSITION_PUT, 2, partition_id);
        local_bind_integer(db, LOCAL_POSITION_PUT, 3, positions[i].offset);
        BASE_TRY(local_run(db, LOCAL_POSITION_PUT, error));
    }
    return base_ok();
}
