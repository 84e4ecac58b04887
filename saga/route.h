/*
 * Router: to which instance does an event belong? (rules 9 and 13, A.3.) Pure: plans and the event
 * only. Whether the instance exists is not asked here.
 */
#ifndef SAGA_ROUTE_H
#define SAGA_ROUTE_H

#include "base/arena.h"
#include "base/error.h"
#include "saga/event.h"
#include "saga/plan.h"

/* An instance id is "saga/incarnation/key" (saga names have no slash). */
base_status saga_instance_id(base_slice saga, int32_t incarnation, base_slice key,
                             base_arena *arena, base_slice *id_out) BASE_MUST_USE;
/* false when it is none. The parts borrow from id. */
bool saga_instance_id_parse(base_slice id, base_slice *saga_out, int32_t *incarnation_out,
                            base_slice *key_out);

typedef enum saga_route_kind {
    SAGA_ROUTE_NONE,   /* not an event of this saga */
    SAGA_ROUTE_KEY,    /* belongs to the instance `key` */
    SAGA_ROUTE_NO_KEY, /* an event of this saga whose instance cannot be told (no key, no
                          correlation) */
    SAGA_ROUTE_BAD_KEY /* the key expression failed, or gave no string, number or boolean; error
                          says why */
} saga_route_kind;

typedef struct saga_route {
    saga_route_kind kind;
    int32_t event_index;
    base_slice key;
    bool starts; /* the event is one of the saga's start events */
} saga_route;

/* Where a CloudEvent goes in one plan: by correlationid when it names an instance of this saga,
 * else by the event's key expression, else by partitionkey when the saga sent what it answers.
 * Numbers and booleans as keys become their text. */
base_status saga_route_event(const saga_plan *plan, const saga_event *event, base_arena *arena,
                             saga_route *route_out, base_error *error) BASE_MUST_USE;

/* A plain record (A.3) as {topic, partition, offset, time, headers, key, value}. */
typedef struct saga_plain_record {
    base_slice topic;
    int32_t partition;
    int64_t offset;
    int64_t time_ms;
    base_value headers; /* map of strings */
    base_value key;     /* string or null */
    base_value value;
} saga_plain_record;

/* The event that a plain record is to this plan: the first in file order whose topic is the
 * record's and whose `match` is true. *matched_out false: none (count it). The event's type, id,
 * time and data are filled in. A match, id or time expression that fails makes BASE_BAD_INPUT. */
base_status saga_route_plain(const saga_plan *plan, const saga_plain_record *record,
                             base_arena *arena, bool *matched_out, saga_event *event_out,
                             base_error *error) BASE_MUST_USE;
/* Does any event of the plan on this topic take plain records? */
bool saga_route_takes_plain(const saga_plan *plan, base_slice topic);

#endif
