/* One run: draws it, lets it go wrong, lets it come right, asks for what must hold. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "connectors/log_memory.h"
#include "tests/core/generator.h"

#define FAULTY_TURN_MAX 1500
#define QUIET_TURN_MAX 60000
#define CALM_TURNS 4
#define BUSY_TURNS 200

/* ---- tools ---- */

uint32_t sim_below(sim *s, uint32_t bound)
{
    return generator_below(&s->random, bound);
}

bool sim_percent(sim *s, uint32_t percent)
{
    return generator_chance(&s->random, percent);
}

void sim_mix(sim *s, base_slice bytes)
{
    s->hash = base_hash64(bytes, s->hash);
}

void sim_violate(sim *s, sim_check check, const char *format, ...)
{
    if (s->failed) {
        return;
    }
    s->failed = true;
    const int size = snprintf(s->failure, sizeof(s->failure), "%s: ", sim_check_name(check));
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(s->failure + size, sizeof(s->failure) - (size_t)size, format, arguments);
    va_end(arguments);
    sim_tell(s, "VIOLATION %s", s->failure);
}

void sim_tell(sim *s, const char *format, ...)
{
    if (!s->trace) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)printf("%10.3f ", (double)(s->now_ms - SIM_START_MS) / 1000.0);
    (void)vprintf(format, arguments);
    (void)printf("\n");
    va_end(arguments);
}

void sim_need(sim *s, base_status status, const base_error *error, const char *what)
{
    if (base_failed(status)) {
        (void)fprintf(stderr, "seed %llu: %s: %s: %s\n", (unsigned long long)s->seed, what,
                      base_status_name(status), error == NULL ? "" : error->text);
        abort();
    }
}

static int64_t clock_now(void *context)
{
    return ((const sim *)context)->now_ms;
}

static void write_nothing(void *context, const char *line, size_t size)
{
    (void)context;
    (void)line;
    (void)size;
}

/* ---- opening and closing ---- */

static void open_log(sim *s)
{
    static const log_setting settings[] = {
        {BASE_SLICE_LITERAL("memory.record_size_max"), BASE_SLICE_LITERAL("16384")}};
    const log_open_options options = {.settings = settings, .setting_count = 1};
    sim_need(s, log_open(base_slice_of("memory:sim"), &options, 0, &s->store, NULL), NULL,
             "the log");
    log_memory_set_clock(s->store, clock_now, s);
    engine_config_init(&s->config);
    s->config.log = base_slice_of("memory:sim");
    sim_need(s, engine_config_finish(&s->config, NULL), NULL, "the configuration");
    s->partitions = 1 + (int32_t)sim_below(s, SIM_PARTITION_MAX);
    s->config.partitions = s->partitions;
    engine_logger_init(&s->silent, ENGINE_LOG_ERROR, false,
                       (engine_clock){.now_ms = clock_now, .steady_ms = clock_now, .context = s});
    s->silent.write = write_nothing;
    sim_need(s, engine_topics_name(s->config.prefix, &s->arena, &s->topics), NULL, "topics");
    sim_need(s, engine_topics_ensure(s->store, &s->topics, s->partitions, 0, true, 1000, NULL),
             NULL, "topics");
    engine_catalog_init(&s->catalog, s->store, &s->topics, &s->silent);
}

static void open_all(sim *s, uint64_t seed, bool trace, sim_totals *totals)
{
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    s->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    s->trace = trace;
    s->totals = totals;
    s->now_ms = SIM_START_MS;
    (void)generator_draw(&s->random);
    base_arena_init(&s->arena, (size_t)1024 * 1024 * 1024);
    open_log(s);
    sim_draw(s);
    sim_world_open(s);
    sim_observer_open(s);
    sim_tell(s, "%d partitions, %d workers, batches of %lld, session %lld ms", (int)s->partitions,
             (int)s->worker_count, (long long)s->config.batch_max, (long long)s->session_ms);
}

