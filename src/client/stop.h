/*
 * SIGINT, SIGTERM and SIGHUP as a descriptor that becomes readable and stays
 * so.  Nobody reads it: the signal stays pending, and ends the process as it
 * ends any other once stop_die lets it through.
 *
 * What must be brought to its end whatever the user wishes comes after
 * stop_postpone: then the descriptor says nothing more.
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

/*
 * From now on the first signal, and one that is pending already, is only kept
 * for stop_die, and the next one ends the process at once.  Call when the
 * other threads have ended.
 */
void stop_postpone(void);
/* Has one been kept? */
bool stop_is_postponed(void);

/* Lets the pending or kept signal end this process; returns when there is
 * none. */
void stop_die(void);

#endif
