#include "helper.h"

#include "../../bench/http/latency.h"

/* Never below what came in, and at most 1.6 % above it. */
static void
check_near(int line, double us, uint64_t ns)
{
	double least = (double)ns / 1e3, most = least * 1.016 + 0.002;
	char in[64];

	snprintf(in, sizeof(in), "%" PRIu64 " ns became %.3f us", ns, us);
	CHECK(line, in, "no less", us >= least);
	CHECK(line, in, "hardly more", us <= most);
}

static void
test_one_value(void **state)
{
	uint64_t ns = 1;

	(void)state;
	for (; ns < 1000000000000; ns = ns * 5 / 4 + 1) {
		struct latency l = { .n = 0 };

		latency_add(&l, ns);
		latency_add(&l, 1000000000000); /* the top does not hide it */
		check_near(__LINE__, latency_us(&l, 0.5), ns);
	}
}

static void
test_parts(void **state)
{
	struct latency l = { .n = 0 };

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		latency_add(&l, i * 1000);
	check_near(__LINE__, latency_us(&l, 0.001), 1000);
	check_near(__LINE__, latency_us(&l, 0.5), 500000);
	check_near(__LINE__, latency_us(&l, 0.99), 990000);
	check_near(__LINE__, latency_us(&l, 0.999), 999000);
	assert_true(latency_us(&l, 1.0) == 1000.0);
	assert_int_equal(l.max_ns, 1000000);
}

static void
test_none(void **state)
{
	struct latency l = { .n = 0 };

	(void)state;
	assert_true(latency_us(&l, 0.99) == 0.0);
}

static void
test_too_long_counts_as_the_longest(void **state)
{
	struct latency l = { .n = 0 };

	(void)state;
	latency_add(&l, UINT64_MAX);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.counts[LATENCY_BUCKETS - 1], 1);
}

static void
test_merged(void **state)
{
	struct latency one = { .n = 0 }, two = { .n = 0 };

	(void)state;
	for (int i = 0; i < 99; i++)
		latency_add(&one, 1000);
	latency_add(&two, 5000000);
	latency_merge(&one, &two);
	assert_int_equal(one.n, 100);
	check_near(__LINE__, latency_us(&one, 0.99), 1000);
	check_near(__LINE__, latency_us(&one, 0.999), 5000000);
	assert_int_equal(one.max_ns, 5000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_value),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_too_long_counts_as_the_longest),
		cmocka_unit_test(test_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
