/* What a worker says to the master.  It may be under a stranger's control:
 * everything is checked, and the first wrong word is its last. */
#include "channel.h"
#include "pool.h"

#include <errno.h>
#include <sys/socket.h>

#define BATCH 8

enum phase {
	PHASE_STARTING = 1, /* has not announced its slots */
	PHASE_READY = 2
};

struct letter {
	struct fdpool *pool;
	struct fdp_member *from;
};

static int receive(int chan_fd, union ctl_up *, struct mmsghdr *);
static int
judge(struct fdpool *, struct fdp_member *, union ctl_up *, struct mmsghdr *);

/* handlers */
static int op_ready(void *, const void *);
static int op_report(void *, const void *);
static int op_pong(void *, const void *);
static int op_bye(void *, const void *);
static int op_short(void *, const void *);

static const struct fdp_op ops[CTL_TYPES] = {
	[CTL_READY] = { op_ready, sizeof(struct ctl_ready), PHASE_STARTING,
	    OP_ONCE },
	[CTL_REPORT] = { op_report, sizeof(struct ctl_report), PHASE_READY, 0 },
	[CTL_PONG] = { op_pong, sizeof(struct ctl_pong), PHASE_READY, 0 },
	[CTL_BYE] = { op_bye, sizeof(struct ctl_bye), PHASE_READY, OP_ONCE },
	[CTL_SHORT] = { op_short, sizeof(struct ctl_short), PHASE_READY, 0 },
};

bool
fdp_mailbox_read(struct fdpool *p, struct fdp_member *m)
{
	union ctl_up msgs[BATCH];
	struct mmsghdr batch[BATCH];
	int n, i, error = 0;

	n = receive(m->chan_fd, msgs, batch);
	if (n == -EAGAIN)
		return false;
	if (n < 0) {
		fdp_member_kill(p, m, n, true);
		return false;
	}
	for (i = 0; i < n && error == 0; i++)
		error = judge(p, m, &msgs[i], &batch[i]);
	if (error == -EPIPE) {
		fdp_member_left(p, m);
		return false;
	}
	if (error != 0) {
		fdp_member_kill(p, m, error, true);
		return false;
	}
	return n == BATCH;
}

void
fdp_member_heard(struct fdpool *p, struct fdp_member *m)
{
	m->heard = true;
	m->full = false;
	m->missed = 0;
	if (m->state == FDPOOL_SILENT && !m->unsure) {
		m->state = FDPOOL_READY;
		fdp_tell(p, FDPOOL_EV_BACK, m, 0, 0);
	}
}

/* No control buffer: the kernel then drops a descriptor that a worker would
 * push upon the master, and says so with MSG_CTRUNC. */
static int
receive(int chan_fd, union ctl_up *msgs, struct mmsghdr *batch)
{
	struct iovec iov[BATCH];
	int i, n;

	for (i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ .iov_base = &msgs[i],
			.iov_len = sizeof(msgs[i]) };
		batch[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i],
						 .msg_iovlen = 1 } };
	}
	do
		n = recvmmsg(chan_fd, batch, BATCH, MSG_DONTWAIT, NULL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
}

/* 0, -EPIPE (the end of its messages) or -EPROTO. */
static int
judge(struct fdpool *p, struct fdp_member *m, union ctl_up *msg,
    struct mmsghdr *head)
{
	struct letter letter = { .pool = p, .from = m };
	unsigned phase = m->has_left	 ? 0
			 : m->slots == 0 ? PHASE_STARTING
					 : PHASE_READY;
	int error;

	if (head->msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EPROTO;
	/* A packet may be empty, and then looks like the end. */
	if (head->msg_len == 0)
		return fdp_chan_is_closed(m->chan_fd) ? -EPIPE : -EPROTO;
	error = fdp_op_run(
	    ops, &letter, phase, &m->seen, msg, head->msg_len, false);
	if (error == 0)
		fdp_member_heard(p, m);
	return error;
}

static int
op_ready(void *ctx, const void *msg)
{
	const struct letter *letter = ctx;
	const struct ctl_ready *ready = msg;
	struct fdp_member *m = letter->from;

	if (ready->version != CTL_VERSION || ready->reserved != 0 ||
	    ready->slots == 0 || ready->slots > FDPOOL_SLOTS_MAX)
		return -EPROTO;
	m->slots = ready->slots;
	m->ready_at = fdp_now();
	m->due_at = FDP_NEVER;
	if (m->state == FDPOOL_STARTING)
		m->state = FDPOOL_READY;
	fdp_tell(letter->pool, FDPOOL_EV_READY, m, 0, ready->slots);
	return 0;
}

static int
op_report(void *ctx, const void *msg)
{
	const struct letter *letter = ctx;
	const struct ctl_report *report = msg;
	struct fdp_member *m = letter->from;
	struct fdpool_counts *total = &letter->pool->total;

	if (report->taken == 0 && report->done == 0)
		return -EPROTO;
	if (report->taken > m->in_flight || report->dropped > report->taken ||
	    report->done > m->held + (report->taken - report->dropped))
		return -EPROTO;
	m->in_flight -= report->taken;
	m->held += report->taken - report->dropped - report->done;
	m->counts.taken += report->taken;
	m->counts.done += report->done;
	m->counts.lost += report->dropped;
	total->taken += report->taken;
	total->done += report->done;
	total->lost += report->dropped;
	if (report->done > 0)
		m->asked = false;
	if (report->dropped > 0)
		fdp_member_pause(letter->pool, m);
	return 0;
}

static int
op_pong(void *ctx, const void *msg)
{
	const struct letter *letter = ctx;
	const struct ctl_pong *pong = msg;
	struct fdp_member *m = letter->from;

	if (!m->ping_out || pong->seq != m->ping_seq)
		return -EPROTO;
	m->ping_out = false;
	if (m->unsure && (int32_t)(pong->seq - m->sure_seq) < 0)
		fdp_member_ping(m);
	else
		m->unsure = false;
	return 0;
}

/* The same as the end of its messages, which cannot be seen while the master
 * holds that end too. */
static int
op_bye(void *ctx, const void *msg)
{
	const struct ctl_bye *bye = msg;

	(void)ctx;
	return bye->reserved == 0 ? -EPIPE : -EPROTO;
}

static int
op_short(void *ctx, const void *msg)
{
	const struct letter *letter = ctx;
	const struct ctl_short *shortage = msg;

	if (shortage->reserved != 0)
		return -EPROTO;
	fdp_member_pause(letter->pool, letter->from);
	return 0;
}
