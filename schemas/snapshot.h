/*
 * Snapshots: the state of an instance as bytes, in `<prefix>.snapshots` and in memory while the
 * instance is idle; and the checkpoint of a partition, which says from where its journal is read
 * on. Avro single-object encoding as in schemas/journal.h, by schemas/troupe.snapshot.avsc;
 * canonical, so equal states are equal bytes (what came first in the dedupe ring stands first,
 * wherever the ring began).
 */
#ifndef SCHEMAS_SNAPSHOT_H
#define SCHEMAS_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "saga/state.h"
#include "schemas/journal.h"

typedef enum schema_snapshot_kind {
    SCHEMA_SNAPSHOT_STATE,
    SCHEMA_SNAPSHOT_CHECKPOINT
} schema_snapshot_kind;

/* What a record of the snapshots topic is. Errors: CORRUPT, UNSUPPORTED. */
base_status schema_snapshot_kind_of(base_slice bytes, schema_snapshot_kind *kind_out,
                                    base_error *error) BASE_MUST_USE;

/* Lives: bytes in arena. Errors: OUT_OF_MEMORY; BAD_INPUT for a plan hash that is no hex. */
base_status schema_snapshot_write(const saga_state *state, base_arena *arena, base_slice *bytes_out,
                                  base_error *error) BASE_MUST_USE;
/* Lives: in arena; strings and bytes borrow from `bytes`. What is read passes saga_state_check.
 * Errors: CORRUPT, UNSUPPORTED, OUT_OF_MEMORY. */
base_status schema_snapshot_read(base_slice bytes, base_arena *arena, saga_state *state_out,
                                 base_error *error) BASE_MUST_USE;

typedef struct schema_checkpoint {
    int32_t partition;      /* of the journal */
    int64_t journal_offset; /* the tail is read from here: what lies before is in the snapshots */
    uint64_t epoch;
    int64_t at_ms;
    const schema_position *positions; /* of all sources at journal_offset */
    size_t position_count;
} schema_checkpoint;

base_status schema_checkpoint_write(const schema_checkpoint *checkpoint, base_arena *arena,
                                    base_slice *bytes_out, base_error *error) BASE_MUST_USE;
base_status schema_checkpoint_read(base_slice bytes, base_arena *arena,
                                   schema_checkpoint *checkpoint_out,
                                   base_error *error) BASE_MUST_USE;

#endif
