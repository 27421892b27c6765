#include "helper.h"

#include <errno.h>

#include "path/path.h"

#define B(s) s, sizeof(s) - 1

/* n times the same letter: names of any length. */
static const char *
letters(size_t n)
{
	static char text[8192];

	assert_true(n < sizeof(text));
	memset(text, 'x', n);
	text[n] = '\0';
	return text;
}

/* "a/b/c" -> a path; what is not valid fails the test. */
static struct path
path_of(const char *text)
{
	struct path p;
	size_t len;

	path_init(&p);
	while (*text != '\0') {
		len = strcspn(text, "/");
		assert_int_equal(path_push(&p, text, len), PATH_OK);
		text += len;
		text += *text == '/';
	}
	return p;
}

static void
test_segments(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		enum path_result want;
	} rows[] = {
		{ __LINE__, B("a"), PATH_OK },
		{ __LINE__, B("..."), PATH_OK },
		{ __LINE__, B(".a"), PATH_OK },
		{ __LINE__, B("..a"), PATH_OK },
		{ __LINE__, B("a."), PATH_OK },
		{ __LINE__, B("..;"), PATH_OK },
		{ __LINE__, B(" "), PATH_OK },
		{ __LINE__, B("-rf"), PATH_OK },
		{ __LINE__, B("a\\b"), PATH_OK },
		{ __LINE__, B("C:x"), PATH_OK },
		{ __LINE__, B("%2e%2e"), PATH_OK },
		{ __LINE__, B("\n\x1b\x7f"), PATH_OK },
		{ __LINE__, B("\xff\xfe"), PATH_OK },
		{ __LINE__, B("\xe7\xbd\x91"), PATH_OK },
		{ __LINE__, B(".netpa"), PATH_OK },
		{ __LINE__, B(".netpan2"), PATH_OK },
		{ __LINE__, B(".NETPAN"), PATH_OK },
		{ __LINE__, B("netpan"), PATH_OK },
		{ __LINE__, B(""), PATH_EMPTY },
		{ __LINE__, B("."), PATH_DOTS },
		{ __LINE__, B(".."), PATH_DOTS },
		{ __LINE__, B("/"), PATH_SLASH },
		{ __LINE__, B("a/b"), PATH_SLASH },
		{ __LINE__, B("/a"), PATH_SLASH },
		{ __LINE__, B("a/"), PATH_SLASH },
		{ __LINE__, B("../a"), PATH_SLASH },
		{ __LINE__, B("\0"), PATH_NUL },
		{ __LINE__, B("a\0"), PATH_NUL },
		{ __LINE__, B("a\0b"), PATH_NUL },
		{ __LINE__, B(".\0"), PATH_NUL },
		{ __LINE__, B(".netpan"), PATH_RESERVED },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);
		enum path_result r = rows[i].want;
		struct path p = path_of("before");

		CHECK_STR(rows[i].line, rows[i].in, "checked",
		    path_result_text(r),
		    path_result_text(path_check_segment(in, rows[i].len)));
		CHECK_STR(rows[i].line, rows[i].in, "pushed",
		    path_result_text(r),
		    path_result_text(path_push(&p, in, rows[i].len)));
		CHECK_U64(rows[i].line, rows[i].in, "segments",
		    r == PATH_OK ? 2 : 1, p.n);
		if (r != PATH_OK)
			CHECK_STR(rows[i].line, rows[i].in, "path", "before",
			    path_string(&p));
		free(in);
	}
}

