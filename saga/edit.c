/* See edit.h. Both directions work on an explicit list, not by recursion: documents come from
 * outside. */
#include "saga/edit.h"

/* Two subtrees still to be compared. */
typedef struct pair {
    struct pair *next;
    const base_value *before;
    const base_value *after;
    base_slice path;
} pair;

typedef struct differ {
    base_arena *arena;
    pair *pending;
    saga_edit *edits;
    size_t count;
    size_t capacity;
} differ;

static base_status add_edit(differ *d, base_slice path, const base_value *value)
{
    if (d->count == d->capacity) {
        const size_t capacity = d->capacity == 0 ? 8 : d->capacity * 2;
        saga_edit *grown = (saga_edit *)base_arena_grow(
            d->arena, d->edits, d->capacity * sizeof(saga_edit), capacity * sizeof(saga_edit));
        if (grown == NULL)
            return base_status_of(BASE_OUT_OF_MEMORY);
        d->edits = grown;
        d->capacity = capacity;
    }
    d->edits[d->count++] = (saga_edit){path, value};
    return base_ok();
}

static base_status add_pair(differ *d, const base_value *before, const base_value *after,
                            base_slice path)
{
    pair *p = BASE_ARENA_NEW(d->arena, pair);
    if (p == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    *p = (pair){d->pending, before, after, path};
    d->pending = p;
    return base_ok();
}

/* path + "/" + key, with ~ and / escaped. */
static base_status path_join(base_arena *arena, base_slice path, base_slice key,
                             base_slice *joined_out)
{
    char *data = (char *)base_arena_alloc(arena, path.size + 1 + key.size * 2);
    if (data == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    size_t size = path.size;
    if (path.size > 0)
        memcpy(data, path.data, path.size);
    data[size++] = '/';
    for (size_t i = 0; i < key.size; i++) {
        if (key.data[i] == '~' || key.data[i] == '/') {
            data[size++] = '~';
            data[size++] = key.data[i] == '~' ? '0' : '1';
        } else {
            data[size++] = key.data[i];
        }
    }
    *joined_out = base_slice_make(data, size);
    return base_ok();
}

static base_status path_index(base_arena *arena, base_slice path, size_t index,
                              base_slice *joined_out)
{
    *joined_out = base_arena_print(arena, "%.*s/%zu", BASE_SLICE_ARG(path), index);
    return joined_out->data == NULL ? base_status_of(BASE_OUT_OF_MEMORY) : base_ok();
}

/* Would deleting what is gone and appending what is new give after's key order? */
static bool order_follows(const base_value *before, const base_value *after)
{
    size_t at = 0;
    for (size_t i = 0; i < before->size; i++) {
        if (base_map_get(after, before->members[i].key) == NULL)
            continue;
        if (at == after->size || !base_slice_equal(after->members[at].key, before->members[i].key))
            return false;
        at++;
    }
    return true;
}

static base_status diff_maps(differ *d, const pair *p)
{
    if (!order_follows(p->before, p->after))
        return add_edit(d, p->path, p->after);
    for (size_t i = 0; i < p->before->size; i++) {
        base_slice path;
        if (base_map_get(p->after, p->before->members[i].key) != NULL)
            continue;
        BASE_TRY(path_join(d->arena, p->path, p->before->members[i].key, &path));
        BASE_TRY(add_edit(d, path, NULL));
    }
    for (size_t i = 0; i < p->after->size; i++) {
        const base_member *member = &p->after->members[i];
        const base_value *old = base_map_get(p->before, member->key);
        base_slice path;
        BASE_TRY(path_join(d->arena, p->path, member->key, &path));
        if (old == NULL)
            BASE_TRY(add_edit(d, path, &member->value));
        else
            BASE_TRY(add_pair(d, old, &member->value, path));
    }
    return base_ok();
}

static base_status diff_lists(differ *d, const pair *p)
{
    if (p->after->size < p->before->size)
        return add_edit(d, p->path, p->after);
    for (size_t i = 0; i < p->after->size; i++) {
        base_slice path;
        BASE_TRY(path_index(d->arena, p->path, i, &path));
        if (i < p->before->size)
            BASE_TRY(add_pair(d, &p->before->items[i], &p->after->items[i], path));
        else
            BASE_TRY(add_edit(d, path, &p->after->items[i]));
    }
    return base_ok();
}

static bool shared(const base_value *a, const base_value *b)
{
    if (a == b)
        return true;
    return a->kind == b->kind && (a->kind == BASE_LIST || a->kind == BASE_MAP) &&
           a->size == b->size && (a->size == 0 || a->items == b->items);
}

base_status saga_edit_diff(const base_value *before, const base_value *after, base_arena *arena,
                           const saga_edit **edits_out, size_t *count_out)
{
    differ d = {.arena = arena};
    BASE_TRY(add_pair(&d, before, after, (base_slice){"", 0}));
    while (d.pending != NULL) {
        const pair *p = d.pending;
        d.pending = p->next;
        if (shared(p->before, p->after))
            continue;
        if (p->before->kind == BASE_MAP && p->after->kind == BASE_MAP)
            BASE_TRY(diff_maps(&d, p));
        else if (p->before->kind == BASE_LIST && p->after->kind == BASE_LIST)
            BASE_TRY(diff_lists(&d, p));
        else if (p->before->kind != p->after->kind || !base_value_equal(p->before, p->after))
            BASE_TRY(add_edit(&d, p->path, p->after));
    }
    *edits_out = d.edits;
    *count_out = d.count;
    return base_ok();
}

/* ---- applying ---- */

/* The next token of the pointer, unescaped into arena; advances *path behind it. */
static base_status take_token(base_slice *path, base_arena *arena, base_slice *token_out)
{
    if (path->size == 0 || path->data[0] != '/')
        return base_status_of(BASE_CORRUPT);
    size_t end = 1;
    while (end < path->size && path->data[end] != '/')
        end++;
    char *data = (char *)base_arena_alloc(arena, end);
    if (data == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    size_t size = 0;
    for (size_t i = 1; i < end; i++) {
        if (path->data[i] != '~') {
            data[size++] = path->data[i];
            continue;
        }
        i++;
        if (i == end || (path->data[i] != '0' && path->data[i] != '1'))
            return base_status_of(BASE_CORRUPT);
        data[size++] = path->data[i] == '0' ? '~' : '/';
    }
    *token_out = base_slice_make(data, size);
    *path = base_slice_make(path->data + end, path->size - end);
    return base_ok();
}

static bool token_index(base_slice token, size_t *index_out)
{
    size_t index = 0;
    if (token.size == 0 || token.size > 9)
        return false;
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] < '0' || token.data[i] > '9')
            return false;
        index = index * 10 + (size_t)(token.data[i] - '0');
    }
    *index_out = index;
    return true;
}

