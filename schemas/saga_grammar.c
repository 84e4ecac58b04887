/*
 * The check of a saga file's shape. A stack of items instead of recursion: an item is a value and
 * the rule it must follow; checking one puts what stands inside it on the stack. Everything wrong
 * becomes a finding and the check goes on, so an author sees all of it at once.
 */
#include "schemas/saga_grammar.h"

#include <stdarg.h>
#include <stdio.h>

#define SHOWN_MAX 60 /* of a name or value in a message */
#define PATH_MAX_SHOWN 200

typedef struct grammar_item {
    const grammar_rule *rule;
    const base_value *value;
    base_place place;  /* of the key, or of the value in a list */
    base_slice path;   /* "steps.ship.retry" */
    bool single;       /* a list is none here: it is an item of one already */
    bool section_only; /* a member of a NAMED mapping: the rule's section */
} grammar_item;

typedef struct grammar_check {
    base_arena *arena;
    saga_findings *findings;
    base_slice file;
    const base_value *keys;     /* the file's `keys`, or NULL */
    const base_value *defaults; /* the file's `defaults`, or NULL */
    grammar_item *items;
    size_t count;
    size_t capacity;
    bool no_memory;
} grammar_check;

static const grammar_rule expr_rule = {.key = "", .kind = GRAMMAR_EXPR};

/* ---- messages ---- */

static base_slice shown(base_slice text)
{
    return base_slice_make(text.data, text.size > SHOWN_MAX ? SHOWN_MAX : text.size);
}

