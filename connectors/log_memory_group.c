/*
 * The memory log's consumer groups.
 *
 * A group divides the partitions of its members' topics by range. What changes hands does so in two
 * steps, so that no partition ever has two owners:
 *
 *   share: owner A, target A --(B joins)--> owner A, target B --(A: REVOKED, release)--> owner
 * none, target B
 *          --(B polls: ASSIGNED)--> owner B, target B
 *
 * A member is a session with an id; joining anew, as the same static identity or after an
 * expulsion, gives another id, and what still goes by the old one finds no session: FENCED if the
 * identity has a newer session, REVOKED if not.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "connectors/log_memory_model.h"
#include "connectors/log_shared.h"

/* ---- sessions ---- */

void memory_texts_free(char **texts, size_t count)
{
    for (size_t i = 0; texts != NULL && i < count; i++) {
        free(texts[i]);
    }
    free((void *)texts);
}

/* NULL: no memory. */
char **memory_texts_copy(char *const *texts, size_t count)
{
    char **copy = calloc(count, sizeof(char *));
    bool fine = copy != NULL;
    for (size_t i = 0; fine && i < count; i++) {
        copy[i] = memory_text(base_slice_of(texts[i]));
        fine = copy[i] != NULL;
    }
    if (!fine) {
        memory_texts_free(copy, count);
        return NULL;
    }
    return copy;
}

static void session_free(memory_session *session)
{
    memory_texts_free(session->topics, session->topic_count);
    free(session->identity);
    free(session);
}

memory_session *memory_session_find(const memory_group *group, uint64_t id)
{
    memory_session *session = group->sessions;
    while (session != NULL && session->id != id) {
        session = session->next;
    }
    return session;
}

memory_session *memory_session_of_identity(const memory_group *group, base_slice identity)
{
    memory_session *session = identity.size > 0 ? group->sessions : NULL;
    while (session != NULL && !base_slice_is(identity, session->identity)) {
        session = session->next;
    }
    return session;
}

bool memory_session_wants(const memory_session *session, base_slice topic)
{
    for (size_t i = 0; i < session->topic_count; i++) {
        if (base_slice_is(topic, session->topics[i])) {
            return true;
        }
    }
    return false;
}

/* ---- dividing ---- */

memory_share *memory_share_find(const memory_group *group, const memory_partition *partition)
{
    for (size_t i = 0; i < group->share_count; i++) {
        if (group->shares[i].partition == partition) {
            return &group->shares[i];
        }
    }
    return NULL;
}

static memory_share *share_take(memory_group *group, memory_partition *partition)
{
    memory_share *share = memory_share_find(group, partition);
    if (share != NULL) {
        return share;
    }
    if (!memory_grow((void **)&group->shares, group->share_count, &group->share_capacity,
                     sizeof(memory_share))) {
        return NULL;
    }
    share = &group->shares[group->share_count++];
    *share = (memory_share){.partition = partition};
    return share;
}

/* The sessions are kept in range order, so the n-th that wants a topic is its n-th member. */
static uint64_t session_at(const memory_group *group, base_slice topic, size_t index)
{
    for (const memory_session *session = group->sessions; session != NULL;
         session = session->next) {
        if (memory_session_wants(session, topic)) {
            if (index == 0) {
                return session->id;
            }
            index--;
        }
    }
    return 0;
}

static void group_divide_topic(memory_group *group, memory_topic *topic)
{
    size_t member_count = 0;
    for (const memory_session *session = group->sessions; session != NULL;
         session = session->next) {
        member_count += memory_session_wants(session, topic->options.name) ? 1 : 0;
    }
    for (int32_t i = 0; i < topic->options.partition_count; i++) {
        memory_share *share = member_count > 0 ? share_take(group, &topic->partitions[i])
                                               : memory_share_find(group, &topic->partitions[i]);
        if (share == NULL) {
            continue; /* nobody's, or no memory: the next division tries again */
        }
        share->target = 0;
        if (member_count > 0) {
            share->target =
                session_at(group, topic->options.name,
                           log_range_index(member_count, topic->options.partition_count, i));
        }
        if (share->owner != 0 && memory_session_find(group, share->owner) == NULL) {
            share->owner = 0;
        }
    }
}

void memory_group_divide(memory_log *log, memory_group *group)
{
    group->generation++;
    for (memory_topic *topic = log->topics; topic != NULL; topic = topic->next) {
        group_divide_topic(group, topic);
    }
    for (const memory_member *member = log->members; member != NULL; member = member->next) {
        if (member->group == group) {
            memory_signal(member->event);
        }
    }
}

void memory_groups_divide(memory_log *log)
{
    for (memory_group *group = log->groups; group != NULL; group = group->next) {
        memory_group_divide(log, group);
    }
}

