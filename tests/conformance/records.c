/* What goes in comes out: topics, order, keys, headers, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tests/conformance/conformance.h"

static conformance_records records; /* too large for the stack */

static int setup(void **state)
{
    conformance_forget(&records); /* a test that failed left them */
    return conformance_setup(state);
}

static void assert_slice(base_slice slice, const char *text)
{
    assert_int_equal(slice.size, strlen(text));
    assert_memory_equal(slice.data, text, slice.size);
}

static void test_conformance__a_topic_is_made_once_and_keeps_its_partitions(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 3);
    log_topic_options options = {
        .name = topic, .partition_count = 5, .retention_ms = -1, .retention_size = -1};
    int32_t count = 0;
    FINE(log_topics_ensure(test->store, &options, 1, test->patience_ms, error));
    FINE(log_topic_partitions(test->store, topic, &count, error));
    assert_int_equal(count, 3);
}

static void test_conformance__an_unknown_topic_is_not_found(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_name(test, "nowhere");
    int32_t count = 0;
    int64_t begin = 0;
    int64_t end = 0;
    ENDS(BASE_NOT_FOUND, log_topic_partitions(test->store, topic, &count, error));
    ENDS(BASE_NOT_FOUND, log_range(test->store, topic, 0, &begin, &end, error));
    log_writer *writer = conformance_writer(test, "writer");
    const schema_record record = {.topic = topic, .value = base_slice_of("x")};
    ENDS(BASE_NOT_FOUND, log_writer_append(writer, &record, error));
    log_writer_close(writer);
}

static void test_conformance__reading_an_unknown_topic_says_so_at_once_or_at_the_poll(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_name(test, "nowhere");
    log_reader *reader = conformance_reader(test);
    base_status status = log_reader_assign(reader, topic, 0, LOG_OFFSET_BEGIN, NULL);
    for (int i = 0; !base_failed(status) && i < 50; i++) {
        const schema_record *found = NULL;
        size_t count = 0;
        status = log_reader_poll(reader, 200, 1, &found, &count, NULL);
    }
    assert_int_equal(status.code, BASE_NOT_FOUND);
    log_reader_close(reader);
}

static void test_conformance__a_partition_that_is_not_there_is_not_found(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 2);
    log_writer *writer = conformance_writer(test, "writer");
    const schema_record record = {.topic = topic, .partition = 2, .value = base_slice_of("x")};
    ENDS(BASE_NOT_FOUND, log_writer_append(writer, &record, error));
    conformance_put(writer, topic, 1, "k", "the transaction goes on");
    conformance_commit(writer);
    log_writer_close(writer);
    log_reader *reader = conformance_reader_of(test, topic, 2);
    conformance_read(test, reader, 1, &records);
    assert_slice(records.items[0].record.value, "the transaction goes on");
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__names_that_no_log_takes_are_refused(void **state)
{
    conformance *test = *state;
    int32_t count = 0;
    char long_name[300];
    memset(long_name, 'a', sizeof(long_name));
    ENDS(BASE_BAD_INPUT, log_topic_partitions(test->store, base_slice_of(""), &count, error));
    ENDS(BASE_BAD_INPUT, log_topic_partitions(test->store, base_slice_of(".."), &count, error));
    ENDS(BASE_BAD_INPUT, log_topic_partitions(test->store, base_slice_of("a b"), &count, error));
    ENDS(BASE_BAD_INPUT, log_topic_partitions(test->store, base_slice_of("a/b"), &count, error));
    ENDS(BASE_BAD_INPUT,
         log_topic_partitions(test->store, base_slice_make(long_name, 250), &count, error));
}

typedef struct listing {
    base_slice wanted[2];
    int seen;
    int32_t partitions[2];
    char last[256];
    bool sorted;
} listing;

static void list_each(void *context, base_slice topic, int32_t partitions)
{
    listing *list = context;
    const base_slice last = base_slice_of(list->last);
    list->sorted = list->sorted && base_slice_compare(last, topic) < 0;
    (void)snprintf(list->last, sizeof(list->last), "%.*s", BASE_SLICE_ARG(topic));
    for (int i = 0; i < 2; i++) {
        if (base_slice_equal(topic, list->wanted[i])) {
            list->partitions[i] = partitions;
            list->seen++;
        }
    }
}

