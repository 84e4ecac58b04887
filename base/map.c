/*
 * Maps: members in the order they were put, found by key.
 *
 * Most maps are small: up to BASE_MAP_SMALL_MAX members are found by looking through them. A
 * builder that takes more keeps an index: the members' numbers in sorted runs, each run a power of
 * two times 16 members long, as the bits of a binary counter; the newest members, up to 16, are in
 * no run yet.
 *
 *   members  [0 ...................... 31][32 ........ 47][48 .. 50]
 *   order    [a run of 32, sorted by key ][a run of 16   ]  (newest, looked through)
 *
 * A full tail becomes a run of 16, and runs of one length are merged, like a carry. Finding looks
 * into each run by halving. When the builder ends, all runs are merged into one, which is kept
 * behind the members, in the same block:
 *
 *   base_value.members -> [member 0][member 1]...[member n-1][uint32 n times: member numbers by
 * key]     (indexed)
 *
 * So a lookup, a comparison and canonical JSON take n log n at most whatever the keys are. A hash
 * table would be quicker to build, but whoever can choose keys could make it quadratic, or it would
 * need a secret; and the order by key is needed anyway.
 */
#include "base/map.h"

#include "base/assert.h"

#define RUN_SIZE BASE_MAP_SMALL_MAX
#define CAPACITY_FIRST 4

/* ---- sorted runs ---- */

static bool key_before(const base_member *members, uint32_t a, uint32_t b)
{
    return base_slice_compare(members[a].key, members[b].key) < 0;
}

/* Sorts the at most RUN_SIZE members from `first` on into run. */
static void run_make(const base_member *members, size_t first, size_t count, uint32_t *run)
{
    for (size_t index = 0; index < count; index++) {
        const uint32_t member = (uint32_t)(first + index);
        size_t at = index;
        while (at > 0 && key_before(members, member, run[at - 1])) {
            run[at] = run[at - 1];
            at--;
        }
        run[at] = member;
    }
}

/* Merges two neighbouring runs in place; scratch has room for the left one. */
static void run_merge(const base_member *members, uint32_t *run, size_t left_count, size_t count,
                      uint32_t *scratch)
{
    if (!key_before(members, run[left_count], run[left_count - 1])) {
        return; /* in order already, as when keys come sorted */
    }
    memcpy(scratch, run, left_count * sizeof(*run));
    size_t left = 0;
    size_t right = left_count;
    size_t to = 0;
    while (left < left_count) {
        if (right < count && key_before(members, run[right], scratch[left])) {
            run[to++] = run[right++];
        } else {
            run[to++] = scratch[left++];
        }
    }
}

