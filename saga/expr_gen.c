/* Code for values: paths, operators, lists, maps, strings, calls; and the generator's loop. */
#include "saga/expr_gen.h"

/* ---- emitting ---- */
static void fail(saga_generator *gen, base_code code)
{
    if (gen->failure == BASE_OK) {
        gen->failure = code;
    }
}

static bool room(saga_generator *gen, void **items, size_t *capacity, size_t count,
                 size_t item_size)
{
    if (count < *capacity) {
        return true;
    }
    const size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = base_arena_grow(gen->arena, *items, *capacity * item_size, wanted * item_size);
    if (grown == NULL) {
        fail(gen, BASE_OUT_OF_MEMORY);
        return false;
    }
    *items = grown;
    *capacity = wanted;
    return true;
}

static void use(saga_generator *gen, int32_t operand)
{
    if (operand == 0) {
        gen->uses_input = true;
    }
    if (operand > 0 && (size_t)operand <= gen->variable_count) {
        gen->uses[operand - 1].used = true;
        gen->uses[operand - 1].whole = true;
    }
}

static uint32_t append(saga_generator *gen, saga_instr instr)
{
    void *code = gen->code;
    const bool fits = room(gen, &code, &gen->code_capacity, gen->code_count, sizeof instr);
    gen->code = code;
    if (!fits) {
        return 0;
    }
    gen->code[gen->code_count] = instr;
    return (uint32_t)gen->code_count++;
}

uint32_t saga_emit(saga_generator *gen, saga_op op, int32_t dst, int32_t a, int32_t b, int32_t c)
{
    use(gen, a);
    use(gen, b);
    use(gen, c);
    return append(gen, (saga_instr){.op = (uint8_t)op, .dst = dst, .a = a, .b = b, .c = c});
}

uint32_t saga_emit_call(saga_generator *gen, saga_native native, int32_t dst, int32_t a, int32_t b,
                        int32_t c)
{
    const uint32_t number = saga_emit(gen, SAGA_OP_CALL, dst, a, b, c);
    saga_instr *instr = saga_instr_at(gen, number);
    instr->sub = (uint8_t)native;
    /* The machine reads all operands of a call. */
    instr->b = b == SAGA_OPERAND_NONE ? a : b;
    instr->c = c == SAGA_OPERAND_NONE ? a : c;
    return number;
}

static void remember_member(saga_generator *gen, saga_variable_use *variable, base_slice name)
{
    for (size_t i = 0; i < variable->count; i++) {
        if (base_slice_equal(variable->names[i], name)) {
            return;
        }
    }
    void *names = variable->names;
    const bool fits = room(gen, &names, &variable->capacity, variable->count, sizeof(base_slice));
    variable->names = names;
    if (fits) {
        variable->names[variable->count++] = name;
    }
}

void saga_emit_field(saga_generator *gen, int32_t dst, int32_t a, base_slice name, bool optional)
{
    const int32_t key = saga_constant(gen, base_value_string(name));
    if (a > 0 && (size_t)a <= gen->variable_count) {
        gen->uses[a - 1].used = true;
        remember_member(gen, &gen->uses[a - 1], name);
    } else {
        use(gen, a);
    }
    (void)append(
        gen, (saga_instr){.op = SAGA_OP_FIELD, .dst = dst, .a = a, .b = key, .optional = optional});
}

saga_instr *saga_instr_at(saga_generator *gen, uint32_t number)
{
    return gen->failure == BASE_OK ? &gen->code[number] : &gen->nowhere;
}

void saga_land(saga_generator *gen, uint32_t number)
{
    if (number < gen->code_count) {
        gen->code[number].target = (uint32_t)gen->code_count;
    }
}

