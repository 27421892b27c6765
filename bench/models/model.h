/* The models beside each other: each serves the payload to every client of a
 * listening socket, for ever. */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include "payload.h"

struct model_options {
	const struct payload *payload;
	int listen_fd; /* blocking for fork and thread */
	unsigned workers; /* of a pool */
};

/* These return only when they fail: -errno. */
int model_bare(const struct model_options *);
int model_fork(const struct model_options *);
int model_thread(const struct model_options *);
int model_blocking(const struct model_options *);
int model_event(const struct model_options *);

#endif
