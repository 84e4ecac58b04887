/*
 * Exact numbers: reading them and calculating with them.
 *
 *   value = coefficient * 10^exponent
 *
 * An integer is any int64. Everything else is a decimal: a coefficient of at most 18 digits, not
 * divisible by 10, and an exponent such that the number is less than 10^36 and has no digit behind
 * the 36th place:
 *
 *   10^35                    1 . 1                    10^-36
 *   |------------------------|.|------------------------|      the places there are
 *              [at most 18 digits anywhere among them]
 *
 * So what has 18 digits and is not smaller than 10^-18 is always exact; below that, digits behind
 * the 36th place are rounded away. A decimal is normalised (one number, one form) and never one
 * that an integer could hold.
 *
 * Calculation is in 128 bits and exact; `fit` turns an exact result into a value if there is one.
 * Only where there is none do products and quotients round, half to even, to 18 digits. Sums and
 * products of integers never round: they fit or are BASE_OVERFLOW. Refused: binary floating point
 * (.1 + .2 must be .3), and numbers of any length (a hostile 1e999999999 must cost nothing).
 */
#include "base/number.h"

#include "base/assert.h"

__extension__ typedef unsigned __int128 wide;

#define DIGITS_MAX BASE_NUMBER_DIGITS_MAX
#define COEFFICIENT_END UINT64_C(1000000000000000000) /* 10^18: one more than the greatest */
#define WIDE_DIGITS_MAX 38                            /* 10^38 fits 128 bits */
#define EXPONENT_READ_MAX INT64_C(100000000000000000) /* 10^17: exponents are not read further */

/* An exact number on its way to a value. */
typedef struct exact {
    bool negative;
    bool more; /* the true magnitude is a little greater (less than 1): the rest of a division */
    int exponent;
    wide magnitude;
} exact;

uint64_t base_power_of_ten(int power)
{
    static const uint64_t powers[20] = {
        1U,
        10U,
        100U,
        1000U,
        10000U,
        100000U,
        1000000U,
        10000000U,
        100000000U,
        1000000000U,
        10000000000U,
        100000000000U,
        1000000000000U,
        10000000000000U,
        100000000000000U,
        1000000000000000U,
        10000000000000000U,
        100000000000000000U,
        1000000000000000000U,
        10000000000000000000U,
    };
    BASE_ASSERT(power >= 0 && power < 20);
    return powers[power];
}

int base_digit_count(uint64_t number)
{
    if (number == 0) {
        return 0;
    }
    /* 1233 / 4096 is log10(2), near enough for 64 bits: the estimate is right or one too small. */
    const int bits = 64 - __builtin_clzll((unsigned long long)number);
    const int count = (bits * 1233) >> 12;
    return number >= base_power_of_ten(count) ? count + 1 : count;
}

static wide wide_power_of_ten(int power)
{
    return power < 20 ? base_power_of_ten(power)
                      : (wide)base_power_of_ten(19) * base_power_of_ten(power - 19);
}

static int wide_digit_count(wide number)
{
    if (number <= UINT64_MAX) {
        return base_digit_count((uint64_t)number);
    }
    int count = 19;
    while (count <= WIDE_DIGITS_MAX && number >= wide_power_of_ten(count)) {
        count++;
    }
    return count;
}

/* ---- from and to values ---- */

/* Takes trailing zeros off, until the exponent is exponent_max. */
static void strip_zeros(exact *number, int exponent_max)
{
    while (number->magnitude > UINT64_MAX && number->exponent < exponent_max &&
           number->magnitude % 10 == 0) {
        number->magnitude /= 10;
        number->exponent++;
    }
    if (number->magnitude <= UINT64_MAX && number->magnitude != 0) {
        uint64_t magnitude = (uint64_t)number->magnitude;
        while (number->exponent < exponent_max && magnitude % 10 == 0) {
            magnitude /= 10;
            number->exponent++;
        }
        number->magnitude = magnitude;
    }
}

static exact exact_of(const base_value *value)
{
    exact number = {.exponent = value->kind == BASE_DECIMAL ? value->exponent : 0};
    number.negative = value->integer < 0;
    number.magnitude = number.negative ? 0 - (uint64_t)value->integer : (uint64_t)value->integer;
    return number;
}

static int64_t signed_of(bool negative, uint64_t magnitude)
{
    return (int64_t)(negative ? 0 - magnitude : magnitude);
}

static bool fit_integer(exact number, base_value *out)
{
    if (number.exponent < 0 || number.exponent > DIGITS_MAX ||
        number.magnitude > (uint64_t)INT64_MAX + 1) {
        return false;
    }
    const wide magnitude = number.magnitude * base_power_of_ten(number.exponent);
    if (magnitude > (wide)INT64_MAX + (number.negative ? 1 : 0)) {
        return false;
    }
    *out = base_value_integer(signed_of(number.negative, (uint64_t)magnitude));
    return true;
}

