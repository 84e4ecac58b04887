/*
 * The conformance suite: what connectors/log.h promises, tried on a backend. Each test is a
 * sentence; the same sentences hold for every backend. The program takes one argument, memory,
 * local or kafka (with KAFKA_BOOTSTRAP in the environment, else it ends with 77: skipped).
 */
#ifndef TESTS_CONFORMANCE_CONFORMANCE_H
#define TESTS_CONFORMANCE_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "connectors/log.h"

typedef enum conformance_kind {
    CONFORMANCE_MEMORY,
    CONFORMANCE_LOCAL,
    CONFORMANCE_KAFKA
} conformance_kind;

/* One test's view of the log. Topics, groups and identities carry its number, so tests share a log
 * undisturbed. */
typedef struct conformance {
    conformance_kind kind;
    char url[256];
    char prefix[64];
    log_store *store;
    int32_t patience_ms; /* how long something that must happen may take */
    int32_t silence_ms;  /* how long to look for something that must not happen */
    char names[32][128];
    size_t name_count;
} conformance;

/* A copy of a record, owned by the list. */
typedef struct conformance_record {
    char *bytes; /* what the slices point into */
    schema_record record;
} conformance_record;

typedef struct conformance_records {
    conformance_record items[4096];
    size_t count;
} conformance_records;

int conformance_setup(void **state);
int conformance_teardown(void **state);

/* Fails the test with the error's text. */
void conformance_fine(base_status status, const base_error *error, const char *what, int line);
#define FINE(call)                                                                                 \
    do {                                                                                           \
        base_error fine_error_;                                                                    \
        base_error_clear(&fine_error_);                                                            \
        base_error *const error = &fine_error_;                                                    \
        const base_status fine_status_ = (call);                                                   \
        conformance_fine(fine_status_, error, #call, __LINE__);                                    \
    } while (0)
/* The call ends with the code, and says why. */
void conformance_ends(base_status status, const base_error *error, base_code code, const char *what,
                      int line);
#define ENDS(code, call)                                                                           \
    do {                                                                                           \
        base_error ends_error_;                                                                    \
        base_error_clear(&ends_error_);                                                            \
        base_error *const error = &ends_error_;                                                    \
        const base_status ends_status_ = (call);                                                   \
        conformance_ends(ends_status_, error, (code), #call, __LINE__);                            \
    } while (0)

/* A name that no other test has. Lives as long as the test. */
base_slice conformance_name(conformance *test, const char *name);
/* Makes a topic of that name and gives the whole name. */
base_slice conformance_topic(conformance *test, const char *name, int32_t partition_count);
log_writer *conformance_writer(conformance *test, const char *identity);
log_reader *conformance_reader(conformance *test);
/* Reads partitions [0, partition_count) from the beginning. */
log_reader *conformance_reader_of(conformance *test, base_slice topic, int32_t partition_count);
/* partition SCHEMA_PARTITION_BY_KEY: by the key. key NULL: none. value NULL: none. */
void conformance_put(log_writer *writer, base_slice topic, int32_t partition, const char *key,
                     const char *value);
void conformance_commit(log_writer *writer);
/* Reads until count records are there; fails the test when they do not come. */
void conformance_read(const conformance *test, log_reader *reader, size_t count,
                      conformance_records *records);
/* Fails the test when a record comes. */
void conformance_silent(const conformance *test, log_reader *reader);
void conformance_forget(conformance_records *records);
/* Puts, commits, closes. */
void conformance_write(conformance *test, base_slice topic, int32_t partition,
                       const char *const *values, size_t count);

log_member *conformance_member(conformance *test, base_slice group, const char *identity,
                               base_slice topic, int32_t session_timeout_ms);
/* What a member has, kept up by the polls below. */
typedef struct conformance_share {
    bool has[16];
    size_t count;
    bool lost; /* a LOST was met */
} conformance_share;
/* Polls once and does what the event says (releases at once). */
void conformance_follow(log_member *member, conformance_share *share, int32_t timeout_ms);

int conformance_records_run(void);
int conformance_transactions_run(void);
int conformance_readers_run(void);
int conformance_groups_run(void);

#endif
