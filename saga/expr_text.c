/* Text: a growing buffer, UTF-8, splitting, and the @formats. */
#include "saga/expr_code.h"

#define TEXT_CAPACITY_FIRST 64

/* ---- the buffer ---- */
base_status saga_text_put(saga_text *text, base_slice bytes)
{
    if (bytes.size > text->capacity - text->size) {
        if (bytes.size > SIZE_MAX / 4) {
            return base_status_of(BASE_BUDGET);
        }
        size_t capacity = text->capacity == 0 ? TEXT_CAPACITY_FIRST : 2 * text->capacity;
        while (capacity < text->size + bytes.size) {
            capacity *= 2;
        }
        void *block = NULL;
        BASE_TRY(saga_machine_spend(text->machine, capacity / 256));
        BASE_TRY(saga_machine_alloc(text->machine, capacity, &block));
        if (text->size > 0) {
            memcpy(block, text->data, text->size);
        }
        text->data = block;
        text->capacity = capacity;
    }
    if (bytes.size > 0) {
        memcpy(text->data + text->size, bytes.data, bytes.size);
    }
    text->size += bytes.size;
    return base_ok();
}

base_status saga_text_put_char(saga_text *text, char byte)
{
    return saga_text_put(text, base_slice_make(&byte, 1));
}

base_value saga_text_value(const saga_text *text)
{
    return base_value_string(base_slice_make(text->size > 0 ? text->data : "", text->size));
}

/* ---- UTF-8 ---- */
size_t saga_utf8_length(char lead)
{
    const uint8_t byte = (uint8_t)lead;
    if (byte < 0xc0) {
        return 1;
    }
    if (byte < 0xe0) {
        return 2;
    }
    return byte < 0xf0 ? 3 : 4;
}

size_t saga_utf8_count(base_slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++) {
        count += ((uint8_t)text.data[i] & 0xc0) != 0x80;
    }
    return count;
}

size_t saga_utf8_offset(base_slice text, size_t index)
{
    size_t offset = 0;
    while (index > 0 && offset < text.size) {
        offset += saga_utf8_length(text.data[offset]);
        index--;
    }
    return offset < text.size ? offset : text.size;
}

/* To compare a long part at every place would take the product of both sizes, so that is what it
 * costs. */
base_status saga_find_bytes(saga_machine *machine, base_slice text, size_t from, base_slice part,
                            size_t *at_out)
{
    *at_out = SIZE_MAX;
    if (part.size == 0) {
        *at_out = from <= text.size ? from : SIZE_MAX;
        return base_ok();
    }
    const size_t start = from;
    while (part.size <= text.size && from <= text.size - part.size) {
        const char *hit = memchr(text.data + from, part.data[0], text.size - part.size - from + 1);
        if (hit == NULL) {
            break;
        }
        from = (size_t)(hit - text.data);
        BASE_TRY(saga_machine_spend(machine, part.size / 64));
        if (memcmp(hit, part.data, part.size) == 0) {
            *at_out = from;
            break;
        }
        from++;
    }
    return saga_machine_spend(machine, (from - start) / 64);
}

/* ---- splitting ---- */
static base_status push_text(saga_machine *machine, base_list_builder *builder, const char *data,
                             size_t size)
{
    const base_value part = base_value_string(base_slice_make(data, size));
    BASE_TRY(saga_machine_spend(machine, 1));
    BASE_TRY(base_list_push(builder, &part));
    return saga_machine_check_memory(machine);
}

base_status saga_split(saga_machine *machine, base_slice text, base_slice separator,
                       base_value *out)
{
    base_list_builder builder;
    base_list_begin(&builder, machine->arena);
    BASE_TRY(saga_machine_spend(machine, text.size / 64));
    size_t from = 0;
    while (separator.size == 0 && from < text.size) {
        const size_t size = saga_utf8_length(text.data[from]);
        BASE_TRY(push_text(machine, &builder, text.data + from, size));
        from += size;
    }
    while (separator.size > 0 && text.size > 0) {
        size_t hit;
        BASE_TRY(saga_find_bytes(machine, text, from, separator, &hit));
        const size_t end = hit == SIZE_MAX ? text.size : hit;
        BASE_TRY(push_text(machine, &builder, text.data + from, end - from));
        if (hit == SIZE_MAX) {
            break;
        }
        from = hit + separator.size;
    }
    machine->built = true;
    *out = base_list_end(&builder);
    return base_ok();
}

