/*
 * What the tests of libfdpool share: a pool with its events written down, a
 * loop that dispatches until something is so, workers that do what their
 * clients say, and clients.
 */
#ifndef FDPOOL_RIG_H
#define FDPOOL_RIG_H

#include "fdpool.h"
#include "helper.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define RIG_EVENTS 4096

struct rig {
	struct fdpool *pool;
	struct fdpool_event events[RIG_EVENTS]; /* the first of them */
	unsigned n_events;
	unsigned n_of[FDPOOL_EVENTS];
	struct fdpool_event last[FDPOOL_EVENTS];
	unsigned dispatches;
	unsigned base_fds; /* open before the pool was made */
};

/* Fills on_event and arg, makes the pool; the test ends if that fails. */
void rig_start(struct rig *, struct fdpool_options *);
/* Frees the pool; no descriptor and no child may be left. */
void rig_end(struct rig *);

/* Dispatches until cond is so; a test that hangs fails with its text. */
#define UNTIL(rig, cond)                                                  \
	do {                                                              \
		int64_t rig_deadline = rig_now() + 30000;                 \
		while (!(cond)) {                                         \
			if (rig_now() > rig_deadline)                     \
				fail_msg("%s:%d: never so: %s", __FILE__, \
				    __LINE__, #cond);                     \
			rig_turn(rig, 20);                                \
		}                                                         \
	} while (0)

/* One turn of a master's loop, waiting up to ms. */
void rig_turn(struct rig *, int ms);
/* Turns for so many heartbeats of the pool; for "nothing happens". */
void rig_turns_for(struct rig *, int ms);
int64_t rig_now(void);

struct fdpool_counts rig_counts(const struct rig *);
struct fdpool_worker_info rig_worker(const struct rig *, unsigned index);
/* SIGSTOP, and returns when it has stopped. */
void rig_stop(int pid);
/* How many workers are in that state. */
unsigned rig_in_state(const struct rig *, enum fdpool_worker_state);

unsigned rig_open_fds(void);

/* ---- clients ---- */

/* A socketpair: one end is given to the pool, the other is the client. */
int rig_client(struct rig *);
int rig_client_tagged(struct rig *, const struct fdpool_tag *);
/* Says a command to its worker without waiting for an answer. */
void rig_say(int client_fd, char command);
/*
 * Ends a client.  It says so and does not only close: a worker forked while
 * it was there has inherited its end.
 */
void rig_leave(int client_fd);
/* Dispatches until the client has a line, of which it gives the number. */
long rig_hear(struct rig *, int client_fd);
/* Says 'p' and hears the pid of the worker that serves it. */
int rig_pid_of(struct rig *, int client_fd);
/* Dispatches until the client's connection has ended. */
void rig_hear_end(struct rig *, int client_fd);

/* A listening stream socket on a free port of 127.0.0.1. */
int rig_listener(uint16_t *port);
int rig_connect(uint16_t port);

/*
 * ---- workers ----
 * A client's commands: p: say your pid.  i: your index.  f: 1 when this
 * socket is blocking, and 2 more when it is CLOEXEC.  t: the first byte of
 * the tag.  h: the length of the hello.  d: this client is done, close it.
 * k: die of SIGKILL.  x: exit with 3 at once.  b: be busy for ever.
 * s: stop (SIGSTOP).
 */
struct rig_work {
	unsigned slots;
};

int rig_event_worker(int chan_fd, void *rig_work);
int rig_blocking_worker(int chan_fd, void *nothing);

/* Memory that forked workers share, zeroed. */
void *rig_shared(size_t len);

#endif
