#include <assert.h>
#include <string.h>

#include "http/proxy.h"

#define V1_MAX 107 /* the specification's, with CRLF */
#define V2_FIXED 16

static const char v1_start[] = "PROXY ";
static const unsigned char v2_start[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
	0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

static enum proxy_result
v1_parse(const char *, size_t, size_t *size, struct addr *);
static bool
next_word(const char **p, const char *end, const char **word, size_t *len);
static bool is_port(const char *, size_t);
static enum proxy_result
v2_parse(const unsigned char *, size_t, size_t *size, struct addr *);

enum proxy_result
proxy_parse(const void *p, size_t len, size_t *size, struct addr *client)
{
	size_t n1 = len < sizeof(v1_start) - 1 ? len : sizeof(v1_start) - 1;
	size_t n2 = len < sizeof(v2_start) ? len : sizeof(v2_start);

	if (memcmp(p, v1_start, n1) == 0)
		return n1 == len && len < sizeof(v1_start) - 1
			   ? PROXY_MORE
			   : v1_parse(p, len, size, client);
	if (memcmp(p, v2_start, n2) == 0)
		return len < V2_FIXED ? PROXY_MORE
				      : v2_parse(p, len, size, client);
	return PROXY_NONE;
}

/* PROXY TCP4 SOURCE DESTINATION PORT PORT CRLF */
static enum proxy_result
v1_parse(const char *p, size_t len, size_t *size, struct addr *client)
{
	size_t cap = len < V1_MAX ? len : V1_MAX;
	const char *lf = memchr(p, '\n', cap), *end, *at, *word[5];
	size_t n[5];
	struct addr source, destination;

	if (lf == NULL)
		return len < V1_MAX ? PROXY_MORE : PROXY_BAD;
	end = lf - 1;
	if (end < p + sizeof(v1_start) - 1 || *end != '\r')
		return PROXY_BAD;
	*size = (size_t)(lf + 1 - p);
	at = p + sizeof(v1_start) - 1;
	if (!next_word(&at, end, &word[0], &n[0]))
		return PROXY_BAD;
	if (n[0] == 7 && memcmp(word[0], "UNKNOWN", 7) == 0)
		return PROXY_OK;
	for (int i = 1; i < 5; i++)
		if (!next_word(&at, end, &word[i], &n[i]))
			return PROXY_BAD;
	if (at != end || n[0] != 4 || memcmp(word[0], "TCP", 3) != 0 ||
	    !addr_parse(&source, word[1], n[1]) ||
	    !addr_parse(&destination, word[2], n[2]) ||
	    (word[0][3] != '4' && word[0][3] != '6') ||
	    (word[0][3] == '4') != (memchr(word[1], ':', n[1]) == NULL) ||
	    !is_port(word[3], n[3]) || !is_port(word[4], n[4]))
		return PROXY_BAD;
	*client = source;
	return PROXY_OK;
}

/* Words are parted by one space each. */
static bool
next_word(const char **p, const char *end, const char **word, size_t *len)
{
	const char *space;

	if (*p >= end)
		return false;
	space = memchr(*p, ' ', (size_t)(end - *p));
	*word = *p;
	*len = (size_t)((space == NULL ? end : space) - *p);
	*p = space == NULL ? end : space + 1;
	return *len > 0;
}

static bool
is_port(const char *p, size_t len)
{
	unsigned n = 0;

	if (len < 1 || len > 5 || (len > 1 && p[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		n = 10 * n + (unsigned)(p[i] - '0');
	}
	return n <= 65535;
}

/* 12 bytes of start, version and command, family, a length of what follows in
 * network order: addresses, and then what we pass over. */
static enum proxy_result
v2_parse(const unsigned char *p, size_t len, size_t *size, struct addr *client)
{
	size_t rest = (size_t)p[14] << 8 | p[15];
	struct addr source = { .family = 0 };
	char text[ADDR_TEXT];

	if (p[12] >> 4 != 2 || (p[12] & 15) > 1 ||
	    rest > LIM_PROXY_BYTES - V2_FIXED)
		return PROXY_BAD;
	*size = V2_FIXED + rest;
	if ((p[12] & 15) == 1) {
		switch (p[13] >> 4) {
		case 1:
			source.family = 4;
			break;
		case 2:
			source.family = 6;
			break;
		default:
			break;
		}
		if ((source.family == 4 && rest < 12) ||
		    (source.family == 6 && rest < 36))
			return PROXY_BAD;
	}
	if (len < *size)
		return PROXY_MORE;
	if (source.family == 0)
		return PROXY_OK;
	memcpy(source.bytes, p + V2_FIXED, source.family == 4 ? 4 : 16);
	/* once through its text, for a mapped one */
	addr_text(text, &source);
	(void)addr_parse(client, text, strlen(text));
	return PROXY_OK;
}

enum proxy_forwarded
proxy_forwarded_for(const char *value, size_t len,
    const struct addr_block *trusted, unsigned n_trusted, struct addr *client)
{
	const char *comma, *from, *end = value + len;
	struct addr addr;
	unsigned i;

	assert(value != NULL || len == 0);
	while (end > value) {
		comma = memrchr(value, ',', (size_t)(end - value));
		from = comma == NULL ? value : comma + 1;
		while (from < end && (*from == ' ' || *from == '\t'))
			from++;
		while (end > from && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		if (!addr_parse(&addr, from, (size_t)(end - from)))
			return FORWARDED_BAD;
		for (i = 0; i < n_trusted; i++)
			if (addr_block_has(&trusted[i], &addr))
				break;
		if (i == n_trusted) {
			*client = addr;
			return FORWARDED_FOR;
		}
		end = comma == NULL ? value : comma;
	}
	return FORWARDED_TRUSTED;
}
