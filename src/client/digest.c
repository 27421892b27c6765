#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "client/digest.h"

struct digest {
	EVP_MD_CTX *ctx;
	enum digest_kind kind;
	bool failed; /* ctx may lack what its functions need */
};

static const struct {
	const char *name;
	size_t len;
} kinds[DIGEST_KINDS] = {
	[DIGEST_MD5] = { "MD5", 16 },
	[DIGEST_SHA256] = { "SHA256", 32 },
};

/* Fetched once for the life of the process: a fetch takes a lock that all
 * threads share, and there is a digest for each small file. */
static EVP_MD *fetched[DIGEST_KINDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
fetch_all(void)
{
	size_t i;

	for (i = 0; i < DIGEST_KINDS; i++)
		fetched[i] = EVP_MD_fetch(NULL, kinds[i].name, NULL);
}

struct digest *
digest_new(enum digest_kind kind)
{
	struct digest *d;

	pthread_once(&once, fetch_all);
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->kind = kind;
	d->ctx = EVP_MD_CTX_new();
	if (fetched[kind] == NULL || d->ctx == NULL) {
		digest_free(d);
		return NULL;
	}
	digest_begin(d);
	if (d->failed) {
		digest_free(d);
		return NULL;
	}
	return d;
}

void
digest_free(struct digest *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

void
digest_begin(struct digest *d)
{
	d->failed = EVP_DigestInit_ex2(d->ctx, fetched[d->kind], NULL) != 1;
}

void
digest_add(struct digest *d, const void *p, size_t n)
{
	if (!d->failed && EVP_DigestUpdate(d->ctx, p, n) != 1)
		d->failed = true;
}

int
digest_end(struct digest *d, unsigned char out[DIGEST_MAX])
{
	if (!d->failed && EVP_DigestFinal_ex(d->ctx, out, NULL) == 1)
		return (int)kinds[d->kind].len;
	memset(out, 0, DIGEST_MAX);
	return -1;
}
