#include "schemas/wire.h"

#include "base/assert.h"
#include "base/hash.h"

void schema_head_write(base_writer *writer, uint64_t fingerprint)
{
    unsigned char head[SCHEMA_HEAD_SIZE] = {0xC3, 0x01};
    for (size_t i = 0; i < 8; i++) {
        head[2 + i] = (unsigned char)(fingerprint >> (8 * i));
    }
    base_write_raw(writer, base_slice_make(head, sizeof(head)));
}

base_status schema_head_read(base_slice bytes, uint64_t fingerprint, base_reader *reader_out,
                             base_error *error)
{
    const unsigned char *data = (const unsigned char *)bytes.data;
    if (bytes.size < SCHEMA_HEAD_SIZE || data[0] != 0xC3 || data[1] != 0x01) {
        return base_error_set(error, BASE_CORRUPT, "the bytes are no Avro single-object record");
    }
    uint64_t found = 0;
    for (size_t i = 0; i < 8; i++) {
        found |= (uint64_t)data[2 + i] << (8 * i);
    }
    if (found != fingerprint) {
        const base_status status = base_error_set(
            error, BASE_UNSUPPORTED, "a record of schema %016llx, where %016llx is read",
            (unsigned long long)found, (unsigned long long)fingerprint);
        base_error_hint(error, "another version of Troupe may have written it");
        return status;
    }
    base_reader_begin(
        reader_out, base_slice_make(bytes.data + SCHEMA_HEAD_SIZE, bytes.size - SCHEMA_HEAD_SIZE));
    return base_ok();
}

base_status schema_tail_check(const base_reader *reader, const char *what, base_error *error)
{
    const base_status status = base_reader_status(reader, true);
    if (status.code == BASE_OUT_OF_MEMORY) {
        return base_error_set(error, status.code, "no memory to read %s", what);
    }
    /* Too deep, too long: of bytes that we wrote that is damage, too. */
    return base_failed(status) ? base_error_set(error, BASE_CORRUPT, "%s is corrupt", what)
                               : status;
}

/* ---- hashes ---- */

static int32_t hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool schema_hex_write(base_writer *writer, const char *hex, size_t hex_size)
{
    unsigned char bytes[32];
    BASE_ASSERT(hex_size <= 2 * sizeof(bytes) && hex_size % 2 == 0);
    if (hex[0] == '\0') {
        base_write_bytes(writer, base_slice_make("", 0));
        return true;
    }
    for (size_t i = 0; i < hex_size; i += 2) {
        const int32_t high = hex_digit(hex[i]);
        const int32_t low = high < 0 ? -1 : hex_digit(hex[i + 1]);
        if (low < 0) {
            return false;
        }
        bytes[i / 2] = (unsigned char)(high << 4 | low);
    }
    if (hex[hex_size] != '\0') {
        return false;
    }
    base_write_bytes(writer, base_slice_make(bytes, hex_size / 2));
    return true;
}

void schema_hex_read(base_reader *reader, char *hex, size_t hex_size)
{
    const base_slice bytes = base_read_bytes(reader);
    hex[0] = '\0';
    if (bytes.size == hex_size / 2) {
        base_hex((const uint8_t *)bytes.data, bytes.size, hex);
    } else if (bytes.size != 0) {
        base_reader_fail(reader);
    }
}

/* ---- numbers ---- */

void schema_counter_write(base_writer *writer, uint64_t counter)
{
    BASE_ASSERT(counter <= INT64_MAX);
    base_write_long(writer, (int64_t)counter);
}

uint64_t schema_counter_read(base_reader *reader)
{
    return (uint64_t)base_read_long_in(reader, 0, INT64_MAX);
}

int32_t schema_int_read(base_reader *reader, int32_t minimum, int32_t maximum)
{
    return (int32_t)base_read_long_in(reader, minimum, maximum);
}

/* ---- values ---- */

void schema_optional_write(base_writer *writer, const base_value *value)
{
    base_write_long(writer, value == NULL ? 0 : 1);
    if (value != NULL) {
        base_write_value(writer, value);
    }
}

const base_value *schema_optional_read(base_reader *reader, base_arena *arena)
{
    if (base_read_long_in(reader, 0, 1) == 0) {
        return NULL;
    }
    base_value *value = BASE_ARENA_NEW(arena, base_value);
    if (value == NULL) {
        schema_no_memory(reader);
        return NULL;
    }
    base_read_value(reader, arena, value);
    return value;
}

/* ---- arrays ---- */

void schema_no_memory(base_reader *reader)
{
    base_reader_fail(reader);
    reader->failure = BASE_OUT_OF_MEMORY;
}

void *schema_reserve(base_reader *reader, base_arena *arena, void *items, size_t count,
                     size_t *capacity, size_t item_size)
{
    if (count < *capacity) {
        return items;
    }
    const size_t wanted = *capacity == 0 ? 4 : *capacity * 2;
    void *grown = base_arena_grow(arena, items, *capacity * item_size, wanted * item_size);
    if (grown == NULL) {
        schema_no_memory(reader);
        return NULL;
    }
    *capacity = wanted;
    return grown;
}

void schema_positions_write(base_writer *writer, const schema_position *positions, size_t count)
{
    base_write_array(writer, count);
    for (size_t i = 0; i < count; i++) {
        base_write_bytes(writer, positions[i].topic);
        base_write_long(writer, positions[i].partition);
        base_write_long(writer, positions[i].offset);
    }
    base_write_array_end(writer, count);
}

void schema_positions_read(base_reader *reader, base_arena *arena,
                           const schema_position **positions_out, size_t *count_out)
{
    schema_position *positions = NULL;
    size_t count = 0;
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        if (count == SCHEMA_POSITION_MAX) {
            base_reader_fail(reader);
            return;
        }
        positions = schema_reserve(reader, arena, positions, count, &capacity, sizeof(*positions));
        if (positions == NULL) {
            return;
        }
        positions[count].topic = base_read_string(reader);
        positions[count].partition = schema_int_read(reader, 0, INT32_MAX);
        positions[count].offset = base_read_long_in(reader, 0, INT64_MAX);
        count++;
    }
    *positions_out = positions;
    *count_out = count;
}
