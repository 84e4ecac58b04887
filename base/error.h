/*
 * Error: what a person is told. Fixed size, owned by the caller, NULL where the caller does not
 * care; the first error wins, so a caller that adds context adds it with base_error_context.
 *
 * Text: one line, lower case, no full stop, with the offending value: `step "charge" names unknown
 * step "refnd"`. Hint: what to do about it, as `did you mean "refund"?`. Place: file (or other
 * origin), line and column from 1; 0 is unknown.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

#define BASE_ERROR_TEXT_SIZE 512
#define BASE_ERROR_HINT_SIZE 256
#define BASE_ERROR_PATH_SIZE 256
#define BASE_ERROR_CHECK_SIZE 8

typedef struct base_error {
    base_code code;                    /* BASE_OK: no error yet */
    char check[BASE_ERROR_CHECK_SIZE]; /* the check's code ("E102"), or empty */
    uint32_t line;
    uint32_t column;
    char path[BASE_ERROR_PATH_SIZE]; /* file, topic or other origin; may be empty */
    char text[BASE_ERROR_TEXT_SIZE];
    char hint[BASE_ERROR_HINT_SIZE]; /* may be empty */
} base_error;

void base_error_clear(base_error *error);
/* Records a failure, unless one is there already, and returns its status: `return
 * base_error_set(error, BASE_BAD_INPUT, "no such step \"%s\"", name);`. error may be NULL. Too long
 * a text is cut at a character boundary. */
base_status base_error_set(base_error *error, base_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the arguments in a list. */
base_status base_error_set_list(base_error *error, base_code code, const char *format,
                                va_list arguments) __attribute__((format(printf, 3, 0)));
/* The following add to an error that has been set; they do nothing on NULL. place is packed
 * (base_place). */
void base_error_hint(base_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void base_error_check(base_error *error, const char *check);
void base_error_path(base_error *error, base_slice path);
void base_error_place(base_error *error, uint32_t line, uint32_t column);
/* Puts "context: " before the text. */
void base_error_context(base_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes "path:line:col: E102 text (hint)" (what is known of it) and returns the length, as
 * snprintf does. */
size_t base_error_render(const base_error *error, char *buffer, size_t buffer_size);

/* The name of candidates nearest to word by edit distance (insert, delete, change, swap of
 * neighbours), or an empty slice when none is near enough (distance over 1 + size/3, or nothing in
 * common). Ties: the first. Names of more than 96 bytes are never suggested. */
base_slice base_error_nearest(base_slice word, const base_slice *candidates,
                              size_t candidate_count);

#endif
