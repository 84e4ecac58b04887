/* Operators: jq's meaning for each pair of kinds. Numbers are base/'s exact ones. */
#include "saga/expr_code.h"

#define REPEAT_SIZE_MAX ((size_t)1 << 30)

bool saga_number_negative(const base_value *number)
{
    if (number->kind == BASE_NUMBER_TEXT) {
        return number->size > 0 && number->bytes[0] == '-';
    }
    return number->integer < 0;
}

bool saga_number_zero(const base_value *number)
{
    const base_value zero = base_value_integer(0);
    return number->kind == BASE_NUMBER_TEXT ? base_number_compare(number, &zero) == 0
                                            : number->integer == 0;
}

/* Of a number with too many digits for a decimal: the integer next to it toward zero, by halving.
 */
static int64_t integer_of_text(const base_value *number)
{
    const bool negative = saga_number_negative(number);
    int64_t low = 0;
    int64_t high = INT64_MAX;
    while (low < high) {
        const int64_t middle = high - (high - low) / 2;
        const base_value probe = base_value_integer(negative ? -middle : middle);
        const int order = base_number_compare(&probe, number);
        if (negative ? order >= 0 : order <= 0) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return negative ? -low : low;
}

int64_t saga_integer_of(const base_value *number)
{
    if (number->kind == BASE_INTEGER) {
        return number->integer;
    }
    if (number->kind == BASE_NUMBER_TEXT) {
        return integer_of_text(number);
    }
    const bool negative = saga_number_negative(number);
    base_value whole;
    const base_status status =
        negative ? base_number_ceil(number, &whole) : base_number_floor(number, &whole);
    if (!base_failed(status) && whole.kind == BASE_INTEGER) {
        return whole.integer;
    }
    return negative ? INT64_MIN : INT64_MAX;
}

/* What base/ refuses becomes an error with jq's shape of text. */
static base_status number_error(saga_machine *machine, base_status status, const base_value *a,
                                const base_value *b, const char *verb)
{
    const char *why = "because the result is out of range";
    if (status.code == BASE_UNSUPPORTED) {
        why = "because numbers of more than 18 digits cannot be computed with";
    } else if (status.code == BASE_BAD_INPUT) {
        why = "because the divisor is zero";
    }
    const base_slice text = base_arena_print(machine->arena, "cannot be %s %s", verb, why);
    if (text.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    const base_status raised = saga_raise_two(machine, a, b, text.data);
    return raised.code == BASE_BAD_INPUT ? status : raised;
}

static base_status add_strings(saga_machine *machine, const base_value *a, const base_value *b,
                               base_value *out)
{
    if (a->size == 0 || b->size == 0) {
        *out = a->size == 0 ? *b : *a;
        return base_ok();
    }
    void *block = NULL;
    BASE_TRY(saga_machine_extend(machine, a->bytes, a->size, b->size, &block));
    char *bytes = block;
    memmove(bytes + a->size, b->bytes, b->size);
    *out = base_value_string(base_slice_make(bytes, a->size + b->size));
    return base_ok();
}

static base_status add_lists(saga_machine *machine, const base_value *a, const base_value *b,
                             base_value *out)
{
    if (a->size == 0 || b->size == 0) {
        *out = a->size == 0 ? *b : *a;
        return base_ok();
    }
    void *block = NULL;
    BASE_TRY(saga_machine_spend(machine, b->size / 8));
    BASE_TRY(saga_machine_extend(machine, a->items, a->size * sizeof(base_value),
                                 b->size * sizeof(base_value), &block));
    base_value *items = block;
    memmove(items + a->size, b->items, b->size * sizeof(base_value));
    *out = base_value_list(items, a->size + b->size);
    machine->built = true;
    return base_ok();
}

static base_status add_maps(saga_machine *machine, const base_value *a, const base_value *b,
                            base_value *out)
{
    if (a->size == 0 || b->size == 0) {
        *out = a->size == 0 ? *b : *a;
        return base_ok();
    }
    if (b->size == 1) {
        return saga_map_put(machine, a, b->members[0].key, &b->members[0].value, out);
    }
    BASE_TRY(saga_machine_spend(machine, a->size + b->size));
    base_map_builder builder;
    base_map_begin(&builder, machine->arena);
    for (size_t i = 0; i < a->size; i++) {
        BASE_TRY(base_map_put(&builder, a->members[i].key, &a->members[i].value));
    }
    BASE_TRY(saga_machine_check_memory(machine));
    for (size_t i = 0; i < b->size; i++) {
        BASE_TRY(base_map_put(&builder, b->members[i].key, &b->members[i].value));
    }
    *out = base_map_end(&builder);
    machine->built = true;
    return saga_machine_check_memory(machine);
}

base_status saga_add(saga_machine *machine, const base_value *a, const base_value *b,
                     base_value *out)
{
    if (a->kind == BASE_NULL || b->kind == BASE_NULL) {
        *out = a->kind == BASE_NULL ? *b : *a;
        return base_ok();
    }
    if (base_value_is_number(a) && base_value_is_number(b)) {
        const base_status status = base_number_add(a, b, out);
        return base_failed(status) ? number_error(machine, status, a, b, "added") : status;
    }
    if (a->kind == b->kind) {
        if (a->kind == BASE_STRING) {
            return add_strings(machine, a, b, out);
        }
        if (a->kind == BASE_LIST) {
            return add_lists(machine, a, b, out);
        }
        if (a->kind == BASE_MAP) {
            return add_maps(machine, a, b, out);
        }
    }
    return saga_raise_two(machine, a, b, "cannot be added");
}

static base_status subtract_lists(saga_machine *machine, const base_value *a, const base_value *b,
                                  base_value *out)
{
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, a->size, sizeof(base_value), &block));
    base_value *items = block;
    size_t count = 0;
    for (size_t i = 0; i < a->size; i++) {
        bool found = false;
        for (size_t j = 0; j < b->size && !found; j++) {
            int order;
            BASE_TRY(saga_compare(machine, &a->items[i], &b->items[j], &order));
            found = order == 0;
        }
        if (!found) {
            items[count++] = a->items[i];
        }
    }
    *out = base_value_list(items, count);
    machine->built = true;
    return base_ok();
}

