/* `troupe play`: a saga driven from outside, line by line (docs/saga-language.md, F). */
#include <errno.h>
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
               (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r')) {
            text.size--;
        }
        base_error_clear(&error);
        base_arena_reset(p->arena);
        if (text.size == 0) {
            continue;
        }
        if (base_failed(play_line_take(p->player, text, p->arena, &error))) {
            (void)fflush(stdout);
            base_error_path(&error, base_slice_of("standard input"));
            base_error_place(&error, number, error.column);
            cli_error(&error);
            result = CLI_BAD_DATA;
        }
        if (sync && result == CLI_OK &&
            (fprintf(stdout, "{\"done\":%u}\n", number) < 0 || fflush(stdout) != 0)) {
            p->failed = true;
        }
    }
    free(buffer);
    return result;
}

typedef struct play_options {
    bool states;
    bool timers;
    bool until_quiet;
    bool sync;
    bool unchecked;
} play_options;

static const cli_option options[] = {
    {"states", NULL, CLI_FLAG, offsetof(play_options, states), "a state after each input"},
    {"timers", NULL, CLI_FLAG, offsetof(play_options, timers), "a line for each timer that is set"},
    {"until-quiet", NULL, CLI_FLAG, offsetof(play_options, until_quiet),
     "at the end of input let time run on until only waits\n"
     "without a timer and retries of what is stuck are left"},
    {"sync", NULL, CLI_FLAG, offsetof(play_options, sync),
     "{\"done\": LINE} behind the output of each input line, flushed"},
    {"no-check", NULL, CLI_FLAG, offsetof(play_options, unchecked),
     "take a file although it has check errors"},
};

static cli_exit perform(play *p, const play_options *o)
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
    if (result == CLI_OK && player_in_trouble(p->player)) {
        result = CLI_NO;
    }
    return result;
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    const saga_plan *plans[PLAYER_PLAN_MAX];
    play_options o = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    const size_t count = line.word_count;
    if (count == 0 || count > PLAYER_PLAN_MAX) {
        return cli_usage("play", count == 0 ? "name a saga file" : "too many saga files");
    }
    base_arena plan_arena;
    base_arena line_arena;
    base_arena_init(&plan_arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_arena_init(&line_arena, BASE_ARENA_SIZE_DEFAULT_MAX * 4);
    for (size_t i = 0; i < count && result == CLI_OK; i++) {
        result = cli_load(line.words[i], o.unchecked, &plan_arena, &plans[i]);
    }
    play p = {.arena = &line_arena};
    const player_options told = {
        .states = o.states, .timers = o.timers, .output = write_line, .context = &p};
    if (result == CLI_OK) {
        p.player = player_new(plans, count, &told);
        result = p.player == NULL ? CLI_FAILED : perform(&p, &o);
    }
    player_free(p.player);
    base_arena_deinit(&line_arena);
    base_arena_deinit(&plan_arena);
    return result;
}

const cli_command cli_play = {
    .name = "play",
    .summary = "drive a saga from standard input, in virtual time",
    .arguments = "FILE...",
    .text =
        "A filter: events and services' answers go in as JSON lines, what the engine would do "
        "comes out as JSON lines;\n"
        "virtual time, no log, no waiting (docs/saga-language.md, F, has every line).\n"
        "Exit code 0 when every instance has ended or waits, 1 when one is stuck or damaged, 4 for "
        "a bad file or line.",
    .examples =
        "  echo '{\"at\": 0, \"event\": \"order.placed\", \"data\": {\"orderId\": \"o1\"}}' |\n"
        "      troupe play order.saga.yaml --states --until-quiet\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .keys = CLI_KEYS_NONE,
    .run = run,
};
