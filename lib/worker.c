/* The worker's end of a channel. */
#include "channel.h"
#include "fd.h"
#include "inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define SHORT_MS 100 /* between two complaints that there is no room */
#define STUCK_MS 10 /* between two looks at what has none, when blocking */

enum phase { PHASE_SERVING = 1, PHASE_DRAINING = 2 };

struct fdpool_worker {
	int chan_fd;
	uint32_t index;
	uint32_t slots;
	uint32_t held;
	int failed; /* -EPIPE or -EPROTO: for good */
	int hurt; /* -EMFILE: told once */
	bool is_ready; /* has said so */
	bool draining;
	uint32_t wanted;
	uint32_t seen;
	int64_t short_at; /* ms; the last complaint */

	/* what the master has not been told */
	uint32_t taken;
	uint32_t done;
	uint32_t dropped;
	bool owes_pong;
	uint32_t pong_seq;
	bool owes_short;

	/* where a received client goes, while a message is handled */
	struct fdpool_client *client;
	int *client_fd;

	size_t hello_len;
	unsigned char hello[FDPOOL_HELLO_MAX];
	struct fdp_inbox inbox;
};

/* opening */
static int hear_hello(struct fdpool_worker *);

/* receiving */
static ssize_t receive(struct fdpool_worker *, struct fdpool_client *,
    size_t want, int flags, bool *more);
static int complain(struct fdpool_worker *);
static ssize_t handle_all(struct fdpool_worker *, struct fdpool_client *);
static int
handle(struct fdpool_worker *, struct fdp_arrival *, struct fdpool_client *);
static int make_blocking(const struct fdpool_client *);

/* handlers: 1 for a client, 0 for another message */
static int op_client(void *, const void *);
static int op_ping(void *, const void *);
static int op_wanted(void *, const void *);
static int op_drain(void *, const void *);

/* saying */
static int say(struct fdpool_worker *, int flags);
static int say_all(struct fdpool_worker *, int flags);

static const struct fdp_op ops[CTL_TYPES] = {
	[CTL_CLIENT] = { op_client, sizeof(struct ctl_client), PHASE_SERVING,
	    OP_FD },
	[CTL_PING] = { op_ping, sizeof(struct ctl_ping),
	    PHASE_SERVING | PHASE_DRAINING, 0 },
	[CTL_WANTED] = { op_wanted, sizeof(struct ctl_wanted),
	    PHASE_SERVING | PHASE_DRAINING, 0 },
	[CTL_DRAIN] = { op_drain, sizeof(struct ctl_drain), PHASE_SERVING,
	    OP_ONCE },
};

/* The channel is made blocking, and every call that must not wait says so
 * itself: fdpool_worker_wait needs no poll then. */
