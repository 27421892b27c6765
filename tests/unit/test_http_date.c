#include "helper.h"

#include <time.h>

#include "http/date.h"

#define B(s) s, sizeof(s) - 1

#define NOV_94 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define YEAR_2026 INT64_C(1767323045) /* 2026-01-02 03:04:05 */

static void
test_every_form_is_written(void **state)
{
	static const struct {
		int line;
		int64_t in;
		const char *want, *clf, *iso;
	} rows[] = {
		{ __LINE__, NOV_94, "Sun, 06 Nov 1994 08:49:37 GMT",
		    "06/Nov/1994:08:49:37 +0000", "1994-11-06T08:49:37Z" },
		{ __LINE__, YEAR_2026, "Fri, 02 Jan 2026 03:04:05 GMT",
		    "02/Jan/2026:03:04:05 +0000", "2026-01-02T03:04:05Z" },
		{ __LINE__, 0, "Thu, 01 Jan 1970 00:00:00 GMT",
		    "01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00Z" },
		{ __LINE__, -1, "Wed, 31 Dec 1969 23:59:59 GMT",
		    "31/Dec/1969:23:59:59 +0000", "1969-12-31T23:59:59Z" },
		/* leap days, and a year that has none */
		{ __LINE__, 951782400, "Tue, 29 Feb 2000 00:00:00 GMT",
		    "29/Feb/2000:00:00:00 +0000", "2000-02-29T00:00:00Z" },
		{ __LINE__, 951868800, "Wed, 01 Mar 2000 00:00:00 GMT",
		    "01/Mar/2000:00:00:00 +0000", "2000-03-01T00:00:00Z" },
		{ __LINE__, 1709164800, "Thu, 29 Feb 2024 00:00:00 GMT",
		    "29/Feb/2024:00:00:00 +0000", "2024-02-29T00:00:00Z" },
		{ __LINE__, 4107542400, "Mon, 01 Mar 2100 00:00:00 GMT",
		    "01/Mar/2100:00:00:00 +0000", "2100-03-01T00:00:00Z" },
		{ __LINE__, 4107542399, "Sun, 28 Feb 2100 23:59:59 GMT",
		    "28/Feb/2100:23:59:59 +0000", "2100-02-28T23:59:59Z" },
		/* past 31 bits, and past 32 */
		{ __LINE__, 2147483648, "Tue, 19 Jan 2038 03:14:08 GMT",
		    "19/Jan/2038:03:14:08 +0000", "2038-01-19T03:14:08Z" },
		{ __LINE__, 4294967296, "Sun, 07 Feb 2106 06:28:16 GMT",
		    "07/Feb/2106:06:28:16 +0000", "2106-02-07T06:28:16Z" },
		/* the first and the last that can be written, and beyond */
		{ __LINE__, -62135596800, "Mon, 01 Jan 0001 00:00:00 GMT",
		    "01/Jan/0001:00:00:00 +0000", "0001-01-01T00:00:00Z" },
		{ __LINE__, -62135596801, "Mon, 01 Jan 0001 00:00:00 GMT",
		    "01/Jan/0001:00:00:00 +0000", "0001-01-01T00:00:00Z" },
		{ __LINE__, INT64_MIN, "Mon, 01 Jan 0001 00:00:00 GMT",
		    "01/Jan/0001:00:00:00 +0000", "0001-01-01T00:00:00Z" },
		{ __LINE__, 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT",
		    "31/Dec/9999:23:59:59 +0000", "9999-12-31T23:59:59Z" },
		{ __LINE__, 253402300800, "Fri, 31 Dec 9999 23:59:59 GMT",
		    "31/Dec/9999:23:59:59 +0000", "9999-12-31T23:59:59Z" },
		{ __LINE__, INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT",
		    "31/Dec/9999:23:59:59 +0000", "9999-12-31T23:59:59Z" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char out[DATE_LEN + 1];

		date_format(out, rows[i].in);
		CHECK_STR(
		    rows[i].line, rows[i].want, "date", rows[i].want, out);
		date_format_clf(out, rows[i].in);
		CHECK_STR(rows[i].line, rows[i].want, "log", rows[i].clf, out);
		date_format_iso(out, rows[i].in);
		CHECK_STR(rows[i].line, rows[i].want, "ISO", rows[i].iso, out);
	}
}

/* Every day of 800 years, each at another time of day, is what the C library
 * says, and comes back. */
static void
test_agrees_with_the_c_library(void **state)
{
	int64_t last = 400 * INT64_C(31556952);

	(void)state;
	for (int64_t t = -last; t <= last; t += 86400 + 37) {
		char want[64], got[DATE_LEN + 1];
		time_t same = (time_t)t;
		int64_t back = t + 1;
		struct tm tm;

		assert_non_null(gmtime_r(&same, &tm));
		assert_int_equal(strftime(want, sizeof(want),
				     "%a, %d %b %Y %H:%M:%S GMT", &tm),
		    DATE_LEN);
		date_format(got, t);
		CHECK_STR(__LINE__, want, "written", want, got);
		CHECK(__LINE__, want, "is read",
		    date_parse((struct str){ got, DATE_LEN }, 0, &back));
		CHECK_INT(__LINE__, want, "read", t, back);
		strftime(want, sizeof(want), "%a %b %e %H:%M:%S %Y", &tm);
		CHECK(__LINE__, want, "is read",
		    date_parse((struct str){ want, strlen(want) }, 0, &back));
		CHECK_INT(__LINE__, want, "read", t, back);
	}
}

static void
test_three_forms_are_read(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		int64_t want; /* INT64_MIN: none */
	} rows[] = {
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:37 GMT"), NOV_94 },
		{ __LINE__, B("Sunday, 06-Nov-94 08:49:37 GMT"), NOV_94 },
		{ __LINE__, B("Sun Nov  6 08:49:37 1994"), NOV_94 },
		{ __LINE__, B("Sun Nov 06 08:49:37 1994"), NOV_94 },
		{ __LINE__, B("Thu Jan 01 00:00:00 1970"), 0 },
		{ __LINE__, B("Wed, 31 Dec 1969 23:59:59 GMT"), -1 },
		{ __LINE__, B("Mon, 01 Jan 0001 00:00:00 GMT"), -62135596800 },
		{ __LINE__, B("Fri, 31 Dec 9999 23:59:59 GMT"), 253402300799 },
		{ __LINE__, B("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400 },
		/* the day of the week is one, but not the one */
		{ __LINE__, B("Mon, 06 Nov 1994 08:49:37 GMT"), NOV_94 },
		{ __LINE__, B("Wednesday, 06-Nov-94 08:49:37 GMT"), NOV_94 },
		{ __LINE__, B("Monday, 06-Nov-94 08:49:37 GMT"), NOV_94 },
		{ __LINE__, B("Tuesday, 06-Nov-94 08:49:37 GMT"), NOV_94 },
		{ __LINE__, B("Thursday, 06-Nov-94 08:49:37 GMT"), NOV_94 },
		{ __LINE__, B("Friday, 06-Nov-94 08:49:37 GMT"), NOV_94 },
		{ __LINE__, B("Saturday, 06-Nov-94 08:49:37 GMT"), NOV_94 },
		/* a leap second */
		{ __LINE__, B("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800 },
		{ __LINE__, B(""), INT64_MIN },
		{ __LINE__, B("0"), INT64_MIN },
		{ __LINE__, B("-1"), INT64_MIN },
		{ __LINE__, B("784111777"), INT64_MIN },
		{ __LINE__, B("*"), INT64_MIN },
		{ __LINE__, B("Sun"), INT64_MIN },
		{ __LINE__, B("Sun,"), INT64_MIN },
		{ __LINE__, B("Sun "), INT64_MIN },
		{ __LINE__, B("Sunday,"), INT64_MIN },
		{ __LINE__, B("yesterday"), INT64_MIN },
		{ __LINE__, B("1994-11-06T08:49:37Z"), INT64_MIN },
		{ __LINE__, B("06 Nov 1994 08:49:37 GMT"), INT64_MIN },
		/* all but */
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:37"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:37 "), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:37 GM"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:37 GMT "), INT64_MIN },
		{ __LINE__, B(" Sun, 06 Nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:37 GMT\0"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:37 UTC"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:37 +0000"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:37 gmt"), INT64_MIN },
		{ __LINE__, B("sun, 06 nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("SUN, 06 NOV 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun,06 Nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun,  6 Nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 6 Nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 006 Nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 November 1994 08:49:37 GMT"),
		    INT64_MIN },
		{ __LINE__, B("Sun, 06-Nov-1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 94 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 19940 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov -994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, +6 Nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 8:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:49 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08.49.37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:3x GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 0: Nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Son, 06 Nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nob 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 unM 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("\xff\xff\xff, 06 Nov 1994 08:49:37 GMT"),
		    INT64_MIN },
		{ __LINE__, B("Sunday, 06-Nov-1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sunday, 06 Nov 94 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sunda, 06-Nov-94 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sundays, 06-Nov-94 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Monsday, 06-Nov-94 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sunday, 06-Nov-94 08:49:37"), INT64_MIN },
		{ __LINE__, B("Sunday, 6-Nov-94 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun Nov 6 08:49:37 1994"), INT64_MIN },
		{ __LINE__, B("Sun Nov   6 08:49:37 1994"), INT64_MIN },
		{ __LINE__, B("Sun Nov  06 08:49:37 1994"), INT64_MIN },
		{ __LINE__, B("Sun Nov  6 08:49:37 1994 GMT"), INT64_MIN },
		{ __LINE__, B("Sun Nov  6 08:49:37 94"), INT64_MIN },
		{ __LINE__, B("Sun Nov  0 08:49:37 1994"), INT64_MIN },
		/* no such moment */
		{ __LINE__, B("Sun, 00 Nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 31 Nov 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 32 Dec 1994 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 30 Feb 2000 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 29 Feb 2023 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 29 Feb 2100 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sunday, 29-Feb-23 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun Feb 29 08:49:37 2023"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 0000 08:49:37 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 24:00:00 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:60:00 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 08:49:60 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 22:59:60 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 23:58:60 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 23:59:61 GMT"), INT64_MIN },
		{ __LINE__, B("Sun, 06 Nov 1994 99:99:99 GMT"), INT64_MIN },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);
		struct str s = { in, rows[i].len };
		int64_t got = INT64_MIN;

		CHECK_INT(rows[i].line, rows[i].in, "is a date",
		    rows[i].want != INT64_MIN, date_parse(s, YEAR_2026, &got));
		CHECK_INT(
		    rows[i].line, rows[i].in, "seconds", rows[i].want, got);
		free(in);
	}
}

static void
test_nothing_is_no_date(void **state)
{
	int64_t got = 7;

	(void)state;
	assert_false(date_parse((struct str){ NULL, 0 }, 0, &got));
	assert_int_equal(got, 7);
}

/* RFC 9110 5.6.7: more than 50 years ahead means the past. */
static void
test_two_digits_of_a_year(void **state)
{
	static const struct {
		int line;
		const char *now, *in, *want;
	} rows[] = {
		{ __LINE__, "Fri, 02 Jan 2026 03:04:05 GMT",
		    "Monday, 02-Jan-26 03:04:05 GMT",
		    "Fri, 02 Jan 2026 03:04:05 GMT" },
		{ __LINE__, "Fri, 02 Jan 2026 03:04:05 GMT",
		    "Monday, 02-Jan-76 03:04:05 GMT",
		    "Thu, 02 Jan 2076 03:04:05 GMT" },
		{ __LINE__, "Fri, 02 Jan 2026 03:04:05 GMT",
		    "Monday, 02-Jan-76 03:04:06 GMT",
		    "Fri, 02 Jan 1976 03:04:06 GMT" },
		{ __LINE__, "Fri, 02 Jan 2026 03:04:05 GMT",
		    "Monday, 01-Jan-77 00:00:00 GMT",
		    "Sat, 01 Jan 1977 00:00:00 GMT" },
		{ __LINE__, "Fri, 02 Jan 2026 03:04:05 GMT",
		    "Monday, 31-Dec-75 23:59:59 GMT",
		    "Tue, 31 Dec 2075 23:59:59 GMT" },
		{ __LINE__, "Fri, 02 Jan 2026 03:04:05 GMT",
		    "Monday, 01-Jan-00 00:00:00 GMT",
		    "Sat, 01 Jan 2000 00:00:00 GMT" },
		/* the next century is nearer than this one's beginning */
		{ __LINE__, "Thu, 31 Dec 2099 00:00:00 GMT",
		    "Monday, 01-Jan-00 00:00:00 GMT",
		    "Fri, 01 Jan 2100 00:00:00 GMT" },
		{ __LINE__, "Thu, 31 Dec 2099 00:00:00 GMT",
		    "Monday, 01-Jan-49 00:00:00 GMT",
		    "Wed, 01 Jan 2149 00:00:00 GMT" },
		{ __LINE__, "Thu, 31 Dec 2099 00:00:00 GMT",
		    "Monday, 01-Jan-50 00:00:00 GMT",
		    "Sat, 01 Jan 2050 00:00:00 GMT" },
		/* a leap day, 50 years before a year without one */
		{ __LINE__, "Tue, 29 Feb 2000 00:00:00 GMT",
		    "Monday, 28-Feb-50 00:00:00 GMT",
		    "Mon, 28 Feb 2050 00:00:00 GMT" },
		/* which century has a leap day does not decide */
		{ __LINE__, "Sat, 01 Jan 2050 00:00:00 GMT",
		    "Monday, 29-Feb-00 00:00:00 GMT",
		    "Tue, 29 Feb 2000 00:00:00 GMT" },
		{ __LINE__, "Thu, 01 Jan 2060 00:00:00 GMT",
		    "Monday, 29-Feb-00 00:00:00 GMT", NULL },
		{ __LINE__, "Mon, 01 Jan 0001 00:00:00 GMT",
		    "Monday, 01-Jan-99 00:00:00 GMT", NULL },
		{ __LINE__, "Fri, 31 Dec 9999 23:59:59 GMT",
		    "Monday, 01-Jan-01 00:00:00 GMT", NULL },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct str in = { rows[i].in, strlen(rows[i].in) };
		char got[DATE_LEN + 1];
		int64_t now, t;

		assert_true(
		    date_parse((struct str){ rows[i].now, DATE_LEN }, 0, &now));
		CHECK_INT(rows[i].line, rows[i].in, "is a date",
		    rows[i].want != NULL, date_parse(in, now, &t));
		if (rows[i].want == NULL)
			continue;
		date_format(got, t);
		CHECK_STR(rows[i].line, rows[i].in, "date", rows[i].want, got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_form_is_written),
		cmocka_unit_test(test_agrees_with_the_c_library),
		cmocka_unit_test(test_three_forms_are_read),
		cmocka_unit_test(test_nothing_is_no_date),
		cmocka_unit_test(test_two_digits_of_a_year),
	};

	return cmocka_run_group_tests_name("http_date", tests, NULL, NULL);
}
