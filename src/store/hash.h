/*
 * SHA-256 whose state can be put down and taken up again, by another process
 * as well: a large file's digest goes on where it was when a worker died.
 */
#ifndef STORE_HASH_H
#define STORE_HASH_H

#define OPENSSL_SUPPRESS_DEPRECATED /* EVP's state cannot be put down */
#include <openssl/sha.h>

#include <stddef.h>
#include <stdint.h>

#define HASH_BLOCK 64 /* a state is of whole blocks */

struct hash {
	SHA256_CTX ctx;
};

/* The state after so many bytes, a multiple of HASH_BLOCK. */
struct hash_mark {
	uint64_t len;
	uint32_t h[8];
};

void hash_begin(struct hash *);
void hash_update(struct hash *, const void *, size_t);
void hash_end(struct hash *, uint8_t sha256[SHA256_DIGEST_LENGTH]);

/* Only after a multiple of HASH_BLOCK bytes. */
void hash_put_down(const struct hash *, struct hash_mark *);
void hash_take_up(struct hash *, const struct hash_mark *);

#endif
