/*
 * The observer: reads the journal as it grows, folds it record by record, and checks every record
 * against what stood there before, with tables of its own. Its folds are what live folds and
 * rebuilds are compared with.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "connectors/log_memory.h"
#include "engine/rebuild.h"
#include "engine/scan.h"
#include "engine/wire.h"
#include "engine/worker_state.h"
#include "schemas/aside.h"
#include "schemas/journal.h"
#include "schemas/snapshot.h"
#include "tests/sim/sim.h"

#define POLL_MAX 1000

static const char *const check_names[SIM_CHECK_COUNT] = {
#define X(name, text) #name,
    SIM_CHECKS(X)
#undef X
};

const char *sim_check_name(sim_check check)
{
    return check_names[check];
}

static void checked(sim *s, sim_check check)
{
    s->totals->checks[check]++;
}

void sim_observer_open(sim *s)
{
    sim_need(s, log_reader_open(s->store, &s->journal, NULL), NULL, "a reader");
    for (int32_t p = 0; p < s->partitions; p++) {
        engine_partition_init(&s->folds[p], p, &s->catalog, &s->silent);
        sim_need(s, log_reader_assign(s->journal, s->topics.journal, p, LOG_OFFSET_BEGIN, NULL),
                 NULL, "the journal");
    }
}

void sim_observer_close(sim *s)
{
    log_reader_close(s->journal);
    for (int32_t p = 0; p < s->partitions; p++) {
        engine_partition_deinit(&s->folds[p]);
    }
    sim_table_deinit(&s->effects);
    sim_table_deinit(&s->purposes);
    sim_table_deinit(&s->sequences);
    sim_table_deinit(&s->positions);
    sim_table_deinit(&s->seen);
}

/* ---- records of the journal ---- */

static void check_positions(sim *s, int32_t partition, const schema_position *positions,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char key[400];
        bool is_new = false;
        const int size = snprintf(key, sizeof(key), "%d %.*s %d", (int)partition,
                                  BASE_SLICE_ARG(positions[i].topic), (int)positions[i].partition);
        uint64_t *last =
            sim_table_put(&s->positions, &s->arena, base_slice_make(key, (size_t)size), &is_new);
        checked(s, SIM_CHECK_POSITION);
        if (positions[i].offset < (int64_t)*last && !s->broken) {
            sim_violate(s, SIM_CHECK_POSITION, "%s went from %lld back to %lld", key,
                        (long long)*last, (long long)positions[i].offset);
        }
        *last = positions[i].offset > (int64_t)*last ? (uint64_t)positions[i].offset : *last;
    }
}

/* A claim may come behind one of the same or a higher epoch: whoever made it could not see that one
 * yet (some transaction was open), and will see that it lost when it reads its claim back. */
static void check_claim(sim *s, int32_t partition, const schema_journal *journal)
{
    checked(s, SIM_CHECK_EPOCH);
    if (journal->epoch > s->claims[partition] + 1 && !s->broken) {
        sim_violate(s, SIM_CHECK_EPOCH, "partition %d: claim of epoch %llu behind one of %llu",
                    (int)partition, (unsigned long long)journal->epoch,
                    (unsigned long long)s->claims[partition]);
    }
    if (journal->epoch > s->claims[partition]) {
        s->claims[partition] = journal->epoch;
    }
}

static void tell_entry(sim *s, const saga_entry *entry)
{
    static const char *const inputs[] = {"event", "timer", "command"};
    sim_tell(s, "  entry %.*s/%d/%.*s %llu: %s %.*s%s", BASE_SLICE_ARG(entry->saga),
             (int)entry->incarnation, BASE_SLICE_ARG(entry->key), (unsigned long long)entry->seq,
             inputs[entry->input.kind],
             entry->input.event == NULL ? 0 : (int)entry->input.event->type.size,
             entry->input.event == NULL ? "" : entry->input.event->type.data,
             entry->input.kind == SAGA_INPUT_TIMER ? saga_timer_kind_name(entry->input.timer.kind)
                                                   : "");
    for (int32_t i = 0; i < entry->effect_count; i++) {
        const saga_effect *effect = &entry->effects[i];
        sim_tell(s, "      %s %.*s step %d try %d gen %d", saga_effect_kind_name(effect->kind),
                 BASE_SLICE_ARG(effect->name), (int)effect->step, (int)effect->try_number,
                 (int)effect->gen);
    }
}

