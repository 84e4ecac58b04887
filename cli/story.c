/* See story.h. What every change of a state is called stands in story_change.c. */
#include "cli/story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- names ---- */

static base_slice step_name(int32_t step, const saga_plan *plan)
{
    if (step == SAGA_NONE || plan == NULL || step >= plan->step_count) {
        return base_slice_of("");
    }
    return plan->steps[step].name;
}

static base_slice input_event_name(const saga_entry *entry, const saga_plan *plan)
{
    const int32_t index = entry->input.event_index;
    if (plan != NULL && index != SAGA_NONE && index < plan->event_count) {
        return plan->events[index].name;
    }
    return entry->input.event == NULL ? base_slice_of("an event") : entry->input.event->type;
}

base_slice cli_story_timer(saga_timer_kind kind, int32_t step, const saga_plan *plan,
                           base_arena *arena)
{
    static const char *const texts[SAGA_TIMER_COUNT] = {
        [SAGA_TIMER_TRY] = "answer of",
        [SAGA_TIMER_BACKOFF] = "next try of",
        [SAGA_TIMER_DEADLINE] = "deadline of",
        [SAGA_TIMER_STUCK] = "a human for",
        [SAGA_TIMER_UNDO] = "answer to the undo of",
        [SAGA_TIMER_UNDO_BACKOFF] = "next undo of",
        [SAGA_TIMER_UNDO_STUCK] = "a human for the undo of",
        [SAGA_TIMER_EARLY] = "end of an early event",
    };
    const base_slice name = step_name(step, plan);
    if (kind == SAGA_TIMER_EARLY) {
        return base_slice_of(texts[kind]);
    }
    if (name.size == 0) {
        return base_slice_of(kind == SAGA_TIMER_DEADLINE ? "deadline of the saga"
                                                         : saga_timer_kind_name(kind));
    }
    return base_arena_print(arena, "%s %.*s", texts[kind], BASE_SLICE_ARG(name));
}

static base_slice timer_input(const saga_timer *timer, const saga_plan *plan, base_arena *arena)
{
    const base_slice name = step_name(timer->step, plan);
    switch (timer->kind) {
    case SAGA_TIMER_TRY:
        return base_arena_print(arena, "time: no answer of %.*s", BASE_SLICE_ARG(name));
    case SAGA_TIMER_BACKOFF:
        return base_arena_print(arena, "time: %.*s again", BASE_SLICE_ARG(name));
    case SAGA_TIMER_DEADLINE:
        return name.size == 0
                   ? base_slice_of("time: deadline of the saga")
                   : base_arena_print(arena, "time: deadline of %.*s", BASE_SLICE_ARG(name));
    case SAGA_TIMER_STUCK:
        return base_arena_print(arena, "time: %.*s takes too long", BASE_SLICE_ARG(name));
    case SAGA_TIMER_UNDO:
        return base_arena_print(arena, "time: no answer to the undo of %.*s", BASE_SLICE_ARG(name));
    case SAGA_TIMER_UNDO_BACKOFF:
        return base_arena_print(arena, "time: undo %.*s again", BASE_SLICE_ARG(name));
    case SAGA_TIMER_UNDO_STUCK:
        return base_arena_print(arena, "time: the undo of %.*s takes too long",
                                BASE_SLICE_ARG(name));
    case SAGA_TIMER_EARLY:
    case SAGA_TIMER_COUNT:
        break;
    }
    return base_slice_of("time: an early event has waited long enough");
}

static base_slice command_input(const saga_command *command, base_arena *arena)
{
    const char *name = saga_command_kind_name(command->kind);
    const bool resolve = command->kind == SAGA_COMMAND_RESOLVE;
    return base_arena_print(arena, "%s%s%s%.*s%s%s%s%.*s%s%.*s%s", command->force ? "forced " : "",
                            name, command->step.size > 0 ? " " : "", BASE_SLICE_ARG(command->step),
                            resolve ? ": " : "", resolve ? saga_act_name(command->act) : "",
                            command->who.size > 0 ? " by " : "", BASE_SLICE_ARG(command->who),
                            command->reason.size > 0 ? ", \"" : "", BASE_SLICE_ARG(command->reason),
                            command->reason.size > 0 ? "\"" : "");
}

