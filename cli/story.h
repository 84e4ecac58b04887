/*
 * Story: an entry of a journal as people read it (dev, tail, show), and as a JSON object.
 *
 *   09:12:03.120  o1  fraud.cleared                   score done
 *                 o1    ask payment.authorise         authorise, try 1
 *                 o1    ask stock.reserve             reserve, try 1
 */
#ifndef CLI_STORY_H
#define CLI_STORY_H

#include "cli/out.h"
#include "saga/entry.h"
#include "saga/plan.h"

/* What an entry's input was: "order.placed", "no answer to authorise in time", "abort by anna".
 * plan may be NULL. Lives in arena or in the entry. */
base_slice cli_story_input(const saga_entry *entry, const saga_plan *plan, base_arena *arena);
/* What a timer is for, as "deadline of authorise". */
base_slice cli_story_timer(saga_timer_kind kind, int32_t step, const saga_plan *plan,
                           base_arena *arena);
/* What an effect is, without colour: "ask payment.authorise"; and its details: "authorise, try 1".
 */
base_slice cli_story_effect(const saga_effect *effect, const saga_plan *plan, base_arena *arena,
                            base_slice *details_out);
typedef struct cli_story {
    cli_paint paint;
    base_slice time;  /* in front of the first line, blanks of its width before the others */
    base_slice label; /* behind the time of every line: "o1"; may be empty */
    int label_width;
} cli_story;

/* Writes the entry's lines. */
void cli_story_write(const cli_story *story, const saga_entry *entry, const saga_plan *plan,
                     base_arena *arena);

/* The entry as an object: {"seq", "at", "input", "steps", "effects"}, or with `changes` all
 * changes in the place of "steps". Data of events and payloads only with `data`. */
void cli_story_object(const saga_entry *entry, const saga_plan *plan, bool changes, bool data,
                      base_arena *arena, cli_object *object);

/* One change, as text: "score: F is done" -> name "score.F", value "done"; for replay. */
typedef struct cli_story_change {
    base_slice name;         /* "score.F", "phase", "timer authorise.try", "data /authId" */
    base_slice text;         /* the new value for people; empty: see value */
    const base_value *value; /* or NULL */
} cli_story_change;
cli_story_change cli_story_change_of(const saga_change *change, const saga_plan *plan,
                                     base_arena *arena);

/* Names of flag bits; NULL past the last. */
const char *cli_state_flag_name(uint32_t bit);
const char *cli_step_flag_name(uint32_t bit);

#endif
