/* libfdpool: what each side does when the other speaks nonsense. */
#include "fdpool_rig.h"

#include "message.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define U32(n)                                                       \
	(unsigned char)((n)&0xff), (unsigned char)((n) >> 8 & 0xff), \
	    (unsigned char)((n) >> 16 & 0xff),                       \
	    (unsigned char)((n) >> 24 & 0xff)

/* Sends one packet with n descriptors (of standard input). */
static void
send_raw(int fd, const void *bytes, size_t len, unsigned n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	const int fds[3] = { 0, 0, 0 };

	if (n_fds > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
	}
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) == -1 && errno != EPIPE)
		_exit(98);
}

/* ---- a worker's nonsense ---- */

struct script {
	unsigned starts;
	unsigned n;
	struct {
		size_t len;
		unsigned n_fds;
		unsigned char bytes[8192];
	} packets[3];
};

/* The first of its place says what is in the script and stays; the next ones
 * are good workers. */
static int
liar(int chan_fd, void *arg)
{
	struct script *script = arg;
	struct ctl_hello hello;
	struct pollfd pfd = { .fd = chan_fd, .events = POLLIN };
	unsigned i;

	if (script->starts++ > 0)
		return rig_blocking_worker(chan_fd, NULL);
	poll(&pfd, 1, -1);
	if (recv(chan_fd, &hello, sizeof(hello), 0) != sizeof(hello))
		return 1;
	for (i = 0; i < script->n; i++)
		send_raw(chan_fd, script->packets[i].bytes,
		    script->packets[i].len, script->packets[i].n_fds);
	while (pause() == -1)
		;
	return 0;
}

#define READY U32(CTL_READY), U32(CTL_VERSION), U32(4), U32(0)
#define BYTES(...) { __VA_ARGS__ }, sizeof((unsigned char[]){ __VA_ARGS__ })
/* A packet in front of the wrong one, or none. */
#define EARLY NULL, 0
#define LATE ready_bytes, sizeof(ready_bytes)

static const unsigned char ready_bytes[] = { READY };

static const struct {
	int line;
	const char *in;
	const unsigned char *first;
	size_t first_len;
	unsigned char bytes[24];
	size_t len;
	unsigned n_fds;
} lies[] = {
	{ __LINE__, "one byte", EARLY, BYTES(CTL_READY), 0 },
	{ __LINE__, "three bytes", EARLY, BYTES(CTL_READY, 0, 0), 0 },
	{ __LINE__, "only a type", EARLY, BYTES(U32(CTL_READY)), 0 },
	{ __LINE__, "type 0", EARLY, BYTES(U32(0), U32(0), U32(0), U32(0)), 0 },
	{ __LINE__, "type past the last", EARLY,
	    BYTES(U32(CTL_TYPES), U32(0), U32(0), U32(0)), 0 },
	{ __LINE__, "type of all ones", EARLY,
	    BYTES(U32(~0U), U32(0), U32(0), U32(0)), 0 },
	{ __LINE__, "a master's hello", EARLY,
	    BYTES(U32(CTL_HELLO), U32(1), U32(0), U32(0)), 0 },
	{ __LINE__, "a master's client", LATE, BYTES(U32(CTL_CLIENT), U32(0)),
	    0 },
	{ __LINE__, "a master's ping", LATE, BYTES(U32(CTL_PING), U32(1)), 0 },
	{ __LINE__, "a master's drain", LATE, BYTES(U32(CTL_DRAIN), U32(0)),
	    0 },
	{ __LINE__, "ready, one byte more", EARLY, BYTES(READY, 0), 0 },
	{ __LINE__, "ready, one byte less", EARLY,
	    BYTES(U32(CTL_READY), U32(CTL_VERSION), U32(4), 0, 0, 0), 0 },
	{ __LINE__, "ready of another version", EARLY,
	    BYTES(U32(CTL_READY), U32(CTL_VERSION + 1), U32(4), U32(0)), 0 },
	{ __LINE__, "ready with no slots", EARLY,
	    BYTES(U32(CTL_READY), U32(CTL_VERSION), U32(0), U32(0)), 0 },
	{ __LINE__, "ready with a slot too many", EARLY,
	    BYTES(U32(CTL_READY), U32(CTL_VERSION), U32(FDPOOL_SLOTS_MAX + 1),
		U32(0)),
	    0 },
	{ __LINE__, "ready with all slots", EARLY,
	    BYTES(U32(CTL_READY), U32(CTL_VERSION), U32(~0U), U32(0)), 0 },
	{ __LINE__, "ready, reserved set", EARLY,
	    BYTES(U32(CTL_READY), U32(CTL_VERSION), U32(4), U32(1)), 0 },
	{ __LINE__, "ready with a descriptor", EARLY, BYTES(READY), 1 },
	{ __LINE__, "ready twice", LATE, BYTES(READY), 0 },
	{ __LINE__, "report before ready", EARLY,
	    BYTES(U32(CTL_REPORT), U32(0), U32(0), U32(0)), 0 },
	{ __LINE__, "pong before ready", EARLY, BYTES(U32(CTL_PONG), U32(1)),
	    0 },
	{ __LINE__, "pong unasked", LATE, BYTES(U32(CTL_PONG), U32(1)), 0 },
	{ __LINE__, "pong unasked, 0", LATE, BYTES(U32(CTL_PONG), U32(0)), 0 },
	{ __LINE__, "bye before ready", EARLY, BYTES(U32(CTL_BYE), U32(0)), 0 },
	{ __LINE__, "bye, reserved set", LATE, BYTES(U32(CTL_BYE), U32(1)), 0 },
	{ __LINE__, "report of nothing", LATE,
	    BYTES(U32(CTL_REPORT), U32(0), U32(0), U32(0)), 0 },
	{ __LINE__, "took what was not given", LATE,
	    BYTES(U32(CTL_REPORT), U32(1), U32(0), U32(0)), 0 },
	{ __LINE__, "did what it did not hold", LATE,
	    BYTES(U32(CTL_REPORT), U32(0), U32(1), U32(0)), 0 },
	{ __LINE__, "took and did what was not given", LATE,
	    BYTES(U32(CTL_REPORT), U32(1), U32(1), U32(0)), 0 },
	{ __LINE__, "took all ones", LATE,
	    BYTES(U32(CTL_REPORT), U32(~0U), U32(0), U32(0)), 0 },
	{ __LINE__, "did all ones", LATE,
	    BYTES(U32(CTL_REPORT), U32(0), U32(~0U), U32(0)), 0 },
	{ __LINE__, "took and did all ones", LATE,
	    BYTES(U32(CTL_REPORT), U32(~0U), U32(~0U), U32(~0U)), 0 },
	{ __LINE__, "dropped what it did not take", LATE,
	    BYTES(U32(CTL_REPORT), U32(0), U32(0), U32(1)), 0 },
	{ __LINE__, "report, one byte more", LATE,
	    BYTES(U32(CTL_REPORT), U32(0), U32(1), U32(0), 0), 0 },
	{ __LINE__, "pong with a descriptor", LATE,
	    BYTES(U32(CTL_PONG), U32(1)), 1 },
	{ __LINE__, "three descriptors", LATE, BYTES(U32(CTL_PONG), U32(1)),
	    3 },
};

