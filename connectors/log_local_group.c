/*
 * The local log's consumer groups, in tables: who is a member, who should have each partition, who
 * has it.
 *
 * There is no coordinator process. Whoever changes a group (joins, leaves, releases, finds a lease
 * run out) divides it anew in the same write transaction and counts the generation on; the others
 * see the new generation when they poll. A partition changes hands in two steps, so it never has
 * two owners:
 *
 *   owner A, target A --(B joins)--> owner A, target B --(A releases, or its lease runs out)-->
 * owner 0, target B
 *   --(B polls)--> owner B
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "connectors/log_local_model.h"
#include "connectors/log_shared.h"

#define GROUP_ARENA_SIZE_MAX ((size_t)16 * 1024 * 1024)

typedef struct group_member {
    int64_t id;
    base_slice identity;
    int64_t joined;
    base_slice topics; /* separated by line feeds */
} group_member;

typedef struct group_members {
    base_arena arena;
    group_member *members; /* in range order; in the arena */
    size_t count;
} group_members;

static bool topic_next(base_slice *rest, base_slice *name_out)
{
    if (rest->size == 0) {
        return false;
    }
    const char *end = memchr(rest->data, '\n', rest->size);
    const size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
    *name_out = base_slice_make(rest->data, size);
    const size_t used = end != NULL ? size + 1 : size;
    rest->data += used;
    rest->size -= used;
    return true;
}

static bool member_wants(const group_member *member, base_slice topic)
{
    base_slice rest = member->topics;
    base_slice name;
    while (topic_next(&rest, &name)) {
        if (base_slice_equal(name, topic)) {
            return true;
        }
    }
    return false;
}

static bool member_add(group_members *group, size_t *capacity, const group_member *member)
{
    if (group->count == *capacity) {
        const size_t size = *capacity * sizeof(group_member);
        group_member *grown = base_arena_grow(&group->arena, group->members, size,
                                              2 * size + 8 * sizeof(group_member));
        if (grown == NULL) {
            return false;
        }
        group->members = grown;
        *capacity = 2 * *capacity + 8;
    }
    size_t place = group->count++;
    while (place > 0 && log_range_compare(group->members[place - 1].identity,
                                          (uint64_t)group->members[place - 1].joined,
                                          member->identity, (uint64_t)member->joined) > 0) {
        group->members[place] = group->members[place - 1];
        place--;
    }
    group->members[place] = *member;
    return true;
}

static base_status members_load(local_db *db, int64_t group_id, group_members *group,
                                base_error *error)
{
    bool row = true;
    size_t capacity = 0;
    local_bind_integer(db, LOCAL_MEMBER_LIST, 1, group_id);
    for (;;) {
        BASE_TRY(local_step(db, LOCAL_MEMBER_LIST, &row, error));
        if (!row) {
            return base_ok();
        }
        const group_member member = {
            .id = local_column_integer(db, LOCAL_MEMBER_LIST, 0),
            .identity =
                base_arena_copy(&group->arena, local_column_bytes(db, LOCAL_MEMBER_LIST, 1)),
            .joined = local_column_integer(db, LOCAL_MEMBER_LIST, 2),
            .topics = base_arena_copy(&group->arena, local_column_bytes(db, LOCAL_MEMBER_LIST, 3))};
        if (member.identity.data == NULL || member.topics.data == NULL ||
            !member_add(group, &capacity, &member)) {
            local_reset(db, LOCAL_MEMBER_LIST);
            return local_exhausted(error);
        }
    }
}

static base_status topic_divide(local_db *db, local_topics *topics, int64_t group_id,
                                const group_members *group, base_slice name, base_error *error)
{
    local_topic *topic = NULL;
    const base_status found = local_topic_find(db, topics, name, &topic, NULL);
    if (found.code == BASE_NOT_FOUND) {
        return base_ok(); /* it is divided when it is made */
    }
    BASE_TRY(found);
    const local_topic known = *topic;
    size_t member_count = 0;
    for (size_t i = 0; i < group->count; i++) {
        member_count += member_wants(&group->members[i], name) ? 1 : 0;
    }
    for (int32_t partition = 0; partition < known.partition_count; partition++) {
        size_t left = log_range_index(member_count, known.partition_count, partition);
        size_t place = 0;
        while (!member_wants(&group->members[place], name) || left-- > 0) {
            place++;
        }
        local_bind_integer(db, LOCAL_SHARE_TARGET, 1, group_id);
        local_bind_integer(db, LOCAL_SHARE_TARGET, 2, known.first_partition_id + partition);
        local_bind_integer(db, LOCAL_SHARE_TARGET, 3, group->members[place].id);
        BASE_TRY(local_run(db, LOCAL_SHARE_TARGET, error));
    }
    return base_ok();
}

