/* Steps of a saga file: what they ask, what they answer, what undoes them (A.6, A.9, rule 69). See
 * compile.h. */
#include "saga/compile.h"

#define UNDO_TIMEOUT_DEFAULT_MS ((int64_t)30 * 1000)

static saga_retry retry_default(int32_t max)
{
    return (saga_retry){.max = max,
                        .first_ms = 1000,
                        .cap_ms = 60000,
                        .factor_permille = 2000,
                        .jitter_permille = 100};
}

/* `3`, `forever` or the number in `max`. */
static int32_t retry_count(compile *c, const base_value *value, int32_t fallback)
{
    if (value == NULL)
        return fallback;
    if (value->kind == BASE_INTEGER && value->integer >= 0 && value->integer <= 1000000)
        return (int32_t)value->integer;
    if (value->kind == BASE_STRING && base_slice_is(base_value_slice(value), "forever"))
        return SAGA_FOREVER;
    base_error *error =
        compile_error(c, "E101", value->place, "\"retry\" must be a number of tries or forever");
    base_error_hint(error, "write retry: 3, retry: forever or retry: { max: 3, first: 1s }");
    return fallback;
}

static saga_retry compile_retry(compile *c, const base_value *tree, int32_t max)
{
    saga_retry retry = retry_default(max);
    const base_value *value = compile_get(tree, "retry");
    if (value == NULL || value->kind != BASE_MAP) {
        retry.max = retry_count(c, value, max);
        return retry;
    }
    retry.max = retry_count(c, compile_get(value, "max"), max);
    retry.first_ms = compile_duration(c, value, "first", retry.first_ms);
    retry.cap_ms = compile_duration(c, value, "cap", retry.cap_ms);
    retry.factor_permille = compile_permille(c, value, "factor", retry.factor_permille);
    retry.jitter_permille = compile_permille(c, value, "jitter", retry.jitter_permille);
    if (retry.jitter_permille > 1000) {
        (void)compile_error(c, "E101", compile_get(value, "jitter")->place,
                            "\"jitter\" must be from 0 to 1");
        retry.jitter_permille = 0;
    }
    retry.accept = compile_expr(c, value, "if");
    return retry;
}

/* Every event of a list gets the role. */
static void compile_outcomes(compile *c, const base_value *value, int32_t step, saga_role role)
{
    size_t count = 0;
    const base_value *items = compile_items(value, &count);
    const int32_t service = c->steps[step].service;
    for (size_t i = 0; i < count; i++) {
        const int32_t event = compile_event(c, &items[i], service, COMPILE_USE_OUTCOME);
        for (int32_t k = 0; event != SAGA_NONE && k < c->role_count; k++) {
            if (c->roles[k].event != event || c->roles[k].role.step != step)
                continue;
            base_error *error = compile_error(
                c, "E101", items[i].place, "step \"%.*s\" lists event \"%.*s\" twice",
                BASE_SLICE_ARG(c->steps[step].name), BASE_SLICE_ARG(c->events[event].name));
            base_error_hint(error, "an event has one meaning to a step");
        }
        compile_role(c, event, step, role);
    }
}

static uint32_t undo_of(compile *c, const base_value *value)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } outcomes[] = {
        {"done", SAGA_OF_DONE}, {"unknown", SAGA_OF_UNKNOWN}, {"failed", SAGA_OF_FAILED}};
    if (value == NULL)
        return SAGA_OF_DONE | SAGA_OF_UNKNOWN;
    uint32_t of = 0;
    size_t count = 0;
    const base_value *items = compile_items(value, &count);
    for (size_t i = 0; i < count; i++) {
        uint32_t bit = 0;
        for (size_t k = 0; k < 3; k++) {
            if (items[i].kind == BASE_STRING &&
                base_slice_is(base_value_slice(&items[i]), outcomes[k].name))
                bit = outcomes[k].bit;
        }
        if (bit == 0) {
            base_error *error =
                compile_error(c, "E101", items[i].place, "\"of\" lists an unknown outcome");
            base_error_hint(error, "outcomes are done, unknown and failed");
        }
        of |= bit;
    }
    return of;
}

