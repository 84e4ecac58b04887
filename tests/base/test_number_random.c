/*
 * Numbers against a model: arithmetic as on paper, on arrays of decimal digits, rounding and all.
 * The model knows nothing of coefficients in 64 or 128 bits; it is slow and plain.
 *
 * TEST_SEED=n repeats a run.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/value.h"

#define DIGITS 512
#define TEXT_SIZE 128
#define ROUNDS 40000

static void text_set(char *text, const char *source)
{
    (void)snprintf(text, TEXT_SIZE, "%s", source);
}

static uint64_t random_state;

static uint32_t random_below(uint32_t end)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % end);
}

/* ---- the model: digits, most significant first, times 10^exponent ---- */

typedef struct big {
    bool negative;
    bool more; /* cut off: the true magnitude is greater */
    int count;
    int exponent;
    uint8_t digits[DIGITS];
} big;

static void big_strip(big *number)
{
    int lead = 0;
    while (lead < number->count && number->digits[lead] == 0) {
        lead++;
    }
    memmove(number->digits, number->digits + lead, (size_t)(number->count - lead));
    number->count -= lead;
    while (number->count > 0 && number->digits[number->count - 1] == 0) {
        number->count--;
        number->exponent++;
    }
    if (number->count == 0) {
        number->exponent = 0;
    }
}

static big big_read(const char *text)
{
    big number = {0};
    bool fraction = false;
    number.negative = *text == '-';
    text += number.negative ? 1 : 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text == '.') {
            fraction = true;
            continue;
        }
        number.digits[number.count++] = (uint8_t)(*text - '0');
        number.exponent -= fraction ? 1 : 0;
    }
    if (*text == 'e') {
        number.exponent += (int)strtol(text + 1, NULL, 10);
    }
    big_strip(&number);
    return number;
}

/* Brings both to one exponent and one count. */
static void big_align(big *a, big *b)
{
    const int exponent = a->exponent < b->exponent ? a->exponent : b->exponent;
    big *const both[2] = {a, b};
    for (int index = 0; index < 2; index++) {
        for (; both[index]->exponent > exponent; both[index]->exponent--) {
            both[index]->digits[both[index]->count++] = 0;
        }
    }
    const int count = a->count > b->count ? a->count : b->count;
    for (int index = 0; index < 2; index++) {
        const int pad = count - both[index]->count;
        memmove(both[index]->digits + pad, both[index]->digits, (size_t)both[index]->count);
        memset(both[index]->digits, 0, (size_t)pad);
        both[index]->count = count;
    }
}

static big big_add(big a, big b)
{
    if (a.count == 0 || b.count == 0) {
        return a.count == 0 ? b : a;
    }
    big_align(&a, &b);
    if (a.negative != b.negative && memcmp(a.digits, b.digits, (size_t)a.count) < 0) {
        const big swapped = a;
        a = b;
        b = swapped;
    }
    big sum = {.negative = a.negative, .exponent = a.exponent, .count = a.count + 1};
    int carry = 0;
    for (int index = a.count - 1; index >= 0; index--) {
        int digit = a.digits[index] + carry;
        digit += a.negative == b.negative ? b.digits[index] : -b.digits[index];
        carry = 0;
        if (digit > 9) {
            digit -= 10;
            carry = 1;
        } else if (digit < 0) {
            digit += 10;
            carry = -1;
        }
        sum.digits[index + 1] = (uint8_t)digit;
    }
    sum.digits[0] = (uint8_t)carry;
    big_strip(&sum);
    return sum;
}

static big big_multiply(const big *a, const big *b)
{
    big product = {.negative = a->negative != b->negative,
                   .exponent = a->exponent + b->exponent,
                   .count = a->count + b->count};
    int sums[DIGITS] = {0};
    for (int i = 0; i < a->count; i++) {
        for (int j = 0; j < b->count; j++) {
            sums[i + j + 1] += a->digits[i] * b->digits[j];
        }
    }
    for (int index = product.count - 1; index >= 0; index--) {
        if (index > 0) {
            sums[index - 1] += sums[index] / 10;
        }
        product.digits[index] = (uint8_t)(sums[index] % 10);
    }
    big_strip(&product);
    return product;
}

