/* Reserves the lines of an order, and releases them. */
#include "examples/service/service.h"

static const char *reserved(troupe_context *context, const troupe_event *event)
{
    return troupe_print(context, "{\"orderId\":%s,\"warehouse\":\"W%d\",\"lines\":%s}",
                        troupe_quote(context, event->key),
                        (int)(troupe_get_count(context, "lines") % 3) + 1,
                        troupe_get_json(context, "lines"));
}

static const service_step steps[] = {
    {.ask = "stock.reserve",
     .done = "stock.reserved",
     .refused = "stock.refused",
     .undo = "stock.release",
     .undone = "stock.released",
     .data = reserved},
};

int main(int argc, char **argv)
{
    return service_main(argc, argv,
                        &(service_description){
                            .name = "stock",
                            .type_prefix = "com.acme.",
                            .key_name = "orderId",
                            .steps = steps,
                            .step_count = sizeof(steps) / sizeof(steps[0]),
                        });
}
