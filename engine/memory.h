/*
 * Memory that outlives a batch: instances' bytes, tables, heaps. The engine's only use of the heap.
 *
 * Running out of it ends the process with one line: the log is the truth, so a restart loses
 * nothing, and no path through the engine has to be written (and tested) twice. What is taken per
 * event comes from arenas instead, where running out is a status.
 */
#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include <stddef.h>

#include "base/slice.h"

/* count objects of a size, zeroed. */
void *engine_memory_new(size_t count, size_t size);
/* Grows an array to hold at least needed items of a size, doubling; what is new is not initialised.
 */
void *engine_memory_reserve(void *items, size_t *capacity_inout, size_t needed, size_t size);
/* A copy with a terminating zero behind it; of an empty slice too. */
base_slice engine_memory_copy(base_slice bytes);
/* NULL is fine. */
void engine_memory_free(const void *block);

#endif
