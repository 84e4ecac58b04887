/* The tests of test_emit.c on a real broker. */
#define TEST_ON_KAFKA
#include "tests/client/test_emit.c"
