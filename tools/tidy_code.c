/* The checks of what code says: banned calls, floating point, includes. The tables are the rules.
 */
#include <stdio.h>
#include <string.h>

#include "tools/tidy.h"

/* ---- tables ---- */

enum { IN_SAGA = 1, IN_BASE = 2, IN_SCHEMAS = 4, IN_CONNECTORS = 8, IN_UPPER = 16, IN_TESTS = 32 };
enum {
    IN_CORE = IN_SAGA | IN_SCHEMAS,
    IN_LOWER = IN_SAGA | IN_BASE | IN_SCHEMAS,
    IN_QUIET = IN_LOWER | IN_CONNECTORS,
    IN_PRODUCT = IN_QUIET | IN_UPPER,
    IN_ALL = IN_PRODUCT | IN_TESTS
};

typedef struct banned_call {
    const char *name;
    int where;
    const char *instead;
} banned_call;

#define SIZED "memcpy with a size that was checked, or base_arena_print"
#define NUMBER                                                                                     \
    "a parser that refuses what it cannot read (base_value, strtoll with its end checked)"
#define SEEDED "a generator whose seed is printed"
#define ARENA "an arena that was handed in"
#define INPUT_TIME "the time that came with the input"
#define RETURNED "return a status; engine/ and cli/ do the talking"

static const banned_call BANNED[] = {
    {"strcpy", IN_ALL, SIZED},
    {"strncpy", IN_PRODUCT, SIZED},
    {"stpcpy", IN_ALL, SIZED},
    {"strcat", IN_ALL, SIZED},
    {"strncat", IN_PRODUCT, SIZED},
    {"sprintf", IN_ALL, "snprintf"},
    {"vsprintf", IN_ALL, "vsnprintf"},
    {"gets", IN_ALL, "fgets"},
    {"strtok", IN_ALL, "a loop over slices"},
    {"strtod", IN_PRODUCT, NUMBER},
    {"strtof", IN_PRODUCT, NUMBER},
    {"atoi", IN_ALL, NUMBER},
    {"atol", IN_ALL, NUMBER},
    {"atoll", IN_ALL, NUMBER},
    {"atof", IN_ALL, NUMBER},
    {"rand", IN_ALL, SEEDED},
    {"srand", IN_ALL, SEEDED},
    {"random", IN_ALL, SEEDED},
    {"srandom", IN_ALL, SEEDED},
    {"drand48", IN_ALL, SEEDED},
    {"alloca", IN_ALL, "an array of fixed size, or an arena"},
    {"mktemp", IN_ALL, "mkstemp"},
    {"tmpnam", IN_ALL, "mkstemp"},
    {"tempnam", IN_ALL, "mkstemp"},
    {"asctime", IN_ALL, "strftime"},
    {"ctime", IN_ALL, "strftime"},
    {"gmtime", IN_ALL, "gmtime_r"},
    {"localtime", IN_ALL, "localtime_r"},
    {"signal", IN_PRODUCT, "sigaction"},
    {"system", IN_PRODUCT, "posix_spawn"},
    {"longjmp", IN_PRODUCT, "a status"},
    {"time", IN_PRODUCT, "clock_gettime, in the file that owns the clock"},
    {"assert", IN_PRODUCT, "BASE_ASSERT, which stays on in release"},
    {"clock_gettime", IN_LOWER, INPUT_TIME},
    {"gettimeofday", IN_PRODUCT, "clock_gettime"},
    {"getenv", IN_QUIET, "an option that the caller sets"},
    {"secure_getenv", IN_QUIET, "an option that the caller sets"},
    {"setlocale", IN_PRODUCT, "nothing: no result depends on a locale"},
    {"printf", IN_QUIET, RETURNED},
    {"fprintf", IN_QUIET, RETURNED},
    {"puts", IN_QUIET, RETURNED},
    {"fputs", IN_QUIET, RETURNED},
    {"perror", IN_PRODUCT, RETURNED},
    {"syslog", IN_QUIET, RETURNED},
    {"exit", IN_QUIET, RETURNED},
    {"abort", IN_QUIET, "BASE_ASSERT"},
    {"malloc", IN_CORE, ARENA},
    {"calloc", IN_CORE, ARENA},
    {"realloc", IN_CORE, ARENA},
    {"reallocarray", IN_CORE, ARENA},
    {"free", IN_CORE, ARENA},
    {"strdup", IN_CORE, ARENA},
    {"strndup", IN_CORE, ARENA},
    {"asprintf", IN_CORE, ARENA},
    {"vasprintf", IN_CORE, ARENA},
};

/* The files that are the replacement. */
static const char *const BANNED_EXCEPT[] = {"base/assert.c", "base/arena.c"};

typedef struct layer {
    const char *folder;
    int rank; /* an include may point to a lower rank or into its own folder */
    int where;
} layer;

