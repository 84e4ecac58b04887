/*
 * Troupe for services: emit events, react to events, answer what a saga asks, undo what it asks to
 * have undone.
 *
 *   <service>.asks ---> troupe_run ---> your handler ---> troupe_answer --+
 *   other topics ----------^                                              |  one transaction:
 *                                                                         v  answers and position
 *   troupe_emit (any thread) --------------------------------------> <service>.events
 *
 * A handler is called for one event after the other, on the thread that called troupe_run. What it
 * answers becomes visible together with the consumed position, or not at all. Seen from a handler
 * delivery is at least once: after a crash, a rebalance or a lost commit the same event comes
 * again, and a saga that got no answer in time asks again with the same saga_key. So: one effect a
 * saga_key, and the same answer again (promise C1 of docs/saga-language.md, A.16). An undo succeeds
 * also when there is nothing to undo (C4); an ask whose undo came before it is refused (C5):
 * `undoes` is the key to remember.
 *
 *     troupe_verdict on_charge(troupe_context *context, const troupe_event *event, void *user)
 *     {
 *         int64_t amount = 0;
 *         if (!troupe_get_integer(context, "amount", &amount))
 *             return TROUPE_REJECT;
 *         remember_charge(user, event->saga_key, amount);
 *         const char *data = troupe_print(context, "{\"charged\":%" PRId64 "}", amount);
 *         if (troupe_answer(context, "payment.charged", data, NULL) != TROUPE_OK)
 *             return TROUPE_RETRY;
 *         return TROUPE_HANDLED;
 *     }
 *
 *     troupe *handle = NULL;
 *     troupe_error error = {0};
 *     const troupe_options options = {.service = "payments"};
 *     if (troupe_open("local:./data", &options, &handle, &error) != TROUPE_OK ||
 *         troupe_on_ask(handle, "payment.charge", on_charge, NULL, &error) != TROUPE_OK ||
 *         troupe_run(handle, &error) != TROUPE_OK)
 *         fprintf(stderr, "%s\n", error.text);
 *     troupe_close(handle);
 *
 * Text       every `const char *` is UTF-8 and ends with a zero; data is JSON text.
 * Ownership  what you pass in is read during the call and not kept, but for functions and `user`
 *            pointers. What you are given lives as long as its comment says.
 * Threads    troupe_emit, troupe_emit_async, troupe_flush, troupe_stop: any. troupe_on_ask,
 *            troupe_on_event, troupe_run, troupe_poll: one at a time. What takes a troupe_context:
 *            the thread and the time of the handler's call.
 * Errors     a troupe_code is returned; a troupe_error, which may be NULL, says more. There is no
 *            global state.
 */
#ifndef TROUPE_H
#define TROUPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TROUPE_VERSION_MAJOR 0
#define TROUPE_VERSION_MINOR 1
#define TROUPE_VERSION_PATCH 0
#define TROUPE_VERSION                                                                             \
    (TROUPE_VERSION_MAJOR * 10000 + TROUPE_VERSION_MINOR * 100 + TROUPE_VERSION_PATCH)

#if defined(__GNUC__)
#define TROUPE_API __attribute__((visibility("default")))
#define TROUPE_MUST_USE __attribute__((warn_unused_result))
#define TROUPE_FORMAT(text, first) __attribute__((format(printf, text, first)))
#else
#define TROUPE_API
#define TROUPE_MUST_USE
#define TROUPE_FORMAT(text, first)
#endif

/* The version of the library that is linked, as TROUPE_VERSION. */
TROUPE_API int32_t troupe_version(void);

/* ---- what became of a call ---- */

typedef enum troupe_code {
    TROUPE_OK = 0,
    TROUPE_BAD_INPUT,   /* an argument, a URL, a setting or JSON text is wrong: no use repeating */
    TROUPE_TOO_LARGE,   /* the event is larger than the log takes */
    TROUPE_REFUSED,     /* the log does not allow it, or has no such topic */
    TROUPE_UNREACHABLE, /* the log does not answer now; nothing was written; may be tried again */
    TROUPE_TIMEOUT,     /* not confirmed in time: it may have been written, under its id */
    TROUPE_FENCED,      /* another process has taken our identity: stop */
    TROUPE_CLOSED,      /* the handle is being closed, or the handler's event was given up */
    TROUPE_NO_MEMORY,   /* nothing was done */
    TROUPE_FAILED       /* the log is damaged, or of no more use to this process: start again */
} troupe_code;

