#include "helper.h"

#include "../../bench/http/answer.h"

#define LINE "HTTP/1.1 200 OK\r\n"
#define LENGTH "Content-Length: 1024\r\n"

static void
test_answers(void **state)
{
	static const struct {
		int line;
		const char *in;
		enum answer_result result;
		unsigned status;
		uint64_t length;
	} rows[] = {
		{ __LINE__, LINE LENGTH "\r\n", ANSWER_OK, 200, 1024 },
		{ __LINE__, LINE "content-length:0\r\n\r\n", ANSWER_OK, 200,
		    0 },
		{ __LINE__, LINE "Server: x\r\n" LENGTH "ETag: \"y\"\r\n\r\n",
		    ANSWER_OK, 200, 1024 },
		{ __LINE__, "HTTP/1.1 206\r\n" LENGTH "\r\n", ANSWER_OK, 206,
		    1024 },
		{ __LINE__, LINE "X: Content-Length: 7\r\n" LENGTH "\r\n",
		    ANSWER_OK, 200, 1024 },
		/* no length, or more than one, or none that is a number */
		{ __LINE__, LINE "\r\n", ANSWER_BAD, 0, 0 },
		{ __LINE__, LINE LENGTH LENGTH "\r\n", ANSWER_BAD, 0, 0 },
		{ __LINE__, LINE "Content-Length:\r\n\r\n", ANSWER_BAD, 0, 0 },
		{ __LINE__, LINE "Content-Length: x\r\n\r\n", ANSWER_BAD, 0,
		    0 },
		{ __LINE__, LINE "Content-Length: 1x\r\n\r\n", ANSWER_BAD, 0,
		    0 },
		{ __LINE__, LINE "Content-Length: -1\r\n\r\n", ANSWER_BAD, 0,
		    0 },
		{ __LINE__, LINE "Content-Length: 1000000000000000000\r\n\r\n",
		    ANSWER_BAD, 0, 0 },
		{ __LINE__, LINE "Transfer-Encoding: chunked\r\n\r\n",
		    ANSWER_BAD, 0, 0 },
		/* not this protocol */
		{ __LINE__, "HTTP/1.0 200 OK\r\n" LENGTH "\r\n", ANSWER_BAD, 0,
		    0 },
		{ __LINE__, "HTTP/1.1 OK\r\n" LENGTH "\r\n", ANSWER_BAD, 0, 0 },
		{ __LINE__, "\r\n\r\n", ANSWER_BAD, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		const char *in = rows[i].in;
		size_t len = strlen(in);
		char *bytes = exact_copy(in, len);
		struct answer a = { .status = 0 };

		/* of one that is not whole yet nothing is said */
		for (size_t n = 0; n < len; n++) {
			char *part = exact_copy(in, n);

			CHECK_INT(rows[i].line, in, "a part", ANSWER_MORE,
			    answer_parse(&a, part, n));
			free(part);
		}
		CHECK_INT(rows[i].line, in, "result", rows[i].result,
		    answer_parse(&a, bytes, len));
		if (rows[i].result == ANSWER_OK) {
			CHECK_U64(rows[i].line, in, "size", len, a.size);
			CHECK_U64(rows[i].line, in, "status", rows[i].status,
			    a.status);
			CHECK_U64(rows[i].line, in, "length", rows[i].length,
			    a.length);
		}
		free(bytes);
	}
}

static void
test_body_is_not_of_the_head(void **state)
{
	static const char in[] = LINE LENGTH "\r\nContent-Length: 5\r\n\r\n";
	struct answer a;

	(void)state;
	assert_int_equal(answer_parse(&a, in, sizeof(in) - 1), ANSWER_OK);
	assert_int_equal(a.size, strlen(LINE LENGTH "\r\n"));
	assert_int_equal(a.length, 1024);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_body_is_not_of_the_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
