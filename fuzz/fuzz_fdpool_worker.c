/*
 * A worker's end of a channel: whatever the master says, every client that is
 * delivered has a descriptor, no more are held than there are slots, and no
 * descriptor is left behind.  An input is packets: how many descriptors go with
 * it, a length and the bytes; or, if that has its highest bit set, a type, and
 * it is a message of that type's length.
 */
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "must.h"

#define SLOTS 3
#define CLIENTS 8

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
send_packet(int fd, const uint8_t *bytes, size_t len, unsigned n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	const int fds[3] = { fd, fd, fd };

	if (n_fds > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_LEN(n_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
	}
	/* What finds no room is as if it had not been in the input. */
	(void)sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
send_typed(int fd, uint8_t type, unsigned n_fds)
{
	const uint8_t msg[sizeof(struct ctl_client)] = { type };

	send_packet(fd, msg,
	    type == CTL_CLIENT ? sizeof(struct ctl_client)
			       : sizeof(struct ctl_ping),
	    n_fds);
}

static void
send_all(int fd, const uint8_t *in, size_t len)
{
	struct ctl_hello hello = { .type = CTL_HELLO, .version = CTL_VERSION };
	size_t n;

	send_packet(fd, (const uint8_t *)&hello, sizeof(hello), 0);
	for (; len >= 2; in += 2 + n, len -= 2 + n) {
		n = 0;
		if (in[0] & 0x80) {
			send_typed(fd, in[1], in[0] % 4);
			continue;
		}
		n = in[1] < len - 2 ? in[1] : len - 2;
		send_packet(fd, in + 2, n, in[0] % 4);
	}
	must(shutdown(fd, SHUT_WR) == 0);
}

/* Serves what comes until the channel ends or is found to be wrong. */
static void
serve(struct fdpool_worker *worker)
{
	struct fdpool_client clients[CLIENTS];
	unsigned held = 0;
	ssize_t n = 0, i;

	while (n >= 0 || n == -EMFILE) {
		n = fdpool_worker_recv(worker, clients, CLIENTS);
		must(n <= SLOTS);
		for (i = 0; i < n; i++) {
			must(fcntl(clients[i].fd, F_GETFD) == FD_CLOEXEC);
			close(clients[i].fd);
			held++;
		}
		must(held <= SLOTS);
		/* One stays, so that the next may be too many. */
		if (held > 1) {
			fdpool_worker_done(worker, held - 1);
			held = 1;
		}
		must(fdpool_worker_flush(worker) == 0);
	}
	must(n == -EPIPE || n == -EPROTO);
	must(fdpool_worker_wait(worker, clients) == (n == -EPIPE ? 0 : n));
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct fdpool_worker *worker;
	int ends[2], lowest = dup(0), after;

	close(lowest);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	send_all(ends[0], in, len);
	must(fdpool_worker_open(&worker, ends[1], SLOTS) == 0);
	serve(worker);
	fdpool_worker_close(worker);
	close(ends[0]);
	after = dup(0);
	close(after);
	must(after == lowest);
	return 0;
}
