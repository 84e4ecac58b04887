/*
 * What operators tell an instance: abort, resolve, suspend, resume, purge. A command is an event in
 * the inbox (engine/command.h); the entry that it leads to is the answer.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/session.h"
#include "cli/story.h"
#include "engine/command.h"
#include "schemas/envelope.h"
#include "schemas/json.h"

#define WAIT_DEFAULT_MS 10000

typedef struct operate_options {
    const char *saga;
    const char *who;
    const char *reason; /* --reason or --note */
    const char *event;
    const char *data;
    bool force;
    int64_t wait_ms;
    bool json;
} operate_options;

#define OPTION_SAGA                                                                                \
    {                                                                                              \
        "saga", "NAME", CLI_TEXT, offsetof(operate_options, saga),                                 \
            "where several sagas have an instance of this key"                                     \
    }
#define OPTION_WHO                                                                                 \
    {                                                                                              \
        "who", "NAME", CLI_TEXT, offsetof(operate_options, who), "is recorded (default: $USER)"    \
    }
#define OPTION_WAIT                                                                                \
    {                                                                                              \
        "wait", "TIME", CLI_DURATION, offsetof(operate_options, wait_ms),                          \
            "for the engine's answer (default 10s)"                                                \
    }
#define OPTION_JSON                                                                                \
    {                                                                                              \
        "json", NULL, CLI_FLAG, offsetof(operate_options, json),                                   \
            "one object: saga, key, refused, seq, at, input, steps,\neffects"                      \
    }
#define OPTION_REASON(name_, text_)                                                                \
    {                                                                                              \
        name_, "TEXT", CLI_TEXT, offsetof(operate_options, reason), text_                          \
    }

/* ---- the answer ---- */

/* What the notes that refuse a command mean. */
static const struct {
    const char *note;
    const char *text;
} refusals[] = {
    {"reason_needed", "past the pivot an abort needs --force and --reason"},
    {"no_such_outcome", "the step has no such outcome among its `emits`"},
    {"no_such_step", "the saga has no such step"},
    {"not_stuck", "it is not stuck: there is nothing to resolve"},
    {"no_change", "nothing would change"},
    {"suspended", "the instance is suspended: resume it first"},
    {"pivot_cannot_be_skipped", "a pivot cannot be skipped: complete it, or let it fail"},
    {"already_suspended", "it is suspended already"},
    {"not_suspended", "it is not suspended"},
    {"within_retain", "it ended too recently: `retain` is not over"},
    {"not_ended", "it has not ended"},
    {"not_running", "it is not running"},
    {"no_instance", "there is no such instance"},
};

/* Why the command was refused, or NULL when it was not. */
static const char *refusal(const saga_entry *entry)
{
    for (int32_t i = 0; i < entry->effect_count; i++) {
        const saga_effect *effect = &entry->effects[i];
        if (effect->kind == SAGA_EFFECT_EMIT &&
            base_slice_is(effect->name, "saga.cancel_refused")) {
            return "the pivot is passed: there is only forward (--force with --reason turns back "
                   "what can be undone)";
        }
        for (size_t k = 0; k < sizeof(refusals) / sizeof(refusals[0]); k++) {
            if ((effect->kind == SAGA_EFFECT_NOTE || effect->kind == SAGA_EFFECT_DEAD_LETTER) &&
                base_slice_is(effect->name, refusals[k].note)) {
                return refusals[k].text;
            }
        }
    }
    return NULL;
}

static cli_exit tell_answer(cli_session *session, const engine_view *view, const operate_options *o,
                            const saga_entry *entry)
{
    const char *why = refusal(entry);
    const engine_plan *plan = engine_catalog_plan(&view->catalog, entry->plan_hash);
    base_arena *arena = &session->scratch;
    if (o->json) {
        cli_object object;
        cli_object_begin(&object, arena);
        cli_member(&object, "saga", entry->saga);
        cli_member(&object, "key", entry->key);
        cli_member_bool(&object, "refused", why != NULL);
        cli_member_text(&object, "why", why);
        cli_story_object(entry, plan == NULL ? NULL : plan->plan, false, false, arena, &object);
        (void)cli_object_write(&object);
    } else {
        char time[CLI_TIME_SIZE];
        cli_clock_short(entry->at_ms, time);
        const cli_story story = {.paint = cli_paint_of_stdout(),
                                 .time = base_slice_of(time),
                                 .label = entry->key,
                                 .label_width = cli_width(entry->key)};
        cli_story_write(&story, entry, plan == NULL ? NULL : plan->plan, arena);
    }
    if (why == NULL) {
        return CLI_OK;
    }
    (void)fflush(stdout);
    (void)fprintf(stderr, "troupe: refused: %s\n", why);
    return CLI_NO;
}

