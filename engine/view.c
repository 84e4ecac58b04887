#include "engine/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/memory.h"
#include "engine/rebuild.h"
#include "engine/scan.h"

base_status engine_view_open(engine_view *view, log_store *store, base_slice prefix,
                             const engine_logger *logger, base_error *error)
{
    memset(view, 0, sizeof(*view));
    view->store = store;
    view->logger = logger;
    base_arena_init(&view->arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    engine_catalog_init(&view->catalog, store, &view->topics, logger);
    if (base_failed(engine_topics_name(prefix, &view->arena, &view->topics))) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a view");
    }
    const base_status found =
        log_topic_partitions(store, view->topics.journal, &view->partition_count, error);
    if (found.code == BASE_NOT_FOUND) {
        base_error_hint(error, "no engine has run here with this prefix");
    }
    BASE_TRY(found);
    return engine_catalog_read(&view->catalog, error);
}

void engine_view_close(engine_view *view)
{
    engine_catalog_deinit(&view->catalog);
    base_arena_deinit(&view->arena);
    memset(view, 0, sizeof(*view));
}

/* ---- instances ---- */

static bool slot_fits(const engine_slot *slot, const engine_filter *filter)
{
    return slot->state.data != NULL &&
           (filter->saga.size == 0 || base_slice_equal(filter->saga, slot->saga)) &&
           (filter->key.size == 0 || base_slice_equal(filter->key, slot->key));
}

static bool state_fits(const saga_state *state, const engine_filter *filter)
{
    if (filter->phases != 0 && (filter->phases & (UINT32_C(1) << state->phase)) == 0) {
        return false;
    }
    if (filter->stuck && !saga_state_stuck(state)) {
        return false;
    }
    return filter->started_before_ms == 0 || state->started_ms < filter->started_before_ms;
}

static int by_saga_and_key(const void *a, const void *b)
{
    const engine_slot *one = *(const engine_slot *const *)a;
    const engine_slot *two = *(const engine_slot *const *)b;
    const int order = base_slice_compare(one->saga, two->saga);
    return order != 0 ? order : base_slice_compare(one->key, two->key);
}

static base_status hand_out(engine_view *view, const engine_partition *fold,
                            const engine_slot *slot, const engine_filter *filter, base_arena *arena,
                            base_status (*each)(void *context, const engine_instance *instance,
                                                base_error *error),
                            void *context, base_error *error)
{
    saga_state state;
    base_arena_reset(arena);
    BASE_TRY(schema_snapshot_read(slot->state, arena, &state, error));
    if (!state_fits(&state, filter)) {
        return base_ok();
    }
    const engine_plan *plan = engine_catalog_plan(&view->catalog, state.plan_hash);
    const engine_instance instance = {.saga = slot->saga,
                                      .key = slot->key,
                                      .partition = fold->number,
                                      .plan = plan == NULL ? NULL : plan->plan,
                                      .state = &state,
                                      .stuck = saga_state_stuck(&state)};
    return each(context, &instance, error);
}

static base_status list_partition(engine_view *view, int32_t number, const engine_filter *filter,
                                  base_status (*each)(void *context,
                                                      const engine_instance *instance,
                                                      base_error *error),
                                  void *context, base_error *error)
{
    engine_partition fold;
    base_arena arena;
    engine_partition_init(&fold, number, &view->catalog, view->logger);
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    const engine_slot **slots = NULL;
    size_t count = 0;
    base_status status = engine_rebuild(&fold, view->store, true, INT64_MAX, NULL, error);
    if (!base_failed(status)) {
        slots =
            (const engine_slot **)engine_memory_new(fold.slots.count, sizeof(const engine_slot *));
        size_t bucket = 0;
        for (const engine_slot *slot = engine_slots_next(&fold.slots, &bucket, NULL); slot != NULL;
             slot = engine_slots_next(&fold.slots, &bucket, slot)) {
            if (slot_fits(slot, filter)) {
                slots[count++] = slot;
            }
        }
        qsort((void *)slots, count, sizeof(const engine_slot *), by_saga_and_key);
    }
    for (size_t i = 0; i < count && !base_failed(status); i++) {
        status = hand_out(view, &fold, slots[i], filter, &arena, each, context, error);
    }
    engine_memory_free((const void *)slots);
    base_arena_deinit(&arena);
    engine_partition_deinit(&fold);
    return status;
}

