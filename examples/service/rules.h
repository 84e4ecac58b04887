/*
 * Rules: switches by which a service declines, fails, delays, stays silent, or answers late or
 * twice, for the orders that a pattern names.
 *
 *   --decline o2 --late 'payment.authorise/o3=6s' --fail 'o7*=2'
 *
 * A rule is [ASK/]ORDER[=VALUE]; ASK and ORDER are shell patterns. VALUE is a duration (500ms, 6s)
 * or a number of times; none: always. Several are separated by commas.
 */
#ifndef EXAMPLES_SERVICE_RULES_H
#define EXAMPLES_SERVICE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULE_MAX 64

typedef enum rule_kind {
    RULE_DECLINE,     /* asks are refused */
    RULE_FAIL,        /* the handler reports a technical failure, VALUE times */
    RULE_DELAY,       /* effect and answer come after VALUE */
    RULE_LATE,        /* the effect at once, its answer after VALUE */
    RULE_TWICE,       /* answers are given twice */
    RULE_SILENT,      /* neither effect nor answer, VALUE times */
    RULE_UNDO_SILENT, /* the same of undos */
    RULE_COUNT
} rule_kind;

typedef struct rule {
    rule_kind kind;
    char ask[128];
    char order[128];
    int64_t value;
    bool has_value;
    int64_t used; /* times that it was applied */
} rule;

typedef struct rules {
    rule items[RULE_MAX];
    size_t count;
} rules;

/* The switch's name without dashes, as "late"; NULL past the last kind. */
const char *rule_name(rule_kind kind);
/* "kind" takes a list of rules. false: it is wrong; why is on standard error. */
bool rules_add(rules *set, rule_kind kind, const char *text);
/* The first rule of this kind for this ask and order, or NULL; a rule by times is used up by it. */
const rule *rules_apply(rules *set, rule_kind kind, const char *ask, const char *order);

#endif
