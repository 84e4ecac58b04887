/*
 * Take-over: from "this partition is yours" to "now decide" (engine/holding.h; docs/design.md, 4).
 * Works in small steps beside the partitions that are active already, all new partitions at the
 * same time.
 */
#ifndef ENGINE_TAKEOVER_H
#define ENGINE_TAKEOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "connectors/log.h"
#include "engine/context.h"
#include "engine/holding.h"

/* Makes the holding of a partition; nothing is read yet. */
engine_holding *engine_takeover_new(engine_context *context, int32_t partition);
void engine_holding_free(engine_holding *holding);

/* Is it still on its way? */
bool engine_takeover_waits(const engine_holding *holding);

/* Brings all holdings that are not active one step on; those that are NULL or active are passed
 * over. `reader` reads nothing but for this. Waits for records up to timeout_ms. Errors: those of
 * reading and writing; the step can be called again, but for FENCED and UNKNOWN classes: then let
 * go of everything. */
base_status engine_takeover_step(engine_context *context, engine_holding *const *holdings,
                                 size_t count, log_reader *reader, log_writer *writer,
                                 log_member *member, int32_t timeout_ms,
                                 base_error *error) BASE_MUST_USE;
/* Stops reading for a holding that is given back before it is active. */
void engine_takeover_stop(const engine_context *context, const engine_holding *holding,
                          log_reader *reader);

#endif
