#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "latency.h"

#define THREADS_MAX 16
#define BATCH 128
/* A server that says nothing for so long has lost a client. */
#define SILENCE_MS 20000
/* With so many failures there is nothing left to measure. */
#define FAILURES_MAX 1000

struct load {
	const struct options *options;
	atomic_uint_fast64_t begun; /* requests, of all threads */
	pthread_barrier_t barrier;
};

struct runner {
	struct load *load;
	unsigned n_conns;
	unsigned busy; /* connections that have a request */
	int epoll_fd;
	struct conn *conns;
	uint64_t chance;
	uint64_t began_ns, ended_ns, deadline_ns;
	uint64_t bytes;
	uint64_t failures;
	const char *failure; /* the last one */
	const char *given_up; /* NULL: all is well */
	struct latency latency;
};

/* one thread */
static int
runner_init(struct runner *, struct load *, unsigned n_conns, unsigned number);
static void *runner_run(void *);
static void runner_turn(struct runner *);
static const struct target *runner_next(struct runner *);
static void conn_go_on(struct runner *, struct conn *);
static void conn_ask_more(struct runner *, struct conn *);
static void conn_watch(struct runner *, struct conn *, int op, enum conn_want);
static void conn_failed(struct runner *, const struct conn *);

/* the whole */
static int report(const struct runner *, unsigned threads);

int
load_run(const struct options *o)
{
	static struct runner runners[THREADS_MAX];
	struct load load = { .options = o };
	pthread_t ids[THREADS_MAX];
	unsigned n = o->threads, i;

	if (n > THREADS_MAX || (o->requests == 0 && o->seconds <= 0.0)) {
		fprintf(stderr,
		    "bench-http: load needs -n or -s, and at most"
		    " %d threads\n",
		    THREADS_MAX);
		return 2;
	}
	pthread_barrier_init(&load.barrier, NULL, n);
	for (i = 0; i < n; i++)
		if (runner_init(&runners[i], &load,
			o->connections / n + (i < o->connections % n),
			i) != 0) {
			perror("bench-http");
			return 1;
		}
	for (i = 0; i < n; i++)
		if (pthread_create(&ids[i], NULL, runner_run, &runners[i])) {
			fprintf(stderr, "bench-http: no thread\n");
			return 1;
		}
	for (i = 0; i < n; i++)
		pthread_join(ids[i], NULL);
	return report(runners, n);
}

static int
report(const struct runner *runners, unsigned threads)
{
	static struct latency latency;
	uint64_t began = UINT64_MAX, ended = 0, bytes = 0, failures = 0;
	const char *failure = "", *given_up = NULL;

	for (const struct runner *r = runners; r < runners + threads; r++) {
		latency_merge(&latency, &r->latency);
		began = r->began_ns < began ? r->began_ns : began;
		ended = r->ended_ns > ended ? r->ended_ns : ended;
		bytes += r->bytes;
		failures += r->failures;
		failure = r->failure != NULL ? r->failure : failure;
		given_up = r->given_up != NULL ? r->given_up : given_up;
	}
	if (given_up != NULL) {
		fprintf(stderr, "bench-http: %s (%s)\n", given_up, failure);
		return 1;
	}
	printf("{\"requests\": %" PRIu64
	       ", \"seconds\": %.6f, \"bytes\": %" PRIu64
	       ", \"errors\": %" PRIu64 ", \"error\": \"%s\", ",
	    latency.n, (double)(ended - began) / 1e9, bytes, failures, failure);
	latency_print(&latency);
	printf("}\n");
	return 0;
}

static int
runner_init(
    struct runner *r, struct load *load, unsigned n_conns, unsigned number)
{
	r->load = load;
	r->n_conns = n_conns;
	r->chance = load->options->seed + number * 1000003ull;
	r->conns = calloc(n_conns, sizeof(*r->conns));
	if (r->conns == NULL)
		return -1;
	for (unsigned i = 0; i < n_conns; i++)
		conn_init(&r->conns[i]);
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return r->epoll_fd == -1 ? -1 : 0;
}

