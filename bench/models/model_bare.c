/*
 * One process that accepts and sends by itself, and hands nothing over: what
 * a connection costs at the least.  It can do so because the payload is short
 * or the client quick: a socket that is full is waited for, and with it
 * everybody else.
 */
#include "model.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static int
bare_send(const struct payload *payload, int conn_fd)
{
	struct pollfd pfd = { .fd = conn_fd, .events = POLLOUT };
	uint64_t pos = 0;

	while (payload_send(payload, &pos, conn_fd) == 0)
		if (poll(&pfd, 1, -1) == -1 && errno != EINTR)
			return -errno;
	close(conn_fd);
	return 0;
}

int
model_bare(const struct model_options *o)
{
	struct pollfd pfd = { .fd = o->listen_fd, .events = POLLIN };
	int conn_fd, error = 0;

	while (error == 0) {
		conn_fd = accept4(
		    o->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (conn_fd != -1)
			error = bare_send(o->payload, conn_fd);
		else if (errno != EAGAIN && errno != ECONNABORTED)
			error = -errno;
		else if (poll(&pfd, 1, -1) == -1 && errno != EINTR)
			error = -errno;
	}
	return error;
}
