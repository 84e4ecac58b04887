#include "saga/entry.h"
#include "samples.h"
#include "schemas/journal.h"

#define AVSC TEST_ROOT_DIR "/schemas/troupe.journal.avsc"

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

static const saga_event *sample_event(sampler *s)
{
    saga_event *event = BASE_ARENA_NEW(s->arena, saga_event);
    assert_non_null(event);
    base_slice *const texts[] = {
        &event->id,           &event->source,       &event->type,           &event->subject,
        &event->data_schema,  &event->content_type, &event->correlation_id, &event->causation_id,
        &event->saga_step,    &event->saga_key,     &event->saga_undoes,    &event->partition_key,
        &event->trace_parent, &event->trace_state};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i] = sample_text(s);
    }
    event->time_ms = sample_time(s);
    event->expiry_ms = sample_bool(s) ? 0 : sample_time(s);
    event->saga_try = (int32_t)sample_below(s, 5);
    event->other_count = sample_below(s, 3);
    saga_attribute *others = BASE_ARENA_ARRAY(s->arena, saga_attribute, event->other_count);
    for (size_t i = 0; i < event->other_count; i++) {
        others[i] = (saga_attribute){sample_text(s), sample_text(s)};
    }
    event->others = others;
    event->data = sample_value(s, 3);
    return event;
}

/* The event as a map, its data shared. */
static const base_value *event_map(sampler *s, const saga_event *event)
{
    base_value *value = BASE_ARENA_NEW(s->arena, base_value);
    const base_value id = base_value_string(event->id);
    base_map_builder map;
    base_map_begin(&map, s->arena);
    assert_int_equal(base_map_put_text(&map, "id", &id).code, BASE_OK);
    assert_int_equal(base_map_put_text(&map, "data", &event->data).code, BASE_OK);
    for (size_t i = 0; i < 20 && sample_bool(s);
         i++) { /* sometimes so many that the map has an index */
        const base_slice key = base_arena_print(s->arena, "x%zu", i);
        assert_int_equal(base_map_put(&map, key, &id).code, BASE_OK);
    }
    *value = base_map_end(&map);
    return value;
}

static const base_value *sample_stored(sampler *s, const saga_entry *entry)
{
    const saga_event *event = entry->input.event;
    switch (sample_below(s, 5)) {
    case 0:
        return NULL;
    case 1:
        return event != NULL ? &event->data : sample_pointer(s, 1);
    case 2:
        return event != NULL ? event_map(s, event) : sample_pointer(s, 2);
    default:
        return sample_pointer(s, 2);
    }
}

static saga_input sample_input(sampler *s)
{
    saga_input input = {.kind = (saga_input_kind)sample_below(s, 3), .now_ms = sample_time(s)};
    if (input.kind == SAGA_INPUT_EVENT) {
        input.event_index = (int32_t)sample_below(s, 10) - 1;
        input.event = sample_event(s);
    } else if (input.kind == SAGA_INPUT_TIMER) {
        input.timer = (saga_timer){.kind = (saga_timer_kind)sample_below(s, SAGA_TIMER_COUNT),
                                   .step = (int32_t)sample_below(s, 10) - 1,
                                   .number = sample_below(s, 100),
                                   .due_ms = sample_time(s),
                                   .order = sample_below(s, 1000)};
    } else {
        input.command =
            (saga_command){.kind = (saga_command_kind)sample_below(s, SAGA_COMMAND_COUNT),
                           .who = sample_text(s),
                           .reason = sample_text(s),
                           .force = sample_bool(s),
                           .step = sample_text(s),
                           .act = (saga_act)sample_below(s, SAGA_ACT_COUNT),
                           .event = sample_text(s),
                           .data = sample_value(s, 2),
                           .id = sample_text(s)};
    }
    return input;
}

static void sample_changes(sampler *s, saga_entry *entry)
{
    entry->change_count = (int32_t)sample_below(s, 8);
    saga_change *changes = BASE_ARENA_ARRAY(s->arena, saga_change, (size_t)entry->change_count);
    for (int32_t i = 0; i < entry->change_count; i++) {
        changes[i] = (saga_change){.kind = (saga_change_kind)sample_below(s, SAGA_CHANGE_COUNT),
                                   .step = (int32_t)sample_below(s, 10) - 1,
                                   .number = sample_long(s),
                                   .other = sample_long(s),
                                   .text = sample_text(s),
                                   .value = sample_stored(s, entry)};
    }
    entry->changes = changes;
}

