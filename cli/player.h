/*
 * Player: sagas performed in virtual time, in memory, without a log (docs/saga-language.md, F). The
 * same router, decide and evolve as everywhere; around them only what the engine's shell would do:
 * find the instance, park what comes before it, fire timers, remember what was asked.
 */
#ifndef CLI_PLAYER_H
#define CLI_PLAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "saga/decide.h"
#include "saga/route.h"

#define PLAYER_PLAN_MAX 64

typedef struct player player;

/* Told of every line that comes out: a map with n, at, key, ... in the order of the language
 * document. */
typedef void player_output(void *context, const base_value *line);

typedef struct player_options {
    bool states; /* a state after each input */
    bool timers; /* a line for each timer that is set */
    player_output *output;
    void *context;
} player_options;

/* The plans are borrowed. NULL without memory. */
player *player_new(const saga_plan *const *plans, size_t plan_count, const player_options *options);
void player_free(player *p);

int64_t player_now(const player *p);
/* Time passes to at_ms: timers that are due by then fire in order of due time, then of creation.
 * BAD_INPUT when it would go back. */
base_status player_advance(player *p, int64_t at_ms, base_error *error) BASE_MUST_USE;
/* Fires timers until only waits without a timer and the retries of what is stuck are left. */
base_status player_until_quiet(player *p, base_error *error) BASE_MUST_USE;

/* An event by the saga's name for it, or by its full type; what the event leaves empty (id, source)
 * is made up. */
base_status player_event(player *p, base_slice name, const saga_event *event,
                         base_error *error) BASE_MUST_USE;

typedef struct player_answer {
    base_slice event;            /* name */
    base_slice to;               /* path, with "/undo" for an undo; or empty with to_line */
    int64_t to_line;             /* the output line n that is answered; 0: by path */
    base_slice key;              /* empty: the one instance that is live */
    base_slice saga;             /* empty: any */
    int32_t try_number;          /* 0: the newest */
    int32_t gen;                 /* 0: the newest */
    const saga_event *overrides; /* id, source, data */
} player_answer;
/* A step that was not asked is answered all the same: by instance and path, as a service that
 * speaks uninvited. BAD_INPUT and NOT_FOUND when it is not clear which instance, step or line is
 * meant. */
base_status player_answer_ask(player *p, const player_answer *answer,
                              base_error *error) BASE_MUST_USE;

/* An operator's command to the instance of the key and saga (empty: the one that is live). What
 * came due while the instance was suspended fires with its resume. */
base_status player_command(player *p, base_slice key, base_slice saga, const saga_command *command,
                           base_error *error) BASE_MUST_USE;

/* Is an instance stuck or damaged? */
bool player_in_trouble(const player *p);

#endif
