#include "schemas/aside.h"

#include <string.h>

#include "base/codec.h"

/* CRC-64-AVRO of the schemas' parsing canonical forms; tests/schemas/test_aside.c computes them
 * again. */
#define ASIDE_FINGERPRINT UINT64_C(0xe47ecbd0fa534a42)
#define PARKED_FINGERPRINT UINT64_C(0x2415382e1b2be0cf)
#define HEAD_SIZE ((size_t)10)

static void head_write(base_writer *writer, uint64_t fingerprint)
{
    unsigned char head[HEAD_SIZE] = {0xc3, 0x01};
    for (size_t i = 0; i < 8; i++) {
        head[2 + i] = (unsigned char)(fingerprint >> (8 * i));
    }
    base_write_raw(writer, base_slice_make(head, sizeof(head)));
}

/* Strips the head. */
static base_status head_read(base_slice bytes, uint64_t fingerprint, base_slice *body_out,
                             base_error *error)
{
    const unsigned char *data = (const unsigned char *)bytes.data;
    if (bytes.size < HEAD_SIZE || data[0] != 0xc3 || data[1] != 0x01) {
        return base_error_set(error, BASE_CORRUPT, "the bytes are no Avro single-object record");
    }
    uint64_t found = 0;
    for (size_t i = 0; i < 8; i++) {
        found |= (uint64_t)data[2 + i] << (8 * i);
    }
    if (found != fingerprint) {
        return base_error_set(error, BASE_UNSUPPORTED, "a record of the unknown schema %016llx",
                              (unsigned long long)found);
    }
    *body_out = base_slice_make(bytes.data + HEAD_SIZE, bytes.size - HEAD_SIZE);
    return base_ok();
}

/* ---- parts ---- */

static void optional_write(base_writer *writer, base_slice bytes)
{
    base_write_long(writer, bytes.data == NULL ? 0 : 1);
    if (bytes.data != NULL) {
        base_write_bytes(writer, bytes);
    }
}

static base_slice optional_read(base_reader *reader)
{
    if (base_read_long_in(reader, 0, 1) == 0) {
        return (base_slice){NULL, 0};
    }
    const base_slice bytes = base_read_bytes(reader);
    return bytes.data == NULL ? base_slice_make("", 0) : bytes;
}

static void cause_write(base_writer *writer, const schema_cause *cause)
{
    base_write_bool(writer, cause->kind == SCHEMA_CAUSE_INBOX);
    base_write_bytes(writer, cause->topic);
    base_write_long(writer, cause->partition);
    base_write_long(writer, cause->offset);
}

static schema_cause cause_read(base_reader *reader)
{
    schema_cause cause = {.kind = SCHEMA_CAUSE_NONE};
    cause.kind = base_read_bool(reader) ? SCHEMA_CAUSE_INBOX : SCHEMA_CAUSE_SOURCE;
    cause.topic = base_read_string(reader);
    cause.partition = (int32_t)base_read_long_in(reader, 0, INT32_MAX);
    cause.offset = base_read_long_in(reader, 0, INT64_MAX);
    return cause;
}

static void parked_write(base_writer *writer, const schema_parked *parked)
{
    const schema_record *record = &parked->record;
    cause_write(writer, &parked->cause);
    base_write_long(writer, parked->until_ms);
    base_write_bytes(writer, record->topic);
    base_write_long(writer, record->partition);
    base_write_long(writer, record->offset);
    base_write_long(writer, record->time_ms);
    optional_write(writer, record->key);
    optional_write(writer, record->value);
    base_write_array(writer, record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        base_write_bytes(writer, record->headers[i].name);
        optional_write(writer, record->headers[i].value);
    }
    base_write_array_end(writer, record->header_count);
}

/* Items of an array into a growing block; item_size bytes each. */
static void *item_next(base_reader *reader, base_arena *arena, void **items, size_t *count,
                       size_t *capacity, size_t item_size)
{
    if (*count == *capacity) {
        const size_t grown = *capacity == 0 ? 4 : *capacity * 2;
        void *block = base_arena_grow(arena, *items, *capacity * item_size, grown * item_size);
        if (block == NULL) {
            base_reader_fail(reader);
            return NULL;
        }
        *items = block;
        *capacity = grown;
    }
    void *item = (char *)*items + *count * item_size;
    memset(item, 0, item_size);
    (*count)++;
    return item;
}

static void parked_read(base_reader *reader, base_arena *arena, schema_parked *parked)
{
    schema_record *record = &parked->record;
    parked->cause = cause_read(reader);
    parked->until_ms = base_read_long(reader);
    record->topic = base_read_string(reader);
    record->partition = (int32_t)base_read_long_in(reader, 0, INT32_MAX);
    record->offset = base_read_long_in(reader, 0, INT64_MAX);
    record->time_ms = base_read_long(reader);
    record->key = optional_read(reader);
    record->value = optional_read(reader);
    void *headers = NULL;
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        schema_header *header = (schema_header *)item_next(
            reader, arena, &headers, &record->header_count, &capacity, sizeof(*header));
        if (header == NULL) {
            return;
        }
        header->name = base_read_string(reader);
        header->value = optional_read(reader);
    }
    record->headers = (const schema_header *)headers;
}

