/* Instructions that neither jump nor fork: steps along a path, limits, making values, calls. */
#include "saga/expr_code.h"

#define BRIEF_KEY_SIZE 14 /* jq's sizes for values in messages */
#define BRIEF_VALUE_SIZE 29

/* ---- paths ---- */
/* Is this the very value that the path leads to? jq asks whether two references are one; here
 * scalars are compared, and what lies in memory must lie in the same place. */
bool saga_is_same(const base_value *a, const base_value *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch ((base_kind)a->kind) {
    case BASE_NULL:
        return true;
    case BASE_BOOL:
        return a->truth == b->truth;
    case BASE_INTEGER:
        return a->integer == b->integer;
    case BASE_DECIMAL:
        return a->integer == b->integer && a->exponent == b->exponent;
    case BASE_NUMBER_TEXT:
    case BASE_STRING:
    case BASE_BYTES:
        return a->size == b->size && a->bytes == b->bytes;
    case BASE_LIST:
        return a->size == b->size && a->items == b->items;
    case BASE_MAP:
        return a->size == b->size && a->members == b->members;
    default:
        return false;
    }
}

base_status saga_path_step(saga_machine *machine, const base_value *key, const base_value *value)
{
    void *block = NULL;
    BASE_TRY(saga_machine_alloc(machine, sizeof(saga_path), &block));
    saga_path *path = block;
    path->parent = machine->path;
    path->length = machine->path == NULL ? 1 : machine->path->length + 1;
    path->key = *key;
    machine->path = path;
    machine->at = *value;
    return base_ok();
}

/* A code of its own: `?` behind a step does not hide that the path is none. */
static base_status raise_off_path(saga_machine *machine, base_slice text)
{
    return saga_raise_text(machine, BASE_REFUSED, text);
}

static base_status off_path_key(saga_machine *machine, const base_value *key,
                                const base_value *value)
{
    base_slice key_brief;
    base_slice brief;
    BASE_TRY(saga_value_brief(machine, key, BRIEF_KEY_SIZE, &key_brief));
    BASE_TRY(saga_value_brief(machine, value, BRIEF_VALUE_SIZE, &brief));
    return raise_off_path(
        machine,
        base_arena_print(machine->arena,
                         "Invalid path expression near attempt to access element %.*s of %.*s",
                         BASE_SLICE_ARG(key_brief), BASE_SLICE_ARG(brief)));
}

base_status saga_off_path(saga_machine *machine, const char *text, const base_value *value)
{
    base_slice brief;
    BASE_TRY(saga_value_brief(machine, value, BRIEF_VALUE_SIZE, &brief));
    return raise_off_path(machine,
                          base_arena_print(machine->arena, "Invalid path expression %s %.*s", text,
                                           BASE_SLICE_ARG(brief)));
}

static base_status step_index(saga_machine *machine, const saga_instr *instr)
{
    const base_value *container = saga_operand(machine, instr->a);
    const base_value *key = saga_operand(machine, instr->b);
    if (!saga_is_same(container, &machine->at)) {
        return off_path_key(machine, key, container);
    }
    base_value value;
    BASE_TRY(saga_index(machine, container, key, &value));
    BASE_TRY(saga_path_step(machine, key, &value));
    machine->registers[instr->dst] = value;
    return base_ok();
}

static base_status step_slice(saga_machine *machine, const saga_instr *instr)
{
    const base_value *container = saga_operand(machine, instr->a);
    base_value key;
    BASE_TRY(saga_slice_key(machine, saga_operand(machine, instr->b),
                            saga_operand(machine, instr->c), &key));
    if (!saga_is_same(container, &machine->at)) {
        return off_path_key(machine, &key, container);
    }
    base_value value;
    BASE_TRY(saga_index(machine, container, &key, &value));
    BASE_TRY(saga_path_step(machine, &key, &value));
    machine->registers[instr->dst] = value;
    return base_ok();
}

static base_status step_getpath(saga_machine *machine, const saga_instr *instr)
{
    const base_value *root = saga_operand(machine, instr->a);
    const base_value *keys = saga_operand(machine, instr->b);
    if (!saga_is_same(root, &machine->at)) {
        return saga_off_path(machine, "with result", root);
    }
    base_value value;
    BASE_TRY(saga_path_get(machine, root, keys, &value));
    for (size_t i = 0; i < keys->size; i++) {
        BASE_TRY(saga_path_step(machine, &keys->items[i], &value));
    }
    machine->at = value;
    machine->registers[instr->dst] = value;
    return base_ok();
}

static void path_begin(saga_machine *machine, const saga_instr *instr)
{
    machine->saves[instr->c] = (saga_save){.path = machine->path, .at = machine->at};
    machine->path = NULL;
    machine->at = *saga_operand(machine, instr->a);
}

