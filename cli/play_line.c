/* See play_line.h. Unknown members are refused: a misspelt one would change what a script means. */
#include "cli/play_line.h"

#include "schemas/json.h"

/* Where a line goes. */
typedef struct play {
    player *player;
    base_arena *arena;
} play;

/* ---- reading members ---- */

static base_status refuse_others(const base_value *line, const char *const *known,
                                 base_error *error)
{
    base_slice names[24];
    size_t count = 0;
    for (; known[count] != NULL; count++) {
        names[count] = base_slice_of(known[count]);
    }
    for (size_t i = 0; i < line->size; i++) {
        const base_slice key = line->members[i].key;
        bool found = false;
        for (size_t k = 0; k < count; k++) {
            found = found || base_slice_equal(names[k], key);
        }
        if (found) {
            continue;
        }
        const base_status status =
            base_error_set(error, BASE_BAD_INPUT, "unknown member \"%.*s\"", BASE_SLICE_ARG(key));
        const base_slice near = base_error_nearest(key, names, count);
        if (near.size != 0) {
            base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(near));
        }
        return status;
    }
    return base_ok();
}

static base_status get_text(const base_value *line, const char *name, base_slice *text_out,
                            base_error *error)
{
    const base_value *value = base_map_get_text(line, name);
    if (value == NULL) {
        return base_ok();
    }
    if (value->kind != BASE_STRING) {
        return base_error_set(error, BASE_BAD_INPUT, "\"%s\" must be a text, not %s", name,
                              base_kind_name((base_kind)value->kind));
    }
    *text_out = base_value_slice(value);
    return base_ok();
}

static base_status get_integer(const base_value *line, const char *name, int64_t minimum,
                               int64_t maximum, int64_t *number_out, base_error *error)
{
    const base_value *value = base_map_get_text(line, name);
    if (value == NULL) {
        return base_ok();
    }
    if (value->kind != BASE_INTEGER || value->integer < minimum || value->integer > maximum) {
        return base_error_set(error, BASE_BAD_INPUT,
                              "\"%s\" must be a whole number from %lld to %lld", name,
                              (long long)minimum, (long long)maximum);
    }
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
    if (value != NULL && base_value_is_number(value)) {
        return base_value_json(value, true, p->arena, key_out);
    }
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
    static const char *const known[] = {"at",  "answer", "to",     "data", "key", "try",
                                        "gen", "id",     "source", "saga", NULL};
    int64_t try_number = 0;
    int64_t gen = 0;
    saga_event event = {.data = get_data(line)};
    player_answer answer = {.overrides = &event};
    BASE_TRY(refuse_others(line, known, error));
    BASE_TRY(get_text(line, "answer", &answer.event, error));
    BASE_TRY(get_text(line, "id", &event.id, error));
    BASE_TRY(get_text(line, "source", &event.source, error));
    BASE_TRY(get_key(p, line, &answer.key, error));
    BASE_TRY(get_text(line, "saga", &answer.saga, error));
    BASE_TRY(get_integer(line, "try", 1, INT32_MAX, &try_number, error));
    BASE_TRY(get_integer(line, "gen", 1, INT32_MAX, &gen, error));
    const base_value *to = base_map_get_text(line, "to");
    if (to == NULL) {
        return base_error_set(error, BASE_BAD_INPUT,
                              "an answer needs \"to\": a step's path or an output line's number");
    }
    if (to->kind == BASE_INTEGER) {
        BASE_TRY(get_integer(line, "to", 1, INT64_MAX, &answer.to_line, error));
    } else {
        BASE_TRY(get_text(line, "to", &answer.to, error));
    }
    answer.try_number = (int32_t)try_number;
    answer.gen = (int32_t)gen;
    return player_answer_ask(p->player, &answer, error);
}

