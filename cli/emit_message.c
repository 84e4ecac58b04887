/* See emit.h. */
#include <ctype.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/time.h"
#include "cli/emit.h"
#include "cli/out.h"
#include "saga/decide.h"
#include "saga/route.h"
#include "schemas/envelope.h"
#include "schemas/json.h"

#define NAME_MAX_COUNT 4096

/* An event on its way to being a record. */
typedef struct draft {
    base_slice event; /* name or type, as it was given */
    base_slice topic; /* empty: the saga's */
    base_slice key;   /* empty: the saga's key expression finds it */
    base_slice source;
    cli_object object; /* the CloudEvent as a map */
    const saga_plan *plan;
    int32_t index; /* in the plan; SAGA_NONE: no saga is asked */
} draft;

static base_status no_memory(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for an event");
}

/* ---- which event ---- */

static void hint_names(const saga_plan *const *plans, size_t plan_count, base_slice word,
                       base_error *error)
{
    static const size_t name_max = NAME_MAX_COUNT;
    base_slice names[NAME_MAX_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < plan_count; i++) {
        for (int32_t k = 0; k < plans[i]->event_count && count < name_max; k++) {
            names[count++] = plans[i]->events[k].name;
        }
    }
    const base_slice near = base_error_nearest(word, names, count);
    if (near.size > 0) {
        base_error_hint(error, "did you mean \"%.*s\"?", BASE_SLICE_ARG(near));
    }
}

static base_status find_in_file(const emit *e, draft *d, base_error *error)
{
    d->plan = e->plan;
    d->index = saga_plan_event_named(e->plan, d->event);
    if (d->index != SAGA_NONE) {
        return base_ok();
    }
    const base_status status =
        base_error_set(error, BASE_BAD_INPUT, "saga %.*s has no event \"%.*s\"",
                       BASE_SLICE_ARG(e->plan->saga), BASE_SLICE_ARG(d->event));
    hint_names(&e->plan, 1, d->event, error);
    return status;
}

static base_status read_catalog(emit *e, base_error *error)
{
    if (e->catalog_read) {
        return base_ok();
    }
    const base_status status = engine_catalog_read(&e->catalog, error);
    if (status.code == BASE_NOT_FOUND) {
        base_error_clear(error);
        return base_ok(); /* nothing was deployed yet */
    }
    e->catalog_read = !base_failed(status);
    return status;
}

/* Among the newest plans of the sagas that are deployed; those that agree on type and topic are
 * one. */
static base_status find_deployed(emit *e, draft *d, base_error *error)
{
    const saga_plan *plans[64];
    size_t count = 0;
    BASE_TRY(read_catalog(e, error));
    for (size_t i = 0; i < e->catalog.plan_count; i++) {
        const engine_plan *item = e->catalog.plans[i];
        if (!item->newest ||
            (e->options->saga != NULL && !base_slice_is(item->plan->saga, e->options->saga))) {
            continue;
        }
        if (count < sizeof(plans) / sizeof(plans[0])) {
            plans[count++] = item->plan;
        }
        const int32_t index = saga_plan_event_named(item->plan, d->event);
        if (index == SAGA_NONE) {
            continue;
        }
        const saga_plan_event *event = &item->plan->events[index];
        const saga_plan_event *other = d->plan == NULL ? event : &d->plan->events[d->index];
        if (!base_slice_equal(event->topic, other->topic) ||
            !base_slice_equal(event->type, other->type)) {
            const base_status status = base_error_set(
                error, BASE_BAD_INPUT, "sagas %.*s and %.*s differ on event \"%.*s\"",
                BASE_SLICE_ARG(d->plan->saga), BASE_SLICE_ARG(item->plan->saga),
                BASE_SLICE_ARG(d->event));
            base_error_hint(error, "name one with --saga");
            return status;
        }
        d->plan = item->plan;
        d->index = index;
    }
    if (d->plan != NULL) {
        return base_ok();
    }
    if (count == 0) {
        const base_status status =
            e->options->saga == NULL
                ? base_error_set(error, BASE_BAD_INPUT, "no saga is deployed here")
                : base_error_set(error, BASE_BAD_INPUT, "no saga \"%s\" is deployed here",
                                 e->options->saga);
        base_error_hint(error, "name its file with --saga, or give --topic and --key");
        return status;
    }
    const base_status status =
        base_error_set(error, BASE_BAD_INPUT, "no saga that is deployed has an event \"%.*s\"",
                       BASE_SLICE_ARG(d->event));
    hint_names(plans, count, d->event, error);
    return status;
}