/* The value that is exactly this number, if there is one. */
static bool fit(exact number, base_value *out)
{
    if (number.more) {
        return false;
    }
    if (number.magnitude == 0) {
        *out = base_value_integer(0);
        return true;
    }
    strip_zeros(&number, 0);
    if (fit_integer(number, out)) {
        return true;
    }
    strip_zeros(&number, BASE_NUMBER_PLACES_MAX);
    if (number.magnitude >= COEFFICIENT_END || number.exponent < BASE_NUMBER_EXPONENT_MIN) {
        return false;
    }
    const uint64_t magnitude = (uint64_t)number.magnitude;
    if (base_digit_count(magnitude) + number.exponent > BASE_NUMBER_PLACES_MAX) {
        return false;
    }
    *out = (base_value){.kind = BASE_DECIMAL,
                        .exponent = (int8_t)number.exponent,
                        .integer = signed_of(number.negative, magnitude)};
    return true;
}

/* Rounds half to even: to 18 digits, and no place behind the last one there is. */
static void round_digits(exact *number)
{
    int drop = wide_digit_count(number->magnitude) - DIGITS_MAX;
    if (drop < BASE_NUMBER_EXPONENT_MIN - number->exponent) {
        drop = BASE_NUMBER_EXPONENT_MIN - number->exponent;
    }
    if (drop <= 0) {
        BASE_ASSERT(!number->more); /* a quotient is made with digits to drop */
        return;
    }
    if (drop > WIDE_DIGITS_MAX) {
        *number = (exact){0}; /* 10^39 / 2 is more than 128 bits hold */
        return;
    }
    const wide unit = wide_power_of_ten(drop);
    const wide half = unit / 2;
    const wide rest = number->magnitude % unit;
    number->magnitude /= unit;
    number->exponent += drop;
    if (rest > half || (rest == half && (number->more || number->magnitude % 2 == 1))) {
        number->magnitude++;
    }
    number->more = false;
}

static base_status fit_or_overflow(exact number, base_value *out)
{
    return base_status_of(fit(number, out) ? BASE_OK : BASE_OVERFLOW);
}

static base_status fit_rounded(exact number, base_value *out)
{
    if (fit(number, out)) {
        return base_ok();
    }
    round_digits(&number);
    return fit_or_overflow(number, out);
}

bool base_decimal_check(int64_t coefficient, int64_t exponent)
{
    if (coefficient % 10 == 0 || exponent < BASE_NUMBER_EXPONENT_MIN ||
        exponent > BASE_NUMBER_PLACES_MAX) {
        return false;
    }
    base_value value = {.kind = BASE_DECIMAL, .exponent = (int8_t)exponent, .integer = coefficient};
    return fit(exact_of(&value), &value) && value.kind == BASE_DECIMAL;
}

/* ---- reading ---- */

/* The parts of a JSON number; the value is magnitude * 10^exponent while `exact`. */
typedef struct number_scan {
    const char *at;
    const char *end;
    bool negative;
    bool too_long; /* more than 19 significant digits */
    uint64_t magnitude;
    int64_t exponent;
    int64_t zero_count; /* zeros read behind the last digit that is none */
} number_scan;

