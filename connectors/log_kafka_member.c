/*
 * Membership of a consumer group: a consumer that joins, is assigned partitions, and reads none.
 *
 *   poll: NOTHING ... ASSIGNED(p1 p2) ... REVOKED(p1 p2) -- release --> (joins) ... ASSIGNED(p1)
 *                          |                  |
 *                          |                  +--> LOST(p1 p2) -- release
 *                          +--> LOST(p1 p2) -- release
 *
 * Reading is another handle's work (log_kafka_reader.c), since the engine reads partitions of
 * topics that the group does not divide, and from positions that are not the group's. Here every
 * assigned partition is given the end as position and paused at once; what comes all the same is
 * dropped.
 *
 * Assignment is eager and by range, the one way that librdkafka 2.0.2 does without fault and that
 * keeps equal partition counts together. The rebalance callback takes an assignment up at once,
 * and leaves a revocation open until log_member_release: the group waits for us that long, at
 * most the poll interval.
 *
 * What fences a commit of positions is the group metadata (KIP-447). It is taken when partitions
 * are assigned and kept: librdkafka forgets member id and generation the moment it is expelled,
 * and a commit with forgotten ones would be taken from anybody.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "connectors/log_kafka.h"

#define SESSION_TIMEOUT_MS_DEFAULT 10000
#define CLOSE_LEAVE_MS 3000
#define LOST_LOOK_MS 50 /* how often an open revocation is looked at for its loss */

typedef struct log_kafka_member {
    log_member member;
    log_kafka_client client;
    char *group;
    bool identified;                               /* a static member */
    rd_kafka_topic_partition_list_t *subscription; /* what the group divides */
    rd_kafka_topic_partition_list_t *owned;
    rd_kafka_consumer_group_metadata_t
        *metadata; /* of the generation in which `owned` was assigned; NULL: lost */
    rd_kafka_consumer_group_metadata_t
        *visitor;                  /* the same while nothing is owned, of the last commit */
    log_member_event_kind pending; /* what the callback left for poll to tell */
    bool open;                     /* REVOKED or LOST was told, release is awaited */
    bool lost;                     /* what is open is lost */
    bool overslept;       /* not polled for longer than poll_interval_ms since the assignment */
    int64_t polled_at_ms; /* when the last poll ended */
    int64_t poll_interval_ms;
    bool closing;
    log_partition *partitions; /* of the last event; the names are owned's or told's */
    rd_kafka_topic_partition_list_t *told;
} log_kafka_member;

static log_kafka_member *kafka_member(log_member *member)
{
    return (log_kafka_member *)(void *)member;
}

static const log_kafka_member *kafka_member_const(const log_member *member)
{
    return (const log_kafka_member *)(const void *)member;
}

/* ---- rebalancing ---- */

static void metadata_drop(log_kafka_member *member)
{
    if (member->metadata != NULL) {
        rd_kafka_consumer_group_metadata_destroy(member->metadata);
        member->metadata = NULL;
    }
}

static void visitor_drop(log_kafka_member *member)
{
    if (member->visitor != NULL) {
        rd_kafka_consumer_group_metadata_destroy(member->visitor);
        member->visitor = NULL;
    }
}

/* Names and numbers only: librdkafka's own copy would hold on to its partitions, for which closing
 * waits. */
static rd_kafka_topic_partition_list_t *
partitions_copy(const rd_kafka_topic_partition_list_t *partitions)
{
    const int count = partitions != NULL ? partitions->cnt : 0;
    rd_kafka_topic_partition_list_t *copy = rd_kafka_topic_partition_list_new(count);
    for (int i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(copy, partitions->elems[i].topic,
                                          partitions->elems[i].partition);
    }
    rd_kafka_topic_partition_list_sort(copy, NULL, NULL);
    return copy;
}

static void owned_set(log_kafka_member *member, const rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_topic_partition_list_destroy(member->owned);
    member->owned = partitions_copy(partitions);
}

/* Whether what is owned is gone already. librdkafka says so, but not where a revocation was waiting
 * to be told while we said nothing for so long that it left the group. */
static bool lost(const log_kafka_member *member)
{
    return member->overslept || rd_kafka_assignment_lost(member->client.rk) != 0;
}

static void assign(log_kafka_member *member, rd_kafka_t *rk,
                   rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++) {
        partitions->elems[i].offset = RD_KAFKA_OFFSET_END;
    }
    if (rd_kafka_assign(rk, partitions) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return; /* the group has gone on meanwhile; a loss follows */
    }
    (void)rd_kafka_pause_partitions(rk, partitions);
    metadata_drop(member);
    member->metadata = rd_kafka_consumer_group_metadata(rk);
    member->overslept = false;
    if (lost(member)) {
        metadata_drop(member);
    }
    owned_set(member, partitions);
    member->pending = partitions->cnt > 0 ? LOG_MEMBER_ASSIGNED : LOG_MEMBER_NOTHING;
}