static void sample_effects(sampler *s, saga_entry *entry)
{
    entry->effect_count = (int32_t)sample_below(s, 5);
    saga_effect *effects = BASE_ARENA_ARRAY(s->arena, saga_effect, (size_t)entry->effect_count);
    for (int32_t i = 0; i < entry->effect_count; i++) {
        effects[i] = (saga_effect){.kind = (saga_effect_kind)sample_below(s, SAGA_EFFECT_COUNT),
                                   .step = (int32_t)sample_below(s, 10) - 1,
                                   .try_number = (int32_t)sample_below(s, 4),
                                   .gen = (int32_t)sample_below(s, 4),
                                   .event = (int32_t)sample_below(s, 10) - 1,
                                   .name = sample_text(s),
                                   .text = sample_text(s),
                                   .tell = sample_text(s),
                                   .saga_key = sample_text(s),
                                   .undoes = sample_text(s),
                                   .expiry_ms = sample_time(s),
                                   .data = sample_stored(s, entry)};
        if (sample_bool(s)) {
            sample_hex(s, effects[i].id, 32);
        }
    }
    entry->effects = effects;
}

static schema_journal sample_journal(sampler *s)
{
    schema_journal journal = {.kind = SCHEMA_JOURNAL_ENTRY, .epoch = sample_below(s, 1000)};
    saga_entry *entry = &journal.entry;
    journal.cause = (schema_cause){.kind = (schema_cause_kind)sample_below(s, 5),
                                   .topic = sample_text(s),
                                   .partition = (int32_t)sample_below(s, 12),
                                   .offset = (int64_t)sample_below(s, 1000000)};
    journal.position_count = sample_below(s, 3);
    schema_position *positions =
        BASE_ARENA_ARRAY(s->arena, schema_position, journal.position_count);
    for (size_t i = 0; i < journal.position_count; i++) {
        positions[i] = (schema_position){sample_text(s), (int32_t)sample_below(s, 9),
                                         (int64_t)sample_below(s, 99)};
    }
    journal.positions = positions;
    entry->saga = sample_text(s);
    entry->key = sample_text(s);
    if (sample_bool(s)) {
        sample_hex(s, entry->plan_hash, 64);
    }
    entry->incarnation = (int32_t)sample_below(s, 3);
    entry->seq = sample_below(s, 100000);
    entry->at_ms = sample_time(s);
    entry->input = sample_input(s);
    entry->trace_parent = entry->input.event != NULL && sample_bool(s)
                              ? entry->input.event->trace_parent
                              : sample_text(s);
    sample_changes(s, entry);
    sample_effects(s, entry);
    return journal;
}

static base_slice write_journal(const schema_journal *journal, base_arena *arena)
{
    base_slice bytes = {0};
    assert_int_equal(schema_journal_write(journal, arena, &bytes, NULL).code, BASE_OK);
    return bytes;
}

/* ---- comparing ---- */

static void assert_event_equal(const saga_event *a, const saga_event *b)
{
    assert_slice_equal(a->id, b->id);
    assert_slice_equal(a->source, b->source);
    assert_slice_equal(a->type, b->type);
    assert_slice_equal(a->subject, b->subject);
    assert_int_equal(a->time_ms, b->time_ms);
    assert_slice_equal(a->data_schema, b->data_schema);
    assert_slice_equal(a->content_type, b->content_type);
    assert_slice_equal(a->correlation_id, b->correlation_id);
    assert_slice_equal(a->causation_id, b->causation_id);
    assert_slice_equal(a->saga_step, b->saga_step);
    assert_slice_equal(a->saga_key, b->saga_key);
    assert_int_equal(a->saga_try, b->saga_try);
    assert_slice_equal(a->saga_undoes, b->saga_undoes);
    assert_int_equal(a->expiry_ms, b->expiry_ms);
    assert_slice_equal(a->partition_key, b->partition_key);
    assert_slice_equal(a->trace_parent, b->trace_parent);
    assert_slice_equal(a->trace_state, b->trace_state);
    assert_int_equal(a->other_count, b->other_count);
    for (size_t i = 0; i < a->other_count; i++) {
        assert_slice_equal(a->others[i].name, b->others[i].name);
        assert_slice_equal(a->others[i].value, b->others[i].value);
    }
    assert_value_equal(&a->data, &b->data);
}