static void *
runner_run(void *arg)
{
	struct runner *r = arg;
	double seconds = r->load->options->seconds;

	pthread_barrier_wait(&r->load->barrier);
	r->began_ns = r->ended_ns = latency_now_ns();
	r->deadline_ns = seconds > 0.0 ? r->began_ns + (uint64_t)(seconds * 1e9)
				       : UINT64_MAX;
	for (unsigned i = 0; i < r->n_conns; i++)
		conn_ask_more(r, &r->conns[i]);
	while (r->busy > 0 && r->given_up == NULL) {
		runner_turn(r);
		r->ended_ns = latency_now_ns();
		if (r->ended_ns >= r->deadline_ns)
			break;
	}
	for (unsigned i = 0; i < r->n_conns; i++)
		conn_close(&r->conns[i]);
	return NULL;
}

static void
runner_turn(struct runner *r)
{
	struct epoll_event events[BATCH];
	uint64_t left_ms = (r->deadline_ns - r->ended_ns) / 1000000 + 1;
	int wait_ms = left_ms < SILENCE_MS ? (int)left_ms : SILENCE_MS, n;

	n = epoll_wait(r->epoll_fd, events, BATCH, wait_ms);
	if (n == 0 && wait_ms == SILENCE_MS)
		r->given_up = "the server is silent";
	for (int i = 0; i < n && r->given_up == NULL; i++)
		conn_go_on(r, events[i].data.ptr);
}

/* NULL when nothing is left to ask for. */
static const struct target *
runner_next(struct runner *r)
{
	const struct options *o = r->load->options;
	uint64_t i = 0;

	if (o->requests != 0) {
		i = atomic_fetch_add(&r->load->begun, 1);
		if (i >= o->requests)
			return NULL;
	}
	if (!o->in_order)
		i = targets_chance(&r->chance);
	return &o->targets.v[i % o->targets.n];
}

static void
conn_go_on(struct runner *r, struct conn *c)
{
	uint64_t got = c->got;
	bool was_asking = c->state == CONN_ASKS;
	enum conn_want want = conn_step(c);

	r->bytes += c->got - got;
	switch (want) {
	case CONN_READ:
		if (was_asking)
			conn_watch(r, c, EPOLL_CTL_MOD, want);
		return;
	case CONN_WRITE:
		return;
	case CONN_DONE:
		latency_add(&r->latency, latency_now_ns() - c->began_ns);
		break;
	case CONN_FAILED:
		conn_failed(r, c);
		break;
	}
	r->busy--;
	conn_ask_more(r, c);
}

/* The next request of a connection that has none. */
static void
conn_ask_more(struct runner *r, struct conn *c)
{
	const struct target *t;
	enum conn_want want;
	bool is_new;

	while (r->given_up == NULL && (t = runner_next(r)) != NULL) {
		is_new = c->fd == -1;
		want = conn_begin(
		    c, r->load->options, t, &r->chance, SOCK_NONBLOCK);
		if (want == CONN_FAILED) {
			conn_failed(r, c);
			continue;
		}
		r->busy++;
		if (is_new)
			conn_watch(r, c, EPOLL_CTL_ADD, want);
		else if (want == CONN_WRITE)
			conn_watch(r, c, EPOLL_CTL_MOD, want);
		return;
	}
	conn_close(c);
}

/* For as long as it is open. */
static void
conn_watch(struct runner *r, struct conn *c, int op, enum conn_want want)
{
	struct epoll_event ev = { .data.ptr = c,
		.events = want == CONN_WRITE ? EPOLLOUT : EPOLLIN };

	if (epoll_ctl(r->epoll_fd, op, c->fd, &ev) == -1)
		r->given_up = strerror(errno);
}

static void
conn_failed(struct runner *r, const struct conn *c)
{
	r->failure = c->failure;
	if (++r->failures >= FAILURES_MAX)
		r->given_up = "too many requests failed";
}
