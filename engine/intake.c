#include "engine/intake.h"

#include <string.h>

#include "base/hash.h"
#include "engine/command.h"
#include "engine/perform.h"
#include "engine/wire.h"
#include "saga/route.h"
#include "schemas/envelope.h"

#define FORWARD_MAX 64 /* instances that one record can be forwarded to */

/* An instance that the record was forwarded to. */
typedef struct forward_mark {
    base_slice saga;
    base_slice key;
} forward_mark;

/* One record on its way in. */
typedef struct intake {
    engine_batch *batch;
    engine_context *context;
    engine_partition *partition;
    const schema_record *origin; /* as it stood on its own topic */
    schema_cause cause;
    const schema_position *position; /* NULL for an event that waited */
    base_slice saga;                 /* only this one; empty: all */
    base_slice key;                  /* only this one; data NULL: all */
    bool from_inbox;
    bool only_forwards; /* what stays here has been handled */
    bool is_cloud_event;
    bool known; /* some saga knows the event */
    saga_event event;
    saga_plain_record plain;
    forward_mark *forwards; /* FORWARD_MAX of them, from the first on */
    size_t forward_count;
    engine_working *born; /* an instance began: what waited for it comes next */
} intake;

static base_status no_memory(base_error *error)
{
    return base_error_set(error, BASE_OUT_OF_MEMORY, "a batch needs more memory than its bound");
}

static base_status dead_letter(intake *in, const char *reason, base_slice saga,
                               const base_error *why, base_error *error)
{
    in->known = true;
    return in->only_forwards
               ? base_ok()
               : engine_batch_letter(in->batch, in->context, in->origin, reason, saga, why, error);
}

/* ---- an instance on this partition ---- */

static base_status perform(intake *in, const engine_plan *plan, engine_working *working,
                           base_slice key, const saga_event *event, int32_t event_index,
                           base_error *error)
{
    const saga_input input = {.kind = SAGA_INPUT_EVENT,
                              .now_ms = in->batch->now_ms,
                              .event_index = event_index,
                              .event = event};
    const engine_performance performance = {.partition = in->partition,
                                            .working = working,
                                            .plan = plan,
                                            .key = key,
                                            .input = &input,
                                            .cause = in->cause,
                                            .position = in->position,
                                            .origin = in->origin};
    in->known = true;
    return engine_perform(in->batch, in->context, &performance, error);
}

static base_status park(intake *in, const engine_plan *plan, base_slice key, int64_t early_for_ms,
                        base_error *error)
{
    if (in->partition->parked_count >= (size_t)in->context->config->early_max) {
        return dead_letter(in, "early_full", plan->plan->saga, NULL, error);
    }
    const schema_aside aside = {.kind = SCHEMA_ASIDE_PARK,
                                .epoch = in->partition->epoch,
                                .saga = plan->plan->saga,
                                .key = key,
                                .parked = {.cause = in->cause,
                                           .record = *in->origin,
                                           .until_ms = in->batch->now_ms + early_for_ms},
                                .positions = in->position,
                                .position_count = in->position == NULL ? 0 : 1};
    in->known = true;
    in->batch->counted.parked++;
    return engine_batch_aside(in->batch, in->context, in->partition, &aside, error);
}

/* Nobody lives under this key. */
static base_status deliver_to_none(intake *in, const engine_plan *plan, const saga_event *event,
                                   const saga_route *route, base_error *error)
{
    const saga_plan_event *known = &plan->plan->events[route->event_index];
    if (!route->starts) {
        if (known->early == SAGA_EARLY_DROP) {
            in->known = true;
            return base_ok();
        }
        /* One that waited already waits on: its instance began and was none (a guard said no). */
        return in->position == NULL ? base_ok()
                                    : park(in, plan, route->key, known->early_for_ms, error);
    }
    /* It may be of an instance that ended, and whose key is kept no longer (10). */
    const int64_t time_ms = in->is_cloud_event ? event->time_ms : in->origin->time_ms;
    if (time_ms < in->batch->now_ms - plan->plan->retain_ms) {
        return dead_letter(in, "too_old", plan->plan->saga, NULL, error);
    }
    engine_working *working = NULL;
    BASE_TRY(engine_partition_load(in->partition, plan->plan->saga, route->key, &working, error));
    BASE_TRY(perform(in, plan, working, route->key, event, route->event_index, error));
    if (working->has_state && working->parked_count > 0) {
        in->born = working;
    }
    return base_ok();
}

