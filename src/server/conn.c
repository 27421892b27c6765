#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "server/client_log.h"
#include "server/conn.h"
#include "server/door.h"
#include "server/source.h"
#include "server/worker.h"

/* How often one that leaves is looked at while the worker drains. */
#define DRAIN_LOOK_MS 20

/* Of our CPU time, so that others need not wait long. */
#define TURN_NS 500000
#define SMALL_BYTES (32 * 1024)

static const char *const state_names[] = {
	[CONN_FREE] = "free",
	[CONN_HELLO] = "hello",
	[CONN_IDLE] = "idle",
	[CONN_REQUEST] = "request",
	[CONN_ANSWER] = "answer",
	[CONN_LEAVING] = "leaving",
	[CONN_CLOSING] = "closing",
};
static_assert(sizeof(state_names) / sizeof(state_names[0]) == CONN_STATES,
    "each state has its name");

/* ---- what a turn ends with ---- */
static void conn_follow(struct conn *, enum want);
static void conn_wait(struct conn *);
static void conn_close(struct conn *);
static void conn_finish(struct conn *);
static bool is_said_and_done(const struct conn *);
static enum want conn_leave_step(struct conn *);
static bool conn_is_trusted(const struct worker *, const struct addr *);
static void conn_drop_source(struct conn *);
/* ---- deadlines ---- */
static void conn_set_deadline(struct conn *);
static bool must_read(const struct conn *);
static void conn_deadline(struct conn *, uint64_t when_ms);
static uint64_t bytes_taken(const struct conn *);
static uint64_t bytes_on_the_way(const struct conn *);
static bool conn_is_fast_enough(struct conn *);
/* ---- buffers ---- */
static void sent(struct conn *, size_t);
static void set_cork(struct conn *, bool is_corked);
static bool has_room(const struct conn *);
static void learn_pace(struct worker *, uint64_t n, uint64_t ns);
static int need(struct buf *, struct slab *);
static void release_if_empty(struct buf *, struct slab *);

void
conn_open(struct conn *c, struct worker *w, const struct fdpool_client *client)
{
	uint32_t number = c->number;

	memset(c, 0, sizeof(*c));
	c->number = number;
	c->worker = w;
	c->fd = client->fd;
	memcpy(&c->peer, client->tag.bytes, sizeof(c->peer));
	c->door = c->peer.door == WIRE_DOOR_PUSH ? &door_push : &door_any;
	c->accepted = c->peer.addr;
	c->is_proxy = conn_is_trusted(w, &c->peer.addr);
	link_init(&c->ready);
	timer_init(&c->timer);
	c->may_read = true;
	c->is_gone = !conn_set_source(c);
	conn_set_state(c, CONN_HELLO);
	conn_wake(c);
}

/* A proxy speaks for many: its connections are not counted against it. */
bool
conn_set_source(struct conn *c)
{
	struct worker *w = c->worker;

	if (c->source != NULL && source_has(c->source, &c->peer.addr))
		return true;
	conn_drop_source(c);
	c->source = source_get(&w->sources, &c->peer.addr);
	if (c->source == NULL)
		return false;
	c->source->n_conns++;
	if (w->config.max_per_source == 0 || c->is_proxy ||
	    c->source->n_conns <= w->config.max_per_source)
		return true;
	client_info(c, "closed: its source has %u connections already",
	    w->config.max_per_source);
	board_add(&w->board.mine->over_share, 1);
	return false;
}

static void
conn_drop_source(struct conn *c)
{
	if (c->source != NULL)
		c->source->n_conns--;
	source_put(&c->worker->sources, c->source);
	c->source = NULL;
}

static bool
conn_is_trusted(const struct worker *w, const struct addr *peer)
{
	for (uint32_t i = 0; i < w->config.n_trusted; i++)
		if (addr_block_has(&w->config.trusted[i], peer))
			return true;
	return false;
}

void
conn_wake(struct conn *c)
{
	if (c->woken || c->state == CONN_CLOSING || c->state == CONN_FREE)
		return;
	c->woken = true;
	link_add_last(&c->worker->ready, &c->ready);
}

