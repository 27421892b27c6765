#include "helper.h"

#include <errno.h>

#include "http/reply.h"

#define B(s) s, sizeof(s) - 1

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define OK_HEAD "HTTP/1.1 200 OK\r\nServer: netpan\r\nDate: " DATE "\r\n"

/* What is in b, as text. */
static const char *
text_of(const struct buf *b)
{
	static char text[4096];

	assert_true(buf_len(b) < sizeof(text));
	memcpy(text, buf_head(b), buf_len(b));
	text[buf_len(b)] = '\0';
	assert_int_equal(strlen(text), buf_len(b));
	return text;
}

static void
test_status_texts(void **state)
{
	static const struct {
		int line;
		unsigned in;
		const char *want;
	} rows[] = {
		{ __LINE__, 100, "Continue" },
		{ __LINE__, 103, "Early Hints" },
		{ __LINE__, 104, "Upload Resumption Supported" },
		{ __LINE__, 200, "OK" },
		{ __LINE__, 201, "Created" },
		{ __LINE__, 204, "No Content" },
		{ __LINE__, 206, "Partial Content" },
		{ __LINE__, 207, "Multi-Status" },
		{ __LINE__, 301, "Moved Permanently" },
		{ __LINE__, 304, "Not Modified" },
		{ __LINE__, 400, "Bad Request" },
		{ __LINE__, 401, "Unauthorized" },
		{ __LINE__, 403, "Forbidden" },
		{ __LINE__, 404, "Not Found" },
		{ __LINE__, 405, "Method Not Allowed" },
		{ __LINE__, 408, "Request Timeout" },
		{ __LINE__, 409, "Conflict" },
		{ __LINE__, 410, "Gone" },
		{ __LINE__, 411, "Length Required" },
		{ __LINE__, 412, "Precondition Failed" },
		{ __LINE__, 413, "Content Too Large" },
		{ __LINE__, 414, "URI Too Long" },
		{ __LINE__, 415, "Unsupported Media Type" },
		{ __LINE__, 416, "Range Not Satisfiable" },
		{ __LINE__, 417, "Expectation Failed" },
		{ __LINE__, 421, "Misdirected Request" },
		{ __LINE__, 423, "Locked" },
		{ __LINE__, 424, "Failed Dependency" },
		{ __LINE__, 429, "Too Many Requests" },
		{ __LINE__, 431, "Request Header Fields Too Large" },
		{ __LINE__, 500, "Internal Server Error" },
		{ __LINE__, 501, "Not Implemented" },
		{ __LINE__, 502, "Bad Gateway" },
		{ __LINE__, 503, "Service Unavailable" },
		{ __LINE__, 505, "HTTP Version Not Supported" },
		{ __LINE__, 507, "Insufficient Storage" },
	};
	unsigned known = 0;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK_STR(rows[i].line, rows[i].want, "text", rows[i].want,
		    http_status_text(rows[i].in));
	for (unsigned status = 0; status <= 1000; status++)
		known += *http_status_text(status) != '\0';
	assert_int_equal(known, nitems(rows));
	assert_string_equal(http_status_text(UINT32_MAX), "");
}

static void
test_a_whole_head(void **state)
{
	static const unsigned char sha256[32] = { 0xe3, 0xb0, 0xc4, 0x42, 0x98,
		0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
		0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4,
		0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55 };
	static const char want[] = OK_HEAD
	    "Content-Length: 18446744073709551615\r\n"
	    "Age: 0\r\n"
	    "ETag: \"1-2-3\"\r\n"
	    "Empty: \r\n"
	    "Content-Range: bytes 0-9/1234\r\n"
	    "Content-Range: bytes */1234\r\n"
	    "Repr-Digest: sha-256=:"
	    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n"
	    "\r\n";
	char mem[1024];
	struct reply r;
	struct buf b;

	(void)state;
	buf_init(&b, mem, sizeof(mem));
	reply_begin(&r, &b, 200, DATE);
	reply_field_u64(&r, "Content-Length", UINT64_MAX);
	reply_field_u64(&r, "Age", 0);
	reply_field(&r, "ETag", STR("\"1-2-3\""));
	reply_field(&r, "Empty", (struct str){ NULL, 0 });
	reply_content_range(&r, 0, 9, 1234);
	reply_content_range_none(&r, 1234);
	reply_repr_digest(&r, sha256);
	assert_int_equal(reply_end(&r), 0);
	assert_string_equal(text_of(&b), want);
}

