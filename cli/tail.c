/* `troupe tail`: topics as they grow. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/record.h"
#include "cli/session.h"
#include "engine/clock.h"

#define POLL_MS 250
#define LOOK_MS 1000 /* between looks for topics and sagas that are new */
#define RECORD_MAX 500
#define TOPIC_MAX 2000

typedef struct tail_options {
    cli_list topics;
    const char *saga;
    const char *from;
    const char *key;
    const char *event;
    int64_t count;
    int64_t timeout_ms;
    bool no_follow;
    bool json;
} tail_options;

static const cli_option table[] = {
    {"topic", "TOPIC", CLI_LIST, offsetof(tail_options, topics),
     "this topic; several are fine. Default: what the deployed\nsagas read and write, the engine's "
     "own events and the\ndead letters"},
    {"saga", "FILE|NAME", CLI_TEXT, offsetof(tail_options, saga), "only this saga's topics"},
    {"from", "PLACE", CLI_TEXT, offsetof(tail_options, from),
     "end (default), beginning, an offset, a time\n(2025-11-21T09:12:03Z), or how long ago (10m)"},
    {"key", "KEY", CLI_TEXT, offsetof(tail_options, key), "only records with this key"},
    {"event", "EVENT", CLI_TEXT, offsetof(tail_options, event), "only events of this name or type"},
    {"count", "N", CLI_NUMBER, offsetof(tail_options, count), "stop behind so many records"},
    {"timeout", "TIME", CLI_DURATION, offsetof(tail_options, timeout_ms), "stop after so long"},
    {"no-follow", NULL, CLI_FLAG, offsetof(tail_options, no_follow),
     "stop at the end that the topics have now"},
    {"json", NULL, CLI_FLAG, offsetof(tail_options, json),
     "an object a line: topic, partition, offset, time, key,\nkind, event, cloudevent, value, "
     "reason, ..."},
};

typedef struct followed {
    base_slice topic;
    int32_t partition_count; /* 0: it is not there yet */
    int64_t *ends;           /* no_follow: where to stop, by partition */
} followed;

typedef struct tail {
    cli_session *session;
    const tail_options *options;
    engine_catalog catalog;
    const saga_plan *plan; /* of --saga FILE */
    base_arena plans;
    cli_teller teller;
    log_reader *reader;
    followed *topics;
    size_t topic_count;
    int64_t begun_ms; /* steady */
    int64_t looked_ms;
    bool first; /* topics that are found later are read from their beginning */
    int64_t told;
} tail;

/* ---- which topics ---- */

static base_status add_topic(tail *t, base_slice name, base_error *error)
{
    if (name.size == 0) {
        return base_ok();
    }
    for (size_t i = 0; i < t->topic_count; i++) {
        if (base_slice_equal(t->topics[i].topic, name)) {
            return base_ok();
        }
    }
    const base_slice copy = base_arena_copy(&t->session->arena, name);
    if (t->topic_count == TOPIC_MAX || copy.data == NULL) {
        return base_error_set(error, BASE_TOO_LARGE, "more than %d topics", TOPIC_MAX);
    }
    t->topics[t->topic_count++] = (followed){.topic = copy};
    return base_ok();
}

static base_status add_plan(tail *t, const saga_plan *plan, base_error *error)
{
    for (int32_t i = 0; i < plan->event_count; i++) {
        BASE_TRY(add_topic(t, plan->events[i].topic, error));
    }
    for (int32_t i = 0; i < plan->service_count; i++) {
        BASE_TRY(add_topic(t, plan->services[i].asks, error));
        BASE_TRY(add_topic(t, plan->services[i].events, error));
    }
    return base_ok();
}

