/*
 * What an idle instance costs: a step that is still as it was at the start is one byte, counters
 * that are 0 one byte each, and what is absent one byte; so a snapshot is a few hundred bytes and
 * the document.
 */
#include "schemas/snapshot.h"

#include "base/assert.h"
#include "schemas/wire.h"

#define HASH_SIZE 64

typedef enum snapshot_branch { BRANCH_STATE, BRANCH_CHECKPOINT, BRANCH_COUNT } snapshot_branch;

/* ---- writing ---- */

static bool is_untouched(const saga_step_state *step)
{
    return step->f == SAGA_F_WAITING && step->counted == SAGA_F_WAITING && step->u == SAGA_U_NO &&
           step->flags == 0 && step->tries == 0 && step->series == 0 && step->gen == 0 &&
           step->undo_tries == 0 && step->undo_series == 0 && step->verdicts == 0 &&
           step->due_at == 0 && step->first_at == 0 && step->opened_order == 0 &&
           step->ended_order == 0 && step->end.size == 0 && step->out == NULL &&
           step->ask_data == NULL && step->undo_data == NULL;
}

static void step_write(base_writer *writer, const saga_step_state *step)
{
    base_write_long(writer, is_untouched(step) ? 0 : 1);
    if (is_untouched(step)) {
        return;
    }
    base_write_long(writer, step->f);
    base_write_long(writer, step->counted);
    base_write_long(writer, step->u);
    base_write_long(writer, step->flags);
    base_write_long(writer, step->tries);
    base_write_long(writer, step->series);
    base_write_long(writer, step->gen);
    base_write_long(writer, step->undo_tries);
    base_write_long(writer, step->undo_series);
    base_write_long(writer, (int64_t)step->verdicts);
    base_write_long(writer, step->due_at);
    base_write_long(writer, step->first_at);
    schema_counter_write(writer, step->opened_order);
    schema_counter_write(writer, step->ended_order);
    base_write_bytes(writer, step->end);
    schema_optional_write(writer, step->out);
    schema_optional_write(writer, step->ask_data);
    schema_optional_write(writer, step->undo_data);
}

static void timers_write(base_writer *writer, const saga_state *state)
{
    base_write_array(writer, (size_t)state->timer_count);
    for (int32_t i = 0; i < state->timer_count; i++) {
        const saga_timer *timer = &state->timers[i];
        base_write_long(writer, timer->kind);
        base_write_long(writer, timer->step);
        schema_counter_write(writer, timer->number);
        base_write_long(writer, timer->due_ms);
        schema_counter_write(writer, timer->order);
    }
    base_write_array_end(writer, (size_t)state->timer_count);
}

static void early_write(base_writer *writer, const saga_state *state)
{
    base_write_array(writer, (size_t)state->early_count);
    for (int32_t i = 0; i < state->early_count; i++) {
        schema_counter_write(writer, state->early[i].order);
        base_write_long(writer, state->early[i].event);
        base_write_value(writer, state->early[i].record);
    }
    base_write_array_end(writer, (size_t)state->early_count);
}

static bool is_remembered(const saga_state *state, int32_t event)
{
    return (state->events != NULL && state->events[event] != NULL) ||
           (state->occurred != NULL && state->occurred[event] != 0);
}

/* Only events of which something is known. */
static void events_write(base_writer *writer, const saga_state *state)
{
    size_t count = 0;
    for (int32_t i = 0; i < state->event_count; i++) {
        count += is_remembered(state, i) ? 1 : 0;
    }
    base_write_long(writer, state->event_count);
    base_write_array(writer, count);
    for (int32_t i = 0; i < state->event_count; i++) {
        if (is_remembered(state, i)) {
            base_write_long(writer, i);
            base_write_bool(writer, state->occurred != NULL && state->occurred[i] != 0);
            schema_optional_write(writer, state->events == NULL ? NULL : state->events[i]);
        }
    }
    base_write_array_end(writer, count);
}

/* Oldest first, each 8 bytes, big-endian. */
static void seen_write(base_writer *writer, const saga_state *state)
{
    const int32_t first = state->seen_count == SAGA_SEEN_MAX ? state->seen_next : 0;
    base_write_array(writer, (size_t)state->seen_count);
    for (int32_t i = 0; i < state->seen_count; i++) {
        const uint64_t hash = state->seen[(first + i) % state->seen_count];
        unsigned char bytes[8];
        for (size_t k = 0; k < 8; k++) {
            bytes[k] = (unsigned char)(hash >> (56 - 8 * k));
        }
        base_write_raw(writer, base_slice_make(bytes, sizeof(bytes)));
    }
    base_write_array_end(writer, (size_t)state->seen_count);
}

