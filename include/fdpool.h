/*
 * fdpool: hands connected sockets to a pool of worker processes.
 *
 * A master makes the workers beforehand, watches one descriptor, and gives
 * each client's socket to the least loaded worker (SCM_RIGHTS).  A worker
 * announces how many sockets it can hold (its slots), and the master sends only
 * against free slots.  A socket on its way can be taken back out of the channel
 * until the worker has received it, so a worker that dies, stops or leaves
 * loses no client that was only waiting.
 *
 * The library has no globals, installs no signal handler, never logs and
 * never exits (but in a child it forked, when that child's function returns).
 * One pool, and one worker handle, belong to one thread at a time; different
 * pools may be used from different threads.  Workers die with the thread that
 * started them (PR_SET_PDEATHSIG), which is the one that called fdpool_new,
 * fdpool_resize or fdpool_dispatch: let it live as long as the pool.
 *
 * Results are 0 or a count, or a negative errno.  fdpool(3) has the same
 * contract with complete programs.
 */
#ifndef FDPOOL_H
#define FDPOOL_H

#include <sys/socket.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FDPOOL_TAG_SIZE 32 /* bytes that travel with a socket */
#define FDPOOL_WORKERS_MAX 256 /* workers in one pool */
#define FDPOOL_SLOTS_MAX 65536 /* sockets one worker may hold */
#define FDPOOL_QUEUE_MAX 65536 /* sockets waiting in the master */
#define FDPOOL_HELLO_MAX 4096 /* bytes of start-up data for a worker */
#define FDPOOL_KEEP_MAX 16 /* descriptors kept for an exec'd worker */
#define FDPOOL_LISTENERS_MAX 64 /* listening sockets of one pool */
#define FDPOOL_WINDOW 64 /* sockets sent to a worker, not yet taken */
#define FDPOOL_CHANNEL_FD 3 /* an exec'd worker finds its channel here */

#ifdef __cplusplus
#define FDPOOL_ALIGNAS(n) alignas(n)
#else
#define FDPOOL_ALIGNAS(n) _Alignas(n)
#endif

struct fdpool;
struct fdpool_worker;

/* Opaque to the library; what the master writes, the worker reads. */
struct fdpool_tag {
	FDPOOL_ALIGNAS(8) unsigned char bytes[FDPOOL_TAG_SIZE];
};

/*
 * Counts of one worker or of the whole pool.  The first five are of this
 * moment, the others only grow.  What workers report is read in
 * fdpool_dispatch, at each call and at the latest with the next heartbeat.
 */
struct fdpool_counts {
	uint64_t free; /* slots of ready workers that nobody is in */
	uint64_t in_flight; /* sent to a worker, not yet taken (received) */
	uint64_t held; /* taken and not yet done */
	uint64_t queued; /* waiting in the master (0 for one worker) */
	uint64_t stuck; /* processes that SIGKILL has not ended, replaced */
	uint64_t given; /* sent, each time (a socket given again counts) */
	uint64_t taken; /* received by workers */
	uint64_t done; /* said by workers */
	uint64_t lost; /* held by a worker when it died */
	uint64_t given_again; /* taken back from a worker that died, fell
				 silent, left or had no descriptors */
	uint64_t refused; /* turned away: queue full, or by on_accept */
	uint64_t restarted; /* workers replaced after dying */
};

enum fdpool_worker_state {
	FDPOOL_EMPTY, /* no process: waits for its restart delay */
	FDPOOL_STARTING, /* started, has not announced its slots yet */
	FDPOOL_READY, /* gets clients */
	FDPOOL_SILENT, /* missed a heartbeat or is stopped: gets none */
	FDPOOL_DRAINING, /* finishes what it holds, then ends */
	FDPOOL_DYING, /* was sent SIGKILL, not yet reaped or given up */
	FDPOOL_WORKER_STATES
};

struct fdpool_worker_info {
	enum fdpool_worker_state state;
	int pid; /* -1 when there is no process */
	unsigned slots; /* as announced; 0 before that */
	struct fdpool_counts counts;
};