static bool reads_present(const saga_expr *expr)
{
    return expr != NULL && (saga_expr_uses_variable(expr, SAGA_VARIABLE_SAGA) ||
                            saga_expr_uses_variable(expr, SAGA_VARIABLE_NOW));
}

static void compile_undo(compile *c, const base_value *tree, int32_t index)
{
    saga_step *step = &c->steps[index];
    saga_undo *undo = &step->undo;
    const base_value *value = compile_get(tree, "undo");
    *undo = (saga_undo){.kind = SAGA_UNDO_NONE,
                        .ask = SAGA_NONE,
                        .blocking = true,
                        .retry = retry_default(SAGA_FOREVER)};
    if (value == NULL) {
        if (!step->signal) {
            base_error *error = compile_error(c, "E301", step->place, "step \"%.*s\" has no undo",
                                              BASE_SLICE_ARG(step->name));
            base_error_hint(error, "write undo: {...}, undo: none (changes nothing) or undo: never "
                                   "(cannot be undone)");
        }
        return;
    }
    if (value->kind == BASE_STRING && base_slice_is(base_value_slice(value), "none"))
        return;
    if (value->kind == BASE_STRING && base_slice_is(base_value_slice(value), "never")) {
        undo->kind = SAGA_UNDO_NEVER;
        return;
    }
    if (value->kind != BASE_MAP) {
        base_error *error =
            compile_error(c, "E301", value->place, "\"undo\" of step \"%.*s\" is none of its forms",
                          BASE_SLICE_ARG(step->name));
        base_error_hint(
            error,
            "write undo: {...}, undo: none (changes nothing) or undo: never (cannot be undone)");
        return;
    }
    undo->ask = compile_event(c, compile_get(value, "ask"), step->service, COMPILE_USE_ASK);
    undo->kind = undo->ask == SAGA_NONE ? SAGA_UNDO_REACTIVE : SAGA_UNDO_ASKED;
    undo->with = compile_expr(c, value, "with");
    undo->condition = compile_expr(c, value, "if");
    undo->late_view = reads_present(undo->with) || reads_present(undo->condition);
    undo->timeout_ms = compile_duration(
        c, value, "timeout", step->timeout_ms > 0 ? step->timeout_ms : UNDO_TIMEOUT_DEFAULT_MS);
    undo->retry = compile_retry(c, value, SAGA_FOREVER);
    undo->of = undo_of(c, compile_get(value, "of"));
    undo->blocking = compile_bool(c, value, "blocking", true);
    compile_outcomes(c, compile_get(value, "emits"), index, SAGA_ROLE_UNDO_EMITS);
    compile_outcomes(c, compile_get(value, "fails"), index, SAGA_ROLE_UNDO_FAILS);
    if (compile_get(value, "emits") == NULL) {
        base_error *error =
            compile_error(c, "E301", value->place, "undo of step \"%.*s\" names no acknowledgement",
                          BASE_SLICE_ARG(step->name));
        base_error_hint(error, "say with emits: EVENT how the service reports that it is undone");
    }
}

static void compile_times(compile *c, const base_value *tree, saga_step *step)
{
    step->timeout_ms = compile_duration(c, tree, "timeout", 0);
    step->deadline_ms = compile_duration(c, tree, "deadline", 0);
    step->retry = compile_retry(c, tree, 0);
    const base_value *stuck = compile_get(tree, "stuck");
    step->stuck_after_ms = compile_duration(c, stuck, "after", c->plan->stuck_after_ms);
    step->stuck_tell = compile_text(c, stuck, "tell");
    if (step->stuck_tell.size == 0)
        step->stuck_tell = c->plan->stuck_tell;
    if (step->deadline_ms > 0 && step->timeout_ms > step->deadline_ms) {
        base_error *error =
            compile_error(c, "E611", compile_get(tree, "deadline")->place,
                          "deadline of step \"%.*s\" is shorter than its first timeout",
                          BASE_SLICE_ARG(step->name));
        base_error_hint(error, "a try must fit into the deadline");
    }
}

