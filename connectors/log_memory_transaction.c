/*
 * The memory log's transactions: what is open for an identity, how it is decided, and the faults
 * that tests put in a commit's way.
 *
 *   append     commit
 *   ------> open ---------> decided: visible, mark
 *            |  \---------> undecided (a fault): its successor, or its time-out, aborts it; if it
 * is late, |              log_memory_deliver may commit it before
 *            +-- abort, fence, time-out --> decided: gaps, mark
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "connectors/log_memory_model.h"
#include "connectors/log_shared.h"

/* ---- records kept aside ---- */

void memory_kept_clear(memory_kept *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        free(kept->records[i]);
    }
    kept->count = 0;
}

void memory_kept_deinit(memory_kept *kept)
{
    memory_kept_clear(kept);
    free(kept->records);
    free((void *)kept->partitions);
}

/* Adds all records to the ends of their partitions, decided. false: no memory, nothing is changed.
 */
bool memory_kept_write(memory_kept *kept, int64_t *offsets_out)
{
    size_t written = 0;
    while (written < kept->count) {
        memory_partition *partition = kept->partitions[written];
        if (!memory_partition_push(partition, kept->records[written], NULL)) {
            break;
        }
        if (offsets_out != NULL) {
            offsets_out[written] = kept->records[written]->offset;
        }
        written++;
    }
    if (written == kept->count) {
        kept->count = 0;
        return true;
    }
    while (written > 0) { /* the newest entries are ours: take them off again */
        memory_partition *partition = kept->partitions[--written];
        partition->count--;
        partition->size -= log_record_size(kept->records[written]);
    }
    return false;
}

schema_record *memory_record_copy(const schema_record *record)
{
    void *block = malloc(log_record_pack_size(record));
    return block != NULL ? log_record_pack(record, block) : NULL;
}

/* ---- transactions ---- */

static void transaction_free(memory_transaction *transaction)
{
    free(transaction->places);
    free(transaction->touched);
    free(transaction->positions);
    free(transaction);
}

static void transaction_unlink(memory_log *log, memory_transaction *transaction)
{
    memory_transaction **place = &log->transactions;
    while (*place != transaction) {
        place = &(*place)->next;
    }
    *place = transaction->next;
    for (size_t i = 0; i < transaction->touched_count; i++) {
        transaction->touched[i].partition->open_count--;
    }
}

/* The record's entry, unless the partition was cut since. */
static memory_entry *place_entry(const memory_place *place, const memory_transaction *transaction)
{
    if (place->offset < place->partition->base ||
        place->offset >= memory_partition_end(place->partition)) {
        return NULL;
    }
    memory_entry *entry = memory_entry_at(place->partition, place->offset);
    return entry->transaction == transaction ? entry : NULL;
}

/* Is the partition among the first `touched_max` that the transaction wrote to? */
bool memory_touched_before(const memory_transaction *transaction, const memory_partition *partition,
                           size_t touched_max)
{
    for (size_t i = 0; i < touched_max; i++) {
        if (transaction->touched[i].partition == partition) {
            return true;
        }
    }
    return false;
}

/* Decides: records in the first `visible` touched partitions become visible, the others gaps; marks
 * everywhere. */
static void transaction_decide(memory_log *log, memory_transaction *transaction, size_t visible)
{
    for (size_t i = 0; i < transaction->place_count; i++) {
        const memory_place *place = &transaction->places[i];
        memory_entry *entry = place_entry(place, transaction);
        if (entry == NULL) {
            continue;
        }
        if (visible == transaction->touched_count ||
            memory_touched_before(transaction, place->partition, visible)) {
            entry->transaction = NULL;
        } else {
            memory_entry_clear(place->partition, entry);
        }
    }
    for (size_t i = 0; i < transaction->touched_count; i++) {
        /* Without memory for a mark there is one gap less, which nobody may rely on. */
        (void)memory_partition_push(transaction->touched[i].partition, NULL, NULL);
    }
    transaction_unlink(log, transaction);
    memory_wake_readers(log);
}

void memory_transaction_abort(memory_log *log, memory_transaction **transaction)
{
    if (*transaction != NULL) {
        transaction_decide(log, *transaction, 0);
        transaction_free(*transaction);
        *transaction = NULL;
    }
}

