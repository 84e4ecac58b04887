/* Runs golden stories: see README.md beside this file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "cli/play_line.h"
#include "schemas/saga_file.h"

#define STORY_SIZE_MAX ((size_t)1024 * 1024)
#define PLAN_MAX 4

typedef struct story {
    const char *path;
    base_arena arena;
    base_arena scratch;
    const saga_plan *plans[PLAN_MAX];
    size_t plan_count;
    player *player;
    FILE *out; /* what the story is, in full */
} story;

static void die(const story *s, const char *what, const char *detail)
{
    (void)fprintf(stderr, "%s: %s: %s\n", s->path, what, detail);
    exit(2);
}

/* ---- the trace: a line of output as a person reads it ---- */

static base_slice text_of(const base_value *line, const char *name)
{
    const base_value *value = base_map_get_text(line, name);
    return value == NULL ? (base_slice){0} : base_value_slice(value);
}

static void print_json(const story *s, const base_value *value)
{
    base_arena arena;
    base_slice json = {0};
    base_arena_init(&arena, STORY_SIZE_MAX);
    if (!base_failed(base_value_json(value, false, &arena, &json)))
        (void)fprintf(s->out, " %.*s", BASE_SLICE_ARG(json));
    base_arena_deinit(&arena);
}

static void print_time(const story *s, int64_t ms)
{
    char text[32];
    if (ms % 1000 == 0 || ms > 100000)
        (void)snprintf(text, sizeof(text), "%llds", (long long)ms / 1000);
    else
        (void)snprintf(text, sizeof(text), "%lldms", (long long)ms);
    (void)fprintf(s->out, "%7s  ", text);
}

static void trace(void *context, const base_value *line)
{
    static const char *const kinds[] = {"ask",  "undo",        "emit",  "phase", "alert",
                                        "note", "dead_letter", "timer", "state"};
    const story *s = (const story *)context;
    print_time(s, base_map_get_text(line, "at")->integer);
    (void)fprintf(s->out, "%.*s ", BASE_SLICE_ARG(text_of(line, "key")));
    const base_slice saga = text_of(line, "saga");
    if (saga.size != 0)
        (void)fprintf(s->out, "%.*s: ", BASE_SLICE_ARG(saga));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const base_value *value = base_map_get_text(line, kinds[i]);
        if (value == NULL)
            continue;
        (void)fprintf(s->out, "%s", kinds[i]);
        if (value->kind == BASE_STRING)
            (void)fprintf(s->out, " %.*s", BASE_SLICE_ARG(base_value_slice(value)));
        else
            print_json(s, value);
    }
    const base_slice step = text_of(line, "step");
    if (step.size != 0)
        (void)fprintf(s->out, " (%.*s", BASE_SLICE_ARG(step));
    const base_value *gen = base_map_get_text(line, "gen");
    if (gen != NULL)
        (void)fprintf(s->out, " gen %lld", (long long)gen->integer);
    const base_value *number = base_map_get_text(line, "try");
    if (number != NULL)
        (void)fprintf(s->out, " try %lld", (long long)number->integer);
    if (step.size != 0)
        (void)fprintf(s->out, ")");
    const base_value *due = base_map_get_text(line, "due");
    if (due != NULL)
        (void)fprintf(s->out, " at %lldms", (long long)due->integer);
    const base_value *data = base_map_get_text(line, "data");
    if (data != NULL && data->kind != BASE_NULL)
        print_json(s, data);
    const base_slice text = text_of(line, "text");
    if (text.size != 0)
        (void)fprintf(s->out, ": %.*s", BASE_SLICE_ARG(text));
    (void)fputc('\n', s->out);
}

/* ---- the script ---- */

static void load(story *s, const char *name)
{
    saga_definition definition;
    saga_findings findings;
    char path[1024];
    const char *slash = strrchr(s->path, '/');
    (void)snprintf(path, sizeof(path), "%.*s%s", slash == NULL ? 0 : (int)(slash - s->path + 1),
                   s->path, name);
    saga_findings_init(&findings, &s->arena);
    if (base_failed(schema_saga_load(path, &s->arena, &definition, &findings)) ||
        base_failed(
            saga_plan_compile(&definition, &s->arena, &s->plans[s->plan_count++], &findings)))
        die(s, path, findings.count > 0 ? findings.items[0].text : "cannot be read");
}

/* "saga FILE... [--states] [--timers]" */
static void begin(story *s, base_slice words)
{
    player_options options = {.output = trace, .context = s};
    while (words.size > 0) {
        const char *end = memchr(words.data, ' ', words.size);
        const size_t size = end == NULL ? words.size : (size_t)(end - words.data);
        const base_slice word = base_arena_copy(&s->arena, base_slice_make(words.data, size));
        const size_t taken = size + (end == NULL ? 0 : 1);
        words = base_slice_make(words.data + taken, words.size - taken);
        if (base_slice_is(word, "--states"))
            options.states = true;
        else if (base_slice_is(word, "--timers"))
            options.timers = true;
        else if (s->plan_count < PLAN_MAX)
            load(s, word.data);
        else
            die(s, "too many sagas", word.data);
    }
    s->player = player_new(s->plans, s->plan_count, &options);
    BASE_ASSERT(s->player != NULL);
}

