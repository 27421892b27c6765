/* Media types by a name's ending.  The table is made at build time from the
 * system's list (make_mime.py); pure at run time. */
#ifndef HTTP_MIME_H
#define HTTP_MIME_H

#include "http/str.h"

struct mime {
	const char *type; /* "image/png"; text types with their charset; never
			     NULL: "application/octet-stream" when unknown */
	/* A browser may show it in place: it is on the short list of types that
	 * are never active content.  Else it is sent as an attachment. */
	bool is_inline;
};

/* name need not end with NUL.  What follows its last dot counts, letters
 * folded: "a.tar.gz" is the type of gz, and ".gz" has none. */
struct mime mime_of_name(const char *name, size_t len);

#endif
