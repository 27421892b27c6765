#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"

static bool is_in(const int *, size_t, int);

void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int
fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

int
fd_set_nonblock(int fd, int on)
{
	int flags, want;

	flags = fcntl(fd, F_GETFL);
	if (flags == -1)
		return -errno;
	want = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	if (want != flags && fcntl(fd, F_SETFL, want) == -1)
		return -errno;
	return 0;
}

ssize_t
fd_read_full(int fd, void *buf, size_t len)
{
	char *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = read(fd, p + done, len - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t
fd_write_full(int fd, const void *buf, size_t len)
{
	const char *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, p + done, len - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t
fd_pread_full(int fd, void *buf, size_t len, off_t off)
{
	char *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, p + done, len - done, off + (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int
fd_fill_std(void)
{
	int fd, at;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) != -1)
			continue;
		/* the lowest that is free, which is this one; opened for the
		 * wrong direction */
		at = open(
		    "/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
		if (at != fd)
			return at == -1 ? -errno : -EBADF;
	}
	return 0;
}

int
fd_count_open(void)
{
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	dir = opendir("/proc/self/fd");
	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			n++;
	closedir(dir);
	return n - 1; /* without the one this was read through */
}

int
fd_check_open(const int *fds, size_t n, int *which)
{
	struct dirent *entry;
	DIR *dir;
	int fd, r = 0;

	dir = opendir("/proc/self/fd");
	if (dir == NULL)
		return -errno;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		fd = atoi(entry->d_name);
		if (fd > 2 && fd != dirfd(dir) && !is_in(fds, n, fd)) {
			*which = fd;
			r = -EEXIST;
		}
	}
	closedir(dir);
	for (size_t i = 0; i < n && r == 0; i++)
		if (fcntl(fds[i], F_GETFD) == -1) {
			*which = fds[i];
			r = -EBADF;
		}
	return r;
}

static bool
is_in(const int *fds, size_t n, int fd)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] == fd)
			return true;
	return false;
}
