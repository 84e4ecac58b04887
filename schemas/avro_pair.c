/* The graph of pairs: see avro_pair.h. */
#include "schemas/avro_pair.h"

#define BUCKET_COUNT ((size_t)8192)

struct schema_avro_edge {
    schema_avro_pair *parent;
    schema_avro_edge *next;
};

static base_status no_memory(schema_avro_pairs *pairs)
{
    return base_error_set(pairs->error, BASE_OUT_OF_MEMORY, "no memory to compare two schemas");
}

static base_status pair_append(schema_avro_pairs *pairs, schema_avro_pair *pair)
{
    if (pairs->count == SCHEMA_AVRO_PAIR_COUNT_MAX) {
        return base_error_set(pairs->error, BASE_TOO_LARGE,
                              "two schemas with more than %zu pairs of types to compare",
                              SCHEMA_AVRO_PAIR_COUNT_MAX);
    }
    if (pairs->count == pairs->capacity) {
        const size_t capacity = pairs->capacity * 2 + 32;
        void *grown =
            base_arena_grow(pairs->arena, pairs->pairs, pairs->capacity * sizeof(*pairs->pairs),
                            capacity * sizeof(*pairs->pairs));
        if (grown == NULL) {
            return no_memory(pairs);
        }
        pairs->pairs = grown;
        pairs->capacity = capacity;
    }
    pairs->pairs[pairs->count++] = pair;
    return base_ok();
}

/* The pair, made where it is new; its children come when it is looked at. */
static base_status pair_get(schema_avro_pairs *pairs, const schema_avro_node *writer,
                            const schema_avro_node *reader, schema_avro_pair **pair_out)
{
    const uint64_t key = (uint64_t)writer->index << 32 | (reader == NULL ? 0 : reader->index + 1);
    schema_avro_pair **bucket =
        &pairs->buckets[(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) % BUCKET_COUNT];
    for (schema_avro_pair *at = *bucket; at != NULL; at = at->chain) {
        if (at->writer == writer && at->reader == reader) {
            *pair_out = at;
            return base_ok();
        }
    }
    schema_avro_pair *pair = BASE_ARENA_NEW(pairs->arena, schema_avro_pair);
    if (pair == NULL) {
        return no_memory(pairs);
    }
    pair->writer = writer;
    pair->reader = reader;
    pair->chain = *bucket;
    *bucket = pair;
    *pair_out = pair;
    return pair_append(pairs, pair);
}

static base_status children_make(schema_avro_pairs *pairs, schema_avro_pair *pair, size_t count)
{
    pair->children = BASE_ARENA_ARRAY(pairs->arena, schema_avro_pair *, count);
    pair->child_count = count;
    return pair->children != NULL ? base_ok() : no_memory(pairs);
}

static base_status child_set(schema_avro_pairs *pairs, schema_avro_pair *pair, size_t index,
                             const schema_avro_node *writer, const schema_avro_node *reader)
{
    schema_avro_pair *child;
    BASE_TRY(pair_get(pairs, writer, reader, &child));
    schema_avro_edge *edge = BASE_ARENA_NEW(pairs->arena, schema_avro_edge);
    if (edge == NULL) {
        return no_memory(pairs);
    }
    *edge = (schema_avro_edge){pair, child->needed_by};
    child->needed_by = edge;
    pair->children[index] = child;
    return base_ok();
}

/* ---- what one pair needs ---- */

static bool names_match(const schema_avro_node *writer, const schema_avro_node *reader)
{
    if (base_slice_equal(schema_avro_simple_name(writer->name),
                         schema_avro_simple_name(reader->name))) {
        return true;
    }
    for (size_t i = 0; i < reader->alias_count; i++) {
        if (base_slice_equal(reader->aliases[i], writer->name)) {
            return true;
        }
    }
    return false;
}

/* Names of fields or symbols with their index, for looking up. */
static base_status index_names(schema_avro_pairs *pairs, const schema_avro_node *node,
                               base_value *names_out)
{
    base_map_builder names;
    base_map_begin(&names, pairs->arena);
    for (size_t i = 0; i < node->count; i++) {
        const base_value index = base_value_integer((int64_t)i);
        const base_slice name =
            node->type == SCHEMA_AVRO_RECORD ? node->fields[i].name : node->symbols[i];
        if (base_failed(base_map_put(&names, name, &index))) {
            return no_memory(pairs);
        }
    }
    *names_out = base_map_end(&names);
    return base_ok();
}

