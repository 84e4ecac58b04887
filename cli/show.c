/* `troupe show`: one instance, as it is and how it came to be. */
#include <stdio.h>
#include <string.h>

#include "cli/instance.h"
#include "cli/session.h"
#include "cli/story.h"

#define TIME_WIDTH 9 /* "+12.345s" */

typedef struct show_options {
    const char *saga;
    bool data;
    bool no_history;
    bool json;
} show_options;

static const cli_option table[] = {
    {"saga", "NAME", CLI_TEXT, offsetof(show_options, saga),
     "where several sagas have an instance of this key"},
    {"data", NULL, CLI_FLAG, offsetof(show_options, data),
     "the saga's document, and the data of events and outcomes"},
    {"no-history", NULL, CLI_FLAG, offsetof(show_options, no_history),
     "only what it is now (the journal is not read through)"},
    {"json", NULL, CLI_FLAG, offsetof(show_options, json),
     "one object: as of ls, and steps, waits, debts, early,\ndata, history"},
};

typedef struct show {
    const show_options *options;
    cli_paint paint;
    int64_t now_ms;
    int64_t started_ms;
    base_arena arena; /* one entry */
    base_arena whole; /* the JSON object */
    cli_object object;
    base_list_builder history;
    bool told;
} show;

/* ---- people ---- */

static void write_heading(const show *s, const engine_instance *instance, base_arena *arena)
{
    const saga_state *state = instance->state;
    char started[CLI_TIME_SIZE];
    char ago[CLI_TIME_SIZE];
    cli_clock(state->started_ms, started);
    cli_span(s->now_ms - state->started_ms, ago);
    const char *phase = instance->stuck ? "stuck" : saga_phase_name((saga_phase)state->phase);
    (void)fputs(cli_ink_text(s->paint, CLI_BOLD), stdout);
    cli_put(instance->key);
    (void)printf("%s  %.*s@%lld  %s", cli_ink_text(s->paint, CLI_PLAIN),
                 BASE_SLICE_ARG(instance->saga),
                 instance->plan == NULL ? 0LL : (long long)instance->plan->version,
                 cli_ink_text(s->paint, cli_ink_of(phase)));
    cli_put(cli_instance_phase(instance, arena));
    (void)printf("%s\nstarted %s, %s ago", cli_ink_text(s->paint, CLI_PLAIN), started, ago);
    if (saga_state_ended(state)) {
        char span[CLI_TIME_SIZE];
        cli_span(state->ended_ms - state->started_ms, span);
        (void)printf(", ended after %s", span);
    }
    (void)printf("; %llu entries", (unsigned long long)state->seq);
    if (state->incarnation > 1) {
        (void)printf(", incarnation %d", (int)state->incarnation);
    }
    (void)putchar('\n');
    if (instance->plan == NULL) {
        (void)printf("its definition %.12s is not on the log\n", state->plan_hash);
    }
}

static base_slice cause_member(const base_value *cause, const char *name)
{
    const base_value *value = base_map_get_text(cause, name);
    return value == NULL || value->kind != BASE_STRING ? base_slice_of("")
                                                       : base_value_slice(value);
}

/* "turned back by fails of authorise: payment.declined" */
static void write_cause(const base_value *cause)
{
    if (cause == NULL || cause->kind != BASE_MAP) {
        return;
    }
    const base_slice step = cause_member(cause, "step");
    const base_slice event = cause_member(cause, "event");
    const base_slice reason = cause_member(cause, "reason");
    (void)printf("turned back by ");
    cli_put(cause_member(cause, "kind"));
    (void)fputs(step.size > 0 ? " of " : "", stdout);
    cli_put(step);
    (void)fputs(event.size > 0 ? ": " : "", stdout);
    cli_put(event);
    (void)fputs(reason.size > 0 ? ", " : "", stdout);
    cli_put(reason);
    (void)putchar('\n');
}