/* The code's name, as "bad_input". Lives for ever. */
TROUPE_API const char *troupe_code_name(troupe_code code);

#define TROUPE_ERROR_TEXT_SIZE 800

/* Yours, on the stack; filled by the call that failed and untouched by one that did not. */
typedef struct troupe_error {
    troupe_code code;
    /* One line: what, with the value in question, and a hint in parentheses. */
    char text[TROUPE_ERROR_TEXT_SIZE];
} troupe_error;

/* ---- opening ---- */

/* A connection to an event log on behalf of one service. */
typedef struct troupe troupe;

typedef struct troupe_setting {
    const char *name; /* "kafka.security.protocol": what begins with "kafka." goes to librdkafka */
    const char *value;
} troupe_setting;

typedef enum troupe_start {
    TROUPE_START_EARLIEST, /* a group without a position reads from the first event that is there */
    TROUPE_START_LATEST    /* ... from what comes after its first assignment */
} troupe_start;

/* Only `service` must be given: &(troupe_options){.service = "stock"}. */
typedef struct troupe_options {
    /* Who we are: the source of our events, the default of group and topics; [A-Za-z0-9._-]. */
    const char *service;
    const char *type_prefix;  /* put before every type given to this library, as "com.acme." */
    const char *asks_topic;   /* default "<service>.asks" */
    const char *events_topic; /* default "<service>.events" */
    const char *prefix;       /* of Troupe's own topics (dead letters); default "troupe" */
    const char *group;        /* consumer group; default `service` */
    /* Static membership: the same after a restart, different in each process of the group
     * ("payments-1"). Default: none, a new member each time. */
    const char *identity;
    troupe_start start;
    /* The log has cut off what we would have read next: false: troupe_run returns FAILED; true: it
     * is reported, and the first event that is there comes next. */
    bool skip_lost;
    int32_t partition_count; /* of topics that are missing: made by us; 0: 12; -1: never make any */
    int32_t open_timeout_ms; /* default 10000 */
    int32_t session_timeout_ms; /* who is silent so long loses its partitions; default 10000 */
    int32_t batch_max;          /* events handled in one transaction; default 256 */
    /* A handler is called so often for one event before it goes to the dead letters; default 8. */
    int32_t attempt_max;
    int32_t backoff_first_ms;   /* wait before the second call, doubled each time; default 200 */
    int32_t backoff_cap_ms;     /* default 10000 */
    int32_t handler_timeout_ms; /* a handler hangs that takes so long; default 60000; -1: never */
    /* Called, on a thread of the library, after the event whose handler hangs has been put to the
     * dead letters and its position passed. NULL, and the sensible choice: the process is ended
     * with abort(), to be started anew. */
    void (*hang)(void *report_user, const char *text);
    /* One line about what happens beside the calls (a broker is down, an event went to the dead
     * letters); level as in syslog: 3 error, 4 warning, 6 info, 7 debug. From any thread. NULL:
     * warnings and errors go to standard error. */
    void (*report)(void *report_user, int level, const char *text);
    void *report_user;
    const troupe_setting *settings;
    size_t setting_count;
} troupe_options;

/* Opens the log at url: "local:./data", "kafka://host:9092,host2:9092", "memory:name". Blocks up to
 * open_timeout_ms. Writes *handle_out on success only; close it with troupe_close. BAD_INPUT,
 * UNREACHABLE, REFUSED, FAILED. */
TROUPE_API troupe_code troupe_open(const char *url, const troupe_options *options,
                                   troupe **handle_out, troupe_error *error) TROUPE_MUST_USE;
/* Sends what troupe_emit_async still holds (up to five seconds), leaves the group, frees. No other
 * call may be under way. A static member leaves nothing: its partitions wait for it for
 * session_timeout_ms. NULL is fine. */
TROUPE_API void troupe_close(troupe *handle);

/* ---- events in ---- */

typedef struct troupe_attribute {
    const char *name; /* CloudEvents extension: lower-case letters and digits */
    const char *value;
} troupe_attribute;

/* An event as a handler sees it. It all lives until the handler returns. Pointers are NULL where
 * absent, but name, type, id and source are "" for a record that is no CloudEvent. */
