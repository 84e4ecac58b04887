/*
 * Simulator: the production engine, unchanged, on the memory log, with a clock, a network, services
 * and humans that a seed drives. One thread; the same seed gives the same run, record by record.
 *
 *    seed -> sagas, partitions, workers, instances, faults and their rates          (draw.c)
 *
 *    +--------+  starts, answers   +------------+   records    +-----------------+
 *    | world  | -----------------> | memory log | -----------> | engine workers  |  unchanged
 *    | (c.)   | <----------------- |            | <----------- | (engine/)       |
 *    +--------+   asks, undos      +------------+   entries    +-----------------+
 *      services' ledgers                 |  ^ faults (faults.c)
 *                                        v
 *                                    observer: folds the journal by itself, checks every
 *                                    record (observer.c)
 *
 * Two phases: faults everywhere, in which only safety is asked for; then quiet, in which all must
 * end. What is asked for is a list of checkers with names (SIM_CHECKS), each counted, so that one
 * that never looked at anything shows.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "connectors/log.h"
#include "engine/catalog.h"
#include "engine/config.h"
#include "engine/partition.h"
#include "engine/worker.h"
#include "saga/plan.h"
#include "saga/state.h"
#include "tests/sim/table.h"

#define SIM_START_MS INT64_C(1700000000000)
#define SIM_WORKER_MAX 4 /* three and a twin */
#define SIM_PARTITION_MAX 4
#define SIM_SAGA_MAX 4
#define SIM_INSTANCE_MAX 128 /* incarnations, early and huge ones included */
#define SIM_TEXT_MAX 512

/* ---- faults: every one has a counter; a kind that never struck in a large run fails it ---- */
#define SIM_FAULTS(X)                                                                              \
    X(KILL, "worker killed between two steps")                                                     \
    X(KILL_AFTER_COMMIT, "worker killed, its last commit applied and not told")                    \
    X(KILL_BEFORE_COMMIT, "worker killed, its last commit left open")                              \
    X(PAUSE, "worker paused beyond its session, then resumed")                                     \
    X(TWIN, "second worker with the same identity")                                                \
    X(REBALANCE, "worker leaves or joins")                                                         \
    X(EXPEL, "members expelled from the group")                                                    \
    X(FENCE, "writer fenced")                                                                      \
    X(COMMIT_ABORTED, "commit aborted")                                                            \
    X(COMMIT_UNREACHABLE, "commit not taken")                                                      \
    X(COMMIT_UNKNOWN_APPLIED, "commit applied, outcome unknown")                                   \
    X(COMMIT_UNKNOWN_OPEN, "commit not applied, outcome unknown")                                  \
    X(COMMIT_LATE, "commit applied late, outcome unknown")                                         \
    X(COMMIT_ZOMBIE, "commit of a fenced writer applied late")                                     \
    X(COMMIT_TWICE, "commit applied twice")                                                        \
    X(COMMIT_TORN, "half a commit applied")                                                        \
    X(BROKER_DOWN, "broker down")                                                                  \
    X(RETENTION, "source cut below what was read")                                                 \
    X(CLOCK_JUMP, "clock jumps forward")                                                           \
    X(DUPLICATE_RECORD, "event record delivered twice")                                            \
    X(SAME_ID, "same event id with another outcome")                                               \
    X(ASK_TWICE, "service reads an ask twice")                                                     \
    X(ANSWER_AGAIN, "service answers once more, as a new event")                                   \
    X(ANSWER_LOST, "answer lost")                                                                  \
    X(ANSWER_SLOW, "answer long after its time-out")                                               \
    X(ANSWER_UNTOLD, "answer that does not say what it answers")                                   \
    X(UNDO_FAILS, "undo fails")                                                                    \
    X(CANCEL, "cancel")                                                                            \
    X(EARLY, "answer before its instance began")                                                   \
    X(NOBODY, "event for no instance")                                                             \
    X(POISON, "record that cannot be read")                                                        \
    X(HUGE, "start with a document near the bound of a record")                                    \
    X(RESTART, "second start event of the key")                                                    \
    X(RESOLVE, "human resolves what is stuck")                                                     \
    X(WRONG_RESOLVE, "human resolves what is not stuck")                                           \
    X(SUSPEND, "instance suspended and resumed")                                                   \
    X(ABORT, "operator turns an instance back")

typedef enum sim_fault {
#define X(name, text) SIM_##name,
    SIM_FAULTS(X)
#undef X
        SIM_FAULT_COUNT
} sim_fault;