static void
run_script(int line, const char *in, struct script *script)
{
	struct fdpool_options opt = { .run = liar, .run_arg = script };
	struct rig rig;
	int client, first_pid;

	rig_start(&rig, &opt);
	first_pid = rig_worker(&rig, 0).pid;
	UNTIL(&rig, rig.n_of[FDPOOL_EV_KILLED] == 1);
	CHECK_INT(line, in, "why", -EPROTO, rig.last[FDPOOL_EV_KILLED].error);
	client = rig_client(&rig);
	CHECK(line, in, "replaced", rig_pid_of(&rig, client) != first_pid);
	CHECK_U64(line, in, "restarted", 1, rig_counts(&rig).restarted);
	CHECK_U64(line, in, "killed", 1, rig.n_of[FDPOOL_EV_KILLED]);
	CHECK_U64(line, in, "lost", 0, rig_counts(&rig).lost);
	rig_leave(client);
	rig_end(&rig);
}

static void
a_worker_that_lies(void **state)
{
	struct script *script = rig_shared(sizeof(*script));
	size_t i;

	(void)state;
	for (i = 0; i < nitems(lies); i++) {
		*script = (struct script){ 0 };
		if (lies[i].first != NULL) {
			script->packets[0].len = lies[i].first_len;
			memcpy(script->packets[0].bytes, lies[i].first,
			    lies[i].first_len);
			script->n++;
		}
		script->packets[script->n].len = lies[i].len;
		script->packets[script->n].n_fds = lies[i].n_fds;
		memcpy(script->packets[script->n].bytes, lies[i].bytes,
		    lies[i].len);
		script->n++;
		run_script(lies[i].line, lies[i].in, script);
	}
	munmap(script, sizeof(*script));
}

/* What does not fit into the table: no bytes at all, and very many. */
static void
a_worker_of_odd_lengths(void **state)
{
	static const size_t lens[] = { 0, 17, 4096, 8192 };
	struct script *script = rig_shared(sizeof(*script));
	size_t i;
	int late;

	(void)state;
	for (i = 0; i < nitems(lens); i++)
		for (late = 0; late < 2; late++) {
			*script = (struct script){ .n = late + 1U };
			if (late) {
				script->packets[0].len = sizeof(ready_bytes);
				memcpy(script->packets[0].bytes, ready_bytes,
				    sizeof(ready_bytes));
			}
			script->packets[late].len = lens[i];
			run_script(__LINE__, "odd length", script);
		}
	munmap(script, sizeof(*script));
}

/* Counts that are wrong only against what was given: three clients. */
struct false_report {
	int line;
	const char *in;
	uint32_t reports[2][3]; /* taken, done, dropped */
};

