#include "helper.h"

#include "http/head.h"

#define B(s) s, sizeof(s) - 1
#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: x\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define TARGET "neither a path nor a URL"

/* All that a head says, in one line. */
static const char *
told(enum head_result r, const struct head *h)
{
	static char text[4 * LIM_HTTP_HEAD_BYTES];
	size_t cap = sizeof(text);
	int n;

	if (r == HEAD_MORE)
		return "more";
	if (r == HEAD_BAD) {
		snprintf(text, cap, "%u %s", h->status, h->reason);
		return text;
	}
	n = snprintf(text, cap, "%s/%u %.*s", http_method_name(h->method),
	    h->minor, (int)h->path.len, h->path.p);
	if (h->query.p != NULL)
		n += snprintf(text + n, cap - (size_t)n, " ?%.*s",
		    (int)h->query.len, h->query.p);
	if (h->host.len > 0)
		n += snprintf(text + n, cap - (size_t)n, " @%.*s",
		    (int)h->host.len, h->host.p);
	if (h->has_length)
		n += snprintf(
		    text + n, cap - (size_t)n, " length %" PRIu64, h->length);
	snprintf(text + n, cap - (size_t)n, "%s%s%s",
	    h->is_chunked ? " chunked" : "", h->keep_alive ? "" : " ends",
	    h->expects_continue ? " waits" : "");
	return text;
}

/* Every slice of a head that is OK is of the input, or a constant. */
static void
check_slices(int line, const char *in, size_t len, const struct head *h)
{
	const struct str all[] = { h->line, h->target, h->path, h->query,
		h->host };

	for (size_t i = 0; i < nitems(all); i++)
		if (all[i].p != NULL && !str_is(all[i], STR("/")))
			CHECK(line, in, "a slice of the head",
			    all[i].p >= in && all[i].len <= len &&
				all[i].p - in <= (ptrdiff_t)(len - all[i].len));
	for (unsigned i = 0; i < h->n_fields; i++)
		CHECK(line, in, "fields in their order",
		    h->fields[i].name.p >= in &&
			h->fields[i].name.p + h->fields[i].name.len <
			    h->fields[i].value.p &&
			h->fields[i].value.p + h->fields[i].value.len <=
			    in + len - 4);
}

/*
 * Feeds it whole, then with something behind it, then in pieces of step bytes,
 * each time from other memory and into a struct that is overwritten: the answer
 * is the same.  Returns what was told.
 */
static const char *
fed(int line, const char *bytes, size_t len, size_t step)
{
	static struct head h;
	static char want[4 * LIM_HTTP_HEAD_BYTES];
	char *in = exact_copy(bytes, len), *more;
	size_t scanned = 0, size;
	enum head_result r, again = HEAD_MORE;

	if (len < 4096)
		seed_keep("fuzz_http_head", bytes, len);
	memset(&h, 0x5a, sizeof(h));
	r = head_parse(&h, in, len, &scanned);
	snprintf(want, sizeof(want), "%s", told(r, &h));
	size = r == HEAD_OK ? h.size : len;
	CHECK_U64(line, bytes, "scanned", r == HEAD_MORE ? len : 0, scanned);
	if (r == HEAD_OK)
		check_slices(line, in, len, &h);
	free(in);

	if (r != HEAD_MORE) {
		more = malloc(len + 5);
		memcpy(more, bytes, len);
		memcpy(more + len, "\n\r\0GE", 5);
		again = head_parse(&h, more, len + 5, &scanned);
		CHECK_STR(
		    line, bytes, "with more behind", want, told(again, &h));
		if (r == HEAD_OK)
			CHECK_U64(line, bytes, "size", size, h.size);
		free(more);
	}

	scanned = 0;
	again = HEAD_MORE;
	for (size_t n = 0; again == HEAD_MORE && n < len;) {
		n = step < len - n ? n + step : len;
		in = exact_copy(bytes, n);
		memset(&h, 0xa5, sizeof(h));
		again = head_parse(&h, in, n, &scanned);
		CHECK(line, bytes, "not before its end",
		    again != HEAD_OK || n >= size);
		if (again != HEAD_MORE || n == len)
			CHECK_STR(
			    line, bytes, "in pieces", want, told(again, &h));
		free(in);
	}
	return want;
}

