#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/value.h"

static base_value parsed(const char *text)
{
    base_value value = {0};
    if (base_failed(base_number_parse(base_slice_of(text), &value))) {
        fail_msg("not a number: %s", text);
    }
    return value;
}

static void assert_text(const base_value *value, const char *expected)
{
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_slice text = {NULL, 0};
    assert_int_equal(base_number_text(value, &arena, &text).code, BASE_OK);
    assert_string_equal(text.data, expected);
    base_arena_deinit(&arena);
}

static void assert_parses(const char *text, base_kind kind, const char *written)
{
    const base_value value = parsed(text);
    if (value.kind != kind) {
        fail_msg("%s: kind %d, not %d", text, value.kind, kind);
    }
    assert_text(&value, written);
}

typedef base_status binary(const base_value *a, const base_value *b, base_value *out);
typedef base_status unary(const base_value *a, base_value *out);

/* expected: the result's text, or the name of the failure. */
static void assert_gives(binary *operation, const char *a, const char *b, const char *expected)
{
    const base_value x = parsed(a);
    const base_value y = parsed(b);
    base_value result = base_value_bool(true);
    const base_status status = operation(&x, &y, &result);
    if (base_failed(status)) {
        assert_string_equal(base_status_name(status), expected);
        assert_int_equal(result.kind, BASE_BOOL); /* written on success only */
    } else {
        assert_text(&result, expected);
        const base_value again = parsed(expected);
        assert_int_equal(result.kind, again.kind);
        assert_int_equal(result.exponent, again.exponent);
        assert_int_equal(result.integer, again.integer);
    }
}

static void assert_gives_one(unary *operation, const char *a, const char *expected)
{
    const base_value x = parsed(a);
    base_value result = base_value_null();
    const base_status status = operation(&x, &result);
    if (base_failed(status)) {
        assert_string_equal(base_status_name(status), expected);
    } else {
        assert_text(&result, expected);
    }
}

static void test_number__integers_are_read_however_they_are_written(void **state)
{
    (void)state;
    assert_parses("0", BASE_INTEGER, "0");
    assert_parses("-0", BASE_INTEGER, "0");
    assert_parses("-0.00e17", BASE_INTEGER, "0");
    assert_parses("0e999999999999999999999", BASE_INTEGER, "0");
    assert_parses("42", BASE_INTEGER, "42");
    assert_parses("1.0", BASE_INTEGER, "1");
    assert_parses("1e3", BASE_INTEGER, "1000");
    assert_parses("1E+3", BASE_INTEGER, "1000");
    assert_parses("1200e-2", BASE_INTEGER, "12");
    assert_parses("0.0001e4", BASE_INTEGER, "1");
    assert_parses("9223372036854775807", BASE_INTEGER, "9223372036854775807");
    assert_parses("-9223372036854775808", BASE_INTEGER, "-9223372036854775808");
    assert_parses("922337203685477580.7e1", BASE_INTEGER, "9223372036854775807");
    assert_parses("1000000000000000000", BASE_INTEGER, "1000000000000000000");
    assert_parses("1.00000000000000000000000000000000000000000", BASE_INTEGER, "1");
    assert_parses("1000000000000000000000000000e-27", BASE_INTEGER, "1");
}

static void test_number__decimals_are_normalised(void **state)
{
    (void)state;
    assert_parses("0.5", BASE_DECIMAL, "0.5");
    assert_parses("0.50", BASE_DECIMAL, "0.5");
    assert_parses("5e-1", BASE_DECIMAL, "0.5");
    assert_parses("-12.3400", BASE_DECIMAL, "-12.34");
    assert_parses("0.000001", BASE_DECIMAL, "0.000001");
    assert_parses("123456789012345.678", BASE_DECIMAL, "123456789012345.678");
    assert_parses("0.123456789012345678", BASE_DECIMAL, "0.123456789012345678");
    assert_parses("1e-18", BASE_DECIMAL, "0.000000000000000001");
    assert_parses("1e-19", BASE_DECIMAL, "1e-19");
    assert_parses("123456789012345678e-23", BASE_DECIMAL, "0.00000123456789012345678");
    assert_parses("123456789012345678e-24", BASE_DECIMAL, "1.23456789012345678e-7");
    assert_parses("-12345678901234567e-24", BASE_DECIMAL, "-1.2345678901234567e-8");
    assert_parses("-1.5e-20", BASE_DECIMAL, "-1.5e-20");
    assert_parses("10000000000000000000", BASE_DECIMAL, "1e+19");
    assert_parses("9223372036854776000", BASE_DECIMAL, "9.223372036854776e+18");
    assert_parses("6.02214076e23", BASE_DECIMAL, "6.02214076e+23");
    const base_value value = parsed("-2500e-4");
    assert_int_equal(value.integer, -25);
    assert_int_equal(value.exponent, -2);
}

