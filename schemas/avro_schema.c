/*
 * Reading a schema: two passes, neither recursive.
 *
 *   pass 1   a stack of tasks {JSON, enclosing namespace, where the node goes}; the newest first,
 *            so types are met in the order of the text, and a name is known to all that follows it
 *   pass 2   over all nodes: union branches and defaults, which need their types whole
 */
#include "schemas/avro_schema.h"

#include "base/hash.h"
#include "schemas/json.h"

#define BUCKET_COUNT ((size_t)1024)

typedef struct name_entry {
    struct name_entry *next;
    base_slice name;
    const schema_avro_node *node;
} name_entry;

typedef struct task {
    const base_value *json;
    base_slice space;
    const schema_avro_node **slot;
} task;

typedef struct parser {
    base_arena *arena;
    base_error *error;
    base_slice path;
    schema_avro_node **nodes;
    size_t node_count;
    size_t node_capacity;
    size_t named_count;
    name_entry **buckets;
    task *tasks;
    size_t task_count;
    size_t task_capacity;
} parser;

static const char *const TYPE_NAMES[SCHEMA_AVRO_TYPE_COUNT] = {
    [SCHEMA_AVRO_NULL] = "null",     [SCHEMA_AVRO_BOOLEAN] = "boolean",
    [SCHEMA_AVRO_INT] = "int",       [SCHEMA_AVRO_LONG] = "long",
    [SCHEMA_AVRO_FLOAT] = "float",   [SCHEMA_AVRO_DOUBLE] = "double",
    [SCHEMA_AVRO_BYTES] = "bytes",   [SCHEMA_AVRO_STRING] = "string",
    [SCHEMA_AVRO_RECORD] = "record", [SCHEMA_AVRO_ENUM] = "enum",
    [SCHEMA_AVRO_FIXED] = "fixed",   [SCHEMA_AVRO_ARRAY] = "array",
    [SCHEMA_AVRO_MAP] = "map",       [SCHEMA_AVRO_UNION] = "union",
};

static const struct {
    const char *name;
    schema_avro_type type;
} LOGICALS[SCHEMA_AVRO_LOGICAL_COUNT] = {
    [SCHEMA_AVRO_PLAIN] = {"", SCHEMA_AVRO_NULL},
    [SCHEMA_AVRO_DECIMAL] = {"decimal", SCHEMA_AVRO_BYTES}, /* or fixed */
    [SCHEMA_AVRO_UUID] = {"uuid", SCHEMA_AVRO_STRING},
    [SCHEMA_AVRO_DATE] = {"date", SCHEMA_AVRO_INT},
    [SCHEMA_AVRO_TIME_MILLIS] = {"time-millis", SCHEMA_AVRO_INT},
    [SCHEMA_AVRO_TIME_MICROS] = {"time-micros", SCHEMA_AVRO_LONG},
    [SCHEMA_AVRO_TIMESTAMP_MILLIS] = {"timestamp-millis", SCHEMA_AVRO_LONG},
    [SCHEMA_AVRO_TIMESTAMP_MICROS] = {"timestamp-micros", SCHEMA_AVRO_LONG},
    [SCHEMA_AVRO_LOCAL_TIMESTAMP_MILLIS] = {"local-timestamp-millis", SCHEMA_AVRO_LONG},
    [SCHEMA_AVRO_LOCAL_TIMESTAMP_MICROS] = {"local-timestamp-micros", SCHEMA_AVRO_LONG},
};

const char *schema_avro_type_name(schema_avro_type type)
{
    return TYPE_NAMES[type];
}

const char *schema_avro_logical_name(schema_avro_logical logical)
{
    return LOGICALS[logical].name;
}

bool schema_avro_is_named(const schema_avro_node *node)
{
    return node->type == SCHEMA_AVRO_RECORD || node->type == SCHEMA_AVRO_ENUM ||
           node->type == SCHEMA_AVRO_FIXED;
}

