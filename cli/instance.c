/* See instance.h. */
#include "cli/instance.h"

#include <stdio.h>

#include "cli/story.h"

#define DOING_MAX 4 /* steps that are named; more are counted */

bool cli_is_open(const saga_step_state *step)
{
    return step->f == SAGA_F_DUE || step->f == SAGA_F_OPEN || step->f == SAGA_F_BACKOFF;
}

bool cli_is_debt(const saga_step_state *step)
{
    return step->u == SAGA_U_OWED || step->u == SAGA_U_UNDOING || step->u == SAGA_U_BACKOFF ||
           step->u == SAGA_U_STUCK;
}

base_slice cli_instance_step(const engine_instance *instance, int32_t step, base_arena *arena)
{
    if (instance->plan != NULL && step < instance->plan->step_count) {
        return instance->plan->steps[step].name;
    }
    return base_arena_print(arena, "step %d", (int)step);
}

base_slice cli_instance_phase(const engine_instance *instance, base_arena *arena)
{
    const saga_state *state = instance->state;
    const struct {
        bool holds;
        const char *text;
    } marks[] = {
        {instance->stuck, "stuck"},
        {(state->flags & SAGA_FLAG_SUSPENDED) != 0, "suspended"},
        {(state->flags & SAGA_FLAG_PAST_PIVOT) != 0 && state->phase == SAGA_PHASE_RUNNING,
         "past pivot"},
        {(state->flags & SAGA_FLAG_ABORT_PENDING) != 0, "abort pending"},
        {(state->flags & SAGA_FLAG_JOURNAL_GAP) != 0, "journal gap"},
        {(state->flags & SAGA_FLAG_PURGED) != 0, "purged"},
    };
    base_slice text = base_slice_of("");
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (marks[i].holds && text.data != NULL) {
            text = base_arena_print(arena, "%.*s%s%s", BASE_SLICE_ARG(text),
                                    text.size == 0 ? "" : ", ", marks[i].text);
        }
    }
    return base_arena_print(arena, "%s%s%.*s%s", saga_phase_name((saga_phase)state->phase),
                            text.size == 0 ? "" : " (", BASE_SLICE_ARG(text),
                            text.size == 0 ? "" : ")");
}

base_slice cli_instance_doing(const engine_instance *instance, base_arena *arena)
{
    const saga_state *state = instance->state;
    base_slice text = base_slice_of("");
    int count = 0;
    for (int32_t i = 0; i < state->step_count && text.data != NULL; i++) {
        const saga_step_state *step = &state->steps[i];
        const bool stuck = (step->flags & SAGA_STEP_STUCK) != 0;
        const bool debt = cli_is_debt(step);
        if (!debt && !stuck && !cli_is_open(step)) {
            continue;
        }
        if (count++ >= DOING_MAX) {
            continue;
        }
        const base_slice name = cli_instance_step(instance, i, arena);
        const char *what = debt    ? saga_u_name((saga_u)step->u)
                           : stuck ? "stuck"
                                   : saga_f_name((saga_f)step->f);
        text = base_arena_print(arena, "%.*s%s%.*s %s", BASE_SLICE_ARG(text),
                                text.size == 0 ? "" : ", ", BASE_SLICE_ARG(name), what);
    }
    if (count > DOING_MAX) {
        text = base_arena_print(arena, "%.*s and %d more", BASE_SLICE_ARG(text), count - DOING_MAX);
    }
    return text.size == 0 && text.data != NULL ? base_slice_of("-") : text;
}

/* ---- JSON ---- */

void cli_flags(cli_object *object, uint32_t flags, const char *(*name_of)(uint32_t bit),
               base_arena *arena)
{
    base_list_builder list;
    base_list_begin(&list, arena);
    for (int i = 0; i < 32; i++) {
        const uint32_t bit = UINT32_C(1) << i;
        const char *name = (flags & bit) == 0 ? NULL : name_of(bit);
        if (name != NULL) {
            const base_value item = base_value_text(name);
            object->failed = object->failed || base_failed(base_list_push(&list, &item));
        }
    }
    const base_value items = base_list_end(&list);
    cli_member_value(object, "flags", &items);
}

void cli_instance_object(const engine_instance *instance, base_arena *arena, cli_object *object)
{
    const saga_state *state = instance->state;
    cli_member(object, "saga", instance->saga);
    if (instance->plan != NULL) {
        cli_member_number(object, "version", instance->plan->version);
    }
    cli_member_text(object, "hash", state->plan_hash);
    cli_member(object, "key", instance->key);
    cli_member(object, "instance", state->id);
    cli_member_number(object, "partition", instance->partition);
    cli_member_number(object, "incarnation", state->incarnation);
    cli_member_text(object, "phase", saga_phase_name((saga_phase)state->phase));
    cli_member_bool(object, "stuck", instance->stuck);
    cli_flags(object, state->flags, cli_state_flag_name, arena);
    cli_member_time(object, "started", state->started_ms);
    cli_member_time(object, "updated", state->at_ms);
    cli_member_time(object, "ended", saga_state_ended(state) ? state->ended_ms : 0);
    cli_member_number(object, "entries", (int64_t)state->seq);
    cli_member_value(object, "cause", state->cause);
}

static void list_steps(const engine_instance *instance, bool debts, base_arena *arena,
                       cli_object *object)
{
    const saga_state *state = instance->state;
    base_list_builder list;
    base_list_begin(&list, arena);
    for (int32_t i = 0; i < state->step_count; i++) {
        const saga_step_state *step = &state->steps[i];
        if (debts ? !cli_is_debt(step) : !cli_is_open(step)) {
            continue;
        }
        cli_object item;
        cli_object_begin(&item, arena);
        cli_member(&item, "step", cli_instance_step(instance, i, arena));
        if (debts) {
            cli_member_text(&item, "U", saga_u_name((saga_u)step->u));
            cli_member_number(&item, "gen", step->gen);
            cli_member_number(&item, "tries", step->undo_tries);
        } else {
            cli_member_text(&item, "F", saga_f_name((saga_f)step->f));
            cli_member_number(&item, "tries", step->tries);
        }
        cli_member_bool(&item, "stuck",
                        debts ? step->u == SAGA_U_STUCK : (step->flags & SAGA_STEP_STUCK) != 0);
        const base_value value = cli_object_end(&item);
        object->failed =
            object->failed || item.failed || base_failed(base_list_push(&list, &value));
    }
    const base_value items = base_list_end(&list);
    cli_member_value(object, debts ? "debts" : "open", &items);
}

void cli_instance_lists(const engine_instance *instance, base_arena *arena, cli_object *object)
{
    list_steps(instance, false, arena, object);
    list_steps(instance, true, arena, object);
}
