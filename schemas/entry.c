#include "schemas/entry.h"

#include "base/assert.h"
#include "base/hash.h"
#include "schemas/wire.h"

#define VALUE_REMEMBERED_MAX 64
#define VALUE_SIZE_MIN ((size_t)16)
#define HASH_SIZE 64
#define EFFECT_ID_SIZE 32

typedef enum value_branch {
    VALUE_NONE,
    VALUE_REFERENCE,
    VALUE_SHELL,
    VALUE_FULL,
    VALUE_BRANCHES
} value_branch;
typedef enum input_branch { INPUT_EVENT, INPUT_TIMER, INPUT_COMMAND, INPUT_BRANCHES } input_branch;

/* ---- writing values ---- */

/* A value that was written in full: where its bytes stand in the writer. */
typedef struct written_value {
    size_t at;
    size_t size;
    uint64_t hash;
    int64_t number;
} written_value;

typedef struct value_writer {
    base_writer *writer;
    const base_value *data; /* of the input event, or NULL */
    int64_t full_count;
    size_t count;
    written_value values[VALUE_REMEMBERED_MAX];
} value_writer;

static base_slice written_since(const base_writer *writer, size_t at)
{
    return base_slice_make(writer->data + at, writer->size - at);
}

static const written_value *find_written(const value_writer *values, base_slice bytes,
                                         uint64_t hash)
{
    for (size_t i = 0; i < values->count; i++) {
        const written_value *value = &values->values[i];
        if (value->hash == hash && value->size == bytes.size &&
            memcmp(values->writer->data + value->at, bytes.data, bytes.size) == 0) {
            return value;
        }
    }
    return NULL;
}

/* Writes the value in full, remembers it, or takes it back and gives the earlier one that has the
 * same bytes. */
static const written_value *write_full(value_writer *values, const base_value *value)
{
    base_writer *writer = values->writer;
    const size_t at = writer->size;
    base_write_value(writer, value);
    if (writer->failure != BASE_OK) {
        return NULL;
    }
    const base_slice bytes = written_since(writer, at);
    if (bytes.size >= VALUE_SIZE_MIN) {
        const uint64_t hash = base_hash64(bytes, 0);
        const written_value *found = find_written(values, bytes, hash);
        if (found != NULL) {
            writer->size = at;
            return found;
        }
        if (values->count < VALUE_REMEMBERED_MAX) {
            values->values[values->count++] =
                (written_value){at, bytes.size, hash, values->full_count};
        }
    }
    values->full_count++;
    return NULL;
}

/* The same value for sure, without looking into it: it shares the memory. */
static bool is_same(const base_value *a, const base_value *b)
{
    return a == b || (a->kind == b->kind && a->size == b->size && a->size > 0 &&
                      a->items == b->items && (a->kind == BASE_LIST || a->kind == BASE_MAP));
}

static bool data_is_remembered(const value_writer *values)
{
    return values->data != NULL && values->count > 0 && values->values[0].number == 0;
}

static bool is_input_data(value_writer *values, const base_value *value)
{
    if (!data_is_remembered(values)) {
        return false;
    }
    if (is_same(value, values->data)) {
        return true;
    }
    base_writer *writer = values->writer;
    const size_t at = writer->size;
    base_write_value(writer, value);
    const base_slice bytes = written_since(writer, at);
    const bool same = writer->failure == BASE_OK && bytes.size == values->values[0].size &&
                      memcmp(writer->data + values->values[0].at, bytes.data, bytes.size) == 0;
    writer->size = at;
    return same;
}

/* The map with null for its `data`. */
static bool write_shell(value_writer *values, const base_value *map)
{
    base_map_builder builder;
    base_map_begin(&builder, values->writer->arena);
    const base_value nothing = base_value_null();
    for (size_t i = 0; i < map->size; i++) {
        const base_member *member = &map->members[i];
        const bool is_data = base_slice_is(member->key, "data");
        const base_status status =
            base_map_put(&builder, member->key, is_data ? &nothing : &member->value);
        if (base_failed(status)) {
            values->writer->failure = status.code;
            return false;
        }
    }
    const base_value shell = base_map_end(&builder);
    base_write_long(values->writer, VALUE_SHELL);
    base_write_value(values->writer, &shell);
    return true;
}

