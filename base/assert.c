/*
 * Alone in this file, so that a test that defines base_assert_failed itself (to catch a broken
 * precondition with cmocka's mock_assert) takes this one's place at link time.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void base_assert_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    (void)fflush(stderr);
    abort();
}
