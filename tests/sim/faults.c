/*
 * The workers, and what happens to them, to the log and to the clock. What happens to messages
 * stands where they are sent (world.c).
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "connectors/log_memory.h"
#include "engine/clock.h"
#include "engine/worker_state.h"
#include "tests/sim/sim.h"

static const char *const fault_names[SIM_FAULT_COUNT] = {
#define X(name, text) #name,
    SIM_FAULTS(X)
#undef X
};

static const char *const fault_texts[SIM_FAULT_COUNT] = {
#define X(name, text) text,
    SIM_FAULTS(X)
#undef X
};

const char *sim_fault_name(sim_fault fault)
{
    return fault_names[fault];
}

void sim_struck(sim *s, sim_fault fault)
{
    s->totals->faults[fault]++;
    sim_tell(s, "fault: %s", fault_texts[fault]);
}

bool sim_strikes(sim *s, sim_fault fault)
{
    if (s->quiet || s->rates[fault] == 0 || sim_below(s, 1000) >= s->rates[fault]) {
        return false;
    }
    sim_struck(s, fault);
    return true;
}

/* ---- workers ---- */

static int64_t clock_now(void *context)
{
    return ((const sim *)context)->now_ms;
}

static void log_line(void *context, const char *line, size_t size)
{
    sim *s = (sim *)context;
    sim_tell(s, "    %.*s", (int)(size > 0 ? size - 1 : 0), line);
}

static void config_open(sim *s, int32_t index)
{
    sim_worker *w = &s->workers[index];
    if (w->used) {
        engine_config_deinit(&w->config);
    }
    engine_config_init(&w->config);
    w->config.log = base_slice_of("memory:sim");
    sim_need(s, engine_config_finish(&w->config, NULL), NULL, "a configuration");
    w->config.partitions = s->config.partitions;
    w->config.batch_max = s->config.batch_max;
    w->config.snapshot_entries = s->config.snapshot_entries;
    w->config.snapshot_interval_ms = s->config.snapshot_interval_ms;
    w->config.session_timeout_ms = s->config.session_timeout_ms;
    w->config.early_max = s->config.early_max;
    w->used = true;
}

/* Opens the worker; `as` is whose identity it has. */
static void worker_open(sim *s, int32_t index, int32_t as)
{
    static const char *const identities[] = {"one", "two", "three", "four"};
    sim_worker *w = &s->workers[index];
    char name[32];
    config_open(s, index);
    (void)snprintf(name, sizeof(name), "worker-%d-%d", (int)index, (int)s->opened++);
    if (s->is_static) {
        w->config.identity = base_slice_of(identities[as]);
    }
    (void)snprintf(w->identity, sizeof(w->identity), "troupe-%s",
                   s->is_static ? identities[as] : name);
    const engine_clock clock = {.now_ms = clock_now, .steady_ms = clock_now, .context = s};
    engine_worker_options options = {
        .config = &w->config, .store = s->store, .clock = clock, .name = base_slice_of(name)};
    engine_logger_init(&options.logger, s->trace ? ENGINE_LOG_INFO : ENGINE_LOG_ERROR, false,
                       clock);
    options.logger.write = log_line;
    options.logger.context = s;
    base_error error;
    base_error_clear(&error);
    const base_status status = engine_worker_open(&options, &w->worker, &error);
    w->wanted = true;
    w->paused_until_ms = 0;
    if (base_failed(status)) {
        w->worker = NULL;
        if (status.code != BASE_UNREACHABLE) {
            sim_violate(s, SIM_CHECK_WORKER_LIVES, "a worker does not open: %s: %s",
                        base_status_name(status), error.text);
        }
    }
}

void sim_worker_close(sim *s, int32_t index, bool killed)
{
    sim_worker *w = &s->workers[index];
    if (killed && w->worker != NULL) {
        /* So that close, which would write a batch that waits, cannot: a killed process does not.
         */
        (void)log_memory_fence(s->store, base_slice_of(w->identity));
    }
    engine_worker_close(w->worker, !killed);
    w->worker = NULL;
}

void sim_workers_open(sim *s)
{
    for (int32_t i = 0; i < s->worker_count; i++) {
        worker_open(s, i, i);
    }
}

