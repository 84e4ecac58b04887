/*
 * Private to the Avro files: single values between Avro's bytes and base_value.
 */
#ifndef SCHEMAS_AVRO_VALUE_H
#define SCHEMAS_AVRO_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/value.h"
#include "schemas/avro_schema.h"

/* Bytes of an unscaled decimal that are read: 153 digits. */
#define SCHEMA_AVRO_DECIMAL_SIZE_MAX ((size_t)64)
#define SCHEMA_AVRO_DECIMAL_SCALE_MAX 256

/* The number that big-endian two's complement `unscaled` and the scale are. Errors: BAD_INPUT past
 * the bounds above; OUT_OF_MEMORY. */
base_status schema_avro_decimal_read(base_slice unscaled, int32_t scale, base_arena *arena,
                                     base_value *value_out) BASE_MUST_USE;

/* Whether a value could be of the type, by its kind, range, symbol, size and field names alone:
 * what a branch of a union is chosen by (false for a union itself). json: bytes are strings of code
 * points to U+00FF, as in defaults; else they are bytes. */
bool schema_avro_fits(const schema_avro_node *node, const base_value *value, bool json);
/* The first branch that the value fits; NULL: none. */
const schema_avro_node *schema_avro_branch_for(const schema_avro_node *node,
                                               const base_value *value, bool json,
                                               size_t *index_out);
/* Bytes from a string of code points to U+00FF; false when it has others. The size comes first, to
 * (NULL: only count) then has room for it. */
bool schema_avro_latin(base_slice text, char *to, size_t *size_out);
/* "an int", for messages. */
const char *schema_avro_expected(const schema_avro_node *node);

#endif
