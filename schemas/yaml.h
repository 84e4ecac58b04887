/*
 * YAML 1.2 to a value tree with the place of every key and value. Plain scalars by the core schema,
 * so `no`, `off`, `on` and `1_000` are strings and 0o17 and 0xF are numbers; but a number with a
 * leading zero (0777) stays a string, since YAML 1.1, 1.2 and people each read another number
 * there. Quoted scalars are strings.
 *
 * Refused with a message: anchors and aliases, tags, several documents, duplicate keys, keys that
 * are no scalars, merge keys (`<<`), infinities and NaN, nesting past BASE_VALUE_DEPTH_MAX.
 */
#ifndef SCHEMAS_YAML_H
#define SCHEMAS_YAML_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/value.h"

#define SCHEMA_YAML_SIZE_MAX ((size_t)1024 * 1024)

/* Reads one document. Lives: in arena, nothing borrows from text. Errors, with path, line and
 * column: BAD_INPUT, TOO_LARGE, OUT_OF_MEMORY. Prints nothing. */
base_status schema_yaml_read(base_slice text, base_slice path, base_arena *arena,
                             base_value *value_out, base_error *error) BASE_MUST_USE;

#endif
