/* Compares what is served with the files. */
#ifndef CHECK_H
#define CHECK_H

#include "options.h"

/*
 * Asks for each target once, or for the first ones, whole or a range of it,
 * and says "checked N".
 * Ends at the first byte that is not the file's.  The exit status.
 */
int check_run(const struct options *);

#endif
