#include "base/status.h"

#include "base/assert.h"

static const base_class CLASSES[BASE_CODE_COUNT] = {
#define X(name, class_, text) [BASE_##name] = BASE_CLASS_##class_,
    BASE_STATUS_LIST(X)
#undef X
};

static const char *const TEXTS[BASE_CODE_COUNT] = {
#define X(name, class_, text) [BASE_##name] = (text),
    BASE_STATUS_LIST(X)
#undef X
};

/* The preprocessor cannot make lower case; a test holds this table to the list. */
static const char *const NAMES[BASE_CODE_COUNT] = {
    [BASE_OK] = "ok",
    [BASE_BAD_INPUT] = "bad_input",
    [BASE_NOT_FOUND] = "not_found",
    [BASE_EXISTS] = "exists",
    [BASE_UNSUPPORTED] = "unsupported",
    [BASE_CORRUPT] = "corrupt",
    [BASE_OUT_OF_MEMORY] = "out_of_memory",
    [BASE_TOO_LARGE] = "too_large",
    [BASE_BUDGET] = "budget",
    [BASE_OVERFLOW] = "overflow",
    [BASE_TIMEOUT] = "timeout",
    [BASE_BUSY] = "busy",
    [BASE_UNREACHABLE] = "unreachable",
    [BASE_INTERRUPTED] = "interrupted",
    [BASE_ABORTED] = "aborted",
    [BASE_CONFLICT] = "conflict",
    [BASE_POSITION_LOST] = "position_lost",
    [BASE_REFUSED] = "refused",
    [BASE_FENCED] = "fenced",
    [BASE_REVOKED] = "revoked",
    [BASE_OUTCOME_UNKNOWN] = "outcome_unknown",
    [BASE_DISK_FULL] = "disk_full",
    [BASE_IO] = "io",
    [BASE_FATAL] = "fatal",
};

base_class base_status_class(base_status status)
{
    BASE_ASSERT((unsigned)status.code < BASE_CODE_COUNT);
    return CLASSES[status.code];
}

const char *base_status_name(base_status status)
{
    BASE_ASSERT((unsigned)status.code < BASE_CODE_COUNT);
    return NAMES[status.code];
}

const char *base_status_text(base_status status)
{
    BASE_ASSERT((unsigned)status.code < BASE_CODE_COUNT);
    return TEXTS[status.code];
}
