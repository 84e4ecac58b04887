/*
 * BASE_ASSERT: for our own bugs, on in release too. Never for bytes from Kafka, a disk, HTTP or a
 * user: those are a status. A failed assertion prints the condition and place and aborts; the log
 * is the truth, so a restart is safe.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <stdbool.h>

__attribute__((noreturn)) void base_assert_failed(const char *condition, const char *file,
                                                  int line);

#define BASE_ASSERT(condition)                                                                     \
    ((condition) ? (void)0 : base_assert_failed(#condition, __FILE__, __LINE__))

#endif
