#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void assert_renders(const base_error *error, const char *expected)
{
    char line[1500];
    assert_int_equal(base_error_render(error, line, sizeof(line)), strlen(expected));
    assert_string_equal(line, expected);
}

static void test_error__the_first_one_wins(void **state)
{
    (void)state;
    base_error error;
    base_error_clear(&error);
    assert_int_equal(base_error_set(&error, BASE_BAD_INPUT, "no step \"%s\"", "x").code,
                     BASE_BAD_INPUT);
    assert_int_equal(base_error_set(&error, BASE_CORRUPT, "another").code, BASE_CORRUPT);
    assert_int_equal(error.code, BASE_BAD_INPUT);
    assert_string_equal(error.text, "no step \"x\"");
    base_error_clear(&error);
    assert_int_equal(error.code, BASE_OK);
    assert_string_equal(error.text, "");
}

__attribute__((format(printf, 2, 3))) static base_status set_by_list(base_error *error,
                                                                     const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const base_status status = base_error_set_list(error, BASE_BUSY, format, arguments);
    va_end(arguments);
    return status;
}

static void test_error__is_set_from_an_argument_list_too(void **state)
{
    (void)state;
    base_error error;
    base_error_clear(&error);
    assert_int_equal(set_by_list(&error, "%s is %d", "try", 3).code, BASE_BUSY);
    assert_string_equal(error.text, "try is 3");
    assert_int_equal(set_by_list(&error, "%s", "second").code, BASE_BUSY);
    assert_string_equal(error.text, "try is 3");
    assert_int_equal(set_by_list(NULL, "%s", "lost").code, BASE_BUSY);
}

static void test_error__nobody_has_to_ask_for_it(void **state)
{
    (void)state;
    assert_int_equal(base_error_set(NULL, BASE_CORRUPT, "lost").code, BASE_CORRUPT);
    base_error_clear(NULL);
    base_error_hint(NULL, "hint");
    base_error_check(NULL, "E101");
    base_error_path(NULL, base_slice_of("a"));
    base_error_place(NULL, 1, 1);
    base_error_context(NULL, "context");
}

static void test_error__renders_what_is_known(void **state)
{
    (void)state;
    base_error error;
    base_error_clear(&error);
    (void)base_error_set(&error, BASE_BAD_INPUT, "unknown step \"refnd\"");
    assert_renders(&error, "unknown step \"refnd\"");
    base_error_check(&error, "E102");
    assert_renders(&error, "E102 unknown step \"refnd\"");
    base_error_place(&error, 12, 0);
    assert_renders(&error, "line:12: E102 unknown step \"refnd\"");
    base_error_path(&error, base_slice_of("order.saga.yaml"));
    base_error_place(&error, 12, 7);
    base_error_hint(&error, "did you mean \"%s\"?", "refund");
    assert_renders(&error, "order.saga.yaml:12:7: E102 unknown step \"refnd\" (did you mean "
                           "\"refund\"?)");
    base_error_context(&error, "saga \"%s\"", "order");
    assert_string_equal(error.text, "saga \"order\": unknown step \"refnd\"");
}

static void test_error__a_small_buffer_gets_the_start_and_the_full_length(void **state)
{
    (void)state;
    base_error error;
    base_error_clear(&error);
    (void)base_error_set(&error, BASE_BAD_INPUT, "twelve chars");
    char line[7];
    assert_int_equal(base_error_render(&error, line, sizeof(line)), 12);
    assert_string_equal(line, "twelve");
    assert_int_equal(base_error_render(&error, NULL, 0), 12);
}

static void test_error__without_text_the_status_speaks(void **state)
{
    (void)state;
    base_error error;
    base_error_clear(&error);
    (void)base_error_set(&error, BASE_TIMEOUT, "%s", "");
    assert_renders(&error, "timed out");
}

