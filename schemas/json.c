/*
 * A JSON reader of our own. jansson is at hand, but it turns every number with a fraction or
 * exponent into a double and refuses integers past 64 bits, and it keeps no text to do better from;
 * money may not pass through that. So jansson is the oracle in the tests (what one accepts the
 * other must, with the same tree), and this reads what travels.
 *
 * One pass, no recursion: a stack of open lists and maps, each a builder.
 *
 *   [ {"a": 1}, 2 ]      stack: list | map(key "a")      values go to the builder on top, `finish`
 * pops it into the next
 */
#include "schemas/json.h"

#define UTF8_BOM "\xEF\xBB\xBF"

typedef struct json_frame {
    bool is_map;
    base_place place;
    base_place key_place;
    const char *key_at;
    base_slice key;
    base_list_builder list;
    base_map_builder map;
} json_frame;

typedef struct json_reader {
    const char *start;
    const char *at;
    const char *end;
    /* Line and column of `marked`, which only moves forward: so places cost one pass over the text
     * together. */
    const char *marked;
    size_t line;
    size_t column;
    bool places;
    base_slice path;
    base_arena *arena;
    base_error *error;
    int32_t depth;
    int32_t depth_max;
    json_frame frames[BASE_VALUE_DEPTH_MAX];
} json_reader;

static void mark(json_reader *reader, const char *at)
{
    for (; reader->marked < at; reader->marked++) {
        if (*reader->marked == '\n') {
            reader->line++;
            reader->column = 1;
        } else if (((unsigned char)*reader->marked & 0xC0) != 0x80) {
            reader->column++; /* columns count characters, not bytes */
        }
    }
}

static base_place place_at(json_reader *reader, const char *at)
{
    if (!reader->places) {
        return 0;
    }
    mark(reader, at);
    return base_place_make(reader->line, reader->column);
}

/* Puts path, line and column on the error that was just set. */
static base_status placed(json_reader *reader, const char *at, base_status status)
{
    if (at < reader->marked) {
        reader->marked = reader->start;
        reader->line = 1;
        reader->column = 1;
    }
    mark(reader, at);
    base_error_path(reader->error, reader->path);
    base_error_place(reader->error, (uint32_t)reader->line, (uint32_t)reader->column);
    return status;
}

static base_status fail(json_reader *reader, const char *at, const char *message)
{
    return placed(reader, at, base_error_set(reader->error, BASE_BAD_INPUT, "%s", message));
}

static base_status no_memory(json_reader *reader)
{
    return base_error_set(reader->error, BASE_OUT_OF_MEMORY, "no memory for a JSON text");
}

/* What stands at a place where something else was expected, for a message. */
static base_status unexpected(json_reader *reader, const char *expected)
{
    base_status status;
    if (reader->at == reader->end) {
        status = base_error_set(reader->error, BASE_BAD_INPUT,
                                "expected %s, found the end of the text", expected);
    } else if ((unsigned char)*reader->at >= 0x20 && (unsigned char)*reader->at < 0x7F) {
        status = base_error_set(reader->error, BASE_BAD_INPUT, "expected %s, found '%c'", expected,
                                *reader->at);
    } else {
        status = base_error_set(reader->error, BASE_BAD_INPUT, "expected %s, found byte 0x%02X",
                                expected, (unsigned)(unsigned char)*reader->at);
    }
    return placed(reader, reader->at, status);
}

static void skip_space(json_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\r' || *reader->at == '\t')) {
        reader->at++;
    }
}

/* ---- strings ---- */

