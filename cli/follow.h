/*
 * Follow: the journals as they grow, told entry by entry on standard output (`troupe dev`). On its
 * own connection to the log, in a thread of its own.
 */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/session.h"

typedef struct cli_follow cli_follow;

/* Remembers where the journals end now, so that nothing that is written from now on is missed, and
 * opens the connection. The thread begins with cli_follow_start. What is wrong is said. */
cli_exit cli_follow_open(const cli_session *session, bool json, cli_follow **follow_out);
/* Begins to tell. The journals must be there by now. */
cli_exit cli_follow_start(cli_follow *follow);
/* Tells what is on the log by now, stops, frees. NULL is fine. */
void cli_follow_close(cli_follow *follow);

#endif
