/*
 * A name that is looked at again and again.  The folders on its way are held
 * open, and a look is one statx(2) for each segment, each on one leaf name of
 * a held folder and following no link.  So a look that finds the name proves
 * just what an open beneath the root through no symlink would find, for the
 * price of a fraction of it.
 *
 * Names in the same folder share its descriptor.  Not thread-safe: one table
 * belongs to one thread.  No call waits for a disk where the store cannot
 * stall: what is asked was opened a moment ago, or is asked often.
 */
#ifndef STORE_HELD_H
#define STORE_HELD_H

#include <stdint.h>

#include "store/store.h"

struct held_table;
struct folder;

/* One name, in its owner's memory. */
struct held {
	struct folder *folder; /* NULL: the root */
	int root_fd; /* borrowed */
	const char *leaf; /* borrowed */
};

/* NULL: no memory.  store must live as long. */
struct held_table *held_table_new(const struct store *);
/* From now on no new folder beyond so many; none at first. */
void held_table_limit(struct held_table *, unsigned max_folders);
unsigned held_table_folders(const struct held_table *);
/* All its names were freed before.  NULL is fine. */
void held_table_free(struct held_table *);

/*
 * Holds the name of a file whose look was meta; leaf is the last segment of
 * path, and must stay where it is until held_end.  0; -EAGAIN (it is not there
 * any more, is another than meta says, the disk would have to be asked, it is
 * on another file system than the root, or the store may stall: do without),
 * -ENOSPC (max_folders are held), -ENOMEM.
 */
int held_init(struct held *, struct held_table *, const struct path *,
    const char *leaf, const struct store_meta *);
void held_end(struct held *, struct held_table *);

/*
 * What the name names now: 0, or -ENOENT (nothing that is served, or the way
 * to it is another).  A folder is found too.  moment is a number that the
 * caller changes when what was seen of the folders on the way may have become
 * too old: those that were looked at in this moment are not looked at again.
 * HELD_NOW is no moment: all are looked at.
 */
#define HELD_NOW 0
int held_look(const struct held *, uint64_t moment, struct store_meta *);

#endif
