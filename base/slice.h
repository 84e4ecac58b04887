/*
 * A slice: borrowed bytes with a length. Nobody owns anything through a slice; it lives as long as
 * what it points into. Text slices are UTF-8 and need no terminating zero.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct base_slice {
    const char *data; /* may be NULL when size is 0 */
    size_t size;
} base_slice;

/* For printf: printf("%.*s", BASE_SLICE_ARG(slice)). */
#define BASE_SLICE_ARG(slice) ((int)(slice).size), ((slice).data != NULL ? (slice).data : "")
/* A slice of a string literal; usable in static initialisers. */
#define BASE_SLICE_LITERAL(text)                                                                   \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static inline base_slice base_slice_of(const char *text)
{
    return (base_slice){text, text == NULL ? 0 : strlen(text)};
}

static inline base_slice base_slice_make(const void *data, size_t size)
{
    return (base_slice){(const char *)data, size};
}

static inline bool base_slice_empty(base_slice slice)
{
    return slice.size == 0;
}

static inline bool base_slice_equal(base_slice a, base_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool base_slice_is(base_slice slice, const char *text)
{
    return base_slice_equal(slice, base_slice_of(text));
}

/* Byte order (for UTF-8 also code point order); shorter first where one is a prefix. <0, 0, >0. */
int base_slice_compare(base_slice a, base_slice b);
bool base_slice_starts_with(base_slice slice, base_slice prefix);
bool base_slice_ends_with(base_slice slice, base_slice suffix);
/* Well-formed UTF-8 by RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF. */
bool base_utf8_valid(base_slice text);

#endif
