/* See out.h. */
#include "cli/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/cli.h"
#include "engine/clock.h"

/* ---- colour ---- */

cli_paint cli_paint_of_stdout(void)
{
    const char *no = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return (cli_paint){.on = (no == NULL || no[0] == '\0') && isatty(STDOUT_FILENO) == 1 &&
                             terminal != NULL && strcmp(terminal, "dumb") != 0};
}

const char *cli_ink_text(cli_paint paint, cli_ink ink)
{
    static const char *const sequences[] = {
        [CLI_PLAIN] = "\033[0m", [CLI_BOLD] = "\033[1m",   [CLI_DIM] = "\033[2m",
        [CLI_RED] = "\033[31m",  [CLI_GREEN] = "\033[32m", [CLI_YELLOW] = "\033[33m",
        [CLI_CYAN] = "\033[36m",
    };
    return paint.on ? sequences[ink] : "";
}

cli_ink cli_ink_of(const char *name)
{
    static const struct {
        const char *name;
        cli_ink ink;
    } inks[] = {
        {"completed", CLI_GREEN}, {"done", CLI_GREEN},     {"compensated", CLI_CYAN},
        {"undone", CLI_CYAN},     {"released", CLI_DIM},   {"no", CLI_DIM},
        {"waiting", CLI_DIM},     {"skipped", CLI_DIM},    {"cancelled", CLI_DIM},
        {"waived", CLI_YELLOW},   {"open", CLI_YELLOW},    {"due", CLI_YELLOW},
        {"backoff", CLI_YELLOW},  {"owed", CLI_YELLOW},    {"undoing", CLI_YELLOW},
        {"ubackoff", CLI_YELLOW}, {"running", CLI_YELLOW}, {"compensating", CLI_YELLOW},
        {"past_pivot", CLI_BOLD}, {"failed", CLI_RED},     {"unknown", CLI_RED},
        {"ustuck", CLI_RED},      {"stuck", CLI_RED},      {"damaged", CLI_RED},
    };
    for (size_t i = 0; i < sizeof(inks) / sizeof(inks[0]); i++) {
        if (strcmp(name, inks[i].name) == 0) {
            return inks[i].ink;
        }
    }
    return CLI_PLAIN;
}

/* ---- text ---- */

#define ESCAPE_SIZE 8

/* The size of the control character at `at` (C0, DEL, C1 as UTF-8), or 0 when there is none there;
 * what stands for it. */
static size_t control_at(base_slice text, size_t at, char escape[ESCAPE_SIZE])
{
    const unsigned char c = (unsigned char)text.data[at];
    const unsigned char next = at + 1 < text.size ? (unsigned char)text.data[at + 1] : 0;
    if (c == '\n' || c == '\t') {
        (void)snprintf(escape, ESCAPE_SIZE, c == '\n' ? "\\n" : "\\t");
        return 1;
    }
    if (c < 0x20 || c == 0x7f) {
        (void)snprintf(escape, ESCAPE_SIZE, "\\x%02x", c);
        return 1;
    }
    if (c == 0xc2 && next >= 0x80 && next <= 0x9f) {
        (void)snprintf(escape, ESCAPE_SIZE, "\\x%02x", next);
        return 2;
    }
    return 0;
}

void cli_put(base_slice text)
{
    size_t first = 0;
    for (size_t i = 0; i < text.size;) {
        char escape[ESCAPE_SIZE];
        const size_t size = control_at(text, i, escape);
        if (size == 0) {
            i++;
            continue;
        }
        (void)fwrite(text.data + first, 1, i - first, stdout);
        (void)fputs(escape, stdout);
        i += size;
        first = i;
    }
    if (first < text.size) {
        (void)fwrite(text.data + first, 1, text.size - first, stdout);
    }
}

int cli_width(base_slice text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.size;) {
        char escape[ESCAPE_SIZE];
        const size_t size = control_at(text, i, escape);
        if (size > 0) {
            width += strlen(escape);
            i += size;
        } else {
            width += ((unsigned char)text.data[i] & 0xc0) != 0x80; /* not within a character */
            i++;
        }
    }
    return width > 10000 ? 10000 : (int)width;
}

void cli_put_column(base_slice text, int width)
{
    const int used = cli_width(text);
    cli_put(text);
    if (used < width) {
        (void)printf("%*s", width - used, "");
    }
}

static void new_line(int indent)
{
    (void)printf("\n%*s", indent, "");
}

/* The string that begins at `at`, quotes included; C1 control characters, which JSON lets pass, are
 * escaped. Gives what follows it. */
static size_t put_json_string(base_slice json, size_t at)
{
    size_t i = at;
    do {
        const bool control = (unsigned char)json.data[i] == 0xc2 && i + 1 < json.size &&
                             (unsigned char)json.data[i + 1] <= 0x9f;
        if (control) {
            (void)printf("\\u00%02x", (unsigned char)json.data[i + 1]);
            i++;
        } else {
            (void)putchar(json.data[i]);
            if (json.data[i] == '\\') {
                i++;
                (void)putchar(json.data[i]);
            }
        }
        i++;
    } while (i < json.size && json.data[i] != '"');
    (void)putchar('"');
    return i + 1;
}