static base_status subtract(saga_machine *machine, const base_value *a, const base_value *b,
                            base_value *out)
{
    if (base_value_is_number(a) && base_value_is_number(b)) {
        const base_status status = base_number_subtract(a, b, out);
        return base_failed(status) ? number_error(machine, status, a, b, "subtracted") : status;
    }
    if (a->kind == BASE_LIST && b->kind == BASE_LIST) {
        return subtract_lists(machine, a, b, out);
    }
    return saga_raise_two(machine, a, b, "cannot be subtracted");
}

base_status saga_negate(saga_machine *machine, const base_value *a, base_value *out)
{
    if (!base_value_is_number(a)) {
        return saga_raise_one(machine, a, "cannot be negated");
    }
    const base_value zero = base_value_integer(0);
    const base_status status = base_number_subtract(&zero, a, out);
    return base_failed(status) ? number_error(machine, status, &zero, a, "subtracted") : status;
}

static base_status repeat(saga_machine *machine, const base_value *text, const base_value *number,
                          base_value *out)
{
    if (saga_number_negative(number)) {
        *out = base_value_null();
        return base_ok();
    }
    const uint64_t count = (uint64_t)saga_integer_of(number);
    if (count == 0 || text->size == 0) {
        *out = base_value_string(base_slice_make("", 0));
        return base_ok();
    }
    if (count > REPEAT_SIZE_MAX / text->size) {
        return base_status_of(BASE_BUDGET);
    }
    void *block = NULL;
    BASE_TRY(saga_machine_spend(machine, count / 8));
    BASE_TRY(saga_machine_alloc(machine, (size_t)count * text->size, &block));
    char *bytes = block;
    for (uint64_t i = 0; i < count; i++) {
        memcpy(bytes + i * text->size, text->bytes, text->size);
    }
    *out = base_value_string(base_slice_make(bytes, (size_t)count * text->size));
    return base_ok();
}

/* Deep merge with a stack of its own: where both sides hold a map under a key, those are merged in
 * turn. */
typedef struct merge_frame {
    base_map_builder builder;
    const base_value *b;
    size_t index;
} merge_frame;

static base_status merge_open(saga_machine *machine, merge_frame *frame, const base_value *a,
                              const base_value *b)
{
    BASE_TRY(saga_machine_spend(machine, a->size + b->size + 1));
    BASE_TRY(saga_machine_check_memory(machine));
    *frame = (merge_frame){.b = b};
    base_map_begin(&frame->builder, machine->arena);
    for (size_t i = 0; i < a->size; i++) {
        BASE_TRY(base_map_put(&frame->builder, a->members[i].key, &a->members[i].value));
    }
    return base_ok();
}

static const base_value *merged_so_far(const merge_frame *frame, base_slice key)
{
    /* Keys of b are met once each, so what stands there is still a's. */
    for (size_t i = 0; i < frame->builder.count; i++) {
        if (base_slice_equal(frame->builder.members[i].key, key)) {
            return &frame->builder.members[i].value;
        }
    }
    return NULL;
}

