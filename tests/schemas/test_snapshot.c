#include "samples.h"
#include "schemas/snapshot.h"

#define AVSC TEST_ROOT_DIR "/schemas/troupe.snapshot.avsc"

typedef struct fixture {
    base_arena arena;
    base_arena other;
    base_error error;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    base_arena_init(&f->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_arena_init(&f->other, BASE_ARENA_SIZE_DEFAULT_MAX);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    base_arena_deinit(&f->arena);
    base_arena_deinit(&f->other);
    free(f);
    return 0;
}

/* ---- samples ---- */

static saga_step_state sample_step(sampler *s)
{
    if (sample_bool(s)) {
        return (saga_step_state){0};
    }
    saga_step_state step = {.f = (uint8_t)sample_below(s, SAGA_F_COUNT),
                            .counted = (uint8_t)sample_below(s, SAGA_F_COUNT),
                            .u = (uint8_t)sample_below(s, SAGA_U_COUNT),
                            .flags = (uint16_t)sample_below(s, 2048),
                            .series = (int32_t)sample_below(s, 3),
                            .gen = (int32_t)sample_below(s, 3),
                            .undo_series = (int32_t)sample_below(s, 3),
                            .verdicts = sample(s),
                            .due_at = sample_time(s),
                            .first_at = sample_time(s),
                            .opened_order = sample_below(s, 100),
                            .ended_order = sample_below(s, 100),
                            .end = sample_text(s)};
    step.tries = step.series + (int32_t)sample_below(s, 3);
    step.undo_tries = step.undo_series + (int32_t)sample_below(s, 3);
    step.out = sample_bool(s) ? sample_pointer(s, 2) : NULL;
    step.ask_data = sample_bool(s) ? sample_pointer(s, 2) : NULL;
    step.undo_data = sample_bool(s) ? sample_pointer(s, 2) : NULL;
    return step;
}

static void sample_lists(sampler *s, saga_state *state)
{
    state->timer_count = (int32_t)sample_below(s, 4);
    state->timer_capacity = state->timer_count;
    state->timers = BASE_ARENA_ARRAY(s->arena, saga_timer, (size_t)state->timer_count);
    int64_t due_ms = sample_time(s);
    for (int32_t i = 0; i < state->timer_count; i++) {
        due_ms += (int64_t)sample_below(s, 2);
        state->timers[i] =
            (saga_timer){.kind = (saga_timer_kind)sample_below(s, SAGA_TIMER_COUNT),
                         .step = (int32_t)sample_below(s, (size_t)state->step_count + 1) - 1,
                         .number = sample_below(s, 9),
                         .due_ms = due_ms,
                         .order = (uint64_t)i * 2 + sample_below(s, 2)};
    }
    state->early_count = (int32_t)sample_below(s, 3);
    state->early_capacity = state->early_count;
    state->early = BASE_ARENA_ARRAY(s->arena, saga_early_event, (size_t)state->early_count);
    for (int32_t i = 0; i < state->early_count; i++) {
        state->early[i] =
            (saga_early_event){(uint64_t)i + 5, (int32_t)sample_below(s, 9), sample_pointer(s, 2)};
    }
    state->event_count = (int32_t)sample_below(s, 5);
    state->events = (const base_value **)base_arena_alloc_zero(s->arena, (size_t)state->event_count,
                                                               sizeof(base_value *));
    state->occurred = BASE_ARENA_ARRAY(s->arena, uint8_t, (size_t)state->event_count);
    for (int32_t i = 0; i < state->event_count; i++) {
        state->events[i] = sample_bool(s) ? sample_pointer(s, 1) : NULL;
        state->occurred[i] = sample_bool(s) ? 1 : 0;
    }
}

static void sample_seen(sampler *s, saga_state *state)
{
    const bool full = sample_below(s, 8) == 0;
    state->seen_count = full ? SAGA_SEEN_MAX : (int32_t)sample_below(s, 20);
    state->seen_capacity = state->seen_count;
    state->seen_next = full ? (int32_t)sample_below(s, SAGA_SEEN_MAX) : 0;
    state->seen = BASE_ARENA_ARRAY(s->arena, uint64_t, (size_t)state->seen_count);
    for (int32_t i = 0; i < state->seen_count; i++) {
        state->seen[i] = sample(s);
    }
}

static saga_state sample_state(sampler *s)
{
    saga_state state;
    saga_state_init(&state);
    state.saga = sample_text(s);
    state.key = sample_text(s);
    if (sample_bool(s)) {
        sample_hex(s, state.plan_hash, 64);
    }
    state.incarnation = (int32_t)sample_below(s, 20);
    state.id = sample_bool(s)
                   ? base_arena_print(s->arena, "%.*s/%d/%.*s", BASE_SLICE_ARG(state.saga),
                                      (int)state.incarnation, BASE_SLICE_ARG(state.key))
                   : sample_text(s);
    state.phase = (uint8_t)sample_below(s, SAGA_PHASE_COUNT);
    state.flags = (uint32_t)sample_below(s, 64);
    state.seq = sample_below(s, 1000);
    state.at_ms = sample_time(s);
    state.started_ms = sample_time(s);
    state.ended_ms = sample_bool(s) ? 0 : sample_time(s);
    state.order = sample_below(s, 1000);
    state.end_count = (uint32_t)sample_below(s, 3);
    state.end_published = (uint8_t)sample_below(s, SAGA_PHASE_COUNT);
    state.data = sample_bool(s) ? sample_pointer(s, 3) : NULL;
    state.cause = sample_bool(s) ? sample_pointer(s, 1) : NULL;
    state.step_count = (int32_t)sample_below(s, 6);
    state.steps = BASE_ARENA_ARRAY(s->arena, saga_step_state, (size_t)state.step_count);
    for (int32_t i = 0; i < state.step_count; i++) {
        state.steps[i] = sample_step(s);
    }
    sample_lists(s, &state);
    sample_seen(s, &state);
    return state;
}

static base_slice write_state(const saga_state *state, base_arena *arena)
{
    base_slice bytes = {0};
    assert_int_equal(schema_snapshot_write(state, arena, &bytes, NULL).code, BASE_OK);
    return bytes;
}

/* ---- comparing ---- */

static void assert_step_equal(const saga_step_state *a, const saga_step_state *b)
{
    assert_int_equal(a->f, b->f);
    assert_int_equal(a->counted, b->counted);
    assert_int_equal(a->u, b->u);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->tries, b->tries);
    assert_int_equal(a->series, b->series);
    assert_int_equal(a->gen, b->gen);
    assert_int_equal(a->undo_tries, b->undo_tries);
    assert_int_equal(a->undo_series, b->undo_series);
    assert_int_equal(a->verdicts, b->verdicts);
    assert_int_equal(a->due_at, b->due_at);
    assert_int_equal(a->first_at, b->first_at);
    assert_int_equal(a->opened_order, b->opened_order);
    assert_int_equal(a->ended_order, b->ended_order);
    assert_slice_equal(a->end, b->end);
    assert_value_equal(a->out, b->out);
    assert_value_equal(a->ask_data, b->ask_data);
    assert_value_equal(a->undo_data, b->undo_data);
}

