/* Looking into values and changing copies of them: indexes, slices, paths. What jq does with each
 * pair of kinds, and its words when it does not. */
#include "saga/expr_code.h"

#define KEY_SHOWN_MAX 30               /* jq shows a string key that is shorter */
#define INDEX_MAX ((int64_t)536870911) /* jq's bound on what may be assigned to */
#define LEVELS_FIRST 16

static bool is_number(const base_value *value)
{
    return base_value_is_number(value);
}

/* ---- maps ---- */
const base_value *saga_map_find(const base_value *map, base_slice key)
{
    if (map->indexed) {
        return base_map_get(map, key);
    }
    const base_member *members = map->members;
    for (size_t i = 0; i < map->size; i++) {
        if (members[i].key.size == key.size &&
            (key.size == 0 || memcmp(members[i].key.data, key.data, key.size) == 0)) {
            return &members[i].value;
        }
    }
    return NULL;
}

static base_value map_of(base_member *members, size_t count)
{
    base_value map = base_value_map(members, count);
    if (count > SAGA_MAP_SCAN_MAX) {
        map.exponent = SAGA_MAP_GROWN;
    }
    return map;
}

base_status saga_map_put(saga_machine *machine, const base_value *map, base_slice key,
                         const base_value *value, base_value *out)
{
    machine->built = true;
    BASE_TRY(saga_machine_spend(machine, map->size / SAGA_MAP_SCAN_MAX));
    const base_value *found = saga_map_find(map, key);
    const base_value kept = *value;
    void *block = NULL;
    if (found == NULL) {
        BASE_TRY(saga_machine_extend(machine, map->members, map->size * sizeof(base_member),
                                     sizeof(base_member), &block));
        base_member *members = block;
        members[map->size] = (base_member){.key = key, .value = kept};
        *out = map_of(members, map->size + 1);
        return base_ok();
    }
    BASE_TRY(saga_machine_array(machine, map->size, sizeof(base_member), &block));
    base_member *members = block;
    memcpy(members, map->members, map->size * sizeof(base_member));
    const size_t at =
        (size_t)((const char *)found - (const char *)map->members) / sizeof(base_member);
    members[at].value = kept;
    *out = map_of(members, map->size);
    return base_ok();
}

/* ---- slices ---- */
typedef struct range {
    size_t start;
    size_t end;
} range;

/* One end of a slice: negative counts from the end; a fraction is rounded down at the start and up
 * at the end. */
static size_t slice_bound(const base_value *number, size_t length, bool up)
{
    const base_value whole_length = base_value_integer((int64_t)length);
    base_value bound = *number;
    if (saga_number_negative(&bound) &&
        base_failed(base_number_add(number, &whole_length, &bound))) {
        return 0;
    }
    if (saga_number_negative(&bound)) {
        return 0;
    }
    if (base_number_compare(&bound, &whole_length) >= 0) {
        return length;
    }
    base_value rounded;
    if (bound.kind == BASE_NUMBER_TEXT || base_failed(up ? base_number_ceil(&bound, &rounded)
                                                         : base_number_floor(&bound, &rounded))) {
        return (size_t)saga_integer_of(&bound);
    }
    return (size_t)saga_integer_of(&rounded);
}

static base_status slice_range(saga_machine *machine, size_t length, const base_value *from,
                               const base_value *to, range *out)
{
    if ((from->kind != BASE_NULL && !is_number(from)) ||
        (to->kind != BASE_NULL && !is_number(to))) {
        return SAGA_RAISE(machine, "Array/string slice indices must be integers");
    }
    out->start = from->kind == BASE_NULL ? 0 : slice_bound(from, length, false);
    out->end = to->kind == BASE_NULL ? length : slice_bound(to, length, true);
    if (out->end < out->start) {
        out->end = out->start;
    }
    return base_ok();
}

