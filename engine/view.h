/*
 * View: what stands on the log, for people and tools. Folds journals without joining the group and
 * writes nothing.
 *
 * A view is of the moment: each call reads up to the end that the log has then.
 */
#ifndef ENGINE_VIEW_H
#define ENGINE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "connectors/log.h"
#include "engine/catalog.h"
#include "engine/logger.h"
#include "engine/topics.h"
#include "saga/entry.h"
#include "saga/state.h"
#include "schemas/journal.h"

typedef struct engine_view {
    log_store *store;
    const engine_logger *logger;
    engine_topics topics;
    engine_catalog catalog;
    int32_t partition_count;
    base_arena arena;
} engine_view;

/* Borrows store and logger. NOT_FOUND: no engine has been here (there is no journal). Blocks. */
base_status engine_view_open(engine_view *view, log_store *store, base_slice prefix,
                             const engine_logger *logger, base_error *error) BASE_MUST_USE;
/* Accepts a zeroed view, and one that could not be opened. */
void engine_view_close(engine_view *view);

/* An instance as it is now. Lives during the call that hands it out. */
typedef struct engine_instance {
    base_slice saga;
    base_slice key;
    int32_t partition;
    const saga_plan *plan; /* NULL: its definition is not on the log */
    const saga_state *state;
    bool stuck;
} engine_instance;

typedef struct engine_filter {
    base_slice saga;           /* empty: any */
    base_slice key;            /* empty: any; reads one partition only */
    uint32_t phases;           /* bits 1 << saga_phase; 0: any */
    bool stuck;                /* only stuck ones */
    int64_t started_before_ms; /* 0: any */
} engine_filter;

/* Every instance that fits, by partition, then by saga and key. Stops at the first failure of
 * `each`, and returns it. */
base_status engine_view_list(engine_view *view, const engine_filter *filter,
                             base_status (*each)(void *context, const engine_instance *instance,
                                                 base_error *error),
                             void *context, base_error *error) BASE_MUST_USE;

/* One entry of an instance, and what the instance was after it. Lives during the call. */
typedef struct engine_moment {
    int32_t partition;
    int64_t offset; /* of the journal */
    uint64_t epoch;
    schema_cause cause;
    const saga_entry *entry;
    const saga_plan *plan;   /* NULL: its definition is not on the log; then `state` says little */
    const saga_state *state; /* after the entry */
} engine_moment;

/* The entries of an instance (all its incarnations), in their order, those left out that count for
 * nothing (duplicates, what an outdated writer wrote). Reads the journal from its beginning. */
base_status engine_view_history(engine_view *view, base_slice saga, base_slice key,
                                base_status (*each)(void *context, const engine_moment *moment,
                                                    base_error *error),
                                void *context, base_error *error) BASE_MUST_USE;

/* Is a partition the same rebuilt from zero and from snapshots, byte for byte? */
base_status engine_view_verify(engine_view *view, int32_t partition, bool *same_out,
                               base_error *error) BASE_MUST_USE;

#endif
