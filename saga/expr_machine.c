/* The machine: its loop, forks, generators and errors (expr_code.h draws it). */
#include "saga/expr_code.h"

#define FORKS_FIRST 16
#define BRIEF_SIZE 14

/* An error that an expression may catch, as against a failure that ends the evaluation. */
static bool catchable(base_status status)
{
    return base_status_class(status) == BASE_CLASS_INPUT || status.code == BASE_OVERFLOW;
}

/* ---- forks ---- */
static base_status fork_push(saga_machine *machine, saga_fork_kind kind, uint32_t pc,
                             saga_fork **fork_out)
{
    if (machine->fork_count == machine->fork_capacity) {
        const size_t capacity =
            machine->fork_capacity == 0 ? FORKS_FIRST : machine->fork_capacity * 2;
        void *forks = NULL;
        BASE_TRY(saga_machine_array(machine, capacity, sizeof(saga_fork), &forks));
        if (machine->fork_count > 0) {
            memcpy(forks, machine->forks, machine->fork_count * sizeof(saga_fork));
        }
        machine->forks = forks;
        machine->fork_capacity = capacity;
    }
    saga_fork *fork = &machine->forks[machine->fork_count++];
    fork->kind = (uint8_t)kind;
    fork->pc = pc;
    fork->path = machine->path;
    fork->at = machine->at;
    *fork_out = fork;
    return base_ok();
}

/* ---- generators ---- */
static base_value item_at(const base_value *container, size_t index)
{
    return container->kind == BASE_LIST ? container->items[index] : container->members[index].value;
}

static base_value key_at(const base_value *container, size_t index)
{
    return container->kind == BASE_LIST ? base_value_integer((int64_t)index)
                                        : base_value_string(container->members[index].key);
}

/* Gives item `index` of the container; a fork stays behind when there are more. */
static base_status give_item(saga_machine *machine, const saga_instr *instr,
                             const base_value *container, size_t index, uint32_t pc)
{
    if (index + 1 < container->size) {
        saga_fork *fork;
        BASE_TRY(fork_push(machine, SAGA_FORK_EACH, pc, &fork));
        fork->value = *container;
        fork->index = index + 1;
    }
    const base_value value = item_at(container, index);
    if (instr->op == SAGA_OP_STEP_EACH) {
        const base_value key = key_at(container, index);
        BASE_TRY(saga_path_step(machine, &key, &value));
    }
    machine->registers[instr->dst] = value;
    return base_ok();
}

/* BASE_NOT_FOUND: nothing to give, go back. */
static base_status each_begin(saga_machine *machine, const saga_instr *instr, uint32_t pc)
{
    const base_value container = *saga_operand(machine, instr->a);
    if (instr->op == SAGA_OP_STEP_EACH && !saga_is_same(&container, &machine->at)) {
        return saga_off_path(machine, "near attempt to iterate through", &container);
    }
    if (!saga_is_container(&container)) {
        if (instr->optional) {
            return base_status_of(BASE_NOT_FOUND);
        }
        base_slice brief;
        BASE_TRY(saga_value_brief(machine, &container, BRIEF_SIZE, &brief));
        return SAGA_RAISE(machine, "Cannot iterate over %s (%.*s)", saga_kind_name(&container),
                          BASE_SLICE_ARG(brief));
    }
    if (container.size == 0) {
        return base_status_of(BASE_NOT_FOUND);
    }
    return give_item(machine, instr, &container, 0, pc);
}

/* A value has been given; its items come next, before what is left of its neighbours. */
static base_status recurse_into(saga_machine *machine, const base_value *value, uint32_t pc)
{
    if (!saga_is_container(value) || value->size == 0) {
        return base_ok();
    }
    saga_fork *fork;
    BASE_TRY(fork_push(machine, SAGA_FORK_RECURSE, pc, &fork));
    fork->value = *value;
    fork->index = 0;
    return base_ok();
}

