#include "helper.h"

#include <errno.h>

#include "http/escape.h"

#define B(s) s, sizeof(s) - 1

#define FFFD "\xef\xbf\xbd"

typedef int escape(struct buf *, struct str);

static const struct {
	const char *name;
	escape *escape;
	size_t max;
} escapes[] = {
	{ "html", escape_html, ESCAPE_HTML_MAX },
	{ "json", escape_json, ESCAPE_JSON_MAX },
	{ "url", escape_url, ESCAPE_URL_MAX },
	{ "log", escape_log, ESCAPE_LOG_MAX },
};

static void
test_each_in_its_place(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *html, *json, *url, *log;
	} rows[] = {
		{ __LINE__, B(""), "", "", "", "" },
		{ __LINE__, B("plain-1.2_3~"), "plain-1.2_3~", "plain-1.2_3~",
		    "plain-1.2_3~", "plain-1.2_3~" },
		{ __LINE__, B("a b"), "a b", "a b", "a%20b", "a b" },
		{ __LINE__, B("~a"), "~a", "~a", "~a", "~a" },
		{ __LINE__, B("\xe7\xbd\x91"), "\xe7\xbd\x91", "\xe7\xbd\x91",
		    "%E7%BD%91", "\\xE7\\xBD\\x91" },
		{ __LINE__, B("\xf0\x9f\x92\xbe"), "\xf0\x9f\x92\xbe",
		    "\xf0\x9f\x92\xbe", "%F0%9F%92%BE",
		    "\\xF0\\x9F\\x92\\xBE" },
		/* markup */
		{ __LINE__, B("<img src=x onerror=alert(1)>"),
		    "&lt;img src=x onerror=alert(1)&gt;",
		    "\\u003Cimg src=x onerror=alert(1)\\u003E",
		    "%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E",
		    "<img src=x onerror=alert(1)>" },
		{ __LINE__, B("\"><"), "&quot;&gt;&lt;", "\\\"\\u003E\\u003C",
		    "%22%3E%3C", "\\x22><" },
		{ __LINE__, B("'&amp;"), "&#39;&amp;amp;", "\\u0027\\u0026amp;",
		    "%27%26amp%3B", "'&amp;" },
		{ __LINE__, B("</script>"), "&lt;/script&gt;",
		    "\\u003C/script\\u003E", "%3C%2Fscript%3E", "</script>" },
		{ __LINE__, B("\\u003c"), "\\u003c", "\\\\u003c", "%5Cu003c",
		    "\\x5Cu003c" },
		{ __LINE__, B("a\\"), "a\\", "a\\\\", "a%5C", "a\\x5C" },
		/* URLs */
		{ __LINE__, B("javascript:alert(1)"), "javascript:alert(1)",
		    "javascript:alert(1)", "javascript%3Aalert%281%29",
		    "javascript:alert(1)" },
		{ __LINE__, B("//evil/?a=b&c#d"), "//evil/?a=b&amp;c#d",
		    "//evil/?a=b\\u0026c#d", "%2F%2Fevil%2F%3Fa%3Db%26c%23d",
		    "//evil/?a=b&c#d" },
		{ __LINE__, B("100%"), "100%", "100%", "100%25", "100%" },
		{ __LINE__, B("%41+"), "%41+", "%41+", "%2541%2B", "%41+" },
		{ __LINE__, B("@:$!*(),;"), "@:$!*(),;", "@:$!*(),;",
		    "%40%3A%24%21%2A%28%29%2C%3B", "@:$!*(),;" },
		/* control characters */
		{ __LINE__, B("a\0b"), "a" FFFD "b", "a\\u0000b", "a%00b",
		    "a\\x00b" },
		{ __LINE__, B("a\r\nX: y"), "a" FFFD FFFD "X: y",
		    "a\\u000D\\u000AX: y", "a%0D%0AX%3A%20y",
		    "a\\x0D\\x0AX: y" },
		{ __LINE__, B("\t\x1b[0m\x7f"), FFFD FFFD "[0m" FFFD,
		    "\\u0009\\u001B[0m\\u007F", "%09%1B%5B0m%7F",
		    "\\x09\\x1B[0m\\x7F" },
		{ __LINE__, B("\xc2\x85\xc2\x9b"), FFFD FFFD, "\\u0085\\u009B",
		    "%C2%85%C2%9B", "\\xC2\\x85\\xC2\\x9B" },
		/* what steers the direction of text, and line separators */
		{ __LINE__, B("exe.\xe2\x80\xaegpj"), "exe." FFFD "gpj",
		    "exe.\\u202Egpj", "exe.%E2%80%AEgpj",
		    "exe.\\xE2\\x80\\xAEgpj" },
		{ __LINE__, B("\xe2\x81\xa6\xe2\x81\xa9\xd8\x9c"),
		    FFFD FFFD FFFD, "\\u2066\\u2069\\u061C",
		    "%E2%81%A6%E2%81%A9%D8%9C",
		    "\\xE2\\x81\\xA6\\xE2\\x81\\xA9\\xD8\\x9C" },
		{ __LINE__, B("\xe2\x80\xa8"), FFFD, "\\u2028", "%E2%80%A8",
		    "\\xE2\\x80\\xA8" },
		/* no UTF-8 */
		{ __LINE__, B("\xff"), FFFD, FFFD, "%FF", "\\xFF" },
		{ __LINE__, B("a\xe7\xbd"), "a" FFFD FFFD, "a" FFFD FFFD,
		    "a%E7%BD", "a\\xE7\\xBD" },
		{ __LINE__, B("\xc0\xbc"), FFFD FFFD, FFFD FFFD, "%C0%BC",
		    "\\xC0\\xBC" },
		{ __LINE__, B("\xed\xa0\x80"), FFFD FFFD FFFD, FFFD FFFD FFFD,
		    "%ED%A0%80", "\\xED\\xA0\\x80" },
		{ __LINE__, B("\xe7<"), FFFD "&lt;", FFFD "\\u003C", "%E7%3C",
		    "\\xE7<" },
		{ __LINE__, B("\xc2\""), FFFD "&quot;", FFFD "\\\"", "%C2%22",
		    "\\xC2\\x22" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		const char *want[] = { rows[i].html, rows[i].json, rows[i].url,
			rows[i].log };
		char *in = exact_copy(rows[i].in, rows[i].len);
		struct str s = { in, rows[i].len };

		for (size_t j = 0; j < nitems(escapes); j++) {
			char mem[128] = { 0 };
			struct buf b;

			buf_init(&b, mem, sizeof(mem) - 1);
			CHECK_INT(rows[i].line, rows[i].in, "result", 0,
			    escapes[j].escape(&b, s));
			CHECK_STR(rows[i].line, rows[i].in, escapes[j].name,
			    want[j], mem);
			CHECK_U64(rows[i].line, rows[i].in, "length",
			    strlen(want[j]), buf_len(&b));
		}
		free(in);
	}
}

