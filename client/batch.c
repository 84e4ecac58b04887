/*
 * What handlers answered and how far they got, as one transaction.
 *
 *                       fails, nothing written        outcome unknown
 *   empty --add--> kept ----------------------> kept, later --+ look at the group's position:
 *     ^              |  commit                                | there -> empty, else commit again
 *     +--------------+  (a record that the log refuses takes its item out: to the back-off or the
 *                        dead letters; what was handled behind it in its partition is done again)
 */
#include <stdio.h>

#include "client/client.h"

#define RETRY_FIRST_MS 100
#define RETRY_CAP_MS 2000
#define FENCED_MAX 3

static base_status item_add(client_batch *batch, const client_item *item)
{
    if (batch->count == batch->capacity) {
        const size_t capacity = batch->capacity == 0 ? 64 : batch->capacity * 2;
        client_item *items = base_arena_alloc(&batch->arena, capacity * sizeof(*items));
        if (items == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
        if (batch->count > 0) {
            memcpy(items, batch->items, batch->count * sizeof(*items));
        }
        batch->items = items;
        batch->capacity = capacity;
    }
    batch->items[batch->count++] = *item;
    return base_ok();
}

base_status client_batch_add(client_batch *batch, const schema_record *record,
                             const schema_record *outputs, size_t output_count, bool dead)
{
    schema_record *copies = NULL;
    if (output_count > 0) {
        copies = BASE_ARENA_ARRAY(&batch->arena, schema_record, output_count);
        if (copies == NULL) {
            return base_status_of(BASE_OUT_OF_MEMORY);
        }
    }
    for (size_t i = 0; i < output_count; i++) {
        BASE_TRY(client_record_copy(&outputs[i], &batch->arena, &copies[i]));
    }
    const client_item item = {
        .record = record, .outputs = copies, .output_count = output_count, .dead = dead};
    return item_add(batch, &item);
}

base_status client_batch_add_dead(troupe *handle, const schema_record *record, const char *reason,
                                  const char *text, int32_t attempts)
{
    schema_record letter;
    BASE_TRY(client_dead_letter(handle, record, reason, text, attempts, true, &handle->batch.arena,
                                &letter));
    return client_batch_add(&handle->batch, record, &letter, 1, true);
}

static void batch_reset(client_batch *batch)
{
    base_arena_reset(&batch->arena);
    batch->items = NULL;
    batch->count = 0;
    batch->capacity = 0;
    batch->unknown = false;
    batch->failures = 0;
    batch->retry_at_ms = 0;
}

void client_batch_drop(client_batch *batch, base_slice topic, int32_t partition)
{
    for (size_t i = 0; i < batch->count; i++) {
        client_item *item = &batch->items[i];
        if (item->record->partition == partition && base_slice_equal(item->record->topic, topic)) {
            item->removed = true;
        }
    }
}

/* Everything since the last commit is read and handled again. */
static base_status batch_undo(troupe *handle, base_error *error)
{
    client_batch *batch = &handle->batch;
    for (size_t i = 0; i < batch->count; i++) {
        const schema_record *record = batch->items[i].record;
        client_partition *partition =
            client_partition_find(handle, record->topic, record->partition);
        if (batch->items[i].removed || partition == NULL ||
            partition->next == partition->committed) {
            continue;
        }
        BASE_TRY(client_partition_rewind(handle, partition, partition->committed, 0, error));
    }
    batch_reset(batch);
    return base_ok();
}

static void batch_done(troupe *handle)
{
    client_batch *batch = &handle->batch;
    for (size_t i = 0; i < batch->count; i++) {
        const schema_record *record = batch->items[i].record;
        client_partition *partition =
            client_partition_find(handle, record->topic, record->partition);
        if (!batch->items[i].removed && partition != NULL) {
            partition->committed = record->offset + 1;
        }
    }
    batch->fenced = 0;
    batch_reset(batch);
}

/* ---- one attempt ---- */

static base_status append_one(troupe *handle, const schema_record *record, base_error *error)
{
    base_status status = log_writer_append(handle->writer, record, error);
    if (status.code != BASE_NOT_FOUND) {
        return status;
    }
    base_error_clear(error);
    BASE_TRY(client_topic_ensure(handle, record->topic, error));
    return log_writer_append(handle->writer, record, error);
}

/* Appends all outputs; of a failure says at which item it was. */
static base_status append_all(troupe *handle, size_t *item_out, base_error *error)
{
    const client_batch *batch = &handle->batch;
    for (size_t i = 0; i < batch->count; i++) {
        const client_item *item = &batch->items[i];
        for (size_t k = 0; !item->removed && k < item->output_count; k++) {
            const base_status status = append_one(handle, &item->outputs[k], error);
            if (base_failed(status)) {
                *item_out = i;
                return status;
            }
        }
    }
    return base_ok();
}

/* The item that the n-th appended record belongs to. */
static size_t item_of_output(const client_batch *batch, size_t n)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].removed) {
            continue;
        }
        if (n < batch->items[i].output_count) {
            return i;
        }
        n -= batch->items[i].output_count;
    }
    return batch->count;
}

