/* Findings: what a saga file's author is told, many at once (docs/saga-language.md, C). */
#include <stdarg.h>

#include "base/assert.h"
#include "saga/plan.h"

void saga_findings_init(saga_findings *findings, base_arena *arena)
{
    *findings = (saga_findings){.arena = arena};
}

static bool is_error(const char *check)
{
    return check[0] != 'W' && check[0] != 'H';
}

base_error *saga_findings_add(saga_findings *findings, const char *check, base_slice path,
                              base_place place, const char *format, ...)
{
    if (findings->items == NULL) {
        findings->items = BASE_ARENA_ARRAY(findings->arena, base_error, SAGA_FINDING_MAX + 1);
        /* A few kilobytes at the start of a compile: if even they are not to be had, there is
         * nobody to tell. */
        BASE_ASSERT(findings->items != NULL);
    }
    base_error *item = &findings->items[findings->count];
    base_error_clear(item);
    if (findings->count < SAGA_FINDING_MAX)
        findings->count++;
    else
        findings->more++;
    findings->error_count += is_error(check) ? 1 : 0;
    va_list arguments;
    va_start(arguments, format);
    const base_status status = base_error_set_list(item, BASE_BAD_INPUT, format, arguments);
    va_end(arguments);
    BASE_ASSERT(base_failed(status));
    base_error_check(item, check);
    base_error_path(item, path);
    base_error_place(item, base_place_line(place), base_place_column(place));
    return item;
}
