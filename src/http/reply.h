/*
 * The head of an answer, written into a buf.  One writer for all, which lets
 * no byte into a value that could end a line: nothing a stranger names can
 * add a field.  Pure.
 */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include <stdint.h>

#include "base/buf.h"
#include "http/str.h"

/* "Not Found"; "" for a number that is not in the table. */
const char *http_status_text(unsigned status);

/* Nothing may be taken out of out before reply_end. */
struct reply {
	struct buf *out;
	size_t began; /* bytes in out before it */
	int failed; /* 0, -ENOBUFS, or -EINVAL: a control byte in a value */
};

/* "HTTP/1.1 200 OK", "Server: netpan", "Date: " date (DATE_LEN bytes).  status
 * has three digits. */
void
reply_begin(struct reply *, struct buf *out, unsigned status, const char *date);
/* Fields alone: behind first lines that were written elsewhere. */
void reply_go_on(struct reply *, struct buf *out);
/* name is the program's own.  A value with a byte below 0x20 (but a tab) or
 * 0x7f in it fails the whole reply. */
void reply_field(struct reply *, const char *name, struct str value);
void reply_field_u64(struct reply *, const char *name, uint64_t value);
/* name: attachment; filename="ascii"; filename*=UTF-8''escaped (RFC 6266, RFC
 * 8187): the first with every byte outside printable ASCII, and quotes,
 * backslashes and percent signs as "_"; the second only where that lost
 * something and the name is UTF-8.  With inline in place of attachment. */
void reply_disposition(struct reply *, bool is_inline, struct str name);
/* Content-Range: bytes FIRST-LAST/SIZE */
void reply_content_range(
    struct reply *, uint64_t first, uint64_t last, uint64_t size);
/* Content-Range of a 416, which names the size alone. */
void reply_content_range_none(struct reply *, uint64_t size);
/* Repr-Digest: sha-256=:BASE64: (RFC 9530) */
void reply_repr_digest(struct reply *, const unsigned char sha256[32]);
/* The empty line.  0, or -ENOBUFS or -EINVAL: out is then as it was before
 * reply_begin. */
int reply_end(struct reply *);

/*
 * Does Want-Repr-Digest ask for sha-256, with a weight of 1 to 10?  value may
 * be one line of several.  Members that are something else are passed over.
 */
bool reply_wants_sha256(struct str value);

#endif
