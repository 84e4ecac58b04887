/*
 * Plan: a saga file, parsed, checked and numbered. Immutable; named by the hash of its canonical
 * form. Everything the core looks up while it decides is an index here: events, services and steps
 * by number, conditions as formulas in one array, expressions compiled.
 *
 *   definition (value tree with places, grammar-checked by schemas/) --saga_plan_compile--> plan
 *
 * Numbers in comments are rules and sections of docs/saga-language.md.
 */
#ifndef SAGA_PLAN_H
#define SAGA_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/value.h"
#include "saga/expr.h"

#define SAGA_STEP_MAX 1024
#define SAGA_EVENT_MAX 4096
#define SAGA_SERVICE_MAX 1024
#define SAGA_CONDITION_MAX 16384
#define SAGA_DURATION_MAX_MS ((int64_t)3650 * 24 * 3600 * 1000)

#define SAGA_NONE (-1)    /* no index */
#define SAGA_FOREVER (-1) /* retry.max */

/* What a saga file becomes before it is compiled: its tree, with the place of every key and value.
 */
typedef struct saga_definition {
    base_value tree;
    base_slice path;      /* file name for messages */
    base_slice canonical; /* canonical JSON of the tree */
    char hash[65];        /* SHA-256 of canonical, hex, terminated */
} saga_definition;

/* What a person is told by the compiler: many at once. */
#define SAGA_FINDING_MAX 100
typedef struct saga_findings {
    base_error *items; /* in the arena given */
    size_t count;      /* at most SAGA_FINDING_MAX; more are counted in `more` */
    size_t more;
    size_t error_count; /* items whose check is no W or H code */
    base_arena *arena;
} saga_findings;

void saga_findings_init(saga_findings *findings, base_arena *arena);
/* Adds one and returns it, so that a hint and place can be put; never NULL (past the bound a spare
 * one). */
