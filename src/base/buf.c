#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"

/* ---- integers, little-endian ---- */
static int put_le(struct buf *, uint64_t v, size_t n);
static uint64_t get_le(struct reader *, size_t n);

void
buf_init(struct buf *b, void *mem, size_t cap)
{
	assert(mem != NULL || cap == 0);
	b->mem = mem;
	b->cap = cap;
	buf_reset(b);
}

void
buf_reset(struct buf *b)
{
	b->off = b->end = 0;
}

size_t
buf_len(const struct buf *b)
{
	return b->end - b->off;
}

size_t
buf_room(const struct buf *b)
{
	return b->cap - b->end;
}

const unsigned char *
buf_head(const struct buf *b)
{
	return b->mem == NULL ? NULL : b->mem + b->off;
}

unsigned char *
buf_tail(struct buf *b)
{
	return b->mem == NULL ? NULL : b->mem + b->end;
}

void
buf_compact(struct buf *b)
{
	size_t len = buf_len(b);

	if (b->off == 0)
		return;
	if (len > 0)
		memmove(b->mem, b->mem + b->off, len);
	b->off = 0;
	b->end = len;
}

void
buf_drop(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->off += n;
	if (b->off == b->end)
		buf_reset(b);
}

void
buf_added(struct buf *b, size_t n)
{
	assert(n <= buf_room(b));
	b->end += n;
}

void
buf_cut(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->end = b->off + len;
	if (len == 0)
		buf_reset(b);
}

int
buf_put(struct buf *b, const void *p, size_t n)
{
	if (n > buf_room(b))
		return -ENOBUFS;
	if (n > 0)
		memcpy(b->mem + b->end, p, n);
	b->end += n;
	return 0;
}

int
buf_put_u8(struct buf *b, uint8_t v)
{
	return put_le(b, v, sizeof(v));
}

int
buf_put_u16(struct buf *b, uint16_t v)
{
	return put_le(b, v, sizeof(v));
}

int
buf_put_u32(struct buf *b, uint32_t v)
{
	return put_le(b, v, sizeof(v));
}

int
buf_put_u64(struct buf *b, uint64_t v)
{
	return put_le(b, v, sizeof(v));
}

static int
put_le(struct buf *b, uint64_t v, size_t n)
{
	unsigned char bytes[sizeof(v)];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)(v >> (8 * i));
	return buf_put(b, bytes, n);
}

void
reader_init(struct reader *r, const void *p, size_t len)
{
	assert(p != NULL || len == 0);
	r->p = p;
	r->left = len;
	r->bad = false;
}

uint8_t
reader_u8(struct reader *r)
{
	return (uint8_t)get_le(r, sizeof(uint8_t));
}

uint16_t
reader_u16(struct reader *r)
{
	return (uint16_t)get_le(r, sizeof(uint16_t));
}

uint32_t
reader_u32(struct reader *r)
{
	return (uint32_t)get_le(r, sizeof(uint32_t));
}

uint64_t
reader_u64(struct reader *r)
{
	return get_le(r, sizeof(uint64_t));
}

static uint64_t
get_le(struct reader *r, size_t n)
{
	const unsigned char *p = reader_bytes(r, n);
	uint64_t v = 0;

	if (p == NULL)
		return 0;
	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

const unsigned char *
reader_bytes(struct reader *r, size_t n)
{
	const unsigned char *p = r->p;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	if (n > 0)
		r->p += n;
	r->left -= n;
	return p;
}

bool
reader_done(const struct reader *r)
{
	return !r->bad && r->left == 0;
}
