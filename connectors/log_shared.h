/*
 * What the memory and the local backend have in common: copies of records, and range assignment.
 */
#ifndef CONNECTORS_LOG_SHARED_H
#define CONNECTORS_LOG_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "schemas/record.h"

/* How long a reader may still meet the tombstone of a compacted topic, as Kafka's
 * delete.retention.ms. */
#define LOG_TOMBSTONE_MS_DEFAULT 86400000
/* A poll hands out at most so many bytes (one record at least). */
#define LOG_POLL_SIZE_MAX ((size_t)16 * 1024 * 1024)
#define LOG_SESSION_TIMEOUT_MS_DEFAULT 10000
#define LOG_TRANSACTION_TIMEOUT_MS_DEFAULT 15000

/* Bytes that a deep copy of the record takes, itself and its topic included. */
size_t log_record_pack_size(const schema_record *record);
/* Makes the deep copy in a block of that size, aligned for any type. Null stays null, empty stays
 * empty. */
schema_record *log_record_pack(const schema_record *record, void *block);

/* Range assignment (Kafka's RangeAssignor): which of member_count sorted members gets the
 * partition. The first partition_count % member_count members get one more; topics of equal counts
 * are divided alike. */
size_t log_range_index(size_t member_count, int32_t partition_count, int32_t partition);
/* The order of a group's members: static ones by identity, then the dynamic ones in order of their
 * joining. */
int log_range_compare(base_slice identity_a, uint64_t joined_a, base_slice identity_b,
                      uint64_t joined_b);

/* Now, in milliseconds since 1970 UTC. */
int64_t log_wall_ms(void);
/* Milliseconds that only grow, the same in all processes until the machine restarts. */
int64_t log_steady_ms(void);

#endif
