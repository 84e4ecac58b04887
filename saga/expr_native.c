/* Native functions on lists, maps and numbers; the table of all of them. What they refuse they
 * refuse in jq's words. */
#include "saga/expr_code.h"

const saga_native_call saga_natives[SAGA_NATIVE_COUNT] = {
#define X(name, function) [SAGA_NATIVE_##name] = saga_native_##function,
    SAGA_NATIVE_LIST(X)
#undef X
};

/* A native function; those with fewer arguments leave the last ones unused. */
#define NATIVE(name)                                                                               \
    base_status saga_native_##name(saga_machine *machine, const base_value *input,                 \
                                   const base_value *b, const base_value *c, base_value *out)

static base_status cannot_iterate(saga_machine *machine, const base_value *value)
{
    base_slice brief;
    BASE_TRY(saga_value_brief(machine, value, 14, &brief));
    return SAGA_RAISE(machine, "Cannot iterate over %s (%.*s)", saga_kind_name(value),
                      BASE_SLICE_ARG(brief));
}

static const base_value *item_at(const base_value *container, size_t index)
{
    return container->kind == BASE_LIST ? &container->items[index]
                                        : &container->members[index].value;
}

static base_status new_list(saga_machine *machine, size_t count, base_value **items_out)
{
    void *block = NULL;
    BASE_TRY(saga_machine_spend(machine, count / 8));
    BASE_TRY(saga_machine_array(machine, count, sizeof(base_value), &block));
    machine->built = true;
    *items_out = block;
    return base_ok();
}

/* ---- numbers ---- */
NATIVE(length)
{
    (void)b;
    (void)c;
    switch ((base_kind)input->kind) {
    case BASE_NULL:
        *out = base_value_integer(0);
        return base_ok();
    case BASE_STRING:
        BASE_TRY(saga_machine_spend(machine, input->size / 64));
        *out = base_value_integer((int64_t)saga_utf8_count(base_value_slice(input)));
        return base_ok();
    case BASE_BYTES:
    case BASE_LIST:
    case BASE_MAP:
        *out = base_value_integer((int64_t)input->size);
        return base_ok();
    case BASE_INTEGER:
    case BASE_DECIMAL:
    case BASE_NUMBER_TEXT:
        *out = *input;
        return saga_number_negative(input) ? saga_negate(machine, input, out) : base_ok();
    case BASE_BOOL:
    default:
        return saga_raise_one(machine, input, "has no length");
    }
}

NATIVE(fabs)
{
    (void)b;
    (void)c;
    if (!base_value_is_number(input)) {
        return saga_raise_one(machine, input, "number required");
    }
    *out = *input;
    return saga_number_negative(input) ? saga_negate(machine, input, out) : base_ok();
}

static base_status rounded(saga_machine *machine, const base_value *input,
                           base_status (*round)(const base_value *a, base_value *out),
                           base_value *out)
{
    if (!base_value_is_number(input)) {
        return saga_raise_one(machine, input, "number required");
    }
    const base_status status = round(input, out);
    if (!base_failed(status)) {
        return status;
    }
    const base_status raised =
        saga_raise_one(machine, input, "cannot be rounded: it has too many digits");
    return raised.code == BASE_BAD_INPUT ? status : raised;
}

NATIVE(floor)
{
    (void)b;
    (void)c;
    return rounded(machine, input, base_number_floor, out);
}

NATIVE(ceil)
{
    (void)b;
    (void)c;
    return rounded(machine, input, base_number_ceil, out);
}

NATIVE(round)
{
    (void)b;
    (void)c;
    return rounded(machine, input, base_number_round, out);
}

NATIVE(trunc)
{
    (void)b;
    (void)c;
    const bool negative = base_value_is_number(input) && saga_number_negative(input);
    return rounded(machine, input, negative ? base_number_ceil : base_number_floor, out);
}

/* ---- what any value has ---- */
NATIVE(not )
{
    (void)machine;
    (void)b;
    (void)c;
    *out = base_value_bool(!saga_is_true(input));
    return base_ok();
}

