/* `troupe verify`: is the state the same, whichever way it is rebuilt? */
#include <stdio.h>

#include "cli/out.h"
#include "cli/session.h"

typedef struct verify_options {
    bool json;
} verify_options;

static const cli_option table[] = {
    {"json", NULL, CLI_FLAG, offsetof(verify_options, json),
     "a line for each partition: partition, same"},
};

static cli_exit verify(cli_session *session, engine_view *view, bool json)
{
    int32_t different = 0;
    for (int32_t i = 0; i < view->partition_count && !cli_broken(); i++) {
        base_error error;
        bool same = false;
        base_error_clear(&error);
        const base_status status = engine_view_verify(view, i, &same, &error);
        if (base_failed(status)) {
            return cli_failure(status, &error);
        }
        different += same ? 0 : 1;
        if (json) {
            cli_object object;
            base_arena_reset(&session->scratch);
            cli_object_begin(&object, &session->scratch);
            cli_member_number(&object, "partition", i);
            cli_member_bool(&object, "same", same);
            (void)cli_object_write(&object);
        } else if (!same) {
            (void)printf("partition %d differs\n", (int)i);
        }
    }
    if (!json && different == 0) {
        (void)printf("%d partitions: rebuilt from the first entry and from snapshots, the same to "
                     "the byte\n",
                     (int)view->partition_count);
    }
    return different == 0 ? CLI_OK : CLI_NO;
}

static cli_exit run(const cli_command *command, int argc, char **argv)
{
    verify_options o = {0};
    cli_session session = {0};
    engine_view view = {0};
    cli_line line;
    cli_exit result = CLI_OK;
    if (!cli_parse(command, argc, argv, &o, &line, &result)) {
        return result;
    }
    if (line.word_count > 0) {
        return cli_usage("verify", "what is \"%s\"?", line.words[0]);
    }
    result = cli_session_open(&session, &line, true);
    if (result == CLI_OK) {
        result = cli_session_view(&session, &view);
    }
    if (result == CLI_OK) {
        result = verify(&session, &view, o.json);
    }
    engine_view_close(&view);
    cli_session_close(&session);
    return cli_end(result);
}

const cli_command cli_verify = {
    .name = "verify",
    .summary = "is the state the same, whichever way it is rebuilt?",
    .arguments = "",
    .text =
        "Rebuilds every partition twice, from the journal's first entry and from the newest "
        "snapshots and the tail, and\ncompares them byte for byte. An engine may run meanwhile.\n"
        "Exit code 1 when a partition differs.",
    .examples = "  troupe verify --log kafka://localhost:9092\n",
    .options = table,
    .option_count = sizeof(table) / sizeof(table[0]),
    .keys = CLI_KEYS_LOG,
    .run = run,
};
