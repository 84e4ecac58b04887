/* Deploy: saga files onto the log (`troupe deploy`, and the files that an engine is started with).
 */
#ifndef ENGINE_DEPLOY_H
#define ENGINE_DEPLOY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/catalog.h"
#include "engine/config.h"

typedef struct engine_deployed {
    const char *path;
    base_slice saga;
    int64_t version;
    const char *hash;
    bool is_new; /* false: it was there already */
} engine_deployed;

typedef struct engine_deploy_report {
    /* Each finding of each file, warnings too. May be NULL. */
    void (*finding)(void *context, const base_error *finding);
    /* Each file that is on the log now. May be NULL. */
    void (*deployed)(void *context, const engine_deployed *deployed);
    void *context;
} engine_deploy_report;

/* The files that the list names, directories opened (their *.saga.yaml, *.saga.yml and *.saga.json,
 * by name), one by one to `each`; stops at the first failure that it returns. NOT_FOUND: a path
 * that is not there, or a directory without sagas. */
base_status engine_deploy_files(const engine_config_list *list,
                                base_status (*each)(void *context, const char *path,
                                                    base_error *error),
                                void *context, base_error *error) BASE_MUST_USE;

/* Loads, compiles and puts on the log every file of the list. BAD_INPUT: a file has errors (they
 * went to `finding`); CONFLICT: E901. The files before it are deployed then. Blocks. */
base_status engine_deploy(engine_catalog *catalog, const engine_config_list *list, int64_t now_ms,
                          const engine_deploy_report *report, base_error *error) BASE_MUST_USE;

#endif