void
conn_event(struct conn *c, uint32_t events)
{
	if (events & (EPOLLERR | EPOLLHUP))
		c->is_gone = true;
	if (events & EPOLLRDHUP)
		c->is_half = true;
	/* no protocol here has any; a read stops before it, and everybody
	 * has another view of what it is part of */
	if ((events & EPOLLPRI) && !c->is_gone) {
		client_info(c, "closed: urgent data");
		c->is_gone = true;
	}
	c->may_read = true;
	c->is_full = false;
	conn_wake(c);
}

void
conn_hear(struct conn *c)
{
	struct board_served *served =
	    &c->worker->board.mine->served[BOARD_LOOP];

	if (!c->door->hears_first || c->answer != NULL || c->is_gone ||
	    c->state >= CONN_ANSWER || buf_len(&c->in) > 0)
		return;
	board_serves(served, &c->source->id.addr);
	(void)conn_read(c); /* the turn will meet it again */
	board_rests(served);
}

void
conn_run(struct conn *c)
{
	struct board_served *served =
	    &c->worker->board.mine->served[BOARD_LOOP];
	enum want want;

	c->woken = false;
	if (c->is_gone) {
		conn_close(c);
		return;
	}
	board_serves(served, &c->source->id.addr);
	c->turn_left = c->worker->turn_bytes;
	want = c->state == CONN_LEAVING ? conn_leave_step(c) : c->door->step(c);
	if (want == WANT_LEAVE) {
		conn_set_state(c, CONN_LEAVING);
		want = conn_leave_step(c);
	}
	if (c->is_corked && want != WANT_WRITE && want != WANT_TURN)
		set_cork(c, false);
	conn_follow(c, want);
	/* behind a wait for our own disk the client's time begins anew */
	if (c->on_disk && want != WANT_DISK && c->state == CONN_ANSWER)
		conn_set_deadline(c);
	c->on_disk = want == WANT_DISK;
	release_if_empty(&c->in, &c->worker->ins);
	release_if_empty(&c->out, &c->worker->outs);
	switch (want) {
	case WANT_READ:
	case WANT_WRITE:
	case WANT_DISK: /* a client that goes away must be noticed */
		conn_wait(c);
		break;
	case WANT_NOTHING:
		conn_wake(c);
		break;
	case WANT_TURN: /* behind those that want little */
		c->woken = true;
		link_add_last(&c->worker->patient, &c->ready);
		break;
	case WANT_LEAVE:
	case WANT_CLOSE:
		conn_close(c);
		break;
	}
	board_rests(served);
}

/* Who has to read is held to the rate, whatever else comes behind that; who has
 * to speak, to the deadlines for that. */
static void
conn_follow(struct conn *c, enum want want)
{
	if (want == WANT_WRITE && c->state != CONN_LEAVING)
		conn_set_state(c, CONN_ANSWER);
	else if (want == WANT_READ && c->state == CONN_ANSWER)
		conn_set_state(c, c->answer != NULL || buf_len(&c->in) > 0
				      ? CONN_REQUEST
				      : CONN_IDLE);
}

/* A small answer to a client that has promised to say no more.  (For a large
 * one, long on its way, a client that breaks its promise is borne with.) */
static bool
is_said_and_done(const struct conn *c)
{
	return c->says_no_more && !c->may_read && c->n_sent <= SMALL_BYTES;
}

/*
 * Closing a socket with unread bytes in it resets the connection, and the
 * reset may overtake the last answer.  So, unless the client has said all it
 * will: send, say that no more comes, and read for a while until it has hung
 * up.
 */
static enum want
conn_leave_step(struct conn *c)
{
	ssize_t n;
	int r;

	r = conn_flush(c, false);
	if (r == -EAGAIN)
		return WANT_WRITE;
	if (r != 0 || c->at_eof || is_said_and_done(c))
		return WANT_CLOSE;
	/* a reset could only overtake what is on its way */
	if (c->worker->draining && bytes_on_the_way(c) == 0)
		return WANT_CLOSE;
	if (!c->is_shut) {
		shutdown(c->fd, SHUT_WR);
		c->is_shut = true;
		conn_set_deadline(c);
	}
	do {
		buf_reset(&c->in);
		n = conn_read(c);
		if (n > 0)
			c->n_thrown += (uint32_t)n;
	} while (n > 0 && c->n_thrown < CONN_LINGER_BYTES);
	buf_reset(&c->in);
	if (n != -EAGAIN)
		return WANT_CLOSE;
	/* nothing tells that the client's kernel has it all */
	if (c->worker->draining)
		timer_set(&c->worker->timers, &c->timer,
		    c->worker->now_ms + DRAIN_LOOK_MS);
	return WANT_READ;
}

