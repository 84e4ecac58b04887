/*
 * schemas/envelope.h: an event from any record. The input is "name: value" lines for the headers,
 * an empty line, and the value. What is read is written and read again as the same event.
 */
#include <string.h>

#include "schemas/envelope.h"
#include "tests/fuzz/fuzz.h"

#define HEADER_MAX 64

static size_t headers_split(const char *text, size_t size, schema_header *headers, size_t *count)
{
    size_t at = 0;
    *count = 0;
    while (at < size && *count < HEADER_MAX) {
        const char *start = text + at;
        const char *end = memchr(start, '\n', size - at);
        size_t line_size = end != NULL ? (size_t)(end - start) : size - at;
        at += line_size + (end != NULL);
        const char *colon = memchr(start, ':', line_size);
        if (colon == NULL) {
            break;
        }
        size_t name_size = (size_t)(colon - start);
        size_t skip = name_size + 1 < line_size && colon[1] == ' ' ? 2 : 1;
        headers[(*count)++] = (schema_header){
            base_slice_make(start, name_size),
            base_slice_make(start + name_size + skip, line_size - name_size - skip)};
    }
    return at;
}

/* Where the content type is not JSON, text and bytes are told apart by it alone, and no data is
 * empty data. */
static bool same_data(const base_value *sent, const base_value *got)
{
    bool raw = got->kind == BASE_STRING || got->kind == BASE_BYTES;
    if (raw && (sent->kind == BASE_STRING || sent->kind == BASE_BYTES || sent->kind == BASE_NULL)) {
        return base_slice_equal(base_value_slice(sent), base_value_slice(got));
    }
    return base_value_equal(sent, got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    schema_header headers[HEADER_MAX];
    schema_record record = {.topic = base_slice_of("topic"), .time_ms = 1, .headers = headers};
    size_t used = headers_split((const char *)data, size, headers, &record.header_count);
    record.value = base_slice_make(data + used, size - used);
    record.key = record.value;

    base_error error = {0};
    saga_event event = {0};
    if (!base_failed(schema_envelope_read(&record, &arena, &event, &error))) {
        schema_record written = {.topic = record.topic};
        if (!base_failed(schema_envelope_write(&event, &arena, &written, &error))) {
            saga_event again = {0};
            FUZZ_MUST_DO(schema_envelope_read(&written, &arena, &again, &error), error);
            FUZZ_MUST(base_slice_equal(event.id, again.id));
            FUZZ_MUST(base_slice_equal(event.type, again.type));
            FUZZ_MUST(base_slice_equal(event.source, again.source));
            FUZZ_MUST(event.time_ms == again.time_ms);
            FUZZ_MUST(same_data(&event.data, &again.data));
            FUZZ_MUST(event.other_count == again.other_count);
        }
    }
    saga_plain_record plain;
    (void)base_failed(schema_plain_read(&record, &arena, &plain, &error));
    base_arena_deinit(&arena);
    return 0;
}
