/* RFC 3339 times of envelopes and logs: base/time.h under this layer's name. */
#ifndef SCHEMAS_TIME_H
#define SCHEMAS_TIME_H

#include <stdint.h>

#include "base/time.h"

#define SCHEMA_TIME_SIZE BASE_TIME_SIZE

static inline base_status schema_time_parse(base_slice text, int64_t *ms_out)
{
    return base_time_parse(text, ms_out);
}

static inline void schema_time_format(int64_t ms, char text_out[SCHEMA_TIME_SIZE])
{
    base_time_format(ms, text_out);
}

#endif
