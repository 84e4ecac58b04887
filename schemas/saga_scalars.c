/* The check of a saga file's names and scalars: see saga_grammar.h. */
#include "schemas/saga_grammar.h"

static bool is_text(const base_value *value)
{
    return value->kind == BASE_STRING;
}

/* ---- names ---- */

static bool is_lower(char letter)
{
    return letter >= 'a' && letter <= 'z';
}

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static bool name_matches(base_slice name, grammar_kind kind)
{
    if (name.size == 0 || name.size > 200 || !is_lower(name.data[0])) {
        return false;
    }
    for (size_t i = 1; i < name.size; i++) {
        const char letter = name.data[i];
        const bool dash = letter == '-' && kind == GRAMMAR_SAGA_NAME;
        const bool dot =
            letter == '.' && kind == GRAMMAR_EVENT && i + 1 < name.size && name.data[i + 1] != '.';
        if (!is_lower(letter) && !is_digit(letter) && letter != '_' && !dash && !dot) {
            return false;
        }
    }
    return true;
}

static const char *name_rule(grammar_kind kind)
{
    switch ((int)kind) {
    case GRAMMAR_SAGA_NAME:
        return "names are lower-case letters, digits, _ and -, a letter first";
    case GRAMMAR_EVENT:
        return "event names are lower-case letters, digits and _, a letter first, with dots "
               "between";
    default:
        return "names are lower-case letters, digits and _, a letter first";
    }
}

void schema_grammar_check_name(grammar_check *check, const grammar_item *item, base_slice name,
                               grammar_kind kind)
{
    if (name_matches(name, kind)) {
        return;
    }
    base_error *error = schema_grammar_finding(check, item, "E101", "\"%.*s\" is no name",
                                               BASE_SLICE_ARG(schema_grammar_shown(name)));
    base_error_hint(error, "%s", name_rule(kind));
}

static void check_name(grammar_check *check, const grammar_item *item)
{
    if (is_text(item->value)) {
        schema_grammar_check_name(check, item, base_value_slice(item->value), item->rule->kind);
        return;
    }
    base_error *error = schema_grammar_wrong_kind(
        check, item, item->rule->kind == GRAMMAR_EVENT ? "an event's name" : "a name");
    if (item->value->kind == BASE_MAP && item->rule->kind == GRAMMAR_EVENT) {
        const bool fails = strcmp(item->rule->key, "fails") == 0;
        base_error_hint(
            error, "%s",
            fails ? "fails: { EVENT: retry } is not built yet: write fails: EVENT and "
                    "retry: { if: '$event.type == ...' }"
                  : "one event is meant; conditions over several stand under a step's when");
    }
}

static bool all_of(base_slice text, const char *more)
{
    for (size_t i = 0; i < text.size; i++) {
        const char letter = text.data[i];
        const bool upper = letter >= 'A' && letter <= 'Z';
        if (!is_lower(letter) && !upper && !is_digit(letter) &&
            (letter == '\0' || strchr(more, letter) == NULL)) {
            return false;
        }
    }
    return text.size > 0;
}

static void check_type(grammar_check *check, const grammar_item *item)
{
    const base_slice text = base_value_slice(item->value);
    if (!is_text(item->value)) {
        (void)schema_grammar_wrong_kind(check, item, "a text");
    } else if (!all_of(text, "._-/:#+") || text.size > 500) {
        base_error *error =
            schema_grammar_finding(check, item, "E101", "\"%.*s\" is no type of events",
                                   BASE_SLICE_ARG(schema_grammar_shown(text)));
        base_error_hint(error, "as com.example.order.placed");
    }
}

static void check_topic(grammar_check *check, const grammar_item *item)
{
    const base_slice text = base_value_slice(item->value);
    if (!is_text(item->value)) {
        (void)schema_grammar_wrong_kind(check, item, "the name of a topic");
    } else if (!all_of(text, "._-") || text.size > 249 || base_slice_is(text, ".") ||
               base_slice_is(text, "..")) {
        base_error *error =
            schema_grammar_finding(check, item, "E101", "\"%.*s\" cannot be a topic's name",
                                   BASE_SLICE_ARG(schema_grammar_shown(text)));
        base_error_hint(error, "at most 249 letters, digits, dots, _ and -");
    }
}

/* ---- scalars ---- */

static void check_text(grammar_check *check, const grammar_item *item)
{
    if (!is_text(item->value)) {
        (void)schema_grammar_wrong_kind(check, item, "a text");
    }
}

static void check_version(grammar_check *check, const grammar_item *item)
{
    if (item->value->kind != BASE_INTEGER || item->value->integer < 1) {
        base_error *error =
            schema_grammar_finding(check, item, "E101", "must be a whole number from 1");
        base_error_hint(error, "write version: 1");
    }
}

static void check_bool(grammar_check *check, const grammar_item *item)
{
    if (item->value->kind != BASE_BOOL) {
        base_error *error = schema_grammar_wrong_kind(check, item, "true or false");
        if (is_text(item->value)) {
            base_error_hint(error, "yes, no, on and off are texts here (YAML 1.2)");
        }
    }
}