static void
test_a_status_without_a_text(void **state)
{
	char mem[128];
	struct reply r;
	struct buf b;

	(void)state;
	buf_init(&b, mem, sizeof(mem));
	reply_begin(&r, &b, 299, DATE);
	assert_int_equal(reply_end(&r), 0);
	assert_string_equal(text_of(&b),
	    "HTTP/1.1 299 \r\nServer: netpan\r\nDate: " DATE "\r\n\r\n");
}

/* What fails leaves nothing of itself behind, and what was there before. */
static void
test_fields_alone(void **state)
{
	char mem[128];
	struct reply r;
	struct buf b;

	(void)state;
	buf_init(&b, mem, sizeof(mem));
	buf_put(&b, "before\r\n", 8);
	reply_go_on(&r, &b);
	reply_field(&r, "A", STR("b"));
	assert_int_equal(reply_end(&r), 0);
	assert_string_equal(text_of(&b), "before\r\nA: b\r\n\r\n");
	reply_go_on(&r, &b);
	reply_field(&r, "A", STR("b\nc"));
	assert_int_equal(reply_end(&r), -EINVAL);
	assert_string_equal(text_of(&b), "before\r\nA: b\r\n\r\n");
}

static void
test_no_line_is_added(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		int want;
	} rows[] = {
		{ __LINE__, B("a b"), 0 },
		{ __LINE__, B("a\tb"), 0 },
		{ __LINE__, B("\xc3\xa9\x80\xff"), 0 },
		{ __LINE__, B("~ !"), 0 },
		{ __LINE__, B("a\r\nX: y"), -EINVAL },
		{ __LINE__, B("a\nX: y"), -EINVAL },
		{ __LINE__, B("a\rX: y"), -EINVAL },
		{ __LINE__, B("\n"), -EINVAL },
		{ __LINE__, B("a\r"), -EINVAL },
		{ __LINE__, B("a\0b"), -EINVAL },
		{ __LINE__, B("\0"), -EINVAL },
		{ __LINE__, B("\x01"), -EINVAL },
		{ __LINE__, B("\x08"), -EINVAL },
		{ __LINE__, B("\x0b"), -EINVAL },
		{ __LINE__, B("\x1b[0m"), -EINVAL },
		{ __LINE__, B("\x1f"), -EINVAL },
		{ __LINE__, B("a\x7f"), -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);
		char mem[256];
		struct reply r;
		struct buf b;

		buf_init(&b, mem, sizeof(mem));
		buf_put(&b, "before", 6);
		buf_drop(&b, 2);
		reply_begin(&r, &b, 200, DATE);
		reply_field(&r, "X", (struct str){ in, rows[i].len });
		reply_field_u64(&r, "Content-Length", 1);
		CHECK_INT(rows[i].line, rows[i].in, "result", rows[i].want,
		    reply_end(&r));
		if (rows[i].want != 0)
			CHECK_STR(rows[i].line, rows[i].in, "left", "fore",
			    text_of(&b));
		free(in);
	}
}

/* Each byte at each place of values of many lengths. */
static void
test_a_control_byte_is_seen_everywhere(void **state)
{
	char mem[256], in[40 + 16];
	struct reply r;
	struct buf b;

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		for (size_t at = 0; at < 40; at++) {
			char *exact;

			memset(in, c % 2 == 0 ? '\xff' : ' ', sizeof(in));
			in[0] = '\t';
			in[at] = (char)c;
			exact = exact_copy(in, at + 1 + c % 16);
			buf_init(&b, mem, sizeof(mem));
			reply_begin(&r, &b, 200, DATE);
			reply_field(
			    &r, "X", (struct str){ exact, at + 1 + c % 16 });
			CHECK_INT(c, "a byte", "result",
			    (c < 0x20 && c != '\t') || c == 0x7f ? -EINVAL : 0,
			    reply_end(&r));
			free(exact);
		}
}

