/* A ring of sockets on their way to a worker, each with its message. */
#ifndef FDP_RING_H
#define FDP_RING_H

#include "message.h"

struct fdp_parcel {
	struct ctl_client msg; /* as it is sent */
	int fd;
};

struct fdp_ring {
	struct fdp_parcel *items;
	unsigned cap;
	unsigned head;
	unsigned len;
};

/* 0 or -ENOMEM.  A zeroed ring has no room and may be freed. */
int fdp_ring_init(struct fdp_ring *, unsigned cap);

/* Makes room for cap in all; never shrinks.  0 or -ENOMEM. */
int fdp_ring_grow(struct fdp_ring *, unsigned cap);

/* Closes what is in it. */
void fdp_ring_free(struct fdp_ring *);

/* The i-th from the front, i < len.  Valid until the ring changes. */
struct fdp_parcel *fdp_ring_at(struct fdp_ring *, unsigned i);

/* The caller sees to it that there is room, or something to take.  The
 * descriptor goes with its parcel. */
void fdp_ring_push_back(struct fdp_ring *, const struct fdp_parcel *);
void fdp_ring_push_front(struct fdp_ring *, const struct fdp_parcel *);
struct fdp_parcel fdp_ring_pop_front(struct fdp_ring *);
struct fdp_parcel fdp_ring_pop_back(struct fdp_ring *);

#endif