static void test_conformance__topics_are_listed_sorted_each_once(void **state)
{
    conformance *test = *state;
    listing list = {.sorted = true};
    list.wanted[1] = conformance_topic(test, "b", 2);
    list.wanted[0] = conformance_topic(test, "a", 1);
    FINE(log_topics_list(test->store, list_each, &list, error));
    assert_true(list.sorted);
    assert_int_equal(list.seen, 2);
    assert_int_equal(list.partitions[0], 1);
    assert_int_equal(list.partitions[1], 2);
}

static void test_conformance__an_empty_topic_has_an_empty_range_and_no_records(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    int64_t begin = -1;
    int64_t end = -1;
    int64_t position = -1;
    FINE(log_range(test->store, topic, 0, &begin, &end, error));
    assert_int_equal(begin, 0);
    assert_int_equal(end, 0);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_silent(test, reader);
    assert_false(base_failed(log_reader_position(reader, topic, 0, &position)));
    assert_int_equal(position, 0);
    log_reader_close(reader);
}

static void test_conformance__records_of_a_partition_come_in_order(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 3);
    log_writer *writer = conformance_writer(test, "writer");
    char value[32];
    for (int i = 0; i < 600; i++) {
        (void)snprintf(value, sizeof(value), "%d", i);
        conformance_put(writer, topic, i % 3, "k", value);
        if (i % 50 == 49) {
            conformance_commit(writer);
        }
    }
    log_writer_close(writer);
    log_reader *reader = conformance_reader_of(test, topic, 3);
    conformance_read(test, reader, 600, &records);
    int next[3] = {0, 1, 2};
    int64_t last[3] = {-1, -1, -1};
    for (size_t i = 0; i < records.count; i++) {
        const schema_record *record = &records.items[i].record;
        (void)snprintf(value, sizeof(value), "%d", next[record->partition]);
        assert_slice(record->value, value);
        assert_true(record->offset > last[record->partition]);
        last[record->partition] = record->offset;
        next[record->partition] += 3;
    }
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__a_key_chooses_its_partition_by_murmur2(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 7);
    log_writer *writer = conformance_writer(test, "writer");
    char key[32];
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof(key), "order-%d", i);
        conformance_put(writer, topic, SCHEMA_PARTITION_BY_KEY, key, key);
    }
    conformance_commit(writer);
    log_writer_close(writer);
    log_reader *reader = conformance_reader_of(test, topic, 7);
    conformance_read(test, reader, 50, &records);
    for (size_t i = 0; i < records.count; i++) {
        const schema_record *record = &records.items[i].record;
        assert_int_equal(record->partition, base_partition_of(record->key, 7));
        assert_true(base_slice_equal(record->key, record->value));
    }
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__a_record_without_key_goes_to_some_partition(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 3);
    log_writer *writer = conformance_writer(test, "writer");
    for (int i = 0; i < 9; i++) {
        conformance_put(writer, topic, SCHEMA_PARTITION_BY_KEY, NULL, "v");
    }
    conformance_commit(writer);
    log_writer_close(writer);
    log_reader *reader = conformance_reader_of(test, topic, 3);
    conformance_read(test, reader, 9, &records);
    for (size_t i = 0; i < records.count; i++) {
        assert_null(records.items[i].record.key.data);
    }
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__headers_and_values_keep_nulls_and_empty_and_zero_bytes(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    const schema_header headers[] = {
        {BASE_SLICE_LITERAL("ce_id"), BASE_SLICE_LITERAL("a\0b")},
        {BASE_SLICE_LITERAL("empty"), BASE_SLICE_LITERAL("")},
        {BASE_SLICE_LITERAL("null"), {NULL, 0}},
        {BASE_SLICE_LITERAL("ce_id"), BASE_SLICE_LITERAL("the name twice")}};
    const schema_record full = {.topic = topic,
                                .time_ms = 1700000000123,
                                .key = BASE_SLICE_LITERAL("k\0ey"),
                                .value = BASE_SLICE_LITERAL("va\0lue\0"),
                                .headers = headers,
                                .header_count = 4};
    const schema_record bare = {.topic = topic};
    const schema_record empty = {
        .topic = topic, .key = BASE_SLICE_LITERAL(""), .value = BASE_SLICE_LITERAL("")};
    log_writer *writer = conformance_writer(test, "writer");
    FINE(log_writer_append(writer, &full, error));
    FINE(log_writer_append(writer, &bare, error));
    FINE(log_writer_append(writer, &empty, error));
    conformance_commit(writer);
    log_writer_close(writer);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 3, &records);
    const schema_record *first = &records.items[0].record;
    assert_true(base_slice_equal(first->topic, topic));
    assert_int_equal(first->time_ms, 1700000000123);
    assert_true(base_slice_equal(first->key, full.key));
    assert_true(base_slice_equal(first->value, full.value));
    assert_int_equal(first->header_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(base_slice_equal(first->headers[i].name, headers[i].name));
        assert_true(base_slice_equal(first->headers[i].value, headers[i].value));
    }
    assert_null(first->headers[2].value.data);
    assert_non_null(first->headers[1].value.data);
    const schema_record *second = &records.items[1].record;
    assert_null(second->key.data);
    assert_null(second->value.data);
    assert_int_equal(second->header_count, 0);
    const schema_record *third = &records.items[2].record;
    assert_non_null(third->key.data);
    assert_non_null(third->value.data);
    assert_int_equal(third->value.size, 0);
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__a_record_without_time_gets_the_logs_clock(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    const int64_t before_ms = (int64_t)time(NULL) * 1000 - 1000;
    const char *const values[] = {"a"};
    conformance_write(test, topic, 0, values, 1);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 1, &records);
    assert_true(records.items[0].record.time_ms >= before_ms);
    assert_true(records.items[0].record.time_ms <= (int64_t)time(NULL) * 1000 + 2000);
    conformance_forget(&records);
    log_reader_close(reader);
}

