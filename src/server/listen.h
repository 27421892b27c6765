/* Listening sockets, from "ADDR:PORT". */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stddef.h>

/*
 * Binds and listens: non-blocking, CLOEXEC, TCP_NODELAY, probed when still for
 * 75 s.  addr is a numeric
 * IPv4 address or an IPv6 one in brackets, a colon and a port (0: the kernel
 * chooses); or "unix:PATH", a local socket that everybody on this machine may
 * use whom the folder lets in (one left by a dead server is replaced).
 * congestion NULL: the system's default.  *fd is the caller's.
 * Returns 0, -EINVAL (not of that form), or -errno of socket, bind, listen or
 * setsockopt (-ENOENT: no such congestion control).
 */
int listen_open(int *fd, const char *addr, const char *congestion);

enum listen_reach { LISTEN_NO_ADDRESS, LISTEN_LOOPBACK, LISTEN_BEYOND };

/* From where can clients come to this address? */
enum listen_reach listen_reach(const char *addr);

/*
 * Takes over listening sockets that a service manager has opened
 * (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, from descriptor 3 on), and the
 * two variables out of the environment.  How many, 0 for none, or -EINVAL: one
 * of them is no listening stream socket of TCP or of this machine.
 */
int listen_inherited(int *fds, unsigned cap, const char *congestion);

/* From where can clients come to this socket? */
enum listen_reach listen_reach_of(int fd);

/* "127.0.0.1:8686", "unix:/run/netpan.sock": where fd really listens.  Returns
 * out. */
#define LISTEN_NAME 128
char *listen_name(int fd, char *out, size_t cap);
/* 0 for a local socket. */
unsigned listen_port(int fd);
/* Removes the name of a local socket that fd listens on. */
void listen_unlink(int fd);

#endif
