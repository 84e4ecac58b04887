/*
 * The step's machine: every cell of both tables is driven once through the real actions, and what
 * it leads to is compared with tests/saga/data/machine.txt. TEST_REWRITE=1 writes that file anew;
 * read the difference then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "saga/work.h"
#include "schemas/saga_file.h"

static const char saga_text[] =
    "{\"saga\":\"cell\",\"version\":1,\"keys\":{\"k\":\"string\"},\"services\":{\"a\":{}},"
    "\"events\":{\"go\":{\"from\":\"a\",\"key\":{\"k\":\".data.k\"}}},\"start\":{\"when\":\"go\"},"
    "\"steps\":{\"s\":{\"service\":\"a\",\"ask\":\"do\",\"with\":\"{}\",\"emits\":\"did\","
    "\"fails\":\"not\",\"beats\":\"beat\","
    "\"undo\":{\"ask\":\"back\",\"emits\":\"undone\",\"fails\":\"undo.failed\",\"retry\":1},"
    "\"timeout\":\"5s\","
    "\"deadline\":\"1m\",\"retry\":1}}}";

typedef struct fixture {
    base_arena arena;
    const saga_plan *plan;
    saga_step_state step;
    saga_state state;
    saga_event event;
    saga_input input;
    work *w;
} fixture;

static void fixture_init(fixture *f)
{
    saga_definition definition;
    saga_findings findings;
    memset(f, 0, sizeof(*f));
    base_arena_init(&f->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    saga_findings_init(&findings, &f->arena);
    assert_int_equal(schema_saga_parse(base_slice_of(saga_text), base_slice_of("cell.json"),
                                       &f->arena, &definition, &findings)
                         .code,
                     BASE_OK);
    assert_int_equal(saga_plan_compile(&definition, &f->arena, &f->plan, &findings).code, BASE_OK);
    f->event = (saga_event){
        .id = base_slice_of("e"), .type = base_slice_of("did"), .data = base_value_integer(7)};
}

/* A running instance whose only step is in the given halves, one try made where that fits. */
static void fixture_put(fixture *f, saga_f_row row, saga_u u)
{
    const bool stuck = row == SAGA_ROW_STUCK;
    const bool tried =
        row != SAGA_ROW_WAITING && row != SAGA_ROW_SKIPPED && row != SAGA_ROW_CANCELLED;
    saga_state_init(&f->state);
    f->step = (saga_step_state){
        .f = stuck ? SAGA_F_UNKNOWN : (uint8_t)row,
        .counted = stuck ? SAGA_F_UNKNOWN : (uint8_t)row,
        .u = (uint8_t)u,
        .flags = stuck || row == SAGA_ROW_OPEN || row == SAGA_ROW_BACKOFF ? SAGA_STEP_STUCK : 0,
        .tries = tried ? 1 : 0,
        .gen = u == SAGA_U_NO || u == SAGA_U_OWED ? 0 : 1,
        .undo_tries = u == SAGA_U_NO || u == SAGA_U_OWED ? 0 : 1};
    f->state.phase = SAGA_PHASE_RUNNING;
    f->state.key = base_slice_of("k");
    f->state.id = base_slice_of("cell/1/k");
    f->state.steps = &f->step;
    f->state.step_count = 1;
    f->w = BASE_ARENA_NEW(&f->arena, work);
    f->input = (saga_input){.kind = SAGA_INPUT_EVENT, .event = &f->event};
    f->w->plan = f->plan;
    f->w->before = &f->state;
    f->w->state = f->state;
    f->w->input = &f->input;
    f->w->arena = &f->arena;
    f->w->now_ms = 1000;
    f->w->event = &f->event;
    f->w->event_index = saga_plan_event_named(f->plan, base_slice_of("did"));
}

