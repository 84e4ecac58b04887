/* Compatibility: the pairs that do not fit (avro_pair.h), told in words, in the writer's order. */
#include "schemas/avro_compat.h"

#include "schemas/avro_pair.h"

/* A way from the root to a pair; the way is its path. */
typedef struct step {
    const struct step *from;
    schema_avro_pair *pair;
    const char *part; /* "fields", "items", "values"; NULL: an index alone, or nothing */
    size_t index;
    bool has_index;
} step;

typedef struct teller {
    base_arena *arena;
    base_error *error;
    schema_avro_verdict *verdict;
    schema_avro_reason *reasons;
    size_t against;
    bool forward;
    const step **stack;
    size_t count;
    size_t capacity;
} teller;

static const char *const FLAW_NAMES[SCHEMA_AVRO_FLAW_COUNT] = {
    [SCHEMA_AVRO_FITS] = "fits",
    [SCHEMA_AVRO_TYPE_MISMATCH] = "type_mismatch",
    [SCHEMA_AVRO_NAME_MISMATCH] = "name_mismatch",
    [SCHEMA_AVRO_FIXED_SIZE_MISMATCH] = "fixed_size_mismatch",
    [SCHEMA_AVRO_MISSING_ENUM_SYMBOLS] = "missing_enum_symbols",
    [SCHEMA_AVRO_MISSING_UNION_BRANCH] = "missing_union_branch",
    [SCHEMA_AVRO_READER_FIELD_MISSING_DEFAULT_VALUE] = "reader_field_missing_default_value",
};

static const char *const MODE_NAMES[SCHEMA_AVRO_MODE_COUNT] = {
    [SCHEMA_AVRO_NONE] = "NONE",
    [SCHEMA_AVRO_BACKWARD] = "BACKWARD",
    [SCHEMA_AVRO_BACKWARD_TRANSITIVE] = "BACKWARD_TRANSITIVE",
    [SCHEMA_AVRO_FORWARD] = "FORWARD",
    [SCHEMA_AVRO_FORWARD_TRANSITIVE] = "FORWARD_TRANSITIVE",
    [SCHEMA_AVRO_FULL] = "FULL",
    [SCHEMA_AVRO_FULL_TRANSITIVE] = "FULL_TRANSITIVE",
};

const char *schema_avro_flaw_name(schema_avro_flaw flaw)
{
    return FLAW_NAMES[flaw];
}

const char *schema_avro_mode_name(schema_avro_mode mode)
{
    return MODE_NAMES[mode];
}

bool schema_avro_mode_parse(base_slice name, schema_avro_mode *mode_out)
{
    for (size_t mode = 0; mode < SCHEMA_AVRO_MODE_COUNT; mode++) {
        size_t i = 0;
        while (i < name.size && MODE_NAMES[mode][i] != '\0' &&
               (name.data[i] == MODE_NAMES[mode][i] || name.data[i] - 32 == MODE_NAMES[mode][i])) {
            i++;
        }
        if (i == name.size && MODE_NAMES[mode][i] == '\0') {
            *mode_out = (schema_avro_mode)mode;
            return true;
        }
    }
    return false;
}

static base_status no_memory(teller *t)
{
    return base_error_set(t->error, BASE_OUT_OF_MEMORY, "no memory to compare two schemas");
}

/* ---- words ---- */

/* "record \"shop.Order\"", "int", "decimal(9,2)". data NULL: no memory. */
static base_slice node_words(teller *t, const schema_avro_node *node)
{
    const char *type = schema_avro_type_name(node->type);
    if (node->logical == SCHEMA_AVRO_DECIMAL) {
        return base_arena_print(t->arena, "decimal(%d,%d)", (int)node->precision, (int)node->scale);
    }
    if (schema_avro_is_named(node)) {
        return base_arena_print(t->arena, "%s \"%.*s\"", type, BASE_SLICE_ARG(node->name));
    }
    return base_slice_of(type);
}

/* The path of a step and, where it is one more part, the part. */
static base_slice path_words(teller *t, const step *at, base_slice tail)
{
    base_slice path = tail;
    for (; at != NULL && path.data != NULL; at = at->from) {
        if (at->part != NULL && at->has_index) {
            path = base_arena_print(t->arena, "/%s/%zu/type%.*s", at->part, at->index,
                                    BASE_SLICE_ARG(path));
        } else if (at->part != NULL) {
            path = base_arena_print(t->arena, "/%s%.*s", at->part, BASE_SLICE_ARG(path));
        }
    }
    return path;
}