/* What on_event is told, for a log line.  Nothing needs an answer. */
enum fdpool_event_type {
	FDPOOL_EV_STARTED, /* worker, pid */
	FDPOOL_EV_READY, /* worker, pid, value = slots */
	FDPOOL_EV_SILENT, /* worker, pid, value = ms since last heard */
	FDPOOL_EV_BACK, /* worker, pid: a silent one was heard again */
	FDPOOL_EV_KILLED, /* worker, pid, error: why it was killed */
	FDPOOL_EV_ENDED, /* worker, pid, value = waitid si_status, error =
			    si_code (CLD_EXITED ...; 0: somebody else took the
			    status) */
	FDPOOL_EV_RESTART_WAITS, /* worker, value = delay in ms */
	FDPOOL_EV_START_FAILED, /* worker, error: fork or socketpair */
	FDPOOL_EV_ACCEPT_PAUSED, /* error: -EMFILE, ...; value = pause in ms;
				    error 0: the queue is full */
	FDPOOL_EV_ACCEPT_RESUMED, /* nothing more */
	FDPOOL_EV_DRAINED, /* the last worker has ended after a drain */
	FDPOOL_EV_STUCK, /* worker, pid, value = how many there are: SIGKILL
			    has not ended it within a second, and it is given
			    up (its FDPOOL_EV_ENDED may come later); or error
			    -EAGAIN: it is waited for, as there are as many
			    as places already */
	FDPOOL_EVENTS
};

struct fdpool_event {
	enum fdpool_event_type type;
	int worker; /* index, -1 when it is about the pool */
	int pid; /* -1 when there is none */
	int error; /* 0 or a negative errno, but see FDPOOL_EV_ENDED */
	int64_t value;
};

/* A constant text for logs, never NULL: "ready", "silent", ... */
const char *fdpool_event_name(enum fdpool_event_type);
const char *fdpool_worker_state_name(enum fdpool_worker_state);

/* A socket as a worker receives it. */
struct fdpool_client {
	int fd; /* CLOEXEC is set; O_NONBLOCK is as the master set it */
	struct fdpool_tag tag;
};

/*
 * How a pool is made.  Zero means the default named on the line.  Everything
 * pointed to is copied by fdpool_new, but run_arg and arg, which must live as
 * long as the pool.
 */
struct fdpool_options {
	unsigned workers; /* 1..FDPOOL_WORKERS_MAX; default 1 */
	unsigned queue_max; /* 1..FDPOOL_QUEUE_MAX waiting; default 1024 */

	/*
	 * Exactly one of the two.  run: called in a forked child with its
	 * channel; its result is the exit status, given to _exit(2).  All
	 * descriptors of the pool but that channel are closed there; the
	 * caller's own stay open.
	 * argv: a program and its arguments (NULL ends them; program is its
	 * path, argv[0] when that is NULL).  It finds its channel at
	 * FDPOOL_CHANNEL_FD, keep_fds after it in their order, 0 to 2 as the
	 * master's, and nothing else open.  A program that cannot be run ends
	 * with status 127.
	 * Both ways a worker starts with no signal blocked and all signals at
	 * their default, and gets SIGKILL when the master dies; a worker that
	 * changes its user must ask for that anew (PR_SET_PDEATHSIG).
	 */
	int (*run)(int chan_fd, void *run_arg);
	void *run_arg;
	const char *const *argv;
	const char *program;
	const int *keep_fds; /* borrowed for good: not closed by the pool */
	size_t n_keep_fds; /* up to FDPOOL_KEEP_MAX */

	/* Sent to each worker first: fdpool_worker_hello. */
	const void *hello;
	size_t hello_len; /* 0..FDPOOL_HELLO_MAX */

	/* All in milliseconds, and up to 3600000 where no other limit is
	 * given.  The restart delay of a worker that keeps dying grows 0, 100,
	 * 200, 400 ... up to restart_max_ms, but 100 at most while no other
	 * worker lives. */
	unsigned heartbeat_ms; /* 10..60000 between pings; default 1000 */
	unsigned silent_ms; /* unheard for so long: killed; at least 2 beats;
			       default 10000, or 2 beats if that is more */
	unsigned start_ms; /* to announce itself; default 10000 */
	unsigned restart_max_ms; /* default 2000 */
	unsigned accept_pause_ms; /* after EMFILE and the like; default 200 */
	unsigned accept_batch; /* accepted at one go; 1..256; default 64 */

	/*
	 * Called for each accepted socket of fdpool_listen, before it is
	 * given.  Fills the tag (zeroed before); false refuses the client,
	 * which the pool then closes.  Must not block, call the pool or
	 * keep conn_fd.  NULL: every client is given with an empty tag.
	 */
	bool (*on_accept)(void *arg, int conn_fd, unsigned listener_id,
	    const struct sockaddr *peer, socklen_t peer_len,
	    struct fdpool_tag *);
	/* NULL: nothing is told.  Must not call the pool. */
	void (*on_event)(void *arg, const struct fdpool_event *);
	void *arg;
};