bool saga_is_single(const saga_generator *gen, uint32_t first)
{
    for (size_t i = first; i < gen->code_count; i++) {
        const saga_instr *instr = &gen->code[i];
        const saga_op op = (saga_op)instr->op;
        const bool plain = op == SAGA_OP_MOVE || op == SAGA_OP_FIELD || op == SAGA_OP_INDEX ||
                           op == SAGA_OP_SLICE || op == SAGA_OP_JUMP || op == SAGA_OP_UNLESS ||
                           op == SAGA_OP_TRUTH || op == SAGA_OP_BINARY || op == SAGA_OP_NEGATE ||
                           op == SAGA_OP_LIST_BEGIN || op == SAGA_OP_LIST_PUSH ||
                           op == SAGA_OP_LIST_END || op == SAGA_OP_KEY_CHECK || op == SAGA_OP_MAP ||
                           op == SAGA_OP_STRING || op == SAGA_OP_CALL || op == SAGA_OP_ERROR;
        if (!plain || instr->optional) {
            return false;
        }
    }
    return true;
}

int32_t saga_register(saga_generator *gen)
{
    if (gen->register_count >= INT32_MAX - 1) {
        fail(gen, BASE_TOO_LARGE);
        return 0;
    }
    return (int32_t)gen->register_count++;
}

int32_t saga_constant(saga_generator *gen, base_value value)
{
    const bool word = value.kind == BASE_NULL || value.kind == BASE_BOOL;
    for (size_t i = 0; word && i < gen->constant_count; i++) {
        if (gen->constants[i].kind == value.kind && gen->constants[i].truth == value.truth) {
            return ~(int32_t)i;
        }
    }
    void *constants = gen->constants;
    const bool fits =
        room(gen, &constants, &gen->constant_capacity, gen->constant_count, sizeof value);
    gen->constants = constants;
    if (!fits) {
        return 0;
    }
    gen->constants[gen->constant_count] = value;
    return ~(int32_t)gen->constant_count++;
}

/* ---- frames ---- */
base_status saga_frame_done(saga_generator *gen, int32_t operand)
{
    gen->result = operand;
    gen->frame_count--;
    return base_status_of(gen->failure);
}

static base_status push_frame(saga_generator *gen, saga_frame frame)
{
    void *frames = gen->frames;
    const bool fits = room(gen, &frames, &gen->frame_capacity, gen->frame_count, sizeof frame);
    gen->frames = frames;
    if (fits) {
        gen->frames[gen->frame_count++] = frame;
    }
    return base_status_of(gen->failure);
}

base_status saga_visit(saga_generator *gen, saga_frame *frame, uint8_t step, const saga_node *child,
                       int32_t in, bool path)
{
    frame->step = step;
    return push_frame(gen, (saga_frame){.node = child, .in = in, .path = path});
}

base_status saga_visit_patterns(saga_generator *gen, saga_frame *frame, uint8_t step, int32_t value)
{
    frame->step = step;
    return push_frame(gen, (saga_frame){.node = frame->node, .in = value, .bind = true});
}

static void push_operand(saga_generator *gen, int32_t operand)
{
    void *stack = gen->stack;
    const bool fits = room(gen, &stack, &gen->stack_capacity, gen->stack_count, sizeof operand);
    gen->stack = stack;
    if (fits) {
        gen->stack[gen->stack_count++] = operand;
    }
}

/* Moves what was stacked since `base` to the code's operands, in order, and gives the place of the
 * first. */
static int32_t settle_operands(saga_generator *gen, size_t base)
{
    const size_t first = gen->operand_count;
    for (size_t i = base; i < gen->stack_count; i++) {
        void *operands = gen->operands;
        const bool fits =
            room(gen, &operands, &gen->operand_capacity, gen->operand_count, sizeof(int32_t));
        gen->operands = operands;
        if (fits) {
            gen->operands[gen->operand_count++] = gen->stack[i];
        }
    }
    gen->stack_count = base;
    return (int32_t)first;
}

/* ---- paths ---- */
static base_status gen_identity(saga_generator *gen, saga_frame *frame)
{
    return saga_frame_done(gen, frame->in);
}

