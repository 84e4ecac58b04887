#include "base/codec.h"

#include "base/assert.h"
#include "base/number.h"

#define WRITER_CAPACITY_FIRST 256
#define VARINT_SIZE_MAX 10

/* Branches of the union in troupe.Value, in the order of schemas/troupe.value.avsc. */
typedef enum value_branch {
    VALUE_NULL,
    VALUE_BOOLEAN,
    VALUE_LONG,
    VALUE_DECIMAL,
    VALUE_BIG_NUMBER,
    VALUE_STRING,
    VALUE_BYTES,
    VALUE_ARRAY,
    VALUE_MAP,
    VALUE_BRANCH_COUNT
} value_branch;

/* ---- writing ---- */

void base_writer_begin(base_writer *writer, base_arena *arena)
{
    *writer = (base_writer){.arena = arena, .failure = BASE_OK};
}

base_status base_writer_end(base_writer *writer, base_slice *bytes_out)
{
    if (writer->failure == BASE_OK && writer->data == NULL) {
        writer->data =
            base_arena_alloc(writer->arena, 0); /* no bytes, but bytes_out->data is not NULL */
        writer->failure = writer->data == NULL ? BASE_OUT_OF_MEMORY : BASE_OK;
    }
    if (writer->failure == BASE_OK) {
        *bytes_out = base_slice_make(writer->data, writer->size);
    }
    return base_status_of(writer->failure);
}

/* Room for `size` more bytes, or NULL. */
static char *reserve(base_writer *writer, size_t size)
{
    if (writer->failure != BASE_OK) {
        return NULL;
    }
    if (size > writer->capacity - writer->size) {
        size_t capacity = writer->capacity == 0 ? WRITER_CAPACITY_FIRST : writer->capacity * 2;
        if (capacity - writer->size < size) {
            capacity = writer->size + size;
        }
        char *data = capacity < size
                         ? NULL
                         : base_arena_grow(writer->arena, writer->data, writer->capacity, capacity);
        if (data == NULL) {
            writer->failure = BASE_OUT_OF_MEMORY;
            return NULL;
        }
        writer->data = data;
        writer->capacity = capacity;
    }
    return writer->data + writer->size;
}

void base_write_raw(base_writer *writer, base_slice bytes)
{
    char *room = reserve(writer, bytes.size);
    if (room != NULL && bytes.size > 0) {
        memcpy(room, bytes.data, bytes.size);
        writer->size += bytes.size;
    }
}

void base_write_bool(base_writer *writer, bool truth)
{
    char *room = reserve(writer, 1);
    if (room != NULL) {
        *room = truth ? 1 : 0;
        writer->size++;
    }
}

void base_write_long(base_writer *writer, int64_t number)
{
    char *room = reserve(writer, VARINT_SIZE_MAX);
    if (room == NULL) {
        return;
    }
    uint64_t left = ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0);
    size_t size = 0;
    while (left >= 0x80) {
        room[size++] = (char)(unsigned char)(left | 0x80);
        left >>= 7;
    }
    room[size++] = (char)left;
    writer->size += size;
}

void base_write_bytes(base_writer *writer, base_slice bytes)
{
    base_write_long(writer, (int64_t)bytes.size);
    base_write_raw(writer, bytes);
}

void base_write_array(base_writer *writer, size_t count)
{
    if (count > 0) {
        base_write_long(writer, (int64_t)count);
    }
}

void base_write_array_end(base_writer *writer, size_t count)
{
    (void)count; /* a block ends by itself; the array ends with an empty one */
    base_write_long(writer, 0);
}

/* Writes a value but not the items of a list or map: of those the count. */
static void write_shallow(base_writer *writer, const base_value *value)
{
    switch ((base_kind)value->kind) {
    case BASE_NULL:
        base_write_long(writer, VALUE_NULL);
        break;
    case BASE_BOOL:
        base_write_long(writer, VALUE_BOOLEAN);
        base_write_bool(writer, value->truth);
        break;
    case BASE_INTEGER:
        base_write_long(writer, VALUE_LONG);
        base_write_long(writer, value->integer);
        break;
    case BASE_DECIMAL:
        base_write_long(writer, VALUE_DECIMAL);
        base_write_long(writer, value->integer);
        base_write_long(writer, value->exponent);
        break;
    case BASE_NUMBER_TEXT:
        base_write_long(writer, VALUE_BIG_NUMBER);
        base_write_bytes(writer, base_value_slice(value));
        break;
    case BASE_STRING:
        base_write_long(writer, VALUE_STRING);
        base_write_bytes(writer, base_value_slice(value));
        break;
    case BASE_BYTES:
        base_write_long(writer, VALUE_BYTES);
        base_write_bytes(writer, base_value_slice(value));
        break;
    case BASE_LIST:
        base_write_long(writer, VALUE_ARRAY);
        base_write_array(writer, value->size);
        break;
    case BASE_MAP:
        base_write_long(writer, VALUE_MAP);
        base_write_array(writer, value->size);
        break;
    }
}

