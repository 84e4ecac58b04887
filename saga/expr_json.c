/* JSON as text inside of expressions: tojson, tostring, messages; fromjson. Every value is a step,
 * and the stacks are in the arena, so what an expression built may be as deep and as shared as it
 * likes. */
#include "saga/expr_code.h"

#define STACK_FIRST 16

/* ---- writing ---- */
static base_status put_string(saga_text *text, base_slice string)
{
    static const char HEX[] = "0123456789abcdef";
    BASE_TRY(saga_machine_spend(text->machine, string.size / 64));
    BASE_TRY(saga_text_put_char(text, '"'));
    size_t start = 0;
    for (size_t i = 0; i < string.size; i++) {
        const char c = string.data[i];
        if ((uint8_t)c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            continue;
        }
        BASE_TRY(saga_text_put(text, base_slice_make(string.data + start, i - start)));
        start = i + 1;
        static const char FROM[] = "\"\\\b\f\n\r\t";
        static const char TO[] = "\"\\bfnrt";
        const char *hit = c == '\0' ? NULL : strchr(FROM, c);
        const char brief[2] = {'\\', hit != NULL ? TO[hit - FROM] : '\0'};
        const char full[6] = {'\\', 'u', '0', '0', HEX[(uint8_t)c >> 4], HEX[(uint8_t)c & 15]};
        BASE_TRY(saga_text_put(text,
                               hit != NULL ? base_slice_make(brief, 2) : base_slice_make(full, 6)));
    }
    BASE_TRY(saga_text_put(text, base_slice_make(string.data + start, string.size - start)));
    return saga_text_put_char(text, '"');
}

static base_status put_number(saga_text *text, const base_value *number)
{
    base_slice digits;
    BASE_TRY(base_number_text(number, text->machine->arena, &digits));
    BASE_TRY(saga_machine_check_memory(text->machine));
    return saga_text_put(text, digits);
}

static base_status put_scalar(saga_text *text, const base_value *value)
{
    switch ((base_kind)value->kind) {
    case BASE_NULL:
        return saga_text_put(text, base_slice_of("null"));
    case BASE_BOOL:
        return saga_text_put(text, base_slice_of(value->truth ? "true" : "false"));
    case BASE_INTEGER:
    case BASE_DECIMAL:
    case BASE_NUMBER_TEXT:
        return put_number(text, value);
    case BASE_STRING:
        return put_string(text, base_value_slice(value));
    case BASE_BYTES:
        BASE_TRY(saga_text_put(text, base_slice_of("{\"$bytes\":\"")));
        BASE_TRY(saga_base64_write(text, base_value_slice(value)));
        return saga_text_put(text, base_slice_of("\"}"));
    case BASE_LIST:
        return saga_text_put(text, base_slice_of(value->size == 0 ? "[]" : "["));
    case BASE_MAP:
    default:
        return saga_text_put(text, base_slice_of(value->size == 0 ? "{}" : "{"));
    }
}

typedef struct write_frame {
    const base_value *value;
    size_t index;
} write_frame;

static base_status push_write(saga_machine *machine, write_frame **frames, size_t *count,
                              size_t *capacity, const base_value *value)
{
    if (*count == *capacity) {
        const size_t wanted = *capacity == 0 ? STACK_FIRST : 2 * *capacity;
        void *block = NULL;
        BASE_TRY(saga_machine_array(machine, wanted, sizeof(write_frame), &block));
        if (*count > 0) {
            memcpy(block, *frames, *count * sizeof(write_frame));
        }
        *frames = block;
        *capacity = wanted;
    }
    (*frames)[(*count)++] = (write_frame){.value = value};
    return base_ok();
}

base_status saga_json_write(saga_text *text, const base_value *value, size_t size_max)
{
    write_frame *frames = NULL;
    size_t count = 0;
    size_t capacity = 0;
    const base_value *next = value;
    while (text->size < size_max) {
        BASE_TRY(saga_machine_spend(text->machine, 1));
        BASE_TRY(put_scalar(text, next));
        if ((next->kind == BASE_LIST || next->kind == BASE_MAP) && next->size > 0) {
            BASE_TRY(push_write(text->machine, &frames, &count, &capacity, next));
        }
        while (count > 0 && frames[count - 1].index == frames[count - 1].value->size) {
            BASE_TRY(
                saga_text_put_char(text, frames[count - 1].value->kind == BASE_LIST ? ']' : '}'));
            count--;
        }
        if (count == 0) {
            return base_ok();
        }
        write_frame *top = &frames[count - 1];
        if (top->index > 0) {
            BASE_TRY(saga_text_put_char(text, ','));
        }
        if (top->value->kind == BASE_LIST) {
            next = &top->value->items[top->index];
        } else {
            BASE_TRY(put_string(text, top->value->members[top->index].key));
            BASE_TRY(saga_text_put_char(text, ':'));
            next = &top->value->members[top->index].value;
        }
        top->index++;
    }
    return base_ok();
}

