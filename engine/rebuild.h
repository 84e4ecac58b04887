/*
 * Rebuild: a partition's fold made anew, from the journal's first record or from the newest
 * snapshots and the tail.
 *
 *   snapshots   [state a][state b][claim][state a][checkpoint: journal 420]
 *               the last record of a key counts
 *   journal     ............................|420  entry entry claim entry       the tail
 *
 * A checkpoint at journal offset O says: whatever an instance was at O, its snapshot is that or
 * newer. Snapshots newer than O are fine: the entries between are then duplicates, which change
 * nothing.
 *
 * A writer that was replaced may still write a snapshot of what only it believed. Every claim is
 * also marked among the snapshots, every snapshot carries its writer's epoch; so one of an older
 * epoch behind a mark shows. Unless a newer one of the same key follows, the rebuild begins at the
 * journal's first record instead, and the next checkpoint writes all snapshots anew.
 *
 * A log that repeats a transaction (docs/design.md, 5) puts an old snapshot behind newer ones. So a
 * writer numbers its snapshots; one whose number goes back shows, and is treated as that of a
 * replaced writer.
 */
#ifndef ENGINE_REBUILD_H
#define ENGINE_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "engine/partition.h"
#include "schemas/record.h"

#define ENGINE_SNAPSHOT_EPOCH_HEADER "troupe-epoch"
#define ENGINE_SNAPSHOT_ORDER_HEADER                                                               \
    "troupe-order" /* of the writer's, ascending; claims have none */

/* Folds one record of the journal. What cannot be read is logged, counted and passed over: it shows
 * as a gap where an instance missed it. Commits by itself now and then; the caller commits after
 * the last one. Errors: OUT_OF_MEMORY, and those of reading the definitions when a plan is not
 * known yet. */
base_status engine_rebuild_journal(engine_partition *partition, const schema_record *record,
                                   base_error *error) BASE_MUST_USE;
/* Takes in one record of the snapshots topic, in order; *tail_out is set by a checkpoint: where the
 * journal is read from. When partition->foreign_count is not 0 in the end, they are of no use. */
base_status engine_rebuild_snapshot(engine_partition *partition, const schema_record *record,
                                    int64_t *tail_out, base_error *error) BASE_MUST_USE;
/* After the last snapshot: finds every instance's next timer. */
base_status engine_rebuild_timers(engine_partition *partition, base_error *error) BASE_MUST_USE;

/* A whole rebuild for readers. until: the journal offset to stop before, INT64_MAX for its end;
 * *end_out (may be NULL): where it stopped. */
base_status engine_rebuild(engine_partition *partition, log_store *store, bool use_snapshots,
                           int64_t until, int64_t *end_out, base_error *error) BASE_MUST_USE;

/* All that the fold holds, as bytes: equal folds are equal bytes. Lives: in arena. */
base_status engine_rebuild_image(engine_partition *partition, base_arena *arena,
                                 base_slice *bytes_out, base_error *error) BASE_MUST_USE;

/* Keys of the snapshots topic: "s/saga/key", "p/saga/key" (events that wait), "claim",
 * "checkpoint". */
base_status engine_snapshot_key(bool parked, base_slice saga, base_slice key, base_arena *arena,
                                base_slice *key_out) BASE_MUST_USE;
base_slice engine_snapshot_checkpoint_key(void);
base_slice engine_snapshot_claim_key(void);

#endif