static void write_step(const show *s, const engine_instance *instance, int32_t index, int width,
                       base_arena *arena)
{
    const saga_step_state *step = &instance->state->steps[index];
    const char *f = saga_f_name((saga_f)step->f);
    const char *u = saga_u_name((saga_u)step->u);
    (void)printf("  ");
    cli_put_column(cli_instance_step(instance, index, arena), width);
    (void)printf("  %s%-9s%s  %s%-8s%s  %5d  %3d  ", cli_ink_text(s->paint, cli_ink_of(f)), f,
                 cli_ink_text(s->paint, CLI_PLAIN), cli_ink_text(s->paint, cli_ink_of(u)), u,
                 cli_ink_text(s->paint, CLI_PLAIN), (int)step->tries, (int)step->gen);
    cli_put(step->end);
    for (int i = 0; i < 16; i++) {
        const uint32_t bit = UINT32_C(1) << i;
        const uint32_t shown = SAGA_STEP_DOUBT | SAGA_STEP_LATE | SAGA_STEP_STUCK |
                               SAGA_STEP_RECHECK | SAGA_STEP_EMIT_REFUSED;
        if ((step->flags & bit & shown) != 0) {
            (void)printf("  %s%s%s", cli_ink_text(s->paint, CLI_RED), cli_step_flag_name(bit),
                         cli_ink_text(s->paint, CLI_PLAIN));
        }
    }
    if (s->options->data && step->out != NULL) {
        (void)printf("\n    ");
        cli_put_json(step->out, 4, arena);
    }
    (void)putchar('\n');
}

static void write_steps(const show *s, const engine_instance *instance, base_arena *arena)
{
    int width = 4;
    for (int32_t i = 0; i < instance->state->step_count; i++) {
        const int own = cli_width(cli_instance_step(instance, i, arena));
        width = own > width ? own : width;
    }
    (void)printf("\n  %s%-*s  %-9s  %-8s  TRIES  GEN  OUTCOME%s\n", cli_ink_text(s->paint, CLI_DIM),
                 width, "STEP", "F", "U", cli_ink_text(s->paint, CLI_PLAIN));
    for (int32_t i = 0; i < instance->state->step_count; i++) {
        write_step(s, instance, i, width, arena);
    }
}

static void write_waits(const show *s, const engine_instance *instance, base_arena *arena)
{
    const saga_state *state = instance->state;
    if (state->timer_count == 0 || saga_state_ended(state)) {
        return;
    }
    (void)printf("\nwaits%s\n", (state->flags & SAGA_FLAG_SUSPENDED) != 0
                                    ? " (suspended: nothing is done until it is resumed)"
                                    : "");
    for (int32_t i = 0; i < state->timer_count; i++) {
        const saga_timer *timer = &state->timers[i];
        char span[CLI_TIME_SIZE];
        char clock[CLI_TIME_SIZE];
        cli_span(timer->due_ms - s->now_ms, span);
        cli_clock(timer->due_ms, clock);
        (void)printf("  ");
        cli_put_column(cli_story_timer(timer->kind, timer->step, instance->plan, arena), 36);
        (void)printf("  %s%s  (%s)\n", timer->due_ms >= s->now_ms ? "in " : "due since ",
                     timer->due_ms >= s->now_ms ? span : span + 1, clock);
    }
}

static void write_debts(const show *s, const engine_instance *instance, base_arena *arena)
{
    const saga_state *state = instance->state;
    bool first = true;
    for (int32_t i = 0; i < state->step_count; i++) {
        const saga_step_state *step = &state->steps[i];
        if (!cli_is_debt(step)) {
            continue;
        }
        (void)printf("%s  ", first ? "\ndebts\n" : "");
        first = false;
        cli_put(cli_instance_step(instance, i, arena));
        (void)printf(" %s, generation %d, try %d\n", saga_u_name((saga_u)step->u), (int)step->gen,
                     (int)step->undo_tries);
        if (s->options->data && step->undo_data != NULL) {
            (void)printf("    ");
            cli_put_json(step->undo_data, 4, arena);
            (void)putchar('\n');
        }
    }
}

/* What a human can do. */
static void write_tasks(const show *s, const engine_instance *instance, base_arena *arena)
{
    const saga_state *state = instance->state;
    for (int32_t i = 0; instance->stuck && i < state->step_count; i++) {
        const saga_step_state *step = &state->steps[i];
        const bool undo = step->u == SAGA_U_STUCK;
        if (!undo && (step->flags & SAGA_STEP_STUCK) == 0) {
            continue;
        }
        const base_slice name = cli_instance_step(instance, i, arena);
        (void)printf("\n%sa human is needed%s: %.*s%s is stuck\n", cli_ink_text(s->paint, CLI_RED),
                     cli_ink_text(s->paint, CLI_PLAIN), BASE_SLICE_ARG(name), undo ? "/undo" : "");
        (void)printf("  troupe resolve ");
        cli_put(instance->key);
        (void)printf(" %.*s%s %s --note \"...\"\n", BASE_SLICE_ARG(name), undo ? "/undo" : "",
                     undo ? "retry|done_by_hand|give_up" : "retry|skip|complete|fail");
    }
}

