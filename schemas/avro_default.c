/*
 * Defaults: JSON in a schema as a value of its type. A stack of open arrays, maps and records.
 *
 * A field that a record's default leaves out has its own default. To check, that needs no look:
 * each field's default is checked once, where it stands. To build, it is followed, and may go on
 * without end (a record with a field of its own type that defaults to {}) or double at each level:
 * depth and number of values are bounded.
 */
#include "schemas/avro_value.h"

typedef struct frame {
    const schema_avro_node *node;
    const base_value *json;
    size_t index;   /* of the next field, item or member */
    base_slice key; /* of the one that is being made */
    base_list_builder list;
    base_map_builder map;
} frame;

typedef struct maker {
    base_arena *arena;
    base_error *error;
    bool build;
    size_t value_count;
    size_t depth;
    frame *frames;
} maker;

static base_status no_memory(maker *m)
{
    return base_error_set(m->error, BASE_OUT_OF_MEMORY, "no memory for a default");
}

static base_status mismatch(maker *m, const schema_avro_node *node, const base_value *json)
{
    const base_status status =
        base_error_set(m->error, BASE_BAD_INPUT, "expected %s, found %s",
                       schema_avro_expected(node), base_kind_name((base_kind)json->kind));
    base_error_place(m->error, base_place_line(json->place), base_place_column(json->place));
    return status;
}

static base_status bytes_make(maker *m, const schema_avro_node *node, const base_value *json,
                              base_value *out)
{
    size_t size;
    if (!m->build) {
        *out = base_value_null();
        return base_ok();
    }
    char *bytes = base_arena_alloc(m->arena, json->size);
    if (bytes == NULL) {
        return no_memory(m);
    }
    if (!schema_avro_latin(base_value_slice(json), bytes, &size)) {
        return mismatch(m, node, json);
    }
    *out = base_value_bytes(base_slice_make(bytes, size));
    if (node->logical == SCHEMA_AVRO_DECIMAL) {
        const base_status status =
            schema_avro_decimal_read(base_value_slice(out), node->scale, m->arena, out);
        if (base_failed(status)) {
            return base_error_set(m->error, status.code, "a decimal of more than %zu bytes",
                                  SCHEMA_AVRO_DECIMAL_SIZE_MAX);
        }
    }
    return base_ok();
}

/* A value at `json`: done in *out, or a frame more. */
static base_status visit(maker *m, const schema_avro_node *node, const base_value *json,
                         base_value *out, bool *done_out)
{
    if (node->type == SCHEMA_AVRO_UNION) {
        const schema_avro_node *branch = schema_avro_branch_for(node, json, true, NULL);
        if (branch == NULL) {
            return mismatch(m, node, json);
        }
        node = branch;
    }
    if (!schema_avro_fits(node, json, true)) {
        return mismatch(m, node, json);
    }
    if (m->build && ++m->value_count > SCHEMA_AVRO_DEFAULT_COUNT_MAX) {
        return base_error_set(m->error, BASE_TOO_LARGE, "a default of more than %zu values",
                              SCHEMA_AVRO_DEFAULT_COUNT_MAX);
    }
    *done_out = true;
    if (node->type == SCHEMA_AVRO_BYTES || node->type == SCHEMA_AVRO_FIXED) {
        return bytes_make(m, node, json, out);
    }
    if (node->type < SCHEMA_AVRO_RECORD || node->type == SCHEMA_AVRO_ENUM) {
        *out = *json;
        out->place = 0;
        return base_ok();
    }
    if (m->depth == BASE_VALUE_DEPTH_MAX) {
        return base_error_set(m->error, BASE_TOO_LARGE, "a default of more than %d levels",
                              BASE_VALUE_DEPTH_MAX);
    }
    frame *top = &m->frames[m->depth++];
    *top = (frame){.node = node, .json = json};
    base_list_begin(&top->list, m->arena);
    base_map_begin(&top->map, m->arena);
    *done_out = false;
    return base_ok();
}

/* The next value below the frame; NULL: there is no more. */
static const base_value *next_of(const maker *m, frame *top, const schema_avro_node **node_out)
{
    if (top->node->type == SCHEMA_AVRO_RECORD) {
        while (top->index < top->node->count) {
            const schema_avro_field *field = &top->node->fields[top->index++];
            const base_value *json = base_map_get(top->json, field->name);
            if (json == NULL && m->build) {
                json = field->default_json;
            }
            if (json != NULL) {
                top->key = field->name;
                *node_out = field->type;
                return json;
            }
        }
        return NULL;
    }
    *node_out = top->node->item;
    if (top->index == top->json->size) {
        return NULL;
    }
    if (top->node->type == SCHEMA_AVRO_ARRAY) {
        return &top->json->items[top->index++];
    }
    const base_member *member = &top->json->members[top->index++];
    top->key = member->key;
    return &member->value;
}

static base_status add(maker *m, const base_value *value)
{
    frame *top = &m->frames[m->depth - 1];
    if (!m->build) {
        return base_ok();
    }
    return base_failed(top->node->type == SCHEMA_AVRO_ARRAY
                           ? base_list_push(&top->list, value)
                           : base_map_put(&top->map, top->key, value))
               ? no_memory(m)
               : base_ok();
}

base_status schema_avro_default(const schema_avro_node *type, const base_value *json,
                                base_arena *arena, base_value *value_out, base_error *error)
{
    maker m = {.arena = arena, .error = error, .build = value_out != NULL};
    base_value value = base_value_null();
    bool done = false;
    if (type->type >= SCHEMA_AVRO_RECORD) { /* others need no stack */
        m.frames = BASE_ARENA_ARRAY(arena, frame, BASE_VALUE_DEPTH_MAX);
        if (m.frames == NULL) {
            return no_memory(&m);
        }
    }
    BASE_TRY(visit(&m, type, json, &value, &done));
    while (m.depth > 0) {
        frame *top = &m.frames[m.depth - 1];
        const schema_avro_node *node = NULL;
        const base_value *next = next_of(&m, top, &node);
        if (next != NULL) {
            BASE_TRY(visit(&m, node, next, &value, &done));
        } else {
            value = top->node->type == SCHEMA_AVRO_ARRAY ? base_list_end(&top->list)
                                                         : base_map_end(&top->map);
            m.depth--;
            done = true;
        }
        if (done && m.depth > 0) {
            BASE_TRY(add(&m, &value));
        }
    }
    if (value_out != NULL) {
        *value_out = value;
    }
    return base_ok();
}
