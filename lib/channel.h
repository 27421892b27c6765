/* A channel: a SOCK_SEQPACKET socketpair, one message per packet. */
#ifndef FDP_CHANNEL_H
#define FDP_CHANNEL_H

#include "ring.h"

#include <sys/types.h>

/* Both ends are CLOEXEC and O_NONBLOCK.  0 or -errno. */
int fdp_chan_pair(int fds[2]);

/*
 * Sends one message.  flags may hold MSG_DONTWAIT.  Returns 0, -EAGAIN (no
 * room now), -EPIPE (the other side is gone), or what send said.
 */
int fdp_chan_send(int chan_fd, const void *msg, size_t len, int flags);

/*
 * Sends n (1..FDPOOL_WINDOW) parcels of the ring from its first-th on, each
 * with its descriptor, without waiting; the ring is as before.  Returns how
 * many have gone, or, when the first could not, -EAGAIN, -EPIPE as above, or
 * an error that is about that parcel's descriptor.
 */
ssize_t fdp_chan_send_parcels(
    int chan_fd, struct fdp_ring *, unsigned first, unsigned n);

/* Whether the other end has been closed or will send no more. */
bool fdp_chan_is_closed(int chan_fd);

/* Whether the other end has been closed, so that it cannot receive either. */
bool fdp_chan_is_dead(int chan_fd);

#endif