/* With every room that is too small, for each kind of field. */
static void
write_one_of_each(struct reply *r, struct buf *b)
{
	static const unsigned char sha256[32];

	reply_begin(r, b, 206, DATE);
	reply_field(r, "Content-Type", STR("text/plain"));
	reply_field_u64(r, "Content-Length", 1234567890);
	reply_disposition(r, false, STR("\xe7\xbd\x91.txt"));
	reply_content_range(r, 10, 19, 1000);
	reply_content_range_none(r, 1000);
	reply_repr_digest(r, sha256);
}

static void
test_all_or_nothing(void **state)
{
	char mem[1024];
	struct reply r;
	struct buf b;
	size_t need;

	(void)state;
	buf_init(&b, mem, sizeof(mem));
	write_one_of_each(&r, &b);
	assert_int_equal(reply_end(&r), 0);
	need = buf_len(&b);
	for (size_t cap = 0; cap <= need; cap++) {
		buf_init(&b, mem, cap);
		write_one_of_each(&r, &b);
		CHECK_INT(cap, "one of each", "result",
		    cap < need ? -ENOBUFS : 0, reply_end(&r));
		CHECK_U64(cap, "one of each", "length", cap < need ? 0 : need,
		    buf_len(&b));
	}
}

/* The first thing wrong is the one that is told. */
static void
test_what_failed_first(void **state)
{
	char mem[96];
	struct reply r;
	struct buf b;

	(void)state;
	buf_init(&b, mem, sizeof(mem));
	reply_begin(&r, &b, 200, DATE);
	reply_field(&r, "A", STR("\n"));
	reply_field(&r, "Much-Too-Long-For-What-Is-Left", STR("of the room"));
	assert_int_equal(reply_end(&r), -EINVAL);
	reply_begin(&r, &b, 200, DATE);
	reply_field(&r, "Much-Too-Long-For-What-Is-Left", STR("of the room"));
	reply_field(&r, "A", STR("\n"));
	assert_int_equal(reply_end(&r), -ENOBUFS);
	assert_int_equal(buf_len(&b), 0);
}

static void
test_disposition(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want; /* behind "attachment" */
	} rows[] = {
		{ __LINE__, B("a.txt"), "; filename=\"a.txt\"" },
		{ __LINE__, B("a b;c=d,e'f.txt"),
		    "; filename=\"a b;c=d,e'f.txt\"" },
		{ __LINE__, B("~"), "; filename=\"~\"" },
		{ __LINE__, B("\xe7\xbd\x91.txt"),
		    "; filename=\"___.txt\""
		    "; filename*=UTF-8''%E7%BD%91.txt" },
		{ __LINE__, B("r\xc3\xa9sum\xc3\xa9"),
		    "; filename=\"r__sum__\""
		    "; filename*=UTF-8''r%C3%A9sum%C3%A9" },
		/* what would end the string, or is an escape */
		{ __LINE__, B("a\"; filename=\"b"),
		    "; filename=\"a_; filename=_b\""
		    "; filename*=UTF-8''a%22%3B%20filename%3D%22b" },
		{ __LINE__, B("a\\b"),
		    "; filename=\"a_b\"; filename*=UTF-8''a%5Cb" },
		{ __LINE__, B("a\\"),
		    "; filename=\"a_\"; filename*=UTF-8''a%5C" },
		{ __LINE__, B("100%41"),
		    "; filename=\"100_41\"; filename*=UTF-8''100%2541" },
		/* what would end the line */
		{ __LINE__, B("a\r\nX: y"),
		    "; filename=\"a__X: y\""
		    "; filename*=UTF-8''a%0D%0AX%3A%20y" },
		{ __LINE__, B("\0\t\x7f"),
		    "; filename=\"___\"; filename*=UTF-8''%00%09%7F" },
		{ __LINE__, B("exe.\xe2\x80\xaegpj"),
		    "; filename=\"exe.___gpj\""
		    "; filename*=UTF-8''exe.%E2%80%AEgpj" },
		/* no UTF-8: there is only the first */
		{ __LINE__, B("\xff"), "; filename=\"_\"" },
		{ __LINE__, B("\xe7\xbd.txt"), "; filename=\"__.txt\"" },
		{ __LINE__, B("\xe7\xbd\x91\xff\n"), "; filename=\"_____\"" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);
		char mem[512], want[512];
		struct reply r;
		struct buf b;

		for (int is_inline = 0; is_inline < 2; is_inline++) {
			buf_init(&b, mem, sizeof(mem));
			reply_begin(&r, &b, 200, DATE);
			reply_disposition(
			    &r, is_inline, (struct str){ in, rows[i].len });
			CHECK_INT(rows[i].line, rows[i].in, "result", 0,
			    reply_end(&r));
			snprintf(want, sizeof(want),
			    OK_HEAD "Content-Disposition: %s%s\r\n\r\n",
			    is_inline ? "inline" : "attachment", rows[i].want);
			CHECK_STR(rows[i].line, rows[i].in, "head", want,
			    text_of(&b));
		}
		free(in);
	}
}