base_status saga_slice(saga_machine *machine, const base_value *container, const base_value *from,
                       const base_value *to, base_value *out)
{
    range bounds;
    if (container->kind == BASE_LIST) {
        BASE_TRY(slice_range(machine, container->size, from, to, &bounds));
        *out = base_value_list(bounds.end > bounds.start ? container->items + bounds.start : NULL,
                               bounds.end - bounds.start);
        return base_ok();
    }
    if (container->kind == BASE_STRING) {
        const base_slice text = base_value_slice(container);
        BASE_TRY(saga_machine_spend(machine, text.size / 64));
        BASE_TRY(slice_range(machine, saga_utf8_count(text), from, to, &bounds));
        const size_t start = saga_utf8_offset(text, bounds.start);
        const size_t end = saga_utf8_offset(text, bounds.end);
        *out =
            base_value_string(base_slice_make(end > start ? text.data + start : "", end - start));
        return base_ok();
    }
    if (container->kind == BASE_NULL) {
        *out = base_value_null();
        return base_ok();
    }
    return SAGA_RAISE(machine, "Cannot index %s with object", saga_kind_name(container));
}

base_status saga_slice_key(saga_machine *machine, const base_value *from, const base_value *to,
                           base_value *out)
{
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, 2, sizeof(base_member), &block));
    base_member *members = block;
    members[0] = (base_member){.key = base_slice_of("start"), .value = *from};
    members[1] = (base_member){.key = base_slice_of("end"), .value = *to};
    *out = base_value_map(members, 2);
    return base_ok();
}

/* One end of the object {"start": ..., "end": ...} that stands for a slice; what is missing is
 * refused by slice_range. */
static base_value slice_end_of(const base_value *key, const char *name)
{
    const base_value *found = saga_map_find(key, base_slice_of(name));
    return found != NULL ? *found : base_value_bool(false);
}

/* ---- indexes ---- */
/* Where the list `part` begins in `list`. */
static base_status sublist_indexes(saga_machine *machine, const base_value *list,
                                   const base_value *part, base_value *out)
{
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, list->size, sizeof(base_value), &block));
    base_value *indexes = block;
    size_t count = 0;
    for (size_t i = 0; part->size > 0 && i + part->size <= list->size; i++) {
        int order = 0;
        for (size_t j = 0; j < part->size && order == 0; j++) {
            BASE_TRY(saga_compare(machine, &list->items[i + j], &part->items[j], &order));
        }
        if (order == 0) {
            indexes[count++] = base_value_integer((int64_t)i);
        }
    }
    machine->built = true;
    *out = base_value_list(indexes, count);
    return base_ok();
}

static base_status cannot_index(saga_machine *machine, const base_value *container,
                                const base_value *key)
{
    if (key->kind == BASE_STRING && key->size < KEY_SHOWN_MAX) {
        return SAGA_RAISE(machine, "Cannot index %s with string \"%.*s\"",
                          saga_kind_name(container), BASE_SLICE_ARG(base_value_slice(key)));
    }
    return SAGA_RAISE(machine, "Cannot index %s with %s", saga_kind_name(container),
                      saga_kind_name(key));
}

base_status saga_index(saga_machine *machine, const base_value *container, const base_value *key,
                       base_value *out)
{
    if (container->kind == BASE_MAP && key->kind == BASE_STRING) {
        BASE_TRY(saga_machine_spend(machine, (container->size + key->size) / SAGA_MAP_SCAN_MAX));
        const base_value *found = saga_map_find(container, base_value_slice(key));
        *out = found != NULL ? *found : base_value_null();
        return base_ok();
    }
    if (container->kind == BASE_LIST && is_number(key)) {
        int64_t index = saga_integer_of(key);
        if (index < 0) {
            index += (int64_t)container->size;
        }
        const bool inside = index >= 0 && (uint64_t)index < container->size;
        *out = inside ? container->items[index] : base_value_null();
        return base_ok();
    }
    if (key->kind == BASE_MAP && (container->kind == BASE_LIST || container->kind == BASE_STRING)) {
        const base_value from = slice_end_of(key, "start");
        const base_value to = slice_end_of(key, "end");
        return saga_slice(machine, container, &from, &to, out);
    }
    if (container->kind == BASE_LIST && key->kind == BASE_LIST) {
        return sublist_indexes(machine, container, key, out);
    }
    if (container->kind == BASE_NULL &&
        (key->kind == BASE_STRING || is_number(key) || key->kind == BASE_MAP)) {
        *out = base_value_null();
        return base_ok();
    }
    return cannot_index(machine, container, key);
}

