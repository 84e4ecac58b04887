/* Code for what branches, catches, loops, binds and assigns. Jumps go forward only; each shape is
 * drawn above it. */
#include "saga/expr_gen.h"

#define NONE SAGA_OPERAND_NONE

static uint32_t emit_plain(saga_generator *gen, saga_op op)
{
    return saga_emit(gen, op, NONE, NONE, NONE, NONE);
}

static void emit_move(saga_generator *gen, int32_t dst, int32_t a)
{
    (void)saga_emit(gen, SAGA_OP_MOVE, dst, a, NONE, NONE);
}

static int32_t truth(saga_generator *gen, bool value)
{
    return saga_constant(gen, base_value_bool(value));
}

/*      FORK L        L: b
 *      a             E: d = either
 *      JUMP E                                             */
base_status saga_gen_comma(saga_generator *gen, saga_frame *frame)
{
    int32_t *fork = &frame->keep[0];
    int32_t *jump = &frame->keep[1];
    int32_t *dst = &frame->keep[2];
    if (frame->step == 0) {
        *fork = (int32_t)emit_plain(gen, SAGA_OP_FORK);
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, frame->path);
    }
    if (frame->step == 1) {
        *dst = saga_register(gen);
        emit_move(gen, *dst, gen->result);
        *jump = (int32_t)emit_plain(gen, SAGA_OP_JUMP);
        saga_land(gen, (uint32_t)*fork);
        return saga_visit(gen, frame, 2, frame->node->b, frame->in, frame->path);
    }
    emit_move(gen, *dst, gen->result);
    saga_land(gen, (uint32_t)*jump);
    return saga_frame_done(gen, *dst);
}

/* Where a gives one value whatever happens, no fork is needed:      else:
 *      a                                                  found = false       L: UNLESS found M
 *      UNLESS a M                                         FORK L                 BACK
 *      d = a                                              a                   M: b
 *      JUMP E                                             UNLESS a N             d = b
 *   M: b                                                  found = true        E:
 *      d = b                                              d = a
 *   E:                                                    JUMP E
 *                                                      N: BACK                             */
base_status saga_gen_alternative(saga_generator *gen, saga_frame *frame)
{
    int32_t *found = &frame->keep[0];
    int32_t *fork = &frame->keep[1];
    int32_t *jump = &frame->keep[2];
    int32_t *dst = &frame->keep[3];
    if (frame->step == 0) {
        *found = saga_register(gen);
        emit_move(gen, *found, truth(gen, false));
        *fork = (int32_t)emit_plain(gen, SAGA_OP_FORK);
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, frame->path);
    }
    if (frame->step == 1) {
        const int32_t a = gen->result;
        const bool single = !frame->path && saga_is_single(gen, (uint32_t)*fork + 1);
        const uint32_t unless = saga_emit(gen, SAGA_OP_UNLESS, NONE, a, NONE, NONE);
        if (!single) {
            emit_move(gen, *found, truth(gen, true));
        }
        *dst = saga_register(gen);
        emit_move(gen, *dst, a);
        *jump = (int32_t)emit_plain(gen, SAGA_OP_JUMP);
        saga_land(gen, unless);
        if (single) {
            saga_instr_at(gen, (uint32_t)*fork)->op = SAGA_OP_JUMP;
            saga_instr_at(gen, (uint32_t)*fork)->target = (uint32_t)*fork + 1;
        } else {
            (void)emit_plain(gen, SAGA_OP_BACK);
            saga_land(gen, (uint32_t)*fork);
            const uint32_t none = saga_emit(gen, SAGA_OP_UNLESS, NONE, *found, NONE, NONE);
            (void)emit_plain(gen, SAGA_OP_BACK);
            saga_land(gen, none);
        }
        return saga_visit(gen, frame, 2, frame->node->b, frame->in, frame->path);
    }
    emit_move(gen, *dst, gen->result);
    saga_land(gen, (uint32_t)*jump);
    return saga_frame_done(gen, *dst);
}

/* and:  a; UNLESS a L; b; d = truth of b; JUMP E; L: d = false; E:
 * or:   a; UNLESS a L; d = true; JUMP E; L: b; d = truth of b; E:        */
