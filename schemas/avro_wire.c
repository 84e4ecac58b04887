/* Avro bytes from outside: see avro_wire.h. */
#include "schemas/avro_wire.h"

/* A record, array or map that is open. */
typedef struct frame {
    const schema_avro_node *node;
    size_t index;     /* record: of the next field */
    uint64_t left;    /* array, map: items to come in this block */
    const char *ends; /* where the block's size says that it ends; NULL: it does not */
} frame;

typedef struct walker {
    const char *start;
    const char *at;
    const char *end;
    base_error *error;
    size_t value_count;
    size_t depth;
    frame frames[SCHEMA_AVRO_WIRE_DEPTH_MAX];
} walker;

static base_status corrupt(const walker *w, const char *what)
{
    return base_error_set(w->error, BASE_CORRUPT, "%s at byte %zu", what,
                          (size_t)(w->at - w->start));
}

/* Zig-zag varint of at most 64 bits. */
static base_status long_read(walker *w, int64_t *number_out)
{
    uint64_t bits = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (w->at == w->end) {
            return corrupt(w, "the bytes end within a number");
        }
        const uint64_t byte = (unsigned char)*w->at;
        if (shift == 63 && byte > 1) {
            break;
        }
        w->at++;
        bits |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            *number_out = (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
            return base_ok();
        }
    }
    return corrupt(w, "a number of more than 64 bits");
}

static base_status skip(walker *w, int64_t size, const char *what)
{
    if (size < 0 || size > w->end - w->at) {
        return corrupt(w, what);
    }
    w->at += size;
    return base_ok();
}

static base_status text_check(walker *w, bool utf8)
{
    int64_t size = 0;
    BASE_TRY(long_read(w, &size));
    const char *text = w->at;
    BASE_TRY(skip(w, size, "a length past the end"));
    if (utf8 && !base_utf8_valid(base_slice_make(text, (size_t)size))) {
        w->at = text;
        return corrupt(w, "a string that is not UTF-8");
    }
    return base_ok();
}

static base_status index_check(walker *w, size_t count, const char *what, size_t *index_out)
{
    int64_t index = 0;
    BASE_TRY(long_read(w, &index));
    if (index < 0 || (uint64_t)index >= count) {
        return corrupt(w, what);
    }
    *index_out = (size_t)index;
    return base_ok();
}

static base_status scalar_check(walker *w, const schema_avro_node *node)
{
    int64_t number = 0;
    size_t index = 0;
    switch (node->type) {
    case SCHEMA_AVRO_BOOLEAN:
        if (w->at < w->end && (unsigned char)*w->at > 1) {
            return corrupt(w, "a boolean that is neither 0 nor 1");
        }
        return skip(w, 1, "the bytes end before a boolean");
    case SCHEMA_AVRO_INT:
        BASE_TRY(long_read(w, &number));
        return number < INT32_MIN || number > INT32_MAX ? corrupt(w, "an int of more than 32 bits")
                                                        : base_ok();
    case SCHEMA_AVRO_LONG:
        return long_read(w, &number);
    case SCHEMA_AVRO_FLOAT:
        return skip(w, 4, "the bytes end within a float");
    case SCHEMA_AVRO_DOUBLE:
        return skip(w, 8, "the bytes end within a double");
    case SCHEMA_AVRO_BYTES:
    case SCHEMA_AVRO_STRING:
        return text_check(w, node->type == SCHEMA_AVRO_STRING);
    case SCHEMA_AVRO_ENUM:
        return index_check(w, node->count, "an index that the enum does not have", &index);
    case SCHEMA_AVRO_FIXED:
        return skip(w, node->fixed_size, "the bytes end within a fixed");
    case SCHEMA_AVRO_NULL:
    case SCHEMA_AVRO_RECORD:
    case SCHEMA_AVRO_ARRAY:
    case SCHEMA_AVRO_MAP:
    case SCHEMA_AVRO_UNION:
    case SCHEMA_AVRO_TYPE_COUNT:
        break;
    }
    return base_ok();
}

/* A value starts: walked over when it is a scalar, else opened. */
static base_status visit(walker *w, const schema_avro_node *node)
{
    if (node->type == SCHEMA_AVRO_UNION) {
        size_t index = 0;
        BASE_TRY(index_check(w, node->count, "an index that the union does not have", &index));
        node = node->branches[index];
    }
    if (++w->value_count > SCHEMA_AVRO_WIRE_VALUE_COUNT_MAX) {
        return base_error_set(w->error, BASE_TOO_LARGE, "more than %zu values in one message",
                              SCHEMA_AVRO_WIRE_VALUE_COUNT_MAX);
    }
    if (node->type != SCHEMA_AVRO_RECORD && node->type != SCHEMA_AVRO_ARRAY &&
        node->type != SCHEMA_AVRO_MAP) {
        return scalar_check(w, node);
    }
    if (w->depth == SCHEMA_AVRO_WIRE_DEPTH_MAX) {
        return base_error_set(w->error, BASE_TOO_LARGE, "nested more than %zu levels",
                              SCHEMA_AVRO_WIRE_DEPTH_MAX);
    }
    w->frames[w->depth++] = (frame){.node = node};
    return base_ok();
}

