/*
 * Bytes in bounded memory.  A buf is a window over memory of its owner that
 * fills at the tail and empties at the head; a reader walks over received
 * bytes.  All length arithmetic of netpan's wire formats is in buf.c, by
 * subtraction.  Integers are little-endian on the wire.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	unsigned char *mem; /* the owner's; NULL while cap is 0 */
	size_t cap;
	size_t off; /* first byte that is in use */
	size_t end; /* one past the last; off <= end <= cap */
};

/* mem is borrowed for as long as the buf is used. */
void buf_init(struct buf *, void *mem, size_t cap);
void buf_reset(struct buf *);

size_t buf_len(const struct buf *); /* bytes in use */
size_t buf_room(const struct buf *); /* bytes free at the tail */
const unsigned char *buf_head(const struct buf *); /* valid until changed */
unsigned char *buf_tail(struct buf *);

void buf_compact(struct buf *); /* moves what is in use to the front */
/* n <= buf_len.  A buf that is empty then has all of cap as room again. */
void buf_drop(struct buf *, size_t n);
void buf_added(struct buf *, size_t n); /* n <= buf_room: written at tail */
/* Takes bytes back off the tail: len of them stay, len <= buf_len. */
void buf_cut(struct buf *, size_t len);

/* Append at the tail.  0, or -ENOBUFS and nothing is changed. */
int buf_put(struct buf *, const void *p, size_t n);
int buf_put_u8(struct buf *, uint8_t);
int buf_put_u16(struct buf *, uint16_t);
int buf_put_u32(struct buf *, uint32_t);
int buf_put_u64(struct buf *, uint64_t);

/*
 * A reader never reads past its end: a get that would sets bad, gives 0 (or
 * NULL), and so does every later one.  Check once, with reader_done.
 */
struct reader {
	const unsigned char *p;
	size_t left;
	bool bad;
};

void reader_init(struct reader *, const void *p, size_t len);
uint8_t reader_u8(struct reader *);
uint16_t reader_u16(struct reader *);
uint32_t reader_u32(struct reader *);
uint64_t reader_u64(struct reader *);
/* A slice of the input, valid as long as that is. */
const unsigned char *reader_bytes(struct reader *, size_t n);
/* Everything was there, and nothing is left over. */
bool reader_done(const struct reader *);

#endif
