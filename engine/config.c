#include "engine/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "engine/config_keys.h"
#include "schemas/yaml.h"

#define LINE_TEXT_MAX 65536

/* ---- fields ---- */

static base_slice *field_text(engine_config *config, const engine_key *row)
{
    return (base_slice *)(void *)((char *)config + row->offset);
}

static int64_t *field_number(engine_config *config, const engine_key *row)
{
    return (int64_t *)(void *)((char *)config + row->offset);
}

static bool *field_bool(engine_config *config, const engine_key *row)
{
    return (bool *)(void *)((char *)config + row->offset);
}

static bool has_prefix(base_slice text, const char *prefix)
{
    return base_slice_starts_with(text, base_slice_of(prefix));
}

static bool is_passed_on(base_slice key)
{
    return has_prefix(key, "kafka.") || has_prefix(key, "local.");
}

/* ---- values ---- */

static base_status keep(engine_config *config, base_slice text, base_slice *out, base_error *error)
{
    const base_slice copy = base_arena_copy(&config->arena, text);
    if (copy.data == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "the configuration is too large");
    }
    *out = copy;
    return base_ok();
}

static base_status set_integer(const engine_key *row, base_slice value, int64_t *out,
                               base_error *error)
{
    base_value number;
    const base_status parsed = base_number_parse(value, &number);
    if (base_failed(parsed) || number.kind != BASE_INTEGER || number.integer < row->minimum ||
        number.integer > row->maximum) {
        return base_error_set(
            error, BASE_BAD_INPUT, "%s: \"%.*s\" is not a whole number from %lld to %lld",
            row->name, BASE_SLICE_ARG(value), (long long)row->minimum, (long long)row->maximum);
    }
    *out = number.integer;
    return base_ok();
}

static base_status set_bool(const engine_key *row, base_slice value, bool *out, base_error *error)
{
    const bool yes = base_slice_is(value, "true");
    if (!yes && !base_slice_is(value, "false")) {
        return base_error_set(error, BASE_BAD_INPUT, "%s: \"%.*s\" is neither true nor false",
                              row->name, BASE_SLICE_ARG(value));
    }
    *out = yes;
    return base_ok();
}

static base_status set_choice(const engine_key *row, base_slice value, int64_t *out,
                              base_error *error)
{
    base_slice names[8];
    size_t count = 0;
    for (; row->choices[count] != NULL; count++) {
        if (base_slice_is(value, row->choices[count])) {
            *out = (int64_t)count;
            return base_ok();
        }
        names[count] = base_slice_of(row->choices[count]);
    }
    const base_status status = base_error_set(error, BASE_BAD_INPUT, "%s cannot be \"%.*s\"",
                                              row->name, BASE_SLICE_ARG(value));
    const base_slice nearest = base_error_nearest(value, names, count);
    if (nearest.size > 0) {
        base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(nearest));
    } else {
        base_error_hint(error, "it can be %s or %s", row->choices[0], row->choices[1]);
    }
    return status;
}

base_status engine_config_saga(engine_config *config, base_slice path, base_error *error)
{
    engine_config_list *list = &config->sagas;
    if (list->items == NULL) {
        list->items = BASE_ARENA_ARRAY(&config->arena, base_slice, ENGINE_CONFIG_SAGA_MAX);
    }
    if (list->items == NULL || list->count == ENGINE_CONFIG_SAGA_MAX) {
        return base_error_set(error, BASE_TOO_LARGE, "more than %d saga files and directories",
                              ENGINE_CONFIG_SAGA_MAX);
    }
    BASE_TRY(keep(config, path, &list->items[list->count], error));
    list->count++;
    return base_ok();
}

static base_status set_list(engine_config *config, base_slice value, base_error *error)
{
    config->sagas.count = 0;
    size_t first = 0;
    for (size_t i = 0; i <= value.size; i++) {
        if (i == value.size || value.data[i] == ',') {
            if (i > first) {
                BASE_TRY(engine_config_saga(config, base_slice_make(value.data + first, i - first),
                                            error));
            }
            first = i + 1;
        }
    }
    return base_ok();
}

