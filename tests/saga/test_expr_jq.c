/*
 * Expressions against files of cases in jq's format: a program, its input, the outputs wanted, one
 * a line; an empty line ends a case; "%%FAIL" stands before a program that must not compile.
 *
 *   data/jq.test     jq's own (data/jq.NOTICE). What is not covered is refused by name and counted,
 * never wrong; what differs on purpose stands in data/jq.differences with its reason.
 *   data/expr.test   ours. Everything in it is covered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "saga/expr.h"

#define OUTPUT_MAX 1000

typedef struct case_file {
    char *text;
    char *next; /* NULL: at the end */
    size_t line;
} case_file;

typedef struct case_counts {
    size_t cases;
    size_t covered;
    size_t refused;
    size_t not_json;
    size_t different;
    size_t failed;
} case_counts;

typedef struct test_setting {
    base_arena *arena;
    const saga_expr *fromjson;
    const saga_expr *tojson;
    const char *differences;
} test_setting;

/* ---- files ---- */
static char *read_file(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/data/%s", TEST_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long size = ftell(file);
    assert_true(size > 0);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), (size_t)size);
    text[size] = '\0';
    (void)fclose(file);
    return text;
}

/* The next line, terminated; NULL at the end of the file. */
static char *read_line(case_file *file)
{
    char *line = file->next;
    if (line == NULL) {
        return NULL;
    }
    char *end = strchr(line, '\n');
    file->next = end == NULL || end[1] == '\0' ? NULL : end + 1;
    if (end != NULL) {
        *end = '\0';
    }
    file->line++;
    return line;
}

static bool is_blank(const char *line)
{
    return line[strspn(line, " \t")] == '\0';
}

static bool is_comment(const char *line)
{
    return line[strspn(line, " \t")] == '#';
}

/* Is the program a line of the file of differences? */
static bool is_listed(const char *differences, const char *program)
{
    const size_t size = strlen(program);
    const char *at = differences;
    while (differences != NULL && (at = strstr(at, program)) != NULL) {
        if ((at == differences || at[-1] == '\n') && (at[size] == '\n' || at[size] == '\0')) {
            return true;
        }
        at += size;
    }
    return false;
}

/* ---- running ---- */
static bool convert(const test_setting *setting, const saga_expr *expr, const base_value *value,
                    base_value *out)
{
    return !base_failed(
        saga_expr_eval(expr, value, NULL, (saga_expr_limits){0}, setting->arena, out, NULL));
}

static bool parse_json(const test_setting *setting, const char *json, base_value *out)
{
    const base_value text = base_value_text(json);
    return convert(setting, setting->fromjson, &text, out);
}

static void print_value(const test_setting *setting, const char *what, const base_value *value)
{
    base_value text;
    if (convert(setting, setting->tojson, value, &text)) {
        print_error("  %s %.*s\n", what, BASE_SLICE_ARG(base_value_slice(&text)));
    }
}

typedef enum verdict { VERDICT_AGREES, VERDICT_DIFFERS, VERDICT_REFUSED, VERDICT_NOT_JSON } verdict;

/* Reads the outputs wanted, compares; says what differs when `loud`. */
static verdict compare(const test_setting *setting, case_file *file, const base_value *outputs,
                       size_t count, const base_error *error, bool loud)
{
    size_t index = 0;
    bool agrees = true;
    char *line;
    while ((line = read_line(file)) != NULL && !is_blank(line)) {
        base_value wanted;
        if (is_comment(line)) {
            continue;
        }
        if (!parse_json(setting, line, &wanted)) {
            agrees = false;
        } else if (index >= count || !base_value_equal(&wanted, &outputs[index])) {
            agrees = false;
            if (loud) {
                print_error("  wanted %s\n", line);
            }
        }
        index++;
    }
    if (index < count) {
        agrees = false;
    }
    for (size_t i = 0; loud && !agrees && i < count; i++) {
        print_value(setting, "got", &outputs[i]);
    }
    if (loud && !agrees && error->code != BASE_OK) {
        print_error("  error %s\n", error->text);
    }
    return agrees ? VERDICT_AGREES : VERDICT_DIFFERS;
}

static void skip_case(case_file *file)
{
    char *line;
    while ((line = read_line(file)) != NULL && !is_blank(line)) {
    }
}

