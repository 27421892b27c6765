#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "server/control.h"
#include "server/logger.h"
#include "server/master.h"
#include "server/options.h"
#include "server/wire.h"
#include "server/worker.h"

/* Fixed, and in netpand(8). */
enum { EXIT_OK = 0, EXIT_ERROR = 1, EXIT_USAGE = 2 };

static int
as_worker(const char *slots)
{
	uint64_t n;

	log_open("netpand", LOG_INFO);
	if (!text_to_u64(slots, 1, LIM_SLOTS, &n))
		fatalx("%s is for netpand's own use", WIRE_WORKER_FLAG);
	return worker_main((unsigned)n);
}

static int
as_logger(const char *file, const char *level)
{
	uint64_t n;

	if (!text_to_u64(level, 0, LOG_LEVELS - 1, &n))
		fatalx("%s is for netpand's own use", WIRE_LOGGER_FLAG);
	log_open("netpand", (enum log_level)n);
	return logger_main(file);
}

static int
status(const struct options *o)
{
	const char *addr = o->n_listen > 0 ? o->listen[0]
					   : OPTIONS_LISTEN_DEFAULT;
	char path[108], host[64];
	uint16_t port;
	int r;

	path[0] = '\0';
	if (o->control == NULL &&
	    !text_host_port(addr, host, sizeof(host), &port)) {
		fprintf(stderr,
		    "netpand: %s is no address: write 127.0.0.1:8686 or"
		    " [::1]:8686\n",
		    addr);
		return EXIT_USAGE;
	}
	if (o->control != NULL)
		r = snprintf(path, sizeof(path), "%s", o->control) >=
			    (int)sizeof(path)
			? -ENAMETOOLONG
			: 0;
	else
		r = control_default_path(path, sizeof(path), port);
	if (r == 0)
		r = control_print(path, o->action == OPTIONS_STATUS_JSON);
	if (r == 0)
		return EXIT_OK;
	if (r == -ETIMEDOUT)
		fprintf(stderr,
		    "netpand: no status from %s: the netpand there has not"
		    " answered within 2 s; is it stopped?\n",
		    path);
	else
		fprintf(stderr,
		    "netpand: no status from %s: %s; is netpand running there?"
		    " --control or --listen says where\n",
		    path, strerror(-r));
	return EXIT_ERROR;
}

/* What was printed and did not arrive is no success. */
static int
print_end(int status)
{
	if (ferror(stdout) || fclose(stdout) == EOF) {
		fprintf(stderr, "netpand: cannot write to standard output\n");
		return EXIT_ERROR;
	}
	return status;
}

int
main(int argc, char **argv)
{
	struct options o;
	char why[256];

	/* else a client's socket becomes 2, and the log is written to him */
	if (fd_fill_std() != 0)
		return EXIT_ERROR;
	if (argc == 4 && strcmp(argv[1], WIRE_LOGGER_FLAG) == 0)
		return as_logger(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], WIRE_WORKER_FLAG) == 0)
		return as_worker(argv[2]);
	if (options_parse(&o, argc, argv, why, sizeof(why)) != 0) {
		fprintf(stderr,
		    "netpand: %s; netpand --help shows the options\n", why);
		return EXIT_USAGE;
	}
	log_open("netpand", o.log_level);
	switch (o.action) {
	case OPTIONS_HELP:
		options_print_help();
		return print_end(EXIT_OK);
	case OPTIONS_VERSION:
		printf("netpand %s\n", NETPAN_VERSION);
		return print_end(EXIT_OK);
	case OPTIONS_STATUS_TEXT:
	case OPTIONS_STATUS_JSON:
		return print_end(status(&o));
	case OPTIONS_SERVE:
		break;
	}
	return master_main(&o);
}
