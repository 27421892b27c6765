#include "helper.h"

#include "http/etag.h"

/* The file that every condition here is held against. */
#define ETAG "\"a-b-c\""
#define MTIME 784111777
#define MTIME_DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct cond_of file = {
	.exists = true,
	.etag = { ETAG, sizeof(ETAG) - 1 },
	.has_mtime = true,
	.mtime = MTIME,
	.now = MTIME + 1000,
};
static const struct cond_of folder = { .exists = true, .now = MTIME + 1000 };
static const struct cond_of nothing = { .now = MTIME + 1000 };

static const char *const result_names[] = {
	[COND_GO_ON] = "go on",
	[COND_NOT_MODIFIED] = "304",
	[COND_FAILED] = "412",
};

/* The head of a request with these lines; *text is where it is. */
static void
parse(struct head *h, const char *method, const char *lines, char **text)
{
	size_t scanned = 0, len;
	char whole[4096];

	len = (size_t)snprintf(whole, sizeof(whole),
	    "%s /a HTTP/1.1\r\nHost: x\r\n%s\r\n", method, lines);
	assert_true(len < sizeof(whole));
	*text = exact_copy(whole, len);
	CHECK_INT(__LINE__, whole, "is a head", HEAD_OK,
	    head_parse(h, *text, len, &scanned));
}

static void
test_etags(void **state)
{
	static const struct {
		int line;
		uint64_t ino, size;
		int64_t mtime;
		const char *want;
	} rows[] = {
		{ __LINE__, 0, 0, 0, "\"0-0-0\"" },
		{ __LINE__, 1, 15, 16, "\"1-f-10\"" },
		{ __LINE__, 0xabcdef, 1, INT64_C(0x17f0123456789abc),
		    "\"abcdef-1-17f0123456789abc\"" },
		{ __LINE__, UINT64_MAX, UINT64_MAX, -1,
		    "\"ffffffffffffffff-ffffffffffffffff-ffffffffffffffff\"" },
		{ __LINE__, UINT64_C(1) << 63, 1 << 4, INT64_MIN,
		    "\"8000000000000000-10-8000000000000000\"" },
	};
	char out[ETAG_MAX];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		size_t len = etag_format(
		    out, rows[i].ino, rows[i].size, rows[i].mtime);

		CHECK_STR(
		    rows[i].line, rows[i].want, "etag", rows[i].want, out);
		CHECK_U64(
		    rows[i].line, rows[i].want, "length", strlen(out), len);
	}
}

