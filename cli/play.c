/* `troupe play`: a saga driven from outside, line by line (docs/saga-language.md, F). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/player.h"
#include "schemas/json.h"

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

/* ---- reading members ---- */

static base_status refuse_others(const base_value *line, const char *const *known,
                                 base_error *error)
{
    base_slice names[24];
    size_t count = 0;
    for (; known[count] != NULL; count++)
        names[count] = base_slice_of(known[count]);
    for (size_t i = 0; i < line->size; i++) {
        const base_slice key = line->members[i].key;
        bool found = false;
        for (size_t k = 0; k < count; k++)
            found = found || base_slice_equal(names[k], key);
        if (found)
            continue;
        const base_status status =
            base_error_set(error, BASE_BAD_INPUT, "unknown member \"%.*s\"", BASE_SLICE_ARG(key));
        const base_slice near = base_error_nearest(key, names, count);
        if (near.size != 0)
            base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(near));
        return status;
    }
    return base_ok();
}

static base_status get_text(const base_value *line, const char *name, base_slice *text_out,
                            base_error *error)
{
    const base_value *value = base_map_get_text(line, name);
    if (value == NULL)
        return base_ok();
    if (value->kind != BASE_STRING)
        return base_error_set(error, BASE_BAD_INPUT, "\"%s\" must be a text, not %s", name,
                              base_kind_name((base_kind)value->kind));
    *text_out = base_value_slice(value);
    return base_ok();
}

static base_status get_integer(const base_value *line, const char *name, int64_t minimum,
                               int64_t maximum, int64_t *number_out, base_error *error)
{
    const base_value *value = base_map_get_text(line, name);
    if (value == NULL)
        return base_ok();
    if (value->kind != BASE_INTEGER || value->integer < minimum || value->integer > maximum)
        return base_error_set(error, BASE_BAD_INPUT,
                              "\"%s\" must be a whole number from %lld to %lld", name,
                              (long long)minimum, (long long)maximum);
    *number_out = value->integer;
    return base_ok();
}

static base_value get_data(const base_value *line)
{
    const base_value *data = base_map_get_text(line, "data");
    return data == NULL ? base_value_null() : *data;
}

/* A key may be written as a number. */
static base_status get_key(const play *p, const base_value *line, base_slice *key_out,
                           base_error *error)
{
    const base_value *value = base_map_get_text(line, "key");
    if (value != NULL && base_value_is_number(value))
        return base_value_json(value, true, p->arena, key_out);
    return get_text(line, "key", key_out, error);
}

/* ---- the kinds of lines ---- */

static base_status line_event(play *p, const base_value *line, base_error *error)
{
    static const char *const known[] = {"at",      "event",         "data",        "id",
                                        "source",  "correlationid", "causationid", "sagastep",
                                        "sagatry", "sagakey",       "traceparent", NULL};
    base_slice name = {0};
    int64_t try_number = 0;
    saga_event event = {.data = get_data(line)};
    BASE_TRY(refuse_others(line, known, error));
    BASE_TRY(get_text(line, "event", &name, error));
    BASE_TRY(get_text(line, "id", &event.id, error));
    BASE_TRY(get_text(line, "source", &event.source, error));
    BASE_TRY(get_text(line, "correlationid", &event.correlation_id, error));
    BASE_TRY(get_text(line, "causationid", &event.causation_id, error));
    BASE_TRY(get_text(line, "sagastep", &event.saga_step, error));
    BASE_TRY(get_text(line, "sagakey", &event.saga_key, error));
    BASE_TRY(get_text(line, "traceparent", &event.trace_parent, error));
    BASE_TRY(get_integer(line, "sagatry", 1, INT32_MAX, &try_number, error));
    event.saga_try = (int32_t)try_number;
    return player_event(p->player, name, &event, error);
}

static base_status line_answer(play *p, const base_value *line, base_error *error)
{
    static const char *const known[] = {"at",  "answer", "to", "data",   "key",
                                        "try", "gen",    "id", "source", NULL};
    int64_t try_number = 0;
    int64_t gen = 0;
    saga_event event = {.data = get_data(line)};
    player_answer answer = {.overrides = &event};
    BASE_TRY(refuse_others(line, known, error));
    BASE_TRY(get_text(line, "answer", &answer.event, error));
    BASE_TRY(get_text(line, "id", &event.id, error));
    BASE_TRY(get_text(line, "source", &event.source, error));
    BASE_TRY(get_key(p, line, &answer.key, error));
    BASE_TRY(get_integer(line, "try", 1, INT32_MAX, &try_number, error));
    BASE_TRY(get_integer(line, "gen", 1, INT32_MAX, &gen, error));
    const base_value *to = base_map_get_text(line, "to");
    if (to == NULL)
        return base_error_set(error, BASE_BAD_INPUT,
                              "an answer needs \"to\": a step's path or an output line's number");
    if (to->kind == BASE_INTEGER)
        BASE_TRY(get_integer(line, "to", 1, INT64_MAX, &answer.to_line, error));
    else
        BASE_TRY(get_text(line, "to", &answer.to, error));
    answer.try_number = (int32_t)try_number;
    answer.gen = (int32_t)gen;
    return player_answer_ask(p->player, &answer, error);
}

