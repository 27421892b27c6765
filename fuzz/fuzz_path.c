/*
 * The path object: whatever comes as a URL or as names, what is taken is
 * clean, and says the same as a plain list of names would.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "must.h"
#include "path/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Looks at the bytes with its own eyes: not with path.c's. */
static void
check_clean(const struct path *p)
{
	const char *s = path_string(p), *end;
	unsigned n = 0;
	size_t len;

	must(p->n <= LIM_PATH_SEGS && p->len <= LIM_PATH_BYTES);
	if (p->n == 0) {
		must(strcmp(s, ".") == 0 && strcmp(path_leaf(p), "") == 0);
		return;
	}
	must(strlen(s) == p->len);
	for (; s != NULL; s = end == NULL ? NULL : end + 1) {
		end = strchr(s, '/');
		len = end == NULL ? strlen(s) : (size_t)(end - s);
		must(len > 0 && len <= LIM_SEG_BYTES);
		must(len != 1 || s[0] != '.');
		must(len != 2 || s[0] != '.' || s[1] != '.');
		must(len != 7 || memcmp(s, ".netpan", 7) != 0);
		n++;
	}
	must(n == p->n);
}

static void
check_url(const uint8_t *data, size_t size)
{
	static char url[1 + 3 * LIM_PATH_BYTES + 2];
	static struct path p, again;
	long len;

	if (path_from_url(&p, (const char *)data, size) != PATH_OK) {
		must(p.n == 0 && p.len == 0 && !p.wants_dir);
		return;
	}
	check_clean(&p);
	len = path_to_url(&p, url, sizeof(url));
	must(len > 0 && strlen(url) == (size_t)len);
	must(path_from_url(&again, url, (size_t)len) == PATH_OK);
	must(path_cmp(&p, &again) == 0 && p.wants_dir == again.wants_dir);
}

/* Name by name, as the order is written down. */
static int
plain_cmp(const struct path *a, const struct path *b)
{
	size_t alen, blen;
	const char *as, *bs;
	int r;

	for (unsigned i = 0; i < a->n && i < b->n; i++) {
		as = path_segment(a, i, &alen);
		bs = path_segment(b, i, &blen);
		r = memcmp(as, bs, alen < blen ? alen : blen);
		if (r != 0 || alen != blen)
			return r != 0 ? r : alen < blen ? -1 : 1;
	}
	return a->n < b->n ? -1 : a->n > b->n;
}

static bool
plain_within(const struct path *p, const struct path *dir)
{
	size_t plen, dlen;
	const char *ps, *ds;

	for (unsigned i = 0; i < dir->n; i++) {
		if (i == p->n)
			return false;
		ps = path_segment(p, i, &plen);
		ds = path_segment(dir, i, &dlen);
		if (plen != dlen || memcmp(ps, ds, plen) != 0)
			return false;
	}
	return true;
}

static int
sign(int v)
{
	return (v > 0) - (v < 0);
}

static void
check_pair(const struct path *a, const struct path *b)
{
	must(sign(path_cmp(a, b)) == sign(plain_cmp(a, b)));
	must(sign(path_cmp(a, b)) == -sign(path_cmp(b, a)));
	must(path_is_within(a, b) == plain_within(a, b));
	must(path_is_within(b, a) == plain_within(b, a));
}

/* What is in use; the rest of a path is large and means nothing. */
static void
copy_used(struct path *to, const struct path *from)
{
	to->n = from->n;
	to->len = from->len;
	memcpy(to->start, from->start, from->n * sizeof(from->start[0]));
	memcpy(to->bytes, from->bytes, from->len + 1u);
}

/* Each step: a byte that says what to do, one that says with how much. */
static void
check_steps(const uint8_t *data, size_t size)
{
	static struct path p[2], before;
	struct path *at;
	enum path_result r;
	size_t len;

	path_init(&p[0]);
	path_init(&p[1]);
	for (unsigned step = 0; size >= 2; step++) {
		at = &p[data[0] & 1];
		copy_used(&before, at);
		len = data[1] < size - 2 ? data[1] : size - 2;
		r = PATH_OK;
		switch (data[0] >> 1 & 3) {
		case 0:
		case 1:
			r = path_push(at, data + 2, len);
			break;
		case 2:
			r = path_append(at, &p[!(data[0] & 1)]);
			len = 0;
			break;
		case 3:
			if (at->n > 0)
				path_pop(at);
			len = 0;
			break;
		}
		if (r != PATH_OK)
			must(plain_cmp(at, &before) == 0);
		if (step % 16 == 0) {
			check_clean(at);
			check_pair(&p[0], &p[1]);
		}
		data += 2 + len;
		size -= 2 + len;
	}
	check_clean(&p[0]);
	check_clean(&p[1]);
	check_pair(&p[0], &p[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_url(data, size);
	check_steps(data, size);
	return 0;
}
