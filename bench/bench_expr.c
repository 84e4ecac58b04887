/* Expressions: nanoseconds an evaluation takes, for a guard, a mapping, a `set` and a few others,
 * against an event of ordinary size. The best of several rounds is given: what the machine can do,
 * not what else ran on it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "saga/expr.h"

#define ROUNDS 7

static const char *const INPUT = "{\"orderId\":\"o-4711\",\"country\":\"DE\",\"total\":129.90,"
                                 "\"currency\":\"EUR\",\"a\":{\"b\":11},"
                                 "\"customer\":{\"id\":\"c-42\",\"email\":\"x@example.org\","
                                 "\"tier\":\"gold\"},\"card\":{\"token\":\"tok_1\"},"
                                 "\"lines\":[{\"lineNo\":1,\"sku\":\"a\",\"qty\":2,\"price\":10.5},"
                                 "{\"lineNo\":2,\"sku\":\"b\",\"qty\":1,\"price\":99},"
                                 "{\"lineNo\":3,\"sku\":\"c\",\"qty\":4,\"price\":2.475}],"
                                 "\"authId\":null,\"ship_to\":{\"country\":\"DE\"}}";

static const struct {
    const char *name;
    const char *text;
    long turns;
} CASES[] = {
    {"field", ".total", 2000000},
    {"guard", ".a.b > 10 and .country == \"DE\"", 2000000},
    {"guard on money", ".total * 1.19 > 150 and .currency != \"USD\"", 1000000},
    {"key", "$event.data.orderId", 2000000},
    {"mapping", "{orderId, amount: .total, token: .card.token}", 1000000},
    {"mapping of lines", "[.lines[] | {sku, qty, sum: (.qty * .price)}]", 300000},
    {"set", ".authId = $event.data.authId", 1000000},
    {"set with default", ".currency //= \"EUR\"", 1000000},
    {"update of lines", ".lines[].qty += 1", 300000},
    {"any", "any(.lines[]; .qty > 3)", 500000},
    {"sum", "[.lines[] | .qty * .price] | add", 300000},
    {"text", "\"sku:\" + .lines[0].sku + \"/\\(.orderId)\"", 500000},
};

static int64_t now_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static const saga_expr *compile(const char *text, base_arena *arena)
{
    const base_slice names[] = {BASE_SLICE_LITERAL("event")};
    const saga_expr *expr = NULL;
    base_error error = {0};
    if (base_failed(saga_expr_compile(base_slice_of(text), names, 1, arena, &expr, &error))) {
        (void)fprintf(stderr, "%s: %s\n", text, error.text);
        exit(1);
    }
    return expr;
}

static double run(const saga_expr *expr, const base_value *input, long turns)
{
    const base_member members[] = {{.key = BASE_SLICE_LITERAL("data"), .value = *input}};
    const base_value event = base_value_map(members, 1);
    const base_value *values[] = {&event};
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t start = now_ns();
        for (long i = 0; i < turns; i++) {
            base_value value;
            if (base_failed(saga_expr_eval(expr, input, values, (saga_expr_limits){0}, &arena,
                                           &value, NULL))) {
                exit(1);
            }
            base_arena_reset(&arena);
        }
        const double ns = (double)(now_ns() - start) / (double)turns;
        best = round == 0 || ns < best ? ns : best;
    }
    base_arena_deinit(&arena);
    return best;
}

int main(void)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    const base_value text = base_value_text(INPUT);
    base_value input;
    if (base_failed(saga_expr_eval(compile("fromjson", &arena), &text, NULL, (saga_expr_limits){0},
                                   &arena, &input, NULL))) {
        return 1;
    }
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const saga_expr *expr = compile(CASES[i].text, &arena);
        printf("%-18s %8.1f ns  %s\n", CASES[i].name, run(expr, &input, CASES[i].turns / ROUNDS),
               CASES[i].text);
    }
    base_arena_deinit(&arena);
    return 0;
}
