/* Says welcome to every contact that was added. */
#include "examples/service/service.h"

static const char *sent(troupe_context *context, const troupe_event *event)
{
    return troupe_print(context, "{\"userId\":%s,\"to\":%s}", troupe_quote(context, event->key),
                        troupe_get_json(context, "email"));
}

static const service_reaction reactions[] = {
    {.topic = "crm.events",
     .type = "contact.added",
     .name = "welcome",
     .done = "welcome.sent",
     .data = sent},
};

int main(int argc, char **argv)
{
    return service_main(argc, argv,
                        &(service_description){
                            .name = "mailer",
                            .key_name = "userId",
                            .reactions = reactions,
                            .reaction_count = sizeof(reactions) / sizeof(reactions[0]),
                        });
}
