/* The tests of test_service.c on a real broker. */
#define TEST_ON_KAFKA
#include "tests/client/test_service.c"
