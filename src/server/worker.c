#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "server/confine.h"
#include "server/digests.h"
#include "server/pack_tree.h"
#include "server/push_file.h"
#include "server/room.h"
#include "server/train_answer.h"
#include "server/walks.h"
#include "server/worker.h"
#include "store/store.h"

/* In one turn of the loop. */
#define EVENTS 256
#define CLIENTS_AT_ONCE 64
#define CLIENTS_A_TURN 256
#define HEAR_AT_ONCE 32
#define PASS_MS 50
#define PATIENT_NS 200000

/* Larger blocks are mappings of their own, and go back to the kernel when they
 * are freed.  malloc(3) alone takes the first that is freed for a sign that
 * such are wanted again, and keeps them all from then on. */
#define MAP_BYTES (128 * 1024)

/* Free blocks that are kept: a busy worker's, not a flood's. */
#define KEEP_INS 256
#define KEEP_OUTS 32
#define KEEP_ANSWERS 64
#define KEEP_HTTPS 1024

/* ---- set-up ---- */
static int worker_set_up(struct worker *, unsigned slots);
static int worker_configure(struct worker *);
static int worker_set_up_hot(struct worker *);
static int worker_watch(struct worker *, int fd, void *tag);
static void worker_check_fds(const struct worker *);
/* ---- the loop ---- */
static int worker_loop(struct worker *);
static int worker_accept(struct worker *);
static void worker_share_fds(struct worker *);
static void worker_new_turn(struct worker *);
static void worker_run_ready(struct worker *);
static unsigned worker_hear(struct link *ready);
static void worker_run_patient(struct worker *);
static void worker_run_timers(struct worker *);
static void worker_drain(struct worker *);

int
worker_main(unsigned slots)
{
	static struct worker w;
	int r;

	confine_self("netpand-worker");
	signal(SIGUSR1, SIG_IGN);
	mallopt(M_MMAP_THRESHOLD, MAP_BYTES);
	r = worker_set_up(&w, slots);
	if (r == 0)
		r = worker_loop(&w);
	fdpool_worker_close(w.pool);
	if (r == 0 || r == -EPIPE)
		return 0;
	log_error("worker %u ends: %s", w.index, strerror(-r));
	return 1;
}

static int
worker_set_up(struct worker *w, unsigned slots)
{
	int r;

	w->epoll_fd = -1;
	w->slots = slots;
	w->conns = calloc(slots, sizeof(*w->conns));
	w->free = calloc(slots, sizeof(*w->free));
	if (w->conns == NULL || w->free == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < slots; i++) {
		w->conns[i].number = i;
		w->free[w->n_free++] = slots - 1 - i;
	}
	sources_init(&w->sources, clock_ns() ^ (uint64_t)getpid() << 32);
	link_init(&w->ready);
	link_init(&w->patient);
	w->turn_bytes = CONN_TURN_BYTES;
	slab_init(&w->https, sizeof(struct http), KEEP_HTTPS);
	slab_init(&w->ins, CONN_IN_SIZE, KEEP_INS);
	slab_init(&w->outs, CONN_OUT_SIZE, KEEP_OUTS);
	slab_init(&w->answers, answer_size, KEEP_ANSWERS);
	worker_new_turn(w);
	timer_wheel_init(&w->timers, w->now_ms);
	r = fdpool_worker_open(&w->pool, FDPOOL_CHANNEL_FD, slots);
	if (r == 0)
		r = worker_configure(w);
	if (r != 0)
		return r;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = w->epoll_fd == -1 ? -errno : 0;
	if (r == 0)
		r = worker_watch(w, fdpool_worker_fd(w->pool), w->pool);
	if (r == 0)
		r = worker_watch(w, helpers_fd(w->helpers), w->helpers);
	if (r != 0)
		return r;
	worker_check_fds(w);
	return fdpool_worker_ready(w->pool);
}

/* One that came along by mistake could keep a connection from ending, or lead
 * to what no client may reach. */