/* Topics of deployed sagas; those that are not made yet are looked for again. */
static base_status add_deployed(tail *t, base_error *error)
{
    const char *wanted = t->options->saga;
    bool found = wanted == NULL;
    const base_status read = engine_catalog_read(&t->catalog, error);
    if (base_failed(read) && read.code != BASE_NOT_FOUND) {
        return read;
    }
    base_error_clear(error);
    for (size_t i = 0; i < t->catalog.plan_count; i++) {
        const saga_plan *plan = t->catalog.plans[i]->plan;
        if (wanted == NULL || base_slice_is(plan->saga, wanted)) {
            BASE_TRY(add_plan(t, plan, error));
            found = true;
        }
    }
    if (!found) {
        return base_error_set(error, BASE_NOT_FOUND, "no saga \"%s\" is deployed here", wanted);
    }
    return base_ok();
}

static base_status list_topics(tail *t, base_error *error)
{
    const engine_topics *own = &t->session->topics;
    for (size_t i = 0; i < t->options->topics.count; i++) {
        int32_t count = 0;
        const base_slice name = base_slice_of(t->options->topics.items[i]);
        BASE_TRY(log_topic_partitions(t->session->store, name, &count, error));
        BASE_TRY(add_topic(t, name, error));
    }
    if (t->options->topics.count > 0) {
        const base_status read = engine_catalog_read(&t->catalog, NULL);
        return base_failed(read) ? base_ok() : read; /* names only */
    }
    if (t->plan != NULL) {
        BASE_TRY(add_plan(t, t->plan, error));
    } else {
        BASE_TRY(add_deployed(t, error));
    }
    BASE_TRY(add_topic(t, own->events, error));
    return add_topic(t, own->dead_letters, error);
}

/* ---- from where ---- */

/* What --from says; checked before anything is opened. */
static bool from_parse(const char *from, int64_t now_ms, int64_t *offset_out, int64_t *time_out)
{
    base_value number;
    int64_t ago_ms = 0;
    const base_slice text = base_slice_of(from);
    *offset_out = LOG_OFFSET_END;
    *time_out = -1;
    if (from == NULL || strcmp(from, "end") == 0) {
        return true;
    }
    if (strcmp(from, "beginning") == 0) {
        *offset_out = LOG_OFFSET_BEGIN;
        return true;
    }
    if (!base_failed(base_number_parse(text, &number))) {
        *offset_out = number.integer;
        return number.kind == BASE_INTEGER && number.integer >= 0;
    }
    if (!base_failed(saga_duration_parse(text, &ago_ms))) {
        *time_out = now_ms - ago_ms;
        return true;
    }
    return !base_failed(base_time_parse(text, time_out)) && *time_out >= 0;
}

static base_status assign_partition(tail *t, const followed *topic, int32_t partition,
                                    base_error *error)
{
    log_store *store = t->session->store;
    int64_t offset = 0;
    int64_t time_ms = 0;
    int64_t begin = 0;
    int64_t end = 0;
    (void)from_parse(t->options->from, cli_now_ms(), &offset, &time_ms);
    BASE_TRY(log_range(store, topic->topic, partition, &begin, &end, error));
    if (t->first && time_ms >= 0) {
        BASE_TRY(log_offset_at(store, topic->topic, partition, time_ms, &offset, error));
    } else if (t->first && (offset == LOG_OFFSET_END || offset > end)) {
        offset = end;
    } else if (!t->first || offset < begin) { /* found later: all of it is news */
        offset = begin;
    }
    topic->ends[partition] = end;
    return log_reader_assign(t->reader, topic->topic, partition, offset, error);
}

/* Begins to read the topics that are there by now. */
static base_status assign_topics(tail *t, base_error *error)
{
    for (size_t i = 0; i < t->topic_count; i++) {
        followed *topic = &t->topics[i];
        int32_t count = 0;
        if (topic->partition_count > 0) {
            continue;
        }
        const base_status found =
            log_topic_partitions(t->session->store, topic->topic, &count, NULL);
        if (found.code == BASE_NOT_FOUND) {
            continue;
        }
        BASE_TRY(found);
        topic->ends = BASE_ARENA_ARRAY(&t->session->arena, int64_t, (size_t)count);
        if (topic->ends == NULL) {
            return base_error_set(error, BASE_OUT_OF_MEMORY, "too many partitions");
        }
        for (int32_t k = 0; k < count; k++) {
            BASE_TRY(assign_partition(t, topic, k, error));
        }
        topic->partition_count = count;
    }
    return base_ok();
}