/* One byte too few, and nothing is changed; no byte becomes more than it is
 * said to. */
static void
test_all_or_nothing(void **state)
{
	char mem[8 + 256 * 6], in[256];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)i;
	for (size_t j = 0; j < nitems(escapes); j++) {
		size_t need;
		struct buf b;

		buf_init(&b, mem, sizeof(mem));
		assert_int_equal(
		    escapes[j].escape(&b, (struct str){ in, sizeof(in) }), 0);
		need = buf_len(&b);
		for (size_t cap = 0; cap <= need; cap++) {
			buf_init(&b, mem, 8 + cap);
			buf_put(&b, "12345678", 8);
			buf_drop(&b, 4);
			CHECK_INT(cap, escapes[j].name, "result",
			    cap < need ? -ENOBUFS : 0,
			    escapes[j].escape(
				&b, (struct str){ in, sizeof(in) }));
			CHECK_U64(cap, escapes[j].name, "length",
			    cap < need ? 4 : 4 + need, buf_len(&b));
			CHECK_MEM(cap, escapes[j].name, "before", "5678", 4,
			    buf_head(&b), 4);
		}
		for (size_t i = 0; i < sizeof(in); i++) {
			buf_init(&b, mem, sizeof(mem));
			escapes[j].escape(&b, (struct str){ in + i, 1 });
			CHECK(i, escapes[j].name, "at most its maximum",
			    buf_len(&b) <= escapes[j].max);
		}
	}
}

static void
test_nothing_into_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	for (size_t j = 0; j < nitems(escapes); j++) {
		assert_int_equal(
		    escapes[j].escape(&b, (struct str){ NULL, 0 }), 0);
		assert_int_equal(escapes[j].escape(&b, STR("\n")), -ENOBUFS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_in_its_place),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_nothing_into_nothing),
	};

	return cmocka_run_group_tests_name("http_escape", tests, NULL, NULL);
}
