/*
 * Command lines: --name VALUE, --name=VALUE, words, and `--` before words that begin with a dash. A
 * name is one of the command's own options, or a key of the configuration.
 */
#include <stdio.h>
#include <string.h>

#include "base/value.h"
#include "cli/cli.h"
#include "engine/config.h"

#define NAME_COUNT_MAX 128

/* Keys that stand for a class; kafka.* and local.* go with the first. */
static const char *const log_keys[] = {"log", "prefix"};
static const char *const topic_keys[] = {"partitions", "replication", "create_topics",
                                         "create_source_topics", "record_size_max"};
#define LOG_KEY_COUNT (sizeof(log_keys) / sizeof(log_keys[0]))
#define TOPIC_KEY_COUNT (sizeof(topic_keys) / sizeof(topic_keys[0]))

/* ---- what is known ---- */

static const cli_option *option_of(const cli_command *command, base_slice name)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (base_slice_is(name, command->options[i].name)) {
            return &command->options[i];
        }
    }
    return NULL;
}

static bool among(base_slice name, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool same = strlen(keys[i]) == name.size;
        for (size_t k = 0; same && k < name.size; k++) {
            same = name.data[k] == keys[i][k] || (name.data[k] == '-' && keys[i][k] == '_');
        }
        if (same) {
            return true;
        }
    }
    return false;
}

static bool is_key(const cli_command *command, base_slice name, bool *flag_out)
{
    if (command->keys == CLI_KEYS_NONE || !engine_config_knows(name, flag_out)) {
        return false;
    }
    return command->keys == CLI_KEYS_ALL || base_slice_starts_with(name, base_slice_of("kafka.")) ||
           base_slice_starts_with(name, base_slice_of("local.")) ||
           among(name, log_keys, LOG_KEY_COUNT) ||
           (command->keys == CLI_KEYS_TOPICS && among(name, topic_keys, TOPIC_KEY_COUNT));
}

static void unknown_option(const cli_command *command, base_slice name, cli_exit *exit_out)
{
    base_slice names[NAME_COUNT_MAX];
    size_t count = 0;
    for (size_t i = 0; i < command->option_count && count < NAME_COUNT_MAX - 16; i++) {
        names[count++] = base_slice_of(command->options[i].name);
    }
    names[count++] = base_slice_of("help");
    for (size_t i = 0; command->keys >= CLI_KEYS_LOG && i < LOG_KEY_COUNT; i++) {
        names[count++] = base_slice_of(log_keys[i]);
    }
    if (command->keys >= CLI_KEYS_LOG) {
        names[count++] = base_slice_of("config");
    }
    for (size_t i = 0; command->keys >= CLI_KEYS_TOPICS && i < TOPIC_KEY_COUNT; i++) {
        names[count++] = base_slice_of(topic_keys[i]);
    }
    const base_slice near = base_error_nearest(name, names, count);
    if (near.size > 0) {
        *exit_out = cli_usage(command->name, "unknown option \"--%.*s\", did you mean \"--%.*s\"?",
                              BASE_SLICE_ARG(name), BASE_SLICE_ARG(near));
    } else {
        *exit_out = cli_usage(command->name, "unknown option \"--%.*s\"", BASE_SLICE_ARG(name));
    }
}

/* ---- values ---- */

static bool choice_has(const char *choices, base_slice value)
{
    const char *at = choices;
    while (at != NULL) {
        const char *bar = strchr(at, '|');
        const size_t size = bar == NULL ? strlen(at) : (size_t)(bar - at);
        if (base_slice_equal(base_slice_make(at, size), value)) {
            return true;
        }
        at = bar == NULL ? NULL : bar + 1;
    }
    return false;
}

