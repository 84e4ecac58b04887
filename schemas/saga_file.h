/*
 * Saga files: text to a definition whose shape has been checked (docs/saga-language.md, A.2 to
 * A.11), ready for saga_plan_compile. What is wrong is collected in findings, all of it, each with
 * file:line:col, path and hint. What the language has and this version does not is refused by name,
 * never ignored.
 *
 *   text --YAML or JSON--> tree --grammar--> checked tree --canonical JSON, SHA-256--> name
 *                                                         --defaults put in--------> tree of the
 * definition
 *
 * The canonical form is of the file as it was written, without `defaults` put in: sorted JSON, but
 * for services, events and steps, whose order has a meaning. Reading the canonical form gives the
 * same definition, with the same hash.
 */
#ifndef SCHEMAS_SAGA_FILE_H
#define SCHEMAS_SAGA_FILE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"
#include "saga/plan.h"

#define SCHEMA_SAGA_FILE_SIZE_MAX ((size_t)1024 * 1024)

/* Reads and checks a file. JSON by its name (.json), else YAML. Lives: in arena. Errors: BAD_INPUT
 * (findings say what), NOT_FOUND, IO, TOO_LARGE, OUT_OF_MEMORY; each leaves a finding too. */
base_status schema_saga_load(const char *path, base_arena *arena, saga_definition *definition_out,
                             saga_findings *findings) BASE_MUST_USE;

/* The same for text at hand; path is for messages and tells the format. Without a name that tells,
 * text that begins with a brace is JSON. */
base_status schema_saga_parse(base_slice text, base_slice path, base_arena *arena,
                              saga_definition *definition_out,
                              saga_findings *findings) BASE_MUST_USE;

#endif
