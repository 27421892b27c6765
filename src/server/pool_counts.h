/* The pool's counts by their names, for whatever shows them. */
#ifndef SERVER_POOL_COUNTS_H
#define SERVER_POOL_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fdpool.h"

struct pool_count {
	const char *name;
	size_t field; /* offset */
	bool only_grows;
	const char *meaning;
};

#define POOL_N_COUNTS (sizeof(struct fdpool_counts) / sizeof(uint64_t))

/* All of them, in the order of struct fdpool_counts. */
extern const struct pool_count pool_counts[POOL_N_COUNTS];

/* i < POOL_N_COUNTS */
uint64_t pool_count_get(const struct fdpool_counts *, size_t i);

#endif
