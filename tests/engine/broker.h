/* A Kafka broker that one test has for itself: scripts/kafka, in a directory of its own. */
#ifndef TESTS_ENGINE_BROKER_H
#define TESTS_ENGINE_BROKER_H

#include "tests/engine/world.h"

UNUSED_IN_SOME static void shell(const char *command)
{
    const int result = system(command); /* NOLINT: names are ours */
    assert_int_equal(result, 0);
}

/* A broker that nobody else uses. */
typedef struct own_broker {
    char directory[64];
    char bootstrap[64];
    char outer[256]; /* KAFKA_BOOTSTRAP as it was */
} own_broker;

/* before, scripts/kafka VERB DIRECTORY, after */
UNUSED_IN_SOME static void broker_do(const own_broker *broker, const char *before, const char *verb,
                                     const char *after)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "%s'%s/scripts/kafka' %s '%s/b' %s", before,
                   TEST_ROOT_DIR, verb, broker->directory, after);
    shell(command);
}

UNUSED_IN_SOME static void broker_start(own_broker *broker)
{
    char command[512];
    char line[256] = "";
    memset(broker, 0, sizeof(*broker));
    (void)snprintf(broker->directory, sizeof(broker->directory), "/tmp/troupe-broker-XXXXXX");
    assert_non_null(mkdtemp(broker->directory));
    (void)snprintf(command, sizeof(command), "'%s/scripts/kafka' start '%s/b' 2>/dev/null",
                   TEST_ROOT_DIR, broker->directory);
    FILE *output = popen(command, "r"); /* NOLINT: names are ours */
    assert_non_null(output);
    while (fgets(line, sizeof(line), output) != NULL &&
           strncmp(line, "KAFKA_BOOTSTRAP=", 16) != 0) {
    }
    assert_int_equal(pclose(output), 0);
    line[strcspn(line, "\n")] = '\0';
    (void)snprintf(broker->bootstrap, sizeof(broker->bootstrap), "%.60s", line + 16);
    (void)snprintf(broker->outer, sizeof(broker->outer), "%s", getenv("KAFKA_BOOTSTRAP"));
    assert_int_equal(setenv("KAFKA_BOOTSTRAP", broker->bootstrap, 1), 0);
}

UNUSED_IN_SOME static void broker_end(const own_broker *broker)
{
    broker_do(broker, "", "stop", "--kill >/dev/null 2>&1");
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", broker->directory);
    shell(command);
    assert_int_equal(setenv("KAFKA_BOOTSTRAP", broker->outer, 1), 0);
}

#endif
