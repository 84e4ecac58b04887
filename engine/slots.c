#include "engine/slots.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "engine/memory.h"

#define BUCKET_COUNT_FIRST 64

static uint64_t hash_of(base_slice saga, base_slice key)
{
    return base_hash64(key, base_hash64(saga, 0));
}

void engine_slots_init(engine_slots *slots)
{
    *slots = (engine_slots){.bucket_count = BUCKET_COUNT_FIRST};
    slots->buckets = (engine_slot **)engine_memory_new(BUCKET_COUNT_FIRST, sizeof(engine_slot *));
}

static void slot_free(engine_slot *slot)
{
    engine_memory_free(slot->state.data);
    engine_memory_free(slot->parked.data);
    engine_memory_free(slot);
}

void engine_slots_deinit(engine_slots *slots)
{
    for (size_t i = 0; i < slots->bucket_count; i++) {
        engine_slot *slot = slots->buckets[i];
        while (slot != NULL) {
            engine_slot *next = slot->next;
            slot_free(slot);
            slot = next;
        }
    }
    engine_memory_free(slots->buckets);
    engine_memory_free(slots->heap);
    *slots = (engine_slots){.bucket_count = 0};
}

static engine_slot *find(const engine_slots *slots, uint64_t hash, base_slice saga, base_slice key)
{
    engine_slot *slot = slots->buckets[hash & (slots->bucket_count - 1)];
    while (slot != NULL && !(slot->hash == hash && base_slice_equal(slot->key, key) &&
                             base_slice_equal(slot->saga, saga))) {
        slot = slot->next;
    }
    return slot;
}

engine_slot *engine_slots_find(const engine_slots *slots, base_slice saga, base_slice key)
{
    return find(slots, hash_of(saga, key), saga, key);
}

static void grow(engine_slots *slots)
{
    const size_t count = slots->bucket_count * 2;
    engine_slot **buckets = (engine_slot **)engine_memory_new(count, sizeof(engine_slot *));
    for (size_t i = 0; i < slots->bucket_count; i++) {
        engine_slot *slot = slots->buckets[i];
        while (slot != NULL) {
            engine_slot *next = slot->next;
            engine_slot **bucket = &buckets[slot->hash & (count - 1)];
            slot->next = *bucket;
            *bucket = slot;
            slot = next;
        }
    }
    engine_memory_free(slots->buckets);
    slots->buckets = buckets;
    slots->bucket_count = count;
}

engine_slot *engine_slots_put(engine_slots *slots, base_slice saga, base_slice key)
{
    const uint64_t hash = hash_of(saga, key);
    engine_slot *slot = find(slots, hash, saga, key);
    if (slot != NULL) {
        return slot;
    }
    if (slots->count >= slots->bucket_count) {
        grow(slots);
    }
    slot = (engine_slot *)engine_memory_new(1, sizeof(engine_slot) + saga.size + key.size);
    char *text = (char *)(slot + 1);
    memcpy(text, saga.data, saga.size);
    memcpy(text + saga.size, key.data, key.size);
    slot->saga = base_slice_make(text, saga.size);
    slot->key = base_slice_make(text + saga.size, key.size);
    slot->hash = hash;
    slot->timer_ms = ENGINE_NEVER;
    slot->heap_index = SIZE_MAX;
    engine_slot **bucket = &slots->buckets[hash & (slots->bucket_count - 1)];
    slot->next = *bucket;
    *bucket = slot;
    slots->count++;
    return slot;
}

void engine_slots_remove(engine_slots *slots, engine_slot *slot)
{
    engine_slots_timer_set(slots, slot, ENGINE_NEVER);
    engine_slot **link = &slots->buckets[slot->hash & (slots->bucket_count - 1)];
    while (*link != slot) {
        BASE_ASSERT(*link != NULL);
        link = &(*link)->next;
    }
    *link = slot->next;
    slots->count--;
    slot_free(slot);
}

engine_slot *engine_slots_next(const engine_slots *slots, size_t *bucket, const engine_slot *slot)
{
    if (slot != NULL) {
        if (slot->next != NULL) {
            return slot->next;
        }
        (*bucket)++;
    }
    for (; *bucket < slots->bucket_count; (*bucket)++) {
        if (slots->buckets[*bucket] != NULL) {
            return slots->buckets[*bucket];
        }
    }
    return NULL;
}

void engine_slot_bytes_set(base_slice *bytes, base_slice value)
{
    /* The new bytes may be a part of the old ones. */
    const base_slice copy = value.data == NULL ? value : engine_memory_copy(value);
    engine_memory_free(bytes->data);
    *bytes = copy;
}

/* ---- the heap of timers: which is first does not depend on the order of insertion ---- */

static bool before(const engine_slot *a, const engine_slot *b)
{
    if (a->timer_ms != b->timer_ms) {
        return a->timer_ms < b->timer_ms;
    }
    const int order = base_slice_compare(a->key, b->key);
    return order != 0 ? order < 0 : base_slice_compare(a->saga, b->saga) < 0;
}

static void place(engine_slots *slots, size_t index, engine_slot *slot)
{
    slots->heap[index] = slot;
    slot->heap_index = index;
}

static void sift_up(engine_slots *slots, engine_slot *slot)
{
    size_t index = slot->heap_index;
    while (index > 0 && before(slot, slots->heap[(index - 1) / 2])) {
        place(slots, index, slots->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(slots, index, slot);
}

static void sift_down(engine_slots *slots, engine_slot *slot)
{
    size_t index = slot->heap_index;
    for (;;) {
        size_t child = index * 2 + 1;
        if (child >= slots->heap_count) {
            break;
        }
        if (child + 1 < slots->heap_count && before(slots->heap[child + 1], slots->heap[child])) {
            child++;
        }
        if (!before(slots->heap[child], slot)) {
            break;
        }
        place(slots, index, slots->heap[child]);
        index = child;
    }
    place(slots, index, slot);
}

static void heap_remove(engine_slots *slots, engine_slot *slot)
{
    engine_slot *last = slots->heap[--slots->heap_count];
    if (last != slot) {
        place(slots, slot->heap_index, last);
        sift_up(slots, last);
        sift_down(slots, last);
    }
    slot->heap_index = SIZE_MAX;
}

void engine_slots_timer_set(engine_slots *slots, engine_slot *slot, int64_t timer_ms)
{
    if (slot->timer_ms == timer_ms) {
        return;
    }
    slot->timer_ms = timer_ms;
    if (timer_ms == ENGINE_NEVER) {
        heap_remove(slots, slot);
        return;
    }
    if (slot->heap_index == SIZE_MAX) {
        slots->heap =
            (engine_slot **)engine_memory_reserve((void *)slots->heap, &slots->heap_capacity,
                                                  slots->heap_count + 1, sizeof(engine_slot *));
        place(slots, slots->heap_count, slot);
        slots->heap_count++;
    }
    sift_up(slots, slot);
    sift_down(slots, slot);
}

engine_slot *engine_slots_first(const engine_slots *slots)
{
    return slots->heap_count == 0 ? NULL : slots->heap[0];
}
