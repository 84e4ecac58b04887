/* What the files of base/ share about maps; not for other layers. The idea stands in base/map.c. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/value.h"

#define BASE_MAP_SMALL_MAX 16 /* up to here a map has no index: a scan is as fast */

/* Visits the members of a map by key, without memory. */
typedef struct base_map_cursor {
    const base_value *map;
    const uint32_t *index;             /* of an indexed map */
    const base_member *last;           /* of a large map without index: the member visited last */
    uint8_t small[BASE_MAP_SMALL_MAX]; /* of a small map: its order */
} base_map_cursor;

void base_map_cursor_begin(base_map_cursor *cursor, const base_value *map);
/* The member at `position` of the order by key. Positions are asked for from 0 upward; 0 starts
 * over. */
const base_member *base_map_cursor_at(base_map_cursor *cursor, size_t position);

/* Bytes that the members of a map take, with the index behind them. */
size_t base_map_block_size(const base_value *map);

#endif