static void
test_urls(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		enum path_result want;
		const char *path; /* "" for the root */
		bool wants_dir;
	} rows[] = {
		{ __LINE__, B("/"), PATH_OK, "", true },
		{ __LINE__, B("/a"), PATH_OK, "a", false },
		{ __LINE__, B("/a/"), PATH_OK, "a", true },
		{ __LINE__, B("/a/b%20c/d"), PATH_OK, "a/b c/d", false },
		{ __LINE__, B("/%e7%BD%91"), PATH_OK, "\xe7\xbd\x91", false },
		{ __LINE__, B("/\xe7\xbd\x91"), PATH_OK, "\xe7\xbd\x91",
		    false },
		{ __LINE__, B("/%ff"), PATH_OK, "\xff", false },
		/* decoded once: what was escaped twice is not dots */
		{ __LINE__, B("/%252e%252e/x"), PATH_OK, "%2e%2e/x", false },
		{ __LINE__, B("/%2525"), PATH_OK, "%25", false },
		{ __LINE__, B("/..;/x"), PATH_OK, "..;/x", false },
		{ __LINE__, B("/a\\b"), PATH_OK, "a\\b", false },
		{ __LINE__, B("/a%5c..%5cb"), PATH_OK, "a\\..\\b", false },
		{ __LINE__, B("/a+b"), PATH_OK, "a+b", false },
		{ __LINE__, B("/..."), PATH_OK, "...", false },
		{ __LINE__, B("/@/x"), PATH_OK, "@/x", false },
		{ __LINE__, B(""), PATH_NO_SLASH, "", false },
		{ __LINE__, B("a"), PATH_NO_SLASH, "", false },
		{ __LINE__, B("*"), PATH_NO_SLASH, "", false },
		{ __LINE__, B("%2fa"), PATH_NO_SLASH, "", false },
		{ __LINE__, B("http://x/a"), PATH_NO_SLASH, "", false },
		{ __LINE__, B("//"), PATH_EMPTY, "", false },
		{ __LINE__, B("//a"), PATH_EMPTY, "", false },
		{ __LINE__, B("/a//b"), PATH_EMPTY, "", false },
		{ __LINE__, B("/a//"), PATH_EMPTY, "", false },
		{ __LINE__, B("/."), PATH_DOTS, "", false },
		{ __LINE__, B("/./"), PATH_DOTS, "", false },
		{ __LINE__, B("/.."), PATH_DOTS, "", false },
		{ __LINE__, B("/a/../../x"), PATH_DOTS, "", false },
		{ __LINE__, B("/a/.."), PATH_DOTS, "", false },
		{ __LINE__, B("/%2e%2e/x"), PATH_DOTS, "", false },
		{ __LINE__, B("/%2E."), PATH_DOTS, "", false },
		{ __LINE__, B("/a/%2e"), PATH_DOTS, "", false },
		{ __LINE__, B("/..%2fx"), PATH_SLASH, "", false },
		{ __LINE__, B("/%2fetc%2fpasswd"), PATH_SLASH, "", false },
		{ __LINE__, B("/a%2Fb"), PATH_SLASH, "", false },
		{ __LINE__, B("/%2f"), PATH_SLASH, "", false },
		/* the first thing wrong is the one that is told */
		{ __LINE__, B("/a%2f%zz"), PATH_SLASH, "", false },
		{ __LINE__, B("/a%00%zz"), PATH_NUL, "", false },
		{ __LINE__, B("/a%00"), PATH_NUL, "", false },
		{ __LINE__, B("/a\0b"), PATH_NUL, "", false },
		{ __LINE__, B("/%00"), PATH_NUL, "", false },
		{ __LINE__, B("/a\nb"), PATH_CONTROL, "", false },
		{ __LINE__, B("/a%0d%0aX"), PATH_CONTROL, "", false },
		{ __LINE__, B("/%1f"), PATH_CONTROL, "", false },
		{ __LINE__, B("/%7F"), PATH_CONTROL, "", false },
		{ __LINE__, B("/\x7f"), PATH_CONTROL, "", false },
		{ __LINE__, B("/%"), PATH_ESCAPE, "", false },
		{ __LINE__, B("/%4"), PATH_ESCAPE, "", false },
		{ __LINE__, B("/a%4/b"), PATH_ESCAPE, "", false },
		{ __LINE__, B("/%zz"), PATH_ESCAPE, "", false },
		{ __LINE__, B("/%4g"), PATH_ESCAPE, "", false },
		{ __LINE__, B("/%g4"), PATH_ESCAPE, "", false },
		{ __LINE__, B("/%%41"), PATH_ESCAPE, "", false },
		{ __LINE__, B("/% 41"), PATH_ESCAPE, "", false },
		{ __LINE__, B("/%u0041"), PATH_ESCAPE, "", false },
		{ __LINE__, B("/.netpan"), PATH_RESERVED, "", false },
		{ __LINE__, B("/.netpan/"), PATH_RESERVED, "", false },
		{ __LINE__, B("/a/.netpan/x"), PATH_RESERVED, "", false },
		{ __LINE__, B("/%2enetpan/stage"), PATH_RESERVED, "", false },
		{ __LINE__, B("/.netpa%6e"), PATH_RESERVED, "", false },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);
		struct path p;

		memset(&p, 0xa5, sizeof(p));
		seed_keep("fuzz_path", in, rows[i].len);
		CHECK_STR(rows[i].line, rows[i].in, "result",
		    path_result_text(rows[i].want),
		    path_result_text(path_from_url(&p, in, rows[i].len)));
		CHECK_STR(rows[i].line, rows[i].in, "path",
		    *rows[i].path == '\0' ? "." : rows[i].path,
		    path_string(&p));
		CHECK_INT(rows[i].line, rows[i].in, "wants_dir",
		    rows[i].wants_dir, p.wants_dir);
		free(in);
	}
}

