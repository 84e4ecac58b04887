#include <unistd.h>

#include "samples.h"
#include "schemas/json.h"
#include "schemas/saga_file.h"

#define DATA TEST_SOURCE_DIR "/data/"

typedef struct fixture {
    base_arena arena;
    saga_findings findings;
    saga_definition definition;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    base_arena_init(&f->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    saga_findings_init(&f->findings, &f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    base_arena_deinit(&f->arena);
    free(f);
    return 0;
}

static base_code parse(fixture *f, const char *text)
{
    saga_findings_init(&f->findings, &f->arena);
    return schema_saga_parse(base_slice_of(text), base_slice_of("x.saga.yaml"), &f->arena,
                             &f->definition, &f->findings)
        .code;
}

static const char *rendered(const fixture *f, size_t index)
{
    static char text[1024];
    (void)base_error_render(&f->findings.items[index], text, sizeof(text));
    return text;
}

static void assert_accepted(fixture *f, base_code code)
{
    if (code != BASE_OK) {
        fail_msg("%s", f->findings.count > 0 ? rendered(f, 0) : "no finding");
    }
    assert_int_equal(f->findings.count, 0);
}

/* ---- a small saga with a hole in it ---- */

#define HEAD "saga: s\nversion: 1\nkeys: { order: string }\nservices: { a: {} }\n"
#define EVENTS "events: { e: { from: a, key: { order: .data.id } } }\n"
#define START "start: { when: e }\n"
#define STEPS "steps: { x: { service: a, ask: ask, emits: done, undo: none } }\n"

/* The text has exactly this one finding, as people see it. */
static void assert_finding(fixture *f, const char *text, const char *expected)
{
    assert_int_equal(parse(f, text), BASE_BAD_INPUT);
    if (f->findings.count != 1) {
        for (size_t i = 0; i < f->findings.count; i++) {
            print_message("%s\n", rendered(f, i));
        }
    }
    assert_int_equal(f->findings.count, 1);
    assert_string_equal(rendered(f, 0), expected);
}

static void assert_step_finding(fixture *f, const char *step, const char *expected)
{
    char text[2048];
    (void)snprintf(text, sizeof(text), HEAD EVENTS START "steps:\n  x: { %s }\n", step);
    assert_finding(f, text, expected);
}

/* ---- tests ---- */

static void test_saga_file__reads_every_key_that_is_built(void **state)
{
    fixture *f = *state;
    assert_accepted(
        f, schema_saga_load(DATA "everything.saga.yaml", &f->arena, &f->definition, &f->findings)
               .code);
    assert_accepted(
        f,
        schema_saga_load(DATA "transfer.saga.yaml", &f->arena, &f->definition, &f->findings).code);
    assert_accepted(f, parse(f, HEAD EVENTS START STEPS));
    assert_int_equal(strlen(f->definition.hash), 64);
}

static void test_saga_file__the_canonical_form_reads_back_as_the_same(void **state)
{
    fixture *f = *state;
    const char *const files[] = {DATA "everything.saga.yaml", DATA "transfer.saga.yaml"};
    for (size_t i = 0; i < 2; i++) {
        saga_definition first;
        saga_definition second;
        assert_accepted(f, schema_saga_load(files[i], &f->arena, &first, &f->findings).code);
        assert_accepted(f, schema_saga_parse(first.canonical, base_slice_of(""), &f->arena, &second,
                                             &f->findings)
                               .code);
        assert_slice_equal(first.canonical, second.canonical);
        assert_string_equal(first.hash, second.hash);
        assert_value_equal(&first.tree, &second.tree);
        const base_value *steps[2] = {base_map_get_text(&first.tree, "steps"),
                                      base_map_get_text(&second.tree, "steps")};
        for (size_t k = 0; k < steps[0]->size; k++) {
            assert_slice_equal(steps[0]->members[k].key,
                               steps[1]->members[k].key); /* in file order */
        }
    }
}

static void test_saga_file__layout_is_no_part_of_the_hash_and_order_of_steps_is(void **state)
{
    fixture *f = *state;
    const char *const step_a = "  a: { service: a, ask: ask.a, emits: done.a, undo: none }\n";
    const char *const step_b = "  b: { undo: none, emits: done.b, ask: ask.b, service: a }\n";
    char text[1024];
    char hashes[3][65];
    (void)snprintf(text, sizeof(text), HEAD EVENTS START "steps:\n%s%s", step_a, step_b);
    assert_accepted(f, parse(f, text));
    memcpy(hashes[0], f->definition.hash, 65);
    (void)snprintf(text, sizeof(text), "# c\nsteps:\n%s%s" START EVENTS HEAD, step_a, step_b);
    assert_accepted(f, parse(f, text));
    memcpy(hashes[1], f->definition.hash, 65);
    (void)snprintf(text, sizeof(text), HEAD EVENTS START "steps:\n%s%s", step_b, step_a);
    assert_accepted(f, parse(f, text));
    memcpy(hashes[2], f->definition.hash, 65);
    assert_string_equal(hashes[0], hashes[1]);
    assert_string_not_equal(hashes[0], hashes[2]);
}

static void test_saga_file__fills_defaults_into_steps_and_events(void **state)
{
    fixture *f = *state;
    assert_accepted(
        f, schema_saga_load(DATA "everything.saga.yaml", &f->arena, &f->definition, &f->findings)
               .code);
    const base_value *steps = base_map_get_text(&f->definition.tree, "steps");
    const base_value *events = base_map_get_text(&f->definition.tree, "events");
    const base_value *pay = base_map_get_text(steps, "pay");
    const base_value *ship = base_map_get_text(steps, "ship");
    const base_value *seen = base_map_get_text(steps, "seen");
    assert_slice_equal(base_value_slice(base_map_get_text(pay, "timeout")), base_slice_of("20s"));
    assert_slice_equal(base_value_slice(base_map_get_text(ship, "timeout")), base_slice_of("5s"));
    assert_int_equal(base_map_get_text(ship, "retry")->integer, 2);
    assert_slice_equal(base_value_slice(base_map_get_text(ship, "late")), base_slice_of("ignore"));
    assert_null(base_map_get_text(ship, "key"));   /* the default key is an event's */
    assert_null(base_map_get_text(seen, "retry")); /* a signal is not asked */
    const base_value *placed = base_map_get_text(events, "order.placed");
    assert_non_null(base_map_get_text(base_map_get_text(placed, "key"), "order"));
    assert_slice_equal(base_value_slice(base_map_get_text(placed, "early_for")),
                       base_slice_of("2h"));
    /* Events that steps only name get the key, too; asks do not. */
    assert_non_null(base_map_get_text(base_map_get_text(events, "paid.later"), "key"));
    assert_non_null(base_map_get_text(base_map_get_text(events, "paid.back"), "key"));
    assert_null(base_map_get_text(events, "pay.ask"));
    assert_int_equal(base_place_line(events->members[events->size - 1].key_place) > 0, 1);
    /* Nothing of it is in the canonical form. */
    const base_slice copy = base_arena_copy(&f->arena, f->definition.canonical);
    assert_non_null(strstr(
        copy.data, "\"ship\":{\"after\":[\"pay\",{\"failed\":\"pay\"},{\"over\":\"pay\"}],"
                   "\"ask\":\"ship\",\"emits\":\"shipped\",\"pivot\":true,\"service\":\"payments\","
                   "\"timeout\":\"5s\",\"undo\":\"never\"}"));
}

static void test_saga_file__defaults_may_hold_what_is_required(void **state)
{
    fixture *f = *state;
    assert_accepted(f, parse(f, HEAD EVENTS START
                             "defaults: { service: a, undo: none }\n"
                             "steps: { x: { ask: ask, emits: done }, y: { signal: e } }\n"));
    const base_value *steps = base_map_get_text(&f->definition.tree, "steps");
    assert_non_null(base_map_get_text(base_map_get_text(steps, "x"), "undo"));
    assert_null(base_map_get_text(base_map_get_text(steps, "y"), "service"));
}

static void test_saga_file__json_and_yaml_are_one_tree(void **state)
{
    fixture *f = *state;
    saga_definition yaml;
    saga_definition json;
    assert_accepted(
        f, schema_saga_load(DATA "transfer.saga.yaml", &f->arena, &yaml, &f->findings).code);
    base_slice text;
    assert_int_equal(base_value_json(&yaml.tree, false, &f->arena, &text).code, BASE_OK);
    assert_accepted(
        f,
        schema_saga_parse(text, base_slice_of("t.saga.json"), &f->arena, &json, &f->findings).code);
    assert_string_equal(yaml.hash, json.hash);
}

static void test_saga_file__names_the_place_of_an_unknown_key(void **state)
{
    fixture *f = *state;
    assert_finding(
        f,
        HEAD EVENTS START
        "steps:\n  ship:\n    servise: a\n    service: a\n    emits: done\n    undo: none\n",
        "x.saga.yaml:9:5: E101 steps.ship.servise: unknown key (did you mean \"service\"?)");
    assert_finding(f, HEAD EVENTS START STEPS "dedline: 2d\n",
                   "x.saga.yaml:8:1: E101 dedline: unknown key (did you mean \"deadline\"?)");
    assert_finding(f, HEAD EVENTS START STEPS "zzzzzzzz: 2d\n",
                   "x.saga.yaml:8:1: E101 zzzzzzzz: unknown key");
    assert_finding(f, HEAD EVENTS "start: { when: e, agian: ignore }\n" STEPS,
                   "x.saga.yaml:6:19: E101 start.agian: unknown key (did you mean \"again\"?)");
    assert_step_finding(
        f, "service: a, emits: done, undo: { ask: b, emits: c, retyr: 1 }",
        "x.saga.yaml:8:59: E101 steps.x.undo.retyr: unknown key (did you mean \"retry\"?)");
}

static void test_saga_file__tells_on_from_when(void **state)
{
    fixture *f = *state;
    assert_finding(f, HEAD EVENTS "start: { on: e, when: e }\n" STEPS,
                   "x.saga.yaml:6:10: E104 start.on: \"on\" is read as true by many YAML tools "
                   "(use \"when\")");
    assert_step_finding(f, "true: e, service: a, emits: done, undo: none",
                        "x.saga.yaml:8:8: E104 steps.x.true: \"on\" is read as true by many YAML "
                        "tools (use \"when\")");
}

static void test_saga_file__wants_units(void **state)
{
    fixture *f = *state;
    assert_finding(f, HEAD EVENTS START STEPS "deadline: 30\n",
                   "x.saga.yaml:8:11: E107 deadline: durations need a unit: 30 (30s)");
    assert_finding(f, HEAD EVENTS START STEPS "retain: 3 days\n",
                   "x.saga.yaml:8:9: E107 retain: \"3 days\" is no duration (as 500ms, 30s, 5m, "
                   "2h, 7d or PT1H30M, at "
                   "most 3650d)");
    assert_finding(f, HEAD EVENTS START STEPS "retain: [1d]\n",
                   "x.saga.yaml:8:9: E101 retain: must be a duration, not array (as 500ms, 30s, "
                   "5m, 2h, 7d or PT1H30M)");
}

static void test_saga_file__wants_what_is_required(void **state)
{
    fixture *f = *state;
    assert_finding(f, "version: 1\nkeys: { order: string }\n" EVENTS START STEPS,
                   "x.saga.yaml:1:1: E101 a saga needs \"saga\" (name it: saga: NAME)");
    assert_finding(f, HEAD EVENTS START,
                   "x.saga.yaml:1:1: E101 a saga needs \"steps\" (write steps: { NAME: { service: "
                   "..., emits: ..., undo: ... } })");
    assert_finding(f, HEAD EVENTS START "steps: {}\n", "x.saga.yaml:7:8: E101 steps: is empty");
    assert_step_finding(f, "service: a, emits: done",
                        "x.saga.yaml:8:3: E301 steps.x: a step needs \"undo\" (write undo: {...}, "
                        "undo: none (changes "
                        "nothing) or undo: never (cannot be undone))");
    assert_step_finding(
        f, "emits: done, undo: none",
        "x.saga.yaml:8:3: E101 steps.x: a step needs \"service\" (say who does it: service: NAME)");
    assert_step_finding(f, "service: a, emits: done, undo: { ask: b }",
                        "x.saga.yaml:8:33: E101 steps.x.undo: an undo needs \"emits\" (say with "
                        "emits: EVENT how the "
                        "service reports that it is undone)");
    assert_step_finding(f, "service: a, emits: done, undo: maybe",
                        "x.saga.yaml:8:39: E301 steps.x.undo: is none of the forms of an undo "
                        "(write undo: {...}, undo: "
                        "none (changes nothing) or undo: never (cannot be undone))");
}

static void test_saga_file__refuses_by_name_what_is_not_built(void **state)
{
    static const char *const tops[] = {"use", "search", "sensitive", "sla", "claims", "migrate"};
    static const char *const steps[] = {
        "each",  "repeat", "need",     "within",   "short",    "rest",      "collect", "recover",
        "grow",  "merge",  "choose",   "approval", "wait",     "at",        "call",    "hold",
        "needs", "sla",    "priority", "steps",    "delay_by", "on_timeout"};
    static const char *const services[] = {"limit", "breaker",  "pool",    "pick",
                                           "can",   "resource", "capacity"};
    fixture *f = *state;
    char text[1024];
    char message[128];
    for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
        (void)snprintf(text, sizeof(text), HEAD EVENTS START STEPS "%s: { a: b }\n", tops[i]);
        assert_int_equal(parse(f, text), BASE_BAD_INPUT);
        (void)snprintf(message, sizeof(message), "%s: \"%s\" is not built yet", tops[i], tops[i]);
        assert_string_equal(f->findings.items[0].text, message);
    }
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        (void)snprintf(text, sizeof(text),
                       HEAD EVENTS START
                       "steps: { x: { service: a, emits: b, undo: none, %s: [1] } }\n",
                       steps[i]);
        assert_int_equal(parse(f, text), BASE_BAD_INPUT);
        assert_int_equal(f->findings.count, 1);
        (void)snprintf(message, sizeof(message), "steps.x.%s: \"%s\" is not built yet", steps[i],
                       steps[i]);
        assert_string_equal(f->findings.items[0].text, message);
    }
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        (void)snprintf(
            text, sizeof(text),
            "saga: s\nversion: 1\nkeys: { order: string }\nservices: { a: { %s: 1 } }\n" EVENTS
                START STEPS,
            services[i]);
        assert_int_equal(parse(f, text), BASE_BAD_INPUT);
        (void)snprintf(message, sizeof(message), "services.a.%s: \"%s\" is not built yet",
                       services[i], services[i]);
        assert_string_equal(f->findings.items[0].text, message);
    }
    assert_finding(
        f, HEAD "events: { e: { from: a, key: { order: .x }, schema: a.json } }\n" START STEPS,
        "x.saga.yaml:5:45: E101 events.e.schema: \"schema\" is not built yet (leave it out: data "
        "is not "
        "checked against schemas yet)");
    assert_finding(f, HEAD EVENTS "start: { when: e, cron: \"0 2 * * *\" }\n" STEPS,
                   "x.saga.yaml:6:19: E101 start.cron: \"cron\" is not built yet");
    assert_step_finding(f, "service: a, emits: done, undo: none, retry: { max: 1, switch: true }",
                        "x.saga.yaml:8:62: E101 steps.x.retry.switch: \"switch\" is not built yet");
    assert_step_finding(
        f, "service: a, emits: done, undo: none, fails: { b: retry }",
        "x.saga.yaml:8:52: E101 steps.x.fails: must be an event's name, not object (fails: { "
        "EVENT: "
        "retry } is not built yet: write fails: EVENT and retry: { if: '$event.type == ...' })");
    assert_step_finding(
        f, "service: a, emits: done, undo: none, when: { need: 60%, of: [e] }",
        "x.saga.yaml:8:51: E101 steps.x.when: a percentage in \"need\" is not built yet");
    assert_finding(
        f,
        "saga: s\nversion: 1\nkeys: { order: string, parcel: string }\nservices: { a: {} }\n" EVENTS
            START STEPS,
        "x.saga.yaml:3:24: E101 keys: a second key (\"parcel\", an alias) is not built yet (the "
        "first is the "
        "main key: name it alone)");
}

