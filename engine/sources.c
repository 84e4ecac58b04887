#include "engine/sources.h"

#include <string.h>

#include "engine/memory.h"

#define LOOK_AGAIN_MS 30000 /* topics may grow, or come to be */
#define CREATE_TIMEOUT_MS 10000

void engine_sources_init(engine_sources *sources)
{
    *sources = (engine_sources){.stale = true};
}

void engine_sources_deinit(engine_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        engine_memory_free(sources->topics[i].name.data);
    }
    engine_memory_free(sources->topics);
    *sources = (engine_sources){.count = 0};
}

bool engine_sources_due(const engine_sources *sources, const engine_context *context)
{
    return sources->stale ||
           engine_steady_ms(&context->clock) - sources->looked_ms >= LOOK_AGAIN_MS;
}

static engine_topic_seen *seen_of(engine_sources *sources, base_slice topic)
{
    for (size_t i = 0; i < sources->count; i++) {
        if (base_slice_equal(sources->topics[i].name, topic)) {
            return &sources->topics[i];
        }
    }
    sources->topics = (engine_topic_seen *)engine_memory_reserve(
        sources->topics, &sources->capacity, sources->count + 1, sizeof(engine_topic_seen));
    sources->topics[sources->count] = (engine_topic_seen){.name = engine_memory_copy(topic)};
    return &sources->topics[sources->count++];
}

/* ---- topics ---- */

static base_status topic_make(const engine_context *context, base_slice topic, base_error *error)
{
    const log_topic_options options = {.name = topic,
                                       .partition_count = context->partition_count,
                                       .replication = (int16_t)context->config->replication,
                                       .cleanup = LOG_CLEANUP_DELETE,
                                       .retention_ms = -1,
                                       .retention_size = -1};
    return log_topics_ensure(context->store, &options, 1, CREATE_TIMEOUT_MS, error);
}

/* How many partitions; 0 where it is not there and cannot be made. */
static base_status topic_count(const engine_context *context, base_slice topic, int32_t *count_out,
                               base_error *error)
{
    base_status status = log_topic_partitions(context->store, topic, count_out, error);
    if (status.code != BASE_NOT_FOUND) {
        return status;
    }
    base_error_clear(error);
    *count_out = 0;
    if (context->config->create_source_topics) {
        status = topic_make(context, topic, error);
        if (!base_failed(status)) {
            return log_topic_partitions(context->store, topic, count_out, error);
        }
    }
    if (base_status_class(status) != BASE_CLASS_RETRY) {
        engine_log_failure(&context->logger, ENGINE_LOG_WARN, "a topic of the sagas is missing",
                           status, error);
        base_error_clear(error);
        return base_ok();
    }
    return status;
}

base_status engine_sources_look(engine_sources *sources, engine_context *context, base_error *error)
{
    base_error ignored;
    base_error *reason = error == NULL ? &ignored : error;
    base_error_clear(reason);
    const engine_catalog *catalog = &context->catalog;
    for (size_t i = 0; i < catalog->source_count; i++) {
        int32_t count = 0;
        BASE_TRY(topic_count(context, catalog->sources[i].name, &count, reason));
        engine_topic_seen *seen = seen_of(sources, catalog->sources[i].name);
        if (seen->first_count == 0) {
            seen->first_count = count;
        }
        seen->partition_count = count;
    }
    for (size_t i = 0; i < catalog->output_count; i++) {
        int32_t count = 0;
        BASE_TRY(topic_count(context, catalog->outputs[i], &count, reason));
    }
    sources->looked_ms = engine_steady_ms(&context->clock);
    sources->stale = false;
    return base_ok();
}

/* ---- first positions ---- */

static base_status first_position(const engine_context *context, base_slice topic,
                                  int32_t partition, bool from_beginning, int64_t *offset_out,
                                  base_error *error)
{
    int64_t begin = 0;
    int64_t end = 0;
    BASE_TRY(log_range(context->store, topic, partition, &begin, &end, error));
    *offset_out = from_beginning ? begin : end;
    return base_ok();
}

typedef struct new_positions {
    schema_position *items;
    size_t count;
    size_t capacity;
} new_positions;

static base_status position_add(const engine_context *context, engine_partition *fold,
                                base_slice topic, int32_t partition, bool from_beginning,
                                new_positions *list, base_error *error)
{
    const engine_source *source = engine_partition_source_of(fold, topic, partition);
    if (source->known) {
        return base_ok();
    }
    int64_t offset = 0;
    BASE_TRY(first_position(context, topic, partition, from_beginning, &offset, error));
    list->items = (schema_position *)engine_memory_reserve(
        list->items, &list->capacity, list->count + 1, sizeof(schema_position));
    list->items[list->count++] = (schema_position){topic, partition, offset};
    return base_ok();
}

