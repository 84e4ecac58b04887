/*
 * State of an instance: the fold of its journal (rules 3, 6 to 8). A header and one record a step;
 * timers and early events stand in the header, so that the engine needs nothing else to go on after
 * a restart.
 *
 * Values and slices point into the arena that the state lives in. saga_evolve (saga/evolve.h) is
 * all that changes it.
 */
#ifndef SAGA_STATE_H
#define SAGA_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/value.h"
#include "saga/plan.h"

typedef enum saga_f {
    SAGA_F_WAITING,
    SAGA_F_SKIPPED,
    SAGA_F_DUE,
    SAGA_F_OPEN,
    SAGA_F_BACKOFF,
    SAGA_F_DONE,
    SAGA_F_FAILED,
    SAGA_F_UNKNOWN,
    SAGA_F_CANCELLED,
    SAGA_F_COUNT
} saga_f;

typedef enum saga_u {
    SAGA_U_NO,
    SAGA_U_OWED,
    SAGA_U_UNDOING,
    SAGA_U_BACKOFF,
    SAGA_U_UNDONE,
    SAGA_U_STUCK,
    SAGA_U_WAIVED,
    SAGA_U_RELEASED,
    SAGA_U_COUNT
} saga_u;

typedef enum saga_phase {
    SAGA_PHASE_NONE, /* no instance: before the first entry */
    SAGA_PHASE_RUNNING,
    SAGA_PHASE_COMPLETED,
    SAGA_PHASE_COMPENSATING,
    SAGA_PHASE_COMPENSATED,
    SAGA_PHASE_DAMAGED,
    SAGA_PHASE_COUNT
} saga_phase;

enum { /* saga_state.flags */
       SAGA_FLAG_PAST_PIVOT = 1,
       SAGA_FLAG_ABORT_PENDING = 2,
       SAGA_FLAG_SUSPENDED = 4,
       SAGA_FLAG_DAMAGE = 8,       /* an undo was given up */
       SAGA_FLAG_JOURNAL_GAP = 16, /* set aside: an entry is missing (design.md, 5) */
       SAGA_FLAG_PURGED = 32       /* only the key is kept */
};

enum {                        /* saga_step_state.flags */
       SAGA_STEP_RECHECK = 1, /* undo once more after this acknowledgement (29, 30) */
       SAGA_STEP_DOUBT = 2, /* failed, but some try has no verdict (24), or failed its check (65) */
       SAGA_STEP_LATE = 4,  /* succeeded after it was given up (29) */
       SAGA_STEP_STUCK = 8, /* waits for a human (28, 46, 69) */
       SAGA_STEP_UNDO_READY = 16,      /* undo_data is what the undo will carry */
       SAGA_STEP_UNDO_VOID = 32,       /* undo.if said no: nothing to undo */
       SAGA_STEP_UNDO_ERROR = 64,      /* undo.with or undo.if failed to evaluate */
       SAGA_STEP_TOLD_UNINVITED = 128, /* alert uninvited_undo was raised (45b) */
       SAGA_STEP_TOLD_NO_EFFECT = 256, /* alert undo_without_effect was raised (45b) */
       SAGA_STEP_SURPLUS =
           512, /* its debt is for a late or surplus effect: order does not bind it (44) */
       SAGA_STEP_EMIT_REFUSED = 1024, /* the log would not take its event (design.md, 5) */
       SAGA_STEP_REST =
           2048 /* lost or left behind, still open: only its debt counts (12, 28, 33) */
};

typedef struct saga_step_state {
    uint8_t f;       /* saga_f */
    uint8_t counted; /* the F that conditions count: what it was when it was first over (29: a late
                        success starts nothing) */
    uint8_t u;       /* saga_u */
    uint16_t flags;
    int32_t tries;
    int32_t series; /* tries made before the present series; a human's retry begins a new one */
    int32_t gen;
    int32_t undo_tries; /* of this generation */
    int32_t undo_series;
    uint64_t verdicts;     /* bit k-1: try k got an answer; tries past 64 count as unanswered */
    int64_t due_at;        /* when it became due */
    int64_t first_at;      /* first publication of the present series */
    uint64_t opened_order; /* saga_state.order when it was first opened; 0: never */
    uint64_t ended_order;  /* ... when it was (last) over; 0: never */
    base_slice end;        /* name of the event it ended with; empty: none */
    const base_value *out; /* data of that event; NULL: none */
    base_slice ask_key; /* idempotency key where the saga file gives one; empty: instance id/path */
    const base_value *ask_data; /* payload of its asks while it is not over; NULL: none */
    const base_value
        *undo_data; /* payload of its undo, or the view it is made from (saga_undo.late_view) */
} saga_step_state;