static void assert_lists_equal(const saga_state *a, const saga_state *b)
{
    assert_int_equal(a->timer_count, b->timer_count);
    for (int32_t i = 0; i < a->timer_count; i++) {
        assert_int_equal(a->timers[i].kind, b->timers[i].kind);
        assert_int_equal(a->timers[i].step, b->timers[i].step);
        assert_int_equal(a->timers[i].number, b->timers[i].number);
        assert_int_equal(a->timers[i].due_ms, b->timers[i].due_ms);
        assert_int_equal(a->timers[i].order, b->timers[i].order);
    }
    assert_int_equal(a->early_count, b->early_count);
    for (int32_t i = 0; i < a->early_count; i++) {
        assert_int_equal(a->early[i].order, b->early[i].order);
        assert_int_equal(a->early[i].event, b->early[i].event);
        assert_value_equal(a->early[i].record, b->early[i].record);
    }
    assert_int_equal(a->event_count, b->event_count);
    for (int32_t i = 0; i < a->event_count; i++) {
        assert_value_equal(a->events[i], b->events[i]);
        assert_int_equal(a->occurred[i], b->occurred[i]);
    }
    assert_int_equal(a->seen_count, b->seen_count);
    for (int32_t i = 0; i < a->seen_count; i++) {
        assert_int_equal(a->seen[(a->seen_next + i) % a->seen_count],
                         b->seen[(b->seen_next + i) % b->seen_count]);
    }
}

