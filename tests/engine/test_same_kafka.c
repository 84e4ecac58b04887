/*
 * The demo's saga on the embedded log and on a real broker gives the same entries, step by step:
 * inputs, changes with their values, effects with their ids. Services answer one at a time; times
 * and positions are left out.
 */
#include <unistd.h>

#include "engine/view.h"
#include "tests/engine/broker.h"
#include "tests/engine/world.h"

#define WAIT_MS 60000
#define STORY_SIZE_MAX ((size_t)1024 * 1024)

typedef struct stage {
    world w;
    char *story;
    size_t story_size;
} stage;

static const world_rule rules[] = {
    {"com.acme.fraud.check", NULL, "com.acme.fraud.cleared", "fraud.events", 0},
    {"com.acme.payment.authorise", "declined", "com.acme.payment.declined", "payments.events", 0},
    {"com.acme.payment.authorise", "late", NULL, NULL, 0},
    {"com.acme.payment.authorise", NULL, "com.acme.payment.authorised", "payments.events", 0},
    {"com.acme.payment.capture", NULL, "com.acme.payment.captured", "payments.events", 0},
    {"com.acme.payment.void", NULL, "com.acme.payment.voided", "payments.events", 0},
    {"com.acme.stock.reserve", NULL, "com.acme.stock.reserved", "stock.events", 0},
    {"com.acme.stock.release", NULL, "com.acme.stock.released", "stock.events", 0},
    {"com.acme.shipment.book", NULL, "com.acme.shipment.booked", "carriers.events", 0},
};
static const char *const ask_topics[] = {"fraud.asks", "payments.asks", "stock.asks",
                                         "carriers.asks"};

static int64_t real_now_ms(void)
{
    const engine_clock clock = engine_clock_real();
    return engine_now_ms(&clock);
}

/* Steps until nothing moves for a while: what was put on the log has been handled. */
static void play_calm(stage *s)
{
    for (int i = 0, calm = 0; i < 400 && calm < 8; i++) {
        s->w.now_ms = real_now_ms();
        FINE(engine_worker_step(s->w.workers[0], 20, error));
        calm = !world_serve(&s->w) && engine_worker_idle(s->w.workers[0]) ? calm + 1 : 0;
    }
}

static const world_rule *rule_of(const world_ask *ask)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (strcmp(rules[i].ask, ask->type) == 0 &&
            (rules[i].key == NULL || strcmp(rules[i].key, ask->key) == 0)) {
            return &rules[i];
        }
    }
    return NULL;
}

/* Answers one ask: of those that wait the one of the first step by name, whichever topic was read
 * first. */
static bool answer_one(stage *s)
{
    world_ask *first = NULL;
    for (size_t i = 0; i < s->w.ask_count; i++) {
        world_ask *ask = &s->w.asks[i];
        const world_rule *rule = ask->answered ? NULL : rule_of(ask);
        if (rule != NULL && rule->answer != NULL &&
            (first == NULL || strcmp(ask->step, first->step) < 0)) {
            first = ask;
        }
    }
    if (first == NULL) {
        return false;
    }
    first->answered = true;
    world_answer(&s->w, first, rule_of(first)->answer, rule_of(first)->topic, "{\"ok\":true}");
    return true;
}

/* Lets it run until the instance is in the phase; one ask is answered at a time. */
static void play_until(stage *s, const char *key, const char *phase)
{
    const int64_t end_ms = real_now_ms() + WAIT_MS;
    do {
        play_calm(s);
    } while (answer_one(s) || (strcmp(world_phase(&s->w, "order-fulfilment", key), phase) != 0 &&
                               real_now_ms() < end_ms));
    assert_string_equal(world_phase(&s->w, "order-fulfilment", key), phase);
}

static void say(stage *s, base_slice text)
{
    assert_true(s->story_size + text.size < STORY_SIZE_MAX);
    memcpy(s->story + s->story_size, text.data, text.size);
    s->story_size += text.size;
}

static bool value_is_told(saga_change_kind kind)
{
    return kind == SAGA_CHANGE_DATA || kind == SAGA_CHANGE_OUT || kind == SAGA_CHANGE_ASK_DATA ||
           kind == SAGA_CHANGE_UNDO_DATA || kind == SAGA_CHANGE_CAUSE;
}