static verdict run_case(const test_setting *setting, case_file *file, const char *program,
                        const char *input_line, bool loud)
{
    base_value input;
    base_error error = {0};
    const saga_expr *expr = NULL;
    if (!parse_json(setting, input_line, &input)) {
        skip_case(file);
        return VERDICT_NOT_JSON;
    }
    const base_status status =
        saga_expr_compile(base_slice_of(program), NULL, 0, setting->arena, &expr, &error);
    if (base_failed(status)) {
        const bool by_name = strcmp(error.check, "E105") == 0 || status.code == BASE_UNSUPPORTED;
        if (!by_name && loud) {
            print_error("  refused: %s\n", error.text);
        }
        skip_case(file);
        return by_name ? VERDICT_REFUSED : VERDICT_DIFFERS;
    }
    const base_value *outputs = NULL;
    size_t count = 0;
    /* An error behind the outputs is fine: the file speaks of outputs. */
    (void)!base_failed(saga_expr_eval_all(expr, &input, NULL, (saga_expr_limits){0}, OUTPUT_MAX,
                                          setting->arena, &outputs, &count, &error));
    return compare(setting, file, outputs, count, &error, loud);
}

static void run_failing(const test_setting *setting, case_file *file, const char *program,
                        case_counts *counts)
{
    const saga_expr *expr = NULL;
    base_error error = {0};
    if (!base_failed(
            saga_expr_compile(base_slice_of(program), NULL, 0, setting->arena, &expr, &error))) {
        print_error("line %zu: compiles and should not: %s\n", file->line, program);
        counts->failed++;
    }
    assert_true(error.line > 0);
    counts->covered++;
    skip_case(file);
}

static void count_case(const test_setting *setting, case_file *file, const char *program,
                       case_counts *counts)
{
    const size_t line = file->line;
    const char *input = read_line(file);
    assert_non_null(input);
    const bool listed = is_listed(setting->differences, program);
    switch (run_case(setting, file, program, input, !listed)) {
    case VERDICT_AGREES:
        counts->covered++;
        counts->failed += listed;
        if (listed) {
            print_error("line %zu: agrees, though it is listed as different: %s\n", line, program);
        }
        break;
    case VERDICT_REFUSED:
        counts->refused++;
        break;
    case VERDICT_NOT_JSON:
        counts->not_json++;
        break;
    case VERDICT_DIFFERS:
    default:
        counts->different += listed;
        counts->failed += !listed;
        if (!listed) {
            print_error("line %zu: %s\n  input %s\n", line, program, input);
        }
        break;
    }
}

static case_counts run_file(const char *name, const char *differences)
{
    base_arena fixed;
    base_arena arena;
    base_arena_init(&fixed, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    test_setting setting = {.arena = &arena, .differences = differences};
    assert_int_equal(
        saga_expr_compile(base_slice_of("fromjson"), NULL, 0, &fixed, &setting.fromjson, NULL).code,
        BASE_OK);
    assert_int_equal(
        saga_expr_compile(base_slice_of("tojson"), NULL, 0, &fixed, &setting.tojson, NULL).code,
        BASE_OK);
    case_file file = {.text = read_file(name)};
    file.next = file.text;
    case_counts counts = {0};
    char *line;
    while ((line = read_line(&file)) != NULL) {
        if (is_blank(line) || is_comment(line)) {
            continue;
        }
        counts.cases++;
        if (strncmp(line, "%%FAIL", 6) == 0) {
            const char *program = read_line(&file);
            assert_non_null(program);
            run_failing(&setting, &file, program, &counts);
        } else {
            count_case(&setting, &file, line, &counts);
        }
        base_arena_reset(&arena);
    }
    free(file.text);
    base_arena_deinit(&arena);
    base_arena_deinit(&fixed);
    return counts;
}

static void test_expr_jq__jqs_own_cases_are_right_or_refused_by_name(void **state)
{
    (void)state;
    char *differences = read_file("jq.differences");
    const case_counts counts = run_file("jq.test", differences);
    print_message("jq.test: %zu of %zu cases covered, all pass; %zu refused by name, %zu with "
                  "input that is not JSON "
                  "(NaN, byte order mark), %zu different on purpose (jq.differences)\n",
                  counts.covered, counts.cases, counts.refused, counts.not_json, counts.different);
    free(differences);
    assert_int_equal(counts.failed, 0);
    assert_int_equal(counts.covered + counts.refused + counts.not_json + counts.different,
                     counts.cases);
    assert_true(counts.covered >= 375); /* what is covered stays covered */
}

static void test_expr_jq__our_cases_pass(void **state)
{
    (void)state;
    const case_counts counts = run_file("expr.test", NULL);
    print_message("expr.test: %zu cases\n", counts.cases);
    assert_int_equal(counts.failed, 0);
    assert_int_equal(counts.covered, counts.cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr_jq__jqs_own_cases_are_right_or_refused_by_name),
        cmocka_unit_test(test_expr_jq__our_cases_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
