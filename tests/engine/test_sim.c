/*
 * The engine in a hostile world, by chance: workers come and go, commits fail in every way, members
 * are expelled, the log is away for a while, answers come twice, late or never, topics have other
 * partition counts. In the end every order has ended, and the services' books say that it ended
 * right:
 *
 *   completed     authorised, reserved, captured once; nothing given back
 *   compensated   nothing is held any more, and nothing was captured
 *
 * One seed is one run; TROUPE_TEST_SEED=n TROUPE_TEST_RUNS=1 repeats it.
 */
#include "tests/engine/world.h"

#define ORDER_COUNT 12
#define TICK_COUNT 400

typedef struct book {
    int authorised; /* money held */
    int reserved;
    int captured;
    bool declined;
    bool voided;
    bool released;
} book;

typedef struct sim {
    world w;
    uint64_t random;
    int64_t offset; /* virtual time of the answers that wait */
    book books[ORDER_COUNT];
    int placed;
    bool hostile;
    bool breaking; /* also faults that break the promise of transactions */
    struct {
        int64_t at_ms;
        world_ask ask;
        const char *type;
        const char *topic;
        int number;
    } waiting[WORLD_ASK_MAX];
    size_t waiting_count;
} sim;

static uint64_t chance(sim *s, uint64_t below)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random % below;
}

static void answer_later(sim *s, const world_ask *ask, const char *type, const char *topic)
{
    const uint64_t kind = s->hostile ? chance(s, 10) : 9;
    if (kind == 0) {
        return; /* lost */
    }
    const int copies = kind == 1 ? 2 : 1;
    for (int i = 0; i < copies; i++) {
        assert_true(s->waiting_count < WORLD_ASK_MAX);
        s->waiting[s->waiting_count].at_ms =
            s->w.now_ms + (int64_t)chance(s, kind == 2 ? 90000 : 300);
        s->waiting[s->waiting_count].ask = *ask;
        s->waiting[s->waiting_count].type = type;
        s->waiting[s->waiting_count].topic = topic;
        s->waiting[s->waiting_count].number = i;
        s->waiting_count++;
    }
}

static void answers_due(sim *s)
{
    for (size_t i = 0; i < s->waiting_count;) {
        if (s->waiting[i].at_ms <= s->w.now_ms) {
            world_answer_numbered(&s->w, &s->waiting[i].ask, s->waiting[i].type,
                                  s->waiting[i].topic, "{}", s->waiting[i].number);
            s->waiting[i] = s->waiting[--s->waiting_count];
        } else {
            i++;
        }
    }
}

/* Was there an ask with this idempotency key before? */
static bool asked_before(const sim *s, const world_ask *ask)
{
    for (const world_ask *other = s->w.asks; other < ask; other++) {
        if (strcmp(other->saga_key, ask->saga_key) == 0) {
            return true;
        }
    }
    return false;
}

/* Services keep their books by idempotency key: an ask that was carried out, or whose undo came
 * first, is only answered (docs/services.md). */
static void serve_ask(sim *s, const world_ask *ask)
{
    book *b = &s->books[strtoul(ask->key + 1, NULL, 10)];
    const bool first = !asked_before(s, ask);
    if (strcmp(ask->type, "payment.authorise") == 0) {
        if (first && !b->voided) {
            b->declined = chance(s, 4) == 0;
            b->authorised = b->declined ? 0 : 1;
        }
        answer_later(s, ask, b->declined ? "payment.declined" : "payment.authorised",
                     "payments.events");
    } else if (strcmp(ask->type, "payment.void") == 0) {
        b->authorised = 0;
        b->voided = true;
        answer_later(s, ask, "payment.voided", "payments.events");
    } else if (strcmp(ask->type, "payment.capture") == 0) {
        b->captured += first ? 1 : 0;
        answer_later(s, ask, "payment.captured", "payments.events");
    } else if (strcmp(ask->type, "stock.reserve") == 0) {
        b->reserved += first && !b->released ? 1 : 0;
        answer_later(s, ask, "stock.reserved", "stock.events");
    } else {
        b->reserved = 0;
        b->released = true;
        answer_later(s, ask, "stock.released", "stock.events");
    }
}

static void serve(sim *s)
{
    const size_t before = s->w.ask_count;
    (void)world_serve(&s->w);
    for (size_t i = before; i < s->w.ask_count; i++) {
        serve_ask(s, &s->w.asks[i]);
    }
    answers_due(s);
}

static void fault(sim *s)
{
    static const log_memory_fault calm[] = {
        LOG_MEMORY_COMMIT_ABORTED, LOG_MEMORY_COMMIT_UNREACHABLE, LOG_MEMORY_COMMIT_UNKNOWN_APPLIED,
        LOG_MEMORY_COMMIT_UNKNOWN_OPEN, LOG_MEMORY_COMMIT_LATE};
    static const log_memory_fault breaking[] = {LOG_MEMORY_COMMIT_ZOMBIE, LOG_MEMORY_COMMIT_TWICE,
                                                LOG_MEMORY_COMMIT_TORN};
    const log_memory_fault kind =
        s->breaking && chance(s, 2) == 0 ? breaking[chance(s, 3)] : calm[chance(s, 5)];
    char identity[64];
    (void)snprintf(identity, sizeof(identity), "troupe-worker-%d-%d", (int)chance(s, 2),
                   s->w.opened - 1);
    FINE(
        (error->code = BASE_OK, log_memory_fail_commit(s->w.store, base_slice_of(identity), kind)));
}

