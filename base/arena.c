#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#if BASE_ARENA_POISONS
#include <sanitizer/asan_interface.h>
/* Not inlined: gcc would warn of poisoning memory that nobody has written to. */
__attribute__((noinline)) static void region_poison(char *data, size_t size)
{
    __asan_poison_memory_region(data, size);
}

__attribute__((noinline)) static void region_unpoison(char *data, size_t size)
{
    __asan_unpoison_memory_region(data, size);
}

#define POISON(data, size) region_poison((data), (size))
#define UNPOISON(data, size) region_unpoison((data), (size))
#else
#define POISON(data, size) ((void)(data), (void)(size))
#define UNPOISON(data, size) ((void)(data), (void)(size))
#endif

#define CHUNK_SIZE_FIRST ((size_t)4096)
#define CHUNK_SIZE_DOUBLING_MAX ((size_t)1024 * 1024)

struct base_arena_chunk {
    _Alignas(16) base_arena_chunk *older;
    size_t size; /* of the bytes behind this header, a multiple of the alignment */
};

/* The one piece of mutable global state in base/, for tests only: see base_arena_fail_at. */
static size_t fail_countdown;
static bool fail_from_then_on;

static char *chunk_data(base_arena_chunk *chunk)
{
    return (char *)(chunk + 1);
}

static bool must_fail(void)
{
    if (fail_countdown == 0) {
        return false;
    }
    if (fail_countdown > 1) {
        fail_countdown--;
        return false;
    }
    if (!fail_from_then_on) {
        fail_countdown = 0;
    }
    return true;
}

static base_arena_chunk *chunk_new(size_t size)
{
    if (must_fail() || size > PTRDIFF_MAX - sizeof(base_arena_chunk)) {
        return NULL;
    }
    base_arena_chunk *chunk = malloc(sizeof(*chunk) + size);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->older = NULL;
    chunk->size = size;
    POISON(chunk_data(chunk), size);
    return chunk;
}

static void chunk_free(base_arena_chunk *chunk)
{
    if (chunk != NULL) {
        UNPOISON(chunk_data(chunk), chunk->size);
        free(chunk);
    }
}

/* Sets next and room_size to what is left of the newest chunk behind chunk_used_size. */
static void place_at(base_arena *arena, size_t chunk_used_size)
{
    if (arena->chunk == NULL) {
        arena->next = NULL;
        arena->room_size = 0;
        return;
    }
    size_t room = arena->chunk->size - chunk_used_size;
    const size_t allowed = (arena->size_max - arena->used_size) & ~(BASE_ARENA_ALIGNMENT - 1);
    if (room > allowed) {
        room = allowed;
    }
    arena->next = chunk_data(arena->chunk) + chunk_used_size;
    arena->room_size = room;
}

void base_arena_init(base_arena *arena, size_t size_max)
{
    *arena = (base_arena){.size_max = size_max};
}

void base_arena_deinit(base_arena *arena)
{
    while (arena->chunk != NULL) {
        base_arena_chunk *older = arena->chunk->older;
        chunk_free(arena->chunk);
        arena->chunk = older;
    }
    chunk_free(arena->spare);
    *arena = (base_arena){.size_max = arena->size_max};
}

/* Puts the chunk by as the spare one, or frees it when the spare one is at least as large. */
static void put_by(base_arena *arena, base_arena_chunk *chunk)
{
    if (arena->spare != NULL && arena->spare->size >= chunk->size) {
        chunk_free(chunk);
        return;
    }
    chunk_free(arena->spare);
    chunk->older = NULL;
    POISON(chunk_data(chunk), chunk->size);
    arena->spare = chunk;
}

void base_arena_reset(base_arena *arena)
{
    base_arena_rewind(arena, (base_arena_mark){NULL, 0, 0});
}

base_arena_mark base_arena_mark_get(const base_arena *arena)
{
    base_arena_mark mark = {arena->chunk, 0, arena->used_size};
    if (arena->chunk != NULL) {
        mark.chunk_used_size = (size_t)(arena->next - chunk_data(arena->chunk));
    }
    return mark;
}

