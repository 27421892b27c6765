#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define ESCAPED_SIZE 4 /* "\xNN" */

/* ---- what a terminal may be shown ---- */
static size_t escape_one(
    char out[ESCAPED_SIZE], const unsigned char *p, size_t n, size_t *used);
/* ---- addresses ---- */
static bool copy_host(char *host, size_t cap, const char *s, size_t n,
    bool (*is_allowed)(unsigned char));
static bool is_name_byte(unsigned char);
static bool is_ipv6_byte(unsigned char);

static const char hex_digits[] = "0123456789abcdef";

size_t
text_utf8(const void *bytes, size_t n, uint32_t *cp)
{
	/* The smallest number that needs as many bytes. */
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = bytes;
	uint32_t v;
	size_t len;

	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		len = 1;
		v = p[0];
	} else if (p[0] >= 0xc2 && p[0] < 0xe0) {
		len = 2;
		v = p[0] & 0x1f;
	} else if (p[0] >= 0xe0 && p[0] < 0xf0) {
		len = 3;
		v = p[0] & 0x0f;
	} else if (p[0] >= 0xf0 && p[0] < 0xf5) {
		len = 4;
		v = p[0] & 0x07;
	} else {
		return 0;
	}
	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	if (cp != NULL)
		*cp = v;
	return len;
}

bool
text_is_utf8(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t used;

	while (n > 0) {
		used = text_utf8(p, n, NULL);
		if (used == 0)
			return false;
		p += used;
		n -= used;
	}
	return true;
}

bool
text_is_shown(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return false;
	/* Arabic letter mark, left-to-right and right-to-left marks. */
	if (cp == 0x61c || cp == 0x200e || cp == 0x200f)
		return false;
	/* Line and paragraph separator; embeddings, overrides. */
	if (cp >= 0x2028 && cp <= 0x202e)
		return false;
	/* Isolates. */
	return cp < 0x2066 || cp > 0x2069;
}

char *
text_escape(char *out, size_t cap, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	char unit[ESCAPED_SIZE];
	size_t len = 0, cut = 0, unit_len, used;

	if (cap == 0)
		return out;
	while (n > 0) {
		unit_len = escape_one(unit, p, n, &used);
		if (unit_len > cap - 1 - len) {
			/* The last place that leaves room for the dots. */
			len = cut;
			while (len < cap - 1 && len < cut + 3)
				out[len++] = '.';
			break;
		}
		memcpy(out + len, unit, unit_len);
		len += unit_len;
		p += used;
		n -= used;
		if (cap - 1 - len >= 3)
			cut = len;
	}
	out[len] = '\0';
	return out;
}

/* One character as it is, or one byte escaped: *used bytes of the input. */
static size_t
escape_one(
    char out[ESCAPED_SIZE], const unsigned char *p, size_t n, size_t *used)
{
	uint32_t cp;

	*used = text_utf8(p, n, &cp);
	if (*used > 0 && cp != '\\' && text_is_shown(cp)) {
		memcpy(out, p, *used);
		return *used;
	}
	*used = 1;
	out[0] = '\\';
	out[1] = 'x';
	out[2] = hex_digits[p[0] >> 4];
	out[3] = hex_digits[p[0] & 0xf];
	return ESCAPED_SIZE;
}

void
text_hex(char *out, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++) {
		*out++ = hex_digits[p[i] >> 4];
		*out++ = hex_digits[p[i] & 0xf];
	}
	*out = '\0';
}

bool
text_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	unsigned digit;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		digit = (unsigned)(*s - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (v < min || v > max)
		return false;
	*out = v;
	return true;
}

char *
text_size(char *out, size_t cap, uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	uint64_t whole, tenths;
	unsigned u = 0;

	if (bytes < 1024) {
		snprintf(out, cap, "%" PRIu64 " B", bytes);
		return out;
	}
	while (u < 5 && bytes >> (10 * (u + 2)) != 0)
		u++;
	whole = bytes >> (10 * (u + 1));
	tenths = bytes - (whole << (10 * (u + 1)));
	tenths = (tenths * 10 + ((uint64_t)1 << (10 * (u + 1) - 1))) >>
		 (10 * (u + 1));
	if (tenths == 10) {
		tenths = 0;
		whole++;
	}
	if (whole == 1024 && u < 5) {
		whole = 1;
		u++;
	}
	snprintf(
	    out, cap, "%" PRIu64 ".%" PRIu64 " %ciB", whole, tenths, units[u]);
	return out;
}

char *
text_duration(char *out, size_t cap, uint64_t seconds)
{
	uint64_t hours = seconds / 3600;
	unsigned minutes = (unsigned)(seconds / 60 % 60);
	unsigned rest = (unsigned)(seconds % 60);

	if (hours > 0)
		snprintf(
		    out, cap, "%" PRIu64 ":%02u:%02u", hours, minutes, rest);
	else
		snprintf(out, cap, "%u:%02u", minutes, rest);
	return out;
}

bool
text_host_port(const char *s, char *host, size_t cap, uint16_t *port)
{
	const char *end, *digits;
	uint64_t v;

	if (cap == 0)
		return false;
	host[0] = '\0';
	if (*s == '[') {
		s++;
		end = strchr(s, ']');
		if (end == NULL || end[1] != ':')
			return false;
		digits = end + 2;
	} else {
		end = strchr(s, ':');
		if (end == NULL)
			return false;
		digits = end + 1;
	}
	if (strlen(digits) > 5 || !text_to_u64(digits, 0, UINT16_MAX, &v))
		return false;
	if (!copy_host(host, cap, s, (size_t)(end - s),
		*end == ']' ? is_ipv6_byte : is_name_byte))
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool
copy_host(char *host, size_t cap, const char *s, size_t n,
    bool (*is_allowed)(unsigned char))
{
	if (n == 0 || n > cap - 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_allowed((unsigned char)s[i]))
			return false;
	memcpy(host, s, n);
	host[n] = '\0';
	return true;
}

static bool
is_name_byte(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
}

/* With the zone of a link-local address ("fe80::1%eth0"). */
static bool
is_ipv6_byte(unsigned char c)
{
	return is_name_byte(c) || c == ':' || c == '%';
}
