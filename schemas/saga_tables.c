/* The tables of the saga language: docs/saga-language.md, A.2 to A.11, key by key. */
#include "schemas/saga_grammar.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECTION(title, table)                                                                      \
    {                                                                                              \
        .name = (title), .rules = (table), .rule_count = COUNT(table)                              \
    }
#define NOT_BUILT(name)                                                                            \
    {                                                                                              \
        .key = (name), .kind = GRAMMAR_NOT_BUILT                                                   \
    }
#define NOT_BUILT_HINT(name, text)                                                                 \
    {                                                                                              \
        .key = (name), .kind = GRAMMAR_NOT_BUILT, .hint = (text)                                   \
    }

/* ---- A.4 services ---- */

static const grammar_rule service_rules[] = {
    {.key = "asks", .kind = GRAMMAR_TOPIC},
    {.key = "events", .kind = GRAMMAR_TOPIC},
    {.key = "echo", .kind = GRAMMAR_BOOL},
    {.key = "sticky", .kind = GRAMMAR_BOOL},
    {.key = "idempotent", .kind = GRAMMAR_BOOL},
    {.key = "doc", .kind = GRAMMAR_TEXT},
    NOT_BUILT("limit"),
    NOT_BUILT("breaker"),
    NOT_BUILT("pool"),
    NOT_BUILT("pick"),
    NOT_BUILT("can"),
    NOT_BUILT("resource"),
    NOT_BUILT("capacity"),
};
static const grammar_section service_section = SECTION("a service", service_rules);

/* ---- A.3 events ---- */

static const char *const early_words[] = {"keep", "drop", NULL};
static const char *const format_words[] = {"binary", NULL};

static const grammar_rule event_rules[] = {
    {.key = "from", .kind = GRAMMAR_SAGA_NAME, .flags = GRAMMAR_FILLED},
    {.key = "key", .kind = GRAMMAR_EVENT_KEY, .flags = GRAMMAR_FILLED | GRAMMAR_OBSERVED},
    {.key = "type", .kind = GRAMMAR_TYPE},
    {.key = "topic", .kind = GRAMMAR_TOPIC, .flags = GRAMMAR_FILLED},
    {.key = "match", .kind = GRAMMAR_EXPR},
    {.key = "id", .kind = GRAMMAR_EXPR, .flags = GRAMMAR_FILLED},
    {.key = "time", .kind = GRAMMAR_EXPR, .flags = GRAMMAR_FILLED},
    {.key = "early",
     .kind = GRAMMAR_WORD,
     .flags = GRAMMAR_FILLED | GRAMMAR_OBSERVED,
     .words = early_words},
    {.key = "early_for", .kind = GRAMMAR_DURATION, .flags = GRAMMAR_FILLED | GRAMMAR_OBSERVED},
    {.key = "format", .kind = GRAMMAR_WORD, .flags = GRAMMAR_FILLED, .words = format_words},
    {.key = "doc", .kind = GRAMMAR_TEXT},
    NOT_BUILT_HINT("schema", "leave it out: data is not checked against schemas yet"),
    NOT_BUILT("order_by"),
};
const grammar_section schema_grammar_event = SECTION("an event", event_rules);

/* ---- A.5 start, abort, ends ---- */

static const char *const again_words[] = {"ignore", "reject", "after_end", NULL};

static const grammar_rule start_rules[] = {
    {.key = "when",
     .kind = GRAMMAR_EVENT,
     .flags = GRAMMAR_REQUIRED,
     .hint = "write start: { when: EVENT }"},
    {.key = "if", .kind = GRAMMAR_EXPR},
    {.key = "data", .kind = GRAMMAR_EXPR},
    {.key = "again", .kind = GRAMMAR_WORD, .words = again_words},
    NOT_BUILT("cron"),
    NOT_BUILT("every"),
    NOT_BUILT("zone"),
    NOT_BUILT_HINT("key", "only cron and every have it; an event's key stands under events"),
};
static const grammar_section start_section = SECTION("a start", start_rules);

static const grammar_rule abort_rules[] = {
    {.key = "when",
     .kind = GRAMMAR_EVENT,
     .flags = GRAMMAR_REQUIRED,
     .hint = "write abort: { when: EVENT }"},
    {.key = "if", .kind = GRAMMAR_EXPR},
    {.key = "reason", .kind = GRAMMAR_TEXT},
};
static const grammar_section abort_section = SECTION("an abort", abort_rules);

