/*
 * Private to the loader of saga files (saga_file.c, saga_grammar.c, saga_tables.c): the grammar of
 * the language as tables. A section is a mapping with known keys; a rule says of one key what
 * stands behind it. The check walks the tree with these and knows nothing else of the language; to
 * build what is marked GRAMMAR_NOT_BUILT, change its line.
 */
#ifndef SCHEMAS_SAGA_GRAMMAR_H
#define SCHEMAS_SAGA_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/value.h"
#include "saga/plan.h"

typedef enum grammar_kind {
    GRAMMAR_NOT_BUILT, /* of the language, refused by name */
    GRAMMAR_TEXT,      /* for people */
    GRAMMAR_SAGA_NAME, /* [a-z][a-z0-9_-]* */
    GRAMMAR_NAME,      /* [a-z][a-z0-9_]* */
    GRAMMAR_EVENT,     /* names with dots between them */
    GRAMMAR_TYPE,      /* CloudEvents type or its prefix */
    GRAMMAR_TOPIC,     /* what Kafka takes as a topic's name */
    GRAMMAR_VERSION,   /* integer from 1 */
    GRAMMAR_BOOL,      /* true, false */
    GRAMMAR_DURATION,  /* 30s, PT1H */
    GRAMMAR_EXPR,      /* a jq program */
    GRAMMAR_FACTOR,    /* number from 1 to 1000 */
    GRAMMAR_FRACTION,  /* number from 0 to 1, or a percentage */
    GRAMMAR_TRIES,     /* integer from 0, or forever */
    GRAMMAR_WORD,      /* one of `words` */
    GRAMMAR_SECTION,   /* mapping by `section` */
    GRAMMAR_NAMED,     /* mapping of names (of kind `names`), each with what `section` says, in
                          meaningful order */
    GRAMMAR_KEYS,      /* names and types of the correlation keys */
    GRAMMAR_EVENT_KEY, /* key name -> jq program */
    GRAMMAR_OWN_KEY,   /* in defaults: an event's key or a step's */
    GRAMMAR_WHEN,      /* condition over events */
    GRAMMAR_AFTER,     /* condition over steps */
    GRAMMAR_RETRY,     /* tries, or a section */
    GRAMMAR_UNDO,      /* none, never, or a section */
    GRAMMAR_KIND_COUNT
} grammar_kind;

enum {                         /* grammar_rule.flags */
       GRAMMAR_REQUIRED = 1,   /* must be there (a signal is excused where GRAMMAR_NO_SIGNAL or
                                  GRAMMAR_EXCUSED stands) */
       GRAMMAR_OR_LIST = 2,    /* one, or a list of them */
       GRAMMAR_OR_NULL = 4,    /* nothing behind the key is an empty mapping */
       GRAMMAR_EXCUSED = 8,    /* a signal needs it not */
       GRAMMAR_NO_SIGNAL = 16, /* a signal cannot have it */
       GRAMMAR_ASKED = 32,     /* put in from defaults only where there is an `ask` */
       GRAMMAR_OBSERVED = 64,  /* put in from defaults for events that are only named, too */
       GRAMMAR_FILLED = 128    /* may come from defaults */
};

typedef struct grammar_section grammar_section;

typedef struct grammar_rule {
    const char *key;
    grammar_kind kind;
    uint32_t flags;
    const grammar_section *section; /* SECTION, NAMED, RETRY, UNDO */
    grammar_kind names;             /* NAMED */
    size_t count_max;               /* NAMED */
    const char *const *words;       /* WORD: ends with NULL */
    const char *hint; /* NOT_BUILT: what to write instead; REQUIRED: how to write it; may be NULL */
} grammar_rule;

struct grammar_section {
    const char *name; /* "a step" */
    const grammar_rule *rules;
    size_t rule_count;
};

extern const grammar_section schema_grammar_saga;
extern const grammar_section schema_grammar_event;
extern const grammar_section schema_grammar_step;

const grammar_rule *schema_grammar_rule(const grammar_section *section, base_slice key);

/* ---- shared by the files of the check ---- */

#define GRAMMAR_SHOWN_MAX 60 /* of a name or value in a message */

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

/* As much of a text as a message shows. */
base_slice schema_grammar_shown(base_slice text);
/* Adds a finding at the item: "path: text". */
base_error *schema_grammar_finding(grammar_check *check, const grammar_item *item, const char *code,
                                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* "must be a text, not array" */
base_error *schema_grammar_wrong_kind(grammar_check *check, const grammar_item *item,
                                      const char *wanted);

typedef void grammar_checker(grammar_check *check, const grammar_item *item);
/* The checks of kinds that have nothing inside them (saga_scalars.c); NULL for the others. */
extern grammar_checker *const schema_grammar_scalars[GRAMMAR_KIND_COUNT];
/* A name where it stands as a key, too. */
void schema_grammar_check_name(grammar_check *check, const grammar_item *item, base_slice name,
                               grammar_kind kind);
/* Is it a number within the bounds? Number of tries: 0 to 1000000, or forever. */
bool schema_grammar_number_within(const base_value *number, int64_t minimum, int64_t maximum);
bool schema_grammar_is_tries(const base_value *value);

/* Checks the tree; what is wrong becomes findings, in the order of the file. OUT_OF_MEMORY, else OK
 * (look at the findings). */
base_status schema_grammar_check(const base_value *tree, base_slice path, base_arena *arena,
                                 saga_findings *findings) BASE_MUST_USE;

#endif
