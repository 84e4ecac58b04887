/*
 * Conditions (A.7): from the tree of `when` and `after` to formulas in post-order, and from the
 * formulas to the graph of who starts whom, which causal undo order follows (44).
 *
 *   {any: [a, {all: [b, c]}]}   ->   a  b  c  all/2  any/2
 */
#include "base/assert.h"
#include "saga/compile.h"

#define NESTING_MAX 32

/* One operator whose operands are being written. */
typedef struct frame {
    const base_value *items;
    size_t count;
    size_t next;
    saga_condition_kind kind;
    int32_t need;
    base_place place;
} frame;

typedef struct formula_writer {
    compile *c;
    bool after; /* atoms are steps */
    int32_t step;
    frame frames[NESTING_MAX];
    int32_t depth;
} formula_writer;

static void put(compile *c, saga_condition condition, base_place place)
{
    if (c->plan->condition_count >= SAGA_CONDITION_MAX) {
        (void)compile_error(c, "E101", place, "conditions are too large");
        c->failure = BASE_TOO_LARGE;
        return;
    }
    if (!compile_reserve(c, (void **)&c->conditions, c->plan->condition_count,
                         &c->condition_capacity, sizeof(saga_condition)))
        return;
    c->conditions[c->plan->condition_count++] = condition;
    c->plan->conditions = c->conditions;
}

/* ---- atoms ---- */

static bool produced(const compile *c, int32_t event)
{
    if (c->events[event].start != SAGA_NONE)
        return true;
    for (int32_t i = 0; i < c->role_count; i++) {
        if (c->roles[i].event == event &&
            (c->roles[i].role.role == SAGA_ROLE_EMITS || c->roles[i].role.role == SAGA_ROLE_FAILS))
            return true;
    }
    return false;
}

static void event_unknown(compile *c, const base_value *atom)
{
    const base_slice name = base_value_slice(atom);
    base_slice *names = BASE_ARENA_ARRAY(c->arena, base_slice, (size_t)c->plan->event_count);
    size_t count = 0;
    for (int32_t i = 0; names != NULL && i < c->plan->event_count; i++) {
        if (produced(c, i))
            names[count++] = c->events[i].name;
    }
    base_error *error = compile_error(c, "E102", atom->place,
                                      "when: %.*s: no step, start or signal produces this event",
                                      BASE_SLICE_ARG(name));
    const base_slice near =
        names == NULL ? (base_slice){0} : base_error_nearest(name, names, count);
    if (near.size != 0)
        base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(near));
}

static void event_atom(formula_writer *w, const base_value *atom)
{
    compile *c = w->c;
    for (int32_t i = 0; i < c->plan->event_count; i++) {
        if (base_slice_equal(c->events[i].name, base_value_slice(atom)) && produced(c, i)) {
            put(c, (saga_condition){.kind = SAGA_CONDITION_EVENT, .index = i}, atom->place);
            return;
        }
    }
    event_unknown(c, atom);
}

static void step_atom(formula_writer *w, const base_value *atom, saga_condition_kind kind)
{
    compile *c = w->c;
    if (atom->kind != BASE_STRING) {
        (void)compile_error(c, "E101", atom->place, "\"after\" names steps, not %s",
                            base_kind_name((base_kind)atom->kind));
        return;
    }
    const base_slice name = base_value_slice(atom);
    const int32_t step = saga_plan_step(c->plan, name);
    if (step != SAGA_NONE) {
        put(c, (saga_condition){.kind = kind, .index = step}, atom->place);
        return;
    }
    base_slice *names = BASE_ARENA_ARRAY(c->arena, base_slice, (size_t)c->plan->step_count);
    for (int32_t i = 0; names != NULL && i < c->plan->step_count; i++)
        names[i] = c->steps[i].name;
    base_error *error = compile_error(c, "E102", atom->place, "after: no step is called \"%.*s\"",
                                      BASE_SLICE_ARG(name));
    const base_slice near = names == NULL
                                ? (base_slice){0}
                                : base_error_nearest(name, names, (size_t)c->plan->step_count);
    if (near.size != 0)
        base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(near));
}

/* ---- operators ---- */

