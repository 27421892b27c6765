/* The pool: processes made beforehand, each client's socket sent to one. */
#include "fdpool.h"
#include "model.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define QUEUE_MAX 4096
#define EVENT_SLOTS 4096
#define EVENT_BATCH 64

/* One client of an event worker that could not be sent all at once. */
struct held {
	int fd;
	uint64_t pos;
};

struct event_worker {
	const struct payload *payload;
	struct fdpool_worker *channel;
	int epoll_fd;
	struct held held[EVENT_SLOTS];
	unsigned spare[EVENT_SLOTS]; /* which of them are not in use */
	unsigned n_spare;
};

static int pool_run(const struct model_options *, int (*run)(int, void *));
static int blocking_run(int chan_fd, void *arg);
static int event_run(int chan_fd, void *arg);

/* an event worker's turn */
static int event_init(struct event_worker *, int chan_fd);
static int event_receive(struct event_worker *);
static int event_start(struct event_worker *, int conn_fd);
static void event_go_on(struct event_worker *, unsigned place);
static void event_end(struct event_worker *, unsigned place);

int
model_blocking(const struct model_options *o)
{
	return pool_run(o, blocking_run);
}

int
model_event(const struct model_options *o)
{
	return pool_run(o, event_run);
}

static int
pool_run(const struct model_options *o, int (*run)(int, void *))
{
	struct fdpool_options opt = {
		.workers = o->workers,
		.queue_max = QUEUE_MAX,
		.run = run,
		.run_arg = (void *)(uintptr_t)o->payload,
	};
	struct fdpool *pool;
	struct epoll_event event;
	int error;

	error = fdpool_new(&pool, &opt);
	if (error != 0)
		return error;
	error = fdpool_listen(pool, o->listen_fd, 0);
	/* It is an epoll: waited on as such, its events stay for dispatch. */
	while (error == 0) {
		if (epoll_wait(fdpool_fd(pool), &event, 1, -1) == -1 &&
		    errno != EINTR)
			error = -errno;
		else
			error = fdpool_dispatch(pool);
	}
	fdpool_free(pool);
	return error;
}

static int
blocking_run(int chan_fd, void *arg)
{
	const struct payload *payload = arg;
	struct fdpool_client client;
	struct fdpool_worker *w;
	int r;

	if (fdpool_worker_open(&w, chan_fd, 1) != 0)
		return 1;
	while ((r = fdpool_worker_wait(w, &client)) == 1) {
		payload_serve(payload, client.fd);
		fdpool_worker_done(w, 1);
	}
	fdpool_worker_close(w);
	return r == 0 ? 0 : 1;
}

static int
event_run(int chan_fd, void *arg)
{
	struct event_worker *w = calloc(1, sizeof(*w));
	struct epoll_event events[EVENT_BATCH];
	int n, r = -ENOMEM;

	if (w == NULL)
		return 1;
	w->payload = arg;
	r = event_init(w, chan_fd);
	while (r == 0) {
		n = epoll_wait(w->epoll_fd, events, EVENT_BATCH, -1);
		for (int i = 0; i < n && r == 0; i++) {
			if (events[i].data.u32 == EVENT_SLOTS)
				r = event_receive(w);
			else
				event_go_on(w, events[i].data.u32);
		}
		if (r == 0)
			r = fdpool_worker_flush(w->channel);
	}
	fdpool_worker_close(w->channel);
	close(w->epoll_fd);
	free(w);
	return r == -EPIPE ? 0 : 1;
}

static int
event_init(struct event_worker *w, int chan_fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = EVENT_SLOTS };
	int r;

	for (unsigned i = 0; i < EVENT_SLOTS; i++)
		w->spare[i] = EVENT_SLOTS - 1 - i;
	w->n_spare = EVENT_SLOTS;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = fdpool_worker_open(&w->channel, chan_fd, EVENT_SLOTS);
	if (r != 0)
		return r;
	if (w->epoll_fd == -1 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD,
				     fdpool_worker_fd(w->channel), &ev) == -1)
		return -errno;
	return fdpool_worker_ready(w->channel);
}

static int
event_receive(struct event_worker *w)
{
	struct fdpool_client clients[EVENT_BATCH];
	ssize_t n, i;
	int r = 0;

	n = fdpool_worker_recv(w->channel, clients, EVENT_BATCH);
	if (n < 0)
		return (int)n;
	for (i = 0; i < n && r == 0; i++)
		r = event_start(w, clients[i].fd);
	return r;
}

/* Most clients are done with here, and epoll never hears of them. */
static int
event_start(struct event_worker *w, int conn_fd)
{
	unsigned place = w->spare[--w->n_spare];
	struct held *h = &w->held[place];
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET,
		.data.u32 = place };

	h->fd = conn_fd;
	h->pos = 0;
	if (payload_send(w->payload, &h->pos, conn_fd) != 0)
		event_end(w, place);
	else if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, conn_fd, &ev) == -1)
		return -errno;
	return 0;
}

static void
event_go_on(struct event_worker *w, unsigned place)
{
	struct held *h = &w->held[place];

	if (payload_send(w->payload, &h->pos, h->fd) != 0)
		event_end(w, place);
}

static void
event_end(struct event_worker *w, unsigned place)
{
	close(w->held[place].fd);
	w->spare[w->n_spare++] = place;
	fdpool_worker_done(w->channel, 1);
}
