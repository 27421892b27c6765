#include "helper.h"

#include "http/str.h"

#define B(s) s, sizeof(s) - 1

static void
test_same(void **state)
{
	static const struct {
		int line;
		const char *a;
		size_t a_len;
		const char *b;
		size_t b_len;
		bool is, is_nocase;
	} rows[] = {
		{ __LINE__, B(""), B(""), true, true },
		{ __LINE__, NULL, 0, B(""), true, true },
		{ __LINE__, NULL, 0, NULL, 0, true, true },
		{ __LINE__, B("close"), B("close"), true, true },
		{ __LINE__, B("a\0b"), B("a\0b"), true, true },
		{ __LINE__, B("Close"), B("cLOSE"), false, true },
		{ __LINE__, B("AZaz09"), B("azAZ09"), false, true },
		{ __LINE__, B("close"), B("clos"), false, false },
		{ __LINE__, B("close"), B("closf"), false, false },
		{ __LINE__, B("a\0b"), B("a\0c"), false, false },
		{ __LINE__, B("x"), NULL, 0, false, false },
		/* neighbours of letters, and letters of other scripts, are none
		 */
		{ __LINE__, B("@"), B("`"), false, false },
		{ __LINE__, B("["), B("{"), false, false },
		{ __LINE__, B("-"), B("\r"), false, false },
		{ __LINE__, B("\xc4"), B("\xe4"), false, false },
		{ __LINE__, B("K"), B("\xe2\x84\xaa"), false, false },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct str a = { rows[i].a, rows[i].a_len };
		struct str b = { rows[i].b, rows[i].b_len };

		CHECK(
		    rows[i].line, rows[i].a, "is", str_is(a, b) == rows[i].is);
		CHECK(rows[i].line, rows[i].a, "is, turned round",
		    str_is(b, a) == rows[i].is);
		CHECK(rows[i].line, rows[i].a, "is_nocase",
		    str_is_nocase(a, b) == rows[i].is_nocase);
		CHECK(rows[i].line, rows[i].a, "is_nocase, turned round",
		    str_is_nocase(b, a) == rows[i].is_nocase);
	}
}

/* The elements with a bar after each. */
static void
test_elements(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		{ __LINE__, B("a"), "a|" },
		{ __LINE__, B("a,b"), "a|b|" },
		{ __LINE__, B(" a \t,\tb c "), "a|b c|" },
		{ __LINE__, B("\"a,b\", c"), "\"a,b\"|c|" },
		{ __LINE__, B("x=\"a,b\";q=1,c"), "x=\"a,b\";q=1|c|" },
		{ __LINE__, B("\"a\\\",b\",c"), "\"a\\\",b\"|c|" },
		{ __LINE__, B("\"a\\\\\",c"), "\"a\\\\\"|c|" },
		/* outside of quotes a backslash is a byte as others */
		{ __LINE__, B("a\\,b"), "a\\|b|" },
		/* empty ones */
		{ __LINE__, NULL, 0, "" },
		{ __LINE__, B(""), "" },
		{ __LINE__, B(" \t "), "" },
		{ __LINE__, B(","), "" },
		{ __LINE__, B(", ,\t,"), "" },
		{ __LINE__, B(",a"), "a|" },
		{ __LINE__, B("a,"), "a|" },
		{ __LINE__, B("a,,b"), "a|b|" },
		{ __LINE__, B("\"\",b"), "\"\"|b|" },
		/* a quote that nothing ends goes to the end */
		{ __LINE__, B("\"a,b"), "\"a,b|" },
		{ __LINE__, B("a\",b"), "a\",b|" },
		{ __LINE__, B("\"a\\"), "\"a\\|" },
		{ __LINE__, B("\"a\\\""), "\"a\\\"|" },
		/* other white space is none */
		{ __LINE__, B("\va\f"), "\va\f|" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);
		struct str rest = { rows[i].in == NULL ? NULL : in,
			rows[i].len };
		struct str element;
		char got[64] = "";
		size_t n = 0;

		while (str_next_element(&rest, &element)) {
			CHECK(rows[i].line, rows[i].in, "within the list",
			    element.len > 0 && element.p >= in &&
				element.p + element.len <= in + rows[i].len);
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%.*s|",
			    (int)element.len, element.p);
		}
		CHECK_STR(
		    rows[i].line, rows[i].in, "elements", rows[i].want, got);
		CHECK_U64(rows[i].line, rows[i].in, "left over", 0, rest.len);
		CHECK(rows[i].line, rows[i].in, "ends once more",
		    !str_next_element(&rest, &element));
		free(in);
	}
}

static void
test_list_has(void **state)
{
	static const struct {
		int line;
		const char *list;
		const char *token;
		bool want;
	} rows[] = {
		{ __LINE__, "close", "close", true },
		{ __LINE__, "keep-alive, Close", "close", true },
		{ __LINE__, " ,close ,x", "close", true },
		{ __LINE__, "x,CLOSE", "close", true },
		{ __LINE__, "", "close", false },
		{ __LINE__, ",,", "close", false },
		{ __LINE__, "closed", "close", false },
		{ __LINE__, "clos", "close", false },
		{ __LINE__, "not close", "close", false },
		{ __LINE__, "close;q=1", "close", false },
		{ __LINE__, "\"close\"", "close", false },
		{ __LINE__, "\"x,close\"", "close", false },
		{ __LINE__, "close\v", "close", false },
		{ __LINE__, "close", "", false },
		{ __LINE__, ",", "", false },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct str list = { rows[i].list, strlen(rows[i].list) };
		struct str token = { rows[i].token, strlen(rows[i].token) };

		CHECK(rows[i].line, rows[i].list, "has it",
		    str_list_has(list, token) == rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_list_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
