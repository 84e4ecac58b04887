/* Names of the core's enumerations, as they stand in journals, in `troupe play` and in messages. */
#include "base/assert.h"
#include "saga/entry.h"
#include "saga/state.h"

static const char *const f_names[SAGA_F_COUNT] = {
    [SAGA_F_WAITING] = "waiting", [SAGA_F_SKIPPED] = "skipped", [SAGA_F_DUE] = "due",
    [SAGA_F_OPEN] = "open",       [SAGA_F_BACKOFF] = "backoff", [SAGA_F_DONE] = "done",
    [SAGA_F_FAILED] = "failed",   [SAGA_F_UNKNOWN] = "unknown", [SAGA_F_CANCELLED] = "cancelled",
};

static const char *const u_names[SAGA_U_COUNT] = {
    [SAGA_U_NO] = "no",           [SAGA_U_OWED] = "owed",
    [SAGA_U_UNDOING] = "undoing", [SAGA_U_BACKOFF] = "ubackoff",
    [SAGA_U_UNDONE] = "undone",   [SAGA_U_STUCK] = "ustuck",
    [SAGA_U_WAIVED] = "waived",   [SAGA_U_RELEASED] = "released",
};

static const char *const phase_names[SAGA_PHASE_COUNT] = {
    [SAGA_PHASE_NONE] = "none",
    [SAGA_PHASE_RUNNING] = "running",
    [SAGA_PHASE_COMPLETED] = "completed",
    [SAGA_PHASE_COMPENSATING] = "compensating",
    [SAGA_PHASE_COMPENSATED] = "compensated",
    [SAGA_PHASE_DAMAGED] = "damaged",
};

static const char *const timer_names[SAGA_TIMER_COUNT] = {
    [SAGA_TIMER_TRY] = "try",           [SAGA_TIMER_BACKOFF] = "backoff",
    [SAGA_TIMER_DEADLINE] = "deadline", [SAGA_TIMER_STUCK] = "stuck",
    [SAGA_TIMER_UNDO] = "undo",         [SAGA_TIMER_UNDO_BACKOFF] = "ubackoff",
    [SAGA_TIMER_UNDO_STUCK] = "ustuck", [SAGA_TIMER_EARLY] = "early",
};

static const char *const change_names[SAGA_CHANGE_COUNT] = {
    [SAGA_CHANGE_CREATED] = "created",
    [SAGA_CHANGE_PHASE] = "phase",
    [SAGA_CHANGE_FLAG] = "flag",
    [SAGA_CHANGE_CAUSE] = "cause",
    [SAGA_CHANGE_DATA] = "data",
    [SAGA_CHANGE_SEEN] = "seen",
    [SAGA_CHANGE_EVENT] = "event",
    [SAGA_CHANGE_EARLY] = "early",
    [SAGA_CHANGE_EARLY_TAKEN] = "early_taken",
    [SAGA_CHANGE_TIMER] = "timer",
    [SAGA_CHANGE_TIMER_STOPPED] = "timer_stopped",
    [SAGA_CHANGE_F] = "f",
    [SAGA_CHANGE_U] = "u",
    [SAGA_CHANGE_STEP_FLAG] = "step_flag",
    [SAGA_CHANGE_ASK_DATA] = "ask_data",
    [SAGA_CHANGE_TRY] = "try",
    [SAGA_CHANGE_VERDICT] = "verdict",
    [SAGA_CHANGE_OUT] = "out",
    [SAGA_CHANGE_UNDO_DATA] = "undo_data",
    [SAGA_CHANGE_GEN] = "gen",
    [SAGA_CHANGE_UNDO_TRY] = "undo_try",
    [SAGA_CHANGE_END] = "end",
};

static const char *const effect_names[SAGA_EFFECT_COUNT] = {
    [SAGA_EFFECT_ASK] = "ask",
    [SAGA_EFFECT_UNDO] = "undo",
    [SAGA_EFFECT_EMIT] = "emit",
    [SAGA_EFFECT_PHASE] = "phase",
    [SAGA_EFFECT_ALERT] = "alert",
    [SAGA_EFFECT_NOTE] = "note",
    [SAGA_EFFECT_DEAD_LETTER] = "dead_letter",
};

static const char *const command_names[SAGA_COMMAND_COUNT] = {
    [SAGA_COMMAND_ABORT] = "abort",     [SAGA_COMMAND_RESOLVE] = "resolve",
    [SAGA_COMMAND_SUSPEND] = "suspend", [SAGA_COMMAND_RESUME] = "resume",
    [SAGA_COMMAND_PURGE] = "purge",     [SAGA_COMMAND_EMIT_REFUSED] = "emit_refused",
};

static const char *const act_names[SAGA_ACT_COUNT] = {
    [SAGA_ACT_RETRY] = "retry",
    [SAGA_ACT_SKIP] = "skip",
    [SAGA_ACT_COMPLETE] = "complete",
    [SAGA_ACT_FAIL] = "fail",
    [SAGA_ACT_DONE_BY_HAND] = "done_by_hand",
    [SAGA_ACT_GIVE_UP] = "give_up",
};

const char *saga_f_name(saga_f f)
{
    BASE_ASSERT(f < SAGA_F_COUNT);
    return f_names[f];
}

const char *saga_u_name(saga_u u)
{
    BASE_ASSERT(u < SAGA_U_COUNT);
    return u_names[u];
}

const char *saga_phase_name(saga_phase phase)
{
    BASE_ASSERT(phase < SAGA_PHASE_COUNT);
    return phase_names[phase];
}

const char *saga_timer_kind_name(saga_timer_kind kind)
{
    BASE_ASSERT(kind < SAGA_TIMER_COUNT);
    return timer_names[kind];
}

const char *saga_change_kind_name(saga_change_kind kind)
{
    BASE_ASSERT(kind < SAGA_CHANGE_COUNT);
    return change_names[kind];
}

const char *saga_effect_kind_name(saga_effect_kind kind)
{
    BASE_ASSERT(kind < SAGA_EFFECT_COUNT);
    return effect_names[kind];
}

const char *saga_command_kind_name(saga_command_kind kind)
{
    BASE_ASSERT(kind < SAGA_COMMAND_COUNT);
    return command_names[kind];
}

const char *saga_act_name(saga_act act)
{
    BASE_ASSERT(act < SAGA_ACT_COUNT);
    return act_names[act];
}

bool saga_act_named(base_slice name, saga_act *act_out)
{
    for (int32_t i = 0; i < SAGA_ACT_COUNT; i++) {
        if (base_slice_is(name, act_names[i])) {
            *act_out = (saga_act)i;
            return true;
        }
    }
    return false;
}
