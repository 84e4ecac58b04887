#include "engine/timers.h"

#include <string.h>

#include "engine/perform.h"

#define FIRE_MAX 256 /* timers of one instance in one batch */

int64_t engine_timers_next(const engine_partition *partition)
{
    const engine_slot *slot = engine_slots_first(&partition->slots);
    return slot == NULL ? ENGINE_NEVER : slot->timer_ms;
}

/* ---- the barrier ---- */

static base_status barrier_take(const engine_context *context, engine_partition *partition,
                                engine_barrier *barrier, int64_t now_ms, base_error *error)
{
    for (size_t i = 0; i < partition->source_count; i++) {
        engine_source *source = &partition->sources[i];
        source->barrier = -1;
        if (!source->assigned || source->stopped) {
            continue;
        }
        int64_t begin = 0;
        int64_t end = 0;
        const base_status status =
            log_range(context->store, source->topic, source->partition, &begin, &end, error);
        if (status.code == BASE_NOT_FOUND) {
            base_error_clear(error); /* its topic is gone: the next poll says so */
            continue;
        }
        BASE_TRY(status);
        source->barrier = end;
    }
    barrier->standing = true;
    barrier->time_ms = now_ms;
    return base_ok();
}

static bool barrier_reached(const engine_partition *partition, const log_reader *reader)
{
    for (size_t i = 0; i < partition->source_count; i++) {
        const engine_source *source = &partition->sources[i];
        if (!source->assigned || source->stopped || source->barrier < 0) {
            continue;
        }
        int64_t position = 0;
        if (base_failed(log_reader_position(reader, source->topic, source->partition, &position)) ||
            position < source->barrier) {
            return false;
        }
    }
    return true;
}

base_status engine_timers_look(const engine_context *context, engine_partition *partition,
                               engine_barrier *barrier, const log_reader *reader, int64_t now_ms,
                               int64_t *until_out, bool *waiting_out, base_error *error)
{
    *until_out = -1;
    *waiting_out = false;
    const int64_t next_ms = engine_timers_next(partition);
    if (next_ms > now_ms) {
        barrier->standing = false;
        return base_ok();
    }
    if (!barrier->standing || barrier->time_ms < next_ms) {
        BASE_TRY(barrier_take(context, partition, barrier, now_ms, error));
    }
    if (!barrier_reached(partition, reader)) {
        *waiting_out = true;
        return base_ok();
    }
    *until_out = barrier->time_ms;
    return base_ok();
}

/* ---- firing ---- */

static base_status give(engine_batch *batch, const engine_context *context,
                        engine_partition *partition, engine_working *working,
                        const saga_input *input, base_error *error)
{
    const engine_performance performance = {.partition = partition,
                                            .working = working,
                                            .plan = working->plan,
                                            .key = working->slot->key,
                                            .input = input,
                                            .cause = {.kind = SCHEMA_CAUSE_TIMER}};
    return engine_perform(batch, context, &performance, error);
}

static base_status give_timer(engine_batch *batch, const engine_context *context,
                              engine_partition *partition, engine_working *working,
                              saga_timer timer, base_error *error)
{
    const saga_input input = {.kind = SAGA_INPUT_TIMER,
                              .now_ms = batch->now_ms,
                              .event_index = SAGA_NONE,
                              .timer = timer};
    const uint64_t seq = working->state.seq;
    BASE_TRY(give(batch, context, partition, working, &input, error));
    const saga_timer *next = saga_state_next_timer(&working->state);
    const bool same = next != NULL && next->kind == timer.kind && next->step == timer.step &&
                      next->number == timer.number && next->order == timer.order;
    if (same || working->state.seq == seq) {
        return base_error_set(error, BASE_CORRUPT,
                              "a timer of \"%.*s\" does not go away when it fires",
                              BASE_SLICE_ARG(working->slot->key));
    }
    return base_ok();
}