/* ---- the master ---- */

/*
 * Makes a pool and starts its workers.  The pool is the caller's, for
 * fdpool_free.  Returns 0, -EINVAL (an option out of its range, or a keep_fd
 * that is not open), -ENOMEM, -EMFILE, or what fork and socketpair said; *pool
 * is untouched then and no child is left.
 */
int fdpool_new(struct fdpool **pool, const struct fdpool_options *);

/*
 * The one descriptor to watch for reading (it is an epoll descriptor of the
 * pool's own).  Belongs to the pool, valid until fdpool_free.
 */
int fdpool_fd(const struct fdpool *);

/*
 * Does all that is due: accepts, gives, counts, reaps, restarts, beats.
 * Never blocks.  Call it when fdpool_fd is readable.
 * Returns 0, or -errno when the pool's own epoll failed, which is final.
 */
int fdpool_dispatch(struct fdpool *);

/*
 * Accepts clients from listen_fd inside fdpool_dispatch.  listen_fd must be
 * a listening, non-blocking stream socket; it is borrowed until
 * fdpool_unlisten, fdpool_drain or fdpool_free.  Accepted sockets are CLOEXEC
 * and O_NONBLOCK (fdpool_worker_wait takes the latter off).  While the waiting
 * queue is full the pool does not accept: clients wait in the kernel's
 * backlog; it begins again when a quarter of the queue is empty.  EMFILE,
 * ENFILE, ENOBUFS and ENOMEM: one client of a listener is taken off its backlog
 * with a spare descriptor and closed, then accepting pauses for
 * accept_pause_ms.
 * Returns 0, -EINVAL (not such a socket), -EEXIST, -ENOSPC
 * (FDPOOL_LISTENERS_MAX), -ESHUTDOWN (the pool drains), or what epoll said.
 */
int fdpool_listen(struct fdpool *, int listen_fd, unsigned listener_id);

/* Stops accepting from listen_fd, which is the caller's again.
 * Returns 0 or -ENOENT. */
int fdpool_unlisten(struct fdpool *, int listen_fd);

/*
 * Sends conn_fd to the least loaded worker, or queues it when all are full.
 * Takes conn_fd on every path: on failure it is closed here.  tag may be
 * NULL (all zero).  Returns 0, -EAGAIN (the queue is full), -ESHUTDOWN (the
 * pool drains), -EBADF (conn_fd is not open).  A descriptor that the kernel
 * will not pass is closed when that is found out, and counted as refused.
 */
int fdpool_give(struct fdpool *, int conn_fd, const struct fdpool_tag *tag);

/*
 * Changes the number of workers, 1..FDPOOL_WORKERS_MAX.  New ones start at
 * once; those over the number, the highest first, get no more clients, finish
 * what they hold and end.  Returns 0, -EINVAL, -ESHUTDOWN (the pool drains),
 * -EAGAIN (leaving workers still fill the places) or what starting said (the
 * number then stays as far as it came).
 */
int fdpool_resize(struct fdpool *, unsigned workers);

/*
 * Begins the end: the listeners are let go, queued clients are still given,
 * each worker ends when it holds nothing more.  fdpool_dispatch goes on as
 * before; fdpool_is_drained says when all have ended.  A worker whose client
 * never ends is not hurried: fdpool_free is the caller's limit.
 */
void fdpool_drain(struct fdpool *);
bool fdpool_is_drained(const struct fdpool *);

/* Kills what still runs, reaps it (a process that two seconds after SIGKILL is
 * still in the kernel is left to it), closes everything.  NULL is fine. */
void fdpool_free(struct fdpool *);

/* The whole pool's counts; those of ended workers are in them. */
void fdpool_counts(const struct fdpool *, struct fdpool_counts *);

/* How many worker places there are, draining ones included.  Places below the
 * highest may be FDPOOL_EMPTY for good after fdpool_resize. */
unsigned fdpool_workers(const struct fdpool *);

/* Returns 0, or -ENOENT for an index past fdpool_workers. */
int fdpool_worker_info(
    const struct fdpool *, unsigned index, struct fdpool_worker_info *);

/* ---- the worker ---- */

