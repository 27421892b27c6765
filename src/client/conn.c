#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "client/conn.h"

/* Big enough that a system call is cheap beside the hash of its bytes. */
#define IN_SIZE (512 * 1024)
#define OUT_SIZE            \
	(TRAIN_HELLO_SIZE + \
	    CONN_AHEAD * (TRAIN_HEADER_SIZE + LIM_TRAIN_REQUEST_BYTES))
/* Bytes a second that a server must send while it is waited for, so that one
 * byte a minute does not hold us for ever. */
#define DRIP_RATE 16
/* What a server hashes in a ms, at the least. */
#define HASH_RATE (64 * 1024)
#define HASH_MAX_MS (3600 * 1000)

struct conn {
	struct session *session;
	int fd;
	struct buf in;
	struct buf out;
	size_t spent; /* bytes of in that the caller is done with */
	uint32_t data_left; /* of the data frame that is being handed out */
	struct train_frame data;
	uint64_t extra_ms;
	uint64_t waited_ms; /* since it was last judged */
	uint64_t came; /* since it was last judged */
	const char *reason;
	unsigned char memory[IN_SIZE + OUT_SIZE];
};

static int hello(struct conn *);
static int next_data(struct conn *, struct arrival *);
static int fill(struct conn *);
static int wait_ready(struct conn *, uint64_t, short *);
static int send_some(struct conn *);
static int receive_some(struct conn *);
static void set_patience(struct conn *, uint64_t);
static int fail(struct conn *, int, const char *);

struct conn *
conn_new(struct session *session)
{
	struct conn *c;

	c = malloc(sizeof(*c));
	if (c == NULL)
		return NULL;
	c->session = session;
	c->fd = -1;
	c->extra_ms = 0;
	c->reason = "Not connected";
	buf_init(&c->in, c->memory, IN_SIZE);
	buf_init(&c->out, c->memory + IN_SIZE, OUT_SIZE);
	return c;
}

void
conn_free(struct conn *c)
{
	if (c == NULL)
		return;
	conn_disconnect(c);
	free(c);
}

int
conn_connect(struct conn *c)
{
	int r;

	conn_disconnect(c);
	r = c->session->dial(c->session, &c->fd);
	if (r != 0)
		return fail(
		    c, r, r == -EINTR ? "Stopped" : strerrordesc_np(-r));
	atomic_store(&c->session->was_reached, true);
	r = hello(c);
	if (r != 0)
		conn_disconnect(c);
	return r;
}

int
conn_reach(struct conn *c, unsigned *tries)
{
	int r, w;

	for (;;) {
		r = conn_connect(c);
		if (r == 0 || r == -EINTR || r == -EPROTO || r == -EMFILE ||
		    r == -EPROTONOSUPPORT ||
		    !atomic_load(&c->session->was_reached))
			return r;
		w = session_retry(c->session, tries, r);
		if (w != 0)
			return w == -EINTR ? w : r;
	}
}

bool
conn_is_open(const struct conn *c)
{
	return c->fd != -1;
}

void
conn_disconnect(struct conn *c)
{
	fd_close(&c->fd);
	buf_reset(&c->in);
	buf_reset(&c->out);
	c->spent = 0;
	c->data_left = 0;
	set_patience(c, 0);
}

struct buf *
conn_out(struct conn *c)
{
	buf_compact(&c->out); /* what was sent gives its room back */
	return &c->out;
}

int
conn_next(struct conn *c, struct arrival *a)
{
	enum train_result tr;
	const char *reason;
	int r;

	buf_drop(&c->in, c->spent);
	c->spent = 0;
	for (;;) {
		if (c->data_left > 0)
			return next_data(c, a);
		tr = train_frame_parse(buf_head(&c->in), buf_len(&c->in),
		    TRAIN_FROM_SERVER, &a->frame, &reason);
		if (tr == TRAIN_BAD)
			return fail(c, -EPROTO, reason);
		if (tr == TRAIN_OK && a->frame.type == TRAIN_DATA) {
			buf_drop(&c->in, TRAIN_HEADER_SIZE);
			c->data = a->frame;
			c->data_left = a->frame.len;
			continue;
		}
		if (tr == TRAIN_OK &&
		    buf_len(&c->in) - TRAIN_HEADER_SIZE >= a->frame.len)
			break;
		r = fill(c);
		if (r != 0)
			return r;
	}
	if (c->extra_ms > 0)
		set_patience(c, 0);
	a->bytes = buf_head(&c->in) + TRAIN_HEADER_SIZE;
	a->len = a->frame.len;
	c->spent = TRAIN_HEADER_SIZE + a->len;
	return 0;
}

void
conn_await_digest(struct conn *c, uint64_t size)
{
	set_patience(c, conn_digest_ms(size));
}

