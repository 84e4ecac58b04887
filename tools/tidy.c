/*
 * tidy: the rules of docs/style.md that no compiler knows (style.md, 33).
 *
 *   tidy [--root DIR] [--only CHECK] [--compile-commands FILE] [FOLDER...]
 *
 * Reads every text file below DIR (or below the FOLDERs of it), prints "path:line: check: text
 * (hint)" for each breach, and exits 1 when there was one. It runs as a test (tools.tidy) and, with
 * --only includes, before each layer is compiled. The checks:
 *
 *   banned    calls that have a better replacement, each with that replacement
 *   includes  an include points down (base <- saga <- schemas <- connectors <- engine <- cli), is
 * written from the root, and a library's header stays in the folders that may know it guards    a
 * header's guard is its path lines     100 columns (130 in scripts and tables), no tab, no blank at
 * the end, a newline at the end of the file length    900 lines a file, 70 a function words     no
 * open ends in code, no path of a developer's machine anywhere float     no binary floating point
 * in the core dead      a source that nothing builds, a header that nothing includes (needs
 * --compile-commands) readme    each folder has a README.md of at most 12 lines
 *
 * A line may be let off banned, includes and float by a comment on it or on the line before it that
 * says "tidy: allow NAME, REASON", where NAME is the call, the header or the type.
 *
 * C files are looked at twice: as they are, and as code alone, where every character of a comment
 * or a literal is a blank, so that lines and columns are the same in both.
 */
#include "tools/tidy.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The whole of a text file; NULL for what is too large or no text. */
static char *file_read(const char *path, size_t *size_out)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        if (errno == ENOENT) {
            return NULL; /* a broken link, or gone since it was listed */
        }
        tidy_fail("cannot read", path);
    }
    char *text = NULL;
    struct stat info;
    if (fstat(fileno(stream), &info) == 0 && info.st_size <= TIDY_FILE_SIZE_MAX) {
        text = tidy_allocate((size_t)info.st_size + 1);
        *size_out = fread(text, 1, (size_t)info.st_size, stream);
        if (memchr(text, '\0', *size_out) != NULL) {
            free(text);
            text = NULL;
        }
    }
    fclose(stream);
    return text;
}

static tidy_kind kind_of(const char *path, const char *text)
{
    if (tidy_ends_with(path, ".c") || tidy_ends_with(path, ".h")) {
        return TIDY_KIND_C;
    }
    if (tidy_ends_with(path, ".md") || tidy_ends_with(path, "LICENSE") ||
        tidy_ends_with(path, "NOTICE")) {
        return TIDY_KIND_PROSE;
    }
    if (tidy_starts_with(text, "#!") || tidy_ends_with(path, ".bash") ||
        tidy_ends_with(path, ".sh") || tidy_ends_with(path, ".cmake") ||
        tidy_ends_with(path, "CMakeLists.txt")) {
        return TIDY_KIND_SCRIPT;
    }
    return TIDY_KIND_OTHER;
}

/* root/path; the buffer is large enough for every path that tidy takes. */
static void path_below_root(const tidy_run *run, const char *path, char *full, size_t full_size)
{
    int size = snprintf(full, full_size, "%s/%s", run->root, path);
    if (size < 0 || (size_t)size >= full_size) {
        tidy_fail("a path too long:", path);
    }
}

static void file_add(tidy_run *run, const char *path)
{
    char full[TIDY_PATH_SIZE * 2];
    path_below_root(run, path, full, sizeof full);
    size_t size = 0;
    char *text = file_read(full, &size);
    if (text == NULL) {
        return;
    }
    if (run->file_count == TIDY_FILE_MAX) {
        tidy_fail("more files than tidy can hold below", run->root);
    }
    tidy_file *file = &run->files[run->file_count++];
    snprintf(file->path, sizeof file->path, "%s", path);
    const char *slash = strchr(path, '/');
    if (slash != NULL) {
        snprintf(file->folder, sizeof file->folder, "%.*s", (int)(slash - path), path);
    }
    file->text = text;
    file->size = size;
    file->kind = kind_of(path, text);
    file->is_header = tidy_ends_with(path, ".h");
    file->code = file->kind == TIDY_KIND_C ? tidy_code_of(text, size) : NULL;
}

/* What is made, fetched or not ours. */
static bool skipped(const char *name)
{
    static const char *const NAMES[] = {".",    "..",     ".git",    ".cache",  "target",
                                        "data", "corpus", "results", ".vscode", ".idea"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            return true;
        }
    }
    return tidy_starts_with(name, "build") || tidy_ends_with(name, "~");
}

static int name_filter(const struct dirent *entry)
{
    return !skipped(entry->d_name) ||
           (entry->d_type == DT_REG && tidy_starts_with(entry->d_name, "build"));
}