base_status saga_gen_logic(saga_generator *gen, saga_frame *frame)
{
    const bool is_and = frame->node->kind == SAGA_NODE_AND;
    int32_t *unless = &frame->keep[0];
    int32_t *dst = &frame->keep[1];
    int32_t *jump = &frame->keep[2];
    if (frame->step == 0) {
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, false);
    }
    if (frame->step == 1) {
        *unless = (int32_t)saga_emit(gen, SAGA_OP_UNLESS, NONE, gen->result, NONE, NONE);
        *dst = saga_register(gen);
        if (!is_and) {
            emit_move(gen, *dst, truth(gen, true));
            *jump = (int32_t)emit_plain(gen, SAGA_OP_JUMP);
            saga_land(gen, (uint32_t)*unless);
        }
        return saga_visit(gen, frame, 2, frame->node->b, frame->in, false);
    }
    (void)saga_emit(gen, SAGA_OP_TRUTH, *dst, gen->result, NONE, NONE);
    if (is_and) {
        *jump = (int32_t)emit_plain(gen, SAGA_OP_JUMP);
        saga_land(gen, (uint32_t)*unless);
        emit_move(gen, *dst, truth(gen, false));
    }
    saga_land(gen, (uint32_t)*jump);
    return saga_frame_done(gen, *dst);
}

/*      a; UNLESS a L; b; d = b; JUMP E; L: c, or `.`; d = that; E:        */
base_status saga_gen_if(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    int32_t *unless = &frame->keep[0];
    int32_t *dst = &frame->keep[1];
    int32_t *jump = &frame->keep[2];
    switch (frame->step) {
    case 0:
        return saga_visit(gen, frame, 1, node->a, frame->in, false);
    case 1:
        *unless = (int32_t)saga_emit(gen, SAGA_OP_UNLESS, NONE, gen->result, NONE, NONE);
        return saga_visit(gen, frame, 2, node->b, frame->in, frame->path);
    case 2:
        *dst = saga_register(gen);
        emit_move(gen, *dst, gen->result);
        *jump = (int32_t)emit_plain(gen, SAGA_OP_JUMP);
        saga_land(gen, (uint32_t)*unless);
        if (node->c != NULL) {
            return saga_visit(gen, frame, 3, node->c, frame->in, frame->path);
        }
        gen->result = frame->in;
        break;
    default:
        break;
    }
    emit_move(gen, *dst, gen->result);
    saga_land(gen, (uint32_t)*jump);
    return saga_frame_done(gen, *dst);
}

/*      TRY L (error in e, number in n); a; LEAVE n; d = a; JUMP E; L: handler on e, or BACK; d =
 *      that; E:        */
base_status saga_gen_try(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    int32_t *number = &frame->keep[0];
    int32_t *error = &frame->keep[1];
    int32_t *dst = &frame->keep[2];
    int32_t *jump = &frame->keep[3];
    if (frame->step == 0) {
        *error = saga_register(gen);
        *number = (int32_t)saga_emit(gen, SAGA_OP_TRY, *error, NONE, NONE, NONE);
        saga_instr_at(gen, (uint32_t)*number)->c = saga_register(gen);
        return saga_visit(gen, frame, 1, node->a, frame->in, frame->path);
    }
    if (frame->step == 1) {
        *dst = saga_register(gen);
        const int32_t fork = saga_instr_at(gen, (uint32_t)*number)->c;
        const uint32_t leave = emit_plain(gen, SAGA_OP_LEAVE);
        saga_instr_at(gen, leave)->c = fork;
        emit_move(gen, *dst, gen->result);
        *jump = (int32_t)emit_plain(gen, SAGA_OP_JUMP);
        saga_land(gen, (uint32_t)*number);
        if (node->b != NULL) {
            return saga_visit(gen, frame, 2, node->b, *error, frame->path);
        }
        (void)emit_plain(gen, SAGA_OP_BACK);
    } else {
        emit_move(gen, *dst, gen->result);
    }
    saga_land(gen, (uint32_t)*jump);
    return saga_frame_done(gen, *dst);
}

/* ---- binding ---- */
/* One pattern is bound and that is it. With `P1 ?// P2`, an error from here on in P1, or in what
 *   comes behind, goes on
 * with P2; all names of all patterns are null before:
 *      clear; TRY L; P1; JUMP E; L: clear; P2; E:
 *      */
