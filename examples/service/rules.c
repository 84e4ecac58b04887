#include "examples/service/rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    bool takes_duration;
} kinds[RULE_COUNT] = {
    [RULE_DECLINE] = {"decline", false},
    [RULE_FAIL] = {"fail", false},
    [RULE_DELAY] = {"delay", true},
    [RULE_LATE] = {"late", true},
    [RULE_TWICE] = {"twice", false},
    [RULE_SILENT] = {"silent", false},
    [RULE_UNDO_SILENT] = {"undo-silent", false},
};

const char *rule_name(rule_kind kind)
{
    return kind < RULE_COUNT ? kinds[kind].name : NULL;
}

static bool value_parse(const char *text, bool duration, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (end == text || errno != 0 || number < 0 || number > 1000000000) {
        return false;
    }
    if (!duration) {
        *out = number;
        return *end == '\0';
    }
    if (strcmp(end, "ms") == 0) {
        *out = number;
        return true;
    }
    *out = number * 1000;
    return strcmp(end, "s") == 0;
}

static bool rule_parse(rule *item, const char *text)
{
    char copy[256];
    if (strlen(text) >= 128) {
        return false;
    }
    (void)snprintf(copy, sizeof(copy), "%s", text);
    char *equals = strchr(copy, '=');
    if (equals != NULL) {
        *equals = '\0';
        item->has_value = true;
        if (!value_parse(equals + 1, kinds[item->kind].takes_duration, &item->value)) {
            return false;
        }
    }
    const char *slash = strchr(copy, '/');
    (void)snprintf(item->ask, sizeof(item->ask), "%.*s", slash != NULL ? (int)(slash - copy) : 1,
                   slash != NULL ? copy : "*");
    (void)snprintf(item->order, sizeof(item->order), "%.127s", slash != NULL ? slash + 1 : copy);
    return item->order[0] != '\0' && (item->has_value || !kinds[item->kind].takes_duration);
}

bool rules_add(rules *set, rule_kind kind, const char *text)
{
    char *copy = strdup(text);
    char *rest = copy;
    const char *part = NULL;
    bool fine = copy != NULL;
    while (fine && (part = strsep(&rest, ",")) != NULL) {
        rule item = {.kind = kind};
        fine = set->count < RULE_MAX && rule_parse(&item, part);
        if (fine) {
            set->items[set->count++] = item;
        } else {
            (void)fprintf(stderr, "--%s: \"%s\" is no rule, write [ASK/]ORDER%s\n", rule_name(kind),
                          part, kinds[kind].takes_duration ? "=DURATION, as o3=6s" : "[=TIMES]");
        }
    }
    free(copy);
    return fine;
}

const rule *rules_apply(rules *set, rule_kind kind, const char *ask, const char *order)
{
    for (size_t i = 0; i < set->count; i++) {
        rule *item = &set->items[i];
        if (item->kind != kind || fnmatch(item->ask, ask, 0) != 0 ||
            fnmatch(item->order, order, 0) != 0) {
            continue;
        }
        if (!kinds[kind].takes_duration && item->has_value && item->used >= item->value) {
            continue;
        }
        item->used++;
        return item;
    }
    return NULL;
}