/* The place in a sorted run of the member with this key, or NULL. */
static const uint32_t *run_find(const base_member *members, const uint32_t *run, size_t count,
                                base_slice key)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = base_slice_compare(members[run[middle]].key, key);
        if (order == 0) {
            return &run[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* ---- looking ---- */

static const base_member *scan(const base_member *members, size_t count, base_slice key)
{
    for (size_t index = 0; index < count; index++) {
        if (base_slice_equal(members[index].key, key)) {
            return &members[index];
        }
    }
    return NULL;
}

static const uint32_t *index_of(const base_value *map)
{
    return (const uint32_t *)(const void *)(map->members + map->size);
}

const base_value *base_map_get(const base_value *map, base_slice key)
{
    const base_member *member = NULL;
    if (map == NULL || map->kind != BASE_MAP) {
        return NULL;
    }
    if (map->indexed) {
        const uint32_t *place = run_find(map->members, index_of(map), map->size, key);
        member = place == NULL ? NULL : &map->members[*place];
    } else {
        member = scan(map->members, map->size, key);
    }
    return member == NULL ? NULL : &member->value;
}

const base_value *base_map_get_text(const base_value *map, const char *key)
{
    return base_map_get(map, base_slice_of(key));
}

size_t base_map_block_size(const base_value *map)
{
    return map->size * (sizeof(base_member) + (map->indexed ? sizeof(uint32_t) : 0));
}

/* ---- visiting by key ---- */

/* Is member a before member b? Of one key, which a map made by hand may hold twice, by place. */
static bool member_before(const base_member *members, uint32_t a, uint32_t b)
{
    const int order = base_slice_compare(members[a].key, members[b].key);
    return order != 0 ? order < 0 : a < b;
}

/* Fills the batch with the first members by key that come behind `last`, or with the very first. */
static void batch_fill(base_map_cursor *cursor, const uint32_t *last)
{
    const base_member *members = cursor->map->members;
    uint32_t *batch = cursor->batch;
    size_t count = 0;
    for (uint32_t member = 0; member < cursor->map->size; member++) {
        if (last != NULL && !member_before(members, *last, member)) {
            continue;
        }
        if (count == BASE_MAP_BATCH_MAX) {
            if (!member_before(members, member, batch[count - 1])) {
                continue;
            }
            count--;
        }
        size_t at = count;
        while (at > 0 && member_before(members, member, batch[at - 1])) {
            batch[at] = batch[at - 1];
            at--;
        }
        batch[at] = member;
        count++;
    }
    cursor->count = count;
}

void base_map_cursor_begin(base_map_cursor *cursor, const base_value *map)
{
    BASE_ASSERT(map->size <= UINT32_MAX);
    cursor->map = map;
    cursor->first = 0;
    cursor->count = 0;
    if (!map->indexed) {
        batch_fill(cursor, NULL);
    }
}

const base_member *base_map_cursor_at(base_map_cursor *cursor, size_t position)
{
    const base_value *map = cursor->map;
    BASE_ASSERT(position < map->size);
    if (map->indexed) {
        return &map->members[index_of(map)[position]];
    }
    if (position == 0 && cursor->first > 0) {
        base_map_cursor_begin(cursor, map);
    } else if (position == cursor->first + cursor->count) {
        const uint32_t last = cursor->batch[cursor->count - 1];
        cursor->first += cursor->count;
        batch_fill(cursor, &last);
    }
    BASE_ASSERT(position >= cursor->first && position - cursor->first < cursor->count);
    return &map->members[cursor->batch[position - cursor->first]];
}

/* ---- building ---- */

void base_map_begin(base_map_builder *builder, base_arena *arena)
{
    *builder = (base_map_builder){.arena = arena};
}

static base_member *builder_find(const base_map_builder *builder, base_slice key)
{
    if (builder->count == 0) {
        return NULL; /* no members: not even their address */
    }
    const size_t tail_count = builder->count - builder->sorted_count;
    const base_member *found = scan(builder->members + builder->sorted_count, tail_count, key);
    size_t run_first = 0;
    while (found == NULL && run_first < builder->sorted_count) {
        /* The longest run is first: its length is the highest bit of what is left. */
        const size_t left = builder->sorted_count - run_first;
        const size_t run_count = (size_t)1 << (63 - __builtin_clzll((unsigned long long)left));
        const uint32_t *place =
            run_find(builder->members, builder->order + run_first, run_count, key);
        found = place == NULL ? NULL : &builder->members[*place];
        run_first += run_count;
    }
    return found == NULL ? NULL : &builder->members[found - builder->members];
}

static size_t block_size(size_t capacity)
{
    const size_t index_size = capacity > RUN_SIZE ? sizeof(uint32_t) : 0;
    return capacity * (sizeof(base_member) + index_size);
}

/* The block of members always has room for the index behind them; the runs and their scratch are
 * apart. */
static base_status builder_grow(base_map_builder *builder)
{
    const size_t capacity = builder->capacity == 0 ? CAPACITY_FIRST : builder->capacity * 2;
    if (capacity > UINT32_MAX) {
        return base_status_of(BASE_TOO_LARGE);
    }
    base_member *members = base_arena_grow(builder->arena, builder->members,
                                           block_size(builder->capacity), block_size(capacity));
    if (members == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    builder->members = members;
    if (capacity > RUN_SIZE) {
        uint32_t *order = base_arena_alloc(builder->arena, 2 * capacity * sizeof(*order));
        if (order == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
        if (builder->sorted_count > 0) {
            memcpy(order, builder->order, builder->sorted_count * sizeof(*order));
        }
        builder->order = order;
    }
    builder->capacity = capacity;
    return base_ok();
}

/* Makes a run of the tail, then merges runs of one length from the end, or all of them. */
static void builder_seal(base_map_builder *builder, bool all)
{
    uint32_t *order = builder->order;
    uint32_t *scratch = order + builder->capacity;
    size_t sorted_count = builder->sorted_count;
    size_t run_count = builder->count - sorted_count;
    run_make(builder->members, sorted_count, run_count, order + sorted_count);
    while (sorted_count > 0) {
        const size_t left_count = sorted_count & (~sorted_count + 1); /* lowest bit: the last run */
        if (left_count != run_count && !all) {
            break;
        }
        sorted_count -= left_count;
        run_count += left_count;
        run_merge(builder->members, order + sorted_count, left_count, run_count, scratch);
    }
    builder->sorted_count = builder->count;
}

base_status base_map_put(base_map_builder *builder, base_slice key, const base_value *value)
{
    base_member *found = builder_find(builder, key);
    if (found != NULL) {
        found->value = *value;
        return base_ok();
    }
    if (builder->count == builder->capacity) {
        BASE_TRY(builder_grow(builder));
    }
    if (builder->count - builder->sorted_count == RUN_SIZE) {
        builder_seal(builder, false);
    }
    BASE_ASSERT(builder->members != NULL);
    /* *value may be a member of this map: the block that it lies in stays as it is, also where it
     * was outgrown. */
    builder->members[builder->count] = (base_member){.key = key, .value = *value};
    builder->count++;
    return base_ok();
}

base_status base_map_put_text(base_map_builder *builder, const char *key, const base_value *value)
{
    return base_map_put(builder, base_slice_of(key), value);
}

base_value base_map_end(base_map_builder *builder)
{
    base_value map = base_value_map(builder->members, builder->count);
    if (builder->count > BASE_MAP_SMALL_MAX) {
        builder_seal(builder, true);
        memcpy(builder->members + builder->count, builder->order,
               builder->count * sizeof(*builder->order));
        map.indexed = true;
    }
    return map;
}
