/* What the files of base/ share about maps; not for other layers. The idea stands in base/map.c. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/value.h"

#define BASE_MAP_SMALL_MAX 16 /* up to here a map has no index: a scan is as fast */

#define BASE_MAP_BATCH_MAX 32

/* Visits the members of a map by key, without memory. A map without index is sorted in batches of
 * what comes next: one look through the members gives the next BASE_MAP_BATCH_MAX of them. */
typedef struct base_map_cursor {
    const base_value *map;
    size_t first;                       /* position of the first member of the batch */
    size_t count;                       /* of the batch */
    uint32_t batch[BASE_MAP_BATCH_MAX]; /* member numbers; not used with an index */
} base_map_cursor;

void base_map_cursor_begin(base_map_cursor *cursor, const base_value *map);
/* The member at `position` of the order by key. Positions are asked for from 0 upward; 0 starts
 * over. */
const base_member *base_map_cursor_at(base_map_cursor *cursor, size_t position);

/* Bytes that the members of a map take, with the index behind them. */
size_t base_map_block_size(const base_value *map);

#endif
