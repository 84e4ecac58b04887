/* See session.h. */
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/run.h"

#define OPEN_TIMEOUT_MS 5000

/* ---- configuration ---- */

static cli_exit config_wrong(const cli_line *line, cli_exit exit, const base_error *error)
{
    (void)fprintf(stderr, "troupe %s: ", line->command->name);
    cli_error(error);
    return exit;
}

/* Options: `sagas` may be given several times; the first takes the place of what stood before. */
static base_status take_setting(engine_config *config, base_slice key, base_slice value,
                                bool *sagas_seen, base_error *error)
{
    if (base_slice_is(key, "sagas") && *sagas_seen) {
        return engine_config_saga(config, value, error);
    }
    *sagas_seen = *sagas_seen || base_slice_is(key, "sagas");
    return engine_config_set(config, key, value, error);
}

cli_exit cli_session_config(cli_session *session, const cli_line *line)
{
    base_error error;
    bool sagas_seen = false;
    const char *path = line->config_path != NULL ? line->config_path : getenv("TROUPE_CONFIG");
    memset(session, 0, sizeof(*session));
    base_arena_init(&session->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_arena_init(&session->scratch, BASE_ARENA_SIZE_DEFAULT_MAX * 4);
    engine_config_init(&session->config);
    base_error_clear(&error);
    if (path != NULL && path[0] != '\0' &&
        base_failed(engine_config_file(&session->config, path, &error))) {
        return config_wrong(line, CLI_BAD_DATA, &error);
    }
    if (base_failed(engine_config_environment(&session->config, environ, &error))) {
        return config_wrong(line, CLI_USAGE, &error);
    }
    for (size_t i = 0; i < line->setting_count; i++) {
        if (base_failed(take_setting(&session->config, line->settings[i].key,
                                     line->settings[i].value, &sagas_seen, &error))) {
            return config_wrong(line, CLI_USAGE, &error);
        }
    }
    if (base_failed(engine_config_finish(&session->config, &error))) {
        return config_wrong(line, CLI_USAGE, &error);
    }
    session->logger = engine_run_logger(&session->config);
    if (line->command->keys != CLI_KEYS_ALL && session->logger.level > ENGINE_LOG_WARN) {
        session->logger.level = ENGINE_LOG_WARN;
    }
    if (base_failed(
            engine_topics_name(session->config.prefix, &session->arena, &session->topics))) {
        return cli_failure(base_status_of(BASE_OUT_OF_MEMORY), &error);
    }
    return CLI_OK;
}

/* ---- the log ---- */

static base_status open_store(const cli_session *session, bool read_only, log_store **store_out,
                              base_error *error)
{
    log_open_options options = engine_config_open_options(&session->config, &session->logger);
    options.client = base_slice_of("troupe command");
    options.read_only = read_only;
    options.report = NULL; /* what matters comes back as an error of a call */
    return log_open(session->config.log, &options, OPEN_TIMEOUT_MS, store_out, error);
}

cli_exit cli_session_open(cli_session *session, const cli_line *line, bool read_only)
{
    base_error error;
    const cli_exit configured = cli_session_config(session, line);
    if (configured != CLI_OK) {
        return configured;
    }
    base_error_clear(&error);
    const base_status status = open_store(session, read_only, &session->store, &error);
    if (status.code == BASE_NOT_FOUND) { /* no log there: as good as a broker that is not */
        (void)cli_failure(status, &error);
        return CLI_UNREACHABLE;
    }
    return base_failed(status) ? cli_failure(status, &error) : CLI_OK;
}

base_status cli_session_open_again(const cli_session *session, log_store **store_out,
                                   base_error *error)
{
    return open_store(session, false, store_out, error);
}

void cli_session_close(cli_session *session)
{
    log_close(session->store);
    session->store = NULL;
    engine_config_deinit(&session->config);
    base_arena_deinit(&session->scratch);
    base_arena_deinit(&session->arena);
}

int32_t cli_session_partitions(const cli_session *session)
{
    int32_t count = 0;
    if (base_failed(log_topic_partitions(session->store, session->topics.journal, &count, NULL))) {
        return (int32_t)session->config.partitions;
    }
    return count;
}

/* ---- instances ---- */

cli_exit cli_session_view(cli_session *session, engine_view *view)
{
    base_error error;
    base_error_clear(&error);
    const base_status status =
        engine_view_open(view, session->store, session->config.prefix, &session->logger, &error);
    return base_failed(status) ? cli_failure(status, &error) : CLI_OK;
}

#define SAGA_MAX 16

typedef struct sagas_found {
    base_arena *arena;
    base_slice names[SAGA_MAX];
    size_t count;
} sagas_found;

static base_status each_saga(void *context, const engine_instance *instance, base_error *error)
{
    sagas_found *found = (sagas_found *)context;
    if (found->count == SAGA_MAX) {
        return base_ok();
    }
    found->names[found->count] = base_arena_copy(found->arena, instance->saga);
    if (found->names[found->count].data == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a name");
    }
    found->count++;
    return base_ok();
}

cli_exit cli_session_saga_of(cli_session *session, engine_view *view, const char *command,
                             const char *wanted, base_slice key, base_slice *saga_out)
{
    base_error error;
    sagas_found found = {.arena = &session->arena};
    const engine_filter filter = {.saga = base_slice_of(wanted), .key = key};
    base_error_clear(&error);
    const base_status status = engine_view_list(view, &filter, each_saga, &found, &error);
    if (base_failed(status)) {
        return cli_failure(status, &error);
    }
    if (found.count == 0) {
        (void)fprintf(stderr, "troupe: there is no instance \"%.*s\"%s%s%s\n", BASE_SLICE_ARG(key),
                      wanted == NULL ? "" : " of saga \"", wanted == NULL ? "" : wanted,
                      wanted == NULL ? "" : "\"");
        return CLI_NO;
    }
    if (found.count > 1) {
        (void)fprintf(stderr, "troupe %s: several sagas have an instance \"%.*s\":", command,
                      BASE_SLICE_ARG(key));
        for (size_t i = 0; i < found.count; i++) {
            (void)fprintf(stderr, " %.*s", BASE_SLICE_ARG(found.names[i]));
        }
        (void)fprintf(stderr, "; name one with --saga\n");
        return CLI_USAGE;
    }
    *saga_out = found.names[0];
    return CLI_OK;
}