base_slice schema_avro_branch_name(const schema_avro_node *node)
{
    return schema_avro_is_named(node) ? node->name : base_slice_of(TYPE_NAMES[node->type]);
}

base_slice schema_avro_simple_name(base_slice name)
{
    size_t start = name.size;
    while (start > 0 && name.data[start - 1] != '.') {
        start--;
    }
    return base_slice_make(name.data + start, name.size - start);
}

/* ---- errors ---- */

static base_status placed(parser *p, base_place place, base_status status)
{
    base_error_path(p->error, p->path);
    base_error_place(p->error, base_place_line(place), base_place_column(place));
    return status;
}

static base_status no_memory(parser *p)
{
    return placed(p, 0, base_error_set(p->error, BASE_OUT_OF_MEMORY, "no memory for a schema"));
}

#define FAIL(p, place, ...)                                                                        \
    placed((p), (place), base_error_set((p)->error, BASE_BAD_INPUT, __VA_ARGS__))

/* ---- names ---- */

static bool is_name(base_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return text.size > 0;
}

/* Names with dots between them. */
static bool is_full_name(base_slice text)
{
    size_t start = 0;
    for (size_t i = 0; i <= text.size; i++) {
        if (i == text.size || text.data[i] == '.') {
            if (!is_name(base_slice_make(text.data + start, i - start))) {
                return false;
            }
            start = i + 1;
        }
    }
    return true;
}

static bool has_dot(base_slice text)
{
    return text.size > 0 && memchr(text.data, '.', text.size) != NULL;
}

/* The namespace of a full name; empty for none. */
static base_slice space_of(base_slice name)
{
    const base_slice simple = schema_avro_simple_name(name);
    return base_slice_make(name.data, simple.size == name.size ? 0 : name.size - simple.size - 1);
}

/* data NULL: no memory. */
static base_slice full_name(parser *p, base_slice name, base_slice space)
{
    if (has_dot(name) || space.size == 0) {
        return name;
    }
    return base_arena_print(p->arena, "%.*s.%.*s", BASE_SLICE_ARG(space), BASE_SLICE_ARG(name));
}

static size_t bucket_of(base_slice name)
{
    return (size_t)(base_hash64(name, 0) % BUCKET_COUNT);
}

static const schema_avro_node *name_find(const parser *p, base_slice name)
{
    for (const name_entry *at = p->buckets[bucket_of(name)]; at != NULL; at = at->next) {
        if (base_slice_equal(at->name, name)) {
            return at->node;
        }
    }
    return NULL;
}

static int primitive_of(base_slice name)
{
    for (int type = SCHEMA_AVRO_NULL; type <= SCHEMA_AVRO_STRING; type++) {
        if (base_slice_is(name, TYPE_NAMES[type])) {
            return type;
        }
    }
    return -1;
}

static void hint_nearest(parser *p, base_slice name)
{
    base_slice *candidates =
        BASE_ARENA_ARRAY(p->arena, base_slice, p->named_count + SCHEMA_AVRO_TYPE_COUNT);
    if (candidates == NULL || p->error == NULL) {
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < SCHEMA_AVRO_UNION; i++) {
        candidates[count++] = base_slice_of(TYPE_NAMES[i]);
    }
    for (size_t i = 0; i < p->node_count; i++) {
        if (schema_avro_is_named(p->nodes[i]) && count < p->named_count + SCHEMA_AVRO_UNION) {
            candidates[count++] = p->nodes[i]->name;
        }
    }
    const base_slice nearest = base_error_nearest(name, candidates, count);
    if (nearest.size > 0) {
        base_error_hint(p->error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(nearest));
    } else {
        base_error_hint(p->error, "a named type must be defined before it is used");
    }
}

/* ---- nodes and tasks ---- */

