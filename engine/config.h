/*
 * Configuration: from a file, the environment and flags, later ones winning:
 *
 *   troupe.yaml:  batch_max: 500            kafka: {security.protocol: SSL}
 *   environment:  TROUPE_BATCH_MAX=500      TROUPE_KAFKA_SECURITY_PROTOCOL=SSL
 *   flags:        --batch-max 500           --kafka.security.protocol SSL
 *
 * One table (config_keys.c) holds every key with its kind, bounds, default and text;
 * docs/configuration.md and the help text are made from it. Unknown keys are refused with a
 * did-you-mean.
 */
#ifndef ENGINE_CONFIG_H
#define ENGINE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "connectors/log.h"
#include "engine/logger.h"

#define ENGINE_CONFIG_SETTING_MAX 200 /* of kafka.* and local.* together */
#define ENGINE_CONFIG_SAGA_MAX 1000   /* files and directories */

typedef enum engine_config_from { ENGINE_FROM_EARLIEST, ENGINE_FROM_LATEST } engine_config_from;

typedef struct engine_config_list {
    base_slice *items;
    size_t count;
} engine_config_list;

typedef struct engine_config {
    base_slice log;      /* URL */
    base_slice prefix;   /* of topics, group and transactional ids */
    base_slice group;    /* default: the prefix */
    base_slice identity; /* empty: a new one a process */
    engine_config_list sagas;
    int64_t partitions;
    int64_t replication; /* 0: the broker's default */
    bool create_topics;
    bool create_source_topics;
    int64_t from; /* engine_config_from */
    int64_t batch_max;
    int64_t commit_interval_ms;
    int64_t snapshot_entries;
    int64_t snapshot_interval_ms;
    int64_t early_max;
    int64_t session_timeout_ms;
    int64_t transaction_timeout_ms;
    int64_t record_size_max;
    int64_t log_level;  /* engine_log_level */
    int64_t log_format; /* 1: json */

    log_setting settings[ENGINE_CONFIG_SETTING_MAX]; /* kafka.*, local.* */
    size_t setting_count;
    base_arena arena;
} engine_config;

/* All defaults. */
void engine_config_init(engine_config *config);
void engine_config_deinit(engine_config *config);
/* Reads a YAML or JSON file. BAD_INPUT with its place. */
base_status engine_config_file(engine_config *config, const char *path,
                               base_error *error) BASE_MUST_USE;
/* Takes TROUPE_* out of an environment (NULL-terminated, as `environ`); TROUPE_CONFIG and
 * TROUPE_TEST_* are not its. */
base_status engine_config_environment(engine_config *config, char *const *environment,
                                      base_error *error) BASE_MUST_USE;
/* One key, as a flag gives it; dashes count as underscores outside of kafka.* and local.*. A list
 * is replaced by what stands between commas. BAD_INPUT: unknown, or a value that does not fit. */
base_status engine_config_set(engine_config *config, base_slice key, base_slice value,
                              base_error *error) BASE_MUST_USE;
/* Appends one saga file or directory. */
base_status engine_config_saga(engine_config *config, base_slice path,
                               base_error *error) BASE_MUST_USE;
/* Checks what hangs together and fills what follows from the rest: the group, the log's bound where
 * record_size_max is above its default. */
base_status engine_config_finish(engine_config *config, base_error *error) BASE_MUST_USE;
/* Is it a key that engine_config_set knows? *flag_out (may be NULL): it is a truth value, and may
 * stand without one. */
bool engine_config_knows(base_slice key, bool *flag_out);

/* log_open's options; borrows. */
log_open_options engine_config_open_options(const engine_config *config,
                                            const engine_logger *logger);

typedef enum engine_config_form { ENGINE_CONFIG_MARKDOWN, ENGINE_CONFIG_HELP } engine_config_form;
/* The table of keys, as docs/configuration.md has it or as --help prints it. Lives in arena. */
base_status engine_config_describe(engine_config_form form, base_arena *arena,
                                   base_slice *text_out) BASE_MUST_USE;

#endif
