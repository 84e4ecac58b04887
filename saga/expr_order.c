/*
 * Comparing, sorting, containing. base/ compares values of bounded depth; an expression can build
 * deeper ones, and small ones that share so much that to look at all of them takes for ever. So
 * here every step is taken from the budget, and the stack is in the arena.
 */
#include "saga/expr_code.h"

#define WALK_FIRST 16

/* ---- order ---- */
/* null < false < true < numbers < strings < bytes < lists < maps */
static int rank(const base_value *value)
{
    switch ((base_kind)value->kind) {
    case BASE_NULL:
        return 0;
    case BASE_BOOL:
        return value->truth ? 2 : 1;
    case BASE_INTEGER:
    case BASE_DECIMAL:
    case BASE_NUMBER_TEXT:
        return 3;
    case BASE_STRING:
        return 4;
    case BASE_BYTES:
        return 5;
    case BASE_LIST:
        return 6;
    case BASE_MAP:
    default:
        return 7;
    }
}

static int compare_scalars(const base_value *a, const base_value *b)
{
    const int rank_a = rank(a);
    const int rank_b = rank(b);
    if (rank_a != rank_b) {
        return rank_a < rank_b ? -1 : 1;
    }
    if (rank_a == 3) {
        return base_number_compare(a, b);
    }
    if (rank_a == 4 || rank_a == 5) {
        return base_slice_compare(base_value_slice(a), base_value_slice(b));
    }
    return 0;
}

/* Bytes that a comparison of these two may have to look at. */
static size_t text_size(const base_value *a, const base_value *b)
{
    const size_t size_a = base_value_slice(a).size;
    const size_t size_b = base_value_slice(b).size;
    return size_a < size_b ? size_a : size_b;
}

/* Two lists, or two maps with the same keys, on their way. */
typedef struct walk {
    const base_value *a;
    const base_value *b;
    const base_member **order_a; /* maps: members by key */
    const base_member **order_b;
    size_t index;
} walk;

/* Sorts the members by key (merge sort from the bottom up: no recursion, and the same steps on
 * every machine). */
static base_status sort_members(saga_machine *machine, const base_value *map,
                                const base_member ***order_out)
{
    const size_t count = map->size;
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, 2 * count + 1, sizeof(base_member *), &block));
    const base_member **from = block;
    const base_member **to = from + count;
    for (size_t i = 0; i < count; i++) {
        from[i] = &map->members[i];
    }
    for (size_t width = 1; width < count; width *= 2) {
        BASE_TRY(saga_machine_spend(machine, count));
        for (size_t start = 0; start < count; start += 2 * width) {
            const size_t middle = start + width < count ? start + width : count;
            const size_t end = start + 2 * width < count ? start + 2 * width : count;
            size_t left = start;
            size_t right = middle;
            for (size_t i = start; i < end; i++) {
                const bool take_left =
                    left < middle &&
                    (right >= end || base_slice_compare(from[left]->key, from[right]->key) <= 0);
                to[i] = take_left ? from[left++] : from[right++];
            }
        }
        const base_member **swap = from;
        from = to;
        to = swap;
    }
    *order_out = from;
    return base_ok();
}

/* Maps are first compared by their sorted keys. */
static base_status open_maps(saga_machine *machine, walk *pair, int *order_out)
{
    BASE_TRY(sort_members(machine, pair->a, &pair->order_a));
    BASE_TRY(sort_members(machine, pair->b, &pair->order_b));
    for (size_t i = 0; i < pair->a->size && i < pair->b->size; i++) {
        *order_out = base_slice_compare(pair->order_a[i]->key, pair->order_b[i]->key);
        if (*order_out != 0) {
            return base_ok();
        }
    }
    *order_out = (pair->a->size > pair->b->size) - (pair->a->size < pair->b->size);
    return base_ok();
}

static base_status grow_walks(saga_machine *machine, walk **walks, size_t count, size_t *capacity)
{
    if (count < *capacity) {
        return base_ok();
    }
    void *block = NULL;
    const size_t wanted = *capacity == 0 ? WALK_FIRST : 2 * *capacity;
    BASE_TRY(saga_machine_array(machine, wanted, sizeof(walk), &block));
    if (count > 0) {
        memcpy(block, *walks, count * sizeof(walk));
    }
    *walks = block;
    *capacity = wanted;
    return base_ok();
}

static bool same_block(const base_value *a, const base_value *b)
{
    return a->kind == b->kind && a->size == b->size &&
           (a->kind == BASE_LIST ? a->items == b->items : a->members == b->members);
}

