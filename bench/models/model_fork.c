/* A process for each client, made when it comes. */
#include "model.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int
model_fork(const struct model_options *o)
{
	int conn_fd;

	for (;;) {
		conn_fd = accept4(o->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (conn_fd == -1)
			return -errno;
		switch (fork()) {
		case -1:
			return -errno;
		case 0:
			close(o->listen_fd);
			payload_serve(o->payload, conn_fd);
			_exit(0);
		}
		close(conn_fd);
		/* Reaped, not ignored: only then are their times counted. */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}