/* ---- before it is sent ---- */

static const char *user_name(void)
{
    const char *name = getenv("USER");
    if (name != NULL && name[0] != '\0') {
        return name;
    }
    const struct passwd *entry = getpwuid(geteuid());
    return entry == NULL ? "unknown" : entry->pw_name;
}

typedef struct instance_plan {
    const engine_view *view;
    const saga_plan *plan;
} instance_plan;

static base_status each_instance(void *context, const engine_instance *instance, base_error *error)
{
    instance_plan *found = (instance_plan *)context;
    (void)error;
    found->plan = instance->plan;
    return base_ok();
}

/* A misspelt step is said here; the plan knows them all. */
static cli_exit check_step(engine_view *view, const engine_command *command)
{
    base_error error;
    instance_plan found = {.view = view};
    const engine_filter filter = {.saga = command->saga, .key = command->key};
    base_error_clear(&error);
    const base_status status = engine_view_list(view, &filter, each_instance, &found, &error);
    if (base_failed(status)) {
        return cli_failure(status, &error);
    }
    base_slice step = command->command.step;
    const base_slice suffix = base_slice_of("/undo");
    if (base_slice_ends_with(step, suffix)) {
        step.size -= suffix.size;
    }
    if (found.plan == NULL || saga_plan_step(found.plan, step) != SAGA_NONE) {
        return CLI_OK;
    }
    base_slice names[SAGA_STEP_MAX];
    for (int32_t i = 0; i < found.plan->step_count; i++) {
        names[i] = found.plan->steps[i].name;
    }
    const base_slice near = base_error_nearest(step, names, (size_t)found.plan->step_count);
    return near.size > 0
               ? cli_usage("resolve", "saga %.*s has no step \"%.*s\", did you mean \"%.*s\"?",
                           BASE_SLICE_ARG(command->saga), BASE_SLICE_ARG(step),
                           BASE_SLICE_ARG(near))
               : cli_usage("resolve", "saga %.*s has no step \"%.*s\"",
                           BASE_SLICE_ARG(command->saga), BASE_SLICE_ARG(step));
}

static cli_exit deliver(cli_session *session, engine_view *view, const operate_options *o,
                        engine_command *command)
{
    base_error error;
    engine_answer answer;
    base_error_clear(&error);
    const base_status status = engine_command_send(
        session->store, command, session->config.prefix, &session->topics, view->partition_count,
        cli_now_ms(), (int32_t)o->wait_ms, &session->arena, &answer, &error);
    if (base_failed(status)) {
        return cli_failure(status, &error);
    }
    if (!answer.answered) {
        (void)fprintf(stderr, "troupe: the engine found no instance \"%.*s\"\n",
                      BASE_SLICE_ARG(command->key));
        return CLI_NO;
    }
    return tell_answer(session, view, o, &answer.entry);
}

static cli_exit perform(const cli_line *line, const operate_options *o, engine_command *command)
{
    cli_session session = {0};
    engine_view view = {0};
    cli_exit result = cli_session_open(&session, line, false);
    if (result == CLI_OK) {
        result = cli_session_view(&session, &view);
    }
    if (result == CLI_OK) {
        result = cli_session_saga_of(&session, &view, line->command->name, o->saga, command->key,
                                     &command->saga);
    }
    if (result == CLI_OK && command->command.kind == SAGA_COMMAND_RESOLVE) {
        result = check_step(&view, command);
    }
    if (result == CLI_OK) {
        result = deliver(&session, &view, o, command);
    }
    engine_view_close(&view);
    cli_session_close(&session);
    return cli_end(result);
}

