/* schemas/json.h and base_value_json: what is read and written is the same when it is read again.
 */
#include "schemas/json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    const schema_json_options options = {.places = true};
    base_error error = {0};
    base_value value = base_value_null();
    base_value again = base_value_null();
    base_slice first = {NULL, 0};
    base_slice second = {NULL, 0};
    if (!base_failed(
            schema_json_read(base_slice_make(data, size), &options, &arena, &value, &error))) {
        FUZZ_MUST(!base_failed(base_value_json(&value, true, &arena, &first)));
        FUZZ_MUST_DO(schema_json_read(first, &options, &arena, &again, &error), error);
        FUZZ_MUST(base_value_equal(&value, &again));
        FUZZ_MUST(!base_failed(base_value_json(&again, true, &arena, &second)));
        FUZZ_MUST(base_slice_equal(first, second));
    } else {
        FUZZ_MUST(error.text[0] != '\0');
    }
    base_arena_deinit(&arena);
    return 0;
}
