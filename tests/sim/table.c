#include "tests/sim/table.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"

static sim_table_row *find(sim_table_row *rows, size_t capacity, base_slice key)
{
    size_t index = (size_t)base_hash64(key, 0) & (capacity - 1);
    while (rows[index].key.data != NULL && !base_slice_equal(rows[index].key, key)) {
        index = (index + 1) & (capacity - 1);
    }
    return &rows[index];
}

static void grow(sim_table *table)
{
    const size_t capacity = table->capacity == 0 ? 256 : table->capacity * 2;
    sim_table_row *rows = (sim_table_row *)calloc(capacity, sizeof(sim_table_row));
    BASE_ASSERT(rows != NULL);
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->rows[i].key.data != NULL) {
            *find(rows, capacity, table->rows[i].key) = table->rows[i];
        }
    }
    free(table->rows);
    table->rows = rows;
    table->capacity = capacity;
}

uint64_t *sim_table_put(sim_table *table, base_arena *arena, base_slice key, bool *new_out)
{
    if (table->count * 2 >= table->capacity) {
        grow(table);
    }
    sim_table_row *row = find(table->rows, table->capacity, key);
    *new_out = row->key.data == NULL;
    if (*new_out) {
        row->key = base_arena_copy(arena, key);
        BASE_ASSERT(row->key.data != NULL);
        table->count++;
    }
    return &row->value;
}

void sim_table_deinit(sim_table *table)
{
    free(table->rows);
    *table = (sim_table){0};
}
