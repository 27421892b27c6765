/*
 * The master's pool: accept, choose, give, count, reap, restart with a growing
 * delay.  It never blocks on a worker and never reads a byte from a client.
 */
#include "pool.h"
#include "fd.h"
#include "options.h"
#include "spawn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#define MAIL_MAX 64 /* batches read from one worker at one go */
#define MAIL_MS 20 /* between two wake-ups for mail that nobody waits for */
#define LAST_WAIT_MS 2000 /* for killed workers to be gone, at the end */

/* events */
static void settle(struct fdpool *, bool has_read_mail);
static void on_process(struct fdpool *, unsigned index);
static void on_channel(struct fdpool *, unsigned index);
static void on_listener(struct fdpool *, unsigned index);
static void attend_mail(struct fdpool *, bool has_read);
static bool is_mail_urgent(const struct fdpool *);
static int
watch(struct fdpool *, int op, int fd, enum fdp_source, unsigned index);
static int epoll_of(const struct fdpool *, enum fdp_source);
static enum fdp_source source_of(const struct epoll_event *);
static unsigned index_of(const struct epoll_event *);

/* number of workers */
static unsigned n_staying(const struct fdpool *);
static struct fdp_member *last_staying(const struct fdpool *);
static void drain_step(struct fdpool *);
static bool is_any_unreceived(const struct fdpool *);

/* counts */
static void member_counts(const struct fdp_member *, struct fdpool_counts *);

/* end */
static void end_process(int pidfd, int64_t deadline);

