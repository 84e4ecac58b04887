/*
 * libfyaml parses, this builds. Its parser is read event by event, not as its own document: so
 * every place is at hand, anchors are seen before anything is resolved (no alias bombs), and a
 * stack of builders of ours bounds the depth. libfyaml gives the text of scalars and their style;
 * what a plain one means is decided here, by the core schema of YAML 1.2, whatever version the
 * file's %YAML directive claims.
 */
#include "schemas/yaml.h"

#include <libfyaml.h>

typedef struct yaml_frame {
    bool is_map;
    bool has_key; /* map: the next value belongs to `key` */
    base_place place;
    base_place key_place;
    base_slice key;
    base_list_builder list;
    base_map_builder map;
} yaml_frame;

typedef struct yaml_reader {
    struct fy_diag *diag;
    struct fy_parser *parser;
    base_slice path;
    base_arena *arena;
    base_error *error;
    bool has_document;
    base_value document;
    int32_t depth;
    yaml_frame frames[BASE_VALUE_DEPTH_MAX];
} yaml_reader;

static base_status no_memory(yaml_reader *reader)
{
    return base_error_set(reader->error, BASE_OUT_OF_MEMORY, "no memory for a YAML text");
}

static base_status placed(yaml_reader *reader, base_place place, base_status status)
{
    base_error_path(reader->error, reader->path);
    base_error_place(reader->error, base_place_line(place), base_place_column(place));
    return status;
}

static base_status fail(yaml_reader *reader, base_place place, const char *message)
{
    return placed(reader, place, base_error_set(reader->error, BASE_BAD_INPUT, "%s", message));
}

/* ---- scalars ---- */

static bool is_one_of(base_slice text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (base_slice_is(text, words[i])) {
            return true;
        }
    }
    return false;
}

static bool is_null(base_slice text)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    return is_one_of(text, words, sizeof(words) / sizeof(words[0]));
}

static bool is_bool(base_slice text, bool *truth_out)
{
    static const char *const yes[] = {"true", "True", "TRUE"};
    static const char *const no[] = {"false", "False", "FALSE"};
    *truth_out = is_one_of(text, yes, 3);
    return *truth_out || is_one_of(text, no, 3);
}

static bool is_not_finite(base_slice text)
{
    static const char *const nan[] = {".nan", ".NaN", ".NAN"};
    static const char *const infinity[] = {".inf", ".Inf", ".INF"};
    if (is_one_of(text, nan, 3)) {
        return true;
    }
    const bool sign = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    return is_one_of(base_slice_make(text.data + sign, text.size - sign), infinity, 3);
}

static int32_t digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

/* 0o17 and 0xF. *fits_out false: a number past 63 bits. */
static bool is_based_integer(base_slice text, int64_t *integer_out, bool *fits_out)
{
    if (text.size < 3 || text.data[0] != '0' || (text.data[1] != 'o' && text.data[1] != 'x')) {
        return false;
    }
    const int32_t base = text.data[1] == 'o' ? 8 : 16;
    int64_t integer = 0;
    *fits_out = true;
    for (size_t i = 2; i < text.size; i++) {
        const int32_t digit = digit_value(text.data[i]);
        if (digit >= base) {
            return false;
        }
        if (integer > (INT64_MAX - digit) / base) {
            *fits_out = false;
        } else {
            integer = integer * base + digit;
        }
    }
    *integer_out = integer;
    return true;
}

static size_t digits_at(base_slice text, size_t at)
{
    size_t count = 0;
    while (at + count < text.size && text.data[at + count] >= '0' && text.data[at + count] <= '9') {
        count++;
    }
    return count;
}

/* [-+]? ( [0-9]+ ( \. [0-9]* )? | \. [0-9]+ ) ( [eE] [-+]? [0-9]+ )?  without leading zeros; as
 * JSON text. */
