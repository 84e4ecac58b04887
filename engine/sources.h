/*
 * Sources: what a partition reads (docs/design.md, 4). Owning partition p means the inbox's
 * partition p, and partition q of every topic that sagas name, for each q with q mod N = p.
 *
 * A source that is new to the journal begins where the configuration says; that choice is recorded
 * in the journal before the first record is read, and later changes of the configuration move
 * nothing. A position that the log no longer has stops its source, with an error; it never jumps.
 */
#ifndef ENGINE_SOURCES_H
#define ENGINE_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/batch.h"
#include "engine/context.h"
#include "engine/holding.h"

/* A topic and how many partitions it had when it was last looked at. */
typedef struct engine_topic_seen {
    base_slice name;
    int32_t partition_count; /* 0: it is not there */
    int32_t first_count; /* when it was first seen: partitions that came later are read from their
                            beginning */
} engine_topic_seen;

typedef struct engine_sources {
    engine_topic_seen *topics;
    size_t count;
    size_t capacity;
    bool stale;        /* look again: definitions changed, or a partition became active */
    int64_t looked_ms; /* steady time */
} engine_sources;

void engine_sources_init(engine_sources *sources);
void engine_sources_deinit(engine_sources *sources);

/* Is it time to look at the topics again? */
bool engine_sources_due(const engine_sources *sources, const engine_context *context);
/* Makes topics where they are missing and may be made, and counts their partitions. What cannot be
 * made or looked at is logged and tried again the next time; errors are those that a retry helps.
 */
base_status engine_sources_look(engine_sources *sources, engine_context *context,
                                base_error *error) BASE_MUST_USE;
/* Adds to the batch the first positions of sources that the holding's journal does not know;
 * *new_out: there are some, and engine_sources_assign is to wait for the batch's commit. */
base_status engine_sources_record(const engine_sources *sources, engine_context *context,
                                  engine_batch *batch, engine_holding *holding, bool *new_out,
                                  base_error *error) BASE_MUST_USE;
/* Starts reading what is known and not read yet. */
base_status engine_sources_assign(const engine_sources *sources, const engine_context *context,
                                  engine_holding *holding, log_reader *reader,
                                  base_error *error) BASE_MUST_USE;
/* Stops reading all of the holding's. */
void engine_sources_unassign(engine_holding *holding, log_reader *reader);
/* After the reader said POSITION_LOST or NOT_FOUND: finds the sources that it is about and stops
 * them. */
void engine_sources_stop_lost(engine_context *context, engine_holding *holding,
                              const log_reader *reader);

#endif
