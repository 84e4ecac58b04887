/* A failed assertion ends the process, so each case runs in a child of its own. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"

/* Runs BASE_ASSERT(truth) in a child; gives its wait status and what it wrote to stderr. */
static int assert_in_child(bool truth, char *output, size_t output_size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        BASE_ASSERT(truth);
        _exit(0);
    }
    (void)close(ends[1]);
    size_t size = 0;
    ssize_t got = 0;
    while (size + 1 < output_size &&
           (got = read(ends[0], output + size, output_size - size - 1)) > 0) {
        size += (size_t)got;
    }
    output[size] = '\0';
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_assert__a_false_condition_says_what_and_where_and_aborts(void **state)
{
    (void)state;
    char output[512];
    const int status = assert_in_child(false, output, sizeof(output));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(output, "test_assert.c:"));
    assert_non_null(strstr(output, "assertion failed: truth"));
}

static void test_assert__a_true_condition_does_nothing(void **state)
{
    (void)state;
    char output[512];
    const int status = assert_in_child(true, output, sizeof(output));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(output, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assert__a_false_condition_says_what_and_where_and_aborts),
        cmocka_unit_test(test_assert__a_true_condition_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