base_status saga_gen_bind(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    int32_t *attempt = &frame->keep[0];
    int32_t *jumps =
        &frame->keep[1]; /* the last of the jumps to E; each one's target is the one before */
    if (frame->step == 0) {
        frame->item = node->patterns;
        *jumps = -1;
    } else {
        if (frame->item->next == NULL) {
            while (*jumps >= 0) {
                const uint32_t jump = (uint32_t)*jumps;
                *jumps = (int32_t)saga_instr_at(gen, jump)->target;
                saga_land(gen, jump);
            }
            return saga_frame_done(gen, frame->in);
        }
        const uint32_t jump = emit_plain(gen, SAGA_OP_JUMP);
        saga_instr_at(gen, jump)->target = (uint32_t)*jumps;
        *jumps = (int32_t)jump;
        saga_land(gen, (uint32_t)*attempt);
        frame->item = frame->item->next;
    }
    for (int32_t variable = node->variable; variable < node->variable_end; variable++) {
        gen->bound[variable] = false;
        if (node->patterns->next != NULL) {
            emit_move(gen, saga_variable_register(variable), saga_constant(gen, base_value_null()));
        }
    }
    if (frame->item->next != NULL) {
        *attempt = (int32_t)saga_emit(gen, SAGA_OP_TRY, saga_register(gen), NONE, NONE, NONE);
        saga_instr_at(gen, (uint32_t)*attempt)->c = saga_register(gen);
    }
    return saga_visit(gen, frame, 1, frame->item, frame->in, false);
}

/* Of a name that a pattern has twice, what is bound first stays. */
static void bind_variable(saga_generator *gen, int32_t variable, int32_t value)
{
    if (!gen->bound[variable]) {
        emit_move(gen, saga_variable_register(variable), value);
    }
    gen->bound[variable] = true;
}

base_status saga_gen_pattern_variable(saga_generator *gen, saga_frame *frame)
{
    bind_variable(gen, frame->node->variable, frame->in);
    return saga_frame_done(gen, frame->in);
}

/* The tree has the last item first; keep[0] counts down. */
base_status saga_gen_pattern_list(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        frame->item = frame->node->list;
        for (const saga_node *item = frame->item; item != NULL; item = item->next) {
            frame->keep[0]++;
        }
    } else {
        frame->item = frame->item->next;
    }
    if (frame->item == NULL) {
        return saga_frame_done(gen, frame->in);
    }
    frame->keep[0]--;
    const int32_t value = saga_register(gen);
    (void)saga_emit(gen, SAGA_OP_INDEX, value, frame->in,
                    saga_constant(gen, base_value_integer(frame->keep[0])), NONE);
    return saga_visit(gen, frame, 1, frame->item, value, false);
}

base_status saga_gen_pattern_map(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        frame->item = frame->node->list;
    }
    if (frame->step == 1) {
        const int32_t value = saga_register(gen);
        (void)saga_emit(gen, SAGA_OP_INDEX, value, frame->in, gen->result, NONE);
        if (frame->item->variable >= 0) {
            bind_variable(gen, frame->item->variable, value);
        }
        if (frame->item->b != NULL) {
            return saga_visit(gen, frame, 2, frame->item->b, value, false);
        }
    }
    if (frame->step != 0) {
        frame->item = frame->item->next;
    }
    if (frame->item == NULL) {
        return saga_frame_done(gen, frame->in);
    }
    return saga_visit(gen, frame, 1, frame->item->a, frame->in, false);
}

base_status saga_gen_as(saga_generator *gen, saga_frame *frame)
{
    switch (frame->step) {
    case 0:
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, false);
    case 1:
        return saga_visit_patterns(gen, frame, 2, gen->result);
    case 2:
        return saga_visit(gen, frame, 3, frame->node->b, frame->in, frame->path);
    default:
        return saga_frame_done(gen, gen->result);
    }
}

/* ---- loops ---- */
/*      b; state = that; FORK L
 *      a; bind; old = state; state = null; c on old; state = that; BACK
 *   L: state is the value. The state is null while c runs, so a c without value leaves null, as in
 *   jq.       */
