/* Descriptors: a field holds a live one or -1. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

/* Closes *fd unless it is -1, stores -1, keeps errno. */
void fd_close(int *fd);

/* Moves a descriptor out: returns *fd and stores -1. */
int fd_take(int *fd);

/* Sets or clears O_NONBLOCK.  0 or -errno. */
int fd_set_nonblock(int fd, int on);

/* read/write/pread all of len, looping over short counts and EINTR.
 * Return the count (less than len only at end of file), or -errno. */
ssize_t fd_read_full(int fd, void *buf, size_t len);
ssize_t fd_write_full(int fd, const void *buf, size_t len);
ssize_t fd_pread_full(int fd, void *buf, size_t len, off_t off);

/*
 * Opens what is closed of 0, 1 and 2, so that no file or socket becomes one of
 * them and is written into by what says something.  Their use fails.  0 or
 * -errno.
 */
int fd_fill_std(void);

/* How many descriptors this process has open, or -errno; for tests. */
int fd_count_open(void);

/*
 * Are just these n open, beside 0 to 2, which may be?  0, -EEXIST (*which is
 * open and not one of them), -EBADF (*which is one, and not open), or -errno:
 * it cannot be told without /proc.
 */
int fd_check_open(const int *fds, size_t n, int *which);

#endif