static const struct false_report false_reports[] = {
	{ __LINE__, "took one too many", { { 4, 0, 0 } } },
	{ __LINE__, "did one too many", { { 3, 4, 0 } } },
	{ __LINE__, "dropped one too many", { { 2, 0, 3 } } },
	{ __LINE__, "did what it dropped", { { 3, 3, 1 } } },
	{ __LINE__, "took again", { { 3, 0, 0 }, { 1, 0, 0 } } },
	{ __LINE__, "did again", { { 3, 3, 0 }, { 0, 1, 0 } } },
	{ __LINE__, "did more than is left", { { 3, 2, 0 }, { 0, 2, 0 } } },
	{ __LINE__, "sum past 32 bits", { { 3, 0, 0 }, { 0, ~0U - 1, 0 } } },
};

struct counted {
	unsigned starts;
	const struct false_report *row;
};

static int
miscounts(int chan_fd, void *arg)
{
	struct counted *counted = arg;
	struct fdpool_worker *worker;
	struct ctl_report report = { .type = CTL_REPORT };
	struct pollfd pfd = { .fd = chan_fd, .events = POLLIN };
	unsigned i;

	if (counted->starts++ > 0)
		return rig_blocking_worker(chan_fd, NULL);
	if (fdpool_worker_open(&worker, chan_fd, 10) != 0 ||
	    fdpool_worker_ready(worker) != 0)
		return 1;
	/* Goes on when all three are here; their messages stay unread. */
	poll(&pfd, 1, -1);
	raise(SIGSTOP);
	for (i = 0; i < 2; i++) {
		report.taken = counted->row->reports[i][0];
		report.done = counted->row->reports[i][1];
		report.dropped = counted->row->reports[i][2];
		if (report.taken > 0 || report.done > 0)
			send_raw(chan_fd, &report, sizeof(report), 0);
	}
	while (pause() == -1)
		;
	return 0;
}

static void
a_worker_that_miscounts(void **state)
{
	struct counted *counted = rig_shared(sizeof(*counted));
	struct fdpool_options opt = {
		.run = miscounts, .run_arg = counted, .heartbeat_ms = 60000
	};
	struct rig rig;
	struct fdpool_counts counts;
	int clients[3], pid, i;
	size_t n;

	(void)state;
	for (n = 0; n < nitems(false_reports); n++) {
		const struct false_report *row = &false_reports[n];

		*counted = (struct counted){ .row = row };
		rig_start(&rig, &opt);
		UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
		pid = rig_worker(&rig, 0).pid;
		for (i = 0; i < 3; i++)
			clients[i] = rig_client(&rig);
		assert_int_equal(rig_counts(&rig).in_flight, 3);
		assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 },
				     WSTOPPED | WNOWAIT),
		    0);
		kill(pid, SIGCONT);
		UNTIL(&rig, rig_counts(&rig).restarted == 1);
		CHECK_INT(row->line, row->in, "why", -EPROTO,
		    rig.last[FDPOOL_EV_KILLED].error);
		/* What was said before the lie holds. */
		counts = rig_counts(&rig);
		CHECK_U64(row->line, row->in, "all accounted for", 3,
		    counts.done + counts.lost + counts.given_again);
		if (row->reports[1][0] == 0 && row->reports[1][1] == 0)
			CHECK_U64(row->line, row->in, "given again", 3,
			    counts.given_again);
		for (i = 0; i < 3; i++)
			rig_leave(clients[i]);
		rig_end(&rig);
	}
	munmap(counted, sizeof(*counted));
}

/* ---- a master's nonsense ---- */

/* A master made by hand: its end of a channel, with a good hello sent. */
static int
raw_master(int *worker_end, bool with_hello)
{
	struct ctl_hello hello = {
		.type = CTL_HELLO, .version = CTL_VERSION, .index = 7, .len = 3
	};
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	memcpy(hello.bytes, "abc", 3);
	if (with_hello)
		send_raw(ends[0], &hello, sizeof(hello), 0);
	*worker_end = ends[1];
	return ends[0];
}

static struct fdpool_worker *
raw_worker(int *master_fd, unsigned slots)
{
	struct fdpool_worker *worker;
	struct ctl_ready ready;
	int worker_fd;

	*master_fd = raw_master(&worker_fd, true);
	assert_int_equal(fdpool_worker_open(&worker, worker_fd, slots), 0);
	assert_int_equal(recv(*master_fd, &ready, 1, MSG_DONTWAIT), -1);
	assert_int_equal(fdpool_worker_ready(worker), 0);
	assert_int_equal(
	    recv(*master_fd, &ready, sizeof(ready), 0), sizeof(ready));
	assert_int_equal(ready.type, CTL_READY);
	assert_int_equal(ready.version, CTL_VERSION);
	assert_int_equal(ready.slots, slots);
	/* Said once. */
	assert_int_equal(fdpool_worker_ready(worker), 0);
	assert_int_equal(recv(*master_fd, &ready, 1, MSG_DONTWAIT), -1);
	return worker;
}

static void
send_client(int master_fd, unsigned n_fds)
{
	struct ctl_client client = { .type = CTL_CLIENT };

	client.tag.bytes[0] = 42;
	send_raw(master_fd, &client, sizeof(client), n_fds);
}

