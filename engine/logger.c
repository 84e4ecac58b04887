#include "engine/logger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"

#define LINE_SIZE_MAX 4096
#define TAIL_SIZE 16 /* kept for what closes a line that was cut */

typedef struct line {
    char text[LINE_SIZE_MAX];
    size_t size;
} log_line;

static const char *const level_names[] = {
    [ENGINE_LOG_ERROR] = "error",
    [ENGINE_LOG_WARN] = "warn",
    [ENGINE_LOG_INFO] = "info",
    [ENGINE_LOG_DEBUG] = "debug",
};

static void write_stderr(void *context, const char *text, size_t size)
{
    (void)context;
    ssize_t written = 0;
    do {
        written = write(STDERR_FILENO, text, size);
    } while (written < 0 && errno == EINTR);
}

void engine_logger_init(engine_logger *logger, engine_log_level level, bool json,
                        engine_clock clock)
{
    *logger = (engine_logger){.level = level, .json = json, .clock = clock, .write = write_stderr};
}

static void put(log_line *line, const char *text, size_t size)
{
    const size_t room = LINE_SIZE_MAX - TAIL_SIZE - line->size;
    const size_t taken = size < room ? size : room;
    memcpy(line->text + line->size, text, taken);
    line->size += taken;
}

static void put_text(log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* A JSON string's inside; bytes that are not UTF-8 become question marks. An escape is put whole or
 * not at all. */
static void put_escaped(log_line *line, base_slice text)
{
    const bool valid = base_utf8_valid(text);
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        char escape[8];
        if (line->size + sizeof(escape) > LINE_SIZE_MAX - TAIL_SIZE) {
            break;
        }
        if (c == '"' || c == '\\') {
            escape[0] = '\\';
            escape[1] = (char)c;
            put(line, escape, 2);
        } else if (c < 0x20 || c == 0x7f) {
            (void)snprintf(escape, sizeof(escape), "\\u%04x", c);
            put(line, escape, 6);
        } else {
            put(line, c >= 0x80 && !valid ? "?" : (const char *)&text.data[i], 1);
        }
    }
    /* A cut may have split a character. */
    while (valid && line->size > 0 && !base_utf8_valid((base_slice){line->text, line->size})) {
        line->size--;
    }
}

/* Text fields are quoted where a reader could not tell their end otherwise. */
static bool is_plain(base_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) {
            return false;
        }
    }
    return text.size > 0;
}

static void put_field(log_line *line, bool json, const engine_log_field *field)
{
    /* put_escaped leaves eight bytes; a field that does not fit with its marks is left out whole.
     */
    if (line->size + strlen(field->name) + 48 > LINE_SIZE_MAX - TAIL_SIZE) {
        return;
    }
    put_text(line, json ? ",\"" : " ");
    put_text(line, field->name);
    put_text(line, json ? "\":" : "=");
    if (field->text.data == NULL) {
        char number[24];
        (void)snprintf(number, sizeof(number), "%" PRId64, field->number);
        put_text(line, number);
    } else if (!json && is_plain(field->text)) {
        put(line, field->text.data, field->text.size);
    } else {
        put_text(line, "\"");
        put_escaped(line, field->text);
        put_text(line, "\"");
    }
}

void engine_log_write(const engine_logger *logger, engine_log_level level, const char *message,
                      const engine_log_field *fields, size_t count)
{
    if (level > logger->level) {
        return;
    }
    log_line line;
    line.size = 0;
    char time[BASE_TIME_SIZE];
    base_time_format(engine_now_ms(&logger->clock), time);
    char head[96];
    (void)snprintf(head, sizeof(head),
                   logger->json ? "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"" : "%s %-5s ",
                   time, level_names[level]);
    put_text(&line, head);
    if (logger->json) {
        put_escaped(&line, base_slice_of(message));
        put_text(&line, "\"");
    } else {
        put_text(&line, message);
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].name != NULL) {
            put_field(&line, logger->json, &fields[i]);
        }
    }
    const char *end = logger->json ? "}\n" : "\n";
    memcpy(line.text + line.size, end, strlen(end));
    line.size += strlen(end);
    logger->write(logger->context, line.text, line.size);
}

void engine_log_failure(const engine_logger *logger, engine_log_level level, const char *message,
                        base_status status, const base_error *error)
{
    const bool told = error != NULL && error->code != BASE_OK;
    engine_log_field fields[5] = {{.name = NULL}};
    size_t count = 0;
    fields[count++] = ENGINE_WORD("status", base_status_name(status));
    if (told) {
        fields[count++] = ENGINE_WORD("error", error->text);
        if (error->hint[0] != '\0') {
            fields[count++] = ENGINE_WORD("hint", error->hint);
        }
        if (error->path[0] != '\0') {
            fields[count++] = ENGINE_WORD("path", error->path);
        }
        if (error->line != 0) {
            fields[count++] = ENGINE_NUMBER("line", error->line);
        }
    }
    engine_log_write(logger, level, message, fields, count);
}

void engine_log_report(void *context, int syslog_level, const char *text)
{
    const engine_logger *logger = (const engine_logger *)context;
    const engine_log_level level = syslog_level <= 3   ? ENGINE_LOG_ERROR
                                   : syslog_level == 4 ? ENGINE_LOG_WARN
                                   : syslog_level <= 6 ? ENGINE_LOG_INFO
                                                       : ENGINE_LOG_DEBUG;
    ENGINE_LOG(logger, level, "log says", ENGINE_WORD("text", text));
}
