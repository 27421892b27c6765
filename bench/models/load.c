/*
 * bench-load PORT FILE CONNECTIONS AT_ONCE THREADS: fetches FILE so many
 * times in all, so many at once, and prints what it saw as JSON.
 *
 * bench-load --hold PORT COUNT: opens so many connections and reads nothing
 * from them until its own input ends.
 *
 * A closed loop: the next client connects when one has got all.  The latency
 * of a connection is the time from connect to the end of its stream.  Each
 * stream's length is checked; of each thread's first one, every byte.
 */
#include "loopback.h"
#include "payload.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 16
#define AT_ONCE_MAX 4096
#define BATCH 128
#define READ_MAX (256 * 1024)
/* A server that says nothing for so long has lost a client. */
#define SILENCE_MS 20000

struct load {
	unsigned port;
	struct payload payload;
	uint64_t stream_size;
	unsigned connections;
	atomic_uint started;
	uint32_t *latency_us; /* one of each connection */
	atomic_uint finished;
	pthread_barrier_t barrier;
};

struct client {
	int fd;
	bool checked; /* every byte is looked at */
	uint64_t got;
	uint64_t began_ns;
};

struct runner {
	struct load *load;
	unsigned at_once;
	unsigned open;
	int epoll_fd;
	bool has_checked;
	struct client *clients;
	unsigned char *buf;
	const char *failed; /* NULL: all is well */
	uint64_t began_ns, ended_ns;
};

/* one thread */
static void *runner_run(void *);
static int runner_init(struct runner *);
static void runner_turn(struct runner *);
static void client_begin(struct runner *, struct client *);
static void client_read(struct runner *, struct client *);
static void client_end(struct runner *, struct client *);
static bool is_as_sent(
    const struct load *, uint64_t pos, const unsigned char *, size_t len);
static unsigned char byte_at(const struct load *, uint64_t pos);

/* the whole */
static int load_init(struct load *, char **argv);
static const char *load_run(struct load *, unsigned at_once, unsigned threads);
static void load_print(const struct load *, uint64_t ns);
static int by_value(const void *, const void *);
static uint64_t now_ns(void);
static int hold(unsigned port, unsigned count);

