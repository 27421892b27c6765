/* A slice of bytes that somebody else owns, and the few comparisons that HTTP
 * needs.  Pure. */
#ifndef HTTP_STR_H
#define HTTP_STR_H

#include <stdbool.h>
#include <stddef.h>

struct str {
	const char *p; /* not ended by NUL; NULL only with len 0 */
	size_t len;
};

#define STR(literal) \
	((struct str){ .p = (literal), .len = sizeof(literal) - 1 })

bool str_is(struct str, struct str); /* the same bytes */
bool str_is_nocase(struct str, struct str); /* ASCII letters folded */

/*
 * RFC 9110 5.6.1: the next element of a comma-separated list, without the
 * white space around it; empty ones are passed over; a comma inside a
 * quoted-string does not end one, and a quoted-string that is not closed goes
 * to the end.  *rest is moved on.  False at the end.  Not for entity tags: in
 * them a backslash is no escape.
 */
bool str_next_element(struct str *rest, struct str *element);

/* Where the first part ends that ends gives an end to, one within quotes passed
 * over as above; or the length. */
size_t str_part_end(struct str, char ends);
struct str str_trim(struct str); /* without spaces and tabs around it */

/* Is token one of the list's elements, letters folded? */
bool str_list_has(struct str list, struct str token);

#endif