static base_status reason_add(teller *t, schema_avro_flaw flaw, base_slice path, base_slice text)
{
    if (path.data == NULL || text.data == NULL) {
        return no_memory(t);
    }
    t->verdict->compatible = false;
    if (t->verdict->reason_count == SCHEMA_AVRO_REASON_COUNT_MAX) {
        t->verdict->more = true;
        return base_ok();
    }
    t->reasons[t->verdict->reason_count++] =
        (schema_avro_reason){flaw, path, text, t->against, t->forward};
    return base_ok();
}

static base_status tell_fields(teller *t, const step *at)
{
    const schema_avro_node *reader = at->pair->reader;
    for (size_t i = 0; i < reader->count; i++) {
        const schema_avro_field *field = &reader->fields[i];
        if (at->pair->given[i] || field->default_json != NULL) {
            continue;
        }
        const base_slice tail = base_arena_print(t->arena, "/fields/%zu", i);
        BASE_TRY(reason_add(
            t, at->pair->flaw, tail.data == NULL ? tail : path_words(t, at, tail),
            base_arena_print(t->arena,
                             "field \"%.*s\" of record \"%.*s\" is not written and has no default",
                             BASE_SLICE_ARG(field->name), BASE_SLICE_ARG(reader->name))));
    }
    return base_ok();
}

static base_slice symbols_words(teller *t, const schema_avro_pair *pair)
{
    size_t missing = 0;
    base_slice first = {0};
    for (size_t i = 0; i < pair->writer->count; i++) {
        if (pair->targets[i] < 0 && missing++ == 0) {
            first = pair->writer->symbols[i];
        }
    }
    return base_arena_print(t->arena, "enum \"%.*s\" lacks symbol \"%.*s\"%s and has no default",
                            BASE_SLICE_ARG(pair->reader->name), BASE_SLICE_ARG(first),
                            missing > 1 ? " and others" : "");
}

static base_status tell_pair(teller *t, const step *at)
{
    const schema_avro_pair *pair = at->pair;
    const base_slice writer = node_words(t, pair->writer);
    const base_slice reader = node_words(t, pair->reader);
    const schema_avro_flaw flaw = pair->any ? SCHEMA_AVRO_MISSING_UNION_BRANCH : pair->flaw;
    base_slice text = {0};
    if (writer.data == NULL || reader.data == NULL) {
        return no_memory(t);
    }
    switch (flaw) {
    case SCHEMA_AVRO_READER_FIELD_MISSING_DEFAULT_VALUE:
        return tell_fields(t, at);
    case SCHEMA_AVRO_MISSING_UNION_BRANCH:
        text =
            base_arena_print(t->arena, "no branch of the union reads %.*s", BASE_SLICE_ARG(writer));
        break;
    case SCHEMA_AVRO_MISSING_ENUM_SYMBOLS:
        text = symbols_words(t, pair);
        break;
    case SCHEMA_AVRO_FIXED_SIZE_MISMATCH:
        text = base_arena_print(t->arena, "fixed \"%.*s\" of %lld bytes cannot read %lld bytes",
                                BASE_SLICE_ARG(pair->reader->name),
                                (long long)pair->reader->fixed_size,
                                (long long)pair->writer->fixed_size);
        break;
    case SCHEMA_AVRO_FITS:
    case SCHEMA_AVRO_TYPE_MISMATCH:
    case SCHEMA_AVRO_NAME_MISMATCH:
    case SCHEMA_AVRO_FLAW_COUNT:
        text = base_arena_print(t->arena, "%.*s cannot read %.*s", BASE_SLICE_ARG(reader),
                                BASE_SLICE_ARG(writer));
        break;
    }
    return reason_add(t, flaw, path_words(t, at, base_slice_of("")), text);
}

/* ---- the walk ---- */

