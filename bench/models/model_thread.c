/* A thread for each client, made when it comes. */
#include "model.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct errand {
	const struct payload *payload;
	int conn_fd;
};

static void *
errand_run(void *arg)
{
	struct errand errand = *(struct errand *)arg;

	free(arg);
	payload_serve(errand.payload, errand.conn_fd);
	return NULL;
}

int
model_thread(const struct model_options *o)
{
	struct errand *errand;
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	error = pthread_attr_init(&attr);
	if (error != 0)
		return -error;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (;;) {
		errand = malloc(sizeof(*errand));
		if (errand == NULL)
			return -ENOMEM;
		errand->payload = o->payload;
		errand->conn_fd = accept4(
		    o->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (errand->conn_fd == -1) {
			free(errand);
			return -errno;
		}
		error = pthread_create(&thread, &attr, errand_run, errand);
		if (error != 0) {
			close(errand->conn_fd);
			free(errand);
			return -error;
		}
	}
}