static base_status path_end(saga_machine *machine, const saga_instr *instr)
{
    const base_value *value = saga_operand(machine, instr->a);
    if (!saga_is_same(value, &machine->at)) {
        return saga_off_path(machine, "with result", value);
    }
    const size_t length = machine->path == NULL ? 0 : machine->path->length;
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, length, sizeof(base_value), &block));
    base_value *keys = block;
    size_t i = length;
    for (const saga_path *path = machine->path; path != NULL; path = path->parent) {
        keys[--i] = path->key;
    }
    machine->built = true;
    machine->registers[instr->dst] = base_value_list(keys, length);
    machine->path = machine->saves[instr->c].path;
    machine->at = machine->saves[instr->c].at;
    return base_ok();
}
/* ---- limits ---- */
/* How many values limit(a; ...) lets through: a rounded up; -1: all. */
static base_status limit_begin(saga_machine *machine, const saga_instr *instr)
{
    const base_value *count = saga_operand(machine, instr->a);
    if (count->kind == BASE_NULL || count->kind == BASE_BOOL) {
        machine->registers[instr->dst] = base_value_integer(-1);
        return base_ok();
    }
    const base_value one = base_value_integer(1);
    if (!base_value_is_number(count)) {
        return saga_raise_two(machine, count, &one, "cannot be subtracted");
    }
    if (saga_number_zero(count)) {
        return base_status_of(BASE_NOT_FOUND);
    }
    if (saga_number_negative(count)) {
        machine->registers[instr->dst] = base_value_integer(-1);
        return base_ok();
    }
    base_value ceiling;
    if (count->kind == BASE_NUMBER_TEXT || base_failed(base_number_ceil(count, &ceiling))) {
        ceiling = base_value_integer(INT64_MAX);
    }
    machine->registers[instr->dst] = base_value_integer(saga_integer_of(&ceiling));
    return base_ok();
}

static void limit_step(saga_machine *machine, const saga_instr *instr)
{
    base_value *left = &machine->registers[instr->b];
    if (left->integer > 0 && --left->integer == 0) {
        machine->fork_count = (size_t)machine->registers[instr->a].integer;
    }
}

/* nth(a; ...): how many values to pass over. */
static base_status nth_begin(saga_machine *machine, const saga_instr *instr)
{
    const base_value *index = saga_operand(machine, instr->a);
    const base_value one = base_value_integer(1);
    if (index->kind == BASE_NULL || index->kind == BASE_BOOL) {
        if (index->kind == BASE_BOOL) {
            return saga_raise_two(machine, index, &one, "cannot be added");
        }
        machine->registers[instr->dst] = base_value_integer(0);
        return base_ok();
    }
    if (!base_value_is_number(index)) {
        return saga_raise_two(machine, index, &one, "cannot be added");
    }
    if (saga_number_negative(index)) {
        return SAGA_RAISE(machine, "nth doesn't support negative indices");
    }
    base_value ceiling;
    if (index->kind == BASE_NUMBER_TEXT || base_failed(base_number_ceil(index, &ceiling))) {
        ceiling = base_value_integer(INT64_MAX);
    }
    machine->registers[instr->dst] = base_value_integer(saga_integer_of(&ceiling));
    return base_ok();
}

static base_status nth_step(saga_machine *machine, const saga_instr *instr)
{
    base_value *left = &machine->registers[instr->b];
    if (left->integer > 0) {
        left->integer--;
        return base_status_of(BASE_NOT_FOUND);
    }
    machine->fork_count = (size_t)machine->registers[instr->a].integer;
    return base_ok();
}

/* ---- making values ---- */
/* A list that is being collected belongs to nobody else yet: its block doubles when its size is a
 * power of two. */
static base_status list_push(saga_machine *machine, const saga_instr *instr)
{
    base_value *list = &machine->registers[instr->dst];
    const size_t size = list->size;
    base_value *items;
    if (size == 0 || (size >= 4 && (size & (size - 1)) == 0)) {
        void *block = NULL;
        BASE_TRY(saga_machine_array(machine, size == 0 ? 4 : 2 * size, sizeof(base_value), &block));
        items = block;
        if (size > 0) {
            memcpy(items, list->items, size * sizeof(base_value));
        }
        list->items = items;
    }
    memcpy((void *)(uintptr_t)&list->items[size], saga_operand(machine, instr->a),
           sizeof(base_value));
    list->size = size + 1;
    return base_ok();
}

static base_status key_check(saga_machine *machine, const base_value *key)
{
    if (key->kind == BASE_STRING) {
        return base_ok();
    }
    base_slice brief;
    BASE_TRY(saga_value_brief(machine, key, BRIEF_KEY_SIZE, &brief));
    return SAGA_RAISE(machine, "Cannot use %s (%.*s) as object key", saga_kind_name(key),
                      BASE_SLICE_ARG(brief));
}

#define MAP_PLAIN_MAX 16 /* members up to which a map is put together without a builder */

static base_status map_build(saga_machine *machine, const saga_instr *instr)
{
    base_map_builder builder;
    base_map_begin(&builder, machine->arena);
    const int32_t *operands = machine->expr->operands + instr->b;
    for (size_t i = 0; i < (size_t)instr->c; i++) {
        BASE_TRY(base_map_put(&builder, base_value_slice(saga_operand(machine, operands[2 * i])),
                              saga_operand(machine, operands[2 * i + 1])));
        BASE_TRY(saga_machine_check_memory(machine));
    }
    machine->registers[instr->dst] = base_map_end(&builder);
    return base_ok();
}