static void assert_input_equal(const saga_input *a, const saga_input *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->now_ms, b->now_ms);
    if (a->kind == SAGA_INPUT_EVENT) {
        assert_int_equal(a->event_index, b->event_index);
        assert_event_equal(a->event, b->event);
    } else if (a->kind == SAGA_INPUT_TIMER) {
        assert_int_equal(a->timer.kind, b->timer.kind);
        assert_int_equal(a->timer.step, b->timer.step);
        assert_int_equal(a->timer.number, b->timer.number);
        assert_int_equal(a->timer.due_ms, b->timer.due_ms);
        assert_int_equal(a->timer.order, b->timer.order);
    } else {
        assert_int_equal(a->command.kind, b->command.kind);
        assert_slice_equal(a->command.who, b->command.who);
        assert_slice_equal(a->command.reason, b->command.reason);
        assert_int_equal(a->command.force, b->command.force);
        assert_slice_equal(a->command.step, b->command.step);
        assert_int_equal(a->command.act, b->command.act);
        assert_slice_equal(a->command.event, b->command.event);
        assert_value_equal(&a->command.data, &b->command.data);
        assert_slice_equal(a->command.id, b->command.id);
    }
}

static void assert_entry_equal(const saga_entry *a, const saga_entry *b)
{
    assert_slice_equal(a->saga, b->saga);
    assert_slice_equal(a->key, b->key);
    assert_string_equal(a->plan_hash, b->plan_hash);
    assert_int_equal(a->incarnation, b->incarnation);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->at_ms, b->at_ms);
    assert_input_equal(&a->input, &b->input);
    assert_slice_equal(a->trace_parent, b->trace_parent);
    assert_int_equal(a->change_count, b->change_count);
    for (int32_t i = 0; i < a->change_count; i++) {
        assert_int_equal(a->changes[i].kind, b->changes[i].kind);
        assert_int_equal(a->changes[i].step, b->changes[i].step);
        assert_int_equal(a->changes[i].number, b->changes[i].number);
        assert_int_equal(a->changes[i].other, b->changes[i].other);
        assert_slice_equal(a->changes[i].text, b->changes[i].text);
        assert_value_equal(a->changes[i].value, b->changes[i].value);
    }
    assert_int_equal(a->effect_count, b->effect_count);
    for (int32_t i = 0; i < a->effect_count; i++) {
        assert_int_equal(a->effects[i].kind, b->effects[i].kind);
        assert_int_equal(a->effects[i].step, b->effects[i].step);
        assert_int_equal(a->effects[i].try_number, b->effects[i].try_number);
        assert_int_equal(a->effects[i].gen, b->effects[i].gen);
        assert_int_equal(a->effects[i].event, b->effects[i].event);
        assert_slice_equal(a->effects[i].name, b->effects[i].name);
        assert_slice_equal(a->effects[i].text, b->effects[i].text);
        assert_slice_equal(a->effects[i].tell, b->effects[i].tell);
        assert_string_equal(a->effects[i].id, b->effects[i].id);
        assert_slice_equal(a->effects[i].saga_key, b->effects[i].saga_key);
        assert_slice_equal(a->effects[i].undoes, b->effects[i].undoes);
        assert_int_equal(a->effects[i].expiry_ms, b->effects[i].expiry_ms);
        assert_value_equal(a->effects[i].data, b->effects[i].data);
    }
}

static void assert_journal_equal(const schema_journal *a, const schema_journal *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->cause.kind, b->cause.kind);
    assert_slice_equal(a->cause.topic, b->cause.topic);
    assert_int_equal(a->cause.partition, b->cause.partition);
    assert_int_equal(a->cause.offset, b->cause.offset);
    assert_int_equal(a->position_count, b->position_count);
    for (size_t i = 0; i < a->position_count; i++) {
        assert_slice_equal(a->positions[i].topic, b->positions[i].topic);
        assert_int_equal(a->positions[i].partition, b->positions[i].partition);
        assert_int_equal(a->positions[i].offset, b->positions[i].offset);
    }
    assert_slice_equal(a->claim.worker, b->claim.worker);
    assert_int_equal(a->claim.at_ms, b->claim.at_ms);
    if (a->kind == SCHEMA_JOURNAL_ENTRY) {
        assert_entry_equal(&a->entry, &b->entry);
    }
}