base_error *saga_findings_add(saga_findings *findings, const char *check, base_slice path,
                              base_place place, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Variables of every expression, in this order (A.1). */
typedef enum saga_variable {
    SAGA_VARIABLE_EVENT,
    SAGA_VARIABLE_EVENTS,
    SAGA_VARIABLE_STEPS,
    SAGA_VARIABLE_SAGA,
    SAGA_VARIABLE_NOW,
    SAGA_VARIABLE_COUNT
} saga_variable;

typedef struct saga_service {
    base_slice name;
    base_slice asks;   /* topic */
    base_slice events; /* topic */
    bool echo;         /* answers carry correlation (default true) */
    bool sticky;       /* C6 */
} saga_service;

typedef enum saga_early { SAGA_EARLY_KEEP, SAGA_EARLY_DROP } saga_early;

typedef struct saga_plan_event {
    base_slice name;
    base_slice type;  /* CloudEvents type */
    base_slice topic; /* empty: the engine's own events topic */
    int32_t service;  /* who produces it, or SAGA_NONE */
    const saga_expr
        *key; /* main key, over the CloudEvent (A.1, exception); NULL: by correlation only */
    /* Plain records (A.3); match NULL for CloudEvents. Their input is {topic, partition, offset,
     * time, headers, key, value}. */
    const saga_expr *match;
    const saga_expr *id;
    const saga_expr *time;
    saga_early early;
    int64_t early_for_ms;

    bool remembered; /* some expression reads $events["name"] */
    int32_t start;   /* index into plan->starts, or SAGA_NONE */
    int32_t abort;   /* index into plan->aborts, or SAGA_NONE */
    bool end_early;  /* ends.early */
    /* The steps for which it means something, in file order: role_first .. + role_count in
     * plan->roles. */
    int32_t role_first;
    int32_t role_count;
} saga_plan_event;

/* What an event means to a step. */
typedef enum saga_role {
    SAGA_ROLE_EMITS,
    SAGA_ROLE_FAILS,
    SAGA_ROLE_BEATS,
    SAGA_ROLE_UNDO_EMITS,
    SAGA_ROLE_UNDO_FAILS
} saga_role;

typedef struct saga_event_role {
    int32_t step;
    saga_role role;
} saga_event_role;

typedef enum saga_condition_kind {
    SAGA_CONDITION_EVENT,  /* index: event */
    SAGA_CONDITION_STEP,   /* index: step */
    SAGA_CONDITION_FAILED, /* index: step */
    SAGA_CONDITION_OVER,   /* index: step */
    SAGA_CONDITION_ALL,
    SAGA_CONDITION_ANY,
    SAGA_CONDITION_NEED /* need: how many */
} saga_condition_kind;

/* A node of a formula. Nodes stand after their operands (post-order), so evaluation is one pass
 * over plan->conditions[first .. first + count). An operator takes the `operand_count` results
 * below it. */
typedef struct saga_condition {
    saga_condition_kind kind;
    int32_t index;
    int32_t operand_count;
    int32_t need;
} saga_condition;

typedef struct saga_formula {
    int32_t first;
    int32_t count; /* 0: none given */
} saga_formula;

typedef struct saga_retry {
    int32_t max; /* tries after the first; SAGA_FOREVER */
    int64_t first_ms;
    int64_t cap_ms;
    int32_t factor_permille; /* 2000 = 2 */
    int32_t jitter_permille; /* 100 = 0.1 */
    const saga_expr *accept; /* retry.if; NULL: a `fails` is never retried */
} saga_retry;

typedef enum saga_undo_kind {
    SAGA_UNDO_NONE,    /* no effect */
    SAGA_UNDO_NEVER,   /* cannot be undone */
    SAGA_UNDO_ASKED,   /* the engine asks */
    SAGA_UNDO_REACTIVE /* the service undoes by itself (45a) */
} saga_undo_kind;

enum { /* bits of saga_undo.of */
       SAGA_OF_DONE = 1,
       SAGA_OF_UNKNOWN = 2,
       SAGA_OF_FAILED = 4
};

typedef struct saga_undo {
    saga_undo_kind kind;
    int32_t ask; /* event, or SAGA_NONE */
    const saga_expr *with;
    const saga_expr *condition; /* undo.if (67) */
    bool late_view; /* with or if reads $saga or $now: evaluated when the undo is asked, over the
                       view kept from the step's end */
    int64_t timeout_ms;
    saga_retry retry;
    uint32_t of;
    bool blocking;
} saga_undo;

typedef enum saga_late { SAGA_LATE_UNDO, SAGA_LATE_ACCEPT, SAGA_LATE_IGNORE } saga_late;

typedef struct saga_step {
    base_slice name; /* its path, too, while there are no blocks */
    base_place place;
    int32_t service; /* SAGA_NONE: external (a signal) */
    bool signal;
    saga_formula when; /* both given: both needed */
    saga_formula after;
    const saga_expr *guard; /* if */
    int32_t ask;            /* event, or SAGA_NONE: reactive */
    const saga_expr *with;
    const saga_expr *check;
    const saga_expr *set;
    const saga_expr *key; /* idempotency key */
    saga_undo undo;
    bool pivot;
    bool optional;
    saga_late late;
    int64_t timeout_ms;  /* of one try; 0: none */
    int64_t deadline_ms; /* of all tries; 0: none */
    saga_retry retry;
    int64_t stuck_after_ms;
    base_slice stuck_tell;
    /* Steps started because of this one, directly or through others (44): a bit set of
     * plan->step_count bits. */
    const uint64_t *causes;
    /* Steps whose own condition names this one or one of its outcomes. */
    const uint64_t *feeds;
} saga_step;

typedef enum saga_again { SAGA_AGAIN_IGNORE, SAGA_AGAIN_REJECT, SAGA_AGAIN_AFTER_END } saga_again;

typedef struct saga_start {
    int32_t event;
    const saga_expr *guard;
    const saga_expr *data; /* NULL: $event.data */
    saga_again again;
} saga_start;

typedef struct saga_abort {
    int32_t event;
    const saga_expr *guard;
    base_slice reason;
} saga_abort;

/* One published end (67: a list, the first whose `if` holds). */
typedef struct saga_end {
    int32_t event;
    const saga_expr *guard;
    const saga_expr *with;
} saga_end;

typedef enum saga_undo_order {
    SAGA_ORDER_CAUSAL,
    SAGA_ORDER_REVERSE,
    SAGA_ORDER_PARALLEL
} saga_undo_order;

typedef struct saga_plan {
    base_slice saga;
    int64_t version;
    base_slice space; /* namespace */
    base_slice path;
    char hash[65];
    base_slice canonical; /* canonical JSON of the definition */
    base_slice key_name;  /* the main key's name */

    const saga_service *services;
    int32_t service_count;
    const saga_plan_event *events;
    int32_t event_count;
    const saga_event_role *roles;
    const saga_step *steps;
    int32_t step_count;
    const saga_condition *conditions;
    int32_t condition_count;
    const saga_start *starts;
    int32_t start_count;
    const saga_abort *aborts;
    int32_t abort_count;
    const saga_end *ends[3]; /* by phase: completed, compensated, damaged (saga_end_kind) */
    int32_t end_counts[3];

    int64_t deadline_ms; /* 0: none */
    saga_undo_order undo_order;
    int64_t stuck_after_ms;
    base_slice stuck_tell;
    int64_t retain_ms;
    bool strict;
    bool remembers_all; /* an expression reads $events in a way that names no event */
    const int32_t
        *type_table; /* open addressing over base_hash64(type): event index or SAGA_NONE */
    uint32_t type_mask;
} saga_plan;

typedef enum saga_end_kind {
    SAGA_END_COMPLETED,
    SAGA_END_COMPENSATED,
    SAGA_END_DAMAGED
} saga_end_kind;

/* Compiles a definition whose shape schemas/ has checked. All that is wrong is put into findings
 * (with place, why and hint); BASE_BAD_INPUT if there is an error among them. The plan lives in
 * arena and shares nothing with the definition. */
base_status saga_plan_compile(const saga_definition *definition, base_arena *arena,
                              const saga_plan **plan_out, saga_findings *findings) BASE_MUST_USE;

/* Index by name, or SAGA_NONE. An event is found by its saga name or its full type. */
int32_t saga_plan_step(const saga_plan *plan, base_slice name);
int32_t saga_plan_event_named(const saga_plan *plan, base_slice name);
int32_t saga_plan_event_typed(const saga_plan *plan, base_slice type);

/* "500ms", "30s", "5m", "2h", "7d" or ISO 8601 ("PT1H30M", "P2D") to milliseconds; BASE_BAD_INPUT
 * else, or past SAGA_DURATION_MAX_MS. */
base_status saga_duration_parse(base_slice text, int64_t *ms_out) BASE_MUST_USE;

#endif
