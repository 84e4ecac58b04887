/*
 * Output: what people and programs read. Text is coloured only on a terminal, and never with
 * NO_COLOR; what comes from outside (keys, data) is written without control characters. Lines of
 * JSON are objects whose times are RFC 3339 with milliseconds.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/value.h"

/* ---- colour ---- */
typedef enum cli_ink {
    CLI_PLAIN,
    CLI_BOLD,
    CLI_DIM,
    CLI_RED,
    CLI_GREEN,
    CLI_YELLOW,
    CLI_CYAN
} cli_ink;

typedef struct cli_paint {
    bool on;
} cli_paint;

/* Is standard output a terminal that may be coloured? */
cli_paint cli_paint_of_stdout(void);
/* The sequence that switches to an ink (PLAIN: back), or "". */
const char *cli_ink_text(cli_paint paint, cli_ink ink);
/* The ink of a phase, an F or a U by name: good is green, trouble red, on the way yellow. */
cli_ink cli_ink_of(const char *name);

/* ---- text ---- */
/* Writes a text; control characters as \n, \t or \xNN. */
void cli_put(base_slice text);
/* The same, in a column: padded with blanks to `width` characters. */
void cli_put_column(base_slice text, int width);
/* Columns that the text takes (characters; \xNN counts as it is written). */
int cli_width(base_slice text);
/* Writes a value as JSON over several lines, each behind `indent` blanks but the first. */
void cli_put_json(const base_value *value, int indent, base_arena *arena);

#define CLI_TIME_SIZE 40
/* Local wall time, "2025-11-21 09:12:03.120". */
void cli_clock(int64_t ms, char text_out[CLI_TIME_SIZE]);
/* "09:12:03.120". */
void cli_clock_short(int64_t ms, char text_out[CLI_TIME_SIZE]);
/* A length of time: "0.104s", "2m05s", "3h12m", "4d07h". */
void cli_span(int64_t ms, char text_out[CLI_TIME_SIZE]);
int64_t cli_now_ms(void);

/* ---- JSON lines ---- */
typedef struct cli_object {
    base_map_builder map;
    bool failed;
} cli_object;

void cli_object_begin(cli_object *object, base_arena *arena);
/* Members. Strings that are empty or NULL, times of 0 and values of NULL are left out. */
void cli_member_text(cli_object *object, const char *name, const char *text);
void cli_member(cli_object *object, const char *name, base_slice text);
void cli_member_number(cli_object *object, const char *name, int64_t number);
void cli_member_bool(cli_object *object, const char *name, bool truth);
void cli_member_time(cli_object *object, const char *name, int64_t ms);
void cli_member_value(cli_object *object, const char *name, const base_value *value);
void cli_member_object(cli_object *object, const char *name, cli_object *member);
base_value cli_object_end(cli_object *object);
/* Ends it and writes it as a line; false when that failed. */
bool cli_object_write(cli_object *object);

#endif
