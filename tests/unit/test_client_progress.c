#include "helper.h"

#include "client/progress.h"

#define MIB (1ull << 20)

static void
test_columns(void **state)
{
	static const struct {
		int line;
		const char *in;
		unsigned want;
	} rows[] = {
		{ __LINE__, "", 0 }, { __LINE__, "a", 1 },
		{ __LINE__, "\xc3\xa9", 1 },
		{ __LINE__, "\xe7\xbd\x91\xe7\x9b\x98", 4 },
		{ __LINE__, "e\xcc\x81", 1 },
		{ __LINE__, "\xf0\x9f\x98\x80", 2 },
		{ __LINE__, "\xef\xbc\xa1", 2 }, { __LINE__, "\xff", 1 },
		{ __LINE__, "\xe7\xbd", 2 }, /* two stray bytes */
		{ __LINE__, "\xe2\xad\x90", 2 }, /* U+2B50, a star */
		{ __LINE__, "\xe2\x9c\x85", 2 }, /* U+2705, a check mark */
		{ __LINE__, "\xe2\x8f\xb0", 2 }, /* U+23F0, a clock */
		{ __LINE__, "\xea\xa5\xa0", 2 }, /* U+A960, Hangul */
		{ __LINE__, "\xef\xb8\x90", 2 }, /* U+FE10, a comma */
		{ __LINE__, "\xf0\x97\x80\x80", 2 }, /* U+17000, Tangut */
		{ __LINE__, "\xf0\x9b\x80\x80", 2 }, /* U+1B000, Kana */
		{ __LINE__, "\xf0\x9f\x80\x84", 2 }, /* U+1F004, a tile */
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK_U64(rows[i].line, rows[i].in, "columns", rows[i].want,
		    progress_columns(rows[i].in));
}

static void
test_line(void **state)
{
	static const struct {
		int line;
		unsigned width;
		struct progress_view view;
		const char *want;
	} rows[] = {
		{ __LINE__, 80, { "f", MIB, 2 * MIB, 0, 0, MIB },
		    "f [##############..............]  50%  1.0 MiB of 2.0 "
		    "MiB  1.0 MiB/s  0:01 left" },
		{ __LINE__, 80, { "f", 0, 2 * MIB, 0, 0, 0 }, NULL },
		{ __LINE__, 80, { "", MIB, 2 * MIB, 3, 10, MIB }, NULL },
		{ __LINE__, 80, { "listing", 0, 0, 1234, 0, 0 },
		    "listing 1234" },
		{ __LINE__, 80, { "listing", 0, 0, 0, 0, 0 }, "listing " },
		{ __LINE__, 80, { "f", UINT64_MAX, 1, 0, 0, UINT64_MAX },
		    NULL },
		{ __LINE__, 80, { "f", 1, UINT64_MAX, 0, 0, 1 }, NULL },
		{ __LINE__, 80,
		    { "f", 1, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX },
		    NULL },
	};
	char line[PROGRESS_LINE_SIZE];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		progress_line(line, rows[i].width, &rows[i].view);
		CHECK(rows[i].line, line, "it fits",
		    progress_columns(line) < rows[i].width);
		if (rows[i].want != NULL)
			CHECK_STR(rows[i].line, rows[i].view.label, "line",
			    rows[i].want, line);
	}
}

/* Any width, any label: fewer columns than the terminal has. */
static void
test_widths(void **state)
{
	char label[4 * 512 + 1], line[PROGRESS_LINE_SIZE];
	static const char *const units[] = { "x", "\xe7\xbd\x91",
		"\xf0\x9f\x98\x80", "e\xcc\x81", "\xff" };
	struct rng rng = { 3 };

	(void)state;
	for (int i = 0; i < 5000; i++) {
		const char *unit = units[rng_below(&rng, nitems(units))];
		unsigned width = 1 + (unsigned)rng_below(&rng, 512);
		size_t n = rng_below(&rng, sizeof(label) / strlen(unit));
		struct progress_view view = { .label = label,
			.bytes = rng_next(&rng) >> rng_below(&rng, 64),
			.bytes_due = rng_next(&rng) >> rng_below(&rng, 64),
			.items = rng_next(&rng) >> rng_below(&rng, 64),
			.items_due = rng_next(&rng) >> rng_below(&rng, 64),
			.rate = rng_next(&rng) >> rng_below(&rng, 64) };

		label[0] = '\0';
		for (size_t k = 0, at = 0; k < n; k++, at += strlen(unit))
			strcpy(label + at, unit);
		progress_line(line, width, &view);
		CHECK(__LINE__, line, "it fits",
		    progress_columns(line) < width || width == 1);
	}
}

static void
test_duration(void **state)
{
	static const struct {
		int line;
		uint64_t in;
		const char *want;
	} rows[] = {
		{ __LINE__, 0, "0 ms" },
		{ __LINE__, 999, "999 ms" },
		{ __LINE__, 1000, "1.0 s" },
		{ __LINE__, 12349, "12.3 s" },
		{ __LINE__, 59999, "59.9 s" },
		{ __LINE__, 60000, "1:00" },
		{ __LINE__, 3723000, "1:02:03" },
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK_STR(rows[i].line, "", "duration", rows[i].want,
		    progress_duration(out, sizeof(out), rows[i].in));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_duration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
