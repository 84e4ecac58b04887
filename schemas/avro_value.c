/* Single values: decimals, the bytes of defaults, and which branch of a union a value is of. */
#include "schemas/avro_value.h"

#define LIMB_COUNT (SCHEMA_AVRO_DECIMAL_SIZE_MAX / 4)
#define DIGIT_COUNT_MAX ((size_t)160)

/* The magnitude of two's complement bytes, as limbs of 32 bits, the lowest first. */
static void magnitude(base_slice bytes, bool negative, uint32_t limbs[LIMB_COUNT + 1])
{
    uint32_t carry = negative ? 1 : 0;
    for (size_t i = 0; i < bytes.size; i++) {
        uint32_t byte = (unsigned char)bytes.data[bytes.size - 1 - i];
        byte = (negative ? byte ^ 0xFF : byte) + carry;
        carry = byte >> 8;
        limbs[i / 4] |= (byte & 0xFF) << (i % 4 * 8);
    }
    limbs[bytes.size / 4] += carry << (bytes.size % 4 * 8);
}

/* Decimal digits of the limbs, the lowest first; the limbs are used up. */
static size_t digits(uint32_t limbs[LIMB_COUNT + 1], char to[DIGIT_COUNT_MAX])
{
    size_t count = 0;
    size_t used = LIMB_COUNT + 1;
    while (used > 0) {
        if (limbs[used - 1] == 0) {
            used--;
            continue;
        }
        uint64_t rest = 0;
        for (size_t i = used; i-- > 0;) {
            rest = rest << 32 | limbs[i];
            limbs[i] = (uint32_t)(rest / 10);
            rest %= 10;
        }
        to[count++] = (char)('0' + rest);
    }
    return count;
}

base_status schema_avro_decimal_read(base_slice unscaled, int32_t scale, base_arena *arena,
                                     base_value *value_out)
{
    if (unscaled.size > SCHEMA_AVRO_DECIMAL_SIZE_MAX || scale > SCHEMA_AVRO_DECIMAL_SCALE_MAX) {
        return base_status_of(BASE_BAD_INPUT);
    }
    const bool negative = unscaled.size > 0 && ((unsigned char)unscaled.data[0] & 0x80) != 0;
    uint32_t limbs[LIMB_COUNT + 1] = {0};
    char low_first[DIGIT_COUNT_MAX];
    magnitude(unscaled, negative, limbs);
    const size_t count = digits(limbs, low_first);
    char *text = base_arena_alloc(arena, count + 16);
    if (text == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    size_t size = 0;
    if (negative) {
        text[size++] = '-';
    }
    for (size_t i = count; i-- > 0;) {
        text[size++] = low_first[i];
    }
    if (count == 0) {
        text[size++] = '0';
    }
    text[size++] = 'e';
    text[size++] = '-';
    text[size++] = (char)('0' + scale / 100);
    text[size++] = (char)('0' + scale / 10 % 10);
    text[size++] = (char)('0' + scale % 10);
    return base_number_parse(base_slice_make(text, size), value_out);
}

bool schema_avro_latin(base_slice text, char *to, size_t *size_out)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte >= 0x80) {
            if (byte > 0xC3 || i + 1 == text.size) {
                return false;
            }
            byte = (unsigned char)((byte & 0x03) << 6 | ((unsigned char)text.data[++i] & 0x3F));
        }
        if (to != NULL) {
            to[size] = (char)byte;
        }
        size++;
    }
    *size_out = size;
    return true;
}

static bool symbol_fits(const schema_avro_node *node, const base_value *value)
{
    for (size_t i = 0; value->kind == BASE_STRING && i < node->count; i++) {
        if (base_slice_equal(base_value_slice(value), node->symbols[i])) {
            return true;
        }
    }
    return false;
}

static bool bytes_fit(const schema_avro_node *node, const base_value *value, bool json)
{
    size_t size = value->size;
    if (node->logical == SCHEMA_AVRO_DECIMAL && !json) {
        return base_value_is_number(value);
    }
    if (value->kind != (json ? BASE_STRING : BASE_BYTES) ||
        (json && !schema_avro_latin(base_value_slice(value), NULL, &size))) {
        return false;
    }
    return node->type == SCHEMA_AVRO_BYTES || size == (uint64_t)node->fixed_size;
}