static void open_frame(formula_writer *w, const base_value *operands, saga_condition_kind kind,
                       int32_t need, base_place place)
{
    if (w->depth == NESTING_MAX) {
        (void)compile_error(w->c, "E101", place, "conditions nest deeper than %d", NESTING_MAX);
        return;
    }
    frame *f = &w->frames[w->depth];
    *f = (frame){.kind = kind, .need = need, .place = place};
    f->items = compile_items(operands, &f->count);
    if (f->count == 0) {
        base_error *error = compile_error(w->c, "E101", place, "a condition without members");
        base_error_hint(error, "leave \"%s\" out, or name what it waits for",
                        w->after ? "after" : "when");
        return;
    }
    w->depth++;
}

static void need_operator(formula_writer *w, const base_value *tree, const base_value *need)
{
    const base_value *of = compile_get(tree, "of");
    size_t count = 0;
    (void)compile_items(of, &count);
    if (tree->size != 2 || of == NULL || need->kind != BASE_INTEGER || need->integer < 1 ||
        need->integer > (int64_t)count) {
        base_error *error =
            compile_error(w->c, "E101", tree->place,
                          "\"need\" must be from 1 to the number of members of \"of\"");
        base_error_hint(error, "write { need: 2, of: [a, b, c] }");
        return;
    }
    open_frame(w, of, SAGA_CONDITION_NEED, (int32_t)need->integer, tree->place);
}

static void map_condition(formula_writer *w, const base_value *tree)
{
    const base_value *need = compile_get(tree, "need");
    if (need != NULL) {
        need_operator(w, tree, need);
        return;
    }
    const base_slice key = tree->size == 1 ? tree->members[0].key : (base_slice){0};
    const base_value *operand = tree->size == 1 ? &tree->members[0].value : NULL;
    if (base_slice_is(key, "all"))
        open_frame(w, operand, SAGA_CONDITION_ALL, 0, tree->place);
    else if (base_slice_is(key, "any"))
        open_frame(w, operand, SAGA_CONDITION_ANY, 0, tree->place);
    else if (w->after && base_slice_is(key, "failed"))
        step_atom(w, operand, SAGA_CONDITION_FAILED);
    else if (w->after && base_slice_is(key, "over"))
        step_atom(w, operand, SAGA_CONDITION_OVER);
    else {
        base_error *error = compile_error(w->c, "E101", tree->place, "unknown condition");
        base_error_hint(
            error, "%s",
            w->after
                ? "conditions are STEP, [..], {all: [..]}, {any: [..]}, {need: n, of: [..]}, "
                  "{failed: STEP} and {over: STEP}"
                : "conditions are EVENT, [..], {all: [..]}, {any: [..]} and {need: n, of: [..]}");
    }
}

/* Writes one member: an atom at once, an operator by opening its frame. */
static void member(formula_writer *w, const base_value *tree)
{
    switch ((base_kind)tree->kind) {
    case BASE_STRING:
        if (w->after)
            step_atom(w, tree, SAGA_CONDITION_STEP);
        else
            event_atom(w, tree);
        return;
    case BASE_LIST:
        open_frame(w, tree, SAGA_CONDITION_ALL, 0, tree->place);
        return;
    case BASE_MAP:
        map_condition(w, tree);
        return;
    case BASE_NULL:
    case BASE_BOOL:
    case BASE_INTEGER:
    case BASE_DECIMAL:
    case BASE_NUMBER_TEXT:
    case BASE_BYTES:
    default:
        (void)compile_error(w->c, "E101", tree->place,
                            "a condition is a name, a list or a map, not %s",
                            base_kind_name((base_kind)tree->kind));
        return;
    }
}

static saga_formula formula(compile *c, const base_value *tree, bool after, int32_t step)
{
    formula_writer w = {.c = c, .after = after, .step = step};
    const int32_t first = c->plan->condition_count;
    if (tree == NULL)
        return (saga_formula){first, 0};
    member(&w, tree);
    while (w.depth > 0 && c->failure == BASE_OK) {
        frame *top = &w.frames[w.depth - 1];
        if (top->next < top->count) {
            member(&w, &top->items[top->next++]);
            continue;
        }
        put(c,
            (saga_condition){
                .kind = top->kind, .operand_count = (int32_t)top->count, .need = top->need},
            top->place);
        w.depth--;
    }
    return (saga_formula){first, c->plan->condition_count - first};
}

