/* libfdpool: workers whose descriptor table is full, workers that are not
 * ready, and workers that leave with much unsaid. */
#include "fdpool_rig.h"

#include "message.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct rig_work ten = { .slots = 10 };
static struct rig_work hundred = { .slots = 100 };

/* ---- a full table ---- */

static int
limit_to(unsigned more)
{
	struct rlimit limit;

	limit.rlim_cur = limit.rlim_max = (rlim_t)dup(0) + more;
	close((int)(limit.rlim_cur - more));
	return setrlimit(RLIMIT_NOFILE, &limit);
}

/* Room for its epoll and two clients. */
static int
has_room_for_two(int chan_fd, void *nothing)
{
	(void)nothing;
	return limit_to(3) != 0 ? 1 : rig_event_worker(chan_fd, &ten);
}

/* Nobody is lost: those who do not fit are served when others have gone. */
static void
the_rest_waits(void **state)
{
	struct fdpool_options opt = {
		.run = has_room_for_two, .heartbeat_ms = 50, .silent_ms = 500
	};
	struct rig rig;
	int clients[6], i;

	(void)state;
	rig_start(&rig, &opt);
	for (i = 0; i < 6; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 2 && rig_counts(&rig).queued == 4);
	/* It answers its pings all the while. */
	rig_turns_for(&rig, 1000);
	assert_int_equal(rig_counts(&rig).held, 2);
	assert_int_equal(rig.n_of[FDPOOL_EV_SILENT], 0);
	for (i = 0; i < 6; i++) {
		(void)rig_pid_of(&rig, clients[i]);
		rig_leave(clients[i]);
	}
	UNTIL(&rig, rig_counts(&rig).done == 6);
	assert_int_equal(rig_counts(&rig).lost, 0);
	assert_int_equal(rig_counts(&rig).restarted, 0);
	assert_int_equal(rig_counts(&rig).free, 10);
	rig_end(&rig);
}

/* A drain reaches one that has no room for anything. */
static void
the_full_one_drains(void **state)
{
	struct fdpool_options opt = { .run = has_room_for_two, .workers = 1 };
	struct rig rig;
	int clients[3], i;

	(void)state;
	rig_start(&rig, &opt);
	for (i = 0; i < 3; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 2 && rig_counts(&rig).queued == 1);
	fdpool_drain(rig.pool);
	for (i = 0; i < 3; i++) {
		(void)rig_pid_of(&rig, clients[i]);
		rig_leave(clients[i]);
	}
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	assert_int_equal(rig_counts(&rig).lost, 0);
	assert_int_equal(rig_counts(&rig).done, 3);
	rig_end(&rig);
}

/* One blocking worker with room for one descriptor less than it needs. */
static int
blocks_without_room(int chan_fd, void *starts)
{
	if (__atomic_fetch_add((int *)starts, 1, __ATOMIC_RELAXED) > 0)
		return rig_blocking_worker(chan_fd, NULL);
	if (limit_to(0) != 0)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	struct fdpool_worker *worker;
	struct fdpool_client client;
	int n;

	if (fdpool_worker_open(&worker, chan_fd, 1) != 0)
		return 1;
	do
		n = fdpool_worker_wait(worker, &client);
	while (n == -EMFILE);
	fdpool_worker_close(worker);
	return n;
}

static void
a_blocking_one_without_room(void **state)
{
	int *starts = rig_shared(sizeof(*starts)), i, client;
	struct fdpool_options opt = {
		.run = blocks_without_room, .run_arg = starts, .workers = 2
	};
	struct rig rig;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	for (i = 0; i < 20; i++) {
		client = rig_client(&rig);
		(void)rig_pid_of(&rig, client);
		rig_leave(client);
	}
	UNTIL(&rig, rig_counts(&rig).done == 20);
	assert_int_equal(rig_counts(&rig).lost, 0);
	fdpool_drain(rig.pool);
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 0);
	rig_end(&rig);
	munmap(starts, sizeof(*starts));
}

/* Full before it announces itself, or when nothing has hinted at it. */
struct filler {
	int starts;
	bool late;
};

