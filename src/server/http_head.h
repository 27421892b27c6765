/* Heads of HTTP answers, as netpand writes them. */
#ifndef SERVER_HTTP_HEAD_H
#define SERVER_HTTP_HEAD_H

#include <stdint.h>

#include "base/buf.h"
#include "http/date.h"
#include "http/mime.h"
#include "http/reply.h"
#include "http/str.h"
#include "path/path.h"
#include "store/store.h"

/* How an answer ends for its connection. */
enum http_keep {
	HTTP_KEEP, /* HTTP/1.1: it stays, and nobody need say so */
	HTTP_KEEP_SAID, /* HTTP/1.0: it stays because it was asked to */
	HTTP_CLOSE,
	HTTP_KEEPS
};

/* The first lines of a 200, made anew each second: status, Server, Date and
 * what is said of the connection. */
struct http_second {
	int64_t second;
	char date[DATE_LEN + 1];
	struct {
		char bytes[128];
		size_t len;
	} ok[HTTP_KEEPS];
};

/* Makes it that second's, if it is not. */
void http_second_set(struct http_second *, int64_t second);

#define HTTP_FILE_HEAD_MAX 2048

/* The rest of a 200's head for a file, with the empty line: type, length,
 * times, tag, and what keeps a browser from running it.  Returns its length. */
size_t http_file_head(char out[HTTP_FILE_HEAD_MAX], const struct path *,
    const struct store_meta *, struct str etag);

/* The same fields in another answer about it, without type, length and empty
 * line. */
struct http_file_fields {
	struct str name; /* the last segment */
	struct str etag;
	int64_t mtime_ns;
	bool is_download; /* ?download */
	const uint8_t *sha256; /* NULL: not wanted, or not known */
};
void http_put_file_fields(struct reply *, const struct http_file_fields *);

/* Status line, Server, Date, and Connection where it must be said. */
void http_begin(struct reply *, struct buf *out, const struct http_second *,
    unsigned status, enum http_keep);

/* Seconds since the epoch, rounded down. */
int64_t http_seconds(int64_t ns);

#endif
