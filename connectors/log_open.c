/*
 * Opening a log: its URL and its settings.
 *
 *   local:./data?local.busy_timeout_ms=500&local.poll_ms=100
 *   ^^^^^ ^^^^^^ ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
 *   scheme location   settings, percent-encoded
 *
 * A setting's name begins with the scheme it is for. One configuration may hold settings for
 * several backends; each gets its own, and a name that no backend knows is refused, so that a slip
 * of the pen is not silently nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "connectors/log.h"
#include "connectors/log_backend.h"

static const log_backend *const backends[] = {&log_memory_backend, &log_local_backend,
                                              &log_kafka_backend};
#define BACKEND_COUNT (sizeof(backends) / sizeof(backends[0]))

/* The settings of one open: the caller's, and behind them the URL's. */
typedef struct merged_settings {
    log_setting *settings;
    size_t count;
    char *text; /* the URL's settings, decoded */
} merged_settings;

static void report_nothing(void *context, int level, const char *text)
{
    (void)context;
    (void)level;
    (void)text;
}

void log_store_init(log_store *store, const log_backend *backend, const log_open_options *options)
{
    store->backend = backend;
    store->read_only = options->read_only;
    store->record_size_max = LOG_RECORD_SIZE_DEFAULT;
    store->report = options->report != NULL ? options->report : report_nothing;
    store->report_context = options->report_context;
}

base_slice log_setting_get(const log_open_options *options, const char *name)
{
    for (size_t i = options->setting_count; i > 0; i--) {
        if (base_slice_is(options->settings[i - 1].name, name)) {
            const base_slice value = options->settings[i - 1].value;
            return value.data != NULL ? value : base_slice_of("");
        }
    }
    return (base_slice){NULL, 0};
}

/* Digits, with a minus sign at most in front; false: it is not a whole number, or past int64. */
static bool integer_parse(base_slice text, int64_t *out)
{
    char buffer[24];
    if (text.size == 0 || text.size >= sizeof(buffer)) {
        return false;
    }
    memcpy(buffer, text.data, text.size);
    buffer[text.size] = '\0';
    int64_t number = 0;
    const bool negative = buffer[0] == '-';
    const size_t first = negative ? 1 : 0;
    if (first == text.size) {
        return false;
    }
    for (size_t i = first; i < text.size; i++) {
        const int digit = buffer[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, digit, &number)) {
            return false;
        }
    }
    if (negative) {
        *out = number;
        return true;
    }
    return !__builtin_sub_overflow((int64_t)0, number, out);
}

base_status log_setting_integer(const log_open_options *options, const char *name, int64_t fallback,
                                int64_t minimum, int64_t maximum, int64_t *out, base_error *error)
{
    const base_slice text = log_setting_get(options, name);
    if (text.data == NULL) {
        *out = fallback;
        return base_ok();
    }
    int64_t number = 0;
    if (!integer_parse(text, &number) || number < minimum || number > maximum) {
        return base_error_set(error, BASE_BAD_INPUT,
                              "setting %s: \"%.*s\" is not a whole number from %lld to %lld", name,
                              BASE_SLICE_ARG(text), (long long)minimum, (long long)maximum);
    }
    *out = number;
    return base_ok();
}

static const log_backend *backend_of(base_slice scheme)
{
    for (size_t i = 0; i < BACKEND_COUNT; i++) {
        if (base_slice_is(scheme, backends[i]->scheme)) {
            return backends[i];
        }
    }
    return NULL;
}

/* Splits the URL in scheme, location and query (settings). */
static base_status url_split(base_slice url, const log_backend **backend_out,
                             base_slice *location_out, base_slice *query_out, base_error *error)
{
    const char *colon = url.size == 0 ? NULL : memchr(url.data, ':', url.size);
    base_slice scheme = url;
    if (colon != NULL) {
        scheme.size = (size_t)(colon - url.data);
    }
    const log_backend *backend = colon != NULL ? backend_of(scheme) : NULL;
    if (backend == NULL) {
        const base_status status = base_error_set(
            error, BASE_BAD_INPUT, "\"%.*s\" is not the URL of a log", BASE_SLICE_ARG(url));
        base_error_hint(error, "use local:DIRECTORY, kafka://HOST:PORT or memory:NAME");
        return status;
    }
    base_slice location = {colon + 1, url.size - scheme.size - 1};
    base_slice query = {NULL, 0};
    const char *mark = location.size == 0 ? NULL : memchr(location.data, '?', location.size);
    if (mark != NULL) {
        query = base_slice_make(mark + 1, location.size - (size_t)(mark - location.data) - 1);
        location.size = (size_t)(mark - location.data);
    }
    if (backend->location_has_authority) {
        const base_slice slashes = BASE_SLICE_LITERAL("//");
        if (!base_slice_starts_with(location, slashes) || location.size == slashes.size) {
            const base_status status = base_error_set(
                error, BASE_BAD_INPUT, "\"%.*s\" names no host", BASE_SLICE_ARG(url));
            base_error_hint(error, "write %s://HOST:PORT", backend->scheme);
            return status;
        }
        location.data += slashes.size;
        location.size -= slashes.size;
    }
    *backend_out = backend;
    *location_out = location;
    *query_out = query;
    return base_ok();
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes %XX in place; returns the new size, or SIZE_MAX where a % is followed by something else
 * (or by 00). */
static size_t percent_decode(char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '%') {
            const int high = size - i > 2 ? hex_digit(text[i + 1]) : -1;
            const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return SIZE_MAX;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        text[used++] = c;
    }
    return used;
}