static base_status recurse_begin(saga_machine *machine, const saga_instr *instr, uint32_t pc)
{
    const base_value value = *saga_operand(machine, instr->a);
    if (instr->op == SAGA_OP_STEP_RECURSE && !saga_is_same(&value, &machine->at)) {
        return saga_off_path(machine, "near attempt to iterate through", &value);
    }
    machine->registers[instr->dst] = value;
    return recurse_into(machine, &value, pc);
}

static base_status recurse_next(saga_machine *machine, const saga_instr *instr,
                                const base_value *container, size_t index, uint32_t pc)
{
    if (index + 1 < container->size) {
        saga_fork *fork;
        BASE_TRY(fork_push(machine, SAGA_FORK_RECURSE, pc, &fork));
        fork->value = *container;
        fork->index = index + 1;
    }
    const base_value value = item_at(container, index);
    if (instr->op == SAGA_OP_STEP_RECURSE) {
        const base_value key = key_at(container, index);
        BASE_TRY(saga_path_step(machine, &key, &value));
    }
    machine->registers[instr->dst] = value;
    return recurse_into(machine, &value, pc);
}

/* Gives `from`, with a fork for the next, while it is before the end. */
static base_status range_next(saga_machine *machine, const saga_instr *instr,
                              const base_value *from, uint32_t pc)
{
    const base_value *to = saga_operand(machine, instr->b);
    const base_value *by = saga_operand(machine, instr->c);
    const int order = base_number_compare(from, to);
    const bool up = !saga_number_negative(by);
    if (saga_number_zero(by) || (up ? order >= 0 : order <= 0)) {
        return base_status_of(BASE_NOT_FOUND);
    }
    base_value next;
    const base_status status = base_number_add(from, by, &next);
    if (!base_failed(status)) {
        saga_fork *fork;
        BASE_TRY(fork_push(machine, SAGA_FORK_RANGE, pc, &fork));
        fork->value = next;
    } else if (status.code != BASE_OVERFLOW) {
        return saga_raise_two(machine, from, by, "cannot be added");
    }
    machine->registers[instr->dst] = *from;
    return base_ok();
}

static base_status range_begin(saga_machine *machine, const saga_instr *instr, uint32_t pc)
{
    const base_value from = *saga_operand(machine, instr->a);
    if (!base_value_is_number(&from) || !base_value_is_number(saga_operand(machine, instr->b)) ||
        !base_value_is_number(saga_operand(machine, instr->c))) {
        return SAGA_RAISE(machine, "Range bounds must be numeric");
    }
    return range_next(machine, instr, &from, pc);
}

/* ---- the loop ---- */
static base_status field_get(saga_machine *machine, const saga_instr *instr)
{
    const base_value *container = saga_operand(machine, instr->a);
    const base_value *key = saga_operand(machine, instr->b);
    if (container->kind == BASE_MAP) {
        if (container->size > SAGA_MAP_SCAN_MAX) {
            BASE_TRY(saga_machine_spend(machine, container->size / SAGA_MAP_SCAN_MAX));
        }
        const base_value *found = saga_map_find(container, base_slice_make(key->bytes, key->size));
        machine->registers[instr->dst] = found != NULL ? *found : base_value_null();
        return base_ok();
    }
    base_value value;
    BASE_TRY(saga_index(machine, container, key, &value));
    machine->registers[instr->dst] = value;
    return base_ok();
}

/* Takes up the newest fork; pc_out is where to go on. BASE_NOT_FOUND: there is none. */
static base_status go_back(saga_machine *machine, uint32_t *pc_out)
{
    while (machine->fork_count > 0) {
        BASE_TRY(saga_machine_spend(machine, 1));
        const saga_fork fork = machine->forks[--machine->fork_count];
        const saga_instr *instr = &machine->expr->code[fork.pc];
        machine->path = fork.path;
        machine->at = fork.at;
        *pc_out = fork.pc + 1;
        switch ((saga_fork_kind)fork.kind) {
        case SAGA_FORK_PLAIN:
            *pc_out = instr->target;
            return base_ok();
        case SAGA_FORK_EACH:
            return give_item(machine, instr, &fork.value, fork.index, fork.pc);
        case SAGA_FORK_RECURSE:
            return recurse_next(machine, instr, &fork.value, fork.index, fork.pc);
        case SAGA_FORK_RANGE: {
            const base_status status = range_next(machine, instr, &fork.value, fork.pc);
            if (status.code != BASE_NOT_FOUND) {
                return status;
            }
            break;
        }
        case SAGA_FORK_TRY:
        case SAGA_FORK_LEAVE:
        default:
            break;
        }
    }
    return base_status_of(BASE_NOT_FOUND);
}

