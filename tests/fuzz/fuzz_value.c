/* base/codec.h: a value tree from Avro bytes. */
#include "base/codec.h"
#include "tests/fuzz/fuzz.h"

/* The tree as bytes; they are canonical. */
static base_slice written(base_arena *arena, const base_value *value)
{
    base_writer writer;
    base_writer_begin(&writer, arena);
    base_write_value(&writer, value);
    base_slice bytes = {NULL, 0};
    FUZZ_MUST(!base_failed(base_writer_end(&writer, &bytes)));
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_value value = base_value_null();
    base_reader reader;
    base_reader_begin(&reader, base_slice_make(data, size));
    base_read_value(&reader, &arena, &value);
    if (!base_failed(base_reader_status(&reader, true))) {
        base_slice first = written(&arena, &value);
        base_value again = base_value_null();
        base_reader_begin(&reader, first);
        base_read_value(&reader, &arena, &again);
        FUZZ_MUST(!base_failed(base_reader_status(&reader, true)));
        FUZZ_MUST(base_value_equal(&value, &again));
        FUZZ_MUST(base_slice_equal(first, written(&arena, &again)));
    }
    base_arena_deinit(&arena);
    return 0;
}