/* Compares the next pair of items; *next is set when they are to be walked themselves. */
static base_status compare_pair(saga_machine *machine, const base_value *a, const base_value *b,
                                walk *next, bool *descend, int *order_out)
{
    BASE_TRY(saga_machine_spend(machine, 1 + text_size(a, b) / 64));
    *descend = false;
    *order_out = compare_scalars(a, b);
    if (*order_out != 0 || rank(a) < 6 || same_block(a, b)) {
        return base_ok();
    }
    *next = (walk){.a = a, .b = b};
    *descend = true;
    return a->kind == BASE_MAP ? open_maps(machine, next, order_out) : base_ok();
}

static base_status compare_containers(saga_machine *machine, walk first, int *out)
{
    walk *walks = NULL;
    size_t capacity = 0;
    size_t count = 0;
    BASE_TRY(grow_walks(machine, &walks, count, &capacity));
    walks[count++] = first;
    while (count > 0) {
        walk *top = &walks[count - 1];
        const size_t i = top->index++;
        if (i >= top->a->size || i >= top->b->size) {
            if (top->a->size != top->b->size) {
                *out = top->a->size < top->b->size ? -1 : 1;
                return base_ok();
            }
            count--;
            continue;
        }
        const bool list = top->a->kind == BASE_LIST;
        walk next;
        bool descend;
        int order;
        BASE_TRY(compare_pair(machine, list ? &top->a->items[i] : &top->order_a[i]->value,
                              list ? &top->b->items[i] : &top->order_b[i]->value, &next, &descend,
                              &order));
        if (order != 0) {
            *out = order;
            return base_ok();
        }
        if (descend) {
            BASE_TRY(grow_walks(machine, &walks, count, &capacity));
            walks[count++] = next;
        }
    }
    *out = 0;
    return base_ok();
}

base_status saga_compare(saga_machine *machine, const base_value *a, const base_value *b, int *out)
{
    walk first;
    bool descend;
    int order;
    const base_arena_mark mark = base_arena_mark_get(machine->arena);
    BASE_TRY(compare_pair(machine, a, b, &first, &descend, &order));
    if (descend && order == 0) {
        BASE_TRY(compare_containers(machine, first, &order));
    }
    if (descend) {
        base_arena_rewind(machine->arena, mark);
    }
    *out = order;
    return base_ok();
}

/* Merges two neighbouring sorted runs of indexes, from[start...middle] and from[middle...end], into
 * to. */
static base_status merge_runs(saga_machine *machine, const base_value *keys, const uint32_t *from,
                              uint32_t *to, size_t start, size_t middle, size_t end)
{
    size_t left = start;
    size_t right = middle;
    for (size_t i = start; i < end; i++) {
        int order = left < middle ? -1 : 1;
        if (left < middle && right < end) {
            BASE_TRY(saga_compare(machine, &keys[from[left]], &keys[from[right]], &order));
        }
        to[i] = order <= 0 ? from[left++] : from[right++];
    }
    return base_ok();
}

base_status saga_sort_order(saga_machine *machine, const base_value *keys, size_t count,
                            uint32_t **order_out)
{
    if (count > UINT32_MAX / 2) {
        return base_status_of(BASE_BUDGET);
    }
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, 2 * count + 1, sizeof(uint32_t), &block));
    uint32_t *from = block;
    uint32_t *to = from + count;
    for (size_t i = 0; i < count; i++) {
        from[i] = (uint32_t)i;
    }
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            const size_t middle = start + width < count ? start + width : count;
            const size_t end = start + 2 * width < count ? start + 2 * width : count;
            BASE_TRY(merge_runs(machine, keys, from, to, start, middle, end));
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    *order_out = from;
    return base_ok();
}

/* ---- contains ---- */
/* Does a contain b? A map does when it contains every member, a list when some item of it contains
 * each of b's. */
typedef struct search {
    const base_value *a;
    const base_value *b;
    size_t a_index; /* lists: the item of a that is tried */
    size_t b_index;
} search;

typedef enum search_step { SEARCH_TRUE, SEARCH_FALSE, SEARCH_DESCEND } search_step;

/* One look at a search: its outcome, or the pair to look at next. */
static search_step search_look(const search *top, const base_value **a, const base_value **b)
{
    if (top->b_index == top->b->size) {
        return SEARCH_TRUE;
    }
    if (top->a->kind == BASE_LIST) {
        if (top->a_index == top->a->size) {
            return SEARCH_FALSE;
        }
        *a = &top->a->items[top->a_index];
        *b = &top->b->items[top->b_index];
        return SEARCH_DESCEND;
    }
    const base_member *member = &top->b->members[top->b_index];
    *a = saga_map_find(top->a, member->key);
    *b = &member->value;
    return *a == NULL ? SEARCH_FALSE : SEARCH_DESCEND;
}

