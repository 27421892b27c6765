#include <string.h>

#include "http/str.h"

static size_t element_end(struct str);
static struct str trimmed(struct str);
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
		end = element_end(*rest);
		*element = trimmed((struct str){ rest->p, end });
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

/* Where the comma is that ends the first element, or the end. */
static size_t
element_end(struct str s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (quoted && s.p[i] == '\\')
			i++;
		else if (!quoted && s.p[i] == ',')
			return i;
	}
	return s.len;
}

static struct str
trimmed(struct str s)
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
