/* Asks now and then, on a few connections, and looks how long that takes. */
#ifndef PROBE_H
#define PROBE_H

#include "options.h"

/*
 * Says "ready" when all connections are open; begins when a byte comes in on
 * the program's input and ends with it.  Prints what it saw as JSON.
 *
 * A connection asks at its own ticks; while it has no answer yet, its ticks
 * pass by.  A latency counts from the moment the request is really sent, so a
 * server that falls silent shows as few requests, and as a long last one.
 */
int probe_run(const struct options *);

#endif
