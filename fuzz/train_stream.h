/*
 * One direction of a train conversation, as the fuzz targets look at it: a
 * hello, then frames.  What is taken must be just what put would have written,
 * and whatever is shorter than that must not be taken.
 */
#ifndef TRAIN_STREAM_H
#define TRAIN_STREAM_H

#include <stdint.h>
#include <string.h>

#include "must.h"
#include "train/train.h"

/* The largest frame that is looked into: any but a DATA. */
#define STREAM_FRAME_MAX (TRAIN_HEADER_SIZE + LIM_TRAIN_REQUEST_BYTES)

/*
 * Makes check_T: parses a payload twice over other bytes, so that what is not
 * filled is seen, and writes it again with put.  Gives what it holds, or NULL.
 */
#define STREAM_CHECK(T, put)                                                   \
	static const struct train_##T *check_##T(                              \
	    const struct train_frame *frame, const unsigned char *p)           \
	{                                                                      \
		static struct train_##T one, two;                              \
		enum train_result r;                                           \
		struct buf *b = stream_buf();                                  \
		const char *why;                                               \
                                                                               \
		memset(&one, 0x5a, sizeof(one));                               \
		memset(&two, 0xa5, sizeof(two));                               \
		r = train_##T##_parse(frame, p, &two, &why);                   \
		must(r != TRAIN_MORE);                                         \
		must((r == TRAIN_BAD) == (why != NULL));                       \
		must(train_##T##_parse(frame, p, &one, &why) == r);            \
		must(memcmp(&one, &two, sizeof(one)) == 0);                    \
		if (r != TRAIN_OK)                                             \
			return NULL;                                           \
		must(put(b, &one) == 0);                                       \
		must(buf_len(b) == TRAIN_HEADER_SIZE + frame->len);            \
		must(memcmp(buf_head(b), p - TRAIN_HEADER_SIZE, buf_len(b)) == \
		     0);                                                       \
		return &one;                                                   \
	}

/* A payload that is taken is not taken without its last byte. */
#define STREAM_CHECK_CUT(T, frame, p)                                 \
	do {                                                          \
		static struct train_##T cut_;                         \
		struct train_frame shorter_ = *(frame);               \
		const char *why_;                                     \
                                                                      \
		shorter_.len--;                                       \
		must(train_##T##_parse(&shorter_, p, &cut_, &why_) == \
		     TRAIN_BAD);                                      \
	} while (0)

static inline struct buf *
stream_buf(void)
{
	static unsigned char mem[STREAM_FRAME_MAX];
	static struct buf b;

	buf_init(&b, mem, sizeof(mem));
	return &b;
}

/* A path that was parsed, looked at with other eyes than path.c's. */
static inline void
stream_check_path(const struct path *path)
{
	const char *s = path->n == 0 ? NULL : path_string(path), *end;
	size_t len;

	must(path->n <= LIM_PATH_SEGS && path->len <= LIM_PATH_BYTES);
	for (; s != NULL; s = end == NULL ? NULL : end + 1) {
		end = strchr(s, '/');
		len = end == NULL ? strlen(s) : (size_t)(end - s);
		must(len > 0 && len <= LIM_SEG_BYTES);
		must(strncmp(s, ".", len) != 0 && strncmp(s, "..", len) != 0);
		must(len != 7 || memcmp(s, ".netpan", 7) != 0);
	}
}

/* Returns the bytes that the hello takes, 0 when there is none. */
static inline size_t
stream_hello(const unsigned char *p, size_t size)
{
	unsigned char mem[TRAIN_HELLO_SIZE];
	const char *why;
	uint8_t version;
	struct buf b;

	switch (train_hello_parse(p, size, &version, &why)) {
	case TRAIN_BAD:
		must(why != NULL && version == 0);
		return 0;
	case TRAIN_MORE:
		must(size < TRAIN_HELLO_SIZE);
		return 0;
	case TRAIN_OK:
		break;
	}
	buf_init(&b, mem, sizeof(mem));
	must(train_hello_put(&b, version) == 0);
	must(memcmp(mem, p, sizeof(mem)) == 0);
	for (size_t i = 0; i < TRAIN_HELLO_SIZE; i++)
		must(train_hello_parse(p, i, &version, &why) == TRAIN_MORE);
	return TRAIN_HELLO_SIZE;
}

static inline void
stream_run(const unsigned char *p, size_t size, enum train_side side,
    void (*look_into)(const struct train_frame *, const unsigned char *))
{
	struct train_frame frame;
	const char *why;
	size_t used = stream_hello(p, size);

	for (;;) {
		p += used;
		size -= used;
		if (train_frame_parse(p, size, side, &frame, &why) != TRAIN_OK)
			return;
		for (size_t i = 0; i < TRAIN_HEADER_SIZE; i++) {
			struct train_frame part;

			must(train_frame_parse(p, i, side, &part, &why) ==
			     TRAIN_MORE);
		}
		if (size - TRAIN_HEADER_SIZE < frame.len)
			return;
		if (frame.type != TRAIN_DATA)
			look_into(&frame, p + TRAIN_HEADER_SIZE);
		used = TRAIN_HEADER_SIZE + frame.len;
	}
}

#endif
