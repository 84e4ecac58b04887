/*
 * Proof: what the last writer put in the journal, it also meant to publish; was it?
 *
 * Entries and the events that follow from them are one transaction, so as a rule both are there or
 * neither is. But nothing rests on the log's transactions alone (docs/design.md, 5): a late commit
 * may have finished half of one. So a take-over looks at the entries of the journal's last batch,
 * makes their events again from the entries, looks for their ids where they belong, and publishes
 * again, byte for byte, those that are not there.
 *
 * The records of one batch carry one time; that is how the last batch is told.
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

/* The entries of the last batch seen, as bytes. */
typedef struct engine_tail {
    int64_t time_ms;
    uint64_t epoch;
    base_slice *records;
    size_t count;
    size_t capacity;
} engine_tail;

void engine_tail_deinit(engine_tail *tail);
/* Remembers a record of the journal, in order, if it may be of the last batch. claimed: the epoch
 * of the newest claim before it. */
void engine_tail_add(engine_tail *tail, const schema_record *record, uint64_t claimed);

/* Finds which events of the tail's entries are not on the log, and appends them to the writer,
 * uncommitted; *missing_out counts them. Blocks. */
base_status engine_proof(const engine_context *context, const engine_partition *partition,
                         const engine_tail *tail, log_writer *writer, size_t *missing_out,
                         base_error *error) BASE_MUST_USE;

#endif
