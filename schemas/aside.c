#include "schemas/aside.h"

#include <string.h>

#include "base/codec.h"
#include "schemas/wire.h"

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
    schema_header *headers = NULL;
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        headers = (schema_header *)schema_reserve(reader, arena, headers, record->header_count,
                                                  &capacity, sizeof(*headers));
        if (headers == NULL) {
            return;
        }
        schema_header *header = &headers[record->header_count++];
        header->name = base_read_string(reader);
        header->value = optional_read(reader);
    }
    record->headers = headers;
}

/* ---- records ---- */

base_status schema_aside_write(const schema_aside *aside, base_arena *arena, base_slice *bytes_out,
                               base_error *error)
{
    base_writer writer;
    base_writer_begin(&writer, arena);
    schema_head_write(&writer, SCHEMA_FINGERPRINT_ASIDE);
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
    schema_positions_write(&writer, aside->positions, aside->position_count);
    if (base_failed(base_writer_end(&writer, bytes_out))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a journal record");
    }
    return base_ok();
}

base_status schema_aside_read(base_slice bytes, base_arena *arena, schema_aside *aside_out,
                              base_error *error)
{
    base_reader reader;
    BASE_TRY(schema_head_read(bytes, SCHEMA_FINGERPRINT_ASIDE, &reader, error));
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
    schema_positions_read(&reader, arena, &aside.positions, &aside.position_count);
    BASE_TRY(schema_tail_check(&reader, "the journal record", error));
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
    schema_head_write(&writer, SCHEMA_FINGERPRINT_PARKED);
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
    base_reader reader;
    BASE_TRY(schema_head_read(bytes, SCHEMA_FINGERPRINT_PARKED, &reader, error));
    schema_parked *items = NULL;
    size_t count = 0;
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(&reader, &left)) {
        items = (schema_parked *)schema_reserve(&reader, arena, items, count, &capacity,
                                                sizeof(*items));
        if (items == NULL || count == SCHEMA_PARKED_MAX) {
            base_reader_fail(&reader);
            break;
        }
        memset(&items[count], 0, sizeof(*items));
        parked_read(&reader, arena, &items[count++]);
    }
    BASE_TRY(schema_tail_check(&reader, "the list of early events", error));
    *items_out = items;
    *count_out = count;
    return base_ok();
}