/* The head of the next block; a count of 0 closes the frame. */
static base_status block_open(walker *w, frame *top, bool *closed_out)
{
    int64_t count = 0;
    if (top->ends != NULL && w->at != top->ends) {
        return corrupt(w, "a block that is not of its size");
    }
    top->ends = NULL;
    BASE_TRY(long_read(w, &count));
    top->left = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    if (count < 0) {
        int64_t size = 0;
        BASE_TRY(long_read(w, &size));
        if (size < 0 || size > w->end - w->at) {
            return corrupt(w, "a block past the end");
        }
        top->ends = w->at + size;
    }
    *closed_out = count == 0;
    return base_ok();
}

/* One step in the frame on top. */
static base_status advance(walker *w)
{
    frame *top = &w->frames[w->depth - 1];
    if (top->node->type == SCHEMA_AVRO_RECORD) {
        if (top->index == top->node->count) {
            w->depth--;
            return base_ok();
        }
        return visit(w, top->node->fields[top->index++].type);
    }
    if (top->left == 0) {
        bool closed = false;
        BASE_TRY(block_open(w, top, &closed));
        w->depth -= closed ? 1 : 0;
        return base_ok();
    }
    top->left--;
    if (top->node->type == SCHEMA_AVRO_MAP) {
        BASE_TRY(text_check(w, true));
    }
    return visit(w, top->node->item);
}

base_status schema_avro_wire_check(const schema_avro *schema, base_slice bytes, base_error *error)
{
    walker w;
    w.start = bytes.size > 0 ? bytes.data : ""; /* NULL has no place in comparisons */
    w.at = w.start;
    w.end = w.start + bytes.size;
    w.error = error;
    w.value_count = 0;
    w.depth = 0;
    BASE_TRY(visit(&w, schema->root));
    while (w.depth > 0) {
        BASE_TRY(advance(&w));
    }
    return w.at == w.end ? base_ok() : corrupt(&w, "bytes behind the value");
}

/* ---- heads ---- */

static base_slice after(base_slice bytes, size_t size)
{
    return base_slice_make(bytes.data + size, bytes.size - size);
}

bool schema_avro_confluent_read(base_slice bytes, uint32_t *id_out, base_slice *value_out)
{
    uint32_t id = 0;
    if (bytes.size < SCHEMA_AVRO_CONFLUENT_HEAD_SIZE || bytes.data[0] != 0) {
        return false;
    }
    for (size_t i = 1; i < SCHEMA_AVRO_CONFLUENT_HEAD_SIZE; i++) {
        id = id << 8 | (unsigned char)bytes.data[i];
    }
    *id_out = id;
    *value_out = after(bytes, SCHEMA_AVRO_CONFLUENT_HEAD_SIZE);
    return true;
}

bool schema_avro_single_read(base_slice bytes, uint64_t *crc64_out, base_slice *value_out)
{
    uint64_t crc = 0;
    if (bytes.size < SCHEMA_AVRO_SINGLE_HEAD_SIZE || memcmp(bytes.data, "\xC3\x01", 2) != 0) {
        return false;
    }
    for (size_t i = SCHEMA_AVRO_SINGLE_HEAD_SIZE; i-- > 2;) {
        crc = crc << 8 | (unsigned char)bytes.data[i];
    }
    *crc64_out = crc;
    *value_out = after(bytes, SCHEMA_AVRO_SINGLE_HEAD_SIZE);
    return true;
}

void schema_avro_confluent_write(uint32_t id, char head_out[SCHEMA_AVRO_CONFLUENT_HEAD_SIZE])
{
    head_out[0] = 0;
    for (size_t i = 1; i < SCHEMA_AVRO_CONFLUENT_HEAD_SIZE; i++) {
        head_out[i] = (char)(id >> (4 - i) * 8 & 0xFF);
    }
}

void schema_avro_single_write(uint64_t crc64, char head_out[SCHEMA_AVRO_SINGLE_HEAD_SIZE])
{
    head_out[0] = (char)0xC3;
    head_out[1] = 1;
    for (size_t i = 2; i < SCHEMA_AVRO_SINGLE_HEAD_SIZE; i++) {
        head_out[i] = (char)(crc64 >> (i - 2) * 8 & 0xFF);
    }
}
