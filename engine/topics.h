/*
 * Topics: the names of Troupe's own topics (docs/design.md, 4), and making sure they are there.
 */
#ifndef ENGINE_TOPICS_H
#define ENGINE_TOPICS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "connectors/log.h"

typedef struct engine_topics {
    base_slice definitions;
    base_slice inbox;
    base_slice journal;
    base_slice events;
    base_slice snapshots;
    base_slice dead_letters;
} engine_topics;

/* The names under a prefix. Lives: in arena. */
base_status engine_topics_name(base_slice prefix, base_arena *arena,
                               engine_topics *topics_out) BASE_MUST_USE;

/* Makes what is missing and may be made, then checks that inbox, journal and snapshots have
 * `partitions` partitions. NOT_FOUND: one is missing and create is false. CONFLICT: another number
 * of partitions, or a definitions topic with more than one; the error says what to do. Blocks. */
base_status engine_topics_ensure(log_store *store, const engine_topics *topics, int32_t partitions,
                                 int16_t replication, bool create, int32_t timeout_ms,
                                 base_error *error) BASE_MUST_USE;

#endif
