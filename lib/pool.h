/*
 * The pool's inside, shared by the files of its parts: member.c (a worker's
 * life), stuck.c (and what lives on after SIGKILL), mailbox.c (what workers
 * say), handover.c (the queue and who gets what), recall.c (and back again),
 * listener.c (accepting) and pulse.c (what is due by time).
 */
#ifndef FDP_POOL_H
#define FDP_POOL_H

#include "fdpool.h"
#include "ring.h"

#include <sys/epoll.h>

#define FDP_NEVER INT64_MAX
/* Of each place one may be stuck, and of each place that was left. */
#define FDP_STUCK_MAX (2 * FDPOOL_WORKERS_MAX)
#define FDP_EVENTS \
	(2 * FDPOOL_WORKERS_MAX + FDP_STUCK_MAX + FDPOOL_LISTENERS_MAX + 1)

/* What an epoll event is about: the kind in the upper half of its data, an
 * index in the lower one. */
enum fdp_source {
	FDP_TIMER,
	FDP_MAIL,
	FDP_CHANNEL,
	FDP_PROCESS,
	FDP_STUCK,
	FDP_LISTENER
};

/* One worker place, and the process in it if there is one. */
struct fdp_member {
	unsigned index;
	enum fdpool_worker_state state;
	int pid;
	int pidfd;
	int chan_fd;
	int peer_fd; /* its end, for what it has not received */
	int64_t due_at; /* end of the state's patience */
	int64_t ready_at;
	unsigned next_delay; /* ms before the next restart */
	bool leaving; /* the place goes with its process */
	bool told_stuck; /* that it is not replaced */

	/* credits */
	uint32_t slots; /* 0: not announced yet */
	uint32_t held;
	uint32_t in_flight; /* sent, neither reported nor taken back */
	uint32_t sent_seq; /* of the client sent last */
	struct fdp_ring outbox; /* about to be sent; empty between calls */
	bool full; /* the channel took no more; retried */
	int64_t paused_to; /* it had no descriptors; FDP_NEVER: it is not */
	bool owes_drain;
	bool asked; /* for room; it has made none and had no beat since */

	/* hearing from it */
	uint32_t seen;
	uint32_t ping_seq;
	bool ping_out; /* a ping has gone and its pong not come */
	bool unsure; /* it may yet take for its own what was taken back ... */
	uint32_t sure_seq; /* ... until it has answered this ping or a later */
	bool awaited; /* it should have been heard since the last beat */
	bool heard;
	bool has_left; /* it said so, and says no more */
	bool distrusted;
	unsigned missed; /* beats in a row */

	struct fdpool_counts counts;
};

/* A process that SIGKILL has not ended, and whose place is another's. */
struct fdp_stuck {
	int pid; /* 0: there is none here */
	int pidfd;
	unsigned index;
};

struct fdp_listener {
	int fd;
	unsigned id;
};

struct fdpool {
	struct fdpool_options opt;
	int epoll_fd;
	int mail_fd; /* an epoll of the channels */
	bool awaits_mail; /* mail_fd is in epoll_fd */
	int64_t mail_at; /* when it is again; FDP_NEVER: it is */
	int timer_fd;
	int spare_fd; /* given up for a moment when the table is full */
	struct fdpool_counts total;

	/* worker places; a hole is NULL */
	struct fdp_member *places[FDPOOL_WORKERS_MAX];
	unsigned n_places;

	struct fdp_stuck stuck[FDP_STUCK_MAX];
	unsigned n_stuck;

	/* Room for queue_max, and for all that may come back from workers:
	 * queued + in flight <= queue_max + places * FDPOOL_WINDOW. */
	struct fdp_ring queue;

	struct fdp_listener listeners[FDPOOL_LISTENERS_MAX];
	unsigned n_listeners;
	bool listening; /* the listeners are in the epoll */
	bool queue_full;
	int64_t accept_at; /* FDP_NEVER: not paused */

	/* drain */
	bool draining;
	bool drain_told;
	bool drained;

	/* time */
	int64_t armed_at;
	int64_t beat_at;
	int64_t retry_at;

	struct epoll_event events[FDP_EVENTS];
};

/* ---- pool.c ---- */

int fdp_watch(struct fdpool *, int fd, enum fdp_source, unsigned index);
/* What is watched already is from now on about that. */
int fdp_watch_as(struct fdpool *, int fd, enum fdp_source, unsigned index);
void fdp_unwatch(struct fdpool *, int fd, enum fdp_source);
void fdp_tell(struct fdpool *, enum fdpool_event_type,
    const struct fdp_member *, int error, int64_t value);
