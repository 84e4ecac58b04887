/* `troupe`: the table of subcommands, and the one that is called. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const cli_command commands[] = {
    {"check", "is this saga file right?", "usage: troupe check FILE... [--json]\n", cli_check},
    {"play", "drive a saga from standard input, in virtual time",
     "usage: troupe play FILE... [--states] [--timers] [--until-quiet] [--sync] [--no-check]\n",
     cli_play},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return (int)commands[i].run(argc - 1, argv + 1);
    }
    (void)fprintf(stderr, "usage: troupe COMMAND\n");
    return CLI_USAGE;
}