/* A list or map of which the first `next` items are written. */
typedef struct write_frame {
    const base_value *value;
    size_t next;
} write_frame;

void base_write_value(base_writer *writer, const base_value *value)
{
    write_frame frames[BASE_VALUE_DEPTH_MAX];
    size_t depth = 0;
    while (writer->failure == BASE_OK) {
        write_shallow(writer, value);
        if (value->kind == BASE_LIST || value->kind == BASE_MAP) {
            if (depth == BASE_VALUE_DEPTH_MAX) {
                writer->failure = BASE_TOO_LARGE;
                return;
            }
            frames[depth++] = (write_frame){value, 0};
        }
        while (depth > 0 && frames[depth - 1].next == frames[depth - 1].value->size) {
            base_write_array_end(writer, frames[depth - 1].value->size);
            depth--;
        }
        if (depth == 0) {
            return;
        }
        write_frame *frame = &frames[depth - 1];
        const size_t index = frame->next++;
        if (frame->value->kind == BASE_MAP) {
            base_write_bytes(writer, frame->value->members[index].key);
            value = &frame->value->members[index].value;
        } else {
            value = &frame->value->items[index];
        }
    }
}

/* ---- reading ---- */

void base_reader_begin(base_reader *reader, base_slice bytes)
{
    *reader = (base_reader){.rest = bytes, .failure = BASE_OK};
}

base_status base_reader_status(const base_reader *reader, bool all)
{
    if (reader->failure == BASE_OK && all && reader->rest.size > 0) {
        return base_status_of(BASE_CORRUPT);
    }
    return base_status_of(reader->failure);
}

/* The first failure is kept. Nothing is left to read behind it, so that every loop over the input
 * ends. */
static void fail_with(base_reader *reader, base_code failure)
{
    if (reader->failure == BASE_OK) {
        reader->failure = failure;
    }
    reader->rest.size = 0;
}

void base_reader_fail(base_reader *reader)
{
    fail_with(reader, BASE_CORRUPT);
}

static base_slice take(base_reader *reader, size_t size)
{
    const base_slice taken = {reader->rest.data, size};
    if (size > reader->rest.size) {
        base_reader_fail(reader);
        return (base_slice){NULL, 0};
    }
    if (size > 0) {
        reader->rest.data += size;
        reader->rest.size -= size;
    }
    return taken;
}

bool base_read_bool(base_reader *reader)
{
    const base_slice byte = take(reader, 1);
    if (byte.size == 1 && byte.data[0] != 0 && byte.data[0] != 1) {
        base_reader_fail(reader);
        return false;
    }
    return byte.size == 1 && byte.data[0] == 1;
}

int64_t base_read_long(base_reader *reader)
{
    uint64_t number = 0;
    for (size_t index = 0; index < VARINT_SIZE_MAX && index < reader->rest.size; index++) {
        const uint64_t byte = (unsigned char)reader->rest.data[index];
        if (index == VARINT_SIZE_MAX - 1 && byte > 1) {
            break; /* more than 64 bits */
        }
        number |= (byte & 0x7F) << (7 * index);
        if (byte < 0x80) {
            (void)take(reader, index + 1);
            return (int64_t)((number >> 1) ^ (0 - (number & 1)));
        }
    }
    base_reader_fail(reader);
    return 0;
}

int64_t base_read_long_in(base_reader *reader, int64_t minimum, int64_t maximum)
{
    const int64_t number = base_read_long(reader);
    if (reader->failure != BASE_OK || number < minimum || number > maximum) {
        base_reader_fail(reader);
        return minimum;
    }
    return number;
}

base_slice base_read_bytes(base_reader *reader)
{
    const int64_t size = base_read_long(reader);
    if (size < 0 || (uint64_t)size > reader->rest.size) {
        base_reader_fail(reader);
        return (base_slice){NULL, 0};
    }
    return take(reader, (size_t)size);
}

base_slice base_read_string(base_reader *reader)
{
    const base_slice text = base_read_bytes(reader);
    if (!base_utf8_valid(text)) {
        base_reader_fail(reader);
        return (base_slice){NULL, 0};
    }
    return text;
}

bool base_read_array_next(base_reader *reader, int64_t *left)
{
    if (reader->failure != BASE_OK) {
        return false;
    }
    if (*left > 1) {
        --*left;
        return true;
    }
    int64_t count = base_read_long(reader);
    if (count < 0) {
        const int64_t size = base_read_long(reader); /* lets a reader skip the block; we never do */
        if (count == INT64_MIN || size < 0 || (uint64_t)size > reader->rest.size) {
            base_reader_fail(reader);
            return false;
        }
        count = -count;
    }
    if ((uint64_t)count > reader->rest.size) {
        base_reader_fail(reader);
        return false;
    }
    *left = count;
    return count > 0;
}