static void unassign(log_kafka_member *member)
{
    (void)rd_kafka_assign(member->client.rk, NULL);
    metadata_drop(member);
    owned_set(member, NULL);
    member->open = false;
    member->lost = false;
}

/* Runs inside rd_kafka_consumer_poll, in the caller's thread. */
static void rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                      rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    log_kafka_client *client = opaque;
    log_kafka_member *member =
        (log_kafka_member *)(void *)((char *)client - offsetof(log_kafka_member, client));
    if (member->closing) {
        unassign(member);
    } else if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        assign(member, rk, partitions);
    } else if (member->owned->cnt == 0 || member->pending == LOG_MEMBER_ASSIGNED) {
        unassign(member); /* nobody has been told of it */
        member->pending = LOG_MEMBER_NOTHING;
    } else {
        member->pending = lost(member) ? LOG_MEMBER_LOST : LOG_MEMBER_REVOKED;
    }
    rd_kafka_yield(rk); /* one change a poll; last, since librdkafka's calls above take it back */
}

/* ---- opening and closing ---- */

static void member_free(log_kafka_member *member)
{
    if (member->client.rk != NULL) {
        rd_kafka_destroy(member->client.rk);
    }
    metadata_drop(member);
    visitor_drop(member);
    if (member->subscription != NULL) {
        rd_kafka_topic_partition_list_destroy(member->subscription);
    }
    if (member->owned != NULL) {
        rd_kafka_topic_partition_list_destroy(member->owned);
    }
    if (member->told != NULL) {
        rd_kafka_topic_partition_list_destroy(member->told);
    }
    free(member->partitions);
    free(member->group);
    free(member);
}

static base_status subscribe(log_kafka_member *member, log_kafka_store *store,
                             const log_member_options *options, base_error *error)
{
    for (size_t i = 0; i < options->topic_count; i++) {
        log_kafka_topic_facts facts;
        BASE_TRY(log_kafka_topic_get(store, options->topics[i], true, &facts, error));
        rd_kafka_topic_partition_list_add(member->subscription, facts.topic->name,
                                          RD_KAFKA_PARTITION_UA);
    }
    (void)rd_kafka_poll_set_consumer(member->client.rk);
    const rd_kafka_resp_err_t err = rd_kafka_subscribe(member->client.rk, member->subscription);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return log_kafka_fail(&member->client, err, error, "joining group \"%s\"", member->group);
    }
    return base_ok();
}

static base_status member_start(log_kafka_member *member, log_kafka_store *store,
                                const log_member_options *options, base_error *error)
{
    rd_kafka_conf_t *conf = NULL;
    BASE_TRY(log_kafka_conf_new(&member->client, RD_KAFKA_CONSUMER, &conf, error));
    const int32_t session_ms =
        options->session_timeout_ms > 0 ? options->session_timeout_ms : SESSION_TIMEOUT_MS_DEFAULT;
    log_kafka_conf_fix(conf, "group.id", member->group);
    log_kafka_conf_fix(conf, "partition.assignment.strategy", "range");
    log_kafka_conf_fix_number(conf, "session.timeout.ms", session_ms);
    log_kafka_conf_fix_number(conf, "heartbeat.interval.ms", session_ms >= 4 ? session_ms / 4 : 1);
    /* Who does not poll is as good as dead: two missed sessions, since a commit may take as long as
     * one. */
    log_kafka_conf_default_number(store, conf, "max.poll.interval.ms", (int64_t)session_ms * 2);
    char *identity = log_kafka_text(options->identity);
    if (identity == NULL) {
        rd_kafka_conf_destroy(conf);
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a member of a group");
    }
    if (identity[0] != '\0') {
        log_kafka_conf_fix(conf, "group.instance.id", identity);
    }
    free(identity);
    rd_kafka_conf_set_rebalance_cb(conf, rebalance);
    BASE_TRY(log_kafka_client_open(&member->client, RD_KAFKA_CONSUMER, conf, error));
    char interval[24] = "";
    size_t interval_size = sizeof(interval);
    (void)rd_kafka_conf_get(rd_kafka_conf(member->client.rk), "max.poll.interval.ms", interval,
                            &interval_size);
    member->poll_interval_ms = strtoll(interval, NULL, 10);
    member->polled_at_ms = log_kafka_now_ms();
    return subscribe(member, store, options, error);
}

