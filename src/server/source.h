/*
 * Where a worker's connections come from: one source for each IPv4 address,
 * for each /64 of IPv6, and for all local sockets together.  What is scarce
 * is shared out by it.  Used on the loop alone.
 */
#ifndef SERVER_SOURCE_H
#define SERVER_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "server/slab.h"

#define SOURCE_BUCKETS 1024

/* What work that is done for it carries along, and may outlive it. */
struct source_id {
	struct addr addr; /* addr_source of it */
	uint32_t lane; /* of its jobs */
};

struct source {
	struct link link; /* in its bucket */
	struct source_id id;
	uint32_t n_refs;
	uint32_t n_conns; /* connections now; their owner counts */
	uint32_t n_idle; /* while room is made */
	uint32_t n_packs; /* archives being made */
	uint32_t n_sorted; /* listings held to be sorted */
};

struct sources {
	struct link bucket[SOURCE_BUCKETS];
	struct slab slab;
	uint64_t seed; /* nobody outside knows who shares a bucket */
};

void sources_init(struct sources *, uint64_t seed);

/* The source that addr belongs to, with one more reference; NULL: no
 * memory. */
struct source *source_get(struct sources *, const struct addr *);
/* Gives a reference back; NULL is fine. */
void source_put(struct sources *, struct source *);

/* The same source? */
bool source_has(const struct source *, const struct addr *);

/*
 * May one who has own of something take one more, when all together have n of
 * max?  Each may have as many as are left, so the first takes half, and there
 * is always something for one more who has none: until so many have.
 */
bool source_may_take(uint32_t own, uint32_t n, uint32_t max);

#endif