base_slice cli_story_input(const saga_entry *entry, const saga_plan *plan, base_arena *arena)
{
    switch (entry->input.kind) {
    case SAGA_INPUT_EVENT:
        return input_event_name(entry, plan);
    case SAGA_INPUT_TIMER:
        return timer_input(&entry->input.timer, plan, arena);
    case SAGA_INPUT_COMMAND:
        break;
    }
    return command_input(&entry->input.command, arena);
}

/* ---- effects ---- */

static base_slice joined(base_arena *arena, base_slice a, base_slice b)
{
    if (a.size == 0 || b.size == 0) {
        return a.size == 0 ? b : a;
    }
    return base_arena_print(arena, "%.*s, %.*s", BASE_SLICE_ARG(a), BASE_SLICE_ARG(b));
}

base_slice cli_story_effect(const saga_effect *effect, const saga_plan *plan, base_arena *arena,
                            base_slice *details_out)
{
    const base_slice step = step_name(effect->step, plan);
    base_slice details = joined(arena, step, effect->text);
    const char *verb = "";
    switch (effect->kind) {
    case SAGA_EFFECT_ASK:
        verb = "ask ";
        details =
            base_arena_print(arena, "%.*s, try %d", BASE_SLICE_ARG(step), (int)effect->try_number);
        break;
    case SAGA_EFFECT_UNDO:
        verb = "undo ";
        details = base_arena_print(arena, "%.*s, generation %d, try %d", BASE_SLICE_ARG(step),
                                   (int)effect->gen, (int)effect->try_number);
        break;
    case SAGA_EFFECT_EMIT:
        verb = "emit ";
        break;
    case SAGA_EFFECT_PHASE:
        break;
    case SAGA_EFFECT_ALERT:
        verb = "alert ";
        if (effect->tell.size > 0) {
            details = joined(arena, details,
                             base_arena_print(arena, "tell %.*s", BASE_SLICE_ARG(effect->tell)));
        }
        break;
    case SAGA_EFFECT_NOTE:
        verb = "note ";
        break;
    case SAGA_EFFECT_DEAD_LETTER:
        verb = "dead letter ";
        break;
    case SAGA_EFFECT_COUNT:
        break;
    }
    *details_out = details;
    return base_arena_print(arena, "%s%.*s", verb, BASE_SLICE_ARG(effect->name));
}

static cli_ink effect_ink(const saga_effect *effect)
{
    char name[32];
    switch (effect->kind) {
    case SAGA_EFFECT_ASK:
        return CLI_PLAIN;
    case SAGA_EFFECT_UNDO:
    case SAGA_EFFECT_EMIT:
        return CLI_CYAN;
    case SAGA_EFFECT_PHASE:
        (void)snprintf(name, sizeof(name), "%.*s", BASE_SLICE_ARG(effect->name));
        return cli_ink_of(name);
    case SAGA_EFFECT_ALERT:
    case SAGA_EFFECT_DEAD_LETTER:
        return CLI_RED;
    case SAGA_EFFECT_NOTE:
    case SAGA_EFFECT_COUNT:
        break;
    }
    return CLI_DIM;
}

/* ---- what became of steps ---- */

/* States that a reader infers from an ask or an undo that stands there anyway. */
static bool f_is_news(int64_t f)
{
    return f != SAGA_F_DUE && f != SAGA_F_OPEN && f != SAGA_F_WAITING;
}

static bool u_is_news(int64_t u)
{
    return u != SAGA_U_UNDOING && u != SAGA_U_NO;
}