static int
fills_its_table(int chan_fd, void *arg)
{
	struct filler *filler = arg;
	struct fdpool_worker *worker;
	struct fdpool_client clients[64];
	struct rlimit limit = { 1024, 1024 };
	struct pollfd pfd = { .fd = chan_fd, .events = POLLIN };
	ssize_t n = 0;

	if (__atomic_fetch_add(&filler->starts, 1, __ATOMIC_RELAXED) > 0)
		return rig_event_worker(chan_fd, &hundred);
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1;
	while (!filler->late && dup(0) != -1)
		;
	if (fdpool_worker_open(&worker, chan_fd, 100) != 0)
		return 1;
	while (filler->late && dup(0) != -1)
		;
	if (fdpool_worker_ready(worker) != 0)
		return 1;
	while ((n == 0 || n == -EMFILE) && !fdpool_worker_is_draining(worker)) {
		poll(&pfd, 1, -1);
		n = fdpool_worker_recv(worker, clients, 64);
		if (fdpool_worker_flush(worker) != 0)
			return 2;
	}
	fdpool_worker_close(worker);
	return n == 0 ? 0 : 3;
}

static const struct {
	int line;
	const char *in;
	bool late;
} full_tables[] = {
	{ __LINE__, "full from the beginning", false },
	{ __LINE__, "full unexpectedly", true },
};

/* A hundred clients one after the other, each of whom it would get as the one
 * with less to do. */
static void
a_full_one_swallows_nobody(void **state)
{
	struct filler *filler = rig_shared(sizeof(*filler));
	struct fdpool_options opt = {
		.run = fills_its_table, .run_arg = filler, .workers = 2
	};
	struct fdpool_counts counts;
	struct rig rig;
	int clients[100], i;
	size_t row;

	(void)state;
	for (row = 0; row < nitems(full_tables); row++) {
		int line = full_tables[row].line;
		const char *in = full_tables[row].in;

		*filler = (struct filler){ .late = full_tables[row].late };
		rig_start(&rig, &opt);
		UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
		for (i = 0; i < 100; i++) {
			clients[i] = rig_client(&rig);
			rig_turns_for(&rig, 5);
		}
		UNTIL(
		    &rig, rig_counts(&rig).held + rig_counts(&rig).lost == 100);
		counts = rig_counts(&rig);
		CHECK_U64(line, in, "lost", 0, counts.lost);
		CHECK_U64(line, in, "restarted", 0, counts.restarted);
		for (i = 0; i < 100; i++)
			rig_leave(clients[i]);
		UNTIL(&rig, rig_counts(&rig).done == counts.held);
		fdpool_drain(rig.pool);
		UNTIL(&rig, fdpool_is_drained(rig.pool));
		CHECK_U64(line, in, "killed", 0, rig.n_of[FDPOOL_EV_KILLED]);
		CHECK_U64(line, in, "status", 0,
		    (uint64_t)rig.last[FDPOOL_EV_ENDED].value);
		rig_end(&rig);
	}
	munmap(filler, sizeof(*filler));
}

/* ---- ready ---- */

/* What it cannot do is found out after it has heard its hello. */
static int
cannot_configure(int chan_fd, void *nothing)
{
	struct fdpool_worker *worker;

	(void)nothing;
	if (fdpool_worker_open(&worker, chan_fd, 10) != 0)
		return 1;
	fdpool_worker_close(worker);
	return 2;
}

/* So it was never ready, and is waited for longer and longer. */
static void
never_served(void **state)
{
	static const int64_t want[] = { 100, 200, 250, 250 };
	struct fdpool_options opt = { .run = cannot_configure,
		.restart_max_ms = 250 };
	struct rig rig;
	unsigned i, n = 0;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig.n_of[FDPOOL_EV_RESTART_WAITS] == nitems(want));
	assert_int_equal(rig.n_of[FDPOOL_EV_READY], 0);
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 0);
	assert_int_equal(rig.last[FDPOOL_EV_ENDED].value, 2);
	for (i = 0; i < rig.n_events; i++)
		if (rig.events[i].type == FDPOOL_EV_RESTART_WAITS)
			CHECK_INT(__LINE__, "delay", "ms", want[n++],
			    rig.events[i].value);
	rig_end(&rig);
}

/* ---- last words ---- */

#define DONE 2000

