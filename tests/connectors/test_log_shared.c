/* What the memory and the local log share: range assignment and copies of records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "connectors/log_shared.h"

/* Kafka's RangeAssignor, as its documentation says it: member i begins at i * share + min(i,
 * extra). */
static void
test_log_shared__range_gives_every_member_a_run_and_the_first_ones_one_more(void **state)
{
    (void)state;
    for (size_t members = 1; members <= 9; members++) {
        for (int32_t partitions = 1; partitions <= 40; partitions++) {
            const size_t share = (size_t)partitions / members;
            const size_t extra = (size_t)partitions % members;
            for (size_t member = 0; member < members; member++) {
                const size_t begin = member * share + (member < extra ? member : extra);
                const size_t count = share + (member < extra ? 1 : 0);
                for (size_t i = begin; i < begin + count; i++) {
                    assert_int_equal(log_range_index(members, partitions, (int32_t)i), member);
                }
            }
        }
    }
}

static void
test_log_shared__static_members_stand_first_by_identity_then_dynamic_ones_by_age(void **state)
{
    (void)state;
    const base_slice a = base_slice_of("a");
    const base_slice b = base_slice_of("b");
    const base_slice none = base_slice_of("");
    assert_true(log_range_compare(a, 9, b, 1) < 0);
    assert_true(log_range_compare(b, 1, a, 9) > 0);
    assert_true(log_range_compare(b, 9, none, 1) < 0);
    assert_true(log_range_compare(none, 1, a, 9) > 0);
    assert_true(log_range_compare(none, 1, none, 2) < 0);
    assert_int_equal(log_range_compare(none, 1, none, 1), 0);
}

static void test_log_shared__a_packed_record_needs_nothing_of_the_original(void **state)
{
    (void)state;
    char text[] = "topic|key|value|name|header";
    schema_header headers[2] = {{{text + 16, 4}, {text + 21, 6}}, {{text + 16, 4}, {NULL, 0}}};
    const schema_record record = {.topic = {text, 5},
                                  .partition = 3,
                                  .offset = 4,
                                  .time_ms = 5,
                                  .key = {text + 6, 3},
                                  .value = {text + 10, 0},
                                  .headers = headers,
                                  .header_count = 2};
    void *block = malloc(log_record_pack_size(&record));
    assert_non_null(block);
    const schema_record *copy = log_record_pack(&record, block);
    memset(text, 'x', sizeof(text));
    memset(headers, 0, sizeof(headers));
    assert_true(base_slice_is(copy->topic, "topic"));
    assert_true(base_slice_is(copy->key, "key"));
    assert_non_null(copy->value.data);
    assert_int_equal(copy->value.size, 0);
    assert_int_equal(copy->header_count, 2);
    assert_true(base_slice_is(copy->headers[0].name, "name"));
    assert_true(base_slice_is(copy->headers[0].value, "header"));
    assert_null(copy->headers[1].value.data);
    assert_int_equal(copy->partition, 3);
    assert_int_equal(copy->offset, 4);
    assert_int_equal(copy->time_ms, 5);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_log_shared__range_gives_every_member_a_run_and_the_first_ones_one_more),
        cmocka_unit_test(
            test_log_shared__static_members_stand_first_by_identity_then_dynamic_ones_by_age),
        cmocka_unit_test(test_log_shared__a_packed_record_needs_nothing_of_the_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
