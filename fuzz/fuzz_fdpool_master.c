/*
 * The master's end of a channel: whatever a worker says and whenever, the
 * counts agree with each other and with what was given, and it is believed
 * nothing after its first wrong word.  An input is steps: see step().
 */
#include "channel.h"
#include "fd.h"
#include "pool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { SAY, SAY_RAW, GIVE, RECEIVE, LISTEN, PING, TAKE_BACK, STEPS };

/* A pool of one worker without a process: what happens to it is all said on
 * its channel. */
static void
pool_init(struct fdpool *p, struct fdp_member *m)
{
	int ends[2];

	*p = (struct fdpool){ .spare_fd = -1, .n_places = 1 };
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->mail_fd = epoll_create1(EPOLL_CLOEXEC);
	p->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	p->retry_at = p->armed_at = p->accept_at = FDP_NEVER;
	p->opt.queue_max = 8;
	p->opt.silent_ms = 60000;
	must(fdp_ring_init(&p->queue, 8 + FDPOOL_WINDOW) == 0);
	*m = (struct fdp_member){ .pidfd = -1, .pid = -1 };
	m->state = FDPOOL_STARTING;
	must(fdp_ring_init(&m->outbox, FDPOOL_WINDOW) == 0);
	must(fdp_chan_pair(ends) == 0);
	m->chan_fd = ends[0];
	m->peer_fd = ends[1];
	must(fdp_watch(p, m->chan_fd, FDP_CHANNEL, 0) == 0);
	p->places[0] = m;
}

static void
pool_end(struct fdpool *p, struct fdp_member *m)
{
	fdp_close_all(p);
	fdp_ring_free(&p->queue);
	fdp_ring_free(&m->outbox);
}

static void
check(const struct fdpool *p, const struct fdp_member *m)
{
	const struct fdpool_counts *c = &m->counts;

	must(m->in_flight <= FDPOOL_WINDOW);
	must(m->slots <= FDPOOL_SLOTS_MAX);
	must(m->held + m->in_flight <= m->slots);
	must(c->given == c->taken + c->given_again + m->in_flight);
	must(c->taken == c->done + c->lost + m->held);
	must(m->outbox.len == 0);
	must(p->queue.len <= p->queue.cap);
	must(memcmp(c, &p->total, sizeof(*c)) == 0);
}

static void
say(int fd, const void *bytes, size_t len, bool with_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)),
			  .cmsg_level = SOL_SOCKET,
			  .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (with_fd) {
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_LEN(sizeof(int));
	}
	(void)sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static size_t
say_raw(int fd, const uint8_t *in, size_t len)
{
	size_t n;

	if (len < 2)
		return len;
	n = in[0] < len - 2 ? in[0] : len - 2;
	say(fd, in + 2, n, in[1] & 1);
	return 2 + n;
}

/* A message of the right length: its type, and a byte for each number. */
static size_t
say_one(int fd, const uint8_t *in, size_t len)
{
	uint32_t msg[4] = { 0 };
	size_t i;

	if (len < 4)
		return len;
	for (i = 0; i < 4; i++)
		msg[i] = in[i] == 0xff ? ~0U : in[i];
	say(fd, msg, in[0] == CTL_PONG || in[0] == CTL_BYE ? 8 : 16, false);
	return 4;
}

/* What the next byte says; how many bytes more that took. */
static size_t
step(struct fdpool *p, struct fdp_member *m, const uint8_t *in, size_t len)
{
	struct fdp_parcel parcel = { .msg = { .type = CTL_CLIENT } };
	struct ctl_ping ping = { .type = CTL_PING };

	switch (in[0] % STEPS) {
	case SAY:
		return say_one(m->peer_fd, in + 1, len - 1);
	case SAY_RAW:
		return say_raw(m->peer_fd, in + 1, len - 1);
	case GIVE:
		parcel.fd = eventfd(0, EFD_CLOEXEC);
		if (p->queue.len < p->opt.queue_max)
			fdp_ring_push_back(&p->queue, &parcel);
		else
			close(parcel.fd);
		fdp_pump(p);
		return 0;
	case RECEIVE:
		(void)fdp_chan_take(m->peer_fd, &parcel);
		fdp_close(&parcel.fd);
		return 0;
	case LISTEN:
		while (m->state != FDPOOL_DYING && fdp_mailbox_read(p, m))
			;
		return 0;
	case PING:
		if (m->slots == 0 || m->ping_out)
			return 0;
		ping.seq = m->ping_seq + 1;
		if (fdp_chan_send(
			m->chan_fd, &ping, sizeof(ping), MSG_DONTWAIT) == 0) {
			m->ping_seq = ping.seq;
			m->ping_out = true;
		}
		return 0;
	case TAKE_BACK:
		must(fdp_take_back(p, m) == 0);
		return 0;
	default:
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static struct fdpool pool;
	struct fdp_member member;
	struct fdpool_counts before;
	int lowest = dup(0), after;
	uint8_t listen = LISTEN;
	size_t n;

	close(lowest);
	pool_init(&pool, &member);
	while (len > 0) {
		before = member.counts;
		n = step(&pool, &member, in, len);
		check(&pool, &member);
		if (member.state == FDPOOL_DYING && in[0] % STEPS != LISTEN)
			must(member.counts.taken == before.taken);
		in += 1 + n;
		len -= 1 + n;
	}
	(void)step(&pool, &member, &listen, 1);
	check(&pool, &member);
	pool_end(&pool, &member);
	after = dup(0);
	close(after);
	must(after == lowest);
	return 0;
}