static void
test_conformance__too_large_a_record_is_refused_and_the_transaction_goes_on(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    const size_t size = (size_t)2 * 1024 * 1024;
    char *large = calloc(1, size);
    assert_non_null(large);
    const schema_record record = {.topic = topic, .value = base_slice_make(large, size)};
    log_writer *writer = conformance_writer(test, "writer");
    conformance_put(writer, topic, 0, "k", "before");
    ENDS(BASE_TOO_LARGE, log_writer_append(writer, &record, error));
    conformance_put(writer, topic, 0, "k", "after");
    conformance_commit(writer);
    log_writer_close(writer);
    free(large);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 2, &records);
    assert_slice(records.items[0].record.value, "before");
    assert_slice(records.items[1].record.value, "after");
    conformance_silent(test, reader);
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__a_record_of_half_a_megabyte_comes_back_whole(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    const size_t size = (size_t)512 * 1024;
    char *large = malloc(size);
    assert_non_null(large);
    for (size_t i = 0; i < size; i++) {
        large[i] = (char)(i * 31 + i / 251);
    }
    const schema_record record = {.topic = topic, .value = base_slice_make(large, size)};
    log_writer *writer = conformance_writer(test, "writer");
    FINE(log_writer_append(writer, &record, error));
    conformance_commit(writer);
    log_writer_close(writer);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 1, &records);
    assert_true(base_slice_equal(records.items[0].record.value, record.value));
    conformance_forget(&records);
    log_reader_close(reader);
    free(large);
}

static void test_conformance__a_compacted_topic_takes_no_record_without_a_key(void **state)
{
    conformance *test = *state;
    const log_topic_options options = {.name = conformance_name(test, "snapshots"),
                                       .partition_count = 1,
                                       .cleanup = LOG_CLEANUP_COMPACT,
                                       .retention_ms = -1,
                                       .retention_size = -1};
    FINE(log_topics_ensure(test->store, &options, 1, test->patience_ms, error));
    log_writer *writer = conformance_writer(test, "writer");
    const schema_record record = {.topic = options.name, .value = base_slice_of("x")};
    base_status status = log_writer_append(writer, &record, NULL);
    if (!base_failed(status)) { /* the broker says it at commit, and which one it was */
        size_t refused = 99;
        status = log_writer_commit(writer, NULL, NULL, 0, NULL, &refused, NULL);
        assert_int_equal(refused, 0);
    }
    assert_int_equal(status.code, BASE_REFUSED);
    conformance_put(writer, options.name, 0, "k", "keyed");
    conformance_commit(writer);
    log_writer_close(writer);
}