static void assert_state_equal(const saga_state *a, const saga_state *b)
{
    assert_slice_equal(a->saga, b->saga);
    assert_slice_equal(a->key, b->key);
    assert_string_equal(a->plan_hash, b->plan_hash);
    assert_int_equal(a->incarnation, b->incarnation);
    assert_slice_equal(a->id, b->id);
    assert_int_equal(a->phase, b->phase);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->at_ms, b->at_ms);
    assert_int_equal(a->started_ms, b->started_ms);
    assert_int_equal(a->ended_ms, b->ended_ms);
    assert_int_equal(a->order, b->order);
    assert_int_equal(a->end_count, b->end_count);
    assert_int_equal(a->end_published, b->end_published);
    assert_value_equal(a->data, b->data);
    assert_value_equal(a->cause, b->cause);
    assert_int_equal(a->step_count, b->step_count);
    for (int32_t i = 0; i < a->step_count; i++) {
        assert_step_equal(&a->steps[i], &b->steps[i]);
    }
    assert_lists_equal(a, b);
}

/* ---- tests ---- */

static void test_snapshot__states_come_back_as_they_were(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    for (size_t i = 0; i < 2000; i++) {
        base_arena_reset(&f->arena);
        base_arena_reset(&f->other);
        const saga_state sampled = sample_state(&s);
        saga_state read;
        schema_snapshot_kind kind = SCHEMA_SNAPSHOT_CHECKPOINT;
        const base_slice bytes = write_state(&sampled, &f->arena);
        assert_int_equal(schema_snapshot_read(bytes, &f->other, &read, &f->error).code, BASE_OK);
        assert_state_equal(&sampled, &read);
        saga_state_check(&read);
        assert_slice_equal(bytes, write_state(&read, &f->other));
        assert_int_equal(schema_snapshot_kind_of(bytes, &kind, NULL).code, BASE_OK);
        assert_int_equal(kind, SCHEMA_SNAPSHOT_STATE);
    }
}

static void test_snapshot__the_state_before_the_first_entry_is_small(void **state)
{
    fixture *f = *state;
    saga_state empty;
    saga_state read;
    saga_state_init(&empty);
    const base_slice bytes = write_state(&empty, &f->arena);
    assert_in_range(bytes.size, 10, 40);
    assert_int_equal(schema_snapshot_read(bytes, &f->arena, &read, NULL).code, BASE_OK);
    assert_state_equal(&empty, &read);
}

/* Twelve steps, four of them done with small answers, one timer: what an instance that waits is
 * like. */
