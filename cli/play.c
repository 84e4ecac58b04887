/* `troupe play`: a saga driven from outside, line by line (docs/saga-language.md, F). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/play_line.h"

#define LINE_SIZE_MAX ((size_t)16 * 1024 * 1024)

typedef struct play {
    player *player;
    base_arena *arena; /* of one line */
    bool failed;       /* standard output is gone */
} play;

/* ---- output ---- */

static void write_line(void *context, const base_value *line)
{
    play *p = (play *)context;
    p->failed = p->failed || !cli_write_json(line);
}

/* ---- the loop ---- */

static cli_exit read_lines(play *p, FILE *in, bool sync)
{
    char *buffer = NULL;
    size_t capacity = 0;
    ssize_t size = 0;
    uint32_t number = 0;
    cli_exit result = CLI_OK;
    while (result == CLI_OK && !p->failed && (size = getline(&buffer, &capacity, in)) >= 0) {
        base_error error;
        base_slice text = base_slice_make(buffer, (size_t)size);
        number++;
        while (text.size > 0 &&
               (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
            text.size--;
        base_error_clear(&error);
        base_arena_reset(p->arena);
        if (text.size == 0)
            continue;
        if (base_failed(play_line_take(p->player, text, p->arena, &error))) {
            (void)fflush(stdout);
            base_error_path(&error, base_slice_of("standard input"));
            base_error_place(&error, number, error.column);
            cli_error(&error);
            result = CLI_BAD_DATA;
        }
        if (sync && result == CLI_OK &&
            (fprintf(stdout, "{\"done\":%u}\n", number) < 0 || fflush(stdout) != 0))
            p->failed = true;
    }
    free(buffer);
    return result;
}

typedef struct options {
    player_options player;
    bool until_quiet;
    bool sync;
    bool unchecked;
} options;

static bool read_options(int argc, char **argv, options *o)
{
    static const struct option table[] = {
        {"states", no_argument, NULL, 's'},      {"timers", no_argument, NULL, 't'},
        {"until-quiet", no_argument, NULL, 'q'}, {"sync", no_argument, NULL, 'y'},
        {"no-check", no_argument, NULL, 'n'},    {NULL, 0, NULL, 0}};
    int letter = 0;
    optind = 1;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (letter) {
        case 's':
            o->player.states = true;
            break;
        case 't':
            o->player.timers = true;
            break;
        case 'q':
            o->until_quiet = true;
            break;
        case 'y':
            o->sync = true;
            break;
        case 'n':
            o->unchecked = true;
            break;
        default:
            return false;
        }
    }
    return true;
}

static cli_exit perform(play *p, const options *o)
{
    base_error error;
    base_error_clear(&error);
    cli_exit result = read_lines(p, stdin, o->sync);
    if (result == CLI_OK && o->until_quiet && base_failed(player_until_quiet(p->player, &error))) {
        cli_error(&error);
        result = CLI_FAILED;
    }
    if (fflush(stdout) != 0 || p->failed) {
        base_error_clear(&error);
        (void)base_error_set(&error, BASE_IO, "standard output cannot be written");
        cli_error(&error);
        return CLI_FAILED;
    }
    if (result == CLI_OK && player_in_trouble(p->player))
        result = CLI_NO;
    return result;
}

cli_exit cli_play(int argc, char **argv)
{
    const saga_plan *plans[PLAYER_PLAN_MAX];
    options o = {0};
    if (!read_options(argc, argv, &o))
        return cli_usage("play", "unknown option \"%s\"", argv[optind - 1]);
    const size_t count = (size_t)(argc - optind);
    if (count == 0 || count > PLAYER_PLAN_MAX)
        return cli_usage("play", count == 0 ? "name a saga file" : "too many saga files");
    base_arena plan_arena;
    base_arena line_arena;
    base_arena_init(&plan_arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_arena_init(&line_arena, BASE_ARENA_SIZE_DEFAULT_MAX * 4);
    cli_exit result = CLI_OK;
    for (size_t i = 0; i < count && result == CLI_OK; i++)
        result = cli_load(argv[optind + (int)i], o.unchecked, &plan_arena, &plans[i]);
    play p = {.arena = &line_arena};
    o.player.output = write_line;
    o.player.context = &p;
    if (result == CLI_OK) {
        p.player = player_new(plans, count, &o.player);
        result = p.player == NULL ? CLI_FAILED : perform(&p, &o);
    }
    player_free(p.player);
    base_arena_deinit(&line_arena);
    base_arena_deinit(&plan_arena);
    return result;
}
