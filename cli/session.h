/* Session: configuration put together, and the log opened, for one run of a subcommand. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/cli.h"
#include "connectors/log.h"
#include "engine/config.h"
#include "engine/logger.h"
#include "engine/topics.h"
#include "engine/view.h"

typedef struct cli_session {
    engine_config config;
    engine_logger logger; /* warnings and errors, on stderr */
    log_store *store;
    engine_topics topics;
    base_arena arena;
    base_arena scratch; /* one line of output */
} cli_session;

/* Puts the configuration together: file, environment, options. What is wrong is said. */
cli_exit cli_session_config(cli_session *session, const cli_line *line);
/* The same, and opens the log. read_only: nothing will be written. What is wrong is said. */
cli_exit cli_session_open(cli_session *session, const cli_line *line, bool read_only);
/* Accepts what one of the above has begun, also when it failed. */
void cli_session_close(cli_session *session);

/* Opens the session's log once more, for another thread. */
base_status cli_session_open_again(const cli_session *session, log_store **store_out,
                                   base_error *error) BASE_MUST_USE;
/* How many partitions a topic that is made now should have: as the journal has, else as the
 * configuration says. */
int32_t cli_session_partitions(const cli_session *session);

/* The session's saga view, opened; what is wrong is said. */
cli_exit cli_session_view(cli_session *session, engine_view *view);

/* The saga whose instance has the key: `wanted`, or, where that is NULL, the only one. The name
 * lives in the session's arena. CLI_NO: there is none; CLI_USAGE: there are several. Both are said.
 */
cli_exit cli_session_saga_of(cli_session *session, engine_view *view, const char *command,
                             const char *wanted, base_slice key, base_slice *saga_out);

#endif
