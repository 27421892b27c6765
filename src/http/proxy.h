/*
 * The PROXY protocol (versions 1 and 2): what a trusted proxy says, before
 * anything else, of the client it speaks for.  Pure.
 */
#ifndef HTTP_PROXY_H
#define HTTP_PROXY_H

#include "base/addr.h"
#include "base/limits.h"

enum proxy_result {
	PROXY_OK, /* *size bytes are the header */
	PROXY_NONE, /* it is something else: the connection's own bytes */
	PROXY_MORE,
	PROXY_BAD /* begins as one and is none: the connection must end */
};

/*
 * *client is the one it names; untouched when it names none (UNKNOWN, LOCAL,
 * another family).  A header is at most LIM_PROXY_BYTES long.
 */
enum proxy_result
proxy_parse(const void *p, size_t len, size_t *size, struct addr *client);

enum proxy_forwarded {
	FORWARDED_FOR, /* *client */
	FORWARDED_TRUSTED, /* all are trusted: the line before it counts */
	FORWARDED_BAD /* the one that counts is no address */
};

/*
 * X-Forwarded-For, one line of it: the last address of the list that is not
 * itself trusted, looked at from the right, so that what a client wrote before
 * its proxy's own entry is not believed.  Of several lines the last is looked
 * at first.  *client is untouched when there is none.
 */
enum proxy_forwarded proxy_forwarded_for(const char *value, size_t len,
    const struct addr_block *trusted, unsigned n_trusted, struct addr *client);

#endif