base_status saga_gen_reduce(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    int32_t *state = &frame->keep[0];
    int32_t *fork = &frame->keep[1];
    switch (frame->step) {
    case 0:
        return saga_visit(gen, frame, 1, node->b, frame->in, frame->path);
    case 1:
        *state = saga_register(gen);
        emit_move(gen, *state, gen->result);
        *fork = (int32_t)emit_plain(gen, SAGA_OP_FORK);
        return saga_visit(gen, frame, 2, node->a, frame->in, frame->path);
    case 2:
        return saga_visit_patterns(gen, frame, 3, gen->result);
    case 3: {
        const int32_t old = saga_register(gen);
        emit_move(gen, old, *state);
        emit_move(gen, *state, saga_constant(gen, base_value_null()));
        return saga_visit(gen, frame, 4, node->c, old, frame->path);
    }
    default:
        emit_move(gen, *state, gen->result);
        (void)emit_plain(gen, SAGA_OP_BACK);
        saga_land(gen, (uint32_t)*fork);
        return saga_frame_done(gen, *state);
    }
}

/*      b; state = that; a; bind; old = state; state = null; c on old; state = that; d on that */
base_status saga_gen_foreach(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    int32_t *state = &frame->keep[0];
    switch (frame->step) {
    case 0:
        return saga_visit(gen, frame, 1, node->b, frame->in, frame->path);
    case 1:
        *state = saga_register(gen);
        emit_move(gen, *state, gen->result);
        return saga_visit(gen, frame, 2, node->a, frame->in, frame->path);
    case 2:
        return saga_visit_patterns(gen, frame, 3, gen->result);
    case 3: {
        const int32_t old = saga_register(gen);
        emit_move(gen, old, *state);
        emit_move(gen, *state, saga_constant(gen, base_value_null()));
        return saga_visit(gen, frame, 4, node->c, old, frame->path);
    }
    case 4:
        emit_move(gen, *state, gen->result);
        if (node->d != NULL) {
            return saga_visit(gen, frame, 5, node->d, gen->result, frame->path);
        }
        return saga_frame_done(gen, gen->result);
    default:
        return saga_frame_done(gen, gen->result);
    }
}

/* ---- cutting generators short ---- */
base_status saga_gen_label(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        (void)saga_emit(gen, SAGA_OP_MARK, saga_variable_register(frame->node->variable), NONE,
                        NONE, NONE);
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, frame->path);
    }
    return saga_frame_done(gen, gen->result);
}

base_status saga_gen_break(saga_generator *gen, saga_frame *frame)
{
    (void)saga_emit(gen, SAGA_OP_CUT, NONE, saga_variable_register(frame->node->variable), NONE,
                    NONE);
    (void)emit_plain(gen, SAGA_OP_BACK);
    return saga_frame_done(gen, saga_constant(gen, base_value_null()));
}

/* MARK m; a; CUT m */
base_status saga_gen_first(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        frame->keep[0] = saga_register(gen);
        (void)saga_emit(gen, SAGA_OP_MARK, frame->keep[0], NONE, NONE, NONE);
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, frame->path);
    }
    (void)saga_emit(gen, SAGA_OP_CUT, NONE, frame->keep[0], NONE, NONE);
    return saga_frame_done(gen, gen->result);
}

/* limit and nth:  a; LIMIT n = that; MARK m; b; LIMIT_STEP m, n */
base_status saga_gen_limit(saga_generator *gen, saga_frame *frame)
{
    const bool limit = frame->node->kind == SAGA_NODE_LIMIT;
    int32_t *count = &frame->keep[0];
    int32_t *mark = &frame->keep[1];
    if (frame->step == 0) {
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, false);
    }
    if (frame->step == 1) {
        *count = saga_register(gen);
        *mark = saga_register(gen);
        (void)saga_emit(gen, limit ? SAGA_OP_LIMIT : SAGA_OP_NTH, *count, gen->result, NONE, NONE);
        (void)saga_emit(gen, SAGA_OP_MARK, *mark, NONE, NONE, NONE);
        return saga_visit(gen, frame, 2, frame->node->b, frame->in, frame->path);
    }
    (void)saga_emit(gen, limit ? SAGA_OP_LIMIT_STEP : SAGA_OP_NTH_STEP, NONE, *mark, *count, NONE);
    return saga_frame_done(gen, gen->result);
}

/*      CUT m; d = found; JUMP E; L: d = not found; E:        where the fork of the search leads to
 *                                                            L */
