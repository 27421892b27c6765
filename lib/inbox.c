/* A worker's inbox. */
#include "inbox.h"
#include "fd.h"

#include <errno.h>
#include <string.h>

static int look_from_start(int chan_fd);
static int look(struct fdp_inbox *, int chan_fd, unsigned cap, int flags);
static int descriptor_of(struct msghdr *);
static bool has_no_room(const struct fdp_inbox *, unsigned seen);
static bool is_torn(const struct fdp_inbox *, unsigned seen);
static unsigned count_fitting(const struct fdp_inbox *);
static void take(struct fdp_inbox *, int chan_fd, unsigned n_fit);
static unsigned find_seen(
    const struct fdp_inbox *, unsigned taken, unsigned from, unsigned n_seen);

int
fdp_inbox_init(struct fdp_inbox *in, int chan_fd)
{
	unsigned i;

	for (i = 0; i < FDP_INBOX_BATCH; i++) {
		in->fds[i] = -1;
		in->look_iov[i] = (struct iovec){ .iov_base = &in->seen[i],
			.iov_len = sizeof(in->seen[i]) };
		in->looks[i].msg_hdr = (struct msghdr){
			.msg_iov = &in->look_iov[i],
			.msg_iovlen = 1,
			.msg_control = in->control[i].bytes,
			/* CMSG_SPACE would let two descriptors in */
			.msg_controllen = CMSG_LEN(sizeof(int)),
		};
		in->take_iov[i] = (struct iovec){ .iov_base = &in->taken[i],
			.iov_len = sizeof(in->taken[i]) };
		in->takes[i].msg_hdr = (struct msghdr){
			.msg_iov = &in->take_iov[i], .msg_iovlen = 1
		};
	}
	return look_from_start(chan_fd);
}

int
fdp_inbox_receive(struct fdp_inbox *in, int chan_fd, unsigned cap, int flags)
{
	unsigned n_fit;
	int r;

	in->n_arrivals = 0;
	in->is_stuck = false;
	r = look(in, chan_fd, cap, flags);
	if (r != 0)
		return r;
	if (in->n_seen > 0 && in->looks[0].msg_len == 0)
		return -EPIPE;
	n_fit = count_fitting(in);
	in->is_stuck = n_fit < in->n_seen && in->looks[n_fit].msg_len > 0;
	if (n_fit > 0)
		take(in, chan_fd, n_fit);
	return in->n_arrivals < in->n_seen ? look_from_start(chan_fd) : 0;
}

void
fdp_inbox_clear(struct fdp_inbox *in)
{
	unsigned i;

	for (i = 0; i < in->n_seen; i++)
		fdp_close(&in->fds[i]);
	for (i = 0; i < in->n_arrivals; i++)
		fdp_close(&in->arrivals[i].fd);
}

/* Each look goes on behind the one before, and each message that is taken out
 * moves that place back by its length.  0 or -errno. */
static int
look_from_start(int chan_fd)
{
	const int start = 0;

	if (setsockopt(
		chan_fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof(start)) == -1)
		return -errno;
	return 0;
}

/* Into seen, with their descriptors.  0 or -errno. */
static int
look(struct fdp_inbox *in, int chan_fd, unsigned cap, int flags)
{
	unsigned i;
	int n;

	in->n_seen = 0;
	do
		n = recvmmsg(chan_fd, in->looks, cap,
		    flags | MSG_PEEK | MSG_CMSG_CLOEXEC, NULL);
	while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n == -1)
		return errno == EAGAIN ? 0 : -errno;
	in->n_seen = (unsigned)n;
	for (i = 0; i < in->n_seen; i++) {
		in->fds[i] = descriptor_of(&in->looks[i].msg_hdr);
		in->looks[i].msg_hdr.msg_controllen = CMSG_LEN(sizeof(int));
	}
	return 0;
}

static int
descriptor_of(struct msghdr *head)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(head);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static bool
has_no_room(const struct fdp_inbox *in, unsigned seen)
{
	return (in->looks[seen].msg_hdr.msg_flags & MSG_CTRUNC) &&
	       in->fds[seen] == -1;
}

static bool
is_torn(const struct fdp_inbox *in, unsigned seen)
{
	int flags = in->looks[seen].msg_hdr.msg_flags;

	return (flags & MSG_TRUNC) ||
	       ((flags & MSG_CTRUNC) && in->fds[seen] != -1);
}

/* Those before the first that found no room, or before the end. */
static unsigned
count_fitting(const struct fdp_inbox *in)
{
	unsigned i;

	for (i = 0; i < in->n_seen; i++)
		if (in->looks[i].msg_len == 0 || has_no_room(in, i))
			break;
	return i;
}

/* Of those seen, the ones that the master has not taken back meanwhile.  One
 * that came in the place of such a one has no descriptor here. */
static void
take(struct fdp_inbox *in, int chan_fd, unsigned n_fit)
{
	unsigned i, seen = 0;
	bool is_seen;
	int n;

	do
		n = recvmmsg(chan_fd, in->takes, n_fit, MSG_DONTWAIT, NULL);
	while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	in->n_arrivals = n == -1 ? 0 : (unsigned)n;
	for (i = 0; i < in->n_arrivals; i++) {
		seen = find_seen(in, i, seen, n_fit);
		is_seen = seen < n_fit;
		in->arrivals[i] = (struct fdp_arrival){
			.msg = &in->taken[i],
			.len = in->takes[i].msg_len,
			.fd = -1,
			.is_torn = in->takes[i].msg_hdr.msg_flags & MSG_TRUNC,
			.is_bereft = !is_seen,
		};
		if (!is_seen)
			continue;
		in->arrivals[i].fd = fdp_take(&in->fds[seen]);
		in->arrivals[i].is_torn |= is_torn(in, seen);
		seen++;
	}
}

/* Which of those seen from there on is the one taken; n_seen: none. */
static unsigned
find_seen(
    const struct fdp_inbox *in, unsigned taken, unsigned from, unsigned n_seen)
{
	unsigned len = in->takes[taken].msg_len, seen;

	for (seen = from; seen < n_seen; seen++)
		if (in->looks[seen].msg_len == len &&
		    memcmp(&in->seen[seen], &in->taken[taken], len) == 0)
			return seen;
	return n_seen;
}
