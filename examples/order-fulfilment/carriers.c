/* Books a shipment; some time later it reports by itself that the parcel has arrived. */
#include "examples/service/service.h"

#define TRANSIT_MS 500

static const char *booked(troupe_context *context, const troupe_event *event)
{
    const char *tracking = troupe_print(context, "track-%s", event->key);
    return troupe_print(context, "{\"orderId\":%s,\"trackingId\":%s}",
                        troupe_quote(context, event->key), troupe_quote(context, tracking));
}

static const service_step steps[] = {
    {.ask = "shipment.book",
     .done = "shipment.booked",
     .data = booked,
     .afterwards = "shipment.delivered",
     .afterwards_ms = TRANSIT_MS},
};

int main(int argc, char **argv)
{
    return service_main(argc, argv,
                        &(service_description){
                            .name = "carriers",
                            .type_prefix = "com.acme.",
                            .key_name = "orderId",
                            .steps = steps,
                            .step_count = sizeof(steps) / sizeof(steps[0]),
                        });
}
