/*
 * Proof: what the last writer put in the journal, it also meant to publish and to forward; did it?
 *
 * Entries and what follows from them are one transaction, so as a rule all of it is there or
 * nothing is. But nothing rests on the log's transactions alone (docs/design.md, 5): a late commit
 * may have finished half of one. So a take-over looks at the journal's last batch:
 *
 *   its entries                         their events are made again from them, and looked for by id
 *   the source records that it moved    are read once more, and what is to be forwarded is looked
 *   past                                for by origin
 *
 * What is not there is written again: events byte for byte. The records of one batch carry one
 * time; that is how the last batch is told.
 */
#ifndef ENGINE_PROOF_H
#define ENGINE_PROOF_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "connectors/log.h"
#include "engine/context.h"
#include "engine/partition.h"
#include "schemas/record.h"

/* The last batch of a journal partition, as it is folded. */
typedef struct engine_tail {
    int64_t time_ms;
    uint64_t epoch;
    base_slice *records; /* entries, as bytes */
    size_t count;
    size_t capacity;
    engine_source
        *before; /* where the sources stood before it; topics borrowed from the partition */
    size_t before_count;
    size_t before_capacity;
} engine_tail;

void engine_tail_deinit(engine_tail *tail);
/* To be called with every record of the journal before it is folded into the partition. */
void engine_tail_add(engine_tail *tail, const schema_record *record,
                     const engine_partition *partition);

/* Finds what of the tail's batch is not on the log, and writes it in one transaction; *missing_out
 * counts it. What is too large for the log is left out: it was not written then either. Blocks. */
base_status engine_proof(engine_context *context, engine_partition *partition,
                         const engine_tail *tail, log_writer *writer, size_t *missing_out,
                         base_error *error) BASE_MUST_USE;

#endif