/* ---- tests ---- */

static void test_journal__entries_come_back_as_they_were(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    for (size_t i = 0; i < 3000; i++) {
        base_arena_reset(&f->arena);
        base_arena_reset(&f->other);
        const schema_journal journal = sample_journal(&s);
        const base_slice bytes = write_journal(&journal, &f->arena);
        schema_journal read;
        assert_int_equal(schema_journal_read(bytes, &f->other, &read, &f->error).code, BASE_OK);
        assert_journal_equal(&journal, &read);
        const base_slice again = write_journal(&read, &f->other);
        assert_slice_equal(bytes,
                           again); /* canonical, though nothing is shared in the way it was */
    }
}

static void test_journal__claims_and_positions_come_back(void **state)
{
    fixture *f = *state;
    const schema_position positions[2] = {{base_slice_of("orders"), 3, 17},
                                          {base_slice_of("payments"), 0, INT64_MAX}};
    const schema_journal journals[2] = {
        {.kind = SCHEMA_JOURNAL_CLAIM, .epoch = 7, .claim = {base_slice_of("worker-1"), 1234}},
        {.kind = SCHEMA_JOURNAL_POSITION,
         .epoch = 8,
         .cause = {SCHEMA_CAUSE_SOURCE, base_slice_of("orders"), 3, 16},
         .positions = positions,
         .position_count = 2}};
    for (size_t i = 0; i < 2; i++) {
        schema_journal read;
        schema_journal_kind kind = SCHEMA_JOURNAL_ENTRY;
        uint64_t epoch = 0;
        const base_slice bytes = write_journal(&journals[i], &f->arena);
        assert_int_equal(schema_journal_read(bytes, &f->arena, &read, NULL).code, BASE_OK);
        assert_journal_equal(&journals[i], &read);
        assert_int_equal(schema_journal_peek(bytes, &kind, &epoch, NULL).code, BASE_OK);
        assert_int_equal(kind, journals[i].kind);
        assert_int_equal(epoch, journals[i].epoch);
        assert_true(bytes.size < 64);
    }
}

/* An event entry whose data comes back in a change, in an early event and in an ask. */
static schema_journal entry_with_data(fixture *f, const base_value *in_change,
                                      const base_value *in_map, const base_value *in_effect,
                                      const base_value *data)
{
    saga_event *event = BASE_ARENA_NEW(&f->arena, saga_event);
    saga_change *changes = BASE_ARENA_ARRAY(&f->arena, saga_change, 2);
    saga_effect *effects = BASE_ARENA_ARRAY(&f->arena, saga_effect, 1);
    base_value *map = BASE_ARENA_NEW(&f->arena, base_value);
    base_map_builder builder;
    base_map_begin(&builder, &f->arena);
    assert_int_equal(base_map_put_text(&builder, "data", in_map).code, BASE_OK);
    *map = base_map_end(&builder);
    *event = (saga_event){.id = base_slice_of("e1"), .data = *data};
    changes[0] = (saga_change){.kind = SAGA_CHANGE_CREATED, .value = in_change};
    changes[1] = (saga_change){.kind = SAGA_CHANGE_EARLY, .value = map};
    effects[0] = (saga_effect){.kind = SAGA_EFFECT_ASK, .data = in_effect};
    return (schema_journal){.kind = SCHEMA_JOURNAL_ENTRY,
                            .entry = {.input = {.kind = SAGA_INPUT_EVENT, .event = event},
                                      .changes = changes,
                                      .change_count = 2,
                                      .effects = effects,
                                      .effect_count = 1}};
}