/* Finds event, topic and source. With a topic at hand no saga is needed, and --type is the type. */
static base_status find_event(emit *e, draft *d, base_error *error)
{
    d->index = SAGA_NONE;
    if (d->event.size == 0) {
        return base_error_set(error, BASE_BAD_INPUT, "no event is named");
    }
    if (e->plan == NULL && d->topic.size > 0 && e->options->saga == NULL) {
        return base_ok();
    }
    BASE_TRY(e->plan != NULL ? find_in_file(e, d, error) : find_deployed(e, d, error));
    const saga_plan_event *event = &d->plan->events[d->index];
    if (event->match != NULL) {
        const base_status status = base_error_set(
            error, BASE_BAD_INPUT, "\"%.*s\" is told from plain records by its `match`",
            BASE_SLICE_ARG(d->event));
        base_error_hint(error, "--plain --topic %.*s puts such a record on the log",
                        BASE_SLICE_ARG(event->topic));
        return status;
    }
    if (d->topic.size == 0) {
        d->topic = event->topic;
    }
    if (d->topic.size == 0) {
        const base_status status = base_error_set(
            error, BASE_BAD_INPUT, "\"%.*s\" has no topic of its own", BASE_SLICE_ARG(event->name));
        base_error_hint(error, "the engine publishes it; --topic puts it somewhere all the same");
        return status;
    }
    if (d->source.size == 0 && event->service != SAGA_NONE) {
        d->source = d->plan->services[event->service].name;
    }
    return base_ok();
}

/* ---- making the record ---- */

static base_status new_id(base_arena *arena, base_slice *id_out, base_error *error)
{
    uint8_t bytes[16];
    char text[33];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return base_error_set(error, BASE_IO, "the system gives no random number");
    }
    base_hex(bytes, sizeof(bytes), text);
    *id_out = base_arena_copy(arena, base_slice_make(text, 32));
    return id_out->data == NULL ? no_memory(error) : base_ok();
}

/* The main key by the saga's own expression, so that the event is sure to be placed. */
static base_status find_key(const draft *d, const saga_event *event, base_arena *arena,
                            base_slice *key_out, base_error *error)
{
    saga_route route;
    base_error why;
    base_error_clear(&why);
    BASE_TRY(saga_route_event(d->plan, event, arena, &route, &why));
    if (route.kind == SAGA_ROUTE_KEY) {
        *key_out = route.key;
        return base_ok();
    }
    if (route.kind == SAGA_ROUTE_BAD_KEY) {
        const base_status status =
            base_error_set(error, BASE_BAD_INPUT, "the key of \"%.*s\" is not in its data: %s",
                           BASE_SLICE_ARG(d->event), why.text);
        const saga_expr *expr = d->plan->events[d->index].key;
        if (expr != NULL) {
            const base_slice source = saga_expr_source(expr);
            base_error_hint(error, "the saga takes it from %.*s", BASE_SLICE_ARG(source));
        }
        return status;
    }
    if (d->key.size > 0) {
        return base_ok();
    }
    const base_status status = base_error_set(
        error, BASE_BAD_INPUT, "the saga says no key for \"%.*s\"", BASE_SLICE_ARG(d->event));
    base_error_hint(error, "give --key, and --attribute correlationid=SAGA/1/KEY where it answers");
    return status;
}

/* Ends the draft: the CloudEvent, its key, its record. */
static base_status finish(const draft *d, base_arena *arena, emit_message *message,
                          base_error *error)
{
    cli_object object = d->object;
    saga_event event;
    if (object.failed) {
        return no_memory(error);
    }
    const base_value map = cli_object_end(&object);
    if (base_failed(saga_event_of_value(&map, arena, &event))) {
        return no_memory(error);
    }
    event.type = d->index == SAGA_NONE ? d->event : d->plan->events[d->index].type;
    event.source = d->source.size > 0 ? d->source : base_slice_of("/troupe/emit");
    if (event.content_type.size == 0) {
        event.content_type = base_slice_of("application/json");
    }
    if (event.time_ms == 0) {
        event.time_ms = cli_now_ms();
    }
    if (event.id.size == 0) {
        BASE_TRY(new_id(arena, &event.id, error));
    }
    base_slice key = d->key;
    if (d->index != SAGA_NONE) {
        event.partition_key = key;
        base_slice found = {NULL, 0};
        BASE_TRY(find_key(d, &event, arena, &found, error));
        key = key.size > 0 ? key : found;
    }
    event.partition_key = key;
    memset(message, 0, sizeof(*message));
    BASE_TRY(schema_envelope_write(&event, arena, &message->record, error));
    message->record.topic = d->topic;
    message->record.partition = SCHEMA_PARTITION_BY_KEY;
    message->record.key = key.size == 0 ? (base_slice){NULL, 0} : key;
    message->event = d->index == SAGA_NONE ? d->event : d->plan->events[d->index].name;
    message->type = event.type;
    message->id = event.id;
    message->known = d->index != SAGA_NONE;
    return base_ok();
}

