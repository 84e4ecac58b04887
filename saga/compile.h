/*
 * Private to the compiler of saga files (plan_compile.c, plan_steps.c, plan_conditions.c): what is
 * being built, and how the tree is read. Everything that is wrong becomes a finding and compiling
 * goes on, so that an author sees all of it at once; readers give a harmless default then.
 */
#ifndef SAGA_COMPILE_H
#define SAGA_COMPILE_H

#include "saga/plan.h"

typedef struct compile_roles {
    saga_event_role role;
    int32_t event;
} compile_roles;

typedef struct compile {
    const saga_definition *definition;
    base_arena *arena;
    saga_findings *findings;
    base_code failure; /* memory: the compile stops at the next pass */
    saga_plan *plan;

    saga_service *services;
    saga_plan_event *events;
    base_place *event_places;
    int32_t event_capacity;
    saga_step *steps;
    const base_value **step_trees;
    saga_condition *conditions;
    base_place *condition_places;
    int32_t condition_capacity;
    compile_roles *roles;
    int32_t role_count;
    int32_t role_capacity;
} compile;

/* What an event is to the saga where it is named: decides service and topic when it is not
 * declared. */
typedef enum compile_use {
    COMPILE_USE_DECLARED,
    COMPILE_USE_OUTCOME, /* emitted by the service */
    COMPILE_USE_ASK,     /* sent to the service */
    COMPILE_USE_END,     /* published by the engine */
    COMPILE_USE_FACT /* start, abort, signal: must be declared with `from` or `topic`, or be some
                        step's outcome */
} compile_use;

/* ---- reading the tree (compile_read.c) ---- */
base_error *compile_error(compile *c, const char *check, base_place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
const base_value *compile_get(const base_value *map, const char *key);
base_slice compile_text(compile *c, const base_value *map, const char *key);
bool compile_bool(compile *c, const base_value *map, const char *key, bool fallback);
int64_t compile_duration(compile *c, const base_value *map, const char *key, int64_t fallback_ms);
/* A number as thousandths: 2 -> 2000, 0.1 -> 100, "10%" -> 100. */
int32_t compile_permille(compile *c, const base_value *map, const char *key, int32_t fallback);
/* The expression under the key, or NULL. Notes what it reads of $events. */
const saga_expr *compile_expr(compile *c, const base_value *map, const char *key);
const saga_expr *compile_expr_value(compile *c, const base_value *value, const char *key);
/* One or a list: the items; a single value counts as a list of one. */
const base_value *compile_items(const base_value *value, size_t *count_out);
/* An array in the arena that grows by doubling; false without memory. */
bool compile_reserve(compile *c, void **array, int32_t count, int32_t *capacity, size_t item_size);

/* ---- names (plan_compile.c) ---- */
int32_t compile_service(compile *c, const base_value *name);
/* The event's index, made if it is new; SAGA_NONE for something that is no name. */
int32_t compile_event(compile *c, const base_value *name, int32_t service, compile_use use);
/* Adds a role: the step reacts to the event. */
void compile_role(compile *c, int32_t event, int32_t step, saga_role role);

/* ---- passes ---- */
void compile_steps(compile *c);
void compile_step_conditions(compile *c);
void compile_graph(compile *c);

#endif
