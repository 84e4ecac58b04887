/*
 * The memory log's writers.
 *
 * A writer without identity keeps its records aside until commit and adds them then, visible at
 * once and without marks, as a Kafka producer without transactions would.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "connectors/log_memory_model.h"
#include "connectors/log_shared.h"

typedef struct memory_writer {
    log_writer writer;
    memory_log *log;
    memory_identity *identity; /* NULL: no transactions */
    uint64_t epoch;
    int32_t timeout_ms;
    uint32_t turn;     /* for records without a key */
    memory_kept aside; /* without identity: what is to be added at commit */
    size_t aside_capacity;
} memory_writer;

/* ---- the writer ---- */

base_status memory_writer_open(log_store *store, const log_writer_options *options,
                               log_writer **writer_out, base_error *error)
{
    memory_log *log = memory_log_of(store);
    memory_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL) {
        return memory_exhausted(error);
    }
    base_status status = base_ok();
    writer->log = log;
    writer->timeout_ms = options->transaction_timeout_ms > 0 ? options->transaction_timeout_ms
                                                             : LOG_TRANSACTION_TIMEOUT_MS_DEFAULT;
    memory_lock(log);
    if (log->down) {
        status = memory_unreachable(log, error);
    } else if (options->identity.size > 0) {
        writer->identity = memory_identity_take(log, options->identity);
        if (writer->identity == NULL) {
            status = memory_exhausted(error);
        } else {
            memory_identity_fence(log, writer->identity);
            writer->epoch = writer->identity->epoch;
        }
    }
    memory_unlock(log);
    if (base_failed(status)) {
        free(writer);
        return status;
    }
    *writer_out = &writer->writer;
    return base_ok();
}

void memory_writer_close(log_writer *handle)
{
    memory_writer *writer = (memory_writer *)handle;
    memory_lock(writer->log);
    if (writer->identity != NULL && writer->identity->epoch == writer->epoch) {
        memory_transaction_abort(writer->log, &writer->identity->open);
    }
    memory_unlock(writer->log);
    memory_kept_deinit(&writer->aside);
    free(writer);
}

static base_status fenced(const memory_writer *writer, base_error *error)
{
    return base_error_set(error, BASE_FENCED, "writer \"%s\" was fenced by a successor",
                          writer->identity->name);
}

/* The transaction, begun if there is none. NULL: no memory. */
static memory_transaction *transaction_begin(memory_writer *writer)
{
    memory_identity *identity = writer->identity;
    if (identity->open == NULL) {
        memory_transaction *transaction = calloc(1, sizeof(*transaction));
        if (transaction == NULL) {
            return NULL;
        }
        transaction->deadline_ms = memory_steady_ms(writer->log) + writer->timeout_ms;
        transaction->next = writer->log->transactions;
        writer->log->transactions = transaction;
        identity->open = transaction;
    }
    return identity->open;
}

/* Adds the record, which is taken over on success, to the transaction. false: no memory, nothing
 * has changed. */
static bool transaction_push(memory_transaction *transaction, memory_partition *partition,
                             schema_record *record)
{
    const memory_place place = {partition, memory_partition_end(partition)};
    const bool first = !memory_touched_before(transaction, partition, transaction->touched_count);
    if (!memory_grow((void **)&transaction->places, transaction->place_count,
                     &transaction->place_capacity, sizeof(memory_place)) ||
        !memory_grow((void **)&transaction->touched, transaction->touched_count,
                     &transaction->touched_capacity, sizeof(memory_place)) ||
        !memory_partition_push(partition, record, transaction)) {
        return false;
    }
    transaction->places[transaction->place_count++] = place;
    if (first) {
        transaction->touched[transaction->touched_count++] = place;
        partition->open_count++;
    }
    return true;
}

static bool aside_push(memory_writer *writer, memory_partition *partition, schema_record *record)
{
    memory_kept *aside = &writer->aside;
    size_t capacity = writer->aside_capacity;
    if (!memory_grow((void **)&aside->partitions, aside->count, &capacity,
                     sizeof(memory_partition *)) ||
        !memory_grow((void **)&aside->records, aside->count, &writer->aside_capacity,
                     sizeof(schema_record *))) {
        return false;
    }
    aside->partitions[aside->count] = partition;
    aside->records[aside->count] = record;
    aside->count++;
    return true;
}

static base_status append_place(memory_writer *writer, const schema_record *record,
                                memory_partition **partition_out, base_error *error)
{
    memory_partition *first = NULL;
    BASE_TRY(memory_partition_find(writer->log, record->topic, 0, &first, error));
    const memory_topic *topic = first->topic;
    if (topic->options.cleanup == LOG_CLEANUP_COMPACT && record->key.data == NULL) {
        return base_error_set(error, BASE_REFUSED,
                              "compacted topic \"%s\" takes no record without a key", topic->name);
    }
    int32_t number = 0;
    BASE_TRY(
        log_partition_pick(record, topic->options.partition_count, &writer->turn, &number, error));
    *partition_out = &topic->partitions[number];
    return base_ok();
}

