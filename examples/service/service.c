#include "examples/service/service.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/service/ledger.h"
#include "examples/service/rules.h"

#define WAIT_MS 500
#define EMIT_MS 5000
#define EXIT_USAGE 2
#define EXIT_UNREACHABLE 3

typedef struct service service;

/* What a handler is registered with. */
typedef struct service_part {
    service *self;
    const service_step *step;
    const service_reaction *reaction;
} service_part;

struct service {
    const service_description *description;
    troupe *handle;
    ledger book;
    rules set;
    const char *log;
    const char *state;
    const char *identity;
    const char *prefix;
    bool verbose;
};

/* What a signal handler can reach. */
static troupe *volatile running;
static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
    troupe_stop(running);
}

/* ---- asks ---- */

static void tell(const service *self, const char *act, const char *step, const char *order)
{
    if (self->verbose) {
        (void)fprintf(stderr, "%s: %s %s %s\n", self->description->name, act, step, order);
    }
}

static void note(service *self, const char *act, const char *key, const char *step,
                 const char *order, const char *answer, const char *data)
{
    tell(self, act, step, order);
    ledger_write(
        &self->book,
        &(ledger_line){
            .act = act, .key = key, .order = order, .step = step, .answer = answer, .data = data});
}

static void owe(service *self, const ledger_line *what)
{
    ledger_line line = *what;
    line.act = "owe";
    tell(self, "owe", line.step, line.order);
    ledger_write(&self->book, &line);
}

/* The data of an answer that says no more than whose it is, and why; reason may be NULL. */
static const char *plain_data(const service *self, troupe_context *context,
                              const troupe_event *event, const char *reason)
{
    const char *key = troupe_quote(context, event->key);
    return reason == NULL ? troupe_print(context, "{\"%s\":%s}", self->description->key_name, key)
                          : troupe_print(context, "{\"%s\":%s,\"reason\":\"%s\"}",
                                         self->description->key_name, key, reason);
}

static troupe_verdict say(troupe_context *context, const char *type, const char *data, bool twice)
{
    for (int i = 0; i < (twice ? 2 : 1); i++) {
        if (troupe_answer(context, type, data, NULL) != TROUPE_OK) {
            return TROUPE_RETRY;
        }
    }
    return TROUPE_HANDLED;
}

/* It was asked before: the same answer (C1), or, after its undo, none of it any more (C5). */
static troupe_verdict on_known(const service *self, troupe_context *context,
                               const troupe_event *event, const service_step *step,
                               const ledger_entry *entry)
{
    if (ledger_owed(&self->book, event->saga_key) != NULL) {
        return TROUPE_HANDLED; /* the answer is on its way */
    }
    if (entry->state != LEDGER_UNDONE) {
        return say(context, entry->answer, entry->data, false);
    }
    if (step->refused == NULL) {
        return TROUPE_HANDLED;
    }
    return say(context, step->refused, plain_data(self, context, event, "undone before"), false);
}

/* Makes the effect: the ledger's line is the effect. What follows by and by is owed from now on. */
static void perform(service *self, const service_step *step, const char *key, const char *order,
                    const char *data)
{
    char own[1024];
    (void)snprintf(own, sizeof(own), "%s/%s", key,
                   step->afterwards != NULL ? step->afterwards : "");
    if (step->afterwards != NULL && ledger_owed(&self->book, own) == NULL) {
        owe(self, &(ledger_line){.key = own,
                                 .order = order,
                                 .step = step->ask,
                                 .answer = step->afterwards,
                                 .due_ms = ledger_now_ms() + step->afterwards_ms,
                                 .data = data});
    }
    note(self, "do", key, step->ask, order, step->done, data);
}