void compile_step_conditions(compile *c)
{
    for (int32_t i = 0; i < c->plan->step_count && c->failure == BASE_OK; i++) {
        c->steps[i].when = formula(c, compile_get(c->step_trees[i], "when"), false, i);
        c->steps[i].after = formula(c, compile_get(c->step_trees[i], "after"), true, i);
    }
}

/* ---- the graph ---- */

static void set_bit(uint64_t *bits, int32_t index)
{
    bits[index / 64] |= (uint64_t)1 << (index % 64);
}

static bool has_bit(const uint64_t *bits, int32_t index)
{
    return ((bits[index / 64] >> (index % 64)) & 1) != 0;
}

/* Every step that the formula names, itself or by an outcome, feeds `step`. */
static void feed_formula(compile *c, saga_formula f, uint64_t **feeds, int32_t step)
{
    for (int32_t i = f.first; i < f.first + f.count; i++) {
        const saga_condition *condition = &c->conditions[i];
        switch (condition->kind) {
        case SAGA_CONDITION_STEP:
        case SAGA_CONDITION_FAILED:
        case SAGA_CONDITION_OVER:
            set_bit(feeds[condition->index], step);
            break;
        case SAGA_CONDITION_EVENT:
            for (int32_t k = 0; k < c->role_count; k++) {
                const saga_event_role *role = &c->roles[k].role;
                if (c->roles[k].event == condition->index &&
                    (role->role == SAGA_ROLE_EMITS || role->role == SAGA_ROLE_FAILS))
                    set_bit(feeds[role->step], step);
            }
            break;
        case SAGA_CONDITION_ALL:
        case SAGA_CONDITION_ANY:
        case SAGA_CONDITION_NEED:
            break;
        default:
            BASE_ASSERT(false);
        }
    }
}

/* causes = transitive closure of feeds (Warshall 1962), a row of words at a time. */
static void close_over(uint64_t **causes, int32_t count, size_t words)
{
    for (int32_t via = 0; via < count; via++) {
        for (int32_t from = 0; from < count; from++) {
            if (!has_bit(causes[from], via))
                continue;
            for (size_t word = 0; word < words; word++)
                causes[from][word] |= causes[via][word];
        }
    }
}

void compile_graph(compile *c)
{
    const int32_t count = c->plan->step_count;
    const size_t words = ((size_t)count + 63) / 64;
    uint64_t **feeds =
        (uint64_t **)base_arena_alloc_zero(c->arena, (size_t)count, sizeof(uint64_t *));
    uint64_t **causes =
        (uint64_t **)base_arena_alloc_zero(c->arena, (size_t)count, sizeof(uint64_t *));
    if (feeds == NULL || causes == NULL) {
        c->failure = BASE_OUT_OF_MEMORY;
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        feeds[i] = BASE_ARENA_ARRAY(c->arena, uint64_t, words);
        causes[i] = BASE_ARENA_ARRAY(c->arena, uint64_t, words);
        if (feeds[i] == NULL || causes[i] == NULL) {
            c->failure = BASE_OUT_OF_MEMORY;
            return;
        }
    }
    for (int32_t i = 0; i < count; i++) {
        feed_formula(c, c->steps[i].when, feeds, i);
        feed_formula(c, c->steps[i].after, feeds, i);
    }
    for (int32_t i = 0; i < count; i++)
        memcpy(causes[i], feeds[i], words * sizeof(uint64_t));
    close_over(causes, count, words);
    for (int32_t i = 0; i < count; i++) {
        c->steps[i].feeds = feeds[i];
        c->steps[i].causes = causes[i];
        if (!has_bit(causes[i], i))
            continue;
        base_error *error =
            compile_error(c, "E211", c->steps[i].place,
                          "step \"%.*s\" waits for itself, directly or through others",
                          BASE_SLICE_ARG(c->steps[i].name));
        base_error_hint(error, "a step starts once; use repeat for loops");
    }
}
