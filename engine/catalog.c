#include "engine/catalog.h"

#include <string.h>

#include "base/assert.h"
#include "engine/memory.h"
#include "engine/scan.h"
#include "schemas/definition.h"
#include "schemas/saga_file.h"

#define PLAN_ARENA_SIZE_MAX ((size_t)64 * 1024 * 1024)

void engine_catalog_init(engine_catalog *catalog, log_store *store, const engine_topics *topics,
                         const engine_logger *logger)
{
    *catalog = (engine_catalog){
        .store = store, .topics = topics, .logger = logger, .next_offset = LOG_OFFSET_BEGIN};
}

static void topics_clear(engine_catalog *catalog)
{
    for (size_t i = 0; i < catalog->source_count; i++) {
        engine_memory_free(catalog->sources[i].plans);
    }
    catalog->source_count = 0;
    catalog->output_count = 0;
}

void engine_catalog_deinit(engine_catalog *catalog)
{
    topics_clear(catalog);
    for (size_t i = 0; i < catalog->plan_count; i++) {
        base_arena_deinit(&catalog->plans[i]->arena);
        engine_memory_free(catalog->plans[i]);
    }
    for (size_t i = 0; i < catalog->pointer_count; i++) {
        engine_memory_free(catalog->pointers[i].saga.data);
    }
    engine_memory_free(catalog->plans);
    engine_memory_free(catalog->pointers);
    engine_memory_free(catalog->sources);
    engine_memory_free(catalog->outputs);
    *catalog = (engine_catalog){.store = NULL};
}

/* ---- looking ---- */

static engine_plan *plan_of(const engine_catalog *catalog, const char *hash)
{
    for (size_t i = 0; i < catalog->plan_count; i++) {
        if (memcmp(catalog->plans[i]->plan->hash, hash, 64) == 0) {
            return catalog->plans[i];
        }
    }
    return NULL;
}

const engine_plan *engine_catalog_plan(const engine_catalog *catalog, const char *hash)
{
    return plan_of(catalog, hash);
}

const engine_plan *engine_catalog_newest(const engine_catalog *catalog, base_slice saga)
{
    for (size_t i = 0; i < catalog->plan_count; i++) {
        const engine_plan *plan = catalog->plans[i];
        if (plan->newest && base_slice_equal(plan->plan->saga, saga)) {
            return plan;
        }
    }
    return NULL;
}

static engine_pointer *pointer_of(const engine_catalog *catalog, base_slice saga, int64_t version)
{
    for (size_t i = 0; i < catalog->pointer_count; i++) {
        engine_pointer *pointer = &catalog->pointers[i];
        if (pointer->version == version && base_slice_equal(pointer->saga, saga)) {
            return pointer;
        }
    }
    return NULL;
}

const engine_plan *engine_catalog_version(const engine_catalog *catalog, base_slice saga,
                                          int64_t version)
{
    const engine_pointer *pointer = pointer_of(catalog, saga, version);
    return pointer == NULL ? NULL : plan_of(catalog, pointer->hash);
}

static engine_topic *source_of(const engine_catalog *catalog, base_slice topic)
{
    for (size_t i = 0; i < catalog->source_count; i++) {
        if (base_slice_equal(catalog->sources[i].name, topic)) {
            return &catalog->sources[i];
        }
    }
    return NULL;
}

const engine_topic *engine_catalog_source(const engine_catalog *catalog, base_slice topic)
{
    return source_of(catalog, topic);
}

/* ---- what follows from plans and pointers ---- */

static void newest_mark(engine_catalog *catalog)
{
    for (size_t i = 0; i < catalog->plan_count; i++) {
        catalog->plans[i]->newest = false;
    }
    for (size_t i = 0; i < catalog->pointer_count; i++) {
        const engine_pointer *pointer = &catalog->pointers[i];
        engine_plan *plan = plan_of(catalog, pointer->hash);
        bool newer = false;
        for (size_t k = 0; k < catalog->pointer_count; k++) {
            const engine_pointer *other = &catalog->pointers[k];
            newer = newer || (other->version > pointer->version &&
                              base_slice_equal(other->saga, pointer->saga) &&
                              plan_of(catalog, other->hash) != NULL);
        }
        if (plan != NULL && !newer) {
            plan->newest = true;
        }
    }
}