static troupe_verdict on_new(service *self, troupe_context *context, const troupe_event *event,
                             const service_step *step)
{
    const char *key = event->saga_key;
    const char *order = event->key;
    if (step->refused != NULL && rules_apply(&self->set, RULE_DECLINE, step->ask, order) != NULL) {
        const char *data = plain_data(self, context, event, "declined");
        note(self, "refuse", key, step->ask, order, step->refused, data);
        return say(context, step->refused, data, false);
    }
    ledger_line later = {.key = key,
                         .order = order,
                         .step = step->ask,
                         .token = troupe_token(context),
                         .data = step->data(context, event)};
    if (later.token == NULL || later.data == NULL) {
        return TROUPE_RETRY;
    }
    const rule *delay = rules_apply(&self->set, RULE_DELAY, step->ask, order);
    if (delay != NULL) {
        later.due_ms = ledger_now_ms() + delay->value;
        owe(self, &later);
        return TROUPE_HANDLED;
    }
    const rule *late = rules_apply(&self->set, RULE_LATE, step->ask, order);
    if (late != NULL) {
        later.answer = step->done;
        later.due_ms = ledger_now_ms() + late->value;
        owe(self, &later);
        perform(self, step, key, order, later.data);
        return TROUPE_HANDLED;
    }
    perform(self, step, key, order, later.data);
    const bool twice = rules_apply(&self->set, RULE_TWICE, step->ask, order) != NULL;
    return say(context, step->done, later.data, twice);
}

static troupe_verdict on_ask(troupe_context *context, const troupe_event *event, void *user)
{
    const service_part *part = user;
    service *self = part->self;
    if (event->key == NULL || event->saga_key == NULL) {
        return TROUPE_REJECT;
    }
    if (rules_apply(&self->set, RULE_SILENT, part->step->ask, event->key) != NULL) {
        return TROUPE_HANDLED;
    }
    if (rules_apply(&self->set, RULE_FAIL, part->step->ask, event->key) != NULL) {
        return TROUPE_RETRY;
    }
    const ledger_entry *entry = ledger_find(&self->book, event->saga_key);
    const bool owed = ledger_owed(&self->book, event->saga_key) != NULL;
    if ((entry == NULL || entry->state == LEDGER_NEW) && !owed) {
        return on_new(self, context, event, part->step);
    }
    return entry == NULL ? TROUPE_HANDLED : on_known(self, context, event, part->step, entry);
}

/* What an effect made by itself is remembered by: nobody gave it a key. */
static const char *reaction_key(troupe_context *context, const troupe_event *event,
                                const service_reaction *reaction)
{
    return troupe_print(context, "%s/%s", reaction->name, event->key);
}

static troupe_verdict on_undo(troupe_context *context, const troupe_event *event, void *user)
{
    const service_part *part = user;
    service *self = part->self;
    if (event->key == NULL || event->undoes == NULL) {
        return TROUPE_REJECT;
    }
    const bool asked = part->step != NULL;
    const char *undo = asked ? part->step->undo : part->reaction->undo;
    const char *undone = asked ? part->step->undone : part->reaction->undone;
    const char *name = asked ? part->step->ask : part->reaction->name;
    const char *key = asked ? event->undoes : reaction_key(context, event, part->reaction);
    const char *data = plain_data(self, context, event, NULL);
    if (key == NULL || data == NULL) {
        return TROUPE_RETRY;
    }
    if (rules_apply(&self->set, RULE_UNDO_SILENT, undo, event->key) != NULL) {
        return TROUPE_HANDLED;
    }
    const ledger_entry *entry = ledger_find(&self->book, key);
    const ledger_state state = entry != NULL ? entry->state : LEDGER_NEW;
    const char *act = state == LEDGER_DONE ? "undo" : state == LEDGER_UNDONE ? "again" : "bar";
    note(self, act, key, name, event->key, undone, data);
    return say(context, undone, data, false);
}

/* The first time: it is done, or declined. */
static void react(service *self, troupe_context *context, const troupe_event *event,
                  const service_reaction *reaction, const char *key)
{
    if (reaction->refused != NULL &&
        rules_apply(&self->set, RULE_DECLINE, reaction->name, event->key) != NULL) {
        note(self, "refuse", key, reaction->name, event->key, reaction->refused,
             plain_data(self, context, event, "declined"));
        return;
    }
    const char *data = reaction->data(context, event);
    note(self, "do", key, reaction->name, event->key, reaction->done, data);
}