void memory_transaction_commit(memory_log *log, memory_transaction **transaction)
{
    memory_transaction *done = *transaction;
    transaction_decide(log, done, done->touched_count);
    if (done->group != NULL) {
        memory_positions_put(log, done->group, done->positions, done->position_count);
    }
    transaction_free(done);
    *transaction = NULL;
}

void memory_transactions_sweep(memory_log *log)
{
    if (log->transactions == NULL || log->down) {
        return;
    }
    const int64_t now_ms = memory_steady_ms(log);
    for (memory_identity *identity = log->identities; identity != NULL; identity = identity->next) {
        if (identity->open != NULL && identity->open->deadline_ms <= now_ms) {
            memory_transaction_abort(log, &identity->open);
            identity->epoch++; /* as the broker does: the writer finds itself fenced */
        }
        if (identity->undecided != NULL && identity->undecided->deadline_ms <= now_ms) {
            memory_transaction_abort(log, &identity->undecided);
        }
    }
}

int32_t memory_transactions_due_ms(const memory_log *log)
{
    int64_t due_ms = INT32_MAX;
    const int64_t now_ms = log->transactions != NULL ? memory_steady_ms(log) : 0;
    for (const memory_transaction *it = log->transactions; it != NULL; it = it->next) {
        const int64_t left_ms = it->deadline_ms > now_ms ? it->deadline_ms - now_ms : 0;
        due_ms = left_ms < due_ms ? left_ms : due_ms;
    }
    return (int32_t)due_ms;
}

void memory_identities_free(memory_log *log)
{
    while (log->identities != NULL) {
        memory_identity *identity = log->identities;
        log->identities = identity->next;
        memory_transaction_abort(log, &identity->open);
        memory_transaction_abort(log, &identity->undecided);
        free(identity->name);
        free(identity);
    }
    while (log->kept != NULL) {
        memory_kept *kept = log->kept;
        log->kept = kept->next;
        memory_kept_deinit(kept);
        free(kept);
    }
    while (log->faults != NULL) {
        memory_fault_due *fault = log->faults;
        log->faults = fault->next;
        free(fault->identity);
        free(fault);
    }
}

static memory_identity *identity_find(memory_log *log, base_slice name)
{
    for (memory_identity *identity = log->identities; identity != NULL; identity = identity->next) {
        if (base_slice_is(name, identity->name)) {
            return identity;
        }
    }
    return NULL;
}

memory_identity *memory_identity_take(memory_log *log, base_slice name)
{
    memory_identity *identity = identity_find(log, name);
    if (identity != NULL) {
        return identity;
    }
    identity = calloc(1, sizeof(*identity));
    if (identity == NULL) {
        return NULL;
    }
    identity->name = memory_text(name);
    if (identity->name == NULL) {
        free(identity);
        return NULL;
    }
    identity->next = log->identities;
    log->identities = identity;
    return identity;
}

void memory_identity_fence(memory_log *log, memory_identity *identity)
{
    identity->epoch++;
    memory_transaction_abort(log, &identity->open);
    memory_transaction_abort(log, &identity->undecided);
}

/* ---- faults ---- */

/* Copies the transaction's records for log_memory_deliver. NULL: no memory. */
static memory_kept *keep_records(const memory_transaction *transaction)
{
    memory_kept *kept = calloc(1, sizeof(*kept));
    if (kept == NULL) {
        return NULL;
    }
    kept->records = calloc(transaction->place_count + 1, sizeof(schema_record *));
    kept->partitions = calloc(transaction->place_count + 1, sizeof(memory_partition *));
    for (size_t i = 0;
         kept->records != NULL && kept->partitions != NULL && i < transaction->place_count; i++) {
        const memory_entry *entry = place_entry(&transaction->places[i], transaction);
        schema_record *copy = entry != NULL ? memory_record_copy(entry->record) : NULL;
        if (copy != NULL) {
            kept->records[kept->count] = copy;
            kept->partitions[kept->count] = transaction->places[i].partition;
            kept->count++;
        }
    }
    if (kept->count != transaction->place_count) {
        memory_kept_deinit(kept);
        free(kept);
        return NULL;
    }
    return kept;
}