static base_status line_abort(play *p, const base_value *line, base_error *error)
{
    static const char *const known[] = {"at", "abort", "key", "force", NULL};
    base_slice key = {0};
    saga_command command = {
        .kind = SAGA_COMMAND_ABORT, .who = base_slice_of("play"), .data = base_value_null()};
    BASE_TRY(refuse_others(line, known, error));
    BASE_TRY(get_text(line, "abort", &command.reason, error));
    BASE_TRY(get_key(p, line, &key, error));
    const base_value *force = base_map_get_text(line, "force");
    command.force = force != NULL && saga_truthy(force);
    return player_command(p->player, key, &command, error);
}

static base_status line_resolve(play *p, const base_value *line, base_error *error)
{
    static const char *const known[] = {"at",   "resolve", "act", "note",
                                        "data", "event",   "key", NULL};
    base_slice key = {0};
    base_slice act = {0};
    saga_command command = {
        .kind = SAGA_COMMAND_RESOLVE, .who = base_slice_of("play"), .data = get_data(line)};
    BASE_TRY(refuse_others(line, known, error));
    BASE_TRY(get_text(line, "resolve", &command.step, error));
    BASE_TRY(get_text(line, "act", &act, error));
    BASE_TRY(get_text(line, "note", &command.reason, error));
    BASE_TRY(get_text(line, "event", &command.event, error));
    BASE_TRY(get_key(p, line, &key, error));
    if (!saga_act_named(act, &command.act)) {
        const base_status status =
            base_error_set(error, BASE_BAD_INPUT, "\"act\" is \"%.*s\"", BASE_SLICE_ARG(act));
        base_error_hint(error, "acts are retry, skip, complete, fail, done_by_hand and give_up");
        return status;
    }
    return player_command(p->player, key, &command, error);
}

static base_status line_suspend(play *p, const base_value *line, base_error *error)
{
    static const char *const known[] = {"at", "suspend", "key", NULL};
    base_slice key = {0};
    saga_command command = {.who = base_slice_of("play"), .data = base_value_null()};
    const base_value *on = base_map_get_text(line, "suspend");
    BASE_TRY(refuse_others(line, known, error));
    BASE_TRY(get_key(p, line, &key, error));
    if (on->kind != BASE_BOOL)
        return base_error_set(error, BASE_BAD_INPUT, "\"suspend\" must be true or false");
    command.kind = on->truth ? SAGA_COMMAND_SUSPEND : SAGA_COMMAND_RESUME;
    return player_command(p->player, key, &command, error);
}

static base_status line_time(play *p, const base_value *line, base_error *error)
{
    static const char *const known[] = {"at",      "event",   "answer", "abort",
                                        "resolve", "suspend", NULL};
    (void)p;
    if (base_map_get_text(line, "at") == NULL || line->size > 1) {
        BASE_TRY(refuse_others(line, known, error));
        return base_error_set(error, BASE_BAD_INPUT,
                              "a line needs \"event\", \"answer\", \"abort\", \"resolve\", "
                              "\"suspend\" or \"at\"");
    }
    return base_ok();
}

static base_status take_line(play *p, base_slice text, base_error *error)
{
    static const struct {
        const char *member;
        base_status (*take)(play *, const base_value *, base_error *);
    } kinds[] = {{"event", line_event},     {"answer", line_answer},   {"abort", line_abort},
                 {"resolve", line_resolve}, {"suspend", line_suspend}, {NULL, line_time}};
    base_value line;
    int64_t at = player_now(p->player);
    BASE_TRY(schema_json_read(text, &(schema_json_options){0}, p->arena, &line, error));
    if (line.kind != BASE_MAP)
        return base_error_set(error, BASE_BAD_INPUT, "a line must be a JSON object");
    size_t kind = 0;
    while (kinds[kind].member != NULL && base_map_get_text(&line, kinds[kind].member) == NULL)
        kind++;
    if (base_map_get_text(&line, "at") != NULL)
        BASE_TRY(get_integer(&line, "at", 0, INT64_MAX / 4, &at, error));
    BASE_TRY(player_advance(p->player, at, error));
    return kinds[kind].take(p, &line, error);
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
        if (base_failed(take_line(p, text, &error))) {
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
