/* Addresses, blocks of them, and what proxies say of clients. */
#include <assert.h>

#include "helper.h"

#include "base/addr.h"
#include "http/proxy.h"

static void
addresses(void **state)
{
	static const struct {
		int line;
		const char *in;
		const char *want; /* as text; NULL: it is none */
	} rows[] = {
		{ __LINE__, "192.0.2.1", "192.0.2.1" },
		{ __LINE__, "0.0.0.0", "0.0.0.0" },
		{ __LINE__, "2001:DB8::1", "2001:db8::1" },
		{ __LINE__, "::", "::" },
		{ __LINE__, "::ffff:192.0.2.1", "192.0.2.1" },
		{ __LINE__, "", NULL },
		{ __LINE__, "192.0.2", NULL },
		{ __LINE__, "192.0.2.256", NULL },
		{ __LINE__, "192.0.2.1 ", NULL },
		{ __LINE__, "192.0.2.1:80", NULL },
		{ __LINE__, "[::1]", NULL },
		{ __LINE__, "fe80::1%eth0", NULL },
		{ __LINE__, "localhost", NULL },
		{ __LINE__, "1111:2222:3333:4444:5555:6666:7777:8888:9999",
		    NULL },
		{ __LINE__,
		    "00000000000000000000000000000000000000000000000000000001",
		    NULL },
	};
	char text[ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct addr a = { .family = 77 };
		bool ok = addr_parse(&a, rows[i].in, strlen(rows[i].in));

		CHECK(rows[i].line, rows[i].in, "is one",
		    ok == (rows[i].want != NULL));
		if (ok)
			CHECK_STR(rows[i].line, rows[i].in, "text",
			    rows[i].want, addr_text(text, &a));
		else
			CHECK_INT(rows[i].line, rows[i].in, "untouched", 77,
			    a.family);
	}
}

static void
blocks(void **state)
{
	static const struct {
		int line;
		const char *block;
		const char *addr; /* "": a local socket's peer */
		int want; /* 1 in it, 0 not, -1 it is no block */
	} rows[] = {
		{ __LINE__, "192.0.2.0/24", "192.0.2.0", 1 },
		{ __LINE__, "192.0.2.0/24", "192.0.2.255", 1 },
		{ __LINE__, "192.0.2.0/24", "192.0.3.0", 0 },
		{ __LINE__, "192.0.2.128/25", "192.0.2.127", 0 },
		{ __LINE__, "192.0.2.128/25", "192.0.2.129", 1 },
		{ __LINE__, "192.0.2.7", "192.0.2.7", 1 },
		{ __LINE__, "192.0.2.7", "192.0.2.6", 0 },
		{ __LINE__, "0.0.0.0/0", "203.0.113.9", 1 },
		{ __LINE__, "0.0.0.0/0", "2001:db8::1", 0 },
		{ __LINE__, "0.0.0.0/0", "", 0 },
		{ __LINE__, "::/0", "::ffff:192.0.2.1", 0 },
		{ __LINE__, "2001:db8::/33", "2001:db8:7fff::1", 1 },
		{ __LINE__, "2001:db8::/33", "2001:db8:8000::1", 0 },
		{ __LINE__, "unix", "", 1 },
		{ __LINE__, "unix", "127.0.0.1", 0 },
		{ __LINE__, "192.0.2.1/24", NULL, -1 },
		{ __LINE__, "192.0.2.0/33", NULL, -1 },
		{ __LINE__, "192.0.2.0/", NULL, -1 },
		{ __LINE__, "192.0.2.0/-1", NULL, -1 },
		{ __LINE__, "2001:db8::/129", NULL, -1 },
		{ __LINE__, "2001:db8::1/64", NULL, -1 },
		{ __LINE__, "/24", NULL, -1 },
		{ __LINE__, "", NULL, -1 },
		{ __LINE__, "any", NULL, -1 },
	};

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct addr_block b;
		struct addr a = { .family = 0 };
		bool ok = addr_block_parse(&b, rows[i].block);

		CHECK(rows[i].line, rows[i].block, "is a block",
		    ok == (rows[i].want != -1));
		if (!ok)
			continue;
		(void)addr_parse(&a, rows[i].addr, strlen(rows[i].addr));
		CHECK_INT(rows[i].line, rows[i].block, rows[i].addr,
		    rows[i].want, addr_block_has(&b, &a));
	}
}

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V2_TCP4 V2 "\x21\x11\0\x0c\xcb\0\x71\x09\x7f\0\0\x01\x12\x34\0\x50"
#define V2_TCP6                                                       \
	V2 "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05" \
	   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34\0\x50"
