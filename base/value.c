/* Values: making, looking, comparing, copying, lists. Maps are in map.c, numbers in number.c and
 * number_text.c. */
#include "base/value.h"

#include "base/assert.h"
#include "base/map.h"

#define LIST_CAPACITY_FIRST 8
#define PLACE_LINE_MAX 4194303U
#define PLACE_COLUMN_MAX 1023U

/* ---- places ---- */

base_place base_place_make(size_t line, size_t column)
{
    const uint32_t line_kept = line < PLACE_LINE_MAX ? (uint32_t)line : PLACE_LINE_MAX;
    const uint32_t column_kept = column < PLACE_COLUMN_MAX ? (uint32_t)column : PLACE_COLUMN_MAX;
    return line == 0 ? 0 : line_kept << 10 | column_kept;
}

uint32_t base_place_line(base_place place)
{
    return place >> 10;
}

uint32_t base_place_column(base_place place)
{
    return place & PLACE_COLUMN_MAX;
}

/* ---- making ---- */

base_value base_value_null(void)
{
    return (base_value){.kind = BASE_NULL};
}

base_value base_value_bool(bool truth)
{
    return (base_value){.kind = BASE_BOOL, .truth = truth};
}

base_value base_value_integer(int64_t integer)
{
    return (base_value){.kind = BASE_INTEGER, .integer = integer};
}

base_value base_value_string(base_slice text)
{
    return (base_value){.kind = BASE_STRING, .size = text.size, .bytes = text.data};
}

base_value base_value_text(const char *text)
{
    return base_value_string(base_slice_of(text));
}

base_value base_value_bytes(base_slice bytes)
{
    return (base_value){.kind = BASE_BYTES, .size = bytes.size, .bytes = bytes.data};
}

base_value base_value_list(const base_value *items, size_t count)
{
    return (base_value){.kind = BASE_LIST, .size = count, .items = items};
}

base_value base_value_map(const base_member *members, size_t count)
{
    return (base_value){.kind = BASE_MAP, .size = count, .members = members};
}

/* ---- looking ---- */

base_slice base_value_slice(const base_value *value)
{
    if (value->kind == BASE_STRING || value->kind == BASE_BYTES ||
        value->kind == BASE_NUMBER_TEXT) {
        return base_slice_make(value->bytes, value->size);
    }
    return base_slice_make(NULL, 0);
}

bool base_value_is_number(const base_value *value)
{
    return value->kind == BASE_INTEGER || value->kind == BASE_DECIMAL ||
           value->kind == BASE_NUMBER_TEXT;
}

const char *base_kind_name(base_kind kind)
{
    static const char *const names[] = {
        [BASE_NULL] = "null",      [BASE_BOOL] = "boolean",       [BASE_INTEGER] = "number",
        [BASE_DECIMAL] = "number", [BASE_NUMBER_TEXT] = "number", [BASE_STRING] = "string",
        [BASE_BYTES] = "bytes",    [BASE_LIST] = "array",         [BASE_MAP] = "object",
    };
    BASE_ASSERT((unsigned)kind <= BASE_MAP);
    return names[kind];
}

/* ---- comparing ---- */

/* A list or map that both sides have at one place, while its items are compared. */
typedef struct compare_frame {
    const base_value *a;
    const base_value *b;
    size_t next;
    base_map_cursor a_cursor; /* of maps */
    base_map_cursor b_cursor;
} compare_frame;

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
        return 7;
    }
    BASE_ASSERT(value->kind <= BASE_MAP);
    return 0;
}