static void
test_wants_sha256(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		bool want;
	} rows[] = {
		{ __LINE__, B("sha-256=1"), true },
		{ __LINE__, B("sha-256=10"), true },
		{ __LINE__, B("sha-256=0010"), true },
		{ __LINE__, B("sha-512=3, sha-256=10, unixsum=0"), true },
		{ __LINE__, B("sha-512=3,sha-256=5"), true },
		{ __LINE__, B("sha-256=5;a=b"), true },
		{ __LINE__, B("x=\"a, sha-256=0\", sha-256=5"), true },
		{ __LINE__, B("sha-256=0, sha-256=5"), true },
		{ __LINE__, B(""), false },
		{ __LINE__, B("sha-256"), false },
		{ __LINE__, B("sha-256="), false },
		{ __LINE__, B("sha-256=0"), false },
		{ __LINE__, B("sha-256=000"), false },
		{ __LINE__, B("sha-256=11"), false },
		{ __LINE__, B("sha-256=100"), false },
		{ __LINE__, B("sha-256=4294967297"), false },
		{ __LINE__, B("sha-256=18446744073709551617"), false },
		{ __LINE__, B("sha-256=-1"), false },
		{ __LINE__, B("sha-256=+1"), false },
		{ __LINE__, B("sha-256=0.5"), false },
		{ __LINE__, B("sha-256=5.0"), false },
		{ __LINE__, B("sha-256=\"5\""), false },
		{ __LINE__, B("sha-256=5 6"), false },
		{ __LINE__, B("sha-256 =5"), false },
		{ __LINE__, B("sha-256= 5"), false },
		{ __LINE__, B("sha-256=?1"), false },
		{ __LINE__, B("sha-256;q=5"), false },
		{ __LINE__, B("sha-256=5, sha-256=0"), false },
		{ __LINE__, B("sha-256=5, sha-256"), false },
		{ __LINE__, B("SHA-256=5"), false },
		{ __LINE__, B("sha-2567=5"), false },
		{ __LINE__, B("sha-25=5"), false },
		{ __LINE__, B("xsha-256=5"), false },
		{ __LINE__, B("sha-512=5"), false },
		{ __LINE__, B("x=\"a, sha-256=5\""), false },
		{ __LINE__, B("sha-256=\x00"), false },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		char *in = exact_copy(rows[i].in, rows[i].len);

		CHECK_INT(rows[i].line, rows[i].in, "wanted", rows[i].want,
		    reply_wants_sha256((struct str){ in, rows[i].len }));
		free(in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_texts),
		cmocka_unit_test(test_a_whole_head),
		cmocka_unit_test(test_a_status_without_a_text),
		cmocka_unit_test(test_fields_alone),
		cmocka_unit_test(test_no_line_is_added),
		cmocka_unit_test(test_a_control_byte_is_seen_everywhere),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_what_failed_first),
		cmocka_unit_test(test_disposition),
		cmocka_unit_test(test_wants_sha256),
	};

	return cmocka_run_group_tests_name("http_reply", tests, NULL, NULL);
}