static struct ctl_report
recv_report(int master_fd)
{
	struct ctl_report report;

	assert_int_equal(recv(master_fd, &report, sizeof(report), MSG_DONTWAIT),
	    sizeof(report));
	assert_int_equal(report.type, CTL_REPORT);
	return report;
}

static void
a_good_master(void **state)
{
	struct fdpool_client clients[4];
	struct fdpool_worker *worker;
	struct ctl_report report;
	struct ctl_ping ping = { .type = CTL_PING, .seq = 99 };
	struct ctl_pong pong;
	struct ctl_bye bye;
	unsigned fds = rig_open_fds();
	size_t len;
	int master_fd, i;

	(void)state;
	worker = raw_worker(&master_fd, 4);
	assert_int_equal(fdpool_worker_index(worker), 7);
	assert_memory_equal(fdpool_worker_hello(worker, &len), "abc", 3);
	assert_int_equal(len, 3);
	assert_int_equal(fdpool_worker_recv(worker, clients, 4), 0);
	assert_int_equal(fdpool_worker_recv(worker, clients, 0), -EINVAL);
	for (i = 0; i < 3; i++)
		send_client(master_fd, 1);
	send_raw(master_fd, &ping, sizeof(ping), 0);
	assert_int_equal(fdpool_worker_recv(worker, clients, 2), 2);
	assert_int_equal(recv(master_fd, &report, 1, MSG_DONTWAIT), -1);
	assert_int_equal(fdpool_worker_flush(worker), 0);
	report = recv_report(master_fd);
	assert_int_equal(report.taken, 2);
	assert_int_equal(report.done, 0);
	/* What is owed goes before the next are received; a ping is answered
	 * at once. */
	fdpool_worker_done(worker, 1);
	assert_int_equal(fdpool_worker_recv(worker, clients + 2, 2), 1);
	report = recv_report(master_fd);
	assert_int_equal(report.taken, 0);
	assert_int_equal(report.done, 1);
	assert_int_equal(recv(master_fd, &pong, sizeof(pong), 0), 8);
	assert_int_equal(pong.type, CTL_PONG);
	assert_int_equal(pong.seq, 99);
	report = recv_report(master_fd);
	assert_int_equal(report.taken, 1);
	assert_int_equal(report.done, 0);
	assert_int_equal(report.dropped, 0);
	/* Nothing owed, nothing said. */
	assert_int_equal(fdpool_worker_flush(worker), 0);
	assert_int_equal(recv(master_fd, &report, 1, MSG_DONTWAIT), -1);
	for (i = 0; i < 3; i++) {
		assert_int_equal(clients[i].tag.bytes[0], 42);
		assert_true(fcntl(clients[i].fd, F_GETFD) & FD_CLOEXEC);
		close(clients[i].fd);
	}
	fdpool_worker_done(worker, 2);
	fdpool_worker_close(worker);
	assert_int_equal(recv_report(master_fd).done, 2);
	assert_int_equal(recv(master_fd, &bye, sizeof(bye), 0), 8);
	assert_int_equal(bye.type, CTL_BYE);
	assert_int_equal(recv(master_fd, &bye, sizeof(bye), 0), 0);
	close(master_fd);
	assert_int_equal(rig_open_fds(), fds);
}

static const struct {
	int line;
	const char *in;
	struct ctl_hello hello;
	size_t len;
	unsigned n_fds;
	int want;
} bad_hellos[] = {
	{ __LINE__, "good", { CTL_HELLO, CTL_VERSION, 0, 0, { 0 } },
	    sizeof(struct ctl_hello), 0, 0 },
	{ __LINE__, "full", { CTL_HELLO, CTL_VERSION, 0, 4096, { 0 } },
	    sizeof(struct ctl_hello), 0, 0 },
	{ __LINE__, "no bytes", { 0 }, 0, 0, -EPIPE },
	{ __LINE__, "one byte", { CTL_HELLO, CTL_VERSION, 0, 0, { 0 } }, 1, 0,
	    -EPROTO },
	{ __LINE__, "one byte less", { CTL_HELLO, CTL_VERSION, 0, 0, { 0 } },
	    sizeof(struct ctl_hello) - 1, 0, -EPROTO },
	{ __LINE__, "one byte more", { CTL_HELLO, CTL_VERSION, 0, 0, { 0 } },
	    sizeof(struct ctl_hello) + 1, 0, -EPROTO },
	{ __LINE__, "another type", { CTL_PING, CTL_VERSION, 0, 0, { 0 } },
	    sizeof(struct ctl_hello), 0, -EPROTO },
	{ __LINE__, "another version",
	    { CTL_HELLO, CTL_VERSION + 1, 0, 0, { 0 } },
	    sizeof(struct ctl_hello), 0, -EPROTO },
	{ __LINE__, "one past the longest",
	    { CTL_HELLO, CTL_VERSION, 0, 4097, { 0 } },
	    sizeof(struct ctl_hello), 0, -EPROTO },
	{ __LINE__, "length of all ones",
	    { CTL_HELLO, CTL_VERSION, 0, ~0U, { 0 } }, sizeof(struct ctl_hello),
	    0, -EPROTO },
	{ __LINE__, "a descriptor", { CTL_HELLO, CTL_VERSION, 0, 0, { 0 } },
	    sizeof(struct ctl_hello), 1, -EPROTO },
};