/* Is everything read up to the ends that there were at the start? */
static bool at_ends(const tail *t)
{
    for (size_t i = 0; i < t->topic_count; i++) {
        const followed *topic = &t->topics[i];
        for (int32_t k = 0; k < topic->partition_count; k++) {
            int64_t position = 0;
            if (base_failed(log_reader_position(t->reader, topic->topic, k, &position)) ||
                position < topic->ends[k]) {
                return false;
            }
        }
    }
    return true;
}

/* ---- reading ---- */

static int by_time(const void *a, const void *b)
{
    const schema_record *one = *(const schema_record *const *)a;
    const schema_record *two = *(const schema_record *const *)b;
    if (one->time_ms != two->time_ms) {
        return one->time_ms < two->time_ms ? -1 : 1;
    }
    const int order = base_slice_compare(one->topic, two->topic);
    if (order != 0 || one->partition != two->partition) {
        return order != 0 ? order : one->partition - two->partition;
    }
    return one->offset < two->offset ? -1 : one->offset > two->offset;
}

static bool is_wanted(tail *t, const schema_record *record)
{
    const tail_options *o = t->options;
    base_arena *arena = &t->session->scratch;
    if (o->key != NULL && !base_slice_is(record->key, o->key)) {
        return false;
    }
    if (o->event == NULL) {
        return true;
    }
    base_arena_reset(arena);
    const base_slice name = cli_record_event(&t->teller, record, arena);
    return base_slice_is(name, o->event) || (base_slice_ends_with(base_slice_of(o->event), name) &&
                                             name.size > 0 && strlen(o->event) > name.size);
}

/* false: enough. Records of one poll are told by their times: topics have no order among them. */
static bool tell(tail *t, const schema_record *records, size_t count)
{
    const schema_record *order[RECORD_MAX];
    for (size_t i = 0; i < count; i++) {
        order[i] = &records[i];
    }
    qsort((void *)order, count, sizeof(order[0]), by_time);
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(t, order[i])) {
            continue;
        }
        base_arena_reset(&t->session->scratch);
        cli_record_write(&t->teller, order[i], &t->session->scratch);
        t->told++;
        if (cli_broken() || (t->options->count > 0 && t->told >= t->options->count)) {
            return false;
        }
    }
    (void)fflush(stdout);
    return true;
}

static base_status look_again(tail *t, int64_t now_ms, base_error *error)
{
    if (now_ms - t->looked_ms < LOOK_MS || t->options->no_follow) {
        return base_ok();
    }
    t->looked_ms = now_ms;
    if (t->options->topics.count == 0 && t->plan == NULL) {
        BASE_TRY(add_deployed(t, error));
    }
    return assign_topics(t, error);
}

/* Failures that pass are told, and reading goes on. */
static bool passes(base_status status)
{
    return status.code == BASE_UNREACHABLE || status.code == BASE_POSITION_LOST ||
           status.code == BASE_NOT_FOUND || status.code == BASE_BUSY;
}

static base_status follow(tail *t, base_error *error)
{
    const engine_clock clock = engine_clock_real();
    t->begun_ms = engine_steady_ms(&clock);
    t->looked_ms = t->begun_ms;
    for (;;) {
        const schema_record *records = NULL;
        size_t count = 0;
        const int64_t passed_ms = engine_steady_ms(&clock) - t->begun_ms;
        const int64_t limit_ms = t->options->timeout_ms;
        const int64_t left_ms = limit_ms > 0 ? limit_ms - passed_ms : POLL_MS;
        if (left_ms <= 0 || cli_broken()) {
            return base_ok();
        }
        base_error reason;
        base_error_clear(&reason);
        const base_status status =
            log_reader_poll(t->reader, (int32_t)(left_ms < POLL_MS ? left_ms : POLL_MS), RECORD_MAX,
                            &records, &count, &reason);
        if (base_failed(status) && !passes(status)) {
            *error = reason;
            return status;
        }
        if (base_failed(status)) {
            cli_error(&reason);
        } else if (!tell(t, records, count)) {
            return base_ok();
        }
        if (t->options->no_follow && at_ends(t)) {
            return base_ok();
        }
        BASE_TRY(look_again(t, engine_steady_ms(&clock), error));
    }
}