/* A worker that runs, or -1. */
static int32_t any_worker(sim *s)
{
    const int32_t first = (int32_t)sim_below(s, SIM_WORKER_MAX);
    for (int32_t i = 0; i < SIM_WORKER_MAX; i++) {
        const int32_t index = (first + i) % SIM_WORKER_MAX;
        if (s->workers[index].worker != NULL && s->workers[index].paused_until_ms == 0) {
            return index;
        }
    }
    return -1;
}

static void step(sim *s, int32_t index)
{
    sim_worker *w = &s->workers[index];
    base_error error;
    base_error_clear(&error);
    const base_status status = engine_worker_step(w->worker, 0, &error);
    s->totals->checks[SIM_CHECK_WORKER_LIVES]++;
    if (!base_failed(status)) {
        return;
    }
    if (status.code != BASE_FENCED || !s->is_static) {
        sim_violate(s, SIM_CHECK_WORKER_LIVES, "worker %d ends: %s: %s", (int)index,
                    base_status_name(status), error.text);
    }
    sim_tell(s, "worker %d was fenced", (int)index);
    sim_worker_close(s, index, true);
    /* Its twin has the identity now; alone, it comes again. */
    w->wanted = index < s->worker_count && s->workers[SIM_WORKER_MAX - 1].worker == NULL;
}

/* Steps every worker that runs, opens those that are to run; true: all of them are idle. */
bool sim_workers_step(sim *s)
{
    bool idle = true;
    for (int32_t i = 0; i < SIM_WORKER_MAX && !s->failed; i++) {
        sim_worker *w = &s->workers[i];
        if (w->wanted && w->worker == NULL && !s->down) {
            worker_open(s, i, i);
        }
        if (w->paused_until_ms > s->now_ms) {
            continue;
        }
        if (w->paused_until_ms != 0) {
            w->paused_until_ms = 0;
            sim_tell(s, "worker %d wakes", (int)i);
        }
        if (w->worker != NULL && (s->quiet || sim_percent(s, 80))) {
            step(s, i);
            idle = idle && (w->worker == NULL || engine_worker_idle(w->worker));
        }
    }
    return idle;
}

/* ---- faults ---- */

static void fail_commit(sim *s, sim_fault fault, log_memory_fault how)
{
    const int32_t index = any_worker(s);
    if (index >= 0 && !s->down && sim_strikes(s, fault)) {
        s->broken = s->broken || how >= LOG_MEMORY_COMMIT_ZOMBIE;
        s->ghosts = s->ghosts || how == LOG_MEMORY_COMMIT_ZOMBIE || how == LOG_MEMORY_COMMIT_TORN;
        s->hidden =
            s->hidden || how == LOG_MEMORY_COMMIT_UNKNOWN_OPEN || how == LOG_MEMORY_COMMIT_LATE;
        sim_need(s,
                 log_memory_fail_commit(s->store, base_slice_of(s->workers[index].identity), how),
                 NULL, "a failing commit");
    }
}

static void commits(sim *s)
{
    fail_commit(s, SIM_COMMIT_ABORTED, LOG_MEMORY_COMMIT_ABORTED);
    fail_commit(s, SIM_COMMIT_UNREACHABLE, LOG_MEMORY_COMMIT_UNREACHABLE);
    fail_commit(s, SIM_COMMIT_UNKNOWN_APPLIED, LOG_MEMORY_COMMIT_UNKNOWN_APPLIED);
    fail_commit(s, SIM_COMMIT_UNKNOWN_OPEN, LOG_MEMORY_COMMIT_UNKNOWN_OPEN);
    fail_commit(s, SIM_COMMIT_LATE, LOG_MEMORY_COMMIT_LATE);
    fail_commit(s, SIM_COMMIT_ZOMBIE, LOG_MEMORY_COMMIT_ZOMBIE);
    fail_commit(s, SIM_COMMIT_TWICE, LOG_MEMORY_COMMIT_TWICE);
    fail_commit(s, SIM_COMMIT_TORN, LOG_MEMORY_COMMIT_TORN);
    if (sim_percent(s, 5)) {
        (void)log_memory_deliver(s->store);
    }
}

