#include "helper.h"

#include "base/text.h"

#define B(s) s, sizeof(s) - 1

static void
test_utf8(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len, want;
		uint32_t cp;
	} rows[] = {
		{ __LINE__, B(""), 0, 0 },
		{ __LINE__, B("a"), 1, 'a' },
		{ __LINE__, B("\0"), 1, 0 },
		{ __LINE__, B("\x7f"), 1, 0x7f },
		{ __LINE__, B("\xc2\x80"), 2, 0x80 },
		{ __LINE__, B("\xdf\xbf"), 2, 0x7ff },
		{ __LINE__, B("\xe0\xa0\x80"), 3, 0x800 },
		{ __LINE__, B("\xe7\xbd\x91xyz"), 3, 0x7f51 },
		{ __LINE__, B("\xed\x9f\xbf"), 3, 0xd7ff },
		{ __LINE__, B("\xee\x80\x80"), 3, 0xe000 },
		{ __LINE__, B("\xef\xbf\xbf"), 3, 0xffff },
		{ __LINE__, B("\xf0\x90\x80\x80"), 4, 0x10000 },
		{ __LINE__, B("\xf4\x8f\xbf\xbf"), 4, 0x10ffff },
		/* a continuation with nothing before it */
		{ __LINE__, B("\x80"), 0, 0 },
		{ __LINE__, B("\xbf"), 0, 0 },
		/* overlong */
		{ __LINE__, B("\xc0\x80"), 0, 0 },
		{ __LINE__, B("\xc0\xaf"), 0, 0 },
		{ __LINE__, B("\xc1\xbf"), 0, 0 },
		{ __LINE__, B("\xe0\x80\xaf"), 0, 0 },
		{ __LINE__, B("\xe0\x9f\xbf"), 0, 0 },
		{ __LINE__, B("\xf0\x80\x80\xaf"), 0, 0 },
		{ __LINE__, B("\xf0\x8f\xbf\xbf"), 0, 0 },
		/* surrogates */
		{ __LINE__, B("\xed\xa0\x80"), 0, 0 },
		{ __LINE__, B("\xed\xbf\xbf"), 0, 0 },
		/* over U+10FFFF, and what begins no character at all */
		{ __LINE__, B("\xf4\x90\x80\x80"), 0, 0 },
		{ __LINE__, B("\xf5\x80\x80\x80"), 0, 0 },
		{ __LINE__, B("\xfe"), 0, 0 },
		{ __LINE__, B("\xff"), 0, 0 },
		/* cut short, or broken off */
		{ __LINE__, B("\xc2"), 0, 0 },
		{ __LINE__, B("\xe7\xbd"), 0, 0 },
		{ __LINE__, B("\xf0\x90\x80"), 0, 0 },
		{ __LINE__, B("\xc2\x41"), 0, 0 },
		{ __LINE__, B("\xe7\x41\x91"), 0, 0 },
		{ __LINE__, B("\xe7\xbd\xc2\x80"), 0, 0 },
		{ __LINE__, B("\xf0\x90\x80\x41"), 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);
		uint32_t cp = 0;

		CHECK_U64(rows[i].line, rows[i].in, "length", rows[i].want,
		    text_utf8(in, rows[i].len, &cp));
		CHECK_U64(rows[i].line, rows[i].in, "number", rows[i].cp, cp);
		CHECK_U64(rows[i].line, rows[i].in, "length, no number",
		    rows[i].want, text_utf8(in, rows[i].len, NULL));
		free(in);
	}
}

static void
test_is_utf8(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		bool want;
	} rows[] = {
		{ __LINE__, B(""), true },
		{ __LINE__, B("a\0\n\x7f"), true },
		{ __LINE__, B("\xe7\xbd\x91.\xc3\xa9\xf0\x9f\x92\xbe"), true },
		{ __LINE__, B("\xe2\x80\xae"), true },
		{ __LINE__, B("\xff"), false },
		{ __LINE__, B("a\xff"), false },
		{ __LINE__, B("\xffz"), false },
		{ __LINE__, B("\x80"), false },
		{ __LINE__, B("\xc3"), false },
		{ __LINE__, B("\xe7\xbd\x91\xe7\xbd"), false },
		{ __LINE__, B("\xc0\xaf"), false },
		{ __LINE__, B("a\xed\xa0\x80z"), false },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);

		CHECK_INT(rows[i].line, rows[i].in, "is UTF-8", rows[i].want,
		    text_is_utf8(in, rows[i].len));
		free(in);
	}
	assert_true(text_is_utf8(NULL, 0));
}