static const grammar_rule end_rules[] = {
    {.key = "emit",
     .kind = GRAMMAR_EVENT,
     .flags = GRAMMAR_REQUIRED,
     .hint = "write { emit: EVENT }"},
    {.key = "if", .kind = GRAMMAR_EXPR},
    {.key = "with", .kind = GRAMMAR_EXPR},
};
static const grammar_section end_section = SECTION("an end", end_rules);

static const grammar_rule early_rules[] = {
    {.key = "when",
     .kind = GRAMMAR_EVENT,
     .flags = GRAMMAR_REQUIRED | GRAMMAR_OR_LIST,
     .hint = "write early: { when: EVENT }"},
};
static const grammar_section early_section = SECTION("an early end", early_rules);

static const grammar_rule ends_rules[] = {
    {.key = "completed",
     .kind = GRAMMAR_SECTION,
     .flags = GRAMMAR_OR_LIST,
     .section = &end_section},
    {.key = "compensated",
     .kind = GRAMMAR_SECTION,
     .flags = GRAMMAR_OR_LIST,
     .section = &end_section},
    {.key = "damaged", .kind = GRAMMAR_SECTION, .flags = GRAMMAR_OR_LIST, .section = &end_section},
    {.key = "early", .kind = GRAMMAR_SECTION, .section = &early_section},
};
static const grammar_section ends_section = SECTION("ends", ends_rules);

/* ---- A.6 and A.9 steps and their undo ---- */

static const grammar_rule stuck_rules[] = {
    {.key = "after", .kind = GRAMMAR_DURATION},
    {.key = "tell", .kind = GRAMMAR_TEXT},
};
static const grammar_section stuck_section = SECTION("stuck", stuck_rules);

static const grammar_rule retry_rules[] = {
    {.key = "max", .kind = GRAMMAR_TRIES},
    {.key = "first", .kind = GRAMMAR_DURATION},
    {.key = "factor", .kind = GRAMMAR_FACTOR},
    {.key = "cap", .kind = GRAMMAR_DURATION},
    {.key = "jitter", .kind = GRAMMAR_FRACTION},
    {.key = "if", .kind = GRAMMAR_EXPR},
    NOT_BUILT("switch"),
};
static const grammar_section retry_section = SECTION("retry", retry_rules);

static const char *const of_words[] = {"done", "unknown", "failed", NULL};

static const grammar_rule undo_rules[] = {
    {.key = "ask", .kind = GRAMMAR_EVENT},
    {.key = "with", .kind = GRAMMAR_EXPR},
    {.key = "emits",
     .kind = GRAMMAR_EVENT,
     .flags = GRAMMAR_REQUIRED | GRAMMAR_OR_LIST,
     .hint = "say with emits: EVENT how the service reports that it is undone"},
    {.key = "fails", .kind = GRAMMAR_EVENT, .flags = GRAMMAR_OR_LIST},
    {.key = "timeout", .kind = GRAMMAR_DURATION},
    {.key = "retry", .kind = GRAMMAR_RETRY, .section = &retry_section},
    {.key = "of", .kind = GRAMMAR_WORD, .flags = GRAMMAR_OR_LIST, .words = of_words},
    {.key = "if", .kind = GRAMMAR_EXPR},
    {.key = "blocking", .kind = GRAMMAR_BOOL},
};
static const grammar_section undo_section = SECTION("an undo", undo_rules);

static const char *const late_words[] = {"undo", "accept", "ignore", NULL};