/* ---- the commands ---- */

static void fill(engine_command *command, saga_command_kind kind, const operate_options *o,
                 const char *key)
{
    memset(command, 0, sizeof(*command));
    command->key = base_slice_of(key);
    command->command.kind = kind;
    command->command.who = base_slice_of(o->who != NULL ? o->who : user_name());
    command->command.reason = base_slice_of(o->reason);
    command->command.force = o->force;
    command->command.data = base_value_null();
}

/* abort, suspend, resume, purge: a key and options. */
static cli_exit run_simple(const cli_command *command, int argc, char **argv)
{
    static const saga_command_kind kinds[] = {SAGA_COMMAND_ABORT, SAGA_COMMAND_SUSPEND,
                                              SAGA_COMMAND_RESUME, SAGA_COMMAND_PURGE};
    operate_options o = {.wait_ms = WAIT_DEFAULT_MS};
    cli_line line;
    engine_command sent;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    if (line.word_count != 1) {
        return cli_usage(command->name, line.word_count == 0 ? "name a key" : "one key at a time");
    }
    if (o.force && o.reason == NULL) {
        return cli_usage(command->name, "--force needs a --reason");
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(command->name, saga_command_kind_name(kinds[i])) == 0) {
            fill(&sent, kinds[i], &o, line.words[0]);
        }
    }
    return perform(&line, &o, &sent);
}

static cli_exit check_resolve(const cli_line *line, const operate_options *o,
                              engine_command *command, base_arena *arena)
{
    base_slice acts[SAGA_ACT_COUNT];
    base_error error;
    const base_slice act = base_slice_of(line->words[2]);
    const schema_json_options options = {.path = base_slice_of("--data"),
                                         .depth_max = SCHEMA_DATA_DEPTH_MAX};
    base_error_clear(&error);
    for (int i = 0; i < SAGA_ACT_COUNT; i++) {
        acts[i] = base_slice_of(saga_act_name((saga_act)i));
    }
    if (!saga_act_named(act, &command->command.act)) {
        const base_slice near = base_error_nearest(act, acts, SAGA_ACT_COUNT);
        return near.size > 0 ? cli_usage("resolve", "no act \"%s\", did you mean \"%.*s\"?",
                                         act.data, BASE_SLICE_ARG(near))
                             : cli_usage("resolve",
                                         "no act \"%s\": retry, skip, complete, fail; of an undo "
                                         "retry, done_by_hand, give_up",
                                         act.data);
    }
    if (o->reason == NULL || o->reason[0] == '\0') {
        return cli_usage("resolve", "a --note that says why is needed: it is recorded");
    }
    if ((o->event != NULL || o->data != NULL) && command->command.act != SAGA_ACT_COMPLETE) {
        return cli_usage("resolve", "--event and --data go with complete");
    }
    command->command.event = base_slice_of(o->event);
    if (o->data != NULL && base_failed(schema_json_read(base_slice_of(o->data), &options, arena,
                                                        &command->command.data, &error))) {
        return cli_failure(base_status_of(error.code), &error);
    }
    return CLI_OK;
}

static cli_exit run_resolve(const cli_command *command, int argc, char **argv)
{
    operate_options o = {.wait_ms = WAIT_DEFAULT_MS};
    cli_line line;
    engine_command sent;
    base_arena arena;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    if (line.word_count != 3) {
        return cli_usage("resolve", "a key, a step and an act are needed");
    }
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    fill(&sent, SAGA_COMMAND_RESOLVE, &o, line.words[0]);
    sent.command.step = base_slice_of(line.words[1]);
    result = check_resolve(&line, &o, &sent, &arena);
    if (result == CLI_OK) {
        result = perform(&line, &o, &sent);
    }
    base_arena_deinit(&arena);
    return result;
}

#define WHAT_BECOMES_OF_IT                                                                         \
    "Waits for the engine's answer and prints what it did. Exit code 1 when it was refused, 3 "    \
    "when "                                                                                        \
    "no engine\nanswered in time: the command stays on the log, and is taken when one is back."