/* Copies the list at *at with room for one more, and gives the slot; a new slot at the end is null.
 */
static base_status list_slot(base_value *at, base_slice token, base_arena *arena,
                             base_value **slot_out)
{
    size_t index = 0;
    if (!token_index(token, &index) || index > at->size)
        return base_status_of(BASE_CORRUPT);
    base_value *items = BASE_ARENA_ARRAY(arena, base_value, at->size + 1);
    if (items == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    if (at->size > 0)
        memcpy(items, at->items, at->size * sizeof(base_value));
    *at = base_value_list(items, index == at->size ? at->size + 1 : at->size);
    *slot_out = &items[index];
    return base_ok();
}

/* The same for a map; with `gone` the member is left out and *slot_out is NULL. */
static base_status map_slot(base_value *at, base_slice token, bool gone, base_arena *arena,
                            base_value **slot_out)
{
    base_member *members = BASE_ARENA_ARRAY(arena, base_member, at->size + 1);
    if (members == NULL)
        return base_status_of(BASE_OUT_OF_MEMORY);
    size_t count = 0;
    base_value *slot = NULL;
    bool found = false;
    for (size_t i = 0; i < at->size; i++) {
        const bool here = base_slice_equal(at->members[i].key, token);
        found = found || here;
        if (here && gone)
            continue;
        members[count] = at->members[i];
        if (here)
            slot = &members[count].value;
        count++;
    }
    if (!found && gone)
        return base_status_of(BASE_CORRUPT);
    if (!found) {
        members[count].key = base_arena_copy(arena, token);
        if (members[count].key.data == NULL)
            return base_status_of(BASE_OUT_OF_MEMORY);
        slot = &members[count++].value;
    }
    *at = base_value_map(members, count);
    *slot_out = slot;
    return base_ok();
}

base_status saga_edit_apply(const base_value *before, const saga_edit *edit, base_arena *arena,
                            base_value *after_out)
{
    base_value root = *before;
    base_value *at = &root;
    base_slice path = edit->path;
    while (path.size > 0) {
        base_slice token;
        BASE_TRY(take_token(&path, arena, &token));
        const bool gone = path.size == 0 && edit->value == NULL;
        base_value *slot = NULL;
        if (at->kind == BASE_MAP)
            BASE_TRY(map_slot(at, token, gone, arena, &slot));
        else if (at->kind == BASE_LIST && !gone)
            BASE_TRY(list_slot(at, token, arena, &slot));
        else
            return base_status_of(BASE_CORRUPT);
        if (gone) {
            *after_out = root;
            return base_ok();
        }
        at = slot;
    }
    if (edit->value == NULL)
        return base_status_of(BASE_CORRUPT);
    *at = *edit->value;
    *after_out = root;
    return base_ok();
}