uint64_t
conn_digest_ms(uint64_t size)
{
	uint64_t ms = size / HASH_RATE;

	return ms < HASH_MAX_MS ? ms : HASH_MAX_MS;
}

const char *
conn_reason(const struct conn *c)
{
	return c->reason;
}

static int
hello(struct conn *c)
{
	enum train_result tr;
	const char *reason;
	uint8_t version;
	int r;

	(void)train_hello_put(&c->out, TRAIN_VERSION); /* out is empty */
	for (;;) {
		tr = train_hello_parse(
		    buf_head(&c->in), buf_len(&c->in), &version, &reason);
		if (tr != TRAIN_MORE)
			break;
		r = fill(c);
		if (r != 0)
			return r;
	}
	if (tr == TRAIN_BAD)
		return fail(
		    c, -EPROTO, "What answers there is no train server");
	if (version != TRAIN_VERSION)
		return fail(c, -EPROTONOSUPPORT,
		    "The server speaks another version of the train");
	buf_drop(&c->in, TRAIN_HELLO_SIZE);
	return 0;
}

static int
next_data(struct conn *c, struct arrival *a)
{
	int r;

	if (buf_len(&c->in) == 0) {
		r = fill(c);
		if (r != 0)
			return r;
	}
	a->frame = c->data;
	a->bytes = buf_head(&c->in);
	a->len = buf_len(&c->in);
	if (a->len > c->data_left)
		a->len = c->data_left;
	c->data_left -= (uint32_t)a->len;
	c->spent = a->len;
	return 0;
}

/* Until at least one byte more is in c->in.  Sends meanwhile, so that neither
 * side waits for the other with both directions full. */
static int
fill(struct conn *c)
{
	uint64_t due = clock_ms() + c->session->silence_ms + c->extra_ms;
	short ready = 0;
	int r;

	if (buf_len(&c->in) == 0)
		buf_reset(&c->in);
	else
		buf_compact(&c->in);
	for (;;) {
		r = send_some(c);
		if (r == 0)
			r = wait_ready(c, due, &ready);
		if (r == 0 && (ready & ~POLLOUT) != 0) {
			r = receive_some(c);
			if (r != -EAGAIN)
				return r;
			r = 0;
		}
		if (r != 0)
			return r;
	}
}

static int
wait_ready(struct conn *c, uint64_t due, short *ready)
{
	struct pollfd p[2] = { { .fd = c->fd, .events = POLLIN },
		{ .fd = c->session->stop_fd, .events = POLLIN } };
	uint64_t from, now;
	int n;

	if (buf_len(&c->out) > 0)
		p[0].events |= POLLOUT;
	from = now = clock_ms();
	do {
		n = poll(p, 2,
		    (int)session_slice(c->session, now < due ? due - now : 0));
		now = clock_ms();
	} while (n == -1 ? errno == EINTR : n == 0 && now < due);
	c->waited_ms += now - from;
	if (n == -1)
		return fail(c, -errno, strerrordesc_np(errno));
	if (p[1].revents != 0)
		return fail(c, -EINTR, "Stopped");
	if (n == 0)
		return fail(c, -ETIMEDOUT, "The server is silent");
	*ready = p[0].revents;
	return 0;
}

static int
send_some(struct conn *c)
{
	ssize_t n;

	while (buf_len(&c->out) > 0) {
		n = send(
		    c->fd, buf_head(&c->out), buf_len(&c->out), MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return 0;
		/* what the server said before it closed is worth reading */
		if (n == -1) {
			buf_reset(&c->out);
			return 0;
		}
		buf_drop(&c->out, (size_t)n);
	}
	buf_reset(&c->out);
	return 0;
}

static int
receive_some(struct conn *c)
{
	size_t room = buf_room(&c->in);
	ssize_t n;

	if (c->session->read_max > 0 && room > c->session->read_max)
		room = c->session->read_max;
	do
		n = recv(c->fd, buf_tail(&c->in), room, 0);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		return -EAGAIN;
	if (n == -1)
		return fail(c, -errno, strerrordesc_np(errno));
	if (n == 0)
		return fail(c, -ECONNRESET, "The server closed the connection");
	buf_added(&c->in, (size_t)n);
	c->came += (uint64_t)n;
	if (c->waited_ms >= c->session->silence_ms && c->extra_ms == 0) {
		if (c->came < c->waited_ms * DRIP_RATE / 1000)
			return fail(c, -ETIMEDOUT, "The server only drips");
		set_patience(c, 0);
	}
	return 0;
}

/* How much longer than usual the server may be silent from now on. */
static void
set_patience(struct conn *c, uint64_t extra_ms)
{
	c->extra_ms = extra_ms;
	c->waited_ms = 0;
	c->came = 0;
}

static int
fail(struct conn *c, int err, const char *reason)
{
	c->reason = reason;
	return err;
}