/* ---- setting ---- */
static void write_in_place(const base_value *slot, const base_value *value)
{
    /* The slot is in a block that the assignment in progress made itself (saga_owner). */
    memcpy((void *)(uintptr_t)slot, value, sizeof *value);
}

static base_status set_item(saga_machine *machine, const base_value *list, const base_value *key,
                            const base_value *value, bool owned, base_value *out)
{
    int64_t index = saga_integer_of(key);
    const size_t size = list->kind == BASE_LIST ? list->size : 0;
    if (index < 0) {
        index += (int64_t)size;
    }
    if (index < 0) {
        return SAGA_RAISE(machine, "Out of bounds negative array index");
    }
    if (index > INDEX_MAX) {
        return SAGA_RAISE(machine, "Array index too large");
    }
    const size_t at = (size_t)index;
    if (at < size && owned) {
        write_in_place(&list->items[at], value);
        *out = *list;
        return base_ok();
    }
    void *block = NULL;
    const base_value kept = *value;
    machine->built = true;
    if (at >= size) {
        BASE_TRY(saga_machine_extend(machine, size > 0 ? list->items : NULL,
                                     size * sizeof(base_value),
                                     (at + 1 - size) * sizeof(base_value), &block));
        base_value *items = block;
        for (size_t i = size; i < at; i++) {
            items[i] = base_value_null();
        }
        items[at] = kept;
        *out = base_value_list(items, at + 1);
        return base_ok();
    }
    BASE_TRY(saga_machine_spend(machine, size / 64));
    BASE_TRY(saga_machine_array(machine, size, sizeof(base_value), &block));
    base_value *items = block;
    memcpy(items, list->items, size * sizeof(base_value));
    items[at] = kept;
    *out = base_value_list(items, size);
    return base_ok();
}

static base_status set_member(saga_machine *machine, const base_value *map, const base_value *key,
                              const base_value *value, bool owned, base_value *out)
{
    const base_value empty = base_value_map(NULL, 0);
    const base_value *from = map->kind == BASE_MAP ? map : &empty;
    const base_slice name = base_value_slice(key);
    const base_value *found = owned ? saga_map_find(from, name) : NULL;
    if (found == NULL) {
        return saga_map_put(machine, from, name, value, out);
    }
    BASE_TRY(saga_machine_spend(machine, map->size / SAGA_MAP_SCAN_MAX));
    write_in_place(found, value);
    *out = *map;
    return base_ok();
}

static base_status set_slice(saga_machine *machine, const base_value *list, const base_value *key,
                             const base_value *value, base_value *out)
{
    const base_value from = slice_end_of(key, "start");
    const base_value to = slice_end_of(key, "end");
    const size_t size = list->kind == BASE_LIST ? list->size : 0;
    range bounds;
    BASE_TRY(slice_range(machine, size, &from, &to, &bounds));
    if (value->kind != BASE_LIST) {
        return SAGA_RAISE(machine, "A slice of an array can only be assigned another array");
    }
    const size_t count = size - (bounds.end - bounds.start) + value->size;
    void *block = NULL;
    BASE_TRY(saga_machine_spend(machine, count / 64));
    BASE_TRY(saga_machine_array(machine, count, sizeof(base_value), &block));
    base_value *items = block;
    if (bounds.start > 0) {
        memcpy(items, list->items, bounds.start * sizeof(base_value));
    }
    if (value->size > 0) {
        memcpy(items + bounds.start, value->items, value->size * sizeof(base_value));
    }
    if (size > bounds.end) {
        memcpy(items + bounds.start + value->size, list->items + bounds.end,
               (size - bounds.end) * sizeof(base_value));
    }
    machine->built = true;
    *out = base_value_list(items, count);
    return base_ok();
}