static void value_write(value_writer *values, const base_value *value)
{
    base_writer *writer = values->writer;
    if (value == NULL) {
        base_write_long(writer, VALUE_NONE);
        return;
    }
    if (data_is_remembered(values) && is_same(value, values->data)) {
        base_write_long(writer, VALUE_REFERENCE);
        base_write_long(writer, 0);
        return;
    }
    const base_value *data = value->kind == BASE_MAP ? base_map_get_text(value, "data") : NULL;
    if (data != NULL && is_input_data(values, data)) {
        (void)write_shell(values, value);
        return;
    }
    const size_t at = writer->size;
    base_write_long(writer, VALUE_FULL);
    const written_value *found = write_full(values, value);
    if (found != NULL) {
        writer->size = at;
        base_write_long(writer, VALUE_REFERENCE);
        base_write_long(writer, found->number);
    }
}

/* ---- writing ---- */

static void event_write(value_writer *values, const saga_event *event)
{
    base_writer *writer = values->writer;
    base_write_bytes(writer, event->id);
    base_write_bytes(writer, event->source);
    base_write_bytes(writer, event->type);
    base_write_bytes(writer, event->subject);
    base_write_long(writer, event->time_ms);
    base_write_bytes(writer, event->data_schema);
    base_write_bytes(writer, event->content_type);
    base_write_bytes(writer, event->correlation_id);
    base_write_bytes(writer, event->causation_id);
    base_write_bytes(writer, event->saga_step);
    base_write_bytes(writer, event->saga_key);
    base_write_long(writer, event->saga_try);
    base_write_bytes(writer, event->saga_undoes);
    base_write_long(writer, event->expiry_ms);
    base_write_bytes(writer, event->partition_key);
    base_write_bytes(writer, event->trace_parent);
    base_write_bytes(writer, event->trace_state);
    base_write_array(writer, event->other_count);
    for (size_t i = 0; i < event->other_count; i++) {
        base_write_bytes(writer, event->others[i].name);
        base_write_bytes(writer, event->others[i].value);
    }
    base_write_array_end(writer, event->other_count);
    (void)write_full(values, &event->data);
}

static void command_write(value_writer *values, const saga_command *command)
{
    base_writer *writer = values->writer;
    base_write_long(writer, command->kind);
    base_write_bytes(writer, command->who);
    base_write_bytes(writer, command->reason);
    base_write_bool(writer, command->force);
    base_write_bytes(writer, command->step);
    base_write_long(writer, command->act);
    base_write_bytes(writer, command->event);
    base_write_bytes(writer, command->id);
    (void)write_full(values, &command->data);
}

static void timer_write(base_writer *writer, const saga_timer *timer)
{
    base_write_long(writer, timer->kind);
    base_write_long(writer, timer->step);
    schema_counter_write(writer, timer->number);
    base_write_long(writer, timer->due_ms);
    schema_counter_write(writer, timer->order);
}

static void input_write(value_writer *values, const saga_input *input)
{
    base_writer *writer = values->writer;
    switch (input->kind) {
    case SAGA_INPUT_EVENT:
        BASE_ASSERT(input->event != NULL);
        base_write_long(writer, INPUT_EVENT);
        base_write_long(writer, input->event_index);
        event_write(values, input->event);
        values->data = &input->event->data;
        break;
    case SAGA_INPUT_TIMER:
        base_write_long(writer, INPUT_TIMER);
        timer_write(writer, &input->timer);
        break;
    case SAGA_INPUT_COMMAND:
        base_write_long(writer, INPUT_COMMAND);
        command_write(values, &input->command);
        break;
    }
}

