/* Record: what stands on a topic, told to people and programs (`troupe tail`). */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "cli/out.h"
#include "engine/catalog.h"
#include "engine/topics.h"
#include "schemas/record.h"

typedef struct cli_teller {
    const engine_topics *topics;
    engine_catalog *catalog; /* for the names of events and steps */
    const saga_plan *plan;   /* one more, of a file; or NULL */
    cli_paint paint;
    bool json;
} cli_teller;

/* Writes a record: text over one or more lines, or an object {topic, partition, offset, time, key,
 * kind, ...} (docs/cli.md). arena holds what it needs. */
void cli_record_write(const cli_teller *teller, const schema_record *record, base_arena *arena);
/* The saga's name of the event that a record is, else its type; empty for what is no event. */
base_slice cli_record_event(const cli_teller *teller, const schema_record *record,
                            base_arena *arena);

#endif