static base_status gen_recurse(saga_generator *gen, saga_frame *frame)
{
    const int32_t dst = saga_register(gen);
    (void)saga_emit(gen, frame->path ? SAGA_OP_STEP_RECURSE : SAGA_OP_RECURSE, dst, frame->in,
                    SAGA_OPERAND_NONE, SAGA_OPERAND_NONE);
    return saga_frame_done(gen, dst);
}

static base_status gen_constant(saga_generator *gen, saga_frame *frame)
{
    return saga_frame_done(gen, saga_constant(gen, frame->node->value));
}

static base_status gen_variable(saga_generator *gen, saga_frame *frame)
{
    return saga_frame_done(gen, saga_variable_register(frame->node->variable));
}

static base_status gen_field(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    if (frame->step == 0) {
        return saga_visit(gen, frame, 1, node->a, frame->in, frame->path);
    }
    const int32_t dst = saga_register(gen);
    if (frame->path) {
        const uint32_t number = saga_emit(gen, SAGA_OP_STEP_INDEX, dst, gen->result,
                                          saga_constant(gen, node->value), SAGA_OPERAND_NONE);
        saga_instr_at(gen, number)->optional = node->optional;
    } else {
        saga_emit_field(gen, dst, gen->result, base_value_slice(&node->value), node->optional);
    }
    return saga_frame_done(gen, dst);
}

/* term[key]: the key comes first and varies slowest, as in jq. */
static base_status gen_index(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    if (frame->step == 0) {
        return saga_visit(gen, frame, 1, node->b, frame->in, false);
    }
    if (frame->step == 1) {
        frame->keep[0] = gen->result;
        return saga_visit(gen, frame, 2, node->a, frame->in, frame->path);
    }
    const int32_t dst = saga_register(gen);
    const uint32_t number = saga_emit(gen, frame->path ? SAGA_OP_STEP_INDEX : SAGA_OP_INDEX, dst,
                                      gen->result, frame->keep[0], SAGA_OPERAND_NONE);
    saga_instr_at(gen, number)->optional = node->optional;
    return saga_frame_done(gen, dst);
}

static base_status gen_slice(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    switch (frame->step) {
    case 0:
        if (node->b != NULL) {
            return saga_visit(gen, frame, 1, node->b, frame->in, false);
        }
        gen->result = saga_constant(gen, base_value_null());
        /* fall through */
    case 1:
        frame->keep[0] = gen->result;
        if (node->c != NULL) {
            return saga_visit(gen, frame, 2, node->c, frame->in, false);
        }
        gen->result = saga_constant(gen, base_value_null());
        /* fall through */
    case 2:
        frame->keep[1] = gen->result;
        return saga_visit(gen, frame, 3, node->a, frame->in, frame->path);
    default:
        break;
    }
    const int32_t dst = saga_register(gen);
    const uint32_t number = saga_emit(gen, frame->path ? SAGA_OP_STEP_SLICE : SAGA_OP_SLICE, dst,
                                      gen->result, frame->keep[0], frame->keep[1]);
    saga_instr_at(gen, number)->optional = node->optional;
    return saga_frame_done(gen, dst);
}

static base_status gen_each(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, frame->path);
    }
    const int32_t dst = saga_register(gen);
    const uint32_t number = saga_emit(gen, frame->path ? SAGA_OP_STEP_EACH : SAGA_OP_EACH, dst,
                                      gen->result, SAGA_OPERAND_NONE, SAGA_OPERAND_NONE);
    saga_instr_at(gen, number)->optional = frame->node->optional;
    return saga_frame_done(gen, dst);
}

static base_status gen_pipe(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, frame->path);
    }
    if (frame->step == 1) {
        return saga_visit(gen, frame, 2, frame->node->b, gen->result, frame->path);
    }
    return saga_frame_done(gen, gen->result);
}