static base_status map_make(saga_machine *machine, const saga_instr *instr)
{
    machine->built = true;
    if (instr->c > MAP_PLAIN_MAX) {
        return map_build(machine, instr);
    }
    const int32_t *operands = machine->expr->operands + instr->b;
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, (size_t)instr->c, sizeof(base_member), &block));
    base_member *members = block;
    size_t count = 0;
    for (size_t i = 0; i < (size_t)instr->c; i++) {
        const base_value *key = saga_operand(machine, operands[2 * i]);
        const base_slice name = base_slice_make(key->bytes, key->size);
        size_t at = 0;
        while (at < count && !base_slice_equal(members[at].key, name)) {
            at++;
        }
        if (at == count) {
            members[count++] = (base_member){.key = name};
        }
        members[at].value = *saga_operand(machine, operands[2 * i + 1]);
    }
    machine->registers[instr->dst] = base_value_map(members, count);
    return base_ok();
}

static base_status string_make(saga_machine *machine, const saga_instr *instr)
{
    const int32_t *operands = machine->expr->operands + instr->b;
    if (instr->c == 1) {
        base_value value;
        BASE_TRY(saga_format_run(machine, (saga_format)instr->sub,
                                 saga_operand(machine, operands[0]), &value));
        machine->registers[instr->dst] = value;
        return base_ok();
    }
    saga_text text = {.machine = machine};
    for (size_t i = 0; i < (size_t)instr->c; i++) {
        const base_value *part = saga_operand(machine, operands[2 * i]);
        base_value formatted = *part;
        if (operands[2 * i + 1] == 0) {
            BASE_TRY(saga_format_run(machine, (saga_format)instr->sub, part, &formatted));
        }
        BASE_TRY(saga_text_put(&text, base_value_slice(&formatted)));
    }
    machine->registers[instr->dst] = saga_text_value(&text);
    return base_ok();
}

/* ---- all of them ---- */
static base_status into(saga_machine *machine, int32_t dst, base_status status,
                        const base_value *value)
{
    if (!base_failed(status)) {
        machine->registers[dst] = *value;
    }
    return status;
}

base_status saga_run_plain(saga_machine *machine, const saga_instr *instr)
{
    base_value value;
    switch (instr->op) {
    case SAGA_OP_INDEX:
        return into(machine, instr->dst,
                    saga_index(machine, saga_operand(machine, instr->a),
                               saga_operand(machine, instr->b), &value),
                    &value);
    case SAGA_OP_SLICE:
        return into(machine, instr->dst,
                    saga_slice(machine, saga_operand(machine, instr->a),
                               saga_operand(machine, instr->b), saga_operand(machine, instr->c),
                               &value),
                    &value);
    case SAGA_OP_STEP_INDEX:
        return step_index(machine, instr);
    case SAGA_OP_STEP_SLICE:
        return step_slice(machine, instr);
    case SAGA_OP_STEP_GETPATH:
        return step_getpath(machine, instr);
    case SAGA_OP_PATH_BEGIN:
        path_begin(machine, instr);
        return base_ok();
    case SAGA_OP_PATH_END:
        return path_end(machine, instr);
    case SAGA_OP_NEGATE:
        return into(machine, instr->dst,
                    saga_negate(machine, saga_operand(machine, instr->a), &value), &value);
    case SAGA_OP_LIST_BEGIN:
        machine->registers[instr->dst] = base_value_list(NULL, 0);
        return base_ok();
    case SAGA_OP_LIST_PUSH:
        return list_push(machine, instr);
    case SAGA_OP_LIST_END:
        machine->built = true;
        return base_ok();
    case SAGA_OP_KEY_CHECK:
        return key_check(machine, saga_operand(machine, instr->a));
    case SAGA_OP_MAP:
        return map_make(machine, instr);
    case SAGA_OP_STRING:
        return string_make(machine, instr);
    case SAGA_OP_CALL:
        return into(machine, instr->dst,
                    saga_natives[instr->sub](machine, saga_operand(machine, instr->a),
                                             saga_operand(machine, instr->b),
                                             saga_operand(machine, instr->c), &value),
                    &value);
    case SAGA_OP_NEW:
        return into(machine, instr->dst,
                    saga_path_set(machine, &machine->registers[instr->dst],
                                  saga_operand(machine, instr->a), saga_operand(machine, instr->b),
                                  &machine->saves[instr->c].owner, &value),
                    &value);
    case SAGA_OP_ERROR:
        return saga_raise(machine, saga_operand(machine, instr->a));
    case SAGA_OP_LIMIT:
        return limit_begin(machine, instr);
    case SAGA_OP_LIMIT_STEP:
        limit_step(machine, instr);
        return base_ok();
    case SAGA_OP_NTH:
        return nth_begin(machine, instr);
    case SAGA_OP_NTH_STEP:
        return nth_step(machine, instr);
    default:
        return base_status_of(BASE_FATAL); /* no such instruction */
    }
}