/* container with value under key, as a copy; in place when `owned`. */
static base_status set_key(saga_machine *machine, const base_value *container,
                           const base_value *key, const base_value *value, bool owned,
                           base_value *out)
{
    const bool null = container->kind == BASE_NULL;
    if (key->kind == BASE_STRING && (container->kind == BASE_MAP || null)) {
        return set_member(machine, container, key, value, owned, out);
    }
    if (is_number(key) && (container->kind == BASE_LIST || null)) {
        return set_item(machine, container, key, value, owned, out);
    }
    if (key->kind == BASE_MAP && (container->kind == BASE_LIST || null)) {
        return set_slice(machine, container, key, value, out);
    }
    if (key->kind == BASE_MAP && container->kind == BASE_STRING) {
        return SAGA_RAISE(machine, "Cannot update string slices");
    }
    return SAGA_RAISE(machine, "Cannot update field at %s index of %s", saga_kind_name(key),
                      saga_kind_name(container));
}

/* ---- paths ---- */
static base_status check_path(saga_machine *machine, const base_value *path)
{
    if (path->kind != BASE_LIST) {
        return SAGA_RAISE(machine, "Path must be specified as an array");
    }
    return saga_machine_spend(machine, path->size);
}

base_status saga_path_get(saga_machine *machine, const base_value *root, const base_value *path,
                          base_value *out)
{
    BASE_TRY(check_path(machine, path));
    base_value value = *root;
    for (size_t i = 0; i < path->size; i++) {
        base_value next;
        BASE_TRY(saga_index(machine, &value, &path->items[i], &next));
        value = next;
    }
    *out = value;
    return base_ok();
}

static const void *block_of(const base_value *value)
{
    return value->kind == BASE_LIST ? (const void *)value->items : (const void *)value->members;
}

static bool owns(const saga_owner *owner, size_t depth, const base_value *container)
{
    return owner != NULL && depth < owner->count &&
           (container->kind == BASE_LIST || container->kind == BASE_MAP) &&
           owner->blocks[depth] == block_of(container);
}

base_status saga_path_set(saga_machine *machine, const base_value *root, const base_value *path,
                          const base_value *value, saga_owner *owner, base_value *out)
{
    BASE_TRY(check_path(machine, path));
    const size_t count = path->size;
    base_value few[LEVELS_FIRST];
    base_value *levels = few;
    if (count > LEVELS_FIRST) {
        void *block = NULL;
        BASE_TRY(saga_machine_array(machine, count, sizeof(base_value), &block));
        levels = block;
    }
    base_value at = *root;
    for (size_t i = 0; i < count; i++) {
        levels[i] = at;
        base_value next;
        BASE_TRY(saga_index(machine, &levels[i], &path->items[i], &next));
        at = next;
    }
    /* Blocks are this assignment's own as far as all those before them are. */
    size_t owned = 0;
    while (owned < count && owns(owner, owned, &levels[owned])) {
        owned++;
    }
    size_t owned_next = owner == NULL ? 0 : count;
    base_value made = *value;
    for (size_t i = count; i > 0; i--) {
        base_value next;
        BASE_TRY(set_key(machine, &levels[i - 1], &path->items[i - 1], &made, i <= owned, &next));
        /* A block that grew in place may be in other values too, up to their size. */
        if (i > owned && block_of(&next) == block_of(&levels[i - 1])) {
            owned_next = i - 1;
        }
        made = next;
        levels[i - 1] = made;
    }
    if (owner != NULL) {
        owner->count = owned_next < SAGA_OWNER_DEPTH_MAX ? owned_next : SAGA_OWNER_DEPTH_MAX;
        for (size_t i = 0; i < owner->count; i++) {
            owner->blocks[i] = block_of(&levels[i]);
        }
    }
    *out = made;
    return base_ok();
}