/*
 * Each socket is registered once, for both directions and edge-triggered: a
 * step has always met EAGAIN before it waits, and adding a socket reports
 * what is ready already.  Those that are done at their first turn never cost
 * the call.
 */
static void
conn_wait(struct conn *c)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = c,
	};

	if (c->in_epoll)
		return;
	if (epoll_ctl(c->worker->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == -1) {
		client_warn(c, "closed: epoll_ctl: %s", strerror(errno));
		conn_close(c);
		return;
	}
	c->in_epoll = true;
}

static void
conn_close(struct conn *c)
{
	bool busy;

	/* a close alone would leave it there as long as another process, one
	 * just being forked, has the socket too: its events would then be
	 * taken for those of the entry's next connection */
	if (c->in_epoll)
		epoll_ctl(c->worker->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	fd_close(&c->fd);
	link_remove(&c->ready);
	c->woken = false;
	conn_set_state(c, CONN_CLOSING);
	busy = c->door->stop_jobs != NULL && c->door->stop_jobs(c);
	if (!busy)
		conn_finish(c);
}

static void
conn_finish(struct conn *c)
{
	if (c->door->closed != NULL)
		c->door->closed(c);
	buf_reset(&c->in);
	buf_reset(&c->out);
	release_if_empty(&c->in, &c->worker->ins);
	release_if_empty(&c->out, &c->worker->outs);
	conn_drop_source(c);
	conn_set_state(c, CONN_FREE);
	worker_release(c->worker, c);
}

void
conn_job_done(struct conn *c)
{
	if (c->state != CONN_CLOSING)
		conn_wake(c);
	else if (!c->door->stop_jobs(c))
		conn_finish(c);
}

void
conn_drop(struct conn *c)
{
	conn_close(c);
}

/*
 * Between requests; with nothing said yet after a while; or told the last,
 * and the client has it.  Not one whose next word is here and only not looked
 * at yet.
 */
bool
conn_may_go(const struct conn *c, uint64_t *since_ms)
{
	const struct wire_config *cf = &c->worker->config;
	uint64_t now = c->worker->now_ms;

	if (c->woken || buf_len(&c->in) > 0 || buf_len(&c->out) > 0)
		return false;
	switch (c->state) {
	case CONN_HELLO:
		*since_ms = c->peer.accepted_ms;
		return now - *since_ms >= LIM_ROOM_HELLO_MS;
	case CONN_IDLE:
		*since_ms = c->deadline_ms - cf->idle_ms;
		return now - *since_ms >= LIM_ROOM_IDLE_MS;
	case CONN_LEAVING:
		*since_ms = c->deadline_ms - cf->request_ms;
		return c->is_shut && bytes_on_the_way(c) == 0;
	default:
		return false;
	}
}

void
conn_drain(struct conn *c)
{
	if (c->state == CONN_HELLO && !c->woken && buf_len(&c->in) == 0) {
		conn_close(c); /* it has said nothing yet */
	} else if (c->state == CONN_IDLE) {
		conn_set_state(c, CONN_LEAVING);
		conn_wake(c);
	} else if (c->state == CONN_LEAVING) {
		conn_wake(c); /* it has been waiting in another mood */
	}
}

void
conn_set_state(struct conn *c, enum conn_state state)
{
	if (c->state == state)
		return;
	if (log_level() >= LOG_DEBUG)
		log_debug("%s: %s -> %s", conn_name(c), state_names[c->state],
		    state_names[state]);
	c->state = state;
	conn_set_deadline(c);
}

static void
conn_set_deadline(struct conn *c)
{
	const struct wire_config *cf = &c->worker->config;
	uint64_t now = c->worker->now_ms;

	if (must_read(c)) {
		/* what is quickly taken is never measured */
		c->window_open = false;
		conn_deadline(c, now + cf->rate_window_ms / 60 + 1);
		return;
	}
	switch (c->state) {
	case CONN_HELLO:
		/* from the accept on, however long it waited for a worker:
		 * but one that waited has a second to show itself */
		conn_deadline(c, c->peer.accepted_ms + cf->hello_ms > now + 1000
				     ? c->peer.accepted_ms + cf->hello_ms
				     : now + 1000);
		break;
	case CONN_IDLE:
		conn_deadline(c, now + cf->idle_ms);
		break;
	case CONN_REQUEST:
	case CONN_LEAVING:
		conn_deadline(c, now + cf->request_ms);
		break;
	case CONN_ANSWER:
	case CONN_FREE:
	case CONN_CLOSING:
	case CONN_STATES:
		timer_clear(&c->worker->timers, &c->timer);
		break;
	}
}

/* Is it the client's turn to take what it is sent? */
static bool
must_read(const struct conn *c)
{
	return c->state == CONN_ANSWER ||
	       (c->state == CONN_LEAVING && !c->is_shut &&
		   buf_len(&c->out) > 0);
}

/* Deadlines move with each request and seldom pass: the timer is only ever
 * brought forward, and looks again when it is early. */
static void
conn_deadline(struct conn *c, uint64_t when_ms)
{
	c->deadline_ms = when_ms;
	if (!timer_is_set(&c->timer) || c->timer.due_ms > when_ms)
		timer_set(&c->worker->timers, &c->timer, when_ms);
}

void
conn_idle(struct conn *c)
{
	if (c->state == CONN_IDLE)
		conn_set_deadline(c);
	else
		conn_set_state(c, CONN_IDLE);
}

void
conn_timed_out(struct conn *c)
{
	if (c->deadline_ms > c->worker->now_ms) {
		conn_deadline(c, c->deadline_ms);
		if (c->state == CONN_LEAVING)
			conn_wake(c);
		return;
	}
	if (must_read(c) && (!c->window_open || conn_is_fast_enough(c))) {
		c->window_open = true;
		c->window_taken = bytes_taken(c);
		conn_deadline(
		    c, c->worker->now_ms + c->worker->config.rate_window_ms);
		return;
	}
	client_info(c, "closed: too slow in state %s", state_names[c->state]);
	conn_close(c);
}

/* What the client has acknowledged: the socket's buffer may hold megabytes
 * that it has not, and takes no more until a good part of them is gone. */
static uint64_t
bytes_taken(const struct conn *c)
{
	return c->n_sent - bytes_on_the_way(c);
}

static uint64_t
bytes_on_the_way(const struct conn *c)
{
	int queued = 0;

	if (ioctl(c->fd, SIOCOUTQ, &queued) == -1 || queued < 0 ||
	    (uint64_t)queued > c->n_sent)
		queued = 0;
	return (uint64_t)queued;
}

/* While our own disk is what is waited for, the client is not to blame. */
static bool
conn_is_fast_enough(struct conn *c)
{
	const struct wire_config *cf = &c->worker->config;

	if (c->on_disk)
		return true;
	return bytes_taken(c) - c->window_taken >=
	       (uint64_t)cf->min_rate * cf->rate_window_ms / 1000;
}

ssize_t
conn_read(struct conn *c)
{
	ssize_t n;

	if (!c->may_read)
		return -EAGAIN;
	if (need(&c->in, &c->worker->ins) != 0)
		return -ENOMEM;
	buf_compact(&c->in);
	if (buf_room(&c->in) == 0)
		return -ENOBUFS;
	do
		n = recv(c->fd, buf_tail(&c->in), buf_room(&c->in), 0);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		c->may_read = false;
	if (n == -1)
		return -errno;
	/* epoll(7), question 9: what comes later is an event of its own; but
	 * a local socket's read ends where descriptors were sent along */
	if ((size_t)n < buf_room(&c->in) && !c->is_half &&
	    c->accepted.family != 0)
		c->may_read = false;
	buf_added(&c->in, (size_t)n);
	c->worker->moment++;
	board_add(&c->worker->board.mine->bytes_received, (uint64_t)n);
	conn_charge(c, (uint64_t)n);
	if (n == 0)
		c->at_eof = true;
	return n;
}

void
conn_charge(struct conn *c, uint64_t n)
{
	c->turn_left -= n < c->turn_left ? (uint32_t)n : c->turn_left;
}

int
conn_need_out(struct conn *c)
{
	if (need(&c->out, &c->worker->outs) != 0)
		return -ENOMEM;
	if (buf_room(&c->out) < CONN_OUT_SIZE / 2)
		buf_compact(&c->out);
	return 0;
}

int
conn_flush(struct conn *c, bool more)
{
	ssize_t n;

	while (buf_len(&c->out) > 0) {
		n = send(c->fd, buf_head(&c->out), buf_len(&c->out),
		    MSG_NOSIGNAL | (more ? MSG_MORE : 0));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		buf_drop(&c->out, (size_t)n);
		sent(c, (size_t)n);
	}
	release_if_empty(&c->out, &c->worker->outs);
	return 0;
}

ssize_t
conn_sendfile(struct conn *c, int fd, uint64_t *off, uint64_t len)
{
	off_t pos = (off_t)*off;
	uint64_t began_ns;
	ssize_t n;

	if (c->is_full)
		return -EAGAIN;
	if (len > c->turn_left && !c->is_corked)
		set_cork(c, true);
	if (len > c->turn_left)
		len = c->turn_left;
	began_ns = len < CONN_TURN_MIN ? 0 : clock_cpu_ns();
	do
		n = sendfile(c->fd, fd, &pos, len);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	*off = (uint64_t)pos;
	if (began_ns != 0 && n >= CONN_TURN_MIN)
		learn_pace(c->worker, (uint64_t)n, clock_cpu_ns() - began_ns);
	if ((uint64_t)n < len && n > 0)
		c->is_full = !has_room(c);
	sent(c, (size_t)n);
	return n;
}

/* tcp(7), TCP_CORK: what takes many turns costs a quarter less when its pages
 * go into full segments only.  A local socket knows no such thing, and needs
 * none. */
static void
set_cork(struct conn *c, bool is_corked)
{
	int on = is_corked;

	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	c->is_corked = is_corked;
}

/* poll(2) of a full socket also arms the event that says when it is not.  To
 * find it out by sending costs more: pages would be looked up for nothing. */
static bool
has_room(const struct conn *c)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLOUT };

	return poll(&pfd, 1, 0) != 0;
}

