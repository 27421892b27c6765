/* What a walk should give, found another way: recursion, whole paths, qsort. */
#ifndef STORE_LIST_H
#define STORE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct listed {
	char *path; /* below the root */
	bool is_dir;
	uint64_t ino;
	uint64_t size; /* 0 for a folder */
};

struct list {
	struct listed *e; /* in order */
	size_t n, cap;
	struct store_skipped skipped;
};

/* depth as for store_walk_new.  Asserts that all can be read. */
struct list list_tree(int root_fd, unsigned depth);
void list_free(struct list *);

/* The order of paths, of their text. */
int cmp_paths(const char *, const char *);

#endif
