/* What the words on the command line of bench-http mean. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "targets.h"

struct options {
	unsigned port;
	struct targets targets;
	unsigned connections; /* at once, of all threads together */
	unsigned threads;
	uint64_t requests; /* no more than these; 0: any number */
	double seconds; /* no longer than this; 0.0: any time */
	uint64_t range; /* bytes of a part at random; 0: whole files */
	uint64_t seed;
	unsigned interval_us; /* between the requests of one connection */
	bool close; /* a new connection for each request */
	bool in_order; /* each target once, instead of at random */
	bool stall; /* ask, and do not read */
	const char *root; /* where the files lie that are served */
};

/* False, and said so on stderr, when something is wrong with them. */
bool options_parse(struct options *, int argc, char **argv);

#endif