static int compare_sizes(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

/* The order of the sorted keys of two maps; sets the frame's cursors up. */
static int compare_keys(compare_frame *frame)
{
    base_map_cursor_begin(&frame->a_cursor, frame->a);
    base_map_cursor_begin(&frame->b_cursor, frame->b);
    const size_t count = frame->a->size < frame->b->size ? frame->a->size : frame->b->size;
    for (size_t index = 0; index < count; index++) {
        const int order = base_slice_compare(base_map_cursor_at(&frame->a_cursor, index)->key,
                                             base_map_cursor_at(&frame->b_cursor, index)->key);
        if (order != 0) {
            return order;
        }
    }
    return compare_sizes(frame->a->size, frame->b->size);
}

/* Compares what can be compared without looking into lists and maps. Where both are lists, or maps
 * with the same keys, *enter is set and frame made ready. */
static int compare_shallow(const base_value *a, const base_value *b, compare_frame *frame,
                           bool *enter)
{
    *enter = false;
    const int a_rank = rank(a);
    const int b_rank = rank(b);
    if (a_rank != b_rank) {
        return a_rank < b_rank ? -1 : 1;
    }
    if (base_value_is_number(a)) {
        return base_number_compare(a, b);
    }
    if (a->kind == BASE_STRING || a->kind == BASE_BYTES) {
        return base_slice_compare(base_value_slice(a), base_value_slice(b));
    }
    if (a->kind != BASE_LIST && a->kind != BASE_MAP) {
        return 0;
    }
    if (a->size == b->size && a->items == b->items) {
        return 0; /* shared */
    }
    if (frame == NULL) {
        return compare_sizes(a->size, b->size); /* nested too deep: see base/value.h */
    }
    frame->a = a;
    frame->b = b;
    frame->next = 0;
    const int order = a->kind == BASE_MAP ? compare_keys(frame) : 0;
    *enter = order == 0;
    return order;
}

int base_value_compare(const base_value *a, const base_value *b)
{
    compare_frame frames[BASE_VALUE_DEPTH_MAX];
    size_t depth = 0;
    for (;;) {
        bool enter = false;
        compare_frame *frame = depth < BASE_VALUE_DEPTH_MAX ? &frames[depth] : NULL;
        int order = compare_shallow(a, b, frame, &enter);
        if (order != 0) {
            return order;
        }
        if (enter) {
            depth++;
        }
        /* The next pair of items; what has no more of them is left. */
        for (;;) {
            if (depth == 0) {
                return 0;
            }
            frame = &frames[depth - 1];
            const size_t index = frame->next;
            if (index < frame->a->size && index < frame->b->size) {
                break;
            }
            order = compare_sizes(frame->a->size, frame->b->size);
            if (order != 0) {
                return order;
            }
            depth--;
        }
        const size_t index = frame->next++;
        if (frame->a->kind == BASE_MAP) {
            a = &base_map_cursor_at(&frame->a_cursor, index)->value;
            b = &base_map_cursor_at(&frame->b_cursor, index)->value;
        } else {
            a = &frame->a->items[index];
            b = &frame->b->items[index];
        }
    }
}

bool base_value_equal(const base_value *a, const base_value *b)
{
    return base_value_compare(a, b) == 0;
}

/* ---- copying ---- */

/* A list or map of which the first `next` items are copied. */
typedef struct copy_frame {
    const base_value *from;
    base_value *items;    /* of a list */
    base_member *members; /* of a map */
    size_t next;
} copy_frame;

/* Copies a value but not the items of a list or map: those get room, and frame is made ready. */
static base_status copy_shallow(const base_value *from, base_arena *arena, base_value *to,
                                copy_frame *frame)
{
    *to = *from;
    to->place = 0;
    if (from->kind == BASE_STRING || from->kind == BASE_BYTES || from->kind == BASE_NUMBER_TEXT) {
        to->bytes = base_arena_copy(arena, base_value_slice(from)).data;
        return base_status_of(to->bytes == NULL ? BASE_OUT_OF_MEMORY : BASE_OK);
    }
    if (from->kind == BASE_LIST) {
        frame->items = base_arena_alloc(arena, from->size * sizeof(*frame->items));
        to->items = frame->items;
        return base_status_of(to->items == NULL ? BASE_OUT_OF_MEMORY : BASE_OK);
    }
    if (from->kind == BASE_MAP) {
        const size_t block_size = base_map_block_size(from);
        frame->members = base_arena_alloc(arena, block_size);
        to->members = frame->members;
        if (to->members == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
        if (from->indexed) {
            const size_t index_size = block_size - from->size * sizeof(base_member);
            memcpy(frame->members + from->size, from->members + from->size, index_size);
        }
    }
    return base_ok();
}

/* Copies the key of the frame's next member and gives the value that comes with it; of a list, the
 * next item. */
static base_status copy_next(copy_frame *frame, base_arena *arena, const base_value **from_out,
                             base_value **to_out)
{
    const size_t index = frame->next++;
    if (frame->from->kind == BASE_LIST) {
        *from_out = &frame->from->items[index];
        *to_out = &frame->items[index];
        return base_ok();
    }
    const base_member *member = &frame->from->members[index];
    const base_slice key = base_arena_copy(arena, member->key);
    if (key.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    frame->members[index] = (base_member){.key = key};
    *from_out = &member->value;
    *to_out = &frame->members[index].value;
    return base_ok();
}

base_status base_value_copy(const base_value *value, base_arena *arena, base_value *out)
{
    copy_frame frames[BASE_VALUE_DEPTH_MAX];
    size_t depth = 0;
    base_value copy = {0};
    base_value *to = &copy;
    const base_value *from = value;
    for (;;) {
        const bool has_items = from->kind == BASE_LIST || from->kind == BASE_MAP;
        copy_frame frame = {.from = from};
        if (has_items && depth == BASE_VALUE_DEPTH_MAX) {
            return base_status_of(BASE_TOO_LARGE);
        }
        BASE_TRY(copy_shallow(from, arena, to, &frame));
        if (has_items) {
            frames[depth++] = frame;
        }
        while (depth > 0 && frames[depth - 1].next == frames[depth - 1].from->size) {
            depth--;
        }
        if (depth == 0) {
            *out = copy;
            return base_ok();
        }
        BASE_TRY(copy_next(&frames[depth - 1], arena, &from, &to));
    }
}

/* ---- lists ---- */

void base_list_begin(base_list_builder *builder, base_arena *arena)
{
    *builder = (base_list_builder){.arena = arena};
}

base_status base_list_push(base_list_builder *builder, const base_value *item)
{
    if (builder->count == builder->capacity) {
        const size_t capacity =
            builder->capacity == 0 ? LIST_CAPACITY_FIRST : builder->capacity * 2;
        base_value *items =
            base_arena_grow(builder->arena, builder->items, builder->capacity * sizeof(*items),
                            capacity * sizeof(*items));
        if (items == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
        builder->items = items;
        builder->capacity = capacity;
    }
    /* *item may be an item of this list: the block that it lies in stays as it is, also where it
     * was outgrown. */
    builder->items[builder->count++] = *item;
    return base_ok();
}

base_value base_list_end(base_list_builder *builder)
{
    return base_value_list(builder->items, builder->count);
}
