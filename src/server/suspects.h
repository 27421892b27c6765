/*
 * Whom workers served when they crashed.  A source that was being served at
 * several crashes in a row is refused for a while, longer each time, so that
 * one poisonous request that is sent again and again does not keep killing
 * workers and their other clients.  Pure.
 */
#ifndef SERVER_SUSPECTS_H
#define SERVER_SUSPECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define SUSPECTS 64

/* All zero to begin with. */
struct suspects {
	struct suspect {
		struct addr source; /* addr_source of it */
		unsigned n_crashes; /* in a row */
		uint64_t last_ms;
		uint64_t refused_to_ms;
	} list[SUSPECTS];
	unsigned n; /* the others are unused */
};

/*
 * A worker has crashed while it served this address.  Returns for how many ms
 * its source is refused now; 0: it is not yet.  Each CRASH_FORGET_MS without
 * a crash halves what is remembered.  When there are too many, the one whose
 * last crash is the oldest is forgotten.
 */
uint64_t suspects_accuse(struct suspects *, const struct addr *, uint64_t now);

bool suspects_has(const struct suspects *, const struct addr *, uint64_t now);

#endif