static base_error *finding(grammar_check *check, const grammar_item *item, const char *code,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

static base_error *finding(grammar_check *check, const grammar_item *item, const char *code,
                           const char *format, ...)
{
    char text[BASE_ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    const base_place place =
        item->value != NULL && item->value->place != 0 ? item->value->place : item->place;
    if (item->path.size == 0) {
        return saga_findings_add(check->findings, code, check->file, place, "%s", text);
    }
    return saga_findings_add(check->findings, code, check->file, place, "%.*s: %s",
                             BASE_SLICE_ARG(item->path), text);
}

/* "must be a text, not array" */
static base_error *wrong_kind(grammar_check *check, const grammar_item *item, const char *wanted)
{
    return finding(check, item, "E101", "must be %s, not %s", wanted,
                   base_kind_name((base_kind)item->value->kind));
}

static bool is_text(const base_value *value)
{
    return value->kind == BASE_STRING;
}

/* ---- the stack ---- */

static void push(grammar_check *check, grammar_item item)
{
    if (check->count == check->capacity) {
        const size_t wanted = check->capacity == 0 ? 64 : check->capacity * 2;
        grammar_item *items =
            base_arena_grow(check->arena, check->items, check->capacity * sizeof(grammar_item),
                            wanted * sizeof(grammar_item));
        if (items == NULL) {
            check->no_memory = true;
            return;
        }
        check->items = items;
        check->capacity = wanted;
    }
    check->items[check->count++] = item;
}

static base_slice path_of(grammar_check *check, base_slice parent, base_slice name)
{
    if (parent.size > PATH_MAX_SHOWN) {
        return parent;
    }
    const base_slice path =
        base_arena_print(check->arena, "%.*s%s%.*s", BASE_SLICE_ARG(parent),
                         parent.size > 0 ? "." : "", BASE_SLICE_ARG(shown(name)));
    check->no_memory = check->no_memory || path.data == NULL;
    return path;
}

static base_slice path_of_index(grammar_check *check, base_slice parent, size_t index)
{
    if (parent.size > PATH_MAX_SHOWN) {
        return parent;
    }
    const base_slice path =
        base_arena_print(check->arena, "%.*s[%zu]", BASE_SLICE_ARG(parent), index);
    check->no_memory = check->no_memory || path.data == NULL;
    return path;
}

/* Each item of a list, by the item's own rule; backwards, so that the first is on top. */
static void push_list(grammar_check *check, const grammar_item *item, const base_value *list)
{
    for (size_t i = list->size; i > 0; i--) {
        const base_value *value = &list->items[i - 1];
        push(check, (grammar_item){.rule = item->rule,
                                   .value = value,
                                   .place = value->place,
                                   .path = path_of_index(check, item->path, i - 1),
                                   .single = true});
    }
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

static void check_name_text(grammar_check *check, const grammar_item *item, base_slice name,
                            grammar_kind kind)
{
    if (name_matches(name, kind)) {
        return;
    }
    base_error *error =
        finding(check, item, "E101", "\"%.*s\" is no name", BASE_SLICE_ARG(shown(name)));
    base_error_hint(error, "%s", name_rule(kind));
}

static void check_name(grammar_check *check, const grammar_item *item)
{
    if (is_text(item->value)) {
        check_name_text(check, item, base_value_slice(item->value), item->rule->kind);
        return;
    }
    base_error *error =
        wrong_kind(check, item, item->rule->kind == GRAMMAR_EVENT ? "an event's name" : "a name");
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
        (void)wrong_kind(check, item, "a text");
    } else if (!all_of(text, "._-/:#+") || text.size > 500) {
        base_error *error = finding(check, item, "E101", "\"%.*s\" is no type of events",
                                    BASE_SLICE_ARG(shown(text)));
        base_error_hint(error, "as com.example.order.placed");
    }
}

static void check_topic(grammar_check *check, const grammar_item *item)
{
    const base_slice text = base_value_slice(item->value);
    if (!is_text(item->value)) {
        (void)wrong_kind(check, item, "the name of a topic");
    } else if (!all_of(text, "._-") || text.size > 249 || base_slice_is(text, ".") ||
               base_slice_is(text, "..")) {
        base_error *error = finding(check, item, "E101", "\"%.*s\" cannot be a topic's name",
                                    BASE_SLICE_ARG(shown(text)));
        base_error_hint(error, "at most 249 letters, digits, dots, _ and -");
    }
}

/* ---- scalars ---- */

static void check_text(grammar_check *check, const grammar_item *item)
{
    if (!is_text(item->value)) {
        (void)wrong_kind(check, item, "a text");
    }
}

static void check_version(grammar_check *check, const grammar_item *item)
{
    if (item->value->kind != BASE_INTEGER || item->value->integer < 1) {
        base_error *error = finding(check, item, "E101", "must be a whole number from 1");
        base_error_hint(error, "write version: 1");
    }
}

static void check_bool(grammar_check *check, const grammar_item *item)
{
    if (item->value->kind != BASE_BOOL) {
        base_error *error = wrong_kind(check, item, "true or false");
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
        base_error *error = finding(check, item, "E107", "durations need a unit: %lld",
                                    (long long)item->value->integer);
        base_error_hint(error, "%llds", (long long)item->value->integer);
    } else if (!is_text(item->value)) {
        base_error *error = wrong_kind(check, item, "a duration");
        base_error_hint(error, "as 500ms, 30s, 5m, 2h, 7d or PT1H30M");
    } else if (base_failed(saga_duration_parse(text, &ms))) {
        base_error *error =
            finding(check, item, "E107", "\"%.*s\" is no duration", BASE_SLICE_ARG(shown(text)));
        base_error_hint(error, "as 500ms, 30s, 5m, 2h, 7d or PT1H30M, at most 3650d");
    }
}

static void check_expr(grammar_check *check, const grammar_item *item)
{
    const base_value *value = item->value;
    if (!is_text(value)) {
        base_error *error = wrong_kind(check, item, "a jq program");
        base_error_hint(error, "%s",
                        value->kind == BASE_MAP || value->kind == BASE_LIST
                            ? "put it in quotes: '{orderId, amount: .total}'"
                            : "put it in quotes");
    } else if (value->size == 0) {
        (void)finding(check, item, "E101", "the jq program is empty");
    } else if (value->size > SAGA_EXPR_SIZE_MAX) {
        (void)finding(check, item, "E101", "a jq program of %zu bytes; the limit is %d",
                      value->size, SAGA_EXPR_SIZE_MAX);
    }
}

static bool number_within(const base_value *number, int64_t minimum, int64_t maximum)
{
    const base_value low = base_value_integer(minimum);
    const base_value high = base_value_integer(maximum);
    return base_value_is_number(number) && base_number_compare(number, &low) >= 0 &&
           base_number_compare(number, &high) <= 0;
}

static void check_factor(grammar_check *check, const grammar_item *item)
{
    if (!number_within(item->value, 1, 1000)) {
        (void)finding(check, item, "E101", "must be a number from 1 to 1000");
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
    if (!number_within(&number, 0, maximum)) {
        (void)finding(check, item, "E101", "must be a number from 0 to 1, or a percentage");
    }
}

static bool is_tries(const base_value *value)
{
    return (is_text(value) && base_slice_is(base_value_slice(value), "forever")) ||
           (value->kind == BASE_INTEGER && value->integer >= 0 && value->integer <= 1000000);
}

static void check_tries(grammar_check *check, const grammar_item *item)
{
    if (!is_tries(item->value)) {
        (void)finding(check, item, "E101",
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
    base_error *error = is_text(item->value)
                            ? finding(check, item, "E101", "\"%.*s\" is not known here",
                                      BASE_SLICE_ARG(shown(text)))
                            : wrong_kind(check, item, "a word");
    base_error_hint(error, "one of: %.*s", BASE_SLICE_ARG(words_list(check, item->rule->words)));
}

static void check_not_built(grammar_check *check, const grammar_item *item)
{
    grammar_item at_key = *item; /* what stands behind it does not matter */
    at_key.value = NULL;
    base_error *error = finding(check, &at_key, "E101", "\"%s\" is not built yet", item->rule->key);
    if (item->rule->hint != NULL) {
        base_error_hint(error, "%s", item->rule->hint);
    }
}

/* ---- sections ---- */

static void unknown_key(grammar_check *check, const grammar_item *item,
                        const grammar_section *section, const base_member *member)
{
    const grammar_item at = {.place = member->key_place,
                             .path = path_of(check, item->path, member->key)};
    const bool yaml_on = base_slice_is(member->key, "on") || base_slice_is(member->key, "true");
    if (yaml_on && schema_grammar_rule(section, base_slice_of("when")) != NULL) {
        base_error *error =
            finding(check, &at, "E104", "\"on\" is read as true by many YAML tools");
        base_error_hint(error, "use \"when\"");
        return;
    }
    base_error *error = finding(check, &at, "E101", "unknown key");
    base_slice *names = BASE_ARENA_ARRAY(check->arena, base_slice, section->rule_count);
    if (names == NULL) {
        check->no_memory = true;
        return;
    }
    for (size_t i = 0; i < section->rule_count; i++) {
        names[i] = base_slice_of(section->rules[i].key);
    }
    const base_slice near = base_error_nearest(shown(member->key), names, section->rule_count);
    if (near.size > 0) {
        base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(near));
    }
}

static void missing_keys(grammar_check *check, const grammar_item *item,
                         const grammar_section *section)
{
    const bool signal = base_map_get_text(item->value, "signal") != NULL;
    for (size_t i = 0; i < section->rule_count; i++) {
        const grammar_rule *rule = &section->rules[i];
        const bool there = base_map_get_text(item->value, rule->key) != NULL;
        const grammar_item at = {.place = item->place, .path = item->path};
        if (signal && there && (rule->flags & GRAMMAR_NO_SIGNAL) != 0) {
            const grammar_item key = {.place = base_map_get_text(item->value, rule->key)->place,
                                      .path = item->path};
            base_error *error =
                finding(check, &key, "E101", "a signal is not asked: it has no \"%s\"", rule->key);
            base_error_hint(error, "drop \"%s\", or \"signal\"", rule->key);
        }
        const bool filled = (rule->flags & GRAMMAR_FILLED) != 0 && check->defaults != NULL &&
                            base_map_get_text(check->defaults, rule->key) != NULL;
        const bool excused = signal && (rule->flags & GRAMMAR_EXCUSED) != 0;
        if ((rule->flags & GRAMMAR_REQUIRED) == 0 || there || filled || excused) {
            continue;
        }
        base_error *error = finding(check, &at, rule->kind == GRAMMAR_UNDO ? "E301" : "E101",
                                    "%s needs \"%s\"", section->name, rule->key);
        if (rule->hint != NULL) {
            base_error_hint(error, "%s", rule->hint);
        }
    }
}

static void check_section(grammar_check *check, const grammar_item *item,
                          const grammar_section *section)
{
    static const base_value empty = {.kind = BASE_MAP};
    grammar_item known = *item;
    if (item->section_only && item->value->kind == BASE_NULL) {
        known.value = &empty; /* `orders:` is `orders: {}` */
    } else if (item->value->kind != BASE_MAP) {
        base_error *error = wrong_kind(check, item, "a mapping");
        base_error_hint(error, "%s is written { %s: ..., ... }", section->name,
                        section->rules[0].key);
        return;
    }
    missing_keys(check, &known, section);
    for (size_t i = known.value->size; i > 0; i--) {
        const base_member *member = &known.value->members[i - 1];
        const grammar_rule *rule = schema_grammar_rule(section, member->key);
        if (rule == NULL) {
            unknown_key(check, item, section, member);
            continue;
        }
        push(check, (grammar_item){.rule = rule,
                                   .value = &member->value,
                                   .place = member->key_place,
                                   .path = path_of(check, item->path, member->key)});
    }
}

static void check_named(grammar_check *check, const grammar_item *item)
{
    const base_value *value = item->value;
    if (value->kind != BASE_MAP) {
        (void)wrong_kind(check, item, "a mapping of names");
        return;
    }
    if (value->size > item->rule->count_max) {
        (void)finding(check, item, "E101", "%zu of them; the limit is %zu", value->size,
                      item->rule->count_max);
        return;
    }
    if (value->size == 0 && (item->rule->flags & GRAMMAR_REQUIRED) != 0) {
        (void)finding(check, item, "E101", "is empty");
    }
    for (size_t i = value->size; i > 0; i--) {
        const base_member *member = &value->members[i - 1];
        const grammar_item named = {.rule = item->rule,
                                    .value = &member->value,
                                    .place = member->key_place,
                                    .path = path_of(check, item->path, member->key),
                                    .section_only = true};
        const grammar_item at = {.place = member->key_place, .path = item->path};
        check_name_text(check, &at, member->key, item->rule->names);
        push(check, named);
    }
}

/* ---- keys ---- */

static void check_keys(grammar_check *check, const grammar_item *item)
{
    static const char *const types[] = {"string", "integer", "number", "boolean", NULL};
    static const grammar_rule type_rule = {.key = "", .kind = GRAMMAR_WORD, .words = types};
    const base_value *value = item->value;
    if (value->kind != BASE_MAP || value->size == 0) {
        base_error *error = value->kind == BASE_MAP ? finding(check, item, "E101", "names no key")
                                                    : wrong_kind(check, item, "a mapping");
        base_error_hint(error, "write keys: { order: string }");
        return;
    }
    for (size_t i = 0; i < value->size; i++) {
        const base_member *member = &value->members[i];
        const grammar_item at = {.place = member->key_place, .path = item->path};
        check_name_text(check, &at, member->key, GRAMMAR_NAME);
        if (i > 0) {
            base_error *error =
                finding(check, &at, "E101", "a second key (\"%.*s\", an alias) is not built yet",
                        BASE_SLICE_ARG(shown(member->key)));
            base_error_hint(error, "the first is the main key: name it alone");
        }
        push(check, (grammar_item){.rule = &type_rule,
                                   .value = &member->value,
                                   .place = member->key_place,
                                   .path = path_of(check, item->path, member->key)});
    }
}

static void unknown_event_key(grammar_check *check, const grammar_item *item, base_slice key)
{
    const bool alias = base_map_get(check->keys, key) != NULL;
    if (alias) {
        (void)finding(check, item, "E101",
                      "a key that is not the main key (an alias) is not built yet");
        return;
    }
    base_error *error =
        finding(check, item, "E101", "no key is called \"%.*s\"", BASE_SLICE_ARG(shown(key)));
    base_error_hint(error, "the saga's key is \"%.*s\"",
                    BASE_SLICE_ARG(shown(check->keys->members[0].key)));
}

static void check_event_key(grammar_check *check, const grammar_item *item)
{
    const base_value *value = item->value;
    const bool has_keys =
        check->keys != NULL && check->keys->kind == BASE_MAP && check->keys->size > 0;
    if (value->kind != BASE_MAP || value->size == 0) {
        base_error *error = value->kind == BASE_MAP ? finding(check, item, "E101", "names no key")
                                                    : wrong_kind(check, item, "a mapping");
        base_error_hint(
            error, "write key: { %.*s: <jq over the event> }",
            BASE_SLICE_ARG(has_keys ? shown(check->keys->members[0].key) : base_slice_of("NAME")));
        return;
    }
    for (size_t i = value->size; i > 0; i--) {
        const base_member *member = &value->members[i - 1];
        const base_slice path = path_of(check, item->path, member->key);
        const grammar_item at = {.place = member->key_place, .path = path};
        if (has_keys && !base_slice_equal(member->key, check->keys->members[0].key)) {
            unknown_event_key(check, &at, member->key);
            continue;
        }
        push(check, (grammar_item){.rule = &expr_rule,
                                   .value = &member->value,
                                   .place = member->key_place,
                                   .path = path});
    }
}

static void check_own_key(grammar_check *check, const grammar_item *item)
{
    if (item->value->kind == BASE_MAP) {
        check_event_key(check, item);
    } else {
        check_expr(check, item);
    }
}

/* ---- conditions (A.7) ---- */

static void bad_condition(grammar_check *check, const grammar_item *item)
{
    base_error *error = finding(check, item, "E101", "is no condition");
    base_error_hint(error, "%s",
                    item->rule->kind == GRAMMAR_WHEN
                        ? "EVENT, [..], {all: [..]}, {any: [..]} or {need: 2, of: [..]}"
                        : "STEP, [..], {all: [..]}, {any: [..]}, {need: 2, of: [..]}, {failed: "
                          "STEP} or {over: STEP}");
}

static void check_members(grammar_check *check, const grammar_item *item, const base_value *list)
{
    if (list->kind != BASE_LIST || list->size == 0) {
        bad_condition(check, item);
        return;
    }
    push_list(check, item, list);
}

static void check_need(grammar_check *check, const grammar_item *item, const base_value *need,
                       const base_value *of)
{
    if (need->kind == BASE_STRING && need->size > 1 && need->bytes[need->size - 1] == '%') {
        (void)finding(check, item, "E101", "a percentage in \"need\" is not built yet");
        return;
    }
    check_members(check, item, of);
    if (of->kind == BASE_LIST && of->size > 0 && !number_within(need, 1, (int64_t)of->size)) {
        (void)finding(check, item, "E101",
                      "\"need\" must be a whole number from 1 to %zu, the members of \"of\"",
                      of->size);
    } else if (need->kind != BASE_INTEGER) {
        (void)finding(check, item, "E101", "\"need\" must be a whole number");
    }
}

static void check_condition_map(grammar_check *check, const grammar_item *item)
{
    static const grammar_rule step_rule = {.key = "", .kind = GRAMMAR_NAME};
    const base_value *value = item->value;
    const base_value *need = base_map_get_text(value, "need");
    const base_value *of = base_map_get_text(value, "of");
    if (value->size == 2 && need != NULL && of != NULL) {
        check_need(check, item, need, of);
        return;
    }
    const base_slice name = value->size == 1 ? value->members[0].key : base_slice_of("");
    if (base_slice_is(name, "all") || base_slice_is(name, "any")) {
        check_members(check, item, &value->members[0].value);
    } else if (item->rule->kind == GRAMMAR_AFTER &&
               (base_slice_is(name, "failed") || base_slice_is(name, "over"))) {
        push(check, (grammar_item){.rule = &step_rule,
                                   .value = &value->members[0].value,
                                   .place = value->members[0].key_place,
                                   .path = item->path,
                                   .single = true});
    } else {
        bad_condition(check, item);
    }
}

static void check_condition(grammar_check *check, const grammar_item *item)
{
    if (is_text(item->value)) {
        check_name_text(check, item, base_value_slice(item->value),
                        item->rule->kind == GRAMMAR_WHEN ? GRAMMAR_EVENT : GRAMMAR_NAME);
    } else if (item->value->kind == BASE_LIST) {
        check_members(check, item, item->value);
    } else if (item->value->kind == BASE_MAP) {
        check_condition_map(check, item);
    } else {
        bad_condition(check, item);
    }
}

/* ---- retry, undo, section: the rest ---- */

static void check_retry(grammar_check *check, const grammar_item *item)
{
    if (item->value->kind == BASE_MAP) {
        check_section(check, item, item->rule->section);
    } else if (!is_tries(item->value)) {
        base_error *error =
            finding(check, item, "E101", "must be a number of tries, forever or a mapping");
        base_error_hint(error, "write retry: 3, retry: forever or retry: { max: 3, first: 1s }");
    }
}

static void check_undo(grammar_check *check, const grammar_item *item)
{
    const base_slice text = base_value_slice(item->value);
    if (item->value->kind == BASE_MAP) {
        check_section(check, item, item->rule->section);
    } else if (!is_text(item->value) ||
               (!base_slice_is(text, "none") && !base_slice_is(text, "never"))) {
        base_error *error = finding(check, item, "E301", "is none of the forms of an undo");
        base_error_hint(
            error, "%s",
            "write undo: {...}, undo: none (changes nothing) or undo: never (cannot be undone)");
    }
}

static void check_plain_section(grammar_check *check, const grammar_item *item)
{
    check_section(check, item, item->rule->section);
}

static void (*const checks[GRAMMAR_KIND_COUNT])(grammar_check *, const grammar_item *) = {
    [GRAMMAR_NOT_BUILT] = check_not_built, [GRAMMAR_TEXT] = check_text,
    [GRAMMAR_SAGA_NAME] = check_name,      [GRAMMAR_NAME] = check_name,
    [GRAMMAR_EVENT] = check_name,          [GRAMMAR_TYPE] = check_type,
    [GRAMMAR_TOPIC] = check_topic,         [GRAMMAR_VERSION] = check_version,
    [GRAMMAR_BOOL] = check_bool,           [GRAMMAR_DURATION] = check_duration,
    [GRAMMAR_EXPR] = check_expr,           [GRAMMAR_FACTOR] = check_factor,
    [GRAMMAR_FRACTION] = check_fraction,   [GRAMMAR_TRIES] = check_tries,
    [GRAMMAR_WORD] = check_word,           [GRAMMAR_SECTION] = check_plain_section,
    [GRAMMAR_NAMED] = check_named,         [GRAMMAR_KEYS] = check_keys,
    [GRAMMAR_EVENT_KEY] = check_event_key, [GRAMMAR_OWN_KEY] = check_own_key,
    [GRAMMAR_WHEN] = check_condition,      [GRAMMAR_AFTER] = check_condition,
    [GRAMMAR_RETRY] = check_retry,         [GRAMMAR_UNDO] = check_undo,
};

static void check_item(grammar_check *check, const grammar_item *item)
{
    const uint32_t flags = item->rule->flags;
    if (item->section_only) {
        check_section(check, item, item->rule->section);
        return;
    }
    if ((flags & GRAMMAR_OR_NULL) != 0 && item->value->kind == BASE_NULL) {
        return;
    }
    if ((flags & GRAMMAR_OR_LIST) != 0 && !item->single && item->value->kind == BASE_LIST) {
        if (item->value->size == 0) {
            (void)finding(check, item, "E101", "the list is empty");
        }
        push_list(check, item, item->value);
        return;
    }
    checks[item->rule->kind](check, item);
}

/* In the order of the file; those without a place stay first. Few, so insertion does. */
static void sort_findings(base_error *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const base_error moved = items[i];
        size_t at = i;
        while (at > 0 &&
               (items[at - 1].line > moved.line ||
                (items[at - 1].line == moved.line && items[at - 1].column > moved.column))) {
            items[at] = items[at - 1];
            at--;
        }
        items[at] = moved;
    }
}

base_status schema_grammar_check(const base_value *tree, base_slice path, base_arena *arena,
                                 saga_findings *findings)
{
    static const grammar_rule saga_rule = {
        .key = "", .kind = GRAMMAR_SECTION, .section = &schema_grammar_saga};
    const size_t first = findings->count;
    grammar_check check = {.arena = arena, .findings = findings, .file = path};
    if (tree->kind == BASE_MAP) {
        check.keys = base_map_get_text(tree, "keys");
        check.defaults = base_map_get_text(tree, "defaults");
    }
    if (check.defaults != NULL && check.defaults->kind != BASE_MAP) {
        check.defaults = NULL;
    }
    push(&check, (grammar_item){.rule = &saga_rule, .value = tree, .place = base_place_make(1, 1)});
    while (check.count > 0 && !check.no_memory) {
        const grammar_item item = check.items[--check.count];
        check_item(&check, &item);
    }
    if (findings->items != NULL) {
        sort_findings(findings->items + first, findings->count - first);
    }
    return base_status_of(check.no_memory ? BASE_OUT_OF_MEMORY : BASE_OK);
}