static base_status gen_path(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        frame->keep[0] = (int32_t)gen->save_count++;
        const uint32_t number = saga_emit(gen, SAGA_OP_PATH_BEGIN, SAGA_OPERAND_NONE, frame->in,
                                          SAGA_OPERAND_NONE, SAGA_OPERAND_NONE);
        saga_instr_at(gen, number)->c = frame->keep[0];
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, true);
    }
    const int32_t dst = saga_register(gen);
    const uint32_t number =
        saga_emit(gen, SAGA_OP_PATH_END, dst, gen->result, SAGA_OPERAND_NONE, SAGA_OPERAND_NONE);
    saga_instr_at(gen, number)->c = frame->keep[0];
    return saga_frame_done(gen, dst);
}

/* ---- operators ---- */
/* The right side comes first and varies slowest, as in jq. */
static base_status gen_binary(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    if (frame->step == 0) {
        return saga_visit(gen, frame, 1, node->b, frame->in, false);
    }
    if (frame->step == 1) {
        frame->keep[0] = gen->result;
        return saga_visit(gen, frame, 2, node->a, frame->in, false);
    }
    const int32_t dst = saga_register(gen);
    const uint32_t number =
        saga_emit(gen, SAGA_OP_BINARY, dst, gen->result, frame->keep[0], SAGA_OPERAND_NONE);
    saga_instr_at(gen, number)->sub = node->op;
    return saga_frame_done(gen, dst);
}

static base_status gen_negate(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, false);
    }
    const int32_t dst = saga_register(gen);
    (void)saga_emit(gen, SAGA_OP_NEGATE, dst, gen->result, SAGA_OPERAND_NONE, SAGA_OPERAND_NONE);
    return saga_frame_done(gen, dst);
}

/* ---- lists, maps, strings ---- */
static base_status gen_list(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        frame->keep[0] = saga_register(gen);
        (void)saga_emit(gen, SAGA_OP_LIST_BEGIN, frame->keep[0], SAGA_OPERAND_NONE,
                        SAGA_OPERAND_NONE, SAGA_OPERAND_NONE);
        frame->keep[1] = (int32_t)saga_emit(gen, SAGA_OP_FORK, SAGA_OPERAND_NONE, SAGA_OPERAND_NONE,
                                            SAGA_OPERAND_NONE, SAGA_OPERAND_NONE);
        return saga_visit(gen, frame, 1, frame->node->a, frame->in, false);
    }
    const uint32_t fork = (uint32_t)frame->keep[1];
    const bool single = saga_is_single(gen, fork + 1);
    (void)saga_emit(gen, SAGA_OP_LIST_PUSH, frame->keep[0], gen->result, SAGA_OPERAND_NONE,
                    SAGA_OPERAND_NONE);
    if (!single) {
        (void)saga_emit(gen, SAGA_OP_BACK, SAGA_OPERAND_NONE, SAGA_OPERAND_NONE, SAGA_OPERAND_NONE,
                        SAGA_OPERAND_NONE);
        saga_land(gen, fork);
    } else {
        saga_instr_at(gen, fork)->op = SAGA_OP_JUMP;
        saga_instr_at(gen, fork)->target = fork + 1;
    }
    (void)saga_emit(gen, SAGA_OP_LIST_END, frame->keep[0], SAGA_OPERAND_NONE, SAGA_OPERAND_NONE,
                    SAGA_OPERAND_NONE);
    return saga_frame_done(gen, frame->keep[0]);
}

static base_status map_done(saga_generator *gen, saga_frame *frame)
{
    const size_t base = (size_t)frame->keep[0];
    const size_t count = (gen->stack_count - base) / 2;
    if (count == 0) {
        return saga_frame_done(gen, saga_constant(gen, base_value_map(NULL, 0)));
    }
    for (size_t i = base; i < gen->stack_count; i++) {
        use(gen, gen->stack[i]);
    }
    const int32_t first = settle_operands(gen, base);
    const int32_t dst = saga_register(gen);
    const uint32_t number =
        saga_emit(gen, SAGA_OP_MAP, dst, SAGA_OPERAND_NONE, SAGA_OPERAND_NONE, SAGA_OPERAND_NONE);
    saga_instr_at(gen, number)->b = first;
    saga_instr_at(gen, number)->c = (int32_t)count;
    return saga_frame_done(gen, dst);
}