/* An event that comes again (by source and id) is noted, and nothing else (rule 10). */
static void check_duplicate(sim *s, const saga_entry *entry)
{
    const saga_event *event = entry->input.event;
    char key[400];
    bool is_new = false;
    const int size =
        snprintf(key, sizeof(key), "%.*s/%d/%.*s %.*s %.*s", BASE_SLICE_ARG(entry->saga),
                 (int)entry->incarnation, BASE_SLICE_ARG(entry->key), BASE_SLICE_ARG(event->source),
                 BASE_SLICE_ARG(event->id));
    (void)sim_table_put(&s->seen, &s->arena, base_slice_make(key, (size_t)size), &is_new);
    if (is_new) {
        return;
    }
    checked(s, SIM_CHECK_DUPLICATE);
    if (entry->effect_count != 1 || !base_slice_is(entry->effects[0].name, "duplicate")) {
        sim_violate(s, SIM_CHECK_DUPLICATE, "%s counted twice", key);
    }
}

/* false: a duplicate, which the fold ignores. */
static bool check_entry(sim *s, int32_t partition, const saga_entry *entry)
{
    char key[200];
    bool is_new = false;
    const int size = snprintf(key, sizeof(key), "%d %.*s/%.*s", (int)partition,
                              BASE_SLICE_ARG(entry->saga), BASE_SLICE_ARG(entry->key));
    uint64_t *last =
        sim_table_put(&s->sequences, &s->arena, base_slice_make(key, (size_t)size), &is_new);
    checked(s, SIM_CHECK_SEQUENCE);
    if (entry->seq <= *last) {
        if (!s->broken) {
            sim_violate(s, SIM_CHECK_SEQUENCE, "%s has entry %llu twice", key,
                        (unsigned long long)entry->seq);
        }
        return false;
    }
    if (entry->seq != *last + 1) {
        sim_violate(s, SIM_CHECK_SEQUENCE, "%s goes from entry %llu to %llu", key,
                    (unsigned long long)*last, (unsigned long long)entry->seq);
    }
    *last = entry->seq;
    if (base_partition_of(entry->key, s->partitions) != partition) {
        sim_violate(s, SIM_CHECK_SEQUENCE, "%s is in the wrong partition", key);
    }
    if (entry->input.kind == SAGA_INPUT_TIMER) {
        checked(s, SIM_CHECK_TIMER_NOT_EARLY);
        if (entry->input.timer.due_ms > entry->at_ms || entry->at_ms > s->now_ms) {
            sim_violate(s, SIM_CHECK_TIMER_NOT_EARLY, "%s: due at %lld, fired at %lld, it is %lld",
                        key, (long long)entry->input.timer.due_ms, (long long)entry->at_ms,
                        (long long)s->now_ms);
        }
    }
    if (entry->input.kind == SAGA_INPUT_EVENT) {
        check_duplicate(s, entry);
    }
    s->totals->entries++;
    tell_entry(s, entry);
    return true;
}

static void check_aside(sim *s, int32_t partition, const schema_record *record, base_arena *arena)
{
    schema_aside aside;
    const base_status status = schema_aside_read(record->value, arena, &aside, NULL);
    if (base_failed(status)) {
        sim_violate(s, SIM_CHECK_READABLE, "journal %d/%lld cannot be read", (int)partition,
                    (long long)record->offset);
    } else if (aside.epoch >= s->claims[partition]) {
        check_positions(s, partition, aside.positions, aside.position_count);
    }
}

static void check_record(sim *s, const schema_record *record, base_arena *arena)
{
    const int32_t partition = record->partition;
    schema_journal journal;
    checked(s, SIM_CHECK_READABLE);
    const base_status status = schema_journal_read(record->value, arena, &journal, NULL);
    if (status.code == BASE_UNSUPPORTED) {
        check_aside(s, partition, record, arena);
        return;
    }
    if (base_failed(status)) {
        sim_violate(s, SIM_CHECK_READABLE, "journal %d/%lld cannot be read", (int)partition,
                    (long long)record->offset);
        return;
    }
    if (journal.kind == SCHEMA_JOURNAL_CLAIM) {
        check_claim(s, partition, &journal);
        return;
    }
    checked(s, SIM_CHECK_EPOCH);
    if (journal.epoch != s->claims[partition]) {
        if (journal.epoch > s->claims[partition] || !s->broken) {
            sim_violate(s, SIM_CHECK_EPOCH, "journal %d/%lld is of epoch %llu, the claim of %llu",
                        (int)partition, (long long)record->offset,
                        (unsigned long long)journal.epoch,
                        (unsigned long long)s->claims[partition]);
        }
        return;
    }
    if (journal.kind != SCHEMA_JOURNAL_ENTRY || check_entry(s, partition, &journal.entry)) {
        check_positions(s, partition, journal.positions, journal.position_count);
    }
}

