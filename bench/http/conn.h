/* A connection to the server: one request after the other, bodies dropped. */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "targets.h"

#define CONN_ASK_MAX 512
#define CONN_HEAD_MAX 2048

enum conn_want {
	CONN_READ,
	CONN_WRITE,
	CONN_DONE, /* the answer is whole, and as it should be */
	CONN_FAILED /* conn_failure says why */
};

enum conn_state {
	CONN_ASKS,
	CONN_IN_HEAD,
	CONN_IN_BODY,
	CONN_AT_END /* waits for the server to hang up */
};

struct conn {
	int fd; /* -1: not connected */
	enum conn_state state;
	bool closes; /* the server must hang up after the answer */
	bool is_partial; /* a range was asked for */
	const char *failure;
	uint64_t from; /* where in the file the body begins */
	uint64_t size; /* of the body that is to come */
	uint64_t left; /* of it */
	uint64_t got; /* bytes of bodies since the last conn_begin */
	uint64_t began_ns;
	unsigned ask_len;
	unsigned ask_sent;
	unsigned head_len;
	char ask[CONN_ASK_MAX];
	char head[CONN_HEAD_MAX];
};

/* Not connected yet. */
void conn_init(struct conn *);
void conn_close(struct conn *);

/*
 * Begins a request, on the connection that is there or on a new one; flags are
 * socket's.  *chance picks the range, if the options want one.
 */
enum conn_want conn_begin(struct conn *, const struct options *,
    const struct target *, uint64_t *chance, int flags);

/* Goes on as far as possible, but for one piece of a body only. */
enum conn_want conn_step(struct conn *);

#endif
