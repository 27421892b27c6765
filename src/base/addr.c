#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/text.h"

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

static unsigned size_of(uint8_t family);

bool
addr_parse(struct addr *a, const char *s, size_t len)
{
	struct addr got = { .family = 4 };
	char text[ADDR_TEXT];

	if (len >= sizeof(text) || memchr(s, '\0', len) != NULL)
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, got.bytes) == 1) {
		*a = got;
		return true;
	}
	if (inet_pton(AF_INET6, text, got.bytes) != 1)
		return false;
	if (memcmp(got.bytes, mapped, sizeof(mapped)) == 0) {
		memmove(got.bytes, got.bytes + sizeof(mapped), 4);
		memset(got.bytes + 4, 0, sizeof(got.bytes) - 4);
	} else {
		got.family = 6;
	}
	*a = got;
	return true;
}

char *
addr_text(char out[ADDR_TEXT], const struct addr *a)
{
	snprintf(out, ADDR_TEXT, "local");
	if (a->family != 0)
		inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, out,
		    ADDR_TEXT);
	return out;
}

bool
addr_block_parse(struct addr_block *b, const char *s)
{
	const char *slash = strchr(s, '/');
	struct addr_block got = { .bits = 0 };
	uint64_t bits;

	if (strcmp(s, "unix") == 0) {
		*b = got;
		return true;
	}
	if (!addr_parse(
		&got.addr, s, slash == NULL ? strlen(s) : (size_t)(slash - s)))
		return false;
	bits = 8 * size_of(got.addr.family);
	if (slash != NULL && !text_to_u64(slash + 1, 0, bits, &bits))
		return false;
	got.bits = (uint8_t)bits;
	for (unsigned i = got.bits; i < 8 * size_of(got.addr.family); i++)
		if (got.addr.bytes[i / 8] & 0x80 >> i % 8)
			return false;
	*b = got;
	return true;
}

bool
addr_block_has(const struct addr_block *b, const struct addr *a)
{
	unsigned whole = b->bits / 8, rest = b->bits % 8;
	unsigned char mask = (unsigned char)(0xff00u >> rest);

	if (a->family != b->addr.family ||
	    memcmp(a->bytes, b->addr.bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       ((a->bytes[whole] ^ b->addr.bytes[whole]) & mask) == 0;
}

struct addr
addr_source(const struct addr *a)
{
	struct addr source = *a;

	if (source.family == 6)
		memset(source.bytes + 8, 0, 8);
	return source;
}

static unsigned
size_of(uint8_t family)
{
	return family == 4 ? 4 : 16;
}