/* Adds all files below the root, folder by folder: `folders` is the list of those still to read. */
static void files_walk(tidy_run *run)
{
    static char folders[TIDY_FILE_MAX][TIDY_PATH_SIZE];
    size_t folder_count = 1; /* the root: an empty path */
    for (size_t i = 0; i < folder_count; i++) {
        char full[TIDY_PATH_SIZE * 2];
        path_below_root(run, folders[i], full, sizeof full);
        struct dirent **entries = NULL;
        int count = scandir(full, &entries, name_filter, alphasort);
        if (count < 0) {
            tidy_fail("cannot read the folder", full);
        }
        for (int k = 0; k < count; k++) {
            char path[TIDY_PATH_SIZE];
            const char *between = folders[i][0] != '\0' ? "/" : "";
            int size =
                snprintf(path, sizeof path, "%s%s%s", folders[i], between, entries[k]->d_name);
            if (size >= (int)sizeof path) {
                tidy_fail("a path too long below", folders[i]);
            }
            if (entries[k]->d_type == DT_DIR && folder_count < TIDY_FILE_MAX) {
                memcpy(folders[folder_count++], path, sizeof path);
            } else if (entries[k]->d_type == DT_REG) {
                file_add(run, path);
            }
            free(entries[k]);
        }
        free(entries);
    }
}

static bool wants(const tidy_run *run, const char *check)
{
    return run->only == NULL || strcmp(run->only, check) == 0;
}

static void file_check(tidy_run *run, const tidy_file *file, size_t index)
{
    bool in_c = file->kind == TIDY_KIND_C;
    if (in_c && (wants(run, "banned") || wants(run, "float"))) {
        tidy_check_banned(run, file);
    }
    if (in_c && (wants(run, "includes") || wants(run, "dead"))) {
        tidy_check_includes(run, file);
    }
    if (in_c && file->is_header && wants(run, "guards")) {
        tidy_check_guard(run, file);
    }
    if ((in_c || file->kind == TIDY_KIND_SCRIPT) && wants(run, "lines")) {
        tidy_check_lines(run, file);
    }
    if (in_c && wants(run, "length")) {
        tidy_check_length(run, file);
    }
    if (wants(run, "words")) {
        tidy_check_words(run, file);
    }
    if (wants(run, "readme")) {
        tidy_check_readme(run, file, index);
    }
}

/* Is the file below one of the folders that were asked for? None asked for: all. */
static bool selected(const tidy_file *file, char *const *folders, int folder_count)
{
    for (int i = 0; i < folder_count; i++) {
        if (strcmp(file->folder, folders[i]) == 0) {
            return true;
        }
    }
    return folder_count == 0;
}

static void options_read(tidy_run *run, int *argc, char ***argv)
{
    static const char *const CHECKS = "banned includes guards lines length words float dead readme";
    int at = 1;
    for (; at + 1 < *argc && tidy_starts_with((*argv)[at], "--"); at += 2) {
        const char *option = (*argv)[at];
        const char *value = (*argv)[at + 1];
        if (strcmp(option, "--root") == 0) {
            run->root = value;
        } else if (strcmp(option, "--only") == 0 && tidy_list_has(CHECKS, value)) {
            run->only = value;
        } else if (strcmp(option, "--compile-commands") == 0) {
            size_t size = 0;
            run->commands = file_read(value, &size);
            if (run->commands == NULL) {
                tidy_fail("cannot read", value);
            }
        } else {
            tidy_fail("unknown option or check", strcmp(option, "--only") == 0 ? value : option);
        }
    }
    if (at < *argc && tidy_starts_with((*argv)[at], "--")) {
        tidy_fail("unknown option, or one without a value:", (*argv)[at]);
    }
    *argc -= at;
    *argv += at;
}

int main(int argc, char **argv)
{
    tidy_run run = {.root = "."};
    options_read(&run, &argc, &argv);
    run.files = tidy_allocate(TIDY_FILE_MAX * sizeof *run.files);
    files_walk(&run);
    for (size_t i = 0; i < run.file_count; i++) {
        if (selected(&run.files[i], argv, argc)) {
            file_check(&run, &run.files[i], i);
        }
    }
    if (run.commands != NULL && wants(&run, "dead")) {
        for (size_t i = 0; i < run.file_count; i++) {
            if (run.files[i].kind == TIDY_KIND_C && selected(&run.files[i], argv, argc)) {
                tidy_check_dead(&run, &run.files[i]);
            }
        }
    }
    size_t breach_count = run.breach_count;
    if (run.only == NULL) {
        printf("tidy: %zu files, %zu breaches\n", run.file_count, breach_count);
    }
    for (size_t i = 0; i < run.file_count; i++) {
        free(run.files[i].text);
        free(run.files[i].code);
    }
    free(run.files);
    free(run.commands);
    return breach_count == 0 ? 0 : 1;
}
