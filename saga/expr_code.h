/*
 * Inside of saga/expr*.c: the code a text is compiled into, and the machine that runs it.
 *
 * A register machine with backtracking. An instruction reads operands and writes one register;
 * there are no jumps backwards: a generator leaves a fork behind, and to go on with its next value
 * is to go back to the fork. So an instruction runs again only after the machine went back past
 * everything that came later, and a register written before a fork is still there when the fork is
 * taken up again. Nothing has to be saved but the fork itself. (Registers that are meant to survive
 * going back, as the state of reduce, are written on purpose by more than one instruction and
 * copied before use.)
 *
 *   .[] | select(.a > 1)      0 EACH   r1 = .      (leaves a fork while items are left)
 *                             1 FIELD  r2 = r1.a
 *                             2 BINARY r3 = r2 > 1
 *                             3 UNLESS r3 -> 5
 *                             4 RETURN r1           (the caller wants more: back to the newest
 *                                                   fork)
 *                             5 BACK                (to the newest fork; none: no more values)
 *
 * Paths (for assignment, path(f), del(f)) are followed as jq does it: two registers of the machine
 * hold the path so far and the value it leads to; the code of a path expression uses instructions
 * that step both, and refuses to step from a value that is not the one the path leads to.
 * Everything a path expression only looks at is ordinary code.
 */
#ifndef SAGA_EXPR_CODE_H
#define SAGA_EXPR_CODE_H

#include "saga/expr.h"
#include "saga/expr_node.h"

/* ---- code ---- */
typedef enum saga_op {
    SAGA_OP_MOVE,       /* dst = a */
    SAGA_OP_FIELD,      /* dst = a[b], b a constant string */
    SAGA_OP_INDEX,      /* dst = a[b] */
    SAGA_OP_SLICE,      /* dst = a[b:c] */
    SAGA_OP_EACH,       /* dst = each of a; fork */
    SAGA_OP_RECURSE,    /* dst = a and all below; fork */
    SAGA_OP_STEP_INDEX, /* the same four, following the path */
    SAGA_OP_STEP_SLICE,
    SAGA_OP_STEP_EACH,
    SAGA_OP_STEP_RECURSE,
    SAGA_OP_STEP_GETPATH, /* dst = getpath of a by b, following the path */
    SAGA_OP_PATH_BEGIN,   /* save the path in save c; start anew at a */
    SAGA_OP_PATH_END,     /* dst = path to a as a list; restore save c */
    SAGA_OP_JUMP,
    SAGA_OP_UNLESS, /* jump when a is null or false */
    SAGA_OP_FORK,   /* go on; when back here, go to target */
    SAGA_OP_BACK,   /* to the newest fork */
    SAGA_OP_TRY, /* a fork that catches: to target with the error in dst; c: register for the fork's
                    number */
    SAGA_OP_LEAVE, /* end of the try whose fork number is in register c */
    SAGA_OP_MARK,  /* dst = number of forks */
    SAGA_OP_CUT,   /* forget the forks made since mark a */
    SAGA_OP_TRUTH, /* dst = whether a is neither null nor false */
    SAGA_OP_BINARY,
    SAGA_OP_NEGATE,
    SAGA_OP_LIST_BEGIN, /* dst = a list to push to */
    SAGA_OP_LIST_PUSH,  /* dst, a */
    SAGA_OP_LIST_END,   /* dst = the finished list */
    SAGA_OP_KEY_CHECK,  /* error unless a is a string */
    SAGA_OP_MAP,        /* dst = map of c pairs of operands at b */
    SAGA_OP_STRING,     /* dst = c parts of operands at b, formatted by sub */
    SAGA_OP_CALL,       /* dst = native sub of a with b, c */
    SAGA_OP_NEW,        /* dst = setpath(dst; a; b); owner in save c */
    SAGA_OP_ERROR,      /* raise a */
    SAGA_OP_LIMIT,      /* dst = how many more of a; back when none */
    SAGA_OP_LIMIT_STEP, /* one value of the limit in b passed; cut to mark a at the last */
    SAGA_OP_NTH,        /* dst = how many to pass over */
    SAGA_OP_NTH_STEP,   /* back unless it is the one; then cut to mark a */
    SAGA_OP_RANGE,      /* dst = a, a + c, ... while before b; fork */
    SAGA_OP_RETURN      /* a is an output */
} saga_op;

