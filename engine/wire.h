/*
 * Wire: the records that the engine writes beside the journal, and the headers on them
 * (docs/wire.md).
 *
 *   an event        ask, undo, end, or one of the engine's own: CloudEvents, made from the entry
 *                   alone, so that a re-publication is the same byte for byte
 *   a forward       a record on its way to its instance's partition through the inbox: unchanged,
 *                   but for the key, which is the main key, and for the headers that say where it
 *                   came from
 *   a dead letter   a record that could not be read or placed: unchanged, with headers that say why
 *
 * Headers of our own begin with "troupe-". What they say about a record's origin is taken off again
 * before anybody else looks at it.
 */
#ifndef ENGINE_WIRE_H
#define ENGINE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "engine/topics.h"
#include "saga/entry.h"
#include "saga/plan.h"
#include "schemas/record.h"

#define ENGINE_HEADER_PREFIX "troupe-"
#define ENGINE_HEADER_SAGA "troupe-saga"
#define ENGINE_HEADER_TOPIC "troupe-topic"
#define ENGINE_HEADER_PARTITION "troupe-partition"
#define ENGINE_HEADER_OFFSET "troupe-offset"
#define ENGINE_HEADER_TIME "troupe-time"
#define ENGINE_HEADER_KEY "troupe-key"
#define ENGINE_HEADER_REASON "troupe-reason"
#define ENGINE_HEADER_ERROR "troupe-error"
#define ENGINE_HEADER_ATTEMPT "troupe-attempt"

/* What an effect puts on a topic; *publishes_out false: nothing (a note, a dead letter, a phase
 * that nobody is told). */
base_status engine_wire_event(const saga_plan *plan, const saga_entry *entry, int32_t effect_index,
                              const engine_topics *topics, base_arena *arena, bool *publishes_out,
                              schema_record *record_out, base_error *error) BASE_MUST_USE;

/* The record, re-keyed for the inbox of `saga`'s instance `key`. */
base_status engine_wire_forward(const schema_record *record, base_slice saga, base_slice key,
                                base_slice inbox, base_arena *arena,
                                schema_record *record_out) BASE_MUST_USE;

/* A record of the inbox as it stood on its own topic; *forwarded_out false: it came straight to the
 * inbox, and record_out is the same record. BAD_INPUT: headers of ours that make no sense. */
base_status engine_wire_origin(const schema_record *record, base_arena *arena, bool *forwarded_out,
                               base_slice *saga_out, schema_record *record_out,
                               base_error *error) BASE_MUST_USE;

typedef struct engine_letter {
    const schema_record *record; /* as it stood on its own topic */
    const char *reason;
    base_slice saga;    /* may be empty */
    base_slice error;   /* for people; may be empty */
    bool without_value; /* it is too large to be written once more: its place says where it is */
} engine_letter;
base_status engine_wire_dead_letter(const engine_letter *letter, base_slice topic,
                                    base_arena *arena, schema_record *record_out) BASE_MUST_USE;

/* A deep copy. Lives: in arena. */
base_status engine_wire_copy(const schema_record *record, base_arena *arena,
                             schema_record *record_out) BASE_MUST_USE;

/* The value of a header, or data NULL. */
base_slice engine_wire_header(const schema_record *record, const char *name);

#endif