static void test_saga_file__asks_nothing_more_of_a_step_of_a_form_that_is_not_built(void **state)
{
    assert_step_finding(*state, "approval: { role: chief }, when: e",
                        "x.saga.yaml:8:8: E101 steps.x.approval: \"approval\" is not built yet "
                        "(ask a service: emits: "
                        "NAME.approved, fails: NAME.denied, undo: none)");
    assert_step_finding(*state, "each: { in: .lines }",
                        "x.saga.yaml:8:8: E101 steps.x.each: \"each\" is not built yet");
}

static void test_saga_file__refuses_what_is_no_key_of_the_saga(void **state)
{
    assert_finding(*state, HEAD "events: { e: { from: a, key: { ordr: .data.id } } }\n" START STEPS,
                   "x.saga.yaml:5:32: E101 events.e.key.ordr: no key is called \"ordr\" (the "
                   "saga's key is \"order\")");
    assert_finding(*state, HEAD "events: { e: { from: a, key: .data.id } }\n" START STEPS,
                   "x.saga.yaml:5:30: E101 events.e.key: must be a mapping, not string (write key: "
                   "{ order: <jq over the "
                   "event> })");
}

static void test_saga_file__refuses_wrong_kinds(void **state)
{
    fixture *f = *state;
    assert_finding(f, "a text\n",
                   "x.saga.yaml:1:1: E101 must be a mapping, not string (a saga is written { saga: "
                   "..., ... })");
    assert_finding(f, HEAD EVENTS START STEPS "strict: yes\n",
                   "x.saga.yaml:8:9: E101 strict: must be true or false, not string (yes, no, on "
                   "and off are texts here "
                   "(YAML 1.2))");
    assert_finding(f, HEAD EVENTS START STEPS "undo_order: random\n",
                   "x.saga.yaml:8:13: E101 undo_order: \"random\" is not known here (one of: "
                   "causal, reverse, parallel)");
    assert_finding(
        f, "saga: S\nversion: 1\nkeys: { order: string }\nservices: { a: {} }\n" EVENTS START STEPS,
        "x.saga.yaml:1:7: E101 saga: \"S\" is no name (names are lower-case letters, digits, _ and "
        "-, a letter "
        "first)");
    assert_finding(
        f,
        "saga: s\nversion: 1.5\nkeys: { order: string }\nservices: { a: {} }\n" EVENTS START STEPS,
        "x.saga.yaml:2:10: E101 version: must be a whole number from 1 (write version: 1)");
    assert_step_finding(
        f, "service: a, emits: done, undo: none, ask: q, with: {id: .id}",
        "x.saga.yaml:8:59: E101 steps.x.with: must be a jq program, not object (put it in quotes: "
        "'{orderId, amount: .total}')");
    assert_step_finding(
        f, "service: a, emits: done, undo: none, if: true",
        "x.saga.yaml:8:49: E101 steps.x.if: must be a jq program, not boolean (put it in quotes)");
    assert_step_finding(f, "service: a, emits: [], undo: none",
                        "x.saga.yaml:8:27: E101 steps.x.emits: the list is empty");
    assert_step_finding(
        f, "service: a, emits: [done, 5], undo: none",
        "x.saga.yaml:8:34: E101 steps.x.emits[1]: must be an event's name, not number");
    assert_step_finding(f, "service: a, emits: done, undo: none, retry: -1",
                        "x.saga.yaml:8:52: E101 steps.x.retry: must be a number of tries, forever "
                        "or a mapping (write "
                        "retry: 3, retry: forever or retry: { max: 3, first: 1s })");
    assert_step_finding(f, "service: a, emits: done, undo: none, retry: { jitter: 2 }",
                        "x.saga.yaml:8:62: E101 steps.x.retry.jitter: must be a number from 0 to "
                        "1, or a percentage");
    assert_step_finding(f, "signal: e, ask: done",
                        "x.saga.yaml:8:24: E101 steps.x: a signal is not asked: it has no \"ask\" "
                        "(drop \"ask\", or "
                        "\"signal\")");
    assert_finding(
        f,
        "saga: s\nversion: 1\nkeys: { order: string }\nservices: { a: { asks: a/b } }\n" EVENTS
            START STEPS,
        "x.saga.yaml:4:24: E101 services.a.asks: \"a/b\" cannot be a topic's name (at most 249 "
        "letters, digits, "
        "dots, _ and -)");
    assert_finding(f, HEAD EVENTS START "steps: { Ship: { signal: e } }\n",
                   "x.saga.yaml:7:10: E101 steps: \"Ship\" is no name (names are lower-case "
                   "letters, digits and _, a letter "
                   "first)");
}

