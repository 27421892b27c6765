#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/limits.h"
#include "server/push_file.h"
#include "train/train.h"

#define FRAME LIM_PUSH_DATA_BYTES
#define FRAME_HEAD 4

/*
 * The mapping is only ever read by the kernel, gathering it into a socket: a
 * file that has been cut short gives EFAULT there, where a copy of our own
 * would be killed by SIGBUS.
 */
struct push_file {
	int fd;
	uint64_t size;
	const unsigned char *map; /* NULL for an empty file */
	unsigned char head[PUSH_HEAD_MAX];
	size_t head_len;
	unsigned char
	    full[FRAME_HEAD]; /* the head of each frame but the last */
	unsigned char last[FRAME_HEAD];
};

static uint64_t frames_of(const struct push_file *);

int
push_file_new(struct push_file **out, int fd, const char *name)
{
	struct push_file *p;
	struct stat st;
	struct buf b;
	void *map;
	int r = -ENOMEM;

	p = calloc(1, sizeof(*p));
	if (p == NULL)
		goto out;
	p->fd = -1;
	r = fstat(fd, &st) == -1 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (r != 0)
		goto out;
	p->size = (uint64_t)st.st_size;
	buf_init(&b, p->head, sizeof(p->head));
	r = push_head_put(&b, name, p->size);
	if (r != 0)
		goto out;
	p->head_len = buf_len(&b);
	buf_init(&b, p->full, sizeof(p->full));
	buf_put_u32(&b, FRAME);
	buf_init(&b, p->last, sizeof(p->last));
	buf_put_u32(&b, (uint32_t)(p->size % FRAME));
	if (p->size > 0) {
		map = mmap(NULL, p->size, PROT_READ, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED) {
			r = -errno;
			goto out;
		}
		p->map = map;
	}
	p->fd = fd_take(&fd);
	*out = p;
	p = NULL;
out:
	push_file_free(p);
	fd_close(&fd);
	return r;
}

void
push_file_free(struct push_file *p)
{
	if (p == NULL)
		return;
	if (p->map != NULL)
		munmap((void *)(uintptr_t)p->map, p->size);
	fd_close(&p->fd);
	free(p);
}

static uint64_t
frames_of(const struct push_file *p)
{
	return p->size / FRAME + (p->size % FRAME != 0);
}

uint64_t
push_file_stream_size(const struct push_file *p)
{
	return p->head_len + frames_of(p) * FRAME_HEAD + p->size;
}

int
push_file_gather(const struct push_file *p, uint64_t pos, uint64_t end,
    struct iovec *iov, int cap)
{
	uint64_t frame, within, len;
	const unsigned char *head;
	int n = 0;

	if (pos < p->head_len) {
		iov[n].iov_base = (void *)(uintptr_t)(p->head + pos);
		iov[n++].iov_len = p->head_len - pos;
		pos = p->head_len;
	}
	frame = (pos - p->head_len) / (FRAME_HEAD + FRAME);
	within = (pos - p->head_len) % (FRAME_HEAD + FRAME);
	for (; n + 2 <= cap && frame * FRAME < p->size; frame++, within = 0) {
		if (n > 0 && p->head_len + frame * (FRAME_HEAD + FRAME) >= end)
			break;
		len = p->size - frame * FRAME;
		head = len < FRAME ? p->last : p->full;
		if (len > FRAME)
			len = FRAME;
		if (within < FRAME_HEAD) {
			iov[n].iov_base = (void *)(uintptr_t)(head + within);
			iov[n++].iov_len = FRAME_HEAD - within;
			within = FRAME_HEAD;
		}
		within -= FRAME_HEAD;
		if (within == len)
			break; /* the end of the last frame */
		iov[n].iov_base = (void *)(uintptr_t)(p->map + frame * FRAME +
						      within);
		iov[n++].iov_len = len - within;
	}
	return n;
}

int
push_file_fd(const struct push_file *p)
{
	return p->fd;
}

void
push_file_stretch(const struct push_file *p, uint64_t pos, uint64_t len,
    uint64_t *off, uint64_t *n)
{
	uint64_t frame;

	pos = pos < p->head_len ? 0 : pos - p->head_len;
	frame = pos / (FRAME_HEAD + FRAME);
	*off = frame * FRAME < p->size ? frame * FRAME : p->size;
	*n = p->size - *off < len ? p->size - *off : len;
}