static void
a_master_with_a_bad_hello(void **state)
{
	struct fdpool_worker *worker = NULL;
	unsigned char bytes[sizeof(struct ctl_hello) + 1] = { 0 };
	unsigned fds = rig_open_fds();
	int master_fd, worker_fd, error;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(bad_hellos); i++) {
		master_fd = raw_master(&worker_fd, false);
		memcpy(bytes, &bad_hellos[i].hello, sizeof(struct ctl_hello));
		send_raw(
		    master_fd, bytes, bad_hellos[i].len, bad_hellos[i].n_fds);
		error = fdpool_worker_open(&worker, worker_fd, 1);
		CHECK_INT(bad_hellos[i].line, bad_hellos[i].in, "result",
		    bad_hellos[i].want, error);
		if (error == 0)
			fdpool_worker_close(worker);
		close(master_fd);
		CHECK_U64(bad_hellos[i].line, bad_hellos[i].in, "descriptors",
		    fds, rig_open_fds());
	}
	master_fd = raw_master(&worker_fd, false);
	close(master_fd);
	assert_int_equal(fdpool_worker_open(&worker, worker_fd, 1), -EPIPE);
	assert_int_equal(rig_open_fds(), fds);
}

static void
slots_refused(void **state)
{
	static const unsigned slots[] = { 0, FDPOOL_SLOTS_MAX + 1, ~0U };
	struct fdpool_worker *worker = NULL;
	unsigned fds = rig_open_fds();
	int master_fd, worker_fd;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(slots); i++) {
		master_fd = raw_master(&worker_fd, true);
		assert_int_equal(
		    fdpool_worker_open(&worker, worker_fd, slots[i]), -EINVAL);
		close(master_fd);
		assert_int_equal(rig_open_fds(), fds);
	}
	assert_int_equal(fdpool_worker_open(&worker, -1, 1), -EINVAL);
	assert_null(worker);
}

/* After a client that must still be delivered. */
static const struct {
	int line;
	const char *in;
	unsigned char bytes[2][48];
	size_t len[2];
	unsigned n_fds;
} bad_orders[] = {
	{ __LINE__, "one byte", { { CTL_PING } }, { 1 }, 0 },
	{ __LINE__, "type 0", { { 0 } }, { 8 }, 0 },
	{ __LINE__, "unknown type", { { CTL_TYPES } }, { 8 }, 0 },
	{ __LINE__, "a worker's ready", { { CTL_READY } }, { 16 }, 0 },
	{ __LINE__, "a worker's pong", { { CTL_PONG } }, { 8 }, 0 },
	{ __LINE__, "a second hello", { { CTL_HELLO } }, { 16 }, 0 },
	{ __LINE__, "ping, one byte more", { { CTL_PING } }, { 9 }, 0 },
	{ __LINE__, "ping with a descriptor", { { CTL_PING } }, { 8 }, 1 },
	{ __LINE__, "drain with a descriptor", { { CTL_DRAIN } }, { 8 }, 1 },
	{ __LINE__, "drain twice", { { CTL_DRAIN }, { CTL_DRAIN } }, { 8, 8 },
	    0 },
	{ __LINE__, "client after drain", { { CTL_DRAIN }, { CTL_CLIENT } },
	    { 8, sizeof(struct ctl_client) }, 1 },
	{ __LINE__, "client without a descriptor", { { CTL_CLIENT } },
	    { sizeof(struct ctl_client) }, 0 },
	{ __LINE__, "client with two descriptors", { { CTL_CLIENT } },
	    { sizeof(struct ctl_client) }, 2 },
	{ __LINE__, "client with three descriptors", { { CTL_CLIENT } },
	    { sizeof(struct ctl_client) }, 3 },
	{ __LINE__, "client, one byte less", { { CTL_CLIENT } },
	    { sizeof(struct ctl_client) - 1 }, 1 },
	{ __LINE__, "client, one byte more", { { CTL_CLIENT } },
	    { sizeof(struct ctl_client) + 1 }, 1 },
	{ __LINE__, "a client over the slots",
	    { { CTL_CLIENT }, { CTL_CLIENT } },
	    { sizeof(struct ctl_client), sizeof(struct ctl_client) }, 1 },
};

