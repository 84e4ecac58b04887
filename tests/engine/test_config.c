#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/config.h"

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static base_status read_text(engine_config *config, const char *text, base_error *error)
{
    char path[] = "/tmp/troupe-config-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    write_file(path, text, strlen(text));
    base_error_clear(error);
    const base_status status = engine_config_file(config, path, error);
    (void)unlink(path);
    return status;
}

static void test_config__later_sources_win(void **state)
{
    (void)state;
    engine_config config;
    base_error error;
    engine_config_init(&config);
    assert_int_equal(config.batch_max, 1000);
    assert_false(
        base_failed(read_text(&config, "batch_max: 10\npartitions: 7\nprefix: shop\n", &error)));
    static char e0[] = "TROUPE_BATCH_MAX=20";
    static char e1[] = "TROUPE_CONFIG=x";
    static char e2[] = "TROUPE_TEST_ANY=1";
    static char e3[] = "PATH=/";
    char *const environment[] = {e0, e1, e2, e3, NULL};
    assert_false(base_failed(engine_config_environment(&config, environment, &error)));
    assert_int_equal(config.batch_max, 20);
    assert_false(base_failed(
        engine_config_set(&config, base_slice_of("batch-max"), base_slice_of("30"), &error)));
    assert_int_equal(config.batch_max, 30);
    assert_int_equal(config.partitions, 7);
    assert_false(base_failed(engine_config_finish(&config, &error)));
    assert_true(base_slice_is(config.group, "shop"));
    engine_config_deinit(&config);
}

static void test_config__settings_are_passed_on(void **state)
{
    (void)state;
    engine_config config;
    base_error error;
    engine_config_init(&config);
    assert_false(base_failed(
        read_text(&config, "kafka:\n  security.protocol: SSL\n  linger.ms: 5\nlocal.poll_ms: 100\n",
                  &error)));
    static char e0[] = "TROUPE_KAFKA_SSL_CA_LOCATION=/ca.pem";
    static char e1[] = "TROUPE_LOCAL_POLL_MS=200";
    char *const environment[] = {e0, e1, NULL};
    assert_false(base_failed(engine_config_environment(&config, environment, &error)));
    assert_int_equal(config.setting_count, 4);
    assert_true(base_slice_is(config.settings[0].name, "kafka.security.protocol"));
    assert_true(base_slice_is(config.settings[1].value, "5"));
    assert_true(base_slice_is(config.settings[2].name, "local.poll_ms"));
    assert_true(base_slice_is(config.settings[2].value, "200"));
    assert_true(base_slice_is(config.settings[3].name, "kafka.ssl.ca.location"));
    engine_config_deinit(&config);
}

static void test_config__large_records_pass_the_log_too(void **state)
{
    (void)state;
    engine_config config;
    base_error error;
    engine_config_init(&config);
    assert_false(base_failed(engine_config_finish(&config, &error)));
    assert_int_equal(config.setting_count, 0);
    assert_false(base_failed(read_text(
        &config, "record_size_max: 4000000\nkafka.message.max.bytes: 5000000\n", &error)));
    assert_false(base_failed(engine_config_finish(&config, &error)));
    assert_int_equal(config.setting_count, 2);
    assert_true(base_slice_is(config.settings[0].name, "kafka.message.max.bytes"));
    assert_true(base_slice_is(config.settings[0].value, "5000000"));
    assert_true(base_slice_is(config.settings[1].name, "local.record_size_max"));
    assert_true(base_slice_is(config.settings[1].value, "4000000"));
    engine_config_deinit(&config);
}

static void test_config__an_unknown_key_is_refused_with_its_place_and_a_guess(void **state)
{
    (void)state;
    engine_config config;
    base_error error;
    engine_config_init(&config);
    assert_int_equal(read_text(&config, "prefix: a\nbatch_maks: 10\n", &error).code,
                     BASE_BAD_INPUT);
    assert_int_equal(error.line, 2);
    assert_string_equal(error.text, "unknown configuration key \"batch_maks\"");
    assert_string_equal(error.hint, "did you mean \"batch_max\"?");
    engine_config_deinit(&config);
}

static void test_config__values_out_of_range_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"partitions", "0"},      {"partitions", "x"}, {"partitions", "1.5"}, {"from", "sometime"},
        {"create_topics", "yes"}, {"batch_max", "-1"}, {"kafka.", "x"}};
    engine_config config;
    engine_config_init(&config);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        base_error error;
        base_error_clear(&error);
        assert_int_equal(engine_config_set(&config, base_slice_of(wrong[i][0]),
                                           base_slice_of(wrong[i][1]), &error)
                             .code,
                         BASE_BAD_INPUT);
        assert_true(error.text[0] != '\0');
    }
    assert_int_equal(config.partitions, 12);
    engine_config_deinit(&config);
}

static void test_config__sagas_are_a_list(void **state)
{
    (void)state;
    engine_config config;
    base_error error;
    engine_config_init(&config);
    assert_false(base_failed(read_text(&config, "sagas: [a.saga.yaml, dir]\n", &error)));
    assert_int_equal(config.sagas.count, 2);
    assert_true(base_slice_is(config.sagas.items[1], "dir"));
    assert_false(base_failed(
        engine_config_set(&config, base_slice_of("sagas"), base_slice_of("x,y,z"), &error)));
    assert_int_equal(config.sagas.count, 3);
    engine_config_deinit(&config);
}

/* docs/configuration.md holds the table that the code has; TROUPE_TEST_REWRITE=1 writes it there.
 */
static void test_config__the_documentation_is_what_the_code_says(void **state)
{
    (void)state;
    static const char begin[] = "<!-- keys -->\n";
    static const char end[] = "<!-- end of keys -->\n";
    static const char path[] = TEST_ROOT_DIR "/docs/configuration.md";
    base_arena arena;
    base_arena_init(&arena, BASE_ARENA_SIZE_DEFAULT_MAX);
    base_slice table = {NULL, 0};
    assert_false(base_failed(engine_config_describe(ENGINE_CONFIG_MARKDOWN, &arena, &table)));
    static char text[65536];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    char *from = strstr(text, begin);
    assert_non_null(from);
    from += strlen(begin);
    char *to = strstr(from, end);
    assert_non_null(to);
    const bool same =
        (size_t)(to - from) == table.size && memcmp(from, table.data, table.size) == 0;
    if (!same && getenv("TROUPE_TEST_REWRITE") != NULL) {
        const base_slice whole = base_arena_print(&arena, "%.*s%.*s%s", (int)(from - text), text,
                                                  BASE_SLICE_ARG(table), to);
        write_file(path, whole.data, whole.size);
    } else {
        assert_true(same);
    }
    base_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config__later_sources_win),
        cmocka_unit_test(test_config__settings_are_passed_on),
        cmocka_unit_test(test_config__large_records_pass_the_log_too),
        cmocka_unit_test(test_config__an_unknown_key_is_refused_with_its_place_and_a_guess),
        cmocka_unit_test(test_config__values_out_of_range_are_refused),
        cmocka_unit_test(test_config__sagas_are_a_list),
        cmocka_unit_test(test_config__the_documentation_is_what_the_code_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