static base_status push(teller *t, const step *next)
{
    step *kept = BASE_ARENA_NEW(t->arena, step);
    if (t->count == t->capacity) {
        const size_t capacity = t->capacity * 2 + 32;
        void *grown = base_arena_grow(t->arena, t->stack, t->capacity * sizeof(*t->stack),
                                      capacity * sizeof(*t->stack));
        if (grown == NULL) {
            return no_memory(t);
        }
        t->stack = grown;
        t->capacity = capacity;
    }
    if (kept == NULL) {
        return no_memory(t);
    }
    *kept = *next;
    t->stack[t->count++] = kept;
    return base_ok();
}

/* The children that do not fit; the first on top of the stack. */
static base_status push_children(teller *t, const step *at)
{
    const schema_avro_pair *pair = at->pair;
    for (size_t i = pair->child_count; i-- > 0;) {
        schema_avro_pair *child = pair->children[i];
        step next = {.from = at, .pair = child};
        if (!child->bad || child->told) {
            continue;
        }
        if (pair->writer->type == SCHEMA_AVRO_RECORD) {
            next.part = "fields";
            next.index = (size_t)pair->targets[i];
            next.has_index = true;
        } else if (pair->writer->type != SCHEMA_AVRO_UNION) {
            next.part = pair->writer->type == SCHEMA_AVRO_ARRAY ? "items" : "values";
        }
        BASE_TRY(push(t, &next));
    }
    return base_ok();
}

static base_status compare(teller *t, const schema_avro *reader, const schema_avro *writer)
{
    schema_avro_pairs pairs;
    BASE_TRY(schema_avro_pairs_make(writer->root, reader->root, t->arena, &pairs, t->error));
    if (pairs.pairs[0]->bad) {
        BASE_TRY(push(t, &(step){.pair = pairs.pairs[0]}));
    }
    while (t->count > 0) {
        const step *at = t->stack[--t->count];
        if (at->pair->told) {
            continue;
        }
        at->pair->told = true;
        if (at->pair->any || at->pair->flaw != SCHEMA_AVRO_FITS) {
            BASE_TRY(tell_pair(t, at));
        }
        if (!at->pair->any) {
            BASE_TRY(push_children(t, at));
        }
    }
    return base_ok();
}

base_status schema_avro_compat_mode(schema_avro_mode mode, const schema_avro *newest,
                                    const schema_avro *const *earlier, size_t earlier_count,
                                    base_arena *arena, schema_avro_verdict *verdict_out,
                                    base_error *error)
{
    const bool transitive = mode == SCHEMA_AVRO_BACKWARD_TRANSITIVE ||
                            mode == SCHEMA_AVRO_FORWARD_TRANSITIVE ||
                            mode == SCHEMA_AVRO_FULL_TRANSITIVE;
    const bool full = mode == SCHEMA_AVRO_FULL || mode == SCHEMA_AVRO_FULL_TRANSITIVE;
    const bool backward =
        full || mode == SCHEMA_AVRO_BACKWARD || mode == SCHEMA_AVRO_BACKWARD_TRANSITIVE;
    const bool forward =
        full || mode == SCHEMA_AVRO_FORWARD || mode == SCHEMA_AVRO_FORWARD_TRANSITIVE;
    schema_avro_verdict verdict = {.compatible = true};
    teller t = {.arena = arena, .error = error, .verdict = &verdict};
    t.reasons = BASE_ARENA_ARRAY(arena, schema_avro_reason, SCHEMA_AVRO_REASON_COUNT_MAX);
    if (t.reasons == NULL) {
        return no_memory(&t);
    }
    for (size_t i = transitive || earlier_count == 0 ? 0 : earlier_count - 1; i < earlier_count;
         i++) {
        t.against = i;
        t.forward = false;
        if (backward) {
            BASE_TRY(compare(&t, newest, earlier[i]));
        }
        t.forward = true;
        if (forward) {
            BASE_TRY(compare(&t, earlier[i], newest));
        }
    }
    verdict.reasons = t.reasons;
    *verdict_out = verdict;
    return base_ok();
}

base_status schema_avro_compat(const schema_avro *reader, const schema_avro *writer,
                               base_arena *arena, schema_avro_verdict *verdict_out,
                               base_error *error)
{
    return schema_avro_compat_mode(SCHEMA_AVRO_BACKWARD, reader, &writer, 1, arena, verdict_out,
                                   error);
}