/* An ended instance may begin again, on the newest plan (11). */
static bool begins_again(const engine_plan *plan, const engine_working *working,
                         const saga_route *route)
{
    if (!plan->newest || !route->starts) {
        return false;
    }
    const saga_start *start = &plan->plan->starts[plan->plan->events[route->event_index].start];
    return start->again == SAGA_AGAIN_AFTER_END && saga_state_ended(&working->state);
}

static base_status deliver(intake *in, const engine_plan *plan, const saga_event *event,
                           const saga_route *route, base_error *error)
{
    engine_working *working = NULL;
    BASE_TRY(engine_partition_peek(in->partition, plan->plan->saga, route->key, &working, error));
    if (working == NULL || !working->has_state) {
        return plan->newest ? deliver_to_none(in, plan, event, route, error) : base_ok();
    }
    const bool pinned = memcmp(working->state.plan_hash, plan->plan->hash, 64) == 0;
    if (working->plan == NULL || working->slot->unplanned) {
        return plan->newest ? dead_letter(in, "no_plan", plan->plan->saga, NULL, error) : base_ok();
    }
    if (!pinned && !begins_again(plan, working, route)) {
        return base_ok();
    }
    if ((working->state.flags & SAGA_FLAG_JOURNAL_GAP) != 0) {
        return dead_letter(in, "journal_gap", plan->plan->saga, NULL, error);
    }
    return perform(in, plan, working, route->key, event, route->event_index, error);
}

/* ---- on another partition ---- */

static base_status forward(intake *in, const engine_plan *plan, base_slice key, base_error *error)
{
    for (size_t i = 0; i < in->forward_count; i++) {
        if (base_slice_equal(in->forwards[i].key, key) &&
            base_slice_equal(in->forwards[i].saga, plan->plan->saga)) {
            return base_ok();
        }
    }
    if (in->forwards == NULL) {
        in->forwards = BASE_ARENA_ARRAY(&in->batch->arena, forward_mark, FORWARD_MAX);
        if (in->forwards == NULL) {
            return no_memory(error);
        }
    }
    if (in->forward_count == FORWARD_MAX) {
        return dead_letter(in, "too_many_instances", plan->plan->saga, NULL, error);
    }
    in->forwards[in->forward_count].saga = plan->plan->saga;
    in->forwards[in->forward_count++].key = key;
    schema_record record;
    if (base_failed(engine_wire_forward(in->origin, plan->plan->saga, key,
                                        in->context->topics.inbox, &in->batch->arena, &record))) {
        return no_memory(error);
    }
    record.partition = base_partition_of(key, in->context->partition_count);
    engine_batch_add(in->batch, ENGINE_OUT_FORWARD, &record);
    in->batch->counted.forwarded++;
    in->known = true;
    return base_ok();
}

/* ---- to which instance? ---- */

/* Is it an answer to another saga, that this one has no business with? */
static bool is_of_another_saga(const engine_plan *plan, const saga_event *event)
{
    base_slice saga = {NULL, 0};
    base_slice key = {NULL, 0};
    int32_t incarnation = 0;
    return saga_instance_id_parse(event->correlation_id, &saga, &incarnation, &key) &&
           !base_slice_equal(saga, plan->plan->saga);
}

