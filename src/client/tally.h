/* What became of the entries of a tree.  Counted by several threads. */
#ifndef CLIENT_TALLY_H
#define CLIENT_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "path/path.h"

#define TALLY_LINES 100 /* failures that are told one by one */

struct tally {
	const struct path *root; /* of the tree, on the server */
	_Atomic uint64_t files; /* fetched */
	_Atomic uint64_t bytes; /* of them */
	_Atomic uint64_t folders;
	_Atomic uint64_t there; /* files that were there already */
	_Atomic uint64_t lax; /* entries without their mode or time */
	_Atomic uint64_t failed;
};

void tally_init(struct tally *, const struct path *root);

/* Counts an entry as failed and says why, in one line; after many only the
 * count goes on. */
void tally_fail(struct tally *, const struct path *entry, const char *why);

#endif
