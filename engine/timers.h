/*
 * Timers: time waits for input (docs/design.md, 4).
 *
 *   T passes -> where does every source of the partition end now? (barrier)
 *            -> read and decide up to there
 *            -> only now is the timer of T handed to the core
 *
 * So after an outage the answers that wait in the log come before the time-outs that they beat. One
 * barrier serves all timers that were due when it was taken. A source that cannot be read on does
 * not hold it up.
 */
#ifndef ENGINE_TIMERS_H
#define ENGINE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/batch.h"
#include "engine/context.h"
#include "engine/partition.h"

typedef struct engine_barrier {
    bool standing;
    int64_t time_ms; /* when it was taken: timers due by then may fire once it is reached */
} engine_barrier;

/* Looks whether timers of the partition may fire: *until_out is the time up to which, or -1. Takes
 * a barrier where one is needed; with one standing, *waiting_out: there is more to read first.
 * Errors: those of log_range. */
base_status engine_timers_look(const engine_context *context, engine_partition *partition,
                               engine_barrier *barrier, const log_reader *reader, int64_t now_ms,
                               int64_t *until_out, bool *waiting_out,
                               base_error *error) BASE_MUST_USE;

/* Hands the timers due by until_ms to their instances, at most instance_max of these. Errors:
 * OUT_OF_MEMORY, TOO_LARGE: one cannot be handled; roll back and make the batch again without it
 * (engine_batch_refuse_item). */
base_status engine_timers_fire(engine_batch *batch, engine_context *context,
                               engine_partition *partition, int64_t until_ms, size_t instance_max,
                               base_error *error) BASE_MUST_USE;

/* When the partition's next timer is due; ENGINE_NEVER: none. */
int64_t engine_timers_next(const engine_partition *partition);

#endif