static void test_saga_file__refuses_what_is_no_condition(void **state)
{
    fixture *f = *state;
    const char *const hint = "EVENT, [..], {all: [..]}, {any: [..]} or {need: 2, of: [..]}";
    static const char *const wrong[] = {
        "5",           "[]",       "{}",        "{any: e}",          "{any: [e], all: [e]}",
        "{failed: x}", "{not: e}", "{need: 1}", "{any: [{any: []}]}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text),
                       HEAD EVENTS START
                       "steps: { x: { service: a, emits: done, undo: none, when: %s } }\n",
                       wrong[i]);
        assert_int_equal(parse(f, text), BASE_BAD_INPUT);
        assert_int_equal(f->findings.count, 1);
        assert_string_equal(f->findings.items[0].hint, hint);
    }
    assert_step_finding(f, "service: a, emits: done, undo: none, when: { need: 3, of: [e, e] }",
                        "x.saga.yaml:8:51: E101 steps.x.when: \"need\" must be a whole number from "
                        "1 to 2, the members of "
                        "\"of\"");
    assert_step_finding(f, "service: a, emits: done, undo: none, after: { over: Y }",
                        "x.saga.yaml:8:60: E101 steps.x.after: \"Y\" is no name (names are "
                        "lower-case letters, digits and _, "
                        "a letter first)");
}

