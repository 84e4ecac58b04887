/*
 * Whether one Avro schema reads what another wrote ("Schema Resolution" of the specification), and
 * if not, why and where.
 *
 * Names of records, enums and fixed match by their last part, or by an alias of the reader's; a
 * writer's field goes to the reader's field of its name, else to the first with such an alias. A
 * writer's union fits when each branch fits; a reader's union when one branch does. Two decimals
 * match when precision and scale do, as the specification says; some registries do not look.
 * Recursive schemas are compared as the infinite trees they are (by the greatest fixed point).
 */
#ifndef SCHEMAS_AVRO_COMPAT_H
#define SCHEMAS_AVRO_COMPAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "schemas/avro_schema.h"

#define SCHEMA_AVRO_PAIR_COUNT_MAX                                                                 \
    ((size_t)262144) /* types of the one met with types of the other */
#define SCHEMA_AVRO_REASON_COUNT_MAX ((size_t)100)

typedef enum schema_avro_flaw {
    SCHEMA_AVRO_FITS,
    SCHEMA_AVRO_TYPE_MISMATCH,
    SCHEMA_AVRO_NAME_MISMATCH,
    SCHEMA_AVRO_FIXED_SIZE_MISMATCH,
    SCHEMA_AVRO_MISSING_ENUM_SYMBOLS,
    SCHEMA_AVRO_MISSING_UNION_BRANCH,
    SCHEMA_AVRO_READER_FIELD_MISSING_DEFAULT_VALUE,
    SCHEMA_AVRO_FLAW_COUNT
} schema_avro_flaw;

/* A mode says against which earlier schemas, and in which direction, a new one is checked. */
typedef enum schema_avro_mode {
    SCHEMA_AVRO_NONE,
    SCHEMA_AVRO_BACKWARD, /* the new one reads what the latest wrote */
    SCHEMA_AVRO_BACKWARD_TRANSITIVE,
    SCHEMA_AVRO_FORWARD, /* the latest reads what the new one writes */
    SCHEMA_AVRO_FORWARD_TRANSITIVE,
    SCHEMA_AVRO_FULL, /* both */
    SCHEMA_AVRO_FULL_TRANSITIVE,
    SCHEMA_AVRO_MODE_COUNT
} schema_avro_mode;

typedef struct schema_avro_reason {
    schema_avro_flaw flaw;
    base_slice path; /* JSON pointer into the reader's schema: "/fields/1/type/items" */
    base_slice text; /* for people */
    size_t against;  /* index of the earlier schema */
    bool forward;    /* the earlier schema is the reader */
} schema_avro_reason;

typedef struct schema_avro_verdict {
    bool compatible;
    bool more; /* there are more reasons than SCHEMA_AVRO_REASON_COUNT_MAX */
    const schema_avro_reason *reasons;
    size_t reason_count;
} schema_avro_verdict;

/* Whether reader reads what writer wrote. A type that is met in several places is told of at the
 * first. Lives: in arena. Errors: TOO_LARGE past SCHEMA_AVRO_PAIR_COUNT_MAX; OUT_OF_MEMORY. */
base_status schema_avro_compat(const schema_avro *reader, const schema_avro *writer,
                               base_arena *arena, schema_avro_verdict *verdict_out,
                               base_error *error) BASE_MUST_USE;
/* Whether `newest` may follow `earlier` (the oldest first) under the mode. As above. */
base_status schema_avro_compat_mode(schema_avro_mode mode, const schema_avro *newest,
                                    const schema_avro *const *earlier, size_t earlier_count,
                                    base_arena *arena, schema_avro_verdict *verdict_out,
                                    base_error *error) BASE_MUST_USE;

/* "missing_union_branch"; static storage. */
const char *schema_avro_flaw_name(schema_avro_flaw flaw);
/* "BACKWARD_TRANSITIVE"; static storage. */
const char *schema_avro_mode_name(schema_avro_mode mode);
/* By name, in any case; false: there is no such mode. */
bool schema_avro_mode_parse(base_slice name, schema_avro_mode *mode_out);

#endif
