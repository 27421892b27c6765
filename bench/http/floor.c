/*
 * bench-floor ROOT LIST CONGESTION THREADS: the least that an HTTP server can
 * do.  Answers for the files of LIST ("SIZE PATH") below ROOT: small ones with
 * one send from memory, big ones by sendfile on a descriptor that stays open.
 * It knows what bench-http asks, and nothing else: no look whether a file is
 * still the same, no limits, no deadlines.  Prints the port it listens on.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"
#include "targets.h"

#define BATCH 128
#define ASK_MAX 1024
#define HEAD_MAX 256
#define PIECE (2 * 1024 * 1024)
/* Up to so much is kept in memory. */
#define SMALL (64 * 1024)

struct entry {
	const struct target *target;
	int file_fd; /* of a big one */
	char *answer; /* head, and the body of a small one */
	size_t answer_len;
};

struct conn {
	int fd;
	size_t ask_len;
	bool closes;
	bool is_writing; /* what epoll waits for */
	const struct entry *entry; /* NULL: waits for a request */
	off_t off, end; /* of a big file */
	char ask[ASK_MAX];
};

static struct targets targets;
static struct entry *table; /* open addressing, by the path's hash */
static size_t table_mask;
static int listen_fd;

/* the files */
static int table_fill(const char *root);
static int entry_load(struct entry *, const char *root);
static struct entry *entry_find(const char *path, size_t len);

/* the connections */
static void *serve(void *);
static void conn_accept(int epoll_fd);
static void conn_read(int epoll_fd, struct conn *);
static bool conn_answer(struct conn *);
static bool conn_big_begin(struct conn *, const char *range);
static void conn_write(int epoll_fd, struct conn *);
static bool conn_watch(int epoll_fd, struct conn *, bool is_writing);
static void conn_free(struct conn *);

int
main(int argc, char **argv)
{
	pthread_t thread;
	int error, n;

	if (argc != 5) {
		fprintf(stderr,
		    "usage: bench-floor ROOT LIST CONGESTION THREADS\n");
		return 2;
	}
	/* It must not outlive the program that measures with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	error = targets_read(&targets, argv[2], false);
	if (error == 0)
		error = table_fill(argv[1]);
	if (error == 0)
		listen_fd = error = loopback_listen(argv[3], SOCK_NONBLOCK);
	/* Else the end of a body waits for an acknowledgement that is delayed.
	 * What is accepted inherits it. */
	if (error >= 0 && setsockopt(listen_fd, IPPROTO_TCP, TCP_NODELAY,
			      &(int){ 1 }, sizeof(int)) == -1)
		error = -errno;
	if (error >= 0)
		error = loopback_print_port(listen_fd);
	if (error < 0) {
		fprintf(stderr, "bench-floor: %s\n", strerror(-error));
		return 1;
	}
	for (n = atoi(argv[4]); n > 1; n--)
		if (pthread_create(&thread, NULL, serve, NULL) != 0)
			return 1;
	serve(NULL);
	return 1;
}

static int
table_fill(const char *root)
{
	size_t room = 1;
	int error = 0;
	struct entry *e;

	while (room < 2 * targets.n)
		room *= 2;
	table_mask = room - 1;
	table = calloc(room, sizeof(*table));
	if (table == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < targets.n && error == 0; i++) {
		const struct target *t = &targets.v[i];

		e = entry_find(t->path, strlen(t->path));
		e->target = t;
		error = entry_load(e, root);
	}
	return error;
}

static int
entry_load(struct entry *e, const char *root)
{
	uint64_t size = e->target->size;
	size_t body = size <= SMALL ? size : 0;
	char path[4096];
	int head;

	snprintf(path, sizeof(path), "%s%s", root, e->target->path);
	e->file_fd = open(path, O_RDONLY | O_CLOEXEC);
	e->answer = malloc(HEAD_MAX + body);
	if (e->file_fd == -1 || e->answer == NULL)
		return -errno;
	head = snprintf(e->answer, HEAD_MAX,
	    "HTTP/1.1 200 OK\r\nContent-Length: %" PRIu64 "\r\n\r\n", size);
	e->answer_len = (size_t)head + body;
	if (size > SMALL)
		return 0;
	if (pread(e->file_fd, e->answer + head, body, 0) != (ssize_t)body)
		return -EIO;
	close(e->file_fd);
	return 0;
}