/* ---- reading ---- */
typedef struct read_frame {
    bool map;
    base_slice key;
    base_list_builder list;
    base_map_builder members;
} read_frame;

typedef struct json_reader {
    saga_machine *machine;
    base_slice json;
    size_t position;
    read_frame *frames;
    size_t count;
    size_t capacity;
} json_reader;

static base_status bad_json(const json_reader *reader, const char *what)
{
    const size_t shown = reader->json.size < 40 ? reader->json.size : 40;
    size_t end = shown;
    while (end > 0 && end < reader->json.size && ((uint8_t)reader->json.data[end] & 0xc0) == 0x80) {
        end--;
    }
    return SAGA_RAISE(reader->machine, "%s at character %zu (while parsing '%.*s%s')", what,
                      reader->position + 1, (int)end, reader->json.data,
                      end < reader->json.size ? "..." : "");
}

static char look(const json_reader *reader)
{
    return reader->position < reader->json.size ? reader->json.data[reader->position] : '\0';
}

static void skip_space(json_reader *reader)
{
    while (look(reader) == ' ' || look(reader) == '\n' || look(reader) == '\t' ||
           look(reader) == '\r') {
        reader->position++;
    }
}

/* An escape, past the backslash, into out; false when it is none. */
static bool read_escape(json_reader *reader, char out[4], size_t *size)
{
    static const char FROM[] = "\"\\/bfnrt";
    static const char TO[] = "\"\\/\b\f\n\r\t";
    const char c = look(reader);
    const char *hit = c == '\0' ? NULL : strchr(FROM, c);
    if (hit != NULL) {
        out[0] = TO[hit - FROM];
        *size = 1;
        reader->position++;
        return true;
    }
    if (c != 'u') {
        return false;
    }
    const char *text = reader->json.data + reader->position + 1;
    const size_t rest = reader->json.size - reader->position - 1;
    const int32_t first = saga_expr_hex4(text, rest);
    if (first < 0) {
        return false;
    }
    uint32_t code_point = (uint32_t)first;
    reader->position += 5;
    if (first >= 0xd800 && first < 0xdc00 && rest >= 10 && text[4] == '\\' && text[5] == 'u') {
        const int32_t second = saga_expr_hex4(text + 6, rest - 6);
        if (second >= 0xdc00 && second <= 0xdfff) {
            code_point = 0x10000 + (((uint32_t)first - 0xd800) << 10) + ((uint32_t)second - 0xdc00);
            reader->position += 6;
        }
    }
    *size = saga_expr_utf8(code_point, out);
    return true;
}

static base_status read_string(json_reader *reader, base_slice *out)
{
    reader->position++;
    saga_text text = {.machine = reader->machine};
    size_t start = reader->position;
    for (;;) {
        const char c = look(reader);
        if (reader->position >= reader->json.size) {
            return bad_json(reader, "Unfinished string");
        }
        if (c == '"') {
            break;
        }
        if (c != '\\') {
            reader->position++;
            continue;
        }
        BASE_TRY(saga_text_put(
            &text, base_slice_make(reader->json.data + start, reader->position - start)));
        reader->position++;
        char escaped[4];
        size_t size;
        if (!read_escape(reader, escaped, &size)) {
            return bad_json(reader, "Invalid escape");
        }
        BASE_TRY(saga_text_put(&text, base_slice_make(escaped, size)));
        start = reader->position;
    }
    const base_slice rest = base_slice_make(reader->json.data + start, reader->position - start);
    reader->position++;
    if (text.size == 0) {
        *out = rest;
        return base_ok();
    }
    BASE_TRY(saga_text_put(&text, rest));
    *out = base_slice_make(text.data, text.size);
    return base_ok();
}

