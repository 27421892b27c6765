/*
 * Preloaded into netpand, it makes a worker crash as a bug in it would: on the
 * loop, when a client says POISON, or on a helper, when the folder of a
 * listing has a file of that name.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

ssize_t
recv(int fd, void *buf, size_t len, int flags)
{
	ssize_t n = recvfrom(fd, buf, len, flags, NULL, NULL);

	if (n > 0 && memmem(buf, (size_t)n, "POISON", 6) != NULL)
		abort();
	return n;
}

ssize_t
getdents64(int fd, void *buf, size_t len)
{
	ssize_t (*real)(int, void *, size_t);
	void *found = dlsym(RTLD_NEXT, "getdents64");
	ssize_t n;

	memcpy(&real, &found, sizeof(real));
	n = real(fd, buf, len);
	if (n > 0 && memmem(buf, (size_t)n, "POISON", 6) != NULL)
		abort();
	return n;
}