static void tick(sim *s)
{
    world *w = &s->w;
    const int who = (int)chance(s, 2);
    switch (chance(s, 40)) {
    case 0:
        if (w->workers[who] != NULL && w->workers[1 - who] != NULL) {
            world_worker_close(w, who);
        }
        break;
    case 1:
        if (w->workers[who] == NULL) {
            world_worker_open(w, who);
        }
        break;
    case 2:
    case 3:
        fault(s);
        break;
    case 4:
        (void)log_memory_expel(w->store, base_slice_of("troupe"), base_slice_of(""));
        break;
    case 5:
        (void)log_memory_deliver(w->store);
        break;
    case 6:
        w->now_ms += 5000;
        break;
    case 7:
        if (s->placed < ORDER_COUNT) {
            char key[16];
            (void)snprintf(key, sizeof(key), "o%d", s->placed++);
            world_place(w, key);
        }
        break;
    default:
        break;
    }
    w->now_ms += (int64_t)chance(s, 60);
    for (int k = 0; k < 2; k++) {
        if (w->workers[k] != NULL && chance(s, 3) > 0) {
            world_step(w, k);
        }
    }
    serve(s);
}

/* Peace: no new faults, services answer, time passes. */
static void heal(sim *s)
{
    world *w = &s->w;
    s->hostile = false;
    (void)log_memory_deliver(w->store);
    for (int k = 0; k < 2; k++) {
        if (w->workers[k] == NULL) {
            world_worker_open(w, k);
        }
    }
    for (int i = 0; i < 3000; i++) {
        w->now_ms += i % 100 == 99 ? 10000 : 50;
        world_step(w, i % 2);
        serve(s);
    }
    (void)log_memory_deliver(w->store);
    for (int i = 0; i < 400; i++) {
        w->now_ms += 50;
        world_step(w, i % 2);
        serve(s);
    }
}

static void check_books(sim *s)
{
    for (int i = 0; i < s->placed; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "o%d", i);
        const char *phase = world_phase(&s->w, "order", key);
        const book *b = &s->books[i];
        const bool completed = strcmp(phase, "completed") == 0;
        if (!completed && strcmp(phase, "compensated") != 0) {
            print_error("order %s is %s\n", key, phase);
            fail();
        }
        assert_int_equal(b->authorised, completed ? 1 : 0);
        assert_int_equal(b->reserved, completed ? 1 : 0);
        assert_int_equal(b->captured, completed ? 1 : 0);
    }
    world_check_rebuild(&s->w);
}

static void run(uint64_t seed, bool breaking)
{
    static sim s;
    static const char *const counts[] = {"1", "2", "3", "5"};
    memset(&s, 0, sizeof(s));
    s.random = seed * 2654435761U + 88172645463325252U;
    s.hostile = true;
    s.breaking = breaking;
    world_open(&s.w, "sim", counts[chance(&s, 4)]);
    world_setting(&s.w, "batch_max", chance(&s, 2) == 0 ? "3" : "100");
    world_setting(&s.w, "snapshot_entries", "7");
    world_topic(&s.w, "payments.events", (int32_t)(1 + chance(&s, 4)));
    world_topic(&s.w, "stock.events", (int32_t)(1 + chance(&s, 4)));
    world_topic(&s.w, "orders.events", (int32_t)(1 + chance(&s, 4)));
    world_orders(&s.w);
    world_topic(&s.w, "payments.asks", 2);
    world_topic(&s.w, "stock.asks", 2);
    s.w.rule_count = 0;
    world_worker_open(&s.w, 0);
    for (int i = 0; i < TICK_COUNT; i++) {
        tick(&s);
    }
    heal(&s);
    check_books(&s);
    world_close(&s.w);
}

static int runs(void)
{
    const char *given = getenv("TROUPE_TEST_RUNS");
    return given == NULL ? 60 : (int)strtol(given, NULL, 10);
}

static uint64_t first_seed(void)
{
    const char *given = getenv("TROUPE_TEST_SEED");
    return given == NULL ? 1 : strtoull(given, NULL, 10);
}

static void run_all(bool breaking)
{
    for (int i = 0; i < runs(); i++) {
        const uint64_t seed = first_seed() + (uint64_t)i;
        if (getenv("TROUPE_TEST_SEED") != NULL || i == 0) {
            print_message("seed %llu\n", (unsigned long long)seed);
        }
        run(seed, breaking);
    }
}

static void test_sim__orders_end_right_whatever_happens(void **state)
{
    (void)state;
    run_all(false);
}

static void test_sim__also_when_transactions_break_their_promise(void **state)
{
    (void)state;
    run_all(true);
}

int main(void)
{
    cmocka_set_test_filter(getenv("TROUPE_TEST_FILTER"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sim__orders_end_right_whatever_happens),
        cmocka_unit_test(test_sim__also_when_transactions_break_their_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