static const grammar_rule step_rules[] = {
    {.key = "service",
     .kind = GRAMMAR_SAGA_NAME,
     .flags = GRAMMAR_REQUIRED | GRAMMAR_EXCUSED | GRAMMAR_FILLED,
     .hint = "say who does it: service: NAME"},
    {.key = "when", .kind = GRAMMAR_WHEN, .flags = GRAMMAR_FILLED},
    {.key = "after", .kind = GRAMMAR_AFTER, .flags = GRAMMAR_FILLED},
    {.key = "if", .kind = GRAMMAR_EXPR, .flags = GRAMMAR_FILLED},
    {.key = "ask", .kind = GRAMMAR_EVENT, .flags = GRAMMAR_NO_SIGNAL},
    {.key = "with",
     .kind = GRAMMAR_EXPR,
     .flags = GRAMMAR_NO_SIGNAL | GRAMMAR_ASKED | GRAMMAR_FILLED},
    {.key = "emits",
     .kind = GRAMMAR_EVENT,
     .flags = GRAMMAR_REQUIRED | GRAMMAR_EXCUSED | GRAMMAR_OR_LIST,
     .hint = "name the outcome on which the saga goes on: emits: EVENT"},
    {.key = "fails", .kind = GRAMMAR_EVENT, .flags = GRAMMAR_OR_LIST},
    {.key = "beats", .kind = GRAMMAR_EVENT, .flags = GRAMMAR_OR_LIST},
    {.key = "check", .kind = GRAMMAR_EXPR, .flags = GRAMMAR_FILLED},
    {.key = "set", .kind = GRAMMAR_EXPR, .flags = GRAMMAR_FILLED},
    {.key = "undo",
     .kind = GRAMMAR_UNDO,
     .flags = GRAMMAR_REQUIRED | GRAMMAR_EXCUSED | GRAMMAR_FILLED,
     .section = &undo_section,
     .hint = "write undo: {...}, undo: none (changes nothing) or undo: never (cannot be undone)"},
    {.key = "pivot", .kind = GRAMMAR_BOOL},
    {.key = "timeout", .kind = GRAMMAR_DURATION, .flags = GRAMMAR_FILLED},
    {.key = "deadline", .kind = GRAMMAR_DURATION, .flags = GRAMMAR_FILLED},
    {.key = "retry",
     .kind = GRAMMAR_RETRY,
     .flags = GRAMMAR_NO_SIGNAL | GRAMMAR_FILLED,
     .section = &retry_section},
    {.key = "optional", .kind = GRAMMAR_BOOL, .flags = GRAMMAR_FILLED},
    {.key = "late", .kind = GRAMMAR_WORD, .flags = GRAMMAR_FILLED, .words = late_words},
    {.key = "key",
     .kind = GRAMMAR_EXPR,
     .flags = GRAMMAR_NO_SIGNAL | GRAMMAR_ASKED | GRAMMAR_FILLED},
    {.key = "stuck", .kind = GRAMMAR_SECTION, .flags = GRAMMAR_FILLED, .section = &stuck_section},
    {.key = "doc", .kind = GRAMMAR_TEXT},
    {.key = "signal", .kind = GRAMMAR_EVENT},
    /* policy */
    NOT_BUILT("needs"),
    NOT_BUILT("priority"),
    NOT_BUILT("hold"),
    NOT_BUILT("delay_by"),
    NOT_BUILT("sla"),
    /* blocks (A.8) */
    NOT_BUILT("steps"),
    NOT_BUILT("each"),
    NOT_BUILT("repeat"),
    NOT_BUILT("need"),
    NOT_BUILT("within"),
    NOT_BUILT("short"),
    NOT_BUILT("rest"),
    NOT_BUILT("collect"),
    NOT_BUILT("recover"),
    NOT_BUILT("grow"),
    NOT_BUILT("merge"),
    NOT_BUILT("undo_order"),
    /* sugar (A.10) */
    NOT_BUILT_HINT("choose", "give each step its own if:"),
    NOT_BUILT_HINT("approval",
                   "ask a service: emits: NAME.approved, fails: NAME.denied, undo: none"),
    NOT_BUILT("wait"),
    NOT_BUILT("at"),
    NOT_BUILT("call"),
    NOT_BUILT_HINT("on_timeout",
                   "a step that times out is unknown: after: {over: STEP} waits for it"),
};
const grammar_section schema_grammar_step = SECTION("a step", step_rules);

/* ---- defaults: the keys of steps and events that may be filled in ---- */

