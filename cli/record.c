/* See record.h. */
#include "cli/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/story.h"
#include "engine/rebuild.h"
#include "engine/wire.h"
#include "saga/decide.h"
#include "schemas/aside.h"
#include "schemas/definition.h"
#include "schemas/envelope.h"
#include "schemas/journal.h"
#include "schemas/snapshot.h"

#define PLACE_WIDTH 26
#define KEY_WIDTH 12
#define NAME_WIDTH 28

/* ---- what every record has ---- */

static void begin_text(const cli_teller *teller, const schema_record *record, const char *name,
                       base_slice rest, cli_ink ink, base_arena *arena)
{
    char time[CLI_TIME_SIZE];
    const base_slice place =
        base_arena_print(arena, "%.*s/%d@%" PRId64, BASE_SLICE_ARG(record->topic),
                         (int)record->partition, record->offset);
    cli_clock_short(record->time_ms, time);
    (void)printf("%s%s  ", cli_ink_text(teller->paint, CLI_DIM), time);
    cli_put_column(place, PLACE_WIDTH);
    (void)printf("%s  ", cli_ink_text(teller->paint, CLI_PLAIN));
    cli_put_column(record->key, KEY_WIDTH);
    (void)printf("  %s%s", cli_ink_text(teller->paint, ink), name);
    cli_put_column(rest, NAME_WIDTH - (int)strlen(name));
    (void)printf("%s  ", cli_ink_text(teller->paint, CLI_PLAIN));
}

static void begin_object(const schema_record *record, const char *kind, base_arena *arena,
                         cli_object *object)
{
    cli_object_begin(object, arena);
    cli_member(object, "topic", record->topic);
    cli_member_number(object, "partition", record->partition);
    cli_member_number(object, "offset", record->offset);
    cli_member_time(object, "time", record->time_ms);
    cli_member(object, "key", record->key);
    cli_member_text(object, "kind", kind);
}

static void put_value(const base_value *value, base_arena *arena)
{
    base_slice json = {NULL, 0};
    if (!base_failed(base_value_json(value, false, arena, &json))) {
        cli_put(json);
    }
}

/* What is no event: one word, and a text about it. */
static void write_word(const cli_teller *teller, const schema_record *record, const char *kind,
                       base_slice text, base_arena *arena)
{
    if (teller->json) {
        cli_object object;
        begin_object(record, kind, arena, &object);
        cli_member(&object, "text", text);
        (void)cli_object_write(&object);
        return;
    }
    begin_text(teller, record, kind, base_slice_of(""), CLI_DIM, arena);
    cli_put(text);
    (void)putchar('\n');
}

/* ---- events ---- */

static base_slice event_name(const cli_teller *teller, base_slice type)
{
    if (teller->plan != NULL) {
        const int32_t index = saga_plan_event_typed(teller->plan, type);
        if (index != SAGA_NONE) {
            return teller->plan->events[index].name;
        }
    }
    for (size_t i = 0; teller->catalog != NULL && i < teller->catalog->plan_count; i++) {
        const saga_plan *plan = teller->catalog->plans[i]->plan;
        const int32_t index = saga_plan_event_typed(plan, type);
        if (index != SAGA_NONE) {
            return plan->events[index].name;
        }
    }
    return type;
}

static bool is_ask(const saga_event *event, const schema_record *record)
{
    return event->saga_key.size > 0 && event->saga_step.size > 0 &&
           base_slice_starts_with(event->source, base_slice_of("/troupe/")) &&
           !base_slice_empty(record->topic);
}

static bool is_undo(const saga_event *event)
{
    static const char part[] = "/undo/";
    for (size_t i = 0; i + sizeof(part) - 1 <= event->saga_key.size; i++) {
        if (memcmp(event->saga_key.data + i, part, sizeof(part) - 1) == 0) {
            return true;
        }
    }
    return false;
}

static const char *event_kind(const cli_teller *teller, const schema_record *record,
                              const saga_event *event)
{
    if (base_slice_equal(record->topic, teller->topics->dead_letters)) {
        return "dead_letter";
    }
    if (is_ask(event, record)) {
        return is_undo(event) ? "undo" : "ask";
    }
    return "event";
}

