#include "helper.h"

#include "http/range.h"

#define B(s) s, sizeof(s) - 1

#define BIG UINT64_C(0x4000000000000000)

static const char *const result_names[] = {
	[RANGE_WHOLE] = "whole",
	[RANGE_PARTS] = "parts",
	[RANGE_NONE] = "none",
};

/* "0-9,20-29" */
static const char *
ranges_text(const struct ranges *r, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < r->n; i++)
		len += (size_t)snprintf(out + len, cap - len,
		    "%s%" PRIu64 "-%" PRIu64, i > 0 ? "," : "",
		    r->range[i].first, r->range[i].last);
	return out;
}

/* What fuzz_http_range takes: the size, then the field's value. */
static void
keep_seed(uint64_t size, const char *in, size_t len)
{
	char seed[1024];

	assert_true(len <= sizeof(seed) - sizeof(size));
	memcpy(seed, &size, sizeof(size));
	memcpy(seed + sizeof(size), in, len);
	seed_keep("fuzz_http_range", seed, sizeof(size) + len);
}

static enum range_result
parse(struct ranges *r, const char *bytes, size_t len, uint64_t size)
{
	char *in = exact_copy(bytes, len);
	enum range_result result;

	memset(r, 0xa5, sizeof(*r));
	result = ranges_parse(r, (struct str){ in, len }, size);
	free(in);
	return result;
}

