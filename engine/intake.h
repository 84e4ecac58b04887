/*
 * Intake: a record that was read, and where it goes (docs/design.md, 4, "the way in, one rule").
 *
 *   source or inbox record
 *     -> not an event, cannot be read           dead letter
 *     -> its instance lives on this partition    perform
 *     -> ... on another                          forward, through the inbox
 *     -> no instance yet: a start                perform, then what waited for it
 *                         anything else          park, for the event's early_for
 *     -> no saga knows it                        counted
 *
 * Every version of a saga looks at the record with its own eyes, and only instances of that version
 * take it; the newest version alone decides what no instance claims.
 */
#ifndef ENGINE_INTAKE_H
#define ENGINE_INTAKE_H

#include <stddef.h>

#include "base/error.h"
#include "engine/batch.h"
#include "engine/context.h"
#include "engine/partition.h"
#include "schemas/record.h"

/* Takes in a record of partition->sources[source]. Errors: OUT_OF_MEMORY, TOO_LARGE: it cannot be
 * handled; roll back and make the batch again without it (engine_batch_refuse_item). */
base_status engine_intake(engine_batch *batch, engine_context *context, engine_partition *partition,
                          size_t source, const schema_record *record,
                          base_error *error) BASE_MUST_USE;

/* What of a record that was taken in before is to be forwarded, and nothing else: for a proof that
 * it was. What is added is copied. */
base_status engine_intake_forwards(engine_batch *batch, engine_context *context,
                                   engine_partition *partition, size_t source,
                                   const schema_record *record, base_error *error) BASE_MUST_USE;

#endif