/* Long division: 60 digits behind the dividend's own. */
static big big_divide(const big *a, const big *b)
{
    big quotient = {.negative = a->negative != b->negative,
                    .exponent = a->exponent - b->exponent - 60,
                    .count = a->count + 60};
    uint8_t rest[64] = {0}; /* one digit longer than the divisor */
    const int rest_count = b->count + 1;
    uint8_t divisor[64] = {0};
    memcpy(divisor + 1, b->digits, (size_t)b->count);
    for (int index = 0; index < quotient.count; index++) {
        memmove(rest, rest + 1, (size_t)rest_count - 1);
        rest[rest_count - 1] = index < a->count ? a->digits[index] : 0;
        while (memcmp(rest, divisor, (size_t)rest_count) >= 0) {
            int borrow = 0;
            for (int at = rest_count - 1; at >= 0; at--) {
                int digit = rest[at] - divisor[at] - borrow;
                borrow = digit < 0 ? 1 : 0;
                rest[at] = (uint8_t)(digit + (borrow ? 10 : 0));
            }
            quotient.digits[index]++;
        }
    }
    for (int at = 0; at < rest_count; at++) {
        quotient.more = quotient.more || rest[at] != 0;
    }
    big_strip(&quotient);
    return quotient;
}

/* ---- from the model to the text that is expected ---- */

static bool is_integer(const big *number, char *digits_out)
{
    if (number->more || number->exponent < 0 || number->count + number->exponent > 19) {
        return false;
    }
    int size = 0;
    for (int index = 0; index < number->count + number->exponent; index++) {
        digits_out[size++] = (char)('0' + (index < number->count ? number->digits[index] : 0));
    }
    digits_out[size] = '\0';
    const char *limit = number->negative ? "9223372036854775808" : "9223372036854775807";
    return size < 19 || strcmp(digits_out, limit) <= 0;
}

static bool is_decimal(const big *number)
{
    return !number->more && number->count <= 18 && number->exponent >= -36 &&
           number->count + number->exponent <= 36;
}

static void round_half_even(big *number)
{
    int keep = number->count + number->exponent + 36;
    keep = keep > 18 ? 18 : keep;
    if (keep < 0) {
        *number = (big){0};
        return;
    }
    const bool tail = number->count > keep + 1 || number->more;
    const int first = number->digits[keep];
    const bool odd = keep > 0 && number->digits[keep - 1] % 2 == 1;
    const bool up = first > 5 || (first == 5 && (tail || odd));
    big kept = *number;
    kept.exponent += number->count - keep;
    kept.count = keep;
    kept.more = false;
    big one = {.negative = number->negative, .count = up ? 1 : 0, .digits = {1}};
    one.exponent = kept.exponent;
    *number = big_add(kept, one);
    big_strip(number);
}

static void print_decimal(const big *number, char *text)
{
    const int whole = number->count + number->exponent;
    if (number->negative) {
        *text++ = '-';
    }
    if (number->exponent < 0 && (number->exponent >= -18 || whole > -6)) {
        int size = 0;
        for (int place = whole > 0 ? 0 : whole - 1; place < number->count; place++) {
            if (place == whole) {
                text[size++] = '.';
            }
            text[size++] = (char)('0' + (place < 0 ? 0 : number->digits[place]));
        }
        text[size] = '\0';
        return;
    }
    int size = 0;
    for (int index = 0; index < number->count; index++) {
        text[size++] = (char)('0' + number->digits[index]);
        if (index == 0 && number->count > 1) {
            text[size++] = '.';
        }
    }
    (void)snprintf(text + size, 16, "e%+d", whole - 1);
}

/* The text that an operation with this true result gives, or "overflow". */
static void expect(big number, bool may_round, char *text)
{
    char digits[24];
    for (int round = 0; round < 2; round++) {
        if (number.count == 0 && !number.more) {
            text_set(text, "0");
            return;
        }
        if (is_integer(&number, digits)) {
            (void)snprintf(text, TEXT_SIZE, "%s%s", number.negative ? "-" : "", digits);
            return;
        }
        if (is_decimal(&number)) {
            print_decimal(&number, text);
            return;
        }
        if (!may_round || round == 1) {
            break;
        }
        round_half_even(&number);
    }
    text_set(text, "overflow");
}

/* ---- numbers to try ---- */

static size_t random_digits(char *text, uint32_t count)
{
    static const char favourites[] = "0000999555123";
    const bool plain = random_below(3) == 0;
    for (uint32_t index = 0; index < count; index++) {
        text[index] = plain ? (char)('0' + random_below(10))
                            : favourites[random_below(sizeof(favourites) - 1)];
    }
    return count;
}