/* Its own place, or the free one that it would take. */
static struct entry *
entry_find(const char *path, size_t len)
{
	uint32_t hash = 2166136261u;
	const struct target *t;
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)path[i]) * 16777619u;
	for (i = hash & table_mask;; i = (i + 1) & table_mask) {
		t = table[i].target;
		if (t == NULL ||
		    (strncmp(t->path, path, len) == 0 && t->path[len] == '\0'))
			return &table[i];
	}
}

static void *
serve(void *unused)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), n;
	struct epoll_event events[BATCH];
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	struct conn *c;

	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &ev);
	for (;;) {
		n = epoll_wait(epoll_fd, events, BATCH, -1);
		for (int i = 0; i < n; i++) {
			c = events[i].data.ptr;
			if (c == NULL)
				conn_accept(epoll_fd);
			else if (c->entry == NULL)
				conn_read(epoll_fd, c);
			else
				conn_write(epoll_fd, c);
		}
	}
	return unused;
}

/* One at a time: the other threads want some, too. */
static void
conn_accept(int epoll_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN };
	struct conn *c;

	if (fd == -1)
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		close(fd);
		return;
	}
	c->fd = fd;
	ev.data.ptr = c;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == -1)
		conn_free(c);
}

static void
conn_read(int epoll_fd, struct conn *c)
{
	ssize_t n;

	n = recv(c->fd, c->ask + c->ask_len, ASK_MAX - 1 - c->ask_len, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_free(c);
		return;
	}
	c->ask_len += (size_t)n;
	c->ask[c->ask_len] = '\0';
	if (memcmp(c->ask + c->ask_len - 4, "\r\n\r\n", 4) != 0)
		return;
	if (!conn_answer(c) || (c->entry == NULL && c->closes))
		conn_free(c);
	else if (c->entry != NULL)
		conn_write(epoll_fd, c);
}

/* False: the connection is of no use any more. */
static bool
conn_answer(struct conn *c)
{
	const char *path = c->ask + 4, *end = strchr(path, ' ');
	const struct entry *e;
	ssize_t n;

	if (end == NULL)
		return false;
	e = entry_find(path, (size_t)(end - path));
	if (e->target == NULL)
		return false;
	c->ask_len = 0;
	c->closes = strstr(end, "\r\nConnection: close") != NULL;
	if (e->target->size > SMALL) {
		c->entry = e;
		return conn_big_begin(c, strstr(end, "\r\nRange: bytes="));
	}
	n = send(c->fd, e->answer, e->answer_len, 0);
	return n == (ssize_t)e->answer_len;
}

/* The head, which stays in the kernel until the first piece of the body. */
static bool
conn_big_begin(struct conn *c, const char *range)
{
	const struct entry *e = c->entry;
	const char *head = e->answer;
	size_t len = e->answer_len;
	char partial[HEAD_MAX];
	int64_t from = 0, to = (int64_t)e->target->size - 1;

	if (range != NULL) {
		if (sscanf(range + 15, "%" SCNd64 "-%" SCNd64, &from, &to) != 2)
			return false;
		len = (size_t)snprintf(partial, sizeof(partial),
		    "HTTP/1.1 206 Partial Content\r\nContent-Length: %" PRId64
		    "\r\nContent-Range: bytes %" PRId64 "-%" PRId64 "/%" PRIu64
		    "\r\n\r\n",
		    to - from + 1, from, to, e->target->size);
		head = partial;
	}
	c->off = from;
	c->end = to + 1;
	return send(c->fd, head, len, MSG_MORE) == (ssize_t)len;
}

/* One piece, so that every connection has its turn. */
static void
conn_write(int epoll_fd, struct conn *c)
{
	off_t left = c->end - c->off;
	ssize_t n;

	n = sendfile(c->fd, c->entry->file_fd, &c->off,
	    left < PIECE ? (size_t)left : PIECE);
	if ((n == -1 && errno != EAGAIN) || n == 0) {
		conn_free(c);
		return;
	}
	if (c->off == c->end) {
		c->entry = NULL;
		if (c->closes) {
			conn_free(c);
			return;
		}
	}
	if (!conn_watch(epoll_fd, c, c->entry != NULL))
		conn_free(c);
}

static bool
conn_watch(int epoll_fd, struct conn *c, bool is_writing)
{
	struct epoll_event ev = { .data.ptr = c,
		.events = is_writing ? EPOLLOUT : EPOLLIN };

	if (c->is_writing == is_writing)
		return true;
	c->is_writing = is_writing;
	return epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) == 0;
}

static void
conn_free(struct conn *c)
{
	close(c->fd);
	free(c);
}
