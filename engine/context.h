/* Context: what all parts of one engine worker share. One thread. */
#ifndef ENGINE_CONTEXT_H
#define ENGINE_CONTEXT_H

#include <stdint.h>

#include "base/arena.h"
#include "connectors/log.h"
#include "engine/catalog.h"
#include "engine/clock.h"
#include "engine/config.h"
#include "engine/logger.h"
#include "engine/topics.h"

/* What happened since the start. Counted when it is committed. */
typedef struct engine_counters {
    uint64_t records; /* read from sources and the inbox */
    uint64_t batches; /* committed */
    uint64_t entries;
    uint64_t timers;    /* entries of timers */
    uint64_t published; /* events put on topics of users and the engine's own */
    uint64_t forwarded; /* through the inbox */
    uint64_t dead_letters;
    uint64_t parked;    /* events that came before their instance */
    uint64_t unmatched; /* records that no saga knows */
    uint64_t refused;   /* events that the log would not take */
    uint64_t redone;    /* batches made again without something */
    uint64_t takeovers;
    uint64_t checkpoints;
} engine_counters;

typedef struct engine_context {
    const engine_config *config;
    log_store *store;
    engine_topics topics;
    engine_logger logger;
    engine_clock clock;
    engine_catalog catalog;
    engine_counters counters;
    int32_t partition_count;   /* of inbox and journal */
    base_slice worker;         /* unlike any other worker's, and any earlier one's */
    base_slice command_prefix; /* "<prefix>.command." */
    base_arena arena;          /* what lives as long as the worker */
} engine_context;

#endif