typedef struct saga_instr {
    uint8_t op;
    uint8_t sub;
    bool optional;
    uint32_t target;
    int32_t dst;
    int32_t a; /* an operand: a register, or ~n for constant n */
    int32_t b;
    int32_t c;
} saga_instr;

typedef struct saga_variable_use {
    bool used;
    bool whole; /* used other than by $name.literal */
    base_slice *names;
    size_t count;
    size_t capacity;
} saga_variable_use;

struct saga_expr {
    base_slice source;
    const saga_instr *code;
    const base_value *constants;
    const int32_t *operands;
    size_t code_count;
    size_t constant_count;
    uint32_t register_count; /* 0: input; 1...: variables that were handed in; then the rest */
    uint32_t save_count;
    uint32_t variable_count;
    bool uses_input;
    saga_variable_use *uses;
};

base_status saga_expr_generate(const saga_tree *tree, size_t variable_count, base_arena *arena,
                               saga_expr *expr, base_error *error) BASE_MUST_USE;

/* ---- the machine ---- */
typedef struct saga_path {
    const struct saga_path *parent; /* NULL: key is the first */
    uint32_t length;
    base_value key;
} saga_path;

typedef enum saga_fork_kind {
    SAGA_FORK_PLAIN,
    SAGA_FORK_EACH,
    SAGA_FORK_RECURSE,
    SAGA_FORK_RANGE,
    SAGA_FORK_TRY,
    SAGA_FORK_LEAVE
} saga_fork_kind;

typedef struct saga_fork {
    uint8_t kind;
    uint32_t pc;      /* the instruction that made it */
    size_t index;     /* EACH, RECURSE: next item; LEAVE: number of the try's fork */
    base_value value; /* EACH, RECURSE: what is iterated; RANGE: next number */
    const saga_path *path;
    base_value at;
} saga_fork;

/* What an assignment in progress has copied already, by depth of its paths: `.lines[].qty += 1`
 * copies the list of lines once, not once a line. Block n is the list or map at depth n of the
 * newest path as this assignment made it; nobody else holds it, and those before it lead to it. An
 * expression that is shown a block (the old value at a path) can keep it only in what is then put
 * at that very path, and with that the blocks from there on are forgotten. */
#define SAGA_OWNER_DEPTH_MAX 8
typedef struct saga_owner {
    const void *blocks[SAGA_OWNER_DEPTH_MAX];
    size_t count;
} saga_owner;

typedef struct saga_save {
    const saga_path *path;
    base_value at;
    saga_owner owner;
} saga_save;

/* The last few lists, maps or strings that were made by adding to another one. When such a value is
 * added to again and its block has room, the new part is written behind it: the old value does not
 * change, as it knows its own size. So building in a loop costs what is added, not what is there
 * already. */
#define SAGA_TAIL_COUNT 4
typedef struct saga_tail {
    void *block;
    size_t size; /* bytes used; only a value that ends exactly there may grow in place */
    size_t capacity;
} saga_tail;

typedef struct saga_machine {
    const saga_expr *expr;
    base_arena *arena;
    base_value *registers;
    saga_fork *forks;
    size_t fork_count;
    size_t fork_capacity;
    saga_save *saves;
    const saga_path *path;
    base_value at;
    uint64_t steps;    /* left */
    size_t memory_end; /* bound on the arena's used_size */
    base_value error;  /* what was raised */
    bool built;        /* a list or map was made, so the result may be too deep */
    uint32_t tail_next;
    saga_tail tails[SAGA_TAIL_COUNT];
} saga_machine;