static base_status set_passed_on(engine_config *config, base_slice key, base_slice value,
                                 base_error *error)
{
    if (key.size == strlen("kafka.")) {
        return engine_key_unknown(key, error);
    }
    log_setting *place = NULL;
    for (size_t i = 0; i < config->setting_count; i++) {
        if (base_slice_equal(config->settings[i].name, key)) {
            place = &config->settings[i];
        }
    }
    if (place == NULL && config->setting_count == ENGINE_CONFIG_SETTING_MAX) {
        return base_error_set(error, BASE_TOO_LARGE, "more than %d settings of kafka.* and local.*",
                              ENGINE_CONFIG_SETTING_MAX);
    }
    log_setting setting = {{NULL, 0}, {NULL, 0}};
    BASE_TRY(keep(config, key, &setting.name, error));
    BASE_TRY(keep(config, value, &setting.value, error));
    if (place == NULL) {
        place = &config->settings[config->setting_count++];
    }
    *place = setting;
    return base_ok();
}

base_status engine_config_set(engine_config *config, base_slice key, base_slice value,
                              base_error *error)
{
    if (is_passed_on(key)) {
        return set_passed_on(config, key, value, error);
    }
    const engine_key *row = engine_key_named(key);
    if (row == NULL) {
        return engine_key_unknown(key, error);
    }
    switch (row->kind) {
    case ENGINE_KEY_TEXT:
        return keep(config, value, field_text(config, row), error);
    case ENGINE_KEY_LIST:
        return set_list(config, value, error);
    case ENGINE_KEY_BOOL:
        return set_bool(row, value, field_bool(config, row), error);
    case ENGINE_KEY_INTEGER:
        return set_integer(row, value, field_number(config, row), error);
    case ENGINE_KEY_CHOICE:
        break;
    }
    return set_choice(row, value, field_number(config, row), error);
}

bool engine_config_knows(base_slice key, bool *flag_out)
{
    const engine_key *row = engine_key_named(key);
    if (flag_out != NULL) {
        *flag_out = row != NULL && row->kind == ENGINE_KEY_BOOL;
    }
    return row != NULL || is_passed_on(key);
}

/* ---- the whole ---- */

void engine_config_init(engine_config *config)
{
    memset(config, 0, sizeof(*config));
    base_arena_init(&config->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    size_t count = 0;
    const engine_key *keys = engine_keys(&count);
    for (size_t i = 0; i < count; i++) {
        const base_status status = engine_config_set(config, base_slice_of(keys[i].name),
                                                     base_slice_of(keys[i].initial), NULL);
        BASE_ASSERT(!base_failed(status));
    }
}

void engine_config_deinit(engine_config *config)
{
    base_arena_deinit(&config->arena);
}

static bool has_setting(const engine_config *config, base_slice key)
{
    for (size_t i = 0; i < config->setting_count; i++) {
        if (base_slice_equal(config->settings[i].name, key)) {
            return true;
        }
    }
    return false;
}

/* A log has a bound of its own: records that are larger than its default shall pass there, too.
 * What was set for the log itself stays. */
static base_status let_records_pass(engine_config *config, base_error *error)
{
    static const char *const names[] = {"kafka.message.max.bytes", "local.record_size_max"};
    if (config->record_size_max <= LOG_RECORD_SIZE_DEFAULT) {
        return base_ok();
    }
    char number[24];
    (void)snprintf(number, sizeof(number), "%" PRId64, config->record_size_max);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!has_setting(config, base_slice_of(names[i]))) {
            BASE_TRY(set_passed_on(config, base_slice_of(names[i]), base_slice_of(number), error));
        }
    }
    return base_ok();
}