static void test_error__too_long_a_text_is_cut_between_characters(void **state)
{
    (void)state;
    /* A text of euro signs (3 bytes) behind 0, 1, 2 letters: the cut falls into a character in two
     * of three cases. */
    for (size_t letters = 0; letters < 3; letters++) {
        char text[1000];
        memset(text, 'x', letters);
        for (size_t at = letters; at + 3 < sizeof(text); at += 3) {
            memcpy(text + at, "\xE2\x82\xAC", 4);
        }
        base_error error;
        base_error_clear(&error);
        (void)base_error_set(&error, BASE_BAD_INPUT, "%s", text);
        assert_true(base_utf8_valid(base_slice_of(error.text)));
        assert_true(strlen(error.text) >= BASE_ERROR_TEXT_SIZE - 3);
        base_error_hint(&error, "%s", text);
        assert_true(base_utf8_valid(base_slice_of(error.hint)));
        base_error_path(&error, base_slice_of(text));
        assert_true(base_utf8_valid(base_slice_of(error.path)));
        assert_true(strlen(error.path) >= BASE_ERROR_PATH_SIZE - 3);
        base_error_context(&error, "ctx");
        assert_true(base_utf8_valid(base_slice_of(error.text)));
        assert_memory_equal(error.text, "ctx: ", 5);
        base_error_context(&error, "%s", text);
        assert_true(base_utf8_valid(base_slice_of(error.text)));
    }
    base_error error;
    base_error_clear(&error);
    base_error_check(&error, "E123456789");
    assert_string_equal(error.check, "E123456");
}

static void test_error__a_text_that_just_fits_is_whole(void **state)
{
    (void)state;
    char text[BASE_ERROR_TEXT_SIZE];
    memset(text, 'x', sizeof(text));
    memcpy(text + sizeof(text) - 4, "\xE2\x82\xAC", 4);
    base_error error;
    base_error_clear(&error);
    (void)base_error_set(&error, BASE_BAD_INPUT, "%s", text);
    assert_string_equal(error.text, text);
    base_error_clear(&error);
    (void)base_error_set(&error, BASE_BAD_INPUT, "%sy", text);
    assert_string_equal(error.text, text);
}

static const char *nearest(const char *word)
{
    static const base_slice names[] = {
        BASE_SLICE_LITERAL("charge"),  BASE_SLICE_LITERAL("refund"), BASE_SLICE_LITERAL("reserve"),
        BASE_SLICE_LITERAL("release"), BASE_SLICE_LITERAL("ship"),
    };
    return base_error_nearest(base_slice_of(word), names, 5).data;
}

static void test_error__finds_the_nearest_name(void **state)
{
    (void)state;
    assert_string_equal(nearest("refnd"), "refund");
    assert_string_equal(nearest("hcarge"), "charge"); /* a swap is one change */
    assert_string_equal(nearest("shp"), "ship");
    assert_string_equal(nearest("releave"), "release");
    assert_string_equal(nearest("shipp"), "ship");
    assert_null(nearest("invoice"));
    assert_null(nearest("zz"));
    assert_null(nearest(""));
    assert_string_equal(nearest("charge"), "charge");
}

static void test_error__nearest_has_bounds_and_takes_the_first_of_equals(void **state)
{
    (void)state;
    const base_slice two[] = {base_slice_of("cat"), base_slice_of("bat")};
    assert_ptr_equal(base_error_nearest(base_slice_of("hat"), two, 2).data, two[0].data);
    const base_slice one[] = {base_slice_of("x")};
    assert_null(base_error_nearest(base_slice_of("y"), one, 1).data); /* nothing in common */
    char text[200];
    memset(text, 'a', sizeof(text));
    const base_slice longs[] = {base_slice_make(text, 200), base_slice_make(text, 96)};
    assert_null(base_error_nearest(base_slice_make(text, 97), longs, 2).data);
    assert_int_equal(base_error_nearest(base_slice_make(text, 95), longs, 2).size, 96);
    assert_null(base_error_nearest(base_slice_of("a"), NULL, 0).data);
    /* swap next to a change: optimal string alignment, distance 2 */
    const base_slice swapped[] = {base_slice_of("abcdef")};
    assert_int_equal(base_error_nearest(base_slice_of("bacdeg"), swapped, 1).size, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error__the_first_one_wins),
        cmocka_unit_test(test_error__is_set_from_an_argument_list_too),
        cmocka_unit_test(test_error__nobody_has_to_ask_for_it),
        cmocka_unit_test(test_error__renders_what_is_known),
        cmocka_unit_test(test_error__a_small_buffer_gets_the_start_and_the_full_length),
        cmocka_unit_test(test_error__without_text_the_status_speaks),
        cmocka_unit_test(test_error__too_long_a_text_is_cut_between_characters),
        cmocka_unit_test(test_error__a_text_that_just_fits_is_whole),
        cmocka_unit_test(test_error__finds_the_nearest_name),
        cmocka_unit_test(test_error__nearest_has_bounds_and_takes_the_first_of_equals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
