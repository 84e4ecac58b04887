/*
 * Records of `<prefix>.definitions`: a plan's source under its hash, and the pointer saga@version
 * -> hash. Avro single-object encoding as in schemas/journal.h, by schemas/troupe.definition.avsc.
 */
#ifndef SCHEMAS_DEFINITION_H
#define SCHEMAS_DEFINITION_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

typedef enum schema_definition_kind {
    SCHEMA_DEFINITION_PLAN,
    SCHEMA_DEFINITION_POINTER
} schema_definition_kind;

typedef struct schema_definition {
    schema_definition_kind kind;
    base_slice saga;
    int64_t version;
    char hash[65];          /* SHA-256 of the canonical JSON, hex, terminated */
    base_slice canonical;   /* PLAN: schema_saga_parse reads it back */
    base_slice path;        /* PLAN: the file it came from, for messages */
    int64_t deployed_at_ms; /* PLAN */
} schema_definition;

/* Lives: bytes in arena. Errors: OUT_OF_MEMORY; BAD_INPUT for a hash that is no hex. */
base_status schema_definition_write(const schema_definition *definition, base_arena *arena,
                                    base_slice *bytes_out, base_error *error) BASE_MUST_USE;
/* Lives: strings borrow from bytes. A plan whose canonical JSON has another hash is CORRUPT.
 * Errors: CORRUPT, UNSUPPORTED. */
base_status schema_definition_read(base_slice bytes, schema_definition *definition_out,
                                   base_error *error) BASE_MUST_USE;

#endif
