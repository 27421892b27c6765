/* Bytes made harmless inside HTML, JSON, URLs and log lines.  Pure.  Each
 * appends to out: 0, or -ENOBUFS and out is as before. */
#ifndef HTTP_ESCAPE_H
#define HTTP_ESCAPE_H

#include "base/buf.h"
#include "http/str.h"

/* What one byte becomes at most. */
#define ESCAPE_HTML_MAX 6
#define ESCAPE_JSON_MAX 6
#define ESCAPE_URL_MAX 3
#define ESCAPE_LOG_MAX 4

/* Text between tags or in a quoted attribute.  Bytes that are no UTF-8 become
 * U+FFFD, and so does what text_is_shown says does not show as itself. */
int escape_html(struct buf *out, struct str);
/* The inside of a JSON string.  Bytes that are no UTF-8 become U+FFFD; what
 * escape_html replaces, with < > & ', is written as \uNNNN. */
int escape_json(struct buf *out, struct str);
/* One path segment or query value: every byte but RFC 3986's unreserved
 * becomes %XX. */
int escape_url(struct buf *out, struct str);
/* A field of a log line in quotes: control bytes, quotes, backslashes and
 * bytes over 0x7e become \xNN, as nginx writes them. */
int escape_log(struct buf *out, struct str);

#endif