/* ---- checkers ---- */
#define SIM_CHECKS(X)                                                                              \
    X(ENDS, "every instance ends, after humans resolved what is stuck")                            \
    X(ONE_EFFECT, "an effect is visible once, by id and by what it is for")                        \
    X(G1, "completed: every step that counts has its effect, nothing else is left")                \
    X(G2, "compensated: no effect is left, no pivot happened")                                     \
    X(G3, "damaged: what is left was given up by a human")                                         \
    X(LIVE_IS_REBUILT, "live fold = fold of the journal, byte for byte")                           \
    X(SNAPSHOT_IS_REBUILT, "fold from snapshots = fold of the journal, byte for byte")             \
    X(ZERO_IS_REBUILT, "fold from zero in one go = fold record by record, byte for byte")          \
    X(SEQUENCE, "an instance's entries are numbered without a gap")                                \
    X(DUPLICATE, "an event that comes twice counts once")                                          \
    X(EPOCH, "claims have ascending epochs, and one writer an epoch")                              \
    X(POSITION, "positions never go back")                                                         \
    X(POISON_SET_ASIDE, "what cannot be read is in the dead letters, unchanged")                   \
    X(START_KEPT, "every acknowledged start led to an instance")                                   \
    X(TIMER_NOT_EARLY, "no timer fires before it is due")                                          \
    X(REPLAY_SILENT, "a rebuild writes nothing")                                                   \
    X(READABLE, "every record of the journal can be read")                                         \
    X(WORKER_LIVES, "a worker ends only when it is told to, or is fenced")

typedef enum sim_check {
#define X(name, text) SIM_CHECK_##name,
    SIM_CHECKS(X)
#undef X
        SIM_CHECK_COUNT
} sim_check;

const char *sim_fault_name(sim_fault fault);
const char *sim_check_name(sim_check check);

/* What many runs add up to. */
typedef struct sim_totals {
    uint64_t runs;
    uint64_t records; /* on all topics */
    uint64_t entries;
    uint64_t instances;
    uint64_t takeovers;
    uint64_t ends[SAGA_PHASE_COUNT];
    uint64_t faults[SIM_FAULT_COUNT];
    uint64_t checks[SIM_CHECK_COUNT];
} sim_totals;

/* ---- the world ---- */

/* What a service did for one step of an instance. */
typedef struct sim_effect {
    bool verdict_given;
    bool success;    /* C1, C6: the first verdict stands */
    int32_t verdict; /* event index */
    bool exists;
    bool tombstone;      /* undone: a late ask is refused (C5) */
    bool given_up;       /* a human said so */
    int32_t reacted_gen; /* reactive undo: of this generation */
} sim_effect;

typedef struct sim_saga {
    const saga_plan *plan;
    const char *start_event;
    bool generated;
    bool again; /* a key may begin again */
} sim_saga;

typedef struct sim_instance {
    const sim_saga *saga;
    char key[40];
    int32_t incarnation;
    sim_effect *effects; /* one a step */
    bool started;        /* its start event was acknowledged */
    bool huge;           /* it may be set aside: what it leads to cannot be written */
    bool suspended;
    uint64_t resolved_seq; /* of the state that a human last acted on */
} sim_instance;

/* Something on its way to the log. */
typedef struct sim_message {
    int64_t at_ms;
    uint64_t order;
    schema_record record;
    sim_instance *starts; /* it is this one's start */
    bool poison;
} sim_message;

typedef struct sim_letter {
    base_slice value;
    bool found;
} sim_letter;

typedef struct sim_worker {
    engine_worker *worker; /* NULL: not running */
    engine_config config;
    bool used;
    bool wanted;             /* is to run: opened again when it is not */
    int64_t paused_until_ms; /* 0: not paused */
    char identity[64];       /* transactional */
} sim_worker;

