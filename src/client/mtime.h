/* A file's time as the train says it, in ns since 1970, may be negative. */
#ifndef CLIENT_MTIME_H
#define CLIENT_MTIME_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Whatever a server says, 64 bits of ns are the years 1677 to 2262. */
struct timespec mtime_to_timespec(int64_t ns);

/*
 * Is this the time that a file system has kept of the one it was given?  ctime
 * is the file's too, set by the kernel: its digits tell how well times are
 * kept there.
 */
bool mtime_is_kept(
    const struct timespec *mtime, const struct timespec *ctime, int64_t ns);

#endif
