#include "http/range.h"

enum spec_result {
	SPEC_OK,
	SPEC_BEHIND, /* well-formed, but no byte of the file is in it */
	SPEC_IGNORE /* with the whole field */
};

static enum spec_result
spec_parse(struct range *, struct str spec, uint64_t size);
static enum spec_result
suffix_parse(struct range *, struct str digits, uint64_t size);
static bool take_number(struct str *, uint64_t *);

enum range_result
ranges_parse(struct ranges *out, struct str value, uint64_t size)
{
	uint64_t left = size;
	unsigned n_asked = 0;
	struct range range;
	struct str spec;

	if (value.len < 6 || value.p[5] != '=' ||
	    !str_is_nocase((struct str){ value.p, 5 }, STR("bytes")))
		return RANGE_WHOLE;
	value.p += 6;
	value.len -= 6;
	out->n = 0;
	while (str_next_element(&value, &spec)) {
		if (++n_asked > LIM_HTTP_RANGES)
			return RANGE_WHOLE;
		switch (spec_parse(&range, spec, size)) {
		case SPEC_OK:
			break;
		case SPEC_BEHIND:
			continue;
		case SPEC_IGNORE:
			return RANGE_WHOLE;
		}
		/* What overlaps may not make more of a file than it is. */
		if (range.last - range.first >= left)
			return RANGE_WHOLE;
		left -= range.last - range.first + 1;
		out->range[out->n++] = range;
	}
	if (n_asked == 0)
		return RANGE_WHOLE;
	return out->n > 0 ? RANGE_PARTS : RANGE_NONE;
}

static enum spec_result
spec_parse(struct range *range, struct str spec, uint64_t size)
{
	bool is_suffix = !take_number(&spec, &range->first);

	if (spec.len == 0 || *spec.p != '-')
		return SPEC_IGNORE;
	spec.p++;
	spec.len--;
	if (is_suffix)
		return suffix_parse(range, spec, size);
	range->last = UINT64_MAX;
	if (spec.len > 0 && !take_number(&spec, &range->last))
		return SPEC_IGNORE;
	if (spec.len > 0 || range->last < range->first)
		return SPEC_IGNORE;
	if (range->first >= size)
		return SPEC_BEHIND;
	if (range->last >= size)
		range->last = size - 1;
	return SPEC_OK;
}

static enum spec_result
suffix_parse(struct range *range, struct str digits, uint64_t size)
{
	uint64_t n;

	if (!take_number(&digits, &n) || digits.len > 0)
		return SPEC_IGNORE;
	if (n == 0)
		return SPEC_BEHIND;
	/* It is satisfied by an empty file (RFC 9110 14.1.2), but no
	 * Content-Range could say so. */
	if (size == 0)
		return SPEC_IGNORE;
	range->first = n < size ? size - n : 0;
	range->last = size - 1;
	return SPEC_OK;
}

/* Decimal digits, one or more.  What is over 64 bits is behind the end of any
 * file, as is the highest number there is. */
static bool
take_number(struct str *s, uint64_t *v)
{
	size_t n = 0;
	unsigned digit;

	for (*v = 0; n < s->len && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
		digit = (unsigned)(s->p[n] - '0');
		if (*v > (UINT64_MAX - digit) / 10)
			*v = UINT64_MAX;
		else
			*v = *v * 10 + digit;
	}
	s->p += n;
	s->len -= n;
	return n > 0;
}
