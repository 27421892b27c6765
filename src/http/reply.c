#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "http/date.h"
#include "http/escape.h"
#include "http/reply.h"

#define U64_DIGITS 20
#define BASE64_LEN 44 /* of 32 bytes */
#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

static char *room(struct reply *, size_t n);
static void put(struct reply *, const void *, size_t n);
static void field(struct reply *, const char *name, const char *, size_t len);
/* ---- values; text: returns the end ---- */
static bool has_control_byte(struct str);
static bool has_byte_below(uint64_t eight, unsigned char least);
static bool put_ascii(struct reply *, struct str);
static char *text_of(char *, const char *, size_t n);
static char *text_of_u64(char *, uint64_t);
static char *text_of_sha256(char *, const unsigned char sha256[32]);
static bool member_weight(struct str member, unsigned *weight);

const char *
http_status_text(unsigned status)
{
	switch (status) {
	case 100:
		return "Continue";
	case 103:
		return "Early Hints";
	case 104:
		return "Upload Resumption Supported";
	case 200:
		return "OK";
	case 201:
		return "Created";
	case 204:
		return "No Content";
	case 206:
		return "Partial Content";
	case 207:
		return "Multi-Status";
	case 301:
		return "Moved Permanently";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 409:
		return "Conflict";
	case 410:
		return "Gone";
	case 411:
		return "Length Required";
	case 412:
		return "Precondition Failed";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 415:
		return "Unsupported Media Type";
	case 416:
		return "Range Not Satisfiable";
	case 417:
		return "Expectation Failed";
	case 421:
		return "Misdirected Request";
	case 423:
		return "Locked";
	case 424:
		return "Failed Dependency";
	case 429:
		return "Too Many Requests";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 501:
		return "Not Implemented";
	case 502:
		return "Bad Gateway";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	case 507:
		return "Insufficient Storage";
	default:
		return "";
	}
}

void
reply_begin(struct reply *r, struct buf *out, unsigned status, const char *date)
{
	static const char before_date[] = "\r\nServer: netpan\r\nDate: ";
	const char *text = http_status_text(status);
	size_t text_len = strlen(text);
	char *p;

	assert(status >= 100 && status <= 999);
	r->out = out;
	r->began = buf_len(out);
	r->failed = 0;
	p = room(r, 13 + text_len + sizeof(before_date) - 1 + DATE_LEN + 2);
	if (p == NULL)
		return;
	p = text_of(p, "HTTP/1.1 ", 9);
	p = text_of_u64(p, status);
	*p++ = ' ';
	p = text_of(p, text, text_len);
	p = text_of(p, before_date, sizeof(before_date) - 1);
	p = text_of(p, date, DATE_LEN);
	text_of(p, "\r\n", 2);
}

void
reply_go_on(struct reply *r, struct buf *out)
{
	*r = (struct reply){ .out = out, .began = buf_len(out) };
}

void
reply_field(struct reply *r, const char *name, struct str value)
{
	if (has_control_byte(value) && r->failed == 0)
		r->failed = -EINVAL;
	field(r, name, value.p, value.len);
}

void
reply_field_u64(struct reply *r, const char *name, uint64_t value)
{
	char text[U64_DIGITS], *end;

	end = text_of_u64(text, value);
	field(r, name, text, (size_t)(end - text));
}

void
reply_content_range(
    struct reply *r, uint64_t first, uint64_t last, uint64_t size)
{
	char text[6 + 3 * U64_DIGITS + 2], *p = text;

	p = text_of(p, "bytes ", 6);
	p = text_of_u64(p, first);
	*p++ = '-';
	p = text_of_u64(p, last);
	*p++ = '/';
	p = text_of_u64(p, size);
	field(r, "Content-Range", text, (size_t)(p - text));
}

void
reply_content_range_none(struct reply *r, uint64_t size)
{
	char text[8 + U64_DIGITS], *p = text;

	p = text_of(p, "bytes */", 8);
	p = text_of_u64(p, size);
	field(r, "Content-Range", text, (size_t)(p - text));
}

void
reply_repr_digest(struct reply *r, const unsigned char sha256[32])
{
	char text[9 + BASE64_LEN + 1], *p = text;

	p = text_of(p, "sha-256=:", 9);
	p = text_of_sha256(p, sha256);
	*p++ = ':';
	field(r, "Repr-Digest", text, (size_t)(p - text));
}

void
reply_disposition(struct reply *r, bool is_inline, struct str name)
{
	bool is_same;

	put(r, "Content-Disposition: ", 21);
	if (is_inline)
		put(r, "inline; filename=\"", 18);
	else
		put(r, "attachment; filename=\"", 22);
	is_same = put_ascii(r, name);
	put(r, "\"", 1);
	if (!is_same && text_is_utf8(name.p, name.len)) {
		put(r, "; filename*=UTF-8''", 19);
		if (r->failed == 0)
			r->failed = escape_url(r->out, name);
	}
	put(r, "\r\n", 2);
}

