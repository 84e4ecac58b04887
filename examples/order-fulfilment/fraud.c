/* Says whether an order looks honest. It changes nothing, so there is nothing to undo. */
#include "examples/service/service.h"

static const char *cleared(troupe_context *context, const troupe_event *event)
{
    int64_t total = 0;
    const int score = troupe_get_integer(context, "total", &total) && total > 10000 ? 70 : 10;
    return troupe_print(context, "{\"orderId\":%s,\"score\":%d}", troupe_quote(context, event->key),
                        score);
}

static const service_step steps[] = {
    {.ask = "fraud.check", .done = "fraud.cleared", .refused = "fraud.blocked", .data = cleared},
};

int main(int argc, char **argv)
{
    return service_main(argc, argv,
                        &(service_description){
                            .name = "fraud",
                            .type_prefix = "com.acme.",
                            .key_name = "orderId",
                            .steps = steps,
                            .step_count = sizeof(steps) / sizeof(steps[0]),
                        });
}
