/*
 * Generator: a random saga as JSON text, drawn in layers (a pivot, if any, alone between two of
 * them), so that it passes the checks and its instances have every kind of step that the core
 * knows. The same random state gives the same saga, in every test that uses it.
 *
 * Step i is "s<i>"; its events are s<i>.ok, s<i>.no, s<i>.undone, s<i>.stays, its asks s<i>.ask and
 * s<i>.undo; "go" starts, "stop" turns back, end.ok and end.back are published at the ends. All are
 * of service "a"; the main key is .data.k.
 */
#ifndef TESTS_CORE_GENERATOR_H
#define TESTS_CORE_GENERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GENERATOR_STEP_MAX 12
#define GENERATOR_TEXT_SIZE 16384

typedef struct generator_text {
    char text[GENERATOR_TEXT_SIZE];
    size_t size;
} generator_text;

/* xorshift64* (Vigna 2016); the state is never 0. */
uint64_t generator_draw(uint64_t *random);
uint32_t generator_below(uint64_t *random, uint32_t bound);
bool generator_chance(uint64_t *random, uint32_t percent);

/* Appends a saga of that name to out and returns how many steps it has. With a name other than "p"
 * the event types get it as their namespace, so that several can live side by side. */
int32_t generator_saga(uint64_t *random, const char *name, generator_text *out);

#endif