typedef struct sim {
    uint64_t seed;
    uint64_t random;
    bool trace;
    bool failed;
    char failure[SIM_TEXT_MAX];
    bool quiet;  /* second phase */
    bool broken; /* transactions broke their promise in this run */
    bool ghosts; /* ... so that effects may be visible whose entries do not count */
    /* A writer left a transaction open. What is committed behind it on the same partition cannot be
     * seen until it times out; a take-over that looks then publishes such an event again, the same
     * byte for byte (docs/design.md, 4). */
    bool hidden;
    uint64_t hash; /* of all that was seen */
    sim_totals *totals;

    int64_t now_ms;
    base_arena arena;
    log_store *store;
    log_writer *writer;   /* the world's */
    log_reader *service;  /* reads asks and ends */
    log_reader *journal;  /* the observer's */
    engine_config config; /* what all workers share */
    engine_topics topics;
    engine_catalog catalog;
    engine_logger silent;
    int32_t partitions;
    int64_t session_ms;

    sim_saga sagas[SIM_SAGA_MAX];
    int32_t saga_count;
    sim_instance instances[SIM_INSTANCE_MAX];
    int32_t instance_count;
    sim_message *messages; /* a heap by time and order */
    size_t message_count;
    size_t message_capacity;
    uint64_t message_order;
    uint64_t event_number;
    sim_letter *letters;
    size_t letter_count;
    size_t letter_capacity;

    sim_worker workers[SIM_WORKER_MAX];
    int32_t worker_count;
    int32_t opened;
    bool is_static; /* workers have identities */
    bool down;
    int64_t down_until_ms;

    uint32_t rates[SIM_FAULT_COUNT]; /* per mille: a turn's or a message's */
    uint32_t success_percent;

    /* The observer. */
    bool changed; /* the journal grew since the world last looked */
    engine_partition folds[SIM_PARTITION_MAX];
    sim_table effects;   /* id -> hash of the record */
    sim_table purposes;  /* instance, step, direction, generation, try -> hash of the id */
    sim_table sequences; /* partition, saga, key -> seq */
    sim_table seen;      /* instance, source, id of events -> */
    sim_table positions; /* partition, source -> offset */
    uint64_t claims[SIM_PARTITION_MAX];
} sim;

/* ---- sim.c ---- */

/* Runs one seed; false: a checker said no, sim->failure says which and why. */
bool sim_run(sim *s, uint64_t seed, bool trace, sim_totals *totals);
/* The first one counts. */
void sim_violate(sim *s, sim_check check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sim_tell(sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Something that the simulator itself needs must not fail. */
void sim_need(sim *s, base_status status, const base_error *error, const char *what);
uint32_t sim_below(sim *s, uint32_t bound);
bool sim_percent(sim *s, uint32_t percent);
/* Does the fault strike now? Counted when it does. Never in the quiet phase. */
bool sim_strikes(sim *s, sim_fault fault);
void sim_struck(sim *s, sim_fault fault);
void sim_mix(sim *s, base_slice bytes);

/* ---- draw.c ---- */
void sim_draw(sim *s);

/* ---- world.c ---- */

void sim_world_open(sim *s);
void sim_world_close(sim *s);
/* Starts, cancels, strangers: what the world does of its own accord, all planned ahead. */
void sim_world_plan(sim *s);
/* Services read what they are asked. true: there was something. */
bool sim_world_serve(sim *s);
/* Services that react look at what happened. */
void sim_world_react(sim *s);
/* Puts what is due on the log. true: there was something. */
bool sim_world_deliver(sim *s);
/* Humans look at what is stuck. */
void sim_world_help(sim *s);
/* When the next message is due; INT64_MAX: none. */
int64_t sim_world_next_ms(const sim *s);
void sim_world_suspend(sim *s);
void sim_world_abort(sim *s);
void sim_world_resume_all(sim *s);
sim_instance *sim_instance_of(sim *s, base_slice saga, base_slice key, int32_t incarnation);
void sim_send_event(sim *s, const saga_event *event, base_slice topic, base_slice record_key,
                    int64_t delay_ms, sim_instance *starts);

/* ---- faults.c ---- */
void sim_workers_open(sim *s);
/* Steps all workers that run, opens those that are to run. true: all are idle. */
bool sim_workers_step(sim *s);
void sim_worker_close(sim *s, int32_t index, bool killed);
void sim_faults_turn(sim *s);
/* Ends all that is wrong. */
void sim_faults_heal(sim *s);

/* ---- observer.c ---- */
void sim_observer_open(sim *s);
void sim_observer_close(sim *s);
/* Folds and checks what is new in the journal. */
void sim_observe(sim *s);
void sim_observe_effect(sim *s, const schema_record *record, const saga_event *event);
/* The state of an instance in the observer's fold, in arena; NULL: there is none. */
const saga_state *sim_state(sim *s, base_slice saga, base_slice key, base_arena *arena);
/* Compares live folds and rebuilds with the observer's. */
void sim_compare(sim *s, bool all);
void sim_check_end(sim *s);
/* Has every instance ended, and does no event wait? */
bool sim_all_ended(sim *s);

#endif
