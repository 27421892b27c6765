/* The life of one worker: start, end, and the next one in its place. */
#include "channel.h"
#include "fd.h"
#include "pool.h"
#include "spawn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define DELAY_FIRST_MS 100
#define HEALTHY_MS 10000 /* lived so long: the restart delay begins anew */
#define RECALL_MS 50 /* until descriptors are asked for again */
#define STUCK_MS 1000 /* after SIGKILL, until it is replaced all the same */
#define LAST_WORDS_MAX 4096 /* batches read from a dead worker's channel */

/* start */
static int member_new(struct fdpool *, unsigned index);
static int member_start(struct fdpool *, struct fdp_member *);
static void member_restart(struct fdpool *, struct fdp_member *);
static int send_hello(const struct fdpool *, const struct fdp_member *);

/* end */
static void member_told_drain(struct fdp_member *);
static void hear_last_words(struct fdpool *, struct fdp_member *);
static void member_ended(struct fdpool *, struct fdp_member *);
static void close_account(struct fdpool *, struct fdp_member *);
static bool is_wanted(const struct fdpool *, const struct fdp_member *);
static void vacate(struct fdpool *, struct fdp_member *);
static void restart_soon(struct fdpool *, struct fdp_member *);
static unsigned restart_delay(const struct fdpool *, struct fdp_member *);
static bool is_anyone_alive(const struct fdpool *);

int
fdp_member_add(struct fdpool *p)
{
	unsigned i = 0;
	int error;

	while (i < p->n_places && p->places[i] != NULL)
		i++;
	if (i == FDPOOL_WORKERS_MAX)
		return -EAGAIN;
	error = member_new(p, i);
	if (error != 0)
		return error;
	error = member_start(p, p->places[i]);
	if (error != 0)
		vacate(p, p->places[i]);
	return error;
}

void
fdp_member_next(struct fdpool *p, struct fdp_member *m)
{
	if (m->peer_fd == -1) {
		member_restart(p, m);
		return;
	}
	if (fdp_take_back(p, m) != 0) {
		m->due_at = fdp_now() + RECALL_MS;
		fdp_wake_at(p, m->due_at);
		return;
	}
	close_account(p, m);
	if (is_wanted(p, m))
		restart_soon(p, m);
	else
		vacate(p, m);
}

void
fdp_member_leave(struct fdpool *p, struct fdp_member *m)
{
	m->leaving = true;
	if (m->state == FDPOOL_EMPTY && m->peer_fd == -1) {
		vacate(p, m);
		return;
	}
	if (m->state == FDPOOL_EMPTY || m->state == FDPOOL_DRAINING ||
	    m->state == FDPOOL_DYING)
		return;
	m->state = FDPOOL_DRAINING;
	(void)fdp_take_back(p, m);
	member_told_drain(m);
	if (m->owes_drain)
		fdp_retry_soon(p);
}

void
fdp_member_retry(struct fdp_member *m)
{
	m->full = false;
	if (m->owes_drain)
		member_told_drain(m);
}

void
fdp_member_kill(struct fdpool *p, struct fdp_member *m, int error, bool bad)
{
	if (m->state == FDPOOL_DYING || m->state == FDPOOL_EMPTY)
		return;
	m->state = FDPOOL_DYING;
	m->distrusted = bad;
	m->due_at = fdp_now() + STUCK_MS;
	fdp_wake_at(p, m->due_at);
	fdp_unwatch(p, m->chan_fd, FDP_CHANNEL);
	fdp_child_kill(m->pidfd);
	fdp_tell(p, FDPOOL_EV_KILLED, m, error, 0);
	/* It may take its time to be gone, or for ever; clients do not wait
	 * for that.  What cannot come back now comes back then. */
	(void)fdp_take_back(p, m);
}

/* Those that take its place may come to sleep on the same disk: as many as
 * there are places may be carried, then they are waited for. */
void
fdp_member_abandon(struct fdpool *p, struct fdp_member *m)
{
	if ((is_wanted(p, m) && p->n_stuck >= p->n_places) ||
	    !fdp_stuck_add(p, m)) {
		if (!m->told_stuck)
			fdp_tell(p, FDPOOL_EV_STUCK, m, -EAGAIN, p->n_stuck);
		m->told_stuck = true;
		m->due_at = fdp_now() + STUCK_MS;
		fdp_wake_at(p, m->due_at);
		return;
	}
	hear_last_words(p, m);
	fdp_tell(p, FDPOOL_EV_STUCK, m, 0, p->n_stuck);
	member_ended(p, m);
	fdp_member_next(p, m);
}