base_status saga_machine_init(saga_machine *machine, const saga_expr *expr, const base_value *input,
                              const base_value *const *values, saga_expr_limits limits,
                              base_arena *arena) BASE_MUST_USE;
/* Runs to the next output. BASE_NOT_FOUND when there is none. `again` is false the first time. */
base_status saga_machine_next(saga_machine *machine, bool again,
                              base_value *value_out) BASE_MUST_USE;

/* expr_step.c: an instruction that neither jumps nor forks. BASE_NOT_FOUND: go back. */
base_status saga_run_plain(saga_machine *machine, const saga_instr *instr) BASE_MUST_USE;
/* Is this the very value that the path leads to? */
bool saga_is_same(const base_value *a, const base_value *b);
/* Makes the path one key longer; it leads to `value` now. */
base_status saga_path_step(saga_machine *machine, const base_value *key,
                           const base_value *value) BASE_MUST_USE;
/* "Invalid path expression TEXT VALUE". */
base_status saga_off_path(saga_machine *machine, const char *text,
                          const base_value *value) BASE_MUST_USE;

/* ---- what the operations use. A failed status with class INPUT, or BASE_OVERFLOW, is an error
 * that the expression may catch, and machine->error holds it; any other ends the evaluation. ----
 */
static inline const base_value *saga_operand(const saga_machine *machine, int32_t operand)
{
    return operand >= 0 ? &machine->registers[operand] : &machine->expr->constants[~operand];
}

static inline bool saga_is_container(const base_value *value)
{
    return value->kind == BASE_LIST || value->kind == BASE_MAP;
}

/* jq's truth, as saga_truthy. */
static inline bool saga_is_true(const base_value *value)
{
    return value->kind != BASE_NULL && (value->kind != BASE_BOOL || value->truth);
}

/* jq's name of the value's kind. */
static inline const char *saga_kind_name(const base_value *value)
{
    return base_kind_name((base_kind)value->kind);
}

/* Takes steps from the budget: one for each item looked at, beyond those of the instructions. */
static inline base_status saga_machine_spend(saga_machine *machine, size_t steps)
{
    if (machine->steps < steps) {
        machine->steps = 0;
        return base_status_of(BASE_BUDGET);
    }
    machine->steps -= steps;
    return base_ok();
}

/* Memory of the evaluation; the out pointer is set on success only. */
base_status saga_machine_alloc(saga_machine *machine, size_t size, void **block_out) BASE_MUST_USE;
base_status saga_machine_array(saga_machine *machine, size_t count, size_t item_size,
                               void **block_out) BASE_MUST_USE;
/* Makes `old_size` bytes at `block` longer by `more` bytes, in place where that is safe (see
 * saga_tail). */
base_status saga_machine_extend(saga_machine *machine, const void *block, size_t old_size,
                                size_t more, void **block_out) BASE_MUST_USE;
/* BASE_BUDGET once an allocation made by base/ went past the bound. */
base_status saga_machine_check_memory(const saga_machine *machine) BASE_MUST_USE;

/* Raises a value / a text. The text is in the arena; an empty one with data NULL means out of
 * memory. */
base_status saga_raise(saga_machine *machine, const base_value *error) BASE_MUST_USE;
base_status saga_raise_text(saga_machine *machine, base_code code, base_slice text) BASE_MUST_USE;
#define SAGA_RAISE(machine, ...)                                                                   \
    saga_raise_text((machine), BASE_BAD_INPUT, base_arena_print((machine)->arena, __VA_ARGS__))
/* jq's texts: `number (1) cannot be ...` and `number (1) and string ("a") cannot be ...`. */
base_status saga_raise_one(saga_machine *machine, const base_value *bad,
                           const char *text) BASE_MUST_USE;
base_status saga_raise_two(saga_machine *machine, const base_value *a, const base_value *b,
                           const char *text) BASE_MUST_USE;
/* At most `size_max` bytes of the value as JSON, cut as jq cuts it, in the arena. */
base_status saga_value_brief(saga_machine *machine, const base_value *value, size_t size_max,
                             base_slice *text_out) BASE_MUST_USE;

