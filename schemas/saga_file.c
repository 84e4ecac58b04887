/*
 * From text to a definition. The canonical form, whose hash names the plan, is JSON with the
 * members of every mapping in byte order, but for services, events and steps: their order is part
 * of what the saga means (rule 59: steps start in file order), so they stand as written. Places and
 * layout, comments and quoting are no part of it.
 */
#include "schemas/saga_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "schemas/json.h"
#include "schemas/saga_grammar.h"
#include "schemas/yaml.h"

/* ---- reading ---- */

static base_status file_error(saga_findings *findings, const char *path, int number)
{
    char buffer[128];
    const char *text = strerror_r(number, buffer, sizeof(buffer));
    base_error *error =
        saga_findings_add(findings, "E100", base_slice_of(path), 0, "cannot be read: %s", text);
    error->code = number == ENOENT || number == ENOTDIR ? BASE_NOT_FOUND : BASE_IO;
    return base_status_of(error->code);
}

static base_status too_large(saga_findings *findings, base_slice path)
{
    base_error *error = saga_findings_add(
        findings, "E100", path, 0, "a saga file of more than %zu bytes", SCHEMA_SAGA_FILE_SIZE_MAX);
    error->code = BASE_TOO_LARGE;
    return base_status_of(BASE_TOO_LARGE);
}