static base_status read_word(json_reader *reader, base_value *out)
{
    const size_t start = reader->position;
    while (look(reader) != '\0' && strchr(" \n\t\r,:[]{}\"", look(reader)) == NULL) {
        reader->position++;
    }
    const base_slice word = base_slice_make(reader->json.data + start, reader->position - start);
    if (base_slice_is(word, "null")) {
        *out = base_value_null();
    } else if (base_slice_is(word, "true") || base_slice_is(word, "false")) {
        *out = base_value_bool(word.size == 4);
    } else if (base_failed(base_number_parse(word, out))) {
        reader->position = start;
        return bad_json(reader, word.size == 0 ? "Expected a value" : "Invalid literal");
    }
    return base_ok();
}

static base_status push_read(json_reader *reader, bool map)
{
    if (reader->count == BASE_VALUE_DEPTH_MAX) {
        return bad_json(reader, "Exceeds depth limit for parsing");
    }
    if (reader->count == reader->capacity) {
        const size_t wanted = reader->capacity == 0 ? STACK_FIRST : 2 * reader->capacity;
        void *block = NULL;
        BASE_TRY(saga_machine_array(reader->machine, wanted, sizeof(read_frame), &block));
        if (reader->count > 0) {
            memcpy(block, reader->frames, reader->count * sizeof(read_frame));
        }
        reader->frames = block;
        reader->capacity = wanted;
    }
    read_frame *frame = &reader->frames[reader->count++];
    *frame = (read_frame){.map = map};
    if (map) {
        base_map_begin(&frame->members, reader->machine->arena);
    } else {
        base_list_begin(&frame->list, reader->machine->arena);
    }
    return base_ok();
}

/* The key and the colon of a member. */
static base_status read_key(json_reader *reader)
{
    skip_space(reader);
    if (look(reader) != '"') {
        return bad_json(reader, "Object keys must be strings");
    }
    base_slice key;
    BASE_TRY(read_string(reader, &key));
    skip_space(reader);
    if (look(reader) != ':') {
        return bad_json(reader, "Objects must consist of key:value pairs");
    }
    reader->position++;
    reader->frames[reader->count - 1].key = key;
    return base_ok();
}

/* Reads one value or opens a list or map; *open tells which. */
static base_status read_value(json_reader *reader, base_value *value, bool *open)
{
    skip_space(reader);
    const char c = look(reader);
    *open = false;
    if (c == '"') {
        base_slice string;
        BASE_TRY(read_string(reader, &string));
        *value = base_value_string(string);
        return base_ok();
    }
    if (c != '[' && c != '{') {
        return read_word(reader, value);
    }
    reader->position++;
    BASE_TRY(push_read(reader, c == '{'));
    skip_space(reader);
    if (look(reader) == (c == '{' ? '}' : ']')) {
        reader->position++;
        reader->count--;
        *value = c == '{' ? base_value_map(NULL, 0) : base_value_list(NULL, 0);
        return base_ok();
    }
    *open = true;
    return c == '{' ? read_key(reader) : base_ok();
}

/* Puts a finished value where it belongs; *value becomes the container when that is finished too.
 */
static base_status read_behind(json_reader *reader, base_value *value, bool *again)
{
    read_frame *top = &reader->frames[reader->count - 1];
    BASE_TRY(top->map ? base_map_put(&top->members, top->key, value)
                      : base_list_push(&top->list, value));
    BASE_TRY(saga_machine_check_memory(reader->machine));
    skip_space(reader);
    const char c = look(reader);
    *again = false;
    if (c == ',') {
        reader->position++;
        return top->map ? read_key(reader) : base_ok();
    }
    if (c != (top->map ? '}' : ']')) {
        return bad_json(reader, "Unfinished JSON term");
    }
    reader->position++;
    *value = top->map ? base_map_end(&top->members) : base_list_end(&top->list);
    reader->count--;
    *again = true;
    return base_ok();
}

base_status saga_json_read(saga_machine *machine, base_slice json, base_value *out)
{
    json_reader reader = {.machine = machine, .json = json};
    base_value value = base_value_null();
    machine->built = true;
    for (;;) {
        BASE_TRY(saga_machine_spend(machine, 1));
        bool open;
        BASE_TRY(read_value(&reader, &value, &open));
        if (open) {
            continue;
        }
        bool again = true;
        while (again && reader.count > 0) {
            BASE_TRY(read_behind(&reader, &value, &again));
        }
        if (reader.count == 0 && again) {
            break;
        }
    }
    skip_space(&reader);
    if (reader.position < json.size) {
        return bad_json(&reader, "Unexpected extra JSON values");
    }
    *out = value;
    return base_ok();
}
