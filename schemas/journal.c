#include "schemas/journal.h"

#include "schemas/entry.h"
#include "schemas/wire.h"

#define KIND_COUNT (SCHEMA_JOURNAL_POSITION + 1)
#define CAUSE_COUNT (SCHEMA_CAUSE_COMMAND + 1)

static void cause_write(base_writer *writer, const schema_cause *cause)
{
    base_write_long(writer, cause->kind);
    base_write_bytes(writer, cause->topic);
    base_write_long(writer, cause->partition);
    base_write_long(writer, cause->offset);
}

static schema_cause cause_read(base_reader *reader)
{
    schema_cause cause = {.kind = (schema_cause_kind)base_read_long_in(reader, 0, CAUSE_COUNT - 1)};
    cause.topic = base_read_string(reader);
    cause.partition = schema_int_read(reader, INT32_MIN, INT32_MAX);
    cause.offset = base_read_long(reader);
    return cause;
}

static void claim_write(base_writer *writer, const schema_claim *claim)
{
    base_write_long(writer, claim == NULL ? 0 : 1);
    if (claim != NULL) {
        base_write_bytes(writer, claim->worker);
        base_write_long(writer, claim->at_ms);
    }
}

base_status schema_journal_write(const schema_journal *journal, base_arena *arena,
                                 base_slice *bytes_out, base_error *error)
{
    base_writer writer;
    base_writer_begin(&writer, arena);
    schema_head_write(&writer, SCHEMA_FINGERPRINT_JOURNAL);
    schema_counter_write(&writer, journal->epoch);
    base_write_long(&writer, journal->kind);
    cause_write(&writer, &journal->cause);
    schema_positions_write(&writer, journal->positions, journal->position_count);
    claim_write(&writer, journal->kind == SCHEMA_JOURNAL_CLAIM ? &journal->claim : NULL);
    base_write_long(&writer, journal->kind == SCHEMA_JOURNAL_ENTRY ? 1 : 0);
    if (journal->kind == SCHEMA_JOURNAL_ENTRY) {
        BASE_TRY(schema_entry_write(&writer, &journal->entry, error));
    }
    const base_status status = base_writer_end(&writer, bytes_out);
    return base_failed(status)
               ? base_error_set(error, status.code, "cannot write a journal record: %s",
                                base_status_text(status))
               : status;
}

/* Epoch and kind, which stand first. */
static void front_read(base_reader *reader, schema_journal_kind *kind, uint64_t *epoch)
{
    *epoch = schema_counter_read(reader);
    *kind = (schema_journal_kind)base_read_long_in(reader, 0, KIND_COUNT - 1);
}

base_status schema_journal_read(base_slice bytes, base_arena *arena, schema_journal *journal_out,
                                base_error *error)
{
    base_reader reader;
    BASE_TRY(schema_head_read(bytes, SCHEMA_FINGERPRINT_JOURNAL, &reader, error));
    schema_journal journal = {.kind = SCHEMA_JOURNAL_ENTRY};
    front_read(&reader, &journal.kind, &journal.epoch);
    journal.cause = cause_read(&reader);
    schema_positions_read(&reader, arena, &journal.positions, &journal.position_count);
    const bool has_claim = base_read_long_in(&reader, 0, 1) == 1;
    if (has_claim) {
        journal.claim.worker = base_read_string(&reader);
        journal.claim.at_ms = base_read_long(&reader);
    }
    const bool has_entry = base_read_long_in(&reader, 0, 1) == 1;
    if (has_claim != (journal.kind == SCHEMA_JOURNAL_CLAIM) ||
        has_entry != (journal.kind == SCHEMA_JOURNAL_ENTRY)) {
        base_reader_fail(&reader);
    }
    if (has_entry) {
        schema_entry_read(&reader, arena, &journal.entry);
    }
    BASE_TRY(schema_tail_check(&reader, "the journal record", error));
    *journal_out = journal;
    return base_ok();
}

base_status schema_journal_peek(base_slice bytes, schema_journal_kind *kind_out,
                                uint64_t *epoch_out, base_error *error)
{
    base_reader reader;
    schema_journal_kind kind = SCHEMA_JOURNAL_ENTRY;
    uint64_t epoch = 0;
    BASE_TRY(schema_head_read(bytes, SCHEMA_FINGERPRINT_JOURNAL, &reader, error));
    front_read(&reader, &kind, &epoch);
    if (base_failed(base_reader_status(&reader, false))) {
        return base_error_set(error, BASE_CORRUPT, "the journal record is corrupt");
    }
    *kind_out = kind;
    *epoch_out = epoch;
    return base_ok();
}