static void close_all(sim *s)
{
    for (int32_t i = 0; i < SIM_WORKER_MAX; i++) {
        sim_worker_close(s, i, false);
        if (s->workers[i].used) {
            engine_config_deinit(&s->workers[i].config);
        }
    }
    sim_observer_close(s);
    sim_world_close(s);
    engine_catalog_deinit(&s->catalog);
    engine_config_deinit(&s->config);
    log_close(s->store);
    base_arena_deinit(&s->arena);
}

/* ---- the two phases ---- */

/* Time goes on to the next thing that is due, in steps in which workers say that they live. */
static void advance(sim *s)
{
    int64_t next_ms = sim_world_next_ms(s);
    for (int32_t i = 0; i < SIM_WORKER_MAX; i++) {
        const engine_worker *worker = s->workers[i].worker;
        const int64_t timer_ms = worker == NULL ? INT64_MAX : engine_worker_next_timer_ms(worker);
        next_ms = timer_ms < next_ms ? timer_ms : next_ms;
        if (s->workers[i].paused_until_ms > s->now_ms && s->workers[i].paused_until_ms < next_ms) {
            next_ms = s->workers[i].paused_until_ms;
        }
    }
    if (s->down && s->down_until_ms < next_ms) {
        next_ms = s->down_until_ms;
    }
    const int64_t most_ms = s->session_ms / 3;
    if (next_ms > s->now_ms + most_ms) {
        next_ms = s->now_ms + most_ms;
    }
    s->now_ms = next_ms > s->now_ms ? next_ms : s->now_ms + 1;
}

static bool turn(sim *s)
{
    const bool idle = sim_workers_step(s);
    const bool served = sim_world_serve(s);
    sim_observe(s);
    const bool delivered = sim_world_deliver(s);
    return idle && !served && !delivered;
}

static void perform_faulty(sim *s)
{
    int calm = 0;
    for (int32_t i = 0; i < FAULTY_TURN_MAX && !s->failed; i++) {
        sim_faults_turn(s);
        calm = turn(s) ? calm + 1 : 0;
        if (sim_percent(s, 20)) {
            sim_world_react(s);
        }
        if (sim_percent(s, 2)) {
            sim_world_help(s);
        }
        if (sim_percent(s, 1)) {
            sim_compare(s, false);
        }
        if (calm >= CALM_TURNS && i > 100 && s->message_count == 0 && sim_all_ended(s)) {
            return;
        }
        if (calm >= 2 || s->down) {
            advance(s);
        } else {
            s->now_ms += (int64_t)sim_below(s, 20);
        }
    }
}

static void perform_quiet(sim *s)
{
    int calm = 0;
    int busy = 0;
    s->quiet = true;
    s->changed = true;
    sim_tell(s, "---- quiet ----");
    sim_faults_heal(s);
    sim_world_resume_all(s);
    for (int32_t i = 0; i < QUIET_TURN_MAX && !s->failed; i++) {
        calm = turn(s) ? calm + 1 : 0;
        if (calm == 0) {
            /* A worker may wait for a pause or an open transaction to pass. */
            busy++;
            s->now_ms += busy < BUSY_TURNS ? 1 : s->session_ms / 10;
            continue;
        }
        busy = 0;
        if (calm < CALM_TURNS) {
            continue;
        }
        if (s->changed) {
            s->changed = false;
            sim_world_react(s);
            sim_world_help(s);
            if (s->message_count == 0 && sim_all_ended(s)) {
                return;
            }
        }
        advance(s);
        calm = 1;
    }
    sim_tell(s, "quiet did not come to an end");
}

bool sim_run(sim *s, uint64_t seed, bool trace, sim_totals *totals)
{
    open_all(s, seed, trace, totals);
    sim_world_plan(s);
    sim_workers_open(s);
    perform_faulty(s);
    perform_quiet(s);
    if (!s->failed) {
        sim_compare(s, true);
        sim_check_end(s);
    }
    for (int32_t i = 0; i < SIM_WORKER_MAX; i++) {
        totals->takeovers += s->workers[i].worker == NULL
                                 ? 0
                                 : engine_worker_counters(s->workers[i].worker)->takeovers;
    }
    sim_mix(s, base_slice_make(&s->now_ms, sizeof(s->now_ms)));
    totals->runs++;
    const bool fine = !s->failed;
    close_all(s);
    return fine;
}
