/*
 * bench-bare FILE CONGESTION: what there is to compare with.  Sends FILE to
 * whoever connects to 127.0.0.1 by sendfile alone, a thread for each client:
 * no format, no limits, no deadlines.  Prints the port it listens on.
 */
#include "loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE (2 * 1024 * 1024)

static int file_fd;

static void *
send_all(void *arg)
{
	int conn_fd = (int)(intptr_t)arg;
	off_t off = 0;

	while (sendfile(conn_fd, file_fd, &off, PIECE) > 0)
		;
	close(conn_fd);
	return NULL;
}

static int
serve(int listen_fd)
{
	pthread_t thread;
	int conn_fd, error;

	for (;;) {
		conn_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (conn_fd == -1)
			return -errno;
		error = pthread_create(
		    &thread, NULL, send_all, (void *)(intptr_t)conn_fd);
		if (error != 0)
			return -error;
		pthread_detach(thread);
	}
}

int
main(int argc, char **argv)
{
	int listen_fd, error;

	if (argc != 3) {
		fprintf(stderr, "usage: bench-bare FILE CONGESTION\n");
		return 2;
	}
	/* It must not outlive the program that measures it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	file_fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (file_fd == -1) {
		perror(argv[1]);
		return 1;
	}
	listen_fd = error = loopback_listen(argv[2], 0);
	if (listen_fd >= 0)
		error = loopback_print_port(listen_fd);
	if (error >= 0)
		error = serve(listen_fd);
	fprintf(stderr, "bench-bare: %s\n", strerror(-error));
	return 1;
}