static void
test_good(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		{ __LINE__, B(GET HOST "\r\n"), "GET/1 / @x" },
		{ __LINE__, B("\r\n" GET HOST "\r\n"), "GET/1 / @x" },
		{ __LINE__,
		    B("HEAD /a/b%20c?d=1 HTTP/1.1\r\nhOST:127.0.0.1:8686\r\n"
		      "User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"),
		    "HEAD/1 /a/b%20c ?d=1 @127.0.0.1:8686" },
		/* white space around a value, and an empty one */
		{ __LINE__, B(GET "Host:\t  x \t \r\nA: \t \r\nB:\r\n\r\n"),
		    "GET/1 / @x" },
		{ __LINE__, B(GET HOST "A: \tb\tc\t\r\nB:\tc\r\n\r\n"),
		    "GET/1 / @x" },
		{ __LINE__, B(GET HOST "A: \xe7\xbd\x91\xff\r\n\r\n"),
		    "GET/1 / @x" },
		{ __LINE__, B(GET HOST "!#$%&'*+-.^_`|~09azAZ: v\r\n\r\n"),
		    "GET/1 / @x" },
		{ __LINE__,
		    B(GET HOST "A-name-that-is-longer-than-sixteen: v\r\n"
			       "another_one_that_is_longer_than_it: v\r\n\r\n"),
		    "GET/1 / @x" },
		/* names that are nearly those of others are only names */
		{ __LINE__,
		    B(POST "Content_Length: 5\r\nTransfer_Encoding: chunked\r\n"
			   "Content-Lengti: 6\r\nContent-Lengthh: 7\r\n"
			   "Hos: a\r\nHosts: b\r\nX: y\r\n"
			   "A-name-of-exactly-n: 1\r\n\r\n"),
		    "POST/1 / @x" },
		/* targets */
		{ __LINE__, B("GET /? HTTP/1.1\r\n" HOST "\r\n"),
		    "GET/1 / ? @x" },
		{ __LINE__, B("GET /a?b?c HTTP/1.1\r\n" HOST "\r\n"),
		    "GET/1 /a ?b?c @x" },
		{ __LINE__, B("GET //y/..;/%00* HTTP/1.1\r\n" HOST "\r\n"),
		    "GET/1 //y/..;/%00* @x" },
		{ __LINE__,
		    B("GET /\xe7\xbd\x91\x80\xff\"<>\\^`{|} HTTP/1.1\r\n" HOST
		      "\r\n"),
		    "GET/1 /\xe7\xbd\x91\x80\xff\"<>\\^`{|} @x" },
		{ __LINE__, B("GET http://x/a?b HTTP/1.1\r\n" HOST "\r\n"),
		    "GET/1 /a ?b @x" },
		{ __LINE__, B("GET HTTPS://X:1/ HTTP/1.1\r\nHost: x:1\r\n\r\n"),
		    "GET/1 / @x:1" },
		{ __LINE__, B("GET http://x: HTTP/1.1\r\n" HOST "\r\n"),
		    "GET/1 / @x" },
		{ __LINE__, B("GET http://x HTTP/1.1\r\nHost: x:\r\n\r\n"),
		    "GET/1 / @x:" },
		{ __LINE__, B("GET http://x?/b HTTP/1.1\r\n" HOST "\r\n"),
		    "GET/1 / ?/b @x" },
		{ __LINE__,
		    B("GET http://[::1]:80/ HTTP/1.1\r\nHost: "
		      "[::1]:80\r\n\r\n"),
		    "GET/1 / @[::1]:80" },
		{ __LINE__, B("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
		    "OPTIONS/1 * @x" },
		{ __LINE__, B("OPTIONS / HTTP/1.1\r\n" HOST "\r\n"),
		    "OPTIONS/1 / @x" },
		{ __LINE__, B("CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n"),
		    "CONNECT/1  @x:443" },
		/* hosts */
		{ __LINE__, B(GET "Host: a-b_c.Example.~1:65535\r\n\r\n"),
		    "GET/1 / @a-b_c.Example.~1:65535" },
		{ __LINE__, B(GET "Host: x:\r\n\r\n"), "GET/1 / @x:" },
		{ __LINE__, B(GET "Host: x:00080\r\n\r\n"),
		    "GET/1 / @x:00080" },
		{ __LINE__, B(GET "Host: [FE80::1:127.0.0.1]\r\n\r\n"),
		    "GET/1 / @[FE80::1:127.0.0.1]" },
		/* versions, and whether the connection stays */
		{ __LINE__, B("GET / HTTP/1.0\r\n\r\n"), "GET/0 / ends" },
		{ __LINE__, B("GET / HTTP/1.0\r\n" HOST "\r\n"),
		    "GET/0 / @x ends" },
		{ __LINE__, B("GET http://y/ HTTP/1.0\r\n\r\n"),
		    "GET/0 / @y ends" },
		{ __LINE__,
		    B("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
		    "GET/0 /" },
		{ __LINE__,
		    B("GET / HTTP/1.0\r\nConnection: keep-alive\r\n"
		      "A: b\r\nConnection: x, close\r\n\r\n"),
		    "GET/0 / ends" },
		{ __LINE__, B("GET / HTTP/1.2\r\n" HOST "\r\n"), "GET/1 / @x" },
		{ __LINE__, B("GET / HTTP/1.9\r\n" HOST "\r\n"), "GET/1 / @x" },
		{ __LINE__,
		    B("GET / HTTP/1.0\r\nConnection: close\r\n"
		      "Connection: keep-alive\r\n\r\n"),
		    "GET/0 / ends" },
		{ __LINE__, B(GET HOST "Connection: close, keep-alive\r\n\r\n"),
		    "GET/1 / @x ends" },
		{ __LINE__, B(GET HOST "Connection: Close\r\n\r\n"),
		    "GET/1 / @x ends" },
		{ __LINE__, B(GET HOST "Connection: closed\r\n\r\n"),
		    "GET/1 / @x" },
		{ __LINE__,
		    B(GET HOST "Connection: upgrade\r\nA: close\r\n"
			       "connection: ,te , close\r\n\r\n"),
		    "GET/1 / @x ends" },
		/* bodies */
		{ __LINE__, B(POST "Content-Length: 0\r\n\r\n"),
		    "POST/1 / @x length 0" },
		{ __LINE__, B(POST "Content-Length:\t5 \r\n\r\n"),
		    "POST/1 / @x length 5" },
		{ __LINE__,
		    B(POST "Content-Length: 9223372036854775807\r\n\r\n"),
		    "POST/1 / @x length 9223372036854775807" },
		{ __LINE__, B(POST "Transfer-Encoding: chunked\r\n\r\n"),
		    "POST/1 / @x chunked" },
		{ __LINE__, B(POST "TRANSFER-ENCODING: Chunked \r\n\r\n"),
		    "POST/1 / @x chunked" },
		{ __LINE__, B("POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\n"),
		    "POST/0 / length 1 ends" },
		/* expectations */
		{ __LINE__,
		    B(POST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n"),
		    "POST/1 / @x length 5 waits" },
		{ __LINE__,
		    B("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"),
		    "POST/0 / ends" },
		{ __LINE__, B("POST / HTTP/1.0\r\nExpect: cookies\r\n\r\n"),
		    "POST/0 / ends" },
		/* not whole yet */
		{ __LINE__, B(""), "more" },
		{ __LINE__, B("\r"), "more" },
		{ __LINE__, B("\r\n"), "more" },
		{ __LINE__, B("GET /"), "more" },
		{ __LINE__, B("GET / HTTP/1.1\r"), "more" },
		{ __LINE__, B(GET), "more" },
		{ __LINE__, B(GET HOST), "more" },
		{ __LINE__, B(GET HOST "Content-Length"), "more" },
		{ __LINE__, B(GET HOST "A: b \t"), "more" },
		{ __LINE__, B(GET HOST "\r"), "more" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK_STR(rows[i].line, rows[i].in, "head", rows[i].want,
		    fed(rows[i].line, rows[i].in, rows[i].len, 1));
}

static void
test_bad_lines(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		/* line ends, and control bytes */
		{ __LINE__, B("\nGET / HTTP/1.1\r\n" HOST "\r\n"),
		    "400 a line ends in a bare LF" },
		{ __LINE__, B("GET / HTTP/1.1\n" HOST "\r\n"),
		    "400 a line ends in a bare LF" },
		{ __LINE__, B(GET "Host: x\n\r\n"),
		    "400 a line ends in a bare LF" },
		{ __LINE__, B(GET HOST "\n"), "400 a line ends in a bare LF" },
		{ __LINE__, B(GET HOST "A: b\nC: d\r\n\r\n"),
		    "400 a line ends in a bare LF" },
		{ __LINE__, B(GET HOST "A\nB: c\r\n\r\n"),
		    "400 a line ends in a bare LF" },
		{ __LINE__, B(GET HOST "A: b\n c\r\n\r\n"),
		    "400 a line ends in a bare LF" },
		{ __LINE__, B(GET HOST "A: b\r\n\n"),
		    "400 a line ends in a bare LF" },
		{ __LINE__, B("\rGET / HTTP/1.1\r\n" HOST "\r\n"),
		    "400 a bare CR" },
		{ __LINE__, B("GET /\rHTTP/1.1\r\n" HOST "\r\n"),
		    "400 a bare CR" },
		{ __LINE__, B("GET / HTTP/1.1\r\r\n" HOST "\r\n"),
		    "400 a bare CR" },
		{ __LINE__, B("GET / HTTP/1.1\rHost: x\r\r\n"),
		    "400 a bare CR" },
		{ __LINE__, B(GET HOST "A: b\rC: d\r\n\r\n"), "400 a bare CR" },
		{ __LINE__, B(GET HOST "A: b\r\r\n\r\n"), "400 a bare CR" },
		{ __LINE__, B(GET HOST "A: b\r\0\n\r\n"), "400 a bare CR" },
		{ __LINE__, B(GET HOST "A\rB: c\r\n\r\n"), "400 a bare CR" },
		{ __LINE__, B(GET HOST "\rX\n"), "400 a bare CR" },
		{ __LINE__, B("GET /\0 HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the request line has a control byte in it" },
		{ __LINE__, B("GET /\x7f HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the request line has a control byte in it" },
		{ __LINE__, B("GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the request line has a control byte in it" },
		{ __LINE__, B("GET / HTTP/1.1\t\r\n" HOST "\r\n"),
		    "400 the request line has a control byte in it" },
		{ __LINE__, B("\x16\x03\x01\x02\n"),
		    "400 the request line has a control byte in it" },
		{ __LINE__, B("GET /a-long-name-before-it\x1f HTTP/1.1\n"),
		    "400 the request line has a control byte in it" },
		{ __LINE__, B(GET HOST "A: b\0c\r\n\r\n"),
		    "400 a field's value has a control byte in it" },
		{ __LINE__, B(GET HOST "A: \x01\r\n\r\n"),
		    "400 a field's value has a control byte in it" },
		{ __LINE__,
		    B(GET HOST "A: a value of some length \x7f\r\n\r\n"),
		    "400 a field's value has a control byte in it" },
		{ __LINE__,
		    B(POST "Transfer-Encoding: \x0b"
			   "chunked\r\n\r\n"),
		    "400 a field's value has a control byte in it" },
		{ __LINE__, B(POST "Transfer-Encoding: chunked\f\r\n\r\n"),
		    "400 a field's value has a control byte in it" },
		{ __LINE__, B(GET HOST "A\0B: c\r\n\r\n"),
		    "400 a field's name has a control byte in it" },
		{ __LINE__, B(GET HOST "A\x7f: c\r\n\r\n"),
		    "400 a field's name has a control byte in it" },
		/* fields */
		{ __LINE__, B(GET HOST "A: b\r\n c\r\n\r\n"),
		    "400 a line begins with white space" },
		{ __LINE__, B(GET HOST "A: b\r\n\tc: d\r\n\r\n"),
		    "400 a line begins with white space" },
		{ __LINE__, B(GET " Host: x\r\n\r\n"),
		    "400 a line begins with white space" },
		{ __LINE__, B(POST "Transfer-Encoding:\r\n chunked\r\n\r\n"),
		    "400 a line begins with white space" },
		{ __LINE__, B(GET HOST " \r\n\r\n"),
		    "400 a line begins with white space" },
		{ __LINE__, B(GET "Host : x\r\n\r\n"),
		    "400 a field's name has white space in it" },
		{ __LINE__, B(POST "Content-Length\t: 5\r\n\r\n"),
		    "400 a field's name has white space in it" },
		{ __LINE__, B(GET HOST "A B: c\r\n\r\n"),
		    "400 a field's name has white space in it" },
		{ __LINE__, B(GET HOST ": c\r\n\r\n"),
		    "400 a field's name is empty" },
		{ __LINE__, B(GET ":Host: x\r\n\r\n"),
		    "400 a field's name is empty" },
		{ __LINE__, B(GET HOST "[A]: b\r\n\r\n"),
		    "400 a field's name is no token" },
		{ __LINE__, B(GET HOST "A\xc3\xa9: b\r\n\r\n"),
		    "400 a field's name is no token" },
		{ __LINE__, B(GET HOST "A\"b\": c\r\n\r\n"),
		    "400 a field's name is no token" },
		{ __LINE__, B(GET HOST "A@B: a value that is long\r\n\r\n"),
		    "400 a field's name is no token" },
		{ __LINE__, B(GET HOST "A[B: a value that is long\r\n\r\n"),
		    "400 a field's name is no token" },
		{ __LINE__, B(GET HOST "A{B: a value that is long\r\n\r\n"),
		    "400 a field's name is no token" },
		{ __LINE__, B(GET HOST "A\xe1: a value that is long\r\n\r\n"),
		    "400 a field's name is no token" },
		{ __LINE__, B(GET HOST "A\r\n\r\n"),
		    "400 a field has no colon" },
		{ __LINE__, B(GET HOST "GET\r\n\r\n"),
		    "400 a field has no colon" },
		/* the request line */
		{ __LINE__, B("\r\n\r\n" GET HOST "\r\n"),
		    "400 the request line is empty" },
		{ __LINE__, B(" GET / HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the method is no token" },
		{ __LINE__, B("   \r\n\r\n"), "400 the method is no token" },
		{ __LINE__, B("G@T / HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the method is no token" },
		{ __LINE__, B("\xf5TRN / HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the method is no token" },
		{ __LINE__, B("http://x/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the method is no token" },
		{ __LINE__, B("GET\r\n" HOST "\r\n"),
		    "400 the request line has no target" },
		{ __LINE__, B("GET \r\n" HOST "\r\n"),
		    "400 the request line has no target" },
		{ __LINE__, B("GET  / HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the request line has no target" },
		{ __LINE__, B("GET /\r\n"),
		    "400 the request line has no version" },
		{ __LINE__, B("GET HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the request line has no version" },
		{ __LINE__, B("GET /#a HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target has a # in it" },
		{ __LINE__, B("GET /?# HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target has a # in it" },
		{ __LINE__, B("GET # HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target has a # in it" },
		{ __LINE__, B("GET /  HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / HTTP/1.1 \r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / \r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET /a b HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / http/1.1\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / HTTP/1\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / HTTP/1.\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / HTTP/1.10\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / HTTP/01.1\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / HTTP/1,1\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / HTTP/x.1\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / HTTP/1.x\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / HTTPS/1.1\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / XTTP/1.1\r\n" HOST "\r\n"),
		    "400 the request line does not end in a version" },
		{ __LINE__, B("GET / HTTP/0.9\r\n\r\n"),
		    "505 a version that is not spoken here" },
		{ __LINE__, B("GET / HTTP/2.0\r\n" HOST "\r\n"),
		    "505 a version that is not spoken here" },
		{ __LINE__, B("GET / HTTP/9.9\r\n" HOST "\r\n"),
		    "505 a version that is not spoken here" },
		{ __LINE__, B("get / HTTP/1.1\r\n" HOST "\r\n"),
		    "501 a method that is not known" },
		{ __LINE__, B("GETT / HTTP/1.1\r\n" HOST "\r\n"),
		    "501 a method that is not known" },
		{ __LINE__, B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		    "400 the preface of HTTP/2" },
		{ __LINE__, B("PRI * HTTP/1.1\r\n" HOST "\r\n"),
		    "501 a method that is not known" },
		{ __LINE__,
		    B("THIRTY-THREE-LETTERS-OF-A-METHOD! / HTTP/1.1\r\n\r\n"),
		    "501 a method that is not known" },
		/* targets */
		{ __LINE__, B("HEAD * HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target * without OPTIONS" },
		{ __LINE__, B("GET * HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target * without OPTIONS" },
		{ __LINE__, B("OPTIONS *?a HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target is " TARGET },
		{ __LINE__, B("GET a HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target is " TARGET },
		{ __LINE__, B("GET ?a HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target is " TARGET },
		{ __LINE__, B("GET x:80 HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target is " TARGET },
		{ __LINE__, B("GET \\a HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target is " TARGET },
		{ __LINE__, B("GET ftp://x/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target is " TARGET },
		{ __LINE__, B("GET httpss://x/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target is " TARGET },
		{ __LINE__, B("GET http:/x/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target is " TARGET },
		{ __LINE__, B("GET http: HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target is " TARGET },
		{ __LINE__, B("GET ://x/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target is " TARGET },
		{ __LINE__, B("GET http:// HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target's host is not valid" },
		{ __LINE__, B("GET http:///a HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target's host is not valid" },
		{ __LINE__, B("GET http://?a HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target's host is not valid" },
		{ __LINE__, B("GET http://u@x/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target's host is not valid" },
		{ __LINE__, B("GET http://u:p@x/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target's host is not valid" },
		{ __LINE__, B("GET http://x\\y/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 the target's host is not valid" },
		{ __LINE__, B("CONNECT / HTTP/1.1\r\n" HOST "\r\n"),
		    "400 CONNECT to no host and port" },
		{ __LINE__, B("CONNECT x HTTP/1.1\r\n" HOST "\r\n"),
		    "400 CONNECT to no host and port" },
		{ __LINE__, B("CONNECT x: HTTP/1.1\r\n" HOST "\r\n"),
		    "400 CONNECT to no host and port" },
		{ __LINE__, B("CONNECT http://x:1 HTTP/1.1\r\n" HOST "\r\n"),
		    "400 CONNECT to no host and port" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK_STR(rows[i].line, rows[i].in, "refused", rows[i].want,
		    fed(rows[i].line, rows[i].in, rows[i].len, 1));
}

static void
test_bad_fields(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		/* hosts */
		{ __LINE__, B(GET "\r\n"), "400 no Host" },
		{ __LINE__, B("GET http://x/ HTTP/1.1\r\n\r\n"),
		    "400 no Host" },
		{ __LINE__, B(GET "Hosts: x\r\n\r\n"), "400 no Host" },
		{ __LINE__, B(GET HOST "A: b\r\n" HOST "\r\n"),
		    "400 two Host lines" },
		{ __LINE__, B(GET HOST "host: y\r\n\r\n"),
		    "400 two Host lines" },
		{ __LINE__, B("GET / HTTP/1.0\r\n" HOST HOST "\r\n"),
		    "400 two Host lines" },
		{ __LINE__, B(GET "Host:\r\n\r\n"), "400 Host is not valid" },
		{ __LINE__, B("OPTIONS * HTTP/1.1\r\nHost: \r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B("GET / HTTP/1.0\r\nHost: \t\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: :80\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x y\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x\ty\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x,y\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x/\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x?\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x#\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: u@x\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: http://x\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x%41\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: \xe7\xbd\x91\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x:80a\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x:-1\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x:65536\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x:000080\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: x:80:80\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: ::1\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: [\r\n\r\n"), "400 Host is not valid" },
		{ __LINE__, B(GET "Host: []\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: [::1\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: [::1]x\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: [::1]:x\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: [127.0.0.1]\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B(GET "Host: [fe80::1%25eth0]\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__,
		    B(GET "Host: [0000:0000:0000:0000:0000:0000:0000:0000:0000:"
			  "0000]\r\n\r\n"),
		    "400 Host is not valid" },
		{ __LINE__, B("GET http://y/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 Host is not the target's" },
		{ __LINE__, B("GET http://x:80/ HTTP/1.1\r\n" HOST "\r\n"),
		    "400 Host is not the target's" },
		{ __LINE__, B("GET http://x/ HTTP/1.1\r\nHost: xx\r\n\r\n"),
		    "400 Host is not the target's" },
		{ __LINE__, B("CONNECT x:443 HTTP/1.1\r\n" HOST "\r\n"),
		    "400 Host is not the target's" },
		/* lengths */
		{ __LINE__,
		    B(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
		    "400 two Content-Length lines" },
		{ __LINE__,
		    B(POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n"),
		    "400 two Content-Length lines" },
		{ __LINE__, B(POST "Content-Length:\r\n\r\n"),
		    "400 Content-Length is empty" },
		{ __LINE__, B(POST "Content-Length: 5, 5\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: 5,6\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: ,5\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: -1\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: -0\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: +5\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: 0x5\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: 5 5\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: 5\t5\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: 1_0\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: 5.0\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: 1e1\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: \"5\"\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: \xd9\xa5\r\n\r\n"),
		    "400 Content-Length is no number" },
		{ __LINE__, B(POST "Content-Length: 05\r\n\r\n"),
		    "400 Content-Length begins with a zero" },
		{ __LINE__, B(POST "Content-Length: 00\r\n\r\n"),
		    "400 Content-Length begins with a zero" },
		{ __LINE__,
		    B(POST "Content-Length: 9223372036854775808\r\n\r\n"),
		    "400 Content-Length is too large" },
		{ __LINE__,
		    B(POST "Content-Length: 9999999999999999999\r\n\r\n"),
		    "400 Content-Length is too large" },
		{ __LINE__,
		    B(POST "Content-Length: 10000000000000000000\r\n\r\n"),
		    "400 Content-Length is too large" },
		{ __LINE__,
		    B(POST "Content-Length: 18446744073709551621\r\n\r\n"),
		    "400 Content-Length is too large" },
		/* codings */
		{ __LINE__,
		    B(POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
			   "\r\n0\r\n\r\nGET /admin"),
		    "400 Content-Length with Transfer-Encoding" },
		{ __LINE__,
		    B(POST "Transfer-Encoding: x\r\nContent-Length: 0\r\n\r\n"),
		    "400 Content-Length with Transfer-Encoding" },
		{ __LINE__,
		    B(POST "Transfer-Encoding: chunked\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n"),
		    "400 two Transfer-Encoding lines" },
		{ __LINE__,
		    B(POST "Transfer-Encoding: chunked\r\n"
			   "Transfer-encoding: identity\r\n\r\n"),
		    "400 two Transfer-Encoding lines" },
		{ __LINE__,
		    B("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
		    "400 Transfer-Encoding in HTTP/1.0" },
		{ __LINE__,
		    B("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"
		      "Content-Length: 3\r\n\r\n"),
		    "400 Transfer-Encoding in HTTP/1.0" },
		{ __LINE__, B(POST "Transfer-Encoding: chunked, gzip\r\n\r\n"),
		    "400 chunked is not the last transfer coding" },
		{ __LINE__,
		    B(POST "Transfer-Encoding: chunked,Chunked\r\n\r\n"),
		    "400 chunked is not the last transfer coding" },
		{ __LINE__, B(POST "Transfer-Encoding:\r\n\r\n"),
		    "400 Transfer-Encoding has an empty element" },
		{ __LINE__, B(POST "Transfer-Encoding: , \r\n\r\n"),
		    "400 Transfer-Encoding has an empty element" },
		{ __LINE__, B(POST "Transfer-Encoding: chunked,\r\n\r\n"),
		    "400 Transfer-Encoding has an empty element" },
		{ __LINE__, B(POST "Transfer-Encoding: ,chunked\r\n\r\n"),
		    "400 Transfer-Encoding has an empty element" },
		{ __LINE__, B(POST "Transfer-Encoding: chunked;a=b\r\n\r\n"),
		    "400 Transfer-Encoding is no list of tokens" },
		{ __LINE__, B(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"),
		    "400 Transfer-Encoding is no list of tokens" },
		{ __LINE__, B(POST "Transfer-Encoding: gzip chunked\r\n\r\n"),
		    "400 Transfer-Encoding is no list of tokens" },
		{ __LINE__, B(POST "Transfer-Encoding: chunked\xff\r\n\r\n"),
		    "400 Transfer-Encoding is no list of tokens" },
		{ __LINE__, B(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
		    "501 a transfer coding that is not known" },
		{ __LINE__, B(POST "Transfer-Encoding: gzip\r\n\r\n"),
		    "501 a transfer coding that is not known" },
		{ __LINE__, B(POST "Transfer-Encoding: identity\r\n\r\n"),
		    "501 a transfer coding that is not known" },
		{ __LINE__, B(POST "Transfer-Encoding: xchunked\r\n\r\n"),
		    "501 a transfer coding that is not known" },
		/* expectations */
		{ __LINE__, B(POST "Expect: cookies\r\n\r\n"),
		    "417 an expectation that is not known" },
		{ __LINE__, B(POST "Expect:\r\n\r\n"),
		    "417 an expectation that is not known" },
		{ __LINE__, B(POST "Expect: 100-continue, x\r\n\r\n"),
		    "417 an expectation that is not known" },
		{ __LINE__, B(POST "Expect: 100-continue\r\nExpect: x\r\n\r\n"),
		    "400 two Expect lines" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK_STR(rows[i].line, rows[i].in, "refused", rows[i].want,
		    fed(rows[i].line, rows[i].in, rows[i].len, 1));
}

/* A line that is wrong is not waited behind. */
static void
test_refused_early(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		{ __LINE__, B("\n"), "400 a line ends in a bare LF" },
		{ __LINE__, B("GET\n"), "400 a line ends in a bare LF" },
		{ __LINE__, B("GET / HTTP/1.1\rA\n"), "400 a bare CR" },
		{ __LINE__, B("\r\n\r\n"), "400 the request line is empty" },
		{ __LINE__, B("GET /\r\n"),
		    "400 the request line has no version" },
		{ __LINE__, B("FOO / HTTP/1.1\r\n"),
		    "501 a method that is not known" },
		{ __LINE__, B(GET "A: b\n"), "400 a line ends in a bare LF" },
		{ __LINE__, B(GET "A: b\r\n\n"),
		    "400 a line ends in a bare LF" },
		{ __LINE__, B(GET "A: b\r\nC\r\n"),
		    "400 a field has no colon" },
		{ __LINE__, B(GET HOST "A: b\r\n" HOST), "400 two Host lines" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++)
		CHECK_STR(rows[i].line, rows[i].in, "refused", rows[i].want,
		    fed(rows[i].line, rows[i].in, rows[i].len, 1));
}

/* Nor is the line's end when it is wrong as it comes first. */
static void
test_refused_at_once(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want;
	} rows[] = {
		{ __LINE__, B("\x16\x03\x01"),
		    "400 the request line has a control byte in it" },
		{ __LINE__, B("GET /\0"),
		    "400 the request line has a control byte in it" },
		{ __LINE__, B("\rG"), "400 a bare CR" },
		{ __LINE__, B(GET " "), "400 a line begins with white space" },
		{ __LINE__, B(GET "A "),
		    "400 a field's name has white space in it" },
		{ __LINE__, B(GET ":"), "400 a field's name is empty" },
		{ __LINE__, B(GET "A: \x7f"),
		    "400 a field's value has a control byte in it" },
	};
	static struct head h;
	enum head_result r;
	size_t scanned = 0;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		r = head_parse(&h, rows[i].in, rows[i].len, &scanned);
		CHECK_STR(rows[i].line, rows[i].in, "refused", rows[i].want,
		    told(r, &h));
	}
}

/* The request line is there for the log, as far as there is one. */
static void
test_line(void **state)
{
	static const struct {
		int line;
		const char *in;
		const char *want;
	} rows[] = {
		{ __LINE__, GET HOST "\r\n", "GET / HTTP/1.1" },
		{ __LINE__, "\r\n" GET "\r\n", "GET / HTTP/1.1" },
		{ __LINE__, GET "A b\r\n", "GET / HTTP/1.1" },
		{ __LINE__, "GET /\r\n", "GET /" },
		{ __LINE__, "GET /\x01 HTTP/1.1\r\n", "GET /" },
		{ __LINE__, "GET / HTTP/1.1\n", "GET / HTTP/1.1" },
		{ __LINE__, "\r\n\r\n", "" },
		{ __LINE__, "\x16\x03", "" },
	};
	static struct head h;
	size_t scanned;
	char got[64];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		scanned = 0;
		head_parse(&h, rows[i].in, strlen(rows[i].in), &scanned);
		snprintf(got, sizeof(got), "%.*s", (int)h.line.len, h.line.p);
		CHECK_STR(rows[i].line, rows[i].in, "line", rows[i].want, got);
	}
}

static void
test_methods(void **state)
{
	static const char *const names[] = {
#define METHOD_NAME(constant, name) name,
		HTTP_METHODS(METHOD_NAME)
#undef METHOD_NAME
	};
	static struct head h;
	char in[64];
	size_t scanned = 0;
	int n;

	(void)state;
	assert_int_equal(nitems(names), HTTP_N_METHODS);
	for (unsigned i = 0; i < nitems(names); i++) {
		n = snprintf(in, sizeof(in), "%s %s HTTP/1.0\r\n\r\n", names[i],
		    i == HTTP_CONNECT ? "x:1" : "/");
		CHECK_INT(__LINE__, in, "answer", HEAD_OK,
		    head_parse(&h, in, (size_t)n, &scanned));
		CHECK_INT(__LINE__, in, "method", i, h.method);
		CHECK_STR(
		    __LINE__, in, "name", names[i], http_method_name(h.method));
		seed_keep("fuzz_http_head", in, (size_t)n);
	}
	assert_string_equal(http_method_name(HTTP_N_METHODS), "?");
}

/* A name that differs from a known one in a bit, but for that of the case, is
 * another name. */
static void
check_near(enum head_field_id id, const char *name)
{
	static struct head h;
	char in[256];
	size_t scanned = 0;
	int n;

	for (size_t i = 0; i < strlen(name); i++) {
		for (unsigned bit = 1; bit < 0x100; bit <<= 1) {
			n = snprintf(in, sizeof(in),
			    "GET / HTTP/1.0\r\n%s: 1\r\n\r\n", name);
			in[strlen("GET / HTTP/1.0\r\n") + i] ^= (char)bit;
			if (head_parse(&h, in, (size_t)n, &scanned) == HEAD_OK)
				CHECK(__LINE__, in, "known",
				    (h.n_of[id] == 1) ==
					(bit == 0x20 && name[i] != '-'));
		}
	}
}

/* Each field is known by its name, letters folded; and may it come again? */
static void
test_field_names(void **state)
{
	static const struct {
		enum head_field_id id;
		const char *name;
		bool may_repeat;
	} rows[] = {
#define FIELD_ROW(constant, name, may_repeat) \
	{ HEAD_##constant, name, may_repeat },
		HEAD_FIELDS(FIELD_ROW)
#undef FIELD_ROW
	};
	static struct head h;
	char in[256], want[64], folded[64];
	enum head_result r;
	struct str value;
	size_t scanned = 0;
	unsigned at;
	int n;

	(void)state;
	assert_int_equal(nitems(rows) + 1, HEAD_N_FIELDS);
	for (size_t i = 0; i < nitems(rows); i++) {
		CHECK(__LINE__, rows[i].name, "can be compared in words",
		    strlen(rows[i].name) >= 4 &&
			strspn(rows[i].name, "abcdefghijklmnopqrstuvwxyz"
					     "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") ==
			    strlen(rows[i].name));
		for (size_t k = 0; k <= strlen(rows[i].name); k++)
			folded[k] = rows[i].name[k] >= 'a'
					? rows[i].name[k] - 32
				    : rows[i].name[k] >= 'A'
					? rows[i].name[k] + 32
					: rows[i].name[k];
		check_near(rows[i].id, rows[i].name);
		check_near(rows[i].id, folded);
		n = snprintf(in, sizeof(in),
		    "GET / HTTP/1.0\r\nA: b\r\n%s: 1\r\nC: d\r\n\r\n",
		    rows[i].name);
		head_parse(&h, in, (size_t)n, &scanned);
		CHECK_U64(__LINE__, in, "lines of it", 1, h.n_of[rows[i].id]);
		CHECK_U64(__LINE__, in, "its first", 1, h.first[rows[i].id]);
		CHECK_U64(__LINE__, in, "other lines", 2, h.n_of[HEAD_OTHER]);
		CHECK(__LINE__, in, "value",
		    str_is(head_get(&h, rows[i].id), STR("1")));

		n = snprintf(in, sizeof(in),
		    "GET / HTTP/1.0\r\n%s: 1\r\nA: b\r\n%s: 2\r\n\r\n", folded,
		    rows[i].name);
		r = head_parse(&h, in, (size_t)n, &scanned);
		if (!rows[i].may_repeat) {
			snprintf(want, sizeof(want), "400 two %s lines",
			    rows[i].name);
			CHECK_STR(__LINE__, in, "twice", want, told(r, &h));
			continue;
		}
		CHECK_INT(__LINE__, in, "twice", HEAD_OK, r);
		CHECK_U64(__LINE__, in, "lines of it", 2, h.n_of[rows[i].id]);
		at = 0;
		CHECK(__LINE__, in, "first value",
		    head_next(&h, rows[i].id, &at, &value) &&
			str_is(value, STR("1")));
		CHECK(__LINE__, in, "second value",
		    head_next(&h, rows[i].id, &at, &value) &&
			str_is(value, STR("2")));
		CHECK(__LINE__, in, "no third",
		    !head_next(&h, rows[i].id, &at, &value));
	}
}

static void
test_values(void **state)
{
	static const char in[] = "GET / HTTP/1.1\r\n"
				 "Accept:\r\n"
				 "X-One: \t a b\t c \t\r\n"
				 "Host:x\r\n"
				 "x-two:\t\r\n\r\n";
	static const struct {
		const char *name, *value;
	} want[] = {
		{ "Accept", "" },
		{ "X-One", "a b\t c" },
		{ "Host", "x" },
		{ "x-two", "" },
	};
	static struct head h;
	struct str value;
	size_t scanned = 0;
	unsigned at = 0;

	(void)state;
	assert_int_equal(head_parse(&h, in, sizeof(in) - 1, &scanned), HEAD_OK);
	assert_int_equal(h.size, sizeof(in) - 1);
	assert_int_equal(h.n_fields, nitems(want));
	for (unsigned i = 0; i < nitems(want); i++) {
		CHECK_MEM(i, in, "name", want[i].name, strlen(want[i].name),
		    h.fields[i].name.p, h.fields[i].name.len);
		CHECK_MEM(i, in, "value", want[i].value, strlen(want[i].value),
		    h.fields[i].value.p, h.fields[i].value.len);
	}
	/* empty is not absent */
	assert_non_null(head_get(&h, HEAD_ACCEPT).p);
	assert_int_equal(head_get(&h, HEAD_ACCEPT).len, 0);
	assert_null(head_get(&h, HEAD_RANGE).p);
	assert_int_equal(head_get(&h, HEAD_RANGE).len, 0);
	assert_false(head_next(&h, HEAD_RANGE, &at, &value));
	assert_true(head_next(&h, HEAD_OTHER, &at, &value));
	assert_int_equal(at, 2);
}

/* A head of len bytes, the last field of which makes it so long. */
static char *
head_of(size_t len)
{
	static char in[LIM_HTTP_HEAD_BYTES + 64];
	static const char begin[] = GET HOST "A: ";

	assert_true(len < sizeof(in));
	memset(in, 'x', sizeof(in));
	memcpy(in, begin, sizeof(begin) - 1);
	memcpy(in + len - 4, "\r\n\r\n", 4);
	return in;
}

/* A head with a request line of len bytes, of which its CRLF are two. */
static const char *
line_of(size_t len, size_t *size)
{
	static char in[LIM_HTTP_HEAD_BYTES + 64];
	static const char end[] = " HTTP/1.1\r\n";
	static const char rest[] = HOST "\r\n";

	assert_true(len + sizeof(rest) < sizeof(in));
	memset(in, 'x', sizeof(in));
	memcpy(in, "GET /", 5);
	memcpy(in + len - (sizeof(end) - 1), end, sizeof(end) - 1);
	memcpy(in + len, rest, sizeof(rest) - 1);
	*size = len + sizeof(rest) - 1;
	return in;
}

static void
test_long_heads(void **state)
{
	static const size_t steps[] = { 1, 7, 4096, LIM_HTTP_HEAD_BYTES - 1,
		LIM_HTTP_HEAD_BYTES };
	size_t max = LIM_HTTP_HEAD_BYTES, size;
	const char *in;
	char *wrong;

	(void)state;
	for (size_t i = 0; i < nitems(steps); i++) {
		assert_string_equal(
		    fed(__LINE__, head_of(max), max, steps[i]), "GET/1 / @x");
		assert_string_equal(
		    fed(__LINE__, head_of(max + 1), max + 1, steps[i]),
		    "431 the head is too long");
		assert_string_equal(
		    fed(__LINE__, head_of(max + 3), max + 3, steps[i]),
		    "431 the head is too long");
		/* known as soon as it is full */
		assert_string_equal(
		    fed(__LINE__, head_of(max + 1), max, steps[i]),
		    "431 the head is too long");
		assert_string_equal(
		    fed(__LINE__, head_of(max + 1), max - 1, steps[i]), "more");
		in = line_of(max + 1, &size);
		assert_string_equal(fed(__LINE__, in, max, steps[i]),
		    "414 the request line is too long");
		in = line_of(max - strlen(HOST "\r\n"), &size);
		assert_int_equal(size, max);
		assert_memory_equal(
		    fed(__LINE__, in, size, steps[i]), "GET/1 /xx", 9);
		in = line_of(max - strlen(HOST "\r\n") + 1, &size);
		assert_string_equal(fed(__LINE__, in, size, steps[i]),
		    "431 the head is too long");
		in = line_of(max, &size);
		assert_string_equal(fed(__LINE__, in, size, steps[i]),
		    "431 the head is too long");
		in = line_of(max + 1, &size);
		assert_string_equal(fed(__LINE__, in, size, steps[i]),
		    "414 the request line is too long");
		in = line_of(max + 2, &size);
		assert_string_equal(fed(__LINE__, in, size, steps[i]),
		    "414 the request line is too long");
	}
	/* What is wrong within the bound goes before. */
	wrong = head_of(max + 1);
	wrong[strlen(GET HOST)] = ':';
	assert_string_equal(
	    fed(__LINE__, wrong, max + 1, 4096), "400 a field's name is empty");
}

static void
test_empty_line_counts(void **state)
{
	static char in[LIM_HTTP_HEAD_BYTES + 3];
	size_t max = LIM_HTTP_HEAD_BYTES;

	(void)state;
	memcpy(in, "\r\n", 2);
	memcpy(in + 2, head_of(max - 2), max - 2);
	assert_string_equal(fed(__LINE__, in, max, 100), "GET/1 / @x");
	memcpy(in + 2, head_of(max - 1), max - 1);
	assert_string_equal(
	    fed(__LINE__, in, max + 1, 100), "431 the head is too long");
}

static void
test_many_fields(void **state)
{
	static char in[LIM_HTTP_HEAD_BYTES];
	size_t n = (size_t)snprintf(in, sizeof(in), "%s", GET HOST);

	(void)state;
	for (unsigned i = 1; i < LIM_HTTP_FIELDS; i++)
		n += (size_t)snprintf(
		    in + n, sizeof(in) - n, "a%u: %u\r\n", i, i);
	memcpy(in + n, "\r\n", 2);
	assert_string_equal(fed(__LINE__, in, n + 2, 1), "GET/1 / @x");
	memcpy(in + n, "b: c\r\n\r\n", 8);
	assert_string_equal(fed(__LINE__, in, n + 8, 1), "431 too many fields");
	memcpy(in + n, "\rX\n", 3);
	assert_string_equal(fed(__LINE__, in, n + 3, 1), "400 a bare CR");
}

/* One after the other in one buffer. */
static void
test_pipeline(void **state)
{
	static const char in[] = GET HOST "\r\n"
					  "HEAD /b HTTP/1.1\r\nHost: y\r\n\r\n"
					  "\r\nGET /c HTTP/1.0\r\n\r\n";
	static const char *const want[] = { "GET/1 / @x", "HEAD/1 /b @y",
		"GET/0 /c ends" };
	static struct head h;
	const char *p = in, *end = in + sizeof(in) - 1;
	size_t scanned = 0;

	(void)state;
	for (size_t i = 0; i < nitems(want); i++) {
		enum head_result r = head_parse(
		    &h, p, (size_t)(end - p), &scanned);

		CHECK_STR(__LINE__, p, "head", want[i], told(r, &h));
		p += h.size;
	}
	assert_ptr_equal(p, end);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_bad_fields),
		cmocka_unit_test(test_refused_early),
		cmocka_unit_test(test_refused_at_once),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_field_names),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_long_heads),
		cmocka_unit_test(test_empty_line_counts),
		cmocka_unit_test(test_many_fields),
		cmocka_unit_test(test_pipeline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