void sim_observe(sim *s)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    for (size_t count = 1; count > 0 && !s->down;) {
        const schema_record *records = NULL;
        sim_need(s, log_reader_poll(s->journal, 0, POLL_MAX, &records, &count, NULL), NULL,
                 "a poll of the journal");
        s->changed = s->changed || count > 0;
        for (size_t i = 0; i < count; i++) {
            base_arena_reset(&arena);
            sim_mix(s, records[i].value);
            check_record(s, &records[i], &arena);
            sim_need(s, engine_rebuild_journal(&s->folds[records[i].partition], &records[i], NULL),
                     NULL, "a fold");
        }
    }
    for (int32_t p = 0; p < s->partitions; p++) {
        sim_need(s, engine_partition_commit(&s->folds[p], NULL), NULL, "a fold");
    }
    base_arena_deinit(&arena);
}

/* ---- effects ---- */

void sim_observe_effect(sim *s, const schema_record *record, const saga_event *event)
{
    bool is_new = false;
    uint64_t *known = sim_table_put(&s->effects, &s->arena, event->id, &is_new);
    const uint64_t content = base_hash64(record->value, base_hash64(event->type, 1)) | 1;
    sim_mix(s, event->id);
    sim_tell(s, "effect %.*s %.*s %.*s try %d: %.*s", BASE_SLICE_ARG(event->correlation_id),
             BASE_SLICE_ARG(event->type), BASE_SLICE_ARG(event->saga_key), (int)event->saga_try,
             record->value.size > 120 ? 120 : (int)record->value.size, record->value.data);
    checked(s, SIM_CHECK_ONE_EFFECT);
    if (!is_new && *known != content && !s->ghosts) {
        sim_violate(s, SIM_CHECK_ONE_EFFECT, "%.*s has the id %.*s with two contents",
                    BASE_SLICE_ARG(event->type), BASE_SLICE_ARG(event->id));
    }
    if (!is_new && !s->broken && !s->hidden) {
        sim_violate(s, SIM_CHECK_ONE_EFFECT, "%.*s with the id %.*s is on the log twice",
                    BASE_SLICE_ARG(event->type), BASE_SLICE_ARG(event->id));
    }
    *known = content;
    if (event->saga_key.size == 0) {
        return;
    }
    char purpose[600];
    const int size = snprintf(purpose, sizeof(purpose), "%.*s %.*s %.*s %.*s %d",
                              BASE_SLICE_ARG(event->correlation_id),
                              BASE_SLICE_ARG(event->saga_step), BASE_SLICE_ARG(event->type),
                              BASE_SLICE_ARG(event->saga_key), (int)event->saga_try);
    uint64_t *id =
        sim_table_put(&s->purposes, &s->arena, base_slice_make(purpose, (size_t)size), &is_new);
    const uint64_t this_id = base_hash64(event->id, 2) | 1;
    if (!is_new && *id != this_id) {
        sim_violate(s, SIM_CHECK_ONE_EFFECT, "two effects for %s", purpose);
    }
    *id = this_id;
}

/* ---- states ---- */

const saga_state *sim_state(sim *s, base_slice saga, base_slice key, base_arena *arena)
{
    const engine_partition *fold = &s->folds[base_partition_of(key, s->partitions)];
    const engine_slot *slot = engine_slots_find(&fold->slots, saga, key);
    if (slot == NULL || slot->state.data == NULL) {
        return NULL;
    }
    saga_state *state = BASE_ARENA_NEW(arena, saga_state);
    BASE_ASSERT(state != NULL);
    sim_need(s, schema_snapshot_read(slot->state, arena, state, NULL), NULL, "a state");
    return state;
}