bool memory_group_remove(memory_group *group, const memory_session *session)
{
    for (memory_session **place = &group->sessions; *place != NULL; place = &(*place)->next) {
        if (*place == session) {
            memory_session *gone = *place;
            *place = gone->next;
            session_free(gone);
            return true;
        }
    }
    return false;
}

void memory_group_sweep(memory_log *log, memory_group *group)
{
    const int64_t now_ms = memory_steady_ms(log);
    bool changed = false;
    memory_session *session = log->down ? NULL : group->sessions;
    while (session != NULL) {
        memory_session *next = session->next;
        if (session->deadline_ms <= now_ms) {
            changed = memory_group_remove(group, session) || changed;
        }
        session = next;
    }
    if (changed) {
        memory_group_divide(log, group);
    }
}

static memory_group *group_find(memory_log *log, base_slice name)
{
    memory_group *group = log->groups;
    while (group != NULL && !base_slice_is(name, group->name)) {
        group = group->next;
    }
    return group;
}

memory_group *memory_group_take(memory_log *log, base_slice name)
{
    memory_group *group = group_find(log, name);
    if (group != NULL) {
        return group;
    }
    group = calloc(1, sizeof(*group));
    if (group == NULL) {
        return NULL;
    }
    group->name = memory_text(name);
    if (group->name == NULL) {
        free(group);
        return NULL;
    }
    group->next = log->groups;
    log->groups = group;
    return group;
}

void memory_groups_free(memory_log *log)
{
    while (log->groups != NULL) {
        memory_group *group = log->groups;
        log->groups = group->next;
        while (group->sessions != NULL) {
            (void)memory_group_remove(group, group->sessions);
        }
        free(group->shares);
        free(group->positions);
        free(group->name);
        free(group);
    }
}

/* ---- positions ---- */

static memory_position *position_find(const memory_group *group, const memory_partition *partition)
{
    for (size_t i = 0; i < group->position_count; i++) {
        if (group->positions[i].partition == partition) {
            return &group->positions[i];
        }
    }
    return NULL;
}

bool memory_positions_reserve(memory_group *group, size_t count)
{
    const size_t wanted = group->position_count + count;
    if (wanted <= group->position_capacity) {
        return true;
    }
    memory_position *grown = realloc(group->positions, 2 * wanted * sizeof(memory_position));
    if (grown == NULL) {
        return false;
    }
    group->positions = grown;
    group->position_capacity = 2 * wanted;
    return true;
}

void memory_positions_put(memory_log *log, memory_group *group, const log_position *positions,
                          size_t position_count)
{
    for (size_t i = 0; i < position_count; i++) {
        memory_partition *partition = NULL;
        const base_status found = memory_partition_find(log, positions[i].topic,
                                                        positions[i].partition, &partition, NULL);
        BASE_ASSERT(!base_failed(found)); /* checked at commit, and topics stay */
        memory_position *position = position_find(group, partition);
        if (position == NULL && memory_positions_reserve(group, 1)) {
            position = &group->positions[group->position_count++];
        }
        if (position != NULL) {
            *position = (memory_position){partition, positions[i].offset};
        }
    }
}

base_status memory_member_position(log_member *handle, base_slice topic, int32_t partition,
                                   int64_t *offset_out, base_error *error)
{
    const memory_member *member = (const memory_member *)handle;
    memory_log *log = member->log;
    memory_partition *found = NULL;
    memory_lock(log);
    base_status status = log->down ? memory_unreachable(log, error)
                                   : memory_partition_find(log, topic, partition, &found, error);
    if (!base_failed(status)) {
        const memory_position *position = position_find(member->group, found);
        if (position != NULL) {
            *offset_out = position->offset;
        } else {
            status =
                base_error_set(error, BASE_NOT_FOUND,
                               "group \"%s\" has no position in partition %d of topic \"%.*s\"",
                               member->group->name, (int)partition, BASE_SLICE_ARG(topic));
        }
    }
    memory_unlock(log);
    return status;
}

size_t log_memory_expel(log_store *store, base_slice group_name, base_slice identity)
{
    memory_log *log = memory_log_of(store);
    size_t expelled = 0;
    memory_lock(log);
    memory_group *group = group_find(log, group_name);
    memory_session *session = group != NULL ? group->sessions : NULL;
    while (session != NULL) {
        memory_session *next = session->next;
        if (identity.size == 0 || base_slice_is(identity, session->identity)) {
            expelled += memory_group_remove(group, session) ? 1 : 0;
        }
        session = next;
    }
    if (expelled > 0) {
        memory_group_divide(log, group);
    }
    memory_unlock(log);
    return expelled;
}