/* Whether text is "saga/incarnation/key", which need not be written then. */
static bool is_usual_id(const saga_state *state)
{
    char digits[16];
    size_t at = sizeof(digits);
    uint32_t left = (uint32_t)state->incarnation;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    const base_slice number = base_slice_make(digits + at, sizeof(digits) - at);
    const base_slice id = state->id;
    const size_t key_at = state->saga.size + number.size + 2;
    return id.size == key_at + state->key.size && base_slice_starts_with(id, state->saga) &&
           id.data[state->saga.size] == '/' && id.data[key_at - 1] == '/' &&
           base_slice_equal(base_slice_make(id.data + state->saga.size + 1, number.size), number) &&
           base_slice_ends_with(id, state->key);
}

static void header_write(base_writer *writer, const saga_state *state)
{
    const bool usual = is_usual_id(state);
    base_write_long(writer, usual ? 0 : 1);
    if (!usual) {
        base_write_bytes(writer, state->id);
    }
    base_write_long(writer, state->phase);
    base_write_long(writer, state->flags);
    schema_counter_write(writer, state->seq);
    base_write_long(writer, state->at_ms);
    base_write_long(writer, state->started_ms);
    base_write_long(writer, state->ended_ms);
    schema_counter_write(writer, state->order);
    base_write_long(writer, state->end_count);
    base_write_long(writer, state->end_published);
    schema_optional_write(writer, state->data);
    schema_optional_write(writer, state->cause);
}

base_status schema_snapshot_write(const saga_state *state, base_arena *arena, base_slice *bytes_out,
                                  base_error *error)
{
    base_writer writer;
    base_writer_begin(&writer, arena);
    schema_head_write(&writer, SCHEMA_FINGERPRINT_SNAPSHOT);
    base_write_long(&writer, BRANCH_STATE);
    base_write_bytes(&writer, state->saga);
    base_write_bytes(&writer, state->key);
    if (!schema_hex_write(&writer, state->plan_hash, HASH_SIZE)) {
        return base_error_set(error, BASE_BAD_INPUT, "the plan hash of the state is no hex");
    }
    base_write_long(&writer, state->incarnation);
    header_write(&writer, state);
    base_write_array(&writer, (size_t)state->step_count);
    for (int32_t i = 0; i < state->step_count; i++) {
        step_write(&writer, &state->steps[i]);
    }
    base_write_array_end(&writer, (size_t)state->step_count);
    timers_write(&writer, state);
    early_write(&writer, state);
    events_write(&writer, state);
    seen_write(&writer, state);
    const base_status status = base_writer_end(&writer, bytes_out);
    return base_failed(status) ? base_error_set(error, status.code, "cannot write a snapshot: %s",
                                                base_status_text(status))
                               : status;
}

/* ---- reading ---- */

static int32_t count_read(base_reader *reader)
{
    return schema_int_read(reader, 0, INT32_MAX);
}

static void step_read(base_reader *reader, base_arena *arena, saga_step_state *step)
{
    *step = (saga_step_state){0};
    if (base_read_long_in(reader, 0, 1) == 0) {
        return;
    }
    step->f = (uint8_t)base_read_long_in(reader, 0, SAGA_F_COUNT - 1);
    step->counted = (uint8_t)base_read_long_in(reader, 0, SAGA_F_COUNT - 1);
    step->u = (uint8_t)base_read_long_in(reader, 0, SAGA_U_COUNT - 1);
    step->flags = (uint16_t)base_read_long_in(reader, 0, UINT16_MAX);
    step->tries = count_read(reader);
    step->series = count_read(reader);
    step->gen = count_read(reader);
    step->undo_tries = count_read(reader);
    step->undo_series = count_read(reader);
    step->verdicts = (uint64_t)base_read_long(reader);
    step->due_at = base_read_long(reader);
    step->first_at = base_read_long(reader);
    step->opened_order = schema_counter_read(reader);
    step->ended_order = schema_counter_read(reader);
    step->end = base_read_string(reader);
    step->out = schema_optional_read(reader, arena);
    step->ask_data = schema_optional_read(reader, arena);
    step->undo_data = schema_optional_read(reader, arena);
    if (step->series > step->tries || step->undo_series > step->undo_tries) {
        base_reader_fail(reader);
    }
}

static void steps_read(base_reader *reader, base_arena *arena, saga_state *state)
{
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        if (state->step_count == SAGA_STEP_MAX) {
            base_reader_fail(reader);
            return;
        }
        state->steps = schema_reserve(reader, arena, state->steps, (size_t)state->step_count,
                                      &capacity, sizeof(*state->steps));
        if (state->steps == NULL) {
            return;
        }
        step_read(reader, arena, &state->steps[state->step_count++]);
    }
}

