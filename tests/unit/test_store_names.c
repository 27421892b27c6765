/* The smallest of many names in bounded memory, against qsort. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/names.h"
#include "store_tree.h"

#define nitems(a) (sizeof(a) / sizeof((a)[0]))

#define MANY 3000

struct told {
	char name[LIM_SEG_BYTES + 1];
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    ((const struct told *)a)->name, ((const struct told *)b)->name);
}

/* Names of mixed lengths, some of them more than once. */
static void
tell(struct told *told, int n, uint32_t *seed, unsigned max_len)
{
	unsigned len;

	for (int i = 0; i < n; i++) {
		if (i > 0 && tree_random(seed, 10) == 0) {
			told[i] = told[tree_random(seed, (uint32_t)i)];
			continue;
		}
		len = 1 + tree_random(seed, max_len);
		for (unsigned k = 0; k < len; k++)
			told[i].name[k] = (char)(1 + tree_random(seed,
							 k < 2 ? 255 : 3));
		told[i].name[len] = '\0';
	}
}

/* Page after page, as one who reads a folder again does. */
static void
check_pages(int line, struct names *s, struct told *told, int n)
{
	char after[LIM_SEG_BYTES + 1] = "";
	struct told *want = malloc((size_t)n * sizeof(*want) + 1);
	int n_want = 0, got = 0;
	size_t bytes;

	assert_non_null(want);
	memcpy(want, told, (size_t)n * sizeof(*want));
	qsort(want, (size_t)n, sizeof(*want), by_name);
	for (int i = 0; i < n; i++)
		if (n_want == 0 ||
		    strcmp(want[n_want - 1].name, want[i].name) != 0)
			want[n_want++] = want[i];
	do {
		names_clear(s);
		for (int i = 0; i < n; i++) {
			if (strcmp(told[i].name, after) <= 0)
				continue;
			assert_int_equal(
			    names_add(s, told[i].name, strlen(told[i].name)),
			    0);
		}
		names_sort(s);
		assert_true(s->n <= s->max_n);
		bytes = 0;
		for (int i = 0; i < s->n; i++, got++) {
			if (got >= n_want ||
			    strcmp(names_at(s, i), want[got].name) != 0)
				fail_line(line, "name %d of %d is another", got,
				    n_want);
			bytes += strlen(names_at(s, i)) + 1;
		}
		assert_true(bytes <= s->max_bytes);
		assert_true(s->cap <= 4 * s->max_bytes || s->cap <= 16384);
		/* A page that is not the last has something in it. */
		assert_true(s->n > 0 || got == n_want);
		if (s->n > 0)
			strcpy(after, names_at(s, s->n - 1));
		if (!s->has_more)
			assert_int_equal(got, n_want);
	} while (s->has_more);
	free(want);
}

static void
test_random(void **state)
{
	static const struct {
		int max_n;
		size_t max_bytes;
		unsigned max_len;
	} shapes[] = {
		{ 1, 256, 255 },
		{ 2, 256, 20 },
		{ 3, 100000, 20 },
		{ 100000, 256, 255 },
		{ 100000, 256, 3 },
		{ 100000, 300, 200 },
		{ 100, 2000, 30 },
		{ 1000, 20000, 40 },
		{ 1000, 100000, 255 },
		{ 100000, 1000000, 255 },
	};
	static struct told told[MANY];
	uint32_t seed = 7;
	struct names s;
	int n;

	(void)state;
	for (size_t i = 0; i < nitems(shapes); i++) {
		names_init(&s, shapes[i].max_n, shapes[i].max_bytes);
		/* Small pages are many: fewer names then. */
		for (int round = 0; round < 20; round++) {
			n = (int)tree_random(&seed, i < 6 ? 150 : MANY);
			tell(told, n, &seed, shapes[i].max_len);
			check_pages(__LINE__, &s, told, n);
		}
		names_free(&s);
		names_free(&s);
	}
}

/* A short name that still has room is not let in before a longer one that had
 * none: it would hide that one from the next page. */
static void
test_no_hole(void **state)
{
	struct names s;
	char long_name[LIM_SEG_BYTES + 1];

	(void)state;
	memset(long_name, 'm', LIM_SEG_BYTES);
	long_name[LIM_SEG_BYTES] = '\0';
	names_init(&s, 100, 300);
	assert_int_equal(names_add(&s, "a", 1), 0);
	for (int i = 0; i < 25; i++)
		assert_int_equal(names_add(&s, "b-b", 3), 0);
	assert_false(s.has_more);
	assert_true(names_wants(&s, "z"));
	assert_int_equal(names_add(&s, long_name, LIM_SEG_BYTES), 0);
	assert_true(s.has_more);
	assert_true(names_wants(&s, "m"));
	assert_false(names_wants(&s, long_name));
	assert_false(names_wants(&s, "n"));
	assert_int_equal(names_add(&s, "n", 1), 0);
	names_sort(&s);
	assert_int_equal(s.n, 2);
	assert_string_equal(names_at(&s, 0), "a");
	assert_string_equal(names_at(&s, 1), "b-b");
	/* And begins again with nothing. */
	names_clear(&s);
	assert_false(s.has_more);
	assert_true(names_wants(&s, "n"));
	assert_int_equal(s.n, 0);
	names_free(&s);
}

/* In falling and in rising order, the two ends of what a heap has to do. */
static void
test_orders(void **state)
{
	static struct told told[MANY];
	struct names s;

	(void)state;
	names_init(&s, 500, 100000);
	for (int i = 0; i < MANY; i++)
		snprintf(told[i].name, sizeof(told[i].name), "%06d", i);
	check_pages(__LINE__, &s, told, MANY);
	for (int i = 0; i < MANY; i++)
		snprintf(told[i].name, sizeof(told[i].name), "%06d", MANY - i);
	check_pages(__LINE__, &s, told, MANY);
	names_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_no_hole),
		cmocka_unit_test(test_orders),
	};

	tree_guard(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
