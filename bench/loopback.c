#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096

static struct sockaddr_in loopback_addr(unsigned port);

int
loopback_listen(const char *congestion, int flags)
{
	struct sockaddr_in addr = loopback_addr(0);
	int fd, error;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd == -1)
		return -errno;
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
		(socklen_t)strlen(congestion)) == -1 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == -1 ||
	    listen(fd, BACKLOG) == -1) {
		error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

int
loopback_print_port(int listen_fd)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	if (getsockname(listen_fd, (struct sockaddr *)&addr, &len) == -1)
		return -errno;
	printf("%u\n", ntohs(addr.sin_port));
	return fflush(stdout) == 0 ? 0 : -errno;
}

int
loopback_connect(unsigned port, int flags)
{
	struct sockaddr_in addr = loopback_addr(port);
	int fd, error;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd == -1)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == -1 &&
	    errno != EINPROGRESS) {
		error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

static struct sockaddr_in
loopback_addr(unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}
