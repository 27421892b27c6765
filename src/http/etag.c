#include "http/date.h"
#include "http/etag.h"

/* ---- tags ---- */
struct tag {
	struct str opaque; /* with its quotes */
	bool is_weak;
};

enum tags_result {
	TAGS_BAD, /* no list of tags, or an empty one */
	TAGS_NO_MATCH,
	TAGS_MATCH
};

static enum tags_result tags_match(const struct head *, enum head_field_id,
    const struct cond_of *, bool is_strong);
static bool line_match(
    struct str line, struct str etag, bool is_strong, enum tags_result *);
static bool tag_next(struct str *rest, struct tag *);
static bool tag_is(const struct tag *, struct str etag, bool is_strong);
static void skip_separators(struct str *rest, bool *comma);
static void skip(struct str *, size_t n);
/* ---- conditions ---- */
static bool match_holds(const struct head *, const struct cond_of *);
static bool unmodified_holds(const struct head *, const struct cond_of *);
static bool none_match_holds(const struct head *, const struct cond_of *);
static bool modified_holds(const struct head *, const struct cond_of *);
static bool is_get(const struct head *);

size_t
etag_format(char out[ETAG_MAX], uint64_t ino, uint64_t size, int64_t mtime_ns)
{
	static const char digits[] = "0123456789abcdef";
	const uint64_t part[] = { ino, size, (uint64_t)mtime_ns };
	char *p = out;
	unsigned shift;

	*p++ = '"';
	for (size_t i = 0; i < 3; i++) {
		if (i > 0)
			*p++ = '-';
		for (shift = 60; shift > 0 && part[i] >> shift == 0;)
			shift -= 4;
		for (; shift > 0; shift -= 4)
			*p++ = digits[part[i] >> shift & 0xf];
		*p++ = digits[part[i] & 0xf];
	}
	*p++ = '"';
	*p = '\0';
	return (size_t)(p - out);
}

enum cond_result
cond_check(const struct head *h, const struct cond_of *of)
{
	if (h->method == HTTP_OPTIONS || h->method == HTTP_TRACE ||
	    h->method == HTTP_CONNECT)
		return COND_GO_ON;
	if (h->n_of[HEAD_IF_MATCH] > 0) {
		if (!match_holds(h, of))
			return COND_FAILED;
	} else if (!unmodified_holds(h, of)) {
		return COND_FAILED;
	}
	if (h->n_of[HEAD_IF_NONE_MATCH] > 0) {
		if (!none_match_holds(h, of))
			return is_get(h) ? COND_NOT_MODIFIED : COND_FAILED;
	} else if (is_get(h) && !modified_holds(h, of)) {
		return COND_NOT_MODIFIED;
	}
	return COND_GO_ON;
}

static bool
match_holds(const struct head *h, const struct cond_of *of)
{
	return tags_match(h, HEAD_IF_MATCH, of, true) == TAGS_MATCH;
}

static bool
none_match_holds(const struct head *h, const struct cond_of *of)
{
	switch (tags_match(h, HEAD_IF_NONE_MATCH, of, false)) {
	case TAGS_MATCH:
		return false;
	case TAGS_NO_MATCH:
		return true;
	case TAGS_BAD:
		break;
	}
	/* Somebody wanted to keep what is there. */
	return is_get(h);
}

static bool
unmodified_holds(const struct head *h, const struct cond_of *of)
{
	struct str value = head_get(h, HEAD_IF_UNMODIFIED_SINCE);
	int64_t date;

	if (!of->exists || !of->has_mtime || value.p == NULL ||
	    !date_parse(value, of->now, &date))
		return true;
	return of->mtime <= date;
}

static bool
modified_holds(const struct head *h, const struct cond_of *of)
{
	struct str value = head_get(h, HEAD_IF_MODIFIED_SINCE);
	int64_t date;

	if (!of->exists || !of->has_mtime || value.p == NULL ||
	    !date_parse(value, of->now, &date))
		return true;
	return of->mtime > date;
}

static bool
is_get(const struct head *h)
{
	return h->method == HTTP_GET || h->method == HTTP_HEAD;
}

bool
cond_range_holds(const struct head *h, const struct cond_of *of)
{
	struct str value = head_get(h, HEAD_IF_RANGE);
	int64_t date;
	struct tag tag;

	if (value.p == NULL)
		return true;
	if (!of->exists)
		return false;
	if (date_parse(value, of->now, &date))
		return of->has_mtime && of->mtime == date &&
		       of->mtime < of->now;
	return tag_next(&value, &tag) && value.len == 0 &&
	       tag_is(&tag, of->etag, true);
}

static enum tags_result
tags_match(const struct head *h, enum head_field_id id,
    const struct cond_of *of, bool is_strong)
{
	struct str etag = of->exists ? of->etag : STR("");
	enum tags_result result = TAGS_BAD;
	struct str line;
	unsigned i = 0;

	if (h->n_of[id] == 1 && str_is(head_get(h, id), STR("*")))
		return of->exists ? TAGS_MATCH : TAGS_NO_MATCH;
	while (head_next(h, id, &i, &line))
		if (!line_match(line, etag, is_strong, &result))
			return TAGS_BAD;
	return result;
}

/* Raises *result; false when it is no list.  A backslash in a tag is a byte
 * like another, so this is not the list that str_next_element reads. */
static bool
line_match(
    struct str line, struct str etag, bool is_strong, enum tags_result *result)
{
	struct tag tag;
	bool comma = true;

	for (;;) {
		skip_separators(&line, &comma);
		if (line.len == 0)
			return true;
		if (!comma || !tag_next(&line, &tag))
			return false;
		if (tag_is(&tag, etag, is_strong))
			*result = TAGS_MATCH;
		else if (*result == TAGS_BAD)
			*result = TAGS_NO_MATCH;
		comma = false;
	}
}

/* White space and commas; one of these sets comma. */
static void
skip_separators(struct str *rest, bool *comma)
{
	while (rest->len > 0) {
		if (*rest->p == ',')
			*comma = true;
		else if (*rest->p != ' ' && *rest->p != '\t')
			return;
		skip(rest, 1);
	}
}

/* False when there is none at the very beginning. */
static bool
tag_next(struct str *rest, struct tag *tag)
{
	unsigned char c;
	size_t i;

	tag->is_weak = rest->len > 1 && rest->p[0] == 'W' && rest->p[1] == '/';
	if (tag->is_weak)
		skip(rest, 2);
	if (rest->len == 0 || *rest->p != '"')
		return false;
	for (i = 1; i < rest->len && rest->p[i] != '"'; i++) {
		c = (unsigned char)rest->p[i];
		if (c <= 0x20 || c == 0x7f)
			return false;
	}
	if (i == rest->len)
		return false;
	tag->opaque = (struct str){ rest->p, i + 1 };
	skip(rest, i + 1);
	return true;
}

/* etag is strong, or there is none. */
static bool
tag_is(const struct tag *tag, struct str etag, bool is_strong)
{
	return !(tag->is_weak && is_strong) && str_is(tag->opaque, etag);
}

static void
skip(struct str *s, size_t n)
{
	s->p += n;
	s->len -= n;
}
