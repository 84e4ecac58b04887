/* Reporting, lines, and C without its comments and literals. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tidy.h"

void tidy_breach(tidy_run *run, const tidy_file *file, uint32_t number, const char *check,
                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%u: %s: ", file->path, number, check);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    run->breach_count++;
}

void tidy_fail(const char *what, const char *name)
{
    fprintf(stderr, "error: %s \"%s\"\n", what, name);
    exit(2);
}

void *tidy_allocate(size_t size)
{
    void *block = calloc(1, size);
    if (block == NULL) {
        tidy_fail("out of memory for", "files");
    }
    return block;
}

bool tidy_line_next(const char *text, size_t size, size_t *cursor, tidy_line *line_out)
{
    if (*cursor >= size) {
        return false;
    }
    const char *start = text + *cursor;
    const char *end = memchr(start, '\n', size - *cursor);
    line_out->start = start;
    line_out->size = end != NULL ? (size_t)(end - start) : size - *cursor;
    line_out->number++;
    *cursor += line_out->size + 1;
    return true;
}

bool tidy_is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

bool tidy_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool tidy_ends_with(const char *text, const char *suffix)
{
    size_t text_size = strlen(text);
    size_t suffix_size = strlen(suffix);
    return text_size >= suffix_size && strcmp(text + text_size - suffix_size, suffix) == 0;
}

bool tidy_line_has(const tidy_line *in, const char *needle)
{
    return memmem(in->start, in->size, needle, strlen(needle)) != NULL;
}

bool tidy_list_has(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word)) {
        bool starts = at == list || at[-1] == ' ';
        if (starts && (at[size] == ' ' || at[size] == '\0')) {
            return true;
        }
    }
    return false;
}

typedef enum text_state { PLAIN, BLOCK, LINE, STRING, CHARACTER } text_state;

/* What begins with the character, seen from plain code. */
static text_state state_opened(char c, char next)
{
    if (c == '/' && next == '*') {
        return BLOCK;
    }
    if (c == '/' && next == '/') {
        return LINE;
    }
    return c == '"' ? STRING : c == '\'' ? CHARACTER : PLAIN;
}

static bool state_closes(text_state state, char c, char next)
{
    switch (state) {
    case BLOCK:
        return c == '*' && next == '/';
    case LINE:
        return c == '\n';
    case STRING:
        return c == '"';
    case CHARACTER:
        return c == '\'';
    case PLAIN:
        break;
    }
    return false;
}

static void blank(char *code, size_t at)
{
    if (code[at] != '\n') {
        code[at] = ' ';
    }
}

char *tidy_code_of(const char *text, size_t size)
{
    char *code = tidy_allocate(size + 1);
    memcpy(code, text, size);
    text_state state = PLAIN;
    for (size_t i = 0; i < size; i++) {
        char next = i + 1 < size ? text[i + 1] : '\0';
        bool in_literal = state == STRING || state == CHARACTER;
        if (state == PLAIN) {
            state = state_opened(text[i], next);
            if (state == BLOCK || state == LINE) {
                blank(code, i++);
                blank(code, i);
            }
        } else if (in_literal && text[i] == '\\' && i + 1 < size) {
            blank(code, i++);
            blank(code, i);
        } else if (!state_closes(state, text[i], next)) {
            blank(code, i);
        } else {
            if (state == BLOCK) {
                blank(code, i++);
                blank(code, i);
            }
            state = PLAIN; /* the closing quote stays */
        }
    }
    return code;
}

tidy_line tidy_line_of_text(const tidy_file *file, const tidy_line *of_code)
{
    tidy_line text = *of_code;
    text.start = file->text + (of_code->start - file->code);
    return text;
}

bool tidy_allowed(const tidy_file *file, const tidy_line *of_code, const char *name,
                  size_t name_size)
{
    tidy_line here = tidy_line_of_text(file, of_code);
    const char *start = here.start;
    if (start > file->text) {
        start--;
        while (start > file->text && start[-1] != '\n') {
            start--;
        }
    }
    static const char MARK[] = "tidy: allow ";
    tidy_line both = {start, (size_t)(here.start + here.size - start), 0};
    const char *at = memmem(both.start, both.size, MARK, sizeof MARK - 1);
    if (at == NULL) {
        return false;
    }
    at += sizeof MARK - 1;
    size_t left = (size_t)(both.start + both.size - at);
    return left > name_size + 2 && memcmp(at, name, name_size) == 0 && at[name_size] == ',' &&
           at[name_size + 1] == ' ';
}

tidy_file *tidy_file_find(tidy_run *run, const char *path)
{
    for (size_t i = 0; i < run->file_count; i++) {
        if (strcmp(run->files[i].path, path) == 0) {
            return &run->files[i];
        }
    }
    return NULL;
}
