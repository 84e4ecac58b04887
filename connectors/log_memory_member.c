/*
 * The memory log's members: the handles through which processes see their group
 * (log_memory_group.c).
 *
 * What a member was told it has stands in `held`, so that a loss can be told too when the group has
 * forgotten the member.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "connectors/log_memory_model.h"
#include "connectors/log_shared.h"

/* ---- joining and leaving ---- */

static void session_insert(memory_group *group, memory_session *session)
{
    memory_session **place = &group->sessions;
    while (*place != NULL &&
           log_range_compare(base_slice_of((*place)->identity), (*place)->joined,
                             base_slice_of(session->identity), session->joined) < 0) {
        place = &(*place)->next;
    }
    session->next = *place;
    *place = session;
}

/* Joins: a new session, or, for a static identity that is there, its session under a new id. false:
 * no memory. */
static bool member_join(memory_member *member)
{
    memory_log *log = member->log;
    memory_group *group = member->group;
    const uint64_t id = log->session_count + 1;
    char **topics = memory_texts_copy(member->topics, member->topic_count);
    memory_session *session = memory_session_of_identity(group, base_slice_of(member->identity));
    const bool takes_over = session != NULL;
    if (session == NULL && topics != NULL) {
        session = calloc(1, sizeof(*session));
        if (session != NULL) {
            session->identity = memory_text(base_slice_of(member->identity));
        }
    }
    if (topics == NULL || session == NULL || session->identity == NULL) {
        memory_texts_free(topics, member->topic_count);
        if (session != NULL && !takes_over) {
            free(session);
        }
        return false;
    }
    log->session_count = id;
    for (size_t i = 0; takes_over && i < group->share_count; i++) {
        memory_share *share = &group->shares[i];
        if (share->owner == session->id) {
            share->owner = share->target == session->id ? id : 0;
            share->announced = false;
        }
    }
    memory_texts_free(session->topics, session->topic_count);
    session->topics = topics;
    session->topic_count = member->topic_count;
    session->timeout_ms = member->timeout_ms;
    session->deadline_ms = memory_steady_ms(log) + member->timeout_ms;
    session->id = id;
    member->session = id;
    if (!takes_over) {
        session->joined = id;
        session_insert(group, session);
    }
    memory_group_divide(log, group);
    return true;
}

static void member_free(memory_member *member)
{
    if (member->event >= 0) {
        (void)close(member->event);
    }
    memory_texts_free(member->topics, member->topic_count);
    free(member->identity);
    free((void *)member->held);
    free(member->event_partitions);
    free(member);
}

static memory_member *member_new(memory_log *log, const log_member_options *options)
{
    memory_member *member = calloc(1, sizeof(*member));
    if (member == NULL) {
        return NULL;
    }
    member->log = log;
    member->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    member->identity = memory_text(options->identity);
    member->topics = calloc(options->topic_count, sizeof(char *));
    bool fine = member->event >= 0 && member->identity != NULL && member->topics != NULL;
    for (size_t i = 0; fine && i < options->topic_count; i++) {
        member->topics[i] = memory_text(options->topics[i]);
        fine = member->topics[i] != NULL;
        member->topic_count += fine ? 1 : 0;
    }
    if (!fine) {
        member_free(member);
        return NULL;
    }
    member->timeout_ms = options->session_timeout_ms > 0 ? options->session_timeout_ms
                                                         : LOG_SESSION_TIMEOUT_MS_DEFAULT;
    return member;
}

base_status memory_member_open(log_store *store, const log_member_options *options,
                               log_member **member_out, base_error *error)
{
    memory_log *log = memory_log_of(store);
    memory_member *member = member_new(log, options);
    if (member == NULL) {
        return memory_exhausted(error);
    }
    memory_lock(log);
    member->group = memory_group_take(log, options->group);
    bool fine = member->group != NULL;
    if (fine) {
        memory_group_sweep(log, member->group);
        fine = member_join(member);
    }
    if (fine) {
        member->next = log->members;
        log->members = member;
    }
    memory_unlock(log);
    if (!fine) {
        member_free(member);
        return memory_exhausted(error);
    }
    *member_out = &member->member;
    return base_ok();
}

