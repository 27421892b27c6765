/* Hashing, as it comes. */
#ifndef CLIENT_DIGEST_H
#define CLIENT_DIGEST_H

#include <stddef.h>

#define DIGEST_MAX 32

enum digest_kind { DIGEST_MD5, DIGEST_SHA256, DIGEST_KINDS };

struct digest;

/* NULL: no memory, or this system's OpenSSL does not offer it. */
struct digest *digest_new(enum digest_kind);
void digest_free(struct digest *); /* NULL is fine */

/* Begins anew, whatever was before. */
void digest_begin(struct digest *);
void digest_add(struct digest *, const void *, size_t);
/* Writes the digest of all since begin: its length in bytes, or -1 when
 * OpenSSL failed anywhere on the way. */
int digest_end(struct digest *, unsigned char out[DIGEST_MAX]);

#endif
