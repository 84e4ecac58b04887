/*
 * The check of a saga file's shape. A stack of items instead of recursion: an item is a value and
 * the rule it must follow; checking one puts what stands inside it on the stack. Everything wrong
 * becomes a finding and the check goes on, so an author sees all of it at once.
 */
#include "schemas/saga_grammar.h"

#include <stdarg.h>
#include <stdio.h>

#define PATH_SHOWN_MAX 200

static const grammar_rule expr_rule = {.key = "", .kind = GRAMMAR_EXPR};

/* ---- messages ---- */

base_slice schema_grammar_shown(base_slice text)
{
    return base_slice_make(text.data,
                           text.size > GRAMMAR_SHOWN_MAX ? GRAMMAR_SHOWN_MAX : text.size);
}

base_error *schema_grammar_finding(grammar_check *check, const grammar_item *item, const char *code,
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
base_error *schema_grammar_wrong_kind(grammar_check *check, const grammar_item *item,
                                      const char *wanted)
{
    return schema_grammar_finding(check, item, "E101", "must be %s, not %s", wanted,
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
    if (parent.size > PATH_SHOWN_MAX) {
        return parent;
    }
    const base_slice path =
        base_arena_print(check->arena, "%.*s%s%.*s", BASE_SLICE_ARG(parent),
                         parent.size > 0 ? "." : "", BASE_SLICE_ARG(schema_grammar_shown(name)));
    check->no_memory = check->no_memory || path.data == NULL;
    return path;
}

static base_slice path_of_index(grammar_check *check, base_slice parent, size_t index)
{
    if (parent.size > PATH_SHOWN_MAX) {
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

static void check_not_built(grammar_check *check, const grammar_item *item)
{
    grammar_item at_key = *item; /* what stands behind it does not matter */
    at_key.value = NULL;
    base_error *error =
        schema_grammar_finding(check, &at_key, "E101", "\"%s\" is not built yet", item->rule->key);
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
            schema_grammar_finding(check, &at, "E104", "\"on\" is read as true by many YAML tools");
        base_error_hint(error, "use \"when\"");
        return;
    }
    base_error *error = schema_grammar_finding(check, &at, "E101", "unknown key");
    base_slice *names = BASE_ARENA_ARRAY(check->arena, base_slice, section->rule_count);
    if (names == NULL) {
        check->no_memory = true;
        return;
    }
    for (size_t i = 0; i < section->rule_count; i++) {
        names[i] = base_slice_of(section->rules[i].key);
    }
    const base_slice near =
        base_error_nearest(schema_grammar_shown(member->key), names, section->rule_count);
    if (near.size > 0) {
        base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(near));
    }
}

/* Is there a key that is not built? Then the section may be of another form (a block, sugar), whose
 * needs are not known: that key's finding says enough. */
static bool is_other_form(const base_value *map, const grammar_section *section)
{
    for (size_t i = 0; i < map->size; i++) {
        const grammar_rule *rule = schema_grammar_rule(section, map->members[i].key);
        if (rule != NULL && rule->kind == GRAMMAR_NOT_BUILT) {
            return true;
        }
    }
    return false;
}

static void missing_keys(grammar_check *check, const grammar_item *item,
                         const grammar_section *section)
{
    const bool signal = base_map_get_text(item->value, "signal") != NULL;
    const bool other_form = is_other_form(item->value, section);
    for (size_t i = 0; i < section->rule_count; i++) {
        const grammar_rule *rule = &section->rules[i];
        const bool there = base_map_get_text(item->value, rule->key) != NULL;
        const grammar_item at = {.place = item->place, .path = item->path};
        if (signal && there && (rule->flags & GRAMMAR_NO_SIGNAL) != 0) {
            const grammar_item key = {.place = base_map_get_text(item->value, rule->key)->place,
                                      .path = item->path};
            base_error *error = schema_grammar_finding(
                check, &key, "E101", "a signal is not asked: it has no \"%s\"", rule->key);
            base_error_hint(error, "drop \"%s\", or \"signal\"", rule->key);
        }
        const bool filled = (rule->flags & GRAMMAR_FILLED) != 0 && check->defaults != NULL &&
                            base_map_get_text(check->defaults, rule->key) != NULL;
        const bool excused = signal && (rule->flags & GRAMMAR_EXCUSED) != 0;
        if ((rule->flags & GRAMMAR_REQUIRED) == 0 || there || filled || excused || other_form) {
            continue;
        }
        base_error *error =
            schema_grammar_finding(check, &at, rule->kind == GRAMMAR_UNDO ? "E301" : "E101",
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
        base_error *error = schema_grammar_wrong_kind(check, item, "a mapping");
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
        (void)schema_grammar_wrong_kind(check, item, "a mapping of names");
        return;
    }
    if (value->size > item->rule->count_max) {
        (void)schema_grammar_finding(check, item, "E101", "%zu of them; the limit is %zu",
                                     value->size, item->rule->count_max);
        return;
    }
    if (value->size == 0 && (item->rule->flags & GRAMMAR_REQUIRED) != 0) {
        (void)schema_grammar_finding(check, item, "E101", "is empty");
    }
    for (size_t i = value->size; i > 0; i--) {
        const base_member *member = &value->members[i - 1];
        const grammar_item named = {.rule = item->rule,
                                    .value = &member->value,
                                    .place = member->key_place,
                                    .path = path_of(check, item->path, member->key),
                                    .section_only = true};
        const grammar_item at = {.place = member->key_place, .path = item->path};
        schema_grammar_check_name(check, &at, member->key, item->rule->names);
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
        base_error *error = value->kind == BASE_MAP
                                ? schema_grammar_finding(check, item, "E101", "names no key")
                                : schema_grammar_wrong_kind(check, item, "a mapping");
        base_error_hint(error, "write keys: { order: string }");
        return;
    }
    for (size_t i = 0; i < value->size; i++) {
        const base_member *member = &value->members[i];
        const grammar_item at = {.place = member->key_place, .path = item->path};
        schema_grammar_check_name(check, &at, member->key, GRAMMAR_NAME);
        if (i > 0) {
            base_error *error = schema_grammar_finding(
                check, &at, "E101", "a second key (\"%.*s\", an alias) is not built yet",
                BASE_SLICE_ARG(schema_grammar_shown(member->key)));
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
        (void)schema_grammar_finding(check, item, "E101",
                                     "a key that is not the main key (an alias) is not built yet");
        return;
    }
    base_error *error = schema_grammar_finding(check, item, "E101", "no key is called \"%.*s\"",
                                               BASE_SLICE_ARG(schema_grammar_shown(key)));
    base_error_hint(error, "the saga's key is \"%.*s\"",
                    BASE_SLICE_ARG(schema_grammar_shown(check->keys->members[0].key)));
}

static void check_event_key(grammar_check *check, const grammar_item *item)
{
    const base_value *value = item->value;
    const bool has_keys =
        check->keys != NULL && check->keys->kind == BASE_MAP && check->keys->size > 0;
    if (value->kind != BASE_MAP || value->size == 0) {
        base_error *error = value->kind == BASE_MAP
                                ? schema_grammar_finding(check, item, "E101", "names no key")
                                : schema_grammar_wrong_kind(check, item, "a mapping");
        base_error_hint(error, "write key: { %.*s: <jq over the event> }",
                        BASE_SLICE_ARG(has_keys ? schema_grammar_shown(check->keys->members[0].key)
                                                : base_slice_of("NAME")));
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
        schema_grammar_scalars[GRAMMAR_EXPR](check, item);
    }
}

/* ---- conditions (A.7) ---- */

static void bad_condition(grammar_check *check, const grammar_item *item)
{
    base_error *error = schema_grammar_finding(check, item, "E101", "is no condition");
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
        (void)schema_grammar_finding(check, item, "E101",
                                     "a percentage in \"need\" is not built yet");
        return;
    }
    check_members(check, item, of);
    if (of->kind == BASE_LIST && of->size > 0 &&
        !schema_grammar_number_within(need, 1, (int64_t)of->size)) {
        (void)schema_grammar_finding(
            check, item, "E101",
            "\"need\" must be a whole number from 1 to %zu, the members of \"of\"", of->size);
    } else if (need->kind != BASE_INTEGER) {
        (void)schema_grammar_finding(check, item, "E101", "\"need\" must be a whole number");
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
        schema_grammar_check_name(check, item, base_value_slice(item->value),
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
    } else if (!schema_grammar_is_tries(item->value)) {
        base_error *error = schema_grammar_finding(
            check, item, "E101", "must be a number of tries, forever or a mapping");
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
        base_error *error =
            schema_grammar_finding(check, item, "E301", "is none of the forms of an undo");
        base_error_hint(
            error, "%s",
            "write undo: {...}, undo: none (changes nothing) or undo: never (cannot be undone)");
    }
}

static void check_plain_section(grammar_check *check, const grammar_item *item)
{
    check_section(check, item, item->rule->section);
}

static grammar_checker *const checks[GRAMMAR_KIND_COUNT] = {
    [GRAMMAR_NOT_BUILT] = check_not_built, [GRAMMAR_SECTION] = check_plain_section,
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
            (void)schema_grammar_finding(check, item, "E101", "the list is empty");
        }
        push_list(check, item, item->value);
        return;
    }
    grammar_checker *const scalar = schema_grammar_scalars[item->rule->kind];
    (scalar != NULL ? scalar : checks[item->rule->kind])(check, item);
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
