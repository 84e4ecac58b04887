/*
 * Arena: memory that is given back all at once.
 *
 * The only allocator of the pure layers. An arena grows in chunks up to a stated maximum; past it
 * (or when the system has no memory) allocation returns NULL and callers return BASE_OUT_OF_MEMORY.
 * Nothing in an arena is freed alone. Under AddressSanitizer freed and unused bytes are poisoned.
 * An arena belongs to one thread at a time.
 *
 *   chunk 0          chunk 1               chunk 2
 *   [used....|free]->[used..............]->[used..|free]     base_arena_reset keeps the largest
 *                                                            chunk
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#if defined(__SANITIZE_ADDRESS__)
#define BASE_ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BASE_ARENA_POISONS 1
#endif
#endif
#ifndef BASE_ARENA_POISONS
#define BASE_ARENA_POISONS 0
#endif

#define BASE_ARENA_ALIGNMENT ((size_t)16)

typedef struct base_arena_chunk base_arena_chunk;

/* All fields are private but used_size and size_max. */
typedef struct base_arena {
    base_arena_chunk *chunk; /* newest first */
    base_arena_chunk *spare; /* one that a rewind emptied, kept so that a loop of mark and rewind
                                takes no memory */
    char *next;              /* first free byte of the newest chunk */
    size_t room_size; /* free bytes from there on, within size_max; a multiple of the alignment */
    size_t used_size; /* bytes handed out since the last reset, padding included */
    size_t size_max;  /* bound on used_size */
} base_arena;

/* A place to go back to with base_arena_rewind. */
typedef struct base_arena_mark {
    base_arena_chunk *chunk;
    size_t chunk_used_size;
    size_t used_size;
} base_arena_mark;

#define BASE_ARENA_SIZE_DEFAULT_MAX ((size_t)64 * 1024 * 1024)

/* Makes an empty arena; takes no memory until first use. size_max bytes at the most. */
void base_arena_init(base_arena *arena, size_t size_max);
/* Gives all memory back. Accepts a zeroed arena. */
void base_arena_deinit(base_arena *arena);
/* Forgets all contents; keeps one chunk for reuse. */
void base_arena_reset(base_arena *arena);
base_arena_mark base_arena_mark_get(const base_arena *arena);
/* Forgets what was allocated since the mark. */
void base_arena_rewind(base_arena *arena, base_arena_mark mark);

/* The part of base_arena_alloc that takes a new chunk. */
void *base_arena_alloc_slow(base_arena *arena, size_t size);

/* size bytes aligned for any type, not initialised; NULL past the bound or without memory. size 0
 * gives a valid pointer. */
static inline void *base_arena_alloc(base_arena *arena, size_t size)
{
    /* A size of 0 wraps to the greatest number and takes the slow way. */
    if (!BASE_ARENA_POISONS && size - 1 < arena->room_size) {
        void *block = arena->next;
        const size_t step = (size + BASE_ARENA_ALIGNMENT - 1) & ~(BASE_ARENA_ALIGNMENT - 1);
        arena->next += step;
        arena->room_size -= step;
        arena->used_size += step;
        return block;
    }
    return base_arena_alloc_slow(arena, size);
}

/* The same, zeroed; count * size is checked for overflow. */
void *base_arena_alloc_zero(base_arena *arena, size_t count, size_t size);
/* Grows an array in place where it is the newest allocation, else copies. old_size bytes are kept.
 * NULL as above; the old block stays valid then. */
void *base_arena_grow(base_arena *arena, void *block, size_t old_size, size_t new_size);
/* A copy of the bytes, with a terminating zero behind them that is not counted. data is NULL on
 * failure. */
base_slice base_arena_copy(base_arena *arena, base_slice bytes);
/* printf into the arena; data is NULL on failure. */
base_slice base_arena_print(base_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One object / count objects of a type, zeroed. */
#define BASE_ARENA_NEW(arena, type) ((type *)base_arena_alloc_zero((arena), 1, sizeof(type)))
#define BASE_ARENA_ARRAY(arena, type, count)                                                       \
    ((type *)base_arena_alloc_zero((arena), (count), sizeof(type)))

/* For tests: the n-th allocation from now (of chunks, process-wide) fails, and later ones too when
 * `from_then_on`; 0 switches it off. Not thread-safe. */
void base_arena_fail_at(size_t n, bool from_then_on);

#endif
