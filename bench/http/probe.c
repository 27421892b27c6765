#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "latency.h"

#define BATCH 128

struct ticker {
	struct conn conn;
	bool is_busy;
	uint64_t next_ns; /* its next tick */
};

struct probe {
	const struct options *options;
	uint64_t chance;
	uint64_t interval_ns;
	int epoll_fd;
	bool is_over; /* the input has ended */
	const char *failure; /* NULL: all is well */
	struct ticker *tickers;
	struct latency latency;
};

static int probe_open(struct probe *);
static void probe_start(struct probe *, uint64_t now);
static void probe_turn(struct probe *);
static int probe_wait(struct probe *, struct epoll_event *);
static void probe_report(struct probe *, uint64_t began, bool is_first);
static int probe_failed(const char *why);

static int ticker_open(struct probe *, struct ticker *, const struct target *);
static void ticker_ask(struct probe *, struct ticker *);
static void ticker_go_on(struct probe *, struct ticker *, enum conn_want);
static int watch(struct probe *, int fd, struct ticker *);

int
probe_run(const struct options *o)
{
	static struct probe p;
	const struct sched_param first = { .sched_priority = 1 };
	bool is_first;
	uint64_t began;
	char byte;

	p.options = o;
	p.chance = o->seed;
	p.interval_ns = o->interval_us * 1000ull;
	if (probe_open(&p) != 0)
		return probe_failed("cannot open the connections");
	/* Else a busy processor would be measured as a slow server. */
	is_first = sched_setscheduler(
		       0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first) == 0;
	printf("ready\n");
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) != 1)
		return probe_failed("never began");
	began = latency_now_ns();
	probe_start(&p, began);
	while (!p.is_over && p.failure == NULL)
		probe_turn(&p);
	if (p.failure != NULL)
		return probe_failed(p.failure);
	probe_report(&p, began, is_first);
	return 0;
}

static int
probe_failed(const char *why)
{
	fprintf(stderr, "bench-http: probe: %s\n", why);
	return 1;
}

static int
probe_open(struct probe *p)
{
	const struct options *o = p->options;
	unsigned n = o->connections, i;

	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->tickers = calloc(n, sizeof(*p->tickers));
	if (p->epoll_fd == -1 || p->tickers == NULL ||
	    watch(p, STDIN_FILENO, NULL) == -1)
		return -1;
	for (i = 0; i < n; i++)
		if (ticker_open(p, &p->tickers[i],
			&o->targets.v[i % o->targets.n]) == -1)
			return -1;
	return 0;
}

/* Connected, and with one answer. */
static int
ticker_open(struct probe *p, struct ticker *t, const struct target *target)
{
	enum conn_want want;

	conn_init(&t->conn);
	want = conn_begin(&t->conn, p->options, target, &p->chance, 0);
	while (want == CONN_READ)
		want = conn_step(&t->conn);
	if (want != CONN_DONE || fcntl(t->conn.fd, F_SETFL, O_NONBLOCK) == -1)
		return -1;
	return watch(p, t->conn.fd, t);
}

/* NULL: the program's input. */
static int
watch(struct probe *p, int fd, struct ticker *t)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = t };

	return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static void
probe_start(struct probe *p, uint64_t now)
{
	unsigned n = p->options->connections;

	for (unsigned i = 0; i < n; i++)
		p->tickers[i].next_ns = now + i * p->interval_ns / n;
}

static void
probe_turn(struct probe *p)
{
	struct epoll_event events[BATCH];
	uint64_t now = latency_now_ns();
	struct ticker *t;
	int n;

	for (unsigned i = 0; i < p->options->connections; i++) {
		t = &p->tickers[i];
		if (!t->is_busy && t->next_ns <= now)
			ticker_ask(p, t);
	}
	n = probe_wait(p, events);
	for (int i = 0; i < n; i++) {
		t = events[i].data.ptr;
		if (t == NULL)
			p->is_over = true;
		else
			ticker_go_on(p, t, conn_step(&t->conn));
	}
}

/* Until something comes in, or the next tick: how many events. */
static int
probe_wait(struct probe *p, struct epoll_event *events)
{
	uint64_t now = latency_now_ns(), first = now + p->interval_ns, left;
	const struct ticker *t;

	for (unsigned i = 0; i < p->options->connections; i++) {
		t = &p->tickers[i];
		if (!t->is_busy && t->next_ns < first)
			first = t->next_ns;
	}
	left = first > now ? first - now : 0;
	return epoll_pwait2(p->epoll_fd, events, BATCH,
	    &(struct timespec){ .tv_sec = (time_t)(left / 1000000000),
		.tv_nsec = (long)(left % 1000000000) },
	    NULL);
}

static void
ticker_ask(struct probe *p, struct ticker *t)
{
	const struct targets *ts = &p->options->targets;

	t->is_busy = true;
	ticker_go_on(p, t,
	    conn_begin(&t->conn, p->options,
		&ts->v[targets_chance(&p->chance) % ts->n], &p->chance,
		SOCK_NONBLOCK));
}

static void
ticker_go_on(struct probe *p, struct ticker *t, enum conn_want want)
{
	uint64_t now;

	if (want == CONN_READ)
		return;
	if (want != CONN_DONE || !t->is_busy) {
		p->failure = want == CONN_FAILED ? t->conn.failure
						 : "not what was asked for";
		return;
	}
	now = latency_now_ns();
	latency_add(&p->latency, now - t->conn.began_ns);
	t->is_busy = false;
	if (t->next_ns <= now)
		t->next_ns += ((now - t->next_ns) / p->interval_ns + 1) *
			      p->interval_ns;
}

static void
probe_report(struct probe *p, uint64_t began, bool is_first)
{
	uint64_t now = latency_now_ns();
	const struct ticker *t;

	/* Who still waits has waited at least so long. */
	for (unsigned i = 0; i < p->options->connections; i++) {
		t = &p->tickers[i];
		if (t->is_busy)
			latency_add(&p->latency, now - t->conn.began_ns);
	}
	printf("{\"requests\": %" PRIu64 ", \"seconds\": %.6f, "
	       "\"is_first\": %s, ",
	    p->latency.n, (double)(now - began) / 1e9,
	    is_first ? "true" : "false");
	latency_print(&p->latency);
	printf("}\n");
}
