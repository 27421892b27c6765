#include "helper.h"

#include "client/mtime.h"

#define S 1000000000ll

static struct timespec
time_at(int64_t s, long ns)
{
	return (struct timespec){ .tv_sec = s, .tv_nsec = ns };
}

static void
test_timespec(void **state)
{
	static const struct {
		int line;
		int64_t in;
		int64_t s;
		long ns;
	} rows[] = {
		{ __LINE__, 0, 0, 0 },
		{ __LINE__, 1, 0, 1 },
		{ __LINE__, S, 1, 0 },
		{ __LINE__, -1, -1, 999999999 },
		{ __LINE__, -S, -1, 0 },
		{ __LINE__, -S - 1, -2, 999999999 },
		{ __LINE__, INT64_MAX, 9223372036, 854775807 },
		{ __LINE__, INT64_MIN, -9223372037, 145224192 },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct timespec t = mtime_to_timespec(rows[i].in);

		CHECK_INT(rows[i].line, "", "s", rows[i].s, t.tv_sec);
		CHECK_INT(rows[i].line, "", "ns", rows[i].ns, t.tv_nsec);
	}
}

static void
test_is_kept(void **state)
{
	/* how well the kernel keeps times there, by a ctime of 1234567890.x */
	static const long fine = 123456789, of_100 = 123456700,
			  of_10_ms = 120000000, whole = 0;
	static const struct {
		int line;
		const long *grain;
		int64_t have_s;
		long have_ns;
		int64_t want;
		bool is;
	} rows[] = {
		{ __LINE__, &fine, 9, 123456789, 9 * S + 123456789, true },
		{ __LINE__, &fine, 9, 123456789, 9 * S + 123456788, false },
		{ __LINE__, &fine, 9, 123456789, 9 * S + 123456790, false },
		{ __LINE__, &fine, 9, 123456789, 8 * S + 123456789, false },
		/* whole seconds, wherever they come from */
		{ __LINE__, &fine, 9, 0, 9 * S, true },
		{ __LINE__, &fine, 9, 0, 9 * S + 999999999, true },
		{ __LINE__, &fine, 9, 0, 10 * S, false },
		{ __LINE__, &fine, 9, 0, 9 * S - 1, false },
		{ __LINE__, &fine, -1, 0, -1, true },
		{ __LINE__, &fine, 0, 0, -1, false },
		/* cut times where none are cut */
		{ __LINE__, &fine, 9, 123456700, 9 * S + 123456789, false },
		{ __LINE__, &fine, 9, 120000000, 9 * S + 123456789, false },
		{ __LINE__, &fine, 8, 0, 9 * S, false },
		{ __LINE__, &of_100, 9, 120000000, 9 * S + 123456789, false },
		{ __LINE__, &of_100, 8, 0, 9 * S, false },
		{ __LINE__, &of_10_ms, 8, 0, 9 * S, false },
		/* 100 ns */
		{ __LINE__, &of_100, 9, 123456700, 9 * S + 123456700, true },
		{ __LINE__, &of_100, 9, 123456700, 9 * S + 123456799, true },
		{ __LINE__, &of_100, 9, 123456700, 9 * S + 123456800, false },
		{ __LINE__, &of_100, 9, 123456700, 9 * S + 123456699, false },
		{ __LINE__, &of_100, -1, 999999900, -1, true },
		/* 10 ms */
		{ __LINE__, &of_10_ms, 9, 120000000, 9 * S + 129999999, true },
		{ __LINE__, &of_10_ms, 9, 120000000, 9 * S + 130000000, false },
		{ __LINE__, &of_10_ms, 9, 120000000, 9 * S + 119999999, false },
		{ __LINE__, &of_10_ms, 9, 121000000, 9 * S + 123456789, false },
		/* 2 s */
		{ __LINE__, &whole, 8, 0, 8 * S, true },
		{ __LINE__, &whole, 8, 0, 9 * S + 999999999, true },
		{ __LINE__, &whole, 8, 0, 10 * S, false },
		{ __LINE__, &whole, 8, 0, 8 * S - 1, false },
		{ __LINE__, &whole, 9, 0, 10 * S + 1, false },
		{ __LINE__, &whole, 8, 1, 9 * S + 1, false },
		{ __LINE__, &whole, -2, 0, -1, true },
		{ __LINE__, &whole, -4, 0, -3 * S, true },
		{ __LINE__, &whole, -3, 0, -2 * S, false },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct timespec have = time_at(rows[i].have_s, rows[i].have_ns);
		struct timespec ctime = time_at(1234567890, *rows[i].grain);

		CHECK_INT(rows[i].line, "", "is kept", rows[i].is,
		    mtime_is_kept(&have, &ctime, rows[i].want));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timespec),
		cmocka_unit_test(test_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
