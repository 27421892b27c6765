/*
 * Whom a command talks to, and how patiently.  Made once, then shared by all
 * connections and threads.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "client/url.h"

struct session {
	const struct addrinfo *addrs; /* NULL: dial is another */
	_Atomic(const struct addrinfo *) good; /* answered last */
	atomic_bool was_reached; /* somebody took a connection */
	int stop_fd; /* see stop.h; -1: never stopped */
	unsigned silence_ms; /* of the server, while it owes an answer */
	unsigned retries; /* in a row without one new byte */
	unsigned delay_ms; /* each retry waits that much longer, up to 1 s */
	size_t read_max; /* bytes a read takes; 0: what there is room for */
	/* Makes a connected, non-blocking socket: 0 and *fd, or -errno. */
	int (*dial)(struct session *, int *fd);
	void *dial_arg;
	/* Called every 100 ms while something is waited for, by the thread that
	 * waits; NULL: nobody wants to know. */
	void (*on_wait)(void *);
	void *wait_arg;
};

/*
 * Looks the host up: may take long, so call before stop_open.  0, or
 * -EHOSTUNREACH with *reason (a constant).
 */
int session_open(struct session *, const struct url *, const char **reason);
void session_close(struct session *);

/* How long to wait at once, of ms that are left; calls on_wait. */
unsigned session_slice(const struct session *, uint64_t ms);

/*
 * Counts one more failure in *tries and waits before the next attempt.  err is
 * what failed; a silent server counts for many.  0: try again; -EINTR: the
 * user wants an end; -ETIMEDOUT: enough.
 */
int session_retry(const struct session *, unsigned *tries, int err);

#endif