static void print_effects(const fixture *f, FILE *out)
{
    for (int32_t i = 0; i < f->w->effect_count; i++)
        (void)fprintf(out, " %s:%.*s", saga_effect_kind_name(f->w->effects[i].kind),
                      BASE_SLICE_ARG(f->w->effects[i].name));
    if (f->w->cause.kind != NULL)
        (void)fprintf(out, " scope fails:%s", f->w->cause.kind);
    (void)fprintf(out, "\n");
}

static void walk_f(fixture *f, FILE *out)
{
    for (int32_t row = 0; row < SAGA_ROW_COUNT; row++) {
        for (int32_t input = 0; input < SAGA_F_INPUT_COUNT; input++) {
            fixture_put(f, (saga_f_row)row, SAGA_U_NO);
            const int32_t number = f->step.tries == 1 && input <= SAGA_F_ON_FAILURE_OLDER ? 1 : 0;
            step_input(f->w, 0, (saga_f_input)input, number);
            assert_int_equal(f->w->failure, BASE_OK);
            const saga_step_state *step = &f->w->state.steps[0];
            (void)fprintf(out, "F %-9s | %-47s | %-9s %-6s |",
                          saga_machine_row_name((saga_f_row)row),
                          saga_f_input_text((saga_f_input)input), saga_f_name((saga_f)step->f),
                          saga_u_name((saga_u)step->u));
            print_effects(f, out);
        }
    }
}

static void walk_u(fixture *f, FILE *out)
{
    for (int32_t u = 0; u < SAGA_U_COUNT; u++) {
        for (int32_t input = 0; input < SAGA_U_INPUT_COUNT; input++) {
            fixture_put(f, SAGA_ROW_DONE, (saga_u)u);
            undo_input(f->w, 0, (saga_u_input)input);
            assert_int_equal(f->w->failure, BASE_OK);
            const saga_step_state *step = &f->w->state.steps[0];
            (void)fprintf(out, "U %-9s | %-47s | %-9s %-6s |", saga_u_name((saga_u)u),
                          saga_u_input_text((saga_u_input)input), saga_u_name((saga_u)step->u),
                          (step->flags & SAGA_STEP_RECHECK) != 0 ? "recheck" : "");
            print_effects(f, out);
        }
    }
}

static void test_machine__every_cell_does_what_the_record_says(void **state)
{
    static const char path[] = TEST_SOURCE_DIR "/data/machine.txt";
    char *got = NULL;
    size_t got_size = 0;
    fixture f;
    (void)state;
    fixture_init(&f);
    FILE *out = open_memstream(&got, &got_size);
    assert_non_null(out);
    walk_f(&f, out);
    walk_u(&f, out);
    (void)fclose(out);
    if (getenv("TEST_REWRITE") != NULL) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(got, 1, got_size, file), got_size);
        assert_int_equal(fclose(file), 0);
    }
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *expected = (char *)calloc(1, got_size + 2);
    assert_non_null(expected);
    const size_t size = fread(expected, 1, got_size + 1, file);
    (void)fclose(file);
    assert_string_equal(got, expected);
    assert_int_equal(size, got_size);
    free(expected);
    free(got);
    base_arena_deinit(&f.arena);
}

static void test_machine__has_no_empty_cell(void **state)
{
    (void)state;
    for (int32_t row = 0; row < SAGA_ROW_COUNT; row++) {
        for (int32_t input = 0; input < SAGA_F_INPUT_COUNT; input++)
            assert_int_not_equal(saga_machine_f((saga_f_row)row, (saga_f_input)input),
                                 SAGA_F_DO_EMPTY);
    }
    for (int32_t u = 0; u < SAGA_U_COUNT; u++) {
        for (int32_t input = 0; input < SAGA_U_INPUT_COUNT; input++)
            assert_int_not_equal(saga_machine_u((saga_u)u, (saga_u_input)input), SAGA_U_DO_EMPTY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine__has_no_empty_cell),
        cmocka_unit_test(test_machine__every_cell_does_what_the_record_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
