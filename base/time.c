#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>

#define DAY_SECONDS INT64_C(86400)

/* Days since 1970-01-01 of a proleptic Gregorian date. Years are counted from March, so that the
 * leap day is the last of its year and months have a length by formula. */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
    const int64_t shifted_year = month <= 2 ? year - 1 : year;
    const int64_t era =
        shifted_year / 400; /* year >= 0 here: 0001-01-01 with an offset is year 0 at the least */
    const int64_t year_of_era = shifted_year - era * 400;
    const int64_t shifted_month = month > 2 ? month - 3 : month + 9;
    const int64_t day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int64_t month_length(int64_t year, int64_t month)
{
    static const int8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : lengths[month - 1];
}

/* A cursor over the text; `failed` stays once it is set. */
typedef struct time_reader {
    base_slice rest;
    bool failed;
} time_reader;

static int64_t read_digits(time_reader *reader, size_t count, int64_t minimum, int64_t maximum)
{
    int64_t number = 0;
    if (reader->rest.size < count) {
        reader->failed = true;
        return minimum;
    }
    for (size_t i = 0; i < count; i++) {
        const char digit = reader->rest.data[i];
        if (digit < '0' || digit > '9') {
            reader->failed = true;
            return minimum;
        }
        number = number * 10 + (digit - '0');
    }
    reader->rest = base_slice_make(reader->rest.data + count, reader->rest.size - count);
    if (number < minimum || number > maximum) {
        reader->failed = true;
        return minimum;
    }
    return number;
}

/* The next character if it is one of `allowed` (a string), else 0 and failure. */
static char read_one_of(time_reader *reader, const char *allowed)
{
    if (reader->rest.size == 0 || reader->rest.data[0] == '\0' ||
        strchr(allowed, reader->rest.data[0]) == NULL) {
        reader->failed = true;
        return 0;
    }
    const char found = reader->rest.data[0];
    reader->rest = base_slice_make(reader->rest.data + 1, reader->rest.size - 1);
    return found;
}

/* ".123456" as milliseconds, cut; at least one digit. Nothing when there is no point. */
static int64_t read_fraction_ms(time_reader *reader)
{
    if (reader->rest.size == 0 || reader->rest.data[0] != '.') {
        return 0;
    }
    int64_t ms = 0;
    int64_t weight = 100;
    size_t at = 1;
    for (; at < reader->rest.size; at++) {
        const char digit = reader->rest.data[at];
        if (digit < '0' || digit > '9') {
            break;
        }
        ms += (digit - '0') * weight;
        weight /= 10;
    }
    reader->failed = reader->failed || at == 1;
    reader->rest = base_slice_make(reader->rest.data + at, reader->rest.size - at);
    return ms;
}

static int64_t read_offset_seconds(time_reader *reader)
{
    const char zone = read_one_of(reader, "Zz+-");
    if (zone != '+' && zone != '-') {
        return 0;
    }
    const int64_t hours = read_digits(reader, 2, 0, 23);
    read_one_of(reader, ":");
    const int64_t minutes = read_digits(reader, 2, 0, 59);
    const int64_t seconds = hours * 3600 + minutes * 60;
    return zone == '+' ? seconds : -seconds;
}

base_status base_time_parse(base_slice text, int64_t *ms_out)
{
    time_reader reader = {text, false};
    const int64_t year = read_digits(&reader, 4, 1, 9999);
    read_one_of(&reader, "-");
    const int64_t month = read_digits(&reader, 2, 1, 12);
    read_one_of(&reader, "-");
    const int64_t day = read_digits(&reader, 2, 1, month_length(year, month));
    read_one_of(&reader, "Tt");
    const int64_t hour = read_digits(&reader, 2, 0, 23);
    read_one_of(&reader, ":");
    const int64_t minute = read_digits(&reader, 2, 0, 59);
    read_one_of(&reader, ":");
    const int64_t second = read_digits(&reader, 2, 0, 60);
    const int64_t fraction_ms = read_fraction_ms(&reader);
    const int64_t offset = read_offset_seconds(&reader);
    if (reader.failed || reader.rest.size != 0) {
        return base_status_of(BASE_BAD_INPUT);
    }
    const int64_t seconds =
        days_of_date(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset;
    const int64_t ms = seconds * 1000 + fraction_ms;
    if (ms < BASE_TIME_MIN_MS || ms > BASE_TIME_MAX_MS) {
        return base_status_of(BASE_BAD_INPUT);
    }
    *ms_out = ms;
    return base_ok();
}

static void write_digits(char *text, int64_t number, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        text[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
}

void base_time_format(int64_t ms, char text_out[BASE_TIME_SIZE])
{
    const int64_t bounded = ms < BASE_TIME_MIN_MS   ? BASE_TIME_MIN_MS
                            : ms > BASE_TIME_MAX_MS ? BASE_TIME_MAX_MS
                                                    : ms;
    /* From 0000-03-01, so that everything below divides numbers that are not negative. */
    const int64_t since_era = bounded + INT64_C(719468) * DAY_SECONDS * 1000;
    const int64_t days = since_era / (DAY_SECONDS * 1000);
    const int64_t ms_of_day = since_era % (DAY_SECONDS * 1000);
    const int64_t era = days / 146097;
    const int64_t day_of_era = days % 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t shifted_month = (5 * day_of_year + 2) / 153;
    const int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    const int64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
    memcpy(text_out, "0000-00-00T00:00:00.000Z", BASE_TIME_SIZE);
    write_digits(text_out, year, 4);
    write_digits(text_out + 5, month, 2);
    write_digits(text_out + 8, day_of_year - (153 * shifted_month + 2) / 5 + 1, 2);
    write_digits(text_out + 11, ms_of_day / 3600000, 2);
    write_digits(text_out + 14, ms_of_day / 60000 % 60, 2);
    write_digits(text_out + 17, ms_of_day / 1000 % 60, 2);
    write_digits(text_out + 20, ms_of_day % 1000, 3);
}
