#include "engine/command.h"

#include <string.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/hash.h"
#include "schemas/envelope.h"
#include "schemas/journal.h"

#define POLL_MS 200
#define RECORD_MAX 500

/* The kinds that operators may give; the engine's own report is none of them. */
static const saga_command_kind kinds[] = {SAGA_COMMAND_ABORT, SAGA_COMMAND_RESOLVE,
                                          SAGA_COMMAND_SUSPEND, SAGA_COMMAND_RESUME,
                                          SAGA_COMMAND_PURGE};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static base_status no_memory(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a command");
}

/* ---- reading ---- */

static bool kind_named(base_slice name, saga_command_kind *kind_out)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (base_slice_is(name, saga_command_kind_name(kinds[i]))) {
            *kind_out = kinds[i];
            return true;
        }
    }
    return false;
}

static base_status member_text(const base_value *data, const char *name, base_slice *out,
                               base_error *error)
{
    const base_value *value = base_map_get_text(data, name);
    if (value == NULL || value->kind == BASE_NULL) {
        return base_ok();
    }
    if (value->kind != BASE_STRING) {
        return base_error_set(error, BASE_BAD_INPUT, "the command's \"%s\" is no text", name);
    }
    *out = base_value_slice(value);
    return base_ok();
}

static base_status read_data(const base_value *data, engine_command *command, base_error *error)
{
    base_slice act = {NULL, 0};
    BASE_TRY(member_text(data, "saga", &command->saga, error));
    BASE_TRY(member_text(data, "who", &command->command.who, error));
    BASE_TRY(member_text(data, "reason", &command->command.reason, error));
    BASE_TRY(member_text(data, "step", &command->command.step, error));
    BASE_TRY(member_text(data, "event", &command->command.event, error));
    BASE_TRY(member_text(data, "act", &act, error));
    const base_value *force = base_map_get_text(data, "force");
    command->command.force = force != NULL && force->kind == BASE_BOOL && force->truth;
    const base_value *payload = base_map_get_text(data, "data");
    command->command.data = payload == NULL ? base_value_null() : *payload;
    if (command->saga.size == 0) {
        return base_error_set(error, BASE_BAD_INPUT, "the command names no saga");
    }
    if (command->command.kind == SAGA_COMMAND_RESOLVE &&
        !saga_act_named(act, &command->command.act)) {
        return base_error_set(error, BASE_BAD_INPUT, "the command's act \"%.*s\" is none",
                              BASE_SLICE_ARG(act));
    }
    return base_ok();
}

base_status engine_command_read(const saga_event *event, base_slice key, base_slice command_prefix,
                                base_arena *arena, engine_command *command_out, base_error *error)
{
    (void)arena;
    if (!base_slice_starts_with(event->type, command_prefix)) {
        return base_error_set(error, BASE_NOT_FOUND, "an event of type \"%.*s\" is no command",
                              BASE_SLICE_ARG(event->type));
    }
    engine_command command;
    memset(&command, 0, sizeof(command));
    const base_slice name = base_slice_make(event->type.data + command_prefix.size,
                                            event->type.size - command_prefix.size);
    if (!kind_named(name, &command.command.kind)) {
        return base_error_set(error, BASE_BAD_INPUT, "there is no command \"%.*s\"",
                              BASE_SLICE_ARG(name));
    }
    if (key.size == 0 || event->data.kind != BASE_MAP) {
        return base_error_set(error, BASE_BAD_INPUT,
                              "a command needs a key and an object as its data");
    }
    command.key = key;
    command.command.id = event->id;
    BASE_TRY(read_data(&event->data, &command, error));
    *command_out = command;
    return base_ok();
}

/* ---- writing ---- */

static base_status put_text(base_map_builder *map, const char *name, base_slice text)
{
    const base_value value = base_value_string(text);
    return text.size == 0 ? base_ok() : base_map_put_text(map, name, &value);
}

static base_status write_data(const engine_command *command, base_arena *arena,
                              base_value *data_out)
{
    const saga_command *inner = &command->command;
    base_map_builder map;
    base_map_begin(&map, arena);
    BASE_TRY(put_text(&map, "saga", command->saga));
    BASE_TRY(put_text(&map, "who", inner->who));
    BASE_TRY(put_text(&map, "reason", inner->reason));
    BASE_TRY(put_text(&map, "step", inner->step));
    BASE_TRY(put_text(&map, "event", inner->event));
    if (inner->kind == SAGA_COMMAND_RESOLVE) {
        BASE_TRY(put_text(&map, "act", base_slice_of(saga_act_name(inner->act))));
    }
    if (inner->force) {
        const base_value yes = base_value_bool(true);
        BASE_TRY(base_map_put_text(&map, "force", &yes));
    }
    if (inner->data.kind != BASE_NULL) {
        BASE_TRY(base_map_put_text(&map, "data", &inner->data));
    }
    *data_out = base_map_end(&map);
    return base_ok();
}

