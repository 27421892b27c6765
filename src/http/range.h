/* The Range field (RFC 9110 14.1, 14.2), in bytes only.  Pure. */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include <stdint.h>

#include "base/limits.h"
#include "http/str.h"

enum range_result {
	RANGE_WHOLE, /* not to be heeded: answer with 200 and all */
	RANGE_PARTS, /* 206 */
	RANGE_NONE /* 416: no part of it is in the file */
};

struct range {
	uint64_t first; /* first <= last < size */
	uint64_t last;
};

struct ranges {
	unsigned n; /* 1 or more with RANGE_PARTS */
	struct range range[LIM_HTTP_RANGES];
};

/*
 * What is asked of a file of size bytes.  RANGE_WHOLE is the answer to a unit
 * other than bytes, to a field that is not of its form, to more than
 * LIM_HTTP_RANGES ranges, to ranges that overlap so much that together they are
 * more than the file, and to the last bytes of an empty file.  Ranges that
 * begin behind the end are left out, and when none is left it is RANGE_NONE.
 * In the order they were asked for; O(n).
 */
enum range_result
ranges_parse(struct ranges *, struct str value, uint64_t size);

#endif
