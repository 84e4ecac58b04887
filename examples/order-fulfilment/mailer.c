/* Nobody asks the mailer: it listens to the carriers and sends a receipt. */
#include "examples/service/service.h"

static const char *sent(troupe_context *context, const troupe_event *event)
{
    return troupe_print(context, "{\"orderId\":%s,\"trackingId\":%s}",
                        troupe_quote(context, event->key), troupe_get_json(context, "trackingId"));
}

static const service_reaction reactions[] = {
    {.topic = "carriers.events",
     .type = "shipment.booked",
     .name = "receipt",
     .done = "receipt.sent",
     .data = sent},
};

int main(int argc, char **argv)
{
    return service_main(argc, argv,
                        &(service_description){
                            .name = "mailer",
                            .type_prefix = "com.acme.",
                            .key_name = "orderId",
                            .reactions = reactions,
                            .reaction_count = sizeof(reactions) / sizeof(reactions[0]),
                        });
}
