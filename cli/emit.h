/*
 * Private to `troupe emit` (emit.c, emit_message.c): what is to be put on the log, from options or
 * from a line of JSON, as the record that it becomes.
 */
#ifndef CLI_EMIT_H
#define CLI_EMIT_H

#include "cli/session.h"
#include "saga/expr.h"
#include "schemas/record.h"

typedef struct emit_options {
    const char *saga; /* a file, or the name of one that is deployed */
    const char *topic;
    const char *type;
    const char *key;
    const char *key_from; /* jq */
    const char *data;
    const char *id;
    const char *source;
    const char *time;
    cli_list attributes;
    bool lines;
    bool plain;
    bool create;
    bool json;
} emit_options;

/* What all events of one run share. */
typedef struct emit {
    cli_session *session;
    const emit_options *options;
    const char *event;         /* the event's name or type from the command line, or NULL */
    const saga_expr *key_from; /* NULL: none */
    const saga_plan *plan;     /* of --saga FILE, or NULL */
    engine_catalog catalog;    /* deployed sagas, where no file was given */
    bool catalog_read;
    base_arena plans;
} emit;

/* A record, and what is told about it. */
typedef struct emit_message {
    schema_record record;
    base_slice event; /* name; empty: a plain record */
    base_slice type;
    base_slice id;
    bool known; /* a saga names its topic: it may be made */
} emit_message;

/* What the options say, with `data` as it came. BAD_INPUT: the event is not known, has no key, ...
 * Lives: in arena, borrows. */
base_status emit_message_make(emit *e, base_slice data, base_arena *arena,
                              emit_message *message_out, base_error *error) BASE_MUST_USE;
/* The same from one line of input (--lines): {"event" or "type", "data", "key", "id", "source",
 * "time", "subject", "topic", extensions}; or, with --plain, the record's value. */
base_status emit_message_line(emit *e, base_slice line, base_arena *arena,
                              emit_message *message_out, base_error *error) BASE_MUST_USE;

#endif
