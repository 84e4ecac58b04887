/*
 * Logger: one line an event, for people or for machines.
 *
 *   text  2025-11-21T08:06:01.123Z info  partition taken over partition=3 epoch=4
 *   json  {"time":"2025-11-21T08:06:01.123Z","level":"info","message":"partition taken
 * over","partition":3,"epoch":4}
 *
 * A line is written with one call, so lines of several threads do not run into each other. The
 * message says what happened, the same words every time; what differs stands in the fields.
 * Payloads are never logged.
 */
#ifndef ENGINE_LOGGER_H
#define ENGINE_LOGGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "engine/clock.h"

typedef enum engine_log_level {
    ENGINE_LOG_ERROR,
    ENGINE_LOG_WARN,
    ENGINE_LOG_INFO,
    ENGINE_LOG_DEBUG
} engine_log_level;

typedef struct engine_log_field {
    const char *name; /* NULL: no field */
    base_slice text;  /* data NULL: the number counts */
    int64_t number;
} engine_log_field;

typedef struct engine_logger {
    engine_log_level level; /* what is less urgent is left out */
    bool json;
    engine_clock clock;
    /* Takes one whole line, its newline included. May be called by several threads. */
    void (*write)(void *context, const char *line, size_t size);
    void *context;
} engine_logger;

/* Writes to standard error. */
void engine_logger_init(engine_logger *logger, engine_log_level level, bool json,
                        engine_clock clock);
void engine_log_write(const engine_logger *logger, engine_log_level level, const char *message,
                      const engine_log_field *fields, size_t count);
/* `message`, with the error's text, hint and place as fields, and the status by name. */
void engine_log_failure(const engine_logger *logger, engine_log_level level, const char *message,
                        base_status status, const base_error *error);
/* For log_open_options.report; context is an engine_logger. */
void engine_log_report(void *context, int syslog_level, const char *text);

/* A text that is not there (data NULL) is left out. */
static inline engine_log_field engine_log_text(const char *name, base_slice text)
{
    return (engine_log_field){.name = text.data == NULL ? NULL : name, .text = text};
}

#define ENGINE_TEXT(name_, slice_) engine_log_text((name_), (slice_))
#define ENGINE_WORD(name_, text_)                                                                  \
    ((engine_log_field){.name = (name_), .text = base_slice_of(text_)})
#define ENGINE_NUMBER(name_, number_)                                                              \
    ((engine_log_field){.name = (name_), .number = (int64_t)(number_)})
/* ENGINE_LOG(logger, ENGINE_LOG_INFO, "partition taken over", ENGINE_NUMBER("partition", 3)) */
#define ENGINE_LOG(logger_, level_, message_, ...)                                                 \
    engine_log_write((logger_), (level_), (message_), (const engine_log_field[]){__VA_ARGS__},     \
                     sizeof((const engine_log_field[]){__VA_ARGS__}) / sizeof(engine_log_field))

#endif