static int32_t hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Four hex digits at `at`; -1 when they are not. */
static int32_t hex_unit(const char *at, const char *end)
{
    int32_t unit = 0;
    if (end - at < 4) {
        return -1;
    }
    for (size_t i = 0; i < 4; i++) {
        const int32_t digit = hex_digit(at[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit << 4 | digit;
    }
    return unit;
}

static size_t utf8_put(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xC0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xE0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3F));
        to[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3F));
    to[2] = (char)(0x80 | (code >> 6 & 0x3F));
    to[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* The escape whose backslash stands at *at_inout; writes its characters and moves on. NULL, or what
 * is wrong. */
static const char *escape_read(const char **at_inout, const char *end, char *to, size_t *size_out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    const char *at = *at_inout + 1;
    if (at == end) {
        return "the string does not end";
    }
    const char *name = *at == '\0' ? NULL : strchr(names, *at);
    if (name != NULL) {
        *to = meant[name - names];
        *size_out = 1;
        *at_inout = at + 1;
        return NULL;
    }
    int32_t unit = *at == 'u' ? hex_unit(at + 1, end) : -1;
    if (unit < 0) {
        return "no such escape in a string";
    }
    at += 5;
    uint32_t code = (uint32_t)unit;
    if (unit >= 0xD800 && unit <= 0xDFFF) {
        unit = unit < 0xDC00 && end - at >= 2 && at[0] == '\\' && at[1] == 'u'
                   ? hex_unit(at + 2, end)
                   : -1;
        if (unit < 0xDC00 || unit > 0xDFFF) {
            return "half a surrogate pair in a string";
        }
        code = 0x10000 + ((code - 0xD800) << 10) + ((uint32_t)unit - 0xDC00);
        at += 6;
    }
    *size_out = utf8_put(to, code);
    *at_inout = at;
    return NULL;
}

static base_status unescape(json_reader *reader, base_slice raw, base_slice *text_out)
{
    char *text = base_arena_alloc(reader->arena, raw.size);
    if (text == NULL) {
        return no_memory(reader);
    }
    size_t size = 0;
    const char *end = raw.data + raw.size;
    for (const char *at = raw.data; at < end;) {
        if (*at != '\\') {
            text[size++] = *at++;
            continue;
        }
        size_t added = 0; /* never more than the escape is long */
        const char *wrong = escape_read(&at, end, text + size, &added);
        if (wrong != NULL) {
            return fail(reader, at, wrong);
        }
        size += added;
    }
    *text_out = base_slice_make(text, size);
    return base_ok();
}

/* A string; reader->at stands on its opening quote. */
static base_status read_string(json_reader *reader, base_slice *text_out)
{
    const char *start = reader->at;
    bool escaped = false;
    const char *at = start + 1;
    while (at < reader->end && *at != '"') {
        if ((unsigned char)*at < 0x20) {
            base_status status = fail(reader, at, "a control character in a string");
            base_error_hint(reader->error, "write it as an escape: \\u%04x",
                            (unsigned)(unsigned char)*at);
            return status;
        }
        if (*at == '\\') {
            escaped = true;
            at++;
            if (at == reader->end) {
                break;
            }
        }
        at++;
    }
    if (at >= reader->end) {
        return fail(reader, start, "the string does not end");
    }
    const base_slice raw = base_slice_make(start + 1, (size_t)(at - start - 1));
    if (!base_utf8_valid(raw)) {
        return fail(reader, start, "the string is not UTF-8");
    }
    reader->at = at + 1;
    if (!escaped) {
        *text_out = raw;
        return base_ok();
    }
    return unescape(reader, raw, text_out);
}

/* ---- scalars ---- */

static base_status read_number(json_reader *reader, base_value *value_out)
{
    const char *start = reader->at;
    const char *at = start;
    while (at < reader->end && *at != '\0' && strchr("+-.0123456789eE", *at) != NULL) {
        at++;
    }
    const base_slice text = base_slice_make(start, (size_t)(at - start));
    if (base_failed(base_number_parse(text, value_out))) {
        const int shown = text.size > 40 ? 40 : (int)text.size;
        return placed(reader, start,
                      base_error_set(reader->error, BASE_BAD_INPUT, "\"%.*s\" is no JSON number",
                                     shown, text.data));
    }
    reader->at = at;
    return base_ok();
}

static bool read_word(json_reader *reader, const char *word)
{
    const base_slice expected = base_slice_of(word);
    const base_slice rest = base_slice_make(reader->at, (size_t)(reader->end - reader->at));
    if (!base_slice_starts_with(rest, expected)) {
        return false;
    }
    reader->at += expected.size;
    return true;
}

static base_status read_scalar(json_reader *reader, base_value *value_out)
{
    const char first = reader->at < reader->end ? *reader->at : '\0';
    if (first == '"') {
        base_slice text;
        BASE_TRY(read_string(reader, &text));
        *value_out = base_value_string(text);
        return base_ok();
    }
    if (first == '-' || (first >= '0' && first <= '9')) {
        return read_number(reader, value_out);
    }
    if (read_word(reader, "true")) {
        *value_out = base_value_bool(true);
    } else if (read_word(reader, "false")) {
        *value_out = base_value_bool(false);
    } else if (read_word(reader, "null")) {
        *value_out = base_value_null();
    } else {
        return unexpected(reader, "a value");
    }
    return base_ok();
}

/* ---- lists and maps ---- */

static base_status open_frame(json_reader *reader, bool is_map)
{
    if (reader->depth == reader->depth_max) {
        return placed(reader, reader->at,
                      base_error_set(reader->error, BASE_TOO_LARGE,
                                     "nested deeper than %d lists and objects",
                                     (int)reader->depth_max));
    }
    json_frame *frame = &reader->frames[reader->depth++];
    frame->is_map = is_map;
    frame->place = place_at(reader, reader->at);
    if (is_map) {
        base_map_begin(&frame->map, reader->arena);
    } else {
        base_list_begin(&frame->list, reader->arena);
    }
    reader->at++;
    return base_ok();
}

/* The key and colon of the next member. */
static base_status read_key(json_reader *reader, json_frame *frame)
{
    if (reader->at == reader->end || *reader->at != '"') {
        return unexpected(reader, "a key in quotes");
    }
    frame->key_at = reader->at;
    frame->key_place = place_at(reader, reader->at);
    BASE_TRY(read_string(reader, &frame->key));
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != ':') {
        return unexpected(reader, "':'");
    }
    reader->at++;
    skip_space(reader);
    return base_ok();
}