/* Key, value, key, value...: the first varies slowest. */
static base_status gen_map(saga_generator *gen, saga_frame *frame)
{
    if (frame->step == 0) {
        frame->keep[0] = (int32_t)gen->stack_count;
        frame->item = frame->node->list;
    } else if (frame->step == 1) {
        const saga_node *entry = frame->item;
        const int32_t key = gen->result;
        const saga_node_kind kind = entry->a->kind;
        if (kind != SAGA_NODE_CONSTANT && kind != SAGA_NODE_STRING) {
            (void)saga_emit(gen, SAGA_OP_KEY_CHECK, SAGA_OPERAND_NONE, key, SAGA_OPERAND_NONE,
                            SAGA_OPERAND_NONE);
        }
        push_operand(gen, key);
        if (entry->b != NULL) {
            return saga_visit(gen, frame, 2, entry->b, frame->in, false);
        }
        const int32_t value = saga_register(gen);
        if (kind == SAGA_NODE_CONSTANT) {
            saga_emit_field(gen, value, frame->in, base_value_slice(&entry->a->value), false);
        } else {
            (void)saga_emit(gen, SAGA_OP_INDEX, value, frame->in, key, SAGA_OPERAND_NONE);
        }
        push_operand(gen, value);
        frame->item = entry->next;
    } else {
        push_operand(gen, gen->result);
        frame->item = frame->item->next;
    }
    if (frame->item == NULL) {
        return map_done(gen, frame);
    }
    return saga_visit(gen, frame, 1, frame->item->a, frame->in, false);
}

/* Parts are visited from the last to the first, as the last varies slowest; keep[1] counts those
 * still to come. */
static base_status gen_string(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    if (frame->step == 0) {
        frame->keep[0] = (int32_t)gen->stack_count;
        frame->keep[1] = 0;
        for (const saga_node *part = node->list; part != NULL; part = part->next) {
            frame->keep[1]++;
        }
        for (int32_t i = 0; i < 2 * frame->keep[1]; i++) {
            push_operand(gen, 0);
        }
    } else if (gen->failure == BASE_OK) {
        int32_t *slot = &gen->stack[frame->keep[0] + 2 * frame->keep[1]];
        slot[0] = gen->result;
        slot[1] = !frame->item->optional;
        use(gen, gen->result);
    }
    if (frame->keep[1] > 0) {
        frame->keep[1]--;
        frame->item = node->list;
        for (int32_t i = 0; i < frame->keep[1]; i++) {
            frame->item = frame->item->next;
        }
        return saga_visit(gen, frame, 1, frame->item->a, frame->in, false);
    }
    const size_t base = (size_t)frame->keep[0];
    const size_t count = (gen->stack_count - base) / 2;
    const int32_t first = settle_operands(gen, base);
    const int32_t dst = saga_register(gen);
    const uint32_t number = saga_emit(gen, SAGA_OP_STRING, dst, SAGA_OPERAND_NONE,
                                      SAGA_OPERAND_NONE, SAGA_OPERAND_NONE);
    saga_instr_at(gen, number)->sub = node->op;
    saga_instr_at(gen, number)->b = first;
    saga_instr_at(gen, number)->c = (int32_t)count;
    return saga_frame_done(gen, dst);
}

/* `@base64` alone formats `.`, as a string of that one part. */
static base_status gen_format(saga_generator *gen, saga_frame *frame)
{
    const size_t base = gen->stack_count;
    push_operand(gen, frame->in);
    push_operand(gen, 0);
    use(gen, frame->in);
    const int32_t first = settle_operands(gen, base);
    const int32_t dst = saga_register(gen);
    const uint32_t number = saga_emit(gen, SAGA_OP_STRING, dst, SAGA_OPERAND_NONE,
                                      SAGA_OPERAND_NONE, SAGA_OPERAND_NONE);
    saga_instr_at(gen, number)->sub = frame->node->op;
    saga_instr_at(gen, number)->b = first;
    saga_instr_at(gen, number)->c = 1;
    return saga_frame_done(gen, dst);
}

