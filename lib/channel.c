#include "channel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

union fd_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int send_error(int error);
static void parcel_message(
    struct fdp_parcel *, struct msghdr *, struct iovec *, union fd_control *);

int
fdp_chan_pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, fds) == -1)
		return -errno;
	return 0;
}

int
fdp_chan_send(int chan_fd, const void *msg, size_t len, int flags)
{
	ssize_t n;

	do
		n = send(chan_fd, msg, len, flags | MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? send_error(errno) : 0;
}

ssize_t
fdp_chan_send_parcels(int chan_fd, struct fdp_ring *ring)
{
	struct mmsghdr batch[FDPOOL_WINDOW];
	struct iovec iov[FDPOOL_WINDOW];
	union fd_control control[FDPOOL_WINDOW];
	unsigned n = ring->len, i;
	int sent;

	assert(n > 0 && n <= FDPOOL_WINDOW);
	for (i = 0; i < n; i++)
		parcel_message(fdp_ring_at(ring, i), &batch[i].msg_hdr, &iov[i],
		    &control[i]);
	do
		sent = sendmmsg(chan_fd, batch, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent == -1 ? send_error(errno) : sent;
}

bool
fdp_chan_is_closed(int chan_fd)
{
	struct pollfd pfd = { .fd = chan_fd, .events = POLLRDHUP };
	int n;

	do
		n = poll(&pfd, 1, 0);
	while (n == -1 && errno == EINTR);
	return n > 0 && (pfd.revents & (POLLHUP | POLLRDHUP)) != 0;
}

bool
fdp_chan_is_unread(int chan_fd)
{
	int len = 0;

	return ioctl(chan_fd, SIOCOUTQ, &len) == 0 && len > 0;
}

uint32_t
fdp_chan_take(int peer_fd, struct fdp_parcel *parcel)
{
	union fd_control control;
	struct iovec iov = { .iov_base = &parcel->msg,
		.iov_len = sizeof(parcel->msg) };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	struct cmsghdr *c;
	ssize_t n;

	parcel->fd = -1;
	do
		n = recvmsg(peer_fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n < (ssize_t)sizeof(parcel->msg.type))
		return CTL_NONE;
	c = CMSG_FIRSTHDR(&head);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS)
		memcpy(&parcel->fd, CMSG_DATA(c), sizeof(int));
	return parcel->msg.type;
}

/*
 * ETOOMANYREFS: this user's sockets have more descriptors in flight than
 * RLIMIT_NOFILE; like a full buffer it passes when a worker has received.
 * ECONNRESET: the other end was closed with messages unread.
 */
static int
send_error(int error)
{
	switch (error) {
	case EAGAIN:
	case ETOOMANYREFS:
	case ENOBUFS:
	case ENOMEM:
		return -EAGAIN;
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return -EPIPE;
	default:
		return -error;
	}
}

static void
parcel_message(struct fdp_parcel *parcel, struct msghdr *msg, struct iovec *iov,
    union fd_control *control)
{
	struct cmsghdr *c = &control->align;

	*iov = (struct iovec){ .iov_base = &parcel->msg,
		.iov_len = sizeof(parcel->msg) };
	*msg = (struct msghdr){
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = control->bytes,
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &parcel->fd, sizeof(int));
}