static base_status tell(void *context, const engine_moment *moment, base_error *error)
{
    (void)error;
    stage *s = (stage *)context;
    base_arena *arena = &s->w.arena;
    const saga_entry *entry = moment->entry;
    const base_slice type =
        entry->input.event == NULL ? base_slice_of("") : entry->input.event->type;
    say(s, base_arena_print(arena, "%.*s %llu kind %d %.*s\n", BASE_SLICE_ARG(entry->key),
                            (unsigned long long)entry->seq, (int)entry->input.kind,
                            BASE_SLICE_ARG(type)));
    for (int32_t i = 0; i < entry->change_count; i++) {
        const saga_change *change = &entry->changes[i];
        base_slice value = base_slice_of("");
        if (value_is_told(change->kind) && change->value != NULL) {
            assert_false(base_failed(base_value_json(change->value, true, arena, &value)));
        }
        say(s, base_arena_print(arena, "  %s step %d number %lld %.*s %.*s\n",
                                saga_change_kind_name(change->kind), (int)change->step,
                                (long long)change->number, BASE_SLICE_ARG(change->text),
                                BASE_SLICE_ARG(value)));
    }
    for (int32_t i = 0; i < entry->effect_count; i++) {
        const saga_effect *effect = &entry->effects[i];
        base_slice value = base_slice_of("");
        if (effect->data != NULL) {
            assert_false(base_failed(base_value_json(effect->data, true, arena, &value)));
        }
        say(s, base_arena_print(arena, "  -> %s step %d %s %.*s %.*s\n",
                                saga_effect_kind_name(effect->kind), (int)effect->step, effect->id,
                                BASE_SLICE_ARG(effect->name), BASE_SLICE_ARG(value)));
    }
    return base_ok();
}

static void place(stage *s, const char *key)
{
    char json[512];
    (void)snprintf(json, sizeof(json),
                   "{\"orderId\":\"%s\",\"total\":129.90,\"customer\":{\"id\":\"c1\"},\"card\":{"
                   "\"token\":\"t\"},"
                   "\"lines\":[{\"sku\":\"a\",\"qty\":2}],\"ship_to\":{\"country\":\"DE\"}}",
                   key);
    world_emit(&s->w, "orders.events", "com.acme.order.placed", key, json);
}

static char *read_text(const char *path)
{
    char *text = (char *)calloc(1, 65536);
    FILE *file = fopen(path, "rb");
    assert_non_null(text);
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    (void)fclose(file);
    return text;
}

static void perform_demo(stage *s, const char *url)
{
    static const char *const keys[] = {"fulfilled", "declined", "late"};
    world *w = &s->w;
    memset(s, 0, sizeof(*s));
    s->story = (char *)calloc(1, STORY_SIZE_MAX);
    world_open_log(w, url, "3");
    w->logger.clock = engine_clock_real();
    char *text = read_text(TEST_ROOT_DIR "/examples/order-fulfilment/order-fulfilment.saga.yaml");
    world_deploy(w, text);
    for (size_t i = 0; i < 4; i++) {
        world_topic(w, ask_topics[i], 3);
    }
    world_services(w, NULL, 0, ask_topics, 4);
    world_worker_open(w, 0);
    play_calm(s);
    place(s, "fulfilled");
    play_until(s, "fulfilled",
               "running"); /* shipped; the carrier and the mailer report by themselves */
    world_emit(w, "carriers.events", "com.acme.shipment.delivered", "fulfilled",
               "{\"orderId\":\"fulfilled\"}");
    play_calm(s);
    world_emit(w, "mailer.events", "com.acme.receipt.sent", "fulfilled",
               "{\"orderId\":\"fulfilled\"}");
    play_until(s, "fulfilled", "completed");
    place(s, "declined");
    play_until(s, "declined", "compensated");
    place(s, "late");
    play_until(s, "late", "compensated");
    world_answer(w, world_ask_last(w, "com.acme.payment.authorise", "late"),
                 "com.acme.payment.authorised", "payments.events", "{\"authId\":\"a1\"}");
    play_calm(s);
    play_until(s, "late", "compensated");
    world_check_rebuild(w);
    engine_view view;
    FINE(engine_view_open(&view, w->store, w->config.prefix, &w->logger, error));
    for (size_t i = 0; i < 3; i++) {
        FINE(engine_view_history(&view, base_slice_of("order-fulfilment"), base_slice_of(keys[i]),
                                 tell, s, error));
    }
    engine_view_close(&view);
    free(text);
    world_close(w);
}

static void test_same_kafka__the_demo_gives_the_same_entries_on_both_logs(void **state)
{
    (void)state;
    static stage local;
    static stage kafka;
    own_broker broker;
    char directory[] = "/tmp/troupe-same-XXXXXX";
    char url[128];
    assert_non_null(mkdtemp(directory));
    (void)snprintf(url, sizeof(url), "local:%s/log", directory);
    perform_demo(&local, url);
    broker_start(&broker);
    (void)snprintf(url, sizeof(url), "kafka://%s", broker.bootstrap);
    perform_demo(&kafka, url);
    broker_end(&broker);
    (void)snprintf(url, sizeof(url), "rm -rf '%s'", directory);
    shell(url);
    if (getenv("TROUPE_TEST_LOG") != NULL) {
        (void)fprintf(stderr, "LOCAL\n%s\nKAFKA\n%s\nEND\n", local.story, kafka.story);
    }
    assert_true(local.story_size > 4000);
    assert_string_equal(local.story, kafka.story);
    free(local.story);
    free(kafka.story);
}

int main(void)
{
    if (getenv("KAFKA_BOOTSTRAP") == NULL) {
        (void)fprintf(stderr, "skipped: KAFKA_BOOTSTRAP is not set (scripts/with-kafka sets it)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_kafka__the_demo_gives_the_same_entries_on_both_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
