/* The machine: one loop over the instructions, forks, paths and errors (expr_code.h draws it). */
#include "saga/expr_code.h"

#define FORKS_FIRST 16
#define BRIEF_KEY_SIZE 14 /* jq's sizes for values in messages */
#define BRIEF_VALUE_SIZE 29

/* ---- memory ---- */
base_status saga_machine_check_memory(const saga_machine *machine)
{
    return machine->arena->used_size > machine->memory_end ? base_status_of(BASE_BUDGET)
                                                           : base_ok();
}

base_status saga_machine_alloc(saga_machine *machine, size_t size, void **block_out)
{
    const size_t used = machine->arena->used_size;
    if (used > machine->memory_end || size > machine->memory_end - used) {
        return base_status_of(BASE_BUDGET);
    }
    *block_out = base_arena_alloc(machine->arena, size);
    return *block_out == NULL ? base_status_of(BASE_OUT_OF_MEMORY) : base_ok();
}

base_status saga_machine_array(saga_machine *machine, size_t count, size_t item_size,
                               void **block_out)
{
    if (count > SIZE_MAX / 2 / item_size) {
        return base_status_of(BASE_BUDGET);
    }
    return saga_machine_alloc(machine, count * item_size, block_out);
}

base_status saga_machine_extend(saga_machine *machine, const void *block, size_t old_size,
                                size_t more, void **block_out)
{
    for (size_t i = 0; old_size > 0 && i < SAGA_TAIL_COUNT; i++) {
        saga_tail *tail = &machine->tails[i];
        if (tail->block == block && tail->size == old_size && tail->capacity - old_size >= more) {
            tail->size += more;
            *block_out = tail->block;
            return base_ok();
        }
    }
    if (more > SIZE_MAX / 4 || old_size > SIZE_MAX / 4) {
        return base_status_of(BASE_BUDGET);
    }
    const size_t size = old_size + more;
    /* Room for more only where the block was not the first of its kind: most values are made once.
     */
    const size_t capacity = old_size > more ? size + size / 2 : size;
    BASE_TRY(saga_machine_spend(machine, size / 64));
    void *copy = NULL;
    BASE_TRY(saga_machine_alloc(machine, capacity, &copy));
    if (old_size > 0) {
        memcpy(copy, block, old_size);
    }
    if (capacity > size) {
        machine->tails[machine->tail_next++ % SAGA_TAIL_COUNT] = (saga_tail){copy, size, capacity};
    }
    *block_out = copy;
    return base_ok();
}

/* ---- errors ---- */
base_status saga_raise(saga_machine *machine, const base_value *error)
{
    machine->error = *error;
    return base_status_of(BASE_BAD_INPUT);
}