static void test_saga_file__collects_all_findings_in_file_order(void **state)
{
    fixture *f = *state;
    assert_int_equal(parse(f, "saga: S\nversion: x\nkeys: { order: string }\nservices: { a: { "
                              "pool: 1 } }\nstart: {}\nsteps:\n"
                              "  y: { servis: a, emits: 7 }\n  x: { emits: a }\ndeadline: 5\n"),
                     BASE_BAD_INPUT);
    assert_int_equal(f->findings.count, 11);
    for (size_t i = 1; i < f->findings.count; i++) {
        assert_true(f->findings.items[i - 1].line <= f->findings.items[i].line);
    }
    assert_string_equal(f->findings.items[10].check, "E107");
}

static void test_saga_file__says_why_a_file_cannot_be_read(void **state)
{
    fixture *f = *state;
    assert_int_equal(
        schema_saga_load(DATA "none.yaml", &f->arena, &f->definition, &f->findings).code,
        BASE_NOT_FOUND);
    assert_string_equal(f->findings.items[0].text, "cannot be read: No such file or directory");
    assert_int_equal(f->findings.items[0].code, BASE_NOT_FOUND);
    saga_findings_init(&f->findings, &f->arena);
    assert_int_equal(
        schema_saga_load(TEST_SOURCE_DIR, &f->arena, &f->definition, &f->findings).code, BASE_IO);
    assert_string_equal(f->findings.items[0].text, "cannot be read: Is a directory");
    assert_finding(f, "saga: [1\n",
                   "x.saga.yaml:2:1: E100 flow sequence without a closing bracket");
    saga_findings_init(&f->findings, &f->arena);
    assert_int_equal(schema_saga_parse(base_slice_of("{\"saga\": 1,\n }"), base_slice_of(""),
                                       &f->arena, &f->definition, &f->findings)
                         .code,
                     BASE_BAD_INPUT);
    assert_string_equal(rendered(f, 0), "line:2:2: E100 expected a key in quotes, found '}'");
    saga_findings_init(&f->findings, &f->arena);
    assert_int_equal(schema_saga_parse(base_slice_make("", SCHEMA_SAGA_FILE_SIZE_MAX + 1),
                                       base_slice_of("x"), &f->arena, &f->definition, &f->findings)
                         .code,
                     BASE_TOO_LARGE);
}

