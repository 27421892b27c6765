/*
 * The Range field: what is taken is in the file, comes to no more than the
 * file, and is what a slower reader of the same field makes of it.
 */
#include <stdint.h>
#include <string.h>

#include "http/range.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Numbers without an end: their digits, leading zeros left out. */
struct digits {
	const char *p;
	size_t len;
};

struct plain_spec {
	bool has_first, has_last;
	struct digits first, last;
};

static size_t
take_digits(const char *p, size_t len, struct digits *d)
{
	size_t n = 0;

	while (n < len && strchr("0123456789", p[n]) != NULL && p[n] != '\0')
		n++;
	d->p = p;
	d->len = n;
	while (d->len > 0 && *d->p == '0') {
		d->p++;
		d->len--;
	}
	return n;
}

/* UINT64_MAX when it is more than that. */
static uint64_t
value_of(const struct digits *d)
{
	unsigned __int128 v = 0;

	if (d->len > 20)
		return UINT64_MAX;
	for (size_t i = 0; i < d->len; i++)
		v = v * 10 + (unsigned)(d->p[i] - '0');
	return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

static bool
spec_of(struct plain_spec *s, const char *p, size_t len)
{
	size_t n = take_digits(p, len, &s->first);

	s->has_first = n > 0;
	if (n == len || p[n] != '-')
		return false;
	p += n + 1;
	len -= n + 1;
	n = take_digits(p, len, &s->last);
	s->has_last = n > 0;
	return n == len && (s->has_first || s->has_last);
}

/* One spec: false when the whole field is not heeded. */
static bool
plain_add(struct ranges *r, const char *p, size_t len, uint64_t size,
    unsigned __int128 *sum)
{
	struct plain_spec s;
	uint64_t first, last;

	if (!spec_of(&s, p, len))
		return false;
	if (!s.has_first) {
		last = value_of(&s.last);
		if (last == 0)
			return true;
		if (size == 0)
			return false;
		first = last < size ? size - last : 0;
		last = size - 1;
	} else {
		first = value_of(&s.first);
		last = s.has_last ? value_of(&s.last) : UINT64_MAX;
		if (last < first)
			return false;
		if (first >= size)
			return true;
		if (last >= size)
			last = size - 1;
	}
	r->range[r->n].first = first;
	r->range[r->n++].last = last;
	*sum += (unsigned __int128)last - first + 1;
	return *sum <= size;
}

static enum range_result
plain_ranges(struct ranges *r, const char *p, size_t len, uint64_t size)
{
	static const char unit[] = "bytes=";
	unsigned __int128 sum = 0;
	unsigned n_asked = 0;
	size_t end, from, to;

	r->n = 0;
	if (len < 6)
		return RANGE_WHOLE;
	for (size_t i = 0; i < 6; i++)
		if (p[i] != unit[i] && !(p[i] >= 'A' && p[i] <= 'Z' &&
					   p[i] - 'A' + 'a' == unit[i]))
			return RANGE_WHOLE;
	/* A quote is in no range, so a comma ends one wherever it is. */
	if (memchr(p, '"', len) != NULL)
		return RANGE_WHOLE;
	for (size_t at = 6; at < len; at = end + 1) {
		for (end = at; end < len && p[end] != ',';)
			end++;
		for (from = at; from < end && strchr(" \t", p[from]) != NULL &&
				p[from] != '\0';)
			from++;
		for (to = end; to > from && strchr(" \t", p[to - 1]) != NULL &&
			       p[to - 1] != '\0';)
			to--;
		if (from == to)
			continue;
		if (++n_asked > LIM_HTTP_RANGES ||
		    !plain_add(r, p + from, to - from, size, &sum))
			return RANGE_WHOLE;
	}
	if (n_asked == 0)
		return RANGE_WHOLE;
	return r->n > 0 ? RANGE_PARTS : RANGE_NONE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ranges got, want;
	struct str value;
	uint64_t size;

	if (len < sizeof(size))
		return 0;
	memcpy(&size, data, sizeof(size));
	value.p = (const char *)data + sizeof(size);
	value.len = len - sizeof(size);
	must(ranges_parse(&got, value, size) ==
	     plain_ranges(&want, value.p, value.len, size));
	if (ranges_parse(&got, value, size) != RANGE_PARTS)
		return 0;
	must(got.n >= 1 && got.n <= LIM_HTTP_RANGES && got.n == want.n);
	for (unsigned i = 0; i < got.n; i++) {
		must(got.range[i].first <= got.range[i].last);
		must(got.range[i].last < size);
		must(got.range[i].first == want.range[i].first);
		must(got.range[i].last == want.range[i].last);
	}
	return 0;
}