static base_status search_end(saga_generator *gen, saga_frame *frame, bool found)
{
    const int32_t dst = saga_register(gen);
    (void)saga_emit(gen, SAGA_OP_CUT, NONE, frame->keep[0], NONE, NONE);
    emit_move(gen, dst, truth(gen, found));
    const uint32_t jump = emit_plain(gen, SAGA_OP_JUMP);
    saga_land(gen, (uint32_t)frame->keep[1]);
    emit_move(gen, dst, truth(gen, !found));
    saga_land(gen, jump);
    return saga_frame_done(gen, dst);
}

static void search_begin(saga_generator *gen, saga_frame *frame)
{
    frame->keep[0] = saga_register(gen);
    (void)saga_emit(gen, SAGA_OP_MARK, frame->keep[0], NONE, NONE, NONE);
    frame->keep[1] = (int32_t)emit_plain(gen, SAGA_OP_FORK);
}

/*      MARK m; FORK L; a; any value is found        */
base_status saga_gen_is_empty(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        search_begin(gen, frame);
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, false);
    }
    return search_end(gen, frame, false);
}

/*      MARK m; FORK L; a; b on that; any: UNLESS b N: found; N: BACK        all: UNLESS b N: BACK;
 *                                                                           N: found        */
base_status saga_gen_any_all(saga_generator *gen, saga_frame *frame)
{
    const bool any = frame->node->kind == SAGA_NODE_ANY;
    if (frame->step == 0) {
        search_begin(gen, frame);
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, false);
    }
    if (frame->step == 1) {
        return saga_visit(gen, frame, 2, frame->node->b, gen->result, false);
    }
    if (any) {
        const uint32_t unless = saga_emit(gen, SAGA_OP_UNLESS, NONE, gen->result, NONE, NONE);
        const uint32_t jump = emit_plain(gen, SAGA_OP_JUMP);
        saga_land(gen, unless);
        (void)emit_plain(gen, SAGA_OP_BACK);
        saga_land(gen, jump);
        return search_end(gen, frame, true);
    }
    const uint32_t unless = saga_emit(gen, SAGA_OP_UNLESS, NONE, gen->result, NONE, NONE);
    (void)emit_plain(gen, SAGA_OP_BACK);
    saga_land(gen, unless);
    return search_end(gen, frame, false);
}

/* ---- assignment ---- */
/* The path of `.a.b[0]` as a constant list; false when the node is no such path. */
static bool constant_path(saga_generator *gen, const saga_node *node, base_value *path_out)
{
    size_t count = 0;
    const saga_node *at = node;
    while ((at->kind == SAGA_NODE_FIELD ||
            (at->kind == SAGA_NODE_INDEX && at->b->kind == SAGA_NODE_CONSTANT &&
             at->b->value.kind == BASE_INTEGER)) &&
           !at->optional) {
        count++;
        at = at->a;
    }
    if (at->kind != SAGA_NODE_IDENTITY || count == 0) {
        return false;
    }
    base_value *keys = BASE_ARENA_ARRAY(gen->arena, base_value, count);
    if (keys == NULL) {
        return false;
    }
    *path_out = base_value_list(keys, count);
    for (at = node; count > 0; at = at->a) {
        keys[--count] = at->kind == SAGA_NODE_FIELD ? at->value : at->b->value;
    }
    return true;
}

/* Follows a; afterwards the path is the result. keep[0]: state, keep[1]: fork, keep[2]: save. */
static base_status follow(saga_generator *gen, saga_frame *frame, uint8_t step)
{
    frame->keep[0] = saga_register(gen);
    emit_move(gen, frame->keep[0], frame->in);
    frame->keep[1] = (int32_t)emit_plain(gen, SAGA_OP_FORK);
    frame->keep[2] = (int32_t)gen->save_count++;
    const uint32_t begin = saga_emit(gen, SAGA_OP_PATH_BEGIN, NONE, frame->in, NONE, NONE);
    saga_instr_at(gen, begin)->c = frame->keep[2];
    return saga_visit(gen, frame, step, frame->node->a, frame->in, true);
}

static int32_t followed(saga_generator *gen, const saga_frame *frame)
{
    const int32_t path = saga_register(gen);
    const uint32_t end = saga_emit(gen, SAGA_OP_PATH_END, path, gen->result, NONE, NONE);
    saga_instr_at(gen, end)->c = frame->keep[2];
    return path;
}

