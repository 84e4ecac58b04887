/* What subcommands share: see cli.h. */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

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

cli_exit cli_exit_of(base_status status)
{
    switch (status.code) {
    case BASE_OK:
        return CLI_OK;
    case BASE_NOT_FOUND:
        return CLI_NO;
    case BASE_BAD_INPUT:
    case BASE_UNSUPPORTED:
    case BASE_CORRUPT:
    case BASE_TOO_LARGE:
    case BASE_BUDGET:
    case BASE_OVERFLOW:
    case BASE_POSITION_LOST:
        return CLI_BAD_DATA;
    case BASE_TIMEOUT:
    case BASE_UNREACHABLE:
        return CLI_UNREACHABLE;
    case BASE_EXISTS:
    case BASE_BUSY:
    case BASE_CONFLICT:
    case BASE_REFUSED:
    case BASE_FENCED:
    case BASE_REVOKED:
        return CLI_REFUSED;
    case BASE_OUT_OF_MEMORY:
    case BASE_INTERRUPTED:
    case BASE_ABORTED:
    case BASE_OUTCOME_UNKNOWN:
    case BASE_DISK_FULL:
    case BASE_IO:
    case BASE_FATAL:
    case BASE_CODE_COUNT:
        break;
    }
    return CLI_FAILED;
}

cli_exit cli_failure(base_status status, const base_error *error)
{
    (void)fflush(stdout); /* what was said before stands before it */
    (void)fprintf(stderr, "troupe: ");
    if (error->code == BASE_OK) {
        (void)fprintf(stderr, "%s\n", base_status_text(status));
    } else {
        cli_error(error);
    }
    return cli_exit_of(status);
}

void cli_findings(const saga_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        cli_error(&findings->items[i]);
    }
    if (findings->more > 0) {
        (void)fprintf(stderr, "... and %zu more\n", findings->more);
    }
}

cli_exit cli_load(const char *path, bool unchecked, base_arena *arena, const saga_plan **plan_out)
{
    saga_definition definition;
    saga_findings findings;
    (void)unchecked; /* every finding of this version is about the shape; there is nothing to
                        overlook */
    saga_findings_init(&findings, arena);
    base_status status = schema_saga_load(path, arena, &definition, &findings);
    if (!base_failed(status)) {
        status = saga_plan_compile(&definition, arena, plan_out, &findings);
    }
    cli_findings(&findings);
    if (base_failed(status) && findings.count == 0) {
        (void)fprintf(stderr, "%s: %s\n", path, base_status_text(status));
    }
    return base_failed(status) ? CLI_BAD_DATA : CLI_OK;
}

bool cli_broken(void)
{
    return ferror(stdout) != 0;
}

cli_exit cli_end(cli_exit exit)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return exit;
    }
    struct pollfd reader = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&reader, 1, 0) == 1 && (reader.revents & (POLLERR | POLLHUP)) != 0) {
        return exit; /* the reader has seen enough */
    }
    base_error error;
    base_error_clear(&error);
    return cli_failure(base_error_set(&error, BASE_IO, "standard output cannot be written"),
                       &error);
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
