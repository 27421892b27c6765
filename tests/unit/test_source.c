/* Sources: who belongs to which, and what each may take. */
#include "helper.h"

#include "server/source.h"

static const struct {
	int line;
	const char *a, *b;
	bool is_same;
} pairs[] = {
	{ __LINE__, "192.0.2.1", "192.0.2.1", true },
	{ __LINE__, "192.0.2.1", "::ffff:192.0.2.1", true },
	{ __LINE__, "192.0.2.1", "192.0.2.2", false },
	{ __LINE__, "2001:db8::1", "2001:db8::ffff:0:0:1", true },
	{ __LINE__, "2001:db8::1", "2001:db8:0:1::1", false },
	{ __LINE__, "::1", "::2", true },
	{ __LINE__, "0.0.0.0", "::", false },
};

static void
who_belongs_together(void **state)
{
	static struct sources ss;
	struct source *a, *b;
	struct addr of_a, of_b;

	(void)state;
	sources_init(&ss, 42);
	for (size_t i = 0; i < nitems(pairs); i++) {
		assert_true(addr_parse(&of_a, pairs[i].a, strlen(pairs[i].a)));
		assert_true(addr_parse(&of_b, pairs[i].b, strlen(pairs[i].b)));
		a = source_get(&ss, &of_a);
		b = source_get(&ss, &of_b);
		CHECK(pairs[i].line, pairs[i].b, "same",
		    (a == b) == pairs[i].is_same);
		CHECK(pairs[i].line, pairs[i].b, "has",
		    source_has(a, &of_b) == pairs[i].is_same);
		assert_int_equal(a->n_refs, pairs[i].is_same ? 2 : 1);
		source_put(&ss, a);
		source_put(&ss, b);
		assert_int_equal(ss.slab.n_used, 0);
	}
	source_put(&ss, NULL);
	slab_clear(&ss.slab);
}

static void
many_at_once(void **state)
{
	static struct source *s[5000];
	static struct sources ss;
	struct addr a = { .family = 4 };

	(void)state;
	sources_init(&ss, 7);
	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; i < nitems(s); i++) {
			memcpy(a.bytes, &i, sizeof(i));
			s[i] = source_get(&ss, &a);
			assert_int_equal(s[i]->n_refs, round + 1);
		}
	assert_int_equal(ss.slab.n_used, nitems(s));
	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; i < nitems(s); i++)
			source_put(&ss, s[i]);
	assert_int_equal(ss.slab.n_used, 0);
	slab_clear(&ss.slab);
}

static const struct {
	int line;
	uint32_t own, n, max;
	bool may;
} shares[] = {
	{ __LINE__, 0, 0, 8, true },
	{ __LINE__, 3, 3, 8, true },
	{ __LINE__, 4, 4, 8, false },
	{ __LINE__, 0, 4, 8, true },
	{ __LINE__, 1, 5, 8, true },
	{ __LINE__, 2, 6, 8, false },
	{ __LINE__, 0, 7, 8, true },
	{ __LINE__, 1, 7, 8, false },
	{ __LINE__, 0, 8, 8, false },
	{ __LINE__, 0, 9, 8, false },
	{ __LINE__, 0, 0, 1, true },
	{ __LINE__, 0, 0, 0, false },
};

static void
what_each_may_take(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(shares); i++)
		CHECK(shares[i].line, "", "may",
		    source_may_take(shares[i].own, shares[i].n,
			shares[i].max) == shares[i].may);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_belongs_together),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(what_each_may_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
