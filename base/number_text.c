/*
 * Numbers as text: writing them, and comparing any two of them.
 *
 * A number too long for a value is kept as its JSON text, of any length, with an exponent of any
 * length. Comparing such numbers goes by the text: where the first digit that is not 0 stands (its
 * power of ten), then digit by digit. The powers are compared by their difference, which is summed
 * up from the exponents' digits and given up on once it is so large that nothing can bring it back.
 * So no number is ever expanded.
 */
#include "base/assert.h"
#include "base/number.h"

/* ---- writing ---- */

/* Decimal digits of a magnitude, without sign; gives their count. 0 is one digit. */
static size_t print_digits(uint64_t magnitude, char *buffer)
{
    char reversed[20];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude != 0);
    for (size_t index = 0; index < count; index++) {
        buffer[index] = reversed[count - 1 - index];
    }
    return count;
}

/* "12.5", "0.00125": digits with a point. */
static size_t print_plain(const char *digits, int digit_count, int exponent, char *buffer)
{
    const int whole_count = digit_count + exponent;
    size_t at = 0;
    if (whole_count <= 0) {
        buffer[0] = '0';
        buffer[1] = '.';
        memset(buffer + 2, '0', (size_t)-whole_count);
        at = 2 + (size_t)-whole_count;
        memcpy(buffer + at, digits, (size_t)digit_count);
        return at + (size_t)digit_count;
    }
    memcpy(buffer, digits, (size_t)whole_count);
    buffer[whole_count] = '.';
    memcpy(buffer + whole_count + 1, digits + whole_count, (size_t)-exponent);
    return (size_t)digit_count + 1;
}

/* "1.25e+20", "1e-20", as ECMAScript (and so RFC 8785) writes them. */
static size_t print_scientific(const char *digits, int digit_count, int exponent, char *buffer)
{
    size_t at = 0;
    buffer[at++] = digits[0];
    if (digit_count > 1) {
        buffer[at++] = '.';
        memcpy(buffer + at, digits + 1, (size_t)digit_count - 1);
        at += (size_t)digit_count - 1;
    }
    const int power = exponent + digit_count - 1;
    buffer[at++] = 'e';
    buffer[at++] = power < 0 ? '-' : '+';
    return at + print_digits((uint64_t)(power < 0 ? -power : power), buffer + at);
}

size_t base_number_print(const base_value *number, char buffer[BASE_NUMBER_PRINT_SIZE])
{
    BASE_ASSERT(number->kind == BASE_INTEGER || number->kind == BASE_DECIMAL);
    const int64_t integer = number->integer;
    size_t sign_size = 0;
    if (integer < 0) {
        buffer[0] = '-';
        sign_size = 1;
    }
    char digits[20];
    const uint64_t magnitude = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    const size_t count = print_digits(magnitude, digits);
    char *rest = buffer + sign_size;
    if (number->kind == BASE_INTEGER) {
        memcpy(rest, digits, count);
        return sign_size + count;
    }
    const int places = -number->exponent;
    const bool is_near = places <= BASE_NUMBER_DIGITS_MAX || (int)count - places > -6;
    const size_t size = places > 0 && is_near
                            ? print_plain(digits, (int)count, number->exponent, rest)
                            : print_scientific(digits, (int)count, number->exponent, rest);
    return sign_size + size;
}