static void
test_conditions(void **state)
{
	static const struct {
		int line;
		const char *method;
		const struct cond_of *of;
		const char *in;
		enum cond_result want;
	} rows[] = {
		{ __LINE__, "GET", &file, "", COND_GO_ON },
		{ __LINE__, "GET", &nothing, "", COND_GO_ON },
		/* If-Match */
		{ __LINE__, "GET", &file, "If-Match: " ETAG "\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &file, "If-Match: " ETAG "\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &file, "If-Match: *\r\n", COND_GO_ON },
		{ __LINE__, "PUT", &folder, "If-Match: *\r\n", COND_GO_ON },
		{ __LINE__, "PUT", &file, "If-Match: \"x\", " ETAG "\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &file,
		    "If-Match: \"x\"\r\nIf-Match: " ETAG "\r\n", COND_GO_ON },
		{ __LINE__, "PUT", &file,
		    "If-Match:\r\nIf-Match: ,," ETAG " ,\r\n", COND_GO_ON },
		{ __LINE__, "PUT", &file, "If-Match: \"a,b\\\"," ETAG "\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &file, "If-Match: \"\"," ETAG "\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &file, "If-Match: \"\xff\"," ETAG "\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &nothing, "If-Match: *\r\n", COND_FAILED },
		{ __LINE__, "PUT", &nothing, "If-Match: " ETAG "\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &folder, "If-Match: " ETAG "\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &folder, "If-Match: \"\"\r\n", COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: \"x\"\r\n", COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: W/" ETAG "\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: \"A-b-c\"\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: \"a-b-\"\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: \"a-b-c-d\"\r\n",
		    COND_FAILED },
		/* no list of tags, also where one in it is the one */
		{ __LINE__, "GET", &file, "If-Match:\r\n", COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: ,\r\n", COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: a-b-c\r\n", COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: " ETAG ", *\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: *, " ETAG "\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: **\r\n", COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: *\r\nIf-Match: *\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file,
		    "If-Match: " ETAG "\r\nIf-Match: *\r\n", COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: " ETAG " \"x\"\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: " ETAG "\"x\"\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: " ETAG "x\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: " ETAG ", \"x\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: " ETAG ", x\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: \"a b\", " ETAG "\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: w/\"x\", " ETAG "\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: W \"x\", " ETAG "\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: W/, " ETAG "\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: W, " ETAG "\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Match: \"\r\n", COND_FAILED },
		/* If-Unmodified-Since, only without If-Match */
		{ __LINE__, "PUT", &file,
		    "If-Unmodified-Since: " MTIME_DATE "\r\n", COND_GO_ON },
		{ __LINE__, "PUT", &file, "If-Unmodified-Since: " LATER "\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &file,
		    "If-Unmodified-Since: " EARLIER "\r\n", COND_FAILED },
		{ __LINE__, "GET", &file,
		    "If-Unmodified-Since: " EARLIER "\r\n", COND_FAILED },
		{ __LINE__, "GET", &file,
		    "If-Unmodified-Since: Sun Nov  6 08:49:36 1994\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file,
		    "If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file, "If-Unmodified-Since: never\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &file, "If-Unmodified-Since:\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &folder,
		    "If-Unmodified-Since: " EARLIER "\r\n", COND_GO_ON },
		{ __LINE__, "PUT", &nothing,
		    "If-Unmodified-Since: " EARLIER "\r\n", COND_GO_ON },
		{ __LINE__, "PUT", &file,
		    "If-Match: *\r\nIf-Unmodified-Since: " EARLIER "\r\n",
		    COND_GO_ON },
		/* If-None-Match */
		{ __LINE__, "GET", &file, "If-None-Match: " ETAG "\r\n",
		    COND_NOT_MODIFIED },
		{ __LINE__, "HEAD", &file, "If-None-Match: " ETAG "\r\n",
		    COND_NOT_MODIFIED },
		{ __LINE__, "GET", &file, "If-None-Match: W/" ETAG "\r\n",
		    COND_NOT_MODIFIED },
		{ __LINE__, "GET", &file, "If-None-Match: *\r\n",
		    COND_NOT_MODIFIED },
		{ __LINE__, "GET", &folder, "If-None-Match: *\r\n",
		    COND_NOT_MODIFIED },
		{ __LINE__, "GET", &file,
		    "If-None-Match: \"x\", W/\"y\"\t,\t" ETAG "\r\n",
		    COND_NOT_MODIFIED },
		{ __LINE__, "GET", &file,
		    "If-None-Match: " ETAG "\r\nIf-None-Match: \"x\"\r\n",
		    COND_NOT_MODIFIED },
		{ __LINE__, "PUT", &file, "If-None-Match: *\r\n", COND_FAILED },
		{ __LINE__, "PUT", &file, "If-None-Match: " ETAG "\r\n",
		    COND_FAILED },
		{ __LINE__, "PUT", &nothing, "If-None-Match: *\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &nothing, "If-None-Match: " ETAG "\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &file, "If-None-Match: \"x\"\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &file, "If-None-Match: \"x\"\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &folder, "If-None-Match: " ETAG "\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &folder, "If-None-Match: \"\"\r\n",
		    COND_GO_ON },
		/* no list of tags: reading goes on, writing does not */
		{ __LINE__, "GET", &file, "If-None-Match:\r\n", COND_GO_ON },
		{ __LINE__, "HEAD", &file, "If-None-Match: a-b-c\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &file, "If-None-Match: " ETAG ", *\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &file, "If-None-Match: " ETAG ", \"x\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &file, "If-None-Match:\r\n", COND_FAILED },
		{ __LINE__, "PUT", &file, "If-None-Match: a-b-c\r\n",
		    COND_FAILED },
		{ __LINE__, "PUT", &nothing, "If-None-Match: x\r\n",
		    COND_FAILED },
		{ __LINE__, "DELETE", &file, "If-None-Match: \"*\r\n",
		    COND_FAILED },
		{ __LINE__, "PUT", &file, "If-None-Match: \"x\", *\r\n",
		    COND_FAILED },
		/* If-Modified-Since, only without If-None-Match, only GET */
		{ __LINE__, "GET", &file,
		    "If-Modified-Since: " MTIME_DATE "\r\n",
		    COND_NOT_MODIFIED },
		{ __LINE__, "HEAD", &file, "If-Modified-Since: " LATER "\r\n",
		    COND_NOT_MODIFIED },
		{ __LINE__, "GET", &file, "If-Modified-Since: " EARLIER "\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &file, "If-Modified-Since: 784111777\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &file, "If-Modified-Since:\r\n",
		    COND_GO_ON },
		{ __LINE__, "PUT", &file, "If-Modified-Since: " LATER "\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &folder, "If-Modified-Since: " LATER "\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &nothing, "If-Modified-Since: " LATER "\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &file,
		    "If-None-Match: \"x\"\r\nIf-Modified-Since: " LATER "\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &file,
		    "If-None-Match: x\r\nIf-Modified-Since: " LATER "\r\n",
		    COND_GO_ON },
		{ __LINE__, "GET", &file,
		    "If-None-Match: " ETAG "\r\n"
		    "If-Modified-Since: " EARLIER "\r\n",
		    COND_NOT_MODIFIED },
		/* the order of all */
		{ __LINE__, "GET", &file,
		    "If-None-Match: " ETAG "\r\nIf-Match: \"x\"\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file,
		    "If-None-Match: " ETAG "\r\nIf-Match: " ETAG "\r\n",
		    COND_NOT_MODIFIED },
		{ __LINE__, "GET", &file,
		    "If-Modified-Since: " LATER "\r\n"
		    "If-Unmodified-Since: " EARLIER "\r\n",
		    COND_FAILED },
		{ __LINE__, "GET", &file,
		    "If-Modified-Since: " LATER "\r\n"
		    "If-Unmodified-Since: " LATER "\r\n",
		    COND_NOT_MODIFIED },
		/* methods that have no conditions */
		{ __LINE__, "OPTIONS", &file, "If-Match: \"x\"\r\n",
		    COND_GO_ON },
		{ __LINE__, "TRACE", &file, "If-None-Match: *\r\n",
		    COND_GO_ON },
	};
	struct head h;
	char *text;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		parse(&h, rows[i].method, rows[i].in, &text);
		CHECK_STR(rows[i].line, text, "result",
		    result_names[rows[i].want],
		    result_names[cond_check(&h, rows[i].of)]);
		free(text);
	}
}

static void
test_if_range(void **state)
{
	static const struct cond_of fresh = {
		.exists = true,
		.etag = { ETAG, sizeof(ETAG) - 1 },
		.has_mtime = true,
		.mtime = MTIME,
		.now = MTIME,
	};
	static const struct {
		int line;
		const struct cond_of *of;
		const char *in;
		bool want;
	} rows[] = {
		{ __LINE__, &file, "", true },
		{ __LINE__, &folder, "", true },
		{ __LINE__, &nothing, "", true },
		{ __LINE__, &file, "If-Range: " ETAG "\r\n", true },
		{ __LINE__, &fresh, "If-Range: " ETAG "\r\n", true },
		{ __LINE__, &file, "If-Range: " MTIME_DATE "\r\n", true },
		{ __LINE__, &file, "If-Range: Sun Nov  6 08:49:37 1994\r\n",
		    true },
		{ __LINE__, &file, "If-Range: \"x\"\r\n", false },
		{ __LINE__, &file, "If-Range: W/" ETAG "\r\n", false },
		{ __LINE__, &file, "If-Range: *\r\n", false },
		{ __LINE__, &file, "If-Range:\r\n", false },
		{ __LINE__, &file, "If-Range: a-b-c\r\n", false },
		{ __LINE__, &file, "If-Range: \"a-b-c\r\n", false },
		{ __LINE__, &file, "If-Range: " ETAG ", \"x\"\r\n", false },
		{ __LINE__, &file, "If-Range: " ETAG "," ETAG "\r\n", false },
		{ __LINE__, &file, "If-Range: ," ETAG "\r\n", false },
		{ __LINE__, &file, "If-Range: " ETAG "x\r\n", false },
		{ __LINE__, &folder, "If-Range: " ETAG "\r\n", false },
		{ __LINE__, &folder, "If-Range: \"\"\r\n", false },
		{ __LINE__, &nothing, "If-Range: " ETAG "\r\n", false },
		{ __LINE__, &file, "If-Range: " LATER "\r\n", false },
		{ __LINE__, &file, "If-Range: " EARLIER "\r\n", false },
		{ __LINE__, &file, "If-Range: " MTIME_DATE "x\r\n", false },
		{ __LINE__, &file, "If-Range: 784111777\r\n", false },
		{ __LINE__, &folder, "If-Range: " MTIME_DATE "\r\n", false },
		{ __LINE__, &nothing, "If-Range: " MTIME_DATE "\r\n", false },
		/* it may change once more within its second */
		{ __LINE__, &fresh, "If-Range: " MTIME_DATE "\r\n", false },
	};
	struct head h;
	char *text;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		parse(&h, "GET", rows[i].in, &text);
		CHECK_INT(rows[i].line, text, "holds", rows[i].want,
		    cond_range_holds(&h, rows[i].of));
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_etags),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_if_range),
	};

	return cmocka_run_group_tests_name("http_etag", tests, NULL, NULL);
}
