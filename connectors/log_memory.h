/*
 * The memory log, from behind: what tests and the simulator do to it that no user of a log can.
 *
 * The functions take a store that log_open("memory:...") gave, and act on the log that all stores
 * of that name in this process share. Any thread. A log lives as long as one store of its name is
 * open.
 *
 * With a clock set, time is virtual: the log asks it for every time it needs (record times, session
 * and transaction time-outs, retention), and no call ever waits; polls look once and return,
 * whatever timeout they are given.
 */
#ifndef CONNECTORS_LOG_MEMORY_H
#define CONNECTORS_LOG_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"
#include "connectors/log.h"

/* Virtual time in milliseconds since 1970; it must not call the log. NULL goes back to the
 * machine's clocks. */
void log_memory_set_clock(log_store *store, int64_t (*now_ms)(void *context), void *context);

/* What becomes of a commit. The transaction is as log_writer_commit left it when the fault strikes:
 * whole, its checks (fencing, membership) passed. */
typedef enum log_memory_fault {
    /* Nothing is written; ABORTED. */
    LOG_MEMORY_COMMIT_ABORTED,
    /* Nothing is written; UNREACHABLE. */
    LOG_MEMORY_COMMIT_UNREACHABLE,
    /* It is written; OUTCOME_UNKNOWN. */
    LOG_MEMORY_COMMIT_UNKNOWN_APPLIED,
    /* It stays open until a successor or the time-out aborts it; OUTCOME_UNKNOWN. */
    LOG_MEMORY_COMMIT_UNKNOWN_OPEN,
    /* As UNKNOWN_OPEN, but log_memory_deliver commits it if it is open still. */
    LOG_MEMORY_COMMIT_LATE,
    /* And those that break the promise of transactions (docs/design.md 5: nothing rests on it
     * alone). OUTCOME_UNKNOWN; log_memory_deliver writes the records behind the then ends, whoever
     * has been fenced; the positions are never written. */
    LOG_MEMORY_COMMIT_ZOMBIE,
    /* Success; log_memory_deliver writes the records once more. */
    LOG_MEMORY_COMMIT_TWICE,
    /* OUTCOME_UNKNOWN; of the n partitions written to, in order of first use, only the first n / 2
     * get their records; the positions are not written. */
    LOG_MEMORY_COMMIT_TORN
} log_memory_fault;

/* The next commit of the identity (empty: of any writer) meets the fault. Several wait in the order
 * they were given. */
base_status log_memory_fail_commit(log_store *store, base_slice identity,
                                   log_memory_fault fault) BASE_MUST_USE;
/* Commits what is LATE, writes what ZOMBIE and TWICE keep; returns how many transactions that were.
 */
size_t log_memory_deliver(log_store *store);

/* Nobody answers: polls of readers, appends, commits and look-ups are UNREACHABLE (and the
 * transaction is aborted); members hear nothing. When it is up again sessions begin anew. */
void log_memory_set_down(log_store *store, bool down);
/* Fences the writer of the identity as if a successor had opened it. false: there is none. */
bool log_memory_fence(log_store *store, base_slice identity);
/* Expels members of a group as if their session had timed out: those of the identity, or (empty)
 * all. How many. */
size_t log_memory_expel(log_store *store, base_slice group, base_slice identity);
/* Cuts a partition down to the offsets [begin, end) of those that it has (end -1: leaves the end).
 * What was written to it in open transactions is lost silently when it is cut. NOT_FOUND: no such
 * partition. */
base_status log_memory_truncate(log_store *store, base_slice topic, int32_t partition,
                                int64_t begin, int64_t end) BASE_MUST_USE;

#endif