static const cli_option abort_table[] = {
    OPTION_SAGA,
    OPTION_REASON("reason", "is recorded, and is the saga's cause"),
    {"force", NULL, CLI_FLAG, offsetof(operate_options, force),
     "also past the pivot: what can be undone is undone, and\nthe instance ends damaged (needs "
     "--reason)"},
    OPTION_WHO,
    OPTION_WAIT,
    OPTION_JSON,
};

const cli_command cli_abort = {
    .name = "abort",
    .summary = "turn an instance back",
    .arguments = "KEY",
    .text = "Turns an instance back: what was done is undone. While a pivot is in flight its "
            "answer decides.\n" WHAT_BECOMES_OF_IT,
    .examples = "  troupe abort o1 --reason \"customer called\"\n",
    .options = abort_table,
    .option_count = sizeof(abort_table) / sizeof(abort_table[0]),
    .keys = CLI_KEYS_LOG,
    .run = run_simple,
};

static const cli_option resolve_table[] = {
    OPTION_SAGA,
    OPTION_REASON("note", "why; required, and recorded"),
    {"event", "EVENT", CLI_TEXT, offsetof(operate_options, event),
     "complete: the outcome (default: the first of `emits`)"},
    {"data", "JSON", CLI_TEXT, offsetof(operate_options, data), "complete: the outcome's data"},
    OPTION_WHO,
    OPTION_WAIT,
    OPTION_JSON,
};

const cli_command cli_resolve = {
    .name = "resolve",
    .summary = "a human's act on a stuck step or undo",
    .arguments = "KEY STEP ACT",
    .text =
        "Acts on a stuck step: retry, skip, complete (as if the service had answered), fail. On "
        "a stuck undo\n(STEP/undo): retry, done_by_hand, give_up (the instance ends "
        "damaged).\n" WHAT_BECOMES_OF_IT,
    .examples = "  troupe resolve o1 authorise/undo done_by_hand --note \"voided in the bank's "
                "portal\"\n"
                "  troupe resolve o1 ship complete --note \"by phone\" --data '{\"trackingId\": "
                "\"x1\"}'\n",
    .options = resolve_table,
    .option_count = sizeof(resolve_table) / sizeof(resolve_table[0]),
    .keys = CLI_KEYS_LOG,
    .run = run_resolve,
};

static const cli_option plain_table[] = {
    OPTION_SAGA, OPTION_REASON("reason", "is recorded"), OPTION_WHO, OPTION_WAIT, OPTION_JSON,
};

const cli_command cli_suspend = {
    .name = "suspend",
    .summary = "hold an instance: facts are recorded, nothing is asked",
    .arguments = "KEY",
    .text = "Holds an instance: events are recorded, but nothing is asked or undone and no timer "
            "counts until it is resumed.\n" WHAT_BECOMES_OF_IT,
    .examples = "  troupe suspend o1 --reason \"fraud desk looks at it\"\n",
    .options = plain_table,
    .option_count = sizeof(plain_table) / sizeof(plain_table[0]),
    .keys = CLI_KEYS_LOG,
    .run = run_simple,
};

const cli_command cli_resume = {
    .name = "resume",
    .summary = "let a suspended instance go on",
    .arguments = "KEY",
    .text = "Lets a suspended instance go on.\n" WHAT_BECOMES_OF_IT,
    .examples = "  troupe resume o1\n",
    .options = plain_table,
    .option_count = sizeof(plain_table) / sizeof(plain_table[0]),
    .keys = CLI_KEYS_LOG,
    .run = run_simple,
};

const cli_command cli_purge = {
    .name = "purge",
    .summary = "forget an ended instance whose `retain` is over",
    .arguments = "KEY",
    .text = "Forgets an instance that has ended and whose `retain` is over; only its key is kept "
            "for a while.\n" WHAT_BECOMES_OF_IT,
    .examples = "  troupe purge o1\n",
    .options = plain_table,
    .option_count = sizeof(plain_table) / sizeof(plain_table[0]),
    .keys = CLI_KEYS_LOG,
    .run = run_simple,
};