static void
test_is_shown(void **state)
{
	static const struct {
		int line;
		uint32_t first, last;
		bool want;
	} rows[] = {
		{ __LINE__, 0x0, 0x1f, false },
		{ __LINE__, 0x20, 0x7e, true },
		{ __LINE__, 0x7f, 0x9f, false },
		{ __LINE__, 0xa0, 0x61b, true },
		{ __LINE__, 0x61c, 0x61c, false },
		{ __LINE__, 0x61d, 0x200d, true },
		{ __LINE__, 0x200e, 0x200f, false },
		{ __LINE__, 0x2010, 0x2027, true },
		{ __LINE__, 0x2028, 0x202e, false },
		{ __LINE__, 0x202f, 0x2065, true },
		{ __LINE__, 0x2066, 0x2069, false },
		{ __LINE__, 0x206a, 0x10ffff, true },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		for (uint32_t cp = rows[i].first; cp <= rows[i].last; cp++)
			if (text_is_shown(cp) != rows[i].want)
				CHECK_U64(rows[i].line, "characters",
				    "the first that is not so", 0, cp);
}

static void
test_escape(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		{ __LINE__, B(""), "" },
		{ __LINE__, B("report 1.txt"), "report 1.txt" },
		{ __LINE__, B("\xe7\xbd\x91\xe7\x9b\x98"),
		    "\xe7\xbd\x91\xe7\x9b\x98" },
		{ __LINE__, B("\xf0\x9f\x92\xbe"), "\xf0\x9f\x92\xbe" },
		{ __LINE__, B("\xc2\xa0"), "\xc2\xa0" },
		{ __LINE__, B("a\0b"), "a\\x00b" },
		{ __LINE__, B("a\nb\rc\td"), "a\\x0ab\\x0dc\\x09d" },
		{ __LINE__, B("\x1f\x20~\x7f"), "\\x1f ~\\x7f" },
		{ __LINE__, B("\n\x1b]0;x\x07\x9b"),
		    "\\x0a\\x1b]0;x\\x07\\x9b" },
		{ __LINE__, B("a\\b"), "a\\x5cb" },
		{ __LINE__, B("\\x41"), "\\x5cx41" },
		/* C1, as UTF-8: each byte by itself */
		{ __LINE__, B("\xc2\x80\xc2\x9b\xc2\x9f"),
		    "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f" },
		/* invalid UTF-8 */
		{ __LINE__, B("\xff\xfe"), "\\xff\\xfe" },
		{ __LINE__, B("\xc0\xaf"), "\\xc0\\xaf" },
		{ __LINE__, B("\xed\xa0\x80"), "\\xed\\xa0\\x80" },
		{ __LINE__, B("\xe7\xbd"), "\\xe7\\xbd" },
		{ __LINE__,
		    B("\xe7\xbd"
		      "a"),
		    "\\xe7\\xbda" },
		/* bidirectional controls */
		{ __LINE__, B("exe.\xe2\x80\xaegpj"),
		    "exe.\\xe2\\x80\\xaegpj" },
		{ __LINE__, B("\xd8\x9c"), "\\xd8\\x9c" },
		{ __LINE__, B("\xe2\x80\x8e"), "\\xe2\\x80\\x8e" },
		{ __LINE__, B("\xe2\x80\x8f"), "\\xe2\\x80\\x8f" },
		{ __LINE__, B("\xe2\x80\xaa"), "\\xe2\\x80\\xaa" },
		{ __LINE__, B("\xe2\x81\xa6"), "\\xe2\\x81\\xa6" },
		{ __LINE__, B("\xe2\x81\xa9"), "\\xe2\\x81\\xa9" },
		/* line separators */
		{ __LINE__, B("\xe2\x80\xa8\xe2\x80\xa9"),
		    "\\xe2\\x80\\xa8\\xe2\\x80\\xa9" },
		/* their neighbours are shown */
		{ __LINE__,
		    B("\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf"),
		    "\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf" },
		{ __LINE__, B("\xe2\x81\xa5\xe2\x81\xaa"),
		    "\xe2\x81\xa5\xe2\x81\xaa" },
	};
	char out[128];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);

		CHECK_STR(rows[i].line, rows[i].want, "escaped", rows[i].want,
		    text_escape(out, sizeof(out), in, rows[i].len));
		free(in);
	}
}

