#include "engine/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *block, size_t size)
{
    if (block == NULL) {
        (void)fprintf(stderr,
                      "troupe: out of memory (%zu bytes wanted); nothing is lost, start again\n",
                      size);
        abort();
    }
    return block;
}

void *engine_memory_new(size_t count, size_t size)
{
    const size_t taken = count == 0 ? 1 : count;
    return checked(calloc(taken, size), taken * size);
}

void *engine_memory_reserve(void *items, size_t *capacity_inout, size_t needed, size_t size)
{
    if (needed <= *capacity_inout) {
        return items;
    }
    size_t capacity = *capacity_inout < 8 ? 8 : *capacity_inout;
    while (capacity < needed) {
        capacity *= 2;
    }
    *capacity_inout = capacity;
    if (capacity > SIZE_MAX / size) {
        return checked(NULL, capacity);
    }
    return checked(realloc(items, capacity * size), capacity * size);
}

base_slice engine_memory_copy(base_slice bytes)
{
    char *copy = (char *)checked(malloc(bytes.size + 1), bytes.size + 1);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = '\0';
    return base_slice_make(copy, bytes.size);
}

void engine_memory_free(const void *block)
{
    free((void *)(uintptr_t)block);
}
