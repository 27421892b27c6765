/*
 * The entries of a server's tree as they were listed: compact, in path_cmp
 * order, each below a folder that was listed before it.  Filled by one thread;
 * after that several may use it, if each entry is changed by one only.
 */
#ifndef CLIENT_TREE_H
#define CLIENT_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "path/path.h"
#include "train/train.h"

struct tree;

#define TREE_ROOT UINT32_MAX /* the parent of entries that have none */

enum entry_state {
	ENTRY_LISTED,
	ENTRY_THERE, /* was there already */
	ENTRY_MISSING, /* a file that is to be fetched */
	ENTRY_AGAIN, /* came wrong: is fetched once more */
	ENTRY_DONE,
	ENTRY_FAILED
};

#define ENTRY_IS_NEW 0x01 /* a folder that this run made */
#define ENTRY_HAS_PART 0x02 /* a file of which an earlier run left a part */

struct entry {
	const char *name; /* its last segment */
	uint64_t size;
	int64_t mtime_ns;
	uint32_t parent; /* an index, less than its own */
	uint16_t mode;
	uint8_t kind; /* enum train_kind */
	uint8_t state : 4; /* enum entry_state */
	uint8_t marks : 4; /* ENTRY_ */
};

/* max_bytes bounds its memory; 0: half of the machine's, at most 4 GiB.
 * NULL: no memory. */
struct tree *tree_new(uint64_t max_bytes);
void tree_free(struct tree *); /* NULL is fine */

uint32_t tree_count(const struct tree *);
/* i < count.  Valid as long as the tree. */
struct entry *tree_entry(const struct tree *, uint32_t i);
/* Its path from the tree's root. */
void tree_path(const struct tree *, uint32_t i, struct path *);

/*
 * Adds the next entry.  0, -EPROTO with *reason (out of order, or below what
 * is no listed folder), -E2BIG (too many entries, or too much memory).
 */
int tree_add(struct tree *, const struct train_head *, const char **reason);

/* Takes the last entry away; count > 0.  Listing goes on from it. */
void tree_forget_last(struct tree *);

#endif
