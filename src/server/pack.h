/*
 * A folder on its way to a client as one tar or zip archive.  It is made while
 * it is sent: a thread of its own walks the folder and fills one of two
 * buffers while the loop sends the other, and waits when both are full.  So
 * its memory does not depend on what is packed (but for a zip's directory,
 * which has a bound), the loop never waits for a disk, and a slow client
 * stops nothing but its own archive.  All of these are called on the loop.
 */
#ifndef SERVER_PACK_H
#define SERVER_PACK_H

#include <stdbool.h>
#include <sys/types.h>

#include "path/path.h"
#include "server/pack_name.h"

struct pack;
struct worker;

/*
 * Begins to pack a folder of the worker's store.  wake is called on the loop,
 * by helpers_reap, after pack_peek has said -EAGAIN or pack_stop true.
 * Returns 0, -EBUSY (LIM_ARCHIVES are going on), -EAGAIN (no more threads),
 * -ENOMEM.
 */
int pack_begin(struct pack **, struct worker *, const struct path *folder,
    enum pack_form, void (*wake)(void *arg), void *arg);

/*
 * The archive's next bytes: how many, and *bytes, valid until pack_taken.  0:
 * it is complete.  -EAGAIN: not yet.  Else what pack_tree said: it failed, and
 * what was taken of it is no archive, so its end must be missing for the
 * client too.  Until something was taken, -EFBIG means that it would do as a
 * tar, and -ENOENT, -ENOTDIR and -EACCES that there is no such folder.
 */
ssize_t pack_peek(struct pack *, const void **bytes);
void pack_taken(struct pack *, size_t n); /* no more than pack_peek said */

/* Nobody wants it any more.  False: it may be freed.  True: not yet, ask again
 * when wake was called. */
bool pack_stop(struct pack *);

/* When pack_stop said false.  NULL is fine. */
void pack_free(struct pack *);

#endif
