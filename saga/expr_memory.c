/* What the operations of the machine share: memory within bounds, and errors in jq's words. */
#include "saga/expr_code.h"

#define BRIEF_SIZE 14 /* jq's size for values in messages */

/* ---- memory ---- */
base_status saga_machine_check_memory(const saga_machine *machine)
{
    return machine->arena->used_size > machine->memory_end ? base_status_of(BASE_BUDGET)
                                                           : base_ok();
}

base_status saga_machine_alloc(saga_machine *machine, size_t size, void **block_out)
{
    const size_t used = machine->arena->used_size;
    if (used > machine->memory_end || size > machine->memory_end - used) {
        return base_status_of(BASE_BUDGET);
    }
    *block_out = base_arena_alloc(machine->arena, size);
    return *block_out == NULL ? base_status_of(BASE_OUT_OF_MEMORY) : base_ok();
}

base_status saga_machine_array(saga_machine *machine, size_t count, size_t item_size,
                               void **block_out)
{
    if (count > SIZE_MAX / 2 / item_size) {
        return base_status_of(BASE_BUDGET);
    }
    return saga_machine_alloc(machine, count * item_size, block_out);
}

base_status saga_machine_extend(saga_machine *machine, const void *block, size_t old_size,
                                size_t more, void **block_out)
{
    for (size_t i = 0; old_size > 0 && i < SAGA_TAIL_COUNT; i++) {
        saga_tail *tail = &machine->tails[i];
        if (tail->block == block && tail->size == old_size && tail->capacity - old_size >= more) {
            tail->size += more;
            *block_out = tail->block;
            return base_ok();
        }
    }
    if (more > SIZE_MAX / 4 || old_size > SIZE_MAX / 4) {
        return base_status_of(BASE_BUDGET);
    }
    const size_t size = old_size + more;
    /* Room for more only where the block was not the first of its kind: most values are made once.
     */
    const size_t capacity = old_size > more ? size + size / 2 : size;
    BASE_TRY(saga_machine_spend(machine, size / 64));
    void *copy = NULL;
    BASE_TRY(saga_machine_alloc(machine, capacity, &copy));
    if (old_size > 0) {
        memcpy(copy, block, old_size);
    }
    if (capacity > size) {
        machine->tails[machine->tail_next++ % SAGA_TAIL_COUNT] = (saga_tail){copy, size, capacity};
    }
    *block_out = copy;
    return base_ok();
}

/* ---- errors ---- */
base_status saga_raise(saga_machine *machine, const base_value *error)
{
    machine->error = *error;
    return base_status_of(BASE_BAD_INPUT);
}

base_status saga_raise_text(saga_machine *machine, base_code code, base_slice text)
{
    if (text.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    BASE_TRY(saga_machine_check_memory(machine));
    machine->error = base_value_string(text);
    return base_status_of(code);
}

base_status saga_value_brief(saga_machine *machine, const base_value *value, size_t size_max,
                             base_slice *text_out)
{
    saga_text text = {.machine = machine};
    BASE_TRY(saga_json_write(&text, value, size_max + 1));
    base_slice brief = base_slice_make(text.data, text.size);
    if (brief.size > size_max) {
        size_t end = size_max - 3;
        while (end > 0 && ((uint8_t)brief.data[end] & 0xc0) == 0x80) {
            end--;
        }
        brief = base_arena_print(machine->arena, "%.*s...", (int)end, brief.data);
        if (brief.data == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
    }
    *text_out = brief;
    return base_ok();
}

base_status saga_raise_one(saga_machine *machine, const base_value *bad, const char *text)
{
    base_slice brief;
    BASE_TRY(saga_value_brief(machine, bad, BRIEF_SIZE, &brief));
    return SAGA_RAISE(machine, "%s (%.*s) %s", saga_kind_name(bad), BASE_SLICE_ARG(brief), text);
}

base_status saga_raise_two(saga_machine *machine, const base_value *a, const base_value *b,
                           const char *text)
{
    base_slice brief_a;
    base_slice brief_b;
    BASE_TRY(saga_value_brief(machine, a, BRIEF_SIZE, &brief_a));
    BASE_TRY(saga_value_brief(machine, b, BRIEF_SIZE, &brief_b));
    return SAGA_RAISE(machine, "%s (%.*s) and %s (%.*s) %s", saga_kind_name(a),
                      BASE_SLICE_ARG(brief_a), saga_kind_name(b), BASE_SLICE_ARG(brief_b), text);
}
