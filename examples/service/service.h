/*
 * What the example services share: a program around troupe.h, a ledger, and switches that make the
 * service misbehave. A service is a table of what it can be asked, and of what it reacts to.
 */
#ifndef EXAMPLES_SERVICE_SERVICE_H
#define EXAMPLES_SERVICE_SERVICE_H

#include <stddef.h>
#include <stdint.h>

#include "include/troupe.h"

/* Makes the data of the answer; what it returns is JSON and lives until the handler returns. */
typedef const char *service_data(troupe_context *context, const troupe_event *event);

/* One thing that the service does when it is asked. */
typedef struct service_step {
    const char *ask;     /* "payment.authorise" */
    const char *done;    /* answer when it is done */
    const char *refused; /* answer when it is refused; NULL: it never is */
    const char *undo;    /* ask of its undo; NULL: it has none */
    const char *undone;  /* answer to that */
    service_data *data;
    const char *afterwards; /* an event of its own that follows by and by; NULL: none */
    int64_t afterwards_ms;
} service_step;

/* One event of others that the service acts on by itself. The effect's key is `name` and the
 * record's key, so that a second event of the kind changes nothing. */
typedef struct service_reaction {
    const char *topic;
    const char *type;
    const char *name;    /* what it does, in the ledger and in rules */
    const char *done;    /* the event that it answers with */
    const char *refused; /* ... or, when it will not; NULL: it always will */
    const char *undo;    /* ask of its undo; NULL: it has none */
    const char *undone;  /* answer to that */
    service_data *data;
} service_reaction;

typedef struct service_description {
    const char *name;        /* "payments" */
    const char *type_prefix; /* "com.acme." */
    const char *key_name;    /* member of the data that holds the key: "orderId" */
    const service_step *steps;
    size_t step_count;
    const service_reaction *reactions;
    size_t reaction_count;
} service_description;

/* The whole program: options, ledger, handlers, until SIGTERM or SIGINT. Returns the exit code. */
int service_main(int argc, char **argv, const service_description *description);

#endif