static void output_add(engine_catalog *catalog, base_slice topic)
{
    if (topic.size == 0) {
        return;
    }
    for (size_t i = 0; i < catalog->output_count; i++) {
        if (base_slice_equal(catalog->outputs[i], topic)) {
            return;
        }
    }
    catalog->outputs = (base_slice *)engine_memory_reserve(
        catalog->outputs, &catalog->output_capacity, catalog->output_count + 1, sizeof(base_slice));
    catalog->outputs[catalog->output_count++] = topic;
}

static void source_add(engine_catalog *catalog, base_slice topic, const engine_plan *plan)
{
    engine_topic *source = source_of(catalog, topic);
    if (source == NULL) {
        catalog->sources =
            (engine_topic *)engine_memory_reserve(catalog->sources, &catalog->source_capacity,
                                                  catalog->source_count + 1, sizeof(engine_topic));
        source = &catalog->sources[catalog->source_count++];
        *source = (engine_topic){.name = topic};
    }
    if (source->plan_count > 0 && source->plans[source->plan_count - 1] == plan) {
        return;
    }
    source->plans = (const engine_plan **)engine_memory_reserve(
        (void *)source->plans, &source->plan_capacity, source->plan_count + 1,
        sizeof(const engine_plan *));
    source->plans[source->plan_count++] = plan;
}

/* Does the saga look at this event, or only send it? */
static bool event_is_read(const saga_plan_event *event)
{
    return event->start != SAGA_NONE || event->abort != SAGA_NONE || event->end_early ||
           event->role_count > 0;
}

static void plan_topics(engine_catalog *catalog, const engine_plan *entry)
{
    const saga_plan *plan = entry->plan;
    for (int32_t i = 0; i < plan->event_count; i++) {
        const saga_plan_event *event = &plan->events[i];
        if (event_is_read(event)) {
            source_add(catalog, event->topic.size > 0 ? event->topic : catalog->topics->events,
                       entry);
        }
    }
    for (int32_t i = 0; i < plan->step_count; i++) {
        const saga_step *step = &plan->steps[i];
        if (step->service != SAGA_NONE && (step->ask != SAGA_NONE || step->undo.ask != SAGA_NONE)) {
            output_add(catalog, plan->services[step->service].asks);
        }
    }
    for (int kind = 0; kind < 3; kind++) {
        for (int32_t i = 0; i < plan->end_counts[kind]; i++) {
            output_add(catalog, plan->events[plan->ends[kind][i].event].topic);
        }
    }
}

/* By saga, then the newest version first: so the newest decides what no instance claims. */
static bool plan_before(const engine_plan *a, const engine_plan *b)
{
    const int order = base_slice_compare(a->plan->saga, b->plan->saga);
    if (order != 0) {
        return order < 0;
    }
    if (a->newest != b->newest) {
        return a->newest;
    }
    return a->plan->version != b->plan->version ? a->plan->version > b->plan->version
                                                : strcmp(a->plan->hash, b->plan->hash) < 0;
}

static void refresh(engine_catalog *catalog)
{
    newest_mark(catalog);
    for (size_t i = 1; i < catalog->plan_count; i++) {
        engine_plan *plan = catalog->plans[i];
        size_t at = i;
        for (; at > 0 && plan_before(plan, catalog->plans[at - 1]); at--) {
            catalog->plans[at] = catalog->plans[at - 1];
        }
        catalog->plans[at] = plan;
    }
    topics_clear(catalog);
    for (size_t i = 0; i < catalog->plan_count; i++) {
        plan_topics(catalog, catalog->plans[i]);
    }
}

/* ---- taking in ---- */