static void test_number__the_range_of_decimals_ends_where_the_header_says(void **state)
{
    (void)state;
    assert_parses("1e35", BASE_DECIMAL, "1e+35");
    assert_parses("999999999999999999e18", BASE_DECIMAL, "9.99999999999999999e+35");
    assert_parses("1e36", BASE_NUMBER_TEXT, "1e36");
    assert_parses("1e-36", BASE_DECIMAL, "1e-36");
    assert_parses("999999999999999999e-36", BASE_DECIMAL, "9.99999999999999999e-19");
    assert_parses("1e-37", BASE_NUMBER_TEXT, "1e-37");
    assert_parses("10e-37", BASE_DECIMAL, "1e-36");
    assert_parses("9223372036854775808", BASE_NUMBER_TEXT, "9223372036854775808");
    assert_parses("-9223372036854775809", BASE_NUMBER_TEXT, "-9223372036854775809");
    assert_parses("18446744073709551616", BASE_NUMBER_TEXT, "18446744073709551616");
    assert_parses("1.2345678901234567891", BASE_NUMBER_TEXT, "1.2345678901234567891");
    assert_parses("1e999999999999999999999999", BASE_NUMBER_TEXT, "1e999999999999999999999999");
    assert_parses("1e-9223372036854775809", BASE_NUMBER_TEXT, "1e-9223372036854775809");
}

static void test_number__refuses_what_rfc_8259_does_not_know(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",          "-",     "+1",  "01",  "-01",   ".5",    "1.",  "1.e3",  "1e",
        "1e+",       "e5",    "1 ",  " 1",  "1x",    "0x1",   "nan", "NaN",   "Infinity",
        "-Infinity", "1_000", "1,5", "--1", "1e5.5", "1.2.3", "00",  "1e--5", "\xD9\xA1",
    };
    for (size_t index = 0; index < sizeof(texts) / sizeof(texts[0]); index++) {
        base_value value = base_value_bool(true);
        if (base_number_parse(base_slice_of(texts[index]), &value).code != BASE_BAD_INPUT) {
            fail_msg("taken for a number: \"%s\"", texts[index]);
        }
        assert_int_equal(value.kind, BASE_BOOL);
    }
    base_value value;
    assert_int_equal(base_number_parse(base_slice_make(NULL, 0), &value).code, BASE_BAD_INPUT);
    assert_int_equal(base_number_parse(base_slice_make("1\0", 2), &value).code, BASE_BAD_INPUT);
    assert_int_equal(base_number_parse(base_slice_make("12.5", 2), &value).code, BASE_OK);
    assert_int_equal(value.integer, 12); /* looks no further than the slice */
}

static void test_number__sums_are_exact_or_an_overflow(void **state)
{
    (void)state;
    assert_gives(base_number_add, "0.1", "0.2", "0.3");
    assert_gives(base_number_add, "1", "2", "3");
    assert_gives(base_number_add, "0.5", "0.5", "1");
    assert_gives(base_number_add, "0", "0.5", "0.5");
    assert_gives(base_number_add, "0.5", "0", "0.5");
    assert_gives(base_number_add, "-0.5", "0.5", "0");
    assert_gives(base_number_add, "9223372036854775807", "1", "overflow");
    assert_gives(base_number_add, "9223372036854775807", "193", "9.223372036854776e+18");
    assert_gives(base_number_add, "-9223372036854775808", "-1", "overflow");
    assert_gives(base_number_add, "9223372036854775807", "0.5", "overflow");
    assert_gives(base_number_add, "9223372036854775800", "7", "9223372036854775807");
    assert_gives(base_number_add, "9000000000000000000", "1000000000000000000", "1e+19");
    assert_gives(base_number_add, "1e19", "-1e18", "9000000000000000000");
    assert_gives(base_number_add, "1e35", "1e-36", "overflow");
    assert_gives(base_number_add, "1e17", "0.1", "overflow");
    assert_gives(base_number_add, "1e16", "0.1", "10000000000000000.1");
    assert_gives(base_number_add, "999999999999999999e18", "1e18", "overflow");
    assert_gives(base_number_add, "0.999999999999999999", "0.000000000000000001", "1");
    assert_gives(base_number_subtract, "0.3", "0.1", "0.2");
    assert_gives(base_number_subtract, "0.1", "0.3", "-0.2");
    assert_gives(base_number_subtract, "100", "0.01", "99.99");
    assert_gives(base_number_subtract, "-9223372036854775808", "1", "overflow");
    assert_gives(base_number_subtract, "0", "-9223372036854775808", "overflow");
    assert_gives(base_number_subtract, "-1", "-9223372036854775808", "9223372036854775807");
    assert_gives(base_number_subtract, "1e20", "1e20", "0");
    assert_gives(base_number_subtract, "10000000000000000000.0", "9223372036854775807",
                 "776627963145224193");
}