static const grammar_rule defaults_rules[] = {
    {.key = "from", .kind = GRAMMAR_SAGA_NAME},
    {.key = "key", .kind = GRAMMAR_OWN_KEY},
    {.key = "topic", .kind = GRAMMAR_TOPIC},
    {.key = "id", .kind = GRAMMAR_EXPR},
    {.key = "time", .kind = GRAMMAR_EXPR},
    {.key = "early", .kind = GRAMMAR_WORD, .words = early_words},
    {.key = "early_for", .kind = GRAMMAR_DURATION},
    {.key = "format", .kind = GRAMMAR_WORD, .words = format_words},
    {.key = "service", .kind = GRAMMAR_SAGA_NAME},
    {.key = "when", .kind = GRAMMAR_WHEN},
    {.key = "after", .kind = GRAMMAR_AFTER},
    {.key = "if", .kind = GRAMMAR_EXPR},
    {.key = "with", .kind = GRAMMAR_EXPR},
    {.key = "check", .kind = GRAMMAR_EXPR},
    {.key = "set", .kind = GRAMMAR_EXPR},
    {.key = "undo", .kind = GRAMMAR_UNDO, .section = &undo_section},
    {.key = "timeout", .kind = GRAMMAR_DURATION},
    {.key = "deadline", .kind = GRAMMAR_DURATION},
    {.key = "retry", .kind = GRAMMAR_RETRY, .section = &retry_section},
    {.key = "optional", .kind = GRAMMAR_BOOL},
    {.key = "late", .kind = GRAMMAR_WORD, .words = late_words},
    {.key = "stuck", .kind = GRAMMAR_SECTION, .section = &stuck_section},
    NOT_BUILT("schema"),
    NOT_BUILT("order_by"),
    NOT_BUILT("needs"),
    NOT_BUILT("priority"),
    NOT_BUILT("hold"),
    NOT_BUILT("delay_by"),
    NOT_BUILT("sla"),
};
static const grammar_section defaults_section = SECTION("defaults", defaults_rules);

/* ---- A.2 top level ---- */

static const char *const order_words[] = {"causal", "reverse", "parallel", NULL};

static const grammar_rule saga_rules[] = {
    {.key = "saga",
     .kind = GRAMMAR_SAGA_NAME,
     .flags = GRAMMAR_REQUIRED,
     .hint = "name it: saga: NAME"},
    {.key = "version",
     .kind = GRAMMAR_VERSION,
     .flags = GRAMMAR_REQUIRED,
     .hint = "write version: 1"},
    {.key = "namespace", .kind = GRAMMAR_TYPE},
    {.key = "doc", .kind = GRAMMAR_TEXT},
    {.key = "keys",
     .kind = GRAMMAR_KEYS,
     .flags = GRAMMAR_REQUIRED,
     .hint = "write keys: { NAME: string }"},
    {.key = "services",
     .kind = GRAMMAR_NAMED,
     .flags = GRAMMAR_OR_NULL,
     .section = &service_section,
     .names = GRAMMAR_SAGA_NAME,
     .count_max = SAGA_SERVICE_MAX},
    {.key = "events",
     .kind = GRAMMAR_NAMED,
     .flags = GRAMMAR_OR_NULL,
     .section = &schema_grammar_event,
     .names = GRAMMAR_EVENT,
     .count_max = SAGA_EVENT_MAX},
    {.key = "start",
     .kind = GRAMMAR_SECTION,
     .flags = GRAMMAR_REQUIRED | GRAMMAR_OR_LIST,
     .section = &start_section,
     .hint = "write start: { when: EVENT }"},
    {.key = "steps",
     .kind = GRAMMAR_NAMED,
     .flags = GRAMMAR_REQUIRED,
     .section = &schema_grammar_step,
     .names = GRAMMAR_NAME,
     .count_max = SAGA_STEP_MAX,
     .hint = "write steps: { NAME: { service: ..., emits: ..., undo: ... } }"},
    {.key = "abort", .kind = GRAMMAR_SECTION, .flags = GRAMMAR_OR_LIST, .section = &abort_section},
    {.key = "ends", .kind = GRAMMAR_SECTION, .section = &ends_section},
    {.key = "deadline", .kind = GRAMMAR_DURATION},
    {.key = "undo_order", .kind = GRAMMAR_WORD, .words = order_words},
    {.key = "stuck", .kind = GRAMMAR_SECTION, .section = &stuck_section},
    {.key = "defaults", .kind = GRAMMAR_SECTION, .section = &defaults_section},
    {.key = "retain", .kind = GRAMMAR_DURATION},
    {.key = "strict", .kind = GRAMMAR_BOOL},
    NOT_BUILT("use"),
    NOT_BUILT("search"),
    NOT_BUILT("sensitive"),
    NOT_BUILT("sla"),
    NOT_BUILT("claims"),
    NOT_BUILT("migrate"),
};
const grammar_section schema_grammar_saga = SECTION("a saga", saga_rules);

const grammar_rule *schema_grammar_rule(const grammar_section *section, base_slice key)
{
    for (size_t i = 0; i < section->rule_count; i++) {
        if (base_slice_is(key, section->rules[i].key)) {
            return &section->rules[i];
        }
    }
    return NULL;
}
