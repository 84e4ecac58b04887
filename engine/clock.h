/*
 * Clock: where the engine's time comes from. Everything in engine/ takes it from here, so that the
 * simulator can hand in its own; nothing below engine/ reads a clock at all (docs/design.md, 3).
 */
#ifndef ENGINE_CLOCK_H
#define ENGINE_CLOCK_H

#include <stdint.h>

typedef struct engine_clock {
    /* Milliseconds since 1970 UTC; may jump when somebody sets the machine's clock. What entries
     * are dated with. */
    int64_t (*now_ms)(void *context);
    /* Milliseconds that only grow, from some start: for back-off and housekeeping, never written
     * anywhere. */
    int64_t (*steady_ms)(void *context);
    void *context;
} engine_clock;

/* The machine's. */
engine_clock engine_clock_real(void);

static inline int64_t engine_now_ms(const engine_clock *clock)
{
    return clock->now_ms(clock->context);
}

static inline int64_t engine_steady_ms(const engine_clock *clock)
{
    return clock->steady_ms(clock->context);
}

#endif
