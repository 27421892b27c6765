#include "helper.h"

#include "http/query.h"

#define B(s) s, sizeof(s) - 1
#define ESCAPE "the query has a % without two hex digits"

/* The parameters, with a bar after each; or why there are none. */
static const char *
told(const char *in, size_t len)
{
	static char text[8192];
	static struct query q;
	char *copy = exact_copy(in, len), url[8192];
	const char *why;
	size_t n = 0;

	memcpy(url, "/?", 2);
	memcpy(url + 2, in, len);
	seed_keep("fuzz_http_uri", url, len + 2);
	memset(&q, 0x5a, sizeof(q));
	why = query_parse(&q, (struct str){ len > 0 ? copy : NULL, len });
	free(copy);
	if (why != NULL) {
		CHECK_U64(__LINE__, in, "parameters", 0, q.n);
		return why;
	}
	text[0] = '\0';
	for (unsigned i = 0; i < q.n; i++) {
		struct str name = q.param[i].name, value = q.param[i].value;

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s%s",
		    (int)name.len, name.p, value.p == NULL ? "" : "=");
		for (size_t k = 0; k < value.len; k++)
			text[n++] = value.p[k] == '\0' ? '0' : value.p[k];
		text[n++] = '|';
		text[n] = '\0';
	}
	return text;
}

static void
test_queries(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		{ __LINE__, B(""), "" },
		{ __LINE__, B("a=1"), "a=1|" },
		{ __LINE__, B("a=1&b&c=%20"), "a=1|b|c= |" },
		{ __LINE__, B("a=&b"), "a=|b|" },
		{ __LINE__, B("=v"), "=v|" },
		{ __LINE__, B("="), "=|" },
		{ __LINE__, B("a=b=c"), "a=b=c|" },
		{ __LINE__, B("a+b=c+d"), "a b=c d|" },
		{ __LINE__, B("a%2Bb=%2b"), "a+b=+|" },
		{ __LINE__, B("a%3Db=%26&%26"), "a=b=&|&|" },
		{ __LINE__, B("a;b=c"), "a;b=c|" },
		{ __LINE__, B("a?b=/"), "a?b=/|" },
		{ __LINE__, B("%e7%bd%91=\xe7\xbd\x91"),
		    "\xe7\xbd\x91=\xe7\xbd\x91|" },
		{ __LINE__, B("a=%00"), "a=0|" },
		/* decoded once */
		{ __LINE__, B("a=%2525"), "a=%25|" },
		{ __LINE__, B("%25%34%31"), "%41|" },
		/* twice the same: both are there */
		{ __LINE__, B("a=1&a=2"), "a=1|a=2|" },
		/* empty ones are passed over */
		{ __LINE__, B("&"), "" },
		{ __LINE__, B("&&a&&b&"), "a|b|" },
		/* refused, and all of it */
		{ __LINE__, B("%"), ESCAPE },
		{ __LINE__, B("%4"), ESCAPE },
		{ __LINE__, B("%4&1"), ESCAPE },
		{ __LINE__, B("%=41"), ESCAPE },
		{ __LINE__, B("%g1"), ESCAPE },
		{ __LINE__, B("%1g"), ESCAPE },
		{ __LINE__, B("%+1"), ESCAPE },
		{ __LINE__, B("%%41"), ESCAPE },
		{ __LINE__, B("%u0041"), ESCAPE },
		{ __LINE__, B("a=1&b=%"), ESCAPE },
		{ __LINE__, B("a=1&b=%4"), ESCAPE },
		{ __LINE__, B("a=1&%zz=b&c=2"), ESCAPE },
		{ __LINE__, B("a=%-1"), ESCAPE },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK_STR(rows[i].line, rows[i].in, "query", rows[i].want,
		    told(rows[i].in, rows[i].len));
}

static void
test_get(void **state)
{
	static struct query q;

	(void)state;
	assert_null(query_parse(&q, STR("json&sort=&sort=size&a%00b=1")));
	assert_true(query_has(&q, STR("json")));
	assert_null(query_get(&q, STR("json")).p);
	assert_true(query_has(&q, STR("sort")));
	assert_non_null(query_get(&q, STR("sort")).p);
	assert_int_equal(query_get(&q, STR("sort")).len, 0);
	assert_true(str_is(query_get(&q, STR("a\0b")), STR("1")));
	/* names are bytes */
	assert_false(query_has(&q, STR("JSON")));
	assert_false(query_has(&q, STR("jso")));
	assert_false(query_has(&q, STR("a")));
	assert_false(query_has(&q, STR("")));
	assert_null(query_get(&q, STR("size")).p);
	/* none of what was there before */
	assert_non_null(query_parse(&q, STR("json&%")));
	assert_false(query_has(&q, STR("json")));
	assert_null(query_parse(&q, (struct str){ NULL, 0 }));
	assert_int_equal(q.n, 0);
}

static void
test_limits(void **state)
{
	static char in[LIM_HTTP_QUERY_BYTES + 1], want[2 * sizeof(in)];
	char *at = in;

	(void)state;
	for (unsigned i = 0; i < LIM_HTTP_PARAMS; i++) {
		memcpy(at, "&a", 2);
		at += 2;
		memcpy(want + 2 * i, "a|", 3);
	}
	memcpy(at, "&&", 2);
	assert_string_equal(told(in, (size_t)(at - in)), want);
	assert_string_equal(told(in, (size_t)(at - in) + 2), want);
	at[1] = 'b';
	assert_string_equal(told(in, (size_t)(at - in) + 2),
	    "the query has too many parameters");

	memset(in, 'x', sizeof(in));
	memset(want, 'x', sizeof(in));
	memcpy(want + LIM_HTTP_QUERY_BYTES, "|", 2);
	assert_string_equal(told(in, LIM_HTTP_QUERY_BYTES), want);
	assert_string_equal(
	    told(in, LIM_HTTP_QUERY_BYTES + 1), "the query is too long");
	/* as it was written, not as it is decoded */
	memcpy(in, "%41", 3);
	assert_string_equal(
	    told(in, LIM_HTTP_QUERY_BYTES + 1), "the query is too long");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