NATIVE(type)
{
    (void)machine;
    (void)b;
    (void)c;
    *out = base_value_text(saga_kind_name(input));
    return base_ok();
}

NATIVE(keys_unsorted)
{
    (void)b;
    (void)c;
    if (!saga_is_container(input)) {
        return saga_raise_one(machine, input, "has no keys");
    }
    base_value *keys;
    BASE_TRY(new_list(machine, input->size, &keys));
    for (size_t i = 0; i < input->size; i++) {
        keys[i] = input->kind == BASE_LIST ? base_value_integer((int64_t)i)
                                           : base_value_string(input->members[i].key);
    }
    *out = base_value_list(keys, input->size);
    return base_ok();
}

static base_status reordered(saga_machine *machine, const base_value *list, const uint32_t *order,
                             base_value *out)
{
    base_value *items;
    BASE_TRY(new_list(machine, list->size, &items));
    for (size_t i = 0; i < list->size; i++) {
        items[i] = list->items[order[i]];
    }
    *out = base_value_list(items, list->size);
    return base_ok();
}

NATIVE(keys)
{
    base_value keys;
    BASE_TRY(saga_native_keys_unsorted(machine, input, b, c, &keys));
    *out = keys;
    if (input->kind == BASE_LIST) {
        return base_ok();
    }
    uint32_t *order = NULL;
    BASE_TRY(saga_sort_order(machine, keys.items, keys.size, &order));
    return reordered(machine, &keys, order, out);
}

NATIVE(has)
{
    (void)c;
    if (input->kind == BASE_NULL) {
        *out = base_value_bool(false);
        return base_ok();
    }
    if (input->kind == BASE_MAP && b->kind == BASE_STRING) {
        BASE_TRY(saga_machine_spend(machine, input->size / SAGA_MAP_SCAN_MAX));
        *out = base_value_bool(saga_map_find(input, base_value_slice(b)) != NULL);
        return base_ok();
    }
    if (input->kind == BASE_LIST && base_value_is_number(b)) {
        const int64_t index = saga_integer_of(b);
        *out = base_value_bool(index >= 0 && (uint64_t)index < input->size);
        return base_ok();
    }
    return SAGA_RAISE(machine, "Cannot check whether %s has a %s key", saga_kind_name(input),
                      saga_kind_name(b));
}

NATIVE(contains)
{
    (void)c;
    const bool numbers = base_value_is_number(input) && base_value_is_number(b);
    const bool bools = input->kind == BASE_BOOL && b->kind == BASE_BOOL && input->truth != b->truth;
    if ((input->kind != b->kind && !numbers) || bools) {
        return saga_raise_two(machine, input, b, "cannot have their containment checked");
    }
    bool contained;
    BASE_TRY(saga_contains(machine, input, b, &contained));
    *out = base_value_bool(contained);
    return base_ok();
}

NATIVE(to_entries)
{
    (void)b;
    (void)c;
    if (!saga_is_container(input)) {
        return saga_raise_one(machine, input, "has no keys");
    }
    base_value *entries;
    BASE_TRY(new_list(machine, input->size, &entries));
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, 2 * input->size, sizeof(base_member), &block));
    base_member *members = block;
    for (size_t i = 0; i < input->size; i++, members += 2) {
        members[0] = (base_member){.key = base_slice_of("key")};
        members[0].value = input->kind == BASE_LIST ? base_value_integer((int64_t)i)
                                                    : base_value_string(input->members[i].key);
        members[1] = (base_member){.key = base_slice_of("value"), .value = *item_at(input, i)};
        entries[i] = base_value_map(members, 2);
    }
    *out = base_value_list(entries, input->size);
    return base_ok();
}

