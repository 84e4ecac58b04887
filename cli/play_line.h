/*
 * One line of `troupe play`'s input (docs/saga-language.md, F): a JSON object that is an event, an
 * answer, a command or the passing of time, taken into a player.
 */
#ifndef CLI_PLAY_LINE_H
#define CLI_PLAY_LINE_H

#include "base/arena.h"
#include "base/error.h"
#include "cli/player.h"

/* Takes one line; arena holds what it needs during the call. BAD_INPUT (and others) with a text
 * that says what is wrong with the line; the column is the line's. */
base_status play_line_take(player *p, base_slice text, base_arena *arena,
                           base_error *error) BASE_MUST_USE;

#endif
