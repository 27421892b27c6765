#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "server/client_log.h"
#include "server/door.h"
#include "server/push_file.h"
#include "server/window.h"
#include "server/worker.h"
#include "store/store.h"

/* 512 frames in one call: as many entries as sendmsg takes. */
#define PUSH_IOVS 1024

struct push {
	struct conn *conn;
	struct window window; /* of the stream */
	uint64_t began_ns;
	bool is_whole;
	struct job fetch;
};

static enum want push_begin(struct conn *);
static enum want push_step(struct conn *);
static bool push_have_window(struct conn *);
static bool fetch_run(struct job *);
static void fetch_done(struct job *);

/* c->n_sent is the place in the stream: nothing else is sent here. */
static enum want
push_step(struct conn *c)
{
	const struct push_file *file = c->worker->push;
	struct iovec iov[PUSH_IOVS];
	struct push *p;
	ssize_t n;

	if (c->answer == NULL && push_begin(c) == WANT_CLOSE)
		return WANT_CLOSE;
	p = c->answer;
	if (p->fetch.is_out)
		return WANT_DISK;
	while (c->n_sent < push_file_stream_size(file)) {
		if (c->turn_left == 0)
			return WANT_TURN;
		if (!push_have_window(c))
			return WANT_DISK;
		n = push_file_gather(
		    file, c->n_sent, p->window.end, iov, PUSH_IOVS);
		n = conn_writev(c, iov, (int)n, false);
		if (n == -EAGAIN)
			return WANT_WRITE;
		if (n < 0) {
			if (n == -EFAULT)
				client_warn(c,
				    "closed: the file to push was cut short,"
				    " or cannot be read");
			return WANT_CLOSE;
		}
	}
	client_info(c, "PUSH ok %lluB %llums", (unsigned long long)c->n_sent,
	    (unsigned long long)((clock_ns() - p->began_ns) / 1000000));
	p->is_whole = true;
	/* what the client may have sent is not looked at, but unread it would
	 * make a close cut off the end of the file */
	return WANT_LEAVE;
}

static enum want
push_begin(struct conn *c)
{
	struct push *p;

	p = slab_get(&c->worker->answers);
	if (p == NULL || c->worker->push == NULL) {
		slab_put(&c->worker->answers, p);
		return WANT_CLOSE;
	}
	memset(p, 0, sizeof(*p));
	p->conn = c;
	p->began_ns = clock_ns();
	p->fetch.run = fetch_run;
	p->fetch.done = fetch_done;
	c->answer = p;
	conn_set_state(c, CONN_ANSWER);
	board_add(&c->worker->board.mine->pushes, 1);
	return WANT_NOTHING;
}

static bool
push_have_window(struct conn *c)
{
	struct push *p = c->answer;
	uint64_t off, n, now_ms = c->worker->now_ms;

	if (window_covers(&p->window, c->n_sent, now_ms))
		return true;
	p->window.end = c->n_sent + WINDOW_BYTES;
	p->window.asked_ms = now_ms;
	push_file_stretch(c->worker->push, c->n_sent, WINDOW_BYTES, &off, &n);
	if (n == 0 || store_is_resident(push_file_fd(c->worker->push), off, n))
		return true;
	p->fetch.from = c->source->id;
	helpers_submit(c->worker->helpers, &p->fetch);
	return false;
}

static bool
fetch_run(struct job *j)
{
	struct push *p = link_entry(j, struct push, fetch);
	const struct push_file *file = p->conn->worker->push;
	uint64_t off, n;

	push_file_stretch(file, p->conn->n_sent, WINDOW_BYTES, &off, &n);
	/* a failure shows when the bytes are sent */
	store_fetch(push_file_fd(file), off, n);
	return true;
}

static void
fetch_done(struct job *j)
{
	conn_job_done(link_entry(j, struct push, fetch)->conn);
}

static bool
push_stop_jobs(struct conn *c)
{
	struct push *p = c->answer;

	if (p == NULL)
		return false;
	helpers_cancel(c->worker->helpers, &p->fetch);
	return p->fetch.is_out;
}

static void
push_closed(struct conn *c)
{
	struct push *p = c->answer;

	if (p != NULL && !p->is_whole)
		client_info(
		    c, "PUSH cut off %lluB", (unsigned long long)c->n_sent);
	slab_put(&c->worker->answers, p);
	c->answer = NULL;
}

const struct door door_push = {
	.step = push_step,
	.closed = push_closed,
	.stop_jobs = push_stop_jobs,
};
