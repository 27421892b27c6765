#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer.h"
#include "conn.h"

#define PIECE (256 * 1024)

static const char *check_one(
    struct conn *, const struct options *, const struct target *, uint64_t *);
static const char *check_answer(struct conn *, const unsigned char *file);
static const char *
check_body(struct conn *, const unsigned char *file, size_t head_size);

int
check_run(const struct options *o)
{
	size_t n = o->targets.n;
	uint64_t chance = o->seed;
	const char *failure;
	struct conn c;

	if (o->root == NULL || o->close) {
		fprintf(stderr, "bench-http: check needs -d, and no -C\n");
		return 2;
	}
	conn_init(&c);
	if (o->requests != 0 && o->requests < n)
		n = o->requests;
	for (size_t i = 0; i < n; i++) {
		failure = check_one(&c, o, &o->targets.v[i], &chance);
		if (failure != NULL) {
			fprintf(stderr, "bench-http: %s: %s\n",
			    o->targets.v[i].path, failure);
			return 1;
		}
	}
	conn_close(&c);
	printf("checked %zu\n", n);
	return 0;
}

/* NULL, or what is wrong. */
static const char *
check_one(struct conn *c, const struct options *o, const struct target *t,
    uint64_t *chance)
{
	const char *failure;
	char path[4096];
	void *file;
	int fd;

	snprintf(path, sizeof(path), "%s%s", o->root, t->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return strerror(errno);
	file = mmap(NULL, t->size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return strerror(errno);
	if (conn_begin(c, o, t, chance, 0) == CONN_READ)
		failure = check_answer(c, file);
	else
		failure = c->failure;
	munmap(file, t->size);
	return failure;
}

static const char *
check_answer(struct conn *c, const unsigned char *file)
{
	enum answer_result result = ANSWER_MORE;
	struct answer a;
	ssize_t n;

	while (result == ANSWER_MORE) {
		n = recv(c->fd, c->head + c->head_len,
		    sizeof(c->head) - c->head_len, 0);
		if (n <= 0)
			return "no answer, or its head is too long";
		c->head_len += (unsigned)n;
		result = answer_parse(&a, c->head, c->head_len);
	}
	if (result == ANSWER_BAD)
		return "not an answer";
	if (a.status != (c->is_partial ? 206u : 200u) || a.length != c->size)
		return "the wrong status or Content-Length";
	return check_body(c, file, a.size);
}

static const char *
check_body(struct conn *c, const unsigned char *file, size_t head_size)
{
	static char buf[PIECE];
	const char *p = c->head + head_size;
	size_t len = c->head_len - head_size;
	uint64_t done = 0;
	ssize_t n;

	for (;;) {
		if (len > c->size - done)
			return "more than the body";
		if (memcmp(p, file + c->from + done, len) != 0)
			return "not the bytes of the file";
		done += len;
		if (done == c->size)
			return NULL;
		n = recv(c->fd, buf, sizeof(buf), 0);
		if (n <= 0)
			return "hung up in the body";
		p = buf;
		len = (size_t)n;
	}
}
