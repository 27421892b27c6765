#include "helper.h"

#include "base/limits.h"
#include "http/chunk.h"

#define B(s) s, sizeof(s) - 1
#define END "1\r\nx\r\n0\r\n"

/* Where a body ended, and what was in it; or why it is none. */
struct outcome {
	enum chunk_result result;
	const char *reason;
	size_t used;
	size_t len;
	char data[256];
};

static void
take(struct outcome *o, struct str data)
{
	if (data.len <= sizeof(o->data) - o->len)
		memcpy(o->data + o->len, data.p, data.len);
	o->len += data.len;
}

/* In pieces of step bytes, each in memory of its own. */
static void
run(int line, const char *bytes, size_t len, size_t step, struct outcome *o)
{
	struct chunk c;
	struct str in, data;
	const char *why;
	size_t n = 0, size;
	char *piece;

	memset(&c, 0x5a, sizeof(c));
	chunk_init(&c);
	memset(o, 0, sizeof(*o));
	o->result = CHUNK_MORE;
	while (n < len && o->result == CHUNK_MORE) {
		size = step < len - n ? step : len - n;
		piece = exact_copy(bytes + n, size);
		in = (struct str){ piece, size };
		do {
			o->reason = NULL;
			o->result = chunk_next(&c, &in, &data, &o->reason);
			CHECK(line, bytes, "data with CHUNK_DATA only",
			    (data.len > 0) == (o->result == CHUNK_DATA));
			if (o->result == CHUNK_DATA)
				take(o, data);
		} while (o->result == CHUNK_DATA);
		CHECK(line, bytes, "more when there is no more",
		    o->result != CHUNK_MORE || in.len == 0);
		o->used = n + (size_t)(in.p - piece);
		n += size;
		free(piece);
	}
	if (o->result == CHUNK_MORE)
		return;
	/* it stays as it is */
	in = (struct str){ "0\r\n\r\n", 5 };
	CHECK_INT(line, bytes, "once more", o->result,
	    chunk_next(&c, &in, &data, &why));
	CHECK_U64(line, bytes, "nothing more is used", 5, in.len);
}

/* Whole, byte by byte, and in pieces: it is the same. */
static void
fed(int line, const char *bytes, size_t len, struct outcome *o)
{
	static const size_t steps[] = { 1, 2, 3, 5, 7, 64 };
	struct outcome piece;

	if (len < 4096)
		seed_keep("fuzz_http_chunk", bytes, len);
	run(line, bytes, len, len, o);
	for (size_t i = 0; i < nitems(steps); i++) {
		run(line, bytes, len, steps[i], &piece);
		CHECK_INT(
		    line, bytes, "result in pieces", o->result, piece.result);
		CHECK_STR(
		    line, bytes, "reason in pieces", o->reason, piece.reason);
		CHECK_U64(line, bytes, "used in pieces", o->used, piece.used);
		CHECK_MEM(line, bytes, "data in pieces", o->data, o->len,
		    piece.data, piece.len);
	}
}

