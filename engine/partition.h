/*
 * Partition: the fold of one partition of the journal.
 *
 *   journal record --engine_rebuild_journal-> working copies --engine_partition_commit--> slots
 *   decided here   --engine_partition_apply-/              \--engine_partition_rollback-->
 * forgotten
 *
 * What is folded: the instances, the events that wait for one, how far every source has been read,
 * who writes (epoch). The worker that decides and the reader that rebuilds go through the same
 * engine_partition_apply*, so a rebuild is the same by construction; the tests compare
 * engine_rebuild_image byte for byte all the same.
 *
 * Invariants
 *   - An entry whose epoch is older than the newest claim before it is ignored. The first claim of
 * an epoch counts.
 *   - A duplicate (seq already there) changes nothing; a gap sets that instance aside
 * (SAGA_FLAG_JOURNAL_GAP), and the partition goes on (docs/design.md, 5).
 *   - Positions only grow.
 *   - Between commits nothing of a batch is visible in a slot; a rollback leaves everything as the
 * last commit made it.
 */
#ifndef ENGINE_PARTITION_H
#define ENGINE_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "engine/catalog.h"
#include "engine/logger.h"
#include "engine/slots.h"
#include "saga/state.h"
#include "schemas/aside.h"
#include "schemas/journal.h"
#include "schemas/record.h"
#include "schemas/snapshot.h"

/* So long after `retain` an ended instance is purged by itself, unless an operator did it before.
 */
#define ENGINE_PURGE_AFTER_MS INT64_C(86400000)

/* A source: the inbox's partition, or a partition of a topic that sagas name. */
typedef struct engine_source {
    base_slice topic; /* the partition's own copy */
    int32_t partition;
    int64_t offset;    /* the next record; with what the batch that is being made has read */
    int64_t recorded;  /* ... as far as the journal records of the batch say it */
    int64_t committed; /* ... without the batch */
    bool known;        /* its position is in the journal */
    bool known_committed;
    /* The worker's; the fold leaves them alone. */
    bool assigned;   /* it is being read */
    bool stopped;    /* it cannot be read on: told, and left out of what timers wait for */
    int64_t barrier; /* timers wait until it is read up to here; -1: they do not */
} engine_source;

/* An instance in the batch that is being made. */
struct engine_working {
    engine_slot *slot;
    engine_working *next;
    const engine_plan *plan; /* of the state; NULL when there is no state */
    saga_state state;
    int64_t timer_taken; /* what a rollback puts back into the heap; ENGINE_NEVER: nothing */
    bool has_state;
    bool state_changed;
    bool parked_changed;
    schema_parked *parked;
    size_t parked_count;
    size_t parked_capacity;
};

typedef struct engine_fold_counters {
    uint64_t entries;    /* applied */
    uint64_t duplicates; /* ignored: the instance has that seq */
    uint64_t outdated;   /* ignored: of an older epoch behind a claim */
    uint64_t gaps;
    uint64_t unreadable; /* records that are none of ours */
} engine_fold_counters;

typedef struct engine_partition {
    int32_t number;
    engine_catalog *catalog;
    const engine_logger *logger;
    engine_slots slots;
    engine_source *sources;
    size_t source_count;
    size_t source_capacity;
    uint64_t epoch;          /* of the newest claim */
    char claimed_by[128];    /* worker of that claim */
    uint64_t snapshot_epoch; /* of the newest claim seen among the snapshots */
    uint64_t
        snapshot_order;   /* of the newest numbered snapshot, read or written (engine/rebuild.h) */
    uint64_t order_epoch; /* ... and its writer's epoch */
    size_t foreign_count; /* slots whose newest snapshot is of a writer that had been replaced */
    size_t parked_count;  /* events that wait, with the batch */
    size_t parked_committed;
    size_t
        unplanned_count; /* instances whose plan is not known: while there are any, no checkpoint */
    uint64_t changes;    /* entries and the like since the last checkpoint */
    engine_fold_counters counters;
    base_arena arena;   /* working copies */
    base_arena scratch; /* one record */
    engine_working *working_first;
    engine_working *working_last;
} engine_partition;

/* Borrows catalog and logger. */
void engine_partition_init(engine_partition *partition, int32_t number, engine_catalog *catalog,
                           const engine_logger *logger);
void engine_partition_deinit(engine_partition *partition);
/* Empties the fold, for the journal to be read from its first record. What the snapshots topic has
 * a record of is remembered, and written anew (or taken away) by the next checkpoint. */
void engine_partition_forget(engine_partition *partition);

/* ---- a batch ---- */

/* The instance's working copy, made from its slot where there is none yet; makes the slot too. */
base_status engine_partition_load(engine_partition *partition, base_slice saga, base_slice key,
                                  engine_working **working_out, base_error *error) BASE_MUST_USE;
/* The same, but NULL when neither an instance nor a waiting event is there. */
base_status engine_partition_peek(engine_partition *partition, base_slice saga, base_slice key,
                                  engine_working **working_out, base_error *error) BASE_MUST_USE;
/* Applies a record of the journal that was decided or read. */
base_status engine_partition_apply(engine_partition *partition, const schema_journal *journal,
                                   base_error *error) BASE_MUST_USE;
base_status engine_partition_apply_aside(engine_partition *partition, const schema_aside *aside,
                                         base_error *error) BASE_MUST_USE;
/* Writes the working copies back to the slots. Errors: OUT_OF_MEMORY, IO: the fold is of no further
 * use. */
base_status engine_partition_commit(engine_partition *partition, base_error *error) BASE_MUST_USE;
void engine_partition_rollback(engine_partition *partition);

/* Frees the slot when nothing is in it, nor in a snapshot of it, and nobody uses it. */
bool engine_partition_drop_void(engine_partition *partition, engine_slot *slot);

/* When a purged instance's key is forgotten, an ended one is purged; ENGINE_NEVER: neither. */
int64_t engine_partition_end_ms(const engine_working *working);

/* The source's place in partition->sources, made where there is none. */
size_t engine_partition_source(engine_partition *partition, base_slice topic,
                               int32_t source_partition);
/* The same as a pointer, which lives until the next source is made. */
engine_source *engine_partition_source_of(engine_partition *partition, base_slice topic,
                                          int32_t source_partition);

#endif