static const layer LAYERS[] = {
    {"base", 0, IN_BASE},    {"saga", 1, IN_SAGA},    {"schemas", 2, IN_SCHEMAS},
    {"engine", 4, IN_UPPER}, {"client", 4, IN_UPPER}, {"connectors", 3, IN_CONNECTORS},
    {"cli", 5, IN_UPPER},
};

/* Headers of the C library that bring no world with them. */
static const char *const CORE_HEADERS[] = {"stdbool.h", "stddef.h", "stdint.h", "inttypes.h",
                                           "limits.h",  "stdarg.h", "string.h"};

typedef struct library {
    const char *header;         /* how the name of its headers begins */
    const char *folders;        /* whose .c files may include it */
    const char *private_header; /* how the path of a header begins that may, too; or NULL */
} library;

/* private_header: shared by the .c files of one backend, seen by nobody else. The last: design.md,
 * 3, for services that hold an avro_value_t already. */
static const library LIBRARIES[] = {
    {"librdkafka/", "connectors", "connectors/log_kafka"},
    {"sqlite3.h", "connectors engine", "connectors/log_local"},
    {"jansson.h", "schemas", NULL},
    {"libfyaml.h", "schemas", NULL},
    {"avro", "schemas", "include/troupe_avro.h"},
};

static const layer *layer_of(const char *folder)
{
    for (size_t i = 0; i < sizeof LAYERS / sizeof *LAYERS; i++) {
        if (strcmp(LAYERS[i].folder, folder) == 0) {
            return &LAYERS[i];
        }
    }
    return NULL;
}

static void check_call(tidy_run *run, const tidy_file *file, const tidy_line *of_code,
                       const char *word, size_t size, int where)
{
    for (size_t i = 0; i < sizeof BANNED / sizeof *BANNED; i++) {
        const banned_call *call = &BANNED[i];
        if (strlen(call->name) == size && memcmp(call->name, word, size) == 0 &&
            (call->where & where) != 0 && !tidy_allowed(file, of_code, word, size)) {
            tidy_breach(run, file, of_code->number, "banned", "call of %s (use %s)", call->name,
                        call->instead);
        }
    }
}

static void check_words_of_code(tidy_run *run, const tidy_file *file, const tidy_line *of_code,
                                int where, bool calls)
{
    const char *end = of_code->start + of_code->size;
    for (const char *at = of_code->start; at < end;) {
        if (!tidy_is_word(*at)) {
            at++;
            continue;
        }
        const char *word = at;
        while (at < end && tidy_is_word(*at)) {
            at++;
        }
        size_t size = (size_t)(at - word);
        if (!calls) {
            bool floats = (size == 5 && memcmp(word, "float", 5) == 0) ||
                          (size == 6 && memcmp(word, "double", 6) == 0);
            if (floats && !tidy_allowed(file, of_code, word, size)) {
                tidy_breach(run, file, of_code->number, "float",
                            "binary floating point in the core (use base_value's decimals)");
            }
            continue;
        }
        const char *behind = at;
        while (behind < end && *behind == ' ') {
            behind++;
        }
        bool member = word > of_code->start && (word[-1] == '.' || word[-1] == '>');
        if (behind < end && *behind == '(' && !member) {
            check_call(run, file, of_code, word, size, where);
        }
    }
}

void tidy_check_banned(tidy_run *run, const tidy_file *file)
{
    const layer *own = layer_of(file->folder);
    int where = own != NULL ? own->where : IN_TESTS;
    bool core = own != NULL && own->where == IN_SAGA;
    bool calls = run->only == NULL || strcmp(run->only, "banned") == 0;
    bool floats = core && (run->only == NULL || strcmp(run->only, "float") == 0);
    for (size_t i = 0; i < sizeof BANNED_EXCEPT / sizeof *BANNED_EXCEPT; i++) {
        calls = calls && strcmp(file->path, BANNED_EXCEPT[i]) != 0;
    }
    tidy_line at = {0};
    for (size_t cursor = 0; tidy_line_next(file->code, file->size, &cursor, &at);) {
        if (calls) {
            check_words_of_code(run, file, &at, where, true);
        }
        if (floats) {
            check_words_of_code(run, file, &at, where, false);
        }
    }
}

/* ---- includes ---- */

/* Where `#include "name"` of a file leads to: from the root, from include/, or (outside the layers)
 * from beside the file. NULL: to none of our files. */