static void
a_master_that_lies(void **state)
{
	struct fdpool_client clients[8];
	struct fdpool_worker *worker;
	unsigned fds = rig_open_fds();
	ssize_t got, i;
	int master_fd;
	size_t n;

	(void)state;
	for (n = 0; n < nitems(bad_orders); n++) {
		int line = bad_orders[n].line;
		const char *in = bad_orders[n].in;

		worker = raw_worker(&master_fd, 2);
		send_client(master_fd, 1);
		send_raw(master_fd, bad_orders[n].bytes[0],
		    bad_orders[n].len[0],
		    bad_orders[n].len[1] == 0 ||
			    bad_orders[n].bytes[0][0] == CTL_CLIENT
			? bad_orders[n].n_fds
			: 0);
		if (bad_orders[n].len[1] != 0)
			send_raw(master_fd, bad_orders[n].bytes[1],
			    bad_orders[n].len[1], bad_orders[n].n_fds);
		/* And something good that comes too late. */
		send_client(master_fd, 1);
		got = fdpool_worker_recv(worker, clients, nitems(clients));
		CHECK(line, in, "the good client is there", got >= 1);
		CHECK_INT(line, in, "then", -EPROTO,
		    fdpool_worker_recv(worker, clients + got, 1));
		CHECK_INT(line, in, "and for good", -EPROTO,
		    fdpool_worker_recv(worker, clients + got, 1));
		CHECK_INT(line, in, "also for wait", -EPROTO,
		    fdpool_worker_wait(worker, clients + got));
		for (i = 0; i < got; i++)
			close(clients[i].fd);
		fdpool_worker_close(worker);
		close(master_fd);
		CHECK_U64(line, in, "descriptors", fds, rig_open_fds());
	}
}

static void
a_master_that_is_gone(void **state)
{
	struct fdpool_client client;
	struct fdpool_worker *worker;
	int master_fd;

	(void)state;
	worker = raw_worker(&master_fd, 2);
	send_client(master_fd, 1);
	close(master_fd);
	/* What it sent before is still served. */
	assert_int_equal(fdpool_worker_recv(worker, &client, 1), 1);
	close(client.fd);
	fdpool_worker_done(worker, 1);
	assert_int_equal(fdpool_worker_recv(worker, &client, 1), -EPIPE);
	assert_int_equal(fdpool_worker_flush(worker), -EPIPE);
	assert_int_equal(fdpool_worker_wait(worker, &client), 0);
	fdpool_worker_close(worker);

	/* Also when it went with a worker's words unread. */
	worker = raw_worker(&master_fd, 2);
	fdpool_worker_done(worker, 1);
	assert_int_equal(fdpool_worker_flush(worker), 0);
	send_client(master_fd, 1);
	close(master_fd);
	assert_int_equal(fdpool_worker_recv(worker, &client, 1), 1);
	close(client.fd);
	assert_int_equal(fdpool_worker_recv(worker, &client, 1), -EPIPE);
	fdpool_worker_close(worker);
}

static void
wait_and_drain(void **state)
{
	const struct ctl_drain drain = { .type = CTL_DRAIN };
	struct fdpool_client client;
	struct fdpool_worker *worker;
	struct ctl_report report;
	int master_fd;

	(void)state;
	worker = raw_worker(&master_fd, 1);
	send_client(master_fd, 1);
	assert_int_equal(fdpool_worker_wait(worker, &client), 1);
	close(client.fd);
	fdpool_worker_done(worker, 1);
	assert_false(fdpool_worker_is_draining(worker));
	send_raw(master_fd, &drain, sizeof(drain), 0);
	assert_int_equal(fdpool_worker_wait(worker, &client), 0);
	assert_true(fdpool_worker_is_draining(worker));
	report = recv_report(master_fd);
	assert_int_equal(report.taken, 1);
	assert_int_equal(report.done, 1);
	assert_int_equal(fdpool_worker_wait(worker, &client), 0);
	fdpool_worker_close(worker);
	close(master_fd);
}

/* ---- no room in the worker's table ---- */

