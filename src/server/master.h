/* The master process: accepts, gives, counts, reaps, restarts, drains. */
#ifndef SERVER_MASTER_H
#define SERVER_MASTER_H

#include "server/options.h"

/* Serves until told to end.  Returns the exit status: 0, or 1 when transfers
 * had to be cut off.  What fails at start is fatal here. */
int master_main(const struct options *);

#endif
