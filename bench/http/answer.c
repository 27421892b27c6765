#include "answer.h"

#include <string.h>
#include <strings.h>

#define VERSION "HTTP/1.1 "
#define LENGTH "content-length:"

/* A number that begins there, after spaces, and ends before the line does. */
static enum answer_result
number_parse(const char *p, const char *end, uint64_t *value)
{
	uint64_t v = 0;
	unsigned digits = 0;

	while (p < end && *p == ' ')
		p++;
	for (; p < end && *p >= '0' && *p <= '9' && digits < 18; digits++)
		v = 10 * v + (uint64_t)(*p++ - '0');
	if (digits == 0 || p == end || (*p != ' ' && *p != '\r'))
		return ANSWER_BAD;
	*value = v;
	return ANSWER_OK;
}

enum answer_result
answer_parse(struct answer *a, const char *p, size_t len)
{
	const char *end, *line, *next;
	uint64_t status;
	unsigned lengths = 0;

	end = memmem(p, len, "\r\n\r\n", 4);
	if (end == NULL)
		return ANSWER_MORE;
	end += 4;
	if ((size_t)(end - p) < sizeof(VERSION) - 1 ||
	    memcmp(p, VERSION, sizeof(VERSION) - 1) != 0 ||
	    number_parse(p + sizeof(VERSION) - 1, end, &status) != ANSWER_OK)
		return ANSWER_BAD;
	for (line = p; line < end; line = next) {
		next = (const char *)memchr(line, '\n', (size_t)(end - line)) +
		       1;
		if ((size_t)(next - line) < sizeof(LENGTH) - 1 ||
		    strncasecmp(line, LENGTH, sizeof(LENGTH) - 1) != 0)
			continue;
		if (number_parse(line + sizeof(LENGTH) - 1, next, &a->length) !=
		    ANSWER_OK)
			return ANSWER_BAD;
		lengths++;
	}
	a->size = (size_t)(end - p);
	a->status = (unsigned)status;
	return lengths == 1 ? ANSWER_OK : ANSWER_BAD;
}
