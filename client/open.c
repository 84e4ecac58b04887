/* Opening and closing; defaults of options; codes, errors and reports. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client.h"

int32_t troupe_version(void)
{
    return TROUPE_VERSION;
}

const char *troupe_code_name(troupe_code code)
{
    switch (code) {
    case TROUPE_OK:
        return "ok";
    case TROUPE_BAD_INPUT:
        return "bad_input";
    case TROUPE_TOO_LARGE:
        return "too_large";
    case TROUPE_REFUSED:
        return "refused";
    case TROUPE_UNREACHABLE:
        return "unreachable";
    case TROUPE_TIMEOUT:
        return "timeout";
    case TROUPE_FENCED:
        return "fenced";
    case TROUPE_CLOSED:
        return "closed";
    case TROUPE_NO_MEMORY:
        return "no_memory";
    case TROUPE_FAILED:
        return "failed";
    }
    return "unknown";
}

static troupe_code code_of(base_status status)
{
    if (status.code == BASE_OUT_OF_MEMORY) {
        return TROUPE_NO_MEMORY;
    }
    if (status.code == BASE_NOT_FOUND || status.code == BASE_REFUSED) {
        return TROUPE_REFUSED;
    }
    if (status.code == BASE_CORRUPT || status.code == BASE_POSITION_LOST) {
        return TROUPE_FAILED;
    }
    if (status.code == BASE_TIMEOUT) {
        return TROUPE_TIMEOUT;
    }
    switch (base_status_class(status)) {
    case BASE_CLASS_OK:
        return TROUPE_OK;
    case BASE_CLASS_INPUT:
    case BASE_CLASS_CONFLICT:
        return TROUPE_BAD_INPUT;
    case BASE_CLASS_LIMIT:
        return TROUPE_TOO_LARGE;
    case BASE_CLASS_RETRY:
        return TROUPE_UNREACHABLE;
    case BASE_CLASS_FENCED:
        return TROUPE_FENCED;
    case BASE_CLASS_UNKNOWN:
        return TROUPE_TIMEOUT;
    case BASE_CLASS_FATAL:
        return TROUPE_FAILED;
    }
    return TROUPE_FAILED;
}

troupe_code client_fail(troupe_error *out, base_status status, const base_error *error)
{
    const troupe_code code = code_of(status);
    if (out == NULL || code == TROUPE_OK) {
        return code;
    }
    out->code = code;
    if (error != NULL && error->code != BASE_OK) {
        (void)base_error_render(error, out->text, sizeof(out->text));
    } else {
        (void)snprintf(out->text, sizeof(out->text), "%s", base_status_text(status));
    }
    return code;
}

troupe_code client_fail_text(troupe_error *out, troupe_code code, const char *format, ...)
{
    if (out != NULL) {
        va_list arguments;
        va_start(arguments, format);
        out->code = code;
        (void)vsnprintf(out->text, sizeof(out->text), format, arguments);
        va_end(arguments);
    }
    return code;
}

static int64_t clock_ms(clockid_t id)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t client_now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t client_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int32_t client_cut(int64_t ms)
{
    if (ms < 0) {
        return 0;
    }
    return ms > INT32_MAX ? INT32_MAX : (int32_t)ms;
}

static void report_line(void *context, int level, const char *text)
{
    const troupe *handle = context;
    if (handle->options.report != NULL) {
        handle->options.report(handle->options.report_user, level, text);
    } else if (level <= 4) {
        (void)fprintf(stderr, "%.*s: %s\n", BASE_SLICE_ARG(handle->service), text);
    }
}

void client_report(troupe *handle, int level, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    report_line(handle, level, text);
}

base_status client_topic_ensure(troupe *handle, base_slice topic, base_error *error)
{
    if (handle->options.partition_count < 0) {
        int32_t count = 0;
        const base_status status = log_topic_partitions(handle->store, topic, &count, error);
        if (status.code == BASE_NOT_FOUND) {
            base_error_hint(error, "create it, or let partition_count say how");
        }
        return status;
    }
    const log_topic_options options = {
        .name = topic,
        .partition_count = handle->options.partition_count,
        .cleanup = LOG_CLEANUP_DELETE,
        .retention_ms = -1,
        .retention_size = -1,
    };
    return log_topics_ensure(handle->store, &options, 1, handle->options.open_timeout_ms, error);
}

/* ---- options ---- */