static void test_number__products_round_half_even_but_not_those_of_integers(void **state)
{
    (void)state;
    assert_gives(base_number_multiply, "12.50", "3", "37.5");
    assert_gives(base_number_multiply, "0.1", "0.1", "0.01");
    assert_gives(base_number_multiply, "-0.5", "4", "-2");
    assert_gives(base_number_multiply, "0", "0.5", "0");
    assert_gives(base_number_multiply, "3037000501", "3037000501", "overflow");
    assert_gives(base_number_multiply, "10000000000", "10000000000", "1e+20");
    assert_gives(base_number_multiply, "-9223372036854775808", "-1", "overflow");
    assert_gives(base_number_multiply, "9223372036854775807", "9223372036854775807", "overflow");
    assert_gives(base_number_multiply, "4611686018427387904", "0.5", "2305843009213693952");
    /* 1.00000000000000001 squared: 35 digits, the rest is less than half */
    assert_gives(base_number_multiply, "1.00000000000000001", "1.00000000000000001",
                 "1.00000000000000002");
    /* ties: ...25 * 0.5 -> ...12|5 down to the even, ...75 * 0.5 -> ...37|5 up to the even */
    assert_gives(base_number_multiply, "0.100000000000000025", "0.5", "0.0500000000000000125");
    assert_gives(base_number_multiply, "100000000000000001", "1.5", "150000000000000002");
    assert_gives(base_number_multiply, "300000000000000001", "0.5", "150000000000000000");
    assert_gives(base_number_multiply, "300000000000000003", "0.5", "150000000000000002");
    assert_gives(base_number_multiply, "999999999999999999", "1.5", "1500000000000000000");
    assert_gives(base_number_multiply, "1e18", "1e18", "overflow");
    assert_gives(base_number_multiply, "1e35", "0.1", "1e+34");
    assert_gives(base_number_multiply, "1e35", "10.5", "overflow");
    assert_gives(base_number_multiply, "1e-18", "1e-18", "1e-36");
    assert_gives(base_number_multiply, "1e-36", "0.5", "0");
    assert_gives(base_number_multiply, "3e-36", "0.5", "2e-36");
    assert_gives(base_number_multiply, "1e-36", "0.51", "1e-36");
    assert_gives(base_number_multiply, "1e-36", "1e-36", "0");
}

static void test_number__quotients_have_18_digits(void **state)
{
    (void)state;
    assert_gives(base_number_divide, "10", "3", "3.33333333333333333");
    assert_gives(base_number_divide, "20", "3", "6.66666666666666667");
    assert_gives(base_number_divide, "1", "3", "0.333333333333333333");
    assert_gives(base_number_divide, "-1", "3", "-0.333333333333333333");
    assert_gives(base_number_divide, "1", "30", "0.0333333333333333333");
    assert_gives(base_number_divide, "1", "8", "0.125");
    assert_gives(base_number_divide, "6", "3", "2");
    assert_gives(base_number_divide, "0", "3", "0");
    assert_gives(base_number_divide, "0", "0.3", "0");
    assert_gives(base_number_divide, "0.3", "0.1", "3");
    assert_gives(base_number_divide, "1", "0.001", "1000");
    assert_gives(base_number_divide, "1", "0", "bad_input");
    assert_gives(base_number_divide, "0.5", "0", "bad_input");
    assert_gives(base_number_divide, "9223372036854775807", "1", "9223372036854775807");
    assert_gives(base_number_divide, "9223372036854775807", "7", "1317624576693539401");
    assert_gives(base_number_divide, "-9223372036854775808", "-1", "overflow");
    assert_gives(base_number_divide, "9223372036854775807", "-1", "-9223372036854775807");
    assert_gives(base_number_divide, "9223372036854775807", "2", "4611686018427387900");
    assert_gives(base_number_divide, "1", "9223372036854775807", "1.08420217248550443e-19");
    assert_gives(base_number_divide, "1e35", "0.1", "overflow");
    assert_gives(base_number_divide, "1e-36", "3", "0");
    assert_gives(base_number_divide, "1e-36", "2", "0");
    assert_gives(base_number_divide, "3e-36", "2", "2e-36");
    assert_gives(base_number_divide, "2e-36", "3", "1e-36");
    assert_gives(base_number_divide, "1e-36", "1e35", "0");
}

