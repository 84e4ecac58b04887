/*
 * Private to the journal's codec: the entry in it (record troupe.Entry of
 * schemas/troupe.journal.avsc).
 *
 * Values are written once. Those that are written in full are numbered from 0 in the order of
 * writing (the input's data first); one whose bytes were written before is written as its number;
 * and a map whose member `data` is the input event's data (the event as expressions see it) is
 * written without it. Only the first VALUE_REMEMBERED_MAX values of VALUE_SIZE_MIN bytes and more
 * are looked for, so that the search is bounded; the choice depends on the content alone, never on
 * pointers, so the same entry is always the same bytes.
 */
#ifndef SCHEMAS_ENTRY_H
#define SCHEMAS_ENTRY_H

#include "base/codec.h"
#include "saga/entry.h"

/* BAD_INPUT for hashes that are no hex; failures of the writer stay in it. */
base_status schema_entry_write(base_writer *writer, const saga_entry *entry,
                               base_error *error) BASE_MUST_USE;
/* Failures stay in the reader. */
void schema_entry_read(base_reader *reader, base_arena *arena, saga_entry *entry);

#endif
