/*
 * bench-http: what asks an HTTP server of 127.0.0.1 for files, and measures.
 *
 * bench-http load [-C] [-c CONNECTIONS] [-t THREADS] [-n REQUESTS]
 *	[-s SECONDS] [-o] [-r BYTES] [-S SEED] PORT LIST
 *	a closed loop: each connection asks again when it has its answer; of
 *	LIST at random, or (-o) each line once; whole files, or (-r) ranges at
 *	random; one connection for all its requests, or (-C) for each a new one
 * bench-http hold [-x] [-c CONNECTIONS] PORT LIST
 *	connections that rest after one answer, or (-x) take nothing of it,
 *	until the input ends
 * bench-http probe [-c CONNECTIONS] [-i MICROSECONDS] PORT LIST
 *	how long a request takes now and then, until the input ends
 * bench-http check [-n REQUESTS] [-r BYTES] -d ROOT PORT LIST
 *	every byte of each line of LIST, or of the first ones, against the files
 *
 * LIST has lines "SIZE PATH".  Status and length of every answer are checked;
 * the bytes are dropped in the kernel, but for check.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "hold.h"
#include "load.h"
#include "options.h"
#include "probe.h"

struct mode {
	const char *name;
	int (*run)(const struct options *);
};

static const struct mode modes[] = {
	{ "load", load_run },
	{ "hold", hold_run },
	{ "probe", probe_run },
	{ "check", check_run },
};

int
main(int argc, char **argv)
{
	const struct mode *m, *end = modes + sizeof(modes) / sizeof(modes[0]);
	static struct options options; /* what it holds, it holds to the end */

	for (m = modes; m < end && argc > 1; m++)
		if (strcmp(argv[1], m->name) == 0 &&
		    options_parse(&options, argc - 1, argv + 1))
			return m->run(&options);
	fprintf(stderr, "usage: bench-http load|hold|probe|check [OPTIONS]"
			" PORT LIST\n");
	return 2;
}