/* Is there a later change of the same half of the same step? */
static bool overtaken(const saga_entry *entry, int32_t at)
{
    const saga_change *change = &entry->changes[at];
    for (int32_t i = at + 1; i < entry->change_count; i++) {
        if (entry->changes[i].kind == change->kind && entry->changes[i].step == change->step) {
            return true;
        }
    }
    return false;
}

static bool is_outcome(const saga_entry *entry, int32_t at)
{
    const saga_change *change = &entry->changes[at];
    const bool f = change->kind == SAGA_CHANGE_F && f_is_news(change->number);
    const bool u = change->kind == SAGA_CHANGE_U && u_is_news(change->number);
    return (f || u) && !overtaken(entry, at);
}

/* Did an earlier step end the same way? Then it was told with that one. */
static bool told_before(const saga_entry *entry, int32_t at)
{
    for (int32_t i = 0; i < at; i++) {
        if (entry->changes[i].kind == entry->changes[at].kind &&
            entry->changes[i].number == entry->changes[at].number && is_outcome(entry, i)) {
            return true;
        }
    }
    return false;
}

/* "authorise failed; capture, ship cancelled": where the steps that the entry moved stand after
 * it. */
static base_slice outcome(const saga_entry *entry, const saga_plan *plan, base_arena *arena)
{
    base_slice text = {NULL, 0};
    for (int32_t i = 0; i < entry->change_count; i++) {
        const saga_change *change = &entry->changes[i];
        if (!is_outcome(entry, i) || told_before(entry, i)) {
            continue;
        }
        base_slice names = {NULL, 0};
        for (int32_t k = i; k < entry->change_count; k++) {
            if (entry->changes[k].kind == change->kind &&
                entry->changes[k].number == change->number && is_outcome(entry, k)) {
                names = joined(arena, names, step_name(entry->changes[k].step, plan));
            }
        }
        const char *state = change->kind == SAGA_CHANGE_F ? saga_f_name((saga_f)change->number)
                                                          : saga_u_name((saga_u)change->number);
        text = base_arena_print(arena, "%.*s%s%.*s %s", BASE_SLICE_ARG(text),
                                text.size == 0 ? "" : "; ", BASE_SLICE_ARG(names), state);
    }
    return text;
}

/* ---- writing ---- */

#define INPUT_WIDTH 34

static void write_prefix(const cli_story *story, bool first)
{
    if (story->time.size > 0) {
        if (first) {
            (void)printf("%s%.*s%s  ", cli_ink_text(story->paint, CLI_DIM),
                         BASE_SLICE_ARG(story->time), cli_ink_text(story->paint, CLI_PLAIN));
        } else {
            (void)printf("%*s  ", cli_width(story->time), "");
        }
    }
    if (story->label_width > 0) {
        cli_put_column(story->label, story->label_width);
        (void)printf("  ");
    }
}

void cli_story_write(const cli_story *story, const saga_entry *entry, const saga_plan *plan,
                     base_arena *arena)
{
    const base_slice changed = outcome(entry, plan, arena);
    write_prefix(story, true);
    (void)fputs(cli_ink_text(story->paint, CLI_BOLD), stdout);
    cli_put_column(cli_story_input(entry, plan, arena), changed.size == 0 ? 0 : INPUT_WIDTH);
    (void)fputs(cli_ink_text(story->paint, CLI_PLAIN), stdout);
    if (changed.size > 0) {
        (void)printf("  ");
        cli_put(changed);
    }
    (void)putchar('\n');
    for (int32_t i = 0; i < entry->effect_count; i++) {
        base_slice details = {NULL, 0};
        const base_slice text = cli_story_effect(&entry->effects[i], plan, arena, &details);
        write_prefix(story, false);
        (void)printf("  %s", cli_ink_text(story->paint, effect_ink(&entry->effects[i])));
        cli_put_column(text, details.size == 0 ? 0 : INPUT_WIDTH - 2);
        (void)fputs(cli_ink_text(story->paint, CLI_PLAIN), stdout);
        if (details.size > 0) {
            (void)printf("  ");
            cli_put(details);
        }
        (void)putchar('\n');
    }
}