/* Far more than the channel holds is owed; the master reads late. */
static void
all_is_said_before_bye(void **state)
{
	struct ctl_hello hello = { .type = CTL_HELLO, .version = CTL_VERSION };
	struct fdpool_worker *worker;
	union ctl_up msg = { 0 };
	uint32_t done = 0;
	int ends[2], pid, status, i;

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(
	    send(ends[0], &hello, sizeof(hello), 0), sizeof(hello));
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		if (fdpool_worker_open(&worker, ends[1], 10) != 0 ||
		    fdpool_worker_ready(worker) != 0)
			_exit(1);
		for (i = 0; i < DONE; i++) {
			fdpool_worker_done(worker, 1);
			if (fdpool_worker_flush(worker) != 0)
				_exit(2);
		}
		raise(SIGSTOP);
		fdpool_worker_close(worker);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	kill(pid, SIGCONT);
	/* Time for one that would not wait; nothing depends on it. */
	usleep(50 * 1000);
	assert_int_equal(
	    recv(ends[0], &msg, sizeof(msg), 0), sizeof(msg.ready));
	while (recv(ends[0], &msg, sizeof(msg), 0) == sizeof(msg.report)) {
		assert_int_equal(msg.type, CTL_REPORT);
		done += msg.report.done;
	}
	assert_int_equal(msg.type, CTL_BYE);
	assert_int_equal(done, DONE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ends[0]);
}

/* ---- clients wait ---- */

/* Of four, it lets the oldest go when it is asked to; the first time it
 * does not hear. */
static int
makes_room(int chan_fd, void *asked)
{
	struct fdpool_client clients[4], come;
	struct fdpool_worker *worker;
	unsigned held = 0, n;
	struct pollfd pfd;

	signal(SIGPIPE, SIG_IGN);
	if (fdpool_worker_open(&worker, chan_fd, 4) != 0 ||
	    fdpool_worker_ready(worker) != 0)
		return 1;
	pfd = (struct pollfd){ .fd = fdpool_worker_fd(worker),
		.events = POLLIN };
	while (!fdpool_worker_is_draining(worker) || held > 0) {
		poll(&pfd, 1, -1);
		while (fdpool_worker_recv(worker, &come, 1) == 1)
			clients[held++] = come;
		n = fdpool_worker_wanted(worker);
		if (n > 0 &&
		    __atomic_fetch_add((int *)asked, 1, __ATOMIC_RELAXED) == 0)
			n = 0;
		if (fdpool_worker_is_draining(worker))
			n = held;
		for (; n > 0 && held > 0; n--) {
			shutdown(clients[0].fd, SHUT_RDWR);
			close(clients[0].fd);
			memmove(&clients[0], &clients[1],
			    --held * sizeof(clients[0]));
			fdpool_worker_done(worker, 1);
		}
		if (fdpool_worker_flush(worker) != 0)
			break;
	}
	fdpool_worker_close(worker);
	return 0;
}

/* The full ones are asked, each for its share, until nobody waits. */
static void
the_full_make_room(void **state)
{
	int *asked = rig_shared(sizeof(*asked)), clients[11], i;
	struct fdpool_options opt = { .run = makes_room,
		.run_arg = asked,
		.workers = 2,
		.heartbeat_ms = 50 };
	struct rig rig;

	(void)state;
	rig_start(&rig, &opt);
	UNTIL(&rig, rig_in_state(&rig, FDPOOL_READY) == 2);
	for (i = 0; i < 8; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).held == 8);
	rig_turns_for(&rig, 200);
	assert_int_equal(*asked, 0);
	for (; i < 11; i++)
		clients[i] = rig_client(&rig);
	UNTIL(&rig, rig_counts(&rig).done >= 3 && rig_counts(&rig).held == 8);
	assert_int_equal(rig_counts(&rig).queued, 0);
	/* each of both for each who waited, at most */
	assert_true(rig_counts(&rig).done <= 6);
	fdpool_drain(rig.pool);
	UNTIL(&rig, fdpool_is_drained(rig.pool));
	assert_int_equal(rig_counts(&rig).lost, 0);
	assert_int_equal(rig.n_of[FDPOOL_EV_KILLED], 0);
	for (i = 0; i < 11; i++)
		close(clients[i]);
	rig_end(&rig);
	munmap(asked, sizeof(*asked));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rest_waits),
		cmocka_unit_test(the_full_one_drains),
		cmocka_unit_test(a_blocking_one_without_room),
		cmocka_unit_test(a_full_one_swallows_nobody),
		cmocka_unit_test(never_served),
		cmocka_unit_test(all_is_said_before_bye),
		cmocka_unit_test(the_full_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