/* The worker dies in its next commit, which was applied or was not. */
static void kill_in_commit(sim *s, sim_fault fault, log_memory_fault how)
{
    const int32_t index = any_worker(s);
    if (index < 0 || !sim_strikes(s, fault)) {
        return;
    }
    sim_need(s, log_memory_fail_commit(s->store, base_slice_of(s->workers[index].identity), how),
             NULL, "a failing commit");
    s->hidden = s->hidden || how == LOG_MEMORY_COMMIT_UNKNOWN_OPEN;
    step(s, index);
    sim_worker_close(s, index, true);
}

static void processes(sim *s)
{
    const int32_t index = any_worker(s);
    if (index < 0) {
        return;
    }
    sim_worker *w = &s->workers[index];
    if (sim_strikes(s, SIM_KILL)) {
        sim_worker_close(s, index, true);
        return;
    }
    if (sim_strikes(s, SIM_PAUSE)) {
        w->paused_until_ms = s->now_ms + s->session_ms + 1 + (int64_t)sim_below(s, 10000);
        return;
    }
    sim_worker *twin = &s->workers[SIM_WORKER_MAX - 1];
    if (index < s->worker_count && twin->worker == NULL && !twin->wanted && !s->down &&
        sim_strikes(s, SIM_TWIN)) {
        worker_open(s, SIM_WORKER_MAX - 1, index);
        twin->wanted = false;
        return;
    }
    if (sim_strikes(s, SIM_REBALANCE)) {
        sim_worker_close(s, index, false);
        w->wanted = false;
        for (int32_t i = 0; i < s->worker_count; i++) {
            if (i != index && s->workers[i].worker == NULL) {
                s->workers[i].wanted = true;
            }
        }
        w->wanted = s->worker_count == 1 || sim_percent(s, 50);
    }
}

/* Retention takes away what all have read. */
static void cut(sim *s)
{
    const engine_partition *fold = &s->folds[sim_below(s, (uint32_t)s->partitions)];
    for (size_t i = 0; i < fold->source_count; i++) {
        const engine_source *source = &fold->sources[i];
        if (source->known_committed && source->committed > 0 && sim_strikes(s, SIM_RETENTION)) {
            sim_need(s,
                     log_memory_truncate(s->store, source->topic, source->partition,
                                         (int64_t)sim_below(s, (uint32_t)source->committed + 1),
                                         -1),
                     NULL, "retention");
        }
    }
}

static void broker(sim *s)
{
    if (s->down && s->now_ms >= s->down_until_ms) {
        log_memory_set_down(s->store, false);
        s->down = false;
        sim_tell(s, "broker up");
    } else if (!s->down && sim_strikes(s, SIM_BROKER_DOWN)) {
        log_memory_set_down(s->store, true);
        s->down = true;
        s->down_until_ms = s->now_ms + 1 + (int64_t)sim_below(s, 20000);
    }
    if (!s->down) {
        cut(s);
    }
}

static void group(sim *s)
{
    const int32_t index = any_worker(s);
    if (sim_strikes(s, SIM_EXPEL)) {
        (void)log_memory_expel(s->store, base_slice_of("troupe"), (base_slice){NULL, 0});
    }
    if (index >= 0 && sim_strikes(s, SIM_FENCE)) {
        (void)log_memory_fence(s->store, base_slice_of(s->workers[index].identity));
    }
}

void sim_faults_turn(sim *s)
{
    commits(s);
    kill_in_commit(s, SIM_KILL_AFTER_COMMIT, LOG_MEMORY_COMMIT_UNKNOWN_APPLIED);
    kill_in_commit(s, SIM_KILL_BEFORE_COMMIT, LOG_MEMORY_COMMIT_UNKNOWN_OPEN);
    processes(s);
    broker(s);
    group(s);
    if (sim_strikes(s, SIM_CLOCK_JUMP)) {
        s->now_ms += (int64_t)sim_below(s, 120000);
    }
    if (sim_strikes(s, SIM_SUSPEND)) {
        sim_world_suspend(s);
    }
    if (sim_strikes(s, SIM_ABORT)) {
        sim_world_abort(s);
    }
}

void sim_faults_heal(sim *s)
{
    log_memory_set_down(s->store, false);
    s->down = false;
    (void)log_memory_deliver(s->store);
    for (int32_t i = 0; i < SIM_WORKER_MAX; i++) {
        s->workers[i].paused_until_ms = 0;
        s->workers[i].wanted = i < s->worker_count && s->workers[SIM_WORKER_MAX - 1].worker == NULL;
    }
}
