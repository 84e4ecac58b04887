/*
 * Private to compatibility and resolution: each type of a writer's schema with the type of the
 * reader's schema that it meets, as a graph.
 *
 *   writer  record A {x int, y string}      reader  record A {x long, z int = 1}
 *   pairs   (A, A) --x--> (int, long)       (A, A) --y--> (string, nothing: skipped)
 *
 * A pair fits when nothing is wrong with it alone, and when all its children fit (a reader's union:
 * one of them). Schemas may be recursive, so what is wrong is found as the least set: first the
 * pairs that are wrong alone, then, over the edges backwards, those that need them.
 */
#ifndef SCHEMAS_AVRO_PAIR_H
#define SCHEMAS_AVRO_PAIR_H

#include "schemas/avro_compat.h"

typedef struct schema_avro_pair schema_avro_pair;
typedef struct schema_avro_edge schema_avro_edge;

struct schema_avro_pair {
    const schema_avro_node *writer;
    const schema_avro_node *reader; /* NULL: nobody reads it */
    schema_avro_pair *chain;        /* of the table */
    schema_avro_edge *needed_by;
    schema_avro_flaw flaw; /* of this pair alone */
    bool bad;              /* it does not fit */
    bool any;              /* a reader's union: one child is enough */
    bool told;
    size_t bad_left; /* children that have yet to fail for this to fail */
    /* Writer's union: a child a branch. Reader's union: a child a branch of the reader. Record: a
     * child a field of the writer. Array, map: one child. */
    schema_avro_pair **children;
    size_t child_count;
    int32_t *targets; /* record: a writer's field is which of the reader's, -1 none; enum: likewise
                         symbols, defaults included */
    bool *given;      /* record: a reader's field comes from the writer */
};

typedef struct schema_avro_pairs {
    base_arena *arena;
    base_error *error;
    schema_avro_pair **buckets;
    schema_avro_pair **pairs;
    size_t count;
    size_t capacity;
} schema_avro_pairs;

/* Builds the graph and marks what does not fit; the first pair is the root. */
base_status schema_avro_pairs_make(const schema_avro_node *writer, const schema_avro_node *reader,
                                   base_arena *arena, schema_avro_pairs *pairs_out,
                                   base_error *error) BASE_MUST_USE;

#endif