typedef enum saga_timer_kind {
    SAGA_TIMER_TRY,      /* this try's timeout (25) */
    SAGA_TIMER_BACKOFF,  /* next try (26) */
    SAGA_TIMER_DEADLINE, /* step deadline (27); step SAGA_NONE: the saga's (38) */
    SAGA_TIMER_STUCK,    /* stuck.after of a step (69) */
    SAGA_TIMER_UNDO,     /* this undo try's timeout (46) */
    SAGA_TIMER_UNDO_BACKOFF,
    SAGA_TIMER_UNDO_STUCK,
    SAGA_TIMER_EARLY, /* number: the early event (15) */
    SAGA_TIMER_COUNT
} saga_timer_kind;

/* At most one timer a (kind, step, number). */
typedef struct saga_timer {
    saga_timer_kind kind;
    int32_t step;    /* or SAGA_NONE */
    uint64_t number; /* EARLY: the event's order; else 0 */
    int64_t due_ms;
    uint64_t order; /* of creation: breaks ties */
} saga_timer;

/* An event that came before its step (15). */
typedef struct saga_early_event {
    uint64_t order;
    int32_t event;
    const base_value *record; /* the CloudEvent as a map: saga_event_to_value */
} saga_early_event;

#define SAGA_SEEN_MAX 1024 /* rule 10 */
#define SAGA_EARLY_MAX 1024

typedef struct saga_state {
    base_slice saga;
    base_slice key;
    char plan_hash[65];
    int32_t incarnation;
    base_slice id; /* instance id: saga/incarnation/key */
    uint8_t phase; /* saga_phase */
    uint32_t flags;
    uint64_t seq;  /* of the last entry; 0: none */
    int64_t at_ms; /* of the last entry */
    int64_t started_ms;
    int64_t ended_ms;   /* when the present end was reached; 0 */
    uint64_t order;     /* counts changes that have an order: opens, ends, timers, early events */
    uint32_t end_count; /* ends published */
    uint8_t end_published;   /* saga_phase of the last one */
    const base_value *data;  /* the saga's document */
    const base_value *cause; /* $saga.cause (68), NULL: null */

    saga_step_state *steps; /* one a step of the plan */
    int32_t step_count;
    saga_timer *timers; /* by (due_ms, order) */
    int32_t timer_count;
    int32_t timer_capacity;
    saga_early_event *early; /* in order */
    int32_t early_count;
    int32_t early_capacity;
    const base_value **events; /* last event of each name (as a map), for names the plan remembers;
                                  by event index */
    uint8_t *occurred;         /* start events that have come; by event index */
    int32_t event_count;
    uint64_t *seen; /* ring of base_hash64(source, id) */
    int32_t seen_count;
    int32_t seen_capacity;
    int32_t seen_next; /* where the next one goes once the ring is full */
} saga_state;

/* The state before the first entry. */
void saga_state_init(saga_state *state);
bool saga_state_ended(const saga_state *state); /* completed, compensated, damaged */
bool saga_f_over(saga_f f);
bool saga_u_settled(saga_u u);
const char *saga_f_name(saga_f f);
const char *saga_u_name(saga_u u); /* no owed undoing ubackoff undone ustuck waived released */
const char *saga_phase_name(saga_phase phase);
const char *saga_timer_kind_name(
    saga_timer_kind kind); /* try backoff deadline stuck undo ubackoff ustuck early */
/* Is any step or undo waiting for a human, or the instance set aside? */
bool saga_state_stuck(const saga_state *state);
/* The next timer that decide wants, or NULL (none, or suspended: 58). */
const saga_timer *saga_state_next_timer(const saga_state *state);
/* Asserts what must hold of every state (counts, order of timers, ranges). */
void saga_state_check(const saga_state *state);

#endif
