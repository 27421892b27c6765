#include <string.h>

#include "http/str.h"

static unsigned char folded(char);

bool
str_is(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
str_is_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (folded(a.p[i]) != folded(b.p[i]))
			return false;
	return true;
}

bool
str_next_element(struct str *rest, struct str *element)
{
	size_t end;

	do {
		if (rest->len == 0)
			return false;
		end = str_part_end(*rest, ',');
		*element = str_trim((struct str){ rest->p, end });
		if (end < rest->len)
			end++; /* its comma */
		rest->p += end;
		rest->len -= end;
	} while (element->len == 0);
	return true;
}

bool
str_list_has(struct str list, struct str token)
{
	struct str element;

	while (str_next_element(&list, &element))
		if (str_is_nocase(element, token))
			return true;
	return false;
}

size_t
str_part_end(struct str s, char ends)
{
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (quoted && s.p[i] == '\\')
			i++;
		else if (!quoted && s.p[i] == ends)
			return i;
	}
	return s.len;
}

struct str
str_trim(struct str s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static unsigned char
folded(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}