static rlim_t
set_fd_limit(rlim_t n)
{
	struct rlimit limit;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

/* The clients that fit are delivered, the others stay where they are, and the
 * master is told that they do. */
static void
no_room_at_the_worker(void **state)
{
	struct fdpool_client clients[8];
	struct fdpool_worker *worker;
	struct ctl_report report;
	struct ctl_short shortage;
	unsigned fds = rig_open_fds();
	int master_fd, next, i;
	rlim_t before;

	(void)state;
	worker = raw_worker(&master_fd, 8);
	for (i = 0; i < 5; i++)
		send_client(master_fd, 1);
	next = dup(0);
	close(next);
	before = set_fd_limit((rlim_t)next + 2);
	assert_int_equal(fdpool_worker_recv(worker, clients, 8), 2);
	assert_int_equal(fdpool_worker_flush(worker), 0);
	report = recv_report(master_fd);
	assert_int_equal(report.taken, 2);
	assert_int_equal(report.dropped, 0);
	assert_int_equal(report.done, 0);
	assert_int_equal(fdpool_worker_recv(worker, clients + 2, 6), -EMFILE);
	assert_int_equal(
	    recv(master_fd, &shortage, sizeof(shortage), 0), sizeof(shortage));
	assert_int_equal(shortage.type, CTL_SHORT);
	/* Not said again at once. */
	assert_int_equal(fdpool_worker_recv(worker, clients + 2, 6), 0);
	assert_int_equal(recv(master_fd, &shortage, 1, MSG_DONTWAIT), -1);
	close(clients[1].fd);
	assert_int_equal(fdpool_worker_recv(worker, clients + 1, 7), 1);
	(void)set_fd_limit(before);
	assert_int_equal(fdpool_worker_recv(worker, clients + 2, 6), 2);
	send_client(master_fd, 1);
	assert_int_equal(fdpool_worker_recv(worker, clients + 4, 4), 1);
	for (i = 0; i < 5; i++)
		close(clients[i].fd);

	/* The waiting way. */
	send_client(master_fd, 1);
	before = set_fd_limit((rlim_t)next);
	assert_int_equal(fdpool_worker_wait(worker, clients), -EMFILE);
	(void)set_fd_limit(before);
	assert_int_equal(fdpool_worker_wait(worker, clients), 1);
	close(clients[0].fd);
	fdpool_worker_close(worker);
	close(master_fd);
	assert_int_equal(rig_open_fds(), fds);
}

/* A packet of no bytes ends the channel; what lies behind it is let go. */
static void
nothing_and_more(void **state)
{
	unsigned fds = rig_open_fds();
	struct fdpool_worker *worker;
	struct fdpool_client clients[8];
	int master_fd;

	(void)state;
	worker = raw_worker(&master_fd, 8);
	send_raw(master_fd, "", 0, 0);
	send_client(master_fd, 1);
	assert_int_equal(fdpool_worker_recv(worker, clients, 8), -EPIPE);
	fdpool_worker_close(worker);
	close(master_fd);
	assert_int_equal(rig_open_fds(), fds);
}

/* ---- taken back between the look and the take ---- */

static struct {
	int peer_fd; /* the worker's end, as the master has it */
	int master_fd;
	unsigned n_back;
	unsigned n_new;
	uint32_t seq;
} meanwhile;

int __real_recvmmsg(int, struct mmsghdr *, unsigned, int, struct timespec *);
int __wrap_recvmmsg(int, struct mmsghdr *, unsigned, int, struct timespec *);

static void
send_numbered(int master_fd, uint32_t seq)
{
	struct ctl_client client = { .type = CTL_CLIENT, .seq = seq };

	client.tag.bytes[0] = (unsigned char)seq;
	send_raw(master_fd, &client, sizeof(client), 1);
}

int
__wrap_recvmmsg(int fd, struct mmsghdr *heads, unsigned n, int flags,
    struct timespec *limit)
{
	struct ctl_client client;

	if ((flags & MSG_PEEK) == 0 && meanwhile.peer_fd > 0) {
		for (; meanwhile.n_back > 0; meanwhile.n_back--)
			assert_int_equal(recv(meanwhile.peer_fd, &client,
					     sizeof(client), MSG_DONTWAIT),
			    sizeof(client));
		for (; meanwhile.n_new > 0; meanwhile.n_new--)
			send_numbered(meanwhile.master_fd, ++meanwhile.seq);
	}
	return __real_recvmmsg(fd, heads, n, flags, limit);
}

static const struct {
	int line;
	const char *in;
	unsigned n_sent, n_back, n_new;
	ssize_t want;
	unsigned lost;
} takes[] = {
	{ __LINE__, "none", 3, 0, 0, 3, 0 },
	{ __LINE__, "the first", 3, 1, 0, 2, 0 },
	{ __LINE__, "all but the last", 3, 2, 0, 1, 0 },
	{ __LINE__, "all", 3, 3, 0, 0, 0 },
	{ __LINE__, "the only one", 1, 1, 0, 0, 0 },
	{ __LINE__, "none, and a new one", 3, 0, 1, 3, 0 },
	/* A master must not do so: it would be lost. */
	{ __LINE__, "a new one in its place", 1, 1, 1, -EMFILE, 1 },
	{ __LINE__, "a new one in the place of one", 3, 1, 1, 2, 1 },
};

/* Each client comes out of the channel once. */
static void
taken_back_meanwhile(void **state)
{
	struct fdpool_client clients[8];
	struct fdpool_worker *worker;
	unsigned fds = rig_open_fds(), n;
	struct ctl_report report = { 0 };
	ssize_t got, i;
	size_t row;

	(void)state;
	for (row = 0; row < nitems(takes); row++) {
		const int line = takes[row].line;
		const char *in = takes[row].in;

		worker = raw_worker(&meanwhile.master_fd, 8);
		meanwhile.peer_fd = dup(fdpool_worker_fd(worker));
		meanwhile.seq = 0;
		for (n = 0; n < takes[row].n_sent; n++)
			send_numbered(meanwhile.master_fd, ++meanwhile.seq);
		meanwhile.n_back = takes[row].n_back;
		meanwhile.n_new = takes[row].n_new;
		got = fdpool_worker_recv(worker, clients, takes[row].n_sent);
		CHECK_INT(line, in, "result", takes[row].want, got);
		for (i = 0; i < got; i++) {
			CHECK_INT(line, in, "which", takes[row].n_back + i + 1,
			    clients[i].tag.bytes[0]);
			close(clients[i].fd);
		}
		if (got > 0 || takes[row].lost > 0) {
			assert_int_equal(fdpool_worker_flush(worker), 0);
			report = recv_report(meanwhile.master_fd);
			CHECK_U64(
			    line, in, "lost", takes[row].lost, report.dropped);
		}
		/* What comes next is found. */
		if (got >= 0 && takes[row].lost > 0)
			assert_int_equal(
			    fdpool_worker_recv(worker, clients, 8), -EMFILE);
		send_numbered(meanwhile.master_fd, 77);
		got = fdpool_worker_recv(worker, clients, 8);
		CHECK_INT(line, in, "then", got,
		    1 + (takes[row].n_back == 0 ? takes[row].n_new : 0));
		CHECK_INT(
		    line, in, "that one", 77, clients[got - 1].tag.bytes[0]);
		for (i = 0; i < got; i++)
			close(clients[i].fd);
		fdpool_worker_close(worker);
		close(meanwhile.master_fd);
		close(meanwhile.peer_fd);
		meanwhile.peer_fd = 0;
		assert_int_equal(rig_open_fds(), fds);
	}
}

/* ---- a worker whose clients were taken back ---- */

static void
await_stage(const int *stage, int wanted)
{
	while (__atomic_load_n(stage, __ATOMIC_SEQ_CST) < wanted)
		usleep(1000);
}

static void
enter_stage(int *stage, int next)
{
	__atomic_store_n(stage, next, __ATOMIC_SEQ_CST);
}

static bool
answers_ping(int chan_fd)
{
	struct ctl_ping ping = { 0 };
	struct ctl_pong pong = { .type = CTL_PONG };

	if (recv(chan_fd, &ping, sizeof(ping), 0) != sizeof(ping) ||
	    ping.type != CTL_PING)
		return false;
	pong.seq = ping.seq;
	return send(chan_fd, &pong, sizeof(pong), 0) == sizeof(pong);
}

/* It answers its first ping when it has been given up, and what comes then
 * later still. */
static int
answers_late(int chan_fd, void *stage)
{
	struct fdpool_worker *worker;
	struct fdpool_client client;
	struct pollfd pfd = { .fd = chan_fd, .events = POLLIN };

	if (fdpool_worker_open(&worker, chan_fd, 10) != 0 ||
	    fdpool_worker_ready(worker) != 0)
		return 1;
	await_stage(stage, 1);
	if (!answers_ping(chan_fd) || poll(&pfd, 1, -1) != 1)
		return 2;
	enter_stage(stage, 2);
	await_stage(stage, 3);
	if (!answers_ping(chan_fd))
		return 3;
	while (fdpool_worker_recv(worker, &client, 1) != 1)
		poll(&pfd, 1, -1);
	close(client.fd);
	fdpool_worker_done(worker, 1);
	fdpool_worker_close(worker);
	return 0;
}

/* It is given nothing until it has answered a ping sent after that: it may
 * have looked at what is gone now. */
static void
sure_before_the_next(void **state)
{
	int *stage = rig_shared(sizeof(*stage)), client = -1;
	struct fdpool_options opt = { .run = answers_late,
		.run_arg = stage,
		.heartbeat_ms = 300,
		.silent_ms = 60000 };
	bool is_in_time = false;
	int64_t began;
	struct rig rig;

	(void)state;
	/* The client must be there before the first ping. */
	while (!is_in_time) {
		began = rig_now();
		rig_start(&rig, &opt);
		UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 1);
		client = rig_client(&rig);
		is_in_time = rig_now() < began + 300;
		if (!is_in_time) {
			close(client);
			rig_end(&rig);
		}
	}
	UNTIL(&rig, rig.n_of[FDPOOL_EV_SILENT] == 1);
	assert_int_equal(rig_counts(&rig).given_again, 1);
	enter_stage(stage, 1);
	UNTIL(&rig, __atomic_load_n(stage, __ATOMIC_SEQ_CST) == 2);
	assert_int_equal(rig_counts(&rig).queued, 1);
	assert_int_equal(rig_counts(&rig).given, 1);
	assert_int_equal(rig.n_of[FDPOOL_EV_BACK], 0);
	enter_stage(stage, 3);
	rig_hear_end(&rig, client);
	assert_int_equal(rig.n_of[FDPOOL_EV_BACK], 1);
	UNTIL(&rig, rig_counts(&rig).done == 1);
	assert_int_equal(rig_counts(&rig).lost, 0);
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 0);
	close(client);
	rig_end(&rig);
	munmap(stage, sizeof(*stage));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_that_lies),
		cmocka_unit_test(a_worker_of_odd_lengths),
		cmocka_unit_test(a_worker_that_miscounts),
		cmocka_unit_test(a_good_master),
		cmocka_unit_test(a_master_with_a_bad_hello),
		cmocka_unit_test(slots_refused),
		cmocka_unit_test(a_master_that_lies),
		cmocka_unit_test(a_master_that_is_gone),
		cmocka_unit_test(wait_and_drain),
		cmocka_unit_test(no_room_at_the_worker),
		cmocka_unit_test(nothing_and_more),
		cmocka_unit_test(taken_back_meanwhile),
		cmocka_unit_test(sure_before_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