base_status engine_view_list(engine_view *view, const engine_filter *filter,
                             base_status (*each)(void *context, const engine_instance *instance,
                                                 base_error *error),
                             void *context, base_error *error)
{
    if (filter->key.size > 0) {
        return list_partition(view, base_partition_of(filter->key, view->partition_count), filter,
                              each, context, error);
    }
    for (int32_t i = 0; i < view->partition_count; i++) {
        BASE_TRY(list_partition(view, i, filter, each, context, error));
    }
    return base_ok();
}

/* ---- the history of one ---- */

typedef struct history_run {
    engine_view *view;
    engine_partition fold;
    base_slice saga;
    base_slice key;
    base_arena arena; /* one record */
    base_status (*each)(void *context, const engine_moment *moment, base_error *error);
    void *context;
} history_run;

/* Is the record one that the instance's fold needs: a claim, or about its key? */
static bool concerns(const history_run *run, const schema_record *record)
{
    return record->key.size == 0 || base_slice_equal(record->key, run->key);
}

static base_status tell(history_run *run, const schema_record *record,
                        const schema_journal *journal, base_error *error)
{
    engine_working *working = NULL;
    BASE_TRY(engine_partition_peek(&run->fold, run->saga, run->key, &working, error));
    if (working == NULL) {
        return base_ok();
    }
    const engine_moment moment = {.partition = record->partition,
                                  .offset = record->offset,
                                  .epoch = journal->epoch,
                                  .cause = journal->cause,
                                  .entry = &journal->entry,
                                  .plan = working->plan == NULL ? NULL : working->plan->plan,
                                  .state = &working->state};
    return run->each(run->context, &moment, error);
}

static base_status each_record(void *context, const schema_record *record, base_error *error)
{
    history_run *run = (history_run *)context;
    if (!concerns(run, record)) {
        return base_ok();
    }
    const uint64_t before = run->fold.counters.entries;
    BASE_TRY(engine_rebuild_journal(&run->fold, record, error));
    schema_journal journal;
    base_arena_reset(&run->arena);
    if (base_failed(schema_journal_read(record->value, &run->arena, &journal, NULL)) ||
        journal.kind != SCHEMA_JOURNAL_ENTRY || run->fold.counters.entries == before ||
        !base_slice_equal(journal.entry.saga, run->saga)) {
        return base_ok();
    }
    return tell(run, record, &journal, error);
}

base_status engine_view_history(engine_view *view, base_slice saga, base_slice key,
                                base_status (*each)(void *context, const engine_moment *moment,
                                                    base_error *error),
                                void *context, base_error *error)
{
    history_run run = {.view = view, .saga = saga, .key = key, .each = each, .context = context};
    const int32_t number = base_partition_of(key, view->partition_count);
    int64_t offset = LOG_OFFSET_BEGIN;
    base_arena_init(&run.arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    engine_partition_init(&run.fold, number, &view->catalog, view->logger);
    const base_status status =
        engine_scan(view->store, view->topics.journal, number, &offset, each_record, &run, error);
    engine_partition_deinit(&run.fold);
    base_arena_deinit(&run.arena);
    return status;
}

/* ---- proof ---- */

static base_status image(engine_view *view, int32_t number, bool use_snapshots, int64_t until,
                         int64_t *end_out, base_arena *arena, base_slice *bytes_out,
                         base_error *error)
{
    engine_partition fold;
    engine_partition_init(&fold, number, &view->catalog, view->logger);
    base_status status = engine_rebuild(&fold, view->store, use_snapshots, until, end_out, error);
    if (!base_failed(status)) {
        status = engine_rebuild_image(&fold, arena, bytes_out, error);
    }
    engine_partition_deinit(&fold);
    return status;
}

base_status engine_view_verify(engine_view *view, int32_t partition, bool *same_out,
                               base_error *error)
{
    base_arena arena;
    base_slice zero = {NULL, 0};
    base_slice snapshots = {NULL, 0};
    int64_t end = 0;
    base_arena_init(&arena, (size_t)4 * 1024 * 1024 * 1024);
    /* Snapshots first: those that an engine writes meanwhile would be newer than an end that was
     * looked at before. */
    base_status status = image(view, partition, true, INT64_MAX, &end, &arena, &snapshots, error);
    if (!base_failed(status)) {
        status = image(view, partition, false, end, NULL, &arena, &zero, error);
    }
    if (!base_failed(status)) {
        *same_out = base_slice_equal(zero, snapshots);
    }
    base_arena_deinit(&arena);
    return status;
}
