/* The checks of how files look: guards, lines, lengths, words, READMEs, dead files. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tools/tidy.h"

/* Is the line the two words, one behind the other? */
static bool line_is(const tidy_line *at, const char *first, const char *second)
{
    size_t first_size = strlen(first);
    size_t second_size = strlen(second);
    size_t used = at->size;
    while (used > 0 && at->start[used - 1] == ' ') {
        used--;
    }
    return used == first_size + second_size && memcmp(at->start, first, first_size) == 0 &&
           memcmp(at->start + first_size, second, second_size) == 0;
}

static bool line_blank(const tidy_line *at)
{
    for (size_t i = 0; i < at->size; i++) {
        if (at->start[i] != ' ') {
            return false;
        }
    }
    return true;
}

void tidy_check_guard(tidy_run *run, const tidy_file *file)
{
    char guard[TIDY_PATH_SIZE];
    const char *path = tidy_starts_with(file->path, "include/") ? file->path + 8 : file->path;
    size_t size = 0;
    for (; path[size] != '\0'; size++) {
        guard[size] = tidy_is_word(path[size]) ? (char)toupper((unsigned char)path[size]) : '_';
    }
    guard[size] = '\0';

    tidy_line at = {0};
    tidy_line last = {0};
    uint32_t seen = 0;
    for (size_t cursor = 0; tidy_line_next(file->code, file->size, &cursor, &at);) {
        if (line_blank(&at)) {
            continue;
        }
        seen++;
        if ((seen == 1 && !line_is(&at, "#ifndef ", guard)) ||
            (seen == 2 && !line_is(&at, "#define ", guard))) {
            tidy_breach(run, file, at.number, "guards",
                        "a header begins with #ifndef and #define %s", guard);
            return;
        }
        last = at;
    }
    if (seen < 3 || !line_is(&last, "#endif", "")) {
        tidy_breach(run, file, last.number, "guards", "nothing stands behind the guard's #endif");
    }
}

/* ---- lines, length ---- */

static size_t columns_of(const tidy_line *at)
{
    size_t columns = 0;
    for (size_t i = 0; i < at->size; i++) {
        columns += ((unsigned char)at->start[i] & 0xC0) != 0x80; /* not a UTF-8 continuation */
    }
    return columns;
}

/* In a table (between "clang-format off" and "on") a line may be as long as one of a script. */
static size_t columns_allowed(const tidy_file *file, const tidy_line *at, bool *in_table)
{
    if (tidy_line_has(at, "clang-format o"
                          "ff")) {
        *in_table = true;
    } else if (tidy_line_has(at, "clang-format o"
                                 "n")) {
        *in_table = false;
    }
    bool is_code = file->kind == TIDY_KIND_C && !*in_table;
    return is_code ? TIDY_C_COLUMNS_MAX : TIDY_WIDE_COLUMNS_MAX;
}

void tidy_check_lines(tidy_run *run, const tidy_file *file)
{
    bool in_table = false;
    tidy_line at = {0};
    for (size_t cursor = 0; tidy_line_next(file->text, file->size, &cursor, &at);) {
        size_t columns = columns_of(&at);
        size_t columns_max = columns_allowed(file, &at, &in_table);
        if (columns > columns_max && !tidy_line_has(&at, "https://")) {
            tidy_breach(run, file, at.number, "lines", "%zu columns (at most %zu)", columns,
                        columns_max);
        }
        if (memchr(at.start, '\t', at.size) != NULL) {
            tidy_breach(run, file, at.number, "lines", "a tab (use blanks, or \\t in a literal)");
        }
        if (at.size > 0 && isspace((unsigned char)at.start[at.size - 1])) {
            tidy_breach(run, file, at.number, "lines", "blanks at the end of the line");
        }
    }
    if (file->size > 0 && file->text[file->size - 1] != '\n') {
        tidy_breach(run, file, at.number, "lines", "no newline at the end of the file");
    }
}

