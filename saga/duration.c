/* Durations (A.1): "500ms 30s 5m 2h 7d", or ISO 8601 of weeks, days, hours, minutes and seconds.
 * Years and months have no fixed length and are refused. */
#include "base/assert.h"
#include "saga/plan.h"

static const char *take_number(const char *at, const char *end, int64_t *number_out)
{
    int64_t number = 0;
    const char *start = at;
    while (at < end && *at >= '0' && *at <= '9') {
        if (number > SAGA_DURATION_MAX_MS)
            return NULL;
        number = number * 10 + (*at - '0');
        at++;
    }
    *number_out = number;
    return at == start ? NULL : at;
}

static bool unit_of(base_slice unit, int64_t *ms_out)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (base_slice_is(unit, units[i].name)) {
            *ms_out = units[i].ms;
            return true;
        }
    }
    return false;
}

/* The designators of ISO 8601 in the order they must come in: P [nW] [nD] [T [nH] [nM] [n[.nnn]S]].
 */
static int64_t designator_ms(char letter, bool in_time, int32_t *rank_out)
{
    static const struct {
        char letter;
        bool in_time;
        int64_t ms;
    } designators[] = {{'W', false, 604800000},
                       {'D', false, 86400000},
                       {'H', true, 3600000},
                       {'M', true, 60000},
                       {'S', true, 1000}};
    for (int32_t i = 0; i < 5; i++) {
        if (designators[i].letter == letter && designators[i].in_time == in_time) {
            *rank_out = i;
            return designators[i].ms;
        }
    }
    return 0;
}

/* Up to three digits behind the point of the seconds; NULL when they are none or more. */
static const char *take_fraction(const char *at, const char *end, int64_t *ms_out)
{
    int64_t ms = 0;
    int32_t digits = 0;
    while (at < end && *at >= '0' && *at <= '9' && digits < 3) {
        ms = ms * 10 + (*at - '0');
        digits++;
        at++;
    }
    if (digits == 0 || at == end || *at != 'S')
        return NULL;
    for (; digits < 3; digits++)
        ms *= 10;
    *ms_out = ms;
    return at;
}

static base_status parse_iso(base_slice text, int64_t *ms_out)
{
    const base_status bad = base_status_of(BASE_BAD_INPUT);
    const char *at = text.data + 1;
    const char *end = text.data + text.size;
    bool in_time = false;
    int32_t last_rank = -1;
    int64_t total = 0;
    while (at < end) {
        if (*at == 'T') {
            if (in_time || at + 1 == end)
                return bad;
            in_time = true;
            at++;
            continue;
        }
        int64_t number = 0;
        int64_t fraction_ms = 0;
        int32_t rank = 0;
        at = take_number(at, end, &number);
        if (at != NULL && at < end && (*at == '.' || *at == ','))
            at = take_fraction(at + 1, end, &fraction_ms);
        if (at == NULL || at == end)
            return bad;
        const int64_t unit = designator_ms(*at, in_time, &rank);
        if (unit == 0 || rank <= last_rank || number > SAGA_DURATION_MAX_MS / unit)
            return bad;
        last_rank = rank;
        total += number * unit + fraction_ms;
        if (total > SAGA_DURATION_MAX_MS)
            return bad;
        at++;
    }
    if (last_rank < 0)
        return bad;
    *ms_out = total;
    return base_ok();
}

base_status saga_duration_parse(base_slice text, int64_t *ms_out)
{
    if (text.size > 1 && text.data[0] == 'P')
        return parse_iso(text, ms_out);
    if (text.size == 0)
        return base_status_of(BASE_BAD_INPUT);
    const char *end = text.data + text.size;
    int64_t number = 0;
    int64_t unit = 0;
    const char *at = take_number(text.data, end, &number);
    if (at == NULL || !unit_of(base_slice_make(at, (size_t)(end - at)), &unit))
        return base_status_of(BASE_BAD_INPUT);
    if (number > SAGA_DURATION_MAX_MS / unit)
        return base_status_of(BASE_BAD_INPUT);
    *ms_out = number * unit;
    return base_ok();
}