static base_status node_new(parser *p, schema_avro_type type, base_place place,
                            schema_avro_node **node_out)
{
    if (p->node_count == SCHEMA_AVRO_NODE_COUNT_MAX) {
        return placed(p, place,
                      base_error_set(p->error, BASE_TOO_LARGE, "a schema of more than %zu types",
                                     SCHEMA_AVRO_NODE_COUNT_MAX));
    }
    if (p->node_count == p->node_capacity) {
        const size_t capacity = p->node_capacity * 2 + 16;
        void *grown = base_arena_grow(p->arena, p->nodes, p->node_capacity * sizeof(*p->nodes),
                                      capacity * sizeof(*p->nodes));
        if (grown == NULL) {
            return no_memory(p);
        }
        p->nodes = grown;
        p->node_capacity = capacity;
    }
    schema_avro_node *node = BASE_ARENA_NEW(p->arena, schema_avro_node);
    if (node == NULL) {
        return no_memory(p);
    }
    node->type = type;
    node->index = (uint32_t)p->node_count;
    node->place = place;
    node->symbol_default = -1;
    p->nodes[p->node_count++] = node;
    *node_out = node;
    return base_ok();
}

static base_status task_push(parser *p, const base_value *json, base_slice space,
                             const schema_avro_node **slot)
{
    if (p->task_count == p->task_capacity) {
        const size_t capacity = p->task_capacity * 2 + 32;
        void *grown = base_arena_grow(p->arena, p->tasks, p->task_capacity * sizeof(*p->tasks),
                                      capacity * sizeof(*p->tasks));
        if (grown == NULL) {
            return no_memory(p);
        }
        p->tasks = grown;
        p->task_capacity = capacity;
    }
    p->tasks[p->task_count++] = (task){json, space, slot};
    return base_ok();
}

/* ---- attributes ---- */

static base_slice text_attribute(const base_value *json, const char *key)
{
    const base_value *value = base_map_get_text(json, key);
    return value != NULL && value->kind == BASE_STRING ? base_value_slice(value) : (base_slice){0};
}

/* The list of names under key, full by space where `full`. */
static base_status names_attribute(parser *p, const base_value *json, const char *key, bool full,
                                   base_slice space, const base_slice **names_out,
                                   size_t *count_out)
{
    const base_value *list = base_map_get_text(json, key);
    if (list == NULL) {
        return base_ok();
    }
    if (list->kind != BASE_LIST) {
        return FAIL(p, list->place, "\"%s\" must be an array of names", key);
    }
    base_slice *names = BASE_ARENA_ARRAY(p->arena, base_slice, list->size);
    if (names == NULL) {
        return no_memory(p);
    }
    for (size_t i = 0; i < list->size; i++) {
        const base_value *item = &list->items[i];
        const base_slice name = base_value_slice(item);
        if (item->kind != BASE_STRING || !(full ? is_full_name(name) : is_name(name))) {
            return FAIL(p, item->place, "\"%.*s\" in \"%s\" is no name", BASE_SLICE_ARG(name), key);
        }
        names[i] = full ? full_name(p, name, space) : name;
        if (names[i].data == NULL) {
            return no_memory(p);
        }
    }
    *names_out = names;
    *count_out = list->size;
    return base_ok();
}

/* A set of names that tells when one comes again. */
static base_status set_add(parser *p, base_map_builder *set, base_slice name, bool *again_out)
{
    const base_value nothing = base_value_null();
    const size_t before = set->count;
    if (base_failed(base_map_put(set, name, &nothing))) {
        return no_memory(p);
    }
    *again_out = set->count == before;
    return base_ok();
}

static bool integer_attribute(const base_value *json, const char *key, int64_t *number_out)
{
    const base_value *value = base_map_get_text(json, key);
    if (value == NULL || value->kind != BASE_INTEGER) {
        return false;
    }
    *number_out = value->integer;
    return true;
}

/* Decimal digits that size bytes of two's complement can always hold: floor(log10(2^(8n-1) - 1)),
 * by log10(2) = 0.30102999566398 (a power of 2 is no power of 10, so floor is safe; exact to far
 * above any size that matters, and below it by one at the worst). */
