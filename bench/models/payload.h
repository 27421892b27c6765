/*
 * What every model sends, by the same code: one file in the course note's
 * format.  A 4-byte little-endian length and the name, the 8-byte size, then
 * frames of a 4-byte length and up to 1000 bytes.
 */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_FRAME 1000
#define PAYLOAD_NAME_MAX 255
#define PAYLOAD_HEAD_MAX (4 + PAYLOAD_NAME_MAX + 8)
#define PAYLOAD_FRAMES_MAX 500 /* in one call, which takes 1024 pieces */

/* The file, mapped: how far a client has come is then a number, and no client
 * needs a buffer. */
struct payload {
	const unsigned char *file; /* NULL when it is empty */
	uint64_t size;
	unsigned frames_a_call;
	size_t head_len;
	unsigned char head[PAYLOAD_HEAD_MAX];
	unsigned char full[4]; /* the length of each frame but the last */
	unsigned char last[4];
};

/*
 * Maps the file at path.  frames_a_call: 1 as the note has it, up to
 * PAYLOAD_FRAMES_MAX.  0 or -errno.
 */
int payload_open(struct payload *, const char *path, unsigned frames_a_call);

/* How many bytes a client gets in all. */
uint64_t payload_stream_size(const struct payload *);

/*
 * Sends from *pos of the stream on, as much as the socket takes; a blocking
 * one takes all.  Returns 1 when all is sent, 0 when the socket is full,
 * -errno when the client is lost.
 */
int payload_send(const struct payload *, uint64_t *pos, int conn_fd);

/* Sends the whole to a blocking socket and closes it. */
void payload_serve(const struct payload *, int conn_fd);

#endif
