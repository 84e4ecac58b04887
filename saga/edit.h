/*
 * Edits: how a saga's document changed, as a list of puts and deletes by path (RFC 6901 JSON
 * pointers). `set` is journalled this way, so that an entry's size follows what it touches and not
 * the document's.
 */
#ifndef SAGA_EDIT_H
#define SAGA_EDIT_H

#include "base/arena.h"
#include "base/status.h"
#include "base/value.h"

typedef struct saga_edit {
    base_slice path;         /* "" is the whole document */
    const base_value *value; /* NULL: delete */
} saga_edit;

/* Edits that turn `before` into `after`, key order included. None when they are the same. Values
 * borrow from after. */
base_status saga_edit_diff(const base_value *before, const base_value *after, base_arena *arena,
                           const saga_edit **edits_out, size_t *count_out) BASE_MUST_USE;

/* The document after one edit. Shares all that is not on the path; new containers are in arena; the
 * put value is borrowed. BASE_CORRUPT when the path does not fit the document. */
base_status saga_edit_apply(const base_value *before, const saga_edit *edit, base_arena *arena,
                            base_value *after_out) BASE_MUST_USE;

#endif
