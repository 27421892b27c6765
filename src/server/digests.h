/*
 * The digests that a worker computes.  Any door asks for that of an open
 * file, and is told on the loop when it is there; those who want that of the
 * very same file at the same time wait for one computing.
 */
#ifndef SERVER_DIGESTS_H
#define SERVER_DIGESTS_H

#include "base/list.h"
#include "server/source.h"
#include "store/store.h"

struct helpers;
struct digest;
struct digests;

/* One who waits, in its owner's memory; all zero is fine for one who does
 * not. */
struct digest_wait {
	struct link link;
	struct digest *digest; /* what is waited for, or NULL */
	void (*done)(struct digest_wait *);
	struct source_id from; /* the job is for who asks first */
	int result; /* once done: 0, or as store_digest_step */
	bool was_wrong; /* who asked for it ANEW has put right what was kept */
	uint8_t sha256[STORE_SHA256_SIZE]; /* with 0 */
};

/* store and helpers must live as long, and helpers_free come first. */
int digests_new(struct digests **, struct store *, struct helpers *);
void digests_free(struct digests *); /* NULL is fine; nobody is told */

/*
 * Asks, with w->done set, for the digest of the file fd, which looked as meta
 * says a moment ago; with ANEW for one of bytes that are read from now on.  fd
 * is borrowed until done is called, on the loop and never from in here, or
 * until digests_cancel.  Returns 0, or what store_digest_new says; nothing was
 * asked then.
 */
int digests_ask(struct digests *, struct digest_wait *w, int fd,
    const struct store_meta *meta, enum store_digest_how);

bool digest_is_awaited(const struct digest_wait *);

/*
 * The owner of w does not want it any more: done is not called.  Takes *fd,
 * the one it asked with, when it did ask and was not told yet: a helper may
 * be reading it still, or others wait.  The computing ends when nobody does.
 */
void digests_cancel(struct digest_wait *w, int *fd);

/* How many are being computed; for self-checks and tests. */
unsigned digests_count(const struct digests *);

#endif
