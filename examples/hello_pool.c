/* hello_pool IP PORT N: N processes made beforehand, each greets one client
 * at a time.  The parent accepts and hands over.  Try: nc IP PORT */
#include <fdpool.h>

#include <arpa/inet.h>
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A child's whole life: wait for a client, serve it, say so. */
static int
greet(int chan_fd, void *arg)
{
	struct fdpool_worker *worker;
	struct fdpool_client client;

	(void)arg;
	signal(SIGPIPE, SIG_IGN); /* a client may not wait for its greeting */
	if (fdpool_worker_open(&worker, chan_fd, 1) != 0)
		return 1;
	while (fdpool_worker_wait(worker, &client) == 1) {
		dprintf(client.fd, "hello from child %u, pid %d\n",
		    fdpool_worker_index(worker), getpid());
		close(client.fd);
		fdpool_worker_done(worker, 1);
	}
	fdpool_worker_close(worker);
	return 0;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct fdpool_options options = { .run = greet };
	struct fdpool *pool;
	struct pollfd pfd = { .events = POLLIN };
	int listen_fd, on = 1, error;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1)
		errx(2, "usage: hello_pool IP PORT N");
	addr.sin_port = htons((uint16_t)atoi(argv[2]));
	options.workers = (unsigned)atoi(argv[3]);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listen_fd, (struct sockaddr *)&addr, sizeof(addr)) == -1 ||
	    listen(listen_fd, SOMAXCONN) == -1)
		err(1, "%s port %s", argv[1], argv[2]);
	if ((error = fdpool_new(&pool, &options)) != 0 ||
	    (error = fdpool_listen(pool, listen_fd, 0)) != 0)
		errx(1, "pool: %s", strerror(-error));
	pfd.fd = fdpool_fd(pool);
	while (poll(&pfd, 1, -1) == 1 && fdpool_dispatch(pool) == 0)
		;
	err(1, "pool");
}