static void
test_what_is_asked_for(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		uint64_t size;
		enum range_result want;
		const char *ranges; /* with RANGE_PARTS */
	} rows[] = {
		{ __LINE__, B("bytes=0-0"), 10, RANGE_PARTS, "0-0" },
		{ __LINE__, B("bytes=0-"), 10, RANGE_PARTS, "0-9" },
		{ __LINE__, B("bytes=0-9"), 10, RANGE_PARTS, "0-9" },
		{ __LINE__, B("bytes=9-9"), 10, RANGE_PARTS, "9-9" },
		{ __LINE__, B("bytes=9-"), 10, RANGE_PARTS, "9-9" },
		{ __LINE__, B("bytes=5-7"), 10, RANGE_PARTS, "5-7" },
		{ __LINE__, B("BYTES=5-7"), 10, RANGE_PARTS, "5-7" },
		{ __LINE__, B("bytes=005-0000000000000000000000007"), 10,
		    RANGE_PARTS, "5-7" },
		/* the end is cut to the file's */
		{ __LINE__, B("bytes=5-10"), 10, RANGE_PARTS, "5-9" },
		{ __LINE__, B("bytes=5-18446744073709551615"), 10, RANGE_PARTS,
		    "5-9" },
		{ __LINE__, B("bytes=5-18446744073709551616"), 10, RANGE_PARTS,
		    "5-9" },
		{ __LINE__, B("bytes=5-99999999999999999999999999"), 10,
		    RANGE_PARTS, "5-9" },
		/* suffixes */
		{ __LINE__, B("bytes=-1"), 10, RANGE_PARTS, "9-9" },
		{ __LINE__, B("bytes=-9"), 10, RANGE_PARTS, "1-9" },
		{ __LINE__, B("bytes=-10"), 10, RANGE_PARTS, "0-9" },
		{ __LINE__, B("bytes=-11"), 10, RANGE_PARTS, "0-9" },
		{ __LINE__, B("bytes=-18446744073709551616"), 10, RANGE_PARTS,
		    "0-9" },
		/* large files */
		{ __LINE__, B("bytes=4611686018427387903-"), BIG, RANGE_PARTS,
		    "4611686018427387903-4611686018427387903" },
		{ __LINE__, B("bytes=18446744073709551614-"), UINT64_MAX,
		    RANGE_PARTS, "18446744073709551614-18446744073709551614" },
		{ __LINE__, B("bytes=0-"), UINT64_MAX, RANGE_PARTS,
		    "0-18446744073709551614" },
		{ __LINE__, B("bytes=-18446744073709551615"), UINT64_MAX,
		    RANGE_PARTS, "0-18446744073709551614" },
		/* more than one, in their order */
		{ __LINE__, B("bytes=0-1,4-5"), 10, RANGE_PARTS, "0-1,4-5" },
		{ __LINE__, B("bytes=4-5,0-1"), 10, RANGE_PARTS, "4-5,0-1" },
		{ __LINE__, B("bytes=0-4,5-9"), 10, RANGE_PARTS, "0-4,5-9" },
		{ __LINE__, B("bytes=0-1 , 4-5\t,\t-1"), 10, RANGE_PARTS,
		    "0-1,4-5,9-9" },
		{ __LINE__, B("bytes= 0-1"), 10, RANGE_PARTS, "0-1" },
		{ __LINE__, B("bytes=,, ,0-1,,"), 10, RANGE_PARTS, "0-1" },
		{ __LINE__, B("bytes=0-1,0-1"), 10, RANGE_PARTS, "0-1,0-1" },
		/* what is behind the end is left out */
		{ __LINE__, B("bytes=0-1,10-11"), 10, RANGE_PARTS, "0-1" },
		{ __LINE__, B("bytes=10-11,0-1"), 10, RANGE_PARTS, "0-1" },
		{ __LINE__, B("bytes=-0,0-1"), 10, RANGE_PARTS, "0-1" },
		/* nothing is left */
		{ __LINE__, B("bytes=10-"), 10, RANGE_NONE, NULL },
		{ __LINE__, B("bytes=10-10"), 10, RANGE_NONE, NULL },
		{ __LINE__, B("bytes=18446744073709551615-"), UINT64_MAX,
		    RANGE_NONE, NULL },
		{ __LINE__, B("bytes=18446744073709551616-"), UINT64_MAX,
		    RANGE_NONE, NULL },
		{ __LINE__, B("bytes=99999999999999999999999999-"), 10,
		    RANGE_NONE, NULL },
		{ __LINE__, B("bytes=10-,11-,-0"), 10, RANGE_NONE, NULL },
		{ __LINE__, B("bytes=-0"), 10, RANGE_NONE, NULL },
		{ __LINE__, B("bytes=-000"), 10, RANGE_NONE, NULL },
		{ __LINE__, B("bytes=-0"), 0, RANGE_NONE, NULL },
		{ __LINE__, B("bytes=0-"), 0, RANGE_NONE, NULL },
		{ __LINE__, B("bytes=0-0"), 0, RANGE_NONE, NULL },
		/* an empty file has last bytes, but no Content-Range */
		{ __LINE__, B("bytes=-1"), 0, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-,-1"), 0, RANGE_WHOLE, NULL },
		/* together more than the file */
		{ __LINE__, B("bytes=0-,0-"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-9,-1"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-5,5-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-,0-"), UINT64_MAX, RANGE_WHOLE, NULL },
		/* another unit */
		{ __LINE__, B(""), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("0-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("byte=0-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytess=0-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("octets=0-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("lines=0-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("none"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("=0-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes =0-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B(" bytes=0-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes:0-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes 0-9"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("b\0tes=0-9"), 10, RANGE_WHOLE, NULL },
		/* not of its form */
		{ __LINE__, B("bytes="), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes= "), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=,"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=-"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=--1"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=1"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=*"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-9/10"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=a-b"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-b"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-0x5"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0x0-5"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=+0-5"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-+5"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0--5"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=-5-"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=-5-7"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=-5x"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-5-"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0 - 5"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0- 5"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=- 5"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-5 6-7"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-5;6-7"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-5\0"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=\"0-5\""), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0.0-5"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-5,bytes=6-7"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=\xef\xbc\x90-5"), 10, RANGE_WHOLE, NULL },
		/* the end before the beginning */
		{ __LINE__, B("bytes=5-4"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=9-0"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=18446744073709551616-5"), 10, RANGE_WHOLE,
		    NULL },
		/* one bad range among good ones */
		{ __LINE__, B("bytes=0-1,5-4"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=0-1,x"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=x,0-1"), 10, RANGE_WHOLE, NULL },
		{ __LINE__, B("bytes=10-,x"), 10, RANGE_WHOLE, NULL },
	};
	struct ranges r;
	char got[256];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		enum range_result result = parse(
		    &r, rows[i].in, rows[i].len, rows[i].size);

		keep_seed(rows[i].size, rows[i].in, rows[i].len);
		CHECK_STR(rows[i].line, rows[i].in, "result",
		    result_names[rows[i].want], result_names[result]);
		if (result == RANGE_PARTS)
			CHECK_STR(rows[i].line, rows[i].in, "ranges",
			    rows[i].ranges, ranges_text(&r, got, sizeof(got)));
	}
}

/* What is counted is what is asked for, also behind the end. */
static void
test_the_limit(void **state)
{
	char in[8 * (LIM_HTTP_RANGES + 1)];
	struct ranges r;

	(void)state;
	for (unsigned n = LIM_HTTP_RANGES; n <= LIM_HTTP_RANGES + 1; n++) {
		bool fits = n <= LIM_HTTP_RANGES;
		int len = snprintf(in, sizeof(in), "bytes=");

		for (unsigned i = 0; i < n; i++)
			len += snprintf(in + len, sizeof(in) - (size_t)len,
			    "%u-%u,", 2 * i, 2 * i);
		keep_seed(1000, in, (size_t)len);
		CHECK_STR(__LINE__, in, "result",
		    result_names[fits ? RANGE_PARTS : RANGE_WHOLE],
		    result_names[parse(&r, in, (size_t)len, 1000)]);
		if (fits)
			assert_int_equal(r.n, LIM_HTTP_RANGES);
		CHECK_STR(__LINE__, in, "result, behind the end",
		    result_names[fits ? RANGE_NONE : RANGE_WHOLE],
		    result_names[parse(&r, in, (size_t)len, 0)]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_asked_for),
		cmocka_unit_test(test_the_limit),
	};

	return cmocka_run_group_tests_name("http_range", tests, NULL, NULL);
}
