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
 * Sends the parcels of the ring (1..FDPOOL_WINDOW), each with its descriptor,
 * without waiting; the ring is as before.  Returns how many have gone, or,
 * when the first could not, -EAGAIN, -EPIPE as above, or an error that is
 * about that parcel's descriptor.
 */
ssize_t fdp_chan_send_parcels(int chan_fd, struct fdp_ring *);

/* Whether the other side will send no more. */
bool fdp_chan_is_closed(int chan_fd);

/* Whether something sent into it has not been received. */
bool fdp_chan_is_unread(int chan_fd);

/*
 * Takes the oldest message out of the worker's end, as the worker would.
 * Returns its type, or 0 when there is none.  A client's parcel is *parcel,
 * whose descriptor is the caller's: -1 if there was no room for it.
 */
uint32_t fdp_chan_take(int peer_fd, struct fdp_parcel *parcel);

#endif
