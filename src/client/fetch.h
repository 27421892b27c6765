/*
 * One of the threads that fetch a tree: a connection, the stretches that were
 * asked for on it, the file that is coming.
 */
#ifndef CLIENT_FETCH_H
#define CLIENT_FETCH_H

#include "client/conn.h"
#include "client/job.h"

struct fetcher;

/* Starts a thread.  conn is borrowed until join, or NULL: it makes its own.
 * NULL: no memory, no thread. */
struct fetcher *fetcher_start(struct job *, struct conn *);
void fetcher_join(struct fetcher *); /* frees it; NULL is fine */

#endif