/* An error: to the newest try that is still open, with the error in its register; else the status
 * is the outcome. */
static base_status catch_error(saga_machine *machine, base_status status, uint32_t *pc_out)
{
    while (machine->fork_count > 0) {
        BASE_TRY(saga_machine_spend(machine, 1));
        const saga_fork *fork = &machine->forks[--machine->fork_count];
        if (fork->kind == SAGA_FORK_LEAVE) {
            machine->fork_count = fork->index; /* that try was left before the error */
        } else if (fork->kind == SAGA_FORK_TRY) {
            const saga_instr *instr = &machine->expr->code[fork->pc];
            machine->path = fork->path;
            machine->at = fork->at;
            machine->registers[instr->dst] = machine->error;
            *pc_out = instr->target;
            return base_ok();
        }
    }
    return status;
}

static base_status leave_try(saga_machine *machine, const saga_instr *instr, uint32_t pc)
{
    const size_t number = (size_t)machine->registers[instr->c].integer;
    if (machine->fork_count == number + 1) {
        machine->fork_count = number; /* nothing in the body can go on: the try is over */
        return base_ok();
    }
    saga_fork *fork;
    BASE_TRY(fork_push(machine, SAGA_FORK_LEAVE, pc, &fork));
    fork->index = number;
    return base_ok();
}

/* Instructions that fork. */
static base_status run_fork(saga_machine *machine, const saga_instr *instr, uint32_t pc)
{
    saga_fork *fork;
    switch (instr->op) {
    case SAGA_OP_FORK:
        return fork_push(machine, SAGA_FORK_PLAIN, pc, &fork);
    case SAGA_OP_TRY:
        machine->registers[instr->c] = base_value_integer((int64_t)machine->fork_count);
        return fork_push(machine, SAGA_FORK_TRY, pc, &fork);
    case SAGA_OP_LEAVE:
        return leave_try(machine, instr, pc);
    case SAGA_OP_EACH:
    case SAGA_OP_STEP_EACH:
        return each_begin(machine, instr, pc);
    case SAGA_OP_RECURSE:
    case SAGA_OP_STEP_RECURSE:
        return recurse_begin(machine, instr, pc);
    case SAGA_OP_RANGE:
        return range_begin(machine, instr, pc);
    default:
        return saga_run_plain(machine, instr);
    }
}

/* Most guards compare integers. */
static bool integers_compare(saga_binary op, int64_t a, int64_t b)
{
    switch (op) {
    case SAGA_BINARY_EQUAL:
        return a == b;
    case SAGA_BINARY_NOT_EQUAL:
        return a != b;
    case SAGA_BINARY_LESS:
        return a < b;
    case SAGA_BINARY_LESS_EQUAL:
        return a <= b;
    case SAGA_BINARY_GREATER:
        return a > b;
    case SAGA_BINARY_GREATER_EQUAL:
    case SAGA_BINARY_ADD:
    case SAGA_BINARY_SUBTRACT:
    case SAGA_BINARY_MULTIPLY:
    case SAGA_BINARY_DIVIDE:
    case SAGA_BINARY_MODULO:
    default:
        return a >= b;
    }
}

static inline base_status binary(saga_machine *machine, const saga_instr *instr)
{
    const base_value *a = saga_operand(machine, instr->a);
    const base_value *b = saga_operand(machine, instr->b);
    base_value value = {.kind = BASE_BOOL};
    if (instr->sub >= SAGA_BINARY_EQUAL && a->kind == BASE_INTEGER && b->kind == BASE_INTEGER) {
        value.truth = integers_compare((saga_binary)instr->sub, a->integer, b->integer);
    } else {
        BASE_TRY(saga_binary_run(machine, (saga_binary)instr->sub, a, b, &value));
    }
    machine->registers[instr->dst] = value;
    return base_ok();
}

