"""HTTP/1.1 on the wire: a table of raw requests, what answer each gets and
whether the connection stays (RFC 9112, RFC 9110, and what has broken other
servers: smuggling first)."""

import socket
import time

import pytest

from http_client import Http, parse_head, raw
from netpan_harness import Netpand

FILE = b"0123456789abcdef" * 8  # 128 bytes
END = b"\r\n\r\n"
H = b"Host: x\r\n"

KEPT, CLOSED = "kept", "closed"


def get(target=b"/file.txt", *lines, method=b"GET", version=b"HTTP/1.1",
        host=b"Host: x"):
    head = [method + b" " + target + b" " + version]
    head += [host] if host is not None else []
    return b"\r\n".join([*head, *lines]) + END


def chunked(body, *lines, method=b"POST"):
    return get(b"/file.txt", b"Transfer-Encoding: chunked", *lines,
               method=method) + body


# (what, bytes, status, what becomes of the connection)
ROWS = [
    # ---- the request line ----
    ("plain", get(), 200, KEPT),
    ("one empty line before it", b"\r\n" + get(), 200, KEPT),
    ("two empty lines before it", b"\r\n\r\n" + get(), 400, CLOSED),
    ("a bare LF before it", b"\n" + get(), 400, CLOSED),
    ("a space before it", b" " + get(), 400, CLOSED),
    ("two spaces in it", b"GET  /file.txt HTTP/1.1\r\n" + H + b"\r\n", 400, CLOSED),
    ("a tab in it", b"GET\t/file.txt HTTP/1.1\r\n" + H + b"\r\n", 400, CLOSED),
    ("a space behind it", b"GET /file.txt HTTP/1.1 \r\n" + H + b"\r\n", 400, CLOSED),
    ("no version", b"GET /file.txt\r\n" + H + b"\r\n", 400, CLOSED),
    ("HTTP/0.9", b"GET /file.txt\r\n\r\n", 400, CLOSED),
    ("no target", b"GET HTTP/1.1\r\n" + H + b"\r\n", 400, CLOSED),
    ("nothing but a CRLF twice", b"\r\n\r\n", 400, CLOSED),
    ("a version in small letters", get(version=b"http/1.1"), 400, CLOSED),
    ("HTTP/1.0", get(version=b"HTTP/1.0"), 200, CLOSED),
    ("HTTP/1.0 without a Host", get(version=b"HTTP/1.0", host=None), 200, CLOSED),
    ("HTTP/1.0, kept on request",
     get(b"/file.txt", b"Connection: keep-alive", version=b"HTTP/1.0"), 200, KEPT),
    ("HTTP/1.2 is 1.1", get(version=b"HTTP/1.2"), 200, KEPT),
    ("HTTP/1.9 is 1.1", get(version=b"HTTP/1.9"), 200, KEPT),
    ("HTTP/2.0", get(version=b"HTTP/2.0"), 505, CLOSED),
    ("HTTP/3.0", get(version=b"HTTP/3.0"), 505, CLOSED),
    ("HTTP/0.9 said so", get(version=b"HTTP/0.9"), 505, CLOSED),
    ("HTTP/11", get(version=b"HTTP/11"), 400, CLOSED),
    ("HTTP/1.11", get(version=b"HTTP/1.11"), 400, CLOSED),
    ("HTTP/1,1", get(version=b"HTTP/1,1"), 400, CLOSED),
    ("HTTP/1.", get(version=b"HTTP/1."), 400, CLOSED),
    ("HTTP /1.1", get(version=b"HTTP /1.1"), 400, CLOSED),
    ("another protocol", get(version=b"HTTPS/1.1"), 400, CLOSED),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, CLOSED),
    # ---- methods ----
    ("HEAD", get(method=b"HEAD"), 200, KEPT),
    ("OPTIONS", get(method=b"OPTIONS"), 204, KEPT),
    ("OPTIONS *", get(b"*", method=b"OPTIONS"), 204, KEPT),
    ("GET *", get(b"*"), 400, CLOSED),
    ("POST", get(b"/file.txt", b"Content-Length: 0", method=b"POST"), 405, KEPT),
    ("PUT", get(b"/new", b"Content-Length: 0", method=b"PUT"), 405, KEPT),
    ("DELETE", get(method=b"DELETE"), 405, KEPT),
    ("PATCH", get(method=b"PATCH"), 405, KEPT),
    ("MKCOL", get(b"/new", method=b"MKCOL"), 405, KEPT),
    ("MOVE", get(b"/file.txt", b"Destination: /x", method=b"MOVE"), 405, KEPT),
    ("COPY", get(b"/file.txt", b"Destination: /x", method=b"COPY"), 405, KEPT),
    ("PROPFIND", get(b"/", b"Depth: 0", method=b"PROPFIND"), 405, KEPT),
    ("LOCK", get(method=b"LOCK"), 405, KEPT),
    ("TRACE", get(method=b"TRACE"), 405, CLOSED),
    ("CONNECT", get(b"x:80", method=b"CONNECT", host=b"Host: x:80"), 405, CLOSED),
    ("CONNECT with another Host", get(b"x:80", method=b"CONNECT"), 400, CLOSED),
    ("CONNECT to a path", get(b"/", method=b"CONNECT"), 400, CLOSED),
    ("an unknown method", get(method=b"BREW"), 501, CLOSED),
    ("a method in small letters", get(method=b"get"), 501, CLOSED),
    ("a method that is longer than one", get(method=b"A" * 33), (400, 501), CLOSED),
    ("a method that is no token", get(method=b"G(T"), 400, CLOSED),
    ("a method with a NUL", get(method=b"GE\0T"), 400, CLOSED),
    ("a method of UTF-8", get(method="GÉT".encode()), 400, CLOSED),
    # ---- targets ----
    ("absolute form", get(b"http://x/file.txt"), 200, KEPT),
    ("absolute form, letters folded", get(b"HTTP://X/file.txt"), 200, KEPT),
    ("absolute form without a path", get(b"http://x"), 200, KEPT),
    ("absolute form of another host", get(b"http://y/file.txt"), 400, CLOSED),
    ("absolute form of another port", get(b"http://x:81/file.txt"), 400, CLOSED),
    ("absolute form with a user", get(b"http://u@x/file.txt"), 400, CLOSED),
    ("absolute form of another scheme", get(b"ftp://x/file.txt"), 400, CLOSED),
    ("absolute form of a file", get(b"file:///etc/passwd"), 400, CLOSED),
    ("authority form", get(b"x:80"), 400, CLOSED),
    ("no slash", get(b"file.txt"), 400, CLOSED),
    ("a fragment", get(b"/file.txt#a"), 400, CLOSED),
    ("a query", get(b"/file.txt?a=b"), 200, KEPT),
    ("an empty query", get(b"/file.txt?"), 200, KEPT),
    ("a question mark in the query", get(b"/file.txt?a?b"), 200, KEPT),
    ("a bad escape in the query", get(b"/file.txt?a=%zz"), 400, KEPT),
    ("33 parameters", get(b"/file.txt?" + b"a&" * 33), 400, KEPT),
    ("32 parameters", get(b"/file.txt?" + b"a&" * 32), 200, KEPT),
    ("a NUL in the target", get(b"/fi\0le"), 400, CLOSED),
    ("a control byte in the target", get(b"/fi\x01le"), 400, CLOSED),
    ("DEL in the target", get(b"/fi\x7fle"), 400, CLOSED),
    ("bytes over 127 in the target", get("/名".encode()), 200, KEPT),
    ("the same escaped", get(b"/%E5%90%8D"), 200, KEPT),
    ("an escaped NUL", get(b"/file.txt%00"), 400, KEPT),
    ("an escaped slash", get(b"/folder%2Ffile"), 400, KEPT),
    ("an escaped control byte", get(b"/file%0Atxt"), 400, KEPT),
    ("an escape cut short", get(b"/file%4"), 400, KEPT),
    ("an escape that is none", get(b"/file%GG"), 400, KEPT),
    ("an escape decoded once", get(b"/100%2525"), 200, KEPT),
    ("dot-dot", get(b"/../file.txt"), 400, KEPT),
    ("dot-dot escaped", get(b"/%2e%2e/file.txt"), 400, KEPT),
    ("dot-dot half escaped", get(b"/.%2e/file.txt"), 400, KEPT),
    ("dot-dot escaped twice", get(b"/%252e%252e/file.txt"), 404, KEPT),
    ("dot-dot with an escaped slash", get(b"/..%2ffile.txt"), 400, KEPT),
    ("dot-dot within", get(b"/folder/../file.txt"), 400, KEPT),
    ("dot-dot at the end", get(b"/folder/.."), 400, KEPT),
    ("dot-dot with a parameter", get(b"/..;/file.txt"), 404, KEPT),
    ("dot", get(b"/./file.txt"), 400, KEPT),
    ("two slashes", get(b"//file.txt"), 400, KEPT),
    ("two slashes within", get(b"/folder//file"), 400, KEPT),
    ("two slashes alone", get(b"//"), 400, KEPT),
    ("a backslash is a byte", get(b"/..\\file.txt"), 404, KEPT),
    ("a file with a slash behind it", get(b"/file.txt/"), 404, KEPT),
    ("a file as a folder", get(b"/file.txt/x"), 404, KEPT),
    ("the reserved name", get(b"/.netpan/stage"), 404, KEPT),
    ("the reserved name escaped", get(b"/%2Enetpan"), 404, KEPT),
    ("a link out of the tree", get(b"/out"), 404, KEPT),
    ("a link out of the tree, as a folder", get(b"/out/"), 404, KEPT),
    ("through a link", get(b"/linked/file"), 404, KEPT),
    ("a pipe", get(b"/pipe"), 404, KEPT),
    ("a name of 255 bytes", get(b"/" + b"n" * 255), 404, KEPT),
    ("a name of 256 bytes", get(b"/" + b"n" * 256), 414, KEPT),
    ("a path of 4095 bytes", get(b"/" + b"a/" * 127 + b"/".join([b"n" * 255] * 15)[:3841]),
     (404, 414), KEPT),
    ("a path too deep", get(b"/a" * 129), 414, KEPT),
    ("a target of 20,000 bytes", get(b"/" + b"a" * 20000), 414, CLOSED),
    # ---- Host ----
    ("no Host", get(host=None), 400, CLOSED),
    ("two Hosts", get(b"/file.txt", b"Host: x"), 400, CLOSED),
    ("two different Hosts", get(b"/file.txt", b"Host: y"), 400, CLOSED),
    ("Host with a port", get(host=b"Host: x:8686"), 200, KEPT),
    ("Host that is an IPv6 address", get(host=b"Host: [::1]:8686"), 200, KEPT),
    ("Host with a path", get(host=b"Host: x/y"), 400, CLOSED),
    ("Host with a user", get(host=b"Host: u@x"), 400, CLOSED),
    ("Host with a space", get(host=b"Host: x y"), 400, CLOSED),
    ("Host with a list", get(host=b"Host: x, y"), 400, CLOSED),
    ("Host with a port that is none", get(host=b"Host: x:8a"), 400, CLOSED),
    # ---- field lines ----
    ("an empty value", get(b"/file.txt", b"X-A:"), 200, KEPT),
    ("a tab in a value", get(b"/file.txt", b"X-A: a\tb"), 200, KEPT),
    ("bytes over 127 in a value", get(b"/file.txt", b"X-A: \xff\x80"), 200, KEPT),
    ("a space before the colon", get(b"/file.txt", b"X-A : b"), 400, CLOSED),
    ("a tab before the colon", get(b"/file.txt", b"X-A\t: b"), 400, CLOSED),
    ("a space before the name", get(b"/file.txt", b" X-A: b"), 400, CLOSED),
    ("a folded line", get(b"/file.txt", b"X-A: b", b" c"), 400, CLOSED),
    ("a line folded by a tab", get(b"/file.txt", b"X-A: b", b"\tc"), 400, CLOSED),
    ("the first line folded", b"GET /file.txt HTTP/1.1\r\n Host: x\r\n\r\n", 400, CLOSED),
    ("an empty name", get(b"/file.txt", b": b"), 400, CLOSED),
    ("no colon", get(b"/file.txt", b"X-A"), 400, CLOSED),
    ("a name that is no token", get(b"/file.txt", b"X A: b"), 400, CLOSED),
    ("a name with brackets", get(b"/file.txt", b"X[A]: b"), 400, CLOSED),
    ("a NUL in a name", get(b"/file.txt", b"X\0A: b"), 400, CLOSED),
    ("a NUL in a value", get(b"/file.txt", b"X-A: b\0c"), 400, CLOSED),
    ("a bare CR in a value", get(b"/file.txt", b"X-A: b\rc"), 400, CLOSED),
    ("a bare LF in a value", get(b"/file.txt", b"X-A: b\nc: d"), 400, CLOSED),
    ("a control byte in a value", get(b"/file.txt", b"X-A: b\x01"), 400, CLOSED),
    ("DEL in a value", get(b"/file.txt", b"X-A: b\x7f"), 400, CLOSED),
    ("bare LFs everywhere", b"GET /file.txt HTTP/1.1\nHost: x\n\n", 400, CLOSED),
    ("a bare LF at the end", b"GET /file.txt HTTP/1.1\r\nHost: x\r\n\n", 400, CLOSED),
    ("CRs everywhere", b"GET /file.txt HTTP/1.1\rHost: x\r\r\n\r\n", 400, CLOSED),
    ("64 field lines", get(b"/file.txt", *[b"X-%d: a" % i for i in range(63)]), 200, KEPT),
    ("65 field lines", get(b"/file.txt", *[b"X-%d: a" % i for i in range(64)]), 431, CLOSED),
    ("a head of 16 KiB and a byte", get(b"/file.txt", b"X: " + b"a" * 16400), 431, CLOSED),
    ("a head of 256 KiB", get(b"/file.txt", b"X: " + b"a" * (1 << 18)), 431, CLOSED),
    ("binary", bytes(range(128, 256)), 400, CLOSED),
    # ---- Content-Length and Transfer-Encoding ----
    ("GET with a body", get(b"/file.txt", b"Content-Length: 4") + b"body", 200, KEPT),
    ("GET with a body in chunks", chunked(b"4\r\nbody\r\n0\r\n\r\n", method=b"GET"), 200, KEPT),
    ("two lengths", get(b"/file.txt", b"Content-Length: 4", b"Content-Length: 5") + b"bodyy", 400, CLOSED),
    ("two equal lengths", get(b"/file.txt", b"Content-Length: 4", b"Content-Length: 4") + b"body", 400, CLOSED),
    ("a list of lengths", get(b"/file.txt", b"Content-Length: 4, 4") + b"body", 400, CLOSED),
    ("length -1", get(b"/file.txt", b"Content-Length: -1"), 400, CLOSED),
    ("length +5", get(b"/file.txt", b"Content-Length: +5") + b"12345", 400, CLOSED),
    ("length 0x5", get(b"/file.txt", b"Content-Length: 0x5") + b"12345", 400, CLOSED),
    ("length with a space", get(b"/file.txt", b"Content-Length: 5 5"), 400, CLOSED),
    ("length in words", get(b"/file.txt", b"Content-Length: five"), 400, CLOSED),
    ("length empty", get(b"/file.txt", b"Content-Length:"), 400, CLOSED),
    ("length 5.0", get(b"/file.txt", b"Content-Length: 5.0"), 400, CLOSED),
    ("length 2^64", get(b"/file.txt", b"Content-Length: 18446744073709551616"), 400, CLOSED),
    ("length 2^64 - 1", get(b"/file.txt", b"Content-Length: 18446744073709551615"), 400, CLOSED),
    ("length of 20 digits", get(b"/file.txt", b"Content-Length: " + b"0" * 20), 400, CLOSED),
    ("length over what is skipped", get(b"/file.txt", b"Content-Length: 65537"), 200, CLOSED),
    ("length and chunks", get(b"/file.txt", b"Content-Length: 4", b"Transfer-Encoding: chunked",
                              method=b"POST") + b"0\r\n\r\nGET /admin", 400, CLOSED),
    ("chunks and length", get(b"/file.txt", b"Transfer-Encoding: chunked", b"Content-Length: 4") + b"0\r\n\r\n", 400, CLOSED),
    ("chunks in HTTP/1.0", get(b"/file.txt", b"Transfer-Encoding: chunked", version=b"HTTP/1.0") + b"0\r\n\r\n", 400, CLOSED),
    ("chunked twice", get(b"/file.txt", b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n", 400, CLOSED),
    ("chunked in two lines", get(b"/file.txt", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400, CLOSED),
    ("chunked not last", get(b"/file.txt", b"Transfer-Encoding: chunked, gzip"), (400, 501), CLOSED),
    ("gzip, chunked", get(b"/file.txt", b"Transfer-Encoding: gzip, chunked"), (400, 501), CLOSED),
    ("identity", get(b"/file.txt", b"Transfer-Encoding: identity"), (400, 501), CLOSED),
    ("xchunked", get(b"/file.txt", b"Transfer-Encoding: xchunked"), (400, 501), CLOSED),
    ("chunked with a vertical tab", get(b"/file.txt", b"Transfer-Encoding: \x0bchunked"), 400, CLOSED),
    ("chunked in quotes", get(b"/file.txt", b'Transfer-Encoding: "chunked"'), (400, 501), CLOSED),
    ("chunked with a parameter", get(b"/file.txt", b"Transfer-Encoding: chunked;a=b"), (400, 501), CLOSED),
    ("CHUNKED", get(b"/file.txt", b"Transfer-Encoding: CHUNKED") + b"0\r\n\r\n", 200, KEPT),
    ("an empty coding", get(b"/file.txt", b"Transfer-Encoding:"), (400, 501), CLOSED),
    # ---- chunks ----
    ("one chunk", chunked(b"5\r\nhello\r\n0\r\n\r\n"), 405, KEPT),
    ("hex digits of both kinds", chunked(b"0A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), 405, KEPT),
    ("an extension", chunked(b"5;a=b\r\nhello\r\n0\r\n\r\n"), 405, KEPT),
    ("a trailer", chunked(b"0\r\nX-A: b\r\n\r\n"), 405, KEPT),
    ("16 digits", chunked(b"0000000000000005\r\nhello\r\n0\r\n\r\n"), 405, KEPT),
    ("17 digits", chunked(b"00000000000000005\r\nhello\r\n0\r\n\r\n"), 405, CLOSED),
    ("a size that overflows", chunked(b"ffffffffffffffff\r\nhello"), 405, CLOSED),
    ("a negative size", chunked(b"-5\r\nhello\r\n0\r\n\r\n"), 405, CLOSED),
    ("a size with 0x", chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), 405, CLOSED),
    ("an empty size", chunked(b"\r\nhello\r\n0\r\n\r\n"), 405, CLOSED),
    ("a space before the size", chunked(b" 5\r\nhello\r\n0\r\n\r\n"), 405, CLOSED),
    ("a size ended by a bare LF", chunked(b"5\nhello\r\n0\r\n\r\n"), 405, CLOSED),
    ("a size ended by a bare CR", chunked(b"5\rhello\r\n0\r\n\r\n"), 405, CLOSED),
    ("a chunk that is longer than said", chunked(b"5\r\nhelloo\r\n0\r\n\r\n"), 405, CLOSED),
    ("a chunk without its CRLF", chunked(b"5\r\nhello0\r\n\r\n"), 405, CLOSED),
    ("a chunk ended by a bare LF", chunked(b"5\r\nhello\n0\r\n\r\n"), 405, CLOSED),
    ("a bare LF in an extension", chunked(b"5;a\nb\r\nhello\r\n0\r\n\r\n"), 405, CLOSED),
    ("257 bytes of extensions", chunked(b"5;" + b"a" * 257 + b"\r\nhello\r\n0\r\n\r\n"), 405, CLOSED),
    ("extensions on every byte", chunked(b"1;" + b"a" * 100 + b"\r\nx\r\n" + (b"1;" + b"a" * 100 + b"\r\nx\r\n") * 9), 405, CLOSED),
    # ---- Expect ----
    ("Expect: 100-continue without a body", get(b"/file.txt", b"Expect: 100-continue"), 200, KEPT),
    ("Expect: 100-continue with one", get(b"/file.txt", b"Expect: 100-continue", b"Content-Length: 4"), 200, CLOSED),
    ("Expect something else", get(b"/file.txt", b"Expect: tea"), 417, None),
    ("Expect in HTTP/1.0", get(b"/file.txt", b"Expect: tea", version=b"HTTP/1.0"), 200, CLOSED),
    # ---- Connection ----
    ("close", get(b"/file.txt", b"Connection: close"), 200, CLOSED),
    ("close in a list", get(b"/file.txt", b"Connection: x, Close"), 200, CLOSED),
    ("close in the second line", get(b"/file.txt", b"Connection: x", b"Connection: close"), 200, CLOSED),
    ("keep-alive", get(b"/file.txt", b"Connection: keep-alive"), 200, KEPT),
    ("upgrade is not heeded", get(b"/file.txt", b"Connection: upgrade", b"Upgrade: h2c"), 200, KEPT),
    # ---- ranges ----
    ("the first byte", get(b"/file.txt", b"Range: bytes=0-0"), 206, KEPT),
    ("from an offset", get(b"/file.txt", b"Range: bytes=100-"), 206, KEPT),
    ("the last bytes", get(b"/file.txt", b"Range: bytes=-5"), 206, KEPT),
    ("more last bytes than there are", get(b"/file.txt", b"Range: bytes=-1000"), 206, KEPT),
    ("behind the end", get(b"/file.txt", b"Range: bytes=128-"), 416, KEPT),
    ("no last bytes", get(b"/file.txt", b"Range: bytes=-0"), 416, KEPT),
    ("of an empty file", get(b"/empty", b"Range: bytes=0-"), 416, KEPT),
    ("backwards", get(b"/file.txt", b"Range: bytes=5-1"), 200, KEPT),
    ("another unit", get(b"/file.txt", b"Range: lines=1-2"), 200, KEPT),
    ("no numbers", get(b"/file.txt", b"Range: bytes=a-b"), 200, KEPT),
    ("a number that overflows", get(b"/file.txt", b"Range: bytes=0-99999999999999999999999"), (200, 206), KEPT),
    ("three ranges", get(b"/file.txt", b"Range: bytes=0-0,2-3,-1"), 206, KEPT),
    ("16 ranges", get(b"/file.txt", b"Range: bytes=" + b",".join(b"%d-%d" % (i, i) for i in range(16))), 206, KEPT),
    ("17 ranges", get(b"/file.txt", b"Range: bytes=" + b",".join(b"%d-%d" % (i, i) for i in range(17))), 200, KEPT),
    ("two Range lines", get(b"/file.txt", b"Range: bytes=0-0", b"Range: bytes=1-1"), 400, CLOSED),
    ("Range with HEAD", get(b"/file.txt", b"Range: bytes=0-0", method=b"HEAD"), 200, KEPT),
    ("Range of a folder", get(b"/folder/", b"Range: bytes=0-0"), 200, KEPT),
    ("If-Range that is not the tag", get(b"/file.txt", b"Range: bytes=0-0", b'If-Range: "x"'), 200, KEPT),
    ("If-Range that is weak", get(b"/file.txt", b"Range: bytes=0-0", b'If-Range: W/"x"'), 200, KEPT),
    ("If-Range of an old date", get(b"/file.txt", b"Range: bytes=0-0",
                                    b"If-Range: Sun, 06 Nov 1994 08:49:37 GMT"), 200, KEPT),
    # ---- conditions ----
    ("If-None-Match *", get(b"/file.txt", b"If-None-Match: *"), 304, KEPT),
    ("If-None-Match another", get(b"/file.txt", b'If-None-Match: "x"'), 200, KEPT),
    ("If-Match *", get(b"/file.txt", b"If-Match: *"), 200, KEPT),
    ("If-Match another", get(b"/file.txt", b'If-Match: "x"'), 412, KEPT),
    ("If-Match of nothing", get(b"/nothing", b"If-Match: *"), (404, 412), KEPT),
    ("If-Modified-Since long ago", get(b"/file.txt", b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"), 200, KEPT),
    ("If-Modified-Since its time", get(b"/file.txt", b"If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT"), 304, KEPT),
    ("If-Modified-Since, RFC 850", get(b"/file.txt", b"If-Modified-Since: Sunday, 09-Sep-01 01:46:40 GMT"), 304, KEPT),
    ("If-Modified-Since, asctime", get(b"/file.txt", b"If-Modified-Since: Sun Sep  9 01:46:40 2001"), 304, KEPT),
    ("If-Modified-Since that is no date", get(b"/file.txt", b"If-Modified-Since: yesterday"), 200, KEPT),
    ("If-Unmodified-Since its time", get(b"/file.txt", b"If-Unmodified-Since: Sun, 09 Sep 2001 01:46:40 GMT"), 200, KEPT),
    ("If-Unmodified-Since before", get(b"/file.txt", b"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"), 412, KEPT),
    ("If-None-Match goes before If-Modified-Since",
     get(b"/file.txt", b'If-None-Match: "x"', b"If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT"), 200, KEPT),
    ("If-Match goes before If-Unmodified-Since",
     get(b"/file.txt", b"If-Match: *", b"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"), 200, KEPT),
    # ---- what else there is ----
    ("a folder without its slash", get(b"/folder"), 301, KEPT),
    ("a folder", get(b"/folder/"), 200, KEPT),
    ("a folder sorted", get(b"/folder/?json&sort=size&desc&limit=1"), 200, KEPT),
    ("a folder without its slash, with a query", get(b"/folder?json"), 301, KEPT),
    ("OPTIONS for JSON", get(b"*", b"Accept: application/json", method=b"OPTIONS"), 204, KEPT),
    ("an archive of nothing", get(b"/nothing/?tar"), 404, KEPT),
    ("a file behind an escaped @", get(b"/%40"), 404, KEPT),
    ("the root", get(b"/"), 200, KEPT),
    ("nothing", get(b"/nothing"), 404, KEPT),
    ("an empty file", get(b"/empty"), 200, KEPT),
    ("HEAD of nothing", get(b"/nothing", method=b"HEAD"), 404, KEPT),
    ("HEAD of a folder", get(b"/folder/", method=b"HEAD"), 200, KEPT),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    import os
    root = tmp_path_factory.mktemp("conformance")
    (root / "file.txt").write_bytes(FILE)
    os.utime(root / "file.txt", (1000000000, 1000000000))
    (root / "empty").write_bytes(b"")
    (root / "名").write_bytes(b"x")
    (root / "100%25").write_bytes(b"x")
    (root / "folder").mkdir()
    (root / "folder" / "file").write_bytes(b"x")
    (root / "out").symlink_to("/etc")
    (root / "linked").symlink_to("folder")
    os.mkfifo(root / "pipe")
    with Netpand(root, "--request-timeout", "2", "--hello-timeout", "2") as s:
        yield s


def split_replies(data, method):
    """The replies in data: [(status, body)]."""
    replies = []
    while data:
        head, end, rest = data.partition(END)
        assert end, f"half a head: {data[:200]!r}"
        status, fields = parse_head(head + end)
        fields = {n.lower(): v for n, v in fields}
        length = int(fields.get("content-length", 0))
        if method == b"HEAD" or status in (204, 304):
            length = 0
        if "transfer-encoding" in fields and method != b"HEAD":
            length = rest.index(b"0\r\n\r\n") + 5
        assert len(rest) >= length, f"half a body: {data[:300]!r}"
        replies.append((status, rest[:length]))
        data = rest[length:]
        method = b"GET"
    return replies


def test_there_are_enough():
    assert len(ROWS) >= 150
    assert len({what for what, *_ in ROWS}) == len(ROWS)


@pytest.mark.parametrize("what, data, status, fate", ROWS,
                         ids=[r[0] for r in ROWS])
def test_row(server, what, data, status, fate):
    """The request, and behind it a plain one, whose answer shows whether the
    connection has stayed and is where it should be."""
    after = b"GET /empty HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    got = raw(server.port, data + after)
    method = data.lstrip(b"\r\n").split(b" ")[0]
    replies = split_replies(got, method)
    assert replies, "no answer at all"
    assert replies[0][0] in (status if isinstance(status, tuple) else (status,)), got[:400]
    if fate == KEPT:
        assert [s for s, _ in replies[1:]] == [200], got
    elif fate == CLOSED:
        assert replies[1:] == [], got


@pytest.mark.parametrize("what, data, status, fate",
                         [r for r in ROWS if len(r[1]) < 2000],
                         ids=[r[0] for r in ROWS if len(r[1]) < 2000])
def test_row_in_pieces(server, what, data, status, fate):
    """The same answer when it comes in pieces of a few bytes."""
    after = b"GET /empty HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    whole = raw(server.port, data + after)
    got = b""
    with socket.create_connection(("127.0.0.1", server.port), 30) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for i in range(0, len(data), 7):
                s.sendall(data[i:i + 7])
            s.sendall(after)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            while piece := s.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
    method = data.lstrip(b"\r\n").split(b" ")[0]
    assert ([s for s, _ in split_replies(got, method)]
            == [s for s, _ in split_replies(whole, method)])


def test_lives_on_after_all_of_it(server):
    with Http(server.port) as http:
        assert http.get("/file.txt").body == FILE
    assert server.status()["total"]["restarted"] == 0