static void compile_service_of(compile *c, const base_value *tree, saga_step *step)
{
    const base_value *service = compile_get(tree, "service");
    step->signal = compile_get(tree, "signal") != NULL;
    step->service = compile_service(c, service);
    if (service == NULL && !step->signal) {
        base_error *error = compile_error(c, "E101", step->place, "step \"%.*s\" has no service",
                                          BASE_SLICE_ARG(step->name));
        base_error_hint(error, "say who does it: service: NAME");
    }
}

static void compile_step(compile *c, const base_member *member, int32_t index)
{
    const base_value *tree = &member->value;
    saga_step *step = &c->steps[index];
    step->name = base_arena_copy(c->arena, member->key);
    step->place = member->key_place;
    compile_service_of(c, tree, step);
    step->ask = compile_event(c, compile_get(tree, "ask"), step->service, COMPILE_USE_ASK);
    step->guard = compile_expr(c, tree, "if");
    step->with = compile_expr(c, tree, "with");
    step->check = compile_expr(c, tree, "check");
    step->set = compile_expr(c, tree, "set");
    step->key = compile_expr(c, tree, "key");
    step->pivot = compile_bool(c, tree, "pivot", false);
    step->optional = compile_bool(c, tree, "optional", false);
    const base_slice late = compile_text(c, tree, "late");
    step->late = base_slice_is(late, "accept")   ? SAGA_LATE_ACCEPT
                 : base_slice_is(late, "ignore") ? SAGA_LATE_IGNORE
                                                 : SAGA_LATE_UNDO;
    compile_times(c, tree, step);
    compile_outcomes(c, compile_get(tree, "signal"), index, SAGA_ROLE_EMITS);
    compile_outcomes(c, compile_get(tree, "emits"), index, SAGA_ROLE_EMITS);
    compile_outcomes(c, compile_get(tree, "fails"), index, SAGA_ROLE_FAILS);
    compile_outcomes(c, compile_get(tree, "beats"), index, SAGA_ROLE_BEATS);
    compile_undo(c, tree, index);
    if (!step->signal && compile_get(tree, "emits") == NULL) {
        base_error *error = compile_error(c, "E101", step->place,
                                          "step \"%.*s\" has no outcome on which the saga goes on",
                                          BASE_SLICE_ARG(step->name));
        base_error_hint(error, "add emits: EVENT");
    }
    if (step->ask == SAGA_NONE && step->with != NULL) {
        base_error *error =
            compile_error(c, "E101", compile_get(tree, "with")->place,
                          "step \"%.*s\" has \"with\" but no \"ask\"", BASE_SLICE_ARG(step->name));
        base_error_hint(error, "a reactive step gets no request; add ask: EVENT");
    }
    if (step->pivot && step->ask == SAGA_NONE) {
        base_error *error = compile_error(
            c, "E315", step->place, "pivot \"%.*s\" is reactive: an abort cannot be held for it",
            BASE_SLICE_ARG(step->name));
        base_error_hint(error, "add ask: EVENT");
    }
}

void compile_steps(compile *c)
{
    const base_value *tree = compile_get(&c->definition->tree, "steps");
    const size_t count = tree != NULL && tree->kind == BASE_MAP ? tree->size : 0;
    if (count > SAGA_STEP_MAX) {
        (void)compile_error(c, "E101", tree->place, "%zu steps; at most %d", count, SAGA_STEP_MAX);
        return;
    }
    c->steps = BASE_ARENA_ARRAY(c->arena, saga_step, count);
    c->step_trees =
        (const base_value **)base_arena_alloc_zero(c->arena, count, sizeof(const base_value *));
    if (c->steps == NULL || c->step_trees == NULL) {
        c->failure = BASE_OUT_OF_MEMORY;
        return;
    }
    c->plan->steps = c->steps;
    c->plan->step_count = (int32_t)count;
    for (size_t i = 0; i < count && c->failure == BASE_OK; i++) {
        c->step_trees[i] = &tree->members[i].value;
        compile_step(c, &tree->members[i], (int32_t)i);
    }
}