static base_status positions_collect(const engine_sources *sources, engine_context *context,
                                     engine_partition *fold, new_positions *list, base_error *error)
{
    BASE_TRY(position_add(context, fold, context->topics.inbox, fold->number, true, list, error));
    const bool earliest = context->config->from == ENGINE_FROM_EARLIEST;
    for (size_t i = 0; i < sources->count; i++) {
        const engine_topic_seen *topic = &sources->topics[i];
        for (int32_t q = fold->number; q < topic->partition_count; q += context->partition_count) {
            const bool grown = q >= topic->first_count;
            BASE_TRY(position_add(context, fold, topic->name, q, earliest || grown, list, error));
        }
    }
    return base_ok();
}

base_status engine_sources_record(const engine_sources *sources, engine_context *context,
                                  engine_batch *batch, engine_holding *holding, bool *new_out,
                                  base_error *error)
{
    new_positions list = {.count = 0};
    base_status status = positions_collect(sources, context, &holding->fold, &list, error);
    if (!base_failed(status) && list.count > 0) {
        const schema_journal journal = {.kind = SCHEMA_JOURNAL_POSITION,
                                        .epoch = holding->fold.epoch,
                                        .positions = list.items,
                                        .position_count = list.count};
        status = engine_batch_journal(batch, context, &holding->fold, &journal, error);
    }
    if (!base_failed(status)) {
        *new_out = list.count > 0;
    }
    engine_memory_free(list.items);
    return status;
}

/* ---- reading ---- */

static base_status assign_one(const engine_context *context, engine_holding *holding,
                              base_slice topic, int32_t partition, log_reader *reader,
                              base_error *error)
{
    engine_partition *fold = &holding->fold;
    engine_source *source = engine_partition_source_of(fold, topic, partition);
    if (source->assigned || source->stopped || !source->known_committed) {
        return base_ok();
    }
    BASE_TRY(log_reader_assign(reader, source->topic, partition, source->committed, error));
    source->assigned = true;
    source->barrier = -1;
    ENGINE_LOG(&context->logger, ENGINE_LOG_DEBUG, "source read",
               ENGINE_TEXT("topic", source->topic), ENGINE_NUMBER("partition", partition),
               ENGINE_NUMBER("offset", source->committed));
    return base_ok();
}

base_status engine_sources_assign(const engine_sources *sources, const engine_context *context,
                                  engine_holding *holding, log_reader *reader, base_error *error)
{
    const int32_t number = holding->fold.number;
    BASE_TRY(assign_one(context, holding, context->topics.inbox, number, reader, error));
    for (size_t i = 0; i < sources->count; i++) {
        const engine_topic_seen *topic = &sources->topics[i];
        for (int32_t q = number; q < topic->partition_count; q += context->partition_count) {
            BASE_TRY(assign_one(context, holding, topic->name, q, reader, error));
        }
    }
    holding->barrier.standing = false; /* it did not know of the new ones */
    return base_ok();
}

void engine_sources_unassign(engine_holding *holding, log_reader *reader)
{
    for (size_t i = 0; i < holding->fold.source_count; i++) {
        engine_source *source = &holding->fold.sources[i];
        if (source->assigned) {
            const base_status status =
                log_reader_unassign(reader, source->topic, source->partition, NULL);
            (void)status; /* not being read is what is wanted */
            source->assigned = false;
        }
    }
}

/* ---- lost positions ---- */

static void stop(const engine_context *context, engine_source *source, const char *why,
                 int64_t begin)
{
    source->stopped = true;
    source->barrier = -1;
    ENGINE_LOG(
        &context->logger, ENGINE_LOG_ERROR, "source stopped", ENGINE_WORD("reason", why),
        ENGINE_TEXT("topic", source->topic), ENGINE_NUMBER("partition", source->partition),
        ENGINE_NUMBER("position", source->committed), ENGINE_NUMBER("begin", begin),
        ENGINE_WORD("hint", "records were removed before they were read; see docs/operations.md"));
}

void engine_sources_stop_lost(engine_context *context, engine_holding *holding,
                              const log_reader *reader)
{
    for (size_t i = 0; i < holding->fold.source_count; i++) {
        engine_source *source = &holding->fold.sources[i];
        int64_t position = 0;
        int64_t begin = 0;
        int64_t end = 0;
        if (!source->assigned || source->stopped) {
            continue;
        }
        const base_status ranged =
            log_range(context->store, source->topic, source->partition, &begin, &end, NULL);
        if (ranged.code == BASE_NOT_FOUND) {
            stop(context, source, "topic_gone", -1);
        } else if (!base_failed(ranged) &&
                   !base_failed(
                       log_reader_position(reader, source->topic, source->partition, &position)) &&
                   (position < begin || position > end)) {
            stop(context, source, "position_lost", begin);
        }
    }
}