static void write_document(const engine_instance *instance, base_arena *arena)
{
    if (instance->state->data != NULL) {
        (void)printf("\ndocument\n  ");
        cli_put_json(instance->state->data, 2, arena);
        (void)putchar('\n');
    }
}

static void write_instance(const show *s, const engine_instance *instance, base_arena *arena)
{
    write_heading(s, instance, arena);
    write_cause(instance->state->cause);
    write_steps(s, instance, arena);
    write_waits(s, instance, arena);
    write_debts(s, instance, arena);
    if (instance->state->early_count > 0) {
        (void)printf("\n%d events came before their step and wait\n",
                     (int)instance->state->early_count);
    }
    write_tasks(s, instance, arena);
    if (s->options->data) {
        write_document(instance, arena);
    }
}

/* ---- JSON ---- */

static void step_object(const show *s, const engine_instance *instance, int32_t index,
                        base_arena *arena, base_list_builder *list, cli_object *object)
{
    const saga_step_state *step = &instance->state->steps[index];
    cli_object item;
    cli_object_begin(&item, arena);
    cli_member(&item, "step", cli_instance_step(instance, index, arena));
    cli_member_text(&item, "F", saga_f_name((saga_f)step->f));
    cli_member_text(&item, "U", saga_u_name((saga_u)step->u));
    cli_member_number(&item, "tries", step->tries);
    cli_member_number(&item, "gen", step->gen);
    cli_member_number(&item, "undo_tries", step->undo_tries);
    cli_member(&item, "end", step->end);
    cli_flags(&item, step->flags, cli_step_flag_name, arena);
    if (s->options->data) {
        cli_member_value(&item, "out", step->out);
        cli_member_value(&item, "undo_data", step->undo_data);
    }
    const base_value value = cli_object_end(&item);
    object->failed = object->failed || item.failed || base_failed(base_list_push(list, &value));
}

static void timer_object(const engine_instance *instance, const saga_timer *timer,
                         base_arena *arena, base_list_builder *list, cli_object *object)
{
    cli_object item;
    cli_object_begin(&item, arena);
    cli_member_text(&item, "timer", saga_timer_kind_name(timer->kind));
    if (timer->step != SAGA_NONE) {
        cli_member(&item, "step", cli_instance_step(instance, timer->step, arena));
    }
    cli_member_time(&item, "due", timer->due_ms);
    const base_value value = cli_object_end(&item);
    object->failed = object->failed || item.failed || base_failed(base_list_push(list, &value));
}

static void build_object(show *s, const engine_instance *instance)
{
    const saga_state *state = instance->state;
    base_arena *arena = &s->whole;
    base_list_builder list;
    cli_object_begin(&s->object, arena);
    cli_instance_object(instance, arena, &s->object);
    base_list_begin(&list, arena);
    for (int32_t i = 0; i < state->step_count; i++) {
        step_object(s, instance, i, arena, &list, &s->object);
    }
    const base_value steps = base_list_end(&list);
    cli_member_value(&s->object, "steps", &steps);
    cli_instance_lists(instance, arena, &s->object);
    base_list_begin(&list, arena);
    for (int32_t i = 0; i < state->timer_count; i++) {
        timer_object(instance, &state->timers[i], arena, &list, &s->object);
    }
    const base_value waits = base_list_end(&list);
    cli_member_value(&s->object, "waits", &waits);
    cli_member_number(&s->object, "early", state->early_count);
    if (s->options->data) {
        cli_member_value(&s->object, "data", state->data);
    }
}

/* ---- reading ---- */

static base_status each_instance(void *context, const engine_instance *instance, base_error *error)
{
    show *s = (show *)context;
    s->told = true;
    s->started_ms = instance->state->started_ms;
    if (!s->options->json) {
        base_arena_reset(&s->arena);
        write_instance(s, instance, &s->arena);
        return base_ok();
    }
    build_object(s, instance);
    /* What the state holds lives no longer than this call: the object is copied. */
    const base_value borrowed = cli_object_end(&s->object);
    base_value *own = BASE_ARENA_NEW(&s->whole, base_value);
    if (s->object.failed || own == NULL ||
        base_failed(base_value_copy(&borrowed, &s->whole, own))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory to show an instance");
    }
    cli_object_begin(&s->object, &s->whole);
    for (size_t i = 0; i < own->size; i++) {
        const base_member *member = &own->members[i];
        s->object.failed = s->object.failed ||
                           base_failed(base_map_put(&s->object.map, member->key, &member->value));
    }
    return base_ok();
}

