/*
 * A folder's listing, as HTML that works without script and as JSON, written
 * piece by piece into a buf: nothing of it is held.  Pure.  docs/http.md has
 * the JSON.
 *
 * Links are relative to the listing's own URL, which must end in a slash: a
 * name is escaped whole, so that it is one segment of it and can be no scheme,
 * host or query, and a line stays short however deep the folder is.
 */
#ifndef HTTP_LISTING_H
#define HTTP_LISTING_H

#include <stdint.h>

#include "base/buf.h"
#include "http/str.h"
#include "path/path.h"

enum listing_form { LISTING_HTML, LISTING_JSON };
/* In links: ?sort=name, size or time, and desc when it is descending. */
enum listing_key { LISTING_BY_NAME, LISTING_BY_SIZE, LISTING_BY_TIME };

/* What the page says of itself, and what its links carry on. */
struct listing {
	enum listing_form form;
	const struct path *folder; /* valid until listing_end */
	enum listing_key key; /* of this page's order */
	bool descending;
	bool is_sorted; /* the folder fits: sorting by another key is offered */
	struct str after; /* the page begins after this name; len 0: at first */
	unsigned limit; /* as asked for; 0: not asked for */
	unsigned n; /* entries written so far; listing_entry counts */
};

struct listing_entry {
	struct str name; /* at most LIM_SEG_BYTES */
	bool is_dir;
	uint64_t size;
	int64_t mtime; /* seconds */
};

/* Room that one call of each needs at most. */
#define LISTING_HEAD_ROOM 65536
#define LISTING_ENTRY_ROOM 4096
#define LISTING_TAIL_ROOM 4096

/* 0, or -ENOBUFS and out is as before. */
int listing_begin(struct listing *, struct buf *out);
int
listing_entry(struct listing *, struct buf *out, const struct listing_entry *);
/* next_after: the last name written, when more entries follow: the page then
 * links to (JSON: names) the next one; p NULL: that was all. */
int listing_end(struct listing *, struct buf *out, struct str next_after);

/* The style of the pages, which they ask for at this URL. */
#define LISTING_CSS_URL "/@/style.css"
extern const char listing_css[];
extern const size_t listing_css_len;

#endif