static base_status add(json_reader *reader, const base_value *value)
{
    json_frame *frame = &reader->frames[reader->depth - 1];
    if (!frame->is_map) {
        return base_failed(base_list_push(&frame->list, value)) ? no_memory(reader) : base_ok();
    }
    const size_t count = frame->map.count;
    if (base_failed(base_map_put(&frame->map, frame->key, value))) {
        return no_memory(reader);
    }
    if (frame->map.count == count) {
        const int shown = frame->key.size > 80 ? 80 : (int)frame->key.size;
        return placed(reader, frame->key_at,
                      base_error_set(reader->error, BASE_BAD_INPUT, "the key \"%.*s\" stands twice",
                                     shown, frame->key.data));
    }
    frame->map.members[count].key_place = frame->key_place;
    return base_ok();
}

static base_value close_frame(json_reader *reader)
{
    json_frame *frame = &reader->frames[--reader->depth];
    base_value value = frame->is_map ? base_map_end(&frame->map) : base_list_end(&frame->list);
    value.place = frame->place;
    reader->at++;
    return value;
}

/* Reads on to where the next value begins, closing what ends before. *done_out: the outermost value
 * is complete. */
static base_status next_value(json_reader *reader, base_value *value, bool *done_out)
{
    for (;;) {
        skip_space(reader);
        if (reader->depth == 0) {
            *done_out = true;
            return reader->at == reader->end ? base_ok()
                                             : unexpected(reader, "the end of the text");
        }
        json_frame *frame = &reader->frames[reader->depth - 1];
        const char found = reader->at < reader->end ? *reader->at : '\0';
        if (found == ',') {
            reader->at++;
            skip_space(reader);
            return frame->is_map ? read_key(reader, frame) : base_ok();
        }
        if (found != (frame->is_map ? '}' : ']')) {
            return unexpected(reader, frame->is_map ? "',' or '}'" : "',' or ']'");
        }
        *value = close_frame(reader);
        if (reader->depth > 0) {
            BASE_TRY(add(reader, value));
        }
    }
}

/* Opens the list or map that begins here. *empty_out: it is closed again at once and is a value. */
static base_status open_value(json_reader *reader, base_value *value_out, bool *empty_out)
{
    const bool is_map = *reader->at == '{';
    BASE_TRY(open_frame(reader, is_map));
    skip_space(reader);
    *empty_out = reader->at < reader->end && *reader->at == (is_map ? '}' : ']');
    if (*empty_out) {
        *value_out = close_frame(reader);
        return base_ok();
    }
    return is_map ? read_key(reader, &reader->frames[reader->depth - 1]) : base_ok();
}

static base_status read_text(json_reader *reader, base_value *value_out)
{
    bool done = false;
    while (!done) {
        const char first = reader->at < reader->end ? *reader->at : '\0';
        if (first == '{' || first == '[') {
            bool empty = false;
            BASE_TRY(open_value(reader, value_out, &empty));
            if (!empty) {
                continue;
            }
        } else {
            const base_place place = place_at(reader, reader->at);
            BASE_TRY(read_scalar(reader, value_out));
            value_out->place = place;
        }
        if (reader->depth > 0) {
            BASE_TRY(add(reader, value_out));
        }
        BASE_TRY(next_value(reader, value_out, &done));
    }
    return base_ok();
}

base_status schema_json_read(base_slice text, const schema_json_options *options, base_arena *arena,
                             base_value *value_out, base_error *error)
{
    const schema_json_options given = options == NULL ? (schema_json_options){0} : *options;
    const size_t size_max = given.size_max == 0 ? SCHEMA_JSON_SIZE_MAX : given.size_max;
    if (text.size > size_max) {
        const base_status status =
            base_error_set(error, BASE_TOO_LARGE, "a JSON text of %zu bytes; the limit is %zu",
                           text.size, size_max);
        base_error_path(error, given.path);
        return status;
    }
    const base_slice bom = BASE_SLICE_LITERAL(UTF8_BOM);
    json_reader reader; /* some 17 KB; the frames are not initialised, that would cost more than a
                           small text does */
    reader.start = text.data == NULL ? "" : text.data;
    reader.end = reader.start + text.size;
    reader.start += base_slice_starts_with(text, bom) ? bom.size : 0;
    reader.at = reader.start;
    reader.marked = reader.start;
    reader.line = 1;
    reader.column = 1;
    reader.places = given.places;
    reader.path = given.path;
    reader.arena = arena;
    reader.error = error;
    reader.depth = 0;
    reader.depth_max = given.depth_max <= 0 || given.depth_max > BASE_VALUE_DEPTH_MAX
                           ? BASE_VALUE_DEPTH_MAX
                           : given.depth_max;
    skip_space(&reader);
    base_value value = base_value_null();
    BASE_TRY(read_text(&reader, &value));
    *value_out = value;
    return base_ok();
}
