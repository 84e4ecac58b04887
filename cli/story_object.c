/* Entries as JSON objects, and what every change of a state is called: see story.h. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/story.h"

/* ---- flags ---- */

const char *cli_state_flag_name(uint32_t bit)
{
    static const char *const names[] = {"past_pivot", "abort_pending", "suspended",
                                        "damage",     "journal_gap",   "purged"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (bit == UINT32_C(1) << i) {
            return names[i];
        }
    }
    return NULL;
}

const char *cli_step_flag_name(uint32_t bit)
{
    static const char *const names[] = {
        "recheck",    "doubt",          "late",           "stuck",   "undo_ready",   "undo_void",
        "undo_error", "told_uninvited", "told_no_effect", "surplus", "emit_refused", "rest"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (bit == UINT32_C(1) << i) {
            return names[i];
        }
    }
    return NULL;
}

/* ---- changes ---- */

static base_slice path_of(int32_t step, const saga_plan *plan)
{
    if (step == SAGA_NONE || plan == NULL || step >= plan->step_count) {
        return base_slice_of("");
    }
    return plan->steps[step].name;
}

static base_slice event_of(int64_t event, const saga_plan *plan)
{
    if (plan == NULL || event < 0 || event >= plan->event_count) {
        return base_slice_of("?");
    }
    return plan->events[event].name;
}

static base_slice number_text(int64_t number, base_arena *arena)
{
    return base_arena_print(arena, "%" PRId64, number);
}

/* "authorise.try", or "try" where there is no step. */
static base_slice dotted(int32_t step, const char *part, const saga_plan *plan, base_arena *arena)
{
    const base_slice name = path_of(step, plan);
    return name.size == 0 ? base_slice_of(part)
                          : base_arena_print(arena, "%.*s.%s", BASE_SLICE_ARG(name), part);
}

static base_slice on_or_off(int64_t truth)
{
    return base_slice_of(truth != 0 ? "yes" : "no");
}

static base_slice time_text(int64_t ms, base_arena *arena)
{
    char text[CLI_TIME_SIZE];
    cli_clock(ms, text);
    return base_arena_copy(arena, base_slice_of(text));
}

/* Changes of the instance as a whole. false: it is one of a step's. */
static bool change_of_instance(const saga_change *change, const saga_plan *plan, base_arena *arena,
                               cli_story_change *out)
{
    switch (change->kind) {
    case SAGA_CHANGE_CREATED:
        *out = (cli_story_change){base_slice_of("created"), change->text, change->value};
        return true;
    case SAGA_CHANGE_PHASE:
        *out = (cli_story_change){base_slice_of("phase"),
                                  base_slice_of(saga_phase_name((saga_phase)change->number)), NULL};
        return true;
    case SAGA_CHANGE_FLAG: {
        const char *name = cli_state_flag_name((uint32_t)change->number);
        *out = (cli_story_change){base_slice_of(name == NULL ? "flag" : name),
                                  on_or_off(change->other), NULL};
        return true;
    }
    case SAGA_CHANGE_CAUSE:
        *out = (cli_story_change){base_slice_of("cause"), {NULL, 0}, change->value};
        return true;
    case SAGA_CHANGE_DATA:
        out->name = base_arena_print(arena, "data %.*s", BASE_SLICE_ARG(change->text));
        out->text = base_slice_of(change->number == 1 ? "deleted" : "");
        out->value = change->number == 1 ? NULL : change->value;
        return true;
    case SAGA_CHANGE_SEEN:
        *out = (cli_story_change){base_slice_of("seen"), {NULL, 0}, NULL};
        out->text = base_arena_print(arena, "%016" PRIx64, (uint64_t)change->number);
        return true;
    case SAGA_CHANGE_EVENT:
        *out = (cli_story_change){base_slice_of("last event"), event_of(change->number, plan),
                                  change->value};
        return true;
    case SAGA_CHANGE_EARLY:
        *out = (cli_story_change){base_slice_of("early event"), event_of(change->number, plan),
                                  change->value};
        return true;
    case SAGA_CHANGE_EARLY_TAKEN:
        *out = (cli_story_change){base_slice_of("early event taken"),
                                  number_text(change->number, arena), NULL};
        return true;
    case SAGA_CHANGE_END:
        *out = (cli_story_change){base_slice_of("end published"),
                                  base_slice_of(saga_phase_name((saga_phase)change->number)), NULL};
        return true;
    case SAGA_CHANGE_TIMER:
    case SAGA_CHANGE_TIMER_STOPPED:
    case SAGA_CHANGE_F:
    case SAGA_CHANGE_U:
    case SAGA_CHANGE_STEP_FLAG:
    case SAGA_CHANGE_ASK_DATA:
    case SAGA_CHANGE_TRY:
    case SAGA_CHANGE_VERDICT:
    case SAGA_CHANGE_OUT:
    case SAGA_CHANGE_UNDO_DATA:
    case SAGA_CHANGE_GEN:
    case SAGA_CHANGE_UNDO_TRY:
    case SAGA_CHANGE_COUNT:
        break;
    }
    return false;
}