/* Lines of a right file left out, doubled and swapped, values replaced: never a crash, and a
 * refusal has a finding. */
static void test_saga_file__survives_mangled_files(void **state)
{
    static const char *const values[] = {"5",  "[]",     "{}",          "null", "true",
                                         "''", "[[[]]]", "{ any: [] }", "x",    "30s"};
    fixture *f = *state;
    char *whole = file_text(DATA "everything.saga.yaml");
    sampler s = {sample_seed(), &f->arena};
    for (size_t i = 0; i < 3000; i++) {
        char text[8192];
        size_t size = 0;
        for (const char *line = whole; *line != '\0';) {
            const char *end = strchr(line, '\n') + 1;
            const char *colon = memchr(line, ':', (size_t)(end - line));
            const size_t what = sample_below(&s, 60);
            if (what == 0 && colon != NULL) {
                const char *value = values[sample_below(&s, sizeof(values) / sizeof(values[0]))];
                size += (size_t)snprintf(text + size, 256, "%.*s %s\n", (int)(colon + 1 - line),
                                         line, value);
            } else if (what != 1) {
                memcpy(text + size, line, (size_t)(end - line));
                size += (size_t)(end - line);
            }
            line = end;
        }
        base_arena_reset(&f->arena);
        saga_findings_init(&f->findings, &f->arena);
        const base_code code =
            schema_saga_parse(base_slice_make(text, size), base_slice_of("x.yaml"), &f->arena,
                              &f->definition, &f->findings)
                .code;
        assert_int_equal(code != BASE_OK, f->findings.count > 0);
    }
    free(whole);
}

