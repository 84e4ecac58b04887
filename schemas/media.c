#include "schemas/media.h"

char schema_lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

bool schema_same_but_case(base_slice a, base_slice b)
{
    for (size_t i = 0; a.size == b.size && i < a.size; i++) {
        if (schema_lower(a.data[i]) != schema_lower(b.data[i])) {
            return false;
        }
    }
    return a.size == b.size;
}

bool schema_starts_but_case(base_slice text, const char *prefix)
{
    const base_slice wanted = base_slice_of(prefix);
    return text.size >= wanted.size &&
           schema_same_but_case(base_slice_make(text.data, wanted.size), wanted);
}

static bool ends(base_slice text, const char *suffix)
{
    const base_slice wanted = base_slice_of(suffix);
    return text.size >= wanted.size &&
           schema_same_but_case(base_slice_make(text.data + text.size - wanted.size, wanted.size),
                                wanted);
}

/* "application/json; charset=utf-8" -> "application/json" */
base_slice schema_media_type(base_slice content_type)
{
    size_t start = 0;
    size_t end = 0;
    while (end < content_type.size && content_type.data[end] != ';') {
        end++;
    }
    while (start < end && (content_type.data[start] == ' ' || content_type.data[start] == '\t')) {
        start++;
    }
    while (end > start &&
           (content_type.data[end - 1] == ' ' || content_type.data[end - 1] == '\t')) {
        end--;
    }
    return base_slice_make(content_type.data == NULL ? "" : content_type.data + start, end - start);
}

schema_media schema_media_form(base_slice content_type)
{
    const base_slice media = schema_media_type(content_type);
    if (media.size == 0 || schema_same_but_case(media, base_slice_of("application/json")) ||
        schema_same_but_case(media, base_slice_of("text/json")) || ends(media, "+json")) {
        return SCHEMA_MEDIA_JSON;
    }
    if (schema_starts_but_case(media, "text/") ||
        schema_same_but_case(media, base_slice_of("application/xml")) || ends(media, "+xml")) {
        return SCHEMA_MEDIA_TEXT;
    }
    return SCHEMA_MEDIA_BYTES;
}

base_slice schema_header_text(const schema_record *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++) {
        if (schema_same_but_case(record->headers[i].name, base_slice_of(name))) {
            return record->headers[i].value;
        }
    }
    return base_slice_make(NULL, 0);
}