static void write_event(const cli_teller *teller, const schema_record *record,
                        const saga_event *event, base_arena *arena)
{
    const char *kind = event_kind(teller, record, event);
    const base_slice name = event_name(teller, event->type);
    const base_slice reason = engine_wire_header(record, ENGINE_HEADER_REASON);
    if (teller->json) {
        cli_object object;
        base_value value;
        begin_object(record, kind, arena, &object);
        cli_member(&object, "event", name);
        cli_member(&object, "reason", reason);
        cli_member(&object, "error", engine_wire_header(record, ENGINE_HEADER_ERROR));
        if (!base_failed(saga_event_to_value(event, arena, &value))) {
            cli_member_value(&object, "cloudevent", &value);
        }
        (void)cli_object_write(&object);
        return;
    }
    const bool asks = strcmp(kind, "ask") == 0 || strcmp(kind, "undo") == 0;
    const bool dead = strcmp(kind, "dead_letter") == 0;
    begin_text(teller, record, asks ? (kind[0] == 'a' ? "ask " : "undo ") : "", name,
               dead                                                      ? CLI_RED
               : asks                                                    ? CLI_CYAN
               : base_slice_equal(record->topic, teller->topics->events) ? CLI_YELLOW
                                                                         : CLI_BOLD,
               arena);
    if (dead) {
        (void)printf("dead letter ");
        cli_put(reason);
        (void)printf("  ");
    }
    if (asks) {
        cli_put(event->saga_step);
        (void)printf(" try %d  ", (int)event->saga_try);
    }
    put_value(&event->data, arena);
    (void)putchar('\n');
}

static void write_plain(const cli_teller *teller, const schema_record *record, base_arena *arena)
{
    saga_plain_record plain;
    const bool read = !base_failed(schema_plain_read(record, arena, &plain, NULL));
    const base_slice reason = engine_wire_header(record, ENGINE_HEADER_REASON);
    const char *kind = reason.size > 0 ? "dead_letter" : "plain";
    if (teller->json) {
        cli_object object;
        begin_object(record, kind, arena, &object);
        cli_member(&object, "reason", reason);
        cli_member(&object, "error", engine_wire_header(record, ENGINE_HEADER_ERROR));
        if (read) {
            cli_member_value(&object, "value", &plain.value);
        } else {
            cli_member(&object, "bytes", record->value);
        }
        (void)cli_object_write(&object);
        return;
    }
    begin_text(teller, record, kind, base_slice_of(""), reason.size > 0 ? CLI_RED : CLI_DIM, arena);
    cli_put(reason);
    (void)fputs(reason.size > 0 ? "  " : "", stdout);
    if (read) {
        put_value(&plain.value, arena);
    } else {
        cli_put(base_utf8_valid(record->value) ? record->value : base_slice_of("(bytes)"));
    }
    (void)putchar('\n');
}

/* ---- Troupe's own records ---- */

static void write_entry(const cli_teller *teller, const schema_record *record,
                        const saga_entry *entry, base_arena *arena)
{
    const engine_plan *known =
        teller->catalog == NULL ? NULL : engine_catalog_plan(teller->catalog, entry->plan_hash);
    const saga_plan *plan = known == NULL ? NULL : known->plan;
    if (teller->json) {
        cli_object object;
        begin_object(record, "entry", arena, &object);
        cli_member(&object, "saga", entry->saga);
        cli_story_object(entry, plan, false, true, arena, &object);
        (void)cli_object_write(&object);
        return;
    }
    char time[CLI_TIME_SIZE];
    cli_clock_short(entry->at_ms, time);
    const cli_story story = {.paint = teller->paint,
                             .time = base_slice_of(time),
                             .label = entry->key,
                             .label_width = KEY_WIDTH};
    cli_story_write(&story, entry, plan, arena);
}

static void write_positions(const cli_teller *teller, const schema_record *record,
                            const schema_journal *journal, base_arena *arena)
{
    base_slice text = base_slice_of("");
    for (size_t i = 0; i < journal->position_count && text.data != NULL; i++) {
        const schema_position *position = &journal->positions[i];
        text = base_arena_print(arena, "%.*s%s%.*s/%d@%" PRId64, BASE_SLICE_ARG(text),
                                i == 0 ? "" : ", ", BASE_SLICE_ARG(position->topic),
                                (int)position->partition, position->offset);
    }
    write_word(teller, record, "position", text, arena);
}