base_status saga_raise_text(saga_machine *machine, base_code code, base_slice text)
{
    if (text.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    BASE_TRY(saga_machine_check_memory(machine));
    machine->error = base_value_string(text);
    return base_status_of(code);
}

base_status saga_value_brief(saga_machine *machine, const base_value *value, size_t size_max,
                             base_slice *text_out)
{
    saga_text text = {.machine = machine};
    BASE_TRY(saga_json_write(&text, value, size_max + 1));
    base_slice brief = base_slice_make(text.data, text.size);
    if (brief.size > size_max) {
        size_t end = size_max - 3;
        while (end > 0 && ((uint8_t)brief.data[end] & 0xc0) == 0x80) {
            end--;
        }
        brief = base_arena_print(machine->arena, "%.*s...", (int)end, brief.data);
        if (brief.data == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
    }
    *text_out = brief;
    return base_ok();
}

static const char *kind_name(const base_value *value)
{
    return base_kind_name((base_kind)value->kind);
}

base_status saga_raise_one(saga_machine *machine, const base_value *bad, const char *text)
{
    base_slice brief;
    BASE_TRY(saga_value_brief(machine, bad, BRIEF_KEY_SIZE, &brief));
    return SAGA_RAISE(machine, "%s (%.*s) %s", kind_name(bad), BASE_SLICE_ARG(brief), text);
}

base_status saga_raise_two(saga_machine *machine, const base_value *a, const base_value *b,
                           const char *text)
{
    base_slice brief_a;
    base_slice brief_b;
    BASE_TRY(saga_value_brief(machine, a, BRIEF_KEY_SIZE, &brief_a));
    BASE_TRY(saga_value_brief(machine, b, BRIEF_KEY_SIZE, &brief_b));
    return SAGA_RAISE(machine, "%s (%.*s) and %s (%.*s) %s", kind_name(a), BASE_SLICE_ARG(brief_a),
                      kind_name(b), BASE_SLICE_ARG(brief_b), text);
}

/* An error of an operation that an expression may catch, as against one that ends the evaluation.
 */
static bool catchable(base_status status)
{
    return base_status_class(status) == BASE_CLASS_INPUT || status.code == BASE_OVERFLOW;
}

/* ---- forks ---- */
static base_status fork_push(saga_machine *machine, saga_fork_kind kind, uint32_t pc,
                             saga_fork **fork_out)
{
    if (machine->fork_count == machine->fork_capacity) {
        const size_t capacity =
            machine->fork_capacity == 0 ? FORKS_FIRST : machine->fork_capacity * 2;
        void *forks = NULL;
        BASE_TRY(saga_machine_array(machine, capacity, sizeof(saga_fork), &forks));
        if (machine->fork_count > 0) {
            memcpy(forks, machine->forks, machine->fork_count * sizeof(saga_fork));
        }
        machine->forks = forks;
        machine->fork_capacity = capacity;
    }
    saga_fork *fork = &machine->forks[machine->fork_count++];
    fork->kind = (uint8_t)kind;
    fork->pc = pc;
    fork->path = machine->path;
    fork->at = machine->at;
    *fork_out = fork;
    return base_ok();
}

/* ---- paths ---- */
/* Is this the very value that the path leads to? jq asks whether two references are one; here
 * scalars are compared, and what lies in memory must lie in the same place. */
static bool is_same(const base_value *a, const base_value *b)
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

static base_status path_step(saga_machine *machine, const base_value *key, const base_value *value)
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

static base_status off_path(saga_machine *machine, const char *text, const base_value *value)
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
    if (!is_same(container, &machine->at)) {
        return off_path_key(machine, key, container);
    }
    base_value value;
    BASE_TRY(saga_index(machine, container, key, &value));
    BASE_TRY(path_step(machine, key, &value));
    machine->registers[instr->dst] = value;
    return base_ok();
}

static base_status step_slice(saga_machine *machine, const saga_instr *instr)
{
    const base_value *container = saga_operand(machine, instr->a);
    base_value key;
    BASE_TRY(saga_slice_key(machine, saga_operand(machine, instr->b),
                            saga_operand(machine, instr->c), &key));
    if (!is_same(container, &machine->at)) {
        return off_path_key(machine, &key, container);
    }
    base_value value;
    BASE_TRY(saga_index(machine, container, &key, &value));
    BASE_TRY(path_step(machine, &key, &value));
    machine->registers[instr->dst] = value;
    return base_ok();
}

static base_status step_getpath(saga_machine *machine, const saga_instr *instr)
{
    const base_value *root = saga_operand(machine, instr->a);
    const base_value *keys = saga_operand(machine, instr->b);
    if (!is_same(root, &machine->at)) {
        return off_path(machine, "with result", root);
    }
    base_value value;
    BASE_TRY(saga_path_get(machine, root, keys, &value));
    for (size_t i = 0; i < keys->size; i++) {
        BASE_TRY(path_step(machine, &keys->items[i], &value));
    }
    machine->at = value;
    machine->registers[instr->dst] = value;
    return base_ok();
}

static base_status path_end(saga_machine *machine, const saga_instr *instr)
{
    const base_value *value = saga_operand(machine, instr->a);
    if (!is_same(value, &machine->at)) {
        return off_path(machine, "with result", value);
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

/* ---- generators ---- */
static bool is_container(const base_value *value)
{
    return value->kind == BASE_LIST || value->kind == BASE_MAP;
}

static base_value item_at(const base_value *container, size_t index)
{
    return container->kind == BASE_LIST ? container->items[index] : container->members[index].value;
}

static base_value key_at(const base_value *container, size_t index)
{
    return container->kind == BASE_LIST ? base_value_integer((int64_t)index)
                                        : base_value_string(container->members[index].key);
}

/* Gives item `index` of the container; a fork stays behind when there are more. */
static base_status give_item(saga_machine *machine, const saga_instr *instr,
                             const base_value *container, size_t index, uint32_t pc)
{
    if (index + 1 < container->size) {
        saga_fork *fork;
        BASE_TRY(fork_push(machine, SAGA_FORK_EACH, pc, &fork));
        fork->value = *container;
        fork->index = index + 1;
    }
    const base_value value = item_at(container, index);
    if (instr->op == SAGA_OP_STEP_EACH) {
        const base_value key = key_at(container, index);
        BASE_TRY(path_step(machine, &key, &value));
    }
    machine->registers[instr->dst] = value;
    return base_ok();
}

/* BASE_NOT_FOUND: nothing to give, go back. */
static base_status each_begin(saga_machine *machine, const saga_instr *instr, uint32_t pc)
{
    const base_value container = *saga_operand(machine, instr->a);
    if (instr->op == SAGA_OP_STEP_EACH && !is_same(&container, &machine->at)) {
        return off_path(machine, "near attempt to iterate through", &container);
    }
    if (!is_container(&container)) {
        if (instr->optional) {
            return base_status_of(BASE_NOT_FOUND);
        }
        base_slice brief;
        BASE_TRY(saga_value_brief(machine, &container, BRIEF_KEY_SIZE, &brief));
        return SAGA_RAISE(machine, "Cannot iterate over %s (%.*s)", kind_name(&container),
                          BASE_SLICE_ARG(brief));
    }
    if (container.size == 0) {
        return base_status_of(BASE_NOT_FOUND);
    }
    return give_item(machine, instr, &container, 0, pc);
}

/* A value has been given; its items come next, before what is left of its neighbours. */
static base_status recurse_into(saga_machine *machine, const base_value *value, uint32_t pc)
{
    if (!is_container(value) || value->size == 0) {
        return base_ok();
    }
    saga_fork *fork;
    BASE_TRY(fork_push(machine, SAGA_FORK_RECURSE, pc, &fork));
    fork->value = *value;
    fork->index = 0;
    return base_ok();
}

static base_status recurse_begin(saga_machine *machine, const saga_instr *instr, uint32_t pc)
{
    const base_value value = *saga_operand(machine, instr->a);
    if (instr->op == SAGA_OP_STEP_RECURSE && !is_same(&value, &machine->at)) {
        return off_path(machine, "near attempt to iterate through", &value);
    }
    machine->registers[instr->dst] = value;
    return recurse_into(machine, &value, pc);
}

static base_status recurse_next(saga_machine *machine, const saga_instr *instr,
                                const base_value *container, size_t index, uint32_t pc)
{
    if (index + 1 < container->size) {
        saga_fork *fork;
        BASE_TRY(fork_push(machine, SAGA_FORK_RECURSE, pc, &fork));
        fork->value = *container;
        fork->index = index + 1;
    }
    const base_value value = item_at(container, index);
    if (instr->op == SAGA_OP_STEP_RECURSE) {
        const base_value key = key_at(container, index);
        BASE_TRY(path_step(machine, &key, &value));
    }
    machine->registers[instr->dst] = value;
    return recurse_into(machine, &value, pc);
}

/* Gives `from`, with a fork for the next, while it is before the end. */
static base_status range_next(saga_machine *machine, const saga_instr *instr,
                              const base_value *from, uint32_t pc)
{
    const base_value *to = saga_operand(machine, instr->b);
    const base_value *by = saga_operand(machine, instr->c);
    const int order = base_number_compare(from, to);
    const bool up = !saga_number_negative(by);
    if (saga_number_zero(by) || (up ? order >= 0 : order <= 0)) {
        return base_status_of(BASE_NOT_FOUND);
    }
    base_value next;
    const base_status status = base_number_add(from, by, &next);
    if (!base_failed(status)) {
        saga_fork *fork;
        BASE_TRY(fork_push(machine, SAGA_FORK_RANGE, pc, &fork));
        fork->value = next;
    } else if (status.code != BASE_OVERFLOW) {
        return saga_raise_two(machine, from, by, "cannot be added");
    }
    machine->registers[instr->dst] = *from;
    return base_ok();
}

static base_status range_begin(saga_machine *machine, const saga_instr *instr, uint32_t pc)
{
    const base_value from = *saga_operand(machine, instr->a);
    if (!base_value_is_number(&from) || !base_value_is_number(saga_operand(machine, instr->b)) ||
        !base_value_is_number(saga_operand(machine, instr->c))) {
        return SAGA_RAISE(machine, "Range bounds must be numeric");
    }
    return range_next(machine, instr, &from, pc);
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
    return SAGA_RAISE(machine, "Cannot use %s (%.*s) as object key", kind_name(key),
                      BASE_SLICE_ARG(brief));
}

#define MAP_PLAIN_MAX 16 /* members up to which a map is put together without a builder */

static base_status map_build(saga_machine *machine, const saga_instr *instr)
{
    base_map_builder builder;
    base_map_begin(&builder, machine->arena);
    const int32_t *operands = machine->expr->operands + instr->b;
    for (int32_t i = 0; i < instr->c; i++) {
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
    for (int32_t i = 0; i < instr->c; i++) {
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
    for (int32_t i = 0; i < instr->c; i++) {
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

/* What stands where an assignment is about to write. A list or map that the assignment made is
 * shared from now on. */
static base_status assign_old(saga_machine *machine, const saga_instr *instr)
{
    base_value old;
    BASE_TRY(saga_path_get(machine, saga_operand(machine, instr->a),
                           saga_operand(machine, instr->b), &old));
    saga_owner *owner = &machine->saves[instr->c].owner;
    const void *block = old.kind == BASE_LIST ? (const void *)old.items : (const void *)old.members;
    for (size_t i = 0; is_container(&old) && i < owner->count; i++) {
        if (owner->blocks[i] == block) {
            owner->count = 0;
        }
    }
    machine->registers[instr->dst] = old;
    return base_ok();
}

/* ---- the loop ---- */
static base_status field_get(saga_machine *machine, const saga_instr *instr)
{
    const base_value *container = saga_operand(machine, instr->a);
    const base_value *key = saga_operand(machine, instr->b);
    if (container->kind == BASE_MAP) {
        if (container->size > SAGA_MAP_SCAN_MAX) {
            BASE_TRY(saga_machine_spend(machine, container->size / SAGA_MAP_SCAN_MAX));
        }
        const base_value *found = saga_map_find(container, base_slice_make(key->bytes, key->size));
        machine->registers[instr->dst] = found != NULL ? *found : base_value_null();
        return base_ok();
    }
    base_value value;
    BASE_TRY(saga_index(machine, container, key, &value));
    machine->registers[instr->dst] = value;
    return base_ok();
}

static base_status into(saga_machine *machine, int32_t dst, base_status status,
                        const base_value *value)
{
    if (!base_failed(status)) {
        machine->registers[dst] = *value;
    }
    return status;
}

/* Instructions that neither jump nor fork. BASE_NOT_FOUND: go back. */
static base_status run_plain(saga_machine *machine, const saga_instr *instr)
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
        machine->saves[instr->c] = (saga_save){.path = machine->path, .at = machine->at};
        machine->path = NULL;
        machine->at = *saga_operand(machine, instr->a);
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
    case SAGA_OP_OLD:
        return assign_old(machine, instr);
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

/* Takes up the newest fork; pc_out is where to go on. BASE_NOT_FOUND: there is none. */
static base_status go_back(saga_machine *machine, uint32_t *pc_out)
{
    while (machine->fork_count > 0) {
        BASE_TRY(saga_machine_spend(machine, 1));
        const saga_fork fork = machine->forks[--machine->fork_count];
        const saga_instr *instr = &machine->expr->code[fork.pc];
        machine->path = fork.path;
        machine->at = fork.at;
        *pc_out = fork.pc + 1;
        switch ((saga_fork_kind)fork.kind) {
        case SAGA_FORK_PLAIN:
            *pc_out = instr->target;
            return base_ok();
        case SAGA_FORK_EACH:
            return give_item(machine, instr, &fork.value, fork.index, fork.pc);
        case SAGA_FORK_RECURSE:
            return recurse_next(machine, instr, &fork.value, fork.index, fork.pc);
        case SAGA_FORK_RANGE: {
            const base_status status = range_next(machine, instr, &fork.value, fork.pc);
            if (status.code != BASE_NOT_FOUND) {
                return status;
            }
            break;
        }
        case SAGA_FORK_TRY:
        case SAGA_FORK_LEAVE:
        default:
            break;
        }
    }
    return base_status_of(BASE_NOT_FOUND);
}

/* An error: to the newest try that is still open, with the error in its register; else the status
 * is the outcome. */
static base_status catch_error(saga_machine *machine, base_status status, uint32_t *pc_out)
{
    while (machine->fork_count > 0) {
        BASE_TRY(saga_machine_spend(machine, 1));
        const saga_fork *fork = &machine->forks[--machine->fork_count];
        if (fork->kind == SAGA_FORK_LEAVE) {
            machine->fork_count = fork->index; /* that try was left before the error */
        } else if (fork->kind == SAGA_FORK_TRY) {
            const saga_instr *instr = &machine->expr->code[fork->pc];
            machine->path = fork->path;
            machine->at = fork->at;
            machine->registers[instr->dst] = machine->error;
            *pc_out = instr->target;
            return base_ok();
        }
    }
    return status;
}

static base_status leave_try(saga_machine *machine, const saga_instr *instr, uint32_t pc)
{
    const size_t number = (size_t)machine->registers[instr->c].integer;
    if (machine->fork_count == number + 1) {
        machine->fork_count = number; /* nothing in the body can go on: the try is over */
        return base_ok();
    }
    saga_fork *fork;
    BASE_TRY(fork_push(machine, SAGA_FORK_LEAVE, pc, &fork));
    fork->index = number;
    return base_ok();
}

/* Instructions that fork. */
static base_status run_fork(saga_machine *machine, const saga_instr *instr, uint32_t pc)
{
    saga_fork *fork;
    switch (instr->op) {
    case SAGA_OP_FORK:
        return fork_push(machine, SAGA_FORK_PLAIN, pc, &fork);
    case SAGA_OP_TRY:
        machine->registers[instr->c] = base_value_integer((int64_t)machine->fork_count);
        return fork_push(machine, SAGA_FORK_TRY, pc, &fork);
    case SAGA_OP_LEAVE:
        return leave_try(machine, instr, pc);
    case SAGA_OP_EACH:
    case SAGA_OP_STEP_EACH:
        return each_begin(machine, instr, pc);
    case SAGA_OP_RECURSE:
    case SAGA_OP_STEP_RECURSE:
        return recurse_begin(machine, instr, pc);
    case SAGA_OP_RANGE:
        return range_begin(machine, instr, pc);
    default:
        return run_plain(machine, instr);
    }
}

/* What the frequent instructions do is here; a failed status is an error, a way back, or the end.
 */
static inline base_status run_one(saga_machine *machine, const saga_instr *instr, uint32_t *pc)
{
    base_value *registers = machine->registers;
    switch (instr->op) {
    case SAGA_OP_MOVE:
        registers[instr->dst] = *saga_operand(machine, instr->a);
        break;
    case SAGA_OP_FIELD:
        BASE_TRY(field_get(machine, instr));
        break;
    case SAGA_OP_BINARY: {
        base_value value;
        BASE_TRY(saga_binary_run(machine, (saga_binary)instr->sub, saga_operand(machine, instr->a),
                                 saga_operand(machine, instr->b), &value));
        registers[instr->dst] = value;
        break;
    }
    case SAGA_OP_TRUTH:
        registers[instr->dst] = base_value_bool(saga_truthy(saga_operand(machine, instr->a)));
        break;
    case SAGA_OP_JUMP:
        *pc = instr->target;
        return base_ok();
    case SAGA_OP_UNLESS:
        *pc = saga_truthy(saga_operand(machine, instr->a)) ? *pc + 1 : instr->target;
        return base_ok();
    case SAGA_OP_MARK:
        registers[instr->dst] = base_value_integer((int64_t)machine->fork_count);
        break;
    case SAGA_OP_CUT:
        machine->fork_count = (size_t)saga_operand(machine, instr->a)->integer;
        break;
    case SAGA_OP_BACK:
        return base_status_of(BASE_NOT_FOUND);
    default:
        BASE_TRY(run_fork(machine, instr, *pc));
        break;
    }
    (*pc)++;
    return base_ok();
}

base_status saga_machine_next(saga_machine *machine, bool again, base_value *value_out)
{
    const saga_instr *code = machine->expr->code;
    uint32_t pc = 0;
    base_status status = again ? base_status_of(BASE_NOT_FOUND) : base_ok();
    bool optional = false;
    for (;;) {
        while (base_failed(status)) {
            if (status.code == BASE_NOT_FOUND ||
                (optional && catchable(status) && status.code != BASE_REFUSED)) {
                status = go_back(machine, &pc);
            } else if (catchable(status)) {
                status = catch_error(machine, status, &pc);
            } else {
                return status;
            }
            optional = false;
            if (base_failed(status) && machine->fork_count == 0) {
                return status;
            }
        }
        if (machine->steps == 0) {
            return base_status_of(BASE_BUDGET);
        }
        machine->steps--;
        const saga_instr *instr = &code[pc];
        if (instr->op == SAGA_OP_RETURN) {
            *value_out = *saga_operand(machine, instr->a);
            return base_ok();
        }
        status = run_one(machine, instr, &pc);
        optional = instr->optional;
    }
}

base_status saga_machine_init(saga_machine *machine, const saga_expr *expr, const base_value *input,
                              const base_value *const *values, saga_expr_limits limits,
                              base_arena *arena)
{
    const size_t memory = limits.memory == 0 ? SAGA_EXPR_MEMORY_DEFAULT : limits.memory;
    *machine = (saga_machine){
        .expr = expr,
        .arena = arena,
        .steps = limits.steps == 0 ? SAGA_EXPR_STEPS_DEFAULT : limits.steps,
        .memory_end = memory > SIZE_MAX - arena->used_size ? SIZE_MAX : arena->used_size + memory,
    };
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, expr->register_count, sizeof(base_value), &block));
    machine->registers = block;
    if (expr->save_count > 0) {
        BASE_TRY(saga_machine_array(machine, expr->save_count, sizeof(saga_save), &block));
        machine->saves = block;
    }
    machine->registers[0] = *input;
    for (uint32_t i = 0; i < expr->variable_count; i++) {
        if (expr->uses[i].used) {
            machine->registers[1 + i] = values[i] != NULL ? *values[i] : base_value_null();
        }
    }
    return base_ok();
}