/* One position a partition: behind its last item. */
static base_status positions_make(troupe *handle, log_position **positions_out, size_t *count_out)
{
    client_batch *batch = &handle->batch;
    log_position *positions =
        BASE_ARENA_ARRAY(&batch->arena, log_position, handle->partition_count);
    size_t count = 0;
    if (positions == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    for (size_t i = batch->count; i > 0; i--) {
        const client_item *item = &batch->items[i - 1];
        const client_partition *partition =
            item->removed
                ? NULL
                : client_partition_find(handle, item->record->topic, item->record->partition);
        bool known = partition == NULL;
        for (size_t k = 0; !known && k < count; k++) {
            known = positions[k].partition == partition->partition &&
                    base_slice_equal(positions[k].topic, partition->topic);
        }
        if (!known) {
            positions[count++] =
                (log_position){partition->topic, partition->partition, item->record->offset + 1};
        }
    }
    *positions_out = positions;
    *count_out = count;
    return base_ok();
}

static base_status writer_ready(troupe *handle, base_error *error)
{
    if (handle->writer != NULL) {
        return base_ok();
    }
    const log_writer_options options = {.identity = handle->writer_identity};
    return log_writer_open(handle->store, &options, &handle->writer, error);
}

static void writer_drop(troupe *handle)
{
    log_writer_close(handle->writer);
    handle->writer = NULL;
}

base_status client_positions_commit(troupe *handle, const log_position *positions, size_t count,
                                    base_error *error)
{
    BASE_TRY(writer_ready(handle, error));
    const base_status status =
        log_writer_commit(handle->writer, handle->member, positions, count, NULL, NULL, error);
    if (base_failed(status)) {
        writer_drop(handle);
    }
    return status;
}

/* After an unknown outcome and a new writer, which has decided it: a transaction is whole, so one
 * position tells. */
static base_status unknown_decide(troupe *handle, const log_position *position, bool *there_out,
                                  base_error *error)
{
    int64_t offset = 0;
    const base_status status =
        log_member_position(handle->member, position->topic, position->partition, &offset, error);
    if (status.code == BASE_NOT_FOUND) {
        base_error_clear(error);
        *there_out = false;
        return base_ok();
    }
    BASE_TRY(status);
    *there_out = offset >= position->offset;
    return base_ok();
}

/* One go at it. *item_out: which item was refused; batch->count: it was not one item. */
static base_status commit_once(troupe *handle, size_t *item_out, base_error *error)
{
    client_batch *batch = &handle->batch;
    log_position *positions = NULL;
    size_t position_count = 0;
    *item_out = batch->count;
    BASE_TRY(writer_ready(handle, error));
    BASE_TRY(positions_make(handle, &positions, &position_count));
    if (position_count == 0) {
        return base_ok();
    }
    if (batch->unknown) {
        bool there = false;
        BASE_TRY(unknown_decide(handle, &positions[0], &there, error));
        batch->unknown = false;
        if (there) {
            return base_ok();
        }
    }
    BASE_TRY(append_all(handle, item_out, error));
    size_t refused = SIZE_MAX;
    const base_status status = log_writer_commit(handle->writer, handle->member, positions,
                                                 position_count, NULL, &refused, error);
    if (base_failed(status) && refused != SIZE_MAX) {
        *item_out = item_of_output(batch, refused);
    }
    return status;
}

/* ---- what a failure means ---- */

static bool refuses_one(base_code code)
{
    return code == BASE_TOO_LARGE || code == BASE_NOT_FOUND || code == BASE_REFUSED ||
           code == BASE_BAD_INPUT;
}

/* A dead letter itself was refused: without its value it fits; refused for another reason, nothing
 * can go on. */
static base_status letter_shorten(troupe *handle, client_item *item, base_status status,
                                  base_error *error)
{
    if (status.code != BASE_TOO_LARGE || item->outputs[0].value.data == NULL) {
        base_error_context(error, "the dead letters cannot be written");
        return status;
    }
    char size[64];
    (void)snprintf(size, sizeof(size), "left out: %zu bytes of value", item->record->value.size);
    schema_record letter;
    BASE_TRY(client_dead_letter(handle, item->record, "too_large", size, 1, false,
                                &handle->batch.arena, &letter));
    schema_record *copy = BASE_ARENA_NEW(&handle->batch.arena, schema_record);
    if (copy == NULL) {
        return base_status_of(BASE_OUT_OF_MEMORY);
    }
    BASE_TRY(client_record_copy(&letter, &handle->batch.arena, copy));
    item->outputs = copy;
    base_error_clear(error);
    return base_ok();
}

/* Takes a refused item out, and what was handled behind it in its partition. */
static base_status item_refused(troupe *handle, size_t index, base_status status, base_error *error)
{
    client_batch *batch = &handle->batch;
    client_item *item = &batch->items[index];
    if (item->dead) {
        return letter_shorten(handle, item, status, error);
    }
    char text[BASE_ERROR_TEXT_SIZE + BASE_ERROR_HINT_SIZE];
    (void)base_error_render(error, text, sizeof(text));
    base_error_clear(error);
    for (size_t i = index; i < batch->count; i++) {
        const schema_record *record = batch->items[i].record;
        if (record->partition == item->record->partition &&
            base_slice_equal(record->topic, item->record->topic)) {
            batch->items[i].removed = true;
        }
    }
    const schema_record *record = item->record;
    BASE_TRY(client_record_failed(handle, record, status.code == BASE_TOO_LARGE, "answer_refused",
                                  text, error));
    client_partition *partition = client_partition_find(handle, record->topic, record->partition);
    if (partition == NULL || partition->next <= record->offset) {
        return base_ok();
    }
    /* It went to the dead letters; those behind it are read again. */
    return client_partition_rewind(handle, partition, record->offset + 1, 0, error);
}

static base_status commit_later(troupe *handle, base_status status)
{
    client_batch *batch = &handle->batch;
    const int32_t shift = batch->failures < 5 ? batch->failures : 5;
    const int64_t wait_ms = (int64_t)RETRY_FIRST_MS << shift;
    batch->failures++;
    batch->retry_at_ms = client_now_ms() + (wait_ms < RETRY_CAP_MS ? wait_ms : RETRY_CAP_MS);
    return status;
}

static base_status commit_failed(troupe *handle, base_status status, base_error *error)
{
    client_batch *batch = &handle->batch;
    const base_class class = base_status_class(status);
    if (class == BASE_CLASS_UNKNOWN) {
        writer_drop(handle);
        batch->unknown = true;
        return commit_later(handle, status);
    }
    if (class == BASE_CLASS_RETRY || status.code == BASE_CONFLICT) {
        if (handle->writer != NULL && base_failed(log_writer_abort(handle->writer, NULL))) {
            writer_drop(handle);
        }
        return commit_later(handle, status);
    }
    if (status.code == BASE_FENCED) {
        /* Also what a transaction that took too long is told. A twin of ours is found out by the
         * group; here a new writer is enough, but not for ever. */
        writer_drop(handle);
        batch->fenced++;
        const base_status undone = batch_undo(handle, NULL);
        if (base_failed(undone) || batch->fenced >= FENCED_MAX) {
            return status;
        }
        base_error_clear(error);
        return base_status_of(BASE_REVOKED);
    }
    if (handle->writer != NULL && base_failed(log_writer_abort(handle->writer, NULL))) {
        writer_drop(handle);
    }
    const base_status undone = batch_undo(handle, NULL);
    return base_failed(undone) ? undone : status;
}

base_status client_batch_commit(troupe *handle, base_error *error)
{
    client_batch *batch = &handle->batch;
    while (batch->count > 0) {
        base_error cause = {0};
        size_t item = batch->count;
        base_status status = commit_once(handle, &item, &cause);
        if (!base_failed(status)) {
            break;
        }
        if (item < batch->count && refuses_one(status.code)) {
            if (base_failed(log_writer_abort(handle->writer, NULL))) {
                writer_drop(handle);
            }
            status = item_refused(handle, item, status, &cause);
            if (!base_failed(status)) {
                continue;
            }
        }
        status = commit_failed(handle, status, &cause);
        if (error != NULL) {
            *error = cause;
        }
        return status;
    }
    batch_done(handle);
    return base_ok();
}

void client_batch_deinit(client_batch *batch)
{
    base_arena_deinit(&batch->arena);
}