base_status log_kafka_member_open(log_store *base, const log_member_options *options,
                                  log_member **member_out, base_error *error)
{
    log_kafka_store *store = (log_kafka_store *)(void *)base;
    log_kafka_member *member = calloc(1, sizeof(*member));
    if (member == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a member of a group");
    }
    member->client.store = store;
    member->identified = options->identity.size > 0;
    member->group = log_kafka_text(options->group);
    member->subscription = rd_kafka_topic_partition_list_new((int)options->topic_count);
    member->owned = rd_kafka_topic_partition_list_new(0);
    if (member->group == NULL) {
        member_free(member);
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for a member of a group");
    }
    const base_status status = member_start(member, store, options, error);
    if (base_failed(status)) {
        member->closing = true;
        member_free(member);
        return status;
    }
    *member_out = &member->member;
    return base_ok();
}

/* A static member leaves only when it unsubscribes before it closes; librdkafka clears the member
 * id when it has sent that it leaves. */
static void leave_group(log_kafka_member *member)
{
    const int64_t deadline_ms = log_kafka_now_ms() + CLOSE_LEAVE_MS;
    rd_kafka_t *rk = member->client.rk;
    (void)rd_kafka_unsubscribe(rk);
    for (;;) {
        char *id = rd_kafka_memberid(rk);
        const bool gone = id == NULL || id[0] == '\0';
        if (id != NULL) {
            rd_kafka_mem_free(rk, id);
        }
        if (gone || log_kafka_left_ms(deadline_ms) == 0) {
            return;
        }
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 10);
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
}

void log_kafka_member_close(log_member *base, bool leave)
{
    log_kafka_member *member = kafka_member(base);
    member->closing = true;
    if (member->pending == LOG_MEMBER_REVOKED || member->pending == LOG_MEMBER_LOST ||
        member->open) {
        unassign(member);
    }
    if (leave && member->identified) {
        leave_group(member);
    }
    (void)rd_kafka_consumer_close(member->client.rk);
    member_free(member);
}

/* ---- polling ---- */

/* Tells of a change; the partitions' names stay until the next one is told. */
static base_status event_tell(log_kafka_member *member, log_member_event_kind kind,
                              log_member_event *event_out, base_error *error)
{
    const size_t count = (size_t)member->owned->cnt;
    log_partition *partitions = calloc(count + 1, sizeof(*partitions));
    if (partitions == NULL) {
        return base_error_set(error, BASE_OUT_OF_MEMORY, "no memory for %zu partitions", count);
    }
    if (member->told != NULL) {
        rd_kafka_topic_partition_list_destroy(member->told);
    }
    member->told = partitions_copy(member->owned);
    for (size_t i = 0; i < count; i++) {
        partitions[i].topic = base_slice_of(member->told->elems[i].topic);
        partitions[i].partition = member->told->elems[i].partition;
    }
    free(member->partitions);
    member->partitions = partitions;
    member->pending = LOG_MEMBER_NOTHING;
    if (kind == LOG_MEMBER_REVOKED || kind == LOG_MEMBER_LOST) {
        member->open = true;
        member->lost = kind == LOG_MEMBER_LOST;
    }
    *event_out = (log_member_event){kind, partitions, count};
    return base_ok();
}

/* Whatever ends the membership for good. */
static base_status fatal_check(log_kafka_member *member, base_error *error)
{
    char text[256] = "";
    const rd_kafka_resp_err_t err = rd_kafka_fatal_error(member->client.rk, text, sizeof(text));
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return base_ok();
    }
    if (err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        metadata_drop(member);
        return base_error_set(error, BASE_FENCED,
                              "another process joined group \"%s\" with our identity",
                              member->group);
    }
    return base_error_set(error, BASE_FATAL, "group \"%s\": %s", member->group, text);
}

/* What consumer_poll hands out: nothing but errors, since nothing is fetched. */
static base_status message_check(log_kafka_member *member, rd_kafka_message_t *message,
                                 base_error *error)
{
    const rd_kafka_resp_err_t err = message->err;
    base_status status = base_ok();
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
        status = base_error_set(
            error, log_kafka_code(err) == BASE_FATAL ? BASE_REFUSED : log_kafka_code(err),
            "group \"%s\": %s", member->group, rd_kafka_message_errstr(message));
        break;
    default:
        break; /* what ends the membership is a fatal error, what passes is told by error_cb */
    }
    rd_kafka_message_destroy(message);
    return status;
}

