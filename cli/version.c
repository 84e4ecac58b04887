/* `troupe version`: of the program, of the libraries it runs with, of what it writes. */
#include <inttypes.h>
#include <stdio.h>

/* tidy: allow jansson.h, only its version is asked */
#include <jansson.h>
/* tidy: allow libfyaml.h, only its version is asked */
#include <libfyaml.h>
/* tidy: allow librdkafka/rdkafka.h, only its version is asked */
#include <librdkafka/rdkafka.h>
/* tidy: allow sqlite3.h, only its version is asked */
#include <sqlite3.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "schemas/wire.h"

typedef struct version_options {
    bool json;
} version_options;

static const cli_option table[] = {
    {"json", NULL, CLI_FLAG, offsetof(version_options, json),
     "one object: troupe, libraries, formats"},
};

static const struct {
    const char *name;
    uint64_t fingerprint;
} formats[] = {
    {"journal", SCHEMA_FINGERPRINT_JOURNAL},
    {"snapshot", SCHEMA_FINGERPRINT_SNAPSHOT},
    {"definition", SCHEMA_FINGERPRINT_DEFINITION},
};
#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

typedef struct library {
    const char *name;
    const char *version;
} library;
#define LIBRARY_COUNT 4

static void write_json(const library libraries[LIBRARY_COUNT], base_arena *arena)
{
    cli_object object;
    cli_object inner;
    cli_object_begin(&object, arena);
    cli_member_text(&object, "troupe", TROUPE_VERSION);
    cli_object_begin(&inner, arena);
    for (size_t i = 0; i < LIBRARY_COUNT; i++) {
        cli_member_text(&inner, libraries[i].name, libraries[i].version);
    }
    cli_member_object(&object, "libraries", &inner);
    cli_object_begin(&inner, arena);
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        const base_slice text = base_arena_print(arena, "%016" PRIx64, formats[i].fingerprint);
        cli_member(&inner, formats[i].name, text);
    }
    cli_member_object(&object, "formats", &inner);
    (void)cli_object_write(&object);
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    version_options o = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    if (line.word_count > 0) {
        return cli_usage("version", "what is \"%s\"?", line.words[0]);
    }
    const library libraries[LIBRARY_COUNT] = {
        {"librdkafka", rd_kafka_version_str()},
        {"sqlite", sqlite3_libversion()},
        {"jansson", JANSSON_VERSION},
        {"libfyaml", fy_library_version()},
    };
    if (o.json) {
        base_arena arena;
        base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
        write_json(libraries, &arena);
        base_arena_deinit(&arena);
        return cli_end(CLI_OK);
    }
    (void)printf("troupe %s\n", TROUPE_VERSION);
    for (size_t i = 0; i < LIBRARY_COUNT; i++) {
        (void)printf("%s %s\n", libraries[i].name, libraries[i].version);
    }
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        (void)printf("format %s %016" PRIx64 "\n", formats[i].name, formats[i].fingerprint);
    }
    return cli_end(CLI_OK);
}

const cli_command cli_version = {
    .name = "version",
    .summary = "of troupe, its libraries and its formats",
    .arguments = "",
    .text =
        "Writes the version of troupe, of the libraries that it runs with, and the fingerprints "
        "(CRC-64-AVRO) of the\nrecords that it writes.",
    .examples = "  troupe version --json\n",
    .options = table,
    .option_count = sizeof(table) / sizeof(table[0]),
    .keys = CLI_KEYS_NONE,
    .run = run,
};