static troupe_verdict on_event(troupe_context *context, const troupe_event *event, void *user)
{
    const service_part *part = user;
    const service_reaction *reaction = part->reaction;
    service *self = part->self;
    if (event->key == NULL) {
        return TROUPE_REJECT;
    }
    if (rules_apply(&self->set, RULE_SILENT, reaction->name, event->key) != NULL) {
        return TROUPE_HANDLED;
    }
    const char *key = reaction_key(context, event, reaction);
    if (key == NULL || rules_apply(&self->set, RULE_FAIL, reaction->name, event->key) != NULL) {
        return TROUPE_RETRY;
    }
    if (ledger_find(&self->book, key) == NULL) {
        react(self, context, event, reaction, key);
    }
    const ledger_entry *entry = ledger_find(&self->book, key);
    if (entry->state == LEDGER_UNDONE) {
        return TROUPE_HANDLED; /* its undo came first: nothing is done, nothing is reported (C5) */
    }
    const bool twice = rules_apply(&self->set, RULE_TWICE, reaction->name, event->key) != NULL;
    return say(context, entry->answer, entry->data, twice);
}

/* ---- what is owed ---- */

static const service_step *step_named(const service *self, const char *ask)
{
    for (size_t i = 0; i < self->description->step_count; i++) {
        if (strcmp(self->description->steps[i].ask, ask) == 0) {
            return &self->description->steps[i];
        }
    }
    return NULL;
}

/* An effect that was put off: unless it was undone meanwhile it is made now. Says what to answer;
 * NULL: nothing. */
static const char *perform_owed(service *self, const ledger_debt *debt)
{
    const service_step *step = step_named(self, debt->step);
    const ledger_entry *entry = ledger_find(&self->book, debt->key);
    if (entry != NULL && entry->state == LEDGER_UNDONE) {
        return step != NULL ? step->refused : NULL;
    }
    if (step == NULL) {
        return NULL;
    }
    if (entry == NULL) {
        perform(self, step, debt->key, debt->order, debt->data);
    }
    return step->done;
}

/* Gives the answers that are due; returns how long to wait for the next one. */
static int32_t settle(service *self)
{
    const ledger_debt *debt = NULL;
    while ((debt = ledger_first_due(&self->book)) != NULL && debt->due_ms <= ledger_now_ms()) {
        /* Writing moves debts about; these are ours. */
        char *key = strdup(debt->key);
        char *order = strdup(debt->order);
        char *token = strdup(debt->token);
        char *data = strdup(debt->data);
        char *step = strdup(debt->step);
        const char *answer = debt->answer[0] != '\0' ? debt->answer : perform_owed(self, debt);
        char *type = answer != NULL ? strdup(answer) : NULL;
        troupe_error error = {0};
        const troupe_message message = {
            .type = type, .data = data, .key = order, .answers = token[0] != '\0' ? token : NULL};
        const bool said =
            type == NULL || troupe_emit(self->handle, &message, EMIT_MS, &error) == TROUPE_OK;
        if (said) {
            note(self, "said", key, step, order, type, NULL);
        } else {
            (void)fprintf(stderr, "%s: %s\n", self->description->name, error.text);
        }
        free(key);
        free(order);
        free(token);
        free(data);
        free(step);
        free(type);
        if (!said) {
            return WAIT_MS;
        }
    }
    const int64_t left = debt != NULL ? debt->due_ms - ledger_now_ms() : WAIT_MS;
    return left < 0 ? 0 : (int32_t)(left < WAIT_MS ? left : WAIT_MS);
}

/* ---- the program ---- */

static void usage(FILE *out, const char *program)
{
    (void)fprintf(
        out,
        "usage: %s --log URL --state DIR [--identity NAME] [--prefix NAME] [--verbose]\n"
        "       [--decline R] [--fail R] [--delay R] [--late R] [--twice R] [--silent R]\n"
        "       [--undo-silent R]\n"
        "R: [ASK/]ORDER[=VALUE],... as --decline o2 --late 'payment.authorise/o3=6s'\n",
        program);
}