/* ---- deleting ---- */
static base_status delete_items(saga_machine *machine, const base_value *list,
                                const base_value *keys, size_t key_count, base_value *out)
{
    void *block = NULL;
    BASE_TRY(saga_machine_alloc(machine, list->size + 1, &block));
    bool *gone = block;
    memset(gone, 0, list->size + 1);
    for (size_t i = 0; i < key_count; i++) {
        range bounds;
        if (is_number(&keys[i])) {
            int64_t index = saga_integer_of(&keys[i]);
            if (index < 0) {
                index += (int64_t)list->size;
            }
            if (index < 0 || (uint64_t)index >= list->size) {
                continue;
            }
            bounds = (range){(size_t)index, (size_t)index + 1};
        } else if (keys[i].kind == BASE_MAP) {
            const base_value from = slice_end_of(&keys[i], "start");
            const base_value to = slice_end_of(&keys[i], "end");
            BASE_TRY(slice_range(machine, list->size, &from, &to, &bounds));
        } else {
            return SAGA_RAISE(machine, "Cannot delete %s element of array",
                              saga_kind_name(&keys[i]));
        }
        BASE_TRY(saga_machine_spend(machine, 1 + (bounds.end - bounds.start) / 64));
        memset(gone + bounds.start, 1, bounds.end - bounds.start);
    }
    BASE_TRY(saga_machine_array(machine, list->size, sizeof(base_value), &block));
    base_value *items = block;
    size_t count = 0;
    for (size_t i = 0; i < list->size; i++) {
        if (!gone[i]) {
            items[count++] = list->items[i];
        }
    }
    *out = base_value_list(items, count);
    return base_ok();
}

static base_status delete_members(saga_machine *machine, const base_value *map,
                                  const base_value *keys, size_t key_count, base_value *out)
{
    for (size_t i = 0; i < key_count; i++) {
        if (keys[i].kind != BASE_STRING) {
            return SAGA_RAISE(machine, "Cannot delete %s field of object",
                              saga_kind_name(&keys[i]));
        }
    }
    BASE_TRY(saga_machine_spend(machine, map->size));
    base_map_builder builder;
    base_map_begin(&builder, machine->arena);
    for (size_t i = 0; i < map->size; i++) {
        /* The keys are sorted. */
        size_t low = 0;
        size_t high = key_count;
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            if (base_slice_compare(base_value_slice(&keys[middle]), map->members[i].key) < 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low == key_count ||
            !base_slice_equal(base_value_slice(&keys[low]), map->members[i].key)) {
            BASE_TRY(base_map_put(&builder, map->members[i].key, &map->members[i].value));
        }
    }
    *out = base_map_end(&builder);
    return saga_machine_check_memory(machine);
}

static base_status delete_keys(saga_machine *machine, const base_value *container,
                               const base_value *keys, size_t key_count, base_value *out)
{
    *out = *container;
    if (key_count == 0 || container->kind == BASE_NULL) {
        return base_ok();
    }
    machine->built = true;
    if (container->kind == BASE_LIST) {
        return delete_items(machine, container, keys, key_count, out);
    }
    if (container->kind == BASE_MAP) {
        return delete_members(machine, container, keys, key_count, out);
    }
    return SAGA_RAISE(machine, "Cannot delete fields from %s", saga_kind_name(container));
}

/* The sorted paths from `next` to `end` agree in their first `depth` keys, which lead to `value`.
 * Those that end with the next key delete it, all at once at the end; the others are done first,
 * one frame deeper. */
typedef struct delete_frame {
    base_value value;
    base_value key; /* of the frame above this one, in value */
    size_t next;
    size_t end;
    base_value *keys; /* to delete */
    size_t key_count;
} delete_frame;

