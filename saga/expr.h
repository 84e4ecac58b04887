/*
 * Expressions: the part of jq that the saga language needs (docs/saga-language.md, A.1), compiled
 * once, evaluated by a bounded machine. What it accepts means what jq means; numbers are exact
 * (base/value.h), so where jq rounds through doubles the results differ (docs/expressions.md lists
 * the differences).
 *
 * It refuses what is not repeatable or may not end (now, env, input, while, user def, ...: check
 * E105) and what is not built yet, by name. Pure: no clock, no input but the values handed in;
 * steps and memory are bounded per evaluation.
 */
#ifndef SAGA_EXPR_H
#define SAGA_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/value.h"

#define SAGA_EXPR_SIZE_MAX 16384                            /* bytes of source text */
#define SAGA_EXPR_STEPS_DEFAULT 1000000                     /* machine steps per evaluation */
#define SAGA_EXPR_MEMORY_DEFAULT ((size_t)16 * 1024 * 1024) /* bytes per evaluation */

typedef struct saga_expr saga_expr; /* immutable; lives in the arena it was compiled into */

/* Compiles. `variables` are the names that may be used as $name, without the dollar sign; the index
 * of a name is the index of its value at evaluation. Errors: BASE_BAD_INPUT with check E106 (does
 * not compile) or E105 (not repeatable / may not end), BASE_UNSUPPORTED with E106 and the name for
 * jq that is not covered. The error text ends in two lines that show the source line and a caret
 * under the place; error->line and column are relative to the expression's text (line 1, column 1
 * first): the caller adds the place of the text in its file. An unknown $name gets a did-you-mean.
 */
base_status saga_expr_compile(base_slice text, const base_slice *variables, size_t variable_count,
                              base_arena *arena, const saga_expr **expr_out,
                              base_error *error) BASE_MUST_USE;

/* What an expression looks at; known after compiling. The caller decides by it what must be at
 * hand. */
bool saga_expr_uses_input(const saga_expr *expr); /* `.` of the whole expression */
bool saga_expr_uses_variable(const saga_expr *expr, size_t index);
/* Is every use of the variable of the form $name["literal"] or $name.literal? Then the literals are
 * listed (each once, in the arena); else false: any member may be read. */
bool saga_expr_variable_members(const saga_expr *expr, size_t index, base_arena *arena,
                                const base_slice **names_out, size_t *count_out);
base_slice saga_expr_source(const saga_expr *expr);

typedef struct saga_expr_limits {
    uint64_t steps; /* 0: the default */
    size_t memory;  /* bytes; 0: the default */
} saga_expr_limits;

/* Evaluates to the first output. BASE_NOT_FOUND when there is none (`empty`), with that text. Other
 * failures: BASE_BAD_INPUT with jq's message for a runtime error ("Cannot index number with
 * \"a\""), BASE_OVERFLOW, BASE_BUDGET past steps or memory. values has one pointer per variable,
 * NULL where the expression does not use it. The result may share the input's and the variables'
 * memory; what is new is in arena. */
base_status saga_expr_eval(const saga_expr *expr, const base_value *input,
                           const base_value *const *values, saga_expr_limits limits,
                           base_arena *arena, base_value *value_out,
                           base_error *error) BASE_MUST_USE;

/* All outputs, at most output_max (BASE_BUDGET past it), for the differential tests and `troupe`'s
 * tools. On a runtime error the outputs before it are given too, with the failure. */
base_status saga_expr_eval_all(const saga_expr *expr, const base_value *input,
                               const base_value *const *values, saga_expr_limits limits,
                               size_t output_max, base_arena *arena, const base_value **outputs_out,
                               size_t *count_out, base_error *error) BASE_MUST_USE;

/* jq's truth: everything but null and false. */
bool saga_truthy(const base_value *value);

#endif