/* A list or map whose items are being read. */
typedef struct read_frame {
    bool is_map;
    int64_t left;
    base_slice key; /* of the member whose value is being read */
    base_list_builder list;
    base_map_builder map;
} read_frame;

static void read_decimal(base_reader *reader, base_value *out)
{
    const int64_t coefficient = base_read_long(reader);
    const int64_t exponent = base_read_long(reader);
    if (!base_decimal_check(coefficient, exponent)) {
        base_reader_fail(reader);
        return;
    }
    *out = (base_value){.kind = BASE_DECIMAL, .exponent = (int8_t)exponent, .integer = coefficient};
}

static void read_big_number(base_reader *reader, base_value *out)
{
    const base_slice text = base_read_bytes(reader);
    base_value number = {0};
    if (base_failed(base_number_parse(text, &number)) || number.kind != BASE_NUMBER_TEXT) {
        base_reader_fail(reader);
        return;
    }
    *out = number;
}

/* Reads a value, of a list or map only which it is. */
static value_branch read_shallow(base_reader *reader, base_value *out)
{
    const value_branch branch = (value_branch)base_read_long_in(reader, 0, VALUE_BRANCH_COUNT - 1);
    *out = base_value_null();
    switch (branch) {
    case VALUE_BOOLEAN:
        *out = base_value_bool(base_read_bool(reader));
        break;
    case VALUE_LONG:
        *out = base_value_integer(base_read_long(reader));
        break;
    case VALUE_DECIMAL:
        read_decimal(reader, out);
        break;
    case VALUE_BIG_NUMBER:
        read_big_number(reader, out);
        break;
    case VALUE_STRING:
        *out = base_value_string(base_read_string(reader));
        break;
    case VALUE_BYTES:
        *out = base_value_bytes(base_read_bytes(reader));
        break;
    case VALUE_NULL:
    case VALUE_ARRAY:
    case VALUE_MAP:
    case VALUE_BRANCH_COUNT:
        break;
    }
    return branch;
}

static void frame_begin(read_frame *frame, value_branch branch, base_arena *arena)
{
    frame->is_map = branch == VALUE_MAP;
    frame->left = 0;
    if (frame->is_map) {
        base_map_begin(&frame->map, arena);
    } else {
        base_list_begin(&frame->list, arena);
    }
}

/* Steps to the frame's next item, with its key read; false at the end or after a failure. */
static bool frame_next(read_frame *frame, base_reader *reader)
{
    if (!base_read_array_next(reader, &frame->left)) {
        return false;
    }
    if (frame->is_map) {
        frame->key = base_read_string(reader);
    }
    return reader->failure == BASE_OK;
}

static void frame_add(read_frame *frame, base_reader *reader, const base_value *value)
{
    base_status status;
    if (frame->is_map) {
        const size_t count = frame->map.count;
        status = base_map_put(&frame->map, frame->key, value);
        if (!base_failed(status) && frame->map.count == count) {
            status = base_status_of(BASE_CORRUPT); /* the key was there already */
        }
    } else {
        status = base_list_push(&frame->list, value);
    }
    if (base_failed(status)) {
        fail_with(reader, status.code);
    }
}

static base_value frame_end(read_frame *frame)
{
    return frame->is_map ? base_map_end(&frame->map) : base_list_end(&frame->list);
}

void base_read_value(base_reader *reader, base_arena *arena, base_value *value_out)
{
    read_frame frames[BASE_VALUE_DEPTH_MAX];
    size_t depth = 0;
    *value_out = base_value_null();
    while (reader->failure == BASE_OK) {
        base_value value;
        const value_branch branch = read_shallow(reader, &value);
        if (branch == VALUE_ARRAY || branch == VALUE_MAP) {
            if (depth == BASE_VALUE_DEPTH_MAX) {
                fail_with(reader, BASE_TOO_LARGE);
                return;
            }
            frame_begin(&frames[depth++], branch, arena);
        } else if (depth > 0) {
            frame_add(&frames[depth - 1], reader, &value);
        }
        /* Lists and maps that are complete are items of what they stand in. */
        while (depth > 0 && !frame_next(&frames[depth - 1], reader)) {
            if (reader->failure != BASE_OK) {
                return;
            }
            value = frame_end(&frames[--depth]);
            if (depth > 0) {
                frame_add(&frames[depth - 1], reader, &value);
            }
        }
        if (depth == 0) {
            if (reader->failure == BASE_OK) {
                *value_out = value;
            }
            return;
        }
    }
}
