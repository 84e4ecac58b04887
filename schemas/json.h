/*
 * JSON text (RFC 8259) to a value tree: strict, exact numbers, UTF-8 only, duplicate keys refused,
 * nesting at most BASE_VALUE_DEPTH_MAX. Writing is base_value_json.
 */
#ifndef SCHEMAS_JSON_H
#define SCHEMAS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/value.h"

#define SCHEMA_JSON_SIZE_MAX ((size_t)16 * 1024 * 1024)

typedef struct schema_json_options {
    base_slice path;   /* for errors: file or topic; may be empty */
    size_t size_max;   /* 0: SCHEMA_JSON_SIZE_MAX */
    int32_t depth_max; /* 0 or past it: BASE_VALUE_DEPTH_MAX */
    bool places;       /* put line and column on every key and value (base_place) */
} schema_json_options;

/* Reads one JSON text. Lives: in arena; strings without escapes and numbers too long to compute
 * with borrow from text. Errors, with line and column: BAD_INPUT; TOO_LARGE past size or depth;
 * OUT_OF_MEMORY. */
base_status schema_json_read(base_slice text, const schema_json_options *options, base_arena *arena,
                             base_value *value_out, base_error *error) BASE_MUST_USE;

#endif