static int64_t digits_of(int64_t size)
{
    return size <= 0 ? 0 : (size * 8 - 1) * INT64_C(30102999566) / INT64_C(100000000000);
}

static void logical_read(const base_value *json, schema_avro_node *node)
{
    const base_slice name = text_attribute(json, "logicalType");
    if (name.size == 0) {
        return;
    }
    for (int i = SCHEMA_AVRO_DECIMAL; i < SCHEMA_AVRO_LOGICAL_COUNT; i++) {
        if (!base_slice_is(name, LOGICALS[i].name)) {
            continue;
        }
        if (i != SCHEMA_AVRO_DECIMAL) {
            node->logical = node->type == LOGICALS[i].type ? (schema_avro_logical)i : node->logical;
            return;
        }
        int64_t precision = 0;
        int64_t scale = 0;
        const bool whole =
            base_map_get_text(json, "scale") == NULL || integer_attribute(json, "scale", &scale);
        const int64_t most = node->type == SCHEMA_AVRO_BYTES   ? INT32_MAX
                             : node->type == SCHEMA_AVRO_FIXED ? digits_of(node->fixed_size)
                                                               : 0;
        if (whole && integer_attribute(json, "precision", &precision) && precision > 0 &&
            precision <= most && precision <= INT32_MAX && scale >= 0 && scale <= precision) {
            node->logical = SCHEMA_AVRO_DECIMAL;
            node->precision = (int32_t)precision;
            node->scale = (int32_t)scale;
        }
        return;
    }
}

/* ---- types ---- */

/* Name, namespace, aliases and doc of a named type; it is known from here on. */
static base_status named_read(parser *p, const base_value *json, base_slice space,
                              schema_avro_node *node)
{
    const base_value *given = base_map_get_text(json, "name");
    const char *type = TYPE_NAMES[node->type];
    if (given == NULL || given->kind != BASE_STRING) {
        return FAIL(p, given != NULL ? given->place : json->place, "%s has no name", type);
    }
    const base_slice name = base_value_slice(given);
    const base_value *space_given = base_map_get_text(json, "namespace");
    if (!is_full_name(name)) {
        return FAIL(p, given->place, "\"%.*s\" is no name", BASE_SLICE_ARG(name));
    }
    if (space_given != NULL && space_given->kind != BASE_NULL) {
        space = base_value_slice(space_given);
        if (space_given->kind != BASE_STRING || (space.size > 0 && !is_full_name(space))) {
            return FAIL(p, space_given->place, "\"%.*s\" is no namespace", BASE_SLICE_ARG(space));
        }
    }
    if (primitive_of(schema_avro_simple_name(name)) >= 0) {
        return FAIL(p, given->place, "%s \"%.*s\" has the name of a primitive type", type,
                    BASE_SLICE_ARG(name));
    }
    node->name = full_name(p, name, space);
    name_entry *entry = BASE_ARENA_NEW(p->arena, name_entry);
    if (node->name.data == NULL || entry == NULL) {
        return no_memory(p);
    }
    const schema_avro_node *earlier = name_find(p, node->name);
    if (earlier != NULL) {
        const base_status status =
            FAIL(p, given->place, "type \"%.*s\" is defined twice", BASE_SLICE_ARG(node->name));
        base_error_hint(p->error, "it was defined at line %u; after that its name alone is enough",
                        (unsigned)base_place_line(earlier->place));
        return status;
    }
    name_entry **bucket = &p->buckets[bucket_of(node->name)];
    *entry = (name_entry){*bucket, node->name, node};
    *bucket = entry;
    p->named_count++;
    node->doc = text_attribute(json, "doc");
    return names_attribute(p, json, "aliases", true, space_of(node->name), &node->aliases,
                           &node->alias_count);
}

