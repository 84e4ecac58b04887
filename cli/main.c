/* `troupe`: the table of subcommands, and the one that is called. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const cli_command *const commands[] = {
    &cli_check,   &cli_play,   &cli_dev,   &cli_run,    &cli_deploy, &cli_emit,
    &cli_tail,    &cli_ls,     &cli_show,  &cli_replay, &cli_abort,  &cli_resolve,
    &cli_suspend, &cli_resume, &cli_purge, &cli_verify, &cli_schema, &cli_version,
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const cli_command *command_named(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i]->name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static void help(FILE *out)
{
    (void)fprintf(out, "usage: troupe COMMAND [ARGUMENT...]\n\n"
                       "Sagas by choreography on an event log.\n\ncommands\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        (void)fprintf(out, "  %-10s%s\n", commands[i]->name, commands[i]->summary);
    }
    (void)fprintf(out, "  help      this text, or `troupe help COMMAND`\n\n"
                       "exit codes\n"
                       "  0 fine   1 the answer is no   2 usage   3 cannot reach   4 bad data   "
                       "5 refused   6 failed\n\n"
                       "troupe COMMAND --help says more; docs/cli.md says all.\n");
}

static cli_exit unknown_command(const char *name)
{
    base_slice names[COMMAND_COUNT + 1];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = base_slice_of(commands[i]->name);
    }
    names[COMMAND_COUNT] = base_slice_of("help");
    const base_slice near = base_error_nearest(base_slice_of(name), names, COMMAND_COUNT + 1);
    (void)fprintf(stderr, "troupe: unknown command \"%s\"", name);
    if (near.size > 0) {
        (void)fprintf(stderr, ", did you mean \"%.*s\"?", BASE_SLICE_ARG(near));
    }
    (void)fprintf(stderr, "\nsee: troupe --help\n");
    return CLI_USAGE;
}

static cli_exit help_command(int argc, char **argv)
{
    if (argc < 3) {
        help(stdout);
        return cli_end(CLI_OK);
    }
    const cli_command *command = command_named(argv[2]);
    if (command == NULL) {
        return unknown_command(argv[2]);
    }
    cli_help(command);
    return cli_end(CLI_OK);
}

/* A broken connection, or a reader that is gone, is an error of a call, not a death. */
static void ignore_broken_pipes(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_IGN;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGPIPE, &action, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        return (int)help_command(argc, argv);
    }
    if (strcmp(argv[1], "--version") == 0) {
        return (int)cli_version.run(&cli_version, 1, argv + 1);
    }
    const cli_command *command = command_named(argv[1]);
    if (command == NULL) {
        return (int)unknown_command(argv[1]);
    }
    if (command->keys != CLI_KEYS_NONE) {
        ignore_broken_pipes();
    }
    return (int)command->run(command, argc - 1, argv + 1);
}
