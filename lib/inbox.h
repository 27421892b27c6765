/* A worker's inbox: messages received in batches, with their descriptors. */
#ifndef FDP_INBOX_H
#define FDP_INBOX_H

#include "message.h"

#include <sys/socket.h>

#define FDP_INBOX_BATCH 64

/* One message that has been taken out of the channel. */
struct fdp_arrival {
	const union ctl_down *msg;
	size_t len;
	int fd; /* the inbox's, until it is taken; -1: none */
	bool is_torn; /* it was too long, or brought too many descriptors */
	bool is_bereft; /* a client whose descriptor found no room */
};

/*
 * The headers are made once; the kernel changes only lengths and flags, which
 * are put right after each use.
 */
struct fdp_inbox {
	struct fdp_arrival arrivals[FDP_INBOX_BATCH];
	unsigned n_arrivals;
	bool is_stuck; /* more is there, but has no room */

	struct mmsghdr looks[FDP_INBOX_BATCH];
	struct iovec look_iov[FDP_INBOX_BATCH];
	union ctl_down seen[FDP_INBOX_BATCH];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control[FDP_INBOX_BATCH];
	int fds
	    [FDP_INBOX_BATCH]; /* those of seen, until they are in arrivals */
	unsigned n_seen;
	struct mmsghdr takes[FDP_INBOX_BATCH];
	struct iovec take_iov[FDP_INBOX_BATCH];
	union ctl_down taken[FDP_INBOX_BATCH];
};

/* The channel stays the caller's.  0 or -errno. */
int fdp_inbox_init(struct fdp_inbox *, int chan_fd);

/*
 * Receives up to cap messages (1..FDP_INBOX_BATCH) into arrivals; flags may
 * hold MSG_DONTWAIT.  A descriptor that is received without room for it is
 * lost, and with it a client.  So a batch is first looked at (MSG_PEEK), which
 * brings descriptors as well and leaves the messages where they are, and then
 * those are taken that have theirs, without a second copy; what has no room
 * stays in the channel.
 * Returns 0 (n_arrivals may be 0 as well), -EPIPE when the channel has ended,
 * or -errno.  fdp_inbox_clear is due after each.
 */
int fdp_inbox_receive(struct fdp_inbox *, int chan_fd, unsigned cap, int flags);

/* Closes the descriptors that nobody has taken. */
void fdp_inbox_clear(struct fdp_inbox *);

#endif
