/* What is due by time: heartbeats, restarts, patience that ends, retries. */
#include "channel.h"
#include "pool.h"
#include "spawn.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* places */
static void
each_member(struct fdpool *, void (*act)(struct fdpool *, struct fdp_member *));
static void due(struct fdpool *, struct fdp_member *);
static void retry(struct fdpool *, struct fdp_member *);

/* heartbeat */
static void beat(struct fdpool *, struct fdp_member *);
static bool is_missed(const struct fdp_member *);
static bool may_block(const struct fdp_member *);
static void missed(struct fdpool *, struct fdp_member *);
static void await(struct fdp_member *);

/* the timer */
static int64_t next_due(const struct fdpool *);
static void arm(struct fdpool *, int64_t when);

int64_t
fdp_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
fdp_wake_at(struct fdpool *p, int64_t when)
{
	if (when < p->armed_at)
		arm(p, when);
}

void
fdp_pulse(struct fdpool *p)
{
	int64_t now = fdp_now();
	uint64_t ticks;

	if (read(p->timer_fd, &ticks, sizeof(ticks)) == -1)
		return;
	p->armed_at = FDP_NEVER;
	if (now >= p->beat_at) {
		p->beat_at = now + p->opt.heartbeat_ms;
		each_member(p, beat);
	}
	if (now >= p->retry_at) {
		p->retry_at = FDP_NEVER;
		each_member(p, retry);
	}
	each_member(p, due);
	if (now >= p->accept_at)
		fdp_accept_resume(p);
	if (now >= p->mail_at)
		fdp_await_mail(p);
	arm(p, next_due(p));
}

/* act may empty a place, so the count is read anew. */
static void
each_member(struct fdpool *p, void (*act)(struct fdpool *, struct fdp_member *))
{
	unsigned i;

	for (i = 0; i < p->n_places; i++)
		if (p->places[i] != NULL)
			act(p, p->places[i]);
}

static void
due(struct fdpool *p, struct fdp_member *m)
{
	if (fdp_now() >= m->paused_to)
		m->paused_to = FDP_NEVER;
	if (fdp_now() < m->due_at)
		return;
	m->due_at = FDP_NEVER;
	switch (m->state) {
	case FDPOOL_EMPTY:
		fdp_member_next(p, m);
		break;
	case FDPOOL_STARTING:
	case FDPOOL_DRAINING:
		fdp_member_kill(p, m, -ETIMEDOUT, false);
		break;
	case FDPOOL_DYING:
		fdp_member_abandon(p, m);
		break;
	case FDPOOL_READY:
	case FDPOOL_SILENT:
	case FDPOOL_WORKER_STATES:
		break;
	}
}

static void
retry(struct fdpool *p, struct fdp_member *m)
{
	fdp_member_retry(m);
	if (m->owes_drain)
		fdp_retry_soon(p);
}

/*
 * Silence is counted in beats and not by the clock: when the master itself
 * was stopped, the workers have missed one beat at most.
 */
static void
beat(struct fdpool *p, struct fdp_member *m)
{
	if (m->slots == 0 || m->has_left || m->state == FDPOOL_DYING)
		return;
	if (is_missed(m))
		missed(p, m);
	else if (m->missed > 0)
		fdp_member_heard(p, m);
	if (m->state != FDPOOL_DYING)
		await(m);
}

static bool
is_missed(const struct fdp_member *m)
{
	if (fdp_child_is_stopped(m->pidfd))
		return true;
	return m->awaited && !m->heard && !may_block(m);
}

/* A worker of one slot serves its client in blocking calls, and reports it
 * when it is done.  Nothing is sent behind that client that could be taken for
 * it: no ping goes to a worker that has one. */
static bool
may_block(const struct fdp_member *m)
{
	return m->slots == 1 && (m->held > 0 || fdp_member_received(m) > 0);
}

static void
missed(struct fdpool *p, struct fdp_member *m)
{
	int64_t silent = (int64_t)++m->missed * p->opt.heartbeat_ms;

	if (m->missed == 1) {
		if (m->state == FDPOOL_READY)
			m->state = FDPOOL_SILENT;
		fdp_tell(p, FDPOOL_EV_SILENT, m, 0, silent);
	}
	/* Others may have room for what waits for it. */
	if (m->state == FDPOOL_SILENT)
		(void)fdp_take_back(p, m);
	if (silent >= p->opt.silent_ms)
		fdp_member_kill(p, m, -ETIMEDOUT, false);
}

static void
await(struct fdp_member *m)
{
	m->heard = m->asked = false;
	m->awaited = !may_block(m);
	fdp_member_ping(m);
}

/* Never more than one ping on its way: a worker that does not read must not
 * find its channel full of them. */
void
fdp_member_ping(struct fdp_member *m)
{
	struct ctl_ping msg = { .type = CTL_PING, .seq = m->ping_seq + 1 };

	if (m->ping_out || (m->slots == 1 && m->held + m->in_flight > 0))
		return;
	if (fdp_chan_send(m->chan_fd, &msg, sizeof(msg), MSG_DONTWAIT) != 0)
		return;
	m->ping_seq = msg.seq;
	m->ping_out = true;
}

static int64_t
next_due(const struct fdpool *p)
{
	int64_t when = p->beat_at;
	const struct fdp_member *m;
	unsigned i;

	if (p->retry_at < when)
		when = p->retry_at;
	if (p->accept_at < when)
		when = p->accept_at;
	if (p->mail_at < when)
		when = p->mail_at;
	for (i = 0; i < p->n_places; i++) {
		m = p->places[i];
		if (m != NULL && m->due_at < when)
			when = m->due_at;
		if (m != NULL && m->paused_to < when)
			when = m->paused_to;
	}
	return when;
}

static void
arm(struct fdpool *p, int64_t when)
{
	struct itimerspec spec = {
		.it_value = {
			.tv_sec = when / 1000,
			.tv_nsec = when % 1000 * 1000000,
		},
	};

	p->armed_at = when;
	(void)timerfd_settime(p->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}
