/* `troupe replay`: the journal of an instance, folded step by step. Emits nothing. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/session.h"
#include "cli/story.h"
#include "saga/decide.h"

#define NAME_WIDTH 30

typedef struct replay_options {
    const char *saga;
    int64_t until;
    bool json;
} replay_options;

static const cli_option table[] = {
    {"saga", "NAME", CLI_TEXT, offsetof(replay_options, saga),
     "where several sagas have an instance of this key"},
    {"until", "SEQ", CLI_NUMBER, offsetof(replay_options, until), "stop behind this entry"},
    {"json", NULL, CLI_FLAG, offsetof(replay_options, json),
     "an object for each entry: saga, key, partition, offset,\nepoch, cause, seq, at, input, "
     "changes, effects, state"},
};

typedef struct replay {
    const replay_options *options;
    cli_paint paint;
    base_slice saga;
    base_slice key;
    base_arena arena; /* one entry */
    int64_t started_ms;
    bool told;
    /* As it was before the change that is being told. */
    uint8_t phase;
    uint8_t f[SAGA_STEP_MAX];
    uint8_t u[SAGA_STEP_MAX];
} replay;

/* ---- where it came from ---- */

static const char *cause_name(schema_cause_kind kind)
{
    switch (kind) {
    case SCHEMA_CAUSE_INBOX:
        return "inbox";
    case SCHEMA_CAUSE_SOURCE:
        return "source";
    case SCHEMA_CAUSE_TIMER:
        return "timer";
    case SCHEMA_CAUSE_COMMAND:
        return "command";
    case SCHEMA_CAUSE_NONE:
        break;
    }
    return "none";
}

/* ---- people ---- */

/* What a phase, F or U was before the change; and remembers what it is now. "" for others. */
static const char *was(replay *r, const saga_change *change)
{
    const bool known = change->step >= 0 && change->step < SAGA_STEP_MAX;
    const char *before = "";
    switch (change->kind) {
    case SAGA_CHANGE_CREATED:
        for (int i = 0; i < SAGA_STEP_MAX; i++) {
            r->f[i] = SAGA_F_WAITING;
            r->u[i] = SAGA_U_NO;
        }
        r->phase = SAGA_PHASE_NONE;
        break;
    case SAGA_CHANGE_PHASE:
        before = saga_phase_name((saga_phase)r->phase);
        r->phase = (uint8_t)change->number;
        break;
    case SAGA_CHANGE_F:
        before = known ? saga_f_name((saga_f)r->f[change->step]) : "";
        r->f[known ? change->step : 0] = (uint8_t)change->number;
        break;
    case SAGA_CHANGE_U:
        before = known ? saga_u_name((saga_u)r->u[change->step]) : "";
        r->u[known ? change->step : 0] = (uint8_t)change->number;
        break;
    case SAGA_CHANGE_FLAG:
    case SAGA_CHANGE_CAUSE:
    case SAGA_CHANGE_DATA:
    case SAGA_CHANGE_SEEN:
    case SAGA_CHANGE_EVENT:
    case SAGA_CHANGE_EARLY:
    case SAGA_CHANGE_EARLY_TAKEN:
    case SAGA_CHANGE_TIMER:
    case SAGA_CHANGE_TIMER_STOPPED:
    case SAGA_CHANGE_STEP_FLAG:
    case SAGA_CHANGE_ASK_DATA:
    case SAGA_CHANGE_TRY:
    case SAGA_CHANGE_VERDICT:
    case SAGA_CHANGE_OUT:
    case SAGA_CHANGE_UNDO_DATA:
    case SAGA_CHANGE_GEN:
    case SAGA_CHANGE_UNDO_TRY:
    case SAGA_CHANGE_END:
    case SAGA_CHANGE_COUNT:
        break;
    }
    return before;
}

static void write_change(replay *r, const saga_change *change, const saga_plan *plan)
{
    const cli_story_change told = cli_story_change_of(change, plan, &r->arena);
    const char *before = was(r, change);
    (void)printf("    ");
    cli_put_column(told.name, NAME_WIDTH);
    (void)printf("  ");
    if (before[0] != '\0') {
        char name[32];
        (void)snprintf(name, sizeof(name), "%.*s", BASE_SLICE_ARG(told.text));
        (void)printf("%s -> %s%s%s", before, cli_ink_text(r->paint, cli_ink_of(name)), name,
                     cli_ink_text(r->paint, CLI_PLAIN));
    } else {
        cli_put(told.text);
    }
    base_slice json = {NULL, 0};
    if (told.value != NULL && !base_failed(base_value_json(told.value, false, &r->arena, &json))) {
        (void)fputs(told.text.size > 0 ? "  " : "", stdout);
        cli_put(json);
    }
    (void)putchar('\n');
}

static void write_effect(const replay *r, const saga_effect *effect, const saga_plan *plan,
                         base_arena *arena)
{
    base_slice details = {NULL, 0};
    base_slice json = {NULL, 0};
    const base_slice text = cli_story_effect(effect, plan, arena, &details);
    (void)printf("    %s=> ", cli_ink_text(r->paint, CLI_CYAN));
    cli_put_column(text, details.size > 0 ? NAME_WIDTH - 3 : 0);
    (void)fputs(details.size > 0 ? "  " : "", stdout);
    cli_put(details);
    (void)fputs(cli_ink_text(r->paint, CLI_PLAIN), stdout);
    if (effect->data != NULL && !base_failed(base_value_json(effect->data, false, arena, &json))) {
        (void)printf("  ");
        cli_put(json);
    }
    (void)putchar('\n');
}

