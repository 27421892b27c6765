/*
 * The one form a path has inside netpan: a list of byte segments that was
 * decoded once and checked once.  Whatever names a file takes this object,
 * never a string.  Names are bytes: no case folding, no normalising.
 */
#ifndef PATH_PATH_H
#define PATH_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

/* The reserved entry of a served tree: refused everywhere, never listed. */
#define PATH_RESERVED_NAME ".netpan"

enum path_result {
	PATH_OK,
	PATH_EMPTY, /* an empty segment ("a//b") */
	PATH_DOTS, /* "." or ".." */
	PATH_SLASH, /* a slash inside a segment */
	PATH_NUL, /* a NUL inside a segment */
	PATH_CONTROL, /* a control byte (0x01-0x1f, 0x7f) in a URL */
	PATH_ESCAPE, /* a % without two hex digits after it */
	PATH_NO_SLASH, /* a URL path that does not begin with a slash */
	PATH_SEG_LONG, /* over LIM_SEG_BYTES */
	PATH_LONG, /* over LIM_PATH_BYTES */
	PATH_DEEP, /* over LIM_PATH_SEGS */
	PATH_RESERVED, /* a segment is PATH_RESERVED_NAME */
	PATH_RESULTS
};

/* "a name is empty", ...; never NULL. */
const char *path_result_text(enum path_result);

/* Read the fields through the functions below. */
struct path {
	uint16_t n; /* segments; 0 is the root of the served tree */
	uint16_t len; /* bytes in use, without the last NUL */
	bool wants_dir; /* ended in a slash: must name a directory */
	uint16_t start[LIM_PATH_SEGS];
	char bytes[LIM_PATH_BYTES + 1]; /* "a/b/c", NUL at the end */
};

void path_init(struct path *); /* the root */

/* May this be one segment?  Any bytes are looked at, len of them. */
enum path_result path_check_segment(const void *seg, size_t len);

/* Appends a segment; on anything but PATH_OK the path is as before.  Neither
 * wants a folder afterwards. */
enum path_result path_push(struct path *, const void *seg, size_t len);
void path_pop(struct path *); /* at least one segment */

/* Appends all segments of b, which decides then whether a folder is wanted; on
 * anything but PATH_OK the path is as before. */
enum path_result path_append(struct path *, const struct path *b);

/*
 * Decodes a URL's path ("/a/b%20c/"), percent-escapes once, into a path that
 * is made anew.  On anything but PATH_OK the path is the root.
 */
enum path_result path_from_url(struct path *, const char *url, size_t len);

/* Can a URL that path_from_url reads name it?  Not with a control byte in it.
 * The name is one that path_check_segment accepts. */
bool path_is_in_urls(const char *name);

/* The reverse: a leading slash, every byte outside RFC 3986's unreserved set
 * escaped; a last slash with wants_dir.  Returns the length, or -ENOBUFS.  Ends
 * with NUL. */
long path_to_url(const struct path *, char *out, size_t cap);

/*
 * The order of a tree walk: segments compared as bytes, a parent before its
 * children.  Negative, 0, positive.  wants_dir is not looked at.
 */
int path_cmp(const struct path *, const struct path *);

/* Is p the same as dir, or below it? */
bool path_is_within(const struct path *p, const struct path *dir);

/* "a/b/c", or "." for the root: for *at() calls under the root's fd.
 * Valid until the path changes. */
const char *path_string(const struct path *);
/* The last segment; "" for the root. */
const char *path_leaf(const struct path *);
/* Segment i < n, not NUL-terminated; *len is its length. */
const char *path_segment(const struct path *, unsigned i, size_t *len);

#endif