static void changes_write(value_writer *values, const saga_entry *entry)
{
    base_writer *writer = values->writer;
    base_write_array(writer, (size_t)entry->change_count);
    for (int32_t i = 0; i < entry->change_count; i++) {
        const saga_change *change = &entry->changes[i];
        base_write_long(writer, change->kind);
        base_write_long(writer, change->step);
        base_write_long(writer, change->number);
        base_write_long(writer, change->other);
        base_write_bytes(writer, change->text);
        value_write(values, change->value);
    }
    base_write_array_end(writer, (size_t)entry->change_count);
}

static bool effects_write(value_writer *values, const saga_entry *entry)
{
    base_writer *writer = values->writer;
    bool hex = true;
    base_write_array(writer, (size_t)entry->effect_count);
    for (int32_t i = 0; i < entry->effect_count; i++) {
        const saga_effect *effect = &entry->effects[i];
        base_write_long(writer, effect->kind);
        base_write_long(writer, effect->step);
        base_write_long(writer, effect->try_number);
        base_write_long(writer, effect->gen);
        base_write_long(writer, effect->event);
        base_write_bytes(writer, effect->name);
        base_write_bytes(writer, effect->text);
        base_write_bytes(writer, effect->tell);
        hex = schema_hex_write(writer, effect->id, EFFECT_ID_SIZE) && hex;
        base_write_bytes(writer, effect->saga_key);
        base_write_bytes(writer, effect->undoes);
        base_write_long(writer, effect->expiry_ms);
        value_write(values, effect->data);
    }
    base_write_array_end(writer, (size_t)entry->effect_count);
    return hex;
}

/* Most often the trace goes on from the input event's own, which stands in the entry already. */
static void trace_write(base_writer *writer, const saga_entry *entry)
{
    const bool own = entry->input.kind == SAGA_INPUT_EVENT &&
                     base_slice_equal(entry->trace_parent, entry->input.event->trace_parent);
    base_write_long(writer, own ? 0 : 1);
    if (!own) {
        base_write_bytes(writer, entry->trace_parent);
    }
}

base_status schema_entry_write(base_writer *writer, const saga_entry *entry, base_error *error)
{
    value_writer values;
    values.writer = writer;
    values.data = NULL;
    values.full_count = 0;
    values.count = 0;
    base_write_bytes(writer, entry->saga);
    base_write_bytes(writer, entry->key);
    bool hex = schema_hex_write(writer, entry->plan_hash, HASH_SIZE);
    base_write_long(writer, entry->incarnation);
    schema_counter_write(writer, entry->seq);
    base_write_long(writer, entry->at_ms);
    base_write_long(writer, entry->input.now_ms);
    input_write(&values, &entry->input);
    trace_write(writer, entry);
    changes_write(&values, entry);
    hex = effects_write(&values, entry) && hex;
    if (!hex) {
        return base_error_set(error, BASE_BAD_INPUT, "a hash in the entry is no hex");
    }
    return base_ok();
}

/* ---- reading values ---- */

typedef struct value_reader {
    base_reader *reader;
    base_arena *arena;
    const base_value *data; /* of the input event, or NULL */
    const base_value **values;
    size_t count;
    size_t capacity;
} value_reader;

/* A value in full, which gets the next number. It is in the arena, where it stays. */
static const base_value *read_full(value_reader *values)
{
    base_value *value = BASE_ARENA_NEW(values->arena, base_value);
    values->values = schema_reserve(values->reader, values->arena, values->values, values->count,
                                    &values->capacity, sizeof(*values->values));
    if (value == NULL || values->values == NULL) {
        schema_no_memory(values->reader);
        return NULL;
    }
    base_read_value(values->reader, values->arena, value);
    values->values[values->count++] = value;
    return value;
}

