/*
 * The smallest of the names that are told, sorted in the end, in bounded
 * memory however many are told.  Pure.
 */
#ifndef STORE_NAMES_H
#define STORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

struct names {
	int n; /* how many are held */
	/* Some were told that are not held: first is the first of them, and
	 * nothing from there on is let in any more. */
	bool has_more;
	char first[LIM_SEG_BYTES + 1];
	int max_n;
	size_t max_bytes; /* of the names held, each with its NUL */
	size_t live; /* of that in use */
	char *mem; /* the names, and between them some that were dropped */
	size_t used, cap;
	uint32_t *order; /* where each begins: a heap, then sorted */
	int order_cap;
};

/* max_bytes has room for one name at least. */
void names_init(struct names *, int max_n, size_t max_bytes);
/* To what it was after names_init. */
void names_free(struct names *);
/* Forgets the names; keeps a little of the memory. */
void names_clear(struct names *);

/* Would this one be held? */
bool names_wants(const struct names *, const char *name);
/* name has len bytes and a NUL.  0, or -ENOMEM: clear it then. */
int names_add(struct names *, const char *name, size_t len);
/* After the last: puts them in order, a name that was told twice once. */
void names_sort(struct names *);
/* Name i < n after names_sort; valid until names_clear. */
const char *names_at(const struct names *, int i);

#endif
