/* The listing of a server's tree. */
#ifndef CLIENT_LISTING_H
#define CLIENT_LISTING_H

#include "client/client.h"
#include "client/conn.h"
#include "client/progress.h"
#include "client/tree.h"

/* What the server did not list. */
struct listing_skipped {
	uint64_t links;
	uint64_t special;
	uint64_t unreadable;
	bool is_partial; /* the connection broke: there may be more */
};

/*
 * Lists root's tree into the (empty) tree over conn, which stays open, and goes
 * on after a broken connection.  Says on stderr what fails.
 */
enum client_exit
listing_fetch(struct conn *, struct session *, const struct path *root,
    struct tree *, struct listing_skipped *, struct progress *);

#endif
