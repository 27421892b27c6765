#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <string.h>

#include "http/byte.h"
#include "http/head.h"

#define PORT_DIGITS 5
#define LENGTH_DIGITS 19 /* as many as 2^63 - 1 has */

/* As many bytes as one instruction of a 64-bit machine compares. */
#define VEC 16
typedef uint8_t vec __attribute__((vector_size(VEC)));
typedef char vec_mask __attribute__((vector_size(VEC)));

static_assert(LIM_HTTP_FIELDS <= UINT8_MAX, "n_of and first hold that many");

static const struct str method_names[] = {
#define METHOD_ROW(constant, name) \
	[HTTP_##constant] = { name, sizeof(name) - 1 },
	HTTP_METHODS(METHOD_ROW)
#undef METHOD_ROW
};

static const struct str field_names[HEAD_N_FIELDS] = {
#define FIELD_ROW(constant, name, may_repeat) \
	[HEAD_##constant] = { name, sizeof(name) - 1 },
	HEAD_FIELDS(FIELD_ROW)
#undef FIELD_ROW
};

/* Why a second line of a field is refused; NULL when it is not. */
static const char *const refusals_of_two[HEAD_N_FIELDS] = {
#define REFUSAL_ROW(constant, name, may_repeat) \
	[HEAD_##constant] = (may_repeat) ? NULL : "two " name " lines",
	HEAD_FIELDS(REFUSAL_ROW)
#undef REFUSAL_ROW
};

/* The fields whose names have that length, HEAD_OTHER after the last. */
static const uint8_t ids_of_length[][4] = {
	[4] = { HEAD_HOST },
	[5] = { HEAD_RANGE },
	[6] = { HEAD_ACCEPT, HEAD_ORIGIN, HEAD_EXPECT },
	[7] = { HEAD_REFERER },
	[8] = { HEAD_IF_RANGE, HEAD_IF_MATCH },
	[10] = { HEAD_CONNECTION, HEAD_USER_AGENT },
	[13] = { HEAD_IF_NONE_MATCH },
	[14] = { HEAD_SEC_FETCH_SITE, HEAD_CONTENT_LENGTH },
	[15] = { HEAD_FORWARDED_FOR },
	[16] = { HEAD_WANT_REPR_DIGEST, HEAD_CONTENT_ENCODING },
	[17] = { HEAD_IF_MODIFIED_SINCE, HEAD_TRANSFER_ENCODING },
	[19] = { HEAD_IF_UNMODIFIED_SINCE },
};

/* ---- bytes ---- */
static inline const char *plain_end(const char *p, const char *end);
static const char *name_end(const char *p, const char *end);
static vec vec_load(const char *p);
static unsigned vec_bits(vec_mask);
/* ---- lines, as they come ---- */
static enum head_result
parse_request_line(struct head *, const char **at, const char *end);
static enum head_result
parse_fields(struct head *, const char **at, const char *end);
static enum head_result parse_field(
    struct head *, struct head_field *, const char **at, const char *end);
static enum head_result
bad_name(struct head *, const char *begin, const char *at, const char *end);
static enum head_result end_line(
    struct head *, const char **at, const char *end, const char *why_control);
/* ---- the request line ---- */
static enum head_result split_request_line(struct head *);
static bool find_method(struct str, enum http_method *);
static enum head_result split_target(struct head *);
static enum head_result split_absolute(struct head *);
static void split_path(struct head *, struct str path_and_query);
/* ---- what the fields say together ---- */
static enum head_result check_fields(struct head *);
static enum head_result check_host(struct head *);
static enum head_result check_coding(struct head *);
static enum head_result refuse_coding(struct head *, struct str);
static enum head_result check_length(struct head *);
static enum head_result check_expect(struct head *);
static bool wants_to_stay(const struct head *);
static enum head_field_id field_id(struct str name);
static bool is_name(const char *p, const char *known, size_t len);
static bool is_name8(const char *p, const char *known);
static bool is_name4(const char *p, const char *known);
/* ---- hosts ---- */
static bool is_host(struct str, struct str *port);
static size_t name_length(struct str);
static size_t literal_length(struct str);
static bool is_port(struct str);
static bool is_same_host(struct str, struct str);
/* ---- slices ---- */
static struct str before(struct str, const char *at);
static struct str behind(struct str, const char *at);

/* Each refusal is one call of it. */
static enum head_result
bad(struct head *h, uint16_t status, const char *reason)
{
	h->status = status;
	h->reason = reason;
	return HEAD_BAD;
}

const char *
http_method_name(enum http_method m)
{
	return (unsigned)m < HTTP_N_METHODS ? method_names[m].p : "?";
}

/*
 * The head is always parsed from its first byte, so the answer cannot depend on
 * how it came.  What came without one whole line is not parsed again: so it is
 * parsed no more often than it may have lines.
 */
enum head_result
head_parse(struct head *h, const char *p, size_t len, size_t *scanned)
{
	bool is_full = len >= LIM_HTTP_HEAD_BYTES;
	const char *at = p, *end;
	enum head_result r;

	if (len == 0)
		return HEAD_MORE;
	if (*scanned > 0 && !is_full &&
	    memchr(p + *scanned, '\n', len - *scanned) == NULL) {
		*scanned = len;
		return HEAD_MORE;
	}
	end = p + (is_full ? LIM_HTTP_HEAD_BYTES : len);
	r = parse_request_line(h, &at, end);
	if (r == HEAD_MORE && is_full)
		r = bad(h, 414, "the request line is too long");
	if (r == HEAD_OK) {
		r = parse_fields(h, &at, end);
		if (r == HEAD_MORE && is_full)
			r = bad(h, 431, "the head is too long");
	}
	if (r == HEAD_OK) {
		h->size = (size_t)(at - p);
		r = check_fields(h);
	}
	*scanned = r == HEAD_MORE ? len : 0;
	return r;
}

struct str
head_get(const struct head *h, enum head_field_id id)
{
	if (h->n_of[id] == 0)
		return (struct str){ NULL, 0 };
	return h->fields[h->first[id]].value;
}

bool
head_next(
    const struct head *h, enum head_field_id id, unsigned *i, struct str *value)
{
	if (h->n_of[id] == 0)
		return false;
	if (*i < h->first[id])
		*i = h->first[id];
	while (*i < h->n_fields) {
		const struct head_field *f = &h->fields[(*i)++];

		if (f->id == id) {
			*value = f->value;
			return true;
		}
	}
	return false;
}

/* The first control byte, or the end. */
static inline const char *
plain_end(const char *p, const char *end)
{
	while (end - p >= VEC) {
		vec v = vec_load(p);
		unsigned controls = vec_bits((v < 0x20) | (v == 0x7f));

		if (controls != 0)
			return p + __builtin_ctz(controls);
		p += VEC;
	}
	while (p < end && !byte_is(*p, BYTE_CONTROL))
		p++;
	return p;
}

/* The first byte that is not a token's, or the end.  Letters and dashes, which
 * is what names are made of, are passed over many at once. */
static const char *
name_end(const char *p, const char *end)
{
	while (end - p >= VEC) {
		vec v = vec_load(p), lower = v | 0x20;
		unsigned others = vec_bits(
		    ~(((lower >= 'a') & (lower <= 'z')) | (v == '-')));

		if (others != 0) {
			p += __builtin_ctz(others);
			break;
		}
		p += VEC;
	}
	while (p < end && byte_is(*p, BYTE_TOKEN))
		p++;
	return p;
}

static vec
vec_load(const char *p)
{
	vec v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* One bit for each byte of what a comparison gave. */
static unsigned
vec_bits(vec_mask mask)
{
#ifdef __SSE2__
	return (unsigned)__builtin_ia32_pmovmskb128(mask);
#else
	uint64_t half[2];

	memcpy(half, &mask, sizeof(half));
	for (unsigned i = 0; i < 2; i++) {
		half[i] = le64toh(half[i]) & 0x0101010101010101;
		half[i] = half[i] * 0x0102040810204080 >> 56;
	}
	return (unsigned)(half[0] | half[1] << 8);
#endif
}

static enum head_result
parse_request_line(struct head *h, const char **at, const char *end)
{
	const char *p = *at;
	enum head_result r;

	if (*p == '\r' && end - p >= 2 && p[1] == '\n')
		p += 2; /* RFC 9112 2.2 */
	*at = plain_end(p, end);
	h->line = (struct str){ p, (size_t)(*at - p) };
	r = end_line(h, at, end, "the request line has a control byte in it");
	return r == HEAD_OK ? split_request_line(h) : r;
}

static enum head_result
parse_fields(struct head *h, const char **at, const char *end)
{
	struct head_field *f;
	enum head_result r;

	h->n_fields = 0;
	memset(h->n_of, 0, sizeof(h->n_of));
	for (;;) {
		if (*at == end)
			return HEAD_MORE;
		if (**at == '\r')
			return end_line(h, at, end, NULL);
		if (h->n_fields == LIM_HTTP_FIELDS)
			return bad(h, 431, "too many fields");
		f = &h->fields[h->n_fields];
		r = parse_field(h, f, at, end);
		if (r != HEAD_OK)
			return r;
		if (h->n_of[f->id] == 0)
			h->first[f->id] = (uint8_t)h->n_fields;
		else if (refusals_of_two[f->id] != NULL)
			return bad(h, 400, refusals_of_two[f->id]);
		h->n_of[f->id]++;
		h->n_fields++;
	}
}

static enum head_result
parse_field(
    struct head *h, struct head_field *f, const char **at, const char *end)
{
	const char *p = name_end(*at, end), *value;
	enum head_result r;

	if (p == end)
		return HEAD_MORE;
	if (*p != ':' || p == *at)
		return bad_name(h, *at, p, end);
	f->name = (struct str){ *at, (size_t)(p - *at) };
	f->id = (uint8_t)field_id(f->name);
	value = ++p;
	while ((p = plain_end(p, end)) < end && *p == '\t')
		p++;
	*at = p;
	r = end_line(h, at, end, "a field's value has a control byte in it");
	if (r != HEAD_OK)
		return r;
	while (byte_is_blank(*value))
		value++; /* to the CR at most */
	while (p > value && byte_is_blank(p[-1]))
		p--;
	f->value = (struct str){ value, (size_t)(p - value) };
	return HEAD_OK;
}

/* What stands at `at` ends no name. */
static enum head_result
bad_name(struct head *h, const char *begin, const char *at, const char *end)
{
	enum head_result r;

	if (*at == ':')
		return bad(h, 400, "a field's name is empty");
	if (byte_is_blank(*at) && at == begin)
		return bad(h, 400, "a line begins with white space");
	if (byte_is_blank(*at))
		return bad(h, 400, "a field's name has white space in it");
	if (!byte_is(*at, BYTE_CONTROL))
		return bad(h, 400, "a field's name is no token");
	r = end_line(h, &at, end, "a field's name has a control byte in it");
	return r == HEAD_OK ? bad(h, 400, "a field has no colon") : r;
}

/* *at is at a control byte or the end; it is moved behind CRLF. */
static enum head_result
end_line(
    struct head *h, const char **at, const char *end, const char *why_control)
{
	if (*at == end)
		return HEAD_MORE;
	if (**at == '\n')
		return bad(h, 400, "a line ends in a bare LF");
	if (**at != '\r')
		return bad(h, 400, why_control);
	if (end - *at < 2)
		return HEAD_MORE;
	if ((*at)[1] != '\n')
		return bad(h, 400, "a bare CR");
	*at += 2;
	return HEAD_OK;
}

/* RFC 9112 3: method SP request-target SP HTTP-version, and nothing else. */
static enum head_result
split_request_line(struct head *h)
{
	const char *p = h->line.p, *end = p + h->line.len, *sp;
	struct str method;

	if (p == end)
		return bad(h, 400, "the request line is empty");
	while (p < end && byte_is(*p, BYTE_TOKEN))
		p++;
	method = before(h->line, p);
	if (method.len == 0 || (p < end && *p != ' '))
		return bad(h, 400, "the method is no token");
	if (p == end || ++p == end || *p == ' ')
		return bad(h, 400, "the request line has no target");
	sp = memchr(p, ' ', (size_t)(end - p));
	if (sp == NULL)
		return bad(h, 400, "the request line has no version");
	h->target = (struct str){ p, (size_t)(sp - p) };
	if (memchr(p, '#', h->target.len) != NULL)
		return bad(h, 400, "the target has a # in it");
	p = sp + 1;
	if (end - p != 8 || memcmp(p, "HTTP/", 5) != 0 ||
	    !byte_is_digit(p[5]) || p[6] != '.' || !byte_is_digit(p[7]))
		return bad(
		    h, 400, "the request line does not end in a version");
	if (!find_method(method, &h->method)) {
		/* RFC 9113 3.4 */
		if (str_is(h->line, STR("PRI * HTTP/2.0")))
			return bad(h, 400, "the preface of HTTP/2");
		return bad(h, 501, "a method that is not known");
	}
	if (p[5] != '1')
		return bad(h, 505, "a version that is not spoken here");
	h->minor = p[7] > '0';
	return split_target(h);
}

static bool
find_method(struct str name, enum http_method *method)
{
	for (unsigned m = 0; m < HTTP_N_METHODS; m++) {
		if (str_is(name, method_names[m])) {
			*method = (enum http_method)m;
			return true;
		}
	}
	return false;
}

/* RFC 9112 3.2: its four forms. */
static enum head_result
split_target(struct head *h)
{
	struct str port;

	h->host = (struct str){ NULL, 0 };
	h->query = (struct str){ NULL, 0 };
	if (h->method == HTTP_CONNECT) {
		if (!is_host(h->target, &port) || port.len == 0)
			return bad(h, 400, "CONNECT to no host and port");
		h->host = h->target;
		h->path = (struct str){ NULL, 0 };
		return HEAD_OK;
	}
	if (h->target.p[0] == '/') {
		split_path(h, h->target);
		return HEAD_OK;
	}
	if (str_is(h->target, STR("*"))) {
		if (h->method != HTTP_OPTIONS)
			return bad(h, 400, "the target * without OPTIONS");
		h->path = h->target;
		return HEAD_OK;
	}
	return split_absolute(h);
}

static enum head_result
split_absolute(struct head *h)
{
	struct str rest, port;
	size_t n;

	for (n = 0; n < h->target.len && h->target.p[n] != ':';)
		n++;
	rest = behind(h->target, h->target.p + n);
	if ((!str_is_nocase(before(h->target, rest.p), STR("http")) &&
		!str_is_nocase(before(h->target, rest.p), STR("https"))) ||
	    rest.len < 3 || memcmp(rest.p, "://", 3) != 0)
		return bad(h, 400, "the target is neither a path nor a URL");
	rest = behind(rest, rest.p + 3);
	for (n = 0; n < rest.len && rest.p[n] != '/' && rest.p[n] != '?';)
		n++;
	h->host = before(rest, rest.p + n);
	if (!is_host(h->host, &port))
		return bad(h, 400, "the target's host is not valid");
	split_path(h, behind(rest, rest.p + n));
	return HEAD_OK;
}

static void
split_path(struct head *h, struct str s)
{
	const char *mark = s.len == 0 ? NULL : memchr(s.p, '?', s.len);

	h->path = s;
	if (mark != NULL) {
		h->path = before(s, mark);
		h->query = behind(s, mark + 1);
	}
	if (h->path.len == 0)
		h->path = STR("/"); /* RFC 9110 4.2.3 */
}

static enum head_result
check_fields(struct head *h)
{
	enum head_result r;

	r = check_host(h);
	if (r == HEAD_OK)
		r = check_coding(h);
	if (r == HEAD_OK)
		r = check_length(h);
	if (r == HEAD_OK)
		r = check_expect(h);
	h->keep_alive = wants_to_stay(h);
	return r;
}

/*
 * RFC 9112 3.2.  An empty Host is for URIs without an authority; http and
 * https have none such, and one with an empty host must be refused as invalid
 * (RFC 9110 4.2.1), so it is.
 */
static enum head_result
check_host(struct head *h)
{
	struct str of_target = h->host, port;

	if (h->n_of[HEAD_HOST] == 0)
		return h->minor == 0 ? HEAD_OK : bad(h, 400, "no Host");
	h->host = head_get(h, HEAD_HOST);
	if (!is_host(h->host, &port))
		return bad(h, 400, "Host is not valid");
	if (of_target.p != NULL && !is_same_host(of_target, h->host))
		return bad(h, 400, "Host is not the target's");
	return HEAD_OK;
}

/* RFC 9112 6.1, 6.3: how a body ends is sure, or the request is refused. */
static enum head_result
check_coding(struct head *h)
{
	h->is_chunked = h->n_of[HEAD_TRANSFER_ENCODING] > 0;
	if (!h->is_chunked)
		return HEAD_OK;
	if (h->minor == 0)
		return bad(h, 400, "Transfer-Encoding in HTTP/1.0");
	if (h->n_of[HEAD_CONTENT_LENGTH] > 0)
		return bad(h, 400, "Content-Length with Transfer-Encoding");
	if (!str_is_nocase(head_get(h, HEAD_TRANSFER_ENCODING), STR("chunked")))
		return refuse_coding(h, head_get(h, HEAD_TRANSFER_ENCODING));
	return HEAD_OK;
}

static enum head_result
refuse_coding(struct head *h, struct str codings)
{
	struct str coding = { NULL, 0 };
	bool had_chunked = false;
	unsigned n;

	for (n = 0; str_next_element(&codings, &coding); n++) {
		for (size_t i = 0; i < coding.len; i++)
			if (!byte_is(coding.p[i], BYTE_TOKEN))
				return bad(h, 400,
				    "Transfer-Encoding is no list of tokens");
		if (had_chunked)
			return bad(
			    h, 400, "chunked is not the last transfer coding");
		had_chunked = str_is_nocase(coding, STR("chunked"));
	}
	if (n == (had_chunked ? 1u : 0u))
		return bad(h, 400, "Transfer-Encoding has an empty element");
	return bad(h, 501, "a transfer coding that is not known");
}

/* RFC 9110 8.6; a zero in front, which some take for octal, is refused too. */
static enum head_result
check_length(struct head *h)
{
	struct str s = head_get(h, HEAD_CONTENT_LENGTH);

	h->length = 0;
	h->has_length = h->n_of[HEAD_CONTENT_LENGTH] > 0;
	if (!h->has_length)
		return HEAD_OK;
	if (s.len == 0)
		return bad(h, 400, "Content-Length is empty");
	for (size_t i = 0; i < s.len; i++)
		if (!byte_is_digit(s.p[i]))
			return bad(h, 400, "Content-Length is no number");
	if (s.p[0] == '0' && s.len > 1)
		return bad(h, 400, "Content-Length begins with a zero");
	if (s.len > LENGTH_DIGITS)
		return bad(h, 400, "Content-Length is too large");
	for (size_t i = 0; i < s.len; i++)
		h->length = h->length * 10 + (uint64_t)(s.p[i] - '0');
	if (h->length > INT64_MAX)
		return bad(h, 400, "Content-Length is too large");
	return HEAD_OK;
}

/* RFC 9110 10.1.1 */
static enum head_result
check_expect(struct head *h)
{
	h->expects_continue = h->minor > 0 && h->n_of[HEAD_EXPECT] > 0;
	if (h->expects_continue &&
	    !str_is_nocase(head_get(h, HEAD_EXPECT), STR("100-continue")))
		return bad(h, 417, "an expectation that is not known");
	return HEAD_OK;
}

/* RFC 9112 9.3 */
static bool
wants_to_stay(const struct head *h)
{
	bool stays = h->minor > 0;
	struct str value;
	unsigned i = 0;

	for (unsigned n = h->n_of[HEAD_CONNECTION]; n > 0; n--) {
		head_next(h, HEAD_CONNECTION, &i, &value);
		if (str_list_has(value, STR("close")))
			return false;
		if (!stays && str_list_has(value, STR("keep-alive")))
			stays = true;
	}
	return stays;
}

static enum head_field_id
field_id(struct str name)
{
	const uint8_t *id;

	if (name.len >= sizeof(ids_of_length) / sizeof(ids_of_length[0]))
		return HEAD_OTHER;
	for (id = ids_of_length[name.len]; *id != HEAD_OTHER; id++)
		if (is_name(name.p, field_names[*id].p, name.len))
			return *id;
	return HEAD_OTHER;
}

/*
 * Letters folded.  known has letters and dashes only, 4 or more: a token's byte
 * that differs from one of them in the bit 0x20 is the same letter.
 */
static bool
is_name(const char *p, const char *known, size_t len)
{
	if (len < 8)
		return is_name4(p, known) &&
		       is_name4(p + len - 4, known + len - 4);
	for (size_t i = 0; i < len - 8; i += 8)
		if (!is_name8(p + i, known + i))
			return false;
	return is_name8(p + len - 8, known + len - 8);
}

static bool
is_name8(const char *p, const char *known)
{
	uint64_t a, b;

	memcpy(&a, p, sizeof(a));
	memcpy(&b, known, sizeof(b));
	return ((a ^ b) & ~0x2020202020202020) == 0;
}

static bool
is_name4(const char *p, const char *known)
{
	uint32_t a, b;

	memcpy(&a, p, sizeof(a));
	memcpy(&b, known, sizeof(b));
	return ((a ^ b) & ~0x20202020u) == 0;
}

/*
 * RFC 9110 7.2: uri-host [ ":" port ].  A name may have what DNS names and
 * IPv4 addresses have, which is less than RFC 3986 would let it: no escapes,
 * no commas.  *port is empty when there is none.
 */
static bool
is_host(struct str s, struct str *port)
{
	size_t n = s.len > 0 && s.p[0] == '[' ? literal_length(s)
					      : name_length(s);

	*port = (struct str){ NULL, 0 };
	if (n == 0 || n == s.len)
		return n > 0;
	if (s.p[n] != ':')
		return false;
	*port = behind(s, s.p + n + 1);
	return is_port(*port);
}

static size_t
name_length(struct str s)
{
	size_t n = 0;

	while (n < s.len && byte_is(s.p[n], BYTE_HOST))
		n++;
	return n;
}

/* Of "[::1]", 0 when it is no IPv6 address. */
static size_t
literal_length(struct str s)
{
	const char *close = memchr(s.p, ']', s.len);
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	size_t n;

	if (close == NULL)
		return 0;
	n = (size_t)(close - s.p) - 1;
	if (n >= sizeof(text))
		return 0;
	memcpy(text, s.p + 1, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, &addr) == 1 ? n + 2 : 0;
}

static bool
is_port(struct str s)
{
	unsigned port = 0;

	if (s.len > PORT_DIGITS)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!byte_is_digit(s.p[i]))
			return false;
		port = port * 10 + (unsigned)(s.p[i] - '0');
	}
	return port <= UINT16_MAX;
}

/* "x:" is "x". */
static bool
is_same_host(struct str a, struct str b)
{
	a.len -= a.len > 0 && a.p[a.len - 1] == ':';
	b.len -= b.len > 0 && b.p[b.len - 1] == ':';
	return str_is_nocase(a, b);
}

static struct str
before(struct str s, const char *at)
{
	return (struct str){ s.p, (size_t)(at - s.p) };
}

static struct str
behind(struct str s, const char *at)
{
	return (struct str){ at, s.len - (size_t)(at - s.p) };
}
