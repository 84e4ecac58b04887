/*
 * The `troupe` command: what its subcommands share. A subcommand is a cli_command: its help, the
 * table of its options, and a function that returns an exit code. The help is made from the table,
 * so every option that is named in it is accepted.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* ---- commands and their options (options.c) ---- */

#define CLI_LIST_MAX 64    /* times that one option can be given */
#define CLI_SETTING_MAX 64 /* configuration keys on one command line */

typedef struct cli_list {
    const char *items[CLI_LIST_MAX];
    size_t count;
} cli_list;

typedef enum cli_option_kind {
    CLI_FLAG,     /* bool */
    CLI_TEXT,     /* const char * */
    CLI_LIST,     /* cli_list: may be given several times */
    CLI_NUMBER,   /* int64_t, 0 and up */
    CLI_DURATION, /* int64_t, in milliseconds: 500ms, 30s, 5m, 2h, 7d */
    CLI_CHOICE    /* const char *, one of `argument`, which has them with bars between */
} cli_option_kind;

typedef struct cli_option {
    const char *name;     /* without dashes */
    const char *argument; /* "KEY"; NULL: a flag */
    cli_option_kind kind;
    size_t offset; /* of the field in the command's struct of options */
    const char *text;
} cli_option;

/* Which keys of the configuration (engine/config.h) a command takes as options; each class has
 * those of the classes before. */
typedef enum cli_keys {
    CLI_KEYS_NONE,
    CLI_KEYS_LOG,    /* log, prefix, kafka.*, local.*, and --config FILE */
    CLI_KEYS_TOPICS, /* ... and what topics are made with */
    CLI_KEYS_ALL
} cli_keys;

typedef struct cli_command cli_command;
struct cli_command {
    const char *name;
    const char *summary;   /* one line, for `troupe --help` */
    const char *arguments; /* "FILE...", behind the name in the usage line; may be "" */
    const char *text;      /* what it does, and its exit codes where they say something */
    const char *examples;  /* lines */
    const cli_option *options;
    size_t option_count;
    cli_keys keys;
    cli_exit (*run)(const cli_command *command, int argc, char **argv); /* argv[0] is the name */
};

extern const cli_command cli_check;
extern const cli_command cli_play;
extern const cli_command cli_run;
extern const cli_command cli_dev;
extern const cli_command cli_deploy;
extern const cli_command cli_emit;
extern const cli_command cli_tail;
extern const cli_command cli_ls;
extern const cli_command cli_show;
extern const cli_command cli_replay;
extern const cli_command cli_verify;
extern const cli_command cli_abort;
extern const cli_command cli_resolve;
extern const cli_command cli_suspend;
extern const cli_command cli_resume;
extern const cli_command cli_purge;
extern const cli_command cli_schema;
extern const cli_command cli_version;

/* A command line that was read: the words that are no options, and the configuration keys. */
typedef struct cli_line {
    const cli_command *command;
    char **words;
    size_t word_count;
    const char *config_path; /* --config; NULL: TROUPE_CONFIG, or none */
    struct {
        base_slice key;
        base_slice value;
    } settings[CLI_SETTING_MAX];
    size_t setting_count;
} cli_line;

/* Reads the command line into the command's struct of options (zeroed or with defaults by the
 * caller). false: there is nothing more to do (--help, or it is wrong, and this was said);
 * *exit_out is the exit code. */
bool cli_parse(const cli_command *command, int argc, char **argv, void *options, cli_line *line_out,
               cli_exit *exit_out);
/* Writes the command's help. */
void cli_help(const cli_command *command);

/* ---- messages (common.c) ---- */

/* Writes "troupe NAME: message" and where to find help on stderr; returns CLI_USAGE. */
cli_exit cli_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes an error with its place and hint on stderr. */
void cli_error(const base_error *error);
/* The same, as "troupe: ...", for an error that a command ends with; gives the exit code that goes
 * with the status. Says what the status says where the error is empty. */
cli_exit cli_failure(base_status status, const base_error *error);
cli_exit cli_exit_of(base_status status);
/* Writes findings on stderr, one a line, with hints below. */
void cli_findings(const saga_findings *findings);
/* Loads and compiles a saga file; findings go to stderr. CLI_OK, or CLI_BAD_DATA. */
cli_exit cli_load(const char *path, bool unchecked, base_arena *arena, const saga_plan **plan_out);
/* What a command ends with: flushes standard output. A reader that is gone (| head) is fine; a disk
 * that is full is CLI_FAILED. */
cli_exit cli_end(cli_exit exit);
/* Standard output cannot be written any more: stop. */
bool cli_broken(void);

/* Writes a value as one line of JSON on standard output; false when it cannot be written. */
bool cli_write_json(const base_value *line);

#endif
