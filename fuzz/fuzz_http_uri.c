/*
 * A target as it stands in a request line: its path, and behind the "?" its
 * query, each decoded once.  What is taken is clean, and is the same when it
 * is written again with every byte escaped.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/query.h"
#include "must.h"
#include "path/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_path(const char *p, size_t len)
{
	static char url[1 + 3 * LIM_PATH_BYTES + 2];
	static struct path path, again;
	size_t seg_len;
	long n;

	if (path_from_url(&path, p, len) != PATH_OK) {
		must(path.n == 0);
		return;
	}
	for (unsigned i = 0; i < path.n; i++) {
		const char *seg = path_segment(&path, i, &seg_len);

		must(seg_len > 0 && seg_len <= LIM_SEG_BYTES);
		must(memchr(seg, '/', seg_len) == NULL);
		for (size_t k = 0; k < seg_len; k++)
			must((unsigned char)seg[k] >= 0x20 && seg[k] != 0x7f);
	}
	n = path_to_url(&path, url, sizeof(url));
	must(n > 0);
	must(path_from_url(&again, url, (size_t)n) == PATH_OK);
	must(path_cmp(&path, &again) == 0);
	must(path.wants_dir == again.wants_dir);
}

static size_t
escaped(char *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		snprintf(out + 3 * i, 4, "%%%02x", (unsigned char)s.p[i]);
	return 3 * s.len;
}

static void
check_again(const struct query *q)
{
	static char text[3 * LIM_HTTP_QUERY_BYTES + 2 * LIM_HTTP_PARAMS + 1];
	static struct query again;
	size_t n = 0;

	for (unsigned i = 0; i < q->n; i++) {
		n += escaped(text + n, q->param[i].name);
		if (q->param[i].value.p != NULL) {
			text[n++] = '=';
			n += escaped(text + n, q->param[i].value);
		}
		text[n++] = '&';
	}
	if (n > LIM_HTTP_QUERY_BYTES)
		return;
	must(query_parse(&again, (struct str){ text, n }) == NULL);
	must(again.n == q->n);
	for (unsigned i = 0; i < q->n; i++) {
		must(str_is(q->param[i].name, again.param[i].name));
		must(str_is(q->param[i].value, again.param[i].value));
		must((q->param[i].value.p == NULL) ==
		     (again.param[i].value.p == NULL));
	}
}

static void
check_query(const char *p, size_t len)
{
	static struct query q;
	size_t bytes = 0;

	memset(&q, 0x5a, sizeof(q));
	if (query_parse(&q, (struct str){ p, len }) != NULL) {
		must(q.n == 0);
		return;
	}
	must(len <= LIM_HTTP_QUERY_BYTES && q.n <= LIM_HTTP_PARAMS);
	for (unsigned i = 0; i < q.n; i++) {
		must(query_has(&q, q.param[i].name));
		must(q.param[i].name.p == q.bytes + bytes);
		bytes += q.param[i].name.len;
		if (q.param[i].value.p != NULL)
			must(q.param[i].value.p == q.bytes + bytes);
		bytes += q.param[i].value.len;
	}
	must(bytes <= len);
	check_again(&q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	const char *mark = size > 0 ? memchr(p, '?', size) : NULL;
	size_t len = mark != NULL ? (size_t)(mark - p) : size;

	check_path(p, len);
	if (mark != NULL)
		check_query(mark + 1, size - len - 1);
	return 0;
}