static void test_number__modulo_cuts_both_to_integers(void **state)
{
    (void)state;
    assert_gives(base_number_modulo, "7", "3", "1");
    assert_gives(base_number_modulo, "-7", "3", "-1");
    assert_gives(base_number_modulo, "7", "-3", "1");
    assert_gives(base_number_modulo, "7.9", "3.9", "1");
    assert_gives(base_number_modulo, "-7.9", "3", "-1");
    assert_gives(base_number_modulo, "5", "0", "bad_input");
    assert_gives(base_number_modulo, "5", "0.9", "bad_input");
    assert_gives(base_number_modulo, "-9223372036854775808", "-1", "0");
    assert_gives(base_number_modulo, "1e20", "7", "overflow");
    assert_gives(base_number_modulo, "7", "1e20", "overflow");
    assert_gives(base_number_modulo, "1e-30", "7", "0");
}

static void test_number__floor_ceil_and_round(void **state)
{
    (void)state;
    assert_gives_one(base_number_floor, "1.5", "1");
    assert_gives_one(base_number_floor, "-1.5", "-2");
    assert_gives_one(base_number_floor, "-0.1", "-1");
    assert_gives_one(base_number_floor, "1e-30", "0");
    assert_gives_one(base_number_floor, "-1e-30", "-1");
    assert_gives_one(base_number_floor, "7", "7");
    assert_gives_one(base_number_floor, "1e20", "1e+20");
    assert_gives_one(base_number_ceil, "1.5", "2");
    assert_gives_one(base_number_ceil, "-1.5", "-1");
    assert_gives_one(base_number_ceil, "0.1", "1");
    assert_gives_one(base_number_ceil, "1e-30", "1");
    assert_gives_one(base_number_ceil, "-1e-30", "0");
    assert_gives_one(base_number_round, "1.5", "2");
    assert_gives_one(base_number_round, "2.5", "3");
    assert_gives_one(base_number_round, "-2.5", "-3");
    assert_gives_one(base_number_round, "2.49999999999999999", "2");
    assert_gives_one(base_number_round, "0.999999999999999999", "1");
    assert_gives_one(base_number_round, "1e-30", "0");
    assert_gives_one(base_number_round, "0.5", "1");
    assert_gives_one(base_number_round, "0.123456789012345678", "0");
    assert_gives_one(base_number_round, "99999999999999999.9", "100000000000000000");
    assert_gives_one(base_number_round, "-9223372036854775808", "-9223372036854775808");
}

static void test_number__text_passes_through_and_refuses_arithmetic(void **state)
{
    (void)state;
    static const char long_text[] = "123456789012345678901234567890.5";
    assert_parses(long_text, BASE_NUMBER_TEXT, long_text);
    binary *const operations[] = {base_number_add, base_number_subtract, base_number_multiply,
                                  base_number_divide, base_number_modulo};
    for (size_t index = 0; index < 5; index++) {
        assert_gives(operations[index], long_text, "1", "unsupported");
        assert_gives(operations[index], "1", long_text, "unsupported");
        assert_gives(operations[index], "0.5", long_text, "unsupported");
    }
    assert_gives_one(base_number_floor, long_text, "unsupported");
    assert_gives_one(base_number_ceil, long_text, "unsupported");
    assert_gives_one(base_number_round, long_text, "unsupported");
}

static void test_number__the_output_may_be_an_input(void **state)
{
    (void)state;
    base_value value = parsed("0.1");
    const base_value step = parsed("0.2");
    assert_int_equal(base_number_add(&value, &step, &value).code, BASE_OK);
    assert_text(&value, "0.3");
    assert_int_equal(base_number_multiply(&value, &value, &value).code, BASE_OK);
    assert_text(&value, "0.09");
    assert_int_equal(base_number_divide(&value, &value, &value).code, BASE_OK);
    assert_text(&value, "1");
    assert_int_equal(base_number_floor(&value, &value).code, BASE_OK);
}

