/*
 * Checkpoint: snapshots of what changed, a few with every batch, so that a take-over reads a short
 * tail.
 *
 *   begin     O = end of the journal; the positions there; all instances that changed since their
 * last snapshot
 *   ...       their snapshots, some a batch, as they are at that time: at O or newer
 *   end       the checkpoint record, which names O
 *
 * Snapshots and checkpoint go out in the transactions of ordinary batches.
 */
#ifndef ENGINE_CHECKPOINT_H
#define ENGINE_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/batch.h"
#include "engine/context.h"
#include "engine/partition.h"

typedef struct engine_checkpoint {
    bool running;
    bool disabled;       /* a snapshot was refused: told once */
    engine_slot **slots; /* to be written */
    size_t slot_count;
    size_t slot_capacity;
    size_t next;        /* written and committed up to here */
    size_t staged_next; /* ... with the batch that is being made */
    bool staged_end;    /* the checkpoint record is in that batch */
    base_slice bytes;   /* the record */
    uint64_t changes;   /* of the fold when it began */
    int64_t last_ms;    /* steady time of the last one */
} engine_checkpoint;

void engine_checkpoint_init(engine_checkpoint *checkpoint, int64_t steady_ms);
void engine_checkpoint_deinit(engine_checkpoint *checkpoint);
/* Adds to the batch what is due; begins a checkpoint when enough changed. Errors: those of
 * log_range. */
base_status engine_checkpoint_add(engine_checkpoint *checkpoint, engine_batch *batch,
                                  const engine_context *context, engine_partition *partition,
                                  base_error *error) BASE_MUST_USE;
/* The batch was committed; to be called before the partition's own commit. */
void engine_checkpoint_committed(engine_checkpoint *checkpoint, engine_batch *batch,
                                 engine_context *context, engine_partition *partition);
/* The batch was dropped. */
void engine_checkpoint_rollback(engine_checkpoint *checkpoint);
/* In how many milliseconds there will be something to do, if nothing else happens; INT64_MAX:
 * nothing. */
int64_t engine_checkpoint_due_in(const engine_checkpoint *checkpoint, const engine_context *context,
                                 const engine_partition *partition);

/* A record of the snapshots topic, with the writer's epoch. Lives: in arena. */
base_status engine_checkpoint_record(const engine_context *context, int32_t partition,
                                     uint64_t epoch, base_slice key, base_slice value,
                                     base_arena *arena, schema_record *record_out) BASE_MUST_USE;

#endif
