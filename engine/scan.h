/* Scan: reads a partition of the log from an offset to the end that it has now. */
#ifndef ENGINE_SCAN_H
#define ENGINE_SCAN_H

#include <stdint.h>

#include "base/error.h"
#include "connectors/log.h"
#include "schemas/record.h"

/* Hands every record from *offset_inout (or LOG_OFFSET_BEGIN) to `each` and moves the offset behind
 * them; stops at the first failure that `each` returns and returns it. The record lives during the
 * call. Blocks; UNREACHABLE after some seconds in which nothing could be read. */
base_status
engine_scan(log_store *store, base_slice topic, int32_t partition, int64_t *offset_inout,
            base_status (*each)(void *context, const schema_record *record, base_error *error),
            void *context, base_error *error) BASE_MUST_USE;

#endif
