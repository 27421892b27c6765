/*
 * A chunked body: whole and in pieces it gives the same bytes and the same
 * answer, at the same place; and a body that is taken is one by plain reading,
 * from its first size to its last empty line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "http/chunk.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct outcome {
	enum chunk_result result;
	const char *reason;
	size_t used;
	size_t len;
	unsigned char *data; /* as large as the input */
};

static void
run(const uint8_t *bytes, size_t size, size_t step, struct outcome *o)
{
	struct chunk c;
	struct str in, data;
	size_t n = 0;

	memset(&c, 0x5a, sizeof(c));
	chunk_init(&c);
	o->result = CHUNK_MORE;
	o->reason = NULL;
	o->used = o->len = 0;
	while (n < size && o->result == CHUNK_MORE) {
		size_t len = step < size - n ? step : size - n;

		in = (struct str){ (const char *)bytes + n, len };
		while ((o->result = chunk_next(&c, &in, &data, &o->reason)) ==
		       CHUNK_DATA) {
			must(data.len > 0 && in.p == data.p + data.len);
			memcpy(o->data + o->len, data.p, data.len);
			o->len += data.len;
		}
		must(data.len == 0);
		must(o->result != CHUNK_MORE || in.len == 0);
		n += len;
		o->used = n - in.len;
	}
	must((o->result == CHUNK_BAD) == (o->reason != NULL));
	must(o->len <= o->used);
}

/* Moves behind the CRLF that ends the line at p, and says how long it is. */
static size_t
line_at(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *begin = *p,
		      *lf = memchr(begin, '\n', (size_t)(end - begin));

	must(lf != NULL && lf > begin && lf[-1] == '\r');
	*p = lf + 1;
	must(memchr(begin, '\r', (size_t)(lf - 1 - begin)) == NULL);
	must(memchr(begin, '\0', (size_t)(lf - 1 - begin)) == NULL);
	return (size_t)(lf - 1 - begin);
}

static void
check_plainly(const uint8_t *p, const struct outcome *o)
{
	const uint8_t *end = p + o->used, *line;
	size_t at = 0, len, ext = 0, trailer = 0;
	unsigned long long size;
	char *rest;

	for (;;) {
		line = p;
		len = line_at(&p, end);
		must(len > 0 && strchr(" \t+-;", line[0]) == NULL);
		size = strtoull((const char *)line, &rest, 16);
		must((const uint8_t *)rest <= line + 16);
		ext += len - (size_t)((const uint8_t *)rest - line);
		if (size == 0)
			break;
		must(size <= o->len - at && size <= (size_t)(end - p));
		must(memcmp(p, o->data + at, size) == 0);
		p += size;
		at += size;
		must(line_at(&p, end) == 0);
	}
	must(at == o->len && ext <= LIM_HTTP_CHUNK_EXT_BYTES);
	for (;;) {
		line = p;
		len = line_at(&p, end);
		if (len == 0)
			break;
		must(memchr(line, ':', len) != NULL && line[0] != ':');
		must(line[0] != ' ' && line[0] != '\t');
		trailer += len + 2;
	}
	must(p == end && trailer <= LIM_HTTP_TRAILER_BYTES);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = { 1, 2, 3, 7, 100 };
	struct outcome whole, piece;

	whole.data = malloc(size + 1);
	piece.data = malloc(size + 1);
	must(whole.data != NULL && piece.data != NULL);
	run(data, size, size, &whole);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		run(data, size, steps[i], &piece);
		must(piece.result == whole.result);
		must(piece.reason == whole.reason);
		must(piece.used == whole.used && piece.len == whole.len);
		must(memcmp(piece.data, whole.data, whole.len) == 0);
	}
	if (whole.result == CHUNK_END)
		check_plainly(data, &whole);
	free(whole.data);
	free(piece.data);
	return 0;
}