/* Tells a search what became of the pair it asked about. */
static void search_tell(search *top, bool contained)
{
    if (contained) {
        top->b_index++;
        top->a_index = 0;
    } else if (top->a->kind == BASE_LIST) {
        top->a_index++;
    } else {
        top->b_index = 0;
        top->b = NULL; /* a map without this member: the outcome is false */
    }
}

static base_status contains_scalar(saga_machine *machine, const base_value *a, const base_value *b,
                                   bool *out)
{
    if (a->kind == BASE_STRING && b->kind == BASE_STRING) {
        size_t at;
        BASE_TRY(saga_find_bytes(machine, base_value_slice(a), 0, base_value_slice(b), &at));
        *out = at != SIZE_MAX;
        return base_ok();
    }
    BASE_TRY(saga_machine_spend(machine, text_size(a, b) / 64));
    *out = compare_scalars(a, b) == 0 && rank(a) < 6;
    return base_ok();
}

typedef struct search_stack {
    search *searches;
    size_t count;
    size_t capacity;
} search_stack;

static base_status search_push(saga_machine *machine, search_stack *stack, const base_value *a,
                               const base_value *b)
{
    if (stack->count == stack->capacity) {
        const size_t wanted = stack->capacity == 0 ? WALK_FIRST : 2 * stack->capacity;
        void *block = NULL;
        BASE_TRY(saga_machine_array(machine, wanted, sizeof(search), &block));
        if (stack->count > 0) {
            memcpy(block, stack->searches, stack->count * sizeof(search));
        }
        stack->searches = block;
        stack->capacity = wanted;
    }
    stack->searches[stack->count++] = (search){.a = a, .b = b};
    return base_ok();
}

/* Ends searches whose outcome is known, until one asks about another pair: true, with the pair.
 * With `tell`, the newest search is told *contained first. False: all are ended, and *contained is
 * the outcome. */
static bool search_next(search_stack *stack, bool tell, bool *contained, const base_value **a,
                        const base_value **b)
{
    while (stack->count > 0) {
        search *top = &stack->searches[stack->count - 1];
        if (tell) {
            search_tell(top, *contained);
        }
        const search_step step = top->b == NULL ? SEARCH_FALSE : search_look(top, a, b);
        if (step == SEARCH_DESCEND) {
            return true;
        }
        *contained = step == SEARCH_TRUE;
        stack->count--;
        tell = true;
    }
    return false;
}

base_status saga_contains(saga_machine *machine, const base_value *a, const base_value *b,
                          bool *out)
{
    search_stack stack = {0};
    bool contained = false;
    bool tell;
    do {
        BASE_TRY(saga_machine_spend(machine, 1));
        tell = !saga_is_container(a) || a->kind != b->kind;
        if (tell) {
            BASE_TRY(contains_scalar(machine, a, b, &contained));
        } else {
            BASE_TRY(search_push(machine, &stack, a, b));
        }
    } while (search_next(&stack, tell, &contained, &a, &b));
    *out = contained;
    return base_ok();
}

/* ---- depth ---- */
typedef struct depth_walk {
    const base_value *value;
    size_t index;
} depth_walk;

/* A large map that grew member by member (saga_map_put) has no index; it gets one before it leaves
 * the evaluation. The map was made here, and so was what holds it: nobody else knows either yet. */
static base_status seal(saga_machine *machine, const base_value *map)
{
    base_map_builder builder;
    base_map_begin(&builder, machine->arena);
    for (size_t i = 0; i < map->size; i++) {
        BASE_TRY(base_map_put(&builder, map->members[i].key, &map->members[i].value));
    }
    const base_value sealed = base_map_end(&builder);
    memcpy((void *)(uintptr_t)map, &sealed, sizeof sealed);
    return saga_machine_check_memory(machine);
}

base_status saga_check_depth(saga_machine *machine, const base_value *value, bool *fits_out)
{
    depth_walk walks[BASE_VALUE_DEPTH_MAX];
    size_t count = 0;
    *fits_out = true;
    for (const base_value *next = value; next != NULL || count > 0;) {
        if (next != NULL && (next->kind == BASE_LIST || next->kind == BASE_MAP)) {
            if (count == BASE_VALUE_DEPTH_MAX) {
                *fits_out = false;
                return base_ok();
            }
            if (saga_map_is_grown(next)) {
                BASE_TRY(seal(machine, next));
            }
            walks[count++] = (depth_walk){.value = next};
        }
        next = NULL;
        while (count > 0 && next == NULL) {
            depth_walk *top = &walks[count - 1];
            if (top->index == top->value->size) {
                count--;
                continue;
            }
            BASE_TRY(saga_machine_spend(machine, 1));
            next = top->value->kind == BASE_LIST ? &top->value->items[top->index]
                                                 : &top->value->members[top->index].value;
            top->index++;
        }
    }
    return base_ok();
}