bool sim_all_ended(sim *s)
{
    base_arena arena;
    bool ended = true;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    for (int32_t p = 0; p < s->partitions; p++) {
        ended = ended && s->folds[p].parked_count == 0;
    }
    for (int32_t i = 0; i < s->instance_count && ended; i++) {
        const sim_instance *instance = &s->instances[i];
        const saga_state *state =
            sim_state(s, instance->saga->plan->saga, base_slice_of(instance->key), &arena);
        ended = instance->huge || (state == NULL ? !instance->started : saga_state_ended(state));
        for (int32_t k = 0; state != NULL && k < state->step_count && !instance->huge; k++) {
            ended = ended && saga_u_settled((saga_u)state->steps[k].u);
        }
        base_arena_reset(&arena);
    }
    base_arena_deinit(&arena);
    return ended;
}

/* ---- comparing ---- */

static base_slice image(sim *s, engine_partition *fold, base_arena *arena)
{
    base_slice bytes = {NULL, 0};
    sim_need(s, engine_rebuild_image(fold, arena, &bytes, NULL), NULL, "an image");
    return bytes;
}

/* For the story: where two folds differ. */
static void tell_difference(sim *s, const engine_partition *mine, const engine_partition *other)
{
    for (size_t i = 0; i < mine->source_count; i++) {
        for (size_t k = 0; k < other->source_count; k++) {
            const engine_source *a = &mine->sources[i];
            const engine_source *b = &other->sources[k];
            if (a->partition == b->partition && base_slice_equal(a->topic, b->topic) &&
                (a->offset != b->offset || a->known != b->known)) {
                sim_tell(s, "source %.*s/%d: %lld and %lld", BASE_SLICE_ARG(a->topic),
                         (int)a->partition, (long long)a->offset, (long long)b->offset);
            }
        }
    }
    size_t bucket = 0;
    for (const engine_slot *slot = engine_slots_next(&mine->slots, &bucket, NULL); slot != NULL;
         slot = engine_slots_next(&mine->slots, &bucket, slot)) {
        const engine_slot *same = engine_slots_find(&other->slots, slot->saga, slot->key);
        const size_t size = same == NULL ? 0 : same->state.size;
        if (same == NULL || !base_slice_equal(same->state, slot->state) ||
            !base_slice_equal(same->parked, slot->parked) || same->timer_ms != slot->timer_ms) {
            sim_tell(s,
                     "slot %.*s/%.*s: %zu and %zu bytes, parked %zu and %zu, timer %lld and %lld",
                     BASE_SLICE_ARG(slot->saga), BASE_SLICE_ARG(slot->key), slot->state.size, size,
                     slot->parked.size, same == NULL ? 0 : same->parked.size,
                     (long long)slot->timer_ms, same == NULL ? 0 : (long long)same->timer_ms);
        }
    }
    sim_tell(s, "%zu and %zu slots, %zu and %zu wait, epochs %llu and %llu", mine->slots.count,
             other->slots.count, mine->parked_count, other->parked_count,
             (unsigned long long)mine->epoch, (unsigned long long)other->epoch);
}

static void compare(sim *s, sim_check check, engine_partition *fold, base_slice mine,
                    base_arena *arena)
{
    const int32_t partition = fold->number;
    const base_slice other = image(s, fold, arena);
    checked(s, check);
    if (!base_slice_equal(mine, other)) {
        tell_difference(s, &s->folds[partition], fold);
        sim_violate(s, check, "partition %d differs: %zu bytes and %zu bytes", (int)partition,
                    mine.size, other.size);
    }
}

static void compare_rebuilt(sim *s, sim_check check, int32_t partition, bool snapshots,
                            base_slice mine, base_arena *arena)
{
    engine_partition fold;
    base_error error;
    base_error_clear(&error);
    engine_partition_init(&fold, partition, &s->catalog, &s->silent);
    sim_need(s, engine_rebuild(&fold, s->store, snapshots, INT64_MAX, NULL, &error), &error,
             "a rebuild");
    compare(s, check, &fold, mine, arena);
    engine_partition_deinit(&fold);
}

/* Has the engine given up on a timer, because what it leads to is too large for the log? Then the
 * live fold leaves it out until a restart. */
static bool any_stalled(const engine_partition *fold)
{
    size_t bucket = 0;
    bool stalled = false;
    for (const engine_slot *slot = engine_slots_next(&fold->slots, &bucket, NULL); slot != NULL;
         slot = engine_slots_next(&fold->slots, &bucket, slot)) {
        stalled = stalled || slot->stalled;
    }
    return stalled;
}