static void test_journal__writes_a_value_once(void **state)
{
    fixture *f = *state;
    base_value copies[3];
    base_map_builder builder;
    char long_text[1000];
    memset(long_text, 'x', sizeof(long_text));
    const base_value text = base_value_string(base_slice_make(long_text, sizeof(long_text)));
    base_map_begin(&builder, &f->arena);
    assert_int_equal(base_map_put_text(&builder, "text", &text).code, BASE_OK);
    const base_value data = base_map_end(&builder);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(base_value_copy(&data, &f->arena, &copies[i]).code, BASE_OK);
    }
    const schema_journal shared = entry_with_data(f, &data, &data, &data, &data);
    const schema_journal copied = entry_with_data(f, &copies[0], &copies[1], &copies[2], &data);
    const base_slice shared_bytes = write_journal(&shared, &f->arena);
    const base_slice copied_bytes = write_journal(&copied, &f->arena);
    assert_true(shared_bytes.size < 1200);
    assert_slice_equal(shared_bytes, copied_bytes);
    schema_journal read;
    assert_int_equal(schema_journal_read(shared_bytes, &f->other, &read, NULL).code, BASE_OK);
    assert_ptr_equal(read.entry.changes[0].value->members, read.entry.input.event->data.members);
    assert_ptr_equal(read.entry.effects[0].data->members, read.entry.input.event->data.members);
    assert_value_equal(base_map_get_text(read.entry.changes[1].value, "data"), &data);
}

static void test_journal__keeps_the_order_of_members(void **state)
{
    fixture *f = *state;
    const base_value text = base_value_text("a text of more than sixteen bytes");
    const base_value one = base_value_integer(1);
    base_map_builder builder;
    base_map_begin(&builder, &f->arena);
    assert_int_equal(base_map_put_text(&builder, "a", &text).code, BASE_OK);
    assert_int_equal(base_map_put_text(&builder, "b", &one).code, BASE_OK);
    const base_value forth = base_map_end(&builder);
    base_map_begin(&builder, &f->arena);
    assert_int_equal(base_map_put_text(&builder, "b", &one).code, BASE_OK);
    assert_int_equal(base_map_put_text(&builder, "a", &text).code, BASE_OK);
    const base_value back = base_map_end(&builder);
    assert_true(base_value_equal(&forth, &back));
    const schema_journal journal = entry_with_data(f, &back, &back, &back, &forth);
    schema_journal read;
    assert_int_equal(
        schema_journal_read(write_journal(&journal, &f->arena), &f->other, &read, NULL).code,
        BASE_OK);
    assert_slice_equal(read.entry.changes[0].value->members[0].key, base_slice_of("b"));
    assert_slice_equal(read.entry.input.event->data.members[0].key, base_slice_of("a"));
}

static void test_journal__refuses_hashes_that_are_no_hex(void **state)
{
    fixture *f = *state;
    base_slice bytes;
    const base_value data = base_value_null();
    schema_journal journal = entry_with_data(f, &data, &data, &data, &data);
    (void)snprintf(journal.entry.plan_hash, sizeof(journal.entry.plan_hash), "%s", "no hash");
    assert_int_equal(schema_journal_write(&journal, &f->arena, &bytes, &f->error).code,
                     BASE_BAD_INPUT);
    assert_string_equal(f->error.text, "a hash in the entry is no hex");
}

static void test_journal__every_truncation_is_corrupt(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    for (size_t i = 0; i < 40; i++) {
        base_arena_reset(&f->arena);
        const schema_journal journal = sample_journal(&s);
        const base_slice bytes = write_journal(&journal, &f->arena);
        for (size_t size = 0; size < bytes.size; size++) {
            char *exact = malloc(size > 0 ? size : 1);
            memcpy(exact, bytes.data, size);
            schema_journal read;
            base_arena_reset(&f->other);
            assert_int_equal(
                schema_journal_read(base_slice_make(exact, size), &f->other, &read, NULL).code,
                BASE_CORRUPT);
            free(exact);
        }
        char *longer = malloc(bytes.size + 1);
        memcpy(longer, bytes.data, bytes.size);
        longer[bytes.size] = 0;
        schema_journal read;
        assert_int_equal(
            schema_journal_read(base_slice_make(longer, bytes.size + 1), &f->other, &read, NULL)
                .code,
            BASE_CORRUPT);
        free(longer);
    }
}