static void test_snapshot__an_idle_instance_takes_hundreds_of_bytes(void **state)
{
    fixture *f = *state;
    saga_state idle;
    saga_state_init(&idle);
    const base_value id = base_value_text("order-1234567");
    base_member members[1] = {{.key = base_slice_of("orderId"), .value = id}};
    const base_value data = base_value_map(members, 1);
    saga_timer timer = {
        .kind = SAGA_TIMER_TRY, .step = 4, .due_ms = INT64_C(1700000000000), .order = 9};
    idle.saga = base_slice_of("order-fulfilment");
    idle.key = base_slice_of("order-1234567");
    idle.id = base_slice_of("order-fulfilment/0/order-1234567");
    (void)memset(idle.plan_hash, 'a', 64);
    idle.phase = SAGA_PHASE_RUNNING;
    idle.seq = 9;
    idle.at_ms = idle.started_ms = INT64_C(1700000000000);
    idle.data = &data;
    idle.step_count = 12;
    idle.steps = BASE_ARENA_ARRAY(&f->arena, saga_step_state, 12);
    for (int32_t i = 0; i < 4; i++) {
        idle.steps[i] = (saga_step_state){.f = SAGA_F_DONE,
                                          .counted = SAGA_F_DONE,
                                          .tries = 1,
                                          .verdicts = 1,
                                          .due_at = idle.at_ms,
                                          .first_at = idle.at_ms,
                                          .opened_order = 1,
                                          .ended_order = 2,
                                          .end = base_slice_of("payment.authorised"),
                                          .out = &data};
    }
    idle.timers = &timer;
    idle.timer_count = idle.timer_capacity = 1;
    const base_slice bytes = write_state(&idle, &f->arena);
    print_message("%zu bytes\n", bytes.size);
    assert_in_range(bytes.size, 100, 500);
}

static void test_snapshot__the_dedupe_ring_is_written_oldest_first(void **state)
{
    fixture *f = *state;
    uint64_t hashes[2][SAGA_SEEN_MAX];
    saga_state rings[2];
    for (int32_t ring = 0; ring < 2; ring++) {
        const int32_t first = ring * 500;
        for (int32_t i = 0; i < SAGA_SEEN_MAX; i++) {
            hashes[ring][(first + i) % SAGA_SEEN_MAX] = (uint64_t)i * 77;
        }
        saga_state_init(&rings[ring]);
        rings[ring].seen = hashes[ring];
        rings[ring].seen_count = rings[ring].seen_capacity = SAGA_SEEN_MAX;
        rings[ring].seen_next = first;
    }
    assert_slice_equal(write_state(&rings[0], &f->arena), write_state(&rings[1], &f->arena));
}

static void test_snapshot__checkpoints_come_back(void **state)
{
    fixture *f = *state;
    const schema_position positions[2] = {{base_slice_of("orders"), 3, 17},
                                          {base_slice_of("payments"), 0, 0}};
    const schema_checkpoint checkpoint = {7, 123456, 9, 1700000000000, positions, 2};
    schema_checkpoint read;
    saga_state no_state;
    schema_snapshot_kind kind = SCHEMA_SNAPSHOT_STATE;
    base_slice bytes;
    assert_int_equal(schema_checkpoint_write(&checkpoint, &f->arena, &bytes, NULL).code, BASE_OK);
    assert_int_equal(schema_checkpoint_read(bytes, &f->arena, &read, NULL).code, BASE_OK);
    assert_int_equal(read.partition, 7);
    assert_int_equal(read.journal_offset, 123456);
    assert_int_equal(read.epoch, 9);
    assert_int_equal(read.at_ms, 1700000000000);
    assert_int_equal(read.position_count, 2);
    assert_slice_equal(read.positions[1].topic, base_slice_of("payments"));
    assert_int_equal(read.positions[0].offset, 17);
    assert_int_equal(schema_snapshot_kind_of(bytes, &kind, NULL).code, BASE_OK);
    assert_int_equal(kind, SCHEMA_SNAPSHOT_CHECKPOINT);
    assert_int_equal(schema_snapshot_read(bytes, &f->arena, &no_state, &f->error).code,
                     BASE_CORRUPT);
    assert_string_equal(f->error.text, "the record is a checkpoint, no state");
    free(avro_json(AVSC, bytes));
    for (size_t size = 0; size < bytes.size; size++) {
        assert_int_equal(
            schema_checkpoint_read(base_slice_make(bytes.data, size), &f->arena, &read, NULL).code,
            BASE_CORRUPT);
    }
}