static base_status compile(const schema_definition *definition, base_arena *arena,
                           const saga_plan **plan_out, saga_findings *findings)
{
    saga_definition read;
    /* The record goes away, the plan stays. The name says that the text is JSON, whatever the file
     * was. */
    const base_slice text = base_arena_copy(arena, definition->canonical);
    const base_slice name = base_arena_print(
        arena, "%.*s@%lld.json", BASE_SLICE_ARG(definition->saga), (long long)definition->version);
    if (text.data == NULL || name.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    BASE_TRY(schema_saga_parse(text, name, arena, &read, findings));
    return saga_plan_compile(&read, arena, plan_out, findings);
}

static void first_finding(const saga_findings *findings, base_error *error)
{
    for (size_t i = 0; i < findings->count; i++) {
        const char kind = findings->items[i].check[0];
        if (kind != 'W' && kind != 'H') {
            *error = findings->items[i];
            return;
        }
    }
}

static bool plan_add(engine_catalog *catalog, const schema_definition *definition)
{
    if (plan_of(catalog, definition->hash) != NULL) {
        return false;
    }
    engine_plan *entry = (engine_plan *)engine_memory_new(1, sizeof(engine_plan));
    base_arena_init(&entry->arena, PLAN_ARENA_SIZE_MAX);
    saga_findings findings;
    saga_findings_init(&findings, &entry->arena);
    const base_status status = compile(definition, &entry->arena, &entry->plan, &findings);
    if (base_failed(status)) {
        base_error error;
        base_error_clear(&error);
        first_finding(&findings, &error);
        engine_log_failure(catalog->logger, ENGINE_LOG_ERROR, "a deployed saga does not compile",
                           status, &error);
        base_arena_deinit(&entry->arena);
        engine_memory_free(entry);
        return false;
    }
    catalog->plans =
        (engine_plan **)engine_memory_reserve((void *)catalog->plans, &catalog->plan_capacity,
                                              catalog->plan_count + 1, sizeof(engine_plan *));
    catalog->plans[catalog->plan_count++] = entry;
    ENGINE_LOG(
        catalog->logger, ENGINE_LOG_DEBUG, "plan known", ENGINE_TEXT("saga", entry->plan->saga),
        ENGINE_NUMBER("version", entry->plan->version), ENGINE_WORD("hash", entry->plan->hash));
    return true;
}

static bool pointer_add(engine_catalog *catalog, const schema_definition *definition)
{
    engine_pointer *pointer = pointer_of(catalog, definition->saga, definition->version);
    if (pointer != NULL && memcmp(pointer->hash, definition->hash, 64) == 0) {
        return false;
    }
    if (pointer == NULL) {
        catalog->pointers = (engine_pointer *)engine_memory_reserve(
            catalog->pointers, &catalog->pointer_capacity, catalog->pointer_count + 1,
            sizeof(engine_pointer));
        pointer = &catalog->pointers[catalog->pointer_count++];
        *pointer = (engine_pointer){.saga = engine_memory_copy(definition->saga),
                                    .version = definition->version};
    }
    memcpy(pointer->hash, definition->hash, sizeof(pointer->hash));
    return true;
}

void engine_catalog_add(engine_catalog *catalog, const schema_record *record, bool *changed_out)
{
    if (changed_out != NULL) {
        *changed_out = false;
    }
    if (record->value.data == NULL) {
        return;
    }
    base_error error;
    base_error_clear(&error);
    schema_definition definition;
    const base_status status = schema_definition_read(record->value, &definition, &error);
    if (base_failed(status)) {
        engine_log_failure(catalog->logger, ENGINE_LOG_ERROR,
                           "a record of the definitions cannot be read", status, &error);
        return;
    }
    const bool changed = definition.kind == SCHEMA_DEFINITION_PLAN
                             ? plan_add(catalog, &definition)
                             : pointer_add(catalog, &definition);
    if (changed) {
        refresh(catalog);
    }
    if (changed_out != NULL) {
        *changed_out = changed;
    }
}

static base_status read_one(void *context, const schema_record *record, base_error *error)
{
    (void)error;
    engine_catalog_add((engine_catalog *)context, record, NULL);
    return base_ok();
}

base_status engine_catalog_read(engine_catalog *catalog, base_error *error)
{
    return engine_scan(catalog->store, catalog->topics->definitions, 0, &catalog->next_offset,
                       read_one, catalog, error);
}

/* ---- deploying ---- */

static base_status write_record(log_writer *writer, base_slice topic,
                                const schema_definition *definition, base_slice key,
                                base_arena *arena, base_error *error)
{
    base_slice bytes = {NULL, 0};
    BASE_TRY(schema_definition_write(definition, arena, &bytes, error));
    const schema_record record = {.topic = topic, .partition = 0, .key = key, .value = bytes};
    return log_writer_append(writer, &record, error);
}

static base_status write_definition(log_writer *writer, base_slice topic,
                                    const saga_definition *source, const saga_plan *plan,
                                    int64_t now_ms, base_arena *arena, base_error *error)
{
    schema_definition definition = {.kind = SCHEMA_DEFINITION_PLAN,
                                    .saga = plan->saga,
                                    .version = plan->version,
                                    .canonical = source->canonical,
                                    .path = source->path,
                                    .deployed_at_ms = now_ms};
    memcpy(definition.hash, source->hash, sizeof(definition.hash));
    BASE_TRY(write_record(writer, topic, &definition, base_slice_of(source->hash), arena, error));
    definition.kind = SCHEMA_DEFINITION_POINTER;
    definition.canonical = (base_slice){NULL, 0};
    definition.path = (base_slice){NULL, 0};
    definition.deployed_at_ms = 0;
    const base_slice key =
        base_arena_print(arena, "%.*s@%lld", BASE_SLICE_ARG(plan->saga), (long long)plan->version);
    if (key.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    BASE_TRY(write_record(writer, topic, &definition, key, arena, error));
    size_t refused = 0;
    return log_writer_commit(writer, NULL, NULL, 0, NULL, &refused, error);
}

static base_status version_taken(const saga_plan *plan, const engine_plan *other, base_error *error)
{
    const base_status status = base_error_set(
        error, BASE_CONFLICT, "version %lld differs from the registered version %lld (%.12s)",
        (long long)plan->version, (long long)plan->version, other == NULL ? "" : other->plan->hash);
    base_error_check(error, "E901");
    base_error_path(error, plan->path);
    base_error_hint(error, "raise the version");
    return status;
}

base_status engine_catalog_deploy(engine_catalog *catalog, const saga_definition *definition,
                                  int64_t now_ms, bool *new_out, saga_findings *findings,
                                  base_error *error)
{
    BASE_ASSERT(catalog->store != NULL);
    base_arena arena;
    base_arena_init(&arena, PLAN_ARENA_SIZE_MAX);
    log_writer *writer = NULL;
    const saga_plan *plan = NULL;
    bool is_new = false;
    base_status status = saga_plan_compile(definition, &arena, &plan, findings);
    if (base_failed(status)) {
        goto out;
    }
    status = engine_catalog_read(catalog, error);
    if (base_failed(status)) {
        goto out;
    }
    const engine_pointer *pointer = pointer_of(catalog, plan->saga, plan->version);
    if (pointer != NULL && memcmp(pointer->hash, definition->hash, 64) != 0) {
        status = version_taken(plan, plan_of(catalog, pointer->hash), error);
        goto out;
    }
    is_new = pointer == NULL;
    if (is_new) {
        const log_writer_options options = {.transaction_timeout_ms = 0};
        status = log_writer_open(catalog->store, &options, &writer, error);
        if (base_failed(status)) {
            goto out;
        }
        status = write_definition(writer, catalog->topics->definitions, definition, plan, now_ms,
                                  &arena, error);
        if (base_failed(status)) {
            goto out;
        }
        status = engine_catalog_read(catalog, error);
        if (base_failed(status)) {
            goto out;
        }
        /* Somebody may have deployed another text at the same time: the last pointer counts. */
        pointer = pointer_of(catalog, plan->saga, plan->version);
        if (pointer == NULL || memcmp(pointer->hash, definition->hash, 64) != 0) {
            status = version_taken(plan, pointer == NULL ? NULL : plan_of(catalog, pointer->hash),
                                   error);
            goto out;
        }
    }
    *new_out = is_new;
out:
    log_writer_close(writer);
    base_arena_deinit(&arena);
    return status;
}