static tidy_file *include_resolve(tidy_run *run, const tidy_file *file, const char *name)
{
    char path[TIDY_PATH_SIZE * 2];
    tidy_file *found = tidy_file_find(run, name);
    if (found == NULL) {
        snprintf(path, sizeof path, "include/%s", name);
        found = tidy_file_find(run, path);
    }
    if (found == NULL && layer_of(file->folder) == NULL) {
        const char *slash = strrchr(file->path, '/');
        int size = slash != NULL ? (int)(slash - file->path) + 1 : 0;
        snprintf(path, sizeof path, "%.*s%s", size, file->path, name);
        found = tidy_file_find(run, path);
    }
    return found;
}

static void check_own_include(tidy_run *run, const tidy_file *file, const tidy_line *at,
                              const char *name)
{
    tidy_file *target = include_resolve(run, file, name);
    if (target == NULL) {
        tidy_breach(run, file, at->number, "includes", "no file \"%s\" (write it from the root)",
                    name);
        return;
    }
    target->included = true;
    const layer *from = layer_of(file->folder);
    const layer *to = layer_of(target->folder);
    if (strcmp(file->folder, target->folder) == 0) {
        return;
    }
    if (from != NULL && to != NULL && to->rank >= from->rank) {
        tidy_breach(run, file, at->number, "includes",
                    "%s/ may not include \"%s\" (an include may only point down: base <- saga <- "
                    "schemas <- connectors <- engine <- cli)",
                    from->folder, name);
    } else if (from != NULL && to == NULL && strcmp(target->folder, "include") != 0) {
        tidy_breach(run, file, at->number, "includes", "%s/ may not include \"%s\" of %s/",
                    from->folder, name, target->folder);
    } else if (from != NULL && to == NULL && from->rank < 4) {
        tidy_breach(run, file, at->number, "includes",
                    "%s/ may not include the public \"%s\" (it stands above)", from->folder, name);
    }
    bool outside = strcmp(file->folder, "include") == 0 || strcmp(file->folder, "examples") == 0;
    if (outside && strcmp(target->folder, "include") != 0) {
        tidy_breach(run, file, at->number, "includes",
                    "%s/ may include nothing of ours but include/, not \"%s\"", file->folder, name);
    }
}

static void check_library_include(tidy_run *run, const tidy_file *file, const tidy_line *at,
                                  const char *name)
{
    if (strcmp(file->folder, "saga") == 0) {
        bool known = false;
        for (size_t i = 0; i < sizeof CORE_HEADERS / sizeof *CORE_HEADERS; i++) {
            known = known || strcmp(CORE_HEADERS[i], name) == 0;
        }
        if (!known) {
            tidy_breach(run, file, at->number, "includes", "the core may not include <%s>", name);
        }
    }
    bool is_public = strcmp(file->folder, "include") == 0;
    if (layer_of(file->folder) == NULL && !is_public) {
        return; /* tests, examples and measurements use what they like */
    }
    for (size_t i = 0; i < sizeof LIBRARIES / sizeof *LIBRARIES; i++) {
        const library *lib = &LIBRARIES[i];
        if (!tidy_starts_with(name, lib->header) ||
            (lib->private_header != NULL && tidy_starts_with(file->path, lib->private_header))) {
            continue;
        }
        if (file->is_header) {
            tidy_breach(run, file, at->number, "includes",
                        "<%s> in a header (its types stay inside a .c file)", name);
        } else if (!tidy_list_has(lib->folders, file->folder)) {
            tidy_breach(run, file, at->number, "includes", "<%s> outside %s/", name, lib->folders);
        }
    }
}

void tidy_check_includes(tidy_run *run, const tidy_file *file)
{
    tidy_line at = {0};
    for (size_t cursor = 0; tidy_line_next(file->code, file->size, &cursor, &at);) {
        const char *end = at.start + at.size;
        const char *hash = at.start;
        while (hash < end && (*hash == ' ' || *hash == '#')) {
            hash++;
        }
        if (hash == at.start || (size_t)(end - hash) < 9 || memcmp(hash, "include", 7) != 0) {
            continue;
        }
        /* The name is a literal: it stands in the text only. */
        tidy_line text = tidy_line_of_text(file, &at);
        const char *open = memchr(text.start, '"', text.size);
        const char *angle = memchr(text.start, '<', text.size);
        char closing = open != NULL ? '"' : '>';
        const char *name = open != NULL ? open + 1 : angle != NULL ? angle + 1 : NULL;
        if (name == NULL) {
            continue; /* by a macro */
        }
        const char *close = memchr(name, closing, (size_t)(text.start + text.size - name));
        char buffer[TIDY_PATH_SIZE];
        if (close == NULL || (size_t)(close - name) >= sizeof buffer ||
            tidy_allowed(file, &at, name, (size_t)(close - name))) {
            continue;
        }
        snprintf(buffer, sizeof buffer, "%.*s", (int)(close - name), name);
        if (open != NULL) {
            check_own_include(run, file, &at, buffer);
        } else {
            check_library_include(run, file, &at, buffer);
        }
    }
}