static base_status order_read(parser *p, const base_value *json, schema_avro_order *order_out)
{
    static const char *const NAMES[] = {"ascending", "descending", "ignore"};
    const base_value *order = base_map_get_text(json, "order");
    for (size_t i = 0; order != NULL && i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (order->kind == BASE_STRING && base_slice_is(base_value_slice(order), NAMES[i])) {
            *order_out = (schema_avro_order)i;
            return base_ok();
        }
    }
    return order == NULL
               ? base_ok()
               : FAIL(p, order->place, "\"order\" must be ascending, descending or ignore");
}

static base_status field_read(parser *p, const base_value *json, base_map_builder *seen,
                              schema_avro_field *field)
{
    if (json->kind != BASE_MAP) {
        return FAIL(p, json->place, "a field must be an object, not %s",
                    base_kind_name((base_kind)json->kind));
    }
    const base_value *name = base_map_get_text(json, "name");
    if (name == NULL || name->kind != BASE_STRING || !is_name(base_value_slice(name))) {
        return FAIL(p, name != NULL ? name->place : json->place,
                    name == NULL ? "a field has no name" : "the name of a field is no name");
    }
    field->name = base_value_slice(name);
    bool again = false;
    BASE_TRY(set_add(p, seen, field->name, &again));
    if (again) {
        return FAIL(p, name->place, "field \"%.*s\" is there twice", BASE_SLICE_ARG(field->name));
    }
    if (base_map_get_text(json, "type") == NULL) {
        return FAIL(p, json->place, "field \"%.*s\" has no type", BASE_SLICE_ARG(field->name));
    }
    field->default_json = base_map_get_text(json, "default");
    field->doc = text_attribute(json, "doc");
    BASE_TRY(order_read(p, json, &field->order));
    return names_attribute(p, json, "aliases", false, (base_slice){0}, &field->aliases,
                           &field->alias_count);
}

static base_status record_read(parser *p, const base_value *json, base_slice space,
                               schema_avro_node *node)
{
    BASE_TRY(named_read(p, json, space, node));
    const base_value *fields = base_map_get_text(json, "fields");
    if (fields == NULL || fields->kind != BASE_LIST) {
        return FAIL(p, fields != NULL ? fields->place : json->place,
                    "record \"%.*s\" has no array \"fields\"", BASE_SLICE_ARG(node->name));
    }
    node->fields = BASE_ARENA_ARRAY(p->arena, schema_avro_field, fields->size);
    if (node->fields == NULL) {
        return no_memory(p);
    }
    node->count = fields->size;
    base_map_builder seen;
    base_map_begin(&seen, p->arena);
    for (size_t i = 0; i < fields->size; i++) {
        BASE_TRY(field_read(p, &fields->items[i], &seen, &node->fields[i]));
    }
    for (size_t i = fields->size; i-- > 0;) { /* the first on top of the stack */
        BASE_TRY(task_push(p, base_map_get_text(&fields->items[i], "type"), space_of(node->name),
                           &node->fields[i].type));
    }
    return base_ok();
}

static base_status enum_read(parser *p, const base_value *json, base_slice space,
                             schema_avro_node *node)
{
    BASE_TRY(named_read(p, json, space, node));
    const base_value *list = base_map_get_text(json, "symbols");
    if (list == NULL) {
        return FAIL(p, json->place, "enum \"%.*s\" has no symbols", BASE_SLICE_ARG(node->name));
    }
    BASE_TRY(names_attribute(p, json, "symbols", false, space, &node->symbols, &node->count));
    base_map_builder seen;
    base_map_begin(&seen, p->arena);
    for (size_t i = 0; i < node->count; i++) {
        bool again = false;
        BASE_TRY(set_add(p, &seen, node->symbols[i], &again));
        if (again) {
            return FAIL(p, list->items[i].place, "symbol \"%.*s\" is there twice",
                        BASE_SLICE_ARG(node->symbols[i]));
        }
    }
    const base_value *fallback = base_map_get_text(json, "default");
    for (size_t i = 0; fallback != NULL && i < node->count; i++) {
        if (fallback->kind == BASE_STRING &&
            base_slice_equal(base_value_slice(fallback), node->symbols[i])) {
            node->symbol_default = (int32_t)i;
        }
    }
    if (fallback != NULL && node->symbol_default < 0) {
        return FAIL(p, fallback->place, "the default of enum \"%.*s\" is none of its symbols",
                    BASE_SLICE_ARG(node->name));
    }
    return base_ok();
}