void
fdp_member_reap(struct fdpool *p, struct fdp_member *m)
{
	siginfo_t status;

	if (!fdp_child_reap(m->pidfd, &status))
		return;
	hear_last_words(p, m);
	fdp_tell(p, FDPOOL_EV_ENDED, m, status.si_code, status.si_status);
	member_ended(p, m);
	fdp_member_next(p, m);
}

void
fdp_member_left(struct fdpool *p, struct fdp_member *m)
{
	m->has_left = true;
	fdp_unwatch(p, m->chan_fd, FDP_CHANNEL);
	(void)fdp_take_back(p, m);
	if (m->state == FDPOOL_DYING)
		return;
	m->state = FDPOOL_DRAINING;
	m->due_at = fdp_now() + p->opt.silent_ms;
	fdp_wake_at(p, m->due_at);
}

uint32_t
fdp_member_received(const struct fdp_member *m)
{
	if (m->in_flight == 0 || m->chan_fd == -1)
		return 0;
	/* When it was told to leave, the rest was taken back: what is unread
	 * now is that word. */
	if (m->state != FDPOOL_DRAINING && fdp_chan_is_unread(m->chan_fd))
		return 0;
	return m->in_flight;
}

void
fdp_member_free(struct fdp_member *m)
{
	if (m == NULL)
		return;
	fdp_ring_free(&m->outbox);
	fdp_close(&m->chan_fd);
	fdp_close(&m->peer_fd);
	fdp_close(&m->pidfd);
	free(m);
}

static int
member_new(struct fdpool *p, unsigned index)
{
	unsigned n_places = index < p->n_places ? p->n_places : index + 1;
	struct fdp_member *m;
	int error;

	error = fdp_ring_grow(
	    &p->queue, p->opt.queue_max + n_places * FDPOOL_WINDOW);
	if (error != 0)
		return error;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	m->index = index;
	m->pid = m->pidfd = m->chan_fd = m->peer_fd = -1;
	m->due_at = m->paused_to = FDP_NEVER;
	error = fdp_ring_init(&m->outbox, FDPOOL_WINDOW);
	if (error != 0) {
		fdp_member_free(m);
		return error;
	}
	p->places[index] = m;
	p->n_places = n_places;
	return 0;
}

static int
member_start(struct fdpool *p, struct fdp_member *m)
{
	struct fdp_child child;
	int error;

	error = fdp_spawn(&child, &p->opt, fdp_close_all, p);
	if (error != 0)
		return error;
	m->pid = child.pid;
	m->pidfd = child.pidfd;
	m->chan_fd = child.chan_fd;
	m->peer_fd = child.peer_fd;
	if ((error = send_hello(p, m)) != 0 ||
	    (error = fdp_watch(p, m->chan_fd, FDP_CHANNEL, m->index)) != 0 ||
	    (error = fdp_watch(p, m->pidfd, FDP_PROCESS, m->index)) != 0) {
		fdp_child_end(m->pidfd);
		member_ended(p, m);
		close_account(p, m);
		return error;
	}
	m->state = FDPOOL_STARTING;
	m->due_at = fdp_now() + p->opt.start_ms;
	fdp_wake_at(p, m->due_at);
	fdp_tell(p, FDPOOL_EV_STARTED, m, 0, 0);
	return 0;
}

static void
member_restart(struct fdpool *p, struct fdp_member *m)
{
	int error = member_start(p, m);

	if (error != 0) {
		fdp_tell(p, FDPOOL_EV_START_FAILED, m, error, 0);
		restart_soon(p, m);
		return;
	}
	m->counts.restarted++;
	p->total.restarted++;
}

static int
send_hello(const struct fdpool *p, const struct fdp_member *m)
{
	struct ctl_hello hello = {
		.type = CTL_HELLO,
		.version = CTL_VERSION,
		.index = m->index,
		.len = (uint32_t)p->opt.hello_len,
	};
	int error;

	if (p->opt.hello_len > 0)
		memcpy(hello.bytes, p->opt.hello, p->opt.hello_len);
	error = fdp_chan_send(m->chan_fd, &hello, sizeof(hello), MSG_DONTWAIT);
	/* It may have ended already, which is heard of in its turn. */
	return error == -EPIPE ? 0 : error;
}

