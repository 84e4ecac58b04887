/*
 * Batch: what one transaction will hold, made in memory first and then put on the log in one go.
 *
 *   inputs --decide--> outs: journal records, events, forwards, dead letters, snapshots
 *                      `-- engine_batch_write --> log_writer_append..., log_writer_commit
 *
 * Because it is made in memory, it can be put on the log again after a failure that changed nothing
 * (the broker is away, the disk is full), and it can be made again without what the log refuses.
 * Making it again starts from the same records and the same time, so it gives the same, less what
 * was refused:
 *
 *   an event of a step    its step is told (SAGA_COMMAND_EMIT_REFUSED)
 *   anything else         the input that led to it goes to the dead letters
 */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "connectors/log.h"
#include "engine/context.h"
#include "engine/partition.h"
#include "schemas/record.h"

typedef enum engine_out_kind {
    ENGINE_OUT_JOURNAL,
    ENGINE_OUT_EVENT,
    ENGINE_OUT_FORWARD,
    ENGINE_OUT_LETTER,
    ENGINE_OUT_SNAPSHOT
} engine_out_kind;

#define ENGINE_ITEM_NONE ((size_t)-1)

typedef struct engine_out {
    schema_record record;
    engine_out_kind kind;
    size_t item; /* the input that led to it: its index among the records; ENGINE_ITEM_NONE */
    engine_slot *timer; /* ... or the instance whose timer it was */
    char effect_id[33]; /* EVENT of a step or an end */
    const char *reason; /* LETTER: for the engine's log */
    base_slice alert;   /* EVENT: the alert's name, likewise */
    base_slice saga;
} engine_out;

typedef struct engine_poison {
    size_t item;
    base_code code;
    bool letter_refused; /* not even as a dead letter with its value */
} engine_poison;

typedef struct engine_batch {
    int64_t now_ms; /* the time of all its inputs */
    base_arena arena;
    engine_out *outs;
    size_t out_count;
    size_t out_capacity;
    size_t item; /* the input that is being decided */
    engine_slot *timer;
    engine_counters counted; /* added to the context's on commit */
    /* Kept while the batch is made again: */
    char (*refused)[33]; /* effects that the log would not take */
    size_t refused_count;
    size_t refused_capacity;
    engine_poison *poisons; /* inputs that lead to something that cannot be written */
    size_t poison_count;
    size_t poison_capacity;
    bool events_refused;    /* the engine's own events cannot be written */
    bool snapshots_refused; /* a snapshot was too large */
} engine_batch;

void engine_batch_init(engine_batch *batch);
void engine_batch_deinit(engine_batch *batch);
/* Empties it for new inputs. */
void engine_batch_begin(engine_batch *batch, int64_t now_ms);
/* Empties it to make it again from the same inputs. */
void engine_batch_again(engine_batch *batch);

/* Adds a record; what it points to lives in the batch's arena or longer. */
engine_out *engine_batch_add(engine_batch *batch, engine_out_kind kind,
                             const schema_record *record);
/* Writes and adds a record of the journal, and applies it to the fold. */
base_status engine_batch_journal(engine_batch *batch, const engine_context *context,
                                 engine_partition *partition, const schema_journal *journal,
                                 base_error *error) BASE_MUST_USE;
base_status engine_batch_aside(engine_batch *batch, const engine_context *context,
                               engine_partition *partition, const schema_aside *aside,
                               base_error *error) BASE_MUST_USE;
/* Adds a dead letter. origin: as it stood on its own topic. */
base_status engine_batch_letter(engine_batch *batch, const engine_context *context,
                                const schema_record *origin, const char *reason, base_slice saga,
                                const base_error *why, base_error *error) BASE_MUST_USE;

bool engine_batch_is_refused(const engine_batch *batch, const char *effect_id);
const engine_poison *engine_batch_poison(const engine_batch *batch, size_t item);
/* The input being decided leads to something that cannot be: remember it for the next making.
 * false: it was remembered already. */
bool engine_batch_refuse_item(engine_batch *batch, base_code code);

/* log_writer_append, with the configuration's record_size_max as a bound of its own. */
base_status engine_batch_append(const engine_context *context, const schema_record *record,
                                log_writer *writer, base_error *error) BASE_MUST_USE;
/* Puts all on the log and commits it with the positions. BAD_INPUT: the log would not take one
 * record; that has been noted, nothing was written: make the batch again. All others as
 * log_writer_commit gives them; BUSY also when what is refused cannot be left out (the dead
 * letters' topic is not there, say). */
base_status engine_batch_write(engine_batch *batch, const engine_context *context,
                               log_writer *writer, log_member *member,
                               const log_position *positions, size_t position_count,
                               base_error *error) BASE_MUST_USE;

/* After the commit: adds up what was counted, and logs what people should know. */
void engine_batch_committed(engine_batch *batch, engine_context *context);

#endif