static base_status member_poll(log_kafka_member *member, int32_t timeout_ms,
                               log_member_event *event_out, base_error *error)
{
    const int64_t deadline_ms = log_kafka_now_ms() + timeout_ms;
    do {
        int wait_ms = log_kafka_left_ms(deadline_ms);
        if (member->open && wait_ms > LOST_LOOK_MS) {
            wait_ms = LOST_LOOK_MS;
        }
        if (member->pending == LOG_MEMBER_NOTHING) {
            rd_kafka_message_t *message = rd_kafka_consumer_poll(member->client.rk, wait_ms);
            if (message != NULL) {
                BASE_TRY(message_check(member, message, error));
            }
        }
        BASE_TRY(fatal_check(member, error));
        if (member->pending != LOG_MEMBER_NOTHING) {
            return event_tell(member, member->pending, event_out, error);
        }
        if (member->open && !member->lost && lost(member)) {
            return event_tell(member, LOG_MEMBER_LOST, event_out, error);
        }
    } while (log_kafka_left_ms(deadline_ms) > 0);
    *event_out = (log_member_event){LOG_MEMBER_NOTHING, NULL, 0};
    return base_ok();
}

base_status log_kafka_member_poll(log_member *base, int32_t timeout_ms, log_member_event *event_out,
                                  base_error *error)
{
    log_kafka_member *member = kafka_member(base);
    if (log_kafka_now_ms() - member->polled_at_ms >= member->poll_interval_ms) {
        member->overslept = member->owned->cnt > 0;
    }
    const base_status status = member_poll(member, timeout_ms, event_out, error);
    member->polled_at_ms = log_kafka_now_ms();
    return status;
}

base_status log_kafka_member_release(log_member *base, base_error *error)
{
    log_kafka_member *member = kafka_member(base);
    (void)error;
    if (member->open) {
        unassign(member);
    }
    return base_ok();
}

/* ---- positions ---- */

base_status log_kafka_member_position(log_member *base, base_slice topic, int32_t partition,
                                      int64_t *offset_out, base_error *error)
{
    log_kafka_member *member = kafka_member(base);
    log_kafka_topic_facts facts;
    BASE_TRY(log_kafka_topic_get(member->client.store, topic, false, &facts, error));
    const int64_t deadline_ms = log_kafka_now_ms() + LOG_KAFKA_CALL_MS;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *asked =
        rd_kafka_topic_partition_list_add(list, facts.topic->name, partition);
    rd_kafka_resp_err_t err;
    do {
        err = rd_kafka_committed(member->client.rk, list, log_kafka_left_ms(deadline_ms));
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            err = asked->err;
        }
    } while (log_kafka_code(err) == BASE_UNREACHABLE && log_kafka_left_ms(deadline_ms) > 0 &&
             log_kafka_pause(20));
    const int64_t offset = asked->offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return log_kafka_fail(&member->client, err, error, "positions of group \"%s\"",
                              member->group);
    }
    if (offset < 0) {
        return base_error_set(error, BASE_NOT_FOUND,
                              "group \"%s\" has no position in topic \"%s\", partition %d",
                              member->group, facts.topic->name, (int)partition);
    }
    *offset_out = offset;
    return base_ok();
}

base_status log_kafka_member_owns(const log_member *base, const log_position *position,
                                  base_error *error)
{
    const log_kafka_member *member = kafka_member_const(base);
    bool divided = false;
    for (int i = 0; i < member->subscription->cnt && !divided; i++) {
        divided = base_slice_is(position->topic, member->subscription->elems[i].topic);
    }
    if (!divided) {
        return base_ok();
    }
    for (int i = 0; i < member->owned->cnt && !member->lost; i++) {
        const rd_kafka_topic_partition_t *owned = &member->owned->elems[i];
        if (owned->partition == position->partition &&
            base_slice_is(position->topic, owned->topic)) {
            return base_ok();
        }
    }
    return base_error_set(error, BASE_REVOKED,
                          "partition %d of topic \"%.*s\" is not ours in group \"%s\"",
                          (int)position->partition, BASE_SLICE_ARG(position->topic), member->group);
}

const rd_kafka_consumer_group_metadata_t *log_kafka_member_metadata(log_member *base)
{
    log_kafka_member *member = kafka_member(base);
    if (member->metadata != NULL) {
        return lost(member) ? NULL : member->metadata;
    }
    if (member->owned->cnt > 0) {
        return NULL;
    }
    /* Nothing is owned: positions of topics that the group does not divide, by whoever joins it. */
    visitor_drop(member);
    member->visitor = rd_kafka_consumer_group_metadata(member->client.rk);
    return member->visitor;
}
