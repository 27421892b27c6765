/*
 * The control socket: a local stream socket on which the master writes its
 * counts to whoever connects, without reading a byte, and hangs up.
 */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "fdpool.h"

/*
 * The default path for a server on this port: $RUNTIME_DIRECTORY, else
 * $XDG_RUNTIME_DIR, else /run for root, else /tmp/netpan-UID, and
 * netpand-PORT.sock in it.  0, -ENAMETOOLONG, or -EPERM (that folder in /tmp
 * is another user's).
 */
int control_default_path(char *out, size_t cap, unsigned port);

struct control {
	int listen_fd; /* -1: none */
	int spare_fd; /* given up to answer when the table is full */
};

/*
 * Listens at path, mode 0600; a socket left by a dead server is replaced.
 * 0, -EADDRINUSE (a server is there, be it stopped), -errno.
 */
int control_listen(struct control *, const char *path);
void control_close(struct control *);

/* Accepts and answers all who wait, also when no descriptor is left. */
void control_answer(struct control *, const struct fdpool *, bool draining);

/*
 * The other side: asks the server at path and prints what it says.  0, or
 * -errno (-ENOENT, -ECONNREFUSED: nobody is there; -ETIMEDOUT: it does not
 * answer within 2 s; -EPROTO: another version).
 */
int control_print(const char *path, bool as_json);

#endif