static bool is_decimal(base_slice text, base_arena *arena, base_slice *json_out, bool *memory_out)
{
    size_t at = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    const bool minus = at == 1 && text.data[0] == '-';
    const size_t whole_at = at;
    const size_t whole = digits_at(text, at);
    at += whole;
    size_t fraction = 0;
    const size_t point_at = at;
    if (at < text.size && text.data[at] == '.') {
        fraction = digits_at(text, at + 1);
        at += 1 + fraction;
    }
    if (whole + fraction == 0 || (whole > 1 && text.data[whole_at] == '0')) {
        return false;
    }
    const size_t exponent_at = at;
    if (at < text.size && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at += 1;
        at += at < text.size && (text.data[at] == '-' || text.data[at] == '+');
        const size_t digits = digits_at(text, at);
        at += digits;
        if (digits == 0) {
            return false;
        }
    }
    if (at != text.size) {
        return false;
    }
    *json_out =
        base_arena_print(arena, "%s%.*s%s%.*s%.*s", minus ? "-" : "", whole > 0 ? (int)whole : 1,
                         whole > 0 ? text.data + whole_at : "0", fraction > 0 ? "." : "",
                         (int)fraction, fraction > 0 ? text.data + point_at + 1 : "",
                         (int)(text.size - exponent_at), text.data + exponent_at);
    *memory_out = json_out->data != NULL;
    return true;
}

/* A plain scalar by the core schema. */
static base_status plain_value(yaml_reader *reader, base_slice text, base_place place,
                               base_value *value_out)
{
    bool truth = false;
    bool fits = true;
    bool memory = true;
    int64_t integer = 0;
    base_slice json = {0};
    if (is_null(text)) {
        *value_out = base_value_null();
    } else if (is_bool(text, &truth)) {
        *value_out = base_value_bool(truth);
    } else if (is_based_integer(text, &integer, &fits)) {
        *value_out = base_value_integer(integer);
    } else if (is_decimal(text, reader->arena, &json, &memory)) {
        if (!memory) {
            return no_memory(reader);
        }
        fits = !base_failed(base_number_parse(json, value_out));
    } else if (is_not_finite(text)) {
        return fail(reader, place, "infinity and NaN are no numbers here");
    } else {
        *value_out = base_value_string(text);
    }
    return fits ? base_ok() : fail(reader, place, "the number is too large");
}

/* ---- the tree ---- */

static base_status add(yaml_reader *reader, const base_value *value)
{
    if (reader->depth == 0) {
        reader->document = *value;
        return base_ok();
    }
    yaml_frame *frame = &reader->frames[reader->depth - 1];
    if (!frame->is_map) {
        return base_failed(base_list_push(&frame->list, value)) ? no_memory(reader) : base_ok();
    }
    frame->has_key = false;
    const size_t count = frame->map.count;
    if (base_failed(base_map_put(&frame->map, frame->key, value))) {
        return no_memory(reader);
    }
    if (frame->map.count == count) {
        const int shown = frame->key.size > 80 ? 80 : (int)frame->key.size;
        return placed(reader, frame->key_place,
                      base_error_set(reader->error, BASE_BAD_INPUT, "the key \"%.*s\" stands twice",
                                     shown, frame->key.data));
    }
    frame->map.members[count].key_place = frame->key_place;
    return base_ok();
}

static bool wants_key(const yaml_reader *reader)
{
    return reader->depth > 0 && reader->frames[reader->depth - 1].is_map &&
           !reader->frames[reader->depth - 1].has_key;
}

static base_status open_frame(yaml_reader *reader, bool is_map, base_place place)
{
    if (wants_key(reader)) {
        return fail(reader, place, "a key must be a text, not a list or a mapping");
    }
    if (reader->depth == BASE_VALUE_DEPTH_MAX) {
        return placed(reader, place,
                      base_error_set(reader->error, BASE_TOO_LARGE,
                                     "nested deeper than %d lists and mappings",
                                     BASE_VALUE_DEPTH_MAX));
    }
    yaml_frame *frame = &reader->frames[reader->depth++];
    frame->is_map = is_map;
    frame->has_key = false;
    frame->place = place;
    if (is_map) {
        base_map_begin(&frame->map, reader->arena);
    } else {
        base_list_begin(&frame->list, reader->arena);
    }
    return base_ok();
}

static base_status close_frame(yaml_reader *reader)
{
    yaml_frame *frame = &reader->frames[--reader->depth];
    base_value value = frame->is_map ? base_map_end(&frame->map) : base_list_end(&frame->list);
    value.place = frame->place;
    return add(reader, &value);
}