static base_status fixed_read(parser *p, const base_value *json, base_slice space,
                              schema_avro_node *node)
{
    BASE_TRY(named_read(p, json, space, node));
    if (!integer_attribute(json, "size", &node->fixed_size) || node->fixed_size < 0 ||
        node->fixed_size > SCHEMA_AVRO_FIXED_SIZE_MAX) {
        return FAIL(p, json->place, "fixed \"%.*s\" needs a size from 0 to %lld",
                    BASE_SLICE_ARG(node->name), (long long)SCHEMA_AVRO_FIXED_SIZE_MAX);
    }
    logical_read(json, node);
    return base_ok();
}

static base_status union_read(parser *p, const base_value *json, base_slice space,
                              const schema_avro_node **slot)
{
    schema_avro_node *node = NULL;
    BASE_TRY(node_new(p, SCHEMA_AVRO_UNION, json->place, &node));
    *slot = node;
    node->count = json->size;
    node->branches = BASE_ARENA_ARRAY(p->arena, const schema_avro_node *, json->size);
    if (node->branches == NULL) {
        return no_memory(p);
    }
    for (size_t i = json->size; i-- > 0;) {
        BASE_TRY(task_push(p, &json->items[i], space, &node->branches[i]));
    }
    return base_ok();
}

/* A type by name: primitive, or defined before. */
static base_status reference_read(parser *p, base_slice name, const base_value *json,
                                  base_place place, base_slice space, const schema_avro_node **slot)
{
    const int primitive = primitive_of(name);
    if (primitive >= 0) {
        schema_avro_node *node = NULL;
        BASE_TRY(node_new(p, (schema_avro_type)primitive, place, &node));
        if (json->kind == BASE_MAP) {
            logical_read(json, node);
        }
        *slot = node;
        return base_ok();
    }
    const base_slice full = full_name(p, name, space);
    if (full.data == NULL) {
        return no_memory(p);
    }
    *slot = name_find(p, full);
    if (*slot == NULL) { /* as Java's parser does */
        *slot = name_find(p, name);
    }
    if (*slot != NULL) {
        return base_ok();
    }
    const base_status status = FAIL(p, place, "unknown type \"%.*s\"", BASE_SLICE_ARG(name));
    hint_nearest(p, name);
    return status;
}

static base_status complex_read(parser *p, schema_avro_type type, const base_value *json,
                                base_slice space, const schema_avro_node **slot)
{
    schema_avro_node *node = NULL;
    BASE_TRY(node_new(p, type, json->place, &node));
    *slot = node;
    if (type == SCHEMA_AVRO_RECORD) {
        return record_read(p, json, space, node);
    }
    if (type == SCHEMA_AVRO_ENUM) {
        return enum_read(p, json, space, node);
    }
    if (type == SCHEMA_AVRO_FIXED) {
        return fixed_read(p, json, space, node);
    }
    const char *key = type == SCHEMA_AVRO_ARRAY ? "items" : "values";
    const base_value *item = base_map_get_text(json, key);
    if (item == NULL) {
        return FAIL(p, json->place, "%s has no \"%s\"", TYPE_NAMES[type], key);
    }
    return task_push(p, item, space, &node->item);
}