/* Was every byte written as it is? */
static bool
put_ascii(struct reply *r, struct str name)
{
	char *p = room(r, name.len);
	bool is_same = true;
	char c;

	for (size_t i = 0; p != NULL && i < name.len; i++) {
		c = name.p[i];
		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '%') {
			c = '_';
			is_same = false;
		}
		*p++ = c;
	}
	return is_same;
}

int
reply_end(struct reply *r)
{
	put(r, "\r\n", 2);
	if (r->failed != 0)
		buf_cut(r->out, r->began);
	return r->failed;
}

/* n bytes at the tail, which the caller fills; NULL when it has failed. */
static char *
room(struct reply *r, size_t n)
{
	char *p;

	if (r->failed == 0 && n > buf_room(r->out))
		r->failed = -ENOBUFS;
	if (r->failed != 0)
		return NULL;
	p = (char *)buf_tail(r->out);
	buf_added(r->out, n);
	return p;
}

static void
put(struct reply *r, const void *bytes, size_t n)
{
	char *p = room(r, n);

	if (p != NULL)
		memcpy(p, bytes, n);
}

/* A whole line. */
static void
field(struct reply *r, const char *name, const char *value, size_t len)
{
	size_t name_len = strlen(name);
	char *p = room(r, name_len + 2 + len + 2);

	if (p == NULL)
		return;
	p = text_of(p, name, name_len);
	p = text_of(p, ": ", 2);
	p = text_of(p, value, len);
	text_of(p, "\r\n", 2);
}

/* Eight bytes at a time as long as none may be one: byte by byte this took
 * more time than all the rest of a reply. */
static bool
has_control_byte(struct str s)
{
	unsigned char c;
	uint64_t eight;
	size_t i = 0;

	while (s.len - i >= sizeof(eight)) {
		memcpy(&eight, s.p + i, sizeof(eight));
		if (has_byte_below(eight, 0x20) ||
		    has_byte_below(eight ^ EACH_BYTE(0x7f), 1))
			break;
		i += sizeof(eight);
	}
	for (; i < s.len; i++) {
		c = (unsigned char)s.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

/* least is 0x80 at most. */
static bool
has_byte_below(uint64_t eight, unsigned char least)
{
	return ((eight - EACH_BYTE(least)) & ~eight & EACH_BYTE(0x80)) != 0;
}

static char *
text_of(char *p, const char *text, size_t n)
{
	if (n > 0)
		memcpy(p, text, n);
	return p + n;
}

static char *
text_of_u64(char *p, uint64_t v)
{
	char digits[U64_DIGITS];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return text_of(p, digits + at, sizeof(digits) - at);
}

/* In base64; 32 bytes are ten times three, and two. */
static char *
text_of_sha256(char *p, const unsigned char sha256[32])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v;

	for (size_t i = 0; i < 32; i += 3) {
		v = (uint32_t)sha256[i] << 16 | (uint32_t)sha256[i + 1] << 8 |
		    (i + 2 < 32 ? sha256[i + 2] : 0u);
		*p++ = digits[v >> 18];
		*p++ = digits[v >> 12 & 63];
		*p++ = digits[v >> 6 & 63];
		*p++ = digits[v & 63];
	}
	p[-1] = '=';
	return p;
}

bool
reply_wants_sha256(struct str value)
{
	unsigned weight, last = 0;
	struct str member;

	/* Of two with one key the later counts (RFC 9651 3.2). */
	while (str_next_element(&value, &member))
		if (member_weight(member, &weight))
			last = weight;
	return last > 0;
}

/* sha-256=10, or with parameters behind it.  One that is no such integer has
 * the weight 0; false when it is another key's. */
static bool
member_weight(struct str member, unsigned *weight)
{
	static const char key[] = "sha-256";
	size_t at = sizeof(key) - 1;
	unsigned v = 0;
	size_t first;

	if (member.len < at || memcmp(member.p, key, at) != 0)
		return false;
	*weight = 0;
	if (at == member.len || member.p[at] != '=')
		return at == member.len || member.p[at] == ';';
	first = ++at;
	for (; at < member.len && member.p[at] >= '0' && member.p[at] <= '9';
	     at++)
		if (v <= 10)
			v = v * 10 + (unsigned)(member.p[at] - '0');
	if (at > first && (at == member.len || member.p[at] == ';') && v <= 10)
		*weight = v;
	return true;
}
