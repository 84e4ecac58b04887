#include "engine/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec time = {0, 0};
    (void)clock_gettime(id, &time); /* cannot fail with these ids */
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int64_t real_now_ms(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

static int64_t real_steady_ms(void *context)
{
    (void)context;
    return read_clock(CLOCK_MONOTONIC);
}

engine_clock engine_clock_real(void)
{
    return (engine_clock){.now_ms = real_now_ms, .steady_ms = real_steady_ms, .context = NULL};
}