static void assert_order(const char *a_text, const char *b_text, int expected)
{
    const base_value a = parsed(a_text);
    const base_value b = parsed(b_text);
    const int order = base_number_compare(&a, &b);
    if ((order > 0) - (order < 0) != expected) {
        fail_msg("%s against %s gives %d", a_text, b_text, order);
    }
}

static void test_number__any_two_compare_by_value(void **state)
{
    (void)state;
    /* Each less than the next. */
    static const char *const ladder[] = {
        "-1e100000000000000000000000000000000000000000001",
        "-1e100000000000000000000000000000000000000000000",
        "-1e37",
        "-999999999999999999999999999999999999",
        "-1e20",
        "-9223372036854775809",
        "-9223372036854775808",
        "-9223372036854775807.5",
        "-1.00000000000000000000000000000000001",
        "-1",
        "-0.5",
        "-1e-36",
        "-1e-37",
        "-1e-99999999999999999999999",
        "0",
        "1e-99999999999999999999999",
        "1e-40",
        "1e-36",
        "0.3",
        "0.33333333333333333333333333333",
        "0.333333333333333334",
        "1",
        "1.0000000000000000000000000000000000000001",
        "1.5",
        "2",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775806.5",
        "9223372036854775807",
        "9223372036854775807.5",
        "9223372036854775808",
        "10000000000000000000",
        "10000000000000000001",
        "1e36",
        "1e1000",
        "2e1000",
        "10.1e1000",
        "1e99999999999999999999999",
        "10e99999999999999999999999",
        "1e100000000000000000000000",
    };
    const size_t count = sizeof(ladder) / sizeof(ladder[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            /* 10e99..9 and 1e100..0 are one number: 23 digits of 9 and one more. */
            const bool same = i >= count - 2 && j >= count - 2;
            assert_order(ladder[i], ladder[j], same ? 0 : (i > j) - (i < j));
        }
    }
}

static void test_number__equal_numbers_in_other_words_are_equal(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"1e400", "10e399"},
        {"1e400", "1.0e400"},
        {"1e400", "0.001E+403"},
        {"100000000000000000000.1", "1000000000000000000001e-1"},
        {"100000000000000000000.1", "100000000000000000000.1000"},
        {"1e-99999999999999999999", "0.1e-99999999999999999998"},
        {"12345678901234567890123", "12345678901234567890123e0"},
        {"12345678901234567890123", "12345678901234567890123.000e-00"},
    };
    for (size_t index = 0; index < sizeof(pairs) / sizeof(pairs[0]); index++) {
        const base_value a = parsed(pairs[index][0]);
        const base_value b = parsed(pairs[index][1]);
        if (base_number_compare(&a, &b) != 0 || base_number_compare(&b, &a) != 0) {
            fail_msg("%s and %s", pairs[index][0], pairs[index][1]);
        }
    }
}

static void test_number__text_needs_memory(void **state)
{
    (void)state;
    base_arena arena;
    base_arena_init(&arena, 0);
    const base_value value = parsed("12.5");
    base_slice text = {NULL, 0};
    assert_int_equal(base_number_text(&value, &arena, &text).code, BASE_OUT_OF_MEMORY);
    assert_null(text.data);
    base_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number__integers_are_read_however_they_are_written),
        cmocka_unit_test(test_number__decimals_are_normalised),
        cmocka_unit_test(test_number__the_range_of_decimals_ends_where_the_header_says),
        cmocka_unit_test(test_number__refuses_what_rfc_8259_does_not_know),
        cmocka_unit_test(test_number__sums_are_exact_or_an_overflow),
        cmocka_unit_test(test_number__products_round_half_even_but_not_those_of_integers),
        cmocka_unit_test(test_number__quotients_have_18_digits),
        cmocka_unit_test(test_number__modulo_cuts_both_to_integers),
        cmocka_unit_test(test_number__floor_ceil_and_round),
        cmocka_unit_test(test_number__text_passes_through_and_refuses_arithmetic),
        cmocka_unit_test(test_number__the_output_may_be_an_input),
        cmocka_unit_test(test_number__any_two_compare_by_value),
        cmocka_unit_test(test_number__equal_numbers_in_other_words_are_equal),
        cmocka_unit_test(test_number__text_needs_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