base_status engine_config_finish(engine_config *config, base_error *error)
{
    if (config->group.size == 0) {
        config->group = config->prefix;
    }
    if (config->identity.size == 0 && (has_prefix(config->log, "local:"))) {
        config->identity = base_slice_of("engine");
    }
    if (config->prefix.size == 0 || config->prefix.size > 200) {
        return base_error_set(error, BASE_BAD_INPUT, "the prefix has %zu bytes, 1 to 200 will do",
                              config->prefix.size);
    }
    if (config->log.size == 0) {
        return base_error_set(error, BASE_BAD_INPUT, "the log has no URL");
    }
    return let_records_pass(config, error);
}

log_open_options engine_config_open_options(const engine_config *config,
                                            const engine_logger *logger)
{
    return (log_open_options){
        .settings = config->settings,
        .setting_count = config->setting_count,
        .client = base_slice_of("troupe engine"),
        .report = engine_log_report,
        .report_context = (void *)(uintptr_t)logger,
    };
}

/* ---- from a file ---- */

/* A scalar as the text that engine_config_set reads. */
static base_status scalar_text(engine_config *config, const base_value *value, base_slice *text_out,
                               base_error *error)
{
    switch ((base_kind)value->kind) {
    case BASE_NULL:
        *text_out = base_slice_of("");
        return base_ok();
    case BASE_BOOL:
        *text_out = base_slice_of(value->truth ? "true" : "false");
        return base_ok();
    case BASE_STRING:
    case BASE_BYTES:
    case BASE_NUMBER_TEXT:
        *text_out = base_value_slice(value);
        return base_ok();
    case BASE_INTEGER:
    case BASE_DECIMAL:
        return base_number_text(value, &config->arena, text_out);
    case BASE_LIST:
    case BASE_MAP:
        break;
    }
    return base_error_set(error, BASE_BAD_INPUT, "a %s where one value is wanted",
                          base_kind_name((base_kind)value->kind));
}

static base_status file_list(engine_config *config, const base_value *list, base_error *error)
{
    config->sagas.count = 0;
    for (size_t i = 0; i < list->size; i++) {
        base_slice text = {NULL, 0};
        BASE_TRY(scalar_text(config, &list->items[i], &text, error));
        BASE_TRY(engine_config_saga(config, text, error));
    }
    return base_ok();
}

/* One member of the file's map; `kafka: {a: b}` is the same as `kafka.a: b`. */
static base_status file_member(engine_config *config, base_slice key, const base_value *value,
                               base_error *error)
{
    const engine_key *row = engine_key_named(key);
    if (value->kind == BASE_LIST && row != NULL && row->kind == ENGINE_KEY_LIST) {
        return file_list(config, value, error);
    }
    if (value->kind == BASE_MAP && (base_slice_is(key, "kafka") || base_slice_is(key, "local"))) {
        for (size_t i = 0; i < value->size; i++) {
            const base_member *member = &value->members[i];
            base_slice text = {NULL, 0};
            BASE_TRY(scalar_text(config, &member->value, &text, error));
            const base_slice name = base_arena_print(
                &config->arena, "%.*s.%.*s", BASE_SLICE_ARG(key), BASE_SLICE_ARG(member->key));
            if (name.data == NULL) {
                return base_error_set(error, BASE_OUT_OF_MEMORY, "the configuration is too large");
            }
            BASE_TRY(set_passed_on(config, name, text, error));
        }
        return base_ok();
    }
    if (row == NULL && !is_passed_on(key)) {
        return engine_key_unknown(key, error);
    }
    base_slice text = {NULL, 0};
    BASE_TRY(scalar_text(config, value, &text, error));
    return engine_config_set(config, key, text, error);
}