static void write_journal(const cli_teller *teller, const schema_record *record, base_arena *arena)
{
    static const char *const asides[SCHEMA_ASIDE_COUNT] = {"park", "drop", "forget"};
    schema_journal journal;
    schema_aside aside;
    if (!base_failed(schema_aside_read(record->value, arena, &aside, NULL))) {
        write_word(teller, record, asides[aside.kind], aside.saga, arena);
        return;
    }
    if (base_failed(schema_journal_read(record->value, arena, &journal, NULL))) {
        write_word(teller, record, "unreadable", base_slice_of(""), arena);
        return;
    }
    switch (journal.kind) {
    case SCHEMA_JOURNAL_ENTRY:
        write_entry(teller, record, &journal.entry, arena);
        return;
    case SCHEMA_JOURNAL_CLAIM:
        write_word(teller, record, "claim",
                   base_arena_print(arena, "epoch %" PRIu64 " by %.*s", journal.epoch,
                                    BASE_SLICE_ARG(journal.claim.worker)),
                   arena);
        return;
    case SCHEMA_JOURNAL_POSITION:
        break;
    }
    write_positions(teller, record, &journal, arena);
}

static void write_definition(const cli_teller *teller, const schema_record *record,
                             base_arena *arena)
{
    schema_definition definition;
    if (base_failed(schema_definition_read(record->value, &definition, NULL))) {
        write_word(teller, record, "unreadable", base_slice_of(""), arena);
        return;
    }
    write_word(teller, record, definition.kind == SCHEMA_DEFINITION_PLAN ? "definition" : "pointer",
               base_arena_print(arena, "%.*s@%" PRId64 " %.12s", BASE_SLICE_ARG(definition.saga),
                                definition.version, definition.hash),
               arena);
}

static void write_snapshot(const cli_teller *teller, const schema_record *record, base_arena *arena)
{
    schema_snapshot_kind kind = SCHEMA_SNAPSHOT_STATE;
    schema_checkpoint checkpoint;
    const bool other = base_failed(schema_snapshot_kind_of(record->value, &kind, NULL));
    base_slice text = base_arena_print(arena, "%zu bytes", record->value.size);
    if (!other && kind == SCHEMA_SNAPSHOT_CHECKPOINT &&
        !base_failed(schema_checkpoint_read(record->value, arena, &checkpoint, NULL))) {
        text = base_arena_print(arena, "journal from %" PRId64 ", epoch %" PRIu64,
                                checkpoint.journal_offset, checkpoint.epoch);
    }
    const char *word = "checkpoint";
    if (base_slice_equal(record->key, engine_snapshot_claim_key())) {
        word = "claim";
    } else if (other) {
        word = base_slice_starts_with(record->key, base_slice_of("p/")) ? "parked" : "unreadable";
    } else if (kind == SCHEMA_SNAPSHOT_STATE) {
        word = "snapshot";
    }
    write_word(teller, record, word, text, arena);
}

/* ---- the whole ---- */

base_slice cli_record_event(const cli_teller *teller, const schema_record *record,
                            base_arena *arena)
{
    saga_event event;
    if (base_failed(schema_envelope_read(record, arena, &event, NULL))) {
        return base_slice_of("");
    }
    return event_name(teller, event.type);
}

void cli_record_write(const cli_teller *teller, const schema_record *record, base_arena *arena)
{
    const engine_topics *topics = teller->topics;
    saga_event event;
    const bool letter = engine_wire_header(record, ENGINE_HEADER_REASON).size > 0;
    if (record->value.data == NULL && !letter) { /* a letter may be without its value: too large */
        write_word(teller, record, "tombstone", base_slice_of(""), arena);
    } else if (base_slice_equal(record->topic, topics->journal)) {
        write_journal(teller, record, arena);
    } else if (base_slice_equal(record->topic, topics->definitions)) {
        write_definition(teller, record, arena);
    } else if (base_slice_equal(record->topic, topics->snapshots)) {
        write_snapshot(teller, record, arena);
    } else if (!base_failed(schema_envelope_read(record, arena, &event, NULL))) {
        write_event(teller, record, &event, arena);
    } else {
        write_plain(teller, record, arena);
    }
}
