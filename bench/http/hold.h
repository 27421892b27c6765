/* Opens connections and keeps them, as long as the program's input lasts. */
#ifndef HOLD_H
#define HOLD_H

#include "options.h"

/*
 * Says "held" once all are open and each has had one answer, or, if they are to
 * stall, has asked and reads nothing.  The exit status of the program.
 */
int hold_run(const struct options *);

#endif
