/*
 * Run: the whole engine in this process, as `troupe run` and `troupe dev` do it: opens the log,
 * deploys the sagas it is given, runs a worker until SIGTERM or SIGINT, then finishes its batch,
 * leaves the group and closes.
 */
#ifndef ENGINE_RUN_H
#define ENGINE_RUN_H

#include <stdbool.h>

#include "base/error.h"
#include "engine/config.h"
#include "engine/deploy.h"
#include "engine/worker.h"

typedef struct engine_run_options {
    const engine_config *config; /* finished */
    engine_deploy_report report; /* of the sagas deployed at the start */
    /* Called now and then by the loop's thread (every step); true: stop. May be NULL. */
    bool (*tick)(void *context, const engine_worker *worker);
    void *context;
    bool handle_signals; /* SIGTERM and SIGINT end it; else only tick does */
} engine_run_options;

/* Blocks until it is told to stop (OK), or cannot go on. Errors: UNREACHABLE: nobody answers at the
 * start; BUSY: another engine has the directory; CONFLICT: partitions, E901; BAD_INPUT: a saga
 * file; FENCED; FATAL, IO, CORRUPT... */
base_status engine_run(const engine_run_options *options, base_error *error) BASE_MUST_USE;

/* A logger as the configuration wants it, to standard error. */
engine_logger engine_run_logger(const engine_config *config);

#endif
