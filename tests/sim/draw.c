/*
 * What a seed draws: sagas, sizes, faults and their rates. Each run has its own subset of faults
 * (swarm testing): a run without cancels finds what a run with everything hides.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "saga/plan.h"
#include "schemas/saga_file.h"
#include "tests/core/generator.h"
#include "tests/sim/sim.h"

/* A saga file that is performed, and what starts it. Files of one group share event types, so one
 * run has at most one of each. */
typedef struct file_saga {
    const char *path;
    const char *start_event;
    int group;
    bool again;
} file_saga;

static const file_saga files[] = {
    {"examples/order-fulfilment/order-fulfilment.saga.yaml", "order.placed", 0, false},
    {"tests/golden/sagas/order.saga.yaml", "order.placed", 0, false},
    {"examples/signup/signup.saga.yaml", "account.created", 1, false},
    {"tests/golden/sagas/accept.saga.yaml", "go", 2, false},
    {"tests/golden/sagas/again.saga.yaml", "begin", 2, true},
    {"tests/golden/sagas/chain.saga.yaml", "go", 2, false},
    {"tests/golden/sagas/chain_parallel.saga.yaml", "go", 2, false},
    {"tests/golden/sagas/chain_reverse.saga.yaml", "go", 2, false},
    {"tests/golden/sagas/joins.saga.yaml", "go", 2, false},
    {"tests/golden/sagas/late.saga.yaml", "go", 2, false},
    {"tests/golden/sagas/tries.saga.yaml", "go", 2, false},
    {"tests/golden/sagas/watch.saga.yaml", "go", 2, false},
};
#define FILE_COUNT ((uint32_t)(sizeof(files) / sizeof(files[0])))

static base_slice read_file(sim *s, const char *path)
{
    char full[1024];
    (void)snprintf(full, sizeof(full), "%s/%s", TEST_ROOT_DIR, path);
    FILE *file = fopen(full, "rb");
    BASE_ASSERT(file != NULL);
    char *text = (char *)base_arena_alloc(&s->arena, 65536);
    BASE_ASSERT(text != NULL);
    const size_t size = fread(text, 1, 65536, file);
    (void)fclose(file);
    return base_slice_make(text, size);
}

static sim_saga *add_saga(sim *s, base_slice text, const char *path)
{
    saga_definition *definition = BASE_ARENA_NEW(&s->arena, saga_definition);
    saga_findings findings;
    base_error error;
    base_error_clear(&error);
    bool is_new = false;
    saga_findings_init(&findings, &s->arena);
    sim_need(s, schema_saga_parse(text, base_slice_of(path), &s->arena, definition, &findings),
             findings.count > 0 ? &findings.items[0] : NULL, path);
    sim_need(s,
             engine_catalog_deploy(&s->catalog, definition, s->now_ms, &is_new, &findings, &error),
             findings.count > 0 ? &findings.items[0] : &error, path);
    sim_saga *saga = &s->sagas[s->saga_count++];
    saga->plan = engine_catalog_plan(&s->catalog, definition->hash)->plan;
    return saga;
}

static void draw_sagas(sim *s)
{
    bool taken[3] = {false, false, false};
    const uint32_t generated = sim_percent(s, 85) ? 1 + sim_below(s, 2) : 0;
    for (uint32_t i = 0; i < generated; i++) {
        char name[16];
        generator_text *text = BASE_ARENA_NEW(&s->arena, generator_text);
        (void)snprintf(name, sizeof(name), "g%u", i + 1);
        (void)generator_saga(&s->random, name, text);
        sim_saga *saga = add_saga(s, base_slice_make(text->text, text->size), "generated.json");
        saga->start_event = "go";
        saga->generated = true;
        sim_tell(s, "saga %s", text->text);
    }
    const uint32_t wanted = generated == 0 ? 1 + sim_below(s, 2) : sim_below(s, 3);
    for (uint32_t i = 0; i < wanted; i++) {
        const file_saga *file = &files[sim_below(s, FILE_COUNT)];
        if (taken[file->group]) {
            continue;
        }
        taken[file->group] = true;
        sim_saga *saga = add_saga(s, read_file(s, file->path), file->path);
        saga->start_event = file->start_event;
        saga->again = file->again;
        sim_tell(s, "saga %s", file->path);
    }
}

static void draw_topics(sim *s)
{
    /* Topics of the sagas have partition counts of their own: then events are forwarded. */
    for (int32_t i = 0; i < s->saga_count; i++) {
        for (int32_t k = 0; k < s->sagas[i].plan->service_count; k++) {
            const saga_service *service = &s->sagas[i].plan->services[k];
            log_topic_options options[2] = {{.name = service->asks}, {.name = service->events}};
            for (size_t t = 0; t < 2; t++) {
                options[t].partition_count = 1 + (int32_t)sim_below(s, 4);
                options[t].retention_ms = -1;
                options[t].retention_size = -1;
            }
            sim_need(s, log_topics_ensure(s->store, options, 2, 1000, NULL), NULL, "topics");
        }
    }
}

static void draw_faults(sim *s)
{
    static const uint32_t rates[] = {2, 5, 10, 25};
    static const uint32_t message_rates[] = {10, 50, 150, 300};
    const bool may_break = sim_percent(s, 25);
    for (int32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        const bool of_messages = i >= SIM_DUPLICATE_RECORD && i <= SIM_UNDO_FAILS;
        const bool on = sim_percent(s, 40);
        const uint32_t rate = of_messages ? message_rates[sim_below(s, 4)] : rates[sim_below(s, 4)];
        s->rates[i] = on ? rate : 0;
    }
    if (!may_break) {
        s->rates[SIM_COMMIT_ZOMBIE] = 0;
        s->rates[SIM_COMMIT_TWICE] = 0;
        s->rates[SIM_COMMIT_TORN] = 0;
    }
    if (s->is_static) {
        s->rates[SIM_REBALANCE] /= 2;
    } else {
        s->rates[SIM_TWIN] = 0;
    }
    s->success_percent = 40 + sim_below(s, 61);
}

void sim_draw(sim *s)
{
    static const int64_t batches[] = {1, 2, 5, 100, 1000};
    static const int64_t snapshots[] = {1, 3, 10, 50, 10000};
    static const int64_t sessions[] = {3000, 10000, 45000};
    s->config.batch_max = batches[sim_below(s, 5)];
    s->config.snapshot_entries = snapshots[sim_below(s, 5)];
    s->config.snapshot_interval_ms = 100 + (int64_t)sim_below(s, 60000);
    s->config.session_timeout_ms = sessions[sim_below(s, 3)];
    s->config.early_max = sim_percent(s, 10) ? 1 : 10000;
    s->session_ms = s->config.session_timeout_ms;
    s->worker_count = 1 + (int32_t)sim_below(s, 3);
    s->is_static = sim_percent(s, 50);
    draw_sagas(s);
    draw_topics(s);
    draw_faults(s);
}
