/* What of a listed tree is here already, and what is to be fetched. */
#ifndef CLIENT_COMPARE_H
#define CLIENT_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/tally.h"
#include "client/target.h"
#include "client/tree.h"

struct compare_missing {
	uint64_t files;
	uint64_t bytes;
};

/*
 * Gives every entry its state, and makes the folders.  A file of the same
 * size and mtime is taken to be there.  What cannot be put in its place is
 * told and counted as failed, with all that is below it.
 * 0, -EINTR (the user wants an end), or -errno that ends it all: no space, a
 * dead disk.
 */
int compare_tree(struct tree *, const struct target *, int stop_fd,
    struct tally *, struct compare_missing *);

/* Is this an error of the whole target, not of the entry that met it? */
bool compare_is_fatal(const struct target *, int err);

/*
 * After the disk has failed: what this run wrote reads well from memory, and
 * may be lost all the same.  What is known to be lost is removed, told and
 * counted as failed; the rest gets another time than the server's, so that the
 * next run fetches it again.
 */
void
compare_distrust(const struct tree *, const struct target *, struct tally *);

/* Sets mode and time of the folders, deepest first. */
void compare_finish(const struct tree *, const struct target *, struct tally *);

#endif