/* Puts a value into its field. false: it does not fit, which was said. */
static bool take_value(const cli_command *command, const cli_option *option, const char *value,
                       void *options, cli_exit *exit_out)
{
    void *field = (char *)options + option->offset;
    const base_slice text = base_slice_of(value);
    base_value number;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)field = true;
        return true;
    case CLI_TEXT:
        *(const char **)field = value;
        return true;
    case CLI_LIST: {
        cli_list *list = (cli_list *)field;
        if (list->count == CLI_LIST_MAX) {
            *exit_out =
                cli_usage(command->name, "--%s more than %d times", option->name, CLI_LIST_MAX);
            return false;
        }
        list->items[list->count++] = value;
        return true;
    }
    case CLI_NUMBER:
        if (base_failed(base_number_parse(text, &number)) || number.kind != BASE_INTEGER ||
            number.integer < 0) {
            *exit_out =
                cli_usage(command->name, "--%s: \"%s\" is not a whole number", option->name, value);
            return false;
        }
        *(int64_t *)field = number.integer;
        return true;
    case CLI_DURATION:
        if (base_failed(saga_duration_parse(text, (int64_t *)field))) {
            *exit_out =
                cli_usage(command->name, "--%s: \"%s\" is no duration (500ms, 30s, 5m, 2h, 7d)",
                          option->name, value);
            return false;
        }
        return true;
    case CLI_CHOICE:
        if (!choice_has(option->argument, text)) {
            *exit_out = cli_usage(command->name, "--%s: \"%s\" is none of %s", option->name, value,
                                  option->argument);
            return false;
        }
        *(const char **)field = value;
        return true;
    }
    return false;
}

/* ---- the line ---- */

typedef struct parse_run {
    const cli_command *command;
    int argc;
    char **argv;
    int next; /* in argv */
    void *options;
    cli_line *line;
    cli_exit *exit_out;
} parse_run;

/* The option's value: behind "=", or the next word, unless that is an option. NULL: there is none,
 * which was said. */
static const char *value_of(parse_run *run, base_slice name, const char *behind)
{
    if (behind != NULL) {
        return behind;
    }
    if (run->next < run->argc && strncmp(run->argv[run->next], "--", 2) != 0) {
        return run->argv[run->next++];
    }
    *run->exit_out = cli_usage(run->command->name, "--%.*s needs a value", BASE_SLICE_ARG(name));
    return NULL;
}

static bool take_option(parse_run *run, const cli_option *option, const char *behind)
{
    const char *value = "";
    if (option->kind != CLI_FLAG) {
        value = value_of(run, base_slice_of(option->name), behind);
    } else if (behind != NULL) {
        *run->exit_out = cli_usage(run->command->name, "--%s takes no value", option->name);
        return false;
    }
    return value != NULL && take_value(run->command, option, value, run->options, run->exit_out);
}

static bool take_key(parse_run *run, base_slice name, bool flag, const char *behind)
{
    cli_line *line = run->line;
    const char *value = flag && behind == NULL ? "true" : value_of(run, name, behind);
    if (value == NULL) {
        return false;
    }
    if (line->setting_count == CLI_SETTING_MAX) {
        *run->exit_out = cli_usage(run->command->name, "more than %d settings", CLI_SETTING_MAX);
        return false;
    }
    line->settings[line->setting_count].key = name;
    line->settings[line->setting_count].value = base_slice_of(value);
    line->setting_count++;
    return true;
}

/* One word that begins with two dashes. */
static bool take_dashes(parse_run *run, const char *word)
{
    const char *equals = strchr(word, '=');
    const base_slice name =
        base_slice_make(word + 2, equals == NULL ? strlen(word) - 2 : (size_t)(equals - word) - 2);
    const char *behind = equals == NULL ? NULL : equals + 1;
    const cli_option *option = option_of(run->command, name);
    bool flag = false;
    if (base_slice_is(name, "help")) {
        cli_help(run->command);
        *run->exit_out = cli_end(CLI_OK);
        return false;
    }
    if (option != NULL) {
        return take_option(run, option, behind);
    }
    if (run->command->keys != CLI_KEYS_NONE && base_slice_is(name, "config")) {
        run->line->config_path = value_of(run, name, behind);
        return run->line->config_path != NULL;
    }
    if (is_key(run->command, name, &flag)) {
        return take_key(run, name, flag, behind);
    }
    unknown_option(run->command, name, run->exit_out);
    return false;
}

