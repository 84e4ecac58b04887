/* `troupe dev`: an engine on the embedded log, and the story of what happens on standard output. */
#include <stdio.h>

#include "cli/follow.h"
#include "cli/out.h"
#include "engine/run.h"

typedef struct dev_options {
    bool json;
} dev_options;

static const cli_option table[] = {
    {"json", NULL, CLI_FLAG, offsetof(dev_options, json),
     "the story as JSON lines: saga, key, seq, at, input,\nsteps, effects"},
};

typedef struct dev {
    cli_session *session;
    cli_follow *follow;
    cli_exit follow_exit;
    bool json;
    bool started;
    bool ready;
} dev;

static void on_finding(void *context, const base_error *finding)
{
    (void)context;
    cli_error(finding);
}

static void on_deployed(void *context, const engine_deployed *deployed)
{
    const dev *d = (const dev *)context;
    if (!d->json) {
        (void)printf("%.*s@%lld  %s%s\n", BASE_SLICE_ARG(deployed->saga),
                     (long long)deployed->version, deployed->path,
                     deployed->is_new ? "" : " (was there)");
        (void)fflush(stdout);
    }
}

/* The engine's loop comes by after every step. The first time the topics are there. */
static bool on_step(void *context, const engine_worker *worker)
{
    dev *d = (dev *)context;
    if (!d->started) {
        d->started = true;
        d->follow_exit = cli_follow_start(d->follow);
    }
    if (!d->ready) {
        size_t active = 0;
        size_t waiting = 0;
        engine_worker_partitions(worker, &active, &waiting);
        d->ready = active > 0 && waiting == 0;
        if (d->ready && !d->json) {
            (void)printf("ready on %.*s; Ctrl-C stops\n", BASE_SLICE_ARG(d->session->config.log));
            (void)fflush(stdout);
        }
    }
    return d->follow_exit != CLI_OK;
}

/* People look at the story; of the log they want what is wrong, unless they say otherwise. */
static void quieten(cli_session *session, const cli_line *line)
{
    for (size_t i = 0; i < line->setting_count; i++) {
        if (base_slice_is(line->settings[i].key, "log_level") ||
            base_slice_is(line->settings[i].key, "log-level")) {
            return;
        }
    }
    if (session->config.log_level == ENGINE_LOG_INFO) {
        session->config.log_level = ENGINE_LOG_WARN;
        session->logger.level = ENGINE_LOG_WARN;
    }
}

static cli_exit perform(cli_session *session, bool json)
{
    base_error error;
    dev d = {.session = session, .json = json};
    base_error_clear(&error);
    const cli_exit opened = cli_follow_open(session, json, &d.follow);
    if (opened != CLI_OK) { /* no log: as good as a broker that is not there */
        return opened == CLI_NO ? CLI_UNREACHABLE : opened;
    }
    const engine_run_options options = {
        .config = &session->config,
        .report = {.finding = on_finding, .deployed = on_deployed, .context = &d},
        .tick = on_step,
        .context = &d,
        .handle_signals = true,
    };
    const base_status status = engine_run(&options, &error);
    cli_follow_close(d.follow);
    return base_failed(status) ? cli_failure(status, &error) : d.follow_exit;
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    dev_options o = {0};
    cli_session session = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    result = cli_session_config(&session, &line);
    for (size_t i = 0; result == CLI_OK && i < line.word_count; i++) {
        base_error error;
        base_error_clear(&error);
        const base_status status =
            engine_config_saga(&session.config, base_slice_of(line.words[i]), &error);
        result = base_failed(status) ? cli_failure(status, &error) : CLI_OK;
    }
    if (result == CLI_OK) {
        quieten(&session, &line);
        result = perform(&session, o.json);
    }
    cli_session_close(&session);
    return cli_end(result);
}

const cli_command cli_dev = {
    .name = "dev",
    .summary = "an engine on an embedded log, and the story of what happens",
    .arguments = "[FILE|DIR...]",
    .text = "Runs an engine on a local log (./troupe-data, made where it is missing), deploys the "
            "saga files it is given, and\ntells on standard output what happens: each input of an "
            "instance, what it did to steps, what the engine does then.\n"
            "Services and the other commands use the same directory meanwhile. SIGINT or SIGTERM "
            "stops it.\n"
            "Exit code 0 after a clean stop, 4 for a bad saga file, 5 when another engine has the "
            "directory.",
    .examples = "  troupe dev order.saga.yaml\n"
                "  troupe dev --log local:/tmp/try --sagas sagas/ | grep o1\n",
    .options = table,
    .option_count = sizeof(table) / sizeof(table[0]),
    .keys = CLI_KEYS_ALL,
    .run = run,
};
