/* Asks as fast as it is answered, on many connections. */
#ifndef LOAD_H
#define LOAD_H

#include "options.h"

/* Prints what it saw as JSON.  The exit status of the program. */
int load_run(const struct options *);

#endif
