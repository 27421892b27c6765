/*
 * The folder walks of a worker's answers.  One that waits for its client is
 * kept ready to go on, as long as its place is not needed for another: then
 * the one that has waited longest is laid to rest.  So it is memory and
 * descriptors that are bounded, not who may ask.
 */
#ifndef SERVER_WALKS_H
#define SERVER_WALKS_H

#include <stdbool.h>

#include "base/list.h"

struct store_walk;
struct walks;

/* An answer's walk, in its owner's memory; all zero to begin with.  walk is
 * the owner's to make and to use between walks_begin and walks_pause. */
struct walk_place {
	struct link link; /* while it waits and is ready */
	struct store_walk *walk;
	bool is_ready; /* has a place */
};

/* At most max are held ready or in use, not counting resting ones.  0 or
 * -ENOMEM. */
int walks_new(struct walks **, unsigned max);
void walks_free(struct walks *); /* NULL is fine; no place may be left */

/* WAIT, thread-safe.  Gives it a place.  Not more than max may be in use, that
 * is between this and the next, at the same time. */
void walks_begin(struct walks *, struct walk_place *);
/* Thread-safe.  It may be laid to rest from now on. */
void walks_pause(struct walks *, struct walk_place *);
/* Thread-safe.  Frees the walk, if there is one, and the place; in use or
 * not. */
void walks_end(struct walks *, struct walk_place *);

/* How many have a place; for self-checks and tests. */
unsigned walks_count(struct walks *);

#endif