/* Whatever the room: what is shown is a whole beginning, then the dots. */
static void
test_escape_cuts(void **state)
{
	static const struct {
		int line;
		size_t cap;
		const char *in, *want;
	} rows[] = {
		{ __LINE__, 1, "abc", "" },
		{ __LINE__, 1, "", "" },
		{ __LINE__, 2, "abc", "." },
		{ __LINE__, 3, "abc", ".." },
		{ __LINE__, 4, "abc", "abc" },
		{ __LINE__, 4, "abcd", "..." },
		{ __LINE__, 5, "abcd", "abcd" },
		{ __LINE__, 5, "abcde", "a..." },
		{ __LINE__, 8, "abc\n", "abc\\x0a" },
		{ __LINE__, 7, "abc\n", "abc..." },
		{ __LINE__, 8, "abc\n\n", "abc..." },
		{ __LINE__, 8, "\xe7\xbd\x91\xe7\x9b\x98x",
		    "\xe7\xbd\x91\xe7\x9b\x98x" },
		{ __LINE__, 7, "\xe7\xbd\x91\xe7\x9b\x98x", "\xe7\xbd\x91..." },
		{ __LINE__, 6, "\xe7\xbd\x91\xe7\x9b\x98x", "..." },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *out = malloc(rows[i].cap);

		CHECK_STR(rows[i].line, rows[i].in, "cut", rows[i].want,
		    text_escape(
			out, rows[i].cap, rows[i].in, strlen(rows[i].in)));
		free(out);
	}
	/* No room at all: nothing is touched. */
	assert_null(text_escape(NULL, 0, "abc", 3));
}

/* Any bytes, any room: no control byte comes out, and the length holds. */
static void
test_escape_of_chance(void **state)
{
	struct rng rng = { 2 };

	(void)state;
	for (int round = 0; round < 20000; round++) {
		unsigned char in[64];
		size_t len = rng_below(&rng, sizeof(in) + 1);
		size_t cap = 1 + rng_below(&rng, 300);
		char *out = malloc(cap);

		for (size_t i = 0; i < len; i++)
			in[i] = (unsigned char)rng_next(&rng);
		text_escape(out, cap, in, len);
		assert_true(strlen(out) < cap);
		for (const char *p = out; *p != '\0';) {
			uint32_t cp;
			size_t n = text_utf8(p, strlen(p), &cp);

			assert_true(n > 0);
			assert_true(cp >= 0x20 && (cp < 0x7f || cp > 0x9f));
			p += n;
		}
		free(out);
	}
}

static void
test_hex(void **state)
{
	char out[9] = "????????";

	(void)state;
	text_hex(out, "\x00\x9a\xbc\xff", 4);
	assert_string_equal(out, "009abcff");
	text_hex(out, "", 0);
	assert_string_equal(out, "");
}

