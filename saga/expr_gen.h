/*
 * Inside of saga/expr_gen*.c: from the tree to code, with a stack of its own (as the parser,
 * expr_parse.h). A frame is a node on its way: its handler emits code, visits a child, and is
 * called again at its next step with the operand that holds the child's value. Where code runs on
 * behind a child, it runs once for each of the child's values.
 */
#ifndef SAGA_EXPR_GEN_H
#define SAGA_EXPR_GEN_H

#include "saga/expr_code.h"

#define SAGA_OPERAND_NONE INT32_MIN

typedef struct saga_frame {
    const saga_node *node;
    const saga_node *item; /* where a handler is in a list */
    int32_t in;            /* operand that holds `.` */
    bool path;             /* follow the path */
    bool bind;             /* bind the node's patterns to `in` */
    uint8_t step;
    int32_t keep[8]; /* what a handler keeps between its steps */
} saga_frame;

typedef struct saga_generator {
    base_arena *arena;
    base_error *error;
    saga_instr *code;
    size_t code_count;
    size_t code_capacity;
    base_value *constants;
    size_t constant_count;
    size_t constant_capacity;
    int32_t *operands;
    size_t operand_count;
    size_t operand_capacity;
    saga_frame *frames;
    size_t frame_count;
    size_t frame_capacity;
    int32_t *stack; /* operands of maps and strings on their way */
    size_t stack_count;
    size_t stack_capacity;
    uint32_t register_count;
    uint32_t save_count;
    size_t variable_count;
    bool *bound; /* by variable: bound already by the pattern on its way */
    bool uses_input;
    saga_variable_use *uses;
    int32_t result;
    base_code failure;  /* first failure; emitting goes on without effect */
    saga_instr nowhere; /* takes what is written to instructions after a failure */
} saga_generator;

/* Emits and gives the instruction's number. Operands not needed are SAGA_OPERAND_NONE. */
uint32_t saga_emit(saga_generator *gen, saga_op op, int32_t dst, int32_t a, int32_t b, int32_t c);
uint32_t saga_emit_call(saga_generator *gen, saga_native native, int32_t dst, int32_t a, int32_t b,
                        int32_t c);
void saga_emit_field(saga_generator *gen, int32_t dst, int32_t a, base_slice name, bool optional);
/* The instruction, to complete it. */
saga_instr *saga_instr_at(saga_generator *gen, uint32_t number);
/* Lets the jump or fork lead to here. */
void saga_land(saga_generator *gen, uint32_t number);
/* Does the code from `first` on give exactly one value, whatever happens (errors aside)? */
bool saga_is_single(const saga_generator *gen, uint32_t first);
int32_t saga_register(saga_generator *gen);
int32_t saga_constant(saga_generator *gen, base_value value);
static inline int32_t saga_variable_register(int32_t variable)
{
    return 1 + variable;
}

/* Ends the frame on top with an operand. */
base_status saga_frame_done(saga_generator *gen, int32_t operand) BASE_MUST_USE;
/* Visits a child; the frame goes on at `step`. */
base_status saga_visit(saga_generator *gen, saga_frame *frame, uint8_t step, const saga_node *child,
                       int32_t in, bool path) BASE_MUST_USE;
base_status saga_visit_patterns(saga_generator *gen, saga_frame *frame, uint8_t step,
                                int32_t value) BASE_MUST_USE;

typedef base_status (*saga_frame_handler)(saga_generator *gen, saga_frame *frame);

/* expr_gen_flow.c */
base_status saga_gen_comma(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_alternative(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_logic(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_if(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_try(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_reduce(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_foreach(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_as(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_bind(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_pattern_variable(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_pattern_list(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_pattern_map(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_label(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_break(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_first(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_limit(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_is_empty(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_any_all(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_assign(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;
base_status saga_gen_update(saga_generator *gen, saga_frame *frame) BASE_MUST_USE;

#endif