/* By name or, second, by the reader's aliases. */
static void field_place(schema_avro_pair *pair, const base_value *names, size_t target,
                        bool by_alias)
{
    const schema_avro_field *field = &pair->reader->fields[target];
    const size_t count = by_alias ? field->alias_count : 1;
    for (size_t i = 0; i < count && !pair->given[target]; i++) {
        const base_value *index = base_map_get(names, by_alias ? field->aliases[i] : field->name);
        if (index != NULL && pair->targets[index->integer] < 0) {
            pair->targets[index->integer] = (int32_t)target;
            pair->given[target] = true;
        }
    }
}

static base_status record_expand(schema_avro_pairs *pairs, schema_avro_pair *pair)
{
    const schema_avro_node *writer = pair->writer;
    const schema_avro_node *reader = pair->reader;
    BASE_TRY(children_make(pairs, pair, writer->count));
    pair->targets = BASE_ARENA_ARRAY(pairs->arena, int32_t, writer->count);
    if (pair->targets == NULL) {
        return no_memory(pairs);
    }
    for (size_t i = 0; i < writer->count; i++) {
        pair->targets[i] = -1;
    }
    if (reader != NULL) {
        base_value names;
        BASE_TRY(index_names(pairs, writer, &names));
        pair->given = BASE_ARENA_ARRAY(pairs->arena, bool, reader->count);
        if (pair->given == NULL) {
            return no_memory(pairs);
        }
        for (size_t i = 0; i < reader->count; i++) {
            field_place(pair, &names, i, false);
        }
        for (size_t i = 0; i < reader->count; i++) {
            field_place(pair, &names, i, true);
        }
        for (size_t i = 0; i < reader->count; i++) {
            if (!pair->given[i] && reader->fields[i].default_json == NULL) {
                pair->flaw = SCHEMA_AVRO_READER_FIELD_MISSING_DEFAULT_VALUE;
            }
        }
    }
    for (size_t i = 0; i < writer->count; i++) {
        const int32_t target = pair->targets[i];
        BASE_TRY(child_set(pairs, pair, i, writer->fields[i].type,
                           target < 0 ? NULL : reader->fields[target].type));
    }
    return base_ok();
}

static base_status enum_expand(schema_avro_pairs *pairs, schema_avro_pair *pair)
{
    base_value names;
    BASE_TRY(index_names(pairs, pair->reader, &names));
    pair->targets = BASE_ARENA_ARRAY(pairs->arena, int32_t, pair->writer->count);
    if (pair->targets == NULL) {
        return no_memory(pairs);
    }
    for (size_t i = 0; i < pair->writer->count; i++) {
        const base_value *index = base_map_get(&names, pair->writer->symbols[i]);
        pair->targets[i] = index != NULL ? (int32_t)index->integer : pair->reader->symbol_default;
        if (pair->targets[i] < 0) {
            pair->flaw = SCHEMA_AVRO_MISSING_ENUM_SYMBOLS;
        }
    }
    return base_ok();
}

static bool promotes(schema_avro_type writer, schema_avro_type reader)
{
    switch (reader) {
    case SCHEMA_AVRO_LONG:
    case SCHEMA_AVRO_FLOAT:
    case SCHEMA_AVRO_DOUBLE:
        return writer >= SCHEMA_AVRO_INT && writer < reader;
    case SCHEMA_AVRO_BYTES:
        return writer == SCHEMA_AVRO_STRING;
    case SCHEMA_AVRO_STRING:
        return writer == SCHEMA_AVRO_BYTES;
    case SCHEMA_AVRO_NULL:
    case SCHEMA_AVRO_BOOLEAN:
    case SCHEMA_AVRO_INT:
    case SCHEMA_AVRO_RECORD:
    case SCHEMA_AVRO_ENUM:
    case SCHEMA_AVRO_FIXED:
    case SCHEMA_AVRO_ARRAY:
    case SCHEMA_AVRO_MAP:
    case SCHEMA_AVRO_UNION:
    case SCHEMA_AVRO_TYPE_COUNT:
        break;
    }
    return false;
}