/* Takes "name=value&name=value" apart; what is decoded lives in merged->text. */
static base_status query_parse(base_slice query, merged_settings *merged, base_error *error)
{
    memcpy(merged->text, query.data, query.size);
    size_t start = 0;
    while (start < query.size) {
        char *item = merged->text + start;
        const char *end = memchr(item, '&', query.size - start);
        const size_t size = end != NULL ? (size_t)(end - item) : query.size - start;
        start += size + 1;
        char *equals = size == 0 ? NULL : memchr(item, '=', size);
        if (equals == NULL || merged->count == LOG_SETTING_COUNT_MAX) {
            return base_error_set(error, BASE_BAD_INPUT, "setting \"%.*s\" in the URL %s",
                                  (int)size, item,
                                  equals == NULL ? "has no \"=\"" : "is one too many");
        }
        const size_t name_size = percent_decode(item, (size_t)(equals - item));
        const size_t value_size = percent_decode(equals + 1, size - (size_t)(equals - item) - 1);
        if (name_size == SIZE_MAX || value_size == SIZE_MAX) {
            return base_error_set(error, BASE_BAD_INPUT,
                                  "setting \"%.*s\" in the URL has a %% without two hex digits",
                                  (int)size, item);
        }
        merged->settings[merged->count++] = (log_setting){base_slice_make(item, name_size),
                                                          base_slice_make(equals + 1, value_size)};
    }
    return base_ok();
}

static base_slice setting_scheme(base_slice name)
{
    const char *dot = name.size == 0 ? NULL : memchr(name.data, '.', name.size);
    return base_slice_make(name.data, dot != NULL ? (size_t)(dot - name.data) : 0);
}

static base_status setting_unknown(base_slice name, base_error *error)
{
    const base_status status =
        base_error_set(error, BASE_BAD_INPUT, "unknown setting \"%.*s\"", BASE_SLICE_ARG(name));
    base_slice names[64];
    size_t count = 0;
    for (size_t i = 0; i < BACKEND_COUNT; i++) {
        for (size_t k = 0; k < backends[i]->setting_name_count && count < 64; k++) {
            names[count++] = backends[i]->setting_names[k];
        }
    }
    const base_slice nearest = base_error_nearest(name, names, count);
    if (nearest.size > 0) {
        base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(nearest));
    }
    return status;
}

/* A setting must be known to the backend of its prefix, whichever backend is opened. */
static base_status setting_check(base_slice name, base_error *error)
{
    const log_backend *backend = backend_of(setting_scheme(name));
    if (backend == NULL) {
        return setting_unknown(name, error);
    }
    if (backend->setting_names == NULL) {
        return base_ok();
    }
    for (size_t i = 0; i < backend->setting_name_count; i++) {
        if (base_slice_equal(name, backend->setting_names[i])) {
            return base_ok();
        }
    }
    return setting_unknown(name, error);
}

/* Merges the caller's settings and the URL's, checks all, and keeps those of the backend. */
static base_status settings_merge(const log_backend *backend, const log_open_options *options,
                                  base_slice query, merged_settings *merged, base_error *error)
{
    merged->settings = calloc(LOG_SETTING_COUNT_MAX, sizeof(log_setting));
    merged->text = malloc(query.size + 1);
    if (merged->settings == NULL || merged->text == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the settings of the log");
    }
    if (options->setting_count > LOG_SETTING_COUNT_MAX) {
        return base_error_set(error, BASE_BAD_INPUT, "%zu settings are given, at most %d fit",
                              options->setting_count, LOG_SETTING_COUNT_MAX);
    }
    for (size_t i = 0; i < options->setting_count; i++) {
        merged->settings[merged->count++] = options->settings[i];
    }
    if (query.size > 0) {
        BASE_TRY(query_parse(query, merged, error));
    }
    size_t kept = 0;
    for (size_t i = 0; i < merged->count; i++) {
        const log_setting setting = merged->settings[i];
        BASE_TRY(setting_check(setting.name, error));
        if (base_slice_is(setting_scheme(setting.name), backend->scheme)) {
            merged->settings[kept++] = setting;
        }
    }
    merged->count = kept;
    return base_ok();
}

base_status log_open(base_slice url, const log_open_options *options, int32_t timeout_ms,
                     log_store **store_out, base_error *error)
{
    const log_open_options none = {.client = base_slice_of("troupe")};
    log_open_options given = options != NULL ? *options : none;
    merged_settings merged = {NULL, 0, NULL};
    const log_backend *backend = NULL;
    base_slice location;
    base_slice query = {NULL, 0};
    base_status status = url_split(url, &backend, &location, &query, error);
    if (base_failed(status)) {
        return status;
    }
    status = settings_merge(backend, &given, query, &merged, error);
    if (base_failed(status)) {
        goto out;
    }
    given.settings = merged.settings;
    given.setting_count = merged.count;
    if (given.client.size == 0) {
        given.client = none.client;
    }
    log_store *store = NULL;
    status = backend->open(location, &given, log_timeout_cut(timeout_ms), &store, error);
    if (!base_failed(status)) {
        BASE_ASSERT(store->backend == backend);
        *store_out = store;
    }
out:
    free(merged.settings);
    free(merged.text);
    return status;
}