/* expr_math.c */
base_status saga_binary_run(saga_machine *machine, saga_binary op, const base_value *a,
                            const base_value *b, base_value *out) BASE_MUST_USE;
base_status saga_add(saga_machine *machine, const base_value *a, const base_value *b,
                     base_value *out) BASE_MUST_USE;
base_status saga_negate(saga_machine *machine, const base_value *a, base_value *out) BASE_MUST_USE;
/* A number cut to an integer toward zero, past the ends of int64 to the ends. */
int64_t saga_integer_of(const base_value *number);
bool saga_number_negative(const base_value *number);
bool saga_number_zero(const base_value *number);

/* expr_order.c */
base_status saga_compare(saga_machine *machine, const base_value *a, const base_value *b,
                         int *out) BASE_MUST_USE;
/* Order of the values' indexes by keys, stable. */
base_status saga_sort_order(saga_machine *machine, const base_value *keys, size_t count,
                            uint32_t **order_out) BASE_MUST_USE;
base_status saga_contains(saga_machine *machine, const base_value *a, const base_value *b,
                          bool *out) BASE_MUST_USE;
/* Nesting within BASE_VALUE_DEPTH_MAX and size within the budget, so that any walker may have the
 * value. */
base_status saga_check_depth(saga_machine *machine, const base_value *value,
                             bool *fits_out) BASE_MUST_USE;

/* expr_path.c */
#define SAGA_MAP_SCAN_MAX 64 /* to look through so many members is one step */
const base_value *saga_map_find(const base_value *map, base_slice key);
base_status saga_index(saga_machine *machine, const base_value *container, const base_value *key,
                       base_value *out) BASE_MUST_USE;
base_status saga_slice(saga_machine *machine, const base_value *container, const base_value *from,
                       const base_value *to, base_value *out) BASE_MUST_USE;
base_status saga_slice_key(saga_machine *machine, const base_value *from, const base_value *to,
                           base_value *out) BASE_MUST_USE;
base_status saga_path_get(saga_machine *machine, const base_value *root, const base_value *path,
                          base_value *out) BASE_MUST_USE;
/* owner may be NULL. */
base_status saga_path_set(saga_machine *machine, const base_value *root, const base_value *path,
                          const base_value *value, saga_owner *owner,
                          base_value *out) BASE_MUST_USE;
base_status saga_path_delete(saga_machine *machine, const base_value *root, const base_value *paths,
                             base_value *out) BASE_MUST_USE;
base_status saga_map_put(saga_machine *machine, const base_value *map, base_slice key,
                         const base_value *value, base_value *out) BASE_MUST_USE;
/* Is it a large map without index that saga_map_put made? (`exponent` means nothing else to a map.)
 */
#define SAGA_MAP_GROWN 1
static inline bool saga_map_is_grown(const base_value *value)
{
    return value->kind == BASE_MAP && value->exponent == SAGA_MAP_GROWN;
}

/* expr_text.c, expr_json.c */
typedef struct saga_text {
    saga_machine *machine;
    char *data;
    size_t size;
    size_t capacity;
} saga_text;
base_status saga_text_put(saga_text *text, base_slice bytes) BASE_MUST_USE;
base_status saga_text_put_char(saga_text *text, char byte) BASE_MUST_USE;
base_value saga_text_value(const saga_text *text);
/* Code points of valid UTF-8; the length in bytes of the one that starts with `lead`. */
size_t saga_utf8_count(base_slice text);
size_t saga_utf8_length(char lead);
/* Byte offset of code point `index`, at most the size. */
size_t saga_utf8_offset(base_slice text, size_t index);
/* Where the part is, from byte `from` on; SIZE_MAX: not there. */
base_status saga_find_bytes(saga_machine *machine, base_slice text, size_t from, base_slice part,
                            size_t *at_out) BASE_MUST_USE;
base_status saga_format_run(saga_machine *machine, saga_format format, const base_value *value,
                            base_value *out) BASE_MUST_USE;
