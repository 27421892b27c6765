/*
 * Entity tags and the conditions of a request (RFC 9110 8.8, 13).  Pure.
 */
#ifndef HTTP_ETAG_H
#define HTTP_ETAG_H

#include <stdint.h>

#include "http/head.h"

/* "\"ino-size-mtime\"" in hex: strong, and the same for the same file on every
 * mount of a distributed file system (no device, no ctime). */
#define ETAG_MAX 64
/* Returns the length; ends with NUL. */
size_t
etag_format(char out[ETAG_MAX], uint64_t ino, uint64_t size, int64_t mtime_ns);

/* What the conditions are held against. */
struct cond_of {
	bool exists; /* else If-Match never holds */
	struct str etag; /* len 0: it has none (a listing), no tag is its */
	bool has_mtime;
	int64_t mtime; /* seconds */
	int64_t now; /* seconds */
};

enum cond_result {
	COND_GO_ON,
	COND_NOT_MODIFIED, /* 304 */
	COND_FAILED /* 412 */
};

/*
 * RFC 9110 13.2.2, in its order, but for If-Range; GET and HEAD get 304 where
 * the other methods get 412.  OPTIONS, TRACE and CONNECT have no conditions.  A
 * date that is none is passed over.  Tags that are no list of tags, or "*"
 * beside others, match nothing, and let nothing but GET and HEAD go on.
 */
enum cond_result cond_check(const struct head *, const struct cond_of *);

/* May Range be heeded?  True without If-Range; a tag must match strongly; a
 * date must be the very Last-Modified, and that at least a second old. */
bool cond_range_holds(const struct head *, const struct cond_of *);

#endif