static void
worker_check_fds(const struct worker *w)
{
	const struct wire_config *cf = &w->config;
	const unsigned n_kept = cf->has_root + cf->has_push + cf->has_log;
	int own[FDPOOL_KEEP_MAX + 3], which, r;
	char name[32], what[256] = "";
	size_t n = 0;

	for (unsigned i = 0; i < n_kept; i++)
		own[n++] = FDPOOL_CHANNEL_FD + 1 + (int)i;
	own[n++] = fdpool_worker_fd(w->pool);
	own[n++] = w->epoll_fd;
	own[n++] = helpers_fd(w->helpers);
	r = fd_check_open(own, n, &which);
	if (r == 0)
		return;
	if (r != -EEXIST && r != -EBADF)
		fatalx("worker %u: /proc/self/fd: %s", w->index, strerror(-r));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", which);
	(void)!readlink(name, what, sizeof(what) - 1);
	fatalx("worker %u: descriptor %d should %sbe open%s%s", w->index, which,
	    r == -EEXIST ? "not " : "", r == -EEXIST ? ": " : "", what);
}

static int
worker_configure(struct worker *w)
{
	int kept_fd = FDPOOL_CHANNEL_FD + 1, log_fd = -1;
	const void *hello;
	size_t len;
	int r = 0;

	hello = fdpool_worker_hello(w->pool, &len);
	if (len != sizeof(w->config))
		return -EPROTO;
	memcpy(&w->config, hello, sizeof(w->config));
	if (w->config.version != WIRE_CONFIG_VERSION)
		return -EPROTO;
	w->index = fdpool_worker_index(w->pool);
	log_open("netpand", (enum log_level)w->config.log_level);
	pack_prepare();
	if (w->config.has_root)
		r = store_new(&w->store, kept_fd++);
	if (r == 0 && w->config.has_push)
		r = push_file_new(&w->push, kept_fd++, w->config.push_name);
	if (w->config.has_log)
		log_fd = kept_fd++;
	if (r == 0)
		r = board_open(&w->board, kept_fd, kept_fd + 1, w->index);
	if (r == 0 && w->store != NULL)
		r = worker_set_up_hot(w);
	if (r == 0)
		access_log_init(
		    &w->access_log, log_fd, &w->board.mine->log_dropped);
	if (r == 0)
		r = helpers_new(
		    &w->helpers, w->config.helpers, &w->board.mine->jobs);
	if (r == 0)
		helpers_show(w->helpers, &w->board.mine->served[BOARD_HELPERS]);
	if (r == 0 && w->store != NULL)
		r = digests_new(&w->digests, w->store, w->helpers);
	if (r == 0)
		r = walks_new(&w->walks, LIM_WALKS);
	return r;
}

static int
worker_set_up_hot(struct worker *w)
{
	struct hot_options opt = {
		.store = w->store,
		.n_hits = &w->board.mine->cache_hits,
		.n_misses = &w->board.mine->cache_misses,
		.moment = &w->moment,
		.max_bytes = w->config.hot_bytes,
	};

	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return -errno;
	w->max_fds = limit.rlim_cur < UINT32_MAX ? (unsigned)limit.rlim_cur
						 : UINT32_MAX;
	w->hot = hot_new(&opt);
	return w->hot == NULL ? -ENOMEM : 0;
}

static int
worker_watch(struct worker *w, int fd, void *tag)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = tag };

	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == -1)
		return -errno;
	return 0;
}

