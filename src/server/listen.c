#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "server/listen.h"

#define BACKLOG 4096

/*
 * Accepted sockets inherit all of these.  Who has hung up while his answer is
 * being prepared looks like one who has only said that he asks no more; a
 * probe, once his kernel has forgotten the socket (after 60 s by default), is
 * answered with a reset.
 */
static const struct {
	int level, name, value;
} options[] = {
	{ SOL_SOCKET, SO_REUSEADDR, 1 },
	{ IPPROTO_TCP, TCP_NODELAY, 1 },
	{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 75 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 15 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 4 },
};

#define INHERITED_FIRST 3 /* sd_listen_fds(3) */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

/* ---- addresses ---- */
static socklen_t address_parse(union address *, const char *addr);
static socklen_t address_of_local(union address *, const char *path);
static enum listen_reach address_reach(const union address *);
static bool address_of_fd(union address *, int fd);
/* ---- sockets ---- */
static int set_options(int fd, int family, const char *congestion);
static int bind_local(int fd, const union address *, socklen_t len);
static bool is_dead(const union address *, socklen_t len);
static int take_over(int fd, const char *congestion);

/* The length of the address, 0 when addr is none. */
static socklen_t
address_parse(union address *a, const char *addr)
{
	char host[INET6_ADDRSTRLEN + 1];
	uint16_t port;

	memset(a, 0, sizeof(*a));
	if (strncmp(addr, "unix:", 5) == 0)
		return address_of_local(a, addr + 5);
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

static socklen_t
address_of_local(union address *a, const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(a->un.sun_path))
		return 0;
	a->un.sun_family = AF_UNIX;
	memcpy(a->un.sun_path, path, len);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

static int
set_options(int fd, int family, const char *congestion)
{
	if (family == AF_UNIX)
		return 0;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, options[i].level, options[i].name,
			&options[i].value, sizeof(int)) == -1)
			return -errno;
	if (congestion != NULL &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
		(socklen_t)strlen(congestion)) == -1)
		return -errno;
	return 0;
}

int
listen_open(int *out, const char *addr, const char *congestion)
{
	union address a;
	socklen_t len;
	int fd, r, on = 1;

	len = address_parse(&a, addr);
	if (len == 0)
		return -EINVAL;
	fd = socket(
	    a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -errno;
	r = set_options(fd, a.any.sa_family, congestion);
	/* [::] must not take 0.0.0.0's clients unasked */
	if (r == 0 && a.any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		r = -errno;
	if (r == 0 && a.any.sa_family == AF_UNIX)
		r = bind_local(fd, &a, len);
	else if (r == 0 && bind(fd, &a.any, len) == -1)
		r = -errno;
	if (r == 0 && listen(fd, BACKLOG) == -1)
		r = -errno;
	if (r == 0)
		*out = fd_take(&fd);
	fd_close(&fd);
	return r;
}

static int
bind_local(int fd, const union address *a, socklen_t len)
{
	int r = bind(fd, &a->any, len) == -1 ? -errno : 0;

	if (r == -EADDRINUSE && is_dead(a, len)) {
		(void)unlink(a->un.sun_path);
		r = bind(fd, &a->any, len) == -1 ? -errno : 0;
	}
	/* who may pass its folder may connect */
	if (r == 0 && chmod(a->un.sun_path, 0666) == -1)
		r = -errno;
	return r;
}

/* A socket that nobody listens on any more; another kind of file stays. */
static bool
is_dead(const union address *a, socklen_t len)
{
	struct stat st;
	bool dead;
	int fd;

	if (lstat(a->un.sun_path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return false;
	dead = connect(fd, &a->any, len) == -1 && errno == ECONNREFUSED;
	fd_close(&fd);
	return dead;
}

int
listen_inherited(int *fds, unsigned cap, const char *congestion)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	uint64_t n = 0, of;
	unsigned got = 0;
	int r;

	if (pid == NULL || count == NULL ||
	    !text_to_u64(pid, 1, INT32_MAX, &of) || of != (uint64_t)getpid())
		return 0;
	if (!text_to_u64(count, 0, cap, &n))
		return -EINVAL;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	while (got < n) {
		r = take_over(INHERITED_FIRST + (int)got, congestion);
		if (r != 0)
			return r;
		fds[got] = INHERITED_FIRST + (int)got;
		got++;
	}
	return (int)got;
}

static int
take_over(int fd, const char *congestion)
{
	int listens = 0, type = 0, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof(listens), type_len = sizeof(type);
	union address a;

	if (flags == -1 || !address_of_fd(&a, fd) ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == -1 ||
	    !listens ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == -1 ||
	    type != SOCK_STREAM)
		return -EINVAL;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return -errno;
	return set_options(fd, a.any.sa_family, congestion);
}

enum listen_reach
listen_reach(const char *addr)
{
	union address a;

	return address_parse(&a, addr) == 0 ? LISTEN_NO_ADDRESS
					    : address_reach(&a);
}

enum listen_reach
listen_reach_of(int fd)
{
	union address a;

	return address_of_fd(&a, fd) ? address_reach(&a) : LISTEN_NO_ADDRESS;
}

static enum listen_reach
address_reach(const union address *a)
{
	bool local;

	switch (a->any.sa_family) {
	case AF_INET:
		local = ntohl(a->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
		break;
	case AF_INET6:
		local = IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
		break;
	default:
		local = true;
		break;
	}
	return local ? LISTEN_LOOPBACK : LISTEN_BEYOND;
}

static bool
address_of_fd(union address *a, int fd)
{
	socklen_t len = sizeof(*a);

	memset(a, 0, sizeof(*a));
	return getsockname(fd, &a->any, &len) == 0 &&
	       (a->any.sa_family == AF_INET || a->any.sa_family == AF_INET6 ||
		   a->any.sa_family == AF_UNIX);
}

char *
listen_name(int fd, char *out, size_t cap)
{
	char host[INET6_ADDRSTRLEN] = "?";
	union address a;

	(void)address_of_fd(&a, fd);
	switch (a.any.sa_family) {
	case AF_INET6:
		inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host));
		snprintf(out, cap, "[%s]:%u", host, ntohs(a.v6.sin6_port));
		break;
	case AF_UNIX:
		snprintf(out, cap, "unix:%.*s", (int)sizeof(a.un.sun_path),
		    a.un.sun_path);
		break;
	default:
		inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host));
		snprintf(out, cap, "%s:%u", host, ntohs(a.v4.sin_port));
		break;
	}
	return out;
}

unsigned
listen_port(int fd)
{
	union address a;

	if (!address_of_fd(&a, fd) || a.any.sa_family == AF_UNIX)
		return 0;
	/* both families keep it in the same place */
	return ntohs(a.v4.sin_port);
}

void
listen_unlink(int fd)
{
	union address a;

	if (address_of_fd(&a, fd) && a.any.sa_family == AF_UNIX &&
	    a.un.sun_path[0] != '\0')
		(void)unlink(a.un.sun_path);
}