/* ---- extensions ---- */

static bool is_attribute_name(base_slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (!islower((unsigned char)name.data[i]) && !isdigit((unsigned char)name.data[i])) {
            return false;
        }
    }
    return name.size > 0;
}

static base_status add_attribute(draft *d, base_slice name, base_value value, base_error *error)
{
    static const char *const own[] = {"id",   "type", "source",      "time",
                                      "data", "key",  "specversion", "topic"};
    base_value number;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (base_slice_is(name, own[i])) {
            return base_error_set(error, BASE_BAD_INPUT, "\"%.*s\" is no extension",
                                  BASE_SLICE_ARG(name));
        }
    }
    if (!is_attribute_name(name)) {
        return base_error_set(error, BASE_BAD_INPUT,
                              "\"%.*s\" cannot be an attribute: lower-case letters and digits",
                              BASE_SLICE_ARG(name));
    }
    if (base_slice_is(name, "sagatry") && value.kind == BASE_STRING &&
        !base_failed(base_number_parse(base_value_slice(&value), &number))) {
        value = number; /* what stands on a command line is text */
    }
    if (value.kind != BASE_STRING && !base_slice_is(name, "sagatry")) {
        return base_error_set(error, BASE_BAD_INPUT, "attribute \"%.*s\" is no text",
                              BASE_SLICE_ARG(name));
    }
    d->object.failed = d->object.failed || base_failed(base_map_put(&d->object.map, name, &value));
    return base_ok();
}

/* NAME=VALUE */
static base_status split_pair(const char *text, base_slice *name_out, base_slice *value_out,
                              base_error *error)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return base_error_set(error, BASE_BAD_INPUT, "--attribute \"%s\" is not NAME=VALUE", text);
    }
    *name_out = base_slice_make(text, (size_t)(equals - text));
    *value_out = base_slice_of(equals + 1);
    return base_ok();
}

static base_status take_time(draft *d, base_slice text, base_error *error)
{
    int64_t ms = 0;
    if (text.size > 0 && base_failed(base_time_parse(text, &ms))) {
        const base_status status =
            base_error_set(error, BASE_BAD_INPUT, "\"%.*s\" is no time", BASE_SLICE_ARG(text));
        base_error_hint(error, "as 2025-11-21T09:12:03.120Z");
        return status;
    }
    cli_member(&d->object, "time", text);
    return base_ok();
}

/* ---- plain records ---- */

static base_status plain_key(const emit *e, base_slice value, base_arena *arena,
                             base_slice *key_out, base_error *error)
{
    if (e->key_from == NULL) {
        *key_out = base_slice_of(e->options->key);
        return base_ok();
    }
    base_value json;
    base_value key;
    const schema_json_options options = {.size_max = 0};
    BASE_TRY(schema_json_read(value, &options, arena, &json, error));
    const base_status status =
        saga_expr_eval(e->key_from, &json, NULL, (saga_expr_limits){0, 0}, arena, &key, error);
    if (base_failed(status)) {
        base_error_context(error, "--key-from");
        return status;
    }
    if (base_value_is_number(&key) || key.kind == BASE_BOOL) {
        return base_value_json(&key, true, arena, key_out);
    }
    if (key.kind != BASE_STRING || key.size == 0) {
        return base_error_set(error, BASE_BAD_INPUT, "--key-from gives no key but %s",
                              key.kind == BASE_STRING ? "an empty text"
                                                      : base_kind_name((base_kind)key.kind));
    }
    *key_out = base_value_slice(&key);
    return base_ok();
}

static base_status plain_record(const emit *e, base_slice value, base_arena *arena,
                                emit_message *message, base_error *error)
{
    const emit_options *o = e->options;
    int64_t time_ms = 0;
    base_slice key = {NULL, 0};
    BASE_TRY(plain_key(e, value, arena, &key, error));
    if (o->time != NULL && base_failed(base_time_parse(base_slice_of(o->time), &time_ms))) {
        return base_error_set(error, BASE_BAD_INPUT, "\"%s\" is no time", o->time);
    }
    schema_header *headers = BASE_ARENA_ARRAY(arena, schema_header, o->attributes.count + 1);
    if (headers == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < o->attributes.count; i++) {
        BASE_TRY(split_pair(o->attributes.items[i], &headers[i].name, &headers[i].value, error));
    }
    memset(message, 0, sizeof(*message));
    message->record = (schema_record){.topic = base_slice_of(o->topic),
                                      .partition = SCHEMA_PARTITION_BY_KEY,
                                      .time_ms = time_ms,
                                      .key = key.size == 0 ? (base_slice){NULL, 0} : key,
                                      .value = value,
                                      .headers = headers,
                                      .header_count = o->attributes.count};
    return base_ok();
}

