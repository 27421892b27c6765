#include "store/hash.h"

void
hash_begin(struct hash *h)
{
	SHA256_Init(&h->ctx);
}

void
hash_update(struct hash *h, const void *p, size_t len)
{
	SHA256_Update(&h->ctx, p, len);
}

void
hash_end(struct hash *h, uint8_t sha256[SHA256_DIGEST_LENGTH])
{
	SHA256_Final(sha256, &h->ctx);
}

/* Nl and Nh are the length so far in bits, num what is left of a block. */
void
hash_put_down(const struct hash *h, struct hash_mark *mark)
{
	mark->len = ((uint64_t)h->ctx.Nh << 32 | h->ctx.Nl) / 8;
	for (int i = 0; i < 8; i++)
		mark->h[i] = h->ctx.h[i];
}

void
hash_take_up(struct hash *h, const struct hash_mark *mark)
{
	SHA256_Init(&h->ctx);
	h->ctx.Nl = (SHA_LONG)(mark->len * 8);
	h->ctx.Nh = (SHA_LONG)(mark->len >> 29);
	for (int i = 0; i < 8; i++)
		h->ctx.h[i] = mark->h[i];
}
