/* Holds an amount on a card, gives it back, or takes it. Its first verdict per key is final (C6).
 */
#include "examples/service/service.h"

static const char *authorised(troupe_context *context, const troupe_event *event)
{
    const char *auth = troupe_print(context, "auth-%s", event->key);
    return troupe_print(context, "{\"orderId\":%s,\"authId\":%s,\"amount\":%s}",
                        troupe_quote(context, event->key), troupe_quote(context, auth),
                        troupe_get_json(context, "amount"));
}

static const char *captured(troupe_context *context, const troupe_event *event)
{
    return troupe_print(context, "{\"orderId\":%s,\"authId\":%s,\"amount\":%s}",
                        troupe_quote(context, event->key), troupe_get_json(context, "authId"),
                        troupe_get_json(context, "amount"));
}

static const service_step steps[] = {
    {.ask = "payment.authorise",
     .done = "payment.authorised",
     .refused = "payment.declined",
     .undo = "payment.void",
     .undone = "payment.voided",
     .data = authorised},
    {.ask = "payment.capture",
     .done = "payment.captured",
     .refused = "payment.capture_refused",
     .data = captured},
};

int main(int argc, char **argv)
{
    return service_main(argc, argv,
                        &(service_description){
                            .name = "payments",
                            .type_prefix = "com.acme.",
                            .key_name = "orderId",
                            .steps = steps,
                            .step_count = sizeof(steps) / sizeof(steps[0]),
                        });
}