static base_status each_moment(void *context, const engine_moment *moment, base_error *error)
{
    show *s = (show *)context;
    base_arena_reset(&s->arena);
    if (s->options->json) {
        cli_object item;
        base_value own;
        cli_object_begin(&item, &s->arena);
        cli_story_object(moment->entry, moment->plan, false, s->options->data, &s->arena, &item);
        const base_value value = cli_object_end(&item);
        if (item.failed || base_failed(base_value_copy(&value, &s->whole, &own)) ||
            base_failed(base_list_push(&s->history, &own))) {
            return base_error_set(error, BASE_OUT_OF_MEMORY, "the history is too long to show");
        }
        return base_ok();
    }
    char span[CLI_TIME_SIZE];
    char time[CLI_TIME_SIZE + 16];
    cli_span(moment->entry->at_ms - s->started_ms, span);
    const int blanks = TIME_WIDTH - 1 - (int)strlen(span);
    (void)snprintf(time, sizeof(time), "%*s+%s", blanks > 0 ? blanks : 0, "", span);
    const cli_story story = {.paint = s->paint, .time = base_slice_of(time)};
    cli_story_write(&story, moment->entry, moment->plan, &s->arena);
    if (s->options->data && moment->entry->input.kind == SAGA_INPUT_EVENT &&
        moment->entry->input.event != NULL) {
        (void)printf("%14s", "");
        cli_put_json(&moment->entry->input.event->data, 14, &s->arena);
        (void)putchar('\n');
    }
    return cli_broken() ? base_status_of(BASE_INTERRUPTED) : base_ok();
}

static base_status read_all(show *s, engine_view *view, base_slice saga, base_slice key,
                            base_error *error)
{
    const engine_filter filter = {.saga = saga, .key = key};
    BASE_TRY(engine_view_list(view, &filter, each_instance, s, error));
    if (!s->options->no_history && s->told) {
        if (!s->options->json) {
            (void)printf("\nhistory\n");
        }
        base_list_begin(&s->history, &s->whole);
        BASE_TRY(engine_view_history(view, saga, key, each_moment, s, error));
        const base_value history = base_list_end(&s->history);
        if (s->options->json) {
            cli_member_value(&s->object, "history", &history);
        }
    }
    if (s->options->json && s->told) {
        (void)cli_object_write(&s->object);
    }
    return base_ok();
}

static cli_exit perform(cli_session *session, const show_options *o, base_slice key)
{
    base_error error;
    engine_view view = {0};
    base_slice saga = {NULL, 0};
    show s = {.options = o, .paint = cli_paint_of_stdout(), .now_ms = cli_now_ms()};
    base_arena_init(&s.arena, BASE_ARENA_SIZE_DEFAULT_MAX * 4);
    base_arena_init(&s.whole, BASE_ARENA_SIZE_DEFAULT_MAX * 16);
    cli_exit result = cli_session_view(session, &view);
    if (result == CLI_OK) {
        result = cli_session_saga_of(session, &view, "show", o->saga, key, &saga);
    }
    if (result == CLI_OK) {
        base_error_clear(&error);
        const base_status status = read_all(&s, &view, saga, key, &error);
        if (base_failed(status) && status.code != BASE_INTERRUPTED) {
            result = cli_failure(status, &error);
        }
    }
    engine_view_close(&view);
    base_arena_deinit(&s.arena);
    base_arena_deinit(&s.whole);
    return result;
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    show_options o = {0};
    cli_session session = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    if (line.word_count != 1) {
        return cli_usage("show", line.word_count == 0 ? "name a key" : "one key at a time");
    }
    result = cli_session_open(&session, &line, true);
    if (result == CLI_OK) {
        result = perform(&session, &o, base_slice_of(line.words[0]));
    }
    cli_session_close(&session);
    return cli_end(result);
}

const cli_command cli_show = {
    .name = "show",
    .summary = "one instance: steps, waits, debts, history",
    .arguments = "KEY",
    .text = "Shows an instance, whether an engine runs or not: its phase; each step with both "
            "halves of its state (F: what\nhappened, U: what is owed backward); what it waits for; "
            "its history as a timeline.\n"
            "Exit code 1 when there is no such instance.",
    .examples = "  troupe show o1\n"
                "  troupe show o1 --data\n"
                "  troupe show o1 --json | jq '.steps[] | select(.U == \"owed\")'\n",
    .options = table,
    .option_count = sizeof(table) / sizeof(table[0]),
    .keys = CLI_KEYS_LOG,
    .run = run,
};
