/*
 * A client's connection in a worker: its socket, its buffers, its deadline,
 * and the door (protocol) it came through.  A step of the door does one turn
 * of work and says what it waits for; conn.c turns that into epoll interest
 * and deadlines.  Closing only marks: the loop frees after the batch.
 */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/timer.h"
#include "fdpool.h"
#include "server/helpers.h"
#include "server/slab.h"
#include "server/wire.h"

struct conn;
struct source;
struct worker;

enum want {
	WANT_NOTHING, /* go on at once; within a door only */
	WANT_READ, /* all there is was read: wake me when there is more */
	WANT_WRITE, /* the socket is full: wake me when there is room */
	WANT_TURN, /* I could go on, but others are waiting */
	WANT_DISK, /* a job is out; its done wakes me */
	WANT_LEAVE, /* send what is in out, then close so that it arrives */
	WANT_CLOSE
};

/* In life order. */
enum conn_state {
	CONN_FREE,
	CONN_HELLO, /* has not said what it speaks */
	CONN_IDLE, /* between requests */
	CONN_REQUEST, /* part of a request is here */
	CONN_ANSWER, /* being answered, or has not taken all of an answer */
	CONN_LEAVING, /* told the last; its rest is read and thrown away */
	CONN_CLOSING, /* socket closed; waits for a job to come back */
	CONN_STATES
};

/* One protocol.  All are called on the loop. */
struct door {
	bool hears_first; /* a request comes before an answer */
	enum want (*step)(struct conn *);
	/* The connection closes: free what conn->answer points to; no job of
	 * it is out.  NULL: nothing to do. */
	void (*closed)(struct conn *);
	/* The connection is closed: jobs that are out shall end early.  True
	 * while one is; conn_job_done asks again.  NULL: the door has no
	 * jobs. */
	bool (*stop_jobs)(struct conn *);
};

struct conn {
	struct worker *worker;
	const struct door *door;
	void *answer; /* the door's own, while it answers; else NULL */
	int fd;
	enum conn_state state;
	bool in_epoll;
	bool may_read; /* there may be more to receive than was */
	bool is_half; /* its end of what the client sends may be there too */
	bool is_full; /* the socket: an event says when it is not */
	bool is_corked; /* only full segments leave for now */
	bool says_no_more; /* the client has promised so, and all is read */
	bool at_eof; /* the client sends no more */
	bool is_proxy; /* --trust-proxy: it speaks for others */
	bool on_disk; /* its last turn ended with WANT_DISK */
	bool is_gone; /* the socket is dead: nobody waits for an answer */
	bool is_shut; /* was told that no more comes */
	bool woken; /* linked in the worker's ready list */
	struct link ready;
	struct timer timer;
	uint64_t deadline_ms; /* the timer may be set to before it */
	size_t scanned; /* of in, for the end of a head; the door's */
	struct buf in; /* memory only while bytes are in it */
	struct buf out;
	uint64_t n_sent; /* bytes, ever */
	uint64_t window_taken; /* bytes the client had, when the window began */
	bool window_open; /* the rate is being measured */
	uint32_t n_thrown; /* bytes read while leaving */
	uint32_t turn_left; /* bytes this turn may still send */
	uint32_t number; /* in the table, for the log */
	struct wire_tag peer; /* its address: of whom a proxy speaks for */
	struct addr accepted; /* the one that was connected from */
	struct source *source; /* peer's */
};

#define CONN_IN_SIZE (LIM_TRAIN_REQUEST_BYTES + 64)
#define CONN_OUT_SIZE (256 * 1024)
#define CONN_TURN_BYTES (2 * 1024 * 1024) /* at most, and at least: */
#define CONN_TURN_MIN (128 * 1024)
#define CONN_REQUEST_COST (4 * 1024) /* of a turn, beside its bytes */
#define CONN_LINGER_BYTES (512 * 1024) /* thrown away while leaving */

/* ---- for the worker ---- */

/* Takes client->fd.  The connection is then in the ready list. */
void conn_open(struct conn *, struct worker *, const struct fdpool_client *);
void conn_wake(struct conn *);
/* What epoll said of its socket. */
void conn_event(struct conn *, uint32_t events);
/* Receives the request that may have come, ahead of the turn; so all who are
 * heard before the first of them is answered share what is then looked up. */
void conn_hear(struct conn *);
/* One turn of its door. */
void conn_run(struct conn *);
void conn_timed_out(struct conn *);
/* The pool drains: idle ones close, others after their answer. */
void conn_drain(struct conn *);

/* Is it held for nothing, and has been since then? */
bool conn_may_go(const struct conn *, uint64_t *since_ms);
/* Ends it at once, whatever it was at; not while events are handed out. */
void conn_drop(struct conn *);

/* A job of this connection has come back (its is_out is false). */
void conn_job_done(struct conn *);

/* ---- for the doors ---- */

void conn_set_state(struct conn *, enum conn_state);
/* peer's address has become another's.  False: it has too many connections,
 * or there is no memory. */
bool conn_set_source(struct conn *);
/* An answer is whole: CONN_IDLE, with the deadline for the next request. */
void conn_idle(struct conn *);

/*
 * Reads what has come into conn->in (which gets memory if it has none).  A
 * short count was all there is, and is remembered: no call is made in vain.
 * Returns a count, 0 at the end of what the client sends, -EAGAIN, -ENOBUFS
 * (in is full), -ENOMEM, or what recv said.
 */
ssize_t conn_read(struct conn *);

/* Takes n bytes' worth of work from the turn. */
void conn_charge(struct conn *, uint64_t n);

/* Gives conn->out memory if it has none, and room at its tail: half of it at
 * least while no more than half is in use.  0 or -ENOMEM. */
int conn_need_out(struct conn *);

/*
 * Sends conn->out; more: bytes follow at once.  Returns 0 when all is gone
 * (out has no memory then), -EAGAIN, or what send said.
 */
int conn_flush(struct conn *, bool more);

/*
 * Sends up to len bytes of fd from *off, which is moved on, and no more than
 * the turn allows.  Returns the count, 0 at the end of the file, -EAGAIN, or
 * what sendfile said.
 */
ssize_t conn_sendfile(struct conn *, int fd, uint64_t *off, uint64_t len);

/* Sends a gathered message; more as in conn_flush.  The count, -EAGAIN, or what
 * sendmsg said. */
struct iovec;
ssize_t conn_writev(struct conn *, const struct iovec *, int n, bool more);

/* Shall a close, whoever does it, be a reset for the client?  Not with a unix
 * socket, which knows none. */
void conn_reset_on_close(struct conn *, bool);

/* "conn 17 203.0.113.5"; valid until the next call. */
const char *conn_name(const struct conn *);

#endif
