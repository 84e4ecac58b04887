/*
 * Envelope: CloudEvents 1.0 in the Kafka protocol binding, read in binary and structured (JSON)
 * mode, written in binary mode; and plain records (docs/saga-language.md, A.3).
 *
 * Data by content type: none, application/json and +json are JSON; text is a string; all else are
 * bytes.
 */
#ifndef SCHEMAS_ENVELOPE_H
#define SCHEMAS_ENVELOPE_H

#include "base/arena.h"
#include "base/error.h"
#include "saga/event.h"
#include "saga/route.h"
#include "schemas/record.h"

#define SCHEMA_ATTRIBUTE_MAX 256 /* attributes of one event */
/* Nesting of data. Less than BASE_VALUE_DEPTH_MAX, since data is put into documents and journals
 * that nest further. */
#define SCHEMA_DATA_DEPTH_MAX 100

/* Reads a CloudEvent. NOT_FOUND: the record is none (a plain record). BAD_INPUT: it wants to be one
 * and is wrong; error says why. UNSUPPORTED: a mode or version that is not read here. TOO_LARGE,
 * OUT_OF_MEMORY. Without ce_time the event has the record's time. Of two traceparents the hop's
 * (plain header) is taken. Lives: in arena; borrows from record. */
base_status schema_envelope_read(const schema_record *record, base_arena *arena,
                                 saga_event *event_out, base_error *error) BASE_MUST_USE;

/* Writes an event in binary mode: sets headers, value, time and, when the event has a partition
 * key, the key of the record; topic and partition are the caller's. An event without data gets the
 * JSON text `null`, so that it is no tombstone. BAD_INPUT: required attributes empty, or data that
 * its content type cannot carry. Lives: in arena; borrows from event. */
base_status schema_envelope_write(const saga_event *event, base_arena *arena,
                                  schema_record *record_inout, base_error *error) BASE_MUST_USE;

/* A record as expressions see a plain one. key: string, null, or bytes when it is no UTF-8. value:
 * null for a tombstone, what JSON text says, else string (UTF-8) or bytes. BAD_INPUT for what
 * begins like a JSON object or list and is none. Lives: in arena; borrows from record. */
base_status schema_plain_read(const schema_record *record, base_arena *arena,
                              saga_plain_record *plain_out, base_error *error) BASE_MUST_USE;

#endif