typedef struct delete_work {
    saga_machine *machine;
    const base_value *paths;
    const uint32_t *order;
    delete_frame *frames;
    size_t count;
    size_t capacity;
} delete_work;

static const base_value *sorted_path(const delete_work *work, size_t i)
{
    return &work->paths->items[work->order[i]];
}

static base_status delete_push(delete_work *work, const base_value *value, size_t next, size_t end)
{
    void *block = NULL;
    if (work->count == work->capacity) {
        const size_t capacity = work->capacity == 0 ? LEVELS_FIRST : 2 * work->capacity;
        BASE_TRY(saga_machine_array(work->machine, capacity, sizeof(delete_frame), &block));
        if (work->count > 0) {
            memcpy(block, work->frames, work->count * sizeof(delete_frame));
        }
        work->frames = block;
        work->capacity = capacity;
    }
    BASE_TRY(saga_machine_array(work->machine, end - next, sizeof(base_value), &block));
    work->frames[work->count++] =
        (delete_frame){.value = *value, .next = next, .end = end, .keys = block};
    return base_ok();
}

/* The paths of the frame with its next key: the end of their run. */
static base_status run_end(delete_work *work, const delete_frame *frame, size_t depth,
                           size_t *end_out)
{
    const base_value *key = &sorted_path(work, frame->next)->items[depth];
    size_t end = frame->next + 1;
    while (end < frame->end) {
        int order;
        BASE_TRY(saga_compare(work->machine, key, &sorted_path(work, end)->items[depth], &order));
        if (order != 0) {
            break;
        }
        end++;
    }
    *end_out = end;
    return base_ok();
}

static base_status delete_step(delete_work *work, base_value *done_out)
{
    delete_frame *frame = &work->frames[work->count - 1];
    const size_t depth = work->count - 1;
    if (frame->next == frame->end) {
        BASE_TRY(
            delete_keys(work->machine, &frame->value, frame->keys, frame->key_count, done_out));
        if (--work->count == 0) {
            return base_ok();
        }
        delete_frame *below = &work->frames[work->count - 1];
        base_value changed;
        BASE_TRY(set_key(work->machine, &below->value, &below->key, done_out, false, &changed));
        below->value = changed;
        return base_ok();
    }
    size_t end;
    BASE_TRY(run_end(work, frame, depth, &end));
    const base_value *path = sorted_path(work, frame->next);
    const base_value *key = &path->items[depth];
    const size_t first = frame->next;
    frame->next = end;
    if (path->size == depth + 1) {
        frame->keys[frame->key_count++] = *key;
        return base_ok();
    }
    base_value inner;
    BASE_TRY(saga_index(work->machine, &frame->value, key, &inner));
    if (inner.kind == BASE_NULL) {
        return base_ok();
    }
    frame->key = *key;
    return delete_push(work, &inner, first, end);
}

base_status saga_path_delete(saga_machine *machine, const base_value *root, const base_value *paths,
                             base_value *out)
{
    if (paths->kind != BASE_LIST) {
        return SAGA_RAISE(machine, "Paths must be specified as an array");
    }
    for (size_t i = 0; i < paths->size; i++) {
        if (paths->items[i].kind != BASE_LIST) {
            return SAGA_RAISE(machine, "Path must be specified as array, not %s",
                              saga_kind_name(&paths->items[i]));
        }
    }
    *out = *root;
    if (paths->size == 0) {
        return base_ok();
    }
    uint32_t *order = NULL;
    BASE_TRY(saga_sort_order(machine, paths->items, paths->size, &order));
    if (paths->items[order[0]].size == 0) {
        *out = base_value_null();
        return base_ok();
    }
    delete_work work = {.machine = machine, .paths = paths, .order = order};
    BASE_TRY(delete_push(&work, root, 0, paths->size));
    while (work.count > 0) {
        BASE_TRY(saga_machine_spend(machine, 1));
        BASE_TRY(delete_step(&work, out));
    }
    return base_ok();
}
