/* Descriptors inside the library: a field holds a live one or -1. */
#ifndef FDP_FD_H
#define FDP_FD_H

#include <errno.h>
#include <unistd.h>

/* Closes *fd unless it is -1, stores -1, keeps errno. */
static inline void
fdp_close(int *fd)
{
	int saved = errno;

	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* Moves a descriptor out: returns *fd and stores -1. */
static inline int
fdp_take(int *fd)
{
	int out = *fd;

	*fd = -1;
	return out;
}

#endif