typedef struct troupe_event {
    const char *name; /* type without type_prefix */
    const char *type; /* full CloudEvents type */
    const char *id;
    const char *source;
    const char *subject;
    int64_t time_ms;  /* since 1970, UTC */
    const char *data; /* as it came, a zero behind it; NULL: no data */
    size_t data_size;
    bool data_is_json; /* troupe_get_... work on it */
    const char *content_type;
    const char *key; /* the record's key */
    const char *topic;
    int32_t partition;
    int64_t offset;
    int32_t attempt; /* which call of the handler for this event this is, in this process; from 1 */

    /* What a saga adds. */
    bool ask;              /* came on the asks topic with a saga_key: an ask, or an undo's ask */
    const char *saga_key;  /* ce_sagakey: the same for every try; what an effect is remembered by */
    const char *undoes;    /* of an undo's ask: the saga_key of what is to be undone */
    const char *saga_step; /* ce_sagastep */
    int32_t saga_try;      /* ce_sagatry, from 1; 0: absent */
    int64_t expiry_ms;     /* ce_expirytime: by then the asker gives this try up (C8); 0: absent */
    const char *correlation_id; /* the instance */
    const char *causation_id;
    const char *trace_parent;
    const troupe_attribute *attributes; /* all other extensions */
    size_t attribute_count;
} troupe_event;

typedef enum troupe_verdict {
    /* Done: the answers and the position are committed. No answer is fine too: none is owed, or it
     * comes later (troupe_token). */
    TROUPE_HANDLED,
    /* Not now: the answers are dropped; this event, and those behind it in its partition, wait for
     * the back-off. After attempt_max calls it goes to the dead letters and the partition goes on.
     */
    TROUPE_RETRY,
    /* Never: to the dead letters at once. */
    TROUPE_REJECT
} troupe_verdict;

/* What a handler is called with besides its event. */
typedef struct troupe_context troupe_context;

/* A handler. It may block; while it does, nothing else of this handle is handled, and membership is
 * kept up for it. It must not call troupe_run, troupe_poll, troupe_on_... or troupe_close. */
typedef troupe_verdict troupe_handler(troupe_context *context, const troupe_event *event,
                                      void *user);

/* Asks (and asks of undos) of this type, from the asks topic, go to handler. Before the first
 * troupe_run or troupe_poll. type without type_prefix; NULL: every type that has no handler of its
 * own. Two handlers for one type: BAD_INPUT. An ask of a type without handler is reported once a
 * type and passed over. */
TROUPE_API troupe_code troupe_on_ask(troupe *handle, const char *type, troupe_handler *handler,
                                     void *user, troupe_error *error) TROUPE_MUST_USE;
/* Events of this type on this topic go to handler: a service that reacts. type NULL: every record
 * of the topic that no other handler takes, those that are no CloudEvents included. Records that no
 * handler takes are passed over. */
TROUPE_API troupe_code troupe_on_event(troupe *handle, const char *topic, const char *type,
                                       troupe_handler *handler, void *user,
                                       troupe_error *error) TROUPE_MUST_USE;

/* Handles events until troupe_stop (OK) or until something happens that a restart must mend:
 * FENCED, FAILED, REFUSED, NO_MEMORY. An unreachable log is reported and waited for. */
TROUPE_API troupe_code troupe_run(troupe *handle, troupe_error *error) TROUPE_MUST_USE;
/* A part of it: waits up to timeout_ms for events and handles what is there, at most batch_max,
 * then returns. *handled_out (may be NULL) counts calls of handlers. To be called at least once a
 * second, or the group takes us for dead after session_timeout_ms. */
TROUPE_API troupe_code troupe_poll(troupe *handle, int32_t timeout_ms, int32_t *handled_out,
                                   troupe_error *error) TROUPE_MUST_USE;
/* Makes troupe_run return after the handler that is at work; it stays so: a later troupe_run
 * returns at once. Any thread, and async-signal-safe. NULL is fine. */
TROUPE_API void troupe_stop(troupe *handle);

/* ---- events out ---- */

typedef struct troupe_message {
    const char *type; /* without type_prefix; required */
    const char *data; /* JSON text; NULL: the JSON text null, so that no event is a tombstone */
    /* The record's key and ce_partitionkey. The saga's key, so that an instance's events stay in
     * order. */
    const char *key;
    const char *topic; /* default: events_topic */
    /* Default: made up (emit); in a handler made from the event's id and the answer's place, so
     * that an answer given again has the id it had. */
    const char *id;
    const char *source; /* default: `service` */
    const char *subject;
    int64_t time_ms; /* default: now */
    /* A troupe_token: the correlation of what this answers is filled in, and the key. */
    const char *answers;
    const troupe_attribute *attributes;
    size_t attribute_count;
} troupe_message;