#define BYTES(s) s, sizeof(s) - 1

static void
proxy_headers(void **state)
{
	static const struct {
		int line;
		const char *what;
		const char *in;
		size_t len;
		enum proxy_result want;
		const char *client; /* NULL: not named */
		size_t rest; /* bytes of in behind the header */
	} rows[] = {
		{ __LINE__, "v1",
		    BYTES("PROXY TCP4 203.0.113.9 127.0.0.1 4660 80\r\nGET"),
		    PROXY_OK, "203.0.113.9", 3 },
		{ __LINE__, "v1, IPv6",
		    BYTES("PROXY TCP6 2001:db8::5 ::1 0 65535\r\n"), PROXY_OK,
		    "2001:db8::5", 0 },
		{ __LINE__, "v1 unknown", BYTES("PROXY UNKNOWN\r\nx"), PROXY_OK,
		    NULL, 1 },
		{ __LINE__, "v1 unknown, more",
		    BYTES("PROXY UNKNOWN a b 1 2 anything\r\n"), PROXY_OK, NULL,
		    0 },
		{ __LINE__, "v2", BYTES(V2_TCP4 "GET"), PROXY_OK, "203.0.113.9",
		    3 },
		{ __LINE__, "v2, IPv6", BYTES(V2_TCP6), PROXY_OK, "2001:db8::5",
		    0 },
		{ __LINE__, "v2, with more behind the addresses",
		    BYTES(V2 "\x21\x11\0\x0f\xcb\0\x71\x09\x7f\0\0\x01"
			     "\x12\x34\0\x50\x04\0\0"),
		    PROXY_OK, "203.0.113.9", 0 },
		{ __LINE__, "v2 local", BYTES(V2 "\x20\0\0\0"), PROXY_OK, NULL,
		    0 },
		{ __LINE__, "v2 of a local socket",
		    BYTES(V2 "\x21\x31\0\x02zz"), PROXY_OK, NULL, 0 },
		{ __LINE__, "HTTP", BYTES("GET / HTTP/1.1\r\n"), PROXY_NONE,
		    NULL, 0 },
		{ __LINE__, "a train", BYTES("\xf5NPT"), PROXY_NONE, NULL, 0 },
		{ __LINE__, "a method like it", BYTES("PROXY/ HTTP"),
		    PROXY_NONE, NULL, 0 },
		{ __LINE__, "nothing yet", BYTES(""), PROXY_MORE, NULL, 0 },
		{ __LINE__, "wrong family",
		    BYTES("PROXY TCP6 203.0.113.9 127.0.0.1 1 2\r\n"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "no address",
		    BYTES("PROXY TCP4 example 127.0.0.1 1 2\r\n"), PROXY_BAD,
		    NULL, 0 },
		{ __LINE__, "a port too large",
		    BYTES("PROXY TCP4 203.0.113.9 127.0.0.1 65536 2\r\n"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "a port with a sign",
		    BYTES("PROXY TCP4 203.0.113.9 127.0.0.1 +1 2\r\n"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "one word less",
		    BYTES("PROXY TCP4 203.0.113.9 127.0.0.1 1\r\n"), PROXY_BAD,
		    NULL, 0 },
		{ __LINE__, "one word more",
		    BYTES("PROXY TCP4 203.0.113.9 127.0.0.1 1 2 3\r\n"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "two spaces",
		    BYTES("PROXY TCP4  203.0.113.9 127.0.0.1 1 2\r\n"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "a bare LF",
		    BYTES("PROXY TCP4 203.0.113.9 127.0.0.1 1 2\n"), PROXY_BAD,
		    NULL, 0 },
		{ __LINE__, "nothing in it", BYTES("PROXY \r\n"), PROXY_BAD,
		    NULL, 0 },
		{ __LINE__, "another protocol",
		    BYTES("PROXY UDP4 203.0.113.9 127.0.0.1 1 2\r\n"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "no end",
		    BYTES("PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			  "xxxxxxxxxxxxxxxxxxxx"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "v2 version 1", BYTES(V2 "\x11\x11\0\x0c"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "v2 command 2", BYTES(V2 "\x22\x11\0\x0c"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "v2 too short for its family",
		    BYTES(V2 "\x21\x11\0\x0b"), PROXY_BAD, NULL, 0 },
		{ __LINE__, "v2 IPv6 too short", BYTES(V2 "\x21\x21\0\x23"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "v2 as long as a number can be",
		    BYTES(V2 "\x21\x11\xff\xff"), PROXY_BAD, NULL, 0 },
		{ __LINE__, "v2 one past the limit", BYTES(V2 "\x20\0\x0f\xf1"),
		    PROXY_BAD, NULL, 0 },
		{ __LINE__, "v2 at the limit", BYTES(V2 "\x20\0\x0f\xf0"),
		    PROXY_MORE, NULL, 0 },
	};
	char text[ADDR_TEXT];

	(void)state;
	static_assert(LIM_PROXY_BYTES == 0x0ff0 + 16, "as in the rows");
	for (size_t i = 0; i < nitems(rows); i++) {
		enum proxy_result got = PROXY_MORE;
		struct addr client = { .family = 0 };
		size_t size = 0, n;

		/* whole, then byte by byte */
		for (int bytewise = 0; bytewise < 2; bytewise++) {
			n = bytewise ? 0 : rows[i].len;
			got = PROXY_MORE;
			for (; got == PROXY_MORE && n <= rows[i].len; n++) {
				void *copy = exact_copy(rows[i].in, n);

				got = proxy_parse(copy, n, &size, &client);
				free(copy);
			}
			CHECK_INT(rows[i].line, rows[i].what, "result",
			    rows[i].want, got);
			if (got != PROXY_OK)
				continue;
			CHECK_U64(rows[i].line, rows[i].what, "size",
			    rows[i].len - rows[i].rest, size);
			CHECK_STR(rows[i].line, rows[i].what, "client",
			    rows[i].client == NULL ? "local" : rows[i].client,
			    addr_text(text, &client));
		}
	}
}

static void
forwarded(void **state)
{
	static const struct {
		int line;
		const char *in;
		const char *want;
	} rows[] = {
		{ __LINE__, "203.0.113.9", "203.0.113.9" },
		{ __LINE__, " 203.0.113.9 ", "203.0.113.9" },
		{ __LINE__, "198.51.100.1, 203.0.113.9", "203.0.113.9" },
		{ __LINE__, "198.51.100.1, 10.0.0.1", "198.51.100.1" },
		{ __LINE__, "198.51.100.1,10.0.0.1,10.9.9.9", "198.51.100.1" },
		{ __LINE__, "127.0.0.1, 2001:db8::7", "2001:db8::7" },
		{ __LINE__, "", "trusted" },
		{ __LINE__, "10.0.0.1", "trusted" },
		{ __LINE__, "10.0.0.1, 10.9.9.9", "trusted" },
		{ __LINE__, ", 10.0.0.1", "trusted" },
		{ __LINE__, "unknown", "bad" },
		{ __LINE__, "203.0.113.9, _hidden", "bad" },
		{ __LINE__, "203.0.113.9,", "bad" },
		{ __LINE__, "203.0.113.9, 10.0.0.1x", "bad" },
	};
	struct addr_block trusted[2];
	char text[ADDR_TEXT];

	(void)state;
	assert_true(addr_block_parse(&trusted[0], "unix"));
	assert_true(addr_block_parse(&trusted[1], "10.0.0.0/8"));
	for (size_t i = 0; i < nitems(rows); i++) {
		static const char *const none[] = {
			[FORWARDED_TRUSTED] = "trusted",
			[FORWARDED_BAD] = "bad",
		};
		struct addr a = { .family = 0 };
		enum proxy_forwarded r = proxy_forwarded_for(
		    rows[i].in, strlen(rows[i].in), trusted, 2, &a);

		addr_text(text, &a);
		CHECK_STR(rows[i].line, rows[i].in, "who", rows[i].want,
		    r == FORWARDED_FOR ? text : none[r]);
		CHECK(rows[i].line, rows[i].in, "untouched",
		    r == FORWARDED_FOR || a.family == 0);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(blocks),
		cmocka_unit_test(proxy_headers),
		cmocka_unit_test(forwarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
