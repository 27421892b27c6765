#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/text.h"
#include "server/listen.h"

#define BACKLOG 4096

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* The length of the address, 0 when addr is none. */
static socklen_t
address_parse(union address *a, const char *addr)
{
	char host[INET6_ADDRSTRLEN + 1];
	uint16_t port;

	memset(a, 0, sizeof(*a));
	if (!text_host_port(addr, host, sizeof(host), &port))
		return 0;
	if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		return sizeof(a->v4);
	}
	if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		return sizeof(a->v6);
	}
	return 0;
}

static int
set_options(int fd, int family, const char *congestion)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		return -errno;
	/* accepted sockets inherit these */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		return -errno;
	if (congestion != NULL &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
		(socklen_t)strlen(congestion)) == -1)
		return -errno;
	/* [::] must not take 0.0.0.0's clients unasked */
	if (family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		return -errno;
	return 0;
}

int
listen_open(int *out, const char *addr, const char *congestion)
{
	union address a;
	socklen_t len;
	int fd, r;

	len = address_parse(&a, addr);
	if (len == 0)
		return -EINVAL;
	fd = socket(
	    a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -errno;
	r = set_options(fd, a.any.sa_family, congestion);
	if (r == 0 &&
	    (bind(fd, &a.any, len) == -1 || listen(fd, BACKLOG) == -1))
		r = -errno;
	if (r == 0)
		*out = fd_take(&fd);
	fd_close(&fd);
	return r;
}

enum listen_reach
listen_reach(const char *addr)
{
	union address a;
	bool local;

	if (address_parse(&a, addr) == 0)
		return LISTEN_NO_ADDRESS;
	if (a.any.sa_family == AF_INET)
		local = ntohl(a.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	else
		local = IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
	return local ? LISTEN_LOOPBACK : LISTEN_BEYOND;
}

char *
listen_name(int fd, char *out, size_t cap)
{
	char host[INET6_ADDRSTRLEN] = "?";
	union address a;
	socklen_t len = sizeof(a);

	memset(&a, 0, sizeof(a));
	getsockname(fd, &a.any, &len);
	if (a.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host));
		snprintf(out, cap, "[%s]:%u", host, ntohs(a.v6.sin6_port));
	} else {
		inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host));
		snprintf(out, cap, "%s:%u", host, ntohs(a.v4.sin_port));
	}
	return out;
}

unsigned
listen_port(int fd)
{
	union address a;
	socklen_t len = sizeof(a);

	memset(&a, 0, sizeof(a));
	getsockname(fd, &a.any, &len);
	/* both families keep it in the same place */
	return ntohs(a.v4.sin_port);
}
