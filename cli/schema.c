/* `troupe schema check`: whether one Avro schema may follow others, and if not, why and where. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "schemas/avro_compat.h"

typedef struct schema_options {
    const char *reader;
    cli_list writers;
    const char *mode;
    bool json;
} schema_options;

static const cli_option options[] = {
    {"reader", "FILE", CLI_TEXT, offsetof(schema_options, reader), "the schema that is to be used"},
    {"writer", "FILE", CLI_LIST, offsetof(schema_options, writers),
     "one that was used before; several times, the oldest first"},
    {"mode", "MODE", CLI_TEXT, offsetof(schema_options, mode),
     "BACKWARD (default), FORWARD, FULL, one of them with _TRANSITIVE, or NONE"},
    {"json", NULL, CLI_FLAG, offsetof(schema_options, json), "a line for each reason, then one"},
};

/* The text of a file of at most SCHEMA_AVRO_TEXT_SIZE_MAX bytes, in the arena. */
static base_status text_read(const char *path, base_arena *arena, base_slice *text_out,
                             base_error *error)
{
    base_error_clear(error);
    char *text = base_arena_alloc(arena, SCHEMA_AVRO_TEXT_SIZE_MAX + 1);
    if (text == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for %s", path);
    }
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return base_error_set(error, BASE_BAD_INPUT, "cannot read %s: %s", path, strerror(errno));
    }
    const size_t size = fread(text, 1, SCHEMA_AVRO_TEXT_SIZE_MAX + 1, file);
    const bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed || size > SCHEMA_AVRO_TEXT_SIZE_MAX) {
        return base_error_set(error, BASE_BAD_INPUT, "cannot read %s: %s", path,
                              failed ? "input/output error" : "more than a schema's 1 MiB");
    }
    *text_out = base_slice_make(text, size);
    return base_ok();
}

static base_status schema_load(const char *path, base_arena *arena, const schema_avro **schema_out,
                               base_error *error)
{
    base_slice text;
    BASE_TRY(text_read(path, arena, &text, error));
    return schema_avro_read(text, base_slice_of(path), arena, schema_out, error);
}

static void reason_write(const schema_options *o, const schema_avro_reason *reason,
                         base_arena *arena)
{
    const char *against = o->writers.items[reason->against];
    const char *reader = reason->forward ? against : o->reader;
    const char *writer = reason->forward ? o->reader : against;
    if (o->json) {
        cli_object object;
        cli_object_begin(&object, arena);
        cli_member_text(&object, "reader", reader);
        cli_member_text(&object, "writer", writer);
        cli_member_text(&object, "kind", schema_avro_flaw_name(reason->flaw));
        const base_value path = base_value_string(reason->path);
        cli_member_value(&object, "path", &path); /* the root's is empty */
        cli_member(&object, "message", reason->text);
        (void)cli_object_write(&object);
        return;
    }
    cli_put(base_slice_of(reader));
    (void)printf("%s", reason->path.size > 0 ? "#" : "");
    cli_put(reason->path);
    (void)printf(": ");
    cli_put(reason->text);
    (void)printf(" (%s; written by ", schema_avro_flaw_name(reason->flaw));
    cli_put(base_slice_of(writer));
    (void)printf(")\n");
}

static void verdict_write(const schema_options *o, const schema_avro_verdict *verdict,
                          const char *mode, base_arena *arena)
{
    for (size_t i = 0; i < verdict->reason_count; i++) {
        reason_write(o, &verdict->reasons[i], arena);
    }
    if (o->json) {
        cli_object object;
        cli_object_begin(&object, arena);
        cli_member_bool(&object, "compatible", verdict->compatible);
        cli_member_text(&object, "mode", mode);
        cli_member_number(&object, "reasons", (int64_t)verdict->reason_count);
        cli_member_bool(&object, "more", verdict->more);
        (void)cli_object_write(&object);
        return;
    }
    (void)printf("%scompatible (%s)%s\n", verdict->compatible ? "" : "not ", mode,
                 verdict->more ? ", and there are more reasons" : "");
}

static cli_exit check(const schema_options *o, schema_avro_mode mode, base_arena *arena)
{
    const schema_avro *newest = NULL;
    const schema_avro *earlier[CLI_LIST_MAX];
    schema_avro_verdict verdict = {0};
    base_error error;
    base_error_clear(&error);
    base_status status = schema_load(o->reader, arena, &newest, &error);
    for (size_t i = 0; i < o->writers.count && !base_failed(status); i++) {
        status = schema_load(o->writers.items[i], arena, &earlier[i], &error);
    }
    if (base_failed(status)) {
        (void)cli_failure(status, &error);
        return base_status_class(status) == BASE_CLASS_INPUT ? CLI_BAD_DATA : cli_exit_of(status);
    }
    status =
        schema_avro_compat_mode(mode, newest, earlier, o->writers.count, arena, &verdict, &error);
    if (base_failed(status)) {
        return cli_failure(status, &error);
    }
    verdict_write(o, &verdict, schema_avro_mode_name(mode), arena);
    return verdict.compatible ? CLI_OK : CLI_NO;
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    schema_options o = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    if (line.word_count != 1 || strcmp(line.words[0], "check") != 0) {
        return cli_usage("schema", "say `check`");
    }
    if (o.reader == NULL || o.writers.count == 0) {
        return cli_usage("schema", "check needs --reader and --writer");
    }
    schema_avro_mode mode = SCHEMA_AVRO_BACKWARD;
    if (o.mode != NULL && !schema_avro_mode_parse(base_slice_of(o.mode), &mode)) {
        return cli_usage("schema", "no mode is \"%s\": BACKWARD, FORWARD, FULL, or NONE", o.mode);
    }
    base_arena arena;
    base_arena_init(&arena, (size_t)1024 * 1024 * 1024);
    result = check(&o, mode, &arena);
    base_arena_deinit(&arena);
    return cli_end(result);
}

const cli_command cli_schema = {
    .name = "schema",
    .summary = "does one Avro schema read what another wrote?",
    .arguments = "check",
    .text =
        "Checks whether the schema of --reader may follow those of --writer: BACKWARD, it reads "
        "what they wrote;\nFORWARD, they read what it writes; FULL, both. Without _TRANSITIVE "
        "only the last --writer counts.\n"
        "Exit code 1 when they are not compatible, with reasons and paths; 4 when a schema "
        "cannot be read.",
    .examples = "  troupe schema check --reader order-2.avsc --writer order-1.avsc\n"
                "  troupe schema check --mode FULL_TRANSITIVE --reader v3.avsc --writer v1.avsc "
                "--writer v2.avsc\n",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .keys = CLI_KEYS_NONE,
    .run = run,
};