static base_status file_read(FILE *file, const char *path, base_arena *arena, base_slice *text_out,
                             saga_findings *findings)
{
    char *text = NULL;
    size_t size = 0;
    size_t capacity = 0;
    do {
        const size_t wanted = capacity == 0 ? 16384 : capacity * 2;
        text = base_arena_grow(arena, text, capacity, wanted);
        if (text == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
        capacity = wanted;
        size += fread(text + size, 1, capacity - size, file);
        if (ferror(file)) {
            return file_error(findings, path, errno);
        }
    } while (size == capacity && size <= SCHEMA_SAGA_FILE_SIZE_MAX);
    *text_out = base_slice_make(text, size);
    return base_ok();
}

static bool is_json(base_slice text, base_slice path)
{
    const base_slice json = BASE_SLICE_LITERAL(".json");
    const base_slice yaml = BASE_SLICE_LITERAL(".yaml");
    const base_slice yml = BASE_SLICE_LITERAL(".yml");
    if (base_slice_ends_with(path, json)) {
        return true;
    }
    if (base_slice_ends_with(path, yaml) || base_slice_ends_with(path, yml)) {
        return false;
    }
    size_t at = 0;
    while (at < text.size && text.data[at] != '\0' && strchr(" \t\r\n", text.data[at]) != NULL) {
        at++;
    }
    return at < text.size && text.data[at] == '{';
}

static base_status tree_read(base_slice text, base_slice path, base_arena *arena,
                             base_value *tree_out, saga_findings *findings)
{
    base_error error;
    base_error_clear(&error);
    base_status status;
    if (is_json(text, path)) {
        const base_slice kept =
            base_arena_copy(arena, text); /* strings of the tree borrow from it */
        if (kept.data == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
        const schema_json_options options = {
            .path = path, .size_max = SCHEMA_SAGA_FILE_SIZE_MAX, .places = true};
        status = schema_json_read(kept, &options, arena, tree_out, &error);
    } else {
        status = schema_yaml_read(text, path, arena, tree_out, &error);
    }
    if (!base_failed(status)) {
        return status;
    }
    base_error *item = saga_findings_add(
        findings, "E100", path, base_place_make(error.line, error.column), "%s", error.text);
    base_error_hint(item, "%s", error.hint);
    item->code = status.code;
    item->line = error.line;
    item->column = error.column;
    return status;
}

/* ---- the canonical form ---- */

/* Pieces of text that are joined at the end. */
typedef struct pieces {
    base_arena *arena;
    base_slice *items;
    size_t count;
    size_t capacity;
    size_t size;
    base_code failure;
} pieces;

static void pieces_add(pieces *to, base_slice piece)
{
    if (to->failure != BASE_OK) {
        return;
    }
    if (to->count == to->capacity) {
        const size_t wanted = to->capacity == 0 ? 64 : to->capacity * 2;
        base_slice *items = base_arena_grow(to->arena, to->items, to->capacity * sizeof(base_slice),
                                            wanted * sizeof(base_slice));
        if (items == NULL) {
            to->failure = BASE_OUT_OF_MEMORY;
            return;
        }
        to->items = items;
        to->capacity = wanted;
    }
    to->items[to->count++] = piece;
    to->size += piece.size;
}

static void pieces_add_json(pieces *to, const base_value *value)
{
    base_slice json = {0};
    const base_status status = base_value_json(value, true, to->arena, &json);
    if (base_failed(status)) {
        to->failure = status.code;
        return;
    }
    pieces_add(to, json);
}

static void pieces_add_member(pieces *to, const base_member *member, bool first)
{
    const base_value key = base_value_string(member->key);
    pieces_add(to, base_slice_of(first ? "" : ","));
    pieces_add_json(to, &key);
    pieces_add(to, base_slice_of(":"));
}

static base_status pieces_join(const pieces *from, base_slice *text_out)
{
    if (from->failure != BASE_OK) {
        return base_status_of(from->failure);
    }
    char *text = base_arena_alloc(from->arena, from->size + 1);
    if (text == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    size_t at = 0;
    for (size_t i = 0; i < from->count; i++) {
        if (from->items[i].size > 0) {
            memcpy(text + at, from->items[i].data, from->items[i].size);
        }
        at += from->items[i].size;
    }
    text[at] = '\0';
    *text_out = base_slice_make(text, at);
    return base_ok();
}

/* A mapping whose order has a meaning: as written outside, sorted inside. */
static void canonical_named(pieces *to, const base_value *map)
{
    pieces_add(to, base_slice_of("{"));
    for (size_t i = 0; i < map->size; i++) {
        pieces_add_member(to, &map->members[i], i == 0);
        pieces_add_json(to, &map->members[i].value);
    }
    pieces_add(to, base_slice_of("}"));
}

/* The member of the map whose key comes next after `last` (NULL: the first) in byte order. */
static const base_member *member_after(const base_value *map, const base_member *last)
{
    const base_member *next = NULL;
    for (size_t i = 0; i < map->size; i++) {
        const base_member *member = &map->members[i];
        if ((last == NULL || base_slice_compare(member->key, last->key) > 0) &&
            (next == NULL || base_slice_compare(member->key, next->key) < 0)) {
            next = member;
        }
    }
    return next;
}

/* The tree has passed the grammar: its few top keys are known ones. */
static base_status canonical_write(const base_value *tree, base_arena *arena,
                                   base_slice *canonical_out)
{
    pieces to = {.arena = arena, .failure = BASE_OK};
    const base_member *member = member_after(tree, NULL);
    pieces_add(&to, base_slice_of("{"));
    for (bool first = true; member != NULL; first = false) {
        const grammar_rule *rule = schema_grammar_rule(&schema_grammar_saga, member->key);
        pieces_add_member(&to, member, first);
        if (rule != NULL && rule->kind == GRAMMAR_NAMED && member->value.kind == BASE_MAP) {
            canonical_named(&to, &member->value);
        } else {
            pieces_add_json(&to, &member->value);
        }
        member = member_after(tree, member);
    }
    pieces_add(&to, base_slice_of("}"));
    return pieces_join(&to, canonical_out);
}

static void hash_write(base_slice canonical, char hash_out[65])
{
    base_sha256 hash;
    uint8_t digest[32];
    base_sha256_init(&hash);
    base_sha256_update(&hash, canonical.data, canonical.size);
    base_sha256_final(&hash, digest);
    base_hex(digest, sizeof(digest), hash_out);
}

/* ---- defaults ---- */

/* What `defaults` has under the key of a section's rule. `key` is one name for two things: a
 * mapping is an event's, a text is a step's. */
static const base_value *default_for(const base_value *defaults, const grammar_rule *rule)
{
    if (defaults == NULL || (rule->flags & GRAMMAR_FILLED) == 0) {
        return NULL;
    }
    const base_value *value = base_map_get_text(defaults, rule->key);
    if (value == NULL || ((rule->kind == GRAMMAR_EVENT_KEY) != (value->kind == BASE_MAP) &&
                          strcmp(rule->key, "key") == 0)) {
        return NULL;
    }
    return value;
}

/* The section's members and, behind them, what is absent and has a default. A key that a signal
 * cannot have, or one that only an asked step can, is left out where it would not fit. */
static base_status fill(const base_value *section_value, const grammar_section *section,
                        const base_value *defaults, base_arena *arena, base_value *filled_out)
{
    base_map_builder builder;
    base_map_begin(&builder, arena);
    const bool is_map = section_value->kind == BASE_MAP;
    for (size_t i = 0; is_map && i < section_value->size; i++) {
        BASE_TRY(base_map_put(&builder, section_value->members[i].key,
                              &section_value->members[i].value));
        builder.members[i].key_place = section_value->members[i].key_place;
    }
    const bool signal = is_map && base_map_get_text(section_value, "signal") != NULL;
    const bool asked = is_map && base_map_get_text(section_value, "ask") != NULL;
    for (size_t i = 0; i < section->rule_count; i++) {
        const grammar_rule *rule = &section->rules[i];
        const base_value *value = default_for(defaults, rule);
        if (value == NULL || (is_map && base_map_get_text(section_value, rule->key) != NULL) ||
            (signal && (rule->flags & (GRAMMAR_NO_SIGNAL | GRAMMAR_EXCUSED)) != 0) ||
            (!asked && (rule->flags & GRAMMAR_ASKED) != 0)) {
            continue;
        }
        BASE_TRY(base_map_put_text(&builder, rule->key, value));
    }
    *filled_out = base_map_end(&builder);
    filled_out->place = section_value->place;
    return base_ok();
}

/* Every section of a mapping of names, filled. */
static base_status fill_all(const base_value *named, const grammar_section *section,
                            const base_value *defaults, base_arena *arena,
                            base_map_builder *builder)
{
    for (size_t i = 0; named != NULL && named->kind == BASE_MAP && i < named->size; i++) {
        base_value filled;
        BASE_TRY(fill(&named->members[i].value, section, defaults, arena, &filled));
        BASE_TRY(base_map_put(builder, named->members[i].key, &filled));
        builder->members[builder->count - 1].key_place = named->members[i].key_place;
    }
    return base_ok();
}

/* The outcomes that the steps name, for the events that are not declared: names, each with its
 * place. */
static base_status outcomes_of(const base_value *section, base_list_builder *names)
{
    static const char *const keys[] = {"signal", "emits", "fails", "beats"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const base_value *value =
            section->kind == BASE_MAP ? base_map_get_text(section, keys[i]) : NULL;
        const bool is_list = value != NULL && value->kind == BASE_LIST;
        const size_t count = value == NULL ? 0 : is_list ? value->size : 1;
        for (size_t k = 0; k < count; k++) {
            BASE_TRY(base_list_push(names, is_list ? &value->items[k] : value));
        }
    }
    return base_ok();
}

static base_status observed_events(const base_value *steps, base_list_builder *names)
{
    for (size_t i = 0; steps != NULL && steps->kind == BASE_MAP && i < steps->size; i++) {
        const base_value *step = &steps->members[i].value;
        BASE_TRY(outcomes_of(step, names));
        const base_value *undo = step->kind == BASE_MAP ? base_map_get_text(step, "undo") : NULL;
        if (undo != NULL) {
            BASE_TRY(outcomes_of(undo, names));
        }
    }
    return base_ok();
}

/* The part of `defaults` that goes to events that are only named; a mapping, perhaps empty. */
static base_status observed_defaults(const base_value *defaults, base_arena *arena,
                                     base_value *map_out)
{
    base_map_builder builder;
    base_map_begin(&builder, arena);
    for (size_t i = 0; i < schema_grammar_event.rule_count; i++) {
        const grammar_rule *rule = &schema_grammar_event.rules[i];
        const base_value *value = default_for(defaults, rule);
        if (value != NULL && (rule->flags & GRAMMAR_OBSERVED) != 0) {
            BASE_TRY(base_map_put_text(&builder, rule->key, value));
        }
    }
    *map_out = base_map_end(&builder);
    return base_ok();
}

/* The declared events, filled, and then, if defaults have something for them, those that steps name
 * as outcomes. */
static base_status fill_events(const base_value *tree, const base_value *defaults,
                               base_arena *arena, base_value *events_out)
{
    base_map_builder builder;
    base_map_begin(&builder, arena);
    BASE_TRY(fill_all(base_map_get_text(tree, "events"), &schema_grammar_event, defaults, arena,
                      &builder));
    base_value shared;
    BASE_TRY(observed_defaults(defaults, arena, &shared));
    base_list_builder names;
    base_list_begin(&names, arena);
    if (shared.size > 0) {
        BASE_TRY(observed_events(base_map_get_text(tree, "steps"), &names));
    }
    const base_value *declared = base_map_get_text(tree, "events");
    for (size_t i = 0; i < names.count; i++) {
        const base_slice name = base_value_slice(&names.items[i]);
        if (declared != NULL && declared->kind == BASE_MAP &&
            base_map_get(declared, name) != NULL) {
            continue;
        }
        const size_t count = builder.count;
        BASE_TRY(base_map_put(&builder, name, &shared));
        if (builder.count > count) {
            builder.members[count].key_place = names.items[i].place;
        }
    }
    *events_out = base_map_end(&builder);
    return base_ok();
}

static base_status fill_tree(const base_value *tree, base_arena *arena, base_value *tree_out)
{
    const base_value *defaults = base_map_get_text(tree, "defaults");
    base_map_builder builder;
    base_value steps;
    base_value events;
    base_map_begin(&builder, arena);
    BASE_TRY(fill_all(base_map_get_text(tree, "steps"), &schema_grammar_step, defaults, arena,
                      &builder));
    steps = base_map_end(&builder);
    BASE_TRY(fill_events(tree, defaults, arena, &events));
    base_map_begin(&builder, arena);
    for (size_t i = 0; i < tree->size; i++) {
        const base_member *member = &tree->members[i];
        base_value value = base_slice_is(member->key, "steps")    ? steps
                           : base_slice_is(member->key, "events") ? events
                                                                  : member->value;
        value.place = member->value.place;
        BASE_TRY(base_map_put(&builder, member->key, &value));
        builder.members[builder.count - 1].key_place = member->key_place;
    }
    if (base_map_get_text(tree, "events") == NULL && events.size > 0) {
        BASE_TRY(base_map_put_text(&builder, "events", &events));
    }
    *tree_out = base_map_end(&builder);
    tree_out->place = tree->place;
    return base_ok();
}

/* ---- the whole ---- */

base_status schema_saga_parse(base_slice text, base_slice path, base_arena *arena,
                              saga_definition *definition_out, saga_findings *findings)
{
    if (text.size > SCHEMA_SAGA_FILE_SIZE_MAX) {
        return too_large(findings, path);
    }
    base_value tree;
    BASE_TRY(tree_read(text, path, arena, &tree, findings));
    const size_t errors_before = findings->error_count;
    BASE_TRY(schema_grammar_check(&tree, path, arena, findings));
    if (findings->error_count != errors_before) {
        return base_status_of(BASE_BAD_INPUT);
    }
    saga_definition definition = {.path = base_arena_copy(arena, path)};
    if (definition.path.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    BASE_TRY(canonical_write(&tree, arena, &definition.canonical));
    BASE_TRY(fill_tree(&tree, arena, &definition.tree));
    hash_write(definition.canonical, definition.hash);
    *definition_out = definition;
    return base_ok();
}

base_status schema_saga_load(const char *path, base_arena *arena, saga_definition *definition_out,
                             saga_findings *findings)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return file_error(findings, path, errno);
    }
    base_slice text;
    const base_status status = file_read(file, path, arena, &text, findings);
    (void)fclose(file);
    if (base_failed(status)) {
        return status;
    }
    return schema_saga_parse(text, base_slice_of(path), arena, definition_out, findings);
}