static bool in_order(const saga_timer *first, const saga_timer *second)
{
    return first->due_ms < second->due_ms ||
           (first->due_ms == second->due_ms && first->order < second->order);
}

static void timers_read(base_reader *reader, base_arena *arena, saga_state *state)
{
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        const int32_t count = state->timer_count;
        state->timers = schema_reserve(reader, arena, state->timers, (size_t)count, &capacity,
                                       sizeof(*state->timers));
        if (state->timers == NULL) {
            return;
        }
        saga_timer *timer = &state->timers[count];
        timer->kind = (saga_timer_kind)base_read_long_in(reader, 0, SAGA_TIMER_COUNT - 1);
        timer->step = schema_int_read(reader, SAGA_NONE, state->step_count - 1);
        timer->number = schema_counter_read(reader);
        timer->due_ms = base_read_long(reader);
        timer->order = schema_counter_read(reader);
        if (count > 0 && !in_order(&state->timers[count - 1], timer)) {
            base_reader_fail(reader);
        }
        state->timer_count++;
    }
    state->timer_capacity = (int32_t)capacity;
}

static void early_read(base_reader *reader, base_arena *arena, saga_state *state)
{
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        const int32_t count = state->early_count;
        if (count == SAGA_EARLY_MAX) {
            base_reader_fail(reader);
            return;
        }
        base_value *record = BASE_ARENA_NEW(arena, base_value);
        if (record == NULL) {
            schema_no_memory(reader);
            return;
        }
        state->early = schema_reserve(reader, arena, state->early, (size_t)count, &capacity,
                                      sizeof(*state->early));
        if (state->early == NULL) {
            return;
        }
        state->early[count].order = schema_counter_read(reader);
        state->early[count].event = schema_int_read(reader, SAGA_NONE, SAGA_EVENT_MAX - 1);
        base_read_value(reader, arena, record);
        state->early[count].record = record;
        if (count > 0 && state->early[count - 1].order >= state->early[count].order) {
            base_reader_fail(reader);
        }
        state->early_count++;
    }
    state->early_capacity = (int32_t)capacity;
}

static void events_read(base_reader *reader, base_arena *arena, saga_state *state)
{
    const int32_t count = schema_int_read(reader, 0, SAGA_EVENT_MAX);
    int64_t left = 0;
    int32_t next = 0;
    if (count > 0) {
        state->events =
            (const base_value **)base_arena_alloc_zero(arena, (size_t)count, sizeof(base_value *));
        state->occurred = BASE_ARENA_ARRAY(arena, uint8_t, (size_t)count);
        if (state->events == NULL || state->occurred == NULL) {
            schema_no_memory(reader);
            return;
        }
    }
    while (base_read_array_next(reader, &left)) {
        const int32_t event = schema_int_read(reader, next, SAGA_EVENT_MAX - 1);
        if (event >= count) {
            base_reader_fail(reader);
            return;
        }
        state->occurred[event] = base_read_bool(reader) ? 1 : 0;
        state->events[event] = schema_optional_read(reader, arena);
        next = event + 1;
    }
    state->event_count = count;
}

static void seen_read(base_reader *reader, base_arena *arena, saga_state *state)
{
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        if (state->seen_count == SAGA_SEEN_MAX || reader->rest.size < 8) {
            base_reader_fail(reader);
            return;
        }
        state->seen = schema_reserve(reader, arena, state->seen, (size_t)state->seen_count,
                                     &capacity, sizeof(*state->seen));
        if (state->seen == NULL) {
            return;
        }
        uint64_t hash = 0;
        for (size_t k = 0; k < 8; k++) {
            hash = hash << 8 | (unsigned char)reader->rest.data[k];
        }
        reader->rest = base_slice_make(reader->rest.data + 8, reader->rest.size - 8);
        state->seen[state->seen_count++] = hash;
    }
    state->seen_capacity = (int32_t)capacity;
}

static void header_read(base_reader *reader, base_arena *arena, saga_state *state)
{
    if (base_read_long_in(reader, 0, 1) == 1) {
        state->id = base_read_string(reader);
    } else {
        state->id = base_arena_print(arena, "%.*s/%d/%.*s", BASE_SLICE_ARG(state->saga),
                                     (int)state->incarnation, BASE_SLICE_ARG(state->key));
        if (state->id.data == NULL) {
            schema_no_memory(reader);
        }
    }
    state->phase = (uint8_t)base_read_long_in(reader, 0, SAGA_PHASE_COUNT - 1);
    state->flags = (uint32_t)base_read_long_in(reader, 0, INT32_MAX);
    state->seq = schema_counter_read(reader);
    state->at_ms = base_read_long(reader);
    state->started_ms = base_read_long(reader);
    state->ended_ms = base_read_long(reader);
    state->order = schema_counter_read(reader);
    state->end_count = (uint32_t)count_read(reader);
    state->end_published = (uint8_t)base_read_long_in(reader, 0, SAGA_PHASE_COUNT - 1);
    state->data = schema_optional_read(reader, arena);
    state->cause = schema_optional_read(reader, arena);
}