int
fdpool_worker_open(struct fdpool_worker **worker, int chan_fd, unsigned slots)
{
	struct fdpool_worker *w = NULL;
	int error = -EINVAL;

	if (slots < 1 || slots > FDPOOL_SLOTS_MAX)
		goto out;
	w = calloc(1, sizeof(*w));
	error = -ENOMEM;
	if (w == NULL)
		goto out;
	w->chan_fd = fdp_take(&chan_fd);
	w->slots = slots;
	error = -EINVAL;
	if (fcntl(w->chan_fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(w->chan_fd, F_SETFL, 0) == -1)
		goto out;
	if ((error = hear_hello(w)) != 0 ||
	    (error = fdp_inbox_init(&w->inbox, w->chan_fd)) != 0)
		goto out;
	*worker = w;
	return 0;
out:
	fdp_close(&chan_fd);
	fdpool_worker_close(w);
	return error;
}

int
fdpool_worker_ready(struct fdpool_worker *w)
{
	struct ctl_ready ready = {
		.type = CTL_READY, .version = CTL_VERSION, .slots = w->slots
	};
	int error;

	if (w->is_ready)
		return 0;
	error = fdp_chan_send(w->chan_fd, &ready, sizeof(ready), 0);
	if (error == 0)
		w->is_ready = true;
	return error;
}

const void *
fdpool_worker_hello(const struct fdpool_worker *w, size_t *len)
{
	*len = w->hello_len;
	return w->hello;
}

unsigned
fdpool_worker_index(const struct fdpool_worker *w)
{
	return w->index;
}

int
fdpool_worker_fd(const struct fdpool_worker *w)
{
	return w->chan_fd;
}

bool
fdpool_worker_is_draining(const struct fdpool_worker *w)
{
	return w->draining;
}

unsigned
fdpool_worker_wanted(struct fdpool_worker *w)
{
	unsigned n = w->wanted;

	w->wanted = 0;
	return n;
}

int
fdpool_worker_wait(struct fdpool_worker *w, struct fdpool_client *client)
{
	ssize_t n = fdpool_worker_ready(w);
	bool more;

	if (n != 0)
		return n == -EPIPE ? 0 : (int)n;
	do {
		/* The master does not ping a worker of one slot that it
		 * believes busy, so what it has not been told must go before
		 * the wait. */
		n = w->failed != 0 ? w->failed : say(w, 0);
		if (n != 0 || w->draining)
			break;
		n = receive(w, client, 1, 0, &more);
		if (n == 0 && w->inbox.is_stuck)
			poll(NULL, 0, STUCK_MS);
		if (n == 1)
			n = make_blocking(client);
	} while (n == 0);
	return n == -EPIPE ? 0 : (int)n;
}

ssize_t
fdpool_worker_recv(
    struct fdpool_worker *w, struct fdpool_client *clients, size_t cap)
{
	bool more = true;
	size_t got = 0;
	ssize_t n = 0;

	if (cap == 0)
		return -EINVAL;
	if ((n = fdpool_worker_ready(w)) != 0)
		return n;
	(void)say(w, MSG_DONTWAIT);
	while (more && got < cap) {
		n = receive(w, clients + got, cap - got, MSG_DONTWAIT, &more);
		if (n < 0)
			break;
		got += (size_t)n;
	}
	if (w->owes_pong)
		(void)say(w, MSG_DONTWAIT);
	if (got == 0)
		return n;
	if (n == -EMFILE)
		w->hurt = (int)n;
	return (ssize_t)got;
}

void
fdpool_worker_done(struct fdpool_worker *w, unsigned n)
{
	w->done += n;
	w->held -= n < w->held ? n : w->held;
}

int
fdpool_worker_flush(struct fdpool_worker *w)
{
	return say(w, MSG_DONTWAIT);
}

void
fdpool_worker_close(struct fdpool_worker *w)
{
	const struct ctl_bye bye = { .type = CTL_BYE };

	if (w == NULL)
		return;
	if (w->is_ready && w->failed == 0 && say_all(w, 0) == 0)
		(void)fdp_chan_send(w->chan_fd, &bye, sizeof(bye), 0);
	fdp_close(&w->chan_fd);
	free(w);
}

/* Without room for a descriptor: one that came would be dropped, and seen in
 * the flags. */
static int
hear_hello(struct fdpool_worker *w)
{
	struct ctl_hello hello = { .type = CTL_NONE };
	struct iovec iov = { .iov_base = &hello, .iov_len = sizeof(hello) };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = recvmsg(w->chan_fd, &head, 0);
	while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	w->failed = n == -1 ? -errno : n == 0 ? -EPIPE : 0;
	if (w->failed != 0)
		return w->failed;
	if ((size_t)n != sizeof(hello) || hello.type != CTL_HELLO ||
	    (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    hello.version != CTL_VERSION || hello.len > FDPOOL_HELLO_MAX)
		return w->failed = -EPROTO;
	w->index = hello.index;
	w->hello_len = hello.len;
	memcpy(w->hello, hello.bytes, hello.len);
	return 0;
}

/*
 * Receives one batch; *more is whether it was full.  After an error no client
 * of the batch is lost: those before it are counted, and the error is given
 * at the next call (failed), or now if there is none.
 */
static ssize_t
receive(struct fdpool_worker *w, struct fdpool_client *clients, size_t want,
    int flags, bool *more)
{
	unsigned cap = want < FDP_INBOX_BATCH ? (unsigned)want
					      : FDP_INBOX_BATCH;
	struct fdp_inbox *in = &w->inbox;
	int hurt = w->hurt;
	ssize_t got;

	*more = false;
	w->hurt = 0;
	if (w->failed != 0 || hurt != 0)
		return w->failed != 0 ? w->failed : hurt;
	w->failed = fdp_inbox_receive(in, w->chan_fd, cap, flags);
	got = handle_all(w, clients);
	fdp_inbox_clear(in);
	*more = in->n_arrivals == cap && w->failed == 0 && w->hurt == 0;
	if (got > 0)
		return got;
	hurt = w->hurt;
	w->hurt = 0;
	if (w->failed != 0 || hurt != 0)
		return w->failed != 0 ? w->failed : hurt;
	return in->is_stuck ? complain(w) : 0;
}

/* The master takes the client back when it has heard of it.  Until then the
 * channel stays readable, but the complaint is made only now and then: -EMFILE,
 * and 0 in between. */
static int
complain(struct fdpool_worker *w)
{
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (w->short_at != 0 && ms - w->short_at < SHORT_MS)
		return 0;
	w->short_at = ms;
	w->owes_short = true;
	(void)say(w, MSG_DONTWAIT);
	return -EMFILE;
}

/* How many clients. */
static ssize_t
handle_all(struct fdpool_worker *w, struct fdpool_client *clients)
{
	struct fdp_inbox *in = &w->inbox;
	ssize_t got = 0;
	unsigned i;
	int one;

	for (i = 0; i < in->n_arrivals; i++) {
		one = handle(w, &in->arrivals[i], &clients[got]);
		if (one == -EMFILE)
			w->hurt = one;
		else if (one < 0)
			w->failed = one;
		else
			got += one;
	}
	return got;
}

/* 1: a client, 0: another message, or -errno.  Once a message was wrong,
 * those after it are only cleared away. */
static int
handle(struct fdpool_worker *w, struct fdp_arrival *a,
    struct fdpool_client *client)
{
	unsigned phase = w->draining ? PHASE_DRAINING : PHASE_SERVING;

	if (w->failed != 0)
		return w->failed;
	if (a->is_torn)
		return -EPROTO;
	if (a->is_bereft && a->msg->type == CTL_CLIENT) {
		/* lost, but not its place in the order of what was taken */
		w->taken++;
		w->dropped++;
		return -EMFILE;
	}
	w->client = client;
	w->client_fd = &a->fd;
	return fdp_op_run(ops, w, phase, &w->seen, a->msg, a->len, a->fd != -1);
}

/* 1, as a received client. */
static int
make_blocking(const struct fdpool_client *client)
{
	int off = 0;

	(void)ioctl(client->fd, FIONBIO, &off);
	return 1;
}

static int
op_client(void *ctx, const void *msg)
{
	const struct ctl_client *m = msg;
	struct fdpool_worker *w = ctx;

	if (w->held == w->slots)
		return -EPROTO;
	w->held++;
	w->taken++;
	w->client->fd = fdp_take(w->client_fd);
	w->client->tag = m->tag;
	return 1;
}

static int
op_ping(void *ctx, const void *msg)
{
	const struct ctl_ping *ping = msg;
	struct fdpool_worker *w = ctx;

	w->pong_seq = ping->seq;
	w->owes_pong = true;
	return 0;
}

static int
op_wanted(void *ctx, const void *msg)
{
	const struct ctl_wanted *wanted = msg;
	struct fdpool_worker *w = ctx;

	w->wanted = wanted->slots;
	return 0;
}

static int
op_drain(void *ctx, const void *msg)
{
	struct fdpool_worker *w = ctx;

	(void)msg;
	w->draining = true;
	return 0;
}

/* What finds no room stays owed.  An event loop is woken for it by the next
 * ping at the latest. */
static int
say(struct fdpool_worker *w, int flags)
{
	int error = say_all(w, flags);

	return error == -EAGAIN ? 0 : error;
}

/* The same, but -EAGAIN when something is still owed. */
static int
say_all(struct fdpool_worker *w, int flags)
{
	const struct ctl_short shortage = { .type = CTL_SHORT };
	struct ctl_pong pong = { .type = CTL_PONG, .seq = w->pong_seq };
	struct ctl_report report = {
		.type = CTL_REPORT,
		.taken = w->taken,
		.done = w->done,
		.dropped = w->dropped,
	};
	int error = 0;

	if (w->owes_pong) {
		error = fdp_chan_send(w->chan_fd, &pong, sizeof(pong), flags);
		if (error == 0)
			w->owes_pong = false;
	}
	if (error == 0 && (w->taken > 0 || w->done > 0)) {
		error = fdp_chan_send(
		    w->chan_fd, &report, sizeof(report), flags);
		if (error == 0)
			w->taken = w->done = w->dropped = 0;
	}
	if (error == 0 && w->owes_short) {
		error = fdp_chan_send(
		    w->chan_fd, &shortage, sizeof(shortage), flags);
		if (error == 0)
			w->owes_short = false;
	}
	return error;
}
