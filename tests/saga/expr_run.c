/*
 * Runs expressions for expr_differential. Reads pairs of lines: the program as a JSON string, the
 * input as JSON. For each pair writes every output as a line of JSON, then one line that starts
 * with "--":
 *
 *   -- ok                  all outputs are above
 *   -- error "..."         a runtime error, after the outputs above; its text as a JSON string
 *   -- refused E106 ...    the program was not compiled
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "saga/expr.h"

#define OUTPUT_MAX 10000
#define LINE_MAX_SIZE (1 << 20)

static const saga_expr *compile(const char *text, base_arena *arena)
{
    const saga_expr *expr = NULL;
    if (base_failed(saga_expr_compile(base_slice_of(text), NULL, 0, arena, &expr, NULL))) {
        abort();
    }
    return expr;
}

/* JSON text to value, and value to JSON, with the evaluator's own fromjson and tojson. */
static bool convert(const saga_expr *expr, const base_value *value, base_arena *arena,
                    base_value *out)
{
    return !base_failed(saga_expr_eval(expr, value, NULL, (saga_expr_limits){0}, arena, out, NULL));
}

static void print_json(const saga_expr *tojson, const base_value *value, base_arena *arena)
{
    base_value text;
    if (convert(tojson, value, arena, &text)) {
        printf("%.*s\n", BASE_SLICE_ARG(base_value_slice(&text)));
    } else {
        printf("(no JSON)\n");
    }
}

static void run(base_slice program, const base_value *input, const saga_expr *tojson,
                base_arena *arena)
{
    base_error error = {0};
    const saga_expr *expr = NULL;
    if (base_failed(saga_expr_compile(program, NULL, 0, arena, &expr, &error))) {
        error.text[strcspn(error.text, "\n")] = '\0';
        printf("-- refused %s%s %s\n", error.check,
               error.code == BASE_UNSUPPORTED ? " uncovered" : "", error.text);
        return;
    }
    const base_value *outputs = NULL;
    size_t count = 0;
    const base_status status = saga_expr_eval_all(expr, input, NULL, (saga_expr_limits){0},
                                                  OUTPUT_MAX, arena, &outputs, &count, &error);
    for (size_t i = 0; i < count; i++) {
        print_json(tojson, &outputs[i], arena);
    }
    if (!base_failed(status)) {
        printf("-- ok\n");
        return;
    }
    const base_value text = base_value_text(error.text);
    printf("-- error ");
    print_json(tojson, &text, arena);
}

int main(void)
{
    char *program_line = malloc(LINE_MAX_SIZE);
    char *input_line = malloc(LINE_MAX_SIZE);
    base_arena fixed;
    base_arena arena;
    base_arena_init(&fixed, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    const saga_expr *fromjson = compile("fromjson", &fixed);
    const saga_expr *tojson = compile("tojson", &fixed);
    while (program_line != NULL && input_line != NULL &&
           fgets(program_line, LINE_MAX_SIZE, stdin) != NULL &&
           fgets(input_line, LINE_MAX_SIZE, stdin) != NULL) {
        program_line[strcspn(program_line, "\n")] = '\0';
        input_line[strcspn(input_line, "\n")] = '\0';
        base_value program;
        base_value input;
        const base_value program_text = base_value_text(program_line);
        const base_value input_text = base_value_text(input_line);
        if (convert(fromjson, &program_text, &arena, &program) &&
            convert(fromjson, &input_text, &arena, &input)) {
            run(base_value_slice(&program), &input, tojson, &arena);
        } else {
            printf("-- refused (bad line)\n");
        }
        base_arena_reset(&arena);
    }
    base_arena_deinit(&arena);
    base_arena_deinit(&fixed);
    free(program_line);
    free(input_line);
    return 0;
}