static base_status type_read(parser *p, const task *at)
{
    const base_value *json = at->json;
    const base_value *type = json;
    while (type->kind == BASE_MAP) { /* {"type": {"type": "int"}}: the inner one counts */
        json = type;
        type = base_map_get_text(json, "type");
        if (type == NULL) {
            return FAIL(p, json->place, "a schema object has no \"type\"");
        }
    }
    if (type->kind == BASE_LIST) {
        return union_read(p, type, at->space, at->slot);
    }
    if (type->kind != BASE_STRING) {
        return FAIL(p, type->place, "a type must be a name, an object or an array, not %s",
                    base_kind_name((base_kind)type->kind));
    }
    const base_slice name = base_value_slice(type);
    if (json->kind == BASE_MAP) {
        for (int i = SCHEMA_AVRO_RECORD; i <= SCHEMA_AVRO_MAP; i++) {
            if (base_slice_is(name, TYPE_NAMES[i])) {
                return complex_read(p, (schema_avro_type)i, json, at->space, at->slot);
            }
        }
        if (base_slice_is(name, "error")) {
            return complex_read(p, SCHEMA_AVRO_RECORD, json, at->space, at->slot);
        }
    }
    return reference_read(p, name, json, type->place, at->space, at->slot);
}

/* ---- the second pass ---- */

static base_status union_check(parser *p, const schema_avro_node *node)
{
    base_map_builder seen;
    base_map_begin(&seen, p->arena);
    for (size_t i = 0; i < node->count; i++) {
        const schema_avro_node *branch = node->branches[i];
        const base_slice name = schema_avro_branch_name(branch);
        bool again = false;
        if (branch->type == SCHEMA_AVRO_UNION) {
            return FAIL(p, branch->place, "a union right inside a union");
        }
        BASE_TRY(set_add(p, &seen, name, &again));
        if (again) {
            return FAIL(p, node->place, "a union has \"%.*s\" twice", BASE_SLICE_ARG(name));
        }
    }
    return base_ok();
}

static base_status node_check(parser *p, const schema_avro_node *node)
{
    if (node->type == SCHEMA_AVRO_UNION) {
        return union_check(p, node);
    }
    for (size_t i = 0; node->type == SCHEMA_AVRO_RECORD && i < node->count; i++) {
        const schema_avro_field *field = &node->fields[i];
        if (field->default_json == NULL) {
            continue;
        }
        const base_arena_mark mark = base_arena_mark_get(p->arena);
        const base_status status =
            schema_avro_default(field->type, field->default_json, p->arena, NULL, p->error);
        base_arena_rewind(p->arena, mark);
        if (base_failed(status)) {
            base_error_context(p->error, "default of field \"%.*s\"", BASE_SLICE_ARG(field->name));
            base_error_path(p->error, p->path);
            return status;
        }
    }
    return base_ok();
}

base_status schema_avro_read(base_slice text, base_slice path, base_arena *arena,
                             const schema_avro **schema_out, base_error *error)
{
    parser p = {.arena = arena, .error = error, .path = path};
    const base_slice copy = base_arena_copy(arena, text);
    schema_avro *schema = BASE_ARENA_NEW(arena, schema_avro);
    base_value *json = BASE_ARENA_NEW(arena, base_value);
    p.buckets = BASE_ARENA_ARRAY(arena, name_entry *, BUCKET_COUNT);
    if (copy.data == NULL || schema == NULL || json == NULL || p.buckets == NULL) {
        return no_memory(&p);
    }
    const schema_json_options options = {
        .path = path, .size_max = SCHEMA_AVRO_TEXT_SIZE_MAX, .places = true};
    BASE_TRY(schema_json_read(copy, &options, arena, json, error));
    BASE_TRY(task_push(&p, json, (base_slice){0}, &schema->root));
    while (p.task_count > 0) {
        const task at = p.tasks[--p.task_count];
        BASE_TRY(type_read(&p, &at));
    }
    for (size_t i = 0; i < p.node_count; i++) {
        BASE_TRY(node_check(&p, p.nodes[i]));
    }
    schema->nodes = p.nodes;
    schema->node_count = p.node_count;
    schema->text = copy;
    *schema_out = schema;
    return base_ok();
}