static void test_journal__changed_bits_never_crash(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    size_t refused = 0;
    for (size_t i = 0; i < 20000; i++) {
        base_arena_reset(&f->arena);
        base_arena_reset(&f->other);
        const schema_journal journal = sample_journal(&s);
        const base_slice bytes = write_journal(&journal, &f->arena);
        char *changed = malloc(bytes.size);
        memcpy(changed, bytes.data, bytes.size);
        for (size_t k = 0; k <= sample_below(&s, 3); k++) {
            const size_t at = 10 + sample_below(&s, bytes.size - 10);
            changed[at] = (char)(changed[at] ^ (1 << sample_below(&s, 8)));
        }
        schema_journal read;
        const base_status status =
            schema_journal_read(base_slice_make(changed, bytes.size), &f->other, &read, NULL);
        refused += base_failed(status) ? 1 : 0;
        assert_true(status.code == BASE_OK || status.code == BASE_CORRUPT);
        if (!base_failed(status)) { /* what reads can be written, and then reads as the same */
            const base_slice once = write_journal(&read, &f->other);
            schema_journal again;
            assert_int_equal(schema_journal_read(once, &f->other, &again, NULL).code, BASE_OK);
            assert_journal_equal(&read, &again);
        }
        free(changed);
    }
    assert_true(refused > 1000);
}

static void test_journal__tells_another_schema_from_damage(void **state)
{
    fixture *f = *state;
    schema_journal read;
    const schema_journal claim = {.kind = SCHEMA_JOURNAL_CLAIM};
    const base_slice bytes = write_journal(&claim, &f->arena);
    char copy[64];
    memcpy(copy, bytes.data, bytes.size);
    copy[5] ^= 1;
    assert_int_equal(
        schema_journal_read(base_slice_make(copy, bytes.size), &f->arena, &read, &f->error).code,
        BASE_UNSUPPORTED);
    assert_non_null(strstr(f->error.hint, "another version"));
    copy[0] = 0;
    assert_int_equal(
        schema_journal_read(base_slice_make(copy, bytes.size), &f->arena, &read, NULL).code,
        BASE_CORRUPT);
    assert_int_equal(schema_journal_read(base_slice_make(NULL, 0), &f->arena, &read, NULL).code,
                     BASE_CORRUPT);
}

static void test_journal__says_when_there_is_no_memory(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    const schema_journal journal = sample_journal(&s);
    const base_slice bytes = write_journal(&journal, &f->arena);
    for (size_t size = 0; size < 16384; size += 128) {
        base_arena small;
        base_slice out;
        schema_journal read;
        base_arena_init(&small, size);
        const base_code reading = schema_journal_read(bytes, &small, &read, NULL).code;
        assert_true(reading == BASE_OK || reading == BASE_OUT_OF_MEMORY);
        base_arena_reset(&small);
        const base_code writing = schema_journal_write(&journal, &small, &out, NULL).code;
        assert_true(writing == BASE_OK || writing == BASE_OUT_OF_MEMORY);
        base_arena_deinit(&small);
    }
}

static void test_journal__avro_c_reads_the_same(void **state)
{
    fixture *f = *state;
    sampler s = {sample_seed(), &f->arena};
    for (size_t i = 0; i < 200; i++) {
        base_arena_reset(&f->arena);
        const schema_journal journal = sample_journal(&s);
        const base_slice bytes = write_journal(&journal, &f->arena);
        char *json = avro_json(AVSC, bytes);
        char expected[128];
        (void)snprintf(expected, sizeof(expected), "\"seq\": %llu",
                       (unsigned long long)journal.entry.seq);
        if (strstr(json, expected) == NULL) {
            fail_msg("%s is not in %s", expected, json);
        }
        if (journal.entry.change_count > 0) {
            (void)snprintf(expected, sizeof(expected), "\"kind\": \"%s\"",
                           saga_change_kind_name(journal.entry.changes[0].kind));
            assert_non_null(strstr(json, expected));
        }
        free(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_journal__entries_come_back_as_they_were, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_journal__claims_and_positions_come_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_journal__writes_a_value_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal__keeps_the_order_of_members, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal__refuses_hashes_that_are_no_hex, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_journal__every_truncation_is_corrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal__changed_bits_never_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal__tells_another_schema_from_damage, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_journal__says_when_there_is_no_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_journal__avro_c_reads_the_same, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