void memory_member_close(log_member *handle, bool leave)
{
    memory_member *member = (memory_member *)handle;
    memory_log *log = member->log;
    memory_lock(log);
    memory_member **place = &log->members;
    while (*place != member) {
        place = &(*place)->next;
    }
    *place = member->next;
    const memory_session *session = memory_session_find(member->group, member->session);
    if (session != NULL && (leave || session->identity[0] == '\0')) {
        (void)memory_group_remove(member->group, session);
        memory_group_divide(log, member->group);
    }
    memory_unlock(log);
    member_free(member);
}

/* ---- the member's events ---- */

static bool event_add(memory_member *member, const memory_partition *partition)
{
    if (!memory_grow((void **)&member->event_partitions, member->event_count,
                     &member->event_capacity, sizeof(log_partition))) {
        return false;
    }
    member->event_partitions[member->event_count++] =
        (log_partition){partition->topic->options.name, partition->number};
    return true;
}

static void event_fill(memory_member *member, log_member_event_kind kind,
                       log_member_event *event_out)
{
    *event_out = (log_member_event){kind, member->event_partitions, member->event_count};
}

/* The session is gone: everything that was held is lost. Nothing held: joins again at once. */
static base_status member_lost(memory_member *member, log_member_event *event_out,
                               base_error *error)
{
    if (memory_session_of_identity(member->group, base_slice_of(member->identity)) != NULL) {
        member->fenced = true;
        return base_error_set(error, BASE_FENCED, "another process joined group \"%s\" as \"%s\"",
                              member->group->name, member->identity);
    }
    member->event_count = 0;
    for (size_t i = 0; i < member->held_count; i++) {
        if (!event_add(member, member->held[i])) {
            return memory_exhausted(error);
        }
    }
    if (member->held_count == 0) {
        member->pending = LOG_MEMBER_NOTHING;
        return member_join(member) ? base_ok() : memory_exhausted(error);
    }
    if (member->pending != LOG_MEMBER_LOST) {
        member->pending = LOG_MEMBER_LOST;
        event_fill(member, LOG_MEMBER_LOST, event_out);
    }
    return base_ok();
}

static base_status member_revoked(memory_member *member, log_member_event *event_out,
                                  base_error *error)
{
    member->event_count = 0;
    for (size_t i = 0; i < member->group->share_count; i++) {
        const memory_share *share = &member->group->shares[i];
        if (share->owner == member->session && share->target != member->session &&
            !event_add(member, share->partition)) {
            return memory_exhausted(error);
        }
    }
    if (member->event_count > 0) {
        member->pending = LOG_MEMBER_REVOKED;
        event_fill(member, LOG_MEMBER_REVOKED, event_out);
    }
    return base_ok();
}

static base_status member_assigned(memory_member *member, log_member_event *event_out,
                                   base_error *error)
{
    for (size_t i = 0; i < member->group->share_count; i++) {
        memory_share *share = &member->group->shares[i];
        if (share->target != member->session ||
            (share->owner != 0 && share->owner != member->session)) {
            continue;
        }
        if (share->owner == member->session && share->announced) {
            continue;
        }
        if (!memory_grow((void **)&member->held, member->held_count, &member->held_capacity,
                         sizeof(memory_partition *)) ||
            !event_add(member, share->partition)) {
            return memory_exhausted(error);
        }
        member->held[member->held_count++] = share->partition;
        share->owner = member->session;
        share->announced = true;
    }
    if (member->event_count > 0) {
        event_fill(member, LOG_MEMBER_ASSIGNED, event_out);
    }
    return base_ok();
}

static base_status member_look(memory_member *member, log_member_event *event_out,
                               base_error *error)
{
    memory_log *log = member->log;
    if (log->down) {
        return base_ok();
    }
    if (member->fenced) {
        return base_error_set(error, BASE_FENCED, "another process joined group \"%s\" as \"%s\"",
                              member->group->name, member->identity);
    }
    memory_group_sweep(log, member->group);
    memory_session *session = memory_session_find(member->group, member->session);
    if (session == NULL) {
        return member_lost(member, event_out, error);
    }
    session->deadline_ms = memory_steady_ms(log) + session->timeout_ms;
    if (member->pending != LOG_MEMBER_NOTHING) {
        return base_ok();
    }
    BASE_TRY(member_revoked(member, event_out, error));
    return event_out->kind == LOG_MEMBER_NOTHING ? member_assigned(member, event_out, error)
                                                 : base_ok();
}

