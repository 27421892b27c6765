#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/names.h"

#define NAMES_KEPT_BYTES 65536
#define NAMES_FIRST_BYTES 16384
#define NAMES_FIRST_N 256

/* memory */
static int order_reserve(struct names *);
static int mem_reserve(struct names *, size_t);
static void mem_compact(struct names *);
static int by_place(const void *, const void *);

/* the heap, with the greatest name on top */
static void heap_make(struct names *);
static void heap_drop(struct names *);
static void heap_up(struct names *, int);
static void heap_down(struct names *, int, int);
static int heap_cmp(const struct names *, int, int);
static void heap_swap(struct names *, int, int);

static void names_leave_out(struct names *, const char *);

void
names_init(struct names *s, int max_n, size_t max_bytes)
{
	assert(max_n > 0 && max_bytes > LIM_SEG_BYTES);
	*s = (struct names){ .max_n = max_n, .max_bytes = max_bytes };
}

void
names_free(struct names *s)
{
	free(s->mem);
	free(s->order);
	names_init(s, s->max_n, s->max_bytes);
}

void
names_clear(struct names *s)
{
	if (s->cap > NAMES_KEPT_BYTES) {
		names_free(s);
		return;
	}
	s->n = 0;
	s->has_more = false;
	s->live = s->used = 0;
}

bool
names_wants(const struct names *s, const char *name)
{
	return !s->has_more || strcmp(name, s->first) < 0;
}

int
names_add(struct names *s, const char *name, size_t len)
{
	size_t size = len + 1;
	const char *top;
	int r;

	if (!names_wants(s, name))
		return 0;
	while (s->n == s->max_n || size > s->max_bytes - s->live) {
		top = names_at(s, 0);
		if (strcmp(name, top) >= 0) {
			names_leave_out(s, name);
			return 0;
		}
		names_leave_out(s, top);
		heap_drop(s);
	}
	r = order_reserve(s);
	if (r == 0)
		r = mem_reserve(s, size);
	if (r != 0)
		return r;
	memcpy(s->mem + s->used, name, size);
	s->order[s->n] = (uint32_t)s->used;
	s->used += size;
	s->live += size;
	heap_up(s, s->n++);
	return 0;
}

/* There is a name that has no room: what comes from it on is left for later,
 * also when a shorter one would still have some. */
static void
names_leave_out(struct names *s, const char *name)
{
	if (!names_wants(s, name))
		return;
	s->has_more = true;
	memcpy(s->first, name, strlen(name) + 1);
}

void
names_sort(struct names *s)
{
	int kept = 0;

	for (int end = s->n - 1; end > 0; end--) {
		heap_swap(s, 0, end);
		heap_down(s, 0, end);
	}
	for (int i = 0; i < s->n; i++) {
		if (kept > 0 && heap_cmp(s, kept - 1, i) == 0)
			continue;
		s->order[kept++] = s->order[i];
	}
	s->n = kept;
}

const char *
names_at(const struct names *s, int i)
{
	return s->mem + s->order[i];
}

static int
order_reserve(struct names *s)
{
	int cap = s->order_cap == 0 ? NAMES_FIRST_N : s->order_cap;
	uint32_t *order;

	if (s->n < s->order_cap)
		return 0;
	if (s->order_cap > 0)
		cap = cap > s->max_n / 2 ? s->max_n : cap * 2;
	order = realloc(s->order, (size_t)cap * sizeof(order[0]));
	if (order == NULL)
		return -ENOMEM;
	s->order = order;
	s->order_cap = cap;
	return 0;
}

/* Memory grows until half of it is enough for max_bytes; then what was
 * dropped is squeezed out, which is once for as many bytes as it moves. */
static int
mem_reserve(struct names *s, size_t size)
{
	size_t cap = s->cap == 0 ? NAMES_FIRST_BYTES : s->cap;
	char *mem;

	if (size <= s->cap - s->used)
		return 0;
	if (s->cap > 0 && s->live + size <= s->cap / 2) {
		mem_compact(s);
		return 0;
	}
	while (cap / 2 < s->live + size)
		cap *= 2;
	mem = realloc(s->mem, cap);
	if (mem == NULL)
		return -ENOMEM;
	s->mem = mem;
	s->cap = cap;
	return 0;
}

static void
mem_compact(struct names *s)
{
	size_t size, to = 0;

	qsort(s->order, (size_t)s->n, sizeof(s->order[0]), by_place);
	for (int i = 0; i < s->n; i++) {
		size = strlen(names_at(s, i)) + 1;
		memmove(s->mem + to, names_at(s, i), size);
		s->order[i] = (uint32_t)to;
		to += size;
	}
	s->used = to;
	heap_make(s);
}

static int
by_place(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
heap_make(struct names *s)
{
	for (int i = s->n / 2 - 1; i >= 0; i--)
		heap_down(s, i, s->n);
}

static void
heap_drop(struct names *s)
{
	s->live -= strlen(names_at(s, 0)) + 1;
	heap_swap(s, 0, --s->n);
	heap_down(s, 0, s->n);
}

static void
heap_up(struct names *s, int i)
{
	for (int up; i > 0; i = up) {
		up = (i - 1) / 2;
		if (heap_cmp(s, up, i) >= 0)
			return;
		heap_swap(s, up, i);
	}
}

static void
heap_down(struct names *s, int i, int n)
{
	for (int child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && heap_cmp(s, child, child + 1) < 0)
			child++;
		if (heap_cmp(s, i, child) >= 0)
			return;
		heap_swap(s, i, child);
	}
}

/* strcmp compares as unsigned bytes, which is the order of path_cmp. */
static int
heap_cmp(const struct names *s, int a, int b)
{
	return strcmp(names_at(s, a), names_at(s, b));
}

static void
heap_swap(struct names *s, int a, int b)
{
	uint32_t place = s->order[a];

	s->order[a] = s->order[b];
	s->order[b] = place;
}