NATIVE(reverse)
{
    (void)c;
    (void)b;
    if (input->kind != BASE_LIST) {
        const bool empty =
            input->kind == BASE_NULL ||
            ((input->kind == BASE_STRING || input->kind == BASE_MAP) && input->size == 0) ||
            (base_value_is_number(input) && saga_number_zero(input));
        if (input->kind == BASE_BOOL) {
            return saga_raise_one(machine, input, "has no length");
        }
        if (!empty) {
            return SAGA_RAISE(machine, "Cannot index %s with number", saga_kind_name(input));
        }
        *out = base_value_list(NULL, 0);
        return base_ok();
    }
    base_value *items;
    BASE_TRY(new_list(machine, input->size, &items));
    for (size_t i = 0; i < input->size; i++) {
        items[i] = input->items[input->size - 1 - i];
    }
    *out = base_value_list(items, input->size);
    return base_ok();
}

/* ---- adding up ---- */
static base_status add_all_maps(saga_machine *machine, const base_value *input, base_value *out)
{
    base_map_builder builder;
    base_map_begin(&builder, machine->arena);
    for (size_t i = 0; i < input->size; i++) {
        const base_value *map = item_at(input, i);
        BASE_TRY(saga_machine_spend(machine, 1 + map->size));
        for (size_t j = 0; j < map->size; j++) {
            BASE_TRY(base_map_put(&builder, map->members[j].key, &map->members[j].value));
        }
        BASE_TRY(saga_machine_check_memory(machine));
    }
    machine->built = true;
    *out = base_map_end(&builder);
    return base_ok();
}

NATIVE(add_all)
{
    (void)b;
    (void)c;
    if (!saga_is_container(input)) {
        return cannot_iterate(machine, input);
    }
    bool maps = input->size > 0;
    for (size_t i = 0; i < input->size && maps; i++) {
        maps = item_at(input, i)->kind == BASE_MAP;
    }
    BASE_TRY(saga_machine_spend(machine, input->size));
    if (maps) {
        return add_all_maps(machine, input, out);
    }
    base_value sum = base_value_null();
    for (size_t i = 0; i < input->size; i++) {
        base_value next;
        BASE_TRY(saga_add(machine, &sum, item_at(input, i), &next));
        sum = next;
    }
    *out = sum;
    return base_ok();
}

/* ---- flatten ---- */
typedef struct flatten_frame {
    const base_value *value;
    size_t index;
} flatten_frame;

typedef struct flatten_work {
    flatten_frame *frames;
    size_t count;
    size_t capacity;
} flatten_work;

static base_status flatten_push(saga_machine *machine, flatten_work *work, const base_value *value)
{
    if (work->count == work->capacity) {
        const size_t capacity = work->capacity == 0 ? 16 : 2 * work->capacity;
        void *block = NULL;
        BASE_TRY(saga_machine_array(machine, capacity, sizeof(flatten_frame), &block));
        if (work->count > 0) {
            memcpy(block, work->frames, work->count * sizeof(flatten_frame));
        }
        work->frames = block;
        work->capacity = capacity;
    }
    work->frames[work->count++] = (flatten_frame){.value = value};
    return base_ok();
}

/* How deep flatten goes: INT64_MAX without bound (as jq does for a fraction, too). */
static base_status flatten_depth(saga_machine *machine, const base_value *depth, int64_t *out)
{
    if (depth->kind == BASE_NULL || depth->kind == BASE_BOOL ||
        (base_value_is_number(depth) && saga_number_negative(depth))) {
        return SAGA_RAISE(machine, "flatten depth must not be negative");
    }
    const base_value one = base_value_integer(1);
    if (!base_value_is_number(depth)) {
        return saga_raise_two(machine, depth, &one, "cannot be subtracted");
    }
    *out = depth->kind == BASE_INTEGER ? depth->integer : INT64_MAX;
    return base_ok();
}