static base_status route_event(intake *in, const engine_plan *plan, const saga_event *event,
                               base_error *error)
{
    saga_route route;
    base_error why;
    base_error_clear(&why);
    memset(&route, 0, sizeof(route));
    const base_status status = saga_route_event(plan->plan, event, &in->batch->arena, &route, &why);
    if (base_failed(status)) {
        return base_error_set(error, status.code, "%s", why.text);
    }
    switch (route.kind) {
    case SAGA_ROUTE_NONE:
        if (plan->plan->strict && plan->newest && route.event_index == SAGA_NONE) {
            return dead_letter(in, "unknown_event", plan->plan->saga, NULL, error);
        }
        return base_ok();
    case SAGA_ROUTE_NO_KEY:
        if (!plan->newest || is_of_another_saga(plan, event)) {
            return base_ok();
        }
        return dead_letter(in, "no_key", plan->plan->saga, NULL, error);
    case SAGA_ROUTE_BAD_KEY:
        if (!plan->newest || is_of_another_saga(plan, event)) {
            return base_ok();
        }
        return dead_letter(in, "bad_key", plan->plan->saga, &why, error);
    case SAGA_ROUTE_KEY:
        break;
    }
    if (in->key.data != NULL && !base_slice_equal(in->key, route.key)) {
        return base_ok();
    }
    if (base_partition_of(route.key, in->context->partition_count) != in->partition->number) {
        return in->from_inbox ? dead_letter(in, "misplaced", plan->plan->saga, NULL, error)
                              : forward(in, plan, route.key, error);
    }
    return in->only_forwards ? base_ok() : deliver(in, plan, event, &route, error);
}

static base_status route_plain(intake *in, const engine_plan *plan, base_error *error)
{
    base_error why;
    base_error_clear(&why);
    bool matched = false;
    saga_event *event = BASE_ARENA_NEW(&in->batch->arena, saga_event);
    if (event == NULL) {
        return no_memory(error);
    }
    const base_status status =
        saga_route_plain(plan->plan, &in->plain, &in->batch->arena, &matched, event, &why);
    if (status.code == BASE_OUT_OF_MEMORY) {
        return no_memory(error);
    }
    if (base_failed(status)) {
        return plan->newest ? dead_letter(in, "bad_match", plan->plan->saga, &why, error)
                            : base_ok();
    }
    return matched ? route_event(in, plan, event, error) : base_ok();
}

/* ---- reading ---- */

static bool takes_plain(const engine_topic *topic)
{
    for (size_t i = 0; i < topic->plan_count; i++) {
        if (saga_route_takes_plain(topic->plans[i]->plan, topic->name)) {
            return true;
        }
    }
    return false;
}

/* *readable_out false: it went to the dead letters. */
static base_status read_origin(intake *in, const engine_topic *topic, bool *readable_out,
                               base_error *error)
{
    base_error why;
    base_error_clear(&why);
    *readable_out = false;
    base_status status = schema_envelope_read(in->origin, &in->batch->arena, &in->event, &why);
    in->is_cloud_event = status.code != BASE_NOT_FOUND;
    if (status.code == BASE_NOT_FOUND) {
        if (!takes_plain(topic)) {
            return dead_letter(in, "not_an_event", (base_slice){NULL, 0}, NULL, error);
        }
        base_error_clear(&why);
        status = schema_plain_read(in->origin, &in->batch->arena, &in->plain, &why);
    }
    if (status.code == BASE_OUT_OF_MEMORY) {
        return no_memory(error);
    }
    if (base_failed(status)) {
        return dead_letter(in, "unreadable", (base_slice){NULL, 0}, &why, error);
    }
    *readable_out = true;
    return base_ok();
}

/* Does a plan that reads the topic belong to the saga? Any will do where none is asked for. */
static bool topic_has_saga(const engine_topic *topic, base_slice saga)
{
    for (size_t i = 0; topic != NULL && i < topic->plan_count; i++) {
        if (saga.size == 0 || base_slice_equal(topic->plans[i]->plan->saga, saga)) {
            return true;
        }
    }
    return false;
}