static bool name_fits(const char *name)
{
    const size_t size = strlen(name);
    if (size == 0 || size > LOG_TOPIC_SIZE_MAX - 16) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        const char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    return true;
}

/* The option's own value, or `service` (or "troupe") and a suffix. */
static base_status name_option(troupe *handle, const char *given, const char *what,
                               const char *stem, const char *suffix, base_slice *out,
                               base_error *error)
{
    if (given != NULL && !name_fits(given)) {
        const base_status status =
            base_error_set(error, BASE_BAD_INPUT, "%s \"%s\" is no name", what, given);
        base_error_hint(error, "letters a-z A-Z, digits, '.', '_' and '-', at most %d",
                        LOG_TOPIC_SIZE_MAX - 16);
        return status;
    }
    *out = given != NULL ? base_arena_copy(&handle->memory, base_slice_of(given))
                         : base_arena_print(&handle->memory, "%s%s", stem, suffix);
    return out->data != NULL ? base_ok() : base_error_set(error, BASE_OUT_OF_MEMORY, "no memory");
}

static base_status names_read(troupe *handle, const troupe_options *options, base_error *error)
{
    const char *service = options->service;
    if (service == NULL) {
        return base_error_set(error, BASE_BAD_INPUT, "options name no service");
    }
    BASE_TRY(name_option(handle, service, "service", "", "", &handle->service, error));
    BASE_TRY(name_option(handle, options->asks_topic, "asks_topic", service, ".asks",
                         &handle->asks_topic, error));
    BASE_TRY(name_option(handle, options->events_topic, "events_topic", service, ".events",
                         &handle->events_topic, error));
    BASE_TRY(name_option(handle, options->group, "group", service, "", &handle->group, error));
    base_slice prefix = {NULL, 0};
    BASE_TRY(name_option(handle, options->prefix, "prefix", "troupe", "", &prefix, error));
    BASE_TRY(name_option(handle, NULL, "prefix", prefix.data, ".dead-letters", &handle->dead_topic,
                         error));
    if (options->identity != NULL) {
        BASE_TRY(
            name_option(handle, options->identity, "identity", "", "", &handle->identity, error));
    }
    const char *type_prefix = options->type_prefix != NULL ? options->type_prefix : "";
    handle->type_prefix = base_arena_copy(&handle->memory, base_slice_of(type_prefix));
    /* A transaction is finished or given up by whoever opens the same identity next: of a static
     * member that is its successor, of any other nobody, and the log's time-out does it. */
    char unique[33];
    client_random_text(unique);
    handle->writer_identity =
        base_arena_print(&handle->memory, "%.*s-%s", BASE_SLICE_ARG(handle->group),
                         options->identity != NULL ? options->identity : unique);
    if (handle->type_prefix.data == NULL || handle->writer_identity.data == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory");
    }
    return base_ok();
}

static base_status number_default(int32_t *number, const char *name, int32_t fallback,
                                  int32_t minimum, base_error *error)
{
    if (*number == 0) {
        *number = fallback;
    } else if (*number < minimum) {
        return base_error_set(error, BASE_BAD_INPUT, "%s is %d, at least %d is needed", name,
                              (int)*number, (int)minimum);
    }
    return base_ok();
}

static base_status numbers_read(troupe_options *options, base_error *error)
{
    BASE_TRY(number_default(&options->partition_count, "partition_count", 12, -1, error));
    BASE_TRY(number_default(&options->open_timeout_ms, "open_timeout_ms", 10000, 1, error));
    BASE_TRY(number_default(&options->session_timeout_ms, "session_timeout_ms", 10000, 1, error));
    BASE_TRY(number_default(&options->batch_max, "batch_max", 256, 1, error));
    BASE_TRY(number_default(&options->attempt_max, "attempt_max", 8, 1, error));
    BASE_TRY(number_default(&options->backoff_first_ms, "backoff_first_ms", 200, 1, error));
    BASE_TRY(number_default(&options->backoff_cap_ms, "backoff_cap_ms", 10000, 1, error));
    BASE_TRY(number_default(&options->handler_timeout_ms, "handler_timeout_ms", 60000, -1, error));
    return base_ok();
}

