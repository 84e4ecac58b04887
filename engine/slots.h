/*
 * Slots: the instances of one journal partition, by saga and main key, and their next timers in a
 * heap.
 *
 *   bucket -> slot -> slot                       heap (by time, then key): [slot][slot][slot]
 *             saga, key
 *             state   snapshot bytes (schemas/snapshot.h), or none: then only events wait here for
 * their instance parked  the list of those events (schemas/aside.h), or none timer   when it wants
 * attention next: a timer of the state, a parked event's end, the end of `retain`
 *
 * Between batches an instance is these bytes and nothing else, so what a snapshot holds is what
 * lives.
 */
#ifndef ENGINE_SLOTS_H
#define ENGINE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define ENGINE_NEVER INT64_MAX

typedef struct engine_working engine_working; /* engine/partition.h */

typedef struct engine_slot {
    struct engine_slot *next; /* of the bucket */
    uint64_t hash;
    base_slice saga; /* both behind the struct */
    base_slice key;
    base_slice state;        /* data NULL: none */
    base_slice parked;       /* data NULL: none */
    int64_t timer_ms;        /* ENGINE_NEVER: none */
    size_t heap_index;       /* SIZE_MAX: not in the heap */
    engine_working *working; /* in the batch that is being made, or NULL */
    bool state_dirty;        /* changed since its last snapshot */
    bool parked_dirty;
    bool state_stored; /* the snapshots topic has a record of it */
    bool parked_stored;
    bool foreign_state; /* while snapshots are read: its newest is of a replaced writer */
    bool foreign_parked;
    bool queued;    /* a checkpoint is to write it: it stays */
    bool unplanned; /* its plan is not known: set aside until a restart knows it */
    bool stalled;   /* its timer cannot be handled: left alone until a restart */
} engine_slot;

typedef struct engine_slots {
    engine_slot **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    engine_slot **heap;
    size_t heap_count;
    size_t heap_capacity;
} engine_slots;

void engine_slots_init(engine_slots *slots);
void engine_slots_deinit(engine_slots *slots);
/* NULL: there is none. */
engine_slot *engine_slots_find(const engine_slots *slots, base_slice saga, base_slice key);
/* The slot, made where there is none. */
engine_slot *engine_slots_put(engine_slots *slots, base_slice saga, base_slice key);
/* Takes it out and frees it. */
void engine_slots_remove(engine_slots *slots, engine_slot *slot);
/* When the slot wants attention next. */
void engine_slots_timer_set(engine_slots *slots, engine_slot *slot, int64_t timer_ms);
/* The slot that is due first, or NULL. */
engine_slot *engine_slots_first(const engine_slots *slots);
/* Every slot once, in no order; start with *bucket = 0 and slot NULL. */
engine_slot *engine_slots_next(const engine_slots *slots, size_t *bucket, const engine_slot *slot);
/* Replaces the bytes; an empty slice with data NULL takes them away. */
void engine_slot_bytes_set(base_slice *bytes, base_slice value);

#endif
