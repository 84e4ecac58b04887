/* Table: text -> number, for what the checkers remember. Open addressing; nothing is taken out. */
#ifndef TESTS_SIM_TABLE_H
#define TESTS_SIM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

typedef struct sim_table_row {
    base_slice key; /* data NULL: free */
    uint64_t value;
} sim_table_row;

typedef struct sim_table {
    sim_table_row *rows;
    size_t capacity; /* a power of two */
    size_t count;
} sim_table;

/* The row's value, made 0 where there is no row yet (*new_out); the key is copied into arena. Lives
 * until the next call. */
uint64_t *sim_table_put(sim_table *table, base_arena *arena, base_slice key, bool *new_out);
void sim_table_deinit(sim_table *table);

#endif