static void
test_conformance__the_offset_at_a_time_is_that_of_the_first_record_from_then_on(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 1);
    log_writer *writer = conformance_writer(test, "writer");
    int64_t offsets[10];
    /* Times of the recent past: a broker deletes what is older than its retention. */
    const int64_t first_ms = (int64_t)time(NULL) * 1000 - 100000;
    for (int i = 0; i < 10; i++) {
        const schema_record record = {
            .topic = topic, .time_ms = first_ms + (int64_t)i * 1000, .value = base_slice_of("x")};
        FINE(log_writer_append(writer, &record, error));
    }
    FINE(log_writer_commit(writer, NULL, NULL, 0, offsets, NULL, error));
    log_writer_close(writer);
    log_reader *reader = conformance_reader_of(test, topic, 1);
    conformance_read(test, reader, 10, &records);
    int64_t offset = -1;
    int64_t begin = -1;
    int64_t end = -1;
    FINE(log_offset_at(test->store, topic, 0, first_ms - 1, &offset, error));
    assert_int_equal(offset, records.items[0].record.offset);
    FINE(log_offset_at(test->store, topic, 0, first_ms + 3500, &offset, error));
    assert_int_equal(offset, records.items[4].record.offset);
    FINE(log_offset_at(test->store, topic, 0, first_ms + 4000, &offset, error));
    assert_int_equal(offset, records.items[4].record.offset);
    FINE(log_range(test->store, topic, 0, &begin, &end, error));
    FINE(log_offset_at(test->store, topic, 0, first_ms + 10000, &offset, error));
    /* The end, or a gap before it (Kafka: the transaction's marker, which is as old as the commit).
     */
    assert_in_range(offset, records.items[9].record.offset + 1, end);
    conformance_forget(&records);
    log_reader_close(reader);
}

static void test_conformance__commit_gives_the_offsets_where_it_knows_them(void **state)
{
    conformance *test = *state;
    const base_slice topic = conformance_topic(test, "orders", 2);
    log_writer *writer = conformance_writer(test, "writer");
    int64_t offsets[4] = {-9, -9, -9, -9};
    for (int i = 0; i < 4; i++) {
        conformance_put(writer, topic, i % 2, "k", i < 2 ? "first" : "second");
    }
    FINE(log_writer_commit(writer, NULL, NULL, 0, offsets, NULL, error));
    log_writer_close(writer);
    log_reader *reader = conformance_reader_of(test, topic, 2);
    conformance_read(test, reader, 4, &records);
    for (size_t i = 0; i < 4; i++) {
        const schema_record *record = &records.items[i].record;
        const size_t place =
            (size_t)record->partition + (base_slice_is(record->value, "first") ? 0 : 2);
        assert_true(offsets[place] == -1 || offsets[place] == record->offset);
    }
    conformance_forget(&records);
    log_reader_close(reader);
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_conformance__##name, setup, conformance_teardown)

int conformance_records_run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_topic_is_made_once_and_keeps_its_partitions),
        CASE(an_unknown_topic_is_not_found),
        CASE(reading_an_unknown_topic_says_so_at_once_or_at_the_poll),
        CASE(a_partition_that_is_not_there_is_not_found),
        CASE(names_that_no_log_takes_are_refused),
        CASE(topics_are_listed_sorted_each_once),
        CASE(an_empty_topic_has_an_empty_range_and_no_records),
        CASE(records_of_a_partition_come_in_order),
        CASE(a_key_chooses_its_partition_by_murmur2),
        CASE(a_record_without_key_goes_to_some_partition),
        CASE(headers_and_values_keep_nulls_and_empty_and_zero_bytes),
        CASE(a_record_without_time_gets_the_logs_clock),
        CASE(too_large_a_record_is_refused_and_the_transaction_goes_on),
        CASE(a_record_of_half_a_megabyte_comes_back_whole),
        CASE(a_compacted_topic_takes_no_record_without_a_key),
        CASE(the_offset_at_a_time_is_that_of_the_first_record_from_then_on),
        CASE(commit_gives_the_offsets_where_it_knows_them),
    };
    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
