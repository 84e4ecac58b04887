/*
 * The core alone: decide and evolve of the inputs of a saga of three asked steps, in memory, and
 * the fold of the entries that come of it. Prints inputs and entries a second, beside a memcpy of
 * the same entries' bytes as the limit.
 *
 *   bench_core [INSTANCES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "saga/decide.h"
#include "schemas/saga_file.h"

static const char saga_text[] =
    "{\"saga\":\"three\",\"version\":1,\"keys\":{\"k\":\"string\"},\"services\":{\"a\":{}},"
    "\"events\":{\"go\":{\"from\":\"a\",\"key\":{\"k\":\".data.k\"}}},\"start\":{\"when\":\"go\"},"
    "\"steps\":{"
    "\"one\":{\"service\":\"a\",\"ask\":\"one\",\"emits\":\"one.ok\",\"undo\":{\"ask\":\"unone\","
    "\"emits\":\"unone.ok\"},\"timeout\":\"5s\"},"
    "\"two\":{\"service\":\"a\",\"after\":\"one\",\"ask\":\"two\",\"emits\":\"two.ok\",\"undo\":"
    "\"none\",\"timeout\":\"5s\"},"
    "\"three\":{\"service\":\"a\",\"after\":\"two\",\"ask\":\"three\",\"emits\":\"three.ok\","
    "\"undo\":\"none\",\"timeout\":\"5s\"}}}";

static const char *const events[] = {"go", "one.ok", "two.ok", "three.ok"};

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_core: %s\n", what);
    exit(1);
}

typedef struct bench {
    const saga_plan *plan;
    base_arena arena;   /* of an instance's state */
    base_arena scratch; /* of its entries */
    saga_entry entries[4];
    double decide;
    double evolve;
} bench;

static void perform(bench *b, uint64_t number)
{
    char ids[4][32];
    saga_state state;
    saga_state_init(&state);
    base_arena_reset(&b->arena);
    base_arena_reset(&b->scratch);
    const double start = seconds();
    for (int32_t i = 0; i < 4; i++) {
        const int size =
            snprintf(ids[i], sizeof(ids[i]), "%llu/%d", (unsigned long long)number, (int)i);
        saga_event event = {.id = base_slice_make(ids[i], (size_t)size),
                            .source = base_slice_of("bench"),
                            .type = base_slice_of(events[i]),
                            .correlation_id = base_slice_of("three/1/k1"),
                            .data = base_value_null()};
        const saga_input input = {.kind = SAGA_INPUT_EVENT,
                                  .event = &event,
                                  .event_index = saga_plan_event_typed(b->plan, event.type),
                                  .now_ms = i};
        if (base_failed(saga_decide(b->plan, &state, base_slice_of("k1"), &input, &b->scratch,
                                    &b->entries[i], NULL)) ||
            base_failed(saga_evolve(b->plan, &state, &b->entries[i], &b->arena)))
            die("an input failed");
    }
    b->decide += seconds() - start;
    if (state.phase != SAGA_PHASE_COMPLETED)
        die("the instance did not complete");
}

static void fold(bench *b)
{
    saga_state state;
    saga_state_init(&state);
    base_arena_reset(&b->arena);
    const double start = seconds();
    for (int32_t i = 0; i < 4; i++) {
        if (base_failed(saga_evolve(b->plan, &state, &b->entries[i], &b->arena)))
            die("an entry failed");
    }
    b->evolve += seconds() - start;
}

int main(int argc, char **argv)
{
    bench b = {0};
    base_arena plan_arena;
    saga_definition definition;
    saga_findings findings;
    const uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
    base_arena_init(&plan_arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_arena_init(&b.arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_arena_init(&b.scratch, BASE_ARENA_SIZE_DEFAULT_MAX);
    saga_findings_init(&findings, &plan_arena);
    if (base_failed(schema_saga_parse(base_slice_of(saga_text), base_slice_of("three.json"),
                                      &plan_arena, &definition, &findings)) ||
        base_failed(saga_plan_compile(&definition, &plan_arena, &b.plan, &findings)))
        die("the saga does not compile");
    for (uint64_t i = 0; i < count; i++) {
        perform(&b, i);
        fold(&b);
    }
    (void)printf("decide+evolve  %10.0f inputs/s\n", (double)count * 4 / b.decide);
    (void)printf("fold           %10.0f entries/s\n", (double)count * 4 / b.evolve);
    base_arena_deinit(&b.arena);
    base_arena_deinit(&b.scratch);
    base_arena_deinit(&plan_arena);
    return 0;
}