base_status saga_to_string(saga_machine *machine, const base_value *value, base_value *out)
{
    if (value->kind == BASE_STRING) {
        *out = *value;
        return base_ok();
    }
    saga_text text = {.machine = machine};
    BASE_TRY(saga_json_write(&text, value, SIZE_MAX));
    *out = saga_text_value(&text);
    return base_ok();
}

/* ---- formats ---- */
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

base_status saga_base64_write(saga_text *text, base_slice bytes)
{
    BASE_TRY(saga_machine_spend(text->machine, bytes.size / 64));
    for (size_t i = 0; i < bytes.size; i += 3) {
        const size_t count = bytes.size - i < 3 ? bytes.size - i : 3;
        uint32_t code = 0;
        for (size_t j = 0; j < 3; j++) {
            code = code << 8 | (j < count ? (uint8_t)bytes.data[i + j] : 0u);
        }
        char block[4];
        for (size_t j = 0; j < 4; j++) {
            block[j] = j <= count ? BASE64[code >> (18 - 6 * j) & 0x3f] : '=';
        }
        BASE_TRY(saga_text_put(text, base_slice_make(block, 4)));
    }
    return base_ok();
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+') {
        return 62;
    }
    return c == '/' ? 63 : -1;
}

/* Decoded bytes are a string, as everything in jq; what is not UTF-8 in them becomes U+FFFD. */
static base_status put_lossy(saga_text *text, const saga_text *bytes)
{
    static const char REPLACEMENT[] = "\xef\xbf\xbd";
    size_t i = 0;
    while (i < bytes->size) {
        size_t length = saga_utf8_length(bytes->data[i]);
        if (length > bytes->size - i ||
            !base_utf8_valid(base_slice_make(bytes->data + i, length))) {
            BASE_TRY(saga_text_put(text, base_slice_make(REPLACEMENT, 3)));
            length = 1;
            while (i + length < bytes->size && ((uint8_t)bytes->data[i + length] & 0xc0) == 0x80) {
                length++;
            }
        } else {
            BASE_TRY(saga_text_put(text, base_slice_make(bytes->data + i, length)));
        }
        i += length;
    }
    return base_ok();
}

static base_status base64_read(saga_machine *machine, const base_value *value, base_value *out)
{
    saga_text bytes = {.machine = machine};
    uint32_t code = 0;
    uint32_t bits = 0;
    size_t digits = 0;
    for (size_t i = 0; i < value->size && value->bytes[i] != '='; i++, digits++) {
        const int digit = base64_digit(value->bytes[i]);
        if (digit < 0) {
            return saga_raise_one(machine, value, "is not valid base64 data");
        }
        code = (code << 6 | (uint32_t)digit) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            BASE_TRY(saga_text_put_char(&bytes, (char)(code >> bits & 0xff)));
        }
    }
    if (digits % 4 == 1) {
        return saga_raise_one(machine, value, "trailing base64 byte found");
    }
    saga_text text = {.machine = machine};
    if (base_utf8_valid(base_slice_make(bytes.data, bytes.size))) {
        text = bytes;
    } else {
        BASE_TRY(put_lossy(&text, &bytes));
    }
    *out = saga_text_value(&text);
    return base_ok();
}

/* Replaces each of `from`'s characters by the text at the same place of `to`. */
static base_status put_escaped(saga_text *text, base_slice bytes, const char *from,
                               const char *const *to)
{
    BASE_TRY(saga_machine_spend(text->machine, bytes.size / 64));
    size_t start = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        const char *hit = bytes.data[i] == '\0' ? NULL : strchr(from, bytes.data[i]);
        if (hit == NULL) {
            continue;
        }
        BASE_TRY(saga_text_put(text, base_slice_make(bytes.data + start, i - start)));
        BASE_TRY(saga_text_put(text, base_slice_of(to[hit - from])));
        start = i + 1;
    }
    return saga_text_put(text, base_slice_make(bytes.data + start, bytes.size - start));
}

static base_status put_uri(saga_text *text, base_slice bytes)
{
    static const char HEX[] = "0123456789ABCDEF";
    BASE_TRY(saga_machine_spend(text->machine, bytes.size / 64));
    for (size_t i = 0; i < bytes.size; i++) {
        const char c = bytes.data[i];
        const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
        const char escaped[3] = {'%', HEX[(uint8_t)c >> 4], HEX[(uint8_t)c & 15]};
        BASE_TRY(saga_text_put(text, plain ? base_slice_make(&c, 1) : base_slice_make(escaped, 3)));
    }
    return base_ok();
}