base_status memory_writer_append(log_writer *handle, const schema_record *record, base_error *error)
{
    memory_writer *writer = (memory_writer *)handle;
    memory_log *log = writer->log;
    memory_partition *partition = NULL;
    schema_record *copy = memory_record_copy(record);
    if (copy == NULL) {
        return memory_exhausted(error);
    }
    memory_lock(log);
    memory_transactions_sweep(log);
    if (copy->time_ms == 0) {
        copy->time_ms = memory_wall_ms(log);
    }
    base_status status;
    if (log->down) {
        status = memory_unreachable(log, error);
    } else if (writer->identity != NULL && writer->identity->epoch != writer->epoch) {
        status = fenced(writer, error);
    } else {
        status = append_place(writer, copy, &partition, error);
    }
    if (!base_failed(status)) {
        bool fine = false;
        if (writer->identity == NULL) {
            fine = aside_push(writer, partition, copy);
        } else {
            memory_transaction *transaction = transaction_begin(writer);
            fine = transaction != NULL && transaction_push(transaction, partition, copy);
        }
        status = fine ? status : memory_exhausted(error);
    }
    memory_unlock(log);
    if (base_failed(status)) {
        free(copy);
    }
    return status;
}

base_status memory_writer_abort(log_writer *handle, base_error *error)
{
    memory_writer *writer = (memory_writer *)handle;
    base_status status = base_ok();
    memory_kept_clear(&writer->aside);
    if (writer->identity != NULL) {
        memory_lock(writer->log);
        if (writer->identity->epoch != writer->epoch) {
            status = fenced(writer, error);
        } else {
            memory_transaction_abort(writer->log, &writer->identity->open);
        }
        memory_unlock(writer->log);
    }
    return status;
}

/* ---- commit ---- */

/* Puts the positions in the transaction, so that a late commit has them too; their topics are those
 * that live on. */
static base_status transaction_positions(memory_log *log, memory_transaction *transaction,
                                         memory_group *group, const log_position *positions,
                                         size_t position_count, base_error *error)
{
    if (position_count == 0) {
        return base_ok();
    }
    transaction->positions = calloc(position_count, sizeof(log_position));
    if (transaction->positions == NULL || !memory_positions_reserve(group, position_count)) {
        return memory_exhausted(error);
    }
    for (size_t i = 0; i < position_count; i++) {
        transaction->positions[i] = positions[i];
        transaction->positions[i].topic = memory_topic_find(log, positions[i].topic)->options.name;
    }
    transaction->position_count = position_count;
    transaction->group = group;
    return base_ok();
}

static base_status commit_locked(memory_writer *writer, memory_member *member,
                                 const log_position *positions, size_t position_count,
                                 int64_t *offsets_out, base_error *error)
{
    memory_log *log = writer->log;
    memory_identity *identity = writer->identity;
    memory_transactions_sweep(log);
    if (identity->epoch != writer->epoch) {
        return fenced(writer, error);
    }
    memory_transaction *open = transaction_begin(writer);
    if (open == NULL) {
        return memory_exhausted(error);
    }
    if (log->down) {
        memory_transaction_abort(log, &identity->open);
        return memory_unreachable(log, error);
    }
    base_status status = base_ok();
    if (position_count > 0) {
        status = memory_member_check(member, positions, position_count, error);
        if (!base_failed(status)) {
            status =
                transaction_positions(log, open, member->group, positions, position_count, error);
        }
    }
    if (base_failed(status)) {
        memory_transaction_abort(log, &identity->open);
        return status;
    }
    for (size_t i = 0; offsets_out != NULL && i < open->place_count; i++) {
        offsets_out[i] = open->places[i].offset;
    }
    log_memory_fault fault = LOG_MEMORY_COMMIT_ABORTED;
    if (memory_fault_take(log, identity->name, &fault)) {
        return memory_commit_with_fault(log, identity, fault, error);
    }
    memory_transaction_commit(log, &identity->open);
    return base_ok();
}

static base_status commit_aside(memory_writer *writer, int64_t *offsets_out, base_error *error)
{
    memory_log *log = writer->log;
    base_status status = base_ok();
    if (log->down) {
        status = memory_unreachable(log, error);
    } else if (!memory_kept_write(&writer->aside, offsets_out)) {
        status = memory_exhausted(error);
    } else {
        memory_wake_readers(log);
    }
    memory_kept_clear(&writer->aside);
    return status;
}

base_status memory_writer_commit(log_writer *handle, log_member *member,
                                 const log_position *positions, size_t position_count,
                                 int64_t *offsets_out, size_t *refused_out, base_error *error)
{
    memory_writer *writer = (memory_writer *)handle;
    *refused_out = 0; /* what would be refused is refused at append */
    memory_lock(writer->log);
    const base_status status = writer->identity == NULL
                                   ? commit_aside(writer, offsets_out, error)
                                   : commit_locked(writer, (memory_member *)member, positions,
                                                   position_count, offsets_out, error);
    memory_unlock(writer->log);
    return status;
}