static void test_saga_file__says_when_there_is_no_memory(void **state)
{
    (void)state;
    char *whole = file_text(DATA "everything.saga.yaml");
    for (size_t size = 131072; size < 600000;
         size += 4096) { /* findings need a first block to report in */
        base_arena small;
        saga_findings findings;
        saga_definition definition;
        base_arena_init(&small, size);
        saga_findings_init(&findings, &small);
        (void)saga_findings_add(&findings, "W000", base_slice_of(""), 0, "%s", "takes the block");
        const base_code code = schema_saga_parse(base_slice_of(whole), base_slice_of("x.yaml"),
                                                 &small, &definition, &findings)
                                   .code;
        assert_true(code == BASE_OK || code == BASE_OUT_OF_MEMORY);
        base_arena_deinit(&small);
    }
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_saga_file__reads_every_key_that_is_built, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__the_canonical_form_reads_back_as_the_same,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_saga_file__layout_is_no_part_of_the_hash_and_order_of_steps_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__fills_defaults_into_steps_and_events, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__defaults_may_hold_what_is_required, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__json_and_yaml_are_one_tree, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__names_the_place_of_an_unknown_key, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__tells_on_from_when, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__wants_units, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__wants_what_is_required, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__refuses_by_name_what_is_not_built, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_saga_file__asks_nothing_more_of_a_step_of_a_form_that_is_not_built, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__refuses_what_is_no_key_of_the_saga, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__refuses_wrong_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__refuses_what_is_no_condition, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__collects_all_findings_in_file_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__says_why_a_file_cannot_be_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__survives_mangled_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saga_file__says_when_there_is_no_memory, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
