/*
 * Ledger: what a service did, by idempotency key, so that it does nothing twice.
 *
 * A file of JSON lines, each forced to the disk before its answer is given, read at start:
 *
 *   {"at":1700000000000,"act":"do","key":"K","order":"o1","step":"payment.authorise",
 *    "answer":"payment.authorised","token":"","due":0,"data":{"orderId":"o1","authId":"a-o1"}}
 *
 *   do      the effect was made; `answer` and `data` are what is answered, now and ever after (C1)
 *   refuse  it was refused, for good (C6); likewise
 *   undo    the effect was taken back
 *   bar     there was nothing to take back (C4); from now on it is refused (C5: the tombstone)
 *   again   an undo was asked for once more
 *   owe     `answer` is to be said at `due`; token says to what; an empty `answer`: the effect is
 *           to be made then, too
 *   said    the oldest owed answer of this key was given
 *
 * "Every effect once": no key has two lines "do". A real service keeps this in its database, in the
 * transaction that makes the effect. Keys are looked for one by one: this is an example.
 */
#ifndef EXAMPLES_SERVICE_LEDGER_H
#define EXAMPLES_SERVICE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum ledger_state { LEDGER_NEW, LEDGER_DONE, LEDGER_REFUSED, LEDGER_UNDONE } ledger_state;

typedef struct ledger_entry {
    char *key;
    ledger_state state;
    char *answer; /* of DONE and REFUSED */
    char *data;
} ledger_entry;

/* An answer, or an effect and its answer, that is to come later. */
typedef struct ledger_debt {
    char *key;
    char *order;
    char *step;
    char *answer; /* empty: the effect is still to be made */
    char *token;  /* what it answers; empty: nothing, it is an event of its own */
    char *data;
    int64_t due_ms;
} ledger_debt;

typedef struct ledger {
    int file;
    ledger_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    ledger_debt *debts;
    size_t debt_count;
    size_t debt_capacity;
} ledger;

/* One line. Text that is NULL is empty; data is JSON, NULL: null. */
typedef struct ledger_line {
    const char *act;
    const char *key;
    const char *order;
    const char *step;
    const char *answer;
    const char *token;
    int64_t due_ms;
    const char *data;
} ledger_line;

/* Opens and reads; false: it cannot, and why is on standard error. */
bool ledger_open(ledger *book, const char *path);
void ledger_close(ledger *book);
/* Writes a line, makes it durable, and counts it. Ends the program when the disk will not. */
void ledger_write(ledger *book, const ledger_line *line);
/* NULL: never heard of. Until the next write. */
const ledger_entry *ledger_find(const ledger *book, const char *key);
/* The first answer owed to this key; NULL: none. Until the next write. */
const ledger_debt *ledger_owed(const ledger *book, const char *key);
/* The debt that is due first; NULL: none. Until the next write. */
const ledger_debt *ledger_first_due(const ledger *book);
int64_t ledger_now_ms(void);

#endif
