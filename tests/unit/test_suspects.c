/* Who is refused, and for how long, after how many crashes. */
#include "helper.h"

#include "base/limits.h"
#include "server/suspects.h"

static struct addr
addr(const char *text)
{
	struct addr a;

	assert_true(addr_parse(&a, text, strlen(text)));
	return a;
}

/* Crashes of one source, in order. */
static const struct {
	int line;
	uint64_t at_ms;
	uint64_t refused_ms;
} crashes[] = {
	{ __LINE__, 1000, 0 },
	{ __LINE__, 1010, 0 },
	{ __LINE__, 1020, 1000 },
	{ __LINE__, 3000, 2000 },
	{ __LINE__, 6000, 4000 },
	{ __LINE__, 11000, 8000 },
	/* 60 s after the end of that: half of six, and one more */
	{ __LINE__, 11000 + 8000 + 60000, 2000 },
	/* five minutes later it is as if it had never been */
	{ __LINE__, 400000, 0 },
	{ __LINE__, 400001, 0 },
	{ __LINE__, 400002, 1000 },
	{ __LINE__, 400003, 2000 },
	{ __LINE__, 400004, 4000 },
	{ __LINE__, 400005, 8000 },
	{ __LINE__, 400006, 16000 },
	{ __LINE__, 400007, 32000 },
	{ __LINE__, 400008, 64000 },
	{ __LINE__, 400009, 128000 },
	{ __LINE__, 400010, 256000 },
	{ __LINE__, 400011, 512000 },
	{ __LINE__, 400012, 600000 },
	{ __LINE__, 400013, 600000 },
};

static void
longer_each_time(void **state)
{
	struct addr bad = addr("192.0.2.1"), good = addr("192.0.2.2");
	struct suspects ss = { 0 };
	uint64_t ms, at;

	(void)state;
	for (size_t i = 0; i < nitems(crashes); i++) {
		at = crashes[i].at_ms;
		ms = suspects_accuse(&ss, &bad, at);
		CHECK_U64(crashes[i].line, "", "refused for",
		    crashes[i].refused_ms, ms);
		CHECK(crashes[i].line, "", "refused",
		    suspects_has(&ss, &bad, at) == (ms > 0));
		CHECK(crashes[i].line, "", "over",
		    !suspects_has(&ss, &bad, at + ms));
		CHECK(crashes[i].line, "", "nobody else",
		    !suspects_has(&ss, &good, at));
	}
}

static void
a_source_is_one(void **state)
{
	struct addr one = addr("2001:db8::1"), other = addr("2001:db8::2");
	struct suspects ss = { 0 };

	(void)state;
	suspects_accuse(&ss, &one, 1);
	suspects_accuse(&ss, &other, 2);
	assert_int_equal(suspects_accuse(&ss, &one, 3), 1000);
	assert_true(suspects_has(&ss, &other, 3));
}

/* Many who are accused once push out each other, not who is refused. */
static void
a_bounded_memory(void **state)
{
	struct addr bad = addr("192.0.2.1"), other = addr("10.0.0.0");
	struct suspects ss = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 10 * SUSPECTS; i++) {
		other.bytes[2] = (unsigned char)(i >> 8);
		other.bytes[3] = (unsigned char)i;
		assert_int_equal(suspects_accuse(&ss, &other, 2 * i), 0);
		suspects_accuse(&ss, &bad, 2 * i + 1);
	}
	assert_int_equal(ss.n, SUSPECTS);
	assert_true(suspects_has(&ss, &bad, 20 * SUSPECTS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longer_each_time),
		cmocka_unit_test(a_source_is_one),
		cmocka_unit_test(a_bounded_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