static base_status line_abort(play *p, const base_value *line, base_error *error)
{
    static const char *const known[] = {"at", "abort", "key", "saga", "force", NULL};
    base_slice key = {0};
    base_slice saga = {0};
    saga_command command = {
        .kind = SAGA_COMMAND_ABORT, .who = base_slice_of("play"), .data = base_value_null()};
    BASE_TRY(refuse_others(line, known, error));
    BASE_TRY(get_text(line, "abort", &command.reason, error));
    BASE_TRY(get_key(p, line, &key, error));
    BASE_TRY(get_text(line, "saga", &saga, error));
    const base_value *force = base_map_get_text(line, "force");
    command.force = force != NULL && saga_truthy(force);
    return player_command(p->player, key, saga, &command, error);
}

static base_status line_resolve(play *p, const base_value *line, base_error *error)
{
    static const char *const known[] = {"at",    "resolve", "act",  "note", "data",
                                        "event", "key",     "saga", NULL};
    base_slice key = {0};
    base_slice saga = {0};
    base_slice act = {0};
    saga_command command = {
        .kind = SAGA_COMMAND_RESOLVE, .who = base_slice_of("play"), .data = get_data(line)};
    BASE_TRY(refuse_others(line, known, error));
    BASE_TRY(get_text(line, "resolve", &command.step, error));
    BASE_TRY(get_text(line, "act", &act, error));
    BASE_TRY(get_text(line, "note", &command.reason, error));
    BASE_TRY(get_text(line, "event", &command.event, error));
    BASE_TRY(get_key(p, line, &key, error));
    BASE_TRY(get_text(line, "saga", &saga, error));
    if (!saga_act_named(act, &command.act)) {
        const base_status status =
            base_error_set(error, BASE_BAD_INPUT, "\"act\" is \"%.*s\"", BASE_SLICE_ARG(act));
        base_error_hint(error, "acts are retry, skip, complete, fail, done_by_hand and give_up");
        return status;
    }
    return player_command(p->player, key, saga, &command, error);
}

static base_status line_suspend(play *p, const base_value *line, base_error *error)
{
    static const char *const known[] = {"at", "suspend", "key", "saga", NULL};
    base_slice key = {0};
    base_slice saga = {0};
    saga_command command = {.who = base_slice_of("play"), .data = base_value_null()};
    const base_value *on = base_map_get_text(line, "suspend");
    BASE_TRY(refuse_others(line, known, error));
    BASE_TRY(get_key(p, line, &key, error));
    BASE_TRY(get_text(line, "saga", &saga, error));
    if (on->kind != BASE_BOOL) {
        return base_error_set(error, BASE_BAD_INPUT, "\"suspend\" must be true or false");
    }
    command.kind = on->truth ? SAGA_COMMAND_SUSPEND : SAGA_COMMAND_RESUME;
    return player_command(p->player, key, saga, &command, error);
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

static base_status take(play *p, base_slice text, base_error *error)
{
    static const struct {
        const char *member;
        base_status (*take)(play *, const base_value *, base_error *);
    } kinds[] = {{"event", line_event},     {"answer", line_answer},   {"abort", line_abort},
                 {"resolve", line_resolve}, {"suspend", line_suspend}, {NULL, line_time}};
    base_value line;
    int64_t at = player_now(p->player);
    BASE_TRY(schema_json_read(text, &(schema_json_options){0}, p->arena, &line, error));
    if (line.kind != BASE_MAP) {
        return base_error_set(error, BASE_BAD_INPUT, "a line must be a JSON object");
    }
    size_t kind = 0;
    while (kinds[kind].member != NULL && base_map_get_text(&line, kinds[kind].member) == NULL) {
        kind++;
    }
    if (base_map_get_text(&line, "at") != NULL) {
        BASE_TRY(get_integer(&line, "at", 0, INT64_MAX / 4, &at, error));
    }
    BASE_TRY(player_advance(p->player, at, error));
    return kinds[kind].take(p, &line, error);
}

base_status play_line_take(player *p, base_slice text, base_arena *arena, base_error *error)
{
    play to = {p, arena};
    return take(&to, text, error);
}
