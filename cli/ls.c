/* `troupe ls`: instances, as a table or as JSON lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/instance.h"
#include "cli/out.h"
#include "cli/session.h"

#define ROW_MAX 500 /* rows whose widths are looked at before the first is written */

typedef struct ls_options {
    const char *saga;
    const char *phase;
    const char *key;
    bool stuck;
    int64_t older_than_ms;
    int64_t younger_than_ms;
    bool json;
} ls_options;

static const cli_option table[] = {
    {"saga", "NAME", CLI_TEXT, offsetof(ls_options, saga), "only this saga's"},
    {"phase", "PHASE[,PHASE]", CLI_TEXT, offsetof(ls_options, phase),
     "running, completed, compensating, compensated, damaged"},
    {"stuck", NULL, CLI_FLAG, offsetof(ls_options, stuck), "only those that wait for a human"},
    {"older-than", "AGE", CLI_DURATION, offsetof(ls_options, older_than_ms),
     "started longer ago than 500ms, 30s, 5m, 2h, 7d"},
    {"younger-than", "AGE", CLI_DURATION, offsetof(ls_options, younger_than_ms),
     "started less long ago"},
    {"key", "PREFIX", CLI_TEXT, offsetof(ls_options, key), "keys that begin so"},
    {"json", NULL, CLI_FLAG, offsetof(ls_options, json),
     "one object a line: saga, version, key, phase, stuck,\nflags, started, updated, ended, "
     "incarnation, entries,\npartition, open, debts, cause"},
};

typedef struct row {
    base_slice saga;
    base_slice key;
    base_slice phase;
    const char *phase_name;
    base_slice doing;
    char age[CLI_TIME_SIZE];
    char updated[CLI_TIME_SIZE];
} row;

typedef struct ls {
    const ls_options *options;
    cli_paint paint;
    int64_t now_ms;
    base_arena arena; /* the rows that wait */
    row rows[ROW_MAX];
    size_t row_count;
    int widths[4]; /* key, saga, phase, age; 0: not known yet */
    uint64_t count;
} ls;

/* ---- the table ---- */

static int wider(int a, int b)
{
    return a > b ? a : b;
}

static void write_row(const ls *l, const row *r)
{
    cli_put_column(r->key, l->widths[0]);
    (void)printf("  ");
    cli_put_column(r->saga, l->widths[1]);
    (void)printf("  %s", cli_ink_text(l->paint, cli_ink_of(r->phase_name)));
    cli_put_column(r->phase, l->widths[2]);
    (void)printf("%s  %*s  %10s  ", cli_ink_text(l->paint, CLI_PLAIN), l->widths[3], r->age,
                 r->updated);
    cli_put(r->doing);
    (void)putchar('\n');
}

static int by_saga_and_key(const void *a, const void *b)
{
    const row *one = (const row *)a;
    const row *two = (const row *)b;
    const int order = base_slice_compare(one->saga, two->saga);
    return order != 0 ? order : base_slice_compare(one->key, two->key);
}

/* The first rows say how wide the columns are; the others follow as they come. */
static void write_rows(ls *l)
{
    if (l->widths[0] == 0) {
        static const char *const names[] = {"KEY", "SAGA", "PHASE", "STARTED"};
        for (size_t i = 0; i < 4; i++) {
            l->widths[i] = (int)strlen(names[i]);
        }
        for (size_t i = 0; i < l->row_count; i++) {
            l->widths[0] = wider(l->widths[0], cli_width(l->rows[i].key));
            l->widths[1] = wider(l->widths[1], cli_width(l->rows[i].saga));
            l->widths[2] = wider(l->widths[2], cli_width(l->rows[i].phase));
            l->widths[3] = wider(l->widths[3], (int)strlen(l->rows[i].age));
        }
        (void)printf("%s%-*s  %-*s  %-*s  %*s  %10s  DOING%s\n", cli_ink_text(l->paint, CLI_DIM),
                     l->widths[0], names[0], l->widths[1], names[1], l->widths[2], names[2],
                     l->widths[3], names[3], "CHANGED", cli_ink_text(l->paint, CLI_PLAIN));
    }
    for (size_t i = 0; i < l->row_count; i++) {
        write_row(l, &l->rows[i]);
    }
    l->row_count = 0;
    base_arena_reset(&l->arena);
}

static base_status add_row(ls *l, const engine_instance *instance, base_error *error)
{
    const saga_state *state = instance->state;
    row *r = &l->rows[l->row_count];
    r->saga = base_arena_copy(&l->arena, instance->saga);
    r->key = base_arena_copy(&l->arena, instance->key);
    r->phase_name = instance->stuck ? "stuck" : saga_phase_name((saga_phase)state->phase);
    r->phase = cli_instance_phase(instance, &l->arena);
    r->doing = cli_instance_doing(instance, &l->arena);
    cli_span(l->now_ms - state->started_ms, r->age);
    cli_span(l->now_ms - state->at_ms, r->updated);
    if (r->saga.data == NULL || r->key.data == NULL || r->phase.data == NULL ||
        r->doing.data == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a row");
    }
    l->row_count++;
    if (l->row_count == ROW_MAX || l->widths[0] != 0) {
        write_rows(l);
    }
    return base_ok();
}

/* ---- JSON ---- */

