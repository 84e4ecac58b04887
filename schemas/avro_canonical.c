/*
 * Parsing canonical form (Avro specification, "Transforming into Parsing Canonical Form") and
 * fingerprints: what is left is what decides how bytes are read, with full names, in one order, so
 * that two schemas that read alike have the same text. A named type is written out where it is met
 * first and by name after that. A stack of pieces, no recursion.
 */
#include "base/codec.h"
#include "base/hash.h"
#include "schemas/avro_schema.h"

#define CRC64_EMPTY UINT64_C(0xc15d213aa4d7a795)

/* A piece of output that is still to come: a text, a field's head, or a type. */
typedef struct piece {
    const char *text;
    const schema_avro_field *field;
    const schema_avro_node *node;
} piece;

typedef struct printer {
    base_writer writer;
    bool *written; /* by node index: named types that are out */
    piece *pieces;
    size_t count;
    size_t capacity;
} printer;

static void put(printer *p, const char *text)
{
    base_write_raw(&p->writer, base_slice_of(text));
}

static void put_quoted(printer *p, base_slice name)
{
    put(p, "\"");
    base_write_raw(&p->writer, name); /* names need no escapes */
    put(p, "\"");
}

static base_status push(printer *p, const piece *next)
{
    if (p->count == p->capacity) {
        const size_t capacity = p->capacity * 2 + 64;
        void *grown = base_arena_grow(p->writer.arena, p->pieces, p->capacity * sizeof(*p->pieces),
                                      capacity * sizeof(*p->pieces));
        if (grown == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
        p->pieces = grown;
        p->capacity = capacity;
    }
    p->pieces[p->count++] = *next;
    return base_ok();
}

static base_status push_text(printer *p, const char *text)
{
    return push(p, &(piece){.text = text});
}

/* Fields or branches, with commas, so that the first is on top. */
static base_status push_members(printer *p, const schema_avro_node *node)
{
    for (size_t i = node->count; i-- > 0;) {
        if (node->type == SCHEMA_AVRO_RECORD) {
            BASE_TRY(push_text(p, "}"));
            BASE_TRY(push(p, &(piece){.node = node->fields[i].type}));
            BASE_TRY(push(p, &(piece){.field = &node->fields[i]}));
        } else {
            BASE_TRY(push(p, &(piece){.node = node->branches[i]}));
        }
        if (i > 0) {
            BASE_TRY(push_text(p, ","));
        }
    }
    return base_ok();
}

static void put_symbols(printer *p, const schema_avro_node *node)
{
    put(p, ",\"symbols\":[");
    for (size_t i = 0; i < node->count; i++) {
        put(p, i > 0 ? "," : "");
        put_quoted(p, node->symbols[i]);
    }
    put(p, "]}");
}

static base_status print_named(printer *p, const schema_avro_node *node)
{
    if (p->written[node->index]) {
        put_quoted(p, node->name);
        return base_ok();
    }
    p->written[node->index] = true;
    put(p, "{\"name\":");
    put_quoted(p, node->name);
    put(p, ",\"type\":");
    put_quoted(p, base_slice_of(schema_avro_type_name(node->type)));
    if (node->type == SCHEMA_AVRO_RECORD) {
        put(p, ",\"fields\":[");
        BASE_TRY(push_text(p, "]}"));
        return push_members(p, node);
    }
    if (node->type == SCHEMA_AVRO_ENUM) {
        put_symbols(p, node);
        return base_ok();
    }
    const base_slice size = base_arena_print(p->writer.arena, "%lld", (long long)node->fixed_size);
    put(p, ",\"size\":");
    base_write_raw(&p->writer, size);
    put(p, "}");
    return size.data != NULL ? base_ok() : base_status_of(BASE_OUT_OF_MEMORY);
}

static base_status print_node(printer *p, const schema_avro_node *node)
{
    if (schema_avro_is_named(node)) {
        return print_named(p, node);
    }
    if (node->type == SCHEMA_AVRO_ARRAY || node->type == SCHEMA_AVRO_MAP) {
        put(p, node->type == SCHEMA_AVRO_ARRAY ? "{\"type\":\"array\",\"items\":"
                                               : "{\"type\":\"map\",\"values\":");
        BASE_TRY(push_text(p, "}"));
        return push(p, &(piece){.node = node->item});
    }
    if (node->type == SCHEMA_AVRO_UNION) {
        put(p, "[");
        BASE_TRY(push_text(p, "]"));
        return push_members(p, node);
    }
    put_quoted(p, base_slice_of(schema_avro_type_name(node->type)));
    return base_ok();
}

base_status schema_avro_canonical(const schema_avro *schema, base_arena *arena,
                                  base_slice *text_out)
{
    printer p = {0};
    base_writer_begin(&p.writer, arena);
    p.written = BASE_ARENA_ARRAY(arena, bool, schema->node_count);
    if (p.written == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    BASE_TRY(push(&p, &(piece){.node = schema->root}));
    while (p.count > 0) {
        const piece next = p.pieces[--p.count];
        if (next.text != NULL) {
            put(&p, next.text);
        } else if (next.field != NULL) {
            put(&p, "{\"name\":");
            put_quoted(&p, next.field->name);
            put(&p, ",\"type\":");
        } else {
            BASE_TRY(print_node(&p, next.node));
        }
    }
    return base_writer_end(&p.writer, text_out);
}

uint64_t schema_avro_crc64(base_slice bytes)
{
    uint64_t crc = CRC64_EMPTY;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= (unsigned char)bytes.data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (CRC64_EMPTY & (0 - (crc & 1)));
        }
    }
    return crc;
}

base_status schema_avro_fingerprint(const schema_avro *schema, base_arena *arena,
                                    uint64_t *crc64_out)
{
    base_slice text;
    BASE_TRY(schema_avro_canonical(schema, arena, &text));
    *crc64_out = schema_avro_crc64(text);
    return base_ok();
}

base_status schema_avro_sha256(const schema_avro *schema, base_arena *arena, uint8_t digest_out[32])
{
    base_slice text;
    base_sha256 hash;
    BASE_TRY(schema_avro_canonical(schema, arena, &text));
    base_sha256_init(&hash);
    base_sha256_update(&hash, text.data, text.size);
    base_sha256_final(&hash, digest_out);
    return base_ok();
}
