/*
 * schemas/journal.h, snapshot.h, definition.h: records of the engine's own topics, from any bytes.
 * The input is read as it is and, so that it gets past the schema's fingerprint, as the body behind
 * each of the right beginnings.
 */
#include <string.h>

#include "schemas/definition.h"
#include "schemas/journal.h"
#include "schemas/snapshot.h"
#include "tests/fuzz/fuzz.h"

#define FRAME_SIZE 10 /* C3 01 and the fingerprint */

static void read_journal(base_slice bytes, base_arena *arena)
{
    base_error error = {0};
    schema_journal record = {0};
    schema_journal again = {0};
    base_slice first = {NULL, 0};
    base_slice second = {NULL, 0};
    if (base_failed(schema_journal_read(bytes, arena, &record, &error))) {
        return;
    }
    schema_journal_kind kind = SCHEMA_JOURNAL_ENTRY;
    uint64_t epoch = 0;
    FUZZ_MUST_DO(schema_journal_peek(bytes, &kind, &epoch, &error), error);
    FUZZ_MUST(kind == record.kind && epoch == record.epoch);
    FUZZ_MUST_DO(schema_journal_write(&record, arena, &first, &error), error);
    FUZZ_MUST_DO(schema_journal_read(first, arena, &again, &error), error);
    FUZZ_MUST_DO(schema_journal_write(&again, arena, &second, &error), error);
    FUZZ_MUST(base_slice_equal(first, second));
}

static void read_snapshot(base_slice bytes, base_arena *arena)
{
    base_error error = {0};
    saga_state state = {0};
    saga_state again = {0};
    base_slice first = {NULL, 0};
    base_slice second = {NULL, 0};
    if (!base_failed(schema_snapshot_read(bytes, arena, &state, &error))) {
        FUZZ_MUST_DO(schema_snapshot_write(&state, arena, &first, &error), error);
        FUZZ_MUST_DO(schema_snapshot_read(first, arena, &again, &error), error);
        FUZZ_MUST_DO(schema_snapshot_write(&again, arena, &second, &error), error);
        FUZZ_MUST(base_slice_equal(first, second));
    }
    schema_checkpoint checkpoint = {0};
    if (!base_failed(schema_checkpoint_read(bytes, arena, &checkpoint, &error))) {
        FUZZ_MUST_DO(schema_checkpoint_write(&checkpoint, arena, &first, &error), error);
        FUZZ_MUST_DO(schema_checkpoint_read(first, arena, &checkpoint, &error), error);
    }
    schema_definition definition = {0};
    if (!base_failed(schema_definition_read(bytes, &definition, &error))) {
        FUZZ_MUST_DO(schema_definition_write(&definition, arena, &first, &error), error);
        FUZZ_MUST_DO(schema_definition_read(first, &definition, &error), error);
    }
}

static void read_all(base_slice bytes, base_arena *arena)
{
    read_journal(bytes, arena);
    read_snapshot(bytes, arena);
}

static void read_behind(base_slice frame, base_slice body, base_arena *arena)
{
    FUZZ_MUST(frame.size >= FRAME_SIZE);
    char *bytes = base_arena_alloc(arena, FRAME_SIZE + body.size);
    if (bytes != NULL) {
        memcpy(bytes, frame.data, FRAME_SIZE);
        if (body.size > 0) {
            memcpy(bytes + FRAME_SIZE, body.data, body.size);
        }
        read_all(base_slice_make(bytes, FRAME_SIZE + body.size), arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_slice body = base_slice_make(data, size);
    read_all(body, &arena);

    base_error error = {0};
    base_slice frame = {NULL, 0};
    const schema_journal claim = {.kind = SCHEMA_JOURNAL_CLAIM, .epoch = 1};
    FUZZ_MUST_DO(schema_journal_write(&claim, &arena, &frame, &error), error);
    read_behind(frame, body, &arena);
    const schema_checkpoint checkpoint = {.epoch = 1};
    FUZZ_MUST_DO(schema_checkpoint_write(&checkpoint, &arena, &frame, &error), error);
    read_behind(frame, body, &arena);
    base_arena_deinit(&arena);
    return 0;
}