int
fdpool_new(struct fdpool **pool, const struct fdpool_options *options)
{
	struct fdpool *p = calloc(1, sizeof(*p));
	int error;

	if (p == NULL)
		return -ENOMEM;
	p->epoll_fd = p->mail_fd = p->timer_fd = p->spare_fd = -1;
	p->armed_at = p->retry_at = p->accept_at = p->mail_at = FDP_NEVER;
	p->listening = true;
	error = fdp_options_copy(&p->opt, options);
	if (error != 0)
		goto out;
	if ((p->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    (p->mail_fd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    (p->timer_fd = timerfd_create(
		 CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) == -1 ||
	    (p->spare_fd = eventfd(0, EFD_CLOEXEC)) == -1) {
		error = -errno;
		goto out;
	}
	error = fdp_watch(p, p->timer_fd, FDP_TIMER, 0);
	if (error != 0)
		goto out;
	p->beat_at = fdp_now() + p->opt.heartbeat_ms;
	fdp_wake_at(p, p->beat_at);
	error = fdpool_resize(p, p->opt.workers);
	if (error != 0)
		goto out;
	*pool = p;
	return 0;
out:
	fdpool_free(p);
	return error;
}

int
fdpool_fd(const struct fdpool *p)
{
	return p->epoll_fd;
}

/*
 * Workers first, since what they say frees slots and descriptors; then time,
 * so that nobody is called silent whose answer is already here; then new
 * clients; and what can be given is given at the end, in batches.
 */
int
fdpool_dispatch(struct fdpool *p)
{
	int n_mail, n, i;

	n_mail = epoll_wait(p->mail_fd, p->events, FDP_EVENTS, 0);
	for (i = 0; i < n_mail; i++)
		on_channel(p, index_of(&p->events[i]));
	n = epoll_wait(p->epoll_fd, p->events, FDP_EVENTS, 0);
	if (n == -1)
		return errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++)
		if (source_of(&p->events[i]) == FDP_PROCESS)
			on_process(p, index_of(&p->events[i]));
		else if (source_of(&p->events[i]) == FDP_STUCK)
			fdp_stuck_reap(p, index_of(&p->events[i]));
	for (i = 0; i < n; i++)
		if (source_of(&p->events[i]) == FDP_TIMER)
			fdp_pulse(p);
	for (i = 0; i < n; i++)
		if (source_of(&p->events[i]) == FDP_LISTENER)
			on_listener(p, index_of(&p->events[i]));
	settle(p, n_mail > 0);
	return 0;
}

void
fdp_settle(struct fdpool *p)
{
	settle(p, false);
}

void
fdp_await_mail(struct fdpool *p)
{
	p->awaits_mail = fdp_watch(p, p->mail_fd, FDP_MAIL, 0) == 0;
	p->mail_at = p->awaits_mail ? FDP_NEVER : fdp_now() + MAIL_MS;
}

int
fdpool_resize(struct fdpool *p, unsigned workers)
{
	int error;

	if (workers < 1 || workers > FDPOOL_WORKERS_MAX)
		return -EINVAL;
	if (p->draining)
		return -ESHUTDOWN;
	error = 0;
	while (error == 0 && n_staying(p) < workers)
		error = fdp_member_add(p);
	while (n_staying(p) > workers)
		fdp_member_leave(p, last_staying(p));
	fdp_settle(p);
	return error;
}

void
fdpool_drain(struct fdpool *p)
{
	p->draining = true;
	while (p->n_listeners > 0)
		(void)fdpool_unlisten(p, p->listeners[0].fd);
	fdp_settle(p);
}

bool
fdpool_is_drained(const struct fdpool *p)
{
	return p->drained;
}

void
fdpool_free(struct fdpool *p)
{
	int64_t deadline;
	unsigned i;

	if (p == NULL)
		return;
	for (i = 0; i < p->n_places; i++)
		if (p->places[i] != NULL && p->places[i]->pidfd != -1)
			fdp_child_kill(p->places[i]->pidfd);
	deadline = fdp_now() + LAST_WAIT_MS;
	for (i = 0; i < p->n_places; i++)
		if (p->places[i] != NULL && p->places[i]->pidfd != -1)
			end_process(p->places[i]->pidfd, deadline);
	for (i = 0; i < FDP_STUCK_MAX; i++)
		if (p->stuck[i].pid != 0) {
			end_process(p->stuck[i].pidfd, deadline);
			fdp_close(&p->stuck[i].pidfd);
		}
	for (i = 0; i < p->n_places; i++)
		fdp_member_free(p->places[i]);
	fdp_ring_free(&p->queue);
	fdp_close(&p->spare_fd);
	fdp_close(&p->timer_fd);
	fdp_close(&p->mail_fd);
	fdp_close(&p->epoll_fd);
	fdp_options_free(&p->opt);
	free(p);
}

void
fdpool_counts(const struct fdpool *p, struct fdpool_counts *counts)
{
	struct fdpool_counts one;
	unsigned i;

	*counts = p->total;
	counts->queued = p->queue.len;
	counts->stuck = p->n_stuck;
	for (i = 0; i < p->n_places; i++) {
		if (p->places[i] == NULL)
			continue;
		member_counts(p->places[i], &one);
		counts->free += one.free;
		counts->in_flight += one.in_flight;
		counts->held += one.held;
		counts->taken += one.taken - p->places[i]->counts.taken;
	}
}

unsigned
fdpool_workers(const struct fdpool *p)
{
	return p->n_places;
}

int
fdpool_worker_info(
    const struct fdpool *p, unsigned index, struct fdpool_worker_info *info)
{
	const struct fdp_member *m;

	if (index >= p->n_places)
		return -ENOENT;
	*info = (struct fdpool_worker_info){ .pid = -1 };
	m = p->places[index];
	if (m != NULL) {
		info->state = m->state;
		info->pid = m->pid;
		info->slots = m->slots;
		member_counts(m, &info->counts);
	}
	info->counts.stuck = fdp_stuck_count(p, index);
	return 0;
}

int
fdp_watch(struct fdpool *p, int fd, enum fdp_source source, unsigned index)
{
	return watch(p, EPOLL_CTL_ADD, fd, source, index);
}

int
fdp_watch_as(struct fdpool *p, int fd, enum fdp_source source, unsigned index)
{
	return watch(p, EPOLL_CTL_MOD, fd, source, index);
}

void
fdp_unwatch(struct fdpool *p, int fd, enum fdp_source source)
{
	(void)epoll_ctl(epoll_of(p, source), EPOLL_CTL_DEL, fd, NULL);
}

void
fdp_tell(struct fdpool *p, enum fdpool_event_type type,
    const struct fdp_member *m, int error, int64_t value)
{
	fdp_tell_of(p, type, m != NULL ? (int)m->index : -1,
	    m != NULL ? m->pid : -1, error, value);
}

void
fdp_tell_of(struct fdpool *p, enum fdpool_event_type type, int worker, int pid,
    int error, int64_t value)
{
	struct fdpool_event event = {
		.type = type,
		.worker = worker,
		.pid = pid,
		.error = error,
		.value = value,
	};

	if (p->opt.on_event != NULL)
		p->opt.on_event(p->opt.arg, &event);
}

void
fdp_close_all(void *pool)
{
	struct fdpool *p = pool;
	struct fdp_member *m;
	unsigned i;

	for (i = 0; i < p->n_places; i++) {
		m = p->places[i];
		if (m == NULL)
			continue;
		fdp_close(&m->chan_fd);
		fdp_close(&m->peer_fd);
		fdp_close(&m->pidfd);
	}
	for (i = 0; i < FDP_STUCK_MAX; i++)
		if (p->stuck[i].pid != 0)
			fdp_close(&p->stuck[i].pidfd);
	for (i = 0; i < p->queue.len; i++)
		fdp_close(&fdp_ring_at(&p->queue, i)->fd);
	fdp_close(&p->spare_fd);
	fdp_close(&p->timer_fd);
	fdp_close(&p->mail_fd);
	fdp_close(&p->epoll_fd);
}

static void
settle(struct fdpool *p, bool has_read_mail)
{
	fdp_pump(p);
	if (p->queue.len > 0)
		fdp_ask_for_room(p);
	drain_step(p);
	fdp_listen_adjust(p);
	attend_mail(p, has_read_mail);
}

/* A worker that ended earlier in the same round may have left its place, or
 * have a successor in it: an event for either finds nothing to do. */
static void
on_process(struct fdpool *p, unsigned index)
{
	struct fdp_member *m = p->places[index];

	if (m != NULL && m->pidfd != -1)
		fdp_member_reap(p, m);
}

static void
on_channel(struct fdpool *p, unsigned index)
{
	struct fdp_member *m = p->places[index];
	int batches = 0;

	while (batches++ < MAIL_MAX && fdp_mailbox_read(p, m))
		;
}

static void
on_listener(struct fdpool *p, unsigned index)
{
	/* Also when another has just begun a pause: one that is broken must
	 * not starve the others. */
	if (index < p->n_listeners && p->listening)
		fdp_accept(p, &p->listeners[index]);
}

static int
watch(struct fdpool *p, int op, int fd, enum fdp_source source, unsigned index)
{
	struct epoll_event event = {
		.events = EPOLLIN,
		.data = { .u64 = (uint64_t)source << 32 | index },
	};

	if (epoll_ctl(epoll_of(p, source), op, fd, &event) == -1)
		return -errno;
	return 0;
}

static enum fdp_source
source_of(const struct epoll_event *event)
{
	return (enum fdp_source)(event->data.u64 >> 32);
}

static unsigned
index_of(const struct epoll_event *event)
{
	return (unsigned)(event->data.u64 & UINT32_MAX);
}

static unsigned
n_staying(const struct fdpool *p)
{
	unsigned n = 0, i;

	for (i = 0; i < p->n_places; i++)
		if (p->places[i] != NULL && !p->places[i]->leaving)
			n++;
	return n;
}

static struct fdp_member *
last_staying(const struct fdpool *p)
{
	unsigned i = p->n_places;

	while (i-- > 0)
		if (p->places[i] != NULL && !p->places[i]->leaving)
			return p->places[i];
	return NULL;
}

/* Workers are told only when no client can come back to the queue any more:
 * from then on none of them needs to be replaced. */
static void
drain_step(struct fdpool *p)
{
	unsigned i;

	if (!p->draining || p->drained)
		return;
	if (!p->drain_told && p->queue.len == 0) {
		if (is_any_unreceived(p)) {
			fdp_retry_soon(p);
			return;
		}
		p->drain_told = true;
		for (i = p->n_places; i-- > 0;)
			if (p->places[i] != NULL)
				fdp_member_leave(p, p->places[i]);
	}
	if (p->n_places == 0) {
		p->drained = true;
		fdp_tell(p, FDPOOL_EV_DRAINED, NULL, 0, 0);
	}
}

static bool
is_any_unreceived(const struct fdpool *p)
{
	const struct fdp_member *m;
	unsigned i;

	for (i = 0; i < p->n_places; i++) {
		m = p->places[i];
		if (m != NULL && m->in_flight > 0 &&
		    fdp_member_received(m) == 0)
			return true;
	}
	return false;
}

/*
 * What workers say in the ordinary course is only how many slots are free
 * again.  When nobody waits for one, the master lets itself be woken for it now
 * and then, not by each report: what has come is read whenever it is awake.
 */
static void
attend_mail(struct fdpool *p, bool has_read)
{
	bool awaits = true;

	if (!is_mail_urgent(p) && (has_read || !p->awaits_mail))
		awaits = false;
	if (awaits == p->awaits_mail)
		return;
	if (awaits) {
		fdp_await_mail(p);
		return;
	}
	fdp_unwatch(p, p->mail_fd, FDP_MAIL);
	p->awaits_mail = false;
	p->mail_at = fdp_now() + MAIL_MS;
	fdp_wake_at(p, p->mail_at);
}

static bool
is_mail_urgent(const struct fdpool *p)
{
	unsigned i;

	if (p->queue.len > 0 || p->draining)
		return true;
	for (i = 0; i < p->n_places; i++)
		if (p->places[i] != NULL && p->places[i]->state != FDPOOL_READY)
			return true;
	return false;
}

static void
member_counts(const struct fdp_member *m, struct fdpool_counts *counts)
{
	uint32_t received = fdp_member_received(m);

	*counts = m->counts;
	counts->in_flight = m->in_flight - received;
	counts->held = m->held + received;
	counts->taken += received;
	if (m->state == FDPOOL_READY)
		counts->free = m->slots - m->held - m->in_flight;
}

static int
epoll_of(const struct fdpool *p, enum fdp_source source)
{
	return source == FDP_CHANNEL ? p->mail_fd : p->epoll_fd;
}

/* One that cannot be killed is left to the system. */
static void
end_process(int pidfd, int64_t deadline)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	siginfo_t status;
	int64_t left;
	int n;

	do {
		left = deadline - fdp_now();
		n = poll(&pfd, 1, left > 0 ? (int)left : 0);
	} while (n == -1 && errno == EINTR);
	(void)fdp_child_reap(pidfd, &status);
}
