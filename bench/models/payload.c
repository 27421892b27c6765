#include "payload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_le(unsigned char *, uint64_t value, size_t len);
static int sending_fill(const struct payload *, struct sending *);

int
payload_open(struct payload *p, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	size_t name_len = strlen(name);
	struct stat st;

	if (name_len == 0 || name_len > PAYLOAD_NAME_MAX)
		return -EINVAL;
	p->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (p->fd == -1 || fstat(p->fd, &st) == -1)
		return -errno;
	p->size = (uint64_t)st.st_size;
	put_le(p->head, name_len, 4);
	memcpy(p->head + 4, name, name_len);
	put_le(p->head + 4 + name_len, p->size, 8);
	p->head_len = 4 + name_len + 8;
	return 0;
}

uint64_t
payload_stream_size(const struct payload *p)
{
	uint64_t frames = (p->size + PAYLOAD_FRAME - 1) / PAYLOAD_FRAME;

	return p->head_len + 4 * frames + p->size;
}

int
payload_send(const struct payload *p, struct sending *s, int conn_fd)
{
	ssize_t n;
	int error;

	for (;;) {
		if (s->at == s->len) {
			if (s->len > 0 && s->off == p->size)
				return 1;
			error = sending_fill(p, s);
			if (error != 0)
				return error;
		}
		n = send(conn_fd, s->buf + s->at, s->len - s->at, MSG_NOSIGNAL);
		if (n >= 0)
			s->at += (size_t)n;
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return -errno;
	}
}

void
payload_serve(const struct payload *p, int conn_fd)
{
	struct sending s;

	/* not the whole of it: buf is written before it is read */
	s.off = 0;
	s.len = s.at = 0;
	(void)payload_send(p, &s, conn_fd);
	close(conn_fd);
}

static void
put_le(unsigned char *p, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)(value >> (8 * i));
}

/* The next frame, and before the first one the head. */
static int
sending_fill(const struct payload *p, struct sending *s)
{
	size_t at = 0;
	ssize_t n;

	if (s->len == 0) {
		memcpy(s->buf, p->head, p->head_len);
		at = p->head_len;
	}
	if (s->off < p->size) {
		n = pread(p->fd, s->buf + at + 4, PAYLOAD_FRAME, (off_t)s->off);
		if (n <= 0)
			return n == 0 ? -EIO : -errno;
		put_le(s->buf + at, (uint64_t)n, 4);
		s->off += (uint64_t)n;
		at += 4 + (size_t)n;
	}
	s->len = at;
	s->at = 0;
	return 0;
}
