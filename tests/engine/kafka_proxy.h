/*
 * A proxy before a Kafka broker, in a thread: it lets everything through until it is armed; then
 * the first EndTxn request is delivered or dropped, and after it every connection is cut and none
 * is taken until it is disarmed. So the outcome of that commit stays unknown to the client.
 */
#ifndef TESTS_ENGINE_KAFKA_PROXY_H
#define TESTS_ENGINE_KAFKA_PROXY_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/engine/world.h"

#define PROXY_PAIR_MAX 64
#define PROXY_END_TXN 26 /* the api key */

typedef enum proxy_mode { PROXY_OPEN, PROXY_DELIVER_THEN_CUT, PROXY_CUT, PROXY_SHUT } proxy_mode;

typedef struct proxy_pair {
    int client; /* -1: free */
    int broker;
    unsigned char head[6]; /* of the request that is passing: size, api key */
    size_t head_size;
    uint32_t left; /* of its bytes behind the head */
} proxy_pair;

typedef struct kafka_proxy {
    int listener;
    uint16_t port;
    uint16_t broker_port;
    atomic_int mode; /* proxy_mode */
    atomic_bool stop;
    atomic_int struck;
    pthread_t thread;
    proxy_pair pairs[PROXY_PAIR_MAX];
} kafka_proxy;

static void proxy_pair_close(proxy_pair *pair)
{
    if (pair->client >= 0) {
        (void)close(pair->client);
        (void)close(pair->broker);
        pair->client = -1;
    }
}

static void proxy_shut(kafka_proxy *proxy)
{
    for (size_t i = 0; i < PROXY_PAIR_MAX; i++) {
        proxy_pair_close(&proxy->pairs[i]);
    }
    atomic_store(&proxy->mode, PROXY_SHUT);
    atomic_fetch_add(&proxy->struck, 1);
}

static bool proxy_send(int to, const unsigned char *data, size_t size)
{
    while (size > 0) {
        const ssize_t sent = send(to, data, size, MSG_NOSIGNAL);
        if (sent <= 0 && errno != EINTR) {
            return false;
        }
        data += sent > 0 ? sent : 0;
        size -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

/* Follows the requests in what a client sends; true: one of them is an EndTxn. */
static bool proxy_sees_end(proxy_pair *pair, const unsigned char *data, size_t size)
{
    bool seen = false;
    while (size > 0) {
        if (pair->left > 0) {
            const size_t taken = size < pair->left ? size : pair->left;
            pair->left -= (uint32_t)taken;
            data += taken;
            size -= taken;
            continue;
        }
        pair->head[pair->head_size++] = *data++;
        size--;
        if (pair->head_size == sizeof(pair->head)) {
            uint32_t length = 0;
            uint16_t key = 0;
            memcpy(&length, pair->head, 4);
            memcpy(&key, pair->head + 4, 2);
            pair->left = ntohl(length) - 2;
            pair->head_size = 0;
            seen = seen || ntohs(key) == PROXY_END_TXN;
        }
    }
    return seen;
}

/* Passes on what is there in one direction; false: the pair is over. */
static bool proxy_pass(kafka_proxy *proxy, proxy_pair *pair, bool from_client)
{
    unsigned char data[65536];
    const ssize_t size = recv(from_client ? pair->client : pair->broker, data, sizeof(data), 0);
    if (size <= 0) {
        return false;
    }
    const int mode = atomic_load(&proxy->mode);
    const bool end = from_client && proxy_sees_end(pair, data, (size_t)size) && mode != PROXY_OPEN;
    if (end && mode == PROXY_CUT) {
        proxy_shut(proxy);
        return false;
    }
    if (!proxy_send(from_client ? pair->broker : pair->client, data, (size_t)size)) {
        return false;
    }
    if (end) {
        (void)usleep(300000); /* the broker takes it */
        proxy_shut(proxy);
        return false;
    }
    return true;
}

static void proxy_accept(kafka_proxy *proxy)
{
    const int one = 1;
    const int client = accept(proxy->listener, NULL, NULL);
    proxy_pair *pair = NULL;
    for (size_t i = 0; i < PROXY_PAIR_MAX && pair == NULL; i++) {
        pair = proxy->pairs[i].client < 0 ? &proxy->pairs[i] : NULL;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(proxy->broker_port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int broker = socket(AF_INET, SOCK_STREAM, 0);
    if (pair == NULL || atomic_load(&proxy->mode) == PROXY_SHUT ||
        connect(broker, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(client);
        (void)close(broker);
        return;
    }
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(broker, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    memset(pair, 0, sizeof(*pair));
    pair->client = client;
    pair->broker = broker;
}

static void *proxy_run(void *argument)
{
    kafka_proxy *proxy = (kafka_proxy *)argument;
    while (!atomic_load(&proxy->stop)) {
        struct pollfd polls[1 + 2 * PROXY_PAIR_MAX];
        polls[0] = (struct pollfd){proxy->listener, POLLIN, 0};
        for (size_t i = 0; i < PROXY_PAIR_MAX; i++) {
            const proxy_pair *pair = &proxy->pairs[i];
            polls[1 + 2 * i] = (struct pollfd){pair->client, POLLIN, 0};
            polls[2 + 2 * i] = (struct pollfd){pair->client < 0 ? -1 : pair->broker, POLLIN, 0};
        }
        if (poll(polls, 1 + 2 * PROXY_PAIR_MAX, 100) <= 0) {
            continue;
        }
        for (size_t i = 0; i < PROXY_PAIR_MAX; i++) {
            proxy_pair *pair = &proxy->pairs[i];
            const bool fine = pair->client < 0 ||
                              ((polls[1 + 2 * i].revents == 0 || proxy_pass(proxy, pair, true)) &&
                               (pair->client < 0 || polls[2 + 2 * i].revents == 0 ||
                                proxy_pass(proxy, pair, false)));
            if (!fine) {
                proxy_pair_close(pair);
            }
        }
        if (polls[0].revents != 0) {
            proxy_accept(proxy);
        }
    }
    return NULL;
}

static void proxy_start(kafka_proxy *proxy, uint16_t broker_port)
{
    memset(proxy, 0, sizeof(*proxy));
    proxy->broker_port = broker_port;
    for (size_t i = 0; i < PROXY_PAIR_MAX; i++) {
        proxy->pairs[i].client = -1;
    }
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(proxy->listener >= 0);
    assert_int_equal(bind(proxy->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(proxy->listener, 64), 0);
    assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&address, &size), 0);
    proxy->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&proxy->thread, NULL, proxy_run, proxy), 0);
}

static void proxy_stop(kafka_proxy *proxy)
{
    atomic_store(&proxy->stop, true);
    (void)pthread_join(proxy->thread, NULL);
    proxy_shut(proxy);
    (void)close(proxy->listener);
}

#endif
