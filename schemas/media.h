/*
 * Private to the envelopes (envelope.c, envelope_write.c, plain.c): content types and header names,
 * which have no case.
 */
#ifndef SCHEMAS_MEDIA_H
#define SCHEMAS_MEDIA_H

#include <stdbool.h>

#include "base/slice.h"
#include "schemas/record.h"

#define SCHEMA_CE_PREFIX "ce_"
#define SCHEMA_CE_STRUCTURED "application/cloudevents"

/* What a content type says of the data. */
typedef enum schema_media { SCHEMA_MEDIA_JSON, SCHEMA_MEDIA_TEXT, SCHEMA_MEDIA_BYTES } schema_media;

/* "application/json; charset=utf-8" -> "application/json" */
base_slice schema_media_type(base_slice content_type);
schema_media schema_media_form(base_slice content_type);

char schema_lower(char letter); /* of ASCII */
bool schema_same_but_case(base_slice a, base_slice b);
bool schema_starts_but_case(base_slice text, const char *prefix);
/* The value of the first header of that name, in any case; data NULL when there is none. */
base_slice schema_header_text(const schema_record *record, const char *name);

#endif