/* Shows the record to every plan that reads its topic. */
static base_status route(intake *in, base_error *error)
{
    engine_catalog *catalog = &in->context->catalog;
    const engine_topic *topic = engine_catalog_source(catalog, in->origin->topic);
    if (!topic_has_saga(topic, in->saga) && in->saga.size > 0) {
        /* Whoever forwarded it knew a definition that has not come here yet. */
        BASE_TRY(engine_catalog_read(catalog, error));
        topic = engine_catalog_source(catalog, in->origin->topic);
    }
    if (!topic_has_saga(topic, in->saga)) {
        return in->saga.size > 0 ? dead_letter(in, "unknown_saga", in->saga, NULL, error)
                                 : base_ok();
    }
    bool readable = false;
    BASE_TRY(read_origin(in, topic, &readable, error));
    if (!readable) {
        return base_ok();
    }
    for (size_t i = 0; i < topic->plan_count; i++) {
        const engine_plan *plan = topic->plans[i];
        if (in->saga.size > 0 && !base_slice_equal(in->saga, plan->plan->saga)) {
            continue;
        }
        if (in->is_cloud_event) {
            BASE_TRY(route_event(in, plan, &in->event, error));
        } else {
            BASE_TRY(route_plain(in, plan, error));
        }
    }
    if (!in->known) {
        in->batch->counted.unmatched++;
    }
    return base_ok();
}

/* ---- events that waited ---- */

static bool still_waits(const engine_working *working, const schema_cause *cause)
{
    for (size_t i = 0; i < working->parked_count; i++) {
        const schema_cause *other = &working->parked[i].cause;
        if (other->offset == cause->offset && other->partition == cause->partition &&
            base_slice_equal(other->topic, cause->topic)) {
            return true;
        }
    }
    return false;
}

/* What waited for an instance comes in, in its order. */
static base_status release(intake *first, base_error *error)
{
    engine_working *working = first->born;
    const size_t count = working->parked_count;
    schema_parked *waiting = BASE_ARENA_ARRAY(&first->batch->arena, schema_parked, count);
    intake *in = BASE_ARENA_NEW(&first->batch->arena, intake);
    if (waiting == NULL || in == NULL) {
        return no_memory(error);
    }
    memcpy(waiting, working->parked, count * sizeof(schema_parked));
    for (size_t i = 0; i < count; i++) {
        *in = (intake){.batch = first->batch,
                       .context = first->context,
                       .partition = first->partition,
                       .origin = &waiting[i].record,
                       .cause = waiting[i].cause,
                       .saga = working->slot->saga,
                       .key = working->slot->key};
        BASE_TRY(route(in, error));
        if (!still_waits(working, &waiting[i].cause)) {
            continue;
        }
        const schema_aside aside = {.kind = SCHEMA_ASIDE_DROP,
                                    .epoch = first->partition->epoch,
                                    .saga = working->slot->saga,
                                    .key = working->slot->key,
                                    .cause = waiting[i].cause};
        BASE_TRY(engine_batch_aside(first->batch, first->context, first->partition, &aside, error));
    }
    return base_ok();
}

/* ---- commands ---- */

static base_status take_command(intake *in, const engine_command *command, base_error *error)
{
    engine_working *working = NULL;
    BASE_TRY(engine_partition_peek(in->partition, command->saga, command->key, &working, error));
    if (working == NULL || !working->has_state || working->plan == NULL) {
        return dead_letter(in, "no_instance", command->saga, NULL, error);
    }
    const saga_input input = {.kind = SAGA_INPUT_COMMAND,
                              .now_ms = in->batch->now_ms,
                              .event_index = SAGA_NONE,
                              .command = command->command};
    schema_cause cause = in->cause;
    cause.kind = SCHEMA_CAUSE_COMMAND;
    const engine_performance performance = {.partition = in->partition,
                                            .working = working,
                                            .plan = working->plan,
                                            .key = command->key,
                                            .input = &input,
                                            .cause = cause,
                                            .position = in->position,
                                            .origin = in->origin};
    return engine_perform(in->batch, in->context, &performance, error);
}