static void positions_write(base_writer *writer, const schema_aside *aside)
{
    base_write_array(writer, aside->position_count);
    for (size_t i = 0; i < aside->position_count; i++) {
        base_write_bytes(writer, aside->positions[i].topic);
        base_write_long(writer, aside->positions[i].partition);
        base_write_long(writer, aside->positions[i].offset);
    }
    base_write_array_end(writer, aside->position_count);
}

static void positions_read(base_reader *reader, base_arena *arena, schema_aside *aside)
{
    void *positions = NULL;
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        schema_position *position = (schema_position *)item_next(
            reader, arena, &positions, &aside->position_count, &capacity, sizeof(*position));
        if (position == NULL) {
            return;
        }
        position->topic = base_read_string(reader);
        position->partition = (int32_t)base_read_long_in(reader, 0, INT32_MAX);
        position->offset = base_read_long_in(reader, 0, INT64_MAX);
    }
    aside->positions = (const schema_position *)positions;
}

static base_status read_end(const base_reader *reader, const char *what, base_error *error)
{
    if (base_failed(base_reader_status(reader, true))) {
        return base_error_set(error, BASE_CORRUPT, "the bytes are no %s", what);
    }
    return base_ok();
}

/* ---- records ---- */

base_status schema_aside_write(const schema_aside *aside, base_arena *arena, base_slice *bytes_out,
                               base_error *error)
{
    base_writer writer;
    base_writer_begin(&writer, arena);
    head_write(&writer, ASIDE_FINGERPRINT);
    base_write_long(&writer, (int64_t)aside->kind);
    base_write_long(&writer, (int64_t)aside->epoch);
    base_write_bytes(&writer, aside->saga);
    base_write_bytes(&writer, aside->key);
    base_write_long(&writer, aside->kind == SCHEMA_ASIDE_PARK ? 1 : 0);
    if (aside->kind == SCHEMA_ASIDE_PARK) {
        parked_write(&writer, &aside->parked);
    }
    base_write_long(&writer, aside->kind == SCHEMA_ASIDE_DROP ? 1 : 0);
    if (aside->kind == SCHEMA_ASIDE_DROP) {
        cause_write(&writer, &aside->cause);
    }
    positions_write(&writer, aside);
    if (base_failed(base_writer_end(&writer, bytes_out))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a journal record");
    }
    return base_ok();
}

base_status schema_aside_read(base_slice bytes, base_arena *arena, schema_aside *aside_out,
                              base_error *error)
{
    base_slice body = {NULL, 0};
    BASE_TRY(head_read(bytes, ASIDE_FINGERPRINT, &body, error));
    base_reader reader;
    base_reader_begin(&reader, body);
    schema_aside aside;
    memset(&aside, 0, sizeof(aside));
    aside.kind = (schema_aside_kind)base_read_long_in(&reader, 0, SCHEMA_ASIDE_COUNT - 1);
    aside.epoch = (uint64_t)base_read_long_in(&reader, 0, INT64_MAX);
    aside.saga = base_read_string(&reader);
    aside.key = base_read_string(&reader);
    const bool has_parked = base_read_long_in(&reader, 0, 1) == 1;
    if (has_parked) {
        parked_read(&reader, arena, &aside.parked);
    }
    const bool has_cause = base_read_long_in(&reader, 0, 1) == 1;
    if (has_cause) {
        aside.cause = cause_read(&reader);
    }
    positions_read(&reader, arena, &aside);
    BASE_TRY(read_end(&reader, "record of the journal", error));
    if (has_parked != (aside.kind == SCHEMA_ASIDE_PARK) ||
        has_cause != (aside.kind == SCHEMA_ASIDE_DROP)) {
        return base_error_set(error, BASE_CORRUPT,
                              "a record of the journal has parts that it cannot have");
    }
    *aside_out = aside;
    return base_ok();
}

base_status schema_parked_write(const schema_parked *items, size_t count, base_arena *arena,
                                base_slice *bytes_out, base_error *error)
{
    base_writer writer;
    base_writer_begin(&writer, arena);
    head_write(&writer, PARKED_FINGERPRINT);
    base_write_array(&writer, count);
    for (size_t i = 0; i < count; i++) {
        parked_write(&writer, &items[i]);
    }
    base_write_array_end(&writer, count);
    if (base_failed(base_writer_end(&writer, bytes_out))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a list of early events");
    }
    return base_ok();
}

base_status schema_parked_read(base_slice bytes, base_arena *arena, schema_parked **items_out,
                               size_t *count_out, base_error *error)
{
    base_slice body = {NULL, 0};
    BASE_TRY(head_read(bytes, PARKED_FINGERPRINT, &body, error));
    base_reader reader;
    base_reader_begin(&reader, body);
    void *items = NULL;
    size_t count = 0;
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(&reader, &left)) {
        schema_parked *parked =
            (schema_parked *)item_next(&reader, arena, &items, &count, &capacity, sizeof(*parked));
        if (parked == NULL || count > SCHEMA_PARKED_MAX) {
            base_reader_fail(&reader);
            break;
        }
        parked_read(&reader, arena, parked);
    }
    BASE_TRY(read_end(&reader, "list of early events", error));
    *items_out = (schema_parked *)items;
    *count_out = count;
    return base_ok();
}
