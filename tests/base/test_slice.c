#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"

static base_slice s(const char *text)
{
    return base_slice_of(text);
}

static void test_slice__compares_by_bytes_then_length(void **state)
{
    (void)state;
    assert_int_equal(base_slice_compare(s("abc"), s("abc")), 0);
    assert_true(base_slice_compare(s("ab"), s("abc")) < 0);
    assert_true(base_slice_compare(s("b"), s("abc")) > 0);
    assert_true(base_slice_compare(s("z"), s("\xC3\xA9")) < 0); /* bytes are unsigned */
    assert_int_equal(base_slice_compare(base_slice_make(NULL, 0), s("")), 0);
    assert_true(base_slice_compare(base_slice_make(NULL, 0), s("a")) < 0);
    assert_true(base_slice_compare(base_slice_make("a\0b", 3), base_slice_make("a\0c", 3)) < 0);
}

static void test_slice__equality_looks_at_length_and_bytes(void **state)
{
    (void)state;
    assert_true(base_slice_equal(s("ab"), s("ab")));
    assert_false(base_slice_equal(s("ab"), s("ac")));
    assert_false(base_slice_equal(s("ab"), s("abc")));
    assert_true(base_slice_equal(base_slice_make(NULL, 0), s("")));
    assert_true(base_slice_is(s("step"), "step"));
    assert_false(base_slice_is(s("step"), "ste"));
    assert_true(base_slice_empty(base_slice_of(NULL)));
}

static void test_slice__starts_and_ends(void **state)
{
    (void)state;
    assert_true(base_slice_starts_with(s("troupe.inbox"), s("troupe.")));
    assert_true(base_slice_starts_with(s("a"), base_slice_make(NULL, 0)));
    assert_false(base_slice_starts_with(s("tr"), s("tro")));
    assert_false(base_slice_starts_with(s("xroupe"), s("tro")));
    assert_true(base_slice_ends_with(s("order.saga.yaml"), s(".yaml")));
    assert_true(base_slice_ends_with(s("a"), s("a")));
    assert_false(base_slice_ends_with(s("yaml"), s(".yaml")));
    assert_false(base_slice_ends_with(s("order.json"), s(".yaml")));
}

/* RFC 3629's grammar written as ranges, apart from the code under test. */
static bool model_utf8(const unsigned char *bytes, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint32_t code = bytes[at];
        size_t more = 0;
        uint32_t lowest = 0;
        if (code < 0x80) {
            more = 0;
        } else if ((code & 0xE0) == 0xC0) {
            more = 1;
            lowest = 0x80;
            code &= 0x1F;
        } else if ((code & 0xF0) == 0xE0) {
            more = 2;
            lowest = 0x800;
            code &= 0x0F;
        } else if ((code & 0xF8) == 0xF0) {
            more = 3;
            lowest = 0x10000;
            code &= 0x07;
        } else {
            return false;
        }
        if (at + more >= size) {
            return false;
        }
        for (size_t index = 1; index <= more; index++) {
            if ((bytes[at + index] & 0xC0) != 0x80) {
                return false;
            }
            code = code << 6 | (bytes[at + index] & 0x3F);
        }
        if (code < lowest || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
            return false;
        }
        at += more + 1;
    }
    return true;
}

static void assert_like_model(const unsigned char bytes[4])
{
    for (size_t size = 1; size <= 4; size++) {
        if (base_utf8_valid(base_slice_make(bytes, size)) != model_utf8(bytes, size)) {
            fail_msg("%02x %02x %02x %02x, %zu bytes", bytes[0], bytes[1], bytes[2], bytes[3],
                     size);
        }
    }
}

static void test_slice__utf8_is_rfc_3629_for_every_start_of_three_bytes(void **state)
{
    (void)state;
    static const unsigned char thirds[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0}; /* the borders */
    for (uint32_t pair = 0; pair < 1U << 16; pair++) {
        for (size_t third = 0; third < sizeof(thirds); third++) {
            const unsigned char bytes[4] = {(unsigned char)(pair >> 8), (unsigned char)pair,
                                            thirds[third], 0x80};
            assert_like_model(bytes);
        }
    }
}

static void test_slice__utf8_is_found_bad_wherever_the_bad_byte_stands(void **state)
{
    (void)state;
    assert_true(base_utf8_valid(base_slice_make(NULL, 0)));
    assert_true(base_utf8_valid(s("\xE2\x82\xAC 100 \xF0\x9F\x8E\xAD na\xC3\xAFve text")));
    for (size_t size = 1; size <= 40; size++) {
        char text[40];
        for (size_t bad = 0; bad < size; bad++) {
            memset(text, 'x', sizeof(text));
            assert_true(base_utf8_valid(base_slice_make(text, size)));
            text[bad] = (char)0xFF;
            assert_false(base_utf8_valid(base_slice_make(text, size)));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slice__compares_by_bytes_then_length),
        cmocka_unit_test(test_slice__equality_looks_at_length_and_bytes),
        cmocka_unit_test(test_slice__starts_and_ends),
        cmocka_unit_test(test_slice__utf8_is_rfc_3629_for_every_start_of_three_bytes),
        cmocka_unit_test(test_slice__utf8_is_found_bad_wherever_the_bad_byte_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