static void write_entry(replay *r, const engine_moment *moment)
{
    const saga_entry *entry = moment->entry;
    char span[CLI_TIME_SIZE];
    cli_span(entry->at_ms - r->started_ms, span);
    (void)printf("%s#%" PRIu64 "  +%s  ", cli_ink_text(r->paint, CLI_BOLD), entry->seq, span);
    cli_put(cli_story_input(entry, moment->plan, &r->arena));
    (void)printf("%s  (", cli_ink_text(r->paint, CLI_PLAIN));
    if (moment->cause.topic.size > 0) {
        cli_put(moment->cause.topic);
        (void)printf("/%d@%" PRId64 ", ", (int)moment->cause.partition, moment->cause.offset);
    }
    (void)printf("journal %d@%" PRId64 ", epoch %" PRIu64 ")\n", (int)moment->partition,
                 moment->offset, moment->epoch);
    if (moment->plan == NULL) {
        (void)printf("    the definition %.12s is not on the log\n", entry->plan_hash);
    }
    for (int32_t i = 0; i < entry->change_count; i++) {
        write_change(r, &entry->changes[i], moment->plan);
    }
    for (int32_t i = 0; i < entry->effect_count; i++) {
        write_effect(r, &entry->effects[i], moment->plan, &r->arena);
    }
}

/* ---- JSON ---- */

static base_status write_object(replay *r, const engine_moment *moment, base_error *error)
{
    cli_object object;
    cli_object cause;
    base_value state;
    cli_object_begin(&object, &r->arena);
    cli_member(&object, "saga", r->saga);
    cli_member(&object, "key", r->key);
    cli_member_number(&object, "partition", moment->partition);
    cli_member_number(&object, "offset", moment->offset);
    cli_member_number(&object, "epoch", (int64_t)moment->epoch);
    cli_object_begin(&cause, &r->arena);
    cli_member_text(&cause, "kind", cause_name(moment->cause.kind));
    if (moment->cause.topic.size > 0) {
        cli_member(&cause, "topic", moment->cause.topic);
        cli_member_number(&cause, "partition", moment->cause.partition);
        cli_member_number(&cause, "offset", moment->cause.offset);
    }
    cli_member_object(&object, "cause", &cause);
    cli_story_object(moment->entry, moment->plan, true, true, &r->arena, &object);
    if (moment->plan != NULL &&
        !base_failed(saga_state_to_value(moment->plan, moment->state, &r->arena, &state))) {
        cli_member_value(&object, "state", &state);
    }
    if (object.failed) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a line");
    }
    (void)cli_object_write(&object);
    return base_ok();
}

/* ---- the whole ---- */

static base_status each(void *context, const engine_moment *moment, base_error *error)
{
    replay *r = (replay *)context;
    if (r->options->until > 0 && moment->entry->seq > (uint64_t)r->options->until) {
        return base_ok();
    }
    if (cli_broken()) {
        return base_status_of(BASE_INTERRUPTED);
    }
    if (!r->told) {
        r->told = true;
        r->started_ms = moment->entry->at_ms;
    }
    base_arena_reset(&r->arena);
    if (r->options->json) {
        return write_object(r, moment, error);
    }
    write_entry(r, moment);
    return base_ok();
}

static cli_exit perform(cli_session *session, const replay_options *o, base_slice key)
{
    base_error error;
    engine_view view = {0};
    replay r = {.options = o, .paint = cli_paint_of_stdout(), .key = key};
    base_arena_init(&r.arena, BASE_ARENA_SIZE_DEFAULT_MAX * 4);
    cli_exit result = cli_session_view(session, &view);
    if (result == CLI_OK) {
        result = cli_session_saga_of(session, &view, "replay", o->saga, key, &r.saga);
    }
    if (result == CLI_OK) {
        base_error_clear(&error);
        const base_status status = engine_view_history(&view, r.saga, key, each, &r, &error);
        if (base_failed(status) && status.code != BASE_INTERRUPTED) {
            result = cli_failure(status, &error);
        }
    }
    engine_view_close(&view);
    base_arena_deinit(&r.arena);
    return result;
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    replay_options o = {0};
    cli_session session = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    if (line.word_count != 1) {
        return cli_usage("replay", line.word_count == 0 ? "name a key" : "one key at a time");
    }
    result = cli_session_open(&session, &line, true);
    if (result == CLI_OK) {
        result = perform(&session, &o, base_slice_of(line.words[0]));
    }
    cli_session_close(&session);
    return cli_end(result);
}

const cli_command cli_replay = {
    .name = "replay",
    .summary = "an instance's journal, folded step by step",
    .arguments = "KEY",
    .text = "Folds the journal of an instance from its first entry, and writes of each entry: the "
            "input and where it stood,\nevery change of the state, every effect. Emits nothing, "
            "calls nothing, reads no clock.\n"
            "Exit code 1 when there is no such instance.",
    .examples = "  troupe replay o1\n"
                "  troupe replay o1 --until 3\n"
                "  troupe replay o1 --json | jq -c '[.seq, .state.phase]'\n",
    .options = table,
    .option_count = sizeof(table) / sizeof(table[0]),
    .keys = CLI_KEYS_LOG,
    .run = run,
};