base_status engine_command_write(const engine_command *command, base_slice prefix,
                                 const engine_topics *topics, int64_t now_ms, base_arena *arena,
                                 schema_record *record_out, base_error *error)
{
    saga_event event;
    memset(&event, 0, sizeof(event));
    event.id = command->command.id;
    event.source = base_slice_of("/troupe/operator");
    event.type = base_arena_print(arena, "%.*s.command.%s", BASE_SLICE_ARG(prefix),
                                  saga_command_kind_name(command->command.kind));
    event.time_ms = now_ms;
    event.content_type = base_slice_of("application/json");
    event.partition_key = command->key;
    if (event.type.data == NULL || base_failed(write_data(command, arena, &event.data))) {
        return no_memory(error);
    }
    memset(record_out, 0, sizeof(*record_out));
    BASE_TRY(schema_envelope_write(&event, arena, record_out, error));
    record_out->topic = topics->inbox;
    record_out->partition = SCHEMA_PARTITION_BY_KEY;
    record_out->key = command->key;
    return base_ok();
}

/* ---- sending ---- */

static base_status new_id(base_arena *arena, base_slice *id_out, base_error *error)
{
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return base_error_set(error, BASE_IO, "the system gives no random number");
    }
    char text[33];
    base_hex(bytes, sizeof(bytes), text);
    *id_out = base_arena_copy(arena, base_slice_make(text, 32));
    return id_out->data == NULL ? no_memory(error) : base_ok();
}

static base_status put(log_store *store, const schema_record *record, base_error *error)
{
    log_writer *writer = NULL;
    const log_writer_options options = {.transaction_timeout_ms = 0};
    BASE_TRY(log_writer_open(store, &options, &writer, error));
    base_status status = log_writer_append(writer, record, error);
    if (!base_failed(status)) {
        size_t refused = 0;
        status = log_writer_commit(writer, NULL, NULL, 0, NULL, &refused, error);
    }
    log_writer_close(writer);
    return status;
}

/* Is this record of the journal the answer, or a sign that the engine has read past the command? */
static bool is_answer(const schema_record *record, base_slice id, base_slice inbox,
                      int32_t partition, int64_t inbox_end, base_arena *arena,
                      engine_answer *answer)
{
    schema_journal journal;
    if (base_failed(schema_journal_read(record->value, arena, &journal, NULL))) {
        return false;
    }
    if (journal.kind == SCHEMA_JOURNAL_ENTRY && journal.entry.input.kind == SAGA_INPUT_COMMAND &&
        base_slice_equal(journal.entry.input.command.id, id)) {
        answer->answered = true;
        answer->entry = journal.entry;
        return true;
    }
    for (size_t i = 0; i < journal.position_count; i++) {
        const schema_position *position = &journal.positions[i];
        if (position->partition == partition && position->offset >= inbox_end &&
            base_slice_equal(position->topic, inbox)) {
            answer->answered = false;
            return true;
        }
    }
    return false;
}

/* Reads on until the answer is there. */
static base_status await(log_reader *reader, base_slice id, base_slice inbox, int32_t partition,
                         int64_t inbox_end, int32_t timeout_ms, base_arena *arena,
                         engine_answer *answer, base_error *error)
{
    for (int32_t waited_ms = 0; waited_ms <= timeout_ms; waited_ms += POLL_MS) {
        const schema_record *records = NULL;
        size_t count = 0;
        BASE_TRY(log_reader_poll(reader, POLL_MS, RECORD_MAX, &records, &count, error));
        for (size_t i = 0; i < count; i++) {
            /* The record goes away with the next poll; the answer is to stay. */
            schema_record record = records[i];
            record.value = base_arena_copy(arena, record.value);
            if (record.value.data == NULL) {
                return no_memory(error);
            }
            if (is_answer(&record, id, inbox, partition, inbox_end, arena, answer)) {
                return base_ok();
            }
        }
        if (count > 0) {
            waited_ms -= POLL_MS; /* the journal moves: time counts when it stands still */
        }
    }
    const base_status status =
        base_error_set(error, BASE_TIMEOUT, "no engine answered within %d ms", (int)timeout_ms);
    base_error_hint(error,
                    "is one running? The command stands on the log and will be taken when one is");
    return status;
}

base_status engine_command_send(log_store *store, const engine_command *command, base_slice prefix,
                                const engine_topics *topics, int32_t partition_count,
                                int64_t now_ms, int32_t timeout_ms, base_arena *arena,
                                engine_answer *answer_out, base_error *error)
{
    engine_command sent = *command;
    if (sent.command.id.size == 0) {
        BASE_TRY(new_id(arena, &sent.command.id, error));
    }
    schema_record record;
    BASE_TRY(engine_command_write(&sent, prefix, topics, now_ms, arena, &record, error));
    const int32_t partition = base_partition_of(sent.key, partition_count);
    record.partition = partition;
    int64_t begin = 0;
    int64_t end = 0;
    BASE_TRY(log_range(store, topics->journal, partition, &begin, &end, error));
    log_reader *reader = NULL;
    BASE_TRY(log_reader_open(store, &reader, error));
    base_status status = log_reader_assign(reader, topics->journal, partition, end, error);
    if (base_failed(status)) {
        goto out;
    }
    status = put(store, &record, error);
    if (base_failed(status)) {
        goto out;
    }
    status = log_range(store, topics->inbox, partition, &begin, &end, error);
    if (base_failed(status)) {
        goto out;
    }
    engine_answer answer;
    memset(&answer, 0, sizeof(answer));
    status = await(reader, sent.command.id, topics->inbox, partition, end, timeout_ms, arena,
                   &answer, error);
    if (!base_failed(status)) {
        *answer_out = answer;
    }
out:
    log_reader_close(reader);
    return status;
}