static void test_snapshot__every_truncation_is_corrupt(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    for (size_t i = 0; i < 30; i++) {
        base_arena_reset(&f->arena);
        const saga_state sampled = sample_state(&s);
        const base_slice bytes = write_state(&sampled, &f->arena);
        for (size_t size = 0; size < bytes.size; size += 1 + size / 512) {
            char *exact = malloc(size > 0 ? size : 1);
            memcpy(exact, bytes.data, size);
            saga_state read;
            base_arena_reset(&f->other);
            assert_int_equal(
                schema_snapshot_read(base_slice_make(exact, size), &f->other, &read, NULL).code,
                BASE_CORRUPT);
            free(exact);
        }
    }
}

static void test_snapshot__what_reads_after_changed_bits_is_a_state(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    size_t refused = 0;
    for (size_t i = 0; i < 10000; i++) {
        base_arena_reset(&f->arena);
        base_arena_reset(&f->other);
        const saga_state sampled = sample_state(&s);
        const base_slice bytes = write_state(&sampled, &f->arena);
        char *changed = malloc(bytes.size);
        memcpy(changed, bytes.data, bytes.size);
        for (size_t k = 0; k <= sample_below(&s, 3); k++) {
            const size_t at = 10 + sample_below(&s, bytes.size - 10);
            changed[at] = (char)(changed[at] ^ (1 << sample_below(&s, 8)));
        }
        saga_state read;
        const base_status status =
            schema_snapshot_read(base_slice_make(changed, bytes.size), &f->other, &read, NULL);
        assert_true(status.code == BASE_OK || status.code == BASE_CORRUPT);
        refused += base_failed(status) ? 1 : 0;
        if (!base_failed(status)) {
            saga_state_check(&read);
            (void)write_state(&read, &f->other);
        }
        free(changed);
    }
    assert_true(refused > 500);
}

static void test_snapshot__says_when_there_is_no_memory(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    const saga_state sampled = sample_state(&s);
    const base_slice bytes = write_state(&sampled, &f->arena);
    for (size_t size = 0; size < 32768; size += 256) {
        base_arena small;
        saga_state read;
        base_slice out;
        base_arena_init(&small, size);
        const base_code reading = schema_snapshot_read(bytes, &small, &read, NULL).code;
        assert_true(reading == BASE_OK || reading == BASE_OUT_OF_MEMORY);
        base_arena_reset(&small);
        const base_code writing = schema_snapshot_write(&sampled, &small, &out, NULL).code;
        assert_true(writing == BASE_OK || writing == BASE_OUT_OF_MEMORY);
        base_arena_deinit(&small);
    }
}

static void test_snapshot__avro_c_reads_the_same(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    for (size_t i = 0; i < 100; i++) {
        base_arena_reset(&f->arena);
        const saga_state sampled = sample_state(&s);
        char *json = avro_json(AVSC, write_state(&sampled, &f->arena));
        char expected[128];
        (void)snprintf(expected, sizeof(expected), "\"seq\": %llu",
                       (unsigned long long)sampled.seq);
        assert_non_null(strstr(json, expected));
        (void)snprintf(expected, sizeof(expected), "\"phase\": \"%s\"",
                       saga_phase_name((saga_phase)sampled.phase));
        assert_non_null(strstr(json, expected));
        free(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_snapshot__states_come_back_as_they_were, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_snapshot__the_state_before_the_first_entry_is_small,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot__an_idle_instance_takes_hundreds_of_bytes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot__the_dedupe_ring_is_written_oldest_first,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot__checkpoints_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot__every_truncation_is_corrupt, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_snapshot__what_reads_after_changed_bits_is_a_state,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot__says_when_there_is_no_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_snapshot__avro_c_reads_the_same, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