/* A worker whose epoch is the newest has all that is committed. */
static void compare_live(sim *s, int32_t partition, base_slice mine, base_arena *arena)
{
    for (int32_t i = 0; i < SIM_WORKER_MAX; i++) {
        const engine_worker *worker = s->workers[i].worker;
        if (worker == NULL || worker->pending) {
            continue;
        }
        engine_partition *fold = engine_worker_partition(worker, partition);
        if (fold != NULL && fold->epoch == s->folds[partition].epoch && !any_stalled(fold)) {
            compare(s, SIM_CHECK_LIVE_IS_REBUILT, fold, mine, arena);
        }
    }
}

static uint64_t records_there_are(void *context);

void sim_compare(sim *s, bool all)
{
    base_arena arena;
    if (s->down || s->failed) {
        return;
    }
    base_arena_init(&arena, (size_t)256 * 1024 * 1024);
    const uint64_t before = all ? records_there_are(s) : 0;
    for (int32_t p = 0; p < s->partitions && !s->failed; p++) {
        const base_slice mine = image(s, &s->folds[p], &arena);
        compare_live(s, p, mine, &arena);
        compare_rebuilt(s, SIM_CHECK_SNAPSHOT_IS_REBUILT, p, true, mine, &arena);
        if (all) {
            compare_rebuilt(s, SIM_CHECK_ZERO_IS_REBUILT, p, false, mine, &arena);
            sim_mix(s, mine);
        }
        base_arena_reset(&arena);
    }
    if (all) {
        checked(s, SIM_CHECK_REPLAY_SILENT);
        if (records_there_are(s) != before) {
            sim_violate(s, SIM_CHECK_REPLAY_SILENT, "there are more records after a rebuild");
        }
    }
    base_arena_deinit(&arena);
}

typedef struct record_count {
    sim *s;
    uint64_t count;
} record_count;

static void count_topic(void *context, base_slice topic, int32_t partitions)
{
    record_count *counting = (record_count *)context;
    for (int32_t p = 0; p < partitions; p++) {
        int64_t begin = 0;
        int64_t end = 0;
        sim_need(counting->s, log_range(counting->s->store, topic, p, &begin, &end, NULL), NULL,
                 "a range");
        counting->count += (uint64_t)end;
    }
}

static uint64_t records_there_are(void *context)
{
    record_count counting = {.s = (sim *)context};
    /* log_topics_list holds the log while it calls: names first, then ranges. */
    sim *s = counting.s;
    const base_slice own[] = {s->topics.inbox, s->topics.journal, s->topics.events,
                              s->topics.snapshots, s->topics.dead_letters};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        int32_t partitions = 0;
        sim_need(s, log_topic_partitions(s->store, own[i], &partitions, NULL), NULL, "a topic");
        count_topic(&counting, own[i], partitions);
    }
    for (int32_t i = 0; i < s->saga_count; i++) {
        for (int32_t k = 0; k < s->sagas[i].plan->service_count; k++) {
            const base_slice asks = s->sagas[i].plan->services[k].asks;
            int32_t partitions = 0;
            sim_need(s, log_topic_partitions(s->store, asks, &partitions, NULL), NULL, "a topic");
            count_topic(&counting, asks, partitions);
        }
    }
    return counting.count;
}

/* ---- the end ---- */

