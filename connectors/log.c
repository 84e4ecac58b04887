/*
 * The front of the event log: checks what callers give and keeps the few rules that hold for every
 * backend, so that no backend has to (connectors/log_backend.h lists them); then calls the backend.
 * log_open is in log_open.c.
 *
 * A writer's life, kept here:
 *
 *            append              append fails, not harmlessly
 *   empty ----------> open ----------------------------> lost
 *     ^   <----------  |                                  |
 *     |     commit,    | commit: FENCED, OUTCOME_UNKNOWN  | abort
 *     |     abort      v                                  |
 *     |              dead (only close is left)            |
 *     +---------------------------------------------------+
 */
#include "connectors/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/hash.h"
#include "connectors/log_backend.h"

/* ---- checks ---- */

static bool name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static base_status name_check(base_slice name, const char *what, base_error *error)
{
    if (name.size == 0) {
        return base_error_set(error, BASE_BAD_INPUT, "the %s has no name", what);
    }
    if (name.size > LOG_NAME_SIZE_MAX) {
        return base_error_set(error, BASE_BAD_INPUT,
                              "the name of the %s has %zu bytes, at most %d fit", what, name.size,
                              LOG_NAME_SIZE_MAX);
    }
    bool fine = !base_slice_is(name, ".") && !base_slice_is(name, "..");
    for (size_t i = 0; fine && i < name.size; i++) {
        fine = name_character(name.data[i]);
    }
    if (!fine) {
        const base_status status = base_error_set(
            error, BASE_BAD_INPUT, "\"%.*s\" cannot name a %s", BASE_SLICE_ARG(name), what);
        base_error_hint(error, "letters a-z A-Z, digits, '.', '_' and '-' can be used");
        return status;
    }
    return base_ok();
}

static base_status partition_check(base_slice topic, int32_t partition, base_error *error)
{
    BASE_TRY(name_check(topic, "topic", error));
    if (partition < 0) {
        return base_error_set(error, BASE_BAD_INPUT, "topic \"%.*s\" has no partition %d",
                              BASE_SLICE_ARG(topic), (int)partition);
    }
    return base_ok();
}

static base_status writable_check(const log_store *store, base_error *error)
{
    if (store->read_only) {
        return base_error_set(error, BASE_REFUSED, "the log was opened for reading only");
    }
    return base_ok();
}

/* ---- helpers for backends ---- */

int32_t log_timeout_cut(int32_t timeout_ms)
{
    if (timeout_ms < 0) {
        return 0;
    }
    return timeout_ms < LOG_TIMEOUT_MS_MAX ? timeout_ms : LOG_TIMEOUT_MS_MAX;
}

