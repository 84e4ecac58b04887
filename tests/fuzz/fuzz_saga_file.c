/* schemas/saga_file.h and saga/plan.h: from text to plan. An error is told; what is right reads
 * back from its canonical form with the same name. */
#include "saga/plan.h"
#include "schemas/saga_file.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    saga_findings findings;
    saga_findings_init(&findings, &arena);
    saga_definition definition = {0};
    base_slice path = base_slice_of("fuzz.saga.yaml");
    base_status parsed =
        schema_saga_parse(base_slice_make(data, size), path, &arena, &definition, &findings);
    FUZZ_MUST(!base_failed(parsed) || findings.error_count > 0);
    if (!base_failed(parsed)) {
        saga_definition again = {0};
        saga_findings more;
        saga_findings_init(&more, &arena);
        FUZZ_MUST(!base_failed(schema_saga_parse(
            definition.canonical, base_slice_of("fuzz.saga.json"), &arena, &again, &more)));
        FUZZ_MUST(base_slice_is(base_slice_of(definition.hash), again.hash));
        const saga_plan *plan = NULL;
        base_status compiled = saga_plan_compile(&definition, &arena, &plan, &findings);
        FUZZ_MUST(!base_failed(compiled) ? plan != NULL : findings.error_count > 0);
    }
    base_arena_deinit(&arena);
    return 0;
}