/* ---- from options ---- */

static base_status draft_of_options(const emit *e, base_arena *arena, draft *d, base_error *error)
{
    const emit_options *o = e->options;
    memset(d, 0, sizeof(*d));
    cli_object_begin(&d->object, arena);
    d->event = base_slice_of(o->type != NULL ? o->type : e->event);
    d->topic = base_slice_of(o->topic);
    d->key = base_slice_of(o->key);
    d->source = base_slice_of(o->source);
    for (size_t i = 0; i < o->attributes.count; i++) {
        base_slice name = {NULL, 0};
        base_slice value = {NULL, 0};
        BASE_TRY(split_pair(o->attributes.items[i], &name, &value, error));
        BASE_TRY(add_attribute(d, name, base_value_string(value), error));
    }
    return base_ok();
}

base_status emit_message_make(emit *e, base_slice data, base_arena *arena,
                              emit_message *message_out, base_error *error)
{
    draft d;
    base_value value = base_value_null();
    const schema_json_options options = {.path = base_slice_of("the data"),
                                         .depth_max = SCHEMA_DATA_DEPTH_MAX};
    if (e->options->plain) {
        return plain_record(e, data, arena, message_out, error);
    }
    BASE_TRY(draft_of_options(e, arena, &d, error));
    if (data.size > 0) {
        BASE_TRY(schema_json_read(data, &options, arena, &value, error));
    }
    cli_member_text(&d.object, "id", e->options->id);
    BASE_TRY(take_time(&d, base_slice_of(e->options->time), error));
    cli_member_value(&d.object, "data", &value);
    BASE_TRY(find_event(e, &d, error));
    return finish(&d, arena, message_out, error);
}

/* ---- from a line ---- */

/* One member of a line. */
static base_status take_member(draft *d, const base_member *member, base_arena *arena,
                               base_error *error)
{
    const struct {
        const char *name;
        base_slice *field;
    } texts[] = {{"event", &d->event},
                 {"type", &d->event},
                 {"topic", &d->topic},
                 {"key", &d->key},
                 {"source", &d->source}};
    const base_value *value = &member->value;
    if (base_slice_is(member->key, "data")) {
        cli_member_value(&d->object, "data", value);
        return base_ok();
    }
    if (base_slice_is(member->key, "key") && base_value_is_number(value)) {
        return base_value_json(value, true, arena, &d->key);
    }
    if (value->kind != BASE_STRING && !base_slice_is(member->key, "sagatry")) {
        return base_error_set(error, BASE_BAD_INPUT, "\"%.*s\" must be a text, not %s",
                              BASE_SLICE_ARG(member->key), base_kind_name((base_kind)value->kind));
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (base_slice_is(member->key, texts[i].name)) {
            *texts[i].field = base_value_slice(value);
            return base_ok();
        }
    }
    if (base_slice_is(member->key, "time")) {
        return take_time(d, base_value_slice(value), error);
    }
    if (base_slice_is(member->key, "id")) {
        cli_member(&d->object, "id", base_value_slice(value));
        return base_ok();
    }
    return add_attribute(d, member->key, *value, error);
}

base_status emit_message_line(emit *e, base_slice line, base_arena *arena,
                              emit_message *message_out, base_error *error)
{
    draft d;
    base_value value;
    const schema_json_options options = {.path = base_slice_of("standard input"),
                                         .depth_max = SCHEMA_DATA_DEPTH_MAX};
    if (e->options->plain) {
        return plain_record(e, line, arena, message_out, error);
    }
    BASE_TRY(schema_json_read(line, &options, arena, &value, error));
    if (value.kind != BASE_MAP) {
        return base_error_set(error, BASE_BAD_INPUT, "a line must be an object, not %s",
                              base_kind_name((base_kind)value.kind));
    }
    BASE_TRY(draft_of_options(e, arena, &d, error));
    for (size_t i = 0; i < value.size; i++) {
        BASE_TRY(take_member(&d, &value.members[i], arena, error));
    }
    BASE_TRY(find_event(e, &d, error));
    return finish(&d, arena, message_out, error);
}