static bool at_digit(const number_scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static bool take(number_scan *scan, char character)
{
    if (scan->at < scan->end && *scan->at == character) {
        scan->at++;
        return true;
    }
    return false;
}

/* Takes digits into the magnitude; false when there is none. Zeros are held back until another
 * digit follows. */
static bool take_digits(number_scan *scan)
{
    const bool any = at_digit(scan);
    for (; at_digit(scan); scan->at++) {
        const unsigned digit = (unsigned)(*scan->at - '0');
        if (digit == 0) {
            scan->zero_count += scan->magnitude != 0 ? 1 : 0;
            continue;
        }
        if (scan->too_long || base_digit_count(scan->magnitude) + scan->zero_count + 1 > 19) {
            scan->too_long = true;
            continue;
        }
        scan->magnitude = scan->magnitude * base_power_of_ten((int)scan->zero_count + 1) + digit;
        scan->zero_count = 0;
    }
    return any;
}

static bool take_exponent(number_scan *scan)
{
    if (!take(scan, 'e') && !take(scan, 'E')) {
        return true;
    }
    const bool negative = take(scan, '-');
    if (!negative) {
        (void)take(scan, '+');
    }
    const bool any = at_digit(scan);
    int64_t exponent = 0;
    for (; at_digit(scan); scan->at++) {
        if (exponent < EXPONENT_READ_MAX) {
            exponent = exponent * 10 + (*scan->at - '0');
        }
    }
    scan->exponent += negative ? -exponent : exponent;
    return any;
}

static bool scan_number(number_scan *scan)
{
    scan->negative = take(scan, '-');
    if (take(scan, '0')) {
        if (at_digit(scan)) {
            return false;
        }
    } else if (!take_digits(scan)) {
        return false;
    }
    if (take(scan, '.')) {
        const char *fraction = scan->at;
        if (!take_digits(scan)) {
            return false;
        }
        scan->exponent -= scan->at - fraction;
    }
    return take_exponent(scan) && scan->at == scan->end;
}

base_status base_number_parse(base_slice text, base_value *out)
{
    if (text.size == 0) {
        return base_status_of(BASE_BAD_INPUT);
    }
    number_scan scan = {.at = text.data, .end = text.data + text.size};
    if (!scan_number(&scan)) {
        return base_status_of(BASE_BAD_INPUT);
    }
    const int64_t exponent = scan.exponent + scan.zero_count;
    const bool near = scan.magnitude == 0 || (exponent > -100 && exponent < 100);
    const exact number = {.negative = scan.negative,
                          .exponent = near && scan.magnitude != 0 ? (int)exponent : 0,
                          .magnitude = scan.magnitude};
    if (scan.too_long || !near || !fit(number, out)) {
        *out = (base_value){.kind = BASE_NUMBER_TEXT, .size = text.size, .bytes = text.data};
    }
    return base_ok();
}

/* ---- calculating ---- */

static bool is_text(const base_value *a, const base_value *b)
{
    BASE_ASSERT(base_value_is_number(a));
    BASE_ASSERT(base_value_is_number(b));
    return a->kind == BASE_NUMBER_TEXT || b->kind == BASE_NUMBER_TEXT;
}

static bool are_integers(const base_value *a, const base_value *b)
{
    return a->kind == BASE_INTEGER && b->kind == BASE_INTEGER;
}

/* The exact sum, or BASE_OVERFLOW. */
static base_status sum(exact a, exact b, base_value *out)
{
    if (a.magnitude == 0 || b.magnitude == 0) {
        return fit_or_overflow(a.magnitude == 0 ? b : a, out);
    }
    strip_zeros(&a, BASE_NUMBER_PLACES_MAX);
    strip_zeros(&b, BASE_NUMBER_PLACES_MAX);
    if (a.exponent < b.exponent) {
        const exact swapped = a;
        a = b;
        b = swapped;
    }
    /* b's last digit is not 0 and stays the last one of the sum. Over 19 places further up, a makes
     * the sum have more than 19 digits. So nothing that fits is refused here, and what goes on is
     * less than 10^38. */
    if (a.exponent - b.exponent > 19) {
        return base_status_of(BASE_OVERFLOW);
    }
    a.magnitude *= base_power_of_ten(a.exponent - b.exponent);
    exact result = {.exponent = b.exponent};
    if (a.negative == b.negative) {
        result.negative = a.negative;
        result.magnitude = a.magnitude + b.magnitude;
    } else if (a.magnitude >= b.magnitude) {
        result.negative = a.negative;
        result.magnitude = a.magnitude - b.magnitude;
    } else {
        result.negative = b.negative;
        result.magnitude = b.magnitude - a.magnitude;
    }
    return fit_or_overflow(result, out);
}

/* The ways for what is no sum or product of integers that fits, apart so that the common way stays
 * short. */
static base_status add_exact(const base_value *a, const base_value *b, bool subtract,
                             base_value *out)
{
    if (is_text(a, b)) {
        return base_status_of(BASE_UNSUPPORTED);
    }
    exact addend = exact_of(b);
    addend.negative = addend.negative != subtract;
    return sum(exact_of(a), addend, out);
}

static base_status multiply_exact(const base_value *a, const base_value *b, base_value *out)
{
    if (is_text(a, b)) {
        return base_status_of(BASE_UNSUPPORTED);
    }
    const exact x = exact_of(a);
    const exact y = exact_of(b);
    const exact product = {.negative = x.negative != y.negative,
                           .exponent = x.exponent + y.exponent,
                           .magnitude = x.magnitude * y.magnitude};
    return are_integers(a, b) ? fit_or_overflow(product, out) : fit_rounded(product, out);
}

base_status base_number_add(const base_value *a, const base_value *b, base_value *out)
{
    int64_t integer = 0;
    if (are_integers(a, b) && !__builtin_add_overflow(a->integer, b->integer, &integer)) {
        *out = base_value_integer(integer);
        return base_ok();
    }
    return add_exact(a, b, false, out);
}

base_status base_number_subtract(const base_value *a, const base_value *b, base_value *out)
{
    int64_t integer = 0;
    if (are_integers(a, b) && !__builtin_sub_overflow(a->integer, b->integer, &integer)) {
        *out = base_value_integer(integer);
        return base_ok();
    }
    return add_exact(a, b, true, out);
}

base_status base_number_multiply(const base_value *a, const base_value *b, base_value *out)
{
    int64_t integer = 0;
    if (are_integers(a, b) && !__builtin_mul_overflow(a->integer, b->integer, &integer)) {
        *out = base_value_integer(integer);
        return base_ok();
    }
    return multiply_exact(a, b, out);
}

/* The quotient with 19 digits at least, and whether there is more. */
static exact quotient_of(exact x, exact y)
{
    int scale = 19 + wide_digit_count(y.magnitude) - wide_digit_count(x.magnitude);
    scale = scale < 0 ? 0 : scale;
    const int first = scale < 19 ? scale : 19;
    const int second = scale - first;
    /* Each step leaves a rest less than the divisor, less than 10^19: no step passes 10^38. */
    const wide high = x.magnitude * base_power_of_ten(first);
    const wide low = high % y.magnitude * base_power_of_ten(second);
    return (exact){.negative = x.negative != y.negative,
                   .more = low % y.magnitude != 0,
                   .exponent = x.exponent - y.exponent - scale,
                   .magnitude = high / y.magnitude * base_power_of_ten(second) + low / y.magnitude};
}

base_status base_number_divide(const base_value *a, const base_value *b, base_value *out)
{
    if (is_text(a, b)) {
        return base_status_of(BASE_UNSUPPORTED);
    }
    if (b->integer == 0) {
        return base_status_of(BASE_BAD_INPUT);
    }
    if (are_integers(a, b) && b->integer != -1 && a->integer % b->integer == 0) {
        *out = base_value_integer(a->integer / b->integer);
        return base_ok();
    }
    if (are_integers(a, b) && b->integer == -1) {
        /* An integer, so exact: the one that does not fit must not be rounded. */
        const base_value zero = base_value_integer(0);
        return base_number_subtract(&zero, a, out);
    }
    return fit_rounded(quotient_of(exact_of(a), exact_of(b)), out);
}

/* The number in units, cut toward zero; *rest tells how what was cut compares: 0 nothing, 1 less
 * than half, 2 half or more. Decimals with an exponent above 0 have no fraction: they are given
 * back as failed. */
static bool cut(const base_value *value, int64_t *integer_out, int *rest_out)
{
    *rest_out = 0;
    if (value->kind == BASE_INTEGER) {
        *integer_out = value->integer;
        return true;
    }
    if (value->exponent > 0) {
        return false;
    }
    if (value->exponent < -DIGITS_MAX) {
        *integer_out = 0; /* less than 1/10 */
        *rest_out = 1;
        return true;
    }
    const int64_t unit = (int64_t)base_power_of_ten(-value->exponent);
    const int64_t rest = value->integer % unit;
    *integer_out = value->integer / unit;
    *rest_out =
        (rest < 0 ? -rest : rest) >= unit / 2 ? 2 : 1; /* never 0: a decimal is no integer */
    return true;
}

base_status base_number_modulo(const base_value *a, const base_value *b, base_value *out)
{
    int64_t dividend = 0;
    int64_t divisor = 0;
    int rest = 0;
    if (is_text(a, b)) {
        return base_status_of(BASE_UNSUPPORTED);
    }
    if (!cut(a, &dividend, &rest) || !cut(b, &divisor, &rest)) {
        return base_status_of(BASE_OVERFLOW);
    }
    if (divisor == 0) {
        return base_status_of(BASE_BAD_INPUT);
    }
    *out = base_value_integer(divisor == -1 ? 0 : dividend % divisor);
    return base_ok();
}

typedef enum rounding { ROUND_DOWN, ROUND_UP, ROUND_NEAREST } rounding;

static base_status to_integer(const base_value *a, rounding way, base_value *out)
{
    if (is_text(a, a)) {
        return base_status_of(BASE_UNSUPPORTED);
    }
    int64_t integer = 0;
    int rest = 0;
    if (!cut(a, &integer, &rest)) {
        *out = *a;
        return base_ok();
    }
    /* What is cut has less than 19 digits, so a step of 1 never overflows. */
    const bool negative = a->integer < 0;
    const bool away =
        way == ROUND_NEAREST ? rest == 2 : rest != 0 && negative == (way == ROUND_DOWN);
    if (away) {
        integer += negative ? -1 : 1;
    }
    *out = base_value_integer(integer);
    return base_ok();
}

base_status base_number_floor(const base_value *a, base_value *out)
{
    return to_integer(a, ROUND_DOWN, out);
}

base_status base_number_ceil(const base_value *a, base_value *out)
{
    return to_integer(a, ROUND_UP, out);
}

base_status base_number_round(const base_value *a, base_value *out)
{
    return to_integer(a, ROUND_NEAREST, out);
}
