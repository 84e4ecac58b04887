/*
 * Avro binary primitives (Avro 1.11 specification, "Binary encoding"): a bounded writer into an
 * arena buffer and a bounded reader over a slice. Journal entries, definitions and snapshots are
 * written with these, field by field, to the schemas in schemas/ (troupe.*.avsc); so the same
 * content is always the same bytes (arrays in one block, no negative counts, no trailing bytes).
 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/value.h"

/* A growing buffer. After a failure (memory, BASE_TOO_LARGE for a value nested too deep) further
 * writes do nothing and base_writer_end reports it. */
typedef struct base_writer {
    base_arena *arena;
    char *data;
    size_t size;
    size_t capacity;
    base_code failure;
} base_writer;

void base_writer_begin(base_writer *writer, base_arena *arena);
base_status base_writer_end(base_writer *writer, base_slice *bytes_out) BASE_MUST_USE;
void base_write_raw(base_writer *writer, base_slice bytes);
void base_write_bool(base_writer *writer, bool truth);
void base_write_long(
    base_writer *writer,
    int64_t number); /* int, long, enum and union indexes, counts: zig-zag varint */
void base_write_bytes(base_writer *writer,
                      base_slice bytes); /* string and bytes: length and bytes */
/* Array header for count items (items follow); base_write_array_end writes the closing 0. A count
 * of 0 writes only the closing 0. */
void base_write_array(base_writer *writer, size_t count);
void base_write_array_end(base_writer *writer, size_t count);
/* A value tree as record troupe.Value (schemas/troupe.value.avsc). */
void base_write_value(base_writer *writer, const base_value *value);

/* A reader. After a failure (past the end, bad varint, limit) further reads give zeros and
 * base_reader_status tells. */
typedef struct base_reader {
    base_slice rest;
    base_code failure;
} base_reader;

void base_reader_begin(base_reader *reader, base_slice bytes);
/* BASE_CORRUPT after a failed read (base_read_value: also BASE_OUT_OF_MEMORY, and BASE_TOO_LARGE
 * when nested too deep); with `all` also when bytes are left. */
base_status base_reader_status(const base_reader *reader, bool all) BASE_MUST_USE;
void base_reader_fail(base_reader *reader);
bool base_read_bool(base_reader *reader);
int64_t base_read_long(base_reader *reader);
/* A long within [minimum, maximum], else failure and minimum. */
int64_t base_read_long_in(base_reader *reader, int64_t minimum, int64_t maximum);
base_slice base_read_bytes(base_reader *reader);  /* borrowed from the input */
base_slice base_read_string(base_reader *reader); /* the same, refused unless UTF-8 */
/* Array items: `while (base_read_array_next(&reader, &left)) {...}` with left = 0 at first. Handles
 * several blocks and negative counts (with byte size), as any Avro writer may make them. Refuses a
 * count greater than the bytes left. */
bool base_read_array_next(base_reader *reader, int64_t *left);
/* A value tree in arena; strings and bytes borrow from the input. Depth at most
 * BASE_VALUE_DEPTH_MAX. Refused are duplicate keys and numbers not in the form that
 * base_write_value gives them: one value, one form. */
void base_read_value(base_reader *reader, base_arena *arena, base_value *value_out);

#endif