static void random_number(char *text)
{
    static const char *const corners[] = {
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775806",
        "4611686018427387904",
        "999999999999999999",
        "1000000000000000000",
        "-1",
        "0",
        "999999999999999999e18",
        "1e35",
        "1e-36",
        "0.5",
        "3",
        "7",
        "1e18",
        "1e-18",
        "0.1",
        "2",
    };
    size_t size = 0;
    if (random_below(8) == 0) {
        text_set(text, corners[random_below(sizeof(corners) / sizeof(corners[0]))]);
        return;
    }
    if (random_below(2) == 0) {
        text[size++] = '-';
    }
    const uint32_t whole_count = random_below(20);
    if (whole_count == 0) {
        text[size++] = '0';
    } else {
        text[size++] = (char)('1' + random_below(9));
        size += random_digits(text + size, whole_count - 1);
    }
    if (random_below(2) == 0) {
        text[size++] = '.';
        size += random_digits(text + size, 1 + random_below(random_below(2) == 0 ? 3 : 20));
    }
    text[size] = '\0';
    if (random_below(3) == 0) {
        (void)snprintf(text + size, 16, "e%d", (int)random_below(81) - 40);
    }
}

static const char *text_of(const base_value *value, char *text)
{
    base_arena arena;
    base_arena_init(&arena, 4096);
    base_slice slice = {NULL, 0};
    assert_int_equal(base_number_text(value, &arena, &slice).code, BASE_OK);
    assert_true(slice.size < TEXT_SIZE);
    memcpy(text, slice.data, slice.size + 1);
    base_arena_deinit(&arena);
    return text;
}

static base_value parsed(const char *text)
{
    base_value value = {0};
    if (base_failed(base_number_parse(base_slice_of(text), &value))) {
        fail_msg("not a number: %s", text);
    }
    return value;
}

/* A number that arithmetic takes. */
static base_value random_operand(char *text)
{
    for (;;) {
        random_number(text);
        const base_value value = parsed(text);
        if (value.kind != BASE_NUMBER_TEXT) {
            return value;
        }
    }
}

static void assert_result(base_status status, const base_value *result, const char *expected,
                          const char *a, const char *operation, const char *b)
{
    char text[TEXT_SIZE] = "";
    if (base_failed(status)) {
        text_set(text, base_status_name(status));
    } else {
        (void)text_of(result, text);
    }
    if (strcmp(text, expected) != 0) {
        fail_msg("%s %s %s gives %s, the model says %s", a, operation, b, text, expected);
    }
}

/* ---- tests ---- */

static void test_number_random__reading_and_writing(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char text[TEXT_SIZE];
        char expected[TEXT_SIZE];
        char written[TEXT_SIZE];
        random_number(text);
        const base_value value = parsed(text);
        expect(big_read(text), false, expected);
        if (value.kind == BASE_NUMBER_TEXT) {
            text_set(expected, strcmp(expected, "overflow") == 0 ? text : expected);
        }
        if (strcmp(text_of(&value, written), expected) != 0) {
            fail_msg("%s is written %s, the model says %s", text, written, expected);
        }
        const base_value again = parsed(written);
        assert_int_equal(again.kind, value.kind);
        assert_int_equal(base_number_compare(&again, &value), 0);
    }
}

static void test_number_random__sums_and_differences(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char a_text[TEXT_SIZE];
        char b_text[TEXT_SIZE];
        char expected[TEXT_SIZE];
        const base_value a = random_operand(a_text);
        const base_value b = random_operand(b_text);
        base_value result = base_value_null();
        big x = big_read(a_text);
        big y = big_read(b_text);
        expect(big_add(x, y), false, expected);
        assert_result(base_number_add(&a, &b, &result), &result, expected, a_text, "+", b_text);
        y.negative = !y.negative;
        expect(big_add(x, y), false, expected);
        assert_result(base_number_subtract(&a, &b, &result), &result, expected, a_text, "-",
                      b_text);
    }
}

static void test_number_random__products(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char a_text[TEXT_SIZE];
        char b_text[TEXT_SIZE];
        char expected[TEXT_SIZE];
        const base_value a = random_operand(a_text);
        const base_value b = random_operand(b_text);
        base_value result = base_value_null();
        const big x = big_read(a_text);
        const big y = big_read(b_text);
        const bool may_round = a.kind != BASE_INTEGER || b.kind != BASE_INTEGER;
        expect(big_multiply(&x, &y), may_round, expected);
        assert_result(base_number_multiply(&a, &b, &result), &result, expected, a_text, "*",
                      b_text);
    }
}

