/*
 * Worker: the engine's loop, one step at a time. It is a member of the group on the inbox, holds
 * the partitions that the group gives it, and does the walk of docs/design.md, 8:
 *
 *   read -> intake (-> inbox) -> decide -> entry -> evolve -> batch -> one transaction on the log
 *
 * Everything it knows of time comes from the clock it is given, and it blocks nowhere but in the
 * log; so a simulator can step several workers in one thread. What goes wrong and may come right is
 * logged once and tried again, with growing pauses; nothing that was read is lost meanwhile,
 * because what is not committed is read again.
 */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "connectors/log.h"
#include "engine/clock.h"
#include "engine/config.h"
#include "engine/context.h"
#include "engine/logger.h"
#include "engine/partition.h"

typedef struct engine_worker engine_worker;

typedef struct engine_worker_options {
    const engine_config *config; /* finished; borrowed */
    log_store *store;            /* borrowed */
    engine_clock clock;
    engine_logger logger;
    base_slice name; /* unlike any other worker's, and any earlier one's; copied */
} engine_worker_options;

/* Makes sure of the topics, reads the definitions, joins the group. Blocks. Errors: those of the
 * log; CONFLICT: topics with another number of partitions. */
base_status engine_worker_open(const engine_worker_options *options, engine_worker **worker_out,
                               base_error *error) BASE_MUST_USE;
/* Lets go of everything; what is not committed is as if it had not been read. leave: give the
 * partitions to others at once, also with an identity. NULL is fine. */
void engine_worker_close(engine_worker *worker, bool leave);

/* One turn of the loop; waits up to timeout_ms for something to do. Failures that may pass are
 * handled inside. Errors, after which only close is left: FENCED: another worker has our identity;
 * FATAL, IO, CORRUPT, OUT_OF_MEMORY. */
base_status engine_worker_step(engine_worker *worker, int32_t timeout_ms,
                               base_error *error) BASE_MUST_USE;
/* Makes a step that waits in another thread return soon. Any thread, and from a signal handler. */
void engine_worker_wake(engine_worker *worker);

/* ---- looking, between steps ---- */
const engine_counters *engine_worker_counters(const engine_worker *worker);
/* Partitions that are active, and those that are still being taken over. */
void engine_worker_partitions(const engine_worker *worker, size_t *active_out, size_t *waiting_out);
/* The fold of an active partition, or NULL. Lives until the next step. */
engine_partition *engine_worker_partition(const engine_worker *worker, int32_t partition);
/* Nothing was read, decided or written by the last step, and it waits for nothing that is there. */
bool engine_worker_idle(const engine_worker *worker);
/* When the next timer is due; INT64_MAX: none. */
int64_t engine_worker_next_timer_ms(const engine_worker *worker);

#endif
