/* The worker's inside, for worker.c (the walk) and worker_life.c (partitions and failures). */
#ifndef ENGINE_WORKER_STATE_H
#define ENGINE_WORKER_STATE_H

#include "engine/batch.h"
#include "engine/context.h"
#include "engine/holding.h"
#include "engine/sources.h"
#include "engine/worker.h"

struct engine_worker {
    engine_context context;
    log_member *member;
    log_reader *reader;        /* sources and definitions */
    log_reader *scanner;       /* take-overs */
    log_writer *writer;        /* NULL: to be opened */
    engine_holding **holdings; /* by partition number; NULL: not ours */
    engine_sources sources;
    engine_batch batch;

    const schema_record *records; /* of the last poll; until the next */
    size_t record_count;
    size_t record_next; /* first that is not committed */
    size_t record_end;  /* first that is not in the batch */
    bool pending;       /* the batch is made and not written yet */
    bool waiting;       /* some timer waits for input that is there */
    bool fresh;         /* a partition has just become active: the first poll does not wait */
    bool idle;

    int64_t retry_at_ms; /* steady time; 0: no failure stands */
    int64_t retry_pause_ms;
    int64_t committed_ms; /* steady time of the last commit */
};

/* ---- worker_life.c ---- */

/* What the group says. */
base_status engine_worker_membership(engine_worker *worker, int32_t timeout_ms,
                                     base_error *error) BASE_MUST_USE;
/* Brings partitions that were given on their way; reads topics that are new. */
base_status engine_worker_bring_up(engine_worker *worker, base_error *error) BASE_MUST_USE;
/* Handles a failure: pauses, or lets go of everything and begins anew; gives it back when there is
 * no going on. */
base_status engine_worker_failed(engine_worker *worker, const char *what, base_status status,
                                 base_error *error) BASE_MUST_USE;
/* Things went well: the next failure is a new one. */
void engine_worker_succeeded(engine_worker *worker);
/* Forgets the batch: what it had read is read again. */
void engine_worker_rewind(engine_worker *worker);

/* ---- worker.c ---- */

/* Puts the made batch on the log, making it again without what is refused. */
base_status engine_worker_write(engine_worker *worker, base_error *error) BASE_MUST_USE;

#endif