base_status base_number_text(const base_value *number, base_arena *arena, base_slice *text_out)
{
    char buffer[BASE_NUMBER_PRINT_SIZE];
    base_slice text = base_value_slice(number);
    if (number->kind != BASE_NUMBER_TEXT) {
        text = base_slice_make(buffer, base_number_print(number, buffer));
    }
    const base_slice copy = base_arena_copy(arena, text);
    if (copy.data == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    *text_out = copy;
    return base_ok();
}

/* ---- comparing texts ---- */

/* A number's text, taken apart. Its first digit that is not 0 stands for 10^(lead + written
 * exponent). */
typedef struct text_parts {
    bool negative;
    bool zero;
    const char *digit; /* the first that is not 0 */
    const char *digits_end;
    int64_t lead;
    bool exponent_negative;
    base_slice exponent; /* its digits, without leading zeros */
} text_parts;

static text_parts text_split(base_slice text)
{
    text_parts parts = {0};
    const char *at = text.data;
    const char *end = text.data + text.size;
    if (at < end && *at == '-') {
        parts.negative = true;
        at++;
    }
    const char *point = NULL;
    const char *mark = at;
    while (mark < end && *mark != 'e' && *mark != 'E') {
        if (*mark == '.') {
            point = mark;
        }
        mark++;
    }
    parts.digits_end = mark;
    while (at < mark && (*at == '0' || *at == '.')) {
        at++;
    }
    parts.digit = at;
    parts.zero = at == mark;
    const char *units_end = point != NULL ? point : mark;
    parts.lead = at < units_end ? units_end - at - 1 : units_end - at;
    if (mark < end) {
        mark++;
        parts.exponent_negative = mark < end && *mark == '-';
        while (mark < end && (*mark == '-' || *mark == '+' || *mark == '0')) {
            mark++;
        }
        parts.exponent = base_slice_make(mark, (size_t)(end - mark));
    }
    return parts;
}

/* The digit of an exponent at `place` from the right, with its sign; 0 left of the number. */
static int64_t exponent_digit(const text_parts *parts, size_t place)
{
    if (place >= parts->exponent.size) {
        return 0;
    }
    const int64_t digit = parts->exponent.data[parts->exponent.size - 1 - place] - '0';
    return parts->exponent_negative ? -digit : digit;
}

/* The order of the powers of ten that the first digits stand for. */
static int compare_powers(const text_parts *a, const text_parts *b)
{
    /* Texts are smaller than memory, so leads are far less than this. Digits to come add less than
     * 10 times what a digit is worth, so past it the sign is settled. */
    const int64_t settled = INT64_C(100000000000000000);
    const size_t places = a->exponent.size > b->exponent.size ? a->exponent.size : b->exponent.size;
    int64_t difference = 0;
    for (size_t place = places; place > 0 && difference < settled && difference > -settled;
         place--) {
        difference = difference * 10 + exponent_digit(a, place - 1) - exponent_digit(b, place - 1);
    }
    difference += a->lead - b->lead;
    return (difference > 0) - (difference < 0);
}

/* The next digit of the number, 0 behind its end. */
static char next_digit(const char **at, const char *end)
{
    if (*at < end && **at == '.') {
        (*at)++;
    }
    return *at < end ? *(*at)++ : '0';
}

static int compare_digits(const text_parts *a, const text_parts *b)
{
    const char *a_at = a->digit;
    const char *b_at = b->digit;
    while (a_at < a->digits_end || b_at < b->digits_end) {
        const char a_digit = next_digit(&a_at, a->digits_end);
        const char b_digit = next_digit(&b_at, b->digits_end);
        if (a_digit != b_digit) {
            return a_digit < b_digit ? -1 : 1;
        }
    }
    return 0;
}

static int sign_of(const text_parts *parts)
{
    if (parts->zero) {
        return 0;
    }
    return parts->negative ? -1 : 1;
}

static int compare_texts(base_slice a, base_slice b)
{
    const text_parts a_parts = text_split(a);
    const text_parts b_parts = text_split(b);
    const int a_sign = sign_of(&a_parts);
    const int b_sign = sign_of(&b_parts);
    if (a_sign != b_sign || a_sign == 0) {
        return (a_sign > b_sign) - (a_sign < b_sign);
    }
    int order = compare_powers(&a_parts, &b_parts);
    if (order == 0) {
        order = compare_digits(&a_parts, &b_parts);
    }
    return a_sign < 0 ? -order : order;
}

/* ---- comparing values ---- */

/* Magnitudes of two numbers that are not 0: by the place of the first digit, then with the same
 * number of digits. */
static int compare_magnitudes(const base_value *a, const base_value *b)
{
    uint64_t x = a->integer < 0 ? 0 - (uint64_t)a->integer : (uint64_t)a->integer;
    uint64_t y = b->integer < 0 ? 0 - (uint64_t)b->integer : (uint64_t)b->integer;
    const int x_count = base_digit_count(x);
    const int y_count = base_digit_count(y);
    const int x_lead = x_count + (a->kind == BASE_DECIMAL ? a->exponent : 0);
    const int y_lead = y_count + (b->kind == BASE_DECIMAL ? b->exponent : 0);
    if (x_lead != y_lead) {
        return x_lead < y_lead ? -1 : 1;
    }
    /* At most 19 digits: 10^19 fits 64 bits. */
    if (x_count < y_count) {
        x *= base_power_of_ten(y_count - x_count);
    } else {
        y *= base_power_of_ten(x_count - y_count);
    }
    return (x > y) - (x < y);
}

int base_number_compare(const base_value *a, const base_value *b)
{
    if (a->kind == BASE_INTEGER && b->kind == BASE_INTEGER) {
        return (a->integer > b->integer) - (a->integer < b->integer);
    }
    BASE_ASSERT(base_value_is_number(a));
    BASE_ASSERT(base_value_is_number(b));
    if (a->kind == BASE_NUMBER_TEXT || b->kind == BASE_NUMBER_TEXT) {
        char a_buffer[BASE_NUMBER_PRINT_SIZE];
        char b_buffer[BASE_NUMBER_PRINT_SIZE];
        const base_slice a_text = a->kind == BASE_NUMBER_TEXT
                                      ? base_value_slice(a)
                                      : base_slice_make(a_buffer, base_number_print(a, a_buffer));
        const base_slice b_text = b->kind == BASE_NUMBER_TEXT
                                      ? base_value_slice(b)
                                      : base_slice_make(b_buffer, base_number_print(b, b_buffer));
        return compare_texts(a_text, b_text);
    }
    const int a_sign = (a->integer > 0) - (a->integer < 0);
    const int b_sign = (b->integer > 0) - (b->integer < 0);
    if (a_sign != b_sign || a_sign == 0) {
        return (a_sign > b_sign) - (a_sign < b_sign);
    }
    const int order = compare_magnitudes(a, b);
    return a_sign < 0 ? -order : order;
}