static void test_number_random__quotients(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS / 2; round++) {
        char a_text[TEXT_SIZE];
        char b_text[TEXT_SIZE];
        char expected[TEXT_SIZE];
        const base_value a = random_operand(a_text);
        const base_value b = random_operand(b_text);
        if (b.integer == 0) {
            continue;
        }
        base_value result = base_value_null();
        const big x = big_read(a_text);
        const big y = big_read(b_text);
        const bool lowest = a.kind == BASE_INTEGER && a.integer == INT64_MIN &&
                            b.kind == BASE_INTEGER && b.integer == -1;
        expect(big_divide(&x, &y), !lowest, expected);
        assert_result(base_number_divide(&a, &b, &result), &result, expected, a_text, "/", b_text);
    }
}

/* a = floor(a) + f, 0 <= f < 1; and so for ceil and round: by the model's sums. */
static void test_number_random__floor_ceil_and_round(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS / 2; round++) {
        char text[TEXT_SIZE];
        const base_value a = random_operand(text);
        big whole = big_read(text);
        int half = 0; /* of the fraction: 0 none, 1 less than half, 2 half or more */
        if (whole.exponent < 0) {
            const int keep = whole.count + whole.exponent;
            half = keep >= 0 && whole.digits[keep] >= 5 ? 2 : 1;
            whole.exponent = 0;
            whole.count = keep < 0 ? 0 : keep;
            big_strip(&whole);
        }
        const big away =
            big_add(whole, (big){.negative = whole.negative, .count = half ? 1 : 0, .digits = {1}});
        char expected[3][TEXT_SIZE];
        expect(whole.negative ? away : whole, false, expected[0]);
        expect(whole.negative ? whole : away, false, expected[1]);
        expect(half == 2 ? away : whole, false, expected[2]);
        base_value result = base_value_null();
        assert_result(base_number_floor(&a, &result), &result, expected[0], text, "floor", "");
        assert_result(base_number_ceil(&a, &result), &result, expected[1], text, "ceil", "");
        assert_result(base_number_round(&a, &result), &result, expected[2], text, "round", "");
    }
}

static int model_compare(const char *a, const char *b)
{
    big y = big_read(b);
    y.negative = !y.negative;
    const big difference = big_add(big_read(a), y);
    if (difference.count == 0) {
        return 0;
    }
    return difference.negative ? -1 : 1;
}

/* Half of the pairs are near each other: the second is the first with one digit changed, or in
 * other words. */
static void random_neighbour(const char *a, char *b)
{
    text_set(b, a);
    const size_t at = random_below((uint32_t)strlen(a));
    const char *mark = strchr(b, 'e');
    if (b[at] >= '1' && b[at] <= '9' && (mark == NULL || b + at < mark)) {
        b[at] = (char)('1' + random_below(9));
    } else if (mark == NULL && strchr(b, '.') != NULL) {
        const size_t size = strlen(b);
        (void)snprintf(b + size, TEXT_SIZE - size, "000");
    }
}

static void test_number_random__comparing(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char a_text[TEXT_SIZE];
        char b_text[TEXT_SIZE];
        random_number(a_text);
        if (random_below(2) == 0) {
            random_neighbour(a_text, b_text);
        } else {
            random_number(b_text);
        }
        const base_value a = parsed(a_text);
        const base_value b = parsed(b_text);
        const int order = base_number_compare(&a, &b);
        const int model = model_compare(a_text, b_text);
        if ((order > 0) - (order < 0) != model || base_number_compare(&b, &a) != -order) {
            fail_msg("%s against %s gives %d, the model says %d", a_text, b_text, order, model);
        }
    }
}

int main(void)
{
    const char *seed = getenv("TEST_SEED");
    random_state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    print_message("TEST_SEED=%" PRIu64 "\n", random_state);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_random__reading_and_writing),
        cmocka_unit_test(test_number_random__sums_and_differences),
        cmocka_unit_test(test_number_random__products),
        cmocka_unit_test(test_number_random__quotients),
        cmocka_unit_test(test_number_random__floor_ceil_and_round),
        cmocka_unit_test(test_number_random__comparing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
