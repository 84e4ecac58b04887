/*
 * What the fuzz targets share. A target is libFuzzer's function; it reads the bytes with one
 * decoder and checks, where they are accepted, what must hold of them (mostly: written and read
 * again it is the same).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold: else the input is a find. */
#define FUZZ_MUST(condition)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The same of a status; prints what the error says. */
#define FUZZ_MUST_DO(status, error)                                                                \
    do {                                                                                           \
        if (base_failed(status)) {                                                                 \
            fprintf(stderr, "%s:%d: failed: %s: %s\n", __FILE__, __LINE__, #status, (error).text); \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