static const schema_parked *expired(const engine_working *working, int64_t until_ms)
{
    for (size_t i = 0; i < working->parked_count; i++) {
        if (working->parked[i].until_ms <= until_ms) {
            return &working->parked[i];
        }
    }
    return NULL;
}

/* An event waited long enough for an instance that did not come (9). */
static base_status drop_parked(engine_batch *batch, const engine_context *context,
                               engine_partition *partition, engine_working *working,
                               const schema_parked *item, base_error *error)
{
    const schema_parked parked = *item;
    const schema_aside aside = {.kind = SCHEMA_ASIDE_DROP,
                                .epoch = partition->epoch,
                                .saga = working->slot->saga,
                                .key = working->slot->key,
                                .cause = parked.cause};
    BASE_TRY(engine_batch_letter(batch, context, &parked.record, "no_instance", working->slot->saga,
                                 NULL, error));
    return engine_batch_aside(batch, context, partition, &aside, error);
}

/* The end of an ended instance: first only its key is left, then nothing (10). */
static base_status wind_up(engine_batch *batch, const engine_context *context,
                           engine_partition *partition, engine_working *working, base_error *error)
{
    if ((working->state.flags & SAGA_FLAG_PURGED) != 0) {
        const schema_aside aside = {.kind = SCHEMA_ASIDE_FORGET,
                                    .epoch = partition->epoch,
                                    .saga = working->slot->saga,
                                    .key = working->slot->key};
        return engine_batch_aside(batch, context, partition, &aside, error);
    }
    const saga_input input = {.kind = SAGA_INPUT_COMMAND,
                              .now_ms = batch->now_ms,
                              .event_index = SAGA_NONE,
                              .command = {.kind = SAGA_COMMAND_PURGE,
                                          .who = base_slice_of("engine"),
                                          .reason = base_slice_of("retain is over"),
                                          .data = base_value_null()}};
    BASE_TRY(give(batch, context, partition, working, &input, error));
    if ((working->state.flags & SAGA_FLAG_PURGED) == 0) {
        return base_error_set(error, BASE_CORRUPT, "instance \"%.*s\" cannot be purged",
                              BASE_SLICE_ARG(working->slot->key));
    }
    return base_ok();
}

/* Everything of one instance that is due. */
static base_status fire_slot(engine_batch *batch, const engine_context *context,
                             engine_partition *partition, engine_slot *slot, int64_t until_ms,
                             base_error *error)
{
    engine_working *working = NULL;
    BASE_TRY(engine_partition_peek(partition, slot->saga, slot->key, &working, error));
    if (working->timer_taken == ENGINE_NEVER) {
        working->timer_taken = slot->timer_ms;
    }
    engine_slots_timer_set(&partition->slots, slot, ENGINE_NEVER);
    for (int fired = 0; fired < FIRE_MAX; fired++) {
        const bool alive = working->has_state && working->plan != NULL && !slot->unplanned;
        const saga_timer *timer = alive ? saga_state_next_timer(&working->state) : NULL;
        const schema_parked *item = expired(working, until_ms);
        if (timer != NULL && timer->due_ms <= until_ms) {
            BASE_TRY(give_timer(batch, context, partition, working, *timer, error));
        } else if (item != NULL) {
            BASE_TRY(drop_parked(batch, context, partition, working, item, error));
        } else if (engine_partition_end_ms(working) <= until_ms) {
            BASE_TRY(wind_up(batch, context, partition, working, error));
        } else {
            break;
        }
    }
    return base_ok();
}

base_status engine_timers_fire(engine_batch *batch, engine_context *context,
                               engine_partition *partition, int64_t until_ms, size_t instance_max,
                               base_error *error)
{
    batch->item = ENGINE_ITEM_NONE;
    for (size_t i = 0; i < instance_max; i++) {
        engine_slot *slot = engine_slots_first(&partition->slots);
        if (slot == NULL || slot->timer_ms > until_ms) {
            break;
        }
        batch->timer = slot;
        BASE_TRY(fire_slot(batch, context, partition, slot, until_ms, error));
    }
    batch->timer = NULL;
    return base_ok();
}