void log_report(log_store *store, int level, const char *format, ...)
{
    char text[BASE_ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (size >= 0) {
        store->report(store->report_context, level, text);
    }
}

base_status log_partition_pick(const schema_record *record, int32_t partition_count, uint32_t *turn,
                               int32_t *partition_out, base_error *error)
{
    BASE_ASSERT(partition_count > 0);
    int32_t partition = record->partition;
    if (partition == SCHEMA_PARTITION_BY_KEY) {
        if (record->key.data != NULL) {
            partition = base_partition_of(record->key, partition_count);
        } else {
            partition = (int32_t)((*turn)++ % (uint32_t)partition_count);
        }
    }
    if (partition < 0 || partition >= partition_count) {
        return base_error_set(error, BASE_NOT_FOUND,
                              "topic \"%.*s\" has no partition %d, it has %d",
                              BASE_SLICE_ARG(record->topic), (int)partition, (int)partition_count);
    }
    *partition_out = partition;
    return base_ok();
}

size_t log_record_size(const schema_record *record)
{
    size_t size = record->key.size + record->value.size;
    for (size_t i = 0; i < record->header_count; i++) {
        size += record->headers[i].name.size + record->headers[i].value.size;
    }
    return size;
}

void log_close(log_store *store)
{
    if (store != NULL) {
        store->backend->close(store);
    }
}

/* ---- topics ---- */

static base_status topic_options_check(const log_topic_options *topic, base_error *error)
{
    BASE_TRY(name_check(topic->name, "topic", error));
    if (topic->partition_count < 1 || topic->partition_count > LOG_PARTITION_COUNT_MAX) {
        return base_error_set(
            error, BASE_BAD_INPUT, "topic \"%.*s\" cannot have %d partitions, only 1 to %d",
            BASE_SLICE_ARG(topic->name), (int)topic->partition_count, LOG_PARTITION_COUNT_MAX);
    }
    if (topic->replication < 0 || topic->retention_ms < -1 || topic->retention_size < -1) {
        return base_error_set(error, BASE_BAD_INPUT,
                              "topic \"%.*s\": replication or retention is out of range",
                              BASE_SLICE_ARG(topic->name));
    }
    return base_ok();
}

base_status log_topics_ensure(log_store *store, const log_topic_options *topics, size_t count,
                              int32_t timeout_ms, base_error *error)
{
    BASE_TRY(writable_check(store, error));
    for (size_t i = 0; i < count; i++) {
        BASE_TRY(topic_options_check(&topics[i], error));
    }
    if (count == 0) {
        return base_ok();
    }
    return store->backend->topics_ensure(store, topics, count, log_timeout_cut(timeout_ms), error);
}

base_status log_topic_partitions(log_store *store, base_slice topic, int32_t *count_out,
                                 base_error *error)
{
    BASE_TRY(name_check(topic, "topic", error));
    return store->backend->topic_partitions(store, topic, count_out, error);
}

base_status log_topics_list(log_store *store,
                            void (*each)(void *context, base_slice topic, int32_t partitions),
                            void *context, base_error *error)
{
    return store->backend->topics_list(store, each, context, error);
}

base_status log_range(log_store *store, base_slice topic, int32_t partition, int64_t *begin_out,
                      int64_t *end_out, base_error *error)
{
    BASE_TRY(partition_check(topic, partition, error));
    return store->backend->range(store, topic, partition, begin_out, end_out, error);
}

base_status log_offset_at(log_store *store, base_slice topic, int32_t partition, int64_t time_ms,
                          int64_t *offset_out, base_error *error)
{
    BASE_TRY(partition_check(topic, partition, error));
    return store->backend->offset_at(store, topic, partition, time_ms, offset_out, error);
}

base_status log_claim_exclusive(log_store *store, base_slice purpose, base_error *error)
{
    BASE_TRY(writable_check(store, error));
    if (store->backend->claim_exclusive == NULL) {
        return base_ok();
    }
    return store->backend->claim_exclusive(store, purpose, error);
}

base_status log_housekeep(log_store *store, bool *more_out, base_error *error)
{
    bool more = false;
    BASE_TRY(writable_check(store, error));
    if (store->backend->housekeep != NULL) {
        BASE_TRY(store->backend->housekeep(store, &more, error));
    }
    if (more_out != NULL) {
        *more_out = more;
    }
    return base_ok();
}

/* ---- membership ---- */

base_status log_member_open(log_store *store, const log_member_options *options,
                            log_member **member_out, base_error *error)
{
    BASE_TRY(writable_check(store, error));
    BASE_TRY(name_check(options->group, "group", error));
    if (options->identity.size > 0) {
        BASE_TRY(name_check(options->identity, "member", error));
    }
    if (options->topic_count == 0 || options->session_timeout_ms < 0) {
        return base_error_set(error, BASE_BAD_INPUT, "group \"%.*s\": %s",
                              BASE_SLICE_ARG(options->group),
                              options->topic_count == 0 ? "a member names no topics"
                                                        : "the session time-out is negative");
    }
    for (size_t i = 0; i < options->topic_count; i++) {
        BASE_TRY(name_check(options->topics[i], "topic", error));
    }
    log_member *member = NULL;
    BASE_TRY(store->backend->member_open(store, options, &member, error));
    member->store = store;
    *member_out = member;
    return base_ok();
}

void log_member_close(log_member *member, bool leave)
{
    if (member != NULL) {
        member->store->backend->member_close(member, leave);
    }
}

base_status log_member_poll(log_member *member, int32_t timeout_ms, log_member_event *event_out,
                            base_error *error)
{
    log_member_event event = {LOG_MEMBER_NOTHING, NULL, 0};
    BASE_TRY(
        member->store->backend->member_poll(member, log_timeout_cut(timeout_ms), &event, error));
    *event_out = event;
    return base_ok();
}

base_status log_member_release(log_member *member, base_error *error)
{
    return member->store->backend->member_release(member, error);
}

base_status log_member_position(log_member *member, base_slice topic, int32_t partition,
                                int64_t *offset_out, base_error *error)
{
    BASE_TRY(partition_check(topic, partition, error));
    return member->store->backend->member_position(member, topic, partition, offset_out, error);
}

/* ---- reading ---- */

base_status log_reader_open(log_store *store, log_reader **reader_out, base_error *error)
{
    log_reader *reader = NULL;
    BASE_TRY(store->backend->reader_open(store, &reader, error));
    reader->store = store;
    *reader_out = reader;
    return base_ok();
}

void log_reader_close(log_reader *reader)
{
    if (reader != NULL) {
        reader->store->backend->reader_close(reader);
    }
}

base_status log_reader_assign(log_reader *reader, base_slice topic, int32_t partition,
                              int64_t offset, base_error *error)
{
    BASE_TRY(partition_check(topic, partition, error));
    if (offset < LOG_OFFSET_BEGIN) {
        return base_error_set(error, BASE_BAD_INPUT, "%lld is no offset", (long long)offset);
    }
    return reader->store->backend->reader_assign(reader, topic, partition, offset, error);
}

base_status log_reader_unassign(log_reader *reader, base_slice topic, int32_t partition,
                                base_error *error)
{
    BASE_TRY(partition_check(topic, partition, error));
    return reader->store->backend->reader_unassign(reader, topic, partition, error);
}

base_status log_reader_pause(log_reader *reader, base_slice topic, int32_t partition, bool paused,
                             base_error *error)
{
    BASE_TRY(partition_check(topic, partition, error));
    return reader->store->backend->reader_pause(reader, topic, partition, paused, error);
}

base_status log_reader_poll(log_reader *reader, int32_t timeout_ms, size_t record_max,
                            const schema_record **records_out, size_t *count_out, base_error *error)
{
    if (record_max == 0) {
        return base_error_set(error, BASE_BAD_INPUT, "a poll for no records");
    }
    const size_t bound = record_max < LOG_POLL_RECORD_MAX ? record_max : LOG_POLL_RECORD_MAX;
    const schema_record *records = NULL;
    size_t count = 0;
    BASE_TRY(reader->store->backend->reader_poll(reader, log_timeout_cut(timeout_ms), bound,
                                                 &records, &count, error));
    *records_out = records;
    *count_out = count;
    return base_ok();
}

base_status log_reader_position(const log_reader *reader, base_slice topic, int32_t partition,
                                int64_t *offset_out)
{
    BASE_TRY(partition_check(topic, partition, NULL));
    return reader->store->backend->reader_position(reader, topic, partition, offset_out);
}

void log_reader_wake(log_reader *reader)
{
    reader->store->backend->reader_wake(reader);
}

/* ---- writing ---- */

base_status log_writer_open(log_store *store, const log_writer_options *options,
                            log_writer **writer_out, base_error *error)
{
    BASE_TRY(writable_check(store, error));
    if (options->identity.size > 0) {
        BASE_TRY(name_check(options->identity, "writer", error));
    }
    if (options->transaction_timeout_ms < 0) {
        return base_error_set(error, BASE_BAD_INPUT, "the transaction time-out is negative");
    }
    log_writer *writer = NULL;
    BASE_TRY(store->backend->writer_open(store, options, &writer, error));
    writer->store = store;
    writer->transactional = options->identity.size > 0;
    *writer_out = writer;
    return base_ok();
}

void log_writer_close(log_writer *writer)
{
    if (writer != NULL) {
        writer->store->backend->writer_close(writer);
    }
}

static bool failure_is_final(base_code code)
{
    return code == BASE_FENCED || code == BASE_OUTCOME_UNKNOWN;
}

/* Why the writer cannot be used as it is. */
static base_status writer_check(const log_writer *writer, base_error *error)
{
    if (writer->failure == BASE_OK) {
        return base_ok();
    }
    if (writer->failure == BASE_FENCED) {
        return base_error_set(error, BASE_FENCED, "the writer was fenced by a successor");
    }
    if (writer->failure == BASE_OUTCOME_UNKNOWN) {
        return base_error_set(
            error, BASE_OUTCOME_UNKNOWN,
            "the outcome of the last commit is unknown, a new writer must decide it");
    }
    return base_error_set(error, BASE_ABORTED, "the transaction was lost (%s), abort it first",
                          base_status_text(base_status_of(writer->failure)));
}

/* An append that failed so has changed nothing. */
static bool append_failure_is_harmless(base_code code)
{
    return code == BASE_TOO_LARGE || code == BASE_NOT_FOUND || code == BASE_REFUSED ||
           code == BASE_BAD_INPUT || code == BASE_OUT_OF_MEMORY;
}

static base_status record_check(const log_writer *writer, const schema_record *record,
                                base_error *error)
{
    if (record->topic.size == 0 || record->topic.size > LOG_NAME_SIZE_MAX) {
        return name_check(record->topic, "topic", error);
    }
    if (record->partition < SCHEMA_PARTITION_BY_KEY || record->time_ms < 0) {
        return base_error_set(error, BASE_BAD_INPUT, "a record's partition or time is negative");
    }
    if (record->header_count > LOG_HEADER_COUNT_MAX) {
        return base_error_set(error, BASE_TOO_LARGE, "a record has %zu headers, at most %d fit",
                              record->header_count, LOG_HEADER_COUNT_MAX);
    }
    const size_t bound = writer->store->record_size_max;
    const size_t size = log_record_size(record);
    if (bound > 0 && size > bound) {
        return base_error_set(error, BASE_TOO_LARGE,
                              "a record for topic \"%.*s\" has %zu bytes, at most %zu fit",
                              BASE_SLICE_ARG(record->topic), size, bound);
    }
    return base_ok();
}

base_status log_writer_append(log_writer *writer, const schema_record *record, base_error *error)
{
    BASE_TRY(writer_check(writer, error));
    BASE_TRY(record_check(writer, record, error));
    const base_status status = writer->store->backend->writer_append(writer, record, error);
    if (!base_failed(status)) {
        writer->record_count++;
    } else if (!append_failure_is_harmless(status.code)) {
        writer->failure = status.code;
    }
    return status;
}

static base_status positions_check(const log_writer *writer, const log_member *member,
                                   const log_position *positions, size_t position_count,
                                   base_error *error)
{
    if (position_count == 0) {
        return base_ok();
    }
    if (!writer->transactional || member == NULL) {
        return base_error_set(error, BASE_BAD_INPUT, "positions are committed without %s",
                              member == NULL ? "a member" : "a writer's identity");
    }
    BASE_ASSERT(member->store == writer->store);
    for (size_t i = 0; i < position_count; i++) {
        BASE_TRY(partition_check(positions[i].topic, positions[i].partition, error));
        if (positions[i].offset < 0) {
            return base_error_set(
                error, BASE_BAD_INPUT, "position %lld of topic \"%.*s\" is negative",
                (long long)positions[i].offset, BASE_SLICE_ARG(positions[i].topic));
        }
    }
    return base_ok();
}

base_status log_writer_commit(log_writer *writer, log_member *member, const log_position *positions,
                              size_t position_count, int64_t *offsets_out, size_t *refused_out,
                              base_error *error)
{
    BASE_TRY(writer_check(writer, error));
    BASE_TRY(positions_check(writer, member, positions, position_count, error));
    if (writer->record_count == 0 && position_count == 0) {
        return base_ok();
    }
    size_t refused = 0;
    const base_status status =
        writer->store->backend->writer_commit(writer, position_count > 0 ? member : NULL, positions,
                                              position_count, offsets_out, &refused, error);
    if (base_failed(status)) {
        if (refused_out != NULL && (status.code == BASE_REFUSED || status.code == BASE_TOO_LARGE)) {
            *refused_out = refused;
        }
        writer->failure = failure_is_final(status.code) ? status.code : BASE_OK;
    }
    writer->record_count = 0;
    return status;
}

base_status log_writer_abort(log_writer *writer, base_error *error)
{
    if (failure_is_final(writer->failure)) {
        return writer_check(writer, error);
    }
    const base_status status = writer->store->backend->writer_abort(writer, error);
    if (base_failed(status)) {
        writer->failure = status.code;
        return status;
    }
    writer->failure = BASE_OK;
    writer->record_count = 0;
    return status;
}