static void
test_to_u64(void **state)
{
	static const struct {
		int line;
		const char *in;
		uint64_t min, max;
		bool want;
		uint64_t value;
	} rows[] = {
		{ __LINE__, "0", 0, 9, true, 0 },
		{ __LINE__, "9", 0, 9, true, 9 },
		{ __LINE__, "10", 0, 9, false, 0 },
		{ __LINE__, "1", 2, 9, false, 0 },
		{ __LINE__, "2", 2, 9, true, 2 },
		{ __LINE__, "007", 0, 9, true, 7 },
		{ __LINE__, "18446744073709551615", 0, UINT64_MAX, true,
		    UINT64_MAX },
		{ __LINE__, "18446744073709551616", 0, UINT64_MAX, false, 0 },
		{ __LINE__, "99999999999999999999", 0, UINT64_MAX, false, 0 },
		{ __LINE__, "184467440737095516150", 0, UINT64_MAX, false, 0 },
		{ __LINE__, "", 0, 9, false, 0 },
		{ __LINE__, " 1", 0, 9, false, 0 },
		{ __LINE__, "1 ", 0, 9, false, 0 },
		{ __LINE__, "+1", 0, 9, false, 0 },
		{ __LINE__, "-1", 0, UINT64_MAX, false, 0 },
		{ __LINE__, "-0", 0, 9, false, 0 },
		{ __LINE__, "0x5", 0, 9, false, 0 },
		{ __LINE__, "1k", 0, 9, false, 0 },
		{ __LINE__, "1.0", 0, 9, false, 0 },
		{ __LINE__, "\xef\xbc\x91", 0, 9, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		uint64_t v = 4711;

		CHECK_INT(rows[i].line, rows[i].in, "result", rows[i].want,
		    text_to_u64(rows[i].in, rows[i].min, rows[i].max, &v));
		CHECK_U64(rows[i].line, rows[i].in, "value",
		    rows[i].want ? rows[i].value : 4711, v);
	}
}

static void
test_size(void **state)
{
	static const struct {
		int line;
		uint64_t in;
		const char *want;
	} rows[] = {
		{ __LINE__, 0, "0 B" },
		{ __LINE__, 999, "999 B" },
		{ __LINE__, 1023, "1023 B" },
		{ __LINE__, 1024, "1.0 KiB" },
		{ __LINE__, 1536, "1.5 KiB" },
		{ __LINE__, 1996, "1.9 KiB" },
		{ __LINE__, 1997, "2.0 KiB" },
		{ __LINE__, 1048524, "1023.9 KiB" },
		{ __LINE__, 1048525, "1.0 MiB" },
		{ __LINE__, 1048576, "1.0 MiB" },
		{ __LINE__, 1572864, "1.5 MiB" },
		{ __LINE__, (uint64_t)5 << 30, "5.0 GiB" },
		{ __LINE__, ((uint64_t)1 << 40) - 1, "1.0 TiB" },
		{ __LINE__, (uint64_t)3 << 50, "3.0 PiB" },
		{ __LINE__, (uint64_t)1 << 60, "1.0 EiB" },
		{ __LINE__, UINT64_MAX, "16.0 EiB" },
	};
	char out[16], in[32];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		snprintf(in, sizeof(in), "%" PRIu64, rows[i].in);
		CHECK_STR(rows[i].line, in, "size", rows[i].want,
		    text_size(out, sizeof(out), rows[i].in));
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
		{ __LINE__, 0, "0:00" },
		{ __LINE__, 59, "0:59" },
		{ __LINE__, 60, "1:00" },
		{ __LINE__, 187, "3:07" },
		{ __LINE__, 3599, "59:59" },
		{ __LINE__, 3600, "1:00:00" },
		{ __LINE__, 3723, "1:02:03" },
		{ __LINE__, 360000, "100:00:00" },
		{ __LINE__, UINT64_MAX, "5124095576030431:00:15" },
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK_STR(rows[i].line, rows[i].want, "duration", rows[i].want,
		    text_duration(out, sizeof(out), rows[i].in));
}

static void
test_host_port(void **state)
{
	static const struct {
		int line;
		const char *in;
		bool want;
		const char *host;
		uint16_t port;
	} rows[] = {
		{ __LINE__, "127.0.0.1:8686", true, "127.0.0.1", 8686 },
		{ __LINE__, "disk.example:80", true, "disk.example", 80 },
		{ __LINE__, "[::1]:8686", true, "::1", 8686 },
		{ __LINE__, "[fe80::1%eth0]:1", true, "fe80::1%eth0", 1 },
		{ __LINE__, "h:0", true, "h", 0 },
		{ __LINE__, "h:65535", true, "h", 65535 },
		{ __LINE__, "fifteen.bytes15:1", true, "fifteen.bytes15", 1 },
		{ __LINE__, "sixteen.bytes.16:1", false, "", 0 },
		{ __LINE__, "h:65536", false, "", 0 },
		{ __LINE__, "h:000080", false, "", 0 },
		{ __LINE__, "h:", false, "", 0 },
		{ __LINE__, "h:-1", false, "", 0 },
		{ __LINE__, "h:80 ", false, "", 0 },
		{ __LINE__, "h:http", false, "", 0 },
		{ __LINE__, "h", false, "", 0 },
		{ __LINE__, "", false, "", 0 },
		{ __LINE__, ":80", false, "", 0 },
		{ __LINE__, "::1:80", false, "", 0 },
		{ __LINE__, "[::1]", false, "", 0 },
		{ __LINE__, "[::1]80", false, "", 0 },
		{ __LINE__, "[::1:80", false, "", 0 },
		{ __LINE__, "[]:80", false, "", 0 },
		{ __LINE__, "::1]:80", false, "", 0 },
		{ __LINE__, "[[::1]]:80", false, "", 0 },
		{ __LINE__, "a b:80", false, "", 0 },
		{ __LINE__, "a/b:80", false, "", 0 },
		{ __LINE__, "a@b:80", false, "", 0 },
		{ __LINE__, "a\n:80", false, "", 0 },
		{ __LINE__, "\xe7\xbd\x91:80", false, "", 0 },
		{ __LINE__, "[a b]:80", false, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char host[16] = "before";
		uint16_t port = 0;

		CHECK_INT(rows[i].line, rows[i].in, "result", rows[i].want,
		    text_host_port(rows[i].in, host, sizeof(host), &port));
		CHECK_STR(rows[i].line, rows[i].in, "host", rows[i].host, host);
		CHECK_U64(rows[i].line, rows[i].in, "port", rows[i].port, port);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_is_utf8),
		cmocka_unit_test(test_is_shown),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_cuts),
		cmocka_unit_test(test_escape_of_chance),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_to_u64),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_host_port),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