/* state = setpath(path; value), where what this assignment has copied already is written in place.
 */
static void emit_new(saga_generator *gen, const saga_frame *frame, int32_t path, int32_t value)
{
    const uint32_t number = saga_emit(gen, SAGA_OP_NEW, frame->keep[0], path, value, NONE);
    saga_instr_at(gen, number)->c = frame->keep[2];
}

/*      b; state = .; FORK L; each path p of a; state = setpath(p; b); BACK; L:
 * and with a constant path p:   b; setpath(p; b)                                    */
base_status saga_gen_assign(saga_generator *gen, saga_frame *frame)
{
    int32_t *value = &frame->keep[3];
    if (frame->step == 0) {
        return saga_visit(gen, frame, 1, frame->node->b, frame->in, false);
    }
    if (frame->step == 1) {
        *value = gen->result;
        base_value path;
        if (!constant_path(gen, frame->node->a, &path)) {
            return follow(gen, frame, 2);
        }
        const int32_t dst = saga_register(gen);
        (void)saga_emit_call(gen, SAGA_NATIVE_SETPATH, dst, frame->in, saga_constant(gen, path),
                             *value);
        return saga_frame_done(gen, dst);
    }
    const int32_t path = followed(gen, frame);
    const int32_t state = frame->keep[0];
    emit_new(gen, frame, path, *value);
    (void)emit_plain(gen, SAGA_OP_BACK);
    saga_land(gen, (uint32_t)frame->keep[1]);
    return saga_frame_done(gen, state);
}

enum { UPDATE_START, UPDATE_VALUE, UPDATE_FOLLOWED, UPDATE_FIRST, UPDATE_CONSTANT_FIRST };
enum {
    KEEP_STATE,
    KEEP_FORK,
    KEEP_SAVE,
    KEEP_VALUE,
    KEEP_DELETED,
    KEEP_PATH,
    KEEP_MARK,
    KEEP_NONE
};

/* `old op value`, or `old // value`. */
static int32_t computed(saga_generator *gen, const saga_frame *frame, int32_t old)
{
    const int32_t dst = saga_register(gen);
    const int32_t value = frame->keep[KEEP_VALUE];
    if (frame->node->kind == SAGA_NODE_COMPUTE) {
        const uint32_t number = saga_emit(gen, SAGA_OP_BINARY, dst, old, value, NONE);
        saga_instr_at(gen, number)->sub = frame->node->op;
        return dst;
    }
    const uint32_t unless = saga_emit(gen, SAGA_OP_UNLESS, NONE, old, NONE, NONE);
    emit_move(gen, dst, old);
    const uint32_t jump = emit_plain(gen, SAGA_OP_JUMP);
    saga_land(gen, unless);
    emit_move(gen, dst, value);
    saga_land(gen, jump);
    return dst;
}

/* old = getpath(p); then a op= b is computed at once, and the first value of a |= b is looked for:
 *      MARK m; FORK N; b on old
 *      */
static base_status update_old(saga_generator *gen, saga_frame *frame, int32_t from, uint8_t step)
{
    const int32_t old = saga_register(gen);
    (void)saga_emit_call(gen, SAGA_NATIVE_GETPATH, old, from, frame->keep[KEEP_PATH], NONE);
    if (frame->node->kind == SAGA_NODE_UPDATE) {
        frame->keep[KEEP_MARK] = saga_register(gen);
        (void)saga_emit(gen, SAGA_OP_MARK, frame->keep[KEEP_MARK], NONE, NONE, NONE);
        frame->keep[KEEP_NONE] = (int32_t)emit_plain(gen, SAGA_OP_FORK);
        return saga_visit(gen, frame, step, frame->node->b, old, false);
    }
    frame->step = step;
    gen->result = computed(gen, frame, old);
    return base_ok();
}

