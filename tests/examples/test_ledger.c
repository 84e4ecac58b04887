/* The example services' ledger and switches: what the checks "every effect once" stand on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "examples/service/ledger.h"
#include "examples/service/rules.h"

static char path[] = "/tmp/troupe-ledger-XXXXXX";

static int setup(void **state)
{
    (void)state;
    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    const int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void append(const char *text)
{
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_ledger__knows_after_a_restart_what_it_did(void **state)
{
    ledger book;
    (void)state;
    assert_true(ledger_open(&book, path));
    const char *odd = "k\"1\\\n\x01ü";
    ledger_write(&book, &(ledger_line){.act = "do",
                                       .key = odd,
                                       .order = "o1",
                                       .step = "s",
                                       .answer = "done",
                                       .data = "{\"key\":\"x\",\"data\":{\"a\":[1]}}"});
    ledger_write(&book, &(ledger_line){.act = "refuse", .key = "k2", .answer = "no"});
    ledger_write(&book, &(ledger_line){.act = "bar", .key = "k3"});
    ledger_write(&book, &(ledger_line){.act = "undo", .key = "k4"});
    ledger_write(&book,
                 &(ledger_line){.act = "owe", .key = "k5", .token = "{\"id\":\"1\"}", .due_ms = 7});
    ledger_write(&book, &(ledger_line){.act = "owe", .key = "k6", .due_ms = 5});
    ledger_write(&book, &(ledger_line){.act = "said", .key = "k6"});
    ledger_close(&book);
    assert_true(ledger_open(&book, path));
    const ledger_entry *entry = ledger_find(&book, odd);
    assert_non_null(entry);
    assert_int_equal(entry->state, LEDGER_DONE);
    assert_string_equal(entry->answer, "done");
    assert_string_equal(entry->data, "{\"key\":\"x\",\"data\":{\"a\":[1]}}");
    assert_int_equal(ledger_find(&book, "k2")->state, LEDGER_REFUSED);
    assert_int_equal(ledger_find(&book, "k3")->state, LEDGER_UNDONE);
    assert_int_equal(ledger_find(&book, "k4")->state, LEDGER_UNDONE);
    assert_null(ledger_find(&book, "k7"));
    assert_string_equal(ledger_owed(&book, "k5")->token, "{\"id\":\"1\"}");
    assert_null(ledger_owed(&book, "k6"));
    assert_int_equal(ledger_first_due(&book)->due_ms, 7);
    ledger_close(&book);
}

static void test_ledger__cuts_off_a_line_that_a_crash_left_unfinished(void **state)
{
    ledger book;
    (void)state;
    assert_true(ledger_open(&book, path));
    ledger_write(&book, &(ledger_line){.act = "do", .key = "k1", .answer = "done"});
    ledger_close(&book);
    append("{\"at\":1,\"act\":\"do\",\"key\":\"k2\",\"or");
    assert_true(ledger_open(&book, path));
    assert_null(ledger_find(&book, "k2"));
    ledger_write(&book, &(ledger_line){.act = "do", .key = "k3", .answer = "done"});
    ledger_close(&book);
    assert_true(ledger_open(&book, path));
    assert_int_equal(ledger_find(&book, "k1")->state, LEDGER_DONE);
    assert_int_equal(ledger_find(&book, "k3")->state, LEDGER_DONE);
    ledger_close(&book);
}

static void test_ledger__refuses_a_file_that_is_damaged(void **state)
{
    ledger book;
    (void)state;
    append("nonsense\n");
    assert_false(ledger_open(&book, path));
    ledger_close(&book);
}

static void test_rules__match_by_ask_and_order_and_are_used_up(void **state)
{
    rules set = {.count = 0};
    (void)state;
    assert_true(rules_add(&set, RULE_LATE, "payment.authorise/o3=6s,o4=250ms"));
    assert_true(rules_add(&set, RULE_FAIL, "o7*=2"));
    assert_true(rules_add(&set, RULE_DECLINE, "o2"));
    assert_int_equal(rules_apply(&set, RULE_LATE, "payment.authorise", "o3")->value, 6000);
    assert_null(rules_apply(&set, RULE_LATE, "payment.capture", "o3"));
    assert_int_equal(rules_apply(&set, RULE_LATE, "payment.capture", "o4")->value, 250);
    assert_non_null(rules_apply(&set, RULE_FAIL, "x", "o71"));
    assert_non_null(rules_apply(&set, RULE_FAIL, "x", "o72"));
    assert_null(rules_apply(&set, RULE_FAIL, "x", "o71"));
    for (int i = 0; i < 5; i++) {
        assert_non_null(rules_apply(&set, RULE_DECLINE, "x", "o2"));
    }
    assert_null(rules_apply(&set, RULE_DECLINE, "x", "o22"));
}

static void test_rules__refuse_what_is_no_rule(void **state)
{
    static const char *const wrong[] = {"", "o1", "o1=", "o1=5", "o1=x", "o1=5m", "=5s", "a/=5s"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        rules set = {.count = 0};
        assert_false(rules_add(&set, RULE_LATE, wrong[i]));
        assert_int_equal(set.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ledger__knows_after_a_restart_what_it_did, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ledger__cuts_off_a_line_that_a_crash_left_unfinished,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_ledger__refuses_a_file_that_is_damaged, setup,
                                        teardown),
        cmocka_unit_test(test_rules__match_by_ask_and_order_and_are_used_up),
        cmocka_unit_test(test_rules__refuse_what_is_no_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
