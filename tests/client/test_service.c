/* Handlers: what they are given, what becomes of what they answer. On every log that is at hand. */
#include <pthread.h>
#include <time.h>

#include "tests/client/world.h"

static world_kind kind;

static int setup(void **state)
{
    world *w = malloc(sizeof(*w));
    world_open(w, kind);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* What a handler is to do, and what it saw. */
typedef struct script {
    int32_t calls;
    int32_t fail_times;
    troupe_verdict verdict;
    int32_t answers;
    const char *type;
    char token[1024];
    char seen[512]; /* one line a call: name key saga_key undoes try attempt */
    int32_t nap_ms;
    troupe_code answer_code;
} script;

static troupe_verdict play(troupe_context *context, const troupe_event *event, void *user)
{
    script *s = user;
    char line[256];
    s->calls++;
    (void)snprintf(
        line, sizeof(line), "%s %s %s %s %d %d\n", event->name,
        event->key != NULL ? event->key : "-", event->saga_key != NULL ? event->saga_key : "-",
        event->undoes != NULL ? event->undoes : "-", (int)event->saga_try, (int)event->attempt);
    (void)strncat(s->seen, line, sizeof(s->seen) - strlen(s->seen) - 1);
    const char *token = troupe_token(context);
    (void)snprintf(s->token, sizeof(s->token), "%s", token);
    for (int32_t i = 0; i < s->answers; i++) {
        s->answer_code = troupe_answer(context, s->type, "{\"ok\":true,\"n\":1.50}", NULL);
    }
    if (s->nap_ms > 0) {
        const struct timespec nap = {s->nap_ms / 1000, (s->nap_ms % 1000) * 1000000L};
        (void)nanosleep(&nap, NULL);
    }
    if (s->fail_times > 0) {
        s->fail_times--;
        return TROUPE_RETRY;
    }
    return s->verdict;
}

static troupe *client_with(world *w, const troupe_options *options, script *s)
{
    troupe *handle = world_client(w, options);
    assert_int_equal(troupe_on_ask(handle, NULL, play, s, NULL), TROUPE_OK);
    return handle;
}

static void test_service__an_answer_carries_the_correlation_of_its_ask(void **state)
{
    world *w = *state;
    script s = {.answers = 1, .type = "payment.authorised"};
    world_put(w, &(world_ask){.type = "com.acme.payment.authorise",
                              .key = "o1",
                              .id = "ask-1",
                              .saga_key = "K1",
                              .saga_try = 2,
                              .data = "{\"amount\":10}"});
    troupe *handle = client_with(w, &(troupe_options){.type_prefix = "com.acme."}, &s);
    assert_int_equal(world_run(handle, 1, 5000), 1);
    troupe_close(handle);
    assert_string_equal(s.seen, "payment.authorise o1 K1 - 2 1\n");
    assert_int_equal(world_read(w, "payments.events"), 1);
    const saga_event *answer = &w->events[0];
    assert_slice(answer->type, "com.acme.payment.authorised");
    assert_slice(answer->source, "payments");
    assert_slice(answer->causation_id, "ask-1");
    assert_slice(answer->correlation_id, "orders/1/o1");
    assert_slice(answer->saga_step, "authorise");
    assert_slice(answer->saga_key, "K1");
    assert_int_equal(answer->saga_try, 2);
    assert_slice(answer->partition_key, "o1");
    assert_slice(w->records[0].key, "o1");
    assert_slice(answer->trace_parent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_slice(answer->content_type, "application/json");
    assert_true(base_map_get_text(&answer->data, "ok")->truth);
}

static void test_service__position_and_answers_are_there_once_after_a_restart(void **state)
{
    world *w = *state;
    script s = {.answers = 2, .type = "payment.authorised"};
    for (int i = 0; i < 20; i++) {
        char id[16];
        char key[16];
        (void)snprintf(id, sizeof(id), "a%d", i);
        (void)snprintf(key, sizeof(key), "o%d", i % 5);
        world_put(w, &(world_ask){"payment.authorise", key, id, id, NULL, NULL, 1});
    }
    troupe *handle = client_with(w, &(troupe_options){.batch_max = 3}, &s);
    assert_int_equal(world_run(handle, 20, 5000), 20);
    troupe_close(handle);
    handle = client_with(w, &(troupe_options){0}, &s);
    assert_int_equal(world_run(handle, 1, 600), 0);
    troupe_close(handle);
    assert_int_equal(s.calls, 20);
    assert_int_equal(world_read(w, "payments.events"), 40);
}

static void test_service__two_answers_to_one_ask_have_ids_of_their_own(void **state)
{
    world *w = *state;
    script s = {.answers = 2, .type = "payment.authorised"};
    world_put(w, &(world_ask){"payment.authorise", "o1", "a1", "K", NULL, NULL, 1});
    troupe *handle = client_with(w, &(troupe_options){0}, &s);
    assert_int_equal(world_run(handle, 1, 5000), 1);
    troupe_close(handle);
    assert_int_equal(world_read(w, "payments.events"), 2);
    assert_int_equal(w->events[0].id.size, 32);
    assert_false(base_slice_equal(w->events[0].id, w->events[1].id));
}

static void test_service__an_undo_names_what_it_undoes(void **state)
{
    world *w = *state;
    script s = {.answers = 1, .type = "payment.voided"};
    world_put(w, &(world_ask){"payment.void", "o1", "u1", "K/undo/2", NULL, NULL, 1});
    troupe *handle = client_with(w, &(troupe_options){0}, &s);
    assert_int_equal(world_run(handle, 1, 5000), 1);
    troupe_close(handle);
    assert_string_equal(s.seen, "payment.void o1 K/undo/2 K 1 1\n");
}

static void test_service__a_failing_handler_is_tried_again_and_then_goes_on(void **state)
{
    world *w = *state;
    script s = {.answers = 1, .type = "payment.authorised", .fail_times = 2};
    world_put(w, &(world_ask){"payment.authorise", "o1", "a1", "K1", NULL, NULL, 1});
    world_put(w, &(world_ask){"payment.authorise", "o1", "a2", "K2", NULL, NULL, 1});
    troupe *handle = client_with(w, &(troupe_options){.backoff_first_ms = 20}, &s);
    assert_true(world_run(handle, 4, 5000) >= 4);
    troupe_close(handle);
    assert_string_equal(s.seen, "payment.authorise o1 K1 - 1 1\npayment.authorise o1 K1 - 1 2\n"
                                "payment.authorise o1 K1 - 1 3\npayment.authorise o1 K2 - 1 1\n");
    assert_int_equal(world_read(w, "payments.events"), 2);
    assert_slice(w->events[0].causation_id, "a1");
    assert_slice(w->events[1].causation_id, "a2");
    assert_int_equal(world_read(w, "troupe.dead-letters"), 0);
}

static void
test_service__what_always_fails_goes_to_the_dead_letters_and_does_not_block(void **state)
{
    world *w = *state;
    script s = {.answers = 1, .type = "payment.authorised", .fail_times = 3};
    world_put(w, &(world_ask){"payment.authorise", "o1", "bad", "K1", "{\"x\":1}", NULL, 1});
    world_put(w, &(world_ask){"payment.authorise", "o1", "good", "K2", NULL, NULL, 1});
    troupe *handle =
        client_with(w, &(troupe_options){.attempt_max = 3, .backoff_first_ms = 10}, &s);
    assert_true(world_run(handle, 4, 5000) >= 4);
    troupe_close(handle);
    assert_int_equal(world_read(w, "payments.events"), 1);
    assert_slice(w->events[0].causation_id, "good");
    assert_int_equal(world_read(w, "troupe.dead-letters"), 1);
    assert_slice(w->records[0].key, "o1");
    assert_slice(w->records[0].value, "{\"x\":1}");
    assert_slice(w->events[0].id, "bad");
    assert_slice(world_header(&w->records[0], "troupe-reason"), "handler_failed");
    assert_slice(world_header(&w->records[0], "troupe-topic"), world_name(w, "payments.asks"));
    assert_slice(world_header(&w->records[0], "troupe-attempt"), "3");
    assert_non_null(strstr(w->reported, "dead letters"));
}

static void test_service__a_rejected_event_goes_to_the_dead_letters_at_once(void **state)
{
    world *w = *state;
    script s = {.answers = 1, .type = "x", .verdict = TROUPE_REJECT};
    world_put(w, &(world_ask){"payment.authorise", "o1", "a1", "K1", NULL, NULL, 1});
    troupe *handle = client_with(w, &(troupe_options){0}, &s);
    assert_int_equal(world_run(handle, 1, 5000), 1);
    troupe_close(handle);
    assert_int_equal(s.calls, 1);
    assert_int_equal(world_read(w, "payments.events"), 0);
    assert_int_equal(world_read(w, "troupe.dead-letters"), 1);
    assert_slice(world_header(&w->records[0], "troupe-reason"), "rejected");
}

static void test_service__a_broken_cloudevent_goes_to_the_dead_letters(void **state)
{
    world *w = *state;
    script s = {.answers = 0};
    const schema_header headers[] = {
        {base_slice_of("ce_specversion"), base_slice_of("1.0")},
        {base_slice_of("ce_type"), base_slice_of("payment.authorise")},
        {base_slice_of("content-type"), base_slice_of("application/json")}};
    world_put_record(w, &(schema_record){.topic = base_slice_of(world_name(w, "payments.asks")),
                                         .key = base_slice_of("o1"),
                                         .value = base_slice_of("{\"broken"),
                                         .headers = headers,
                                         .header_count = 3});
    world_put(w, &(world_ask){"payment.authorise", "o1", "a1", "K1", NULL, NULL, 1});
    troupe *handle = client_with(w, &(troupe_options){0}, &s);
    assert_int_equal(world_run(handle, 2, 5000), 2);
    troupe_close(handle);
    assert_int_equal(s.calls, 1);
    assert_int_equal(world_read(w, "troupe.dead-letters"), 1);
    assert_slice(world_header(&w->records[0], "troupe-reason"), "unreadable");
    assert_slice(w->records[0].value, "{\"broken");
}

static troupe_verdict answer_with(troupe_context *context, const troupe_event *event, void *user)
{
    (void)event;
    assert_int_equal(troupe_answer(context, "payment.huge", user, NULL), TROUPE_OK);
    return TROUPE_HANDLED;
}

static void test_service__an_answer_too_large_costs_only_its_ask(void **state)
{
    world *w = *state;
    static char huge[2 * 1024 * 1024];
    memset(huge, 'x', sizeof(huge) - 3);
    huge[0] = '"';
    huge[sizeof(huge) - 3] = '"';
    huge[sizeof(huge) - 2] = '\0';
    world_put(w, &(world_ask){"payment.authorise", "o1", "a1", "K1", NULL, NULL, 1});
    world_put(w, &(world_ask){"payment.large", "o1", "a2", "K2", NULL, NULL, 1});
    world_put(w, &(world_ask){"payment.authorise", "o1", "a3", "K3", NULL, NULL, 1});
    script s = {.answers = 1, .type = "payment.authorised"};
    troupe *handle = client_with(w, &(troupe_options){0}, &s);
    assert_int_equal(troupe_on_ask(handle, "payment.large", answer_with, huge, NULL), TROUPE_OK);
    (void)world_run(handle, 4, 3000);
    troupe_close(handle);
    assert_int_equal(world_read(w, "payments.events"), 2);
    assert_slice(w->events[0].causation_id, "a1");
    assert_slice(w->events[1].causation_id, "a3");
    assert_int_equal(world_read(w, "troupe.dead-letters"), 1);
    assert_slice(world_header(&w->records[0], "troupe-reason"), "answer_refused");
    assert_slice(w->events[0].id, "a2");
}

static void test_service__a_late_answer_is_emitted_by_its_token(void **state)
{
    world *w = *state;
    script s = {.answers = 0};
    world_put(w, &(world_ask){"payment.authorise", "o1", "a1", "K1", NULL, NULL, 2});
    troupe *handle = client_with(w, &(troupe_options){0}, &s);
    assert_int_equal(world_run(handle, 1, 5000), 1);
    troupe_close(handle);
    handle = world_client(w, &(troupe_options){0});
    troupe_error error = {0};
    const troupe_message message = {
        .type = "payment.authorised", .data = "{\"late\":true}", .answers = s.token};
    assert_int_equal(troupe_emit(handle, &message, 5000, &error), TROUPE_OK);
    troupe_close(handle);
    assert_int_equal(world_read(w, "payments.events"), 1);
    const saga_event *answer = &w->events[0];
    assert_slice(answer->causation_id, "a1");
    assert_slice(answer->correlation_id, "orders/1/o1");
    assert_slice(answer->saga_key, "K1");
    assert_slice(answer->saga_step, "authorise");
    assert_int_equal(answer->saga_try, 2);
    assert_slice(w->records[0].key, "o1");
}

static void test_service__a_reaction_hands_on_correlation_but_answers_no_ask(void **state)
{
    world *w = *state;
    script s = {.answers = 1, .type = "receipt.sent"};
    static const char *const topics[] = {"carriers.events"};
    world_topics(w, topics, 1, 3);
    world_put(w, &(world_ask){"shipment.booked", "o1", "e1", "K1", NULL, "carriers.events", 1});
    world_put(w, &(world_ask){"shipment.lost", "o1", "e2", "K1", NULL, "carriers.events", 1});
    troupe *handle = world_client(w, &(troupe_options){0});
    assert_int_equal(troupe_on_event(handle, world_name(w, "carriers.events"), "shipment.booked",
                                     play, &s, NULL),
                     TROUPE_OK);
    assert_int_equal(world_run(handle, 1, 5000), 1);
    (void)world_run(handle, 1, 300);
    troupe_close(handle);
    assert_int_equal(s.calls, 1);
    assert_int_equal(world_read(w, "payments.events"), 1);
    assert_slice(w->events[0].causation_id, "e1");
    assert_slice(w->events[0].correlation_id, "orders/1/o1");
    assert_slice(w->events[0].saga_step, "");
    assert_slice(w->events[0].saga_key, "");
    assert_int_equal(w->events[0].saga_try, 0);
}

static void test_service__a_plain_record_reaches_who_takes_every_record(void **state)
{
    world *w = *state;
    script s = {.answers = 1, .type = "seen"};
    static const char *const topics[] = {"plain"};
    world_topics(w, topics, 1, 1);
    world_put_record(w, &(schema_record){.topic = base_slice_of(world_name(w, "plain")),
                                         .key = base_slice_of("c1"),
                                         .value = base_slice_of("{\"a\":1}")});
    troupe *handle = world_client(w, &(troupe_options){0});
    assert_int_equal(troupe_on_event(handle, world_name(w, "plain"), NULL, play, &s, NULL),
                     TROUPE_OK);
    assert_int_equal(world_run(handle, 1, 5000), 1);
    troupe_close(handle);
    assert_string_equal(s.seen, " c1 - - 0 1\n");
    assert_int_equal(world_read(w, "payments.events"), 1);
    assert_slice(w->records[0].key, "c1");
    assert_slice(w->events[0].causation_id, world_name(w, "plain/0/0"));
}

static void test_service__asks_without_handler_are_told_once_and_passed_over(void **state)
{
    world *w = *state;
    script s = {.answers = 0};
    world_put(w, &(world_ask){"payment.unheard", "o1", "a1", "K1", NULL, NULL, 1});
    world_put(w, &(world_ask){"payment.unheard", "o1", "a2", "K2", NULL, NULL, 1});
    world_put(w, &(world_ask){"payment.authorise", "o1", "a3", "K3", NULL, NULL, 1});
    troupe *handle = world_client(w, &(troupe_options){0});
    assert_int_equal(troupe_on_ask(handle, "payment.authorise", play, &s, NULL), TROUPE_OK);
    assert_int_equal(world_run(handle, 1, 5000), 1);
    troupe_close(handle);
    const char *first = strstr(w->reported, "payment.unheard");
    assert_non_null(first);
    assert_null(strstr(first + 1, "payment.unheard"));
}

static void put_numbered(world *w, int number)
{
    char id[16];
    (void)snprintf(id, sizeof(id), "a%d", number);
    world_put(w, &(world_ask){"payment.authorise", id, id, id, NULL, NULL, 1});
}

static void test_service__two_members_share_the_partitions_and_lose_nothing(void **state)
{
    world *w = *state;
    script one = {.answers = 1, .type = "done"};
    script two = {.answers = 1, .type = "done"};
    int count = 0;
    while (count < 20) {
        put_numbered(w, count++);
    }
    troupe *first = client_with(w, &(troupe_options){.batch_max = 5}, &one);
    (void)world_run(first, 10, 5000);
    troupe *second = client_with(w, &(troupe_options){.batch_max = 5}, &two);
    /* Asks go on coming while the group is divided anew, until both are at work. */
    const time_t until = time(NULL) + 20;
    while (two.calls < 5 && time(NULL) < until && count < 350) {
        if (count < 40 || two.calls > 0) {
            put_numbered(w, count++);
        }
        assert_int_equal(troupe_poll(first, 20, NULL, NULL), TROUPE_OK);
        assert_int_equal(troupe_poll(second, 20, NULL, NULL), TROUPE_OK);
        if (count >= 40 && two.calls == 0 && one.calls >= count) {
            put_numbered(w, count++);
        }
    }
    while ((int)world_read(w, "payments.events") < count && time(NULL) < until + 10) {
        assert_int_equal(troupe_poll(first, 20, NULL, NULL), TROUPE_OK);
        assert_int_equal(troupe_poll(second, 20, NULL, NULL), TROUPE_OK);
    }
    troupe_close(first);
    troupe_close(second);
    assert_true(two.calls > 0);
    assert_int_equal(world_read(w, "payments.events"), count);
    for (size_t i = 0; i < w->count; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_false(base_slice_equal(w->events[i].causation_id, w->events[k].causation_id));
        }
    }
}

static void *stop_later(void *user)
{
    const struct timespec nap = {0, 50000000};
    (void)nanosleep(&nap, NULL);
    troupe_stop(user);
    return NULL;
}

static void test_service__run_ends_when_it_is_stopped_from_another_thread(void **state)
{
    world *w = *state;
    script s = {.answers = 1, .type = "done"};
    pthread_t thread;
    world_put(w, &(world_ask){"payment.authorise", "o1", "a1", "K1", NULL, NULL, 1});
    troupe *handle = client_with(w, &(troupe_options){0}, &s);
    assert_int_equal(world_run(handle, 1, 5000), 1);
    assert_int_equal(pthread_create(&thread, NULL, stop_later, handle), 0);
    assert_int_equal(troupe_run(handle, NULL), TROUPE_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(troupe_run(handle, NULL), TROUPE_OK);
    troupe_close(handle);
    troupe_stop(NULL);
    troupe_close(NULL);
}

#define EACH(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_service__an_answer_carries_the_correlation_of_its_ask),
        EACH(test_service__position_and_answers_are_there_once_after_a_restart),
        EACH(test_service__two_answers_to_one_ask_have_ids_of_their_own),
        EACH(test_service__an_undo_names_what_it_undoes),
        EACH(test_service__a_failing_handler_is_tried_again_and_then_goes_on),
        EACH(test_service__what_always_fails_goes_to_the_dead_letters_and_does_not_block),
        EACH(test_service__a_rejected_event_goes_to_the_dead_letters_at_once),
        EACH(test_service__a_broken_cloudevent_goes_to_the_dead_letters),
        EACH(test_service__an_answer_too_large_costs_only_its_ask),
        EACH(test_service__a_late_answer_is_emitted_by_its_token),
        EACH(test_service__a_reaction_hands_on_correlation_but_answers_no_ask),
        EACH(test_service__a_plain_record_reaches_who_takes_every_record),
        EACH(test_service__asks_without_handler_are_told_once_and_passed_over),
        EACH(test_service__two_members_share_the_partitions_and_lose_nothing),
        EACH(test_service__run_ends_when_it_is_stopped_from_another_thread),
    };
#ifdef TEST_ON_KAFKA
    kind = WORLD_KAFKA;
    return world_no_kafka() != 0 ? 77 : cmocka_run_group_tests_name("kafka", tests, NULL, NULL);
#else
    const int failed = cmocka_run_group_tests_name("memory", tests, NULL, NULL);
    kind = WORLD_LOCAL;
    return failed + cmocka_run_group_tests_name("local", tests, NULL, NULL);
#endif
}
