#include <string.h>

#include "http/byte.h"
#include "http/query.h"

static const char *take_all(struct query *, struct str);
static const char *take_param(struct query *, struct str, char **out);
static bool decode(struct str, struct str *decoded, char **out);

const char *
query_parse(struct query *q, struct str s)
{
	const char *why;

	q->n = 0;
	if (s.len > LIM_HTTP_QUERY_BYTES)
		return "the query is too long";
	why = take_all(q, s);
	if (why != NULL)
		q->n = 0;
	return why;
}

bool
query_has(const struct query *q, struct str name)
{
	for (unsigned i = 0; i < q->n; i++)
		if (str_is(q->param[i].name, name))
			return true;
	return false;
}

struct str
query_get(const struct query *q, struct str name)
{
	for (unsigned i = 0; i < q->n; i++)
		if (str_is(q->param[i].name, name))
			return q->param[i].value;
	return (struct str){ NULL, 0 };
}

static const char *
take_all(struct query *q, struct str s)
{
	char *out = q->bytes;
	const char *why, *mark;
	struct str part;

	while (s.len > 0) {
		mark = memchr(s.p, '&', s.len);
		part = s;
		if (mark != NULL)
			part.len = (size_t)(mark - s.p);
		why = part.len > 0 ? take_param(q, part, &out) : NULL;
		if (why != NULL)
			return why;
		part.len += mark != NULL;
		s.p += part.len;
		s.len -= part.len;
	}
	return NULL;
}

/* Decoded it is not longer, so there is room for all. */
static const char *
take_param(struct query *q, struct str s, char **out)
{
	static const char bad_escape[] =
	    "the query has a % without two hex digits";
	const char *mark = memchr(s.p, '=', s.len);
	struct str name = s, value;

	if (q->n == LIM_HTTP_PARAMS)
		return "the query has too many parameters";
	q->param[q->n].value = (struct str){ NULL, 0 };
	if (mark != NULL) {
		name.len = (size_t)(mark - s.p);
		value = (struct str){ mark + 1, s.len - name.len - 1 };
	}
	if (!decode(name, &q->param[q->n].name, out))
		return bad_escape;
	if (mark != NULL && !decode(value, &q->param[q->n].value, out))
		return bad_escape;
	q->n++;
	return NULL;
}

static bool
decode(struct str s, struct str *decoded, char **out)
{
	int high, low;

	*decoded = (struct str){ *out, 0 };
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			if (s.len - i < 3)
				return false;
			high = byte_hex(s.p[i + 1]);
			low = byte_hex(s.p[i + 2]);
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		*(*out)++ = c;
		decoded->len++;
	}
	return true;
}