/* What is wrong with two types, their parts left aside. */
static schema_avro_flaw flaw_of(const schema_avro_node *writer, const schema_avro_node *reader)
{
    if (writer->type != reader->type) {
        return promotes(writer->type, reader->type) ? SCHEMA_AVRO_FITS : SCHEMA_AVRO_TYPE_MISMATCH;
    }
    if (schema_avro_is_named(writer) && !names_match(writer, reader)) {
        return SCHEMA_AVRO_NAME_MISMATCH;
    }
    if (writer->type == SCHEMA_AVRO_FIXED && writer->fixed_size != reader->fixed_size) {
        return SCHEMA_AVRO_FIXED_SIZE_MISMATCH;
    }
    const bool decimals =
        writer->logical == SCHEMA_AVRO_DECIMAL && reader->logical == SCHEMA_AVRO_DECIMAL;
    return decimals && (writer->precision != reader->precision || writer->scale != reader->scale)
               ? SCHEMA_AVRO_TYPE_MISMATCH
               : SCHEMA_AVRO_FITS;
}

/* The children of a pair and what is wrong with it alone. */
static base_status pair_expand(schema_avro_pairs *pairs, schema_avro_pair *pair)
{
    const schema_avro_node *writer = pair->writer;
    const schema_avro_node *reader = pair->reader;
    if (writer->type == SCHEMA_AVRO_UNION) {
        BASE_TRY(children_make(pairs, pair, writer->count));
        for (size_t i = 0; i < writer->count; i++) {
            BASE_TRY(child_set(pairs, pair, i, writer->branches[i], reader));
        }
        return base_ok();
    }
    if (reader != NULL && reader->type == SCHEMA_AVRO_UNION) {
        pair->any = true;
        BASE_TRY(children_make(pairs, pair, reader->count));
        for (size_t i = 0; i < reader->count; i++) {
            BASE_TRY(child_set(pairs, pair, i, writer, reader->branches[i]));
        }
        return base_ok();
    }
    if (reader != NULL) {
        pair->flaw = flaw_of(writer, reader);
        if (pair->flaw != SCHEMA_AVRO_FITS) {
            return base_ok();
        }
    }
    if (writer->type == SCHEMA_AVRO_RECORD) {
        return record_expand(pairs, pair);
    }
    if (writer->type == SCHEMA_AVRO_ENUM && reader != NULL) {
        return enum_expand(pairs, pair);
    }
    if (writer->type == SCHEMA_AVRO_ARRAY || writer->type == SCHEMA_AVRO_MAP) {
        BASE_TRY(children_make(pairs, pair, 1));
        return child_set(pairs, pair, 0, writer->item, reader == NULL ? NULL : reader->item);
    }
    return base_ok();
}

/* Marks what is wrong alone, then what needs it. */
static base_status mark_bad(schema_avro_pairs *pairs)
{
    schema_avro_pair **queue = BASE_ARENA_ARRAY(pairs->arena, schema_avro_pair *, pairs->count);
    size_t count = 0;
    if (queue == NULL) {
        return no_memory(pairs);
    }
    for (size_t i = 0; i < pairs->count; i++) {
        schema_avro_pair *pair = pairs->pairs[i];
        pair->bad_left = pair->any ? pair->child_count : 1;
        pair->bad = pair->flaw != SCHEMA_AVRO_FITS || pair->bad_left == 0;
        if (pair->bad) {
            queue[count++] = pair;
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (const schema_avro_edge *edge = queue[i]->needed_by; edge != NULL; edge = edge->next) {
            schema_avro_pair *parent = edge->parent;
            if (!parent->bad && --parent->bad_left == 0) {
                parent->bad = true;
                queue[count++] = parent;
            }
        }
    }
    return base_ok();
}

base_status schema_avro_pairs_make(const schema_avro_node *writer, const schema_avro_node *reader,
                                   base_arena *arena, schema_avro_pairs *pairs_out,
                                   base_error *error)
{
    schema_avro_pair *root;
    *pairs_out = (schema_avro_pairs){.arena = arena, .error = error};
    pairs_out->buckets = BASE_ARENA_ARRAY(arena, schema_avro_pair *, BUCKET_COUNT);
    if (pairs_out->buckets == NULL) {
        return no_memory(pairs_out);
    }
    BASE_TRY(pair_get(pairs_out, writer, reader, &root));
    for (size_t i = 0; i < pairs_out->count; i++) {
        BASE_TRY(pair_expand(pairs_out, pairs_out->pairs[i]));
    }
    return mark_bad(pairs_out);
}
