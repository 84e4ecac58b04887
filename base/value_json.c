/* Canonical JSON of a value: see base/value.h. */
#include "base/codec.h"
#include "base/map.h"
#include "base/number.h"
#include "base/value.h"

static void write_text(base_writer *writer, const char *text)
{
    base_write_raw(writer, base_slice_of(text));
}

/* RFC 8785, 3.2.2.2: the two-character escapes where there are some, \u00xx for other control
 * characters, and all else as it is. */
static void write_escaped(base_writer *writer, unsigned char character)
{
    static const char hex[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', hex[character >> 4], hex[character & 15]};
    size_t size = 2;
    switch (character) {
    case '"':
    case '\\':
        escape[1] = (char)character;
        break;
    case '\b':
        escape[1] = 'b';
        break;
    case '\t':
        escape[1] = 't';
        break;
    case '\n':
        escape[1] = 'n';
        break;
    case '\f':
        escape[1] = 'f';
        break;
    case '\r':
        escape[1] = 'r';
        break;
    default:
        size = sizeof(escape);
        break;
    }
    base_write_raw(writer, base_slice_make(escape, size));
}

static void write_string(base_writer *writer, base_slice text)
{
    write_text(writer, "\"");
    size_t start = 0;
    for (size_t at = 0; at < text.size; at++) {
        const unsigned char character = (unsigned char)text.data[at];
        if (character >= 0x20 && character != '"' && character != '\\') {
            continue;
        }
        base_write_raw(writer, base_slice_make(text.data + start, at - start));
        write_escaped(writer, character);
        start = at + 1;
    }
    if (start < text.size) {
        base_write_raw(writer, base_slice_make(text.data + start, text.size - start));
    }
    write_text(writer, "\"");
}

/* RFC 4648, 4, with padding. */
static void write_base64(base_writer *writer, base_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < bytes.size; at += 3) {
        const size_t left = bytes.size - at;
        uint32_t group = (uint32_t)(unsigned char)bytes.data[at] << 16;
        group |= left > 1 ? (uint32_t)(unsigned char)bytes.data[at + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)(unsigned char)bytes.data[at + 2] : 0;
        const char quad[4] = {digits[group >> 18], digits[group >> 12 & 63],
                              left > 1 ? digits[group >> 6 & 63] : '=',
                              left > 2 ? digits[group & 63] : '='};
        base_write_raw(writer, base_slice_make(quad, sizeof(quad)));
    }
}

/* Writes a value, of a list or map only the opening bracket. */
static void write_shallow(base_writer *writer, const base_value *value)
{
    char buffer[BASE_NUMBER_PRINT_SIZE];
    switch ((base_kind)value->kind) {
    case BASE_NULL:
        write_text(writer, "null");
        break;
    case BASE_BOOL:
        write_text(writer, value->truth ? "true" : "false");
        break;
    case BASE_INTEGER:
    case BASE_DECIMAL:
        base_write_raw(writer, base_slice_make(buffer, base_number_print(value, buffer)));
        break;
    case BASE_NUMBER_TEXT:
        base_write_raw(writer, base_value_slice(value));
        break;
    case BASE_STRING:
        write_string(writer, base_value_slice(value));
        break;
    case BASE_BYTES:
        write_text(writer, "{\"$bytes\":\"");
        write_base64(writer, base_value_slice(value));
        write_text(writer, "\"}");
        break;
    case BASE_LIST:
        write_text(writer, "[");
        break;
    case BASE_MAP:
        write_text(writer, "{");
        break;
    }
}

/* A list or map of which the first `next` items are written. */
typedef struct json_frame {
    const base_value *value;
    size_t next;
    base_map_cursor cursor; /* of maps, when sorted */
} json_frame;

/* Writes what stands before the frame's next item and gives the item. */
static const base_value *write_next(base_writer *writer, json_frame *frame, bool sorted)
{
    const size_t index = frame->next++;
    if (index > 0) {
        write_text(writer, ",");
    }
    if (frame->value->kind == BASE_LIST) {
        return &frame->value->items[index];
    }
    const base_member *member =
        sorted ? base_map_cursor_at(&frame->cursor, index) : &frame->value->members[index];
    write_string(writer, member->key);
    write_text(writer, ":");
    return &member->value;
}

base_status base_value_json(const base_value *value, bool sorted, base_arena *arena,
                            base_slice *json_out)
{
    json_frame frames[BASE_VALUE_DEPTH_MAX];
    size_t depth = 0;
    base_writer writer;
    base_writer_begin(&writer, arena);
    for (;;) {
        write_shallow(&writer, value);
        if (value->kind == BASE_LIST || value->kind == BASE_MAP) {
            if (depth == BASE_VALUE_DEPTH_MAX) {
                return base_status_of(BASE_TOO_LARGE);
            }
            json_frame *frame = &frames[depth++];
            frame->value = value;
            frame->next = 0;
            if (sorted && value->kind == BASE_MAP) {
                base_map_cursor_begin(&frame->cursor, value);
            }
        }
        while (depth > 0 && frames[depth - 1].next == frames[depth - 1].value->size) {
            depth--;
            write_text(&writer, frames[depth].value->kind == BASE_MAP ? "}" : "]");
        }
        if (depth == 0 || writer.failure != BASE_OK) {
            return base_writer_end(&writer, json_out);
        }
        value = write_next(&writer, &frames[depth - 1], sorted);
    }
}