/* ---- calls ---- */
/* The last argument varies slowest. */
static base_status gen_call(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    if (frame->step == 0) {
        frame->keep[0] = frame->keep[1] = SAGA_OPERAND_NONE;
        if (node->b != NULL) {
            return saga_visit(gen, frame, 1, node->b, frame->in, false);
        }
        frame->step = 1;
    } else if (frame->step == 1) {
        frame->keep[1] = gen->result;
    }
    if (frame->step == 1 && node->a != NULL) {
        return saga_visit(gen, frame, 2, node->a, frame->in, false);
    }
    if (frame->step == 2) {
        frame->keep[0] = gen->result;
    }
    const int32_t dst = saga_register(gen);
    if (frame->path && node->op == SAGA_NATIVE_GETPATH) {
        (void)saga_emit(gen, SAGA_OP_STEP_GETPATH, dst, frame->in, frame->keep[0],
                        SAGA_OPERAND_NONE);
    } else {
        (void)saga_emit_call(gen, (saga_native)node->op, dst, frame->in, frame->keep[0],
                             frame->keep[1]);
    }
    return saga_frame_done(gen, dst);
}

static base_status gen_empty(saga_generator *gen, saga_frame *frame)
{
    (void)frame;
    (void)saga_emit(gen, SAGA_OP_BACK, SAGA_OPERAND_NONE, SAGA_OPERAND_NONE, SAGA_OPERAND_NONE,
                    SAGA_OPERAND_NONE);
    return saga_frame_done(gen, saga_constant(gen, base_value_null()));
}

static base_status gen_error(saga_generator *gen, saga_frame *frame)
{
    (void)saga_emit(gen, SAGA_OP_ERROR, SAGA_OPERAND_NONE, frame->in, SAGA_OPERAND_NONE,
                    SAGA_OPERAND_NONE);
    return saga_frame_done(gen, saga_constant(gen, base_value_null()));
}

static base_status gen_range(saga_generator *gen, saga_frame *frame)
{
    const saga_node *node = frame->node;
    switch (frame->step) {
    case 0:
        return saga_visit(gen, frame, 1, node->a, frame->in, false);
    case 1:
        frame->keep[0] = gen->result;
        return saga_visit(gen, frame, 2, node->b, frame->in, false);
    case 2:
        frame->keep[1] = gen->result;
        if (node->c != NULL) {
            return saga_visit(gen, frame, 3, node->c, frame->in, false);
        }
        gen->result = saga_constant(gen, base_value_integer(1));
        break;
    default:
        break;
    }
    const int32_t dst = saga_register(gen);
    (void)saga_emit(gen, SAGA_OP_RANGE, dst, frame->keep[0], frame->keep[1], gen->result);
    return saga_frame_done(gen, dst);
}

