#include "helper.h"

#include <errno.h>

#include "client/url.h"

static const struct {
	int line;
	const char *in;
	const char *host;
	unsigned port;
	const char *path; /* "." is the root */
} good[] = {
	{ __LINE__, "train://h", "h", 8686, "." },
	{ __LINE__, "train://h/", "h", 8686, "." },
	{ __LINE__, "TRAIN://h/", "h", 8686, "." },
	{ __LINE__, "train://h:1/", "h", 1, "." },
	{ __LINE__, "train://h:65535", "h", 65535, "." },
	{ __LINE__, "train://h/a", "h", 8686, "a" },
	{ __LINE__, "train://h/a/b/", "h", 8686, "a/b" },
	{ __LINE__, "train://127.0.0.1:9/a", "127.0.0.1", 9, "a" },
	{ __LINE__, "train://[::1]/a", "::1", 8686, "a" },
	{ __LINE__, "train://[::1]:9/a", "::1", 9, "a" },
	{ __LINE__, "train://[fe80::1%eth0]:9", "fe80::1%eth0", 9, "." },
	{ __LINE__, "train://h/a%20b", "h", 8686, "a b" },
	{ __LINE__, "train://h/a%25b", "h", 8686, "a%b" },
	{ __LINE__, "train://h/a%252e", "h", 8686, "a%2e" },
	{ __LINE__, "train://h/a%3Fb%23", "h", 8686, "a?b#" },
	{ __LINE__, "train://h/a:b@c", "h", 8686, "a:b@c" },
	{ __LINE__, "train://h/\xe7\xbd\x91", "h", 8686, "\xe7\xbd\x91" },
};

static const struct {
	int line;
	const char *in;
} bad[] = {
	{ __LINE__, "" },
	{ __LINE__, "h" },
	{ __LINE__, "/a" },
	{ __LINE__, "train:" },
	{ __LINE__, "train:/h" },
	{ __LINE__, "train://" },
	{ __LINE__, "train:///" },
	{ __LINE__, "train:///a" },
	{ __LINE__, "http://h/" },
	{ __LINE__, " train://h/" },
	{ __LINE__, "train://:1/" },
	{ __LINE__, "train://h:" },
	{ __LINE__, "train://h:/" },
	{ __LINE__, "train://h:0/" },
	{ __LINE__, "train://h:65536/" },
	{ __LINE__, "train://h:99999999999999999999/" },
	{ __LINE__, "train://h:+1/" },
	{ __LINE__, "train://h: 1/" },
	{ __LINE__, "train://h:1x/" },
	{ __LINE__, "train://h:-1/" },
	{ __LINE__, "train://h:1:2/" },
	{ __LINE__, "train://::1/" },
	{ __LINE__, "train://[::1/" },
	{ __LINE__, "train://[]/" },
	{ __LINE__, "train://[::1]x/" },
	{ __LINE__, "train://[::1]:x/" },
	{ __LINE__, "train://[[::1]]/" },
	{ __LINE__, "train://[h]/" },
	{ __LINE__, "train://[127.0.0.1]/" },
	{ __LINE__, "train://h]/" },
	{ __LINE__, "train://u@h/" },
	{ __LINE__, "train://u:p@h/" },
	{ __LINE__, "train://h h/" },
	{ __LINE__, "train://h\x1b/" },
	{ __LINE__, "train://h\x7f/" },
	{ __LINE__, "train://h?q" },
	{ __LINE__, "train://h#f" },
	{ __LINE__, "train://h/a?q" },
	{ __LINE__, "train://h/a#f" },
	{ __LINE__, "train://h//" },
	{ __LINE__, "train://h/a//b" },
	{ __LINE__, "train://h/." },
	{ __LINE__, "train://h/a/../b" },
	{ __LINE__, "train://h/%2e%2e/b" },
	{ __LINE__, "train://h/..%2fb" },
	{ __LINE__, "train://h/a%2fb" },
	{ __LINE__, "train://h/a%00" },
	{ __LINE__, "train://h/a%0a" },
	{ __LINE__, "train://h/a%" },
	{ __LINE__, "train://h/a%2" },
	{ __LINE__, "train://h/a%zz" },
	{ __LINE__, "train://h/.netpan" },
	{ __LINE__, "train://h/a/.netpan/b" },
	{ __LINE__, "train://h/%2enetpan" },
	{ __LINE__, "train://h/a\x01" },
};

static void
test_good(void **state)
{
	struct url url;
	const char *reason;

	(void)state;
	for (size_t i = 0; i < nitems(good); i++) {
		reason = "";
		CHECK_INT(good[i].line, good[i].in, reason, 0,
		    url_parse(&url, good[i].in, &reason));
		CHECK_STR(
		    good[i].line, good[i].in, "host", good[i].host, url.host);
		CHECK_U64(
		    good[i].line, good[i].in, "port", good[i].port, url.port);
		CHECK_STR(good[i].line, good[i].in, "path", good[i].path,
		    path_string(&url.path));
	}
}

static void
test_bad(void **state)
{
	struct url url;
	const char *reason;

	(void)state;
	for (size_t i = 0; i < nitems(bad); i++) {
		char *in = exact_copy(bad[i].in, strlen(bad[i].in) + 1);

		reason = NULL;
		CHECK_INT(bad[i].line, bad[i].in, "result", -EINVAL,
		    url_parse(&url, in, &reason));
		CHECK(bad[i].line, bad[i].in, "a reason is given",
		    reason != NULL && *reason != '\0');
		free(in);
	}
}

/* Where a guess at what was meant helps. */
static void
test_reasons(void **state)
{
	static const struct {
		int line;
		const char *in;
		const char *want;
	} rows[] = {
		{ __LINE__, "train://::1/a",
		    "an IPv6 address stands in brackets" },
		{ __LINE__, "train://fe80::1/a",
		    "an IPv6 address stands in brackets" },
		{ __LINE__, "train://2001:db8::1:8686",
		    "an IPv6 address stands in brackets" },
		{ __LINE__, "train://[localhost]:1/a",
		    "in brackets stands an IPv6 address" },
		{ __LINE__, "train://h:65536/a",
		    "a port is a number from 1 to 65535" },
		{ __LINE__, "train:///a", "the address names no host" },
		{ __LINE__, "h/a", "an address begins with train://" },
	};
	struct url url;
	const char *reason;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		reason = "";
		CHECK_INT(rows[i].line, rows[i].in, "result", -EINVAL,
		    url_parse(&url, rows[i].in, &reason));
		CHECK_STR(
		    rows[i].line, rows[i].in, "reason", rows[i].want, reason);
	}
}

/* At each limit and one past it. */
static void
test_limits(void **state)
{
	char in[LIM_PATH_BYTES + 64];
	struct url url;
	const char *reason;

	(void)state;
	for (size_t len = URL_HOST_MAX; len <= URL_HOST_MAX + 1; len++) {
		memcpy(in, "train://", 8);
		memset(in + 8, 'h', len);
		strcpy(in + 8 + len, "/a");
		CHECK_INT(__LINE__, in, "host",
		    len == URL_HOST_MAX ? 0 : -EINVAL,
		    url_parse(&url, in, &reason));
	}
	for (size_t len = LIM_SEG_BYTES; len <= LIM_SEG_BYTES + 1; len++) {
		memcpy(in, "train://h/", 10);
		memset(in + 10, 'a', len);
		in[10 + len] = '\0';
		CHECK_INT(__LINE__, in, "segment",
		    len == LIM_SEG_BYTES ? 0 : -EINVAL,
		    url_parse(&url, in, &reason));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
