#include "conn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "latency.h"
#include "loopback.h"

#define DROP_MAX (4 * 1024 * 1024)

static bool ask_make(struct conn *, const struct options *,
    const struct target *, uint64_t *chance);

/* the steps */
static enum conn_want step_ask(struct conn *);
static enum conn_want step_head(struct conn *);
static enum conn_want step_body(struct conn *);
static enum conn_want step_end(struct conn *);
static enum conn_want body_over(struct conn *);
static enum conn_want not_yet(struct conn *, enum conn_want);
static enum conn_want failed(struct conn *, const char *why);

void
conn_init(struct conn *c)
{
	c->fd = -1;
	c->failure = NULL;
}

void
conn_close(struct conn *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

enum conn_want
conn_begin(struct conn *c, const struct options *o, const struct target *t,
    uint64_t *chance, int flags)
{
	int fd;

	c->state = CONN_ASKS;
	c->closes = o->close;
	c->is_partial = o->range != 0;
	c->size = o->range != 0 ? o->range : t->size;
	c->got = 0;
	c->ask_sent = c->head_len = 0;
	if (!ask_make(c, o, t, chance))
		return failed(c, "a request is too long");
	c->began_ns = latency_now_ns();
	if (c->fd == -1) {
		fd = loopback_connect(o->port, flags);
		if (fd < 0)
			return failed(c, strerror(-fd));
		c->fd = fd;
	}
	return conn_step(c);
}

static bool
ask_make(struct conn *c, const struct options *o, const struct target *t,
    uint64_t *chance)
{
	int len;

	if (t->request_len >= sizeof(c->ask) - 64)
		return false;
	memcpy(c->ask, t->request, t->request_len);
	c->ask_len = (unsigned)t->request_len;
	c->from = 0;
	if (o->range != 0) {
		c->from = targets_chance(chance) % (t->size - o->range + 1);
		len = snprintf(c->ask + c->ask_len, 64,
		    "Range: bytes=%" PRIu64 "-%" PRIu64 "\r\n", c->from,
		    c->from + o->range - 1);
		c->ask_len += (unsigned)len;
	}
	memcpy(c->ask + c->ask_len, "\r\n", 2);
	c->ask_len += 2;
	return true;
}

enum conn_want
conn_step(struct conn *c)
{
	switch (c->state) {
	case CONN_ASKS:
		return step_ask(c);
	case CONN_IN_HEAD:
		return step_head(c);
	case CONN_IN_BODY:
		return step_body(c);
	case CONN_AT_END:
		return step_end(c);
	}
	return failed(c, "no such state");
}

static enum conn_want
step_ask(struct conn *c)
{
	ssize_t n;

	n = send(c->fd, c->ask + c->ask_sent, c->ask_len - c->ask_sent,
	    MSG_NOSIGNAL);
	if (n == -1)
		return not_yet(c, CONN_WRITE);
	c->ask_sent += (unsigned)n;
	if (c->ask_sent < c->ask_len)
		return CONN_WRITE;
	c->state = CONN_IN_HEAD;
	return CONN_READ;
}

static enum conn_want
step_head(struct conn *c)
{
	struct answer a;
	uint64_t came;
	ssize_t n;

	n = recv(
	    c->fd, c->head + c->head_len, sizeof(c->head) - c->head_len, 0);
	if (n == -1)
		return not_yet(c, CONN_READ);
	if (n == 0)
		return failed(c, "hung up before an answer");
	c->head_len += (unsigned)n;
	switch (answer_parse(&a, c->head, c->head_len)) {
	case ANSWER_MORE:
		return c->head_len < sizeof(c->head)
			   ? CONN_READ
			   : failed(c, "the head is too long");
	case ANSWER_BAD:
		return failed(c, "not an answer");
	case ANSWER_OK:
		break;
	}
	if (a.status != (c->is_partial ? 206u : 200u))
		return failed(c, "the wrong status");
	if (a.length != c->size)
		return failed(c, "the wrong Content-Length");
	came = c->head_len - a.size;
	if (came > c->size)
		return failed(c, "more than the body");
	c->got += came;
	c->left = c->size - came;
	if (c->left == 0)
		return body_over(c);
	c->state = CONN_IN_BODY;
	return step_body(c);
}

/* MSG_TRUNC: the kernel frees the bytes where they lie. */
static enum conn_want
step_body(struct conn *c)
{
	ssize_t n;

	n = recv(
	    c->fd, NULL, c->left < DROP_MAX ? c->left : DROP_MAX, MSG_TRUNC);
	if (n == -1)
		return not_yet(c, CONN_READ);
	if (n == 0)
		return failed(c, "hung up in a body");
	c->got += (uint64_t)n;
	c->left -= (uint64_t)n;
	return c->left == 0 ? body_over(c) : CONN_READ;
}

static enum conn_want
body_over(struct conn *c)
{
	if (!c->closes)
		return CONN_DONE;
	c->state = CONN_AT_END;
	return step_end(c);
}

static enum conn_want
step_end(struct conn *c)
{
	char byte;
	ssize_t n;

	n = recv(c->fd, &byte, 1, 0);
	if (n == -1)
		return not_yet(c, CONN_READ);
	if (n > 0)
		return failed(c, "more than the body");
	conn_close(c);
	return CONN_DONE;
}

static enum conn_want
not_yet(struct conn *c, enum conn_want want)
{
	if (errno == EAGAIN || errno == EINTR)
		return want;
	return failed(c, strerror(errno));
}

static enum conn_want
failed(struct conn *c, const char *why)
{
	c->failure = why;
	conn_close(c);
	return CONN_FAILED;
}