/* How long a poll may sleep: until its time is up or somebody's session is. */
static int64_t member_sleep_ms(const memory_member *member, int64_t left_ms)
{
    const int64_t now_ms = memory_steady_ms(member->log);
    for (const memory_session *it = member->group->sessions; it != NULL; it = it->next) {
        /* Our own deadline matters too: a third of the way there we say again that we live. */
        const int64_t due_ms =
            it->id == member->session ? it->timeout_ms / 3 + 1 : it->deadline_ms - now_ms + 1;
        left_ms = due_ms < left_ms ? due_ms : left_ms;
    }
    return left_ms > 0 ? left_ms : 0;
}

base_status memory_member_poll(log_member *handle, int32_t timeout_ms, log_member_event *event_out,
                               base_error *error)
{
    memory_member *member = (memory_member *)handle;
    memory_log *log = member->log;
    const int64_t until_ms = log_steady_ms() + timeout_ms;
    for (;;) {
        log_member_event event = {LOG_MEMBER_NOTHING, NULL, 0};
        memory_lock(log);
        const base_status status = member_look(member, &event, error);
        const int64_t left_ms = log->clock != NULL ? 0 : until_ms - log_steady_ms();
        const int64_t sleep_ms = left_ms > 0 ? member_sleep_ms(member, left_ms) : 0;
        memory_unlock(log);
        if (base_failed(status)) {
            return status;
        }
        if (event.kind != LOG_MEMBER_NOTHING || left_ms <= 0) {
            *event_out = event;
            return base_ok();
        }
        memory_wait(member->event, (int32_t)sleep_ms);
    }
}

/* The partitions of the last event are held no more. */
static void held_drop(memory_member *member)
{
    for (size_t i = 0; i < member->event_count; i++) {
        const log_partition *gone = &member->event_partitions[i];
        for (size_t k = 0; k < member->held_count; k++) {
            const memory_partition *held = member->held[k];
            if (held->number == gone->partition &&
                base_slice_equal(held->topic->options.name, gone->topic)) {
                member->held[k] = member->held[--member->held_count];
                break;
            }
        }
    }
}

base_status memory_member_release(log_member *handle, base_error *error)
{
    (void)error;
    memory_member *member = (memory_member *)handle;
    memory_log *log = member->log;
    memory_lock(log);
    if (member->pending == LOG_MEMBER_REVOKED) {
        for (size_t i = 0; i < member->event_count; i++) {
            memory_partition *partition = NULL;
            const log_partition *gone = &member->event_partitions[i];
            const base_status found =
                memory_partition_find(log, gone->topic, gone->partition, &partition, NULL);
            memory_share *share =
                base_failed(found) ? NULL : memory_share_find(member->group, partition);
            if (share != NULL && share->owner == member->session) {
                share->owner = 0;
                share->announced = false;
            }
        }
        memory_group_divide(log, member->group);
    }
    if (member->pending != LOG_MEMBER_NOTHING) {
        held_drop(member);
        member->event_count = 0;
        member->pending = LOG_MEMBER_NOTHING;
    }
    memory_unlock(log);
    return base_ok();
}

base_status memory_member_check(memory_member *member, const log_position *positions,
                                size_t position_count, base_error *error)
{
    memory_log *log = member->log;
    memory_group *group = member->group;
    memory_group_sweep(log, group);
    memory_session *session = memory_session_find(group, member->session);
    if (session == NULL) {
        const bool replaced =
            memory_session_of_identity(group, base_slice_of(member->identity)) != NULL;
        return base_error_set(error, replaced ? BASE_FENCED : BASE_REVOKED,
                              "this process is not a member of group \"%s\" any more", group->name);
    }
    for (size_t i = 0; i < position_count; i++) {
        memory_partition *partition = NULL;
        BASE_TRY(memory_partition_find(log, positions[i].topic, positions[i].partition, &partition,
                                       error));
        const memory_share *share = memory_share_find(group, partition);
        if (share != NULL && memory_session_wants(session, positions[i].topic) &&
            share->owner != member->session) {
            return base_error_set(
                error, BASE_REVOKED,
                "partition %d of topic \"%.*s\" belongs to another member of \"%s\"",
                (int)positions[i].partition, BASE_SLICE_ARG(positions[i].topic), group->name);
        }
    }
    session->deadline_ms = memory_steady_ms(log) + session->timeout_ms;
    return base_ok();
}