static base_status store_open(troupe *handle, const char *url, const troupe_options *options,
                              base_error *error)
{
    log_setting *settings = NULL;
    if (options->setting_count > 0) {
        settings =
            base_arena_alloc_zero(&handle->memory, options->setting_count, sizeof(*settings));
        if (settings == NULL) {
            return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for the settings");
        }
    }
    for (size_t i = 0; i < options->setting_count; i++) {
        settings[i] = (log_setting){base_slice_of(options->settings[i].name),
                                    base_slice_of(options->settings[i].value)};
    }
    const log_open_options log_options = {
        .settings = settings,
        .setting_count = options->setting_count,
        .client = handle->service,
        .report = report_line,
        .report_context = handle,
    };
    return log_open(base_slice_of(url), &log_options, handle->options.open_timeout_ms,
                    &handle->store, error);
}

static base_status locks_init(troupe *handle, base_error *error)
{
    pthread_condattr_t monotonic;
    bool fine = pthread_mutex_init(&handle->lock, NULL) == 0;
    fine = pthread_mutex_init(&handle->send_lock, NULL) == 0 && fine;
    fine = pthread_condattr_init(&monotonic) == 0 && fine;
    fine = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 && fine;
    fine = pthread_cond_init(&handle->busy, &monotonic) == 0 && fine;
    fine = pthread_cond_init(&handle->send_wanted, &monotonic) == 0 && fine;
    fine = pthread_cond_init(&handle->send_done, &monotonic) == 0 && fine;
    (void)pthread_condattr_destroy(&monotonic);
    return fine ? base_ok() : base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for locks");
}

troupe_code troupe_open(const char *url, const troupe_options *options, troupe **handle_out,
                        troupe_error *error)
{
    if (url == NULL || options == NULL || handle_out == NULL) {
        return client_fail_text(error, TROUPE_BAD_INPUT, "url, options and handle_out are needed");
    }
    troupe *handle = calloc(1, sizeof(*handle));
    if (handle == NULL) {
        return client_fail_text(error, TROUPE_NO_MEMORY, "no memory");
    }
    base_error cause = {0};
    base_arena_init(&handle->memory, CLIENT_ARENA_MAX);
    base_arena_init(&handle->event_arena, CLIENT_ARENA_MAX);
    base_arena_init(&handle->batch.arena, CLIENT_ARENA_MAX);
    handle->options = *options;
    base_status status = locks_init(handle, &cause);
    if (!base_failed(status)) {
        status = names_read(handle, options, &cause);
    }
    if (!base_failed(status)) {
        status = numbers_read(&handle->options, &cause);
    }
    if (!base_failed(status)) {
        status = store_open(handle, url, options, &cause);
    }
    /* Strings of the caller are not to be kept. */
    handle->options.service = NULL;
    handle->options.settings = NULL;
    if (base_failed(status)) {
        const troupe_code code = client_fail(error, status, &cause);
        troupe_close(handle);
        return code;
    }
    *handle_out = handle;
    return TROUPE_OK;
}

void troupe_close(troupe *handle)
{
    if (handle == NULL) {
        return;
    }
    client_sender_end(handle);
    client_run_close(handle);
    log_close(handle->store);
    (void)pthread_mutex_destroy(&handle->lock);
    (void)pthread_mutex_destroy(&handle->send_lock);
    (void)pthread_cond_destroy(&handle->busy);
    (void)pthread_cond_destroy(&handle->send_wanted);
    (void)pthread_cond_destroy(&handle->send_done);
    client_batch_deinit(&handle->batch);
    base_arena_deinit(&handle->event_arena);
    base_arena_deinit(&handle->memory);
    free(handle->interests);
    free(handle);
}