/* What the frequent instructions do is here; a failed status is an error, a way back, or the end.
 */
static inline base_status run_one(saga_machine *machine, const saga_instr *instr, uint32_t *pc)
{
    base_value *registers = machine->registers;
    switch (instr->op) {
    case SAGA_OP_MOVE:
        registers[instr->dst] = *saga_operand(machine, instr->a);
        break;
    case SAGA_OP_FIELD:
        BASE_TRY(field_get(machine, instr));
        break;
    case SAGA_OP_BINARY:
        BASE_TRY(binary(machine, instr));
        break;
    case SAGA_OP_TRUTH:
        registers[instr->dst] = base_value_bool(saga_is_true(saga_operand(machine, instr->a)));
        break;
    case SAGA_OP_JUMP:
        *pc = instr->target;
        return base_ok();
    case SAGA_OP_UNLESS:
        *pc = saga_is_true(saga_operand(machine, instr->a)) ? *pc + 1 : instr->target;
        return base_ok();
    case SAGA_OP_MARK:
        registers[instr->dst] = base_value_integer((int64_t)machine->fork_count);
        break;
    case SAGA_OP_CUT:
        machine->fork_count = (size_t)saga_operand(machine, instr->a)->integer;
        break;
    case SAGA_OP_BACK:
        return base_status_of(BASE_NOT_FOUND);
    default:
        BASE_TRY(run_fork(machine, instr, *pc));
        break;
    }
    (*pc)++;
    return base_ok();
}

base_status saga_machine_next(saga_machine *machine, bool again, base_value *value_out)
{
    const saga_instr *code = machine->expr->code;
    uint32_t pc = 0;
    base_status status = again ? base_status_of(BASE_NOT_FOUND) : base_ok();
    bool optional = false;
    for (;;) {
        while (base_failed(status)) {
            if (status.code == BASE_NOT_FOUND ||
                (optional && catchable(status) && status.code != BASE_REFUSED)) {
                status = go_back(machine, &pc);
            } else if (catchable(status)) {
                status = catch_error(machine, status, &pc);
            } else {
                return status;
            }
            optional = false;
            if (base_failed(status) && machine->fork_count == 0) {
                return status;
            }
        }
        if (machine->steps == 0) {
            return base_status_of(BASE_BUDGET);
        }
        machine->steps--;
        const saga_instr *instr = &code[pc];
        if (instr->op == SAGA_OP_RETURN) {
            *value_out = *saga_operand(machine, instr->a);
            return base_ok();
        }
        status = run_one(machine, instr, &pc);
        optional = instr->optional;
    }
}

base_status saga_machine_init(saga_machine *machine, const saga_expr *expr, const base_value *input,
                              const base_value *const *values, saga_expr_limits limits,
                              base_arena *arena)
{
    const size_t memory = limits.memory == 0 ? SAGA_EXPR_MEMORY_DEFAULT : limits.memory;
    *machine = (saga_machine){
        .expr = expr,
        .arena = arena,
        .steps = limits.steps == 0 ? SAGA_EXPR_STEPS_DEFAULT : limits.steps,
        .memory_end = memory > SIZE_MAX - arena->used_size ? SIZE_MAX : arena->used_size + memory,
    };
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, expr->register_count, sizeof(base_value), &block));
    machine->registers = block;
    if (expr->save_count > 0) {
        BASE_TRY(saga_machine_array(machine, expr->save_count, sizeof(saga_save), &block));
        machine->saves = block;
    }
    machine->registers[0] = *input;
    for (uint32_t i = 0; i < expr->variable_count; i++) {
        if (expr->uses[i].used) {
            machine->registers[1 + i] = values[i] != NULL ? *values[i] : base_value_null();
        }
    }
    return base_ok();
}
