#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/logger.h"
#include "schemas/json.h"

static char written[16384];
static size_t line_count;

static void keep(void *context, const char *line, size_t size)
{
    (void)context;
    memcpy(written, line, size);
    written[size] = '\0';
    line_count++;
}

static int64_t one_moment(void *context)
{
    (void)context;
    return INT64_C(1700000000123);
}

static engine_logger logger_of(bool json)
{
    engine_logger logger;
    engine_logger_init(&logger, ENGINE_LOG_INFO, json, (engine_clock){.now_ms = one_moment});
    logger.write = keep;
    written[0] = '\0';
    line_count = 0;
    return logger;
}

static void test_logger__writes_one_line_for_people(void **state)
{
    (void)state;
    const engine_logger logger = logger_of(false);
    ENGINE_LOG(&logger, ENGINE_LOG_INFO, "partition taken over", ENGINE_NUMBER("partition", 3),
               ENGINE_WORD("why", "two words"), ENGINE_WORD("key", "o1"),
               ENGINE_TEXT("absent", ((base_slice){NULL, 0})), ENGINE_WORD("bad", "a\nb\"c"));
    assert_string_equal(
        written,
        "2023-11-14T22:13:20.123Z info  partition taken over partition=3 why=\"two words\" "
        "key=o1 bad=\"a\\u000ab\\\"c\"\n");
    assert_int_equal(line_count, 1);
}

static void test_logger__leaves_out_what_is_less_urgent(void **state)
{
    (void)state;
    const engine_logger logger = logger_of(false);
    ENGINE_LOG(&logger, ENGINE_LOG_DEBUG, "x", ENGINE_NUMBER("n", 1));
    assert_int_equal(line_count, 0);
}

static void test_logger__writes_json_whatever_the_fields_hold(void **state)
{
    (void)state;
    const engine_logger logger = logger_of(true);
    char long_text[9000];
    memset(long_text, 'x', sizeof(long_text));
    memcpy(long_text + 3900, "\xc3\xa4\xc3\xa4\xc3\xa4", 6); /* a cut may fall into these */
    for (size_t size = 3880; size < 4100; size++) {
        ENGINE_LOG(&logger, ENGINE_LOG_ERROR, "m",
                   ENGINE_TEXT("text", base_slice_make(long_text, size)), ENGINE_NUMBER("after", 7),
                   ENGINE_TEXT("bytes", base_slice_make("\xff\x01", 2)));
        base_arena arena;
        base_value value;
        base_error error;
        base_error_clear(&error);
        base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
        const schema_json_options options = {.places = false};
        const base_status status = schema_json_read(base_slice_make(written, strlen(written) - 1),
                                                    &options, &arena, &value, &error);
        if (base_failed(status)) {
            print_message("%zu: %s: %s\n", size, error.text, written);
        }
        assert_false(base_failed(status));
        base_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logger__writes_one_line_for_people),
        cmocka_unit_test(test_logger__leaves_out_what_is_less_urgent),
        cmocka_unit_test(test_logger__writes_json_whatever_the_fields_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
