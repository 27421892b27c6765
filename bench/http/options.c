#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
wrong(const char *what, const char *why)
{
	fprintf(stderr, "bench-http: %s: %s\n", what, why);
	return false;
}

static bool
option_take(struct options *o, int option)
{
	switch (option) {
	case 'C':
		o->close = true;
		return true;
	case 'c':
		o->connections = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 'd':
		o->root = optarg;
		return true;
	case 'i':
		o->interval_us = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 'n':
		o->requests = strtoull(optarg, NULL, 10);
		return true;
	case 'o':
		o->in_order = true;
		return true;
	case 'r':
		o->range = strtoull(optarg, NULL, 10);
		return true;
	case 'S':
		o->seed = strtoull(optarg, NULL, 10);
		return true;
	case 's':
		o->seconds = strtod(optarg, NULL);
		return true;
	case 't':
		o->threads = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 'x':
		o->stall = true;
		return true;
	default:
		return false;
	}
}

static bool
are_possible(const struct options *o)
{
	if (o->port == 0 || o->port > 65535)
		return wrong("PORT", "not a port");
	if (o->threads == 0 || o->connections < o->threads)
		return wrong("-t", "as many threads as connections, or fewer");
	if (o->interval_us == 0)
		return wrong("-i", "an interval is not 0");
	if (o->seed == 0)
		return wrong("-S", "a seed is not 0");
	for (size_t i = 0; i < o->targets.n; i++)
		if (o->targets.v[i].size < o->range)
			return wrong(o->targets.v[i].path, "less than a range");
	return true;
}

bool
options_parse(struct options *o, int argc, char **argv)
{
	int option, error;

	*o = (struct options){
		.connections = 1, .threads = 1, .seed = 1, .interval_us = 4000
	};
	while ((option = getopt(argc, argv, "Cc:d:i:n:or:S:s:t:x")) != -1)
		if (!option_take(o, option))
			return false;
	if (argc - optind != 2)
		return wrong("PORT LIST", "both are needed");
	o->port = (unsigned)strtoul(argv[optind], NULL, 10);
	error = targets_read(&o->targets, argv[optind + 1], o->close);
	if (error != 0)
		return wrong(argv[optind + 1], strerror(-error));
	if (o->in_order)
		o->requests = o->targets.n;
	return are_possible(o);
}
