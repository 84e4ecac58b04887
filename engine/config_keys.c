#include "engine/config_keys.h"

#include <string.h>

#include "base/codec.h"

static const char *const from_choices[] = {"earliest", "latest", NULL};
static const char *const level_choices[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_choices[] = {"text", "json", NULL};

#define TEXT_KEY(name_, initial_, text_)                                                           \
    {                                                                                              \
#name_, ENGINE_KEY_TEXT, offsetof(engine_config, name_), initial_, 0, 0, NULL, text_       \
    }
#define BOOL_KEY(name_, initial_, text_)                                                           \
    {                                                                                              \
#name_, ENGINE_KEY_BOOL, offsetof(engine_config, name_), initial_, 0, 0, NULL, text_       \
    }
#define INTEGER_KEY(name_, initial_, minimum_, maximum_, text_)                                    \
    {                                                                                              \
#name_, ENGINE_KEY_INTEGER, offsetof(engine_config, name_), initial_, minimum_, maximum_,  \
            NULL, text_                                                                            \
    }
#define CHOICE_KEY(name_, initial_, choices_, text_)                                               \
    {                                                                                              \
#name_, ENGINE_KEY_CHOICE, offsetof(engine_config, name_), initial_, 0, 0, choices_, text_ \
    }

/* clang-format off */
static const engine_key rows[] = {
    TEXT_KEY(log, "local:./troupe-data",
             "Where the log is: `local:DIR`, `kafka://HOST:PORT[,HOST:PORT]` or `memory:NAME`."),
    TEXT_KEY(prefix, "troupe",
             "Begins the name of every topic, group and transactional id of this installation."),
    TEXT_KEY(group, "",
             "Consumer group of the engine's workers. Empty: the prefix."),
    TEXT_KEY(identity, "",
             "Name of this worker, the same after a restart and unlike any other's: membership is then static, so a "
             "restart moves no partition. Empty: `engine` on a local log, else a new one a process."),
    {"sagas", ENGINE_KEY_LIST, offsetof(engine_config, sagas), "", 0, 0, NULL,
     "Saga files, and directories of `*.saga.yaml` and `*.saga.json`, that are deployed at start."},
    INTEGER_KEY(partitions, "12", 1, 10000,
                "Partitions of the inbox and the journal. Fixed when the topics are made: another number later stops "
                "the engine."),
    INTEGER_KEY(replication, "0", 0, 100, "Replicas of the topics that the engine makes (Kafka). 0: the broker's default."),
    BOOL_KEY(create_topics, "true", "Make Troupe's own topics where they are missing."),
    BOOL_KEY(create_source_topics, "true",
             "Make the topics that the sagas name where they are missing, with as many partitions as the journal."),
    CHOICE_KEY(from, "earliest", from_choices,
               "Where a topic that is new to the engine is read from: `earliest` or `latest`. The choice is recorded; "
               "later changes do not move positions."),
    INTEGER_KEY(batch_max, "1000", 1, 100000, "Records handled in one transaction at most."),
    INTEGER_KEY(commit_interval_ms, "0", 0, 10000,
                "How long to wait for more records before a batch that is not full is committed. 0: not at all; "
                "batches grow by what waits."),
    INTEGER_KEY(snapshot_entries, "10000", 1, 1000000000,
                "A partition is checkpointed after that many entries."),
    INTEGER_KEY(snapshot_interval_ms, "60000", 100, 86400000,
                "A partition with new entries is checkpointed after that time."),
    INTEGER_KEY(early_max, "10000", 0, 10000000,
                "Events of one partition that may wait for their instance at the same time; more go to the dead "
                "letters."),
    INTEGER_KEY(session_timeout_ms, "10000", 100, 1800000,
                "After so long without a sign of life a worker's partitions go to others."),
    INTEGER_KEY(transaction_timeout_ms, "15000", 1000, 900000,
                "After so long the log gives up a transaction that was begun."),
    INTEGER_KEY(record_size_max, "1048576", 1024, 104857600,
                "Largest record, in bytes of key, value and headers, that is written."),
    CHOICE_KEY(log_level, "info", level_choices, "What is logged: `error`, `warn`, `info` or `debug`."),
    CHOICE_KEY(log_format, "text", format_choices, "One line an event: `text` or `json`."),
};
/* clang-format on */
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static bool same_name(base_slice key, const char *name)
{
    const size_t size = strlen(name);
    if (key.size != size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (key.data[i] != name[i] && !(key.data[i] == '-' && name[i] == '_')) {
            return false;
        }
    }
    return true;
}

const engine_key *engine_key_named(base_slice key)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (same_name(key, rows[i].name)) {
            return &rows[i];
        }
    }
    return NULL;
}

base_status engine_key_unknown(base_slice key, base_error *error)
{
    base_slice names[ROW_COUNT + 2];
    for (size_t i = 0; i < ROW_COUNT; i++) {
        names[i] = base_slice_of(rows[i].name);
    }
    names[ROW_COUNT] = base_slice_of("kafka.");
    names[ROW_COUNT + 1] = base_slice_of("local.");
    const base_status status = base_error_set(
        error, BASE_BAD_INPUT, "unknown configuration key \"%.*s\"", BASE_SLICE_ARG(key));
    const base_slice nearest = base_error_nearest(key, names, ROW_COUNT + 2);
    if (nearest.size > 0) {
        base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(nearest));
    } else {
        base_error_hint(error, "docs/configuration.md lists the keys");
    }
    return status;
}

const engine_key *engine_keys(size_t *count_out)
{
    *count_out = ROW_COUNT;
    return rows;
}

/* ---- telling people ---- */

static const char *kind_text(const engine_key *row)
{
    switch (row->kind) {
    case ENGINE_KEY_TEXT:
        return "text";
    case ENGINE_KEY_LIST:
        return "list";
    case ENGINE_KEY_BOOL:
        return "true or false";
    case ENGINE_KEY_INTEGER:
        return "number";
    case ENGINE_KEY_CHOICE:
        break;
    }
    return "choice";
}

static base_status describe_row(const engine_key *row, engine_config_form form, base_arena *arena,
                                base_writer *writer)
{
    base_slice line = {NULL, 0};
    const char *initial = row->initial[0] == '\0' ? "-" : row->initial;
    if (form == ENGINE_CONFIG_HELP) {
        line = base_arena_print(arena, "  --%s (%s, default %s)\n      %s\n", row->name,
                                kind_text(row), initial, row->text);
    } else if (row->kind == ENGINE_KEY_INTEGER) {
        line = base_arena_print(arena, "| `%s` | %s, %lld to %lld | `%s` | %s |\n", row->name,
                                kind_text(row), (long long)row->minimum, (long long)row->maximum,
                                initial, row->text);
    } else {
        line = base_arena_print(arena, "| `%s` | %s | `%s` | %s |\n", row->name, kind_text(row),
                                initial, row->text);
    }
    if (line.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    base_write_raw(writer, line);
    return base_ok();
}

base_status engine_config_describe(engine_config_form form, base_arena *arena, base_slice *text_out)
{
    base_writer writer;
    base_writer_begin(&writer, arena);
    if (form == ENGINE_CONFIG_MARKDOWN) {
        base_write_raw(&writer,
                       base_slice_of("| key | kind | default | meaning |\n|---|---|---|---|\n"));
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        BASE_TRY(describe_row(&rows[i], form, arena, &writer));
    }
    return base_writer_end(&writer, text_out);
}
