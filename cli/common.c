/* What subcommands share: see cli.h. */
#include <stdarg.h>
#include <stdio.h>

#include "cli/cli.h"
#include "schemas/saga_file.h"

cli_exit cli_usage(const char *command, const char *format, ...)
{
    va_list arguments;
    (void)fprintf(stderr, "troupe %s: ", command);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\nsee: troupe %s --help\n", command);
    return CLI_USAGE;
}

void cli_error(const base_error *error)
{
    char text[BASE_ERROR_PATH_SIZE + BASE_ERROR_TEXT_SIZE + BASE_ERROR_HINT_SIZE + 64];
    (void)base_error_render(error, text, sizeof(text));
    (void)fprintf(stderr, "%s\n", text);
}

void cli_findings(const saga_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        cli_error(&findings->items[i]);
    if (findings->more > 0)
        (void)fprintf(stderr, "... and %zu more\n", findings->more);
}

cli_exit cli_load(const char *path, bool unchecked, base_arena *arena, const saga_plan **plan_out)
{
    saga_definition definition;
    saga_findings findings;
    (void)unchecked; /* every finding of this version is about the shape; there is nothing to
                        overlook */
    saga_findings_init(&findings, arena);
    base_status status = schema_saga_load(path, arena, &definition, &findings);
    if (!base_failed(status))
        status = saga_plan_compile(&definition, arena, plan_out, &findings);
    cli_findings(&findings);
    if (base_failed(status) && findings.count == 0)
        (void)fprintf(stderr, "%s: %s\n", path, base_status_text(status));
    return base_failed(status) ? CLI_BAD_DATA : CLI_OK;
}

bool cli_write_json(const base_value *line)
{
    base_slice json = {0};
    base_arena arena;
    base_arena_init(&arena, SIZE_MAX / 2);
    const bool written = !base_failed(base_value_json(line, false, &arena, &json)) &&
                         fwrite(json.data, 1, json.size, stdout) == json.size &&
                         fputc('\n', stdout) != EOF;
    base_arena_deinit(&arena);
    return written;
}
