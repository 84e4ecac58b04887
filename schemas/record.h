/*
 * Record: what an event log carries, on the way in and on the way out. All slices are borrowed.
 */
#ifndef SCHEMAS_RECORD_H
#define SCHEMAS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

typedef struct schema_header {
    base_slice name;
    base_slice value; /* any bytes; data NULL is a null header */
} schema_header;

typedef struct schema_record {
    base_slice topic;
    int32_t partition; /* on the way out SCHEMA_PARTITION_BY_KEY: murmur2 of the key */
    int64_t offset;    /* on the way in */
    int64_t time_ms;   /* milliseconds since 1970 UTC; on the way out 0: the log's clock */
    base_slice key;    /* data NULL: no key */
    base_slice value;  /* data NULL: no value (a tombstone on compacted topics) */
    const schema_header *headers;
    size_t header_count;
} schema_record;

#define SCHEMA_PARTITION_BY_KEY (-1)

#endif