static bool options_read(service *self, int argc, char **argv, int *exit_out)
{
    enum { LOG = RULE_COUNT, STATE, IDENTITY, PREFIX, VERBOSE, HELP, OPTION_COUNT };
    struct option options[OPTION_COUNT + 1] = {
        [LOG] = {"log", required_argument, NULL, LOG},
        [STATE] = {"state", required_argument, NULL, STATE},
        [IDENTITY] = {"identity", required_argument, NULL, IDENTITY},
        [PREFIX] = {"prefix", required_argument, NULL, PREFIX},
        [VERBOSE] = {"verbose", no_argument, NULL, VERBOSE},
        [HELP] = {"help", no_argument, NULL, HELP},
    };
    for (int kind = 0; kind < RULE_COUNT; kind++) {
        options[kind] = (struct option){rule_name((rule_kind)kind), required_argument, NULL, kind};
    }
    int chosen = 0;
    *exit_out = EXIT_USAGE;
    while ((chosen = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (chosen >= 0 && chosen < RULE_COUNT) {
            if (!rules_add(&self->set, (rule_kind)chosen, optarg)) {
                return false;
            }
            continue;
        }
        switch (chosen) {
        case LOG:
            self->log = optarg;
            break;
        case STATE:
            self->state = optarg;
            break;
        case IDENTITY:
            self->identity = optarg;
            break;
        case PREFIX:
            self->prefix = optarg;
            break;
        case VERBOSE:
            self->verbose = true;
            break;
        case HELP:
            usage(stdout, argv[0]);
            *exit_out = EXIT_SUCCESS;
            return false;
        default:
            usage(stderr, argv[0]);
            return false;
        }
    }
    if (self->log == NULL || self->state == NULL || optind < argc) {
        usage(stderr, argv[0]);
        return false;
    }
    return true;
}

static troupe_code parts_register(service *self, service_part *parts, troupe_error *error)
{
    const service_description *description = self->description;
    troupe_code code = TROUPE_OK;
    for (size_t i = 0; code == TROUPE_OK && i < description->step_count; i++) {
        const service_step *step = &description->steps[i];
        parts[i] = (service_part){self, step, NULL};
        code = troupe_on_ask(self->handle, step->ask, on_ask, &parts[i], error);
        if (code == TROUPE_OK && step->undo != NULL) {
            code = troupe_on_ask(self->handle, step->undo, on_undo, &parts[i], error);
        }
    }
    for (size_t i = 0; code == TROUPE_OK && i < description->reaction_count; i++) {
        service_part *part = &parts[description->step_count + i];
        const service_reaction *reaction = &description->reactions[i];
        *part = (service_part){self, NULL, reaction};
        code =
            troupe_on_event(self->handle, reaction->topic, reaction->type, on_event, part, error);
        if (code == TROUPE_OK && reaction->undo != NULL) {
            code = troupe_on_ask(self->handle, reaction->undo, on_undo, part, error);
        }
    }
    return code;
}

static int serve(service *self)
{
    troupe_error error = {0};
    const troupe_options options = {
        .service = self->description->name,
        .type_prefix = self->description->type_prefix,
        .identity = self->identity,
        .prefix = self->prefix,
    };
    const size_t count = self->description->step_count + self->description->reaction_count;
    service_part *parts = calloc(count, sizeof(*parts));
    troupe_code code =
        parts == NULL ? TROUPE_NO_MEMORY : troupe_open(self->log, &options, &self->handle, &error);
    if (code == TROUPE_OK) {
        code = parts_register(self, parts, &error);
    }
    running = self->handle;
    while (code == TROUPE_OK && !stopping) {
        const int32_t wait_ms = settle(self);
        code = troupe_poll(self->handle, wait_ms, NULL, &error);
    }
    running = NULL;
    if (code != TROUPE_OK) {
        (void)fprintf(stderr, "%s: %s\n", self->description->name, error.text);
    }
    troupe_close(self->handle);
    free(parts);
    if (code == TROUPE_OK) {
        return EXIT_SUCCESS;
    }
    return code == TROUPE_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILURE;
}

int service_main(int argc, char **argv, const service_description *description)
{
    service self = {.description = description};
    int code = 0;
    char path[4096];
    if (!options_read(&self, argc, argv, &code)) {
        return code;
    }
    (void)snprintf(path, sizeof(path), "%s/%s.jsonl", self.state, description->name);
    if (!ledger_open(&self.book, path)) {
        ledger_close(&self.book);
        return EXIT_FAILURE;
    }
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    code = serve(&self);
    ledger_close(&self.book);
    return code;
}