void fdp_tell_of(struct fdpool *, enum fdpool_event_type, int worker, int pid,
    int error, int64_t value);
/* Gives what can be given, and puts right what follows from that.  Each call
 * from outside ends with it. */
void fdp_settle(struct fdpool *);
/* From now on the master is woken for what workers say. */
void fdp_await_mail(struct fdpool *);
/* Closes every descriptor of the pool; in a worker that stays this program. */
void fdp_close_all(void *pool);

/* ---- member.c ---- */

/* A new place with a process in it, in the first hole or at the end.
 * 0, -EAGAIN (all places are taken by leaving workers) or -errno. */
int fdp_member_add(struct fdpool *);
/* What becomes of a place whose process has ended; the member may be gone
 * afterwards. */
void fdp_member_next(struct fdpool *, struct fdp_member *);
/* Begins its end: no clients from now on, no restart. */
void fdp_member_leave(struct fdpool *, struct fdp_member *);
/* Says again what found no room in the channel. */
void fdp_member_retry(struct fdp_member *);
/* SIGKILL; error is why.  bad: what it still says is not believed. */
void fdp_member_kill(struct fdpool *, struct fdp_member *, int error, bool bad);
/* It does not end: its place is given to another, unless too many are carried
 * already.  The member may be gone then. */
void fdp_member_abandon(struct fdpool *, struct fdp_member *);
/* Takes note of its end if it has ended; the member may be gone then. */
void fdp_member_reap(struct fdpool *, struct fdp_member *);
/* It will say no more, although the process is there. */
void fdp_member_left(struct fdpool *, struct fdp_member *);
/* How many of those in flight it is known to have received. */
uint32_t fdp_member_received(const struct fdp_member *);
/* Frees a member; its process must be gone. */
void fdp_member_free(struct fdp_member *);

/* ---- stuck.c ---- */

/* Takes its process from it; false when there is no room for one more. */
bool fdp_stuck_add(struct fdpool *, struct fdp_member *);
/* Takes note of its end if it has ended. */
void fdp_stuck_reap(struct fdpool *, unsigned i);
/* How many that had this place. */
unsigned fdp_stuck_count(const struct fdpool *, unsigned index);

/* ---- mailbox.c ---- */

/* Reads a batch of what a worker says.  False: there is no more for now. */
bool fdp_mailbox_read(struct fdpool *, struct fdp_member *);
/* It is alive, whatever it said. */
void fdp_member_heard(struct fdpool *, struct fdp_member *);

/* ---- handover.c ---- */

/* How many clients it could be given now. */
unsigned fdp_member_room(const struct fdp_member *);
/* The same over all. */
unsigned fdp_pool_room(const struct fdpool *);
/* Gives as many of the queued as there is room for. */
void fdp_pump(struct fdpool *);
/* Asks those who are full to make room for the queued. */
void fdp_ask_for_room(struct fdpool *);
/* It has no room in its descriptor table: others get what is in flight to it,
 * and for a while it is given nothing. */
void fdp_member_pause(struct fdpool *, struct fdp_member *);
/* Full channels are tried again in a moment. */
void fdp_retry_soon(struct fdpool *);

/* ---- recall.c ---- */

/*
 * Takes back what a worker has been sent and has not received, to the front
 * of the queue.  Each message comes out of the channel once, to the worker or
 * to the master, so nobody is served twice even while the worker lives.
 * 0, or -EMFILE: the rest stays where it is, for want of descriptors.
 */
int fdp_take_back(struct fdpool *, struct fdp_member *);

/* ---- listener.c ---- */

void fdp_accept(struct fdpool *, const struct fdp_listener *);
/* Lets accepting begin or end as the queue and the pause say. */
void fdp_listen_adjust(struct fdpool *);
void fdp_accept_resume(struct fdpool *);

/* ---- pulse.c ---- */

int64_t fdp_now(void); /* ms */
/* Sees to it that fdp_pulse is called at that time or before. */
void fdp_wake_at(struct fdpool *, int64_t when);
/* Does what is due. */
void fdp_pulse(struct fdpool *);
/* Sends a ping, unless one is on its way or it has a client to block on. */
void fdp_member_ping(struct fdp_member *);

#endif