/* ---- the loop ---- */
static const saga_frame_handler HANDLERS[SAGA_NODE_KIND_COUNT] = {
    [SAGA_NODE_IDENTITY] = gen_identity,
    [SAGA_NODE_RECURSE] = gen_recurse,
    [SAGA_NODE_CONSTANT] = gen_constant,
    [SAGA_NODE_VARIABLE] = gen_variable,
    [SAGA_NODE_FIELD] = gen_field,
    [SAGA_NODE_INDEX] = gen_index,
    [SAGA_NODE_SLICE] = gen_slice,
    [SAGA_NODE_EACH] = gen_each,
    [SAGA_NODE_PIPE] = gen_pipe,
    [SAGA_NODE_COMMA] = saga_gen_comma,
    [SAGA_NODE_ALTERNATIVE] = saga_gen_alternative,
    [SAGA_NODE_AND] = saga_gen_logic,
    [SAGA_NODE_OR] = saga_gen_logic,
    [SAGA_NODE_BINARY] = gen_binary,
    [SAGA_NODE_NEGATE] = gen_negate,
    [SAGA_NODE_IF] = saga_gen_if,
    [SAGA_NODE_TRY] = saga_gen_try,
    [SAGA_NODE_REDUCE] = saga_gen_reduce,
    [SAGA_NODE_FOREACH] = saga_gen_foreach,
    [SAGA_NODE_AS] = saga_gen_as,
    [SAGA_NODE_LABEL] = saga_gen_label,
    [SAGA_NODE_BREAK] = saga_gen_break,
    [SAGA_NODE_LIST] = gen_list,
    [SAGA_NODE_MAP] = gen_map,
    [SAGA_NODE_ENTRY] = NULL, /* its map does it */
    [SAGA_NODE_STRING] = gen_string,
    [SAGA_NODE_FORMAT] = gen_format,
    [SAGA_NODE_ASSIGN] = saga_gen_assign,
    [SAGA_NODE_UPDATE] = saga_gen_update,
    [SAGA_NODE_COMPUTE] = saga_gen_update,
    [SAGA_NODE_DEFAULT] = saga_gen_update,
    [SAGA_NODE_CALL] = gen_call,
    [SAGA_NODE_EMPTY] = gen_empty,
    [SAGA_NODE_ERROR] = gen_error,
    [SAGA_NODE_PATH] = gen_path,
    [SAGA_NODE_FIRST] = saga_gen_first,
    [SAGA_NODE_LIMIT] = saga_gen_limit,
    [SAGA_NODE_NTH] = saga_gen_limit,
    [SAGA_NODE_IS_EMPTY] = saga_gen_is_empty,
    [SAGA_NODE_ANY] = saga_gen_any_all,
    [SAGA_NODE_ALL] = saga_gen_any_all,
    [SAGA_NODE_RANGE] = gen_range,
    [SAGA_NODE_PATTERN_VARIABLE] = saga_gen_pattern_variable,
    [SAGA_NODE_PATTERN_LIST] = saga_gen_pattern_list,
    [SAGA_NODE_PATTERN_MAP] = saga_gen_pattern_map,
    [SAGA_NODE_PATTERN_ENTRY] = NULL, /* its pattern does it */
};

static base_status generate_all(saga_generator *gen, const saga_tree *tree)
{
    BASE_TRY(push_frame(gen, (saga_frame){.node = tree->root}));
    while (gen->frame_count > 0) {
        saga_frame *frame = &gen->frames[gen->frame_count - 1];
        if (frame->bind) {
            BASE_TRY(saga_gen_bind(gen, frame));
        } else {
            BASE_TRY(HANDLERS[frame->node->kind](gen, frame));
        }
    }
    (void)saga_emit(gen, SAGA_OP_RETURN, SAGA_OPERAND_NONE, gen->result, SAGA_OPERAND_NONE,
                    SAGA_OPERAND_NONE);
    return base_status_of(gen->failure);
}

base_status saga_expr_generate(const saga_tree *tree, size_t variable_count, base_arena *arena,
                               saga_expr *expr, base_error *error)
{
    saga_generator gen = {.arena = arena,
                          .error = error,
                          .register_count = tree->variable_count + 1,
                          .variable_count = variable_count,
                          .bound = BASE_ARENA_ARRAY(arena, bool, tree->variable_count + 1),
                          .uses = BASE_ARENA_ARRAY(arena, saga_variable_use, variable_count + 1)};
    const bool fits = gen.uses != NULL && gen.bound != NULL;
    const base_status status = fits ? generate_all(&gen, tree) : base_status_of(BASE_OUT_OF_MEMORY);
    if (base_failed(status)) {
        return base_error_set(error, status.code, "%s", base_status_text(status));
    }
    expr->code = gen.code;
    expr->code_count = gen.code_count;
    expr->constants = gen.constants;
    expr->constant_count = gen.constant_count;
    expr->operands = gen.operands;
    expr->register_count = gen.register_count;
    expr->save_count = gen.save_count;
    expr->variable_count = (uint32_t)variable_count;
    expr->uses_input = gen.uses_input;
    expr->uses = gen.uses;
    return base_ok();
}