typedef struct row_format {
    const char *wrong_input;
    const char *wrong_item;
    const char *separator;
    const char *quote;
    const char *from;
    const char *const *to;
    bool null_is_empty;
} row_format;

static const char *const CSV_TO[] = {"\"\""};
static const char *const TSV_TO[] = {"\\t", "\\r", "\\n", "\\\\"};
static const char *const SH_TO[] = {"'\\''"};

static const row_format CSV = {"cannot be csv-formatted, only array",
                               "is not valid in a csv row",
                               ",",
                               "\"",
                               "\"",
                               CSV_TO,
                               true};
static const row_format TSV = {"cannot be tsv-formatted, only array",
                               "is not valid in a csv row",
                               "\t",
                               "",
                               "\t\r\n\\",
                               TSV_TO,
                               true};
static const row_format SH = {NULL, "can not be escaped for shell", " ", "'", "'", SH_TO, false};

static base_status put_row(saga_text *text, const base_value *value, const row_format *format)
{
    if (value->kind != BASE_LIST && format->wrong_input != NULL) {
        return saga_raise_one(text->machine, value, format->wrong_input);
    }
    const base_value *items = value->kind == BASE_LIST ? value->items : value;
    const size_t count = value->kind == BASE_LIST ? value->size : 1;
    for (size_t i = 0; i < count; i++) {
        const base_value *item = &items[i];
        BASE_TRY(saga_machine_spend(text->machine, 1));
        if (i > 0) {
            BASE_TRY(saga_text_put(text, base_slice_of(format->separator)));
        }
        if (item->kind == BASE_STRING) {
            BASE_TRY(saga_text_put(text, base_slice_of(format->quote)));
            BASE_TRY(put_escaped(text, base_value_slice(item), format->from, format->to));
            BASE_TRY(saga_text_put(text, base_slice_of(format->quote)));
        } else if (item->kind == BASE_LIST || item->kind == BASE_MAP || item->kind == BASE_BYTES) {
            return saga_raise_one(text->machine, item, format->wrong_item);
        } else if (item->kind != BASE_NULL || !format->null_is_empty) {
            BASE_TRY(saga_json_write(text, item, SIZE_MAX));
        }
    }
    return base_ok();
}

static base_status format_text(saga_machine *machine, saga_format format, const base_value *value,
                               base_value *out)
{
    static const char *const HTML_TO[] = {"&amp;", "&lt;", "&gt;", "&apos;", "&quot;"};
    base_value plain;
    BASE_TRY(saga_to_string(machine, value, &plain));
    if (format == SAGA_FORMAT_TEXT) {
        *out = plain;
        return base_ok();
    }
    if (format == SAGA_FORMAT_BASE64D) {
        return base64_read(machine, &plain, out);
    }
    saga_text text = {.machine = machine};
    if (format == SAGA_FORMAT_HTML) {
        BASE_TRY(put_escaped(&text, base_value_slice(&plain), "&<>'\"", HTML_TO));
    } else if (format == SAGA_FORMAT_URI) {
        BASE_TRY(put_uri(&text, base_value_slice(&plain)));
    } else {
        BASE_TRY(saga_base64_write(&text, base_value_slice(&plain)));
    }
    *out = saga_text_value(&text);
    return base_ok();
}

base_status saga_format_run(saga_machine *machine, saga_format format, const base_value *value,
                            base_value *out)
{
    if (format == SAGA_FORMAT_TEXT || format == SAGA_FORMAT_BASE64 ||
        format == SAGA_FORMAT_BASE64D || format == SAGA_FORMAT_HTML || format == SAGA_FORMAT_URI) {
        return format_text(machine, format, value, out);
    }
    saga_text text = {.machine = machine};
    if (format == SAGA_FORMAT_JSON) {
        BASE_TRY(saga_json_write(&text, value, SIZE_MAX));
    } else {
        BASE_TRY(put_row(&text, value,
                         format == SAGA_FORMAT_CSV   ? &CSV
                         : format == SAGA_FORMAT_TSV ? &TSV
                                                     : &SH));
    }
    *out = saga_text_value(&text);
    return base_ok();
}