/* Every topic once: with the first member that wants it. */
static base_status topics_divide(local_db *db, local_topics *topics, int64_t group_id,
                                 const group_members *group, base_error *error)
{
    for (size_t i = 0; i < group->count; i++) {
        base_slice rest = group->members[i].topics;
        base_slice name;
        while (topic_next(&rest, &name)) {
            bool earlier = false;
            for (size_t k = 0; k < i && !earlier; k++) {
                earlier = member_wants(&group->members[k], name);
            }
            if (!earlier) {
                BASE_TRY(topic_divide(db, topics, group_id, group, name, error));
            }
        }
    }
    return base_ok();
}

base_status local_group_divide(local_db *db, local_topics *topics, int64_t group_id,
                               base_error *error)
{
    local_bind_integer(db, LOCAL_SHARE_ORPHANS, 1, group_id);
    BASE_TRY(local_run(db, LOCAL_SHARE_ORPHANS, error));
    local_bind_integer(db, LOCAL_SHARE_UNTARGET, 1, group_id);
    BASE_TRY(local_run(db, LOCAL_SHARE_UNTARGET, error));
    local_bind_integer(db, LOCAL_GROUP_BUMP, 1, group_id);
    BASE_TRY(local_run(db, LOCAL_GROUP_BUMP, error));
    group_members group = {.count = 0};
    base_arena_init(&group.arena, GROUP_ARENA_SIZE_MAX);
    base_status status = members_load(db, group_id, &group, error);
    if (!base_failed(status)) {
        status = topics_divide(db, topics, group_id, &group, error);
    }
    base_arena_deinit(&group.arena);
    return status;
}

base_status local_group_sweep(local_db *db, local_topics *topics, int64_t group_id,
                              int64_t member_id, bool *changed_out, base_error *error)
{
    local_bind_integer(db, LOCAL_MEMBER_EXPIRE, 1, group_id);
    local_bind_integer(db, LOCAL_MEMBER_EXPIRE, 2, log_steady_ms());
    local_bind_integer(db, LOCAL_MEMBER_EXPIRE, 3, member_id);
    BASE_TRY(local_run(db, LOCAL_MEMBER_EXPIRE, error));
    const bool changed = local_changes(db) > 0;
    if (changed) {
        BASE_TRY(local_group_divide(db, topics, group_id, error));
    }
    *changed_out = changed;
    return base_ok();
}

base_status local_groups_divide(local_db *db, local_topics *topics, base_error *error)
{
    bool row = true;
    base_status status = base_ok();
    while (!base_failed(status) && row) {
        status = local_step(db, LOCAL_GROUP_LIST, &row, error);
        if (!base_failed(status) && row) {
            status = local_group_divide(db, topics, local_column_integer(db, LOCAL_GROUP_LIST, 0),
                                        error);
        }
    }
    local_reset(db, LOCAL_GROUP_LIST);
    return status;
}

/* The machine's boot id, or empty where it is not told. */
static void boot_id(char *text, size_t text_size)
{
    text[0] = '\0';
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file != NULL) {
        if (fgets(text, (int)text_size, file) == NULL) {
            text[0] = '\0';
        }
        (void)fclose(file);
    }
    text[strcspn(text, "\n")] = '\0';
}

base_status local_groups_reboot(local_db *db, base_error *error)
{
    char now[64];
    bool row = false;
    boot_id(now, sizeof(now));
    BASE_TRY(local_step(db, LOCAL_BOOT_GET, &row, error));
    const bool same = row && base_slice_is(local_column_bytes(db, LOCAL_BOOT_GET, 0), now);
    local_reset(db, LOCAL_BOOT_GET);
    if (same) {
        return base_ok();
    }
    BASE_TRY(local_run(db, LOCAL_MEMBER_REBOOT_DELETE, error));
    local_bind_integer(db, LOCAL_MEMBER_REBOOT_GRACE, 1, log_steady_ms());
    BASE_TRY(local_run(db, LOCAL_MEMBER_REBOOT_GRACE, error));
    local_bind_text(db, LOCAL_BOOT_PUT, 1, base_slice_of(now));
    BASE_TRY(local_run(db, LOCAL_BOOT_PUT, error));
    local_topics topics;
    local_topics_init(&topics);
    const base_status status = local_groups_divide(db, &topics, error);
    local_topics_deinit(&topics);
    return status;
}
