/*
 * Commands: what operators tell an instance, as events in the inbox (docs/wire.md).
 *
 *   type <prefix>.command.abort | resolve | suspend | resume | purge, record key = main key, data:
 *   {"saga", "who", "reason", "force", "step", "act", "event", "data"}
 *
 * The entry that a command leads to carries the command's id: that is the answer.
 */
#ifndef ENGINE_COMMAND_H
#define ENGINE_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "connectors/log.h"
#include "engine/catalog.h"
#include "engine/topics.h"
#include "saga/entry.h"
#include "saga/event.h"
#include "schemas/record.h"

typedef struct engine_command {
    base_slice saga;
    base_slice key;
    saga_command command; /* id: made by engine_command_send where it is empty */
} engine_command;

/* The command that an event of the inbox is. NOT_FOUND: it is none (its type does not begin with
 * command_prefix). BAD_INPUT: it wants to be one and is wrong. Lives: in arena. */
base_status engine_command_read(const saga_event *event, base_slice key, base_slice command_prefix,
                                base_arena *arena, engine_command *command_out,
                                base_error *error) BASE_MUST_USE;
/* As an event of the inbox. */
base_status engine_command_write(const engine_command *command, base_slice prefix,
                                 const engine_topics *topics, int64_t now_ms, base_arena *arena,
                                 schema_record *record_out, base_error *error) BASE_MUST_USE;

/* What became of a command. */
typedef struct engine_answer {
    bool answered;    /* false: the engine took it and found no such instance */
    saga_entry entry; /* in arena */
} engine_answer;

/* Puts a command on the log and waits for its answer. TIMEOUT: no engine took it within timeout_ms;
 * it may still. Blocks. Lives: the answer in arena. */
base_status engine_command_send(log_store *store, const engine_command *command, base_slice prefix,
                                const engine_topics *topics, int32_t partition_count,
                                int64_t now_ms, int32_t timeout_ms, base_arena *arena,
                                engine_answer *answer_out, base_error *error) BASE_MUST_USE;

#endif
