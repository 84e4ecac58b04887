#include "engine/deploy.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/memory.h"
#include "schemas/saga_file.h"

#define PATH_SIZE 4096
#define ARENA_SIZE_MAX ((size_t)64 * 1024 * 1024)

static bool is_saga_file(const char *name)
{
    static const char *const endings[] = {".saga.yaml", ".saga.yml", ".saga.json"};
    const base_slice text = base_slice_of(name);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (base_slice_ends_with(text, base_slice_of(endings[i]))) {
            return true;
        }
    }
    return false;
}

static int saga_filter(const struct dirent *entry)
{
    return is_saga_file(entry->d_name) ? 1 : 0;
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static base_status directory_files(const char *path,
                                   base_status (*each)(void *context, const char *path,
                                                       base_error *error),
                                   void *context, base_error *error)
{
    struct dirent **entries = NULL;
    const int count = scandir(path, &entries, saga_filter, by_name);
    base_status status = base_ok();
    if (count <= 0) {
        status = base_error_set(error, BASE_NOT_FOUND, "no *.saga.yaml in \"%s\"", path);
    }
    for (int i = 0; i < count; i++) {
        char file[PATH_SIZE];
        const int size = snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
        if (!base_failed(status)) {
            status = size > 0 && size < PATH_SIZE
                         ? each(context, file, error)
                         : base_error_set(error, BASE_TOO_LARGE, "a path is too long");
        }
        engine_memory_free(entries[i]);
    }
    engine_memory_free((const void *)entries);
    return status;
}

base_status engine_deploy_files(const engine_config_list *list,
                                base_status (*each)(void *context, const char *path,
                                                    base_error *error),
                                void *context, base_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        struct stat info;
        const char *path = list->items[i].data; /* terminated: the configuration's own copy */
        if (stat(path, &info) != 0) {
            return base_error_set(error, BASE_NOT_FOUND, "cannot read \"%s\": %s", path,
                                  strerror(errno));
        }
        BASE_TRY(S_ISDIR(info.st_mode) ? directory_files(path, each, context, error)
                                       : each(context, path, error));
    }
    return base_ok();
}

/* ---- one file ---- */

typedef struct deploy_run {
    engine_catalog *catalog;
    int64_t now_ms;
    const engine_deploy_report *report;
} deploy_run;

static void report_findings(const engine_deploy_report *report, const saga_findings *findings)
{
    for (size_t i = 0; report->finding != NULL && i < findings->count; i++) {
        report->finding(report->context, &findings->items[i]);
    }
}

static base_status deploy_file(void *context, const char *path, base_error *error)
{
    const deploy_run *run = (const deploy_run *)context;
    base_arena arena;
    base_arena_init(&arena, ARENA_SIZE_MAX);
    saga_findings findings;
    saga_findings_init(&findings, &arena);
    saga_definition definition;
    bool is_new = false;
    base_status status = schema_saga_load(path, &arena, &definition, &findings);
    if (!base_failed(status)) {
        status = engine_catalog_deploy(run->catalog, &definition, run->now_ms, &is_new, &findings,
                                       error);
    }
    report_findings(run->report, &findings);
    if (base_failed(status) && findings.error_count > 0) {
        status = base_error_set(error, BASE_BAD_INPUT, "\"%s\" has %zu error%s", path,
                                findings.error_count, findings.error_count == 1 ? "" : "s");
    } else if (base_failed(status)) {
        status = base_error_set(error, status.code, "cannot deploy \"%s\": %s", path,
                                base_status_text(status));
    } else if (run->report->deployed != NULL) {
        const engine_plan *plan = engine_catalog_plan(run->catalog, definition.hash);
        if (plan != NULL) {
            const engine_deployed deployed = {path, plan->plan->saga, plan->plan->version,
                                              plan->plan->hash, is_new};
            run->report->deployed(run->report->context, &deployed);
        }
    }
    base_arena_deinit(&arena);
    return status;
}

base_status engine_deploy(engine_catalog *catalog, const engine_config_list *list, int64_t now_ms,
                          const engine_deploy_report *report, base_error *error)
{
    deploy_run run = {.catalog = catalog, .now_ms = now_ms, .report = report};
    return engine_deploy_files(list, deploy_file, &run, error);
}
