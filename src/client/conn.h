/*
 * One connection to a server: frames out, frames in, deadlines.  One thread
 * uses it at a time.
 */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "client/session.h"
#include "train/train.h"

struct conn;

/* session must live as long.  NULL: no memory. */
struct conn *conn_new(struct session *);
void conn_free(struct conn *); /* NULL is fine */

/*
 * Connects and exchanges hellos.  0, or -errno; -EPROTO and -EPROTONOSUPPORT
 * mean that whoever answers there is not to be talked to, -EINTR that the
 * user wants an end.  conn_reason says more.
 */
int conn_connect(struct conn *);

/*
 * The same, and tries again (see session_retry) unless this server was never
 * reached before, or no descriptor is left (-EMFILE).
 */
int conn_reach(struct conn *, unsigned *tries);

bool conn_is_open(const struct conn *);
void conn_disconnect(struct conn *); /* fine when it is not open */

/*
 * Where a request is put; conn_next sends it.  It has room for at least one
 * request of any kind when fewer than CONN_AHEAD are unanswered.
 */
#define CONN_AHEAD 8
struct buf *conn_out(struct conn *);

/* What came: a whole frame, or a piece of a data frame. */
struct arrival {
	struct train_frame frame;
	const unsigned char *bytes; /* valid until the next conn_next */
	size_t len; /* the payload's; of a data frame 1..what is left of it */
};

/*
 * Sends what is in conn_out and waits for what comes.  0, -ETIMEDOUT (the
 * server is silent, or drips), -EPROTO (not the protocol), -EINTR (the user
 * wants an end), or -errno: the connection broke (-ECONNRESET too when it just
 * ended).  After anything but 0 only conn_disconnect makes sense.
 */
int conn_next(struct conn *, struct arrival *);

/*
 * All bytes of a file so big have come, and its end frame has not: the server
 * may have to hash it first, and may be silent longer.  Until the next frame
 * is there.
 */
void conn_await_digest(struct conn *, uint64_t size);
/* So long a server may need for that, in ms. */
uint64_t conn_digest_ms(uint64_t size);

/* A sentence on what failed last, valid until the next call; never NULL. */
const char *conn_reason(const struct conn *);

#endif
