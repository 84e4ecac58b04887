/*
 * The `troupe` command: what its subcommands share. Every subcommand is one function that takes the
 * arguments after its name and returns an exit code.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "saga/plan.h"

/* Exit codes, the same for every subcommand (docs/cli.md). */
typedef enum cli_exit {
    CLI_OK = 0,          /* fine */
    CLI_NO = 1,          /* it worked, and the answer is no (findings, stuck, damaged, not found) */
    CLI_USAGE = 2,       /* the command line is wrong */
    CLI_UNREACHABLE = 3, /* the log, broker or engine cannot be reached */
    CLI_BAD_DATA = 4,    /* a file or a record cannot be read */
    CLI_REFUSED = 5,     /* not allowed, or held by somebody else */
    CLI_FAILED = 6       /* memory, disk, a bug */
} cli_exit;

typedef struct cli_command {
    const char *name;
    const char *summary; /* one line, for `troupe --help` */
    const char *help;    /* usage, options and examples, for `troupe NAME --help` */
    cli_exit (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
} cli_command;

/* Writes "troupe NAME: message" and where to find help on stderr; returns CLI_USAGE. */
cli_exit cli_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes an error with its place and hint on stderr. */
void cli_error(const base_error *error);
/* Writes findings on stderr, one a line, with hints below. */
void cli_findings(const saga_findings *findings);
/* Loads and compiles a saga file; findings go to stderr. CLI_OK, or CLI_BAD_DATA. */
cli_exit cli_load(const char *path, bool unchecked, base_arena *arena, const saga_plan **plan_out);

/* Writes a value as one line of JSON on standard output; false when it cannot be written. */
bool cli_write_json(const base_value *line);

cli_exit cli_check(int argc, char **argv);
cli_exit cli_play(int argc, char **argv);

#endif
