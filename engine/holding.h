/*
 * Holding: a partition that this worker has been given, from the assignment to the day it is taken
 * away.
 *
 *   SNAPSHOTS -> TAIL -> CLAIM -> READBACK -> (PROOF) -> ACTIVE
 *   the fold is rebuilt    |        |            |        decides
 *                          |        |            `-- what the last writer may not have published is
 * published |        `-- the claim is read back: whatever stands before it has been folded
 *                          `-- a claim with a higher epoch is put on the log
 */
#ifndef ENGINE_HOLDING_H
#define ENGINE_HOLDING_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/checkpoint.h"
#include "engine/partition.h"
#include "engine/proof.h"
#include "engine/timers.h"

typedef enum engine_holding_phase {
    ENGINE_HOLDING_NEW,
    ENGINE_HOLDING_SNAPSHOTS,
    ENGINE_HOLDING_TAIL,
    ENGINE_HOLDING_CLAIM,
    ENGINE_HOLDING_READBACK,
    ENGINE_HOLDING_PROOF,
    ENGINE_HOLDING_ACTIVE,
    ENGINE_HOLDING_FAILED /* its journal cannot be read: told; left alone until it is given anew */
} engine_holding_phase;

typedef struct engine_holding {
    engine_partition fold;
    engine_holding_phase phase;
    int64_t tail;         /* where the journal is read from; LOG_OFFSET_BEGIN */
    int64_t end;          /* of what is being read, when it was looked at */
    uint64_t claim_epoch; /* of our claim */
    int64_t begun_ms;     /* steady time */
    int64_t claimed_ms;   /* steady time */
    engine_tail last;     /* the last batch of the journal */
    engine_barrier barrier;
    engine_checkpoint checkpoint;
} engine_holding;

#endif
