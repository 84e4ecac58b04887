/*
 * Perform: one input of one instance, from the core's decision to what the batch will put on the
 * log.
 *
 *   input -> saga_decide -> entry -> journal record, fold (saga_evolve), events, dead letter
 *
 * An event that the log refused when the batch was made before is left out, and its step is told by
 * a second entry (SAGA_COMMAND_EMIT_REFUSED).
 */
#ifndef ENGINE_PERFORM_H
#define ENGINE_PERFORM_H

#include "base/error.h"
#include "engine/batch.h"
#include "engine/context.h"
#include "engine/partition.h"
#include "saga/entry.h"

typedef struct engine_performance {
    engine_partition *partition;
    engine_working *working;
    const engine_plan *plan;
    base_slice key;
    const saga_input *input;
    schema_cause cause;
    const schema_position *position; /* what the entry moves on; NULL: nothing */
    const schema_record
        *origin; /* the input as it stood on its own topic, for a dead letter; NULL: none */
} engine_performance;

/* Decides, and adds to the batch what follows. An input that makes no instance where there is none
 * leaves no entry. Errors: OUT_OF_MEMORY, TOO_LARGE: this input cannot be; roll back and make the
 * batch again without it. */
base_status engine_perform(engine_batch *batch, const engine_context *context,
                           const engine_performance *performance, base_error *error) BASE_MUST_USE;

#endif
