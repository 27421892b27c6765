#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "client/url.h"

#define URL_SCHEME "train://"

static int host_take(struct url *, const char *, size_t, const char **);
static int port_take(struct url *, const char *, size_t, const char **);
static int bad(const char **reason, const char *text);

int
url_parse(struct url *url, const char *text, const char **reason)
{
	const char *at, *end, *colon;
	enum path_result pr;
	int r;

	memset(url->host, 0, sizeof(url->host));
	url->port = URL_DEFAULT_PORT;
	path_init(&url->path);
	if (strncasecmp(text, URL_SCHEME, strlen(URL_SCHEME)) != 0)
		return bad(reason, "an address begins with train://");
	at = text + strlen(URL_SCHEME);
	end = at + strcspn(at, "/?#");
	if (memchr(at, '@', (size_t)(end - at)) != NULL)
		return bad(reason, "a user name in the address is not known");
	if (*at == '[') {
		colon = memchr(at, ']', (size_t)(end - at));
		if (colon == NULL)
			return bad(reason, "a bracket is not closed");
		if (memchr(at, ':', (size_t)(colon - at)) == NULL)
			return bad(
			    reason, "in brackets stands an IPv6 address");
		r = host_take(url, at + 1, (size_t)(colon - at - 1), reason);
		colon++;
		if (colon != end && *colon != ':')
			return bad(reason, "after the bracket comes no port");
	} else {
		colon = memchr(at, ':', (size_t)(end - at));
		if (colon == NULL)
			colon = end;
		else if (memchr(colon + 1, ':', (size_t)(end - colon - 1)))
			return bad(
			    reason, "an IPv6 address stands in brackets");
		r = host_take(url, at, (size_t)(colon - at), reason);
	}
	if (r == 0 && colon != end)
		r = port_take(
		    url, colon + 1, (size_t)(end - colon - 1), reason);
	if (r != 0 || *end == '\0')
		return r;
	if (strpbrk(end, "?#") != NULL)
		return bad(reason, "a ? or # in a name is written %3F or %23");
	pr = path_from_url(&url->path, end, strlen(end));
	if (pr != PATH_OK)
		return bad(reason, path_result_text(pr));
	return 0;
}

static int
host_take(struct url *url, const char *host, size_t len, const char **reason)
{
	size_t i;

	if (len == 0)
		return bad(reason, "the address names no host");
	if (len > URL_HOST_MAX)
		return bad(reason, "the host's name is too long");
	for (i = 0; i < len; i++)
		if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f ||
		    host[i] == '[' || host[i] == ']')
			return bad(reason, "the host's name has a bad byte");
	memcpy(url->host, host, len);
	return 0;
}

static int
port_take(struct url *url, const char *port, size_t len, const char **reason)
{
	char digits[6] = "";
	uint64_t n;

	if (len < sizeof(digits))
		memcpy(digits, port, len);
	if (!text_to_u64(digits, 1, UINT16_MAX, &n))
		return bad(reason, "a port is a number from 1 to 65535");
	url->port = (uint16_t)n;
	return 0;
}

static int
bad(const char **reason, const char *text)
{
	*reason = text;
	return -EINVAL;
}
