/*
 * bench-server MODEL FILE FRAMES CONGESTION [WORKERS]: sends FILE to whoever
 * connects to 127.0.0.1, in the way of MODEL and FRAMES with each call.
 * Prints the port it listens on.
 */
#include "loopback.h"
#include "model.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct model {
	const char *name;
	int (*run)(const struct model_options *);
	int listen_flags;
};

static const struct model models[] = {
	{ "bare", model_bare, SOCK_NONBLOCK },
	{ "fork", model_fork, 0 },
	{ "thread", model_thread, 0 },
	{ "blocking", model_blocking, SOCK_NONBLOCK },
	{ "event", model_event, SOCK_NONBLOCK },
};

static const struct model *
find_model(const char *name)
{
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (strcmp(models[i].name, name) == 0)
			return &models[i];
	return NULL;
}

static int
serve(
    const struct model *model, struct model_options *o, const char *congestion)
{
	int error;

	o->listen_fd = loopback_listen(congestion, model->listen_flags);
	if (o->listen_fd < 0)
		return o->listen_fd;
	error = loopback_print_port(o->listen_fd);
	return error != 0 ? error : model->run(o);
}

int
main(int argc, char **argv)
{
	struct model_options o = { .workers = 2 };
	const struct model *model;
	struct payload payload;
	int error;

	if (argc < 5 || argc > 6 || (model = find_model(argv[1])) == NULL) {
		fprintf(stderr,
		    "usage: bench-server bare|fork|thread|blocking|event FILE"
		    " FRAMES CONGESTION [WORKERS]\n");
		return 2;
	}
	error = payload_open(
	    &payload, argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	if (error != 0) {
		fprintf(stderr, "%s: %s\n", argv[2], strerror(-error));
		return 1;
	}
	o.payload = &payload;
	if (argc == 6)
		o.workers = (unsigned)strtoul(argv[5], NULL, 10);
	/* It must not outlive the program that measures it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	error = serve(model, &o, argv[4]);
	fprintf(stderr, "%s: %s\n", model->name, strerror(-error));
	return 1;
}