bool memory_fault_take(memory_log *log, const char *identity, log_memory_fault *fault_out)
{
    for (memory_fault_due **place = &log->faults; *place != NULL; place = &(*place)->next) {
        memory_fault_due *due = *place;
        if (due->identity[0] == '\0' || strcmp(due->identity, identity) == 0) {
            *fault_out = due->fault;
            *place = due->next;
            free(due->identity);
            free(due);
            return true;
        }
    }
    return false;
}

static void kept_append(memory_log *log, memory_kept *kept)
{
    memory_kept **place = &log->kept;
    while (*place != NULL) {
        place = &(*place)->next;
    }
    *place = kept;
}

static base_status unknown(base_error *error)
{
    return base_error_set(error, BASE_OUTCOME_UNKNOWN, "the commit was not answered");
}

base_status memory_commit_with_fault(memory_log *log, memory_identity *identity,
                                     log_memory_fault fault, base_error *error)
{
    memory_transaction *open = identity->open;
    memory_kept *kept = NULL;
    switch (fault) {
    case LOG_MEMORY_COMMIT_ABORTED:
        memory_transaction_abort(log, &identity->open);
        return base_error_set(error, BASE_ABORTED, "the transaction was aborted");
    case LOG_MEMORY_COMMIT_UNREACHABLE:
        memory_transaction_abort(log, &identity->open);
        return memory_unreachable(log, error);
    case LOG_MEMORY_COMMIT_UNKNOWN_APPLIED:
        memory_transaction_commit(log, &identity->open);
        return unknown(error);
    case LOG_MEMORY_COMMIT_UNKNOWN_OPEN:
    case LOG_MEMORY_COMMIT_LATE:
        BASE_ASSERT(identity->undecided == NULL);
        identity->undecided = open;
        identity->undecided_is_late = fault == LOG_MEMORY_COMMIT_LATE;
        identity->open = NULL;
        return unknown(error);
    case LOG_MEMORY_COMMIT_TORN:
        transaction_decide(log, open, open->touched_count / 2);
        transaction_free(open);
        identity->open = NULL;
        return unknown(error);
    case LOG_MEMORY_COMMIT_ZOMBIE:
    case LOG_MEMORY_COMMIT_TWICE:
        kept = keep_records(open);
        if (kept == NULL) {
            memory_transaction_abort(log, &identity->open);
            return memory_exhausted(error);
        }
        kept_append(log, kept);
        if (fault == LOG_MEMORY_COMMIT_TWICE) {
            memory_transaction_commit(log, &identity->open);
            return base_ok();
        }
        memory_transaction_abort(log, &identity->open);
        return unknown(error);
    }
    BASE_ASSERT(false);
    return base_status_of(BASE_FATAL);
}

/* ---- hooks ---- */

base_status log_memory_fail_commit(log_store *store, base_slice identity, log_memory_fault fault)
{
    memory_log *log = memory_log_of(store);
    memory_fault_due *due = calloc(1, sizeof(*due));
    if (due == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    due->identity = memory_text(identity);
    if (due->identity == NULL) {
        free(due);
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    due->fault = fault;
    memory_lock(log);
    memory_fault_due **place = &log->faults;
    while (*place != NULL) {
        place = &(*place)->next;
    }
    *place = due;
    memory_unlock(log);
    return base_ok();
}

size_t log_memory_deliver(log_store *store)
{
    memory_log *log = memory_log_of(store);
    size_t delivered = 0;
    memory_lock(log);
    memory_transactions_sweep(log);
    for (memory_identity *identity = log->identities; identity != NULL; identity = identity->next) {
        if (identity->undecided != NULL && identity->undecided_is_late) {
            memory_transaction_commit(log, &identity->undecided);
            delivered++;
        }
    }
    while (log->kept != NULL && memory_kept_write(log->kept, NULL)) {
        memory_kept *kept = log->kept;
        log->kept = kept->next;
        memory_kept_deinit(kept);
        free(kept);
        delivered++;
    }
    if (delivered > 0) {
        memory_wake_readers(log);
    }
    memory_unlock(log);
    return delivered;
}

bool log_memory_fence(log_store *store, base_slice identity)
{
    memory_log *log = memory_log_of(store);
    memory_lock(log);
    memory_identity *found = identity_find(log, identity);
    if (found != NULL) {
        memory_identity_fence(log, found);
    }
    memory_unlock(log);
    return found != NULL;
}