/* What stands in the inbox and was not forwarded can only be a command. */
static base_status take_direct(intake *in, base_error *error)
{
    base_error why;
    base_error_clear(&why);
    engine_command *command = BASE_ARENA_NEW(&in->batch->arena, engine_command);
    if (command == NULL) {
        return no_memory(error);
    }
    base_status status = schema_envelope_read(in->origin, &in->batch->arena, &in->event, &why);
    if (!base_failed(status)) {
        status = engine_command_read(&in->event, in->origin->key, in->context->command_prefix,
                                     &in->batch->arena, command, &why);
    }
    if (status.code == BASE_OUT_OF_MEMORY) {
        return no_memory(error);
    }
    if (base_failed(status)) {
        return dead_letter(in, status.code == BASE_NOT_FOUND ? "unexpected" : "unreadable",
                           (base_slice){NULL, 0}, &why, error);
    }
    if (base_partition_of(command->key, in->context->partition_count) != in->partition->number) {
        return dead_letter(in, "misplaced", command->saga, NULL, error);
    }
    return take_command(in, command, error);
}

static base_status take_inbox(intake *in, const schema_record *record, base_error *error)
{
    base_error why;
    base_error_clear(&why);
    bool forwarded = false;
    schema_record *origin = BASE_ARENA_NEW(&in->batch->arena, schema_record);
    if (origin == NULL) {
        return no_memory(error);
    }
    const base_status status =
        engine_wire_origin(record, &in->batch->arena, &forwarded, &in->saga, origin, &why);
    if (status.code == BASE_OUT_OF_MEMORY) {
        return no_memory(error);
    }
    if (base_failed(status)) {
        return dead_letter(in, "unreadable", (base_slice){NULL, 0}, &why, error);
    }
    in->origin = origin;
    if (!forwarded) {
        return take_direct(in, error);
    }
    in->key = record->key;
    return route(in, error);
}

base_status engine_intake(engine_batch *batch, engine_context *context, engine_partition *partition,
                          size_t source, const schema_record *record, base_error *error)
{
    engine_source *from = &partition->sources[source];
    const bool from_inbox = base_slice_equal(record->topic, context->topics.inbox);
    from->offset = record->offset + 1;
    batch->counted.records++;
    intake *in = BASE_ARENA_NEW(&batch->arena, intake);
    schema_position *position = BASE_ARENA_NEW(&batch->arena, schema_position);
    if (in == NULL || position == NULL) {
        return no_memory(error);
    }
    /* The source's own name outlives the record. */
    *position = (schema_position){from->topic, from->partition, record->offset + 1};
    *in = (intake){.batch = batch,
                   .context = context,
                   .partition = partition,
                   .origin = record,
                   .cause = {.kind = from_inbox ? SCHEMA_CAUSE_INBOX : SCHEMA_CAUSE_SOURCE,
                             .topic = from->topic,
                             .partition = from->partition,
                             .offset = record->offset},
                   .position = position,
                   .from_inbox = from_inbox};
    const engine_poison *poison = engine_batch_poison(batch, batch->item);
    if (poison != NULL) {
        base_error why;
        base_error_clear(&why);
        (void)base_error_set(&why, poison->code, "what it leads to cannot be written: %s",
                             base_status_text(base_status_of(poison->code)));
        return dead_letter(in, "cannot_be_written", (base_slice){NULL, 0}, &why, error);
    }
    BASE_TRY(from_inbox ? take_inbox(in, record, error) : route(in, error));
    return in->born == NULL ? base_ok() : release(in, error);
}

base_status engine_intake_forwards(engine_batch *batch, engine_context *context,
                                   engine_partition *partition, size_t source,
                                   const schema_record *record, base_error *error)
{
    intake *in = BASE_ARENA_NEW(&batch->arena, intake);
    schema_record *copy = BASE_ARENA_NEW(&batch->arena, schema_record);
    schema_position *position = BASE_ARENA_NEW(&batch->arena, schema_position);
    if (in == NULL || copy == NULL || position == NULL ||
        base_failed(engine_wire_copy(record, &batch->arena, copy))) {
        return no_memory(error);
    }
    const engine_source *from = &partition->sources[source];
    *position = (schema_position){from->topic, from->partition, record->offset + 1};
    *in = (intake){.batch = batch,
                   .context = context,
                   .partition = partition,
                   .origin = copy,
                   .position = position,
                   .only_forwards = true};
    return route(in, error);
}