static base_status write_object(ls *l, const engine_instance *instance, base_error *error)
{
    cli_object object;
    base_arena_reset(&l->arena);
    cli_object_begin(&object, &l->arena);
    cli_instance_object(instance, &l->arena, &object);
    cli_instance_lists(instance, &l->arena, &object);
    if (object.failed) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a line");
    }
    (void)cli_object_write(&object);
    return base_ok();
}

/* ---- the whole ---- */

static base_status each(void *context, const engine_instance *instance, base_error *error)
{
    ls *l = (ls *)context;
    const ls_options *o = l->options;
    if ((o->key != NULL && !base_slice_starts_with(instance->key, base_slice_of(o->key))) ||
        (o->younger_than_ms > 0 && instance->state->started_ms < l->now_ms - o->younger_than_ms)) {
        return base_ok();
    }
    if (cli_broken()) {
        return base_status_of(BASE_INTERRUPTED); /* the reader is gone */
    }
    l->count++;
    return o->json ? write_object(l, instance, error) : add_row(l, instance, error);
}

/* "running,damaged" as bits; 0 for none; false: one of them is none. */
static bool phases_of(const char *text, uint32_t *bits_out, cli_exit *exit_out)
{
    base_slice names[SAGA_PHASE_COUNT];
    for (int i = 0; i < SAGA_PHASE_COUNT; i++) {
        names[i] = base_slice_of(saga_phase_name((saga_phase)i));
    }
    *bits_out = 0;
    while (text != NULL && *text != '\0') {
        const char *comma = strchr(text, ',');
        const base_slice word =
            base_slice_make(text, comma == NULL ? strlen(text) : (size_t)(comma - text));
        uint32_t bit = 0;
        for (int i = SAGA_PHASE_RUNNING; i < SAGA_PHASE_COUNT; i++) {
            bit |= base_slice_equal(word, names[i]) ? UINT32_C(1) << i : 0;
        }
        if (bit == 0) {
            const base_slice near = base_error_nearest(word, names + 1, SAGA_PHASE_COUNT - 1);
            *exit_out = near.size > 0 ? cli_usage("ls", "no phase \"%.*s\", did you mean \"%.*s\"?",
                                                  BASE_SLICE_ARG(word), BASE_SLICE_ARG(near))
                                      : cli_usage("ls", "no phase \"%.*s\"", BASE_SLICE_ARG(word));
            return false;
        }
        *bits_out |= bit;
        text = comma == NULL ? NULL : comma + 1;
    }
    return true;
}

static cli_exit list(cli_session *session, const ls_options *o, const engine_filter *filter)
{
    static const size_t arena_max = BASE_ARENA_SIZE_DEFAULT_MAX * 4;
    base_error error;
    engine_view view = {0};
    ls l = {.options = o, .paint = cli_paint_of_stdout(), .now_ms = cli_now_ms()};
    base_arena_init(&l.arena, arena_max);
    cli_exit result = cli_session_view(session, &view);
    if (result == CLI_OK) {
        base_error_clear(&error);
        const base_status status = engine_view_list(&view, filter, each, &l, &error);
        if (l.row_count > 0) {
            if (l.widths[0] == 0) { /* all of them are here: people find them by key */
                qsort(l.rows, l.row_count, sizeof(l.rows[0]), by_saga_and_key);
            }
            write_rows(&l);
        }
        if (base_failed(status) && status.code != BASE_INTERRUPTED) {
            result = cli_failure(status, &error);
        } else if (l.count == 0 && !o->json) {
            (void)fprintf(stderr, "no instances%s\n",
                          o->saga != NULL || filter->phases != 0 || o->stuck || o->key != NULL ||
                                  o->older_than_ms > 0 || o->younger_than_ms > 0
                              ? " that fit"
                              : "");
        }
    }
    engine_view_close(&view);
    base_arena_deinit(&l.arena);
    return result;
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    ls_options o = {0};
    cli_session session = {0};
    cli_line line;
    uint32_t phases = 0;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result) ||
        !phases_of(o.phase, &phases, &result)) {
        return result;
    }
    if (line.word_count > 0) {
        return cli_usage("ls", "what is \"%s\"? (--key %s lists keys that begin so)", line.words[0],
                         line.words[0]);
    }
    result = cli_session_open(&session, &line, true);
    if (result == CLI_OK) {
        const engine_filter filter = {
            .saga = base_slice_of(o.saga),
            .phases = phases,
            .stuck = o.stuck,
            .started_before_ms = o.older_than_ms > 0 ? cli_now_ms() - o.older_than_ms : 0,
        };
        result = list(&session, &o, &filter);
    }
    cli_session_close(&session);
    return cli_end(result);
}

const cli_command cli_ls = {
    .name = "ls",
    .summary = "instances: phase, age, what they wait for",
    .arguments = "",
    .text = "Lists instances, whether an engine runs or not; many (over 500), and --json, by "
            "partition, then by saga and key.\n"
            "Exit code 0, also when there are none; 1 when no engine has ever run on this log.",
    .examples = "  troupe ls --phase running --older-than 1h\n"
                "  troupe ls --stuck --json | jq -r .key\n",
    .options = table,
    .option_count = sizeof(table) / sizeof(table[0]),
    .keys = CLI_KEYS_LOG,
    .run = run,
};
