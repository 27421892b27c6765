#include <string.h>

#include "http/accept.h"
#include "http/byte.h"

#define WEIGHT_ONE 1000

/* How exactly a range names a type. */
enum exactness { NOT_AT_ALL, BY_ALL, BY_GROUP, BY_NAME };

struct wish {
	enum exactness exactness;
	unsigned weight; /* in thousandths */
};

static struct wish wish_of(const struct head *, struct str type);
static void wish_look(struct wish *, struct str element, struct str type);
static enum exactness exactness_of(struct str range, struct str type);
static bool weight_of(struct str parameters, unsigned *weight);
static bool weight_parse(struct str, unsigned *weight);

bool
accept_prefers(const struct head *h, struct str a, struct str b)
{
	struct wish of_a = wish_of(h, a), of_b = wish_of(h, b);

	if (of_a.weight != of_b.weight)
		return of_a.weight > of_b.weight;
	return of_a.weight > 0 && of_a.exactness > of_b.exactness;
}

static struct wish
wish_of(const struct head *h, struct str type)
{
	struct wish wish = { NOT_AT_ALL, 0 };
	struct str line, element;
	unsigned i = 0;

	while (head_next(h, HEAD_ACCEPT, &i, &line))
		while (str_next_element(&line, &element))
			wish_look(&wish, element, type);
	return wish;
}

/* The range that names the type most exactly counts, whatever its weight. */
static void
wish_look(struct wish *wish, struct str element, struct str type)
{
	size_t end = str_part_end(element, ';');
	struct str range = { element.p, end };
	struct str parameters = { element.p + end, element.len - end };
	enum exactness exactness = exactness_of(str_trim(range), type);
	unsigned weight;

	if (exactness == NOT_AT_ALL || exactness < wish->exactness ||
	    !weight_of(parameters, &weight))
		return;
	if (exactness > wish->exactness || weight > wish->weight)
		*wish = (struct wish){ exactness, weight };
}

static enum exactness
exactness_of(struct str range, struct str type)
{
	size_t group; /* with its slash */

	if (str_is(range, STR("*/*")))
		return BY_ALL;
	if (str_is_nocase(range, type))
		return BY_NAME;
	group = (size_t)((const char *)memchr(type.p, '/', type.len) + 1 -
			 type.p);
	if (range.len == group + 1 && range.p[group] == '*' &&
	    str_is_nocase(
		(struct str){ range.p, group }, (struct str){ type.p, group }))
		return BY_GROUP;
	return NOT_AT_ALL;
}

/* Each parameter has a semicolon before it.  False when there is a q that is
 * none. */
static bool
weight_of(struct str rest, unsigned *weight)
{
	struct str parameter;
	size_t end;

	*weight = WEIGHT_ONE;
	while (rest.len > 0) {
		rest.p++;
		rest.len--;
		end = str_part_end(rest, ';');
		parameter = str_trim((struct str){ rest.p, end });
		rest.p += end;
		rest.len -= end;
		if (parameter.len >= 2 && parameter.p[1] == '=' &&
		    (parameter.p[0] == 'q' || parameter.p[0] == 'Q')) {
			parameter.p += 2;
			parameter.len -= 2;
			return weight_parse(parameter, weight);
		}
	}
	return true;
}

/* RFC 9110 12.4.2: 0 to 1, and up to three digits behind a point. */
static bool
weight_parse(struct str s, unsigned *weight)
{
	unsigned place = WEIGHT_ONE, w;

	if (s.len == 0 || s.len > 5 || (s.p[0] != '0' && s.p[0] != '1') ||
	    (s.len > 1 && s.p[1] != '.'))
		return false;
	w = s.p[0] == '1' ? WEIGHT_ONE : 0;
	for (size_t i = 2; i < s.len; i++) {
		if (!byte_is_digit(s.p[i]))
			return false;
		place /= 10;
		w += (unsigned)(s.p[i] - '0') * place;
	}
	*weight = w;
	return w <= WEIGHT_ONE;
}
