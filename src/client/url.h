/* A train:// address in its parts. */
#ifndef CLIENT_URL_H
#define CLIENT_URL_H

#include <stdint.h>

#include "path/path.h"

#define URL_DEFAULT_PORT 8686
#define URL_HOST_MAX 255

struct url {
	char host[URL_HOST_MAX + 1]; /* a name or an address, no brackets */
	uint16_t port;
	struct path path;
};

/*
 * Takes "train://host[:port][/path]"; an IPv6 address stands in brackets; the
 * path is percent-decoded once.  0, or -EINVAL with *reason, a constant.
 */
int url_parse(struct url *, const char *text, const char **reason);

#endif