static void check_step(sim *s, const sim_instance *instance, const saga_state *state, int32_t i)
{
    const saga_step *plan = &instance->saga->plan->steps[i];
    const saga_step_state *step = &state->steps[i];
    const sim_effect *effect = &instance->effects[i];
    const bool undoable =
        (plan->undo.kind == SAGA_UNDO_ASKED || plan->undo.kind == SAGA_UNDO_REACTIVE) &&
        (step->flags & SAGA_STEP_UNDO_VOID) == 0 && plan->late != SAGA_LATE_IGNORE &&
        /* Its answer was lost, and the saga says that it is not undone then. */
        (step->f != SAGA_F_UNKNOWN || (plan->undo.of & SAGA_OF_UNKNOWN) != 0);
    const bool counts = step->f == SAGA_F_DONE && (step->flags & SAGA_STEP_LATE) == 0 &&
                        (step->u == SAGA_U_NO || step->u == SAGA_U_RELEASED);
    const char *const phase = saga_phase_name((saga_phase)state->phase);
    if (state->phase == SAGA_PHASE_COMPLETED) {
        checked(s, SIM_CHECK_G1);
        if (counts ? !effect->exists && plan->ask != SAGA_NONE
                   : undoable && effect->exists && !effect->given_up) {
            sim_violate(s, SIM_CHECK_G1, "%s %.*s %s: step %.*s is %s/%s and its effect %s",
                        instance->key, BASE_SLICE_ARG(instance->saga->plan->saga), phase,
                        BASE_SLICE_ARG(plan->name), saga_f_name((saga_f)step->f),
                        saga_u_name((saga_u)step->u), effect->exists ? "exists" : "is not there");
        }
    }
    if (state->phase == SAGA_PHASE_COMPENSATED) {
        checked(s, SIM_CHECK_G2);
        if (effect->exists && (undoable || plan->pivot)) {
            sim_violate(s, SIM_CHECK_G2, "%s %.*s %s: step %.*s is %s/%s and its effect exists",
                        instance->key, BASE_SLICE_ARG(instance->saga->plan->saga), phase,
                        BASE_SLICE_ARG(plan->name), saga_f_name((saga_f)step->f),
                        saga_u_name((saga_u)step->u));
        }
    }
    if (state->phase == SAGA_PHASE_DAMAGED) {
        checked(s, SIM_CHECK_G3);
        if (undoable && effect->exists && !counts && !effect->given_up) {
            sim_violate(s, SIM_CHECK_G3, "%s %.*s %s: step %.*s is %s/%s, nobody gave it up",
                        instance->key, BASE_SLICE_ARG(instance->saga->plan->saga), phase,
                        BASE_SLICE_ARG(plan->name), saga_f_name((saga_f)step->f),
                        saga_u_name((saga_u)step->u));
        }
    }
}

static void check_instance(sim *s, const sim_instance *instance, base_arena *arena)
{
    const saga_state *state =
        sim_state(s, instance->saga->plan->saga, base_slice_of(instance->key), arena);
    if (instance->started) {
        checked(s, SIM_CHECK_START_KEPT);
        if (state == NULL && !instance->huge) {
            sim_violate(s, SIM_CHECK_START_KEPT, "%s of %.*s was started and is not there",
                        instance->key, BASE_SLICE_ARG(instance->saga->plan->saga));
        }
    }
    if (state == NULL || state->incarnation != instance->incarnation) {
        return;
    }
    if (instance->huge && !saga_state_ended(state)) {
        return; /* what it leads to may be too large for the log: left alone, and logged */
    }
    checked(s, SIM_CHECK_ENDS);
    if (!saga_state_ended(state)) {
        sim_violate(s, SIM_CHECK_ENDS, "%s of %.*s is %s%s", instance->key,
                    BASE_SLICE_ARG(instance->saga->plan->saga),
                    saga_phase_name((saga_phase)state->phase),
                    saga_state_stuck(state) ? " and stuck" : "");
        return;
    }
    s->totals->instances++;
    s->totals->ends[state->phase]++;
    for (int32_t i = 0; i < state->step_count && !instance->huge && !s->ghosts; i++) {
        check_step(s, instance, state, i);
    }
}

static base_status each_letter(void *context, const schema_record *record, base_error *error)
{
    (void)error;
    sim *s = (sim *)context;
    for (size_t i = 0; i < s->letter_count; i++) {
        if (base_slice_equal(s->letters[i].value, record->value)) {
            s->letters[i].found = true;
        }
    }
    return base_ok();
}

void sim_check_end(sim *s)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    for (int32_t i = 0; i < s->instance_count && !s->failed; i++) {
        check_instance(s, &s->instances[i], &arena);
        base_arena_reset(&arena);
    }
    base_arena_deinit(&arena);
    int32_t partitions = 0;
    sim_need(s, log_topic_partitions(s->store, s->topics.dead_letters, &partitions, NULL), NULL,
             "the dead letters");
    for (int32_t p = 0; p < partitions; p++) {
        int64_t offset = LOG_OFFSET_BEGIN;
        sim_need(s, engine_scan(s->store, s->topics.dead_letters, p, &offset, each_letter, s, NULL),
                 NULL, "the dead letters");
    }
    for (size_t i = 0; i < s->letter_count; i++) {
        checked(s, SIM_CHECK_POISON_SET_ASIDE);
        /* Of half a commit the letter may be the lost half, and a take-over proves events and
         * forwards only. */
        if (!s->letters[i].found && !s->ghosts) {
            sim_violate(s, SIM_CHECK_POISON_SET_ASIDE, "%.*s is not in the dead letters",
                        BASE_SLICE_ARG(s->letters[i].value));
        }
    }
    s->totals->records += records_there_are(s);
}