static void
test_good(void **state)
{
	static const struct {
		int line;
		const char *in; /* "GET" stands behind it */
		size_t len;
		const char *want;
	} rows[] = {
		{ __LINE__, B("0\r\n\r\n"), "" },
		{ __LINE__, B("5\r\nhello\r\n0\r\n\r\n"), "hello" },
		{ __LINE__, B("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), "hello!" },
		{ __LINE__, B("a\r\n0123456789\r\n0\r\n\r\n"), "0123456789" },
		{ __LINE__, B("A\r\n0123456789\r\n0\r\n\r\n"), "0123456789" },
		{ __LINE__, B("0000000000000001\r\nx\r\n000\r\n\r\n"), "x" },
		{ __LINE__, B("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n" },
		{ __LINE__, B("7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n"),
		    "0\r\n\r\n\r\n" },
		/* extensions */
		{ __LINE__, B("1;a\r\nx\r\n0;b\r\n\r\n"), "x" },
		{ __LINE__, B("1 \t; \ta = b ;c=\"d;,\\\"\"\r\nx\r\n0\r\n\r\n"),
		    "x" },
		{ __LINE__, B("1;a=\xff\r\nx\r\n0\r\n\r\n"), "x" },
		/* trailer fields */
		{ __LINE__, B(END "a: b\r\n\r\n"), "x" },
		{ __LINE__,
		    B(END "a:\r\nContent-Length: 9\r\nb:\tc\xff\r\n\r\n"),
		    "x" },
	};
	char in[256];
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		memcpy(in, rows[i].in, rows[i].len);
		memcpy(in + rows[i].len, "GET", 3);
		fed(rows[i].line, in, rows[i].len + 3, &o);
		CHECK_STR(rows[i].line, rows[i].in, "reason", NULL, o.reason);
		CHECK_INT(
		    rows[i].line, rows[i].in, "result", CHUNK_END, o.result);
		CHECK_MEM(rows[i].line, rows[i].in, "data", rows[i].want,
		    strlen(rows[i].want), o.data, o.len);
		CHECK_U64(
		    rows[i].line, rows[i].in, "used", rows[i].len, o.used);
		for (size_t n = 0; n < rows[i].len; n++) {
			run(rows[i].line, in, n, n, &o);
			CHECK_INT(rows[i].line, rows[i].in, "not whole",
			    CHUNK_MORE, o.result);
		}
	}
}

static void
test_bad(void **state)
{
	static const struct {
		int line;
		const char *in;
		size_t len;
		const char *want;
		const char *data; /* that was given before */
	} rows[] = {
		/* sizes */
		{ __LINE__, B("\r\n"), "a chunk has no size", "" },
		{ __LINE__, B(" 5\r\n"), "a chunk has no size", "" },
		{ __LINE__, B("-1\r\n"), "a chunk has no size", "" },
		{ __LINE__, B("+5\r\n"), "a chunk has no size", "" },
		{ __LINE__, B(";a\r\n"), "a chunk has no size", "" },
		{ __LINE__, B("g\r\n"), "a chunk has no size", "" },
		{ __LINE__, B("\0"), "a chunk has no size", "" },
		{ __LINE__, B("1\r\nx\r\n\r\n"), "a chunk has no size", "x" },
		{ __LINE__, B("00000000000000001\r\n"),
		    "a chunk's size is too long", "" },
		{ __LINE__, B("fffffffffffffffff\r\n"),
		    "a chunk's size is too long", "" },
		{ __LINE__, B("0x5\r\nhello\r\n"),
		    "a chunk's size is followed by no extension", "" },
		{ __LINE__, B("5_0\r\n"),
		    "a chunk's size is followed by no extension", "" },
		{ __LINE__, B("5h\r\n"),
		    "a chunk's size is followed by no extension", "" },
		{ __LINE__, B("5 \r\nhello\r\n"),
		    "a chunk's size is followed by no extension", "" },
		{ __LINE__, B("5\t5\r\n"),
		    "a chunk's size is followed by no extension", "" },
		{ __LINE__, B("5,a\r\n"),
		    "a chunk's size is followed by no extension", "" },
		{ __LINE__, B("5\0\r\n"),
		    "a chunk's size is followed by no extension", "" },
		/* line ends */
		{ __LINE__, B("\n"), "a line ends in a bare LF", "" },
		{ __LINE__, B("5\nhello\r\n"), "a line ends in a bare LF", "" },
		{ __LINE__, B("5 \nhello\r\n"), "a line ends in a bare LF",
		    "" },
		{ __LINE__, B("5;\nhello\r\n"), "a line ends in a bare LF",
		    "" },
		{ __LINE__, B("5;a\nhello\r\n"), "a line ends in a bare LF",
		    "" },
		{ __LINE__, B("5\rhello\r\n"), "a bare CR", "" },
		{ __LINE__, B("5\r\rhello\r\n"), "a bare CR", "" },
		{ __LINE__, B("5;a\rb\r\n"), "a bare CR", "" },
		{ __LINE__, B("1\r\nx\r0\r\n\r\n"), "a bare CR", "x" },
		{ __LINE__, B("0\r\r\n"), "a bare CR", "" },
		{ __LINE__, B("0\r\n\rG"), "a bare CR", "" },
		{ __LINE__, B(END "a: b\rc: d\r\n"), "a bare CR", "x" },
		{ __LINE__, B("0\r\n\n"), "a line ends in a bare LF", "" },
		{ __LINE__, B(END "a\n"), "a line ends in a bare LF", "x" },
		{ __LINE__, B(END "a: b\n\r\n"), "a line ends in a bare LF",
		    "x" },
		/* data */
		{ __LINE__, B("5\r\nhello!\r\n"),
		    "a chunk's data does not end where its size says",
		    "hello" },
		{ __LINE__, B("5\r\nhello0\r\n\r\n"),
		    "a chunk's data does not end where its size says",
		    "hello" },
		{ __LINE__, B("5\r\nhello\n0\r\n\r\n"),
		    "a chunk's data does not end where its size says",
		    "hello" },
		{ __LINE__, B("3\r\na\r\n0\r\n\r\n"),
		    "a chunk's data does not end where its size says",
		    "a\r\n" },
		/* extensions */
		{ __LINE__, B("5;\r\nhello\r\n"),
		    "a chunk's extension has no name", "" },
		{ __LINE__, B("5; \t\r\nhello\r\n"),
		    "a chunk's extension has no name", "" },
		{ __LINE__, B("5;;a\r\n"), "a chunk's extension has no name",
		    "" },
		{ __LINE__, B("5;=a\r\n"), "a chunk's extension has no name",
		    "" },
		{ __LINE__, B("5;\"a\"\r\n"), "a chunk's extension has no name",
		    "" },
		{ __LINE__, B("5;\0\r\n"), "a chunk's extension has no name",
		    "" },
		{ __LINE__, B("5;a\0\r\n"),
		    "a chunk's extension has a control byte in it", "" },
		{ __LINE__, B("5;a=\x7f\r\n"),
		    "a chunk's extension has a control byte in it", "" },
		/* trailers */
		{ __LINE__, B(END " a: b\r\n"),
		    "a trailer field's name is no token", "x" },
		{ __LINE__, B(END "a: b\r\n c\r\n\r\n"),
		    "a trailer field's name is no token", "x" },
		{ __LINE__, B(END ": b\r\n"),
		    "a trailer field's name is no token", "x" },
		{ __LINE__, B(END "a : b\r\n"),
		    "a trailer field's name is no token", "x" },
		{ __LINE__, B(END "a\r\n"),
		    "a trailer field's name is no token", "x" },
		{ __LINE__, B(END "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		    "a trailer field's name is no token", "x" },
		{ __LINE__, B(END "a\0: b\r\n"),
		    "a trailer field's name is no token", "x" },
		{ __LINE__, B(END "a\xff: b\r\n"),
		    "a trailer field's name is no token", "x" },
		{ __LINE__, B(END "a: \0\r\n"),
		    "a trailer field has a control byte in it", "x" },
		{ __LINE__, B(END "a: b\x7f\r\n"),
		    "a trailer field has a control byte in it", "x" },
	};
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		fed(rows[i].line, rows[i].in, rows[i].len, &o);
		CHECK_INT(
		    rows[i].line, rows[i].in, "result", CHUNK_BAD, o.result);
		CHECK_STR(
		    rows[i].line, rows[i].in, "reason", rows[i].want, o.reason);
		CHECK_MEM(rows[i].line, rows[i].in, "data", rows[i].data,
		    strlen(rows[i].data), o.data, o.len);
	}
}

/* As large as there are digits for: nothing of it is added up. */
static void
test_largest_size(void **state)
{
	static const char text[] = "ffffffffffffffff\r\nabc";
	struct outcome o;

	(void)state;
	fed(__LINE__, text, sizeof(text) - 1, &o);
	assert_int_equal(o.result, CHUNK_MORE);
	assert_memory_equal(o.data, "abc", 3);
	assert_int_equal(o.len, 3);
}

/* The data comes as what is there of it, not byte by byte. */
static void
test_slices(void **state)
{
	static const char text[] = "5\r\nhello\r\n";
	struct str in = { text, 6 }, data;
	struct chunk c;
	const char *why;

	(void)state;
	chunk_init(&c);
	assert_int_equal(chunk_next(&c, &in, &data, &why), CHUNK_DATA);
	assert_ptr_equal(data.p, text + 3);
	assert_int_equal(data.len, 3);
	assert_int_equal(chunk_next(&c, &in, &data, &why), CHUNK_MORE);
	assert_int_equal(chunk_next(&c, &in, &data, &why), CHUNK_MORE);
	in = (struct str){ text + 6, 4 };
	assert_int_equal(chunk_next(&c, &in, &data, &why), CHUNK_DATA);
	assert_ptr_equal(data.p, text + 6);
	assert_int_equal(data.len, 2);
	in = (struct str){ NULL, 0 };
	assert_int_equal(chunk_next(&c, &in, &data, &why), CHUNK_MORE);
}

/* Of all chunks together: n bytes of extensions in chunks of one byte. */
static size_t
extensions_of(char *in, size_t n)
{
	size_t at = 0, len;

	while (n > 0) {
		len = n < 60 ? n : 60;
		memcpy(in + at, "1;", 2);
		memset(in + at + 2, 'a', len - 1);
		memcpy(in + at + 1 + len, "\r\nx\r\n", 5);
		at += len + 6;
		n -= len;
	}
	memcpy(in + at, "0\r\n\r\n", 5);
	return at + 5;
}

/* n bytes of fields, in two lines. */
static size_t
trailer_of(char *in, size_t n)
{
	memcpy(in, "0\r\na: b\r\n", 9);
	memset(in + 9, 'a', n);
	in[10] = ':';
	memcpy(in + 3 + n - 2, "\r\n\r\n", 4);
	return 3 + n + 2;
}

static void
test_limits(void **state)
{
	static char in[2 * LIM_HTTP_TRAILER_BYTES];
	struct outcome o;

	(void)state;
	fed(__LINE__, in, extensions_of(in, LIM_HTTP_CHUNK_EXT_BYTES), &o);
	assert_int_equal(o.result, CHUNK_END);
	fed(__LINE__, in, extensions_of(in, LIM_HTTP_CHUNK_EXT_BYTES + 1), &o);
	assert_int_equal(o.result, CHUNK_BAD);
	assert_string_equal(o.reason, "too many bytes of chunk extensions");

	fed(__LINE__, in, trailer_of(in, LIM_HTTP_TRAILER_BYTES), &o);
	assert_int_equal(o.result, CHUNK_END);
	fed(__LINE__, in, trailer_of(in, LIM_HTTP_TRAILER_BYTES + 1), &o);
	assert_int_equal(o.result, CHUNK_BAD);
	assert_string_equal(o.reason, "too many bytes of trailer fields");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_largest_size),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
