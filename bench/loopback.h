/* Sockets of 127.0.0.1 for the programs that are measured. */
#ifndef BENCH_LOOPBACK_H
#define BENCH_LOOPBACK_H

/*
 * Listens on a free port, with that congestion control for all that is
 * accepted; flags are socket's.  The descriptor, or -errno.
 */
int loopback_listen(const char *congestion, int flags);

/* Prints the port, for the program that started this one.  0 or -errno. */
int loopback_print_port(int listen_fd);

/* Begins to connect; flags are socket's.  The descriptor, or -errno. */
int loopback_connect(unsigned port, int flags);

#endif
