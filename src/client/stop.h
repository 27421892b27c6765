/*
 * SIGINT, SIGTERM and SIGHUP as a descriptor that becomes readable and stays
 * so.  Nobody reads it: the signal stays pending, and ends the process as it
 * ends any other once stop_die lets it through.
 */
#ifndef CLIENT_STOP_H
#define CLIENT_STOP_H

#include <stdbool.h>

/*
 * Blocks those of the three that are not ignored, for this thread and those
 * it makes.  Call before the first thread.  The descriptor, or -errno.
 */
int stop_open(void);

/* Was an end asked for?  False for a stop_fd of -1. */
bool stop_is_asked(int stop_fd);

/* Waits up to ms.  0, or -EINTR as soon as an end is asked for. */
int stop_wait(int stop_fd, unsigned ms);

/* Lets the pending signal end this process; returns when there is none. */
void stop_die(void);

#endif