static base_status file_text(const char *path, base_arena *arena, base_slice *text_out,
                             base_error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return base_error_set(error, BASE_NOT_FOUND, "cannot read the configuration file \"%s\"",
                              path);
    }
    base_status status = base_ok();
    char *text = (char *)base_arena_alloc(arena, LINE_TEXT_MAX);
    size_t size = 0;
    if (text == NULL) {
        status = base_error_set(error, BASE_OUT_OF_MEMORY, "the configuration is too large");
    } else {
        size = fread(text, 1, LINE_TEXT_MAX, file);
        if (size == LINE_TEXT_MAX) {
            status = base_error_set(error, BASE_TOO_LARGE, "\"%s\" has more than %d bytes", path,
                                    LINE_TEXT_MAX - 1);
        } else if (ferror(file) != 0) {
            status =
                base_error_set(error, BASE_IO, "cannot read the configuration file \"%s\"", path);
        }
    }
    (void)fclose(file);
    if (!base_failed(status)) {
        *text_out = base_slice_make(text, size);
    }
    return status;
}

base_status engine_config_file(engine_config *config, const char *path, base_error *error)
{
    base_slice text = {NULL, 0};
    BASE_TRY(file_text(path, &config->arena, &text, error));
    base_value tree;
    BASE_TRY(schema_yaml_read(text, base_slice_of(path), &config->arena, &tree, error));
    if (tree.kind == BASE_NULL) {
        return base_ok();
    }
    if (tree.kind != BASE_MAP) {
        const base_status status = base_error_set(error, BASE_BAD_INPUT, "the file holds no keys");
        base_error_path(error, base_slice_of(path));
        return status;
    }
    for (size_t i = 0; i < tree.size; i++) {
        const base_member *member = &tree.members[i];
        const base_status status = file_member(config, member->key, &member->value, error);
        if (base_failed(status)) {
            base_error_path(error, base_slice_of(path));
            base_error_place(error, base_place_line(member->key_place),
                             base_place_column(member->key_place));
            return status;
        }
    }
    return base_ok();
}

/* ---- from the environment ---- */

/* TROUPE_KAFKA_SECURITY_PROTOCOL -> kafka.security.protocol; TROUPE_BATCH_MAX -> batch_max. */
static base_slice environment_key(base_slice name, char *buffer, size_t buffer_size)
{
    const bool passed_on = has_prefix(name, "KAFKA_") || has_prefix(name, "LOCAL_");
    size_t used = 0;
    for (; used < name.size && used < buffer_size; used++) {
        const char c = name.data[used];
        buffer[used] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        /* local.* keys have underscores of their own: only the first parts the name there. */
        if (c == '_' && passed_on && (has_prefix(name, "KAFKA_") || used == strlen("LOCAL"))) {
            buffer[used] = '.';
        }
    }
    return base_slice_make(buffer, used);
}

/* Not the configuration's: the file's name, and what the repository's scripts and tests understand.
 */
static bool is_elsewheres(base_slice name)
{
    static const char *const names[] = {"CONFIG", "REQUIRE",     "REQUIRE_KAFKA",
                                        "KEEP",   "KAFKA_CACHE", "KAFKA_BROKERS"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (base_slice_is(name, names[i])) {
            return true;
        }
    }
    return has_prefix(name, "TEST_");
}

base_status engine_config_environment(engine_config *config, char *const *environment,
                                      base_error *error)
{
    const base_slice mark = BASE_SLICE_LITERAL("TROUPE_");
    for (size_t i = 0; environment[i] != NULL; i++) {
        const base_slice line = base_slice_of(environment[i]);
        const char *equals = strchr(environment[i], '=');
        if (equals == NULL || !base_slice_starts_with(line, mark)) {
            continue;
        }
        const base_slice name = {line.data + mark.size, (size_t)(equals - line.data) - mark.size};
        if (is_elsewheres(name)) {
            continue;
        }
        char buffer[256];
        const base_slice key = environment_key(name, buffer, sizeof(buffer));
        const base_status status = engine_config_set(config, key, base_slice_of(equals + 1), error);
        if (base_failed(status)) {
            base_error_context(error, "environment variable %.*s", (int)(equals - line.data),
                               line.data);
            return status;
        }
    }
    return base_ok();
}
