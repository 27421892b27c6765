/* The listing of a server's tree. */
#ifndef CLIENT_LISTING_H
#define CLIENT_LISTING_H

#include "client/client.h"
#include "client/conn.h"
#include "client/progress.h"
#include "client/tree.h"

/*
 * Lists root's tree into the (empty) tree over conn, which stays open, and goes
 * on after a broken connection.  *sum is the server's; its counts of what is
 * not served are those since the last break.  Says on stderr what fails.
 */
enum client_exit
listing_fetch(struct conn *, struct session *, const struct path *root,
    struct tree *, struct train_sum *sum, struct progress *);

#endif