/* 0 when it has been drained, -EPIPE when the master is gone, or -errno. */
static int
worker_loop(struct worker *w)
{
	struct epoll_event events[EVENTS];
	int n, r;

	while (!w->draining || w->n_free < w->slots) {
		n = epoll_wait(w->epoll_fd, events, EVENTS,
		    link_is_linked(&w->ready) || link_is_linked(&w->patient)
			? 0
			: room_wait_ms(
			      w, timer_wait_ms(&w->timers, w->now_ms)));
		if (n == -1 && errno != EINTR)
			return -errno;
		worker_new_turn(w);
		for (int i = 0; i < n; i++) {
			void *tag = events[i].data.ptr;

			if (tag == w->pool)
				r = worker_accept(w);
			else if (tag == w->helpers)
				r = (helpers_reap(w->helpers), 0);
			else
				r = (conn_event(tag, events[i].events), 0);
			if (r != 0)
				return r;
		}
		room_make(w);
		worker_run_ready(w);
		worker_run_patient(w);
		worker_run_timers(w);
		board_set(&w->board.mine->open, w->slots - w->n_free);
		access_log_flush(&w->access_log);
		if (!w->draining && fdpool_worker_is_draining(w->pool))
			worker_drain(w);
		r = fdpool_worker_flush(w->pool);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
worker_accept(struct worker *w)
{
	struct fdpool_client clients[CLIENTS_AT_ONCE];
	unsigned got = 0, wanted;
	ssize_t n;

	do {
		worker_share_fds(w);
		n = fdpool_worker_recv(w->pool, clients, CLIENTS_AT_ONCE);
		if (n == -EMFILE) {
			log_error("worker %u: no room for a client: the"
				  " descriptor table is full",
			    w->index);
			return 0;
		}
		if (n < 0)
			return (int)n;
		for (ssize_t i = 0; i < n; i++)
			conn_open(
			    &w->conns[w->free[--w->n_free]], w, &clients[i]);
		got += (unsigned)n;
		board_add(&w->board.mine->connections, (uint64_t)n);
	} while (n == CLIENTS_AT_ONCE && got < CLIENTS_A_TURN);
	wanted = fdpool_worker_wanted(w->pool);
	if (wanted > 0)
		room_wanted(w, wanted);
	return 0;
}

/* What connections and the next clients leave free, the files that are asked
 * for often may have: so there is room for those clients. */
static void
worker_share_fds(struct worker *w)
{
	unsigned open = w->slots - w->n_free;
	unsigned due = WORKER_FDS + CONN_FDS_MAX * (open + CLIENTS_AT_ONCE);

	if (w->hot != NULL)
		hot_limit_fds(w->hot, w->max_fds > due ? w->max_fds - due : 0);
}

/*
 * Each that is ready now gets one turn; those it makes ready wait for the
 * next, so that a busy one cannot keep the loop.  The rest goes to the front
 * when the pass has taken long: the channel, whose heartbeats are answered
 * there, must be looked at however many are ready.
 */
static void
worker_run_ready(struct worker *w)
{
	uint64_t enough_ms = w->now_ms + PASS_MS;
	unsigned n_heard = 0;
	struct link now;

	link_init(&now);
	link_move_all(&now, &w->ready);
	while (link_is_linked(&now) && clock_ms() < enough_ms) {
		struct conn *c = link_entry(now.next, struct conn, ready);

		if (n_heard == 0)
			n_heard = worker_hear(&now);
		n_heard--;
		link_remove(&c->ready);
		conn_run(c);
	}
	link_move_all(&now, &w->ready);
	link_move_all(&w->ready, &now);
}

/* The first of those who are ready; how many. */
static unsigned
worker_hear(struct link *ready)
{
	unsigned n = 0;

	for (struct link *l = ready->next; l != ready && n < HEAR_AT_ONCE;
	     l = l->next, n++)
		conn_hear(link_entry(l, struct conn, ready));
	return n;
}

/* Those that send much go on in the time that nobody else needs, but for one
 * of them, who always has a turn; and after some turns the loop looks whether
 * somebody does. */
static void
worker_run_patient(struct worker *w)
{
	while (link_is_linked(&w->patient)) {
		struct conn *c = link_entry(
		    w->patient.next, struct conn, ready);

		link_remove(&c->ready);
		conn_run(c);
		if (link_is_linked(&w->ready) ||
		    clock_ns() - w->now_ns > PATIENT_NS)
			break;
	}
}

static void
worker_new_turn(struct worker *w)
{
	w->moment++;
	w->now_ns = clock_ns();
	w->now_ms = w->now_ns / 1000000;
	w->wall_s = clock_wall_s();
}

static void
worker_run_timers(struct worker *w)
{
	struct timer *t;

	while ((t = timer_next_due(&w->timers, w->now_ms)) != NULL)
		conn_timed_out(link_entry(t, struct conn, timer));
}

static void
worker_drain(struct worker *w)
{
	w->draining = true;
	for (uint32_t i = 0; i < w->slots; i++)
		conn_drain(&w->conns[i]);
}

void
worker_release(struct worker *w, struct conn *c)
{
	w->free[w->n_free++] = c->number;
	fdpool_worker_done(w->pool, 1);
}