NATIVE(flatten)
{
    (void)c;
    int64_t depth = INT64_MAX;
    if (b != input) { /* the machine gives the input where there is no argument */
        BASE_TRY(flatten_depth(machine, b, &depth));
    }
    if (!saga_is_container(input)) {
        return cannot_iterate(machine, input);
    }
    base_list_builder builder;
    base_list_begin(&builder, machine->arena);
    flatten_work work = {0};
    BASE_TRY(flatten_push(machine, &work, input));
    while (work.count > 0) {
        BASE_TRY(saga_machine_spend(machine, 1));
        flatten_frame *top = &work.frames[work.count - 1];
        if (top->index == top->value->size) {
            work.count--;
            continue;
        }
        const base_value *item = item_at(top->value, top->index++);
        if (item->kind == BASE_LIST && (uint64_t)work.count <= (uint64_t)depth) {
            BASE_TRY(flatten_push(machine, &work, item));
            continue;
        }
        BASE_TRY(base_list_push(&builder, item));
        BASE_TRY(saga_machine_check_memory(machine));
    }
    machine->built = true;
    *out = base_list_end(&builder);
    return base_ok();
}

/* ---- sorting ---- */
/* The item with the least or greatest key; of equal ones the first, or the last for the greatest.
 */
static base_status extreme(saga_machine *machine, const base_value *list, const base_value *keys,
                           bool least, base_value *out)
{
    if (list->kind != BASE_LIST || keys->kind != BASE_LIST || list->size != keys->size) {
        return saga_raise_two(machine, list, keys, "cannot be iterated over");
    }
    size_t best = 0;
    for (size_t i = 1; i < list->size; i++) {
        int order;
        BASE_TRY(saga_compare(machine, &keys->items[i], &keys->items[best], &order));
        if (least ? order < 0 : order >= 0) {
            best = i;
        }
    }
    *out = list->size == 0 ? base_value_null() : list->items[best];
    return base_ok();
}

NATIVE(min)
{
    (void)b;
    (void)c;
    return extreme(machine, input, input, true, out);
}

NATIVE(max)
{
    (void)b;
    (void)c;
    return extreme(machine, input, input, false, out);
}

NATIVE(min_by)
{
    (void)c;
    return extreme(machine, input, b, true, out);
}

NATIVE(max_by)
{
    (void)c;
    return extreme(machine, input, b, false, out);
}

NATIVE(sort)
{
    (void)b;
    (void)c;
    if (input->kind != BASE_LIST) {
        return saga_raise_one(machine, input, "cannot be sorted, as it is not an array");
    }
    uint32_t *order = NULL;
    BASE_TRY(saga_sort_order(machine, input->items, input->size, &order));
    return reordered(machine, input, order, out);
}

static base_status order_by(saga_machine *machine, const base_value *list, const base_value *keys,
                            uint32_t **order_out)
{
    if (list->kind != BASE_LIST || keys->kind != BASE_LIST || list->size != keys->size) {
        return saga_raise_two(machine, list, keys, "cannot be sorted, as they are not both arrays");
    }
    return saga_sort_order(machine, keys->items, keys->size, order_out);
}

NATIVE(sort_by)
{
    (void)c;
    uint32_t *order = NULL;
    BASE_TRY(order_by(machine, input, b, &order));
    return reordered(machine, input, order, out);
}

NATIVE(group_by)
{
    (void)c;
    uint32_t *order = NULL;
    base_value sorted;
    BASE_TRY(order_by(machine, input, b, &order));
    BASE_TRY(reordered(machine, input, order, &sorted));
    base_value *groups;
    BASE_TRY(new_list(machine, input->size, &groups));
    size_t count = 0;
    for (size_t i = 0; i < input->size; i++) {
        int difference = 1;
        if (i > 0) {
            BASE_TRY(
                saga_compare(machine, &b->items[order[i]], &b->items[order[i - 1]], &difference));
        }
        if (difference != 0) {
            groups[count++] = base_value_list(sorted.items + i, 0);
        }
        groups[count - 1].size++;
    }
    *out = base_value_list(groups, count);
    return base_ok();
}

/* ---- paths ---- */
NATIVE(getpath)
{
    (void)c;
    return saga_path_get(machine, input, b, out);
}

NATIVE(setpath)
{
    return saga_path_set(machine, input, b, c, NULL, out);
}

NATIVE(delpaths)
{
    (void)c;
    return saga_path_delete(machine, input, b, out);
}
