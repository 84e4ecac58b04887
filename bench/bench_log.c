/*
 * What a log costs: durable appends and reads by URL, beside the limit of the same disk in the same
 * run.
 *
 *   bench_log URL [RECORDS]          as: bench_log local:/tmp/bench, bench_log
 * kafka://127.0.0.1:9092
 *
 * One topic of four partitions, records of 1 KB with a key. Each line of the table is one way of
 * writing or reading; the limit is a plain file: the same bytes with write(2), and fdatasync(2)
 * where a log commits. It stands in the current directory, so run it on the disk that is meant.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "connectors/log.h"

#define VALUE_SIZE 1024
#define PARTITION_COUNT 4
#define SINGLE_COUNT 2000

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void must(base_status status, const base_error *error, const char *what)
{
    if (base_failed(status)) {
        char text[1024];
        (void)base_error_render(error, text, sizeof(text));
        (void)fprintf(stderr, "%s: %s\n", what, text);
        exit(1);
    }
}

static void line(const char *what, int64_t records, int64_t batch, double seconds)
{
    (void)printf("%-28s %10" PRId64 " %8" PRId64 " %12.0f %10.1f\n", what, records, batch,
                 (double)records / seconds, seconds * 1e6 * (double)batch / (double)records);
    (void)fflush(stdout);
}

/* The limit: batches of records at the end of a file, each made durable. */
static void file_append(const char *value, int64_t records, int64_t batch)
{
    static const char path[] = "bench_log.tmp";
    const size_t size = (size_t)batch * VALUE_SIZE;
    char *bytes = malloc(size);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (bytes == NULL || file < 0) {
        perror(path);
        exit(1);
    }
    const double begin = now_s();
    for (int64_t done = 0; done < records; done += batch) {
        for (int64_t i = 0; i < batch; i++) {
            memcpy(bytes + i * VALUE_SIZE, value, VALUE_SIZE);
        }
        if (write(file, bytes, size) != (ssize_t)size || fdatasync(file) != 0) {
            perror(path);
            exit(1);
        }
    }
    line("file write + fdatasync", records, batch, now_s() - begin);
    (void)close(file);
    (void)unlink(path);
    free(bytes);
}

static void log_append(log_store *store, base_slice topic, const char *value, int64_t records,
                       int64_t batch)
{
    const log_writer_options options = {.identity = base_slice_of("bench-log")};
    base_error error;
    base_error_clear(&error);
    log_writer *writer = NULL;
    must(log_writer_open(store, &options, &writer, &error), &error, "writer");
    const double begin = now_s();
    for (int64_t done = 0; done < records; done += batch) {
        for (int64_t i = 0; i < batch; i++) {
            char key[32];
            (void)snprintf(key, sizeof(key), "order-%" PRId64, done + i);
            const schema_record record = {.topic = topic,
                                          .partition = SCHEMA_PARTITION_BY_KEY,
                                          .key = base_slice_of(key),
                                          .value = base_slice_make(value, VALUE_SIZE)};
            must(log_writer_append(writer, &record, &error), &error, "append");
        }
        must(log_writer_commit(writer, NULL, NULL, 0, NULL, NULL, &error), &error, "commit");
    }
    line("log append + commit", records, batch, now_s() - begin);
    log_writer_close(writer);
}

static void log_read(log_store *store, base_slice topic, int64_t records)
{
    base_error error;
    base_error_clear(&error);
    log_reader *reader = NULL;
    must(log_reader_open(store, &reader, &error), &error, "reader");
    for (int32_t i = 0; i < PARTITION_COUNT; i++) {
        must(log_reader_assign(reader, topic, i, LOG_OFFSET_BEGIN, &error), &error, "assign");
    }
    const double begin = now_s();
    int64_t done = 0;
    while (done < records) {
        const schema_record *found = NULL;
        size_t count = 0;
        must(log_reader_poll(reader, 10000, 1000, &found, &count, &error), &error, "poll");
        if (count == 0) {
            (void)fprintf(stderr, "read only %" PRId64 " of %" PRId64 " records\n", done, records);
            exit(1);
        }
        done += (int64_t)count;
    }
    line("log read", done, 1000, now_s() - begin);
    log_reader_close(reader);
}

int main(int argc, char **argv)
{
    const int64_t records = argc > 2 ? strtoll(argv[2], NULL, 10) / 1000 * 1000 : 200000;
    if (argc < 2 || records < 1000) {
        (void)fprintf(stderr, "usage: %s URL [RECORDS, at least 1000]\n", argv[0]);
        return 2;
    }
    char value[VALUE_SIZE];
    for (size_t i = 0; i < sizeof(value); i++) {
        value[i] = (char)('a' + (i * 7 + i / 13) % 26);
    }
    base_error error;
    base_error_clear(&error);
    log_store *store = NULL;
    must(log_open(base_slice_of(argv[1]), NULL, 10000, &store, &error), &error, argv[1]);
    char topic[64];
    (void)snprintf(topic, sizeof(topic), "bench-%ld-%ld", (long)time(NULL), (long)getpid());
    const log_topic_options options = {.name = base_slice_of(topic),
                                       .partition_count = PARTITION_COUNT,
                                       .retention_ms = -1,
                                       .retention_size = -1};
    must(log_topics_ensure(store, &options, 1, 30000, &error), &error, "topic");
    (void)printf("%-28s %10s %8s %12s %10s\n", "", "records", "batch", "records/s", "us/batch");
    file_append(value, SINGLE_COUNT, 1);
    log_append(store, options.name, value, SINGLE_COUNT, 1);
    file_append(value, records, 1000);
    log_append(store, options.name, value, records, 1000);
    log_read(store, options.name, SINGLE_COUNT + records);
    log_close(store);
    return 0;
}