static base_slice change_number_text(const saga_change *change, base_arena *arena)
{
    switch (change->kind) {
    case SAGA_CHANGE_F:
        return base_slice_of(saga_f_name((saga_f)change->number));
    case SAGA_CHANGE_U:
        return base_slice_of(saga_u_name((saga_u)change->number));
    case SAGA_CHANGE_STEP_FLAG:
        return on_or_off(change->other);
    case SAGA_CHANGE_TIMER:
        return time_text(change->other, arena);
    case SAGA_CHANGE_TIMER_STOPPED:
        return base_slice_of("stopped");
    case SAGA_CHANGE_OUT:
    case SAGA_CHANGE_ASK_DATA:
        return change->text;
    case SAGA_CHANGE_TRY:
    case SAGA_CHANGE_UNDO_TRY:
    case SAGA_CHANGE_VERDICT:
    case SAGA_CHANGE_GEN:
        return number_text(change->number, arena);
    case SAGA_CHANGE_CREATED:
    case SAGA_CHANGE_PHASE:
    case SAGA_CHANGE_FLAG:
    case SAGA_CHANGE_CAUSE:
    case SAGA_CHANGE_DATA:
    case SAGA_CHANGE_SEEN:
    case SAGA_CHANGE_EVENT:
    case SAGA_CHANGE_EARLY:
    case SAGA_CHANGE_EARLY_TAKEN:
    case SAGA_CHANGE_UNDO_DATA:
    case SAGA_CHANGE_END:
    case SAGA_CHANGE_COUNT:
        break;
    }
    return base_slice_of("");
}

static const char *change_part(const saga_change *change, base_arena *arena)
{
    static const char *const parts[SAGA_CHANGE_COUNT] = {
        [SAGA_CHANGE_F] = "F",
        [SAGA_CHANGE_U] = "U",
        [SAGA_CHANGE_ASK_DATA] = "ask data",
        [SAGA_CHANGE_TRY] = "try",
        [SAGA_CHANGE_VERDICT] = "answered try",
        [SAGA_CHANGE_OUT] = "outcome",
        [SAGA_CHANGE_UNDO_DATA] = "undo data",
        [SAGA_CHANGE_GEN] = "generation",
        [SAGA_CHANGE_UNDO_TRY] = "undo try",
    };
    if (change->kind == SAGA_CHANGE_STEP_FLAG) {
        const char *name = cli_step_flag_name((uint32_t)change->number);
        return name == NULL ? "flag" : name;
    }
    if (change->kind == SAGA_CHANGE_TIMER || change->kind == SAGA_CHANGE_TIMER_STOPPED) {
        const base_slice name = base_arena_print(
            arena, "timer %s", saga_timer_kind_name((saga_timer_kind)change->number));
        return name.data == NULL ? "timer" : name.data;
    }
    return parts[change->kind] == NULL ? "?" : parts[change->kind];
}

cli_story_change cli_story_change_of(const saga_change *change, const saga_plan *plan,
                                     base_arena *arena)
{
    cli_story_change out = {.value = change->value};
    if (!change_of_instance(change, plan, arena, &out)) {
        out.name = dotted(change->step, change_part(change, arena), plan, arena);
        out.text = change_number_text(change, arena);
    }
    return out;
}

/* ---- objects ---- */

static void input_object(const saga_entry *entry, const saga_plan *plan, bool data,
                         base_arena *arena, cli_object *object)
{
    const saga_input *input = &entry->input;
    switch (input->kind) {
    case SAGA_INPUT_EVENT:
        cli_member_text(object, "kind", "event");
        cli_member(object, "event", cli_story_input(entry, plan, arena));
        if (input->event != NULL) {
            cli_member(object, "type", input->event->type);
            cli_member(object, "id", input->event->id);
            cli_member(object, "source", input->event->source);
            cli_member_value(object, "data", data ? &input->event->data : NULL);
        }
        return;
    case SAGA_INPUT_TIMER:
        cli_member_text(object, "kind", "timer");
        cli_member_text(object, "timer", saga_timer_kind_name(input->timer.kind));
        cli_member(object, "step", path_of(input->timer.step, plan));
        cli_member_time(object, "due", input->timer.due_ms);
        return;
    case SAGA_INPUT_COMMAND:
        break;
    }
    const saga_command *command = &input->command;
    cli_member_text(object, "kind", "command");
    cli_member_text(object, "command", saga_command_kind_name(command->kind));
    cli_member(object, "id", command->id);
    cli_member(object, "who", command->who);
    cli_member(object, "reason", command->reason);
    cli_member(object, "step", command->step);
    if (command->kind == SAGA_COMMAND_RESOLVE) {
        cli_member_text(object, "act", saga_act_name(command->act));
    }
    if (command->force) {
        cli_member_bool(object, "force", true);
    }
}