static bool is_quoted(const struct fy_event *event)
{
    const enum fy_scalar_style style =
        event->scalar.value == NULL ? FYSS_PLAIN : fy_token_scalar_style(event->scalar.value);
    return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

static base_place place_of(const yaml_reader *reader, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (mark != NULL) {
        /* libfyaml marks what stands in the quotes; the quote is where the value begins. */
        const bool quoted = event->type == FYET_SCALAR && is_quoted(event) && mark->column > 0;
        return base_place_make((size_t)mark->line + 1, (size_t)mark->column + (quoted ? 0 : 1));
    }
    /* A value that is not there: the place of its key, or of the list. */
    if (reader->depth == 0) {
        return base_place_make(1, 1);
    }
    const yaml_frame *frame = &reader->frames[reader->depth - 1];
    return frame->has_key ? frame->key_place : frame->place;
}

static base_status key_read(yaml_reader *reader, base_slice text, bool plain, base_place place,
                            struct fy_event *event)
{
    const struct fy_mark *start = fy_event_start_mark(event);
    const struct fy_mark *end = fy_event_end_mark(event);
    if (start == NULL || (plain && text.size == 0)) {
        return fail(reader, place, "a key is missing before ':'");
    }
    if (end != NULL && end->line != start->line) {
        return fail(reader, place, "a key must stand on one line");
    }
    if (plain && base_slice_is(text, "<<")) {
        return fail(reader, place, "merge keys (<<) are not supported");
    }
    yaml_frame *frame = &reader->frames[reader->depth - 1];
    frame->key = text;
    frame->key_place = place;
    frame->has_key = true;
    return base_ok();
}

static base_status scalar_read(yaml_reader *reader, struct fy_event *event)
{
    const base_place place = place_of(reader, event);
    const enum fy_scalar_style style =
        event->scalar.value == NULL ? FYSS_PLAIN : fy_token_scalar_style(event->scalar.value);
    size_t size = 0;
    const char *data =
        event->scalar.value == NULL ? "" : fy_token_get_text(event->scalar.value, &size);
    if (data == NULL) {
        return no_memory(reader);
    }
    const base_slice text = base_arena_copy(reader->arena, base_slice_make(data, size));
    if (text.data == NULL) {
        return no_memory(reader);
    }
    if (!base_utf8_valid(text)) {
        return fail(reader, place, "a text with an escape that is no Unicode character");
    }
    if (wants_key(reader)) {
        return key_read(reader, text, style == FYSS_PLAIN, place, event);
    }
    base_value value = base_value_string(text);
    if (style == FYSS_PLAIN) {
        BASE_TRY(plain_value(reader, text, place, &value));
    }
    value.place = place;
    return add(reader, &value);
}

/* Refuses an anchor, alias or tag. libfyaml marks what follows the sign; the sign is what a reader
 * looks for. */
static base_status refuse_sign(yaml_reader *reader, struct fy_token *token, bool before,
                               const char *message)
{
    const struct fy_mark *mark = fy_token_start_mark(token);
    if (mark == NULL) {
        return fail(reader, 0, message);
    }
    const size_t column = (size_t)mark->column + 1;
    return fail(reader,
                base_place_make((size_t)mark->line + 1, column - (before && column > 1 ? 1 : 0)),
                message);
}

static base_status refuse_decorations(yaml_reader *reader, struct fy_event *event)
{
    struct fy_token *anchor = fy_event_get_anchor_token(event);
    struct fy_token *tag = fy_event_get_tag_token(event);
    if (anchor != NULL) {
        return refuse_sign(reader, anchor, true, "anchors (&name) are not supported");
    }
    if (tag != NULL) {
        return refuse_sign(reader, tag, false, "tags (!name) are not supported");
    }
    return base_ok();
}

static base_status document_begins(yaml_reader *reader, struct fy_event *event)
{
    if (reader->has_document) {
        return fail(reader, place_of(reader, event), "a second document (---) in one file");
    }
    reader->has_document = true;
    return base_ok();
}

static base_status event_read(yaml_reader *reader, struct fy_event *event)
{
    switch (event->type) {
    case FYET_SCALAR:
        BASE_TRY(refuse_decorations(reader, event));
        return scalar_read(reader, event);
    case FYET_MAPPING_START:
    case FYET_SEQUENCE_START:
        BASE_TRY(refuse_decorations(reader, event));
        return open_frame(reader, event->type == FYET_MAPPING_START, place_of(reader, event));
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return close_frame(reader);
    case FYET_ALIAS:
        return refuse_sign(reader, event->alias.anchor, true, "aliases (*name) are not supported");
    case FYET_DOCUMENT_START:
        return document_begins(reader, event);
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
        return base_ok();
    }
    return base_ok();
}

/* libfyaml's first error as ours. */
static base_status parser_error(yaml_reader *reader)
{
    void *iterator = NULL;
    const struct fy_diag_error *first = fy_diag_errors_iterate(reader->diag, &iterator);
    if (first == NULL) {
        return fail(reader, 0, "no YAML");
    }
    const size_t line = first->line < 0 ? 0 : (size_t)first->line;
    const size_t column = first->column < 0 ? 0 : (size_t)first->column;
    return fail(reader, base_place_make(line, column), first->msg);
}

static base_status events_read(yaml_reader *reader)
{
    for (;;) {
        struct fy_event *event = fy_parser_parse(reader->parser);
        if (event == NULL) {
            return fy_parser_get_stream_error(reader->parser) ? parser_error(reader) : base_ok();
        }
        const base_status status = event_read(reader, event);
        fy_parser_event_free(reader->parser, event);
        if (base_failed(status)) {
            return status;
        }
    }
}

/* libfyaml 0.7.12 damages its own lists, or hangs, on some texts that have both tabs and explicit
 * keys ("? a"). Nobody needs the two together, so they never reach it. A question mark inside a
 * block text that stands where a key could is taken for one; that costs such a text its tabs. */
static bool has_tab_and_explicit_key(base_slice text)
{
    bool tab = false;
    bool key = false;
    char before = '\n'; /* the last character that is no blank */
    for (size_t i = 0; i < text.size; i++) {
        const char letter = text.data[i];
        const char next = i + 1 < text.size ? text.data[i + 1] : '\n';
        tab = tab || letter == '\t';
        key = key || (letter == '?' && strchr("\n\r-?:,[{", before) != NULL &&
                      strchr(" \t\r\n", next) != NULL);
        before = letter == ' ' || letter == '\t' ? before : letter;
    }
    return tab && key;
}

/* What must not even reach the parser: size, encoding, control characters. */
static base_status text_check(yaml_reader *reader, base_slice text)
{
    if (text.size > SCHEMA_YAML_SIZE_MAX) {
        return placed(reader, 0,
                      base_error_set(reader->error, BASE_TOO_LARGE,
                                     "a YAML text of %zu bytes; the limit is %zu", text.size,
                                     SCHEMA_YAML_SIZE_MAX));
    }
    size_t line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char byte = (unsigned char)text.data[i];
        if (byte == '\n') {
            line++;
            line_start = i + 1;
        }
        if ((byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7F) {
            return placed(reader, base_place_make(line, i - line_start + 1),
                          base_error_set(reader->error, BASE_BAD_INPUT,
                                         "control character 0x%02X in the text", (unsigned)byte));
        }
    }
    if (!base_utf8_valid(text)) {
        return fail(reader, 0, "the text is not UTF-8");
    }
    if (has_tab_and_explicit_key(text)) {
        return fail(reader, 0, "explicit keys (?) and tabs in one text are not supported");
    }
    return base_ok();
}

static struct fy_diag *quiet_diag(void)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.output_fn = NULL;
    config.colorize = false;
    struct fy_diag *diag = fy_diag_create(&config);
    if (diag != NULL) {
        fy_diag_set_collect_errors(diag, true);
    }
    return diag;
}

base_status schema_yaml_read(base_slice text, base_slice path, base_arena *arena,
                             base_value *value_out, base_error *error)
{
    yaml_reader reader;
    reader.path = path;
    reader.arena = arena;
    reader.error = error;
    reader.has_document = false;
    reader.document = base_value_null();
    reader.depth = 0;
    base_status status = text_check(&reader, text);
    if (base_failed(status)) {
        return status;
    }
    reader.diag = quiet_diag();
    const struct fy_parse_cfg config = {
        .flags =
            (enum fy_parse_cfg_flags)(FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE),
        .diag = reader.diag,
    };
    reader.parser = reader.diag == NULL ? NULL : fy_parser_create(&config);
    if (reader.parser == NULL ||
        fy_parser_set_string(reader.parser, text.data == NULL ? "" : text.data, text.size) != 0) {
        status = no_memory(&reader);
        goto out;
    }
    status = events_read(&reader);
    if (!base_failed(status)) {
        *value_out = reader.document;
    }
out:
    fy_parser_destroy(reader.parser);
    if (reader.diag != NULL) {
        fy_diag_destroy(reader.diag);
    }
    return status;
}
