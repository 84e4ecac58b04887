/*
 * Avro schemas: the JSON text of a schema (Avro 1.11 and 1.12 specification) as an immutable graph.
 *
 * What a schema says is kept: names, namespaces, aliases, defaults, docs, order and the logical
 * types below. Names are resolved: a reference is a pointer to the node that defines it, so a
 * recursive schema is a graph with a cycle, and who walks it needs a stack and a bound of his own.
 *
 * Refused, with line and column: what is no schema; unknown types; names that are no names or that
 * are defined twice; duplicate fields, symbols and union branches; unions right inside unions;
 * defaults that are no value of their type. A logical type that is unknown or does not fit its type
 * is ignored, as the specification asks. Bounds: SCHEMA_AVRO_TEXT_SIZE_MAX bytes of text,
 * SCHEMA_AVRO_NODE_COUNT_MAX types, BASE_VALUE_DEPTH_MAX levels of JSON.
 */
#ifndef SCHEMAS_AVRO_SCHEMA_H
#define SCHEMAS_AVRO_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/value.h"

#define SCHEMA_AVRO_TEXT_SIZE_MAX ((size_t)1024 * 1024)
#define SCHEMA_AVRO_NODE_COUNT_MAX ((size_t)65536)
#define SCHEMA_AVRO_FIXED_SIZE_MAX INT64_C(0x7FFFFFFF)

typedef enum schema_avro_type {
    SCHEMA_AVRO_NULL,
    SCHEMA_AVRO_BOOLEAN,
    SCHEMA_AVRO_INT,
    SCHEMA_AVRO_LONG,
    SCHEMA_AVRO_FLOAT,
    SCHEMA_AVRO_DOUBLE,
    SCHEMA_AVRO_BYTES,
    SCHEMA_AVRO_STRING,
    SCHEMA_AVRO_RECORD,
    SCHEMA_AVRO_ENUM,
    SCHEMA_AVRO_FIXED,
    SCHEMA_AVRO_ARRAY,
    SCHEMA_AVRO_MAP,
    SCHEMA_AVRO_UNION,
    SCHEMA_AVRO_TYPE_COUNT
} schema_avro_type;

typedef enum schema_avro_logical {
    SCHEMA_AVRO_PLAIN, /* none, or one that does not fit */
    SCHEMA_AVRO_DECIMAL,
    SCHEMA_AVRO_UUID,
    SCHEMA_AVRO_DATE,
    SCHEMA_AVRO_TIME_MILLIS,
    SCHEMA_AVRO_TIME_MICROS,
    SCHEMA_AVRO_TIMESTAMP_MILLIS,
    SCHEMA_AVRO_TIMESTAMP_MICROS,
    SCHEMA_AVRO_LOCAL_TIMESTAMP_MILLIS,
    SCHEMA_AVRO_LOCAL_TIMESTAMP_MICROS,
    SCHEMA_AVRO_LOGICAL_COUNT
} schema_avro_logical;

typedef enum schema_avro_order {
    SCHEMA_AVRO_ASCENDING,
    SCHEMA_AVRO_DESCENDING,
    SCHEMA_AVRO_IGNORE
} schema_avro_order;

typedef struct schema_avro_node schema_avro_node;

typedef struct schema_avro_field {
    base_slice name;
    const base_slice *aliases;
    size_t alias_count;
    const schema_avro_node *type;
    const base_value *default_json; /* as the schema's JSON has it, checked; NULL: none */
    schema_avro_order order;
    base_slice doc;
} schema_avro_field;

struct schema_avro_node {
    schema_avro_type type;
    schema_avro_logical logical;
    uint32_t index;    /* of the node in its schema, from 0 */
    base_place place;  /* in the schema's text */
    int32_t precision; /* decimal */
    int32_t scale;     /* decimal */
    /* record, enum, fixed */
    base_slice name;           /* full name: "shop.orders.Order" */
    const base_slice *aliases; /* full names */
    size_t alias_count;
    base_slice doc;
    /* record: fields; enum: symbols; union: branches */
    size_t count;
    schema_avro_field *fields;
    const base_slice *symbols;
    const schema_avro_node **branches;
    int32_t symbol_default;       /* enum: index of the default, -1: none */
    int64_t fixed_size;           /* fixed */
    const schema_avro_node *item; /* array: items; map: values */
};

typedef struct schema_avro {
    const schema_avro_node *root;
    schema_avro_node *const *nodes; /* by index */
    size_t node_count;
    base_slice text; /* as it was given, copied */
} schema_avro;

/* Reads a schema. path names its origin in errors (file or subject; may be empty).
 * Lives: all of it in arena. Errors: BAD_INPUT with place and often a hint; TOO_LARGE past a bound;
 * OUT_OF_MEMORY. */
base_status schema_avro_read(base_slice text, base_slice path, base_arena *arena,
                             const schema_avro **schema_out, base_error *error) BASE_MUST_USE;

/* The parsing canonical form. Errors: OUT_OF_MEMORY. Lives: in arena. */
base_status schema_avro_canonical(const schema_avro *schema, base_arena *arena,
                                  base_slice *text_out) BASE_MUST_USE;
/* Fingerprints of any bytes; a schema's are those of its canonical form. */
uint64_t schema_avro_crc64(base_slice bytes);
base_status schema_avro_fingerprint(const schema_avro *schema, base_arena *arena,
                                    uint64_t *crc64_out) BASE_MUST_USE;
base_status schema_avro_sha256(const schema_avro *schema, base_arena *arena,
                               uint8_t digest_out[32]) BASE_MUST_USE;

/* "record", "int"; static storage. */
const char *schema_avro_type_name(schema_avro_type type);
/* "timestamp-millis"; empty for PLAIN. */
const char *schema_avro_logical_name(schema_avro_logical logical);
/* The full name of a named type, the type's name of others: what a branch of a union is called. */
base_slice schema_avro_branch_name(const schema_avro_node *node);
/* The last part of a full name. */
base_slice schema_avro_simple_name(base_slice name);
bool schema_avro_is_named(const schema_avro_node *node);

/* The value of a type from the JSON of a default: bytes for bytes and fixed, numbers for decimals,
 * unions by the first branch of the value's shape. A field of a record that the JSON leaves out has
 * its own default. value_out NULL only checks. Errors: BAD_INPUT, with the place of the value in
 * the schema; TOO_LARGE for defaults without end or of more than SCHEMA_AVRO_DEFAULT_COUNT_MAX
 * values; OUT_OF_MEMORY. Lives: in arena, borrowing from the schema. */
#define SCHEMA_AVRO_DEFAULT_COUNT_MAX ((size_t)65536)
base_status schema_avro_default(const schema_avro_node *type, const base_value *json,
                                base_arena *arena, base_value *value_out,
                                base_error *error) BASE_MUST_USE;

#endif
