/*
 * The head of a request: the answer is the same however the bytes came, what
 * is taken is clean when looked at with other eyes, and its slices are of the
 * input.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/head.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* In memory of just its size. */
static enum head_result
parse(struct head *h, const uint8_t *data, size_t size, size_t *scanned)
{
	char *copy = malloc(size > 0 ? size : 1);
	enum head_result r;

	must(copy != NULL);
	memcpy(copy, data, size);
	memset(h, 0x5a, sizeof(*h));
	r = head_parse(h, copy, size, scanned);
	free(copy);
	return r;
}

static void
check_same(enum head_result r, const struct head *a, enum head_result again,
    const struct head *b)
{
	must(r == again);
	if (r == HEAD_BAD)
		must(a->status == b->status && a->reason == b->reason);
	if (r != HEAD_OK)
		return;
	must(a->size == b->size && a->method == b->method);
	must(a->minor == b->minor && a->keep_alive == b->keep_alive);
	must(a->expects_continue == b->expects_continue);
	must(a->is_chunked == b->is_chunked);
	must(a->has_length == b->has_length && a->length == b->length);
	must(a->n_fields == b->n_fields);
	must(a->path.len == b->path.len && a->host.len == b->host.len);
	must(memcmp(a->n_of, b->n_of, sizeof(a->n_of)) == 0);
}

/* What was in two pieces says the same as what was whole.  A piece that ends
 * in the midst of a line may leave a line that is wrong undecided. */
static void
check_split(const uint8_t *data, size_t size, enum head_result r,
    const struct head *whole)
{
	static struct head h;
	size_t scanned, step = size / 64 + 1;
	enum head_result again;

	for (size_t at = 0; at < size; at += step) {
		scanned = 0;
		again = parse(&h, data, at, &scanned);
		if (again == HEAD_OK)
			must(r == HEAD_OK && h.size == whole->size);
		if (again == HEAD_MORE)
			again = parse(&h, data, size, &scanned);
		if (again == HEAD_MORE)
			must(r != HEAD_OK);
		else
			check_same(r, whole, again, &h);
	}
	/* byte by byte */
	scanned = 0;
	again = HEAD_MORE;
	for (size_t n = 1; again == HEAD_MORE && n <= size; n++)
		again = head_parse(&h, (const char *)data, n, &scanned);
	if (again == HEAD_MORE)
		must(r != HEAD_OK);
	else
		check_same(r, whole, again, &h);
}

static void
check_within(struct str s, const char *p, size_t size)
{
	must(s.p >= p && s.len <= size);
	must((size_t)(s.p - p) <= size - s.len);
	for (size_t i = 0; i < s.len; i++) {
		must((unsigned char)s.p[i] >= 0x20 || s.p[i] == '\t');
		must(s.p[i] != 0x7f);
	}
}

static void
check_line(struct str line)
{
	for (size_t i = 0; i < line.len; i++)
		must((unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f);
}

/* A head that was taken. */
static void
check_taken(const struct head *h, const char *p)
{
	unsigned n_of[HEAD_N_FIELDS] = { 0 };
	struct str value;

	must(h->size >= 4 && h->size <= LIM_HTTP_HEAD_BYTES);
	must(memcmp(p + h->size - 4, "\r\n\r\n", 4) == 0);
	must(h->method < HTTP_N_METHODS && h->minor <= 1);
	check_within(h->line, p, h->size);
	check_line(h->line);
	check_within(h->target, h->line.p, h->line.len);
	must(memchr(h->target.p, ' ', h->target.len) == NULL);
	must(memchr(h->target.p, '#', h->target.len) == NULL);
	if (h->method == HTTP_CONNECT)
		must(h->path.len == 0);
	else if (h->path.p[0] == '*')
		must(h->method == HTTP_OPTIONS && h->path.len == 1);
	else
		must(h->path.p[0] == '/' &&
		     memchr(h->path.p, '?', h->path.len) == NULL);
	if (h->query.p != NULL) {
		check_within(h->query, h->target.p, h->target.len);
		must(h->query.p[-1] == '?');
	}
	if (h->host.len > 0)
		check_within(h->host, p, h->size);
	else
		must(h->minor == 0);
	for (size_t i = 0; i < h->host.len; i++)
		must(strchr("@/\\?#, %\t\"", h->host.p[i]) == NULL);

	must(!(h->is_chunked && h->has_length));
	must(h->length <= INT64_MAX && (h->has_length || h->length == 0));
	must(h->is_chunked == (h->n_of[HEAD_TRANSFER_ENCODING] == 1));
	must(h->has_length == (h->n_of[HEAD_CONTENT_LENGTH] == 1));
	must(h->minor == 1 || (!h->is_chunked && !h->expects_continue));

	must(h->n_fields <= LIM_HTTP_FIELDS);
	for (unsigned i = 0; i < h->n_fields; i++) {
		const struct head_field *f = &h->fields[i];

		check_within(f->name, p, h->size);
		check_within(f->value, p, h->size);
		must(f->name.len > 0 && f->id < HEAD_N_FIELDS);
		must(f->name.p[f->name.len] == ':');
		for (size_t k = 0; k < f->name.len; k++)
			must(f->name.p[k] > ' ' && strchr("\"(),/:;<=>?@[\\]{}",
						       f->name.p[k]) == NULL);
		if (f->value.len > 0) {
			value = f->value;
			must(strchr(" \t", value.p[0]) == NULL);
			must(strchr(" \t", value.p[value.len - 1]) == NULL);
		}
		n_of[f->id]++;
	}
	for (unsigned id = 0; id < HEAD_N_FIELDS; id++) {
		unsigned at = 0, n = 0;

		must(n_of[id] == h->n_of[id]);
		while (head_next(h, (enum head_field_id)id, &at, &value))
			n++;
		must(n == n_of[id]);
		must(
		    (head_get(h, (enum head_field_id)id).p != NULL) == (n > 0));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct head h;
	size_t scanned = 0;
	enum head_result r;

	memset(&h, 0xa5, sizeof(h));
	r = head_parse(&h, (const char *)data, size, &scanned);
	must(scanned == (r == HEAD_MORE ? size : 0));
	switch (r) {
	case HEAD_OK:
		check_taken(&h, (const char *)data);
		break;
	case HEAD_MORE:
		must(size < LIM_HTTP_HEAD_BYTES);
		break;
	case HEAD_BAD:
		must(h.status >= 400 && h.status <= 505 && h.reason != NULL);
		check_line(h.line);
		break;
	}
	check_split(data, size, r, &h);
	return 0;
}