/* ---- the whole ---- */

static base_status perform(tail *t, base_error *error)
{
    BASE_TRY(list_topics(t, error));
    BASE_TRY(log_reader_open(t->session->store, &t->reader, error));
    t->first = true;
    BASE_TRY(assign_topics(t, error));
    t->first = false;
    return follow(t, error);
}

static cli_exit run_tail(cli_session *session, const tail_options *o)
{
    base_error error;
    tail t = {.session = session, .options = o};
    base_arena_init(&t.plans, BASE_ARENA_SIZE_DEFAULT_MAX);
    t.topics = (followed *)calloc(TOPIC_MAX, sizeof(followed));
    engine_catalog_init(&t.catalog, session->store, &session->topics, &session->logger);
    cli_exit result = t.topics == NULL ? CLI_FAILED : CLI_OK;
    if (o->saga != NULL && (access(o->saga, F_OK) == 0 || strpbrk(o->saga, "/.") != NULL)) {
        result = cli_load(o->saga, false, &t.plans, &t.plan);
    }
    if (result == CLI_OK) {
        t.teller = (cli_teller){.topics = &session->topics,
                                .catalog = &t.catalog,
                                .plan = t.plan,
                                .paint = cli_paint_of_stdout(),
                                .json = o->json};
        base_error_clear(&error);
        const base_status status = perform(&t, &error);
        result = base_failed(status) ? cli_failure(status, &error) : CLI_OK;
    }
    if (result == CLI_OK && o->count > 0 && t.told < o->count && !cli_broken()) {
        (void)fprintf(stderr, "troupe: only %lld of %lld records\n", (long long)t.told,
                      (long long)o->count);
        result = CLI_NO;
    }
    log_reader_close(t.reader);
    engine_catalog_deinit(&t.catalog);
    free(t.topics);
    base_arena_deinit(&t.plans);
    return result;
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    tail_options o = {0};
    cli_session session = {0};
    cli_line line;
    int64_t offset = 0;
    int64_t time_ms = 0;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    if (line.word_count > 0) {
        return cli_usage("tail", "what is \"%s\"? (--topic %s follows a topic)", line.words[0],
                         line.words[0]);
    }
    if (!from_parse(o.from, cli_now_ms(), &offset, &time_ms)) {
        return cli_usage("tail",
                         "--from: \"%s\" is neither beginning, end, an offset, a time nor a "
                         "duration",
                         o.from);
    }
    result = cli_session_open(&session, &line, true);
    if (result == CLI_OK) {
        result = run_tail(&session, &o);
    }
    cli_session_close(&session);
    return cli_end(result);
}

const cli_command cli_tail = {
    .name = "tail",
    .summary = "follow topics: events, asks, the engine's own",
    .arguments = "",
    .text = "Writes records as they come: events, asks and undos by the saga's names, the engine's "
            "own events, dead letters;\nand, when they are named with --topic, the journal and "
            "Troupe's other topics. Reads only what is committed.\n"
            "Exit code 1 when --timeout, or --no-follow, came before --count was reached, or a "
            "topic is not there.",
    .examples = "  troupe tail --from beginning --no-follow --key o1\n"
                "  troupe tail --topic troupe.dead-letters --from 1h --json | jq -r .reason\n"
                "  troupe tail --event order.fulfilled --count 1 --timeout 30s\n",
    .options = table,
    .option_count = sizeof(table) / sizeof(table[0]),
    .keys = CLI_KEYS_LOG,
    .run = run,
};