void base_arena_rewind(base_arena *arena, base_arena_mark mark)
{
    while (arena->chunk != mark.chunk) {
        base_arena_chunk *chunk = arena->chunk;
        BASE_ASSERT(chunk != NULL); /* the mark is of another arena, or was rewound over */
        arena->chunk = chunk->older;
        put_by(arena, chunk);
    }
    BASE_ASSERT(mark.used_size <= arena->used_size);
    arena->used_size = mark.used_size;
    place_at(arena, mark.chunk_used_size);
    if (arena->chunk != NULL) {
        POISON(arena->next, arena->chunk->size - mark.chunk_used_size);
    }
}

/* Makes a chunk with room for size (a multiple of the alignment) the newest one. */
static bool chunk_push(base_arena *arena, size_t size)
{
    base_arena_chunk *chunk = arena->spare;
    if (chunk != NULL && chunk->size >= size) {
        arena->spare = NULL;
    } else {
        size_t chunk_size = CHUNK_SIZE_FIRST - sizeof(*chunk);
        if (arena->chunk != NULL) {
            const size_t doubled = (arena->chunk->size + sizeof(*chunk)) * 2;
            const size_t bounded =
                doubled < CHUNK_SIZE_DOUBLING_MAX ? doubled : CHUNK_SIZE_DOUBLING_MAX;
            chunk_size = bounded - sizeof(*chunk);
        }
        chunk = chunk_new(chunk_size < size ? size : chunk_size);
        if (chunk == NULL) {
            return false;
        }
    }
    chunk->older = arena->chunk;
    arena->chunk = chunk;
    place_at(arena, 0);
    return true;
}

void *base_arena_alloc_slow(base_arena *arena, size_t size)
{
    if (size == 0) {
        size = 1;
    }
    if (size > arena->size_max - arena->used_size) {
        return NULL;
    }
    const size_t step = (size + BASE_ARENA_ALIGNMENT - 1) & ~(BASE_ARENA_ALIGNMENT - 1);
    if (step > arena->size_max - arena->used_size || step < size) {
        return NULL;
    }
    if (step > arena->room_size && !chunk_push(arena, step)) {
        return NULL;
    }
    char *block = arena->next;
    UNPOISON(block, size);
    arena->next += step;
    arena->room_size -= step;
    arena->used_size += step;
    return block;
}

void *base_arena_alloc_zero(base_arena *arena, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }
    void *block = base_arena_alloc(arena, total);
    return block == NULL ? NULL : memset(block, 0, total);
}

void *base_arena_grow(base_arena *arena, void *block, size_t old_size, size_t new_size)
{
    BASE_ASSERT(new_size >= old_size);
    BASE_ASSERT(block != NULL || old_size == 0);
    const size_t old_step = block == NULL
                                ? 0
                                : ((old_size == 0 ? 1 : old_size) + BASE_ARENA_ALIGNMENT - 1) &
                                      ~(BASE_ARENA_ALIGNMENT - 1);
    if (block != NULL && (char *)block + old_step == arena->next) {
        if (new_size <= old_step) {
            UNPOISON(block, new_size);
            return block;
        }
        const size_t more_size = new_size - old_step;
        if (more_size <= arena->room_size) {
            (void)base_arena_alloc(arena, more_size);
            UNPOISON(block, new_size);
            return block;
        }
    }
    void *grown = base_arena_alloc(arena, new_size);
    if (grown != NULL && old_size > 0) {
        memcpy(grown, block, old_size);
    }
    return grown;
}

base_slice base_arena_copy(base_arena *arena, base_slice bytes)
{
    if (bytes.size == SIZE_MAX) {
        return base_slice_make(NULL, 0);
    }
    char *copy = base_arena_alloc(arena, bytes.size + 1);
    if (copy == NULL) {
        return base_slice_make(NULL, 0);
    }
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = '\0';
    return base_slice_make(copy, bytes.size);
}

base_slice base_arena_print(base_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : base_arena_alloc(arena, (size_t)length + 1);
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return base_slice_make(text, text == NULL ? 0 : (size_t)length);
}

void base_arena_fail_at(size_t n, bool from_then_on)
{
    fail_countdown = n;
    fail_from_then_on = from_then_on;
}
