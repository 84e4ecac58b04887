/*
 * Entry: one input, what the core computed from it, and the effects it led to (docs/design.md, 1).
 * The journal is made of entries; folding their changes is all there is to a rebuild: no clock, no
 * payload, no expression.
 *
 *   input    what came: an event, a timer, an operator's command
 *   changes  what it does to the state, as facts ("step 3: F is done"), with every value that was
 *            computed
 *   effects  what is to be done in the world: publish, tell a human, note; never performed here
 */
#ifndef SAGA_ENTRY_H
#define SAGA_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/value.h"
#include "saga/event.h"
#include "saga/plan.h"
#include "saga/state.h"

typedef enum saga_input_kind {
    SAGA_INPUT_EVENT,
    SAGA_INPUT_TIMER,
    SAGA_INPUT_COMMAND
} saga_input_kind;

typedef enum saga_command_kind {
    SAGA_COMMAND_ABORT,
    SAGA_COMMAND_RESOLVE,
    SAGA_COMMAND_SUSPEND,
    SAGA_COMMAND_RESUME,
    SAGA_COMMAND_PURGE,
    SAGA_COMMAND_EMIT_REFUSED, /* by the engine: the log would not take an event of the step
                                  (design.md, 5) */
    SAGA_COMMAND_COUNT
} saga_command_kind;

typedef enum saga_act {
    SAGA_ACT_RETRY,
    SAGA_ACT_SKIP,
    SAGA_ACT_COMPLETE,
    SAGA_ACT_FAIL,
    SAGA_ACT_DONE_BY_HAND,
    SAGA_ACT_GIVE_UP,
    SAGA_ACT_COUNT
} saga_act;

typedef struct saga_command {
    saga_command_kind kind;
    base_slice who;
    base_slice reason; /* abort's reason; resolve's note */
    bool force;        /* abort past the pivot (43) */
    base_slice step;   /* resolve, emit_refused: path, with "/undo" for its undo */
    saga_act act;
    base_slice event; /* complete: outcome, empty: the first of `emits` */
    base_value data;  /* complete */
    base_slice id;    /* of the command event, for dedupe; may be empty */
} saga_command;

typedef struct saga_input {
    saga_input_kind kind;
    int64_t now_ms;
    int32_t event_index;     /* EVENT: in the plan; SAGA_NONE: the saga does not know its type */
    const saga_event *event; /* EVENT */
    saga_timer timer;        /* TIMER */
    saga_command command;    /* COMMAND */
} saga_input;

/* clang-format off */
typedef enum saga_change_kind {
    /*                            step  number           other          text         value */
    SAGA_CHANGE_CREATED,       /*       incarnation                     instance id  document */
    SAGA_CHANGE_PHASE,         /*       saga_phase */
    SAGA_CHANGE_FLAG,          /*       flag bit         0 or 1 */
    SAGA_CHANGE_CAUSE,         /*                                                    map */
    SAGA_CHANGE_DATA,          /*       0 put, 1 delete                 JSON pointer new value */
    SAGA_CHANGE_SEEN,          /*       hash of source, id */
    SAGA_CHANGE_EVENT,         /*       event index      1: occurred                 event, or none */
    SAGA_CHANGE_EARLY,         /*       event index      expires at                  event */
    SAGA_CHANGE_EARLY_TAKEN,   /*       order */
    SAGA_CHANGE_TIMER,         /* step  kind             due */
    SAGA_CHANGE_TIMER_STOPPED, /* step  kind             number (EARLY) */
    SAGA_CHANGE_F,             /* step  saga_f           1: the flow counts it */
    SAGA_CHANGE_U,             /* step  saga_u */
    SAGA_CHANGE_STEP_FLAG,     /* step  flag bit         0 or 1 */
    SAGA_CHANGE_ASK_DATA,      /* step                                  own key      payload, or none */
    SAGA_CHANGE_TRY,           /* step  try              1: begins a series */
    SAGA_CHANGE_VERDICT,       /* step  try */
    SAGA_CHANGE_OUT,           /* step                                  event name   data */
    SAGA_CHANGE_UNDO_DATA,     /* step                                               payload or view */
    SAGA_CHANGE_GEN,           /* step  generation */
    SAGA_CHANGE_UNDO_TRY,      /* step  try              1: begins a series */
    SAGA_CHANGE_END,           /*       saga_phase published */
    SAGA_CHANGE_COUNT
} saga_change_kind;
/* clang-format on */

typedef struct saga_change {
    saga_change_kind kind;
    int32_t step; /* or SAGA_NONE */
    int64_t number;
    int64_t other;
    base_slice text;
    const base_value *value; /* NULL: none. May be the input event's own data (then the journal does
                                not repeat it) */
} saga_change;

typedef enum saga_effect_kind {
    SAGA_EFFECT_ASK,   /* publish the ask of a try */
    SAGA_EFFECT_UNDO,  /* publish the ask of an undo */
    SAGA_EFFECT_EMIT,  /* publish an end's event or one of the engine's own */
    SAGA_EFFECT_PHASE, /* tell: the phase changed (name: running, ..., past_pivot, stuck) */
    SAGA_EFFECT_ALERT, /* tell a human (name: stuck_step, ...) */
    SAGA_EFFECT_NOTE,  /* what became of an input that changed nothing (name: duplicate, ...) */
    SAGA_EFFECT_DEAD_LETTER, /* the input goes to the dead letters (name: reason) */
    SAGA_EFFECT_COUNT
} saga_effect_kind;

typedef struct saga_effect {
    saga_effect_kind kind;
    int32_t step;       /* or SAGA_NONE */
    int32_t try_number; /* ASK, UNDO */
    int32_t gen;        /* UNDO */
    int32_t
        event; /* ASK, UNDO, EMIT of an end: event index; SAGA_NONE: the engine's own, by name */
    base_slice name; /* event name, phase, alert, note, reason */
    base_slice text; /* more, for people; may be empty */
    base_slice tell; /* ALERT: whom (stuck.tell); may be empty */
    /* ASK, UNDO, EMIT: */
    char id[33]; /* hex of 16 bytes: hash of instance, incarnation, path, kind, generation, try (5)
                  */
    base_slice saga_key;    /* idempotency key */
    base_slice undoes;      /* UNDO of a step that is unknown: the forward ask's key (29) */
    int64_t expiry_ms;      /* end of this try; 0: none */
    const base_value *data; /* NULL: null */
} saga_effect;

typedef struct saga_entry {
    base_slice saga;
    base_slice key;
    char plan_hash[65];
    int32_t incarnation;
    uint64_t seq;
    int64_t at_ms;
    saga_input input;        /* event and command data live as long as the entry's arena */
    base_slice trace_parent; /* the input's, carried on */
    const saga_change *changes;
    int32_t change_count;
    const saga_effect *effects;
    int32_t effect_count;
} saga_entry;

const char *saga_change_kind_name(saga_change_kind kind);
const char *saga_effect_kind_name(saga_effect_kind kind);
const char *saga_command_kind_name(saga_command_kind kind);
const char *saga_act_name(saga_act act);
/* false when no act has that name. */
bool saga_act_named(base_slice name, saga_act *act_out);

#endif
