#include "engine/topics.h"

#define DAY_MS INT64_C(86400000)
#define INBOX_RETENTION_MS (30 * DAY_MS)  /* far longer than an engine is away */
#define EVENTS_RETENTION_MS (30 * DAY_MS) /* the user's to change */
#define DEAD_RETENTION_MS (365 * DAY_MS)

static base_status name(base_slice prefix, const char *suffix, base_arena *arena, base_slice *out)
{
    *out = base_arena_print(arena, "%.*s.%s", BASE_SLICE_ARG(prefix), suffix);
    return out->data == NULL ? base_status_of(BASE_OUT_OF_MEMORY) : base_ok();
}

base_status engine_topics_name(base_slice prefix, base_arena *arena, engine_topics *topics_out)
{
    BASE_TRY(name(prefix, "definitions", arena, &topics_out->definitions));
    BASE_TRY(name(prefix, "inbox", arena, &topics_out->inbox));
    BASE_TRY(name(prefix, "journal", arena, &topics_out->journal));
    BASE_TRY(name(prefix, "events", arena, &topics_out->events));
    BASE_TRY(name(prefix, "snapshots", arena, &topics_out->snapshots));
    return name(prefix, "dead-letters", arena, &topics_out->dead_letters);
}

static base_status check_count(log_store *store, base_slice topic, int32_t wanted,
                               base_error *error)
{
    int32_t count = 0;
    const base_status found = log_topic_partitions(store, topic, &count, error);
    if (found.code == BASE_NOT_FOUND) {
        base_error_hint(error,
                        "make it with %d partitions, or let the engine do it (create_topics)",
                        (int)wanted);
    }
    BASE_TRY(found);
    if (count == wanted) {
        return base_ok();
    }
    const base_status status =
        base_error_set(error, BASE_CONFLICT, "topic \"%.*s\" has %d partitions, %d are configured",
                       BASE_SLICE_ARG(topic), (int)count, (int)wanted);
    base_error_hint(error, "the number is fixed when the topics are made: set partitions: %d",
                    (int)count);
    return status;
}

base_status engine_topics_ensure(log_store *store, const engine_topics *topics, int32_t partitions,
                                 int16_t replication, bool create, int32_t timeout_ms,
                                 base_error *error)
{
    const log_topic_options wanted[] = {
        {topics->definitions, 1, replication, LOG_CLEANUP_COMPACT, -1, -1},
        {topics->inbox, partitions, replication, LOG_CLEANUP_DELETE, INBOX_RETENTION_MS, -1},
        {topics->journal, partitions, replication, LOG_CLEANUP_DELETE, -1, -1},
        {topics->events, partitions, replication, LOG_CLEANUP_DELETE, EVENTS_RETENTION_MS, -1},
        {topics->snapshots, partitions, replication, LOG_CLEANUP_COMPACT, -1, -1},
        {topics->dead_letters, partitions, replication, LOG_CLEANUP_DELETE, DEAD_RETENTION_MS, -1},
    };
    const size_t count = sizeof(wanted) / sizeof(wanted[0]);
    if (create) {
        BASE_TRY(log_topics_ensure(store, wanted, count, timeout_ms, error));
    }
    BASE_TRY(check_count(store, topics->definitions, 1, error));
    BASE_TRY(check_count(store, topics->inbox, partitions, error));
    BASE_TRY(check_count(store, topics->journal, partitions, error));
    return check_count(store, topics->snapshots, partitions, error);
}
