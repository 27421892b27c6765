/* What a walk should give, found another way: recursion, whole paths, qsort;
 * and steps of a walk with what they should give.  All of it asserts. */
#ifndef STORE_LIST_H
#define STORE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "store_tree.h"

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

/* ---- walking by hand; paths as tree_path takes them ---- */

struct store_walk *walk_begin(const struct tree *, const char *root,
    const char *from, const char *until, unsigned depth);
/* As store_walk_next; *path is valid until the next. */
int walk_next(struct store_walk *, const char **path);

void walk_expect(int line, struct store_walk *, const char *path);
/* want is 0 or the error that ends it; also when asked again. */
void walk_expect_end(int line, struct store_walk *, int want, bool has_more);
void walk_check_skipped(int line, const struct store_skipped *got,
    const struct store_skipped *want);

#endif
