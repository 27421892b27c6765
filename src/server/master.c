/*
 * The master.  It never reads a byte from a client, never touches the served
 * tree after start-up, never waits for a worker and holds no secret: what
 * comes from outside is parsed by the workers.  Everything that happens is an
 * event of one epoll: the pool's (its listeners, channels, children and
 * timers), signals, --status, and the end of a drain.  Between events it
 * writes its counts on the board.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "fdpool.h"
#include "server/control.h"
#include "server/master.h"
#include "server/start.h"

/* However short the limit: so that what is idle can be closed in peace. */
#define DRAIN_MIN_MS 200

struct master {
	struct start start;
	struct fdpool *pool;
	int epoll_fd;
	int signal_fd;
	int timer_fd; /* the drain's limit */
	bool draining;
	bool is_over; /* the limit has passed, or a second signal came */
	bool cut_off; /* and somebody was still connected then */
};

static void master_set_up(struct master *, const struct options *);
static void master_watch(struct master *, int fd);
static int master_wait_ms(const struct master *);
static void master_tick(struct master *, bool had_event);
static void master_event(struct master *, int fd);
static void master_signal(struct master *);
static void master_drain(struct master *);
static void master_dispatch(struct master *);
static void master_end_drain(struct master *, const char *why);

int
master_main(const struct options *o)
{
	static struct master m;
	struct epoll_event ev;
	int n;

	master_set_up(&m, o);
	while (!m.is_over && !(m.draining && fdpool_is_drained(m.pool))) {
		n = epoll_wait(m.epoll_fd, &ev, 1, master_wait_ms(&m));
		if (n == -1 && errno != EINTR)
			fatal("epoll_wait");
		if (n == 1)
			master_event(&m, ev.data.fd);
		master_tick(&m, n == 1);
	}
	fdpool_free(m.pool);
	start_end(&m.start);
	log_info("ended");
	return m.cut_off ? 1 : 0;
}

static int
master_wait_ms(const struct master *m)
{
	uint64_t now_ms = clock_ms();
	int board_ms = board_wait_ms(&m->start.board, now_ms);
	int logger_ms = logger_child_wait_ms(&m->start.logger, now_ms);

	return logger_ms != -1 && logger_ms < board_ms ? logger_ms : board_ms;
}

static void
master_tick(struct master *m, bool had_event)
{
	uint64_t now_ms = clock_ms();

	board_refresh(&m->start.board, m->pool, m->draining, had_event, now_ms);
	logger_child_start(&m->start.logger, m->epoll_fd, now_ms);
}

static void
master_event(struct master *m, int fd)
{
	if (fd == fdpool_fd(m->pool))
		master_dispatch(m);
	else if (fd == m->signal_fd)
		master_signal(m);
	else if (fd == m->start.logger.pidfd)
		logger_child_ended(&m->start.logger, clock_ms());
	else if (fd == m->timer_fd)
		master_end_drain(m, "the drain limit has passed");
	else
		control_answer(&m->start.control, m->pool, m->draining);
}

static void
master_set_up(struct master *m, const struct options *o)
{
	sigset_t mask;
	int r;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	m->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	m->timer_fd = timerfd_create(
	    CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (m->signal_fd == -1 || m->timer_fd == -1 || m->epoll_fd == -1)
		fatal("start");

	start_open(&m->start, o);
	logger_child_start(&m->start.logger, m->epoll_fd, clock_ms());
	r = fdpool_new(&m->pool, &m->start.pool_options);
	if (r != 0)
		fatalx("workers cannot be started: %s", strerror(-r));
	for (unsigned i = 0; i < m->start.n_listeners; i++) {
		r = fdpool_listen(m->pool, m->start.listener[i].fd,
		    m->start.listener[i].door);
		if (r != 0)
			fatalx("listen: %s", strerror(-r));
	}
	master_watch(m, fdpool_fd(m->pool));
	master_watch(m, m->signal_fd);
	master_watch(m, m->timer_fd);
	if (m->start.control.listen_fd != -1)
		master_watch(m, m->start.control.listen_fd);
	start_announce(&m->start);
}

static void
master_watch(struct master *m, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == -1)
		fatal("epoll_ctl");
}

/* Of those to end the first says: finish.  The second: now. */
static void
master_signal(struct master *m)
{
	struct signalfd_siginfo si;

	while (read(m->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGUSR1)
			logger_child_reopen(&m->start.logger);
		else if (m->draining)
			master_end_drain(m, "a second signal came");
		else
			master_drain(m);
	}
}

static void
master_drain(struct master *m)
{
	unsigned given_ms = m->start.drain_ms;
	unsigned ms = given_ms > DRAIN_MIN_MS ? given_ms : DRAIN_MIN_MS;
	struct itimerspec limit = {
		.it_value = { .tv_sec = ms / 1000,
		    .tv_nsec = ms % 1000 * 1000000L },
	};

	log_info(
	    "ending: no new clients; transfers have %u s", given_ms / 1000);
	fdpool_drain(m->pool);
	start_close_listeners(&m->start);
	timerfd_settime(m->timer_fd, 0, &limit, NULL);
	m->draining = true;
}

static void
master_dispatch(struct master *m)
{
	int r = fdpool_dispatch(m->pool);

	if (r != 0)
		fatalx("the pool failed: %s", strerror(-r));
}

/* Hears first what the workers have said by now.  Those that are merely slow
 * to end are no transfers. */
static void
master_end_drain(struct master *m, const char *why)
{
	struct fdpool_counts counts;

	master_dispatch(m);
	fdpool_counts(m->pool, &counts);
	m->is_over = true;
	m->cut_off = counts.held + counts.in_flight + counts.queued > 0;
	if (m->cut_off)
		log_warn("transfers were cut off: %s", why);
}