/*
 * Takes the channel (on every path) and waits for the hello.  A worker drops
 * its rights before this.  slots is how many clients it can hold, announced by
 * fdpool_worker_ready.
 * slots = 1 says that this worker serves its client in blocking calls: while
 * it holds one the master expects no answer to its pings, and notices only
 * that it is stopped or dead.  With more slots it must come back to
 * fdpool_worker_recv (or _wait) within each heartbeat, busy or not.
 * Returns 0, -EINVAL (slots not 1..FDPOOL_SLOTS_MAX, or no descriptor),
 * -ENOTSOCK, -ENOMEM, -EPIPE (the master is gone), -EPROTO (the master spoke
 * nonsense).
 */
int fdpool_worker_open(struct fdpool_worker **, int chan_fd, unsigned slots);

/*
 * Announces the slots: clients may arrive from now on.  Called when the worker
 * has set up what it needs; one that ends before counts as one that could not
 * serve, and is replaced after ever longer delays.  fdpool_worker_wait and
 * _recv do it if it was not done; an event loop that first waits for
 * fdpool_worker_fd must do it itself.  Again is fine.
 * Returns 0, or -EPIPE (the master is gone).
 */
int fdpool_worker_ready(struct fdpool_worker *);

/* The master's hello; belongs to the handle, valid until it is closed. */
const void *fdpool_worker_hello(const struct fdpool_worker *, size_t *len);

/* This worker's index in the pool, 0.. */
unsigned fdpool_worker_index(const struct fdpool_worker *);

/*
 * The course note's way, for slots = 1: waits for one client.  What was said
 * with fdpool_worker_done before is sent first.  client->fd is the caller's
 * and is blocking.  Signals do not end the wait.  Returns 1, 0 (the pool
 * drains or the master is gone: end now), -EPROTO (end now), or -EMFILE (there
 * is no room for a client in the descriptor table; go on).
 *
 * A client who finds no room in the table stays where he is, however full it
 * is and whoever has filled it: the master gives him to another, and this
 * worker none for 200 ms.
 */
int fdpool_worker_wait(struct fdpool_worker *, struct fdpool_client *client);

/*
 * The event loop's way: the descriptor to watch for reading
 * (level-triggered, or call fdpool_worker_recv until it gives 0).
 */
int fdpool_worker_fd(const struct fdpool_worker *);

/*
 * Receives what has come, up to cap clients (at least 1), without waiting;
 * answers the master's pings; sends what is owed from before.  From now on the
 * clients are this worker's, and lost if it dies; their descriptors are the
 * caller's.  A worker that is being started may have inherited a socket for a
 * moment, so a close(2) may not be the last: an event loop must stand an event
 * for a socket that it has closed (or EPOLL_CTL_DEL before).  Returns how many
 * came (0: none for now), -EINVAL (cap is 0), -EPIPE (the master is gone: end
 * now), -EPROTO (end now), or -EMFILE (as above; go on, fdpool_worker_fd may
 * stay readable until the master has reacted).
 */
ssize_t fdpool_worker_recv(
    struct fdpool_worker *, struct fdpool_client *clients, size_t cap);

/* Whether the pool drains: no client will come; end when none is held. */
bool fdpool_worker_is_draining(const struct fdpool_worker *);

/*
 * How many slots the master asks this worker to free, if it can: all workers
 * are full and clients wait.  It may close so many of those that it holds for
 * nothing, idle ones say.  Told once: 0 until the master asks again, which it
 * does while clients wait, each time the worker has said that some are done,
 * and with each heartbeat.  Always 0 for slots = 1.  Look after each
 * fdpool_worker_recv.
 */
unsigned fdpool_worker_wanted(struct fdpool_worker *);

/*
 * Says that n clients are finished and their sockets closed.  Sent by
 * fdpool_worker_flush, _wait, _recv or _close.  A worker that says more than it
 * holds is killed by the master.
 */
void fdpool_worker_done(struct fdpool_worker *, unsigned n);

/*
 * Sends what has been taken and done, in one message.  An event loop calls it
 * once per turn, after the turn's work: until then the master counts what was
 * taken as in flight (FDPOOL_WINDOW at most).  Without need it makes no system
 * call.  What finds no room in the channel stays owed and goes with the next
 * call.  Returns 0, -EPIPE (the master is gone).
 */
int fdpool_worker_flush(struct fdpool_worker *);

/*
 * Sends what is owed, waiting for room in the channel, and closes it, which
 * tells the master that this worker ends: a process that stays is killed after
 * silent_ms.  NULL is fine.
 */
void fdpool_worker_close(struct fdpool_worker *);

#ifdef __cplusplus
}
#endif

#endif
