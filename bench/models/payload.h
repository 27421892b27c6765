/*
 * What every model sends, by the same code: one file in the course note's
 * format.  A 4-byte little-endian length and the name, the 8-byte size, then
 * frames of a 4-byte length and up to 1000 bytes; one read and one send for
 * each frame, as the note has it.
 */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_FRAME 1000
#define PAYLOAD_NAME_MAX 255
#define PAYLOAD_HEAD_MAX (4 + PAYLOAD_NAME_MAX + 8)

/* The file: open once, read by all at the offsets they have come to. */
struct payload {
	int fd;
	uint64_t size;
	size_t head_len;
	unsigned char head[PAYLOAD_HEAD_MAX];
};

/* How far one client has come.  Zeroed at first. */
struct sending {
	uint64_t off; /* of the file: what is before is in buf or sent */
	size_t len, at; /* of buf: filled, sent */
	unsigned char buf[PAYLOAD_HEAD_MAX + 4 + PAYLOAD_FRAME];
};

/* Opens the file at path.  0 or -errno. */
int payload_open(struct payload *, const char *path);

/* How many bytes a client gets in all. */
uint64_t payload_stream_size(const struct payload *);

/*
 * Sends as much as the socket takes; a blocking one takes all.  Returns 1 when
 * all is sent, 0 when the socket is full, -errno when the client is lost.
 */
int payload_send(const struct payload *, struct sending *, int conn_fd);

/* Sends the whole to a blocking socket and closes it. */
void payload_serve(const struct payload *, int conn_fd);

#endif
