/*
 * Catalog: every plan that `<prefix>.definitions` holds, compiled; who is the newest of each saga;
 * and which topics the plans read and write.
 *
 *   definitions topic:   hash          -> source of a plan
 *                        saga@version  -> hash              (the pointer: written last, so it never
 * dangles)
 *
 * Plans are never given back: instances are pinned to them by hash (docs/saga-language.md, A.12),
 * so pointers to plans live as long as the catalog. New starts take the highest version. One
 * thread.
 */
#ifndef ENGINE_CATALOG_H
#define ENGINE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "connectors/log.h"
#include "engine/logger.h"
#include "engine/topics.h"
#include "saga/plan.h"
#include "schemas/record.h"

typedef struct engine_plan {
    const saga_plan *plan;
    bool newest; /* of its saga: takes the starts, and what comes before an instance */
    base_arena arena;
} engine_plan;

/* A topic that plans read. */
typedef struct engine_topic {
    base_slice name;
    const engine_plan **plans; /* by saga, then by version downward */
    size_t plan_count;
    size_t plan_capacity;
} engine_topic;

typedef struct engine_pointer {
    base_slice saga;
    int64_t version;
    char hash[65];
} engine_pointer;

typedef struct engine_catalog {
    log_store *store;
    const engine_topics *topics;
    const engine_logger *logger;
    engine_plan **plans;
    size_t plan_count;
    size_t plan_capacity;
    engine_pointer *pointers;
    size_t pointer_count;
    size_t pointer_capacity;
    engine_topic *sources;
    size_t source_count;
    size_t source_capacity;
    base_slice *outputs; /* topics that plans write */
    size_t output_count;
    size_t output_capacity;
    int64_t next_offset; /* of the definitions topic, for engine_catalog_read */
} engine_catalog;

/* Borrows all it is given. store may be NULL: then only engine_catalog_add feeds it. */
void engine_catalog_init(engine_catalog *catalog, log_store *store, const engine_topics *topics,
                         const engine_logger *logger);
void engine_catalog_deinit(engine_catalog *catalog);

/* Takes in a record of the definitions topic; *changed_out: plans, topics or newest versions
 * changed. What cannot be read or compiled is logged and left out: no failure. */
void engine_catalog_add(engine_catalog *catalog, const schema_record *record, bool *changed_out);
/* Reads the definitions topic from where it was left to its end. Blocks. */
base_status engine_catalog_read(engine_catalog *catalog, base_error *error) BASE_MUST_USE;

/* NULL: not known. */
const engine_plan *engine_catalog_plan(const engine_catalog *catalog, const char *hash);
const engine_plan *engine_catalog_newest(const engine_catalog *catalog, base_slice saga);
const engine_topic *engine_catalog_source(const engine_catalog *catalog, base_slice topic);
/* The plan that saga@version points to, or NULL. */
const engine_plan *engine_catalog_version(const engine_catalog *catalog, base_slice saga,
                                          int64_t version);

/* Puts a definition on the log, unless it is there: plan first, then pointer, then reads them back.
 * BAD_INPUT (findings): it does not compile. CONFLICT (E901): the version is taken by another text.
 */
base_status engine_catalog_deploy(engine_catalog *catalog, const saga_definition *definition,
                                  int64_t now_ms, bool *new_out, saga_findings *findings,
                                  base_error *error) BASE_MUST_USE;

#endif
