/*
 * bench-drain bare|push|train PORT NAME SIZE CONNECTIONS: fetches the file so
 * many times at once, lets the kernel drop the bytes, and prints how long it
 * took as JSON.  Each stream must have the length that its format gives a
 * file of that name and size; a train must end with a digest.
 */
#include "loopback.h"
#include "train/train.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define DROP_MAX (4 * 1024 * 1024)

struct fetch {
	unsigned port;
	const char *name;
	uint64_t size;
	const char *failed; /* NULL: all is well */
};

struct way {
	const char *name;
	void *(*fetch)(void *);
};

/* the ways */
static void *fetch_bare(void *);
static void *fetch_push(void *);
static void *fetch_train(void *);
static const char *ask(int fd, const struct fetch *);
static const char *follow(int fd, const struct fetch *);

/* bytes */
static bool drop(int fd, uint64_t n);
static bool drop_until_end(int fd, uint64_t n);
static bool read_all(int fd, void *, size_t);

static const struct way ways[] = {
	{ "bare", fetch_bare },
	{ "push", fetch_push },
	{ "train", fetch_train },
};

static const struct way *
find_way(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].name, name) == 0)
			return &ways[i];
	return NULL;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* NULL, or what went wrong. */
static const char *
fetch_many(const struct way *way, struct fetch *fetches, unsigned n)
{
	pthread_t threads[CONNECTIONS_MAX];
	const char *failed = NULL;

	for (unsigned i = 0; i < n; i++)
		if (pthread_create(
			&threads[i], NULL, way->fetch, &fetches[i]) != 0)
			return "no thread";
	for (unsigned i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		if (fetches[i].failed != NULL)
			failed = fetches[i].failed;
	}
	return failed;
}

int
main(int argc, char **argv)
{
	struct fetch fetches[CONNECTIONS_MAX];
	const struct way *way;
	const char *failed;
	double began;
	unsigned n;

	if (argc != 6 || (way = find_way(argv[1])) == NULL) {
		fprintf(stderr,
		    "usage: bench-drain bare|push|train PORT NAME SIZE"
		    " CONNECTIONS\n");
		return 2;
	}
	n = (unsigned)strtoul(argv[5], NULL, 10);
	if (n < 1 || n > CONNECTIONS_MAX)
		return 2;
	for (unsigned i = 0; i < n; i++)
		fetches[i] = (struct fetch){
			.port = (unsigned)strtoul(argv[2], NULL, 10),
			.name = argv[3],
			.size = strtoull(argv[4], NULL, 10),
		};
	began = now();
	failed = fetch_many(way, fetches, n);
	if (failed != NULL) {
		fprintf(stderr, "bench-drain: %s: %s\n", way->name, failed);
		return 1;
	}
	printf("{\"connections\": %u, \"seconds\": %.6f, \"bytes\": %llu}\n", n,
	    now() - began, (unsigned long long)(fetches[0].size * n));
	return 0;
}

static void *
fetch_bare(void *arg)
{
	struct fetch *f = arg;
	int fd = loopback_connect(f->port, 0);

	if (fd < 0 || !drop_until_end(fd, f->size))
		f->failed = "not the file's length";
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void *
fetch_push(void *arg)
{
	struct fetch *f = arg;
	uint64_t frames = (f->size + LIM_PUSH_DATA_BYTES - 1) /
			  LIM_PUSH_DATA_BYTES;
	uint64_t stream = 4 + strlen(f->name) + 8 + 4 * frames + f->size;
	int fd = loopback_connect(f->port, 0);

	if (fd < 0 || !drop_until_end(fd, stream))
		f->failed = "not the stream's length";
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void *
fetch_train(void *arg)
{
	struct fetch *f = arg;
	int fd = loopback_connect(f->port, 0);

	f->failed = fd < 0 ? "cannot connect" : ask(fd, f);
	if (f->failed == NULL)
		f->failed = follow(fd, f);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static const char *
ask(int fd, const struct fetch *f)
{
	unsigned char bytes[TRAIN_HELLO_SIZE + LIM_TRAIN_REQUEST_BYTES];
	struct train_get get = { .offset = 0 };
	const char *reason;
	uint8_t version;
	struct buf b;

	path_init(&get.path);
	if (path_push(&get.path, f->name, strlen(f->name)) != PATH_OK)
		return "not a name";
	buf_init(&b, bytes, sizeof(bytes));
	if (train_hello_put(&b, TRAIN_VERSION) != 0 ||
	    train_get_put(&b, &get) != 0)
		return "the request is too long";
	if (send(fd, buf_head(&b), buf_len(&b), MSG_NOSIGNAL) !=
	    (ssize_t)buf_len(&b))
		return strerror(errno);
	if (!read_all(fd, bytes, TRAIN_HELLO_SIZE) ||
	    train_hello_parse(bytes, TRAIN_HELLO_SIZE, &version, &reason) !=
		TRAIN_OK)
		return "no hello";
	return NULL;
}

/* The frames' headers are read and what they announce is dropped, but for
 * the end. */
static const char *
follow(int fd, const struct fetch *f)
{
	unsigned char bytes[256];
	struct train_frame frame;
	struct train_end end;
	const char *reason;
	uint64_t got = 0;

	for (;;) {
		if (!read_all(fd, bytes, TRAIN_HEADER_SIZE))
			return "the server hung up";
		if (train_frame_parse(bytes, TRAIN_HEADER_SIZE,
			TRAIN_FROM_SERVER, &frame, &reason) != TRAIN_OK)
			return reason;
		if (frame.type == TRAIN_ERROR)
			return "the server says no";
		if (frame.type == TRAIN_END)
			break;
		if (!drop(fd, frame.len))
			return "the server hung up";
		if (frame.type == TRAIN_DATA)
			got += frame.len;
	}
	if (frame.len > sizeof(bytes) || !read_all(fd, bytes, frame.len) ||
	    train_end_parse(&frame, bytes, &end, &reason) != TRAIN_OK)
		return "not an end";
	if (got != f->size || end.size != f->size ||
	    !(end.flags & TRAIN_F_DIGEST))
		return "not the file's length, or no digest";
	return NULL;
}

/* MSG_TRUNC: the kernel frees the bytes where they lie. */
static bool
drop(int fd, uint64_t n)
{
	ssize_t got;

	while (n > 0) {
		got = recv(fd, NULL, n < DROP_MAX ? n : DROP_MAX, MSG_TRUNC);
		if (got == 0 || (got == -1 && errno != EINTR))
			return false;
		if (got > 0)
			n -= (uint64_t)got;
	}
	return true;
}

/* So many, and then the end. */
static bool
drop_until_end(int fd, uint64_t n)
{
	char byte;

	return drop(fd, n) && recv(fd, &byte, 1, 0) == 0;
}

static bool
read_all(int fd, void *p, size_t n)
{
	return recv(fd, p, n, MSG_WAITALL) == (ssize_t)n;
}
