/*
 * Status: what became of a call.
 *
 * Every function that can fail returns a base_status. It is a struct so that the compiler can
 * insist that it is looked at, and so that it never mixes with a count or a flag. Codes come from
 * one list; each has a class, and the class is what a caller acts on. Texts for people travel in a
 * base_error (base/error.h), never in the status.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdbool.h>

/* What a caller does about it. */
typedef enum base_class {
    BASE_CLASS_OK,    /* nothing to do */
    BASE_CLASS_INPUT, /* what was given is wrong: say so, set it aside, go on */
    BASE_CLASS_LIMIT, /* a stated bound was reached: arena full, budget spent, message too large */
    BASE_CLASS_RETRY, /* may work when tried again */
    BASE_CLASS_CONFLICT, /* somebody else was first; read again, then decide */
    BASE_CLASS_FENCED, /* this writer or member was replaced: drop everything, start over or stop */
    BASE_CLASS_UNKNOWN, /* it may have happened and may not: new writer, new claim, new fold */
    BASE_CLASS_FATAL    /* this process cannot go on with this resource */
} base_class;

/* clang-format off */
/*        name             class     text */
#define BASE_STATUS_LIST(X)                                                                        \
    X(OK,                  OK,       "ok")                                                         \
    X(BAD_INPUT,           INPUT,    "bad input")                                                  \
    X(NOT_FOUND,           INPUT,    "not found")                                                  \
    X(EXISTS,              INPUT,    "exists already")                                             \
    X(UNSUPPORTED,         INPUT,    "not supported")                                              \
    X(CORRUPT,             INPUT,    "corrupt data")                                               \
    X(OUT_OF_MEMORY,       LIMIT,    "out of memory")                                              \
    X(TOO_LARGE,           LIMIT,    "too large")                                                  \
    X(BUDGET,              LIMIT,    "budget spent")                                               \
    X(OVERFLOW,            LIMIT,    "number out of range")                                        \
    X(TIMEOUT,             RETRY,    "timed out")                                                  \
    X(BUSY,                RETRY,    "busy")                                                       \
    X(UNREACHABLE,         RETRY,    "cannot be reached")                                          \
    X(INTERRUPTED,         RETRY,    "interrupted")                                                \
    X(ABORTED,             RETRY,    "transaction aborted")                                        \
    X(CONFLICT,            CONFLICT, "conflict")                                                   \
    X(POSITION_LOST,       INPUT,    "position no longer in the log")                              \
    X(REFUSED,             INPUT,    "refused by the log")                                         \
    X(FENCED,              FENCED,   "fenced by a successor")                                      \
    X(REVOKED,             FENCED,   "assignment lost")                                            \
    X(OUTCOME_UNKNOWN,     UNKNOWN,  "outcome unknown")                                            \
    X(DISK_FULL,           RETRY,    "disk full")                                                  \
    X(IO,                  FATAL,    "input/output error")                                         \
    X(FATAL,               FATAL,    "fatal error")
/* clang-format on */

typedef enum base_code {
#define X(name, class_, text) BASE_##name,
    BASE_STATUS_LIST(X)
#undef X
        BASE_CODE_COUNT
} base_code;

typedef struct base_status {
    base_code code;
} base_status;

/* Functions that return a status are declared with this, so that a dropped status is a warning. */
#define BASE_MUST_USE __attribute__((warn_unused_result))

static inline base_status base_status_of(base_code code)
{
    return (base_status){code};
}

static inline base_status base_ok(void)
{
    return (base_status){BASE_OK};
}

static inline bool base_failed(base_status status)
{
    return status.code != BASE_OK;
}

/* The class of a status; what to do about it. */
base_class base_status_class(base_status status);
/* Lower-case name of the code, as "bad_input". Static storage. */
const char *base_status_name(base_status status);
/* The text of the code, as "bad input". Static storage. */
const char *base_status_text(base_status status);

/* Return early with a failure. Only in functions that own nothing (style 18). */
#define BASE_TRY(call)                                                                             \
    do {                                                                                           \
        base_status base_try_status_ = (call);                                                     \
        if (base_failed(base_try_status_))                                                         \
            return base_try_status_;                                                               \
    } while (0)

#endif