/* Sets the reader behind the union's branch. */
static base_status branch_read(base_slice bytes, base_reader *reader, snapshot_branch *branch_out,
                               base_error *error)
{
    BASE_TRY(schema_head_read(bytes, SCHEMA_FINGERPRINT_SNAPSHOT, reader, error));
    *branch_out = (snapshot_branch)base_read_long_in(reader, 0, BRANCH_COUNT - 1);
    return base_failed(base_reader_status(reader, false))
               ? base_error_set(error, BASE_CORRUPT, "the snapshot record is corrupt")
               : base_ok();
}

static base_status body_begin(base_slice bytes, snapshot_branch wanted, base_reader *reader,
                              base_error *error)
{
    snapshot_branch branch = BRANCH_STATE;
    BASE_TRY(branch_read(bytes, reader, &branch, error));
    return branch == wanted ? base_ok()
                            : base_error_set(error, BASE_CORRUPT, "the record is a %s",
                                             branch == BRANCH_STATE ? "state, no checkpoint"
                                                                    : "checkpoint, no state");
}

base_status schema_snapshot_kind_of(base_slice bytes, schema_snapshot_kind *kind_out,
                                    base_error *error)
{
    base_reader reader;
    snapshot_branch branch = BRANCH_STATE;
    BASE_TRY(branch_read(bytes, &reader, &branch, error));
    *kind_out = branch == BRANCH_STATE ? SCHEMA_SNAPSHOT_STATE : SCHEMA_SNAPSHOT_CHECKPOINT;
    return base_ok();
}

base_status schema_snapshot_read(base_slice bytes, base_arena *arena, saga_state *state_out,
                                 base_error *error)
{
    base_reader reader;
    saga_state state;
    BASE_TRY(body_begin(bytes, BRANCH_STATE, &reader, error));
    saga_state_init(&state);
    state.saga = base_read_string(&reader);
    state.key = base_read_string(&reader);
    schema_hex_read(&reader, state.plan_hash, HASH_SIZE);
    state.incarnation = count_read(&reader);
    header_read(&reader, arena, &state);
    steps_read(&reader, arena, &state);
    timers_read(&reader, arena, &state);
    early_read(&reader, arena, &state);
    events_read(&reader, arena, &state);
    seen_read(&reader, arena, &state);
    BASE_TRY(schema_tail_check(&reader, "the snapshot", error));
    *state_out = state;
    return base_ok();
}

/* ---- checkpoints ---- */

base_status schema_checkpoint_write(const schema_checkpoint *checkpoint, base_arena *arena,
                                    base_slice *bytes_out, base_error *error)
{
    base_writer writer;
    base_writer_begin(&writer, arena);
    schema_head_write(&writer, SCHEMA_FINGERPRINT_SNAPSHOT);
    base_write_long(&writer, BRANCH_CHECKPOINT);
    base_write_long(&writer, checkpoint->partition);
    base_write_long(&writer, checkpoint->journal_offset);
    schema_counter_write(&writer, checkpoint->epoch);
    base_write_long(&writer, checkpoint->at_ms);
    schema_positions_write(&writer, checkpoint->positions, checkpoint->position_count);
    const base_status status = base_writer_end(&writer, bytes_out);
    return base_failed(status) ? base_error_set(error, status.code, "cannot write a checkpoint: %s",
                                                base_status_text(status))
                               : status;
}

base_status schema_checkpoint_read(base_slice bytes, base_arena *arena,
                                   schema_checkpoint *checkpoint_out, base_error *error)
{
    base_reader reader;
    BASE_TRY(body_begin(bytes, BRANCH_CHECKPOINT, &reader, error));
    schema_checkpoint checkpoint = {.partition = schema_int_read(&reader, 0, INT32_MAX)};
    checkpoint.journal_offset = base_read_long_in(&reader, 0, INT64_MAX);
    checkpoint.epoch = schema_counter_read(&reader);
    checkpoint.at_ms = base_read_long(&reader);
    schema_positions_read(&reader, arena, &checkpoint.positions, &checkpoint.position_count);
    BASE_TRY(schema_tail_check(&reader, "the checkpoint", error));
    *checkpoint_out = checkpoint;
    return base_ok();
}