static void
test_every_result_has_its_own_text(void **state)
{
	(void)state;
	for (int r = 0; r < PATH_RESULTS; r++)
		for (int s = 0; s < r; s++)
			assert_string_not_equal(
			    path_result_text((enum path_result)r),
			    path_result_text((enum path_result)s));
	assert_non_null(path_result_text(PATH_RESULTS));
	assert_non_null(path_result_text((enum path_result) - 1));
}

static void
test_limits(void **state)
{
	struct path p, b;
	char url[8192];
	int n;

	(void)state;
	path_init(&p);
	assert_int_equal(
	    path_push(&p, letters(LIM_SEG_BYTES + 1), LIM_SEG_BYTES + 1),
	    PATH_SEG_LONG);
	assert_int_equal(
	    path_push(&p, letters(LIM_SEG_BYTES), LIM_SEG_BYTES), PATH_OK);
	n = snprintf(url, sizeof(url), "/%s", letters(LIM_SEG_BYTES));
	assert_int_equal(path_from_url(&p, url, (size_t)n), PATH_OK);
	seed_keep("fuzz_path", url, (size_t)n);
	n = snprintf(url, sizeof(url), "/%s", letters(LIM_SEG_BYTES + 1));
	assert_int_equal(path_from_url(&p, url, (size_t)n), PATH_SEG_LONG);
	/* It counts what is decoded. */
	n = snprintf(url, sizeof(url), "/%%41%s", letters(LIM_SEG_BYTES - 1));
	assert_int_equal(path_from_url(&p, url, (size_t)n), PATH_OK);
	n = snprintf(url, sizeof(url), "/%%41%s", letters(LIM_SEG_BYTES));
	assert_int_equal(path_from_url(&p, url, (size_t)n), PATH_SEG_LONG);

	path_init(&p);
	url[0] = '\0';
	for (int i = 0; i < LIM_PATH_SEGS; i++) {
		assert_int_equal(path_push(&p, "d", 1), PATH_OK);
		strcat(url, "/d");
	}
	assert_int_equal(path_push(&p, "d", 1), PATH_DEEP);
	assert_int_equal(p.n, LIM_PATH_SEGS);
	b = p;
	assert_int_equal(path_from_url(&p, url, strlen(url)), PATH_OK);
	assert_int_equal(path_cmp(&p, &b), 0);
	strcat(url, "/");
	assert_int_equal(path_from_url(&p, url, strlen(url)), PATH_OK);
	strcat(url, "d");
	assert_int_equal(path_from_url(&p, url, strlen(url)), PATH_DEEP);
	seed_keep("fuzz_path", url, strlen(url));
	path_init(&p);
	assert_int_equal(path_append(&p, &b), PATH_OK);
	path_pop(&p);
	b = path_of("a");
	assert_int_equal(path_append(&p, &b), PATH_OK);
	assert_int_equal(path_append(&p, &b), PATH_DEEP);

	/* 15 names of 255 and one of 100, then one up to the limit. */
	path_init(&p);
	for (int i = 0; i < 15; i++)
		assert_int_equal(
		    path_push(&p, letters(LIM_SEG_BYTES), LIM_SEG_BYTES),
		    PATH_OK);
	path_push(&p, letters(100), 100);
	b = p;
	n = LIM_PATH_BYTES - p.len - 1;
	assert_int_equal(path_push(&p, letters(n + 1), n + 1), PATH_LONG);
	assert_int_equal(path_cmp(&p, &b), 0);
	assert_int_equal(path_push(&p, letters(n), n), PATH_OK);
	assert_int_equal(p.len, LIM_PATH_BYTES);
	assert_int_equal(strlen(path_string(&p)), LIM_PATH_BYTES);
	assert_int_equal(path_push(&p, "x", 1), PATH_LONG);
	path_pop(&p);
	assert_int_equal(path_cmp(&p, &b), 0);
	path_init(&b);
	path_push(&b, letters(n), n);
	assert_int_equal(path_append(&p, &b), PATH_OK);
	path_pop(&p);
	path_init(&b);
	path_push(&b, letters(n + 1), n + 1);
	assert_int_equal(path_append(&p, &b), PATH_LONG);
	assert_int_equal(p.n, 16);
	/* One byte of room is a slash without a name after it. */
	path_push(&p, letters(n - 1), n - 1);
	assert_int_equal(path_push(&p, "x", 1), PATH_LONG);
	n = snprintf(url, sizeof(url), "/%s", path_string(&p));
	assert_int_equal(path_from_url(&b, url, (size_t)n), PATH_OK);
	seed_keep("fuzz_path", url, (size_t)n);
	strcat(url, "x/");
	assert_int_equal(path_from_url(&b, url, (size_t)n + 2), PATH_OK);
	strcat(url, "x");
	assert_int_equal(path_from_url(&b, url, (size_t)n + 3), PATH_LONG);
	assert_int_equal(b.n, 0);
}

