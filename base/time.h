/* RFC 3339 times and milliseconds since 1970 (UTC), proleptic Gregorian, years 1 to 9999. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

#define BASE_TIME_SIZE 25                         /* "2018-04-05T03:56:24.000Z" and its zero */
#define BASE_TIME_MIN_MS INT64_C(-62135596800000) /* 0001-01-01T00:00:00.000Z */
#define BASE_TIME_MAX_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

/* BAD_INPUT when the text is no RFC 3339 date-time, or falls outside the range. Fractions are cut
 * to milliseconds, a leap second counts as the first of the next minute. */
base_status base_time_parse(base_slice text, int64_t *ms_out) BASE_MUST_USE;

/* Always with milliseconds and Z. Past the range: the nearest bound. */
void base_time_format(int64_t ms, char text_out[BASE_TIME_SIZE]);

#endif
