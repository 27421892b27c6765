/*
 * A chunked body as it comes in (RFC 9112 7.1), taken apart byte by byte if
 * need be.  Pure; the state is a few words.  CRLF only; a size of 1 to 16 hex
 * digits; extensions are passed over, LIM_HTTP_CHUNK_EXT_BYTES of them in the
 * whole body; trailer fields are passed over, LIM_HTTP_TRAILER_BYTES of them.
 * The sizes are not added up: a bound on the body is the caller's.
 */
#ifndef HTTP_CHUNK_H
#define HTTP_CHUNK_H

#include <stdint.h>

#include "http/str.h"

enum chunk_result {
	CHUNK_DATA, /* *data is the next piece of the body, not empty */
	CHUNK_MORE, /* all of the input is consumed: more is needed */
	CHUNK_END, /* the body is whole; what follows is the next request's */
	CHUNK_BAD /* *reason, a constant sentence, says why: 400, and the
		     connection must end */
};

struct chunk {
	uint8_t state; /* chunk.c's own */
	uint8_t n_digits;
	uint16_t n_ext; /* bytes of extensions, of all chunks */
	uint16_t n_trailer;
	uint64_t left; /* of this chunk */
};

void chunk_init(struct chunk *);
/* Consumes from *in, which is moved on.  data is a slice of it, and empty with
 * every answer but CHUNK_DATA.  The last two answers stay as they are. */
enum chunk_result chunk_next(
    struct chunk *, struct str *in, struct str *data, const char **reason);

#endif