static base_status merge_maps(saga_machine *machine, const base_value *a, const base_value *b,
                              base_value *out)
{
    size_t capacity = 8;
    void *block = NULL;
    BASE_TRY(saga_machine_array(machine, capacity, sizeof(merge_frame), &block));
    merge_frame *frames = block;
    BASE_TRY(merge_open(machine, &frames[0], a, b));
    size_t count = 1;
    machine->built = true;
    for (;;) {
        merge_frame *frame = &frames[count - 1];
        if (frame->index == frame->b->size) {
            const base_value done = base_map_end(&frame->builder);
            if (--count == 0) {
                *out = done;
                return saga_machine_check_memory(machine);
            }
            frame = &frames[count - 1];
            BASE_TRY(base_map_put(&frame->builder, frame->b->members[frame->index].key, &done));
            frame->index++;
            continue;
        }
        const base_member *member = &frame->b->members[frame->index];
        const base_value *old = merged_so_far(frame, member->key);
        BASE_TRY(saga_machine_spend(machine, 1 + frame->builder.count / 16));
        if (old == NULL || old->kind != BASE_MAP || member->value.kind != BASE_MAP) {
            BASE_TRY(base_map_put(&frame->builder, member->key, &member->value));
            frame->index++;
            continue;
        }
        if (count == capacity) {
            BASE_TRY(saga_machine_array(machine, 2 * capacity, sizeof(merge_frame), &block));
            memcpy(block, frames, count * sizeof(merge_frame));
            frames = block;
            capacity *= 2;
        }
        const base_value inner = *old;
        BASE_TRY(merge_open(machine, &frames[count++], &inner, &member->value));
    }
}

static base_status multiply(saga_machine *machine, const base_value *a, const base_value *b,
                            base_value *out)
{
    const bool number_a = base_value_is_number(a);
    const bool number_b = base_value_is_number(b);
    if (number_a && number_b) {
        const base_status status = base_number_multiply(a, b, out);
        return base_failed(status) ? number_error(machine, status, a, b, "multiplied") : status;
    }
    if (a->kind == BASE_STRING && number_b) {
        return repeat(machine, a, b, out);
    }
    if (number_a && b->kind == BASE_STRING) {
        return repeat(machine, b, a, out);
    }
    if (a->kind == BASE_MAP && b->kind == BASE_MAP) {
        return merge_maps(machine, a, b, out);
    }
    return saga_raise_two(machine, a, b, "cannot be multiplied");
}

static base_status divide(saga_machine *machine, const base_value *a, const base_value *b,
                          base_value *out)
{
    if (base_value_is_number(a) && base_value_is_number(b)) {
        const base_status status = base_number_divide(a, b, out);
        return base_failed(status) ? number_error(machine, status, a, b, "divided") : status;
    }
    if (a->kind == BASE_STRING && b->kind == BASE_STRING) {
        return saga_split(machine, base_value_slice(a), base_value_slice(b), out);
    }
    return saga_raise_two(machine, a, b, "cannot be divided");
}

static base_status modulo(saga_machine *machine, const base_value *a, const base_value *b,
                          base_value *out)
{
    if (base_value_is_number(a) && base_value_is_number(b)) {
        const base_status status = base_number_modulo(a, b, out);
        return base_failed(status) ? number_error(machine, status, a, b, "divided (remainder)")
                                   : status;
    }
    return saga_raise_two(machine, a, b, "cannot be divided (remainder)");
}

static base_status order_of(saga_machine *machine, const base_value *a, const base_value *b,
                            int *out)
{
    if (a->kind == BASE_INTEGER && b->kind == BASE_INTEGER) {
        *out = (a->integer > b->integer) - (a->integer < b->integer);
        return base_ok();
    }
    return saga_compare(machine, a, b, out);
}

static base_status equal(saga_machine *machine, const base_value *a, const base_value *b, bool *out)
{
    if (a->kind == BASE_STRING && b->kind == BASE_STRING) {
        *out = a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
        return saga_machine_spend(machine, a->size / 64);
    }
    int order;
    BASE_TRY(order_of(machine, a, b, &order));
    *out = order == 0;
    return base_ok();
}

base_status saga_binary_run(saga_machine *machine, saga_binary op, const base_value *a,
                            const base_value *b, base_value *out)
{
    int order = 0;
    bool truth = false;
    switch (op) {
    case SAGA_BINARY_ADD:
        return saga_add(machine, a, b, out);
    case SAGA_BINARY_SUBTRACT:
        return subtract(machine, a, b, out);
    case SAGA_BINARY_MULTIPLY:
        return multiply(machine, a, b, out);
    case SAGA_BINARY_DIVIDE:
        return divide(machine, a, b, out);
    case SAGA_BINARY_MODULO:
        return modulo(machine, a, b, out);
    case SAGA_BINARY_EQUAL:
    case SAGA_BINARY_NOT_EQUAL:
        BASE_TRY(equal(machine, a, b, &truth));
        *out = base_value_bool(truth == (op == SAGA_BINARY_EQUAL));
        return base_ok();
    case SAGA_BINARY_LESS:
        BASE_TRY(order_of(machine, a, b, &order));
        truth = order < 0;
        break;
    case SAGA_BINARY_LESS_EQUAL:
        BASE_TRY(order_of(machine, a, b, &order));
        truth = order <= 0;
        break;
    case SAGA_BINARY_GREATER:
        BASE_TRY(order_of(machine, a, b, &order));
        truth = order > 0;
        break;
    case SAGA_BINARY_GREATER_EQUAL:
        BASE_TRY(order_of(machine, a, b, &order));
        truth = order >= 0;
        break;
    }
    *out = base_value_bool(truth);
    return base_ok();
}