/* Puts an event on the log and waits until it is safe there. It is written at least once; a repeat
 * has the same id. timeout_ms: for all of it, retries included. BAD_INPUT, TOO_LARGE, REFUSED,
 * UNREACHABLE, TIMEOUT, CLOSED, FAILED. */
TROUPE_API troupe_code troupe_emit(troupe *handle, const troupe_message *message,
                                   int32_t timeout_ms, troupe_error *error) TROUPE_MUST_USE;

/* Told what became of an event, once, on a thread of the library, in the order of the calls; error
 * lives during the call and is NULL when code is OK. Must not block for long, nor call troupe_emit,
 * troupe_flush or troupe_close. */
typedef void troupe_delivered(void *user, troupe_code code, const troupe_error *error);

/* The same without waiting: the message is copied. delivered may be NULL. Blocks only while 10,000
 * events wait to be sent. timeout_ms as above. When it does not return OK, delivered is not called.
 */
TROUPE_API troupe_code troupe_emit_async(troupe *handle, const troupe_message *message,
                                         int32_t timeout_ms, troupe_delivered *delivered,
                                         void *user, troupe_error *error) TROUPE_MUST_USE;
/* Waits until every event given to troupe_emit_async before has been delivered or failed. TIMEOUT.
 */
TROUPE_API troupe_code troupe_flush(troupe *handle, int32_t timeout_ms,
                                    troupe_error *error) TROUPE_MUST_USE;

/* ---- inside a handler ---- */

/* Answers the event at hand: an event of this type on events_topic, with the same key, its
 * causationid the event's id, correlationid and traceparent handed on, and to an ask also sagastep,
 * sagakey and sagatry. Several are fine. It is sent when the handler returns HANDLED. data: JSON
 * text or NULL. BAD_INPUT, TOO_LARGE, CLOSED, NO_MEMORY. */
TROUPE_API troupe_code troupe_answer(troupe_context *context, const char *type, const char *data,
                                     troupe_error *error) TROUPE_MUST_USE;
/* The same with every attribute open: another topic, key, id, extensions. What the message leaves
 * out is filled in as by troupe_answer (`answers`: of another event than the one at hand). */
TROUPE_API troupe_code troupe_publish(troupe_context *context, const troupe_message *message,
                                      troupe_error *error) TROUPE_MUST_USE;
/* What is needed to answer this event later, from any thread or process, as `answers` of a message:
 * one line of text, to be copied, and stored where a late answer must survive a restart. Lives
 * until the handler returns. NULL: no memory. */
TROUPE_API const char *troupe_token(troupe_context *context);

/* A member of the event's JSON data: path as "customer.name" or "lines[0].sku" (a name with other
 * characters than letters, digits, _ and -, in quotes: "\"odd.name\".x"); "" is all of it. Results
 * live until the handler returns. */
/* The text of a string member; fallback when it is none. */
TROUPE_API const char *troupe_get_text(troupe_context *context, const char *path,
                                       const char *fallback);
/* An integer member, exactly. false: none, or no 64-bit integer; *integer_out is untouched. */
TROUPE_API bool troupe_get_integer(troupe_context *context, const char *path, int64_t *integer_out);
/* A boolean member; fallback when it is none. */
TROUPE_API bool troupe_get_bool(troupe_context *context, const char *path, bool fallback);
/* Items of a list, members of an object; -1 when it is neither. */
TROUPE_API int64_t troupe_get_count(troupe_context *context, const char *path);
/* Any member as JSON text, numbers exactly as they came; "null" when it is not there. */
TROUPE_API const char *troupe_get_json(troupe_context *context, const char *path);
/* printf into memory that lives until the handler returns; NULL: no memory. */
TROUPE_API const char *troupe_print(troupe_context *context, const char *format, ...)
    TROUPE_FORMAT(2, 3);
/* The text as a JSON string, with its quotes; NULL text: "null". NULL: no memory, or no UTF-8. */
TROUPE_API const char *troupe_quote(troupe_context *context, const char *text);

#ifdef __cplusplus
}
#endif

#endif