/* A turn shall take no longer than others like to wait: what that means in
 * bytes depends on the machine, and on how far away the pages are. */
static void
learn_pace(struct worker *w, uint64_t n, uint64_t ns)
{
	uint64_t fit = n * TURN_NS / (ns > 0 ? ns : 1);
	uint64_t turn = ((uint64_t)w->turn_bytes * 3 + fit) / 4;

	w->turn_bytes = turn < CONN_TURN_MIN	 ? CONN_TURN_MIN
			: turn > CONN_TURN_BYTES ? CONN_TURN_BYTES
						 : (uint32_t)turn;
}

ssize_t
conn_writev(struct conn *c, const struct iovec *iov, int n_iov, bool more)
{
	struct msghdr msg = {
		.msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)n_iov,
	};
	ssize_t n;

	do
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	sent(c, (size_t)n);
	return n;
}

void
conn_reset_on_close(struct conn *c, bool on)
{
	struct linger linger = { .l_onoff = on };

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

const char *
conn_name(const struct conn *c)
{
	static char name[80];
	char addr[ADDR_TEXT];

	snprintf(name, sizeof(name), "conn %u %s", c->number,
	    addr_text(addr, &c->peer.addr));
	return name;
}

static void
sent(struct conn *c, size_t n)
{
	c->n_sent += n;
	board_add(&c->worker->board.mine->bytes_sent, n);
	conn_charge(c, n);
}

static int
need(struct buf *b, struct slab *s)
{
	void *mem;

	if (b->mem != NULL)
		return 0;
	mem = slab_get(s);
	if (mem == NULL)
		return -ENOMEM;
	buf_init(b, mem, s->size);
	return 0;
}

static void
release_if_empty(struct buf *b, struct slab *s)
{
	if (b->mem == NULL || buf_len(b) > 0)
		return;
	slab_put(s, b->mem);
	buf_init(b, NULL, 0);
}
