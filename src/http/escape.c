#include <string.h>

#include "base/text.h"
#include "http/escape.h"

#define UNIT_MAX 6

/* Writes what the first bytes of a str, which is not empty, become: its length
 * is returned, *used is how many they are. */
typedef size_t escape_unit(char out[UNIT_MAX], struct str, size_t *used);
typedef bool is_plain(unsigned char);

static int escape(struct buf *, struct str, is_plain *, escape_unit *);
static is_plain is_plain_html, is_plain_json, is_plain_url, is_plain_log;
static escape_unit html_unit, json_unit, url_unit, log_unit;
static size_t text_unit(char out[UNIT_MAX], const char *text);
static size_t hex_unit(char out[UNIT_MAX], const char *before, unsigned char c);
static char *put_hex(char *, unsigned char);
static bool is_markup(unsigned char);

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

int
escape_html(struct buf *out, struct str s)
{
	return escape(out, s, is_plain_html, html_unit);
}

int
escape_json(struct buf *out, struct str s)
{
	return escape(out, s, is_plain_json, json_unit);
}

int
escape_url(struct buf *out, struct str s)
{
	return escape(out, s, is_plain_url, url_unit);
}

int
escape_log(struct buf *out, struct str s)
{
	return escape(out, s, is_plain_log, log_unit);
}

/* Bytes that are plain go in runs. */
static int
escape(struct buf *out, struct str s, is_plain *plain, escape_unit *unit)
{
	size_t before = buf_len(out), at = 0, run, used, len;
	char bytes[UNIT_MAX];
	int r = 0;

	while (r == 0 && at < s.len) {
		for (run = at; run < s.len && plain((unsigned char)s.p[run]);)
			run++;
		r = buf_put(out, s.p + at, run - at);
		at = run;
		if (r != 0 || at == s.len)
			break;
		len = unit(bytes, (struct str){ s.p + at, s.len - at }, &used);
		r = buf_put(out, bytes, len);
		at += used;
	}
	if (r != 0)
		buf_cut(out, before);
	return r;
}

static bool
is_markup(unsigned char c)
{
	return c == '&' || c == '<' || c == '>' || c == '"' || c == '\'';
}

static bool
is_plain_html(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && !is_markup(c);
}

static size_t
html_unit(char out[UNIT_MAX], struct str s, size_t *used)
{
	uint32_t cp;

	*used = 1;
	switch (*s.p) {
	case '&':
		return text_unit(out, "&amp;");
	case '<':
		return text_unit(out, "&lt;");
	case '>':
		return text_unit(out, "&gt;");
	case '"':
		return text_unit(out, "&quot;");
	case '\'':
		return text_unit(out, "&#39;");
	}
	*used = text_utf8(s.p, s.len, &cp);
	if (*used > 0 && text_is_shown(cp)) {
		memcpy(out, s.p, *used);
		return *used;
	}
	if (*used == 0)
		*used = 1;
	return text_unit(out, replacement);
}

static bool
is_plain_json(unsigned char c)
{
	return is_plain_html(c) && c != '\\';
}

static size_t
json_unit(char out[UNIT_MAX], struct str s, size_t *used)
{
	uint32_t cp;

	*used = text_utf8(s.p, s.len, &cp);
	if (*used == 0) {
		*used = 1;
		return text_unit(out, replacement);
	}
	if (cp == '"')
		return text_unit(out, "\\\"");
	if (cp == '\\')
		return text_unit(out, "\\\\");
	if (text_is_shown(cp) && (cp > 0x7f || !is_markup((unsigned char)cp))) {
		memcpy(out, s.p, *used);
		return *used;
	}
	/* All of these are below U+10000. */
	hex_unit(out, "\\u", (unsigned char)(cp >> 8));
	put_hex(out + 4, (unsigned char)cp);
	return 6;
}

static bool
is_plain_url(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

static size_t
url_unit(char out[UNIT_MAX], struct str s, size_t *used)
{
	*used = 1;
	return hex_unit(out, "%", (unsigned char)*s.p);
}

static bool
is_plain_log(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static size_t
log_unit(char out[UNIT_MAX], struct str s, size_t *used)
{
	*used = 1;
	return hex_unit(out, "\\x", (unsigned char)*s.p);
}

static size_t
text_unit(char out[UNIT_MAX], const char *text)
{
	size_t len = strlen(text);

	memcpy(out, text, len);
	return len;
}

static size_t
hex_unit(char out[UNIT_MAX], const char *before, unsigned char c)
{
	size_t len = text_unit(out, before);

	return (size_t)(put_hex(out + len, c) - out);
}

static char *
put_hex(char *p, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";

	*p++ = digits[c >> 4];
	*p++ = digits[c & 0xf];
	return p;
}