static const base_value *read_shell(value_reader *values)
{
    base_value shell = base_value_null();
    base_read_value(values->reader, values->arena, &shell);
    const bool is_shell = shell.kind == BASE_MAP && base_map_get_text(&shell, "data") != NULL;
    if (values->reader->failure != BASE_OK || !is_shell || values->data == NULL) {
        base_reader_fail(values->reader);
        return NULL;
    }
    base_value *value = BASE_ARENA_NEW(values->arena, base_value);
    bool memory = value != NULL;
    base_map_builder builder;
    base_map_begin(&builder, values->arena);
    for (size_t i = 0; memory && i < shell.size; i++) {
        const base_member *member = &shell.members[i];
        const bool is_data = base_slice_is(member->key, "data");
        memory = !base_failed(
            base_map_put(&builder, member->key, is_data ? values->data : &member->value));
    }
    if (!memory) {
        schema_no_memory(values->reader);
        return NULL;
    }
    *value = base_map_end(&builder);
    return value;
}

static const base_value *value_read(value_reader *values)
{
    base_reader *reader = values->reader;
    const value_branch branch = (value_branch)base_read_long_in(reader, 0, VALUE_BRANCHES - 1);
    if (branch == VALUE_NONE) {
        return NULL;
    }
    if (branch == VALUE_REFERENCE) {
        const int64_t number = base_read_long_in(reader, 0, INT64_MAX);
        if (reader->failure != BASE_OK || (uint64_t)number >= values->count) {
            base_reader_fail(reader);
            return NULL;
        }
        return values->values[number];
    }
    return branch == VALUE_SHELL ? read_shell(values) : read_full(values);
}

/* ---- reading ---- */

static void others_read(value_reader *values, saga_event *event)
{
    base_reader *reader = values->reader;
    saga_attribute *others = NULL;
    size_t count = 0;
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        others = schema_reserve(reader, values->arena, others, count, &capacity, sizeof(*others));
        if (others == NULL) {
            return;
        }
        others[count].name = base_read_string(reader);
        others[count].value = base_read_string(reader);
        count++;
    }
    event->others = others;
    event->other_count = count;
}

static const saga_event *event_read(value_reader *values)
{
    base_reader *reader = values->reader;
    saga_event *event = BASE_ARENA_NEW(values->arena, saga_event);
    if (event == NULL) {
        schema_no_memory(reader);
        return NULL;
    }
    event->id = base_read_string(reader);
    event->source = base_read_string(reader);
    event->type = base_read_string(reader);
    event->subject = base_read_string(reader);
    event->time_ms = base_read_long(reader);
    event->data_schema = base_read_string(reader);
    event->content_type = base_read_string(reader);
    event->correlation_id = base_read_string(reader);
    event->causation_id = base_read_string(reader);
    event->saga_step = base_read_string(reader);
    event->saga_key = base_read_string(reader);
    event->saga_try = schema_int_read(reader, INT32_MIN, INT32_MAX);
    event->saga_undoes = base_read_string(reader);
    event->expiry_ms = base_read_long(reader);
    event->partition_key = base_read_string(reader);
    event->trace_parent = base_read_string(reader);
    event->trace_state = base_read_string(reader);
    others_read(values, event);
    values->data = read_full(values);
    event->data = values->data == NULL ? base_value_null() : *values->data;
    return event;
}

static void command_read(value_reader *values, saga_command *command)
{
    base_reader *reader = values->reader;
    command->kind = (saga_command_kind)base_read_long_in(reader, 0, SAGA_COMMAND_COUNT - 1);
    command->who = base_read_string(reader);
    command->reason = base_read_string(reader);
    command->force = base_read_bool(reader);
    command->step = base_read_string(reader);
    command->act = (saga_act)base_read_long_in(reader, 0, SAGA_ACT_COUNT - 1);
    command->event = base_read_string(reader);
    command->id = base_read_string(reader);
    const base_value *data = read_full(values);
    command->data = data == NULL ? base_value_null() : *data;
}

static saga_timer timer_read(base_reader *reader)
{
    saga_timer timer = {.kind =
                            (saga_timer_kind)base_read_long_in(reader, 0, SAGA_TIMER_COUNT - 1)};
    timer.step = schema_int_read(reader, SAGA_NONE, SAGA_STEP_MAX - 1);
    timer.number = schema_counter_read(reader);
    timer.due_ms = base_read_long(reader);
    timer.order = schema_counter_read(reader);
    return timer;
}

