/* `troupe check`: is this saga file right? (docs/saga-language.md, C.) */
#include <stdio.h>

#include "cli/cli.h"
#include "schemas/saga_file.h"

static void put_text(base_map_builder *map, const char *key, const char *text, bool *failed)
{
    const base_value value = base_value_text(text);
    if (text[0] != '\0' && base_failed(base_map_put_text(map, key, &value))) {
        *failed = true;
    }
}

static void put_number(base_map_builder *map, const char *key, int64_t number, bool *failed)
{
    const base_value value = base_value_integer(number);
    if (number != 0 && base_failed(base_map_put_text(map, key, &value))) {
        *failed = true;
    }
}

/* {"file", "line", "column", "code", "severity", "message", "fix"} */
static bool write_finding(const base_error *finding, base_arena *arena)
{
    bool failed = false;
    base_map_builder map;
    const bool warning = finding->check[0] == 'W' || finding->check[0] == 'H';
    base_map_begin(&map, arena);
    put_text(&map, "file", finding->path, &failed);
    put_number(&map, "line", finding->line, &failed);
    put_number(&map, "column", finding->column, &failed);
    put_text(&map, "code", finding->check, &failed);
    put_text(&map, "severity", warning ? "warning" : "error", &failed);
    put_text(&map, "message", finding->text, &failed);
    put_text(&map, "fix", finding->hint, &failed);
    const base_value line = base_map_end(&map);
    return !failed && cli_write_json(&line);
}

/* {"file", "ok", "saga", "version", "hash", "steps", "events"} behind the findings of each file. */
static bool write_summary(const char *path, const saga_plan *plan, base_arena *arena)
{
    bool failed = false;
    base_map_builder map;
    const base_value ok = base_value_bool(plan != NULL);
    base_map_begin(&map, arena);
    put_text(&map, "file", path, &failed);
    failed = failed || base_failed(base_map_put_text(&map, "ok", &ok));
    if (plan != NULL) {
        const base_value saga = base_value_string(plan->saga);
        failed = failed || base_failed(base_map_put_text(&map, "saga", &saga));
        put_number(&map, "version", plan->version, &failed);
        put_text(&map, "hash", plan->hash, &failed);
        put_number(&map, "steps", plan->step_count, &failed);
        put_number(&map, "events", plan->event_count, &failed);
    }
    const base_value line = base_map_end(&map);
    return !failed && cli_write_json(&line);
}

static cli_exit check_file(const char *path, bool json, base_arena *arena)
{
    saga_definition definition;
    saga_findings findings;
    const saga_plan *plan = NULL;
    saga_findings_init(&findings, arena);
    base_status status = schema_saga_load(path, arena, &definition, &findings);
    const bool unreadable = status.code == BASE_NOT_FOUND || status.code == BASE_IO;
    if (!base_failed(status)) {
        status = saga_plan_compile(&definition, arena, &plan, &findings);
    }
    if (base_failed(status)) {
        plan = NULL;
    }
    if (!json) {
        cli_findings(&findings);
    }
    bool written = true;
    for (size_t i = 0; json && i < findings.count; i++) {
        written = write_finding(&findings.items[i], arena) && written;
    }
    if (json) {
        written = write_summary(path, plan, arena) && written;
    } else if (plan != NULL) {
        written = printf("%s: ok: %.*s@%lld, %d steps, %.12s\n", path, BASE_SLICE_ARG(plan->saga),
                         (long long)plan->version, (int)plan->step_count, plan->hash) > 0;
    }
    if (!written) {
        return CLI_FAILED;
    }
    if (unreadable) {
        return CLI_BAD_DATA;
    }
    return plan == NULL ? CLI_NO : CLI_OK;
}

typedef struct check_options {
    bool json;
} check_options;

static const cli_option options[] = {
    {"json", NULL, CLI_FLAG, offsetof(check_options, json), "one object a line"},
};

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    check_options o = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    if (line.word_count == 0) {
        return cli_usage("check", "name a saga file");
    }
    for (size_t i = 0; i < line.word_count; i++) {
        base_arena arena;
        base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
        const cli_exit one = check_file(line.words[i], o.json, &arena);
        result = one > result ? one : result;
        base_arena_deinit(&arena);
    }
    return cli_end(result);
}

const cli_command cli_check = {
    .name = "check",
    .summary = "is this saga file right?",
    .arguments = "FILE...",
    .text =
        "Reads and compiles saga files and says everything that is wrong with them: place, code, "
        "message, hint.\n"
        "Findings go to standard error, or with --json to standard output.\n"
        "Exit code 1 when there are errors, 4 when a file cannot be read.",
    .examples = "  troupe check order.saga.yaml\n"
                "  troupe check --json *.saga.yaml | jq 'select(.severity == \"error\")'\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .keys = CLI_KEYS_NONE,
    .run = run,
};
