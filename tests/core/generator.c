#include "tests/core/generator.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

uint64_t generator_draw(uint64_t *random)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return *random * UINT64_C(2685821657736338717);
}

uint32_t generator_below(uint64_t *random, uint32_t bound)
{
    return (uint32_t)((generator_draw(random) >> 33) % bound);
}

bool generator_chance(uint64_t *random, uint32_t percent)
{
    return generator_below(random, 100) < percent;
}

static void put(generator_text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(generator_text *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    out->size += (size_t)vsnprintf(out->text + out->size, GENERATOR_TEXT_SIZE - out->size, format,
                                   arguments);
    va_end(arguments);
    BASE_ASSERT(out->size < GENERATOR_TEXT_SIZE);
}

/* A condition over the layer before: all, any or n of its steps, by step or by event. */
static void put_condition(uint64_t *random, generator_text *out, int32_t first, int32_t count)
{
    const bool by_event = generator_chance(random, 50);
    const uint32_t kind = generator_below(random, 3);
    char names[256] = "";
    for (int32_t i = 0; i < count; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%s\"s%d%s\"", i == 0 ? "" : ",", (int)(first + i),
                       by_event ? ".ok" : "");
        (void)strncat(names, name, sizeof(names) - strlen(names) - 1);
    }
    put(out, ",\"%s\":", by_event ? "when" : "after");
    if (kind == 0 || count == 1)
        put(out, "[%s]", names);
    else if (kind == 1)
        put(out, "{\"any\":[%s]}", names);
    else
        put(out, "{\"need\":%u,\"of\":[%s]}", 1 + generator_below(random, (uint32_t)count), names);
}

typedef enum kind { BEFORE_PIVOT, PIVOT, AFTER_PIVOT } kind;

static void put_step(uint64_t *random, generator_text *out, int32_t index, kind k, int32_t first,
                     int32_t count)
{
    const bool reacts = k == BEFORE_PIVOT && generator_chance(random, 15);
    const bool optional = k != PIVOT && generator_chance(random, 15);
    put(out, "%s\"s%d\":{\"service\":\"a\",\"emits\":\"s%d.ok\"", index == 0 ? "" : ",", (int)index,
        (int)index);
    if (!reacts)
        put(out, ",\"ask\":\"s%d.ask\",\"with\":\"{n: .n}\"", (int)index);
    if (count > 0)
        put_condition(random, out, first, count);
    if (k == PIVOT)
        put(out, ",\"pivot\":true,\"undo\":\"never\",\"fails\":\"s%d.no\",\"retry\":\"forever\"",
            (int)index);
    if (k == AFTER_PIVOT)
        put(out, ",\"undo\":\"none\",\"retry\":\"forever\"");
    if (k == BEFORE_PIVOT) {
        put(out,
            ",\"fails\":\"s%d.no\",\"undo\":{\"ask\":\"s%d.undo\",\"emits\":\"s%d.undone\","
            "\"fails\":\"s%d.stays\"",
            (int)index, (int)index, (int)index, (int)index);
        if (generator_chance(random, 30))
            put(out, ",\"retry\":%u", generator_below(random, 3));
        if (generator_chance(random, 30))
            put(out, ",\"with\":\"{out: $steps.s%d.out, why: $saga.cause}\"", (int)index);
        put(out, "}");
        if (generator_chance(random, 60))
            put(out, ",\"retry\":%u", generator_below(random, 3));
        if (generator_chance(random, 10))
            put(out, ",\"if\":\".n %% 2 == 0\"");
        if (generator_chance(random, 20))
            put(out, ",\"set\":\".s%d = $event.data\"", (int)index);
        if (generator_chance(random, 10))
            put(out, ",\"late\":\"accept\"");
    }
    if (optional)
        put(out, ",\"optional\":true");
    put(out, ",\"timeout\":\"%us\"}", 1 + generator_below(random, 20));
}

int32_t generator_saga(uint64_t *random, const char *name, generator_text *out)
{
    static const char *const orders[] = {"causal", "reverse", "parallel"};
    const bool spaced = strcmp(name, "p") != 0;
    const bool pivot = generator_chance(random, 50);
    int32_t index = 0;
    int32_t first = 0;
    int32_t count = 0;
    put(out,
        "{\"saga\":\"%s\"%s%s%s,\"version\":1,\"keys\":{\"k\":\"string\"},\"services\":{\"a\":{"
        "\"sticky\":"
        "true}},\"undo_order\":\"%s\","
        "\"defaults\":{\"key\":{\"k\":\".data.k\"}},"
        "\"events\":{\"go\":{\"from\":\"a\"},\"stop\":{\"from\":\"a\"}},\"start\":{\"when\":\"go\"}"
        ","
        "\"abort\":[{\"when\":\"stop\"}],\"stuck\":{\"after\":\"2m\"},\"steps\":{",
        name, spaced ? ",\"namespace\":\"" : "", spaced ? name : "", spaced ? "\"" : "",
        orders[generator_below(random, 3)]);
    const int32_t layers = 1 + (int32_t)generator_below(random, 3);
    for (int32_t layer = 0; layer < layers; layer++) {
        const int32_t width = 1 + (int32_t)generator_below(random, 3);
        const int32_t start = index;
        for (int32_t i = 0; i < width; i++)
            put_step(random, out, index++, BEFORE_PIVOT, first, count);
        first = start;
        count = width;
    }
    if (pivot) {
        /* After every step before it, whatever its end, so that nothing fallible overlaps it
         * (E310). */
        put(out,
            ",\"s%d\":{\"service\":\"a\",\"emits\":\"s%d.ok\",\"fails\":\"s%d.no\",\"ask\":\"s%d."
            "ask\",\"pivot\":true,"
            "\"undo\":\"never\",\"retry\":\"forever\",\"timeout\":\"5s\",\"after\":[",
            (int)index, (int)index, (int)index, (int)index);
        for (int32_t i = 0; i < index; i++)
            put(out, "%s{\"over\":\"s%d\"}", i == 0 ? "" : ",", (int)i);
        put(out, "]}");
        first = index++;
        count = 1;
        const int32_t width = (int32_t)generator_below(random, 3);
        for (int32_t i = 0; i < width; i++)
            put_step(random, out, index++, AFTER_PIVOT, first, count);
    }
    put(out, "},\"ends\":{\"completed\":{\"emit\":\"end.ok\"},\"compensated\":{\"emit\":\"end."
             "back\",\"with\":\"$saga.cause\"}}}");
    return index;
}
