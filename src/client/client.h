/* What `netpan` can do, apart from words: operations on a server. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>

#include "client/session.h"
#include "client/url.h"

/* The exit status of the command. */
enum client_exit {
	CLIENT_DONE = 0,
	CLIENT_FAILED = 1, /* the server refused, or the data is not right */
	CLIENT_USAGE = 2,
	CLIENT_NO_CONNECTION = 3,
	CLIENT_STOPPED = 130 /* by a signal, which main lets through */
};

struct client_get {
	struct session *session;
	const struct path *path;
	const char
	    *out; /* where to, a path of the user's; NULL, for a file: the
			    current folder */
	unsigned jobs; /* connections for a tree */
	bool quiet; /* no progress, no summary */
};

/*
 * Fetches one file, or a tree.  Says on stderr what fails, on stdout what was
 * done.
 */
enum client_exit client_get_file(const struct client_get *);
enum client_exit client_get_tree(const struct client_get *);

/* Prints the entries of a folder. */
enum client_exit
client_list(struct session *, const struct path *, bool is_long);

#endif
