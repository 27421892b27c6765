#include "payload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECES_MAX (2 * PAYLOAD_FRAMES_MAX + 1)

static int map_file(struct payload *, const char *path);
static void put_le(unsigned char *, uint64_t value, size_t len);
static size_t
gather(const struct payload *, uint64_t pos, struct iovec *, bool *is_last);
static size_t add_piece(
    struct iovec *, size_t n, const unsigned char *, size_t len, size_t *skip);

int
payload_open(struct payload *p, const char *path, unsigned frames_a_call)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	size_t name_len = strlen(name);
	int error;

	memset(p, 0, sizeof(*p));
	if (name_len == 0 || name_len > PAYLOAD_NAME_MAX || frames_a_call < 1 ||
	    frames_a_call > PAYLOAD_FRAMES_MAX)
		return -EINVAL;
	error = map_file(p, path);
	if (error != 0)
		return error;
	p->frames_a_call = frames_a_call;
	put_le(p->head, name_len, 4);
	memcpy(p->head + 4, name, name_len);
	put_le(p->head + 4 + name_len, p->size, 8);
	p->head_len = 4 + name_len + 8;
	put_le(p->full, PAYLOAD_FRAME, 4);
	put_le(p->last, p->size % PAYLOAD_FRAME, 4);
	return 0;
}

uint64_t
payload_stream_size(const struct payload *p)
{
	uint64_t frames = (p->size + PAYLOAD_FRAME - 1) / PAYLOAD_FRAME;

	return p->head_len + 4 * frames + p->size;
}

int
payload_send(const struct payload *p, uint64_t *pos, int conn_fd)
{
	uint64_t end = payload_stream_size(p);
	struct iovec pieces[PIECES_MAX];
	struct msghdr msg = { .msg_iov = pieces };
	bool is_last;
	ssize_t n;

	while (*pos < end) {
		msg.msg_iovlen = gather(p, *pos, pieces, &is_last);
		/* The last bytes wait for the close, whose FIN then needs no
		 * packet of its own. */
		n = sendmsg(
		    conn_fd, &msg, MSG_NOSIGNAL | (is_last ? MSG_MORE : 0));
		if (n >= 0)
			*pos += (uint64_t)n;
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return -errno;
	}
	return 1;
}

void
payload_serve(const struct payload *p, int conn_fd)
{
	uint64_t pos = 0;

	(void)payload_send(p, &pos, conn_fd);
	close(conn_fd);
}

static int
map_file(struct payload *p, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map = NULL;
	int error = 0;

	if (fd == -1)
		return -errno;
	if (fstat(fd, &st) == -1)
		error = -errno;
	else if (st.st_size > 0)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ,
		    MAP_SHARED | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		error = -errno;
	close(fd);
	if (error != 0)
		return error;
	p->file = map;
	p->size = (uint64_t)st.st_size;
	return 0;
}

static void
put_le(unsigned char *p, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)(value >> (8 * i));
}

/* The pieces of the next call: so many frames, and before the first one the
 * head. */
static size_t
gather(
    const struct payload *p, uint64_t pos, struct iovec *pieces, bool *is_last)
{
	uint64_t body = pos < p->head_len ? 0 : pos - p->head_len;
	uint64_t off = body / (4 + PAYLOAD_FRAME) * PAYLOAD_FRAME;
	size_t skip, n = 0, len;
	const unsigned char *head;
	unsigned frames = p->frames_a_call;

	skip = pos < p->head_len ? (size_t)pos
				 : (size_t)(body % (4 + PAYLOAD_FRAME));
	if (pos < p->head_len)
		n = add_piece(pieces, n, p->head, p->head_len, &skip);
	for (; frames-- > 0 && off < p->size; off += len) {
		head = p->size - off < PAYLOAD_FRAME ? p->last : p->full;
		len = p->size - off < PAYLOAD_FRAME ? (size_t)(p->size - off)
						    : PAYLOAD_FRAME;
		n = add_piece(pieces, n, head, 4, &skip);
		n = add_piece(pieces, n, p->file + off, len, &skip);
	}
	*is_last = off == p->size;
	return n;
}

/* What is left of it after *skip bytes, which have been sent already. */
static size_t
add_piece(struct iovec *pieces, size_t n, const unsigned char *p, size_t len,
    size_t *skip)
{
	if (*skip >= len) {
		*skip -= len;
		return n;
	}
	pieces[n] = (struct iovec){
		.iov_base = (void *)(uintptr_t)(p + *skip),
		.iov_len = len - *skip,
	};
	*skip = 0;
	return n + 1;
}