/* Breaks lines of compact JSON behind what opens, before what closes and behind commas. */
void cli_put_json(const base_value *value, int indent, base_arena *arena)
{
    base_slice json = {NULL, 0};
    if (base_failed(base_value_json(value, false, arena, &json))) {
        return;
    }
    for (size_t i = 0; i < json.size;) {
        const char c = json.data[i];
        const char next = i + 1 < json.size ? json.data[i + 1] : '\0';
        if (c == '"') {
            i = put_json_string(json, i);
            continue;
        }
        const bool opens = c == '{' || c == '[';
        const bool closes = c == '}' || c == ']';
        const bool empty = opens && next == (c == '{' ? '}' : ']');
        if (closes) {
            indent -= 2;
            new_line(indent);
        }
        (void)putchar(c);
        if (empty) {
            (void)putchar(next);
        } else if (opens || c == ',') {
            indent += opens ? 2 : 0;
            new_line(indent);
        } else if (c == ':') {
            (void)putchar(' ');
        }
        i += empty ? 2 : 1;
    }
}

/* ---- time ---- */

int64_t cli_now_ms(void)
{
    const engine_clock clock = engine_clock_real();
    return engine_now_ms(&clock);
}

void cli_clock(int64_t ms, char text_out[CLI_TIME_SIZE])
{
    const int64_t within = ((ms % 1000) + 1000) % 1000;
    const time_t seconds = (time_t)((ms - within) / 1000);
    struct tm local;
    char text[CLI_TIME_SIZE];
    if (localtime_r(&seconds, &local) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) == 0) {
        (void)snprintf(text_out, CLI_TIME_SIZE, "%" PRId64 "ms", ms);
        return;
    }
    (void)snprintf(text_out, CLI_TIME_SIZE, "%.30s.%03d", text, (int)within);
}

void cli_clock_short(int64_t ms, char text_out[CLI_TIME_SIZE])
{
    char text[CLI_TIME_SIZE];
    cli_clock(ms, text);
    const char *blank = strchr(text, ' ');
    (void)snprintf(text_out, CLI_TIME_SIZE, "%s", blank == NULL ? text : blank + 1);
}

void cli_span(int64_t ms, char text_out[CLI_TIME_SIZE])
{
    const char *sign = ms < 0 ? "-" : "";
    const int64_t positive = ms < 0 ? -ms : ms;
    const int64_t seconds = positive / 1000;
    if (seconds < 60) {
        (void)snprintf(text_out, CLI_TIME_SIZE, "%s%" PRId64 ".%03ds", sign, seconds,
                       (int)(positive % 1000));
    } else if (seconds < 3600) {
        (void)snprintf(text_out, CLI_TIME_SIZE, "%s%" PRId64 "m%02ds", sign, seconds / 60,
                       (int)(seconds % 60));
    } else if (seconds < 86400) {
        (void)snprintf(text_out, CLI_TIME_SIZE, "%s%" PRId64 "h%02dm", sign, seconds / 3600,
                       (int)(seconds % 3600 / 60));
    } else {
        (void)snprintf(text_out, CLI_TIME_SIZE, "%s%" PRId64 "d%02dh", sign, seconds / 86400,
                       (int)(seconds % 86400 / 3600));
    }
}

/* ---- JSON lines ---- */

void cli_object_begin(cli_object *object, base_arena *arena)
{
    object->failed = false;
    base_map_begin(&object->map, arena);
}

void cli_member_value(cli_object *object, const char *name, const base_value *value)
{
    if (value != NULL && base_failed(base_map_put_text(&object->map, name, value))) {
        object->failed = true;
    }
}

void cli_member(cli_object *object, const char *name, base_slice text)
{
    const base_value value =
        base_utf8_valid(text) ? base_value_string(text) : base_value_bytes(text);
    cli_member_value(object, name, text.size == 0 ? NULL : &value);
}

void cli_member_text(cli_object *object, const char *name, const char *text)
{
    cli_member(object, name, base_slice_of(text));
}

void cli_member_number(cli_object *object, const char *name, int64_t number)
{
    const base_value value = base_value_integer(number);
    cli_member_value(object, name, &value);
}

void cli_member_bool(cli_object *object, const char *name, bool truth)
{
    const base_value value = base_value_bool(truth);
    cli_member_value(object, name, &value);
}

void cli_member_time(cli_object *object, const char *name, int64_t ms)
{
    if (ms == 0) {
        return;
    }
    char text[BASE_TIME_SIZE];
    base_time_format(ms, text);
    const base_slice copy = base_arena_copy(object->map.arena, base_slice_of(text));
    object->failed = object->failed || copy.data == NULL;
    cli_member(object, name, copy);
}

base_value cli_object_end(cli_object *object)
{
    return base_map_end(&object->map);
}

void cli_member_object(cli_object *object, const char *name, cli_object *member)
{
    const base_value value = cli_object_end(member);
    object->failed = object->failed || member->failed;
    cli_member_value(object, name, &value);
}

bool cli_object_write(cli_object *object)
{
    const base_value line = cli_object_end(object);
    return !object->failed && cli_write_json(&line);
}
