/* What the words that talk to a server have in common. */
#ifndef CLIENT_REMOTE_H
#define CLIENT_REMOTE_H

#include <stdint.h>

#include "client/options.h"
#include "client/session.h"
#include "client/url.h"

struct remote {
	struct url url;
	struct session session;
};

#define REMOTE_TIMEOUT_ROW                                             \
	{                                                              \
		't', true, "timeout", "seconds",                       \
		    "a server silent for so long is gone (default 60)" \
	}

/* Of -t: CLIENT_DONE or CLIENT_USAGE. */
int remote_timeout(const struct command *, const char *arg, uint64_t *seconds);

/* CLIENT_DONE, or another exit status, and the user was told why. */
int remote_parse(struct remote *, const struct command *, const char *address);

/* Looks up the host; from then on signals are the session's.  seconds: of
 * -t, or 0. */
int remote_open(struct remote *, const struct command *, uint64_t seconds);
void remote_close(struct remote *);

#endif