void tidy_check_length(tidy_run *run, const tidy_file *file)
{
    uint32_t open = 0;
    tidy_line at = {0};
    for (size_t cursor = 0; tidy_line_next(file->code, file->size, &cursor, &at);) {
        bool column_zero = at.size > 0;
        if (column_zero && at.start[0] == '{') {
            open = at.number;
        } else if (column_zero && at.start[0] == '}' && open != 0) {
            uint32_t lines = at.number - open - 1;
            if (lines > TIDY_FUNCTION_LINES_MAX) {
                tidy_breach(run, file, open, "length", "a function of %u lines (at most %d)", lines,
                            TIDY_FUNCTION_LINES_MAX);
            }
            open = 0;
        }
    }
    if (at.number > TIDY_FILE_LINES_MAX) {
        tidy_breach(run, file, at.number, "length", "%u lines (at most %d)", at.number,
                    TIDY_FILE_LINES_MAX);
    }
}

/* ---- words, readme, dead ---- */

/* In pieces, so that this file does not hold what it looks for. */
static const char *const OPEN_ENDS[] = {"TO"
                                        "DO",
                                        "FIX"
                                        "ME",
                                        "XX"
                                        "X:"};
static const char *const MACHINE_PATHS[] = {"/wo"
                                            "rk/",
                                            "/tmp/br"
                                            "ief",
                                            "/ro"
                                            "ot/",
                                            "/ho"
                                            "me/"};

void tidy_check_words(tidy_run *run, const tidy_file *file)
{
    tidy_line at = {0};
    for (size_t cursor = 0; tidy_line_next(file->text, file->size, &cursor, &at);) {
        for (size_t i = 0; i < sizeof OPEN_ENDS / sizeof *OPEN_ENDS; i++) {
            if (file->kind != TIDY_KIND_PROSE && tidy_line_has(&at, OPEN_ENDS[i])) {
                tidy_breach(run, file, at.number, "words", "%s (finish it, or file an issue)",
                            OPEN_ENDS[i]);
            }
        }
        for (size_t i = 0; i < sizeof MACHINE_PATHS / sizeof *MACHINE_PATHS; i++) {
            if (tidy_line_has(&at, MACHINE_PATHS[i])) {
                tidy_breach(run, file, at.number, "words", "a path of one machine: %s",
                            MACHINE_PATHS[i]);
            }
        }
    }
}

/* The first file of each folder answers for the folder. */
void tidy_check_readme(tidy_run *run, const tidy_file *file, size_t index)
{
    if (file->folder[0] == '\0' || file->folder[0] == '.') {
        return;
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(run->files[i].folder, file->folder) == 0) {
            return;
        }
    }
    char path[TIDY_PATH_SIZE];
    snprintf(path, sizeof path, "%s/README.md", file->folder);
    const tidy_file *readme = tidy_file_find(run, path);
    if (readme == NULL) {
        tidy_breach(run, file, 1, "readme", "folder %s/ has no README.md", file->folder);
        return;
    }
    tidy_line at = {0};
    for (size_t cursor = 0; tidy_line_next(readme->text, readme->size, &cursor, &at);) {
    }
    if (at.number > TIDY_README_LINES_MAX) {
        tidy_breach(run, readme, at.number, "readme", "%u lines (at most %d)", at.number,
                    TIDY_README_LINES_MAX);
    }
}

void tidy_check_dead(tidy_run *run, const tidy_file *file)
{
    if (file->included) {
        return;
    }
    if (file->is_header) {
        tidy_breach(run, file, 1, "dead", "no file includes this header");
        return;
    }
    char ending[TIDY_PATH_SIZE + 2];
    snprintf(ending, sizeof ending, "/%s\"", file->path);
    if (strstr(run->commands, ending) == NULL) {
        tidy_breach(run, file, 1, "dead", "no target builds this file");
    }
}