/* Every field is there or has a default, and every member is a field. */
static bool record_fits(const schema_avro_node *node, const base_value *value, bool json)
{
    size_t found = 0;
    if (value->kind != BASE_MAP) {
        return false;
    }
    for (size_t i = 0; i < node->count; i++) {
        if (base_map_get(value, node->fields[i].name) != NULL) {
            found++;
        } else if (node->fields[i].default_json == NULL) {
            return false;
        }
    }
    return json || found == value->size;
}

static bool float_fits(const base_value *value, bool json)
{
    if (base_value_is_number(value) || json || value->kind != BASE_STRING) {
        return base_value_is_number(value);
    }
    const base_slice text = base_value_slice(value);
    return base_slice_is(text, "NaN") || base_slice_is(text, "Infinity") ||
           base_slice_is(text, "-Infinity");
}

bool schema_avro_fits(const schema_avro_node *node, const base_value *value, bool json)
{
    switch (node->type) {
    case SCHEMA_AVRO_NULL:
        return value->kind == BASE_NULL;
    case SCHEMA_AVRO_BOOLEAN:
        return value->kind == BASE_BOOL;
    case SCHEMA_AVRO_INT:
        return value->kind == BASE_INTEGER && value->integer >= INT32_MIN &&
               value->integer <= INT32_MAX;
    case SCHEMA_AVRO_LONG:
        return value->kind == BASE_INTEGER;
    case SCHEMA_AVRO_FLOAT:
    case SCHEMA_AVRO_DOUBLE:
        return float_fits(value, json);
    case SCHEMA_AVRO_BYTES:
    case SCHEMA_AVRO_FIXED:
        return bytes_fit(node, value, json);
    case SCHEMA_AVRO_STRING:
        return value->kind == BASE_STRING;
    case SCHEMA_AVRO_RECORD:
        return record_fits(node, value, json);
    case SCHEMA_AVRO_ENUM:
        return symbol_fits(node, value);
    case SCHEMA_AVRO_ARRAY:
        return value->kind == BASE_LIST;
    case SCHEMA_AVRO_MAP:
        return value->kind == BASE_MAP;
    case SCHEMA_AVRO_UNION: /* its branches are asked */
    case SCHEMA_AVRO_TYPE_COUNT:
        break;
    }
    return false;
}

const schema_avro_node *schema_avro_branch_for(const schema_avro_node *node,
                                               const base_value *value, bool json,
                                               size_t *index_out)
{
    for (size_t i = 0; i < node->count; i++) {
        const schema_avro_node *branch = node->branches[i];
        if (schema_avro_fits(branch, value, json)) {
            if (index_out != NULL) {
                *index_out = i;
            }
            return branch;
        }
    }
    return NULL;
}

const char *schema_avro_expected(const schema_avro_node *node)
{
    static const char *const TEXTS[SCHEMA_AVRO_TYPE_COUNT] = {
        [SCHEMA_AVRO_NULL] = "null",
        [SCHEMA_AVRO_BOOLEAN] = "a boolean",
        [SCHEMA_AVRO_INT] = "an int",
        [SCHEMA_AVRO_LONG] = "a long",
        [SCHEMA_AVRO_FLOAT] = "a number (float)",
        [SCHEMA_AVRO_DOUBLE] = "a number (double)",
        [SCHEMA_AVRO_BYTES] = "bytes",
        [SCHEMA_AVRO_STRING] = "a string",
        [SCHEMA_AVRO_RECORD] = "a record with all its fields",
        [SCHEMA_AVRO_ENUM] = "one of the enum's symbols",
        [SCHEMA_AVRO_FIXED] = "bytes of the fixed size",
        [SCHEMA_AVRO_ARRAY] = "an array",
        [SCHEMA_AVRO_MAP] = "a map",
        [SCHEMA_AVRO_UNION] = "a value of one of the union's branches",
    };
    return node->logical == SCHEMA_AVRO_DECIMAL ? "a decimal" : TEXTS[node->type];
}
