#include <inttypes.h>
#include <stdio.h>

#include "helper.h"

#include "http/accept.h"

#define JSON "application/json"
#define HTML "text/html"

/* in: the field lines. */
static void
parse(struct head *h, char **text, const char *in)
{
	char request[1024];
	size_t scanned = 0;
	int n;

	n = snprintf(request, sizeof(request),
	    "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", in);
	assert_in_range(n, 1, sizeof(request) - 1);
	*text = exact_copy(request, (size_t)n);
	assert_int_equal(head_parse(h, *text, (size_t)n, &scanned), HEAD_OK);
}

static void
test_prefers(void **state)
{
	static const struct {
		int line;
		const char *in; /* field lines */
		bool json; /* rather than HTML */
	} rows[] = {
		{ __LINE__, "", false },
		{ __LINE__, "Accept:\r\n", false },
		{ __LINE__, "Accept: " JSON "\r\n", true },
		{ __LINE__, "Accept: Application/JSON\r\n", true },
		{ __LINE__, "Accept: application/*\r\n", true },
		{ __LINE__, "Accept: */*\r\n", false },
		{ __LINE__, "Accept: text/*\r\n", false },
		{ __LINE__, "Accept: " HTML "\r\n", false },
		{ __LINE__, "Accept: image/png\r\n", false },
		/* what a browser says, and what programs do */
		{ __LINE__,
		    "Accept: text/html,application/xhtml+xml,"
		    "application/xml;q=0.9,*/*;q=0.8\r\n",
		    false },
		{ __LINE__, "Accept: " JSON ", text/plain, */*\r\n", true },
		{ __LINE__, "Accept: " JSON ", */*;q=0.5\r\n", true },
		/* weights */
		{ __LINE__, "Accept: " JSON ";q=0.9\r\n", true },
		{ __LINE__, "Accept: " JSON " ; Q=0.001\r\n", true },
		{ __LINE__, "Accept: " JSON ";q=0\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=0.000\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=1.\r\n", true },
		{ __LINE__, "Accept: " JSON ", " HTML "\r\n", false },
		{ __LINE__, "Accept: " HTML ";q=0.5, " JSON ";q=0.6\r\n",
		    true },
		{ __LINE__, "Accept: " HTML ";q=0.6, " JSON ";q=0.5\r\n",
		    false },
		{ __LINE__, "Accept: " HTML ";q=0.5, " JSON ";q=0.501\r\n",
		    true },
		{ __LINE__, "Accept: " HTML ";q=0, */*\r\n", true },
		{ __LINE__, "Accept: " HTML ";q=0, */*;q=0\r\n", false },
		/* the most exact range counts, not the first nor the highest */
		{ __LINE__, "Accept: */*, " JSON ";q=0.1\r\n", false },
		{ __LINE__, "Accept: */*;q=0.1, application/*\r\n", true },
		{ __LINE__, "Accept: application/*, " JSON ";q=0\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=0, " JSON "\r\n", true },
		/* several lines are one list */
		{ __LINE__, "Accept: text/plain\r\nAccept: " JSON "\r\n",
		    true },
		{ __LINE__, "Accept: " JSON ";q=0.5\r\nAccept: " HTML "\r\n",
		    false },
		/* parameters */
		{ __LINE__, "Accept: " JSON ";charset=utf-8\r\n", true },
		{ __LINE__, "Accept: " JSON ";charset=utf-8;q=0\r\n", false },
		{ __LINE__, "Accept: " JSON ";a=\";q=0,\\\"\";q=1\r\n", true },
		{ __LINE__, "Accept: " JSON ";a=\"x;q=1\";q=0\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=1;q=0\r\n", true },
		{ __LINE__, "Accept: " JSON ";\r\n", true },
		/* no weight, no range */
		{ __LINE__, "Accept: " JSON ";q=\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=2\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=1.001\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=0.1234\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=0,5\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=.5\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=-1\r\n", false },
		{ __LINE__, "Accept: " JSON ";q=0.x\r\n", false },
		{ __LINE__, "Accept: " JSON "x\r\n", false },
		{ __LINE__, "Accept: application\r\n", false },
		{ __LINE__, "Accept: application/\r\n", false },
		{ __LINE__, "Accept: application/jso\r\n", false },
		{ __LINE__, "Accept: */json\r\n", false },
		{ __LINE__, "Accept: *\r\n", false },
		{ __LINE__, "Accept: ;q=1\r\n", false },
	};
	struct head h;
	char *text;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		parse(&h, &text, rows[i].in);
		CHECK(rows[i].line, rows[i].in, "prefers JSON",
		    accept_prefers(&h, STR(JSON), STR(HTML)) == rows[i].json);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