bool cli_parse(const cli_command *command, int argc, char **argv, void *options, cli_line *line_out,
               cli_exit *exit_out)
{
    parse_run run = {command, argc, argv, 1, options, line_out, exit_out};
    bool only_words = false;
    memset(line_out, 0, sizeof(*line_out));
    line_out->command = command;
    line_out->words = argv + 1; /* words are moved to the front: never past where they stood */
    while (run.next < argc) {
        char *word = argv[run.next++];
        if (only_words || word[0] != '-' || word[1] == '\0') {
            line_out->words[line_out->word_count++] = word;
        } else if (strcmp(word, "--") == 0) {
            only_words = true;
        } else if (strcmp(word, "-h") == 0) {
            cli_help(command);
            *exit_out = cli_end(CLI_OK);
            return false;
        } else if (word[1] != '-') {
            *exit_out = cli_usage(command->name, "unknown option \"%s\"", word);
            return false;
        } else if (!take_dashes(&run, word)) {
            return false;
        }
    }
    return true;
}

/* ---- help ---- */

#define HELP_COLUMN 26

static void help_option(const char *name, const char *argument, const char *text)
{
    const int size =
        printf("  --%s%s%s", name, argument == NULL ? "" : " ", argument == NULL ? "" : argument);
    if (size < HELP_COLUMN - 1) {
        (void)printf("%*s", HELP_COLUMN - size, "");
    } else {
        (void)printf("\n%*s", HELP_COLUMN, "");
    }
    for (const char *at = text; *at != '\0'; at++) {
        (void)putchar(*at);
        if (*at == '\n') {
            (void)printf("%*s", HELP_COLUMN, "");
        }
    }
    (void)putchar('\n');
}

static void help_keys(const cli_command *command)
{
    (void)printf("\nlog options\n");
    help_option("log", "URL",
                "local:DIR, kafka://HOST:PORT[,HOST:PORT...] or memory:NAME\n"
                "(default local:./troupe-data)");
    help_option("prefix", "NAME", "of Troupe's own topics (default troupe)");
    help_option("config", "FILE", "YAML or JSON with configuration keys (or TROUPE_CONFIG)");
    help_option("kafka.KEY", "VALUE", "handed to librdkafka, as --kafka.security.protocol SSL");
    help_option("local.KEY", "VALUE", "of the local log");
    if (command->keys == CLI_KEYS_TOPICS) {
        help_option("partitions", "N", "of topics that are made (default 12)");
        help_option("replication", "N", "of topics that are made (default: the broker's)");
        help_option("create-topics", NULL, "make Troupe's own topics (default; =false: do not)");
        help_option("create-source-topics", NULL,
                    "make the topics that sagas name (default; =false: do not)");
        help_option("record-size-max", "BYTES", "largest record (default 1048576)");
    }
}

static void help_all_keys(void)
{
    base_arena arena;
    base_slice text = {NULL, 0};
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    if (!base_failed(engine_config_describe(ENGINE_CONFIG_HELP, &arena, &text))) {
        (void)printf("\nconfiguration: from --config FILE (or TROUPE_CONFIG), from the environment "
                     "(TROUPE_BATCH_MAX=500),\nfrom these options; the last one wins\n%.*s",
                     BASE_SLICE_ARG(text));
        help_option("config", "FILE", "YAML or JSON with these keys");
        help_option("kafka.KEY", "VALUE", "handed to librdkafka, as --kafka.security.protocol SSL");
        help_option("local.KEY", "VALUE", "of the local log");
    }
    base_arena_deinit(&arena);
}

void cli_help(const cli_command *command)
{
    (void)printf("usage: troupe %s%s%s [OPTION...]\n\n%s\n", command->name,
                 command->arguments[0] == '\0' ? "" : " ", command->arguments, command->text);
    (void)printf("\noptions\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const cli_option *option = &command->options[i];
        help_option(option->name, option->argument, option->text);
    }
    help_option("help", NULL, "this text");
    if (command->keys == CLI_KEYS_ALL) {
        help_all_keys();
    } else if (command->keys != CLI_KEYS_NONE) {
        help_keys(command);
    }
    (void)printf("\nexamples\n%s", command->examples);
}
