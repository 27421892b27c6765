/* Which media type a client's Accept wants (RFC 9110 12.5.1).  Pure. */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "http/head.h"

/*
 * Does the client prefer type a to b, both such as "text/html"?  Of two with
 * the same weight it is the one that is named more exactly.  A range's
 * parameters beside q are not looked at; one whose q is none is passed over.
 */
bool accept_prefers(const struct head *, struct str a, struct str b);

#endif