static void input_read(value_reader *values, saga_input *input)
{
    base_reader *reader = values->reader;
    switch ((input_branch)base_read_long_in(reader, 0, INPUT_BRANCHES - 1)) {
    case INPUT_EVENT:
        input->kind = SAGA_INPUT_EVENT;
        input->event_index = schema_int_read(reader, SAGA_NONE, SAGA_EVENT_MAX - 1);
        input->event = event_read(values);
        break;
    case INPUT_TIMER:
        input->kind = SAGA_INPUT_TIMER;
        input->timer = timer_read(reader);
        break;
    case INPUT_COMMAND:
        input->kind = SAGA_INPUT_COMMAND;
        command_read(values, &input->command);
        break;
    case INPUT_BRANCHES:
        break;
    }
}

static void changes_read(value_reader *values, saga_entry *entry)
{
    base_reader *reader = values->reader;
    saga_change *changes = NULL;
    size_t count = 0;
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        changes =
            schema_reserve(reader, values->arena, changes, count, &capacity, sizeof(*changes));
        if (changes == NULL) {
            return;
        }
        saga_change *change = &changes[count++];
        change->kind = (saga_change_kind)base_read_long_in(reader, 0, SAGA_CHANGE_COUNT - 1);
        change->step = schema_int_read(reader, SAGA_NONE, SAGA_STEP_MAX - 1);
        change->number = base_read_long(reader);
        change->other = base_read_long(reader);
        change->text = base_read_string(reader);
        change->value = value_read(values);
    }
    entry->changes = changes;
    entry->change_count = (int32_t)count;
}

static void effects_read(value_reader *values, saga_entry *entry)
{
    base_reader *reader = values->reader;
    saga_effect *effects = NULL;
    size_t count = 0;
    size_t capacity = 0;
    int64_t left = 0;
    while (base_read_array_next(reader, &left)) {
        effects =
            schema_reserve(reader, values->arena, effects, count, &capacity, sizeof(*effects));
        if (effects == NULL) {
            return;
        }
        saga_effect *effect = &effects[count++];
        effect->kind = (saga_effect_kind)base_read_long_in(reader, 0, SAGA_EFFECT_COUNT - 1);
        effect->step = schema_int_read(reader, SAGA_NONE, SAGA_STEP_MAX - 1);
        effect->try_number = schema_int_read(reader, INT32_MIN, INT32_MAX);
        effect->gen = schema_int_read(reader, INT32_MIN, INT32_MAX);
        effect->event = schema_int_read(reader, SAGA_NONE, SAGA_EVENT_MAX - 1);
        effect->name = base_read_string(reader);
        effect->text = base_read_string(reader);
        effect->tell = base_read_string(reader);
        schema_hex_read(reader, effect->id, EFFECT_ID_SIZE);
        effect->saga_key = base_read_string(reader);
        effect->undoes = base_read_string(reader);
        effect->expiry_ms = base_read_long(reader);
        effect->data = value_read(values);
    }
    entry->effects = effects;
    entry->effect_count = (int32_t)count;
}

static base_slice trace_read(base_reader *reader, const saga_entry *entry)
{
    if (base_read_long_in(reader, 0, 1) == 1) {
        return base_read_string(reader);
    }
    if (entry->input.event == NULL) {
        base_reader_fail(reader);
        return (base_slice){0};
    }
    return entry->input.event->trace_parent;
}

void schema_entry_read(base_reader *reader, base_arena *arena, saga_entry *entry)
{
    value_reader values = {.reader = reader, .arena = arena};
    *entry = (saga_entry){0};
    entry->saga = base_read_string(reader);
    entry->key = base_read_string(reader);
    schema_hex_read(reader, entry->plan_hash, HASH_SIZE);
    entry->incarnation = schema_int_read(reader, 0, INT32_MAX);
    entry->seq = schema_counter_read(reader);
    entry->at_ms = base_read_long(reader);
    entry->input.now_ms = base_read_long(reader);
    input_read(&values, &entry->input);
    entry->trace_parent = trace_read(reader, entry);
    changes_read(&values, entry);
    effects_read(&values, entry);
}