static void
check_segment(int line, const struct path *p, unsigned i, const char *want)
{
	size_t len;
	const char *got = path_segment(p, i, &len);

	CHECK_MEM(
	    line, path_string(p), "segment", want, strlen(want), got, len);
}

static void
test_push_pop_append(void **state)
{
	struct path p, b;

	(void)state;
	path_init(&p);
	assert_string_equal(path_string(&p), ".");
	assert_string_equal(path_leaf(&p), "");
	p.wants_dir = true;
	path_push(&p, "a", 1);
	assert_false(p.wants_dir);
	path_push(&p, "bcd", 3);
	assert_string_equal(path_string(&p), "a/bcd");
	assert_string_equal(path_leaf(&p), "bcd");
	check_segment(__LINE__, &p, 0, "a");
	check_segment(__LINE__, &p, 1, "bcd");
	path_pop(&p);
	assert_string_equal(path_string(&p), "a");
	assert_int_equal(p.len, 1);

	assert_int_equal(path_from_url(&b, "/x/yz/", 6), PATH_OK);
	assert_int_equal(path_append(&p, &b), PATH_OK);
	assert_string_equal(path_string(&p), "a/x/yz");
	assert_true(p.wants_dir);
	check_segment(__LINE__, &p, 2, "yz");
	path_init(&b);
	assert_int_equal(path_append(&p, &b), PATH_OK);
	assert_string_equal(path_string(&p), "a/x/yz");
	assert_int_equal(path_append(&b, &p), PATH_OK);
	assert_string_equal(path_string(&b), "a/x/yz");
	assert_int_equal(path_append(&b, &b), PATH_OK);
	assert_string_equal(path_string(&b), "a/x/yz/a/x/yz");
	while (p.n > 0)
		path_pop(&p);
	assert_string_equal(path_string(&p), ".");
	assert_int_equal(p.len, 0);
}

/* In the order of a walk; each line is before the next. */
static const char *const in_order[] = {
	"",
	"\x01",
	"!",
	"!/x",
	"-",
	"A",
	"a",
	"a/\x01",
	"a/a",
	"a/a/z",
	"a/b",
	"a\x01",
	"a ",
	"a b",
	"a-",
	"a.txt",
	"a.txt/b",
	"a0",
	"aa",
	"b",
	"b/a",
	"\x7f",
	"\x80",
	"\xe7\xbd\x91",
	"\xff",
	"\xff/a",
	"\xff\xff",
};

static int
sign(int v)
{
	return (v > 0) - (v < 0);
}

static void
test_order(void **state)
{
	(void)state;
	for (int i = 0; i < (int)nitems(in_order); i++)
		for (int j = 0; j < (int)nitems(in_order); j++) {
			struct path a = path_of(in_order[i]);
			struct path b = path_of(in_order[j]);
			char in[64];

			a.wants_dir = true;
			snprintf(in, sizeof(in), "%s and %s", in_order[i],
			    in_order[j]);
			CHECK_INT(__LINE__, in, "order", sign(i - j),
			    sign(path_cmp(&a, &b)));
		}
}