static void
member_told_drain(struct fdp_member *m)
{
	struct ctl_drain drain = { .type = CTL_DRAIN };

	m->owes_drain = fdp_chan_send(m->chan_fd, &drain, sizeof(drain),
			    MSG_DONTWAIT) == -EAGAIN;
}

/* What it said before it ended counts: a client that was taken must not be
 * served twice.  The bound is for a stranger who inherited the channel. */
static void
hear_last_words(struct fdpool *p, struct fdp_member *m)
{
	int batches = 0;

	if (m->distrusted)
		return;
	while (batches++ < LAST_WORDS_MAX && fdp_mailbox_read(p, m))
		;
}

/* The process is gone, or given up; its account stays open until all that it
 * had not received is back. */
static void
member_ended(struct fdpool *p, struct fdp_member *m)
{
	fdp_unwatch(p, m->chan_fd, FDP_CHANNEL);
	if (m->pidfd != -1)
		fdp_unwatch(p, m->pidfd, FDP_PROCESS);
	fdp_close(&m->chan_fd);
	fdp_close(&m->pidfd);
	m->pid = -1;
	m->slots = 0;
	m->seen = 0;
	m->full = m->owes_drain = m->asked = false;
	m->ping_out = m->unsure = m->awaited = m->heard = false;
	m->has_left = m->distrusted = m->told_stuck = false;
	m->missed = 0;
	m->due_at = m->paused_to = FDP_NEVER;
	m->state = FDPOOL_EMPTY;
}

/* What it had received is lost with it, reported or not. */
static void
close_account(struct fdpool *p, struct fdp_member *m)
{
	uint32_t lost = m->held + m->in_flight;

	m->counts.taken += m->in_flight;
	p->total.taken += m->in_flight;
	m->counts.lost += lost;
	p->total.lost += lost;
	m->held = m->in_flight = 0;
	fdp_close(&m->peer_fd);
}

/* A pool that drains goes on replacing workers as long as somebody waits. */
static bool
is_wanted(const struct fdpool *p, const struct fdp_member *m)
{
	if (m->leaving)
		return false;
	return !p->draining || p->queue.len > 0;
}

static void
vacate(struct fdpool *p, struct fdp_member *m)
{
	p->places[m->index] = NULL;
	fdp_member_free(m);
	while (p->n_places > 0 && p->places[p->n_places - 1] == NULL)
		p->n_places--;
}

static void
restart_soon(struct fdpool *p, struct fdp_member *m)
{
	unsigned delay = restart_delay(p, m);

	if (delay == 0) {
		member_restart(p, m);
		return;
	}
	fdp_tell(p, FDPOOL_EV_RESTART_WAITS, m, 0, delay);
	m->due_at = fdp_now() + delay;
	fdp_wake_at(p, m->due_at);
}

/*
 * 0 the first time, then doubling; a worker that lived well starts anew.  One
 * that could serve is missed when there is no other: then clients wait for
 * the shortest delay only, however often it dies.
 */
static unsigned
restart_delay(const struct fdpool *p, struct fdp_member *m)
{
	bool is_missed = m->ready_at != 0 && !is_anyone_alive(p);
	unsigned max = p->opt.restart_max_ms;
	unsigned delay;

	if (m->ready_at != 0 && fdp_now() - m->ready_at >= HEALTHY_MS)
		m->next_delay = 0;
	m->ready_at = 0;
	delay = m->next_delay;
	m->next_delay = delay == 0 ? DELAY_FIRST_MS : 2 * delay;
	if (m->next_delay > max)
		m->next_delay = max;
	return is_missed && delay > DELAY_FIRST_MS ? DELAY_FIRST_MS : delay;
}

static bool
is_anyone_alive(const struct fdpool *p)
{
	unsigned i;

	for (i = 0; i < p->n_places; i++)
		if (p->places[i] != NULL &&
		    (p->places[i]->state == FDPOOL_STARTING ||
			p->places[i]->state == FDPOOL_READY))
			return true;
	return false;
}