static base_value effect_object(const saga_effect *effect, const saga_plan *plan, bool data,
                                base_arena *arena, bool *failed)
{
    const bool asks = effect->kind == SAGA_EFFECT_ASK || effect->kind == SAGA_EFFECT_UNDO;
    cli_object object;
    cli_object_begin(&object, arena);
    cli_member(&object, saga_effect_kind_name(effect->kind), effect->name);
    cli_member(&object, "step", path_of(effect->step, plan));
    if (effect->kind == SAGA_EFFECT_UNDO) {
        cli_member_number(&object, "gen", effect->gen);
    }
    if (asks) {
        cli_member_number(&object, "try", effect->try_number);
        cli_member(&object, "sagakey", effect->saga_key);
        cli_member_time(&object, "expires", effect->expiry_ms);
    }
    cli_member_text(&object, "id", effect->id);
    cli_member(&object, "text", effect->text);
    cli_member(&object, "tell", effect->tell);
    cli_member_value(&object, "data", data ? effect->data : NULL);
    *failed = *failed || object.failed;
    return cli_object_end(&object);
}

static base_value change_object(const saga_change *change, const saga_plan *plan, bool data,
                                base_arena *arena, bool *failed)
{
    const cli_story_change told = cli_story_change_of(change, plan, arena);
    cli_object object;
    cli_object_begin(&object, arena);
    cli_member_text(&object, "change", saga_change_kind_name(change->kind));
    cli_member(&object, "name", told.name);
    if (change->kind == SAGA_CHANGE_TIMER) {
        cli_member_time(&object, "due", change->other);
    } else {
        cli_member(&object, "to", told.text);
    }
    cli_member_value(&object, "value", data ? told.value : NULL);
    *failed = *failed || object.failed;
    return cli_object_end(&object);
}

/* {"score.F": "done"}: where the steps that the entry moved stand after it. */
static void steps_object(const saga_entry *entry, const saga_plan *plan, base_arena *arena,
                         cli_object *object)
{
    cli_object steps;
    cli_object_begin(&steps, arena);
    for (int32_t i = 0; i < entry->change_count; i++) {
        const saga_change *change = &entry->changes[i];
        if (change->kind == SAGA_CHANGE_F) {
            const base_slice name = dotted(change->step, "F", plan, arena);
            const base_value f = base_value_text(saga_f_name((saga_f)change->number));
            steps.failed = steps.failed || base_failed(base_map_put(&steps.map, name, &f));
        } else if (change->kind == SAGA_CHANGE_U) {
            const base_slice name = dotted(change->step, "U", plan, arena);
            const base_value u = base_value_text(saga_u_name((saga_u)change->number));
            steps.failed = steps.failed || base_failed(base_map_put(&steps.map, name, &u));
        }
    }
    cli_member_object(object, "steps", &steps);
}

void cli_story_object(const saga_entry *entry, const saga_plan *plan, bool changes, bool data,
                      base_arena *arena, cli_object *object)
{
    cli_object input;
    base_list_builder list;
    cli_member_number(object, "seq", (int64_t)entry->seq);
    cli_member_time(object, "at", entry->at_ms);
    cli_object_begin(&input, arena);
    input_object(entry, plan, data, arena, &input);
    cli_member_object(object, "input", &input);
    if (changes) {
        base_list_begin(&list, arena);
        for (int32_t i = 0; i < entry->change_count; i++) {
            const base_value item =
                change_object(&entry->changes[i], plan, data, arena, &object->failed);
            object->failed = object->failed || base_failed(base_list_push(&list, &item));
        }
        const base_value items = base_list_end(&list);
        cli_member_value(object, "changes", &items);
    } else {
        steps_object(entry, plan, arena, object);
    }
    base_list_begin(&list, arena);
    for (int32_t i = 0; i < entry->effect_count; i++) {
        const base_value item =
            effect_object(&entry->effects[i], plan, data, arena, &object->failed);
        object->failed = object->failed || base_failed(base_list_push(&list, &item));
    }
    const base_value items = base_list_end(&list);
    cli_member_value(object, "effects", &items);
}
