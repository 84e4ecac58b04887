#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

typedef struct row {
    base_code code;
    base_class expected_class;
    const char *capitals;
    const char *text;
} row;

static const row ROWS[] = {
#define X(name, class_, text) {BASE_##name, BASE_CLASS_##class_, #name, text},
    BASE_STATUS_LIST(X)
#undef X
};

static void test_status__every_code_has_its_name_class_and_text(void **state)
{
    (void)state;
    assert_int_equal(sizeof(ROWS) / sizeof(ROWS[0]), BASE_CODE_COUNT);
    for (size_t index = 0; index < BASE_CODE_COUNT; index++) {
        const base_status status = base_status_of(ROWS[index].code);
        const char *name = base_status_name(status);
        assert_int_equal(strlen(name), strlen(ROWS[index].capitals));
        for (size_t at = 0; name[at] != '\0'; at++) {
            assert_int_equal(name[at], tolower((unsigned char)ROWS[index].capitals[at]));
        }
        assert_string_equal(base_status_text(status), ROWS[index].text);
        assert_int_equal(base_status_class(status), ROWS[index].expected_class);
    }
}

static void test_status__only_ok_has_not_failed(void **state)
{
    (void)state;
    assert_false(base_failed(base_ok()));
    for (size_t code = 1; code < BASE_CODE_COUNT; code++) {
        assert_true(base_failed(base_status_of((base_code)code)));
        assert_int_not_equal(base_status_class(base_status_of((base_code)code)), BASE_CLASS_OK);
    }
    assert_int_equal(base_status_class(base_ok()), BASE_CLASS_OK);
}

static base_status tries(base_status given, int *reached)
{
    BASE_TRY(given);
    *reached = 1;
    return base_ok();
}

static void test_status__try_returns_a_failure_and_goes_on_otherwise(void **state)
{
    (void)state;
    int reached = 0;
    assert_int_equal(tries(base_status_of(BASE_TIMEOUT), &reached).code, BASE_TIMEOUT);
    assert_int_equal(reached, 0);
    assert_int_equal(tries(base_ok(), &reached).code, BASE_OK);
    assert_int_equal(reached, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status__every_code_has_its_name_class_and_text),
        cmocka_unit_test(test_status__only_ok_has_not_failed),
        cmocka_unit_test(test_status__try_returns_a_failure_and_goes_on_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
