/* Listening sockets, from "ADDR:PORT". */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stddef.h>

/*
 * Binds and listens: non-blocking, CLOEXEC, TCP_NODELAY.  addr is a numeric
 * IPv4 address or an IPv6 one in brackets, a colon and a port (0: the kernel
 * chooses).  congestion NULL: the system's default.  *fd is the caller's.
 * Returns 0, -EINVAL (not of that form), or -errno of socket, bind, listen or
 * setsockopt (-ENOENT: no such congestion control).
 */
int listen_open(int *fd, const char *addr, const char *congestion);

enum listen_reach { LISTEN_NO_ADDRESS, LISTEN_LOOPBACK, LISTEN_BEYOND };

/* From where can clients come to this address? */
enum listen_reach listen_reach(const char *addr);

/* "127.0.0.1:8686": where fd really listens.  Returns out. */
char *listen_name(int fd, char *out, size_t cap);
unsigned listen_port(int fd);

#endif
