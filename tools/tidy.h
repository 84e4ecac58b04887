/*
 * What the parts of tidy share (tidy.c says what tidy is): files, lines, reporting.
 *
 * It stands on the C library alone: the gates of base/ cannot wait for base/.
 */
#ifndef TOOLS_TIDY_H
#define TOOLS_TIDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIDY_FILE_MAX 4096
#define TIDY_FILE_SIZE_MAX (4L * 1024 * 1024)
#define TIDY_PATH_SIZE 512
#define TIDY_C_COLUMNS_MAX 100
#define TIDY_WIDE_COLUMNS_MAX 130
#define TIDY_FILE_LINES_MAX 900
#define TIDY_FUNCTION_LINES_MAX 70
#define TIDY_README_LINES_MAX 12

typedef enum tidy_kind {
    TIDY_KIND_OTHER,
    TIDY_KIND_C,
    TIDY_KIND_SCRIPT,
    TIDY_KIND_PROSE
} tidy_kind;

typedef struct tidy_file {
    char path[TIDY_PATH_SIZE]; /* below the root */
    char folder[64];           /* first part of the path; empty at the root */
    tidy_kind kind;
    char *text;
    char *code; /* of C: text without comments and literals, same size; else NULL */
    size_t size;
    bool is_header;
    bool included; /* by another file */
} tidy_file;

typedef struct tidy_run {
    const char *root;
    const char *only; /* NULL: every check */
    char *commands;   /* compile_commands.json, or NULL */
    tidy_file *files;
    size_t file_count;
    size_t breach_count;
} tidy_run;

typedef struct tidy_line {
    const char *start;
    size_t size; /* without the newline */
    uint32_t number;
} tidy_line;

/* ---- tidy_text.c ---- */

/* Says what is wrong with a line of a file, and counts it. */
__attribute__((format(printf, 5, 6))) void tidy_breach(tidy_run *run, const tidy_file *file,
                                                       uint32_t number, const char *check,
                                                       const char *format, ...);
/* Ends the program: tidy itself cannot go on. */
__attribute__((noreturn)) void tidy_fail(const char *what, const char *name);
/* Zeroed memory; never NULL. */
void *tidy_allocate(size_t size);

/* The line that starts at *cursor; moves the cursor behind it. False at the end. */
bool tidy_line_next(const char *text, size_t size, size_t *cursor, tidy_line *line_out);
bool tidy_line_has(const tidy_line *in, const char *needle);
bool tidy_is_word(char c);
bool tidy_starts_with(const char *text, const char *prefix);
bool tidy_ends_with(const char *text, const char *suffix);
/* Is word one of the blank-separated words of list? */
bool tidy_list_has(const char *list, const char *word);

/* A copy in which comments and the insides of literals are blanks. Owns: the caller frees it. */
char *tidy_code_of(const char *text, size_t size);
/* The line of the file's text that starts at the same place as one of its code. */
tidy_line tidy_line_of_text(const tidy_file *file, const tidy_line *of_code);
/* Does the line, or the one before it, say "tidy: allow NAME, REASON"? */
bool tidy_allowed(const tidy_file *file, const tidy_line *of_code, const char *name,
                  size_t name_size);
/* The file of a path below the root, or NULL. */
tidy_file *tidy_file_find(tidy_run *run, const char *path);

/* ---- the checks: tidy_code.c and tidy_form.c ---- */

void tidy_check_banned(tidy_run *run, const tidy_file *file); /* and float */
void tidy_check_includes(tidy_run *run, const tidy_file *file);
void tidy_check_guard(tidy_run *run, const tidy_file *file);
void tidy_check_lines(tidy_run *run, const tidy_file *file);
void tidy_check_length(tidy_run *run, const tidy_file *file);
void tidy_check_words(tidy_run *run, const tidy_file *file);
void tidy_check_readme(tidy_run *run, const tidy_file *file, size_t index);
void tidy_check_dead(tidy_run *run, const tidy_file *file);

#endif
