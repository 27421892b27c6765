/*
 * The head of an HTTP/1 request (RFC 9112 2 to 6): bytes in; consumed, more,
 * or bad with a status and a reason.  Pure: no allocation, no hash; what is
 * found are slices of the input, valid as long as that stays where it is.
 *
 * Strict: what two readers could take for two different things is refused,
 * whatever else might be made of it.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdint.h>

#include "base/limits.h"
#include "http/str.h"

enum head_result {
	HEAD_OK,
	HEAD_MORE,
	HEAD_BAD /* status and reason say why; the connection must end */
};

/* X(constant, name).  A method that is none of them is refused with 501. */
#define HTTP_METHODS(X)           \
	X(GET, "GET")             \
	X(HEAD, "HEAD")           \
	X(OPTIONS, "OPTIONS")     \
	X(PUT, "PUT")             \
	X(DELETE, "DELETE")       \
	X(PATCH, "PATCH")         \
	X(POST, "POST")           \
	X(MKCOL, "MKCOL")         \
	X(MOVE, "MOVE")           \
	X(COPY, "COPY")           \
	X(PROPFIND, "PROPFIND")   \
	X(PROPPATCH, "PROPPATCH") \
	X(LOCK, "LOCK")           \
	X(UNLOCK, "UNLOCK")       \
	X(TRACE, "TRACE")         \
	X(CONNECT, "CONNECT")

enum http_method {
#define HTTP_METHOD_ENUM(constant, name) HTTP_##constant,
	HTTP_METHODS(HTTP_METHOD_ENUM)
#undef HTTP_METHOD_ENUM
	    HTTP_N_METHODS
};

const char *http_method_name(enum http_method);

/*
 * The fields that netpan reads.  X(constant, name, may_repeat): a second line
 * of one that may not repeat is refused with 400; those that may are lists,
 * and head_next gives line by line.
 */
#define HEAD_FIELDS(X)                                   \
	X(HOST, "Host", 0)                               \
	X(CONNECTION, "Connection", 1)                   \
	X(CONTENT_LENGTH, "Content-Length", 0)           \
	X(TRANSFER_ENCODING, "Transfer-Encoding", 0)     \
	X(EXPECT, "Expect", 0)                           \
	X(ACCEPT, "Accept", 1)                           \
	X(RANGE, "Range", 0)                             \
	X(IF_RANGE, "If-Range", 0)                       \
	X(IF_MATCH, "If-Match", 1)                       \
	X(IF_NONE_MATCH, "If-None-Match", 1)             \
	X(IF_MODIFIED_SINCE, "If-Modified-Since", 0)     \
	X(IF_UNMODIFIED_SINCE, "If-Unmodified-Since", 0) \
	X(WANT_REPR_DIGEST, "Want-Repr-Digest", 1)       \
	X(CONTENT_ENCODING, "Content-Encoding", 1)       \
	X(REFERER, "Referer", 0)                         \
	X(USER_AGENT, "User-Agent", 0)                   \
	X(FORWARDED_FOR, "X-Forwarded-For", 1)           \
	X(ORIGIN, "Origin", 0)                           \
	X(SEC_FETCH_SITE, "Sec-Fetch-Site", 0)

enum head_field_id {
	HEAD_OTHER,
#define HEAD_FIELD_ENUM(constant, name, may_repeat) HEAD_##constant,
	HEAD_FIELDS(HEAD_FIELD_ENUM)
#undef HEAD_FIELD_ENUM
	    HEAD_N_FIELDS
};

struct head_field {
	uint8_t id; /* enum head_field_id */
	struct str name; /* as it was written */
	struct str value; /* without the white space around it; may be empty */
};

struct head {
	/* HEAD_OK */
	size_t size; /* bytes of the head, with its last CRLF */
	enum http_method method;
	uint8_t minor; /* HTTP/1.minor: 0 or 1 (a higher one is taken as 1) */
	struct str line; /* the request line, for the log; also when BAD, then
			    as much of it as is there and has no control byte */
	struct str target; /* as it was written */
	struct str path; /* of the target, not decoded: begins with "/"; "*" for
			    OPTIONS *; len 0 for CONNECT */
	struct str query; /* after the "?"; p NULL: there is no "?" */
	struct str host; /* host and port as named; len 0 for an HTTP/1.0
			    client that names none */
	bool keep_alive; /* the client wants the connection to stay */
	bool expects_continue; /* Expect: 100-continue, and HTTP/1.1 */
	bool is_chunked; /* a chunked body follows */
	bool has_length; /* Content-Length was there */
	uint64_t length; /* of the body; 0 without one */
	unsigned n_fields;
	uint8_t n_of[HEAD_N_FIELDS]; /* how many lines of each, OTHER too */
	uint8_t first[HEAD_N_FIELDS]; /* its first line in fields, if n_of */
	/* HEAD_BAD */
	uint16_t status;
	const char *reason; /* a constant sentence, no full stop */
	/* the lines in their order */
	struct head_field fields[LIM_HTTP_FIELDS];
};

/*
 * Parses the head at p, of which len bytes are here.  Call it again with the
 * same bytes and more of them after HEAD_MORE, at the same place or another.
 * *scanned is 0 for a new head, remembers how far the search for the ends of
 * lines has come, and is 0 again after HEAD_OK and HEAD_BAD.  The struct need
 * be neither cleared nor kept in between.  One empty line before the request
 * line is passed over (RFC 9112 2.2).
 *
 * The answer is the same however the bytes came; what is wrong in a line is
 * refused when that line is there, if not before.  LIM_HTTP_HEAD_BYTES bound
 * the head: 414 when the request line alone is over it, else 431.
 */
enum head_result
head_parse(struct head *, const char *p, size_t len, size_t *scanned);

/* The value of a field's first line; p NULL when there is none. */
struct str head_get(const struct head *, enum head_field_id);

/* Line by line: *i is 0 at first and moved on.  False after the last. */
bool head_next(
    const struct head *, enum head_field_id, unsigned *i, struct str *value);

#endif