int
main(int argc, char **argv)
{
	struct load load;
	const char *failed;
	int error;

	if (argc == 4 && strcmp(argv[1], "--hold") == 0)
		return hold((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
	if (argc != 6) {
		fprintf(stderr,
		    "usage: bench-load PORT FILE CONNECTIONS AT_ONCE"
		    " THREADS\n       bench-load --hold PORT COUNT\n");
		return 2;
	}
	error = load_init(&load, argv);
	if (error != 0) {
		fprintf(stderr, "bench-load: %s\n", strerror(-error));
		return 1;
	}
	failed = load_run(
	    &load, (unsigned)atoi(argv[4]), (unsigned)atoi(argv[5]));
	if (failed != NULL) {
		fprintf(stderr, "bench-load: %s\n", failed);
		return 1;
	}
	return 0;
}

static int
load_init(struct load *load, char **argv)
{
	int error;

	memset(load, 0, sizeof(*load));
	load->port = (unsigned)atoi(argv[1]);
	load->connections = (unsigned)atoi(argv[3]);
	if (load->connections == 0)
		return -EINVAL;
	error = payload_open(&load->payload, argv[2], 1);
	if (error != 0)
		return error;
	load->stream_size = payload_stream_size(&load->payload);
	load->latency_us = calloc(load->connections, sizeof(*load->latency_us));
	if (load->latency_us == NULL)
		return -ENOMEM;
	return 0;
}

/* NULL, or what went wrong. */
static const char *
load_run(struct load *load, unsigned at_once, unsigned threads)
{
	struct runner runners[THREADS_MAX] = { 0 };
	pthread_t ids[THREADS_MAX];
	uint64_t began = UINT64_MAX, ended = 0;
	unsigned i;

	if (threads > at_once)
		threads = at_once;
	if (threads == 0 || threads > THREADS_MAX || at_once > AT_ONCE_MAX)
		return "numbers out of range";
	pthread_barrier_init(&load->barrier, NULL, threads);
	for (i = 0; i < threads; i++) {
		runners[i].load = load;
		runners[i].at_once = at_once / threads +
				     (i < at_once % threads);
		if (runner_init(&runners[i]) != 0)
			return "no memory";
	}
	for (i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, runner_run, &runners[i]))
			return "no thread";
	for (i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	for (i = 0; i < threads; i++) {
		if (runners[i].failed != NULL)
			return runners[i].failed;
		if (runners[i].began_ns < began)
			began = runners[i].began_ns;
		if (runners[i].ended_ns > ended)
			ended = runners[i].ended_ns;
	}
	if (atomic_load(&load->finished) != load->connections)
		return "not all connections came to their end";
	load_print(load, ended - began);
	return NULL;
}

static void
load_print(const struct load *load, uint64_t ns)
{
	unsigned n = load->connections;

	qsort(load->latency_us, n, sizeof(*load->latency_us), by_value);
	printf("{\"connections\": %u, \"seconds\": %.6f, \"bytes\": %llu, "
	       "\"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}\n",
	    n, (double)ns / 1e9, (unsigned long long)(load->stream_size * n),
	    load->latency_us[n / 2], load->latency_us[n - 1 - n / 100],
	    load->latency_us[n - 1]);
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int
runner_init(struct runner *r)
{
	r->clients = calloc(r->at_once, sizeof(*r->clients));
	r->buf = malloc(READ_MAX);
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return r->clients == NULL || r->buf == NULL || r->epoll_fd == -1 ? -1
									 : 0;
}

static void *
runner_run(void *arg)
{
	struct runner *r = arg;

	pthread_barrier_wait(&r->load->barrier);
	r->began_ns = now_ns();
	for (unsigned i = 0; i < r->at_once; i++)
		client_begin(r, &r->clients[i]);
	while (r->open > 0 && r->failed == NULL)
		runner_turn(r);
	r->ended_ns = now_ns();
	return NULL;
}

static void
runner_turn(struct runner *r)
{
	struct epoll_event events[BATCH];
	int n;

	n = epoll_wait(r->epoll_fd, events, BATCH, SILENCE_MS);
	if (n == 0)
		r->failed = "the server is silent";
	for (int i = 0; i < n && r->failed == NULL; i++)
		client_read(r, events[i].data.ptr);
}

static void
client_begin(struct runner *r, struct client *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = c };

	if (r->failed != NULL ||
	    atomic_fetch_add(&r->load->started, 1) >= r->load->connections)
		return;
	c->got = 0;
	c->checked = !r->has_checked;
	r->has_checked = true;
	c->began_ns = now_ns();
	c->fd = loopback_connect(r->load->port, SOCK_NONBLOCK);
	if (c->fd < 0) {
		r->failed = strerror(-c->fd);
		return;
	}
	r->open++;
	if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		r->failed = strerror(errno);
}

/* Bytes that nobody looks at are dropped by the kernel, uncopied. */
static void
client_read(struct runner *r, struct client *c)
{
	int flags = c->checked ? 0 : MSG_TRUNC;
	ssize_t n;

	for (;;) {
		n = recv(c->fd, r->buf, READ_MAX, flags);
		if (n == 0) {
			client_end(r, c);
			return;
		}
		if (n == -1) {
			if (errno != EAGAIN && errno != EINTR)
				r->failed = strerror(errno);
			if (errno != EINTR)
				return;
			continue;
		}
		if (c->checked &&
		    !is_as_sent(r->load, c->got, r->buf, (size_t)n)) {
			r->failed = "a stream is not as it should be";
			return;
		}
		c->got += (uint64_t)n;
	}
}

static void
client_end(struct runner *r, struct client *c)
{
	uint64_t us = (now_ns() - c->began_ns) / 1000;

	close(c->fd);
	r->open--;
	if (c->got != r->load->stream_size) {
		r->failed = "a stream ended early or late";
		return;
	}
	r->load->latency_us[atomic_fetch_add(&r->load->finished, 1)] =
	    (uint32_t)us;
	client_begin(r, c);
}

static bool
is_as_sent(
    const struct load *load, uint64_t pos, const unsigned char *p, size_t len)
{
	if (pos > load->stream_size || len > load->stream_size - pos)
		return false;
	for (size_t i = 0; i < len; i++)
		if (p[i] != byte_at(load, pos + i))
			return false;
	return true;
}

/* What the format has at that place of the stream. */
static unsigned char
byte_at(const struct load *load, uint64_t pos)
{
	const struct payload *p = &load->payload;
	uint64_t frame, within, len;

	if (pos < p->head_len)
		return p->head[pos];
	frame = (pos - p->head_len) / (4 + PAYLOAD_FRAME);
	within = (pos - p->head_len) % (4 + PAYLOAD_FRAME);
	len = p->size - frame * PAYLOAD_FRAME;
	if (len > PAYLOAD_FRAME)
		len = PAYLOAD_FRAME;
	if (within < 4)
		return (unsigned char)(len >> (8 * within));
	return p->file[frame * PAYLOAD_FRAME + within - 4];
}

/* Says "held" when all are connected. */
static int
hold(unsigned port, unsigned count)
{
	char byte;

	for (unsigned i = 0; i < count; i++)
		if (loopback_connect(port, 0) < 0) {
			perror("bench-load: connect");
			return 1;
		}
	printf("held\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