static void command(story *s, base_slice line)
{
    base_error error;
    base_error_clear(&error);
    if (base_slice_is(line, "quiet")) {
        if (base_failed(player_until_quiet(s->player, &error)))
            die(s, "quiet", error.text);
        return;
    }
    base_arena_reset(&s->scratch);
    if (base_failed(play_line_take(s->player, line, &s->scratch, &error)))
        (void)fprintf(s->out, "refused: %s\n", error.text);
}

/* Walks the story, writes it anew: comments and commands as they are, traces as they come. */
static void walk(story *s, base_slice rest)
{
    bool in_trace = false;
    while (rest.size > 0) {
        const char *end = memchr(rest.data, '\n', rest.size);
        const base_slice line =
            base_slice_make(rest.data, end == NULL ? rest.size : (size_t)(end - rest.data));
        rest = base_slice_make(rest.data + line.size + (end == NULL ? 0 : 1),
                               rest.size - line.size - (end == NULL ? 0 : 1));
        if (base_slice_is(line, "----")) {
            in_trace = true;
            continue;
        }
        if (line.size == 0 && in_trace)
            in_trace = false;
        if (in_trace)
            continue;
        if (line.size > 0 && line.data[0] != '#' &&
            !base_slice_starts_with(line, base_slice_of("saga ")) && s->player == NULL)
            die(s, "the story must begin with", "saga FILE");
        if (base_slice_starts_with(line, base_slice_of("saga "))) {
            begin(s, base_slice_make(line.data + 5, line.size - 5));
            (void)fprintf(s->out, "%.*s\n", BASE_SLICE_ARG(line));
            continue;
        }
        (void)fprintf(s->out, "%.*s\n", BASE_SLICE_ARG(line));
        if (line.size == 0 || line.data[0] == '#')
            continue;
        /* A block's last command line is the one before "----": all are taken, then the trace
         * stands. */
        base_slice block = line;
        while (rest.size > 0 && !base_slice_starts_with(rest, base_slice_of("----\n")) &&
               rest.data[0] != '\n') {
            const char *stop = memchr(rest.data, '\n', rest.size);
            const size_t size = stop == NULL ? rest.size : (size_t)(stop - rest.data);
            (void)fprintf(s->out, "%.*s\n", (int)size, rest.data);
            block.size = (size_t)(rest.data + size - block.data);
            rest = base_slice_make(rest.data + size + (stop == NULL ? 0 : 1),
                                   rest.size - size - (stop == NULL ? 0 : 1));
        }
        (void)fprintf(s->out, "----\n");
        while (block.size > 0) {
            const char *stop = memchr(block.data, '\n', block.size);
            const size_t size = stop == NULL ? block.size : (size_t)(stop - block.data);
            if (size > 0 && block.data[0] != '#')
                command(s, base_slice_make(block.data, size));
            block = base_slice_make(block.data + size + (stop == NULL ? 0 : 1),
                                    block.size - size - (stop == NULL ? 0 : 1));
        }
    }
}

/* ---- files ---- */

static char *read_file(const story *s, size_t *size_out)
{
    FILE *in = fopen(s->path, "r");
    char *text = (char *)malloc(STORY_SIZE_MAX);
    if (in == NULL || text == NULL)
        die(s, "cannot be read", "");
    *size_out = fread(text, 1, STORY_SIZE_MAX, in);
    (void)fclose(in);
    return text;
}

static void show_difference(const char *expected, size_t expected_size, const char *got,
                            size_t got_size)
{
    size_t at = 0;
    size_t line = 1;
    size_t start = 0;
    while (at < expected_size && at < got_size && expected[at] == got[at]) {
        if (expected[at] == '\n') {
            line++;
            start = at + 1;
        }
        at++;
    }
    (void)fprintf(stderr, "line %zu\nexpected: %.*s\n", line, (int)strcspn(expected + start, "\n"),
                  expected + start);
    (void)fprintf(stderr, "got:      %.*s\n", (int)strcspn(got + start, "\n"), got + start);
    (void)fprintf(stderr, "all that came:\n%s", got);
}

static int run(const char *path, bool rewrite)
{
    story s = {.path = path};
    size_t size = 0;
    size_t got_size = 0;
    char *got = NULL;
    char *text = read_file(&s, &size);
    text[size] = '\0';
    base_arena_init(&s.arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_arena_init(&s.scratch, BASE_ARENA_SIZE_DEFAULT_MAX);
    s.out = open_memstream(&got, &got_size);
    walk(&s, base_slice_make(text, size));
    (void)fclose(s.out);
    int result = 0;
    if (got_size != size || memcmp(got, text, size) != 0) {
        if (rewrite) {
            FILE *out = fopen(path, "w");
            if (out == NULL || fwrite(got, 1, got_size, out) != got_size || fclose(out) != 0)
                die(&s, "cannot be written", "");
        } else {
            (void)fprintf(stderr, "%s differs: ", path);
            show_difference(text, size, got, got_size);
            result = 1;
        }
    }
    player_free(s.player);
    base_arena_deinit(&s.arena);
    base_arena_deinit(&s.scratch);
    free(got);
    free(text);
    return result;
}

int main(int argc, char **argv)
{
    int result = 0;
    const bool rewrite = argc > 1 && strcmp(argv[1], "--rewrite") == 0;
    for (int i = rewrite ? 2 : 1; i < argc; i++)
        result |= run(argv[i], rewrite);
    return result;
}
