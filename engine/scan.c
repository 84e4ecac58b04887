#include "engine/scan.h"

#include "base/assert.h"

#define RECORD_MAX 1000
#define WAIT_MS 100
#define ATTEMPT_MAX 300 /* of WAIT_MS each, without a record or progress */

typedef struct scan_run {
    log_reader *reader;
    base_slice topic;
    int32_t partition;
    int64_t end;
    int64_t position;
} scan_run;

/* One poll; the records go to `each`. */
static base_status scan_step(scan_run *scan,
                             base_status (*each)(void *context, const schema_record *record,
                                                 base_error *error),
                             void *context, base_error *error)
{
    const schema_record *records = NULL;
    size_t count = 0;
    BASE_TRY(log_reader_poll(scan->reader, WAIT_MS, RECORD_MAX, &records, &count, error));
    for (size_t i = 0; i < count; i++) {
        BASE_TRY(each(context, &records[i], error));
        scan->position = records[i].offset + 1;
    }
    return log_reader_position(scan->reader, scan->topic, scan->partition, &scan->position);
}

base_status
engine_scan(log_store *store, base_slice topic, int32_t partition, int64_t *offset_inout,
            base_status (*each)(void *context, const schema_record *record, base_error *error),
            void *context, base_error *error)
{
    scan_run scan = {.topic = topic, .partition = partition, .position = *offset_inout};
    int64_t begin = 0;
    BASE_TRY(log_range(store, topic, partition, &begin, &scan.end, error));
    if (scan.position == LOG_OFFSET_BEGIN) {
        scan.position = begin;
    }
    if (scan.position >= scan.end) {
        *offset_inout = scan.position;
        return base_ok();
    }
    BASE_TRY(log_reader_open(store, &scan.reader, error));
    base_status status = log_reader_assign(scan.reader, topic, partition, scan.position, error);
    int attempts = 0;
    while (!base_failed(status) && scan.position < scan.end) {
        const int64_t before = scan.position;
        status = scan_step(&scan, each, context, error);
        attempts = scan.position > before ? 0 : attempts + 1;
        if (!base_failed(status) && attempts == ATTEMPT_MAX) {
            status =
                base_error_set(error, BASE_UNREACHABLE, "topic \"%.*s\" cannot be read to its end",
                               BASE_SLICE_ARG(topic));
        }
    }
    log_reader_close(scan.reader);
    if (!base_failed(status)) {
        *offset_inout = scan.position;
    }
    return status;
}
