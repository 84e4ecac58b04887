/* `troupe run` and `troupe deploy`: the engine on the configured log, and saga files onto it. */
#include "engine/run.h"

#include <stdio.h>

#include "cli/out.h"
#include "cli/session.h"
#include "engine/deploy.h"

/* ---- run ---- */

typedef struct ready_watch {
    const engine_logger *logger;
    bool told;
} ready_watch;

/* One line when every partition that the group gave us is ours. */
static bool watch_ready(void *context, const engine_worker *worker)
{
    ready_watch *watch = (ready_watch *)context;
    size_t active = 0;
    size_t waiting = 0;
    if (!watch->told) {
        engine_worker_partitions(worker, &active, &waiting);
        if (active > 0 && waiting == 0) {
            watch->told = true;
            ENGINE_LOG(watch->logger, ENGINE_LOG_INFO, "ready",
                       ENGINE_NUMBER("partitions", active));
        }
    }
    return false;
}

static void on_finding(void *context, const base_error *finding)
{
    (void)context;
    cli_error(finding);
}

static void on_deployed(void *context, const engine_deployed *deployed)
{
    const engine_logger *logger = (const engine_logger *)context;
    ENGINE_LOG(logger, ENGINE_LOG_INFO, "saga deployed", ENGINE_TEXT("saga", deployed->saga),
               ENGINE_NUMBER("version", deployed->version), ENGINE_WORD("hash", deployed->hash),
               ENGINE_WORD("file", deployed->path),
               ENGINE_WORD("new", deployed->is_new ? "yes" : "no"));
}

/* Words behind the options are saga files too. */
static cli_exit add_files(cli_session *session, const cli_line *line)
{
    base_error error;
    base_error_clear(&error);
    for (size_t i = 0; i < line->word_count; i++) {
        const base_status status =
            engine_config_saga(&session->config, base_slice_of(line->words[i]), &error);
        if (base_failed(status)) {
            return cli_failure(status, &error);
        }
    }
    return CLI_OK;
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    cli_session session = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, NULL, &line, &result)) {
        return result;
    }
    result = cli_session_config(&session, &line);
    if (result == CLI_OK) {
        result = add_files(&session, &line);
    }
    if (result == CLI_OK) {
        base_error error;
        ready_watch watch = {.logger = &session.logger};
        const engine_run_options options = {
            .config = &session.config,
            .report = {.finding = on_finding, .deployed = on_deployed, .context = &session.logger},
            .tick = watch_ready,
            .context = &watch,
            .handle_signals = true,
        };
        base_error_clear(&error);
        const base_status status = engine_run(&options, &error);
        result = base_failed(status) ? cli_failure(status, &error) : CLI_OK;
        if (result == CLI_NO) { /* there is no log: as good as a broker that is not */
            result = CLI_UNREACHABLE;
        }
    }
    cli_session_close(&session);
    return cli_end(result);
}

const cli_command cli_run = {
    .name = "run",
    .summary = "the engine, on the configured log",
    .arguments = "[FILE|DIR...]",
    .text =
        "Deploys the saga files that it is given, takes its share of the partitions and "
        "performs, until SIGTERM or SIGINT.\n"
        "Logs to standard error; \"ready\" is logged when it has taken over all that the group "
        "gave it.\n"
        "Exit code 0 after a clean stop, 3 when the log cannot be reached at the start, 4 for a "
        "bad saga file, 5 when\nanother engine has the directory or a saga's version is taken "
        "by another text.",
    .examples = "  troupe run --log kafka://localhost:9092 --sagas sagas/ --log-format json\n"
                "  TROUPE_LOG=kafka://b1:9093 TROUPE_KAFKA_SECURITY_PROTOCOL=SSL troupe run\n",
    .keys = CLI_KEYS_ALL,
    .run = run,
};

/* ---- deploy ---- */

typedef struct deploy_options {
    bool json;
} deploy_options;

static const cli_option deploy_table[] = {
    {"json", NULL, CLI_FLAG, offsetof(deploy_options, json), "one object a line"},
};

typedef struct deploy_output {
    cli_session *session;
    bool json;
} deploy_output;

static void write_deployed(void *context, const engine_deployed *deployed)
{
    const deploy_output *output = (const deploy_output *)context;
    if (!output->json) {
        (void)printf("%s: %.*s@%lld %.12s %s\n", deployed->path, BASE_SLICE_ARG(deployed->saga),
                     (long long)deployed->version, deployed->hash,
                     deployed->is_new ? "deployed" : "was there");
        return;
    }
    cli_object object;
    base_arena_reset(&output->session->scratch);
    cli_object_begin(&object, &output->session->scratch);
    cli_member_text(&object, "file", deployed->path);
    cli_member(&object, "saga", deployed->saga);
    cli_member_number(&object, "version", deployed->version);
    cli_member_text(&object, "hash", deployed->hash);
    cli_member_bool(&object, "new", deployed->is_new);
    (void)cli_object_write(&object);
}

#define TOPICS_TIMEOUT_MS 30000

static cli_exit deploy_files(cli_session *session, const deploy_output *output)
{
    base_error error;
    engine_catalog catalog;
    const engine_config *config = &session->config;
    const engine_deploy_report report = {
        .finding = on_finding, .deployed = write_deployed, .context = (void *)(uintptr_t)output};
    base_error_clear(&error);
    engine_catalog_init(&catalog, session->store, &session->topics, &session->logger);
    base_status status = engine_topics_ensure(
        session->store, &session->topics, cli_session_partitions(session),
        (int16_t)config->replication, config->create_topics, TOPICS_TIMEOUT_MS, &error);
    if (!base_failed(status)) {
        status = engine_catalog_read(&catalog, &error);
    }
    if (!base_failed(status)) {
        status = engine_deploy(&catalog, &config->sagas, cli_now_ms(), &report, &error);
    }
    engine_catalog_deinit(&catalog);
    if (status.code == BASE_NOT_FOUND) {
        (void)cli_failure(status, &error);
        return CLI_BAD_DATA; /* a file that is not there, as for check */
    }
    return base_failed(status) ? cli_failure(status, &error) : CLI_OK;
}

static cli_exit deploy(const cli_command *command, int argc, char **argv)
{
    deploy_options o = {0};
    cli_session session = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    if (line.word_count == 0) {
        return cli_usage("deploy", "name a saga file or a directory of them");
    }
    result = cli_session_open(&session, &line, false);
    if (result == CLI_OK) {
        session.config.sagas.count = 0; /* those of the configuration are the engine's business */
        result = add_files(&session, &line);
    }
    if (result == CLI_OK) {
        const deploy_output output = {.session = &session, .json = o.json};
        result = deploy_files(&session, &output);
    }
    cli_session_close(&session);
    return cli_end(result);
}

const cli_command cli_deploy = {
    .name = "deploy",
    .summary = "put saga files on the log",
    .arguments = "FILE|DIR...",
    .text = "Checks saga files and puts them on the log; a running engine takes them up at once. "
            "New instances begin on\nthe newest version; those that run stay on theirs. The same "
            "text a second time changes nothing.\n"
            "Exit code 4 for a file with errors, 5 (E901) when the version is taken by another "
            "text.",
    .examples = "  troupe deploy order.saga.yaml\n"
                "  troupe deploy --log kafka://localhost:9092 --json sagas/\n",
    .options = deploy_table,
    .option_count = sizeof(deploy_table) / sizeof(deploy_table[0]),
    .keys = CLI_KEYS_TOPICS,
    .run = deploy,
};
