/*
 * Opens accounts: a line of standard input, "USER EMAIL", is an account, and an event. A program
 * that only emits needs no handler and no loop.
 *
 *   printf 'u1 ann@example.com\n' | accounts --log local:./data
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/troupe.h"

#define EMIT_MS 10000

/* As JSON text would have it; false: a character that this program does not take. */
static bool plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\') {
            return false;
        }
    }
    return true;
}

static troupe_code account_open(troupe *handle, const char *user, const char *email,
                                troupe_error *error)
{
    char data[512];
    char id[160];
    (void)snprintf(data, sizeof(data), "{\"userId\":\"%s\",\"email\":\"%s\"}", user, email);
    /* The id says which fact it is: opened again by mistake, the account is the same fact. */
    (void)snprintf(id, sizeof(id), "account-%s", user);
    return troupe_emit(
        handle, &(troupe_message){.type = "account.created", .key = user, .id = id, .data = data},
        EMIT_MS, error);
}

int main(int argc, char **argv)
{
    troupe *handle = NULL;
    troupe_error error = {0};
    char line[512];
    char user[128];
    char email[256];
    if (argc != 3 || strcmp(argv[1], "--log") != 0) {
        (void)fprintf(stderr, "usage: %s --log URL <LINES\n", argv[0]);
        return 2;
    }
    troupe_code code =
        troupe_open(argv[2], &(troupe_options){.service = "accounts"}, &handle, &error);
    while (code == TROUPE_OK && fgets(line, sizeof(line), stdin) != NULL) {
        if (sscanf(line, "%127s %255s", user, email) != 2 || !plain(user) || !plain(email)) {
            (void)fprintf(stderr, "accounts: \"USER EMAIL\" is wanted, not: %s", line);
            continue;
        }
        code = account_open(handle, user, email, &error);
    }
    if (code != TROUPE_OK) {
        (void)fprintf(stderr, "accounts: %s\n", error.text);
    }
    troupe_close(handle);
    return code == TROUPE_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