static void
test_within(void **state)
{
	static const struct {
		int line;
		const char *path, *dir;
		bool want;
	} rows[] = {
		{ __LINE__, "", "", true },
		{ __LINE__, "a", "", true },
		{ __LINE__, "a", "a", true },
		{ __LINE__, "a/b", "a", true },
		{ __LINE__, "a/b/c", "a/b", true },
		{ __LINE__, "", "a", false },
		{ __LINE__, "a", "a/b", false },
		{ __LINE__, "ab", "a", false },
		{ __LINE__, "a b", "a", false },
		{ __LINE__, "uploads_backup/x", "uploads", false },
		{ __LINE__, "a/bc", "a/b", false },
		{ __LINE__, "b/a", "a", false },
		{ __LINE__, "a/c", "a/b", false },
		{ __LINE__, "A", "a", false },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct path p = path_of(rows[i].path);
		struct path dir = path_of(rows[i].dir);

		CHECK_INT(rows[i].line, rows[i].path, rows[i].dir, rows[i].want,
		    path_is_within(&p, &dir));
	}
}

static void
test_to_url(void **state)
{
	static const struct {
		int line;
		const char *in;
		bool wants_dir;
		const char *want;
	} rows[] = {
		{ __LINE__, "", false, "/" },
		{ __LINE__, "", true, "/" },
		{ __LINE__, "a", false, "/a" },
		{ __LINE__, "a/b", true, "/a/b/" },
		{ __LINE__, "AZaz09-._~", false, "/AZaz09-._~" },
		{ __LINE__, "b c", false, "/b%20c" },
		{ __LINE__, "50%", false, "/50%25" },
		{ __LINE__, "?#&+;=:@", false, "/%3F%23%26%2B%3B%3D%3A%40" },
		{ __LINE__, "a\\b", false, "/a%5Cb" },
		{ __LINE__, "a\n\"<", false, "/a%0A%22%3C" },
		{ __LINE__, "\xe7\xbd\x91/x", false, "/%E7%BD%91/x" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct path p = path_of(rows[i].in);
		size_t need = strlen(rows[i].want) + 1;

		p.wants_dir = rows[i].wants_dir;
		for (size_t cap = 0; cap < need + 3; cap++) {
			char *out = malloc(cap + 1);
			long len = path_to_url(&p, out, cap);

			if (cap < need) {
				CHECK_INT(rows[i].line, rows[i].in, "too small",
				    -ENOBUFS, len);
			} else {
				CHECK_INT(rows[i].line, rows[i].in, "length",
				    (intmax_t)need - 1, len);
				CHECK_STR(rows[i].line, rows[i].in, "URL",
				    rows[i].want, out);
			}
			free(out);
		}
	}
}

/* Names of chance go to a URL and come back. */
static void
test_there_and_back(void **state)
{
	struct rng rng = { 3 };
	char url[3 * LIM_PATH_BYTES + 2];

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct path p, back;
		char seg[40];
		size_t n = rng_below(&rng, 8), len;
		long url_len;

		path_init(&p);
		while (p.n < n) {
			len = 1 + rng_below(&rng, sizeof(seg));
			for (size_t i = 0; i < len; i++)
				do
					seg[i] = (char)rng_next(&rng);
				while ((unsigned char)seg[i] < 0x20 ||
				       seg[i] == 0x7f || seg[i] == '/');
			path_push(&p, seg, len);
		}
		p.wants_dir = n == 0 || rng_below(&rng, 2) == 0;
		url_len = path_to_url(&p, url, sizeof(url));
		assert_true(url_len > 0);
		assert_int_equal(
		    path_from_url(&back, url, (size_t)url_len), PATH_OK);
		assert_int_equal(path_cmp(&p, &back), 0);
		assert_int_equal(p.wants_dir, back.wants_dir);
		if (round < 20)
			seed_keep("fuzz_path", url, (size_t)url_len);
	}
}

static void
test_is_in_urls(void **state)
{
	static const struct {
		int line;
		const char *in;
		bool want;
	} rows[] = {
		{ __LINE__, "a", true },
		{ __LINE__, " \\%\"<", true },
		{ __LINE__, "\xe7\xbd\x91", true },
		{ __LINE__, "\x80\xff", true },
		{ __LINE__, "\x01", false },
		{ __LINE__, "a\n", false },
		{ __LINE__, "\x1f\x62", false },
		{ __LINE__, "a\x7f\x62", false },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK(rows[i].line, rows[i].in, "is in URLs",
		    path_is_in_urls(rows[i].in) == rows[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_in_urls),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_every_result_has_its_own_text),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_push_pop_append),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_to_url),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