static void check_duration(grammar_check *check, const grammar_item *item)
{
    int64_t ms = 0;
    const base_slice text = base_value_slice(item->value);
    if (item->value->kind == BASE_INTEGER) {
        base_error *error = schema_grammar_finding(
            check, item, "E107", "durations need a unit: %lld", (long long)item->value->integer);
        base_error_hint(error, "%llds", (long long)item->value->integer);
    } else if (!is_text(item->value)) {
        base_error *error = schema_grammar_wrong_kind(check, item, "a duration");
        base_error_hint(error, "as 500ms, 30s, 5m, 2h, 7d or PT1H30M");
    } else if (base_failed(saga_duration_parse(text, &ms))) {
        base_error *error = schema_grammar_finding(check, item, "E107", "\"%.*s\" is no duration",
                                                   BASE_SLICE_ARG(schema_grammar_shown(text)));
        base_error_hint(error, "as 500ms, 30s, 5m, 2h, 7d or PT1H30M, at most 3650d");
    }
}

static void check_expr(grammar_check *check, const grammar_item *item)
{
    const base_value *value = item->value;
    if (!is_text(value)) {
        base_error *error = schema_grammar_wrong_kind(check, item, "a jq program");
        base_error_hint(error, "%s",
                        value->kind == BASE_MAP || value->kind == BASE_LIST
                            ? "put it in quotes: '{orderId, amount: .total}'"
                            : "put it in quotes");
    } else if (value->size == 0) {
        (void)schema_grammar_finding(check, item, "E101", "the jq program is empty");
    } else if (value->size > SAGA_EXPR_SIZE_MAX) {
        (void)schema_grammar_finding(check, item, "E101",
                                     "a jq program of %zu bytes; the limit is %d", value->size,
                                     SAGA_EXPR_SIZE_MAX);
    }
}

bool schema_grammar_number_within(const base_value *number, int64_t minimum, int64_t maximum)
{
    const base_value low = base_value_integer(minimum);
    const base_value high = base_value_integer(maximum);
    return base_value_is_number(number) && base_number_compare(number, &low) >= 0 &&
           base_number_compare(number, &high) <= 0;
}

static void check_factor(grammar_check *check, const grammar_item *item)
{
    if (!schema_grammar_number_within(item->value, 1, 1000)) {
        (void)schema_grammar_finding(check, item, "E101", "must be a number from 1 to 1000");
    }
}

static void check_fraction(grammar_check *check, const grammar_item *item)
{
    base_value number = *item->value;
    int64_t maximum = 1;
    if (is_text(item->value) && item->value->size > 1 &&
        item->value->bytes[item->value->size - 1] == '%') {
        const base_slice digits = base_slice_make(item->value->bytes, item->value->size - 1);
        maximum = 100;
        if (base_failed(base_number_parse(digits, &number))) {
            number = base_value_null();
        }
    }
    if (!schema_grammar_number_within(&number, 0, maximum)) {
        (void)schema_grammar_finding(check, item, "E101",
                                     "must be a number from 0 to 1, or a percentage");
    }
}

bool schema_grammar_is_tries(const base_value *value)
{
    return (is_text(value) && base_slice_is(base_value_slice(value), "forever")) ||
           (value->kind == BASE_INTEGER && value->integer >= 0 && value->integer <= 1000000);
}

static void check_tries(grammar_check *check, const grammar_item *item)
{
    if (!schema_grammar_is_tries(item->value)) {
        (void)schema_grammar_finding(check, item, "E101",
                                     "must be a number of tries from 0 to 1000000, or forever");
    }
}

/* "keep, drop" */
static base_slice words_list(grammar_check *check, const char *const *words)
{
    base_slice list = {"", 0};
    for (size_t i = 0; words[i] != NULL; i++) {
        list = base_arena_print(check->arena, "%.*s%s%s", BASE_SLICE_ARG(list), i > 0 ? ", " : "",
                                words[i]);
    }
    return list;
}

static void check_word(grammar_check *check, const grammar_item *item)
{
    const base_slice text = base_value_slice(item->value);
    for (size_t i = 0; is_text(item->value) && item->rule->words[i] != NULL; i++) {
        if (base_slice_is(text, item->rule->words[i])) {
            return;
        }
    }
    base_error *error =
        is_text(item->value)
            ? schema_grammar_finding(check, item, "E101", "\"%.*s\" is not known here",
                                     BASE_SLICE_ARG(schema_grammar_shown(text)))
            : schema_grammar_wrong_kind(check, item, "a word");
    base_error_hint(error, "one of: %.*s", BASE_SLICE_ARG(words_list(check, item->rule->words)));
}

grammar_checker *const schema_grammar_scalars[GRAMMAR_KIND_COUNT] = {
    [GRAMMAR_TEXT] = check_text,         [GRAMMAR_SAGA_NAME] = check_name,
    [GRAMMAR_NAME] = check_name,         [GRAMMAR_EVENT] = check_name,
    [GRAMMAR_TYPE] = check_type,         [GRAMMAR_TOPIC] = check_topic,
    [GRAMMAR_VERSION] = check_version,   [GRAMMAR_BOOL] = check_bool,
    [GRAMMAR_DURATION] = check_duration, [GRAMMAR_EXPR] = check_expr,
    [GRAMMAR_FACTOR] = check_factor,     [GRAMMAR_FRACTION] = check_fraction,
    [GRAMMAR_TRIES] = check_tries,       [GRAMMAR_WORD] = check_word,
};
