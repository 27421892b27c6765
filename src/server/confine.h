/* What every process that the master has started gives up first. */
#ifndef SERVER_CONFINE_H
#define SERVER_CONFINE_H

/* Signals of a terminal or a service manager are for the master, which tells
 * its children when to end; no core dumps, no tracing, no new privileges.
 * What fails is fatal.  name is at most 15 bytes, for ps(1). */
void confine_self(const char *name);

#endif
