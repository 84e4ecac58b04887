/*
 * Puts lines of JSON on a topic as they are, as any Kafka client would: a plain record a line, its
 * key the line's "case".
 *
 *   feed --log local:./data --topic purchase-to-pay <subset.events.jsonl
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/troupe.h"

#define EMIT_MS 30000

/* The text of the member "case", which has no escapes in it; false: there is none. */
static bool case_of(const char *line, char *key, size_t key_size)
{
    static const char mark[] = "\"case\": \"";
    const char *start = strstr(line, mark);
    const char *end = start != NULL ? strchr(start + sizeof(mark) - 1, '"') : NULL;
    if (end == NULL) {
        return false;
    }
    start += sizeof(mark) - 1;
    return snprintf(key, key_size, "%.*s", (int)(end - start), start) < (int)key_size;
}

static void on_delivered(void *user, troupe_code code, const troupe_error *error)
{
    long *failed = user;
    if (code != TROUPE_OK) {
        (void)fprintf(stderr, "feed: %s\n", error->text);
        (*failed)++; /* the sender's thread alone counts, and we look after it has ended */
    }
}

static troupe_code feed(troupe *handle, const char *topic, long *failed, troupe_error *error)
{
    char *line = NULL;
    size_t capacity = 0;
    troupe_code code = TROUPE_OK;
    long number = 0;
    while (code == TROUPE_OK && getline(&line, &capacity, stdin) > 0) {
        char key[256];
        number++;
        if (!case_of(line, key, sizeof(key))) {
            (void)fprintf(stderr, "feed: line %ld has no \"case\"\n", number);
            code = TROUPE_BAD_INPUT;
            break;
        }
        const troupe_message message = {.plain = true, .topic = topic, .key = key, .data = line};
        code = troupe_emit_async(handle, &message, EMIT_MS, on_delivered, failed, error);
    }
    free(line);
    if (code == TROUPE_OK) {
        code = troupe_flush(handle, EMIT_MS, error);
    }
    (void)printf("%ld records\n", number);
    return code;
}

int main(int argc, char **argv)
{
    troupe *handle = NULL;
    troupe_error error = {0};
    long failed = 0;
    if (argc != 5 || strcmp(argv[1], "--log") != 0 || strcmp(argv[3], "--topic") != 0) {
        (void)fprintf(stderr, "usage: %s --log URL --topic NAME <EVENTS.jsonl\n", argv[0]);
        return 2;
    }
    troupe_code code = troupe_open(argv[2], &(troupe_options){.service = "feed"}, &handle, &error);
    if (code == TROUPE_OK) {
        code = feed(handle, argv[4], &failed, &error);
    }
    if (code != TROUPE_OK) {
        (void)fprintf(stderr, "feed: %s\n", error.text);
    }
    troupe_close(handle);
    return code == TROUPE_OK && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
