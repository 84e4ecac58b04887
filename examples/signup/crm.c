/* Keeps a contact for every account. It reacts to new accounts; only its undo is ever asked for. */
#include "examples/service/service.h"

static const char *added(troupe_context *context, const troupe_event *event)
{
    return troupe_print(context, "{\"userId\":%s,\"email\":%s}", troupe_quote(context, event->key),
                        troupe_get_json(context, "email"));
}

static const service_reaction reactions[] = {
    {.topic = "accounts.events",
     .type = "account.created",
     .name = "contact",
     .done = "contact.added",
     .refused = "contact.rejected",
     .undo = "contact.remove",
     .undone = "contact.removed",
     .data = added},
};

int main(int argc, char **argv)
{
    return service_main(argc, argv,
                        &(service_description){
                            .name = "crm",
                            .key_name = "userId",
                            .reactions = reactions,
                            .reaction_count = sizeof(reactions) / sizeof(reactions[0]),
                        });
}
