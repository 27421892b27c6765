#include <string.h>

#include "http/mime.h"

#define ENDING_MAX 31 /* make_mime.py takes none that is longer */

/* Places in mime_texts.  Rows are in the order of their endings' bytes. */
struct mime_row {
	unsigned ending;
	unsigned type;
	bool is_inline;
};

#include "mime_table.h" /* of the build: make_mime.py */

#define N_ROWS (sizeof(mime_rows) / sizeof(mime_rows[0]))

static bool ending_of(char out[ENDING_MAX + 1], const char *name, size_t len);

struct mime
mime_of_name(const char *name, size_t len)
{
	struct mime unknown = { "application/octet-stream", false };
	size_t low = 0, high = N_ROWS, middle;
	const struct mime_row *row;
	char ending[ENDING_MAX + 1];
	int order;

	if (!ending_of(ending, name, len))
		return unknown;
	while (low < high) {
		middle = low + (high - low) / 2;
		row = &mime_rows[middle];
		order = strcmp(ending, mime_texts + row->ending);
		if (order == 0)
			return (struct mime){ mime_texts + row->type,
				row->is_inline };
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return unknown;
}

/* What follows the last dot, in small letters.  A name that begins with its
 * only dot has no ending. */
static bool
ending_of(char out[ENDING_MAX + 1], const char *name, size_t len)
{
	const char *dot = len == 0 ? NULL : memrchr(name, '.', len);
	size_t n;

	if (dot == NULL || dot == name)
		return false;
	dot++;
	n = len - (size_t)(dot - name);
	if (n == 0 || n > ENDING_MAX || memchr(dot, '\0', n) != NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(dot[i] >= 'A' && dot[i] <= 'Z'
				    ? dot[i] - 'A' + 'a'
				    : dot[i]);
	out[n] = '\0';
	return true;
}
