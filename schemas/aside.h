/*
 * Aside: events that came before their instance and wait for it (docs/saga-language.md, rule 9),
 * and ended instances whose `retain` is over. No instance has an entry for these, so they are
 * records of their own in the journal:
 *
 *   PARK    an event waits for saga + key; it carries the record, unchanged
 *   DROP    it waited long enough; (one that its instance took is gone by the entry's cause)
 *   FORGET  the instance's key is kept no longer
 *
 * and in the snapshots a list: what waits for one saga + key. Avro single-object encoding as in
 * schemas/journal.h, by schemas/troupe.aside.avsc; canonical.
 */
#ifndef SCHEMAS_ASIDE_H
#define SCHEMAS_ASIDE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "schemas/journal.h"
#include "schemas/record.h"

typedef enum schema_aside_kind {
    SCHEMA_ASIDE_PARK,
    SCHEMA_ASIDE_DROP,
    SCHEMA_ASIDE_FORGET,
    SCHEMA_ASIDE_COUNT
} schema_aside_kind;

/* An event that waits. The cause (INBOX or SOURCE: where this partition read it) names it. */
typedef struct schema_parked {
    schema_cause cause;
    schema_record record; /* as it stood on its own topic */
    int64_t until_ms;
} schema_parked;

#define SCHEMA_PARKED_MAX 65536 /* in one list */

typedef struct schema_aside {
    schema_aside_kind kind;
    uint64_t epoch; /* of the writer */
    base_slice saga;
    base_slice key;
    schema_parked parked; /* PARK */
    schema_cause cause;   /* DROP: which */
    /* Sources that it advances. */
    const schema_position *positions;
    size_t position_count;
} schema_aside;

/* Lives: bytes in arena. Errors: OUT_OF_MEMORY. */
base_status schema_aside_write(const schema_aside *aside, base_arena *arena, base_slice *bytes_out,
                               base_error *error) BASE_MUST_USE;
/* Lives: in arena, strings borrow from bytes. Errors: CORRUPT, UNSUPPORTED (a single-object record
 * of another schema), OUT_OF_MEMORY. */
base_status schema_aside_read(base_slice bytes, base_arena *arena, schema_aside *aside_out,
                              base_error *error) BASE_MUST_USE;

base_status schema_parked_write(const schema_parked *items, size_t count, base_arena *arena,
                                base_slice *bytes_out, base_error *error) BASE_MUST_USE;
base_status schema_parked_read(base_slice bytes, base_arena *arena, schema_parked **items_out,
                               size_t *count_out, base_error *error) BASE_MUST_USE;

#endif