/*      [CUT m;] d = setpath(p; that); JUMP E; N: d = delpaths([p]); E:        */
static base_status update_constant(saga_generator *gen, const saga_frame *frame)
{
    const int32_t dst = saga_register(gen);
    const int32_t path = frame->keep[KEEP_PATH];
    const bool update = frame->node->kind == SAGA_NODE_UPDATE;
    const uint32_t fork = (uint32_t)frame->keep[KEEP_NONE];
    const bool single = update && saga_is_single(gen, fork + 1);
    if (single) {
        saga_instr_at(gen, fork)->op = SAGA_OP_JUMP;
        saga_instr_at(gen, fork)->target = fork + 1;
    } else if (update) {
        (void)saga_emit(gen, SAGA_OP_CUT, NONE, frame->keep[KEEP_MARK], NONE, NONE);
    }
    (void)saga_emit_call(gen, SAGA_NATIVE_SETPATH, dst, frame->in, path, gen->result);
    if (update && !single) {
        const uint32_t jump = emit_plain(gen, SAGA_OP_JUMP);
        saga_land(gen, fork);
        const int32_t paths = saga_register(gen);
        (void)saga_emit(gen, SAGA_OP_LIST_BEGIN, paths, NONE, NONE, NONE);
        (void)saga_emit(gen, SAGA_OP_LIST_PUSH, paths, path, NONE, NONE);
        (void)saga_emit(gen, SAGA_OP_LIST_END, paths, NONE, NONE, NONE);
        (void)saga_emit_call(gen, SAGA_NATIVE_DELPATHS, dst, frame->in, paths, NONE);
        saga_land(gen, jump);
    }
    return saga_frame_done(gen, dst);
}

/*      [CUT m;] state = setpath(p; that); BACK; [N: push p to the deleted; BACK;] L: state =
 *      delpaths(deleted)        */
static base_status update_followed(saga_generator *gen, const saga_frame *frame)
{
    const int32_t state = frame->keep[KEEP_STATE];
    const int32_t path = frame->keep[KEEP_PATH];
    const bool update = frame->node->kind == SAGA_NODE_UPDATE;
    if (update) {
        (void)saga_emit(gen, SAGA_OP_CUT, NONE, frame->keep[KEEP_MARK], NONE, NONE);
    }
    emit_new(gen, frame, path, gen->result);
    (void)emit_plain(gen, SAGA_OP_BACK);
    if (update) {
        saga_land(gen, (uint32_t)frame->keep[KEEP_NONE]);
        (void)saga_emit(gen, SAGA_OP_LIST_PUSH, frame->keep[KEEP_DELETED], path, NONE, NONE);
        (void)emit_plain(gen, SAGA_OP_BACK);
    }
    saga_land(gen, (uint32_t)frame->keep[KEEP_FORK]);
    if (update) {
        (void)saga_emit(gen, SAGA_OP_LIST_END, frame->keep[KEEP_DELETED], NONE, NONE, NONE);
        (void)saga_emit_call(gen, SAGA_NATIVE_DELPATHS, state, state, frame->keep[KEEP_DELETED],
                             NONE);
    }
    return saga_frame_done(gen, state);
}

/* a |= b, a op= b, a //= b, as jq 1.7 does them: for each path of a in `.`, the first value of b,
 * taken on what stands there now; where b has none the path is deleted, all at the end. The right
 * side of op= is a value of `.`. */
base_status saga_gen_update(saga_generator *gen, saga_frame *frame)
{
    base_value path;
    switch (frame->step) {
    case UPDATE_START:
        if (frame->node->kind != SAGA_NODE_UPDATE) {
            return saga_visit(gen, frame, UPDATE_VALUE, frame->node->b, frame->in, false);
        }
        gen->result = NONE;
        /* fall through */
    case UPDATE_VALUE:
        frame->keep[KEEP_VALUE] = gen->result;
        if (constant_path(gen, frame->node->a, &path)) {
            frame->keep[KEEP_PATH] = saga_constant(gen, path);
            return update_old(gen, frame, frame->in, UPDATE_CONSTANT_FIRST);
        }
        frame->keep[KEEP_DELETED] = saga_register(gen);
        (void)saga_emit(gen, SAGA_OP_LIST_BEGIN, frame->keep[KEEP_DELETED], NONE, NONE, NONE);
        return follow(gen, frame, UPDATE_FOLLOWED);
    case UPDATE_FOLLOWED:
        frame->keep[KEEP_PATH] = followed(gen, frame);
        return update_old(gen, frame, frame->keep[KEEP_STATE], UPDATE_FIRST);
    case UPDATE_FIRST:
        return update_followed(gen, frame);
    default:
        return update_constant(gen, frame);
    }
}
