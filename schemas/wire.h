/*
 * Private to the codecs of what Troupe writes itself (journal, snapshots, definitions): the head of
 * Avro single-object encoding and the parts that their schemas share.
 */
#ifndef SCHEMAS_WIRE_H
#define SCHEMAS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/codec.h"
#include "base/error.h"
#include "schemas/journal.h"

/* CRC-64-AVRO of the parsing canonical forms of schemas/troupe.*.avsc; tests/schemas/test_avsc.c
 * computes them again. A change of a schema is a new number here, and a reader for the old one. */
#define SCHEMA_FINGERPRINT_JOURNAL UINT64_C(0x9416cdb41c210151)
#define SCHEMA_FINGERPRINT_SNAPSHOT UINT64_C(0x735efaf6b95176f5)
#define SCHEMA_FINGERPRINT_DEFINITION UINT64_C(0x988144965d47bedc)
#define SCHEMA_FINGERPRINT_ASIDE UINT64_C(0xe47ecbd0fa534a42)
#define SCHEMA_FINGERPRINT_PARKED UINT64_C(0x2415382e1b2be0cf)

#define SCHEMA_HEAD_SIZE ((size_t)10)

/* C3 01 and the fingerprint. */
void schema_head_write(base_writer *writer, uint64_t fingerprint);
/* Checks the head and sets the reader on the body. CORRUPT: no single-object record; UNSUPPORTED:
 * of another schema. */
base_status schema_head_read(base_slice bytes, uint64_t fingerprint, base_reader *reader_out,
                             base_error *error) BASE_MUST_USE;
/* The status of a reader at the end, as an error that names `what`: "the snapshot is corrupt". */
base_status schema_tail_check(const base_reader *reader, const char *what,
                              base_error *error) BASE_MUST_USE;

/* Lower-case hex of hex_size characters, or empty, as bytes. false: it is neither. */
bool schema_hex_write(base_writer *writer, const char *hex, size_t hex_size);
/* Back, with its zero: hex has room for hex_size + 1. */
void schema_hex_read(base_reader *reader, char *hex, size_t hex_size);

/* uint64 counters that stay within int64. */
void schema_counter_write(base_writer *writer, uint64_t counter);
uint64_t schema_counter_read(base_reader *reader);
int32_t schema_int_read(base_reader *reader, int32_t minimum, int32_t maximum);

/* A value or, for NULL, nothing: a union with null. */
void schema_optional_write(base_writer *writer, const base_value *value);
const base_value *schema_optional_read(base_reader *reader, base_arena *arena);

void schema_positions_write(base_writer *writer, const schema_position *positions, size_t count);
void schema_positions_read(base_reader *reader, base_arena *arena,
                           const schema_position **positions_out, size_t *count_out);

/* The array with room for one more item; it grows by doubling. NULL (and the reader has failed)
 * without memory. Arrays are not sized by the count that the bytes claim: memory follows what was
 * really read. */
void *schema_reserve(base_reader *reader, base_arena *arena, void *items, size_t count,
                     size_t *capacity, size_t item_size);
/* Notes that there is no memory. */
void schema_no_memory(base_reader *reader);

#endif
