/*
 * Journal records: what a partition of `<prefix>.journal` is made of (docs/design.md, 4).
 *
 *   C3 01 | fingerprint (8, little-endian) | Avro body         Avro single-object encoding
 *
 * The body is record troupe.Journal of schemas/troupe.journal.avsc, which says what every field
 * means. It is canonical: the same content is always the same bytes. A value that was written
 * before in the same record (the event's data mostly) is written as a reference to it, not twice.
 *
 * Bytes that are no journal record are a status, never a crash: CORRUPT; UNSUPPORTED when they are
 * a single-object record of another schema (another version of Troupe).
 */
#ifndef SCHEMAS_JOURNAL_H
#define SCHEMAS_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "saga/entry.h"

typedef enum schema_journal_kind {
    SCHEMA_JOURNAL_ENTRY,   /* an input of an instance, and where its source stands after it */
    SCHEMA_JOURNAL_CLAIM,   /* a worker takes the partition with a higher epoch */
    SCHEMA_JOURNAL_POSITION /* sources that were read on without an entry */
} schema_journal_kind;

typedef enum schema_cause_kind {
    SCHEMA_CAUSE_NONE,
    SCHEMA_CAUSE_INBOX,  /* topic, partition, offset: the inbox record */
    SCHEMA_CAUSE_SOURCE, /* topic, partition, offset: the record of a user's topic */
    SCHEMA_CAUSE_TIMER,
    SCHEMA_CAUSE_COMMAND /* topic, partition, offset: the command's inbox record, where it came by
                            one */
} schema_cause_kind;

typedef struct schema_cause {
    schema_cause_kind kind;
    base_slice topic;
    int32_t partition;
    int64_t offset;
} schema_cause;

/* How far a source partition has been read: `offset` is the next one. */
typedef struct schema_position {
    base_slice topic;
    int32_t partition;
    int64_t offset;
} schema_position;

typedef struct schema_claim {
    base_slice worker; /* id of the worker */
    int64_t at_ms;
} schema_claim;

#define SCHEMA_POSITION_MAX 65536 /* in one record */

typedef struct schema_journal {
    schema_journal_kind kind;
    uint64_t epoch; /* of the writer */
    schema_cause cause;
    const schema_position *positions; /* POSITION; ENTRY: the source that it advances, if any */
    size_t position_count;
    schema_claim claim; /* CLAIM */
    saga_entry entry;   /* ENTRY */
} schema_journal;

/* Writes a record. Lives: bytes in arena. Errors: OUT_OF_MEMORY; BAD_INPUT for an entry whose
 * hashes are no hex. */
base_status schema_journal_write(const schema_journal *journal, base_arena *arena,
                                 base_slice *bytes_out, base_error *error) BASE_MUST_USE;

/* Reads a record. Lives: in arena, strings borrow from bytes. Errors: CORRUPT, UNSUPPORTED,
 * OUT_OF_MEMORY. */
base_status schema_journal_read(base_slice bytes, base_arena *arena, schema_journal *journal_out,
                                base_error *error) BASE_MUST_USE;

/* The kind and the epoch alone, without reading the rest: for readers that skip what an older epoch
 * wrote. */
base_status schema_journal_peek(base_slice bytes, schema_journal_kind *kind_out,
                                uint64_t *epoch_out, base_error *error) BASE_MUST_USE;

#endif
