/* A page of a folder, with what a walk asks of it beyond store_page_read. */
#ifndef STORE_PAGE_H
#define STORE_PAGE_H

#include "store/store.h"

struct page_ask {
	const char *after;
	bool inclusive; /* after itself is wanted too */
	size_t max_len; /* longer names have no valid path: unreadable */
	struct store_skipped *skipped; /* may be NULL */
};

/* As store_page_read. */
int page_read(struct store_page *, int dir_fd, const struct page_ask *);
/* Empties the page, and gives back most of its memory. */
void page_forget(struct store_page *);

#endif
