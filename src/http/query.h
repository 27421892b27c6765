/*
 * The query of a URL as a list of decoded parameters: "a=1&b&c=%20".  Pure.
 * "+" is a space; names and values are bytes.
 */
#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H

#include <stdint.h>

#include "base/limits.h"
#include "http/str.h"

struct query {
	unsigned n;
	struct {
		struct str name;
		struct str value; /* p NULL: no "=" was there */
	} param[LIM_HTTP_PARAMS];
	/* where the decoded bytes are */
	char bytes[LIM_HTTP_QUERY_BYTES];
};

/*
 * Takes it apart.  NULL, or a constant sentence why not (400), and there are no
 * parameters then: a % without two hex digits, more than LIM_HTTP_PARAMS
 * parameters, more than LIM_HTTP_QUERY_BYTES bytes as it was written.  Empty
 * parameters ("a&&b") are passed over.  The input may go, the struct must stay
 * where it is.
 */
const char *query_parse(struct query *, struct str);

/* Is it there at all? */
bool query_has(const struct query *, struct str name);
/* The value of the first of this name; p NULL when there is none. */
struct str query_get(const struct query *, struct str name);

#endif
