/*
 * Event: a CloudEvent 1.0 as the core sees it, whatever it travelled as. Slices are borrowed.
 * Attributes that were absent are empty. The extensions that the language gives a meaning
 * (docs/saga-language.md, A.3, wire mapping) have a field; all others are in `others`.
 */
#ifndef SAGA_EVENT_H
#define SAGA_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/value.h"

typedef struct saga_attribute {
    base_slice name; /* lower case */
    base_slice value;
} saga_attribute;

typedef struct saga_event {
    base_slice id;
    base_slice source;
    base_slice type; /* full CloudEvents type */
    base_slice subject;
    int64_t time_ms; /* ce_time, or the record's time */
    base_slice data_schema;
    base_slice content_type;

    base_slice correlation_id; /* correlationid: instance id */
    base_slice causation_id;   /* causationid: id of the event that this one answers */
    base_slice saga_step;      /* sagastep: path */
    base_slice saga_key;       /* sagakey: idempotency key */
    int32_t saga_try;          /* sagatry; 0: absent */
    base_slice saga_undoes;    /* sagaundoes: key of the forward ask that an undo is for */
    int64_t expiry_ms;         /* expirytime; 0: absent */
    base_slice partition_key;  /* partitionkey */
    base_slice trace_parent;
    base_slice trace_state;
    const saga_attribute *others;
    size_t other_count;

    base_value data;
} saga_event;

#endif
