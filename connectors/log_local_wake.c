/*
 * Waking each other: who waits has a datagram socket in DIR/wake/, who commits sends a byte to
 * each.
 *
 *   DIR/wake/r-<pid>-<random>   a reader      DIR/wake/g-<pid>-<random>   a member of a group
 *
 * A full socket needs no byte more; one that nobody listens at any more (its process was killed) is
 * removed by whoever notices. Sockets are a courtesy: what is lost here is found by the slow poll.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "connectors/log_local_model.h"

/* The socket's address: by its path, or, where that is too long for one, through the directory's
 * descriptor. */
static bool address_of(const local_wake *wake, const char *name, struct sockaddr_un *address_out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", wake->path, name);
    if (size >= (int)sizeof(address.sun_path)) {
        size = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                        wake->directory, name);
    }
    *address_out = address;
    return size > 0 && size < (int)sizeof(address.sun_path);
}

void local_wake_open(local_wake *wake, const char *directory, bool read_only)
{
    wake->directory = -1;
    wake->sender = -1;
    const int size = snprintf(wake->path, sizeof(wake->path), "%s/wake", directory);
    if (size < 0 || (size_t)size >= sizeof(wake->path)) {
        return;
    }
    if (!read_only && mkdir(wake->path, 0700) != 0 && errno != EEXIST) {
        return;
    }
    wake->directory = open(wake->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    wake->sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void local_wake_close(local_wake *wake)
{
    if (wake->directory >= 0) {
        (void)close(wake->directory);
    }
    if (wake->sender >= 0) {
        (void)close(wake->sender);
    }
    wake->directory = -1;
    wake->sender = -1;
}

void local_wake_all(const local_wake *wake, local_wake_kind kind)
{
    DIR *listing = wake->directory >= 0 && wake->sender >= 0 ? opendir(wake->path) : NULL;
    if (listing == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        struct sockaddr_un address;
        if (entry->d_name[0] != (char)kind || !address_of(wake, entry->d_name, &address)) {
            continue;
        }
        const ssize_t sent = sendto(wake->sender, "w", 1, MSG_DONTWAIT | MSG_NOSIGNAL,
                                    (const struct sockaddr *)&address, sizeof(address));
        if (sent < 0 && errno == ECONNREFUSED) {
            (void)unlinkat(wake->directory, entry->d_name, 0);
        }
    }
    (void)closedir(listing);
}

static void waiter_bind(local_waiter *waiter, local_wake_kind kind)
{
    uint8_t random[8];
    char hex[2 * sizeof(random) + 1];
    struct sockaddr_un address;
    if (waiter->wake->directory < 0 ||
        getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return;
    }
    base_hex(random, sizeof(random), hex);
    (void)snprintf(waiter->name, sizeof(waiter->name), "%c-%ld-%s", (char)kind, (long)getpid(),
                   hex);
    if (!address_of(waiter->wake, waiter->name, &address)) {
        return;
    }
    waiter->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (waiter->socket >= 0 &&
        bind(waiter->socket, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(waiter->socket);
        waiter->socket = -1;
    }
}

base_status local_waiter_open(local_waiter *waiter, const local_wake *wake, local_wake_kind kind,
                              base_error *error)
{
    waiter->wake = wake;
    waiter->socket = -1;
    waiter->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (waiter->event < 0) {
        return base_error_set(error, BASE_IO, "no descriptor to wait with: %s", strerror(errno));
    }
    waiter_bind(waiter, kind);
    return base_ok();
}

void local_waiter_close(local_waiter *waiter)
{
    if (waiter->socket >= 0) {
        (void)unlinkat(waiter->wake->directory, waiter->name, 0);
        (void)close(waiter->socket);
    }
    if (waiter->event >= 0) {
        (void)close(waiter->event);
    }
}

void local_waiter_wait(local_waiter *waiter, int64_t timeout_ms)
{
    struct pollfd waiting[2] = {{.fd = waiter->event, .events = POLLIN},
                                {.fd = waiter->socket, .events = POLLIN}};
    BASE_ASSERT(timeout_ms >= 0 && timeout_ms <= INT32_MAX);
    if (poll(waiting, 2, (int)timeout_ms) <= 0) {
        return;
    }
    uint64_t count = 0;
    char bytes[16];
    (void)!read(waiter->event, &count, sizeof(count));
    while (waiter->socket >= 0 && recv(waiter->socket, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
}

void local_waiter_signal(const local_waiter *waiter)
{
    const uint64_t one = 1;
    const int saved = errno;
    ssize_t written;
    do {
        written = write(waiter->event, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
    errno = saved;
}