base_status saga_split(saga_machine *machine, base_slice text, base_slice separator,
                       base_value *out) BASE_MUST_USE;
base_status saga_to_string(saga_machine *machine, const base_value *value,
                           base_value *out) BASE_MUST_USE;
/* Writes JSON until `size_max` bytes are there; then stops with success. */
base_status saga_json_write(saga_text *text, const base_value *value,
                            size_t size_max) BASE_MUST_USE;
base_status saga_json_read(saga_machine *machine, base_slice json, base_value *out) BASE_MUST_USE;
base_status saga_base64_write(saga_text *text, base_slice bytes) BASE_MUST_USE;

/* ---- native functions: of the input and up to two arguments ---- */
/* clang-format off */
#define SAGA_NATIVE_LIST(X)                                                                        \
    X(LENGTH, length)                                                                              \
    X(UTF8_LENGTH, utf8_length)                                                                    \
    X(NOT, not)                                                                                    \
    X(KEYS, keys)                                                                                  \
    X(KEYS_UNSORTED, keys_unsorted)                                                                \
    X(HAS, has)                                                                                    \
    X(CONTAINS, contains)                                                                          \
    X(ADD, add_all)                                                                                \
    X(FLATTEN, flatten)                                                                            \
    X(MIN, min)                                                                                    \
    X(MAX, max)                                                                                    \
    X(MIN_BY, min_by)                                                                              \
    X(MAX_BY, max_by)                                                                              \
    X(SORT, sort)                                                                                  \
    X(SORT_BY, sort_by)                                                                            \
    X(GROUP_BY, group_by)                                                                          \
    X(INDICES, indices)                                                                            \
    X(STARTSWITH, startswith)                                                                      \
    X(ENDSWITH, endswith)                                                                          \
    X(LTRIMSTR, ltrimstr)                                                                          \
    X(RTRIMSTR, rtrimstr)                                                                          \
    X(TRIM, trim)                                                                                  \
    X(LTRIM, ltrim)                                                                                \
    X(RTRIM, rtrim)                                                                                \
    X(SPLIT, split_function)                                                                       \
    X(JOIN, join)                                                                                  \
    X(DOWNCASE, downcase)                                                                          \
    X(UPCASE, upcase)                                                                              \
    X(TOSTRING, tostring)                                                                          \
    X(TONUMBER, tonumber)                                                                          \
    X(TYPE, type)                                                                                  \
    X(TOJSON, tojson)                                                                              \
    X(FROMJSON, fromjson)                                                                          \
    X(TO_ENTRIES, to_entries)                                                                      \
    X(REVERSE, reverse)                                                                            \
    X(FLOOR, floor)                                                                                \
    X(CEIL, ceil)                                                                                  \
    X(ROUND, round)                                                                                \
    X(FABS, fabs)                                                                                  \
    X(TRUNC, trunc)                                                                                \
    X(TODATE, todate)                                                                              \
    X(FROMDATE, fromdate)                                                                          \
    X(GETPATH, getpath)                                                                            \
    X(SETPATH, setpath)                                                                            \
    X(DELPATHS, delpaths)                                                                          \
    X(EXPLODE, explode)                                                                            \
    X(IMPLODE, implode)                                                                            \
    X(TOBOOLEAN, toboolean)
/* clang-format on */

typedef enum saga_native {
#define X(name, function) SAGA_NATIVE_##name,
    SAGA_NATIVE_LIST(X)
#undef X
        SAGA_NATIVE_COUNT
} saga_native;

typedef base_status (*saga_native_call)(saga_machine *machine, const base_value *input,
                                        const base_value *b, const base_value *c, base_value *out);

#define X(name, function)                                                                          \
    base_status saga_native_##function(saga_machine *machine, const base_value *input,             \
                                       const base_value *b, const base_value *c, base_value *out)  \
        BASE_MUST_USE;
SAGA_NATIVE_LIST(X)
#undef X

/* expr_native.c: by saga_native. */
extern const saga_native_call saga_natives[SAGA_NATIVE_COUNT];

#endif
