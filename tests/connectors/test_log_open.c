/* URLs and settings: what is opened, and what is said of a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "connectors/log.h"

static base_error error;

static base_status open_with(const char *url, const char *name, const char *value)
{
    const log_setting setting = {base_slice_of(name), base_slice_of(value)};
    const log_open_options options = {.settings = &setting, .setting_count = name != NULL ? 1 : 0};
    log_store *store = NULL;
    base_error_clear(&error);
    const base_status status = log_open(base_slice_of(url), &options, 100, &store, &error);
    if (!base_failed(status)) {
        log_close(store);
    }
    return status;
}

static void test_log_open__what_is_no_url_is_refused_with_advice(void **state)
{
    (void)state;
    const char *const wrong[] = {"", "orders", "/var/log", "locall:./data", "kafka", "http://host"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(open_with(wrong[i], NULL, NULL).code, BASE_BAD_INPUT);
        assert_non_null(strstr(error.hint, "local:DIRECTORY"));
    }
    assert_int_equal(open_with("kafka:host:9092", NULL, NULL).code, BASE_BAD_INPUT);
    assert_non_null(strstr(error.hint, "kafka://HOST:PORT"));
    assert_int_equal(open_with("kafka://", NULL, NULL).code, BASE_BAD_INPUT);
    assert_int_equal(open_with("local:", NULL, NULL).code, BASE_BAD_INPUT);
}

static void test_log_open__an_unknown_setting_is_refused_with_the_nearest_name(void **state)
{
    (void)state;
    assert_int_equal(open_with("memory:open", "local.bussy_timeout_ms", "5").code, BASE_BAD_INPUT);
    assert_string_equal(error.hint, "did you mean \"local.busy_timeout_ms\"?");
    assert_int_equal(open_with("memory:open", "colour", "red").code, BASE_BAD_INPUT);
    assert_int_equal(open_with("memory:open?local.poll=1", NULL, NULL).code, BASE_BAD_INPUT);
}

static void test_log_open__settings_of_another_backend_are_let_pass(void **state)
{
    (void)state;
    assert_int_equal(open_with("memory:open", "kafka.security.protocol", "SSL").code, BASE_OK);
    assert_int_equal(open_with("memory:open", "local.poll_ms", "not looked at").code, BASE_OK);
}

static void test_log_open__a_value_out_of_range_is_refused_with_the_range(void **state)
{
    (void)state;
    const char *const wrong[] = {"", "-1", "0", "1e6", "99999999999999999999", "12 ", "x", "-"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(open_with("memory:open", "memory.record_size_max", wrong[i]).code,
                         BASE_BAD_INPUT);
        assert_non_null(strstr(error.text, "from 1 to"));
    }
    assert_int_equal(open_with("memory:open", "memory.record_size_max", "10").code, BASE_OK);
}

static void test_log_open__settings_stand_in_the_url_percent_encoded(void **state)
{
    (void)state;
    assert_int_equal(open_with("memory:open?memory.record_size_max=10", NULL, NULL).code, BASE_OK);
    assert_int_equal(open_with("memory:open?memory%2Erecord_size_max=1%30", NULL, NULL).code,
                     BASE_OK);
    assert_int_equal(open_with("memory:open?memory.record_size_max=%2d1", NULL, NULL).code,
                     BASE_BAD_INPUT);
    const char *const broken[] = {"memory:open?a", "memory:open?a=%", "memory:open?a=%1",
                                  "memory:open?a=%zz", "memory:open?a=%00"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(open_with(broken[i], NULL, NULL).code, BASE_BAD_INPUT);
    }
}

static void test_log_open__the_url_wins_over_the_settings(void **state)
{
    (void)state;
    assert_int_equal(
        open_with("memory:open?memory.record_size_max=0", "memory.record_size_max", "10").code,
        BASE_BAD_INPUT);
}

static void test_log_open__a_store_opened_for_reading_writes_nothing(void **state)
{
    (void)state;
    const log_open_options options = {.read_only = true};
    const log_writer_options writer_options = {.transaction_timeout_ms = 0};
    const base_slice topic = base_slice_of("orders");
    const log_topic_options topic_options = {.name = topic, .partition_count = 1};
    const log_member_options member_options = {.group = topic, .topics = &topic, .topic_count = 1};
    log_store *store = NULL;
    log_writer *writer = NULL;
    log_member *member = NULL;
    base_error_clear(&error);
    assert_int_equal(log_open(base_slice_of("memory:open"), &options, 0, &store, &error).code,
                     BASE_OK);
    assert_int_equal(log_writer_open(store, &writer_options, &writer, NULL).code, BASE_REFUSED);
    assert_int_equal(log_member_open(store, &member_options, &member, NULL).code, BASE_REFUSED);
    assert_int_equal(log_topics_ensure(store, &topic_options, 1, 0, NULL).code, BASE_REFUSED);
    assert_int_equal(log_claim_exclusive(store, topic, NULL).code, BASE_REFUSED);
    log_close(store);
}

static void test_log_open__closing_nothing_is_fine(void **state)
{
    (void)state;
    log_close(NULL);
    log_member_close(NULL, true);
    log_reader_close(NULL);
    log_writer_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_open__what_is_no_url_is_refused_with_advice),
        cmocka_unit_test(test_log_open__an_unknown_setting_is_refused_with_the_nearest_name),
        cmocka_unit_test(test_log_open__settings_of_another_backend_are_let_pass),
        cmocka_unit_test(test_log_open__a_value_out_of_range_is_refused_with_the_range),
        cmocka_unit_test(test_log_open__settings_stand_in_the_url_percent_encoded),
        cmocka_unit_test(test_log_open__the_url_wins_over_the_settings),
        cmocka_unit_test(test_log_open__a_store_opened_for_reading_writes_nothing),
        cmocka_unit_test(test_log_open__closing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
